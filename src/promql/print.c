/* promql/print.c -- see print.h.
 *
 * Printing is defined by Prometheus's printer: matchers come sorted as texts, labels are
 * quoted only where they have to be, durations are put in their largest units. Pretty
 * printing asks of each node whether its one line fits into LINE_MAX_BYTES, and breaks
 * it at its own operator, call or parentheses when it does not. So a node is printed
 * once for each level above it: PROMQL_DEPTH_MAX times at most, but for chains of
 * operators, which nest to the left and cost the square of their length.
 */
#include "promql/print.h"

#include <math.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/utf8.h"
#include "promql/functions.h"

enum { LINE_MAX_BYTES = 100, INDENT = 2, TEXT_MAX = 1 << 24 };

const char *bin_text(enum bin_op op)
{
    static const char *const texts[] = {
        [BIN_ADD] = "+", [BIN_SUB] = "-", [BIN_MUL] = "*", [BIN_DIV] = "/", [BIN_MOD] = "%", [BIN_POW] = "^",
        [BIN_ATAN2] = "atan2", [BIN_EQ] = "==", [BIN_NE] = "!=", [BIN_GT] = ">", [BIN_LT] = "<", [BIN_GE] = ">=",
        [BIN_LE] = "<=", [BIN_TRIM_UPPER] = "</", [BIN_TRIM_LOWER] = ">/", [BIN_AND] = "and", [BIN_OR] = "or",
        [BIN_UNLESS] = "unless",
    };
    return texts[op];
}

const char *agg_text(enum agg_op op)
{
    static const char *const texts[] = {
        [AGG_SUM] = "sum", [AGG_AVG] = "avg", [AGG_MIN] = "min", [AGG_MAX] = "max", [AGG_COUNT] = "count",
        [AGG_GROUP] = "group", [AGG_STDDEV] = "stddev", [AGG_STDVAR] = "stdvar", [AGG_QUANTILE] = "quantile",
        [AGG_TOPK] = "topk", [AGG_BOTTOMK] = "bottomk", [AGG_LIMITK] = "limitk", [AGG_LIMIT_RATIO] = "limit_ratio",
        [AGG_COUNT_VALUES] = "count_values",
    };
    return texts[op];
}

const char *match_text(enum match_op op)
{
    static const char *const texts[] = { [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~" };
    return texts[op];
}

/* ---- words ----------------------------------------------------------------- */

/* Go's strconv.Quote: named escapes, bytes that are no UTF-8 as \xNN. */
void promql_quote(struct buf *out, struct str s)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    buf_byte(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *named = c ? strchr(from, c) : NULL;
        size_t n = c < 0x80 ? 1 : utf8_step(s, i);
        if (named)
            buf_fmt(out, "\\%c", to[named - from]);
        else if (c < 0x20 || c == 0x7f || !n)
            buf_fmt(out, "\\x%02x", c);
        else
            buf_put(out, s.p + i, n);
        i += n ? n - 1 : 0;
    }
    buf_byte(out, '"');
}

static bool is_word(struct str s)
{
    bool ok = s.n > 0 && !(s.p[0] >= '0' && s.p[0] <= '9');
    for (size_t i = 0; i < s.n && ok; i++) {
        char c = (char)(s.p[i] | 0x20);
        ok = (c >= 'a' && c <= 'z') || s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9');
    }
    return ok;
}

static void put_name(struct buf *out, struct str s)
{
    if (is_word(s))
        buf_str(out, s);
    else
        promql_quote(out, s);
}

static void put_names(struct buf *out, const struct str *names, uint32_t n)
{
    buf_byte(out, '(');
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            buf_str(out, S(", "));
        put_name(out, names[i]);
    }
    buf_byte(out, ')');
}

static void put_duration(struct buf *out, double seconds)
{
    char text[NUM_DURATION_MAX];
    if (seconds < 0)
        buf_byte(out, '-');
    buf_put(out, text, num_fmt_duration(text, (int64_t)(fabs(seconds) * 1e3 + 1e-6) * NS_PER_MS));
}

/* Was this number written with units? */
static bool has_units(const struct promql *q, struct span span)
{
    struct str s = str_trim(str_sub(q->text, span.at, span.end - span.at));
    while (s.n && (s.p[0] == '-' || s.p[0] == '+'))
        s = str_trim(str_sub(s, 1, s.n));
    if (!s.n || (s.n > 1 && s.p[0] == '0' && (s.p[1] | 0x20) == 'x'))
        return false;
    return strchr("smhdwy", s.p[s.n - 1] | 0x20) != NULL && str_index(S("0123456789"), s.p[0]) != SIZE_MAX;
}

static void put_number(struct buf *out, const struct promql *q, double v, struct span span)
{
    if (has_units(q, span))
        put_duration(out, v);
    else
        buf_f64(out, v);
}

/* ---- durations ------------------------------------------------------------- */

static const char *const dur_texts[] = {
    [DUR_ADD] = " + ", [DUR_SUB] = " - ", [DUR_MUL] = " * ", [DUR_DIV] = " / ", [DUR_MOD] = " % ", [DUR_POW] = " ^ ",
    [DUR_NEG] = "-", [DUR_STEP] = "step()", [DUR_RANGE] = "range()", [DUR_MIN] = "min(", [DUR_MAX] = "max(",
};

static void put_dur(struct buf *out, const struct promql *q, const struct dur *d)
{
    if (d->op == DUR_LITERAL) {
        put_number(out, q, d->seconds, d->span);
        return;
    }
    bool call = d->op == DUR_MIN || d->op == DUR_MAX, infix = d->op >= DUR_ADD && d->op <= DUR_POW;
    if (d->wrapped)
        buf_byte(out, '(');
    if (infix)
        put_dur(out, q, d->l);
    buf_str(out, str_c(dur_texts[d->op]));
    if (!infix && d->l)
        put_dur(out, q, d->l);
    if (call)
        buf_str(out, S(", "));
    if (d->r)
        put_dur(out, q, d->r);
    if (call)
        buf_byte(out, ')');
    if (d->wrapped)
        buf_byte(out, ')');
}

/* A range, step or offset as a whole: a literal is always printed with units. */
static void put_span(struct buf *out, const struct promql *q, const struct dur *d)
{
    if (d->op == DUR_LITERAL)
        put_duration(out, d->seconds);
    else
        put_dur(out, q, d);
}

int64_t dur_literal_ms(const struct dur *d)
{
    return d && d->op == DUR_LITERAL ? llround(d->seconds * 1000) : 0;
}

static void put_at(struct buf *out, const struct shift *s)
{
    if (s->at == AT_TIME)
        buf_fmt(out, " @ %.3f", (double)s->at_ms / 1000);
    else if (s->at != AT_NONE)
        buf_str(out, s->at == AT_START ? S(" @ start()") : S(" @ end()"));
}

static void put_offset(struct buf *out, const struct promql *q, const struct shift *s)
{
    if (!s->offset || (s->offset->op == DUR_LITERAL && s->offset->seconds == 0))
        return;
    buf_str(out, S(" offset "));
    put_span(out, q, s->offset);
}

static void put_extended(struct buf *out, const struct selector *s)
{
    if (s->anchored || s->smoothed)
        buf_str(out, s->anchored ? S(" anchored") : S(" smoothed"));
}

/* ---- nodes ----------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The matcher of a name that stands before the braces is left out. */
static void put_matchers(struct buf *out, const struct selector *s)
{
    struct buf text;
    uint32_t n = 0;
    buf_init(&text, TEXT_MAX);
    struct str *at = mem_alloc(sizeof *at * ((size_t)s->nmatchers + 1));
    size_t *ends = mem_alloc(sizeof *ends * ((size_t)s->nmatchers + 1));
    for (uint32_t i = 0; i < s->nmatchers; i++) {
        const struct matcher *m = &s->matchers[i];
        if (s->name.n && m->op == MATCH_EQ && str_eq(m->label, S("__name__")) && str_eq(m->value, s->name))
            continue;
        put_name(&text, m->label);
        buf_str(&text, str_c(match_text(m->op)));
        promql_quote(&text, m->value);
        ends[n++] = text.n;
    }
    struct str all = buf_view(&text);
    for (uint32_t i = 0; i < n; i++)
        at[i] = str_sub(all, i ? ends[i - 1] : 0, ends[i] - (i ? ends[i - 1] : 0));
    if (n > 1)
        qsort(at, n, sizeof *at, by_text);
    for (uint32_t i = 0; i < n; i++) {
        buf_byte(out, i ? ',' : '{');
        buf_str(out, at[i]);
    }
    if (n)
        buf_byte(out, '}');
    mem_free(at);
    mem_free(ends);
    buf_done(&text);
}

static void put_selector(struct buf *out, const struct promql *q, const struct selector *s, bool bare)
{
    buf_str(out, s->name);
    put_matchers(out, s);
    if (bare)
        return;
    put_at(out, &s->shift);
    put_extended(out, s);
    put_offset(out, q, &s->shift);
}

static void put_range(struct buf *out, const struct promql *q, const struct expr *x)
{
    const struct selector *s = &x->range.of->sel;
    put_selector(out, q, s, true);
    buf_byte(out, '[');
    put_span(out, q, x->range.range);
    buf_byte(out, ']');
    put_extended(out, s);
    put_at(out, &s->shift);
    put_offset(out, q, &s->shift);
}

static void put_subquery_suffix(struct buf *out, const struct promql *q, const struct expr *x)
{
    buf_byte(out, '[');
    put_span(out, q, x->sub.range);
    buf_byte(out, ':');
    if (x->sub.step)
        put_span(out, q, x->sub.step);
    buf_byte(out, ']');
    put_at(out, &x->sub.shift);
    put_offset(out, q, &x->sub.shift);
}

static void put_fill(struct buf *out, struct str word, double v)
{
    char text[32];
    buf_fmt(out, " " STR_FMT " (", STR_ARG(word));
    buf_put(out, text, num_fmt_g64(text, v));
    buf_byte(out, ')');
}

/* "+ bool on (a) group_left (b)" */
static void put_operator(struct buf *out, const struct expr *x)
{
    const struct matching *m = &x->bin.m;
    bool grouped = m->card == MANY_TO_ONE || m->card == ONE_TO_MANY;
    buf_str(out, str_c(bin_text(x->bin.op)));
    if (m->bool_mode)
        buf_str(out, S(" bool"));
    if (x->bin.l->type != T_VECTOR || x->bin.r->type != T_VECTOR)
        return;
    if (m->nnames || m->on || grouped) {
        buf_str(out, m->on ? S(" on ") : S(" ignoring "));
        put_names(out, m->names, m->nnames);
    }
    if (grouped) {
        buf_str(out, m->card == MANY_TO_ONE ? S(" group_left ") : S(" group_right "));
        put_names(out, m->include, m->ninclude);
    }
    if (m->fill_left && m->fill_left == m->fill_right) {
        put_fill(out, S("fill"), *m->fill_left);
        return;
    }
    if (m->fill_left)
        put_fill(out, S("fill_left"), *m->fill_left);
    if (m->fill_right)
        put_fill(out, S("fill_right"), *m->fill_right);
}

static void put_aggregation(struct buf *out, const struct expr *x)
{
    buf_str(out, str_c(agg_text(x->agg.op)));
    if (!x->agg.without && !x->agg.nnames)
        return;
    buf_str(out, x->agg.without ? S(" without ") : S(" by "));
    put_names(out, x->agg.names, x->agg.nnames);
    buf_byte(out, ' ');
}

static void put_args(struct buf *out, const struct promql *q, const struct expr *x)
{
    for (uint32_t i = 0; i < x->call.nargs; i++) {
        if (i)
            buf_str(out, S(", "));
        promql_print(out, q, x->call.args[i]);
    }
}

void promql_print(struct buf *out, const struct promql *q, const struct expr *x)
{
    switch (x->kind) {
    case X_NUMBER:
        put_number(out, q, x->number, x->span);
        return;
    case X_STRING:
        promql_quote(out, x->string);
        return;
    case X_SELECTOR:
        put_selector(out, q, &x->sel, false);
        return;
    case X_RANGE:
        put_range(out, q, x);
        return;
    case X_SUBQUERY:
        promql_print(out, q, x->sub.of);
        put_subquery_suffix(out, q, x);
        return;
    case X_CALL:
        buf_str(out, x->call.fn->name);
        buf_byte(out, '(');
        put_args(out, q, x);
        buf_byte(out, ')');
        return;
    case X_AGGREGATE:
        put_aggregation(out, x);
        buf_byte(out, '(');
        if (x->agg.param) {
            promql_print(out, q, x->agg.param);
            buf_str(out, S(", "));
        }
        promql_print(out, q, x->agg.of);
        buf_byte(out, ')');
        return;
    case X_BINARY:
        promql_print(out, q, x->bin.l);
        buf_byte(out, ' ');
        put_operator(out, x);
        buf_byte(out, ' ');
        promql_print(out, q, x->bin.r);
        return;
    case X_UNARY:
        buf_byte(out, x->unary.negate ? '-' : '+');
        promql_print(out, q, x->unary.of);
        return;
    case X_PAREN:
        buf_byte(out, '(');
        promql_print(out, q, x->paren);
        buf_byte(out, ')');
        return;
    }
}

/* ---- pretty ---------------------------------------------------------------- */

static void indent(struct buf *out, uint32_t level)
{
    for (uint32_t i = 0; i < level * INDENT; i++)
        buf_byte(out, ' ');
}

/* A buffer that is full at the width of a line tells without printing the rest. */
static bool fits(const struct promql *q, const struct expr *x)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    promql_print(&line, q, x);
    bool ok = !line.bad;
    buf_done(&line);
    return ok;
}

static void pretty(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level);

static void pretty_call(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level)
{
    buf_str(out, x->call.fn->name);
    buf_str(out, S("(\n"));
    for (uint32_t i = 0; i < x->call.nargs; i++) {
        if (i)
            buf_str(out, S(",\n"));
        pretty(out, q, x->call.args[i], level + 1);
    }
    buf_byte(out, '\n');
    indent(out, level);
    buf_byte(out, ')');
}

static void pretty_aggregation(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level)
{
    put_aggregation(out, x);
    buf_str(out, S("(\n"));
    if (x->agg.param) {
        pretty(out, q, x->agg.param, level + 1);
        buf_str(out, S(",\n"));
    }
    pretty(out, q, x->agg.of, level + 1);
    buf_byte(out, '\n');
    indent(out, level);
    buf_byte(out, ')');
}

/* The operand goes on behind its sign. */
static void pretty_unary(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level)
{
    struct buf of;
    buf_init(&of, TEXT_MAX);
    pretty(&of, q, x->unary.of, level);
    indent(out, level);
    buf_byte(out, x->unary.negate ? '-' : '+');
    buf_str(out, str_trim(buf_view(&of)));
    buf_done(&of);
}

static void pretty_broken(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level)
{
    switch (x->kind) {
    case X_BINARY:
        pretty(out, q, x->bin.l, level + 1);
        buf_byte(out, '\n');
        indent(out, level);
        put_operator(out, x);
        buf_byte(out, '\n');
        pretty(out, q, x->bin.r, level + 1);
        return;
    case X_SUBQUERY:
        pretty(out, q, x->sub.of, level);
        put_subquery_suffix(out, q, x);
        return;
    case X_UNARY:
        pretty_unary(out, q, x, level);
        return;
    case X_CALL:
        indent(out, level);
        pretty_call(out, q, x, level);
        return;
    case X_AGGREGATE:
        indent(out, level);
        pretty_aggregation(out, q, x, level);
        return;
    case X_PAREN:
        indent(out, level);
        buf_str(out, S("(\n"));
        pretty(out, q, x->paren, level + 1);
        buf_byte(out, '\n');
        indent(out, level);
        buf_byte(out, ')');
        return;
    default:                                       /* nothing to break */
        indent(out, level);
        promql_print(out, q, x);
    }
}

static void pretty(struct buf *out, const struct promql *q, const struct expr *x, uint32_t level)
{
    if (!fits(q, x)) {
        pretty_broken(out, q, x, level);
        return;
    }
    if (x->kind != X_SUBQUERY)                     /* Prometheus does not indent these */
        indent(out, level);
    promql_print(out, q, x);
}

void promql_pretty(struct buf *out, const struct promql *q, const struct expr *x)
{
    pretty(out, q, x, 0);
}
