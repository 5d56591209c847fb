/* http/hosts.c -- who may call. See hosts.h.
 *
 * A cross-site *navigation* is let through: somebody following a link to a page of
 * ours from a wiki or a chat. It can only GET, and the page it came from sees
 * nothing of the answer; a frame is no such navigation (its destination differs).
 */
#include "http/hosts.h"

#include <stdio.h>

enum { SHOWN_MAX = 80 };                           /* bytes of a foreign name in a message */

/* host = uri-host [ ":" port ]; false if it cannot be one. */
static bool split_port(struct str host, struct str *ret_name)
{
    size_t end = 0;
    if (str_starts(host, S("["))) {
        end = str_index(host, ']');
        if (end == SIZE_MAX)
            return false;
        end++;
    } else {
        while (end < host.n && host.p[end] != ':')
            end++;
    }
    *ret_name = str_sub(host, 0, end);
    struct str port = str_sub(host, end, host.n - end);
    if (port.n > 6 || (port.n && port.p[0] != ':'))
        return false;
    for (size_t i = 1; i < port.n; i++)
        if (port.p[i] < '0' || port.p[i] > '9')
            return false;
    return end > 0;
}

bool hosts_allow(const struct hosts *h, struct str host)
{
    struct str name;
    if (!split_port(host, &name))
        return false;
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;                                  /* the fully qualified spelling */
    struct net_addr a;
    if (net_parse_ip(name, &a) && (net_is_loopback(&a) || net_same_ip(&a, &h->bound)))
        return true;
    if (str_eq_nocase(name, S("localhost")))
        return true;
    for (uint32_t i = 0; i < h->nallow; i++)
        if (str_eq_nocase(h->allow[i], name) || str_eq_nocase(h->allow[i], host))
            return true;
    return false;
}

static struct str header(const struct http_head *head, struct str name)
{
    for (uint32_t i = 0; i < head->nheaders; i++)
        if (str_eq(head->headers[i].name, name))
            return head->headers[i].value;
    return (struct str){ 0 };
}

/* origin = scheme "://" host [ ":" port ]; "null" (sandboxed frames, files) is foreign. */
static bool origin_allowed(const struct hosts *h, struct str origin)
{
    size_t n = str_starts(origin, S("http://")) ? 7 : str_starts(origin, S("https://")) ? 8 : 0;
    return n && hosts_allow(h, str_sub(origin, n, origin.n - n));
}

static bool is_navigation(const struct http_head *head)
{
    return (head->method == HTTP_GET || head->method == HTTP_HEAD) &&
           str_eq(header(head, S("sec-fetch-mode")), S("navigate")) &&
           str_eq(header(head, S("sec-fetch-dest")), S("document"));
}

/* Names from outside go into a log: what is no letter of a host name becomes '?'. */
static struct str shown(struct str s, char out[SHOWN_MAX])
{
    size_t n = MIN(s.n, (size_t)SHOWN_MAX);
    for (size_t i = 0; i < n; i++)
        out[i] = s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\' ? s.p[i] : '?';
    return (struct str){ out, n };
}

int hosts_check(const struct hosts *h, const struct http_head *head, char why[HOSTS_WHY_MAX])
{
    char text[SHOWN_MAX];
    if (head->host.p && !hosts_allow(h, head->host)) {
        struct str name = shown(head->host, text);
        (void)snprintf(why, HOSTS_WHY_MAX, "Host \"" STR_FMT "\" is not a name of this server; if it is meant to be, add it to allow_hosts",
                       STR_ARG(name));
        return 403;
    }
    struct str origin = header(head, S("origin"));
    if (origin.p && !origin_allowed(h, origin)) {
        struct str name = shown(origin, text);
        (void)snprintf(why, HOSTS_WHY_MAX,
                       "requests from pages of \"" STR_FMT "\" are refused; if it is yours, add its host to allow_hosts",
                       STR_ARG(name));
        return 403;
    }
    if (str_eq(header(head, S("sec-fetch-site")), S("cross-site")) && !is_navigation(head)) {
        (void)snprintf(why, HOSTS_WHY_MAX,
                       "requests from pages of other sites are refused; "
                                           "open this server by the name that the page has, or a name in allow_hosts");
        return 403;
    }
    return 0;
}
