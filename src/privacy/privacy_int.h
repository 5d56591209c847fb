/* privacy/privacy_int.h -- inside the room: rules as they are held, and the ready-made sets.
 *
 * A rule is a bit, so that what concerns a value is one number. Names that are spelled out
 * are found in a map, whatever their number; only globs and patterns are tried one by one.
 *
 * Owner:    everything is in the object's arena, apart from the regular expressions.
 * Threads:  filled by rules.c, constant afterwards.
 */
#pragma once
#include <stdatomic.h>

#include "base/map.h"
#include "base/regex.h"
#include "privacy/privacy.h"

enum {
    RULES_MAX = 64,              /* bits of a number; a set takes three or four */
    NAMES_MAX = 4096,            /* names of all rules together */
    NAME_BYTES_MAX = 1024,       /* of a name that is looked at; longer ones go by their beginning */
    KEEP_MAX = 100000,           /* characters that `cut` may keep */
    MEMORY_MAX = 4 << 20,        /* bytes that the rules of one configuration may take */
};

enum action { ACTION_DROP, ACTION_HASH, ACTION_CUT };

struct rule {
    enum action action;
    uint32_t keep;               /* ACTION_CUT: characters */
    struct regex *match;         /* NULL: the whole value */
    struct regex *unless;        /* values it leaves alone; may be NULL */
    struct str needs;            /* `match` holds one of these bytes; empty: not known */
};

struct name_rule {               /* one name, glob or pattern of a rule */
    struct str text;             /* as names are compared; a glob has '*' or '?' in it */
    struct regex *regex;         /* or this */
    uint64_t rules;
};

struct privacy {
    _Atomic uint32_t refs;
    struct arena mem;
    uint8_t key[PRIVACY_KEY_BYTES];
    struct rule rules[RULES_MAX];
    uint32_t nrules;
    uint64_t drops, hashes, cuts, matches;         /* which rules do what; those with a pattern are in `matches` alone */
    uint64_t unnamed;                              /* rules for every name */
    uint64_t at[PLACE_COUNT];                      /* rules by place */
    struct name_rule *names;
    uint32_t nnames, cap_names;
    struct map literals;                           /* compared name -> names[] */
    uint32_t *patterns, npatterns, cap_patterns;   /* the others of names[] */
    struct str summary;
};

/* ---- names.c ------------------------------------------------------------------ */
/* A name as it is compared: lower case, '_' for whatever is no letter or digit and between
 * the words of camelCase; with `glob` '*' and '?' stay. `out` has NAME_BYTES_MAX bytes. */
struct str name_form(struct str name, bool glob, char *out);
bool glob_match(struct str glob, struct str name);

/* ---- replace.c ---------------------------------------------------------------- */
struct str value_hash(const struct privacy *p, struct str value, struct arena *mem);
struct str value_cut(struct str value, uint32_t keep, struct arena *mem);
/* Every match of the rule's pattern, or its first group, hashed or cut. */
struct str value_matches(const struct privacy *p, const struct rule *r, struct str value, struct arena *mem);

/* ---- rules.c ------------------------------------------------------------------ */
/* A new rule at these places (bits); NULL past RULES_MAX. */
struct rule *rule_add(struct privacy *p, enum action action, uint32_t places, struct regex *match);
uint64_t rule_bit(const struct privacy *p, const struct rule *r);
/* One more name of a rule; `regex` is taken over. False past NAMES_MAX. */
MUST bool rule_name(struct privacy *p, const struct rule *r, struct str text, struct regex *regex);

void rules_describe(struct buf *out);

#define PLACE_BIT(place) (1u << (place))
#define PLACES_ALL       ((1u << PLACE_COUNT) - 1)

/* ---- sets.c ------------------------------------------------------------------- */
enum row_kind {
    ROW_CONTENT,                 /* dropped; in labels, resources and scopes hashed, so that series stay apart */
    ROW_WORD,                    /* dropped; a word so usual that it is left alone in labels, resources and scopes */
    ROW_HASH,                    /* hashed wherever it stands */
    ROW_BODY,                    /* hashed, unless it is ... */
    ROW_MATCH,                   /* the pattern's matches are hashed in every text */
};

struct set_row {
    enum row_kind kind;
    struct str name;             /* a glob; ROW_BODY, ROW_MATCH: a pattern */
    struct str needs;            /* ROW_MATCH: as in struct rule */
    const char *why;
};

struct set {
    struct str name;
    const char *doc;
    const struct set_row *rows;
    size_t nrows;
};

extern const struct set privacy_sets[];            /* ends with an empty name */
/* False: more rules or names than there may be. */
MUST bool set_add(struct privacy *p, const struct set *s);
