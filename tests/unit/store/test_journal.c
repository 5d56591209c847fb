/* tests/unit/store/test_journal.c -- the log alone: what it gives back after damage at
 * every byte, after writes and syncs that failed, after frames that kill, and what it
 * keeps of its files.
 *
 * A small log is made once as bytes; each case spoils a copy of them. Frames carry their
 * number as text, so what came back is told by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/store_model.h"
#include "rows_model.h"
#include "store/journal_int.h"

enum { FRAMES_MAX = 8192, SEGMENT = 64 << 10 };

struct log {
    char dir[200];
    struct file_ops ops;
    uint64_t segment_bytes, applied;
    struct journal *j;
    struct fault f;
    uint64_t seqs[FRAMES_MAX];                     /* what the last start gave back */
    size_t n;
    uint64_t sum;                                  /* over all bodies */
    unsigned reports;
    char report[1700];
    uint64_t dies_at, refuses;                     /* sequences */
    enum err refusal;
};

static enum err each(void *arg, const struct journal_frame *fr, struct fault *f)
{
    struct log *l = arg;
    if (fr->seq == l->dies_at)
        _exit(9);
    if (fr->seq == l->refuses)
        return fault_set(f, l->refusal, 0, "refused");
    CHECK(l->n < FRAMES_MAX);
    l->seqs[l->n++] = fr->seq;
    l->sum = hash64(fr->body, l->sum ^ fr->seq ^ (uint64_t)fr->recv_ns ^ fr->kind);
    return OK;
}

static void on_report(void *arg, const char *cause, const char *text)
{
    struct log *l = arg;
    l->reports++;
    (void)snprintf(l->report, sizeof l->report, "%s: %s", cause, text);
}

static void log_init(struct log *l)
{
    *l = (struct log){ .ops = file_ops_system, .segment_bytes = SEGMENT };
    (void)snprintf(l->dir, sizeof l->dir, "%s/ccmon-log-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(l->dir));
}

static enum err log_open(struct log *l)
{
    struct journal_opts o = { .dir = l->dir, .ops = &l->ops, .segment_bytes = l->segment_bytes, .applied = l->applied,
                              .report = on_report, .report_arg = l };
    l->n = 0;
    l->sum = 0;
    return journal_open(&o, each, l, &l->j, &l->f);
}

static void must_open(struct log *l)
{
    if (log_open(l))
        fail_msg("%s", l->f.msg);
}

static void log_close(struct log *l)
{
    journal_close(l->j);
    l->j = NULL;
}

static void log_done(struct log *l)
{
    log_close(l);
    bed_remove(l->dir);
}

static uint64_t add(struct log *l, struct str body)
{
    struct journal_frame fr = { .kind = FRAME_OTLP_LOGS_PB, .recv_ns = 77, .body = body, .pack = true };
    journal_add(l->j, &fr);
    return fr.seq;
}

static enum err put(struct log *l, struct str body)
{
    add(l, body);
    return journal_commit(l->j, &l->f);
}

/* "1 2 5": what the last start gave back. */
static const char *seen(const struct log *l)
{
    static char text[4096];
    size_t n = 0;
    text[0] = 0;
    for (size_t i = 0; i < l->n && n < sizeof text - 30; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%llu", i ? " " : "", (unsigned long long)l->seqs[i]);
    return text;
}

static void expect(const struct log *l, const char *want, const char *what)
{
    if (strcmp(seen(l), want) != 0)
        fail_msg("%s: gave back '%s', '%s' wanted", what, seen(l), want);
}

static uint32_t count(const struct log *l, const char *folder, const char *ending)
{
    struct bed b;
    memcpy(b.dir, l->dir, sizeof b.dir);
    return bed_count(&b, folder, ending);
}

static void path_of(const struct log *l, const char *rest, char out[400])
{
    CHECK(snprintf(out, 400, "%s/%s", l->dir, rest) < 400);
}

/* ---- bytes of a small log -------------------------------------------------- */

/* Groups of 3, 1 and 2 frames; as[i] is where frame i + 1 begins, [6] where they end. */
struct small {
    char bytes[SEGMENT];
    size_t as[7];
};

static void read_segment(const struct log *l, const char *name, char bytes[SEGMENT])
{
    char path[400];
    path_of(l, name, path);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, bytes, SEGMENT), SEGMENT);
}

static void make_small(struct small *s)
{
    static const char *const bodies[] = { "one", "two, longer", "", "four four four 4", "5", "the sixth, of odd size" };
    struct log l;
    size_t at = SEGMENT_FRAMES;
    log_init(&l);
    must_open(&l);
    for (size_t i = 0; i < LEN(bodies); i++) {
        s->as[i] = at;
        at += frame_room(str_c(bodies[i]).n);
        add(&l, str_c(bodies[i]));
        if (i == 2 || i == 3 || i == 5)
            assert_int_equal(journal_commit(l.j, &l.f), OK);
    }
    s->as[6] = at;
    log_close(&l);
    read_segment(&l, "log/00000001.seg", s->bytes);
    log_done(&l);
}

/* A directory with just these bytes as its log. */
static void lay_out(struct log *l, const char *bytes, size_t n)
{
    char path[400];
    log_init(l);
    path_of(l, "log", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(l, "log/00000001.seg", path);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
}

/* Opens, checks, writes a frame, opens again: the same and the new one; and again. */
static void check_spoilt(struct log *l, const char *want, const char *what)
{
    char more[100];
    must_open(l);
    expect(l, want, what);
    uint64_t seq = add(l, S("new"));
    if (journal_commit(l->j, &l->f))
        fail_msg("%s: %s", what, l->f.msg);
    (void)snprintf(more, sizeof more, "%s%s%llu", want, *want ? " " : "", (unsigned long long)seq);
    for (int again = 0; again < 2; again++) {
        log_close(l);
        must_open(l);
        expect(l, more, what);
    }
    log_done(l);
}

static const char *prefix(size_t n)
{
    static const char *const texts[] = { "", "1", "1 2", "1 2 3", "1 2 3 4", "1 2 3 4 5", "1 2 3 4 5 6" };
    return texts[n];
}

/* ---- damage ---------------------------------------------------------------- */

enum tail { TAIL_ZEROS, TAIL_SHORT, TAIL_NOISE };

/* What a write that was cut short leaves: frames before the cut come back, nothing else,
 * and what stood behind it is never taken for a frame again. */
static void torn_at_every_byte(void **state)
{
    (void)state;
    static struct small s;
    make_small(&s);
    for (enum tail how = TAIL_ZEROS; how <= TAIL_NOISE; how++)
        for (size_t cut = SEGMENT_FRAMES; cut <= s.as[6]; cut++) {
            static char bytes[SEGMENT];
            struct log l;
            char what[100];
            size_t whole = 0;
            while (whole < 6 && s.as[whole + 1] <= cut)
                whole++;
            /* Padding is zero as well, so a cut in it loses nothing. */
            bool padded = whole < 6 && how == TAIL_ZEROS;
            for (size_t i = cut; padded && i < s.as[whole + 1]; i++)
                padded = !s.bytes[i];
            memcpy(bytes, s.bytes, SEGMENT);
            memset(bytes + cut, 0, SEGMENT - cut);
            for (size_t i = cut; how == TAIL_NOISE && i < s.as[6]; i++)
                bytes[i] = (char)(i * 37 | 1);
            lay_out(&l, bytes, how == TAIL_SHORT ? cut : SEGMENT);
            (void)snprintf(what, sizeof what, "cut at %zu, way %d", cut, how);
            bool only_padding = how != TAIL_ZEROS && whole < 6 && cut >= s.as[whole] + sizeof(struct frame_head);
            if (only_padding) {                    /* the frame needs no padding to be whole */
                struct frame_head h;
                memcpy(&h, s.bytes + s.as[whole], sizeof h);
                only_padding = cut >= s.as[whole] + sizeof h + h.length;
            }
            check_spoilt(&l, prefix(whole + (padded || only_padding)), what);
        }
}

static bool is_padding(const struct small *s, size_t frame, size_t at)
{
    struct frame_head h;
    memcpy(&h, s->bytes + s->as[frame], sizeof h);
    return at >= s->as[frame] + sizeof h + h.length;
}

static const char *without(size_t frame)
{
    static const char *const texts[] = { "2 3 4 5 6", "1 3 4 5 6", "1 2 4 5 6", "1 2 3 5 6", "1 2 3 4 6", "1 2 3 4 5" };
    return texts[frame];
}

/* One bit anywhere costs the frame that it hits, and no other; and is told. */
static void flipped_at_every_byte(void **state)
{
    (void)state;
    static struct small s;
    make_small(&s);
    for (size_t at = 0; at < s.as[6]; at++) {
        static char bytes[SEGMENT];
        struct log l;
        char what[100];
        memcpy(bytes, s.bytes, SEGMENT);
        bytes[at] ^= (char)(1 << at % 8);
        lay_out(&l, bytes, SEGMENT);
        (void)snprintf(what, sizeof what, "flipped at %zu", at);
        size_t frame = 0;
        while (frame < 5 && s.as[frame + 1] <= at)
            frame++;
        bool harmless = at < SEGMENT_FRAMES || is_padding(&s, frame, at);
        must_open(&l);
        expect(&l, harmless ? prefix(6) : without(frame), what);
        if (!harmless && (l.reports != 1 || count(&l, "quarantine", ".bin") != 1))
            fail_msg("%s: %u reports", what, l.reports);
        log_close(&l);
        bed_remove(l.dir);
        lay_out(&l, bytes, SEGMENT);
        /* The last frame cannot be told from a torn tail: its sequence is given anew. */
        check_spoilt(&l, harmless ? prefix(6) : without(frame), what);
    }
}

static void zeroed_frames(void **state)
{
    (void)state;
    static struct small s;
    make_small(&s);
    for (size_t from = 0; from < 6; from++)
        for (size_t to = from + 1; to < 6; to++) {
            static char bytes[SEGMENT];
            struct log l;
            char want[100] = "", what[100];
            memcpy(bytes, s.bytes, SEGMENT);
            memset(bytes + s.as[from], 0, s.as[to] - s.as[from]);
            lay_out(&l, bytes, SEGMENT);
            for (size_t i = 0; i < 6; i++)
                if (i < from || i >= to)
                    (void)snprintf(want + str_c(want).n, sizeof want - str_c(want).n, "%s%zu", *want ? " " : "", i + 1);
            (void)snprintf(what, sizeof what, "frames %zu to %zu zeroed", from + 1, to);
            check_spoilt(&l, want, what);
        }
}

/* A sender's body may look like frames of this very log. */
static void bodies_that_look_like_frames(void **state)
{
    (void)state;
    static struct small s;
    static char big[SEGMENT];
    make_small(&s);
    struct frame_head h;
    memcpy(&h, s.bytes + s.as[3], sizeof h);
    for (size_t at = 0; at + sizeof h <= 40 << 10; at += 56) {
        h.seq = 2 + at % 5;
        h.length = (uint32_t)((40 << 10) - at - sizeof h);
        memcpy(big + at, &h, sizeof h);
    }
    struct log l;
    log_init(&l);
    must_open(&l);
    add(&l, S("first"));
    l.segment_bytes = SEGMENT;
    assert_int_equal(put(&l, (struct str){ big, 12 << 10 }), OK);     /* not packed */
    assert_int_equal(put(&l, S("last")), OK);
    log_close(&l);
    char path[400], c = 1;
    path_of(&l, "log/00000001.seg", path);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &c, 1, (off_t)(SEGMENT_FRAMES + frame_room(5) + 3)), 1);
    close(fd);
    must_open(&l);
    expect(&l, "1 3", "a damaged frame full of frames");
    log_done(&l);
}

static void both_heads_gone(void **state)
{
    (void)state;
    static struct small s;
    make_small(&s);
    struct log l;
    memset(s.bytes + 16, 0x55, 8);
    memset(s.bytes + SEGMENT_COPY + 20, 0x55, 8);
    lay_out(&l, s.bytes, SEGMENT);
    must_open(&l);
    expect(&l, "", "no head");
    assert_int_equal(l.reports, 1);
    assert_int_equal(count(&l, "quarantine", ".seg"), 1);
    assert_int_equal(count(&l, "log", ".seg"), 0);
    assert_int_equal(put(&l, S("new")), OK);
    log_done(&l);
}

/* What a newer ccmon wrote is refused and left as it is, wherever that has its checksum. */
static void newer_versions(void **state)
{
    (void)state;
    static struct small s;
    for (int sealed = 0; sealed < 2; sealed++) {
        struct log l;
        struct segment_head h;
        make_small(&s);
        memcpy(&h, s.bytes, sizeof h);
        h.version = JOURNAL_VERSION + 1;
        if (sealed)
            h.sum = segment_sum(&h);
        memcpy(s.bytes, &h, sizeof h);
        memcpy(s.bytes + SEGMENT_COPY, &h, sizeof h);
        lay_out(&l, s.bytes, SEGMENT);
        assert_int_equal(log_open(&l), E_UNSUPPORTED);
        assert_non_null(strstr(l.f.msg, "log version 2, this ccmon knows 1"));
        assert_int_equal(count(&l, "log", ".seg"), 1);
        assert_int_equal(count(&l, "quarantine", ""), 0);
        log_done(&l);
    }
}

/* ---- several segments ------------------------------------------------------ */

static void sizes_and_segments(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 7, 8, 9, 100, 8191, (16 << 10) - 1, 16 << 10, 40 << 10, 300 << 10, 63 << 10, 3 };
    struct log l;
    struct rng rng = { 5 };
    log_init(&l);
    must_open(&l);
    uint64_t sum = 0, seq = 0, round = 0;
    for (; round < 6; round++) {                   /* bytes that pack and bytes that do not */
        for (size_t i = 0; i < LEN(sizes); i++) {
            char *p = mem_alloc(sizes[i] + 1);
            for (size_t k = 0; k < sizes[i]; k++)
                p[k] = round % 2 ? (char)rng_next(&rng) : (char)('a' + k / 100 % 20);
            struct str body = { p, sizes[i] };
            seq = add(&l, body);
            sum = hash64(body, sum ^ seq ^ 77 ^ FRAME_OTLP_LOGS_PB);
            mem_free(p);
            if (i % 3 == round % 3)
                assert_int_equal(journal_commit(l.j, &l.f), OK);
        }
        if (journal_group_bytes(l.j))
            assert_int_equal(journal_commit(l.j, &l.f), OK);
        log_close(&l);
        must_open(&l);
        assert_int_equal(l.n, seq);
        assert_true(l.sum == sum);
    }
    assert_int_equal(l.reports, 0);
    assert_true(count(&l, "log", ".seg") > 5);
    /* A cut takes the files of which nothing is needed any more. */
    uint32_t files = count(&l, "log", ".seg");
    uint64_t bytes = journal_bytes(l.j);
    journal_cut(l.j, seq / 2, false);
    assert_true(count(&l, "log", ".seg") < files && journal_bytes(l.j) < bytes);
    log_close(&l);
    must_open(&l);
    assert_true(l.n >= seq - seq / 2 && l.n < seq && l.seqs[l.n - 1] == seq);
    assert_int_equal(l.reports, 0);
    journal_cut(l.j, seq, false);
    assert_int_equal(journal_bytes(l.j), 0);
    assert_int_equal(count(&l, "log", ".seg"), 1);
    journal_empty(l.j);
    assert_int_equal(count(&l, "log", ""), 0);
    log_done(&l);
}

/* A busy log goes round in a few files, which are as good as new ones; a log at rest keeps none of them. */
static void segments_are_used_again(void **state)
{
    (void)state;
    enum { BODY = 7 << 10, ROUNDS = 60 };
    struct log l;
    struct rng rng = { 9 };
    static char body[BODY];
    uint64_t last = 0;
    log_init(&l);
    must_open(&l);
    for (int i = 0; i < ROUNDS; i++) {
        for (size_t k = 0; k < BODY; k++)
            body[k] = (char)(1 | rng_next(&rng));
        last = add(&l, (struct str){ body, BODY - (size_t)i });
        assert_int_equal(journal_commit(l.j, &l.f), OK);
        if (i % 4 == 3) {                          /* as a flush does, some frames behind */
            journal_cut(l.j, last - 3, true);
            assert_true(count(&l, "log", ".seg") <= 2);
        }
    }
    assert_int_equal(count(&l, "log", "spare"), 1);
    log_close(&l);
    must_open(&l);                                 /* it may be half zeros: dropped */
    assert_int_equal(count(&l, "log", "spare"), 0);
    assert_int_equal(l.reports, 0);
    assert_true(l.n >= 3 && l.seqs[l.n - 1] == last);
    log_done(&l);

    log_init(&l);
    must_open(&l);
    for (int i = 0; i < 12; i++)
        assert_int_equal(put(&l, (struct str){ body, BODY }), OK);
    journal_cut(l.j, 10, true);
    assert_int_equal(count(&l, "log", "spare"), 1);
    for (int i = 0; i < 3; i++)
        journal_tick(l.j);
    assert_int_equal(count(&l, "log", "spare"), 0);
    log_done(&l);
}

static void very_many_segments(void **state)
{
    (void)state;
    enum { SEGMENTS = 5000 };
    struct log l;
    log_init(&l);
    l.segment_bytes = 256;
    must_open(&l);
    for (int i = 0; i < SEGMENTS; i++)
        assert_int_equal(put(&l, S("0123456789012345678901234567890123456789")), OK);
    log_close(&l);
    assert_true(count(&l, "log", ".seg") >= SEGMENTS / 2);
    must_open(&l);
    assert_int_equal(l.n, SEGMENTS);
    log_done(&l);
}

static void a_segment_is_missing(void **state)
{
    (void)state;
    struct log l;
    char path[400];
    log_init(&l);
    l.segment_bytes = 310;                         /* two frames each */
    must_open(&l);
    for (int i = 0; i < 6; i++)
        assert_int_equal(put(&l, S("012345678901234567890123456789")), OK);
    log_close(&l);
    path_of(&l, "log/00000002.seg", path);
    assert_int_equal(unlink(path), 0);
    must_open(&l);
    expect(&l, "1 2 5 6", "a file is gone");
    assert_int_equal(l.reports, 1);
    assert_non_null(strstr(l.report, "sequences 3 to 4 were acknowledged"));
    log_close(&l);
    l.applied = 4;                                 /* partitions have them: nothing is missing */
    l.reports = 0;
    must_open(&l);
    expect(&l, "5 6", "the gap is in partitions");
    assert_int_equal(l.reports, 0);
    log_done(&l);
}

static void sequences_are_raised(void **state)
{
    (void)state;
    struct log l;
    log_init(&l);
    must_open(&l);
    assert_int_equal(put(&l, S("a")), OK);
    log_close(&l);
    must_open(&l);
    journal_raise_seq(l.j, 1);                     /* never lowered */
    assert_int_equal(journal_next_seq(l.j), 2);
    journal_raise_seq(l.j, 100);
    assert_int_equal(put(&l, S("b")), OK);
    assert_int_equal(put(&l, S("c")), OK);
    log_close(&l);
    must_open(&l);
    expect(&l, "1 100 101", "raised");
    assert_int_equal(l.reports, 0);
    log_done(&l);
}

/* ---- the disk says no ------------------------------------------------------ */

enum op { OP_OPEN, OP_WRITE, OP_SYNC, OP_ALLOCATE, OP_SYNC_DIR, OP_COUNT };
static const char *const op_names[] = { "open", "write", "sync", "allocate", "sync of the folder" };

static struct {
    enum op op;
    int err, written_to;                           /* 0: all is well */
    unsigned writes;
} broken;

static bool breaks(enum op op)
{
    if (!broken.err || broken.op != op)
        return false;
    errno = broken.err;
    return true;
}

static int b_open(void *arg, const char *path, int flags, int mode)
{
    return breaks(OP_OPEN) ? -1 : file_ops_system.open(arg, path, flags, mode);
}

/* Half of it reaches the disk before it fails. */
static int64_t b_write(void *arg, int fd, const void *p, size_t n, int64_t at)
{
    broken.writes++;
    broken.written_to = fd;
    if (!breaks(OP_WRITE))
        return file_ops_system.pwrite(arg, fd, p, n, at);
    (void)!pwrite(fd, p, n / 2, at);
    errno = broken.err;
    return -1;
}

static int b_sync(void *arg, int fd) { return breaks(OP_SYNC) ? -1 : file_ops_system.sync(arg, fd); }
static int b_allocate(void *arg, int fd, int64_t n) { return breaks(OP_ALLOCATE) ? -1 : file_ops_system.allocate(arg, fd, n); }
static int b_sync_dir(void *arg, const char *path) { return breaks(OP_SYNC_DIR) ? -1 : file_ops_system.sync_dir(arg, path); }

static void use_broken(struct log *l)
{
    broken.err = 0;
    l->ops.open = b_open;
    l->ops.pwrite = b_write;
    l->ops.sync = b_sync;
    l->ops.allocate = b_allocate;
    l->ops.sync_dir = b_sync_dir;
}

/* A group that fails is not there, neither now nor after a start, the ones around it are,
 * in whatever operation it failed and however often. */
static void groups_that_fail(void **state)
{
    (void)state;
    static const struct { int err; enum err want; } errors[] = { { EIO, E_IO }, { ENOSPC, E_UNAVAILABLE }, { EDQUOT, E_UNAVAILABLE } };
    for (enum op op = OP_OPEN; op < OP_COUNT; op++)
        for (size_t k = 0; k < LEN(errors); k++)
            for (int roll = 0; roll < 2; roll++) {
                struct log l;
                char what[100];
                (void)snprintf(what, sizeof what, "%s fails with %s%s", op_names[op], strerror(errors[k].err), roll ? ", new segment" : "");
                log_init(&l);
                l.segment_bytes = roll ? 300 : SEGMENT;
                use_broken(&l);
                must_open(&l);
                assert_int_equal(put(&l, S("one, which fills the first small segment")), OK);
                broken.op = op;
                broken.err = errors[k].err;
                enum err e[3];
                for (int i = 0; i < 3; i++)
                    e[i] = put(&l, S("not this, which is as long as the first one"));
                broken.err = 0;
                bool fails = roll || op == OP_WRITE || op == OP_SYNC;   /* the others come only with a new segment */
                for (int i = 0; i < 3; i++)
                    if (e[i] != (fails ? errors[k].want : OK))
                        fail_msg("%s: commit gives %d: %s", what, e[i], l.f.msg);
                assert_int_equal(put(&l, S("two")), OK);
                assert_int_equal(put(&l, S("three")), OK);
                uint64_t last = journal_next_seq(l.j) - 1;
                log_close(&l);
                must_open(&l);
                if (l.reports)
                    fail_msg("%s: %s", what, l.report);
                if (l.n != (fails ? 3u : 6u) || l.seqs[0] != 1 || l.seqs[l.n - 1] != last || l.seqs[l.n - 2] != last - 1)
                    fail_msg("%s: gave back %s", what, seen(&l));
                log_done(&l);
            }
}

/* After a failure the segment is never written again: the kernel may have dropped what it
 * could not write, and a later sync would not say so. */
static void a_failed_segment_is_given_up(void **state)
{
    (void)state;
    struct log l;
    log_init(&l);
    use_broken(&l);
    must_open(&l);
    assert_int_equal(put(&l, S("one")), OK);
    broken.op = OP_SYNC;
    broken.err = EIO;
    assert_int_equal(put(&l, S("two")), E_IO);
    broken.err = 0;
    static char before[SEGMENT], after[SEGMENT];
    read_segment(&l, "log/00000001.seg", before);
    assert_int_equal(put(&l, S("three")), OK);
    assert_int_equal(put(&l, S("four")), OK);
    read_segment(&l, "log/00000001.seg", after);
    assert_memory_equal(before, after, SEGMENT);
    assert_int_equal(count(&l, "log", ".seg"), 2);
    log_done(&l);
}

/* A group that failed last of all may come back: nothing was acknowledged after it. */
static void the_last_group_failed(void **state)
{
    (void)state;
    struct log l;
    log_init(&l);
    use_broken(&l);
    must_open(&l);
    assert_int_equal(put(&l, S("one")), OK);
    broken.op = OP_SYNC;
    broken.err = EIO;
    assert_int_equal(put(&l, S("two")), E_IO);
    broken.err = 0;
    log_close(&l);
    must_open(&l);
    expect(&l, "1 2", "written, not acknowledged");
    assert_int_equal(put(&l, S("three")), OK);
    log_close(&l);
    must_open(&l);
    expect(&l, "1 2 3", "and on");
    assert_int_equal(l.reports, 0);
    log_done(&l);
}

/* The newest file cannot be cut and taken up again: what stood behind its tail must not
 * come between later frames. */
static void a_tail_that_cannot_be_cut(void **state)
{
    (void)state;
    static struct small s;
    static char bytes[SEGMENT];
    make_small(&s);
    memcpy(bytes, s.bytes, SEGMENT);
    bytes[s.as[3] + 60] ^= 1;                      /* the fourth; the fifth and sixth stay good */
    memset(bytes + s.as[4], 0, s.as[6] - s.as[4]);
    for (enum op op = OP_OPEN; op < OP_COUNT; op++) {
        struct log l;
        lay_out(&l, bytes, SEGMENT);
        use_broken(&l);
        broken.op = op;
        must_open(&l);
        log_close(&l);
        broken.err = ENOSPC;
        if (op == OP_WRITE)                        /* would fail the quarantine, which is there already */
            broken.err = 0;
        must_open(&l);
        expect(&l, "1 2 3", op_names[op]);
        broken.err = 0;
        for (int i = 0; i < 3; i++)
            assert_int_equal(put(&l, S("new")), OK);
        log_close(&l);
        must_open(&l);
        expect(&l, "1 2 3 4 5 6", op_names[op]);
        log_done(&l);
    }
}

static void a_full_disk_at_the_start(void **state)
{
    (void)state;
    static struct small s;
    static char bytes[SEGMENT];
    make_small(&s);
    memcpy(bytes, s.bytes, SEGMENT);
    bytes[s.as[3] + 60] ^= 1;
    struct log l;
    lay_out(&l, bytes, SEGMENT);
    use_broken(&l);
    broken.op = OP_WRITE;
    broken.err = ENOSPC;
    must_open(&l);                                 /* the damage cannot be set aside, and is only told */
    expect(&l, "1 2 3 5 6", "full");
    assert_int_equal(l.reports, 1);
    assert_int_equal(count(&l, "quarantine", ".bin"), 0);
    broken.err = 0;
    log_done(&l);
}

/* ---- frames that do not go through ----------------------------------------- */

static int start(struct log *l)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid)
        _exit(log_open(l) ? 1 : 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void make_three(struct log *l)
{
    log_init(l);
    must_open(l);
    for (int i = 0; i < 3; i++)
        assert_int_equal(put(l, S("frame")), OK);
    log_close(l);
}

/* The fourth start goes on without it, and so does every later one, while it is reported once. */
static void a_frame_that_kills(void **state)
{
    (void)state;
    struct log l;
    make_three(&l);
    l.dies_at = 2;
    for (int i = 0; i < 3; i++)
        assert_int_equal(start(&l), 9);
    for (int i = 0; i < 3; i++) {
        must_open(&l);
        expect(&l, "1 3", "poison");
        assert_int_equal(l.reports, 1);
        log_close(&l);
    }
    assert_int_equal(count(&l, "quarantine", ".bin"), 1);
    char path[400];
    path_of(&l, "replaying", path);
    assert_int_equal(access(path, F_OK), -1);
    log_done(&l);
}

/* Deaths count in a row, at one frame. */
static void deaths_elsewhere(void **state)
{
    (void)state;
    struct log l;
    make_three(&l);
    static const struct { uint64_t dies_at; int want; } starts[] = {
        { 2, 9 }, { 3, 9 }, { 2, 9 }, { 1, 9 }, { 2, 9 }, { 0, 0 }, { 2, 9 }, { 0, 0 }, { 2, 9 }, { 2, 9 }, { 2, 9 }, { 2, 0 },
    };
    for (size_t i = 0; i < LEN(starts); i++) {
        l.dies_at = starts[i].dies_at;
        int got = start(&l);
        if (got != starts[i].want)
            fail_msg("start %zu ends with %d", i, got);
    }
    log_done(&l);
}

/* A start that is killed when all frames are through says nothing about the last of them. */
static int die(void *arg, int fd, int64_t size)
{
    (void)arg, (void)fd, (void)size;
    _exit(9);
}

static void deaths_behind_the_last(void **state)
{
    (void)state;
    struct log l;
    make_three(&l);
    l.ops.allocate = die;
    for (int i = 0; i < 5; i++)
        assert_int_equal(start(&l), 9);
    l.ops.allocate = file_ops_system.allocate;
    must_open(&l);
    expect(&l, "1 2 3", "killed behind");
    log_done(&l);
}

static void a_frame_that_is_refused(void **state)
{
    (void)state;
    static const struct { enum err refusal, want; const char *seen; } rows[] = {
        { E_SYNTAX, OK, "1 3" }, { E_LIMIT, OK, "1 3" }, { E_UNSUPPORTED, OK, "1 3" }, { E_IO, E_IO, "1" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct log l;
        make_three(&l);
        l.refuses = 2;
        l.refusal = rows[i].refusal;
        assert_int_equal(log_open(&l), rows[i].want);
        expect(&l, rows[i].seen, "refused");
        assert_int_equal(count(&l, "quarantine", ".bin"), rows[i].want ? 0 : 1);
        assert_int_equal(l.reports, rows[i].want ? 0 : 1);
        log_done(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_at_every_byte),
        cmocka_unit_test(flipped_at_every_byte),
        cmocka_unit_test(zeroed_frames),
        cmocka_unit_test(bodies_that_look_like_frames),
        cmocka_unit_test(both_heads_gone),
        cmocka_unit_test(newer_versions),
        cmocka_unit_test(sizes_and_segments),
        cmocka_unit_test(segments_are_used_again),
        cmocka_unit_test(very_many_segments),
        cmocka_unit_test(a_segment_is_missing),
        cmocka_unit_test(sequences_are_raised),
        cmocka_unit_test(groups_that_fail),
        cmocka_unit_test(a_failed_segment_is_given_up),
        cmocka_unit_test(the_last_group_failed),
        cmocka_unit_test(a_tail_that_cannot_be_cut),
        cmocka_unit_test(a_full_disk_at_the_start),
        cmocka_unit_test(a_frame_that_kills),
        cmocka_unit_test(deaths_elsewhere),
        cmocka_unit_test(deaths_behind_the_last),
        cmocka_unit_test(a_frame_that_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
