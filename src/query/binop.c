/* query/binop.c -- operators between vectors, after Prometheus's matching rules.
 *
 * Series of both sides are put into groups by their matching labels. In a group
 * the "one" side may have several series as long as no two have a value at the
 * same step; so every pair of a group is computed over the steps that both have,
 * and bytes per step tell when a second match comes up. Results of equal labels
 * are merged at the end, where a second value at one step is an error as well.
 *
 * For group_right the sides are swapped on entry, so "many" is always on the left
 * here and values are swapped back when they are computed.
 */
#include "query/binop.h"

#include <math.h>

struct side {
    uint32_t *at;                                  /* indices into the vec */
    uint32_t n, cap;
};

struct mgroup {
    struct side many, one;
};

struct match_job {
    struct query_ctx *q;
    enum bin_op op;
    const struct matching *m;
    struct steps st;
    const struct vec *many, *one;
    const double *fill_many, *fill_one;
    bool swapped;
    struct mgroup *groups;
    uint32_t ngroups, cap;
    uint8_t *many_present;                         /* by step: any sample at all on that side */
    struct vec *out;
};

double bin_scalars(enum bin_op op, double a, double b)
{
    switch (op) {
    case BIN_ADD: return a + b;
    case BIN_SUB: return a - b;
    case BIN_MUL: return a * b;
    case BIN_DIV: return a / b;
    case BIN_MOD: return fmod(a, b);
    case BIN_POW: return pow(a, b);
    case BIN_ATAN2: return atan2(a, b);
    case BIN_EQ: return a == b;
    case BIN_NE: return a != b;
    case BIN_GT: return a > b;
    case BIN_LT: return a < b;
    case BIN_GE: return a >= b;
    case BIN_LE: return a <= b;
    default: break;
    }
    check_failed("set operators and trims have no numbers", __FILE__, __LINE__);
}

/* One result: a comparison keeps the left value or gives 0 or 1. */
static double element(enum bin_op op, bool bool_mode, double left, double right)
{
    double r = bin_scalars(op, left, right);
    if (!bin_is_comparison(op) || bool_mode)
        return r;
    return r != 0 ? left : value_absent();
}

static bool changes_name(enum bin_op op)
{
    return op <= BIN_ATAN2;
}

/* ---- groups ---------------------------------------------------------------- */

static void group_side(struct match_job *j, struct keyset *keys, const struct vec *v, bool many)
{
    struct query_ctx *q = j->q;
    struct str *names = arena_new(q->mem, struct str, j->m->nnames + 1);
    for (uint32_t i = 0; i < j->m->nnames; i++)
        names[i] = j->m->names[i];
    uint32_t n = j->m->nnames;
    if (!j->m->on)
        names[n++] = S("__name__");
    for (uint32_t i = 0; i < v->n; i++) {
        bool fresh;
        uint32_t id = keyset_id(keys, v->at[i].labels, names, n, j->m->on, &fresh);
        if (fresh)
            *arena_push(q->mem, j->groups, j->ngroups, j->cap) = (struct mgroup){ 0 };
        struct side *s = many ? &j->groups[id].many : &j->groups[id].one;
        *arena_push(q->mem, s->at, s->n, s->cap) = i;
    }
}

static void find_groups(struct match_job *j)
{
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, j->q->mem);
    group_side(j, &keys, j->many, true);
    group_side(j, &keys, j->one, false);
}

static uint8_t *presence(struct query_ctx *q, struct steps st, const struct vec *v, const struct side *only)
{
    uint8_t *p = arena_new(q->mem, uint8_t, st.n);
    uint32_t n = only ? only->n : v->n;
    for (uint32_t k = 0; k < n; k++) {
        const struct tser *s = &v->at[only ? only->at[k] : k];
        for (uint32_t i = 0; i < s->n; i++)
            if (tser_has(s, i))
                p[s->from + i] = 1;
    }
    return p;
}

/* ---- labels of a result ---------------------------------------------------- */

static struct labels result_labels(struct match_job *j, struct labels many, struct labels one)
{
    struct arena *mem = j->q->mem;
    struct labels l = many;
    if (changes_name(j->op))
        l = labels_drop_name(mem, l);
    if (j->m->card == ONE_TO_ONE)
        l = j->m->on ? labels_keep(mem, l, j->m->names, j->m->nnames) : labels_drop(mem, l, j->m->names, j->m->nnames);
    for (uint32_t i = 0; i < j->m->ninclude; i++)
        l = labels_set(mem, l, j->m->include[i], labels_get(one, j->m->include[i]));
    return j->m->bool_mode ? labels_drop_name(mem, l) : l;
}

static struct labels match_labels(struct match_job *j, struct labels l)
{
    struct arena *mem = j->q->mem;
    if (j->m->on)
        return labels_keep(mem, l, j->m->names, j->m->nnames);
    l = labels_drop_name(mem, l);
    return labels_drop(mem, l, j->m->names, j->m->nnames);
}

/* ---- errors ---------------------------------------------------------------- */

static enum err duplicate_one(struct match_job *j, struct labels a, struct labels b, struct fault *f)
{
    struct arena *mem = j->q->mem;
    return query_error(j->q, f, E_EXEC,
                       "found duplicate series for the match group " STR_FMT " on the %s hand-side of the operation: "
                       "[" STR_FMT ", " STR_FMT "];many-to-many matching not allowed: matching labels must be unique on one side",
                       STR_ARG(labels_text_plain(mem, match_labels(j, b))), j->swapped ? "left" : "right",
                       STR_ARG(labels_text_plain(mem, b)), STR_ARG(labels_text_plain(mem, a)));
}

static enum err twice(struct match_job *j, struct fault *f)
{
    return query_error(j->q, f, E_EXEC,
                       j->m->card == ONE_TO_ONE
                           ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                           : "multiple matches for labels: grouping labels must ensure unique matches");
}

/* No two series of the "one" side at a step where anything could match. */
static enum err check_one_side(struct match_job *j, const struct mgroup *g, struct fault *f)
{
    if (g->one.n < 2)
        return OK;
    uint32_t *owner = arena_new(j->q->mem, uint32_t, j->st.n);
    for (uint32_t k = 0; k < g->one.n; k++) {
        const struct tser *s = &j->one->at[g->one.at[k]];
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t step = s->from + i;
            if (!tser_has(s, i) || (!j->many_present[step] && !j->fill_many && !j->fill_one))
                continue;
            if (owner[step])
                return duplicate_one(j, j->one->at[owner[step] - 1].labels, s->labels, f);
            owner[step] = g->one.at[k] + 1;
        }
    }
    return OK;
}

/* ---- pairs ----------------------------------------------------------------- */

/* Bytes by step for each distinct result label set of a group: matched before? */
struct seen {
    struct keyset keys;
    uint8_t **at;
    uint32_t n, cap;
};

static uint8_t *seen_steps(struct match_job *j, struct seen *s, struct labels l)
{
    bool fresh;
    /* One-to-one: any second match of the group is one too many. */
    uint32_t id = j->m->card == ONE_TO_ONE ? keyset_all(&s->keys, (struct labels){ 0 }, &fresh)
                                           : keyset_all(&s->keys, l, &fresh);
    if (fresh)
        *arena_push(j->q->mem, s->at, s->n, s->cap) = arena_new(j->q->mem, uint8_t, j->st.n);
    return s->at[id];
}

/* False: the pair has no result, and does not count as a match. */
static bool compute(struct match_job *j, struct tser *out, uint32_t step, struct operand many, struct operand one)
{
    struct operand left = j->swapped ? one : many, right = j->swapped ? many : one, r;
    uint32_t at = step - out->from;
    if (!left.h && !right.h && j->op != BIN_TRIM_UPPER && j->op != BIN_TRIM_LOWER) {
        out->v[at] = element(j->op, j->m->bool_mode, left.v, right.v);
        return true;
    }
    if (!bin_histograms(j->q, j->op, j->m->bool_mode, left, right, &r))
        return false;
    out->v[at] = r.v;
    tser_put_hist(j->q, out, at, r.h);
    return true;
}

static struct operand operand_at(const struct tser *s, uint32_t step)
{
    return (struct operand){ s->v[step - s->from], tser_hist(s, step) };
}

/* seen == NULL: this is the group's only pair. */
static enum err pair(struct match_job *j, const struct tser *many, const struct tser *one, struct seen *seen,
                     struct fault *f)
{
    uint32_t from = MAX(many->from, one->from), end = MIN(many->from + many->n, one->from + one->n);
    if (from >= end)
        return OK;
    struct labels l = result_labels(j, many->labels, one->labels);
    uint8_t *marks = seen ? seen_steps(j, seen, l) : NULL;
    struct tser *out = vec_add(j->q, j->out, l, from, end - from);
    for (uint32_t i = from; i < end; i++) {
        if (!tser_has(many, i - many->from) || !tser_has(one, i - one->from))
            continue;
        if (!compute(j, out, i, operand_at(many, i), operand_at(one, i)))
            continue;
        if (marks && marks[i]++)
            return twice(j, f);
    }
    return OK;
}

/* Steps at which `s` has a value and the other side of the group has none. */
static enum err filled(struct match_job *j, const struct tser *s, bool s_is_many, const uint8_t *other, double fill,
                       struct seen *seen, struct fault *f)
{
    struct labels lone = match_labels(j, s->labels);
    struct labels l = s_is_many ? result_labels(j, s->labels, lone) : result_labels(j, lone, s->labels);
    uint8_t *marks = seen_steps(j, seen, l);
    struct tser *out = vec_add(j->q, j->out, l, s->from, s->n);
    struct operand filler = { fill, NULL };
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t step = s->from + i;
        if (!tser_has(s, i) || other[step])
            continue;
        struct operand own = operand_at(s, step);
        if (!compute(j, out, step, s_is_many ? own : filler, s_is_many ? filler : own))
            continue;
        if (s_is_many && marks[step]++)
            return twice(j, f);
    }
    return OK;
}

static enum err fill_group(struct match_job *j, const struct mgroup *g, struct seen *seen, struct fault *f)
{
    enum err e = OK;
    if (j->fill_one) {
        const uint8_t *other = presence(j->q, j->st, j->one, &g->one);
        for (uint32_t k = 0; k < g->many.n && !e; k++)
            e = filled(j, &j->many->at[g->many.at[k]], true, other, *j->fill_one, seen, f);
    }
    if (j->fill_many) {
        const uint8_t *other = presence(j->q, j->st, j->many, &g->many);
        for (uint32_t k = 0; k < g->one.n && !e; k++)
            e = filled(j, &j->one->at[g->one.at[k]], false, other, *j->fill_many, seen, f);
    }
    return e;
}

static enum err run_group(struct match_job *j, const struct mgroup *g, struct fault *f)
{
    enum err e = check_one_side(j, g, f);
    if (e)
        return e;
    bool fills = j->fill_many || j->fill_one;
    if (g->many.n == 1 && g->one.n == 1 && !fills)
        return pair(j, &j->many->at[g->many.at[0]], &j->one->at[g->one.at[0]], NULL, f);
    if (!fills && (!g->many.n || !g->one.n))
        return OK;
    struct seen seen = { 0 };
    keyset_init(&seen.keys, j->q->mem);
    for (uint32_t a = 0; a < g->many.n && !e; a++)
        for (uint32_t b = 0; b < g->one.n && !e; b++)
            e = pair(j, &j->many->at[g->many.at[a]], &j->one->at[g->one.at[b]], &seen, f);
    if (!e)
        e = fill_group(j, g, &seen, f);
    keyset_done(&seen.keys);
    return e ? e : query_check(j->q, f);
}

enum err vec_binop(struct query_ctx *q, enum bin_op op, const struct matching *m, struct steps st,
                   const struct vec *left, const struct vec *right, struct vec *ret, struct fault *f)
{
    CHECK(!bin_is_set(op) && m->card != MANY_TO_MANY);
    *ret = (struct vec){ 0 };
    bool swap = m->card == ONE_TO_MANY;
    struct match_job j = {
        .q = q, .op = op, .m = m, .st = st, .swapped = swap, .out = ret,
        .many = swap ? right : left,
        .one = swap ? left : right,
        .fill_many = swap ? m->fill_right : m->fill_left,
        .fill_one = swap ? m->fill_left : m->fill_right,
    };
    find_groups(&j);
    j.many_present = presence(q, st, j.many, NULL);
    for (uint32_t g = 0; g < j.ngroups; g++) {
        enum err e = run_group(&j, &j.groups[g], f);
        if (e)
            return e;
    }
    vec_trim(ret);
    return vec_merge(q, ret, f);
}

/* ---- set operators --------------------------------------------------------- */

/* The values of `s` at the steps whose mark is `wanted`. */
static void keep_steps(struct match_job *j, const struct tser *s, const uint8_t *marks, bool wanted)
{
    struct tser *out = vec_add(j->q, j->out, s->labels, s->from, s->n);
    for (uint32_t i = 0; i < s->n; i++)
        if ((marks[s->from + i] != 0) == wanted)
            tser_copy(j->q, out, i, s, i);
}

static void keep_side(struct match_job *j, bool many, bool wanted)
{
    const struct vec *v = many ? j->many : j->one;
    const uint8_t **marks = arena_new(j->q->mem, const uint8_t *, v->n);
    for (uint32_t g = 0; g < j->ngroups; g++) {
        const struct side *s = many ? &j->groups[g].many : &j->groups[g].one;
        if (!s->n)
            continue;
        const uint8_t *p = many ? presence(j->q, j->st, j->one, &j->groups[g].one)
                                : presence(j->q, j->st, j->many, &j->groups[g].many);
        for (uint32_t k = 0; k < s->n; k++)
            marks[s->at[k]] = p;
    }
    for (uint32_t i = 0; i < v->n; i++)
        keep_steps(j, &v->at[i], marks[i], wanted);
}

enum err vec_setop(struct query_ctx *q, enum bin_op op, const struct matching *m, struct steps st,
                   const struct vec *left, const struct vec *right, struct vec *ret, struct fault *f)
{
    CHECK(bin_is_set(op));
    *ret = (struct vec){ 0 };
    struct match_job j = { .q = q, .op = op, .m = m, .st = st, .many = left, .one = right, .out = ret };
    find_groups(&j);
    if (op == BIN_OR) {
        for (uint32_t i = 0; i < left->n; i++) {
            struct tser *out = vec_add(q, ret, left->at[i].labels, left->at[i].from, left->at[i].n);
            memcpy(out->v, left->at[i].v, sizeof *out->v * out->n);
            out->h = left->at[i].h;
        }
        keep_side(&j, false, false);
    } else {
        keep_side(&j, true, op == BIN_AND);
    }
    vec_trim(ret);
    enum err e = query_check(q, f);
    return e ? e : vec_merge(q, ret, f);
}

/* ---- with a scalar --------------------------------------------------------- */

/* The i-th sample of a series, a histogram or about to be trimmed, with a number. */
static void scalar_histogram(struct query_ctx *q, enum bin_op op, bool bool_mode, bool swapped, const struct tser *t,
                             uint32_t i, double scalar, struct tser *out)
{
    if (!tser_has(t, i))
        return;
    struct operand own = operand_at(t, t->from + i), other = { scalar, NULL }, r;
    if (!bin_histograms(q, op, bool_mode, swapped ? other : own, swapped ? own : other, &r))
        return;
    out->v[i] = r.v;
    tser_put_hist(q, out, i, r.h);
}

enum err vec_scalar(struct query_ctx *q, enum bin_op op, bool bool_mode, bool swapped, struct steps st,
                    const struct vec *in, const double *scalar, struct vec *ret, struct fault *f)
{
    (void)st;
    *ret = (struct vec){ 0 };
    bool drop = changes_name(op) || bool_mode, trims = op == BIN_TRIM_UPPER || op == BIN_TRIM_LOWER;
    for (uint32_t s = 0; s < in->n; s++) {
        const struct tser *t = &in->at[s];
        struct tser *out = vec_add(q, ret, drop ? labels_drop_name(q->mem, t->labels) : t->labels, t->from, t->n);
        for (uint32_t i = 0; i < t->n; i++) {
            double v = t->v[i], c = scalar[t->from + i];
            if (trims || (t->h && t->h[i])) {
                scalar_histogram(q, op, bool_mode, swapped, t, i, c, out);
                continue;
            }
            if (value_is_absent(v))
                continue;
            double r = bin_scalars(op, swapped ? c : v, swapped ? v : c);
            if (bin_is_comparison(op) && !bool_mode)
                r = r != 0 ? v : value_absent();   /* always the vector's value, on whichever side */
            out->v[i] = r;
        }
    }
    vec_trim(ret);
    enum err e = query_check(q, f);
    return e ? e : vec_merge(q, ret, f);
}
