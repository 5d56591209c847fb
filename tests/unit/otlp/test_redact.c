/* Bodies before and after the rules of privacy/: every place where text stands, nested and
 * escaped, in JSON as it is given and in the protobuf that says the same; what cannot be
 * read; and that redacting again changes nothing. */
#include "support.h"

#include "otlp/redact.h"

static struct arena mem;

static struct privacy *compile(const char *rules)
{
    struct privacy *p = NULL;
    struct fault f = { 0 };
    struct yaml *root;
    struct fields_reader r = { .file = S("t"), .mem = &mem, .f = &f };
    if (yaml_parse(str_c(rules), &mem, &root, &f) || privacy_new(&r, root, S("0123456789abcdef0123456789abcdef"), &p))
        fail_msg("%s: %s", rules, f.msg);
    return p;
}

static enum err redact(const struct privacy *p, enum otlp_signal signal, bool json, struct str body, struct str *ret, struct fault *f)
{
    const struct otlp_signal_def *d = &otlp_signals[signal];
    struct buf out;
    struct str got;
    buf_init(&out, ENC_MAX);
    enum err e = otlp_redact(p, json ? d->json : d->protobuf, body, &out, &got, f);
    if (!e)
        *ret = got.p == body.p ? body : arena_str(&mem, got);
    buf_done(&out);
    return e;
}

/* ---- JSON in, JSON out ---------------------------------------------------------------- */

#define LOG(record)      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" record "]}]}]}"
#define ATTRS(attrs)     LOG("{\"attributes\":[" attrs "]}")
#define KV(key, value)   "{\"key\":\"" key "\",\"value\":{" value "}}"
#define STR(text)        "\"stringValue\":\"" text "\""
#define SPAN(span)       "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" span "]}]}]}"
#define POINT(data)      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\"," data "}]}]}]}"

#define DROP_P   "[{names: p, action: drop}]"
#define CUT_X    "[{names: x, action: cut}]"
#define NO_AT    "[{match: '\\w+@\\w+', action: cut}]"

static const struct redact_case {
    const char *what, *rules;
    enum otlp_signal signal;
    const char *in, *want;                         /* NULL: as it was */
} cases[] = {
    { "nothing to do", DROP_P, OTLP_LOGS, ATTRS(KV("a", STR("v"))), NULL },
    { "dropped alone", DROP_P, OTLP_LOGS, ATTRS(KV("p", STR("v"))), ATTRS("") },
    { "dropped first", DROP_P, OTLP_LOGS, ATTRS(KV("p", STR("v")) " , " KV("a", STR("v"))), ATTRS(KV("a", STR("v"))) },
    { "dropped last", DROP_P, OTLP_LOGS, ATTRS(KV("a", STR("v")) " , " KV("p", STR("v")) " "), ATTRS(KV("a", STR("v")) " ") },
    { "dropped between", DROP_P, OTLP_LOGS, ATTRS(KV("a", STR("v")) "," KV("p", STR("v")) "," KV("b", STR("v"))),
      ATTRS(KV("a", STR("v")) "," KV("b", STR("v"))) },
    { "dropped in a row", DROP_P, OTLP_LOGS, ATTRS(KV("p", STR("1")) "," KV("p", STR("2")) "," KV("a", STR("v")) "," KV("p", STR("3")) "," KV("p", STR("4"))),
      ATTRS(KV("a", STR("v"))) },
    { "dropped behind a changed one", "[{names: p, action: drop}, {names: x, action: cut}]", OTLP_LOGS,
      ATTRS(KV("x", STR("v")) "," KV("p", STR("v")) "," KV("x", STR("vv"))),
      ATTRS(KV("x", STR("[cut 1 characters]")) "," KV("x", STR("[cut 2 characters]"))) },
    { "value before key", DROP_P, OTLP_LOGS, ATTRS("{\"value\":{" STR("v") "},\"key\":\"p\"}"), ATTRS("") },
    { "the last key counts", DROP_P, OTLP_LOGS, ATTRS("{\"key\":\"a\",\"value\":{" STR("v") "},\"key\":\"p\"}"), ATTRS("") },
    { "an escaped key", DROP_P, OTLP_LOGS, ATTRS(KV("\\u0070", STR("v"))), ATTRS("") },
    { "an int, a double, a bool", CUT_X, OTLP_LOGS, ATTRS(KV("x", "\"intValue\":\"123\"") "," KV("x", "\"doubleValue\":1.50") "," KV("x", "\"boolValue\":true")),
      ATTRS(KV("x", STR("[cut 3 characters]")) "," KV("x", STR("[cut 3 characters]")) "," KV("x", STR("[cut 4 characters]"))) },
    { "patterns leave numbers alone", "[{match: '[0-9]+', action: cut}]", OTLP_LOGS, ATTRS(KV("x", "\"intValue\":123")), NULL },
    { "in an array", CUT_X, OTLP_LOGS, ATTRS(KV("x", "\"arrayValue\":{\"values\":[{" STR("v") "},{\"intValue\":1},{\"arrayValue\":{\"values\":[{" STR("w") "}]}}]}")),
      ATTRS(KV("x", "\"arrayValue\":{\"values\":[{" STR("[cut 1 characters]") "},{" STR("[cut 1 characters]") "},{\"arrayValue\":{\"values\":[{"
               STR("[cut 1 characters]") "}]}}]}")) },
    { "in a map, by the map's name", CUT_X, OTLP_LOGS, ATTRS(KV("x", "\"kvlistValue\":{\"values\":[" KV("a", STR("v")) "]}")),
      ATTRS(KV("x", "\"kvlistValue\":{\"values\":[" KV("a", STR("[cut 1 characters]")) "]}")) },
    { "in a map, by the member's name", DROP_P, OTLP_LOGS, ATTRS(KV("a", "\"kvlistValue\":{\"values\":[" KV("p", STR("v")) "," KV("b", STR("w")) "]}")),
      ATTRS(KV("a", "\"kvlistValue\":{\"values\":[" KV("b", STR("w")) "]}")) },
    { "an escape inside of a match", NO_AT, OTLP_LOGS, ATTRS(KV("a", STR("mail \\u0061\\u0040b \\n"))), ATTRS(KV("a", STR("mail [cut 3 characters] \\n"))) },
    { "a map keyed by what a pattern finds", NO_AT, OTLP_LOGS, ATTRS(KV("a", "\"kvlistValue\":{\"values\":[" KV("b@c", "\"intValue\":1") "]}")),
      ATTRS(KV("a", "\"kvlistValue\":{\"values\":[" KV("[cut 3 characters]", "\"intValue\":1") "]}")) },
    { "a body", "[{places: body, action: cut}]", OTLP_LOGS, LOG("{\"body\":{" STR("v") "},\"severityText\":\"info\"}"),
      LOG("{\"body\":{" STR("[cut 1 characters]") "},\"severityText\":\"info\"}") },
    { "a body gone", "[{names: body, places: body, action: drop}]", OTLP_LOGS, LOG("{\"body\":{" STR("v") "},\"severityNumber\":9}"), LOG("{\"severityNumber\":9}") },
    { "members of a body are attributes", DROP_P, OTLP_LOGS, LOG("{\"body\":{\"kvlistValue\":{\"values\":[" KV("p", STR("v")) "," KV("q", STR("v")) "]}}}"),
      LOG("{\"body\":{\"kvlistValue\":{\"values\":[" KV("q", STR("v")) "]}}}") },
    { "other texts of a record", NO_AT, OTLP_LOGS, LOG("{\"severityText\":\"a@b\",\"eventName\":\"c@d\"}"),
      LOG("{\"severityText\":\"[cut 3 characters]\",\"eventName\":\"[cut 3 characters]\"}") },
    { "resource and scope", "[{names: r, places: resource, action: drop}, {names: s, places: scope, action: drop}]", OTLP_LOGS,
      "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" KV("r", STR("v")) "," KV("s", STR("v")) "]},\"scopeLogs\":[{\"scope\":{\"name\":\"n\",\"attributes\":["
      KV("r", STR("v")) "," KV("s", STR("v")) "]},\"logRecords\":[{}]}]}]}",
      "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" KV("s", STR("v")) "]},\"scopeLogs\":[{\"scope\":{\"name\":\"n\",\"attributes\":["
      KV("r", STR("v")) "]},\"logRecords\":[{}]}]}]}" },
    { "scope name, schema", NO_AT, OTLP_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{\"name\":\"a@b\"},\"logRecords\":[{}],\"schemaUrl\":\"c@d\"}]}]}",
      "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{\"name\":\"[cut 3 characters]\"},\"logRecords\":[{}],\"schemaUrl\":\"[cut 3 characters]\"}]}]}" },
    { "span: attributes, events, links, status", "[{names: [p, status_message, trace_state], action: drop}]", OTLP_TRACES,
      SPAN("{\"name\":\"n\",\"traceState\":\"t\",\"attributes\":[" KV("p", STR("v")) "],\"events\":[{\"name\":\"e\",\"attributes\":[" KV("p", STR("v")) "]}],"
           "\"links\":[{\"traceState\":\"t\",\"attributes\":[" KV("p", STR("v")) "]}],\"status\":{\"message\":\"m\",\"code\":2}}"),
      SPAN("{\"name\":\"n\",\"attributes\":[],\"events\":[{\"name\":\"e\",\"attributes\":[]}],\"links\":[{\"attributes\":[]}],\"status\":{\"code\":2}}") },
    { "span and event names", "[{names: name, places: body, action: cut}]", OTLP_TRACES, SPAN("{\"name\":\"nn\",\"events\":[{\"name\":\"e\"}]}"),
      SPAN("{\"name\":\"[cut 2 characters]\",\"events\":[{\"name\":\"[cut 1 characters]\"}]}") },
    { "points are labels", "[{names: p, places: label, action: drop}, {names: q, places: attribute, action: drop}]", OTLP_METRICS,
      POINT("\"sum\":{\"dataPoints\":[{\"asDouble\":1,\"timeUnixNano\":\"1795447500000000000\",\"attributes\":[" KV("p", STR("v")) "," KV("q", STR("v"))
            "]}],\"aggregationTemporality\":2,\"isMonotonic\":true}"),
      POINT("\"sum\":{\"dataPoints\":[{\"asDouble\":1,\"timeUnixNano\":\"1795447500000000000\",\"attributes\":[" KV("q", STR("v"))
            "]}],\"aggregationTemporality\":2,\"isMonotonic\":true}") },
    { "a metric keeps its name", "[{names: '*', places: body, action: drop}]", OTLP_METRICS, POINT("\"description\":\"d\",\"gauge\":{\"dataPoints\":[]}"),
      POINT("\"gauge\":{\"dataPoints\":[]}") },
};

/* Forms that the twin cannot say, JSON alone. */
static const struct redact_case json_cases[] = {
    { "names in snake case", DROP_P, OTLP_LOGS,
      "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"attributes\":[{\"key\":\"p\",\"value\":{\"string_value\":\"v\"}}]}]}]}]}",
      "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"attributes\":[]}]}]}]}" },
    { "bytes that become text", CUT_X, OTLP_LOGS, ATTRS(KV("x", "\"bytesValue\":\"AAECAw\"")), ATTRS(KV("x", STR("[cut 4 characters]"))) },
    { "bytes that stay bytes", NO_AT, OTLP_LOGS, ATTRS(KV("x", "\"bytesValue\":\"/2FAYv8=\"")), ATTRS(KV("x", "\"bytesValue\":\"/1tjdXQgMyBjaGFyYWN0ZXJzXf8=\"")) },
    { "unknown members", DROP_P, OTLP_LOGS, "{\"u\":{\"p\":[1,\"x\"]},\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"u\":\"x\",\"flags\":1,\"v\":\"y\"}]}]}]}",
      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"flags\":1}]}]}]}" },
    { "unknown members of a value", DROP_P, OTLP_LOGS, ATTRS("{\"u\":\"x\",\"key\":\"a\",\"value\":{\"u\":\"y\"," STR("v") "}}"), ATTRS(KV("a", STR("v"))) },
    { "null", DROP_P, OTLP_LOGS, ATTRS("null," KV("p", STR("v")) ",null,{\"key\":null,\"value\":null}"), ATTRS("null,null,{\"key\":null,\"value\":null}") },
    { "exemplars", "[{names: p, places: label, action: drop}]", OTLP_METRICS,
      POINT("\"histogram\":{\"dataPoints\":[{\"count\":\"1\",\"bucketCounts\":[\"1\",0],\"explicitBounds\":[1.5],\"exemplars\":[{\"asDouble\":1,\"filteredAttributes\":["
            KV("p", STR("v")) "]}]}]}"),
      POINT("\"histogram\":{\"dataPoints\":[{\"count\":\"1\",\"bucketCounts\":[\"1\",0],\"explicitBounds\":[1.5],\"exemplars\":[{\"asDouble\":1,\"filteredAttributes\":[]}]}]}") },
    { "metadata, entities", "[{names: p, action: drop}, {match: x@y, action: cut}]", OTLP_METRICS,
      "{\"resourceMetrics\":[{\"resource\":{\"entityRefs\":[{\"type\":\"x@y\",\"idKeys\":[\"x@y\",\"z\"]}]},\"scopeMetrics\":[{\"metrics\":[{\"metadata\":["
      KV("p", STR("v")) "]}]}]}]}",
      "{\"resourceMetrics\":[{\"resource\":{\"entityRefs\":[{\"type\":\"[cut 3 characters]\",\"idKeys\":[\"[cut 3 characters]\",\"z\"]}]},\"scopeMetrics\":[{\"metrics\":"
      "[{\"metadata\":[]}]}]}]}" },
    { "the second of two values", CUT_X, OTLP_LOGS, ATTRS("{\"key\":\"x\",\"value\":{" STR("v") "," STR("w") "},\"value\":{" STR("z") "}}"),
      ATTRS("{\"key\":\"x\",\"value\":{" STR("[cut 1 characters]") "," STR("[cut 1 characters]") "},\"value\":{" STR("[cut 1 characters]") "}}") },
};

static void check_case(const struct redact_case *c, bool twin)
{
    struct privacy *p = compile(c->rules);
    struct fault f = { 0 };
    struct str in = str_c(c->in), want = c->want ? str_c(c->want) : in, got, again;
    struct batch a, b;
    if (redact(p, c->signal, true, in, &got, &f))
        fail_msg("%s: %s", c->what, f.msg);
    if (!str_eq(got, want) || (!c->want && got.p != in.p))
        fail_msg("%s\nwant " STR_FMT "\n got " STR_FMT, c->what, STR_ARG(want), STR_ARG(got));
    if (redact(p, c->signal, true, got, &again, &f) || again.p != got.p)
        fail_msg("%s: not the same again", c->what);
    if (decode(c->signal, true, got, &mem, &a, &f))
        fail_msg("%s: does not decode: %s", c->what, f.msg);
    if (twin) {
        struct buf pb;
        struct str raw, redacted;
        buf_init(&pb, ENC_MAX);
        assert_true(json_to_protobuf(in, requests[c->signal], &mem, &pb));
        raw = arena_str(&mem, buf_view(&pb));
        buf_done(&pb);
        if (redact(p, c->signal, false, raw, &redacted, &f) || redact(p, c->signal, false, redacted, &again, &f) || again.p != redacted.p)
            fail_msg("%s, protobuf: %s", c->what, f.msg[0] ? f.msg : "not the same again");
        if (decode(c->signal, false, redacted, &mem, &b, &f))
            fail_msg("%s, protobuf: does not decode: %s", c->what, f.msg);
        if (!same_ids(&a, &b) || !str_eq(dump(&a, &mem), dump(&b, &mem)))
            fail_msg("%s\nJSON\n" STR_FMT "protobuf\n" STR_FMT, c->what, STR_ARG(dump(&a, &mem)), STR_ARG(dump(&b, &mem)));
        batch_done(&b);
    }
    batch_done(&a);
    privacy_unref(p);
    arena_reset(&mem);
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(cases); i++)
        check_case(&cases[i], true);
    for (size_t i = 0; i < LEN(json_cases); i++)
        check_case(&json_cases[i], false);
}

/* ---- protobuf alone --------------------------------------------------------------------- */

/* request > resource > scope > one record of these bytes. */
static struct str record_of(struct buf *record)
{
    struct buf scopes, resources, request;
    buf_init(&scopes, ENC_MAX);
    buf_init(&resources, ENC_MAX);
    buf_init(&request, ENC_MAX);
    enc_message(&scopes, 2, record);
    enc_message(&resources, 2, &scopes);
    enc_message(&request, 1, &resources);
    struct str s = arena_str(&mem, buf_view(&request));
    buf_done(&scopes);
    buf_done(&resources);
    buf_done(&request);
    return s;
}

static struct buf attr_of(const char *key, unsigned field, struct str value)
{
    struct buf any, kv;
    buf_init(&any, ENC_MAX);
    buf_init(&kv, ENC_MAX);
    enc_bytes(&any, field, value);
    enc_bytes(&kv, 1, str_c(key));
    enc_message(&kv, 2, &any);
    buf_done(&any);
    return kv;
}

static struct str redacted(const char *rules, struct str body)
{
    struct privacy *p = compile(rules);
    struct fault f = { 0 };
    struct str got, again;
    if (redact(p, OTLP_LOGS, false, body, &got, &f) || redact(p, OTLP_LOGS, false, got, &again, &f))
        fail_msg("%s: %s", rules, f.msg);
    assert_true(again.p == got.p);
    privacy_unref(p);
    return got;
}

static void test_bytes_and_unknown(void **state)
{
    (void)state;
    struct buf record, kv = attr_of("x", 7, S("\xff" "a@b\xff"));
    buf_init(&record, ENC_MAX);
    enc_message(&record, 6, &kv);
    enc_bytes(&record, 99, S("a@b unknown"));      /* no field of a record */
    enc_int(&record, 8, 0);                        /* wrong type: the decoder refuses it, not we */
    struct str got = redacted(NO_AT, record_of(&record));
    assert_true(str_find(got, S("a@b")) == SIZE_MAX);
    assert_true(str_find(got, S("unknown")) == SIZE_MAX);
    assert_true(str_find(got, S("\xff[cut 3 characters]\xff")) != SIZE_MAX);
    buf_done(&kv);
    buf_done(&record);
    arena_reset(&mem);
}

/* Lengths of one, two and three bytes, growing and shrinking over the border. */
static void test_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 80, 100, 110, 120, 126, 127, 128, 129, 140, 160, 16000, 16383, 16384, 16400, 70000 };
    for (size_t i = 0; i < LEN(sizes); i++)
        for (size_t k = 0; k < LEN(sizes); k++) {
            struct buf record;
            char *text = arena_alloc(&mem, sizes[i] + sizes[k] + 1, 1);
            memset(text, 'v', sizes[i] + sizes[k]);
            struct buf x = attr_of("x", 1, (struct str){ text, sizes[i] }), y = attr_of("y", 1, (struct str){ text, sizes[k] });
            buf_init(&record, ENC_MAX);
            enc_message(&record, 6, &x);
            enc_message(&record, 6, &y);
            struct str body = record_of(&record), got = redacted(CUT_X, body);
            struct batch b;
            struct fault f = { 0 };
            if (decode(OTLP_LOGS, false, got, &mem, &b, &f))
                fail_msg("%zu %zu: %s", sizes[i], sizes[k], f.msg);
            assert_int_equal(b.rows[0].cells.n, 2);
            assert_int_equal(b.rows[0].cells.at[1].v.s.n, sizes[k]);
            struct str x_now = b.rows[0].cells.at[0].v.s;
            assert_true(sizes[i] ? str_starts(x_now, S("[cut ")) : !x_now.n);
            batch_done(&b);
            buf_done(&x);
            buf_done(&y);
            buf_done(&record);
            arena_reset(&mem);
        }
}

/* ---- what cannot be read -------------------------------------------------------------------- */

static const struct { const char *what, *in; enum err want; } wrong[] = {
    { "no object", "[]", E_SYNTAX },
    { "cut off", "{\"resourceLogs\":[", E_SYNTAX },
    { "more behind", "{} {}", E_SYNTAX },
    { "attributes are no array", LOG("{\"attributes\":{}}"), E_SYNTAX },
    { "a value is no object", ATTRS("{\"key\":\"a\",\"value\":\"v\"}"), E_SYNTAX },
    { "a text is no text", ATTRS(KV("a", "\"stringValue\":1")), E_SYNTAX },
    { "a text in the place of a number", LOG("{\"flags\":\"what a person wrote\"}"), E_SYNTAX },
    { "an object in the place of a number", LOG("{\"flags\":{\"x\":\"what a person wrote\"}}"), E_SYNTAX },
    { "no base64", ATTRS(KV("a", "\"bytesValue\":\"?\"")), E_SYNTAX },
};

static void test_wrong(void **state)
{
    (void)state;
    struct privacy *p = compile(DROP_P);
    for (size_t i = 0; i < LEN(wrong); i++) {
        struct fault f = { 0 };
        struct str got;
        enum err e = redact(p, OTLP_LOGS, true, str_c(wrong[i].in), &got, &f);
        if (e != wrong[i].want || str_find(str_c(f.msg), S("person")) != SIZE_MAX)
            fail_msg("%s: %d, %s", wrong[i].what, (int)e, f.msg);
    }
    struct fault f = { 0 };
    struct str got;
    assert_int_equal(redact(p, OTLP_LOGS, false, S("\x0a\x05\x12\x07" "abc"), &got, &f), E_SYNTAX);
    assert_string_equal(f.msg, "malformed protobuf at byte 3 of 7");
    privacy_unref(p);
    arena_reset(&mem);
}

static void test_no_rules(void **state)
{
    (void)state;
    struct str got, in = S("anything");
    assert_int_equal(redact(NULL, OTLP_LOGS, true, in, &got, NULL), OK);
    assert_true(got.p == in.p);
}

static void test_too_large(void **state)
{
    (void)state;
    struct privacy *p = compile(CUT_X);
    struct fault f = { 0 };
    struct str got, in = S(ATTRS(KV("x", STR("v"))));
    struct buf out;
    buf_init(&out, 60);
    assert_int_equal(otlp_redact(p, FRAME_OTLP_LOGS_JSON, in, &out, &got, &f), E_LIMIT);
    buf_done(&out);
    privacy_unref(p);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&mem, TEST_ARENA);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&mem);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_bytes_and_unknown), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_wrong), cmocka_unit_test(test_no_rules), cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
