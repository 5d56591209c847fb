/* RE2 as Go would: anchors, syntax, groups, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/regex.h"

static const struct { struct str pattern; enum regex_mode mode; struct str in; bool match; } rows[] = {
    { S("a+"), REGEX_FULL, S("aaa"), true },
    { S("a+"), REGEX_FULL, S("aab"), false },
    { S("a+"), REGEX_SEARCH, S("bab"), true },
    { S("a|b"), REGEX_FULL, S("ab"), false },      /* the anchors hold both branches */
    { S("a.b"), REGEX_FULL, S("a\nb"), true },
    { S("a.b"), REGEX_SEARCH, S("xa\nbx"), true },
    { S(""), REGEX_FULL, S(""), true },
    { S(""), REGEX_FULL, S("x"), false },
    { S(""), REGEX_SEARCH, S("x"), true },
    { S(".*"), REGEX_FULL, S(""), true },
    { S("^b$"), REGEX_SEARCH, S("a\nb"), false },  /* $ is the end of text without (?m) */
    { S("(?m)^b$"), REGEX_SEARCH, S("a\nb"), true },
    { S("(?i)ABC"), REGEX_FULL, S("abc"), true },
    { S("."), REGEX_FULL, S("\xc3\xa9"), true },   /* characters, not bytes */
    { S("\\pL+"), REGEX_FULL, S("\xc3\xa9t\xc3\xa9"), true },
    { S("[[:alpha:]]]"), REGEX_FULL, S("a]"), true },
    { S("(?<x>a)"), REGEX_FULL, S("a"), true },
    { S("[(?<]+"), REGEX_FULL, S("(?<"), true },   /* not a group inside a class */
    { S("[]](?<x>a)"), REGEX_FULL, S("]a"), true },
    { S("[^]](?<x>a)"), REGEX_FULL, S("ba"), true },
    { S("[\\]](?<x>a)"), REGEX_FULL, S("]a"), true },
    { S("\\Q(?<x>\\E(?<x>a)"), REGEX_FULL, S("(?<x>a"), true },
    { S("\\Q(?<x>"), REGEX_FULL, S("(?<x>"), true },
    { S("\\(?<x>"), REGEX_FULL, S("(<x>"), true },
};

static void matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fault f = { 0 };
        CLEANUP(regex_freep) struct regex *r = NULL;
        if (regex_new(rows[i].pattern, rows[i].mode, &r, &f))
            fail_msg("row %zu: " STR_FMT ": %s", i, STR_ARG(rows[i].pattern), f.msg);
        if (regex_match(r, rows[i].in) != rows[i].match)
            fail_msg("row %zu: " STR_FMT " on '" STR_FMT "'", i, STR_ARG(rows[i].pattern), STR_ARG(rows[i].in));
    }
    regex_free(NULL);
}

/* Patterns that are literals are told without RE2, and must say what it says of the same in
 * two more groups, where they are not taken for literals. */
static void literals(void **state)
{
    static const struct str patterns[] = {
        S(""), S("a"), S("ab"), S(".*"), S(".*.*"), S("a.*"), S(".*a"), S(".*a.*"), S("a|b"), S("a|"), S("|"), S("(a|b)"), S("(?:a|b)"),
        S(".*(a|b)"), S(".*(a|b).*"), S("(a|b).*"), S(".*a|b"), S("a|b.*"), S(".*a|b.*"), S("(a|b"), S("(a)?"), S("(a)*b"), S("a.*b"),
        S("a.*?"), S(".*?a"), S(".*+"), S("a.*|.*b|ab"), S("a\\.b"), S("a\\-b|\\|"), S("\\d"), S("\\Qa.b\\E"), S("a{2}"), S("^a"), S("a$"),
        S("[a]"), S("(?i)A"), S("((a))"), S("(a)(b)"), S("(a.*|b)"), S(".*(a.*|.*b).*"), S("\xc3\xa9"), S(".*\xc3\xa9.*"), S("a.b"),
        S("a+"), S("()"), S("(|a)b"), S("a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s"),
    };
    static const struct str texts[] = {
        S(""), S("a"), S("b"), S("ab"), S("ba"), S("aab"), S("xaz"), S("a.b"), S("a-b"), S("|"), S("a\nb"), S("xbx"), S("A"), S("s"),
        S("\xc3\xa9"), S("x\xc3\xa9x"), S("1"), S("aa"), S("bb\na"),
    };
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 20);
    for (size_t i = 0; i < 2 * LEN(patterns); i++) {
        enum regex_mode mode = i % 2 ? REGEX_SEARCH : REGEX_FULL;
        struct str p = patterns[i / 2];
        CLEANUP(regex_freep) struct regex *r = NULL, *whole = NULL;
        struct fault f = { 0 };
        bool bad = regex_new(p, mode, &r, &f) != OK;
        assert_int_equal(bad, regex_new(arena_fmt(&mem, "(?:(?:" STR_FMT "))", STR_ARG(p)), mode, &whole, &f) != OK);
        for (size_t k = 0; k < LEN(texts) && !bad; k++)
            if (regex_match(r, texts[k]) != regex_match(whole, texts[k]))
                fail_msg(STR_FMT " (%s) on '" STR_FMT "'", STR_ARG(p), mode == REGEX_FULL ? "all" : "search", STR_ARG(texts[k]));
    }
    arena_done(&mem);
}

static const struct { struct str pattern; enum err err; const char *msg; } errors[] = {
    { S("a(b"), E_SYNTAX, "error parsing regexp: missing closing ): `a(b`" },
    { S("a)"), E_SYNTAX, "error parsing regexp: unexpected ): `a)`" },
    { S("["), E_SYNTAX, "error parsing regexp: missing closing ]: `[`" },
    { S("[b-a]"), E_SYNTAX, "error parsing regexp: invalid character class range: `b-a`" },
    { S("*"), E_SYNTAX, "error parsing regexp: missing argument to repetition operator: `*`" },
    { S("a**"), E_SYNTAX, "error parsing regexp: invalid nested repetition operator: `**`" },
    { S("a{1001}"), E_SYNTAX, "error parsing regexp: invalid repeat count: `{1001}`" },
    { S("(?=a)"), E_SYNTAX, "error parsing regexp: invalid or unsupported Perl syntax: `(?=`" },
    { S("\\y"), E_SYNTAX, "error parsing regexp: invalid escape sequence: `\\y`" },
    { S("(?P<n"), E_SYNTAX, "error parsing regexp: invalid named capture: `(?P<n`" },
    { S("a\\"), E_SYNTAX, "error parsing regexp: trailing backslash at end of expression: ``" },
    { S("((((x{100}){100}){100}){100})"), E_SYNTAX, NULL },
    { S("(\\pL{500}\\pN{500}){2}"), E_LIMIT, NULL },
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(errors); i++) {
        struct fault f = { 0 };
        struct regex *r = NULL;
        enum err e = regex_new(errors[i].pattern, REGEX_FULL, &r, &f);
        if (e != errors[i].err || r || (errors[i].msg && strcmp(f.msg, errors[i].msg) != 0))
            fail_msg("row %zu: " STR_FMT ": %d %s", i, STR_ARG(errors[i].pattern), e, f.msg);
    }
    static char big[70000], many[4 * REGEX_GROUPS_MAX];
    memset(big, 'a', sizeof(big));
    for (size_t i = 0; i + 3 < sizeof(many); i += 3)
        memcpy(many + i, "(a)", 3);
    struct regex *r = NULL;
    assert_int_equal(regex_new((struct str){ big, sizeof(big) }, REGEX_FULL, &r, NULL), E_LIMIT);
    assert_int_equal(regex_new((struct str){ many, 3 * REGEX_GROUPS_MAX }, REGEX_FULL, &r, NULL), E_LIMIT);
    assert_int_equal(regex_new((struct str){ many, 3 * (REGEX_GROUPS_MAX - 1) }, REGEX_FULL, &r, NULL), OK);
    regex_free(r);
}

static void groups(void **state)
{
    (void)state;
    CLEANUP(regex_freep) struct regex *r = NULL;
    assert_int_equal(regex_new(S("(?P<key>\\w+)=(\"(?<value>[^\"]*)\")?"), REGEX_SEARCH, &r, NULL), OK);
    assert_int_equal(regex_groups(r), 3);
    assert_true(str_eq(regex_group_name(r, 1), S("key")));
    assert_int_equal(regex_group_name(r, 2).n, 0);
    assert_true(str_eq(regex_group_name(r, 3), S("value")));

    struct str in = S("a=\"1\" b= c=\"\""), got[5];
    static const struct { struct str all, key, value; bool took_part; } want[] = {
        { S("a=\"1\""), S("a"), S("1"), true }, { S("b="), S("b"), S(""), false }, { S("c=\"\""), S("c"), S(""), true },
    };
    size_t from = 0;
    for (size_t i = 0; i < LEN(want); i++) {
        assert_true(regex_find(r, in, from, got, 5));
        assert_true(str_eq(got[0], want[i].all) && str_eq(got[1], want[i].key) && str_eq(got[3], want[i].value));
        assert_int_equal(got[3].p != NULL, want[i].took_part);
        assert_null(got[4].p);                     /* there is no fourth group */
        from = (size_t)(got[0].p - in.p) + got[0].n;
    }
    assert_false(regex_find(r, in, from, got, 5));
    assert_true(regex_find(r, in, 0, NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(matches), cmocka_unit_test(literals), cmocka_unit_test(refused), cmocka_unit_test(groups) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
