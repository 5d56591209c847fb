/* tests/unit/store/test_compact.c -- compaction: what is planned, and what becomes of a store.
 *
 * Plans are told from lists of chunks, so those are made up. The rest is done by a store and
 * compared with the model: flushes become one chunk, a day that is over is sorted and closed,
 * a month that is over is one file; scans that were begun before read on, whatever happens.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../support/store_model.h"
#include "store/compact_int.h"
#include "store/store_int.h"

/* ---- plans --------------------------------------------------------------------------------- */

static struct chunk_ref chunk(enum table t, uint32_t level, uint32_t rows, int64_t t0, int64_t recv_max)
{
    struct chunk_ref c = { .t0 = t0, .t1 = t0 + 9 };
    c.sum.table = t;
    c.sum.level = level;
    c.sum.rows = rows;
    c.sum.recv_max = recv_max;
    return c;
}

/* n chunks of each kind; how many are picked, and of which level. */
static void test_small(void **state)
{
    (void)state;
    enum { MANY = 40 };
    static const struct {
        const char *name;
        struct { uint32_t n, level, rows, recv; } kinds[3];
        uint32_t want, level;
        bool young;
    } rows[] = {
        { "seven are not enough", { { 7, 0, 10, 1 } }, 0, 0, false },
        { "eight are", { { 8, 0, 10, 1 } }, 8, 0, false },
        { "all of them", { { 30, 0, 10, 1 } }, 30, 0, false },
        { "the young ones wait", { { 9, 0, 10, 1 }, { 3, 0, 10, 100 } }, 9, 0, true },
        { "too few are old", { { 7, 0, 10, 1 }, { 3, 0, 10, 100 } }, 0, 0, true },
        { "large ones do not count", { { 7, 0, 10, 1 }, { 9, 0, 16 << 10, 1 } }, 0, 0, false },
        { "levels are not mixed", { { 7, 0, 10, 1 }, { 7, 1, 10, 1 } }, 0, 0, false },
        { "level 1 once more", { { 7, 0, 10, 1 }, { 8, 1, 10, 1 } }, 8, 1, false },
        { "level 0 first", { { 8, 1, 10, 1 }, { 9, 0, 10, 1 } }, 9, 0, false },
        { "a day's order stays", { { 20, 2, 10, 1 } }, 0, 0, false },
        { "no more than a chunk holds", { { 12, 0, 6000, 1 } }, 10, 0, false },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        CLEANUP(arena_done) struct arena mem;
        struct chunk_ref at[MANY];
        uint32_t n = 0, *picked;
        arena_init(&mem, 1 << 20);
        for (size_t k = 0; k < LEN(rows[i].kinds); k++)
            for (uint32_t j = 0; j < rows[i].kinds[k].n; j++, n++)
                at[n] = chunk(TABLE_LOG, rows[i].kinds[k].level, rows[i].kinds[k].rows, n, rows[i].kinds[k].recv);
        uint32_t found = compact_pick_small(at, n, 50, &mem, &picked);
        if (found != rows[i].want || compact_some_young(at, n, 50) != rows[i].young)
            fail_msg("%s: %u picked", rows[i].name, found);
        for (uint32_t k = 0; k < found; k++)
            if (at[picked[k]].sum.level != rows[i].level || (k && picked[k] <= picked[k - 1]))
                fail_msg("%s: chunk %u", rows[i].name, picked[k]);
    }
}

static void test_tables(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct { uint32_t n, level, rows; } kinds[3];
        bool want;
    } rows[] = {
        { "one chunk is as good as it gets", { { 1, 0, 500 } }, false },
        { "two are not", { { 2, 0, 500 } }, true },
        { "sorted already", { { 5, 2, 500 } }, false },
        { "few late rows", { { 5, 2, 500 }, { 1, 0, 100 } }, false },
        { "a quarter of late rows", { { 4, 2, 500 }, { 1, 0, 500 } }, true },
        { "level 1 is not sorted", { { 1, 1, 500 }, { 1, 2, 500 } }, true },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct chunk_ref at[16];
        uint32_t n = 0;
        for (size_t k = 0; k < LEN(rows[i].kinds); k++)
            for (uint32_t j = 0; j < rows[i].kinds[k].n; j++, n++)
                at[n] = chunk(TABLE_SPAN, rows[i].kinds[k].level, rows[i].kinds[k].rows, n, 1);
        at[n++] = chunk(TABLE_LOG, 0, 100, 1, 1);
        if (compact_pick_tables(at, n) != (rows[i].want ? 1u << TABLE_SPAN : 0))
            fail_msg("%s", rows[i].name);
    }
}

static void test_sections(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    struct chunk_ref at[20];
    uint32_t *index, *end;
    arena_init(&mem, 1 << 20);
    for (uint32_t i = 0; i < LEN(at); i++)         /* the newest first */
        at[i] = chunk(i == 3 ? TABLE_LOG : TABLE_SAMPLE, 0, CHUNK_ROWS_MAX, 100 - i, 1);
    assert_int_equal(compact_pick_sections(at, LEN(at), TABLE_SAMPLE, &mem, &index, &end), 3);
    assert_int_equal(end[0], 8);
    assert_int_equal(end[1], 16);
    assert_int_equal(end[2], 19);
    assert_int_equal(index[0], 19);
    assert_int_equal(index[18], 0);
    assert_int_equal(compact_pick_sections(at, LEN(at), TABLE_SPAN, &mem, &index, &end), 0);
    at[0].sum.rows = CHUNK_ROWS_LIMIT;             /* more than a section by itself */
    assert_int_equal(compact_pick_sections(at, 1, TABLE_SAMPLE, &mem, &index, &end), 1);
}

/* ---- a store ---------------------------------------------------------------------------------- */

enum { PER_FLUSH = 24 };

/* Samples and events of three sessions that go on the whole day, one row a minute. */
static struct bed_req some_rows(struct arena *mem, enum table t, int64_t from_ns, uint32_t n, uint32_t salt)
{
    static const char *const metrics[] = { "claude_code_token_usage_tokens_total", "claude_code_cost_usage_USD_total" };
    struct bed_req r = { .table = t, .rows = arena_new(mem, struct bed_row, n), .n = n };
    for (uint32_t i = 0; i < n; i++) {
        struct bed_row *x = &r.rows[i];
        x->said_ns = from_ns + i * 60 * NS_PER_S + salt;
        x->origin = ORIGIN_OTLP;
        struct value session = value_str(arena_fmt(mem, "s%u", i % 3));
        if (t == TABLE_SAMPLE) {
            x->start_ns = x->said_ns - NS_PER_S;
            x->value = salt + i;
            x->temporality = TEMPORALITY_DELTA;
            x->cells[x->ncells++] = (struct bed_cell){ PLACE_LABEL, S("__name__"), value_str(str_c(metrics[i % 2])) };
            x->cells[x->ncells++] = (struct bed_cell){ PLACE_LABEL, S("session_id"), session };
            continue;
        }
        x->cells[x->ncells++] = (struct bed_cell){ PLACE_ATTR, S("event.name"), value_str(i % 4 ? S("api_request") : S("user_prompt")) };
        x->cells[x->ncells++] = (struct bed_cell){ PLACE_ATTR, S("session.id"), session };
        x->cells[x->ncells++] = (struct bed_cell){ PLACE_ATTR, S("duration_ms"), value_int(i * 7 + salt) };
        if (i % 4 == 0)
            x->cells[x->ncells++] = (struct bed_cell){ PLACE_ATTR, S("prompt"), value_str(arena_fmt(mem, "prompt %u of %u", i, salt)) };
    }
    return r;
}

static void write_rows(struct bed *b, int64_t from_ns, uint32_t n, uint32_t salt)
{
    struct fault f = { 0 };
    for (enum table t = TABLE_SAMPLE; t <= TABLE_LOG; t++) {
        struct bed_req r = some_rows(&b->mem, t, from_ns, n, salt);
        r.recv_ns = b->now_ns;
        if (bed_write(b, &r, &f))
            fail_msg("%s", f.msg);
    }
    if (store_flush(b->store, &f))
        fail_msg("%s", f.msg);
}

/* A day of flushes; the clock goes with it. */
static void write_day(struct bed *b, int64_t day_ns, uint32_t flushes)
{
    for (uint32_t i = 0; i < flushes; i++) {
        write_rows(b, day_ns + (int64_t)i * 3000 * NS_PER_S, PER_FLUSH, i + 1);
        bed_pass(b, 3000 * NS_PER_S);
    }
}

static uint32_t count_chunks(struct bed *b, int64_t day_ns, uint32_t levels)
{
    struct part_view *v = part_view_get(b->store->parts);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        struct chunk_list *l;
        if (v->at[i].from_ns > day_ns || v->at[i].to_ns <= day_ns)
            continue;
        assert_int_equal(part_chunks(&v->at[i], &l, NULL), OK);
        for (uint32_t k = 0; k < l->n; k++)
            n += levels >> l->at[k].sum.level & 1;
        chunk_list_unref(l);
    }
    part_view_unref(v);
    return n;
}

static enum part_age age_of(struct bed *b, int64_t day_ns)
{
    return part_age(b->store->parts, day_ns);
}

static int64_t today(const struct bed *b)
{
    return b->now_ns - b->now_ns % NS_PER_DAY;
}

static void open_bed(struct bed *b)
{
    struct fault f = { 0 };
    bed_init(b);
    b->now_ns = today(b);
    if (bed_open(b, &f))
        fail_msg("%s", f.msg);
}

static void test_levels(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    open_bed(&b);
    int64_t day = today(&b);
    write_day(&b, day, 12);
    store_tick(b.store);                           /* by itself, once a minute, the store did it too */
    assert_true(count_chunks(&b, day, 1) < 16);
    assert_int_equal(count_chunks(&b, day, 2), 2);
    assert_int_equal(count_chunks(&b, day, 4), 0);
    bed_same_rows(&b, "level 1");

    write_day(&b, day + 13 * 3000 * NS_PER_S, 5);
    bed_pass(&b, NS_PER_DAY);
    store_tick(b.store);                           /* the day is over, but not for long */
    assert_int_equal(count_chunks(&b, day, 4), 0);
    bed_pass(&b, 2 * NS_PER_DAY);
    struct scan *held;
    struct scan_req all = { .table = TABLE_LOG, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true };
    struct source *src = store_source(b.store);
    assert_int_equal(src->scan_begin(src, &all, &held, &f), OK);
    store_tick(b.store);
    assert_int_equal(count_chunks(&b, day, 4), 2);
    assert_int_equal(count_chunks(&b, day, 7), 2);
    assert_int_equal(age_of(&b, day), PART_CLOSED);
    bed_same_rows(&b, "level 2");
    uint64_t rows = 0;
    for (const struct block *k; !src->scan_next(held, &k, &f) && k;)
        rows += k->nsel;
    (void)src->scan_end(held);
    assert_int_equal(rows, 17 * PER_FLUSH);
    assert_int_equal(bed_count(&b, "part", ".gone"), 0);

    /* Late rows: few of them stay by themselves, and the day closes again. */
    write_rows(&b, day + 5 * NS_PER_S, 3, 77);
    assert_int_equal(age_of(&b, day), PART_OPEN);
    bed_pass(&b, 2 * 3600 * NS_PER_S);
    store_tick(b.store);
    assert_int_equal(age_of(&b, day), PART_CLOSED);
    assert_int_equal(count_chunks(&b, day, 1), 2);
    for (int i = 0; i < 6; i++)                    /* and more of them do not */
        write_rows(&b, day + 5 * NS_PER_S, PER_FLUSH, 78 + i);
    bed_pass(&b, 2 * 3600 * NS_PER_S);
    store_tick(b.store);
    assert_int_equal(count_chunks(&b, day, 7), 2);
    bed_same_rows(&b, "late rows");
    assert_int_equal(b.reports, 0);
    bed_done(&b);
}

static struct str text_at(const struct block *b, const char *label, uint32_t row)
{
    struct label_ref l = block_label(b, str_c(label), 0);
    return label_value(&l, row).s;
}

/* Over chunks: each metric stands in one stretch, each session of it too, by its first time. */
static void test_order(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    CLEANUP(arena_done) struct arena mem;
    enum { CHUNKS = 5 };
    const struct chunk_ref *chunks[CHUNKS];
    struct block blocks[CHUNKS];
    open_bed(&b);
    arena_init(&mem, (size_t)64 << 20);
    int64_t day = today(&b);
    write_day(&b, day, CHUNKS);
    struct part_view *v = part_view_get(b.store->parts);
    struct chunk_list *l;
    assert_int_equal(part_chunks(&v->at[0], &l, &f), OK);
    struct section s = { .table = TABLE_SAMPLE, .item = &v->at[0], .chunks = chunks };
    for (uint32_t i = 0; i < l->n; i++)
        if (l->at[i].sum.table == TABLE_SAMPLE) {
            blocks[s.nchunks] = (struct block){ 0 };
            assert_int_equal(compact_read(&v->at[0], &l->at[i], NULL, &mem, &blocks[s.nchunks], NULL, &f), OK);
            chunks[s.nchunks++] = &l->at[i];
        }
    assert_int_equal(s.nchunks, CHUNKS);
    assert_int_equal(compact_sort(&s, &mem, &f), OK);
    assert_int_equal(s.n, CHUNKS * PER_FLUSH);
    assert_int_equal(s.nout, 1);
    struct str metric = S(""), session = S("");
    unsigned metrics = 0, sessions = 0;
    int64_t last = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        const struct block *k = &blocks[s.order[i] / PER_FLUSH];
        uint32_t row = s.order[i] % PER_FLUSH;
        struct str m = text_at(k, "__name__", row), x = text_at(k, "session_id", row);
        bool same = str_eq(m, metric) && str_eq(x, session);
        assert_true(!same || k->time_ns[row] > last);
        metrics += !str_eq(m, metric);
        sessions += !same;
        metric = m;
        session = x;
        last = k->time_ns[row];
    }
    assert_int_equal(metrics, 2);
    assert_int_equal(sessions, 6);
    chunk_list_unref(l);
    part_view_unref(v);
    bed_done(&b);
}

/* A resend finds its rows in whatever they have become. */
static void test_resend(void **state)
{
    (void)state;
    struct bed b;
    open_bed(&b);
    int64_t day = today(&b);
    write_day(&b, day, 10);
    bed_pass(&b, 4 * NS_PER_DAY);
    write_rows(&b, today(&b), 3, 1);
    write_rows(&b, today(&b), 3, 2);               /* identities of older generations are not in memory any more */
    write_rows(&b, today(&b), 3, 3);
    store_tick(b.store);
    assert_int_equal(count_chunks(&b, day, 7), 2);
    for (uint32_t i = 0; i < 10; i++)
        write_rows(&b, day + (int64_t)i * 3000 * NS_PER_S, PER_FLUSH, i + 1);
    bed_same_rows(&b, "sent again");
    assert_int_equal(count_chunks(&b, day, 7), 2);
    bed_done(&b);
}

static void test_month(void **state)
{
    (void)state;
    struct bed b;
    struct fault f = { 0 };
    open_bed(&b);
    int64_t from, to;
    char name[CATALOG_NAME_MAX];
    part_month(b.now_ns, &from, &to, name);
    for (int64_t day = today(&b); day < to; day += NS_PER_DAY) {
        write_rows(&b, day, 3, 1);
        bed_pass(&b, 3600 * NS_PER_S);
        write_rows(&b, day + NS_PER_S, 3, 2);
        bed_pass(&b, 23 * 3600 * NS_PER_S);
        store_tick(b.store);
    }
    assert_true(bed_count(&b, "part", ".db") > 3);
    bed_pass(&b, 2 * NS_PER_DAY);
    for (int i = 0; i < 3; i++)
        store_tick(b.store);                       /* all days closed; the month is not over for long enough */
    assert_true(bed_count(&b, "part", ".db") > 3);
    bed_pass(&b, 2 * NS_PER_DAY);
    store_tick(b.store);
    assert_int_equal(bed_count(&b, "part", ".db"), 2);     /* and its content */
    bed_same_rows(&b, "the month");
    write_rows(&b, to - NS_PER_DAY + 7, 3, 9);
    bed_same_rows(&b, "a late row");
    assert_int_equal(bed_count(&b, "part", ".content.db"), 1);
    bed_close(&b);
    if (bed_open(&b, &f))
        fail_msg("%s", f.msg);
    bed_same_rows(&b, "the month opened");
    assert_int_equal(b.reports, 0);
    bed_done(&b);
}

/* ---- readers meanwhile --------------------------------------------------------------------------- */

static bool over;

struct reader {
    struct bed *b;
    pthread_t thread;
    uint64_t least, scans;
};

/* Rows are only ever added. */
static void *read_all(void *arg)
{
    struct reader *r = arg;
    struct source *src = store_source(r->b->store);
    struct scan_req all = { .table = TABLE_LOG, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true };
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        struct scan *sc;
        struct fault f = { 0 };
        uint64_t rows = 0, sum = 0;
        enum err e = src->scan_begin(src, &all, &sc, &f);
        for (const struct block *k; !e && !(e = src->scan_next(sc, &k, &f)) && k; rows += k->nsel)
            for (uint32_t i = 0; i < k->nsel; i++) {
                struct label_ref l = block_label(k, S("duration_ms"), 0);
                sum += (uint64_t)label_value(&l, k->sel[i]).i;
            }
        if (e)
            (void)fprintf(stderr, "%s\n", f.msg);
        CHECK(!e && rows >= r->least && rows % PER_FLUSH == 0 && (sum || !rows));
        (void)src->scan_end(sc);
        r->least = rows;
        __atomic_add_fetch(&r->scans, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

/* Chunks that somebody still reads keep a partition open; then it is tried again. */
static void tick_often(struct bed *b, int n)
{
    for (int i = 0; i < n; i++) {
        store_tick(b->store);
        bed_pass(b, 700 * NS_PER_S);
    }
}

static void test_readers(void **state)
{
    (void)state;
    struct bed b;
    struct reader r[2];
    open_bed(&b);
    for (size_t i = 0; i < LEN(r); i++) {
        r[i] = (struct reader){ .b = &b };
        assert_int_equal(pthread_create(&r[i].thread, NULL, read_all, &r[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        write_day(&b, today(&b), 9);
        store_tick(b.store);
        bed_pass(&b, NS_PER_DAY - 9 * 3000 * NS_PER_S);
        store_tick(b.store);
    }
    bed_pass(&b, 40 * NS_PER_DAY);
    tick_often(&b, 20);
    while (!__atomic_load_n(&r[0].scans, __ATOMIC_ACQUIRE) || !__atomic_load_n(&r[1].scans, __ATOMIC_ACQUIRE))
        bed_pass(&b, 1);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < LEN(r); i++)
        assert_int_equal(pthread_join(r[i].thread, NULL), 0);
    tick_often(&b, 4);                             /* nobody holds old views any more */
    assert_int_equal(bed_count(&b, "part", ".db"), 2);
    bed_same_rows(&b, "in the end");
    assert_int_equal(b.reports, 0);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),  cmocka_unit_test(test_tables), cmocka_unit_test(test_sections), cmocka_unit_test(test_levels),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_resend), cmocka_unit_test(test_month),  cmocka_unit_test(test_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
