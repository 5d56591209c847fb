/* app/frames.c -- which room decodes which frame of the log at replay. */
#include "app/app.h"

#include "otlp/receive.h"
#include "push/push.h"
#include "scrape/frame.h"

struct family {
    enum frame_kind first, last;
    struct frame_decoder (*decoder)(void);
};

static const struct family families[] = {
    { FRAME_OTLP_METRICS_PB, FRAME_OTLP_TRACES_JSON, otlp_frame_decoder },
    { FRAME_REMOTE_WRITE_1, FRAME_LOKI_JSON, push_frame_decoder },
    { FRAME_SCRAPE, FRAME_SCRAPE, scrape_frame_decoder },
    { FRAME_REMOTE_WRITE_1_SNAPPY, FRAME_REMOTE_WRITE_2_SNAPPY, push_frame_decoder },
};

static enum err decode(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem,
                       struct batch *ret, struct fault *f)
{
    (void)arg;
    for (size_t i = 0; i < LEN(families); i++)
        if (kind >= families[i].first && kind <= families[i].last) {
            struct frame_decoder d = families[i].decoder();
            return d.decode(d.arg, kind, epoch, body, recv_ns, mem, ret, f);
        }
    return fault_set(f, E_CORRUPT, 0, "a frame of unknown kind %d", (int)kind);
}

struct frame_decoder app_frame_decoder(void)
{
    return (struct frame_decoder){ .decode = decode };
}
