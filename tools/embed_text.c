/* tools/embed_text.c -- a build tool: one file as an array.
 *
 *     embed-text NAME INPUT OUTPUT.c     ->  const unsigned char NAME[]; const size_t NAME_size;
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *in = argc == 4 ? fopen(argv[2], "rb") : NULL, *out = argc == 4 ? fopen(argv[3], "w") : NULL;
    if (!in || !out) {
        fprintf(stderr, "embed-text: NAME INPUT OUTPUT are wanted, and INPUT must be readable\n");
        return 1;
    }
    fprintf(out, "#include <stddef.h>\nextern const unsigned char %s[];\nextern const size_t %s_size;\nconst unsigned char %s[] = {", argv[1],
            argv[1], argv[1]);
    size_t n = 0;
    for (int c; (c = getc(in)) != EOF; n++)
        fprintf(out, "%s%d,", n % 24 ? "" : "\n", c);
    fprintf(out, "\n};\nconst size_t %s_size = %zu;\n", argv[1], n);
    return ferror(in) || fclose(out) ? 1 : 0;
}
