/* scrape/resume.c -- a scan from the newest row backwards, until one scrape lies behind it. */
#include "scrape/resume.h"

enum { RESUME_SERIES_MAX = 1 << 18, MATCHERS_MAX = 3 };

struct search {
    const struct resume *in;
    struct incarnation *out;
    int64_t *newest;                               /* by its place in out->series */
};

static struct id128 row_id(const struct block *b, uint32_t row)
{
    struct id128 sum = { 0 };
    for (uint32_t i = 0; i < b->ncols; i++) {
        if (b->cols[i].key.place != PLACE_LABEL)
            continue;
        struct value v = column_value(&b->cols[i], row);
        char scratch[VALUE_TEXT_MAX];
        struct str text = value_text(&v, scratch);
        if (!text.n)
            continue;
        struct lpair l = { b->cols[i].key.name, text };
        struct id128 one = lset_id(&(struct lset){ .at = &l, .n = 1 });
        sum.hi += one.hi;
        sum.lo += one.lo;
    }
    return sum;
}

static void take_row(struct search *s, const struct block *b, uint32_t row)
{
    bool fresh;
    struct incarnation *o = s->out;
    if (b->origin[row] != ORIGIN_SCRAPE || b->temporality[row] != TEMPORALITY_CUMULATIVE || b->start_ns[row] < o->start_ns)
        return;
    struct id128 id = row_id(b, row);
    if (!s->in->job.n && !s->in->instance.n && !roster_find(s->in->now, id))
        return;
    if (b->start_ns[row] > o->start_ns) {          /* a newer incarnation than was known so far */
        roster_done(&o->series);
        roster_init(&o->series, RESUME_SERIES_MAX);
        o->start_ns = b->start_ns[row];
    }
    if (o->series.n == o->series.max && !roster_find(&o->series, id))
        return;
    struct roster_entry *k = roster_add(&o->series, id, &fresh);
    size_t at = (size_t)(k - o->series.at);
    if (fresh || b->time_ns[row] > s->newest[at]) {
        s->newest[at] = b->time_ns[row];
        k->value = b->value[row];
    }
    o->seen_ns = MAX(o->seen_ns, b->time_ns[row]);
}

static enum err scan(struct source *src, const struct scan_req *req, struct search *s, struct fault *f)
{
    struct scan *sc;
    const struct block *b;
    enum err e = src->scan_begin(src, req, &sc, f);
    if (e)
        return e;
    while (!(e = src->scan_next(sc, &b, f)) && b) {
        for (uint32_t i = 0; i < b->nsel; i++)
            take_row(s, b, b->sel[i]);
        if (s->out->start_ns && b->next_bound < s->out->seen_ns - RESUME_SCRAPE)
            break;
    }
    src->scan_end(sc);
    return e;
}

enum err resume_incarnation(struct source *src, const struct resume *in, struct incarnation *ret, struct fault *f)
{
    struct matcher m[MATCHERS_MAX] = { { .op = MATCH_RE, .label = S("__name__"), .value = S("claude_code_.+") } };
    struct scan_req req = {
        .table = TABLE_SAMPLE, .from_ns = in->time_ns - RESUME_LOOKBACK, .to_ns = in->time_ns + SCRAPE_AHEAD_MAX,
        .matchers = m, .nmatchers = 1, .all_labels = true, .order = SCAN_NEWEST_FIRST,
    };
    CHECK(!ret->start_ns);
    enum err e = regex_new(m[0].value, REGEX_FULL, &m[0].re, f);
    if (e)
        return e;
    if (in->job.n)
        m[req.nmatchers++] = (struct matcher){ .op = MATCH_EQ, .label = S("job"), .value = in->job };
    if (in->instance.n)
        m[req.nmatchers++] = (struct matcher){ .op = MATCH_EQ, .label = S("instance"), .value = in->instance };
    size_t bytes = sizeof(int64_t) * RESUME_SERIES_MAX;
    struct search s = { .in = in, .out = ret, .newest = mem_pages(bytes) };
    e = scan(src, &req, &s, f);
    mem_pages_free(s.newest, bytes);
    regex_free(m[0].re);
    if (e)
        incarnation_done(ret);
    return e;
}
