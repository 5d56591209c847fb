/* privacy/rules.c -- the `privacy` section of the configuration, compiled.
 *
 *     privacy:
 *       - no-people                                # a ready-made set
 *       - names: [customer.*, /^x_.*_key$/]        # or a rule
 *         places: [attribute, label]
 *         action: hash
 *       - match: 'sk-[A-Za-z0-9]{20,}'
 *         action: cut
 *         keep: 6
 */
#include "privacy/privacy_int.h"

#include <string.h>

struct rule_text {
    struct texts names, places;
    uint64_t action, keep;
    struct str match, unless;
    bool has_action, has_keep, has_match, has_unless;
};

#define AT(member) offsetof(struct rule_text, member)

static const struct field fields[] = {
    { .name = S("names"), .type = FIELD_TEXTS, .at = AT(names) },
    { .name = S("places"), .type = FIELD_TEXTS, .at = AT(places) },
    { .name = S("action"), .type = FIELD_CHOICE, .at = AT(action), .choices = "drop|hash|cut", .given = AT(has_action) },
    { .name = S("keep"), .type = FIELD_COUNT, .at = AT(keep), .min = 0, .max = KEEP_MAX, .given = AT(has_keep) },
    { .name = S("match"), .type = FIELD_TEXT, .at = AT(match), .given = AT(has_match) },
    { .name = S("unless"), .type = FIELD_TEXT, .at = AT(unless), .given = AT(has_unless) },
    { .name = { 0 } },
};

/* What the documentation says of them, in the same order. */
static const struct {
    const char *values, *doc;
} words[LEN(fields) - 1] = {
    { "list of names",
      "Attributes, labels or fields: names, globs with `*` and `?`, or `/patterns/`. Without it: every name, and of a row's own "
      "fields only `body`." },
    { "list of `attribute` `resource` `scope` `label` `body`",
      "Where: attributes of log records, spans, their events and links, and structured metadata; of resources; of scopes; labels of series "
      "and attributes of data points; a row's own texts, which are `body` (a line too), `name`, `status_message`, `trace_state`, "
      "`severity_text`, `event_name`, `scope_name`, `scope_version`, `description`, `unit`. Without it: everywhere." },
    { "`drop` `hash` `cut`", "What is done. Needed." },
    { "0 to 100000", "With `cut`: how many characters stay before the mark. Default 0." },
    { "pattern", "With `hash` or `cut`: not the whole value, but every match inside of a text, or the pattern's first group." },
    { "pattern", "With `hash` or `cut`: values, or matches, that are left alone." },
};

static const struct {
    struct str name;
    uint32_t places;
} places[] = {
    { S("attribute"), PLACE_BIT(PLACE_ATTR) }, { S("resource"), PLACE_BIT(PLACE_RESOURCE) },
    { S("label"), PLACE_BIT(PLACE_LABEL) },    { S("body"), PLACE_BIT(PLACE_FIELD) },
    { S("scope"), PLACE_BIT(PLACE_SCOPE) },
};

/* ---- building blocks ------------------------------------------------------------------ */

uint64_t rule_bit(const struct privacy *p, const struct rule *r)
{
    CHECK(r >= p->rules && r < p->rules + p->nrules);
    return UINT64_C(1) << (r - p->rules);
}

struct rule *rule_add(struct privacy *p, enum action action, uint32_t at, struct regex *match)
{
    CHECK(at && !(at & ~PLACES_ALL) && !(match && action == ACTION_DROP));
    if (p->nrules == RULES_MAX)
        return NULL;
    struct rule *r = &p->rules[p->nrules++];
    uint64_t bit = rule_bit(p, r);
    *r = (struct rule){ .action = action, .match = match };
    if (match)
        p->matches |= bit;
    else if (action == ACTION_DROP)
        p->drops |= bit;
    else if (action == ACTION_HASH)
        p->hashes |= bit;
    else
        p->cuts |= bit;
    for (unsigned place = 0; place < PLACE_COUNT; place++)
        if (at & PLACE_BIT(place))
            p->at[place] |= bit;
    return r;
}

bool rule_name(struct privacy *p, const struct rule *r, struct str text, struct regex *regex)
{
    char buf[NAME_BYTES_MAX];
    bool glob = text.p && (str_index(text, '*') != SIZE_MAX || str_index(text, '?') != SIZE_MAX);
    if (p->nnames == NAMES_MAX)
        return false;
    uint64_t bit = rule_bit(p, r);
    struct str form = regex ? (struct str){ 0 } : arena_str(&p->mem, name_form(text, true, buf));
    if (!regex && !glob) {
        bool fresh;
        uint32_t i = map_intern(&p->literals, form, p->nnames, &fresh);
        if (!fresh) {
            p->names[i].rules |= bit;
            return true;
        }
    } else {
        *arena_push(&p->mem, p->patterns, p->npatterns, p->cap_patterns) = p->nnames;
    }
    *arena_push(&p->mem, p->names, p->nnames, p->cap_names) = (struct name_rule){ form, regex, bit };
    return true;
}

/* ---- one entry -------------------------------------------------------------------------- */

static enum err read_places(const struct fields_reader *r, const struct yaml *node, const struct texts *t, uint32_t *ret)
{
    *ret = t->n ? 0 : PLACES_ALL;
    for (uint32_t i = 0; i < t->n; i++) {
        size_t k = 0;
        while (k < LEN(places) && !str_eq(places[k].name, t->at[i]))
            k++;
        if (k == LEN(places))
            return fields_error(r, yaml_get(node, S("places")),
                                "privacy.places: \"" STR_FMT "\" is none of attribute, resource, scope, label, body",
                                STR_ARG(str_sub(t->at[i], 0, 60)));
        *ret |= places[k].places;
    }
    return OK;
}

static enum err read_regex(const struct fields_reader *r, const struct yaml *at, struct str key, struct str text,
                           struct regex **ret)
{
    struct fault why = { 0 };
    if (!text.n)
        return fields_error(r, at, "privacy." STR_FMT ": the pattern is empty", STR_ARG(key));
    if (!regex_new(text, REGEX_SEARCH, ret, &why))
        return OK;
    return fields_error(r, at, "privacy." STR_FMT ": %s", STR_ARG(key), why.msg);
}

/* "/.../" is a pattern, everything else a name with '*' and '?'. */
static enum err read_name(const struct fields_reader *r, const struct yaml *at, struct privacy *p, const struct rule *rule,
                          struct str text)
{
    CLEANUP(regex_freep) struct regex *regex = NULL;
    if (text.n > NAME_BYTES_MAX / 2 || !text.n)
        return fields_error(r, at, "privacy.names: a name of %zu bytes; 1 to %d", text.n, NAME_BYTES_MAX / 2);
    if (text.n > 1 && text.p[0] == '/' && text.p[text.n - 1] == '/') {
        enum err e = read_regex(r, at, S("names"), str_sub(text, 1, text.n - 2), &regex);
        if (e)
            return e;
    }
    if (!rule_name(p, rule, text, regex))
        return fields_error(r, at, "privacy: more than %d names in all rules", NAMES_MAX);
    regex = NULL;
    return OK;
}

static enum err read_names(const struct fields_reader *r, const struct yaml *node, struct privacy *p, const struct rule *rule,
                           const struct texts *names)
{
    const struct yaml *list = yaml_get(node, S("names"));
    const struct yaml *y = list && list->kind == YAML_LIST ? list->child : list;
    enum err e = OK;
    if (!names->n)
        p->unnamed |= rule_bit(p, rule);
    for (uint32_t i = 0; !e && i < names->n; i++, y = y->next)
        e = read_name(r, y, p, rule, names->at[i]);
    return e;
}

/* What cannot be seen from one key alone. */
static enum err check_rule(const struct fields_reader *r, const struct yaml *node, const struct rule_text *t)
{
    if (!t->has_action)
        return fields_error(r, node, "privacy: a rule wants an action: drop, hash or cut");
    if (!t->names.n && !t->places.n && !t->has_match)
        return fields_error(r, node, "privacy: a rule wants names, places or match; this one would take everything");
    if (t->has_match && t->action == ACTION_DROP)
        return fields_error(r, node, "privacy: match goes with hash or cut; drop leaves out whole values");
    if (t->has_unless && t->action == ACTION_DROP)
        return fields_error(r, node, "privacy: unless goes with hash or cut; drop does not look at values");
    if (t->has_keep && t->action != ACTION_CUT)
        return fields_error(r, node, "privacy: keep goes with cut");
    return OK;
}

static enum err read_rule(const struct fields_reader *r, const struct yaml *node, struct privacy *p)
{
    struct rule_text t = { 0 };
    uint32_t at;
    CLEANUP(regex_freep) struct regex *match = NULL;
    CLEANUP(regex_freep) struct regex *unless = NULL;
    enum err e = fields_read(r, node, S("privacy"), fields, &t);
    e = e ? e : check_rule(r, node, &t);
    e = e ? e : read_places(r, node, &t.places, &at);
    if (!e && t.has_match)
        e = read_regex(r, yaml_get(node, S("match")), S("match"), t.match, &match);
    if (!e && t.has_unless)
        e = read_regex(r, yaml_get(node, S("unless")), S("unless"), t.unless, &unless);
    if (e)
        return e;
    struct rule *rule = rule_add(p, (enum action)t.action, at, match);
    if (!rule)
        return fields_error(r, node, "privacy: more than %d rules, those of ready-made sets among them", RULES_MAX);
    match = NULL;
    rule->unless = TAKE(unless);
    rule->keep = (uint32_t)t.keep;
    return read_names(r, node, p, rule, &t.names);
}

static enum err read_set(const struct fields_reader *r, const struct yaml *node, struct privacy *p)
{
    const struct set *s = privacy_sets;
    while (s->name.n && !str_eq(s->name, node->text))
        s++;
    if (s->name.n) {
        if (set_add(p, s))
            return OK;
        return fields_error(r, node, "privacy: more than %d rules or %d names", RULES_MAX, NAMES_MAX);
    }
    CLEANUP(buf_done) struct buf known;
    buf_init(&known, 1024);
    for (s = privacy_sets; s->name.n; s++)
        buf_fmt(&known, "%s" STR_FMT, known.n ? ", " : "", STR_ARG(s->name));
    return fields_error(r, node, "privacy: there is no set \"" STR_FMT "\"; there are " STR_FMT, STR_ARG(str_sub(node->text, 0, 60)),
                        STR_ARG(buf_view(&known)));
}

/* ---- the section -------------------------------------------------------------------------- */

static enum err read_entries(const struct fields_reader *r, const struct yaml *list, struct privacy *p, struct buf *names)
{
    uint32_t i = 0;
    for (const struct yaml *y = list->child; y; y = y->next) {
        i++;
        bool set = y->kind == YAML_SCALAR;
        if (!set && y->kind != YAML_MAP)
            return fields_error(r, y, "privacy: an entry is the name of a set or a rule");
        enum err e = set ? read_set(r, y, p) : read_rule(r, y, p);
        if (e)
            return e;
        buf_str(names, names->n ? S(", ") : S(""));
        if (set)
            buf_str(names, y->text);
        else
            buf_fmt(names, "rule %u", i);
        if (arena_over(&p->mem))
            return fields_error(r, y, "privacy: the rules take more than %d bytes", MEMORY_MAX);
    }
    return OK;
}

enum err privacy_new(const struct fields_reader *r, const struct yaml *node, struct str key, struct privacy **ret)
{
    CHECK(key.n == PRIVACY_KEY_BYTES);
    if (!node || node->kind == YAML_NULL || (node->kind == YAML_LIST && !node->child)) {
        *ret = NULL;
        return OK;
    }
    if (node->kind != YAML_LIST)
        return fields_error(r, node, "privacy: a list is wanted, of sets and rules");
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 64 << 10);
    struct privacy *p = mem_alloc(sizeof *p);
    atomic_init(&p->refs, 1);
    arena_init(&p->mem, MEMORY_MAX);
    memcpy(p->key, key.p, sizeof p->key);
    enum err e = read_entries(r, node, p, &names);
    if (e) {
        privacy_unref(p);
        return e;
    }
    p->summary = arena_str(&p->mem, buf_view(&names));
    *ret = p;
    return OK;
}

void rules_describe(struct buf *out)
{
    buf_str(out, S("| key | values | what it does |\n| --- | --- | --- |\n"));
    for (size_t i = 0; i < LEN(words); i++)
        buf_fmt(out, "| `" STR_FMT "` | %s | %s |\n", STR_ARG(fields[i].name), words[i].values, words[i].doc);
}
