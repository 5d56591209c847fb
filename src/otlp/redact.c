/* otlp/redact.c -- redacting a body: what both forms share.
 *
 * A body is walked once along the tables of redact_fields.c. Stretches without a change are
 * copied as they are; a body without a change is not copied at all. What the rules say of a
 * name is remembered for the request, and so is the hash of a short value: records repeat
 * their names and their identity.
 */
#include "otlp/redact.h"

#include <stdarg.h>

#include "base/hash.h"
#include "otlp/limits.h"
#include "otlp/redact_int.h"

enum { NUMBER_BYTES = 40 };

void redact_fail(struct redact *r, enum err e, size_t at, const char *fmt, ...)
{
    CHECK(e != OK);
    if (r->err)
        return;
    va_list ap;
    va_start(ap, fmt);
    r->err = fault_setv(r->fault, e, at, fmt, ap);
    va_end(ap);
}

bool redact_ok(struct redact *r)
{
    if (!r->err && arena_over(&r->mem))
        redact_fail(r, E_LIMIT, 0, "redacting the request needs more than %d bytes of memory", OTLP_MEMORY_MAX);
    return !r->err;
}

/* ---- names and values -------------------------------------------------------------------- */

const struct redact_name *redact_name(struct redact *r, enum place place, struct str name)
{
    struct redact_name *n = &r->names[hash64(name, (uint64_t)place) % REDACT_MEMO];
    if (n->used && n->place == place && str_eq(n->name, name))
        return n;
    struct str kept = privacy_name(r->p, place, name, &r->mem);
    *n = (struct redact_name){ place, name, kept, privacy_rules(r->p, place, name), true };
    return n;
}

struct str redact_value(struct redact *r, uint64_t rules, struct str value, bool is_text)
{
    if (!rules || !value.n)
        return value;
    if (!privacy_replaces(r->p, rules) || value.n > REDACT_MEMO_VALUE_MAX)
        return privacy_keep(r->p, rules, value, is_text, &r->mem);
    struct redact_value *v = &r->values[hash64(value, rules) % REDACT_MEMO];
    if (v->rules == rules && v->is_text == is_text && str_eq(v->value, value))
        return v->kept.p == v->value.p ? value : v->kept;
    *v = (struct redact_value){ value, privacy_keep(r->p, rules, value, is_text, &r->mem), rules, is_text };
    return v->kept;
}

struct str redact_int_text(struct redact *r, int64_t i)
{
    return arena_fmt(&r->mem, "%lld", (long long)i);
}

struct str redact_double_text(struct redact *r, double d)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, NUMBER_BYTES);
    buf_f64(&text, d);
    return arena_str(&r->mem, buf_view(&text));
}

/* ---- a body -------------------------------------------------------------------------------- */

enum err otlp_redact(const struct privacy *p, enum frame_kind kind, struct str body, struct buf *out, struct str *ret,
                     struct fault *f)
{
    if (!p) {
        *ret = body;
        return OK;
    }
    CHECK(out->n == 0 && out->max);
    enum otlp_signal s = OTLP_METRICS;
    while (s < OTLP_SIGNALS && otlp_signals[s].protobuf != kind && otlp_signals[s].json != kind)
        s++;
    CHECK(s < OTLP_SIGNALS);

    struct fault unused;
    struct redact r = { .p = p, .body = body.n ? body : S(""), .out = out, .fault = f ? f : &unused };
    arena_init(&r.mem, OTLP_MEMORY_MAX);
    r.names = arena_new(&r.mem, struct redact_name, REDACT_MEMO);
    r.values = arena_new(&r.mem, struct redact_value, REDACT_MEMO);
    bool changed = (kind == otlp_signals[s].protobuf ? redact_pb : redact_json)(&r, redact_requests[s]);
    if (out->bad)
        redact_fail(&r, E_LIMIT, 0, "the request has more than %zu bytes when it is redacted", out->max);
    (void)redact_ok(&r);
    arena_done(&r.mem);
    if (!r.err)
        *ret = changed ? buf_view(out) : body;
    return r.err;
}
