/* push/entries.c -- a stream's labels become a group, its entries rows of the log table.
 *
 * What is refused, in which order and with which words is what Loki 3 does with its
 * defaults (pkg/distributor: labels of the stream, then each entry). Times are refused
 * by our retention, not by Loki's week; entries older than others of their stream are
 * taken, whatever their age.
 */
#include "push/entries.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "push/redact.h"

void entries_init(struct entries *s, struct batch *b, struct report *report, int64_t oldest_ns, struct fault *f)
{
    *s = (struct entries){
        .batch = b,
        .mem = b->mem,
        .report = report,
        .oldest_ns = oldest_ns,
        .newest_ns = b->recv_ns + PUSH_AHEAD_MINUTES * 60 * NS_PER_S,
        .fault = f,
    };
}

bool entries_ok(const struct entries *s)
{
    return !s->err;
}

void entries_fail(struct entries *s, enum err e, size_t at, const char *fmt, ...)
{
    va_list ap;
    if (s->err)
        return;
    va_start(ap, fmt);
    s->err = fault_setv(s->fault, e, at, fmt, ap);
    va_end(ap);
}

/* ---- the stream -------------------------------------------------------------------------- */

void stream_begin(struct entries *s)
{
    s->nlabels = 0;
    s->group = ROW_NO_GROUP;
    s->checked = s->refused = false;
    s->nstreams++;
}

void stream_labels(struct entries *s, struct str text)
{
    struct fault f = { 0 };
    struct label *l;
    uint32_t n;
    enum err e = labels_parse(text, s->mem, &l, &n, &f);
    if (e) {
        entries_fail(s, e, f.at, "couldn't parse labels: %s", f.msg);
        return;
    }
    s->nlabels = 0;
    for (uint32_t i = 0; i < n; i++)
        *arena_push(s->mem, s->labels, s->nlabels, s->cap_labels) = l[i];
}

void stream_label(struct entries *s, struct str name, struct str value)
{
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (str_eq(s->labels[i].name, name)) {
            s->labels[i].value = value;
            return;
        }
    if (s->nlabels == PUSH_LABELS_MAX)
        entries_fail(s, E_LIMIT, 0, "a stream has more than %d labels", PUSH_LABELS_MAX);
    else
        *arena_push(s->mem, s->labels, s->nlabels, s->cap_labels) = (struct label){ name, value };
}

/* Empty values are no labels; the rest in the order of names. */
static void tidy_labels(struct entries *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (s->labels[i].value.n)
            s->labels[n++] = s->labels[i];
    s->nlabels = n;
    labels_sort(s->labels, n);
}

/* Names that come as JSON keys were checked by nobody: as text they would not parse. */
void stream_ready(struct entries *s)
{
    if (!entries_ok(s))
        return;
    tidy_labels(s);
    for (uint32_t i = 0; i < s->nlabels; i++) {
        struct str name = s->labels[i].name, text;
        if (label_name_is_plain(name))
            continue;
        struct label *l;
        uint32_t n;
        struct fault f = { 0 };
        text = arena_fmt(s->mem, "{" STR_FMT "=\"\"}", STR_ARG(str_sub(name, 0, LOKI_NAME_MAX)));
        if (labels_parse(text, s->mem, &l, &n, &f))
            entries_fail(s, E_SYNTAX, 0, "couldn't parse labels: %s", f.msg);
        else
            entries_fail(s, E_SYNTAX, 0, "couldn't parse labels: a label name of more than its name");
        return;
    }
    if (s->redact)
        redact_stream(s);
}

/* Set by Loki itself, for streams of its own making: no limits for them. */
static bool is_internal(const struct entries *s)
{
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (str_eq(s->labels[i].name, S("__aggregated_metric__")) || str_eq(s->labels[i].name, S("__pattern__")))
            return true;
    return false;
}

static struct str shown(struct entries *s)
{
    return str_sub(series_text(s->labels, s->nlabels, s->mem), 0, PUSH_REFUSAL_TEXT / 2);
}

static void refuse_label(struct entries *s, const char *what, struct str text)
{
    struct str stream = shown(s);
    report_add(s->report, s->mem, "stream '" STR_FMT "' has %s: '" STR_FMT "'", STR_ARG(stream), what, STR_ARG(str_sub(text, 0, 200)));
    s->refused = true;
}

static void check_each_label(struct entries *s)
{
    for (uint32_t i = 0; i < s->nlabels && !s->refused; i++) {
        const struct label *l = &s->labels[i];
        if (l->name.n > LOKI_NAME_MAX)
            refuse_label(s, "label name too long", l->name);
        else if (l->value.n > LOKI_VALUE_MAX)
            refuse_label(s, "label value too long", l->value);
        else if (i && str_eq(l[-1].name, l->name))
            refuse_label(s, "duplicate label name", l->name);
    }
}

/* Once per stream, when it has an entry. */
static bool stream_is_fine(struct entries *s)
{
    if (s->checked)
        return !s->refused;
    s->checked = true;
    if (!s->nlabels) {
        report_add(s->report, s->mem, "error at least one label pair is required per stream");
        s->refused = true;
        return false;
    }
    if (is_internal(s))
        return true;
    uint32_t n = s->nlabels;
    for (uint32_t i = 0; i < s->nlabels; i++)
        if (str_eq(s->labels[i].name, S("service_name")))
            n--;
    if (n > LOKI_LABELS_MAX) {
        struct str stream = shown(s);
        report_add(s->report, s->mem, "entry for stream '" STR_FMT "' has %u label names; limit %d", STR_ARG(stream), n, LOKI_LABELS_MAX);
        s->refused = true;
    }
    if (!s->refused)
        check_each_label(s);
    return !s->refused;
}

/* ---- entries ------------------------------------------------------------------------------ */

void line_begin(struct entries *s)
{
    s->entry.nmeta = 0;
    s->entry.meta_bytes = 0;
}

void line_meta(struct entries *s, struct str name, struct str value)
{
    struct entry *x = &s->entry;
    if (x->nmeta == PUSH_LABELS_MAX) {
        entries_fail(s, E_LIMIT, 0, "the metadata of an entry has more than %d pairs", PUSH_LABELS_MAX);
        return;
    }
    x->meta_bytes += name.n + value.n;
    *arena_push(s->mem, x->meta, x->nmeta, x->cap_meta) = (struct label){ name, value };
}

/* RFC 3339 to the second. */
static struct str time_text(int64_t ns, char out[40])
{
    if (ns == NO_ENTRY_TIME)
        return S("0001-01-01T00:00:00Z");
    int64_t s = ns / NS_PER_S - (ns % NS_PER_S < 0);
    return (struct str){ out, num_fmt_rfc3339(out, s * NS_PER_S) };
}

static void refuse_size(struct entries *s, const char *what, size_t have, int limit, const char *key)
{
    struct str stream = shown(s);
    report_add(s->report, s->mem, "stream '" STR_FMT "' has %s '%zu'%s limit: '%d'%s. Please see `limits_config.%s` or contact your Loki "
               "administrator to increase it.", STR_ARG(stream), what, have, limit == LOKI_META_BYTES_MAX ? " bytes," : ",", limit,
               limit == LOKI_META_BYTES_MAX ? " bytes" : "", key);
}

static bool entry_is_fine(struct entries *s)
{
    const struct entry *x = &s->entry;
    char at[40], oldest[40];
    if (x->time_ns < s->oldest_ns || x->time_ns == NO_ENTRY_TIME) {
        struct str stream = shown(s), a = time_text(x->time_ns, at), o = time_text(s->oldest_ns, oldest);
        report_add(s->report, s->mem,
                   "entry for stream '" STR_FMT "' has timestamp too old: " STR_FMT ", oldest acceptable timestamp is: " STR_FMT,
                   STR_ARG(stream), STR_ARG(a), STR_ARG(o));
    } else if (x->time_ns > s->newest_ns) {
        struct str stream = shown(s), a = time_text(x->time_ns, at);
        report_add(s->report, s->mem, "entry for stream '" STR_FMT "' has timestamp too new: " STR_FMT, STR_ARG(stream), STR_ARG(a));
    } else if (x->line.n > LOKI_LINE_MAX) {
        struct str stream = shown(s);
        report_add(s->report, s->mem,
                   "Max entry size '%d' bytes exceeded for stream '" STR_FMT "' while adding an entry with length '%zu' bytes",
                   LOKI_LINE_MAX, STR_ARG(stream), x->line.n);
    } else if (x->meta_bytes > LOKI_META_BYTES_MAX) {
        refuse_size(s, "structured metadata too large:", x->meta_bytes, LOKI_META_BYTES_MAX, "max_structured_metadata_size");
    } else if (x->nmeta > LOKI_META_PAIRS_MAX) {
        refuse_size(s, "too many structured metadata labels:", x->nmeta, LOKI_META_PAIRS_MAX, "max_structured_metadata_entries_count");
    } else {
        return true;
    }
    return false;
}

static uint32_t stream_group(struct entries *s)
{
    if (s->group != ROW_NO_GROUP)
        return s->group;
    s->group = batch_group(s->batch);
    struct cells *g = &s->batch->groups[s->group];
    for (uint32_t i = 0; i < s->nlabels; i++)
        cells_put(g, s->mem, batch_col(s->batch, PLACE_LABEL, s->labels[i].name), value_str(s->labels[i].value));
    return s->group;
}

static uint32_t meta_column(struct entries *s, uint32_t place, struct str name)
{
    if (place < MEMO_MAX && s->memo[place].name.n && str_eq(s->memo[place].name, name))
        return s->memo[place].col;
    uint32_t col = batch_col(s->batch, PLACE_ATTR, name);
    if (place < MEMO_MAX) {
        s->memo[place].name = name;
        s->memo[place].col = col;
    }
    if (s->batch->ncols > PUSH_COLUMNS_MAX)
        entries_fail(s, E_LIMIT, 0, "more than %d different names of labels and metadata", PUSH_COLUMNS_MAX);
    return col;
}

/* The last pair of a name counts; without a name or a value it is none. */
static void put_meta(struct entries *s, struct row *r)
{
    for (uint32_t i = 0; i < s->entry.nmeta; i++) {
        const struct label *m = &s->entry.meta[i];
        if (!m->name.n || !m->value.n)
            continue;
        uint32_t col = meta_column(s, i, m->name), at = 0;
        while (at < r->cells.n && r->cells.at[at].col != col)
            at++;
        r->cells.at[at] = (struct cell){ .col = col, .v = value_str(m->value) };
        r->cells.n = MAX(r->cells.n, at + 1);
    }
}

static bool has_room(struct entries *s)
{
    if (s->batch->nrows == PUSH_ROWS_MAX)
        entries_fail(s, E_LIMIT, 0, "more than %d entries in one request", PUSH_ROWS_MAX);
    else if (arena_over(s->mem))
        entries_fail(s, E_LIMIT, 0, "the entries take more than %d MB of memory", PUSH_MEMORY_MAX >> 20);
    return entries_ok(s);
}

void line_end(struct entries *s, int64_t time_ns, struct str line)
{
    s->entry.time_ns = time_ns;
    s->entry.line = line;
    if (!entries_ok(s) || !stream_is_fine(s) || !entry_is_fine(s) || !has_room(s))
        return;
    if (s->redact) {
        redact_entry(s);
        return;
    }
    if (!s->body_col)
        s->body_col = batch_col(s->batch, PLACE_FIELD, S("body")) + 1;
    uint32_t group = stream_group(s);
    struct row *r = batch_row(s->batch);
    r->group = group;
    r->time_ns = time_ns;
    r->origin = ORIGIN_LOKI;
    r->cells.cap = s->entry.nmeta + 1;
    r->cells.at = arena_new(s->mem, struct cell, r->cells.cap);
    r->cells.at[r->cells.n++] = (struct cell){ .col = s->body_col - 1, .v = value_str(line) };
    put_meta(s, r);
}
