/* What each rule makes of each value: names in all spellings, places, actions, patterns,
 * the ready-made sets; that once is as good as twice; and where a wrong rule is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "privacy/privacy.h"

static const char key_a[PRIVACY_KEY_BYTES + 1] = "0123456789abcdef0123456789abcdef";
static const char key_b[PRIVACY_KEY_BYTES + 1] = "0123456789abcdef0123456789abcdeX";
static struct arena mem;

static enum err compile_key(const char *yaml, const char *key, struct privacy **ret, struct fault *f)
{
    struct yaml *root;
    struct fields_reader r = { .file = S("t.yml"), .mem = &mem, .f = f };
    enum err e = yaml_parse(str_c(yaml), &mem, &root, f);
    return e ? e : privacy_new(&r, root, (struct str){ key, PRIVACY_KEY_BYTES }, ret);
}

static struct privacy *compile(const char *yaml)
{
    struct privacy *p = NULL;
    struct fault f = { 0 };
    if (compile_key(yaml, key_a, &p, &f)) {
        print_error("%s\n%s\n", yaml, f.msg);
        fail();
    }
    return p;
}

/* ---- values ----------------------------------------------------------------------- */

#define DROPPED "(dropped)"
#define HASHED  "(hashed)"                         /* the whole value is one hash */

static const struct {
    const char *rules;
    enum place place;
    const char *name, *in, *want;
} rows[] = {
    /* names in all spellings */
    { "[{names: user.email, action: drop}]", PLACE_ATTR, "user.email", "a", DROPPED },
    { "[{names: user.email, action: drop}]", PLACE_LABEL, "user_email", "a", DROPPED },
    { "[{names: user_email, action: drop}]", PLACE_ATTR, "user.email", "a", DROPPED },
    { "[{names: user.email, action: drop}]", PLACE_RESOURCE, "userEmail", "a", DROPPED },
    { "[{names: userEmail, action: drop}]", PLACE_SCOPE, "USER-EMAIL", "a", DROPPED },
    { "[{names: user.email, action: drop}]", PLACE_ATTR, "user.emails", "a", "a" },
    { "[{names: user.email, action: drop}]", PLACE_ATTR, "xuser.email", "a", "a" },
    { "[{names: 'user.*', action: drop}]", PLACE_LABEL, "user_email_x", "a", DROPPED },
    { "[{names: 'user.*', action: drop}]", PLACE_LABEL, "user", "a", "a" },
    { "[{names: '*secret*', action: drop}]", PLACE_ATTR, "my.Secret.thing", "a", DROPPED },
    { "[{names: 'a?c', action: drop}]", PLACE_ATTR, "abc", "a", DROPPED },
    { "[{names: 'a?c', action: drop}]", PLACE_ATTR, "ac", "a", "a" },
    { "[{names: '/^x_.*_key$/', action: drop}]", PLACE_ATTR, "x.api.key", "a", DROPPED },
    { "[{names: '/^X\\.api/', action: drop}]", PLACE_ATTR, "X.api.key", "a", DROPPED },
    { "[{names: '/^x_/', action: drop}]", PLACE_ATTR, "yx_", "a", "a" },
    { "[{names: [a, 'b*', /^c$/], action: drop}]", PLACE_ATTR, "bb", "a", DROPPED },
    { "[{names: [a, 'b*', /^c$/], action: drop}]", PLACE_ATTR, "c", "a", DROPPED },
    { "[{names: ümläut, action: drop}]", PLACE_ATTR, "\xc3\xbcml\xc3\xa4ut", "a", DROPPED },
    /* places */
    { "[{names: a, places: attribute, action: drop}]", PLACE_LABEL, "a", "v", "v" },
    { "[{names: a, places: [label, scope], action: drop}]", PLACE_SCOPE, "a", "v", DROPPED },
    { "[{names: a, places: [label, scope], action: drop}]", PLACE_RESOURCE, "a", "v", "v" },
    { "[{places: body, action: hash}]", PLACE_FIELD, "body", "a line", HASHED },
    { "[{places: body, action: hash}]", PLACE_FIELD, "name", "a span", "a span" },
    { "[{names: name, places: body, action: hash}]", PLACE_FIELD, "name", "a span", HASHED },
    { "[{names: '*', action: drop}]", PLACE_LABEL, "__name__", "up", "up" },
    { "[{names: '*', action: drop}]", PLACE_LABEL, "le", "0.5", "0.5" },
    { "[{names: '*', action: drop}]", PLACE_ATTR, "le", "0.5", DROPPED },
    /* the strictest counts, in any order */
    { "[{names: a, action: cut}, {names: 'a*', action: hash}]", PLACE_ATTR, "a", "v", HASHED },
    { "[{names: a, action: hash}, {names: 'a*', action: drop}]", PLACE_ATTR, "a", "v", DROPPED },
    { "[{names: a, action: cut, keep: 3}, {names: a, action: cut, keep: 1}]", PLACE_ATTR, "a", "value", "v[cut 4 characters]" },
    /* cut */
    { "[{names: a, action: cut}]", PLACE_ATTR, "a", "value", "[cut 5 characters]" },
    { "[{names: a, action: cut}]", PLACE_ATTR, "a", "", "" },
    { "[{names: a, action: cut, keep: 5}]", PLACE_ATTR, "a", "value", "value" },
    { "[{names: a, action: cut, keep: 2}]", PLACE_ATTR, "a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", "\xc3\xa4\xe2\x82\xac[cut 2 characters]" },
    { "[{names: a, action: cut, keep: 2}]", PLACE_ATTR, "a", "\xff\xfe\xfd", "\xff\xfe[cut 1 characters]" },
    { "[{names: a, action: cut, keep: 1}]", PLACE_ATTR, "a", "[cut me]", "[[cut 7 characters]" },
    /* hash */
    { "[{names: a, action: hash}]", PLACE_ATTR, "a", "", "" },
    { "[{names: a, action: hash}]", PLACE_ATTR, "a", "v", HASHED },
    { "[{names: a, action: hash}]", PLACE_ATTR, "a", "anon-0123456789abcdef0123456789abcdef", "anon-0123456789abcdef0123456789abcdef" },
    { "[{names: a, action: hash}]", PLACE_ATTR, "a", "anon-0123456789abcdef0123456789abcdef.", HASHED },
    { "[{names: a, action: hash}]", PLACE_ATTR, "a", "anon-0123456789abcdef0123456789abcdeF", HASHED },
    { "[{names: a, action: hash, unless: '^v'}]", PLACE_ATTR, "a", "value", "value" },
    { "[{names: a, action: hash, unless: '^v'}]", PLACE_ATTR, "a", "avalue", HASHED },
    /* inside of texts */
    { "[{match: 'sk-[a-z]+', action: cut}]", PLACE_ATTR, "a", "key sk-abc, sk-de.", "key [cut 6 characters], [cut 5 characters]." },
    { "[{match: 'sk-[a-z]+', action: cut, keep: 3}]", PLACE_ATTR, "a", "key sk-abc", "key sk-[cut 3 characters]" },
    { "[{match: 'key=(\\w+)', action: cut}]", PLACE_FIELD, "body", "key=abc&x=1", "key=[cut 3 characters]&x=1" },
    { "[{match: 'x*', action: cut}]", PLACE_ATTR, "a", "axxb", "a[cut 2 characters]b" },
    { "[{names: b, match: '.', action: cut}]", PLACE_ATTR, "a", "xyz", "xyz" },
    { "[{places: body, match: '.+', action: cut}]", PLACE_FIELD, "status_message", "xyz", "[cut 3 characters]" },
    { "[{match: '[0-9]+', unless: '^42$', action: cut}]", PLACE_ATTR, "a", "42 and 43", "42 and [cut 2 characters]" },
    /* the sets: content */
    { "[no-prompts]", PLACE_ATTR, "prompt", "Please", DROPPED },
    { "[no-prompts]", PLACE_ATTR, "prompt_length", "6", "6" },
    { "[no-prompts]", PLACE_ATTR, "prompt.id", "7", "7" },
    { "[no-prompts]", PLACE_ATTR, "tool_input", "{}", DROPPED },
    { "[no-prompts]", PLACE_ATTR, "tool_input_size_bytes", "2", "2" },
    { "[no-prompts]", PLACE_ATTR, "response.model_output", "Done", DROPPED },
    { "[no-prompts]", PLACE_ATTR, "response_length", "4", "4" },
    { "[no-prompts]", PLACE_ATTR, "error", "bad request: Please", HASHED },
    { "[no-prompts]", PLACE_ATTR, "error_type", "ShellError", "ShellError" },
    { "[no-prompts]", PLACE_LABEL, "prompt", "Please", HASHED },
    { "[no-prompts]", PLACE_LABEL, "output", "stdout", "stdout" },
    { "[no-prompts]", PLACE_LABEL, "type", "input", "input" },
    { "[no-prompts]", PLACE_FIELD, "body", "claude_code.user_prompt", "claude_code.user_prompt" },
    { "[no-prompts]", PLACE_FIELD, "body", "Please do", HASHED },
    { "[no-prompts]", PLACE_FIELD, "body", "claude_code.user_prompt Please", HASHED },
    { "[no-prompts]", PLACE_FIELD, "status_message", "Please", HASHED },
    { "[no-prompts]", PLACE_FIELD, "name", "claude_code.tool", "claude_code.tool" },
    { "[no-prompts]", PLACE_ATTR, "user.email", "a@b.cd", "a@b.cd" },
    /* the sets: people */
    { "[no-people]", PLACE_LABEL, "user_email", "dev@example.com", HASHED },
    { "[no-people]", PLACE_RESOURCE, "host.name", "box", HASHED },
    { "[no-people]", PLACE_RESOURCE, "enduser.id", "joe", HASHED },
    { "[no-people]", PLACE_RESOURCE, "git.commit.author.name", "Joe", HASHED },
    { "[no-people]", PLACE_RESOURCE, "host.arch", "amd64", "amd64" },
    { "[no-people]", PLACE_ATTR, "session.id", "s", "s" },
    { "[no-people]", PLACE_ATTR, "x", "dev@example.com", HASHED },
    { "[no-people]", PLACE_ATTR, "x", "dev%40example.com", HASHED },
    { "[no-people]", PLACE_ATTR, "x", "dev\\u0040example.com", HASHED },
    { "[no-people]", PLACE_ATTR, "x", "j\xc3\xb6rg@ex\xc3\xa4mple.de", HASHED },
    { "[no-people]", PLACE_ATTR, "x", "plugin@market claude@2.1.3 @dev a@ @b.cd", "plugin@market claude@2.1.3 @dev a@ @b.cd" },
    { "[no-people, {names: x, action: cut}]", PLACE_ATTR, "x", "a@b.cd", "[cut 6 characters]" },
};

static bool is_hash(struct str s)
{
    return s.n == 37 && str_starts(s, S("anon-"));
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct privacy *p = compile(rows[i].rules);
        struct str got = { 0 }, in = str_c(rows[i].in), want = str_c(rows[i].want), again;
        bool kept = privacy_text(p, rows[i].place, str_c(rows[i].name), in, &mem, &got);
        bool ok = kept ? (str_eq(want, S(HASHED)) ? is_hash(got) && !str_eq(got, in) : str_eq(got, want)) : str_eq(want, S(DROPPED));
        bool touched = !kept || !str_eq(got, in);
        ok = ok && (!touched || privacy_touches(p, rows[i].place, str_c(rows[i].name)));
        ok = ok && (touched || got.p == in.p);     /* what stays is not copied */
        if (ok && kept)
            ok = privacy_text(p, rows[i].place, str_c(rows[i].name), got, &mem, &again) && str_eq(again, got);
        if (!ok) {
            print_error("row %zu: %s, %s = \"%s\": want \"%s\", got \"" STR_FMT "\"\n", i, rows[i].rules, rows[i].name, rows[i].in,
                        rows[i].want, STR_ARG(kept ? got : S(DROPPED)));
            fail();
        }
        privacy_unref(p);
    }
}

/* Equal values are equal hashes, wherever they stand; another key gives others. */
static void test_joins(void **state)
{
    (void)state;
    struct fault f = { 0 };
    struct privacy *p = compile("[no-people]"), *other = NULL;
    struct str a, b, c, d;
    assert_int_equal(compile_key("[no-people]", key_b, &other, &f), OK);
    assert_true(privacy_text(p, PLACE_ATTR, S("user.email"), S("dev@example.com"), &mem, &a));
    assert_true(privacy_text(p, PLACE_LABEL, S("x"), S("dev@example.com"), &mem, &b));
    assert_true(privacy_text(p, PLACE_FIELD, S("body"), S("mail to <dev@example.com>, now"), &mem, &c));
    assert_true(privacy_text(other, PLACE_ATTR, S("user.email"), S("dev@example.com"), &mem, &d));
    assert_true(str_eq(a, b));
    assert_true(str_eq(str_sub(c, 9, a.n), a));
    assert_true(str_starts(c, S("mail to <anon-")) && str_ends(c, S(">, now")));
    assert_false(str_eq(a, d));
    /* HMAC-SHA-256 of a known key, by another program. */
    assert_true(str_eq(a, S("anon-ecd294f7f9c8b0f492ff4af2ab4d1453")));
    privacy_unref(p);
    privacy_unref(other);
}

static const struct { const char *in, *secret, *want_begin, *want_end; } texts[] = {
    { "from /ho" "me/joe/src/x.c:3", "joe", "from /ho" "me/anon-", "/src/x.c:3" },
    { "C:\\Users\\joe\\x", "joe", "C:\\Users\\anon-", "\\x" },
    { "{\"cwd\":\"c:\\\\users\\\\joe\\\\x\"}", "joe", "{\"cwd\":\"c:\\\\users\\\\anon-", "\\\\x\"}" },
    { "/Us" "ers/joe", "joe", "/Users/anon-", "" },
    { "a@b.cd@e.fg tail", "b.cd", "anon-", " tail" },
    { "<a@b.cd> \"c@d.ef\"", "c@d.ef", "<anon-", "\"" },
    { "{\"m\":\"x y@z.example\"}", "z.example", "{\"m\":\"x anon-", "\"}" },
    { "https://user:tok@github.com/x", "tok@", "https://user:anon-", "/x" },
};

static void test_texts(void **state)
{
    (void)state;
    struct privacy *p = compile("[no-people]");
    for (size_t i = 0; i < LEN(texts); i++) {
        struct str got, again;
        bool ok = privacy_text(p, PLACE_ATTR, S("x"), str_c(texts[i].in), &mem, &got) && str_find(got, str_c(texts[i].secret)) == SIZE_MAX &&
                  str_starts(got, str_c(texts[i].want_begin)) && str_ends(got, str_c(texts[i].want_end));
        ok = ok && privacy_text(p, PLACE_ATTR, S("x"), got, &mem, &again) && str_eq(got, again);
        if (!ok) {
            print_error("row %zu: %s gives " STR_FMT "\n", i, texts[i].in, STR_ARG(got));
            fail();
        }
    }
    privacy_unref(p);
}

/* ---- the configuration ------------------------------------------------------------------ */

static const struct { const char *yaml, *want; } wrong[] = {
    { "no-prompts", "t.yml:1:1: privacy: a list is wanted, of sets and rules" },
    { "[no-prompt]", "t.yml:1:2: privacy: there is no set \"no-prompt\"; there are no-prompts, no-people" },
    { "[[a]]", "t.yml:1:2: privacy: an entry is the name of a set or a rule" },
    { "- no-people\n- names: a", "t.yml:2:3: privacy: a rule wants an action: drop, hash or cut" },
    { "- action: drop", "t.yml:1:3: privacy: a rule wants names, places or match; this one would take everything" },
    { "- names: a\n  action: burn", "t.yml:2:11: privacy.action: \"burn\" is none of drop|hash|cut" },
    { "- names: a\n  place: label\n  action: cut", "t.yml:2:3: unknown key \"privacy.place\"" },
    { "- names: a\n  places: [label, lable]\n  action: cut", "t.yml:2:11: privacy.places: \"lable\" is none of attribute, resource, scope, label, body" },
    { "- names:\n  - a\n  - /x(/\n  action: cut", "t.yml:3:5: privacy.names: error parsing regexp: missing closing ): `x(`" },
    { "- match: '['\n  action: cut", "t.yml:1:10: privacy.match: error parsing regexp: missing closing ]: `[`" },
    { "- match: ''\n  action: cut", "t.yml:1:10: privacy.match: the pattern is empty" },
    { "- names: a\n  unless: '('\n  action: hash", "t.yml:2:11: privacy.unless: error parsing regexp: missing closing ): `(`" },
    { "- match: a\n  action: drop", "t.yml:1:3: privacy: match goes with hash or cut; drop leaves out whole values" },
    { "- names: a\n  unless: a\n  action: drop", "t.yml:1:3: privacy: unless goes with hash or cut; drop does not look at values" },
    { "- names: a\n  keep: 3\n  action: hash", "t.yml:1:3: privacy: keep goes with cut" },
    { "- names: a\n  keep: -1\n  action: cut", "t.yml:2:9: privacy.keep: \"-1\" is no number from 0 to 100000" },
    { "- names: ['']\n  action: cut", "t.yml:1:11: privacy.names: a name of 0 bytes; 1 to 512" },
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(wrong); i++) {
        struct privacy *p = NULL;
        struct fault f = { 0 };
        enum err e = compile_key(wrong[i].yaml, key_a, &p, &f);
        if (e != E_SYNTAX || !str_eq(str_c(f.msg), str_c(wrong[i].want))) {
            print_error("row %zu: %s\nwant %s\n got %s\n", i, wrong[i].yaml, wrong[i].want, f.msg);
            fail();
        }
    }
}

static void test_too_many(void **state)
{
    (void)state;
    CLEANUP(buf_done) struct buf yaml;
    buf_init(&yaml, 1 << 20);
    for (int i = 0; i < 65; i++)
        buf_fmt(&yaml, "- {names: a%d, action: drop}\n", i);
    buf_byte(&yaml, 0);
    struct privacy *p = NULL;
    struct fault f = { 0 };
    assert_int_equal(compile_key(yaml.p, key_a, &p, &f), E_SYNTAX);
    assert_non_null(strstr(f.msg, "t.yml:65:3: privacy: more than 64 rules"));
}

static void test_none(void **state)
{
    (void)state;
    struct str got;
    assert_null(compile(""));
    assert_null(compile("[]"));
    assert_true(privacy_text(NULL, PLACE_ATTR, S("prompt"), S("x"), &mem, &got));
    assert_true(str_eq(got, S("x")));
    assert_false(privacy_touches(NULL, PLACE_ATTR, S("prompt")));
    assert_int_equal(privacy_summary(NULL).n, 0);
    privacy_unref(NULL);
}

static void test_slot(void **state)
{
    (void)state;
    struct privacy_slot s;
    privacy_slot_init(&s);
    assert_null(privacy_slot_get(&s));
    privacy_slot_set(&s, compile("[no-prompts, {names: a, action: drop}]"));
    struct privacy *p = privacy_slot_get(&s);
    assert_true(str_eq(privacy_summary(p), S("no-prompts, rule 2")));
    privacy_slot_set(&s, NULL);
    assert_true(privacy_touches(p, PLACE_ATTR, S("a")));
    privacy_unref(p);
    privacy_slot_done(&s);
}

static void test_key(void **state)
{
    (void)state;
    char dir[] = "/tmp/ccmon-privacy-XXXXXX", path[64];
    uint8_t a[PRIVACY_KEY_BYTES], b[PRIVACY_KEY_BYTES], zero[PRIVACY_KEY_BYTES] = { 0 };
    struct fault f = { 0 };
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/privacy.key", dir);
    assert_int_equal(privacy_key(str_c(dir), a, &f), OK);
    assert_memory_not_equal(a, zero, sizeof a);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(privacy_key(str_c(dir), b, &f), OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(truncate(path, 31), 0);
    assert_int_equal(privacy_key(str_c(dir), b, &f), E_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(privacy_key(str_c(dir), b, &f), OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(unlink(path) | rmdir(dir), 0);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, 16 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_joins), cmocka_unit_test(test_texts), cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_none), cmocka_unit_test(test_slot), cmocka_unit_test(test_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
