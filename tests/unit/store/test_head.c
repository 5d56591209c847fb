/* tests/unit/store/test_head.c -- the head read while it grows; then the whole store.
 *
 * Every row says in its cells what it must be: row i has n = i, and a value in column
 * i % 40 that is new now and then, so columns come late and dictionaries move. Readers
 * take pictures as fast as they can and check all of what they see. Nothing here waits
 * for a time: the writer ends it, when the readers have seen enough.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../support/store_model.h"
#include "store/head.h"
#include "store/store_int.h"

enum { ROOM = 6000, BATCH = 50, READERS = 2, COLUMNS = 40 };

static struct gen *gen;
static bool over;
static uint64_t pictures;

/* ---- one generation -------------------------------------------------------- */

static void fill(struct batch *b, uint32_t from, uint32_t n)
{
    uint32_t shared = batch_group(b);
    cells_put(&b->groups[shared], b->mem, batch_col(b, PLACE_RESOURCE, S("service")), value_str(S("x")));
    for (uint32_t i = from; i < from + n; i++) {
        struct row *r = batch_row(b);
        r->time_ns = 1000 + i;
        r->origin = ORIGIN_OTLP;
        r->group = i % 3 ? shared : ROW_NO_GROUP;
        cells_put(&r->cells, b->mem, batch_col(b, PLACE_ATTR, S("n")), value_int(i));
        if (i >= 10 * (i % COLUMNS))               /* each column begins later than the one before */
            cells_put(&r->cells, b->mem, batch_col(b, PLACE_ATTR, arena_fmt(b->mem, "c%u", i % COLUMNS)),
                      value_str(arena_fmt(b->mem, "v%u", i / 200)));
    }
}

static void append(struct gen *g, uint32_t from, uint32_t n, bool publish)
{
    struct arena mem;
    struct batch b;
    bool keep[BATCH];
    arena_init(&mem, 4 << 20);
    batch_init(&b, &mem, TABLE_LOG, 77);
    fill(&b, from, n);
    memset(keep, 1, sizeof keep);
    gen_append(g, &b, keep, from + 1);
    if (publish)
        gen_publish(g);
    batch_done(&b);
    arena_done(&mem);
}

static const struct column *column_of(const struct block *b, const char *name)
{
    for (uint32_t c = 0; c < b->ncols; c++)
        if (str_eq(b->cols[c].key.name, str_c(name)))
            return &b->cols[c];
    return NULL;
}

static void check_row(const struct block *b, uint32_t i)
{
    char name[16], text[16];
    const struct column *n = column_of(b, "n"), *service = column_of(b, "service");
    CHECK(n && column_value(n, i).type == V_INT && column_value(n, i).i == i);
    CHECK(b->time_ns[i] == 1000 + i && b->recv_ns[i] == 77);
    CHECK(b->origin[i] == ORIGIN_OTLP && b->seq[i] == i / BATCH * BATCH + 1);
    CHECK((service && column_value(service, i).type == V_STR) == (i % 3 != 0));
    (void)snprintf(name, sizeof name, "c%u", i % COLUMNS);
    (void)snprintf(text, sizeof text, "v%u", i / 200);
    const struct column *c = column_of(b, name);
    struct value v = c ? column_value(c, i) : (struct value){ 0 };
    bool there = i >= 10 * (i % COLUMNS);
    CHECK((v.type == V_STR) == there && (!there || str_eq(v.s, str_c(text))));
    (void)snprintf(name, sizeof name, "c%u", (i + 1) % COLUMNS);
    c = column_of(b, name);
    CHECK(!c || column_value(c, i).type == V_NONE);
}

/* All rows of a picture; older pictures stay as they were. */
static uint32_t check_picture(struct gen *g)
{
    struct arena mem;
    struct block b;
    arena_init(&mem, 1 << 20);
    uint32_t n = gen_rows(g, TABLE_LOG);
    if (n) {
        head_picture(g->heads[TABLE_LOG], &mem, &b);
        CHECK(b.n >= n);
        n = b.n;
        for (uint32_t i = n > 400 ? n - 400 : 0; i < n; i++)
            check_row(&b, i);
        sched_yield();
        for (uint32_t i = 0; i < n; i += 97)
            check_row(&b, i);
    }
    arena_done(&mem);
    return n;
}

static void *read_pictures(void *arg)
{
    uint32_t last = 0;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint32_t n = check_picture(arg);
        CHECK(n >= last);
        last = n;
        __atomic_add_fetch(&pictures, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static void pictures_while_appending(void **state)
{
    (void)state;
    pthread_t threads[READERS];
    over = false;
    pictures = 0;
    gen = gen_new(ROOM);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_pictures, gen_ref(gen)), 0);
    for (uint32_t from = 0; from < ROOM; from += BATCH) {
        uint64_t seen = __atomic_load_n(&pictures, __ATOMIC_ACQUIRE);
        append(gen, from, BATCH, true);
        while (from % 500 == 0 && __atomic_load_n(&pictures, __ATOMIC_ACQUIRE) < seen + READERS)
            sched_yield();
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        gen_unref(gen);
    }
    assert_int_equal(check_picture(gen), ROOM);
    gen_unref(gen);
}

/* Rows are seen when they are published, and a generation says what it has room for. */
static void publishing(void **state)
{
    (void)state;
    struct gen *g = gen_new(2 * BATCH);
    append(g, 0, BATCH, false);
    assert_int_equal(gen_rows(g, TABLE_LOG), 0);
    assert_int_equal(gen_rows(g, TABLE_SPAN), 0);
    gen_publish(g);
    assert_int_equal(check_picture(g), BATCH);
    struct arena mem;
    struct batch b;
    arena_init(&mem, 1 << 20);
    batch_init(&b, &mem, TABLE_LOG, 0);
    fill(&b, BATCH, BATCH);
    assert_true(gen_fits(g, &b));
    (void)batch_row(&b);
    assert_false(gen_fits(g, &b));
    b.table = TABLE_SPAN;
    assert_false(gen_fits(g, &b) && b.nrows > 2 * BATCH);
    batch_done(&b);
    arena_done(&mem);
    append(g, BATCH, BATCH, true);
    assert_int_equal(check_picture(g), 2 * BATCH);
    gen_unref(g);
    gen_unref(NULL);
}

/* ---- series ------------------------------------------------------------------ */

enum { SERIES_ROOM = 3000, NUMBERS = 300 };

/* Row i is of series i % NUMBERS, every seventh has a histogram. */
static void fill_series(struct batch *b, uint32_t from, uint32_t n)
{
    uint32_t name = batch_col(b, PLACE_LABEL, S("__name__")), k = batch_col(b, PLACE_LABEL, S("k"));
    for (uint32_t i = from; i < from + n; i++) {
        struct row *r = batch_row(b);
        r->time_ns = 1000 + i;
        r->start_ns = -(int64_t)i;
        r->value = i * 0.5;
        r->temporality = i % 2 ? TEMPORALITY_DELTA : TEMPORALITY_NONE;
        r->origin = ORIGIN_OTLP;
        cells_put(&r->cells, b->mem, name, value_str(arena_fmt(b->mem, "m%u", i % NUMBERS / 2)));
        if (i % NUMBERS % 3)
            cells_put(&r->cells, b->mem, k, value_str(arena_fmt(b->mem, "v%u", i % NUMBERS)));
        if (i % 7 == 0)
            cells_put(&r->cells, b->mem, batch_col(b, PLACE_FIELD, S("histogram")), value_int(i));
    }
    rows_identify(b);
}

static void append_series(struct gen *g, uint32_t from, uint32_t n)
{
    struct arena mem;
    struct batch b;
    bool keep[BATCH];
    uint32_t number[BATCH];
    arena_init(&mem, 4 << 20);
    batch_init(&b, &mem, TABLE_SAMPLE, 77);
    fill_series(&b, from, n);
    struct head *h = gen_head(g, TABLE_SAMPLE);
    for (uint32_t i = 0; i < n; i++) {
        const struct row *r = &b.rows[i];
        uint32_t *at = &number[r->group];
        keep[i] = true;
        *at = series_find(h, b.series[r->group].id);
        CHECK((*at == SERIES_NONE) == (from + i < NUMBERS));
        if (*at == SERIES_NONE)
            *at = series_add(h, &b, r->group, INT64_MIN);
        CHECK(series_is_newer(h, *at, r) && !series_is_newer(h, *at, r));
        CHECK(series_newest_own(h, b.series[r->group].id) == r->time_ns);
    }
    series_append(g, &b, keep, number, false, from + 1);
    gen_publish(g);
    batch_done(&b);
    arena_done(&mem);
}

static void check_series_row(const struct block *b, uint32_t i)
{
    char text[16];
    const struct column *name = column_of(b, "__name__"), *k = column_of(b, "k"), *h = column_of(b, "histogram");
    CHECK(b->series[i] < b->nseries && b->time_ns[i] == 1000 + i && b->start_ns[i] == -(int64_t)i && b->value[i] == i * 0.5);
    CHECK(b->temporality[i] == (i % 2 ? TEMPORALITY_DELTA : TEMPORALITY_NONE) && b->seq[i] == i / BATCH * BATCH + 1);
    (void)snprintf(text, sizeof text, "m%u", i % NUMBERS / 2);
    CHECK(str_eq(column_value(name, block_element(b, name, i)).s, str_c(text)));
    struct value v = k ? column_value(k, block_element(b, k, i)) : (struct value){ 0 };
    (void)snprintf(text, sizeof text, "v%u", i % NUMBERS);
    CHECK((v.type == V_STR) == (i % NUMBERS % 3 != 0) && (v.type == V_NONE || str_eq(v.s, str_c(text))));
    v = h ? column_value(h, block_element(b, h, i)) : (struct value){ 0 };
    CHECK((v.type == V_INT) == (i % 7 == 0) && (v.type == V_NONE || v.i == i));
}

static uint32_t check_series(struct gen *g)
{
    struct arena mem;
    struct block b = { 0 };
    arena_init(&mem, 1 << 20);
    if (gen_rows(g, TABLE_SAMPLE)) {
        head_picture(g->heads[TABLE_SAMPLE], &mem, &b);
        for (uint32_t i = 0; i < b.n; i++)
            check_series_row(&b, i);
    }
    arena_done(&mem);
    return b.n;
}

static void *read_series(void *arg)
{
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        (void)check_series(arg);
        __atomic_add_fetch(&pictures, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static void series_while_appending(void **state)
{
    (void)state;
    pthread_t reader;
    over = false;
    pictures = 0;
    struct gen *g = gen_new(SERIES_ROOM);
    assert_int_equal(pthread_create(&reader, NULL, read_series, g), 0);
    for (uint32_t from = 0; from < SERIES_ROOM; from += BATCH) {
        uint64_t seen = __atomic_load_n(&pictures, __ATOMIC_ACQUIRE);
        append_series(g, from, BATCH);
        while (from % 500 == 0 && __atomic_load_n(&pictures, __ATOMIC_ACQUIRE) < seen + 2)
            sched_yield();
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    assert_int_equal(check_series(g), SERIES_ROOM);
    assert_int_equal(series_count(g->heads[TABLE_SAMPLE]), NUMBERS);
    assert_int_equal(series_idents(g->heads[TABLE_SAMPLE])->n, SERIES_ROOM);
    gen_unref(g);
}

/* ---- the whole store ------------------------------------------------------- */

enum { WRITERS = 2, EACH = 40, ROWS = 8 };

struct writer {
    struct bed *b;
    pthread_t thread;
    uint32_t number;
    struct bed_req reqs[EACH];
};

static uint64_t acked, scans;

static void *write_all(void *arg)
{
    struct writer *w = arg;
    for (uint32_t i = 0; i < EACH; i++) {
        struct fault f = { 0 };
        CHECK(bed_put(w->b, &w->reqs[i], &f) == OK);
        __atomic_add_fetch(&acked, ROWS, __ATOMIC_SEQ_CST);
        if (i % 4 == 3)                            /* an older one once more: nothing is added */
            CHECK(bed_put(w->b, &w->reqs[i / 2], &f) == OK);
    }
    return NULL;
}

/* Every scan sees at least what was acknowledged before it began, and never less than before. */
static void *scan_all(void *arg)
{
    struct bed *b = arg;
    struct source *src = store_source(b->store);
    uint64_t last = 0;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint64_t before = __atomic_load_n(&acked, __ATOMIC_SEQ_CST), n = 0;
        struct scan_req req = { .table = TABLE_SAMPLE, .from_ns = 0, .to_ns = INT64_MAX, .all_labels = true };
        struct scan *sc;
        const struct block *blk;
        CHECK(src->scan_begin(src, &req, &sc, NULL) == OK);
        while (!src->scan_next(sc, &blk, NULL) && blk)
            n += blk->nsel;
        (void)src->scan_end(sc);
        CHECK(n >= before && n >= last && n <= WRITERS * EACH * ROWS);
        last = n;
        struct cell c[1] = { { .col = 0, .v = value_str(S("m_total")) } };
        struct str name = S("__name__");
        struct base_key key = { .labels = c, .nlabels = 1, .temporality = TEMPORALITY_DELTA };
        struct matcher m = { .op = MATCH_EQ, .label = name, .value = S("m_total") };
        CHECK(src->bases(src, &m, 1, b->now_ns, &name, &key, 1, NULL) == OK);
        CHECK(key.base >= (double)before && key.base <= WRITERS * EACH * ROWS);
        __atomic_add_fetch(&scans, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static void *flush_always(void *arg)
{
    struct bed *b = arg;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        struct fault f = { 0 };
        CHECK(store_flush(b->store, &f) == OK);
        store_tick(b->store);
        sched_yield();
    }
    return NULL;
}

static void make_requests(struct bed *b, struct writer *w)
{
    for (uint32_t i = 0; i < EACH; i++) {
        struct bed_req *r = &w->reqs[i];
        *r = (struct bed_req){ .table = TABLE_SAMPLE, .recv_ns = b->now_ns, .n = ROWS };
        r->rows = arena_new(&b->mem, struct bed_row, ROWS);
        for (uint32_t k = 0; k < ROWS; k++) {
            int64_t number = (w->number * EACH + i) * ROWS + k;
            r->rows[k] = (struct bed_row){ .said_ns = b->now_ns - (int64_t)(k % 3) * NS_PER_DAY - number * NS_PER_S, .value = 1,
                                           .temporality = TEMPORALITY_DELTA, .origin = ORIGIN_OTLP, .ncells = 1 };
            r->rows[k].cells[0] = (struct bed_cell){ PLACE_LABEL, S("__name__"), value_str(S("m_total")) };
        }
    }
}

static void everything_at_once(void **state)
{
    (void)state;
    struct bed b;
    static struct writer w[WRITERS];
    pthread_t scanners[2], flusher;
    struct fault f = { 0 };
    bed_init(&b);
    b.cfg.segment_bytes = 16 << 10;
    assert_int_equal(bed_open(&b, &f), OK);
    over = false;
    acked = scans = 0;
    for (uint32_t i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){ .b = &b, .number = i };
        make_requests(&b, &w[i]);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&w[i].thread, NULL, write_all, &w[i]), 0);
    for (size_t i = 0; i < LEN(scanners); i++)
        assert_int_equal(pthread_create(&scanners[i], NULL, scan_all, &b), 0);
    assert_int_equal(pthread_create(&flusher, NULL, flush_always, &b), 0);
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(w[i].thread, NULL);
    uint64_t seen = __atomic_load_n(&scans, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&scans, __ATOMIC_ACQUIRE) < seen + 4)
        sched_yield();
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    for (size_t i = 0; i < LEN(scanners); i++)
        pthread_join(scanners[i], NULL);
    pthread_join(flusher, NULL);
    for (uint32_t i = 0; i < WRITERS; i++)
        for (uint32_t k = 0; k < EACH; k++)
            bed_model(&b, &w[i].reqs[k]);
    bed_same_rows(&b, "at once");
    if (b.reports)
        fail_msg("%s", b.report);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishing),
        cmocka_unit_test(pictures_while_appending),
        cmocka_unit_test(series_while_appending),
        cmocka_unit_test(everything_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
