/* logql/eval_columns.c -- the short way of a range aggregation, for what dashboards ask:
 * counts or an unwrapped label by a few labels, filtered by the source alone.
 *
 * The codes of the labels are one index into a table of series, the code of the
 * unwrapped label one into a table of numbers; both are filled when first needed, the
 * long way. A row then costs a few array reads.
 */
#include "logql/range_job.h"

enum { TABLE_MAX = 1 << 16 };                      /* combinations of codes */

enum state { NUMBER_UNKNOWN, NUMBER_IS, NUMBER_NONE, NUMBER_BAD };

/* The one column that answers for the name; false: it is not that simple. */
static bool single_column(const struct range_job *j, uint32_t name, const struct column **ret)
{
    const struct binding *b = &j->pipe.bind;
    const struct bound *stream = binding_stream(b, name), *meta = binding_meta(b, name);
    const struct bound *l = stream ? stream : meta;
    *ret = NULL;
    if ((stream && meta) || j->pipe.names.plain[name] != NAME_NONE)
        return false;
    if (!l)
        return true;
    if (l->ncols != 1 || l->zero_absent || !l->cols[0]->code)
        return false;
    *ret = l->cols[0];
    return true;
}

bool range_columns_prepare(struct range_job *j)
{
    struct column_job *c = &j->columns;
    bool grouped = j->groups.mode == GROUP_BY || j->groups.mode == GROUP_NONE;
    bool measured = j->r->unwrap.present || j->r->op->measure == MEASURE_LINES;
    *c = (struct column_job){ 0 };
    if (j->plan.nstages || !grouped || !measured || (j->groups.mode == GROUP_BY && j->groups.nnames > COLUMN_GROUPS_MAX))
        return false;
    uint32_t size = 1;
    for (uint32_t i = 0; j->groups.mode == GROUP_BY && i < j->groups.nnames; i++) {
        const struct column *col;
        if (!single_column(j, j->groups.names[i], &col))
            return false;
        if (!col)
            continue;
        c->group[c->n] = col;
        c->stride[c->n++] = size;
        if (col->ndict > TABLE_MAX / size)
            return false;
        size *= col->ndict;
    }
    c->series = arena_new(&j->pipe.bind.mem, uint32_t, size);
    if (!j->r->unwrap.present)
        return true;
    if (!single_column(j, j->unwrap_name, &c->number) || !c->number)
        return false;
    c->values = arena_new(&j->pipe.bind.mem, double, c->number->ndict);
    c->states = arena_new(&j->pipe.bind.mem, uint8_t, c->number->ndict);
    return true;
}

static enum state read_number(struct range_job *j, uint32_t code)
{
    struct column_job *c = &j->columns;
    const struct value *v = &c->number->dict[code];
    char scratch[VALUE_TEXT_MAX];
    enum conversion conv = j->r->unwrap.conv;
    if (v->type == V_NONE || (v->type == V_STR && !v->s.n))
        return NUMBER_NONE;
    bool ok = conv == CONV_NONE ? value_num(v, &c->values[code]) : range_convert(conv, value_text(v, scratch), &c->values[code]);
    return ok ? NUMBER_IS : NUMBER_BAD;
}

/* The series of a row whose combination of codes is new. */
static uint32_t new_series(struct range_job *j, uint32_t row, uint32_t at)
{
    struct entry e;
    entry_begin(&e, &j->pipe, row);
    uint32_t id = grouper_id(&j->groups, &e, false);
    j->columns.series[at] = id + 1;
    return id;
}

enum err range_add_columns(struct range_job *j, struct fault *f)
{
    struct column_job *c = &j->columns;
    const struct block *b = j->pipe.bind.block;
    enum err e = OK;
    for (uint32_t i = 0; i < b->nsel && !e; i++) {
        uint32_t row = b->sel[i], at = 0;
        if (!windows_have(&j->windows, b->time_ns[row]))
            continue;
        double v = 1;
        if (c->number) {
            uint32_t code = column_code(c->number, row);
            if (c->states[code] == NUMBER_UNKNOWN)
                c->states[code] = (uint8_t)read_number(j, code);
            if (c->states[code] == NUMBER_NONE)
                continue;
            if (c->states[code] == NUMBER_BAD)
                return range_add_line(j, row, f);  /* which says what is wrong */
            v = c->values[code];
        }
        for (uint32_t k = 0; k < c->n; k++)
            at += column_code(c->group[k], row) * c->stride[k];
        uint32_t id = c->series[at] ? c->series[at] - 1 : new_series(j, row, at);
        e = windows_add(&j->windows, id, b->time_ns[row], v, f);
    }
    return e;
}
