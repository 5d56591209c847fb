/* tests/support/store_model.c -- see store_model.h.
 *
 * The text of a request: the table's number on a line, then a line a row; fields are
 * separated by 0x1f. Cells at PLACE_RESOURCE and PLACE_SCOPE go to a group, one after
 * another being equal sharing it, as receivers do.
 */
#include "store_model.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "model/names.h"

enum { SEPARATOR = 0x1f };

/* ---- directory and clock --------------------------------------------------- */

static int64_t bed_now(void *arg) { return __atomic_load_n(&((struct bed *)arg)->now_ns, __ATOMIC_RELAXED); }
static int64_t bed_mono(void *arg) { return __atomic_load_n(&((struct bed *)arg)->mono_ns, __ATOMIC_RELAXED); }

static void on_report(void *arg, const char *cause, const char *text)
{
    struct bed *b = arg;
    __atomic_add_fetch(&b->reports, 1, __ATOMIC_RELAXED);
    if (b->loud)
        (void)fprintf(stderr, "   report [%s] %s\n", cause, text);
    (void)snprintf(b->report, sizeof b->report, "[%s] %s", cause, text);
}

void bed_init(struct bed *b)
{
    *b = (struct bed){ .now_ns = INT64_C(20780) * NS_PER_DAY + 12 * 3600 * NS_PER_S, .mono_ns = NS_PER_DAY };
    b->clock = (struct clock){ bed_now, bed_mono, b };
    bool memory = access("/dev/shm", W_OK) == 0;   /* these tests stop processes, not machines */
    (void)snprintf(b->dir, sizeof b->dir, "%s/ccmon-store-XXXXXX", memory ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(b->dir));
    arena_init(&b->mem, (size_t)512 << 20);
}

void bed_done(struct bed *b)
{
    bed_close(b);
    bed_remove(b->dir);
    map_done(&b->known);
    arena_done(&b->mem);
}

enum err bed_open(struct bed *b, struct fault *f)
{
    CHECK(!b->store);
    struct store_config c = b->cfg;
    c.dir = str_c(b->dir);
    c.clock = &b->clock;
    c.decoder = (struct frame_decoder){ bed_decode, NULL };
    c.report = on_report;
    c.report_arg = b;
    return store_open(&c, &b->store, f);
}

void bed_close(struct bed *b)
{
    store_close(b->store);
    b->store = NULL;
}

void bed_pass(struct bed *b, int64_t ns)
{
    __atomic_add_fetch(&b->now_ns, ns, __ATOMIC_RELAXED);
    __atomic_add_fetch(&b->mono_ns, ns, __ATOMIC_RELAXED);
}

void bed_path(const struct bed *b, const char *rest, char out[400])
{
    CHECK(snprintf(out, 400, "%s/%s", b->dir, rest) < 400);
}

void bed_remove(const char *dir)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        char sub[700];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(sub, sizeof sub, "%s/%s", dir, e->d_name);
        if (unlink(sub))
            bed_remove(sub);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

void bed_copy(const char *from, const char *to)
{
    DIR *d = opendir(from);
    CHECK(d && (mkdir(to, 0700) == 0 || errno == EEXIST));
    for (struct dirent *e; (e = readdir(d));) {
        char a[700], c[700];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(a, sizeof a, "%s/%s", from, e->d_name);
        (void)snprintf(c, sizeof c, "%s/%s", to, e->d_name);
        CHECK(stat(a, &st) == 0);
        if (S_ISDIR(st.st_mode)) {
            bed_copy(a, c);
            continue;
        }
        CLEANUP(buf_done) struct buf data = { 0 };
        buf_init(&data, (size_t)256 << 20);
        CHECK(file_read(a, (size_t)256 << 20, &data, NULL) == OK);
        FILE *out = fopen(c, "wb");
        CHECK(out && fwrite(data.p, 1, data.n, out) == data.n && fclose(out) == 0);
    }
    (void)closedir(d);
}

uint32_t bed_count(const struct bed *b, const char *folder, const char *ending)
{
    char path[400];
    uint32_t n = 0;
    bed_path(b, folder, path);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.' && str_ends(str_c(e->d_name), str_c(ending));
    if (d)
        (void)closedir(d);
    return n;
}

int bed_fork(struct bed *b, int (*run)(struct bed *b, void *arg), void *arg)
{
    CHECK(!b->store);                              /* threads do not come along */
    (void)fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        int rc = run(b, arg);
        (void)fflush(NULL);
        _exit(rc);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        CHECK(errno == EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- text ------------------------------------------------------------------ */

/* A byte as two letters from 'a' on: no separator is among them. */
static void put_letters(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_byte(b, (char)('a' + ((unsigned char)s.p[i] >> 4)));
        buf_byte(b, (char)('a' + (s.p[i] & 15)));
    }
}

static struct str get_letters(struct str s, struct arena *mem)
{
    char *out = arena_alloc(mem, s.n / 2 + 1, 1);
    for (size_t i = 0; i + 1 < s.n; i += 2)
        out[i / 2] = (char)((s.p[i] - 'a') << 4 | (s.p[i + 1] - 'a'));
    return (struct str){ out, s.n / 2 };
}

static void put_value(struct buf *b, const struct value *v)
{
    switch (v->type) {
    case V_BYTES:
        buf_byte(b, 'y');
        put_letters(b, v->s);
        break;
    case V_STR:
    case V_JSON:
        buf_byte(b, v->type == V_STR ? 's' : 'j');
        buf_str(b, v->s);
        break;
    case V_INT:
        buf_fmt(b, "i%" PRId64, v->i);
        break;
    case V_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &v->d, sizeof bits);
        buf_fmt(b, "d%" PRIu64, bits);
        break;
    }
    case V_BOOL:
        buf_fmt(b, "b%d", v->b);
        break;
    case V_NONE:
        buf_byte(b, 'n');
        break;
    }
}

static struct value get_value(struct str s, struct arena *mem)
{
    struct str rest = str_sub(s, 1, s.n);
    int64_t i = 0;
    uint64_t bits = 0;
    struct value v = { 0 };
    switch (s.p[0]) {
    case 's':
    case 'j':
        v = (struct value){ .type = s.p[0] == 's' ? V_STR : V_JSON, .s = rest };
        break;
    case 'y':
        v = (struct value){ .type = V_BYTES, .s = get_letters(rest, mem) };
        break;
    case 'i':
        CHECK(str_to_i64(rest, &i));
        v = value_int(i);
        break;
    case 'd':
        CHECK(str_to_u64(rest, &bits));
        v.type = V_DOUBLE;
        memcpy(&v.d, &bits, sizeof bits);
        break;
    case 'b':
        v = value_bool(rest.p[0] == '1');
        break;
    default:
        CHECK(s.p[0] == 'n');
    }
    return v;
}

void bed_text(const struct bed_req *r, struct buf *ret)
{
    buf_fmt(ret, "%d\n", (int)r->table);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct bed_row *x = &r->rows[i];
        uint64_t bits;
        memcpy(&bits, &x->value, sizeof bits);
        buf_fmt(ret, "%" PRId64 "%c%" PRId64 "%c%" PRId64 "%c%" PRIu64 "%c%d%c%d", x->said_ns, SEPARATOR, x->observed_ns,
                SEPARATOR, x->start_ns, SEPARATOR, bits, SEPARATOR, (int)x->temporality, SEPARATOR, (int)x->origin);
        for (uint32_t c = 0; c < x->ncells; c++) {
            buf_fmt(ret, "%c%d" STR_FMT "=", SEPARATOR, (int)x->cells[c].place, STR_ARG(x->cells[c].name));
            put_value(ret, &x->cells[c].v);
        }
        buf_byte(ret, '\n');
    }
    CHECK(!ret->bad);
}

static int64_t next_i64(struct str *s)
{
    int64_t v = 0;
    CHECK(str_to_i64(str_cut(s, SEPARATOR), &v));
    return v;
}

static bool group_is(const struct batch *b, uint32_t group, const struct cells *cells)
{
    const struct cells *g = &b->groups[group];
    bool same = g->n == cells->n;
    for (uint32_t i = 0; same && i < g->n; i++)
        same = g->at[i].col == cells->at[i].col && value_eq(&g->at[i].v, &cells->at[i].v);
    return same;
}

static void decode_row(struct batch *b, struct str line)
{
    struct row *r = batch_row(b);
    struct cells shared = { 0 };
    int64_t said = next_i64(&line), observed = next_i64(&line);
    r->start_ns = next_i64(&line);
    uint64_t bits = 0;
    CHECK(str_to_u64(str_cut(&line, SEPARATOR), &bits));
    memcpy(&r->value, &bits, sizeof bits);
    r->temporality = (enum temporality)next_i64(&line);
    r->origin = (enum origin)next_i64(&line);
    row_set_time(b, r, said, observed, b->recv_ns - BED_RETENTION);
    while (line.p) {
        struct str cell = str_cut(&line, SEPARATOR), key = str_cut(&cell, '=');
        enum place place = (enum place)(key.p[0] - '0');
        uint32_t col = batch_col(b, place, str_sub(key, 1, key.n));
        cells_put(place == PLACE_RESOURCE || place == PLACE_SCOPE ? &shared : &r->cells, b->mem, col, get_value(cell, b->mem));
    }
    if (!shared.n)
        return;
    if (!b->ngroups || !group_is(b, b->ngroups - 1, &shared)) {
        uint32_t g = batch_group(b);
        b->groups[g] = shared;
    }
    r->group = b->ngroups - 1;
}

enum err bed_decode(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem, struct batch *ret,
                    struct fault *f)
{
    (void)arg, (void)kind, (void)epoch;
    struct str table = str_cut(&body, '\n');
    if (table.n != 1 || table.p[0] < '0' || table.p[0] >= '0' + TABLE_COUNT)
        return fault_set(f, E_SYNTAX, 0, "no such table");
    batch_init(ret, mem, (enum table)(table.p[0] - '0'), recv_ns);
    while (body.n)
        decode_row(ret, arena_str(mem, str_cut(&body, '\n')));
    rows_identify(ret);
    return OK;
}

/* ---- writing --------------------------------------------------------------- */

static void on_done(struct write_req *w, enum err e, const struct fault *f)
{
    struct bed_pending *p = w->arg;
    p->e = e;
    if (f)
        p->f = *f;
    __atomic_add_fetch(&p->done, 1, __ATOMIC_RELEASE);
}

void bed_send(struct bed *b, const struct bed_req *r, struct bed_pending *p)
{
    *p = (struct bed_pending){ 0 };
    arena_init(&p->mem, (size_t)64 << 20);
    buf_init(&p->text, (size_t)256 << 20);
    bed_text(r, &p->text);
    CHECK(bed_decode(NULL, FRAME_OTLP_LOGS_PB, 0, buf_view(&p->text), r->recv_ns, &p->mem, &p->batch, NULL) == OK);
    p->w = (struct write_req){ .kind = FRAME_OTLP_LOGS_PB, .body = buf_view(&p->text), .recv_ns = r->recv_ns,
                               .batch = &p->batch, .done = on_done, .arg = p };
    struct sink *k = store_sink(b->store);
    k->write(k, &p->w);
}

enum err bed_wait(struct bed_pending *p, struct fault *f)
{
    while (!__atomic_load_n(&p->done, __ATOMIC_ACQUIRE))
        sched_yield();
    CHECK(p->done == 1);
    if (f)
        *f = p->f;
    batch_done(&p->batch);
    buf_done(&p->text);
    arena_done(&p->mem);
    return p->e;
}

enum err bed_put(struct bed *b, const struct bed_req *r, struct fault *f)
{
    struct bed_pending p;
    bed_send(b, r, &p);
    return bed_wait(&p, f);
}

enum err bed_write(struct bed *b, const struct bed_req *r, struct fault *f)
{
    enum err e = bed_put(b, r, f);
    if (!e)
        bed_model(b, r);
    return e;
}

/* ---- the model ------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str value_line(const struct value *v, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, 1 << 20);
    put_value(&b, v);
    return arena_str(mem, buf_view(&b));
}

static struct str join(struct str *parts, uint32_t n, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    buf_init(&b, 1 << 20);
    qsort(parts, n, sizeof *parts, by_text);
    for (uint32_t i = 0; i < n; i++) {
        buf_byte(&b, '|');
        buf_str(&b, parts[i]);
    }
    return arena_str(mem, buf_view(&b));
}

static struct str cell_line(const struct bed_cell *c, struct arena *mem)
{
    struct str v = value_line(&c->v, mem);
    return arena_fmt(mem, "%d" STR_FMT "=" STR_FMT, (int)c->place, STR_ARG(c->name), STR_ARG(v));
}

/* Events, spans and deltas with a start are the same row whenever they come; of the other
 * samples without a time each receipt is a row. */
static int64_t named_time(const struct bed_kept *k)
{
    if (k->claimed_ns > 0)
        return k->claimed_ns;
    if (k->claimed_ns == 0 || k->table != TABLE_SAMPLE)
        return k->claimed_ns ? 0 : k->time_ns;
    return k->row.temporality != TEMPORALITY_DELTA || k->row.start_ns == 0 ? k->recv_ns : 0;
}

/* Accounting rule 5, in words of its own. */
static struct str identity(const struct bed_kept *k, struct arena *mem)
{
    const struct bed_row *r = &k->row;
    struct str parts[BED_CELLS];
    uint32_t n = 0, ids = 0;
    for (uint32_t i = 0; i < r->ncells; i++)
        ids += k->table == TABLE_SPAN && r->cells[i].place == PLACE_FIELD && r->cells[i].v.type != V_NONE &&
               (str_eq(r->cells[i].name, S("trace_id")) || str_eq(r->cells[i].name, S("span_id")));
    for (uint32_t i = 0; i < r->ncells; i++) {
        bool is_id = r->cells[i].place == PLACE_FIELD &&
                     (str_eq(r->cells[i].name, S("trace_id")) || str_eq(r->cells[i].name, S("span_id")));
        bool is_value = k->table == TABLE_SAMPLE && r->cells[i].place == PLACE_FIELD;   /* a histogram */
        if (r->cells[i].v.type != V_NONE && !is_value && (ids < 2 || is_id))
            parts[n++] = cell_line(&r->cells[i], mem);
    }
    struct str cells = join(parts, n, mem);
    int64_t said = ids == 2 ? 0 : named_time(k);
    uint64_t bits = 0;
    if (k->table != TABLE_SAMPLE)
        return arena_fmt(mem, "%d %" PRId64 STR_FMT, (int)k->table, said, STR_ARG(cells));
    if (r->temporality == TEMPORALITY_DELTA)
        memcpy(&bits, &r->value, sizeof bits);
    return arena_fmt(mem, "%d %d %" PRId64 " %" PRId64 " %" PRIu64 STR_FMT, (int)k->table, (int)r->temporality, said,
                     r->temporality == TEMPORALITY_NONE ? 0 : r->start_ns, bits, STR_ARG(cells));
}

/* Accounting rule 10. */
static void set_time(struct bed_kept *k)
{
    int64_t said = k->row.said_ns > 0 ? k->row.said_ns : k->row.observed_ns;
    bool odd = said > 0 && (said < k->recv_ns - BED_RETENTION || said > k->recv_ns + NS_PER_DAY);
    k->time_ns = said <= 0 || odd ? k->recv_ns : said;
    k->claimed_ns = said <= 0 ? ROW_NO_TIME : odd ? said : 0;
}

static struct bed_row copy_row(const struct bed_row *r, struct arena *mem)
{
    struct bed_row c = *r;
    for (uint32_t i = 0; i < c.ncells; i++) {
        struct value *v = &c.cells[i].v;
        c.cells[i].name = arena_str(mem, c.cells[i].name);
        if (v->type == V_STR || v->type == V_BYTES || v->type == V_JSON)
            v->s = arena_str(mem, v->s);
    }
    return c;
}

void bed_model(struct bed *b, const struct bed_req *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        struct bed_kept k = { .table = r->table, .recv_ns = r->recv_ns, .row = r->rows[i] };
        set_time(&k);
        struct str id = identity(&k, &b->mem);
        uint32_t at = map_get(&b->known, id);
        if (at != MAP_NONE) {
            const struct bed_row *old = &b->kept[at].row;
            bool cumulative = k.table == TABLE_SAMPLE && k.row.temporality == TEMPORALITY_CUMULATIVE;
            bool plain = k.table == TABLE_SAMPLE && k.row.temporality == TEMPORALITY_NONE;
            bool differs = memcmp(&old->value, &k.row.value, sizeof old->value) != 0;
            if (!cumulative || !(k.row.value > old->value)) {
                b->refused += plain && differs;
                b->duplicates += !(plain && differs);
                continue;
            }
        }
        k.row = copy_row(&k.row, &b->mem);
        map_put(&b->known, id, b->nkept);
        *arena_push(&b->mem, b->kept, b->nkept, b->cap_kept) = k;
    }
}

static bool name_is(const struct bed_cell *c, struct str label)
{
    return c->place == PLACE_LABEL || c->place == PLACE_FIELD ? str_eq(c->name, label) : label_name_is(c->name, label);
}

struct value bed_label(const struct bed_row *r, struct str label, uint32_t places)
{
    static const enum place order[] = { PLACE_LABEL, PLACE_ATTR, PLACE_SCOPE, PLACE_RESOURCE, PLACE_FIELD };
    for (size_t k = 0; k < LEN(order); k++) {
        const struct bed_cell *first = NULL;
        for (uint32_t i = 0; i < r->ncells; i++) {
            const struct bed_cell *c = &r->cells[i];
            if (c->place == order[k] && (!places || places >> order[k] & 1) && name_is(c, label) && c->v.type != V_NONE &&
                (!first || str_cmp(c->name, first->name) < 0))
                first = c;
        }
        if (first)
            return first->v;
    }
    return (struct value){ 0 };
}

bool bed_matches(const struct bed_kept *k, const struct scan_req *req)
{
    if (k->table != req->table || k->time_ns < req->from_ns || k->time_ns >= req->to_ns ||
        (req->recv_after_ns && k->recv_ns <= req->recv_after_ns))
        return false;
    for (uint32_t i = 0; i < req->nmatchers; i++) {
        char text[VALUE_TEXT_MAX];
        struct value v = bed_label(&k->row, req->matchers[i].label, req->matchers[i].places);
        if (!matcher_test(&req->matchers[i], value_text(&v, text)))
            return false;
    }
    return true;
}

/* ---- comparing ------------------------------------------------------------- */

static bool is_wanted(const struct scan_req *req, const struct bed_cell *c)
{
    bool yes = req->all_labels;
    for (uint32_t i = 0; i < req->nlabels && !yes; i++)
        yes = name_is(c, req->labels[i]);
    return yes && c->v.type != V_NONE;
}

struct str bed_line(const struct bed_kept *k, const struct scan_req *req, struct arena *mem)
{
    struct str parts[64];
    uint32_t n = 0;
    uint64_t bits;
    for (uint32_t i = 0; i < k->row.ncells; i++)
        if (is_wanted(req, &k->row.cells[i]))
            parts[n++] = cell_line(&k->row.cells[i], mem);
    struct str cells = join(parts, n, mem);
    memcpy(&bits, &k->row.value, sizeof bits);
    bool sample = k->table == TABLE_SAMPLE;
    return arena_fmt(mem, "%" PRId64 " claimed %" PRId64 " recv %" PRId64 " start %" PRId64 " value %" PRIu64 " how %d from %d " STR_FMT,
                     k->time_ns, k->claimed_ns, k->recv_ns, sample ? k->row.start_ns : 0, sample ? bits : 0,
                     sample ? (int)k->row.temporality : 0, (int)k->row.origin, STR_ARG(cells));
}

struct lines {
    struct str *at;
    uint32_t n, cap;
};

static void block_line(const struct scan_req *req, const struct block *b, uint32_t row, struct arena *mem, struct lines *out)
{
    struct bed_kept k = {
        .table = req->table,
        .time_ns = b->time_ns[row],
        .claimed_ns = b->claimed_ns ? b->claimed_ns[row] : 0,
        .recv_ns = b->recv_ns[row],
        .row = { .origin = (enum origin)b->origin[row] },
    };
    if (req->table == TABLE_SAMPLE) {
        k.row.start_ns = b->start_ns[row];
        k.row.value = b->value[row];
        k.row.temporality = (enum temporality)b->temporality[row];
    }
    for (uint32_t c = 0; c < b->ncols; c++) {
        struct value v = column_value(&b->cols[c], row);
        if (v.type == V_NONE)
            continue;
        CHECK(k.row.ncells < BED_CELLS);
        k.row.cells[k.row.ncells++] = (struct bed_cell){ b->cols[c].key.place, b->cols[c].key.name, v };
    }
    struct str line = bed_line(&k, req, mem);
    *arena_push(mem, out->at, out->n, out->cap) = line;
}

/* No later block may reach over what an earlier one promised. */
static void check_bound(const struct scan_req *req, const struct block *b, int64_t *bound)
{
    for (uint32_t i = 0; i < b->nsel; i++) {
        CHECK(i == 0 || b->sel[i] > b->sel[i - 1]);
        int64_t t = b->time_ns[b->sel[i]];
        CHECK(t >= req->from_ns && t < req->to_ns);
        if (req->order == SCAN_NEWEST_FIRST)
            CHECK(t <= *bound);
        if (req->order == SCAN_OLDEST_FIRST)
            CHECK(t >= *bound);
    }
    *bound = b->next_bound;
}

static void scan_lines(struct bed *b, const struct scan_req *req, struct arena *mem, struct lines *out, const char *what)
{
    struct source *src = store_source(b->store);
    struct scan *sc;
    struct fault f = { 0 };
    const struct block *blk;
    int64_t bound = req->order == SCAN_NEWEST_FIRST ? INT64_MAX : INT64_MIN;
    enum err e = src->scan_begin(src, req, &sc, &f);
    while (!e && !(e = src->scan_next(sc, &blk, &f)) && blk) {
        CHECK(blk->nsel);
        check_bound(req, blk, &bound);
        for (uint32_t i = 0; i < blk->nsel; i++)
            block_line(req, blk, blk->sel[i], mem, out);
    }
    if (e) {
        (void)fprintf(stderr, "%s: %s\n", what, f.msg);
        CHECK(!"the scan works");
    }
    (void)src->scan_end(sc);
}

void bed_each_line(struct bed *b, const struct scan_req *req, void (*each)(void *arg, struct str line), void *arg)
{
    struct arena mem;
    struct lines have = { 0 };
    arena_init(&mem, (size_t)512 << 20);
    scan_lines(b, req, &mem, &have, "each line");
    for (uint32_t i = 0; i < have.n; i++)
        each(arg, have.at[i]);
    arena_done(&mem);
}

static void print_req(const struct scan_req *req)
{
    (void)fprintf(stderr, "   table %d, %" PRId64 " to %" PRId64 ", received after %" PRId64 ", order %d\n", (int)req->table,
                  req->from_ns, req->to_ns, req->recv_after_ns, (int)req->order);
    for (uint32_t i = 0; i < req->nmatchers; i++)
        (void)fprintf(stderr, "   matcher " STR_FMT " %d '" STR_FMT "' places %x\n", STR_ARG(req->matchers[i].label),
                      (int)req->matchers[i].op, STR_ARG(req->matchers[i].value), req->matchers[i].places);
}

void bed_same_scan(struct bed *b, const struct scan_req *req, const char *what)
{
    struct arena mem;
    struct lines have = { 0 }, want = { 0 };
    arena_init(&mem, (size_t)512 << 20);
    for (uint32_t i = 0; i < b->nkept; i++)
        if (bed_matches(&b->kept[i], req)) {
            struct str line = bed_line(&b->kept[i], req, &mem);
            *arena_push(&mem, want.at, want.n, want.cap) = line;
        }
    scan_lines(b, req, &mem, &have, what);
    if (want.n)
        qsort(want.at, want.n, sizeof *want.at, by_text);
    if (have.n)
        qsort(have.at, have.n, sizeof *have.at, by_text);
    uint32_t same = 0;
    while (same < want.n && same < have.n && str_eq(want.at[same], have.at[same]))
        same++;
    if (same < want.n || same < have.n) {
        (void)fprintf(stderr, "%s: %u rows, %u wanted; the first that differs:\n  have " STR_FMT "\n  want " STR_FMT "\n", what,
                      have.n, want.n, STR_ARG(same < have.n ? have.at[same] : S("none")),
                      STR_ARG(same < want.n ? want.at[same] : S("none")));
        print_req(req);
        if (getenv("STORE_DUMP"))
            for (uint32_t i = 0; i < MAX(want.n, have.n); i++) {
                if (i < have.n) (void)fprintf(stderr, "H " STR_FMT "\n", STR_ARG(have.at[i]));
                if (i < want.n) (void)fprintf(stderr, "W " STR_FMT "\n", STR_ARG(want.at[i]));
            }
        CHECK(!"store and model are the same");
    }
    arena_done(&mem);
}

void bed_same_rows(struct bed *b, const char *what)
{
    for (int t = 0; t < TABLE_COUNT; t++)
        bed_same_scan(b, &(struct scan_req){ .table = (enum table)t, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .all_labels = true }, what);
}
