/* scrape/build.c -- sample by sample: labels, relabelling, limits, accounting, privacy, frame.
 *
 * Text that only one sample needs lives in a copy of a second arena, which is forgotten with the
 * sample; what the frame keeps is copied into the first one when it is new there.
 *
 * Two samples that become one series because labels were taken away (scope, privacy) are summed
 * if they are accounted, since each of them counts; the same series written twice is not.
 */
#include "scrape/build.h"

#include <string.h>

#include "model/names.h"

struct builder {
    const struct build_in *in;
    struct arena *mem;
    struct built *out;
    struct fault *f;
    struct map types;                              /* of a family: its place in metas */
    struct roster seen;                             /* accounted samples as they were written */
};

/* ---- metadata ----------------------------------------------------------------------------- */

/* The name under which a family's metadata is kept, which is that of its samples. */
static struct str family_name(const struct builder *b, struct str family, enum metric_type type)
{
    bool bare = b->in->format == EXPO_OPENMETRICS && type == METRIC_COUNTER;
    return metric_canonical(bare ? arena_fmt(b->mem, STR_FMT "_total", STR_ARG(family)) : family);
}

static struct metric_meta *meta_of(struct builder *b, struct str family)
{
    struct built *o = b->out;
    uint32_t i = map_get(&b->types, family);
    if (i != MAP_NONE)
        return &o->metas[i];
    if (o->nmetas == SCRAPE_METAS_MAX)
        return NULL;
    map_put(&b->types, family, o->nmetas);
    struct metric_meta *m = arena_push(b->mem, o->metas, o->nmetas, o->cap_metas);
    *m = (struct metric_meta){ .name = family };
    return m;
}

static void add_meta(struct builder *b, const struct expo_item *it)
{
    struct metric_meta *m = meta_of(b, it->name);
    if (!m)
        return;
    if (it->kind == EXPO_TYPE)
        m->type = it->type;
    else if (it->kind == EXPO_HELP)
        m->help = it->text;
    else
        m->unit = it->text;
}

static void finish_metas(struct builder *b)
{
    struct built *o = b->out;
    for (uint32_t i = 0; i < o->nmetas; i++) {
        struct metric_meta *m = &o->metas[i];
        m->name = family_name(b, m->name, m->type);
        if (b->in->privacy && !privacy_text(b->in->privacy, PLACE_FIELD, S("description"), m->help, b->mem, &m->help))
            m->help = S("");
        o->metas_hash = hash64(m->name, o->metas_hash + m->type);
        o->metas_hash = hash64(m->help, o->metas_hash);
        o->metas_hash = hash64(m->unit, o->metas_hash);
    }
}

static enum metric_type type_of(const struct builder *b, struct str name, struct str suffix)
{
    if (!str_ends(name, suffix))
        return METRIC_UNKNOWN;
    uint32_t i = map_get(&b->types, str_sub(name, 0, name.n - suffix.n));
    return i == MAP_NONE ? METRIC_UNKNOWN : b->out->metas[i].type;
}

/* OpenMetrics writes when a counter or histogram was made as a sample of its own. */
static bool is_created(const struct builder *b, struct str name)
{
    if (b->in->format != EXPO_OPENMETRICS)
        return false;
    enum metric_type t = type_of(b, name, S("_created"));
    return t == METRIC_COUNTER || t == METRIC_HISTOGRAM || t == METRIC_SUMMARY;
}

/* ---- accounting ---------------------------------------------------------------------------- */

bool scrape_is_accounted(struct str name, enum metric_type type, struct str *ret_name)
{
    static const struct str known[] = {
        S("claude_code_session_count_total"),      S("claude_code_lines_of_code_count_total"),
        S("claude_code_pull_request_count_total"), S("claude_code_commit_count_total"),
        S("claude_code_cost_usage_USD_total"),     S("claude_code_token_usage_tokens_total"),
        S("claude_code_code_edit_tool_decision_total"), S("claude_code_active_time_seconds_total"),
    };
    if (!str_starts(name, S("claude_code_")) || !str_ends(name, S("_total")))
        return false;
    *ret_name = metric_canonical(name);
    if (type == METRIC_COUNTER)
        return true;
    for (size_t i = 0; i < LEN(known) && type == METRIC_UNKNOWN; i++)
        if (str_eq(known[i], *ret_name))
            return true;
    return false;
}

/* Counters that somebody passes on (a Collector's exporter, another Prometheus's federation) bear
 * the label `job` or a time of their own, which the client's exporter never writes. Such a series
 * vanishes by itself, without a process having ended: it is stored as it comes. */
static bool is_relayed(const struct expo_item *it)
{
    bool relayed = it->has_time;
    for (uint32_t i = 0; i < it->nlabels; i++)
        relayed |= str_eq(it->labels[i].name, S("job"));
    return relayed;
}

static void note_claude(struct builder *b, const struct expo_item *it)
{
    static const struct {
        struct str label, begins;
    } signs[] = {
        { S("service_name"), S("claude-code") }, { S("otel_scope_name"), S("com.anthropic.claude_code") },
    };
    if (str_starts(it->name, S("claude_code_")))
        b->out->is_claude = true;
    for (uint32_t i = 0; i < it->nlabels && !b->out->is_claude; i++)
        for (size_t k = 0; k < LEN(signs); k++)
            b->out->is_claude |= str_eq(it->labels[i].name, signs[k].label) && str_starts(it->labels[i].value, signs[k].begins);
}

static void note_session(struct builder *b, const struct lset *s)
{
    struct built *o = b->out;
    struct str id = lset_get(s, S("session_id"));
    for (uint32_t i = 0; i < o->nsessions; i++)
        if (str_eq(o->sessions[i], id))
            return;
    if (id.n && o->nsessions < SCRAPE_SESSIONS_MAX)
        o->sessions[o->nsessions++] = arena_str(b->mem, id);
}

/* By which the target's rows are found again after a start. */
static void note_target(struct builder *b, const struct lset *s)
{
    struct built *o = b->out;
    struct str job = lset_get(s, S("job")), instance = lset_get(s, S("instance"));
    if (!o->accounted.n) {
        o->job = arena_str(b->mem, job);
        o->instance = arena_str(b->mem, instance);
    }
    o->mixed |= !str_eq(o->job, job) || !str_eq(o->instance, instance);
}

static void drop_scope(struct lset *s)
{
    for (uint32_t i = s->n; i-- > 0;)
        if (str_starts(s->at[i].name, S("otel_scope_")))
            lset_del(s, s->at[i].name);
}

/* ---- labels --------------------------------------------------------------------------------- */

static void add_target_labels(const struct builder *b, struct lset *s)
{
    const struct build_in *in = b->in;
    for (uint32_t i = 0; i < in->nlabels; i++) {
        const struct lpair *l = &in->labels[i];
        struct str have = lset_get(s, l->name);
        if (have.n && in->job->honor_labels)
            continue;
        lset_set(s, l->name, l->value);
        if (!have.n)
            continue;
        struct str name = arena_fmt(s->mem, "exported_" STR_FMT, STR_ARG(l->name));
        while (lset_get(s, name).n)
            name = arena_fmt(s->mem, "exported_" STR_FMT, STR_ARG(name));
        lset_set(s, name, have);
    }
}

static enum err check_limits(const struct builder *b, const struct lset *s)
{
    const struct scrape_limits *l = &b->in->job->limits;
    struct str name = str_sub(lset_get(s, S("__name__")), 0, 50);
    if (l->labels && s->n > l->labels)
        return fault_set(b->f, E_LIMIT, 0, "label_limit exceeded (metric: " STR_FMT ", number of labels: %u, limit: %llu)",
                         STR_ARG(name), s->n, (unsigned long long)l->labels);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct lpair *x = &s->at[i];
        if (l->label_name_length && x->name.n > l->label_name_length)
            return fault_set(b->f, E_LIMIT, 0,
                             "label_name_length_limit exceeded (metric: " STR_FMT ", label name: " STR_FMT ", length: %zu, limit: %llu)",
                             STR_ARG(name), STR_ARG(str_sub(x->name, 0, 50)), x->name.n, (unsigned long long)l->label_name_length);
        if (l->label_value_length && x->value.n > l->label_value_length)
            return fault_set(b->f, E_LIMIT, 0,
                             "label_value_length_limit exceeded (metric: " STR_FMT ", label name: " STR_FMT ", length: %zu, limit: %llu)",
                             STR_ARG(name), STR_ARG(str_sub(x->name, 0, 50)), x->value.n, (unsigned long long)l->label_value_length);
    }
    return OK;
}

static void apply_privacy(const struct builder *b, struct lset *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n && b->in->privacy; i++) {
        struct lpair l = s->at[i];
        if (!str_eq(l.name, S("__name__")) && !privacy_text(b->in->privacy, PLACE_LABEL, l.name, l.value, s->mem, &l.value))
            continue;
        if (l.value.n)
            s->at[n++] = l;
    }
    if (b->in->privacy)
        s->n = n;
}

/* ---- a sample --------------------------------------------------------------------------------- */

/* Into the frame, whose texts must outlive the sample's scratch memory. */
static size_t put_row(struct builder *b, const struct lset *s, const struct expo_item *it, int64_t t, bool accounted)
{
    struct lset kept = { .mem = b->mem, .n = s->n };
    kept.at = s->at;
    for (uint32_t i = 0; i < s->n; i++) {
        struct lpair *l = &s->at[i];
        if (map_get(&b->out->frame.index, l->name) == MAP_NONE)
            l->name = arena_str(b->mem, l->name);
        if (map_get(&b->out->frame.index, l->value) == MAP_NONE)
            l->value = arena_str(b->mem, l->value);
    }
    return frame_row(&b->out->frame, &kept, it->value, t, accounted);
}

static void add_accounted(struct builder *b, struct lset *s, const struct expo_item *it, int64_t t)
{
    bool fresh;
    roster_add(&b->seen, lset_id(s), &fresh);       /* before anything is taken away */
    if (!fresh)
        return;
    struct str name = S("");
    CHECK(scrape_is_accounted(lset_get(s, S("__name__")), METRIC_COUNTER, &name));
    lset_set(s, S("__name__"), name);
    drop_scope(s);
    apply_privacy(b, s);
    note_session(b, s);
    note_target(b, s);
    lset_sort(s);
    struct roster_entry *k = roster_add(&b->out->accounted, lset_id(s), &fresh);
    k->value += it->value;
    if (fresh)
        k->at = put_row(b, s, it, t, true);
    else
        frame_set_value(&b->out->frame, k->at, k->value);
}

static void add_plain(struct builder *b, struct lset *s, const struct expo_item *it, int64_t t, bool own_time)
{
    bool fresh;
    apply_privacy(b, s);
    lset_sort(s);
    struct roster_entry *k = roster_add(&b->out->plain, lset_id(s), &fresh);
    if (!fresh && !own_time)
        return;
    if (fresh && (!own_time || b->in->job->track_timestamps_staleness))
        roster_keep(&b->out->plain, k, s);
    put_row(b, s, it, t, false);
}

static enum err relabelled(struct builder *b, struct lset *s, const struct expo_item *it, bool *ret_keep)
{
    const struct scrape_job *j = b->in->job;
    lset_set(s, S("__name__"), it->name);
    for (uint32_t i = 0; i < it->nlabels; i++)
        lset_set(s, it->labels[i].name, it->labels[i].value);
    add_target_labels(b, s);
    *ret_keep = relabel_apply(&j->metric_relabel, s);
    if (!*ret_keep)
        return OK;
    if (s->full)
        return fault_set(b->f, E_LIMIT, 0, "more than %d labels (LSET_MAX) (metric: " STR_FMT ")", LSET_MAX,
                         STR_ARG(str_sub(it->name, 0, 50)));
    if (!lset_get(s, S("__name__")).n)
        return fault_set(b->f, E_SYNTAX, 0, "missing metric name (__name__ label)");
    return check_limits(b, s);
}

static enum err add_sample(struct builder *b, struct arena *scratch, const struct expo_item *it)
{
    struct built *o = b->out;
    struct lset s = { .mem = scratch };
    bool keep, own_time = it->has_time && b->in->job->honor_timestamps;
    enum err e = relabelled(b, &s, it, &keep);
    if (e || !keep)
        return e;
    o->kept++;
    if (b->in->job->limits.samples && o->kept > b->in->job->limits.samples)
        return fault_set(b->f, E_LIMIT, 0, "sample limit exceeded (sample_limit: %llu)", (unsigned long long)b->in->job->limits.samples);
    int64_t t = own_time ? it->time_ns : b->in->time_ns;
    if (own_time && (t > b->in->time_ns + SCRAPE_AHEAD_MAX || t < b->in->oldest_ns)) {
        o->outside++;
        return OK;
    }
    enum metric_type type = b->in->format == EXPO_OPENMETRICS ? type_of(b, it->name, S("_total")) : type_of(b, it->name, S(""));
    struct str unused;
    if (!is_relayed(it) && scrape_is_accounted(lset_get(&s, S("__name__")), type, &unused))
        add_accounted(b, &s, it, t);
    else
        add_plain(b, &s, it, t, own_time);
    return OK;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static uint32_t lines_of(struct str s)
{
    uint32_t n = 1;
    for (const char *p = s.p, *end = s.p + s.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        n++;
    return n;
}

static enum err read_all(struct builder *b)
{
    struct expo x;
    struct expo_item it;
    enum err e;
    expo_init(&x, b->in->body, b->in->format, b->mem);
    while (!(e = expo_next(&x, &it, b->f)) && it.kind != EXPO_END) {
        if (it.kind != EXPO_SAMPLE) {
            add_meta(b, &it);
            continue;
        }
        if (is_created(b, it.name))
            continue;
        note_claude(b, &it);
        b->out->scraped++;
        struct arena scratch = b->out->scratch;   /* by value: lent for one sample */
        e = add_sample(b, &scratch, &it);
        if (!e && arena_over(b->mem))
            e = fault_set(b->f, E_LIMIT, 0, "the exposition needs too much memory");
        if (e)
            break;
    }
    return e;
}

enum err scrape_build(const struct build_in *in, struct arena *mem, struct built *ret, struct fault *f)
{
    struct builder b = { .in = in, .mem = mem, .out = ret, .f = f };
    uint32_t most = MIN(lines_of(in->body), (uint32_t)EXPO_SAMPLES_MAX);
    *ret = (struct built){ 0 };
    arena_init(&ret->scratch, 1 << 20);
    frame_init(&ret->frame, in->time_ns);
    roster_init(&ret->plain, most);
    roster_init(&ret->accounted, most);
    roster_init(&b.seen, most);
    enum err e = read_all(&b);
    if (!e && in->only_claude && !ret->is_claude)
        e = fault_set(f, E_UNSUPPORTED, 0, "what answers there is not Claude Code");
    if (!e)
        finish_metas(&b);
    roster_done(&b.seen);
    map_done(&b.types);
    return e;
}

void built_done(struct built *b)
{
    frame_done(&b->frame);
    roster_done(&b->plain);
    roster_done(&b->accounted);
    if (b->scratch.base)
        arena_done(&b->scratch);
}
