/* SHA-256 and HMAC against the vectors of FIPS 180-4 and RFC 4231. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/secret.h"

static const char *hex(const uint8_t h[SECRET_HASH_BYTES])
{
    static char text[2 * SECRET_HASH_BYTES + 1];
    for (size_t i = 0; i < SECRET_HASH_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", h[i]);
    return text;
}

static void hashes(void **state)
{
    (void)state;
    uint8_t h[SECRET_HASH_BYTES];
    secret_sha256(S(""), h);
    assert_string_equal(hex(h), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    secret_sha256(S("abc"), h);
    assert_string_equal(hex(h), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    uint8_t md5[16];
    static const uint8_t md5_of_abc[16] = { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0, 0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72 };
    secret_md5(S("abc"), md5);
    assert_memory_equal(md5, md5_of_abc, sizeof md5);
    uint8_t key[SECRET_HASH_BYTES] = "Jefe";       /* a shorter key is one filled up with zeros */
    secret_keyed(key, S("what do ya want for nothing?"), h);
    assert_string_equal(hex(h), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void compares_and_wipes(void **state)
{
    (void)state;
    assert_true(secret_equal("abcd", "abcd", 4));
    assert_false(secret_equal("abcd", "abce", 4));
    char a[16], b[16], zero[16] = "";
    secret_random(a, sizeof a);
    secret_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    secret_wipe(a, sizeof a);
    assert_memory_equal(a, zero, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(hashes), cmocka_unit_test(compares_and_wipes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
