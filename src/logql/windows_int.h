/* logql/windows_int.h -- the cells of windows, for windows*.c only. */
#pragma once
#include <math.h>

#include "logql/windows.h"

/* Numbers that a cell keeps, in pieces that are not moved again. */
struct vchunk {
    struct vchunk *before;
    uint32_t n;
    double v[];
};

/* One window of one series, or where a number enters and another one leaves. */
struct wcell {
    union {
        struct {
            double in;                             /* what entered; or the one number that is kept */
            union {
                double out;                        /* what leaves */
                int64_t t;                         /* of the number that is kept */
            };
        };
        struct {
            struct vchunk *values;                 /* KEEP_VALUES: the newest piece, and its next free place */
            double *next;
        };
    };
    int64_t count;                                 /* of points that enter, less those that leave */
};

enum cell_mode { CELL_SUM, CELL_OVERLAP, CELL_MIN, CELL_MAX, CELL_FIRST, CELL_LAST, CELL_VALUES, CELL_NONE };

static inline bool windows_overlap(const struct windows *w)
{
    return w->range_ns > w->step_ns && w->n > 1;
}

static inline enum cell_mode windows_mode(const struct windows *w)
{
    static const uint8_t kept[] = {
        [KEEP_POINTS] = CELL_NONE, [KEEP_MIN] = CELL_MIN, [KEEP_MAX] = CELL_MAX,
        [KEEP_FIRST] = CELL_FIRST, [KEEP_LAST] = CELL_LAST, [KEEP_VALUES] = CELL_VALUES,
    };
    if (w->op->adds)
        return windows_overlap(w) ? CELL_OVERLAP : CELL_SUM;
    return windows_overlap(w) ? CELL_NONE : (enum cell_mode)kept[w->op->keep];
}

/* Takes a number that is no sum into the cell. */
static inline void cell_keep(enum cell_mode mode, struct wcell *c, int64_t t, double v)
{
    bool better = !c->count;
    switch (mode) {
    case CELL_MIN: better |= v < c->in || isnan(c->in); break;
    case CELL_MAX: better |= v > c->in || isnan(c->in); break;
    case CELL_FIRST: better |= t < c->t; break;
    case CELL_LAST: better |= t >= c->t; break;
    default: CHECK(!"a cell that keeps nothing");
    }
    if (better) {
        c->in = v;
        c->t = t;
    }
    c->count++;
}

/* The first window that ends at or after t, from 0 on; w->n: none. Remembers for which
 * times the answer holds: neighbouring rows mostly have the same. All-zero to begin with. */
struct wcursor {
    int64_t after, to;                             /* after < t <= to: window k */
    uint32_t k;
};

uint32_t windows_find(const struct windows *w, int64_t t, struct wcursor *c);

static inline uint32_t wcursor_at(const struct windows *w, int64_t t, struct wcursor *c)
{
    return t > c->after && t <= c->to ? c->k : windows_find(w, t, c);
}

struct wseries *windows_series(struct windows *w, uint32_t series);
/* The series' cell of window k, made if need be. */
struct wcell *windows_cell(struct windows *w, struct wseries *s, uint32_t k);
void windows_value_room(struct windows *w, struct wcell *c);          /* KEEP_VALUES: for one more */

static inline void windows_value(struct windows *w, struct wcell *c, double v)
{
    if (!c->values || c->next == c->values->v + c->values->n)
        windows_value_room(w, c);
    *c->next++ = v;
    c->count++;
}
