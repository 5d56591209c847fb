/* store/check_look.c -- where a text still stands.
 *
 * A text may stand as it is, inside of what is packed (a zstd frame anywhere in a file), or
 * as the bytes that a column makes of it: an id of 32 or 64 hexadecimal digits is kept as 16
 * or 32 bytes. So each text has its forms, and every stretch of bytes is searched for all of
 * them; whatever looks like the beginning of a zstd frame is unpacked as far as it goes.
 *
 * A blob of SQLite that spans pages stands in no file in one piece: values are looked at
 * once more as SQLite gives them (check_look_tables), and as a chunk decodes them
 * (check_chunk.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/zip.h"
#include "store/check_int.h"

enum {
    WINDOW = 8 << 20,                              /* of a file in memory; each byte is in two windows */
    PIECE_MAX = 64 << 20,                          /* unpacked of one frame in a file that nobody knows */
    PAGE_MIN = 512, PAGE_MAX = 65536,
};
static const struct str zstd_magic = { "\x28\xb5\x2f\xfd", 4 };

/* --- forms ------------------------------------------------------------------------------ */

static int hex_digit(char ch)
{
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static void add_form(struct checker *c, struct str bytes, struct str text)
{
    if (c->nforms < CHECK_FORMS_MAX)
        c->forms[c->nforms++] = (struct form){ bytes, text };
}

/* The bytes of 32 or 64 hexadecimal digits, hyphens left out; empty if it is nothing such. */
static struct str hex_bytes(struct str text, struct arena *mem)
{
    char *out = arena_new(mem, char, text.n / 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = hex_digit(text.p[i]);
        if (text.p[i] == '-')
            continue;
        if (d < 0)
            return (struct str){ 0 };
        out[n / 2] = (char)(n % 2 ? (unsigned char)out[n / 2] | d : d << 4);
        n++;
    }
    return n == 32 || n == 64 ? (struct str){ out, n / 2 } : (struct str){ 0 };
}

void check_look_init(struct checker *c)
{
    for (uint32_t i = 0; i < c->req->ntexts; i++) {
        struct str text = c->req->texts[i];
        add_form(c, text, text);
        struct str bytes = hex_bytes(text, &c->mem);
        if (bytes.n)
            add_form(c, bytes, text);
    }
}

bool check_looks(const struct checker *c)
{
    return c->nforms > 0;
}

/* --- stretches of bytes ------------------------------------------------------------------ */

static bool has(const struct form *x, struct str bytes, size_t before)
{
    return str_find(bytes, x->bytes) < before;
}

void check_look_bytes(struct checker *c, struct str bytes, const char *where, ...)
{
    for (uint32_t i = 0; i < c->nforms; i++) {
        if (!has(&c->forms[i], bytes, SIZE_MAX))
            continue;
        char text[300];
        va_list ap;
        va_start(ap, where);
        (void)vsnprintf(text, sizeof text, where, ap);
        va_end(ap);
        check_tell(c, CHECK_FOUND, "%s: \"" STR_FMT "\"", text, STR_ARG(c->forms[i].text));
    }
}

/* Whatever is packed in bytes[0, before), and where the texts stand in it. */
static void look_packed(struct checker *c, struct str bytes, size_t before, const char *where, uint64_t offset)
{
    for (size_t at = 0; at < before;) {
        size_t next = str_find(str_sub(bytes, at, bytes.n), zstd_magic);
        if (next == SIZE_MAX || at + next >= before)
            return;
        at += next;
        struct str in = str_sub(bytes, at, bytes.n);
        buf_clear(&c->unpacked);
        zip_unzstd_some(in, PIECE_MAX, &c->unpacked);
        check_look_bytes(c, buf_view(&c->unpacked), "%s, packed at byte %llu", where, (unsigned long long)offset + at);
        at += zstd_magic.n;
    }
}

void check_look_inside(struct checker *c, struct str bytes, const char *where)
{
    check_look_bytes(c, bytes, "%s", where);
    look_packed(c, bytes, bytes.n, where, 0);
}

void check_look_value(struct checker *c, const struct value *v, const char *where, struct str name)
{
    if (v->type == V_NONE || v->type == V_BOOL)
        return;
    char scratch[VALUE_TEXT_MAX];
    bool text = v->type == V_STR || v->type == V_JSON || v->type == V_BYTES;
    check_look_bytes(c, text ? v->s : value_text(v, scratch), "%s, " STR_FMT, where, STR_ARG(name));
}

/* --- files -------------------------------------------------------------------------------- */

/* Windows overlap by half, and what begins in the second half is left to the next one. */
void check_look_raw(struct checker *c, const char *path)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        check_tell(c, CHECK_DAMAGE, "cannot be read: %s", strerror(errno));
        return;
    }
    CLEANUP(mem_freep) char *p = mem_alloc(WINDOW);
    for (uint64_t offset = 0;; offset += WINDOW / 2) {
        ssize_t n = pread(fd, p, WINDOW, (off_t)offset);
        if (n < 0)
            check_tell(c, CHECK_DAMAGE, "cannot be read at byte %llu: %s", (unsigned long long)offset, strerror(errno));
        if (n <= 0)
            return;
        struct str bytes = { p, (size_t)n };
        size_t before = n == WINDOW ? WINDOW / 2 : bytes.n;
        for (uint32_t i = 0; i < c->nforms; i++)
            if (has(&c->forms[i], bytes, before))
                check_tell(c, CHECK_FOUND, "its bytes from %llu on: \"" STR_FMT "\"",
                           (unsigned long long)offset + str_find(bytes, c->forms[i].bytes), STR_ARG(c->forms[i].text));
        look_packed(c, bytes, before, "its bytes", offset);
        if (n < WINDOW)
            return;
    }
}

static void look_table(struct checker *c, struct sql *db, struct str table)
{
    struct fault f = { 0 };
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    struct arena mem = c->mem;
    struct str text = arena_fmt(&mem, "SELECT rowid, * FROM \"" STR_FMT "\"", STR_ARG(table));
    struct str plain = arena_fmt(&mem, "SELECT 0, * FROM \"" STR_FMT "\"", STR_ARG(table));
    enum err e = sql_prepare(db, arena_cstr(&mem, text), &st, &f);
    if (e)                                         /* a table without rowid */
        e = sql_prepare(db, arena_cstr(&mem, plain), &st, &f);
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, &f);
        for (int i = 1; !e && row && i < sql_width(st); i++) {
            char where[200];
            struct str v = sql_bytes(st, i);
            (void)snprintf(where, sizeof where, "table " STR_FMT ", row %lld", STR_ARG(table), (long long)sql_i64(st, 0));
            if (v.n)
                check_look_inside(c, v, where);
        }
    }
    if (e)
        check_tell(c, CHECK_DAMAGE, "%s", f.msg);
}

void check_look_tables(struct checker *c, struct sql *db)
{
    struct fault f = { 0 };
    CLEANUP(sql_finishp) struct sql_stmt *st = NULL;
    enum err e = sql_prepare(db, "SELECT name FROM sqlite_master WHERE type='table'", &st, &f);
    for (bool row = true; !e && row;) {
        e = sql_step(st, &row, &f);
        if (e || !row)
            break;
        look_table(c, db, arena_str(&c->mem, sql_bytes(st, 0)));
    }
    if (e)
        check_tell(c, CHECK_DAMAGE, "%s", f.msg);
}

/* --- pages that SQLite does not use ------------------------------------------------------- */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool read_page(int fd, uint32_t number, size_t size, uint8_t *out)
{
    return number && pread(fd, out, size, (off_t)((uint64_t)(number - 1) * size)) == (ssize_t)size;
}

static bool is_blank(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

/* A free page is a leaf of a trunk page: next trunk, how many leaves, their numbers. What
 * was in it before may be a piece of something packed, which nobody can unpack. */
void check_look_free(struct checker *c, const char *path)
{
    uint8_t head[100];
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, head, sizeof head, 0) != sizeof head)
        return;
    size_t size = (size_t)head[16] << 8 | head[17];
    size = size == 1 ? PAGE_MAX : size;
    if (size < PAGE_MIN)
        return;
    CLEANUP(mem_freep) uint8_t *trunk = mem_alloc(size), *leaf = mem_alloc(size);
    uint32_t left = be32(head + 36), full = 0;
    for (uint32_t next = be32(head + 32); next && left && read_page(fd, next, size, trunk);) {
        uint32_t n = be32(trunk + 4);
        if (n > size / 4 - 2)
            break;
        left -= MIN(left, n + 1);
        full += !is_blank(trunk + 8 + 4 * (size_t)n, size - 8 - 4 * (size_t)n);
        for (uint32_t i = 0; i < n; i++)
            full += read_page(fd, be32(trunk + 8 + 4 * (size_t)i), size, leaf) && !is_blank(leaf, size);
        next = be32(trunk);
    }
    c->totals->free_pages += full;
    if (full)
        check_tell(c, CHECK_NOTE, "%u pages that SQLite does not use hold something; a piece of something packed cannot be read",
                   full);
}
