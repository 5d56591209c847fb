/* bench/truth.c -- what the queries of the benchmark must answer, added up where the load is
 * drawn and never read back from what was encoded.
 *
 * Money is in nano-dollars and tokens are whole, so that every sum is exact; the harness
 * divides. A window is (from, to] as in both query languages, so that a moment belongs to the
 * bucket whose end is the next whole one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jw.h"
#include "load.h"

enum {
    NAMES_MAX = 32, TOOLS_MAX = 16, DAY_HOURS = 24, RATE_MINUTES = 6 * 60 + 5, TOP_USERS = 10, TRUTH_BYTES = 1 << 30,
    HOURS_MAX = 24 * 1000,
};

struct named {
    struct str name;
    uint64_t n, sum;
};

struct user {
    struct str email;
    int64_t nano;
};

struct truth {
    int64_t end_ns, day_ns, all_ns;                /* end, and when its last day and the whole load begin */
    uint32_t hours;
    struct named names[NAMES_MAX], tools[TOOLS_MAX];   /* of the last day */
    uint32_t nnames, ntools;
    int64_t event_nano[DAY_HOURS][FLEET_MODELS];
    double *durations[FLEET_MODELS];               /* of requests of the last day */
    uint32_t ndurations[FLEET_MODELS], cap_durations[FLEET_MODELS];
    uint64_t marked_day, marked_all, events_all;
    struct map day_sessions;                       /* of the last day, by id: how many events, in their order of beginning */
    struct named *seen;
    uint32_t nseen, cap_seen, pick;                /* pick: 1 + the first that began in its second half */
    int64_t (*nano)[FLEET_MODELS];                 /* by hour */
    uint64_t (*tokens)[FLEET_MODELS][FLEET_TOKEN_TYPES];
    uint64_t minutes[RATE_MINUTES][FLEET_TOKEN_TYPES];
    struct map sessions, emails;
    struct user *users;
    uint32_t nusers, cap_users;
    struct arena mem;
};

struct truth *truth_new(int64_t end_ns, uint32_t days)
{
    struct truth *t = mem_alloc(sizeof *t);
    *t = (struct truth){ .end_ns = end_ns, .day_ns = end_ns - NS_PER_DAY, .all_ns = end_ns - days * NS_PER_DAY, .hours = days * 24 };
    CHECK(t->hours <= HOURS_MAX);
    arena_init(&t->mem, TRUTH_BYTES);
    t->nano = arena_alloc(&t->mem, arena_bytes(sizeof *t->nano, t->hours), 8);
    t->tokens = arena_alloc(&t->mem, arena_bytes(sizeof *t->tokens, t->hours), 8);
    return t;
}

void truth_free(struct truth *t)
{
    if (!t)
        return;
    for (uint32_t m = 0; m < FLEET_MODELS; m++)
        mem_free(t->durations[m]);
    map_done(&t->sessions);
    map_done(&t->emails);
    map_done(&t->day_sessions);
    arena_done(&t->mem);
    mem_free(t);
}

/* Of buckets of `width` that end at the end: which one holds the moment? False: none of n. */
static bool bucket(const struct truth *t, int64_t time_ns, int64_t width, uint32_t n, uint32_t *ret)
{
    if (time_ns > t->end_ns || time_ns <= t->end_ns - (int64_t)n * width)
        return false;
    *ret = n - 1 - (uint32_t)((t->end_ns - time_ns) / width);
    return true;
}

static uint32_t index_of(const struct str *names, uint32_t n, struct str name)
{
    uint32_t i = 0;
    while (i < n && !str_eq(names[i], name))
        i++;
    CHECK(i < n);
    return i;
}

/* ---- events ------------------------------------------------------------------------------ */

static struct named *named(struct truth *t, struct named *at, uint32_t *n, uint32_t max, struct str name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (str_eq(at[i].name, name))
            return &at[i];
    CHECK(*n < max);
    at[*n].name = arena_str(&t->mem, name);
    return &at[(*n)++];
}

static void request(struct truth *t, const struct fleet_event *e, uint32_t hour)
{
    uint32_t m = index_of(fleet_model_names, FLEET_MODELS, e->model);
    t->event_nano[hour][m] += e->nano;
    if (t->ndurations[m] == t->cap_durations[m]) {
        t->cap_durations[m] = MAX(2 * t->cap_durations[m], 1024u);
        t->durations[m] = mem_resize(t->durations[m], sizeof(double) * t->cap_durations[m]);
    }
    t->durations[m][t->ndurations[m]++] = (double)e->duration_ms;
}

static void count_session(struct truth *t, const struct fleet_event *e)
{
    bool fresh;
    uint32_t id = map_get(&t->day_sessions, fleet_session_id(e->session));
    if (id == MAP_NONE) {
        struct str text = arena_str(&t->mem, fleet_session_id(e->session));
        id = map_intern(&t->day_sessions, text, t->nseen, &fresh);
        *arena_push(&t->mem, t->seen, t->nseen, t->cap_seen) = (struct named){ .name = text };
        if (!t->pick && e->time_ns > t->end_ns - NS_PER_DAY / 2)
            t->pick = id + 1;
    }
    t->seen[id].n++;
}

void truth_event(struct truth *t, const struct fleet_event *e)
{
    uint32_t hour;
    if (e->time_ns > t->end_ns || e->time_ns <= t->all_ns)
        return;
    t->events_all++;
    t->marked_all += e->marked;
    if (!bucket(t, e->time_ns, NS_PER_DAY / DAY_HOURS, DAY_HOURS, &hour))
        return;
    t->marked_day += e->marked;
    named(t, t->names, &t->nnames, NAMES_MAX, e->name)->n++;
    if (e->tool.n) {
        struct named *tool = named(t, t->tools, &t->ntools, TOOLS_MAX, e->tool);
        tool->n++;
        tool->sum += e->duration_ms;
    }
    if (str_eq(e->name, S("api_request")))
        request(t, e, hour);
    count_session(t, e);
}

/* ---- samples ----------------------------------------------------------------------------- */

static void cost(struct truth *t, struct str email, const struct str *a, uint32_t hour, int64_t nano)
{
    bool fresh;
    uint32_t id = map_get(&t->emails, email);
    if (id == MAP_NONE) {
        id = map_intern(&t->emails, arena_str(&t->mem, email), t->nusers, &fresh);
        *arena_push(&t->mem, t->users, t->nusers, t->cap_users) = (struct user){ .email = arena_str(&t->mem, email) };
    }
    t->users[id].nano += nano;
    t->nano[hour][index_of(fleet_model_names, FLEET_MODELS, a[0])] += nano;
}

static void tokens(struct truth *t, const struct str *a, uint32_t hour, int64_t time_ns, double value)
{
    uint32_t minute, type = index_of(fleet_token_names, FLEET_TOKEN_TYPES, a[2]);
    t->tokens[hour][index_of(fleet_model_names, FLEET_MODELS, a[0])][type] += (uint64_t)value;
    if (bucket(t, time_ns, NS_PER_DAY / (24 * 60), RATE_MINUTES, &minute))
        t->minutes[minute][type] += (uint64_t)value;
}

void truth_sample(struct truth *t, struct str session, struct str email, enum fleet_metric m, const struct str *a, int64_t time_ns,
                  double value, int64_t nano)
{
    uint32_t hour;
    if (!bucket(t, time_ns / NS_PER_MS * NS_PER_MS, NS_PER_DAY / 24, t->hours, &hour))
        return;
    if (m == M_SESSIONS && map_get(&t->sessions, session) == MAP_NONE)
        map_put(&t->sessions, arena_str(&t->mem, session), 1);
    else if (m == M_COST)
        cost(t, email, a, hour, nano);
    else if (m == M_TOKENS)
        tokens(t, a, hour, time_ns / NS_PER_MS * NS_PER_MS, value);
}

/* ---- out --------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_nano(const void *a, const void *b)
{
    const struct user *x = a, *y = b;
    return (x->nano < y->nano) - (x->nano > y->nano);
}

/* As both languages do it: between the two nearest. */
static double quantile(double q, double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_number);
    double rank = q * (double)(n - 1);
    uint32_t low = (uint32_t)rank, high = MIN(low + 1, n - 1);
    double weight = rank - (double)low;
    return v[low] * (1 - weight) + v[high] * weight;
}

static void write_events(struct jw *w, const struct truth *t)
{
    jw_key(w, S("count_by_event"));
    jw_obj(w);
    for (uint32_t i = 0; i < t->nnames; i++)
        jw_kv_i64(w, t->names[i].name, (int64_t)t->names[i].n);
    jw_obj_end(w);
    jw_key(w, S("duration_by_tool"));
    jw_obj(w);
    for (uint32_t i = 0; i < t->ntools; i++) {
        jw_key(w, t->tools[i].name);
        jw_f64(w, (double)t->tools[i].sum / (double)t->tools[i].n);
    }
    jw_obj_end(w);
    jw_key(w, S("p95_by_model"));
    jw_obj(w);
    for (uint32_t m = 0; m < FLEET_MODELS; m++)
        if (t->ndurations[m]) {
            jw_key(w, fleet_model_names[m]);
            jw_f64(w, quantile(0.95, t->durations[m], t->ndurations[m]));
        }
    jw_obj_end(w);
    jw_kv_i64(w, S("session_events"), t->pick ? (int64_t)t->seen[t->pick - 1].n : 0);
    jw_kv_i64(w, S("marked_day"), (int64_t)t->marked_day);
    jw_kv_i64(w, S("marked_all"), (int64_t)t->marked_all);
    jw_kv_i64(w, S("events_all"), (int64_t)t->events_all);
    jw_kv_str(w, S("session"), t->pick ? t->seen[t->pick - 1].name : S(""));
}

/* {model: [nano-dollars of each hour]} */
static void write_cost(struct jw *w, struct str key, const int64_t (*nano)[FLEET_MODELS], uint32_t hours)
{
    jw_key(w, key);
    jw_obj(w);
    for (uint32_t m = 0; m < FLEET_MODELS; m++) {
        jw_key(w, fleet_model_names[m]);
        jw_arr(w);
        for (uint32_t h = 0; h < hours; h++)
            jw_i64(w, nano[h][m]);
        jw_arr_end(w);
    }
    jw_obj_end(w);
}

static void write_tokens(struct jw *w, const struct truth *t)
{
    char key[200];
    jw_key(w, S("tokens_by_model_type"));
    jw_obj(w);
    for (uint32_t i = 0; i < FLEET_MODELS * FLEET_TOKEN_TYPES; i++) {
        uint32_t m = i / FLEET_TOKEN_TYPES, type = i % FLEET_TOKEN_TYPES;
        int n = snprintf(key, sizeof key, STR_FMT "|" STR_FMT, STR_ARG(fleet_model_names[m]), STR_ARG(fleet_token_names[type]));
        jw_key(w, (struct str){ key, (size_t)n });
        jw_arr(w);
        for (uint32_t h = 0; h < t->hours; h++)
            jw_i64(w, (int64_t)t->tokens[h][m][type]);
        jw_arr_end(w);
    }
    jw_obj_end(w);
    jw_key(w, S("tokens_by_minute"));
    jw_obj(w);
    for (uint32_t type = 0; type < FLEET_TOKEN_TYPES; type++) {
        jw_key(w, fleet_token_names[type]);
        jw_arr(w);
        for (uint32_t k = 0; k < RATE_MINUTES; k++)
            jw_i64(w, (int64_t)t->minutes[k][type]);
        jw_arr_end(w);
    }
    jw_obj_end(w);
}

static void write_users(struct jw *w, const struct truth *t)
{
    if (t->nusers)
        qsort(t->users, t->nusers, sizeof *t->users, by_nano);
    jw_key(w, S("top_users"));
    jw_obj(w);
    for (uint32_t i = 0; i < MIN(t->nusers, (uint32_t)TOP_USERS); i++)
        jw_kv_i64(w, t->users[i].email, t->users[i].nano);
    jw_obj_end(w);
}

void truth_write(const struct truth *t, const struct fleet_truth *all, FILE *f)
{
    struct buf out;
    struct jw w;
    buf_init(&out, TRUTH_BYTES);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_i64(&w, S("end"), t->end_ns / NS_PER_S);
    jw_kv_i64(&w, S("hours"), t->hours);
    jw_kv_i64(&w, S("events"), (int64_t)all->logs);
    jw_kv_i64(&w, S("spans"), (int64_t)all->spans);
    jw_kv_i64(&w, S("sessions_drawn"), (int64_t)all->sessions);
    jw_kv_i64(&w, S("sessions"), t->sessions.n);
    write_events(&w, t);
    write_cost(&w, S("event_cost_by_model"), t->event_nano, DAY_HOURS);
    write_cost(&w, S("cost_by_model"), t->nano, t->hours);
    write_tokens(&w, t);
    write_users(&w, t);
    jw_obj_end(&w);
    CHECK(!out.bad && fwrite(out.p, 1, out.n, f) == out.n);
    buf_done(&out);
}
