/* privacy/privacy.c -- what the rules say of a name, and of a value.
 *
 *     name --name_form--> map of spelled-out names, globs, patterns, rules without names
 *                              \--- or-ed, and-ed with the rules of the place ---> bits
 *
 * Of several rules for one value the strictest counts, whatever their order: dropped
 * before hashed before cut, so that a rule can only add to what is protected. Patterns
 * look into what is left.
 */
#include "privacy/privacy_int.h"

#include "base/secret.h"

/* What says which figure it is, not whose: never dropped, hashed or cut as a whole. */
static const struct {
    enum place place;
    struct str name;
} reserved[] = {
    { PLACE_LABEL, S("__name__") }, { PLACE_LABEL, S("le") }, { PLACE_LABEL, S("quantile") }, { PLACE_FIELD, S("metric_name") },
};

/* ---- rules of a name --------------------------------------------------------------- */

static bool is_reserved(enum place place, struct str name)
{
    for (size_t i = 0; i < LEN(reserved); i++)
        if (reserved[i].place == place && str_eq(name, reserved[i].name))
            return true;
    return false;
}

static bool name_matches(const struct name_rule *n, struct str form, struct str name)
{
    if (n->regex)
        return regex_match(n->regex, name) || regex_match(n->regex, form);
    return glob_match(n->text, form);
}

uint64_t privacy_rules(const struct privacy *p, enum place place, struct str name)
{
    CHECK(place < PLACE_COUNT);
    if (!p || is_reserved(place, name))
        return p ? p->unnamed & p->matches & p->at[place] : 0;
    char buf[NAME_BYTES_MAX];
    struct str form = name_form(name, false, buf);
    uint64_t rules = p->unnamed;
    if (place == PLACE_FIELD && !str_eq(name, S("body")))
        rules &= p->matches;                       /* a rule without names means the body, not a span's name */
    uint32_t i = map_get(&p->literals, form);
    if (i != MAP_NONE)
        rules |= p->names[i].rules;
    for (uint32_t k = 0; k < p->npatterns; k++) {
        const struct name_rule *n = &p->names[p->patterns[k]];
        if ((rules & n->rules) != n->rules && name_matches(n, form, name))
            rules |= n->rules;
    }
    return rules & p->at[place];
}

bool privacy_touches(const struct privacy *p, enum place place, struct str name)
{
    return privacy_rules(p, place, name) != 0;
}

bool privacy_drops(const struct privacy *p, uint64_t rules)
{
    return p && (rules & p->drops) != 0;
}

/* ---- a value ------------------------------------------------------------------------- */

/* The next rule of a number; takes it out. */
static const struct rule *next_rule(const struct privacy *p, uint64_t *rules)
{
    if (!*rules)
        return NULL;
    unsigned i = (unsigned)__builtin_ctzll(*rules);
    *rules &= *rules - 1;
    CHECK(i < p->nrules);
    return &p->rules[i];
}

static bool spares(const struct rule *r, struct str value)
{
    return r->unless && regex_match(r->unless, value);
}

bool privacy_replaces(const struct privacy *p, uint64_t rules)
{
    return p && (rules & (p->hashes | p->cuts)) != 0;
}

struct str privacy_name(const struct privacy *p, enum place place, struct str name, struct arena *mem)
{
    return p ? privacy_keep(p, p->unnamed & p->matches & p->at[place], name, true, mem) : name;
}

struct str privacy_keep(const struct privacy *p, uint64_t rules, struct str value, bool is_text, struct arena *mem)
{
    const struct rule *r;
    if (!p || !rules)
        return value;
    for (uint64_t left = rules & p->hashes; (r = next_rule(p, &left));)
        if (!spares(r, value))
            return value_hash(p, value, mem);
    const struct rule *shortest = NULL;
    for (uint64_t left = rules & p->cuts; (r = next_rule(p, &left));)
        if (!spares(r, value) && (!shortest || r->keep < shortest->keep))
            shortest = r;
    if (shortest)
        value = value_cut(value, shortest->keep, mem);
    if (is_text)
        for (uint64_t left = rules & p->matches; (r = next_rule(p, &left));)
            value = value_matches(p, r, value, mem);
    return value;
}

bool privacy_text(const struct privacy *p, enum place place, struct str name, struct str value, struct arena *mem, struct str *ret)
{
    uint64_t rules = privacy_rules(p, place, name);
    if (privacy_drops(p, rules))
        return false;
    *ret = privacy_keep(p, rules, value, true, mem);
    return true;
}

struct str privacy_summary(const struct privacy *p)
{
    return p ? p->summary : S("");
}

/* ---- life ------------------------------------------------------------------------------ */

struct privacy *privacy_ref(struct privacy *p)
{
    if (p)
        CHECK(atomic_fetch_add(&p->refs, 1) > 0);
    return p;
}

static void privacy_free(struct privacy *p)
{
    for (uint32_t i = 0; i < p->nrules; i++) {
        regex_free(p->rules[i].match);
        regex_free(p->rules[i].unless);
    }
    for (uint32_t i = 0; i < p->nnames; i++)
        regex_free(p->names[i].regex);
    map_done(&p->literals);
    arena_done(&p->mem);
    secret_wipe(p->key, sizeof p->key);
    mem_free(p);
}

void privacy_unref(struct privacy *p)
{
    if (!p)
        return;
    uint32_t before = atomic_fetch_sub(&p->refs, 1);
    CHECK(before > 0);
    if (before == 1)
        privacy_free(p);
}

void privacy_slot_init(struct privacy_slot *s)
{
    *s = (struct privacy_slot){ 0 };
    CHECK(!pthread_mutex_init(&s->lock, NULL));
}

void privacy_slot_done(struct privacy_slot *s)
{
    privacy_unref(TAKE(s->now));
    pthread_mutex_destroy(&s->lock);
}

struct privacy *privacy_slot_get(struct privacy_slot *s)
{
    pthread_mutex_lock(&s->lock);
    struct privacy *p = privacy_ref(s->now);
    pthread_mutex_unlock(&s->lock);
    return p;
}

void privacy_slot_set(struct privacy_slot *s, struct privacy *p)
{
    pthread_mutex_lock(&s->lock);
    struct privacy *old = s->now;
    s->now = p;
    pthread_mutex_unlock(&s->lock);
    privacy_unref(old);
}
