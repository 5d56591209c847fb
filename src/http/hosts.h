/* http/hosts.h -- who may call: the defence against DNS rebinding and cross-site requests.
 *
 * A page anywhere on the web may make a browser send requests to loopback. Two
 * things tell it from an honest caller: the name it used for us (Host), and where
 * the page came from (Origin, Sec-Fetch-Site), neither of which a page can forge.
 *
 * Owner:    borrows everything.
 * Threads:  read-only.
 */
#pragma once
#include "http/net.h"
#include "http/parser.h"

struct hosts {
    const struct str *allow;                       /* "name" or "name:port" */
    uint32_t nallow;
    struct net_addr bound;                         /* what the client connected to */
};

/* "name", "name:port", "[::1]:port": localhost, a loopback address, `bound`, or allowed. */
bool hosts_allow(const struct hosts *h, struct str host);

/* 0, or the status to refuse with; `why` gets the reason, one line. */
enum { HOSTS_WHY_MAX = 200 };
int hosts_check(const struct hosts *h, const struct http_head *head, char why[HOSTS_WHY_MAX]);
