/* tests/unit/store/test_part_threads.c -- one flusher, several readers, few connections.
 *
 * Readers take views and read everything in them, again and again, while the flusher
 * writes into days, closes them, writes late rows, drops a day and begins it anew. Each
 * view must be whole: as many rows as it says, each as it was written. The flusher
 * sets the pace: it goes on when readers have read, so that they meet at every step.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "part_bed.h"

enum { READERS = 3, ROUNDS = 24, DAYS = 4 };

struct reader {
    struct bed *bed;
    pthread_t thread;
    uint64_t views, rows;
};

static bool done;
static uint64_t views_read;

static void *read_views(void *arg)
{
    struct reader *r = arg;
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        struct part_view *v = part_view_get(r->bed->set);
        for (uint32_t i = 0; i < v->n; i++) {
            struct bed_rows rows;
            struct fault f = { 0 };
            if (bed_read(&v->at[i], &rows, &f)) {
                (void)fprintf(stderr, "%s\n", f.msg);
                CHECK(!"a view is readable");
            }
            r->rows += rows.n;
        }
        part_view_unref(v);
        r->views++;
        __atomic_add_fetch(&views_read, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static void wait_for_readers(void)
{
    uint64_t from = __atomic_load_n(&views_read, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&views_read, __ATOMIC_ACQUIRE) < from + READERS)
        sched_yield();
}

static void one_round(struct bed *b, unsigned round, uint64_t *seq)
{
    struct fault f = { 0 };
    int64_t days[] = { BED_DAY(round % DAYS), BED_DAY((round + 1) % DAYS) };
    enum err e = part_flush_begin(b->set, days, LEN(days), &f);
    for (unsigned i = 0; i < LEN(days) && !e; i++, *seq += 20)
        e = bed_write(b, days[i], *seq, 20, &f);
    wait_for_readers();
    if (!e)
        e = part_flush_end(b->set, &f);
    wait_for_readers();
    if (!e && round % 3 == 2) {
        __atomic_store_n(&b->mono, b->mono + 3601 * NS_PER_S, __ATOMIC_RELAXED);
        e = part_tick(b->set, &f);
    }
    if (!e && round % 8 == 7)
        e = part_drop(b->set, BED_DAY(0), &f);
    if (e)
        fail_msg("round %u: %s", round, f.msg);
}

static void test_threads(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    bed_close(&b);
    b.open_max = 4;                                /* fewer than threads would like */
    b.now = BED_DAY(20);
    if (bed_open(&b, &f))
        fail_msg("%s", f.msg);

    struct reader readers[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .bed = &b };
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_views, &readers[i]), 0);
    }
    uint64_t seq = 1;
    for (unsigned round = 0; round < ROUNDS; round++)
        one_round(&b, round, &seq);
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        assert_true(readers[i].views > 0 && readers[i].rows > 0);
    }
    for (int i = 1; i < DAYS; i++)
        assert_int_equal(bed_rows_of(&b, BED_DAY(i)).n, 2 * 20 * ROUNDS / DAYS);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
