/* api/v1_cells.c -- one cell as JSON and as CSV, by its type.
 *
 * CSV is RFC 4180: CRLF, quotes only where they are needed, quotes inside doubled. A text from
 * telemetry that a spreadsheet would take for a formula (it begins with = + - @, a tab or a
 * carriage return) gets an apostrophe in front, as OWASP advises; numbers and times are ours
 * and stay as they are.
 */
#include <math.h>
#include <stdio.h>

#include "api/v1.h"
#include "base/num.h"
#include "ledger/money.h"

const struct v1_column *v1_column_find(const struct v1_column *columns, struct str name)
{
    for (const struct v1_column *c = columns; c->name.n; c++)
        if (str_eq(c->name, name))
            return c;
    return NULL;
}

static const void *cell(const struct v1_column *c, const void *row)
{
    return (const char *)row + c->at;
}

static int64_t number(const struct v1_column *c, const void *row)
{
    return *(const int64_t *)cell(c, row);
}

static bool is_unknown(const struct v1_column *c, const void *row)
{
    switch (c->type) {
    case CELL_TEXT:
        return !((const struct str *)cell(c, row))->n;
    case CELL_TEXTS:
    case CELL_PAIRS:
        return false;
    case CELL_TIME:
        return number(c, row) == 0 || number(c, row) == V1_NONE;
    case CELL_RATIO:
        return isnan(*(const double *)cell(c, row));
    default:
        return number(c, row) == V1_NONE;
    }
}

struct str v1_key(const struct v1_column *c, uint32_t i, char out[64])
{
    static const struct str usd[] = { S("_usd"), S("_nano_usd") };
    if (i > (c->type == CELL_MONEY))
        return S("");
    struct str tail = c->type == CELL_TIME ? S("_ns") : c->type == CELL_SPAN ? S("_ms") : c->type == CELL_MONEY ? usd[i] : S("");
    CHECK(c->name.n + tail.n <= 64);
    memcpy(out, c->name.p, c->name.n);
    if (tail.n)
        memcpy(out + c->name.n, tail.p, tail.n);
    return (struct str){ out, c->name.n + tail.n };
}

/* ---- JSON --------------------------------------------------------------------------- */

static void json_texts(struct jw *w, const struct texts *t)
{
    jw_arr(w);
    for (uint32_t i = 0; i < t->n; i++)
        jw_str(w, t->at[i]);
    jw_arr_end(w);
}

static void json_pairs(struct jw *w, const struct pairs *t)
{
    jw_obj(w);
    for (uint32_t i = 0; i < t->n; i++)
        jw_kv_str(w, t->at[i].name, t->at[i].value);
    jw_obj_end(w);
}

static void json_text_of(struct jw *w, int64_t v)
{
    char text[24];
    jw_str(w, (struct str){ text, num_fmt_i64(text, v) });
}

static void json_value(struct jw *w, const struct v1_column *c, const void *row, uint32_t i)
{
    switch (c->type) {
    case CELL_TEXT:
        jw_str(w, *(const struct str *)cell(c, row));
        return;
    case CELL_TEXTS:
        json_texts(w, cell(c, row));
        return;
    case CELL_PAIRS:
        json_pairs(w, cell(c, row));
        return;
    case CELL_COUNT:
        jw_i64(w, number(c, row));
        return;
    case CELL_BOOL:
        jw_bool(w, number(c, row) != 0);
        return;
    case CELL_TIME:
        json_text_of(w, number(c, row));
        return;
    case CELL_SPAN:
        jw_f64(w, (double)number(c, row) / (double)NS_PER_MS);
        return;
    case CELL_MONEY:
        if (i)
            json_text_of(w, number(c, row));
        else
            jw_f64(w, money_usd(number(c, row)));
        return;
    case CELL_RATIO:
        jw_f64(w, *(const double *)cell(c, row));
        return;
    }
}

void v1_cell_json(struct jw *w, const struct v1_column *c, const void *row)
{
    char out[64];
    bool unknown = is_unknown(c, row);
    struct str key;
    for (uint32_t i = 0; (key = v1_key(c, i, out)).n; i++) {
        jw_key(w, key);
        if (unknown)
            jw_null(w);
        else
            json_value(w, c, row, i);
    }
}

/* ---- CSV ---------------------------------------------------------------------------- */

static bool is_formula(struct str s)
{
    return s.n && (s.p[0] == '=' || s.p[0] == '+' || s.p[0] == '-' || s.p[0] == '@' || s.p[0] == '\t' || s.p[0] == '\r');
}

static void csv_text(struct buf *out, struct str s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n && !quoted; i++)
        quoted = s.p[i] == '"' || s.p[i] == ',' || s.p[i] == '\n' || s.p[i] == '\r';
    if (quoted)
        buf_byte(out, '"');
    if (is_formula(s))
        buf_byte(out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, s.p[i]);
    }
    if (quoted)
        buf_byte(out, '"');
}

static void csv_joined(struct buf *out, const struct v1_column *c, const void *row)
{
    CLEANUP(buf_done) struct buf all;
    buf_init(&all, out->max);
    const struct texts *t = cell(c, row);
    const struct pairs *p = cell(c, row);
    for (uint32_t i = 0; c->type == CELL_TEXTS && i < t->n; i++)
        buf_fmt(&all, "%s" STR_FMT, i ? ";" : "", STR_ARG(t->at[i]));
    for (uint32_t i = 0; c->type == CELL_PAIRS && i < p->n; i++)
        buf_fmt(&all, "%s" STR_FMT "=" STR_FMT, i ? ";" : "", STR_ARG(p->at[i].name), STR_ARG(p->at[i].value));
    csv_text(out, buf_view(&all));
}

/* Dollars with nine digits behind the point, as many as are needed. */
static void csv_money(struct buf *out, int64_t nanos)
{
    uint64_t v = nanos < 0 ? -(uint64_t)nanos : (uint64_t)nanos, rest = v % (uint64_t)NANOS_PER_USD;
    buf_fmt(out, "%s%llu", nanos < 0 ? "-" : "", (unsigned long long)(v / (uint64_t)NANOS_PER_USD));
    if (!rest)
        return;
    char digits[16];
    int n = 9;
    snprintf(digits, sizeof digits, "%09llu", (unsigned long long)rest);
    while (digits[n - 1] == '0')
        n--;
    buf_fmt(out, ".%.*s", n, digits);
}

void v1_cell_csv(struct buf *out, const struct v1_column *c, const void *row)
{
    char text[40];
    if (is_unknown(c, row))
        return;
    switch (c->type) {
    case CELL_TEXT:
        csv_text(out, *(const struct str *)cell(c, row));
        return;
    case CELL_TEXTS:
    case CELL_PAIRS:
        csv_joined(out, c, row);
        return;
    case CELL_COUNT:
        buf_i64(out, number(c, row));
        return;
    case CELL_BOOL:
        buf_str(out, number(c, row) ? S("true") : S("false"));
        return;
    case CELL_TIME:
        buf_put(out, text, num_fmt_rfc3339(text, number(c, row)));
        return;
    case CELL_SPAN:
        buf_f64(out, (double)number(c, row) / (double)NS_PER_MS);
        return;
    case CELL_MONEY:
        csv_money(out, number(c, row));
        return;
    case CELL_RATIO:
        buf_f64(out, *(const double *)cell(c, row));
        return;
    }
}

void v1_head_csv(struct buf *out, const struct v1_column *columns)
{
    char key[64];
    for (const struct v1_column *c = columns; c->name.n; c++) {
        if (c != columns)
            buf_byte(out, ',');
        csv_text(out, c->type == CELL_TIME ? c->name : v1_key(c, 0, key));
    }
    buf_str(out, S("\r\n"));
}
