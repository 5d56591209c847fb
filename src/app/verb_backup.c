/* app/verb_backup.c -- `ccmon backup` and `ccmon restore`.
 *
 * A backup of a directory that nobody has is made right here. One that a server has is made
 * by the server, which is asked over HTTP and proven that we may write where it is to write.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/backup.h"
#include "app/remote.h"
#include "app/verbs.h"
#include "base/json.h"
#include "base/secret.h"

enum { MEMORY_BYTES = 64 << 20, POLL_MS = 100, RETRY_MAX = 10 };

struct saver {
    struct options o;
    struct config cfg;
    struct arena mem;
    const char *place;                             /* TO, or FROM */
    struct remote_to to;
    struct tls_client *tls;
    struct remote remote;
    bool data_given, replace, verify;
};

const struct option options_backup[] = {
    { "--data", "DIR", "the data directory; the configuration's, if not given" },
    { "--config", "FILE", "the configuration of the server" },
    { "--url", "URL", "the page of the running server; the configuration's, if not given" },
    { "--token", "TOKEN", "the bearer token that it asks for" },
    { "--user", "NAME:PASSWORD", "the user that its page asks for" },
    { "--ca", "FILE", "the CA that signed its certificate, if that is not a public one" },
    { 0 },
};

const struct option options_restore[] = {
    { "--data", "DIR", "the data directory to make; the configuration's, if not given" },
    { "--config", "FILE", "the configuration of the server" },
    { "--replace", NULL, "DIR may hold something: it is moved into DIR/replaced-TIME" },
    { "--verify", NULL, "only check every file of the backup" },
    { 0 },
};

static int failed(const char *what, const struct fault *f)
{
    fprintf(stderr, "ccmon: %s: %s\n", what, f->msg);
    return 1;
}

static int take(void *arg, const char *name, const char *value)
{
    struct saver *s = arg;
    if (remote_option(&s->to, "--user", name, value))
        return 0;
    s->replace |= !strcmp(name, "--replace");
    s->verify |= !strcmp(name, "--verify");
    return value ? serve_option(&s->o, name, value) : 0;
}

static int take_place(void *arg, const char *text)
{
    struct saver *s = arg;
    if (s->place)
        return verb_wrong("one folder is enough", text);
    s->place = text;
    return 0;
}

/* ---- by the running server --------------------------------------------------------- */

struct answer {
    struct str state, error, name;
    uint64_t files, files_done, bytes, linked, copied_bytes;
};

static void read_answer(struct str body, struct arena *mem, struct answer *ret)
{
    struct answer a = { 0 };
    const struct remote_member members[] = {
        { S("state"), .text = &a.state },     { S("error"), .text = &a.error },       { S("name"), .text = &a.name },
        { S("files"), .number = &a.files },   { S("bytes"), .number = &a.bytes },     { S("linked"), .number = &a.linked },
        { S("copied_bytes"), .number = &a.copied_bytes }, { S("files_done"), .number = &a.files_done },
    };
    remote_members(body, mem, members, LEN(members));
    *ret = a;
}

static void tell(const char *to, struct str name, uint64_t files, uint64_t bytes, uint64_t linked, uint64_t copied)
{
    printf("%s/" STR_FMT "\n", to, STR_ARG(name));
    printf("%llu files, %.1f MB; %llu of them take no room of their own, %.1f MB were copied\n", (unsigned long long)files,
           (double)bytes / 1e6, (unsigned long long)linked, (double)copied / 1e6);
}

static void pause_ms(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    (void)nanosleep(&t, NULL);
}

/* Until it is done. The server may be busy: a few questions without an answer are nothing. */
static enum err wait_for(struct saver *s, struct answer *ret, struct fault *f)
{
    for (int missed = 0; missed < RETRY_MAX;) {
        struct str body;
        struct arena mem = s->mem;                 /* scratch */
        enum err e = remote_get(&s->remote, S("/api/ccmon/backup"), &mem, &body, f);
        if (e && e != E_UNAVAILABLE)
            return e;
        if (!e) {
            read_answer(body, &s->mem, ret);
            if (!str_eq(ret->state, S("running")))
                break;
        }
        missed = e ? missed + 1 : 0;
        pause_ms(POLL_MS);
    }
    if (str_eq(ret->state, S("done")))
        return OK;
    return str_eq(ret->state, S("failed")) ? fault_set(f, E_IO, 0, STR_FMT, STR_ARG(ret->error))
                                           : fault_set(f, E_UNAVAILABLE, 0, "the server went away before the backup was complete");
}

static enum err ask(struct saver *s, const char *to, struct answer *ret, struct fault *f)
{
    uint8_t random[BACKUP_PROOF_DIGITS / 2];
    char proof[BACKUP_PROOF_DIGITS + 1], path[BACKUP_PATH_MAX + 64];
    secret_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(proof + 2 * i, 3, "%02x", random[i]);
    app_backup_proof(to, (struct str){ proof, BACKUP_PROOF_DIGITS }, path);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_set(f, E_IO, 0, "create %s: %s", path, strerror(errno));
    struct str body = arena_fmt(&s->mem, "to=" STR_FMT "&proof=%s", STR_ARG(remote_encode(str_c(to), &s->mem)), proof);
    struct str said;
    int status;
    enum err e = remote_post(&s->remote, S("/api/ccmon/backup"), body, &s->mem, &status, &said, f);
    (void)unlink(path);
    if (!e && status == 409)
        return fault_set(f, E_EXIST, 0, "another backup is under way");
    if (!e && status != 202)
        return fault_set(f, E_IO, 0, STR_FMT ": %d " STR_FMT, STR_ARG(s->remote.url), status, STR_ARG(str_trim(str_sub(said, 0, 150))));
    return e ? e : wait_for(s, ret, f);
}

static int by_server(struct saver *s, const char *to)
{
    struct fault f = { 0 };
    struct answer a = { 0 };
    enum err e = remote_open(&s->cfg, &s->to, &s->mem, &s->remote, &s->tls, &f);
    if (!e)
        e = ask(s, to, &a, &f);
    tls_client_free(s->tls);
    if (e)
        return failed("backup", &f);
    tell(to, a.name, a.files, a.bytes, a.linked, a.copied_bytes);
    return 0;
}

/* ---- by ourselves --------------------------------------------------------------------- */

static void on_report(void *arg, const char *cause, const char *text)
{
    (void)arg, (void)cause;
    fprintf(stderr, "ccmon: %s\n", text);
}

/* E_EXIST: a server has the directory. */
static enum err by_ourselves(struct saver *s, const char *to, struct fault *f)
{
    struct store *store;
    struct backup_result r;
    struct store_config c = { .dir = s->cfg.data, .clock = &clock_system, .decoder = app_frame_decoder(), .report = on_report };
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, STR_FMT "/ccmon.db", STR_ARG(s->cfg.data));
    if (access(path, F_OK))
        return fault_set(f, E_NOTFOUND, 0, STR_FMT " is no data directory: %s: %s", STR_ARG(s->cfg.data), path, strerror(errno));
    enum err e = store_open(&c, &store, f);
    if (e)
        return e;
    struct backup_opts o = { .to = to, .also = app_backup_also };
    e = store_backup(store, &o, &r, f);
    store_close(store);
    if (e)
        return e == E_EXIST ? E_IO : e;
    tell(to, str_c(r.name), r.files, r.bytes, r.linked, r.copied_bytes);
    return OK;
}

/* ---- the verbs --------------------------------------------------------------------------- */

static int begin(struct saver *s, const struct verb *v, int argc, char **argv, const char *want)
{
    struct fault f = { 0 };
    struct verb_args on = { .take = take, .rest = take_place, .arg = s };
    int rc = verb_parse(v, argc, argv, &on);
    if (rc)
        return rc;
    if (!s->place)
        return verb_wrong(want, NULL);
    if (app_config(&s->o, &s->cfg, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    arena_init(&s->mem, MEMORY_BYTES);
    return 0;
}

static void end(struct saver *s)
{
    arena_done(&s->mem);
    config_done(&s->cfg);
}

int run_backup(const struct verb *v, int argc, char **argv)
{
    static struct saver s;
    char to[PATH_MAX];
    struct fault f = { 0 };
    int rc = begin(&s, v, argc, argv, "backup wants a folder TO");
    if (rc)
        return rc;
    if (file_mkdir(s.place, &f) || !realpath(s.place, to)) {
        rc = f.code ? failed("backup", &f) : verb_wrong("no such folder", s.place);
        end(&s);
        return rc;
    }
    enum err e = s.to.url.n ? E_EXIST : by_ourselves(&s, to, &f);
    rc = e == E_EXIST ? by_server(&s, to) : e ? failed("backup", &f) : 0;
    end(&s);
    return rc;
}

int run_restore(const struct verb *v, int argc, char **argv)
{
    static struct saver s;
    struct fault f = { 0 };
    struct backup_result r;
    int rc = begin(&s, v, argc, argv, "restore wants FROM, a folder of backups or one of them");
    if (rc)
        return rc;
    const char *dir = arena_cstr(&s.mem, s.cfg.data);
    enum err e = s.verify ? backup_verify(s.place, &r, &f) : backup_restore(s.place, dir, s.replace, &file_ops_system, &r, &f);
    if (e)
        rc = failed("restore", &f);
    else
        printf("%s %s%s: %llu files, %.1f MB\n", r.name, s.verify ? "is complete and undamaged" : "is now in ", s.verify ? "" : dir,
               (unsigned long long)r.files, (double)r.bytes / 1e6);
    end(&s);
    return rc;
}
