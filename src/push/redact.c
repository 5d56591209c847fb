/* push/redact.c -- writes what is kept of a request.
 *
 * Dropping a label can make two series one. Their samples of one moment are then two
 * values for one, of which the first counts: hash a label instead where that matters.
 */
#include "push/redact.h"


#include "base/clock.h"
#include "base/wire.h"
#include "push/fields.h"

enum { OUT_MAX = 2 * PUSH_BODY_MAX };              /* hashes may be longer than what they stand for */

void redact_init(struct redact *r, const struct privacy *rules)
{
    *r = (struct redact){ .rules = rules };
    buf_init(&r->out, OUT_MAX);
    buf_init(&r->item, OUT_MAX);
    buf_init(&r->part, OUT_MAX);
    buf_init(&r->text, OUT_MAX);
}

void redact_done(struct redact *r)
{
    buf_done(&r->out);
    buf_done(&r->item);
    buf_done(&r->part);
    buf_done(&r->text);
}

/* Appends `part` to `to` as a field, and empties it. */
static void put_part(struct buf *to, uint32_t field, struct buf *part)
{
    wire_put_bytes(to, field, buf_view(part));
    to->bad = to->bad || part->bad;
    buf_clear(part);
}

static void put_pair(struct redact *r, struct buf *to, uint32_t field, struct str name, struct str value)
{
    wire_put_bytes(&r->part, F_LABEL_NAME, name);
    wire_put_bytes(&r->part, F_LABEL_VALUE, value);
    put_part(to, field, &r->part);
}

/* ---- remote write ---------------------------------------------------------------------- */

static void put_sample(struct redact *r, const struct sample *x, int64_t start_ms)
{
    start_ms = x->start_ms ? x->start_ms : start_ms;
    wire_put_double(&r->part, F_SAMPLE_VALUE, x->v);
    wire_put_varint(&r->part, F_SAMPLE_TIME, (uint64_t)x->t_ms);
    if (start_ms)
        wire_put_varint(&r->part, F_SAMPLE_START, (uint64_t)start_ms);
    put_part(&r->item, F_SERIES1_SAMPLE, &r->part);
}

void redact_series(struct samples *s, int64_t start_ms)
{
    struct redact *r = s->redact;
    struct arena scratch = *s->mem;
    for (uint32_t i = 0; i < s->nlabels; i++) {
        const struct label *l = &s->labels[i];
        struct str value;
        if (privacy_text(r->rules, PLACE_LABEL, l->name, l->value, &scratch, &value))
            put_pair(r, &r->item, F_SERIES1_LABEL, privacy_name(r->rules, PLACE_LABEL, l->name, &scratch), value);
    }
    for (uint32_t i = 0; i < s->nsamples; i++)
        put_sample(r, &s->samples[i], start_ms);
    for (uint32_t i = 0; i < s->nhistograms; i++)
        wire_put_bytes(&r->item, F_SERIES1_HISTOGRAM, s->histograms[i]);
    put_part(&r->out, F_WRITE1_SERIES, &r->item);
}

void redact_meta(struct samples *s, struct str name, uint64_t type, struct str help, struct str unit)
{
    struct redact *r = s->redact;
    struct arena scratch = *s->mem;                /* what is written is copied */
    if (!privacy_text(r->rules, PLACE_FIELD, S("description"), help, &scratch, &help))
        help = S("");
    if (!privacy_text(r->rules, PLACE_FIELD, S("unit"), unit, &scratch, &unit))
        unit = S("");
    wire_put_varint(&r->part, F_META1_TYPE, type);
    wire_put_bytes(&r->part, F_META1_NAME, name);
    wire_put_bytes(&r->part, F_META1_HELP, help);
    wire_put_bytes(&r->part, F_META1_UNIT, unit);
    put_part(&r->out, F_WRITE1_META, &r->part);
}

enum err redact_write(struct redact *r, enum frame_kind *kind, struct str body, struct arena *mem, int64_t recv_ns,
                      struct push_result *result, struct str *ret, struct fault *f)
{
    struct batch none;
    struct samples s;
    batch_init(&none, mem, TABLE_SAMPLE, recv_ns);
    samples_init(&s, &none, result, INT64_MIN, f);
    s.redact = r;
    if (*kind == FRAME_REMOTE_WRITE_2)
        write2_walk(&s, body);
    else
        write1_walk(&s, body);
    if (r->out.bad)
        samples_fail(&s, E_LIMIT, 0, "the request takes more than %d MB without what is not kept of it", OUT_MAX >> 20);
    samples_done(&s);
    batch_done(&none);
    *kind = FRAME_REMOTE_WRITE_1;
    *ret = buf_view(&r->out);
    return s.err;
}

/* ---- Loki ------------------------------------------------------------------------------- */

static void end_stream(struct redact *r)
{
    if (r->open)
        put_part(&r->out, F_PUSH_STREAM, &r->item);
    r->open = false;
}

/* A stream of which no label is kept gets the one that Loki gives to streams without a service. */
void redact_stream(struct entries *s)
{
    struct redact *r = s->redact;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nlabels; i++) {
        struct str value;
        if (privacy_text(r->rules, PLACE_LABEL, s->labels[i].name, s->labels[i].value, s->mem, &value))
            s->labels[n++] = (struct label){ s->labels[i].name, value };
    }
    if (s->nlabels && !n)
        s->labels[n++] = (struct label){ S("service_name"), S("unknown_service") };
    s->nlabels = n;
    end_stream(r);
    labels_write(&r->text, s->labels, n);
    put_part(&r->item, F_STREAM_LABELS, &r->text);
    r->open = true;
}

static void put_time(struct redact *r, int64_t ns)
{
    int64_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0);
    wire_put_varint(&r->part, F_TIME_SECONDS, (uint64_t)seconds);
    wire_put_varint(&r->part, F_TIME_NANOS, (uint64_t)(ns - seconds * NS_PER_S));
    put_part(&r->text, F_ENTRY_TIME, &r->part);
}

void redact_entry(struct entries *s)
{
    struct redact *r = s->redact;
    struct arena scratch = *s->mem;
    const struct entry *x = &s->entry;
    struct str text;
    put_time(r, x->time_ns);
    if (privacy_text(r->rules, PLACE_FIELD, S("body"), x->line, &scratch, &text))
        wire_put_bytes(&r->text, F_ENTRY_LINE, text);
    for (uint32_t i = 0; i < x->nmeta; i++)
        if (privacy_text(r->rules, PLACE_ATTR, x->meta[i].name, x->meta[i].value, &scratch, &text))
            put_pair(r, &r->text, F_ENTRY_META, privacy_name(r->rules, PLACE_ATTR, x->meta[i].name, &scratch), text);
    put_part(&r->item, F_STREAM_ENTRY, &r->text);
}

enum err redact_loki(struct redact *r, enum frame_kind *kind, struct str body, struct arena *mem, int64_t recv_ns,
                     struct push_result *result, struct str *ret, struct fault *f)
{
    struct batch none;
    struct entries s;
    batch_init(&none, mem, TABLE_LOG, recv_ns);
    entries_init(&s, &none, &result->report, INT64_MIN, f);
    s.redact = r;
    if (*kind == FRAME_LOKI_PB)
        loki_walk_protobuf(&s, body);
    else
        loki_walk_json(&s, body);
    end_stream(r);
    if (r->out.bad)
        entries_fail(&s, E_LIMIT, 0, "the request takes more than %d MB without what is not kept of it", OUT_MAX >> 20);
    batch_done(&none);
    *kind = FRAME_LOKI_PB;
    *ret = buf_view(&r->out);
    return s.err;
}
