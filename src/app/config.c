/* app/config.c -- the table of keys and what reads it.
 *
 * A key is "section.name" or just "name"; a section is a map in the YAML file. The
 * reader walks the tree and looks each path up in the table, so an unknown key, a
 * wrong kind of node or a value out of its range is refused with its line, in one
 * place. Prometheus's own top-level names are known here too: a prometheus.yml can
 * be given as it is, and what ccmon does not act on is said by name.
 */
#include "app/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/num.h"
#include "base/yaml.h"

const struct str port_names[PORT_COUNT] = {
    S("otlp-http"), S("otlp-grpc"), S("prometheus"), S("loki"), S("web"),
};

enum key_type { KEY_TEXT, KEY_PORT, KEY_AGE, KEY_BOOL, KEY_COUNT, KEY_CHOICE, KEY_HOSTS, KEY_SIZE };

struct key {
    struct str name;
    enum key_type type;
    size_t at;                                     /* offsetof struct config */
    const char *def;                               /* text of the default */
    int64_t min, max;                              /* counts; ages in seconds */
    const char *choices;                           /* "a|b": index is the value */
    bool live;                                     /* a reload changes it at once */
    const char *doc;
};

#define AT(field) offsetof(struct config, field)
#define PORT(i)   (offsetof(struct config, ports) + (i) * sizeof(uint64_t))

enum { AGE_MAX_S = 100 * 366 * 86400L };

/* Seconds as a person writes them. */
#define AGE_FMT    "%lld%s"
#define AGE_ARG(s) (long long)((s) % 86400 == 0 ? (s) / 86400 : (s) % 3600 == 0 ? (s) / 3600 : (s)), \
                   (s) % 86400 == 0 ? "d" : (s) % 3600 == 0 ? "h" : "s"

static const struct key keys[] = {
    { S("data"), KEY_TEXT, AT(data), "", 0, 0, NULL, false,
      "Directory of everything ccmon keeps; a relative one goes by the current directory. Default: "
      "`$XDG_DATA_HOME/ccmon`, else `~/.local/share/ccmon`." },
    { S("bind"), KEY_TEXT, AT(bind), "127.0.0.1", 0, 0, NULL, false,
      "Address that every listener binds, unless `listeners.NAME.bind` says otherwise. Anything but loopback also needs tokens, "
      "users, client certificates or `open: true`." },
    { S("open"), KEY_BOOL, AT(open), "false", 0, 0, NULL, false,
      "Says that whoever reaches a listener without access control may read and write everything. Every page shows it." },
    { S("allow_hosts"), KEY_HOSTS, AT(allow_hosts), "", 0, 0, NULL, false,
      "Host names, besides localhost and the bound address, under which ccmon may be called (a container's service "
      "name). Also `CCMON_ALLOW_HOSTS`, comma-separated." },
    { S("ports.otlp-http"), KEY_PORT, PORT(PORT_OTLP_HTTP), "4318", 0, 65535, NULL, false,
      "OTLP over HTTP. For all ports: 0 takes any free one; a port that is set must be had, a default one that is "
      "taken is reported and the rest starts." },
    { S("ports.otlp-grpc"), KEY_PORT, PORT(PORT_OTLP_GRPC), "4317", 0, 65535, NULL, false,
      "OTLP over gRPC; over HTTP too." },
    { S("ports.prometheus"), KEY_PORT, PORT(PORT_PROMETHEUS), "9090", 0, 65535, NULL, false, "Prometheus's HTTP API." },
    { S("ports.loki"), KEY_PORT, PORT(PORT_LOKI), "3100", 0, 65535, NULL, false, "Loki's HTTP API." },
    { S("ports.web"), KEY_PORT, PORT(PORT_WEB), "3001", 0, 65535, NULL, false, "The pages, and every API above." },
    { S("retention"), KEY_AGE, AT(retention_ns), "400d", 3600, AGE_MAX_S, "forever", true,
      "How long rows are kept, by their own time, or `forever`. Either one age, or a section with the keys below." },
    { S("retention.age"), KEY_AGE, AT(retention_ns), "400d", 3600, AGE_MAX_S, "forever", true,
      "The same, in the section: for every signal that has no age of its own." },
    { S("retention.metrics"), KEY_AGE, AT(keep_ns[TABLE_SAMPLE]), "", 3600, AGE_MAX_S, "forever", true,
      "Age of samples, if it is another one." },
    { S("retention.events"), KEY_AGE, AT(keep_ns[TABLE_LOG]), "", 3600, AGE_MAX_S, "forever", true,
      "Age of events and log lines, if it is another one." },
    { S("retention.traces"), KEY_AGE, AT(keep_ns[TABLE_SPAN]), "", 3600, AGE_MAX_S, "forever", true,
      "Age of spans, if it is another one." },
    { S("retention.content"), KEY_AGE, AT(keep_content_ns), "", 3600, AGE_MAX_S, "forever", true,
      "Age of prompts, answers, bodies and tool data, if it is a shorter one; events and spans stay without them." },
    { S("retention.size"), KEY_SIZE, AT(keep_bytes), "", 0, 0, NULL, true,
      "Bytes of all partitions, `20GB`; beyond it the oldest go, whatever their age, but never the newest. Default: any." },
    { S("log.level"), KEY_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warn|error", true,
      "What is written to standard error." },
    { S("promql.extrapolate"), KEY_CHOICE, AT(extrapolate), "accounted", 0, 0, "accounted|always", false,
      "`accounted`: `increase` and `rate` are exact on accounted series. `always`: extrapolated as in Prometheus." },
    { S("loki.detected_level"), KEY_BOOL, AT(loki_detected_level), "true", 0, 0, NULL, false,
      "Whether every line has a label `detected_level`, found in the record. `false`: labels are those that were sent." },
    { S("promql.lookback"), KEY_AGE, AT(lookback_ns), "5m", 1, 86400, NULL, false,
      "How long a sample stands for its series." },
    { S("query.timeout"), KEY_AGE, AT(query_timeout_ns), "2m", 1, 3600, NULL, false, "Longest time for one query." },
    { S("query.max_series"), KEY_COUNT, AT(query_series_max), "1000000", 1, 100000000, NULL, false,
      "Most series that one query may touch." },
    { S("query.max_samples"), KEY_COUNT, AT(query_samples_max), "50000000", 1, INT64_C(10000000000), NULL, false,
      "Most samples that one query may hold at once." },
    { S("query.max_rows"), KEY_COUNT, AT(query_rows_max), "200000000", 1, INT64_C(100000000000), NULL, false,
      "Most rows that one query may read." },
    { S("query.max_bytes"), KEY_COUNT, AT(query_bytes_max), "68719476736", 1, INT64_C(1) << 50, NULL, false,
      "Most bytes of stored columns that one query may read." },
    { S("query.max_memory"), KEY_COUNT, AT(query_memory_mb), "512", 16, 65536, NULL, false,
      "MB that one query may have for its series and results." },
    { S("query.max_queued"), KEY_COUNT, AT(query_queued_max), "1024", 1, 100000, NULL, false,
      "Most queries that wait for one of `threads.query`; more are refused (503, in Loki's API 429). The time in the queue is part "
      "of a query's time." },
    { S("query.slow"), KEY_AGE, AT(query_slow_ns), "10s", 0, 3600, "never", false,
      "A query that took longer is written to the log with its text and what it read." },
    { S("query.cache"), KEY_COUNT, AT(query_cache_mb), "64", 1, 65536, NULL, false,
      "MB of decoded columns kept between queries; given back after a minute without any." },
    { S("scrape.default"), KEY_BOOL, AT(scrape_default), "true", 0, 0, NULL, true,
      "Without `scrape_configs`, Claude Code's own exporter is scraped: `localhost:9464` every 5 s, and ports 9465 to 9480, looked at "
      "every 30 s. Also `CCMON_SCRAPE_DEFAULT`." },
    { S("threads.io"), KEY_COUNT, AT(io_threads), "2", 1, 64, NULL, false, "Threads that own the connections." },
    { S("threads.query"), KEY_COUNT, AT(query_threads), "0", 0, 256, NULL, false,
      "Threads that answer queries; 0 is one a core, at least 2." },
};

/* Top-level names of Prometheus's own file. */
static const struct str prometheus_keys[] = {
    S("rule_files"), S("alerting"), S("remote_write"),
    S("remote_read"), S("storage"), S("tracing"), S("runtime"), S("otlp"),
};

/* ---- one key --------------------------------------------------------------- */

static const struct key *key_find(struct str name)
{
    for (size_t i = 0; i < LEN(keys); i++)
        if (str_eq(keys[i].name, name))
            return &keys[i];
    return NULL;
}

static bool choice_index(const char *choices, struct str text, uint64_t *ret)
{
    struct str rest = str_c(choices);
    for (uint64_t i = 0; rest.p; i++)
        if (str_eq(str_cut(&rest, '|'), text)) {
            *ret = i;
            return true;
        }
    return false;
}

static enum err set_age(const struct key *k, int64_t *at, struct str text, struct fault *f)
{
    int64_t ns;
    if (!text.n && !*k->def) {
        *at = AGE_AS_ALL;
        return OK;
    }
    if (k->choices && str_eq(text, str_c(k->choices))) {
        *at = 0;
        return OK;
    }
    if (!num_duration(text, &ns))
        return fault_set(f, E_SYNTAX, 0, STR_FMT ": \"" STR_FMT "\" is no duration such as 30d, 12h or 5m%s%s",
                         STR_ARG(k->name), STR_ARG(text), k->choices ? ", nor " : "", k->choices ? k->choices : "");
    if (ns / NS_PER_S < k->min || ns / NS_PER_S > k->max)
        return fault_set(f, E_SYNTAX, 0, STR_FMT ": " STR_FMT " is out of range, " AGE_FMT " to " AGE_FMT, STR_ARG(k->name),
                         STR_ARG(text), AGE_ARG(k->min), AGE_ARG(k->max));
    *at = ns;
    return OK;
}

static enum err set_count(const struct key *k, uint64_t *at, struct str text, struct fault *f)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n < (uint64_t)k->min || n > (uint64_t)k->max)
        return fault_set(f, E_SYNTAX, 0, STR_FMT ": \"" STR_FMT "\" is no number from %lld to %lld", STR_ARG(k->name),
                         STR_ARG(text), (long long)k->min, (long long)k->max);
    *at = n;
    return OK;
}

static enum err set_size(const struct key *k, uint64_t *at, struct str text, struct fault *f)
{
    uint64_t n = 0;
    if ((text.n || *k->def) && !fields_size(text, &n))
        return fault_set(f, E_SYNTAX, 0, STR_FMT ": \"" STR_FMT "\" is no size such as 20GB or 500MB", STR_ARG(k->name), STR_ARG(text));
    *at = n;
    return OK;
}

static enum err hosts_add(struct config *c, struct str host, struct fault *f)
{
    if (!host.n)
        return OK;
    if (c->allow_hosts.n == CONFIG_HOSTS_MAX)
        return fault_set(f, E_LIMIT, 0, "allow_hosts: more than %d names", CONFIG_HOSTS_MAX);
    c->allow_hosts.at[c->allow_hosts.n++] = arena_str(&c->mem, host);
    return OK;
}

static enum err set_hosts(struct config *c, struct str text, struct fault *f)
{
    c->allow_hosts.n = 0;
    while (text.p) {
        enum err e = hosts_add(c, str_trim(str_cut(&text, ',')), f);
        if (e)
            return e;
    }
    return OK;
}

static enum err key_set(struct config *c, const struct key *k, struct str text, struct fault *f)
{
    void *at = (char *)c + k->at;
    switch (k->type) {
    case KEY_TEXT:
        *(struct str *)at = arena_str(&c->mem, text);
        return OK;
    case KEY_AGE:
        return set_age(k, at, text, f);
    case KEY_PORT:
    case KEY_COUNT:
        return set_count(k, at, text, f);
    case KEY_BOOL:
        if (!str_eq(text, S("true")) && !str_eq(text, S("false")))
            return fault_set(f, E_SYNTAX, 0, STR_FMT ": \"" STR_FMT "\" is neither true nor false", STR_ARG(k->name),
                             STR_ARG(text));
        *(bool *)at = text.n == 4;
        return OK;
    case KEY_CHOICE:
        if (!choice_index(k->choices, text, at))
            return fault_set(f, E_SYNTAX, 0, STR_FMT ": \"" STR_FMT "\" is none of %s", STR_ARG(k->name), STR_ARG(text),
                             k->choices);
        return OK;
    case KEY_HOSTS:
        return set_hosts(c, text, f);
    case KEY_SIZE:
        return set_size(k, at, text, f);
    }
    return OK;
}

static void mark_asked(struct config *c, const struct key *k)
{
    if (k->type == KEY_PORT)
        c->port_asked[(k->at - AT(ports)) / sizeof(uint64_t)] = true;
}

enum err config_set(struct config *c, struct str name, struct str text, struct fault *f)
{
    const struct key *k = key_find(name);
    if (!k)
        return fault_set(f, E_NOTFOUND, 0, "there is no key \"" STR_FMT "\"", STR_ARG(name));
    enum err e = key_set(c, k, text, f);
    if (!e)
        mark_asked(c, k);
    return e;
}

/* ---- defaults and environment ---------------------------------------------- */

static struct str default_data(struct arena *mem)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (xdg && *xdg)
        return arena_fmt(mem, "%s/ccmon", xdg);
    if (home && *home)
        return arena_fmt(mem, "%s/.local/share/ccmon", home);
    return S("ccmon-data");
}

void config_init(struct config *c)
{
    *c = (struct config){ 0 };
    arena_init(&c->mem, 1 << 20);
    for (size_t i = 0; i < LEN(keys); i++) {
        struct fault f;
        CHECK(!key_set(c, &keys[i], str_c(keys[i].def), &f));
    }
    c->data = default_data(&c->mem);
    c->scrape = scrape_conf_new();
    access_config_init(&c->access);
}

void config_done(struct config *c)
{
    scrape_conf_unref(c->scrape);
    c->scrape = NULL;
    arena_done(&c->mem);
}

enum err config_env(struct config *c, struct fault *f)
{
    static const struct {
        const char *variable;
        struct str key;
    } variables[] = {
        { "CCMON_ALLOW_HOSTS", S("allow_hosts") },
        { "CCMON_DATA", S("data") },
        { "CCMON_SCRAPE_DEFAULT", S("scrape.default") },
    };
    for (size_t i = 0; i < LEN(variables); i++) {
        const char *text = getenv(variables[i].variable);
        if (!text || !*text)
            continue;
        enum err e = config_set(c, variables[i].key, str_c(text), f);
        if (e)
            return e;
    }
    return OK;
}

/* ---- the file -------------------------------------------------------------- */

struct reader {
    struct config *c;
    struct fields_reader fields;                   /* for sections, which have tables of their own */
    struct str file;
    bool prometheus;
    void (*warn)(const char *text);
    struct fault *f;
};

static enum err at_node(struct reader *r, uint32_t line, uint32_t col, struct str what)
{
    struct fault inner = *r->f;
    return fault_set(r->f, E_SYNTAX, 0, STR_FMT ":%u:%u: " STR_FMT "%s", STR_ARG(r->file), line, col, STR_ARG(what),
                     what.n ? "" : inner.msg);
}

static enum err read_hosts(struct reader *r, const struct yaml *node)
{
    r->c->allow_hosts.n = 0;
    for (const struct yaml *y = node->child; y; y = y->next) {
        if (y->kind != YAML_SCALAR)
            return at_node(r, y->line, y->col, S("allow_hosts: a list of names is wanted"));
        if (hosts_add(r->c, y->text, r->f))
            return at_node(r, y->line, y->col, S(""));
    }
    return OK;
}

static enum err read_key(struct reader *r, const struct key *k, const struct yaml *node)
{
    if (k->type == KEY_HOSTS && node->kind == YAML_LIST)
        return read_hosts(r, node);
    if (node->kind != YAML_SCALAR) {
        fault_set(r->f, E_SYNTAX, 0, STR_FMT ": a single value is wanted", STR_ARG(k->name));
        return at_node(r, node->line, node->col, S(""));
    }
    if (key_set(r->c, k, node->text, r->f))
        return at_node(r, node->line, node->col, S(""));
    mark_asked(r->c, k);
    return OK;
}

static bool is_section(struct str name)
{
    for (size_t i = 0; i < LEN(keys); i++)
        if (str_starts(keys[i].name, name) && keys[i].name.n > name.n && keys[i].name.p[name.n] == '.')
            return true;
    return false;
}

static bool is_prometheus_key(struct str name)
{
    for (size_t i = 0; i < LEN(prometheus_keys); i++)
        if (str_eq(prometheus_keys[i], name))
            return true;
    return false;
}

static void warn_field(void *arg, const char *text)
{
    const struct reader *r = arg;
    r->warn(text);
}

static enum err read_global(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    return scrape_conf_global(c->scrape, r, node);
}

static enum err read_scrape_configs(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    return scrape_conf_jobs(c->scrape, r, node);
}

static enum err read_scrape_config_files(struct config *c, const struct fields_reader *r, const struct yaml *node)
{
    return scrape_conf_files(c->scrape, r, node);
}

/* Sections that are more than single values; each has a table of its own in the room that acts on
 * it. `prometheus`: also a top-level name of Prometheus's own file. */
static const struct section {
    struct str name;
    bool prometheus;
    enum err (*read)(struct config *c, const struct fields_reader *r, const struct yaml *node);
} sections[] = {
    { S("web"), false, access_read_web },
    { S("listeners"), false, access_read_listeners },
    { S("privacy"), false, config_read_privacy },
    { S("global"), true, read_global },
    { S("scrape_configs"), true, read_scrape_configs },
    { S("scrape_config_files"), true, read_scrape_config_files },
    { .name = { 0 } },
};

static const struct section *section_find(const struct reader *r, struct str name)
{
    for (const struct section *s = sections; s->name.n; s++)
        if (str_eq(s->name, name) && (s->prometheus || !r->prometheus))
            return s;
    return NULL;
}

static enum err unknown_key(struct reader *r, const struct yaml *node, struct str path)
{
    fault_set(r->f, E_SYNTAX, 0, "unknown key \"" STR_FMT "\"; `ccmon describe keys` lists them", STR_ARG(path));
    return at_node(r, node->key_line, node->key_col, S(""));
}

static enum err read_map(struct reader *r, const struct yaml *map, struct str section)
{
    for (const struct yaml *y = map->child; y; y = y->next) {
        struct str path = section.n ? arena_fmt(&r->c->mem, STR_FMT "." STR_FMT, STR_ARG(section), STR_ARG(y->key)) : y->key;
        const struct key *k = r->prometheus ? NULL : key_find(path);
        const struct section *own = section.n ? NULL : section_find(r, y->key);
        enum err e = OK;
        if (k && !section.n && y->kind == YAML_MAP && is_section(y->key)) {
            e = read_map(r, y, y->key);            /* one value, or a section of the same name */
        } else if (k) {
            e = read_key(r, k, y);
        } else if (own) {
            e = own->read(r->c, &r->fields, y);
        } else if (!section.n && is_prometheus_key(y->key)) {
            struct str s = arena_fmt(&r->c->mem,
                                     STR_FMT ":%u: \"" STR_FMT "\" is Prometheus's own; this version of ccmon does not act on it",
                                     STR_ARG(r->file), y->key_line, STR_ARG(y->key));
            r->warn(arena_cstr(&r->c->mem, s));
        } else if (!section.n && !r->prometheus && is_section(y->key) && (y->kind == YAML_MAP || y->kind == YAML_NULL)) {
            e = read_map(r, y, y->key);
        } else if (!section.n && !r->prometheus && is_section(y->key)) {
            fault_set(r->f, E_SYNTAX, 0, STR_FMT ": a map of keys is wanted", STR_ARG(y->key));
            e = at_node(r, y->line, y->col, S(""));
        } else {
            e = unknown_key(r, y, path);
        }
        if (e)
            return e;
    }
    return OK;
}

enum err config_read(struct config *c, struct str name, struct str text, bool prometheus,
                     void (*warn)(const char *text), struct fault *f)
{
    struct reader r = { .c = c, .file = name, .prometheus = prometheus, .warn = warn, .f = f };
    r.fields = (struct fields_reader){ .file = name, .mem = &c->mem, .warn = warn_field, .warn_arg = &r, .f = f };
    struct yaml *root;
    if (yaml_parse(text, &c->mem, &root, f)) {
        struct fault inner = *f;
        return fault_set(f, E_SYNTAX, inner.at, STR_FMT ": %s", STR_ARG(name), inner.msg);
    }
    if (!root || root->kind == YAML_NULL)
        return OK;
    if (root->kind != YAML_MAP)
        return at_node(&r, root->line, root->col, S("a map of keys is wanted"));
    return read_map(&r, root, S(""));
}

enum err config_read_file(struct config *c, const char *path, bool prometheus, void (*warn)(const char *text),
                          struct fault *f)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    enum err e = file_read(path, CONFIG_FILE_MAX, &text, f);
    if (e)
        return e;
    return config_read(c, str_c(path), arena_str(&c->mem, buf_view(&text)), prometheus, warn, f);
}

/* ---- retention ------------------------------------------------------------ */

struct retention config_retention(const struct config *c)
{
    struct retention r = { .bytes = c->keep_bytes };
    for (int t = 0; t < TABLE_COUNT; t++)
        r.age_ns[t] = c->keep_ns[t] == AGE_AS_ALL ? c->retention_ns : c->keep_ns[t];
    r.content_ns = c->keep_content_ns == AGE_AS_ALL ? 0 : c->keep_content_ns;
    return r;
}

int64_t config_longest_ns(const struct config *c)
{
    struct retention r = config_retention(c);
    int64_t age = 0;
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!r.age_ns[t])
            return 0;
        age = MAX(age, r.age_ns[t]);
    }
    return age;
}

/* ---- the whole ------------------------------------------------------------- */

bool addr_is_loopback(struct str addr)
{
    return str_starts(addr, S("127.")) || str_eq(addr, S("::1")) || str_eq(addr, S("localhost"));
}

enum err config_check(const struct config *c, struct fault *f)
{
    for (size_t a = 0; a < PORT_COUNT; a++)
        for (size_t b = 0; b < a; b++)
            if (c->ports[a] && c->ports[a] == c->ports[b] &&
                str_eq(access_part(c, (uint32_t)a).bind, access_part(c, (uint32_t)b).bind))
                return fault_set(f, E_SYNTAX, 0, "ports." STR_FMT ": %llu is also ports." STR_FMT, STR_ARG(port_names[a]),
                                 (unsigned long long)c->ports[a], STR_ARG(port_names[b]));
    enum err e = access_config_check(c, f);
    if (e)
        return e;
    if (!c->data.n)
        return fault_set(f, E_SYNTAX, 0, "data: the directory's name is empty");
    return scrape_conf_finish(c->scrape, f);
}

static bool key_differs(const struct key *k, const struct config *a, const struct config *b)
{
    const char *x = (const char *)a + k->at, *y = (const char *)b + k->at;
    switch (k->type) {
    case KEY_TEXT:
        return !str_eq(*(const struct str *)(const void *)x, *(const struct str *)(const void *)y);
    case KEY_BOOL:
        return *x != *y;
    case KEY_HOSTS:
        if (a->allow_hosts.n != b->allow_hosts.n)
            return true;
        for (uint32_t i = 0; i < a->allow_hosts.n; i++)
            if (!str_eq(a->allow_hosts.at[i], b->allow_hosts.at[i]))
                return true;
        return false;
    case KEY_PORT:
    case KEY_AGE:
    case KEY_COUNT:
    case KEY_CHOICE:
    case KEY_SIZE:
        break;
    }
    return memcmp(x, y, sizeof(uint64_t)) != 0;
}

void config_diff(const struct config *old, const struct config *new, struct buf *ret)
{
    for (size_t i = 0; i < LEN(keys); i++) {
        if (keys[i].live || !key_differs(&keys[i], old, new))
            continue;
        buf_str(ret, ret->n ? S(", ") : S(""));
        buf_str(ret, keys[i].name);
    }
    access_config_diff(old, new, ret);
}

static void describe_choices(const char *choices, struct buf *out)
{
    for (struct str rest = str_c(choices); rest.p;) {
        struct str one = str_cut(&rest, '|');
        buf_fmt(out, "`" STR_FMT "`%s", STR_ARG(one), rest.p ? " " : "");
    }
}

void config_describe(struct buf *out)
{
    buf_str(out, S("| key | default | values | on reload | what it does |\n| --- | --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < LEN(keys); i++) {
        const struct key *k = &keys[i];
        buf_fmt(out, "| `" STR_FMT "` | %s%s%s | ", STR_ARG(k->name), *k->def ? "`" : "", k->def, *k->def ? "`" : "");
        if (k->type == KEY_CHOICE)
            describe_choices(k->choices, out);
        else if (k->type == KEY_AGE)
            buf_fmt(out, "duration, " AGE_FMT " to " AGE_FMT "%s%s", AGE_ARG(k->min), AGE_ARG(k->max), k->choices ? ", or " : "",
                    k->choices ? k->choices : "");
        else if (k->type == KEY_COUNT || k->type == KEY_PORT)
            buf_fmt(out, "%lld to %lld", (long long)k->min, (long long)k->max);
        else
            buf_str(out, k->type == KEY_SIZE    ? S("size")
                         : k->type == KEY_BOOL  ? S("`true` `false`")
                         : k->type == KEY_HOSTS ? S("list of names")
                                                : S("text"));
        buf_fmt(out, " | %s | %s |\n", k->live ? "at once" : "at the next start", k->doc);
    }
}
