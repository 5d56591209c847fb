/* What cannot be decoded, and what passes a limit: the code, and what is said. */
#include "support.h"
#include "otlp/limits.h"

static const struct {
    const char *what;
    enum otlp_signal signal;
    bool json;
    struct str in;
    enum err want;
    const char *says;
} rows[] = {
    { "text for protobuf", OTLP_LOGS, false, S("hello"), E_SYNTAX, "malformed protobuf at byte 2 of 5" },
    { "cut off", OTLP_METRICS, false, S("\x0a\x10\x12"), E_SYNTAX, "malformed protobuf at byte 1 of 3" },
    { "a resource of another type", OTLP_LOGS, false, S("\x08\x01"), E_SYNTAX, "malformed protobuf at byte 1 of 2" },
    { "time as a text, inside", OTLP_LOGS, false, S("\x0a\x07\x12\x05\x12\x03\x0a\x01x"), E_SYNTAX, "malformed protobuf at byte 7 of 9" },
    { "no JSON", OTLP_LOGS, true, S("hello"), E_SYNTAX, "" },
    { "nothing at all", OTLP_LOGS, true, S(""), E_SYNTAX, "" },
    { "an array", OTLP_LOGS, true, S("[]"), E_SYNTAX, "expected an object before byte 1" },
    { "cut off", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":["), E_SYNTAX, "" },
    { "more after the end", OTLP_LOGS, true, S("{} {}"), E_SYNTAX, "" },
    { "another shape", OTLP_LOGS, true, S("{\"resourceLogs\":7}"), E_SYNTAX, "expected an array before byte 17" },
    { "another shape inside", OTLP_METRICS, true, S("{\"resourceMetrics\":[7]}"), E_SYNTAX, "expected an object before byte 21" },
    { "a bad time", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"soon\"}]}]}]}"), E_SYNTAX,
      "expected an unsigned number before byte 68" },
    { "half a number", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"flags\":1.5}]}]}]}"), E_SYNTAX, "expected an unsigned number" },
    { "an id that is no hex", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"traceId\":\"KD3l4Mjz1luwLz9tW5R5hg==\"}]}]}]}"), E_SYNTAX, "expected an id in hex" },
    { "a text that is a number", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityText\":5}]}]}]}"), E_SYNTAX, "expected a string" },
    { "bad base64", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"bytesValue\":\"!\"}}]}]}]}"), E_SYNTAX, "expected base64" },
    { "half a byte of base64", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"bytesValue\":\"AAAAA\"}}]}]}]}"), E_SYNTAX, "expected base64" },
    { "an id of odd length", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"spanId\":\"abc\"}]}]}]}"), E_SYNTAX, "expected an id in hex" },
    { "a member that is no object", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"resource\":[]}]}"), E_SYNTAX, "expected an object" },
    { "a double that is a word", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"doubleValue\":\"x\"}}]}]}]}"), E_SYNTAX, "expected a number" },
    { "true as a text", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"boolValue\":\"true\"}}]}]}]}"), E_SYNTAX, "expected true or false" },
    { "a number that is an object", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":{}}]}]}]}"), E_SYNTAX, "expected a number" },
    { "a name of another enumeration", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":\"INFO\"}]}]}]}"), E_SYNTAX, "expected the name of an enumeration" },
    { "a list that is an array", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"arrayValue\":[]}}]}]}]}"), E_SYNTAX, "expected an object" },
    { "values that are an object", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"arrayValue\":{\"values\":{}}}}]}]}]}"), E_SYNTAX, "expected an array" },
    { "a bare value in an array", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"arrayValue\":{\"values\":[1]}}}]}]}]}"), E_SYNTAX, "expected an object" },
    { "a bare member in a map", OTLP_LOGS, true, S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":{\"values\":[1]}}}]}]}]}"), E_SYNTAX, "expected an object" },
    { "a bad value of a map's member", OTLP_LOGS, true,
      S("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"kvlistValue\":{\"values\":[{\"value\":7,\"key\":\"k\"}]}}}]}]}]}"), E_SYNTAX, "expected an object" },
    { "a value in a deferred place", OTLP_METRICS, true,
      S("{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"sum\":{\"dataPoints\":[{\"asInt\":\"x\"}]},\"name\":\"n\"}]}]}]}"), E_SYNTAX, "expected a whole number" },
};

static void malformed(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct batch b;
        struct fault f = { 0 };
        enum err e = decode(rows[i].signal, rows[i].json, rows[i].in, &mem, &b, &f);
        if (e != rows[i].want || f.code != e || !str_starts(str_c(f.msg), str_c(rows[i].says)) || !f.msg[0])
            fail_msg("%s: %d '%s'", rows[i].what, (int)e, f.msg);
        if (!e)
            batch_done(&b);
    }
    arena_done(&mem);
}

/* Every cut of a good body, and every byte of it turned: never a crash, and a cut is never taken whole. */
static void every_cut(void **state)
{
    (void)state;
    static const char json[] =
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"a\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1}]}}}]},\"scopeSpans\":"
        "[{\"scope\":{\"name\":\"s\"},\"spans\":[{\"traceId\":\"0102\",\"spanId\":\"03\",\"name\":\"n\",\"events\":[{\"name\":\"e\",\"attributes\":"
        "[{\"key\":\"k\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"boolValue\":true}}]}}}]}],\"status\":{\"code\":1}}]}]}]}";
    struct arena mem;
    struct batch b;
    struct buf pb;
    arena_init(&mem, TEST_ARENA);
    buf_init(&pb, ENC_MAX);
    assert_true(json_to_protobuf(str_c(json), &traces_request, &mem, &pb));
    for (size_t n = 1; n < sizeof json - 1; n++)
        assert_int_equal(decode(OTLP_TRACES, true, (struct str){ json, n }, &mem, &b, NULL), E_SYNTAX);
    for (size_t n = 1; n < pb.n; n++)
        assert_int_equal(decode(OTLP_TRACES, false, str_sub(buf_view(&pb), 0, n), &mem, &b, NULL), E_SYNTAX);
    for (size_t i = 0; i < pb.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            pb.p[i] = (char)(pb.p[i] ^ 1 << bit);
            for (unsigned s = 0; s < OTLP_SIGNALS; s++)
                if (!decode((enum otlp_signal)s, false, buf_view(&pb), &mem, &b, NULL))
                    batch_done(&b);
            pb.p[i] = (char)(pb.p[i] ^ 1 << bit);
            arena_reset(&mem);
        }
    buf_done(&pb);
    arena_done(&mem);
}

/* ---- limits -------------------------------------------------------------------------- */

static void wrap_record(struct buf *record, struct buf *out)
{
    struct buf scopes, resources;
    buf_init(&scopes, ENC_MAX);
    buf_init(&resources, ENC_MAX);
    enc_message(&scopes, 2, record);
    enc_message(&resources, 2, &scopes);
    enc_message(out, 1, &resources);
    buf_done(&scopes);
    buf_done(&resources);
}

static void many_rows(struct buf *record, struct buf *out, int n)
{
    struct buf scopes, resources;
    (void)record;
    buf_init(&scopes, ENC_MAX);
    buf_init(&resources, ENC_MAX);
    for (int i = 0; i < n; i++)
        enc_bytes(&scopes, 2, S(""));
    enc_message(&resources, 2, &scopes);
    enc_message(out, 1, &resources);
    buf_done(&scopes);
    buf_done(&resources);
}

static void put_attr(struct buf *record, struct str key)
{
    struct buf kv, value;
    buf_init(&kv, ENC_MAX);
    buf_init(&value, 16);
    enc_int(&value, 3, 1);
    enc_bytes(&kv, 1, key);
    enc_message(&kv, 2, &value);
    enc_message(record, 6, &kv);
    buf_done(&kv);
    buf_done(&value);
}

static void many_attrs(struct buf *record, struct buf *out, int n)
{
    for (int i = 0; i < n; i++)
        put_attr(record, S("k"));
    wrap_record(record, out);
}

static void many_names(struct buf *record, struct buf *out, int n)
{
    for (int i = 0; i < n; i++) {
        char key[16];
        put_attr(record, (struct str){ key, (size_t)snprintf(key, sizeof key, "k%d", i) });
        if (i % 1000 == 999 || i == n - 1)
            wrap_record(record, out);
    }
}

static void long_name(struct buf *record, struct buf *out, int n)
{
    char *key = mem_alloc((size_t)n + 1);
    memset(key, 'k', (size_t)n);
    put_attr(record, (struct str){ key, (size_t)n });
    wrap_record(record, out);
    mem_free(key);
}

static void long_id(struct buf *record, struct buf *out, int n)
{
    char id[256] = { 1 };
    enc_bytes(record, 9, (struct str){ id, (size_t)n });
    wrap_record(record, out);
}

/* A body of n arrays in each other. */
static void deep_value(struct buf *record, struct buf *out, int n)
{
    struct buf a, b;
    buf_init(&a, ENC_MAX);
    buf_init(&b, ENC_MAX);
    for (int i = 0; i < n; i++) {
        enc_bytes(&b, 1, buf_view(&a));            /* ArrayValue.values */
        buf_clear(&a);
        enc_message(&a, 5, &b);                    /* AnyValue.array_value */
    }
    enc_bytes(record, 5, buf_view(&a));
    wrap_record(record, out);
    buf_done(&a);
    buf_done(&b);
}

static const struct {
    const char *what;
    void (*make)(struct buf *record, struct buf *out, int n);
    int max;
    const char *says;
} limits[] = {
    { "rows", many_rows, OTLP_ROWS_MAX, "more than 500000 rows" },
    { "attributes", many_attrs, OTLP_ATTRS_MAX, "more than 1024 attributes" },
    { "names", many_names, OTLP_COLUMNS_MAX, "more than 10000 different attribute names" },
    { "length of a name", long_name, OTLP_NAME_MAX, "a name of 4097 bytes" },
    { "length of an id", long_id, OTLP_ID_MAX, "a trace or span id of 33 bytes" },
    { "depth", deep_value, OTLP_VALUE_DEPTH_MAX, "arrays and maps nested deeper than 12" },
};

static void limited(void **state)
{
    (void)state;
    struct buf record, body;
    buf_init(&record, ENC_MAX);
    buf_init(&body, ENC_MAX);
    for (size_t i = 0; i < LEN(limits); i++) {
        for (int over = 0; over < 2; over++) {
            struct arena mem;
            struct batch b;
            struct fault f = { 0 };
            arena_init(&mem, OTLP_MEMORY_MAX);
            buf_clear(&record);
            buf_clear(&body);
            limits[i].make(&record, &body, limits[i].max + over);
            assert_false(body.bad);
            enum err e = decode(OTLP_LOGS, false, buf_view(&body), &mem, &b, &f);
            if (e != (over ? E_LIMIT : OK) || (over && !str_starts(str_c(f.msg), str_c(limits[i].says))))
                fail_msg("%s, %d over: %d '%s'", limits[i].what, over, (int)e, f.msg);
            if (!e)
                batch_done(&b);
            arena_done(&mem);
        }
    }
    buf_done(&record);
    buf_done(&body);
}

static void limited_memory(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    struct fault f = { 0 };
    struct buf body;
    buf_init(&body, ENC_MAX);
    many_rows(NULL, &body, 10000);
    arena_init(&mem, 100000);
    assert_int_equal(decode(OTLP_LOGS, false, buf_view(&body), &mem, &b, &f), E_LIMIT);
    assert_true(str_starts(str_c(f.msg), S("the request needs more than 100000 bytes of memory")));
    arena_done(&mem);
    buf_done(&body);
}

/* Deep in JSON: the limit of values first, far inside that of the parser. */
static void limited_depth_in_json(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (int n = 1; n < 100; n++) {
        struct batch b;
        struct fault f = { 0 };
        struct buf json;
        buf_init(&json, ENC_MAX);
        buf_str(&json, S("{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"events\":[{\"attributes\":[{\"key\":\"k\",\"value\":"));
        for (int i = 0; i < n; i++)
            buf_str(&json, S("{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":"));
        buf_str(&json, S("{\"intValue\":1}"));
        for (int i = 0; i < n; i++)
            buf_str(&json, S("}]}}"));
        buf_str(&json, S("}]}]}]}]}]}"));
        enum err e = decode(OTLP_TRACES, true, buf_view(&json), &mem, &b, &f);
        if (n <= OTLP_VALUE_DEPTH_MAX ? e != OK : e != E_LIMIT && e != E_SYNTAX)
            fail_msg("%d levels: %d %s", n, (int)e, f.msg);
        if (!e)
            batch_done(&b);
        buf_done(&json);
        arena_reset(&mem);
    }
    arena_done(&mem);
}

static void unknown_frame(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    struct fault f = { 0 };
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(otlp_decode((enum frame_kind)99, S(""), RECV, 0, &mem, &b, &f), E_CORRUPT);
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed),
        cmocka_unit_test(every_cut),
        cmocka_unit_test(limited),
        cmocka_unit_test(limited_memory),
        cmocka_unit_test(limited_depth_in_json),
        cmocka_unit_test(unknown_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
