/* Who is let in: header forms, tokens and users by listener, what is remembered, how
 * guessing is slowed down. The hashes are of cost 4 so that the test is quick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/access.h"
#include "http/password.h"

#define TOKEN   "0123456789abcdef-otlp"
#define OTHER   "fedcba9876543210-loki"
#define BCRYPT  "$2b$04$b2W0zoz6HEsmxggWBjeaD.Mzsa0IhpLD7S8WK5lFPTgZjK5Ee8VDy"
#define YESCRYPT "$y$j75$8pe1rYgQC2ZuLPz9TGc7x.$kU.5RYqJp3uLwWl84Y796WKv29RKed4/rJWDcen2IwA"

static int64_t now_ms = 1000;

static int64_t test_mono(void *arg)
{
    (void)arg;
    return now_ms * NS_PER_MS;
}

static const struct clock test_clock = { .now = test_mono, .mono = test_mono };

/* otlp: a token and ann; loki: another token and bob; web: open. */
static struct access *make(void)
{
    struct access_token tokens[] = { { .name = S("fleet"), .listeners = 1 }, { .name = S("agents"), .listeners = 2 } };
    secret_sha256(S(TOKEN), tokens[0].hash);
    secret_sha256(S(OTHER), tokens[1].hash);
    const struct access_user users[] = { { S("ann"), S(BCRYPT), 1 }, { S("bob"), S(YESCRYPT), 2 } };
    struct pair headers[] = { { S("x-frame-options"), S("deny") } };
    const struct access_listener listeners[] = {
        { S("otlp"), true, { 0 } }, { S("loki"), false, { headers, 1 } }, { S("web"), true, { 0 } },
    };
    return access_new(&(struct access_rules){ tokens, users, listeners, 2, 2, 3 }, &test_clock);
}

static struct arena mem;

static struct access_verdict ask(struct access *a, const char *listener, const char *peer, const char *header)
{
    struct access_ask q = { str_c(listener), str_c(peer), header ? str_c(header) : (struct str){ 0 } };
    struct access_verdict v;
    if (!access_check(a, &q, &mem, &v))
        access_prove(a, &q, &mem, &v);
    return v;
}

static const struct {
    const char *listener, *header;
    int status;
    const char *user;
} rows[] = {
    { "otlp", NULL, 401, "" },
    { "otlp", "", 401, "" },
    { "otlp", "Bearer " TOKEN, 0, "fleet" },
    { "otlp", "bearer " TOKEN, 0, "fleet" },
    { "otlp", "BEARER  \t" TOKEN "  ", 0, "fleet" },
    { "otlp", "Bearer%20" TOKEN, 0, "fleet" },
    { "otlp", "Bearer%20%20" TOKEN, 0, "fleet" },
    { "otlp", "Bearer%200123456789abcdef%2Dotlp", 0, "fleet" },
    { "otlp", "Bearer 0123456789abcdef%2Dotlp", 401, "" },     /* decoded once only where it came undecoded */
    { "otlp", "Bearer" TOKEN, 401, "" },
    { "otlp", TOKEN, 401, "" },
    { "otlp", "Bearer ", 401, "" },
    { "otlp", "Bearer " TOKEN "x", 401, "" },
    { "otlp", "Bearer 0123456789abcdef-otl", 401, "" },
    { "otlp", "Bearer " OTHER, 403, "" },
    { "loki", "Bearer " OTHER, 0, "agents" },
    { "loki", "Bearer " TOKEN, 403, "" },
    { "otlp", "Basic YW5uOnNlY3JldC1wYXNzd29yZA==", 0, "ann" },
    { "otlp", "basic YW5uOnNlY3JldC1wYXNzd29yZA", 0, "ann" },
    { "otlp", "Basic%20YW5uOnNlY3JldC1wYXNzd29yZA%3D%3D", 0, "ann" },
    { "otlp", "Basic YW5uOndyb25n", 401, "" },                 /* ann:wrong */
    { "otlp", "Basic em9lOnNlY3JldC1wYXNzd29yZA==", 401, "" }, /* zoe, who is not there */
    { "otlp", "Basic Ym9iOnNlY3JldC1wYXNzd29yZA==", 403, "bob" },
    { "loki", "Basic Ym9iOnNlY3JldC1wYXNzd29yZA==", 0, "bob" },
    { "otlp", "Basic YW5u", 401, "" },                         /* no colon */
    { "otlp", "Basic ????", 401, "" },
    { "otlp", "Basic ", 401, "" },
    { "otlp", "Digest username=\"ann\"", 401, "" },
    { "web", NULL, 0, "" },
    { "web", "Bearer nonsense", 0, "" },
    { "unheard-of", NULL, 0, "" },
};

static void headers_are_judged(void **state)
{
    (void)state;
    struct access *a = make();
    for (int again = 0; again < 2; again++)        /* and the same when passwords are remembered */
        for (size_t i = 0; i < LEN(rows); i++) {
            char peer[32];
            snprintf(peer, sizeof peer, "10.0.%d.%zu:1", again, i);
            struct access_verdict v = ask(a, rows[i].listener, peer, rows[i].header);
            if (v.status != rows[i].status || !str_eq(v.user, str_c(rows[i].user)))
                fail_msg("row %zu: %s %s: want %d, got %d %s, user " STR_FMT, i, rows[i].listener, rows[i].header ? rows[i].header : "-",
                         rows[i].status, v.status, v.why ? v.why : "", STR_ARG(v.user));
        }
    struct access_verdict v = ask(a, "otlp", "1.1.1.1:1", NULL);
    assert_true(v.bearer && v.basic);
    assert_false(access_listener(a, S("loki"))->http2);
    assert_null(access_listener(a, S("unheard-of")));
    access_unref(a);
}

/* A password is hashed once; afterwards access_check() alone knows it. */
static void passwords_are_remembered(void **state)
{
    (void)state;
    struct access *a = make();
    struct access_ask q = { S("otlp"), S("10.1.0.1:1"), S("Basic YW5uOnNlY3JldC1wYXNzd29yZA==") };
    struct access_verdict v;
    assert_false(access_check(a, &q, &mem, &v));
    access_prove(a, &q, &mem, &v);
    assert_int_equal(v.status, 0);
    assert_true(access_check(a, &q, &mem, &v));
    assert_int_equal(v.status, 0);
    /* the same credential once more than there is room for others: wrong ones take no room */
    for (int i = 0; i < 5; i++) {
        q.authorization = S("Basic YW5uOndyb25n");
        assert_false(access_check(a, &q, &mem, &v));
        access_prove(a, &q, &mem, &v);
        assert_int_equal(v.status, 401);
    }
    access_unref(a);

    a = make();                                    /* a reload forgets */
    q.authorization = S("Basic YW5uOnNlY3JldC1wYXNzd29yZA==");
    assert_false(access_check(a, &q, &mem, &v));
    access_unref(a);
}

static void guesses_are_few_and_the_honest_get_in(void **state)
{
    (void)state;
    struct access *a = make();
    const char *wrong = "Basic YW5uOndyb25n", *right = "Basic YW5uOnNlY3JldC1wYXNzd29yZA==";
    now_ms = 1000;
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", right).status, 0);
    for (int i = 0; i < ACCESS_GUESSES_MAX; i++)
        assert_int_equal(ask(a, "otlp", "10.2.0.1:5", wrong).status, 401);
    assert_int_equal(ask(a, "otlp", "10.2.0.1:99", wrong).status, 429);        /* another port is nobody else */
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", right).status, 0);           /* who works goes on */
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", "Bearer " TOKEN).status, 0);
    assert_int_equal(ask(a, "otlp", "10.2.0.2:5", wrong).status, 401);         /* another address has its own */
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", "Basic Ym9iOnNlY3JldC1wYXNzd29yZA==").status, 403);     /* and another user */
    now_ms += ACCESS_GUESS_MS;
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", wrong).status, 401);
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", wrong).status, 429);
    now_ms += 1000 * ACCESS_GUESS_MS;              /* never more than at the beginning */
    for (int i = 0; i < ACCESS_GUESSES_MAX; i++)
        assert_int_equal(ask(a, "otlp", "10.2.0.1:5", wrong).status, 401);
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", wrong).status, 429);

    /* Unknown users share one bucket; an IPv6 network is one address. */
    for (int i = 0; i < ACCESS_GUESSES_MAX; i++)
        assert_int_equal(ask(a, "otlp", "[2001:db8:1:2::1]:5", i % 2 ? "Basic em9lOng=" : "Basic eW9lOng=").status, 401);
    assert_int_equal(ask(a, "otlp", "[2001:db8:1:2:3::9]:5", "Basic em9lOng=").status, 429);
    assert_int_equal(ask(a, "otlp", "[2001:db8:1:3::1]:5", "Basic em9lOng=").status, 401);
    access_unref(a);
}

/* However many addresses there are, the table stays what it is and goes on working. */
static void many_addresses(void **state)
{
    (void)state;
    struct access *a = make();
    struct access_verdict v;
    for (int i = 0; i < 5 * ACCESS_PEERS_MAX; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.%d.%d.1:1", 3 + i / 256, i % 256);
        assert_false(access_check(a, &(struct access_ask){ S("otlp"), str_c(peer), S("Basic YW5uOndyb25n") }, &mem, &v));
    }
    assert_int_equal(ask(a, "otlp", "10.2.0.1:5", "Basic YW5uOnNlY3JldC1wYXNzd29yZA==").status, 0);
    access_unref(a);
}

static const struct {
    const char *header, *want;
} shapes[] = {
    { "", "" },
    { "Bearer demo-token", "Bearer dem... (10 characters)" },
    { "Bearer%20demo-token", "Bearer dem... (10 characters)" },
    { "Bearer " TOKEN, "Bearer 0123... (21 characters)" },
    { "Bearer ab", "Bearer ... (2 characters)" },
    { "Bearer abc", "Bearer a... (3 characters)" },
    { "Basic YW5uYS1sZW5hLW1hcmlhOnNlY3JldA==", "Basic anna... (15 characters)" },
    { "Basic c2VjcmV0LXdpdGhvdXQtY29sb24=", "Basic ... (0 characters)" },
    { "sk-ant-0123456789", "sk-a... (17 characters)" },
    { "Bearer \"\\\x01<script>abcdefghijk", "Bearer ???\x3c... (22 characters)" },
};

static void shapes_show_little(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(shapes); i++) {
        char out[ACCESS_SHAPE_MAX];
        size_t n = access_shape(str_c(shapes[i].header), out);
        if (!str_eq((struct str){ out, n }, str_c(shapes[i].want)))
            fail_msg("row %zu: want \"%s\", got \"%s\"", i, shapes[i].want, out);
    }
    char long_one[5000], out[ACCESS_SHAPE_MAX];
    memset(long_one, 'x', sizeof long_one);
    memcpy(long_one, "Bearer ", 7);
    assert_true(access_shape((struct str){ long_one, sizeof long_one }, out) < ACCESS_SHAPE_MAX);
    assert_string_equal(out, "Bearer xxxx... (4993 characters)");
}

static const struct {
    const char *hash, *error;
} hashes[] = {
    { BCRYPT, NULL },
    { YESCRYPT, NULL },
    { "$2y$10$abcdefghijklmnopqrstuuaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
    { "", "no password hash" },
    { "secret", "no password hash" },
    { "$2b$10$abcdefghijklmnopqrstuu", "60 characters, this one 29" },
    { "$2y$20$abcdefghijklmnopqrstuuaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "at most 16" },
    { "$1$abc$abcdefghijklmnopqrstuv", "no longer safe" },
    { "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "understood" },
    { "$6$salt$short", "been cut" },
    { "$y$j75$8pe1rYgQC2ZuLPz9TGc7x.$kU.5RYq", "been cut" },
};

static void hashes_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(hashes); i++) {
        struct fault f = { 0 };
        enum err e = password_hash_check(str_c(hashes[i].hash), &f);
        if ((e != OK) != (hashes[i].error != NULL) || (e && !strstr(f.msg, hashes[i].error)))
            fail_msg("row %zu: %s: %d %s", i, hashes[i].hash, e, f.msg);
    }
    assert_true(password_matches(S("secret-password"), S(BCRYPT)));
    assert_false(password_matches(S("secret-passwore"), S(BCRYPT)));
    assert_true(password_matches(S("secret-password"), S(YESCRYPT)));
    assert_false(password_matches(S("secret-password\0"), S(YESCRYPT)));
}

int main(void)
{
    arena_init(&mem, 1 << 20);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_judged), cmocka_unit_test(passwords_are_remembered),
        cmocka_unit_test(guesses_are_few_and_the_honest_get_in), cmocka_unit_test(many_addresses),
        cmocka_unit_test(shapes_show_little), cmocka_unit_test(hashes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
