/* fleet/fleet.c -- day after day, turn after turn. */
#include "fleet/fleet_int.h"

enum {
    BODY_MAX = 64 << 20,
    PEOPLE_BYTES = 1 << 20,
    DAY_BYTES = 64 << 20,
    TURN_BYTES = 8 << 20,
};

struct fleet {
    struct fleet_config cfg;
    struct fleet_truth truth;
    struct arena people_mem, day_mem, turn_mem;
    struct person *people;
    struct plan plan;
    int64_t day;                                   /* of `plan` */
    uint32_t next;                                 /* turn of it */
    struct buf logs, metrics, traces;
};

static void begin_day(struct fleet *f, int64_t day)
{
    arena_reset(&f->day_mem);
    f->day = day;
    f->next = 0;
    plan_day(&f->cfg, f->people, day, &f->day_mem, &f->plan);
}

struct fleet *fleet_new(const struct fleet_config *c)
{
    CHECK(c->people && c->people <= FLEET_PEOPLE_MAX && c->from_ns % NS_PER_DAY == 0 && c->to_ns % NS_PER_DAY == 0);
    struct fleet *f = mem_alloc(sizeof *f);
    f->cfg = *c;
    arena_init(&f->people_mem, PEOPLE_BYTES * (1 + c->people / 1000));
    arena_init(&f->day_mem, DAY_BYTES * (1 + c->people / 1000));
    arena_init(&f->turn_mem, TURN_BYTES);
    f->people = arena_new(&f->people_mem, struct person, c->people);
    for (uint32_t i = 0; i < c->people; i++)
        cast_person(c->seed, i, &f->people_mem, &f->people[i]);
    buf_init(&f->logs, BODY_MAX);
    buf_init(&f->metrics, BODY_MAX);
    buf_init(&f->traces, BODY_MAX);
    if (c->from_ns < c->to_ns)
        begin_day(f, c->from_ns / NS_PER_DAY);
    return f;
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    buf_done(&f->logs);
    buf_done(&f->metrics);
    buf_done(&f->traces);
    arena_done(&f->turn_mem);
    arena_done(&f->day_mem);
    arena_done(&f->people_mem);
    mem_free(f);
}

static struct turn *peek(struct fleet *f)
{
    if (f->cfg.from_ns >= f->cfg.to_ns)
        return NULL;
    while (f->next == f->plan.nturns) {
        if ((f->day + 1) * NS_PER_DAY >= f->cfg.to_ns)
            return NULL;
        begin_day(f, f->day + 1);
    }
    return &f->plan.turns[f->next];
}

int64_t fleet_next_end_ns(struct fleet *f)
{
    const struct turn *t = peek(f);
    return t ? t->start_ns + t->length_ms * NS_PER_MS : INT64_MAX;
}

bool fleet_next(struct fleet *f, struct fleet_turn *ret)
{
    const struct turn *t = peek(f);
    if (!t)
        return false;
    f->next++;
    arena_reset(&f->turn_mem);
    buf_clear(&f->logs);
    buf_clear(&f->metrics);
    buf_clear(&f->traces);
    struct session *s = &f->plan.sessions[t->session];
    int64_t start_ns = MAX(t->start_ns, s->free_ns);
    struct scene scene = {
        .cfg = &f->cfg,
        .s = s,
        .truth = &f->truth,
        .logs = &f->logs,
        .metrics = &f->metrics,
        .traces = f->cfg.traces && s->who->traces ? &f->traces : NULL,
        .mem = &f->turn_mem,
        .rng = { fleet_mix(s->rng.s ^ (s->done + 1)) },
        .start_ns = start_ns,
        .now_ns = start_ns,
    };
    turn_write(&scene, t->length_ms);
    s->free_ns = scene.now_ns + NS_PER_S;
    *ret = (struct fleet_turn){ start_ns, scene.now_ns, buf_view(&f->logs), buf_view(&f->metrics), buf_view(&f->traces) };
    return true;
}

const struct fleet_truth *fleet_truth(const struct fleet *f)
{
    return &f->truth;
}
