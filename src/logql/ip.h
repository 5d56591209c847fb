/* logql/ip.h -- ip("..."): an address, a CIDR block or a range a-b, of either family.
 *
 * Threads: any; plain values.
 */
#pragma once
#include "base/str.h"

struct ip {
    uint8_t b[16];
    bool v6;
};

struct ip_set {
    struct ip first, last;                         /* both in; same family */
};

MUST bool ip_parse(struct str s, struct ip *ret);
MUST bool ip_set_parse(struct str s, struct ip_set *ret);
bool ip_set_has(const struct ip_set *s, const struct ip *ip);
/* Does the text hold an address of the set? */
bool ip_set_find(const struct ip_set *s, struct str text);
