/* http/parser.h -- bytes to heads and bodies, HTTP/1.1 only; knows no sockets.
 *
 * http_scan() finds the end of a head in bytes that arrive piece by piece;
 * http_head_parse() then reads the whole head at once; http_chunks_feed()
 * undoes the chunked coding. However the bytes are cut, the result is the same.
 *
 * Owner:    a parsed head points into the bytes it was given.
 * Threads:  one at a time.
 * Errors:   HTTP_BAD fills struct http_bad: the status to answer and why.
 * Spec:     RFC 9112, on the strict side wherever it leaves a choice.
 */
#pragma once
#include "http/http.h"

enum http_step { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_bad {
    int status;
    const char *why;                               /* a literal */
};

/* All-zero is the start of a connection or of the next request. Offsets count
 * from the first byte that http_scan() was given of this request. */
struct http_scan {
    size_t at;                                     /* everything before was looked at */
    size_t line;                                   /* where the current line begins */
    size_t start;                                  /* where the request line begins */
    uint32_t lines, blanks;
};

/* HTTP_DONE: the head is in[s->start, s->at). */
enum http_step http_scan(struct http_scan *s, struct str in, struct http_bad *bad);

struct http_head {
    enum http_method method;
    struct str method_text;
    struct str path, query;                        /* as they came; the path begins with '/' (or is "*") */
    struct str host;                               /* of Host or of an absolute target; p == NULL: none */
    uint32_t minor;                                /* HTTP/1.minor */
    const struct http_header *headers;
    uint32_t nheaders;
    bool chunked, keep_alive, expect;              /* expect: 100-continue */
    uint64_t length;                               /* 0 when chunked or without a body */
};

/* Reads a head that http_scan() delimited; puts header names in lower case in place. */
enum http_step http_head_parse(char *p, size_t n, struct arena *mem, struct http_head *ret, struct http_bad *bad);

struct http_chunks {
    uint8_t state;
    uint64_t left;                                 /* of the current chunk */
    uint32_t digits, line, trailer;                /* bytes seen of each, for the limits */
};

/* Appends decoded bytes to `out` and takes what was used off *in. A chunk that would
 * pass out->max is 413 as soon as its size is known. */
enum http_step http_chunks_feed(struct http_chunks *c, struct str *in, struct buf *out, struct http_bad *bad);

/* One field line without its CRLF: the name in lower case in place, the value trimmed. */
enum http_step http_field_parse(struct str line, struct http_header *ret, struct http_bad *bad);

bool http_is_token(struct str s);
bool http_is_target(struct str s);                 /* may it stand in a URL? */
bool http_is_value(struct str s);                  /* ... as the value of a header? */
