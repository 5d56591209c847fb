/* Every body that the real client sent: decodes, gives the same rows in the other
 * form, and adds up to tests/fixtures/truth.json, each row counted once by its id.
 */
#include "support.h"

#include <dirent.h>
#include <math.h>

#include "base/file.h"
#include "base/map.h"
#include "base/zip.h"
#include "otlp/sniff.h"

enum { FILES_MAX = 64, BODY_MAX = 1 << 20, TALLY_MAX = 64 };

static struct str fixtures;

/* ---- sums of one folder ------------------------------------------------------------------ */

enum { INPUT, OUTPUT, CACHE_READ, CACHE_CREATION, TOKENS };
static const struct {
    struct str type, field;
} token_names[TOKENS] = {
    { S("input"), S("input_tokens") }, { S("output"), S("output_tokens") },
    { S("cacheRead"), S("cache_read_tokens") }, { S("cacheCreation"), S("cache_creation_tokens") },
};

struct tally {
    struct str name[TALLY_MAX];
    uint64_t count[TALLY_MAX];
    uint32_t n;
};

/* A cumulative stream: its labels and start, its largest value. */
struct stream {
    double last;
    bool cost;
    int token;
};

struct sums {
    double events_cost, metrics_cost, events_tokens[TOKENS], metrics_tokens[TOKENS];
    struct tally events, spans, sessions;
    struct map ids, streams;
    struct stream stream[4096];
    uint32_t nids, nstreams;
};

static void tally_add(struct tally *t, struct str name, uint64_t n)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (str_eq(t->name[i], name)) {
            t->count[i] += n;
            return;
        }
    assert_true(t->n < TALLY_MAX);
    t->name[t->n] = name;
    t->count[t->n++] = n;
}

static struct value cell_in(const struct batch *b, const struct cells *c, enum place place, struct str name)
{
    for (uint32_t i = 0; i < c->n; i++) {
        const struct colkey *k = &b->cols[c->at[i].col];
        if (k->place == place && str_eq(k->name, name))
            return c->at[i].v;
    }
    return (struct value){ 0 };
}

static struct value cell(const struct batch *b, const struct row *r, enum place place, struct str name)
{
    struct value own = cell_in(b, &r->cells, place, name);
    if (b->table == TABLE_SAMPLE) {
        struct cells labels = batch_labels(b, r->group, b->mem);
        return cell_in(b, &labels, place, name);
    }
    return own.type != V_NONE || r->group == ROW_NO_GROUP ? own : cell_in(b, &b->groups[r->group], place, name);
}

static double number(struct value v)
{
    double d = 0;
    return v.type == V_NONE || !value_num(&v, &d) ? 0 : d;
}

static void add_log(struct sums *s, const struct batch *b, const struct row *r)
{
    struct value name = cell(b, r, PLACE_ATTR, S("event.name")), session = cell(b, r, PLACE_ATTR, S("session.id"));
    assert_int_equal(name.type, V_STR);
    tally_add(&s->events, name.s, 1);
    if (session.type)
        tally_add(&s->sessions, session.s, 1);
    if (!str_eq(name.s, S("api_request")))
        return;
    s->events_cost += number(cell(b, r, PLACE_ATTR, S("cost_usd")));
    for (int t = 0; t < TOKENS; t++)
        s->events_tokens[t] += number(cell(b, r, PLACE_ATTR, token_names[t].field));
}

static struct stream *stream_of(struct sums *s, const struct batch *b, const struct row *r, struct arena *mem)
{
    struct row key = *r;
    struct buf text;
    bool fresh;
    key.time_ns = key.claimed_ns = 0;
    key.value = 0;
    buf_init(&text, 1 << 16);
    dump_row(b, &key, mem, &text);
    uint32_t i = map_intern(&s->streams, arena_str(mem, buf_view(&text)), s->nstreams, &fresh);
    buf_done(&text);
    s->nstreams += fresh;
    assert_true(s->nstreams <= LEN(s->stream));
    return &s->stream[i];
}

static void add_sample(struct sums *s, const struct batch *b, const struct row *r, struct arena *mem)
{
    struct value name = cell(b, r, PLACE_LABEL, S("__name__")), session = cell(b, r, PLACE_LABEL, S("session_id"));
    struct value type = cell(b, r, PLACE_LABEL, S("type"));
    double added = r->value;
    if (session.type)
        tally_add(&s->sessions, session.s, 1);
    if (r->temporality == TEMPORALITY_CUMULATIVE) {
        struct stream *st = stream_of(s, b, r, mem);
        added = fmax(0, r->value - st->last);
        st->last = fmax(st->last, r->value);
    }
    if (str_eq(name.s, S("claude_code_cost_usage_USD_total")))
        s->metrics_cost += added;
    for (int t = 0; t < TOKENS; t++)
        if (str_eq(name.s, S("claude_code_token_usage_tokens_total")) && str_eq(type.s, token_names[t].type))
            s->metrics_tokens[t] += added;
}

static void add_rows(struct sums *s, const struct batch *b, struct arena *mem)
{
    for (uint32_t i = 0; i < b->nrows; i++) {
        const struct row *r = &b->rows[i];
        bool fresh;
        struct str id = arena_str(mem, (struct str){ (const char *)&r->id, sizeof r->id });
        (void)map_intern(&s->ids, id, s->nids++, &fresh);
        if (!fresh)
            continue;
        if (b->table == TABLE_LOG)
            add_log(s, b, r);
        else if (b->table == TABLE_SAMPLE)
            add_sample(s, b, r, mem);
        else
            tally_add(&s->spans, cell(b, r, PLACE_FIELD, S("name")).s, 1);
    }
}

/* ---- one body ------------------------------------------------------------------------------ */

static enum otlp_signal signal_of(struct str name, struct str body, bool json, struct arena mem)
{
    enum otlp_signal sniffed = OTLP_SIGNALS, named = OTLP_SIGNALS;
    for (unsigned s = 0; s < OTLP_SIGNALS; s++)
        if (str_find(name, otlp_signals[s].name) != SIZE_MAX)
            named = (enum otlp_signal)s;
    bool known = json ? otlp_sniff_json(body, mem, &sniffed) : otlp_sniff_protobuf(body, &sniffed);
    if (!known || (named != OTLP_SIGNALS && named != sniffed))
        fail_msg(STR_FMT ": taken for %d", STR_ARG(name), (int)sniffed);
    return sniffed;
}

static void check_body(struct str name, struct str body, bool json, struct sums *s, struct arena *mem)
{
    struct batch b, other;
    struct fault f = { 0 };
    struct buf twin;
    enum otlp_signal signal = signal_of(name, body, json, *mem);
    buf_init(&twin, ENC_MAX);
    if (json)
        assert_true(json_to_protobuf(body, requests[signal], mem, &twin));
    else
        protobuf_to_json(body, requests[signal], &twin);
    if (decode(signal, json, body, mem, &b, &f))
        fail_msg(STR_FMT ": %s", STR_ARG(name), f.msg);
    if (decode(signal, !json, arena_str(mem, buf_view(&twin)), mem, &other, &f))
        fail_msg(STR_FMT ", the other form: %s", STR_ARG(name), f.msg);
    if (b.rejected || b.moved)
        fail_msg(STR_FMT ": %llu rejected, %llu moved", STR_ARG(name), (unsigned long long)b.rejected, (unsigned long long)b.moved);
    if (!same_ids(&b, &other) || !str_eq(dump(&b, mem), dump(&other, mem)))
        fail_msg(STR_FMT ": two forms, two results", STR_ARG(name));
    add_rows(s, &b, mem);
    batch_done(&b);
    batch_done(&other);
    buf_done(&twin);
}

static void check_file(const char *folder, const char *file, struct sums *s, struct arena *mem)
{
    const char *path = arena_cstr(mem, arena_fmt(mem, STR_FMT "/%s/%s", STR_ARG(fixtures), folder, file));
    struct str name = str_c(file);
    struct buf raw, plain;
    buf_init(&raw, BODY_MAX);
    buf_init(&plain, BODY_MAX);
    assert_int_equal(file_read(path, BODY_MAX, &raw, NULL), OK);
    if (str_ends(name, S(".gz")))
        assert_int_equal(zip_gunzip(buf_view(&raw), BODY_MAX, &plain, NULL), OK);
    else
        buf_str(&plain, buf_view(&raw));
    struct str body = arena_str(mem, buf_view(&plain));   /* rows borrow from it */
    check_body(name, body, str_ends(name, S(".json")), s, mem);
    buf_done(&raw);
    buf_done(&plain);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* All bodies of a folder, in order. */
static void sum_folder(const char *folder, struct sums *s, struct arena *mem)
{
    char files[FILES_MAX][64];
    size_t n = 0;
    DIR *d = opendir(arena_cstr(mem, arena_fmt(mem, STR_FMT "/%s", STR_ARG(fixtures), folder)));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        struct str name = str_c(e->d_name);
        if (name.n < 4 || name.p[0] == '.' || str_ends(name, S(".txt")) || str_ends(name, S(".bin")))
            continue;
        assert_true(n < FILES_MAX && name.n < sizeof files[0]);
        memcpy(files[n++], name.p, name.n + 1);
    }
    closedir(d);
    qsort(files, n, sizeof files[0], by_name);
    for (size_t i = 0; i < n; i++)
        check_file(folder, files[i], s, mem);
}

/* ---- the truth -------------------------------------------------------------------------------- */

static double json_number(struct json *j)
{
    double d = -1;
    assert_int_equal(json_next(j), J_NUM);
    assert_true(str_to_f64(j->s, &d));
    return d;
}

static void check_totals(struct json *j, const char *folder, const char *what, double cost, const double *tokens)
{
    assert_int_equal(json_next(j), J_OBJ);
    while (json_next(j) == J_KEY) {
        if (str_eq(j->s, S("cost_usd"))) {
            double want = json_number(j);
            if (fabs(want - cost) > 1e-7)
                fail_msg("%s: %s cost %.9f, want %.9f", folder, what, cost, want);
            continue;
        }
        assert_int_equal(json_next(j), J_OBJ);
        while (json_next(j) == J_KEY) {
            int t = 0;
            while (t < TOKENS && !str_eq(token_names[t].type, j->s))
                t++;
            assert_true(t < TOKENS);
            double want = json_number(j);
            if (tokens[t] != want)
                fail_msg("%s: %s " STR_FMT " %.1f, want %.1f", folder, what, STR_ARG(token_names[t].type), tokens[t], want);
        }
    }
}

static void check_tally(struct json *j, const char *folder, struct tally *t)
{
    assert_int_equal(json_next(j), J_OBJ);
    while (json_next(j) == J_KEY) {
        uint32_t i = 0;
        while (i < t->n && !str_eq(t->name[i], j->s))
            i++;
        struct str name = j->s;
        double want = json_number(j);
        if (i == t->n || (double)t->count[i] != want)
            fail_msg("%s: " STR_FMT " %llu, want %.0f", folder, STR_ARG(name), i == t->n ? 0ull : (unsigned long long)t->count[i], want);
        t->count[i] = 0;
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (t->count[i])
            fail_msg("%s: " STR_FMT " is not in the truth", folder, STR_ARG(t->name[i]));
}

static void check_sessions(struct json *j, const char *folder, const struct tally *t)
{
    uint32_t n = 0;
    assert_int_equal(json_next(j), J_ARR);
    while (json_next(j) == J_STR) {
        uint32_t i = 0;
        while (i < t->n && !str_eq(t->name[i], j->s))
            i++;
        if (i == t->n)
            fail_msg("%s: session " STR_FMT " is missing", folder, STR_ARG(j->s));
        n++;
    }
    assert_int_equal(n, t->n);
}

static void check_folder(struct json *j, const char *folder, struct sums *s)
{
    assert_int_equal(json_next(j), J_OBJ);
    while (json_next(j) == J_KEY) {
        if (str_eq(j->s, S("events")))
            check_totals(j, folder, "events", s->events_cost, s->events_tokens);
        else if (str_eq(j->s, S("metrics")))
            check_totals(j, folder, "metrics", s->metrics_cost, s->metrics_tokens);
        else if (str_eq(j->s, S("event_counts")))
            check_tally(j, folder, &s->events);
        else if (str_eq(j->s, S("span_counts")))
            check_tally(j, folder, &s->spans);
        else if (str_eq(j->s, S("sessions")))
            check_sessions(j, folder, &s->sessions);
        else
            json_skip(j);
    }
}

static void recordings(void **state)
{
    (void)state;
    struct arena mem, text;
    struct buf truth;
    struct json j;
    unsigned folders = 0;
    static struct sums s;
    arena_init(&mem, (size_t)512 << 20);
    arena_init(&text, TEST_ARENA);
    buf_init(&truth, BODY_MAX);
    const char *path = arena_cstr(&text, arena_fmt(&text, STR_FMT "/truth.json", STR_ARG(fixtures)));
    assert_int_equal(file_read(path, BODY_MAX, &truth, NULL), OK);
    json_init(&j, buf_view(&truth), &text);
    assert_int_equal(json_next(&j), J_OBJ);
    while (json_next(&j) == J_KEY) {
        memset(&s, 0, sizeof s);
        const char *folder = arena_cstr(&text, j.s);
        sum_folder(folder, &s, &mem);
        check_folder(&j, folder, &s);
        map_done(&s.ids);
        map_done(&s.streams);
        arena_reset(&mem);
        folders++;
    }
    assert_int_equal(json_next(&j), J_END);
    assert_true(folders > 50);
    buf_done(&truth);
    arena_done(&text);
    arena_done(&mem);
}

int main(int argc, char **argv)
{
    /* This file's name as the compiler was given it leads there from the build folder. */
    static char path[4096] = __FILE__;
    struct str here = str_c(__FILE__);
    size_t n = here.n - S("test_recordings.c").n;
    snprintf(path + n, sizeof path - n, "../../fixtures");
    fixtures = str_c(argc > 1 ? argv[1] : path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
