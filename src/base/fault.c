/* base/fault.c -- why something failed, and what happens when we are wrong. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

enum err fault_setv(struct fault *f, enum err code, size_t at, const char *fmt, va_list ap)
{
    CHECK(code != OK);
    if (!f)
        return code;
    f->code = code;
    f->at = at;
    /* A message that does not fit is cut, never refused. */
    (void)vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
    return code;
}

enum err(fault_set)(struct fault *f, enum err code, size_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)fault_setv(f, code, at, fmt, ap);
    va_end(ap);
    return code;
}

void check_failed(const char *cond, const char *file, int line)
{
    /* The write-ahead log makes stopping here safe; going on would not be. */
    (void)fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, cond);
    abort();
}
