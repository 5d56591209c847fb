/* http/net.h -- addresses, listening sockets, accepting.
 *
 * Owner:    descriptors belong to the caller; all are close-on-exec.
 * Threads:  any.
 * Errors:   E_SYNTAX: not an address; E_EXIST: the address is in use; E_IO.
 */
#pragma once
#include "base/str.h"

/* IPv4 is kept as the IPv6 address it maps to, so that one comparison does for both. */
struct net_addr {
    uint8_t ip[16];
    uint16_t port;
};

enum { NET_TEXT_MAX = 56 };                        /* "[ffff:...:255.255.255.255]:65535" */

MUST bool net_parse_ip(struct str s, struct net_addr *ret);            /* literal, IPv6 with or without brackets; port 0 */
bool net_is_loopback(const struct net_addr *a);
bool net_is_any(const struct net_addr *a);                             /* 0.0.0.0 or :: */
bool net_same_ip(const struct net_addr *a, const struct net_addr *b);
size_t net_format(const struct net_addr *a, char out[NET_TEXT_MAX]);   /* "127.0.0.1:4318", "[::1]:4318" */

/* `addr` is a literal or "localhost"; "::" takes IPv4 as well. Non-blocking. */
MUST enum err net_listen(struct str addr, uint16_t port, int *ret_fd, struct net_addr *ret_bound, struct fault *f);
/* A non-blocking connection, or -1 with errno. */
int net_accept(int fd, struct net_addr *ret_peer);
bool net_local(int fd, struct net_addr *ret);

/* The addresses of a name or literal in the system's order, at most `max`; blocks as long as the
 * system's resolver does. E_NOTFOUND: it has none. */
MUST enum err net_resolve(struct str host, uint16_t port, struct net_addr *ret, uint32_t max, uint32_t *ret_n, struct fault *f);
/* A non-blocking socket that is connecting (poll for writing, then ask SO_ERROR), or -1 with errno. */
int net_connect(const struct net_addr *a);
