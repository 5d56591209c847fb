/* tests/unit/store/test_chunk_runs.c -- chunks of samples: rows given by series or in runs
 * come back as rows given one by one do.
 *
 * Random tables (seed printed) with few series, some of them under several numbers, rows in
 * any order; each is written from a block of rows, of series, and of the runs that these
 * make, and compared with the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/histogram.h"
#include "rows_model.h"
#include "store/chunk_int.h"

enum { NLABELS = 6, SERIES_MAX = 200 };

static const char *const labels[NLABELS] = { "session_id", "__name__", "zone", "type", "model", "host" };

/* Labels of a series, of its number alone; some are absent in some. */
static struct value label_of(uint32_t series, uint32_t label, struct arena *mem)
{
    static const uint32_t distinct[NLABELS] = { 40, 5, 2, 3, 2, 7 };
    uint32_t k = (series * 7 + label * series / 3) % (distinct[label] + 1);
    if (label == 1)
        return value_str(arena_fmt(mem, "metric_%u", series % 5));
    return k ? value_str(arena_fmt(mem, "%s-%u", labels[label], k)) : (struct value){ 0 };
}

/* Samples of `nseries` series; the label columns first, then one that is the row's own. */
static void samples(struct model *m, struct rng *r, struct arena *mem, uint32_t n, uint32_t nseries, uint32_t *of)
{
    model_init(m, mem, TABLE_SAMPLE, n, NLABELS + 1);
    for (uint32_t c = 0; c < NLABELS; c++)
        m->keys[c] = (struct colkey){ PLACE_LABEL, str_c(labels[c]) };
    m->keys[NLABELS] = (struct colkey){ PLACE_FIELD, S("histogram") };
    unsigned shape = (unsigned)rng_below(r, 4);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = of[i] = (uint32_t)rng_below(r, nseries), export = i / nseries;
        m->time[i] = INT64_C(1795000000000000000) + (shape ? export * INT64_C(60000000000) : (int64_t)rng_below(r, 1000000));
        m->recv[i] = m->time[i] + (int64_t)(s % 40) * 1000;
        m->start[i] = shape == 1 ? 0 : shape == 2 ? m->time[i] - INT64_C(60000000000) : INT64_C(1795000000000000000) + s;
        m->claimed[i] = shape == 3 && s % 3 == 0 ? m->time[i] - 7 : 0;
        m->value[i] = s % 4 == 3 ? (double)rng_next(r) / 7 : (double)(export * (s + 1)) / (s % 2 ? 1 : 1000);
        m->temporality[i] = (uint8_t)(shape ? s % 3 : rng_below(r, 3));
        m->origin[i] = (uint8_t)(1 + (rng_below(r, 20) ? s % 2 : rng_below(r, 5)));
        for (uint32_t c = 0; c < NLABELS; c++)
            m->cells[(size_t)c * n + i] = label_of(s, c, mem);
        if (s % 5 == 4)
            m->cells[(size_t)NLABELS * n + i] = (struct value){ .type = V_BYTES, .s = arena_fmt(mem, "bytes%u", i % 9) };
    }
}

/* The model's block with columns of labels by series: twice as many numbers as there are
 * series, the second half being the first again. */
static struct block by_series(const struct model *m, const uint32_t *of, uint32_t nseries, bool twice)
{
    struct block b = model_block(m);
    struct arena *mem = m->mem;
    uint32_t all = nseries * (twice ? 2 : 1), *series = arena_new(mem, uint32_t, m->n), *first = arena_new(mem, uint32_t, nseries);
    struct column *cols = arena_new(mem, struct column, m->ncols);
    for (uint32_t i = m->n; i-- > 0;) {
        series[i] = of[i] + (i % 2 && twice ? nseries : 0);
        first[of[i]] = i;
    }
    for (uint32_t c = 0; c < m->ncols; c++) {
        cols[c] = b.cols[c];
        if (b.cols[c].key.place != PLACE_LABEL)
            continue;
        uint32_t *code = arena_new(mem, uint32_t, all);
        for (uint32_t s = 0; s < all; s++)
            code[s] = column_code(&b.cols[c], first[s % nseries]);
        cols[c].code = code;
        cols[c].form = CODES_U32;
    }
    b.cols = cols;
    b.series = series;
    b.nseries = all;
    return b;
}

static void write_and_check(const struct model *m, const struct block *b, const char *name)
{
    struct chunk_out out;
    struct fault f = { 0 };
    if (chunk_encode(TABLE_SAMPLE, b, 0, m->mem, &out, &f))
        fail_msg("%s: %s", name, f.msg);
    model_check(m, &out, false, name);
}

static void test_random(void **state)
{
    (void)state;
    const char *env = getenv("CHUNK_SEED");
    uint64_t seed = env ? strtoull(env, NULL, 10) : 20261124;
    for (unsigned round = 0; round < 60; round++) {
        struct rng rng = { seed + round };
        char name[80];
        snprintf(name, sizeof name, "CHUNK_SEED=%llu", (unsigned long long)(seed + round));
        struct arena mem;
        arena_init(&mem, (size_t)64 << 20);
        struct model m;
        uint32_t nseries = 1 + (uint32_t)rng_below(&rng, SERIES_MAX), n = 1 + (uint32_t)rng_below(&rng, 2500);
        uint32_t *of = arena_new(&mem, uint32_t, n);
        samples(&m, &rng, &mem, n, nseries, of);
        struct block rows = model_block(&m), series = by_series(&m, of, nseries, false), twice = by_series(&m, of, nseries, true);
        write_and_check(&m, &rows, name);
        write_and_check(&m, &series, name);
        write_and_check(&m, &twice, name);
        arena_done(&mem);
    }
}

/* As many rows as a chunk of any level may have, of long and of short series. */
static void test_large(void **state)
{
    (void)state;
    enum { N = CHUNK_ROWS_LIMIT, SHORT = 20000 };
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)2 << 30);
    uint32_t *series = arena_new(&mem, uint32_t, N), *sel = arena_new(&mem, uint32_t, N), *code = arena_new(&mem, uint32_t, SHORT + 1);
    int64_t *time = arena_new(&mem, int64_t, N);
    double *value = arena_new(&mem, double, N);
    uint8_t *one = arena_new(&mem, uint8_t, N);
    uint64_t *seq = arena_new(&mem, uint64_t, N);
    struct value *dict = arena_new(&mem, struct value, SHORT + 2);
    for (uint32_t s = 0; s <= SHORT; s++) {
        code[s] = s + 1;
        dict[s + 1] = value_str(arena_fmt(&mem, "session-%u", s));
    }
    for (uint32_t i = 0; i < N; i++) {             /* half of the rows are one series */
        series[i] = i % 2 ? SHORT : i / 2 % SHORT;
        time[i] = INT64_C(1795000000000000000) + i / 2 / SHORT * INT64_C(60000000000) + (i % 2 ? i : 0);
        value[i] = i % 2 ? i * 0.1 : (double)(i / SHORT);
        seq[i] = i;
        one[i] = 1;
        sel[i] = N - 1 - i;
    }
    struct column col = { .key = { PLACE_LABEL, S("session_id") }, .code = code, .dict = dict, .ndict = SHORT + 2 };
    struct block in = { .n = N, .sel = sel, .nsel = N, .time_ns = time, .recv_ns = time, .start_ns = time, .value = value,
                        .temporality = one, .origin = one, .seq = seq, .cols = &col, .ncols = 1, .series = series, .nseries = SHORT + 1 };
    struct chunk_out out;
    struct chunk_shape shape;
    struct block b = { 0 };
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    assert_int_equal(chunk_encode(TABLE_SAMPLE, &in, 2, &mem, &out, NULL), OK);
    for (uint32_t i = 0; i < out.nblobs; i++)
        if (out.blobs[i].column < CHUNK_FIXED_COUNT)
            fixed[out.blobs[i].column] = out.blobs[i].data;
    assert_int_equal(chunk_shape_read(fixed[CHUNK_RUNS], N, &mem, &shape, NULL), OK);
    assert_int_equal(shape.nruns, SHORT + 1);
    assert_int_equal(chunk_fixed_read(fixed, &shape, &mem, &b, NULL), OK);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t k = b.seq[i];
        assert_true(k < N && sel[k] != UINT32_MAX);
        sel[k] = UINT32_MAX;                       /* each once */
        assert_true(b.time_ns[i] == time[k] && b.start_ns[i] == time[k] && memcmp(&b.value[i], &value[k], sizeof *value) == 0);
    }
}

static void test_flips(void **state)
{
    (void)state;
    enum { N = 400, SERIES = 30 };
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)64 << 20);
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct rng rng = { seed };
        struct model m;
        struct chunk_out out;
        uint32_t *of = arena_new(&mem, uint32_t, N);
        samples(&m, &rng, &mem, N, SERIES, of);
        struct block b = model_block(&m);
        assert_int_equal(chunk_encode(TABLE_SAMPLE, &b, 0, &mem, &out, NULL), OK);
        model_flips(&m, &out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_large), cmocka_unit_test(test_flips) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
