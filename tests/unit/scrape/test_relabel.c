/* Relabelling rules: labels before and after, as Prometheus's own tests and documentation have
 * them; and the rules that are refused. */
#include "support.h"

#include "scrape/relabel.h"

static const struct {
    const char *rules, *before, *after;            /* after NULL: dropped */
} rows[] = {
    { "[{source_labels: [a], regex: 'f(.*)', target_label: d, separator: ';', replacement: 'ch${1}-ch${1}'}]", "a=foo,b=bar", "a=foo,b=bar,d=choo-choo" },
    { "[{source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}]", "a=foo,b=bar", "a=boobam,b=bar" },
    { "[{source_labels: [a], regex: '.*o.*', action: drop}]", "a=foo", NULL },
    { "[{source_labels: [a], regex: 'o', action: drop}]", "a=foo", "a=foo" },
    { "[{source_labels: [a], regex: '.*b.*', action: keep}]", "a=foo", NULL },
    { "[{source_labels: [a], regex: 'f.*', action: keep}]", "a=foo", "a=foo" },
    { "[{source_labels: [a], regex: 'f', target_label: b, replacement: bar}]", "a=boo", "a=boo" },
    { "[{source_labels: [a], regex: 'f.*', target_label: a, replacement: ''}]", "a=foo,b=c", "b=c" },
    { "[{target_label: a, replacement: x}]", "", "a=x" },
    { "[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]", "a=foo,c=baz", "a=foo,c=baz,d=976" },
    { "[{source_labels: [a], target_label: d, action: hashmod, modulus: 1000}]", "a=foo\nbar", "a=foo\nbar,d=734" },
    { "[{regex: '(b.*)', replacement: 'bar_${1}', action: labelmap}]", "a=foo,b1=bar,b2=baz", "a=foo,b1=bar,b2=baz,bar_b1=bar,bar_b2=baz" },
    { "[{regex: '__meta_(my.*)', replacement: '${1}', action: labelmap}]", "__meta_my_bar=aaa,__meta_my_baz=bbb,__meta_other=ccc", "__meta_my_bar=aaa,__meta_my_baz=bbb,__meta_other=ccc,my_bar=aaa,my_baz=bbb" },
    { "[{source_labels: [a], regex: 'some-([^-]+)-([^,]+)', target_label: '${1}', replacement: '${2}', action: replace}]", "a=some-name-value", "a=some-name-value,name=value" },
    { "[{source_labels: [a], regex: 'some-([^-]*)-x', target_label: '${1}', replacement: y}]", "a=some--x", "a=some--x" },
    { "[{regex: '(b.*)', action: labelkeep}]", "a=foo,b1=bar,b2=baz", "b1=bar,b2=baz" },
    { "[{regex: '(b.*)', action: labeldrop}]", "a=foo,b1=bar,b2=baz", "a=foo" },
    { "[{source_labels: [foo], target_label: u, action: uppercase}, {source_labels: [foo], target_label: l, action: lowercase}]", "foo=bAr123Foo", "foo=bAr123Foo,l=bar123foo,u=BAR123FOO" },
    { "[{source_labels: [p], target_label: q, action: keepequal}]", "p=1234,q=1234", "p=1234,q=1234" },
    { "[{source_labels: [p], target_label: q, action: keepequal}]", "p=1234,q=5678", NULL },
    { "[{source_labels: [p], target_label: q, action: dropequal}]", "p=1234,q=1234", NULL },
    { "[{source_labels: [p], target_label: q, action: dropequal}]", "p=1234,q=5678", "p=1234,q=5678" },
    { "[{source_labels: [a], regex: '(?P<x>.)(.*)', target_label: b, replacement: '$x$2$$1$1x${3}$'}]", "a=foo", "a=foo,b=foo$1$" },
    { "[{source_labels: [a], regex: '(a|(b))', target_label: c, replacement: '<$2>'}]", "a=a", "a=a,c=<>" },
    { "[{source_labels: [a], target_label: a, action: Replace}, {source_labels: [a], regex: 'x', action: KEEP}]", "a=x", "a=x" },
    { "[{source_labels: [a], regex: 'a.b', target_label: c, replacement: y}]", "a=a\nb", "a=a\nb,c=y" },
    { "[]", "a=b", "a=b" },
    { "", "a=b", "a=b" },
};

static struct lset parse_set(const char *text, struct arena *mem)
{
    struct lset s = { .mem = mem };
    struct str rest = str_c(text);
    while (rest.n) {
        struct str value = str_cut(&rest, ','), name = str_cut(&value, '=');
        lset_set(&s, name, value);
    }
    return s;
}

static void applied(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct arena mem;
        struct fault f = { 0 };
        struct relabel r = { 0 };
        arena_init(&mem, TEST_ARENA);
        struct fields_reader reader = { .file = S("test"), .mem = &mem, .f = &f };
        if (relabel_read(&reader, test_yaml(rows[i].rules, &mem), S("relabel_configs"), &r))
            fail_msg("row %zu, %s: %s", i, rows[i].rules, f.msg);
        struct lset s = parse_set(rows[i].before, &mem);
        bool kept = relabel_apply(&r, &s);
        CLEANUP(buf_done) struct buf got;
        buf_init(&got, 1 << 20);
        lset_sort(&s);
        for (uint32_t k = 0; k < s.n; k++)
            buf_fmt(&got, "%s" STR_FMT "=" STR_FMT, k ? "," : "", STR_ARG(s.at[k].name), STR_ARG(s.at[k].value));
        if (kept != !!rows[i].after || (kept && !str_eq(buf_view(&got), str_c(rows[i].after))))
            fail_msg("row %zu, %s on %s: %s" STR_FMT, i, rows[i].rules, rows[i].before, kept ? "" : "dropped, ", STR_ARG(buf_view(&got)));
        relabel_done(&r);
        arena_done(&mem);
    }
}

static const struct {
    const char *rules, *error;
} refused[] = {
    { "[{action: explode}]", "unknown relabel action" },
    { "[{source_labels: [a]}]", "requires 'target_label' value" },
    { "[{source_labels: [a], target_label: b, action: hashmod}]", "requires non-zero modulus" },
    { "[{source_labels: [a], action: lowercase}]", "requires 'target_label' value" },
    { "[{source_labels: [a], regex: x, action: labeldrop}]", "requires only 'regex'" },
    { "[{source_labels: [a], target_label: b, regex: x, action: keepequal}]", "requires only 'source_labels'" },
    { "[{source_labels: [a], regex: '(', target_label: b}]", "missing closing )" },
    { "[{source_label: [a]}]", "unknown key \"relabel_configs.source_label\"" },
    { "{a: b}", "a list of rules is wanted" },
};

static void not_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(refused); i++) {
        struct arena mem;
        struct fault f = { 0 };
        struct relabel r = { 0 };
        arena_init(&mem, TEST_ARENA);
        struct fields_reader reader = { .file = S("test"), .mem = &mem, .f = &f };
        if (!relabel_read(&reader, test_yaml(refused[i].rules, &mem), S("relabel_configs"), &r))
            fail_msg("%s: accepted", refused[i].rules);
        if (!strstr(f.msg, refused[i].error) || !strstr(f.msg, "test:1:"))
            fail_msg("%s: %s", refused[i].rules, f.msg);
        relabel_done(&r);
        arena_done(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(applied), cmocka_unit_test(not_accepted) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
