/* What the OTLP fuzzers share: decode, and hold the rows to what model/rows.h promises. */
#pragma once
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/histogram.h"
#include "otlp/decode.h"

enum { FUZZ_MEMORY = 64 << 20 };

/* A sound histogram, and the value that stands for it. */
static inline void fuzz_check_histogram(const struct row *r, const struct cell *c, struct arena mem)
{
    struct histogram h;
    double stands = histogram_value(c->v.s);
    CHECK(c->v.type == V_BYTES && !histogram_decode(c->v.s, &mem, &h, NULL) && !histogram_check(&h, NULL));
    CHECK(h.schema <= HIST_SCHEMA_MAX && memcmp(&stands, &r->value, sizeof stands) == 0);
}

/* Samples: labels, texts, never empty, unique by name, or a histogram; every row once per column. */
static inline void fuzz_check_row(const struct batch *b, const struct row *r, struct arena mem)
{
    struct cells shared = { 0 };
    if (r->group != ROW_NO_GROUP)
        shared = b->table == TABLE_SAMPLE ? batch_labels(b, r->group, &mem) : b->groups[r->group];
    const struct cells *g = &shared;
    uint8_t *seen = arena_new(&mem, uint8_t, b->ncols + 1);
    bool named = false, histogram = false;
    for (uint32_t i = 0; i < g->n + r->cells.n; i++) {
        const struct cell *c = i < g->n ? &g->at[i] : &r->cells.at[i - g->n];
        CHECK(c->col < b->ncols && !seen[c->col] && c->v.type != V_NONE);
        seen[c->col] = 1;
        if (b->table == TABLE_SAMPLE) {
            histogram = histogram || colkey_is_histogram(&b->cols[c->col]);
            if (colkey_is_histogram(&b->cols[c->col]))
                fuzz_check_histogram(r, c, mem);
            else
                CHECK(b->cols[c->col].place == PLACE_LABEL && c->v.type == V_STR && c->v.s.n);
            named = named || str_eq(b->cols[c->col].name, S("__name__"));
        }
    }
    CHECK(named == (b->table == TABLE_SAMPLE));
    if (r->temporality == TEMPORALITY_CUMULATIVE)
        CHECK(r->value >= 0);
    else if (r->temporality == TEMPORALITY_DELTA)
        CHECK(histogram || __builtin_isfinite(r->value));
}

static inline void fuzz_decode(enum frame_kind kind, const uint8_t *data, size_t size)
{
    static struct arena mem;
    struct fault f = { 0 };
    struct batch b;
    int64_t now = INT64_C(1795447500) * NS_PER_S;
    if (!mem.base)
        arena_init(&mem, FUZZ_MEMORY);
    enum err e = otlp_decode(kind, (struct str){ (const char *)data, size }, now, now - NS_PER_DAY, &mem, &b, &f);
    if (e) {
        CHECK((e == E_SYNTAX || e == E_LIMIT) && f.code == e && f.msg[0]);
    } else {
        for (uint32_t i = 0; i < b.nrows; i++)
            fuzz_check_row(&b, &b.rows[i], mem);
        rows_identify(&b);
        batch_done(&b);
    }
    arena_reset(&mem);
}
