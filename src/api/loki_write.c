/* api/loki_write.c -- see loki_write.h. */
#include "api/loki_write.h"

#include "base/num.h"
#include "query/write.h"

enum { ANSWER_MAX = 1 << 30 };                     /* bytes of one answer */

void loki_begin(struct loki_reply *p, struct http_req *r)
{
    p->r = r;
    buf_init(&p->out, ANSWER_MAX);
    jw_init(&p->w, &p->out);
    jw_obj(&p->w);
}

void loki_send(struct loki_reply *p)
{
    jw_obj_end(&p->w);
    if (p->out.bad)
        loki_bad(p->r, "the answer is longer than the limit of 1 GiB");
    else
        http_reply_buf(p->r, 200, S("application/json; charset=UTF-8"), &p->out);
    buf_done(&p->out);
}

void loki_begin_data(struct loki_reply *p, struct http_req *r, struct str type)
{
    loki_begin(p, r);
    jw_kv_str(&p->w, S("status"), S("success"));
    jw_key(&p->w, S("data"));
    jw_obj(&p->w);
    jw_kv_str(&p->w, S("resultType"), type);
}

/* ---- statistics ----------------------------------------------------------------------------- */

static void zeros(struct jw *w, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jw_kv_i64(w, names[i], 0);
}

static void write_chunk_store(struct jw *w, const struct query_ctx *q, const struct loki_stats *s)
{
    static const struct str chunk[] = { S("headChunkBytes"), S("headChunkLines"), S("totalDuplicates") };
    jw_key(w, S("store"));
    jw_obj(w);
    jw_kv_i64(w, S("totalChunksRef"), (int64_t)q->stats.chunks);
    jw_kv_i64(w, S("totalChunksDownloaded"), (int64_t)q->stats.chunks);
    jw_kv_i64(w, S("chunksDownloadTime"), q->scan_ns);
    jw_key(w, S("chunk"));
    jw_obj(w);
    zeros(w, chunk, LEN(chunk));
    jw_kv_i64(w, S("compressedBytes"), (int64_t)q->stats.bytes_read);
    jw_kv_i64(w, S("decompressedBytes"), (int64_t)MAX(s->bytes, q->stats.bytes_read));
    jw_kv_i64(w, S("decompressedLines"), (int64_t)q->stats.rows_read);
    jw_kv_i64(w, S("postFilterLines"), (int64_t)q->passed);
    jw_obj_end(w);
    jw_obj_end(w);
}

static void write_stats(struct jw *w, const struct query_ctx *q, const struct loki_stats *s)
{
    static const struct str ingester[] = { S("totalReached"), S("totalChunksMatched"), S("totalBatches"), S("totalLinesSent") };
    double secs = (double)(clock_mono(q->clock) - q->begin_mono_ns) / (double)NS_PER_S;
    uint64_t bytes = MAX(s->bytes, q->stats.bytes_read);
    jw_key(w, S("stats"));
    jw_obj(w);
    jw_key(w, S("summary"));
    jw_obj(w);
    jw_kv_i64(w, S("bytesProcessedPerSecond"), secs > 0 ? (int64_t)((double)bytes / secs) : 0);
    jw_kv_i64(w, S("linesProcessedPerSecond"), secs > 0 ? (int64_t)((double)q->stats.rows_read / secs) : 0);
    jw_kv_i64(w, S("totalBytesProcessed"), (int64_t)bytes);
    jw_kv_i64(w, S("totalLinesProcessed"), (int64_t)q->stats.rows_read);
    jw_key(w, S("execTime"));
    jw_f64(w, secs);
    jw_key(w, S("queueTime"));
    jw_f64(w, (double)q->queued_ns / (double)NS_PER_S);
    jw_kv_i64(w, S("subqueries"), 0);
    jw_kv_i64(w, S("totalEntriesReturned"), (int64_t)s->entries);
    jw_kv_i64(w, S("splits"), 0);
    jw_kv_i64(w, S("shards"), 0);
    jw_kv_i64(w, S("totalPostFilterLines"), (int64_t)q->passed);
    jw_obj_end(w);
    jw_key(w, S("querier"));
    jw_obj(w);
    write_chunk_store(w, q, s);
    jw_obj_end(w);
    jw_key(w, S("ingester"));
    jw_obj(w);
    zeros(w, ingester, LEN(ingester));
    jw_obj_end(w);
    jw_obj_end(w);
}

void loki_send_data(struct loki_reply *p, const struct query_ctx *q, const struct loki_stats *s)
{
    write_stats(&p->w, q, s);
    jw_obj_end(&p->w);
    loki_send(p);
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void write_entry(struct jw *w, const struct log_entry *e, bool categorized)
{
    char ns[24];
    size_t n = num_fmt_i64(ns, e->time_ns);
    jw_arr(w);
    jw_str(w, (struct str){ ns, n });
    jw_str(w, e->line);
    if (categorized) {
        jw_obj(w);
        if (e->meta.n) {
            jw_key(w, S("structuredMetadata"));
            write_labels(w, e->meta);
        }
        if (e->parsed.n) {
            jw_key(w, S("parsed"));
            write_labels(w, e->parsed);
        }
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

void loki_write_streams(struct jw *w, const struct log_result *res, bool categorized)
{
    /* Grafana reads the answer as a stream: the flags must come before the result. */
    if (categorized) {
        jw_key(w, S("encodingFlags"));
        jw_arr(w);
        jw_str(w, S("categorize-labels"));
        jw_arr_end(w);
    }
    jw_key(w, S("result"));
    jw_arr(w);
    for (uint32_t i = 0; i < res->n; i++) {
        const struct log_stream *s = &res->streams[i];
        jw_obj(w);
        jw_key(w, S("stream"));
        write_labels(w, s->all);
        jw_key(w, S("values"));
        jw_arr(w);
        for (uint32_t k = 0; k < s->n; k++)
            write_entry(w, &s->entries[k], categorized);
        jw_arr_end(w);
        jw_obj_end(w);
    }
    jw_arr_end(w);
}

void loki_write_list(struct jw *w, const struct str *at, uint32_t n)
{
    jw_arr(w);
    for (uint32_t i = 0; i < n; i++)
        jw_str(w, at[i]);
    jw_arr_end(w);
}
