/* promql/spelling.c -- see spelling.h. A matcher on the name that writes out another
 * spelling becomes one that lets the canonical name pass too; which of the series are
 * to be renamed is told by the original matcher: it takes the alias and not the name. */
#include "promql/spelling.h"

#include "model/names.h"

/* What is between parentheses around all of it, else all. */
static struct str alternatives(const struct matcher *m)
{
    struct str s = m->value;
    bool wrapped = m->op == MATCH_RE && s.n >= 2 && s.p[0] == '(' && s.p[s.n - 1] == ')';
    return wrapped ? str_sub(s, 1, s.n - 2) : s;
}

static bool writes_out(const struct matcher *m, struct str name)
{
    if (m->op == MATCH_EQ)
        return str_eq(m->value, name);
    for (struct str rest = alternatives(m); rest.p;)
        if (str_eq(str_cut(&rest, '|'), name))
            return true;
    return false;
}

static enum err widen(struct spelling *s, struct matcher *m, struct arena *mem, struct fault *f)
{
    struct str value = m->value;
    char mark = m->op == MATCH_EQ ? '\0' : '|';     /* a name is one alternative */
    for (struct str rest = alternatives(m); rest.p;) {
        struct str one = str_cut(&rest, mark);
        struct str canonical = metric_canonical(one);
        if (!str_eq(one, canonical) && !writes_out(m, canonical))
            value = arena_fmt(mem, STR_FMT "|" STR_FMT, STR_ARG(value), STR_ARG(canonical));
    }
    if (value.n == m->value.n)
        return OK;
    s->widened = true;
    m->op = MATCH_RE;
    m->value = value;
    return regex_new(value, REGEX_FULL, &m->re, f);
}

enum err spelling_open(const struct selector *sel, struct arena *mem, struct spelling *ret, struct fault *f)
{
    *ret = (struct spelling){
        .sel = sel,
        .matchers = arena_new(mem, struct matcher, sel->nmatchers),
        .sources = arena_new(mem, struct matcher, sel->nmatchers),
    };
    for (uint32_t i = 0; i < sel->nmatchers; i++)
        if (str_eq(sel->matchers[i].label, S("ccmon_source")))
            ret->sources[ret->nsources++] = sel->matchers[i];
        else
            ret->matchers[ret->nmatchers++] = sel->matchers[i];
    ret->show_source = ret->nsources;
    for (uint32_t i = 0; i < ret->nmatchers; i++) {
        struct matcher *m = &ret->matchers[i];
        bool names = str_eq(m->label, S("__name__")) && (m->op == MATCH_EQ || m->op == MATCH_RE);
        enum err e = names ? widen(ret, m, mem, f) : OK;
        if (e)
            return e;
    }
    return OK;
}

void spelling_close(struct spelling *s)
{
    for (uint32_t i = 0, k = 0; i < s->nmatchers; i++, k++) {
        while (str_eq(s->sel->matchers[k].label, S("ccmon_source")))
            k++;
        if (s->matchers[i].re != s->sel->matchers[k].re)
            regex_free(s->matchers[i].re);
    }
    s->nmatchers = 0;
}

struct labels spelling_labels(const struct spelling *s, struct arena *mem, struct labels found)
{
    if (!s->widened)
        return found;
    struct str name = labels_get(found, S("__name__")), alias = metric_alias(name);
    if (str_eq(alias, name))
        return found;
    for (uint32_t i = 0; i < s->sel->nmatchers; i++) {
        const struct matcher *m = &s->sel->matchers[i];
        if (str_eq(m->label, S("__name__")) && !matcher_test(m, name) && matcher_test(m, alias))
            return labels_set(mem, found, S("__name__"), alias);
    }
    return found;
}
