/* Any bytes as gzip, deflate and zstd: never more than the limit, nothing kept
 * on failure. */
#include <stdint.h>

#include "base/zip.h"

enum { LIMIT = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum err (*const fns[])(struct str, size_t, struct buf *, struct fault *) = { zip_gunzip, zip_inflate, zip_unzstd };
    for (size_t i = 0; i < LEN(fns); i++) {
        struct buf out = { 0 };
        struct fault f = { 0 };
        enum err e = fns[i]((struct str){ (const char *)data, size }, LIMIT, &out, &f);
        CHECK(e == OK || e == E_SYNTAX || e == E_LIMIT);
        CHECK(e ? out.n == 0 : out.n <= LIMIT);
        buf_done(&out);
    }
    return 0;
}
