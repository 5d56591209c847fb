/* ledger/money.h -- money as integers (accounting rule 9).
 *
 * Amounts are nano-dollars: a cache read at $0.30 a million tokens is 300 of them. Prices
 * are pico-dollars a token: $1 a million tokens is 1,000,000 of them. A product of price and
 * tokens is exact in a wide integer and is rounded once, half away from zero.
 *
 * Threads:  pure functions; any.
 */
#pragma once
#include "base/str.h"

typedef __int128 money_wide;                       /* pico-dollars, or a sum of products */

#define NANOS_PER_USD INT64_C(1000000000)

/* A reported amount, from its double. False: not finite, or beyond what 64 bits hold. */
MUST bool money_from_usd(double usd, int64_t *ret_nanos);
double money_usd(int64_t nanos);
/* Pico-dollars to nano-dollars. */
MUST bool money_round(money_wide picos, int64_t *ret_nanos);

/* "0.125", in USD a million tokens, as pico-dollars a token. At most six digits behind the
 * point, at most PRICE_USD_MAX. */
enum { PRICE_USD_MAX = 1000000 };
MUST bool price_parse(struct str s, int64_t *ret_picos);

/* Cuts an amount into shares by weights, so that they add up to it: each gets the whole part,
 * the rest goes one by one to the largest remainders, of equal ones to the first. Weights
 * that are all zero share equally. n > 0. */
void money_split(int64_t nanos, const uint64_t *weights, size_t n, int64_t *ret);
