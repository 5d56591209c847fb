/* scrape/owner.h -- which process of this machine listens on a port, where the system tells it.
 *
 * Linux: read from /proc, for processes that we may look at. Elsewhere nothing is known.
 *
 * Owner:    everything lives in the arena given.
 * Threads:  any; a look is one moment's.
 */
#pragma once
#include "base/arena.h"

enum { OWNER_PORTS_MAX = 4096 };

struct port_owner {
    int64_t pid;
    char name[32];
};

struct port_owners {
    struct listening {
        uint16_t port;
        uint64_t inode;
        struct port_owner owner;                   /* pid 0: not known */
    } *at;
    uint32_t n;
};

void port_owners_read(struct port_owners *ret, struct arena *mem);
/* Of a URL whose host is this machine; false: not known. */
MUST bool port_owner_of(const struct port_owners *o, struct str url, struct port_owner *ret);
