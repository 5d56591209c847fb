/* push/prometheus.c -- POST /api/v1/write: Prometheus's remote write, 1.0 and 2.0.
 *
 * Answers are those of Prometheus 3, with three differences, each of them in favour of
 * the data: a sample that is older than the newest of its series is taken; one bad
 * sample does not undo the rest of a version 1 request; and a request may come packed
 * with gzip, deflate or zstd instead of snappy.
 */
#include "base/num.h"
#include "push/job.h"

enum { TYPE_SHOWN = 200 };                         /* bytes of a content type in an answer */

#define MEDIA_TYPE "application/x-protobuf"
#define PROTO_1    "prometheus.WriteRequest"
#define PROTO_2    "io.prometheus.write.v2.Request"

/* ---- content type ------------------------------------------------------------------ */

/* media-type { ";" name "=" value }; none at all is version 1. False: it was answered. */
static bool find_version(struct http_req *r, bool *ret_v2)
{
    struct str all = str_sub(str_trim(http_header(r, S("content-type"))), 0, TYPE_SHOWN), rest = all;
    *ret_v2 = false;
    if (!all.n)
        return true;
    if (!str_eq_nocase(str_trim(str_cut(&rest, ';')), S(MEDIA_TYPE))) {
        push_reply(r, 415, arena_fmt(r->mem, "expected " MEDIA_TYPE " as the first (media) part, got " STR_FMT " content-type",
                                     STR_ARG(all)));
        return false;
    }
    while (rest.p) {
        struct str value = str_trim(str_cut(&rest, ';'));
        struct str name = str_trim(str_cut(&value, '='));
        value = str_trim(value);
        if (!str_eq_nocase(name, S("proto")) || str_eq(value, S(PROTO_1)))
            continue;
        if (!str_eq(value, S(PROTO_2))) {
            push_reply(r, 415, arena_fmt(r->mem, "got " STR_FMT " content type; unknown remote write protobuf message " STR_FMT
                                         ", supported: " PROTO_1 ", " PROTO_2, STR_ARG(all), STR_ARG(value)));
            return false;
        }
        *ret_v2 = true;
    }
    return true;
}

/* What the server has undone already: everything but snappy, which comes without a header too. */
static bool is_snappy(const struct http_req *r)
{
    struct str coding = http_header(r, S("content-encoding"));
    return !coding.n || str_eq_nocase(coding, S("snappy"));
}

/* ---- answers ------------------------------------------------------------------------ */

static void put_written(struct http_req *r, struct str name, uint64_t n)
{
    char digits[24];
    http_reply_header(r, name, arena_str(r->mem, (struct str){ digits, num_fmt_i64(digits, (int64_t)n) }));
}

static void put_statistics(struct push_job *j, bool written)
{
    if (!j->result.v2)
        return;
    put_written(j->req, S("x-prometheus-remote-write-samples-written"), written ? j->result.samples : 0);
    put_written(j->req, S("x-prometheus-remote-write-histograms-written"), written ? j->result.histograms : 0);
    put_written(j->req, S("x-prometheus-remote-write-exemplars-written"), 0);
}

/* Samples whose time is taken already, by another value. */
static void count_refused(struct push_job *j)
{
    for (uint32_t i = 0; i < j->batch.nrows; i++) {
        const struct row *row = &j->batch.rows[i];
        if (row->verdict != VERDICT_REFUSED)
            continue;
        struct arena scratch = j->mem;
        struct str series = j->result.v2 ? row_series_text(&j->batch, row, &scratch) : S("");
        report_add(&j->result.report, j->req->mem, "duplicate sample for timestamp%s" STR_FMT, j->result.v2 ? " for series " : "",
                   STR_ARG(series));
        if (row->cells.n)
            j->result.histograms--;
        else
            j->result.samples--;
    }
}

static void tell_left_out(struct push_job *j)
{
    struct http_req *r = j->req;
    atomic_fetch_add(&j->rx->exemplars, j->result.exemplars);
    if (!j->result.invalid)
        return;
    struct str line = arena_fmt(r->mem, "left out of remote write from " STR_FMT ": %llu series: " STR_FMT, STR_ARG(r->peer),
                                (unsigned long long)j->result.invalid, STR_ARG(j->result.invalid_why));
    push_hint(j->rx, "write-labels", arena_cstr(r->mem, line));
}

/* Writer's thread, or the handler's where nothing was to be written. */
static void answer(struct push_job *j, enum err e, const struct fault *f)
{
    struct http_req *r = j->req;
    struct str why = S("");
    bool refused = false;
    if (e) {
        why = arena_str(r->mem, f ? str_c(f->msg) : S("not stored"));
    } else {
        tell_left_out(j);
        count_refused(j);
        refused = j->result.report.n > 0;
        if (refused)
            why = j->result.v2 ? report_text(&j->result.report, S("\n"), false, r->mem) : arena_str(r->mem, j->result.report.at[0].text);
    }
    put_statistics(j, !e);
    push_end(j);
    if (e)
        push_fail(r, e, S("remote write"), why);
    else if (refused)
        push_reply(r, 400, why);
    else
        http_reply(r, 204, S(""), S(""));
}

static void post_write(struct http_req *r)
{
    bool v2;
    if (!find_version(r, &v2))
        return;
    struct push_job *j = push_begin(r);
    struct fault f = { 0 };
    struct str body = r->body;
    enum frame_kind kind = v2 ? FRAME_REMOTE_WRITE_2 : FRAME_REMOTE_WRITE_1;
    uint32_t epoch = push_epoch(j->rx);
    j->result.v2 = v2;
    j->answer = answer;
    bool packed = is_snappy(r);
    enum err e = packed ? push_unpack(j, r->body, &body, &f) : OK;
    struct str whole = body;
    if (!e)
        e = push_redact(j, &kind, &body, &f);
    packed = packed && body.p == whole.p;          /* what was taken out must not reach the log */
    if (!e)
        e = write_decode(kind, body, r->recv_ns, push_oldest_ns(epoch, r->recv_ns), j->rx->seen, &j->mem, &j->batch, &j->result, &f);
    if (e)
        answer(j, e, &f);
    else if (packed)                               /* smaller than we would make it, and made already */
        push_store(j, v2 ? FRAME_REMOTE_WRITE_2_SNAPPY : FRAME_REMOTE_WRITE_1_SNAPPY, epoch, r->body);
    else
        push_store(j, kind, epoch, body);
}

const struct http_route routes_push_prometheus[] = {
    { HTTP_POST, "/api/v1/write", post_write, ROUTE_LOOP | ROUTE_INGEST | ROUTE_SNAPPY,
      "Prometheus's remote write, 1.0 and 2.0: samples, native histograms and metadata" },
    { 0 },
};
