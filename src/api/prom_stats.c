/* api/prom_stats.c -- see prom_stats.h.
 *
 * Of Prometheus's timers, `queryPreparationTime` is what went by in scans and
 * `innerEvalTime` the rest of the evaluation; results come sorted, so sorting them takes
 * nothing. What Prometheus has no word for stands in a member `ccmon`, which its clients do not look at.
 */
#include "api/prom_stats.h"

#include "query/write.h"

static struct str asked_for(struct http_req *r)
{
    struct str text = S("");
    http_param(r, S("stats"), &text);
    return text;
}

bool prom_stats_wanted(struct http_req *r)
{
    return asked_for(r).n > 0;
}

void prom_stats_prepare(struct http_req *r, struct query_ctx *q, const struct promql_time *t)
{
    if (!str_eq(asked_for(r), S("all")))
        return;
    q->ntouched_at = promql_is_instant(t) ? 1 : (uint32_t)((t->end_ms - t->start_ms) / t->step_ms + 1);
    q->touched_at = arena_new(q->mem, uint64_t, q->ntouched_at);
}

static void write_seconds(struct jw *w, struct str key, int64_t ns)
{
    jw_key(w, key);
    jw_f64(w, (double)ns / (double)NS_PER_S);
}

static void write_timings(struct jw *w, const struct query_ctx *q)
{
    int64_t took = clock_mono(q->clock) - q->begin_mono_ns;
    jw_key(w, S("timings"));
    jw_obj(w);
    write_seconds(w, S("evalTotalTime"), took);
    write_seconds(w, S("resultSortTime"), 0);
    write_seconds(w, S("queryPreparationTime"), q->scan_ns);
    write_seconds(w, S("innerEvalTime"), took - q->scan_ns);
    write_seconds(w, S("execQueueTime"), q->queued_ns);
    write_seconds(w, S("execTotalTime"), took + q->queued_ns);
    jw_obj_end(w);
}

static void write_samples(struct jw *w, const struct query_ctx *q, struct steps st)
{
    jw_key(w, S("samples"));
    jw_obj(w);
    if (q->touched_at) {
        jw_key(w, S("totalQueryableSamplesPerStep"));
        jw_arr(w);
        for (uint32_t i = 0; i < q->ntouched_at; i++) {
            jw_arr(w);
            write_time(w, steps_at(st, i));
            jw_u64(w, q->touched_at[i]);
            jw_arr_end(w);
        }
        jw_arr_end(w);
    }
    jw_kv_i64(w, S("totalQueryableSamples"), (int64_t)q->touched);
    jw_kv_i64(w, S("peakSamples"), (int64_t)q->samples);
    jw_obj_end(w);
}

void prom_stats_write(struct jw *w, const struct query_ctx *q, struct steps st)
{
    jw_key(w, S("stats"));
    jw_obj(w);
    write_timings(w, q);
    write_samples(w, q, st);
    jw_key(w, S("ccmon"));
    jw_obj(w);
    jw_kv_i64(w, S("rowsRead"), (int64_t)q->stats.rows_read);
    jw_kv_i64(w, S("bytesRead"), (int64_t)q->stats.bytes_read);
    jw_kv_i64(w, S("chunksRead"), (int64_t)q->stats.chunks);
    jw_obj_end(w);
    jw_obj_end(w);
}
