/* api/loki_labels.c -- stream labels, streams, and how much they hold.
 *
 * Everything here is about streams only; structured metadata has no lists. A label
 * that nobody knows has no values, which is no error.
 */
#include "api/asked.h"
#include "api/loki_meta.h"
#include "api/loki_write.h"
#include "query/write.h"

#include <stdlib.h>

/* What these requests have in common: a context, a span, a selector. */
struct lookup {
    struct arena mem;
    struct query_ctx q;
    struct log_span span;
    struct logql *selector;                        /* NULL: all */
};

static void lookup_done(struct lookup *l)
{
    logql_freep(&l->selector);
    arena_done(&l->mem);
}

static bool lookup_begin(struct http_req *r, struct lookup *l)
{
    struct str text = S("");
    *l = (struct lookup){ 0 };
    asked_arena(r->arg, &l->mem);
    http_param(r, S("query"), &text);
    return loki_context(r, &l->mem, &l->q) && loki_span(r, &l->span) && loki_selector(r, text, &l->mem, &l->selector);
}

/* ---- names and values --------------------------------------------------------------------- */

static void answer_list(struct http_req *r, const struct str *at, uint32_t n)
{
    struct loki_reply p;
    loki_begin(&p, r);
    jw_kv_str(&p.w, S("status"), S("success"));
    jw_key(&p.w, S("data"));
    loki_write_list(&p.w, at, n);
    loki_send(&p);
}

void loki_labels(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    struct str *names;
    uint32_t n;
    struct fault f = { 0 };
    if (!lookup_begin(r, &l))
        return;
    enum err e = logql_label_names(&l.q, l.selector, l.span, &names, &n, &f);
    if (e)
        loki_fail(r, &l.q, e, &f);
    else
        answer_list(r, names, n);
}

void loki_label_values(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    struct str *values;
    uint32_t n;
    struct fault f = { 0 };
    CHECK(r->nwild == 1);
    if (!lookup_begin(r, &l))
        return;
    enum err e = logql_label_values(&l.q, l.selector, l.span, r->wild[0], &values, &n, &f);
    if (e)
        loki_fail(r, &l.q, e, &f);
    else
        answer_list(r, values, n);
}

/* ---- streams ------------------------------------------------------------------------------- */

enum { SELECTORS_MAX = 100 };

static void write_new_streams(struct jw *w, struct keyset *seen, const struct stream_list *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        bool fresh;
        keyset_all(seen, s->at[i].labels, &fresh);
        if (fresh)
            write_labels(w, s->at[i].labels);
    }
}

/* match[] of Grafana, match of logcli. */
static uint32_t match_params(struct http_req *r, const struct str **ret)
{
    uint32_t n = http_params(r, S("match[]"), ret);
    return n ? n : http_params(r, S("match"), ret);
}

void loki_series(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    const struct str *texts;
    struct loki_reply p;
    struct fault f = { 0 };
    enum err e = OK;
    if (!lookup_begin(r, &l))
        return;
    uint32_t n = match_params(r, &texts);
    if (n > SELECTORS_MAX) {
        loki_bad(r, "more than the limit of %d selectors", SELECTORS_MAX);
        return;
    }
    loki_begin(&p, r);
    jw_kv_str(&p.w, S("status"), S("success"));
    jw_key(&p.w, S("data"));
    jw_arr(&p.w);
    CLEANUP(keyset_done) struct keyset seen;
    keyset_init(&seen, &l.mem);
    for (uint32_t i = 0; i < MAX(n, 1u) && !e; i++) {
        CLEANUP(logql_freep) struct logql *selector = NULL;
        struct stream_list streams;
        if (n && !loki_selector(r, texts[i], &l.mem, &selector)) {
            buf_done(&p.out);
            return;
        }
        e = logql_streams(&l.q, selector, l.span, false, &streams, &f);
        if (!e)
            write_new_streams(&p.w, &seen, &streams);
    }
    jw_arr_end(&p.w);
    if (!e) {
        loki_send(&p);
        return;
    }
    buf_done(&p.out);
    loki_fail(r, &l.q, e, &f);
}

/* ---- sizes ------------------------------------------------------------------------------------ */

void loki_index_stats(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    struct stream_list streams;
    struct fault f = { 0 };
    struct loki_reply p;
    if (!lookup_begin(r, &l))
        return;
    enum err e = logql_streams(&l.q, l.selector, l.span, true, &streams, &f);
    if (e) {
        loki_fail(r, &l.q, e, &f);
        return;
    }
    uint64_t entries = 0, bytes = 0;
    for (uint32_t i = 0; i < streams.n; i++) {
        entries += streams.at[i].entries;
        bytes += streams.at[i].bytes;
    }
    loki_begin(&p, r);
    jw_kv_i64(&p.w, S("streams"), streams.n);
    jw_kv_i64(&p.w, S("chunks"), (int64_t)MAX(l.q.stats.chunks, streams.n ? 1u : 0u));
    jw_kv_i64(&p.w, S("bytes"), (int64_t)bytes);
    jw_kv_i64(&p.w, S("entries"), (int64_t)entries);
    loki_send(&p);
}

void loki_detected_labels(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    struct stream_list streams;
    struct str *names, *values;
    uint32_t n, nvalues;
    struct fault f = { 0 };
    struct loki_reply p;
    if (!lookup_begin(r, &l))
        return;
    enum err e = logql_label_names(&l.q, l.selector, l.span, &names, &n, &f);
    if (!e)
        e = logql_streams(&l.q, l.selector, l.span, false, &streams, &f);
    if (e) {
        loki_fail(r, &l.q, e, &f);
        return;
    }
    loki_begin(&p, r);
    jw_key(&p.w, S("detectedLabels"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < n; i++) {
        log_label_values(&streams, names[i], &l.mem, &values, &nvalues);
        if (!nvalues)
            continue;
        jw_obj(&p.w);
        jw_kv_str(&p.w, S("label"), names[i]);
        jw_kv_i64(&p.w, S("cardinality"), nvalues);
        jw_obj_end(&p.w);
    }
    jw_arr_end(&p.w);
    loki_send(&p);
}

/* ---- volume -------------------------------------------------------------------------------------- */

/* How volumes are put together: by the values of some labels, or by label name. */
struct volume_by {
    struct str *names;
    uint32_t n, cap;
    bool all;                                      /* every stream label */
    bool by_name;                                  /* aggregateBy=labels */
    uint32_t limit;
};

struct volume {
    struct labels labels;
    uint64_t bytes;
};

struct volumes {
    struct volume *at;
    uint32_t n, cap;
    struct keyset keys;
};

static void volumes_done(struct volumes *v)
{
    keyset_done(&v->keys);
}

static bool volume_params(struct http_req *r, struct lookup *l, struct volume_by *by)
{
    struct str text;
    *by = (struct volume_by){ 0 };
    if (!loki_limit(r, S("limit"), LOKI_LIMIT_DEFAULT, &by->limit))
        return false;
    if (http_param(r, S("aggregateBy"), &text) && text.n) {
        by->by_name = str_eq(text, S("labels"));
        if (!by->by_name && !str_eq(text, S("series"))) {
            loki_bad(r, "invalid aggregation option");
            return false;
        }
    }
    if (http_param(r, S("targetLabels"), &text) && text.n) {
        while (text.n)
            *arena_push(&l->mem, by->names, by->n, by->cap) = str_cut(&text, ',');
        return true;
    }
    by->all = by->by_name;
    if (!by->all && l->selector)
        logql_selected_labels(l->selector, &l->mem, &by->names, &by->n);
    return true;
}

static void add_volume(struct volumes *v, struct arena *mem, struct labels labels, uint64_t bytes)
{
    bool fresh;
    uint32_t id = keyset_all(&v->keys, labels, &fresh);
    if (fresh)
        *arena_push(mem, v->at, v->n, v->cap) = (struct volume){ .labels = labels };
    v->at[id].bytes += bytes;
}

static void add_stream(struct volumes *v, struct arena *mem, const struct volume_by *by, const struct stream_size *s)
{
    struct labels kept = by->all ? s->labels : labels_keep(mem, s->labels, by->names, by->n);
    if (!by->by_name) {
        if (kept.n || !by->n)
            add_volume(v, mem, kept, s->bytes);
        return;
    }
    for (uint32_t i = 0; i < kept.n; i++) {
        struct label *one = arena_new(mem, struct label, 1);
        *one = (struct label){ kept.at[i].name, S("") };
        add_volume(v, mem, (struct labels){ one, 1 }, s->bytes);
    }
}

static int by_bytes(const void *a, const void *b)
{
    const struct volume *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return labels_cmp(x->labels, y->labels);
}

static bool read_volumes(struct http_req *r, struct lookup *l, const struct volume_by *by, struct log_span span, struct volumes *ret)
{
    struct stream_list streams;
    struct fault f = { 0 };
    enum err e = logql_streams(&l->q, l->selector, span, true, &streams, &f);
    if (e) {
        loki_fail(r, &l->q, e, &f);
        return false;
    }
    for (uint32_t i = 0; i < streams.n; i++)
        add_stream(ret, &l->mem, by, &streams.at[i]);
    if (ret->n > 1)
        qsort(ret->at, ret->n, sizeof *ret->at, by_bytes);
    return true;
}

void loki_volume(struct http_req *r)
{
    CLEANUP(lookup_done) struct lookup l;
    CLEANUP(volumes_done) struct volumes v = { 0 };
    struct volume_by by;
    struct loki_reply p;
    struct loki_stats stats = { 0 };
    if (!lookup_begin(r, &l) || !volume_params(r, &l, &by))
        return;
    keyset_init(&v.keys, &l.mem);
    if (!read_volumes(r, &l, &by, l.span, &v))
        return;
    loki_begin_data(&p, r, S("vector"));
    jw_key(&p.w, S("result"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < v.n && i < by.limit; i++) {
        jw_obj(&p.w);
        jw_key(&p.w, S("metric"));
        write_labels(&p.w, v.at[i].labels);
        jw_key(&p.w, S("value"));
        write_scalar(&p.w, l.span.end_ns / NS_PER_MS, (double)v.at[i].bytes, NUMBERS_LOKI);
        jw_obj_end(&p.w);
    }
    jw_arr_end(&p.w);
    loki_send_data(&p, &l.q, &stats);
}

/* ---- volume over time -------------------------------------------------------------------------------- */

/* Each step is a bucket that is shown at its last millisecond, the last one at the end. */
static bool volume_points(struct http_req *r, struct lookup *l, const struct volume_by *by, int64_t step, struct vec *ret,
                          struct steps *ret_steps)
{
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, &l->mem);
    uint32_t n = (uint32_t)MAX((l->span.end_ns - l->span.start_ns + step - 1) / step, 1);
    *ret_steps = (struct steps){ (l->span.start_ns + step) / NS_PER_MS - 1, step / NS_PER_MS, n };
    for (uint32_t k = 0; k < n; k++) {
        CLEANUP(volumes_done) struct volumes v = { 0 };
        struct log_span span = { l->span.start_ns + (int64_t)k * step, MIN(l->span.start_ns + (int64_t)(k + 1) * step, l->span.end_ns) };
        keyset_init(&v.keys, &l->mem);
        if (!read_volumes(r, l, by, span, &v))
            return false;
        for (uint32_t i = 0; i < v.n; i++) {
            bool fresh;
            uint32_t id = keyset_all(&keys, v.at[i].labels, &fresh);
            if (fresh)
                vec_add(&l->q, ret, v.at[i].labels, 0, n);
            ret->at[id].v[k] = (double)v.at[i].bytes;
        }
    }
    return true;
}

void loki_volume_range(struct http_req *r)
{
    enum { BUCKETS_MAX = 1000 };
    CLEANUP(lookup_done) struct lookup l;
    struct volume_by by;
    struct vec v = { 0 };
    struct steps st;
    struct loki_reply p;
    int64_t step;
    struct loki_stats stats = { 0 };
    if (!lookup_begin(r, &l) || !volume_params(r, &l, &by) || !loki_step(r, l.span, &step))
        return;
    if ((l.span.end_ns - l.span.start_ns) / step >= BUCKETS_MAX) {
        loki_bad(r, "more than the limit of %d steps", BUCKETS_MAX);
        return;
    }
    if (!volume_points(r, &l, &by, step, &v, &st))
        return;
    vec_trim(&v);
    loki_begin_data(&p, r, S("matrix"));
    jw_key(&p.w, S("result"));
    write_matrix(&p.w, st, &v, by.limit, NUMBERS_LOKI);
    loki_send_data(&p, &l.q, &stats);
}
