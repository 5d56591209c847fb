/* Protobuf traces: whatever the bytes, an error or rows with ids. */
#include "fuzz_otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_decode(FRAME_OTLP_TRACES_PB, data, size);
    return 0;
}
