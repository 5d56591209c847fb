/* base/hash.c -- the wrapper of xxhash. Inlined: most keys are short, where the
 * call would cost as much as the hash. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(struct str s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.p, s.n, seed);
}

struct id128 hash128(struct str s)
{
    XXH128_hash_t h = XXH3_128bits(s.p, s.n);
    return (struct id128){ h.high64, h.low64 };
}

struct id128 hash128_seeded(struct str s, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(s.p, s.n, seed);
    return (struct id128){ h.high64, h.low64 };
}

bool id128_eq(struct id128 a, struct id128 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}
