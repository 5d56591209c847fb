/* store/journal.c -- the log's writing side: a group of frames, one write, one sync.
 *
 * Frames gather in memory while the disk is busy with the group before. A group goes
 * out with one pwrite where it fits the segment; where it does not, a new segment is
 * begun first, so a group never spans two files and one sync covers it. The file of a
 * segment that is not needed any more is used again (journal_spare.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/zip.h"
#include "store/journal_int.h"
#include "store/limits.h"

static uint64_t body_sum(const struct frame_head *h, struct str body, uint64_t generation)
{
    return hash64(body, generation ^ h->seq);
}

static uint32_t head_sum(const struct frame_head *h, uint64_t generation)
{
    return (uint32_t)hash64((struct str){ (const char *)h, offsetof(struct frame_head, head_sum) }, generation);
}

void frame_seal(struct frame_head *h, struct str body, uint64_t generation)
{
    h->body_sum = body_sum(h, body, generation);
    h->head_sum = head_sum(h, generation);
}

bool frame_head_good(const struct frame_head *h, uint64_t generation)
{
    return h->head_sum == head_sum(h, generation);
}

bool frame_body_good(const struct frame_head *h, struct str body, uint64_t generation)
{
    return h->body_sum == body_sum(h, body, generation);
}

uint64_t segment_sum(const struct segment_head *h)
{
    return hash64((struct str){ (const char *)h, offsetof(struct segment_head, sum) }, JOURNAL_MAGIC);
}

void segment_path(const struct journal *j, uint64_t number, char out[1200])
{
    snprintf(out, 1200, "%s/%08llu.seg", j->dir, (unsigned long long)number);
}

void journal_report(const struct journal *j, const char *cause, const char *text)
{
    if (j->o.report)
        j->o.report(j->o.report_arg, cause, text);
}

static enum err io_fault(struct fault *f, const char *what, const char *path)
{
    return fault_set(f, errno == ENOSPC || errno == EDQUOT ? E_UNAVAILABLE : E_IO, 0, "%s %s: %s", what, path,
                     strerror(errno));
}

static uint64_t random_generation(void)
{
    uint64_t g = 0;
    CLEANUP(fd_closep) int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, &g, sizeof g) == sizeof g);
    return g;
}

/* ---- segments -------------------------------------------------------------- */

static void segment_append(struct journal *j, struct segment *s)
{
    pthread_mutex_lock(&j->lock);
    if (j->newest)
        j->newest->next = s;
    else
        j->oldest = s;
    j->newest = s;
    j->turned = false;
    pthread_mutex_unlock(&j->lock);
}

static void give_up(struct journal *j)
{
    fd_closep(&j->fd);
}

static enum err write_head(struct journal *j, int fd, const struct segment *s, const char *path, struct fault *f)
{
    struct segment_head h = {
        .magic = JOURNAL_MAGIC,
        .version = JOURNAL_VERSION,
        .number = s->number,
        .generation = s->generation,
        .first_seq = j->group_first,
        .durable = j->durable,
    };
    h.sum = segment_sum(&h);
    char both[SEGMENT_FRAMES] = { 0 };
    memcpy(both, &h, sizeof h);
    memcpy(both + SEGMENT_COPY, &h, sizeof h);
    int64_t n = j->o.ops->pwrite(j->o.ops->arg, fd, both, sizeof both, 0);
    if (n >= 0 && n != sizeof both)
        errno = EIO;
    return n == sizeof both ? OK : io_fault(f, "write", path);
}

static enum err new_file(const struct journal *j, const char *path, int64_t size, int *ret_fd, struct fault *f)
{
    const struct file_ops *ops = j->o.ops;
    *ret_fd = ops->open(ops->arg, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (*ret_fd < 0)
        return io_fault(f, "create", path);
    return ops->allocate(ops->arg, *ret_fd, size) ? io_fault(f, "allocate", path) : OK;
}

/* A file of at least `need` bytes of frames, which are all zero. */
static enum err segment_begin(struct journal *j, uint64_t need, struct fault *f)
{
    char path[1200];
    const struct file_ops *ops = j->o.ops;
    struct segment *s = mem_alloc(sizeof *s);
    *s = (struct segment){ .number = j->next_number++, .generation = random_generation() };
    segment_path(j, s->number, path);
    int64_t size = (int64_t)MAX(j->o.segment_bytes, need + SEGMENT_FRAMES);
    s->file_bytes = (uint64_t)size;

    enum err e = OK;
    int fd;
    if (size != (int64_t)j->o.segment_bytes || !spare_take(j, path, &fd))
        e = new_file(j, path, size, &fd, f);
    if (!e)
        e = write_head(j, fd, s, path, f);
    if (!e && ops->sync_dir(ops->arg, j->dir))
        e = io_fault(f, "sync", j->dir);
    if (e) {
        if (fd >= 0) {
            close(fd);
            ops->unlink(ops->arg, path);
        }
        mem_free(s);
        return e;
    }
    fd_closep(&j->fd);
    j->fd = fd;
    j->at = SEGMENT_FRAMES;
    j->size = size;
    segment_append(j, s);
    return OK;
}

/* ---- the group ------------------------------------------------------------- */

uint64_t journal_next_seq(const struct journal *j)
{
    return j->next_seq;
}

uint64_t journal_group_bytes(const struct journal *j)
{
    return j->group.n;
}

void journal_raise_seq(struct journal *j, uint64_t next)
{
    if (next <= j->next_seq)
        return;
    j->next_seq = next;
    fd_closep(&j->fd);                             /* sequences may jump only where a segment begins */
}

void journal_add(struct journal *j, struct journal_frame *fr)
{
    CHECK(fr->body.n <= FRAME_BYTES_MAX);
    if (!j->group.n)
        j->group_first = j->next_seq;
    fr->seq = j->next_seq++;
    struct frame_head h = {
        .raw = (uint32_t)fr->body.n,
        .seq = fr->seq,
        .durable = j->durable,
        .recv_ns = fr->recv_ns,
        .epoch = fr->epoch,
        .tenant = fr->tenant,
        .kind = (uint8_t)fr->kind,
    };
    struct str body = fr->body;
    buf_clear(&j->packed);
    if (fr->pack && body.n >= FRAME_ZSTD_MIN && !zip_zstd(body, 1, &j->packed) && j->packed.n < body.n) {
        body = buf_view(&j->packed);
        h.flags = FRAME_ZSTD;
    }
    h.length = (uint32_t)body.n;
    static const char zeros[8];
    buf_put(&j->group, &h, sizeof h);
    buf_str(&j->group, body);
    buf_put(&j->group, zeros, (size_t)(frame_room(h.length) - sizeof h - h.length));
    CHECK(!j->group.bad);
}

/* The checksums depend on the segment, which is known only now. Returns the last sequence. */
static uint64_t seal_group(struct journal *j)
{
    uint64_t last = 0;
    for (size_t at = 0; at < j->group.n;) {
        struct frame_head h;
        memcpy(&h, j->group.p + at, sizeof h);
        frame_seal(&h, (struct str){ j->group.p + at + sizeof h, h.length }, j->newest->generation);
        memcpy(j->group.p + at, &h, sizeof h);
        CHECK(h.seq > last);
        last = h.seq;
        at += frame_room(h.length);
    }
    return last;
}

static enum err write_group(struct journal *j, struct fault *f)
{
    char path[1200];
    segment_path(j, j->newest->number, path);
    for (size_t done = 0; done < j->group.n;) {
        int64_t n = j->o.ops->pwrite(j->o.ops->arg, j->fd, j->group.p + done, j->group.n - done, j->at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;                           /* a write that makes no progress is an error */
        if (n <= 0)
            return io_fault(f, "write", path);
        done += (size_t)n;
    }
    if (j->o.ops->sync(j->o.ops->arg, j->fd))
        return io_fault(f, "sync", path);
    return OK;
}

enum err journal_commit(struct journal *j, struct fault *f)
{
    CHECK(j->group.n);
    enum err e = OK;
    if (j->fd < 0 || j->at + (int64_t)j->group.n > j->size)
        e = segment_begin(j, j->group.n, f);
    if (!e) {
        uint64_t last = seal_group(j);
        e = write_group(j, f);
        if (!e) {
            pthread_mutex_lock(&j->lock);
            j->newest->last_seq = last;
            j->newest->bytes += j->group.n;
            j->newest->end = (uint64_t)j->at + j->group.n;
            pthread_mutex_unlock(&j->lock);
            j->at += (int64_t)j->group.n;
            j->durable = last;
        } else {
            give_up(j);                            /* its sequences too: they may be on the disk */
        }
    } else {
        j->next_seq = j->group_first;              /* nothing of the group can be anywhere */
    }
    buf_clear(&j->group);
    return e;
}

/* The oldest segment, if all of it is in partitions and it is not the one being written. */
static struct segment *take_oldest(struct journal *j, uint64_t seq)
{
    pthread_mutex_lock(&j->lock);
    struct segment *s = j->oldest;
    if (s && s == j->newest && s->last_seq <= seq)
        s->bytes = 0;
    bool at_rest = s && (s != j->newest || j->turned);
    if (at_rest && s->last_seq <= seq && !j->held) {
        j->oldest = s->next;
        j->cut_number = s->number;
        if (!j->oldest)
            j->newest = NULL;
    } else {
        s = NULL;
    }
    pthread_mutex_unlock(&j->lock);
    return s;
}

void journal_cut(struct journal *j, uint64_t seq, bool keep_spare)
{
    for (struct segment *s; (s = take_oldest(j, seq));) {
        char path[1200];
        segment_path(j, s->number, path);
        if (keep_spare)
            spare_make(j, s);
        else
            j->o.ops->unlink(j->o.ops->arg, path); /* one that stays is replayed into nothing */
        mem_free(s);
    }
}

void journal_turn(struct journal *j)
{
    fd_closep(&j->fd);
    pthread_mutex_lock(&j->lock);
    j->turned = true;
    pthread_mutex_unlock(&j->lock);
}

/* What a cut tried in vain. */
static enum err remove_cut(struct journal *j, uint64_t upto, struct fault *f)
{
    char path[1200];
    enum err e = spare_drop(j) ? io_fault(f, "remove the spare segment in", j->dir) : OK;
    DIR *d = opendir(j->dir);
    for (struct dirent *x; d && !e && (x = readdir(d));) {
        struct str name = str_c(x->d_name);
        uint64_t number;
        if (!str_ends(name, S(".seg")) || !str_to_u64((struct str){ name.p, name.n - 4 }, &number) || number > upto)
            continue;
        segment_path(j, number, path);
        if (j->o.ops->unlink(j->o.ops->arg, path) && errno != ENOENT)
            e = io_fault(f, "remove", path);
    }
    if (d)
        (void)closedir(d);
    return e;
}

enum err journal_forget(struct journal *j, uint64_t seq, bool *ret_held, struct fault *f)
{
    journal_cut(j, seq, false);
    pthread_mutex_lock(&j->lock);
    *ret_held = j->oldest && j->oldest->last_seq <= seq;
    uint64_t upto = j->cut_number;
    pthread_mutex_unlock(&j->lock);
    return remove_cut(j, upto, f);
}

void journal_empty(struct journal *j)
{
    fd_closep(&j->fd);
    journal_cut(j, UINT64_MAX, false);
    (void)spare_drop(j);
    if (j->newest) {
        char path[1200];
        segment_path(j, j->newest->number, path);
        j->o.ops->unlink(j->o.ops->arg, path);
        j->newest->last_seq = j->newest->bytes = 0;
    }
}

uint64_t journal_bytes(struct journal *j)
{
    uint64_t n = 0;
    pthread_mutex_lock(&j->lock);
    for (const struct segment *s = j->oldest; s; s = s->next)
        n += s->bytes;
    pthread_mutex_unlock(&j->lock);
    return n;
}

/* ---- life ------------------------------------------------------------------ */

enum err journal_open(const struct journal_opts *o,
                      enum err (*each)(void *arg, const struct journal_frame *fr, struct fault *f), void *arg,
                      struct journal **ret, struct fault *f)
{
    struct journal *j = mem_alloc(sizeof *j);
    *j = (struct journal){ .o = *o, .fd = -1, .next_seq = 1, .next_number = 1 };
    pthread_mutex_init(&j->lock, NULL);
    snprintf(j->dir, sizeof j->dir, "%s/log", o->dir);
    buf_init(&j->group, FRAME_BYTES_MAX + GROUP_BYTES + (1 << 20));
    buf_init(&j->packed, FRAME_BYTES_MAX + (FRAME_BYTES_MAX >> 7) + (1 << 20));
    enum err e = file_mkdir(j->dir, f);
    if (!e)
        (void)spare_drop(j);
    if (!e)
        e = journal_recover(j, each, arg, f);
    if (e) {
        journal_close(j);
        return e;
    }
    *ret = j;
    return OK;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    fd_closep(&j->fd);
    while (j->oldest) {
        struct segment *s = j->oldest;
        j->oldest = s->next;
        mem_free(s);
    }
    buf_done(&j->group);
    buf_done(&j->packed);
    pthread_mutex_destroy(&j->lock);
    mem_free(j);
}
