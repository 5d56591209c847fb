/* push/replay.c -- frames of this room decoded again: the receivers' own code. */
#include "push/entries.h"
#include "push/job.h"

static enum err decode_frame(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem,
                             struct batch *ret, struct fault *f)
{
    (void)arg;                                     /* nothing that is set now may matter */
    struct push_result *result = arena_new(mem, struct push_result, 1);
    if (kind == FRAME_LOKI_PB || kind == FRAME_LOKI_JSON)
        return loki_decode(kind, body, recv_ns, push_oldest_ns(epoch, recv_ns), mem, ret, result, f);
    return write_decode(kind, body, recv_ns, push_oldest_ns(epoch, recv_ns), mem, ret, result, f);
}

struct frame_decoder push_frame_decoder(void)
{
    return (struct frame_decoder){ .decode = decode_frame };
}
