/* tests/unit/query/test_labels.c -- label sets and their numbers; series and merging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "query/vec.h"

static struct arena mem;
static struct query_ctx q = { .mem = &mem, .clock = &clock_system };

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

/* "a=1 b=2" */
static struct labels of(const char *text)
{
    struct label *at = arena_new(&mem, struct label, 16);
    uint32_t n = 0;
    struct str rest = str_c(text);
    while (rest.n) {
        struct str one = str_cut(&rest, ' ');
        struct str name = str_cut(&one, '=');
        at[n++] = (struct label){ name, one };
    }
    return labels_make(at, n);
}

static void test_make(void **state)
{
    (void)state;
    static const struct { const char *in, *want; } rows[] = {
        { "", "{}" },
        { "b=2 a=1", "{a=\"1\", b=\"2\"}" },
        { "b=2 a= c=3", "{b=\"2\", c=\"3\"}" },
        { "__name__=up job=a", "up{job=\"a\"}" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct str got = labels_text(&mem, of(rows[i].in));
        if (!str_eq(got, str_c(rows[i].want))) {
            printf("row %zu: " STR_FMT "\n", i, STR_ARG(got));
            fail();
        }
    }
    struct label odd[] = { { S("a"), S("x\"\\\n\t\x01") } };
    assert_true(str_eq(labels_text(&mem, labels_make(odd, 1)), S("{a=\"x\\\"\\\\\\n\\t\\x01\"}")));
}

static void test_change(void **state)
{
    (void)state;
    static const struct str names[] = { S("a"), S("c"), S("none") };
    struct labels l = of("a=1 b=2 c=3");
    assert_true(labels_eq(labels_keep(&mem, l, names, 3), of("a=1 c=3")));
    assert_true(labels_eq(labels_drop(&mem, l, names, 3), of("b=2")));
    assert_true(labels_eq(labels_set(&mem, l, S("b"), S("9")), of("a=1 b=9 c=3")));
    assert_true(labels_eq(labels_set(&mem, l, S("bb"), S("9")), of("a=1 b=2 bb=9 c=3")));
    assert_true(labels_eq(labels_set(&mem, l, S("z"), S("9")), of("a=1 b=2 c=3 z=9")));
    assert_true(labels_eq(labels_set(&mem, l, S("a"), S("")), of("b=2 c=3")));
    assert_true(labels_eq(labels_set(&mem, l, S("z"), S("")), l));
    assert_true(labels_eq(labels_drop_name(&mem, of("__name__=x __unit__=s a=1")), of("a=1")));
    assert_ptr_equal(labels_drop_name(&mem, l).at, l.at);
    assert_true(labels_hash(of("a=1 b=2")) == labels_hash(of("b=2 a=1")));
    assert_true(labels_hash(of("a=1b b=2")) != labels_hash(of("a=1 bb=2")));
    assert_true(labels_cmp(of("a=1"), of("a=1 b=2")) < 0 && labels_cmp(of("a=2"), of("a=1 b=2")) > 0);
    assert_true(str_eq(labels_get(l, S("b")), S("2")) && !labels_get(l, S("d")).n);
}

static void test_keyset(void **state)
{
    (void)state;
    static const struct str by[] = { S("a") };
    struct keyset k;
    bool fresh;
    keyset_init(&k, &mem);
    assert_int_equal(keyset_id(&k, of("a=1 b=1"), by, 1, true, &fresh), 0);
    assert_true(fresh);
    assert_int_equal(keyset_id(&k, of("a=1 b=2"), by, 1, true, &fresh), 0);
    assert_false(fresh);
    assert_int_equal(keyset_id(&k, of("b=2"), by, 1, true, &fresh), 1);
    assert_int_equal(keyset_id(&k, of("a=2"), by, 1, true, &fresh), 2);
    keyset_done(&k);
    keyset_init(&k, &mem);
    assert_int_equal(keyset_id(&k, of("a=1 b=1"), by, 1, false, &fresh), 0);
    assert_int_equal(keyset_id(&k, of("a=2 b=1"), by, 1, false, &fresh), 0);
    assert_int_equal(keyset_all(&k, of("b=1"), &fresh), 0);
    assert_int_equal(keyset_all(&k, of("bb=1"), &fresh), 1);
    keyset_done(&k);
}

static void put(struct vec *v, const char *labels, uint32_t from, const double *values, uint32_t n)
{
    memcpy(vec_add(&q, v, of(labels), from, n)->v, values, sizeof *values * n);
}

static void test_merge(void **state)
{
    (void)state;
    struct fault f = { 0 };
    struct vec v = { 0 };
    double none = value_absent();
    put(&v, "a=1", 0, (double[]){ 1, none, 3 }, 3);
    put(&v, "a=2", 1, (double[]){ none, 5, none }, 3);
    put(&v, "a=1", 1, (double[]){ 2 }, 1);
    put(&v, "a=3", 0, (double[]){ none }, 1);
    vec_trim(&v);
    assert_int_equal(v.n, 3);
    assert_int_equal(v.at[1].from, 2);
    assert_int_equal(v.at[1].n, 1);
    assert_int_equal(vec_merge(&q, &v, &f), OK);
    assert_int_equal(v.n, 2);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(tser_at(&v.at[0], i) == i + 1);
    assert_true(value_is_absent(tser_at(&v.at[0], 3)) && value_is_absent(tser_at(&v.at[1], 0)));
    put(&v, "a=2", 2, (double[]){ 9 }, 1);
    assert_int_equal(vec_merge(&q, &v, &f), E_EXEC);
    assert_string_equal(f.msg, "vector cannot contain metrics with the same labelset");
}

/* The marker of an absent value is its own and no other NaN. */
static void test_absent(void **state)
{
    (void)state;
    assert_true(value_is_absent(value_absent()));
    assert_false(value_is_absent(__builtin_nan("")));
    assert_false(value_is_absent(value_absent() + 1));
    assert_false(value_is_absent(0));
}

static void test_limits(void **state)
{
    (void)state;
    static const struct query_limits limits = { .samples_max = 10, .series_max = 3 };
    bool gone = false;
    struct fault f = { 0 };
    struct query_ctx c = q;
    c.limits = &limits;
    c.cancelled = &gone;
    assert_int_equal(query_check(&c, &f), OK);
    assert_int_equal(query_hold(&c, 10, &f), OK);
    assert_int_equal(query_hold(&c, 1, &f), E_LIMIT);
    assert_int_equal(query_check_series(&c, 3, &f), OK);
    assert_int_equal(query_check_series(&c, 4, &f), E_LIMIT);
    c.deadline_mono_ns = 1;
    assert_int_equal(query_check(&c, &f), E_CANCELLED);
    assert_non_null(strstr(f.msg, "timed out"));
    gone = true;
    assert_int_equal(query_check(&c, &f), E_CANCELLED);
    assert_non_null(strstr(f.msg, "canceled"));
    for (int i = 0; i < 100; i++) {
        query_note(&c, true, "warning %d", i % 20);
        query_note(&c, false, "info %d", i % 3);
    }
    assert_int_equal(c.nnotes, QUERY_NOTES_MAX + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),  cmocka_unit_test(test_change), cmocka_unit_test(test_keyset),
        cmocka_unit_test(test_merge), cmocka_unit_test(test_absent), cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
