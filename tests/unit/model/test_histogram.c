/* Native histograms: spans, validity, schemas, the stored bytes, and their place in a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model/histogram.h"

static struct arena mem;

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

enum { MOST = 8 };

/* ---- spans ----------------------------------------------------------------- */

static const struct {
    struct hist_span spans[MOST];
    uint32_t nspans, ncounts;
    int32_t index[MOST];
    enum err err;
} spans[] = {
    { { { 0, 0 } }, 0, 0, { 0 }, OK },
    { { { 0, 2 }, { 1, 2 } }, 2, 4, { 0, 1, 3, 4 }, OK },
    { { { -3, 1 }, { 0, 1 }, { 2, 1 } }, 3, 3, { -3, -2, 1 }, OK },
    { { { 5, 0 }, { 2, 1 } }, 2, 1, { 7 }, OK },
    { { { 0, 2 } }, 1, 3, { 0 }, E_SYNTAX },
    { { { 0, 4 } }, 1, 3, { 0 }, E_SYNTAX },
    { { { 0, 1 }, { -1, 1 } }, 2, 2, { 0 }, E_SYNTAX },
    { { { INT32_MAX, 2 } }, 1, 2, { 0 }, E_SYNTAX },
    { { { INT32_MAX, 1 }, { INT32_MAX, UINT32_MAX } }, 2, 1, { 0 }, E_SYNTAX },
};

static void buckets_from_spans(void **state)
{
    (void)state;
    static const double counts[MOST] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    for (size_t i = 0; i < LEN(spans); i++) {
        struct hist_buckets b = { 0 };
        struct fault f = { 0 };
        enum err e = hist_from_spans(&mem, spans[i].spans, spans[i].nspans, counts, spans[i].ncounts, &b, &f);
        if (e != spans[i].err || b.n != (e ? 0 : spans[i].ncounts))
            fail_msg("row %zu: %d, %u buckets (%s)", i, e, b.n, f.msg);
        for (uint32_t k = 0; k < b.n; k++)
            if (b.index[k] != spans[i].index[k] || b.count[k] != counts[k])
                fail_msg("row %zu: bucket %u is %d", i, k, b.index[k]);
        uint32_t n;
        const struct hist_span *back = hist_to_spans(&mem, &b, &n);
        struct hist_buckets again = { 0 };
        if (hist_from_spans(&mem, back, n, counts, b.n, &again, &f) || again.n != b.n)
            fail_msg("row %zu: its spans do not read back", i);
        for (uint32_t k = 0; k < b.n; k++)
            assert_int_equal(again.index[k], b.index[k]);
    }
}

/* ---- validity and bytes ---------------------------------------------------- */

struct spec {
    int32_t schema;
    enum hist_hint hint;
    bool integer;
    double count, sum, zero_threshold, zero_count;
    uint32_t npos, nneg, nbounds;
    int32_t pos[MOST], neg[MOST];
    double pcount[MOST], ncount[MOST], bounds[MOST];
    enum err err;                                  /* of histogram_check() */
};

static const struct spec specs[] = {
    { .schema = 0 },
    { .schema = 3, .integer = true, .count = 10, .sum = -2.5, .zero_threshold = 1e-128, .zero_count = 1, .npos = 3,
      .nneg = 2, .pos = { -4, -3, 900 }, .neg = { 0, 7 }, .pcount = { 1, 0, 5 }, .ncount = { 1, 2 } },
    { .schema = -4, .hint = HINT_GAUGE, .count = -0.5, .sum = 7, .npos = 1, .pos = { 1 }, .pcount = { -0.5 } },
    { .schema = 8, .hint = HINT_NO_RESET, .count = 1.5, .sum = NAN, .npos = 1, .pos = { INT32_MAX }, .pcount = { 1.5 } },
    { .schema = 8, .hint = HINT_RESET, .count = 1, .sum = 1, .nneg = 2, .neg = { INT32_MIN, INT32_MAX }, .ncount = { 0, 1 } },
    { .schema = HIST_CUSTOM, .integer = true, .count = 3, .sum = 9, .npos = 2, .pos = { 0, 2 }, .pcount = { 1, 2 },
      .nbounds = 2, .bounds = { -1, 5 } },
    { .schema = 0, .integer = true, .count = 9007199254740992.0, .sum = 1, .npos = 1, .pos = { 0 },
      .pcount = { 9007199254740992.0 } },
    { .schema = 0, .count = INFINITY, .sum = 1, .npos = 2, .pos = { 0, 1 }, .pcount = { INFINITY, NAN } },
    /* refused */
    { .schema = 9, .err = E_SYNTAX },
    { .schema = -5, .err = E_SYNTAX },
    { .schema = 0, .nbounds = 1, .bounds = { 1 }, .err = E_SYNTAX },
    { .schema = 0, .count = -1, .err = E_SYNTAX },
    { .schema = 0, .npos = 1, .pcount = { -1 }, .err = E_SYNTAX },
    { .schema = 0, .integer = true, .count = 2, .npos = 1, .pcount = { 1 }, .err = E_SYNTAX },
    { .schema = 0, .integer = true, .count = 1, .sum = NAN, .npos = 1, .pcount = { 2 }, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .zero_count = 1, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .zero_threshold = 1, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .nneg = 1, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .nbounds = 2, .bounds = { 2, 2 }, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .nbounds = 1, .bounds = { INFINITY }, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .nbounds = 1, .bounds = { NAN }, .err = E_SYNTAX },
    { .schema = HIST_CUSTOM, .npos = 1, .pos = { 2 }, .nbounds = 1, .bounds = { 1 }, .err = E_SYNTAX },
};

static struct histogram made(const struct spec *s)
{
    struct histogram h = {
        .schema = s->schema, .hint = s->hint, .integer = s->integer, .count = s->count, .sum = s->sum,
        .zero_threshold = s->zero_threshold, .zero_count = s->zero_count, .bounds = s->bounds, .nbounds = s->nbounds,
    };
    h.pos = (struct hist_buckets){ arena_new(&mem, int32_t, MOST), arena_new(&mem, double, MOST), s->npos };
    h.neg = (struct hist_buckets){ arena_new(&mem, int32_t, MOST), arena_new(&mem, double, MOST), s->nneg };
    memcpy(h.pos.index, s->pos, sizeof s->pos);
    memcpy(h.pos.count, s->pcount, sizeof s->pcount);
    memcpy(h.neg.index, s->neg, sizeof s->neg);
    memcpy(h.neg.count, s->ncount, sizeof s->ncount);
    return h;
}

static bool same_bits(const double *a, const double *b, uint32_t n)
{
    return !n || memcmp(a, b, sizeof *a * n) == 0;
}

static bool same_indices(const struct hist_buckets *a, const struct hist_buckets *b)
{
    return !a->n || memcmp(a->index, b->index, sizeof *a->index * a->n) == 0;
}

static bool same(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && a->hint == b->hint && a->integer == b->integer && same_bits(&a->count, &b->count, 1) &&
           same_bits(&a->sum, &b->sum, 1) && same_bits(&a->zero_threshold, &b->zero_threshold, 1) &&
           same_bits(&a->zero_count, &b->zero_count, 1) && a->pos.n == b->pos.n && a->neg.n == b->neg.n &&
           a->nbounds == b->nbounds && same_indices(&a->pos, &b->pos) && same_indices(&a->neg, &b->neg) &&
           same_bits(a->pos.count, b->pos.count, a->pos.n) && same_bits(a->neg.count, b->neg.count, a->neg.n) && same_bits(a->bounds, b->bounds, a->nbounds);
}

/* What is valid reads back alike; every prefix of its bytes, and one byte more, is refused. */
static void stored_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(specs); i++) {
        struct histogram h = made(&specs[i]), back;
        struct fault f = { 0 };
        enum err e = histogram_check(&h, &f);
        if (e != specs[i].err)
            fail_msg("row %zu: check says %d (%s)", i, e, f.msg);
        if (e)
            continue;
        struct str bytes;
        if (histogram_encode(&mem, &h, &bytes, &f) || histogram_decode(bytes, &mem, &back, &f) || !same(&h, &back))
            fail_msg("row %zu: does not read back (%s)", i, f.msg);
        for (size_t n = 0; n < bytes.n; n++)
            if (histogram_decode(str_sub(bytes, 0, n), &mem, &back, &f) != E_CORRUPT)
                fail_msg("row %zu: %zu of %zu bytes are enough", i, n, bytes.n);
        char *more = arena_alloc(&mem, bytes.n + 1, 1);
        memcpy(more, bytes.p, bytes.n);
        if (histogram_decode((struct str){ more, bytes.n + 1 }, &mem, &back, &f) != E_CORRUPT)
            fail_msg("row %zu: a byte more is taken", i);
    }
}

static void too_many_buckets(void **state)
{
    (void)state;
    uint32_t n = HIST_BUCKETS_MAX + 1;
    struct histogram h = { .pos = { arena_new(&mem, int32_t, n), arena_new(&mem, double, n), n } };
    struct str bytes;
    struct fault f;
    struct hist_buckets b;
    assert_int_equal(histogram_encode(&mem, &h, &bytes, &f), E_LIMIT);
    assert_int_equal(hist_from_spans(&mem, &(struct hist_span){ 0, n }, 1, h.pos.count, n, &b, &f), E_LIMIT);
    /* as many as there may be, each at its longest */
    h.pos.n = HIST_BUCKETS_MAX;
    for (uint32_t i = 0; i < h.pos.n; i++) {
        h.pos.index[i] = INT32_MIN + (int32_t)(i * 131072);
        h.pos.count[i] = i & 1 ? 9007199254740992.0 : 0;
    }
    struct histogram back;
    assert_int_equal(histogram_encode(&mem, &h, &bytes, &f), OK);
    assert_int_equal(histogram_decode(bytes, &mem, &back, &f), OK);
    h.bounds = back.bounds;
    assert_true(same(&h, &back));
}

/* ---- schemas --------------------------------------------------------------- */

static const struct {
    int32_t from, to;
    uint32_t n, nout;
    int32_t index[MOST], out[MOST];
    double count[MOST], sums[MOST];
} coarser[] = {
    { 1, 1, 2, 2, { 1, 2 }, { 1, 2 }, { 3, 4 }, { 3, 4 } },
    { 1, 0, 4, 3, { 0, 1, 2, 3 }, { 0, 1, 2 }, { 1, 2, 3, 4 }, { 1, 5, 4 } },
    { 2, 0, 6, 3, { -7, -4, -3, 0, 1, 4 }, { -1, 0, 1 }, { 1, 1, 1, 1, 1, 1 }, { 2, 2, 2 } },
    { 8, -4, 3, 2, { INT32_MIN, -5000, 5000 }, { INT32_MIN / 4096, -1 }, { 1, 2, 3 }, { 1, 2 } },
    { 52, 8, 2, 2, { -1, INT32_MAX }, { 0, 1 }, { 1, 2 }, { 1, 2 } },
};

static void to_a_coarser_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(coarser); i++) {
        struct spec s = { .schema = coarser[i].from, .npos = coarser[i].n };
        memcpy(s.pos, coarser[i].index, sizeof s.pos);
        memcpy(s.pcount, coarser[i].count, sizeof s.pcount);
        struct histogram h = made(&s), out = histogram_coarsen(&mem, &h, coarser[i].to);
        assert_int_equal(out.schema, coarser[i].to);
        for (uint32_t k = 0; k < coarser[i].nout; k++) {
            /* The names of what came together, from the definition of the bounds. */
            double width = exp2(coarser[i].from - coarser[i].to);
            int32_t want = i == 3 ? (int32_t)ceil((double)coarser[i].index[k] / width) : coarser[i].out[k];
            if (out.pos.index[k] != want || (i != 3 && out.pos.count[k] != coarser[i].sums[k]))
                fail_msg("row %zu: bucket %u is %d: %g", i, k, out.pos.index[k], out.pos.count[k]);
        }
    }
}

/* ---- rows ------------------------------------------------------------------ */

/* Two histograms of one series and time have one identity, as two numbers have; what tells
 * them apart is the value. */
static void identity_in_rows(void **state)
{
    (void)state;
    struct batch b;
    batch_init(&b, &mem, TABLE_SAMPLE, 1000);
    uint32_t name = batch_col(&b, PLACE_LABEL, S("__name__"));
    for (int i = 0; i < 4; i++) {
        struct row *r = batch_row(&b);
        r->time_ns = 5;
        cells_put(&r->cells, &mem, name, value_str(S("latency")));
        struct spec s = { .schema = 2, .count = i == 2 ? 2 : 1, .sum = 1 };
        struct histogram h = made(&s);
        struct fault f;
        if (i == 3)
            r->value = 1;
        else
            assert_int_equal(histogram_put(&b, r, &h, &f), OK);
    }
    rows_identify(&b);
    for (int i = 1; i < 4; i++)
        assert_true(id128_eq(b.rows[0].id, b.rows[i].id));
    assert_memory_equal(&b.rows[0].value, &b.rows[1].value, sizeof(double));
    assert_memory_not_equal(&b.rows[0].value, &b.rows[2].value, sizeof(double));
    assert_true(isnan(b.rows[0].value) && colkey_is_histogram(&b.cols[b.rows[0].cells.at[0].col]));
    batch_done(&b);
}

static void stale_marker(void **state)
{
    (void)state;
    uint64_t bits = UINT64_C(0x7ff0000000000002);
    struct histogram h = { .sum = NAN };
    assert_false(histogram_is_stale(&h));
    memcpy(&h.sum, &bits, sizeof bits);
    assert_true(histogram_is_stale(&h));
    struct str bytes;
    struct fault f;
    struct histogram back;
    assert_int_equal(histogram_encode(&mem, &h, &bytes, &f), OK);
    assert_int_equal(histogram_decode(bytes, &mem, &back, &f), E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(buckets_from_spans, setup, teardown),
        cmocka_unit_test_setup_teardown(stored_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_buckets, setup, teardown),
        cmocka_unit_test_setup_teardown(to_a_coarser_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(identity_in_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(stale_marker, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
