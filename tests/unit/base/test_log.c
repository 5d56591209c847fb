/* Log lines, read back through a pipe in place of standard error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/log.c"

static int saved = -1, pipe_read = -1;

static void begin_capture(void)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    saved = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    close(fds[1]);
    pipe_read = fds[0];
}

/* What was written since; the text stays valid until the next call. */
static struct str end_capture(void)
{
    static char text[8192];
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    ssize_t n = read(pipe_read, text, sizeof(text));
    close(pipe_read);
    assert_true(n >= 0);
    return (struct str){ text, (size_t)n };
}

static void one_call_one_line(void **state)
{
    (void)state;
    begin_capture();
    log_line(LOG_WARN, "disk %s\nforged line", "full\x1b[2J");
    struct str s = end_capture();
    assert_true(str_ends(s, S("Z warn  disk full [2J forged line\n")));
    assert_int_equal(s.n, 25 + strlen("warn  disk full [2J forged line\n"));
    assert_int_equal(str_index(s, '\n'), s.n - 1);

    static char big[5000];
    memset(big, 'x', sizeof(big) - 1);
    begin_capture();
    log_line(LOG_ERROR, "%s", big);
    s = end_capture();
    assert_true(s.n <= LINE_MAX_BYTES && str_ends(s, S("xxx\n")));
}

static void levels(void **state)
{
    (void)state;
    begin_capture();
    log_line(LOG_DEBUG, "not shown");
    log_set_level(LOG_DEBUG);
    log_line(LOG_DEBUG, "shown");
    log_set_level(LOG_ERROR);
    log_line(LOG_WARN, "not shown");
    log_limited(LOG_WARN, "cause", "not shown");
    log_set_level(LOG_INFO);
    struct str s = end_capture();
    assert_true(str_ends(s, S("debug shown\n")));
    assert_int_equal(str_index(s, '\n'), s.n - 1);
}

/* The minute, without waiting for one. */
static void limited(void **state)
{
    (void)state;
    uint64_t left_out = 99;
    int64_t t = 1000 * NS_PER_S;
    assert_true(cause_allow("a", t, &left_out) && left_out == 0);
    assert_false(cause_allow("a", t + 59 * NS_PER_S, &left_out));
    assert_false(cause_allow("a", t + 1, &left_out));
    assert_true(cause_allow("b", t + 1, &left_out) && left_out == 0);
    assert_true(cause_allow("a", t + 60 * NS_PER_S, &left_out) && left_out == 2);

    /* More causes than are remembered: the one silent longest gives way. */
    for (int i = 0; i < CAUSES_MAX - 1; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%d", i);
        assert_true(cause_allow(name, t + 61 * NS_PER_S, &left_out));
    }
    assert_false(cause_allow("a", t + 62 * NS_PER_S, &left_out));
    assert_true(cause_allow("b", t + 2, &left_out));

    begin_capture();
    log_limited(LOG_INFO, "real", "first");
    log_limited(LOG_INFO, "real", "second");
    struct str s = end_capture();
    assert_true(str_ends(s, S("info  first\n")));

    va_list none;
    memset(&none, 0, sizeof(none));
    begin_capture();
    write_line(LOG_INFO, 7, "again", none);
    s = end_capture();
    assert_true(str_ends(s, S("info  again (7 more like this left out)\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_call_one_line), cmocka_unit_test(levels), cmocka_unit_test(limited) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
