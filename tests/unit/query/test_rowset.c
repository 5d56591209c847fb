/* tests/unit/query/test_rowset.c -- rows of blocks to series, through the in-memory
 * source with blocks of every size, and results as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <math.h>

#include <cmocka.h>

#include "../../support/memsource.h"
#include "query/rowset.h"
#include "query/write.h"

static void add(struct memsource *m, int64_t t, const char *a, const char *b)
{
    const struct mem_cell cells[] = {
        { PLACE_LABEL, "b", value_str(str_c(b)) },
        { PLACE_LABEL, "a", value_str(str_c(a)) },
    };
    memsource_add(m, &(struct mem_row){ .table = TABLE_SAMPLE, .time_ns = t, .value = (double)t, .cells = cells,
                                        .ncells = *b ? 2 : 0 });
}

static void test_series(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows < 40; rows += 4) {
        struct memsource *m = memsource_new();
        struct arena mem;
        arena_init(&mem, 16 << 20);
        memsource_set_block_rows(m, rows);
        for (int64_t i = 0; i < 60; i++)
            add(m, i, i % 2 ? "x" : "y", i % 3 ? (i % 3 == 1 ? "p" : "q") : "");
        struct query_ctx q = { .mem = &mem, .clock = &clock_system, .src = memsource_source(m) };
        struct rowset set;
        struct scan *sc;
        struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = 0, .to_ns = 1000, .all_labels = true };
        const struct block *b;
        rowset_init(&set, &q, 1u << PLACE_LABEL);
        assert_int_equal(q.src->scan_begin(q.src, &req, &sc, NULL), OK);
        while (!q.src->scan_next(sc, &b, NULL) && b) {
            uint32_t ids[64];
            assert_int_equal(rowset_block(&set, b, ids, NULL), OK);
            for (uint32_t i = 0; i < b->nsel; i++) {
                int64_t t = b->time_ns[b->sel[i]];
                struct labels l = set.series[ids[i]];
                const char *want = t % 3 == 0 ? "" : t % 2 ? "x" : "y";
                assert_true(str_eq(labels_get(l, S("a")), str_c(want)));
                assert_true(str_eq(labels_get(l, S("b")), t % 3 == 0 ? S("") : t % 3 == 1 ? S("p") : S("q")));
            }
        }
        q.src->scan_end(sc);
        assert_int_equal(set.n, 5);
        rowset_done(&set);
        arena_done(&mem);
        memsource_free(m);
    }
}

static void test_times(void **state)
{
    (void)state;
    static const struct { int64_t ms; const char *want; } rows[] = {
        { 0, "0" }, { 1, "0.001" }, { 1767225600000, "1767225600" }, { 1767225600120, "1767225600.12" },
        { 1500, "1.5" }, { -1500, "-1.5" }, { -5, "-0.005" }, { INT64_MIN, "-9223372036854775.808" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct buf b;
        struct jw w;
        buf_init(&b, 1000);
        jw_init(&w, &b);
        write_time(&w, rows[i].ms);
        if (!str_eq(buf_view(&b), str_c(rows[i].want))) {
            printf("row %zu: " STR_FMT "\n", i, STR_ARG(buf_view(&b)));
            fail();
        }
        buf_done(&b);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct { double v; const char *prometheus, *loki; } rows[] = {
        { 1.5, "[1,\"1.5\"]", "[1,\"1.5\"]" },
        { 1e-7, "[1,\"1e-07\"]", "[1,\"0.0000001\"]" },
        { 1e21, "[1,\"1e+21\"]", "[1,\"1000000000000000000000\"]" },
        { 0.000001, "[1,\"0.000001\"]", "[1,\"0.000001\"]" },
        { -INFINITY, "[1,\"-Inf\"]", "[1,\"-Inf\"]" },
        { NAN, "[1,\"NaN\"]", "[1,\"NaN\"]" },
    };
    for (size_t i = 0; i < LEN(rows); i++)
        for (int loki = 0; loki < 2; loki++) {
            struct buf b;
            struct jw w;
            buf_init(&b, 1000);
            jw_init(&w, &b);
            write_scalar(&w, 1000, rows[i].v, loki ? NUMBERS_LOKI : NUMBERS_PROMETHEUS);
            if (!str_eq(buf_view(&b), str_c(loki ? rows[i].loki : rows[i].prometheus))) {
                printf("row %zu: " STR_FMT "\n", i, STR_ARG(buf_view(&b)));
                fail();
            }
            buf_done(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series), cmocka_unit_test(test_times), cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
