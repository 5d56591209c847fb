/* store/check_log.c -- the log, segment by segment, frame by frame.
 *
 * Sequences rise by one; a segment begins where the one before it ends, or later where a
 * group failed. Behind the last frame there are zeros. What else stands there is a write
 * that a crash cut short, unless a later frame or segment says that it was acknowledged:
 * then it is damage.
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

#include "base/file.h"
#include "base/zip.h"
#include "store/erased.h"
#include "store/check_int.h"
#include "store/frame_rows.h"
#include "store/limits.h"

enum { SEGMENTS_MAX = 1 << 20 };

struct log_reading {
    struct checker *c;
    uint64_t expected;                             /* the next sequence; 0: not known yet */
    struct buf body;
};

struct mapped {
    const char *p;
    size_t n, data;                                /* data: zeros from there on */
    struct segment_head head;
    bool head_good;
};

/* --- one segment in memory ---------------------------------------------------------------- */

static bool find_head(struct mapped *m)
{
    struct segment_head h;
    for (size_t at = 0; at <= SEGMENT_COPY; at += SEGMENT_COPY) {
        memcpy(&h, m->p + at, sizeof h);
        if (h.magic == JOURNAL_MAGIC && h.sum == segment_sum(&h)) {
            m->head = h;
            return true;
        }
    }
    return false;
}

static bool map_segment(struct checker *c, const char *path, struct mapped *m)
{
    struct stat st;
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        check_tell(c, CHECK_DAMAGE, "cannot be read: %s", strerror(errno));
        return false;
    }
    *m = (struct mapped){ .n = (size_t)st.st_size };
    if (m->n < SEGMENT_FRAMES) {
        check_tell(c, CHECK_NOTE, "was begun and never written");
        return false;
    }
    void *p = mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        check_tell(c, CHECK_DAMAGE, "cannot be read: %s", strerror(errno));
        return false;
    }
    m->p = p;
    for (m->data = m->n; m->data && !m->p[m->data - 1];)
        m->data--;
    m->head_good = find_head(m);
    return true;
}

static void unmap_segment(struct mapped *m)
{
    if (m->p)
        (void)munmap((void *)(uintptr_t)m->p, m->n);
    m->p = NULL;
}

static bool frame_at(const struct mapped *m, size_t at, struct frame_head *ret, struct str *ret_body)
{
    if (at + sizeof *ret > m->n)
        return false;
    memcpy(ret, m->p + at, sizeof *ret);
    if (!ret->seq || ret->length > m->n - at - sizeof *ret || ret->raw > FRAME_BYTES_MAX || ret->durable >= ret->seq)
        return false;
    *ret_body = (struct str){ m->p + at + sizeof *ret, ret->length };
    return frame_head_good(ret, m->head.generation) && frame_body_good(ret, *ret_body, m->head.generation);
}

static size_t find_frame(const struct mapped *m, size_t at, uint64_t expected)
{
    struct frame_head h;
    struct str body;
    for (size_t i = at + 8; i < m->data; i += 8)
        if (frame_at(m, i, &h, &body) && h.seq >= expected)
            return i;
    return SIZE_MAX;
}

/* --- one frame ---------------------------------------------------------------------------------- */

static bool in_partition(const struct checker *c, int64_t time_ns, uint64_t seq)
{
    for (uint32_t i = 0; i < c->ncovered; i++)
        if (span_holds(c->covered[i].from_ns, c->covered[i].to_ns, time_ns))
            return seq <= c->covered[i].mark;
    return false;
}

static void look_at_cells(struct checker *c, const struct batch *b, const struct cells *cells, const char *where)
{
    for (uint32_t i = 0; i < cells->n; i++)
        check_look_value(c, &cells->at[i].v, where, b->cols[cells->at[i].col].name);
}

static void look_at_batch(struct checker *c, const struct batch *b, const char *where)
{
    for (uint32_t i = 0; i < b->ngroups; i++) {
        struct arena scratch = *b->mem;
        struct cells cells = group_cells(b, i, &scratch);
        look_at_cells(c, b, &cells, where);
    }
    for (uint32_t i = 0; i < b->nrows; i++)
        look_at_cells(c, b, &b->rows[i].cells, where);
}

static void read_rows(struct log_reading *r, const struct frame_head *h, struct str body, const char *where)
{
    struct checker *c = r->c;
    struct arena mem;
    struct batch b;
    struct fault f = { 0 };
    bool waits = h->seq > c->applied;
    arena_init(&mem, REPLAY_ARENA_BYTES);
    if (frame_decode(&c->req->decoder, (enum frame_kind)h->kind, h->epoch, body, h->recv_ns, &mem, &b, &f)) {
        check_tell(c, waits ? CHECK_DAMAGE : CHECK_NOTE, "%s does not decode: %s", where, f.msg);
    } else {
        for (uint32_t i = 0; i < b.nrows && waits; i++)
            c->totals->log_rows[b.table] += !in_partition(c, b.rows[i].time_ns, h->seq);
        if (check_looks(c))
            look_at_batch(c, &b, where);
        batch_done(&b);
    }
    c->totals->frames_waiting += waits;
    arena_done(&mem);
}

static void read_frame(struct log_reading *r, const struct frame_head *h, struct str body)
{
    char where[80];
    struct fault f = { 0 };
    r->c->totals->frames++;
    (void)snprintf(where, sizeof where, "frame %llu", (unsigned long long)h->seq);
    if (h->flags & FRAME_ZSTD) {
        buf_done(&r->body);
        if (zip_unzstd(body, h->raw, &r->body, &f)) {
            check_tell(r->c, CHECK_DAMAGE, "%s cannot be unpacked: %s", where, f.msg);
            return;
        }
        body = buf_view(&r->body);
    }
    if (check_looks(r->c))
        check_look_bytes(r->c, body, "%s", where);
    if (r->c->req->decoder.decode)
        read_rows(r, h, body, where);
}

/* --- one segment ---------------------------------------------------------------------------------- */

/* What stands at `at` is no frame that may come now. Returns where the next one is, or SIZE_MAX. */
static size_t skip_bad(struct log_reading *r, const struct mapped *m, size_t at, uint64_t durable)
{
    size_t next = find_frame(m, at, r->expected);
    if (next != SIZE_MAX)
        check_tell(r->c, CHECK_DAMAGE, "%zu bytes at %zu cannot be read, and good frames follow", next - at, at);
    else if (durable != UINT64_MAX && durable >= r->expected)
        check_tell(r->c, CHECK_DAMAGE, "frames %llu to %llu were acknowledged and cannot be read", (unsigned long long)r->expected,
                   (unsigned long long)durable);
    else if (m->data > at)
        check_tell(r->c, CHECK_NOTE, "%zu bytes at its end are of a write that was cut short", m->data - at);
    return next;
}

/* durable: what was acknowledged when the next segment began; UINT64_MAX: there is none. */
static void read_segment(struct log_reading *r, const struct mapped *m, uint64_t durable)
{
    if (r->expected && m->head.durable >= r->expected && m->head.durable > r->c->applied)
        check_tell(r->c, CHECK_DAMAGE, "frames %llu to %llu were acknowledged before it and are in no file",
                   (unsigned long long)r->expected, (unsigned long long)m->head.durable);
    r->expected = MAX(r->expected, m->head.first_seq);
    for (size_t at = SEGMENT_FRAMES; durable == UINT64_MAX || r->expected <= durable;) {
        struct frame_head h;
        struct str body;
        if (!frame_at(m, at, &h, &body) || h.seq != r->expected) {
            at = skip_bad(r, m, at, durable);
            if (at == SIZE_MAX)
                return;
            CHECK(frame_at(m, at, &h, &body));
        }
        read_frame(r, &h, body);
        r->expected = h.seq + 1;
        at += frame_room(h.length);
    }
}

/* What was acknowledged when the first readable one of these began. */
static uint64_t durable_before(char *const *paths, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        CLEANUP(fd_closep) int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        char both[SEGMENT_FRAMES];
        struct mapped m = { .p = both };
        if (fd >= 0 && pread(fd, both, sizeof both, 0) == sizeof both && find_head(&m))
            return m.head.durable;
    }
    return UINT64_MAX;
}

static void one_segment(struct log_reading *r, char *const *paths, uint32_t i, uint32_t n)
{
    struct checker *c = r->c;
    struct mapped m = { 0 };
    check_file_begin(c, str_sub(str_c(paths[i]), str_c(c->root).n + 1, SIZE_MAX));
    c->totals->segments++;
    if (map_segment(c, paths[i], &m)) {
        if (m.head_good && m.head.version > JOURNAL_VERSION)
            check_tell(c, CHECK_DAMAGE, "is of log version %u, this ccmon knows %u", m.head.version, JOURNAL_VERSION);
        else if (m.head_good)
            read_segment(r, &m, durable_before(paths + i + 1, n - i - 1));
        else
            check_tell(c, m.data ? CHECK_DAMAGE : CHECK_NOTE, m.data ? "has no readable head" : "was begun and never written");
    }
    unmap_segment(&m);
    check_file_end(c);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void check_log(struct checker *c)
{
    const char *dir = arena_cstr(&c->mem, arena_fmt(&c->mem, "%s/log", c->root));
    char **paths = NULL;
    uint32_t n = 0, cap = 0;
    DIR *d = opendir(dir);
    for (struct dirent *x; d && n < SEGMENTS_MAX && (x = readdir(d));)
        if (str_ends(str_c(x->d_name), S(".seg")))
            *arena_push(&c->mem, paths, n, cap) = arena_cstr(&c->mem, arena_fmt(&c->mem, "%s/%s", dir, x->d_name));
    if (d)
        (void)closedir(d);
    if (n)
        qsort(paths, n, sizeof *paths, by_name);
    struct log_reading r = { .c = c };
    for (uint32_t i = 0; i < n; i++)
        one_segment(&r, paths, i, n);
    buf_done(&r.body);
}
