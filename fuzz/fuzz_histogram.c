/* Any bytes as a stored histogram: what decodes is sound, and encodes to the same bytes. */
#include <stdint.h>
#include <string.h>

#include "model/histogram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void side(const struct hist_buckets *b)
{
    CHECK(b->n <= HIST_BUCKETS_MAX);
    for (uint32_t i = 1; i < b->n; i++)
        CHECK(b->index[i - 1] < b->index[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct histogram h;
    struct fault f = { 0 };
    struct str in = { (const char *)data, size }, out;
    if (!histogram_decode(in, &mem, &h, &f)) {
        side(&h.pos);
        side(&h.neg);
        CHECK(!histogram_encode(&mem, &h, &out, &f) && str_eq(in, out));
        enum err e = histogram_check(&h, &f);
        if (h.schema != HIST_CUSTOM) {
            struct histogram low = histogram_coarsen(&mem, &h, HIST_SCHEMA_MIN);
            side(&low.pos);
            side(&low.neg);
            CHECK(e || !low.integer || !histogram_check(&low, &f));
        }
    } else {
        CHECK(f.code == E_CORRUPT);
    }
    arena_done(&mem);
    return 0;
}
