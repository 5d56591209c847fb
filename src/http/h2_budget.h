/* http/h2_budget.h -- how much that costs us and brings nothing one connection may send.
 *
 * Owner:    plain value; all-zero is a connection's beginning.
 * Threads:  one at a time.
 * Units:    milliseconds of any one clock.
 */
#pragma once
#include <stdint.h>
#include "base/base.h"

/* Fills at a rate up to a burst; what is taken from an empty one is too much. */
struct h2_bucket {
    int64_t filled_ms;                             /* when `tokens` was right; 0: full */
    int64_t tokens;                                /* thousandths */
};

struct h2_budget {
    struct h2_bucket frames, resets;
    uint64_t sent;                                 /* bytes of bodies not yet turned into frames */
};

/* Each: what is wrong with the client, or NULL. */
const char *h2_budget_frame(struct h2_budget *b, int64_t now_ms);   /* one that is neither HEADERS nor DATA */
const char *h2_budget_empty(struct h2_budget *b, int64_t now_ms);   /* DATA without any */
const char *h2_budget_reset(struct h2_budget *b, int64_t now_ms);
/* What honest clients send such frames for. */
void h2_budget_answered(struct h2_budget *b);
void h2_budget_sent(struct h2_budget *b, size_t body_bytes);
