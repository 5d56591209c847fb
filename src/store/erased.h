/* store/erased.h -- who was erased, and whose a row is.
 *
 * A row names a session by what a query calls session_id, wherever it stands (a resource
 * may claim one: then it names it too), and a person by user_id, user_email,
 * user_account_uuid or user_account_id.
 *
 * Of what was erased only a keyed hash is kept, so that a resend does not bring it back:
 *
 *   a session   its rows are left out for ever
 *   a person    rows of a time up to the erasure are left out, and points of streams that
 *               began before it; what a person does afterwards is new
 *
 * Owner:    sets are counted; erased_ref/erased_unref.
 * Threads:  immutable once made; any.
 */
#pragma once
#include "base/map.h"
#include "base/secret.h"
#include "model/source.h"

enum erased_kind { ERASED_SESSION = 1, ERASED_USER = 2 };      /* on disk, never renumbered */

/* What a column's values name. */
enum whose { WHOSE_NOBODY, WHOSE_SESSION, WHOSE_USER_ID, WHOSE_USER_EMAIL, WHOSE_USER_ACCOUNT_UUID, WHOSE_USER_ACCOUNT_ID, WHOSE_COUNT };
enum whose whose_of(struct str name);
extern const struct str whose_labels[WHOSE_COUNT - 1];         /* as queries call them */
static inline enum erased_kind whose_kind(enum whose w) { return w == WHOSE_SESSION ? ERASED_SESSION : ERASED_USER; }

struct erased_entry {
    uint8_t hash[SECRET_HASH_BYTES];
    enum erased_kind kind;
    int64_t at_ns;                                 /* when it was asked for */
};

struct erased_set;
/* Copies; n may be 0, then *ret is NULL, which every function here takes. */
struct erased_set *erased_new(const uint8_t key[SECRET_HASH_BYTES], const struct erased_entry *at, uint32_t n);
struct erased_set *erased_ref(struct erased_set *s);
void erased_unref(struct erased_set *s);
void erased_hash(const uint8_t key[SECRET_HASH_BYTES], enum erased_kind kind, struct str text, uint8_t ret[SECRET_HASH_BYTES]);

/* Gives every row of somebody erased VERDICT_ERASED; how many there are. */
uint32_t erased_mark(const struct erased_set *s, struct batch *b);

/* The cells that the rows of a group share. */
struct cells group_cells(const struct batch *b, uint32_t group, struct arena *mem);

/* Plain texts to be erased, while it is under way. */
struct targets {
    struct map sessions, users;                    /* keys borrowed */
    const struct str *ids;                         /* the sessions again, as a list */
    uint32_t nids;
};
/* Which rows of a block name one of them: sel[0 .. *ret_n) of the rows that count. Blocks by row only. */
void targets_find(const struct targets *t, const struct block *b, struct arena *mem, uint32_t **ret_sel, uint32_t *ret_n);
