/* http/net.c -- the socket calls that libuv would only stand in the way of: binding
 * with a clear message, accepting on one loop for another, and connecting from a
 * thread that may block.
 */
#include "http/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

enum { BACKLOG = 1024 };

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_v4(const struct net_addr *a)
{
    return memcmp(a->ip, mapped, sizeof(mapped)) == 0;
}

bool net_parse_ip(struct str s, struct net_addr *ret)
{
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = str_sub(s, 1, s.n - 2);
    char z[INET6_ADDRSTRLEN];
    if (s.n >= sizeof(z) || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(z, s.p, s.n);
    z[s.n] = 0;
    struct net_addr a = { 0 };
    memcpy(a.ip, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, z, a.ip + sizeof(mapped)) != 1 && inet_pton(AF_INET6, z, a.ip) != 1)
        return false;
    *ret = a;
    return true;
}

bool net_is_loopback(const struct net_addr *a)
{
    static const uint8_t one[16] = { [15] = 1 };
    return is_v4(a) ? a->ip[12] == 127 : memcmp(a->ip, one, sizeof(one)) == 0;
}

bool net_is_any(const struct net_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(is_v4(a) ? a->ip + 12 : a->ip, zero, is_v4(a) ? 4 : 16) == 0;
}

bool net_same_ip(const struct net_addr *a, const struct net_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

size_t net_format(const struct net_addr *a, char out[NET_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    bool v4 = is_v4(a);
    CHECK(inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + 12 : a->ip, ip, sizeof(ip)));
    int n = snprintf(out, NET_TEXT_MAX, v4 ? "%s:%u" : "[%s]:%u", ip, a->port);
    CHECK(n > 0 && n < NET_TEXT_MAX);
    return (size_t)n;
}

static void from_sockaddr(const struct sockaddr_storage *ss, struct net_addr *ret)
{
    *ret = (struct net_addr){ 0 };
    if (ss->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, ss, sizeof(in6));
        memcpy(ret->ip, &in6.sin6_addr, 16);
        ret->port = ntohs(in6.sin6_port);
    } else if (ss->ss_family == AF_INET) {
        struct sockaddr_in in4;
        memcpy(&in4, ss, sizeof(in4));
        memcpy(ret->ip, mapped, sizeof(mapped));
        memcpy(ret->ip + 12, &in4.sin_addr, 4);
        ret->port = ntohs(in4.sin_port);
    }
}

static socklen_t to_sockaddr(const struct net_addr *a, bool v4, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (v4) {
        struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(a->port) };
        memcpy(&in4.sin_addr, a->ip + 12, 4);
        memcpy(ret, &in4, sizeof(in4));
        return sizeof(in4);
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
    memcpy(&in6.sin6_addr, a->ip, 16);
    memcpy(ret, &in6, sizeof(in6));
    return sizeof(in6);
}

static bool set_flags(int fd)
{
    int fl = fcntl(fd, F_GETFL);
    return fl >= 0 && fcntl(fd, F_SETFL, fl | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool net_local(int fd, struct net_addr *ret)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &n))
        return false;
    from_sockaddr(&ss, ret);
    return true;
}

static enum err listen_failed(const struct net_addr *a, const char *step, struct fault *f)
{
    int no = errno;
    char text[NET_TEXT_MAX];
    size_t n = net_format(a, text);
    struct str at = { text, n };
    if (no == EADDRINUSE)
        return fault_set(f, E_EXIST, 0,
                         STR_FMT " is in use by another program: stop that one or choose another port (0 takes any free one)",
                         STR_ARG(at));
    if (no == EACCES)
        return fault_set(f, E_IO, 0, STR_FMT ": not allowed; ports below 1024 need privileges, choose a higher one", STR_ARG(at));
    if (no == EADDRNOTAVAIL)
        return fault_set(f, E_IO, 0, STR_FMT ": this machine has no such address", STR_ARG(at));
    return fault_set(f, E_IO, 0, "%s " STR_FMT ": %s", step, STR_ARG(at), strerror(no));
}

enum err net_listen(struct str addr, uint16_t port, int *ret_fd, struct net_addr *ret_bound, struct fault *f)
{
    struct net_addr a;
    struct str literal = str_eq_nocase(addr, S("localhost")) ? S("127.0.0.1") : addr;
    if (!net_parse_ip(literal, &a))
        return fault_set(f, E_SYNTAX, 0, "\"" STR_FMT "\" is not an IPv4 or IPv6 address", STR_ARG(addr));
    a.port = port;
    bool v4 = is_v4(&a);

    CLEANUP(fd_closep) int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    if (fd < 0 || !set_flags(fd))
        return listen_failed(&a, "socket for", f);
    int on = 1, only6 = !net_is_any(&a);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
        return listen_failed(&a, "set up", f);
    if (!v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6)))
        return listen_failed(&a, "set up", f);
    struct sockaddr_storage ss;
    socklen_t n = to_sockaddr(&a, v4, &ss);
    if (bind(fd, (struct sockaddr *)&ss, n))
        return listen_failed(&a, "bind", f);
    if (listen(fd, BACKLOG))
        return listen_failed(&a, "listen on", f);
    if (!net_local(fd, ret_bound))
        return listen_failed(&a, "ask for", f);
    *ret_fd = fd;
    fd = -1;
    return OK;
}

int net_accept(int fd, struct net_addr *ret_peer)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t n = sizeof(ss);
#ifdef __linux__
    int to = accept4(fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    int to = accept(fd, (struct sockaddr *)&ss, &n);
    if (to >= 0 && !set_flags(to)) {
        close(to);
        return -1;
    }
#endif
    if (to >= 0)
        from_sockaddr(&ss, ret_peer);
    return to;
}

enum err net_resolve(struct str host, uint16_t port, struct net_addr *ret, uint32_t max, uint32_t *ret_n, struct fault *f)
{
    if (max && net_parse_ip(host, ret)) {
        ret->port = port;
        *ret_n = 1;
        return OK;
    }
    char z[NI_MAXHOST];
    if (!host.n || host.n >= sizeof(z) || memchr(host.p, 0, host.n))
        return fault_set(f, E_NOTFOUND, 0, "\"" STR_FMT "\" is no name of a host", STR_ARG(str_sub(host, 0, 100)));
    memcpy(z, host.p, host.n);
    z[host.n] = 0;
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;
    int rc = getaddrinfo(z, NULL, &hints, &all);
    if (rc)
        return fault_set(f, E_NOTFOUND, 0, "looking up " STR_FMT ": %s", STR_ARG(str_sub(host, 0, 100)), gai_strerror(rc));
    uint32_t n = 0;
    for (const struct addrinfo *i = all; i && n < max; i = i->ai_next) {
        if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
            continue;
        struct sockaddr_storage ss = { 0 };
        memcpy(&ss, i->ai_addr, MIN((size_t)i->ai_addrlen, sizeof(ss)));
        from_sockaddr(&ss, &ret[n]);
        ret[n++].port = port;
    }
    freeaddrinfo(all);
    if (!n)
        return fault_set(f, E_NOTFOUND, 0, STR_FMT " has no address", STR_ARG(str_sub(host, 0, 100)));
    *ret_n = n;
    return OK;
}

int net_connect(const struct net_addr *a)
{
    struct sockaddr_storage ss;
    socklen_t n = to_sockaddr(a, is_v4(a), &ss);
    CLEANUP(fd_closep) int fd = socket(ss.ss_family, SOCK_STREAM, 0);
    if (fd < 0 || !set_flags(fd))
        return -1;
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
#ifdef SO_NOSIGPIPE
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
#endif
    if (connect(fd, (struct sockaddr *)&ss, n) && errno != EINPROGRESS)
        return -1;
    int ret = fd;
    fd = -1;
    return ret;
}
