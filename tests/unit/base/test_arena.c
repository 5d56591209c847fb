/* Arenas: memory is zero, scratch vanishes, ranges come back clean, growth in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/arena.c"

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void zeroed_after_reuse(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 100, 4096, KEEP_DONE - 64, KEEP_DONE + 4096, KEEP_RESET + 100, 8 << 20 };
    for (size_t i = 0; i < LEN(sizes); i++) {
        struct arena a;
        arena_init(&a, 1000);
        for (int round = 0; round < 3; round++) {
            char *p = arena_alloc(&a, sizes[i], 16);
            if (!all_zero(p, sizes[i]))
                fail_msg("size %zu, round %d: not zero", sizes[i], round);
            memset(p, 0xff, sizes[i]);
            arena_reset(&a);
        }
        arena_done(&a);                            /* the next one gets the same range back */
        arena_init(&a, 1000);
        char *p = arena_alloc(&a, sizes[i], 16);
        assert_true(all_zero(p, sizes[i]));
        arena_done(&a);
        assert_null(a.base);
        arena_done(&a);                            /* twice is fine */
    }
}

static void allocate_some(struct arena scratch, size_t n)
{
    memset(arena_alloc(&scratch, n, 1), 0xee, n);
}

static void scratch_vanishes(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *kept = arena_alloc(&a, 10, 1);
    memset(kept, 'k', 10);
    size_t before = arena_used(&a);
    allocate_some(a, 5000);
    assert_int_equal(arena_used(&a), before);

    /* What scratch wrote is beyond the owner's end, and zero when given out. */
    char *p = arena_alloc(&a, 6000, 1);
    assert_true(all_zero(p, 6000));
    assert_memory_equal(kept, "kkkkkkkkkk", 10);
    arena_done(&a);
}

static void alignment_and_budget(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    for (size_t align = 1; align <= 64; align *= 2) {
        char *p = arena_alloc(&a, 3, align);
        assert_int_equal((uintptr_t)p & (align - 1), 0);
    }
    assert_false(arena_over(&a));
    char *p = arena_alloc(&a, 5000, 1);            /* still given, but counted */
    memset(p, 1, 5000);
    assert_true(arena_over(&a));
    arena_reset(&a);
    assert_false(arena_over(&a));
    assert_int_equal(arena_used(&a), 0);
    arena_done(&a);
}

static void grow_in_place_or_copy(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    char *p = arena_grow(&a, NULL, 0, 8, 1);
    memcpy(p, "12345678", 8);
    char *q = arena_grow(&a, p, 8, 100, 1);
    assert_ptr_equal(p, q);
    assert_true(all_zero(q + 8, 92));
    char *other = arena_alloc(&a, 1, 1);
    *other = 'x';
    q = arena_grow(&a, p, 100, 200, 1);
    assert_ptr_not_equal(p, q);
    assert_memory_equal(q, "12345678", 8);
    assert_true(all_zero(q + 8, 192));
    assert_ptr_equal(arena_grow(&a, q, 200, 10, 1), q);
    arena_done(&a);
}

static void push_and_strings(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    uint32_t *v = NULL;
    size_t n = 0, cap = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        *arena_push(&a, v, n, cap) = i;
        if (i % 100 == 0)
            (void)arena_cstr(&a, S("between"));
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(v[i], i);

    struct str s = arena_fmt(&a, "%s-%d", "a", 7);
    assert_true(str_eq(s, S("a-7")));
    char big[600];
    memset(big, 'b', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    s = arena_fmt(&a, "%s!", big);
    assert_int_equal(s.n, sizeof(big));
    assert_int_equal(s.p[s.n - 1], '!');
    assert_string_equal(arena_cstr(&a, S("z")), "z");
    assert_true(str_eq(arena_str(&a, S("copy")), S("copy")));
    assert_null(arena_str(&a, (struct str){ 0 }).p);
    arena_done(&a);
}

static void reserve_sizes(void **state)
{
    (void)state;
    assert_int_equal(reserve_size(0), RESERVE_MIN);
    assert_int_equal(reserve_size(RESERVE_MIN / RESERVE_FACTOR), RESERVE_MIN);
    assert_int_equal(reserve_size(RESERVE_MIN / RESERVE_FACTOR + 1), 2 * RESERVE_MIN);
    assert_int_equal(reserve_size(SIZE_MAX), RESERVE_MAX);
    assert_int_equal(arena_bytes(3, 7), 21);
}

/* Many at once: the list of free ranges never passes its maximum. */
static void free_list_is_bounded(void **state)
{
    (void)state;
    struct arena many[3 * FREE_MAX];
    for (size_t i = 0; i < LEN(many); i++) {
        arena_init(&many[i], 100);
        memset(arena_alloc(&many[i], 100, 1), 1, 100);
    }
    for (size_t i = 0; i < LEN(many); i++)
        arena_done(&many[i]);
    assert_int_equal(free_count, FREE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_after_reuse),   cmocka_unit_test(scratch_vanishes),
        cmocka_unit_test(alignment_and_budget), cmocka_unit_test(grow_in_place_or_copy),
        cmocka_unit_test(push_and_strings),     cmocka_unit_test(reserve_sizes),
        cmocka_unit_test(free_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
