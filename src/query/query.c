/* query/query.c -- limits, notes and error texts of one query. */
#include "query/query.h"

#include <stdarg.h>
#include <stdio.h>

enum err query_check(const struct query_ctx *q, struct fault *f)
{
    CHECK(q && q->mem && q->clock);
    if (q->cancelled && __atomic_load_n(q->cancelled, __ATOMIC_RELAXED))
        return fault_set(f, E_CANCELLED, 0, "query was canceled in expression evaluation");
    if (q->deadline_mono_ns && clock_mono(q->clock) > q->deadline_mono_ns)
        return fault_set(f, E_CANCELLED, 0, "query timed out in expression evaluation");
    if (arena_over(q->mem))
        return fault_set(f, E_LIMIT, 0, "query needs more memory than the limit of %zu MB (query.max_memory)", q->mem->budget >> 20);
    return OK;
}

enum err query_hold(struct query_ctx *q, uint64_t samples, struct fault *f)
{
    q->samples += samples;
    if (q->limits && q->limits->samples_max && q->samples > q->limits->samples_max)
        return fault_set(f, E_LIMIT, 0, "query processing would load too many samples into memory in expression evaluation "
                                        "(query.max_samples: %llu)", (unsigned long long)q->limits->samples_max);
    return OK;
}

enum err query_scan_begin(struct query_ctx *q, const struct scan_req *req, struct scan **ret, struct fault *f)
{
    struct scan_req r = *req;
    if (!r.rows_max && q->limits)
        r.rows_max = q->limits->rows_max;
    if (!r.bytes_max && q->limits)
        r.bytes_max = q->limits->bytes_max;
    r.before = q->stats;
    r.deadline_mono_ns = q->deadline_mono_ns;
    r.cancelled = q->cancelled;
    q->scan_since_ns = clock_mono(q->clock);
    return q->src->scan_begin(q->src, &r, ret, f);
}

void query_scan_end(struct query_ctx *q, struct scan *sc)
{
    struct scan_stats stats = q->src->scan_end(sc);
    q->scan_ns += clock_mono(q->clock) - q->scan_since_ns;
    q->stats.chunks += stats.chunks;
    q->stats.rows_read += stats.rows_read;
    q->stats.bytes_read += stats.bytes_read;
}

enum err query_check_series(const struct query_ctx *q, uint64_t n, struct fault *f)
{
    if (q->limits && q->limits->series_max && n > q->limits->series_max)
        return fault_set(f, E_LIMIT, 0, "query needs more than the limit of %llu series (query.max_series)",
                         (unsigned long long)q->limits->series_max);
    return OK;
}

static struct str format_in(struct arena *mem, const char *fmt, va_list ap)
{
    va_list twice;
    va_copy(twice, ap);
    int n = vsnprintf(NULL, 0, fmt, twice);
    va_end(twice);
    CHECK(n >= 0);
    char *p = arena_alloc(mem, (size_t)n + 1, 1);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    return (struct str){ p, (size_t)n };
}

enum err query_error(struct query_ctx *q, struct fault *f, enum err code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    q->error = format_in(q->mem, fmt, ap);
    va_end(ap);
    return fault_set(f, code, 0, STR_FMT, STR_ARG(q->error));
}

void query_note(struct query_ctx *q, bool warning, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str text = format_in(q->mem, fmt, ap);
    va_end(ap);

    uint32_t same_kind = 0;
    for (uint32_t i = 0; i < q->nnotes; i++) {
        if (str_eq(q->notes[i].text, text))
            return;
        same_kind += q->notes[i].warning == warning;
    }
    if (same_kind < QUERY_NOTES_MAX)
        q->notes[q->nnotes++] = (struct query_note){ warning, text };
}
