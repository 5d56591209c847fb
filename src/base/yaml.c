/* base/yaml.c -- the wrapper of libyaml: its events become a small tree.
 *
 * The subset a configuration needs, strictly: one document, scalar keys, no
 * aliases, no tags, no key twice. Building recurses, bounded by YAML_DEPTH_MAX.
 */
#include "base/yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/map.h"

enum { YAML_INPUT_MAX = 8 << 20 };                 /* no configuration comes near; rule files of thousands fit */

struct loader {
    yaml_parser_t parser;
    struct str in;
    struct arena *mem;
    struct fault *fault;
    uint32_t nodes;
};

/* Byte offset of a mark: libyaml counts characters, also across lines. */
static size_t offset_of(struct str in, const yaml_mark_t *m)
{
    size_t at = 0, chars = m->index;
    while (at < in.n && chars) {
        at++;
        while (at < in.n && ((unsigned char)in.p[at] & 0xc0) == 0x80)
            at++;
        chars--;
    }
    return at;
}

static enum err fail(struct loader *l, enum err code, const yaml_mark_t *m, const char *what)
{
    return fault_set(l->fault, code, offset_of(l->in, m), "line %zu, column %zu: %s", m->line + 1, m->column + 1, what);
}

static enum err next_event(struct loader *l, yaml_event_t *ret)
{
    if (yaml_parser_parse(&l->parser, ret))
        return OK;
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_READER_ERROR)
        return fault_set(l->fault, E_SYNTAX, p->problem_offset, "YAML: %s at byte %zu", p->problem, p->problem_offset);
    CHECK(p->error == YAML_SCANNER_ERROR || p->error == YAML_PARSER_ERROR);
    return fail(l, E_SYNTAX, &p->problem_mark, p->problem ? p->problem : "syntax error");
}

static struct str text_of(struct loader *l, const yaml_event_t *e)
{
    return arena_str(l->mem, (struct str){ (const char *)e->data.scalar.value, e->data.scalar.length });
}

static bool is_null(struct str s)
{
    return s.n == 0 || str_eq(s, S("~")) || str_eq(s, S("null")) || str_eq(s, S("Null")) || str_eq(s, S("NULL"));
}

static enum err new_node(struct loader *l, const yaml_event_t *e, enum yaml_kind kind, struct yaml **ret)
{
    if (++l->nodes > YAML_NODES_MAX)
        return fail(l, E_LIMIT, &e->start_mark, "more than YAML_NODES_MAX nodes");
    struct yaml *y = arena_new(l->mem, struct yaml, 1);
    y->kind = kind;
    y->line = (uint32_t)e->start_mark.line + 1;
    y->col = (uint32_t)e->start_mark.column + 1;
    *ret = y;
    return OK;
}

static enum err build(struct loader *l, const yaml_event_t *e, int depth, struct yaml **ret);

static enum err build_scalar(struct loader *l, const yaml_event_t *e, struct yaml **ret)
{
    enum err err = new_node(l, e, YAML_SCALAR, ret);
    if (err)
        return err;
    (*ret)->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    (*ret)->text = text_of(l, e);
    if (!(*ret)->quoted && is_null((*ret)->text))
        (*ret)->kind = YAML_NULL;
    return OK;
}

static enum err build_list(struct loader *l, const yaml_event_t *e, int depth, struct yaml **ret)
{
    enum err err = new_node(l, e, YAML_LIST, ret);
    if (err)
        return err;
    struct yaml **tail = &(*ret)->child;
    for (;;) {
        CLEANUP(yaml_event_delete) yaml_event_t item = { 0 };
        err = next_event(l, &item);
        if (err || item.type == YAML_SEQUENCE_END_EVENT)
            return err;
        err = build(l, &item, depth + 1, tail);
        if (err)
            return err;
        tail = &(*tail)->next;
    }
}

/* One `key: value` of a mapping; `key` is the event of the key. */
static enum err build_pair(struct loader *l, const yaml_event_t *key, int depth, struct map *seen, struct yaml **ret)
{
    if (key->type != YAML_SCALAR_EVENT)
        return fail(l, E_SYNTAX, &key->start_mark, "a key has to be a plain word or string");
    struct str name = text_of(l, key);
    bool fresh;
    (void)map_intern(seen, name, 0, &fresh);
    if (!fresh)
        return fail(l, E_SYNTAX, &key->start_mark, "this key is already there");

    CLEANUP(yaml_event_delete) yaml_event_t value = { 0 };
    enum err err = next_event(l, &value);
    if (!err)
        err = build(l, &value, depth + 1, ret);
    if (err)
        return err;
    (*ret)->key = name;
    (*ret)->key_line = (uint32_t)key->start_mark.line + 1;
    (*ret)->key_col = (uint32_t)key->start_mark.column + 1;
    return OK;
}

static enum err build_map(struct loader *l, const yaml_event_t *e, int depth, struct yaml **ret)
{
    enum err err = new_node(l, e, YAML_MAP, ret);
    if (err)
        return err;
    CLEANUP(map_done) struct map seen = { 0 };
    struct yaml **tail = &(*ret)->child;
    for (;;) {
        CLEANUP(yaml_event_delete) yaml_event_t key = { 0 };
        err = next_event(l, &key);
        if (err || key.type == YAML_MAPPING_END_EVENT)
            return err;
        err = build_pair(l, &key, depth, &seen, tail);
        if (err)
            return err;
        tail = &(*tail)->next;
    }
}

/* node := scalar | list | map, whose first event is `e`. */
static enum err build(struct loader *l, const yaml_event_t *e, int depth, struct yaml **ret)
{
    if (depth > YAML_DEPTH_MAX)
        return fail(l, E_LIMIT, &e->start_mark, "nested deeper than YAML_DEPTH_MAX");
    const unsigned char *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return fail(l, E_SYNTAX, &e->start_mark, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        tag = e->data.sequence_start.tag;
        break;
    default:
        CHECK(e->type == YAML_MAPPING_START_EVENT);
        tag = e->data.mapping_start.tag;
    }
    if (tag)
        return fail(l, E_SYNTAX, &e->start_mark, "tags are not supported");
    if (e->type == YAML_SCALAR_EVENT)
        return build_scalar(l, e, ret);
    return e->type == YAML_SEQUENCE_START_EVENT ? build_list(l, e, depth, ret) : build_map(l, e, depth, ret);
}

/* Takes the next event, which the grammar says can only be of this type. */
static enum err expect(struct loader *l, yaml_event_type_t type)
{
    CLEANUP(yaml_event_delete) yaml_event_t e = { 0 };
    enum err err = next_event(l, &e);
    if (err)
        return err;
    CHECK(e.type == type);
    return OK;
}

/* stream := [ document ] */
static enum err load(struct loader *l, struct yaml **ret)
{
    enum err err = expect(l, YAML_STREAM_START_EVENT);
    if (err)
        return err;
    CLEANUP(yaml_event_delete) yaml_event_t begin = { 0 }, root = { 0 }, after = { 0 };
    err = next_event(l, &begin);
    if (err)
        return err;
    if (begin.type == YAML_STREAM_END_EVENT)
        return new_node(l, &begin, YAML_NULL, ret);

    CHECK(begin.type == YAML_DOCUMENT_START_EVENT);
    err = next_event(l, &root);
    if (!err)
        err = build(l, &root, 0, ret);
    if (!err)
        err = expect(l, YAML_DOCUMENT_END_EVENT);
    if (!err)
        err = next_event(l, &after);
    if (!err && after.type != YAML_STREAM_END_EVENT)
        err = fail(l, E_SYNTAX, &after.start_mark, "more than one document");
    return err;
}

enum err yaml_parse(struct str in, struct arena *mem, struct yaml **ret, struct fault *f)
{
    if (in.n > YAML_INPUT_MAX)
        return fault_set(f, E_LIMIT, 0, "YAML of more than %d bytes", YAML_INPUT_MAX);
    struct loader l = { .in = in, .mem = mem, .fault = f };
    CHECK(yaml_parser_initialize(&l.parser));
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(in.p ? in.p : ""), in.n);

    struct yaml *root = NULL;
    enum err e = load(&l, &root);
    yaml_parser_delete(&l.parser);
    if (!e)
        *ret = root;
    return e;
}

const struct yaml *yaml_get(const struct yaml *map, struct str key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    for (const struct yaml *y = map->child; y; y = y->next)
        if (str_eq(y->key, key))
            return y;
    return NULL;
}
