/* http/client_int.h -- a request of ours: failing with a reason, and reading the reply.
 *
 * Owner:    an answer's body is its own until answer_done(); heads go into its arena.
 * Threads:  one at a time.
 * Errors:   HTTP_BAD fills struct http_bad; status 413 stands for "too large".
 */
#pragma once
#include "http/client.h"
#include "http/parser.h"

/* Fills the fault with the code that belongs to `end`; returns `end`. */
enum fetch_end fetch_fail(struct fault *f, enum fetch_end end, const char *fmt, ...) PRINTF(3, 4);

enum answer_state { ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNKS, ANSWER_TO_END, ANSWER_DONE };

/* A reply, from bytes as they come; knows no sockets. */
struct answer {
    struct arena *mem;
    bool bodiless;                                 /* it answers a HEAD */
    size_t body_max;

    enum answer_state state;
    bool begun;                                    /* a byte of it came */
    struct http_scan scan;
    struct http_chunks chunks;
    uint32_t interim;
    uint64_t left;                                 /* ANSWER_LENGTH: still to come */
    struct buf head, body;

    int status;
    bool keep_alive;
    struct http_header *headers;                   /* in `mem` */
    uint32_t nheaders;
};

void answer_init(struct answer *a, struct arena *mem, bool bodiless, size_t body_max);
void answer_done(struct answer *a);
/* Takes bytes off *in. After HTTP_DONE what is left there belongs to nobody. */
enum http_step answer_feed(struct answer *a, struct str *in, struct http_bad *bad);
/* The peer sends no more: true if that is how this reply ends. */
bool answer_end(struct answer *a);
/* Undoes the content coding; the body moves into `mem`. */
enum http_step answer_decode(struct answer *a, struct str *ret, struct http_bad *bad);
struct str answer_header(const struct answer *a, struct str lower_name);   /* the first; empty if absent */
