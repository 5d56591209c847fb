/* bench/exports.c -- what a client's SDK exports with cumulative temporality: every minute
 * all counters of its session, as totals since the session began, and once more at its end.
 *
 * The fleet says what a session gained, turn by turn. Between two turns nothing changes, so
 * the exports up to the end of a turn can be made when its gains are told. They are kept for
 * a day and then written in the order of time, as OTLP (a ResourceMetrics for each export)
 * and as remote write. Labels and attributes of a series are encoded once.
 *
 * A total of money is added up in nano-dollars, so that what a server adds and subtracts
 * can be held against whole numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/wire.h"
#include "load.h"
#include "otlp/fields.h"

enum { MINUTE_MS = 60 * 1000, ATTRS_MAX = 20, BLOB_MAX = 4096 };
#define DAY_MEMORY ((size_t)16 << 30)              /* of addresses; what a day needs of it is used */

/* prometheus.WriteRequest */
enum { F_WRITE_SERIES = 1, F_SERIES_LABELS = 1, F_SERIES_SAMPLES = 2, F_LABEL_NAME = 1, F_LABEL_VALUE = 2, F_SAMPLE_VALUE = 1,
       F_SAMPLE_TIME = 2 };

static const struct str prometheus_names[FLEET_METRICS] = {
    [M_SESSIONS] = S("claude_code_session_count_total"),
    [M_COST] = S("claude_code_cost_usage_USD_total"),
    [M_TOKENS] = S("claude_code_token_usage_tokens_total"),
    [M_LINES] = S("claude_code_lines_of_code_count_total"),
    [M_COMMITS] = S("claude_code_commit_count_total"),
    [M_DECISIONS] = S("claude_code_code_edit_tool_decision_total"),
    [M_ACTIVE] = S("claude_code_active_time_seconds_total"),
};

struct series {
    enum fleet_metric metric;
    struct str a[FLEET_METRIC_ATTRS];
    double total, shown;
    int64_t nano, nano_shown;
    struct str otlp, labels;                       /* encoded */
};

struct live {                                      /* a session of the day */
    const struct session *session;
    struct str id, email;
    int64_t start_ns, next_ns, last_ns;
    uint32_t *series;                              /* numbers of its own, in the order of their metric */
    uint32_t n, cap;
};

struct export {
    int64_t time_ns;
    uint32_t session, n;
    uint64_t first;                                /* of its values */
};

struct value {
    uint32_t series;
    double v;
};

struct exports {
    struct out *otlp, *write;                      /* either may be NULL */
    struct truth *truth;
    struct arena mem;                              /* of the day */
    struct map by_id;
    struct live *live;
    struct series *series;
    struct export *exports;
    struct value *values;
    uint32_t nlive, cap_live, nseries, cap_series, nexports, cap_exports, nvalues, cap_values;
    struct buf points, items;
    uint64_t all_series;
};

struct exports *exports_new(struct out *otlp, struct out *write, struct truth *truth)
{
    struct exports *x = mem_alloc(sizeof *x);
    *x = (struct exports){ .otlp = otlp, .write = write, .truth = truth };
    arena_init(&x->mem, DAY_MEMORY);
    buf_init(&x->points, LOAD_BODY_MAX);
    buf_init(&x->items, LOAD_BODY_MAX);
    return x;
}

void exports_free(struct exports *x)
{
    if (!x)
        return;
    map_done(&x->by_id);
    buf_done(&x->points);
    buf_done(&x->items);
    arena_done(&x->mem);
    mem_free(x);
}

uint32_t load_lane(struct str session)
{
    return (uint32_t)(hash64(session, 5) % LOAD_LANES);
}

uint64_t exports_series(const struct exports *x)
{
    return x->all_series;
}

/* ---- series: encoded once ---------------------------------------------------------------- */

struct attrs {
    struct str key[ATTRS_MAX], value[ATTRS_MAX];
    uint32_t n;
};

static void add_attr(void *arg, struct str key, struct str value)
{
    struct attrs *a = arg;
    CHECK(a->n < ATTRS_MAX);
    a->key[a->n] = key;
    a->value[a->n++] = value;
}

static void put_attr(struct buf *b, struct str key, struct str value)
{
    char at[BLOB_MAX];
    struct buf any = { .p = at, .cap = sizeof at, .max = sizeof at };
    CHECK(key.n + value.n + 32 < sizeof at / 2);
    wire_put_bytes(&any, F_ANY_STRING, value);
    char kv[BLOB_MAX];
    struct buf pair = { .p = kv, .cap = sizeof kv, .max = sizeof kv };
    wire_put_bytes(&pair, F_KV_KEY, key);
    wire_put_bytes(&pair, F_KV_VALUE, buf_view(&any));
    wire_put_bytes(b, F_POINT_ATTRS, buf_view(&pair));
}

static struct str encode_attrs(struct exports *x, const struct attrs *a)
{
    buf_clear(&x->points);
    for (uint32_t i = 0; i < a->n; i++)
        put_attr(&x->points, a->key[i], a->value[i]);
    return arena_str(&x->mem, buf_view(&x->points));
}

static struct str label_of(struct exports *x, struct str key)
{
    char *p = arena_alloc(&x->mem, key.n, 1);
    for (size_t i = 0; i < key.n; i++)
        p[i] = key.p[i] == '.' ? '_' : key.p[i];
    return (struct str){ p, key.n };
}

/* Remote write wants labels in the order of their names. */
static struct str encode_labels(struct exports *x, enum fleet_metric m, const struct attrs *attrs)
{
    struct attrs a = *attrs;
    for (uint32_t i = 0; i < a.n; i++)
        a.key[i] = label_of(x, a.key[i]);
    add_attr(&a, S("job"), S("claude-code"));
    add_attr(&a, S("__name__"), prometheus_names[m]);
    for (uint32_t i = 1; i < a.n; i++)
        for (uint32_t k = i; k && str_cmp(a.key[k - 1], a.key[k]) > 0; k--) {
            struct str key = a.key[k], value = a.value[k];
            a.key[k] = a.key[k - 1];
            a.value[k] = a.value[k - 1];
            a.key[k - 1] = key;
            a.value[k - 1] = value;
        }
    buf_clear(&x->points);
    for (uint32_t i = 0; i < a.n; i++) {
        buf_clear(&x->items);
        wire_put_bytes(&x->items, F_LABEL_NAME, a.key[i]);
        wire_put_bytes(&x->items, F_LABEL_VALUE, a.value[i]);
        wire_put_bytes(&x->points, F_SERIES_LABELS, buf_view(&x->items));
    }
    return arena_str(&x->mem, buf_view(&x->points));
}

static void new_series(struct exports *x, struct live *l, const struct fleet_gain *g)
{
    const struct fleet_metric_def *def = &fleet_metrics[g->metric];
    struct attrs a = { .n = 0 };
    struct series s = { .metric = g->metric };
    fleet_attrs(l->session, add_attr, &a);
    for (uint32_t i = 0; i < FLEET_METRIC_ATTRS; i++) {
        s.a[i] = g->a[i];
        if (g->a[i].n)
            add_attr(&a, def->attrs[i], g->a[i]);
    }
    s.otlp = encode_attrs(x, &a);
    s.labels = encode_labels(x, g->metric, &a);
    uint32_t id = x->nseries;
    *arena_push(&x->mem, x->series, x->nseries, x->cap_series) = s;
    *arena_push(&x->mem, l->series, l->n, l->cap) = id;
    for (uint32_t k = l->n - 1; k && x->series[l->series[k - 1]].metric > g->metric; k--) {
        l->series[k] = l->series[k - 1];
        l->series[k - 1] = id;
    }
    x->all_series++;
}

/* ---- gains ------------------------------------------------------------------------------- */

static struct live *live_of(struct exports *x, const struct fleet_gain *g)
{
    bool fresh;
    uint32_t id = map_intern(&x->by_id, fleet_session_id(g->session), x->nlive, &fresh);
    if (fresh) {
        struct str text = fleet_session_id(g->session);
        int64_t phase_ms = 1 + (int64_t)(hash64(text, 6) % MINUTE_MS);
        *arena_push(&x->mem, x->live, x->nlive, x->cap_live) = (struct live){
            .session = g->session, .id = text, .email = fleet_email(g->session), .start_ns = g->start_ns,
            .next_ns = g->start_ns + phase_ms * NS_PER_MS,
        };
    }
    return &x->live[id];
}

static void export_now(struct exports *x, struct live *l, int64_t time_ns)
{
    if (!l->n)
        return;
    *arena_push(&x->mem, x->exports, x->nexports, x->cap_exports) =
        (struct export){ .time_ns = time_ns, .session = (uint32_t)(l - x->live), .n = l->n, .first = x->nvalues };
    for (uint32_t i = 0; i < l->n; i++) {
        struct series *s = &x->series[l->series[i]];
        double total = s->metric == M_COST ? (double)s->nano / 1e9 : s->total;
        *arena_push(&x->mem, x->values, x->nvalues, x->cap_values) = (struct value){ l->series[i], total };
        if (x->truth)
            truth_sample(x->truth, l->id, l->email, s->metric, s->a, time_ns, s->total - s->shown, s->nano - s->nano_shown);
        s->shown = s->total;
        s->nano_shown = s->nano;
    }
    l->last_ns = time_ns;
}

static struct series *series_of(struct exports *x, struct live *l, const struct fleet_gain *g)
{
    for (;;) {
        for (uint32_t i = 0; i < l->n; i++) {
            struct series *s = &x->series[l->series[i]];
            bool same = s->metric == g->metric;
            for (uint32_t k = 0; k < FLEET_METRIC_ATTRS && same; k++)
                same = str_eq(s->a[k], g->a[k]);
            if (same)
                return s;
        }
        new_series(x, l, g);
    }
}

void exports_gain(struct exports *x, const struct fleet_gain *g)
{
    struct live *l = live_of(x, g);
    for (; l->next_ns < g->time_ns; l->next_ns += MINUTE_MS * NS_PER_MS)
        export_now(x, l, l->next_ns);
    struct series *s = series_of(x, l, g);
    s->total += g->value;
    s->nano += g->nano;
    l->last_ns = -g->time_ns;                      /* not exported yet */
}

/* ---- out --------------------------------------------------------------------------------- */

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7)
        n++;
    return n;
}

/* A metric with the points that are in x->points. */
static void put_metric(struct exports *x, enum fleet_metric m)
{
    const struct fleet_metric_def *def = &fleet_metrics[m];
    struct buf *b = &x->items;
    size_t sum = x->points.n + 4;                  /* temporality and monotonic: two bytes each */
    size_t metric = 2 + def->name.n + 2 + def->help.n + 2 + def->unit.n + 1 + varint_size(sum) + sum;
    CHECK(def->name.n < 128 && def->help.n < 128);
    wire_put_raw(b, F_SCOPES_ITEMS << 3 | WIRE_LEN);
    wire_put_raw(b, metric);
    wire_put_bytes(b, F_METRIC_NAME, def->name);
    wire_put_bytes(b, F_METRIC_DESCRIPTION, def->help);
    wire_put_bytes(b, F_METRIC_UNIT, def->unit);
    wire_put_raw(b, F_METRIC_SUM << 3 | WIRE_LEN);
    wire_put_raw(b, sum);
    buf_str(b, buf_view(&x->points));
    wire_put_varint(b, F_DATA_TEMPORALITY, OTLP_TEMPORALITY_CUMULATIVE);
    wire_put_varint(b, F_DATA_MONOTONIC, 1);
    buf_clear(&x->points);
}

static void put_otlp(struct exports *x, const struct export *e)
{
    const struct live *l = &x->live[e->session];
    uint32_t lane = load_lane(l->id);
    buf_clear(&x->items);
    buf_clear(&x->points);
    for (uint32_t i = 0; i < e->n; i++) {
        const struct value *v = &x->values[e->first + i];
        const struct series *s = &x->series[v->series];
        wire_put_raw(&x->points, F_DATA_POINTS << 3 | WIRE_LEN);
        wire_put_raw(&x->points, 27 + s->otlp.n);
        wire_put_fixed64(&x->points, F_POINT_START, (uint64_t)l->start_ns);
        wire_put_fixed64(&x->points, F_POINT_TIME, (uint64_t)e->time_ns);
        wire_put_double(&x->points, F_POINT_DOUBLE, v->v);
        buf_str(&x->points, s->otlp);
        if (i + 1 == e->n || x->series[v[1].series].metric != s->metric)
            put_metric(x, s->metric);
    }
    fleet_metrics_envelope(l->session, buf_view(&x->items), out_body(x->otlp, lane));
    out_add(x->otlp, lane, e->n);
}

static void put_write(struct exports *x, const struct export *e)
{
    uint32_t lane = load_lane(x->live[e->session].id);
    struct buf *b = out_body(x->write, lane);
    for (uint32_t i = 0; i < e->n; i++) {
        const struct value *v = &x->values[e->first + i];
        const struct series *s = &x->series[v->series];
        uint64_t ms = (uint64_t)(e->time_ns / NS_PER_MS);
        size_t sample = 9 + 1 + varint_size(ms);
        wire_put_raw(b, F_WRITE_SERIES << 3 | WIRE_LEN);
        wire_put_raw(b, s->labels.n + 2 + sample);
        buf_str(b, s->labels);
        wire_put_raw(b, F_SERIES_SAMPLES << 3 | WIRE_LEN);
        wire_put_raw(b, sample);
        wire_put_double(b, F_SAMPLE_VALUE, v->v);
        wire_put_varint(b, F_SAMPLE_TIME, ms);
    }
    out_add(x->write, lane, e->n);
}

static int by_time(const void *a, const void *b)
{
    const struct export *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return (x->session > y->session) - (x->session < y->session);
}

void exports_flush(struct exports *x)
{
    for (uint32_t i = 0; i < x->nlive; i++)
        if (x->live[i].last_ns < 0)                /* the last one, on the way out */
            export_now(x, &x->live[i], -x->live[i].last_ns);
    if (x->nexports)
        qsort(x->exports, x->nexports, sizeof *x->exports, by_time);
    for (uint32_t i = 0; i < x->nexports; i++) {
        out_clock(x->otlp, x->exports[i].time_ns);
        out_clock(x->write, x->exports[i].time_ns);
        if (x->otlp)
            put_otlp(x, &x->exports[i]);
        if (x->write)
            put_write(x, &x->exports[i]);
    }
    map_clear(&x->by_id);
    arena_reset(&x->mem);
    x->live = NULL;
    x->series = NULL;
    x->exports = NULL;
    x->values = NULL;
    x->nlive = x->cap_live = x->nseries = x->cap_series = x->nexports = x->cap_exports = x->nvalues = x->cap_values = 0;
}
