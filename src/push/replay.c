/* push/replay.c -- frames of this room decoded again: the receivers' own code. */
#include "base/zip.h"
#include "push/entries.h"
#include "push/job.h"

/* What rows borrow from lives as long as they do. */
static enum err unpack(struct str packed, struct arena *mem, struct str *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, PUSH_BODY_MAX);
    enum err e = zip_unsnappy(packed, PUSH_BODY_MAX, &body, f);
    if (!e)
        *ret = arena_str(mem, buf_view(&body));
    return e;
}

static enum err decode_frame(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem,
                             struct batch *ret, struct fault *f)
{
    (void)arg;                                     /* nothing that is set now may matter */
    struct push_result *result = arena_new(mem, struct push_result, 1);
    if (kind == FRAME_LOKI_PB || kind == FRAME_LOKI_JSON)
        return loki_decode(kind, body, recv_ns, push_oldest_ns(epoch, recv_ns), mem, ret, result, f);
    if (frame_is_packed(kind)) {
        enum err e = unpack(body, mem, &body, f);
        if (e)
            return e;
        kind = kind == FRAME_REMOTE_WRITE_1_SNAPPY ? FRAME_REMOTE_WRITE_1 : FRAME_REMOTE_WRITE_2;
    }
    return write_decode(kind, body, recv_ns, push_oldest_ns(epoch, recv_ns), NULL, mem, ret, result, f);
}

struct frame_decoder push_frame_decoder(void)
{
    return (struct frame_decoder){ .decode = decode_frame };
}
