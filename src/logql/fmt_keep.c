/* logql/fmt_keep.c -- `drop` and `keep`: labels by name or by matcher.
 *
 * keep does not walk the labels of each line: it leaves a rule in the entry that every
 * look into the columns asks, so that a line with forty labels costs no more than one
 * with two. Errors are labels here as well, except that keep never removes them.
 */
#include "logql/keep.h"
#include "logql/stage.h"

struct named {
    struct str name;
    bool matches;                                  /* only when the matcher matches */
    struct matcher matcher;
};

struct named_list {
    struct named *at;
    uint32_t n, cap;
};

struct keep_rule {
    const struct named_list *list;
    uint32_t *names;                               /* ids, as in list */
    const struct keep_rule *before;                /* of this line's earlier keep */
};

/* ---- parsing and printing --------------------------------------------------------- */

/* list := (IDENT | matcher) { "," (IDENT | matcher) } */
static enum err list_parse(struct parser *p, struct stage *s)
{
    struct named_list *list = arena_new(p->mem, struct named_list, 1);
    s->arg = list;
    for (;;) {
        if (list->n == LOGQL_NAMES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "more than %d names in one list", LOGQL_NAMES_MAX);
        struct named *at = arena_push(p->mem, list->at, list->n, list->cap);
        enum err e = parser_take(p, T_IDENT, "IDENTIFIER", &at->name);
        at->matches = !e && is_match_op(p->tok.kind);
        if (at->matches)
            e = parse_matcher_tail(p, at->name, &at->matcher);
        if (e || p->tok.kind != T_COMMA)
            return e;
        e = parser_next(p);
        if (e)
            return e;
    }
}

static void list_print(const struct stage *s, struct buf *b)
{
    const struct named_list *list = s->arg;
    buf_str(b, S("| "));
    buf_str(b, s->def->word);
    for (uint32_t i = 0; i < list->n; i++) {
        buf_byte(b, i ? ',' : ' ');
        if (list->at[i].matches)
            format_matcher(&list->at[i].matcher, b);
        else
            buf_str(b, list->at[i].name);
    }
}

static void list_needs(const struct stage *s, struct need *n)
{
    const struct named_list *list = s->arg;
    for (uint32_t i = 0; i < list->n; i++)
        need_name(n, list->at[i].name);
}

static void *list_bind(struct pipeline *p, const struct stage *s)
{
    const struct named_list *list = s->arg;
    struct keep_rule *k = arena_new(p->ctx->mem, struct keep_rule, 1);
    k->list = list;
    k->names = arena_new(p->ctx->mem, uint32_t, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++)
        k->names[i] = names_id(&p->names, list->at[i].name);
    return k;
}

/* ---- keep -------------------------------------------------------------------------- */

static bool rule_allows(const struct keep_rule *k, uint32_t name, struct str value)
{
    for (uint32_t i = 0; i < k->list->n; i++)
        if (k->names[i] == name && (!k->list->at[i].matches || matcher_test(&k->list->at[i].matcher, value)))
            return true;
    return false;
}

bool keep_allows(const struct keep_rule *k, uint32_t name, struct str value)
{
    for (; k; k = k->before)
        if (!rule_allows(k, name, value))
            return false;
    return true;
}

static bool keep_run(void *bound, struct entry *e)
{
    const struct keep_rule *rule = bound;
    struct keep_rule *k = arena_new(&e->mem, struct keep_rule, 1);
    *k = (struct keep_rule){ rule->list, rule->names, e->kept };
    e->kept = k;
    for (uint32_t i = 0; i < e->nadded;) {
        if (rule_allows(rule, e->added[i].name, e->added[i].value))
            i++;
        else
            e->added[i] = e->added[--e->nadded];
    }
    return true;
}

/* ---- drop -------------------------------------------------------------------------- */

static bool drop_run(void *bound, struct entry *e)
{
    const struct keep_rule *k = bound;
    for (uint32_t i = 0; i < k->list->n; i++) {
        const struct named *at = &k->list->at[i];
        bool err = k->names[i] == e->p->err_name, details = k->names[i] == e->p->details_name;
        struct str value = err ? e->err : details ? e->err_details : S("");
        if (at->matches) {
            if (!err && !details && !entry_get(e, k->names[i], &value))
                value = S("");
            if (!matcher_test(&at->matcher, value))
                continue;
        }
        if (err)
            e->err = S("");
        else if (details)
            e->err_details = S("");
        else
            entry_remove(e, k->names[i]);
    }
    return true;
}

const struct stage_def stage_keep = {
    .word = S("keep"), .parse = list_parse, .print = list_print, .needs = list_needs, .bind = list_bind, .run = keep_run,
    .keeps_line = true, .limits = true,
};

const struct stage_def stage_drop = {
    .word = S("drop"), .parse = list_parse, .print = list_print, .needs = list_needs, .bind = list_bind, .run = drop_run,
    .keeps_line = true,
};
