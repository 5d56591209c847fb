/* Any bytes as a price book, and as the name of a model. A book that loads prices a request
 * of each of its rows, and its classes add up. */
#include <stdint.h>

#include "ledger/model_id.h"
#include "ledger/prices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_all(const struct prices *p)
{
    uint32_t n;
    const struct price_row *rows = prices_rows(p, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct usage u = { .model = rows[i].model, .tokens = { 1000000, 7, 0, 3, 99 }, .fast = i & 1 };
        u.time_ns = INT64_C(86400000000000) * (rows[i].from_day < -100000 ? 0 : rows[i].from_day);
        struct list_price l = prices_ask(p, &u);
        int64_t sum = 0;
        for (int c = 0; c < TOKEN_CLASSES; c++)
            sum += l.by_class[c];
        CHECK(sum == l.nanos && l.status != UNPRICED_MODEL);
        (void)prices_explain(p, &u, l.nanos + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = { (const char *)data, size };
    char name[MODEL_ID_MAX];
    enum model_region region;
    struct str id = model_id(text, name, &region);
    CHECK(id.n <= size && id.n <= MODEL_ID_MAX);

    struct prices *p = NULL;
    struct fault f = { 0 };
    if (!prices_load(S("fuzz.yml"), text, &p, &f))
        ask_all(p);
    prices_unref(p);
    return 0;
}
