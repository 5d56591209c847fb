/* logql/tmpl_run.c -- walks a template's nodes for one line.
 *
 * The first failure ends the run, as in Go; the caller keeps the line as it was.
 */
#include "logql/tmpl_int.h"

#include <stdarg.h>
#include <stdio.h>

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

bool run_fail(struct run *r, const char *fmt, ...)
{
    if (r->error.n)
        return false;
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    r->error = arena_fmt(r->mem, "template: %s: %s", r->t->name, msg);
    return false;
}

static bool eval_pipe(struct run *r, const struct pipe *pipe, struct tval dot, struct tval *ret);

static bool eval_fields(struct run *r, const struct node *n, struct tval v, struct tval *ret)
{
    for (uint32_t i = 0; i < n->nfields; i++) {
        struct str field = n->fields[i];
        struct tval next;
        if (v.kind == TV_NIL || v.kind == TV_NONE)
            return run_fail(r, "nil pointer evaluating interface {}." STR_FMT, STR_ARG(field));
        if (!tv_member(v, field, r, &next))
            return run_fail(r, "can't evaluate field " STR_FMT " in type " STR_FMT, STR_ARG(field), STR_ARG(tv_type(v)));
        v = next;
    }
    *ret = v;
    return true;
}

static bool eval_variable(struct run *r, struct str name, struct tval *ret)
{
    for (uint32_t i = r->nvars; i-- > 0;)
        if (str_eq(r->vars[i].name, name)) {
            *ret = r->vars[i].v;
            return true;
        }
    return run_fail(r, "undefined variable: " STR_FMT, STR_ARG(name));
}

static bool call(struct run *r, const struct fn_def *fn, const struct tval *args, uint32_t n, struct tval *ret)
{
    if (n < fn->min || (fn->max != FN_ANY && n > fn->max))
        return run_fail(r, "wrong number of args for " STR_FMT ": want %s%u got %u", STR_ARG(fn->name),
                        fn->max == FN_ANY ? "at least " : "", fn->min, n);
    return fn->call(r, args, n, ret);
}

static bool eval_operand(struct run *r, const struct node *n, struct tval dot, struct tval *ret)
{
    struct tval v = dot;
    switch (n->kind) {
    case NODE_DOT: break;
    case NODE_STRING: v = tv_str(n->text); break;
    case NODE_INT: v = tv_int(n->i); break;
    case NODE_FLOAT: v = tv_float(n->d); break;
    case NODE_BOOL: v = tv_bool(n->b); break;
    case NODE_NIL: v = (struct tval){ .kind = TV_NIL }; break;
    case NODE_VARIABLE:
        if (!eval_variable(r, n->text, &v))
            return false;
        break;
    case NODE_FUNCTION:
        if (!call(r, n->fn, NULL, 0, &v))
            return false;
        break;
    case NODE_PIPE:
        if (!eval_pipe(r, n->pipe, dot, &v))
            return false;
        break;
    default: CHECK(!"a statement is no operand");
    }
    return eval_fields(r, n, v, ret);
}

/* and, or: arguments are looked at only as far as needed. */
static bool eval_short_circuit(struct run *r, const struct command *c, struct tval dot, const struct tval *last, struct tval *ret)
{
    bool is_and = str_eq(c->args.at[0]->fn->name, S("and"));
    uint32_t n = c->args.n + (last != NULL);
    for (uint32_t i = 1; i < n; i++) {
        if (i < c->args.n && !eval_operand(r, c->args.at[i], dot, ret))
            return false;
        if (i >= c->args.n)
            *ret = *last;
        if (tv_truth(*ret, r) != is_and)
            return true;
    }
    return n > 1 || run_fail(r, "wrong number of args for %s: want at least 1 got 0", is_and ? "and" : "or");
}

/* `last` is what the command before it in the pipeline gave. */
static bool eval_command(struct run *r, const struct command *c, struct tval dot, const struct tval *last, struct tval *ret)
{
    const struct node *first = c->args.at[0];
    if (first->kind != NODE_FUNCTION || first->nfields)
        return eval_operand(r, first, dot, ret);
    if (str_eq(first->fn->name, S("and")) || str_eq(first->fn->name, S("or")))
        return eval_short_circuit(r, c, dot, last, ret);
    uint32_t n = c->args.n - 1;
    struct tval *args = arena_new(r->mem, struct tval, n + 1);
    for (uint32_t i = 0; i < n; i++)
        if (!eval_operand(r, c->args.at[i + 1], dot, &args[i]))
            return false;
    if (last)
        args[n++] = *last;
    return call(r, first->fn, args, n, ret);
}

static bool set_variable(struct run *r, struct str name, bool assign, struct tval v)
{
    if (assign)
        for (uint32_t i = r->nvars; i-- > 0;)
            if (str_eq(r->vars[i].name, name)) {
                r->vars[i].v = v;
                return true;
            }
    if (r->nvars == RUN_VARS_MAX)
        return run_fail(r, "more than %d variables", RUN_VARS_MAX);
    r->vars[r->nvars++] = (struct variable){ name, v };
    return true;
}

static bool eval_commands(struct run *r, const struct pipe *pipe, struct tval dot, struct tval *ret)
{
    struct tval v = { 0 };
    if (++r->steps > TMPL_STEPS_MAX)
        return run_fail(r, "more than %d steps", TMPL_STEPS_MAX);
    for (uint32_t i = 0; i < pipe->ncmds; i++) {
        struct tval next;
        if (!eval_command(r, &pipe->cmds[i], dot, i ? &v : NULL, &next))
            return false;
        v = next;
    }
    *ret = v;
    return true;
}

static bool eval_pipe(struct run *r, const struct pipe *pipe, struct tval dot, struct tval *ret)
{
    if (!eval_commands(r, pipe, dot, ret))
        return false;
    return !pipe->nvars || set_variable(r, pipe->vars[0], pipe->assign, *ret);
}

/* ---- statements ------------------------------------------------------------------------------ */

static enum flow run_list(struct run *r, const struct node_list *l, struct tval dot);

static enum flow run_range(struct run *r, const struct node *n, struct tval dot)
{
    struct tval v;
    if (!eval_commands(r, n->pipe, dot, &v))
        return FLOW_FAILED;
    if (v.kind == TV_STR || v.kind == TV_FLOAT || v.kind == TV_BOOL || v.kind == TV_TIME) {
        run_fail(r, "range can't iterate over " STR_FMT, STR_ARG(tv_text(v, r)));
        return FLOW_FAILED;
    }
    bool none = v.kind == TV_NIL || v.kind == TV_NONE;
    uint32_t count = v.kind == TV_INT ? (uint32_t)MAX(0, MIN(v.i, TMPL_STEPS_MAX)) : none ? 0 : tv_count(v, r);
    uint32_t vars = r->nvars;
    for (uint32_t i = 0; i < count; i++) {
        struct tval key = tv_int(i), element = tv_int(i);
        if (v.kind != TV_INT && !tv_element(v, i, r, &key, &element))
            break;
        bool ok = n->pipe->nvars < 2 || set_variable(r, n->pipe->vars[0], n->pipe->assign, key);
        if (ok && n->pipe->nvars)
            ok = set_variable(r, n->pipe->vars[n->pipe->nvars - 1], n->pipe->assign, element);
        enum flow f = ok ? run_list(r, &n->body, element) : FLOW_FAILED;
        r->nvars = n->pipe->assign ? r->nvars : vars;
        if (f == FLOW_FAILED)
            return f;
        if (f == FLOW_BREAK)
            break;
    }
    return count ? FLOW_ON : run_list(r, &n->other, dot);
}

static enum flow run_node(struct run *r, const struct node *n, struct tval dot)
{
    struct tval v;
    if (++r->steps > TMPL_STEPS_MAX) {
        run_fail(r, "more than %d steps", TMPL_STEPS_MAX);
        return FLOW_FAILED;
    }
    switch (n->kind) {
    case NODE_TEXT: buf_str(&r->out, n->text); return FLOW_ON;
    case NODE_BREAK: return FLOW_BREAK;
    case NODE_CONTINUE: return FLOW_CONTINUE;
    case NODE_RANGE: return run_range(r, n, dot);
    case NODE_ACTION:
        if (!eval_pipe(r, n->pipe, dot, &v))
            return FLOW_FAILED;
        if (!n->pipe->nvars)
            buf_str(&r->out, tv_text(v, r));
        return r->error.n ? FLOW_FAILED : FLOW_ON;
    case NODE_IF:
    case NODE_WITH: {
        uint32_t vars = r->nvars;
        if (!eval_pipe(r, n->pipe, dot, &v))
            return FLOW_FAILED;
        bool truth = tv_truth(v, r);
        enum flow f = run_list(r, truth ? &n->body : &n->other, truth && n->kind == NODE_WITH ? v : dot);
        r->nvars = vars;
        return f;
    }
    default: CHECK(!"an operand is no statement");
    }
    return FLOW_FAILED;
}

static enum flow run_list(struct run *r, const struct node_list *l, struct tval dot)
{
    for (uint32_t i = 0; i < l->n; i++) {
        enum flow f = run_node(r, l->at[i], dot);
        if (f != FLOW_ON)
            return f;
    }
    return FLOW_ON;
}

bool tmpl_run(const struct tmpl *t, struct entry *e, struct str *ret, struct str *ret_error)
{
    if (t->simple.n) {
        if (!entry_get(e, names_id(&e->p->names, t->simple), ret))
            *ret = S("");
        return true;
    }
    struct run r = { .t = t, .e = e, .mem = &e->mem };
    struct tval dot = { .kind = TV_LABELS };
    buf_init(&r.out, TMPL_OUT_MAX);
    r.vars[r.nvars++] = (struct variable){ S("$"), dot };
    enum flow f = run_list(&r, &t->root, dot);
    if (r.out.bad)
        run_fail(&r, "output is longer than %d bytes", TMPL_OUT_MAX);
    *ret_error = r.error;
    *ret = arena_str(&e->mem, buf_view(&r.out));
    buf_done(&r.out);
    return f != FLOW_FAILED && !r.error.n;
}
