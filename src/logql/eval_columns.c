/* logql/eval_columns.c -- the short way of a range aggregation: by columns, a block at a
 * time, without a line, a label set or a text for each row.
 *
 * Filters narrow the selection by the codes of their labels; the codes of the labels of
 * the grouping are one number, a group; the unwrapped label's code leads to its number.
 * windows_add_rows() does the rest. Series are looked up once a block for each group.
 *
 * What is not told by columns alone (a number that is none, stages that change labels or
 * lines, groups over all labels) sends the block the long way, where the answer is the
 * same: nothing has been added before it is known that the short way will do.
 */
#include "logql/range_job.h"
#include "logql/stage.h"

enum state { NUMBER_UNKNOWN, NUMBER_IS, NUMBER_NONE, NUMBER_BAD };

/* Stages [from, to) as filters; false: one of them is more than that. */
static bool choose(struct range_job *j, uint32_t from, uint32_t to, struct selection *s)
{
    for (uint32_t i = from; i < to; i++) {
        const struct bound_stage *step = &j->pipe.steps[i];
        if (!step->def->choose || !step->def->choose(step->arg, &j->pipe, s))
            return false;
    }
    return true;
}

/* ---- what a row counts ------------------------------------------------------------------------- */

static enum state read_number(struct range_job *j, const struct value *v, double *ret)
{
    char scratch[VALUE_TEXT_MAX];
    enum conversion conv = j->r->unwrap.conv;
    if (!value_is_label(v))
        return NUMBER_NONE;
    bool ok = conv == CONV_NONE ? value_num(v, ret) : range_convert(conv, value_text(v, scratch), ret);
    return ok ? NUMBER_IS : NUMBER_BAD;
}

/* Leaves the rows that have a number, and reads each number that occurs. */
static bool read_coded_numbers(struct range_job *j, const struct column *c, struct selection *s, uint8_t *mask)
{
    struct column_job *job = &j->columns;
    uint8_t *states = arena_new(&j->pipe.bind.mem, uint8_t, c->ndict);
    double *values = arena_raw(&j->pipe.bind.mem, double, c->ndict);
    uint32_t code[CODES_STRIP];
    job->values = values;
    for (uint32_t from = 0; from < s->n; from += CODES_STRIP) {
        uint32_t n = MIN(s->n - from, (uint32_t)CODES_STRIP);
        codes_read(c, s, from, n, code);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t *state = &states[code[i]];
            if (!*state)
                *state = (uint8_t)read_number(j, &c->dict[code[i]], &values[code[i]]);
            if (*state == NUMBER_BAD)
                return false;
            mask[from + i] = *state == NUMBER_IS;
        }
    }
    return true;
}

/* The same where the source has read the numbers. */
static bool take_numbers(struct range_job *j, const struct column *c, struct selection *s, uint8_t *mask)
{
    uint32_t code[CODES_STRIP];
    j->columns.values = c->num;
    for (uint32_t from = 0; from < s->n; from += CODES_STRIP) {
        uint32_t n = MIN(s->n - from, (uint32_t)CODES_STRIP);
        codes_read(c, s, from, n, code);
        for (uint32_t i = 0; i < n; i++) {
            bool none = is_no_number(c->num[code[i]]);
            mask[from + i] = !none;
            if (none && value_is_label(&c->dict[code[i]]))
                return false;
        }
    }
    return true;
}

/* The one column that holds the label, as plain numbers. */
static const struct column *plain_numbers(const struct range_job *j)
{
    const struct binding *b = &j->pipe.bind;
    const struct bound *stream = binding_stream(b, j->unwrap_name), *meta = binding_meta(b, j->unwrap_name);
    const struct bound *l = stream ? stream : meta;
    bool single = l && !(stream && meta) && l->ncols == 1 && !l->zero_absent && j->pipe.names.plain[j->unwrap_name] == NAME_NONE;
    return single && !l->cols[0]->code ? l->cols[0] : NULL;
}

static bool read_numbers(struct range_job *j, struct selection *s)
{
    struct binding *b = &j->pipe.bind;
    uint8_t *mask = arena_new(&b->mem, uint8_t, s->n + 1);
    const struct column *c = j->r->unwrap.conv == CONV_NONE ? plain_numbers(j) : NULL;
    if (c) {
        j->columns.number = c;
        if (!c->valid)
            return true;
        for (uint32_t i = 0; i < s->n; i++) {
            uint32_t row = s->rows ? s->rows[i] : i;
            mask[i] = c->valid[row >> 3] >> (row & 7) & 1;
        }
    } else {
        if (!binding_coded(b, &j->pipe.names, j->unwrap_name, &c))
            return false;
        j->columns.number = c;
        if (!c)
            s->n = 0;
        else if (!(c->num && j->r->unwrap.conv == CONV_NONE ? take_numbers : read_coded_numbers)(j, c, s, mask))
            return false;
    }
    if (c)
        selection_keep(b, s, mask);
    return true;
}

/* How long each line is that occurs. */
static bool read_sizes(struct range_job *j)
{
    struct binding *b = &j->pipe.bind;
    const struct column *c = b->line.n ? b->line.at[0] : NULL;
    char scratch[VALUE_TEXT_MAX];
    j->columns.number = c;
    if (!c)
        return true;
    if (b->line.n != 1 || !c->code)
        return false;
    double *values = arena_raw(&b->mem, double, c->ndict);
    j->columns.values = values;
    for (uint32_t i = 0; i < c->ndict; i++) {
        struct value v = c->dict[i];
        struct str text = v.type == V_STR || v.type == V_JSON ? v.s
                          : v.type == V_BYTES ? value_text_in(&v, &b->mem) : value_text(&v, scratch);
        values[i] = (double)text.n;
    }
    return true;
}

static void strip_values(void *arg, uint32_t from, uint32_t n, double *ret)
{
    const struct range_job *j = arg;
    const struct column_job *job = &j->columns;
    const struct column *c = job->number;
    uint32_t code[CODES_STRIP];
    if (!c) {
        for (uint32_t i = 0; i < n; i++)
            ret[i] = 0;                            /* lines of no bytes */
    } else if (c->code) {
        codes_read(c, &job->rows, from, n, code);
        for (uint32_t i = 0; i < n; i++)
            ret[i] = job->values[code[i]];
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t row = job->rows.rows ? job->rows.rows[from + i] : from + i;
            ret[i] = c->type == V_INT ? (double)c->i64[row] : c->f64[row];
        }
    }
}

/* ---- groups ------------------------------------------------------------------------------------- */

static bool read_groups(struct range_job *j)
{
    struct column_job *job = &j->columns;
    struct binding *b = &j->pipe.bind;
    job->ngroups = 1;
    for (uint32_t i = 0; j->groups.mode == GROUP_BY && i < j->groups.nnames; i++) {
        const struct column *c;
        if (i == COLUMN_GROUPS_MAX || !binding_coded(b, &j->pipe.names, j->groups.names[i], &c))
            return false;
        job->group[job->n++] = c;
        if (!c)
            continue;
        if (c->ndict > WROWS_GROUPS_MAX / job->ngroups)
            return false;
        job->stride[job->n - 1] = job->ngroups;
        job->ngroups *= c->ndict;
    }
    return true;
}

static void strip_groups(void *arg, uint32_t from, uint32_t n, uint32_t *ret)
{
    const struct range_job *j = arg;
    const struct column_job *job = &j->columns;
    uint32_t code[CODES_STRIP];
    bool first = true;
    for (uint32_t k = 0; k < job->n; k++) {
        if (!job->group[k])
            continue;
        codes_read(job->group[k], &job->rows, from, n, first ? ret : code);
        for (uint32_t i = 0; !first && i < n; i++)
            ret[i] += code[i] * job->stride[k];
        first = false;
    }
    for (uint32_t i = 0; first && i < n; i++)
        ret[i] = 0;
}

/* The series of a group: its number taken apart into codes. */
static uint32_t series_of(void *arg, uint32_t group)
{
    struct range_job *j = arg;
    const struct column_job *job = &j->columns;
    const struct value *values[COLUMN_GROUPS_MAX] = { NULL };
    for (uint32_t k = job->n; k-- > 0;)
        if (job->group[k]) {
            values[k] = &job->group[k]->dict[group / job->stride[k]];
            group %= job->stride[k];
        }
    return grouper_by_values(&j->groups, j->groups.names, values, job->n);
}

/* ---- a block ------------------------------------------------------------------------------------- */

/* Where windows leave gaps, rows fall between them. */
static void leave_gaps(struct range_job *j, struct selection *s)
{
    const struct windows *w = &j->windows;
    struct binding *b = &j->pipe.bind;
    if (w->n == 1 || w->range_ns >= w->step_ns)
        return;
    uint8_t *mask = arena_new(&b->mem, uint8_t, s->n + 1);
    for (uint32_t i = 0; i < s->n; i++)
        mask[i] = windows_have(w, b->block->time_ns[s->rows ? s->rows[i] : i]);
    selection_keep(b, s, mask);
}

bool range_columns_prepare(struct range_job *j)
{
    struct column_job *job = &j->columns;
    bool unwraps = j->r->unwrap.present;
    *job = (struct column_job){ .rows = { 0 } };
    if (j->groups.mode != GROUP_BY && j->groups.mode != GROUP_NONE)
        return false;
    struct selection s = selection_of(&j->pipe.bind);
    leave_gaps(j, &s);
    if (!choose(j, 0, j->plan.nbefore, &s) || (unwraps && (!read_numbers(j, &s) || !choose(j, j->plan.nbefore, j->plan.nstages, &s))))
        return false;
    if (!unwraps && j->r->op->measure == MEASURE_BYTES && !read_sizes(j))
        return false;
    job->rows = s;
    return !s.n || read_groups(j);
}

enum err range_add_columns(struct range_job *j, struct fault *f)
{
    const struct column_job *job = &j->columns;
    bool counts = !j->r->unwrap.present && j->r->op->measure == MEASURE_LINES;
    if (!job->rows.n)
        return OK;
    j->ev->ctx->passed += job->rows.n;
    struct wrows rows = {
        .time = j->pipe.bind.block->time_ns, .rows = job->rows.rows, .n = job->rows.n, .ngroups = job->ngroups,
        .groups = strip_groups, .values = counts ? NULL : strip_values, .series = series_of, .arg = j,
    };
    return windows_add_rows(&j->windows, &rows, j->pipe.row_mem, f);
}
