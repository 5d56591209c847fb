/* push/report.h -- what was left out of a request, and why, for the answer.
 *
 * Owner:    the texts live in the arena given.   Threads: one at a time.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "push/limits.h"

struct report {
    struct {
        struct str text;
        uint64_t times;
    } at[PUSH_REFUSALS_MAX];
    uint32_t n;
    uint64_t more;                                 /* reasons that had no room */
};

void report_add(struct report *r, struct arena *mem, const char *fmt, ...) PRINTF(3, 4);
/* A text that is made already. */
void report_str(struct report *r, struct arena *mem, struct str text);
/* All reasons, with a separator; repeated ones "N errors like: ..." if `counted`. */
struct str report_text(const struct report *r, struct str separator, bool counted, struct arena *mem);
