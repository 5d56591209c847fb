/* tests/unit/store/test_catalog.c -- what is in ccmon.db comes back from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "part_bed.h"

static void must(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s", f->msg);
}

static void reopen(struct bed *b)
{
    struct fault f = { 0 };
    bed_close(b);
    must(bed_open(b, &f), &f);
}

static void test_settings(void **state)
{
    (void)state;
    static const struct { struct str key, value; } rows[] = {
        { { "a", 1 }, { "1", 1 } },
        { { "b", 1 }, { "zero\0 and \xff", 11 } },
        { { "a", 1 }, { "2", 1 } },
        { { "b", 1 }, { "", 0 } },
    };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct str got;
        must(catalog_set(b.catalog, rows[i].key, rows[i].value, &f), &f);
        reopen(&b);
        enum err e = catalog_get(b.catalog, rows[i].key, &mem, &got, &f);
        assert_int_equal(e, rows[i].value.n ? OK : E_NOTFOUND);
        if (!e)
            assert_true(str_eq(got, rows[i].value));
    }
    bed_done(&b);
}

struct seen {
    unsigned n;
    char text[256];
};

static void see(void *arg, const struct metric_meta *m)
{
    struct seen *s = arg;
    size_t at = strlen(s->text);
    (void)snprintf(s->text + at, sizeof s->text - at, STR_FMT " %d " STR_FMT " " STR_FMT "\n", STR_ARG(m->name), (int)m->type,
                   STR_ARG(m->unit), STR_ARG(m->help));
    s->n++;
}

static void test_metas(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    const struct metric_meta first[] = {
        { S("claude_code_cost_usage_USD_total"), METRIC_COUNTER, S("USD"), S("Cost") },
        { S("up"), METRIC_GAUGE, S(""), S("") },
    };
    const struct metric_meta newer = { S("claude_code_cost_usage_USD_total"), METRIC_COUNTER, S("USD"), S("Cost of the session") };
    must(catalog_metas_put(b.catalog, first, 2, &f), &f);
    must(catalog_metas_put(b.catalog, &newer, 1, &f), &f);
    reopen(&b);
    struct seen s = { 0 };
    must(catalog_metas(b.catalog, see, &s, &f), &f);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.text, "claude_code_cost_usage_USD_total 1 USD Cost of the session\nup 2  \n");
    bed_done(&b);
}

static void test_moved(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    const struct moved_id m[] = { { { 1, 2 }, 10, 100 }, { { 2, 1 }, 11, 200 }, { { UINT64_MAX, UINT64_MAX }, UINT64_MAX, 300 } };
    const struct moved_id again = { { 1, 2 }, 99, 999 };
    must(catalog_moved_put(b.catalog, m, 3, &f), &f);
    must(catalog_moved_put(b.catalog, &again, 1, &f), &f);
    reopen(&b);
    must(catalog_moved_prune(b.catalog, 200, &f), &f);     /* the first came at 100, whatever came again later */
    static const struct { struct id128 id; bool has; } rows[] = {
        { { 1, 2 }, false }, { { 2, 1 }, true }, { { UINT64_MAX, UINT64_MAX }, true }, { { 0, 0 }, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        bool has;
        must(catalog_moved_has(b.catalog, rows[i].id, &has, &f), &f);
        if (has != rows[i].has)
            fail_msg("id %zu", i);
    }
    bed_done(&b);
}

static void test_parts(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    struct catalog_part p[] = {
        { "2026-10", 100, 200, 110, 190, UINT64_MAX, 7, { 1, 2, 3 }, 4096, false, true, true },
        { "2026-09-01", INT64_MIN, -5, -9, -8, 0, 0, { UINT64_MAX, 0, 0 }, 0, true, false, false },
    };
    must(catalog_parts_put(b.catalog, p, 2, &f), &f);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, 1 << 20);
    struct catalog_part *got;
    uint32_t n;
    must(catalog_parts(b.catalog, &mem, &got, &n, &f), &f);
    assert_int_equal(n, 2);
    assert_memory_equal(&got[0], &p[1], sizeof got[0]);    /* by time */
    assert_memory_equal(&got[1], &p[0], sizeof got[1]);
    must(catalog_parts_remove(b.catalog, "2026-10", &f), &f);
    must(catalog_parts_remove(b.catalog, "none", &f), &f);
    must(catalog_parts(b.catalog, &mem, &got, &n, &f), &f);
    assert_int_equal(n, 1);
    bed_done(&b);
}

static void test_damaged(void **state)
{
    (void)state;
    static const struct { const char *text; } rows[] = {
        { "this is no database, and it is longer than the header of one would be: one hundred bytes at the very least......." },
    };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    for (size_t i = 0; i < LEN(rows); i++) {
        bed_close(&b);
        char path[256];
        bed_path(&b, "ccmon.db", path);
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        fputs(rows[i].text, out);
        fclose(out);
        assert_int_equal(bed_open(&b, &f), E_CORRUPT);
        assert_non_null(strstr(f.msg, "ccmon.db"));
        assert_int_equal(unlink(path), 0);
        must(bed_open(&b, &f), &f);
    }
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings), cmocka_unit_test(test_metas),   cmocka_unit_test(test_moved),
        cmocka_unit_test(test_parts),    cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
