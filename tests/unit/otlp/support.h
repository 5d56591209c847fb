/* What the OTLP tests share: decoding a JSON text in both forms, and rows as text.
 *
 * A row is printed as
 *     time[<claimed][ start][ value][ D|C] place:name=value ...
 * its own and its group's cells together, sorted, so that a test sees what a query
 * will see and not where a cell stands. Times are relative to T0.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/num.h"
#include "otlp/decode.h"
#include "query/hist.h"
#include "transcode.h"

#define T0   INT64_C(1795447500000000000)          /* the hour of the recordings */
#define RECV (T0 + INT64_C(3600) * NS_PER_S)

enum { DUMP_MAX = 8 << 20, TEST_ARENA = 64 << 20 };

static const char *const place_words[PLACE_COUNT] = { "#", "", "@", "scope:", "res:" };

static int by_text(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

static struct str histogram_text(struct str bytes, struct arena *mem)
{
    struct histogram h;
    struct fault f;
    struct buf out;
    assert_int_equal(histogram_decode(bytes, mem, &h, &f), OK);
    assert_int_equal(histogram_check(&h, &f), OK);
    buf_init(&out, DUMP_MAX);
    buf_fmt(&out, "%s%d", h.hint == HINT_GAUGE ? "gauge " : "", h.schema);
    hist_text(&out, &h);
    struct str s = arena_str(mem, buf_view(&out));
    buf_done(&out);
    return s;
}

static struct str cell_text(const struct batch *b, const struct cell *c, struct arena *mem)
{
    static const char *const types[] = { "none:", "", "i:", "d:", "b:", "x:", "j:" };
    const struct colkey *k = &b->cols[c->col];
    struct value v = c->v;
    if (colkey_is_histogram(k))
        return arena_fmt(mem, "#histogram=" STR_FMT, STR_ARG(histogram_text(v.s, mem)));
    struct str text = value_text_in(&v, mem);
    return arena_fmt(mem, "%s" STR_FMT "=%s" STR_FMT, place_words[k->place], STR_ARG(k->name), types[v.type], STR_ARG(text));
}

static void dump_time(struct buf *out, int64_t ns)
{
    int64_t s = (ns - T0) / NS_PER_S, rest = (ns - T0) % NS_PER_S;
    if (rest)
        buf_fmt(out, "%lldns", (long long)(ns - T0));
    else
        buf_fmt(out, "%llds", (long long)s);
}

static void dump_row(const struct batch *b, const struct row *r, struct arena *mem, struct buf *out)
{
    struct cells shared = { 0 };
    if (r->group != ROW_NO_GROUP)
        shared = b->table == TABLE_SAMPLE ? batch_labels(b, r->group, mem) : b->groups[r->group];
    const struct cells *g = &shared;
    uint32_t n = 0;
    struct str *all = arena_new(mem, struct str, g->n + r->cells.n + 1);
    for (uint32_t i = 0; i < g->n; i++)
        all[n++] = cell_text(b, &g->at[i], mem);
    for (uint32_t i = 0; i < r->cells.n; i++)
        all[n++] = cell_text(b, &r->cells.at[i], mem);
    qsort(all, n, sizeof *all, by_text);
    dump_time(out, r->time_ns);
    if (r->claimed_ns == ROW_NO_TIME)
        buf_fmt(out, "<none");
    else if (r->claimed_ns)
        buf_fmt(out, "<%lld", (long long)r->claimed_ns);
    if (b->table == TABLE_SAMPLE) {
        char text[NUM_F64_MAX];
        if (r->start_ns) {
            buf_byte(out, ' ');
            dump_time(out, r->start_ns);
        }
        buf_byte(out, ' ');
        buf_str(out, (struct str){ text, num_fmt_f64(text, r->value) });
        if (r->temporality)
            buf_str(out, r->temporality == TEMPORALITY_DELTA ? S(" D") : S(" C"));
    }
    for (uint32_t i = 0; i < n; i++)
        buf_fmt(out, " " STR_FMT, STR_ARG(all[i]));
    buf_byte(out, '\n');
}

/* All rows, one a line, in their order; then what was left out. */
UNUSED static struct str dump(const struct batch *b, struct arena *mem)
{
    struct buf out;
    buf_init(&out, DUMP_MAX);
    for (uint32_t i = 0; i < b->nrows; i++) {
        struct arena scratch = *mem;
        dump_row(b, &b->rows[i], &scratch, &out);
    }
    if (b->rejected)
        buf_fmt(&out, "rejected %llu: " STR_FMT "\n", (unsigned long long)b->rejected, STR_ARG(b->reject_reason));
    assert_false(out.bad);
    struct str s = arena_str(mem, buf_view(&out));
    buf_done(&out);
    return s;
}

UNUSED static enum err decode(enum otlp_signal signal, bool json, struct str body, struct arena *mem, struct batch *ret,
                              struct fault *f)
{
    const struct otlp_signal_def *d = &otlp_signals[signal];
    return otlp_decode(json ? d->json : d->protobuf, body, RECV, T0 - NS_PER_DAY, mem, ret, f);
}

/* The same once more, with series that earlier calls have seen: this one's too. */
UNUSED static enum err decode_seen(enum otlp_signal signal, struct str body, struct seen *seen, struct arena *mem, struct batch *ret,
                                   struct fault *f)
{
    enum err e = otlp_decode_seen(otlp_signals[signal].protobuf, body, RECV, T0 - NS_PER_DAY, seen, mem, ret, f);
    if (!e)
        batch_done(ret);
    return e ? e : otlp_decode_seen(otlp_signals[signal].protobuf, body, RECV, T0 - NS_PER_DAY, seen, mem, ret, f);
}

UNUSED static bool same_ids(const struct batch *a, const struct batch *b)
{
    if (a->nrows != b->nrows)
        return false;
    for (uint32_t i = 0; i < a->nrows; i++)
        if (!id128_eq(a->rows[i].id, b->rows[i].id))
            return false;
    return true;
}

/* What a JSON text decodes to; its protobuf twin must give the same rows and ids, also when it was seen before. */
UNUSED static struct str both_forms(enum otlp_signal signal, struct str json, struct arena *mem)
{
    struct batch a, b;
    struct fault f = { 0 };
    struct buf pb;
    buf_init(&pb, ENC_MAX);
    if (decode(signal, true, json, mem, &a, &f))
        fail_msg("JSON: %s\n" STR_FMT, f.msg, STR_ARG(json));
    if (!json_to_protobuf(json, requests[signal], mem, &pb))
        fail_msg("cannot be made protobuf: " STR_FMT, STR_ARG(json));
    if (decode(signal, false, buf_view(&pb), mem, &b, &f))
        fail_msg("protobuf: %s\n" STR_FMT, f.msg, STR_ARG(json));
    struct str x = dump(&a, mem), y = dump(&b, mem);
    if (!str_eq(x, y) || !same_ids(&a, &b))
        fail_msg("two forms, two results\nJSON:\n" STR_FMT "protobuf:\n" STR_FMT, STR_ARG(x), STR_ARG(y));
    batch_done(&b);
    struct seen *seen = seen_new();
    assert_int_equal(decode_seen(signal, buf_view(&pb), seen, mem, &b, &f), OK);
    y = dump(&b, mem);
    if (!str_eq(x, y) || !same_ids(&a, &b))
        fail_msg("seen before, another result\nfirst:\n" STR_FMT "then:\n" STR_FMT, STR_ARG(x), STR_ARG(y));
    seen_free(seen);
    batch_done(&a);
    batch_done(&b);
    buf_done(&pb);
    return x;
}

/* A row of a test table: what it is, the JSON, the rows it must give. */
struct form_case {
    const char *what, *json, *want;
};

UNUSED static void check_forms(enum otlp_signal signal, const struct form_case *cases, size_t n)
{
    struct arena mem;
    arena_init(&mem, TEST_ARENA);
    unsigned failed = 0;
    for (size_t i = 0; i < n; i++) {
        struct str got = both_forms(signal, str_c(cases[i].json), &mem);
        if (!str_eq(got, str_c(cases[i].want))) {
            fprintf(stderr, "%s\nwant:\n%sgot:\n" STR_FMT "\n", cases[i].what, cases[i].want, STR_ARG(got));
            failed++;
        }
        arena_reset(&mem);
    }
    arena_done(&mem);
    assert_int_equal(failed, 0);
}
