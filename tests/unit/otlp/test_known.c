/* Series that were seen before: how many of a request's points are known, and that rows, labels
 * and ids are those of a request decoded without that. What JSON says of labels is tested by
 * both_forms(), with every table of this folder; here are bodies that JSON cannot say. */
#include "enc.h"
#include "otlp/fields.h"
#include "otlp/limits.h"
#include "support.h"

enum { PARTS = 8 };

/* A request of one metric: its resource's attribute, and points whose attributes are `key=value`
 * texts; "|" stands for the point's time among them. */
struct request {
    const char *service, *unit;
    const char *points[PARTS][PARTS];
};

static void put_attr(struct buf *out, unsigned field, struct str key, struct str value)
{
    CLEANUP(buf_done) struct buf any = { 0 };
    CLEANUP(buf_done) struct buf kv = { 0 };
    buf_init(&any, ENC_MAX);
    buf_init(&kv, ENC_MAX);
    enc_bytes(&any, F_ANY_STRING, value);
    enc_bytes(&kv, F_KV_KEY, key);
    enc_message(&kv, F_KV_VALUE, &any);
    enc_message(out, field, &kv);
}

static void put_point(struct buf *data, const char *const *parts)
{
    CLEANUP(buf_done) struct buf point = { 0 };
    buf_init(&point, ENC_MAX);
    enc_fixed64(&point, F_POINT_INT, 1);
    for (unsigned i = 0; i < PARTS && parts[i]; i++) {
        struct str value = str_c(parts[i]), key = str_cut(&value, '=');
        if (*parts[i] == '|')
            enc_fixed64(&point, F_POINT_TIME, T0);
        else
            put_attr(&point, F_POINT_ATTRS, key, value);
    }
    enc_message(data, F_DATA_POINTS, &point);
}

static void put_request(struct buf *out, const struct request *q)
{
    struct buf b[5];
    for (size_t i = 0; i < LEN(b); i++)
        buf_init(&b[i], ENC_MAX);
    for (unsigned i = 0; i < PARTS && q->points[i][0]; i++)
        put_point(&b[0], q->points[i]);
    enc_int(&b[0], F_DATA_TEMPORALITY, OTLP_TEMPORALITY_DELTA);
    enc_int(&b[0], F_DATA_MONOTONIC, 1);
    enc_bytes(&b[1], F_METRIC_NAME, S("m"));
    enc_bytes(&b[1], F_METRIC_UNIT, str_c(q->unit));
    enc_message(&b[1], F_METRIC_SUM, &b[0]);
    enc_message(&b[2], F_SCOPES_ITEMS, &b[1]);
    put_attr(&b[3], F_RESOURCE_ATTRS, S("service.name"), str_c(q->service));
    enc_message(&b[4], F_RESOURCES_RESOURCE, &b[3]);
    enc_message(&b[4], F_RESOURCES_SCOPES, &b[2]);
    enc_message(out, F_REQUEST_RESOURCES, &b[4]);
    for (size_t i = 0; i < LEN(b); i++)
        buf_done(&b[i]);
}

static uint32_t known_in(const struct batch *b)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->nseries; i++)
        n += b->series[i].raw.p != NULL;
    return n;
}

/* Decodes with the table; without it the same comes. How many points are known. */
static uint32_t check(struct str body, struct seen *seen)
{
    struct arena mem;
    struct batch with, without;
    arena_init(&mem, OTLP_MEMORY_MAX);
    assert_int_equal(otlp_decode_seen(FRAME_OTLP_METRICS_PB, body, RECV, 0, seen, &mem, &with, NULL), OK);
    assert_int_equal(otlp_decode(FRAME_OTLP_METRICS_PB, body, RECV, 0, &mem, &without, NULL), OK);
    assert_true(same_ids(&with, &without) && with.ncols == without.ncols);
    struct str x = dump(&with, &mem), y = dump(&without, &mem);
    if (!str_eq(x, y))
        fail_msg("with:\n" STR_FMT "without:\n" STR_FMT, STR_ARG(x), STR_ARG(y));
    uint32_t n = known_in(&with);
    batch_done(&with);
    batch_done(&without);
    arena_done(&mem);
    return n;
}

/* Each row after the ones before it, over one table. The first point of a shape is decoded in every request. */
static const struct {
    const char *what;
    struct request q;
    uint32_t known;
} rows[] = {
    { "nothing is known", { "s", "", { { "a=1", "|" }, { "a=2", "|" } } }, 0 },
    { "the same again: the first shows the names", { "s", "", { { "a=1", "|" }, { "a=2", "|" } } }, 1 },
    { "in another order", { "s", "", { { "a=2", "|" }, { "a=1", "|" } } }, 1 },
    { "behind the time", { "s", "", { { "|", "a=2" }, { "|", "a=1" }, { "a=2", "|" } } }, 2 },
    { "other names before it", { "s", "", { { "b=1", "|" }, { "a=1", "|" } } }, 0 },
    { "now both names are there", { "s", "", { { "b=1", "|" }, { "a=1", "|" }, { "b=1", "|" }, { "a=1", "|" } } }, 2 },
    { "another resource", { "t", "", { { "a=1", "|" }, { "a=2", "|" } } }, 0 },
    { "another unit", { "s", "ms", { { "a=1", "|" }, { "a=2", "|" } } }, 0 },
    { "apart: decoded", { "s", "", { { "a=1", "|", "b=1" }, { "a=1", "|" }, { "a=1", "|" } } }, 1 },
    { "apart, though its beginning is known", { "s", "", { { "a=1", "|" }, { "a=1", "|", "a=2" }, { "a=1", "|", "b=2" } } }, 0 },
    { "hides the resource's", { "s", "", { { "service.name=x", "|" }, { "service.name=s", "|" } } }, 0 },
    { "hides the resource's, again", { "s", "", { { "service.name=s", "|" }, { "service.name=x", "|" } } }, 1 },
    { "of one label two", { "s", "", { { "a.b=1", "a_b=2", "|" } } }, 0 },
    { "of one label two, again", { "s", "", { { "a.b=1", "a_b=2", "|" }, { "a.b=1", "a_b=2", "|" } } }, 1 },
    { "empty", { "s", "", { { "a=", "|" }, { "a=", "|" } } }, 0 },
    { "empty, again", { "s", "", { { "a=", "|" }, { "a=", "|" } } }, 1 },
};

static void points(void **state)
{
    (void)state;
    struct seen *seen = seen_new();
    for (size_t i = 0; i < LEN(rows); i++) {
        CLEANUP(buf_done) struct buf body = { 0 };
        buf_init(&body, ENC_MAX);
        put_request(&body, &rows[i].q);
        uint32_t n = check(buf_view(&body), seen);
        if (n != rows[i].known)
            fail_msg("%s: %u known, not %u", rows[i].what, n, rows[i].known);
    }
    seen_free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(points) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
