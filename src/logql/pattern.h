/* logql/pattern.h -- the pattern language of `| pattern` and `|>`: literals and <captures>.
 *
 * Threads:  immutable once parsed; any.
 * Errors:   E_SYNTAX.
 */
#pragma once
#include "base/arena.h"

enum { PATTERN_PARTS_MAX = 256 };

struct pattern_part {
    struct str text;                               /* a literal, or a capture's name; "_": unnamed */
    bool capture;
};

struct pattern {
    struct pattern_part *at;
    uint32_t n, cap;
};

/* `named`: at least one named capture is needed; else none may be named. */
MUST enum err pattern_parse(struct str text, bool named, struct arena *mem, struct pattern *ret, struct fault *f);
/* The whole line: captures are not empty, the end is reached. */
bool pattern_test(const struct pattern *p, struct str line);
/* Each named capture as far as the line goes along. */
void pattern_match(const struct pattern *p, struct str line,
                   void (*found)(void *arg, const struct pattern_part *capture, struct str value), void *arg);
