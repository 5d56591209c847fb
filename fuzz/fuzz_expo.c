/* Any bytes through the exposition parser, as text and as OpenMetrics (the first bit says
 * which), and what it accepts through building rows: whatever a frame is made of decodes again,
 * with as many rows as went in. */
#include <stdint.h>

#include "scrape/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct scrape_job job = { .name = { "j", 1 }, .honor_timestamps = true };
    const struct lpair labels[] = { { S("instance"), S("i") }, { S("job"), S("j") } };
    struct arena mem;
    struct built built;
    struct fault f = { 0 };
    if (!size)
        return 0;
    struct build_in in = {
        .job = &job, .labels = labels, .nlabels = LEN(labels), .body = { (const char *)data + 1, size - 1 },
        .format = data[0] & 1 ? EXPO_OPENMETRICS : EXPO_TEXT, .time_ns = 1000 * NS_PER_S, .oldest_ns = INT64_MIN,
    };
    arena_init(&mem, 64 << 20);
    if (!scrape_build(&in, &mem, &built, &f)) {
        struct batch batch;
        for (uint32_t i = 0; i < built.nmetas; i++)
            frame_meta(&built.frame, &built.metas[i]);
        struct str body = frame_body(&built.frame, 7, &mem);
        CHECK(!scrape_decode(body, 8, &mem, &batch, &f));
        CHECK(batch.nrows == built.frame.nrows && batch.nmetas == built.nmetas);
        batch_done(&batch);
    } else {
        CHECK(f.msg[0]);
    }
    built_done(&built);
    arena_done(&mem);
    return 0;
}
