/* base/fields.h -- a YAML map read into a struct by a table; a row is a whole key.
 *
 * The table says name, type, where it goes and its limits. An unknown key, a wrong
 * kind of node and a value out of its range are errors with "FILE:LINE:COLUMN: ...";
 * a key of a schema that is known but not acted on (FIELD_IGNORED) calls `warn`.
 *
 * Owner:    text is copied into `mem`.
 * Threads:  one at a time; tables are constants.
 * Errors:   E_SYNTAX, E_LIMIT.
 * Units:    durations ns, sizes bytes.
 */
#pragma once
#include "base/yaml.h"

enum field_type {
    FIELD_TEXT,      /* struct str */
    FIELD_BOOL,      /* bool: true, false */
    FIELD_COUNT,     /* uint64_t, min..max */
    FIELD_F64,       /* double */
    FIELD_DURATION,  /* int64_t ns, "1m30s"; min..max in ns */
    FIELD_SIZE,      /* uint64_t bytes: "10MB", "1KiB", "512"; K, M, G count 1024 as in Prometheus */
    FIELD_CHOICE,    /* uint64_t, the index into choices "a|b|c" */
    FIELD_TEXTS,     /* struct texts: a list of texts, or one; at most max (0: FIELDS_LIST_MAX) */
    FIELD_MAP,       /* a nested struct at `at`, read with `sub` */
    FIELD_LIST,      /* struct list of structs of `size` bytes, each read with `sub` */
    FIELD_PAIRS,     /* struct pairs: a map of texts, in the order of the file */
    FIELD_NODE,      /* const struct yaml *: the owner reads it by itself */
    FIELD_IGNORED,   /* known, not acted on: a warning */
};

enum { FIELDS_LIST_MAX = 10000 };

struct texts { struct str *at; uint32_t n; };
struct pair { struct str name, value; };
struct pairs { struct pair *at; uint32_t n; };
struct list { void *at; uint32_t n; };

struct field {
    struct str name;
    enum field_type type;
    size_t at;                                     /* offsetof in the struct */
    int64_t min, max;                              /* both 0: any */
    const char *choices;
    const struct field *sub;                       /* ends with an empty name */
    size_t size;                                   /* FIELD_LIST: sizeof one element */
    const void *init;                              /* FIELD_LIST: what an element holds before it is read; NULL: zeros */
    size_t given;                                  /* offsetof a bool that turns true when the key stands there; 0: none */
};

struct fields_reader {
    struct str file;
    struct arena *mem;
    void (*warn)(void *arg, const char *text);     /* may be NULL */
    void *warn_arg;
    struct fault *f;
};

/* Reads `map` (YAML_NULL is an empty map) over what `into` holds. `path` names the map in
 * errors ("scrape_configs"); empty at the top. */
MUST enum err fields_read(const struct fields_reader *r, const struct yaml *map, struct str path, const struct field *table, void *into);
/* The text of a FIELD_SIZE. */
MUST bool fields_size(struct str text, uint64_t *ret);
/* An error at a node, in the same words. Returns E_SYNTAX. */
enum err fields_error(const struct fields_reader *r, const struct yaml *at, const char *fmt, ...) PRINTF(3, 4);
