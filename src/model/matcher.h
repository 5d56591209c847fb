/* model/matcher.h -- label matchers, shared by both query languages and the store.
 *
 * An absent label is the empty text. `places` limits which columns count as the
 * label (bit 1 << enum place; 0 is all): a LogQL stream selector sees stream
 * labels only. `label` is the name as queries write it ("session_id"), matched
 * against label_name() of each column.
 *
 * Owner:    the regex belongs to whoever made the matcher.
 * Threads:  immutable; any.
 */
#pragma once
#include "base/regex.h"
#include "model/value.h"

enum match_op { MATCH_EQ, MATCH_NE, MATCH_RE, MATCH_NRE };

struct matcher {
    enum match_op op;
    struct str label, value;
    struct regex *re;                              /* MATCH_RE, MATCH_NRE */
    uint32_t places;
};

bool matcher_test(const struct matcher *m, struct str text);
