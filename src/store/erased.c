/* store/erased.c -- whose a row is, and whether it may stay.
 *
 * On arrival texts are looked up by their keyed hash, of which one takes a microsecond: so
 * each distinct text of a request is hashed once, and nothing at all is done while nobody
 * was erased. In blocks the texts themselves are compared, once per value of a column.
 */
#include "store/erased.h"

#include <stdlib.h>
#include <string.h>

#include "model/names.h"

struct erased_set {
    uint32_t refs;                                 /* atomic */
    uint8_t key[SECRET_HASH_BYTES];
    uint32_t n;
    struct erased_entry at[];                      /* ascending by hash */
};

const struct str whose_labels[WHOSE_COUNT - 1] = {
    S("session_id"), S("user_id"), S("user_email"), S("user_account_uuid"), S("user_account_id"),
};

enum whose whose_of(struct str name)
{
    for (unsigned i = 0; i < LEN(whose_labels); i++)
        if (label_name_is(name, whose_labels[i]))
            return (enum whose)(WHOSE_SESSION + i);
    return WHOSE_NOBODY;
}

/* --- the set ------------------------------------------------------------------------------ */

static int by_hash(const void *a, const void *b)
{
    return memcmp(((const struct erased_entry *)a)->hash, ((const struct erased_entry *)b)->hash, SECRET_HASH_BYTES);
}

struct erased_set *erased_new(const uint8_t key[SECRET_HASH_BYTES], const struct erased_entry *at, uint32_t n)
{
    if (!n)
        return NULL;
    struct erased_set *s = mem_alloc(sizeof *s + n * sizeof s->at[0]);
    s->refs = 1;
    s->n = n;
    memcpy(s->key, key, sizeof s->key);
    memcpy(s->at, at, n * sizeof *at);
    qsort(s->at, n, sizeof s->at[0], by_hash);
    return s;
}

struct erased_set *erased_ref(struct erased_set *s)
{
    if (s)
        __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
    return s;
}

void erased_unref(struct erased_set *s)
{
    if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
        return;
    secret_wipe(s->key, sizeof s->key);
    mem_free(s);
}

/* A session and a person of one name are two. */
void erased_hash(const uint8_t key[SECRET_HASH_BYTES], enum erased_kind kind, struct str text, uint8_t ret[SECRET_HASH_BYTES])
{
    uint8_t own[SECRET_HASH_BYTES];
    char name = (char)kind;
    secret_keyed(key, (struct str){ &name, 1 }, own);
    secret_keyed(own, text, ret);
}

static const struct erased_entry *find(const struct erased_set *s, enum erased_kind kind, struct str text)
{
    struct erased_entry want = { .kind = kind };
    erased_hash(s->key, kind, text, want.hash);
    return bsearch(&want, s->at, s->n, sizeof s->at[0], by_hash);
}

/* --- rows that arrive ------------------------------------------------------------------------ */

struct cells group_cells(const struct batch *b, uint32_t group, struct arena *mem)
{
    return b->table == TABLE_SAMPLE ? batch_labels(b, group, mem) : b->groups[group];
}

struct marking {
    const struct erased_set *s;
    struct arena mem;
    enum whose *whose;                             /* of each column */
    struct map sessions, users;                    /* text -> index of the entry; NOT_ERASED */
};
#define NOT_ERASED (MAP_NONE - 1)

static const struct erased_entry *entry_of(struct marking *m, enum erased_kind kind, const struct value *v)
{
    struct str text = value_text_in(v, &m->mem);
    struct map *known = kind == ERASED_SESSION ? &m->sessions : &m->users;
    uint32_t at = map_get(known, text);
    if (at == MAP_NONE) {
        const struct erased_entry *e = find(m->s, kind, text);
        at = e ? (uint32_t)(e - m->s->at) : NOT_ERASED;
        map_put(known, text, at);
    }
    return at == NOT_ERASED ? NULL : &m->s->at[at];
}

/* Until when rows with these cells are left out; INT64_MIN: they are of nobody who was erased. */
static int64_t cells_until(struct marking *m, const struct cells *c)
{
    int64_t until = INT64_MIN;
    for (uint32_t i = 0; i < c->n; i++) {
        enum whose w = m->whose[c->at[i].col];
        const struct erased_entry *e = w ? entry_of(m, whose_kind(w), &c->at[i].v) : NULL;
        if (e)
            until = MAX(until, e->kind == ERASED_SESSION ? INT64_MAX : e->at_ns);
    }
    return until;
}

/* A stream that began before the erasure still counts what was erased. */
static int64_t time_of(const struct row *r)
{
    int64_t t = r->claimed_ns && r->claimed_ns != ROW_NO_TIME ? r->claimed_ns : r->time_ns;
    return r->temporality == TEMPORALITY_CUMULATIVE && r->start_ns ? MIN(t, r->start_ns) : t;
}

static uint32_t mark_rows(struct marking *m, struct batch *b)
{
    int64_t *groups = arena_new(&m->mem, int64_t, b->ngroups + 1);
    for (uint32_t i = 0; i < b->ngroups; i++) {
        struct cells c = group_cells(b, i, &m->mem);
        groups[i] = cells_until(m, &c);
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->nrows; i++) {
        struct row *r = &b->rows[i];
        int64_t until = cells_until(m, &r->cells);
        if (r->group != ROW_NO_GROUP)
            until = MAX(until, groups[r->group]);
        if (until == INT64_MIN || time_of(r) > until)
            continue;
        r->verdict = VERDICT_ERASED;
        n++;
    }
    return n;
}

uint32_t erased_mark(const struct erased_set *s, struct batch *b)
{
    if (!s)
        return 0;
    struct marking m = { .s = s, .mem = *b->mem };     /* what is made there is scratch */
    bool any = false;
    m.whose = arena_new(&m.mem, enum whose, b->ncols + 1);
    for (uint32_t i = 0; i < b->ncols; i++) {
        m.whose[i] = whose_of(b->cols[i].name);
        any |= m.whose[i] != WHOSE_NOBODY;
    }
    uint32_t n = any ? mark_rows(&m, b) : 0;
    map_done(&m.sessions);
    map_done(&m.users);
    return n;
}

/* --- rows that stand --------------------------------------------------------------------------- */

static const struct map *map_of(const struct targets *t, enum whose w)
{
    return w == WHOSE_SESSION ? &t->sessions : &t->users;
}

static bool is_target(const struct map *m, const struct value *v, struct arena scratch)
{
    return v->type != V_NONE && map_get(m, value_text_in(v, &scratch)) != MAP_NONE;
}

/* Marks the rows whose value of one column is a target. */
static void mark_column(const struct map *m, const struct column *c, const struct block *b, bool *hit, struct arena scratch)
{
    bool *is = arena_new(&scratch, bool, c->ndict + 1), any = !c->code;
    for (uint32_t k = 1; c->code && k < c->ndict; k++)
        any |= is[k] = is_target(m, &c->dict[k], scratch);
    for (uint32_t i = 0; any && i < b->nsel; i++) {
        uint32_t row = b->sel[i];
        if (c->code) {
            hit[i] |= is[column_code(c, row)];
        } else {
            struct value v = column_value(c, row);
            hit[i] |= is_target(m, &v, scratch);
        }
    }
}

void targets_find(const struct targets *t, const struct block *b, struct arena *mem, uint32_t **ret_sel, uint32_t *ret_n)
{
    uint32_t *sel = arena_new(mem, uint32_t, b->nsel + 1), n = 0;
    struct arena scratch = *mem;
    bool *hit = arena_new(&scratch, bool, b->nsel + 1);
    CHECK(!b->run_end && !b->series);
    for (uint32_t c = 0; c < b->ncols; c++) {
        enum whose w = whose_of(b->cols[c].key.name);
        if (w && map_of(t, w)->n)
            mark_column(map_of(t, w), &b->cols[c], b, hit, scratch);
    }
    for (uint32_t i = 0; i < b->nsel; i++)
        if (hit[i])
            sel[n++] = b->sel[i];
    *ret_sel = sel;
    *ret_n = n;
}
