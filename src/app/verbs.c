/* app/verbs.c -- the table of verbs, and what is printed from it. */
#include "api/v1.h"
#include "app/verbs.h"

#include <string.h>

#include "app/app.h"

/* ---- small verbs ------------------------------------------------------------------- */

static int one_file(void *arg, const char *text)
{
    const char **file = arg;
    if (*file)
        return verb_wrong("one FILE is enough", text);
    *file = text;
    return 0;
}

static int config_file(void *arg, const char *text)
{
    struct options *o = arg;
    return one_file(&o->config_path, text);
}

static int take_serve(void *arg, const char *name, const char *value)
{
    return serve_option(arg, name, value);
}

static int run_check_config(const struct verb *v, int argc, char **argv)
{
    static struct options o;
    struct verb_args on = { .take = take_serve, .rest = config_file, .arg = &o };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    if (!o.config_path && !o.nset && !o.web_config_path)
        return verb_wrong("check-config wants a FILE", NULL);
    struct config c;
    struct fault f = { 0 };
    if (app_config(&o, &c, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    enum err e = app_tls_check(&c, &f);
    config_done(&c);
    if (e) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    printf("%s is right\n", o.config_path ? o.config_path : o.web_config_path ? o.web_config_path : "the command line");
    return 0;
}

static void describe_man(struct buf *out)
{
    verb_man(NULL, out);
}

static const struct {
    const char *name;
    void (*print)(struct buf *out);
} descriptions[] = {
    { "keys", config_describe },
    { "routes", app_describe_routes },
    { "accounting", v1_describe },
    { "man", describe_man },
    { "access", access_describe },
    { "tls", tls_describe },
    { "scrape", scrape_describe },
    { "privacy", privacy_describe },
};

static int run_describe(const struct verb *v, int argc, char **argv)
{
    const char *what = NULL;
    struct verb_args on = { .rest = one_file, .arg = &what };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; what && i < LEN(descriptions); i++)
        if (!strcmp(descriptions[i].name, what)) {
            descriptions[i].print(&out);
            fwrite(out.p, 1, out.n, stdout);
            return 0;
        }
    fprintf(stderr, "ccmon: describe wants one of");
    for (size_t i = 0; i < LEN(descriptions); i++)
        fprintf(stderr, "%s %s", i ? "," : "", descriptions[i].name);
    fprintf(stderr, "%s%s\n", what ? ", not " : "", what ? what : "");
    return 2;
}

static int run_version(const struct verb *v, int argc, char **argv)
{
    struct verb_args on = { 0 };
    int rc = verb_parse(v, argc, argv, &on);
    if (!rc)
        puts("ccmon " CCMON_VERSION);
    return rc;
}

static int run_help(const struct verb *v, int argc, char **argv)
{
    const char *name = NULL;
    struct verb_args on = { .rest = one_file, .arg = &name };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    const struct verb *about = name ? verb_find(name) : NULL;
    if (name && !about)
        return verb_wrong("no such verb", name);
    if (about)
        verb_help(about, stdout);
    else
        verbs_usage(stdout);
    return 0;
}

/* ---- the table ---------------------------------------------------------------------- */

const struct verb verbs[] = {
    { "serve", "", "receive, store and answer", options_serve,
      "Prints `listening NAME ADDR:PORT` for each listener and then `ready`, and runs until SIGTERM or SIGINT. SIGHUP reads "
      "the configuration again.",
      run_serve },
    { "setup", "", "say what Claude Code has to be told, or write it into its settings", options_setup,
      "Prints the environment for a shell. Exported variables lose against settings.json, and a project's own settings "
      "cannot switch telemetry on, so --write is what lasts. Whole lines of the file that are not concerned keep every byte.",
      run_setup },
    { "doctor", "", "find out what is wrong, if something is", options_doctor,
      "A record goes in by each way and is queried back (under the service name ccmon-doctor, which no figure counts); ports, "
      "clock and disk are looked at, who was refused, and what Claude Code's settings on this machine say. Ends with 1 if "
      "something is wrong.",
      run_doctor },
    { "demo", "", "serve a made-up company's history, to look around", options_demo,
      "Nothing of it is real, every page says so, and nothing of yours is touched. The same seed and dates give the same "
      "company, whose totals are known: --truth prints them.",
      run_demo },
    { "check", "", "read everything in a data directory and say what is damaged", options_check,
      "Decodes every page, column, filter and frame of a directory that no server has, and compares whatever stands twice; changes "
      "nothing. With --absent it is the proof that a text (a session's id, an address) stands nowhere: it looks in the bytes of every "
      "file, in what is packed and in every decoded value. Ends with 1 if something is damaged or found, with 2 if it cannot begin.",
      run_check },
    { "erase", "", "take a session or a person out of everything", options_erase,
      "Rows that name one of them go, with all rows of sessions that are only theirs: from partitions, log, totals and quarantine, "
      "which are written anew. What would go is shown first. Only keyed hashes are kept, so that what is sent again is left out. A "
      "running server does it while it goes on; ended half-way, the next start completes it. `ccmon check --absent` is the proof.",
      run_erase },
    { "backup", "TO", "copy the data directory, also while a server writes it", options_backup,
      "Makes TO/TIME, complete when it has that name; TO may hold earlier backups and nothing else. Partitions that do not change any "
      "more are hard links, so the second backup takes the room of what is new. Everything acknowledged before the call is in it. A "
      "running server makes the backup itself, on its own machine.",
      run_backup },
    { "restore", "FROM", "make a data directory of a backup", options_restore,
      "FROM is a folder of backups, whose newest complete one is taken, or one of them. Every file is checked first. A directory that "
      "is not empty is refused; ended half-way, it does not open, and the same call does it anew.",
      run_restore },
    { "check-config", "FILE", "say whether a configuration is right", options_serve,
      "Reads it as serve would, the environment and the other options with it, and changes nothing.", run_check_config },
    { "describe", "WHAT", "print the tables of the documentation", NULL, NULL, run_describe },
    { "version", "", "print the version", NULL, NULL, run_version },
    { "help", "[VERB]", "print this, or all about one verb", NULL, NULL, run_help },
    { 0 },
};

const struct verb *verb_find(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

int verb_wrong(const char *what, const char *arg)
{
    fprintf(stderr, "ccmon: %s%s%s (ccmon help shows what there is)\n", what, arg ? ": " : "", arg ? arg : "");
    return 2;
}

/* ---- the command line of one verb ---------------------------------------------------- */

static const struct option *option_find(const struct verb *v, struct str name)
{
    for (const struct option *o = v->options; o && o->name; o++)
        if (str_eq(str_c(o->name), name))
            return o;
    return NULL;
}

int verb_parse(const struct verb *v, int argc, char **argv, const struct verb_args *on)
{
    for (int i = 0; i < argc; i++) {
        struct str value = str_c(argv[i]), name = str_cut(&value, '=');
        if (!str_starts(name, S("-")) || name.n == 1) {
            int rc = on->rest ? on->rest(on->arg, argv[i]) : verb_wrong("there is nothing to do with", argv[i]);
            if (rc)
                return rc;
            continue;
        }
        const struct option *o = option_find(v, name);
        if (!o)
            return verb_wrong(str_starts(name, S("--")) ? "no such option" : "not an option", argv[i]);
        if (!o->arg && value.p)
            return verb_wrong("takes no value", o->name);
        const char *text = o->arg ? value.p : NULL;
        if (o->arg && !text && i + 1 < argc)
            text = argv[++i];
        if (o->arg && !text)
            return verb_wrong("a value is missing after", o->name);
        int rc = on->take(on->arg, o->name, text);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- help and manual ------------------------------------------------------------------ */

void verbs_usage(FILE *to)
{
    fputs("ccmon: what Claude Code costs, does and breaks\n\n", to);
    for (const struct verb *v = verbs; v->name; v++)
        fprintf(to, "  %-14s %s\n", v->name, v->doc);
    fputs("\n`ccmon help VERB` shows the options of one.\n", to);
}

/* Words up to column 78, each line behind `indent`. */
static void print_wrapped(FILE *to, const char *text, const char *indent)
{
    for (struct str rest = str_c(text); rest.p;) {
        struct str line = str_cut(&rest, '\n');
        size_t col = 0;
        do {
            struct str word = str_cut(&line, ' ');
            if (col && col + 1 + word.n > 78 - str_c(indent).n) {
                fputs("\n", to);
                col = 0;
            }
            fprintf(to, "%s" STR_FMT, col ? " " : indent, STR_ARG(word));
            col += word.n + (col ? 1 : 0);
        } while (line.p);
        fputs("\n", to);
    }
}

void verb_help(const struct verb *v, FILE *to)
{
    fprintf(to, "ccmon %s%s%s%s\n", v->name, v->options ? " [OPTION]..." : "", *v->args ? " " : "", v->args);
    print_wrapped(to, v->doc, "    ");
    for (const struct option *o = v->options; o && o->name; o++) {
        fprintf(to, "\n  %s%s%s\n", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        print_wrapped(to, o->doc, "        ");
    }
    if (v->more) {
        fputs("\n", to);
        print_wrapped(to, v->more, "  ");
    }
}

/* Text for roff: backslashes and a leading point would be commands of it. */
static void man_text(struct buf *out, const char *text)
{
    bool first = true;
    for (const char *p = text; *p; p++) {
        if (first && (*p == '.' || *p == '\''))
            buf_str(out, S("\\&"));
        if (*p == '\\')
            buf_str(out, S("\\e"));
        else if (*p == '-')
            buf_str(out, S("\\-"));
        else
            buf_byte(out, *p);
        first = *p == '\n';
    }
    buf_byte(out, '\n');
}

static void man_verb(const struct verb *v, struct buf *out)
{
    buf_fmt(out, ".SS ccmon %s%s%s%s\n", v->name, v->options ? " [OPTION]..." : "", *v->args ? " " : "", v->args);
    man_text(out, v->doc);
    for (const struct option *o = v->options; o && o->name; o++) {
        buf_str(out, S(".TP\n"));
        buf_fmt(out, ".BR ");
        man_text(out, o->name);
        if (o->arg) {
            out->n--;                              /* the argument stands on the option's own line */
            buf_fmt(out, " \" \" ");
            man_text(out, o->arg);
        }
        man_text(out, o->doc);
    }
    if (v->more) {
        buf_str(out, S(".PP\n"));
        man_text(out, v->more);
    }
}

void verb_man(const struct verb *v, struct buf *out)
{
    if (v) {
        man_verb(v, out);
        return;
    }
    buf_str(out, S(".TH CCMON 1 \"\" \"ccmon " CCMON_VERSION "\"\n.SH NAME\nccmon \\- what Claude Code costs, does and breaks\n"
                   ".SH SYNOPSIS\n.B ccmon\nVERB [OPTION]...\n.SH VERBS\n"));
    for (v = verbs; v->name; v++)
        man_verb(v, out);
    buf_str(out, S(".SH EXIT STATUS\n0 done or stopped cleanly, 1 not done or could not start, 2 wrong command line or configuration.\n"));
}
