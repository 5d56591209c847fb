/* Maps read by a table: what each type takes, and where each is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "base/fields.h"

struct inner { struct str text; bool yes; };
struct outer {
    struct str text;
    bool yes, given;
    uint64_t count, size, choice;
    double f64;
    int64_t duration;
    struct texts texts;
    struct pairs pairs;
    struct list list;
    struct inner inner;
    const struct yaml *node;
};

static const struct inner inner_default = { S("default"), true };
static const struct field inner_fields[] = {
    { S("text"), FIELD_TEXT, offsetof(struct inner, text) },
    { S("yes"), FIELD_BOOL, offsetof(struct inner, yes) },
    { .name = { 0 } },
};
static const struct field fields[] = {
    { S("text"), FIELD_TEXT, offsetof(struct outer, text), .given = offsetof(struct outer, given) },
    { S("yes"), FIELD_BOOL, offsetof(struct outer, yes) },
    { S("count"), FIELD_COUNT, offsetof(struct outer, count), 1, 10 },
    { S("size"), FIELD_SIZE, offsetof(struct outer, size) },
    { S("choice"), FIELD_CHOICE, offsetof(struct outer, choice), .choices = "a|b" },
    { S("f64"), FIELD_F64, offsetof(struct outer, f64) },
    { S("duration"), FIELD_DURATION, offsetof(struct outer, duration), 1, INT64_C(60000000000) },
    { S("texts"), FIELD_TEXTS, offsetof(struct outer, texts), .max = 2 },
    { S("pairs"), FIELD_PAIRS, offsetof(struct outer, pairs) },
    { S("list"), FIELD_LIST, offsetof(struct outer, list), .sub = inner_fields, .size = sizeof(struct inner), .init = &inner_default },
    { S("inner"), FIELD_MAP, offsetof(struct outer, inner), .sub = inner_fields },
    { S("node"), FIELD_NODE, offsetof(struct outer, node) },
    { S("old"), FIELD_IGNORED, 0 },
    { .name = { 0 } },
};

static void print(struct buf *b, const struct outer *o)
{
    buf_fmt(b, STR_FMT "%s %d %llu %llu %llu %g %lld [", STR_ARG(o->text), o->given ? "!" : "", o->yes, (unsigned long long)o->count,
            (unsigned long long)o->size, (unsigned long long)o->choice, o->f64, (long long)o->duration);
    for (uint32_t i = 0; i < o->texts.n; i++)
        buf_fmt(b, STR_FMT ",", STR_ARG(o->texts.at[i]));
    for (uint32_t i = 0; i < o->pairs.n; i++)
        buf_fmt(b, STR_FMT "=" STR_FMT ",", STR_ARG(o->pairs.at[i].name), STR_ARG(o->pairs.at[i].value));
    const struct inner *list = o->list.at;
    for (uint32_t i = 0; i < o->list.n; i++)
        buf_fmt(b, STR_FMT "/%d,", STR_ARG(list[i].text), list[i].yes);
    buf_fmt(b, "] " STR_FMT "/%d%s", STR_ARG(o->inner.text), o->inner.yes, o->node ? " node" : "");
}

static const struct { struct str in, want; } rows[] = {
    { S(""), S(" 0 0 0 0 0 0 [] /0") },
    { S("text: a b\nyes: true\ncount: 3\nsize: 10MB\nchoice: b\nf64: 1.5\nduration: 1m"),
      S("a b! 1 3 10485760 1 1.5 60000000000 [] /0") },
    { S("size: 1KiB"), S(" 0 0 1024 0 0 0 [] /0") },
    { S("size: 1G"), S(" 0 0 1073741824 0 0 0 [] /0") },
    { S("texts: one"), S(" 0 0 0 0 0 0 [one,] /0") },
    { S("texts: [x, 'y']\npairs: {c: 1, a: }"), S(" 0 0 0 0 0 0 [x,y,c=1,a=,] /0") },
    { S("list:\n- {}\n- {text: x, yes: false}\n"), S(" 0 0 0 0 0 0 [default/1,x/0,] /0") },
    { S("inner: {text: t}\nnode: [1]\nold: {any: thing}"), S(" 0 0 0 0 0 0 [] t/0 node") },
    { S("text:\nlist:\ninner:\n"), S("! 0 0 0 0 0 0 [] /0") },
    { S("x: 1"), S("f:1:1: unknown key \"x\"") },
    { S("inner:\n  x: 1"), S("f:2:3: unknown key \"inner.x\"") },
    { S("yes: maybe"), S("f:1:6: yes: \"maybe\" is neither true nor false") },
    { S("count: 11"), S("f:1:8: count: \"11\" is no number from 1 to 10") },
    { S("count: -1"), S("f:1:8: count: \"-1\" is no number from 1 to 10") },
    { S("size: 1X"), S("f:1:7: size: \"1X\" is no size such as 512, 64KB or 10MB") },
    { S("size: 99999999999T"), S("f:1:7: size: \"99999999999T\" is no size such as 512, 64KB or 10MB") },
    { S("choice: c"), S("f:1:9: choice: \"c\" is none of a|b") },
    { S("f64: x"), S("f:1:6: f64: \"x\" is no number") },
    { S("duration: 5"), S("f:1:11: duration: \"5\" is no duration such as 1m, 90s or 500ms") },
    { S("duration: 5m"), S("f:1:11: duration: \"5m\" is out of range") },
    { S("texts: [a, b, c]"), S("f:1:15: texts: more than 2 of them") },
    { S("texts: {a: b}"), S("f:1:8: texts: a list is wanted") },
    { S("pairs: [a]"), S("f:1:8: pairs: a map of texts is wanted") },
    { S("list: [1]"), S("f:1:8: list: a map of keys is wanted") },
    { S("text: [a]"), S("f:1:7: text: a single value is wanted") },
    { S("- a"), S("f:1:1: a map of keys is wanted") },
};

static void count_warning(void *arg, const char *text)
{
    (void)text;
    ++*(int *)arg;
}

static void tables(void **state)
{
    (void)state;
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, 1 << 20);
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    int warnings = 0;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fault f = { 0 };
        struct outer o = { 0 };
        struct yaml *y = NULL;
        struct fields_reader r = { S("f"), &mem, count_warning, &warnings, &f };
        buf_clear(&b);
        assert_int_equal(yaml_parse(rows[i].in, &mem, &y, &f), OK);
        if (fields_read(&r, y, S(""), fields, &o))
            buf_str(&b, str_c(f.msg));
        else
            print(&b, &o);
        if (!str_eq(buf_view(&b), rows[i].want)) {
            print_message("row %zu: " STR_FMT "\n  got  " STR_FMT "\n  want " STR_FMT "\n", i, STR_ARG(rows[i].in), STR_ARG(buf_view(&b)),
                          STR_ARG(rows[i].want));
            fail();
        }
    }
    assert_int_equal(warnings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tables) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
