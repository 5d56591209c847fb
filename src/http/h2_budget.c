/* http/h2_budget.c -- see h2_budget.h; the numbers are in limits.h.
 *
 * Attacks with frames that are cheap to send and not to take (SETTINGS, PING, PRIORITY,
 * WINDOW_UPDATE, empty DATA, unknown types, streams opened and reset at once) have in
 * common that no work comes of them. So there is one bucket for such frames and a much
 * smaller one for resets; they fill slowly by themselves, and the first also by work
 * done: honest clients send window updates for what they were sent, and a PING or two
 * around a request. A limit per second alone would be too high for a client at rest
 * or too low for one that takes a large reply.
 */
#include "http/h2_budget.h"

#include "http/limits.h"

enum { UNIT = 1000 };                              /* a token in thousandths: one a second is one unit a millisecond */

static void fill(struct h2_bucket *b, int64_t now_ms, int64_t rate, int64_t burst)
{
    if (!b->filled_ms) {
        b->tokens = burst * UNIT;
    } else if (now_ms > b->filled_ms) {
        int64_t ms = MIN(now_ms - b->filled_ms, (int64_t)3600 * 1000);
        b->tokens = MIN(b->tokens + ms * rate, burst * UNIT);
    }
    b->filled_ms = now_ms ? now_ms : 1;
}

static bool take(struct h2_bucket *b, int64_t now_ms, int64_t rate, int64_t burst)
{
    fill(b, now_ms, rate, burst);
    if (b->tokens < UNIT)
        return false;
    b->tokens -= UNIT;
    return true;
}

static void earn(struct h2_budget *b, int64_t frames)
{
    if (b->frames.filled_ms)
        b->frames.tokens = MIN(b->frames.tokens + frames * UNIT, (int64_t)HTTP2_FRAMES_BURST * UNIT);
}

const char *h2_budget_frame(struct h2_budget *b, int64_t now_ms)
{
    return take(&b->frames, now_ms, HTTP2_FRAMES_PER_S, HTTP2_FRAMES_BURST) ? NULL : "a flood of HTTP/2 control frames";
}

const char *h2_budget_empty(struct h2_budget *b, int64_t now_ms)
{
    return take(&b->frames, now_ms, HTTP2_FRAMES_PER_S, HTTP2_FRAMES_BURST) ? NULL : "a flood of empty HTTP/2 DATA frames";
}

const char *h2_budget_reset(struct h2_budget *b, int64_t now_ms)
{
    return take(&b->resets, now_ms, HTTP2_RESETS_PER_S, HTTP2_RESETS_BURST) ? NULL : "a flood of HTTP/2 stream resets";
}

void h2_budget_answered(struct h2_budget *b)
{
    earn(b, HTTP2_FRAMES_PER_REQUEST);
}

void h2_budget_sent(struct h2_budget *b, size_t body_bytes)
{
    b->sent += body_bytes;
    earn(b, (int64_t)(b->sent / HTTP2_BYTES_PER_FRAME));
    b->sent %= HTTP2_BYTES_PER_FRAME;
}
