/* base/regex.h -- RE2, with its options fixed once: dot matches newline, UTF-8,
 * bounded memory. Both ends are anchored for REGEX_FULL (label matchers).
 *
 * Owner:    regex_new() gives one object, regex_free() ends it (NULL is fine).
 * Threads:  immutable after regex_new; any thread may match.
 * Errors:   E_SYNTAX in Go's words; E_LIMIT for patterns too long or too large.
 */
#pragma once
#include "base/str.h"

enum { REGEX_GROUPS_MAX = 128 };                   /* with group 0; patterns with more are refused */

struct regex;
enum regex_mode { REGEX_FULL, REGEX_SEARCH };

MUST enum err regex_new(struct str pattern, enum regex_mode mode, struct regex **ret, struct fault *f);
void regex_free(struct regex *r);
void regex_freep(struct regex **r);
bool regex_match(const struct regex *r, struct str s);
/* The literal that a text must have in it somewhere, when the pattern says just that; else empty. */
struct str regex_contains(const struct regex *r);
uint32_t regex_groups(const struct regex *r);                      /* capture groups, without group 0 */
struct str regex_group_name(const struct regex *r, uint32_t i);    /* 1-based; empty if unnamed */
/* First match at or after `from`; ret[0 .. n-1]: the whole match, then the groups; p == NULL: did not take part. */
bool regex_find(const struct regex *r, struct str s, size_t from, struct str *ret, uint32_t n);
