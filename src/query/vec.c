/* query/vec.c -- lists of series. */
#include "query/vec.h"

#include <stdlib.h>

struct tser *vec_add(struct query_ctx *q, struct vec *v, struct labels labels, uint32_t from, uint32_t n)
{
    struct tser *s = arena_push(q->mem, v->at, v->n, v->cap);
    double *values = arena_new(q->mem, double, n);
    for (uint32_t i = 0; i < n; i++)
        values[i] = value_absent();
    *s = (struct tser){ .labels = labels, .from = from, .n = n, .v = values };
    return s;
}

void tser_put_hist(struct query_ctx *q, struct tser *s, uint32_t i, const struct histogram *h)
{
    CHECK(i < s->n);
    if (!h)
        return;
    if (!s->h)
        s->h = arena_new(q->mem, const struct histogram *, s->n);
    s->h[i] = h;
    s->v[i] = value_absent();
}

void tser_copy(struct query_ctx *q, struct tser *to, uint32_t k, const struct tser *from, uint32_t i)
{
    to->v[k] = from->v[i];
    if (from->h)
        tser_put_hist(q, to, k, from->h[i]);
}

void tser_trim(struct tser *s)
{
    while (s->n && !tser_has(s, s->n - 1))
        s->n--;
    uint32_t skip = 0;
    while (skip < s->n && !tser_has(s, skip))
        skip++;
    s->v += skip;
    if (s->h)
        s->h += skip;
    s->from += skip;
    s->n -= skip;
}

void vec_trim(struct vec *v)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        tser_trim(&v->at[i]);
        if (v->at[i].n)
            v->at[out++] = v->at[i];
    }
    v->n = out;
}

/* Adds b's values to a, which grows to cover both. */
static enum err join(struct query_ctx *q, struct tser *a, const struct tser *b, struct fault *f)
{
    uint32_t from = MIN(a->from, b->from), end = MAX(a->from + a->n, b->from + b->n);
    struct tser both = { .labels = a->labels, .from = from, .n = end - from, .v = arena_new(q->mem, double, end - from) };
    for (uint32_t i = from; i < end; i++) {
        double x = tser_at(a, i), y = tser_at(b, i);
        const struct histogram *hx = tser_hist(a, i), *hy = tser_hist(b, i);
        bool has_x = hx || !value_is_absent(x);
        if (has_x && (hy || !value_is_absent(y)))
            return query_error(q, f, E_EXEC, "vector cannot contain metrics with the same labelset");
        both.v[i - from] = has_x ? x : y;
        tser_put_hist(q, &both, i - from, has_x ? hx : hy);
    }
    *a = both;
    return OK;
}

enum err vec_merge(struct query_ctx *q, struct vec *v, struct fault *f)
{
    if (v->n < 2)
        return OK;
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, q->mem);
    uint32_t out = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        bool fresh;
        uint32_t id = keyset_all(&keys, v->at[i].labels, &fresh);
        if (fresh) {
            CHECK(id == out);
            v->at[out++] = v->at[i];
            continue;
        }
        enum err e = join(q, &v->at[id], &v->at[i], f);
        if (e)
            return e;
    }
    v->n = out;
    return OK;
}

static int by_labels(const void *a, const void *b)
{
    const struct tser *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

void vec_sort_labels(struct vec *v)
{
    if (v->n > 1)
        qsort(v->at, v->n, sizeof *v->at, by_labels);
}

double *steps_fill(struct query_ctx *q, struct steps st, double value)
{
    double *v = arena_new(q->mem, double, st.n);
    for (uint32_t i = 0; i < st.n; i++)
        v[i] = value;
    return v;
}
