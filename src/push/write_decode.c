/* push/write_decode.c -- remote write: a body to a batch of rows with their ids. */
#include "push/samples.h"

enum err write_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct seen *seen, struct arena *mem,
                      struct batch *ret, struct push_result *result, struct fault *f)
{
    CHECK(kind == FRAME_REMOTE_WRITE_1 || kind == FRAME_REMOTE_WRITE_2);
    struct samples s;
    batch_init(ret, mem, TABLE_SAMPLE, recv_ns);
    ret->unfold = write1_unfold;
    samples_init(&s, ret, result, oldest_ns, f);
    s.seen = seen;
    if (kind == FRAME_REMOTE_WRITE_2)
        write2_walk(&s, body);
    else
        write1_walk(&s, body);
    samples_done(&s);
    if (s.err)
        batch_done(ret);
    else
        rows_identify(ret);
    return s.err;
}
