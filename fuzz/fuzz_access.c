/* Authorization headers: whatever comes, nobody gets in who is not known, and what is shown of it
 * is short. One listener with a token and a user; proofs are not asked for (they only hash). */
#include "http/access.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char token[] = "0123456789abcdef-fuzz";

static struct access *make(void)
{
    struct access_token t = { .name = S("t"), .listeners = 1 };
    secret_sha256(S("0123456789abcdef-fuzz"), t.hash);
    const struct access_user u = { S("ann"), S("$2b$04$b2W0zoz6HEsmxggWBjeaD.Mzsa0IhpLD7S8WK5lFPTgZjK5Ee8VDy"), 1 };
    const struct access_listener l = { S("otlp"), true, { 0 } };
    return access_new(&(struct access_rules){ &t, &u, &l, 1, 1, 1 }, &clock_system);
}

static bool holds(struct str s, struct str needle)
{
    return str_find(s, needle) != SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct access *a;
    static struct arena mem;
    if (!a) {
        a = make();
        arena_init(&mem, 1 << 20);
    }
    arena_reset(&mem);
    struct str header = { (const char *)data, size };
    char shape[ACCESS_SHAPE_MAX];
    size_t n = access_shape(header, shape);
    CHECK(n < ACCESS_SHAPE_MAX && !shape[n] && !holds((struct str){ shape, n }, S("0123456")));

    struct access_verdict v;
    struct access_ask ask = { S("otlp"), S("127.0.0.1:1"), header };
    if (!access_check(a, &ask, &mem, &v))
        return 0;                                  /* a password: it would be hashed now */
    /* In with the token only, plain or with percent signs. */
    CHECK(v.status || holds(header, str_c(token)) || holds(header, S("%")));
    CHECK(v.status == 0 || v.status == 401 || v.status == 429);
    return 0;
}
