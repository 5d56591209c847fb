/* app/erase.c -- POST and GET /api/ccmon/erase.
 *
 * Asking returns when it is recorded; it goes on by itself, and GET says how far it is. Who
 * asked, when and how much went is written to DATA/audit.log, but never who was erased.
 */
#include "app/erase.h"

#include <stdio.h>

#include "app/app.h"
#include "base/jw.h"

enum { ANSWER_BYTES = 64 << 10, FORMS_PER_TEXT = 1 + WHOSE_COUNT };

static void put_counts(struct jw *w, const struct erase_counts *n)
{
    jw_kv_u64(w, S("samples"), n->rows[TABLE_SAMPLE]);
    jw_kv_u64(w, S("logs"), n->rows[TABLE_LOG]);
    jw_kv_u64(w, S("spans"), n->rows[TABLE_SPAN]);
    jw_kv_u64(w, S("partitions"), n->partitions);
    jw_kv_u64(w, S("sessions"), n->sessions);
    jw_kv_i64(w, S("oldest_ms"), n->oldest_ns / NS_PER_MS);
    jw_kv_i64(w, S("newest_ms"), n->newest_ns / NS_PER_MS);
}

static void put_state(struct jw *w, const struct erase_state *st)
{
    static const struct str names[] = {
        [ERASE_NONE] = S("none"),     [ERASE_WAITS] = S("flushes"), [ERASE_READS] = S("reads"),
        [ERASE_WRITES] = S("writes"), [ERASE_CLEARS] = S("clears"), [ERASE_DONE] = S("done"),
    };
    jw_kv_str(w, S("phase"), names[st->phase]);
    put_counts(w, &st->done);
    jw_kv_u64(w, S("looked_at"), st->looked_at);
    jw_kv_u64(w, S("all"), st->all);
    jw_kv_u64(w, S("set_aside"), st->dropped);
    jw_kv_bool(w, S("held"), st->held);
    jw_kv_str(w, S("error"), str_c(st->fault.msg));
    jw_kv_u64(w, S("known"), st->known);
    jw_kv_u64(w, S("left_out"), st->left_out);
}

/* ---- who is meant -------------------------------------------------------------------- */

static bool has_text(const struct str *at, uint32_t n, struct str text)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(at[i], text))
            return true;
    return false;
}

uint32_t app_erase_forms(const struct privacy *p, enum erased_kind kind, const struct str *given, uint32_t n, struct arena *mem,
                         struct str **ret)
{
    struct str *out = arena_new(mem, struct str, (size_t)n * FORMS_PER_TEXT + 1);
    uint32_t nout = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (given[i].n && !has_text(out, nout, given[i]))
            out[nout++] = given[i];
        for (unsigned w = WHOSE_SESSION; w < WHOSE_COUNT && p; w++) {
            struct str kept;
            bool fits = whose_kind((enum whose)w) == kind;
            if (fits && privacy_text(p, PLACE_ATTR, whose_labels[w - 1], given[i], mem, &kept) && kept.n && !has_text(out, nout, kept))
                out[nout++] = kept;
        }
    }
    *ret = out;
    return nout;
}

/* False: it is answered already. */
static bool read_request(struct http_req *r, struct erase_req *ret, struct arena *mem)
{
    struct app *a = r->arg;
    const struct str *sessions, *users;
    struct str *forms;
    uint32_t ns = http_params(r, S("session"), &sessions), nu = http_params(r, S("user"), &users);
    if (!ns && !nu) {
        http_reply_error(r, 400, "session=ID or user=ID is wanted, as often as needed");
        return false;
    }
    if (ns + nu > ERASE_TEXTS_MAX) {
        http_reply_error(r, 400, "more than %d at once", ERASE_TEXTS_MAX);
        return false;
    }
    for (uint32_t i = 0; i < ns + nu; i++)
        if (!(i < ns ? sessions[i] : users[i - ns]).n) {
            http_reply_error(r, 400, "an empty name is nobody's");
            return false;
        }
    struct privacy *p = privacy_slot_get(&a->privacy);
    ret->nsessions = app_erase_forms(p, ERASED_SESSION, sessions, ns, mem, &forms);
    ret->sessions = forms;
    ret->nusers = app_erase_forms(p, ERASED_USER, users, nu, mem, &forms);
    ret->users = forms;
    privacy_unref(p);
    return true;
}

/* ---- answers ------------------------------------------------------------------------------ */

static void answer_state(struct http_req *r, int status)
{
    struct app *a = r->arg;
    struct erase_state st;
    CLEANUP(buf_done) struct buf out;
    struct jw w;
    buf_init(&out, ANSWER_BYTES);
    store_erase_state(a->store, &st);
    jw_init(&w, &out);
    jw_obj(&w);
    put_state(&w, &st);
    jw_obj_end(&w);
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_buf(r, status, S("application/json"), &out);
}

static void answer_counts(struct http_req *r, const struct erase_counts *n)
{
    CLEANUP(buf_done) struct buf out;
    struct jw w;
    buf_init(&out, ANSWER_BYTES);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_bool(&w, S("dry_run"), true);
    put_counts(&w, n);
    jw_obj_end(&w);
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_buf(r, 200, S("application/json"), &out);
}

static int status_of(enum err e)
{
    return e == E_UNAVAILABLE ? 503 : e == E_LIMIT ? 400 : 500;
}

static void handle_erase(struct http_req *r)
{
    struct app *a = r->arg;
    struct erase_req q;
    struct erase_counts n;
    struct str dry = { 0 };
    struct fault f = { 0 };
    if (!read_request(r, &q, r->mem))
        return;
    bool only_count = http_param(r, S("dry_run"), &dry) && !str_eq(dry, S("false"));
    enum err e = only_count ? store_erase_count(a->store, &q, &n, &f) : store_erase_begin(a->store, &q, &f);
    if (e) {
        http_reply_error(r, status_of(e), "%s", f.msg);
        return;
    }
    if (only_count) {
        answer_counts(r, &n);
        return;
    }
    struct audit_act act = { S("erase"), r->listener, r->peer, r->user, q.nsessions, q.nusers };
    audit_act(a->audit, &act);
    log_line(LOG_INFO, "erasing %u sessions and %u persons, asked for by " STR_FMT "%s" STR_FMT, q.nsessions, q.nusers, STR_ARG(r->peer),
             r->user.n ? " " : "", STR_ARG(r->user));
    answer_state(r, 202);
}

static void handle_state(struct http_req *r)
{
    answer_state(r, 200);
}

const struct http_route routes_erase[] = {
    { HTTP_POST, "/api/ccmon/erase", handle_erase, ROUTE_POOL,
      "erases sessions (`session`) and persons (`user`); with `dry_run` says what would go; `ccmon erase` calls it" },
    { HTTP_GET, "/api/ccmon/erase", handle_state, ROUTE_POOL, "how far erasing is, or what it erased" },
    { 0 },
};
