/* privacy/key.c -- the secret of the hashes, DATA/privacy.key.
 *
 * Without it a hash of an address could be found by trying addresses. It is made once: with
 * another key equal values would no longer have equal hashes, and a person's rows from
 * before would be another person's. Whoever wants just that deletes the file.
 */
#include "base/file.h"
#include "base/secret.h"
#include "privacy/privacy.h"

#include <string.h>

enum { PATH_BYTES_MAX = 4096 };

enum err privacy_key(struct str dir, uint8_t ret[PRIVACY_KEY_BYTES], struct fault *f)
{
    CLEANUP(buf_done) struct buf path = { 0 }, data = { 0 };
    buf_init(&path, PATH_BYTES_MAX);
    buf_init(&data, PRIVACY_KEY_BYTES + 1);
    buf_str(&path, dir);
    buf_str(&path, S("/privacy.key"));
    buf_byte(&path, 0);
    if (path.bad)
        return fault_set(f, E_LIMIT, 0, "the name of the data directory is too long");
    enum err e = file_read(path.p, PRIVACY_KEY_BYTES + 1, &data, f);
    if (!e && data.n != PRIVACY_KEY_BYTES)
        return fault_set(f, E_CORRUPT, 0, "%s: %zu bytes instead of %d; a new key is made when the file is gone", path.p,
                         data.n, PRIVACY_KEY_BYTES);
    if (!e) {
        memcpy(ret, data.p, PRIVACY_KEY_BYTES);
        return OK;
    }
    if (e != E_NOTFOUND)
        return e;
    uint8_t fresh[PRIVACY_KEY_BYTES];
    secret_random(fresh, sizeof fresh);
    e = file_write_atomic(&file_ops_system, path.p, (struct str){ (const char *)fresh, sizeof fresh }, f);
    if (!e)
        memcpy(ret, fresh, sizeof fresh);
    return e;
}
