/* The sections `web` and `listeners`, and Prometheus's web configuration: what is taken, where
 * it is refused, what holds for which listener in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "app/config.h"

#define BCRYPT "$2b$04$b2W0zoz6HEsmxggWBjeaD.Mzsa0IhpLD7S8WK5lFPTgZjK5Ee8VDy"
#define HASH   "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char warned[1024];

static void warn(const char *text)
{
    snprintf(warned, sizeof warned, "%s", text);
}

/* What a file does, or the text its refusal holds. */
static const struct {
    const char *yaml, *error, *warning;
} files[] = {
    { "web:\n", NULL, NULL },
    { "web: { basic_auth_users: { ann: '" BCRYPT "' } }\n", NULL, NULL },
    { "web:\n  basic_auth_users:\n    ann: secret\n", "f.yml:3:10: basic_auth_users.ann: this is no password hash", NULL },
    { "web:\n  basic_auth_users:\n    ann: ''\n", "f.yml:3:10: basic_auth_users.ann: this is no password hash", NULL },
    { "web:\n  basic_auth_users:\n    a:b: x\n", "f.yml", NULL },
    { "web:\n  basic_auth_users: [ann]\n", "f.yml:2:21: basic_auth_users: a map of names", NULL },
    { "web:\n  basic_auth_users:\n    ann: '" BCRYPT "'\n    ann: '" BCRYPT "'\n", "f.yml", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: 0123456789abcdef}\n", NULL, NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token_hash: '" HASH "'}\n", NULL, NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: 0123456789abcde}\n",
      "f.yml:3:7: bearer_tokens: the token has 15 characters; 16 to 4096 are wanted", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: ''}\n", "f.yml:3:7: bearer_tokens: the token is empty", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: '0123456789 abcdef'}\n", "no blank", NULL },
    { "web:\n  bearer_tokens:\n    - {token: 0123456789abcdef}\n", "f.yml:3:7: bearer_tokens: each has a name", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a}\n", "wants exactly one of token, token_hash and token_file", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: 0123456789abcdef, token_file: x}\n", "exactly one of", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token_hash: abc}\n", "token_hash is \"sha256:\" and 64", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token_file: /nowhere/at/all}\n", "/nowhere/at/all", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: 0123456789abcdef}\n    - {name: a, token: 1123456789abcdef}\n",
      "f.yml:4:7: bearer_tokens: the name \"a\" stands there twice", NULL },
    { "web:\n  bearer_tokens:\n    - {name: a, token: 0123456789abcdef}\n    - {name: b, token: 0123456789abcdef}\n",
      "f.yml:4:7: bearer_tokens: \"b\" has the same token as \"a\"", NULL },
    { "web: { bearer_tokens: { name: a } }\n", "a list is wanted", NULL },
    { "web:\n  http_server_config: { http2: false, headers: { X-Frame-Options: deny } }\n", NULL, NULL },
    { "web:\n  http_server_config: { headers: { X-Evil: 1 } }\n", "header \"X-Evil\" cannot be set", NULL },
    { "web:\n  http_server_config: { htpp2: false }\n", "f.yml:2:25: unknown key \"web.http_server_config.htpp2\"", NULL },
    { "web:\n  bind: 0.0.0.0\n", "f.yml:2:3: unknown key \"web.bind\"", NULL },
    { "web:\n  rate_limit: { burst: 5 }\n", NULL, "rate_limit" },
    { "web:\n  tls_server_config: { client_auth_type: Sometimes }\n", "client_auth_type", NULL },
    { "listeners:\n", NULL, NULL },
    { "listeners:\n  otlp-http: { bind: 0.0.0.0, open: true }\n", NULL, NULL },
    { "listeners:\n  otlp: {}\n", "f.yml:2:9: listeners: there is no \"otlp\"", NULL },
    { "listeners: [web]\n", "a map of listeners is wanted", NULL },
    { "listeners:\n  web:\n    bind: 0.0.0.0\n    tokens: []\n", "f.yml:4:5: unknown key \"listeners.web.tokens\"", NULL },
};

static void files_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(files); i++) {
        struct config c;
        struct fault f = { 0 };
        config_init(&c);
        warned[0] = 0;
        enum err e = config_read(&c, S("f.yml"), str_c(files[i].yaml), false, warn, &f);
        if ((e != OK) != (files[i].error != NULL) || (files[i].error && !strstr(f.msg, files[i].error)))
            fail_msg("row %zu: want %s, got %d %s", i, files[i].error ? files[i].error : "success", e, f.msg);
        if (files[i].warning ? !strstr(warned, files[i].warning) : warned[0])
            fail_msg("row %zu: warned \"%s\"", i, warned);
        config_done(&c);
    }
}

/* A wide bind needs somebody to be asked for. */
static const struct {
    const char *yaml, *error;
} binds[] = {
    { "bind: 0.0.0.0\n", "otlp-http: bind 0.0.0.0 can be reached from other machines" },
    { "bind: 0.0.0.0\nopen: true\n", NULL },
    { "bind: 0.0.0.0\nweb: { basic_auth_users: { ann: '" BCRYPT "' } }\n", NULL },
    { "bind: 0.0.0.0\nweb: { basic_auth_users: { ann: '" BCRYPT "' } }\nlisteners: { loki: { basic_auth_users: {} } }\n",
      "loki: bind 0.0.0.0" },
    { "bind: 0.0.0.0\nweb: { basic_auth_users: { ann: '" BCRYPT "' } }\nlisteners: { loki: { basic_auth_users: {}, open: true } }\n", NULL },
    { "bind: 0.0.0.0\nopen: true\nlisteners: { web: { open: false } }\n", "web: bind 0.0.0.0" },
    { "listeners: { otlp-http: { bind: 0.0.0.0 } }\n", "otlp-http: bind 0.0.0.0" },
    { "listeners: { otlp-http: { bind: '::' } }\n", "otlp-http: bind ::" },
    { "listeners: { otlp-http: { bind: 0.0.0.0, bearer_tokens: [{name: a, token: 0123456789abcdef}] } }\n", NULL },
    { "listeners: { otlp-http: { bind: 0.0.0.0 }, loki: { bearer_tokens: [{name: a, token: 0123456789abcdef}] } }\n", "otlp-http: bind" },
    { "listeners: { web: { bind: 127.0.0.9 } }\n", NULL },
    { "listeners: { web: { bind: somewhere } }\n", "bind: \"somewhere\" is no IPv4 or IPv6 address" },
    { "listeners: { web: { bind: 0.0.0.0, tls_server_config: { cert_file: c, key_file: k } } }\n", "web: bind 0.0.0.0" },
    { "listeners: { web: { bind: 0.0.0.0, tls_server_config: { cert_file: c, key_file: k, client_ca_file: a, "
      "client_auth_type: RequireAndVerifyClientCert } } }\n", NULL },
};

static void a_wide_bind_is_guarded(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(binds); i++) {
        struct config c;
        struct fault f = { 0 };
        config_init(&c);
        enum err e = config_read(&c, S("f.yml"), str_c(binds[i].yaml), false, warn, &f);
        if (e)
            fail_msg("row %zu: %s", i, f.msg);
        e = config_check(&c, &f);
        if ((e != OK) != (binds[i].error != NULL) || (e && !strstr(f.msg, binds[i].error)))
            fail_msg("row %zu: want %s, got %d %s", i, binds[i].error ? binds[i].error : "success", e, f.msg);
        config_done(&c);
    }
}

static struct access_verdict ask(struct access *a, struct config *c, const char *listener, const char *token)
{
    struct access_verdict v;
    struct str header = arena_fmt(&c->mem, "Bearer %s", token);
    assert_true(access_check(a, &(struct access_ask){ str_c(listener), S("1.2.3.4:5"), header }, &c->mem, &v));
    return v;
}

static void listeners_replace_what_they_name(void **state)
{
    (void)state;
    struct config c;
    struct fault f = { 0 };
    config_init(&c);
    assert_null(access_make(&c, &clock_system));   /* nothing configured: nobody is asked */
    const char *yaml = "web:\n"
                       "  http_server_config: { headers: { X-Frame-Options: deny } }\n"
                       "  bearer_tokens: [{name: all, token: 0123456789abcdef}]\n"
                       "listeners:\n"
                       "  loki: { bearer_tokens: [{name: agents, token: fedcba9876543210}] }\n"
                       "  web: { bearer_tokens: [], http_server_config: { http2: false } }\n";
    assert_int_equal(config_read(&c, S("f.yml"), str_c(yaml), false, warn, &f), OK);
    struct access *a = access_make(&c, &clock_system);
    assert_int_equal(ask(a, &c, "otlp-http", "0123456789abcdef").status, 0);
    assert_true(str_eq(ask(a, &c, "otlp-grpc", "0123456789abcdef").user, S("all")));
    assert_int_equal(ask(a, &c, "loki", "0123456789abcdef").status, 403);
    assert_int_equal(ask(a, &c, "loki", "fedcba9876543210").status, 0);
    assert_int_equal(ask(a, &c, "prometheus", "fedcba9876543210").status, 403);
    assert_int_equal(ask(a, &c, "web", "whatever").status, 0);
    assert_true(access_listener(a, S("loki"))->http2);
    assert_int_equal(access_listener(a, S("loki"))->headers.n, 1);
    assert_false(access_listener(a, S("web"))->http2);
    assert_int_equal(access_listener(a, S("web"))->headers.n, 0);
    access_unref(a);
    config_done(&c);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

/* Prometheus's own file; a token beside it; who else may read them. */
static void files_of_their_own(void **state)
{
    (void)state;
    char dir[] = "/tmp/ccmon-access-XXXXXX", web[64], token[64];
    assert_non_null(mkdtemp(dir));
    snprintf(web, sizeof web, "%s/web.yml", dir);
    snprintf(token, sizeof token, "%s/token", dir);
    write_file(token, "  0123456789abcdef\n", 0600);
    static const struct {
        const char *text;
        mode_t mode, token_mode;
        const char *error, *warning;
    } rows[] = {
        { "basic_auth_users:\n  ann: " BCRYPT "\n", 0600, 0600, NULL, "" },
        { "basic_auth_users:\n  ann: " BCRYPT "\n", 0644, 0600, NULL, "web.yml holds secrets and can be read by everybody" },
        { "bearer_tokens: [{name: a, token_file: token}]\n", 0644, 0600, NULL, "" },
        { "bearer_tokens: [{name: a, token_file: token}]\n", 0600, 0604, NULL, "token holds secrets" },
        { "bearer_tokens: [{name: a, token: 0123456789abcdef}]\n", 0604, 0600, NULL, "web.yml holds secrets" },
        { "", 0600, 0600, NULL, "" },
        { "bind: 0.0.0.0\n", 0600, 0600, "web.yml:1:1: unknown key \"bind\"", "" },
        { "basic_auth_users:\n  ann: plain\n", 0600, 0600, "web.yml:2:8", "" },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        struct config c;
        struct fault f = { 0 };
        write_file(web, rows[i].text, rows[i].mode);
        assert_int_equal(chmod(token, rows[i].token_mode), 0);
        config_init(&c);
        warned[0] = 0;
        enum err e = access_read_web_file(&c, web, warn, &f);
        if ((e != OK) != (rows[i].error != NULL) || (e && !strstr(f.msg, rows[i].error)))
            fail_msg("row %zu: %d %s", i, e, f.msg);
        if (*rows[i].warning ? !strstr(warned, rows[i].warning) : *warned)
            fail_msg("row %zu: warned \"%s\"", i, warned);
        config_done(&c);
    }
    unlink(web);
    unlink(token);
    rmdir(dir);
}

static void a_reload_names_what_waits(void **state)
{
    (void)state;
    struct config a, b;
    struct fault f;
    config_init(&a);
    config_init(&b);
    CLEANUP(buf_done) struct buf names;
    buf_init(&names, 1000);
    assert_int_equal(config_read(&b, S("f.yml"), S("listeners: { loki: { bind: 127.0.0.2, bearer_tokens: [] } }"), false, warn, &f), OK);
    config_diff(&a, &b, &names);
    assert_true(str_eq(buf_view(&names), S("listeners.loki.bind")));
    config_done(&a);
    config_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_or_refused), cmocka_unit_test(a_wide_bind_is_guarded),
        cmocka_unit_test(listeners_replace_what_they_name), cmocka_unit_test(files_of_their_own),
        cmocka_unit_test(a_reload_names_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
