/* model/names.c -- OpenTelemetry names as Prometheus spells them.
 *
 * A metric's name is cut into tokens at everything that is no letter, digit or
 * colon; the unit's tokens are added unless they are there already, "total" goes
 * to the end of counters and "ratio" to the end of gauges of unit 1; the tokens
 * are joined by underscores. A label keeps every character it may keep; each
 * other one becomes an underscore.
 */
#include "model/names.h"

#include <string.h>

struct unit_name {
    struct str ucum, word;
};

static const struct unit_name units[] = {
    { S("d"), S("days") },          { S("h"), S("hours") },         { S("min"), S("minutes") },
    { S("s"), S("seconds") },       { S("ms"), S("milliseconds") }, { S("us"), S("microseconds") },
    { S("ns"), S("nanoseconds") },  { S("By"), S("bytes") },        { S("KiBy"), S("kibibytes") },
    { S("MiBy"), S("mebibytes") },  { S("GiBy"), S("gibibytes") },  { S("TiBy"), S("tibibytes") },
    { S("KBy"), S("kilobytes") },   { S("MBy"), S("megabytes") },   { S("GBy"), S("gigabytes") },
    { S("TBy"), S("terabytes") },   { S("m"), S("meters") },        { S("V"), S("volts") },
    { S("A"), S("amperes") },       { S("J"), S("joules") },        { S("W"), S("watts") },
    { S("g"), S("grams") },         { S("Cel"), S("celsius") },     { S("Hz"), S("hertz") },
    { S("1"), S("") },              { S("%"), S("percent") },
};

static const struct unit_name per_units[] = {
    { S("s"), S("second") }, { S("m"), S("minute") },  { S("h"), S("hour") }, { S("d"), S("day") },
    { S("w"), S("week") },   { S("mo"), S("month") },  { S("y"), S("year") },
};

/* Claude Code's own exporter leaves units out (accounting rule 7). */
static const struct {
    struct str alias, canonical;
} spellings[] = {
    { S("claude_code_cost_usage_total"), S("claude_code_cost_usage_USD_total") },
    { S("claude_code_token_usage_total"), S("claude_code_token_usage_tokens_total") },
    { S("claude_code_active_time_total"), S("claude_code_active_time_seconds_total") },
};

/* The resource attributes that Loki's receiver makes stream labels by default. */
static const struct str stream_attributes[] = {
    S("service.name"),          S("service.namespace"),    S("service.instance.id"),   S("deployment.environment"),
    S("deployment.environment.name"), S("cloud.region"),   S("cloud.availability_zone"), S("k8s.cluster.name"),
    S("k8s.namespace.name"),    S("k8s.pod.name"),         S("k8s.container.name"),    S("container.name"),
    S("k8s.replicaset.name"),   S("k8s.deployment.name"),  S("k8s.statefulset.name"),  S("k8s.daemonset.name"),
    S("k8s.cronjob.name"),      S("k8s.job.name"),
};

enum { TOKENS_MAX = 64 };

struct tokens {
    struct str at[TOKENS_MAX];
    size_t n;
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- labels ---------------------------------------------------------------- */

/* The next character of a label name as it is to be, from attribute[*i] on. */
static char label_char(struct str attribute, size_t *i)
{
    unsigned char c = (unsigned char)attribute.p[(*i)++];
    if (c < 0x80)
        return is_alnum((char)c) ? (char)c : '_';
    while (*i < attribute.n && ((unsigned char)attribute.p[*i] & 0xc0) == 0x80)
        (*i)++;                                    /* one underscore a character, not a byte */
    return '_';
}

/* What is put in front so that the name is legal and not reserved. */
static struct str label_prefix(struct str attribute)
{
    if (!attribute.n)
        return S("");
    size_t i = 0;
    char first = label_char(attribute, &i);
    if (is_digit(first))
        return S("key_");
    if (first == '_' && (i >= attribute.n || label_char(attribute, &i) != '_'))
        return S("key");
    return S("");
}

static bool label_is_fine(struct str s)
{
    if (label_prefix(s).n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '_')
            return false;
    return true;
}

struct str label_name(struct str attribute, struct arena *mem)
{
    if (label_is_fine(attribute))
        return attribute;
    struct str prefix = label_prefix(attribute);
    char *out = arena_alloc(mem, prefix.n + attribute.n + 1, 1);
    memcpy(out, prefix.p, prefix.n);
    size_t n = prefix.n;
    for (size_t i = 0; i < attribute.n;)
        out[n++] = label_char(attribute, &i);
    return (struct str){ out, n };
}

bool label_name_is(struct str attribute, struct str label)
{
    struct str prefix = label_prefix(attribute);
    if (!str_starts(label, prefix))
        return false;
    size_t n = prefix.n;
    for (size_t i = 0; i < attribute.n;)
        if (n >= label.n || label.p[n++] != label_char(attribute, &i))
            return false;
    return n == label.n;
}

/* ---- metrics --------------------------------------------------------------- */

static bool is_token_char(char c)
{
    return is_alnum(c) || c == ':';
}

static void tokens_add(struct tokens *t, struct str token)
{
    if (token.n && t->n < TOKENS_MAX)
        t->at[t->n++] = token;
}

static void tokens_split(struct tokens *t, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++)
        if (i == s.n || !is_token_char(s.p[i])) {
            tokens_add(t, str_sub(s, from, i - from));
            from = i + 1;
        }
}

static bool tokens_have(const struct tokens *t, struct str token)
{
    for (size_t i = 0; i < t->n; i++)
        if (str_eq(t->at[i], token))
            return true;
    return false;
}

/* Removes every `token` and puts one at the end. */
static void tokens_move_last(struct tokens *t, struct str token)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!str_eq(t->at[i], token))
            t->at[n++] = t->at[i];
    t->n = n;
    tokens_add(t, token);
}

static struct str tokens_join(const struct tokens *t, struct arena *mem)
{
    size_t n = 1;
    for (size_t i = 0; i < t->n; i++)
        n += t->at[i].n + 1;
    char *out = arena_alloc(mem, n, 1);
    size_t o = 0;
    if (t->n && is_digit(t->at[0].p[0]))
        out[o++] = '_';
    for (size_t i = 0; i < t->n; i++) {
        if (i)
            out[o++] = '_';
        memcpy(out + o, t->at[i].p, t->at[i].n);
        o += t->at[i].n;
    }
    return (struct str){ out, o };
}

static struct str unit_word(struct str ucum, const struct unit_name *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(table[i].ucum, ucum))
            return table[i].word;
    return ucum;
}

/* A unit as one word of legal characters: "foo-bar" -> "foo_bar". */
static struct str unit_clean(struct str unit, struct arena *mem)
{
    struct tokens t = { 0 };
    tokens_split(&t, unit);
    if (t.n <= 1)
        return t.n ? t.at[0] : S("");
    return tokens_join(&t, mem);
}

static void tokens_add_unit(struct tokens *t, struct str unit, struct arena *mem)
{
    struct str per = unit;
    struct str main_unit = str_trim(str_cut(&per, '/'));
    per = str_trim(per);
    if (str_index(main_unit, '{') == SIZE_MAX && str_index(main_unit, '}') == SIZE_MAX) {
        struct str word = unit_clean(unit_word(main_unit, units, LEN(units)), mem);
        if (!tokens_have(t, word))
            tokens_add(t, word);
    }
    if (per.n && str_index(per, '{') == SIZE_MAX && str_index(per, '}') == SIZE_MAX) {
        struct str word = unit_clean(unit_word(per, per_units, LEN(per_units)), mem);
        if (word.n && !tokens_have(t, word)) {
            tokens_add(t, S("per"));
            tokens_add(t, word);
        }
    }
}

struct str metric_name(struct str name, struct str unit, enum metric_type type, struct arena *mem)
{
    struct tokens t = { 0 };
    tokens_split(&t, name);
    tokens_add_unit(&t, str_trim(unit), mem);
    if (type == METRIC_COUNTER)
        tokens_move_last(&t, S("total"));
    if (type == METRIC_GAUGE && str_eq(str_trim(unit), S("1")))
        tokens_move_last(&t, S("ratio"));
    return tokens_join(&t, mem);
}

struct str metric_canonical(struct str name)
{
    for (size_t i = 0; i < LEN(spellings); i++)
        if (str_eq(spellings[i].alias, name))
            return spellings[i].canonical;
    return name;
}

struct str metric_alias(struct str canonical)
{
    for (size_t i = 0; i < LEN(spellings); i++)
        if (str_eq(spellings[i].canonical, canonical))
            return spellings[i].alias;
    return canonical;
}

bool metric_is_money(struct str name)
{
    while (name.n) {
        struct str token = str_cut(&name, '_');
        if (str_eq_nocase(token, S("usd")))
            return true;
    }
    return false;
}

bool is_stream_attribute(struct str attribute)
{
    for (size_t i = 0; i < LEN(stream_attributes); i++)
        if (str_eq(stream_attributes[i], attribute) || label_name_is(stream_attributes[i], attribute))
            return true;
    return false;
}
