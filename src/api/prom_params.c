/* api/prom_params.c -- reading parameters. */
#include "api/prom_params.h"

#include <math.h>

#include "api/asked.h"
#include "api/prom_envelope.h"
#include "base/num.h"

/* Times that still fit when counted in ns, with room for every window around them. */
#define TIME_MS_MAX INT64_C(9000000000000)

static const int64_t lookback_default_ns = 5 * 60 * NS_PER_S;

static bool read_time(struct str text, int64_t *ret_ms)
{
    double s;
    int64_t ns;
    if (str_to_f64(text, &s)) {
        if (!isfinite(s))
            return false;
        double ms = fmin(fmax(round(s * 1000), -(double)TIME_MS_MAX), (double)TIME_MS_MAX);
        *ret_ms = (int64_t)ms;
        return true;
    }
    if (!num_rfc3339(text, &ns))
        return false;
    *ret_ms = ns / NS_PER_MS - (ns % NS_PER_MS < 0);
    return true;
}

bool param_time(struct http_req *r, struct str name, int64_t *ret_ms)
{
    struct str text;
    if (!http_param(r, name, &text) || !text.n)
        return true;
    if (read_time(text, ret_ms))
        return true;
    prom_bad_data(r, "invalid parameter \"" STR_FMT "\": invalid time value for '" STR_FMT
                     "': cannot parse \"" STR_FMT "\" to a valid timestamp",
                  STR_ARG(name), STR_ARG(name), STR_ARG(str_sub(text, 0, 100)));
    return false;
}

bool read_duration(struct str text, int64_t *ret_ms)
{
    double s;
    int64_t ns;
    if (str_to_f64(text, &s)) {
        if (!(fabs(s) < 9e9))
            return false;
        *ret_ms = (int64_t)(s * 1000 + (s < 0 ? -1e-6 : 1e-6));
        return true;
    }
    if (!num_duration(text, &ns))
        return false;
    *ret_ms = ns / NS_PER_MS;
    return true;
}

bool param_duration(struct http_req *r, struct str name, int64_t *ret_ms)
{
    struct str text;
    if (!http_param(r, name, &text) || !text.n)
        return true;
    if (read_duration(text, ret_ms))
        return true;
    if (str_eq(name, S("lookback_delta")))
        prom_bad_data(r, "error parsing lookback delta duration: cannot parse \"" STR_FMT "\" to a valid duration",
                      STR_ARG(str_sub(text, 0, 100)));
    else
        prom_bad_data(r, "invalid parameter \"" STR_FMT "\": cannot parse \"" STR_FMT "\" to a valid duration",
                      STR_ARG(name), STR_ARG(str_sub(text, 0, 100)));
    return false;
}

bool param_limit(struct http_req *r, struct str name, uint64_t *ret)
{
    struct str text;
    int64_t v;
    *ret = 0;
    if (!http_param(r, name, &text) || !text.n)
        return true;
    if (!str_to_i64(text, &v)) {
        prom_bad_data(r, "invalid parameter \"" STR_FMT "\": strconv.Atoi: parsing \"" STR_FMT "\": invalid syntax",
                      STR_ARG(name), STR_ARG(str_sub(text, 0, 100)));
        return false;
    }
    if (v < 0) {
        prom_bad_data(r, "invalid parameter \"" STR_FMT "\": " STR_FMT " must be non-negative", STR_ARG(name),
                      STR_ARG(name));
        return false;
    }
    *ret = (uint64_t)v;
    return true;
}

bool param_context(struct http_req *r, struct arena *mem, struct query_ctx *ret)
{
    const struct api *a = r->arg;
    int64_t usual = (a->lookback_ns ? a->lookback_ns : lookback_default_ns) / NS_PER_MS, lookback = usual;
    int64_t longest = asked_longest(a), timeout = longest / NS_PER_MS;
    if (!param_duration(r, S("timeout"), &timeout) || !param_duration(r, S("lookback_delta"), &lookback))
        return false;
    if (lookback <= 0)
        lookback = usual;
    *ret = asked_context(r, mem, MIN(timeout * NS_PER_MS, longest));
    ret->src = a->settled ? a->settled : a->src;
    ret->extrapolate_always = a->extrapolate_always;
    ret->lookback_ns = lookback * NS_PER_MS;
    if (!ret->queued_ns || ret->begin_mono_ns <= ret->deadline_mono_ns)
        return true;
    prom_fail(r, E_CANCELLED, S("query timed out in query queue"));
    return false;
}

void selectors_done(struct selectors *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        promql_done(&s->at[i]);
}

bool param_selectors(struct http_req *r, struct arena *mem, bool named, struct selectors *ret)
{
    const struct str *texts;
    uint32_t n = http_params(r, S("match[]"), &texts);
    ret->n = 0;
    if (n > SELECTORS_MAX) {
        prom_bad_data(r, "more than the limit of %d match[] parameters", SELECTORS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct fault f = { 0 };
        enum err e = promql_parse_selector(mem, texts[i], &ret->at[ret->n++], &f);
        if (e) {
            prom_bad_data(r, "%s%s", named ? "invalid parameter \"match[]\": " : "", f.msg);
            return false;
        }
        const struct selector *s = &ret->at[i].root->sel;
        bool selective = false;
        for (uint32_t k = 0; k < s->nmatchers; k++)
            selective |= !matcher_test(&s->matchers[k], S(""));
        if (!selective) {
            prom_bad_data(r, "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher");
            return false;
        }
    }
    return true;
}

bool param_search_range(struct http_req *r, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    int64_t start = -TIME_MS_MAX, end = TIME_MS_MAX;
    if (!param_time(r, S("start"), &start) || !param_time(r, S("end"), &end))
        return false;
    *ret_from_ns = start * NS_PER_MS;
    *ret_to_ns = (end + 1) * NS_PER_MS;
    return true;
}
