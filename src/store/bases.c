/* store/bases.c -- what a stream amounted to at a moment (design: base of totals).
 *
 * Three sums meet:
 *
 *   rows of the moment's own partition, up to the moment
 * + rows still in the head
 * + the partition's carry: everything in partitions before it
 *
 * A carry is worked out once from the nearest earlier partition (its rows plus its own
 * carry) and then kept as a row of the later one, stamped with what the earlier ones
 * hold. A late row changes the stamp, and the carry is worked out anew; compaction and
 * the merge of days to a month do not.
 *
 * A cumulative stream amounts to its greatest value, a delta series to the sum of its
 * values; a series that paused for 35 days starts at zero again.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/names.h"
#include "store/store_int.h"

#define NANO 1e9

/* What was counted: of the moment's own partition and the head, or of what came before. */
struct sum {
    double value, lost;                            /* Neumaier; lost is what value rounded away */
    int64_t nano;                                  /* money */
    double greatest;                               /* cumulative */
    int64_t first_ns, last_ns;                     /* oldest and newest row; 0: none */
};

/* One stream that is asked for; or all cumulative streams of a label set, whose streams
 * are found while reading and become wants of their own. */
struct want {
    struct id128 id;                               /* of labels, temporality and start */
    struct base_key *key;
    struct sum own, tail;
    bool open;                                     /* still looking further back */
    bool group;                                    /* BASE_ALL_STREAMS */
    uint32_t of;                                   /* a stream of this group; NO_GROUP */
};

#define NO_GROUP UINT32_MAX

struct point {
    uint32_t want;
    int64_t time_ns;
    double value;
};

struct job {
    struct store *s;
    const struct matcher *m;
    uint32_t nm;
    const struct str *names;
    struct want *wants;
    uint32_t n, cap;
    bool money;
    bool groups;                                   /* some want is of all streams */
    bool in_tail;                                  /* counting what came before the partition */
    int64_t at_ns, from_ns;                        /* the moment; where what came before ends */
    int64_t heads_min_ns;                          /* the oldest row in the head */
    struct map index;                              /* id -> want */
    struct part_view *view;
    struct arena mem;
    struct fault *f;
};

/* ---- identity of a stream -------------------------------------------------- */

static struct id128 label_hash(struct str name, struct str value)
{
    struct id128 a = hash128(name), b = hash128(value);
    uint64_t all[4] = { a.hi, a.lo, b.hi, b.lo };
    return hash128((struct str){ (const char *)all, sizeof all });
}

static struct id128 stream_id(struct id128 labels, enum temporality t, int64_t start_ns)
{
    uint64_t all[4] = { labels.hi, labels.lo, t, t == TEMPORALITY_CUMULATIVE ? (uint64_t)start_ns : 0 };
    return hash128((struct str){ (const char *)all, sizeof all });
}

static void id_add(struct id128 *sum, struct id128 x)
{
    sum->hi += x.hi;
    sum->lo += x.lo;
}

static struct id128 key_id(const struct base_key *k, const struct str *names)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < k->nlabels; i++)
        id_add(&sum, label_hash(names[k->labels[i].col], k->labels[i].v.s));
    return stream_id(sum, k->temporality, k->start_ns);
}

/* Label hashes of a block, one a code: a row's id is then a sum of look-ups. */
static struct id128 **block_hashes(const struct block *b, struct arena *mem)
{
    struct id128 **hashes = arena_new(mem, struct id128 *, b->ncols + 1);
    for (uint32_t c = 0; c < b->ncols; c++) {
        const struct column *col = &b->cols[c];
        if (!col->code)
            continue;
        hashes[c] = arena_new(mem, struct id128, col->ndict + 1);
        for (uint32_t k = 1; k < col->ndict; k++)
            hashes[c][k] = label_hash(col->key.name, col->dict[k].s);
    }
    return hashes;
}

static struct id128 row_labels(const struct block *b, struct id128 **hashes, uint32_t row)
{
    struct id128 sum = { 0 };
    for (uint32_t c = 0; c < b->ncols; c++)
        if (hashes[c])
            id_add(&sum, hashes[c][column_code(&b->cols[c], row)]);         /* of what is absent: zero */
    return sum;
}

static uint32_t want_of(const struct job *j, struct id128 id)
{
    return map_get(&j->index, (struct str){ (const char *)&id, sizeof id });
}

static uint32_t want_add(struct job *j, struct id128 id, struct base_key *key, uint32_t of)
{
    struct want w = {
        .id = id,
        .key = key,
        .open = true,
        .group = key->temporality == TEMPORALITY_CUMULATIVE && key->start_ns == BASE_ALL_STREAMS,
        .of = of,
    };
    struct id128 *kept = arena_new(&j->mem, struct id128, 1);
    *kept = id;
    *arena_push(&j->mem, j->wants, j->n, j->cap) = w;
    map_put(&j->index, (struct str){ (const char *)kept, sizeof *kept }, j->n - 1);
    return j->n - 1;
}

/* The want of one stream of a group, made when its first row is met. */
static uint32_t want_in_group(struct job *j, uint32_t group, struct id128 stream, int64_t start_ns)
{
    struct id128 id = { stream.hi ^ UINT64_C(0x9e3779b97f4a7c15), stream.lo };
    uint32_t at = want_of(j, id);
    if (at != MAP_NONE)
        return at;
    struct base_key *key = arena_new(&j->mem, struct base_key, 1);
    *key = *j->wants[group].key;
    key->start_ns = start_ns;
    return want_add(j, id, key, group);
}

/* ---- adding up ------------------------------------------------------------- */

static bool is_cumulative(const struct want *w)
{
    return w->key->temporality == TEMPORALITY_CUMULATIVE;
}

static void add_value(const struct job *j, struct want *w, double v, int64_t time_ns)
{
    struct sum *x = j->in_tail ? &w->tail : &w->own;
    if (is_cumulative(w)) {
        x->greatest = x->last_ns ? MAX(x->greatest, v) : v;
        w->open = w->open && w->key->start_ns;     /* start unknown: the newest value is what counts */
    } else if (j->money && fabs(v) < NANO) {       /* more would not fit, and is no price */
        x->nano += llround(v * NANO);
    } else {
        double t = x->value + v;
        x->lost += fabs(x->value) >= fabs(v) ? (x->value - t) + v : (v - t) + x->value;
        x->value = t;
    }
    x->last_ns = MAX(x->last_ns, time_ns);
    x->first_ns = time_ns;
}

static double sum_total(const struct want *w, const struct sum *x)
{
    if (is_cumulative(w))
        return x->greatest;
    return (double)x->nano / NANO + (x->value + x->lost);
}

/* Does what came before count for this moment, or did the series pause too long? */
static bool tail_counts(const struct job *j, const struct want *w)
{
    return w->tail.last_ns && (w->own.first_ns ? w->own.first_ns : j->at_ns) - w->tail.last_ns < LOOKBACK_NS;
}

static double total(const struct job *j, const struct want *w)
{
    if (!tail_counts(j, w))
        return sum_total(w, &w->own);
    if (is_cumulative(w))
        return w->own.last_ns ? MAX(w->own.greatest, w->tail.greatest) : w->tail.greatest;
    struct sum both = { .value = w->own.value + w->tail.value, .lost = w->own.lost + w->tail.lost, .nano = w->own.nano + w->tail.nano };
    return sum_total(w, &both);
}

/* How far back the newest thing still to be found may lie. What came before is judged
 * from where it ends, not from the moment, so that it is the same for every moment of
 * the partition. */
static int64_t reference(const struct job *j, const struct want *w)
{
    if (j->in_tail)
        return w->tail.first_ns ? w->tail.first_ns : j->from_ns;
    return w->own.first_ns ? w->own.first_ns : j->at_ns;
}

static bool too_far(const struct job *j, const struct want *w, int64_t time_ns)
{
    return reference(j, w) - time_ns >= LOOKBACK_NS;
}

/* Of one moment the larger value first: it is the one that counts where only one does. */
static int newest_first(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    if (x->want != y->want)
        return x->want < y->want ? -1 : 1;
    if (x->time_ns != y->time_ns)
        return x->time_ns > y->time_ns ? -1 : 1;
    return x->value > y->value ? -1 : x->value < y->value;
}

/* Points of open streams, newest first; a gap of 35 days ends a stream. */
static void add_points(struct job *j, struct point *p, size_t n)
{
    if (n)
        qsort(p, n, sizeof *p, newest_first);
    for (size_t i = 0; i < n; i++) {
        struct want *w = &j->wants[p[i].want];
        if (w->open && too_far(j, w, p[i].time_ns))
            w->open = false;
        if (w->open)
            add_value(j, w, p[i].value, p[i].time_ns);
    }
}

/* ---- reading --------------------------------------------------------------- */

struct points {
    struct point *at;
    size_t n, cap;
};

static void collect(struct job *j, const struct block *b, struct arena *mem, struct points *out)
{
    struct arena scratch;
    arena_init(&scratch, 64 << 20);
    struct id128 **hashes = block_hashes(b, &scratch);
    for (uint32_t i = 0; i < b->nsel; i++) {
        uint32_t row = b->sel[i], w;
        if (b->temporality[row] == TEMPORALITY_NONE)
            continue;
        struct id128 labels = row_labels(b, hashes, row);
        enum temporality t = (enum temporality)b->temporality[row];
        struct id128 id = stream_id(labels, t, b->start_ns[row]);
        w = want_of(j, id);
        if (w != MAP_NONE && j->wants[w].open)
            *arena_push(mem, out->at, out->n, out->cap) = (struct point){ w, b->time_ns[row], b->value[row] };
        if (t != TEMPORALITY_CUMULATIVE || !j->groups)
            continue;
        w = want_of(j, stream_id(labels, t, BASE_ALL_STREAMS));
        if (w == MAP_NONE || !j->wants[w].open)
            continue;
        w = want_in_group(j, w, id, b->start_ns[row]);
        if (j->wants[w].open)
            *arena_push(mem, out->at, out->n, out->cap) = (struct point){ w, b->time_ns[row], b->value[row] };
    }
    arena_done(&scratch);
}

/* Rows with from <= time < to, on disk and in the head. */
static enum err read_rows(struct job *j, int64_t from_ns, int64_t to_ns, struct arena *mem, struct points *out)
{
    struct scan_req req = {
        .table = TABLE_SAMPLE,
        .from_ns = from_ns,
        .to_ns = to_ns,
        .matchers = j->m,
        .nmatchers = j->nm,
        .all_labels = true,
    };
    struct scan *sc;
    const struct block *b;
    enum err e = store_scan_begin(&j->s->source, &req, &sc, j->f);
    if (e)
        return e;
    while (!(e = store_scan_next(sc, &b, j->f)) && b)
        collect(j, b, mem, out);
    store_scan_end(sc);
    return e;
}

/* ---- the way back ---------------------------------------------------------- */

/* The oldest time that an open stream can still gain something from. */
static int64_t horizon(const struct job *j)
{
    int64_t oldest = INT64_MAX;
    for (uint32_t i = 0; i < j->n; i++) {
        const struct want *w = &j->wants[i];
        if (!w->open)
            continue;
        int64_t edge = reference(j, w) - LOOKBACK_NS;
        if (is_cumulative(w) && w->key->start_ns && !w->group)
            edge = MAX(edge, w->key->start_ns);
        oldest = MIN(oldest, edge);
    }
    return oldest;
}

/* What the partitions before item k hold: a carry taken then is good as long as this is the
 * same. Whatever adds rows raises the greatest mark to one that never was, and what only
 * takes rows away lowers their number; how they are divided into chunks and files is in
 * neither. */
static uint64_t stamp_before(const struct part_view *v, uint32_t k)
{
    uint64_t two[2] = { 0, 0 };
    for (uint32_t i = 0; i < k; i++) {
        two[0] += v->at[i].rows[TABLE_SAMPLE];
        two[1] = MAX(two[1], v->at[i].mark);
    }
    return hash64((struct str){ (const char *)two, sizeof two }, 1);
}

/* Everything before a partition, in one number: nothing further back is needed. */
static void use_carry(struct job *j, struct want *w, const struct part_carry *c)
{
    if (c->last_ns && !too_far(j, w, c->last_ns))
        add_value(j, w, c->base, c->last_ns);
    w->open = false;
}

static struct carry_job *cache_slot(struct store *s, struct id128 series, int64_t from_ns)
{
    return &s->carry_cache[(series.lo ^ (uint64_t)from_ns) % CARRY_CACHE];
}

/* Of a group only "nothing before" is kept: its streams may go on in the partition. */
static void use_group_carry(struct job *j, uint32_t group, const struct part_carry *c)
{
    if (c->last_ns)
        return;
    j->wants[group].open = false;
    for (uint32_t i = 0; i < j->n; i++)
        if (j->wants[i].of == group)
            j->wants[i].open = false;
}

static void use_found(struct job *j, uint32_t i, const struct part_carry *c)
{
    if (j->wants[i].group)
        use_group_carry(j, i, c);
    else
        use_carry(j, &j->wants[i], c);
}

/* Carries of the open streams for the moment from_ns: from memory, else rows of item k
 * (NULL: there is no such partition yet). Those found are done. */
static enum err take_carries(struct job *j, const struct part_item *it, int64_t from_ns, uint64_t stamp)
{
    if (j->heads_min_ns < from_ns)
        return OK;                                 /* the head has rows that no carry knows of */
    struct arena mem;
    arena_init(&mem, 16 << 20);
    struct part_carry *c = arena_new(&mem, struct part_carry, j->n + 1);
    bool *found = arena_new(&mem, bool, j->n + 1);
    uint32_t *which = arena_new(&mem, uint32_t, j->n + 1);
    size_t n = 0;
    for (uint32_t i = 0; i < j->n; i++) {
        const struct want *w = &j->wants[i];
        if (!w->open || w->of != NO_GROUP)
            continue;
        GUARD(&j->s->lock);
        const struct carry_job *slot = cache_slot(j->s, w->id, from_ns);
        if (slot->from_ns == from_ns && id128_eq(slot->carry.series, w->id) && slot->carry.earlier_generation == stamp) {
            use_found(j, i, &slot->carry);
            continue;
        }
        which[n] = i;
        c[n++].series = w->id;
    }
    enum err e = n && it ? part_carry_get(it, c, n, found, j->f) : OK;
    for (size_t i = 0; i < n && !e; i++)
        if (found[i] && c[i].earlier_generation == stamp)
            use_found(j, which[i], &c[i]);
    arena_done(&mem);
    return e;
}

/* What was worked out for the moment from_ns: in memory at once, and as a row of the
 * partition when the flusher comes to it. "Nothing before" is worth keeping too. */
static void keep_carry(struct job *j, const struct part_item *earlier, bool as_row, int64_t from_ns, uint64_t stamp,
                       const struct want *w)
{
    struct carry_job c = {
        .from_ns = from_ns,
        .carry = { .series = w->id,
                   .earlier_from_ns = earlier->from_ns,
                   .earlier_generation = stamp,
                   .last_ns = w->tail.last_ns,
                   .base = w->tail.last_ns ? sum_total(w, &w->tail) : 0 },
    };
    struct store *s = j->s;
    GUARD(&s->lock);
    *cache_slot(s, w->id, from_ns) = c;
    if (!as_row)
        return;
    if (!s->carries)
        s->carries = mem_alloc(CARRY_QUEUE_MAX * sizeof *s->carries);
    if (s->ncarries < CARRY_QUEUE_MAX)
        s->carries[s->ncarries++] = c;
}

static struct str session_of(const struct job *j, const struct want *w)
{
    for (uint32_t i = 0; i < w->key->nlabels; i++)
        if (str_eq(j->names[w->key->labels[i].col], S("session_id")))
            return w->key->labels[i].v.s;
    return S("");
}

/* May the chunk hold one of the open streams? Told by its filter of sessions. */
static enum err chunk_may_help(struct job *j, const struct part_item *it, const struct chunk_ref *c, bool *ret)
{
    struct arena mem = j->mem;
    struct str filter;
    *ret = false;
    enum err e = part_filter(it, c, &mem, &filter, j->f);
    for (uint32_t i = 0; i < j->n && !e && !*ret; i++) {
        if (!j->wants[i].open)
            continue;
        struct str session = session_of(j, &j->wants[i]);
        if (!session.n)
            *ret = true;
        else
            e = chunk_filter_test(filter, session, ret, j->f);
    }
    return e;
}

static enum err partition_may_help(struct job *j, const struct part_item *it, bool *ret)
{
    struct chunk_list *l;
    *ret = j->heads_min_ns < it->to_ns;
    if (*ret || !it->rows[TABLE_SAMPLE])
        return OK;
    enum err e = part_chunks(it, &l, j->f);
    if (e)
        return e;
    for (uint32_t i = 0; i < l->n && !e && !*ret; i++)
        if (l->at[i].sum.table == TABLE_SAMPLE)
            e = chunk_may_help(j, it, &l->at[i], ret);
    chunk_list_unref(l);
    return e;
}

static enum err read_stretch(struct job *j, int64_t from_ns, int64_t to_ns)
{
    struct arena mem;
    struct points points = { 0 };
    arena_init(&mem, SCAN_ARENA_BYTES);
    enum err e = read_rows(j, from_ns, to_ns, &mem, &points);
    if (!e)
        add_points(j, points.at, points.n);
    arena_done(&mem);
    return e;
}

/* Partitions k - 1, k - 2, ... for streams that are still open, and what the head holds
 * of times between and before them. */
static enum err walk_back(struct job *j, uint32_t k)
{
    int64_t later_ns = j->from_ns;
    for (; k > 0; k--) {
        const struct part_item *it = &j->view->at[k - 1];
        bool helps;
        if (it->to_ns <= horizon(j))
            break;
        enum err e = partition_may_help(j, it, &helps);
        if (!e && (helps || j->heads_min_ns < later_ns))
            e = read_stretch(j, helps ? it->from_ns : it->to_ns, later_ns);
        if (!e)
            e = take_carries(j, it, it->from_ns, stamp_before(j->view, k - 1));
        if (e)
            return e;
        later_ns = it->from_ns;
    }
    return j->heads_min_ns < later_ns && horizon(j) < later_ns ? read_stretch(j, INT64_MIN, later_ns) : OK;
}

static uint32_t item_index(const struct part_view *v, int64_t at_ns)
{
    uint32_t k = 0;
    while (k < v->n && v->at[k].to_ns <= at_ns)
        k++;
    return k;                                      /* the first one that does not end before the moment */
}

/* A cumulative stream of unknown start is settled by its newest value, and one that
 * began inside the partition has nothing before it. */
static bool is_settled(const struct job *j, const struct want *w)
{
    if (w->group || !is_cumulative(w))
        return false;
    return w->key->start_ns ? w->key->start_ns >= j->from_ns : w->own.last_ns != 0;
}

/* Was nothing there before the partition? A stream that its newest value settled was not
 * looked for. */
static bool group_is_empty(const struct job *j, uint32_t group)
{
    for (uint32_t i = 0; i < j->n; i++) {
        const struct want *w = &j->wants[i];
        if (w->of == group && (w->tail.last_ns || (!w->key->start_ns && w->own.last_ns)))
            return false;
    }
    return true;
}

static enum err find_all(struct job *j)
{
    uint32_t k = item_index(j->view, j->at_ns);
    const struct part_item *own = k < j->view->n && j->view->at[k].from_ns <= j->at_ns ? &j->view->at[k] : NULL;
    j->from_ns = own ? own->from_ns : k ? j->view->at[k - 1].to_ns : INT64_MIN;
    enum err e = read_stretch(j, j->from_ns, j->at_ns + 1);
    if (e || j->from_ns == INT64_MIN)
        return e;
    uint64_t stamp = stamp_before(j->view, k);
    uint32_t asked = j->n;
    j->in_tail = true;
    for (uint32_t i = 0; i < j->n; i++)            /* the own part decides nothing about what came before */
        j->wants[i].open = !is_settled(j, &j->wants[i]);
    e = take_carries(j, own, j->from_ns, stamp);
    bool *walked = arena_new(&j->mem, bool, asked + 1);
    for (uint32_t i = 0; i < asked; i++)
        walked[i] = j->wants[i].open && j->wants[i].of == NO_GROUP;
    if (!e)
        e = walk_back(j, k);
    for (uint32_t i = 0; i < asked && !e && k && j->heads_min_ns >= j->from_ns; i++)
        if (walked[i] && (!j->wants[i].group || group_is_empty(j, i)))
            keep_carry(j, &j->view->at[k - 1], own, j->from_ns, stamp, &j->wants[i]);
    return e;
}

/* ---- the question ---------------------------------------------------------- */

static bool asks_for_money(const struct base_key *k, const struct str *names)
{
    for (uint32_t i = 0; i < k->nlabels; i++)
        if (str_eq(names[k->labels[i].col], S("__name__")))
            return metric_is_money(k->labels[i].v.s);
    return false;
}

/* Streams of a group come after it and add to its answer. */
static void answer(const struct job *j, const struct want *w)
{
    struct base_key *k = w->of == NO_GROUP ? w->key : j->wants[w->of].key;
    int64_t last = MAX(w->own.last_ns, tail_counts(j, w) ? w->tail.last_ns : 0);
    if (w->of == NO_GROUP)
        *k = (struct base_key){ k->labels, k->nlabels, k->start_ns, k->temporality, 0, false, 0 };
    if (!last)
        return;
    k->base += total(j, w);
    k->known = true;
    k->last_ns = MAX(k->last_ns, last);
}

static void take_view(struct job *j)
{
    GUARD(&j->s->lock);
    j->view = part_view_ref(j->s->view);
    j->heads_min_ns = INT64_MAX;
    for (struct gen *g = j->s->oldest; g; g = g->next)
        if (gen_rows(g, TABLE_SAMPLE))
            j->heads_min_ns = MIN(j->heads_min_ns, atomic_load(&atomic_load(&g->heads[TABLE_SAMPLE])->time_min));
}

/* Streams of one kind of metric: money adds up in integers, the rest does not. */
static enum err ask(struct store *s, const struct matcher *m, uint32_t nm, int64_t at_ns, const struct str *names,
                    struct base_key *keys, size_t nkeys, bool money, struct fault *f)
{
    struct job j = { .s = s, .m = m, .nm = nm, .names = names, .money = money, .at_ns = at_ns, .f = f };
    arena_init(&j.mem, SCAN_ARENA_BYTES);
    uint32_t *which = arena_new(&j.mem, uint32_t, nkeys + 1);
    for (size_t i = 0; i < nkeys; i++) {
        which[i] = MAP_NONE;
        if (asks_for_money(&keys[i], names) != money)
            continue;
        struct id128 id = key_id(&keys[i], names);
        which[i] = want_of(&j, id);
        if (which[i] == MAP_NONE)
            which[i] = want_add(&j, id, &keys[i], NO_GROUP);
        j.groups = j.groups || j.wants[which[i]].group;
    }
    take_view(&j);
    enum err e = j.n ? find_all(&j) : OK;
    for (uint32_t i = 0; i < j.n && !e; i++)
        answer(&j, &j.wants[i]);
    for (size_t i = 0; i < nkeys && !e; i++)       /* keys that were asked twice */
        if (which[i] != MAP_NONE && j.wants[which[i]].key != &keys[i]) {
            const struct base_key *k = j.wants[which[i]].key;
            keys[i].base = k->base;
            keys[i].known = k->known;
            keys[i].last_ns = k->last_ns;
        }
    part_view_unref(j.view);
    map_done(&j.index);
    arena_done(&j.mem);
    return e;
}

enum err store_bases(struct source *src, const struct matcher *m, uint32_t nm, int64_t at_ns, const struct str *names,
                     struct base_key *keys, size_t nkeys, struct fault *f)
{
    enum err e = ask(store_of(src), m, nm, at_ns, names, keys, nkeys, false, f);
    return e ? e : ask(store_of(src), m, nm, at_ns, names, keys, nkeys, true, f);
}
