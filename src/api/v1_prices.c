/* api/v1_prices.c -- the price book as a table: a row for each band of a model's prices.
 *
 * Prices are USD a million tokens. A model has a row for usual requests, one for those whose
 * prompt is longer than `above` if these cost more, and one for fast mode if it has one.
 */
#include <math.h>

#include "api/v1.h"

struct price_band {
    struct str model, band;
    int64_t from_ns, to_ns, above, regional;
    double rates[TOKEN_CLASSES];
};
#define COLUMN(name, type, field, flags, doc) { S(name), type, offsetof(struct price_band, field), flags, S(doc) }
static const struct v1_column columns[] = {
    COLUMN("model", CELL_TEXT, model, COL_KEY, "the model, without what providers put around its name"),
    COLUMN("band", CELL_TEXT, band, COL_KEY, "standard; long: prompts above so many tokens; fast: fast mode"),
    COLUMN("from", CELL_TIME, from_ns, 0, "first day of these prices; null: from the beginning"),
    COLUMN("to", CELL_TIME, to_ns, 0, "the day after their last; null: they hold"),
    COLUMN("above", CELL_COUNT, above, 0, "tokens of a prompt beyond which the band long holds"),
    COLUMN("input", CELL_RATIO, rates[TOKENS_INPUT], 0, "USD a million tokens of input that no cache had"),
    COLUMN("output", CELL_RATIO, rates[TOKENS_OUTPUT], 0, "USD a million tokens of output"),
    COLUMN("write_5m", CELL_RATIO, rates[TOKENS_WRITE_5M], 0, "USD a million tokens written to a cache for five minutes"),
    COLUMN("write_1h", CELL_RATIO, rates[TOKENS_WRITE_1H], 0, "USD a million tokens written to a cache for an hour"),
    COLUMN("read", CELL_RATIO, rates[TOKENS_READ], 0, "USD a million tokens read from a cache"),
    COLUMN("regional", CELL_COUNT, regional, 0, "per mille of these prices on regional endpoints"),
    { .name = { 0 } },
};

struct book {
    const struct v1_call *c;
    struct price_band *at;
    uint32_t n, cap;
};

static int64_t day(int32_t d, int32_t plus)
{
    return d == INT32_MIN || d == INT32_MAX ? V1_NONE : ((int64_t)d + plus) * NS_PER_DAY;
}

static void add(struct book *b, const struct price_row *p, struct str band, const struct rates *r, int64_t above)
{
    struct price_band *x = arena_push(b->c->mem, b->at, b->n, b->cap);
    bool fast = r == &p->of_fast;
    *x = (struct price_band){ .model = p->model, .band = band, .above = above, .regional = (int64_t)p->regional,
                       .from_ns = day(fast ? p->fast_from : p->from_day, 0), .to_ns = day(fast ? p->fast_to : p->to_day, 1) };
    for (int i = 0; i < TOKEN_CLASSES; i++)
        x->rates[i] = r->of[i] == RATE_NONE ? (double)NAN : (double)r->of[i] / 1e6;
}

static void fill(void *arg, uint32_t i, void *row)
{
    *(struct price_band *)row = ((struct book *)arg)->at[i];
}

static void more(void *arg, struct jw *w)
{
    const struct book *b = arg;
    jw_kv_str(w, S("as_of"), prices_as_of(b->c->a->prices));
    jw_kv_str(w, S("unit"), S("USD a million tokens"));
}

static enum err rows(struct v1_call *c, struct v1_rows *ret, struct fault *f)
{
    struct book *b = arena_new(c->mem, struct book, 1);
    uint32_t n;
    const struct price_row *p = prices_rows(c->a->prices, &n);
    (void)f;
    b->c = c;
    for (uint32_t i = 0; i < n; i++) {
        add(b, &p[i], S("standard"), &p[i].rates, V1_NONE);
        if (p[i].has_long)
            add(b, &p[i], S("long"), &p[i].of_long, (int64_t)p[i].long_above);
        if (p[i].has_fast)
            add(b, &p[i], S("fast"), &p[i].of_fast, V1_NONE);
    }
    *ret = (struct v1_rows){ .n = b->n, .fill = fill, .more = more, .arg = b };
    return OK;
}

static const struct v1_param params[] = {
    { .name = S("model"), .type = V1_FILTER, .column = S("model"), .doc = S("of this model alone") },
    { .name = { 0 } },
};

const struct v1_route v1_prices = {
    .doc = S("Prices are USD a million tokens. What the book does not know is unpriced, never zero."),
    .params = params,
    .list = S("prices"),
    .columns = columns,
    .row_size = sizeof(struct price_band),
    .rows = rows,
};
