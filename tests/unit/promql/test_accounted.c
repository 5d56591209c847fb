/* tests/unit/promql/test_accounted.c -- the accounting of OTLP series: rows written
 * out by hand, then random rows against a naive model.
 *
 * The model knows all rows of a series, sorts them and adds up. What is tested sees
 * only the rows that a query would scan (a minute more than the window on both
 * sides) and the bases of what lies before, and must give the same increase, bit for
 * bit for money and whole numbers, and the same visible samples in every window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "promql/accounted.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, ROWS_MAX = 64, SAMPLES_MAX = 2 * ROWS_MAX };
#define DAY (24 * (int64_t)HOUR)

/* Rows are {time, start, stream, value, cumulative}. */
#define DELTA(t, start, v) { t, start, start, v, false }
#define TOTAL(t, start, v) { t, start, start, v, true }

struct sample {
    int64_t t;
    double v;
};

static struct accounted build(struct arena *mem, const struct acc_row *rows, size_t n, const struct acc_input *rest)
{
    struct acc_row copy[ROWS_MAX];
    assert_true(n <= ROWS_MAX);
    memcpy(copy, rows, sizeof *rows * n);
    struct acc_input in = *rest;
    in.rows = copy;
    in.n = n;
    struct accounted a;
    accounted_build(mem, &in, &a);
    return a;
}

/* ---- samples by hand ------------------------------------------------------- */

static const struct {
    const char *what;
    struct acc_row rows[6];
    size_t n;
    struct sample want[8];
    size_t nwant;
} shown[] = {
    { "one delta: zero a minute before, then the value",
      { DELTA(200000, 100000, 5) }, 1, { { 140000, 0 }, { 200000, 5 } }, 2 },
    { "a delta's start is nearer than a minute",
      { DELTA(200000, 190000, 5) }, 1, { { 190000, 0 }, { 200000, 5 } }, 2 },
    { "deltas ten seconds apart: each shows the total before, a millisecond after the last",
      { DELTA(200000, 190000, 5), DELTA(210000, 200000, 2) }, 2,
      { { 190000, 0 }, { 200000, 5 }, { 200001, 5 }, { 210000, 7 } }, 4 },
    { "deltas after a pause of an hour",
      { DELTA(200000, 190000, 5), DELTA(3800000, 200000, 2) }, 2,
      { { 190000, 0 }, { 200000, 5 }, { 3740000, 5 }, { 3800000, 7 } }, 4 },
    { "a delta whose start is its time: nothing can stand before it",
      { DELTA(200000, 200000, 5) }, 1, { { 200000, 5 } }, 1 },
    { "two deltas of one time are one point",
      { DELTA(200000, 190000, 5), DELTA(200000, 180000, 3) }, 2, { { 180000, 0 }, { 200000, 8 } }, 2 },
    { "deltas a millisecond apart",
      { DELTA(200000, 190000, 5), DELTA(200001, 200000, 1) }, 2, { { 190000, 0 }, { 200000, 5 }, { 200001, 6 } }, 3 },
    { "cumulative every 30 s: the total before shows once, at birth",
      { TOTAL(200000, 150000, 5), TOTAL(230000, 150000, 7) }, 2, { { 150000, 0 }, { 200000, 5 }, { 230000, 7 } }, 3 },
    { "cumulative just a minute apart: not older than 60 s",
      { TOTAL(200000, 150000, 5), TOTAL(260000, 150000, 7) }, 2, { { 150000, 0 }, { 200000, 5 }, { 260000, 7 } }, 3 },
    { "cumulative more than a minute apart",
      { TOTAL(200000, 150000, 5), TOTAL(260001, 150000, 7) }, 2,
      { { 150000, 0 }, { 200000, 5 }, { 200001, 5 }, { 260001, 7 } }, 4 },
    { "two streams add up",
      { TOTAL(200000, 150000, 5), TOTAL(230000, 210000, 7), TOTAL(260000, 150000, 6) }, 3,
      { { 150000, 0 }, { 200000, 5 }, { 230000, 12 }, { 260000, 13 } }, 4 },
    { "a total that falls in a stream of known start adds nothing",
      { TOTAL(200000, 150000, 5), TOTAL(230000, 150000, 3), TOTAL(250000, 150000, 6) }, 3,
      { { 150000, 0 }, { 200000, 5 }, { 230000, 5 }, { 250000, 6 } }, 4 },
    { "a total that falls in a stream of unknown start has begun again",
      { TOTAL(200000, 0, 5), TOTAL(230000, 0, 3), TOTAL(250000, 0, 6) }, 3,
      { { 140000, 0 }, { 200000, 5 }, { 230000, 8 }, { 250000, 11 } }, 4 },
    { "of two rows of one time and stream the larger counts",
      { TOTAL(200000, 150000, 5), TOTAL(200000, 150000, 8) }, 2, { { 150000, 0 }, { 200000, 8 } }, 2 },
    { "the same with an unknown start",
      { TOTAL(200000, 0, 8), TOTAL(200000, 0, 5) }, 2, { { 140000, 0 }, { 200000, 8 } }, 2 },
    { "delta and cumulative on one label set",
      { DELTA(200000, 190000, 5), TOTAL(205000, 150000, 10), DELTA(210000, 200000, 1) }, 3,
      { { 190000, 0 }, { 200000, 5 }, { 205000, 15 }, { 205001, 15 }, { 210000, 16 } }, 5 },
    { "what is no number is no amount",
      { DELTA(200000, 190000, NAN), DELTA(210000, 200000, 1), DELTA(220000, 210000, INFINITY) }, 3,
      { { 190000, 0 }, { 200000, 0 }, { 200001, 0 }, { 210000, 1 }, { 210001, 1 }, { 220000, 1 } }, 6 },
    { "after more than 35 days the total begins at zero",
      { DELTA(200000, 190000, 5), DELTA(200000 + 35 * DAY + 1, 200000 + 35 * DAY - 9999, 2) }, 2,
      { { 190000, 0 }, { 200000, 5 }, { 200000 + 35 * DAY - 9999, 0 }, { 200000 + 35 * DAY + 1, 2 } }, 4 },
    { "after 35 days just so it does not",
      { DELTA(200000, 190000, 5), DELTA(200000 + 35 * DAY, 200000 + 35 * DAY - 10000, 2) }, 2,
      { { 190000, 0 }, { 200000, 5 }, { 200000 + 35 * DAY - 10000, 5 }, { 200000 + 35 * DAY, 7 } }, 4 },
    { "a stream that pauses longer counts in full again",
      { TOTAL(200000, 150000, 5), TOTAL(200000 + 36 * DAY, 150000, 7) }, 2,
      { { 150000, 0 }, { 200000, 5 }, { 140000 + 36 * DAY, 0 }, { 200000 + 36 * DAY, 7 } }, 4 },
};

static void test_shown(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(shown); i++) {
        struct acc_row rows[6];
        for (size_t k = 0; k < shown[i].n; k++)    /* in any order of arrival */
            rows[k] = shown[i].rows[shown[i].n - 1 - k];
        struct accounted a = build(&mem, rows, shown[i].n, &(struct acc_input){ 0 });
        bool same = a.nv == shown[i].nwant;
        for (size_t k = 0; k < a.nv && same; k++)
            same = a.vt[k] == shown[i].want[k].t && a.vv[k] == shown[i].want[k].v;
        if (same)
            continue;
        printf("row %zu: %s\n", i, shown[i].what);
        for (size_t k = 0; k < a.nv; k++)
            printf("  got  %lld %g\n", (long long)a.vt[k], a.vv[k]);
        for (size_t k = 0; k < shown[i].nwant; k++)
            printf("  want %lld %g\n", (long long)shown[i].want[k].t, shown[i].want[k].v);
        fail();
    }
    arena_done(&mem);
}

/* ---- bases ----------------------------------------------------------------- */

static void test_bases(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct acc_row rows[] = { TOTAL(200000, 1000, 12), TOTAL(230000, 1000, 15), DELTA(240000, 235000, 1) };
    struct acc_base base = { 1000, 10, 170000 };
    struct acc_input in = { .bases = &base, .nbases = 1, .has_before = true, .before = 25, .before_last = 170000 };
    struct accounted a = build(&mem, rows, LEN(rows), &in);
    double v;
    assert_true(accounted_increase(&a, 180000, 300000, &v));
    assert_true(v == 6);                           /* 2 + 3 + 1: the base is no increase */
    assert_true(a.vv[a.nv - 1] == 31);             /* other streams and deltas count in the total */
    assert_int_equal(a.vt[0], 200000);             /* the sample before is 30 s old: it holds on by itself */

    base.last = 200000 - 36 * DAY;                 /* too long ago: the stream counts in full */
    in.before_last = 200000 - 36 * DAY;
    a = build(&mem, rows, LEN(rows), &in);
    assert_true(accounted_increase(&a, 180000, 300000, &v));
    assert_true(v == 16);
    assert_true(a.vv[a.nv - 1] == 16);
    arena_done(&mem);
}

/* Edges of windows: (start, end]. */
static void test_edges(void **state)
{
    (void)state;
    static const struct { int64_t start, end; bool any; double want; } rows[] = {
        { 0, 139999, false, 0 },                   /* nothing to see yet */
        { 0, 140000, true, 0 },                    /* the zero before the first point */
        { 140000, 199999, false, 0 },
        { 140000, 200000, true, 5 },
        { 199999, 200000, true, 5 },
        { 200000, 200001, false, 0 },
        { 200000, 739999, false, 0 },
        { 200000, 740000, true, 0 },               /* the total before the second point */
        { 200000, 800000, true, 2 },
        { 0, 800000, true, 7 },
        { 800000, 9000000, false, 0 },
    };
    struct arena mem;
    arena_init(&mem, 1 << 20);
    const struct acc_row r[] = { DELTA(200000, 100000, 5), DELTA(800000, 200000, 2) };
    struct accounted a = build(&mem, r, LEN(r), &(struct acc_input){ 0 });
    for (size_t i = 0; i < LEN(rows); i++) {
        double v = 0;
        bool any = accounted_increase(&a, rows[i].start, rows[i].end, &v);
        if (any != rows[i].any || (any && v != rows[i].want)) {
            printf("row %zu: (%lld, %lld] gives %d %g\n", i, (long long)rows[i].start, (long long)rows[i].end, any, v);
            fail();
        }
    }
    arena_done(&mem);
}

static void test_money(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct acc_row rows[ROWS_MAX];
    for (size_t i = 0; i < ROWS_MAX; i++)
        rows[i] = (struct acc_row)DELTA((int64_t)(i + 1) * MINUTE, (int64_t)i * MINUTE, 0.1);
    struct accounted a = build(&mem, rows, ROWS_MAX, &(struct acc_input){ .money = true });
    double v;
    assert_true(accounted_increase(&a, 0, 100 * MINUTE, &v) && v == 6.4);
    assert_true(accounted_increase(&a, 0, 3 * MINUTE, &v) && v == 0.3);
    assert_true(a.vv[a.nv - 1] == 6.4);
    rows[3].v = 1e12;                              /* no money that fits in nano-dollars: doubles */
    a = build(&mem, rows, ROWS_MAX, &(struct acc_input){ .money = true });
    assert_false(a.money);
    assert_true(accounted_increase(&a, 0, 100 * MINUTE, &v) && fabs(v - 1000000000006.3) < 1e-3);
    arena_done(&mem);
}

/* Running totals of doubles lose nothing of a small amount after large ones. */
static void test_doubles(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    const struct acc_row rows[] = { DELTA(1000, 1, 1e15), DELTA(2000, 1000, 0.1), DELTA(3000, 2000, 0.2) };
    struct accounted a = build(&mem, rows, LEN(rows), &(struct acc_input){ 0 });
    double v;
    assert_true(accounted_increase(&a, 1500, 3000, &v) && v == 0.1 + 0.2);
    assert_true(accounted_increase(&a, 1500, 2000, &v) && v == 0.1);
    arena_done(&mem);
}

/* ---- random rows against the model ----------------------------------------- */

static uint64_t seed;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

struct model_inc {
    int64_t t, start, nano;
    double v;
    bool delta;
};

struct model {
    struct acc_row rows[ROWS_MAX];
    size_t n;
    bool money;
    struct model_inc incs[ROWS_MAX];
    struct sample samples[SAMPLES_MAX];
    size_t nsamples;
};

static int64_t nano_of(double v)
{
    return llround(v * 1e9);
}

/* Three processes: one sends deltas, two send totals; the second of these may have
 * an unknown start. Times cluster, collide and pause; rows arrive in any order. */
static void model_rows(struct model *m, bool money)
{
    static const int64_t gaps[] = { 0, 1, 250, 5000, 10000, 10000, 10000, 59999, 60000, 60001, 5 * MINUTE, HOUR, 3 * HOUR };
    *m = (struct model){ .n = 1 + rnd(ROWS_MAX), .money = money };
    int64_t t = 100 * (int64_t)HOUR, last = t - 10000;
    double total[2] = { 0, 0 };
    int64_t start[2] = { t - rnd(HOUR), rnd(2) ? 0 : t - rnd(HOUR) };
    for (size_t i = 0; i < m->n; i++) {
        t += gaps[rnd(LEN(gaps))];
        double amount = money ? rnd(1000000) / 1e6 : rnd(2000);
        uint32_t who = rnd(3);
        if (who == 2) {
            m->rows[i] = (struct acc_row)DELTA(t, rnd(4) ? last : t - rnd(HOUR), amount);
            last = t;
            continue;
        }
        total[who] += amount;
        if (!rnd(12)) {                            /* the process starts again */
            total[who] = amount;
            start[who] = start[who] ? t - rnd(MINUTE) : 0;
        }
        m->rows[i] = (struct acc_row)TOTAL(t, start[who], total[who]);
    }
    for (size_t i = m->n; i > 1; i--) {
        size_t k = rnd((uint32_t)i);
        struct acc_row x = m->rows[i - 1];
        m->rows[i - 1] = m->rows[k];
        m->rows[k] = x;
    }
}

/* The first time after `after` at which a stream has a row; INT64_MAX: none. */
static int64_t next_time(const struct model *m, int64_t stream, int64_t after)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].cumulative && m->rows[i].stream == stream && m->rows[i].t > after && m->rows[i].t < next)
            next = m->rows[i].t;
    return next;
}

/* Moves what a stream amounts to over its rows of one time. An unknown start and a
 * fall: it began again. */
static double move_on(const struct model *m, int64_t stream, int64_t t, double greatest)
{
    double low = INFINITY, high = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].cumulative && m->rows[i].stream == stream && m->rows[i].t == t) {
            low = fmin(low, m->rows[i].v);
            high = fmax(high, m->rows[i].v);
        }
    return fmax(!stream && low < greatest ? 0 : greatest, high);
}

/* The same up to, and without, row r among those of its own time. */
static double before_row(const struct model *m, size_t r, double greatest)
{
    const struct acc_row *row = &m->rows[r];
    double low = INFINITY, smaller = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct acc_row *x = &m->rows[i];
        if (!x->cumulative || x->stream != row->stream || x->t != row->t)
            continue;
        low = fmin(low, x->v);
        if (x->v < row->v || (x->v == row->v && i < r))
            smaller = fmax(smaller, x->v);
    }
    return fmax(!row->stream && low < greatest ? 0 : greatest, smaller);
}

/* What row r is more than the rows of its stream before it. */
static struct model_inc model_inc(const struct model *m, size_t r)
{
    const struct acc_row *row = &m->rows[r];
    struct model_inc c = { .t = row->t, .start = row->start, .delta = !row->cumulative };
    double before = 0;
    if (row->cumulative) {
        for (int64_t t = INT64_MIN; (t = next_time(m, row->stream, t)) < row->t;)
            before = move_on(m, row->stream, t, before);
        before = before_row(m, r, before);
    }
    c.v = fmax(0, row->v - before);
    c.nano = nano_of(row->v) > nano_of(before) ? nano_of(row->v) - nano_of(before) : 0;
    return c;
}

/* Rule 3, read out word by word over all increments. */
static void model_samples(struct model *m)
{
    double total = 0;
    int64_t total_nano = 0, prev = INT64_MIN;
    for (int64_t at = INT64_MIN;;) {
        int64_t t = INT64_MAX;
        for (size_t i = 0; i < m->n; i++)
            if (m->incs[i].t > at && m->incs[i].t < t)
                t = m->incs[i].t;
        if (t == INT64_MAX)
            return;
        int64_t start = INT64_MAX, b;
        bool delta = false;
        double v = 0;
        int64_t nano = 0;
        for (size_t i = 0; i < m->n; i++)
            if (m->incs[i].t == t) {
                start = start < m->incs[i].start ? start : m->incs[i].start;
                delta |= m->incs[i].delta;
                v += m->incs[i].v;
                nano += m->incs[i].nano;
            }
        b = start > t - MINUTE ? start : t - MINUTE;
        if (prev != INT64_MIN && prev + 1 > b)
            b = prev + 1;
        if (b < t && (delta || prev == INT64_MIN || t - prev > MINUTE))
            m->samples[m->nsamples++] = (struct sample){ b, m->money ? (double)total_nano / 1e9 : total };
        total += v;
        total_nano += nano;
        m->samples[m->nsamples++] = (struct sample){ t, m->money ? (double)total_nano / 1e9 : total };
        prev = at = t;
    }
}

static double model_increase(const struct model *m, int64_t start, int64_t end)
{
    double v = 0;
    int64_t nano = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->incs[i].t > start && m->incs[i].t <= end) {
            v += m->incs[i].v;
            nano += m->incs[i].nano;
        }
    return m->money ? (double)nano / 1e9 : v;
}

/* What the store would say about everything before `from`. */
static void model_bases(const struct model *m, int64_t from, struct acc_base *bases, struct acc_input *in)
{
    in->bases = bases;
    for (size_t i = 0; i < m->n; i++) {
        const struct acc_row *r = &m->rows[i];
        if (r->t >= from)
            continue;
        in->before_last = in->has_before && in->before_last > r->t ? in->before_last : r->t;
        in->has_before = true;
        if (!r->cumulative)
            continue;
        size_t k = 0;
        while (k < in->nbases && bases[k].stream != r->stream)
            k++;
        if (k == in->nbases)
            bases[in->nbases++] = (struct acc_base){ .stream = r->stream, .last = INT64_MIN };
        bases[k].last = bases[k].last > r->t ? bases[k].last : r->t;
    }
    for (size_t k = 0; k < in->nbases; k++)
        for (int64_t t = INT64_MIN; (t = next_time(m, bases[k].stream, t)) <= bases[k].last;)
            bases[k].v = move_on(m, bases[k].stream, t, bases[k].v);
    in->before = model_increase(m, INT64_MIN, from - 1);
}

static void check_window(const struct model *m, int64_t start, int64_t end)
{
    struct arena mem;
    struct acc_row rows[ROWS_MAX];
    struct acc_base bases[ROWS_MAX];
    struct acc_input in = { .rows = rows, .money = m->money };
    int64_t from = start + 1 - MINUTE, to = end + MINUTE;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < m->n; i++)
        if (m->rows[i].t >= from && m->rows[i].t <= to)
            rows[in.n++] = m->rows[i];
    model_bases(m, from, bases, &in);
    struct accounted a;
    accounted_build(&mem, &in, &a);

    double got = 0, want = model_increase(m, start, end);
    bool any = accounted_increase(&a, start, end, &got), want_any = false;
    size_t k = 0;
    while (k < a.nv && a.vt[k] <= start)
        k++;
    for (size_t i = 0; i < m->nsamples; i++) {
        if (m->samples[i].t <= start || m->samples[i].t > end)
            continue;
        want_any = true;
        if (k >= a.nv || a.vt[k] != m->samples[i].t || a.vv[k] != m->samples[i].v) {
            printf("window (%lld, %lld]: sample %lld %.17g, got %lld %.17g\n", (long long)start, (long long)end,
                   (long long)m->samples[i].t, m->samples[i].v, k < a.nv ? (long long)a.vt[k] : 0, k < a.nv ? a.vv[k] : 0);
            fail();
        }
        k++;
    }
    bool extra = k < a.nv && a.vt[k] <= end;
    if (any != want_any || extra || (any && got != want)) {
        printf("window (%lld, %lld]: %d %.17g, want %d %.17g, extra %d\n", (long long)start, (long long)end, any, got,
               want_any, want, extra);
        fail();
    }
    arena_done(&mem);
}

static void test_against_model(void **state)
{
    (void)state;
    static struct model m;
    for (uint64_t round = 1; round <= 400; round++) {
        seed = round * UINT64_C(0x9e3779b97f4a7c15);
        model_rows(&m, round % 2);
        for (size_t i = 0; i < m.n; i++)
            m.incs[i] = model_inc(&m, i);
        model_samples(&m);
        int64_t first = m.samples[0].t, last = m.samples[m.nsamples - 1].t;
        for (int k = 0; k < 60; k++) {
            int64_t end = first - MINUTE + (int64_t)rnd((uint32_t)(last - first + 3 * MINUTE));
            if (k % 3 == 0)                        /* edges that fall on samples */
                end = m.samples[rnd((uint32_t)m.nsamples)].t + (int64_t)rnd(3) - 1;
            int64_t width = k % 4 ? 5 * MINUTE + rnd(3 * HOUR) : 1 + rnd(5 * MINUTE);
            check_window(&m, end - width, end);
        }
        check_window(&m, first - HOUR, last + HOUR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown),  cmocka_unit_test(test_bases),   cmocka_unit_test(test_edges),
        cmocka_unit_test(test_money),  cmocka_unit_test(test_doubles), cmocka_unit_test(test_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
