/* tests/unit/store/test_scan_series.c -- scans by series give the rows that scans by row give.
 *
 * A store gets random samples (seed printed), some of them of histograms, some of them flushed
 * to chunks of several pieces. Random requests are then answered both ways; the rows must be
 * the same, each once, and the blocks be as source.h promises: runs of one series, temporality
 * and origin, ascending by time, with a code a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rows_model.h"
#include "store_bed.h"

enum { SESSIONS = 40, T0 = 1799990000, SPAN_S = 9000, FRAMES = 60, REQUESTS = 60 };

/* --- what a scan gives, as sorted lines -------------------------------------------------- */

struct lines {
    struct arena mem;
    const char **at;
    size_t n, cap;
    uint32_t without;                              /* may be there all the same */
};

static struct str text_of(const struct block *b, const char *label, uint32_t places, uint32_t element)
{
    struct label_ref l = block_label(b, str_c(label), places);
    struct value v = label_value(&l, element);
    return v.type == V_STR || v.type == V_BYTES ? v.s : S("-");
}

/* `label`: where labels, temporality and origin of the row stand. */
static void add_line(struct lines *l, const struct block *b, uint32_t row, uint32_t label)
{
    struct str histogram = text_of(b, "histogram", 1u << PLACE_FIELD, row);
    struct str line = arena_fmt(&l->mem, STR_FMT " " STR_FMT " %d %d %lld %lld %lld %g %llu %016llx",
                                STR_ARG(text_of(b, "__name__", 1u << PLACE_LABEL, label)),
                                STR_ARG(text_of(b, "session_id", 1u << PLACE_LABEL, label)), b->temporality[label], b->origin[label],
                                (long long)b->time_ns[row], b->start_ns && !(l->without & WITHOUT_START) ? (long long)b->start_ns[row] : -1LL,
                                b->recv_ns && !(l->without & WITHOUT_RECV) ? (long long)b->recv_ns[row] : -1LL, b->value && !(l->without & WITHOUT_VALUE) ? b->value[row] : -1.0,
                                b->seq ? (unsigned long long)b->seq[row] : 0, (unsigned long long)hash64(histogram, 0));
    *arena_push(&l->mem, l->at, l->n, l->cap) = arena_cstr(&l->mem, line);
}

static void add_rows(struct lines *l, const struct block *b)
{
    assert_null(b->run_end);
    assert_null(b->series);
    for (uint32_t i = 0; i < b->nsel; i++)
        add_line(l, b, b->sel[i], b->sel[i]);
}

static void add_runs(struct lines *l, const struct block *b)
{
    assert_non_null(b->run_end);
    assert_null(b->sel);
    assert_true(b->n > 0 && b->nsel == b->n && b->nruns > 0 && b->run_end[b->nruns - 1] == b->n);
    for (uint32_t run = 0, i = 0; run < b->nruns; run++) {
        assert_true(b->run_end[run] > i);
        for (uint32_t first = i; i < b->run_end[run]; i++) {
            assert_true(i == first || b->time_ns[i] > b->time_ns[i - 1] ||
                        (b->time_ns[i] == b->time_ns[i - 1] && (!b->seq || b->seq[i] >= b->seq[i - 1])));
            add_line(l, b, i, run);
        }
    }
}

static char *answer(struct store_bed *b, struct scan_req req, bool by_series, bool first, uint64_t *ret_rows_read)
{
    struct source *src = store_source(b->store);
    struct lines l = { .without = req.without };
    struct fault f = { 0 };
    struct scan *sc;
    const struct block *blk;
    req.by_series = by_series;
    arena_init(&l.mem, (size_t)256 << 20);
    assert_int_equal(src->scan_begin(src, &req, &sc, &f), OK);
    while (!src->scan_next(sc, &blk, &f) && blk) {
        if (by_series)
            add_runs(&l, blk);
        else
            add_rows(&l, blk);
        if (first)
            break;                                 /* somebody may be decoding the next one */
    }
    if (f.code)
        fail_msg("%s", f.msg);
    *ret_rows_read = src->scan_end(sc).rows_read;
    char *all = bed_sorted(l.at, l.n);
    arena_done(&l.mem);
    return all;
}

/* --- what is in the store ------------------------------------------------------------------ */

/* What all of a session's series export at one time, as clients do; or, now and then, whatever. */
static void write_frame(struct store_bed *b, struct rng *r, unsigned frame)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < 250; i++) {
        unsigned s = (unsigned)rng_below(r, SESSIONS);
        long long time = T0 + (rng_below(r, 8) ? frame * 60 : (long long)rng_below(r, SPAN_S));
        bool histogram = s % 5 == 0 && rng_below(r, 2);
        buf_fmt(&text, "%c %u %lld %lld %llu session-%u%s", histogram ? 'h' : 's', histogram ? 0 : s % 3, time,
                s % 3 == 1 ? time - 60 : histogram ? 0 : (long long)T0 - s, (unsigned long long)(frame * 10 + rng_below(r, 5) + 2), s,
                i == 249 ? "" : "\n");
    }
    buf_byte(&text, 0);
    b->now_ns += NS_PER_S;
    (void)bed_write(b, text.p);                    /* part of it may be there already, or refused */
}

static struct scan_req random_request(struct rng *r, const struct store_bed *b, struct matcher *m, char text[32])
{
    static const struct str names[] = { S("m_total"), S("m"), S("none") };
    static const struct str labels[] = { S("__name__"), S("session_id") };
    struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = 0, .to_ns = INT64_MAX, .all_labels = rng_below(r, 2), .matchers = m };
    req.labels = labels;
    req.nlabels = (uint32_t)LEN(labels);
    if (rng_below(r, 2)) {
        req.from_ns = (T0 + (int64_t)rng_below(r, SPAN_S)) * NS_PER_S;
        req.to_ns = req.from_ns + (int64_t)rng_below(r, SPAN_S) * NS_PER_S + (int64_t)rng_below(r, 2);
    }
    if (rng_below(r, 3) == 0)
        req.recv_after_ns = b->now_ns - (int64_t)rng_below(r, FRAMES) * NS_PER_S;
    if (rng_below(r, 2))
        m[req.nmatchers++] = (struct matcher){ .label = S("__name__"), .op = rng_below(r, 3) ? MATCH_EQ : MATCH_NE,
                                               .value = names[rng_below(r, LEN(names))] };
    if (rng_below(r, 3) == 0) {
        snprintf(text, 32, "session-%u", (unsigned)rng_below(r, SESSIONS));
        m[req.nmatchers++] = (struct matcher){ .label = S("session_id"), .op = rng_below(r, 2) ? MATCH_EQ : MATCH_NE, .value = str_c(text) };
    }
    if (rng_below(r, 2))
        req.without = (uint32_t)rng_below(r, 256) & (WITHOUT_RECV | WITHOUT_START | WITHOUT_CLAIMED | WITHOUT_VALUE);
    req.order = (enum scan_order)rng_below(r, 3);
    return req;
}

static void compare(struct store_bed *b, struct rng *r, const char *name)
{
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct matcher m[2];
        char text[32];
        uint64_t rows, runs;
        struct scan_req req = random_request(r, b, m, text);
        char *want = answer(b, req, false, false, &rows), *got = answer(b, req, true, false, &runs);
        if (strcmp(want, got) != 0)
            fail_msg("%s, request %u: rows differ", name, i);
        assert_true(runs <= rows);
        mem_free(answer(b, req, i % 2, true, &runs));
        mem_free(want);
        mem_free(got);
    }
}

/* A clock by which everything takes long, so that units are decoded ahead. */
static int64_t slow_clock(void *arg)
{
    static _Atomic int64_t now;
    (void)arg;
    return atomic_fetch_add(&now, NS_PER_S / 1000);
}

static void test_random(void **state)
{
    (void)state;
    const char *env = getenv("SCAN_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 10) : 20261125;
    for (unsigned round = 0; round < 3; round++) {
        struct rng rng = { seed + round };
        struct store_bed b;
        struct fault f = { 0 };
        char name[64];
        snprintf(name, sizeof name, "SCAN_SEED=%llu", (unsigned long long)(seed + round));
        bed_init(&b);
        if (round)
            b.clock.mono = slow_clock;
        assert_int_equal(bed_open(&b, &f), OK);
        for (unsigned i = 0; i < FRAMES; i++) {
            write_frame(&b, &rng, i);
            if (rng_below(&rng, 20) == 0)
                assert_int_equal(store_flush(b.store, &f), OK);
        }
        compare(&b, &rng, name);                   /* of chunks and the head, cold and warm */
        assert_int_equal(store_flush(b.store, &f), OK);
        compare(&b, &rng, name);
        bed_done(&b);
    }
}

/* What is read of a metric does not hang on what else there is. */
static void test_reads_little(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    struct rng rng = { 5 };
    bed_init(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    for (unsigned i = 0; i < FRAMES; i++)
        write_frame(&b, &rng, i);
    assert_int_equal(store_flush(b.store, &f), OK);
    struct matcher m = { .label = S("__name__"), .op = MATCH_EQ, .value = S("m") };
    struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = 0, .to_ns = INT64_MAX, .all_labels = true, .matchers = &m, .nmatchers = 1 };
    uint64_t rows, all;
    req.nmatchers = 0;
    mem_free(answer(&b, req, true, false, &all));
    req.nmatchers = 1;
    mem_free(answer(&b, req, true, false, &rows));
    assert_true(rows < all / 3);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_reads_little) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
