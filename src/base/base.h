/* base/base.h -- the vocabulary of every file: errors, ownership, contracts.
 *
 * Owner:    nothing here owns anything.
 * Threads:  any; fault_set() writes only to the fault it is given.
 * Errors:   a fallible function returns enum err, OK being 0, and fills the
 *           fault at the place that knows the cause. Callers pass it on.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST        __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NONNULL     __attribute__((returns_nonnull))
#define NORETURN    __attribute__((noreturn))
#define UNUSED      __attribute__((unused))
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p)     __extension__({ __typeof__(p) t_ = (p); (p) = NULL; t_; })
#define LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)   __extension__({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define MAX(a, b)   __extension__({ __typeof__(a) x_ = (a); __typeof__(b) y_ = (b); x_ > y_ ? x_ : y_; })

enum err {
    OK = 0,
    E_SYNTAX,        /* the input cannot be decoded or parsed: HTTP 400 */
    E_LIMIT,         /* a named limit was reached; the message names it */
    E_IO,            /* the system said no (errno text in the message) */
    E_CORRUPT,       /* data on disk does not hold what was written */
    E_NOTFOUND,
    E_EXIST,
    E_UNSUPPORTED,   /* valid, but not something ccmon does */
    E_UNAVAILABLE,   /* disk full, stopping, overloaded: try again later */
    E_EXEC,          /* a query is valid but cannot be evaluated: HTTP 422 */
    E_CANCELLED,     /* the caller went away or the deadline passed */
};

/* Why it failed, for whoever asked. `at` is a byte offset into the input. */
struct fault {
    enum err code;
    size_t at;
    char msg[240];
};

/* Returns `code`. A NULL fault is fine. */
enum err fault_set(struct fault *f, enum err code, size_t at, const char *fmt, ...) PRINTF(4, 5);
enum err fault_setv(struct fault *f, enum err code, size_t at, const char *fmt, va_list ap) PRINTF(4, 0);
#ifdef __clang_analyzer__                          /* which sees no other file: this never returns OK */
#define fault_set(f, code, at, ...) (fault_set((f), (code), (at), __VA_ARGS__), (code))
#endif

/* A broken invariant of our own: prints and aborts, in every build. */
#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))
#ifdef CCMON_DCHECK
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)0)
#endif
NORETURN void check_failed(const char *cond, const char *file, int line);

/* Heap memory that is never NULL: real exhaustion aborts. */
MUST NONNULL void *mem_alloc(size_t n);            /* zeroed */
MUST NONNULL void *mem_resize(void *p, size_t n);  /* new part is not zeroed */
void mem_free(void *p);
/* Zeroed pages of their own, given by the system when they are touched and back to it at
 * once: for large arrays of which often only the beginning is used. */
MUST void *mem_pages(size_t n);
void mem_pages_empty(void *p, size_t n);           /* they are zero again, and take no memory; others may read meanwhile */
void mem_pages_free(void *p, size_t n);            /* NULL is fine */
/* Gives what was freed back to the system, where the allocator would keep it; before that,
 * while there is one thread, mem_begin() makes it possible. */
void mem_begin(void);
void mem_trim(void);
void mem_freep(void *pp);                          /* for CLEANUP: frees *pp */
