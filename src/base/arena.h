/* base/arena.h -- memory for one request, query or batch, freed at once.
 *
 * One linear, lazily touched address range. Passing a `struct arena` BY VALUE
 * lends scratch space: what the callee allocates there vanishes on return.
 * Passing a pointer hands out memory that lives until arena_reset/arena_done.
 *
 * Owner:    arena_init() reserves, arena_done() gives back.
 * Threads:  one at a time.
 * Limits:   past `budget` memory is still given, but arena_over() turns true;
 *           loops driven by input ask once per item and return E_LIMIT.
 *           Allocation never returns NULL; the reserved range (a multiple of
 *           the budget) running out aborts.
 */
#pragma once
#include "base/str.h"

struct arena {
    char *base, *pos, *end;
    size_t budget;
};

void arena_init(struct arena *a, size_t budget_bytes);
void arena_done(struct arena *a);
void arena_reset(struct arena *a);                 /* keeps the range, returns large touched parts to the system */
void arena_rewind(struct arena *a);                /* keeps everything touched: for the next round of the same work */
void arena_keep(struct arena *a, size_t bytes);    /* empties; what was touched beyond `bytes` goes back */
void arenas_rest(void);                            /* memory that a burst of requests left goes back; any thread */
bool arena_over(const struct arena *a);
size_t arena_used(const struct arena *a);

MUST NONNULL void *arena_alloc(struct arena *a, size_t size, size_t align);   /* zeroed */
MUST NONNULL void *arena_alloc_raw(struct arena *a, size_t size, size_t align);   /* holds anything: for what is wholly written */
/* Like realloc for the newest allocation (grows in place), else copies. */
MUST NONNULL void *arena_grow(struct arena *a, void *p, size_t old_size, size_t new_size, size_t align);
#define arena_new(a, T, n) ((T *)arena_alloc((a), arena_bytes(sizeof(T), (n)), _Alignof(T)))
#define arena_raw(a, T, n) ((T *)arena_alloc_raw((a), arena_bytes(sizeof(T), (n)), _Alignof(T)))
size_t arena_bytes(size_t size, size_t n);         /* size * n, aborts on overflow */

struct str arena_str(struct arena *a, struct str s);                   /* copy */
struct str arena_fmt(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
NONNULL char *arena_cstr(struct arena *a, struct str s);   /* copy with NUL at the end */

/* Makes room for one more T in `ptr[n]` with capacity `cap` (powers of two). */
#define arena_push(a, ptr, n, cap)                                                          \
    __extension__({                                                                        \
        if ((n) == (cap)) {                                                                \
            size_t c_ = (cap) ? (size_t)(cap)*2 : 8;                                       \
            (ptr) = arena_grow((a), (ptr), sizeof(*(ptr)) * (size_t)(cap),                 \
                               arena_bytes(sizeof(*(ptr)), c_), _Alignof(__typeof__(*(ptr)))); \
            (cap) = (__typeof__(cap))c_;                                                   \
        }                                                                                  \
        &(ptr)[(n)++];                                                                     \
    })
