/* Any bytes as a zone file; one that is taken answers for any moment. */
#include <stdint.h>

#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *z = NULL;
    struct fault f = { 0 };
    if (zone_parse((struct str){ (const char *)data, size }, &z, &f))
        return 0;
    for (int year = 1900; year < 2200; year += 7)
        for (int month = 1; month <= 12; month++) {
            int y, m, d;
            zone_date(z, zone_day_begin(z, year, month, 1), &y, &m, &d);
            CHECK(m >= 1 && m <= 12 && d >= 1 && d <= 31);
        }
    zone_free(z);
    return 0;
}
