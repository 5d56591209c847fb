/* scrape/config.c -- the tables of keys, and what Prometheus checks besides.
 *
 * A job is read twice: along its table, then the parts that need code of their own (relabelling
 * rules, URL parameters). What it takes from `global` is filled in at the end, since the
 * sections may stand in any order.
 */
#include "scrape/config.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

enum { CONF_ARENA_BYTES = 64 << 20, CONF_FILE_MAX = 4 << 20 };

#define G(field) offsetof(struct scrape_global, field)
#define J(field) offsetof(struct scrape_job, field)
#define LIMITS(base)                                                                                                       \
    { .name = S("body_size_limit"), .type = FIELD_SIZE, .at = base(limits.body_size) },                                    \
    { .name = S("sample_limit"), .type = FIELD_COUNT, .at = base(limits.samples) },                                        \
    { .name = S("target_limit"), .type = FIELD_COUNT, .at = base(limits.targets) },                                        \
    { .name = S("label_limit"), .type = FIELD_COUNT, .at = base(limits.labels) },                                          \
    { .name = S("label_name_length_limit"), .type = FIELD_COUNT, .at = base(limits.label_name_length) },                   \
    { .name = S("label_value_length_limit"), .type = FIELD_COUNT, .at = base(limits.label_value_length) }
#define IGNORED(key) { .name = S(key), .type = FIELD_IGNORED }

const struct field scrape_global_fields[] = {
    { .name = S("scrape_interval"), .type = FIELD_DURATION, .at = G(interval_ns), .min = SCRAPE_INTERVAL_MIN, .max = SCRAPE_INTERVAL_MAX },
    { .name = S("scrape_timeout"), .type = FIELD_DURATION, .at = G(timeout_ns), .min = SCRAPE_INTERVAL_MIN, .max = SCRAPE_INTERVAL_MAX },
    { .name = S("evaluation_interval"), .type = FIELD_DURATION, .at = G(evaluation_interval_ns), .min = NS_PER_MS,
      .max = SCRAPE_INTERVAL_MAX },
    { .name = S("scrape_protocols"), .type = FIELD_TEXTS, .at = G(protocols), .max = 16 },
    { .name = S("external_labels"), .type = FIELD_PAIRS, .at = G(external_labels), .max = 256 },
    LIMITS(G),
    IGNORED("rule_query_offset"), IGNORED("query_log_file"), IGNORED("scrape_failure_log_file"), IGNORED("keep_dropped_targets"),
    IGNORED("metric_name_validation_scheme"), IGNORED("metric_name_escaping_scheme"), IGNORED("always_scrape_classic_histograms"),
    IGNORED("convert_classic_histograms_to_nhcb"), IGNORED("scrape_native_histograms"), IGNORED("scrape_classic_histograms"),
    IGNORED("extra_scrape_metrics"), IGNORED("native_histogram_bucket_limit"), IGNORED("native_histogram_min_bucket_factor"),
    { .name = { 0 } },
};

static const struct field basic_fields[] = {
    { .name = S("username"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, username) },
    { .name = S("username_file"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, username_file) },
    { .name = S("password"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, password) },
    { .name = S("password_file"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, password_file) },
    { .name = { 0 } },
};

static const struct field authorization_fields[] = {
    { .name = S("type"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, type) },
    { .name = S("credentials"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, credentials) },
    { .name = S("credentials_file"), .type = FIELD_TEXT, .at = offsetof(struct scrape_secret, credentials_file) },
    { .name = { 0 } },
};

static const struct field static_fields[] = {
    { .name = S("targets"), .type = FIELD_TEXTS, .at = offsetof(struct scrape_static, targets), .max = SCRAPE_TARGETS_MAX },
    { .name = S("labels"), .type = FIELD_PAIRS, .at = offsetof(struct scrape_static, labels), .max = LSET_MAX / 2 },
    { .name = { 0 } },
};

static const struct field files_fields[] = {
    { .name = S("files"), .type = FIELD_TEXTS, .at = offsetof(struct scrape_files, files), .max = FILE_SD_FILES_MAX },
    { .name = S("refresh_interval"), .type = FIELD_DURATION, .at = offsetof(struct scrape_files, refresh_ns), .min = NS_PER_MS,
      .max = SCRAPE_INTERVAL_MAX },
    { .name = { 0 } },
};

static const struct scrape_files files_default = { .refresh_ns = 300 * NS_PER_S };

const struct field scrape_job_fields[] = {
    { .name = S("job_name"), .type = FIELD_TEXT, .at = J(name) },
    { .name = S("scrape_interval"), .type = FIELD_DURATION, .at = J(interval_ns), .min = SCRAPE_INTERVAL_MIN, .max = SCRAPE_INTERVAL_MAX },
    { .name = S("scrape_timeout"), .type = FIELD_DURATION, .at = J(timeout_ns), .min = SCRAPE_INTERVAL_MIN, .max = SCRAPE_INTERVAL_MAX },
    { .name = S("scrape_protocols"), .type = FIELD_TEXTS, .at = J(protocols), .max = 16 },
    { .name = S("metrics_path"), .type = FIELD_TEXT, .at = J(metrics_path) },
    { .name = S("scheme"), .type = FIELD_CHOICE, .at = J(https), .choices = "http|https" },
    { .name = S("params"), .type = FIELD_NODE, .at = J(params_node) },
    { .name = S("honor_labels"), .type = FIELD_BOOL, .at = J(honor_labels) },
    { .name = S("honor_timestamps"), .type = FIELD_BOOL, .at = J(honor_timestamps) },
    { .name = S("track_timestamps_staleness"), .type = FIELD_BOOL, .at = J(track_timestamps_staleness) },
    { .name = S("follow_redirects"), .type = FIELD_BOOL, .at = J(follow_redirects) },
    { .name = S("enable_compression"), .type = FIELD_BOOL, .at = J(compression) },
    { .name = S("basic_auth"), .type = FIELD_MAP, .at = J(secret), .sub = basic_fields, .given = J(secret.has_basic) },
    { .name = S("authorization"), .type = FIELD_MAP, .at = J(secret), .sub = authorization_fields, .given = J(secret.has_authorization) },
    { .name = S("bearer_token"), .type = FIELD_TEXT, .at = J(secret.bearer) },
    { .name = S("bearer_token_file"), .type = FIELD_TEXT, .at = J(secret.bearer_file) },
    { .name = S("tls_config"), .type = FIELD_MAP, .at = J(tls_config), .sub = tls_client_fields, .given = J(has_tls) },
    { .name = S("static_configs"), .type = FIELD_LIST, .at = J(statics), .sub = static_fields, .size = sizeof(struct scrape_static) },
    { .name = S("file_sd_configs"), .type = FIELD_LIST, .at = J(files), .sub = files_fields,
      .size = sizeof(struct scrape_files), .init = &files_default },
    { .name = S("relabel_configs"), .type = FIELD_NODE, .at = J(relabel_node) },
    { .name = S("metric_relabel_configs"), .type = FIELD_NODE, .at = J(metric_relabel_node) },
    LIMITS(J),
    IGNORED("fallback_scrape_protocol"), IGNORED("keep_dropped_targets"), IGNORED("scrape_failure_log_file"), IGNORED("enable_http2"),
    IGNORED("http_headers"), IGNORED("oauth2"), IGNORED("proxy_url"), IGNORED("no_proxy"), IGNORED("proxy_from_environment"),
    IGNORED("proxy_connect_header"), IGNORED("metric_name_validation_scheme"), IGNORED("metric_name_escaping_scheme"),
    IGNORED("always_scrape_classic_histograms"), IGNORED("convert_classic_histograms_to_nhcb"), IGNORED("scrape_native_histograms"),
    IGNORED("scrape_classic_histograms"), IGNORED("native_histogram_bucket_limit"), IGNORED("native_histogram_min_bucket_factor"),
    IGNORED("extra_scrape_metrics"), IGNORED("aws_sd_configs"), IGNORED("azure_sd_configs"), IGNORED("consul_sd_configs"),
    IGNORED("digitalocean_sd_configs"), IGNORED("dns_sd_configs"), IGNORED("docker_sd_configs"), IGNORED("dockerswarm_sd_configs"),
    IGNORED("ec2_sd_configs"), IGNORED("eureka_sd_configs"), IGNORED("gce_sd_configs"), IGNORED("hetzner_sd_configs"),
    IGNORED("http_sd_configs"), IGNORED("ionos_sd_configs"), IGNORED("kubernetes_sd_configs"), IGNORED("kuma_sd_configs"),
    IGNORED("lightsail_sd_configs"), IGNORED("linode_sd_configs"), IGNORED("marathon_sd_configs"), IGNORED("nerve_sd_configs"),
    IGNORED("nomad_sd_configs"), IGNORED("openstack_sd_configs"), IGNORED("ovhcloud_sd_configs"), IGNORED("puppetdb_sd_configs"),
    IGNORED("scaleway_sd_configs"), IGNORED("serverset_sd_configs"), IGNORED("stackit_sd_configs"), IGNORED("triton_sd_configs"),
    IGNORED("uyuni_sd_configs"), IGNORED("vultr_sd_configs"),
    { .name = { 0 } },
};

static const struct scrape_job job_default = {
    .metrics_path = { "/metrics", 8 }, .honor_timestamps = true, .follow_redirects = true, .compression = true,
    .secret = { .type = { "Bearer", 6 } },
};

static const struct protocol {
    struct str name, accept;
} protocols[] = {
    { S("OpenMetricsText1.0.0"), S("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8") },
    { S("OpenMetricsText0.0.1"), S("application/openmetrics-text;version=0.0.1") },
    { S("PrometheusText1.0.0"), S("text/plain;version=1.0.0;escaping=allow-utf-8") },
    { S("PrometheusText0.0.4"), S("text/plain;version=0.0.4") },
    { S("PrometheusProto"), S("") },               /* known, never asked for */
};

/* ---- life ------------------------------------------------------------------------------ */

struct scrape_conf *scrape_conf_new(void)
{
    struct scrape_conf *c = mem_alloc(sizeof *c);
    arena_init(&c->mem, CONF_ARENA_BYTES);
    atomic_init(&c->refs, 1);
    c->global = (struct scrape_global){
        .interval_ns = 60 * NS_PER_S, .timeout_ns = 10 * NS_PER_S, .evaluation_interval_ns = 60 * NS_PER_S,
    };
    return c;
}

struct scrape_conf *scrape_conf_ref(struct scrape_conf *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void scrape_conf_unref(struct scrape_conf *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (uint32_t i = 0; i < c->njobs; i++) {
        relabel_done(&c->jobs[i].relabel);
        relabel_done(&c->jobs[i].metric_relabel);
        tls_client_free(c->jobs[i].tls);
    }
    arena_done(&c->mem);
    mem_free(c);
}

/* ---- a job ------------------------------------------------------------------------------ */

static enum err read_params(const struct fields_reader *r, struct scrape_job *j)
{
    const struct yaml *node = j->params_node;
    if (!node || node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_MAP)
        return fields_error(r, node, "params: a map of lists is wanted");
    uint32_t n = 0;
    for (const struct yaml *y = node->child; y; y = y->next)
        n++;
    if (n > LSET_MAX)
        return fields_error(r, node, "params: more than %d of them", LSET_MAX);
    j->params = arena_new(r->mem, struct scrape_param, MAX(n, 1u));
    for (const struct yaml *y = node->child; y; y = y->next) {
        struct scrape_param *p = &j->params[j->nparams++];
        const struct field one[] = {
            { .name = arena_str(r->mem, y->key), .type = FIELD_TEXTS, .at = offsetof(struct scrape_param, values), .max = 1000 },
            { .name = { 0 } },
        };
        struct yaml alone = *y, map = { .kind = YAML_MAP, .line = y->line, .col = y->col, .child = &alone };
        alone.next = NULL;
        p->name = one[0].name;
        enum err e = fields_read(r, &map, S("params"), one, p);
        if (e)
            return e;
    }
    return OK;
}

static enum err check_protocols(const struct fields_reader *r, const struct yaml *y, const struct texts *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        size_t k = 0;
        while (k < LEN(protocols) && !str_eq(protocols[k].name, t->at[i]))
            k++;
        if (k == LEN(protocols))
            return fields_error(r, y, "unknown scrape protocol \"" STR_FMT "\"", STR_ARG(str_sub(t->at[i], 0, 60)));
        for (uint32_t m = 0; m < i; m++)
            if (str_eq(t->at[m], t->at[i]))
                return fields_error(r, y, "duplicated protocol \"" STR_FMT "\" in scrape_protocols", STR_ARG(t->at[i]));
    }
    return OK;
}

static enum err check_static(const struct fields_reader *r, const struct yaml *y, const struct scrape_static *s)
{
    for (uint32_t i = 0; i < s->targets.n; i++)
        if (!s->targets.at[i].n || str_index(s->targets.at[i], '/') != SIZE_MAX)
            return fields_error(r, y, "\"" STR_FMT "\" is not a valid hostname: a target is HOST:PORT; path and scheme have "
                                      "keys of their own", STR_ARG(str_sub(s->targets.at[i], 0, 100)));
    for (uint32_t i = 0; i < s->labels.n; i++)
        if (!s->labels.at[i].name.n || !utf8_valid(s->labels.at[i].name))
            return fields_error(r, y, "\"" STR_FMT "\" is not a valid label name", STR_ARG(str_sub(s->labels.at[i].name, 0, 60)));
    return OK;
}

static enum err check_secret(const struct fields_reader *r, const struct yaml *y, const struct scrape_secret *s)
{
    int ways = s->has_basic + s->has_authorization + (s->bearer.n || s->bearer_file.n);
    if (ways > 1)
        return fields_error(r, y, "at most one of basic_auth, authorization, bearer_token & bearer_token_file must be configured");
    if (s->bearer.n && s->bearer_file.n)
        return fields_error(r, y, "at most one of bearer_token & bearer_token_file must be configured");
    if (s->password.n && s->password_file.n)
        return fields_error(r, y, "at most one of basic_auth password & password_file must be configured");
    if (s->username.n && s->username_file.n)
        return fields_error(r, y, "at most one of basic_auth username & username_file must be configured");
    if (s->credentials.n && s->credentials_file.n)
        return fields_error(r, y, "at most one of authorization credentials & credentials_file must be configured");
    if (s->has_authorization && str_eq_nocase(str_trim(s->type), S("basic")))
        return fields_error(r, y, "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    return OK;
}

/* A path as it is from the directory of the file that names it. */
static struct str resolved(const struct fields_reader *r, struct str path)
{
    size_t slash = r->file.n;
    while (slash && r->file.p[slash - 1] != '/')
        slash--;
    if (!path.n || path.p[0] == '/' || !slash)
        return path;
    return arena_fmt(r->mem, STR_FMT STR_FMT, STR_ARG(str_sub(r->file, 0, slash)), STR_ARG(path));
}

static void resolve_paths(const struct fields_reader *r, struct scrape_job *j)
{
    struct str *paths[] = {
        &j->secret.username_file, &j->secret.password_file, &j->secret.credentials_file, &j->secret.bearer_file,
        &j->tls_config.ca_file, &j->tls_config.cert_file, &j->tls_config.key_file,
    };
    for (size_t i = 0; i < LEN(paths); i++)
        *paths[i] = resolved(r, *paths[i]);
    struct scrape_files *files = j->files.at;
    for (uint32_t i = 0; i < j->files.n; i++)
        for (uint32_t k = 0; k < files[i].files.n; k++)
            files[i].files.at[k] = resolved(r, files[i].files.at[k]);
}

/* Prometheus: the last part of a path may hold wildcards, its end says what it is. */
static enum err check_files(const struct fields_reader *r, const struct yaml *y, const struct scrape_files *s)
{
    if (!s->files.n)
        return fields_error(r, y, "file service discovery config must contain at least one path name");
    for (uint32_t i = 0; i < s->files.n; i++) {
        struct str p = s->files.at[i];
        if (!str_ends(p, S(".json")) && !str_ends(p, S(".yml")) && !str_ends(p, S(".yaml")))
            return fields_error(r, y, "path name \"" STR_FMT "\" is not valid for file discovery: it ends with .json, .yml or .yaml",
                                STR_ARG(str_sub(p, 0, 100)));
    }
    return OK;
}

static enum err check_job(const struct fields_reader *r, const struct yaml *y, const struct scrape_job *j)
{
    if (!j->name.n)
        return fields_error(r, y, "job_name is empty");
    enum err e = check_secret(r, y, &j->secret);
    e = e ? e : check_protocols(r, y, &j->protocols);
    const struct scrape_static *statics = j->statics.at;
    for (uint32_t i = 0; i < j->statics.n && !e; i++)
        e = check_static(r, y, &statics[i]);
    const struct scrape_files *files = j->files.at;
    for (uint32_t i = 0; i < j->files.n && !e; i++)
        e = check_files(r, y, &files[i]);
    if (!e && (!j->metrics_path.n || j->metrics_path.p[0] != '/'))
        e = fields_error(r, y, "metrics_path: \"" STR_FMT "\" does not begin with /", STR_ARG(str_sub(j->metrics_path, 0, 60)));
    return e;
}

static enum err read_job(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *y)
{
    if (c->njobs == SCRAPE_JOBS_MAX)
        return fields_error(r, y, "scrape_configs: more than %d jobs", SCRAPE_JOBS_MAX);
    struct scrape_job *j = arena_push(r->mem, c->jobs, c->njobs, c->cap_jobs);
    *j = job_default;
    j->source = arena_fmt(r->mem, STR_FMT ":%u", STR_ARG(r->file), y->line);
    enum err e = fields_read(r, y, S("scrape_configs"), scrape_job_fields, j);
    e = e ? e : read_params(r, j);
    e = e ? e : relabel_read(r, j->relabel_node, S("relabel_configs"), &j->relabel);
    e = e ? e : relabel_read(r, j->metric_relabel_node, S("metric_relabel_configs"), &j->metric_relabel);
    e = e ? e : check_job(r, y, j);
    if (e)
        return e;
    resolve_paths(r, j);
    j->params_node = j->relabel_node = j->metric_relabel_node = NULL;
    if (arena_over(r->mem))
        return fields_error(r, y, "scrape_configs: too large");
    return OK;
}

/* The reader with the memory of what it reads into. */
static struct fields_reader own_reader(struct scrape_conf *c, const struct fields_reader *r)
{
    struct fields_reader own = *r;
    own.mem = &c->mem;
    own.file = arena_str(&c->mem, r->file);
    return own;
}

enum err scrape_conf_global(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node)
{
    struct fields_reader own = own_reader(c, r);
    enum err e = fields_read(&own, node, S("global"), scrape_global_fields, &c->global);
    e = e ? e : check_protocols(r, node, &c->global.protocols);
    const struct pairs *p = &c->global.external_labels;
    for (uint32_t i = 0; i < p->n && !e; i++)
        if (!p->at[i].name.n || !utf8_valid(p->at[i].name))
            e = fields_error(r, node, "\"" STR_FMT "\" is not a valid label name", STR_ARG(str_sub(p->at[i].name, 0, 60)));
    return e;
}

enum err scrape_conf_jobs(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node)
{
    struct fields_reader own = own_reader(c, r);
    c->given = true;
    if (node->kind == YAML_NULL)
        return OK;
    if (node->kind != YAML_LIST)
        return fields_error(r, node, "scrape_configs: a list of jobs is wanted");
    for (const struct yaml *y = node->child; y; y = y->next) {
        enum err e = read_job(c, &own, y);
        if (e)
            return e;
    }
    return OK;
}

/* ---- scrape_config_files ------------------------------------------------------------------- */

enum err scrape_glob(struct str pattern, struct arena *mem, struct texts *ret, struct fault *f)
{
    glob_t g = { 0 };
    *ret = (struct texts){ 0 };
    int rc = glob(arena_cstr(mem, pattern), 0, NULL, &g);
    if (rc && rc != GLOB_NOMATCH) {
        globfree(&g);
        return fault_set(f, E_IO, 0, "cannot list " STR_FMT, STR_ARG(pattern));
    }
    size_t n = MIN(rc ? 0 : g.gl_pathc, (size_t)FILE_SD_FILES_MAX);
    ret->at = arena_new(mem, struct str, MAX(n, (size_t)1));
    for (size_t i = 0; i < n; i++)
        ret->at[ret->n++] = arena_str(mem, str_c(g.gl_pathv[i]));
    globfree(&g);
    return OK;
}

static enum err read_config_file(struct scrape_conf *c, const struct fields_reader *r, struct str path)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct yaml *root;
    struct fault inner = { 0 };
    if (file_read(arena_cstr(r->mem, path), CONF_FILE_MAX, &text, &inner) ||
        yaml_parse(arena_str(r->mem, buf_view(&text)), r->mem, &root, &inner))
        return fault_set(r->f, E_SYNTAX, 0, STR_FMT ": %s", STR_ARG(path), inner.msg);
    struct fields_reader own = *r;
    own.file = path;
    if (!root || root->kind == YAML_NULL)
        return OK;
    const struct yaml *jobs = NULL;
    struct { const struct yaml *jobs; } holds = { NULL };
    const struct field fields[] = {
        { .name = S("scrape_configs"), .type = FIELD_NODE, .at = 0 },
        { .name = { 0 } },
    };
    enum err e = fields_read(&own, root, S(""), fields, &holds);
    jobs = holds.jobs;
    return e || !jobs ? e : scrape_conf_jobs(c, &own, jobs);
}

enum err scrape_conf_files(struct scrape_conf *c, const struct fields_reader *r, const struct yaml *node)
{
    struct fields_reader own = own_reader(c, r);
    struct { struct texts patterns; } holds = { 0 };
    const struct field fields[] = {
        { .name = S("scrape_config_files"), .type = FIELD_TEXTS, .at = 0, .max = FILE_SD_FILES_MAX },
        { .name = { 0 } },
    };
    struct yaml alone = *node, map = { .kind = YAML_MAP, .child = &alone };
    alone.key = S("scrape_config_files");
    alone.next = NULL;
    c->given = true;
    enum err e = fields_read(&own, &map, S(""), fields, &holds);
    for (uint32_t i = 0; i < holds.patterns.n && !e; i++) {
        struct texts files;
        struct fault inner = { 0 };
        if (scrape_glob(resolved(&own, holds.patterns.at[i]), &c->mem, &files, &inner))
            return fields_error(r, node, "%s", inner.msg);
        for (uint32_t k = 0; k < files.n && !e; k++)
            e = read_config_file(c, &own, files.at[k]);
    }
    return e;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static struct str accept_header(struct scrape_conf *c, const struct texts *asked)
{
    struct buf b;
    unsigned weight = LEN(protocols) + 1;
    buf_init(&b, 4096);
    for (size_t i = 0; i < (asked->n ? asked->n : LEN(protocols)); i++) {
        size_t k = i;
        for (size_t p = 0; asked->n && p < LEN(protocols); p++)
            if (str_eq(protocols[p].name, asked->at[i]))
                k = p;
        if (protocols[k].accept.n)
            buf_fmt(&b, STR_FMT ";q=0.%u,", STR_ARG(protocols[k].accept), weight--);
    }
    buf_fmt(&b, "*/*;q=0.%u", weight);
    struct str s = arena_str(&c->mem, buf_view(&b));
    buf_done(&b);
    return s;
}

static void inherit(uint64_t *job, uint64_t global)
{
    if (!*job)
        *job = global;
}

static enum err finish_job(struct scrape_conf *c, struct scrape_job *j, struct fault *f)
{
    const struct scrape_global *g = &c->global;
    if (!j->interval_ns)
        j->interval_ns = g->interval_ns;
    if (j->timeout_ns > j->interval_ns)
        return fault_set(f, E_SYNTAX, 0,
                         STR_FMT ": scrape timeout greater than scrape interval for scrape config with job name \"" STR_FMT "\"",
                         STR_ARG(j->source), STR_ARG(str_sub(j->name, 0, 60)));
    if (!j->timeout_ns)
        j->timeout_ns = MIN(g->timeout_ns, j->interval_ns);
    inherit(&j->limits.body_size, g->limits.body_size);
    inherit(&j->limits.samples, g->limits.samples);
    inherit(&j->limits.targets, g->limits.targets);
    inherit(&j->limits.labels, g->limits.labels);
    inherit(&j->limits.label_name_length, g->limits.label_name_length);
    inherit(&j->limits.label_value_length, g->limits.label_value_length);
    j->accept = accept_header(c, j->protocols.n ? &j->protocols : &g->protocols);
    struct fault inner = { 0 };
    if (j->has_tls && !j->tls && tls_client_new(&j->tls_config, &j->tls, &inner))
        return fault_set(f, E_SYNTAX, 0, STR_FMT ": tls_config: %s", STR_ARG(j->source), inner.msg);
    return OK;
}

enum err scrape_conf_finish(struct scrape_conf *c, struct fault *f)
{
    if (c->global.timeout_ns > c->global.interval_ns)
        c->global.timeout_ns = c->global.interval_ns;
    for (uint32_t i = 0; i < c->njobs; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(c->jobs[k].name, c->jobs[i].name))
                return fault_set(f, E_SYNTAX, 0, STR_FMT ": found multiple scrape configs with job name \"" STR_FMT "\"",
                                 STR_ARG(c->jobs[i].source), STR_ARG(str_sub(c->jobs[i].name, 0, 60)));
        enum err e = finish_job(c, &c->jobs[i], f);
        if (e)
            return e;
    }
    return OK;
}

void scrape_conf_default_job(struct scrape_conf *c, const char *name, uint16_t first, uint16_t last)
{
    CHECK(first <= last);
    struct scrape_job *j = arena_push(&c->mem, c->jobs, c->njobs, c->cap_jobs);
    *j = job_default;
    j->name = str_c(name);
    j->source = S("default");
    j->interval_ns = DEFAULT_INTERVAL;
    struct scrape_static *s = arena_new(&c->mem, struct scrape_static, 1);
    uint32_t n = (uint32_t)(last - first) + 1;
    s->targets.at = arena_new(&c->mem, struct str, n);
    for (uint32_t i = 0; i < n; i++)
        s->targets.at[s->targets.n++] = arena_fmt(&c->mem, "localhost:%u", first + i);
    j->statics = (struct list){ s, 1 };
    j->is_default = true;
    j->first = s->targets.at[0];
}
