/* fuzz/fuzz_journal.c -- arbitrary bytes behind a good head of a log segment. The first
 * frame's checksum is made right where its length fits, so that what follows it is
 * reached too. Recovery must end, give only frames of rising sequence, and a log that
 * was recovered must take a new frame and give it back.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 << 10 };

static char dir[64], seg[128];

struct seen {
    uint64_t last, frames;
    bool mine;
};

static enum err each(void *arg, const struct journal_frame *fr, struct fault *f)
{
    struct seen *s = arg;
    CHECK(fr->seq > s->last);
    s->last = fr->seq;
    s->frames++;
    s->mine = str_eq(fr->body, S("mine"));
    return fr->recv_ns % 7 == 3 ? fault_set(f, E_SYNTAX, 0, "refused") : OK;
}

static void write_segment(const uint8_t *data, size_t size)
{
    struct segment_head h = { .magic = JOURNAL_MAGIC, .version = JOURNAL_VERSION, .number = 1, .generation = 5, .first_seq = 1 };
    h.sum = segment_sum(&h);
    char *bytes = mem_alloc(SEGMENT_FRAMES + size);
    memcpy(bytes, &h, sizeof h);
    memcpy(bytes + SEGMENT_COPY, &h, sizeof h);
    if (size)
        memcpy(bytes + SEGMENT_FRAMES, data, size);
    struct frame_head fh;
    if (size >= sizeof fh) {
        memcpy(&fh, bytes + SEGMENT_FRAMES, sizeof fh);
        if (fh.length <= size - sizeof fh)
            frame_seal(&fh, (struct str){ bytes + SEGMENT_FRAMES + sizeof fh, fh.length }, 5);
        memcpy(bytes + SEGMENT_FRAMES, &fh, sizeof fh);
    }
    int fd = open(seg, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, SEGMENT_FRAMES + size) == (ssize_t)(SEGMENT_FRAMES + size));
    close(fd);
    mem_free(bytes);
}

static void open_once(struct seen *s, bool add)
{
    struct journal_opts o = { .dir = dir, .ops = &file_ops_system, .segment_bytes = INPUT_MAX };
    struct journal *j;
    struct fault f = { 0 };
    if (journal_open(&o, each, s, &j, &f))
        return;
    if (add) {
        struct journal_frame fr = { .kind = FRAME_OTLP_LOGS_PB, .body = S("mine") };
        journal_add(j, &fr);
        CHECK(!journal_commit(j, &f));
    } else {
        journal_empty(j);
    }
    journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/ccmon-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
        CHECK(mkdtemp(dir));
        char log[96];
        snprintf(log, sizeof log, "%s/log", dir);
        CHECK(!mkdir(log, 0700));
        snprintf(seg, sizeof seg, "%s/log/00000001.seg", dir);
    }
    write_segment(data, size);
    struct seen first = { 0 }, second = { 0 };
    open_once(&first, true);
    open_once(&second, false);
    CHECK(second.frames >= 1 && second.mine && second.last > first.last);
    return 0;
}
