/* The audit log: counts of its lines add up to the refusals, and neither kinds nor bytes
 * grow without end. The clock is the test's, so that no minute has to pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "../../../src/app/audit.c"

static int64_t test_now(void *arg)
{
    (void)arg;
    return INT64_C(1795440000) * NS_PER_S;
}

static const struct clock frozen = { .now = test_now, .mono = test_now };

static char dir[64];

static int begin(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/ccmon-audit-XXXXXX");
    return !mkdtemp(dir);
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int end(void **state)
{
    (void)state;
    unlink(in_dir("audit.log"));
    unlink(in_dir("audit.log.1"));
    return rmdir(dir);
}

static struct refusal refusal(int i)
{
    struct refusal x = { .status = 401 };
    char peer[32];
    snprintf(peer, sizeof peer, "10.0.%d.%d", i / 256, i % 256);
    refusal_text(x.peer, sizeof x.peer, str_c(peer));
    refusal_text(x.listener, sizeof x.listener, S("otlp-http"));
    refusal_text(x.why, sizeof x.why, S("no \"token\""));
    refusal_text(x.token, sizeof x.token, S("Bearer abcd... (24 characters)"));
    return x;
}

/* Sum of "count" over all lines, and how many lines there are. */
static uint64_t sum_counts(const char *name, uint32_t *ret_lines)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct fault f;
    uint64_t sum = 0, n;
    *ret_lines = 0;
    if (file_read(in_dir(name), 64 << 20, &text, &f))
        return 0;
    for (struct str rest = buf_view(&text), line; (line = str_cut(&rest, '\n')).n;) {
        size_t at = str_find(line, S("\"count\":"));
        assert_true(at != SIZE_MAX && line.p[0] == '{' && line.p[line.n - 1] == '}');
        struct str digits = str_sub(line, at + 8, line.n - at - 9);
        assert_true(str_to_u64(digits, &n));
        sum += n;
        ++*ret_lines;
    }
    return sum;
}

static void counts_add_up(void **state)
{
    (void)state;
    struct audit *a = audit_new(str_c(dir), &frozen);
    for (int i = 0; i < 1000; i++) {
        struct refusal x = refusal(i % 5);
        audit_note(a, &x);
    }
    audit_free(a);
    uint32_t lines;
    assert_int_equal(sum_counts("audit.log", &lines), 1000);
    assert_in_range(lines, 5, 10);                 /* the first of each at once, the rest together */
    struct stat st;
    assert_int_equal(stat(in_dir("audit.log"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void kinds_are_bounded(void **state)
{
    (void)state;
    struct audit *a = audit_new(str_c(dir), &frozen);
    for (int i = 0; i < 20 * AUDIT_KINDS_MAX; i++) {
        struct refusal x = refusal(i);
        audit_note(a, &x);
    }
    audit_free(a);
    uint32_t lines;
    assert_int_equal(sum_counts("audit.log", &lines), 20 * AUDIT_KINDS_MAX);
    assert_int_equal(lines, AUDIT_KINDS_MAX + 1);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct audit *a = audit_new(str_c(dir), &frozen);
        a->bytes_max = 30000;
        for (int i = 0; i < AUDIT_KINDS_MAX; i++) {
            struct refusal x = refusal(i);
            audit_note(a, &x);
        }
        audit_free(a);
    }
    struct stat st, old;
    assert_int_equal(stat(in_dir("audit.log"), &st), 0);
    assert_int_equal(stat(in_dir("audit.log.1"), &old), 0);
    assert_true(st.st_size <= 30000 && old.st_size <= 30000 && old.st_size > 10000);
    uint32_t lines;
    assert_true(sum_counts("audit.log.1", &lines) > 0);    /* whole lines on both sides of the cut */
}

/* The longest texts there can be still make a line. */
static void the_longest_line(void **state)
{
    (void)state;
    struct refusal x = { .status = 403, .count = UINT32_MAX, .last_ns = INT64_MAX };
    char junk[400];
    memset(junk, '"', sizeof junk);
    refusal_text(x.listener, sizeof x.listener, (struct str){ junk, sizeof junk });
    refusal_text(x.peer, sizeof x.peer, (struct str){ junk, sizeof junk });
    refusal_text(x.token, sizeof x.token, (struct str){ junk, sizeof junk });
    memset(junk, '\xff', sizeof junk);
    refusal_text(x.agent, sizeof x.agent, (struct str){ junk, sizeof junk });
    refusal_text(x.path, sizeof x.path, (struct str){ junk, sizeof junk });
    refusal_text(x.why, sizeof x.why, (struct str){ junk, sizeof junk });
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, AUDIT_LINE_MAX);
    line_write(&x, &out);
    assert_false(out.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_add_up, begin, end), cmocka_unit_test_setup_teardown(kinds_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(bytes_are_bounded, begin, end), cmocka_unit_test(the_longest_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
