/* app/verb_serve.c -- the options of `ccmon serve`. */
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/verbs.h"

const struct option options_serve[] = {
    { "--config", "FILE", "the configuration, ccmon.yml; docs/configuration.md has its keys" },
    { "--prometheus.config.file", "FILE", "a prometheus.yml in the place of --config" },
    { "--web.config.file", "FILE", "Prometheus's web configuration: TLS, users, headers, for every listener" },
    { "--data", "DIR", "where everything is kept" },
    { "--bind", "ADDR", "the address of every listener; 127.0.0.1 if not given" },
    { "--port", "NAME=NUMBER", "a port; NAME is otlp-http, otlp-grpc, prometheus, loki or web; NUMBER 0 is any free one" },
    { "--retention", "AGE|forever", "how long rows are kept" },
    { 0 },
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
        return verb_wrong("--port wants NAME=NUMBER, NAME one of otlp-http, otlp-grpc, prometheus, loki, web", arg);
    if (o->nset == LEN(keys))
        return verb_wrong("too many --port", arg);
    int n = snprintf(keys[o->nset], sizeof keys[0], "ports." STR_FMT, STR_ARG(name));
    o->set[o->nset].key = (struct str){ keys[o->nset], (size_t)n };
    o->set[o->nset++].text = text;
    return 0;
}

int serve_option(struct options *o, const char *name, const char *value)
{
    if (!strcmp(name, "--config") || !strcmp(name, "--prometheus.config.file")) {
        o->config_path = value;
        o->prometheus_file = name[2] == 'p';
        return 0;
    }
    if (!strcmp(name, "--web.config.file")) {
        o->web_config_path = value;
        return 0;
    }
    if (!strcmp(name, "--port"))
        return option_port(o, value);
    for (size_t i = 0; i < LEN(key_options); i++)
        if (!strcmp(name, key_options[i].option)) {
            if (o->nset == LEN(o->set))
                return verb_wrong("too many options", name);
            o->set[o->nset].key = key_options[i].key;
            o->set[o->nset++].text = str_c(value);
            return 0;
        }
    return verb_wrong("no such option", name);
}

static int take(void *arg, const char *name, const char *value)
{
    return serve_option(arg, name, value);
}

int run_serve(const struct verb *v, int argc, char **argv)
{
    static struct options o;
    struct verb_args on = { .take = take, .arg = &o };
    int rc = verb_parse(v, argc, argv, &on);
    return rc ? rc : app_serve(&o);
}
