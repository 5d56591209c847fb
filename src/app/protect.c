/* app/protect.c -- tokens, users and TLS put into force: at the start, and again by a reload.
 *
 * Everything new is made before anything is changed, so that a certificate which cannot be
 * read leaves all as it was.
 */
#include "app/app.h"
#include "http/access.h"

/* Is this listener there? One whose port was taken is not. */
static struct api_listener *listener(struct app *a, uint32_t port)
{
    for (uint32_t i = 0; i < a->api.nlisteners; i++)
        if (str_eq(a->api.listeners[i].name, port_names[port]) && !a->api.listeners[i].problem.n)
            return &a->api.listeners[i];
    return NULL;
}

static uint32_t guards_of(const struct access_part *p)
{
    bool certs = p->tls_given && p->tls.client_auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
    return (p->tls_given ? API_TLS : 0) | (p->tokens.n ? API_TOKENS : 0) | (p->users.n ? API_USERS : 0) | (certs ? API_CERTS : 0) |
           (access_is_open(p) ? API_OPEN : 0);
}

static enum err new_tls(const struct access_part *p, uint32_t port, struct tls_server **ret, struct fault *f)
{
    struct fault inner = { 0 };
    enum err e = tls_server_new(&p->tls, ret, &inner);
    return e ? fault_set(f, e, 0, STR_FMT ": tls_server_config: %s", STR_ARG(port_names[port]), inner.msg) : OK;
}

static enum err make_tls(struct app *a, const struct config *c, struct tls_server *ret[PORT_COUNT], struct fault *f)
{
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        struct access_part p = access_part(c, i);
        if (!p.tls_given || !listener(a, i))
            continue;
        enum err e = new_tls(&p, i, &ret[i], f);
        if (e)
            return e;
    }
    return OK;
}

enum err app_tls_check(const struct config *c, struct fault *f)
{
    enum err e = OK;
    for (uint32_t i = 0; !e && i < PORT_COUNT; i++) {
        struct tls_server *t = NULL;
        struct access_part p = access_part(c, i);
        e = p.tls_given ? new_tls(&p, i, &t, f) : OK;
        tls_server_unref(t);
    }
    return e;
}

static enum err put_in_force(struct app *a, const struct config *c, struct tls_server *tls[PORT_COUNT], struct fault *f)
{
    struct access *access = access_make(c, &clock_system);
    enum err e = http_access(a->http, access, f);
    access_unref(access);
    bool open = false;
    for (uint32_t i = 0; !e && i < PORT_COUNT; i++) {
        struct api_listener *l = listener(a, i);
        if (!l)
            continue;
        struct access_part p = access_part(c, i);
        p.bind = access_part(&a->cfg, i).bind;     /* where it is bound does not change while it runs */
        e = http_listener_tls(a->http, port_names[i], tls[i], f);
        atomic_store(&l->guards, guards_of(&p));
        open |= access_is_open(&p);
    }
    atomic_store(&a->api.open, open);
    return e;
}

enum err app_protect(struct app *a, const struct config *c, struct fault *f)
{
    struct tls_server *tls[PORT_COUNT] = { 0 };
    enum err e = make_tls(a, c, tls, f);
    if (!e)
        e = put_in_force(a, c, tls, f);
    for (uint32_t i = 0; i < PORT_COUNT; i++)
        tls_server_unref(tls[i]);
    return e;
}

bool app_protect_fits(struct app *a, const struct config *c, struct fault *f)
{
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        struct access_part p = access_part(c, i);
        p.bind = access_part(&a->cfg, i).bind;
        if (listener(a, i) && access_is_open(&p) && !p.open) {
            (void)fault_set(f, E_SYNTAX, 0, STR_FMT " is bound to " STR_FMT " until the next start, and nothing would guard it",
                            STR_ARG(port_names[i]), STR_ARG(p.bind));
            return false;
        }
    }
    return true;
}
