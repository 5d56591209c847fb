/* scrape/relabel.h -- Prometheus's relabelling rules, all actions.
 *
 * Owner:    rules live in the configuration's arena; relabel_done() frees their expressions.
 * Threads:  immutable after reading; any thread may apply them.
 * Errors:   E_SYNTAX with file and line; E_LIMIT.
 * Spec:     Prometheus, relabel_config.
 */
#pragma once
#include "base/fields.h"
#include "base/regex.h"
#include "scrape/lset.h"

enum relabel_action {                              /* in the order of RELABEL_ACTIONS */
    RELABEL_REPLACE, RELABEL_KEEP, RELABEL_DROP, RELABEL_KEEPEQUAL, RELABEL_DROPEQUAL, RELABEL_HASHMOD,
    RELABEL_LABELMAP, RELABEL_LABELDROP, RELABEL_LABELKEEP, RELABEL_LOWERCASE, RELABEL_UPPERCASE,
};

struct relabel_rule {
    struct texts source_labels;
    struct str separator, target_label, regex, replacement;
    struct str action_text;
    uint64_t modulus;
    bool has_separator, has_regex, has_replacement, has_target, has_modulus;
    enum relabel_action action;
    struct regex *re;
};

struct relabel {
    struct relabel_rule *at;
    uint32_t n;
};

extern const struct field relabel_fields[];
/* A list of rules, read, checked and compiled. */
MUST enum err relabel_read(const struct fields_reader *r, const struct yaml *node, struct str path, struct relabel *ret);
void relabel_done(struct relabel *r);
/* False: what these labels belong to is dropped. Texts it makes live in the set's arena. */
MUST bool relabel_apply(const struct relabel *r, struct lset *s);
