/* app/metrics.c -- GET /metrics: what this server says of itself, in Prometheus's text form.
 *
 * A gauge or counter is a row of a table; the two histograms come last. Names of the process
 * are those that every Prometheus client library gives, so that common dashboards show them.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "app/app.h"
#include "base/file.h"
#include "base/latency.h"

enum { METRICS_BYTES_MAX = 256 << 10 };

/* What the table picks from. */
struct reading {
    struct source_stats store;
    struct http_stats http;
    struct app *app;
    double cpu_s, resident;
};

static double total(const atomic_ullong *n)
{
    return (double)atomic_load(n);
}

static double rows_of(const struct reading *r, enum table t) { return (double)r->store.rows[t]; }
static double samples(const struct reading *r) { return rows_of(r, TABLE_SAMPLE); }
static double logs(const struct reading *r) { return rows_of(r, TABLE_LOG); }
static double spans(const struct reading *r) { return rows_of(r, TABLE_SPAN); }
static double duplicates(const struct reading *r) { return (double)r->store.duplicates; }
static double moved(const struct reading *r) { return (double)r->store.moved; }
static double refused(const struct reading *r) { return (double)r->store.refused; }
static double disk(const struct reading *r) { return (double)r->store.disk_bytes; }
static double log_bytes(const struct reading *r) { return (double)r->store.log_bytes; }
static double head_rows(const struct reading *r) { return (double)r->store.head_rows; }
static double head_bytes(const struct reading *r) { return (double)r->store.head_bytes; }
static double partitions(const struct reading *r) { return (double)r->store.partitions; }
static double read_only(const struct reading *r) { return r->store.read_only; }
static double last_row(const struct reading *r) { return (double)r->store.last_recv_ns / (double)NS_PER_S; }
static double connections(const struct reading *r) { return (double)r->http.conns; }
static double requests(const struct reading *r) { return (double)r->http.requests; }
static double refusals(const struct reading *r) { return (double)r->http.refused; }
static double running(const struct reading *r) { return (double)r->http.running; }
static double promql_ok(const struct reading *r) { return total(&r->app->asked[0].answered); }
static double promql_bad(const struct reading *r) { return total(&r->app->asked[0].failed); }
static double logql_ok(const struct reading *r) { return total(&r->app->asked[1].answered); }
static double logql_bad(const struct reading *r) { return total(&r->app->asked[1].failed); }
static double query_rows(const struct reading *r) { return total(&r->app->asked[0].rows) + total(&r->app->asked[1].rows); }
static double query_bytes(const struct reading *r) { return total(&r->app->asked[0].bytes) + total(&r->app->asked[1].bytes); }
static double cpu(const struct reading *r) { return r->cpu_s; }
static double resident(const struct reading *r) { return r->resident; }
static double started(const struct reading *r) { return (double)r->app->api.start_ns / (double)NS_PER_S; }

/* Rows of one name stand together; only the first has a help. */
static const struct metric {
    const char *name, *labels, *type, *help;
    double (*value)(const struct reading *r);
} metrics[] = {
    { "ccmon_rows", "{table=\"samples\"}", "gauge", "Rows stored.", samples },
    { "ccmon_rows", "{table=\"logs\"}", NULL, NULL, logs },
    { "ccmon_rows", "{table=\"spans\"}", NULL, NULL, spans },
    { "ccmon_duplicate_rows_total", "", "counter", "Rows left out because they were there already.", duplicates },
    { "ccmon_moved_rows_total", "", "counter", "Rows kept at the time of their receipt, since their own cannot be.", moved },
    { "ccmon_refused_rows_total", "", "counter", "Samples refused because another value of their time is there.", refused },
    { "ccmon_disk_bytes", "", "gauge", "Partitions on disk.", disk },
    { "ccmon_log_bytes", "", "gauge", "Log that is not in partitions yet.", log_bytes },
    { "ccmon_head_rows", "", "gauge", "Newest rows, in memory.", head_rows },
    { "ccmon_head_bytes", "", "gauge", "Memory of the newest rows.", head_bytes },
    { "ccmon_partitions", "", "gauge", "Partitions.", partitions },
    { "ccmon_read_only", "", "gauge", "1 while nothing can be written: the disk is full or failed.", read_only },
    { "ccmon_last_row_timestamp_seconds", "", "gauge", "Receipt of the newest row.", last_row },
    { "ccmon_http_connections", "", "gauge", "Open connections.", connections },
    { "ccmon_http_requests_running", "", "gauge", "Requests that are not answered yet.", running },
    { "ccmon_http_requests_total", "", "counter", "Requests.", requests },
    { "ccmon_http_refused_total", "", "counter", "Requests and connections refused by the server itself.", refusals },
    { "ccmon_queries_total", "{language=\"promql\",outcome=\"success\"}", "counter", "Queries answered.", promql_ok },
    { "ccmon_queries_total", "{language=\"promql\",outcome=\"failure\"}", NULL, NULL, promql_bad },
    { "ccmon_queries_total", "{language=\"logql\",outcome=\"success\"}", NULL, NULL, logql_ok },
    { "ccmon_queries_total", "{language=\"logql\",outcome=\"failure\"}", NULL, NULL, logql_bad },
    { "ccmon_query_rows_total", "", "counter", "Rows that queries read.", query_rows },
    { "ccmon_query_bytes_total", "", "counter", "Bytes of stored columns that queries read.", query_bytes },
    { "process_cpu_seconds_total", "", "counter", "User and system time.", cpu },
    { "process_resident_memory_bytes", "", "gauge", "Resident memory.", resident },
    { "process_start_time_seconds", "", "gauge", "Start of the process since 1970.", started },
};

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* The second number of /proc/self/statm, in pages; where there is none, the largest it was. */
static double resident_bytes(const struct rusage *use)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct fault f;
    uint64_t pages;
    if (!file_read("/proc/self/statm", 1000, &text, &f)) {
        struct str rest = buf_view(&text);
        (void)str_cut(&rest, ' ');
        if (str_to_u64(str_cut(&rest, ' '), &pages))
            return (double)pages * (double)sysconf(_SC_PAGESIZE);
    }
#ifdef __APPLE__
    return (double)use->ru_maxrss;
#else
    return (double)use->ru_maxrss * 1024;
#endif
}

static void put_histogram(struct buf *b, const char *name, const char *labels, const struct latency *l)
{
    const char *comma = *labels ? "," : "";
    uint64_t n = 0;
    for (uint32_t i = 0; i <= LATENCY_BUCKETS; i++) {
        n += atomic_load(&l->counts[i]);
        buf_fmt(b, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < LATENCY_BUCKETS)
            buf_f64(b, (double)latency_bounds_ns[i] / (double)NS_PER_S);
        else
            buf_str(b, S("+Inf"));
        buf_fmt(b, "\"} %llu\n", (unsigned long long)n);
    }
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    buf_fmt(b, "%s_sum%s%s%s ", name, open, labels, close);
    buf_f64(b, (double)atomic_load(&l->sum_ns) / (double)NS_PER_S);
    buf_fmt(b, "\n%s_count%s%s%s %llu\n", name, open, labels, close, (unsigned long long)n);
}

static void put_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void handle_metrics(struct http_req *r)
{
    struct app *a = r->arg;
    struct rusage use;
    struct reading x = { .app = a };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, METRICS_BYTES_MAX);
    a->api.src->stats(a->api.src, &x.store);
    http_server_stats(a->http, &x.http);
    if (!getrusage(RUSAGE_SELF, &use)) {
        x.cpu_s = seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
        x.resident = resident_bytes(&use);
    }
    put_head(&b, "ccmon_build_info", "gauge", "1, with the version of this program.");
    buf_fmt(&b, "ccmon_build_info{version=\"" STR_FMT "\"} 1\n", STR_ARG(a->api.version));
    for (size_t i = 0; i < LEN(metrics); i++) {
        const struct metric *m = &metrics[i];
        if (m->help)
            put_head(&b, m->name, m->type, m->help);
        buf_fmt(&b, "%s%s ", m->name, m->labels);
        buf_f64(&b, m->value(&x));
        buf_byte(&b, '\n');
    }
    put_head(&b, "ccmon_ack_seconds", "histogram", "From a request of telemetry being there to its acknowledgement.");
    put_histogram(&b, "ccmon_ack_seconds", "", http_server_acks(a->http));
    put_head(&b, "ccmon_query_seconds", "histogram", "Time of queries, with what they waited for a thread.");
    put_histogram(&b, "ccmon_query_seconds", "language=\"promql\"", &a->asked[0].took);
    put_histogram(&b, "ccmon_query_seconds", "language=\"logql\"", &a->asked[1].took);
    http_reply_buf(r, 200, S("text/plain; version=0.0.4; charset=utf-8"), &b);
}

const struct http_route routes_metrics[] = {
    { HTTP_GET, "/metrics", handle_metrics, ROUTE_LOOP, "what this server says of itself, in Prometheus's text form" },
    { 0 },
};
