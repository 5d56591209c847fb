/* fuzz/fuzz_http.c -- requests cut at any place must mean the same as whole ones.
 *
 * Input: one byte that seeds the cuts, then the bytes of a connection. They are read
 * once in one piece and once in pieces; heads, bodies and refusals must agree. Path,
 * parameters and host of every head that was understood are read as well.
 */
#include <string.h>

#include "http/hosts.h"
#include "http/limits.h"
#include "http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096, STEPS_MAX = 64 };

/* What one reading of the input gave: a digest to compare, in text. */
struct reading {
    struct buf log;
    struct arena mem;
};

static void handle(struct http_req *r)
{
    (void)r;
}

static const struct http_route routes[] = {
    { HTTP_GET, "/api/*/x/**", handle, 0, "" },
    { HTTP_POST, "**/v1/metrics", handle, 0, "" },
    { .path = NULL },
};

static void read_head(struct reading *g, struct str head, struct http_head *ret, struct http_bad *bad)
{
    char *p = arena_alloc(&g->mem, head.n, 1);
    memcpy(p, head.p, head.n);
    if (http_head_parse(p, head.n, &g->mem, ret, bad) != HTTP_DONE)
        return;
    bad->status = 0;
    buf_fmt(&g->log, "%d %u " STR_FMT "?" STR_FMT " %d %d %d %llu\n", ret->method, ret->minor, STR_ARG(ret->path), STR_ARG(ret->query),
            ret->chunked, ret->keep_alive, ret->expect, (unsigned long long)ret->length);
    for (uint32_t i = 0; i < ret->nheaders; i++) {
        CHECK(http_is_token(ret->headers[i].name));
        buf_str(&g->log, ret->headers[i].name);
        buf_str(&g->log, ret->headers[i].value);
    }
    const struct http_table table = { routes, NULL, NULL };
    struct route_match m = route_find(&table, 1, ret->method, ret->path, &g->mem);
    for (uint32_t i = 0; i < m.nwild; i++)
        buf_str(&g->log, m.wild[i]);
    struct str query;
    CHECK(percent_decode(ret->query, true, true, &g->mem, &query));
    buf_str(&g->log, query);
    const struct hosts hosts = { 0 };
    char why[HOSTS_WHY_MAX];
    buf_fmt(&g->log, " %d\n", hosts_check(&hosts, ret, why));
}

/* Feeds growing prefixes of `in`, whose ends `cut` chooses; returns bytes used, 0 when more is wanted or refused. */
static size_t next_cut(uint32_t *seed, size_t from, size_t n)
{
    if (!*seed)
        return n;
    *seed = *seed * 1664525 + 1013904223;
    return MIN(from + 1 + (*seed >> 16) % 9, n);
}

static size_t read_chunks(struct reading *g, struct str in, uint32_t *seed, struct http_bad *bad)
{
    struct http_chunks c = { 0 };
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, BODY_MAX);
    for (size_t at = 0; at < in.n;) {
        size_t to = next_cut(seed, at, in.n);
        struct str piece = str_sub(in, at, to - at);
        enum http_step step = http_chunks_feed(&c, &piece, &out, bad);
        CHECK(!out.bad && out.n <= BODY_MAX);
        if (step != HTTP_MORE) {
            buf_str(&g->log, buf_view(&out));
            return step == HTTP_DONE ? to - piece.n : 0;
        }
        at = to;
    }
    buf_fmt(&g->log, "more after %zu\n", out.n);
    return 0;
}

static size_t read_one(struct reading *g, struct str in, uint32_t *seed, struct http_bad *bad)
{
    struct http_scan s = { 0 };
    enum http_step step = HTTP_MORE;
    for (size_t at = 0; step == HTTP_MORE && at < in.n;) {
        at = next_cut(seed, at, in.n);
        step = http_scan(&s, str_sub(in, 0, at), bad);
    }
    if (step != HTTP_DONE)
        return 0;
    CHECK(s.start < s.at && s.at <= in.n);
    struct http_head head = { 0 };
    bad->status = -1;
    read_head(g, str_sub(in, s.start, s.at - s.start), &head, bad);
    if (bad->status)
        return 0;
    struct str rest = str_sub(in, s.at, in.n - s.at);
    if (!head.chunked)
        return s.at + (size_t)MIN(head.length, (uint64_t)rest.n);
    size_t n = read_chunks(g, rest, seed, bad);
    return n ? s.at + n : 0;
}

static void read_all(struct reading *g, struct str in, uint32_t seed)
{
    buf_init(&g->log, 64 << 20);
    arena_init(&g->mem, 64 << 20);
    for (int i = 0; i < STEPS_MAX && in.n; i++) {
        struct http_bad bad = { 0 };
        size_t n = read_one(g, in, &seed, &bad);
        buf_fmt(&g->log, "= %zu %d %s\n", n, bad.status, bad.status ? bad.why : "");
        if (!n)
            break;
        in = str_sub(in, n, in.n - n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    struct reading whole, pieces;
    read_all(&whole, in, 0);
    read_all(&pieces, in, data[0] + 1u);
    CHECK(str_eq(buf_view(&whole.log), buf_view(&pieces.log)));
    buf_done(&whole.log);
    buf_done(&pieces.log);
    arena_done(&whole.mem);
    arena_done(&pieces.mem);
    return 0;
}
