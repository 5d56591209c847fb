/* store/part_open.c -- opening a set: the catalogue's list against the folder.
 *
 * The truth about a partition is in its file; the catalogue's list is a copy, so
 * that a start opens nothing. Three things keep the copy right:
 *
 *  1. Before a flush writes into a partition the catalogue says `writing`; a start
 *     that finds it so, or finds a rollback journal, looks into the file.
 *  2. A file in the folder that is not listed is looked into and listed; so a lost
 *     catalogue is made again.
 *  3. A listed partition without a file is taken off the list.
 *  4. A new file that was to take the place of an old one (*.new) is put there if it was
 *     finished and the old one was not written since (part_rewrite.c), else removed.
 *  5. Days that are `writing` and lie inside a month's file were merged into it.
 *
 * What a crash may leave besides is removed: files of dropped partitions (*.gone), of months
 * that were not finished (*.tmp), files without tables, content without a partition.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "store/part_int.h"

struct opening {
    struct part_set *set;
    struct arena *mem;
    struct map files;                              /* names with a main file; 1: listed too */
    struct str *names;                             /* the same, in the folder's order */
    uint32_t nnames, cap_names;
    struct str *contents;                          /* names with a content file */
    uint32_t ncontents, cap_contents;
    struct str *fresh;                             /* names of new main files, and of new content */
    uint32_t nfresh, cap_fresh;
    struct str *fresh_contents;
    uint32_t nfresh_contents, cap_fresh_contents;
    struct str *journals;                          /* names whose main file was being written under one, or put there now */
    uint32_t njournals, cap_journals;
    struct catalog_part *changed;
    uint32_t nchanged, cap_changed;
    struct fault *fault;
};

static void data_path(const struct part_set *s, const char *rest, char out[PART_PATH_MAX])
{
    int n = snprintf(out, PART_PATH_MAX, "%s/%s", s->dir, rest);
    CHECK(n > 0 && n < PART_PATH_MAX);
}

/* --- the folder --------------------------------------------------------------------- */

static enum err remove_file(struct part_set *s, const char *name, struct fault *f)
{
    char path[PART_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/part/%s", s->dir, name);
    CHECK(n > 0 && n < PART_PATH_MAX);
    if (s->ops->unlink(s->ops->arg, path) && errno != ENOENT)
        return fault_set(f, E_IO, 0, "unlink %s: %s", path, strerror(errno));
    return OK;
}

/* What SQLite may have left beside a new file. */
static bool is_beside_new(struct str name)
{
    static const struct str ends[] = { S(".new-wal"), S(".new-shm"), S(".new-journal"), S(".tmp-wal"), S(".tmp-shm"), S(".tmp-journal") };
    for (size_t i = 0; i < LEN(ends); i++)
        if (str_ends(name, ends[i]))
            return true;
    return false;
}

static enum err note_file(struct opening *o, struct str name)
{
    static const struct str db = { ".db", 3 }, content = { ".content.db", 11 }, journal = { ".db-journal", 11 };
    static const struct str fresh = { ".new", 4 }, fresh_content = { ".content.new", 12 };
    if (str_ends(name, S(".gone")) || str_ends(name, S(".tmp")) || is_beside_new(name))
        return remove_file(o->set, arena_cstr(o->mem, name), o->fault);
    if (str_ends(name, fresh_content))
        *arena_push(o->mem, o->fresh_contents, o->nfresh_contents, o->cap_fresh_contents) =
            arena_str(o->mem, str_sub(name, 0, name.n - fresh_content.n));
    else if (str_ends(name, fresh) && name.n - fresh.n < CATALOG_NAME_MAX)
        *arena_push(o->mem, o->fresh, o->nfresh, o->cap_fresh) = arena_str(o->mem, str_sub(name, 0, name.n - fresh.n));
    else if (str_ends(name, content))
        *arena_push(o->mem, o->contents, o->ncontents, o->cap_contents) =
            arena_str(o->mem, str_sub(name, 0, name.n - content.n));
    else if (str_ends(name, journal))
        *arena_push(o->mem, o->journals, o->njournals, o->cap_journals) =
            arena_str(o->mem, str_sub(name, 0, name.n - journal.n));
    else if (str_ends(name, db) && name.n - db.n < CATALOG_NAME_MAX)
        *arena_push(o->mem, o->names, o->nnames, o->cap_names) = arena_str(o->mem, str_sub(name, 0, name.n - db.n));
    return OK;
}

static bool has(const struct str *names, uint32_t n, struct str name)
{
    for (uint32_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

/* --- new files in place of old ones ------------------------------------------------------ */

/* A new file may be anything; an old one that a newer ccmon wrote is not put aside. */
static enum err inspect(struct opening *o, struct str name, const char *end, bool fresh, struct part_head *ret)
{
    char path[PART_PATH_MAX];
    data_path(o->set, arena_cstr(o->mem, arena_fmt(o->mem, "part/" STR_FMT "%s", STR_ARG(name), end)), path);
    *ret = (struct part_head){ 0 };
    enum err e = part_file_inspect(path, ret, o->fault);
    if (fresh && e == E_UNSUPPORTED)
        e = E_CORRUPT;
    if (e)
        *ret = (struct part_head){ 0 };
    return e == E_NOTFOUND || e == E_CORRUPT ? OK : e;      /* of generation 0: worth nothing */
}

static enum err move_file(struct opening *o, struct str name, const char *from, const char *to)
{
    char a[PART_PATH_MAX], b[PART_PATH_MAX];
    data_path(o->set, arena_cstr(o->mem, arena_fmt(o->mem, "part/" STR_FMT "%s", STR_ARG(name), from)), a);
    data_path(o->set, arena_cstr(o->mem, arena_fmt(o->mem, "part/" STR_FMT "%s", STR_ARG(name), to)), b);
    part_remove_beside(o->set, b);
    return part_rename(o->set, a, b, o->fault);
}

static enum err remove_new(struct opening *o, struct str name, const char *end)
{
    return remove_file(o->set, arena_cstr(o->mem, arena_fmt(o->mem, STR_FMT "%s", STR_ARG(name), end)), o->fault);
}

static enum err put_in_place(struct opening *o, struct str name)
{
    enum err e = OK;
    if (has(o->fresh_contents, o->nfresh_contents, name)) {
        e = move_file(o, name, ".content.new", ".content.db");
        if (!has(o->contents, o->ncontents, name))
            *arena_push(o->mem, o->contents, o->ncontents, o->cap_contents) = name;
    }
    if (!e)
        e = move_file(o, name, ".new", ".db");
    if (!has(o->names, o->nnames, name))
        *arena_push(o->mem, o->names, o->nnames, o->cap_names) = name;
    *arena_push(o->mem, o->journals, o->njournals, o->cap_journals) = name;         /* the list is behind */
    return e ? e : part_sync_folder(o->set, o->fault);
}

static enum err settle_new(struct opening *o)
{
    enum err e = OK;
    for (uint32_t i = 0; i < o->nfresh && !e; i++) {
        struct part_head fresh, old;
        e = inspect(o, o->fresh[i], ".new", true, &fresh);
        if (!e)
            e = inspect(o, o->fresh[i], ".db", false, &old);
        if (!e && fresh.generation > old.generation)
            e = put_in_place(o, o->fresh[i]);
        else if (!e)
            e = remove_new(o, o->fresh[i], ".new");
    }
    for (uint32_t i = 0; i < o->nfresh_contents && !e; i++)
        e = remove_new(o, o->fresh_contents[i], ".content.new");       /* if it is still there */
    return e;
}

static enum err read_folder(struct opening *o)
{
    char path[PART_PATH_MAX];
    data_path(o->set, "part", path);
    DIR *d = opendir(path);
    if (!d)
        return fault_set(o->fault, E_IO, 0, "open %s: %s", path, strerror(errno));
    enum err e = OK;
    for (struct dirent *x; !e && (x = readdir(d));)
        e = note_file(o, str_c(x->d_name));
    (void)closedir(d);
    if (!e)
        e = settle_new(o);
    for (uint32_t i = 0; i < o->nnames && !e; i++)
        map_put(&o->files, o->names[i], 0);
    return e;
}

/* --- the list ------------------------------------------------------------------------- */

static enum err remove_listed(struct opening *o, struct part *p)
{
    enum err e = catalog_parts_remove(o->set->catalog, p->name, o->fault);
    part_forget(o->set, p);
    return e;
}

static enum err remove_main(struct opening *o, const char *name)
{
    static const char *const ends[] = { ".db", ".db-wal", ".db-shm" };
    enum err e = OK;
    for (size_t i = 0; i < LEN(ends) && !e; i++) {
        char file[CATALOG_NAME_MAX + 16];
        (void)snprintf(file, sizeof file, "%s%s", name, ends[i]);
        e = remove_file(o->set, file, o->fault);
    }
    return e;
}

/* A day whose rows are in the month's file. Its content is then a stray one. */
static enum err remove_merged(struct opening *o, const char *name, struct part *p)
{
    enum err e = remove_main(o, name);
    if (!e && !p)
        e = catalog_parts_remove(o->set->catalog, name, o->fault);
    map_put(&o->files, arena_str(o->mem, str_c(name)), 1);
    return e || !p ? e : remove_listed(o, p);
}

static void adopt_listed(struct part *p, const struct catalog_part *c)
{
    p->head.mark = c->mark;
    p->head.generation = c->generation;
    p->head.time_min = c->time_min;
    p->head.time_max = c->time_max;
    memcpy(p->head.rows, c->rows, sizeof p->head.rows);
    p->bytes = c->bytes;
    p->writing = c->writing;
    p->closed = c->closed;
    p->content = c->content;
    p->replaced = !c->closed;                      /* not known without a look into the file */
}

static enum err read_list(struct opening *o)
{
    struct catalog_part *at = NULL;
    uint32_t n = 0;
    enum err e = catalog_parts(o->set->catalog, o->mem, &at, &n, o->fault);
    for (uint32_t i = 0, last = 0; i < n && !e; i++) {
        if (i && at[i].from_ns < at[last].to_ns && at[i].writing && has(o->names, o->nnames, str_c(at[last].name))) {
            e = remove_merged(o, at[i].name, NULL);
            continue;
        }
        if (i && at[i].from_ns < at[last].to_ns)
            return fault_set(o->fault, E_CORRUPT, 0, "the catalogue lists %s and %s for the same time", at[last].name, at[i].name);
        last = i;
        struct part *p = part_add(o->set, at[i].name, at[i].from_ns, at[i].to_ns);
        adopt_listed(p, &at[i]);
        struct str name = str_c(p->name);
        if (map_get(&o->files, name) == MAP_NONE)
            e = remove_listed(o, p);
        else
            map_put(&o->files, name, 1);
    }
    return e;
}

/* --- files that know better than the list ------------------------------------------------ */

static enum err make_quarantine(struct part_set *s, struct fault *f)
{
    char path[PART_PATH_MAX];
    data_path(s, "quarantine", path);
    return file_mkdir(path, f);
}

enum err part_set_aside(struct part_set *s, const char *name, struct fault *f)
{
    static const char *const ends[] = { ".content.db-wal", ".content.db-shm", ".content.db", ".db-wal", ".db-shm", ".db" };
    enum err e = make_quarantine(s, f);
    long long stamp = (long long)(clock_now(s->clock) / NS_PER_MS);
    for (size_t i = 0; i < LEN(ends) && !e; i++) {
        char from[PART_PATH_MAX], to[PART_PATH_MAX];
        int a = snprintf(from, sizeof from, "%s/part/%s%s", s->dir, name, ends[i]);
        int b = snprintf(to, sizeof to, "%s/quarantine/%s.%lld%s", s->dir, name, stamp, ends[i]);
        CHECK(a > 0 && a < PART_PATH_MAX && b > 0 && b < PART_PATH_MAX);
        if (s->ops->rename(s->ops->arg, from, to) && errno != ENOENT)
            e = fault_set(f, E_IO, 0, "rename %s to %s: %s", from, to, strerror(errno));
    }
    return e;
}

static bool overlaps(const struct part_set *s, const struct part *self, int64_t from_ns, int64_t to_ns)
{
    for (uint32_t i = 0; i < s->nparts; i++)
        if (s->parts[i] != self && from_ns < s->parts[i]->to_ns && s->parts[i]->from_ns < to_ns)
            return true;
    return false;
}

/* The file is damaged, or not what it should be: out of the way with it. */
static enum err set_aside(struct opening *o, const char *name, struct part *p, const struct fault *why)
{
    enum err e = part_set_aside(o->set, name, o->fault);
    if (!e && p)
        e = remove_listed(o, p);
    if (!e && o->set->opts.report)
        o->set->opts.report(o->set->opts.report_arg, why);
    return e;
}

static enum err remove_empty(struct opening *o, const char *name, struct part *p)
{
    enum err e = remove_main(o, name);
    return e || !p ? e : remove_listed(o, p);
}

/* p: as it is listed, or NULL. */
static enum err look_into(struct opening *o, const char *name, struct part *p)
{
    char rest[CATALOG_NAME_MAX + 16], path[PART_PATH_MAX];
    (void)snprintf(rest, sizeof rest, "part/%s.db", name);
    data_path(o->set, rest, path);
    struct part_head head;
    struct fault why = { 0 };
    enum err e = part_file_inspect(path, &head, &why);
    if (e == E_NOTFOUND)
        return remove_empty(o, name, p);
    if (!e && p && (head.from_ns != p->from_ns || head.to_ns != p->to_ns))
        e = fault_set(&why, E_CORRUPT, 0, "%s: holds another span of time than it is listed for", path);
    if (!e && overlaps(o->set, p, head.from_ns, head.to_ns))
        e = fault_set(&why, E_CORRUPT, 0, "%s: holds a time that another partition holds", path);
    if (e == E_CORRUPT)
        return set_aside(o, name, p, &why);
    if (e)
        return fault_set(o->fault, e, 0, "%s", why.msg);

    if (!p)
        p = part_add(o->set, name, head.from_ns, head.to_ns);
    p->head = head;
    p->writing = false;
    p->closed = false;
    p->replaced = true;
    p->content = has(o->contents, o->ncontents, str_c(name));
    e = part_unseal(p, &why);
    if (e && o->set->opts.report)                  /* its content is damaged: whoever reads that will be told too */
        o->set->opts.report(o->set->opts.report_arg, &why);
    part_measure(p);
    *arena_push(o->mem, o->changed, o->nchanged, o->cap_changed) = part_for_catalog(p);
    return OK;
}

/* A month that is not listed: the start of the merge is, in its days. */
static enum err absorb_days(struct opening *o, struct str name)
{
    struct part_set *s = o->set;
    struct part_head month;
    enum err e = inspect(o, name, ".db", false, &month);
    if (e || month.generation == 0)
        return e;
    bool all = true;
    for (uint32_t i = 0; i < s->nparts; i++)
        if (s->parts[i]->from_ns < month.to_ns && month.from_ns < s->parts[i]->to_ns)
            all = all && s->parts[i]->writing && s->parts[i]->from_ns >= month.from_ns && s->parts[i]->to_ns <= month.to_ns &&
                  s->parts[i]->to_ns - s->parts[i]->from_ns < month.to_ns - month.from_ns;
    for (uint32_t i = 0; i < s->nparts && all && !e;) {
        struct part *p = s->parts[i];
        if (p->from_ns < month.from_ns || p->to_ns > month.to_ns)
            i++;
        else
            e = remove_merged(o, arena_cstr(o->mem, str_c(p->name)), p);
    }
    return e;
}

static enum err look_into_files(struct opening *o)
{
    struct part_set *s = o->set;
    enum err e = OK;
    for (uint32_t i = 0; i < o->nnames && !e; i++)
        if (map_get(&o->files, o->names[i]) == 0)
            e = absorb_days(o, o->names[i]);
    for (uint32_t i = 0; i < s->nparts && !e;) {
        struct part *p = s->parts[i];
        if (p->writing || has(o->journals, o->njournals, str_c(p->name)))
            e = look_into(o, arena_cstr(o->mem, str_c(p->name)), p);
        i += i < s->nparts && s->parts[i] == p;    /* it may be gone from the list */
    }
    for (uint32_t i = 0; i < o->nnames && !e; i++)
        if (map_get(&o->files, o->names[i]) == 0)
            e = look_into(o, arena_cstr(o->mem, o->names[i]), NULL);
    return !e && o->nchanged ? catalog_parts_put(s->catalog, o->changed, o->nchanged, o->fault) : e;
}

static enum err remove_stray_content(struct opening *o)
{
    enum err e = OK;
    for (uint32_t i = 0; i < o->ncontents && !e; i++) {
        bool known = false;
        for (uint32_t k = 0; k < o->set->nparts && !known; k++)
            known = str_eq(str_c(o->set->parts[k]->name), o->contents[i]);
        if (!known)
            e = remove_file(o->set, arena_cstr(o->mem, arena_fmt(o->mem, STR_FMT ".content.db", STR_ARG(o->contents[i]))), o->fault);
    }
    return e;
}

/* --- open and close ------------------------------------------------------------------------ */

static struct part_set *set_new(const struct part_opts *o)
{
    struct part_set *s = mem_alloc(sizeof *s);
    *s = (struct part_set){ .catalog = o->catalog, .clock = o->clock, .ops = o->ops, .opts = *o };
    s->open_max = o->open_max ? o->open_max : PART_OPEN_MAX;
    struct str dir = str_c(o->dir);
    s->dir = mem_alloc(dir.n + 1);
    memcpy(s->dir, dir.p, dir.n);
    CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
    CHECK(pthread_cond_init(&s->freed, NULL) == 0);
    return s;
}

static void set_closep(struct part_set **s)
{
    part_set_close(*s);
}

static enum err open_steps(struct opening *o)
{
    char path[PART_PATH_MAX];
    data_path(o->set, "part", path);
    enum err e = file_mkdir(path, o->fault);
    if (!e)
        e = read_folder(o);
    if (!e)
        e = read_list(o);
    if (!e)
        e = look_into_files(o);
    return e ? e : remove_stray_content(o);
}

enum err part_set_open(const struct part_opts *opts, struct part_set **ret, struct fault *f)
{
    CHECK(opts->dir && opts->catalog && opts->clock && opts->ops);
    CLEANUP(set_closep) struct part_set *s = set_new(opts);
    CLEANUP(arena_done) struct arena mem;
    arena_init(&mem, (size_t)4 << 20);
    struct opening o = { .set = s, .mem = &mem, .fault = f };
    enum err e = open_steps(&o);
    map_done(&o.files);
    if (e)
        return e;
    for (uint32_t i = 0; i < s->nparts; i++)
        part_set_shown(s->parts[i]);
    part_show(s);
    *ret = TAKE(s);
    return OK;
}

void part_set_close(struct part_set *s)
{
    if (!s)
        return;
    CHECK(!s->view || __atomic_load_n(&s->view->refs, __ATOMIC_ACQUIRE) == 1);
    part_view_unref(TAKE(s->view));
    while (s->nparts)
        part_forget(s, s->parts[s->nparts - 1]);
    pool_sweep(s, INT64_MAX);
    for (struct part *p; (p = s->stayed);) {
        s->stayed = p->next_stayed;
        mem_free(p);
    }
    CHECK(s->nopen == 0);
    CHECK(pthread_cond_destroy(&s->freed) == 0);
    CHECK(pthread_mutex_destroy(&s->lock) == 0);
    mem_free(s->parts);
    mem_free(s->dir);
    mem_free(s);
}
