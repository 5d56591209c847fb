/* tests/unit/store/part_bed.c -- see part_bed.h. */
#include "part_bed.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t bed_now(void *arg) { return __atomic_load_n(&((struct bed *)arg)->now, __ATOMIC_RELAXED); }
static int64_t bed_mono(void *arg) { return __atomic_load_n(&((struct bed *)arg)->mono, __ATOMIC_RELAXED); }

static void report(void *arg, const struct fault *f)
{
    struct bed *b = arg;
    b->reports++;
    b->reported = *f;
}

static void make_dir(struct bed *b)
{
    bool memory = access("/dev/shm", W_OK) == 0;   /* these tests stop processes, not machines */
    (void)snprintf(b->dir, sizeof b->dir, "%s/ccmon-part-XXXXXX", memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(b->dir));
}

void bed_init(struct bed *b)
{
    *b = (struct bed){ .now = BED_DAY(1), .mono = NS_PER_DAY, .clock = { bed_now, bed_mono, b } };
    make_dir(b);
    struct fault f;
    CHECK(bed_open(b, &f) == OK);
}

void bed_path(const struct bed *b, const char *rest, char out[256])
{
    int n = snprintf(out, 256, "%s/%s", b->dir, rest);
    CHECK(n > 0 && n < 256);
}

bool bed_exists(const struct bed *b, const char *rest)
{
    char path[256];
    bed_path(b, rest, path);
    return access(path, F_OK) == 0;
}

enum err bed_open(struct bed *b, struct fault *f)
{
    char path[256];
    bed_path(b, "ccmon.db", path);
    enum err e = catalog_open(path, &b->catalog, &b->catalog_was_new, f);
    if (e)
        return e;
    struct part_opts o = { .dir = b->dir, .catalog = b->catalog, .clock = &b->clock, .ops = b->ops ? b->ops : &file_ops_system,
                           .open_max = b->open_max, .report = report, .report_arg = b };
    e = part_set_open(&o, &b->set, f);
    if (e) {
        catalog_close(b->catalog);
        b->catalog = NULL;
    }
    return e;
}

void bed_close(struct bed *b)
{
    part_set_close(b->set);
    catalog_close(b->catalog);
    b->set = NULL;
    b->catalog = NULL;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char sub[600];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(sub, sizeof sub, "%s/%s", path, e->d_name);
        if (unlink(sub))
            remove_tree(sub);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(path);
}

static void copy_tree(const char *from, const char *to)
{
    DIR *d = opendir(from);
    CHECK(d && (mkdir(to, 0700) == 0 || errno == EEXIST));
    for (struct dirent *e; (e = readdir(d));) {
        char a[600], b[600];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        (void)snprintf(b, sizeof b, "%s/%s", to, e->d_name);
        struct stat st;
        CHECK(stat(a, &st) == 0);
        if (S_ISDIR(st.st_mode)) {
            copy_tree(a, b);
            continue;
        }
        CLEANUP(buf_done) struct buf data = { 0 };
        buf_init(&data, (size_t)64 << 20);
        CHECK(file_read(a, (size_t)64 << 20, &data, NULL) == OK);
        FILE *out = fopen(b, "wb");
        CHECK(out && fwrite(data.p, 1, data.n, out) == data.n && fclose(out) == 0);
    }
    (void)closedir(d);
}

void bed_copy(const struct bed *from, struct bed *ret)
{
    *ret = *from;
    ret->clock.arg = ret;
    make_dir(ret);
    copy_tree(from->dir, ret->dir);
}

void bed_remove(struct bed *b)
{
    remove_tree(b->dir);
}

void bed_done(struct bed *b)
{
    bed_close(b);
    bed_remove(b);
}

static void fill(struct model *m, struct arena *mem, int64_t day, uint64_t first, uint32_t n)
{
    model_init(m, mem, TABLE_LOG, n, 3);
    m->keys[0] = (struct colkey){ PLACE_ATTR, S("n") };
    m->keys[1] = (struct colkey){ PLACE_ATTR, S("prompt") };
    m->keys[2] = (struct colkey){ PLACE_ATTR, S("session.id") };
    for (uint32_t i = 0; i < n; i++) {
        uint64_t seq = first + i;
        m->time[i] = m->recv[i] = day + (int64_t)seq * NS_PER_MS;
        m->seq[i] = seq;
        m->cells[i] = value_int((int64_t)seq);
        if (seq % 3 == 0)
            m->cells[n + i] = value_str(arena_fmt(mem, "prompt of %llu", (unsigned long long)seq));
        m->cells[2 * n + i] = value_str(arena_fmt(mem, "s%llu", (unsigned long long)(seq / 10)));
    }
}

void bed_chunk(int64_t day, uint64_t first, uint32_t n, uint32_t level, struct arena *mem, struct chunk_out *ret)
{
    struct model m;
    fill(&m, mem, day, first, n);
    struct block in = model_block(&m);
    CHECK(chunk_encode(TABLE_LOG, &in, level, mem, ret, NULL) == OK);
}

enum err bed_write(struct bed *b, int64_t day, uint64_t first, uint32_t n, struct fault *f)
{
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)8 << 20);
    struct chunk_out out;
    bed_chunk(day, first, n, 0, &mem, &out);
    struct part_write w = { .mark = first + n - 1, .chunks = &out, .nchunks = 1 };
    return part_write(b->set, day, &w, f);
}

enum err bed_flush(struct bed *b, int64_t day, uint64_t first, uint32_t n, struct fault *f)
{
    enum err e = part_flush_begin(b->set, &day, 1, f);
    if (!e)
        e = bed_write(b, day, first, n, f);
    return e ? e : part_flush_end(b->set, f);
}

static void check_row(const struct part_item *it, const struct block *b, uint32_t i, struct bed_rows *sum)
{
    struct value n = column_value(&b->cols[0], i), prompt = column_value(&b->cols[1], i);
    CHECK((b->time_ns[i] - (int64_t)b->seq[i] * NS_PER_MS) % NS_PER_DAY == 0);
    CHECK(b->time_ns[i] >= it->time_min && b->time_ns[i] <= it->time_max);
    CHECK(n.type == V_INT && (uint64_t)n.i == b->seq[i]);
    if (prompt.type != V_NONE) {
        char want[64];
        int len = snprintf(want, sizeof want, "prompt of %llu", (unsigned long long)b->seq[i]);
        CHECK(b->seq[i] % 3 == 0 && str_eq(prompt.s, (struct str){ want, (size_t)len }));
    }
    sum->n++;
    sum->seq_sum += b->seq[i];
    sum->prompts += prompt.type != V_NONE;
}

static enum err read_chunk(const struct part_item *it, const struct chunk_ref *c, struct arena *mem, struct bed_rows *sum,
                           struct fault *f)
{
    uint32_t want[] = { CHUNK_TIME, CHUNK_RECV, CHUNK_ORIGIN, CHUNK_SEQ, CHUNK_RUNS, 0, 0 };
    struct str got[LEN(want)], fixed[CHUNK_FIXED_COUNT] = { 0 };
    const struct chunk_col *cols[2] = { chunk_summary_col(&c->sum, PLACE_ATTR, S("n")),
                                        chunk_summary_col(&c->sum, PLACE_ATTR, S("prompt")) };
    CHECK(cols[0] && !cols[0]->content && (!cols[1] || cols[1]->content));
    want[5] = cols[0]->column;
    want[6] = cols[1] ? cols[1]->column : CHUNK_SEQ;
    enum err e = part_read(it, c, want, LEN(want), mem, got, f);
    if (e)
        return e;
    for (unsigned i = 0; i < 5; i++)
        fixed[want[i]] = got[i];
    struct block b = { 0 };
    struct column read[2];
    struct chunk_shape shape;
    e = chunk_shape_read(fixed[CHUNK_RUNS], c->sum.rows, mem, &shape, f);
    if (!e)
        e = chunk_fixed_read(fixed, &shape, mem, &b, f);
    struct chunk_col none = { .column = CHUNK_ATTRS };
    for (unsigned k = 0; k < 2 && !e; k++)
        e = chunk_column_read(k && !cols[1] ? (struct str){ 0 } : got[5 + k], cols[k] ? cols[k] : &none, &shape, b.time_ns, mem,
                              &read[k], f);
    if (e)
        return e;
    b.cols = read;
    b.ncols = 2;
    for (uint32_t i = 0; i < b.n; i++)
        check_row(it, &b, i, sum);
    return OK;
}

enum err bed_read(const struct part_item *it, struct bed_rows *ret, struct fault *f)
{
    struct chunk_list *l;
    enum err e = part_chunks(it, &l, f);
    if (e)
        return e;
    struct bed_rows sum = { 0 };
    for (uint32_t i = 0; i < l->n && !e; i++) {
        CLEANUP(arena_done) struct arena mem;
        arena_init(&mem, (size_t)8 << 20);
        CHECK(i == 0 || l->at[i].id > l->at[i - 1].id);
        struct str filter;
        bool maybe = false;
        e = part_filter(it, &l->at[i], &mem, &filter, f);
        if (!e)
            e = chunk_filter_test(filter, arena_fmt(&mem, "s%llu", (unsigned long long)(l->at[i].sum.seq_min / 10)), &maybe, f);
        CHECK(e || maybe);
        if (!e)
            e = read_chunk(it, &l->at[i], &mem, &sum, f);
    }
    chunk_list_unref(l);
    if (e)
        return e;
    CHECK(sum.n == it->rows[TABLE_LOG]);
    *ret = sum;
    return OK;
}

struct bed_rows bed_rows_all(struct bed *b)
{
    struct bed_rows all = { 0 };
    struct part_view *v = part_view_get(b->set);
    for (uint32_t i = 0; i < v->n; i++) {
        struct bed_rows r;
        struct fault f = { 0 };
        if (bed_read(&v->at[i], &r, &f)) {
            (void)fprintf(stderr, "%s\n", f.msg);
            CHECK(!"readable");
        }
        all.n += r.n;
        all.seq_sum += r.seq_sum;
        all.prompts += r.prompts;
    }
    part_view_unref(v);
    return all;
}

struct bed_rows bed_rows_of(struct bed *b, int64_t day)
{
    struct bed_rows r = { 0 };
    struct part_view *v = part_view_get(b->set);
    for (uint32_t i = 0; i < v->n; i++) {
        struct fault f = { 0 };
        if (v->at[i].from_ns == day && bed_read(&v->at[i], &r, &f)) {
            (void)fprintf(stderr, "%s\n", f.msg);
            CHECK(!"readable");
        }
    }
    part_view_unref(v);
    return r;
}
