/* store/compact_plan.c -- which chunks are worth writing anew.
 *
 * Small ones. A single user's day is 24 flushes and more, of a few rows each. As soon as
 * eight small chunks of a table and level stand in a partition they become one of level 1,
 * and eight small ones of level 1 become one again: a row is rewritten once each time that
 * the number of its day's flushes grows eightfold. Chunks of the last quarter of an hour are
 * left alone: identities of their rows are still in memory as their flush left them (known.c).
 *
 * Days. When a day is over its rows are sorted as a whole (level 2), if those that are not
 * are at least a quarter of those that are; so late rows cost a day at most four times what
 * they are themselves. Fewer of them stay as they are. A table of one chunk is as good as it
 * gets.
 *
 * In all a row is encoded by its flush, mostly once at level 1 (not at all where flushes
 * are large), once at level 2; and its blobs are copied once into its month.
 */
#include <stdlib.h>

#include "store/compact_int.h"

static bool is_small(const struct chunk_ref *c, enum table t, uint32_t level, int64_t before_recv_ns)
{
    return c->sum.table == t && c->sum.level == level && c->sum.rows < COMPACT_SMALL_ROWS && c->sum.recv_max < before_recv_ns &&
           c->sum.tenant == 0;
}

/* Those of one table and level, up to a whole chunk's rows. */
static uint32_t pick(const struct chunk_ref *at, uint32_t n, enum table t, uint32_t level, int64_t before_recv_ns, uint32_t *ret)
{
    uint32_t found = 0;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!is_small(&at[i], t, level, before_recv_ns))
            continue;
        rows += at[i].sum.rows;
        if (rows > CHUNK_ROWS_MAX)
            break;
        ret[found++] = i;
    }
    return found >= COMPACT_SMALL_MIN ? found : 0;
}

uint32_t compact_pick_small(const struct chunk_ref *at, uint32_t n, int64_t before_recv_ns, struct arena *mem, uint32_t **ret)
{
    *ret = arena_new(mem, uint32_t, n + 1);
    for (uint32_t level = 0; level < 2; level++)
        for (int t = 0; t < TABLE_COUNT; t++) {
            uint32_t found = pick(at, n, (enum table)t, level, before_recv_ns, *ret);
            if (found)
                return found;
        }
    return 0;
}

bool compact_some_young(const struct chunk_ref *at, uint32_t n, int64_t before_recv_ns)
{
    for (uint32_t i = 0; i < n; i++)
        if (at[i].sum.level < 2 && at[i].sum.rows < COMPACT_SMALL_ROWS && at[i].sum.recv_max >= before_recv_ns)
            return true;
    return false;
}

uint32_t compact_pick_tables(const struct chunk_ref *at, uint32_t n)
{
    uint32_t tables = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        uint64_t sorted = 0, rest = 0;
        uint32_t chunks = 0;
        bool ours = true;
        for (uint32_t i = 0; i < n; i++) {
            if ((int)at[i].sum.table != t)
                continue;
            *(at[i].sum.level < 2 ? &rest : &sorted) += at[i].sum.rows;
            ours = ours && at[i].sum.tenant == 0;
            chunks++;
        }
        if (ours && chunks > 1 && rest && rest * COMPACT_REST_PART >= sorted)
            tables |= 1u << t;
    }
    return tables;
}

struct pick {
    int64_t t0;
    uint32_t index;
};

static int by_time(const void *a, const void *b)
{
    const struct pick *x = a, *y = b;
    if (x->t0 != y->t0)
        return x->t0 < y->t0 ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

uint32_t compact_pick_sections(const struct chunk_ref *at, uint32_t n, enum table t, struct arena *mem, uint32_t **ret, uint32_t **ret_end)
{
    struct pick *picks = arena_new(mem, struct pick, n + 1);
    uint32_t *index = arena_new(mem, uint32_t, n + 1), *end = arena_new(mem, uint32_t, n + 1), found = 0, sections = 0;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n; i++)
        if (at[i].sum.table == t)
            picks[found++] = (struct pick){ at[i].t0, i };
    if (found)
        qsort(picks, found, sizeof *picks, by_time);
    for (uint32_t i = 0; i < found; i++) {
        uint32_t more = at[picks[i].index].sum.rows;
        if (i && rows + more > COMPACT_ROWS) {
            end[sections++] = i;
            rows = 0;
        }
        rows += more;
        index[i] = picks[i].index;
    }
    if (found)
        end[sections++] = found;
    *ret = index;
    *ret_end = end;
    return sections;
}
