/* fuzz/fuzz_logql.c -- any text as a query: it parses or is refused with a place in it;
 * what parses prints and, where that parses again, prints the same from then on; and it
 * is evaluated over a few lines. */
#include <stdlib.h>
#include <string.h>

#include "../tests/support/memsource.h"
#include "logql/logql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct memsource *m, int64_t t, const char *app, const char *meta, const char *line)
{
    const struct mem_cell cells[] = {
        { PLACE_LABEL, "app", value_str(str_c(app)) }, { PLACE_ATTR, "k", value_str(str_c(meta)) },
        { PLACE_ATTR, "n", value_int(t) }, { PLACE_FIELD, "body", value_str(str_c(line)) },
    };
    memsource_add(m, &(struct mem_row){
        .table = TABLE_LOG, .time_ns = t * NS_PER_S, .origin = ORIGIN_LOKI, .cells = cells, .ncells = LEN(cells) });
}

static struct memsource *source(void)
{
    static struct memsource *m;
    if (m)
        return m;
    m = memsource_new();
    memsource_set_block_rows(m, 3);
    for (int64_t t = 0; t < 60; t += 15) {
        add(m, t, "x", "1", "{\"level\":\"warn\",\"a\":{\"b\":[1,\"2\"]},\"d\":\"1.5s\",\"k\":null}");
        add(m, t + 1, "x", "2MB", "level=error msg=\"a \\\"b\\\"\" d=3ms size=5KB bad\"");
        add(m, t + 2, "y", "10.0.0.1", "10.0.0.7 - - \"GET /x HTTP/1.1\" 200 0.5 \x1b[31mred\x1b[0m");
        add(m, t + 3, "y", "", "{\"cut");
    }
    return m;
}

static void evaluate(struct arena *mem, const struct logql *q)
{
    static const struct query_limits limits = { .samples_max = 20000, .series_max = 1000, .points_max = 100 };
    static const struct logql_options opt = { 0 };
    struct query_ctx ctx = { .src = memsource_source(source()), .mem = mem, .limits = &limits, .clock = &clock_system };
    struct fault f = { 0 };
    enum err e;
    if (logql_type(q) == LOGQL_LOGS) {
        struct log_result res;
        struct log_req req = { .end_ns = 60 * NS_PER_S, .limit = 5, .forward = true };
        e = logql_logs(&ctx, q, &opt, &req, false, &res, &f);
        CHECK(e || res.entries <= 5);
    } else {
        struct vec v;
        e = logql_metric(&ctx, q, &opt, (struct log_steps){ 10 * NS_PER_S, 7 * NS_PER_S, 8 }, &v, &f);
    }
    CHECK(!e || f.code == e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    struct logql *q = NULL, *again = NULL;
    struct fault f = { 0 };
    if (size > 4096)
        return 0;
    arena_init(&mem, 32u << 20);
    struct str text = arena_str(&mem, (struct str){ (const char *)data, size });
    if (logql_parse(text, &mem, &q, &f) == OK) {
        /* Once may change it: sizes are rounded in print, -0 reads as a duration, NaN not at all. */
        struct str once, twice;
        if (logql_parse(logql_format(q, &mem), &mem, &again, &f) == OK) {
            once = logql_format(again, &mem);
            logql_freep(&again);
            CHECK(logql_parse(once, &mem, &again, &f) == OK);
            twice = logql_format(again, &mem);
            CHECK(str_eq(once, twice));
        }
        logql_freep(&again);
        evaluate(&mem, q);
    } else {
        CHECK((f.code == E_SYNTAX || f.code == E_LIMIT || f.code == E_UNSUPPORTED) && f.at <= size);
    }
    logql_freep(&q);
    arena_done(&mem);
    return 0;
}
