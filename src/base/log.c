/* base/log.c -- one line, one write.
 *
 * A line is built in a local buffer and given to the system at once, so lines of
 * several threads never mix. Control characters (a log line may quote hostile
 * input) become spaces: one call is always one line.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"

enum {
    LINE_MAX_BYTES = 2048,                         /* longer ones are cut */
    CAUSES_MAX = 64,                               /* remembered causes; the oldest gives way */
};

static atomic_int min_level = LOG_INFO;

/* What log_limited() knows of a cause. */
struct cause {
    uint64_t hash;
    int64_t since;                                 /* monotonic ns of the last line */
    uint64_t left_out;
    bool used;
};

static pthread_mutex_t causes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cause causes[CAUSES_MAX];            /* under causes_lock */

void log_set_level(enum log_level min)
{
    atomic_store(&min_level, (int)min);
}

/* Milliseconds are always printed, so that lines stay aligned. */
static size_t put_time(char *out)
{
    char text[40];
    int64_t ms = clock_now(&clock_system) / NS_PER_MS;
    size_t n = num_fmt_rfc3339(text, ms / 1000 * NS_PER_S);
    CHECK(n == 20 && text[19] == 'Z');
    memcpy(out, text, 19);
    return 19 + (size_t)snprintf(out + 19, 8, ".%03uZ ", (unsigned)(ms % 1000));
}

static void emit(const char *line, size_t n)
{
    while (n) {
        ssize_t w = write(STDERR_FILENO, line, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return;                                /* nowhere left to say it */
        line += w;
        n -= (size_t)w;
    }
}

static void PRINTF(3, 0) write_line(enum log_level level, uint64_t left_out, const char *fmt, va_list ap)
{
    static const char *const names[] = { "debug ", "info  ", "warn  ", "error " };
    CHECK((size_t)level < LEN(names));
    char line[LINE_MAX_BYTES];
    size_t n = put_time(line);
    size_t start = n + (size_t)snprintf(line + n, sizeof(line) - n, "%s", names[level]);

    size_t room = sizeof(line) - start - 64;       /* 64: the count of lines left out, and the end */
    int want = vsnprintf(line + start, room, fmt, ap);
    CHECK(want >= 0);
    n = start + MIN((size_t)want, room - 1);
    for (size_t i = start; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = ' ';
    if (left_out)
        n += (size_t)snprintf(line + n, sizeof(line) - n, " (%llu more like this left out)",
                              (unsigned long long)left_out);
    line[n++] = '\n';
    CHECK(n <= sizeof(line));
    emit(line, n);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if ((int)level < atomic_load(&min_level))
        return;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, 0, fmt, ap);
    va_end(ap);
}

/* The entry of `hash`: its own, a free one, or the one silent for longest. */
static struct cause *cause_find(uint64_t hash)
{
    struct cause *best = &causes[0];
    for (size_t i = 0; i < CAUSES_MAX; i++) {
        struct cause *c = &causes[i];
        if (c->used && c->hash == hash)
            return c;
        if (best->used && (!c->used || c->since < best->since))
            best = c;
    }
    *best = (struct cause){ .hash = hash };
    return best;
}

/* Whether a line of this cause may be written at `now`; counts it if not. */
static bool cause_allow(const char *cause, int64_t now, uint64_t *ret_left_out)
{
    uint64_t hash = hash64(str_c(cause), 0);
    CHECK(pthread_mutex_lock(&causes_lock) == 0);
    struct cause *c = cause_find(hash);
    bool allow = !c->used || now - c->since >= 60 * NS_PER_S;
    if (allow) {
        *ret_left_out = c->left_out;
        *c = (struct cause){ hash, now, 0, true };
    } else {
        c->left_out++;
    }
    CHECK(pthread_mutex_unlock(&causes_lock) == 0);
    return allow;
}

void log_limited(enum log_level level, const char *cause, const char *fmt, ...)
{
    uint64_t left_out;
    if ((int)level < atomic_load(&min_level) || !cause_allow(cause, clock_mono(&clock_system), &left_out))
        return;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, left_out, fmt, ap);
    va_end(ap);
}
