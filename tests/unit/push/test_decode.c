/* From bytes to rows: identity, order of fields, what a walk leaves out and how a text of
 * refusals is made; and that a request of which not all is kept is the same but for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../otlp/enc.h"
#include "base/clock.h"
#include "push/redact.h"

#define NOW (INT64_C(1795447500) * NS_PER_S)
#define NOW_MS (NOW / NS_PER_MS)

static struct arena mem;

static void put_label(struct buf *series, const char *name, const char *value)
{
    struct buf pair;
    buf_init(&pair, ENC_MAX);
    enc_bytes(&pair, 1, str_c(name));
    enc_bytes(&pair, 2, str_c(value));
    enc_message(series, 1, &pair);
    buf_done(&pair);
}

static void put_sample(struct buf *series, int64_t t_ms, double v)
{
    struct buf one;
    buf_init(&one, ENC_MAX);
    enc_double(&one, 1, v);
    enc_int(&one, 2, (uint64_t)t_ms);
    enc_message(series, 2, &one);
    buf_done(&one);
}

static struct batch decode(const struct buf *body, struct push_result *result)
{
    struct batch b;
    struct fault f = { 0 };
    if (write_decode(FRAME_REMOTE_WRITE_1, buf_view(body), NOW, INT64_MIN, NULL, &mem, &b, result, &f))
        fail_msg("%s", f.msg);
    return b;
}

/* Samples before labels, labels in any order, an empty one, a long one: the same series. */
static void one_series(void **state)
{
    (void)state;
    struct buf body, s;
    char value[300];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = 0;
    buf_init(&body, ENC_MAX);
    buf_init(&s, ENC_MAX);
    for (int order = 0; order < 3; order++) {
        if (order == 2)
            put_sample(&s, NOW_MS, 1);
        put_label(&s, order ? "long" : "__name__", order ? value : "m");
        put_label(&s, order ? "__name__" : "long", order ? "m" : value);
        if (order == 1)
            put_label(&s, "empty", "");
        if (order != 2)
            put_sample(&s, NOW_MS, 1);
        enc_message(&body, 1, &s);
    }
    struct push_result result = { 0 };
    struct batch b = decode(&body, &result);
    assert_int_equal(b.nrows, 3);
    assert_int_equal(result.samples, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(id128_eq(b.rows[i].id, b.rows[0].id));
        assert_int_equal(b.rows[i].origin, ORIGIN_REMOTE);
        assert_int_equal(b.rows[i].temporality, TEMPORALITY_NONE);
        assert_int_equal(b.rows[i].time_ns, NOW);
        assert_true(str_eq(row_series_text(&b, &b.rows[i], &mem), row_series_text(&b, &b.rows[0], &mem)));
    }
    batch_done(&b);
    buf_done(&body);
    buf_done(&s);
}

/* Neighbours that differ in a name, in a value, in their number of labels. */
static void neighbours(void **state)
{
    (void)state;
    static const char *const series[][5] = {
        { "__name__", "a", "b", "1", NULL },  { "__name__", "a", "b", "2", NULL },  { "__name__", "a", "c", "2", NULL },
        { "__name__", "a", NULL },            { "__name__", "b", NULL },            { "__name__", "a", "b", "1", NULL },
        { "b", "1", "__name__", "a", NULL },  { "__name__", "a", "b", "\xff", NULL }, { "__name__", "a", "b", "1", NULL },
        { "a", "x", "b", "y", NULL },         { "__name__", "a", "__name__", "b", NULL },
    };
    static const char *const want[] = {
        "{__name__=\"a\", b=\"1\"}", "{__name__=\"a\", b=\"2\"}", "{__name__=\"a\", c=\"2\"}", "{__name__=\"a\"}", "{__name__=\"b\"}",
        "{__name__=\"a\", b=\"1\"}", "{__name__=\"a\", b=\"1\"}", "{__name__=\"a\", b=\"1\"}",
    };
    struct buf body, s;
    buf_init(&body, ENC_MAX);
    buf_init(&s, ENC_MAX);
    for (size_t i = 0; i < LEN(series); i++) {
        for (size_t k = 0; k < LEN(series[i]) && series[i][k]; k += 2)
            put_label(&s, series[i][k], series[i][k + 1]);
        put_sample(&s, NOW_MS, (double)i);
        enc_message(&body, 1, &s);
    }
    struct push_result result = { .v2 = true };
    struct batch b = decode(&body, &result);
    assert_int_equal(b.nrows, LEN(want));
    assert_int_equal(result.invalid, 3);
    assert_int_equal(result.report.n, 3);
    for (size_t i = 0; i < LEN(want); i++) {
        struct str got = row_series_text(&b, &b.rows[i], &mem);
        if (!str_eq(got, str_c(want[i])))
            fail_msg("%zu: " STR_FMT, i, STR_ARG(got));
    }
    batch_done(&b);
    buf_done(&body);
    buf_done(&s);
}

static void reasons(void **state)
{
    (void)state;
    struct report r = { 0 };
    assert_true(str_eq(report_text(&r, S("; "), true, &mem), S("")));
    report_add(&r, &mem, "%s", "one");
    report_add(&r, &mem, "%s", "two");
    report_add(&r, &mem, "%s", "one");
    assert_true(str_eq(report_text(&r, S("; "), true, &mem), S("2 errors like: one; two")));
    assert_true(str_eq(report_text(&r, S("\n"), false, &mem), S("one\ntwo")));
    for (int i = 0; i < PUSH_REFUSALS_MAX + 5; i++)
        report_add(&r, &mem, "reason %d", i);
    assert_int_equal(r.n, PUSH_REFUSALS_MAX);
    assert_int_equal(r.more, 7);
    assert_true(str_ends(report_text(&r, S("; "), true, &mem), S("; and 7 more")));
}

/* Without rules a request that is written anew holds what it held: in both languages. */
static void written_anew(void **state)
{
    (void)state;
    static const struct str json = S("{\"streams\":[{\"stream\":{\"a\":\"b\\n\",\"c\":\"d\"},\"values\":[[\"1795447500000000001\",\"x\\u00e4\",{\"k\":\"v\"}],"
                                     "[\"-1\",\"\"]]},{\"stream\":{\"z\":\"1\"},\"values\":[[\"1795447500000000002\",\"y\"]]}]}");
    struct redact r;
    struct push_result result = { 0 };
    struct fault f = { 0 };
    struct batch before, after;
    struct str body;
    enum frame_kind kind = FRAME_LOKI_JSON;
    redact_init(&r, NULL);
    assert_int_equal(loki_decode(kind, json, NOW, INT64_MIN, &mem, &before, &result, &f), OK);
    assert_int_equal(redact_loki(&r, &kind, json, &mem, NOW, &result, &body, &f), OK);
    assert_int_equal(kind, FRAME_LOKI_PB);
    assert_int_equal(loki_decode(kind, body, NOW, INT64_MIN, &mem, &after, &result, &f), OK);
    assert_int_equal(before.nrows, 3);
    assert_int_equal(after.nrows, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(id128_eq(before.rows[i].id, after.rows[i].id));
    batch_done(&before);
    batch_done(&after);
    redact_done(&r);
}

/* ---- series that were decoded before ------------------------------------------------------- */

static struct batch decode_seen(const struct buf *body, struct seen *seen, struct push_result *result)
{
    struct batch b;
    struct fault f = { 0 };
    if (write_decode(FRAME_REMOTE_WRITE_1, buf_view(body), NOW, INT64_MIN, seen, &mem, &b, result, &f))
        fail_msg("%s", f.msg);
    return b;
}

static void same_batch(const struct batch *a, const struct batch *b)
{
    assert_int_equal(a->nrows, b->nrows);
    for (uint32_t i = 0; i < a->nrows; i++) {
        const struct row *x = &a->rows[i], *y = &b->rows[i];
        assert_true(id128_eq(x->id, y->id));
        assert_true(x->time_ns == y->time_ns && memcmp(&x->value, &y->value, sizeof x->value) == 0);
        assert_true(str_eq(row_series_text(a, x, &mem), row_series_text(b, y, &mem)));
    }
}

/* A series in one of the ways in which it may come. */
static void put_series(struct buf *body, int shape, int number)
{
    struct buf s;
    char value[300];
    buf_init(&s, ENC_MAX);
    (void)snprintf(value, sizeof value, "%0*d", shape == 3 ? 280 : 3, number);
    if (shape == 5)
        put_sample(&s, NOW_MS, 0);
    put_label(&s, shape == 4 ? "b" : "__name__", "m");
    put_label(&s, shape == 4 ? "__name__" : "a", value);
    if (shape == 1)
        put_label(&s, "empty", "");
    if (shape == 2)
        put_label(&s, "a", "twice");
    if (shape == 6)
        put_label(&s, "bad", "\xff");
    put_sample(&s, NOW_MS + number, number % 3);   /* 0 is not written by some senders */
    if (shape == 7)
        put_label(&s, "late", "x");
    put_sample(&s, NOW_MS + 1000, 1);
    if (shape == 8)
        enc_bytes(&s, 3, S(""));                   /* an exemplar */
    enc_message(body, 1, &s);
    buf_done(&s);
}

static void seen_or_not(void **state)
{
    (void)state;
    struct seen *seen = seen_new();
    for (int round = 0; round < 4; round++) {
        struct buf body;
        struct push_result fresh = { 0 }, again = { 0 };
        buf_init(&body, ENC_MAX);
        for (int i = 0; i < 200; i++)
            put_series(&body, (i + round) % 9, i / 2);
        struct batch a = decode_seen(&body, NULL, &fresh), b = decode_seen(&body, seen, &again);
        same_batch(&a, &b);
        assert_int_equal(fresh.samples, again.samples);
        assert_int_equal(fresh.invalid, again.invalid);
        assert_int_equal(fresh.exemplars, again.exemplars);
        assert_true(str_eq(fresh.invalid_why, again.invalid_why));
        batch_done(&a);
        batch_done(&b);
        buf_done(&body);
        arena_reset(&mem);
    }
    seen_free(seen);
}

/* What a request may hold must not hang on what came before: the log is read without that. */
static void limits_do_not_know(void **state)
{
    (void)state;
    struct seen *seen = seen_new();
    struct buf whole;
    buf_init(&whole, 4 << 20);
    for (int half = 0; half < 3; half++) {
        struct buf body, s;
        struct push_result result = { 0 };
        struct batch b;
        struct fault f = { 0 };
        buf_init(&body, 4 << 20);
        buf_init(&s, ENC_MAX);
        for (int i = 0; i < PUSH_COLUMNS_MAX * 2 / 3 && half < 2; i++) {
            char name[20];
            (void)snprintf(name, sizeof name, "n%d", i + half * PUSH_COLUMNS_MAX * 2 / 3);
            put_label(&s, "__name__", "m");
            put_label(&s, name, "v");
            put_sample(&s, NOW_MS, i);
            enc_message(&body, 1, &s);
        }
        buf_str(&whole, buf_view(&body));
        struct str now = buf_view(half < 2 ? &body : &whole);
        enum err e = write_decode(FRAME_REMOTE_WRITE_1, now, NOW, INT64_MIN, seen, &mem, &b, &result, &f);
        assert_int_equal(e, half < 2 ? OK : E_LIMIT);
        if (!e)
            batch_done(&b);
        buf_done(&body);
        buf_done(&s);
        arena_reset(&mem);
    }
    buf_done(&whole);
    seen_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_series),
        cmocka_unit_test(neighbours),
        cmocka_unit_test(reasons),
        cmocka_unit_test(written_anew),
        cmocka_unit_test(seen_or_not),
        cmocka_unit_test(limits_do_not_know),
    };
    arena_init(&mem, 64 << 20);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_done(&mem);
    return rc;
}
