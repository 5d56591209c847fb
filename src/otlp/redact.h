/* otlp/redact.h -- a request's body without what the privacy rules leave out, before anything
 * of it is written: on the wire form, so that the frame of the log and the rows come from the
 * same redacted bytes and replay needs no rules.
 *
 * Owner:    *ret is `body` itself where nothing is to change, else it lies in `out`, an empty
 *           buffer with its maximum set, which the caller ends after the last use of *ret.
 * Threads:  any; nothing is shared.
 * Errors:   E_SYNTAX what cannot be read, E_LIMIT a limit of otlp/limits.h. Nothing that was
 *           not looked at is ever passed on.
 */
#pragma once
#include "base/buf.h"
#include "model/sink.h"
#include "privacy/privacy.h"

/* No rules (p == NULL): the body, at no cost. */
MUST enum err otlp_redact(const struct privacy *p, enum frame_kind kind, struct str body, struct buf *out, struct str *ret,
                          struct fault *f);
