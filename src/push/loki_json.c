/* push/loki_json.c -- the walk over pushed JSON, today's form and the one before it:
 *
 *     {"streams": [{"stream": {"a": "b"}, "values": [["1570818238000000000", "line", {"trace_id": "1"}]]}]}
 *     {"streams": [{"labels": "{a=\"b\"}", "entries": [{"ts": "2018-12-18T08:28:06.801064-04:00", "line": "x"}]}]}
 *
 * Labels are needed before entries but may stand behind them: such entries are passed
 * over and come back to.
 */
#include "base/json.h"
#include "base/num.h"
#include "push/entries.h"

#define WHERE       "loghttp.PushRequest.Streams: []loghttp.LogProtoStream: unmarshalerDecoder: "
#define NO_STRING   "Value is string, but can't find closing '\"' symbol"
#define NO_OBJECT   "Value looks like object, but can't find closing '}' symbol"
#define NO_ARRAY    "Value is array, but can't find closing ']' symbol"
#define NO_NUMBER   "Value looks like Number/Boolean/None, but can't find its end: ',' or '}' symbol"

struct walk {
    struct entries *s;
    struct json j;
    struct json values, entries;                   /* where they stand, if they came before the labels */
    bool has_labels, has_values, has_entries;
};

static void wrong(struct walk *w, const char *why)
{
    if (w->j.tok == J_ERR)
        entries_fail(w->s, E_SYNTAX, w->j.fault.at, "%s", w->j.fault.msg);
    else
        entries_fail(w->s, E_SYNTAX, (size_t)(w->j.p - w->j.start), WHERE "%s, error found in #%zu byte", why,
                     (size_t)(w->j.p - w->j.start));
}

static enum json_tok next(struct walk *w)
{
    enum json_tok t = json_next(&w->j);
    if (t == J_ERR)
        wrong(w, "");
    return t;
}

static bool ok(const struct walk *w)
{
    return entries_ok(w->s);
}

static bool want(struct walk *w, enum json_tok tok, const char *why)
{
    if (w->j.tok != tok && ok(w))
        wrong(w, why);
    return ok(w);
}

/* ---- entries ------------------------------------------------------------------------------ */

static void read_meta(struct walk *w)
{
    while (ok(w) && next(w) == J_KEY) {
        struct str name = w->j.s;
        (void)next(w);
        if (want(w, J_STR, NO_STRING))
            line_meta(w->s, name, w->j.s);
    }
}

/* [time, line, metadata]; what stands behind them is passed over. */
static void read_value(struct walk *w)
{
    int64_t time_ns = NO_ENTRY_TIME;
    struct str line = S("");
    line_begin(w->s);
    for (unsigned i = 0; ok(w) && next(w) != J_ARR_END && ok(w); i++) {
        if (i == 0 && want(w, J_STR, NO_STRING)) {
            if (!str_to_i64(w->j.s, &time_ns))
                wrong(w, NO_NUMBER);
        } else if (i == 1 && want(w, J_STR, NO_STRING)) {
            line = w->j.s;
        } else if (i == 2 && want(w, J_OBJ, NO_OBJECT)) {
            read_meta(w);
        } else if (i > 2) {
            json_skip(&w->j);
        }
    }
    if (ok(w))
        line_end(w->s, time_ns, line);
}

/* The array whose first token is the newest one. */
static void read_values(struct walk *w)
{
    if (w->j.tok == J_NULL || !want(w, J_ARR, NO_ARRAY))
        return;
    while (ok(w) && next(w) != J_ARR_END && ok(w))
        if (w->j.tok != J_NULL && want(w, J_ARR, NO_ARRAY))
            read_value(w);
}

static void read_old_entry(struct walk *w)
{
    int64_t time_ns = NO_ENTRY_TIME;
    struct str line = S("");
    line_begin(w->s);
    while (ok(w) && next(w) == J_KEY) {
        struct str key = w->j.s;
        (void)next(w);
        if (str_eq(key, S("ts")) || str_eq(key, S("timestamp"))) {
            if (want(w, J_STR, NO_STRING) && !num_rfc3339(w->j.s, &time_ns))
                entries_fail(w->s, E_SYNTAX, (size_t)(w->j.p - w->j.start), "parsing time \"" STR_FMT "\" as RFC 3339: no such time",
                             STR_ARG(str_sub(w->j.s, 0, 60)));
        } else if (str_eq(key, S("line"))) {
            if (want(w, J_STR, NO_STRING))
                line = w->j.s;
        } else {
            json_skip(&w->j);
        }
    }
    if (ok(w))
        line_end(w->s, time_ns, line);
}

static void read_old_entries(struct walk *w)
{
    if (w->j.tok == J_NULL || !want(w, J_ARR, NO_ARRAY))
        return;
    while (ok(w) && next(w) != J_ARR_END && ok(w))
        if (want(w, J_OBJ, NO_OBJECT))
            read_old_entry(w);
}

/* ---- streams ------------------------------------------------------------------------------ */

static void read_labels(struct walk *w)
{
    if (!want(w, J_OBJ, NO_OBJECT))
        return;
    while (ok(w) && next(w) == J_KEY) {
        struct str name = w->j.s;
        (void)next(w);
        if (want(w, J_STR, NO_STRING))
            stream_label(w->s, name, w->j.s);
    }
    stream_ready(w->s);
    w->has_labels = true;
}

static void read_labels_text(struct walk *w)
{
    if (!want(w, J_STR, NO_STRING))
        return;
    stream_labels(w->s, w->j.s);
    stream_ready(w->s);
    w->has_labels = true;
}

/* Entries now, or where they stand for later. */
static void entries_or_later(struct walk *w, void (*read)(struct walk *w), struct json *later, bool *has)
{
    if (w->has_labels) {
        read(w);
        return;
    }
    *later = w->j;
    *has = true;
    json_skip(&w->j);
}

static void come_back(struct walk *w, void (*read)(struct walk *w), const struct json *later, bool has)
{
    if (!has || !ok(w))
        return;
    struct json here = w->j;
    w->j = *later;
    read(w);
    w->j = here;
}

static void read_stream(struct walk *w)
{
    stream_begin(w->s);
    w->has_labels = w->has_values = w->has_entries = false;
    while (ok(w) && next(w) == J_KEY) {
        struct str key = w->j.s;
        (void)next(w);
        if (!ok(w))
            return;
        if (str_eq(key, S("stream")))
            read_labels(w);
        else if (str_eq(key, S("labels")))
            read_labels_text(w);
        else if (str_eq(key, S("values")))
            entries_or_later(w, read_values, &w->values, &w->has_values);
        else if (str_eq(key, S("entries")))
            entries_or_later(w, read_old_entries, &w->entries, &w->has_entries);
        else
            json_skip(&w->j);
    }
    come_back(w, read_values, &w->values, w->has_values);
    come_back(w, read_old_entries, &w->entries, w->has_entries);
}

static void read_streams(struct walk *w)
{
    if (w->j.tok == J_NULL || !want(w, J_ARR, NO_ARRAY))
        return;
    while (ok(w) && next(w) != J_ARR_END && ok(w))
        if (want(w, J_OBJ, NO_OBJECT))
            read_stream(w);
}

void loki_walk_json(struct entries *s, struct str body)
{
    struct walk w = { .s = s };
    json_init(&w.j, body, s->mem);
    (void)next(&w);
    if (!want(&w, J_OBJ, NO_OBJECT))
        return;
    while (ok(&w) && next(&w) == J_KEY) {
        bool streams = str_eq(w.j.s, S("streams"));
        (void)next(&w);
        if (streams)
            read_streams(&w);
        else if (ok(&w))
            json_skip(&w.j);
    }
}
