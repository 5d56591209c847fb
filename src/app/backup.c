/* app/backup.c -- see backup.h. */
#include "app/backup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/app.h"
#include "base/jw.h"

enum state { NONE, RUNNING, DONE, FAILED };
enum { ANSWER_BYTES = 64 << 10 };

struct backup_job {
    struct store *store;
    pthread_mutex_t lock;                          /* of everything but the three below */
    enum state state;
    bool joinable;
    pthread_t thread;
    char to[BACKUP_PATH_MAX];
    int64_t start_ns, end_ns;
    struct backup_result result;
    struct fault fault;
    bool cancel;
    _Atomic uint64_t files_done, files_all;
};

const char *const app_backup_also[] = { "privacy.key", "audit.log", "audit.log.1", NULL };

struct backup_job *app_backup_new(struct store *s)
{
    struct backup_job *j = mem_alloc(sizeof *j);
    j->store = s;
    pthread_mutex_init(&j->lock, NULL);
    return j;
}

void app_backup_free(struct backup_job *j)
{
    if (!j)
        return;
    __atomic_store_n(&j->cancel, true, __ATOMIC_RELAXED);
    if (j->joinable)
        pthread_join(j->thread, NULL);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
}

void app_backup_proof(const char *to, struct str proof, char out[BACKUP_PATH_MAX + 64])
{
    (void)snprintf(out, BACKUP_PATH_MAX + 64, "%.*s/.ccmon-" STR_FMT, BACKUP_PATH_MAX - 1, to, STR_ARG(proof));
}

/* ---- the job ------------------------------------------------------------------ */

static void *run(void *arg)
{
    struct backup_job *j = arg;
    struct fault f = { 0 };
    struct backup_result r = { 0 };
    struct backup_opts o = { j->to, app_backup_also, &j->cancel, &j->files_done, &j->files_all };
    enum err e = store_backup(j->store, &o, &r, &f);
    if (e)
        log_line(LOG_ERROR, "backup into %s failed: %s", j->to, f.msg);
    else
        log_line(LOG_INFO, "backup %s/%s is complete: %llu files, %llu MB, %llu of them new", j->to, r.name,
                 (unsigned long long)r.files, (unsigned long long)(r.bytes >> 20), (unsigned long long)(r.copied_bytes >> 20));
    pthread_mutex_lock(&j->lock);
    j->state = e ? FAILED : DONE;
    j->end_ns = clock_now(&clock_system);
    j->result = r;
    j->fault = f;
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* false: one runs already. */
static bool begin(struct backup_job *j, struct str to)
{
    pthread_mutex_lock(&j->lock);
    bool idle = j->state != RUNNING;
    if (idle) {
        if (j->joinable)
            pthread_join(j->thread, NULL);         /* it has ended, or is at its last line */
        (void)snprintf(j->to, sizeof j->to, STR_FMT, STR_ARG(to));
        j->state = RUNNING;
        j->start_ns = clock_now(&clock_system);
        atomic_store(&j->files_done, 0);
        atomic_store(&j->files_all, 0);
        j->joinable = !pthread_create(&j->thread, NULL, run, j);
        if (!j->joinable) {
            j->state = FAILED;
            (void)fault_set(&j->fault, E_IO, 0, "no thread could be started");
        }
    }
    pthread_mutex_unlock(&j->lock);
    return idle;
}

/* ---- over HTTP ----------------------------------------------------------------- */

static void put_job(struct backup_job *j, struct jw *w)
{
    static const struct str names[] = { [NONE] = S("none"), [RUNNING] = S("running"), [DONE] = S("done"), [FAILED] = S("failed") };
    pthread_mutex_lock(&j->lock);
    jw_obj(w);
    jw_kv_str(w, S("state"), names[j->state]);
    jw_kv_str(w, S("to"), str_c(j->to));
    jw_kv_u64(w, S("files_done"), atomic_load(&j->files_done));
    jw_kv_u64(w, S("partitions"), atomic_load(&j->files_all));
    if (j->state == FAILED)
        jw_kv_str(w, S("error"), str_c(j->fault.msg));
    if (j->state == DONE) {
        jw_kv_str(w, S("name"), str_c(j->result.name));
        jw_kv_u64(w, S("files"), j->result.files);
        jw_kv_u64(w, S("bytes"), j->result.bytes);
        jw_kv_u64(w, S("linked"), j->result.linked);
        jw_kv_u64(w, S("copied_bytes"), j->result.copied_bytes);
        jw_kv_u64(w, S("seq"), j->result.seq);
    }
    jw_obj_end(w);
    pthread_mutex_unlock(&j->lock);
}

static void answer(struct http_req *r, int status)
{
    struct app *a = r->arg;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, ANSWER_BYTES);
    struct jw w;
    jw_init(&w, &out);
    put_job(a->backup, &w);
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_buf(r, status, S("application/json"), &out);
}

static bool is_proof(struct str s)
{
    if (s.n != BACKUP_PROOF_DIGITS)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return true;
}

static bool has_proof(struct http_req *r, struct str to, struct str proof)
{
    char path[BACKUP_PATH_MAX + 64];
    struct stat st;
    app_backup_proof(arena_cstr(r->mem, to), proof, path);
    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void handle_begin(struct http_req *r)
{
    struct app *a = r->arg;
    struct str to = { 0 }, proof = { 0 };
    if (!http_param(r, S("to"), &to) || !http_param(r, S("proof"), &proof) || !str_starts(to, S("/")) || !is_proof(proof) ||
        to.n >= BACKUP_PATH_MAX - 200 || str_index(to, '\0') != SIZE_MAX) {
        http_reply_error(r, 400, "to=/FOLDER and proof=32 hexadecimal digits are wanted; `ccmon backup` asks in the right way");
        return;
    }
    if (!has_proof(r, to, proof)) {
        http_reply_error(r, 403, STR_FMT "/.ccmon-" STR_FMT " cannot be seen by the server: backups are asked for on its own machine, "
                         "by somebody who may write there", STR_ARG(to), STR_ARG(proof));
        return;
    }
    log_line(LOG_INFO, "backup into " STR_FMT ", asked for by " STR_FMT "%s" STR_FMT, STR_ARG(to), STR_ARG(r->peer), r->user.n ? " " : "",
             STR_ARG(r->user));
    answer(r, begin(a->backup, to) ? 202 : 409);
}

static void handle_state(struct http_req *r)
{
    answer(r, 200);
}

const struct http_route routes_backup[] = {
    { HTTP_POST, "/api/ccmon/backup", handle_begin, ROUTE_POOL, "begins a backup into a folder of this machine; `ccmon backup` calls it" },
    { HTTP_GET, "/api/ccmon/backup", handle_state, ROUTE_POOL, "how far the backup is, or how the last one went" },
    { 0 },
};
