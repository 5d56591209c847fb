/* scrape/relabel.c -- a rule is a row of a table with a function per action; reading checks what
 * Prometheus checks when it loads a configuration, in its words where people search for them.
 */
#include "scrape/relabel.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/utf8.h"

const struct field relabel_fields[] = {
    { .name = S("source_labels"), .type = FIELD_TEXTS, .at = offsetof(struct relabel_rule, source_labels), .max = LSET_MAX },
    { .name = S("separator"), .type = FIELD_TEXT, .at = offsetof(struct relabel_rule, separator),
      .given = offsetof(struct relabel_rule, has_separator) },
    { .name = S("target_label"), .type = FIELD_TEXT, .at = offsetof(struct relabel_rule, target_label),
      .given = offsetof(struct relabel_rule, has_target) },
    { .name = S("regex"), .type = FIELD_TEXT, .at = offsetof(struct relabel_rule, regex),
      .given = offsetof(struct relabel_rule, has_regex) },
    { .name = S("modulus"), .type = FIELD_COUNT, .at = offsetof(struct relabel_rule, modulus),
      .given = offsetof(struct relabel_rule, has_modulus) },
    { .name = S("replacement"), .type = FIELD_TEXT, .at = offsetof(struct relabel_rule, replacement),
      .given = offsetof(struct relabel_rule, has_replacement) },
    { .name = S("action"), .type = FIELD_TEXT, .at = offsetof(struct relabel_rule, action_text) },
    { .name = { 0 } },
};

static const struct relabel_rule rule_default = {
    .separator = { ";", 1 }, .regex = { "(.*)", 4 }, .replacement = { "$1", 2 }, .action_text = { "replace", 7 },
};

/* ---- $1 and ${name} -------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Which group a name means; UINT32_MAX: none. */
static uint32_t group_of(const struct regex *re, struct str name)
{
    uint64_t i;
    uint32_t n = regex_groups(re);
    if (str_to_u64(name, &i))
        return i <= n ? (uint32_t)i : UINT32_MAX;
    for (uint32_t k = 1; k <= n; k++)
        if (str_eq(regex_group_name(re, k), name))
            return k;
    return UINT32_MAX;
}

/* The name after "$" at *i, as Go's regexp.Expand reads it; moves *i past it. False: a lone "$". */
static bool group_name(struct str t, size_t *i, struct str *ret)
{
    size_t at = *i;
    bool brace = at < t.n && t.p[at] == '{';
    at += brace;
    size_t from = at;
    while (at < t.n && is_word(t.p[at]))
        at++;
    if (at == from || (brace && (at == t.n || t.p[at] != '}')))
        return false;
    *ret = str_sub(t, from, at - from);
    *i = at + brace;
    return true;
}

static void expand(const struct regex *re, struct str template, const struct str *groups, struct buf *out)
{
    for (size_t i = 0; i < template.n;) {
        char c = template.p[i++];
        struct str name;
        if (c != '$') {
            buf_byte(out, c);
        } else if (i < template.n && template.p[i] == '$') {
            buf_byte(out, '$');
            i++;
        } else if (group_name(template, &i, &name)) {
            uint32_t g = group_of(re, name);
            if (g != UINT32_MAX && groups[g].p)
                buf_str(out, groups[g]);
        } else {
            buf_byte(out, '$');
        }
    }
}

static struct str expanded(const struct regex *re, struct str template, const struct str *groups, struct arena *mem)
{
    if (!template.n || !memchr(template.p, '$', template.n))
        return template;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, LSET_VALUE_MAX);
    expand(re, template, groups, &out);
    return out.bad ? S("") : arena_str(mem, buf_view(&out));
}

/* ---- actions ----------------------------------------------------------------------------- */

static struct str joined(const struct relabel_rule *r, const struct lset *s)
{
    if (r->source_labels.n == 1)
        return lset_get(s, r->source_labels.at[0]);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, SCRAPE_BODY_MAX);
    for (uint32_t i = 0; i < r->source_labels.n; i++) {
        buf_str(&out, i ? r->separator : S(""));
        buf_str(&out, lset_get(s, r->source_labels.at[i]));
    }
    return arena_str(s->mem, buf_view(&out));
}

static bool is_label_name(struct str s)
{
    return s.n && s.n <= EXPO_NAME_MAX && utf8_valid(s);
}

static void replace(const struct relabel_rule *r, struct lset *s, struct str val)
{
    struct str groups[REGEX_GROUPS_MAX];
    uint32_t n = regex_groups(r->re) + 1;
    if (n > REGEX_GROUPS_MAX || !regex_find(r->re, val, 0, groups, n))
        return;
    struct str target = expanded(r->re, r->target_label, groups, s->mem);
    if (is_label_name(target))
        lset_set(s, target, expanded(r->re, r->replacement, groups, s->mem));
}

static struct str cased(struct str s, bool upper, struct arena *mem)
{
    char *out = arena_alloc(mem, MAX(s.n, (size_t)1), 1);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (upper && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (!upper && c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        out[i] = c;
    }
    return (struct str){ out, s.n };
}

/* The last eight bytes of the MD5 sum, big-endian, as Prometheus has it. */
static void hashmod(const struct relabel_rule *r, struct lset *s, struct str val)
{
    uint8_t sum[16];
    secret_md5(val, sum);
    uint64_t x = 0;
    for (unsigned i = 8; i < 16; i++)
        x = x << 8 | sum[i];
    lset_set(s, r->target_label, arena_fmt(s->mem, "%llu", (unsigned long long)(x % r->modulus)));
}

static void labelmap(const struct relabel_rule *r, struct lset *s)
{
    struct str groups[REGEX_GROUPS_MAX];
    uint32_t n = regex_groups(r->re) + 1, have = s->n;
    struct lpair *old = arena_new(s->mem, struct lpair, MAX(have, 1u));
    for (uint32_t i = 0; i < have; i++)
        old[i] = s->at[i];
    for (uint32_t i = 0; i < have; i++)
        if (n <= REGEX_GROUPS_MAX && regex_find(r->re, old[i].name, 0, groups, n)) {
            struct str name = expanded(r->re, r->replacement, groups, s->mem);
            if (is_label_name(name))
                lset_set(s, name, old[i].value);
        }
}

static void keep_labels(const struct relabel_rule *r, struct lset *s, bool keep)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (regex_match(r->re, s->at[i].name) == keep)
            s->at[n++] = s->at[i];
    s->n = n;
}

/* False: dropped. */
static bool apply_one(const struct relabel_rule *r, struct lset *s)
{
    struct str val = joined(r, s);
    switch (r->action) {
    case RELABEL_REPLACE:
        replace(r, s, val);
        break;
    case RELABEL_KEEP:
        return regex_match(r->re, val);
    case RELABEL_DROP:
        return !regex_match(r->re, val);
    case RELABEL_KEEPEQUAL:
        return str_eq(lset_get(s, r->target_label), val);
    case RELABEL_DROPEQUAL:
        return !str_eq(lset_get(s, r->target_label), val);
    case RELABEL_HASHMOD:
        hashmod(r, s, val);
        break;
    case RELABEL_LABELMAP:
        labelmap(r, s);
        break;
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        keep_labels(r, s, r->action == RELABEL_LABELKEEP);
        break;
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        lset_set(s, r->target_label, cased(val, r->action == RELABEL_UPPERCASE, s->mem));
        break;
    }
    return true;
}

bool relabel_apply(const struct relabel *r, struct lset *s)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (!apply_one(&r->at[i], s))
            return false;
    return true;
}

/* ---- reading ------------------------------------------------------------------------------ */

static const struct {
    struct str name;
    enum relabel_action action;
    bool target, only_regex, only_labels;          /* what Prometheus asks of the rest of the rule */
} actions[] = {
    { S("replace"), RELABEL_REPLACE, true, false, false },
    { S("keep"), RELABEL_KEEP, false, false, false },
    { S("drop"), RELABEL_DROP, false, false, false },
    { S("keepequal"), RELABEL_KEEPEQUAL, true, false, true },
    { S("dropequal"), RELABEL_DROPEQUAL, true, false, true },
    { S("hashmod"), RELABEL_HASHMOD, true, false, false },
    { S("labelmap"), RELABEL_LABELMAP, false, false, false },
    { S("labeldrop"), RELABEL_LABELDROP, false, true, false },
    { S("labelkeep"), RELABEL_LABELKEEP, false, true, false },
    { S("lowercase"), RELABEL_LOWERCASE, true, false, false },
    { S("uppercase"), RELABEL_UPPERCASE, true, false, false },
};

static enum err check_rule(const struct fields_reader *r, const struct yaml *y, struct relabel_rule *rule)
{
    size_t i = 0;
    while (i < LEN(actions) && !str_eq_nocase(actions[i].name, rule->action_text))
        i++;
    if (i == LEN(actions))
        return fields_error(r, y, "unknown relabel action \"" STR_FMT "\"", STR_ARG(str_sub(rule->action_text, 0, 60)));
    rule->action = actions[i].action;
    if (rule->action == RELABEL_HASHMOD && !rule->modulus)
        return fields_error(r, y, "relabel configuration for hashmod requires non-zero modulus");
    if (actions[i].target && !rule->target_label.n)
        return fields_error(r, y, "relabel configuration for " STR_FMT " action requires 'target_label' value",
                            STR_ARG(actions[i].name));
    bool others = rule->has_separator || rule->has_replacement || rule->has_modulus;
    if (actions[i].only_regex && (others || rule->has_target || rule->source_labels.n))
        return fields_error(r, y, STR_FMT " action requires only 'regex', and no other fields", STR_ARG(actions[i].name));
    if (actions[i].only_labels && (others || rule->has_regex))
        return fields_error(r, y, STR_FMT " action requires only 'source_labels' and `target_label`, and no other fields",
                            STR_ARG(actions[i].name));
    if (actions[i].target && !is_label_name(rule->target_label))
        return fields_error(r, y, "\"" STR_FMT "\" is no label name", STR_ARG(str_sub(rule->target_label, 0, 60)));
    return OK;
}

static enum err read_rule(const struct fields_reader *r, const struct yaml *y, struct str path, struct relabel_rule *rule)
{
    struct fault f = { 0 };
    *rule = rule_default;
    enum err e = fields_read(r, y, path, relabel_fields, rule);
    e = e ? e : check_rule(r, y, rule);
    if (!e && regex_new(rule->regex, REGEX_FULL, &rule->re, &f))
        e = fields_error(r, y, STR_FMT ".regex: %s", STR_ARG(path), f.msg);
    if (!e && regex_groups(rule->re) + 1 > REGEX_GROUPS_MAX)
        e = fields_error(r, y, STR_FMT ".regex: more than %d groups", STR_ARG(path), REGEX_GROUPS_MAX - 1);
    return e;
}

enum err relabel_read(const struct fields_reader *r, const struct yaml *node, struct str path, struct relabel *ret)
{
    if (!node || node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_LIST)
        return fields_error(r, node, STR_FMT ": a list of rules is wanted", STR_ARG(path));
    uint32_t n = 0;
    for (const struct yaml *y = node->child; y; y = y->next)
        n++;
    if (n > RELABEL_RULES_MAX)
        return fields_error(r, node, STR_FMT ": more than %d rules", STR_ARG(path), RELABEL_RULES_MAX);
    ret->at = arena_new(r->mem, struct relabel_rule, MAX(n, 1u));
    for (const struct yaml *y = node->child; y; y = y->next) {
        enum err e = read_rule(r, y, path, &ret->at[ret->n++]);   /* counted first: its expression is freed with the rest */
        if (e)
            return e;
    }
    return OK;
}

void relabel_done(struct relabel *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        regex_free(r->at[i].re);
    r->n = 0;
}
