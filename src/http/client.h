/* http/client.h -- one HTTP/1.1 request to somebody else, on the caller's thread.
 *
 * Blocking, with one deadline over everything (name look-up excepted), bounded head and
 * body, gzip undone. For scraping, notification, forwarding and the doctor, each of which
 * has threads of its own; never call it on an I/O loop.
 *
 * Owner:    the reply lives in `mem`; an http_peer keeps one connection for reuse.
 * Threads:  a peer belongs to one thread at a time.
 * Errors:   enum fetch_end says in what way it failed, which scraping must know.
 * Spec:     RFC 9110, 9112.
 */
#pragma once
#include "http/http.h"
#include "http/tls.h"

enum fetch_end {
    FETCH_OK,                                      /* a reply came, whatever its status */
    FETCH_REFUSED,                                 /* connection refused: nobody is there */
    FETCH_RESET,                                   /* closed or reset before the reply was complete */
    FETCH_TIMEOUT,
    FETCH_NAME,                                    /* the host has no address */
    FETCH_TLS,                                     /* handshake or certificate */
    FETCH_TOO_LARGE,
    FETCH_MALFORMED,                               /* no HTTP, or a bad body */
    FETCH_OTHER,                                   /* the system said no */
};

struct fetch {
    enum http_method method;                       /* GET, POST, PUT, DELETE, HEAD */
    struct str url;                                /* http:// or https://, with path and query */
    const struct http_header *headers;             /* Host, Content-Length and Connection are ours */
    uint32_t nheaders;
    struct str body;
    int64_t timeout_ns;
    size_t body_max;                               /* decompressed; 0: 64 MiB */
    const struct tls_client *tls;                  /* for https; NULL: the system's CAs */
    bool follow_redirects;                         /* GET only, at most 10, never from https to http */
    const bool *cancelled;                         /* NULL, or set by another thread: FETCH_OTHER soon after */
};

struct fetched {
    enum fetch_end end;
    int status;
    struct http_header *headers;                   /* names in lower case */
    uint32_t nheaders;
    struct str body;
    struct str final_url;
};

struct http_peer;
struct http_peer *http_peer_new(void);
void http_peer_free(struct http_peer *p);          /* NULL is fine */

/* OK exactly when end is FETCH_OK; else the fault says what happened, in one line. `peer` may be
 * NULL: no reuse. A kept connection that turns out to be dead is opened anew once, unseen. */
MUST enum err http_fetch(struct http_peer *peer, const struct fetch *q, struct arena *mem, struct fetched *ret, struct fault *f);
