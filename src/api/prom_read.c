/* api/prom_read.c -- /api/v1/read: Prometheus's remote read, answered with samples.
 *
 * A query of the request is a range selector in another spelling, so it is put into words
 * and evaluated: {"job"=~"a.*"}[N ms] at its end, where N reaches to just before its start.
 * What is not told: staleness markers, native histograms. Streamed chunks are never sent;
 * a client that prefers them has to take samples too.
 */
#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_meta.h"
#include "api/prom_params.h"
#include "base/wire.h"
#include "base/zip.h"
#include "promql/print.h"

enum { QUERIES_MAX = 100, READ_MATCHERS_MAX = 256, SELECTOR_MAX = 1 << 20, ANSWER_MAX = 256 << 20, REQUEST_MAX = 4 << 20 };

/* What evaluation can take without overflow (prom_params.c). */
static const int64_t time_ms_max = INT64_C(9000000000000);

/* message LabelMatcher { Type type = 1; string name = 2; string value = 3; } */
static void read_matcher(struct wire *w, struct buf *text)
{
    uint64_t op = 0;
    struct str name = S(""), value = S("");
    while (wire_next(w)) {
        if (w->field == 1)
            op = wire_varint(w);
        else if (w->field == 2)
            name = wire_bytes(w);
        else if (w->field == 3)
            value = wire_bytes(w);
        else
            wire_skip(w);
    }
    if (op > MATCH_NRE)
        wire_fail(w, w->p);
    if (w->bad)
        return;
    promql_quote(text, name);
    buf_str(text, str_c(match_text((enum match_op)op)));
    promql_quote(text, value);
}

/* message Query { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2; repeated LabelMatcher matchers = 3; } */
static struct str read_query(struct wire *w, struct arena *mem, int64_t *ret_end_ms)
{
    int64_t start = 0, end = 0;
    uint32_t n = 0;
    struct buf text;
    buf_init(&text, SELECTOR_MAX);
    buf_byte(&text, '{');
    while (wire_next(w)) {
        if (w->field == 1) {
            start = (int64_t)wire_varint(w);
        } else if (w->field == 2) {
            end = (int64_t)wire_varint(w);
        } else if (w->field == 3) {
            struct wire m = wire_message(w);
            if (n++)
                buf_byte(&text, ',');
            read_matcher(&m, &text);
            wire_close(w, &m);
        } else {
            wire_skip(w);
        }
    }
    start = MAX(MIN(start, time_ms_max), -time_ms_max);
    end = MAX(MIN(end, time_ms_max), start);
    buf_fmt(&text, "}[%lldms]", (long long)MIN(end - start + 1, time_ms_max));
    if (text.bad || n > READ_MATCHERS_MAX)
        wire_fail(w, w->p);
    struct str out = arena_str(mem, buf_view(&text));
    buf_done(&text);
    *ret_end_ms = end;
    return out;
}

/* message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; } */
static void put_series(struct buf *out, const struct points *p)
{
    struct buf series, part;
    buf_init(&series, ANSWER_MAX);
    buf_init(&part, ANSWER_MAX);
    for (uint32_t i = 0; i < p->labels.n; i++) {
        buf_clear(&part);
        wire_put_bytes(&part, 1, p->labels.at[i].name);
        wire_put_bytes(&part, 2, p->labels.at[i].value);
        wire_put_bytes(&series, 1, buf_view(&part));
    }
    for (size_t i = 0; i < p->n; i++) {
        if (p->h && p->h[i])
            continue;
        buf_clear(&part);
        wire_put_double(&part, 1, p->v[i]);
        wire_put_varint(&part, 2, (uint64_t)p->t[i]);
        wire_put_bytes(&series, 2, buf_view(&part));
    }
    out->bad |= series.bad || part.bad;
    wire_put_bytes(out, 1, buf_view(&series));
    buf_done(&part);
    buf_done(&series);
}

static enum err answer_query(struct query_ctx *q, struct str text, int64_t end_ms, struct buf *out, struct fault *f)
{
    CLEANUP(promql_done) struct promql query = { 0 };
    struct promql_result res;
    struct buf result;
    enum err e = promql_parse(q->mem, text, &query, f);
    if (!e)
        e = promql_eval(q, &query, &(struct promql_time){ end_ms, end_ms, 0 }, &res, f);
    if (e)
        return e;
    buf_init(&result, ANSWER_MAX);
    for (uint32_t i = 0; i < res.points.n && !result.bad; i++)
        put_series(&result, &res.points.at[i]);
    out->bad |= result.bad;
    wire_put_bytes(out, 1, buf_view(&result));
    buf_done(&result);
    return out->bad ? fault_set(f, E_LIMIT, 0, "the answer is longer than the limit of 256 MiB: ask for less at once") : OK;
}

/* message ReadRequest { repeated Query queries = 1; ... } */
static enum err answer_all(struct query_ctx *q, struct str body, struct buf *out, struct fault *f)
{
    struct wire w = wire_of(body);
    uint32_t n = 0;
    enum err e = OK;
    while (!e && wire_next(&w)) {
        if (w.field != 1) {
            wire_skip(&w);
            continue;
        }
        int64_t end_ms;
        struct wire m = wire_message(&w);
        struct str text = read_query(&m, q->mem, &end_ms);
        wire_close(&w, &m);
        if (++n > QUERIES_MAX)
            return fault_set(f, E_SYNTAX, 0, "more than the limit of %d queries in a request", QUERIES_MAX);
        if (!w.bad)
            e = answer_query(q, text, end_ms, out, f);
    }
    return w.bad ? fault_set(f, E_SYNTAX, 0, "the body is no ReadRequest in protobuf") : e;
}

void prom_read(struct http_req *r)
{
    CLEANUP(arena_done) struct arena mem;
    CLEANUP(buf_done) struct buf body, out, packed;
    struct query_ctx q;
    struct fault f = { 0 };
    asked_arena(r->arg, &mem);
    buf_init(&body, REQUEST_MAX);
    buf_init(&out, ANSWER_MAX);
    buf_init(&packed, 2u * ANSWER_MAX);
    if (!param_context(r, &mem, &q))
        return;
    enum err e = zip_unsnappy(r->body, REQUEST_MAX, &body, &f);
    if (!e)
        e = answer_all(&q, buf_view(&body), &out, &f);
    if (e) {
        prom_fail(r, e, q.error.n ? q.error : str_c(f.msg));
        return;
    }
    if (zip_snappy(buf_view(&out), &packed)) {
        prom_fail(r, E_LIMIT, S("the answer is longer than the limit of 256 MiB: ask for less at once"));
        return;
    }
    http_reply_header(r, S("content-encoding"), S("snappy"));
    http_reply_buf(r, 200, S("application/x-protobuf"), &packed);
}
