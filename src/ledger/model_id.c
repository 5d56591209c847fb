#include "ledger/model_id.h"

/* What stands before a name on Bedrock: a region's inference profile. */
static const struct {
    struct str prefix;
    enum model_region region;
} regions[] = {
    { S("global."), REGION_GLOBAL }, { S("us."), REGION_GEO },         { S("eu."), REGION_GEO }, { S("apac."), REGION_GEO },
    { S("au."), REGION_GEO },        { S("jp."), REGION_GEO },         { S("us-gov."), REGION_US_GOV },
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool cut_end(struct str *s, struct str end)
{
    if (!str_ends(*s, end))
        return false;
    s->n -= end.n;
    return true;
}

/* How many digits s ends with. */
static size_t digits_at_end(struct str s)
{
    size_t n = 0;
    while (n < s.n && is_digit(s.p[s.n - 1 - n]))
        n++;
    return n;
}

/* -v2, -v1:0 */
static bool cut_version(struct str *s)
{
    struct str r = *s;
    size_t n = digits_at_end(r);
    if (n && n < r.n && r.p[r.n - n - 1] == ':') {
        r.n -= n + 1;
        n = digits_at_end(r);
    }
    if (!n)
        return false;
    r.n -= n;
    if (!cut_end(&r, S("-v")))
        return false;
    *s = r;
    return true;
}

/* -20251001 */
static bool cut_date(struct str *s)
{
    if (digits_at_end(*s) != 8 || s->n < 10 || s->p[s->n - 9] != '-')
        return false;
    s->n -= 9;
    return true;
}

static struct str after_last(struct str s, char c)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == c)
            return str_sub(s, i, s.n);
    return s;
}

struct str model_id(struct str name, char out[MODEL_ID_MAX], enum model_region *ret_region)
{
    struct str s = { out, MIN(name.n, (size_t)MODEL_ID_MAX) };
    struct str tail = str_sub(name, name.n - s.n, s.n);      /* of an ARN the end counts */
    for (size_t i = 0; i < s.n; i++)
        out[i] = tail.p[i] >= 'A' && tail.p[i] <= 'Z' ? (char)(tail.p[i] - 'A' + 'a') : tail.p[i];
    *ret_region = REGION_NONE;
    s = after_last(s, '/');
    for (size_t i = 0; i < LEN(regions); i++)
        if (str_starts(s, regions[i].prefix)) {
            *ret_region = regions[i].region;
            s = str_sub(s, regions[i].prefix.n, s.n);
            break;
        }
    if (str_starts(s, S("anthropic.")))
        s = str_sub(s, 10, s.n);

    s.n = MIN(s.n, str_index(s, '@'));
    while (cut_end(&s, S("[1m]")) || cut_end(&s, S("-latest")) || cut_version(&s) || cut_date(&s))
        ;
    for (char *p = out + (s.p - out); p < s.p + s.n; p++)
        if (*p == '.')
            *p = '-';
    return s;
}
