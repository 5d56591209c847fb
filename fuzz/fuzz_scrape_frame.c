/* Any bytes as the body of a scrape's frame: refused, or rows whose labels are what the model
 * asks for. */
#include <stdint.h>

#include "scrape/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct batch b;
    struct fault f = { 0 };
    arena_init(&mem, 64 << 20);
    enum err e = scrape_decode((struct str){ (const char *)data, size }, 1, &mem, &b, &f);
    CHECK(!e == !f.msg[0]);
    for (uint32_t i = 0; !e && i < b.nrows; i++)
        for (uint32_t k = 0; k < b.rows[i].cells.n; k++) {
            const struct cell *c = &b.rows[i].cells.at[k];
            CHECK(c->v.s.n && c->col < b.ncols && b.cols[c->col].place == PLACE_LABEL && b.cols[c->col].name.n);
            for (uint32_t m = 0; m < k; m++)
                CHECK(b.rows[i].cells.at[m].col != c->col);
        }
    batch_done(&b);
    arena_done(&mem);
    return 0;
}
