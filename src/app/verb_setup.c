/* app/verb_setup.c -- `ccmon setup`: prints what Claude Code has to be told, or writes it
 * into its settings after showing the change, and waits for what comes.
 *
 * A written file leaves a note beside it (settings.json.ccmon-undo): the text as it was,
 * the text as it was written, and the variables' values before. While nobody else has
 * changed the file, --undo gives the old bytes back; later, it takes back the variables
 * that still have our value and names the others.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/remote.h"
#include "app/verbs.h"
#include "base/file.h"
#include "base/json.h"
#include "base/jw.h"
#include "setup/setup.h"

enum { WAIT_MAX_S = 86400, POLL_MS = 300, MEMORY_BYTES = 64 << 20 };

struct setup {
    struct arena mem;
    struct setup_plan plan;
    struct options o;                              /* --config */
    struct str settings, url, user;
    bool json, managed, write, undo, yes, settings_given;
    uint64_t wait_s, scrape_port;
};

const struct option options_setup[] = {
    { "--way", "WAY", "http (if not given), json, grpc, scrape, or both: OTLP and the Prometheus exporter" },
    { "--host", "NAME", "what this machine is called where the client runs; localhost if not given" },
    { "--config", "FILE", "the configuration of the server, for its ports" },
    { "--token", "TOKEN", "the bearer token that the server asks for" },
    { "--tls", NULL, "the server speaks TLS" },
    { "--ca", "FILE", "the CA that signed its certificate, if that is not a public one (also means --tls)" },
    { "--client-cert", "FILE", "the client's certificate, where the server asks for one" },
    { "--client-key", "FILE", "its key" },
    { "--scrape-port", "N", "port of the client's Prometheus exporter, if not 9464" },
    { "--traces", NULL, "spans too (a beta of the client)" },
    { "--tools", NULL, "names and parameters of tools, MCP servers, skills" },
    { "--prompts", NULL, "the text of prompts and answers" },
    { "--identity", NULL, "version and repository on every row" },
    { "--team", "NAME", "a team on every row" },
    { "--json", NULL, "as settings.json has it, not as a shell has it" },
    { "--managed", NULL, "for a company: managed settings, which win over what people set; with --write into the system's place" },
    { "--write", NULL, "into the settings of this user, after showing the change and asking" },
    { "--settings", "FILE", "which file; $CLAUDE_CONFIG_DIR/settings.json or ~/.claude/settings.json if not given" },
    { "--yes", NULL, "do not ask" },
    { "--undo", NULL, "take back what --write did" },
    { "--wait", "SECONDS", "wait for the first data and say what came" },
    { "--url", "URL", "the page of a running server, to ask for its ports, and for --wait; http://127.0.0.1:3001 if not given" },
    { "--user", "NAME:PASSWORD", "the user that the page asks for" },
    { 0 },
};

static int fail(const struct fault *f)
{
    fprintf(stderr, "ccmon: %s\n", f->msg);
    return 1;
}

/* ---- which file ------------------------------------------------------------------------ */

static enum err settings_path(struct setup *s, struct fault *f)
{
    const char *dir = getenv("CLAUDE_CONFIG_DIR"), *home = getenv("HOME");
    s->settings_given = s->settings.n > 0;
    if (s->settings_given)
        return OK;
    if (s->managed)
        s->settings = S(SETUP_MANAGED_DIR "/managed-settings.d/ccmon.json");
    else if (dir && *dir)
        s->settings = arena_fmt(&s->mem, "%s/settings.json", dir);
    else if (home && *home)
        s->settings = arena_fmt(&s->mem, "%s/.claude/settings.json", home);
    else
        return fault_set(f, E_NOTFOUND, 0, "there is no HOME; name the file with --settings");
    return OK;
}

/* A link is followed, so that what it points to is changed and the link stays. */
static void follow_link(struct setup *s)
{
    char real[PATH_MAX];
    if (realpath(arena_cstr(&s->mem, s->settings), real))
        s->settings = arena_str(&s->mem, str_c(real));
}

/* *ret_p NULL: there is no such file. */
static enum err read_file(struct setup *s, struct str path, struct str *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    *ret = (struct str){ 0 };
    enum err e = file_read(arena_cstr(&s->mem, path), SETTINGS_BYTES_MAX, &b, f);
    if (e == E_NOTFOUND)
        return OK;
    if (!e)
        *ret = arena_str(&s->mem, b.n ? buf_view(&b) : S(""));
    if (!e && !ret->p)
        *ret = S("");
    return e;
}

static enum err make_parents(struct setup *s, struct fault *f)
{
    for (size_t i = 1; i < s->settings.n; i++)
        if (s->settings.p[i] == '/') {
            const char *dir = arena_cstr(&s->mem, str_sub(s->settings, 0, i));
            if (mkdir(dir, 0755) && errno != EEXIST)
                return fault_set(f, E_IO, 0, "%s: %s", dir, strerror(errno));
        }
    return OK;
}

/* Keeps the mode of a file that is there; a new one is its owner's alone, since a token may be in it,
 * but managed settings must be read by everybody. */
static enum err write_file(struct setup *s, struct str path, struct str text, mode_t mode, struct fault *f)
{
    struct stat st;
    const char *name = arena_cstr(&s->mem, path);
    if (!stat(name, &st))
        mode = st.st_mode & 07777;
    if (s->plan.token.n && !s->managed)
        mode &= (mode_t)~077;                      /* a secret goes into it */
    enum err e = file_write_atomic(&file_ops_system, name, text, f);
    if (!e && chmod(name, mode))
        return fault_set(f, E_IO, 0, "%s: %s", name, strerror(errno));
    return e;
}

static struct str undo_path(struct setup *s)
{
    return arena_fmt(&s->mem, STR_FMT ".ccmon-undo", STR_ARG(s->settings));
}

/* ---- showing and asking ------------------------------------------------------------------ */

static struct str value_in(const struct pairs *env, struct str name)
{
    for (uint32_t i = 0; i < env->n; i++)
        if (str_eq(env->at[i].name, name))
            return env->at[i].value;
    return (struct str){ 0 };
}

/* Secrets are shown cut: the terminal may be shared. */
static struct str shown(struct setup *s, struct str name, struct str value)
{
    if (!str_eq(name, S("OTEL_EXPORTER_OTLP_HEADERS")) || value.n < 24)
        return value;
    return arena_fmt(&s->mem, STR_FMT "... (%zu characters)", STR_ARG(str_sub(value, 0, 24)), value.n);
}

/* Returns how many lines there were. */
static uint32_t show_change(struct setup *s, const struct pairs *before, const struct pairs *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        struct str name = set->at[i].name, old = value_in(before, name), new = set->at[i].value;
        if (old.p && new.p && str_eq(old, new))
            continue;
        n++;
        if (old.p)
            printf("  - " STR_FMT " = " STR_FMT "\n", STR_ARG(name), STR_ARG(shown(s, name, old)));
        if (new.p)
            printf("  + " STR_FMT " = " STR_FMT "\n", STR_ARG(name), STR_ARG(shown(s, name, new)));
    }
    return n;
}

static bool agreed(const struct setup *s)
{
    char answer[16];
    if (s->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        puts("Nothing was written: say --yes, or run this in a terminal.");
        return false;
    }
    fputs("Write this? [y/N] ", stdout);
    fflush(stdout);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    puts("Nothing was written.");
    return false;
}

/* ---- write and undo ---------------------------------------------------------------------- */

static void put_optional(struct jw *w, struct str key, struct str text)
{
    jw_key(w, key);
    if (text.p)
        jw_str(w, text);
    else
        jw_null(w);
}

static enum err write_note(struct setup *s, struct str before, struct str after, const struct pairs *old, const struct pairs *set,
                           struct fault *f)
{
    CLEANUP(buf_done) struct buf b;
    struct jw w;
    buf_init(&b, 16 * SETTINGS_BYTES_MAX);
    jw_init(&w, &b);
    jw_obj(&w);
    put_optional(&w, S("before"), before);
    put_optional(&w, S("after"), after);
    jw_key(&w, S("variables"));
    jw_obj(&w);
    for (uint32_t i = 0; i < set->n; i++) {
        jw_key(&w, set->at[i].name);
        jw_arr(&w);
        if (value_in(old, set->at[i].name).p)
            jw_str(&w, value_in(old, set->at[i].name));
        else
            jw_null(&w);
        jw_str(&w, set->at[i].value);
        jw_arr_end(&w);
    }
    jw_obj_end(&w);
    jw_obj_end(&w);
    buf_byte(&b, '\n');
    return write_file(s, undo_path(s), buf_view(&b), 0600, f);
}

struct note {
    struct str before, after;                      /* p NULL: there was no file */
    struct pairs old, new;                         /* old: value p NULL, it was not set */
};

static void note_variables(struct json *j, struct arena *mem, struct note *n)
{
    uint32_t cap_old = 0, cap_new = 0;
    while (json_next(j) == J_KEY) {
        struct str name = arena_str(mem, j->s), old = { 0 };
        json_next(j);
        if (json_next(j) == J_STR)
            old = arena_str(mem, j->s);
        if (json_next(j) != J_STR)
            return;
        *arena_push(mem, n->old.at, n->old.n, cap_old) = (struct pair){ name, old };
        *arena_push(mem, n->new.at, n->new.n, cap_new) = (struct pair){ name, arena_str(mem, j->s) };
        json_next(j);
    }
}

static enum err read_note(struct setup *s, struct note *ret, struct fault *f)
{
    struct str text;
    struct json j;
    enum err e = read_file(s, undo_path(s), &text, f);
    if (e)
        return e;
    if (!text.p)
        return fault_set(f, E_NOTFOUND, 0, STR_FMT ": nothing to undo; setup --write has not written there", STR_ARG(s->settings));
    *ret = (struct note){ 0 };
    json_init(&j, text, &s->mem);
    if (json_next(&j) != J_OBJ)
        return fault_set(f, E_SYNTAX, 0, STR_FMT " is damaged", STR_ARG(undo_path(s)));
    while (json_next(&j) == J_KEY) {
        struct str key = arena_str(&s->mem, j.s);
        json_next(&j);
        if (str_eq(key, S("variables")) && j.tok == J_OBJ)
            note_variables(&j, &s->mem, ret);
        else if (j.tok == J_STR && str_eq(key, S("before")))
            ret->before = arena_str(&s->mem, j.s.p ? j.s : S(""));
        else if (j.tok == J_STR && str_eq(key, S("after")))
            ret->after = arena_str(&s->mem, j.s);
    }
    return j.tok == J_ERR ? fault_set(f, E_SYNTAX, 0, STR_FMT " is damaged", STR_ARG(undo_path(s))) : OK;
}

static int write_settings(struct setup *s, const struct pairs *set)
{
    struct fault f = { 0 };
    struct str text, fresh;
    struct pairs before;
    struct note earlier = { 0 };
    if (settings_path(s, &f))
        return fail(&f);
    follow_link(s);
    if (read_file(s, s->settings, &text, &f))
        return fail(&f);
    if (settings_env(text, &s->mem, &before, &f) || settings_edit(text, set, &s->mem, &fresh, &f)) {
        fprintf(stderr, "ccmon: " STR_FMT ": %s; mend it first, nothing was changed\n", STR_ARG(s->settings), f.msg);
        return 1;
    }
    printf(STR_FMT "%s\n", STR_ARG(s->settings), text.p ? "" : " (new)");
    if (!show_change(s, &before, set)) {
        puts("  has all of it already");
        return 0;
    }
    if (!agreed(s))
        return 1;
    /* Written twice: undo goes back to what was there before the first time. */
    if (!read_note(s, &earlier, &f) && text.p && str_eq(earlier.after, text)) {
        struct pairs first;
        if (settings_env(earlier.before, &s->mem, &first, &f))
            return fail(&f);
        before = first;
        text = earlier.before;
    }
    if (make_parents(s, &f) || write_note(s, text, fresh, &before, set, &f) ||
        write_file(s, s->settings, fresh, s->managed ? 0644 : 0600, &f))
        return fail(&f);
    printf("Written. `ccmon setup --undo%s%s` takes it back. Claude Code reads it when it is started the next time.\n",
           s->settings_given ? " --settings " : s->managed ? " --managed" : "",
           s->settings_given ? arena_cstr(&s->mem, s->settings) : "");
    return 0;
}

/* Somebody changed the file since: only what still has our value goes back. */
static enum err undo_variables(struct setup *s, struct str text, const struct note *n, struct fault *f)
{
    struct pairs now, back = { arena_new(&s->mem, struct pair, n->old.n + 1), 0 };
    struct str fresh;
    enum err e = settings_env(text, &s->mem, &now, f);
    if (e)
        return e;
    for (uint32_t i = 0; i < n->old.n; i++) {
        struct str value = value_in(&now, n->new.at[i].name);
        if (value.p && str_eq(value, n->new.at[i].value))
            back.at[back.n++] = n->old.at[i];
        else
            printf("  " STR_FMT " was changed meanwhile and stays\n", STR_ARG(n->new.at[i].name));
    }
    show_change(s, &now, &back);
    if (!agreed(s))
        return fault_set(f, E_CANCELLED, 0, "not undone");
    e = settings_edit(text, &back, &s->mem, &fresh, f);
    return e ? e : write_file(s, s->settings, fresh, 0600, f);
}

static int undo_settings(struct setup *s)
{
    struct fault f = { 0 };
    struct str text;
    struct note n;
    if (settings_path(s, &f))
        return fail(&f);
    follow_link(s);
    if (read_note(s, &n, &f) || read_file(s, s->settings, &text, &f))
        return fail(&f);
    bool ours = text.p && str_eq(text, n.after);
    enum err e = OK;
    printf(STR_FMT "\n", STR_ARG(s->settings));
    if (!text.p) {
        puts("  is gone; there is nothing to take back");
    } else if (!ours) {
        e = undo_variables(s, text, &n, &f);
    } else if (n.before.p) {
        e = write_file(s, s->settings, n.before, 0600, &f);
    } else if (unlink(arena_cstr(&s->mem, s->settings))) {
        e = fault_set(&f, E_IO, 0, STR_FMT ": %s", STR_ARG(s->settings), strerror(errno));
    }
    if (e)
        return fail(&f);
    (void)unlink(arena_cstr(&s->mem, undo_path(s)));
    puts(ours ? "Undone: every byte is as it was." : "Undone.");
    return 0;
}

/* ---- waiting for the first data ------------------------------------------------------------ */

static void say_what_came(struct setup *s, const struct remote *r, const struct remote_status *was, const struct remote_status *is)
{
    static const struct str labels[4] = { S("session_id"), S("service_version"), S("user_email") };
    struct remote_rows rows;
    struct fault f;
    printf("Received: %llu events, %llu samples, %llu spans.\n", (unsigned long long)(is->logs - was->logs),
           (unsigned long long)(is->samples - was->samples), (unsigned long long)(is->spans - was->spans));
    struct str q =
        is->logs > was->logs
            ? S("sum by (session_id, service_version, user_email) "
                "(count_over_time({service_name=~\"claude-code.*\"} | session_id != \"\" [10m]))")
            : S("sum by (session_id, service_version, user_email) ({__name__=~\"claude_code_.+\"})");
    if (remote_query(r, is->logs > was->logs ? REMOTE_LOKI : REMOTE_PROMETHEUS, q, labels, &s->mem, &rows, &f))
        return;
    for (uint32_t i = 0; i < rows.n && i < 5; i++)
        printf("  session " STR_FMT "%s" STR_FMT "%s" STR_FMT "\n", STR_ARG(rows.at[i].labels[0]),
               rows.at[i].labels[1].n ? ", Claude Code " : "", STR_ARG(rows.at[i].labels[1]), rows.at[i].labels[2].n ? ", " : "",
               STR_ARG(rows.at[i].labels[2]));
    if (is->logs == was->logs)
        puts("  No event came yet: they come every 5 s, or OTEL_LOGS_EXPORTER is not set.");
    if (is->samples == was->samples)
        puts("  No metric came yet: they come every 60 s, and when a session ends.");
}

static int wait_for_data(struct setup *s, const struct tls_client *tls)
{
    struct remote r = { .url = s->url, .tls = tls };
    struct fault f = { 0 };
    struct remote_status was, is;
    r.authorization = remote_authorization(s->user, s->plan.token, &s->mem);
    enum err e = remote_status(&r, &s->mem, &was, &f);
    if (e) {
        fprintf(stderr, e == E_IO ? "ccmon: %s: give --user NAME:PASSWORD\n" : "ccmon: no ccmon answers: %s; start it with `ccmon serve`\n",
                f.msg);
        return 1;
    }
    printf("Waiting for data at " STR_FMT " (%llu s at most). Start Claude Code now: claude -p \"say hi\"\n", STR_ARG(s->url),
           (unsigned long long)s->wait_s);
    fflush(stdout);
    for (uint64_t ms = 0; ms < s->wait_s * 1000; ms += POLL_MS) {
        struct arena scratch = s->mem;
        if (!remote_status(&r, &scratch, &is, &f) && is.logs + is.samples + is.spans > was.logs + was.samples + was.spans) {
            say_what_came(s, &r, &was, &is);
            return 0;
        }
        nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * NS_PER_MS }, NULL);
    }
    puts("Nothing came. `ccmon doctor` looks for the reason.");
    return 1;
}

static int wait_over_tls(struct setup *s)
{
    struct tls_client_config c = { .ca_file = s->plan.ca_file };
    struct tls_client *tls = NULL;
    struct fault f = { 0 };
    if (s->plan.ca_file.n && tls_client_new(&c, &tls, &f))
        return fail(&f);
    int rc = wait_for_data(s, tls);
    tls_client_free(tls);
    return rc;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int take_count(const char *name, const char *value, uint64_t max, uint64_t *ret)
{
    if (str_to_u64(str_c(value), ret) && *ret && *ret <= max)
        return 0;
    return verb_wrong(name, value);
}

static int take(void *arg, const char *name, const char *value)
{
    struct setup *s = arg;
    const struct { const char *name; struct str *at; } texts[] = {
        { "--host", &s->plan.host }, { "--token", &s->plan.token }, { "--ca", &s->plan.ca_file },
        { "--client-cert", &s->plan.client_cert }, { "--client-key", &s->plan.client_key }, { "--team", &s->plan.team },
        { "--settings", &s->settings }, { "--url", &s->url }, { "--user", &s->user },
    };
    const struct { const char *name; bool *at; } flags[] = {
        { "--tls", &s->plan.tls }, { "--traces", &s->plan.traces }, { "--tools", &s->plan.tools }, { "--prompts", &s->plan.prompts },
        { "--identity", &s->plan.identity }, { "--json", &s->json }, { "--managed", &s->managed }, { "--write", &s->write },
        { "--yes", &s->yes }, { "--undo", &s->undo },
    };
    for (size_t i = 0; i < LEN(texts); i++)
        if (!strcmp(name, texts[i].name)) {
            *texts[i].at = str_c(value);
            s->plan.tls |= texts[i].at == &s->plan.ca_file;
            return 0;
        }
    for (size_t i = 0; i < LEN(flags); i++)
        if (!strcmp(name, flags[i].name)) {
            *flags[i].at = true;
            return 0;
        }
    if (!strcmp(name, "--way"))
        return setup_way(str_c(value), &s->plan.way) ? 0 : verb_wrong("--way is http, json, grpc, both or scrape", value);
    if (!strcmp(name, "--wait"))
        return take_count("--wait wants seconds", value, WAIT_MAX_S, &s->wait_s);
    if (!strcmp(name, "--scrape-port"))
        return take_count("--scrape-port wants a port", value, 65535, &s->scrape_port);
    return serve_option(&s->o, name, value);
}

static void print_for_shell(struct setup *s, const struct pairs *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        printf("# " STR_FMT ": " STR_FMT "\n", STR_ARG(v->at[i].name), STR_ARG(setup_why(v->at[i].name)));
    fputs(arena_cstr(&s->mem, setup_shell(v, &s->mem)), stdout);
    if (isatty(STDOUT_FILENO))
        fputs("\n# For this shell: eval \"$(ccmon setup)\"   For good, in ~/.claude/settings.json: ccmon setup --write\n", stdout);
}

/* Whoever reads the settings stands in another directory. */
static struct str absolute(struct setup *s, struct str path)
{
    char real[PATH_MAX];
    return path.n && realpath(arena_cstr(&s->mem, path), real) ? arena_str(&s->mem, str_c(real)) : path;
}

/* The ports of a running server that was named with --url. */
static enum err ask_ports(struct setup *s, struct fault *f)
{
    struct remote r = { .url = s->url };
    struct remote_status is;
    r.authorization = remote_authorization(s->user, s->plan.token, &s->mem);
    enum err e = remote_status(&r, &s->mem, &is, f);
    for (uint32_t i = 0; !e && i < is.nlisteners; i++) {
        struct str port = is.listeners[i].addr;
        uint64_t n;
        while (str_index(port, ':') != SIZE_MAX)
            str_cut(&port, ':');
        if (!str_to_u64(port, &n) || n > 65535)
            continue;
        if (str_eq(is.listeners[i].name, port_names[PORT_OTLP_HTTP]))
            s->plan.http_port = (uint16_t)n;
        if (str_eq(is.listeners[i].name, port_names[PORT_OTLP_GRPC]))
            s->plan.grpc_port = (uint16_t)n;
    }
    return e;
}

/* What the server's own configuration says, where the command line said nothing. */
static void learn_from(struct setup *s, const struct config *c)
{
    struct access_part part = access_part(c, s->plan.way == WAY_GRPC ? PORT_OTLP_GRPC : PORT_OTLP_HTTP);
    if (!s->url.n)
        s->url = remote_default_url(c, &s->mem);
    if (part.tls_given && !s->plan.tls) {
        s->plan.tls = true;
        s->plan.ca_file = part.tls.cert_file;
        fputs("ccmon: the server's own certificate is named as what to trust, right if it is self-signed; if a CA of yours signed it, "
              "give that with --ca\n", stderr);
    }
    s->plan.ca_file = absolute(s, s->plan.ca_file);
    s->plan.client_cert = absolute(s, s->plan.client_cert);
    s->plan.client_key = absolute(s, s->plan.client_key);
    if (part.tokens.n && !s->plan.token.n)
        fputs("ccmon: the server asks for a token: give it with --token\n", stderr);
}

static int run(struct setup *s)
{
    struct fault f = { 0 };
    struct pairs v;
    struct config c;
    if (app_config(&s->o, &c, &f)) {
        fail(&f);
        return 2;
    }
    s->plan.http_port = (uint16_t)c.ports[PORT_OTLP_HTTP];
    s->plan.grpc_port = (uint16_t)c.ports[PORT_OTLP_GRPC];
    s->plan.scrape_port = (uint16_t)s->scrape_port;
    bool url_given = s->url.n > 0;
    learn_from(s, &c);
    config_done(&c);
    if (s->undo + s->write + (s->json && s->write) > 1)
        return verb_wrong("one of --write, --undo and --json at a time", NULL);
    if (s->undo)
        return undo_settings(s);
    if (url_given && !s->wait_s && ask_ports(s, &f))
        return fail(&f);
    if (s->plan.way != WAY_SCRAPE && !(s->plan.way == WAY_GRPC ? s->plan.grpc_port : s->plan.http_port)) {
        fputs("ccmon: the configuration lets the port be any free one: name the running server's page with --url\n", stderr);
        return 2;
    }
    if (setup_variables(&s->plan, &s->mem, &v, &f)) {
        fail(&f);
        return 2;
    }
    int rc = 0;
    if (s->write)
        rc = write_settings(s, &v);
    else if (s->json || s->managed)
        fputs(arena_cstr(&s->mem, setup_json(&v, &s->mem)), stdout);
    else if (!s->wait_s)
        print_for_shell(s, &v);
    if (s->managed && !s->write)
        fputs("Managed settings: as " SETUP_MANAGED_DIR
              "/managed-settings.d/ccmon.json on every machine; they win over what people set.\n",
              stderr);
    return !rc && s->wait_s ? wait_over_tls(s) : rc;
}

int run_setup(const struct verb *v, int argc, char **argv)
{
    static struct setup s = { .plan = { .host = S("localhost") } };
    struct verb_args on = { .take = take, .arg = &s };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    arena_init(&s.mem, MEMORY_BYTES);
    rc = run(&s);
    arena_done(&s.mem);
    return rc;
}
