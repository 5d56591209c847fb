/* store/backup_list.c -- backup.json: what a backup consists of, and that it is complete.
 *
 *   {"format": 1, "ccmon": "0.1.0", "made_ns": "...", "source": "/var/lib/ccmon", "seq": "...",
 *    "rows": ["samples", "logs", "spans"],
 *    "files": [{"name": "part/2026-11-23.db", "bytes": "...", "sum": "...", "ino": "...", "mtime_ns": "..."}]}
 *
 * It is written last, before the folder gets its name. Numbers are strings of decimal
 * digits: 64 bits are more than JSON's readers promise to keep.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/jw.h"
#include "base/num.h"
#include "store/backup_int.h"

enum { LIST_FORMAT = 1, LIST_BYTES_MAX = 64 << 20, FILES_MAX = 100000 };

/* ---- writing ----------------------------------------------------------------- */

static void kv_i64(struct jw *w, struct str key, int64_t v)
{
    char text[24];
    jw_kv_str(w, key, (struct str){ text, num_fmt_i64(text, v) });
}

enum err backup_list_write(const struct file_ops *ops, const char *path, const struct backup_list *l, struct fault *f)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, LIST_BYTES_MAX);
    struct jw w;
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_i64(&w, S("format"), LIST_FORMAT);
    jw_kv_str(&w, S("ccmon"), l->version);
    kv_i64(&w, S("made_ns"), l->made_ns);
    jw_kv_str(&w, S("source"), l->source);
    jw_kv_u64(&w, S("seq"), l->seq);
    jw_key(&w, S("rows"));
    jw_arr(&w);
    for (int t = 0; t < TABLE_COUNT; t++)
        jw_u64(&w, l->rows[t]);
    jw_arr_end(&w);
    jw_key(&w, S("files"));
    jw_arr(&w);
    for (uint32_t i = 0; i < l->n; i++) {
        jw_obj(&w);
        jw_kv_str(&w, S("name"), l->at[i].name);
        jw_kv_u64(&w, S("bytes"), l->at[i].bytes);
        jw_kv_u64(&w, S("sum"), l->at[i].sum);
        jw_kv_u64(&w, S("ino"), l->at[i].ino);
        kv_i64(&w, S("mtime_ns"), l->at[i].mtime_ns);
        jw_obj_end(&w);
    }
    jw_arr_end(&w);
    jw_obj_end(&w);
    buf_byte(&out, '\n');
    if (out.bad)
        return fault_set(f, E_LIMIT, 0, "%s: a list of more than %d bytes", path, LIST_BYTES_MAX);
    return file_write_atomic(ops, path, buf_view(&out), f);
}

/* ---- reading ------------------------------------------------------------------- */

static uint64_t number(const struct json *j)
{
    uint64_t v = 0;
    return (j->tok == J_STR || j->tok == J_NUM) && str_to_u64(j->s, &v) ? v : 0;
}

static int64_t number_signed(const struct json *j)
{
    int64_t v = 0;
    return (j->tok == J_STR || j->tok == J_NUM) && str_to_i64(j->s, &v) ? v : 0;
}

/* No name leads out of the folder, whoever wrote the list. */
static bool name_fits(struct str name)
{
    struct str rest = name, first = str_cut(&rest, '/');
    bool folder = rest.p && (str_eq(first, S("part")) || str_eq(first, S("log")));
    struct str file = folder ? rest : name;
    return file.n && file.n < 200 && file.p[0] != '.' && str_index(file, '/') == SIZE_MAX && str_index(file, '\0') == SIZE_MAX;
}

static void read_file(struct json *j, struct arena *mem, struct backup_file *x)
{
    while (json_next(j) == J_KEY) {
        struct str key = arena_str(mem, j->s);
        json_next(j);
        if (str_eq(key, S("name")) && j->tok == J_STR)
            x->name = arena_str(mem, j->s);
        else if (str_eq(key, S("bytes")))
            x->bytes = number(j);
        else if (str_eq(key, S("sum")))
            x->sum = number(j);
        else if (str_eq(key, S("ino")))
            x->ino = number(j);
        else if (str_eq(key, S("mtime_ns")))
            x->mtime_ns = number_signed(j);
        json_skip(j);
    }
}

static enum err read_files(struct json *j, const char *path, struct arena *mem, struct backup_list *l, struct fault *f)
{
    while (json_next(j) == J_OBJ) {
        struct backup_file x = { 0 };
        read_file(j, mem, &x);
        if (l->n >= FILES_MAX || !name_fits(x.name))
            return fault_set(f, E_CORRUPT, 0, "%s: file %u of the list is none of a data directory", path, l->n + 1);
        *arena_push(mem, l->at, l->n, l->cap) = x;
    }
    return OK;
}

static enum err read_members(struct json *j, const char *path, struct arena *mem, int64_t *format, struct backup_list *l, struct fault *f)
{
    enum err e = OK;
    while (!e && json_next(j) == J_KEY) {
        struct str key = arena_str(mem, j->s);
        json_next(j);
        if (str_eq(key, S("files")) && j->tok == J_ARR) {
            e = read_files(j, path, mem, l, f);
            continue;
        }
        if (str_eq(key, S("rows")) && j->tok == J_ARR) {
            for (int t = 0; json_next(j) == J_NUM; t++)
                if (t < TABLE_COUNT)
                    l->rows[t] = number(j);
            continue;
        }
        if (str_eq(key, S("format")))
            *format = number_signed(j);
        else if (str_eq(key, S("ccmon")) && j->tok == J_STR)
            l->version = arena_str(mem, j->s);
        else if (str_eq(key, S("source")) && j->tok == J_STR)
            l->source = arena_str(mem, j->s);
        else if (str_eq(key, S("made_ns")))
            l->made_ns = number_signed(j);
        else if (str_eq(key, S("seq")))
            l->seq = number(j);
        json_skip(j);
    }
    return e;
}

enum err backup_list_read(const char *path, struct arena *mem, struct backup_list *ret, struct fault *f)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    enum err e = file_read(path, LIST_BYTES_MAX, &text, f);
    if (e)
        return e;
    struct json j;
    struct backup_list l = { 0 };
    int64_t format = 0;
    json_init(&j, buf_view(&text), mem);
    if (json_next(&j) != J_OBJ)
        return fault_set(f, E_CORRUPT, 0, "%s: not the list of a backup", path);
    e = read_members(&j, path, mem, &format, &l, f);
    if (format > LIST_FORMAT)
        return fault_set(f, E_UNSUPPORTED, 0, "%s has format %lld, this ccmon reads up to %d: a newer ccmon wrote it", path,
                         (long long)format, LIST_FORMAT);
    if (e)
        return e;
    if (j.tok != J_OBJ_END || format < 1)
        return fault_set(f, E_CORRUPT, 0, "%s: not the list of a backup, or damaged", path);
    *ret = l;
    return OK;
}

const struct backup_file *backup_list_find(const struct backup_list *l, struct str name)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (str_eq(l->at[i].name, name))
            return &l->at[i];
    return NULL;
}

/* ---- the folder of backups -------------------------------------------------------- */

/* "20261124T161530.120Z", and ".partial" behind it. */
bool backup_is_name(const char *name, bool *ret_partial)
{
    static const char like[] = "dddddddd" "Tdddddd.dddZ";
    struct str s = str_c(name);
    *ret_partial = str_ends(s, S(".partial"));
    s.n -= *ret_partial ? S(".partial").n : 0;
    if (s.n != sizeof like - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (like[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != like[i])
            return false;
    return true;
}

enum err backup_newest(const char *to, char name[BACKUP_NAME_MAX], struct fault *f)
{
    bool begun = false, found = false;
    DIR *d = opendir(to);
    if (!d)
        return fault_set(f, errno == ENOENT ? E_NOTFOUND : E_IO, 0, "open %s: %s", to, strerror(errno));
    for (struct dirent *x; (x = readdir(d));) {
        bool partial;
        if (!backup_is_name(x->d_name, &partial))
            continue;
        begun |= partial;
        if (!partial && (!found || strcmp(x->d_name, name) > 0)) {
            (void)snprintf(name, BACKUP_NAME_MAX, "%.31s", x->d_name);
            found = true;
        }
    }
    (void)closedir(d);
    if (found)
        return OK;
    return fault_set(f, E_NOTFOUND, 0, "%s: %s", to,
                     begun ? "a backup was begun there and never finished; none is complete" : "there is no backup in it");
}
