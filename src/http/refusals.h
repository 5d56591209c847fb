/* http/refusals.h -- who was refused, lately: what a sender that drops its data in silence
 * does not say. A bounded table in memory, one row per kind of refusal and sender.
 *
 * Owner:    refusals_new/refusals_free.
 * Threads:  any; one lock.
 * Limits:   REFUSALS_MAX rows; the one that was seen last longest ago gives way.
 */
#pragma once
#include "base/clock.h"
#include "base/str.h"

enum {
    REFUSALS_MAX = 256,
    REFUSAL_LISTENER_MAX = 32,
    REFUSAL_PEER_MAX = 48,                         /* an address without its port */
    REFUSAL_TOKEN_MAX = 64,                        /* access_shape() */
    REFUSAL_AGENT_MAX = 96,
    REFUSAL_PATH_MAX = 96,
    REFUSAL_WHY_MAX = 200,
};

/* Text that is cut where its place ends, without control characters. */
struct refusal {
    int status;
    char listener[REFUSAL_LISTENER_MAX], peer[REFUSAL_PEER_MAX], token[REFUSAL_TOKEN_MAX], agent[REFUSAL_AGENT_MAX];
    /* Above is who and what, below the last one of it. */
    char method[8], path[REFUSAL_PATH_MAX], why[REFUSAL_WHY_MAX];
    bool otlp;                                     /* a sender that drops what it sent */
    int64_t first_ns, last_ns;
    uint64_t count;
};

struct refusals;
struct refusals *refusals_new(void);
void refusals_free(struct refusals *r);            /* NULL is fine */
/* Whether this sender has not been seen with this refusal before (or so long ago that it was forgotten). */
bool refusals_note(struct refusals *r, const struct refusal *x, int64_t now_ns);
uint32_t refusals_list(struct refusals *r, struct refusal *out, uint32_t max);     /* the latest first */
uint64_t refusals_total(struct refusals *r);       /* since the start */

/* Puts a text into such a place. */
void refusal_text(char *out, size_t size, struct str s);
