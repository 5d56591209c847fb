/* Expositions line by line: what a body gives, one item a word, or where it is refused. */
#include "support.h"

#include "scrape/expo.h"

/* name{label=value,...}value@ms for samples, T:name:type, H:name:text, U:name:unit. */
static void put_item(struct buf *b, const struct expo_item *it)
{
    static const char marks[] = { [EXPO_TYPE] = 'T', [EXPO_HELP] = 'H', [EXPO_UNIT] = 'U' };
    if (b->n)
        buf_byte(b, ' ');
    if (it->kind != EXPO_SAMPLE) {
        buf_fmt(b, "%c:" STR_FMT ":" STR_FMT, marks[it->kind], STR_ARG(it->name), STR_ARG(it->text));
        return;
    }
    buf_str(b, it->name);
    for (uint32_t i = 0; i < it->nlabels; i++)
        buf_fmt(b, "%c" STR_FMT "=" STR_FMT, i ? ',' : '{', STR_ARG(it->labels[i].name), STR_ARG(it->labels[i].value));
    buf_str(b, it->nlabels ? S("}") : S("="));
    buf_f64(b, it->value);
    if (it->has_time)
        buf_fmt(b, "@%lld", (long long)(it->time_ns / NS_PER_MS));
}

static const struct {
    enum expo_format format;
    const char *in, *want;                         /* what comes before the error, if there is one */
    const char *error;                             /* part of it; NULL: none */
} rows[] = {
    { EXPO_TEXT, "", "", NULL },
    { EXPO_TEXT, "a 1", "a=1", NULL },
    { EXPO_TEXT, "a 1\n\n  \nb\t2\n", "a=1 b=2", NULL },
    { EXPO_TEXT, "  a  1  \n", "a=1", NULL },
    { EXPO_TEXT, "a 1 123\na 2 -5 \n", "a=1@123 a=2@-5", NULL },
    { EXPO_TEXT, "a{} 1\na{b=\"c\"} 1\na{b=\"c\",} 1\na { b = \"c\" , d = \"e\" } 1\n", "a=1 a{b=c}1 a{b=c}1 a{b=c,d=e}1", NULL },
    { EXPO_TEXT, "a{b=\"c\"}1\n", "a{b=c}1", NULL },
    { EXPO_TEXT, "a{b=\"\"} 1\n", "a=1", NULL },
    { EXPO_TEXT, "a{b=\"x\\\\y\\\"z\\nw\\q\"} 1\n", "a{b=x\\y\"z\nw\\q}1", NULL },
    { EXPO_TEXT, "a 1e3\na +Inf\na -Inf\na NaN\na Infinity\na .5\n", "a=1000 a=+Inf a=-Inf a=NaN a=+Inf a=0.5", NULL },
    { EXPO_TEXT, "{\"a b\",c=\"d\"} 1\n{\"a.b\"} 2\n{\"x\",\"y z\"=\"w\"} 3\n", "a b{c=d}1 a.b=2 x{y z=w}3", NULL },
    { EXPO_TEXT, "# HELP a some \\\\ help\\n\n# TYPE a counter\n# UNIT a USD\n# nothing\n#\n#x\na 1\n", "H:a:some \\ help\n T:a:counter a=1", NULL },
    { EXPO_TEXT, "# HELP a\n# TYPE \"b c\" gauge\n", "H:a: T:b c:gauge", NULL },
    { EXPO_TEXT, "#\tTYPE\ta\tsummary\n", "T:a:summary", NULL },
    { EXPO_TEXT, "a:b_9 1\n", "a:b_9=1", NULL },
    { EXPO_TEXT, "# TYPE a nothing\n", "", "line 1: an unknown type" },
    { EXPO_TEXT, "a 1\na{b=\"c} 2\n", "a=1", "line 2: a quoted text without its end" },
    { EXPO_TEXT, "a{b=\"c\nd\"} 2\n", "", "a quoted text without its end" },
    { EXPO_TEXT, "a{b=\"c\"", "", "\",\" or \"}\" is wanted" },
    { EXPO_TEXT, "a{b=c} 1\n", "", "a quoted text is wanted" },
    { EXPO_TEXT, "a{b} 1\n", "", "\"=\" is wanted" },
    { EXPO_TEXT, "a{\"b\"} 1\n", "", "\"=\" is wanted" },
    { EXPO_TEXT, "{b=\"c\"} 1\n", "", "without a metric's name" },
    { EXPO_TEXT, "a{b=\"c\" d=\"e\"} 1\n", "", "\",\" or \"}\" is wanted" },
    { EXPO_TEXT, "a{b=\"1\",b=\"2\"} 1\n", "", "there twice" },
    { EXPO_TEXT, "a{__name__=\"b\"} 1\n", "", "the label __name__" },
    { EXPO_TEXT, "a{b=\"\xff\"} 1\n", "", "invalid UTF-8" },
    { EXPO_TEXT, "a\n", "", "a value is wanted" },
    { EXPO_TEXT, "a one\n", "", "a value is wanted" },
    { EXPO_TEXT, "a 0x10\n", "", "a value is wanted" },
    { EXPO_TEXT, "a 1_0\n", "", "a value is wanted" },
    { EXPO_TEXT, "a 1 2.5\n", "", "a time in milliseconds" },
    { EXPO_TEXT, "a 1 99999999999999999\n", "", "a time in milliseconds" },
    { EXPO_TEXT, "a 1 2 3\n", "", "more than a sample" },
    { EXPO_TEXT, "a 1\r\n", "", "a value is wanted" },
    { EXPO_TEXT, "9a 1\n", "", "a name is wanted" },
    { EXPO_OPENMETRICS, "# EOF\n", "", NULL },
    { EXPO_OPENMETRICS, "# EOF", "", NULL },
    { EXPO_OPENMETRICS, "# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s \\\"x\\\"\na_s_total{b=\"c\"} 1 1.5\n# EOF\n",
      "T:a_s:counter U:a_s:s H:a_s:\"x\" a_s_total{b=c}1@1500", NULL },
    { EXPO_OPENMETRICS, "a_total 1 # {id=\"x\"} 0.5\na_total 1 2 # {} 0.5 1.25\n# EOF\n", "a_total=1 a_total=1@2000", NULL },
    { EXPO_OPENMETRICS, "# TYPE i info\n# TYPE s stateset\n# TYPE g gaugehistogram\n# TYPE u unknown\n# EOF\n", "T:i:info T:s:stateset T:g:gaugehistogram T:u:unknown", NULL },
    { EXPO_OPENMETRICS, "a 1\n", "a=1", "data does not end with # EOF" },
    { EXPO_OPENMETRICS, "a 1\n# EOF\nb 2\n", "a=1", "more after # EOF" },
    { EXPO_OPENMETRICS, "a 1\n\n# EOF\n", "a=1", "an empty line" },
    { EXPO_OPENMETRICS, "a  1\n# EOF\n", "", "a value is wanted" },
    { EXPO_OPENMETRICS, "# remark\n# EOF\n", "", "no HELP, TYPE, UNIT or EOF" },
    { EXPO_OPENMETRICS, "# UNIT a s\n# EOF\n", "", "no suffix of its metric's name" },
    { EXPO_OPENMETRICS, "a 1 # x\n# EOF\n", "", "exemplar" },
    { EXPO_OPENMETRICS, "a 1 1e20\n# EOF\n", "", "a time in seconds" },
};

static void bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct arena mem;
        struct expo x;
        struct expo_item it = { 0 };
        struct fault f = { 0 };
        CLEANUP(buf_done) struct buf got;
        enum err e;
        arena_init(&mem, TEST_ARENA);
        buf_init(&got, 1 << 20);
        expo_init(&x, str_c(rows[i].in), rows[i].format, &mem);
        while (!(e = expo_next(&x, &it, &f)) && it.kind != EXPO_END)
            put_item(&got, &it);
        if (!str_eq(buf_view(&got), str_c(rows[i].want)))
            fail_msg("row %zu, %s: got " STR_FMT, i, rows[i].in, STR_ARG(buf_view(&got)));
        if (!e != !rows[i].error || (rows[i].error && !strstr(f.msg, rows[i].error)))
            fail_msg("row %zu, %s: %s", i, rows[i].in, e ? f.msg : "accepted");
        arena_done(&mem);
    }
}

/* `n` times `what`, between `begin` and `end`. */
static struct str repeated(struct buf *b, const char *begin, const char *what, size_t n, const char *end)
{
    buf_init(b, 64 << 20);
    buf_str(b, str_c(begin));
    for (size_t i = 0; i < n; i++)
        buf_fmt(b, what, (int)i);
    buf_str(b, str_c(end));
    return buf_view(b);
}

static void limits(void **state)
{
    static const struct {
        const char *begin, *what, *end, *error;
        size_t fits;
    } limit[] = {
        { "", "a", " 1\n", "EXPO_NAME_MAX", EXPO_NAME_MAX },
        { "a{", "l%d=\"v\",", "} 1\n", "EXPO_LABELS_MAX", EXPO_LABELS_MAX },
        { "# HELP a ", "x", "\n", "EXPO_LINE_MAX", EXPO_LINE_MAX - 9 },
    };
    (void)state;
    for (size_t i = 0; i < LEN(limit); i++)
        for (size_t more = 0; more < 2; more++) {
            struct arena mem;
            struct expo x;
            struct expo_item it;
            struct fault f = { 0 };
            struct buf b;
            arena_init(&mem, TEST_ARENA);
            expo_init(&x, repeated(&b, limit[i].begin, limit[i].what, limit[i].fits + more, limit[i].end), EXPO_TEXT, &mem);
            enum err e = expo_next(&x, &it, &f);
            if (e != (more ? E_LIMIT : OK) || (more && !strstr(f.msg, limit[i].error)))
                fail_msg("%s + %zu: %s", limit[i].error, more, e ? f.msg : "accepted");
            buf_done(&b);
            arena_done(&mem);
        }
}

static void formats(void **state)
{
    (void)state;
    assert_int_equal(expo_format_of(S("text/plain")), EXPO_TEXT);
    assert_int_equal(expo_format_of(S("text/plain; version=0.0.4")), EXPO_TEXT);
    assert_int_equal(expo_format_of(S("application/openmetrics-text; version=1.0.0; charset=utf-8")), EXPO_OPENMETRICS);
    assert_int_equal(expo_format_of(S("")), EXPO_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bodies), cmocka_unit_test(limits), cmocka_unit_test(formats) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
