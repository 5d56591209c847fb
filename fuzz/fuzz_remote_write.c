/* Remote write, both versions: whatever the bytes, an error or rows with ids. */
#include "fuzz_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decode(fuzz_write_decode, FRAME_REMOTE_WRITE_1, data, size);
    fuzz_decode(fuzz_write_decode, FRAME_REMOTE_WRITE_2, data, size);
    return 0;
}
