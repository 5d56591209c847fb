/* scrape/roster.c -- an array of fixed room, so that the index may borrow its keys from it. */
#include "scrape/roster.h"

#include <string.h>

enum { KEPT_TEXT_MAX = 256 << 20 };

static struct str key_of(const struct id128 *id)
{
    return (struct str){ (const char *)id, sizeof *id };
}

void roster_init(struct roster *k, uint32_t max)
{
    *k = (struct roster){ .max = max, .bytes = sizeof *k->at * ((size_t)max + 1) };
    k->at = mem_pages(k->bytes);
    buf_init(&k->text, KEPT_TEXT_MAX);
}

void roster_done(struct roster *k)
{
    mem_pages_free(k->at, k->bytes);
    map_done(&k->index);
    buf_done(&k->text);
    *k = (struct roster){ 0 };
}

struct roster_entry *roster_find(const struct roster *k, struct id128 id)
{
    uint32_t i = map_get(&k->index, key_of(&id));
    return i == MAP_NONE ? NULL : &k->at[i];
}

struct roster_entry *roster_add(struct roster *k, struct id128 id, bool *ret_new)
{
    struct roster_entry *s = roster_find(k, id);
    *ret_new = !s;
    if (s)
        return s;
    CHECK(k->n < k->max);
    s = &k->at[k->n];
    s->id = id;
    map_put(&k->index, key_of(&s->id), k->n++);
    return s;
}

static void put_text(struct buf *b, struct str s)
{
    uint32_t n = (uint32_t)s.n;
    buf_put(b, &n, sizeof n);
    buf_str(b, s);
}

void roster_keep(struct roster *k, struct roster_entry *s, const struct lset *labels)
{
    s->at = k->text.n;
    for (uint32_t i = 0; i < labels->n; i++) {
        put_text(&k->text, labels->at[i].name);
        put_text(&k->text, labels->at[i].value);
    }
    s->n = k->text.bad ? 0 : (uint32_t)(k->text.n - s->at);
}

static struct str take_text(struct str *rest)
{
    uint32_t n;
    CHECK(rest->n >= sizeof n);
    memcpy(&n, rest->p, sizeof n);
    CHECK(rest->n - sizeof n >= n);
    struct str s = { rest->p + sizeof n, n };
    *rest = str_sub(*rest, sizeof n + n, rest->n);
    return s;
}

struct lset roster_labels(const struct roster *k, const struct roster_entry *s, struct arena *mem)
{
    struct lset set = { .mem = mem };
    struct str rest = { k->text.p + s->at, s->n };
    while (rest.n) {
        struct str name = take_text(&rest);
        lset_set(&set, name, take_text(&rest));
    }
    return set;
}
