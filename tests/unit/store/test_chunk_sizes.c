/* tests/unit/store/test_chunk_sizes.c -- how large real rows become.
 *
 * All recordings of the real client (or the request bodies of a .ccrp load file that
 * is given as an argument) are decoded, every table is written as chunks, and
 * compared with what was decoded. Bytes a row are printed, and with -v each
 * column's part of them.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/map.h"
#include "otlp/decode.h"
#include "rows_model.h"
#include "store/chunk_int.h"

enum { COLS_MAX = 512, ROWS_MAX = CHUNK_ROWS_MAX, PATH_ROOM = 8192 };

/* One table's rows as columns, the simple way. */
struct table_rows {
    uint32_t n, ncols;
    int64_t *time, *recv, *start, *claimed;
    double *value;
    uint8_t *temporality, *origin;
    uint64_t *seq;
    uint32_t *sel;
    struct column cols[COLS_MAX];
    struct map dict[COLS_MAX];
    struct map names;
};

static struct arena mem;
static struct table_rows tables[TABLE_COUNT];
static struct { uint64_t rows, wire, bytes; double encode_s, decode_s; } totals[TABLE_COUNT];
static uint64_t frames;
static bool verbose;
static const char *load_file;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void table_begin(struct table_rows *t)
{
    *t = (struct table_rows){
        .time = arena_new(&mem, int64_t, ROWS_MAX),  .recv = arena_new(&mem, int64_t, ROWS_MAX),
        .start = arena_new(&mem, int64_t, ROWS_MAX), .claimed = arena_new(&mem, int64_t, ROWS_MAX),
        .value = arena_new(&mem, double, ROWS_MAX),  .temporality = arena_new(&mem, uint8_t, ROWS_MAX),
        .origin = arena_new(&mem, uint8_t, ROWS_MAX), .seq = arena_new(&mem, uint64_t, ROWS_MAX),
        .sel = arena_new(&mem, uint32_t, ROWS_MAX),
    };
}

static struct column *column_of(struct table_rows *t, struct colkey key)
{
    bool fresh;
    struct str id = arena_fmt(&mem, "%d" STR_FMT, (int)key.place, STR_ARG(key.name));
    uint32_t i = map_intern(&t->names, id, t->ncols, &fresh);
    if (fresh) {
        assert_true(t->ncols < COLS_MAX);
        struct value *dict = arena_new(&mem, struct value, ROWS_MAX + 1);
        t->cols[t->ncols++] = (struct column){ .key = { key.place, arena_str(&mem, key.name) },
                                               .code = arena_new(&mem, uint32_t, ROWS_MAX), .dict = dict, .ndict = 1 };
    }
    return &t->cols[i];
}

static void put_cell(struct table_rows *t, struct colkey key, const struct value *v)
{
    struct column *c = column_of(t, key);
    bool text = v->type == V_STR || v->type == V_JSON || v->type == V_BYTES, fresh;
    struct str body = text ? v->s : (struct str){ (const char *)&v->i, sizeof v->i };
    if (v->type == V_BOOL)
        body.n = 1;
    struct str id = arena_fmt(&mem, "%d", (int)v->type);
    char *p = arena_new(&mem, char, id.n + body.n);
    memcpy(p, id.p, id.n);
    if (body.n)
        memcpy(p + id.n, body.p, body.n);
    uint32_t code = map_intern(&t->dict[c - t->cols], (struct str){ p, id.n + body.n }, c->ndict, &fresh);
    if (fresh) {
        struct value copy = *v;
        if (text)
            copy.s = (struct str){ p + id.n, body.n };
        ((struct value *)c->dict)[c->ndict++] = copy;
    }
    ((uint32_t *)c->code)[t->n] = code;
}

static void put_cells(struct table_rows *t, const struct batch *b, const struct cells *cells)
{
    for (uint32_t i = 0; i < cells->n; i++)
        put_cell(t, b->cols[cells->at[i].col], &cells->at[i].v);
}

/* --- writing a table that is full ------------------------------------------------------- */

static struct block block_of(const struct table_rows *t)
{
    return (struct block){
        .n = t->n, .sel = t->sel, .nsel = t->n, .time_ns = t->time, .recv_ns = t->recv, .start_ns = t->start,
        .claimed_ns = t->claimed, .value = t->value, .temporality = t->temporality, .origin = t->origin, .seq = t->seq,
        .cols = t->cols, .ncols = t->ncols,
    };
}

static void compare(const struct table_rows *t, const struct column *got, const struct block *b, const uint32_t *row)
{
    const struct column *want = NULL;
    for (uint32_t c = 0; c < t->ncols && !want; c++)
        if (t->cols[c].key.place == got->key.place && str_eq(t->cols[c].key.name, got->key.name))
            want = &t->cols[c];
    assert_non_null(want);
    for (uint32_t i = 0; i < b->n; i++) {
        struct value x = column_value(got, i), y = column_value(want, row[i]);
        if (!value_eq(&x, &y))
            fail_msg("column " STR_FMT ", row %u", STR_ARG(got->key.name), i);
    }
}

static void read_back(const struct table_rows *t, const struct chunk_out *out, enum table table)
{
    struct arena scratch = mem;
    struct chunk_summary s;
    struct block b = { 0 }, in = block_of(t);
    struct chunk_order order;
    chunk_sort(table, &in, &scratch, &order);
    struct str fixed[CHUNK_FIXED_COUNT] = { 0 };
    double start = seconds();
    assert_int_equal(chunk_summary_read(out->summary, &scratch, &s, NULL), OK);
    for (uint32_t i = 0; i < out->nblobs; i++)
        if (out->blobs[i].column < CHUNK_FIXED_COUNT)
            fixed[out->blobs[i].column] = out->blobs[i].data;
    struct chunk_shape shape;
    assert_int_equal(chunk_shape_read(fixed[CHUNK_RUNS], s.rows, &scratch, &shape, NULL), OK);
    assert_int_equal(chunk_fixed_read(fixed, &shape, &scratch, &b, NULL), OK);
    totals[table].decode_s += seconds() - start;
    for (uint32_t i = 0; i < out->nblobs; i++) {
        if (out->blobs[i].column < CHUNK_ATTRS)
            continue;
        struct arena one = scratch;
        struct column c;
        start = seconds();
        assert_int_equal(chunk_column_read(out->blobs[i].data, &s.cols[out->blobs[i].column - CHUNK_ATTRS], &shape, b.time_ns,
                                           &one, &c, NULL), OK);
        totals[table].decode_s += seconds() - start;
        compare(t, &c, &b, order.row);
    }
}

static void print_columns(const struct chunk_out *out, enum table table)
{
    struct arena scratch = mem;
    struct chunk_summary s;
    assert_int_equal(chunk_summary_read(out->summary, &scratch, &s, NULL), OK);
    for (uint32_t i = 0; i < out->nblobs; i++) {
        const struct chunk_blob *b = &out->blobs[i];
        struct str name = b->column < CHUNK_ATTRS ? S("(fixed)") : s.cols[b->column - CHUNK_ATTRS].key.name;
        printf("  %d %5u encoding %u flags %u %9zu bytes %6.2f a row  " STR_FMT "%s\n", (int)table, b->column,
               (unsigned)(unsigned char)b->data.p[1], (unsigned)(unsigned char)b->data.p[2], b->data.n, (double)b->data.n / out->rows, STR_ARG(name),
               b->content ? " (content)" : "");
    }
    printf("  %d summary %zu, filter %zu bytes\n", (int)table, out->summary.n, out->filter.n);
}

static void table_end(enum table table)
{
    struct table_rows *t = &tables[table];
    if (t->n == 0)
        return;
    struct block in = block_of(t);
    struct chunk_out out;
    struct fault f = { 0 };
    double start = seconds();
    if (chunk_encode(table, &in, 0, &mem, &out, &f))
        fail_msg("%s", f.msg);
    totals[table].encode_s += seconds() - start;
    totals[table].rows += out.rows;
    totals[table].bytes += out.summary.n + out.filter.n;
    for (uint32_t i = 0; i < out.nblobs; i++)
        totals[table].bytes += out.blobs[i].data.n;
    read_back(t, &out, table);
    if (verbose)
        print_columns(&out, table);
    for (uint32_t c = 0; c < t->ncols; c++)
        map_done(&t->dict[c]);
    map_done(&t->names);
    t->n = 0;
}

static void all_begin(void)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        table_begin(&tables[t]);
}

static void all_end(void)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        table_end((enum table)t);
    arena_reset(&mem);
    all_begin();
}

/* --- reading requests --------------------------------------------------------------------- */

static void add_body(enum frame_kind kind, struct str body, int64_t recv_ns)
{
    CLEANUP(arena_done) struct arena once;
    arena_init(&once, (size_t)64 << 20);
    struct batch b;
    struct fault f = { 0 };
    if (otlp_decode(kind, body, recv_ns, 1, &once, &b, &f))
        fail_msg("%s", f.msg);
    struct table_rows *t = &tables[b.table];
    frames++;
    totals[b.table].wire += body.n;
    for (uint32_t i = 0; i < b.nrows; i++) {
        const struct row *r = &b.rows[i];
        if (t->n == ROWS_MAX || arena_used(&mem) > (size_t)1 << 30)
            all_end();
        t->time[t->n] = r->time_ns;
        t->recv[t->n] = b.recv_ns;
        t->start[t->n] = r->start_ns;
        t->claimed[t->n] = r->claimed_ns;
        t->value[t->n] = r->value;
        t->temporality[t->n] = (uint8_t)r->temporality;
        t->origin[t->n] = (uint8_t)r->origin;
        t->seq[t->n] = frames;
        t->sel[t->n] = t->n;
        if (r->group != ROW_NO_GROUP) {
            struct cells shared = b.table == TABLE_SAMPLE ? batch_labels(&b, r->group, b.mem) : b.groups[r->group];
            put_cells(t, &b, &shared);
        }
        put_cells(t, &b, &r->cells);
        t->n++;
    }
    batch_done(&b);
}

static void join(char out[PATH_ROOM], const char *folder, const char *name)
{
    int n = snprintf(out, PATH_ROOM, "%s/%s", folder, name);
    CHECK(n > 0 && n < PATH_ROOM);
}

static void add_file(const char *folder, const char *name)
{
    static const struct { const char *end; enum frame_kind kind; } kinds[] = {
        { "-metrics.pb", FRAME_OTLP_METRICS_PB }, { "-logs.pb", FRAME_OTLP_LOGS_PB }, { "-traces.pb", FRAME_OTLP_TRACES_PB },
        { "-metrics.json", FRAME_OTLP_METRICS_JSON }, { "-logs.json", FRAME_OTLP_LOGS_JSON },
        { "-traces.json", FRAME_OTLP_TRACES_JSON },
    };
    for (size_t i = 0; i < LEN(kinds); i++) {
        if (!str_ends(str_c(name), str_c(kinds[i].end)))
            continue;
        char path[PATH_ROOM];
        join(path, folder, name);
        CLEANUP(buf_done) struct buf body = { 0 };
        buf_init(&body, (size_t)64 << 20);
        assert_int_equal(file_read(path, body.max, &body, NULL), OK);
        add_body(kinds[i].kind, buf_view(&body), INT64_C(1795500000000000000));
    }
}

static void each_entry(const char *path, void (*fn)(const char *folder, const char *name))
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            fn(path, e->d_name);
    if (d)
        (void)closedir(d);
}

static void add_folder(const char *folder, const char *name)
{
    char path[PATH_ROOM];
    join(path, folder, name);
    each_entry(path, add_file);
}

/* The request bodies of a load file: a header of 96 bytes, then {length, ..., body}. */
static void add_load(const char *path)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    uint32_t head[24], req[6];
    assert_int_equal(fread(head, sizeof head, 1, in), 1);
    while (fread(req, sizeof req, 1, in) == 1) {
        CLEANUP(buf_done) struct buf body = { 0 };
        buf_init(&body, (size_t)64 << 20);
        char *p = buf_room(&body, req[0]);
        assert_true(p && fread(p, 1, req[0], in) == req[0]);
        buf_grew(&body, req[0]);
        int64_t tmax_ms;
        memcpy(&tmax_ms, &req[4], sizeof tmax_ms);
        add_body(head[2] == 1 ? FRAME_OTLP_LOGS_PB : FRAME_OTLP_METRICS_PB, buf_view(&body), tmax_ms * 1000000 + 1234567);
    }
    (void)fclose(in);
}

static void test_sizes(void **state)
{
    (void)state;
    static const char *const names[] = { "samples", "events", "spans" };
    arena_init(&mem, (size_t)2 << 30);
    all_begin();
    if (load_file) {
        add_load(load_file);
    } else {
        char path[PATH_ROOM];
        struct str here = str_c(__FILE__);
        size_t n = here.n;
        while (n && here.p[n - 1] != '/')
            n--;
        (void)snprintf(path, sizeof path, STR_FMT "../../fixtures", (int)n, here.p);
        each_entry(path, add_folder);
    }
    all_end();
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        if (!totals[t].rows)
            continue;
        double rows = (double)totals[t].rows;
        print_message("%s: %.0f, on the wire %.0f bytes each, in chunks %.1f; encoding %.0f ns, decoding all columns %.0f ns each\n",
                      names[t], rows, (double)totals[t].wire / rows, (double)totals[t].bytes / rows,
                      totals[t].encode_s / rows * 1e9, totals[t].decode_s / rows * 1e9);
    }
    assert_true(load_file || (totals[TABLE_LOG].rows > 500 && totals[TABLE_SAMPLE].rows > 500));
    arena_done(&mem);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (str_eq(str_c(argv[i]), S("-v")))
            verbose = true;
        else
            load_file = argv[i];
    }
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
