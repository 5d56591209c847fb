/* promql/fn_info.c -- info(): adds the labels of info metrics to series.
 *
 * An info series (target_info unless the second argument names others) belongs to the
 * series that have its `instance` and `job`. Of several at one step the one with the
 * newest sample counts. With matchers, only the labels they name are added, and a
 * series without a match goes, unless all of them match the empty text.
 */
#include "promql/functions_int.h"

static const struct str identifying[] = { S("instance"), S("job") };
enum { NIDENTIFYING = 2 };

/* Info series of one metric name and one target. */
struct group {
    uint32_t target;                               /* number of its identifying labels */
    uint32_t *series;
    uint32_t n, cap;
};

struct info {
    struct eval *ev;
    const struct selector *sel;                    /* the second argument; NULL: none */
    struct vec base, infos;                        /* infos: values are the samples' times */
    struct keyset targets;
    struct group *groups;
    uint32_t ngroups, cap;
};

static bool is_name(const struct matcher *m)
{
    return str_eq(m->label, S("__name__"));
}

static bool names_given(const struct info *in)
{
    for (uint32_t i = 0; in->sel && i < in->sel->nmatchers; i++)
        if (is_name(&in->sel->matchers[i]))
            return true;
    return false;
}

/* Series that are info series themselves stay as they are. */
static bool is_info(const struct info *in, struct labels l)
{
    struct str name = labels_get(l, S("__name__"));
    if (!in->sel)
        return str_eq(name, S("target_info"));
    for (uint32_t i = 0; i < in->sel->nmatchers; i++)
        if (is_name(&in->sel->matchers[i]) && !matcher_test(&in->sel->matchers[i], name))
            return false;
    return names_given(in);
}

/* Is a label of an info series added? */
static bool wanted(const struct info *in, struct str label)
{
    if (str_eq(label, S("__name__")))
        return false;
    bool any = false;
    for (uint32_t i = 0; in->sel && i < in->sel->nmatchers; i++) {
        if (is_name(&in->sel->matchers[i]))
            continue;
        any = true;
        if (str_eq(in->sel->matchers[i].label, label))
            return true;
    }
    return !any;
}

static bool stays_without_match(const struct info *in)
{
    for (uint32_t i = 0; in->sel && i < in->sel->nmatchers; i++)
        if (!is_name(&in->sel->matchers[i]) && !matcher_test(&in->sel->matchers[i], S("")))
            return false;
    return true;
}

static enum err load(struct info *in, struct fault *f)
{
    struct arena *mem = in->ev->q->mem;
    struct selector s = { 0 };
    uint32_t n = in->sel ? in->sel->nmatchers : 0;
    s.matchers = arena_new(mem, struct matcher, n + 1);
    for (uint32_t i = 0; i < n; i++)
        s.matchers[s.nmatchers++] = in->sel->matchers[i];
    if (!names_given(in))
        s.matchers[s.nmatchers++] = (struct matcher){
            .op = MATCH_EQ, .label = S("__name__"), .value = S("target_info"), .places = 1u << PLACE_LABEL,
        };
    return eval_selector(in->ev, &s, true, NULL, &in->infos, f);
}

/* Groups by name and target; the number of a target is shared with base series. */
static void find_groups(struct info *in)
{
    static const struct str names[] = { S("__name__"), S("instance"), S("job") };
    struct arena *mem = in->ev->q->mem;
    CLEANUP(keyset_done) struct keyset keys;
    keyset_init(&keys, mem);
    for (uint32_t i = 0; i < in->infos.n; i++) {
        bool fresh, ignored;
        uint32_t id = keyset_id(&keys, in->infos.at[i].labels, names, LEN(names), true, &fresh);
        if (fresh)
            *arena_push(mem, in->groups, in->ngroups, in->cap) = (struct group){
                .target = keyset_id(&in->targets, in->infos.at[i].labels, identifying, NIDENTIFYING, true, &ignored),
            };
        struct group *g = &in->groups[id];
        *arena_push(mem, g->series, g->n, g->cap) = i;
    }
}

/* The info series that counts at a step; UINT32_MAX: none. */
static enum err newest(struct info *in, const struct group *g, uint32_t step, uint32_t *ret, struct fault *f)
{
    double at = 0;
    *ret = UINT32_MAX;
    for (uint32_t k = 0; k < g->n; k++) {
        double t = tser_at(&in->infos.at[g->series[k]], step);
        if (value_is_absent(t))
            continue;
        if (*ret != UINT32_MAX && t == at)
            return query_error(in->ev->q, f, E_EXEC,
                               "found duplicate series for info metric: existing " STR_FMT " @ %.0f, new " STR_FMT " @ %.0f",
                               STR_ARG(labels_text_plain(in->ev->q->mem, in->infos.at[*ret].labels)), at * 1000,
                               STR_ARG(labels_text_plain(in->ev->q->mem, in->infos.at[g->series[k]].labels)), t * 1000);
        if (*ret == UINT32_MAX || t > at) {
            *ret = g->series[k];
            at = t;
        }
    }
    return OK;
}

/* Labels of `from` that are wanted and not in `base`, on top of `to`. */
static enum err add_labels(struct info *in, struct labels base, struct labels from, struct labels *to, struct fault *f)
{
    for (uint32_t i = 0; i < from.n; i++) {
        const struct label *l = &from.at[i];
        if (!wanted(in, l->name) || labels_get(base, l->name).n)
            continue;
        struct str there = labels_get(*to, l->name);
        if (there.n && !str_eq(there, l->value))
            return query_error(in->ev->q, f, E_EXEC, "conflicting label: " STR_FMT, STR_ARG(l->name));
        *to = labels_set(in->ev->q->mem, *to, l->name, l->value);
    }
    return OK;
}

/* Is the same info series chosen by each group as at the step before? */
static bool same_choice(const uint32_t *a, const uint32_t *b, uint32_t n)
{
    return memcmp(a, b, sizeof *a * n) == 0;
}

static enum err enrich(struct info *in, const struct tser *s, struct vec *ret, struct fault *f)
{
    struct arena *mem = in->ev->q->mem;
    bool fresh, known = false;
    uint32_t target = keyset_id(&in->targets, s->labels, identifying, NIDENTIFYING, true, &fresh);
    uint32_t *choice = arena_new(mem, uint32_t, in->ngroups + 1), *before = arena_new(mem, uint32_t, in->ngroups + 1);
    uint32_t out = UINT32_MAX;                     /* index of the series that the step's value goes to */
    for (uint32_t i = 0; i < s->n; i++) {
        if (!tser_has(s, i))
            continue;
        bool any = false;
        struct labels l = s->labels;
        for (uint32_t g = 0; g < in->ngroups; g++) {
            choice[g] = UINT32_MAX;
            enum err e = in->groups[g].target == target ? newest(in, &in->groups[g], s->from + i, &choice[g], f) : OK;
            if (e)
                return e;
            any |= choice[g] != UINT32_MAX;
        }
        if (!known || !same_choice(choice, before, in->ngroups)) {
            out = UINT32_MAX;
            for (uint32_t g = 0; g < in->ngroups; g++) {
                enum err e = choice[g] == UINT32_MAX ? OK : add_labels(in, s->labels, in->infos.at[choice[g]].labels, &l, f);
                if (e)
                    return e;
            }
            if (any || stays_without_match(in)) {
                out = ret->n;
                vec_add(in->ev->q, ret, l, s->from, s->n);
            }
            memcpy(before, choice, sizeof *choice * in->ngroups);
            known = true;
        }
        if (out != UINT32_MAX)
            tser_copy(in->ev->q, &ret->at[out], i, s, i);
    }
    return query_check(in->ev->q, f);
}

static enum err run(struct info *in, struct vec *ret, struct fault *f)
{
    enum err e = load(in, f);
    if (e)
        return e;
    find_groups(in);
    for (uint32_t s = 0; s < in->base.n && !e; s++) {
        const struct tser *t = &in->base.at[s];
        if (is_info(in, t->labels))
            *vec_add(in->ev->q, ret, t->labels, t->from, t->n) = *t;
        else
            e = enrich(in, t, ret, f);
    }
    vec_trim(ret);
    return e;
}

static enum err fn_info(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    struct info in = { .ev = ev, .sel = call->call.nargs > 1 ? expr_selector(call->call.args[1]) : NULL };
    enum err e = eval_vector(ev, call->call.args[0], &in.base, f);
    if (e)
        return e;
    keyset_init(&in.targets, ev->q->mem);
    e = run(&in, ret, f);
    keyset_done(&in.targets);
    return e;
}

const struct fn_def fns_info[] = {
    { S("info"), { T_VECTOR, T_VECTOR }, 1, T_VECTOR, FN_VECTOR, 0, .vector = fn_info },
    { .name = { 0 } },
};
