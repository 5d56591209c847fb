/* api/prometheus_meta.c -- what there is: label names and values, series, metric
 * metadata; and who answers: build information, health. */
#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_found.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "query/write.h"

#include <stdlib.h>

enum { NAMES_MAX = 1 << 22 };                      /* distinct texts of one answer */

/* ---- a set of texts -------------------------------------------------------- */

struct texts {
    struct arena *mem;
    struct map seen;
    struct str *at;
    uint32_t n, cap;
};

static void texts_add(struct texts *t, struct str s)
{
    if (!s.n || t->n >= NAMES_MAX || map_get(&t->seen, s) != MAP_NONE)
        return;
    struct str copy = arena_str(t->mem, s);
    map_put(&t->seen, copy, t->n);
    *arena_push(t->mem, t->at, t->n, t->cap) = copy;
}

static void texts_done(struct texts *t)
{
    map_done(&t->seen);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void send_texts(struct http_req *r, struct query_ctx *q, struct texts *t, uint64_t limit)
{
    struct prom_reply p;
    if (t->n > 1)
        qsort(t->at, t->n, sizeof *t->at, by_text);
    if (limit && t->n > limit)
        query_note(q, true, "results truncated due to limit");
    prom_begin(&p, r);
    jw_arr(&p.w);
    for (uint32_t i = 0; i < t->n && (!limit || i < limit); i++)
        jw_str(&p.w, t->at[i]);
    jw_arr_end(&p.w);
    prom_send(&p, q);
}

/* ---- searches -------------------------------------------------------------- */

/* What labels, label values and series have in common. */
struct search {
    struct http_req *r;
    struct arena mem;
    struct query_ctx q;
    struct selectors sel;
    struct spelling spelling[SELECTORS_MAX];       /* of each selector */
    uint32_t nspelling;
    int64_t from_ns, to_ns;
    uint64_t limit;
};

static void search_done(struct search *s)
{
    for (uint32_t i = 0; i < s->nspelling; i++)
        spelling_close(&s->spelling[i]);
    selectors_done(&s->sel);
    arena_done(&s->mem);
}

static bool search_begin(struct search *s, struct http_req *r, bool named)
{
    s->r = r;
    asked_arena(r->arg, &s->mem);
    if (!param_context(r, &s->mem, &s->q) || !param_limit(r, S("limit"), &s->limit) ||
        !param_search_range(r, &s->from_ns, &s->to_ns) || !param_selectors(r, &s->mem, named, &s->sel))
        return false;
    for (uint32_t i = 0; i < s->sel.n; i++) {
        struct fault f = { 0 };
        enum err e = spelling_open(&s->sel.at[i].root->sel, &s->mem, &s->spelling[s->nspelling++], &f);
        if (e) {
            prom_fail(r, e, str_c(f.msg));
            return false;
        }
    }
    return true;
}

static struct scan_req search_req(const struct search *s, uint32_t selector)
{
    struct scan_req req = {
        .table = TABLE_SAMPLE,
        .from_ns = s->from_ns,
        .to_ns = s->to_ns,
        .rows_max = s->q.limits->rows_max,
        .bytes_max = s->q.limits->bytes_max,
        .deadline_mono_ns = s->q.deadline_mono_ns,
        .cancelled = s->q.cancelled,
    };
    if (selector < s->nspelling) {
        req.matchers = s->spelling[selector].matchers;
        req.nmatchers = s->spelling[selector].nmatchers;
    }
    return req;
}

/* Without match[] one search without matchers, else one for each. */
static uint32_t searches(const struct search *s)
{
    return MAX(s->sel.n, 1u);
}

static void add_name(void *arg, enum place place, struct str name)
{
    if (place == PLACE_LABEL)
        texts_add(arg, name);
}

static void add_value(void *arg, struct str value)
{
    texts_add(arg, value);
}

static const struct spelling *search_spelling(const struct search *s, uint32_t selector)
{
    static const struct spelling none;
    return selector < s->nspelling ? &s->spelling[selector] : &none;
}

/* The labels of the series found: where the selector matches on ccmon_source, which the
 * store does not know. With a name, that label's values instead. */
static enum err list_of_series(struct search *s, uint32_t selector, struct str name, struct texts *ret, struct fault *f)
{
    CLEANUP(found_done) struct found all;
    struct scan_req req = search_req(s, selector);
    found_init(&all, &s->q);
    enum err e = found_series(&all, &req, search_spelling(s, selector), f);
    for (uint32_t i = 0; i < all.n && !e; i++)
        for (uint32_t k = 0; k < all.at[i].n; k++) {
            const struct label *l = &all.at[i].at[k];
            if (!name.n || str_eq(l->name, name))
                texts_add(ret, name.n ? l->value : l->name);
        }
    return e;
}

static enum err list_names(struct search *s, uint32_t selector, struct texts *ret, struct fault *f)
{
    if (search_spelling(s, selector)->nsources)
        return list_of_series(s, selector, S(""), ret, f);
    struct scan_req req = search_req(s, selector);
    enum err e = s->q.src->label_names(s->q.src, &req, add_name, ret, f);
    bool tells = false;
    if (!e && ret->n)
        e = found_accounted(&s->q, &req, &tells, f);
    if (tells)
        texts_add(ret, S("ccmon_source"));         /* every row has one; what others wrote keeps the labels they gave it */
    return e;
}

static enum err list_values(struct search *s, uint32_t selector, struct str name, struct texts *ret, struct fault *f)
{
    const struct spelling *sp = search_spelling(s, selector);
    struct scan_req req = search_req(s, selector);
    if (str_eq(name, S("ccmon_source")))
        return found_sources(&s->q, &req, sp, add_value, ret, f);
    if (sp->nsources)
        return list_of_series(s, selector, name, ret, f);
    return s->q.src->label_values(s->q.src, &req, name, add_value, ret, f);
}

void prom_labels(struct http_req *r)
{
    CLEANUP(search_done) struct search s = { 0 };
    if (!search_begin(&s, r, false))
        return;
    CLEANUP(texts_done) struct texts names = { .mem = &s.mem };
    struct fault f = { 0 };
    for (uint32_t i = 0; i < searches(&s); i++) {
        enum err e = list_names(&s, i, &names, &f);
        if (e) {
            prom_fail(r, e, str_c(f.msg));
            return;
        }
    }
    send_texts(r, &s.q, &names, s.limit);
}

/* U__service_2e_name is service.name: _hex_ for what is no word character, __ for _. */
static struct str unescape_label(struct arena *mem, struct str s)
{
    if (!str_starts(s, S("U__")))
        return s;
    struct str in = str_sub(s, 3, s.n);
    struct buf out;
    buf_init(&out, s.n + 1);
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '_') {
            buf_byte(&out, in.p[i]);
            continue;
        }
        uint32_t code = 0, digits = 0;
        for (i++; i < in.n && in.p[i] != '_'; i++, digits++) {
            char c = (char)(in.p[i] | 0x20);
            bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            code = ok && digits < 6 ? code * 16 + (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10) : UINT32_MAX;
            if (code == UINT32_MAX) {
                buf_done(&out);
                return s;
            }
        }
        if (!digits) {
            buf_byte(&out, '_');
        } else if (code < 0x80) {
            buf_byte(&out, (char)code);
        } else {
            uint32_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
            buf_byte(&out, (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | code >> 6 * (n - 1)));
            for (uint32_t k = n - 1; k; k--)
                buf_byte(&out, (char)(0x80 | (code >> 6 * (k - 1) & 0x3f)));
        }
    }
    struct str name = arena_str(mem, buf_view(&out));
    buf_done(&out);
    return name;
}

void prom_label_values(struct http_req *r)
{
    CLEANUP(search_done) struct search s = { 0 };
    CHECK(r->nwild >= 1);
    struct str name = unescape_label(r->mem, r->wild[0]);
    if (!name.n) {
        prom_bad_data(r, "invalid label name: \"\"");
        return;
    }
    if (!search_begin(&s, r, false))
        return;
    CLEANUP(texts_done) struct texts values = { .mem = &s.mem };
    struct fault f = { 0 };
    for (uint32_t i = 0; i < searches(&s); i++) {
        enum err e = list_values(&s, i, name, &values, &f);
        if (e) {
            prom_fail(r, e, str_c(f.msg));
            return;
        }
    }
    send_texts(r, &s.q, &values, s.limit);
}

/* ---- series ---------------------------------------------------------------- */

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static void send_series(struct search *s, struct found *all)
{
    struct prom_reply p;
    if (all->n > 1)
        qsort(all->at, all->n, sizeof *all->at, by_labels);
    if (s->limit && all->n > s->limit)
        query_note(&s->q, true, "results truncated due to limit");
    prom_begin(&p, s->r);
    jw_arr(&p.w);
    for (uint32_t i = 0; i < all->n && (!s->limit || i < s->limit); i++)
        write_labels(&p.w, all->at[i]);
    jw_arr_end(&p.w);
    prom_send(&p, &s->q);
}

void prom_series(struct http_req *r)
{
    CLEANUP(search_done) struct search s = { 0 };
    if (!search_begin(&s, r, true))
        return;
    if (!s.sel.n) {
        prom_bad_data(r, "no match[] parameter provided");
        return;
    }
    CLEANUP(found_done) struct found all;
    found_init(&all, &s.q);
    struct fault f = { 0 };
    for (uint32_t i = 0; i < s.sel.n; i++) {
        struct scan_req req = search_req(&s, i);
        enum err e = found_series(&all, &req, &s.spelling[i], &f);
        if (e) {
            prom_fail(r, e, str_c(f.msg));
            return;
        }
    }
    send_series(&s, &all);
}

/* ---- metadata -------------------------------------------------------------- */

struct metas {
    struct arena *mem;
    struct str only;
    struct metric_meta *at;
    uint32_t n, cap;
};

static void add_meta(void *arg, const struct metric_meta *m)
{
    struct metas *all = arg;
    if (all->only.n && !str_eq(all->only, m->name))
        return;
    *arena_push(all->mem, all->at, all->n, all->cap) = (struct metric_meta){
        arena_str(all->mem, m->name), m->type, arena_str(all->mem, m->unit), arena_str(all->mem, m->help),
    };
}

static int by_meta_name(const void *a, const void *b)
{
    return str_cmp(((const struct metric_meta *)a)->name, ((const struct metric_meta *)b)->name);
}

struct str prom_meta_type(enum metric_type t)
{
    static const struct { struct str text; } texts[] = {
        [METRIC_UNKNOWN] = { S("unknown") }, [METRIC_COUNTER] = { S("counter") }, [METRIC_GAUGE] = { S("gauge") },
        [METRIC_HISTOGRAM] = { S("histogram") }, [METRIC_SUMMARY] = { S("summary") },
    };
    return texts[t].text;
}

static void write_metas(struct jw *w, const struct metas *all, uint64_t limit, uint64_t per_metric)
{
    uint64_t metrics = 0;
    jw_obj(w);
    for (uint32_t i = 0; i < all->n;) {
        uint32_t end = i + 1;
        while (end < all->n && str_eq(all->at[end].name, all->at[i].name))
            end++;
        if (limit != UINT64_MAX && metrics++ >= limit)
            break;
        jw_key(w, all->at[i].name);
        jw_arr(w);
        for (uint32_t k = i; k < end && (!per_metric || k - i < per_metric); k++) {
            jw_obj(w);
            jw_kv_str(w, S("type"), prom_meta_type(all->at[k].type));
            jw_kv_str(w, S("help"), all->at[k].help);
            jw_kv_str(w, S("unit"), all->at[k].unit);
            jw_obj_end(w);
        }
        jw_arr_end(w);
        i = end;
    }
    jw_obj_end(w);
}

/* limit 0 shows nothing here, unlike everywhere else; a negative one shows all. */
static bool metadata_limit(struct http_req *r, uint64_t *ret)
{
    struct str text;
    int64_t v;
    *ret = UINT64_MAX;
    if (!http_param(r, S("limit"), &text) || !text.n)
        return true;
    if (!str_to_i64(text, &v)) {
        prom_bad_data(r, "limit must be a number");
        return false;
    }
    if (v >= 0)
        *ret = (uint64_t)v;
    return true;
}

void prom_metadata(struct http_req *r)
{
    const struct api *a = r->arg;
    struct metas all = { .mem = r->mem };
    uint64_t limit, per_metric;
    if (!metadata_limit(r, &limit) || !param_limit(r, S("limit_per_metric"), &per_metric))
        return;
    http_param(r, S("metric"), &all.only);
    struct source *src = a->settled ? a->settled : a->src;
    src->metas(src, add_meta, &all);
    if (all.n > 1)
        qsort(all.at, all.n, sizeof *all.at, by_meta_name);
    struct prom_reply p;
    prom_begin(&p, r);
    write_metas(&p.w, &all, limit, per_metric);
    prom_send(&p, NULL);
}

/* ---- status ---------------------------------------------------------------- */

/* Clients choose what they ask for by the version of Prometheus, so the language's
 * version comes first and ours after it. There is no map of features: with one,
 * Grafana takes the server for Mimir. */
void prom_buildinfo(struct http_req *r)
{
    const struct api *a = r->arg;
    struct prom_reply p;
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_kv_str(&p.w, S("version"), arena_fmt(r->mem, "3.14.0+ccmon." STR_FMT, STR_ARG(a->version)));
    jw_kv_str(&p.w, S("revision"), a->version);
    jw_kv_str(&p.w, S("branch"), S("ccmon"));
    jw_kv_str(&p.w, S("buildUser"), S(""));
    jw_kv_str(&p.w, S("buildDate"), S(""));
    jw_kv_str(&p.w, S("goVersion"), S(""));
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

void prom_healthy(struct http_req *r)
{
    http_reply(r, 200, S("text/plain; charset=utf-8"), S("ccmon is Healthy.\n"));
}

void prom_ready(struct http_req *r)
{
    http_reply(r, 200, S("text/plain; charset=utf-8"), S("ccmon is Ready.\n"));
}
