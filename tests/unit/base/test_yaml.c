/* YAML: a tree printed as one line, and what is refused, with line and column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/yaml.h"

static void print(struct buf *b, const struct yaml *y)
{
    switch (y->kind) {
    case YAML_NULL:
        buf_byte(b, '~');
        return;
    case YAML_SCALAR:
        buf_fmt(b, y->quoted ? "'" STR_FMT "'" : STR_FMT, STR_ARG(y->text));
        return;
    default:
        break;
    }
    buf_byte(b, y->kind == YAML_MAP ? '{' : '[');
    for (const struct yaml *c = y->child; c; c = c->next) {
        if (y->kind == YAML_MAP)
            buf_fmt(b, STR_FMT ":", STR_ARG(c->key));
        print(b, c);
        buf_byte(b, c->next ? ',' : ' ');
    }
    buf_byte(b, y->kind == YAML_MAP ? '}' : ']');
}

static const struct { struct str in, want; } rows[] = {
    { S(""), S("~") },
    { S("# nothing\n"), S("~") },
    { S("a"), S("a") },
    { S("a: 1\nb: two words\nc:\n"), S("{a:1,b:two words,c:~ }") },
    { S("- x\n- - y\n  - z\n- {}\n- []\n"), S("[x,[y,z ],{},[] ]") },
    { S("a: '1'\nb: \"x\\ny\"\nc: 'null'\nd: null\ne: ~\nf: ''\n"), S("{a:'1',b:'x\ny',c:'null',d:~,e:~,f:'' }") },
    { S("a: |\n  one\n  two\nb: >-\n  three\n  four\n"), S("{a:'one\ntwo\n',b:'three four' }") },
    { S("a: {b: [1, {c: d}]}\n"), S("{a:{b:[1,{c:d } ] } }") },
    { S("---\na: 1\n...\n"), S("{a:1 }") },
    { S("a: 1 # comment\n'b c': 2\n"), S("{a:1,b c:2 }") },
    { S("expr: rate(x{a=\"b\"}[5m]) > 1\n"), S("{expr:rate(x{a=\"b\"}[5m]) > 1 }") },
};

static void trees(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fault f = { 0 };
        struct yaml *y = NULL;
        if (yaml_parse(rows[i].in, &mem, &y, &f))
            fail_msg("row %zu: %s", i, f.msg);
        buf_clear(&b);
        print(&b, y);
        if (!str_eq(buf_view(&b), rows[i].want))
            fail_msg("row %zu: " STR_FMT, i, STR_ARG(buf_view(&b)));
    }
    arena_done(&mem);
}

static const struct { struct str in; size_t at; const char *where, *what; } errors[] = {
    { S("a: 1\na: 2\n"), 5, "line 2, column 1", "already there" },
    { S("\xc3\xa9: 1\nx: 1\n\xc3\xa9: 2\n"), 11, "line 3, column 1", "already there" },
    { S("{a: 1, a: 2}"), 7, "line 1, column 8", "already there" },
    { S("a: &x 1\nb: *x\n"), 11, "line 2, column 4", "aliases" },
    { S("a: !!binary aGk=\n"), 3, "line 1, column 4", "tags" },
    { S("a: !mine [1]\n"), 3, "line 1, column 4", "tags" },
    { S("[a]: 1\n"), 0, "line 1, column 1", "a key has to be" },
    { S("a: 1\n---\nb: 2\n"), 5, "line 2, column 1", "more than one document" },
    { S("a: [1\nb: 2\n"), SIZE_MAX, "line 2", "" },
    { S("a: 'x\n"), SIZE_MAX, "line 2", "" },
    { S("a:\n\t- b\n"), SIZE_MAX, "line 2", "" },
    { S("a: \xff\n"), 3, "byte 3", "" },
};

static void refused(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < LEN(errors); i++) {
        struct fault f = { 0 };
        struct yaml *y = NULL;
        enum err e = yaml_parse(errors[i].in, &mem, &y, &f);
        bool at = errors[i].at == SIZE_MAX || f.at == errors[i].at;
        if (e != E_SYNTAX || y || !at || !strstr(f.msg, errors[i].where) || !strstr(f.msg, errors[i].what))
            fail_msg("row %zu: %d at %zu: %s", i, e, f.at, f.msg);
    }
    arena_done(&mem);
}

static void positions_and_lookup(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct yaml *y;
    assert_int_equal(yaml_parse(S("a: 1\nb:\n  - x\n  -  y\n"), &mem, &y, NULL), OK);
    const struct yaml *b = yaml_get(y, S("b"));
    assert_non_null(b);
    assert_true(b->key_line == 2 && b->key_col == 1);
    assert_true(b->child->next->line == 4 && b->child->next->col == 6);
    assert_null(yaml_get(y, S("c")));
    assert_null(yaml_get(b, S("x")));
    assert_null(yaml_get(NULL, S("x")));
    arena_done(&mem);
}

/* `n` times one text, between two others, in `mem`. */
static struct str repeat(struct arena *mem, struct str first, struct str each, size_t n, struct str last)
{
    struct buf b;
    buf_init(&b, 64 << 20);
    buf_str(&b, first);
    for (size_t i = 0; i < n; i++)
        buf_str(&b, each);
    buf_str(&b, last);
    struct str s = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return s;
}

static void limits(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 8 << 20);
    struct yaml *y;
    struct fault f = { 0 };
    assert_int_equal(yaml_parse(repeat(&mem, S(""), S("["), YAML_DEPTH_MAX, S("1")), &mem, &y, &f), E_SYNTAX);
    assert_int_equal(yaml_parse(repeat(&mem, S(""), S("["), YAML_DEPTH_MAX + 2, S("1")), &mem, &y, &f), E_LIMIT);
    assert_int_equal(yaml_parse(repeat(&mem, S("["), S("1,"), YAML_NODES_MAX - 1, S("]")), &mem, &y, &f), OK);
    assert_int_equal(yaml_parse(repeat(&mem, S("["), S("1,"), YAML_NODES_MAX, S("]")), &mem, &y, &f), E_LIMIT);
    assert_int_equal(yaml_parse(repeat(&mem, S("#"), S("x"), 9 << 20, S("")), &mem, &y, &f), E_LIMIT);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees), cmocka_unit_test(refused), cmocka_unit_test(positions_and_lookup), cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
