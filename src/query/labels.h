/* query/labels.h -- the labels of a series: sorted by name, unique, no empty value.
 *
 * An absent label and an empty one are the same thing in both languages.
 * Owner:    texts are borrowed, arrays live in the arena that made them.
 * Threads:  immutable; any.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

struct label {
    struct str name, value;
};

struct labels {
    const struct label *at;
    uint32_t n;
};

/* Sorts `at` in place, drops empty values; of equal names the last one counts. */
struct labels labels_make(struct label *at, uint32_t n);
struct str labels_get(struct labels l, struct str name);                 /* empty if absent */
bool labels_eq(struct labels a, struct labels b);
int labels_cmp(struct labels a, struct labels b);                        /* as Prometheus orders series */
/* Order independent of nothing: the same labels always give the same hash. */
uint64_t labels_hash(struct labels l);

bool names_have(const struct str *names, uint32_t n, struct str name);
/* A copy with only / without the names. */
struct labels labels_keep(struct arena *mem, struct labels l, const struct str *names, uint32_t n);
struct labels labels_drop(struct arena *mem, struct labels l, const struct str *names, uint32_t n);
/* Without __name__, __type__ and __unit__: what most functions do. No copy where there is none. */
struct labels labels_drop_name(struct arena *mem, struct labels l);
/* A copy with the label set; an empty value removes it. */
struct labels labels_set(struct arena *mem, struct labels l, struct str name, struct str value);
/* `{a="b", c="d"}` with the name in front, as error texts and logs show it. */
struct str labels_text(struct arena *mem, struct labels l);
/* {__name__="x", a="b"}: the form Prometheus's errors use. */
struct str labels_text_plain(struct arena *mem, struct labels l);

/* Numbers for label sets, from 0 on, in order of first sight. */
struct keyset {
    struct map map;
    struct buf scratch;
    struct arena *mem;
    uint32_t n;
};

void keyset_init(struct keyset *k, struct arena *mem);
void keyset_done(struct keyset *k);                                      /* for CLEANUP */
/* The number of the subset: only the names (keep), or all but the names. */
uint32_t keyset_id(struct keyset *k, struct labels l, const struct str *names, uint32_t n, bool keep, bool *ret_new);
uint32_t keyset_all(struct keyset *k, struct labels l, bool *ret_new);
