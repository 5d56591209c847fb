/* Loki's push, protobuf and JSON: whatever the bytes, an error or rows with ids. */
#include "fuzz_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decode(loki_decode, FRAME_LOKI_PB, data, size);
    fuzz_decode(loki_decode, FRAME_LOKI_JSON, data, size);
    return 0;
}
