/* web/status.c -- GET /api/ccmon/status: the server as its pages show it.
 *
 * Nanoseconds are strings, since a JSON number loses them in a browser.
 */
#include "web/web_int.h"

#include "base/num.h"

enum { STATUS_BYTES_MAX = 256 << 10 };

void web_put_ns(struct jw *w, struct str key, int64_t ns)
{
    char text[24];
    size_t n = num_fmt_i64(text, ns);
    jw_kv_str(w, key, (struct str){ text, n });
}

static void put_store(struct jw *w, const struct source_stats *s)
{
    bool empty = !s->rows[TABLE_SAMPLE] && !s->rows[TABLE_LOG] && !s->rows[TABLE_SPAN];
    jw_kv_bool(w, S("empty"), empty);
    jw_kv_u64(w, S("seq"), s->seq);
    jw_key(w, S("rows"));
    jw_obj(w);
    jw_kv_u64(w, S("samples"), s->rows[TABLE_SAMPLE]);
    jw_kv_u64(w, S("logs"), s->rows[TABLE_LOG]);
    jw_kv_u64(w, S("spans"), s->rows[TABLE_SPAN]);
    jw_obj_end(w);
    web_put_ns(w, S("oldest_ns"), s->oldest_ns);
    web_put_ns(w, S("newest_ns"), s->newest_ns);
    web_put_ns(w, S("last_recv_ns"), s->last_recv_ns);
    jw_kv_u64(w, S("duplicates"), s->duplicates);
    jw_kv_u64(w, S("moved"), s->moved);
    jw_kv_u64(w, S("refused"), s->refused);
    jw_kv_u64(w, S("erased"), s->erased);
    jw_key(w, S("retention"));
    jw_obj(w);
    jw_kv_u64(w, S("rows_gone"), s->retained_rows);
    jw_kv_u64(w, S("partitions_gone"), s->retained_partitions);
    web_put_ns(w, S("next_ns"), s->retention_next_ns);
    jw_kv_u64(w, S("next_rows"), s->retention_next_rows);
    jw_obj_end(w);
    jw_kv_u64(w, S("disk_bytes"), s->disk_bytes);
    jw_kv_u64(w, S("log_bytes"), s->log_bytes);
    jw_kv_u64(w, S("partitions"), s->partitions);
    jw_kv_bool(w, S("read_only"), s->read_only);
    jw_kv_str(w, S("reason"), str_c(s->reason));
}

static void put_listeners(struct jw *w, const struct api *api)
{
    CHECK(api->nlisteners <= API_LISTENERS_MAX);
    jw_key(w, S("listeners"));
    jw_arr(w);
    for (uint32_t i = 0; i < api->nlisteners; i++) {
        const struct api_listener *l = &api->listeners[i];
        jw_obj(w);
        jw_kv_str(w, S("name"), l->name);
        jw_kv_str(w, S("addr"), l->addr);
        jw_kv_str(w, S("problem"), l->problem);
        uint32_t guards = atomic_load(&l->guards);
        jw_kv_bool(w, S("tls"), guards & API_TLS);
        jw_kv_bool(w, S("tokens"), guards & API_TOKENS);
        jw_kv_bool(w, S("users"), guards & API_USERS);
        jw_kv_bool(w, S("client_certs"), guards & API_CERTS);
        jw_kv_bool(w, S("open"), guards & API_OPEN);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

void status_write(const struct api *api, struct jw *w)
{
    struct source_stats stats = { 0 };
    api->src->stats(api->src, &stats);
    jw_obj(w);
    jw_kv_str(w, S("version"), api->version);
    web_put_ns(w, S("now_ns"), clock_now(api->clock));
    web_put_ns(w, S("start_ns"), api->start_ns);
    put_store(w, &stats);
    jw_kv_bool(w, S("open"), api->open);
    jw_kv_bool(w, S("demo"), api->demo);
    jw_kv_str(w, S("data_dir"), api->data_dir);
    web_put_ns(w, S("retention_ns"), api->retention_ns);
    put_listeners(w, api);
    refusals_write(api, w);
    jw_obj_end(w);
}

void status_handle(struct http_req *r)
{
    struct web *web = r->arg;
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, STATUS_BYTES_MAX);
    struct jw w;
    jw_init(&w, &out);
    status_write(web->api, &w);
    CHECK(!out.bad);
    http_reply_header(r, S("Cache-Control"), S("no-store"));
    http_reply_header(r, S("X-Content-Type-Options"), S("nosniff"));
    http_reply_buf(r, 200, S("application/json"), &out);
}
