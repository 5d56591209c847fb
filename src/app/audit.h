/* app/audit.h -- DATA/audit.log: who was refused, and who erased, a JSON object a line.
 *
 * The first refusal of a kind from an address is written at once, further ones of the same
 * minute as one line with their count when it ends; so the counts of all lines add up to
 * the refusals. Past AUDIT_KINDS_MAX kinds in a minute the rest is one line "others".
 *
 * Owner:    audit_new/audit_free; what waits is written before it ends.
 * Threads:  audit_note() from any, and never waits for the disk; one thread writes, and is
 *           only there once something was refused.
 * Limits:   AUDIT_BYTES_MAX, then the file becomes audit.log.1 in the place of the one before.
 */
#pragma once
#include "base/clock.h"
#include "http/refusals.h"

enum {
    AUDIT_KINDS_MAX = 64,                          /* (listener, address, status, reason) of one minute */
    AUDIT_BYTES_MAX = 4 << 20,
    AUDIT_LINE_MAX = 4096,
    AUDIT_MINUTE_MS = 60 * 1000,
};

struct audit;
struct audit *audit_new(struct str dir, const struct clock *clock);
void audit_note(struct audit *a, const struct refusal *x);
/* What somebody did that cannot be undone; never to whom. */
struct audit_act {
    struct str what, listener, peer, user;
    uint64_t sessions, users;
};
void audit_act(struct audit *a, const struct audit_act *x);
void audit_free(struct audit *a);                  /* NULL is fine */
