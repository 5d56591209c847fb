/* Money, names of models, the price book: what each of its rules makes of a request, where a
 * wrong book is refused, and that shares always add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/num.h"
#include "ledger/model_id.h"
#include "ledger/money.h"
#include "ledger/prices.h"

/* ---- money --------------------------------------------------------------------------- */

static void money(void **state)
{
    (void)state;
    static const struct { double usd; bool ok; int64_t nanos; } amounts[] = {
        { 0, true, 0 }, { 0.0000003, true, 300 }, { 0.1855644, true, 185564400 }, { 0.18556440000000005, true, 185564400 },
        { -0.5, true, -500000000 }, { 1e300, false, 0 }, { __builtin_nan(""), false, 0 }, { __builtin_inf(), false, 0 },
    };
    for (size_t i = 0; i < LEN(amounts); i++) {
        int64_t got = -1;
        bool ok = money_from_usd(amounts[i].usd, &got);
        if (ok != amounts[i].ok || (ok && got != amounts[i].nanos))
            fail_msg("row %zu: %d %lld", i, ok, (long long)got);
    }
    static const struct { int64_t picos, nanos; } rounds[] = { { 499, 0 }, { 500, 1 }, { 1499, 1 }, { -500, -1 }, { -499, 0 } };
    for (size_t i = 0; i < LEN(rounds); i++) {
        int64_t got;
        assert_true(money_round(rounds[i].picos, &got));
        assert_int_equal(got, rounds[i].nanos);
    }
}

static void prices_text(void **state)
{
    (void)state;
    static const struct { const char *in; bool ok; int64_t picos; } rows[] = {
        { "0", true, 0 },           { "4", true, 4000000 },   { "0.125", true, 125000 }, { "0.000001", true, 1 },
        { "18.75", true, 18750000 }, { "0.0000001", false, 0 }, { "", false, 0 },         { ".5", false, 0 },
        { "1.", false, 0 },         { "-1", false, 0 },        { "1e3", false, 0 },      { "1000001", false, 0 },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        int64_t got = -1;
        if (price_parse(str_c(rows[i].in), &got) != rows[i].ok || (rows[i].ok && got != rows[i].picos))
            fail_msg("%s: %lld", rows[i].in, (long long)got);
    }
}

static void shares(void **state)
{
    (void)state;
    static const struct { int64_t nanos; uint64_t w[4]; int64_t want[4]; } rows[] = {
        { 100, { 1, 1, 1, 0 }, { 34, 33, 33, 0 } },
        { 101, { 1, 1, 1, 0 }, { 34, 34, 33, 0 } },
        { 10, { 6, 3, 1, 0 }, { 6, 3, 1, 0 } },
        { 1, { 1, 2, 1, 0 }, { 0, 1, 0, 0 } },
        { 7, { 0, 0, 0, 0 }, { 2, 2, 2, 1 } },
        { -7, { 1, 1, 1, 1 }, { -2, -2, -2, -1 } },
        { 0, { 1, 2, 3, 4 }, { 0, 0, 0, 0 } },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        int64_t got[4], sum = 0;
        money_split(rows[i].nanos, rows[i].w, 4, got);
        for (int k = 0; k < 4; k++) {
            sum += got[k];
            if (got[k] != rows[i].want[k])
                fail_msg("row %zu: share %d is %lld", i, k, (long long)got[k]);
        }
        assert_true(sum == rows[i].nanos);
    }
    uint64_t seed = 1;
    for (int round = 0; round < 2000; round++) {
        uint64_t w[7];
        int64_t got[7], sum = 0;
        for (int k = 0; k < 7; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            w[k] = (seed >> 20) >> (seed >> 59 << 1);
        }
        int64_t amount = (int64_t)(seed >> 8) - (INT64_C(1) << 54);
        money_split(amount, w, 7, got);
        for (int k = 0; k < 7; k++)
            sum += got[k];
        assert_true(sum == amount);
    }
}

/* ---- names --------------------------------------------------------------------------- */

static void names(void **state)
{
    (void)state;
    static const struct { const char *in, *want; enum model_region region; } rows[] = {
        { "claude-opus-5-5", "claude-opus-5-5", REGION_NONE },
        { "claude-opus-5-5[1m]", "claude-opus-5-5", REGION_NONE },
        { "Claude-Opus-5.5", "claude-opus-5-5", REGION_NONE },
        { "anthropic/claude-opus-5.5", "claude-opus-5-5", REGION_NONE },
        { "openrouter/anthropic/claude-haiku-4.5", "claude-haiku-4-5", REGION_NONE },
        { "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", REGION_NONE },
        { "claude-sonnet-4-5@20250929", "claude-sonnet-4-5", REGION_NONE },
        { "claude-opus-4-6@default", "claude-opus-4-6", REGION_NONE },
        { "claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet", REGION_NONE },
        { "claude-3-opus-latest", "claude-3-opus", REGION_NONE },
        { "anthropic.claude-opus-4-6-v1", "claude-opus-4-6", REGION_NONE },
        { "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", REGION_GEO },
        { "global.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", REGION_GLOBAL },
        { "us-gov.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6", REGION_US_GOV },
        { "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-5-5", "claude-opus-5-5", REGION_GEO },
        { "claude-opus-4", "claude-opus-4", REGION_NONE },
        { "gpt-5", "gpt-5", REGION_NONE },
        { "", "", REGION_NONE },
        { "@", "", REGION_NONE },
        { "-latest", "", REGION_NONE },
        { "20250929", "20250929", REGION_NONE },
        { "v1:0", "v1:0", REGION_NONE },
    };
    for (size_t i = 0; i < LEN(rows); i++) {
        char text[MODEL_ID_MAX];
        enum model_region region;
        struct str got = model_id(str_c(rows[i].in), text, &region);
        if (!str_eq(got, str_c(rows[i].want)) || region != rows[i].region)
            fail_msg("%s: " STR_FMT " %d", rows[i].in, STR_ARG(got), (int)region);
    }
}

/* ---- the built-in book ------------------------------------------------------------------ */

static struct prices *builtin(void)
{
    struct prices *p = NULL;
    struct fault f = { 0 };
    if (prices_builtin(&p, &f))
        fail_msg("%s", f.msg);
    return p;
}

static int64_t at(const char *day)
{
    int64_t ns;
    assert_true(num_rfc3339(str_c(day), &ns));
    return ns;
}

#define NOON(day) day "T12:00:00Z"
#define M 1000000

static const struct {
    const char *model, *time;
    uint64_t tokens[TOKEN_CLASSES];
    bool fast, regional;
    enum price_status status;
    int64_t nanos;
} asked[] = {
    { "claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 4000000000 },
    { "claude-opus-5-5", NOON("2026-11-23"), { 0, M, 0, 0, 0 }, 0, 0, PRICED, 20000000000 },
    { "claude-opus-5-5", NOON("2026-11-23"), { 0, 0, M, M, M }, 0, 0, PRICED, 13200000000 },
    { "claude-opus-5-5", NOON("2026-11-23"), { 1, 1, 1, 1, 1 }, 0, 0, PRICED, 37200 },
    { "claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 1, 0, PRICED, 8000000000 },
    { "claude-opus-5-5", NOON("2026-09-21"), { M, 0, 0, 0, 0 }, 0, 0, UNPRICED_DAY, 0 },
    { "claude-opus-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 5000000000 },     /* no prefix */
    { "claude-opus-5-7", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, UNPRICED_MODEL, 0 },
    /* the cache read of Sonnet 5.5 fell in the middle of one night */
    { "claude-sonnet-5-5", "2026-10-06T23:59:59.999Z", { 0, 0, 0, 0, M }, 0, 0, PRICED, 200000000 },
    { "claude-sonnet-5-5", "2026-10-07T00:00:00Z", { 0, 0, 0, 0, M }, 0, 0, PRICED, 100000000 },
    /* a long prompt is one over the mark; all of it pays, the output too */
    { "claude-haiku-5-5", NOON("2026-11-23"), { 100000, M, 0, 0, 0 }, 0, 0, PRICED, 510000000 },
    { "claude-haiku-5-5", NOON("2026-11-23"), { 1, M, 0, 0, 100000 }, 0, 0, PRICED, 2505000500 },
    { "claude-opus-4-6", NOON("2026-03-12"), { 200001, 0, 0, 0, 0 }, 0, 0, PRICED, 2000010000 },
    { "claude-opus-4-6", NOON("2026-03-13"), { 200001, 0, 0, 0, 0 }, 0, 0, PRICED, 1000005000 },
    /* fast mode is gone one day, and was never there for others */
    { "claude-opus-4-8", NOON("2026-11-29"), { M, 0, 0, 0, 0 }, 1, 0, PRICED, 10000000000 },
    { "claude-opus-4-8", NOON("2026-11-30"), { M, 0, 0, 0, 0 }, 1, 0, PRICED, 5000000000 },
    { "claude-sonnet-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 1, 0, PRICED, 2000000000 },
    /* regions */
    { "eu.anthropic.claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 4400000000 },
    { "global.anthropic.claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 1, PRICED, 4000000000 },
    { "us-gov.anthropic.claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 4800000000 },
    { "claude-opus-5-5", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 1, PRICED, 4400000000 },
    { "claude-opus-4-1", NOON("2026-01-23"), { M, 0, 0, 0, 0 }, 0, 1, PRICED, 15000000000 },   /* before regions had prices */
    /* what is not known is not free */
    { "claude-3-sonnet", NOON("2024-06-01"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 3000000000 },
    { "claude-3-sonnet", NOON("2024-06-01"), { M, 0, 0, 0, 1 }, 0, 0, UNPRICED_CLASS, 0 },
    { "claude-mythos-preview", NOON("2026-07-01"), { M, 0, 0, 0, 0 }, 0, 0, UNPRICED_DAY, 0 },
    { "claude-opus-5-5", NOON("2026-11-23"), { PRICE_TOKENS_MAX + 1, 0, 0, 0, 0 }, 0, 0, UNPRICED_AMOUNT, 0 },
    { "", NOON("2026-11-23"), { M, 0, 0, 0, 0 }, 0, 0, UNPRICED_MODEL, 0 },
    { "claude-opus-4-0", NOON("2026-01-23"), { M, 0, 0, 0, 0 }, 0, 0, PRICED, 15000000000 },    /* an alias */
};

static struct usage usage_of(size_t i)
{
    struct usage u = { .model = str_c(asked[i].model), .time_ns = at(asked[i].time), .fast = asked[i].fast, .regional = asked[i].regional };
    for (int c = 0; c < TOKEN_CLASSES; c++)
        u.tokens[c] = asked[i].tokens[c];
    return u;
}

static void list_prices(void **state)
{
    (void)state;
    struct prices *p = builtin();
    for (size_t i = 0; i < LEN(asked); i++) {
        struct usage u = usage_of(i);
        struct list_price l = prices_ask(p, &u);
        int64_t sum = 0;
        for (int c = 0; c < TOKEN_CLASSES; c++)
            sum += l.by_class[c];
        if (l.status != asked[i].status || l.nanos != asked[i].nanos || sum != l.nanos)
            fail_msg("row %zu, %s: status %d, %lld, classes %lld", i, asked[i].model, (int)l.status, (long long)l.nanos, (long long)sum);
    }
    struct usage cached = { .model = S("claude-opus-5-5"), .time_ns = at(NOON("2026-11-23")), .tokens = { 10, 5, 100, 0, 1000 } };
    assert_int_equal(prices_ask(p, &cached).uncached_nanos, 1110 * 4000 + 5 * 20000);
    prices_unref(p);
}

static void reasons(void **state)
{
    (void)state;
    static const struct { struct usage u; int64_t reported; enum price_reason want; } rows[] = {
        { { .model = S("claude-opus-5-5"), .tokens = { M } }, 4000000000, REASON_EQUAL },
        { { .model = S("claude-opus-5-5"), .tokens = { M }, .fast = true }, 4000000000, REASON_OTHER_SPEED },
        { { .model = S("claude-opus-5-5"), .tokens = { M } }, 8000000000, REASON_OTHER_SPEED },
        { { .model = S("claude-opus-5-5"), .tokens = { M } }, 4400000000, REASON_GEO_US },
        { { .model = S("claude-opus-5-5"), .tokens = { M } }, 4030000000, REASON_WEB_SEARCH },
        { { .model = S("claude-opus-5-5"), .tokens = { M } }, 3600000000, REASON_CONTRACT },
        { { .model = S("claude-sonnet-4-5"), .tokens = { 300000 } }, 900000000, REASON_LONG_NOT_ADDED },
        { { .model = S("eu.anthropic.claude-opus-5-5"), .tokens = { M } }, 4000000000, REASON_REGION_NOT_ADDED },
        { { .model = S("my-own-model"), .tokens = { M } }, 4000000000, REASON_UNKNOWN_MODEL },
        { { .model = S("my-own-model"), .tokens = { M } }, 4000000001, REASON_UNPRICED },
        { { .model = S("claude-opus-4-8"), .tokens = { 0, M } }, 20000000000, REASON_UNKNOWN_MODEL },
    };
    struct prices *p = builtin();
    for (size_t i = 0; i < LEN(rows); i++) {
        struct usage u = rows[i].u;
        u.time_ns = at(NOON("2026-11-23"));
        enum price_reason got = prices_explain(p, &u, rows[i].reported);
        if (got != rows[i].want)
            fail_msg("row %zu: %s", i, price_reasons[got].name.p);
    }
    for (int r = 0; r < REASON_COUNT; r++)
        assert_true(price_reasons[r].name.n && price_reasons[r].text.n);
    prices_unref(p);
}

/* ---- books --------------------------------------------------------------------------------- */

#define ROW(more) "models:\n  - model: m\n    rates: {input: 1, output: 2}\n" more
static const struct { const char *text, *want; } books[] = {
    { ROW(""), NULL },
    { "models: []", "a list of rows is wanted" },
    { "", "a list of rows is wanted" },
    { "models:\n  - model: m\n    rates: {input: 1}\n", "2:5: prices of input and output are wanted" },
    { "models:\n  - model: M.x\n    rates: {input: 1, output: 2}\n", "here \"m-x\"" },
    { ROW("    form: 2026-01-01\n"), "4:5: unknown key \"models.form\"" },
    { ROW("    from: 2026-02-30\n"), "no day such as" },
    { ROW("    from: 2026-02-01\n    to: 2026-01-01\n"), "the last day is before the first one" },
    { ROW("  - model: m\n    from: 2026-01-01\n    rates: {input: 1, output: 2}\n"), "m: two rows hold on one day" },
    { ROW("  - model: n\n    aliases: [m]\n    rates: {input: 1, output: 2}\n"), "m: a name of two models" },
    { ROW("    long: {rates: {input: 1, output: 2}}\n"), "long.above is missing" },
    { ROW("    regional: 900\n"), "no number from 1000 to 10000" },
    { "models:\n  - model: m\n    rates: {input: -1, output: 2}\n", "\"-1\" is no price" },
    { "as_of: today\n" ROW(""), "\"today\" is no day" },
    { "models: {", "" },
};

static void loading(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(books); i++) {
        struct prices *p = NULL;
        struct fault f = { 0 };
        enum err e = prices_load(S("book.yml"), str_c(books[i].text), &p, &f);
        if ((e != OK) != (books[i].want != NULL) || (e && str_find(str_c(f.msg), str_c(books[i].want)) == SIZE_MAX))
            fail_msg("row %zu: %d %s", i, (int)e, f.msg);
        assert_true((p == NULL) == (e != OK));
        prices_unref(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money),  cmocka_unit_test(prices_text), cmocka_unit_test(shares), cmocka_unit_test(names),
        cmocka_unit_test(list_prices), cmocka_unit_test(reasons), cmocka_unit_test(loading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
