/* scrape/target.c -- from discovered labels to a target, as Prometheus does it.
 *
 * Labels that begin with "__" say where and how to scrape, until relabelling is over; what is
 * left of the others are the target's labels, with `instance` from the address if nothing else
 * said it. Identity lies in one block of memory, so that ten thousand targets cost what they hold.
 */
#include "scrape/target.h"

#include <string.h>

#include "base/num.h"
#include "base/utf8.h"

enum { URL_MAX = 16 << 10 };

/* ---- labels of the job ---------------------------------------------------------------------- */

static struct str duration_text(struct arena *mem, int64_t ns)
{
    char text[NUM_DURATION_MAX];
    return arena_str(mem, (struct str){ text, num_fmt_duration(text, ns) });
}

static void set_absent(struct lset *s, struct str name, struct str value)
{
    if (!lset_get(s, name).n)
        lset_set(s, name, value);
}

static void add_job_labels(const struct scrape_job *j, struct lset *s)
{
    set_absent(s, S("job"), j->name);
    set_absent(s, S("__scrape_interval__"), duration_text(s->mem, j->interval_ns));
    set_absent(s, S("__scrape_timeout__"), duration_text(s->mem, j->timeout_ns));
    set_absent(s, S("__metrics_path__"), j->metrics_path);
    set_absent(s, S("__scheme__"), j->https ? S("https") : S("http"));
    for (uint32_t i = 0; i < j->nparams; i++)
        if (j->params[i].values.n)
            set_absent(s, arena_fmt(s->mem, "__param_" STR_FMT, STR_ARG(j->params[i].name)), j->params[i].values.at[0]);
}

/* ---- address ---------------------------------------------------------------------------------- */

static void put_escaped(struct buf *b, struct str s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
        if (plain) {
            buf_byte(b, (char)c);
        } else {
            buf_byte(b, '%');
            buf_byte(b, digits[c >> 4]);
            buf_byte(b, digits[c & 15]);
        }
    }
}

static void put_param(struct buf *b, bool *any, struct str name, struct str value)
{
    buf_byte(b, *any ? '&' : '?');
    *any = true;
    put_escaped(b, name);
    buf_byte(b, '=');
    put_escaped(b, value);
}

static const struct scrape_param *find_param(const struct scrape_job *j, struct str name)
{
    for (uint32_t i = 0; i < j->nparams; i++)
        if (str_eq(j->params[i].name, name))
            return &j->params[i];
    return NULL;
}

/* The first value of a parameter is its __param_ label's, the others are the job's. */
static void put_params(struct buf *b, const struct scrape_job *j, const struct lset *s, bool any)
{
    for (uint32_t i = 0; i < j->nparams; i++)
        for (uint32_t k = 0; k < j->params[i].values.n; k++) {
            struct str label = arena_fmt(s->mem, "__param_" STR_FMT, STR_ARG(j->params[i].name));
            struct str first = lset_get(s, label);
            put_param(b, &any, j->params[i].name, !k && first.n ? first : j->params[i].values.at[k]);
        }
    for (uint32_t i = 0; i < s->n; i++) {
        struct str name = s->at[i].name;
        if (!str_starts(name, S("__param_")))
            continue;
        name = str_sub(name, S("__param_").n, name.n);
        const struct scrape_param *p = find_param(j, name);
        if (!p || !p->values.n)
            put_param(b, &any, name, s->at[i].value);
    }
}

static enum err make_url(const struct scrape_job *j, const struct lset *s, struct str addr, struct str *ret, struct fault *f)
{
    struct str scheme = lset_get(s, S("__scheme__")), path = lset_get(s, S("__metrics_path__"));
    if (!str_eq(scheme, S("http")) && !str_eq(scheme, S("https")))
        return fault_set(f, E_SYNTAX, 0, "invalid scheme: \"" STR_FMT "\"", STR_ARG(str_sub(scheme, 0, 40)));
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, URL_MAX);
    buf_fmt(&b, STR_FMT "://" STR_FMT "%s" STR_FMT, STR_ARG(scheme), STR_ARG(addr), str_starts(path, S("/")) ? "" : "/", STR_ARG(path));
    put_params(&b, j, s, str_index(path, '?') != SIZE_MAX);
    if (b.bad)
        return fault_set(f, E_LIMIT, 0, "the address of a target is longer than %d bytes", URL_MAX);
    *ret = arena_str(s->mem, buf_view(&b));
    return OK;
}

/* ---- making one --------------------------------------------------------------------------------- */

/* Everything of a target's identity in one block. */
static void keep_identity(struct target *t, const struct lset *discovered, const struct lset *labels, struct str url)
{
    size_t n = url.n + 1 + sizeof(struct lpair) * ((size_t)discovered->n + labels->n);
    const struct lset *sets[] = { discovered, labels };
    struct lpair **to[] = { &t->discovered, &t->labels };
    for (size_t k = 0; k < LEN(sets); k++)
        for (uint32_t i = 0; i < sets[k]->n; i++)
            n += sets[k]->at[i].name.n + sets[k]->at[i].value.n;
    t->block = mem_alloc(n);
    struct lpair *out = t->block;
    char *text = (char *)(out + discovered->n + labels->n);
    for (size_t k = 0; k < LEN(sets); k++) {
        *to[k] = out;
        for (uint32_t i = 0; i < sets[k]->n; i++, out++) {
            struct str parts[] = { sets[k]->at[i].name, sets[k]->at[i].value };
            struct str *at[] = { &out->name, &out->value };
            for (size_t p = 0; p < LEN(parts); p++) {
                memcpy(text, parts[p].p, parts[p].n);
                *at[p] = (struct str){ text, parts[p].n };
                text += parts[p].n;
            }
        }
    }
    memcpy(text, url.p, url.n);
    t->url = (struct str){ text, url.n };
    t->ndiscovered = discovered->n;
    t->nlabels = labels->n;
}

static bool is_hidden(struct str name)
{
    return str_starts(name, S("__"));
}

static enum err check_times(struct lset *s, int64_t *interval, int64_t *timeout, struct fault *f)
{
    struct str i = lset_get(s, S("__scrape_interval__")), t = lset_get(s, S("__scrape_timeout__"));
    if (!num_duration(i, interval) || *interval < SCRAPE_INTERVAL_MIN || *interval > SCRAPE_INTERVAL_MAX)
        return fault_set(f, E_SYNTAX, 0, "error parsing scrape interval: \"" STR_FMT "\"", STR_ARG(str_sub(i, 0, 40)));
    if (!num_duration(t, timeout) || *timeout < SCRAPE_INTERVAL_MIN)
        return fault_set(f, E_SYNTAX, 0, "error parsing scrape timeout: \"" STR_FMT "\"", STR_ARG(str_sub(t, 0, 40)));
    if (*timeout > *interval)
        return fault_set(f, E_SYNTAX, 0, "scrape timeout cannot be greater than scrape interval (\"" STR_FMT "\" > \"" STR_FMT "\")",
                         STR_ARG(str_sub(t, 0, 40)), STR_ARG(str_sub(i, 0, 40)));
    return OK;
}

static enum err check_labels(const struct lset *s, struct fault *f)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (!utf8_valid(s->at[i].value) || !utf8_valid(s->at[i].name))
            return fault_set(f, E_SYNTAX, 0, "invalid label value for \"" STR_FMT "\"", STR_ARG(str_sub(s->at[i].name, 0, 60)));
    return s->full ? fault_set(f, E_LIMIT, 0, "more than %d labels (LSET_MAX)", LSET_MAX) : OK;
}

/* What is left for the samples, sorted. */
static struct lset public_labels(const struct lset *s, struct str addr)
{
    struct lset out = { .mem = s->mem };
    for (uint32_t i = 0; i < s->n; i++)
        if (!is_hidden(s->at[i].name))
            lset_set(&out, s->at[i].name, s->at[i].value);
    set_absent(&out, S("instance"), addr);
    lset_sort(&out);
    return out;
}

enum target_made target_make(struct scrape_conf *conf, const struct scrape_job *job, struct lset *labels, struct target **ret,
                             struct fault *f)
{
    int64_t interval, timeout;
    struct str url;
    add_job_labels(job, labels);
    lset_sort(labels);
    struct lset s = lset_copy(labels, labels->mem);
    if (!relabel_apply(&job->relabel, &s))
        return TARGET_DROPPED;
    struct str addr = lset_get(&s, S("__address__"));
    if (!addr.n) {
        fault_set(f, E_SYNTAX, 0, "no address");
        return TARGET_BAD;
    }
    if (str_index(addr, '/') != SIZE_MAX) {
        fault_set(f, E_SYNTAX, 0, "\"" STR_FMT "\" is not a valid hostname", STR_ARG(str_sub(addr, 0, 100)));
        return TARGET_BAD;
    }
    if (check_times(&s, &interval, &timeout, f) || check_labels(&s, f) || make_url(job, &s, addr, &url, f))
        return TARGET_BAD;
    struct lset shown = public_labels(&s, addr);
    struct target *t = mem_alloc(sizeof *t);
    t->conf = scrape_conf_ref(conf);
    t->job = job;
    t->interval_ns = interval;
    t->timeout_ns = timeout;
    t->optional = job->is_default;
    t->probe = job->is_default && !str_eq(addr, job->first);
    keep_identity(t, labels, &shown, url);
    struct id128 id = lset_id(&shown);
    t->hash = hash64(t->url, id.lo ^ hash64(job->name, id.hi));
    buf_init(&t->metas, 64 << 20);
    *ret = t;
    return TARGET_MADE;
}

void target_free(struct target *t)
{
    if (!t)
        return;
    scrape_conf_unref(t->conf);
    http_peer_free(t->peer);
    roster_done(&t->plain);
    incarnation_done(&t->incarnation);
    buf_done(&t->metas);
    mem_free(t->block);
    mem_free(t);
}

bool target_same(const struct target *a, const struct target *b)
{
    if (a->hash != b->hash || a->nlabels != b->nlabels || !str_eq(a->url, b->url) || !str_eq(a->job->name, b->job->name))
        return false;
    for (uint32_t i = 0; i < a->nlabels; i++)
        if (!str_eq(a->labels[i].name, b->labels[i].name) || !str_eq(a->labels[i].value, b->labels[i].value))
            return false;
    return true;
}

int64_t target_next(const struct target *t, int64_t interval_ns, int64_t now_ns)
{
    CHECK(interval_ns > 0);
    int64_t offset = (int64_t)(t->hash % (uint64_t)interval_ns);
    int64_t base = now_ns - now_ns % interval_ns + offset;
    return base > now_ns ? base : base + interval_ns;
}

struct str target_label(const struct target *t, struct str name)
{
    for (uint32_t i = 0; i < t->nlabels; i++)
        if (str_eq(t->labels[i].name, name))
            return t->labels[i].value;
    return S("");
}

/* ---- metadata -------------------------------------------------------------------------------------- */

static void put_text(struct buf *b, struct str s)
{
    uint32_t n = (uint32_t)s.n;
    buf_put(b, &n, sizeof n);
    buf_str(b, s);
}

static struct str take_text(struct str *rest)
{
    uint32_t n;
    CHECK(rest->n >= sizeof n);
    memcpy(&n, rest->p, sizeof n);
    struct str s = str_sub(*rest, sizeof n, n);
    *rest = str_sub(*rest, sizeof n + n, rest->n);
    return s;
}

void target_keep_metas(struct target *t, const struct metric_meta *m, uint32_t n)
{
    buf_clear(&t->metas);
    for (uint32_t i = 0; i < n; i++) {
        put_text(&t->metas, m[i].name);
        put_text(&t->metas, m[i].unit);
        put_text(&t->metas, m[i].help);
        buf_byte(&t->metas, (char)m[i].type);
    }
    if (t->metas.bad)
        buf_clear(&t->metas);
}

void target_metas(const struct buf *packed, void (*each)(void *arg, const struct metric_meta *m), void *arg)
{
    struct str rest = buf_view(packed);
    while (rest.n) {
        struct metric_meta m = { .name = take_text(&rest) };
        m.unit = take_text(&rest);
        m.help = take_text(&rest);
        m.type = (enum metric_type)rest.p[0];
        rest = str_sub(rest, 1, rest.n);
        each(arg, &m);
    }
}
