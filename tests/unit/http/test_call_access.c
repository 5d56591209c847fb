/* The check of who asks, in a server: on which thread a password is hashed is for the thread
 * sanitizer; that nobody is let in or forgotten, whoever leaves or reloads meanwhile, is here. */
#include "fixture.h"

#include "http/access.h"

#define TOKEN "0123456789abcdef-test"
#define USER  "Authorization: Basic YW5uOnNlY3JldC1wYXNzd29yZA==\r\n"   /* ann:secret-password */
#define WRONG "Authorization: Basic YW5uOndyb25n\r\n"

enum { SENDERS = 8, ROUNDS = 15 };

static struct access *rules(const char *hash, bool with_token)
{
    struct access_token token = { .name = S("t"), .listeners = 1 };
    secret_sha256(S(TOKEN), token.hash);
    const struct access_user user = { S("ann"), str_c(hash), 1 };
    struct pair header = { S("X-Frame-Options"), S("deny") };
    const struct access_listener listener = { S("test"), true, { &header, 1 } };
    return access_new(&(struct access_rules){ &token, &user, &listener, with_token, 1, 1 }, &clock_system);
}

/* secret-password, at the lowest cost */
static const char *const hashes[] = {
    "$2b$04$b2W0zoz6HEsmxggWBjeaD.Mzsa0IhpLD7S8WK5lFPTgZjK5Ee8VDy",
    "$y$j75$8pe1rYgQC2ZuLPz9TGc7x.$kU.5RYqJp3uLwWl84Y796WKv29RKed4/rJWDcen2IwA",
};

static void set(struct access *a)
{
    struct fault f;
    assert_int_equal(http_access(fx.server, a, &f), OK);
    access_unref(a);
}

static int begin(void **state)
{
    (void)state;
    fx_start((struct http_config){ .check_hosts = true });
    return 0;
}

static int end(void **state)
{
    (void)state;
    fx_stop();
    return 0;
}

static void rows_are_answered(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *header;
    } rows[] = {
        { "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", 401, "www-authenticate: Bearer realm=\"ccmon\"" },
        { "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 401, "X-Frame-Options: deny" },
        { "POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 401, NULL },
        { "POST /otlp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 401, NULL },
        { "GET /hello HTTP/1.1\r\nHost: evil.test\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 403, NULL },
        { "GET /hello HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 200, "X-Frame-Options: deny" },
        { "GET /nothing HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN "\r\n\r\n", 404, NULL },
        { "GET /hello HTTP/1.1\r\nHost: localhost\r\n" WRONG "\r\n", 401, NULL },
        { "POST /echo HTTP/1.1\r\nHost: localhost\r\n" USER "Content-Length: 3\r\n\r\nabc", 200, NULL },
        { "POST /pool HTTP/1.1\r\nHost: localhost\r\n" USER "Content-Length: 3\r\n\r\nabc", 200, NULL },
        { "POST /echo HTTP/1.1\r\nHost: localhost\r\n" USER "Content-Length: 3\r\n\r\nabc", 200, NULL },
    };
    set(rules(hashes[0], true));
    int fd = cl_open();
    for (size_t i = 0; i < LEN(rows); i++) {
        struct reply r;
        cl_send(fd, str_c(rows[i].request));
        cl_read(fd, false, &r);
        if (r.status != rows[i].status || (rows[i].header && !cl_has(&r, rows[i].header)))
            fail_msg("row %zu: %s", i, r.head);
        reply_done(&r);
    }
    cl_close(fd);
    set(NULL);                                     /* and nobody is asked any more */
    fd = cl_open();
    cl_send(fd, S("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    cl_expect(fd, 200, "hello");
    cl_close(fd);
}

/* A large body of a password never seen, and one of unknown length: 503, at once. */
static void large_bodies_come_back(void **state)
{
    (void)state;
    set(rules(hashes[0], false));
    int fd = cl_open();
    cl_printf(fd, "POST /otlp HTTP/1.1\r\nHost: localhost\r\n" USER "Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", 1 << 20);
    struct reply r;
    cl_read(fd, false, &r);
    assert_int_equal(r.status, 503);
    reply_done(&r);
    cl_close(fd);
    set(rules(hashes[1], false));
    fd = cl_open();
    cl_send(fd, S("POST /otlp HTTP/1.1\r\nHost: localhost\r\n" USER "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    cl_read(fd, false, &r);
    assert_int_equal(r.status, 503);
    reply_done(&r);
    cl_close(fd);
}

static void *sender(void *arg)
{
    int *good = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int fd = cl_open();
        cl_send(fd, S("POST /echo HTTP/1.1\r\nHost: localhost\r\n" USER "Content-Length: 3\r\n\r\nabc"));
        if (i % 5 == 4) {
            cl_reset(fd);                          /* leaves while its password may be hashed */
            continue;
        }
        struct reply r;
        cl_read(fd, false, &r);
        *good += r.status == 200;
        reply_done(&r);
        cl_close(fd);
    }
    return NULL;
}

/* Each reload forgets what was right, so that all of them hash again and again. */
static void many_at_once_while_it_reloads(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    int good[SENDERS] = { 0 };
    set(rules(hashes[0], true));
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, &good[i]), 0);
    for (int i = 0; i < 3 * ROUNDS; i++) {
        set(rules(hashes[i % 2], i % 3));
        struct reply r;
        cl_get("/hello", USER, &r);
        assert_int_equal(r.status, 200);
        reply_done(&r);
    }
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], ROUNDS - ROUNDS / 5);
    }
    fx_until(fx_no_conns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_are_answered, begin, end),
        cmocka_unit_test_setup_teardown(large_bodies_come_back, begin, end),
        cmocka_unit_test_setup_teardown(many_at_once_while_it_reloads, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
