#include "store_bed.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "model/histogram.h"

static int64_t seconds(struct str *line)
{
    struct str word = str_cut(line, ' ');
    int64_t s = 0;
    CHECK(str_to_i64(word, &s));
    return s * NS_PER_S;
}

static void put_histogram(struct batch *b, struct row *r)
{
    int32_t index[] = { -1, 7 };
    double counts[] = { 1, r->value - 1 };
    struct histogram h = { .schema = 3, .count = r->value, .sum = 0.5, .pos = { index, counts, LEN(index) } };
    CHECK(!histogram_put(b, r, &h, NULL));
}

static void decode_line(struct batch *b, struct str line)
{
    struct row *r = batch_row(b);
    int64_t temporality = 0;
    bool histogram = str_starts(line, S("h"));
    str_cut(&line, ' ');
    CHECK(str_to_i64(str_cut(&line, ' '), &temporality));
    int64_t time = seconds(&line);
    row_set_time(b, r, time, 0, 0);
    r->start_ns = seconds(&line);
    r->temporality = (enum temporality)temporality;
    r->origin = ORIGIN_OTLP;
    CHECK(str_to_f64(str_cut(&line, ' '), &r->value));
    bool sample = b->table == TABLE_SAMPLE;
    if (histogram)
        put_histogram(b, r);
    if (sample)
        cells_put(&r->cells, b->mem, batch_col(b, PLACE_LABEL, S("__name__")), value_str(histogram ? S("m") : S("m_total")));
    else
        cells_put(&r->cells, b->mem, batch_col(b, PLACE_ATTR, S("v")), value_double(r->value));
    cells_put(&r->cells, b->mem, batch_col(b, sample ? PLACE_LABEL : PLACE_ATTR, sample ? S("session_id") : S("session.id")),
              value_str(line));
}

static enum err decode(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns,
                       struct arena *mem, struct batch *ret, struct fault *f)
{
    (void)arg, (void)epoch;
    if (str_starts(body, S("bad")))
        return fault_set(f, E_SYNTAX, 0, "a bad frame");
    if (str_starts(body, S("die")))
        _exit(9);
    batch_init(ret, mem, kind == FRAME_OTLP_LOGS_PB ? TABLE_LOG : TABLE_SAMPLE, recv_ns);
    while (body.p && body.n)
        decode_line(ret, str_cut(&body, '\n'));
    rows_identify(ret);
    return OK;
}

struct frame_decoder bed_decoder(void)
{
    return (struct frame_decoder){ decode, NULL };
}

static int64_t bed_now(void *arg)
{
    return ((struct store_bed *)arg)->now_ns;
}

static void on_report(void *arg, const char *cause, const char *text)
{
    struct store_bed *b = arg;
    b->reports++;
    snprintf(b->report, sizeof b->report, "%s: %s", cause, text);
}

void bed_init(struct store_bed *b)
{
    *b = (struct store_bed){ .now_ns = INT64_C(1800000000) * NS_PER_S };
    /* In memory where the system has such a place: these tests are about order, not about disks. */
    snprintf(b->dir, sizeof b->dir, "%s/ccmon-store-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    CHECK(mkdtemp(b->dir));
    b->clock = (struct clock){ bed_now, bed_now, b };
    b->cfg = (struct store_config){
        .dir = str_c(b->dir),
        .clock = &b->clock,
        .decoder = bed_decoder(),
        .report = on_report,
        .report_arg = b,
        .segment_bytes = 64 << 10,
    };
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void bed_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void bed_done(struct store_bed *b)
{
    bed_close(b);
    bed_remove(b->dir);
}

enum err bed_open(struct store_bed *b, struct fault *f)
{
    return store_open(&b->cfg, &b->store, f);
}

void bed_close(struct store_bed *b)
{
    if (b->store)
        store_close(TAKE(b->store));
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    enum err e;
};

static void on_done(struct write_req *w, enum err e, const struct fault *f)
{
    struct waiter *x = w->arg;
    (void)f;
    pthread_mutex_lock(&x->lock);
    x->e = e;
    x->done = true;
    pthread_cond_signal(&x->cond);
    pthread_mutex_unlock(&x->lock);
}

enum err bed_write(struct store_bed *b, const char *text)
{
    struct arena mem;
    struct batch batch;
    struct waiter x = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
    enum frame_kind kind = text[0] == 'l' ? FRAME_OTLP_LOGS_PB : FRAME_OTLP_METRICS_PB;
    arena_init(&mem, 1 << 20);
    if (decode(NULL, kind, 0, str_c(text[0] == 'd' || text[0] == 'b' ? "" : text), b->now_ns, &mem, &batch, NULL))
        return E_SYNTAX;
    struct write_req w = {
        .kind = kind, .body = str_c(text), .recv_ns = b->now_ns, .batch = &batch, .done = on_done, .arg = &x,
    };
    store_sink(b->store)->write(store_sink(b->store), &w);
    pthread_mutex_lock(&x.lock);
    while (!x.done)
        pthread_cond_wait(&x.cond, &x.lock);
    pthread_mutex_unlock(&x.lock);
    batch_done(&batch);
    arena_done(&mem);
    return x.e;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *bed_sorted(const char **lines, size_t n)
{
    struct buf all;
    buf_init(&all, 64 << 20);
    if (n)
        qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0; i < n; i++) {
        buf_str(&all, str_c(lines[i]));
        buf_byte(&all, '\n');
    }
    buf_byte(&all, 0);
    return all.p;
}

/* What the value of a row says; of a histogram, after all of it was read. */
static double value_of(const struct block *b, enum table t, uint32_t row, bool *ret_histogram, struct arena *mem)
{
    struct label_ref v = block_label(b, S("v"), 0), cell = block_label(b, S("histogram"), 1u << PLACE_FIELD);
    struct value bytes = label_value(&cell, row);
    *ret_histogram = bytes.type != V_NONE;
    if (t == TABLE_LOG)
        return label_value(&v, row).d;
    if (!*ret_histogram)
        return b->value[row];
    struct histogram h;
    double stands = histogram_value(bytes.s);
    CHECK(bytes.type == V_BYTES && !histogram_decode(bytes.s, mem, &h, NULL) && !memcmp(&stands, &b->value[row], sizeof stands));
    CHECK(h.schema == 3 && h.sum == 0.5 && h.pos.n == 2 && h.pos.index[1] == 7 && h.pos.count[1] == h.count - 1);
    return h.count;
}

char *bed_rows(struct store_bed *b, enum table t)
{
    struct source *src = store_source(b->store);
    struct scan_req req = { .table = t, .from_ns = 0, .to_ns = INT64_MAX, .all_labels = true };
    struct fault f = { 0 };
    struct scan *sc;
    const struct block *blk;
    struct arena mem;
    const char **lines = NULL;
    size_t n = 0, cap = 0;
    arena_init(&mem, 64 << 20);
    CHECK(!src->scan_begin(src, &req, &sc, &f));
    while (!src->scan_next(sc, &blk, &f) && blk) {
        struct label_ref session = block_label(blk, S("session_id"), 0);
        for (uint32_t i = 0; i < blk->nsel; i++) {
            uint32_t row = blk->sel[i];
            struct value s = label_value(&session, row);
            bool histogram;
            double x = value_of(blk, t, row, &histogram, &mem);
            struct str line = arena_fmt(&mem, "%s %d %lld %lld %g " STR_FMT, t == TABLE_LOG ? "l" : histogram ? "h" : "s",
                                        t == TABLE_LOG ? 0 : blk->temporality[row], (long long)(blk->time_ns[row] / NS_PER_S),
                                        t == TABLE_LOG ? 0 : (long long)(blk->start_ns[row] / NS_PER_S),
                                        x, STR_ARG(s.s));
            *arena_push(&mem, lines, n, cap) = arena_cstr(&mem, line);
        }
    }
    CHECK(!f.code);
    src->scan_end(sc);
    char *all = bed_sorted(lines, n);
    arena_done(&mem);
    return all;
}

#ifdef __SANITIZE_THREAD__
/* Tests fork a child that opens a store, after the parent had threads of its own. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
#endif
