/* promql/eval_group.c -- aggregations pushed down to their selector.
 *
 * `sum by (model) (increase(x[1h]))` needs of a series no more than which group it is in.
 * Where an aggregation folds values one by one (query/fold.h) and stands right over a
 * selector, or over a function of a range selector, its series get the number of their group
 * when they are found (select_rows.c) and no labels, and their values go into the group at once.
 *
 * Where windows do not overlap their rows are folded as they come (tile.h).
 *
 * It is evaluated the other way when two series would be shown under the same labels, which
 * is an error or joins them, and when the query speaks of ccmon_source.
 */
#include "promql/eval_int.h"

enum { SERIES_MEMORY = 64 << 20 };                 /* budget of one series' steps; more is still given */

static const struct str metadata[] = { S("__name__"), S("__type__"), S("__unit__") };

struct tser *grouped_begin(struct grouped *g, uint32_t from, uint32_t n)
{
    arena_rewind(&g->mem);
    double *v = arena_raw(&g->mem, double, n);
    for (uint32_t i = 0; i < n; i++)
        v[i] = value_absent();
    g->series = (struct tser){ .from = from, .n = n, .v = v };
    return &g->series;
}

static void know_group(struct grouped *g, uint32_t group)
{
    CHECK(group < g->groups.n);
    while (g->folds.n <= group)
        folds_group(&g->folds, g->groups.labels[g->folds.n]);
}

void grouped_value(struct grouped *g, uint32_t group, uint32_t step, double v)
{
    know_group(g, group);
    folds_add_value(&g->folds, group, step, v);
}

void grouped_end(struct grouped *g, uint32_t group)
{
    know_group(g, group);
    folds_add(&g->folds, group, &g->series);
}

static bool is_pushed_down(const struct eval *ev, const struct expr *x, const struct expr *of)
{
    if (!agg_is_fold(x->agg.op) || x->agg.param || (of->invariant && ev->st.n > 1) || select_names_source(ev->query))
        return false;
    if (of->kind == X_SELECTOR)
        return true;
    if (of->kind != X_CALL || of->call.fn->kind != FN_WINDOW || of->call.fn->flags & FN_ABSENT)
        return false;
    for (uint32_t i = 0; i < of->call.nargs; i++)
        if (of->call.args[i]->type == T_MATRIX)
            return expr_bare(of->call.args[i])->kind == X_RANGE;
    return false;
}

/* The labels that make a group: those of `by` that are there, or all but those of `without`. */
static struct pick group_labels(struct eval *ev, const struct expr *x, bool bare)
{
    struct str *names = arena_new(ev->q->mem, struct str, x->agg.nnames + LEN(metadata));
    struct pick p = { .names = names, .keep = !x->agg.without };
    for (uint32_t i = 0; i < x->agg.nnames; i++)
        if (!bare || !p.keep || !names_have(metadata, LEN(metadata), x->agg.names[i]))
            names[p.n++] = x->agg.names[i];
    if (p.keep)
        return p;
    for (size_t i = 0; i < (bare ? LEN(metadata) : 1); i++)
        names[p.n++] = metadata[i];
    return p;
}

/* One try. ret_again: series did not come as they had to. */
static enum err evaluate(struct eval *ev, const struct expr *x, const struct expr *of, bool no_tiles, struct vec *ret,
                         bool *ret_done, bool *ret_again, struct fault *f)
{
    bool bare = of->kind == X_CALL && !(of->call.fn->flags & FN_KEEP_NAME);
    struct grouped g = { .groups = { .pick = group_labels(ev, x, bare), .bare = bare }, .no_tiles = no_tiles };
    folds_init(&g.folds, ev->q, x->agg.op, ev->st.n);
    arena_init(&g.mem, SERIES_MEMORY);
    struct vec none = { 0 };
    enum err e = of->kind == X_SELECTOR ? eval_selector(ev, &of->sel, false, &g, &none, f) : eval_window_call(ev, of, &g, &none, f);
    *ret_again = !e && !no_tiles && g.no_tiles;
    *ret_done = !e && !g.groups.clash && !*ret_again;
    if (*ret_done)
        e = folds_end(&g.folds, ret, f);
    idset_done(&g.groups.ids);
    arena_done(&g.mem);
    return e;
}

enum err eval_grouped(struct eval *ev, const struct expr *x, struct vec *ret, bool *ret_done, struct fault *f)
{
    const struct expr *of = expr_bare(x->agg.of);
    bool again;
    *ret_done = false;
    if (!is_pushed_down(ev, x, of))
        return OK;
    enum err e = evaluate(ev, x, of, false, ret, ret_done, &again, f);
    return e || !again ? e : evaluate(ev, x, of, true, ret, ret_done, &again, f);
}
