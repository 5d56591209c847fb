/* http/h2_session.h -- frames, HPACK and flow control of one HTTP/2 connection.
 *
 * The only file pair that knows libnghttp2. It is fed what came, gives what is to be
 * sent, and reports between the two; it knows no sockets, requests or time.
 *
 * Owner:    the session is its maker's. `stream` pointers are the maker's too: what
 *           `begin` returned, until `closed`.
 * Threads:  one at a time.
 * Errors:   a client that breaks the protocol ends the session by itself: `failed`,
 *           once, and then h2_session_over() when the farewell has been taken.
 * Events:   come from within h2_session_feed() and h2_session_next(). In them the session
 *           may be told anything except to feed, next or free.
 * Spec:     RFC 9113, 7541.
 */
#pragma once
#include "http/http.h"

struct h2_session;

enum h2_code { H2_NO_ERROR = 0, H2_PROTOCOL_ERROR = 1, H2_INTERNAL_ERROR = 2, H2_REFUSED_STREAM = 7, H2_CANCEL = 8, H2_CALM = 11 };
enum h2_frame { H2_DATA = 0, H2_HEADERS = 1, H2_RST = 3, H2_CONTINUATION = 9 };       /* those that events tell apart */
enum h2_more { H2_MORE, H2_LATER, H2_END };

struct h2_events {
    void *(*begin)(void *arg, int32_t id);                                   /* of a request's head; NULL: it was reset */
    /* `valid` false: names or values that HTTP does not have. Trailers of requests come here too. */
    void (*field)(void *arg, void *stream, struct str name, struct str value, bool valid);
    void (*head)(void *arg, void *stream);                                   /* its end */
    void (*data)(void *arg, void *stream, struct str data);
    void (*end)(void *arg, void *stream);                                    /* the client's side is complete */
    void (*closed)(void *arg, void *stream);
    /* The next bytes of a body into p; H2_LATER with none: h2_session_resume() will follow. */
    size_t (*body)(void *arg, void *stream, char *p, size_t max, enum h2_more *ret);
    void (*sent)(void *arg, void *stream);                                   /* our side is complete */
    void (*frame)(void *arg, uint8_t type);                                  /* any frame's head, before all else */
    void (*empty)(void *arg);                                                /* DATA that carries and ends nothing */
    void (*reset)(void *arg);                                                /* a stream of an error of either side */
    void (*failed)(void *arg, bool flood, const char *why);
};

struct h2_session *h2_session_new(const struct h2_events *ev, void *arg);
void h2_session_free(struct h2_session *s);        /* without events */

void h2_session_feed(struct h2_session *s, struct str in);
/* The next frame or frames to send, valid until the next call of anything; empty: none now. */
struct str h2_session_next(struct h2_session *s);
bool h2_session_over(const struct h2_session *s);  /* nothing will come or go any more */

/* status and fields; `body`: the event will be asked for it, else the reply ends here. */
void h2_session_reply(struct h2_session *s, int32_t id, int status, const struct http_header *fields, uint32_t n, bool body);
void h2_session_interim(struct h2_session *s, int32_t id);                   /* "100 Continue" */
/* From within `body`, whose answer is H2_END then. */
void h2_session_trailers(struct h2_session *s, int32_t id, const struct http_header *fields, uint32_t n);
void h2_session_resume(struct h2_session *s, int32_t id);
void h2_session_reset(struct h2_session *s, int32_t id, enum h2_code code);
void h2_session_ping(struct h2_session *s);
void h2_session_drain(struct h2_session *s);       /* takes no new streams */
void h2_session_end(struct h2_session *s, enum h2_code code);   /* and drops those there are */
