/* api/accounting.c -- what only ccmon can say: sessions, prices.
 *
 * Answers have the form of Prometheus's API, since pages read both.
 */
#include "api/asked.h"
#include "api/prom_envelope.h"
#include "api/prom_params.h"
#include "base/num.h"
#include "ledger/money.h"
#include "ledger/story_write.h"

/* ---- /api/ccmon/sessions/ID ------------------------------------------------------ */

static void answer_story(struct http_req *r, struct arena *mem)
{
    const struct api *a = r->arg;
    int64_t from_ns, to_ns;
    if (!param_search_range(r, &from_ns, &to_ns))
        return;
    struct query_ctx q = asked_context(r, mem, asked_longest(a));
    struct story st;
    struct fault f = { 0 };
    struct story_req req = { r->wild[0], from_ns, to_ns, clock_now(a->clock), q.deadline_mono_ns, q.cancelled };
    enum err e = story_read(a->src, a->prices, &req, mem, &st, &f);
    if (e) {
        prom_fail(r, e, str_c(f.msg));
        return;
    }
    struct prom_reply p;
    prom_begin(&p, r);
    story_write(&st, &p.w);
    prom_send(&p, NULL);
}

static void one_session(struct http_req *r)
{
    CLEANUP(arena_done) struct arena mem;
    asked_arena(r->arg, &mem);
    answer_story(r, &mem);
}

/* ---- /api/ccmon/prices -------------------------------------------------------------- */

static void put_day(struct jw *w, struct str key, int32_t day)
{
    char text[40];
    if (day == INT32_MIN || day == INT32_MAX)
        return;
    size_t n = num_fmt_rfc3339(text, day * NS_PER_DAY);
    jw_kv_str(w, key, str_sub((struct str){ text, n }, 0, 10));
}

static void put_rates(struct jw *w, struct str key, const struct rates *r)
{
    jw_key(w, key);
    jw_obj(w);
    for (int c = 0; c < TOKEN_CLASSES; c++)
        if (r->of[c] != RATE_NONE) {
            jw_key(w, token_class_names[c]);
            jw_f64(w, (double)r->of[c] / 1e6);
        }
    jw_obj_end(w);
}

static void put_row(struct jw *w, const struct price_row *row)
{
    jw_obj(w);
    jw_kv_str(w, S("model"), row->model);
    put_day(w, S("from"), row->from_day);
    put_day(w, S("to"), row->to_day);
    put_rates(w, S("rates"), &row->rates);
    if (row->has_long) {
        jw_kv_i64(w, S("long_above"), (int64_t)row->long_above);
        put_rates(w, S("long"), &row->of_long);
    }
    if (row->has_fast) {
        put_day(w, S("fast_from"), row->fast_from);
        put_day(w, S("fast_to"), row->fast_to);
        put_rates(w, S("fast"), &row->of_fast);
    }
    jw_kv_i64(w, S("regional"), (int64_t)row->regional);
    jw_obj_end(w);
}

static void prices(struct http_req *r)
{
    const struct api *a = r->arg;
    struct prom_reply p;
    uint32_t n;
    const struct price_row *rows = prices_rows(a->prices, &n);
    prom_begin(&p, r);
    jw_obj(&p.w);
    jw_kv_str(&p.w, S("as_of"), prices_as_of(a->prices));
    jw_kv_str(&p.w, S("unit"), S("USD a million tokens"));
    jw_key(&p.w, S("models"));
    jw_arr(&p.w);
    for (uint32_t i = 0; i < n; i++)
        put_row(&p.w, &rows[i]);
    jw_arr_end(&p.w);
    jw_obj_end(&p.w);
    prom_send(&p, NULL);
}

const struct http_route routes_accounting[] = {
    { HTTP_GET, "/api/ccmon/sessions/*", one_session, ROUTE_POOL, "one session's whole story: prompts, requests, tools, agents" },
    { HTTP_GET, "/api/ccmon/prices", prices, ROUTE_LOOP, "the price book that ccmon goes by" },
    { 0 },
};
