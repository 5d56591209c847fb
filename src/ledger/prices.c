/* ledger/prices.c -- a request's tokens at list price.
 *
 * A look-up is by the whole normalised name, then by the day. Which rates hold is decided
 * for the request as a whole: fast mode where the model had it that day, else the long band
 * when the prompt (input, reads and writes) is over the row's mark. Products are exact; they
 * are rounded once, and the classes' shares are cut from the rounded sum.
 */
#include "ledger/prices.h"

#include "base/clock.h"
#include "ledger/model_id.h"
#include "ledger/money.h"
#include "ledger/prices_int.h"

enum { MILLE = 1000, MILLE_US_GOV = 1200 };

const struct str token_class_names[TOKEN_CLASSES] = { S("input"), S("output"), S("write_5m"), S("write_1h"), S("read") };
const struct str price_status_names[] = {
    S("priced"), S("unknown_model"), S("no_price_that_day"), S("no_price_of_class"), S("too_many_tokens"),
};

static int32_t day_of(int64_t ns)
{
    return (int32_t)(ns / NS_PER_DAY - (ns % NS_PER_DAY < 0));
}

static const struct price_name *find_name(const struct prices *p, struct str model)
{
    uint32_t lo = 0, hi = p->nnames;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        int c = str_cmp(p->names[mid].name, model);
        if (c == 0)
            return &p->names[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static const struct price_row *find_row(const struct prices *p, const struct price_name *name, int32_t day)
{
    for (uint32_t i = 0; i < name->n; i++) {
        const struct price_row *r = &p->rows[name->first + i];
        if (day >= r->from_day && day <= r->to_day)
            return r;
    }
    return NULL;
}

static uint64_t prompt_tokens(const struct usage *u)
{
    return u->tokens[TOKENS_INPUT] + u->tokens[TOKENS_READ] + u->tokens[TOKENS_WRITE_5M] + u->tokens[TOKENS_WRITE_1H];
}

static uint64_t region_mille(const struct price_row *r, enum model_region region, bool regional)
{
    if (region == REGION_US_GOV)
        return MILLE_US_GOV;
    return region == REGION_GEO || (region == REGION_NONE && regional) ? r->regional : MILLE;
}

/* Which of the request's details the price goes by; what is told apart by prices_explain(). */
struct terms {
    bool fast, banded, regional;
};

static void choose_rates(const struct usage *u, struct terms t, int32_t day, enum model_region region, struct list_price *ret)
{
    const struct price_row *r = ret->row;
    ret->is_fast = t.fast && r->has_fast && day >= r->fast_from && day <= r->fast_to;
    ret->is_long = !ret->is_fast && t.banded && r->has_long && prompt_tokens(u) > r->long_above;
    ret->rates = ret->is_fast ? r->of_fast : ret->is_long ? r->of_long : r->rates;
    ret->mille = t.regional ? region_mille(r, region, u->regional) : MILLE;
}

static enum price_status add_up(const struct usage *u, struct list_price *ret)
{
    uint64_t weights[TOKEN_CLASSES];
    money_wide sum = 0;
    for (int c = 0; c < TOKEN_CLASSES; c++) {
        weights[c] = 0;
        if (!u->tokens[c])
            continue;
        if (ret->rates.of[c] == RATE_NONE)
            return UNPRICED_CLASS;
        if (u->tokens[c] > PRICE_TOKENS_MAX)
            return UNPRICED_AMOUNT;
        money_wide product = (money_wide)u->tokens[c] * ret->rates.of[c];
        if (product > INT64_MAX / TOKEN_CLASSES)
            return UNPRICED_AMOUNT;
        weights[c] = (uint64_t)product;
        sum += product;
    }
    money_wide uncached = (money_wide)prompt_tokens(u) * ret->rates.of[TOKENS_INPUT] +
                          (u->tokens[TOKENS_OUTPUT] ? (money_wide)weights[TOKENS_OUTPUT] : 0);
    if (!money_round(sum * (money_wide)ret->mille / MILLE, &ret->nanos) ||
        !money_round(uncached * (money_wide)ret->mille / MILLE, &ret->uncached_nanos))
        return UNPRICED_AMOUNT;
    money_split(ret->nanos, weights, TOKEN_CLASSES, ret->by_class);
    return PRICED;
}

static struct list_price ask(const struct prices *p, const struct usage *u, struct terms t)
{
    char text[MODEL_ID_MAX];
    enum model_region region;
    int32_t day = day_of(u->time_ns);
    const struct price_name *name = find_name(p, model_id(u->model, text, &region));
    if (!name)
        return (struct list_price){ .status = UNPRICED_MODEL };
    struct list_price ret = { .row = find_row(p, name, day) };
    if (!ret.row)
        return (struct list_price){ .status = UNPRICED_DAY };
    choose_rates(u, t, day, region, &ret);
    ret.status = add_up(u, &ret);
    return ret.status == PRICED ? ret : (struct list_price){ .status = ret.status };
}

struct list_price prices_ask(const struct prices *p, const struct usage *u)
{
    return ask(p, u, (struct terms){ .fast = u->fast, .banded = true, .regional = true });
}

/* ---- why a reported cost differs ------------------------------------------- */

const struct price_reason_row price_reasons[REASON_COUNT] = {
    [REASON_EQUAL] = { S("equal"), S("The reported cost is the list price.") },
    [REASON_UNPRICED] = { S("unpriced"),
        S("The price book has no price for this model and day, so there is nothing to compare with.") },
    [REASON_OTHER_SPEED] = { S("other_speed"),
        S("The cost is that of the other speed: it follows what the answer said, the event what was asked for.") },
    [REASON_LONG_NOT_ADDED] = { S("long_not_added"), S("The client did not add the surcharge for a long prompt.") },
    [REASON_REGION_NOT_ADDED] = { S("region_not_added"), S("The client did not add the premium of a regional endpoint.") },
    [REASON_GEO_US] = { S("geo_us"), S("Tokens cost 1.1 times the list price: inference was kept in the US.") },
    [REASON_WEB_SEARCH] = { S("web_search"),
        S("The difference is a whole number of web searches at $0.01, which the event does not count.") },
    [REASON_UNKNOWN_MODEL] = { S("unknown_model"),
        S("The cost is that of the model which this client takes for names it does not know.") },
    [REASON_CONTRACT] = { S("contract"), S("None of the known reasons fits: it may be a contracted price.") },
};

#define WEB_SEARCH_NANOS (NANOS_PER_USD / 100)
enum { WEB_SEARCHES_MAX = 1000, GEO_US_MILLE = 1100 };

/* The model whose price client 2.1.330 takes for names that it does not know. */
static const struct str stand_in = S("claude-opus-5-5");

static bool costs(const struct prices *p, const struct usage *u, struct terms t, int64_t nanos)
{
    struct list_price l = ask(p, u, t);
    return l.status == PRICED && l.nanos == nanos;
}

enum price_reason prices_explain(const struct prices *p, const struct usage *u, int64_t reported)
{
    const struct terms all = { .fast = u->fast, .banded = true, .regional = true };
    struct usage other = *u;
    other.model = stand_in;
    struct list_price l = prices_ask(p, u);
    if (l.status != PRICED)
        return costs(p, &other, all, reported) ? REASON_UNKNOWN_MODEL : REASON_UNPRICED;
    if (reported == l.nanos)
        return REASON_EQUAL;
    if (costs(p, u, (struct terms){ !u->fast, true, true }, reported))
        return REASON_OTHER_SPEED;
    if (l.is_long && costs(p, u, (struct terms){ u->fast, false, true }, reported))
        return REASON_LONG_NOT_ADDED;
    if (l.mille != MILLE && costs(p, u, (struct terms){ u->fast, true, false }, reported))
        return REASON_REGION_NOT_ADDED;
    int64_t geo;
    if (money_round((money_wide)l.nanos * GEO_US_MILLE, &geo) && reported == geo)
        return REASON_GEO_US;
    int64_t more = reported - l.nanos;
    if (more > 0 && more % WEB_SEARCH_NANOS == 0 && more / WEB_SEARCH_NANOS <= WEB_SEARCHES_MAX)
        return REASON_WEB_SEARCH;
    return costs(p, &other, all, reported) ? REASON_UNKNOWN_MODEL : REASON_CONTRACT;
}
