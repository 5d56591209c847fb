/* push/loki_decode.c -- Loki's push: a body to a batch of rows with their ids. */
#include "push/entries.h"

enum err loki_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct arena *mem, struct batch *ret,
                     struct push_result *result, struct fault *f)
{
    CHECK(kind == FRAME_LOKI_PB || kind == FRAME_LOKI_JSON);
    struct entries s;
    batch_init(ret, mem, TABLE_LOG, recv_ns);
    entries_init(&s, ret, &result->report, oldest_ns, f);
    if (kind == FRAME_LOKI_PB)
        loki_walk_protobuf(&s, body);
    else
        loki_walk_json(&s, body);
    result->streams = s.nstreams;
    if (s.err)
        batch_done(ret);
    else
        rows_identify(ret);
    return s.err;
}
