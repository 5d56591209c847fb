/* Redaction of all three signals in both forms: what comes out decodes if what went in did,
 * into as many rows; redacting it again changes nothing; and neither the dropped attribute
 * nor an address is in the rows or in the bytes. The first byte chooses signal and form. */
#include "base/clock.h"
#include "otlp/decode.h"
#include "otlp/redact.h"

static const char rules[] = "[no-prompts, no-people, {names: [x, 'c*'], action: cut, keep: 2}, {match: 'sk-[a-z]+', action: cut}]";

enum { MEMORY = 64 << 20, OUT_MAX = 32 << 20 };

static struct privacy *compile(void)
{
    struct arena mem;
    struct yaml *root;
    struct fault f;
    struct privacy *p = NULL;
    arena_init(&mem, 1 << 20);
    struct fields_reader r = { .file = S("fuzz"), .mem = &mem, .f = &f };
    CHECK(!yaml_parse(str_c(rules), &mem, &root, &f));
    CHECK(!privacy_new(&r, root, S("0123456789abcdef0123456789abcdef"), &p));
    arena_done(&mem);
    return p;
}

static void check_row(const struct batch *b, const struct row *r)
{
    for (uint32_t i = 0; i < r->cells.n; i++) {
        const struct colkey *k = &b->cols[r->cells.at[i].col];
        const struct value *v = &r->cells.at[i].v;
        CHECK(k->place != PLACE_ATTR || !str_eq(k->name, S("prompt")));
        if (k->place == PLACE_ATTR && str_eq(k->name, S("user.email")))
            CHECK(v->type == V_JSON || (v->type == V_STR && (!v->s.n || str_starts(v->s, S("anon-")))) || (v->type == V_BYTES && !v->s.n));
    }
}

static void check_rows(enum frame_kind kind, struct str before, struct str after, struct arena *mem)
{
    struct batch a, b;
    struct fault f = { 0 };
    int64_t now = INT64_C(1795447500) * NS_PER_S;
    enum err e = otlp_decode(kind, before, now, now - NS_PER_DAY, mem, &a, &f);
    if (e)
        return;
    if (otlp_decode(kind, after, now, now - NS_PER_DAY, mem, &b, &f)) {
        CHECK(f.code == E_LIMIT);                  /* hashes are longer than what they stand for */
    } else {
        CHECK(a.nrows == b.nrows && a.table == b.table && a.rejected == b.rejected);
        for (uint32_t i = 0; i < b.nrows; i++)
            check_row(&b, &b.rows[i]);
        batch_done(&b);
    }
    batch_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct privacy *p;
    static struct arena mem;
    if (!p) {
        p = compile();
        arena_init(&mem, MEMORY);
    }
    if (!size)
        return 0;
    const struct otlp_signal_def *d = &otlp_signals[data[0] % OTLP_SIGNALS];
    enum frame_kind kind = data[0] & 0x80 ? d->protobuf : d->json;
    struct str body = { (const char *)data + 1, size - 1 }, once, twice;
    struct fault f = { 0 };
    CLEANUP(buf_done) struct buf out1 = { 0 };
    CLEANUP(buf_done) struct buf out2 = { 0 };
    buf_init(&out1, OUT_MAX);
    buf_init(&out2, OUT_MAX);
    enum err e = otlp_redact(p, kind, body, &out1, &once, &f);
    if (e) {
        CHECK((e == E_SYNTAX || e == E_LIMIT) && f.code == e && f.msg[0]);
        return 0;
    }
    e = otlp_redact(p, kind, once, &out2, &twice, &f);
    CHECK(!e && str_eq(once, twice));
    check_rows(kind, body, once, &mem);
    arena_reset(&mem);
    return 0;
}
