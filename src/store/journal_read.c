/* store/journal_read.c -- the log read back after a stop or a crash.
 *
 *   segments by number ->  frame good                    -> each()
 *                          frame bad, good ones behind   -> set aside, go on behind it
 *                          frame bad, nothing behind it  -> torn tail: set aside, write on from here
 *                          beyond what the next segment
 *                          says was acknowledged         -> of a group that failed: left alone
 *
 * Good frames behind a bad one are replayed whether or not they were acknowledged: one
 * that was not comes again from its sender, and counts once. A group whose write or sync
 * failed is another matter: the process went on without it, so replay does too, or a row
 * that nobody was told of could win over one of the same identity that somebody was.
 *
 * A file is read, not mapped: a bad sector is then damage like any other, and no signal.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zip.h"
#include "store/journal_int.h"
#include "store/limits.h"

/* Three: somebody who kills the process twice at its start must not cost an acknowledged row. */
enum { DEATHS_MAX = 3, READ_STEP = 1 << 20, READ_PAGE = 4096 };
#define SEQUENCE_JUMP_MAX (UINT64_C(1) << 32)

struct replay {
    struct journal *j;
    enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f);
    void *arg;
    struct fault *f;
    struct aside_note note;
    uint64_t expected;                             /* next sequence; 0: no segment was read yet */
    struct buf body;
};

/* One file in memory. */
struct loaded {
    char *p;
    size_t n;                                      /* of the file */
    size_t data;                                   /* behind it there are only zeros */
    struct segment_head head;
};

static void loaded_done(struct loaded *m)
{
    mem_pages_free(m->p, m->n);
}

/* ---- files ----------------------------------------------------------------- */

/* What the disk cannot give is zeros, and so a bad frame. */
static void read_range(int fd, char *p, size_t from, size_t to)
{
    for (size_t at = from, step = READ_STEP; at < to;) {
        ssize_t n = pread(fd, p + at, MIN(step, to - at), (off_t)at);
        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else if (n < 0 && step > READ_PAGE)
            step = READ_PAGE;
        else
            at += READ_PAGE - at % READ_PAGE;
    }
}

/* Most of a segment was never written; the system mostly knows where. */
static void read_data(int fd, struct loaded *m)
{
#if defined(SEEK_DATA) && defined(SEEK_HOLE)
    off_t from = 0, to = 0;
    while ((from = lseek(fd, to, SEEK_DATA)) >= 0 && (to = lseek(fd, from, SEEK_HOLE)) > from)
        read_range(fd, m->p, (size_t)from, MIN((size_t)to, m->n));
    if (from >= 0 || errno != ENXIO)               /* ENXIO: no data behind `to` */
        read_range(fd, m->p, 0, m->n);
#else
    read_range(fd, m->p, 0, m->n);
#endif
    for (m->data = m->n; m->data && !m->p[m->data - 1];)
        m->data--;
}

static bool head_good(const struct segment_head *h)
{
    return h->magic == JOURNAL_MAGIC && h->sum == segment_sum(h);
}

/* Either copy. E_NOTFOUND: none can be read. A newer version may have its checksum
 * elsewhere; two copies that agree on it are believed. */
static enum err find_head(const char both[SEGMENT_FRAMES], const char *path, struct segment_head *ret, struct fault *f)
{
    struct segment_head a, b;
    memcpy(&a, both, sizeof a);
    memcpy(&b, both + SEGMENT_COPY, sizeof b);
    *ret = head_good(&a) ? a : b;
    bool newer = a.magic == JOURNAL_MAGIC && b.magic == JOURNAL_MAGIC && a.version == b.version && a.version > JOURNAL_VERSION;
    if (newer || (head_good(ret) && ret->version > JOURNAL_VERSION))
        return fault_set(f, E_UNSUPPORTED, 0, "%s is of log version %u, this ccmon knows %u", path, newer ? a.version : ret->version,
                         JOURNAL_VERSION);
    return head_good(ret) ? OK : E_NOTFOUND;
}

static enum err open_segment(const struct journal *j, uint64_t number, int *ret_fd, size_t *ret_n, struct fault *f)
{
    struct stat st;
    char path[1200];
    segment_path(j, number, path);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return fault_set(f, E_IO, 0, "open %s: %s", path, strerror(errno));
    *ret_n = (size_t)st.st_size;
    *ret_fd = fd;
    fd = -1;
    return OK;
}

/* E_NOTFOUND: it has no readable head. */
static enum err load_segment(const struct journal *j, uint64_t number, struct loaded *m, struct fault *f)
{
    char path[1200];
    CLEANUP(fd_closep) int fd = -1;
    enum err e = open_segment(j, number, &fd, &m->n, f);
    if (e)
        return e;
    if (m->n < SEGMENT_FRAMES)
        return E_NOTFOUND;
    m->p = mem_pages(m->n);
    read_data(fd, m);
    segment_path(j, number, path);
    return find_head(m->p, path, &m->head, f);
}

/* What was acknowledged when the first readable one of these segments began: their
 * predecessor holds nothing later that counts. */
static uint64_t durable_before(const struct journal *j, const uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(fd_closep) int fd = -1;
        char both[SEGMENT_FRAMES];
        struct segment_head h;
        size_t size;
        if (!open_segment(j, numbers[i], &fd, &size, NULL) && pread(fd, both, sizeof both, 0) == sizeof both &&
            !find_head(both, "", &h, NULL))
            return h.durable;
    }
    return UINT64_MAX;
}

/* ---- frames ---------------------------------------------------------------- */

/* The frame at `at`, if it is a good one. */
static bool frame_at(const struct loaded *m, size_t at, struct frame_head *ret, struct str *ret_body)
{
    if (at + sizeof *ret > m->n)
        return false;
    memcpy(ret, m->p + at, sizeof *ret);
    if (!ret->seq || ret->length > m->n - at - sizeof *ret || ret->raw > FRAME_BYTES_MAX || ret->durable >= ret->seq)
        return false;
    *ret_body = (struct str){ m->p + at + sizeof *ret, ret->length };
    return frame_head_good(ret, m->head.generation) && frame_body_good(ret, *ret_body, m->head.generation);
}

/* Is it one of those that may come now? Whole groups may be missing, not half of all numbers. */
static bool may_follow(const struct replay *r, const struct frame_head *h)
{
    return h->seq >= r->expected && h->seq - r->expected <= SEQUENCE_JUMP_MAX;
}

/* The next good frame after a bad one at `at`; SIZE_MAX if there is none. */
static size_t find_frame(const struct replay *r, const struct loaded *m, size_t at)
{
    struct frame_head h;
    struct str body;
    for (size_t i = at + 8; i < m->data; i += 8)
        if (frame_at(m, i, &h, &body) && may_follow(r, &h))
            return i;
    return SIZE_MAX;
}

static enum err apply(struct replay *r, const struct frame_head *h, struct str body)
{
    struct journal_frame fr = { h->seq, h->epoch, h->tenant, (enum frame_kind)h->kind, h->recv_ns, body };
    struct fault f = { 0 };
    if (h->seq <= r->j->o.applied)
        return OK;
    if (h->flags & FRAME_ZSTD) {
        buf_done(&r->body);
        if (zip_unzstd(body, h->raw, &r->body, &f))
            return aside_put(r->j, ASIDE_FRAME, h->seq, body, f.msg, r->f);
        fr.body = buf_view(&r->body);
    }
    if (h->seq == r->note.killer && r->note.deaths >= DEATHS_MAX)
        return aside_put(r->j, ASIDE_POISON, h->seq, fr.body, "a request ended the last three starts", r->f);
    if (aside_has(r->j, ASIDE_POISON, h->seq, fr.body))
        return OK;
    note_frame(&r->note, h->seq);
    enum err e = r->each(r->arg, &fr, &f);
    if (e == E_SYNTAX || e == E_LIMIT || e == E_UNSUPPORTED)
        return aside_put(r->j, ASIDE_FRAME, h->seq, fr.body, f.msg, r->f);
    if (e && r->f)
        *r->f = f;
    return e;
}

/* What stands between the last good frame and the next one, or the end of the data. On a
 * full disk it is only reported: it is of no use to anybody who wants to start. */
static enum err stretch_aside(struct replay *r, const struct loaded *m, size_t at, size_t next)
{
    size_t end = next == SIZE_MAX ? m->data : next;
    if (end <= at)
        return OK;
    struct fault f = { 0 };
    enum err e = aside_put(r->j, ASIDE_STRETCH, r->expected, (struct str){ m->p + at, end - at },
                           next == SIZE_MAX ? "an unfinished write at the end" : "a stretch that cannot be read", &f);
    if (e == E_UNAVAILABLE)
        journal_report(r->j, "quarantine", f.msg);
    else if (e && r->f)
        *r->f = f;
    return e == E_UNAVAILABLE ? OK : e;
}

/* Frames of one segment from its head on, up to the sequence `last`. *ret_tail is where
 * the next one may be written. */
static enum err replay_segment(struct replay *r, struct segment *s, const struct loaded *m, uint64_t last, size_t *ret_tail)
{
    size_t at = SEGMENT_FRAMES;
    while (r->expected <= last) {
        struct frame_head h;
        struct str body;
        *ret_tail = at;
        if (!frame_at(m, at, &h, &body) || !may_follow(r, &h)) {
            size_t next = find_frame(r, m, at);
            enum err e = stretch_aside(r, m, at, next);
            if (e || next == SIZE_MAX)
                return e;
            CHECK(frame_at(m, next, &h, &body));
            at = next;
        }
        if (h.seq > last)
            break;
        enum err e = apply(r, &h, body);
        if (e)
            return e;
        r->expected = h.seq + 1;
        s->last_seq = h.seq;
        s->bytes += frame_room(h.length);
        r->j->durable = h.seq;
        at += frame_room(h.length);
        s->end = at;
    }
    return OK;
}

/* ---- segments -------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct numbers {
    uint64_t *at;
    size_t n, cap;
};

static enum err list_segments(const struct journal *j, struct numbers *ret, struct fault *f)
{
    DIR *d = opendir(j->dir);
    if (!d)
        return fault_set(f, E_IO, 0, "open %s: %s", j->dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        struct str name = str_c(e->d_name);
        uint64_t number;
        if (!str_ends(name, S(".seg")) || !str_to_u64(str_sub(name, 0, name.n - 4), &number))
            continue;
        if (ret->n == ret->cap) {
            ret->cap = ret->cap ? ret->cap * 2 : 16;
            ret->at = mem_resize(ret->at, ret->cap * sizeof *ret->at);
        }
        ret->at[ret->n++] = number;
    }
    closedir(d);
    if (ret->n)
        qsort(ret->at, ret->n, sizeof *ret->at, by_number);
    return OK;
}

static void append(struct journal *j, const struct segment *s)
{
    struct segment *kept = mem_alloc(sizeof *kept);
    *kept = *s;
    if (j->newest)
        j->newest->next = kept;
    else
        j->oldest = kept;
    j->newest = kept;
}

static void report_gap(const struct replay *r, uint64_t durable)
{
    char text[200];
    if (durable < r->expected || durable <= r->j->o.applied)
        return;
    snprintf(text, sizeof text, "log: sequences %llu to %llu were acknowledged and are not in any file",
             (unsigned long long)r->expected, (unsigned long long)durable);
    journal_report(r->j, "log gap", text);
}

static enum err read_one(struct replay *r, uint64_t number, uint64_t last, size_t *ret_tail)
{
    CLEANUP(loaded_done) struct loaded m = { 0 };
    struct segment s = { .number = number };
    enum err e = load_segment(r->j, number, &m, r->f);
    *ret_tail = 0;
    if (e == E_NOTFOUND && m.data)                 /* its frames cannot be told from noise */
        return aside_segment(r->j, number, r->f);
    if (e == E_NOTFOUND) {                         /* made and never written: the next cut takes it */
        append(r->j, &s);
        return OK;
    }
    if (e)
        return e;
    s.generation = m.head.generation;
    if (r->expected)
        report_gap(r, m.head.durable);
    r->expected = MAX(r->expected, m.head.first_seq);
    r->j->durable = MAX(r->j->durable, m.head.durable);
    e = replay_segment(r, &s, &m, last, ret_tail);
    append(r->j, &s);
    return e;
}

/* The newest segment is written on behind its last frame; what stood there is cut off. If
 * that cannot be done a new segment will do, or say why not. */
static void reopen_newest(struct journal *j, size_t tail)
{
    char path[1200];
    struct stat st;
    if (!tail || !j->newest || !j->newest->generation)
        return;
    segment_path(j, j->newest->number, path);
    int fd = j->o.ops->open(j->o.ops->arg, path, O_RDWR, 0600);
    if (fd < 0 || fstat(fd, &st) || ftruncate(fd, (off_t)tail) || j->o.ops->allocate(j->o.ops->arg, fd, st.st_size) ||
        j->o.ops->sync(j->o.ops->arg, fd)) {
        fd_closep(&fd);
        return;
    }
    j->fd = fd;
    j->at = (int64_t)tail;
    j->size = st.st_size;
}

enum err journal_recover(struct journal *j,
                         enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f), void *arg,
                         struct fault *f)
{
    struct replay r = { .j = j, .each = each, .arg = arg, .f = f };
    struct numbers all = { 0 };
    size_t tail = 0;
    enum err e = list_segments(j, &all, f);
    note_open(j, &r.note);
    for (size_t i = 0; i < all.n && !e; i++)
        e = read_one(&r, all.at[i], durable_before(j, all.at + i + 1, all.n - i - 1), &tail);
    note_frame(&r.note, 0);                        /* an end from here on is no frame's doing */
    if (!e && all.n) {
        j->next_number = all.at[all.n - 1] + 1;
        reopen_newest(j, tail);
    }
    note_close(&r.note, !e);
    j->next_seq = MAX(r.expected, UINT64_C(1));
    buf_done(&r.body);
    mem_free(all.at);
    return e;
}
