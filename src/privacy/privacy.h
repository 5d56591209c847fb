/* privacy/privacy.h -- what never reaches the disk: rules that drop, hash or cut values
 * by the name of their attribute, and patterns inside of texts.
 *
 * Every receiver asks for each attribute, label, resource attribute and text before it
 * writes the frame, so that log, head and partitions hold the redacted form only and
 * replay needs no rules. Names are compared as label names, so that "user.email",
 * "user_email" and whatever way it came in are the same.
 *
 * Redacting what is redacted changes nothing: a hash and the mark of a cut are known by
 * their form and left alone.
 *
 * Owner:    counted; privacy_ref/privacy_unref. A reload makes a new one.
 * Threads:  immutable after privacy_new; any thread.
 * Errors:   E_SYNTAX with the place in the configuration.
 */
#pragma once
#include <pthread.h>

#include "base/buf.h"
#include "base/fields.h"
#include "model/rows.h"

enum { PRIVACY_KEY_BYTES = 32 };

struct privacy;

/* `node` is the `privacy` section of the configuration. `key` is the secret of hashes, 32 bytes,
 * which app/ keeps in the data directory. No rules: *ret is NULL, which every function here takes. */
MUST enum err privacy_new(const struct fields_reader *r, const struct yaml *node, struct str key, struct privacy **ret);
/* Reads the key from DIR/privacy.key, which is made at its first use, for its owner only. */
MUST enum err privacy_key(struct str dir, uint8_t ret[PRIVACY_KEY_BYTES], struct fault *f);
struct privacy *privacy_ref(struct privacy *p);
void privacy_unref(struct privacy *p);

/* What is to be kept of a value. `place` PLACE_FIELD with name "body" is a record's body or a
 * line; PLACE_LABEL a label. False: the attribute is to be left out as if it had not been sent.
 * *ret is `value` itself where nothing is to change, else text in `mem`. */
MUST bool privacy_text(const struct privacy *p, enum place place, struct str name, struct str value, struct arena *mem, struct str *ret);
/* May values of this name be touched at all? False: privacy_text() would give every text back. */
bool privacy_touches(const struct privacy *p, enum place place, struct str name);

/* The same in two steps, for who meets a name often or has values inside of values: which
 * rules concern it, a bit each (those of a list and of its member are or-ed), and what they do. */
uint64_t privacy_rules(const struct privacy *p, enum place place, struct str name);
bool privacy_drops(const struct privacy *p, uint64_t rules);
/* Are values replaced as a whole, whatever they are? */
bool privacy_replaces(const struct privacy *p, uint64_t rules);
/* What is to be kept of a name: a map can be keyed by addresses. Only patterns for every name look into it. */
struct str privacy_name(const struct privacy *p, enum place place, struct str name, struct arena *mem);
/* What is to be kept of a value that is not dropped. Patterns look into texts only. */
struct str privacy_keep(const struct privacy *p, uint64_t rules, struct str value, bool is_text, struct arena *mem);

/* For docs, status pages: names of the rules that are on, comma-separated; empty for none. */
struct str privacy_summary(const struct privacy *p);
/* The keys of a rule and the ready-made sets as the documentation shows them. */
void privacy_describe(struct buf *out);

/* The rules in force, which a reload replaces. All-zero but for the lock: no rules. */
struct privacy_slot {
    pthread_mutex_t lock;                          /* of `now` */
    struct privacy *now;
};
void privacy_slot_init(struct privacy_slot *s);
void privacy_slot_done(struct privacy_slot *s);
struct privacy *privacy_slot_get(struct privacy_slot *s);              /* a reference, or NULL */
void privacy_slot_set(struct privacy_slot *s, struct privacy *p);      /* takes the reference over */
