/* store/erase_find.c -- which sessions go with a person, and what would go.
 *
 * The rule: a session is only of one person if no row of it names another one by the key
 * (user_id, user_email, ...) by which rows of it name this one. All of its rows go, also
 * those that name nobody: spans and events from before signing in lack the keys. Of a
 * session that two persons used, only the rows that name the erased one go.
 *
 * Two passes over the columns that say whose a row is: the first finds the sessions that
 * name a person to be erased, and by which keys; the second takes out those whose rows say
 * somebody else by such a key.
 */
#include "store/store_int.h"

enum { SESSIONS_MAX = 4 << 20 };

/* A session that names one of the persons. */
struct suspect {
    struct str id;
    uint32_t keys;                                 /* bit 1 << whose: by which it names them */
    bool shared;                                   /* it names somebody else by one of these */
};

struct finding {
    struct targets *t;
    struct arena *mem;
    struct suspect *at;
    uint32_t n, cap;
    struct map index;                              /* id -> suspect */
    bool second;
};

/* What the values of a column mean, by code. Columns without codes hold numbers, which are
 * nobody's id here: a session is looked for by its text. */
struct meaning {
    const struct column *c;
    enum whose whose;
    bool *target;                                  /* users: is it one of the persons? */
    uint32_t *suspect;                             /* sessions: which one; MAP_NONE */
};

static void read_meaning(struct finding *x, const struct column *c, enum whose w, struct arena *mem, struct meaning *ret)
{
    *ret = (struct meaning){ .c = c, .whose = w };
    if (w == WHOSE_SESSION)
        ret->suspect = arena_new(mem, uint32_t, c->ndict + 1);
    else
        ret->target = arena_new(mem, bool, c->ndict + 1);
    for (uint32_t k = 1; k < c->ndict; k++) {
        struct arena scratch = *mem;
        struct str text = value_text_in(&c->dict[k], &scratch);
        if (w == WHOSE_SESSION)
            ret->suspect[k] = map_get(&x->index, text);
        else
            ret->target[k] = map_get(&x->t->users, text) != MAP_NONE;
    }
}

/* By which keys a row names a person to be erased, and by which somebody else. */
static void row_keys(const struct meaning *m, uint32_t n, uint32_t row, uint32_t *ret_own, uint32_t *ret_other)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = m[i].target ? column_code(m[i].c, row) : 0;
        if (code)
            *(m[i].target[code] ? ret_own : ret_other) |= 1u << m[i].whose;
    }
}

static enum err suspect_add(struct finding *x, struct meaning *m, uint32_t code, uint32_t keys, struct fault *f)
{
    if (m->suspect[code] == MAP_NONE) {
        struct str id = value_text_in(&m->c->dict[code], x->mem);
        uint32_t at = map_get(&x->index, id);
        if (at == MAP_NONE) {
            if (x->n == SESSIONS_MAX)
                return fault_set(f, E_LIMIT, 0, "more than %d sessions of the persons to be erased", SESSIONS_MAX);
            at = x->n;
            struct str kept = arena_str(x->mem, id);
            *arena_push(x->mem, x->at, x->n, x->cap) = (struct suspect){ .id = kept };
            map_put(&x->index, kept, at);
        }
        m->suspect[code] = at;
    }
    x->at[m->suspect[code]].keys |= keys;
    return OK;
}

static enum err look_at_row(struct finding *x, struct meaning *m, uint32_t n, uint32_t row, struct fault *f)
{
    uint32_t own = 0, other = 0;
    row_keys(m, n, row, &own, &other);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = m[i].suspect ? column_code(m[i].c, row) : 0;
        if (!code)
            continue;
        if (!x->second && own && suspect_add(x, &m[i], code, own, f))
            return f ? f->code : E_LIMIT;
        if (x->second && m[i].suspect[code] != MAP_NONE && other & x->at[m[i].suspect[code]].keys)
            x->at[m[i].suspect[code]].shared = true;
    }
    return OK;
}

static enum err look_at_block(struct finding *x, const struct block *b, struct fault *f)
{
    struct arena scratch;
    arena_init(&scratch, SCAN_ARENA_BYTES);
    struct meaning *m = arena_new(&scratch, struct meaning, b->ncols + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->ncols; i++) {
        enum whose w = whose_of(b->cols[i].key.name);
        if (w && b->cols[i].code)
            read_meaning(x, &b->cols[i], w, &scratch, &m[n++]);
    }
    enum err e = OK;
    for (uint32_t i = 0; i < b->nsel && !e && n; i++)
        e = look_at_row(x, m, n, b->sel[i], f);
    arena_done(&scratch);
    return e;
}

/* Calls `each` for every block of a table, with the columns that say whose a row is. */
static enum err scan_whose(struct store *s, enum table t, enum err (*each)(void *arg, const struct block *b, struct fault *f), void *arg,
                           struct fault *f)
{
    struct scan_req req = {
        .table = t, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .labels = whose_labels, .nlabels = LEN(whose_labels),
        .without = WITHOUT_ALL & ~WITHOUT_TIME, .rows_max = UINT64_MAX, .bytes_max = UINT64_MAX,
    };
    struct scan *sc;
    const struct block *b;
    enum err e = store_scan_begin(&s->source, &req, &sc, f);
    if (e)
        return e;
    while (!(e = store_scan_next(sc, &b, f)) && b && !(e = each(arg, b, f)))
        ;
    (void)store_scan_end(sc);
    return e;
}

static enum err on_block(void *arg, const struct block *b, struct fault *f)
{
    return look_at_block(arg, b, f);
}

enum err erase_find_sessions(struct store *s, struct targets *t, struct arena *mem, struct str **ret, uint32_t *ret_n, struct fault *f)
{
    struct finding x = { .t = t, .mem = mem };
    enum err e = OK;
    struct str *own = NULL;
    uint32_t nown = 0, cap = 0;
    for (int pass = 0; pass < 2 && !e && t->users.n; pass++) {
        x.second = pass;
        for (int table = 0; table < TABLE_COUNT && !e; table++)
            e = scan_whose(s, (enum table)table, on_block, &x, f);
    }
    for (uint32_t i = 0; i < x.n && !e; i++) {
        if (x.at[i].shared || map_get(&t->sessions, x.at[i].id) != MAP_NONE)
            continue;
        map_put(&t->sessions, x.at[i].id, 0);
        *arena_push(mem, own, nown, cap) = x.at[i].id;
    }
    map_done(&x.index);
    *ret = own;
    *ret_n = nown;
    return e;
}

/* --- what would go -------------------------------------------------------------------------- */

struct counting {
    struct store *s;
    const struct targets *t;
    struct erase_counts n;
    enum table table;
    bool *touched;                                 /* of the view's partitions */
    struct part_view *view;
};

static void count_row(struct counting *c, int64_t time_ns)
{
    c->n.rows[c->table]++;
    c->n.oldest_ns = c->n.oldest_ns ? MIN(c->n.oldest_ns, time_ns) : time_ns;
    c->n.newest_ns = MAX(c->n.newest_ns, time_ns);
    for (uint32_t i = 0; i < c->view->n; i++)
        if (time_ns >= c->view->at[i].from_ns && time_ns < c->view->at[i].to_ns) {
            c->touched[i] = true;
            return;
        }
}

static enum err count_block(void *arg, const struct block *b, struct fault *f)
{
    (void)f;
    struct counting *c = arg;
    struct arena mem;
    uint32_t *sel, n;
    arena_init(&mem, SCAN_ARENA_BYTES);
    targets_find(c->t, b, &mem, &sel, &n);
    for (uint32_t i = 0; i < n; i++)
        count_row(c, b->time_ns[sel[i]]);
    arena_done(&mem);
    return OK;
}

static void targets_of(const struct erase_req *r, struct targets *ret)
{
    for (uint32_t i = 0; i < r->nsessions; i++)
        map_put(&ret->sessions, r->sessions[i], 0);
    for (uint32_t i = 0; i < r->nusers; i++)
        map_put(&ret->users, r->users[i], 0);
}

enum err store_erase_count(struct store *s, const struct erase_req *r, struct erase_counts *ret, struct fault *f)
{
    struct targets t = { 0 };
    struct arena mem;
    struct str *found;
    uint32_t nfound;
    arena_init(&mem, SCAN_ARENA_BYTES);
    targets_of(r, &t);
    struct counting c = { .s = s, .t = &t };
    {
        GUARD(&s->lock);
        c.view = part_view_ref(s->view);
    }
    c.touched = arena_new(&mem, bool, c.view->n + 1);
    enum err e = erase_find_sessions(s, &t, &mem, &found, &nfound, f);
    for (int table = 0; table < TABLE_COUNT && !e; table++) {
        c.table = (enum table)table;
        e = scan_whose(s, c.table, count_block, &c, f);
    }
    for (uint32_t i = 0; i < c.view->n; i++)
        c.n.partitions += c.touched[i];
    c.n.sessions = t.sessions.n;
    part_view_unref(c.view);
    map_done(&t.sessions);
    map_done(&t.users);
    arena_done(&mem);
    if (!e)
        *ret = c.n;
    return e;
}
