/* store/journal_read.c -- the log read back after a stop or a crash.
 *
 *   segments by number ->  frame good                    -> each()
 *                          frame bad, good ones behind   -> set aside, go on behind it
 *                          frame bad, nothing behind it  -> torn tail: set aside, write on from here
 *
 * Good frames behind a bad one are replayed whether or not they were acknowledged: one
 * that was not comes again from its sender, and counts once.
 *
 * A process that dies while a frame is applied would die at every start. A note in
 * DATA/replaying names each frame before it is applied, and how many starts ended there;
 * a frame that ended two is set aside.
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

enum { SEGMENTS_MAX = 4096, DEATHS_MAX = 2 };

struct replay {
    struct journal *j;
    enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f);
    void *arg;
    struct fault *f;
    char note[1200];                               /* DATA/replaying */
    int note_fd;
    uint64_t killer;                               /* the frame at which the last start ended; 0: none */
    unsigned deaths;                               /* how many starts in a row ended there */
    uint64_t expected;                             /* next sequence */
    struct buf body;
};

/* One file mapped for reading. */
struct mapped {
    const char *p;
    size_t n;                                      /* of the file */
    size_t data;                                   /* behind it there are only zeros */
    struct segment_head head;
    char path[1200];
};

static void mapped_done(struct mapped *m)
{
    if (m->p)
        munmap((void *)(uintptr_t)m->p, m->n);
}

/* ---- quarantine and the note ----------------------------------------------- */

static void aside_path(const struct replay *r, const char *kind, uint64_t seq, char out[1300])
{
    snprintf(out, 1300, "%s/quarantine/%s-%llu.bin", r->j->o.dir, kind, (unsigned long long)seq);
}

/* Was this very frame set aside before? Until the log is cut it is met at every start. */
static bool is_aside(const struct replay *r, const char *kind, uint64_t seq, struct str bytes)
{
    CLEANUP(buf_done) struct buf have = { 0 };
    char path[1300];
    struct fault f;
    aside_path(r, kind, seq, path);
    return !file_read(path, FRAME_BYTES_MAX, &have, &f) && str_eq(buf_view(&have), bytes);
}

static enum err set_aside(struct replay *r, const char *kind, uint64_t seq, struct str bytes, const char *why)
{
    char path[1300], text[1600];
    if (is_aside(r, kind, seq, bytes))
        return OK;
    snprintf(path, sizeof path, "%s/quarantine", r->j->o.dir);
    enum err e = file_mkdir(path, r->f);
    if (e)
        return e;
    aside_path(r, kind, seq, path);
    e = file_write_atomic(r->j->o.ops, path, bytes, r->f);
    if (e)
        return e;
    snprintf(text, sizeof text, "log: %s; %zu bytes from sequence %llu on are set aside in %s", why, bytes.n,
             (unsigned long long)seq, path);
    journal_report(r->j, "quarantine", text);
    return OK;
}

static void note_open(struct replay *r)
{
    char text[64] = { 0 };
    uint64_t n;
    snprintf(r->note, sizeof r->note, "%s/replaying", r->j->o.dir);
    r->note_fd = open(r->note, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ssize_t got = r->note_fd < 0 ? 0 : pread(r->note_fd, text, sizeof text - 1, 0);
    struct str rest = str_trim((struct str){ text, got > 0 ? (size_t)got : 0 }), seq = str_cut(&rest, ' ');
    if (str_to_u64(seq, &r->killer) && r->killer)
        r->deaths = str_to_u64(rest, &n) ? (unsigned)MIN(n, (uint64_t)1000) : 1;
}

/* Not synced: it must outlive this process, not the machine. */
static void note_write(const struct replay *r, uint64_t seq)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%020llu %010u\n", (unsigned long long)seq, seq == r->killer ? r->deaths + 1 : 1);
    if (r->note_fd >= 0 && pwrite(r->note_fd, text, (size_t)n, 0) != n)
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

/* Where the file's last byte that is not zero may be, without reading what was never
 * written (most of a segment), where the system can tell. */
static size_t data_end(int fd, const char *p, size_t n)
{
    size_t end = n;
#if defined(SEEK_DATA) && defined(SEEK_HOLE)
    off_t at = 0, hole = 0;
    while ((at = lseek(fd, hole, SEEK_DATA)) >= 0 && (hole = lseek(fd, at, SEEK_HOLE)) > at && (size_t)hole < n)
        end = (size_t)hole;
    if (at >= 0)
        end = n;
#endif
    while (end && !p[end - 1])
        end--;
    return end;
}

/* The next good frame after a bad one at `at`; SIZE_MAX if there is none. */
static size_t find_frame(const struct replay *r, const struct mapped *m, size_t at)
{
    struct frame_head h;
    struct str body;
    for (size_t i = at + 8; i + sizeof h <= m->n && i < m->data; i += 8) {
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
            return set_aside(r, "frame", h->seq, body, f.msg);
        fr.body = buf_view(&r->body);
    }
    if (h->seq == r->killer && r->deaths >= DEATHS_MAX)
        return set_aside(r, "poison", h->seq, fr.body, "a request ended the last two starts");
    if (is_aside(r, "poison", h->seq, fr.body))
        return OK;
    note_write(r, h->seq);
    enum err e = r->each(r->arg, &fr, &f);
    if (e == E_SYNTAX || e == E_LIMIT || e == E_UNSUPPORTED)
        return set_aside(r, "frame", h->seq, fr.body, f.msg);
    if (e && r->f)
        *r->f = f;
    return e;
}

/* What stands between the last good frame and the next one, or the end of the data. */
static enum err set_stretch_aside(struct replay *r, const struct mapped *m, size_t at, size_t next)
{
    size_t end = next == SIZE_MAX ? m->data : next;
    if (end <= at)
        return OK;
    return set_aside(r, "stretch", r->expected, (struct str){ m->p + at, end - at },
                     next == SIZE_MAX ? "an unfinished write at the end" : "a stretch that cannot be read");
}

/* Frames of one segment from its head on. *ret_tail is where the next one may be written. */
static enum err replay_segment(struct replay *r, struct segment *s, const struct mapped *m, size_t *ret_tail)
{
    size_t at = SEGMENT_FRAMES;
    for (;;) {
        struct frame_head h;
        struct str body;
        *ret_tail = at;
        if (!frame_at(m, at, &h, &body) || h.seq < r->expected) {
            size_t next = find_frame(r, m, at);
            enum err e = set_stretch_aside(r, m, at, next);
            if (e || next == SIZE_MAX)
                return e;
            CHECK(frame_at(m, next, &h, &body));
            at = next;
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

static bool head_at(struct mapped *m, size_t at)
{
    memcpy(&m->head, m->p + at, sizeof m->head);
    return m->head.magic == JOURNAL_MAGIC && m->head.sum == segment_sum(&m->head);
}

/* E_NOTFOUND: no segment head in it, so nothing in it was ever acknowledged. */
static enum err map_segment(struct journal *j, uint64_t number, struct mapped *m, struct fault *f)
{
    struct stat st;
    segment_path(j, number, m->path);
    CLEANUP(fd_closep) int fd = open(m->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        return fault_set(f, E_IO, 0, "open %s: %s", m->path, strerror(errno));
    if ((size_t)st.st_size < SEGMENT_FRAMES)
        return E_NOTFOUND;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return fault_set(f, E_IO, 0, "map %s: %s", m->path, strerror(errno));
    m->p = p;
    m->n = (size_t)st.st_size;
    m->data = data_end(fd, m->p, m->n);
    if (!head_at(m, 0) && !head_at(m, SEGMENT_COPY))
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

/* A file without a readable head: its frames cannot be told from noise. */
static enum err move_aside(struct journal *j, uint64_t number, struct fault *f)
{
    char from[1200], dir[1100], to[1200], text[2600];
    segment_path(j, number, from);
    snprintf(dir, sizeof dir, "%s/quarantine", j->o.dir);
    snprintf(to, sizeof to, "%s/%08llu.seg", dir, (unsigned long long)number);
    enum err e = file_mkdir(dir, f);
    if (e)
        return e;
    if (j->o.ops->rename(j->o.ops->arg, from, to))
        return fault_set(f, E_IO, 0, "rename %s: %s", from, strerror(errno));
    snprintf(text, sizeof text, "log: %s has no readable head and was moved to %s", from, to);
    journal_report(j, "quarantine", text);
    return OK;
}

/* A file that was made and never written. */
static enum err drop_empty(struct journal *j, const struct segment *s)
{
    append(j, s);                                  /* journal_cut() unlinks it */
    return OK;
}

static enum err read_one(struct replay *r, uint64_t number, size_t *ret_tail)
{
    CLEANUP(mapped_done) struct mapped m = { 0 };
    struct segment s = { .number = number };
    enum err e = map_segment(r->j, number, &m, r->f);
    *ret_tail = 0;
    if (e == E_NOTFOUND)
        return m.data ? move_aside(r->j, number, r->f) : drop_empty(r->j, &s);
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
    if (!tail || !j->newest || !j->newest->generation)
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
    struct replay r = { .j = j, .each = each, .arg = arg, .f = f, .note_fd = -1 };
    uint64_t *numbers = mem_alloc(SEGMENTS_MAX * sizeof *numbers);
    size_t n = 0, tail = 0;
    note_open(&r);
    enum err e = list_segments(j, numbers, &n, f);
    for (size_t i = 0; i < n && !e; i++)
        e = read_one(&r, numbers[i], &tail);
    if (!e && n) {
        j->next_number = numbers[n - 1] + 1;
        e = reopen_newest(j, tail, f);
    }
    j->next_seq = MAX(r.expected, UINT64_C(1));
    buf_done(&r.body);
    mem_free(numbers);
    fd_closep(&r.note_fd);
    if (!e)
        unlink(r.note);
    return e;
}
