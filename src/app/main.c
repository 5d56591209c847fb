/* app/main.c -- the command line: verbs, and the options of `serve`. */
#include <stdio.h>
#include <string.h>

#include "app/app.h"

static int verb_serve(int argc, char **argv);
static int verb_check_config(int argc, char **argv);
static int verb_describe(int argc, char **argv);
static int verb_version(int argc, char **argv);
static int verb_help(int argc, char **argv);

static const struct {
    const char *name, *args, *doc;
    int (*run)(int argc, char **argv);
} verbs[] = {
    { "serve", "[--config FILE] [--data DIR] [--bind ADDR] [--port NAME=NUMBER]... [--retention AGE|forever]",
      "receive, store and answer", verb_serve },
    { "check-config", "FILE", "say whether a configuration is right", verb_check_config },
    { "describe", "keys|routes", "print the tables of the documentation", verb_describe },
    { "version", "", "print the version", verb_version },
    { "help", "", "print this", verb_help },
};

/* Options of `serve` that are a key of the configuration under another name. */
static const struct {
    const char *option;
    struct str key;
} key_options[] = {
    { "--data", S("data") },
    { "--bind", S("bind") },
    { "--retention", S("retention") },
};

static void usage(FILE *to)
{
    fputs("ccmon: what Claude Code costs, does and breaks\n\n", to);
    for (size_t i = 0; i < LEN(verbs); i++)
        fprintf(to, "  ccmon %s %s\n        %s\n", verbs[i].name, verbs[i].args, verbs[i].doc);
    fputs("\nNAME is otlp-http, otlp-grpc (not answered by this version), prometheus, loki or web; NUMBER 0\nis any free port.\n"
          "--prometheus.config.file FILE reads a prometheus.yml in the place of --config.\n", to);
}

static int wrong(const char *what, const char *arg)
{
    fprintf(stderr, "ccmon: %s%s%s (ccmon help shows what there is)\n", what, arg ? ": " : "", arg ? arg : "");
    return 2;
}

static bool is_port_name(struct str name)
{
    for (size_t i = 0; i < PORT_COUNT; i++)
        if (str_eq(port_names[i], name))
            return true;
    return false;
}

/* "--port web=0" sets the key "ports.web". */
static int option_port(struct options *o, const char *arg)
{
    static char keys[PORT_COUNT * 4][32];
    struct str text = str_c(arg), name = str_cut(&text, '=');
    if (!text.p || !is_port_name(name))
        return wrong("--port wants NAME=NUMBER, NAME one of otlp-http, otlp-grpc, prometheus, loki, web", arg);
    if (o->nset == LEN(keys))
        return wrong("too many --port", arg);
    int n = snprintf(keys[o->nset], sizeof keys[0], "ports." STR_FMT, STR_ARG(name));
    o->set[o->nset].key = (struct str){ keys[o->nset], (size_t)n };
    o->set[o->nset++].text = text;
    return 0;
}

static int option_value(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--config") || !strcmp(name, "--prometheus.config.file")) {
        o->config_path = value;
        o->prometheus_file = name[2] == 'p';
        return 0;
    }
    if (!strcmp(name, "--port"))
        return option_port(o, value);
    for (size_t i = 0; i < LEN(key_options); i++)
        if (!strcmp(name, key_options[i].option)) {
            if (o->nset == LEN(o->set))
                return wrong("too many options", name);
            o->set[o->nset].key = key_options[i].key;
            o->set[o->nset++].text = str_c(value);
            return 0;
        }
    return wrong("no such option", name);
}

/* Both "--name value" and "--name=value". */
static int parse_options(struct options *o, int argc, char **argv)
{
    static char name[64];
    for (int i = 0; i < argc; i++) {
        const char *eq = strchr(argv[i], '='), *value = eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL;
        struct str key = str_c(argv[i]);
        if (eq)
            key = str_cut(&key, '=');
        if (key.n < 3 || key.p[0] != '-' || key.p[1] != '-' || key.n >= sizeof name)
            return wrong("not an option", argv[i]);
        memcpy(name, key.p, key.n);
        name[key.n] = 0;
        if (!value)
            return wrong("a value is missing after", argv[i]);
        int rc = option_value(o, name, value);
        if (rc)
            return rc;
        i += !eq;
    }
    return 0;
}

static int verb_serve(int argc, char **argv)
{
    static struct options o;
    if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")))
        return verb_help(0, NULL);
    int rc = parse_options(&o, argc, argv);
    return rc ? rc : app_serve(&o);
}

static int verb_check_config(int argc, char **argv)
{
    if (argc != 1)
        return wrong("check-config wants one FILE", NULL);
    struct options o = { .config_path = argv[0] };
    struct config c;
    struct fault f = { 0 };
    if (app_config(&o, &c, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    config_done(&c);
    printf("%s is right\n", argv[0]);
    return 0;
}

static int verb_describe(int argc, char **argv)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    if (argc == 1 && !strcmp(argv[0], "keys"))
        config_describe(&out);
    else if (argc == 1 && !strcmp(argv[0], "routes"))
        app_describe_routes(&out);
    else
        return wrong("describe wants keys or routes", NULL);
    fwrite(out.p, 1, out.n, stdout);
    return 0;
}

static int verb_version(int argc, char **argv)
{
    (void)argv;
    if (argc)
        return wrong("version takes nothing", NULL);
    puts("ccmon " CCMON_VERSION);
    return 0;
}

static int verb_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    usage(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *verb = argv[1];
    if (!strcmp(verb, "--help") || !strcmp(verb, "-h"))
        verb = "help";
    if (!strcmp(verb, "--version"))
        verb = "version";
    for (size_t i = 0; i < LEN(verbs); i++)
        if (!strcmp(verb, verbs[i].name))
            return verbs[i].run(argc - 2, argv + 2);
    return wrong("no such verb", verb);
}
