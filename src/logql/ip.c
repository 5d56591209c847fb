/* logql/ip.c -- addresses in texts. An address is looked for where one may begin
 * (a digit with a dot among the next three characters; hex digits and a colon), as
 * the longest stretch of the characters that addresses are made of. */
#include "logql/ip.h"

#include <string.h>

#include "base/base.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four decimal bytes without leading zeros. */
static bool parse_v4(struct str s, uint8_t out[4])
{
    for (int k = 0; k < 4; k++) {
        struct str part = k < 3 ? str_cut(&s, '.') : s;
        if (!part.n || part.n > 3 || (part.n > 1 && part.p[0] == '0') || (k < 3 && !s.p))
            return false;
        unsigned v = 0;
        for (size_t i = 0; i < part.n; i++) {
            if (!is_digit(part.p[i]))
                return false;
            v = v * 10 + (unsigned)(part.p[i] - '0');
        }
        if (v > 255)
            return false;
        out[k] = (uint8_t)v;
    }
    return true;
}

static bool parse_group(struct str part, uint8_t out[2])
{
    unsigned v = 0;
    if (!part.n || part.n > 4)
        return false;
    for (size_t i = 0; i < part.n; i++) {
        int d = hex_value(part.p[i]);
        if (d < 0)
            return false;
        v = v << 4 | (unsigned)d;
    }
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return true;
}

/* Groups between colons; an IPv4 tail counts for two. Returns how many bytes, -1: none. */
static int parse_groups(struct str s, uint8_t out[16])
{
    int n = 0;
    while (s.n) {
        struct str part = str_cut(&s, ':');
        bool last = !s.p;
        if (n >= 16)
            return -1;
        if (last && str_index(part, '.') != SIZE_MAX) {
            if (n > 12 || !parse_v4(part, out + n))
                return -1;
            return n + 4;
        }
        if (!parse_group(part, out + n) || (!last && !s.n))
            return -1;
        n += 2;
    }
    return n;
}

static bool parse_v6(struct str s, uint8_t out[16])
{
    size_t gap = str_find(s, S("::"));
    if (gap == SIZE_MAX)
        return parse_groups(s, out) == 16;
    uint8_t head[16], tail[16];
    int nhead = parse_groups(str_sub(s, 0, gap), head), ntail = parse_groups(str_sub(s, gap + 2, s.n), tail);
    if (nhead < 0 || ntail < 0 || nhead + ntail > 14)
        return false;
    memset(out, 0, 16);
    memcpy(out, head, (size_t)nhead);
    memcpy(out + 16 - ntail, tail, (size_t)ntail);
    return true;
}

bool ip_parse(struct str s, struct ip *ret)
{
    struct ip ip = { .v6 = str_index(s, ':') != SIZE_MAX };
    if (!(ip.v6 ? parse_v6(s, ip.b) : parse_v4(s, ip.b)))
        return false;
    *ret = ip;
    return true;
}

static bool parse_block(struct str addr, struct str bits_text, struct ip_set *ret)
{
    struct ip ip;
    int64_t bits;
    if (!ip_parse(addr, &ip) || !str_to_i64(bits_text, &bits) || bits < 0 || bits > (ip.v6 ? 128 : 32))
        return false;
    ret->first = ret->last = ip;
    for (int i = 0; i < (ip.v6 ? 16 : 4); i++) {
        int64_t keep = bits - i * 8;
        uint8_t mask = (uint8_t)(keep >= 8 ? 0xff : keep <= 0 ? 0 : 0xff << (8 - keep));
        ret->first.b[i] = ip.b[i] & mask;
        ret->last.b[i] = (uint8_t)(ip.b[i] | (uint8_t)~mask);
    }
    return true;
}

bool ip_set_parse(struct str s, struct ip_set *ret)
{
    struct ip one;
    if (ip_parse(s, &one)) {
        *ret = (struct ip_set){ one, one };
        return true;
    }
    size_t at = str_index(s, '/');
    if (at != SIZE_MAX)
        return parse_block(str_sub(s, 0, at), str_sub(s, at + 1, s.n), ret);
    at = str_index(s, '-');
    struct ip_set set;
    if (at == SIZE_MAX || !ip_parse(str_trim(str_sub(s, 0, at)), &set.first) || !ip_parse(str_trim(str_sub(s, at + 1, s.n)), &set.last))
        return false;
    if (set.first.v6 != set.last.v6 || memcmp(set.first.b, set.last.b, sizeof set.first.b) > 0)
        return false;
    *ret = set;
    return true;
}

bool ip_set_has(const struct ip_set *s, const struct ip *ip)
{
    return s->first.v6 == ip->v6 && memcmp(s->first.b, ip->b, sizeof ip->b) <= 0 && memcmp(ip->b, s->last.b, sizeof ip->b) <= 0;
}

static bool may_be_v4(struct str s)
{
    return s.n > 3 && is_digit(s.p[0]) && (s.p[1] == '.' || s.p[2] == '.' || s.p[3] == '.');
}

static bool may_be_v6(struct str s)
{
    if (s.n <= 4)
        return false;
    if (s.p[0] == ':')
        return s.p[1] == ':' && hex_value(s.p[2]) >= 0;
    for (size_t i = 0; i < 5; i++) {
        if (s.p[i] == ':')
            return i > 0;
        if (hex_value(s.p[i]) < 0)
            return false;
    }
    return false;
}

static size_t span(struct str s, bool v6)
{
    size_t n = 0;
    while (n < s.n && (s.p[n] == '.' || (v6 ? s.p[n] == ':' || hex_value(s.p[n]) >= 0 : is_digit(s.p[n]))))
        n++;
    return n;
}

bool ip_set_find(const struct ip_set *s, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        struct str rest = str_sub(text, i, text.n);
        bool v4 = may_be_v4(rest);
        if (!v4 && !may_be_v6(rest))
            continue;
        size_t n = span(rest, !v4);
        struct ip ip;
        if (ip_parse(str_sub(rest, 0, n), &ip) && ip_set_has(s, &ip))
            return true;
        i += n;
    }
    return false;
}
