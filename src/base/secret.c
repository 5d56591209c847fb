/* base/secret.c -- see secret.h.
 *
 * SHA-256 and MD5 are called as the plain functions that libcrypto still has, not through EVP: that
 * loads its providers and tables of errors, 2 MB that a program without TLS never needs.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/secret.h"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64, ENTROPY_MAX = 256 };      /* getentropy() gives no more at a time */

void secret_random(void *out, size_t n)
{
    for (char *p = out; n;) {
        size_t some = MIN(n, (size_t)ENTROPY_MAX);
        CHECK(getentropy(p, some) == 0);
        p += some;
        n -= some;
    }
}

static void hash_parts(struct str a, struct str b, uint8_t out[SECRET_HASH_BYTES])
{
    SHA256_CTX c;
    CHECK(SHA256_Init(&c) && SHA256_Update(&c, a.p ? a.p : "", a.n) && SHA256_Update(&c, b.p ? b.p : "", b.n) && SHA256_Final(out, &c));
    OPENSSL_cleanse(&c, sizeof c);
}

void secret_sha256(struct str s, uint8_t out[SECRET_HASH_BYTES])
{
    hash_parts(s, (struct str){ 0 }, out);
}

void secret_md5(struct str s, uint8_t out[16])
{
    MD5_CTX c;
    CHECK(MD5_Init(&c) && MD5_Update(&c, s.p ? s.p : "", s.n) && MD5_Final(out, &c));
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, s)). */
void secret_keyed(const uint8_t key[SECRET_HASH_BYTES], struct str s, uint8_t out[SECRET_HASH_BYTES])
{
    uint8_t pad[2][BLOCK_BYTES], inner[SECRET_HASH_BYTES];
    memset(pad[0], 0x36, BLOCK_BYTES);
    memset(pad[1], 0x5c, BLOCK_BYTES);
    for (size_t i = 0; i < SECRET_HASH_BYTES; i++) {
        pad[0][i] ^= key[i];
        pad[1][i] ^= key[i];
    }
    hash_parts((struct str){ (const char *)pad[0], BLOCK_BYTES }, s, inner);
    hash_parts((struct str){ (const char *)pad[1], BLOCK_BYTES }, (struct str){ (const char *)inner, sizeof inner }, out);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(inner, sizeof inner);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
