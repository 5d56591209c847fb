/* otlp/decode.h -- a request's bytes to a batch of rows.
 *
 * Owner:    the batch borrows from the body and lives in `mem`; batch_done() ends
 *           it. After a failure there is nothing to end.
 * Threads:  any; nothing is shared.
 * Errors:   E_SYNTAX what cannot be decoded (the fault's `at` is the byte), E_LIMIT
 *           a limit of otlp/limits.h or the arena's budget.
 * The same bytes with the same two times always give the same rows: replay relies on it.
 */
#pragma once
#include "model/seen.h"
#include "model/sink.h"

enum otlp_signal { OTLP_METRICS, OTLP_LOGS, OTLP_TRACES, OTLP_SIGNALS };

/* What differs between the signals, apart from the items themselves. */
struct otlp_signal_def {
    struct str name;                               /* as in /v1/logs */
    enum table table;
    struct str resources, scopes, items;           /* JSON names of the envelope */
    struct str rejected;                           /* JSON name in the partial success */
    enum frame_kind protobuf, json;
};
extern const struct otlp_signal_def otlp_signals[OTLP_SIGNALS];

/* Fills *ret (rows with their ids). oldest_ns: rows before it are kept at recv_ns. */
MUST enum err otlp_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns,
                          struct arena *mem, struct batch *ret, struct fault *f);
/* The same, with series that were decoded before; NULL: none are known. What comes of it is the same. */
MUST enum err otlp_decode_seen(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct seen *seen,
                               struct arena *mem, struct batch *ret, struct fault *f);
