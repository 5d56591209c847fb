/* scrape/discover.c -- static_configs and file_sd_configs to targets.
 *
 * A file is a list of groups as in static_configs, in YAML or JSON (which is YAML). Files are
 * looked at by time, size and place, and read again when one of these differs; a file that is
 * broken meanwhile keeps the content that was good.
 */
#include "scrape/discover.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

enum { DISCOVERY_BYTES = 64 << 20, YAML_BYTES = 64 << 20 };

struct sd_file {
    char *path;
    int64_t mtime_ns, size, inode;
    struct buf text;                               /* the good content */
    bool used;                                     /* in this round */
};

struct walk {
    struct scrape_conf *conf;
    const struct scrape_job *job;
    struct discovery *out;
    struct map seen;                               /* of (job, labels, address) */
    const struct discover_report *to;
    struct arena scratch;                          /* lent to one target at a time */
    bool told_limit;
};

static void tell(const struct walk *w, const char *cause, struct str text)
{
    if (w->to->report)
        w->to->report(w->to->arg, cause, arena_cstr(&w->out->mem, text));
}

/* ---- groups ------------------------------------------------------------------------------------ */

static void keep_dropped(struct walk *w, const struct lset *labels)
{
    struct discovery *d = w->out;
    d->dropped_all++;
    if (d->ndropped == SCRAPE_DROPPED_MAX)
        return;
    struct lset kept = lset_copy(labels, &d->mem);
    *arena_push(&d->mem, d->dropped, d->ndropped, d->cap_dropped) = (struct dropped_target){ w->job, kept.at, kept.n };
}

static void keep_target(struct walk *w, struct target *t)
{
    struct discovery *d = w->out;
    struct str key = arena_str(&d->mem, (struct str){ (const char *)&t->hash, sizeof t->hash });
    bool fresh;
    uint32_t i = map_intern(&w->seen, key, d->n, &fresh);
    if ((!fresh && target_same(d->at[i], t)) || d->n == SCRAPE_TARGETS_MAX) {
        if (d->n == SCRAPE_TARGETS_MAX && !w->told_limit)
            tell(w, "scrape-targets",
                 arena_fmt(&d->mem, "more than %d targets (SCRAPE_TARGETS_MAX): the others are not scraped", SCRAPE_TARGETS_MAX));
        w->told_limit |= d->n == SCRAPE_TARGETS_MAX;
        target_free(t);
        return;
    }
    *arena_push(&d->mem, d->at, d->n, d->cap) = t;
}

static void add_target(struct walk *w, struct str address, const struct pairs *labels, struct str file)
{
    struct arena scratch = w->scratch;
    struct lset s = { .mem = &scratch };
    struct target *t = NULL;
    struct fault f = { 0 };
    for (uint32_t i = 0; i < labels->n; i++)
        lset_set(&s, labels->at[i].name, labels->at[i].value);
    lset_set(&s, S("__address__"), address);
    if (file.n)
        lset_set(&s, S("__meta_filepath"), file);
    enum target_made made = target_make(w->conf, w->job, &s, &t, &f);
    if (made == TARGET_MADE) {
        keep_target(w, t);
    } else if (made == TARGET_DROPPED) {
        keep_dropped(w, &s);
    } else {
        tell(w, "scrape-target", arena_fmt(&w->out->mem, "target \"" STR_FMT "\" of job \"" STR_FMT "\": %s",
                                           STR_ARG(str_sub(address, 0, 100)), STR_ARG(w->job->name), f.msg));
    }
}

static void add_group(struct walk *w, const struct scrape_static *g, struct str file)
{
    for (uint32_t i = 0; i < g->targets.n; i++)
        add_target(w, g->targets.at[i], &g->labels, file);
}

/* ---- files -------------------------------------------------------------------------------------- */

static struct sd_file *file_of(struct sd_files *s, struct str path)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (str_eq(str_c(s->at[i].path), path))
            return &s->at[i];
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->at = mem_resize(s->at, sizeof *s->at * s->cap);
    }
    struct sd_file *f = &s->at[s->n++];
    *f = (struct sd_file){ .path = mem_alloc(path.n + 1) };
    memcpy(f->path, path.p, path.n);
    return f;
}

static int64_t mtime_of(const struct stat *st)
{
#ifdef __APPLE__
    return st->st_mtimespec.tv_sec * NS_PER_S + st->st_mtimespec.tv_nsec;
#else
    return st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
#endif
}

static bool looks_same(const struct sd_file *f, const struct stat *st)
{
    return f->mtime_ns == mtime_of(st) && f->size == (int64_t)st->st_size && f->inode == (int64_t)st->st_ino;
}

static void note_look(struct sd_file *f, const struct stat *st)
{
    f->mtime_ns = mtime_of(st);
    f->size = (int64_t)st->st_size;
    f->inode = (int64_t)st->st_ino;
}

/* The groups of a file's text. */
static enum err parse_groups(struct str path, struct str text, struct arena *mem, struct list *ret, struct fault *f)
{
    static const struct field group_fields[] = {
        { .name = S("targets"), .type = FIELD_TEXTS, .at = offsetof(struct scrape_static, targets), .max = SCRAPE_TARGETS_MAX },
        { .name = S("labels"), .type = FIELD_PAIRS, .at = offsetof(struct scrape_static, labels), .max = LSET_MAX / 2 },
        { .name = { 0 } },
    };
    struct yaml *root;
    enum err e = yaml_parse(text, mem, &root, f);
    if (e)
        return e;
    if (!root || root->kind == YAML_NULL)
        return OK;
    const struct field list[] = {
        { .name = S("groups"), .type = FIELD_LIST, .at = 0, .sub = group_fields, .size = sizeof(struct scrape_static) },
        { .name = { 0 } },
    };
    struct fields_reader r = { .file = path, .mem = mem, .f = f };
    struct yaml alone = *root, map = { .kind = YAML_MAP, .line = 1, .col = 1, .child = &alone };
    alone.key = S("groups");
    alone.next = NULL;
    return fields_read(&r, &map, S(""), list, ret);
}

/* Reads a file that looks different; what cannot be read or parsed leaves the old text. */
static void refresh(struct walk *w, struct sd_file *file)
{
    struct stat st;
    struct fault f = { 0 };
    struct buf text = { 0 };
    struct list groups = { 0 };
    if (stat(file->path, &st) || looks_same(file, &st))
        return;
    note_look(file, &st);
    struct arena mem;
    arena_init(&mem, YAML_BYTES);
    enum err e = file_read(file->path, FILE_SD_FILE_MAX, &text, &f);
    if (!e)
        e = parse_groups(str_c(file->path), buf_view(&text), &mem, &groups, &f);
    if (e) {
        tell(w, "file-sd", arena_fmt(&w->out->mem, "file_sd_configs: %s: %s; its targets stay as they were", file->path, f.msg));
        buf_done(&text);
    } else {
        buf_done(&file->text);
        file->text = text;
    }
    arena_done(&mem);
}

static void add_file(struct walk *w, struct sd_files *files, struct str path)
{
    struct sd_file *file = file_of(files, path);
    file->used = true;
    refresh(w, file);
    if (!file->text.n)
        return;
    struct arena mem;
    struct fault f = { 0 };
    struct list groups = { 0 };
    arena_init(&mem, YAML_BYTES);
    if (!parse_groups(path, buf_view(&file->text), &mem, &groups, &f)) {
        const struct scrape_static *g = groups.at;
        for (uint32_t i = 0; i < groups.n; i++)
            add_group(w, &g[i], path);
    }
    arena_done(&mem);
}

/* Patterns of a job to files, each once. */
static void add_files(struct walk *w, struct sd_files *files)
{
    const struct scrape_files *f = w->job->files.at;
    for (uint32_t i = 0; i < w->job->files.n; i++)
        for (uint32_t k = 0; k < f[i].files.n; k++) {
            struct texts found;
            struct fault fault = { 0 };
            if (scrape_glob(f[i].files.at[k], &w->out->mem, &found, &fault))
                tell(w, "file-sd", str_c(fault.msg));
            for (uint32_t m = 0; m < found.n; m++)
                add_file(w, files, found.at[m]);
        }
}

static void forget_unused(struct sd_files *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->at[i].used) {
            s->at[n++] = s->at[i];
        } else {
            buf_done(&s->at[i].text);
            mem_free(s->at[i].path);
        }
    s->n = n;
}

void sd_files_done(struct sd_files *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        s->at[i].used = false;
    forget_unused(s);
    mem_free(s->at);
    *s = (struct sd_files){ 0 };
}

/* Marks the files of a job; true: one is new or looks different. */
static bool job_changed(const struct scrape_job *job, struct sd_files *files, struct arena *mem)
{
    const struct scrape_files *f = job->files.at;
    bool changed = false;
    for (uint32_t i = 0; i < job->files.n; i++)
        for (uint32_t k = 0; k < f[i].files.n; k++) {
            struct texts found;
            if (scrape_glob(f[i].files.at[k], mem, &found, NULL))
                continue;
            for (uint32_t m = 0; m < found.n; m++) {
                struct stat st;
                uint32_t before = files->n;
                struct sd_file *file = file_of(files, found.at[m]);
                file->used = true;
                changed |= files->n != before || (!stat(file->path, &st) && !looks_same(file, &st));
            }
        }
    return changed;
}

bool discover_changed(const struct scrape_conf *conf, struct sd_files *files)
{
    struct arena mem;
    bool changed = false;
    arena_init(&mem, 1 << 20);
    for (uint32_t i = 0; i < files->n; i++)
        files->at[i].used = false;
    for (uint32_t i = 0; i < conf->njobs; i++)
        changed |= job_changed(&conf->jobs[i], files, &mem);
    for (uint32_t i = 0; i < files->n; i++)
        changed |= !files->at[i].used;
    arena_done(&mem);
    return changed;
}

void discover(struct scrape_conf *conf, struct sd_files *files, const struct discover_report *to, struct discovery *ret)
{
    *ret = (struct discovery){ 0 };
    arena_init(&ret->mem, DISCOVERY_BYTES);
    struct walk w = { .conf = conf, .out = ret, .to = to };
    arena_init(&w.scratch, 1 << 20);
    for (uint32_t i = 0; i < files->n; i++)
        files->at[i].used = false;
    for (uint32_t i = 0; i < conf->njobs; i++) {
        w.job = &conf->jobs[i];
        uint32_t before = ret->n;
        const struct scrape_static *g = w.job->statics.at;
        for (uint32_t k = 0; k < w.job->statics.n; k++)
            add_group(&w, &g[k], S(""));
        add_files(&w, files);
        for (uint32_t k = before; k < ret->n; k++)
            ret->at[k]->of_job = ret->n - before;
    }
    forget_unused(files);
    map_done(&w.seen);
    arena_done(&w.scratch);
}

void discovery_done(struct discovery *d)
{
    for (uint32_t i = 0; i < d->n; i++)
        target_free(d->at[i]);
    arena_done(&d->mem);
}
