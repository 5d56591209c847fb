/* api/loki_params.c -- see loki_params.h. */
#include "api/loki_params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/asked.h"
#include "base/num.h"

static const int64_t since_default_ns = INT64_C(3600) * NS_PER_S;

enum { ERROR_TEXT_MAX = 2000 };

/* Loki's own, which Grafana shows as it is. */
#define TIMED_OUT "request timed out, decrease the duration of the request or add more label matchers (prefer exact match over " \
                  "regex match) to reduce the amount of data processed"

static void reply_error(struct http_req *r, int status, struct str text)
{
    http_reply(r, status, S("text/plain; charset=utf-8"), text);
}

void loki_bad(struct http_req *r, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    reply_error(r, 400, str_c(text));
}

void loki_fail(struct http_req *r, const struct query_ctx *q, enum err e, const struct fault *f)
{
    static const struct {
        enum err e;
        int status;
    } statuses[] = {
        { E_SYNTAX, 400 }, { E_UNSUPPORTED, 400 }, { E_LIMIT, 400 }, { E_EXEC, 400 }, { E_UNAVAILABLE, 503 },
    };
    int status = 500;
    if (e == E_CANCELLED && str_find(str_c(f->msg), S("timed out")) != SIZE_MAX) {
        reply_error(r, 504, S(TIMED_OUT));
        return;
    }
    if (e == E_CANCELLED) {
        reply_error(r, 499, S("the request was cancelled by the client"));
        return;
    }
    for (size_t i = 0; i < LEN(statuses); i++)
        if (statuses[i].e == e)
            status = statuses[i].status;
    reply_error(r, status, q && q->error.n ? q->error : str_c(f->msg));
}

/* ---- times ------------------------------------------------------------------------------ */

/* Milliseconds are what is left of a float's fraction in Loki. */
static bool float_seconds(struct str s, int64_t *ret_ns)
{
    double v, whole;
    if (!str_to_f64(s, &v) || !isfinite(v) || fabs(v) > 9e9)
        return false;
    double frac = round(modf(v, &whole) * 1000);
    *ret_ns = (int64_t)whole * NS_PER_S + (int64_t)frac * NS_PER_MS;
    return true;
}

bool loki_time(struct http_req *r, struct str name, bool named, int64_t *ret_ns)
{
    enum { SECONDS_DIGITS_MAX = 10 };
    struct str s;
    int64_t v;
    if (!http_param(r, name, &s) || !s.n)
        return true;
    if (str_index(s, '.') != SIZE_MAX && float_seconds(s, ret_ns))
        return true;
    if (str_to_i64(s, &v)) {
        *ret_ns = s.n <= SECONDS_DIGITS_MAX ? v * NS_PER_S : v;
        return true;
    }
    if (num_rfc3339(s, ret_ns))
        return true;
    struct str shown = str_sub(s, 0, 100);
    if (named)
        loki_bad(r, "could not parse '" STR_FMT "' parameter: strconv.ParseInt: parsing \"" STR_FMT "\": invalid syntax",
                 STR_ARG(name), STR_ARG(shown));
    else
        loki_bad(r, "strconv.ParseInt: parsing \"" STR_FMT "\": invalid syntax", STR_ARG(shown));
    return false;
}

bool loki_span(struct http_req *r, struct log_span *ret)
{
    const struct api *a = r->arg;
    int64_t now = clock_now(a->clock), since = since_default_ns, end = now;
    if (!loki_duration(r, S("since"), &since) || !loki_time(r, S("end"), true, &end))
        return false;
    int64_t start = MIN(end, now) - since;
    if (!loki_time(r, S("start"), true, &start))
        return false;
    if (end < start) {
        loki_bad(r, "end timestamp must not be before or equal to start time");
        return false;
    }
    *ret = (struct log_span){ start, end };
    return true;
}

bool loki_duration(struct http_req *r, struct str name, int64_t *ret_ns)
{
    struct str s;
    double v;
    if (!http_param(r, name, &s) || !s.n)
        return true;
    if (str_to_f64(s, &v)) {
        if (!(fabs(v) < 9e9)) {
            loki_bad(r, "cannot parse \"" STR_FMT "\" to a valid duration. It overflows int64", STR_ARG(str_sub(s, 0, 100)));
            return false;
        }
        *ret_ns = (int64_t)(v * (double)NS_PER_S);
        return true;
    }
    if (num_duration(s, ret_ns))
        return true;
    loki_bad(r, "cannot parse \"" STR_FMT "\" to a valid duration", STR_ARG(str_sub(s, 0, 100)));
    return false;
}

bool loki_step(struct http_req *r, struct log_span span, int64_t *ret_ns)
{
    int64_t seconds = (span.end_ns - span.start_ns) / NS_PER_S / 250;
    *ret_ns = MAX(seconds, 1) * NS_PER_S;
    if (!loki_duration(r, S("step"), ret_ns))
        return false;
    if (*ret_ns <= 0) {
        loki_bad(r, "zero or negative query resolution step widths are not accepted. Try a positive integer");
        return false;
    }
    if ((span.end_ns - span.start_ns) / *ret_ns > LOKI_POINTS_MAX) {
        loki_bad(r, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)");
        return false;
    }
    return true;
}

/* ---- others ------------------------------------------------------------------------------- */

bool loki_limit(struct http_req *r, struct str name, uint32_t fallback, uint32_t *ret)
{
    struct str s;
    int64_t v;
    *ret = fallback;
    if (!http_param(r, name, &s) || !s.n)
        return true;
    if (!str_to_i64(s, &v)) {
        loki_bad(r, "strconv.Atoi: parsing \"" STR_FMT "\": invalid syntax", STR_ARG(str_sub(s, 0, 100)));
        return false;
    }
    if (v <= 0) {
        loki_bad(r, "limit must be a positive value");
        return false;
    }
    *ret = (uint32_t)MIN(v, UINT32_MAX - 1);
    return true;
}

bool loki_direction(struct http_req *r, bool *ret_forward)
{
    struct str s;
    *ret_forward = false;
    if (!http_param(r, S("direction"), &s) || !s.n)
        return true;
    *ret_forward = str_eq_nocase(s, S("forward"));
    if (*ret_forward || str_eq_nocase(s, S("backward")))
        return true;
    loki_bad(r, "invalid direction '" STR_FMT "'", STR_ARG(str_sub(s, 0, 100)));
    return false;
}

bool loki_query(struct http_req *r, struct str name, struct arena *mem, struct logql **ret)
{
    struct str text = S("");
    struct fault f = { 0 };
    http_param(r, name, &text);
    enum err e = logql_parse(text, mem, ret, &f);
    if (!e)
        return true;
    loki_fail(r, NULL, e, &f);
    return false;
}

bool loki_selector(struct http_req *r, struct str text, struct arena *mem, struct logql **ret)
{
    struct fault f = { 0 };
    *ret = NULL;
    text = str_trim(text);
    if (!text.n || str_eq(text, S("{}")))
        return true;
    enum err e = logql_parse_selector(text, mem, ret, &f);
    if (!e)
        return true;
    loki_fail(r, NULL, e, &f);
    return false;
}

bool loki_context(struct http_req *r, struct arena *mem, struct query_ctx *ret)
{
    *ret = asked_context(r, mem, asked_longest(r->arg));
    if (!ret->queued_ns || ret->begin_mono_ns <= ret->deadline_mono_ns)
        return true;
    reply_error(r, 504, S(TIMED_OUT));
    return false;
}

void loki_refuse(struct http_req *r, int status, struct str why)
{
    bool full = status == 503;
    reply_error(r, full ? 429 : status, full ? S("too many outstanding requests") : why);
}

struct logql_options loki_options(const struct http_req *r)
{
    const struct api *a = r->arg;
    return (struct logql_options){ .no_detected_level = a->loki_plain };
}
