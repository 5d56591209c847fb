/* logql/bind.c -- see bind.h. The columns of a block are sorted once into labels;
 * afterwards a name leads to its columns by two array reads, and a row's value is
 * read from the first of them that has one.
 *
 * `detected_level` is a column made for the block: what it follows from (the
 * event's name, the decision, the severity) are dictionary codes mostly, so the
 * texts are cheap to compare. A record that brings the label itself keeps it.
 */
#include "logql/bind.h"

#include <stdlib.h>
#include <string.h>

#include "logql/coded.h"
#include "logql/level.h"
#include "model/names.h"

enum { BLOCK_BUDGET = 256 << 20 };                 /* bytes of scratch for one block */

/* ---- names ------------------------------------------------------------------- */

void names_init(struct names *n, struct arena *mem)
{
    *n = (struct names){ .mem = mem };
}

void names_done(struct names *n)
{
    map_done(&n->map);
}

static struct str without_suffix(struct str name)
{
    struct str suffix = S("_extracted");
    return name.n > suffix.n && str_ends(name, suffix) ? str_sub(name, 0, name.n - suffix.n) : (struct str){ 0 };
}

uint32_t names_id(struct names *n, struct str name)
{
    uint32_t id = map_get(&n->map, name);
    if (id != MAP_NONE)
        return id;
    struct str plain = without_suffix(name);
    uint32_t plain_id = plain.n ? names_id(n, plain) : NAME_NONE;
    if (n->n == n->cap) {
        uint32_t cap = n->cap ? n->cap * 2 : 64;
        n->at = arena_grow(n->mem, n->at, sizeof *n->at * n->cap, sizeof *n->at * cap, _Alignof(struct str));
        n->plain = arena_grow(n->mem, n->plain, sizeof(uint32_t) * n->cap, sizeof(uint32_t) * cap, _Alignof(uint32_t));
        n->extracted = arena_grow(n->mem, n->extracted, sizeof(uint32_t) * n->cap, sizeof(uint32_t) * cap, _Alignof(uint32_t));
        n->cap = cap;
    }
    id = n->n++;
    n->at[id] = arena_str(n->mem, name);
    n->plain[id] = plain_id;
    n->extracted[id] = NAME_NONE;
    map_put(&n->map, n->at[id], id);
    return id;
}

uint32_t names_extracted(struct names *n, uint32_t name)
{
    CHECK(name < n->n);
    if (n->extracted[name] == NAME_NONE) {
        struct str s = n->at[name];
        char *text = arena_alloc(n->mem, s.n + sizeof "_extracted", 1);
        memcpy(text, s.p, s.n);
        memcpy(text + s.n, "_extracted", sizeof "_extracted" - 1);
        uint32_t id = names_id(n, (struct str){ text, s.n + sizeof "_extracted" - 1 });
        n->extracted[name] = id;
    }
    return n->extracted[name];
}

struct ranked {
    struct str text;
    uint32_t name;
};

static int by_text(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return str_cmp(x->text, y->text);
}

const uint32_t *names_ranks(struct names *n)
{
    if (n->nranks == n->n)
        return n->ranks;
    struct ranked *all = mem_alloc(sizeof *all * n->n);
    for (uint32_t i = 0; i < n->n; i++)
        all[i] = (struct ranked){ n->at[i], i };
    qsort(all, n->n, sizeof *all, by_text);
    n->ranks = arena_new(n->mem, uint32_t, n->n);
    for (uint32_t i = 0; i < n->n; i++)
        n->ranks[all[i].name] = i;
    n->nranks = n->n;
    mem_free(all);
    return n->ranks;
}

/* ---- what a column is --------------------------------------------------------- */

struct field {
    struct str name, label;
    bool zero_absent;
};

static const struct field log_fields[] = {
    { S("severity_number"), S("severity_number"), true },
    { S("severity_text"), S("severity_text"), false },
    { S("event_name"), S("event_name"), false },
    { S("trace_id"), S("trace_id"), false },
    { S("span_id"), S("span_id"), false },
    { S("flags"), S("flags"), true },
    { S("observed_ns"), S("observed_timestamp"), true },
    { S("scope_name"), S("scope_name"), false },
    { S("scope_version"), S("scope_version"), false },
    { S("dropped_attributes"), S("dropped_attributes_count"), true },
};

static const struct field span_fields[] = {
    { S("name"), S("span_name"), false },
    { S("kind"), S("kind"), false },
    { S("trace_id"), S("trace_id"), false },
    { S("span_id"), S("span_id"), false },
    { S("parent_span_id"), S("parent_span_id"), false },
    { S("trace_state"), S("trace_state"), false },
    { S("end_ns"), S("end_ns"), false },
    { S("duration_ns"), S("duration_ns"), false },
    { S("status_code"), S("status_code"), false },
    { S("status_message"), S("status_message"), false },
    { S("events"), S("events"), false },
    { S("links"), S("links"), false },
    { S("flags"), S("flags"), true },
    { S("scope_name"), S("scope_name"), false },
    { S("scope_version"), S("scope_version"), false },
};

static const struct field *find_field(bool spans, struct str name, bool by_label)
{
    const struct field *all = spans ? span_fields : log_fields;
    size_t n = spans ? LEN(span_fields) : LEN(log_fields);
    for (size_t i = 0; i < n; i++)
        if (str_eq(by_label ? all[i].label : all[i].name, name))
            return &all[i];
    return NULL;
}

bool is_identity_label(struct str label)
{
    static const struct str names[] = {
        S("session_id"), S("organization_id"), S("prompt_id"), S("agent_id"), S("parent_agent_id"),
    };
    for (size_t i = 0; i < LEN(names); i++)
        if (str_eq(names[i], label))
            return true;
    return str_starts(label, S("user_"));
}

uint32_t meta_places(bool spans, struct str label)
{
    if (is_stream_attribute(label) || str_ends(label, S("_extracted")) || str_starts(label, S("__")) ||
        str_eq(label, S("detected_level")) || str_eq(label, S("ccmon_signal")))
        return 0;
    uint32_t places = 1u << PLACE_LABEL | 1u << PLACE_ATTR;
    if (!is_identity_label(label))
        places |= 1u << PLACE_SCOPE | 1u << PLACE_RESOURCE;
    const struct field *f = find_field(spans, label, true);
    if (!f)
        return places;
    return f->zero_absent || !str_eq(f->name, f->label) ? 0 : places | 1u << PLACE_FIELD;
}

void label_sources(struct str label, void (*add)(void *arg, struct str column), void *arg)
{
    if (str_eq(label, S("detected_level"))) {
        static const struct str sources[] = {
            S("event_name"), S("decision"), S("severity_number"), S("severity_text"), S("level"), S("log_level"),
            S("severity"), S("lvl"), S("body"),
        };
        for (size_t i = 0; i < LEN(sources); i++)
            add(arg, sources[i]);
    }
    const struct field *f = find_field(false, label, true);
    if (f && !str_eq(f->name, f->label))
        add(arg, f->name);
    if (str_eq(label, S("span_name")))
        add(arg, S("name"));
}

/* ---- the labels of a block ----------------------------------------------------- */

void binding_init(struct binding *b, bool spans, bool level)
{
    *b = (struct binding){ .spans = spans, .level = level };
    arena_init(&b->mem, BLOCK_BUDGET);
}

void binding_done(struct binding *b)
{
    arena_done(&b->mem);
}

struct placed {
    struct str name;
    bool stream, zero_absent;
};

/* Which label a column is; an empty name: none. */
static struct placed place_column(struct binding *b, const struct column *c)
{
    struct str name = c->key.name;
    switch (c->key.place) {
    case PLACE_LABEL:
        return (struct placed){ name, true, false };
    case PLACE_FIELD: {
        const struct field *f = find_field(b->spans, name, false);
        return f ? (struct placed){ f->label, false, f->zero_absent } : (struct placed){ 0 };
    }
    case PLACE_RESOURCE:
        if (is_stream_attribute(name))
            return (struct placed){ label_name(name, &b->mem), true, false };
        break;
    case PLACE_ATTR:
        return (struct placed){ label_name(name, &b->mem), false, false };
    case PLACE_SCOPE:
    case PLACE_COUNT:
        break;
    }
    name = label_name(name, &b->mem);
    return is_identity_label(name) ? (struct placed){ 0 } : (struct placed){ name, false, false };
}

static struct bound *bound_of(struct binding *b, uint32_t name, bool meta)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->at[i].name == name && b->at[i].meta == meta)
            return &b->at[i];
    struct bound *l = arena_push(&b->mem, b->at, b->n, b->cap);
    *l = (struct bound){ .name = name, .meta = meta };
    return l;
}

static void bound_add(struct bound *l, const struct column *c, bool zero_absent)
{
    if (l->ncols == LABEL_COLS_MAX)
        return;
    l->cols[l->ncols++] = c;
    l->zero_absent |= zero_absent;
}

static void add_columns(struct binding *b, struct names *names, enum place place)
{
    for (uint32_t i = 0; i < b->block->ncols; i++) {
        const struct column *c = &b->block->cols[i];
        if (c->key.place != place)
            continue;
        struct placed at = place_column(b, c);
        if (at.name.n)
            bound_add(bound_of(b, names_id(names, at.name), !at.stream), c, at.zero_absent);
    }
}

static int by_name(const void *x, const void *y)
{
    const struct bound *a = x, *b = y;
    if (a->name != b->name)
        return a->name < b->name ? -1 : 1;
    return (int)a->meta - (int)b->meta;
}

/* In the order of their numbers, so that groups over all labels need no sorting. */
static void index_labels(struct binding *b, const struct names *names)
{
    if (b->n > 1)
        qsort(b->at, b->n, sizeof *b->at, by_name);
    b->limit = names->n;
    b->stream_of = arena_new(&b->mem, uint32_t, b->limit + 1);
    b->meta_of = arena_new(&b->mem, uint32_t, b->limit + 1);
    for (uint32_t i = 0; i < b->n; i++)
        (b->at[i].meta ? b->meta_of : b->stream_of)[b->at[i].name] = i + 1;
}

static const struct bound *at_index(const struct binding *b, const uint32_t *index, uint32_t name)
{
    return name < b->limit && index[name] ? &b->at[index[name] - 1] : NULL;
}

const struct bound *binding_stream(const struct binding *b, uint32_t name)
{
    return at_index(b, b->stream_of, name);
}

const struct bound *binding_meta(const struct binding *b, uint32_t name)
{
    return at_index(b, b->meta_of, name);
}

struct value bound_value_col(const struct bound *l, uint32_t row, uint32_t *ret_col)
{
    for (uint32_t i = 0; i < l->ncols; i++) {
        struct value v = column_value(l->cols[i], row);
        if (v.type == V_NONE)
            continue;
        if (l->zero_absent && l->cols[i]->key.place == PLACE_FIELD && v.type == V_INT && !v.i)
            continue;
        if (v.type == V_STR && !v.s.n)
            continue;                              /* an empty label is none */
        *ret_col = i;
        return v;
    }
    return (struct value){ 0 };
}

struct value bound_value(const struct bound *l, uint32_t row)
{
    uint32_t col;
    return bound_value_col(l, row, &col);
}

/* ---- columns that are made ------------------------------------------------------ */

static struct str text_at(const struct label_ref *ref, uint32_t row, char scratch[VALUE_TEXT_MAX])
{
    struct value v = label_value(ref, row);
    return value_text(&v, scratch);
}

struct level_sources {
    struct label_ref event, decision, number, text;
    const struct bound *named[8];                  /* labels called "level" or the like */
    uint32_t nnamed;
};

static enum level level_of_row(const struct binding *b, const struct level_sources *s, uint32_t row)
{
    char scratch[VALUE_TEXT_MAX], scratch2[VALUE_TEXT_MAX];
    enum level l = level_of_event(text_at(&s->event, row, scratch), text_at(&s->decision, row, scratch2));
    if (l)
        return l;
    struct value number = label_value(&s->number, row);
    l = number.type == V_INT ? level_of_severity(number.i) : LEVEL_NONE;
    if (!l)
        l = level_of_text(text_at(&s->text, row, scratch));
    if (l)
        return l;
    if (b->block->origin && b->block->origin[row] != ORIGIN_LOKI)
        return LEVEL_INFO;
    for (uint32_t i = 0; i < s->nnamed; i++) {
        struct value v = bound_value(s->named[i], row);
        l = level_of_text(value_text(&v, scratch));
        if (l)
            return l;
    }
    l = level_of_line(text_at(&b->line, row, scratch));
    return l ? l : LEVEL_UNKNOWN;
}

static bool coded(const struct label_ref *ref)
{
    return !ref->n || (ref->n == 1 && ref->at[0]->code);
}

/* What an event says by its code. Claude Code's records have no severity, so that event
 * and decision alone decide: table[event * 2 + is it a rejection]. */
static void levels_by_event(struct binding *b, const struct column *event, const struct column *decision, uint32_t *level)
{
    char scratch[VALUE_TEXT_MAX];
    struct selection all = { NULL, b->block->n };
    uint8_t *table = arena_new(&b->mem, uint8_t, 2 * event->ndict), *rejects = arena_new(&b->mem, uint8_t, decision ? decision->ndict : 1);
    for (uint32_t i = 0; i < 2 * event->ndict; i++) {
        enum level l = level_of_event(value_text(&event->dict[i / 2], scratch), i % 2 ? S("reject") : S(""));
        table[i] = (uint8_t)(l ? l : LEVEL_INFO);
    }
    for (uint32_t i = 0; decision && i < decision->ndict; i++)
        rejects[i] = str_eq(value_text(&decision->dict[i], scratch), S("reject"));
    uint32_t events[CODES_STRIP], decisions[CODES_STRIP] = { 0 };
    for (uint32_t from = 0; from < all.n; from += CODES_STRIP) {
        uint32_t n = MIN(all.n - from, (uint32_t)CODES_STRIP);
        codes_read(event, &all, from, n, events);
        if (decision)
            codes_read(decision, &all, from, n, decisions);
        for (uint32_t i = 0; i < n; i++)
            level[from + i] = table[2 * events[i] + rejects[decisions[i]]];
    }
}

/* Pushed rows say their level in labels or in the line. */
static bool is_any_pushed(const struct block *blk)
{
    return !blk->origin || memchr(blk->origin, ORIGIN_LOKI, blk->n);
}

static void fill_levels(struct binding *b, const struct level_sources *s, uint32_t *code)
{
    const struct block *blk = b->block;
    if (s->event.n && coded(&s->event) && !s->number.n && !s->text.n && coded(&s->decision) && !is_any_pushed(blk)) {
        levels_by_event(b, s->event.at[0], s->decision.n ? s->decision.at[0] : NULL, code);
        return;
    }
    for (uint32_t i = 0; i < blk->nsel; i++)
        code[blk->sel[i]] = level_of_row(b, s, blk->sel[i]);
}

static void add_level(struct binding *b, struct names *names)
{
    const struct block *blk = b->block;
    const uint32_t record = 1u << PLACE_ATTR | 1u << PLACE_FIELD;
    struct level_sources s = {
        .event = block_label(blk, S("event_name"), record),
        .decision = block_label(blk, S("decision"), 1u << PLACE_ATTR),
        .number = block_label(blk, S("severity_number"), 1u << PLACE_FIELD),
        .text = block_label(blk, S("severity_text"), 1u << PLACE_FIELD),
    };
    for (uint32_t i = 0; i < b->n && s.nnamed < LEN(s.named); i++)
        if (is_level_label(names->at[b->at[i].name]))
            s.named[s.nnamed++] = &b->at[i];

    struct value *dict = arena_new(&b->mem, struct value, LEVEL_COUNT);
    for (int l = LEVEL_NONE + 1; l < LEVEL_COUNT; l++)
        dict[l] = value_str(level_name(l));
    uint32_t *code = arena_new(&b->mem, uint32_t, blk->n + 1);
    fill_levels(b, &s, code);

    struct column *c = arena_new(&b->mem, struct column, 1);
    *c = (struct column){ .key = { PLACE_ATTR, S("detected_level") }, .code = code, .dict = dict, .ndict = LEVEL_COUNT };
    bound_add(bound_of(b, names_id(names, S("detected_level")), true), c, false);
}

/* Spans show what they are, so that nobody takes them for events. */
static void add_signal(struct binding *b, struct names *names)
{
    struct value *dict = arena_new(&b->mem, struct value, 2);
    dict[1] = value_str(S("spans"));
    uint32_t *code = arena_new(&b->mem, uint32_t, b->block->n + 1);
    for (uint32_t i = 0; i < b->block->nsel; i++)
        code[b->block->sel[i]] = 1;
    struct column *c = arena_new(&b->mem, struct column, 1);
    *c = (struct column){ .key = { PLACE_LABEL, S("ccmon_signal") }, .code = code, .dict = dict, .ndict = 2 };
    bound_add(bound_of(b, names_id(names, S("ccmon_signal")), false), c, false);
}

void binding_block(struct binding *b, struct names *names, const struct block *block)
{
    static const enum place order[] = { PLACE_LABEL, PLACE_ATTR, PLACE_SCOPE, PLACE_RESOURCE, PLACE_FIELD };
    arena_reset(&b->mem);
    b->block = block;
    b->serial++;
    b->at = NULL;
    b->n = b->cap = 0;
    b->coded = NULL;
    b->line = block_label(block, b->spans ? S("name") : S("body"), 1u << PLACE_FIELD);
    for (size_t i = 0; i < LEN(order); i++)
        add_columns(b, names, order[i]);
    if (b->spans)
        add_signal(b, names);
    else if (b->level)
        add_level(b, names);
    index_labels(b, names);
}
