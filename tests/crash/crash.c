/* The store stopped at every operation on its disk. A child writes known requests, to all
 * tables and many days, with flushes, compaction, closing and reopening of days, a month merged, retention, backups, a
 * clean stop and a session erased between, and ends at its Nth operation; the store is opened again and must hold
 * every acknowledged row exactly once, and of the other requests all rows or none; and no row of
 * the erased session, once erasing it was acknowledged as begun, however often it is sent. For every
 * N until the child gets through; disk.h has the ways in which an operation ends.
 *
 * At some stops everything is sent once more, as a client would that heard no answer, and at
 * some once more after a flush: now every row stands exactly once. A backup that looks complete
 * must be so, which is looked at there, too. Once erasing began the files are searched for the name.
 *
 *   crash WAY [FIRST [STEP [twice]]]     one way; from the FIRST operation on, every STEPth; all if not given.
 *                                        twice: the start after it is stopped at each of its operations, too
 *
 * Prints how many stops there were.
 */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/store_model.h"
#include "store/backup_int.h"
#include "store/check.h"
#include "store/store_int.h"

enum {
    STOPS_MAX = DISK_OPS_MAX - 1, STOPS_MIN = 100,
    REQ_ROWS = 3, HOUR_S = 3600,
    AGAIN = 4, DEEP = 16,                          /* at every so many stops more is looked at */
};

/* ---- the script ------------------------------------------------------------ */

enum act { WRITE, FLUSH, HOURS, TICK, KEEP_DAYS, BACKUP, REOPEN, ERASE };
enum kind { DELTA, CUMULATIVE, GAUGE, LOG, PROMPT, SPAN, MOVED };

struct step {
    enum act act;
    enum kind kind;                                /* WRITE */
    int n;                                         /* WRITE: days ago; HOURS, KEEP_DAYS: so many */
    unsigned id;                                   /* WRITE: which request; one that was written before is a resend */
};

static const struct step script[] = {
    { WRITE, DELTA, 0, 1 },      { WRITE, PROMPT, 0, 2 },   { WRITE, SPAN, 0, 3 },       { FLUSH },
    { WRITE, CUMULATIVE, 0, 4 }, { WRITE, DELTA, 0, 1 },    { WRITE, PROMPT, 20, 5 },    { FLUSH },
    { WRITE, MOVED, 0, 6 },      { WRITE, GAUGE, 20, 7 },   { FLUSH },                   { HOURS, .n = 3 },
    { TICK },                    { WRITE, PROMPT, 20, 8 },  { WRITE, CUMULATIVE, 0, 4 }, { FLUSH },
    { WRITE, LOG, 0, 13 },       { FLUSH },                 { WRITE, LOG, 0, 14 },       { FLUSH },
    { WRITE, LOG, 0, 15 },       { FLUSH },                 { WRITE, PROMPT, 0, 16 },    { FLUSH },
    { WRITE, LOG, 0, 17 },       { FLUSH },                 { WRITE, LOG, 0, 18 },       { FLUSH },
    { WRITE, PROMPT, 0, 19 },    { FLUSH },                 { HOURS, .n = 1 },           { TICK },
    { WRITE, MOVED, 0, 6 },      { HOURS, .n = 3 },         { TICK },                    { WRITE, LOG, 0, 9 },
    { BACKUP },                  { WRITE, SPAN, 20, 10 },   { FLUSH },                   { REOPEN },
    { WRITE, PROMPT, 20, 5 },    { WRITE, SPAN, 0, 3 },     { HOURS, .n = 30 * 24 },     { TICK },
    { TICK },                    { KEEP_DAYS, .n = 45 },    { TICK },                    { WRITE, GAUGE, 0, 11 },
    { FLUSH },
    { WRITE, GAUGE, 0, 11 },     { WRITE, PROMPT, 0, 20 },  { WRITE, PROMPT, 20, 21 },   { WRITE, LOG, 0, 9 },
    { FLUSH },                   { WRITE, SPAN, 20, 22 },   { ERASE },                   { WRITE, PROMPT, 20, 21 },
    { WRITE, SPAN, 20, 22 },     { WRITE, PROMPT, 0, 12 },
};
enum { IDS = 23, GONE = 20 };                      /* from GONE on: of the session that is erased */

static struct shared {
    struct disk_log log;                           /* of the child */
    bool acked[IDS];
    bool backed[IDS];                              /* acknowledged before the newest complete backup began */
    bool dropping;                                 /* retention may have begun */
    bool erasing, erased;                          /* it was asked for; and that was acknowledged */
    bool left;                                     /* it was called done, and files of the log have some of it */
} *shared;

static enum way how;
static const char *const ways[WAYS] = { "stopped", "torn", "lost", "refused", "failed" };

/* ---- requests ---------------------------------------------------------------- */

static const char gone[] = "forgotten-session";
static int64_t base_ns;                            /* when the script begins */

static void put(struct bed_row *r, enum place place, const char *name, struct value v)
{
    r->cells[r->ncells++] = (struct bed_cell){ place, str_c(name), v };
}

static void make_row(struct bed_row *r, const struct step *s, uint32_t i, struct arena *mem)
{
    static const enum temporality how_of[] = { [DELTA] = TEMPORALITY_DELTA, [CUMULATIVE] = TEMPORALITY_CUMULATIVE };
    struct value key = value_str(arena_fmt(mem, "r%u-%u", s->id, i));
    r->said_ns = base_ns - (int64_t)(s->n + (i > 0)) * NS_PER_DAY - (int64_t)(s->id + i) * NS_PER_S;
    if (s->kind == MOVED)                          /* from the future: stands at its receipt */
        r->said_ns = base_ns + (int64_t)(400 + i) * NS_PER_DAY;
    r->origin = s->kind == GAUGE ? ORIGIN_REMOTE : ORIGIN_OTLP;
    if (s->kind <= GAUGE) {
        r->temporality = s->kind == GAUGE ? TEMPORALITY_NONE : how_of[s->kind];
        r->start_ns = s->kind == GAUGE ? 0 : r->said_ns - NS_PER_S;
        r->value = s->id + 0.25;
        put(r, PLACE_LABEL, "__name__", value_str(S("cost")));
        put(r, PLACE_LABEL, "key", key);
        return;
    }
    put(r, PLACE_FIELD, s->kind == SPAN ? "name" : "body", key);
    put(r, PLACE_ATTR, "session.id", value_str(s->id >= GONE ? str_c(gone) : arena_fmt(mem, "s%u", s->id % 3)));
    if (s->kind == PROMPT)
        put(r, PLACE_ATTR, "prompt", value_str(arena_fmt(mem, "%0400u", s->id)));
    if (s->kind == SPAN) {
        put(r, PLACE_FIELD, "trace_id", value_str(arena_fmt(mem, "%032u", s->id)));
        put(r, PLACE_FIELD, "span_id", value_str(arena_fmt(mem, "%016u", i + 1)));
    }
}

/* The same each time, so that a resend has the identity of what it repeats. */
static struct bed_req make_req(const struct step *s, struct arena *mem)
{
    struct bed_req r = { .table = s->kind <= GAUGE ? TABLE_SAMPLE : s->kind == SPAN ? TABLE_SPAN : TABLE_LOG, .n = REQ_ROWS };
    r.recv_ns = base_ns + (int64_t)s->id * NS_PER_S;
    r.rows = arena_new(mem, struct bed_row, REQ_ROWS);
    for (uint32_t i = 0; i < REQ_ROWS; i++)
        make_row(&r.rows[i], s, i, mem);
    return r;
}

/* ---- the child ------------------------------------------------------------- */

static void backup_dir(const struct bed *b, char out[300])
{
    CHECK(snprintf(out, 300, "%.200s-backups", b->dir) < 300);
}

static void make_backup(struct bed *b)
{
    char to[300];
    bool before[IDS];
    struct backup_result r;
    struct fault f;
    memcpy(before, shared->acked, sizeof before);
    backup_dir(b, to);
    struct backup_opts o = { .to = to };
    if (!store_backup(b->store, &o, &r, &f))
        memcpy(shared->backed, before, sizeof before);
}

/* Is the erased session's name in a file of the log? */
static bool log_names_it(const struct bed *b)
{
    char folder[400], path[700];
    bool found = false;
    bed_path(b, "log", folder);
    DIR *d = opendir(folder);
    for (struct dirent *x; d && !found && (x = readdir(d));) {
        CLEANUP(buf_done) struct buf bytes = { 0 };
        struct fault f;
        buf_init(&bytes, (size_t)64 << 20);
        (void)snprintf(path, sizeof path, "%s/%s", folder, x->d_name);
        found = x->d_name[0] != '.' && !file_read(path, (size_t)64 << 20, &bytes, &f) &&
                str_find(buf_view(&bytes), str_c(gone)) != SIZE_MAX;
    }
    if (d)
        (void)closedir(d);
    return found;
}

static void erase(struct bed *b)
{
    struct str session = str_c(gone);
    struct erase_req r = { .sessions = &session, .nsessions = 1 };
    struct fault f;
    shared->erasing = true;
    if (store_erase_begin(b->store, &r, &f))
        return;
    shared->erased = true;
    if (!store_erase_wait(b->store, &f))           /* what failed goes on at the next start */
        shared->left = log_names_it(b);
}

/* false: there is no going on. */
static bool run_step(struct bed *b, const struct step *s)
{
    struct fault f = { 0 };
    struct arena mem = b->mem;                     /* scratch */
    struct bed_req r;
    switch (s->act) {
    case WRITE:
        r = make_req(s, &mem);
        if (!bed_put(b, &r, &f))
            shared->acked[s->id] = true;
        return true;
    case FLUSH:
        return !store_flush(b->store, &f) || how >= REFUSED;
    case HOURS:
        bed_pass(b, (int64_t)s->n * HOUR_S * NS_PER_S);
        return true;
    case TICK:
        store_tick(b->store);
        return true;
    case KEEP_DAYS:
        shared->dropping = true;
        b->cfg.retention_ns = (int64_t)s->n * NS_PER_DAY;
        store_set_retention(b->store, b->cfg.retention_ns);
        return true;
    case BACKUP:
        make_backup(b);
        return true;
    case REOPEN:
        bed_close(b);
        return !bed_open(b, &f);
    case ERASE:
        erase(b);
        return true;
    }
    return false;
}

static void run_script(struct bed *b)
{
    struct fault f = { 0 };
    bool going = !bed_open(b, &f);
    for (size_t i = 0; i < LEN(script) && going; i++) {
        bed_pass(b, 2 * NS_PER_S);                 /* past the pause after a refusal */
        going = run_step(b, &script[i]);
    }
    if (b->store)
        bed_close(b);
}

static int child(struct bed *b, unsigned stop, bool only_open, const char *trash)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        struct fault f;
        shared->log.count = 0;
        b->cfg.ops = &disk_ops;
        disk_install(how, stop, &shared->log, trash);
        if (only_open)
            (void)!bed_open(b, &f);
        else
            run_script(b);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) && WEXITSTATUS(status) != STOPPED_RC)) {
        printf("FAIL %s at %u: status %d\n", ways[how], stop, status);
        exit(1);
    }
    return WEXITSTATUS(status);
}

/* ---- what must be there ---------------------------------------------------- */

struct expected {
    bool known, old;                               /* old: retention may take it */
    struct str lines[REQ_ROWS], bare[REQ_ROWS];    /* bare: without its content, which goes first */
};
static struct expected expected[IDS];
static struct arena expected_mem;

static const struct scan_req everything[TABLE_COUNT] = {
    { .table = TABLE_SAMPLE, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true },
    { .table = TABLE_LOG, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true },
    { .table = TABLE_SPAN, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true },
};

/* The lines that each request's rows read back as, by the plain model. */
static void expect_all(void)
{
    struct bed b;
    bed_init(&b);
    base_ns = b.now_ns;
    arena_init(&expected_mem, (size_t)8 << 20);
    for (size_t i = 0; i < LEN(script); i++) {
        const struct step *s = &script[i];
        struct expected *x = &expected[s->id];
        if (s->act != WRITE || x->known)
            continue;
        struct bed_req r = make_req(s, &b.mem);
        uint32_t from = b.nkept;
        bed_model(&b, &r);
        CHECK(b.nkept == from + REQ_ROWS);
        *x = (struct expected){ .known = true, .old = s->n > 14 };
        for (uint32_t k = 0; k < REQ_ROWS; k++) {
            x->lines[k] = bed_line(&b.kept[from + k], &everything[r.table], &expected_mem);
            if (s->kind == PROMPT)
                b.kept[from + k].row.ncells--;
            x->bare[k] = bed_line(&b.kept[from + k], &everything[r.table], &expected_mem);
        }
    }
    bed_done(&b);
}

struct counts {
    unsigned at[IDS][REQ_ROWS];
    unsigned strange;                              /* rows that nobody sent */
};

static void count_line(void *arg, struct str line)
{
    struct counts *c = arg;
    for (unsigned id = 0; id < IDS; id++)
        for (unsigned k = 0; k < REQ_ROWS; k++)
            if (expected[id].known && str_eq(expected[id].lines[k], line)) {
                c->at[id][k]++;
                return;
            } else if (shared->dropping && expected[id].old && str_eq(expected[id].bare[k], line)) {
                return;                            /* its day is being dropped, content first */
            }
    printf("   a strange row: " STR_FMT "\n", STR_ARG(line));
    c->strange++;
}

static bool is_whole(const unsigned n[REQ_ROWS])
{
    for (unsigned k = 1; k < REQ_ROWS; k++)
        if (n[k] != n[0])
            return false;
    return true;
}

/* Every row at most once, requests whole, and there, if they were acknowledged or `all` must be. */
static bool stand_once(struct bed *b, const bool *acked, bool all, unsigned stop, const char *when)
{
    struct counts c = { 0 };
    bool good = true;
    for (int t = 0; t < TABLE_COUNT; t++)
        bed_each_line(b, &everything[t], count_line, &c);
    for (unsigned id = 0; id < IDS; id++) {
        if (!expected[id].known)
            continue;
        bool goes = id >= GONE && shared->erasing;
        bool may_go = expected[id].old && shared->dropping && !all;
        const unsigned *n = c.at[id];
        unsigned least = n[0], most = n[0];
        for (unsigned k = 1; k < REQ_ROWS; k++) {
            least = MIN(least, n[k]);
            most = MAX(most, n[k]);
        }
        bool missing = least == 0 && !goes && (all || (acked[id] && !may_go));
        if (most > (goes && shared->erased ? 0 : 1) || missing || (!may_go && !is_whole(n))) {
            printf("FAIL %s at %u, %s: request %u stands %u %u %u times (acknowledged: %d)\n", ways[how], stop, when, id, n[0], n[1], n[2],
                   acked[id]);
            good = false;
        }
    }
    return good && !c.strange;
}

static bool send_all(struct bed *b, unsigned stop)
{
    for (size_t i = 0; i < LEN(script); i++) {
        struct fault f = { 0 };
        struct arena mem = b->mem;
        if (script[i].act != WRITE)
            continue;
        struct bed_req r = make_req(&script[i], &mem);
        if (bed_put(b, &r, &f)) {
            printf("FAIL %s at %u: request %u is refused: %s\n", ways[how], stop, script[i].id, f.msg);
            return false;
        }
    }
    return true;
}

static bool opens(struct bed *b, unsigned stop)
{
    struct fault f = { 0 };
    enum err e = bed_open(b, &f);
    if (!e)
        e = store_erase_wait(b->store, &f);        /* what was begun is completed */
    if (e)
        printf("FAIL %s at %u: does not %s: %s\n", ways[how], stop, b->store ? "erase" : "open", f.msg);
    return !e;
}

static bool close_bed(struct bed *b)
{
    if (b->store)
        bed_close(b);
    return true;
}

/* Sent again, flushed, sent again, opened again: each time all of it stands once. */
static bool check_more(struct bed *b, unsigned stop, bool deep)
{
    struct fault f = { 0 };
    static const bool nothing[IDS];
    if (!send_all(b, stop) || !stand_once(b, nothing, true, stop, "sent again"))
        return false;
    if (!deep)
        return true;
    if (store_flush(b->store, &f)) {
        printf("FAIL %s at %u: does not flush: %s\n", ways[how], stop, f.msg);
        return false;
    }
    return send_all(b, stop) && stand_once(b, nothing, true, stop, "flushed and sent again") && close_bed(b) && opens(b, stop) &&
           stand_once(b, nothing, true, stop, "opened again");
}

static void tell(void *arg, const struct check_finding *x)
{
    (void)arg;
    if (x->kind != CHECK_NOTE)
        printf("   " STR_FMT ": " STR_FMT "\n", STR_ARG(x->file), STR_ARG(x->text));
}

/* Nothing is damaged, and no byte of any file names whom erasing was begun for. */
static bool check_files(const struct bed *b, unsigned stop)
{
    struct str session = str_c(gone);
    struct check_req r = { .dir = str_c(b->dir), .decoder = b->cfg.decoder, .texts = &session, .ntexts = shared->erased, .tell = tell };
    struct check_totals t = { 0 };
    struct fault f = { 0 };
    enum err e = store_check(&r, &t, &f);
    if (e || t.damage || t.found || shared->left)
        printf("FAIL %s at %u: the files: %s\n", ways[how], stop, shared->left ? "the log had what was erased" : f.msg);
    return !e && !t.damage && !t.found && !shared->left;
}

static bool check(struct bed *b, unsigned stop)
{
    bool good = opens(b, stop) && stand_once(b, shared->acked, false, stop, "opened");
    if (good && stop % AGAIN == 0)
        good = check_more(b, stop, stop % DEEP == 0);
    return close_bed(b) && good && (!shared->erased || check_files(b, stop));
}

/* What is called complete is, and has what was acknowledged before. */
static bool check_backup(struct bed *b, unsigned stop)
{
    char to[300], back[300], name[BACKUP_NAME_MAX];
    struct fault f = { 0 };
    struct backup_result r;
    backup_dir(b, to);
    if (stop % DEEP || backup_newest(to, name, &f))
        return true;
    CHECK(snprintf(back, sizeof back, "%.199s-back", b->dir) < 300);
    struct bed again = *b;
    again.store = NULL;
    again.cfg.ops = NULL;
    again.reports = 0;
    again.clock.arg = &again;
    (void)snprintf(again.dir, sizeof again.dir, "%.199s", back);
    if (backup_restore(to, back, false, &file_ops_system, &r, &f)) {
        printf("FAIL %s at %u: the backup %s: %s\n", ways[how], stop, name, f.msg);
        return false;
    }
    bool good = opens(&again, stop) && stand_once(&again, shared->backed, false, stop, "restored");
    (void)close_bed(&again);
    bed_remove(back);
    return good;
}

static bool run(unsigned stop, bool twice, bool *ret_through)
{
    struct bed b;
    char trash[300], to[300];
    bed_init(&b);
    b.cfg.segment_bytes = 64 << 10;
    CHECK(snprintf(trash, sizeof trash, "%.190s-trash", b.dir) < 300 && mkdir(trash, 0700) == 0);
    memset(shared, 0, sizeof *shared);
    bool ended = child(&b, stop, false, trash) != STOPPED_RC;
    *ret_through = ended && shared->log.count < stop;  /* a failure may end the script early, too */
    bed_pass(&b, 60 * NS_PER_DAY);                 /* the child's clock went on */
    if (twice)
        for (unsigned again = 1; again < STOPS_MAX && child(&b, again, true, trash) == STOPPED_RC; again++)
            ;
    bool good = check_backup(&b, stop) && check(&b, stop);
    bed_remove(trash);
    backup_dir(&b, to);
    bed_remove(to);
    bed_done(&b);
    return good;
}

/* Would the disk look otherwise than at the stop before? What is lost changes with a sync
 * alone; and a tear is a write's. */
static bool is_new(unsigned stop, const struct disk_log *all)
{
    if (stop > all->count)
        return true;
    return how == LOST ? stop == 1 || all->ops[stop - 1] == DISK_SYNC : how != TORN || all->ops[stop] == DISK_WRITE;
}

static bool number(const char *text, unsigned *ret)
{
    uint64_t n = 0;
    bool good = str_to_u64(str_c(text), &n) && n > 0 && n < STOPS_MAX;
    *ret = good ? (unsigned)n : *ret;
    return good;
}

static bool arguments(int argc, char **argv, unsigned *first, unsigned *step, bool *twice)
{
    for (how = STOPPED; how < WAYS && (argc < 2 || strcmp(argv[1], ways[how]) != 0); how++)
        ;
    *twice = argc == 5 && strcmp(argv[4], "twice") == 0;
    return how < WAYS && argc <= 5 && (argc < 3 || number(argv[2], first)) && (argc < 4 || number(argv[3], step)) && (argc < 5 || *twice);
}

int main(int argc, char **argv)
{
    unsigned first = 1, step = 1, stops = 0;
    bool through = false, good = true, twice;
    if (!arguments(argc, argv, &first, &step, &twice)) {
        (void)fputs("crash stopped|torn|lost|refused|failed [FIRST [STEP [twice]]]\n", stderr);
        return 2;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    CHECK(shared != MAP_FAILED);
    expect_all();
    static struct disk_log all;                    /* of a run that nobody stopped */
    good = run(STOPS_MAX, false, &through);
    all = shared->log;
    unsigned stop = first;
    for (through = false; stop < STOPS_MAX && !through && good; stop += step)
        if (twice || is_new(stop, &all)) {
            good = run(stop, twice, &through);
            stops++;
        }
    printf("%s%s: %u stops in %u operations\n", ways[how], twice ? " twice" : "", stops, all.count);
    good = good && through && stops >= STOPS_MIN / step;
    printf("%d passed, %d failed\n", good, !good);
    return !good;
}
