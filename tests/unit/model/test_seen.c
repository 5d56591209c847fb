/* What was put is found as it was put or not at all: while it grows, when it is full, when
 * its memory was given back, and while others write the same slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "model/seen.h"

static struct seen_series entry(uint64_t i)
{
    return (struct seen_series){ .id = { i * 3, ~i }, .shape = i | 1, .weight = i * i };
}

static struct id128 key(const struct seen *s, uint64_t i)
{
    return seen_key(s, (struct str){ (const char *)&i, sizeof i }, 1);
}

static bool is_there(struct seen *s, uint64_t i)
{
    struct seen_series x, want = entry(i);
    if (!seen_find(s, key(s, i), &x))
        return false;
    assert_true(id128_eq(x.id, want.id));
    assert_int_equal(x.shape, want.shape);
    assert_int_equal(x.weight, want.weight);
    return true;
}

static void put(struct seen *s, uint64_t i)
{
    struct seen_series x = entry(i);
    seen_put(s, key(s, i), &x);
}

static void found_again(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 1, 100, 1000, 10000, 40000 };
    for (size_t k = 0; k < LEN(numbers); k++) {
        struct seen *s = seen_new();
        for (int round = 0; round < 6; round++)
            for (uint64_t i = 0; i < numbers[k]; i++)
                if (!is_there(s, i))
                    put(s, i);
        uint64_t found = 0;
        for (uint64_t i = 0; i < numbers[k]; i++)
            found += is_there(s, i);
        assert_true(found * 10 >= numbers[k] * 9);
        assert_false(is_there(s, numbers[k]));
        seen_free(s);
    }
}

static void kinds_differ(void **state)
{
    (void)state;
    struct seen *s = seen_new();
    assert_false(id128_eq(seen_key(s, S("a"), 1), seen_key(s, S("a"), 2)));
    assert_false(id128_eq(seen_key(s, S("a"), 1), seen_key(s, S("b"), 1)));
    seen_free(s);
    seen_free(NULL);
}

static void given_back(void **state)
{
    (void)state;
    struct seen *s = seen_new();
    for (uint64_t n = 1; n <= 100000; n *= 100) {
        for (uint64_t i = 0; i < n; i++)
            put(s, i);
        seen_rest(s);                              /* somebody may have looked meanwhile */
        put(s, 7);
        assert_true(is_there(s, 7));
        seen_rest(s);                              /* it was looked for */
        assert_true(is_there(s, 7));
        seen_rest(s);
        seen_rest(s);
        assert_false(is_there(s, 7));
    }
    seen_free(s);
}

enum { THREADS = 3, ROUNDS = 40000 };

static void *busy(void *arg)
{
    struct seen *s = arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t n = i * 7919 % 3000;              /* more than fit at first: all write the same slots */
        if (!is_there(s, n))
            put(s, n);
        if (i % 9999 == 0)
            seen_rest(s);
    }
    return NULL;
}

static void at_once(void **state)
{
    (void)state;
    struct seen *s = seen_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, busy, s), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    seen_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_again),
        cmocka_unit_test(kinds_differ),
        cmocka_unit_test(given_back),
        cmocka_unit_test(at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
