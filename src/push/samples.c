/* push/samples.c -- a series: its labels are checked and become a group, its samples rows.
 *
 * What Prometheus takes is taken: names and values of any UTF-8, in any order. Without
 * a metric's name, with an empty or a double label name, or with bytes that are no
 * UTF-8 a series is left out. Empty values are no labels.
 */
#include "push/samples.h"

#include "push/fields.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "push/redact.h"

enum { TEXT_MAX = 4096 };                          /* of a series in an answer, before it is cut */

void samples_init(struct samples *s, struct batch *b, struct push_result *result, int64_t oldest_ns, struct fault *f)
{
    *s = (struct samples){
        .batch = b,
        .mem = b->mem,
        .result = result,
        .oldest_ns = oldest_ns,
        .newest_ns = b->recv_ns + PUSH_AHEAD_MINUTES * 60 * NS_PER_S,
        .v2 = result->v2,
        .fault = f,
    };
}

void samples_done(struct samples *s)
{
    map_done(&s->metas);
}

bool samples_ok(const struct samples *s)
{
    return !s->err;
}

void samples_fail(struct samples *s, enum err e, size_t at, const char *fmt, ...)
{
    va_list ap;
    if (s->err)
        return;
    va_start(ap, fmt);
    s->err = fault_setv(s->fault, e, at, fmt, ap);
    va_end(ap);
}

void samples_malformed(struct samples *s, const struct wire *w, struct str body)
{
    size_t at = w->bad ? (size_t)(w->at - (const uint8_t *)body.p) : 0;
    if (w->bad)
        samples_fail(s, E_SYNTAX, at, "malformed protobuf at byte %zu of %zu", at, body.n);
}

/* ---- what a series is told by ------------------------------------------------------------ */

/* As Go quotes, as far as labels need it. */
static void put_quoted(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_step(s, i);
        unsigned char c = (unsigned char)s.p[i];
        if (n > 1)
            buf_put(b, s.p + i, n);
        else if (c == '"' || c == '\\')
            buf_fmt(b, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
            buf_fmt(b, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (!n || c < ' ' || c == 0x7f)
            buf_fmt(b, "\\x%02x", c);
        else
            buf_byte(b, (char)c);
        i += MAX(n, (size_t)1);
    }
    buf_byte(b, '"');
}

void labels_write(struct buf *b, const struct label *labels, uint32_t n)
{
    buf_byte(b, '{');
    for (uint32_t i = 0; i < n; i++) {
        buf_str(b, i ? S(", ") : S(""));
        if (label_name_is_plain(labels[i].name))
            buf_str(b, labels[i].name);
        else
            put_quoted(b, labels[i].name);
        buf_byte(b, '=');
        put_quoted(b, labels[i].value);
    }
    buf_byte(b, '}');
}

struct str series_text(const struct label *labels, uint32_t n, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, TEXT_MAX);
    labels_write(&b, labels, n);
    return arena_str(mem, buf_view(&b));
}

static int by_name(const struct label *a, const struct label *b)
{
    return str_cmp(a->name, b->name);
}

/* Insertion: they nearly always come sorted. Equal names keep their order. */
void labels_sort(struct label *l, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        struct label x = l[i];
        uint32_t at = i;
        for (; at && by_name(&x, &l[at - 1]) < 0; at--)
            l[at] = l[at - 1];
        l[at] = x;
    }
}

struct str row_series_text(const struct batch *b, const struct row *r, struct arena *mem)
{
    CHECK(r->group < b->ngroups);
    struct arena scratch = *mem;
    struct cells g = batch_labels(b, r->group, &scratch);
    struct label *l = arena_new(&scratch, struct label, g.n + 1);
    for (uint32_t i = 0; i < g.n; i++)
        l[i] = (struct label){ b->cols[g.at[i].col].name, g.at[i].v.s };
    labels_sort(l, g.n);
    char text[TEXT_MAX];
    struct str s = series_text(l, g.n, &scratch);
    memcpy(text, s.p, s.n);
    return arena_str(mem, (struct str){ text, s.n });
}

/* ---- one series --------------------------------------------------------------------------- */

void series_begin(struct samples *s)
{
    s->nlabels = s->nsamples = s->nhistograms = 0;
    s->raw = (struct str){ 0 };
    s->known.shape = 0;
}

void series_label(struct samples *s, struct str name, struct str value)
{
    if (s->nlabels == PUSH_LABELS_MAX) {
        samples_fail(s, E_LIMIT, 0, "a series has more than %d labels", PUSH_LABELS_MAX);
        return;
    }
    *arena_push(s->mem, s->labels, s->nlabels, s->cap_labels) = (struct label){ name, value };
}

void series_sample(struct samples *s, struct sample x)
{
    *arena_push(s->mem, s->samples, s->nsamples, s->cap_samples) = x;
}

void series_walk_sample(struct samples *s, struct wire *m)
{
    struct sample x = { 0 };
    while (wire_next(m))
        switch (m->field) {
        case F_SAMPLE_VALUE:
            x.v = wire_double(m);
            break;
        case F_SAMPLE_TIME:
            x.t_ms = (int64_t)wire_varint(m);
            break;
        case F_SAMPLE_START:
            x.start_ms = (int64_t)wire_varint(m);
            break;
        default:
            wire_skip(m);
        }
    series_sample(s, x);
}

void series_histogram(struct samples *s, struct str message)
{
    *arena_push(s->mem, s->histograms, s->nhistograms, s->cap_histograms) = message;
}

/* Label i against the one at its place in the series before, which was valid: mostly the
 * name is the same, and often the value. *sorted: names ascend as far as it. */
static bool check_label(struct samples *s, uint32_t i, bool *sorted)
{
    const struct label *l = &s->labels[i];
    bool noted = i < MEMO_MAX, same = noted && s->memo[i].name.n && str_eq(s->memo[i].name, l->name);
    if (!same) {
        bool after = i && str_cmp(l[-1].name, l->name) < 0;
        *sorted = *sorted && (!i || after);
        if (!l->name.n || !utf8_valid(l->name) || !utf8_valid(l->value))
            return false;
        if (noted) {
            s->memo[i].name = l->name;
            s->memo[i].value = l->value;
            s->memo[i].col = 0;
            s->memo[i].after = after;
            if (i + 1 < MEMO_MAX)
                s->memo[i + 1].name = S("");       /* it was compared with another one */
        }
        return true;
    }
    *sorted = *sorted && (!i || s->memo[i].after);
    if (str_eq(s->memo[i].value, l->value))
        return true;
    s->memo[i].value = l->value;
    if (utf8_valid(l->value))
        return true;
    s->memo[i].name = S("");
    return false;
}

/* Sorts, and says whether all is well. *ret_double: a name that is there twice, if it is only that. */
static bool check_labels(struct samples *s, struct str *ret_double)
{
    bool named = false, sorted = true, valid = true;
    struct label *l = s->labels;
    for (uint32_t i = 0; i < s->nlabels; i++) {
        valid = check_label(s, i, &sorted) && valid;
        if (!named && str_eq(l[i].name, S("__name__"))) {
            named = true;
            valid = valid && l[i].value.n;
        }
    }
    if (!sorted)
        labels_sort(l, s->nlabels);
    if (!named || !valid)
        return false;
    for (uint32_t i = 1; i < s->nlabels && !sorted; i++)
        if (str_eq(l[i - 1].name, l[i].name)) {
            *ret_double = l[i].name;
            return false;
        }
    return true;
}

/* Version 1 says nothing of it to the sender: neither does Prometheus. */
static void refuse_series(struct samples *s, struct str why)
{
    if (!s->result->invalid++ && !s->redact)       /* it goes to the log */
        s->result->invalid_why = arena_str(s->mem, why);
    if (s->v2)
        report_str(&s->result->report, s->mem, why);
}

static bool labels_are_fine(struct samples *s)
{
    struct str twice = { 0 };
    if (check_labels(s, &twice))
        return true;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 2 * TEXT_MAX);
    struct arena scratch = *s->mem;
    struct str all = series_text(s->labels, s->nlabels, &scratch);
    if (twice.n)
        buf_fmt(&text, "invalid labels for series, labels " STR_FMT ", duplicated label " STR_FMT, STR_ARG(all), STR_ARG(twice));
    else
        buf_fmt(&text, "invalid metric name or labels, got " STR_FMT, STR_ARG(all));
    refuse_series(s, buf_view(&text));
    return false;
}

static void report_sample(struct samples *s, const char *why)
{
    struct str series = s->v2 ? series_text(s->labels, s->nlabels, s->mem) : S("");
    report_add(&s->result->report, s->mem, "%s%s" STR_FMT, why, s->v2 ? " for series " : "", STR_ARG(series));
}

/* A time that is taken; else it is reported. */
static bool sample_time(struct samples *s, int64_t t_ms, int64_t *ret_ns)
{
    int64_t ns;
    if (__builtin_mul_overflow(t_ms, NS_PER_MS, &ns))
        ns = t_ms < 0 ? INT64_MIN : INT64_MAX;
    if (ns > s->newest_ns)
        report_sample(s, "out of bounds: timestamp is too far in the future");
    else if (ns < s->oldest_ns || ns == INT64_MIN)
        report_sample(s, "out of bounds");
    else {
        *ret_ns = ns;
        return true;
    }
    return false;
}

/* The column of the label at this place, and its name's seed. */
static uint32_t column_of(struct samples *s, uint32_t place, struct str name, uint64_t *ret_seed)
{
    bool noted = place < MEMO_MAX && str_eq(s->memo[place].name, name);   /* it is another one after sorting */
    if (noted && s->memo[place].col) {
        *ret_seed = s->memo[place].seed;
        return s->memo[place].col - 1;
    }
    uint32_t col = batch_col(s->batch, PLACE_LABEL, name);
    *ret_seed = label_seed(name);
    if (noted) {
        s->memo[place].col = col + 1;
        s->memo[place].seed = *ret_seed;
    }
    if (s->batch->ncols > PUSH_COLUMNS_MAX)
        samples_fail(s, E_LIMIT, 0, "more than %d different label names", PUSH_COLUMNS_MAX);
    return col;
}

static uint32_t group_of_cells(struct samples *s)
{
    uint32_t group = batch_group(s->batch);
    uint64_t seed;
    struct cells *g = &s->batch->groups[group];
    g->at = arena_new(s->mem, struct cell, s->nlabels);
    g->cap = s->nlabels;
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (s->labels[i].value.n)
            g->at[g->n++] = (struct cell){ .col = column_of(s, i, s->labels[i].name, &seed), .v = value_str(s->labels[i].value) };
    return group;
}

/* Labels that stand together are left as they came. Their names become columns all the
 * same, now: their number has a limit, which must not hang on what was seen before. */
static uint32_t group_of_labels(struct samples *s)
{
    struct id128 id = { 0 };
    uint64_t seed, shape = s->seen ? seen_key(s->seen, S(""), 0).lo : 0;
    if (s->known.shape)
        return batch_series(s->batch, s->known.id, s->raw, NULL);
    if (!s->raw.p)
        return group_of_cells(s);
    for (uint32_t i = 0; i < s->nlabels; i++) {
        const struct label *l = &s->labels[i];
        if (!l->value.n)
            continue;
        (void)column_of(s, i, l->name, &seed);
        id128_add(&id, label_id128(seed, l->value));
        shape = s->seen ? hash64(l->name, shape) : 0;
    }
    if (s->seen && samples_ok(s)) {
        struct seen_series x = { .id = id, .shape = shape | 1 };
        seen_put(s->seen, seen_key(s->seen, s->raw, FRAME_REMOTE_WRITE_1), &x);
        s->shapes[x.shape / 2 % SHAPES] = x.shape;
    }
    return batch_series(s->batch, id, s->raw, NULL);
}

bool series_is_known(struct samples *s, struct str raw)
{
    struct seen_series x;
    if (!s->seen || s->redact || s->v2 || !raw.n || !seen_find(s->seen, seen_key(s->seen, raw, FRAME_REMOTE_WRITE_1), &x) ||
        s->shapes[x.shape / 2 % SHAPES] != x.shape)
        return false;
    s->raw = raw;
    s->known = x;
    return true;
}

static struct row *row_of(struct samples *s, uint32_t group, int64_t time_ns, int64_t start_ms)
{
    struct row *r = batch_row(s->batch);
    r->group = group;
    r->time_ns = time_ns;
    if (start_ms <= 0 || __builtin_mul_overflow(start_ms, NS_PER_MS, &r->start_ns))
        r->start_ns = 0;
    r->temporality = TEMPORALITY_NONE;
    r->origin = ORIGIN_REMOTE;
    return r;
}

static void put_histogram(struct samples *s, uint32_t group, struct str message, int64_t start_ms)
{
    struct histogram h;
    struct fault why = { 0 };
    int64_t t_ms = 0, time_ns;
    if (!write_histogram(s, message, &h, &t_ms, &why)) {
        if (samples_ok(s))
            report_sample(s, why.msg);
        return;
    }
    if (!sample_time(s, t_ms, &time_ns))
        return;
    struct row *r = row_of(s, group, time_ns, start_ms);
    if (histogram_is_stale(&h)) {
        r->value = h.sum;
    } else if (histogram_put(s->batch, r, &h, &why)) {
        s->batch->nrows--;
        report_sample(s, why.msg);
        return;
    }
    s->result->histograms++;
}

static bool has_room(struct samples *s)
{
    if ((uint64_t)s->batch->nrows + s->nsamples + s->nhistograms > PUSH_ROWS_MAX)
        samples_fail(s, E_LIMIT, 0, "more than %d samples in one request", PUSH_ROWS_MAX);
    else if (arena_over(s->mem))
        samples_fail(s, E_LIMIT, 0, "the samples take more than %d MB of memory", PUSH_MEMORY_MAX >> 20);
    return samples_ok(s);
}

/* Version 2 says that a series has samples or histograms, and not both. */
static bool has_one_kind(struct samples *s)
{
    if (!s->v2 || !s->nsamples != !s->nhistograms)
        return true;
    struct str all = series_text(s->labels, s->nlabels, s->mem);
    if (s->nsamples)
        report_add(&s->result->report, s->mem, "series must contain either samples or histograms for series " STR_FMT " not both",
                   STR_ARG(all));
    else
        report_add(&s->result->report, s->mem, "series must contain at least one sample or histogram for series " STR_FMT, STR_ARG(all));
    return false;
}

void series_end(struct samples *s, int64_t start_ms)
{
    int64_t time_ns;
    if (!samples_ok(s) || (!s->known.shape && !labels_are_fine(s)) || !has_room(s) || !has_one_kind(s) || !(s->nsamples + s->nhistograms))
        return;
    if (s->redact) {
        redact_series(s, start_ms);
        return;
    }
    uint32_t group = group_of_labels(s);
    for (uint32_t i = 0; i < s->nsamples; i++) {
        const struct sample *x = &s->samples[i];
        if (!sample_time(s, x->t_ms, &time_ns))
            continue;
        row_of(s, group, time_ns, x->start_ms ? x->start_ms : start_ms)->value = x->v;
        s->result->samples++;
    }
    for (uint32_t i = 0; i < s->nhistograms && samples_ok(s); i++)
        put_histogram(s, group, s->histograms[i], start_ms);
}

void series_refuse(struct samples *s, struct str why)
{
    refuse_series(s, why);
}

void samples_meta(struct samples *s, struct str name, uint64_t type, struct str help, struct str unit)
{
    static const enum metric_type types[] = {
        METRIC_UNKNOWN, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_HISTOGRAM, METRIC_SUMMARY,
    };
    bool fresh;
    if (!name.n || !utf8_valid(name) || !utf8_valid(help) || !utf8_valid(unit) || s->batch->nmetas == PUSH_COLUMNS_MAX)
        return;
    if (!type && !help.n && !unit.n)
        return;
    (void)map_intern(&s->metas, name, 0, &fresh);
    if (!fresh)
        return;
    if (s->redact) {
        redact_meta(s, name, type, help, unit);
        return;
    }
    *arena_push(s->mem, s->batch->metas, s->batch->nmetas, s->batch->cap_metas) = (struct metric_meta){
        .name = name, .type = type < LEN(types) ? types[type] : METRIC_UNKNOWN, .unit = unit, .help = help,
    };
}
