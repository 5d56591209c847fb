/* api/v1_table.c -- the rows of a table: filtered, in order, a page of them, and what all add up to.
 *
 * Rows are made one at a time into the same struct, asked by the filters, added to the totals
 * and forgotten; what stays of each is its sort key. So a hundred thousand sessions cost what
 * their keys cost, and only the rows of the page are made a second time. Of the keys only as
 * many as the page needs are put in order (a heap of offset + limit of them).
 *
 * Order: by the key, what is unknown last; rows with equal keys by the columns that tell rows
 * apart (COL_KEY). It hangs on nothing else, so pages fit together. A cursor names the last
 * row of a page by the same columns: what comes after it is the next page, whatever has come
 * or gone before it.
 */
#include <math.h>
#include <stdlib.h>

#include "api/prom_envelope.h"
#include "api/v1.h"
#include "base/num.h"

enum { CSV_MAX = 1 << 30, KEYS_MAX = 4, CURSOR_MAX = 4000 };

struct key {
    struct str text;
    double ratio;
    int64_t number;
    bool unknown;
};

struct ordered {
    struct key key;
    struct str ties[KEYS_MAX];
    uint32_t row;
};

struct listing {
    struct v1_call *c;
    const struct v1_rows *rows;
    const struct v1_column *by;                    /* NULL: as they come */
    const struct v1_column *ties[KEYS_MAX];
    uint32_t nties;
    bool down;
    struct ordered after;                          /* of the cursor */
    bool has_after;
    struct ordered *heap;                          /* the first of those that pass; the last of them on top */
    uint32_t n, keep;
    uint64_t total;                                /* that pass the filters */
    uint64_t behind;                               /* that pass and come after the cursor */
    void *sums;                                    /* a row of totals */
};

/* ---- order ---------------------------------------------------------------------------- */

static struct key key_of(const struct v1_column *by, const void *row)
{
    struct key k = { 0 };
    const char *at = (const char *)row + (by ? by->at : 0);
    if (!by)
        return k;
    if (by->type == CELL_TEXT)
        k.text = *(const struct str *)(const void *)at;
    else if (by->type == CELL_RATIO)
        k.ratio = *(const double *)(const void *)at;
    else
        k.number = *(const int64_t *)(const void *)at;
    k.unknown = by->type == CELL_TEXT ? !k.text.n : by->type == CELL_RATIO ? isnan(k.ratio)
                                                                          : k.number == V1_NONE || (by->type == CELL_TIME && !k.number);
    return k;
}

static int compare_keys(const struct listing *l, const struct key *a, const struct key *b)
{
    if (a->unknown || b->unknown)
        return a->unknown - b->unknown;
    int d = str_cmp(a->text, b->text);
    d = d ? d : (a->number > b->number) - (a->number < b->number);
    d = d ? d : (a->ratio > b->ratio) - (a->ratio < b->ratio);
    return l->down ? -d : d;
}

static int compare(const struct listing *l, const struct ordered *a, const struct ordered *b)
{
    int d = compare_keys(l, &a->key, &b->key);
    for (uint32_t i = 0; i < l->nties && !d; i++)
        d = str_cmp(a->ties[i], b->ties[i]);
    return d ? d : (a->row > b->row) - (a->row < b->row);
}

static void sift_down(struct listing *l, uint32_t i, uint32_t n)
{
    for (uint32_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare(l, &l->heap[child], &l->heap[child + 1]) < 0)
            child++;
        if (compare(l, &l->heap[i], &l->heap[child]) >= 0)
            return;
        struct ordered t = l->heap[i];
        l->heap[i] = l->heap[child];
        l->heap[child] = t;
    }
}

static void keep(struct listing *l, const struct ordered *x)
{
    if (l->n == l->keep) {
        if (l->keep && compare(l, x, &l->heap[0]) < 0) {
            l->heap[0] = *x;
            sift_down(l, 0, l->n);
        }
        return;
    }
    uint32_t i = l->n++;
    for (; i && compare(l, x, &l->heap[(i - 1) / 2]) > 0; i = (i - 1) / 2)
        l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = *x;
}

static void sort_kept(struct listing *l)
{
    for (uint32_t n = l->n; n > 1; n--) {
        struct ordered t = l->heap[0];
        l->heap[0] = l->heap[n - 1];
        l->heap[n - 1] = t;
        sift_down(l, 0, n - 1);
    }
}

/* ---- cursors: KEY,TIE,TIE..., a comma and a percent sign in them as %2C and %25 -------- */

static void cursor_part(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ',' || s.p[i] == '%')
            buf_str(out, s.p[i] == ',' ? S("%2C") : S("%25"));
        else
            buf_byte(out, s.p[i]);
}

static struct str cursor_text(const struct listing *l, const struct ordered *x)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, CURSOR_MAX);
    if (x->key.unknown)
        buf_byte(&out, '?');
    else if (l->by && l->by->type == CELL_TEXT) {
        buf_byte(&out, '=');
        cursor_part(&out, x->key.text);
    } else if (l->by && l->by->type == CELL_RATIO)
        buf_f64(&out, x->key.ratio);
    else
        buf_i64(&out, x->key.number);
    for (uint32_t i = 0; i < l->nties; i++) {
        buf_byte(&out, ',');
        cursor_part(&out, x->ties[i]);
    }
    return out.bad ? S("") : arena_str(l->c->mem, buf_view(&out));
}

static struct str cursor_read(struct arena *mem, struct str s)
{
    char *out = arena_alloc(mem, s.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct str code = str_sub(s, i, 3);
        bool comma = str_eq(code, S("%2C")), percent = str_eq(code, S("%25"));
        out[n++] = comma ? ',' : s.p[i];
        i += comma || percent ? 2 : 0;
    }
    return (struct str){ out, n };
}

static bool read_cursor(struct listing *l)
{
    struct str rest = l->c->cursor, head = str_cut(&rest, ',');
    struct key *k = &l->after.key;
    l->after.row = UINT32_MAX;
    k->unknown = str_eq(head, S("?"));
    if (!k->unknown && l->by && l->by->type == CELL_TEXT) {
        if (!str_starts(head, S("=")))
            return false;
        k->text = cursor_read(l->c->mem, str_sub(head, 1, head.n));
    } else if (!k->unknown && l->by && l->by->type == CELL_RATIO) {
        if (!str_to_f64(head, &k->ratio))
            return false;
    } else if (!k->unknown && !str_to_i64(head, &k->number)) {
        return false;
    }
    for (uint32_t i = 0; i < l->nties; i++) {
        if (!rest.p)
            return false;
        l->after.ties[i] = cursor_read(l->c->mem, str_cut(&rest, ','));
    }
    return !rest.p;
}

/* ---- filters and totals ------------------------------------------------------------------ */

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static bool holds(struct str s, struct str part)
{
    for (size_t i = 0; i + part.n <= s.n; i++) {
        size_t k = 0;
        while (k < part.n && lower(s.p[i + k]) == lower(part.p[k]))
            k++;
        if (k == part.n)
            return true;
    }
    return false;
}

static bool fits(const struct v1_filter *x, struct str text)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (x->search ? holds(text, x->values[i]) : str_eq(text, x->values[i]))
            return true;
    return false;
}

/* Of pairs a filter is NAME=VALUE. */
static bool fits_pair(const struct v1_filter *x, const struct pair *p)
{
    for (uint32_t i = 0; i < x->n; i++) {
        struct str value = x->values[i], name = str_cut(&value, '=');
        if (str_eq(name, p->name) && str_eq(value, p->value))
            return true;
    }
    return false;
}

static bool passes(const struct v1_filter *x, const void *row)
{
    const void *at = (const char *)row + x->column->at;
    const struct texts *t = at;
    const struct pairs *p = at;
    if (x->column->type == CELL_TEXT)
        return fits(x, *(const struct str *)at);
    if (x->column->type == CELL_BOOL)
        return fits(x, *(const int64_t *)at > 0 ? S("true") : *(const int64_t *)at == 0 ? S("false") : S(""));
    CHECK(x->column->type == CELL_TEXTS || x->column->type == CELL_PAIRS);
    for (uint32_t i = 0; i < t->n; i++)
        if (x->column->type == CELL_TEXTS ? fits(x, t->at[i]) : fits_pair(x, &p->at[i]))
            return true;
    return false;
}

static void add_up(struct listing *l, const void *row)
{
    for (const struct v1_column *c = l->c->route->columns; c->name.n; c++) {
        if (!(c->flags & COL_SUM))
            continue;
        int64_t v = *(const int64_t *)(const void *)((const char *)row + c->at);
        int64_t *sum = (int64_t *)(void *)((char *)l->sums + c->at);
        if (v != V1_NONE && __builtin_add_overflow(*sum, v, sum))
            *sum = INT64_MAX;
    }
}

static void take(struct listing *l, uint32_t i, const void *row)
{
    for (uint32_t k = 0; k < l->c->nfilters; k++)
        if (!passes(&l->c->filters[k], row))
            return;
    struct ordered x = { .key = key_of(l->by, row), .row = i };
    for (uint32_t k = 0; k < l->nties; k++)
        x.ties[k] = *(const struct str *)(const void *)((const char *)row + l->ties[k]->at);
    l->total++;
    add_up(l, row);
    if (l->has_after && compare(l, &x, &l->after) <= 0)
        return;
    l->behind++;
    keep(l, &x);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void write_totals(const struct listing *l, struct jw *w)
{
    bool any = false;
    for (const struct v1_column *c = l->c->route->columns; c->name.n; c++) {
        if (!(c->flags & COL_SUM))
            continue;
        if (!any) {
            jw_key(w, S("totals"));
            jw_obj(w);
        }
        any = true;
        v1_cell_json(w, c, l->sums);
    }
    if (any)
        jw_obj_end(w);
}

static void answer_json(struct listing *l, uint32_t from, void *row)
{
    const struct v1_route *route = l->c->route;
    struct prom_reply p;
    prom_begin(&p, l->c->r);
    jw_obj(&p.w);
    jw_kv_u64(&p.w, S("total"), l->total);
    write_totals(l, &p.w);
    jw_key(&p.w, S("next"));
    struct str next = l->by && l->n > from && l->behind > l->n ? cursor_text(l, &l->heap[l->n - 1]) : S("");
    if (next.n)
        jw_str(&p.w, next);
    else
        jw_null(&p.w);
    if (l->rows->more)
        l->rows->more(l->rows->arg, &p.w);
    jw_key(&p.w, route->list);
    jw_arr(&p.w);
    for (uint32_t i = from; i < l->n; i++) {
        l->rows->fill(l->rows->arg, l->heap[i].row, row);
        jw_obj(&p.w);
        for (const struct v1_column *c = route->columns; c->name.n; c++)
            v1_cell_json(&p.w, c, row);
        jw_obj_end(&p.w);
    }
    jw_arr_end(&p.w);
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

static void answer_csv(struct listing *l, uint32_t from, void *row)
{
    const struct v1_route *route = l->c->route;
    struct buf out;
    buf_init(&out, CSV_MAX);
    v1_head_csv(&out, route->columns);
    for (uint32_t i = from; i < l->n; i++) {
        l->rows->fill(l->rows->arg, l->heap[i].row, row);
        for (const struct v1_column *c = route->columns; c->name.n; c++) {
            if (c != route->columns)
                buf_byte(&out, ',');
            v1_cell_csv(&out, c, row);
        }
        buf_str(&out, S("\r\n"));
    }
    if (out.bad)
        prom_fail(l->c->r, E_LIMIT, S("the answer is longer than the limit of 1 GiB"));
    else
        http_reply_buf(l->c->r, 200, S("text/csv; charset=utf-8; header=present"), &out);
    buf_done(&out);
}

static void begin(struct listing *l)
{
    struct v1_call *c = l->c;
    struct str by = c->sort;
    l->down = str_starts(by, S("-"));
    if (l->down)
        by = str_sub(by, 1, by.n);
    if (by.n)
        l->by = v1_column_find(c->route->columns, by);
    for (const struct v1_column *x = c->route->columns; x->name.n; x++)
        if ((x->flags & COL_KEY) && l->by) {
            CHECK(x->type == CELL_TEXT && l->nties < KEYS_MAX);
            l->ties[l->nties++] = x;
        }
    bool paged = c->route->flags & V1_PAGED;
    uint64_t want = paged ? (uint64_t)(c->offset + c->limit) : UINT64_MAX;
    l->keep = (uint32_t)MIN(want, (uint64_t)l->rows->n);
    l->heap = arena_raw(c->mem, struct ordered, (size_t)l->keep + 1);
    l->sums = arena_alloc(c->mem, c->route->row_size, 16);
}

void v1_table(struct v1_call *c, const struct v1_rows *rows)
{
    struct listing l = { .c = c, .rows = rows };
    void *row = arena_alloc(c->mem, c->route->row_size, 16);
    begin(&l);
    if (c->cursor.n) {
        l.has_after = true;
        if (!l.by || !read_cursor(&l)) {
            prom_bad_data(c->r, "parameter cursor: it is not one of this order; `next` of an answer with the same sort is");
            return;
        }
    }
    for (uint32_t i = 0; i < rows->n; i++) {
        rows->fill(rows->arg, i, row);
        take(&l, i, row);
    }
    sort_kept(&l);
    uint32_t from = (uint32_t)MIN((uint64_t)c->offset, (uint64_t)l.n);
    if (str_eq(c->format, S("csv")))
        answer_csv(&l, from, row);
    else
        answer_json(&l, from, row);
}
