/* scrape/expo.c -- one line at a time, with a cursor that never leaves its line.
 *
 *     line    := name [ labels ] value [ time ] [ exemplar ]  |  "{" "name" ... "}" value ...
 *              | "#" comment
 *     labels  := "{" [ item { "," item } [ "," ] ] "}"
 *     item    := label "=" quoted  |  quoted "=" quoted  |  quoted      (the metric's name)
 *
 * The two formats differ in blanks (text: any number; OpenMetrics: one), in the unit of
 * times (ms; seconds with decimals) and in what may follow a "#". Numbers are Go's, but for
 * hexadecimal ones and underscores, which Prometheus refuses as well. Where the two
 * specifications leave something open, this is what Prometheus's own parsers do, except
 * that a line feed inside quotes must be escaped.
 */
#include "scrape/expo.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

struct cur {
    struct expo *x;
    struct fault *f;
    const char *p, *end;                           /* of the line */
};

static enum err fail(const struct cur *c, enum err code, const char *what)
{
    size_t at = (size_t)(c->p - c->x->in.p);
    size_t rest = (size_t)(c->end - c->p);
    return fault_set(c->f, code, at, "line %u: %s, at \"" STR_FMT "\"", c->x->line, what,
                     STR_ARG(((struct str){ c->p, MIN(rest, (size_t)40) })));
}

static bool at_end(const struct cur *c)
{
    return c->p == c->end;
}

static char peek(const struct cur *c)
{
    return at_end(c) ? '\0' : *c->p;
}

static bool take(struct cur *c, char want)
{
    if (at_end(c) || *c->p != want)
        return false;
    c->p++;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Blanks of plain text; false: there was none. */
static bool blanks(struct cur *c)
{
    const char *from = c->p;
    while (!at_end(c) && is_blank(*c->p))
        c->p++;
    return c->p != from;
}

/* Between the parts of a line: any blanks in text, one space in OpenMetrics. */
static bool gap(struct cur *c)
{
    return c->x->format == EXPO_TEXT ? blanks(c) : take(c, ' ');
}

static void loose(struct cur *c)
{
    if (c->x->format == EXPO_TEXT)
        blanks(c);
}

static bool is_name_char(char c, bool first, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':') || (!first && c >= '0' && c <= '9');
}

/* A name without quotes; empty if there is none. */
static struct str bare_name(struct cur *c, bool colon)
{
    const char *from = c->p;
    while (!at_end(c) && is_name_char(*c->p, c->p == from, colon))
        c->p++;
    return (struct str){ from, (size_t)(c->p - from) };
}

/* Backslash escapes undone: \\, \n and, in quotes, \"; any other stays as it is. */
static struct str unescape(struct arena *mem, struct str s, bool quotes)
{
    if (!s.n || !memchr(s.p, '\\', s.n))
        return s;
    char *out = arena_alloc(mem, s.n, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char next = i + 1 < s.n ? s.p[i + 1] : '\0';
        if (s.p[i] != '\\' || (next != '\\' && next != 'n' && !(quotes && next == '"'))) {
            out[n++] = s.p[i];
            continue;
        }
        out[n++] = next == 'n' ? '\n' : next;
        i++;
    }
    return (struct str){ out, n };
}

static enum err quoted(struct cur *c, struct str *ret)
{
    if (!take(c, '"'))
        return fail(c, E_SYNTAX, "a quoted text is wanted");
    const char *from = c->p;
    while (!at_end(c) && *c->p != '"')
        c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
    if (at_end(c))
        return fail(c, E_SYNTAX, "a quoted text without its end");
    struct str raw = { from, (size_t)(c->p - from) };
    c->p++;
    if (!utf8_valid(raw))
        return fail(c, E_SYNTAX, "invalid UTF-8 in a quoted text");
    *ret = unescape(c->x->mem, raw, true);
    return OK;
}

static enum err check_name(const struct cur *c, struct str name)
{
    if (!name.n)
        return fail(c, E_SYNTAX, "a name is wanted");
    if (name.n > EXPO_NAME_MAX)
        return fail(c, E_LIMIT, "a name longer than 4096 bytes (EXPO_NAME_MAX)");
    return OK;
}

static enum err name_of_metric(struct cur *c, struct str *ret)
{
    enum err e = OK;
    if (peek(c) == '"')
        e = quoted(c, ret);
    else
        *ret = bare_name(c, true);
    return e ? e : check_name(c, *ret);
}

/* ---- labels ------------------------------------------------------------------------ */

/* Where labels go; `metric` NULL: an exemplar's, which are read over. */
struct sink_labels {
    struct lpair *at;
    uint32_t n;
    struct str *metric;
};

static enum err add_label(const struct cur *c, struct sink_labels *s, struct str name, struct str value)
{
    enum err e = check_name(c, name);
    if (e || !s->at)
        return e;
    for (uint32_t i = 0; i < s->n; i++)
        if (str_eq(s->at[i].name, name))
            return fail(c, E_SYNTAX, "a label name that is there twice");
    if (str_eq(name, S("__name__")))
        return fail(c, E_SYNTAX, "the label __name__");
    if (!value.n)
        return OK;                                 /* an empty label is none */
    if (s->n == EXPO_LABELS_MAX)
        return fail(c, E_LIMIT, "more than 256 labels (EXPO_LABELS_MAX)");
    s->at[s->n++] = (struct lpair){ name, value };
    return OK;
}

static enum err label_item(struct cur *c, struct sink_labels *s)
{
    bool is_quoted = peek(c) == '"';
    struct str name, value;
    enum err e = OK;
    if (is_quoted)
        e = quoted(c, &name);
    else
        name = bare_name(c, false);
    if (e)
        return e;
    loose(c);
    if (!take(c, '=')) {
        if (!is_quoted || !s->metric || s->metric->n)
            return fail(c, E_SYNTAX, "\"=\" is wanted after a label's name");
        *s->metric = name;
        return check_name(c, name);
    }
    loose(c);
    e = quoted(c, &value);
    return e ? e : add_label(c, s, name, value);
}

/* After "{". */
static enum err labels(struct cur *c, struct sink_labels *s)
{
    for (;;) {
        loose(c);
        if (take(c, '}'))
            return OK;
        enum err e = label_item(c, s);
        if (e)
            return e;
        loose(c);
        if (take(c, '}'))
            return OK;
        if (!take(c, ','))
            return fail(c, E_SYNTAX, "\",\" or \"}\" is wanted after a label");
    }
}

/* ---- numbers ------------------------------------------------------------------------- */

static struct str word(struct cur *c)
{
    const char *from = c->p;
    while (!at_end(c) && !is_blank(*c->p))
        c->p++;
    return (struct str){ from, (size_t)(c->p - from) };
}

static enum err number(struct cur *c, double *ret)
{
    struct cur before = *c;
    struct str s = word(c);
    bool odd = false;
    for (size_t i = 0; i < s.n; i++)
        odd |= s.p[i] == 'p' || s.p[i] == 'P' || s.p[i] == '_' || s.p[i] == 'x' || s.p[i] == 'X';
    if (odd || !str_to_f64(s, ret))
        return fail(&before, E_SYNTAX, "a value is wanted");
    return OK;
}

static enum err time_text(struct cur *c, int64_t *ret)
{
    struct cur before = *c;
    int64_t ms;
    if (!str_to_i64(word(c), &ms) || ms > INT64_MAX / NS_PER_MS || ms < INT64_MIN / NS_PER_MS)
        return fail(&before, E_SYNTAX, "a time in milliseconds is wanted");
    *ret = ms * NS_PER_MS;
    return OK;
}

static enum err time_openmetrics(struct cur *c, int64_t *ret)
{
    static const double seconds_max = 9e9;
    struct cur before = *c;
    double s;
    enum err e = number(c, &s);
    if (e)
        return e;
    if (!(fabs(s) < seconds_max))
        return fail(&before, E_SYNTAX, "a time in seconds is wanted");
    *ret = (int64_t)(s * 1000) * NS_PER_MS;
    return OK;
}

/* ---- lines --------------------------------------------------------------------------- */

/* After "# ": what belongs to a sample and is left out. */
static enum err exemplar(struct cur *c)
{
    struct sink_labels none = { 0 };
    double value;
    int64_t time;
    if (!take(c, '{'))
        return fail(c, E_SYNTAX, "an exemplar's labels are wanted");
    enum err e = labels(c, &none);
    if (!e && !take(c, ' '))
        e = fail(c, E_SYNTAX, "an exemplar's value is wanted");
    e = e ? e : number(c, &value);
    if (!e && take(c, ' '))
        e = time_openmetrics(c, &time);
    return e;
}

/* What may follow a value. */
static enum err after_value(struct cur *c, struct expo_item *ret)
{
    bool om = c->x->format == EXPO_OPENMETRICS;
    if (!gap(c) || (!om && at_end(c)))
        return OK;
    if (om && take(c, '#'))
        return take(c, ' ') ? exemplar(c) : fail(c, E_SYNTAX, "an exemplar is wanted");
    ret->has_time = true;
    enum err e = om ? time_openmetrics(c, &ret->time_ns) : time_text(c, &ret->time_ns);
    if (e || !gap(c) || !om)
        return e;
    return take(c, '#') && take(c, ' ') ? exemplar(c) : fail(c, E_SYNTAX, "an exemplar is wanted");
}

static enum err sample(struct cur *c, struct expo_item *ret)
{
    struct str name = { 0 };
    struct sink_labels s = { c->x->labels, 0, &name };
    enum err e = OK;
    bool braced = peek(c) == '{';
    if (!braced) {
        name = bare_name(c, true);
        e = check_name(c, name);
        loose(c);
    }
    if (!e && take(c, '{'))
        e = labels(c, &s);
    if (e)
        return e;
    if (!name.n)
        return fail(c, E_SYNTAX, "a sample without a metric's name");
    if (c->x->samples++ == EXPO_SAMPLES_MAX)
        return fail(c, E_LIMIT, "more than 2000000 samples (EXPO_SAMPLES_MAX)");
    *ret = (struct expo_item){ .kind = EXPO_SAMPLE, .name = name, .labels = s.at, .nlabels = s.n };

    /* Text may have passed its blanks already, before a brace that did not come. */
    if (!gap(c) && !(c->x->format == EXPO_TEXT && (is_blank(c->p[-1]) || c->p[-1] == '}')))
        return fail(c, E_SYNTAX, "a value is wanted");
    e = number(c, &ret->value);
    e = e ? e : after_value(c, ret);
    if (!e && !at_end(c))
        e = fail(c, E_SYNTAX, "more than a sample");
    return e;
}

static enum err read_type(struct cur *c, struct expo_item *ret)
{
    static const struct {
        struct str text;
        enum metric_type type;
    } types[] = {
        { S("counter"), METRIC_COUNTER }, { S("gauge"), METRIC_GAUGE }, { S("histogram"), METRIC_HISTOGRAM },
        { S("summary"), METRIC_SUMMARY }, { S("untyped"), METRIC_UNKNOWN }, { S("unknown"), METRIC_UNKNOWN },
        { S("gaugehistogram"), METRIC_GAUGE }, { S("info"), METRIC_GAUGE }, { S("stateset"), METRIC_GAUGE },
    };
    for (size_t i = 0; i < LEN(types); i++)
        if (str_eq(ret->text, types[i].text)) {
            ret->type = types[i].type;
            return OK;
        }
    return fail(c, E_SYNTAX, "an unknown type of metric");
}

static enum err check_unit(const struct cur *c, const struct expo_item *it)
{
    struct str unit = it->text, name = it->name;
    if (!unit.n || (str_ends(name, unit) && name.n > unit.n && name.p[name.n - unit.n - 1] == '_'))
        return OK;
    return fail(c, E_SYNTAX, "a unit that is no suffix of its metric's name");
}

/* After "HELP", "TYPE" or "UNIT" and a gap. */
static enum err metadata(struct cur *c, enum expo_kind kind, struct expo_item *ret)
{
    *ret = (struct expo_item){ .kind = kind };
    enum err e = name_of_metric(c, &ret->name);
    if (e)
        return e;
    if (!at_end(c) && !gap(c))
        return fail(c, E_SYNTAX, "a blank is wanted after a metric's name");
    struct str rest = { c->p, (size_t)(c->end - c->p) };
    if (kind == EXPO_HELP) {
        if (!utf8_valid(rest))
            return fail(c, E_SYNTAX, "invalid UTF-8 in a help text");
        ret->text = unescape(c->x->mem, rest, c->x->format == EXPO_OPENMETRICS);
        return OK;
    }
    ret->text = c->x->format == EXPO_TEXT ? str_trim(rest) : rest;
    return kind == EXPO_TYPE ? read_type(c, ret) : check_unit(c, ret);
}

/* After "#". *ret_is: an item came of it. */
static enum err comment(struct cur *c, struct expo_item *ret, bool *ret_is)
{
    static const struct {
        struct str word;
        enum expo_kind kind;
    } words[] = { { S("HELP"), EXPO_HELP }, { S("TYPE"), EXPO_TYPE }, { S("UNIT"), EXPO_UNIT } };
    bool om = c->x->format == EXPO_OPENMETRICS;
    *ret_is = false;
    if (om && str_eq((struct str){ c->p, (size_t)(c->end - c->p) }, S(" EOF"))) {
        c->x->eof = true;
        return OK;
    }
    if (!gap(c))
        return om ? fail(c, E_SYNTAX, "no HELP, TYPE, UNIT or EOF") : OK;
    struct str w = word(c);
    for (size_t i = 0; i < LEN(words); i++)
        if (str_eq(w, words[i].word) && (om || words[i].kind != EXPO_UNIT) && gap(c)) {
            *ret_is = true;
            return metadata(c, words[i].kind, ret);
        }
    return om ? fail(c, E_SYNTAX, "no HELP, TYPE, UNIT or EOF") : OK;
}

void expo_init(struct expo *x, struct str in, enum expo_format format, struct arena *mem)
{
    *x = (struct expo){ .mem = mem, .format = format, .in = in };
    x->labels = arena_new(mem, struct lpair, EXPO_LABELS_MAX);
}

enum expo_format expo_format_of(struct str content_type)
{
    struct str type = str_trim(str_cut(&content_type, ';'));
    return str_eq_nocase(type, S("application/openmetrics-text")) ? EXPO_OPENMETRICS : EXPO_TEXT;
}

/* The next line; false at the end of the input. */
static bool next_line(struct expo *x, struct cur *c)
{
    if (x->at >= x->in.n)
        return false;
    c->p = x->in.p + x->at;
    const char *nl = memchr(c->p, '\n', x->in.n - x->at);
    c->end = nl ? nl : x->in.p + x->in.n;
    x->at = (size_t)(c->end - x->in.p) + 1;
    x->line++;
    return true;
}

enum err expo_next(struct expo *x, struct expo_item *ret, struct fault *f)
{
    struct cur c = { .x = x, .f = f };
    while (next_line(x, &c)) {
        bool is = true;
        enum err e = OK;
        if (x->eof)
            return fail(&c, E_SYNTAX, "more after # EOF");
        if (c.end - c.p > EXPO_LINE_MAX)
            return fail(&c, E_LIMIT, "a line longer than 1 MiB (EXPO_LINE_MAX)");
        loose(&c);
        if (at_end(&c)) {
            if (x->format == EXPO_OPENMETRICS)
                return fail(&c, E_SYNTAX, "an empty line");
            continue;
        }
        if (take(&c, '#'))
            e = comment(&c, ret, &is);
        else
            e = sample(&c, ret);
        if (e || is)
            return e;
    }
    if (x->format == EXPO_OPENMETRICS && !x->eof)
        return fault_set(f, E_SYNTAX, x->in.n, "data does not end with # EOF");
    *ret = (struct expo_item){ .kind = EXPO_END };
    return OK;
}
