/* store/chunk_sort.c -- the order of rows in a chunk.
 *
 * Events and spans: by session, name, then time. Samples: by metric name, model, type,
 * session, then time. What belongs together stands together, so that almost every
 * column is runs (events became 27 % smaller by the session); rows that are equal in all
 * of these stay in the order of their arrival. Which attributes an event has hangs on its
 * name: with it in the order validity and short codes are runs too, 1.8 bytes an event
 * less, of which times and sequence numbers take back 0.5.
 *
 * A radix sort from the least significant key to the most; keys are 64-bit times
 * and dictionary codes, and bytes that are the same in all rows cost nothing.
 */
#include <string.h>

#include "store/chunk_int.h"

struct sort_item {
    uint64_t key;
    uint32_t row;
};

static const struct {
    uint32_t tables;
    struct colkey key;
} sort_keys[] = {                                  /* least significant first; the time goes before them */
    { 1u << TABLE_LOG, { PLACE_ATTR, S("event.name") } },
    { 1u << TABLE_SPAN, { PLACE_FIELD, S("name") } },
    { 1u << TABLE_LOG | 1u << TABLE_SPAN, { PLACE_ATTR, S("session.id") } },
    { 1u << TABLE_SAMPLE, { PLACE_LABEL, S("session_id") } },
    { 1u << TABLE_SAMPLE, { PLACE_LABEL, S("type") } },
    { 1u << TABLE_SAMPLE, { PLACE_LABEL, S("model") } },
    { 1u << TABLE_SAMPLE, { PLACE_LABEL, S("__name__") } },
};

/* Sorts by one byte of the key, keeping the order of equals. False: all are equal. */
static bool sort_by_byte(struct sort_item *from, struct sort_item *to, uint32_t n, unsigned shift)
{
    uint32_t count[256] = { 0 }, at = 0;
    for (uint32_t i = 0; i < n; i++)
        count[from[i].key >> shift & 255]++;
    if (count[from[0].key >> shift & 255] == n)
        return false;
    for (unsigned k = 0; k < 256; k++) {
        uint32_t c = count[k];
        count[k] = at;
        at += c;
    }
    for (uint32_t i = 0; i < n; i++)
        to[count[from[i].key >> shift & 255]++] = from[i];
    return true;
}

static void sort_by_key(struct sort_item **items, struct sort_item **spare, uint32_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!sort_by_byte(*items, *spare, n, shift))
            continue;
        struct sort_item *t = *items;
        *items = *spare;
        *spare = t;
    }
}

static const struct column *find_codes(const struct block *in, struct colkey key)
{
    for (uint32_t i = 0; i < in->ncols; i++)
        if (in->cols[i].key.place == key.place && str_eq(in->cols[i].key.name, key.name))
            return in->cols[i].code ? &in->cols[i] : NULL;
    return NULL;
}

const uint32_t *chunk_sort(enum table t, const struct block *in, struct arena *mem)
{
    uint32_t n = in->nsel;
    uint32_t *order = arena_new(mem, uint32_t, n);
    struct arena scratch = *mem;
    struct sort_item *items = arena_new(&scratch, struct sort_item, n);
    struct sort_item *spare = arena_new(&scratch, struct sort_item, n);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = in->sel[i];
        CHECK(row < in->n);
        items[i] = (struct sort_item){ (uint64_t)in->time_ns[row] ^ UINT64_C(1) << 63, row };
    }
    sort_by_key(&items, &spare, n);

    for (size_t k = 0; k < LEN(sort_keys); k++) {
        const struct column *c = sort_keys[k].tables >> t & 1 ? find_codes(in, sort_keys[k].key) : NULL;
        if (!c)
            continue;
        for (uint32_t i = 0; i < n; i++)
            items[i].key = column_code(c, items[i].row);
        sort_by_key(&items, &spare, n);
    }
    for (uint32_t i = 0; i < n; i++)
        order[i] = items[i].row;
    return order;
}
