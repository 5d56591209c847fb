/* web/embed.c -- a build tool: the files of dist/ as one C file.
 *
 *     embed OUTPUT.c DEPFILE DIST_DIR
 *
 * Text is packed with libdeflate at its best level, which writes no time stamp,
 * so the output depends on nothing but the files. Files are taken in the order of
 * their names. The dependency file names them all for ninja; since every name but
 * two carries a hash, a new build of the page always changes index.html too.
 */
#include <dirent.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256, PATH_BYTES = 1024, PACK_LEVEL = 12 };

struct file {
    char path[PATH_BYTES];                         /* as the browser asks for it: "/assets/x.js" */
    const char *type;
    bool text, hashed;
    unsigned char *data;
    size_t n, raw_n;
};

static const struct {
    const char *ending, *type;
    bool text;
} types[] = {
    { ".html", "text/html; charset=utf-8", true },  { ".js", "text/javascript; charset=utf-8", true },
    { ".css", "text/css; charset=utf-8", true },    { ".svg", "image/svg+xml", true },
    { ".json", "application/json", true },          { ".txt", "text/plain; charset=utf-8", true },
    { ".png", "image/png", false },                 { ".woff2", "font/woff2", false },
};

static void die(const char *what, const char *name)
{
    fprintf(stderr, "embed: %s: %s\n", name, what);
    exit(1);
}

static void join_path(char out[PATH_BYTES], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_BYTES)
        die("path too long", name);
}

static void set_type(struct file *f)
{
    size_t n = strlen(f->path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t e = strlen(types[i].ending);
        if (n > e && strcmp(f->path + n - e, types[i].ending) == 0) {
            f->type = types[i].type;
            f->text = types[i].text;
            return;
        }
    }
    die("no content type for this ending", f->path);
}

static void load(struct file *f, const char *dist)
{
    char full[2 * PATH_BYTES];
    snprintf(full, sizeof(full), "%s%s", dist, f->path);
    FILE *in = fopen(full, "rb");
    if (!in || fseek(in, 0, SEEK_END))
        die("cannot be read", full);
    long n = ftell(in);
    rewind(in);
    f->data = malloc((size_t)n + 1);
    if (n < 0 || !f->data || fread(f->data, 1, (size_t)n, in) != (size_t)n)
        die("cannot be read", full);
    fclose(in);
    f->n = f->raw_n = (size_t)n;
}

static void pack(struct file *f)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(PACK_LEVEL);
    size_t max = c ? libdeflate_gzip_compress_bound(c, f->n) : 0;
    unsigned char *out = malloc(max + 1);
    size_t n = c && out ? libdeflate_gzip_compress(c, f->data, f->n, out, max) : 0;
    if (!n)
        die("cannot be packed", f->path);
    libdeflate_free_compressor(c);
    free(f->data);
    f->data = out;
    f->n = n;
}

static size_t list(const char *dist, const char *sub, struct file *files, size_t n)
{
    char dir[PATH_BYTES];
    join_path(dir, dist, sub);
    DIR *d = opendir(dir);
    if (!d)
        die("no such folder", dir);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.' || !strchr(e->d_name, '.'))
            continue;                              /* hidden files, and folders: ours have no dot */
        if (n == FILES_MAX)
            die("too many files", dir);
        struct file *f = &files[n++];
        *f = (struct file){ .hashed = *sub != 0 };
        join_path(f->path, *sub ? "/assets" : "", e->d_name);
        set_type(f);
    }
    closedir(d);
    return n;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static void write_c(const char *name, const struct file *files, size_t n)
{
    FILE *out = fopen(name, "w");
    if (!out)
        die("cannot be written", name);
    fputs("/* Made by embed.c from dist/. */\n#include \"web/web_int.h\"\n\n", out);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "static const unsigned char file_%zu[] = {", i);
        for (size_t k = 0; k < files[i].n; k++)
            fprintf(out, "%s%u,", k % 32 ? "" : "\n    ", files[i].data[k]);
        fputs("\n};\n", out);
    }
    fputs("\nconst struct web_asset web_assets[] = {\n", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "    { \"%s\", \"%s\", file_%zu, %zu, %zu, %s, %s },\n", files[i].path, files[i].type, i,
                files[i].n, files[i].raw_n, files[i].text ? "true" : "false", files[i].hashed ? "true" : "false");
    fprintf(out, "};\n\nconst uint32_t web_nassets = %zu;\n", n);
    if (fclose(out))
        die("cannot be written", name);
}

static void write_deps(const char *name, const char *target, const char *dist, const struct file *files, size_t n)
{
    FILE *out = fopen(name, "w");
    if (!out)
        die("cannot be written", name);
    fprintf(out, "%s:", target);
    for (size_t i = 0; i < n; i++)
        fprintf(out, " %s%s", dist, files[i].path);
    fputs("\n", out);
    if (fclose(out))
        die("cannot be written", name);
}

int main(int argc, char **argv)
{
    static struct file files[FILES_MAX];
    if (argc != 4)
        die("usage: embed OUTPUT.c DEPFILE DIST_DIR", "arguments");
    size_t n = list(argv[3], "", files, 0);
    n = list(argv[3], "assets", files, n);
    qsort(files, n, sizeof(files[0]), by_path);
    for (size_t i = 0; i < n; i++) {
        load(&files[i], argv[3]);
        if (files[i].text)
            pack(&files[i]);
    }
    write_c(argv[1], files, n);
    write_deps(argv[2], argv[1], argv[3], files, n);
    return 0;
}
