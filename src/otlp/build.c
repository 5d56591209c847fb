/* otlp/build.c -- rows of logs and spans, and what all three signals share.
 *
 * Attributes of a resource and its scope are put into one group of cells that the
 * rows of that scope point to. A row has exactly the cells it needs, allocated at
 * once. Two things make the common case cheap: records repeat their shape, so the
 * column of the i-th attribute is remembered by position; and whether a row has a
 * column already is asked of a mark per column, not of the row.
 *
 * 1. A row has each column at most once: of a key that is given twice the first
 *    value stays. (For points labels.c joins them, as Prometheus does.)
 * 2. Zero numbers and empty ids are absent, as in proto3; an empty body is not.
 */
#include "otlp/build.h"

#include <stdarg.h>
#include <string.h>

#include "otlp/fields.h"
#include "otlp/limits.h"

enum field {
    FIELD_BODY, FIELD_SEVERITY, FIELD_SEVERITY_TEXT, FIELD_EVENT_NAME, FIELD_TRACE_ID, FIELD_SPAN_ID, FIELD_FLAGS,
    FIELD_OBSERVED, FIELD_DROPPED, FIELD_SCOPE_NAME, FIELD_SCOPE_VERSION,
    FIELD_NAME, FIELD_KIND, FIELD_PARENT, FIELD_TRACE_STATE, FIELD_END, FIELD_DURATION, FIELD_STATUS_CODE,
    FIELD_STATUS_MESSAGE, FIELD_EVENTS, FIELD_LINKS, FIELD_DROPPED_EVENTS, FIELD_DROPPED_LINKS,
    FIELD_COUNT,
    LOG_FIELDS = 9, SPAN_FIELDS = 16, SCOPE_FIELDS = 2,   /* how many of them a row or group may have */
};

static const struct str field_names[FIELD_COUNT] = {
    [FIELD_BODY] = S("body"),
    [FIELD_SEVERITY] = S("severity_number"),
    [FIELD_SEVERITY_TEXT] = S("severity_text"),
    [FIELD_EVENT_NAME] = S("event_name"),
    [FIELD_TRACE_ID] = S("trace_id"),
    [FIELD_SPAN_ID] = S("span_id"),
    [FIELD_FLAGS] = S("flags"),
    [FIELD_OBSERVED] = S("observed_ns"),
    [FIELD_DROPPED] = S("dropped_attributes"),
    [FIELD_SCOPE_NAME] = S("scope_name"),
    [FIELD_SCOPE_VERSION] = S("scope_version"),
    [FIELD_NAME] = S("name"),
    [FIELD_KIND] = S("kind"),
    [FIELD_PARENT] = S("parent_span_id"),
    [FIELD_TRACE_STATE] = S("trace_state"),
    [FIELD_END] = S("end_ns"),
    [FIELD_DURATION] = S("duration_ns"),
    [FIELD_STATUS_CODE] = S("status_code"),
    [FIELD_STATUS_MESSAGE] = S("status_message"),
    [FIELD_EVENTS] = S("events"),
    [FIELD_LINKS] = S("links"),
    [FIELD_DROPPED_EVENTS] = S("dropped_events"),
    [FIELD_DROPPED_LINKS] = S("dropped_links"),
};

/* What the answer says of points that were left out; by enum reject. */
static const char *const reject_words[REJECT_COUNT] = {
    [REJECT_TEMPORALITY] = "of a sum or histogram without a temporality",
    [REJECT_NO_VALUE] = "without a value",
    [REJECT_NOT_FINITE] = "of a sum, not a finite number",
    [REJECT_NEGATIVE] = "of a monotonic sum, negative",
    [REJECT_NEGATIVE_SUM] = "of a delta histogram with a sum that falls, which was left out alone",
    [REJECT_BUCKETS] = "of a histogram whose buckets do not fit together",
    [REJECT_SCALE] = "of an exponential histogram, its scale below -4",
    [REJECT_NO_NAME] = "of a metric without a name",
};

/* ---- life and errors ---------------------------------------------------------- */

void build_init(struct build *b, struct batch *batch, int64_t oldest_ns, struct seen *seen, struct fault *f)
{
    *b = (struct build){ .batch = batch, .mem = batch->mem, .oldest_ns = oldest_ns, .fault = f, .seen = seen };
    batch->unfold = known_unfold;
    buf_init(&b->text, OTLP_TEXT_MAX);
    buf_init(&b->events, OTLP_TEXT_MAX);
    buf_init(&b->links, OTLP_TEXT_MAX);
}

void build_done(struct build *b)
{
    buf_done(&b->text);
    buf_done(&b->events);
    buf_done(&b->links);
    map_done(&b->labels);
}

void build_fail(struct build *b, enum err e, size_t at, const char *fmt, ...)
{
    CHECK(e != OK);
    if (b->err)
        return;
    va_list ap;
    va_start(ap, fmt);
    b->err = fault_setv(b->fault, e, at, fmt, ap);
    va_end(ap);
}

bool build_ok(struct build *b)
{
    if (!b->err && arena_used(b->mem) + b->spared > b->mem->budget)
        build_fail(b, E_LIMIT, 0, "the request needs more than %zu bytes of memory", b->mem->budget);
    return !b->err;
}

static void finish_reasons(struct build *b)
{
    buf_clear(&b->text);
    for (unsigned i = 0; i < REJECT_COUNT; i++) {
        if (!b->rejected[i])
            continue;
        b->batch->rejected += b->rejected[i];
        buf_fmt(&b->text, "%s%llu data point%s ", b->text.n ? "; " : "", (unsigned long long)b->rejected[i],
                b->rejected[i] == 1 ? "" : "s");
        buf_fmt(&b->text, "%s", reject_words[i]);
    }
    b->batch->reject_reason = arena_str(b->mem, buf_view(&b->text));
}

enum err build_finish(struct build *b)
{
    if (!build_ok(b))
        return b->err;
    finish_reasons(b);
    rows_identify(b->batch);
    if (!build_ok(b))
        return b->err;
    known_finish(b);
    return OK;
}

void build_reject(struct build *b, enum reject why, uint64_t n)
{
    CHECK(why < REJECT_COUNT);
    b->rejected[why] += n;
}

/* ---- columns, rows, cells ------------------------------------------------------ */

static bool name_fits(struct build *b, struct str name)
{
    if (name.n > OTLP_NAME_MAX)
        build_fail(b, E_LIMIT, 0, "a name of %zu bytes; at most %d", name.n, OTLP_NAME_MAX);
    return !b->err;
}

uint32_t column(struct build *b, enum place place, struct str name)
{
    uint32_t col = batch_col(b->batch, place, name);
    if (col >= OTLP_COLUMNS_MAX)
        build_fail(b, E_LIMIT, 0, "more than %d different attribute names in one request", OTLP_COLUMNS_MAX);
    while (b->nmarks <= col) {
        uint32_t more = MAX(b->nmarks * 2, 64u);
        b->marks = arena_grow(b->mem, b->marks, sizeof *b->marks * b->nmarks, sizeof *b->marks * more,
                              _Alignof(struct mark));
        b->nmarks = more;
    }
    return col;
}

/* The same, of an attribute: its length and last bytes tell nearly all names apart. */
static uint32_t column_named(struct build *b, struct str name)
{
    uint64_t tail = 0;
    size_t n = MIN(name.n, sizeof tail);
    memcpy(&tail, name.p + name.n - n, n);
    struct memo *m = &b->named[(tail + name.n) * UINT64_C(0x9e3779b97f4a7c15) >> 56];
    if (!str_same(m->name, name))
        *m = (struct memo){ name, column(b, PLACE_ATTR, name) };
    return m->col;
}

/* The same, for the attribute behind that of column `last`: what follows what hardly changes. */
static uint32_t column_after(struct build *b, uint32_t last, struct str name)
{
    struct memo *m = &b->memo[last % MEMO_MAX];
    if (!str_same(m->name, name))
        *m = (struct memo){ name, column_named(b, name) };
    return m->col;
}

/* The same, for the i-th attribute of a row. */
static uint32_t column_at(struct build *b, enum place place, uint32_t i, struct str name)
{
    if (place != PLACE_ATTR || i >= MEMO_MAX)
        return column(b, place, name);
    struct memo *m = &b->memo[i];
    if (!str_same(m->name, name))
        *m = (struct memo){ name, column_named(b, name) };
    return m->col;
}

struct row *row_new(struct build *b, uint32_t cells)
{
    if (b->batch->nrows >= OTLP_ROWS_MAX)
        build_fail(b, E_LIMIT, 0, "more than %d rows in one request", OTLP_ROWS_MAX);
    if (!build_ok(b))
        return NULL;
    struct row *r = batch_row(b->batch);
    r->origin = ORIGIN_OTLP;
    r->group = b->group;
    r->cells = (struct cells){ arena_raw(b->mem, struct cell, cells), 0, cells };
    b->tag++;
    return r;
}

static void cell_put(struct cells *c, uint32_t col, struct value v)
{
    CHECK(c->n < c->cap);
    c->at[c->n++] = (struct cell){ .col = col, .v = v };
}

void row_cell(struct row *r, uint32_t col, struct value v)
{
    cell_put(&r->cells, col, v);
}

static void put_field(struct build *b, struct cells *c, enum field f, struct value v)
{
    if (v.type == V_NONE)
        return;
    if (!b->field_col[f])
        b->field_col[f] = column(b, PLACE_FIELD, field_names[f]) + 1;
    cell_put(c, b->field_col[f] - 1, v);
}

static void put_text(struct build *b, struct cells *c, enum field f, struct str s)
{
    if (s.n)
        put_field(b, c, f, value_str(s));
}

static void put_int(struct build *b, struct cells *c, enum field f, int64_t i)
{
    if (i)
        put_field(b, c, f, value_int(i));
}

static void put_attrs(struct build *b, struct cells *c, enum place place, const struct otlp_attrs *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t col = column_at(b, place, i, a->at[i].key);
        if (b->marks[col].tag == b->tag)
            continue;
        b->marks[col].tag = b->tag;
        cell_put(c, col, a->at[i].v);
    }
}

/* Times are unsigned on the wire; one beyond the signed range is absurd either way. */
static int64_t ns_signed(uint64_t ns)
{
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* ---- values -------------------------------------------------------------------- */

static void too_many_attrs(struct build *b)
{
    build_fail(b, E_LIMIT, 0, "more than %d attributes in one place", OTLP_ATTRS_MAX);
}

void attrs_add(struct build *b, struct otlp_attrs *a, struct str key, struct value v)
{
    if (v.type == V_NONE || !key.n || b->err || !name_fits(b, key))
        return;
    if (a->n >= OTLP_ATTRS_MAX) {
        too_many_attrs(b);
        return;
    }
    uint32_t i = a->n;
    *arena_push(b->mem, a->at, a->n, a->cap) = (struct otlp_attr){ key, v, i };
}

struct str id_hex(struct build *b, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    bool zero = true;
    if (bytes.n > OTLP_ID_MAX) {
        build_fail(b, E_LIMIT, 0, "a trace or span id of %zu bytes; at most %d", bytes.n, OTLP_ID_MAX);
        return (struct str){ 0 };
    }
    for (size_t i = 0; i < bytes.n; i++)
        zero = zero && !bytes.p[i];
    if (zero)
        return (struct str){ 0 };
    char *hex = arena_alloc(b->mem, bytes.n * 2, 1);
    for (size_t i = 0; i < bytes.n; i++) {
        hex[2 * i] = digits[(unsigned char)bytes.p[i] >> 4];
        hex[2 * i + 1] = digits[bytes.p[i] & 15];
    }
    return (struct str){ hex, bytes.n * 2 };
}

void value_write(struct build *b, struct jw *w, const struct value *v)
{
    switch (v->type) {
    case V_NONE:
        jw_null(w);
        return;
    case V_STR:
        jw_str(w, v->s);
        return;
    case V_INT:
        jw_i64(w, v->i);
        return;
    case V_DOUBLE:
        if (__builtin_isfinite(v->d))
            jw_f64(w, v->d);
        else
            jw_num_str(w, v->d);
        return;
    case V_BOOL:
        jw_bool(w, v->b);
        return;
    case V_BYTES:
        jw_str(w, value_text_in(v, b->mem));
        return;
    case V_JSON:
        jw_raw(w, v->s);
        return;
    }
}

/* What was written as JSON, kept in the arena. */
static struct value json_value(struct build *b, const struct buf *text)
{
    if (text->bad)
        build_fail(b, E_LIMIT, 0, "an array, map or list of span events over %d bytes as JSON", OTLP_TEXT_MAX);
    if (!build_ok(b))
        return (struct value){ 0 };
    return (struct value){ .type = V_JSON, .s = arena_str(b->mem, buf_view(text)) };
}

struct value text_value(struct build *b)
{
    return json_value(b, &b->text);
}

/* ---- resource and scope ---------------------------------------------------------- */

void build_resource(struct build *b)
{
    if (!build_ok(b))
        return;
    b->group = ROW_NO_GROUP;
    b->has_points = false;
    b->newest_ns = 0;
    b->of = NULL;
    if (b->batch->table == TABLE_SAMPLE)
        labels_resource(b);
}

void build_resource_end(struct build *b)
{
    if (build_ok(b) && b->batch->table == TABLE_SAMPLE)
        target_info(b);
    b->resource.n = 0;
}

/* Labels of samples come from the resource only (rule 8), so their group stays. */
void build_scope(struct build *b)
{
    struct otlp_scope *s = &b->scope;
    if (build_ok(b) && name_fits(b, s->name) && b->batch->table != TABLE_SAMPLE) {
        b->group = batch_group(b->batch);
        uint32_t n = b->resource.n + s->attrs.n + SCOPE_FIELDS;
        struct cells c = { arena_new(b->mem, struct cell, n), 0, n };
        b->tag++;
        put_text(b, &c, FIELD_SCOPE_NAME, s->name);
        put_text(b, &c, FIELD_SCOPE_VERSION, s->version);
        put_attrs(b, &c, PLACE_RESOURCE, &b->resource);
        put_attrs(b, &c, PLACE_SCOPE, &s->attrs);
        b->batch->groups[b->group] = c;
    }
    s->name = s->version = (struct str){ 0 };
    s->attrs.n = 0;
}

/* ---- logs ------------------------------------------------------------------------ */

void build_log_begin(struct build *b)
{
    b->own.n = b->own_attrs = b->own_last = 0;
    b->own_group = b->group;
    b->attrs.n = 0;
    b->tag++;
}

static bool group_has(const struct build *b, uint32_t group, uint32_t col)
{
    const struct cells *g = &b->batch->groups[group];
    for (uint32_t i = 0; i < g->n; i++)
        if (g->at[i].col == col)
            return true;
    return false;
}

void build_attr(struct build *b, struct str key, struct value v)
{
    if (v.type == V_NONE || !key.n || b->err || !name_fits(b, key))
        return;
    if (b->own_attrs++ >= OTLP_ATTRS_MAX) {
        too_many_attrs(b);
        return;
    }
    uint32_t col = column_after(b, b->own_last, key);
    struct mark *m = &b->marks[col];
    b->own_last = col;
    if (m->tag == b->tag || (m->shared && b->own_group != ROW_NO_GROUP && group_has(b, b->own_group, col)))
        return;
    m->tag = b->tag;
    *arena_push(b->mem, b->own.at, b->own.n, b->own.cap) = (struct cell){ .col = col, .v = v };
}

uint32_t build_shared(struct build *b, const struct otlp_attrs *a)
{
    uint32_t group = batch_group(b->batch), n = a->n;
    const struct cells base = b->group == ROW_NO_GROUP ? (struct cells){ 0 } : b->batch->groups[b->group];
    struct cells c = { arena_raw(b->mem, struct cell, base.n + n), base.n, base.n + n };
    if (base.n)
        memcpy(c.at, base.at, base.n * sizeof *c.at);
    b->tag++;
    put_attrs(b, &c, PLACE_ATTR, a);
    for (uint32_t i = base.n; i < c.n; i++)
        b->marks[c.at[i].col].shared = true;
    b->tag++;                                      /* the record's own are told apart by the group */
    b->batch->groups[group] = c;
    return group;
}

void build_log(struct build *b, const struct otlp_log *l)
{
    CHECK(b->batch->table == TABLE_LOG);
    struct row *r = row_new(b, l->attrs.n + b->own.n + LOG_FIELDS);
    if (!r)
        return;
    struct cells *c = &r->cells;
    r->group = b->own_group;
    put_field(b, c, FIELD_BODY, l->body);
    put_int(b, c, FIELD_SEVERITY, l->severity);
    put_text(b, c, FIELD_SEVERITY_TEXT, l->severity_text);
    put_text(b, c, FIELD_EVENT_NAME, l->event_name);
    put_text(b, c, FIELD_TRACE_ID, l->trace_id);
    put_text(b, c, FIELD_SPAN_ID, l->span_id);
    put_int(b, c, FIELD_FLAGS, ns_signed(l->flags));
    put_int(b, c, FIELD_OBSERVED, ns_signed(l->observed_ns));
    put_int(b, c, FIELD_DROPPED, ns_signed(l->dropped));
    put_attrs(b, c, PLACE_ATTR, &l->attrs);
    if (b->own.n)
        memcpy(c->at + c->n, b->own.at, b->own.n * sizeof *c->at);
    c->n += b->own.n;
    row_set_time(b->batch, r, ns_signed(l->time_ns), ns_signed(l->observed_ns), b->oldest_ns);
}

/* ---- spans ------------------------------------------------------------------------ */

void build_span_begin(struct build *b)
{
    CHECK(b->batch->table == TABLE_SPAN);
    b->nevents = b->nlinks = 0;
}

/* The n-th entry of a list that is one JSON array. */
static void list_entry(struct buf *out, struct jw *w, uint32_t *n)
{
    if (!(*n)++) {
        buf_clear(out);
        jw_init(w, out);
        jw_arr(w);
    }
    jw_obj(w);
}

static struct value list_end(struct build *b, struct buf *out, struct jw *w, uint32_t n)
{
    if (!n)
        return (struct value){ 0 };
    jw_arr_end(w);
    return json_value(b, out);
}

static void entry_text(struct jw *w, struct str key, struct str s)
{
    if (s.n)
        jw_kv_str(w, key, s);
}

static void entry_int(struct jw *w, struct str key, int64_t i)
{
    if (i)
        jw_kv_i64(w, key, i);
}

static void entry_attrs(struct build *b, struct jw *w, const struct otlp_attrs *a)
{
    if (!a->n)
        return;
    jw_key(w, S("attributes"));
    jw_obj(w);
    for (uint32_t i = 0; i < a->n; i++) {
        jw_key(w, a->at[i].key);
        value_write(b, w, &a->at[i].v);
    }
    jw_obj_end(w);
}

void build_event(struct build *b, const struct otlp_event *e)
{
    if (!build_ok(b))
        return;
    struct jw *w = &b->jevents;
    list_entry(&b->events, w, &b->nevents);
    entry_int(w, S("time_ns"), ns_signed(e->time_ns));
    entry_text(w, S("name"), e->name);
    entry_attrs(b, w, &e->attrs);
    entry_int(w, S("dropped_attributes"), ns_signed(e->dropped));
    jw_obj_end(w);
}

void build_link(struct build *b, const struct otlp_link *l)
{
    if (!build_ok(b))
        return;
    struct jw *w = &b->jlinks;
    list_entry(&b->links, w, &b->nlinks);
    entry_text(w, S("trace_id"), l->trace_id);
    entry_text(w, S("span_id"), l->span_id);
    entry_text(w, S("trace_state"), l->trace_state);
    entry_attrs(b, w, &l->attrs);
    entry_int(w, S("dropped_attributes"), ns_signed(l->dropped));
    entry_int(w, S("flags"), ns_signed(l->flags));
    jw_obj_end(w);
}

void build_span(struct build *b, const struct otlp_span *s)
{
    struct row *r = row_new(b, s->attrs.n + SPAN_FIELDS);
    if (!r)
        return;
    struct cells *c = &r->cells;
    int64_t start = ns_signed(s->start_ns), end = ns_signed(s->end_ns);
    put_text(b, c, FIELD_NAME, s->name);
    put_int(b, c, FIELD_KIND, s->kind);
    put_text(b, c, FIELD_TRACE_ID, s->trace_id);
    put_text(b, c, FIELD_SPAN_ID, s->span_id);
    put_text(b, c, FIELD_PARENT, s->parent_id);
    put_text(b, c, FIELD_TRACE_STATE, s->trace_state);
    put_int(b, c, FIELD_END, end);
    if (start && end >= start)
        put_field(b, c, FIELD_DURATION, value_int(end - start));
    put_int(b, c, FIELD_STATUS_CODE, s->status_code);
    put_text(b, c, FIELD_STATUS_MESSAGE, s->status_message);
    put_field(b, c, FIELD_EVENTS, list_end(b, &b->events, &b->jevents, b->nevents));
    put_field(b, c, FIELD_LINKS, list_end(b, &b->links, &b->jlinks, b->nlinks));
    put_int(b, c, FIELD_FLAGS, ns_signed(s->flags));
    put_int(b, c, FIELD_DROPPED, ns_signed(s->dropped));
    put_int(b, c, FIELD_DROPPED_EVENTS, ns_signed(s->dropped_events));
    put_int(b, c, FIELD_DROPPED_LINKS, ns_signed(s->dropped_links));
    put_attrs(b, c, PLACE_ATTR, &s->attrs);
    row_set_time(b->batch, r, start, end, b->oldest_ns);
}
