/* tests/unit/store/test_part.c -- partitions: written, read, closed, reopened, dropped;
 * and what a start makes of whatever it finds in the folder.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "part_bed.h"

#define DAY0 "part/2026-11-22.db"

static void expect(struct bed *b, int64_t day, uint64_t first, uint64_t n, bool content)
{
    struct bed_rows r = bed_rows_of(b, day);
    uint64_t sum = 0, prompts = 0;
    for (uint64_t s = first; s < first + n; s++) {
        sum += s;
        prompts += s % 3 == 0;
    }
    assert_int_equal(r.n, n);
    assert_int_equal(r.seq_sum, sum);
    assert_int_equal(r.prompts, content ? prompts : 0);
}

static void must(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s", f->msg);
}

static void write_file(const struct bed *b, const char *rest, const char *text)
{
    char path[256];
    bed_path(b, rest, path);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

/* --- writing and reading ---------------------------------------------------------------- */

static void test_write_and_read(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    assert_true(b.catalog_was_new);
    assert_int_equal(part_span_at(b.set, BED_DAY(0) + 5).mark, 0);
    must(bed_flush(&b, BED_DAY(0), 1, 500, &f), &f);
    must(bed_flush(&b, BED_DAY(0), 501, 200, &f), &f);
    must(bed_flush(&b, BED_DAY(1), 701, 10, &f), &f);
    expect(&b, BED_DAY(0), 1, 700, true);
    expect(&b, BED_DAY(1), 701, 10, true);
    assert_int_equal(part_span_at(b.set, BED_DAY(0) + 5).mark, 700);
    assert_int_equal(part_span_at(b.set, BED_DAY(1) + NS_PER_DAY - 1).mark, 710);
    assert_int_equal(part_span_at(b.set, BED_DAY(2)).mark, 0);

    bed_close(&b);
    must(bed_open(&b, &f), &f);
    assert_false(b.catalog_was_new);
    assert_int_equal(b.set->nopen, 0);             /* nothing is opened before it is asked for */
    assert_int_equal(part_span_at(b.set, BED_DAY(0)).mark, 700);
    expect(&b, BED_DAY(0), 1, 700, true);
    expect(&b, BED_DAY(1), 701, 10, true);
    must(bed_flush(&b, BED_DAY(0), 711, 5, &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 705);
    bed_done(&b);
}

static void test_views(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    struct part_view *old = part_view_get(b.set);
    assert_int_equal(old->n, 1);

    /* Written, not yet ended: nobody sees it. */
    int64_t days[] = { BED_DAY(0), BED_DAY(1) };
    must(part_flush_begin(b.set, days, 2, &f), &f);
    must(bed_write(&b, days[0], 11, 10, &f), &f);
    must(bed_write(&b, days[1], 21, 10, &f), &f);
    expect(&b, BED_DAY(0), 1, 10, true);
    assert_int_equal(bed_rows_of(&b, BED_DAY(1)).n, 0);
    must(part_flush_end(b.set, &f), &f);
    expect(&b, BED_DAY(0), 1, 20, true);
    expect(&b, BED_DAY(1), 21, 10, true);

    /* The old view goes on seeing what it saw, also after a drop. */
    struct bed_rows r;
    must(bed_read(&old->at[0], &r, &f), &f);
    assert_int_equal(r.n, 10);
    must(part_drop(b.set, BED_DAY(0), &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 0);
    assert_false(bed_exists(&b, DAY0));
    pool_sweep(b.set, INT64_MAX);                  /* it has to be opened under its new name */
    must(bed_read(&old->at[0], &r, &f), &f);
    assert_int_equal(r.n, 10);
    assert_int_equal(r.prompts, 3);

    /* The day may begin anew meanwhile. */
    must(bed_flush(&b, BED_DAY(0), 31, 5, &f), &f);
    expect(&b, BED_DAY(0), 31, 5, true);
    assert_true(bed_exists(&b, "part/2026-11-22.1.gone"));
    part_view_unref(old);
    assert_false(bed_exists(&b, "part/2026-11-22.1.gone"));
    assert_false(bed_exists(&b, "part/2026-11-22.content.1.gone"));
    expect(&b, BED_DAY(0), 31, 5, true);
    bed_done(&b);
}

static void test_close_and_late_row(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 100, &f), &f);
    assert_true(bed_exists(&b, DAY0 "-wal"));
    b.now = BED_DAY(3) - 1;
    b.mono += 2 * 3600 * NS_PER_S;
    must(part_tick(b.set, &f), &f);                /* not yet two days old */
    assert_false(b.set->parts[0]->closed);
    b.now = BED_DAY(3);
    b.mono -= 3601 * NS_PER_S;
    must(part_tick(b.set, &f), &f);                /* written less than an hour ago */
    assert_false(b.set->parts[0]->closed);
    b.mono += 3601 * NS_PER_S;
    struct part_view *held = part_view_get(b.set);
    must(part_tick(b.set, &f), &f);
    assert_true(b.set->parts[0]->closed);
    assert_false(bed_exists(&b, DAY0 "-wal"));
    assert_false(bed_exists(&b, "part/2026-11-22.content.db-wal"));
    expect(&b, BED_DAY(0), 1, 100, true);

    must(bed_flush(&b, BED_DAY(0), 101, 30, &f), &f);
    assert_false(b.set->parts[0]->closed);
    expect(&b, BED_DAY(0), 1, 130, true);
    struct bed_rows r;
    must(bed_read(&held->at[0], &r, &f), &f);
    assert_int_equal(r.n, 100);
    part_view_unref(held);

    b.mono += 2 * 3600 * NS_PER_S;
    must(part_tick(b.set, &f), &f);
    bed_close(&b);
    must(bed_open(&b, &f), &f);
    assert_true(b.set->parts[0]->closed);
    expect(&b, BED_DAY(0), 1, 130, true);
    bed_done(&b);
}

static void test_content(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 100, &f), &f);
    must(bed_flush(&b, BED_DAY(1), 101, 1, &f), &f);       /* no prompt among them */
    assert_false(bed_exists(&b, "part/2026-11-23.content.db"));
    must(part_drop_content(b.set, BED_DAY(0), &f), &f);
    assert_false(bed_exists(&b, "part/2026-11-22.content.db"));
    expect(&b, BED_DAY(0), 1, 100, false);
    must(bed_flush(&b, BED_DAY(0), 102, 30, &f), &f);      /* new content in a new file */
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).prompts, 10);

    bed_close(&b);                                 /* somebody removes it by hand */
    char path[256];
    bed_path(&b, "part/2026-11-22.content.db", path);
    assert_int_equal(unlink(path), 0);
    must(bed_open(&b, &f), &f);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 130);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).prompts, 0);
    b.now = BED_DAY(9);
    must(part_tick(b.set, &f), &f);
    assert_true(b.set->parts[0]->closed);
    assert_int_equal(bed_rows_of(&b, BED_DAY(0)).n, 130);
    bed_done(&b);
}

static void test_carry(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    struct part_carry c[3] = {
        { { 1, 2 }, BED_DAY(-1), 7, BED_DAY(-1) + 5, 0.1 },
        { { UINT64_MAX, 0 }, BED_DAY(-3), 1, 0, -0.0 },
        { { 3, 3 }, 0, 0, 0, 0.5 },
    };
    must(part_carry_put(b.set, BED_DAY(0), c, 2, &f), &f);
    c[0].base = 0.2;
    must(part_carry_put(b.set, BED_DAY(0), c, 1, &f), &f);
    struct part_view *v = part_view_get(b.set);
    struct part_carry got[3] = { { .series = c[0].series }, { .series = c[1].series }, { .series = c[2].series } };
    bool found[3];
    must(part_carry_get(&v->at[0], got, 3, found, &f), &f);
    assert_true(found[0] && found[1] && !found[2]);
    assert_memory_equal(&got[0], &c[0], sizeof got[0]);
    assert_memory_equal(&got[1], &c[1], sizeof got[1]);
    part_view_unref(v);

    /* A closed partition stays closed; one that is gone says so. */
    b.now = BED_DAY(9);
    b.mono += 3601 * NS_PER_S;
    must(part_tick(b.set, &f), &f);
    assert_true(b.set->parts[0]->closed);
    must(part_carry_put(b.set, BED_DAY(0), &c[2], 1, &f), &f);
    assert_true(b.set->parts[0]->closed && !b.set->parts[0]->writing);
    assert_false(bed_exists(&b, DAY0 "-wal"));
    v = part_view_get(b.set);
    got[2] = (struct part_carry){ .series = c[2].series };
    must(part_carry_get(&v->at[0], got, 3, found, &f), &f);
    assert_true(found[0] && found[1] && found[2]);
    assert_memory_equal(&got[2], &c[2], sizeof got[2]);
    part_view_unref(v);
    must(part_drop(b.set, BED_DAY(0), &f), &f);
    assert_int_equal(part_carry_put(b.set, BED_DAY(0), c, 1, &f), E_NOTFOUND);
    bed_done(&b);
}

/* Any number of partitions through few connections. */
static void test_pool(void **state)
{
    (void)state;
    enum { DAYS = 9, MAX = 3 };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    bed_close(&b);
    b.open_max = MAX;
    must(bed_open(&b, &f), &f);
    for (int i = 0; i < DAYS; i++)
        must(bed_flush(&b, BED_DAY(i), 1 + (uint64_t)i * 10, 10, &f), &f);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < DAYS; i++) {
            expect(&b, BED_DAY(i), 1 + (uint64_t)i * 10, 10, true);
            assert_true(b.set->nopen <= MAX);
        }
    b.mono += 120 * NS_PER_S;
    must(part_tick(b.set, &f), &f);
    assert_int_equal(b.set->nopen, 0);             /* nothing stays open that nobody uses */
    assert_int_equal(b.set->list_bytes, 0);
    bed_done(&b);
}

static void test_spans(void **state)
{
    (void)state;
    static const struct { int64_t time, from, to; } rows[] = {
        { 0, 0, NS_PER_DAY },
        { -1, -NS_PER_DAY, 0 },
        { NS_PER_DAY, NS_PER_DAY, 2 * NS_PER_DAY },
        { INT64_MAX, INT64_C(106751) * NS_PER_DAY, INT64_MAX },
        { INT64_MIN, INT64_MIN, INT64_C(-106751) * NS_PER_DAY },
    };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct part_span s = part_span_at(b.set, rows[i].time);
        assert_int_equal(s.from_ns, rows[i].from);
        assert_int_equal(s.to_ns, rows[i].to);
        must(part_flush_begin(b.set, &s.from_ns, 1, &f), &f);
        if (rows[i].time != INT64_MIN && rows[i].time != INT64_MAX)
            must(bed_write(&b, s.from_ns, 1, 3, &f), &f);
    }
    must(part_flush_end(b.set, &f), &f);
    assert_true(bed_exists(&b, "part/1970-01-01.db"));
    assert_true(bed_exists(&b, "part/1969-12-31.db"));
    expect(&b, -NS_PER_DAY, 1, 3, true);
    assert_string_equal(b.set->parts[0]->name, "1677-09-21");
    assert_string_equal(b.set->parts[b.set->nparts - 1]->name, "2262-04-11");
    bed_done(&b);
}

/* --- starting ------------------------------------------------------------------------------- */

static void test_lost_catalogue(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    for (int i = 0; i < 4; i++)
        must(bed_flush(&b, BED_DAY(i), 1 + (uint64_t)i * 10, 10, &f), &f);
    b.now = BED_DAY(4);
    must(part_tick(b.set, &f), &f);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, 1 << 20);
    struct catalog_part *before, *after;
    uint32_t n, m;
    must(catalog_parts(b.catalog, &mem, &before, &n, &f), &f);
    bed_close(&b);
    char path[256];
    bed_path(&b, "ccmon.db", path);
    assert_int_equal(unlink(path), 0);
    must(bed_open(&b, &f), &f);
    assert_true(b.catalog_was_new);
    must(catalog_parts(b.catalog, &mem, &after, &m, &f), &f);
    assert_int_equal(n, 4);
    assert_int_equal(m, 4);
    for (uint32_t i = 0; i < n; i++) {
        after[i].closed = before[i].closed;        /* looked into, so open again */
        after[i].bytes = before[i].bytes;
        assert_memory_equal(&after[i], &before[i], sizeof after[i]);
        expect(&b, BED_DAY(i), 1 + (uint64_t)i * 10, 10, true);
    }
    bed_done(&b);
}

/* A flush that never ended: the file says how far it came, whatever the catalogue says. */
static void test_cut_short(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    int64_t days[] = { BED_DAY(0), BED_DAY(1), BED_DAY(2) };
    must(part_flush_begin(b.set, days, 3, &f), &f);
    must(bed_write(&b, days[0], 11, 10, &f), &f);
    must(bed_write(&b, days[1], 21, 10, &f), &f);
    bed_close(&b);
    write_file(&b, "part/2026-11-24.db", "");      /* made, but its tables were not */
    must(bed_open(&b, &f), &f);
    assert_int_equal(part_span_at(b.set, days[0]).mark, 20);
    assert_int_equal(part_span_at(b.set, days[1]).mark, 30);
    assert_int_equal(part_span_at(b.set, days[2]).mark, 0);
    assert_int_equal(b.set->nparts, 2);
    assert_false(bed_exists(&b, "part/2026-11-24.db"));
    expect(&b, days[0], 1, 20, true);
    must(bed_flush(&b, days[2], 31, 1, &f), &f);
    bed_done(&b);
}

static void test_stray_files(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    must(bed_flush(&b, BED_DAY(1), 11, 10, &f), &f);
    bed_close(&b);
    write_file(&b, "part/2026-11-20.1.gone", "old");
    write_file(&b, "part/2026-11-19.content.db", "old");
    write_file(&b, "part/2026-11-18.db", "this is no database, and it is longer than the header of one would be: "
                                         "one hundred bytes at the very least.....................................");
    write_file(&b, "part/notes.txt", "not ours");
    char path[256];
    bed_path(&b, "part/2026-11-23.db", path);
    assert_int_equal(unlink(path), 0);
    must(bed_open(&b, &f), &f);
    assert_false(bed_exists(&b, "part/2026-11-20.1.gone"));
    assert_false(bed_exists(&b, "part/2026-11-19.content.db"));
    assert_false(bed_exists(&b, "part/2026-11-18.db"));
    assert_false(bed_exists(&b, "part/2026-11-23.content.db"));
    assert_true(bed_exists(&b, "part/notes.txt"));
    assert_int_equal(b.reports, 1);
    assert_int_equal(b.reported.code, E_CORRUPT);
    assert_non_null(strstr(b.reported.msg, "2026-11-18"));
    assert_int_equal(b.set->nparts, 1);
    expect(&b, BED_DAY(0), 1, 10, true);
    bed_done(&b);
}

static void change(const struct bed *b, const char *rest, const char *text)
{
    char path[256];
    struct fault f = { 0 };
    bed_path(b, rest, path);
    CLEANUP(sql_closep) struct sql *s = NULL;
    must(sql_open(path, SQL_WRITE, &s, &f), &f);
    must(sql_exec(s, text, &f), &f);
}

static void test_newer_format(void **state)
{
    (void)state;
    static const struct { const char *file, *newer, *back, *says; } rows[] = {
        { "ccmon.db", "PRAGMA user_version=2", "PRAGMA user_version=1", "has format 2, this ccmon reads up to 1" },
        { DAY0, "UPDATE part SET format=9", "UPDATE part SET format=2", "has format 9, this ccmon reads up to 2" },
        { DAY0, "UPDATE part SET format=1", "UPDATE part SET format=2", "was written before the first release" },
    };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    must(part_flush_begin(b.set, &(int64_t){ BED_DAY(0) }, 1, &f), &f);   /* so that the start looks into it */
    for (size_t i = 0; i < LEN(rows); i++) {
        bed_close(&b);
        change(&b, rows[i].file, rows[i].newer);
        assert_int_equal(bed_open(&b, &f), E_UNSUPPORTED);
        assert_non_null(strstr(f.msg, rows[i].says));
        change(&b, rows[i].file, rows[i].back);
        must(bed_open(&b, &f), &f);
        must(part_flush_begin(b.set, &(int64_t){ BED_DAY(0) }, 1, &f), &f);
    }
    expect(&b, BED_DAY(0), 1, 10, true);
    bed_done(&b);
}

static void test_quarantine(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    must(bed_flush(&b, BED_DAY(0), 1, 10, &f), &f);
    bed_close(&b);
    char path[256];
    bed_path(&b, DAY0, path);
    FILE *out = fopen(path, "r+b");
    assert_non_null(out);
    for (int i = 0; i < 60000; i++)
        fputc(0x5a, out);
    fclose(out);
    must(bed_open(&b, &f), &f);                    /* nobody has looked yet */
    assert_int_equal(bed_flush(&b, BED_DAY(0), 11, 10, &f), E_CORRUPT);
    assert_non_null(strstr(f.msg, "2026-11-22"));
    must(part_quarantine(b.set, BED_DAY(0), &f), &f);
    assert_false(bed_exists(&b, DAY0));
    must(bed_flush(&b, BED_DAY(0), 11, 10, &f), &f);
    expect(&b, BED_DAY(0), 11, 10, true);
    bed_path(&b, "quarantine", path);
    DIR *d = opendir(path);
    unsigned n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += strstr(e->d_name, "2026-11-22") != NULL;
    closedir(d);
    assert_true(n >= 2);                           /* content too */
    bed_done(&b);
}

/* 400 days in the list: none of their files is even looked at. */
static void test_many(void **state)
{
    (void)state;
    enum { DAYS = 400 };
    struct bed b;
    struct fault f = { 0 };
    bed_init(&b);
    struct catalog_part *list = mem_alloc(DAYS * sizeof *list);
    for (int i = 0; i < DAYS; i++) {
        struct part *p = part_add(b.set, NULL, BED_DAY(i - DAYS), BED_DAY(i - DAYS + 1));
        p->head.mark = (uint64_t)i + 1;
        p->head.generation = 3;
        p->closed = true;
        list[i] = part_for_catalog(p);
        char file[64];
        (void)snprintf(file, sizeof file, "part/%s.db", p->name);
        write_file(&b, file, "never read");
    }
    must(catalog_parts_put(b.catalog, list, DAYS, &f), &f);
    bed_close(&b);
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    must(bed_open(&b, &f), &f);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    print_message("opening catalogue and set with %d partitions: %.2f ms\n", DAYS,
                  (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6);
    struct part_view *v = part_view_get(b.set);
    assert_int_equal(v->n, DAYS);
    assert_int_equal(v->at[DAYS - 1].mark, DAYS);
    part_view_unref(v);
    assert_int_equal(b.set->nopen, 0);
    mem_free(list);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_views),
        cmocka_unit_test(test_close_and_late_row), cmocka_unit_test(test_content),
        cmocka_unit_test(test_carry),          cmocka_unit_test(test_pool),
        cmocka_unit_test(test_spans),          cmocka_unit_test(test_lost_catalogue),
        cmocka_unit_test(test_cut_short),      cmocka_unit_test(test_stray_files),
        cmocka_unit_test(test_newer_format),   cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
