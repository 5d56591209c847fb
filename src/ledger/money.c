/* ledger/money.c -- rounding once, and shares that add up. */
#include "ledger/money.h"

#include <math.h>
#include <stdlib.h>

enum { PICOS_PER_NANO = 1000, PRICE_DIGITS = 6 };

bool money_from_usd(double usd, int64_t *ret_nanos)
{
    double nanos = round(usd * (double)NANOS_PER_USD);
    if (!(nanos >= -9.2e18 && nanos <= 9.2e18))    /* NaN is in no range */
        return false;
    *ret_nanos = (int64_t)nanos;
    return true;
}

double money_usd(int64_t nanos)
{
    return (double)nanos / (double)NANOS_PER_USD;
}

bool money_round(money_wide picos, int64_t *ret_nanos)
{
    money_wide half = picos < 0 ? -PICOS_PER_NANO / 2 : PICOS_PER_NANO / 2;
    money_wide nanos = (picos + half) / PICOS_PER_NANO;
    if (nanos > INT64_MAX || nanos < INT64_MIN)
        return false;
    *ret_nanos = (int64_t)nanos;
    return true;
}

bool price_parse(struct str s, int64_t *ret_picos)
{
    struct str frac = s, whole = str_cut(&frac, '.');
    bool point = frac.p != NULL;
    uint64_t usd, part = 0;
    if (!str_to_u64(whole, &usd) || usd > PRICE_USD_MAX)
        return false;
    if (point && (frac.n > PRICE_DIGITS || !str_to_u64(frac, &part)))
        return false;
    for (size_t i = frac.n; point && i < PRICE_DIGITS; i++)
        part *= 10;
    *ret_picos = (int64_t)(usd * 1000000 + part);
    return true;
}

/* ---- shares ---------------------------------------------------------------- */

struct share {
    uint64_t rest;                                 /* of the division, what was cut off */
    size_t at;
};

static int by_rest(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->rest != y->rest)
        return x->rest > y->rest ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void money_split(int64_t nanos, const uint64_t *weights, size_t n, int64_t *ret)
{
    CHECK(n > 0);
    unsigned __int128 sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    bool equal = sum == 0;
    unsigned __int128 all = equal ? n : sum;
    unsigned __int128 amount = nanos < 0 ? (unsigned __int128)-(money_wide)nanos : (unsigned __int128)nanos;

    /* Weights are cut to what keeps the product exact; shares of sums beyond 2^63 are not asked for. */
    CHECK(all <= UINT64_MAX);
    CLEANUP(mem_freep) struct share *rest = mem_alloc(n * sizeof *rest);
    unsigned __int128 given = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned __int128 product = amount * (equal ? 1 : weights[i]);
        ret[i] = (int64_t)(product / all);
        given += product / all;
        rest[i] = (struct share){ (uint64_t)(product % all), i };
    }
    qsort(rest, n, sizeof *rest, by_rest);
    for (size_t i = 0; given < amount; i++, given++) {
        CHECK(i < n);
        ret[rest[i].at]++;
    }
    for (size_t i = 0; nanos < 0 && i < n; i++)
        ret[i] = -ret[i];
}
