/* tests/unit/store/test_erase.c -- whose a row is, what is left of a request, and a store that
 * is erased from while it is written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/erase.h"
#include "store/erased.h"
#include "store/frame_rows.h"
#include "store_bed.h"

static const uint8_t key[SECRET_HASH_BYTES] = { 1, 2, 3 };

static struct erased_entry entry(enum erased_kind kind, const char *text, int64_t at_ns)
{
    struct erased_entry e = { .kind = kind, .at_ns = at_ns };
    erased_hash(key, kind, str_c(text), e.hash);
    return e;
}

/* ---- names ----------------------------------------------------------------------- */

static void test_whose(void **state)
{
    static const struct { const char *name; enum whose want; } rows[] = {
        { "session.id", WHOSE_SESSION },       { "session_id", WHOSE_SESSION },   { "user.email", WHOSE_USER_EMAIL },
        { "user_account_uuid", WHOSE_USER_ACCOUNT_UUID }, { "user.id", WHOSE_USER_ID }, { "user.account_id", WHOSE_USER_ACCOUNT_ID },
        { "user", WHOSE_NOBODY },              { "session.id.x", WHOSE_NOBODY },  { "ccr.session.id", WHOSE_NOBODY },
        { "", WHOSE_NOBODY },
    };
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++)
        if (whose_of(str_c(rows[i].name)) != rows[i].want)
            fail_msg("%s", rows[i].name);
}

/* ---- arrivals ---------------------------------------------------------------------- */

struct arrival {
    const char *session, *email;                   /* of the row; NULL: none */
    const char *resource;                          /* what its group claims as session.id */
    int64_t time_ns, claimed_ns, start_ns;
    enum temporality temporality;
    bool gone;
};

static const struct arrival arrivals[] = {
    { "s1", NULL, NULL, 50, 0, 0, 0, true },
    { "s1", NULL, NULL, 5000, 0, 0, 0, true },                         /* a session for ever */
    { "s2", NULL, NULL, 50, 0, 0, 0, false },
    { "s2", NULL, "s1", 50, 0, 0, 0, true },                           /* it names it all the same */
    { "s2", "ada", NULL, 100, 0, 0, 0, true },
    { "s2", "ada", NULL, 101, 0, 0, 0, false },                        /* what she does later */
    { "s2", "ada", NULL, 5000, 90, 0, 0, true },                       /* kept at its receipt: its claim counts */
    { "s2", "ada", NULL, 5000, ROW_NO_TIME, 0, 0, false },
    { "s2", "ada", NULL, 5000, 0, 60, TEMPORALITY_CUMULATIVE, true },  /* a stream that counts from before */
    { "s2", "ada", NULL, 5000, 0, 160, TEMPORALITY_CUMULATIVE, false },
    { "s2", "ada", NULL, 5000, 0, 60, TEMPORALITY_DELTA, false },
    { "ada", "s1", NULL, 50, 0, 0, 0, false },                         /* a session and a person of one name are two */
    { NULL, NULL, NULL, 50, 0, 0, 0, false },
};

static void fill(struct batch *b, struct arena *mem)
{
    batch_init(b, mem, TABLE_SAMPLE, 9);
    uint32_t session = batch_col(b, PLACE_LABEL, S("session_id")), email = batch_col(b, PLACE_LABEL, S("user_email")),
             claim = batch_col(b, PLACE_RESOURCE, S("session.id"));
    for (size_t i = 0; i < LEN(arrivals); i++) {
        const struct arrival *a = &arrivals[i];
        uint32_t g = batch_group(b);
        struct row *r = batch_row(b);
        *r = (struct row){ .time_ns = a->time_ns, .claimed_ns = a->claimed_ns, .start_ns = a->start_ns, .temporality = a->temporality,
                           .value = (double)i, .origin = ORIGIN_OTLP, .group = g };
        if (a->resource)
            cells_put(&b->groups[g], mem, claim, value_str(str_c(a->resource)));
        if (a->session)
            cells_put(&r->cells, mem, session, value_str(str_c(a->session)));
        if (a->email)
            cells_put(&r->cells, mem, email, value_str(str_c(a->email)));
    }
}

static void test_arrivals(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b;
    arena_init(&mem, 1 << 20);
    fill(&b, &mem);
    const struct erased_entry at[] = { entry(ERASED_SESSION, "s1", 100), entry(ERASED_USER, "ada", 100) };
    struct erased_set *s = erased_new(key, at, LEN(at));
    uint32_t want = 0, n = erased_mark(s, &b);
    for (size_t i = 0; i < LEN(arrivals); i++) {
        want += arrivals[i].gone;
        if ((b.rows[i].verdict == VERDICT_ERASED) != arrivals[i].gone)
            fail_msg("row %zu", i);
    }
    assert_int_equal(n, want);
    erased_unref(s);
    assert_null(erased_new(key, at, 0));
    assert_int_equal(erased_mark(NULL, &b), 0);
    batch_done(&b);
    arena_done(&mem);
}

/* ---- what is left, as a frame --------------------------------------------------------- */

static enum err no_decoder(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem,
                           struct batch *ret, struct fault *f)
{
    (void)arg, (void)kind, (void)epoch, (void)body, (void)recv_ns, (void)mem, (void)ret;
    return fault_set(f, E_UNSUPPORTED, 0, "not ours");
}

static void test_frame(void **state)
{
    (void)state;
    struct arena mem;
    struct batch b, back;
    struct fault f = { 0 };
    struct frame_decoder d = { no_decoder, NULL };
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    arena_init(&mem, 4 << 20);
    fill(&b, &mem);
    uint32_t odd = batch_col(&b, PLACE_ATTR, S("odd"));
    const struct value values[] = { value_int(-5), value_double(-0.0), value_bool(true), { .type = V_JSON, .s = S("[1]") },
                                    { .type = V_BYTES, .s = { "\0x", 2 } } };
    for (size_t i = 0; i < LEN(values); i++)
        cells_put(&b.rows[1 + i].cells, &mem, odd, values[i]);
    rows_identify(&b);
    b.rows[0].verdict = VERDICT_ERASED;
    frame_rows_put(&b, &out);
    assert_false(out.bad);
    assert_int_equal(frame_decode(&d, FRAME_ROWS, 0, buf_view(&out), 9, &mem, &back, &f), OK);
    assert_int_equal(back.nrows, b.nrows - 1);
    assert_int_equal(back.table, TABLE_SAMPLE);
    for (uint32_t i = 0; i < back.nrows; i++) {
        const struct row *x = &back.rows[i], *y = &b.rows[i + 1];
        assert_true(id128_eq(x->id, y->id) && x->time_ns == y->time_ns && x->claimed_ns == y->claimed_ns && x->start_ns == y->start_ns);
        assert_true(x->value == y->value && x->temporality == y->temporality && x->origin == y->origin && x->cells.n == y->cells.n);
        for (uint32_t k = 0; k < x->cells.n; k++)
            assert_true(value_eq(&x->cells.at[k].v, &y->cells.at[k].v));
    }
    batch_done(&back);
    /* Cut or changed anywhere: refused or read, never more than that. */
    for (size_t cut = 0; cut < out.n; cut++)
        if (!frame_decode(&d, FRAME_ROWS, 0, str_sub(buf_view(&out), 0, cut), 9, &mem, &back, &f))
            batch_done(&back);
    for (size_t at = 0; at < out.n; at++) {
        out.p[at] = (char)(out.p[at] ^ 0x41);
        if (!frame_decode(&d, FRAME_ROWS, 0, buf_view(&out), 9, &mem, &back, &f))
            batch_done(&back);
        out.p[at] = (char)(out.p[at] ^ 0x41);
    }
    assert_int_equal(frame_decode(&d, FRAME_SCRAPE, 0, S(""), 9, &mem, &back, &f), E_UNSUPPORTED);
    batch_done(&b);
    arena_done(&mem);
}

/* ---- a store ---------------------------------------------------------------------------- */

static void expect(struct store_bed *b, enum table t, const char **want, size_t n, const char *when)
{
    char *have = bed_rows(b, t), *wanted = bed_sorted(want, n);
    if (strcmp(have, wanted) != 0)
        fail_msg("%s: have\n%swant\n%s", when, have, wanted);
    mem_free(have);
    mem_free(wanted);
}

static void erase(struct store_bed *b, const char *session)
{
    struct fault f = { 0 };
    struct str s = str_c(session);
    struct erase_req r = { .sessions = &s, .nsessions = 1 };
    if (store_erase_begin(b->store, &r, &f) || store_erase_wait(b->store, &f))
        fail_msg("%s", f.msg);
}

static void test_store(void **state)
{
    static const char *const rows[] = { "s 1 1799990000 1799989990 1 ada", "s 1 1799990001 1799989990 2 bob", "l 0 1799990002 0 3 ada",
                                        "l 0 1799990003 0 4 bob",          "s 1 1799800000 1799799990 5 ada" };
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    bed_init(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    for (int round = 0; round < 3; round++) {      /* in the head; in partitions; sent again */
        for (size_t i = 0; i < LEN(rows); i++)
            assert_int_equal(bed_write(&b, rows[i]), OK);
        if (round == 1)
            assert_int_equal(store_flush(b.store, &f), OK);
        erase(&b, "ada");
        const char *samples[] = { rows[1] }, *logs[] = { rows[3] };
        expect(&b, TABLE_SAMPLE, samples, 1, "erased");
        expect(&b, TABLE_LOG, logs, 1, "erased");
    }
    bed_close(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    for (size_t i = 0; i < LEN(rows); i++)
        assert_int_equal(bed_write(&b, rows[i]), OK);
    const char *samples[] = { rows[1] }, *logs[] = { rows[3] };
    expect(&b, TABLE_SAMPLE, samples, 1, "opened again");
    expect(&b, TABLE_LOG, logs, 1, "opened again");
    struct erase_state st;
    store_erase_state(b.store, &st);
    assert_int_equal(st.left_out, 3);
    assert_int_equal(st.known, 1);
    bed_done(&b);
}

static void test_refused(void **state)
{
    (void)state;
    struct store_bed b;
    struct fault f = { 0 };
    struct str empty = S("");
    bed_init(&b);
    assert_int_equal(bed_open(&b, &f), OK);
    assert_int_equal(store_erase_begin(b.store, &(struct erase_req){ 0 }, &f), E_LIMIT);
    assert_int_equal(store_erase_begin(b.store, &(struct erase_req){ .users = &empty, .nusers = 1 }, &f), E_LIMIT);
    assert_int_equal(store_erase_wait(b.store, &f), OK);
    bed_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose), cmocka_unit_test(test_arrivals), cmocka_unit_test(test_frame),
        cmocka_unit_test(test_store), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
