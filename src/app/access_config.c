/* app/access_config.c -- see access_config.h.
 *
 * The tables here read; what they cannot see (is this a hash, is this name used twice, can
 * everybody read this file) is judged afterwards, with the line it stands in. Relative
 * names of files are relative to the file that names them, as in Prometheus.
 */
#include "app/access_config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/config.h"
#include "base/file.h"
#include "http/password.h"

_Static_assert((int)ACCESS_PORTS == (int)PORT_COUNT, "a part for every listener");

#define AT(field) offsetof(struct access_part, field)

static const struct field http_fields[] = {
    { S("http2"), FIELD_BOOL, offsetof(struct access_http, http2) },
    { S("headers"), FIELD_PAIRS, offsetof(struct access_http, headers) },
    { .name = { 0 } },
};

#define COMMON_FIELDS                                                                                                \
    { S("tls_server_config"), FIELD_MAP, AT(tls), .sub = tls_server_fields, .given = AT(tls_given) },                \
    { S("http_server_config"), FIELD_MAP, AT(http), .sub = http_fields, .given = AT(http_given) },                   \
    { S("basic_auth_users"), FIELD_NODE, AT(users_node), .given = AT(users_given) },                                 \
    { S("bearer_tokens"), FIELD_NODE, AT(tokens_node), .given = AT(tokens_given) },                                  \
    { S("rate_limit"), FIELD_IGNORED, 0 }

static const struct field web_fields[] = { COMMON_FIELDS, { .name = { 0 } } };

static const struct field listener_fields[] = {
    { S("bind"), FIELD_TEXT, AT(bind), .given = AT(bind_given) },
    { S("open"), FIELD_BOOL, AT(open), .given = AT(open_given) },
    COMMON_FIELDS,
    { .name = { 0 } },
};

struct token_fields {
    struct str name, token, hash, file;
};

static const struct field token_fields[] = {
    { S("name"), FIELD_TEXT, offsetof(struct token_fields, name) },
    { S("token"), FIELD_TEXT, offsetof(struct token_fields, token) },
    { S("token_hash"), FIELD_TEXT, offsetof(struct token_fields, hash) },
    { S("token_file"), FIELD_TEXT, offsetof(struct token_fields, file) },
    { .name = { 0 } },
};

/* The headers that Prometheus lets one set. */
static const struct str header_names[] = {
    S("content-security-policy"), S("strict-transport-security"), S("x-content-type-options"),
    S("x-frame-options"), S("x-xss-protection"),
};

/* ---- files --------------------------------------------------------------------- */

/* Of the file that is read: what names in it are relative to. */
static struct str folder(const struct fields_reader *r)
{
    size_t cut = r->file.n;
    while (cut && r->file.p[cut - 1] != '/')
        cut--;
    return cut ? str_sub(r->file, 0, cut) : S("./");
}

static struct str beside(const struct fields_reader *r, struct str name)
{
    if (!name.n || name.p[0] == '/')
        return name;
    struct str dir = folder(r);
    return arena_fmt(r->mem, STR_FMT STR_FMT, STR_ARG(dir), STR_ARG(name));
}

static void warn_if_open_to_all(const struct fields_reader *r, struct str file)
{
    struct stat st;
    if (!r->warn || !file.n || stat(arena_cstr(r->mem, file), &st) || !(st.st_mode & S_IROTH))
        return;
    struct str text = arena_fmt(r->mem, STR_FMT " holds secrets and can be read by everybody on this machine; chmod 600 mends it",
                                STR_ARG(file));
    r->warn(r->warn_arg, arena_cstr(r->mem, text));
}

/* ---- users --------------------------------------------------------------------- */

static enum err read_user(const struct fields_reader *r, const struct yaml *y, struct access_user *ret)
{
    struct fault inner = { 0 };
    if (!y->key.n || y->key.n > ACCESS_NAME_MAX || str_index(y->key, ':') != SIZE_MAX)
        return fields_error(r, y, "basic_auth_users: a name has 1 to %d characters and no colon", ACCESS_NAME_MAX);
    if (y->kind != YAML_SCALAR || password_hash_check(y->text, &inner))
        return fields_error(r, y, "basic_auth_users." STR_FMT ": %s", STR_ARG(str_sub(y->key, 0, 60)),
                            y->kind == YAML_SCALAR ? inner.msg : "a password hash is wanted");
    ret->name = arena_str(r->mem, y->key);
    ret->hash = arena_str(r->mem, y->text);
    return OK;
}

static uint32_t children(const struct yaml *node)
{
    uint32_t n = 0;
    for (const struct yaml *y = node->child; y; y = y->next)
        n++;
    return n;
}

static enum err read_users(const struct fields_reader *r, const struct yaml *node, struct list *ret)
{
    *ret = (struct list){ 0 };
    if (node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_MAP)
        return fields_error(r, node, "basic_auth_users: a map of names and password hashes is wanted");
    if (children(node) > ACCESS_NAMES_MAX)
        return fields_error(r, node, "basic_auth_users: more than %d of them", ACCESS_NAMES_MAX);
    struct access_user *users = arena_new(r->mem, struct access_user, MAX(children(node), 1u));
    for (const struct yaml *y = node->child; y; y = y->next) {
        enum err e = read_user(r, y, &users[ret->n]);
        if (e)
            return e;
        ret->n++;
    }
    ret->at = users;
    return OK;
}

/* ---- tokens --------------------------------------------------------------------- */

static enum err hash_token(const struct fields_reader *r, const struct yaml *y, struct str token, uint8_t out[SECRET_HASH_BYTES])
{
    if (!token.n)
        return fields_error(r, y, "bearer_tokens: the token is empty");
    if (token.n < ACCESS_TOKEN_MIN || token.n > ACCESS_TOKEN_MAX)
        return fields_error(r, y, "bearer_tokens: the token has %zu characters; %d to %d are wanted, or it could be guessed", token.n,
                            ACCESS_TOKEN_MIN, ACCESS_TOKEN_MAX);
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
            return fields_error(r, y, "bearer_tokens: a token has visible ASCII characters only, no blank");
    secret_sha256(token, out);
    return OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* token_hash = "sha256:" 64 hexadecimal digits */
static enum err read_hash(const struct fields_reader *r, const struct yaml *y, struct str text, uint8_t out[SECRET_HASH_BYTES])
{
    struct str hex = str_sub(text, S("sha256:").n, text.n);
    bool ok = str_starts(text, S("sha256:")) && hex.n == 2 * SECRET_HASH_BYTES;
    for (size_t i = 0; ok && i < hex.n; i += 2) {
        int hi = hex_digit(hex.p[i]), lo = hex_digit(hex.p[i + 1]);
        ok = hi >= 0 && lo >= 0;
        out[i / 2] = (uint8_t)(hi << 4 | lo);
    }
    if (!ok)
        return fields_error(r, y, "bearer_tokens: token_hash is \"sha256:\" and 64 hexadecimal digits, what "
                                  "`printf %%s TOKEN | sha256sum` prints");
    return OK;
}

static enum err read_token_file(const struct fields_reader *r, const struct yaml *y, struct str name, uint8_t out[SECRET_HASH_BYTES])
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct fault inner = { 0 };
    struct str path = beside(r, name);
    if (file_read(arena_cstr(r->mem, path), ACCESS_TOKEN_MAX + 64, &text, &inner))
        return fields_error(r, y, "bearer_tokens: %s", inner.msg);
    enum err e = hash_token(r, y, str_trim(buf_view(&text)), out);
    secret_wipe(text.p, text.n);
    if (!e)
        warn_if_open_to_all(r, path);
    return e;
}

static enum err read_token(const struct fields_reader *r, const struct yaml *y, struct access_token *ret)
{
    struct token_fields t = { 0 };
    enum err e = fields_read(r, y, S("bearer_tokens"), token_fields, &t);
    if (e)
        return e;
    if (!t.name.n || t.name.n > ACCESS_NAME_MAX)
        return fields_error(r, y, "bearer_tokens: each has a name of 1 to %d characters, which is shown in its place", ACCESS_NAME_MAX);
    bool plain = yaml_get(y, S("token")) != NULL;
    if (plain + !!t.hash.n + !!t.file.n != 1)
        return fields_error(r, y, "bearer_tokens: \"" STR_FMT "\" wants exactly one of token, token_hash and token_file", STR_ARG(t.name));
    ret->name = t.name;
    return t.hash.n   ? read_hash(r, y, t.hash, ret->hash)
           : t.file.n ? read_token_file(r, y, t.file, ret->hash)
                      : hash_token(r, y, t.token, ret->hash);
}

static enum err check_unlike(const struct fields_reader *r, const struct yaml *y, const struct access_token *at, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (str_eq(at[i].name, at[n].name))
            return fields_error(r, y, "bearer_tokens: the name \"" STR_FMT "\" stands there twice", STR_ARG(at[n].name));
        if (secret_equal(at[i].hash, at[n].hash, SECRET_HASH_BYTES))
            return fields_error(r, y, "bearer_tokens: \"" STR_FMT "\" has the same token as \"" STR_FMT "\"", STR_ARG(at[n].name),
                                STR_ARG(at[i].name));
    }
    return OK;
}

/* *plain: one of them stands in the file itself. */
static enum err read_tokens(const struct fields_reader *r, const struct yaml *node, struct list *ret, bool *plain)
{
    *ret = (struct list){ 0 };
    if (node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_LIST)
        return fields_error(r, node, "bearer_tokens: a list is wanted");
    if (children(node) > ACCESS_NAMES_MAX)
        return fields_error(r, node, "bearer_tokens: more than %d of them", ACCESS_NAMES_MAX);
    struct access_token *tokens = arena_new(r->mem, struct access_token, MAX(children(node), 1u));
    for (const struct yaml *y = node->child; y; y = y->next) {
        enum err e = read_token(r, y, &tokens[ret->n]);
        e = e ? e : check_unlike(r, y, tokens, ret->n);
        if (e)
            return e;
        *plain |= yaml_get(y, S("token")) != NULL;
        ret->n++;
    }
    ret->at = tokens;
    return OK;
}

/* ---- a part ------------------------------------------------------------------------ */

static enum err check_headers(const struct fields_reader *r, const struct yaml *node, struct pairs headers)
{
    for (uint32_t i = 0; i < headers.n; i++) {
        bool known = false;
        for (size_t k = 0; k < LEN(header_names); k++)
            known |= str_eq_nocase(header_names[k], headers.at[i].name);
        if (!known)
            return fields_error(r, node, "http_server_config: header \"" STR_FMT "\" cannot be set; Content-Security-Policy, "
                                         "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options and X-XSS-Protection can",
                                STR_ARG(str_sub(headers.at[i].name, 0, 40)));
    }
    return OK;
}

static void settle_tls(const struct fields_reader *r, struct tls_server_config *t)
{
    tls_server_paths(t, folder(r), r->mem);
    warn_if_open_to_all(r, t->key_file);
}

static enum err read_part(const struct fields_reader *r, const struct yaml *node, struct str path, const struct field *table,
                          struct access_part *p)
{
    bool secrets = false;
    enum err e = fields_read(r, node, path, table, p);
    if (!e && p->http_given)
        e = check_headers(r, node, p->http.headers);
    if (!e && p->users_node)
        e = read_users(r, TAKE(p->users_node), &p->users);
    if (!e && p->tokens_node)
        e = read_tokens(r, TAKE(p->tokens_node), &p->tokens, &secrets);
    if (!e && p->tls_given)
        settle_tls(r, &p->tls);
    if (!e && (secrets || p->users.n || p->tls.key.n))
        warn_if_open_to_all(r, r->file);
    return e;
}

void access_config_init(struct access_config *a)
{
    *a = (struct access_config){ 0 };
    a->all.http.http2 = true;
    for (uint32_t i = 0; i < PORT_COUNT; i++)
        a->one[i].http.http2 = true;
}

enum err access_read_web(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    return read_part(r, node, S("web"), web_fields, &c->access.all);
}

enum err access_read_listeners(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    if (node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_MAP)
        return fields_error(r, node, "listeners: a map of listeners is wanted");
    for (const struct yaml *y = node->child; y; y = y->next) {
        uint32_t i = 0;
        while (i < PORT_COUNT && !str_eq(port_names[i], y->key))
            i++;
        if (i == PORT_COUNT)
            return fields_error(r, y, "listeners: there is no \"" STR_FMT "\"; otlp-http, otlp-grpc, prometheus, loki and web there are",
                                STR_ARG(str_sub(y->key, 0, 60)));
        struct access_part *p = &c->access.one[i];
        enum err e = read_part(r, y, arena_fmt(r->mem, "listeners." STR_FMT, STR_ARG(y->key)), listener_fields, p);
        if (e)
            return e;
    }
    return OK;
}

struct warner {
    void (*warn)(const char *text);
};

static void warn_plainly(void *arg, const char *text)
{
    const struct warner *w = arg;
    w->warn(text);
}

enum err access_read_web_file(struct config *c, const char *path, void (*warn)(const char *text), struct fault *f)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct warner w = { warn };
    struct fields_reader r = { str_c(path), &c->mem, warn_plainly, &w, f };
    struct yaml *root;
    enum err e = file_read(path, CONFIG_FILE_MAX, &text, f);
    if (e)
        return e;
    if (yaml_parse(arena_str(&c->mem, buf_view(&text)), &c->mem, &root, f)) {
        struct fault inner = *f;
        return fault_set(f, E_SYNTAX, inner.at, "%s: %s", path, inner.msg);
    }
    return root ? read_part(&r, root, S(""), web_fields, &c->access.all) : OK;
}

/* ---- what holds --------------------------------------------------------------------- */

struct access_part access_part(const struct config *c, uint32_t port)
{
    CHECK(port < PORT_COUNT);
    const struct access_part *one = &c->access.one[port];
    struct access_part p = c->access.all;
    p.bind = one->bind_given ? one->bind : c->bind;
    p.open = one->open_given ? one->open : c->open;
    if (one->tls_given) {
        p.tls = one->tls;
        p.tls_given = true;
    }
    if (one->http_given)
        p.http = one->http;
    if (one->users_given)
        p.users = one->users;
    if (one->tokens_given)
        p.tokens = one->tokens;
    p.tls_given = p.tls_given && (p.tls.cert_file.n || p.tls.cert.n || p.tls.key_file.n || p.tls.key.n);
    return p;
}

static bool asks(const struct access_part *p)
{
    return p->users.n || p->tokens.n || (p->tls_given && p->tls.client_auth == TLS_REQUIRE_AND_VERIFY_CLIENT_CERT);
}

bool access_is_open(const struct access_part *p)
{
    return !addr_is_loopback(p->bind) && !asks(p);
}

enum err access_config_check(const struct config *c, struct fault *f)
{
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        struct access_part p = access_part(c, i);
        char addr[64], parsed[16];
        snprintf(addr, sizeof addr, STR_FMT, STR_ARG(p.bind));
        if (inet_pton(AF_INET, addr, parsed) != 1 && inet_pton(AF_INET6, addr, parsed) != 1)
            return fault_set(f, E_SYNTAX, 0, "bind: \"" STR_FMT "\" is no IPv4 or IPv6 address such as 127.0.0.1 or ::1",
                             STR_ARG(p.bind));
        if (access_is_open(&p) && !p.open)
            return fault_set(f, E_SYNTAX, 0,
                             STR_FMT ": bind " STR_FMT " can be reached from other machines. Configure bearer_tokens, basic_auth_users "
                             "or client certificates for it, or set `open: true` if everybody there may read and write everything",
                             STR_ARG(port_names[i]), STR_ARG(p.bind));
    }
    return OK;
}

void access_config_diff(const struct config *old, const struct config *new, struct buf *ret)
{
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        struct access_part a = access_part(old, i), b = access_part(new, i);
        if (str_eq(a.bind, b.bind) || !(old->access.one[i].bind_given || new->access.one[i].bind_given))
            continue;                              /* the top-level key is told by its own row */
        buf_fmt(ret, "%slisteners." STR_FMT ".bind", ret->n ? ", " : "", STR_ARG(port_names[i]));
    }
}

/* ---- rules --------------------------------------------------------------------------- */

/* The same name and hash on several listeners is one row. */
static void add_token(struct access_token *at, uint32_t *n, const struct access_token *t, uint32_t bit)
{
    for (uint32_t i = 0; i < *n; i++)
        if (str_eq(at[i].name, t->name) && secret_equal(at[i].hash, t->hash, SECRET_HASH_BYTES)) {
            at[i].listeners |= bit;
            return;
        }
    at[*n] = *t;
    at[(*n)++].listeners = bit;
}

static void add_user(struct access_user *at, uint32_t *n, const struct access_user *u, uint32_t bit)
{
    for (uint32_t i = 0; i < *n; i++)
        if (str_eq(at[i].name, u->name) && str_eq(at[i].hash, u->hash)) {
            at[i].listeners |= bit;
            return;
        }
    at[(*n)++] = (struct access_user){ u->name, u->hash, bit };
}

struct access *access_make(const struct config *c, const struct clock *clock)
{
    struct access_listener listeners[PORT_COUNT];
    struct access_part parts[PORT_COUNT];
    uint32_t ntokens = 0, nusers = 0;
    bool any = false;
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        parts[i] = access_part(c, i);
        ntokens += parts[i].tokens.n;
        nusers += parts[i].users.n;
        listeners[i] = (struct access_listener){ port_names[i], parts[i].http.http2, parts[i].http.headers };
        any |= !parts[i].http.http2 || parts[i].http.headers.n;
    }
    if (!any && !ntokens && !nusers)
        return NULL;
    struct access_token *tokens = mem_alloc(sizeof(*tokens) * MAX(ntokens, 1u));
    struct access_user *users = mem_alloc(sizeof(*users) * MAX(nusers, 1u));
    struct access_rules rules = { tokens, users, listeners, 0, 0, PORT_COUNT };
    for (uint32_t i = 0; i < PORT_COUNT; i++) {
        for (uint32_t k = 0; k < parts[i].tokens.n; k++)
            add_token(tokens, &rules.ntokens, (const struct access_token *)parts[i].tokens.at + k, 1u << i);
        for (uint32_t k = 0; k < parts[i].users.n; k++)
            add_user(users, &rules.nusers, (const struct access_user *)parts[i].users.at + k, 1u << i);
    }
    struct access *a = access_new(&rules, clock);
    mem_free(tokens);
    mem_free(users);
    return a;
}

/* ---- documentation ---------------------------------------------------------------------- */

static const struct {
    const char *key, *values, *doc;
} docs[] = {
    { "bind", "address",
      "`listeners.NAME` only: what this listener binds, in the place of the top-level `bind`. Changes at the next start." },
    { "open", "`true` `false`", "`listeners.NAME` only: whoever reaches this listener may do everything. Every page shows it." },
    { "tls_server_config", "map", "TLS: see [below](#tls)." },
    { "http_server_config.http2", "`true` `false`", "Whether HTTP/2 is spoken. Default `true`." },
    { "http_server_config.headers", "map", "Headers for every reply that does not have them: `Content-Security-Policy`, "
      "`Strict-Transport-Security`, `X-Content-Type-Options`, `X-Frame-Options`, `X-XSS-Protection`." },
    { "basic_auth_users", "map", "User names and password hashes: bcrypt (`htpasswd -nB NAME`), yescrypt (`mkpasswd`) or another "
      "of crypt(3) that is still safe." },
    { "bearer_tokens", "list", "ccmon's own. Each has a `name`, shown in its place, and one of the three below." },
    { "bearer_tokens.token", "text", "The token itself, 16 to 4096 visible characters." },
    { "bearer_tokens.token_hash", "`sha256:` and 64 hex digits", "Its SHA-256: `printf %s TOKEN \\| sha256sum`." },
    { "bearer_tokens.token_file", "file", "A file that holds it; read at start and reload." },
    { "rate_limit", "map", "Prometheus's; known, not acted on." },
};

void access_describe(struct buf *out)
{
    buf_str(out, S("| key | values | what it does |\n| --- | --- | --- |\n"));
    for (size_t i = 0; i < LEN(docs); i++)
        buf_fmt(out, "| `%s` | %s | %s |\n", docs[i].key, docs[i].values, docs[i].doc);
}
