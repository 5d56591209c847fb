/* Tables of the accounting API: filters, order, pages, totals, cells as JSON and CSV. The route
 * here is made of rows in memory; requests go through the real parameters. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../support/fakehttp.h"
#include "api/prom_envelope.h"
#include "api/v1.h"

struct thing {
    struct str id, name;
    struct texts models;
    struct pairs extra;
    int64_t at, took, cost, n, good;
    double share;
};
#define COLUMN(name, type, field, flags) { S(name), type, offsetof(struct thing, field), flags, S("") }
static const struct v1_column columns[] = {
    COLUMN("id", CELL_TEXT, id, COL_KEY),       COLUMN("name", CELL_TEXT, name, 0),       COLUMN("models", CELL_TEXTS, models, 0),
    COLUMN("extra", CELL_PAIRS, extra, 0),      COLUMN("at", CELL_TIME, at, 0),           COLUMN("took", CELL_SPAN, took, 0),
    COLUMN("cost", CELL_MONEY, cost, COL_SUM),  COLUMN("n", CELL_COUNT, n, COL_SUM),      COLUMN("good", CELL_BOOL, good, 0),
    COLUMN("share", CELL_RATIO, share, 0),      { .name = { 0 } },
};

static struct str colours(uint32_t i)
{
    static const struct str names[] = { S("red"), S("green") };
    return i < LEN(names) ? names[i] : S("");
}

struct own {
    struct texts by;
    int64_t step;
};
static const struct v1_param params[] = {
    { .name = S("name"), .type = V1_FILTER, .column = S("name"), .doc = S("") },
    { .name = S("model"), .type = V1_FILTER, .column = S("models"), .doc = S("") },
    { .name = S("extra"), .type = V1_FILTER, .column = S("extra"), .doc = S("") },
    { .name = S("q"), .type = V1_SEARCH, .column = S("id"), .doc = S("") },
    { .name = S("by"), .type = V1_NAMES, .at = offsetof(struct own, by), .max = 1, .allowed = colours, .doc = S("") },
    { .name = S("step"), .type = V1_COUNT, .at = offsetof(struct own, step), .min = 1, .max = 9, .preset = S("2"), .doc = S("") },
    { .name = { 0 } },
};
static const struct v1_route route = {
    .flags = V1_PAGED, .params = params, .size = sizeof(struct own), .list = S("things"), .columns = columns,
    .row_size = sizeof(struct thing), .sort = S("-cost"),
};

static struct str opus[] = { S("opus"), S("haiku") };
static struct pair team[] = { { S("team"), S("a,b") } };
static const struct thing few[] = {
    { S("s1"), S("x"), { opus, 1 }, { team, 1 }, 1000000000, 1500000, 1000000001, 1, 1, 0.5 },
    { S("s2"), S("=1+1"), { opus, 2 }, { NULL, 0 }, 0, V1_NONE, 250000000, 2, 0, 0.25 },
    { S("s3"), S("say \"hi\", you"), { NULL, 0 }, { NULL, 0 }, 0, V1_NONE, V1_NONE, V1_NONE, V1_NONE, (double)NAN },
    { S("S4"), S("x"), { NULL, 0 }, { NULL, 0 }, 0, V1_NONE, 250000000, 4, V1_NONE, 0 },
};

static void fill_few(void *arg, uint32_t i, void *row)
{
    (void)arg;
    *(struct thing *)row = few[i];
}

static const uint32_t many = 100000;
static void fill_many(void *arg, uint32_t i, void *row)
{
    (void)arg;
    static char ids[8 * 100000];
    char *id = ids + 8 * (size_t)i;
    for (uint32_t k = 8, v = i; k-- > 0; v /= 10)
        id[k] = (char)('0' + v % 10);
    *(struct thing *)row = (struct thing){ .id = { id, 8 }, .cost = (int64_t)(i * UINT64_C(2654435761) % 1000), .n = 1 };
}

static void handle(struct http_req *r, const struct v1_rows *rows)
{
    CLEANUP(arena_done) struct arena mem;
    struct fault f = { 0 };
    arena_init(&mem, 64u << 20);
    struct v1_call c = { .r = r, .a = r->arg, .route = &route, .mem = &mem, .now_ns = 1 };
    enum err e = v1_read_params(&c, &f);
    if (e)
        prom_fail(r, e, arena_fmt(&mem, "%s" STR_FMT, f.msg, STR_ARG(c.allowed)));
    else
        v1_table(&c, rows);
}

static void handle_few(struct http_req *r)
{
    handle(r, &(struct v1_rows){ .n = LEN(few), .fill = fill_few });
}

static void handle_many(struct http_req *r)
{
    handle(r, &(struct v1_rows){ .n = many, .fill = fill_many });
}

static const struct http_route routes[] = {
    { HTTP_GET, "/few", handle_few, 0, "" },
    { HTTP_GET, "/many", handle_many, 0, "" },
    { 0 },
};

static struct fake_reply ask(const char *target)
{
    static struct api api;
    struct fake_reply reply;
    fake_http(routes, &api, HTTP_GET, str_c(target), S(""), &reply);
    return reply;
}

/* Every row is a request: its status, and what its answer holds. `lacks`: what it does not hold. */
static const struct {
    const char *target;
    int status;
    const char *holds, *lacks;
} rows[] = {
    { "/few", 200, "\"total\":4,\"totals\":{\"cost_usd\":1.500000001,\"cost_nano_usd\":\"1500000001\",\"n\":7},\"next\":null", NULL },
    { "/few?limit=1", 200, "\"next\":\"1000000001,s1\"", "s2" },
    { "/few?limit=1", 200, "{\"id\":\"s1\",\"name\":\"x\",\"models\":[\"opus\"],\"extra\":{\"team\":\"a,b\"},\"at_ns\":\"1000000000\","
                           "\"took_ms\":1.5,\"cost_usd\":1.000000001,\"cost_nano_usd\":\"1000000001\",\"n\":1,\"good\":true,\"share\":0.5}", NULL },
    { "/few?limit=1&offset=3", 200, "{\"id\":\"s3\",\"name\":\"say \\\"hi\\\", you\",\"models\":[],\"extra\":{},\"at_ns\":null,"
                                    "\"took_ms\":null,\"cost_usd\":null,\"cost_nano_usd\":null,\"n\":null,\"good\":null,\"share\":null}", NULL },
    { "/few?limit=1&cursor=1000000001,s1", 200, "\"id\":\"S4\"", "s2" },        /* equal keys by id, bytewise */
    { "/few?limit=1&cursor=250000000,S4", 200, "\"id\":\"s2\"", "S4" },
    { "/few?cursor=250000000,s2", 200, "\"id\":\"s3\"", "s1" },                 /* what is unknown is last */
    { "/few?sort=cost&limit=1&offset=3", 200, "\"id\":\"s3\"", NULL },          /* in either direction */
    { "/few?sort=name&limit=1", 200, "\"next\":\"==1+1,s2\"", NULL },
    { "/few?sort=name&limit=1&cursor=%3Dsay%20%22hi%22%252C%20you,s3", 200, "\"id\":\"S4\"", "s3" },
    { "/few?sort=share&limit=2&offset=1", 200, "\"id\":\"s2\"", "S4" },
    { "/few?cursor=x", 400, "cursor: it is not one of this order", NULL },
    { "/few?cursor=1,s1,s2", 400, "cursor: it is not one of this order", NULL },
    { "/few?cursor=1,s1&offset=1", 400, "cursor: not together with offset", NULL },
    { "/few?name=x", 200, "\"total\":2", "s2" },
    { "/few?name=x&name=%3D1%2B1", 200, "\"total\":3", "s3" },
    { "/few?model=haiku", 200, "\"total\":1", "s1" },
    { "/few?extra=team%3Da,b", 200, "\"total\":1", "s2" },
    { "/few?q=s4", 200, "\"total\":1", "s1" },
    { "/few?q=s4&name=y", 200, "\"total\":0,\"totals\":{\"cost_usd\":0,", "s4" },
    { "/few?by=red", 200, "s1", NULL },
    { "/few?by=blue", 400, "parameter by: \\\"blue\\\"; allowed: red, green\"", NULL },
    { "/few?by=red,green", 400, "parameter by: more than its limit of 1", NULL },
    { "/few?step=10", 400, "parameter step: 10 is not between 1 and its limit of 9", NULL },
    { "/few?step=1.5", 400, "parameter step: \\\"1.5\\\" is no whole number", NULL },
    { "/few?sort=colour", 400, "parameter sort: \\\"colour\\\"; allowed: id, name, at, took, cost, n, good, share\"", NULL },
    { "/few?sort=models", 400, "parameter sort: \\\"models\\\"", NULL },
    { "/few?limit=10001", 400, "limit: 10001 is not between 1 and its limit of 10000", NULL },
    { "/few?nmae=x", 400, "unknown parameter \\\"nmae\\\"; allowed: sort, limit, offset, cursor, format, name, model, extra, q, by, step\"", NULL },
    { "/few?format=csv&limit=3", 200, "id,name,models,extra,at,took_ms,cost_usd,n,good,share\r\n"
                                      "s1,x,opus,\"team=a,b\",1970-01-01T00:00:01Z,1.5,1.000000001,1,true,0.5\r\n"
                                      "S4,x,,,,,0.25,4,,0\r\n"
                                      "s2,'=1+1,opus;haiku,,,,0.25,2,false,0.25\r\n", "s3" },
    { "/few?format=csv&q=s3", 200, "s3,\"say \"\"hi\"\", you\",,,,,,,,\r\n", "s1" },
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct fake_reply a = ask(rows[i].target);
        struct str body = buf_view(&a.body);
        bool wrong = a.status != rows[i].status || str_find(body, str_c(rows[i].holds)) == SIZE_MAX ||
                     (rows[i].lacks && str_find(body, str_c(rows[i].lacks)) != SIZE_MAX);
        if (wrong)
            fail_msg("%s: %d " STR_FMT "\nwant %d with %s, without %s", rows[i].target, a.status, STR_ARG(str_sub(body, 0, 1000)),
                     rows[i].status, rows[i].holds, rows[i].lacks ? rows[i].lacks : "(anything)");
        buf_done(&a.body);
    }
}

static struct str value_of(struct str body, struct str key)
{
    size_t at = str_find(body, key);
    assert_true(at != SIZE_MAX);
    struct str rest = str_sub(body, at + key.n, body.n);
    return str_sub(rest, 0, str_index(rest, '"'));
}

/* Pages by cursor have every row once, in an order that never falls. */
static void test_pages(void **state)
{
    (void)state;
    static bool seen[100000];
    char target[200] = "/many?sort=cost&limit=10000";
    int64_t before = 0;
    uint32_t n = 0;
    for (;;) {
        struct fake_reply a = ask(target);
        struct str body = buf_view(&a.body), rest = body;
        assert_int_equal(a.status, 200);
        for (size_t at; (at = str_find(rest, S("{\"id\":\""))) != SIZE_MAX; n++) {
            int64_t id = 0, cost = 0;
            rest = str_sub(rest, at, rest.n);
            assert_true(str_to_i64(value_of(rest, S("{\"id\":\"")), &id) && str_to_i64(value_of(rest, S("cost_nano_usd\":\"")), &cost));
            assert_true(!seen[id] && cost >= before);
            seen[id] = true;
            before = cost;
            rest = str_sub(rest, 8, rest.n);
        }
        bool last = str_find(body, S("\"next\":null")) != SIZE_MAX;
        if (!last)
            snprintf(target, sizeof target, "/many?sort=cost&limit=10000&cursor=" STR_FMT, STR_ARG(value_of(body, S("\"next\":\""))));
        buf_done(&a.body);
        if (last)
            break;
    }
    assert_int_equal(n, many);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_pages) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
