/* tests/support/hist_text.c -- see hist_text.h. */
#include "hist_text.h"

#include <math.h>

#include "query/hist.h"

enum { COUNTS_MAX = 64 };

/* One number, or a list in brackets. */
static bool numbers(struct str text, double *ret, uint32_t *ret_n)
{
    *ret_n = 0;
    if (text.n && text.p[0] == '[')
        text = str_sub(text, 1, text.n - 2);
    while (text.p && text.n) {
        struct str w = str_cut(&text, ' ');
        if (w.n && (*ret_n == COUNTS_MAX || !str_to_f64(w, &ret[(*ret_n)++])))
            return false;
    }
    return true;
}

static bool hint(struct str text, enum hist_hint *ret)
{
    static const struct str names[] = { S("unknown"), S("reset"), S("not_reset"), S("gauge") };
    for (unsigned i = 0; i < LEN(names); i++)
        if (str_eq(names[i], text)) {
            *ret = (enum hist_hint)i;
            return true;
        }
    return false;
}

static struct hist_buckets side(struct arena *mem, const double *counts, uint32_t n, double offset)
{
    struct hist_buckets b = { arena_new(mem, int32_t, n + 1), arena_new(mem, double, n + 1), n };
    for (uint32_t i = 0; i < n; i++) {
        b.index[i] = (int32_t)offset + (int32_t)i;
        b.count[i] = counts[i];
    }
    return b;
}

/* The next `key:value`; a value in brackets may hold blanks. */
static bool next_member(struct str *rest, struct str *ret_key, struct str *ret_value)
{
    *rest = str_trim(*rest);
    if (!rest->n)
        return false;
    *ret_key = str_cut(rest, ':');
    if (rest->p && rest->n && rest->p[0] == '[') {
        size_t end = str_index(*rest, ']');
        *ret_value = str_sub(*rest, 0, end + 1);
        *rest = str_sub(*rest, end + 1, rest->n);
    } else {
        *ret_value = str_cut(rest, ' ');
    }
    return true;
}

bool hist_from_text(struct arena *mem, struct str text, struct histogram *ret)
{
    enum { SCHEMA, COUNT, SUM, ZERO, ZERO_WIDTH, OFFSET, N_OFFSET, SINGLES, BUCKETS = SINGLES, N_BUCKETS, BOUNDS, KEYS };
    static const struct str names[KEYS] = {
        S("schema"), S("count"), S("sum"), S("z_bucket"), S("z_bucket_w"), S("offset"), S("n_offset"), S("buckets"),
        S("n_buckets"), S("custom_values"),
    };
    double v[KEYS][COUNTS_MAX] = { 0 };
    uint32_t n[KEYS] = { 0 };
    *ret = (struct histogram){ 0 };
    struct str rest = text, key, value;
    while (next_member(&rest, &key, &value)) {
        unsigned k = 0;
        while (k < KEYS && !str_eq(names[k], key))
            k++;
        if (k < KEYS ? !numbers(value, v[k], &n[k]) : !str_eq(key, S("counter_reset_hint")) || !hint(value, &ret->hint))
            return false;
    }
    ret->schema = (int32_t)v[SCHEMA][0];
    ret->count = v[COUNT][0];
    ret->sum = v[SUM][0];
    ret->zero_count = v[ZERO][0];
    ret->zero_threshold = v[ZERO_WIDTH][0];
    ret->pos = side(mem, v[BUCKETS], n[BUCKETS], v[OFFSET][0]);
    ret->neg = side(mem, v[N_BUCKETS], n[N_BUCKETS], v[N_OFFSET][0]);
    double *bounds = arena_new(mem, double, n[BOUNDS] + 1);
    for (uint32_t i = 0; i < n[BOUNDS]; i++)
        bounds[i] = v[BOUNDS][i];
    ret->bounds = bounds;
    ret->nbounds = n[BOUNDS];
    return true;
}

static bool near(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool near_side(const struct hist_buckets *a, const struct hist_buckets *b)
{
    if (a->n != b->n)
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->index[i] != b->index[i] || !near(a->count[i], b->count[i]))
            return false;
    return true;
}

bool hist_close(struct arena scratch, const struct histogram *a, const struct histogram *b)
{
    struct histogram *x = hist_copy(&scratch, a), *y = hist_copy(&scratch, b);
    hist_compact(x);
    hist_compact(y);
    bool same = x->schema == y->schema && near(x->count, y->count) && near(x->sum, y->sum) &&
                near(x->zero_count, y->zero_count) && near(x->zero_threshold, y->zero_threshold) &&
                x->nbounds == y->nbounds && near_side(&x->pos, &y->pos) && near_side(&x->neg, &y->neg);
    for (uint32_t i = 0; i < x->nbounds && same; i++)
        same = x->bounds[i] == y->bounds[i];
    return same;
}
