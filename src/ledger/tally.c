#include "ledger/tally.h"

#include <string.h>

#include "model/names.h"

enum { TABLE_FIRST = 64 };

static void add_label(struct tally *t, const struct block *b, struct str name)
{
    uint32_t i = 0;
    while (i < t->nlabels && str_cmp(t->labels[i].name, name) < 0)
        i++;
    if (t->nlabels == TALLY_LABELS_MAX || (i < t->nlabels && str_eq(t->labels[i].name, name)))
        return;
    memmove(&t->labels[i + 1], &t->labels[i], (t->nlabels - i) * sizeof t->labels[0]);
    t->labels[i] = (struct tally_label){ .name = name };
    for (uint32_t c = 0; c < b->ncols && t->labels[i].at.n < LABEL_COLS_MAX; c++) {
        struct str own = settled_label(&b->cols[c].key);
        if (b->cols[c].key.place == PLACE_ATTR && own.n && label_name_is(own, name))
            t->labels[i].at.at[t->labels[i].at.n++] = &b->cols[c];
    }
    for (uint32_t c = 0; c < b->ncols && t->labels[i].at.n < LABEL_COLS_MAX; c++) {
        struct str own = settled_label(&b->cols[c].key);
        if (b->cols[c].key.place == PLACE_RESOURCE && own.n && label_name_is(own, name))
            t->labels[i].at.at[t->labels[i].at.n++] = &b->cols[c];
    }
    t->nlabels++;
}

static void find_labels(struct tally *t, const struct block *b, struct arena *mem)
{
    for (uint32_t c = 0; c < b->ncols; c++) {
        struct str name = settled_label(&b->cols[c].key);
        if (name.n)
            add_label(t, b, label_name(name, mem));
    }
}

/* ---- tuples --------------------------------------------------------------------- */

/* What a row has of a label: which column and which code there; 0 absent. Numbers, which
 * have no code, are labels in no real record and count as absent. */
static uint32_t code_of(const struct label_ref *l, uint32_t row)
{
    for (uint32_t i = 0; i < l->n; i++) {
        const struct column *c = l->at[i];
        uint32_t code = c->code ? column_code(c, row) : 0;
        if (code)
            return code << 3 | i;                  /* LABEL_COLS_MAX is 8 */
    }
    return 0;
}

struct tuples {
    const struct tally *t;
    uint32_t *codes;                               /* ntuples * nlabels */
    uint32_t *first;
    uint32_t n, cap;
    uint32_t *table;                               /* tuple + 1; 0: free */
    uint32_t table_cap;
    struct arena *mem;
};

static uint32_t hash_codes(const uint32_t *codes, uint32_t n)
{
    return (uint32_t)hash64((struct str){ (const char *)codes, n * sizeof *codes }, 0);
}

static bool same_codes(const uint32_t *a, const uint32_t *b, uint32_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static uint32_t *slot_of(const struct tuples *u, const uint32_t *codes)
{
    uint32_t n = u->t->nlabels, at = hash_codes(codes, n) & (u->table_cap - 1);
    while (u->table[at] && !same_codes(&u->codes[(size_t)(u->table[at] - 1) * n], codes, n))
        at = (at + 1) & (u->table_cap - 1);
    return &u->table[at];
}

static void grow(struct tuples *u)
{
    uint32_t n = u->t->nlabels;
    u->cap = u->cap ? 2 * u->cap : TABLE_FIRST;
    uint32_t *codes = arena_new(u->mem, uint32_t, (size_t)u->cap * n + 1), *first = arena_new(u->mem, uint32_t, u->cap);
    if (u->n) {
        memcpy(codes, u->codes, (size_t)u->n * n * sizeof *codes);
        memcpy(first, u->first, u->n * sizeof *first);
    }
    u->codes = codes;
    u->first = first;
    u->table_cap = 2 * u->cap;
    u->table = arena_new(u->mem, uint32_t, u->table_cap);
    for (uint32_t i = 0; i < u->n; i++)
        *slot_of(u, &codes[(size_t)i * n]) = i + 1;
}

static uint32_t tuple_of(struct tuples *u, const uint32_t *codes, uint32_t row)
{
    if (u->n == u->cap)
        grow(u);
    uint32_t *slot = slot_of(u, codes);
    if (*slot)
        return *slot - 1;
    memcpy(&u->codes[(size_t)u->n * u->t->nlabels], codes, u->t->nlabels * sizeof *codes);
    u->first[u->n] = row;
    *slot = ++u->n;
    return u->n - 1;
}

void tally_rows(const struct block *b, struct arena *mem, struct tally *ret)
{
    *ret = (struct tally){ 0 };
    find_labels(ret, b, mem);
    uint32_t *tuple = arena_raw(mem, uint32_t, b->nsel + 1), codes[TALLY_LABELS_MAX], n = ret->nlabels;
    struct tuples u = { .t = ret, .mem = mem };
    for (uint32_t i = 0; i < b->nsel; i++) {
        for (uint32_t l = 0; l < n; l++)
            codes[l] = code_of(&ret->labels[l].at, b->sel[i]);
        bool again = i && same_codes(&u.codes[(size_t)tuple[i - 1] * n], codes, n);
        tuple[i] = again ? tuple[i - 1] : tuple_of(&u, codes, b->sel[i]);
    }
    ret->ntuples = u.n;
    ret->tuple = tuple;
    ret->first = u.first;
}

struct str tally_text(const struct tally *t, uint32_t tuple, uint32_t label, struct arena *mem)
{
    struct value v = { 0 };
    const struct label_ref *l = &t->labels[label].at;
    for (uint32_t i = 0; i < l->n && v.type == V_NONE; i++)
        if (l->at[i]->code)
            v = column_value(l->at[i], t->first[tuple]);
    return v.type == V_NONE ? S("") : settled_text(t->labels[label].name, value_text_in(&v, mem));
}
