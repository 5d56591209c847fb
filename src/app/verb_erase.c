/* app/verb_erase.c -- `ccmon erase`: a session or a person out of everything.
 *
 * A directory that a server has is erased from by the server, which is asked over HTTP; one
 * that nobody has, right here. Either way what would go is shown first.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/erase.h"
#include "app/remote.h"
#include "app/verbs.h"
#include "base/json.h"

enum { MEMORY_BYTES = 64 << 20, POLL_MS = 50, RETRY_MAX = 200 };

const struct option options_erase[] = {
    { "--session", "ID", "a session's id; may be given again" },
    { "--user", "TEXT", "a person's id, address or account, as it stands in user.id, user.email, user.account_uuid or user.account_id; "
                        "may be given again" },
    { "--dry-run", NULL, "only say what would go" },
    { "--yes", NULL, "do not ask" },
    { "--data", "DIR", "the data directory; the configuration's, if not given" },
    { "--config", "FILE", "the configuration of the server" },
    { "--url", "URL", "the page of the running server; the configuration's, if not given" },
    { "--token", "TOKEN", "the bearer token that it asks for" },
    { "--user-of-page", "NAME:PASSWORD", "the user that its page asks for" },
    { "--ca", "FILE", "the CA that signed its certificate, if that is not a public one" },
    { 0 },
};

struct eraser {
    struct options o;
    struct config cfg;
    struct arena mem;
    struct str sessions[ERASE_TEXTS_MAX], users[ERASE_TEXTS_MAX];
    uint32_t nsessions, nusers;
    bool dry, yes;
    struct remote_to to;
    struct remote remote;
    struct store *store;                           /* NULL: by the server */
    struct erase_req req;                          /* by ourselves */
};

/* What both ways say of what would go, is going and is gone. */
struct told {
    struct str phase, error;
    uint64_t samples, logs, spans, partitions, sessions, set_aside;
    bool held;
};

static int add_text(struct str *at, uint32_t *n, const char *value)
{
    if (*n == ERASE_TEXTS_MAX)
        return verb_wrong("too many at once", value);
    if (!*value)
        return verb_wrong("an empty name is nobody's", NULL);
    at[(*n)++] = str_c(value);
    return 0;
}

static int take(void *arg, const char *name, const char *value)
{
    struct eraser *e = arg;
    if (remote_option(&e->to, "--user-of-page", name, value))
        return 0;
    if (!strcmp(name, "--session"))
        return add_text(e->sessions, &e->nsessions, value);
    if (!strcmp(name, "--user"))
        return add_text(e->users, &e->nusers, value);
    e->dry |= !strcmp(name, "--dry-run");
    e->yes |= !strcmp(name, "--yes");
    return value ? serve_option(&e->o, name, value) : 0;
}

static int failed(const struct fault *f)
{
    fprintf(stderr, "ccmon: erase: %s\n", f->msg);
    return 1;
}

/* ---- by the running server ------------------------------------------------------------- */

static void read_told(struct str body, struct arena *mem, struct told *ret)
{
    struct told t = { 0 };
    const struct remote_member members[] = {
        { S("phase"), .text = &t.phase },     { S("error"), .text = &t.error },       { S("samples"), .number = &t.samples },
        { S("logs"), .number = &t.logs },     { S("spans"), .number = &t.spans },     { S("partitions"), .number = &t.partitions },
        { S("sessions"), .number = &t.sessions }, { S("set_aside"), .number = &t.set_aside }, { S("held"), .truth = &t.held },
    };
    remote_members(body, mem, members, LEN(members));
    *ret = t;
}

static enum err post(struct eraser *e, bool dry, struct told *ret, struct fault *f)
{
    struct str form = dry ? S("dry_run=true") : S("dry_run=false"), said;
    int status;
    for (uint32_t i = 0; i < e->nsessions + e->nusers; i++) {
        bool session = i < e->nsessions;
        struct str text = session ? e->sessions[i] : e->users[i - e->nsessions];
        form = arena_fmt(&e->mem, STR_FMT "&%s=" STR_FMT, STR_ARG(form), session ? "session" : "user",
                         STR_ARG(remote_encode(text, &e->mem)));
    }
    enum err x = remote_post(&e->remote, S("/api/ccmon/erase"), form, &e->mem, &status, &said, f);
    if (!x && status != 200 && status != 202)
        x = fault_set(f, E_IO, 0, STR_FMT ": %d " STR_FMT, STR_ARG(e->remote.url), status, STR_ARG(str_trim(str_sub(said, 0, 150))));
    if (!x)
        read_told(said, &e->mem, ret);
    return x;
}

static void pause_ms(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    (void)nanosleep(&t, NULL);
}

/* ---- both ways ---------------------------------------------------------------------------- */

static struct told told_counts(const struct erase_counts *n)
{
    return (struct told){ .samples = n->rows[TABLE_SAMPLE], .logs = n->rows[TABLE_LOG], .spans = n->rows[TABLE_SPAN],
                          .partitions = n->partitions, .sessions = n->sessions };
}

static enum err count(struct eraser *e, struct told *ret, struct fault *f)
{
    struct erase_counts n;
    if (!e->store)
        return post(e, true, ret, f);
    enum err x = store_erase_count(e->store, &e->req, &n, f);
    if (!x)
        *ret = told_counts(&n);
    return x;
}

static enum err wait_for_server(struct eraser *e, struct told *ret, struct fault *f)
{
    bool said_held = false;
    for (int missed = 0; missed < RETRY_MAX;) {
        struct str body;
        struct arena mem = e->mem;                 /* scratch */
        enum err x = remote_get(&e->remote, S("/api/ccmon/erase"), &mem, &body, f);
        if (x && x != E_UNAVAILABLE)
            return x;
        if (!x) {
            read_told(body, &mem, ret);
            if (str_eq(ret->phase, S("done")))
                return OK;
            if (ret->error.n)
                return fault_set(f, E_IO, 0, STR_FMT "; it is recorded, and tried again", STR_ARG(ret->error));
            if (ret->held && !said_held)
                puts("waits for queries or a backup that still read old files");
            said_held |= ret->held;
        }
        missed = x ? missed + 1 : 0;
        pause_ms(POLL_MS);
    }
    return fault_set(f, E_UNAVAILABLE, 0, "the server went away; erasing is recorded and goes on at its next start");
}

static enum err erase(struct eraser *e, struct told *ret, struct fault *f)
{
    struct erase_state st;
    if (!e->store) {
        enum err x = post(e, false, ret, f);
        return x ? x : wait_for_server(e, ret, f);
    }
    enum err x = store_erase_begin(e->store, &e->req, f);
    if (!x)
        x = store_erase_wait(e->store, f);
    if (x)
        return x;
    store_erase_state(e->store, &st);
    *ret = told_counts(&st.done);
    ret->set_aside = st.dropped;
    return OK;
}

static void tell_rows(const char *what, const struct told *t)
{
    printf("%s %llu samples, %llu log records and %llu spans of %llu sessions, in %llu partitions\n", what, (unsigned long long)t->samples,
           (unsigned long long)t->logs, (unsigned long long)t->spans, (unsigned long long)t->sessions, (unsigned long long)t->partitions);
}

static void tell_done(const struct told *t)
{
    tell_rows("erased:", t);
    if (t->set_aside)
        printf("%llu files in quarantine named somebody and went as a whole\n", (unsigned long long)t->set_aside);
    puts("what is sent again is left out from now on");
    puts("not reached from here: backups (ccmon check --absent ID --also BACKUP says which), and whatever others were sent or have "
         "read:\n  receivers that data is forwarded to, servers that scrape or federate from here, what was exported or copied");
}

static bool confirmed(void)
{
    char line[16] = "";
    if (!isatty(STDIN_FILENO))
        return false;
    printf("there is no way back; yes to go on: ");
    fflush(stdout);
    return fgets(line, sizeof line, stdin) && !strcmp(line, "yes\n");
}

static int go(struct eraser *e)
{
    struct told t = { 0 };
    struct fault f = { 0 };
    if (count(e, &t, &f))
        return failed(&f);
    tell_rows(e->dry ? "would go:" : "will go:", &t);
    if (e->dry)
        return 0;
    if (!e->yes && !confirmed()) {
        fprintf(stderr, "ccmon: nothing was erased; --yes goes on without asking\n");
        return 2;
    }
    if (erase(e, &t, &f))
        return failed(&f);
    tell_done(&t);
    return 0;
}

/* ---- the verb --------------------------------------------------------------------------------- */

static void on_report(void *arg, const char *cause, const char *text)
{
    (void)arg;
    if (strcmp(cause, "erased") != 0)
        fprintf(stderr, "ccmon: %s\n", text);
}

/* E_EXIST: a server has the directory. */
static enum err open_ourselves(struct eraser *e, struct fault *f)
{
    char path[PATH_MAX];
    struct privacy *p = NULL;
    struct str *forms;
    struct store_config c = { .dir = e->cfg.data, .clock = &clock_system, .decoder = app_frame_decoder(), .report = on_report };
    (void)snprintf(path, sizeof path, STR_FMT "/ccmon.db", STR_ARG(e->cfg.data));
    if (access(path, F_OK))
        return fault_set(f, E_NOTFOUND, 0, STR_FMT " is no data directory: %s: %s", STR_ARG(e->cfg.data), path, strerror(errno));
    enum err x = store_open(&c, &e->store, f);
    if (x)
        return x;
    x = app_private(&e->cfg, e->cfg.data, &p, f);
    e->req.nsessions = app_erase_forms(p, ERASED_SESSION, e->sessions, e->nsessions, &e->mem, &forms);
    e->req.sessions = forms;
    e->req.nusers = app_erase_forms(p, ERASED_USER, e->users, e->nusers, &e->mem, &forms);
    e->req.users = forms;
    privacy_unref(p);
    return x;
}

static int run(struct eraser *e)
{
    struct fault f = { 0 };
    struct tls_client *tls = NULL;
    enum err x = e->to.url.n ? E_EXIST : open_ourselves(e, &f);
    if (x == E_EXIST)
        x = remote_open(&e->cfg, &e->to, &e->mem, &e->remote, &tls, &f);
    int rc = x ? failed(&f) : go(e);
    store_close(e->store);
    tls_client_free(tls);
    return rc;
}

int run_erase(const struct verb *v, int argc, char **argv)
{
    static struct eraser e;
    struct fault f = { 0 };
    struct verb_args on = { .take = take, .arg = &e };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    if (!e.nsessions && !e.nusers)
        return verb_wrong("erase wants --session ID or --user TEXT", NULL);
    if (app_config(&e.o, &e.cfg, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    arena_init(&e.mem, MEMORY_BYTES);
    rc = run(&e);
    arena_done(&e.mem);
    config_done(&e.cfg);
    return rc;
}
