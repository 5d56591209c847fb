/* JSON as each of the three signals, and what tells them apart, in both forms. */
#include "fuzz_otlp.h"
#include "otlp/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena mem;
    struct str body = { (const char *)data, size };
    enum otlp_signal signal = OTLP_SIGNALS;
    if (!mem.base)
        arena_init(&mem, FUZZ_MEMORY);
    if (otlp_sniff_json(body, mem, &signal))
        CHECK(signal < OTLP_SIGNALS);
    if (otlp_sniff_protobuf(body, &signal))
        CHECK(signal < OTLP_SIGNALS);
    fuzz_decode(FRAME_OTLP_METRICS_JSON, data, size);
    fuzz_decode(FRAME_OTLP_LOGS_JSON, data, size);
    fuzz_decode(FRAME_OTLP_TRACES_JSON, data, size);
    return 0;
}
