/* http/password.c -- see password.h. */
#include "http/password.h"

#include <crypt.h>
#include <string.h>

#include "base/secret.h"

enum { BCRYPT_LENGTH = 60, DIGEST_MIN = 43 };      /* the last part of every other kind is at least so long */

static bool to_text(struct str s, char *out, size_t size)
{
    if (s.n >= size || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return true;
}

/* "$2b$10$" and 53 characters. */
static enum err check_bcrypt(struct str hash, struct fault *f)
{
    uint64_t cost;
    if (hash.n != BCRYPT_LENGTH)
        return fault_set(f, E_SYNTAX, 0, "a bcrypt hash has %d characters, this one %zu", BCRYPT_LENGTH, hash.n);
    if (str_to_u64(str_sub(hash, 4, 2), &cost) && cost > PASSWORD_COST_MAX)
        return fault_set(f, E_SYNTAX, 0, "the cost of this bcrypt hash is %llu, at most %d is taken", (unsigned long long)cost,
                         PASSWORD_COST_MAX);
    return OK;
}

enum err password_hash_check(struct str hash, struct fault *f)
{
    char text[PASSWORD_HASH_MAX + 1];
    if (!hash.n || hash.p[0] != '$' || !to_text(hash, text, sizeof text))
        return fault_set(f, E_SYNTAX, 0, "this is no password hash; `mkpasswd` or `htpasswd -nB NAME` makes one");
    int kind = crypt_checksalt(text);
    if (kind == CRYPT_SALT_METHOD_LEGACY)
        return fault_set(f, E_SYNTAX, 0, "this kind of password hash is no longer safe; take bcrypt ($2b$) or yescrypt ($y$)");
    if (kind != CRYPT_SALT_OK)
        return fault_set(f, E_SYNTAX, 0, "this is no password hash that is understood; bcrypt ($2b$) and yescrypt ($y$) are");
    if (str_starts(hash, S("$2")))
        return check_bcrypt(hash, f);
    struct str last = hash, rest = hash;
    while (rest.p)
        last = str_cut(&rest, '$');
    if (last.n < DIGEST_MIN)
        return fault_set(f, E_SYNTAX, 0, "this password hash has been cut: its last part has %zu characters", last.n);
    return OK;
}

bool password_matches(struct str plain, struct str hash)
{
    char secret[PASSWORD_MAX + 1], setting[PASSWORD_HASH_MAX + 1];
    if (!to_text(hash, setting, sizeof setting) || !to_text(plain, secret, sizeof secret))
        return false;
    struct crypt_data *work = mem_alloc(sizeof(*work));
    const char *got = crypt_r(secret, setting, work);
    struct str text = got ? str_c(got) : S("");
    bool same = text.n == hash.n && secret_equal(text.p, hash.p, hash.n);
    secret_wipe(work, sizeof(*work));
    secret_wipe(secret, sizeof secret);
    mem_free(work);
    return same;
}
