/* base/hash.h -- XXH3, the hash of everything that is not a secret. */
#pragma once
#include "base/str.h"

struct id128 {
    uint64_t hi, lo;
};

uint64_t hash64(struct str s, uint64_t seed);
struct id128 hash128(struct str s);
struct id128 hash128_seeded(struct str s, uint64_t seed);
bool id128_eq(struct id128 a, struct id128 b);
