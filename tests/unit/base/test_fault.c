/* Faults keep a cut message; broken invariants end the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"

static void faults(void **state)
{
    (void)state;
    struct fault f;
    assert_int_equal(fault_set(&f, E_LIMIT, 7, "more than %d", 5), E_LIMIT);
    assert_int_equal(f.code, E_LIMIT);
    assert_int_equal(f.at, 7);
    assert_string_equal(f.msg, "more than 5");
    assert_int_equal(fault_set(NULL, E_IO, 0, "nobody asks"), E_IO);
    assert_int_equal(fault_set(&f, E_IO, 0, "%0500d", 1), E_IO);
    assert_int_equal(strlen(f.msg), sizeof(f.msg) - 1);
}

/* The signal that ended the process which ran fn. */
static int signal_of(void (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void broken(void) { CHECK(1 + 1 == 3); }
static void fine(void) { CHECK(1 + 1 == 2); }

static void checks(void **state)
{
    (void)state;
    assert_int_equal(signal_of(fine), 0);
    assert_int_equal(signal_of(broken), SIGABRT);
}

static void memory(void **state)
{
    (void)state;
    CLEANUP(mem_freep) unsigned char *p = mem_alloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    p = mem_resize(p, 5000);
    assert_int_equal(p[999], 0);
    void *empty = mem_alloc(0);
    assert_non_null(empty);
    mem_freep(&empty);
    assert_null(empty);
}

static void clocks(void **state)
{
    (void)state;
    int64_t a = clock_mono(&clock_system), b = clock_mono(&clock_system);
    assert_true(b >= a);
    assert_true(clock_now(&clock_system) > INT64_C(1700000000) * NS_PER_S);

    struct timespec now, later, never;
    clock_deadline(-1, &now);
    clock_deadline(90 * NS_PER_S, &later);
    clock_deadline(INT64_MAX, &never);
    assert_true(later.tv_sec >= now.tv_sec + 90 && later.tv_nsec < NS_PER_S);
    assert_int_equal(never.tv_sec, INT64_MAX / NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults), cmocka_unit_test(checks), cmocka_unit_test(memory), cmocka_unit_test(clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
