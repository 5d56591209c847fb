/* app/verb_check.c -- `ccmon check`: is everything in a data directory as it was written,
 * and does a text still stand anywhere in it?
 *
 * What is found is told at once, a line each, so that a long check says something; with
 * --json all of it is one object at the end.
 */
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/verbs.h"
#include "base/jw.h"
#include "base/num.h"
#include "store/check.h"

enum { MEMORY_BYTES = 64 << 20, JSON_BYTES_MAX = 256 << 20, TEXTS_MAX = 32, TEXT_MIN = 4 };

const struct option options_check[] = {
    { "--data", "DIR", "the directory; the one that serve would take if not given" },
    { "--config", "FILE", "the configuration that names the directory" },
    { "--absent", "TEXT", "say where this text stands, in whatever form; may be given up to 32 times" },
    { "--also", "PATH", "with --absent: look into this file or directory too, a backup for instance" },
    { "--json", NULL, "print one JSON object" },
    { 0 },
};

struct check {
    struct options o;
    struct arena mem;
    struct str texts[TEXTS_MAX], also[TEXTS_MAX];
    struct check_req req;
    bool json;
    struct buf lists[3];                           /* --json: findings by kind, as values of an array */
};

static int take(void *arg, const char *name, const char *value)
{
    struct check *c = arg;
    if (!strcmp(name, "--json")) {
        c->json = true;
    } else if (!strcmp(name, "--absent")) {
        if (c->req.ntexts == TEXTS_MAX)
            return verb_wrong("too many texts; ask again for the rest", value);
        if (str_c(value).n < TEXT_MIN)
            return verb_wrong("a text of four bytes or more is wanted; a shorter one stands everywhere", value);
        c->texts[c->req.ntexts++] = str_c(value);
    } else if (!strcmp(name, "--also")) {
        if (c->req.nalso == TEXTS_MAX)
            return verb_wrong("too many places; ask again for the rest", value);
        c->also[c->req.nalso++] = str_c(value);
    } else {
        return serve_option(&c->o, name, value);
    }
    return 0;
}

/* --- what is told --------------------------------------------------------------------------- */

static void tell(void *arg, const struct check_finding *x)
{
    static const char *const words[] = { [CHECK_DAMAGE] = "DAMAGED", [CHECK_NOTE] = "note", [CHECK_FOUND] = "FOUND" };
    struct check *c = arg;
    if (!c->json) {
        printf("%-7s " STR_FMT ": " STR_FMT "\n", words[x->kind], STR_ARG(x->file), STR_ARG(x->text));
        fflush(stdout);
        return;
    }
    struct jw w;
    struct buf *out = &c->lists[x->kind];
    if (out->n)
        buf_byte(out, ',');
    jw_init(&w, out);
    jw_obj(&w);
    jw_kv_str(&w, S("file"), x->file);
    jw_kv_str(&w, S("text"), x->text);
    jw_obj_end(&w);
}

/* One row is one figure, in both forms. */
struct figure {
    struct str key;
    const char *what;
    uint64_t n;
};
enum { FIGURES_MAX = 24 };

static uint32_t figures(const struct check_totals *t, struct figure out[FIGURES_MAX])
{
    const struct figure all[] = {
        { S("files"), "files", t->files },
        { S("bytes"), "bytes", t->bytes },
        { S("partitions"), "partitions", t->partitions },
        { S("chunks"), "chunks", t->chunks },
        { S("columns"), "columns decoded", t->columns },
        { S("filters"), "filters", t->filters },
        { S("carries"), "carried totals", t->carries },
        { S("content_columns"), "columns of content", t->content_columns },
        { S("content_gone"), "columns of content whose retention has passed", t->content_gone },
        { S("samples"), "samples in partitions", t->rows[TABLE_SAMPLE] },
        { S("logs"), "log records in partitions", t->rows[TABLE_LOG] },
        { S("spans"), "spans in partitions", t->rows[TABLE_SPAN] },
        { S("segments"), "segments of the log", t->segments },
        { S("frames"), "frames of the log", t->frames },
        { S("frames_waiting"), "frames that are not in partitions yet", t->frames_waiting },
        { S("samples_waiting"), "samples in them, resends included", t->log_rows[TABLE_SAMPLE] },
        { S("logs_waiting"), "log records in them, resends included", t->log_rows[TABLE_LOG] },
        { S("spans_waiting"), "spans in them, resends included", t->log_rows[TABLE_SPAN] },
        { S("free_pages"), "pages that SQLite does not use and that hold something", t->free_pages },
    };
    _Static_assert(LEN(all) <= FIGURES_MAX, "room for every figure");
    memcpy(out, all, sizeof all);
    return LEN(all);
}

static void print_times(const struct check_totals *t)
{
    char oldest[40] = "", newest[40] = "";
    if (!t->oldest_ns)
        return;
    oldest[num_fmt_rfc3339(oldest, t->oldest_ns)] = 0;
    newest[num_fmt_rfc3339(newest, t->newest_ns)] = 0;
    printf("from %s to %s\n", oldest, newest);
}

static void print_text(const struct check *c, const struct check_totals *t)
{
    struct figure f[FIGURES_MAX];
    uint32_t n = figures(t, f);
    for (uint32_t i = 0; i < n; i++)
        if (f[i].n)
            printf("%15llu %s\n", (unsigned long long)f[i].n, f[i].what);
    print_times(t);
    if (t->damage)
        printf("%llu damaged places\n", (unsigned long long)t->damage);
    else
        puts("nothing is damaged");
    if (c->req.ntexts && t->found)
        printf("what was looked for stands in %llu places\n", (unsigned long long)t->found);
    else if (c->req.ntexts)
        puts("what was looked for stands nowhere");
}

static void print_json(struct check *c, const struct check_totals *t)
{
    static const struct str names[] = { [CHECK_DAMAGE] = S("damage"), [CHECK_NOTE] = S("notes"), [CHECK_FOUND] = S("found") };
    CLEANUP(buf_done) struct buf out = { 0 };
    struct figure f[FIGURES_MAX];
    struct jw w;
    buf_init(&out, JSON_BYTES_MAX);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_str(&w, S("dir"), c->req.dir);
    uint32_t n = figures(t, f);
    for (uint32_t i = 0; i < n; i++) {
        jw_key(&w, f[i].key);
        jw_u64(&w, f[i].n);
    }
    jw_kv_i64(&w, S("oldest_ns"), t->oldest_ns);
    jw_kv_i64(&w, S("newest_ns"), t->newest_ns);
    jw_kv_i64(&w, S("damaged_places"), (int64_t)t->damage);
    jw_kv_i64(&w, S("found_places"), (int64_t)t->found);
    for (unsigned k = 0; k < LEN(names); k++) {
        jw_key(&w, names[k]);
        jw_raw(&w, arena_fmt(&c->mem, "[" STR_FMT "]", STR_ARG(buf_view(&c->lists[k]))));
    }
    jw_obj_end(&w);
    buf_byte(&out, '\n');
    fwrite(out.p, 1, out.n, stdout);
}

/* --- the verb ---------------------------------------------------------------------------------- */

static int check(struct check *c)
{
    struct config cfg;
    struct check_totals t;
    struct fault f = { 0 };
    if (app_config(&c->o, &cfg, &f)) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return 2;
    }
    c->req.dir = arena_str(&c->mem, cfg.data);
    config_done(&cfg);
    c->req.decoder = app_frame_decoder();
    enum err e = store_check(&c->req, &t, &f);
    if (e) {
        fprintf(stderr, "ccmon: %s\n", f.msg);
        return e == E_NOTFOUND || e == E_LIMIT ? 2 : 1;
    }
    if (c->json)
        print_json(c, &t);
    else
        print_text(c, &t);
    return t.damage || t.found ? 1 : 0;
}

int run_check(const struct verb *v, int argc, char **argv)
{
    static struct check c;
    arena_init(&c.mem, MEMORY_BYTES);
    for (unsigned k = 0; k < LEN(c.lists); k++)
        buf_init(&c.lists[k], JSON_BYTES_MAX / 4);
    c.req = (struct check_req){ .texts = c.texts, .also = c.also, .tell = tell, .arg = &c };
    struct verb_args on = { .take = take, .arg = &c };
    int rc = verb_parse(v, argc, argv, &on);
    if (!rc && c.req.nalso && !c.req.ntexts)
        rc = verb_wrong("--also goes with --absent", NULL);
    rc = rc ? rc : check(&c);
    for (unsigned k = 0; k < LEN(c.lists); k++)
        buf_done(&c.lists[k]);
    arena_done(&c.mem);
    return rc;
}
