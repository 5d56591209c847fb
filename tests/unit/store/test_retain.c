/* tests/unit/store/test_retain.c -- retention by signal, of content and by size, with a clock
 * that is moved. Each case: rows of every signal on ten days, a retention, and the days of
 * which each signal must be there afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../support/store_model.h"
#include "store/store_int.h"

enum { DAYS = 10, ROWS = 5 };

static void put_cell(struct bed_row *r, enum place place, const char *name, struct value v)
{
    r->cells[r->ncells++] = (struct bed_cell){ place, str_c(name), v };
}

static int64_t today(const struct bed *b)
{
    return b->now_ns - b->now_ns % NS_PER_DAY;
}

/* Rows of one table on the day that is so many before today. */
static void write_rows(struct bed *b, enum table t, int64_t day)
{
    struct bed_req q = { .table = t, .recv_ns = b->now_ns, .n = ROWS };
    struct fault f = { 0 };
    q.rows = arena_new(&b->mem, struct bed_row, ROWS + 1);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct bed_row *r = &q.rows[i];
        r->said_ns = today(b) - day * NS_PER_DAY + (60 + i) * NS_PER_S;
        r->origin = ORIGIN_OTLP;
        if (t == TABLE_SAMPLE) {
            put_cell(r, PLACE_LABEL, "__name__", value_str(S("x_total")));
            put_cell(r, PLACE_LABEL, "session_id", value_str(S("s1")));
            r->start_ns = r->said_ns - NS_PER_S;
            r->temporality = TEMPORALITY_DELTA;
            r->value = 1 + i;
        } else if (t == TABLE_LOG) {
            put_cell(r, PLACE_FIELD, "body", value_str(arena_fmt(&b->mem, "row %u", i)));
            put_cell(r, PLACE_ATTR, "session.id", value_str(S("s1")));
            put_cell(r, PLACE_ATTR, "prompt", value_str(arena_fmt(&b->mem, "please do %u", i)));
        } else {
            put_cell(r, PLACE_FIELD, "trace_id", value_str(arena_fmt(&b->mem, "%032x", 77)));
            put_cell(r, PLACE_FIELD, "span_id", value_str(arena_fmt(&b->mem, "%016llx", (unsigned long long)(day * 100 + i + 1))));
            put_cell(r, PLACE_ATTR, "session.id", value_str(S("s1")));
        }
    }
    if (bed_write(b, &q, &f))
        fail_msg("%s", f.msg);
}

static void fill(struct bed *b)
{
    struct fault f = { 0 };
    for (int64_t day = DAYS - 1; day >= 0; day--)
        for (int t = 0; t < TABLE_COUNT; t++)
            write_rows(b, (enum table)t, day);
    if (store_flush(b->store, &f))
        fail_msg("%s", f.msg);
}

/* Of how many days from today back rows are there; a gap fails. */
static int64_t days_of(struct bed *b, enum table t, bool content)
{
    struct source *src = store_source(b->store);
    struct str prompt = S("prompt");
    int64_t days = 0, found = 0;
    for (int64_t day = 0; day < DAYS; day++) {
        struct scan_req req = { .table = t, .from_ns = today(b) - day * NS_PER_DAY, .to_ns = today(b) - (day - 1) * NS_PER_DAY,
                                .labels = &prompt, .nlabels = 1 };
        struct scan *sc;
        const struct block *blk;
        uint32_t n = 0;
        assert_int_equal(src->scan_begin(src, &req, &sc, NULL), OK);
        while (!src->scan_next(sc, &blk, NULL) && blk) {
            struct label_ref l = block_label(blk, prompt, 0);
            for (uint32_t i = 0; i < blk->nsel; i++)
                n += !content || label_value(&l, blk->sel ? blk->sel[i] : i).type != V_NONE;
        }
        (void)src->scan_end(sc);
        assert_true(n == 0 || n == ROWS);
        found += n > 0;
        days = n ? day + 1 : days;
    }
    assert_int_equal(found, days);
    return days;
}

static const struct {
    const char *what;
    struct retention keep;                         /* ages in days */
    int64_t samples, logs, spans, content;
} cases[] = {
    { "forever", { { 0, 0, 0 }, 0, 0 }, 10, 10, 10, 10 },
    { "one age", { { 4, 4, 4 }, 0, 0 }, 5, 5, 5, 5 },                  /* a day goes when all of it is due */
    { "metrics go first", { { 2, 6, 6 }, 0, 0 }, 3, 7, 7, 7 },
    { "events go first", { { 0, 3, 0 }, 0, 0 }, 10, 4, 10, 4 },
    { "each its own", { { 8, 5, 2 }, 0, 0 }, 9, 6, 3, 6 },
    { "content goes first", { { 0, 0, 0 }, 2, 0 }, 10, 10, 10, 3 },
    { "content and events", { { 0, 4, 0 }, 1, 0 }, 10, 5, 10, 2 },
    { "any size fits", { { 0, 0, 0 }, 0, UINT64_C(1) << 40 }, 10, 10, 10, 10 },
    { "nothing fits: the newest stays", { { 0, 0, 0 }, 0, 1 }, 1, 1, 1, 1 },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        struct bed b;
        struct fault f = { 0 };
        struct retention keep = cases[i].keep;
        bed_init(&b);
        b.cfg.retention_ns = 0;
        assert_int_equal(bed_open(&b, &f), OK);
        fill(&b);
        for (int t = 0; t < TABLE_COUNT; t++)
            keep.age_ns[t] *= NS_PER_DAY;
        keep.content_ns *= NS_PER_DAY;
        store_set_retentions(b.store, &keep);
        for (int k = 0; k < 4; k++)
            store_tick(b.store);
        for (int k = 0; k < 2; k++) {              /* and the same when it is opened again */
            int64_t got[] = { days_of(&b, TABLE_SAMPLE, false), days_of(&b, TABLE_LOG, false), days_of(&b, TABLE_SPAN, false),
                              days_of(&b, TABLE_LOG, true) };
            if (got[0] != cases[i].samples || got[1] != cases[i].logs || got[2] != cases[i].spans || got[3] != cases[i].content)
                fail_msg("%s: %lld %lld %lld %lld days", cases[i].what, (long long)got[0], (long long)got[1], (long long)got[2],
                         (long long)got[3]);
            bed_close(&b);
            assert_int_equal(bed_open(&b, &f), OK);
        }
        if (b.reports)
            fail_msg("%s: %s", cases[i].what, b.report);
        bed_done(&b);
    }
}

/* What goes next is foreseen, and what went is counted. */
static void test_state(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    b.cfg.retention_ns = 0;
    assert_int_equal(bed_open(&b, &f), OK);
    fill(&b);
    store_tick(b.store);
    assert_true(store_retention_state(b.store).next_ns == 0 && store_retention_state(b.store).bytes > 0);
    store_set_retention(b.store, 30 * NS_PER_DAY);
    store_tick(b.store);
    struct retention_state st = store_retention_state(b.store);
    assert_int_equal(st.next_from_ns, today(&b) - (DAYS - 1) * NS_PER_DAY);
    assert_int_equal(st.next_ns, st.next_from_ns + 31 * NS_PER_DAY);
    assert_int_equal(st.next_rows, ROWS * TABLE_COUNT);
    assert_int_equal(st.rows, 0);
    bed_pass(&b, st.next_ns - b.now_ns);
    store_tick(b.store);
    st = store_retention_state(b.store);
    assert_int_equal(st.rows, ROWS * TABLE_COUNT);
    assert_int_equal(st.partitions, 1);
    bed_done(&b);
}

/* Rows that are not in partitions yet keep theirs from going by size. */
static void test_head(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    struct retention keep = { .bytes = 1 };
    bed_init(&b);
    b.cfg.retention_ns = 0;
    assert_int_equal(bed_open(&b, &f), OK);
    for (int64_t day = DAYS - 1; day >= 0; day--)
        write_rows(&b, TABLE_LOG, day);
    assert_int_equal(store_flush(b.store, &f), OK);
    write_rows(&b, TABLE_SPAN, 6);                 /* late: in the log and the head */
    store_set_retentions(b.store, &keep);
    store_tick(b.store);
    assert_int_equal(days_of(&b, TABLE_LOG, false), 7);
    assert_int_equal(store_flush(b.store, &f), OK);
    store_tick(b.store);
    assert_int_equal(days_of(&b, TABLE_LOG, false), 1);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_state), cmocka_unit_test(test_head) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
