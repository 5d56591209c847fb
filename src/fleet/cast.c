/* fleet/cast.c -- the people: who they are, where they sit, what they like. */
#include "fleet/fleet_int.h"

static const struct str first_names[] = {
    S("ada"),   S("alan"), S("barbara"), S("dennis"), S("edsger"), S("frances"), S("grace"), S("hedy"),
    S("ken"),   S("lynn"), S("margaret"), S("niklaus"), S("radia"), S("sophie"), S("tim"), S("yukihiro"),
};
static const struct { struct str name, org; int32_t zone_min; } teams[] = {
    { S("platform"), S("demo"), 60 }, { S("payments"), S("demo"), -300 }, { S("mobile"), S("demo"), 330 },
    { S("data"), S("demo"), 0 },      { S("web"), S("demo-labs"), -480 },
};
static const struct str repos[] = { S("shop"), S("ledger"), S("app"), S("pipelines"), S("site"), S("infra"), S("design-system") };
static const struct str terminals[] = { S("iTerm.app"), S("vscode"), S("tmux"), S("cursor"), S("non-interactive") };
static const struct str versions[] = { S("2.1.306"), S("2.1.312"), S("2.1.317"), S("2.1.322"), S("2.1.326"), S("2.1.330") };

enum { VERSION_DAYS = 17 };                        /* until the next one comes out */

const struct str fleet_model_names[FLEET_MODELS] = { S("claude-opus-5-5"), S("claude-sonnet-5-5"), S("claude-haiku-5-5") };
const struct str fleet_token_names[FLEET_TOKEN_TYPES] = { S("input"), S("output"), S("cacheRead"), S("cacheCreation") };

uint64_t rng_skewed(struct rng *r, uint64_t mean)
{
    uint64_t x = rng_below(r, 1000), y = rng_below(r, 1000), z = rng_below(r, 1000);
    return mean * x * y * z / (125 * 1000 * 1000); /* the mean of x*y*z is 1/8 of its maximum */
}

struct str hex_of(struct rng *r, uint32_t n, struct arena *mem)
{
    char *p = arena_alloc(mem, n, 1);
    for (uint32_t i = 0; i < n; i++)
        p[i] = "0123456789abcdef"[rng_next(r) & 15];
    return (struct str){ p, n };
}

struct str uuid_of(struct rng *r, struct arena *mem)
{
    struct str hex = hex_of(r, 36, mem);
    char *p = (char *)(uintptr_t)hex.p;
    p[8] = p[13] = p[18] = p[23] = '-';
    p[14] = '4';
    p[19] = "89ab"[rng_next(r) & 3];
    return hex;
}

struct str cast_version(int64_t day)
{
    return versions[(uint64_t)day / VERSION_DAYS % LEN(versions)];
}

void cast_person(uint64_t seed, uint32_t n, struct arena *mem, struct person *ret)
{
    struct rng r = rng_of(seed, 1, n, 0);
    uint32_t team = n % LEN(teams);
    struct str name = first_names[n % LEN(first_names)];
    struct str number = n < LEN(first_names) ? S("") : arena_fmt(mem, "%zu", n / LEN(first_names) + 1);
    *ret = (struct person){
        .user_id = hex_of(&r, 64, mem),
        .account_uuid = uuid_of(&r, mem),
        .account_id = arena_fmt(mem, "user_" STR_FMT, STR_ARG(hex_of(&r, 24, mem))),
        .email = arena_fmt(mem, STR_FMT STR_FMT "@example.com", STR_ARG(name), STR_ARG(number)),
        .team = teams[team].name,
        .owner = teams[team].org,
        .repo = repos[rng_below(&r, LEN(repos))],
        .terminal = terminals[rng_below(&r, LEN(terminals))],
        .zone_min = teams[team].zone_min,
        .sessions_mean = (uint32_t)rng_between(&r, 12, 55),
        .traces = rng_percent(&r, 40),
    };
    struct rng org = rng_of(seed, 2, team == LEN(teams) - 1, 0);
    ret->org = uuid_of(&org, mem);
    uint64_t like = rng_below(&r, 10);
    ret->model = like < 5 ? 0 : like < 9 ? 1 : 2;
}
