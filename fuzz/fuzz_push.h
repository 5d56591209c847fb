/* What the push fuzzers share: decode, and hold the rows to what model/rows.h promises. */
#pragma once
#include <stdlib.h>

#include "base/clock.h"
#include "push/entries.h"

enum { FUZZ_MEMORY = 64 << 20 };

/* Labels are texts, never empty, unique by name over group and row; samples have a name. */
static inline void fuzz_check_row(const struct batch *b, const struct row *r, struct arena mem)
{
    struct cells shared = { 0 };
    if (r->group != ROW_NO_GROUP)
        shared = b->table == TABLE_SAMPLE ? batch_labels(b, r->group, &mem) : b->groups[r->group];
    const struct cells *g = &shared;
    uint8_t *seen = arena_new(&mem, uint8_t, b->ncols + 1);
    bool named = false;
    for (uint32_t i = 0; i < g->n + r->cells.n; i++) {
        const struct cell *c = i < g->n ? &g->at[i] : &r->cells.at[i - g->n];
        CHECK(c->col < b->ncols && !seen[c->col] && c->v.type != V_NONE);
        seen[c->col] = 1;
        if (b->cols[c->col].place == PLACE_LABEL)
            CHECK(c->v.type == V_STR && c->v.s.n);
        named = named || str_eq(b->cols[c->col].name, S("__name__"));
    }
    CHECK(named || b->table == TABLE_LOG);
    CHECK(r->time_ns <= b->recv_ns + PUSH_AHEAD_MINUTES * 60 * NS_PER_S);
}

typedef enum err (*fuzz_decoder)(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct arena *mem,
                                 struct batch *ret, struct push_result *result, struct fault *f);

static inline enum err fuzz_write_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct arena *mem,
                                         struct batch *ret, struct push_result *result, struct fault *f)
{
    static struct seen *seen;                      /* what came before must not matter */
    if (!seen)
        seen = seen_new();
    return write_decode(kind, body, recv_ns, oldest_ns, seen, mem, ret, result, f);
}

static inline void fuzz_decode(fuzz_decoder decode, enum frame_kind kind, const uint8_t *data, size_t size)
{
    static struct arena mem;
    struct fault f = { 0 };
    struct batch b;
    struct push_result result = { .v2 = kind == FRAME_REMOTE_WRITE_2 };
    int64_t now = INT64_C(1795447500) * NS_PER_S;
    if (!mem.base)
        arena_init(&mem, FUZZ_MEMORY);
    enum err e = decode(kind, (struct str){ (const char *)data, size }, now, INT64_MIN, &mem, &b, &result, &f);
    if (e) {
        CHECK((e == E_SYNTAX || e == E_LIMIT) && f.code == e && f.msg[0]);
    } else {
        for (uint32_t i = 0; i < b.nrows; i++)
            fuzz_check_row(&b, &b.rows[i], mem);
        (void)report_text(&result.report, S("; "), true, &mem);
        batch_done(&b);
    }
    arena_reset(&mem);
}
