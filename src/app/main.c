/* app/main.c -- the command line: finds the verb and runs it. verbs.c has their table. */
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"

int main(int argc, char **argv)
{
    mem_begin();
    if (argc < 2) {
        verbs_usage(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    const struct verb *v = verb_find(name);
    if (!v)
        return verb_wrong("no such verb", name);
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            verb_help(v, stdout);
            return 0;
        }
    return v->run(v, argc - 2, argv + 2);
}
