/* The table of who was refused: counts, what is one row, what gives way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "http/refusals.h"

static struct refusal row(const char *listener, const char *peer, int status, const char *token, const char *agent)
{
    struct refusal x = { .status = status };
    refusal_text(x.listener, sizeof x.listener, str_c(listener));
    refusal_text(x.peer, sizeof x.peer, str_c(peer));
    refusal_text(x.token, sizeof x.token, str_c(token));
    refusal_text(x.agent, sizeof x.agent, str_c(agent));
    return x;
}

static void rows_count(void **state)
{
    (void)state;
    static struct refusal out[REFUSALS_MAX];
    struct refusals *r = refusals_new();
    struct refusal a = row("otlp-http", "10.0.0.1", 401, "", "x"), b = row("otlp-http", "10.0.0.1", 403, "", "x");
    assert_int_equal(refusals_list(r, out, REFUSALS_MAX), 0);
    assert_true(refusals_note(r, &a, 10));
    assert_false(refusals_note(r, &a, 20));
    refusal_text(a.path, sizeof a.path, S("/v1/logs"));     /* no part of who it is */
    assert_false(refusals_note(r, &a, 30));
    assert_true(refusals_note(r, &b, 25));
    assert_int_equal(refusals_list(r, out, REFUSALS_MAX), 2);
    assert_int_equal(out[0].status, 401);
    assert_int_equal(out[0].count, 3);
    assert_int_equal(out[0].first_ns, 10);
    assert_int_equal(out[0].last_ns, 30);
    assert_string_equal(out[0].path, "/v1/logs");
    assert_int_equal(out[1].count, 1);
    assert_int_equal(refusals_list(r, out, 1), 1);
    assert_int_equal(refusals_total(r), 4);

    refusal_text(a.method, sizeof a.method, S("POST"));    /* of a request the last reason counts ... */
    refusal_text(a.why, sizeof a.why, S("one reason"));
    (void)refusals_note(r, &a, 40);
    refusal_text(a.why, sizeof a.why, S("another"));
    assert_false(refusals_note(r, &a, 50));
    a.method[0] = 0;                               /* ... without one it is who it is */
    a.status = 400;
    assert_true(refusals_note(r, &a, 60));
    refusal_text(a.why, sizeof a.why, S("one reason"));
    assert_true(refusals_note(r, &a, 70));
    refusals_free(r);
}

static void the_oldest_gives_way(void **state)
{
    (void)state;
    static struct refusal out[REFUSALS_MAX];
    struct refusals *r = refusals_new();
    for (int i = 0; i < 3 * REFUSALS_MAX; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.0.%d.%d", i / 256, i % 256);
        struct refusal flood = row("web", peer, 401, "", ""), steady = row("otlp-http", "10.9.9.9", 401, "", "");
        assert_true(refusals_note(r, &flood, 2 * i));
        assert_int_equal(refusals_note(r, &steady, 2 * i + 1), i == 0);
    }
    assert_int_equal(refusals_list(r, out, REFUSALS_MAX), REFUSALS_MAX);
    assert_string_equal(out[0].peer, "10.9.9.9");
    assert_int_equal(out[0].count, 3 * REFUSALS_MAX);
    assert_int_equal(refusals_total(r), 6 * REFUSALS_MAX);
    refusals_free(r);
}

static void text_is_cut_and_clean(void **state)
{
    (void)state;
    char out[8];
    refusal_text(out, sizeof out, S("a\nb\x7f" "c"));
    assert_string_equal(out, "a b c");
    refusal_text(out, sizeof out, S("abcdef\xc3\xa9"));     /* the last letter has two bytes */
    assert_string_equal(out, "abcdef");
    refusal_text(out, sizeof out, S("abcde\xc3\xa9z"));
    assert_string_equal(out, "abcde\xc3\xa9");
    refusal_text(out, sizeof out, (struct str){ 0 });
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_count), cmocka_unit_test(the_oldest_gives_way),
                                        cmocka_unit_test(text_is_cut_and_clean) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
