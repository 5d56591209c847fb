/* Batches, the time of a row (accounting rule 10) and its identity (rule 5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "model/rows.h"

static const int64_t recv = INT64_C(1800000000) * NS_PER_S;
static const int64_t oldest = INT64_C(1700000000) * NS_PER_S;

static const struct {
    int64_t said, observed, time, claimed;
} times[] = {
    { recv - 5, 0, recv - 5, 0 },
    { recv - 5, recv - 9, recv - 5, 0 },
    { 0, recv - 9, recv - 9, 0 },
    { 0, 0, recv, ROW_NO_TIME },
    { -3, 0, recv, ROW_NO_TIME },
    { recv + NS_PER_DAY, 0, recv + NS_PER_DAY, 0 },
    { recv + NS_PER_DAY + 1, 0, recv, recv + NS_PER_DAY + 1 },
    { oldest, 0, oldest, 0 },
    { oldest - 1, 0, recv, oldest - 1 },
};

static void time_of_a_row(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(times); i++) {
        struct batch b;
        batch_init(&b, &mem, TABLE_LOG, recv);
        struct row *r = batch_row(&b);
        row_set_time(&b, r, times[i].said, times[i].observed, oldest);
        if (r->time_ns != times[i].time || r->claimed_ns != times[i].claimed)
            fail_msg("row %zu: time %lld, claimed %lld", i, (long long)r->time_ns, (long long)r->claimed_ns);
        assert_int_equal(b.moved, times[i].claimed > 0);
        batch_done(&b);
    }
    arena_done(&mem);
}

struct spec {
    enum table table;
    enum temporality temporality;
    int64_t time, start;
    double value;
    const char *cells;           /* "a=1,b=2": ATTR (samples: LABEL); "!a=1": in a group, RESOURCE; "#": FIELD */
};

static void fill(struct batch *b, const struct spec *s)
{
    struct row *r = batch_row(b);
    r->time_ns = s->time;
    r->start_ns = s->start;
    r->value = s->value;
    r->temporality = s->temporality;
    for (struct str rest = str_c(s->cells), one; rest.p && (one = str_cut(&rest, ',')).n;) {
        bool group = str_starts(one, S("!")), field = str_starts(one, S("#"));
        struct str name = str_sub(one, group || field, one.n), v = name;
        name = str_cut(&v, '=');
        enum place place = group ? PLACE_RESOURCE : field ? PLACE_FIELD : b->table == TABLE_SAMPLE ? PLACE_LABEL : PLACE_ATTR;
        if (group && r->group == ROW_NO_GROUP)
            r->group = batch_group(b);
        cells_put(group ? &b->groups[r->group] : &r->cells, b->mem, batch_col(b, place, name), value_str(v));
    }
}

static const struct {
    struct spec a, b;
    bool same;
} pairs[] = {
    /* the order of attributes does not matter, their content does */
    { { TABLE_LOG, 0, 1, 0, 0, "a=1,b=2" }, { TABLE_LOG, 0, 1, 0, 0, "b=2,a=1" }, true },
    { { TABLE_LOG, 0, 1, 0, 0, "a=1,b=2" }, { TABLE_LOG, 0, 1, 0, 0, "a=2,b=1" }, false },
    { { TABLE_LOG, 0, 1, 0, 0, "a=1" }, { TABLE_LOG, 0, 2, 0, 0, "a=1" }, false },
    { { TABLE_LOG, 0, 1, 0, 0, "a=1" }, { TABLE_LOG, 0, 1, 0, 0, "a=1,b=2" }, false },
    { { TABLE_LOG, 0, 1, 0, 0, "a=1,!r=1" }, { TABLE_LOG, 0, 1, 0, 0, "a=1,!r=2" }, false },
    { { TABLE_LOG, 0, 1, 0, 0, "a=1,!a=1" }, { TABLE_LOG, 0, 1, 0, 0, "a=1" }, false },
    /* delta: series, start, time, value */
    { { TABLE_SAMPLE, 1, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 1, 9, 5, 1, "m=x" }, true },
    { { TABLE_SAMPLE, 1, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 1, 9, 5, 2, "m=x" }, false },
    { { TABLE_SAMPLE, 1, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 1, 9, 6, 1, "m=x" }, false },
    /* cumulative: series, start, time */
    { { TABLE_SAMPLE, 2, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 2, 9, 5, 2, "m=x" }, true },
    { { TABLE_SAMPLE, 2, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 2, 9, 6, 1, "m=x" }, false },
    /* gauge: series, time */
    { { TABLE_SAMPLE, 0, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 0, 9, 6, 2, "m=x" }, true },
    { { TABLE_SAMPLE, 0, 9, 5, 1, "m=x" }, { TABLE_SAMPLE, 1, 9, 5, 1, "m=x" }, false },
    /* span: its two ids */
    { { TABLE_SPAN, 0, 1, 0, 0, "#trace_id=a,#span_id=b,x=1" }, { TABLE_SPAN, 0, 2, 0, 0, "#span_id=b,#trace_id=a,x=2" }, true },
    { { TABLE_SPAN, 0, 1, 0, 0, "#trace_id=a,#span_id=b" }, { TABLE_SPAN, 0, 1, 0, 0, "#trace_id=a,#span_id=c" }, false },
    { { TABLE_SPAN, 0, 1, 0, 0, "x=1" }, { TABLE_SPAN, 0, 1, 0, 0, "x=2" }, false },
};

static void identity_of_a_row(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(pairs); i++) {
        struct batch a, b;
        batch_init(&a, &mem, pairs[i].a.table, recv);
        batch_init(&b, &mem, pairs[i].b.table, recv + 77);
        batch_col(&b, PLACE_ATTR, S("a column that shifts the others"));
        fill(&a, &pairs[i].a);
        fill(&b, &pairs[i].b);
        rows_identify(&a);
        rows_identify(&b);
        if (id128_eq(a.rows[0].id, b.rows[0].id) != pairs[i].same)
            fail_msg("pair %zu", i);
        batch_done(&a);
        batch_done(&b);
    }
    arena_done(&mem);
}

/* A row without a time of its own has the same id whenever it comes. */
static void identity_does_not_know_the_receive_time(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct batch b[2];
    for (int i = 0; i < 2; i++) {
        batch_init(&b[i], &mem, TABLE_LOG, recv + i);
        fill(&b[i], &(struct spec){ TABLE_LOG, 0, 0, 0, 0, "a=1" });
        row_set_time(&b[i], &b[i].rows[0], 0, 0, oldest);
        rows_identify(&b[i]);
    }
    assert_true(id128_eq(b[0].rows[0].id, b[1].rows[0].id));
    batch_done(&b[0]);
    batch_done(&b[1]);
    arena_done(&mem);
}

/* Samples that say no time: their time is that of their receipt. Only a delta that says
 * its start can be told from the next one, so only that one is the same when it comes again. */
static const struct {
    enum temporality temporality;
    int64_t start;
    bool same;
} timeless[] = {
    { TEMPORALITY_NONE, 0, false },
    { TEMPORALITY_CUMULATIVE, 5, false },
    { TEMPORALITY_CUMULATIVE, 0, false },
    { TEMPORALITY_DELTA, 5, true },
    { TEMPORALITY_DELTA, 0, false },
};

static void samples_without_a_time(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(timeless); i++) {
        struct batch b[2];
        for (int k = 0; k < 2; k++) {
            batch_init(&b[k], &mem, TABLE_SAMPLE, recv + k);
            fill(&b[k], &(struct spec){ TABLE_SAMPLE, timeless[i].temporality, 0, timeless[i].start, 1, "m=x" });
            row_set_time(&b[k], &b[k].rows[0], 0, 0, oldest);
            rows_identify(&b[k]);
        }
        if (id128_eq(b[0].rows[0].id, b[1].rows[0].id) != timeless[i].same)
            fail_msg("row %zu", i);
        batch_done(&b[0]);
        batch_done(&b[1]);
    }
    arena_done(&mem);
}

static void columns_are_interned(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct batch b;
    batch_init(&b, &mem, TABLE_LOG, recv);
    char text[300];
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 200; i++) {
            for (size_t k = 0; k < sizeof text; k++)
                text[k] = (char)('a' + i % 26);
            struct str name = { text, 1 + i };
            assert_int_equal(batch_col(&b, PLACE_ATTR, name), i);
            assert_true(str_eq(b.cols[i].name, name));
        }
    assert_int_equal(batch_col(&b, PLACE_SCOPE, S("a")), 200);
    batch_done(&b);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_of_a_row),
        cmocka_unit_test(identity_of_a_row),
        cmocka_unit_test(identity_does_not_know_the_receive_time),
        cmocka_unit_test(samples_without_a_time),
        cmocka_unit_test(columns_are_interned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
