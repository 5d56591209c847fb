/* fuzz/fuzz_http_client.c -- replies cut at any place must mean the same as whole ones.
 *
 * Input: one byte that seeds the cuts and says whether it answers a HEAD, then what a
 * server sends until it closes. It is read once in one piece and once in pieces; status,
 * fields, body and refusals must agree.
 */
#include <string.h>

#include "http/client_int.h"
#include "http/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096 };

static size_t next_cut(uint32_t *seed, size_t from, size_t n)
{
    if (!*seed)
        return n;
    *seed = *seed * 1664525 + 1013904223;
    return MIN(from + 1 + (*seed >> 16) % 9, n);
}

static void log_reply(struct buf *log, struct answer *a, size_t left)
{
    struct http_bad bad = { 0 };
    struct str body = { 0 };
    CHECK(a->state == ANSWER_DONE && a->status >= 200);
    bool ok = answer_decode(a, &body, &bad) == HTTP_DONE;
    CHECK(body.n <= BODY_MAX);
    buf_fmt(log, "%d %d %zu %d %d\n", a->status, a->keep_alive, left, ok, ok ? 0 : bad.status);
    buf_str(log, body);
    for (uint32_t i = 0; i < a->nheaders; i++) {
        CHECK(http_is_token(a->headers[i].name) && http_is_value(a->headers[i].value));
        buf_fmt(log, STR_FMT "=" STR_FMT "\n", STR_ARG(a->headers[i].name), STR_ARG(a->headers[i].value));
    }
}

static void read_reply(struct str in, bool bodiless, uint32_t seed, struct buf *log)
{
    struct arena mem;
    struct answer a;
    struct http_bad bad = { 0 };
    enum http_step step = HTTP_MORE;
    size_t at = 0;
    arena_init(&mem, 4 << 20);
    answer_init(&a, &mem, bodiless, BODY_MAX);
    while (step == HTTP_MORE && at < in.n) {
        size_t to = next_cut(&seed, at, in.n);
        struct str piece = str_sub(in, at, to - at);
        step = answer_feed(&a, &piece, &bad);
        CHECK(step != HTTP_MORE || !piece.n);
        at = to - piece.n;
    }
    if (step == HTTP_BAD)
        buf_fmt(log, "bad %d %s\n", bad.status, bad.why);
    else if (step == HTTP_DONE || answer_end(&a))
        log_reply(log, &a, in.n - at);
    else
        buf_fmt(log, "more, %d\n", a.begun);
    answer_done(&a);
    arena_done(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    CLEANUP(buf_done) struct buf whole, pieces;
    buf_init(&whole, 64 << 20);
    buf_init(&pieces, 64 << 20);
    read_reply(in, data[0] & 1, 0, &whole);
    read_reply(in, data[0] & 1, data[0] + 1u, &pieces);
    CHECK(str_eq(buf_view(&whole), buf_view(&pieces)));
    return 0;
}
