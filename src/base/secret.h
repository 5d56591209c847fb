/* base/secret.h -- what secrets need: random bytes, SHA-256, keyed hashes, comparing
 * without telling by the time it takes, wiping. libcrypto behind it.
 *
 * Owner:    nothing is kept.
 * Threads:  any.
 */
#pragma once
#include "base/str.h"

enum { SECRET_HASH_BYTES = 32 };

void secret_random(void *out, size_t n);           /* aborts if the system has none */
void secret_sha256(struct str s, uint8_t out[SECRET_HASH_BYTES]);
/* MD5: for what others have defined by it, never for a secret. */
void secret_md5(struct str s, uint8_t out[16]);
/* HMAC-SHA-256. */
void secret_keyed(const uint8_t key[SECRET_HASH_BYTES], struct str s, uint8_t out[SECRET_HASH_BYTES]);
MUST bool secret_equal(const void *a, const void *b, size_t n);        /* in a time that depends on n only */
void secret_wipe(void *p, size_t n);               /* and no compiler leaves it out */
