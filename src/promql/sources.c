/* promql/sources.c -- see sources.h. A series all of whose rows are of the highest
 * origin asks nothing; the others are asked for by measure, each session once. */
#include "promql/sources.h"

#include "model/names.h"
#include "query/origins.h"

struct question {
    struct str measure;
    struct map index;                              /* session -> number */
    struct str *sessions;
    struct origin_seen *answers;
    uint32_t n, cap;
};

struct questions {
    struct question *at;
    uint32_t n, cap;
};

struct str sources_measure(struct labels l)
{
    return metric_canonical(labels_get(l, S("__name__")));
}

static bool is_concerned(const struct sighted *s)
{
    bool own = str_starts(labels_get(s->labels, S("__name__")), S("claude_code_"));
    return (s->accounted || own) && labels_get(s->labels, S("session_id")).n;
}

static bool asks(const struct sighted *s)
{
    return s->bits & ~(1u << ORIGIN_OTLP) && is_concerned(s);
}

static struct question *question_of(struct questions *all, struct arena *mem, struct str measure)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (str_eq(all->at[i].measure, measure))
            return &all->at[i];
    struct question *q = arena_push(mem, all->at, all->n, all->cap);
    *q = (struct question){ .measure = measure };
    return q;
}

static void ask(struct questions *all, struct arena *mem, const struct sighted *s)
{
    struct question *q = question_of(all, mem, sources_measure(s->labels));
    struct str session = labels_get(s->labels, S("session_id"));
    bool fresh;
    map_intern(&q->index, session, q->n, &fresh);
    if (fresh)
        *arena_push(mem, q->sessions, q->n, q->cap) = session;
}

/* What matches on ccmon_source leaves of the origins. */
static uint32_t matched(const struct spelling *sp, const struct sighted *s)
{
    struct str stored = labels_get(s->labels, S("ccmon_source"));
    uint32_t left = 0;
    for (uint32_t o = ORIGIN_OTLP; o <= ORIGIN_TRANSCRIPT; o++) {
        bool pass = s->bits >> o & 1;
        for (uint32_t i = 0; i < sp->nsources && pass; i++)
            pass = matcher_test(&sp->sources[i], stored.n ? stored : origin_text((enum origin)o));
        left |= pass ? 1u << o : 0;
    }
    return left;
}

static void use_answer(struct questions *all, struct arena *mem, const struct spelling *sp, struct sighted *s)
{
    const struct question *q = question_of(all, mem, sources_measure(s->labels));
    struct origin_seen seen = q->answers[map_get(&q->index, labels_get(s->labels, S("session_id")))];
    if (!sp->nsources)
        s->keep &= 1u << origin_first(seen.bits | s->bits);
    s->targets = seen.targets && s->accounted && s->keep >> ORIGIN_SCRAPE & 1;
}

enum err sources_decide(struct query_ctx *q, const struct spelling *sp, struct sighted *s, uint32_t n, struct fault *f)
{
    struct questions all = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        s[i].keep = matched(sp, &s[i]);
        if (asks(&s[i]))
            ask(&all, q->mem, &s[i]);
    }
    enum err e = OK;
    for (uint32_t i = 0; i < all.n && !e; i++) {
        struct question *a = &all.at[i];
        a->answers = arena_new(q->mem, struct origin_seen, a->n);
        e = origins_ask(q, a->measure, a->sessions, a->n, a->answers, f);
    }
    for (uint32_t i = 0; i < n && !e; i++)
        if (asks(&s[i]))
            use_answer(&all, q->mem, sp, &s[i]);
    for (uint32_t i = 0; i < all.n; i++)
        map_done(&all.at[i].index);
    return e;
}

struct labels sources_labels(const struct spelling *sp, struct arena *mem, struct labels found, enum origin o)
{
    struct labels l = spelling_labels(sp, mem, found);
    if (!sp->show_source || labels_get(l, S("ccmon_source")).n)
        return l;
    return labels_set(mem, l, S("ccmon_source"), origin_text(o));
}
