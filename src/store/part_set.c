/* store/part_set.c -- the folder of partitions: the list, names and views of a set.
 *
 * A view is an immutable array with a reference count; the set holds the newest one, and
 * knows all that are held, so that the flusher can tell what nobody sees any more.
 * A part counts the list it is in and the views that name it. When it is in neither it
 * is freed, and if it was dropped its files go with it: until then they stand under
 * another name (NAME.N.gone), so that the same day may begin anew beside them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store/part_int.h"

enum { DAY_NAME_LEN = 10 };                        /* "2026-11-23" */

/* --- names and spans ------------------------------------------------------------------ */

void part_path_as(const struct part *p, enum part_kind kind, uint32_t gone, char out[PART_PATH_MAX])
{
    const char *what = kind == PART_CONTENT ? ".content" : "";
    int n = gone ? snprintf(out, PART_PATH_MAX, "%s/part/%s%s.%u.gone", p->set->dir, p->name, what, gone)
                 : snprintf(out, PART_PATH_MAX, "%s/part/%s%s.db", p->set->dir, p->name, what);
    CHECK(n > 0 && n < PART_PATH_MAX);
}

void part_path(const struct part *p, enum part_kind kind, char out[PART_PATH_MAX])
{
    part_path_as(p, kind, p->gone, out);
}

/* The UTC day of a time; the first and the last that int64 reaches are cut short. */
static void days_span(int64_t day, int64_t end, int64_t *ret_from, int64_t *ret_to)
{
    if (__builtin_mul_overflow(day, NS_PER_DAY, ret_from))
        *ret_from = INT64_MIN;
    if (__builtin_mul_overflow(end, NS_PER_DAY, ret_to))
        *ret_to = INT64_MAX;
}

static int64_t day_of(int64_t time_ns)
{
    return time_ns / NS_PER_DAY - (time_ns % NS_PER_DAY < 0);
}

static void day_span(int64_t time_ns, int64_t *ret_from, int64_t *ret_to)
{
    days_span(day_of(time_ns), day_of(time_ns) + 1, ret_from, ret_to);
}

static struct tm date_of(int64_t day)
{
    time_t t = (time_t)(day * (NS_PER_DAY / NS_PER_S));
    struct tm tm;
    CHECK(gmtime_r(&t, &tm));
    return tm;
}

void part_month(int64_t time_ns, int64_t *ret_from_ns, int64_t *ret_to_ns, char name[CATALOG_NAME_MAX])
{
    int64_t day = day_of(time_ns);
    struct tm tm = date_of(day);
    int64_t first = day - (tm.tm_mday - 1), end = first + 28;
    while (date_of(end).tm_mon == tm.tm_mon)
        end++;
    days_span(first, end, ret_from_ns, ret_to_ns);
    int n = snprintf(name, CATALOG_NAME_MAX, "%04d-%02d", tm.tm_year + 1900, tm.tm_mon + 1);
    CHECK(n > 0 && n < CATALOG_NAME_MAX);
}

static void day_name(int64_t from_ns, char out[CATALOG_NAME_MAX])
{
    int64_t noon = from_ns / NS_PER_S + (from_ns == INT64_MIN ? 0 : 43200);
    time_t t = (time_t)noon;
    struct tm tm;
    CHECK(gmtime_r(&t, &tm));
    int n = snprintf(out, CATALOG_NAME_MAX, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    CHECK(n == DAY_NAME_LEN);
}

static uint32_t lower_bound(const struct part_set *s, int64_t from_ns)
{
    uint32_t lo = 0, hi = s->nparts;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->parts[mid]->from_ns < from_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct part *part_find(struct part_set *s, int64_t from_ns)
{
    uint32_t i = lower_bound(s, from_ns);
    return i < s->nparts && s->parts[i]->from_ns == from_ns ? s->parts[i] : NULL;
}

struct part_span part_span_at(struct part_set *s, int64_t time_ns)
{
    struct part_span span = { 0 };
    set_lock(s);
    uint32_t i = lower_bound(s, time_ns);
    if (i < s->nparts && s->parts[i]->from_ns == time_ns)
        i++;
    const struct part *p = i ? s->parts[i - 1] : NULL;
    if (p && span_holds(p->from_ns, p->to_ns, time_ns))
        span = (struct part_span){ p->from_ns, p->to_ns, p->head.mark };
    else
        day_span(time_ns, &span.from_ns, &span.to_ns);
    set_unlock(s);
    CHECK(span_holds(span.from_ns, span.to_ns, time_ns));
    return span;
}

/* --- the list -------------------------------------------------------------------------- */

/* Of the process: what is kept of one store's files is never taken for another's. */
uint64_t part_uid_new(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

struct part *part_new(struct part_set *s, const char *name, int64_t from_ns, int64_t to_ns)
{
    CHECK(from_ns < to_ns);
    struct part *p = mem_alloc(sizeof *p);
    *p = (struct part){ .set = s, .from_ns = from_ns, .to_ns = to_ns, .uid = part_uid_new(), .refs = 1 };
    if (name)
        (void)snprintf(p->name, sizeof p->name, "%s", name);
    else
        day_name(from_ns, p->name);
    p->head = (struct part_head){ .from_ns = from_ns, .to_ns = to_ns, .next_chunk = 1 };
    return p;
}

/* Under lock. */
static void list_insert(struct part_set *s, struct part *p)
{
    uint32_t at = lower_bound(s, p->from_ns);
    CHECK(at == s->nparts || s->parts[at]->from_ns >= p->to_ns);
    CHECK(at == 0 || s->parts[at - 1]->to_ns <= p->from_ns);
    if (s->nparts == s->cap_parts) {
        s->cap_parts = s->cap_parts ? s->cap_parts * 2 : 64;
        s->parts = mem_resize(s->parts, s->cap_parts * sizeof *s->parts);
    }
    memmove(s->parts + at + 1, s->parts + at, (s->nparts - at) * sizeof *s->parts);
    s->parts[at] = p;
    s->nparts++;
}

/* Under lock. */
static void list_remove(struct part_set *s, const struct part *p)
{
    uint32_t at = lower_bound(s, p->from_ns);
    CHECK(at < s->nparts && s->parts[at] == p);
    memmove(s->parts + at, s->parts + at + 1, (s->nparts - at - 1) * sizeof *s->parts);
    s->nparts--;
}

struct part *part_add(struct part_set *s, const char *name, int64_t from_ns, int64_t to_ns)
{
    struct part *p = part_new(s, name, from_ns, to_ns);
    set_lock(s);
    list_insert(s, p);
    set_unlock(s);
    return p;
}

/* The main file last: content without it would not be known for what it is. */
static enum err remove_files(const struct part *p, struct fault *f)
{
    const struct file_ops *ops = p->set->ops;
    char path[PART_PATH_MAX];
    for (int k = PART_CONTENT; k >= PART_MAIN; k--) {
        part_path(p, (enum part_kind)k, path);
        if (ops->unlink(ops->arg, path) && errno != ENOENT)
            return fault_set(f, errno == ENOSPC ? E_UNAVAILABLE : E_IO, 0, "remove %s: %s", path, strerror(errno));
    }
    return OK;
}

/* No view names it and it is not in the list: nobody else can know it. Files that cannot be
 * removed are tried again when something is erased, and at the next start. */
static void part_free(struct part *p)
{
    struct fault f;
    struct part_set *s = p->set;
    (void)pool_exclude(p, true);                   /* closes what is idle */
    bool stays = (p->gone || p->doomed) && remove_files(p, &f);
    list_drop(p);
    if (!stays) {
        mem_free(p);
        return;
    }
    set_lock(s);
    p->next_stayed = s->stayed;
    s->stayed = p;
    set_unlock(s);
}

/* A name that is in use again is not that of old files any more. */
static bool is_in_use(const struct part_set *s, const struct part *old)
{
    for (uint32_t i = 0; i < s->nparts && !old->gone; i++)
        if (strcmp(s->parts[i]->name, old->name) == 0)
            return true;
    return false;
}

enum err part_remove_stayed(struct part_set *s, struct fault *f)
{
    for (;;) {
        set_lock(s);
        struct part *p = s->stayed;
        set_unlock(s);
        enum err e = p && !is_in_use(s, p) ? remove_files(p, f) : OK;
        if (e || !p)
            return e;
        set_lock(s);
        struct part **at = &s->stayed;             /* others may have come before it */
        while (*at != p)
            at = &(*at)->next_stayed;
        *at = p->next_stayed;
        set_unlock(s);
        mem_free(p);
    }
}

void part_unref(struct part *p)
{
    set_lock(p->set);
    CHECK(p->refs > 0);
    bool last = --p->refs == 0;
    set_unlock(p->set);
    if (last)
        part_free(p);
}

void part_forget(struct part_set *s, struct part *p)
{
    set_lock(s);
    list_remove(s, p);
    set_unlock(s);
    part_unref(p);
}

void part_exchange(struct part_set *s, struct part **old, uint32_t n, struct part *fresh)
{
    set_lock(s);
    for (uint32_t i = 0; i < n; i++) {
        CHECK(old[i]->from_ns >= fresh->from_ns && old[i]->to_ns <= fresh->to_ns);
        list_remove(s, old[i]);
    }
    list_insert(s, fresh);
    set_unlock(s);
    for (uint32_t i = 0; i < n; i++)
        part_unref(old[i]);
}

struct catalog_part part_for_catalog(const struct part *p)
{
    struct catalog_part c = {
        .from_ns = p->from_ns,
        .to_ns = p->to_ns,
        .time_min = p->head.time_min,
        .time_max = p->head.time_max,
        .mark = p->head.mark,
        .generation = p->head.generation,
        .bytes = p->bytes,
        .writing = p->writing,
        .closed = p->closed,
        .content = p->content,
    };
    memcpy(c.name, p->name, sizeof c.name);
    memcpy(c.rows, p->head.rows, sizeof c.rows);
    return c;
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

void part_measure(struct part *p)
{
    uint64_t bytes = 0;
    char path[PART_PATH_MAX], wal[PART_PATH_MAX + 8];
    for (enum part_kind k = PART_MAIN; k <= PART_CONTENT; k++) {
        part_path(p, k, path);
        (void)snprintf(wal, sizeof wal, "%s-wal", path);
        bytes += file_bytes(path) + file_bytes(wal);
    }
    set_lock(p->set);
    p->bytes = bytes;
    set_unlock(p->set);
}

/* --- views -------------------------------------------------------------------------------- */

void part_set_shown(struct part *p)
{
    set_lock(p->set);
    p->shown = (struct part_item){
        .part = p,
        .uid = p->uid,
        .from_ns = p->from_ns,
        .to_ns = p->to_ns,
        .time_min = p->head.time_min,
        .time_max = p->head.time_max,
        .generation = p->head.generation,
        .mark = p->head.mark,
        .bytes = p->bytes,
    };
    memcpy(p->shown.rows, p->head.rows, sizeof p->shown.rows);
    set_unlock(p->set);
}

void part_show(struct part_set *s)
{
    set_lock(s);
    struct part_view *v = mem_alloc(sizeof *v + s->nparts * sizeof v->at[0]);
    v->refs = 1;
    v->set = s;
    for (uint32_t i = 0; i < s->nparts; i++) {
        if (s->parts[i]->shown.generation == 0)
            continue;
        v->at[v->n++] = s->parts[i]->shown;
        s->parts[i]->refs++;
    }
    struct part_view *old = s->view;
    v->older = old;
    if (old)
        old->newer = v;
    s->view = v;
    set_unlock(s);
    part_view_unref(old);
}

/* Views that are held but not the newest are few: one a scan that was begun before. */
uint64_t part_oldest_view(const struct part *p)
{
    struct part_set *s = p->set;
    uint64_t least = UINT64_MAX;
    set_lock(s);
    for (const struct part_view *v = s->view; v; v = v->older)
        for (uint32_t i = 0; i < v->n; i++)
            if (v->at[i].part == p)
                least = MIN(least, v->at[i].generation);
    set_unlock(s);
    return least;
}

struct part_view *part_view_get(struct part_set *s)
{
    set_lock(s);
    struct part_view *v = part_view_ref(s->view);
    set_unlock(s);
    return v;
}

struct part_view *part_view_ref(struct part_view *v)
{
    CHECK(__atomic_fetch_add(&v->refs, 1, __ATOMIC_RELAXED) > 0);
    return v;
}

void part_view_unref(struct part_view *v)
{
    if (!v || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    set_lock(v->set);
    if (v->newer)
        v->newer->older = v->older;
    if (v->older)
        v->older->newer = v->newer;
    set_unlock(v->set);
    for (uint32_t i = 0; i < v->n; i++)
        part_unref(v->at[i].part);
    mem_free(v);
}
