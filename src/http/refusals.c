/* http/refusals.c -- see refusals.h. A few hundred rows are walked in a microsecond, which a
 * refusal may cost; and a flood from many senders only pushes out its own.
 */
#include "http/refusals.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct refusals {
    pthread_mutex_t lock;                          /* of all below */
    uint32_t n;
    uint64_t total;
    struct refusal at[REFUSALS_MAX];
};

struct refusals *refusals_new(void)
{
    struct refusals *r = mem_pages(sizeof(*r));    /* most of it is never touched */
    CHECK(pthread_mutex_init(&r->lock, NULL) == 0);
    return r;
}

void refusals_free(struct refusals *r)
{
    if (!r)
        return;
    CHECK(pthread_mutex_destroy(&r->lock) == 0);
    mem_pages_free(r, sizeof(*r));
}

/* Cuts at a whole UTF-8 character where it can. */
void refusal_text(char *out, size_t size, struct str s)
{
    size_t n = MIN(s.n, size - 1);
    while (n && n < s.n && ((uint8_t)s.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f ? ' ' : s.p[i];
    memset(out + n, 0, size - n);                  /* so that rows can be compared as bytes */
}

/* Without a request there is nothing but the reason to tell two of them apart. */
static bool same_sender(const struct refusal *a, const struct refusal *b)
{
    bool requests = *a->method && *b->method;
    return a->status == b->status && (requests || !strcmp(a->why, b->why)) && !strcmp(a->listener, b->listener) &&
           !strcmp(a->peer, b->peer) && !strcmp(a->token, b->token) && !strcmp(a->agent, b->agent);
}

static struct refusal *find(struct refusals *r, const struct refusal *x)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (same_sender(&r->at[i], x))
            return &r->at[i];
    return NULL;
}

static struct refusal *make_room(struct refusals *r)
{
    if (r->n < REFUSALS_MAX)
        return &r->at[r->n++];
    struct refusal *oldest = r->at;
    for (uint32_t i = 1; i < r->n; i++)
        if (r->at[i].last_ns < oldest->last_ns)
            oldest = &r->at[i];
    return oldest;
}

bool refusals_note(struct refusals *r, const struct refusal *x, int64_t now_ns)
{
    CHECK(pthread_mutex_lock(&r->lock) == 0);
    struct refusal *at = find(r, x);
    bool fresh = !at;
    int64_t first = at ? at->first_ns : now_ns;
    uint64_t count = at ? at->count : 0;
    if (!at)
        at = make_room(r);
    *at = *x;
    at->first_ns = first;
    at->last_ns = now_ns;
    at->count = count + 1;
    r->total++;
    CHECK(pthread_mutex_unlock(&r->lock) == 0);
    return fresh;
}

static int latest_first(const void *x, const void *y)
{
    const struct refusal *a = x, *b = y;
    return a->last_ns < b->last_ns ? 1 : a->last_ns > b->last_ns ? -1 : 0;
}

uint32_t refusals_list(struct refusals *r, struct refusal *out, uint32_t max)
{
    struct refusal *all = mem_alloc(sizeof(*all) * REFUSALS_MAX);
    CHECK(pthread_mutex_lock(&r->lock) == 0);
    uint32_t n = r->n;
    memcpy(all, r->at, sizeof(*all) * n);
    CHECK(pthread_mutex_unlock(&r->lock) == 0);
    qsort(all, n, sizeof(*all), latest_first);
    n = MIN(n, max);
    memcpy(out, all, sizeof(*all) * n);
    mem_free(all);
    return n;
}

uint64_t refusals_total(struct refusals *r)
{
    CHECK(pthread_mutex_lock(&r->lock) == 0);
    uint64_t n = r->total;
    CHECK(pthread_mutex_unlock(&r->lock) == 0);
    return n;
}
