/* api/prom_federate.c -- /federate: the newest sample of each series in the text form, for another Prometheus to scrape.
 *
 * Which series there are is an instant query's answer, so that one that went stale is not
 * told; the samples' own times come from a range over the lookback, whose last point is
 * the one that the instant query saw. Native histograms have no text form and are left out.
 */
#include <stdlib.h>

#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "base/num.h"

enum { TEXT_MAX = 1 << 30 };

struct line {
    struct labels labels;
    struct str name;
    double value;
    int64_t time_ms;
};

struct federation {
    struct query_ctx q;
    struct keyset seen;                            /* over all selectors: a series is told once */
    struct line *at;
    uint32_t n, cap;
};

static enum err evaluate(struct federation *x, struct str text, int64_t now_ms, struct promql_result *ret, struct fault *f)
{
    CLEANUP(promql_done) struct promql query = { 0 };
    enum err e = promql_parse(x->q.mem, text, &query, f);
    return e ? e : promql_eval(&x->q, &query, &(struct promql_time){ now_ms, now_ms, 0 }, ret, f);
}

static void add_series(struct federation *x, const struct points *p, struct keyset *live)
{
    bool gone, fresh;
    keyset_all(live, p->labels, &gone);
    if (gone || !p->n || (p->h && p->h[p->n - 1]))
        return;
    keyset_all(&x->seen, p->labels, &fresh);
    if (fresh)
        *arena_push(x->q.mem, x->at, x->n, x->cap) = (struct line){
            p->labels, labels_get(p->labels, S("__name__")), p->v[p->n - 1], p->t[p->n - 1],
        };
}

static enum err add_selector(struct federation *x, struct str text, int64_t now_ms, struct fault *f)
{
    struct promql_result now, past;
    /* On a line of its own, since the text may end with a comment. */
    long long ms = (long long)(x->q.lookback_ns / NS_PER_MS);
    enum err e = evaluate(x, text, now_ms, &now, f);
    if (!e)
        e = evaluate(x, arena_fmt(x->q.mem, STR_FMT "\n[%lldms]", STR_ARG(text), ms), now_ms, &past, f);
    if (e)
        return e;
    CLEANUP(keyset_done) struct keyset live;
    keyset_init(&live, x->q.mem);
    for (uint32_t i = 0; i < now.vec.n; i++) {
        bool fresh;
        keyset_all(&live, now.vec.at[i].labels, &fresh);
    }
    for (uint32_t i = 0; i < past.points.n; i++)
        add_series(x, &past.points.at[i], &live);
    return OK;
}

/* ---- text ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : labels_cmp(x->labels, y->labels);
}

static bool is_plain(struct str s, bool metric)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] | 0x20);
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (!((c >= 'a' && c <= 'z') || s.p[i] == '_' || (metric && s.p[i] == ':') || (digit && i)))
            return false;
    }
    return s.n > 0;
}

static void put_quoted(struct buf *out, struct str s)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') {
            buf_str(out, S("\\n"));
            continue;
        }
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, s.p[i]);
    }
    buf_byte(out, '"');
}

/* name{label="value"}, or {"na.me","la.bel"="value"} where a name is no word. */
static void put_labels(struct buf *out, const struct line *l)
{
    bool plain = is_plain(l->name, true);
    bool any = !plain;
    if (plain) {
        buf_str(out, l->name);
        buf_byte(out, '{');
    } else {
        buf_byte(out, '{');
        put_quoted(out, l->name);
    }
    bool instance = false;
    for (uint32_t i = 0; i < l->labels.n; i++) {
        const struct label *label = &l->labels.at[i];
        if (str_eq(label->name, S("__name__")))
            continue;
        instance |= str_eq(label->name, S("instance"));
        if (any)
            buf_byte(out, ',');
        any = true;
        if (is_plain(label->name, false))
            buf_str(out, label->name);
        else
            put_quoted(out, label->name);
        buf_byte(out, '=');
        put_quoted(out, label->value);
    }
    if (!instance) {                               /* else the scraping side would put its own there */
        buf_str(out, any ? S(",instance=") : S("instance="));
        put_quoted(out, S(""));
    }
    buf_byte(out, '}');
}

static void put_lines(struct buf *out, const struct federation *x)
{
    for (uint32_t i = 0; i < x->n; i++) {
        const struct line *l = &x->at[i];
        char text[32];
        if ((!i || !str_eq(l->name, x->at[i - 1].name)) && is_plain(l->name, true))
            buf_fmt(out, "# TYPE " STR_FMT " untyped\n", STR_ARG(l->name));
        put_labels(out, l);
        buf_byte(out, ' ');
        buf_put(out, text, num_fmt_g64(text, l->value));
        buf_byte(out, ' ');
        buf_i64(out, l->time_ms);
        buf_byte(out, '\n');
    }
}

static void answer(struct http_req *r, struct federation *x)
{
    struct buf out;
    if (x->n > 1)
        qsort(x->at, x->n, sizeof *x->at, by_name);
    buf_init(&out, TEXT_MAX);
    put_lines(&out, x);
    if (out.bad)
        prom_fail(r, E_LIMIT, S("the answer is longer than the limit of 1 GiB"));
    else
        http_reply_buf(r, 200, S("text/plain; version=0.0.4; charset=utf-8"), &out);
    buf_done(&out);
}

void prom_federate(struct http_req *r)
{
    const struct api *a = r->arg;
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(selectors_done) struct selectors sel = { 0 };
    struct federation x = { 0 };
    struct fault f = { 0 };
    asked_arena(a, &mem);
    if (!param_context(r, &mem, &x.q) || !param_selectors(r, &mem, true, &sel))
        return;
    keyset_init(&x.seen, &mem);
    enum err e = OK;
    for (uint32_t i = 0; i < sel.n && !e; i++)
        e = add_selector(&x, sel.at[i].text, clock_now(a->clock) / NS_PER_MS, &f);
    if (e)
        prom_fail(r, e, x.q.error.n ? x.q.error : str_c(f.msg));
    else
        answer(r, &x);
    keyset_done(&x.seen);
}
