/* http/password.h -- hashes of passwords, as crypt(3) writes them: bcrypt (what Prometheus's
 * web configuration has), yescrypt and the others that are still safe. libxcrypt behind it.
 *
 * Threads:  any; a comparison takes some 50 ms of one core on purpose, so never on an I/O loop.
 * Errors:   E_SYNTAX: why the hash cannot be used.
 */
#pragma once
#include "base/str.h"

enum {
    PASSWORD_MAX = 256,                            /* bytes; bcrypt looks at the first 72 */
    PASSWORD_HASH_MAX = 384,                       /* libxcrypt's own bound */
    PASSWORD_COST_MAX = 16,                        /* of bcrypt: four seconds; every further one doubles it */
};

MUST enum err password_hash_check(struct str hash, struct fault *f);
MUST bool password_matches(struct str plain, struct str hash);
