/* fuzz/fuzz_logql.c -- any text as a query: it parses or is refused with a place in it;
 * what parses prints and, where that parses again, prints the same from then on; and it
 * is evaluated over a few lines, by columns and line by line, with one answer. */
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

/* A record: labels at several places, numbers of every kind. */
static void add_record(struct memsource *m, int64_t t, const char *event, double n)
{
    const struct mem_cell cells[] = {
        { PLACE_RESOURCE, "service.name", value_str(S("x")) }, { PLACE_RESOURCE, "k", value_str(S("r")) },
        { PLACE_ATTR, "event.name", value_str(str_c(event)) }, { PLACE_ATTR, "n", value_double(n) },
        { PLACE_ATTR, "k", t % 2 ? value_str(S("")) : value_int(t) }, { PLACE_FIELD, "severity_number", value_int(t % 3) },
        { PLACE_LABEL, "app", value_str(S("x")) }, { PLACE_FIELD, "body", value_str(str_c(event)) },
    };
    memsource_add(m, &(struct mem_row){
        .table = TABLE_LOG, .time_ns = t * NS_PER_S, .origin = ORIGIN_OTLP, .cells = cells, .ncells = LEN(cells) });
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
        add_record(m, t + 4, "api_error", 1.5);
        add_record(m, t + 5, "tool_result", (double)t);
    }
    return m;
}

struct answer {
    enum err e;
    struct vec v;
    struct log_result lines;
};

static struct answer evaluate(struct arena *mem, const struct logql *q, bool by_lines)
{
    static const struct query_limits limits = { .samples_max = 20000, .series_max = 1000, .points_max = 100 };
    struct logql_options opt = { .by_lines = by_lines };
    struct query_ctx ctx = { .src = memsource_source(source()), .mem = mem, .limits = &limits, .clock = &clock_system };
    struct fault f = { 0 };
    struct answer a = { 0 };
    if (logql_type(q) == LOGQL_LOGS) {
        struct log_req req = { .end_ns = 60 * NS_PER_S, .limit = 5, .forward = true };
        a.e = logql_logs(&ctx, q, &opt, &req, false, &a.lines, &f);
        CHECK(a.e || a.lines.entries <= 5);
    } else {
        a.e = logql_metric(&ctx, q, &opt, (struct log_steps){ 10 * NS_PER_S, 7 * NS_PER_S, 8 }, &a.v, &f);
    }
    CHECK(!a.e || f.code == a.e);
    return a;
}

static bool same_number(double a, double b)
{
    return (a != a && b != b && value_is_absent(a) == value_is_absent(b)) || a == b;
}

static void compare(const struct answer *a, const struct answer *b)
{
    CHECK(a->e == b->e);
    if (a->e)
        return;
    CHECK(a->v.n == b->v.n && a->lines.n == b->lines.n);
    for (uint32_t i = 0; i < a->v.n; i++) {
        CHECK(labels_eq(a->v.at[i].labels, b->v.at[i].labels));
        for (uint32_t k = 0; k < 8; k++)
            CHECK(same_number(tser_at(&a->v.at[i], k), tser_at(&b->v.at[i], k)));
    }
    for (uint32_t i = 0; i < a->lines.n; i++) {
        const struct log_stream *x = &a->lines.streams[i], *y = &b->lines.streams[i];
        CHECK(x->n == y->n && labels_eq(x->all, y->all));
        for (uint32_t k = 0; k < x->n; k++)
            CHECK(x->entries[k].time_ns == y->entries[k].time_ns && str_eq(x->entries[k].line, y->entries[k].line));
    }
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
        struct answer columns = evaluate(&mem, q, false), lines = evaluate(&mem, q, true);
        compare(&columns, &lines);
    } else {
        CHECK((f.code == E_SYNTAX || f.code == E_LIMIT || f.code == E_UNSUPPORTED) && f.at <= size);
    }
    logql_freep(&q);
    arena_done(&mem);
    return 0;
}
