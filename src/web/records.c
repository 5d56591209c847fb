/* web/records.c -- the newest log records as JSON, for live streams.
 *
 * A stream's place is a log sequence: the one order in which rows become visible.
 * A scan cannot ask for a sequence, only for rows received after a moment, and
 * requests may overtake each other between being received and being written; so
 * the scan begins SLACK_NS early and rows up to the sequence are left out here.
 *
 * Of more records than fit, the newest by their own time are kept: a min-heap of
 * what was rendered, whose root gives way to anything newer. Rows come newest
 * first as far as chunks allow, so that hardly anything is rendered in vain.
 */
#include "web/web_int.h"

#include <stdlib.h>
#include <string.h>

#include "model/names.h"

static const int64_t SLACK_NS = 60 * NS_PER_S;
static const int64_t SCAN_NS = 2 * NS_PER_S;       /* a live page must not wait for a slow disk */

struct picked {
    int64_t time_ns;
    uint64_t seq;
    struct str json;
};

struct picks {
    struct picked at[LIVE_RECORDS_MAX];
    uint32_t n;
    uint64_t seen;                                 /* with those that are not in `at` */
    uint64_t last;
};

/* A label of one block: its name, and where its value stands. */
struct field {
    struct str name;
    struct label_ref ref;
};

struct fields {
    struct field at[LIVE_COLUMNS_MAX];
    uint32_t n;
    struct label_ref line, event;
};

static bool older(const struct picked *a, const struct picked *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->seq < b->seq;
}

static void swap(struct picked *a, struct picked *b)
{
    struct picked t = *a;
    *a = *b;
    *b = t;
}

static void sift_up(struct picks *p, uint32_t i)
{
    while (i && older(&p->at[i], &p->at[(i - 1) / 2])) {
        swap(&p->at[i], &p->at[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static void sift_down(struct picks *p, uint32_t i)
{
    for (;;) {
        uint32_t least = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < p->n; child++)
            if (older(&p->at[child], &p->at[least]))
                least = child;
        if (least == i)
            return;
        swap(&p->at[i], &p->at[least]);
        i = least;
    }
}

static bool wanted(const struct picks *p, int64_t time_ns, uint64_t seq)
{
    struct picked row = { .time_ns = time_ns, .seq = seq };
    return p->n < LIVE_RECORDS_MAX || older(&p->at[0], &row);
}

static void keep(struct picks *p, struct picked row)
{
    if (p->n < LIVE_RECORDS_MAX) {
        p->at[p->n] = row;
        sift_up(p, p->n++);
    } else {
        p->at[0] = row;
        sift_down(p, 0);
    }
}

static int newest_first(const void *a, const void *b)
{
    const struct picked *x = a, *y = b;
    return older(x, y) ? 1 : older(y, x) ? -1 : 0;
}

/* Of the record's own fields only those that lead to its trace; the line is apart. */
static bool is_shown(const struct colkey *key)
{
    return key->place != PLACE_FIELD || str_eq(key->name, S("trace_id")) || str_eq(key->name, S("span_id"));
}

static void find_fields(const struct block *b, struct arena *mem, struct fields *ret)
{
    ret->n = 0;
    for (uint32_t i = 0; i < b->ncols && ret->n < LIVE_COLUMNS_MAX; i++) {
        if (!is_shown(&b->cols[i].key))
            continue;
        struct str name = label_name(b->cols[i].key.name, mem);
        bool known = false;
        for (uint32_t k = 0; k < ret->n && !known; k++)
            known = str_eq(ret->at[k].name, name);
        if (!known)
            ret->at[ret->n++] = (struct field){ name, block_label(b, name, 0) };
    }
    ret->line = block_label(b, S("body"), 1u << PLACE_FIELD);
    ret->event = block_label(b, S("event_name"), 0);
}

/* At most max bytes, and no half of a character. */
static struct str shorten(struct str s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return str_sub(s, 0, max);
}

static void put_value(struct jw *w, struct str key, struct value v, size_t max, struct arena *mem)
{
    jw_kv_str(w, key, shorten(value_text_in(&v, mem), max));
}

/* `scratch` is lent: what it takes here is gone on return. */
static struct str render(const struct block *b, const struct fields *fields, uint32_t row, struct arena *mem, struct arena scratch)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, LIVE_BATCH_BYTES_MAX * 4);
    struct jw w;
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_str(&w, S("time_ns"), arena_fmt(&scratch, "%lld", (long long)b->time_ns[row]));
    put_value(&w, S("event_name"), label_value(&fields->event, row), LIVE_VALUE_MAX, &scratch);
    put_value(&w, S("line"), label_value(&fields->line, row), LIVE_LINE_MAX, &scratch);
    jw_key(&w, S("labels"));
    jw_obj(&w);
    for (uint32_t i = 0; i < fields->n; i++) {
        struct value v = label_value(&fields->at[i].ref, row);
        if (v.type != V_NONE)
            put_value(&w, fields->at[i].name, v, LIVE_VALUE_MAX, &scratch);
    }
    jw_obj_end(&w);
    jw_obj_end(&w);
    return out.bad ? (struct str){ 0 } : arena_str(mem, buf_view(&out));
}

static void pick_block(const struct block *b, uint64_t after, struct picks *p, struct arena *mem, struct arena *scratch)
{
    struct fields *fields = NULL;
    arena_reset(scratch);
    for (uint32_t i = 0; i < b->nsel; i++) {
        uint32_t row = b->sel[i];
        if (b->seq[row] <= after)
            continue;
        p->seen++;
        p->last = MAX(p->last, b->seq[row]);
        if (!wanted(p, b->time_ns[row], b->seq[row]) || arena_over(mem))
            continue;
        if (!fields) {
            fields = arena_new(scratch, struct fields, 1);
            find_fields(b, scratch, fields);
        }
        struct str json = render(b, fields, row, mem, *scratch);
        if (json.n)
            keep(p, (struct picked){ b->time_ns[row], b->seq[row], json });
    }
}

static enum err scan(const struct api *api, struct live_mark after, struct picks *p, struct arena *mem)
{
    CLEANUP(arena_done) struct arena scratch;
    arena_init(&scratch, 4 << 20);
    struct scan_req req = {
        .table = TABLE_LOG,
        .from_ns = 0,
        .to_ns = INT64_MAX,
        .recv_after_ns = MAX(after.recv_ns - SLACK_NS, (int64_t)1),
        .all_labels = true,
        .order = SCAN_NEWEST_FIRST,
        .deadline_mono_ns = clock_mono(api->clock) + SCAN_NS,
    };
    struct fault f = { 0 };
    struct scan *sc = NULL;
    enum err e = api->src->scan_begin(api->src, &req, &sc, &f);
    if (e)
        return e;
    const struct block *b = NULL;
    for (;;) {
        e = api->src->scan_next(sc, &b, &f);
        if (e || !b)
            break;
        pick_block(b, after.seq, p, mem, &scratch);
    }
    (void)api->src->scan_end(sc);
    return e;
}

bool records_write(const struct api *api, struct live_mark after, struct arena *mem, struct jw *w, uint64_t *last)
{
    struct picks *p = arena_new(mem, struct picks, 1);
    enum err e = scan(api, after, p, mem);
    qsort(p->at, p->n, sizeof(p->at[0]), newest_first);
    uint64_t sent = 0;
    size_t bytes = 0;
    jw_key(w, S("records"));
    jw_arr(w);
    for (uint32_t i = 0; i < p->n && bytes + p->at[i].json.n <= LIVE_BATCH_BYTES_MAX; i++, sent++) {
        jw_raw(w, p->at[i].json);
        bytes += p->at[i].json.n;
    }
    jw_arr_end(w);
    CHECK(sent <= p->seen);
    jw_key(w, S("cut"));
    jw_u64(w, p->seen - sent + (e ? 1 : 0));
    *last = MAX(*last, p->last);
    return p->seen || e;
}
