/* tests/unit/store/test_crew.c -- every step of every loop runs once, whoever else has loops, and
 * every task ahead as often as it is needed: once, or at most once where it is not. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "store/crew.h"

enum { STEPS = 200, ROUNDS = 300 };

static void count(void *arg, uint32_t i)
{
    _Atomic uint32_t *counts = arg;
    atomic_fetch_add(&counts[i], 1);
}

static void *loops(void *arg)
{
    struct crew *c = arg;
    for (uint32_t k = 0; k < ROUNDS; k++) {
        _Atomic uint32_t counts[STEPS] = { 0 };
        uint32_t n = k % STEPS;
        crew_run(c, n, count, counts);
        for (uint32_t i = 0; i < STEPS; i++)
            if (counts[i] != (i < n))
                return "a step ran twice or not at all";
    }
    return NULL;
}

static void test_loops(void **state)
{
    (void)state;
    static const uint32_t helpers[] = { 0, 1, 3, 1000 };
    for (size_t h = 0; h < LEN(helpers); h++) {
        struct crew *c = crew_new(helpers[h]);
        pthread_t t[3];
        for (size_t i = 0; i < LEN(t); i++)
            assert_int_equal(pthread_create(&t[i], NULL, loops, c), 0);
        for (size_t i = 0; i < LEN(t); i++) {
            void *wrong;
            assert_int_equal(pthread_join(t[i], &wrong), 0);
            assert_null(wrong);
        }
        crew_free(c);
    }
    crew_free(NULL);
}

struct ahead {
    struct crew *crew;
    uint32_t done;                                 /* the crew's lock is between the threads */
};

/* Itself with a loop inside, as decoding has. */
static void one_ahead(void *arg)
{
    struct ahead *a = arg;
    _Atomic uint32_t counts[STEPS] = { 0 };
    crew_run(a->crew, 4, count, counts);
    a->done += counts[0] == 1 && counts[3] == 1;
}

static void *tasks(void *arg)
{
    struct ahead a = { .crew = arg };
    for (uint32_t k = 0; k < ROUNDS; k++) {
        struct crew_task t = { .do_it = one_ahead, .arg = &a };
        a.done = 0;
        bool ahead = crew_ahead(a.crew, &t);
        if (k % 7 == 0)
            (void)sched_yield();
        if (k % 5 == 0) {
            if (ahead && crew_unneeded(a.crew, &t) != (a.done == 1))
                return "it says another thing than it did";
            continue;
        }
        if (ahead)
            crew_needed(a.crew, &t);
        else
            one_ahead(&a);
        if (a.done != 1)
            return "a task was not done once";
    }
    return NULL;
}

static void test_tasks(void **state)
{
    (void)state;
    static const uint32_t helpers[] = { 0, 1, 3 };
    for (size_t h = 0; h < LEN(helpers); h++) {
        struct crew *c = crew_new(helpers[h]);
        pthread_t t[4];
        for (size_t i = 0; i < LEN(t); i++)
            assert_int_equal(pthread_create(&t[i], NULL, i ? tasks : loops, c), 0);
        for (size_t i = 0; i < LEN(t); i++) {
            void *wrong;
            assert_int_equal(pthread_join(t[i], &wrong), 0);
            assert_null(wrong);
        }
        crew_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_loops), cmocka_unit_test(test_tasks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
