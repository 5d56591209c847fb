/* query/hist_add.c -- sums and differences of native histograms, and resets.
 *
 * Adding b to a:
 *
 *     1. zero buckets: the narrower one is widened, bucket by bucket, until both have
 *        the same threshold and it lies within no populated bucket of either
 *     2. schemas: the finer one is made coarser
 *     3. buckets: a merge of two sorted lists; what of b lies in the zero bucket is in
 *        its count already
 *
 * Histograms with custom bounds skip the first two; where bounds differ both are told
 * anew by the bounds that they share.
 *
 * A sum of many has a second histogram beside it, `comp`, with the same buckets: what
 * each addition lost to rounding. Where `comp` is NULL below, nothing is kept of that.
 */
#include <math.h>
#include <string.h>

#include "query/hist.h"
#include "query/sum.h"

/* *s += v, what is lost going to *c. */
static void inc(double *s, double *c, double v)
{
    if (!c) {
        *s += v;
        return;
    }
    struct ksum k = { *s, *c };
    ksum_add(&k, v);
    *s = k.s;
    *c = k.c;
}

/* ---- zero bucket ----------------------------------------------------------- */

struct zero {
    double threshold, count, comp;
};

/* Merges the buckets of a side up to the threshold. Raises it to the end of a populated bucket
 * that it cuts, and says so. */
static bool take_side(const struct histogram *h, const struct histogram *comp, bool negative, struct zero *z)
{
    const struct hist_buckets *side = negative ? &h->neg : &h->pos;
    for (uint32_t i = 0; i < side->n; i++) {
        struct hist_bucket b = hist_bucket_at(h, negative, i);
        double inner = negative ? -b.upper : b.lower, outer = negative ? -b.lower : b.upper;
        if (inner >= z->threshold)
            break;
        inc(&z->count, &z->comp, b.count);
        if (comp)
            inc(&z->count, &z->comp, (negative ? comp->neg : comp->pos).count[i]);
        if (outer > z->threshold) {
            if (b.count == 0)
                break;
            z->threshold = outer;
            return true;
        }
    }
    return false;
}

/* What the zero bucket would be with a threshold not below its own. */
static struct zero widened(const struct histogram *h, const struct histogram *comp, double threshold)
{
    struct zero z;
    do {
        z = (struct zero){ threshold, h->zero_count, comp ? comp->zero_count : 0 };
        if (threshold == h->zero_threshold)
            return z;
        take_side(h, comp, false, &z);
        if (!take_side(h, comp, true, &z))
            return z;
        threshold = z.threshold;                   /* the positive side has to be told anew */
    } while (true);
}

static void drop_within(const struct histogram *h, struct hist_buckets *side, struct hist_buckets *comp)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < side->n; i++) {
        int32_t index = side->index[i];
        bool within = hist_bound(h, index == INT32_MIN ? index : index - 1) < h->zero_threshold;
        if (within || (side->count[i] == 0 && (!comp || comp->count[i] == 0)))
            continue;
        side->index[n] = index;
        side->count[n] = side->count[i];
        if (comp)
            comp->count[n] = comp->count[i];
        n++;
    }
    side->n = n;
    if (comp)
        comp->n = n;
}

/* Brings a to a common threshold with b; returns b's zero bucket at that threshold. */
static struct zero common_zero(struct histogram *a, struct histogram *comp, const struct histogram *b)
{
    struct zero z = { b->zero_threshold, b->zero_count, 0 };
    while (z.threshold < a->zero_threshold || z.threshold > a->zero_threshold) {
        if (a->zero_threshold > z.threshold)
            z = widened(b, NULL, a->zero_threshold);
        if (z.threshold > a->zero_threshold) {
            struct zero own = widened(a, comp, z.threshold);
            a->zero_threshold = own.threshold;
            a->zero_count = own.count;
            if (comp)
                comp->zero_count = own.comp;
            drop_within(a, &a->pos, comp ? &comp->pos : NULL);
            drop_within(a, &a->neg, comp ? &comp->neg : NULL);
        }
    }
    return z;
}

/* ---- buckets --------------------------------------------------------------- */

/* a and comp in a coarser schema. */
static void coarsen_own(struct arena *mem, struct histogram *a, struct histogram *comp, int32_t schema)
{
    if (!comp) {
        *a = histogram_coarsen(mem, a, schema);
        return;
    }
    struct histogram sums = histogram_coarsen(mem, a, schema), lost = histogram_coarsen(mem, comp, schema);
    *a = sums;
    *comp = lost;
    comp->pos.index = a->pos.index;
    comp->neg.index = a->neg.index;
    CHECK(a->pos.n == comp->pos.n && a->neg.n == comp->neg.n);
}

/* How many of b's buckets a has not. */
static uint32_t missing(const struct hist_buckets *a, const struct hist_buckets *b, uint32_t from)
{
    uint32_t n = 0;
    for (uint32_t i = 0, k = from; k < b->n; k++) {
        while (i < a->n && a->index[i] < b->index[k])
            i++;
        n += i == a->n || a->index[i] != b->index[k];
    }
    return n;
}

/* Room for `more` buckets: the old ones at the end of the new list, so that the merge
 * below can write from its beginning. */
static void make_room(struct arena *mem, struct hist_buckets *a, struct hist_buckets *comp, uint32_t more)
{
    struct hist_buckets grown = { arena_new(mem, int32_t, a->n + more), arena_new(mem, double, a->n + more), a->n };
    memcpy(grown.index + more, a->index, sizeof *a->index * a->n);
    memcpy(grown.count + more, a->count, sizeof *a->count * a->n);
    *a = grown;
    if (!comp)
        return;
    double *lost = arena_new(mem, double, comp->n + more);
    memcpy(lost + more, comp->count, sizeof *lost * comp->n);
    *comp = (struct hist_buckets){ a->index, lost, a->n };
}

/* a += sign * b, from b's bucket `from` on. */
static void merge(struct arena *mem, struct hist_buckets *a, struct hist_buckets *comp, const struct hist_buckets *b,
                  uint32_t from, double sign)
{
    uint32_t more = from < b->n ? missing(a, b, from) : 0, out = 0;
    if (more)
        make_room(mem, a, comp, more);
    uint32_t i = more, end = a->n + more;
    for (uint32_t k = from; i < end || k < b->n;) {
        bool of_a = i < end && (k >= b->n || a->index[i] <= b->index[k]);
        bool of_b = k < b->n && (!of_a || a->index[i] == b->index[k]);
        int32_t index = of_a ? a->index[i] : b->index[k];
        double sum = of_a ? a->count[i] : 0, lost = of_a && comp ? comp->count[i] : 0;
        if (of_b)
            inc(&sum, comp ? &lost : NULL, sign * b->count[k]);
        i += of_a;
        k += of_b;
        a->index[out] = index;
        a->count[out] = sum;
        if (comp)
            comp->count[out] = lost;
        out++;
    }
    CHECK(out == end);
    a->n = end;
    if (comp)
        *comp = (struct hist_buckets){ a->index, comp->count, end };
}

/* The first bucket of a side that ends beyond the zero bucket. */
static uint32_t beyond_zero(const struct histogram *h, const struct hist_buckets *side)
{
    uint32_t i = 0;
    while (i < side->n && hist_bound(h, side->index[i]) <= h->zero_threshold)
        i++;
    return i;
}

/* ---- custom bounds --------------------------------------------------------- */

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    return a->nbounds == b->nbounds && (!a->nbounds || memcmp(a->bounds, b->bounds, sizeof *a->bounds * a->nbounds) == 0);
}

static const double *shared_bounds(struct arena *mem, const struct histogram *a, const struct histogram *b, uint32_t *ret_n)
{
    double *out = arena_new(mem, double, MIN(a->nbounds, b->nbounds));
    uint32_t n = 0;
    for (uint32_t i = 0, k = 0; i < a->nbounds && k < b->nbounds;) {
        if (a->bounds[i] == b->bounds[k]) {
            out[n++] = a->bounds[i];
            i++;
            k++;
        } else if (a->bounds[i] < b->bounds[k]) {
            i++;
        } else {
            k++;
        }
    }
    *ret_n = n;
    return out;
}

/* Adds h's buckets (or those of its comp) to counts of coarser bounds. */
static void tell_by(const struct histogram *h, const double *counts, const double *bounds, uint32_t n, double sign,
                    double *ret, double *ret_comp)
{
    uint32_t to = 0;
    for (uint32_t i = 0; i < h->pos.n; i++) {
        double upper = hist_bound(h, h->pos.index[i]);
        while (to < n && bounds[to] < upper)
            to++;
        inc(&ret[to], ret_comp ? &ret_comp[to] : NULL, sign * counts[i]);
    }
}

static void list_all(struct arena *mem, double *counts, uint32_t n, struct hist_buckets *ret)
{
    *ret = (struct hist_buckets){ arena_new(mem, int32_t, n), counts, n };
    for (uint32_t i = 0; i < n; i++)
        ret->index[i] = (int32_t)i;
}

static void merge_by_shared(struct arena *mem, struct histogram *a, struct histogram *comp, const struct histogram *b,
                            double sign)
{
    uint32_t n;
    const double *bounds = shared_bounds(mem, a, b, &n);
    double *sums = arena_new(mem, double, n + 1), *lost = comp ? arena_new(mem, double, n + 1) : NULL;
    tell_by(a, a->pos.count, bounds, n, 1, sums, lost);
    if (comp)
        tell_by(a, comp->pos.count, bounds, n, 1, sums, lost);
    tell_by(b, b->pos.count, bounds, n, sign, sums, lost);
    list_all(mem, sums, n + 1, &a->pos);
    a->bounds = bounds;
    a->nbounds = n;
    if (!comp) {
        hist_compact(a);
        return;
    }
    list_all(mem, lost, n + 1, &comp->pos);
    comp->bounds = bounds;
    comp->nbounds = n;
}

/* ---- together -------------------------------------------------------------- */

/* A gauge makes a gauge; "unknown" makes unknown; reset and no reset are at odds. */
static void join_hints(struct histogram *a, const struct histogram *b, uint32_t *remarks)
{
    if (a->hint == b->hint)
        return;
    if (a->hint == HINT_GAUGE || b->hint == HINT_GAUGE) {
        a->hint = HINT_GAUGE;
        return;
    }
    if (a->hint != HINT_UNKNOWN && b->hint != HINT_UNKNOWN)
        *remarks |= HIST_COLLISION;
    a->hint = HINT_UNKNOWN;
}

static bool combine(struct arena *mem, struct histogram *a, struct histogram *comp, const struct histogram *b, double sign,
                    uint32_t *remarks)
{
    bool custom = a->schema == HIST_CUSTOM;
    if (custom != (b->schema == HIST_CUSTOM)) {
        *remarks |= HIST_INCOMPATIBLE;
        return false;
    }
    join_hints(a, b, remarks);
    a->integer &= b->integer;
    if (!custom)
        inc(&a->zero_count, comp ? &comp->zero_count : NULL, sign * common_zero(a, comp, b).count);
    inc(&a->count, comp ? &comp->count : NULL, sign * b->count);
    inc(&a->sum, comp ? &comp->sum : NULL, sign * b->sum);
    if (custom && !same_bounds(a, b)) {
        *remarks |= HIST_RECONCILED;
        merge_by_shared(mem, a, comp, b, sign);
        return true;
    }
    struct histogram other = *b;
    if (!custom && b->schema < a->schema)
        coarsen_own(mem, a, comp, b->schema);
    else if (!custom && b->schema > a->schema)
        other = histogram_coarsen(mem, b, a->schema);
    other.zero_threshold = a->zero_threshold;
    merge(mem, &a->pos, comp ? &comp->pos : NULL, &other.pos, custom ? 0 : beyond_zero(&other, &other.pos), sign);
    merge(mem, &a->neg, comp ? &comp->neg : NULL, &other.neg, custom ? 0 : beyond_zero(&other, &other.neg), sign);
    return true;
}

bool hist_add(struct arena *mem, struct histogram *a, const struct histogram *b, uint32_t *remarks)
{
    return combine(mem, a, NULL, b, 1, remarks);
}

bool hist_sub(struct arena *mem, struct histogram *a, const struct histogram *b, uint32_t *remarks)
{
    return combine(mem, a, NULL, b, -1, remarks);
}

/* ---- compensated sums ------------------------------------------------------ */

static struct histogram *no_loss(struct arena *mem, const struct histogram *of)
{
    struct histogram *c = arena_new(mem, struct histogram, 1);
    *c = (struct histogram){ .schema = of->schema, .bounds = of->bounds, .nbounds = of->nbounds };
    c->pos = (struct hist_buckets){ of->pos.index, arena_new(mem, double, of->pos.n + 1), of->pos.n };
    c->neg = (struct hist_buckets){ of->neg.index, arena_new(mem, double, of->neg.n + 1), of->neg.n };
    return c;
}

static bool overflows(const struct histogram *h)
{
    bool over = isinf(h->count) || isinf(h->sum) || isinf(h->zero_count);
    for (uint32_t i = 0; i < h->pos.n; i++)
        over |= isinf(h->pos.count[i]) != 0;
    for (uint32_t i = 0; i < h->neg.n; i++)
        over |= isinf(h->neg.count[i]) != 0;
    return over;
}

static struct histogram *copy_loss(struct arena *mem, const struct histogram *comp, const struct histogram *of)
{
    struct histogram *c = hist_copy(mem, comp);
    c->pos.index = of->pos.index;
    c->neg.index = of->neg.index;
    return c;
}

/* The mean moves a step: (n - 1)/n of what it was, and an nth of h. */
static bool step(struct arena *mem, struct hist_sum *s, const struct histogram *h)
{
    double share = (s->n - 1) / s->n;
    struct histogram *part = hist_copy(mem, h);
    hist_div(part, s->n);
    hist_mul(s->sum, share);
    hist_mul(s->comp, share);
    return combine(mem, s->sum, s->comp, part, 1, &s->remarks);
}

bool hist_sum_add(struct arena *mem, struct hist_sum *s, const struct histogram *h)
{
    s->reset |= h->hint == HINT_RESET;
    s->no_reset |= h->hint == HINT_NO_RESET;
    s->n++;
    if (!s->sum) {
        s->sum = hist_copy(mem, h);
        return true;
    }
    if (!s->comp)
        s->comp = no_loss(mem, s->sum);
    if (s->stepwise)
        return step(mem, s, h);
    if (!s->mean)
        return combine(mem, s->sum, s->comp, h, 1, &s->remarks);
    /* Where adding would overflow, the mean takes over from the sum before it. */
    struct histogram *sum = hist_copy(mem, s->sum), *comp = copy_loss(mem, s->comp, sum);
    if (!combine(mem, sum, comp, h, 1, &s->remarks))
        return false;
    if (!overflows(sum)) {
        s->sum = sum;
        s->comp = comp;
        return true;
    }
    s->stepwise = true;
    hist_div(s->sum, s->n - 1);
    hist_div(s->comp, s->n - 1);
    return step(mem, s, h);
}

struct histogram *hist_sum_end(struct arena *mem, struct hist_sum *s)
{
    CHECK(s->sum);
    s->remarks &= ~(uint32_t)HIST_COLLISION;       /* by the hints of all, not of neighbours */
    if (s->reset && s->no_reset)
        s->remarks |= HIST_COLLISION;
    if (s->mean && !s->stepwise) {
        hist_div(s->sum, s->n);
        if (s->comp)
            hist_div(s->comp, s->n);
    }
    if (s->comp) {
        uint32_t ignored = 0;
        s->comp->hint = s->sum->hint;
        s->comp->zero_threshold = s->sum->zero_threshold;
        s->comp->schema = s->sum->schema;
        bool ok = hist_add(mem, s->sum, s->comp, &ignored);
        CHECK(ok);
    }
    hist_compact(s->sum);
    return s->sum;
}

/* ---- resets ---------------------------------------------------------------- */

/* Is any bucket of `before`, from `from` on, more than what it is now? */
static bool fell(const struct hist_buckets *now, const struct hist_buckets *before, uint32_t from)
{
    for (uint32_t i = 0, k = from; k < before->n; k++) {
        while (i < now->n && now->index[i] < before->index[k])
            i++;
        bool there = i < now->n && now->index[i] == before->index[k];
        if (there ? now->count[i] < before->count[k] : before->count[k] != 0)
            return true;
    }
    return false;
}

static bool custom_fell(struct arena *mem, const struct histogram *now, const struct histogram *before)
{
    uint32_t n;
    const double *bounds = shared_bounds(mem, now, before, &n);
    double *a = arena_new(mem, double, n + 1), *b = arena_new(mem, double, n + 1);
    tell_by(now, now->pos.count, bounds, n, 1, a, NULL);
    tell_by(before, before->pos.count, bounds, n, 1, b, NULL);
    for (uint32_t i = 0; i <= n; i++)
        if (a[i] < b[i])
            return true;
    return false;
}

bool hist_is_reset(struct arena scratch, const struct histogram *now, const struct histogram *before)
{
    if (now->hint == HINT_RESET || now->hint == HINT_NO_RESET)
        return now->hint == HINT_RESET;
    if (now->count < before->count)
        return true;
    if (now->schema == HIST_CUSTOM && before->schema != HIST_CUSTOM)
        return true;
    if (now->schema == HIST_CUSTOM)
        return same_bounds(now, before) ? fell(&now->pos, &before->pos, 0) : custom_fell(&scratch, now, before);
    if (now->schema > before->schema || now->zero_threshold < before->zero_threshold)
        return true;
    struct zero z = widened(before, NULL, now->zero_threshold);
    if (z.threshold != now->zero_threshold || now->zero_count < z.count)
        return true;
    struct histogram old = histogram_coarsen(&scratch, before, now->schema);
    old.zero_threshold = now->zero_threshold;
    return fell(&now->pos, &old.pos, beyond_zero(&old, &old.pos)) || fell(&now->neg, &old.neg, beyond_zero(&old, &old.neg));
}
