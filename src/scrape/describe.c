/* scrape/describe.c -- the documentation's tables of what may stand in `global`, in
 * `scrape_configs` and in a relabelling rule. A key without a row here is a broken invariant, so
 * that a new one cannot be forgotten; a unit test runs it.
 */
#include "scrape/config.h"

struct doc {
    struct str name, init, text;
};

static const struct doc docs[] = {
    { S("scrape_interval"), S("1m (job: `global`'s)"), S("How often. At least 10ms.") },
    { S("scrape_timeout"), S("10s (job: `global`'s, at most the interval)"),
      S("When an attempt is given up. Not longer than the interval.") },
    { S("evaluation_interval"), S("1m"), S("How often rules are evaluated.") },
    { S("external_labels"), S(""), S("Labels for what leaves ccmon.") },
    { S("scrape_protocols"), S("OpenMetrics 1.0.0, 0.0.1, text 1.0.0, 0.0.4"),
      S("Formats that are asked for, in order of preference: `OpenMetricsText1.0.0`, `OpenMetricsText0.0.1`, "
        "`PrometheusText1.0.0`, `PrometheusText0.0.4`. `PrometheusProto` is known and never asked for.") },
    { S("body_size_limit"), S("0 (64 MiB)"), S("Bytes of an exposition, inflated. Past it the scrape fails.") },
    { S("sample_limit"), S("0 (none)"), S("Samples after relabelling. Past it the scrape fails.") },
    { S("target_limit"), S("0 (none)"), S("Targets of a job. Past it all of them fail.") },
    { S("label_limit"), S("0 (none)"), S("Labels of a sample. Past it the scrape fails; so for the next two.") },
    { S("label_name_length_limit"), S("0 (none)"), S("Bytes of a label's name.") },
    { S("label_value_length_limit"), S("0 (none)"), S("Bytes of a label's value.") },
    { S("job_name"), S(""), S("Needed, and each once. The label `job` unless a target has one.") },
    { S("metrics_path"), S("/metrics"), S("Path of the exposition.") },
    { S("scheme"), S("http"), S("`http` or `https`.") },
    { S("params"), S(""), S("URL parameters, a list of values each.") },
    { S("honor_labels"), S("false"),
      S("A label that both target and sample have: the sample's stays (`true`), or it becomes `exported_NAME`.") },
    { S("honor_timestamps"), S("true"), S("A sample's own time counts.") },
    { S("track_timestamps_staleness"), S("false"), S("Series with times of their own become stale as others do.") },
    { S("follow_redirects"), S("true"), S("Redirects are followed, at most 10, never from https to http.") },
    { S("enable_compression"), S("true"), S("gzip is asked for.") },
    { S("basic_auth"), S(""),
      S("`username` or `username_file`, `password` or `password_file`. Files are read at every scrape.") },
    { S("authorization"), S(""), S("`type` (Bearer), `credentials` or `credentials_file`.") },
    { S("bearer_token"), S(""), S("Older spelling of `authorization`.") },
    { S("bearer_token_file"), S(""), S("The same from a file.") },
    { S("tls_config"), S(""),
      S("`ca`, `cert`, `key` or `ca_file`, `cert_file`, `key_file`; `server_name`, `insecure_skip_verify`, `min_version`, "
        "`max_version`.") },
    { S("static_configs"), S(""), S("List of `targets` (HOST:PORT) with `labels`.") },
    { S("file_sd_configs"), S(""),
      S("`files`: YAML or JSON lists of such groups, `*` allowed in the last part of a path. Looked at every 5 s, "
        "whatever `refresh_interval` says.") },
    { S("relabel_configs"), S(""), S("Rules for targets before they are scraped.") },
    { S("metric_relabel_configs"), S(""), S("Rules for samples before they are stored.") },
    { S("source_labels"), S(""), S("Labels whose values are joined.") },
    { S("separator"), S(";"), S("What they are joined with.") },
    { S("target_label"), S(""),
      S("Label that `replace`, `hashmod`, `lowercase`, `uppercase` write and `keepequal`, `dropequal` compare.") },
    { S("regex"), S("(.*)"),
      S("Must match the whole of the joined values (`labelmap`, `labeldrop`, `labelkeep`: of a label's name).") },
    { S("modulus"), S(""), S("For `hashmod`: of the MD5 sum, as in Prometheus.") },
    { S("replacement"), S("$1"), S("What is written, with `$1` or `${name}` for groups.") },
    { S("action"), S("replace"),
      S("`replace` `keep` `drop` `keepequal` `dropequal` `hashmod` `labelmap` `labeldrop` `labelkeep` `lowercase` "
        "`uppercase`.") },
};

static const struct doc *doc_of(struct str name)
{
    for (size_t i = 0; i < LEN(docs); i++)
        if (str_eq(docs[i].name, name))
            return &docs[i];
    CHECK(!"every key has its documentation");
    return NULL;
}

static void table(struct buf *out, const char *title, const struct field *fields)
{
    bool any = false;
    buf_fmt(out, "| %s | default | what it does |\n| --- | --- | --- |\n", title);
    for (const struct field *k = fields; k->name.n; k++) {
        any |= k->type == FIELD_IGNORED;
        if (k->type == FIELD_IGNORED)
            continue;
        const struct doc *d = doc_of(k->name);
        buf_fmt(out, "| `" STR_FMT "` | " STR_FMT " | " STR_FMT " |\n", STR_ARG(k->name), STR_ARG(d->init), STR_ARG(d->text));
    }
    if (any) {
        buf_str(out, S("\nKnown, and said by name not to be acted on:"));
        bool first = true;
        for (const struct field *k = fields; k->name.n; k++)
            if (k->type == FIELD_IGNORED) {
                buf_fmt(out, "%s `" STR_FMT "`", first ? "" : ",", STR_ARG(k->name));
                first = false;
            }
        buf_str(out, S(".\n"));
    }
    buf_str(out, S("\n"));
}

void scrape_describe(struct buf *out)
{
    table(out, "`global`", scrape_global_fields);
    table(out, "`scrape_configs`", scrape_job_fields);
    table(out, "a relabelling rule", relabel_fields);
}
