/* app/private.c -- the privacy rules in force: the configuration's, with the data directory's key.
 *
 * The section is compiled twice: when the file is read, so that a wrong rule is refused with
 * its line before anything changes, and for use, once it is known where the data is. The
 * second time nothing is wrong with it, but the key may be out of reach.
 */
#include "app/app.h"
#include "base/secret.h"

enum { READ_BYTES = 1 << 20 };

enum err config_read_privacy(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    static const char no_key[PRIVACY_KEY_BYTES];
    struct privacy *p = NULL;
    enum err e = privacy_new(r, node, (struct str){ no_key, sizeof no_key }, &p);
    privacy_unref(p);
    if (e)
        return e;
    c->privacy = node;
    c->privacy_file = arena_str(&c->mem, r->file);
    return OK;
}

enum err app_private(const struct config *c, struct str data, struct privacy **ret, struct fault *f)
{
    uint8_t key[PRIVACY_KEY_BYTES];
    *ret = NULL;
    if (!c->privacy || !c->privacy->child)
        return OK;
    enum err e = privacy_key(data, key, f);
    if (e)
        return e;
    struct arena mem;
    arena_init(&mem, READ_BYTES);
    struct fields_reader r = { .file = c->privacy_file, .mem = &mem, .f = f };
    e = privacy_new(&r, c->privacy, (struct str){ (const char *)key, sizeof key }, ret);
    secret_wipe(key, sizeof key);
    arena_done(&mem);
    if (!e)
        log_line(LOG_INFO, "left out before anything is written: " STR_FMT, STR_ARG(privacy_summary(*ret)));
    return e;
}
