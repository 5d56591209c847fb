/* http/client.h -- one HTTP/1.1 request to somebody else, on the caller's thread.
 *
 * Blocking, with one deadline over everything (name look-up excepted), bounded head and
 * body, gzip, deflate and zstd undone. For scraping, notification, forwarding and the doctor, each of which
 * has threads of its own; never call it on an I/O loop.
 *
 * Owner:    the reply lives in `mem`, and is FETCH_TOO_LARGE where that ends; an http_peer
 *           keeps one connection for reuse, and goes before the tls_client it was used with.
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
    struct str url;                                /* http:// or https://, with path and query, without user */
    const struct http_header *headers;             /* Host, Content-Length and Connection are ours; User-Agent and
                                                      Accept-Encoding too, unless they are given */
    uint32_t nheaders;
    struct str body;
    int64_t timeout_ns;                            /* 0: HTTP_FETCH_MS */
    size_t body_max;                               /* before and after decompression; 0: 64 MiB */
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
 * NULL: no reuse. A kept connection that turns out to be dead is opened anew once, unseen: always
 * when that is seen before the request is written, and afterwards if the method may be repeated
 * (not POST) and nothing of a reply had come. */
MUST enum err http_fetch(struct http_peer *peer, const struct fetch *q, struct arena *mem, struct fetched *ret, struct fault *f);

/* A bare connection, for what http_fetch() does not speak (a gRPC call of the doctor). */
struct dial_to {
    struct str host;                               /* a name, or a literal without brackets */
    uint16_t port;
    bool https;
    const struct tls_client *tls;                  /* if https; NULL: the system's CAs */
    struct str alpn;                               /* if https: "h2" or "http/1.1"; empty: not negotiated */
    int64_t timeout_ns;                            /* over all that follows, until dial_again(); 0: HTTP_FETCH_MS */
    const bool *cancelled;
};
struct dial;
/* These return how it went; anything but FETCH_OK fills the fault. */
MUST enum fetch_end http_dial(const struct dial_to *to, struct dial **ret, struct fault *f);
MUST enum fetch_end dial_write(struct dial *d, struct str data, struct fault *f);           /* all of it */
MUST enum fetch_end dial_read(struct dial *d, char *p, size_t n, size_t *ret_n, struct fault *f);   /* 0: the end */
void dial_again(struct dial *d, int64_t timeout_ns, const bool *cancelled);   /* a new deadline */
bool dial_alive(struct dial *d);                   /* at rest: not ended, and nothing came that nobody asked for */
struct str dial_alpn(const struct dial *d);        /* what was agreed on; empty: nothing */
void dial_free(struct dial *d);                    /* NULL is fine */
