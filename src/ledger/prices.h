/* ledger/prices.h -- the price book: what tokens of a model cost at list price on a day.
 *
 * A book is made from text (prices.yml, which is built in, or a file in its form) and checked
 * whole when it is loaded: rows of one model do not overlap, every model has input and output
 * prices, nothing is negative. What it does not know is unpriced, never zero.
 *
 * Owner:    counted references; prices_unref() of the last one frees. What a struct price_row
 *           points to belongs to the book.
 * Threads:  immutable; any.
 * Errors:   E_SYNTAX with file, line and column; E_LIMIT.
 * Units:    prices pico-dollars a token, amounts nano-dollars, days since 1970 (UTC).
 */
#pragma once
#include "base/base.h"
#include "base/str.h"

enum { PRICE_ROWS_MAX = 10000 };
#define PRICE_TOKENS_MAX UINT64_C(1000000000000)   /* of one class in one request; more is no request */

enum token_class { TOKENS_INPUT, TOKENS_OUTPUT, TOKENS_WRITE_5M, TOKENS_WRITE_1H, TOKENS_READ, TOKEN_CLASSES };
extern const struct str token_class_names[TOKEN_CLASSES];

struct rates {
    int64_t of[TOKEN_CLASSES];                     /* RATE_NONE: no price is known */
};
#define RATE_NONE INT64_C(-1)

struct price_row {
    struct str model;                              /* normalised (model_id.h) */
    int32_t from_day, to_day;                      /* both inclusive; INT32_MAX: for ever */
    struct rates rates;
    bool has_long, has_fast;
    uint64_t long_above;                           /* tokens of the prompt */
    struct rates of_long, of_fast;
    int32_t fast_from, fast_to;
    uint64_t regional;                             /* per mille of the list price on regional endpoints */
};

struct prices;
MUST enum err prices_load(struct str name, struct str text, struct prices **ret, struct fault *f);
MUST enum err prices_builtin(struct prices **ret, struct fault *f);
struct prices *prices_ref(struct prices *p);
void prices_unref(struct prices *p);               /* NULL is fine */
struct str prices_as_of(const struct prices *p);   /* the day of the book, as it says */
const struct price_row *prices_rows(const struct prices *p, uint32_t *ret_n);

/* One request as it was reported. */
struct usage {
    struct str model;
    int64_t time_ns;
    uint64_t tokens[TOKEN_CLASSES];
    bool fast;
    bool regional;                                 /* said by the configuration, where a name does not tell */
};

enum price_status { PRICED, UNPRICED_MODEL, UNPRICED_DAY, UNPRICED_CLASS, UNPRICED_AMOUNT };
extern const struct str price_status_names[];

struct list_price {
    enum price_status status;                      /* unless PRICED the rest is zero */
    const struct price_row *row;
    bool is_long, is_fast;
    uint64_t mille;                                /* 1000, or the factor of a region */
    struct rates rates;                            /* before that factor */
    int64_t nanos;
    int64_t by_class[TOKEN_CLASSES];               /* adds up to nanos */
    int64_t uncached_nanos;                        /* had the same prompt been sent without a cache */
};

struct list_price prices_ask(const struct prices *p, const struct usage *u);

/* Which known reason makes a reported cost differ from the list price (prices differ for
 * reasons that the event does not name). The first that fits to the nano-dollar. */
enum price_reason {
    REASON_EQUAL, REASON_UNPRICED, REASON_OTHER_SPEED, REASON_LONG_NOT_ADDED, REASON_REGION_NOT_ADDED, REASON_GEO_US,
    REASON_WEB_SEARCH, REASON_UNKNOWN_MODEL, REASON_CONTRACT, REASON_COUNT
};
struct price_reason_row {
    struct str name, text;                         /* "web_search", a sentence for people */
};
extern const struct price_reason_row price_reasons[REASON_COUNT];
enum price_reason prices_explain(const struct prices *p, const struct usage *u, int64_t reported_nanos);
