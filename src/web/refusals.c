/* web/refusals.c -- GET /api/ccmon/refusals: who was refused lately, and was not told by its
 * own program.
 */
#include "web/web_int.h"

#include "http/refusals.h"

enum { REFUSALS_BYTES_MAX = 1 << 20, STATUS_REFUSALS = 20 };

static void put_one(struct jw *w, const struct refusal *x)
{
    jw_obj(w);
    jw_kv_str(w, S("listener"), str_c(x->listener));
    jw_kv_str(w, S("peer"), str_c(x->peer));
    jw_kv_i64(w, S("status"), x->status);
    jw_kv_str(w, S("why"), str_c(x->why));
    jw_kv_str(w, S("method"), str_c(x->method));
    jw_kv_str(w, S("path"), str_c(x->path));
    jw_kv_str(w, S("token"), str_c(x->token));
    jw_kv_str(w, S("agent"), str_c(x->agent));
    jw_kv_bool(w, S("otlp"), x->otlp);
    jw_kv_i64(w, S("count"), (int64_t)x->count);
    web_put_ns(w, S("first_ns"), x->first_ns);
    web_put_ns(w, S("last_ns"), x->last_ns);
    jw_obj_end(w);
}

static void put_list(struct jw *w, const struct api *api, struct str key, uint32_t max)
{
    jw_key(w, key);
    jw_arr(w);
    if (api->refusals) {
        struct refusal *all = mem_alloc(sizeof(*all) * max);
        uint32_t n = refusals_list(api->refusals, all, max);
        for (uint32_t i = 0; i < n; i++)
            put_one(w, &all[i]);
        mem_free(all);
    }
    jw_arr_end(w);
}

void refusals_write(const struct api *api, struct jw *w)
{
    put_list(w, api, S("refused_senders"), STATUS_REFUSALS);
}

void refusals_handle(struct http_req *r)
{
    struct web *web = r->arg;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, REFUSALS_BYTES_MAX);
    struct jw w;
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_i64(&w, S("total"), web->api->refusals ? (int64_t)refusals_total(web->api->refusals) : 0);
    put_list(&w, web->api, S("refused_senders"), REFUSALS_MAX);
    jw_obj_end(&w);
    CHECK(!out.bad);
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_header(r, S("X-Content-Type-Options"), S("nosniff"));
    http_reply_buf(r, 200, S("application/json"), &out);
}
