/* scrape/write.c -- the caller and the sink each hold the write; the last one frees it. */
#include "scrape/write.h"

#include <pthread.h>

#include "base/clock.h"

enum { WRITE_ARENA_BYTES = 512 << 20 };

struct pending {
    struct arena mem;
    struct batch batch;
    struct write_req req;
    pthread_mutex_t lock;                          /* of what follows */
    pthread_cond_t wake;
    bool done, left;
    enum err e;
    struct fault fault;
};

static void pending_free(struct pending *p)
{
    batch_done(&p->batch);
    arena_done(&p->mem);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    mem_free(p);
}

/* The writer's thread. */
static void on_done(struct write_req *w, enum err e, const struct fault *f)
{
    struct pending *p = w->arg;
    pthread_mutex_lock(&p->lock);
    p->done = true;
    p->e = e;
    if (f)
        p->fault = *f;
    bool left = p->left;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (left)
        pending_free(p);
}

static enum err wait_for(struct pending *p, int64_t wait_ns, struct fault *f)
{
    struct timespec until;
    clock_deadline(wait_ns, &until);
    pthread_mutex_lock(&p->lock);
    while (!p->done && !clock_cond_wait(&p->wake, &p->lock, &until)) {
    }
    bool done = p->done;
    p->left = !done;
    enum err e = p->e;
    struct fault fault = p->fault;
    pthread_mutex_unlock(&p->lock);
    if (!done)
        return fault_set(f, E_UNAVAILABLE, 0, "not stored in time");
    pending_free(p);
    return e ? fault_set(f, e, 0, "not stored: %s", fault.msg) : OK;
}

enum err scrape_write(struct sink *sink, const struct frame *w, int64_t start_ns, int64_t wait_ns, struct fault *f)
{
    struct pending *p = mem_alloc(sizeof *p);
    arena_init(&p->mem, WRITE_ARENA_BYTES);
    pthread_mutex_init(&p->lock, NULL);
    clock_cond_init(&p->wake);
    struct str body = frame_body(w, start_ns, &p->mem);
    enum err e = body.n ? scrape_decode(body, w->time_ns, &p->mem, &p->batch, f) : E_LIMIT;
    if (!body.n || (!e && arena_over(&p->mem)))
        e = fault_set(f, E_LIMIT, 0, "the scrape is too large to be stored");
    if (e) {
        pending_free(p);
        return e;
    }
    p->req = (struct write_req){ .kind = FRAME_SCRAPE, .body = body, .recv_ns = w->time_ns, .batch = &p->batch, .done = on_done, .arg = p };
    sink->write(sink, &p->req);
    return wait_for(p, wait_ns, f);
}
