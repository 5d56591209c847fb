/* base/secret.c -- see secret.h. */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

void secret_random(void *out, size_t n)
{
    CHECK(n <= INT32_MAX && RAND_bytes(out, (int)n) == 1);
}

void secret_sha256(struct str s, uint8_t out[SECRET_HASH_BYTES])
{
    unsigned n = 0;
    CHECK(EVP_Digest(s.p ? s.p : "", s.n, out, &n, EVP_sha256(), NULL) == 1 && n == SECRET_HASH_BYTES);
}

void secret_md5(struct str s, uint8_t out[16])
{
    unsigned int n = 16;
    CHECK(EVP_Digest(s.p ? s.p : "", s.n, out, &n, EVP_md5(), NULL) == 1 && n == 16);
}

void secret_keyed(const uint8_t key[SECRET_HASH_BYTES], struct str s, uint8_t out[SECRET_HASH_BYTES])
{
    unsigned n = 0;
    CHECK(HMAC(EVP_sha256(), key, SECRET_HASH_BYTES, (const uint8_t *)(s.p ? s.p : ""), s.n, out, &n) && n == SECRET_HASH_BYTES);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
