/* LogRecord to row, in both forms. */
#include "support.h"

#define HEAD "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"claude-code\"}}," \
             "{\"key\":\"session.id\",\"value\":{\"stringValue\":\"evil\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"ev\",\"version\":\"2\"},"     \
             "\"logRecords\":["
#define TAIL "]}]}]}"
#define GROUP " res:service.name=claude-code res:session.id=evil"
#define AT "\"timeUnixNano\":\"1795447501000000000\""
#define RECORD(members) HEAD "{" AT "," members "}" TAIL
#define ATTR(key, value) "\"attributes\":[{\"key\":\"" key "\",\"value\":{" value "}}]"
#define KV(key, text) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" text "\"}}"
#define WHO(session, key) "\"attributes\":[" KV("session.id", session) "," KV("u", "me") "," KV(key, "v") ","

static const struct form_case cases[] = {
    { "the usual record",
      RECORD("\"observedTimeUnixNano\":\"1795447501000000000\",\"body\":{\"stringValue\":\"claude_code.api_request\"},"
             "\"attributes\":[{\"key\":\"session.id\",\"value\":{\"stringValue\":\"s1\"}},"
             "{\"key\":\"cost_usd\",\"value\":{\"doubleValue\":0.0801}},{\"key\":\"input_tokens\",\"value\":{\"intValue\":5}},"
             "{\"key\":\"prompt_length\",\"value\":{\"stringValue\":\"12\"}},{\"key\":\"ok\",\"value\":{\"boolValue\":true}}],"
             "\"droppedAttributesCount\":0"),
      "1s #body=claude_code.api_request #observed_ns=i:1795447501000000000 #scope_name=ev #scope_version=2 @cost_usd=d:0.0801 "
      "@input_tokens=i:5 @ok=b:true @prompt_length=12 @session.id=s1" GROUP "\n" },
    { "every field",
      RECORD("\"severityNumber\":17,\"severityText\":\"Error\",\"eventName\":\"e\",\"flags\":1,\"droppedAttributesCount\":3,"
             "\"traceId\":\"283de5e0c8f3d65bb02f3f6d5b947986\",\"spanId\":\"6bff89f44270f4c4\""),
      "1s #dropped_attributes=i:3 #event_name=e #flags=i:1 #scope_name=ev #scope_version=2 #severity_number=i:17 "
      "#severity_text=Error #span_id=6bff89f44270f4c4 #trace_id=283de5e0c8f3d65bb02f3f6d5b947986" GROUP "\n" },
    { "zero ids and zero numbers are absent",
      RECORD("\"severityNumber\":0,\"flags\":0,\"traceId\":\"00000000000000000000000000000000\",\"spanId\":\"\""),
      "1s #scope_name=ev #scope_version=2" GROUP "\n" },
    { "an array and a map become compact JSON",
      RECORD(ATTR("a", "\"arrayValue\":{\"values\":[{\"stringValue\":\"x\\\"\"},{\"intValue\":\"-9007199254740993\"},{\"doubleValue\":1},"
                       "{\"boolValue\":false},{},{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{}}},{\"key\":\"n\"}]}}]}")),
      "1s #scope_name=ev #scope_version=2 @a=j:[\"x\\\"\",-9007199254740993,1,false,null,{\"k\":[],\"n\":null}]" GROUP "\n" },
    { "an empty array is a value, an empty value is none",
      RECORD("\"attributes\":[{\"key\":\"e\",\"value\":{\"arrayValue\":{\"values\":[]}}},{\"key\":\"gone\",\"value\":{}},{\"key\":\"gone2\"},"
             "{\"key\":\"\",\"value\":{\"intValue\":1}},{\"key\":\"s\",\"value\":{\"stringValue\":\"\"}}]"),
      "1s #scope_name=ev #scope_version=2 @e=j:[] @s=" GROUP "\n" },
    { "a body of any kind",
      HEAD "{" AT ",\"body\":{\"intValue\":7}},{" AT ",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"doubleValue\":0.5}}]}}}" TAIL,
      "1s #body=i:7 #scope_name=ev #scope_version=2" GROUP "\n"
      "1s #body=j:{\"a\":0.5} #scope_name=ev #scope_version=2" GROUP "\n" },
    { "a key given twice counts once, the first time",
      RECORD("\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":1}},{\"key\":\"a\",\"value\":{\"intValue\":2}}]"),
      "1s #scope_name=ev #scope_version=2 @a=i:1" GROUP "\n" },
    { "times: observed when there is no own, receipt when there is neither",
      HEAD "{\"observedTimeUnixNano\":\"1795447502000000000\"},{}" TAIL,
      "2s #observed_ns=i:1795447502000000000 #scope_name=ev #scope_version=2" GROUP "\n"
      "3600s<none #scope_name=ev #scope_version=2" GROUP "\n" },
    { "times: too old and too far ahead are kept at the receipt",
      HEAD "{\"timeUnixNano\":\"1600000000000000000\"},{\"timeUnixNano\":\"18446744073709551615\"}" TAIL,
      "3600s<1600000000000000000 #scope_name=ev #scope_version=2" GROUP "\n"
      "3600s<9223372036854775807 #scope_name=ev #scope_version=2" GROUP "\n" },
    { "resource and scope after their records, two scopes, two resources",
      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" AT "}],\"scope\":{\"name\":\"a\",\"attributes\":[{\"key\":\"z\","
      "\"value\":{\"intValue\":1}}]}},{\"logRecords\":[{" AT "}]}],\"resource\":{\"attributes\":[{\"key\":\"r\",\"value\":{\"intValue\":1}}]}},"
      "{\"scopeLogs\":[{\"logRecords\":[{" AT "}]}]}]}",
      "1s #scope_name=a res:r=i:1 scope:z=i:1\n"
      "1s res:r=i:1\n"
      "1s\n" },
    { "what stands before event.name: of two sessions in turn, a key twice in it, and again behind it, an array in it",
      HEAD "{" AT "," WHO("s1", "k") KV("event.name", "a") "," KV("n", "1") "]},{" AT "," WHO("s2", "k") KV("event.name", "b") "]},"
           "{" AT "," WHO("s1", "k") KV("event.name", "c") "," KV("session.id", "other") "," KV("u", "x") "]},"
           "{" AT "," WHO("s1", "session.id") KV("event.name", "d") "]},"
           "{" AT "," WHO("s2", "k") KV("u", "own") "]},"
           "{" AT ",\"attributes\":[{\"key\":\"list\",\"value\":{\"arrayValue\":{}}}," KV("event.name", "e") "," KV("list", "y") "]},"
           "{" AT ",\"attributes\":[" KV("event.name", "f") "," KV("session.id", "s1") "]}" TAIL,
      "1s #scope_name=ev #scope_version=2 @event.name=a @k=v @n=1 @session.id=s1 @u=me" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @event.name=b @k=v @session.id=s2 @u=me" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @event.name=c @k=v @session.id=s1 @u=me" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @event.name=d @session.id=s1 @u=me" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @k=v @session.id=s2 @u=me" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @event.name=e @list=j:[]" GROUP "\n"
      "1s #scope_name=ev #scope_version=2 @event.name=f @session.id=s1" GROUP "\n" },
    { "nothing", "{}", "" },
    { "nothing in it", "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[]}]}]}", "" },
};

static void records(void **state)
{
    (void)state;
    check_forms(OTLP_LOGS, cases, LEN(cases));
}

/* What only JSON can say. */
static const struct form_case json_only[] = {
    { "names with underscores, numbers as strings, enumerations by name, capitals in ids",
      "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"time_unix_nano\":1795447501000000000,\"severity_number\":\"SEVERITY_NUMBER_WARN2\","
      "\"trace_id\":\"283DE5E0C8F3D65BB02F3F6D5B947986\",\"flags\":\"1\",\"attributes\":[{\"key\":\"i\",\"value\":{\"int_value\":\"12\"}},"
      "{\"key\":\"d\",\"value\":{\"double_value\":\"1.5\"}},{\"key\":\"inf\",\"value\":{\"doubleValue\":\"-Infinity\"}},{\"key\":\"whole\",\"value\":"
      "{\"intValue\":1e3}},{\"key\":\"raw\",\"value\":{\"bytesValue\":\"-_8=\"}}]}]}]}]}",
      "1s #flags=i:1 #severity_number=i:14 #trace_id=283de5e0c8f3d65bb02f3f6d5b947986 @d=d:1.5 @i=i:12 @inf=d:-Inf @raw=x:+/8= @whole=i:1000\n" },
    { "null is absent, unknown names are skipped",
      "{\"x\":{\"y\":[1,{}]},\"resourceLogs\":[null,{\"resource\":null,\"scopeLogs\":[{\"scope\":null,\"logRecords\":[{\"timeUnixNano\":null,"
      "\"observedTimeUnixNano\":\"1795447501000000000\",\"body\":null,\"attributes\":null,\"severityNumber\":null,\"traceId\":null,\"new\":[[]],"
      "\"severityText\":null}]}]}],\"resourceLogs2\":0}",
      "1s #observed_ns=i:1795447501000000000\n" },
    { "unknown names at every level, an infinity inside, base64 of all kinds",
      "{\"resourceLogs\":[{\"x\":1,\"resource\":{\"x\":1,\"attributes\":[{\"x\":1,\"key\":\"r\",\"value\":{\"x\":1,\"intValue\":2}}]},\"scopeLogs\":[{\"x\":1,"
      "\"scope\":{\"x\":1,\"name\":\"n\"},\"logRecords\":[{\"x\":1," AT ",\"body\":{\"arrayValue\":{\"x\":1,\"values\":[{\"x\":1,\"doubleValue\":\"Infinity\"},null,"
      "{\"bytesValue\":\"aZ09+/==\"},{\"intValue\":1,\"x\":2},{\"intValue\":null},{\"kvlistValue\":{\"values\":[{\"x\":1,\"key\":\"k\"}]}}]}}}]}]}]}",
      "1s #body=j:[\"+Inf\",null,\"aZ09+w==\",1,null,{\"k\":null}] #scope_name=n res:r=i:2\n" },
    { "a member's value before its key, an unknown enumeration",
      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" AT ",\"severityNumber\":\"SEVERITY_NUMBER_NEW\",\"attributes\":[{\"value\":{\"kvlistValue\":"
      "{\"values\":[{\"value\":{\"intValue\":3},\"key\":\"k\"}]}},\"key\":\"m\"}]}]}]}]}",
      "1s @m=j:{\"k\":3}\n" },
};

static void json_forms(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t i = 0; i < LEN(json_only); i++) {
        struct batch b;
        struct fault f = { 0 };
        if (decode(OTLP_LOGS, true, str_c(json_only[i].json), &mem, &b, &f))
            fail_msg("%s: %s", json_only[i].what, f.msg);
        struct str got = dump(&b, &mem);
        if (!str_eq(got, str_c(json_only[i].want)))
            fail_msg("%s\nwant:\n%sgot:\n" STR_FMT, json_only[i].what, json_only[i].want, STR_ARG(got));
        batch_done(&b);
    }
    arena_done(&mem);
}

/* Rule 5: a resend is the same row whenever it comes; any difference is another row. */
static void identity(void **state)
{
    (void)state;
    static const char *const same = RECORD("\"body\":{\"stringValue\":\"b\"},\"attributes\":[{\"key\":\"a\",\"value\":{\"intValue\":1}},"
                                           "{\"key\":\"b\",\"value\":{\"intValue\":2}}]");
    static const char *const turned = RECORD("\"attributes\":[{\"key\":\"b\",\"value\":{\"intValue\":2}},{\"key\":\"a\",\"value\":"
                                             "{\"intValue\":1}}],\"body\":{\"stringValue\":\"b\"}");
    static const char *const typed = RECORD("\"body\":{\"stringValue\":\"b\"},\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"1\"}},"
                                            "{\"key\":\"b\",\"value\":{\"intValue\":2}}]");
    struct arena mem;
    struct batch a, b, c, later;
    arena_init(&mem, TEST_ARENA);
    assert_int_equal(decode(OTLP_LOGS, true, str_c(same), &mem, &a, NULL), OK);
    assert_int_equal(decode(OTLP_LOGS, true, str_c(turned), &mem, &b, NULL), OK);
    assert_int_equal(decode(OTLP_LOGS, true, str_c(typed), &mem, &c, NULL), OK);
    assert_int_equal(otlp_decode(FRAME_OTLP_LOGS_JSON, str_c(same), RECV + 5, T0 - NS_PER_DAY, &mem, &later, NULL), OK);
    assert_true(same_ids(&a, &b));
    assert_true(same_ids(&a, &later));
    assert_false(same_ids(&a, &c));
    batch_done(&a);
    batch_done(&b);
    batch_done(&c);
    batch_done(&later);
    arena_done(&mem);
}

/* Records of one session have one group, however many they are; senders whose records have
 * nothing in common are not given one each for ever; another scope is another group. */
static void sessions_are_groups(void **state)
{
    (void)state;
    static const struct { unsigned sessions, records, groups_min, groups_max; } rows[] = {
        { 1, 100, 2, 2 }, { 5, 100, 6, 6 }, { 100, 5000, 101, 200 }, { 2000, 2000, 2, 66 },
    };
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    for (size_t k = 0; k < LEN(rows); k++) {
        CLEANUP(buf_done) struct buf sub = { 0 }, kv = { 0 }, rec = { 0 }, scope = { 0 }, res = { 0 }, req = { 0 };
        struct buf *all[] = { &sub, &kv, &rec, &scope, &res, &req };
        for (size_t i = 0; i < LEN(all); i++)
            buf_init(all[i], ENC_MAX);
        for (unsigned i = 0; i < rows[k].records; i++) {
            char text[32];
            const struct str keys[] = { S("session.id"), S("event.name"), S("n") };
            enc_fixed64(&rec, 1, (uint64_t)T0);
            for (size_t a = 0; a < LEN(keys); a++) {
                int n = snprintf(text, sizeof text, "%u", a == 0 ? i % rows[k].sessions : i);
                enc_bytes(&sub, 1, (struct str){ text, (size_t)n });
                enc_bytes(&kv, 1, keys[a]);
                enc_message(&kv, 2, &sub);
                enc_message(&rec, 6, &kv);
            }
            enc_message(&scope, 2, &rec);
        }
        enc_message(&res, 2, &scope);
        enc_message(&req, 1, &res);
        struct batch b;
        assert_int_equal(decode(OTLP_LOGS, false, buf_view(&req), &mem, &b, NULL), OK);
        assert_int_equal(b.nrows, rows[k].records);
        if (b.ngroups < rows[k].groups_min || b.ngroups > rows[k].groups_max)
            fail_msg("%u sessions in %u records: %u groups", rows[k].sessions, rows[k].records, b.ngroups);
        for (unsigned i = 0; i < b.nrows; i++) {
            const struct cells *g = &b.groups[b.rows[i].group];
            struct arena scratch = mem;
            char text[32];
            (void)snprintf(text, sizeof text, "@session.id=%u", i % rows[k].sessions);
            const struct cell *c = g->n ? &g->at[g->n - 1] : &b.rows[i].cells.at[0];
            assert_true(str_eq(cell_text(&b, c, &scratch), str_c(text)));
        }
        batch_done(&b);
        arena_reset(&mem);
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(json_forms),
        cmocka_unit_test(identity),
        cmocka_unit_test(sessions_are_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
