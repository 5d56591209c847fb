/* Refused senders in the answer of the status page, and on a path of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../../support/memsource.h"
#include "http/refusals.h"
#include "web/web_int.h"

static bool has(struct str s, const char *needle)
{
    return str_find(s, str_c(needle)) != SIZE_MAX;
}

static void note(struct refusals *r, const char *peer, const char *token, int64_t now_ns)
{
    struct refusal x = { .status = 401, .otlp = true };
    refusal_text(x.listener, sizeof x.listener, S("otlp-http"));
    refusal_text(x.peer, sizeof x.peer, str_c(peer));
    refusal_text(x.token, sizeof x.token, str_c(token));
    refusal_text(x.agent, sizeof x.agent, S("a \"quoted\" agent"));
    refusal_text(x.path, sizeof x.path, S("/v1/logs"));
    refusal_text(x.method, sizeof x.method, S("POST"));
    refusals_note(r, &x, now_ns);
}

static struct str write_status(struct api *api, struct buf *out)
{
    struct jw w;
    buf_clear(out);
    jw_init(&w, out);
    status_write(api, &w);
    assert_false(out->bad);
    return buf_view(out);
}

static void status_names_them(void **state)
{
    (void)state;
    struct memsource *m = memsource_new();
    struct api api = { .src = memsource_source(m), .clock = &clock_system };
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 256 << 10);
    assert_true(has(write_status(&api, &out), "\"refused_senders\":[]"));  /* without a table */
    api.refusals = refusals_new();
    assert_true(has(write_status(&api, &out), "\"refused_senders\":[]"));
    note(api.refusals, "10.0.0.1", "Bearer abc... (12 characters)", 5);
    note(api.refusals, "10.0.0.1", "Bearer abc... (12 characters)", 7);
    struct str s = write_status(&api, &out);
    assert_true(has(s, "\"peer\":\"10.0.0.1\",\"status\":401"));
    assert_true(has(s, "\"agent\":\"a \\\"quoted\\\" agent\",\"otlp\":true,\"count\":2,\"first_ns\":\"5\",\"last_ns\":\"7\""));
    for (int i = 0; i < 2 * REFUSALS_MAX; i++) {   /* as long as they can be: it stays an answer */
        char token[200];
        snprintf(token, sizeof token, "%d\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", i);
        note(api.refusals, "10.0.0.2", token, 100 + i);
    }
    (void)write_status(&api, &out);
    refusals_free(api.refusals);
    memsource_free(m);
}

static void guards_are_shown(void **state)
{
    (void)state;
    struct memsource *m = memsource_new();
    struct api api = { .src = memsource_source(m), .clock = &clock_system, .nlisteners = 1 };
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 256 << 10);
    api.listeners[0].name = S("web");
    atomic_store(&api.listeners[0].guards, API_TLS | API_USERS);
    assert_true(has(write_status(&api, &out), "\"tls\":true,\"tokens\":false,\"users\":true,\"client_certs\":false,\"open\":false"));
    memsource_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(status_names_them), cmocka_unit_test(guards_are_shown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
