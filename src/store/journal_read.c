/* store/journal_read.c -- the log read back after a stop or a crash.
 *
 *   segments by number ->  frame good, seq expected      -> each()
 *                          frame bad, later one proves   -> damage: set aside, go on behind it
 *                          frame bad, nothing behind it  -> torn tail: cut, write on from here
 *
 * A process that dies while a frame is applied would die at every start. A note in
 * DATA/replaying counts the attempts; from the second on it names each frame before it
 * is applied, and how often a start ended there; a frame that ended two is set aside.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zip.h"
#include "store/journal_int.h"
#include "store/limits.h"

enum { SEGMENTS_MAX = 4096, CAREFUL_FROM = 2, DEATHS_MAX = 2 };

struct replay {
    struct journal *j;
    enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f);
    void *arg;
    struct fault *f;
    char note[1200];                               /* DATA/replaying */
    unsigned attempt;
    uint64_t killer;                               /* the frame at which the last careful attempt ended; 0: none */
    unsigned deaths;                               /* how many attempts in a row ended there */
    uint64_t expected;                             /* next sequence */
    struct buf body;
};

/* One file mapped for reading. */
struct mapped {
    const char *p;
    size_t n;
    struct segment_head head;
    char path[1200];
};

static void mapped_done(struct mapped *m)
{
    if (m->p)
        munmap((void *)(uintptr_t)m->p, m->n);
}

/* ---- quarantine and the note ----------------------------------------------- */

static enum err set_aside(struct replay *r, uint64_t seq, struct str bytes, const char *why)
{
    char path[1300], text[1600];
    snprintf(path, sizeof path, "%s/quarantine", r->j->o.dir);
    enum err e = file_mkdir(path, r->f);
    if (e)
        return e;
    snprintf(path, sizeof path, "%s/quarantine/frame-%llu.bin", r->j->o.dir, (unsigned long long)seq);
    e = file_write_atomic(r->j->o.ops, path, bytes, r->f);
    if (e)
        return e;
    snprintf(text, sizeof text, "log: %s; %zu bytes from sequence %llu on are set aside in %s", why, bytes.n,
             (unsigned long long)seq, path);
    journal_report(r->j, "quarantine", text);
    return OK;
}

static void note_read(struct replay *r)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct fault f;
    snprintf(r->note, sizeof r->note, "%s/replaying", r->j->o.dir);
    r->attempt = 1;
    if (file_read(r->note, 256, &text, &f))
        return;
    struct str rest = str_trim(buf_view(&text)), attempt = str_cut(&rest, ' '), seq = str_cut(&rest, ' ');
    uint64_t n;
    if (str_to_u64(attempt, &n))
        r->attempt = (unsigned)MIN(n, (uint64_t)1000) + 1;
    if (str_to_u64(seq, &r->killer) && r->killer)
        r->deaths = str_to_u64(rest, &n) ? (unsigned)MIN(n, (uint64_t)1000) : 1;
}

/* Not synced: it must outlive this process, not the machine. */
static void note_write(const struct replay *r, uint64_t seq)
{
    CLEANUP(fd_closep) int fd = open(r->note, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char text[96];
    unsigned deaths = seq && seq == r->killer ? r->deaths + 1 : 1;
    int n = snprintf(text, sizeof text, "%u %llu %u\n", r->attempt, (unsigned long long)seq, deaths);
    if (fd >= 0 && write(fd, text, (size_t)n) != n)
        unlink(r->note);
}

/* ---- frames ---------------------------------------------------------------- */

/* The frame at `at`, if it is a good one. */
static bool frame_at(const struct mapped *m, size_t at, struct frame_head *ret, struct str *ret_body)
{
    if (at + sizeof *ret > m->n)
        return false;
    memcpy(ret, m->p + at, sizeof *ret);
    if (!ret->seq || ret->length > m->n - at - sizeof *ret || ret->raw > FRAME_BYTES_MAX || ret->durable >= ret->seq)
        return false;
    *ret_body = (struct str){ m->p + at + sizeof *ret, ret->length };
    return frame_sum(ret, *ret_body, m->head.generation) == ret->sum;
}

static bool all_zero(const struct mapped *m, size_t at, size_t n)
{
    for (size_t i = at; i < m->n && i < at + n; i++)
        if (m->p[i])
            return false;
    return true;
}

/* The next good frame after a bad one at `at`; SIZE_MAX if there is none. */
static size_t find_frame(const struct replay *r, const struct mapped *m, size_t at)
{
    struct frame_head h;
    struct str body;
    for (size_t i = at + 8; i + sizeof h <= m->n; i += 8) {
        memcpy(&h, m->p + i, sizeof h);
        if (h.seq <= r->expected || h.seq > r->expected + (UINT64_C(1) << 32))
            continue;
        if (frame_at(m, i, &h, &body))
            return i;
    }
    return SIZE_MAX;
}

static enum err apply(struct replay *r, const struct frame_head *h, struct str body)
{
    struct journal_frame fr = { h->seq, h->epoch, h->tenant, (enum frame_kind)h->kind, h->recv_ns, body };
    struct fault f = { 0 };
    if (h->flags & FRAME_ZSTD) {
        buf_done(&r->body);
        if (zip_unzstd(body, h->raw, &r->body, &f))
            return set_aside(r, h->seq, body, f.msg);
        fr.body = buf_view(&r->body);
    }
    if (r->attempt >= CAREFUL_FROM) {
        if (h->seq == r->killer && r->deaths >= DEATHS_MAX)
            return set_aside(r, h->seq, fr.body, "a request ended the last two starts");
        note_write(r, h->seq);
    }
    enum err e = r->each(r->arg, &fr, &f);
    if (e == E_SYNTAX || e == E_LIMIT || e == E_UNSUPPORTED)
        return set_aside(r, h->seq, fr.body, f.msg);
    if (e && r->f)
        *r->f = f;
    return e;
}

/* Frames of one segment from its head on. *ret_tail is where the next one may be written. */
static enum err replay_segment(struct replay *r, struct segment *s, const struct mapped *m, size_t *ret_tail)
{
    size_t at = sizeof(struct segment_head);
    for (;;) {
        struct frame_head h;
        struct str body;
        *ret_tail = at;
        if (!frame_at(m, at, &h, &body) || h.seq < r->expected) {
            size_t good = all_zero(m, at, sizeof h) ? SIZE_MAX : find_frame(r, m, at);
            if (good == SIZE_MAX)
                return OK;
            CHECK(frame_at(m, good, &h, &body));
            if (h.durable < r->expected)
                return OK;                         /* both belong to a group that was never acknowledged */
            enum err e = set_aside(r, r->expected, (struct str){ m->p + at, good - at }, "a damaged stretch");
            if (e)
                return e;
            at = good;
        }
        enum err e = apply(r, &h, body);
        if (e)
            return e;
        r->expected = h.seq + 1;
        s->last_seq = h.seq;
        s->bytes += frame_room(h.length);
        r->j->durable = h.seq;
        at += frame_room(h.length);
    }
}

/* ---- segments -------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum err list_segments(struct journal *j, uint64_t *numbers, size_t *ret_n, struct fault *f)
{
    DIR *d = opendir(j->dir);
    if (!d)
        return fault_set(f, E_IO, 0, "open %s: %s", j->dir, strerror(errno));
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d)) && n < SEGMENTS_MAX;) {
        struct str name = str_c(e->d_name);
        if (str_ends(name, S(".seg")) && str_to_u64(str_sub(name, 0, name.n - 4), &numbers[n]))
            n++;
    }
    closedir(d);
    qsort(numbers, n, sizeof *numbers, by_number);
    *ret_n = n;
    return OK;
}

/* E_NOTFOUND: no segment head in it, so nothing in it was ever acknowledged. */
static enum err map_segment(struct journal *j, uint64_t number, struct mapped *m, struct fault *f)
{
    struct stat st;
    segment_path(j, number, m->path);
    CLEANUP(fd_closep) int fd = open(m->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return fault_set(f, E_IO, 0, "open %s: %s", m->path, strerror(errno));
    if ((size_t)st.st_size < sizeof m->head)
        return E_NOTFOUND;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return fault_set(f, E_IO, 0, "map %s: %s", m->path, strerror(errno));
    m->p = p;
    m->n = (size_t)st.st_size;
    memcpy(&m->head, m->p, sizeof m->head);
    if (m->head.magic != JOURNAL_MAGIC || m->head.sum != segment_sum(&m->head))
        return E_NOTFOUND;
    if (m->head.version > JOURNAL_VERSION)
        return fault_set(f, E_UNSUPPORTED, 0, "%s is of log version %u, this ccmon knows %u", m->path, m->head.version,
                         JOURNAL_VERSION);
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

static enum err read_one(struct replay *r, uint64_t number, size_t *ret_tail)
{
    CLEANUP(mapped_done) struct mapped m = { 0 };
    struct segment s = { .number = number };
    enum err e = map_segment(r->j, number, &m, r->f);
    *ret_tail = 0;
    if (e == E_NOTFOUND) {
        if (m.p && !all_zero(&m, 0, m.n)) {
            char text[1300];
            snprintf(text, sizeof text, "log: %s has no readable head and is left out", m.path);
            journal_report(r->j, "log head", text);
        }
        append(r->j, &s);
        return OK;
    }
    if (e)
        return e;
    s.generation = m.head.generation;
    if (r->expected == 0)
        r->expected = m.head.first_seq;
    if (m.head.durable >= r->expected) {
        char text[200];
        snprintf(text, sizeof text, "log: sequences %llu to %llu were acknowledged and are not in any file",
                 (unsigned long long)r->expected, (unsigned long long)m.head.durable);
        journal_report(r->j, "log gap", text);
    }
    r->expected = MAX(r->expected, m.head.first_seq);
    e = replay_segment(r, &s, &m, ret_tail);
    append(r->j, &s);
    return e;
}

/* The newest segment is written on behind its last frame; what stood there is cut off. */
static enum err reopen_newest(struct journal *j, size_t tail, struct fault *f)
{
    char path[1200];
    struct stat st;
    if (!tail || !j->newest->generation)
        return OK;
    segment_path(j, j->newest->number, path);
    int fd = j->o.ops->open(j->o.ops->arg, path, O_RDWR, 0600);
    if (fd < 0 || fstat(fd, &st) || ftruncate(fd, (off_t)tail) || j->o.ops->allocate(j->o.ops->arg, fd, st.st_size) ||
        j->o.ops->sync(j->o.ops->arg, fd)) {
        fd_closep(&fd);
        return OK;                                 /* a new segment will do, or say why not */
    }
    (void)f;
    j->fd = fd;
    j->at = (int64_t)tail;
    j->size = st.st_size;
    return OK;
}

enum err journal_recover(struct journal *j,
                         enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f), void *arg,
                         struct fault *f)
{
    struct replay r = { .j = j, .each = each, .arg = arg, .f = f };
    uint64_t *numbers = mem_alloc(SEGMENTS_MAX * sizeof *numbers);
    size_t n = 0, tail = 0;
    note_read(&r);
    enum err e = list_segments(j, numbers, &n, f);
    if (!e && n)
        note_write(&r, 0);
    for (size_t i = 0; i < n && !e; i++)
        e = read_one(&r, numbers[i], &tail);
    if (!e && n) {
        j->next_number = numbers[n - 1] + 1;
        e = reopen_newest(j, tail, f);
    }
    j->next_seq = MAX(r.expected, UINT64_C(1));
    buf_done(&r.body);
    mem_free(numbers);
    if (!e)
        unlink(r.note);
    return e;
}
