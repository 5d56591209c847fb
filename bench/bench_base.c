/* bench/bench_base.c -- what the bytes cost: the parts of room base that every
 * request goes through. One line a part; the best of a few rounds, since on a shared
 * machine everything slower than that is someone else.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/jw.h"
#include "base/map.h"
#include "base/num.h"
#include "base/zip.h"

enum { ROUNDS = 15, RECORDS = 2000, NUMBERS = 100000, KEYS = 50000, ARENAS = 100000 };

static struct buf text, packed;                    /* log records as JSON, and the same in gzip */
static struct arena mem;

/* Records of about the size and the shape that the client sends as OTLP/JSON. */
static void make_text(void)
{
    buf_init(&text, 64 << 20);
    struct jw w;
    jw_init(&w, &text);
    jw_arr(&w);
    for (int i = 0; i < RECORDS; i++) {
        jw_obj(&w);
        jw_kv_str(&w, S("timeUnixNano"), S("1795509547123456789"));
        jw_key(&w, S("attributes"));
        jw_arr(&w);
        for (int a = 0; a < 14; a++) {
            jw_obj(&w);
            jw_kv_str(&w, S("key"), S("attribute.with.a.name"));
            jw_key(&w, S("value"));
            jw_obj(&w);
            jw_kv_str(&w, S("stringValue"),
                      a % 7 ? S("6f1c7f0e-54a2-4a55-93f7-2f6e1a6f3c11") : S("line one\nline two"));
            jw_obj_end(&w);
            jw_obj_end(&w);
        }
        jw_arr_end(&w);
        jw_kv_i64(&w, S("severityNumber"), i % 24);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    CHECK(!text.bad);
    buf_init(&packed, 64 << 20);
    CHECK(zip_gzip(buf_view(&text), 6, &packed) == OK);
}

static void parse_json(void)
{
    struct json j;
    json_init(&j, buf_view(&text), &mem);
    while (json_next(&j) != J_END)
        CHECK(j.tok != J_ERR);
    arena_reset(&mem);
}

static void write_json(void)
{
    struct buf out;
    buf_init(&out, 64 << 20);
    struct json j;
    json_init(&j, buf_view(&text), &mem);
    struct jw w;
    jw_init(&w, &out);
    jw_arr(&w);
    while (json_next(&j) != J_END)
        if (j.tok == J_STR)
            jw_str(&w, j.s);
    jw_arr_end(&w);
    CHECK(!out.bad);
    buf_done(&out);
    arena_reset(&mem);
}

static void gunzip(void)
{
    struct buf out = { 0 };
    CHECK(zip_gunzip(buf_view(&packed), text.n, &out, NULL) == OK);
    buf_done(&out);
}

/* Money as it comes, and fractions with all their digits. */
static void print_numbers(void)
{
    char out[NUM_F64_MAX];
    size_t n = 0;
    for (int i = 1; i <= NUMBERS; i++)
        n += num_fmt_f64(out, i % 10 ? i * 7.25e-5 : 1.0 / i);
    CHECK(n > NUMBERS);
}

static void intern_keys(void)
{
    struct map m = { 0 };
    static char keys[KEYS][24];
    for (uint32_t i = 0; i < KEYS; i++) {
        bool fresh;
        int n = snprintf(keys[i], sizeof(keys[i]), "session-%u", i / 5);
        (void)map_intern(&m, (struct str){ keys[i], (size_t)n }, i, &fresh);
    }
    map_done(&m);
}

static void short_arenas(void)
{
    for (int i = 0; i < ARENAS; i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        memset(arena_alloc(&a, 2000, 8), 1, 2000);
        arena_done(&a);
    }
}

/* `what` in ns per item, and in MB/s where `bytes` says how many it goes through. */
static void measure(const char *what, void (*fn)(void), double items, double bytes)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t begin = clock_mono(&clock_system);
        fn();
        best = MIN(best, clock_mono(&clock_system) - begin);
    }
    printf("%-28s %9.1f ns each", what, (double)best / items);
    if (bytes > 0)
        printf(" %9.0f MB/s", bytes * 1e3 / (double)best);
    printf("\n");
}

int main(void)
{
    arena_init(&mem, 256 << 20);
    make_text();
    double bytes = (double)text.n;
    measure("JSON in, log record", parse_json, RECORDS, bytes);
    measure("JSON in and out, log record", write_json, RECORDS, bytes);
    measure("gunzip, log record", gunzip, RECORDS, bytes);
    measure("double as text", print_numbers, NUMBERS, 0);
    measure("intern a key", intern_keys, KEYS, 0);
    measure("arena of a small request", short_arenas, ARENAS, 0);
    buf_done(&text);
    buf_done(&packed);
    arena_done(&mem);
    return 0;
}
