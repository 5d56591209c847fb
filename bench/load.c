/* bench/load.c -- makes load files: the requests of a made-up company (src/fleet), ready to be
 * sent, and what queries over them must answer. The same options give the same bytes.
 *
 *   bench-load DIR [NAME=VALUE]...
 *
 *   people=N    people in the company                                     [100]
 *   days=N      whole days, UTC, that end with `end`                      [6]
 *   end=SECONDS Unix time, a midnight                                     [the last one]
 *   seed=N                                                                [1]
 *   brief=N     sessions of each person and day, of one prompt each; 0: as people are   [0]
 *   forms=A,B   of logs-1000, logs-50, otlp, write, delta, traces         [all]
 *
 * DIR/FORM.load and DIR/truth.json are written; with forms=NAME and DIR "-" the one file goes
 * to standard output and there is no truth. A summary is printed as JSON to standard error.
 *
 * otlp and write are the same samples: running totals, a minute apart. delta are the points
 * of the client's own default temporality, one export a turn.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/jw.h"
#include "load.h"

enum { LOGS_LARGE, LOGS_SMALL, OTLP, WRITE, DELTA, TRACES, FORMS };
static const struct {
    struct str name;
    uint32_t batch;
    bool snappy;
} forms[FORMS] = {
    [LOGS_LARGE] = { S("logs-1000"), 1000, false }, [LOGS_SMALL] = { S("logs-50"), 50, false },
    [OTLP] = { S("otlp"), 2000, false },            [WRITE] = { S("write"), 2000, true },
    [DELTA] = { S("delta"), 1000, false },          [TRACES] = { S("traces"), 1000, false },
};

struct load {
    uint64_t people, days, end, seed, brief;
    struct str wanted;
    const char *dir;
    struct out *out[FORMS];
    struct truth *truth;
    struct exports *exports;
    struct fleet_truth all;
    uint64_t series;
    uint32_t lane, events;                         /* of the turn at hand */
};

static bool wants(const struct load *l, uint32_t form)
{
    struct str rest = l->wanted;
    while (rest.p)
        if (str_eq(str_cut(&rest, ','), forms[form].name))
            return true;
    return !l->wanted.n;
}

static void usage(const char *what)
{
    fprintf(stderr, "bench-load: %s; see the head of bench/load.c\n", what);
    exit(2);
}

static void read_options(struct load *l, int argc, char **argv)
{
    static const struct { struct str name; size_t at; } numbers[] = {
        { S("people"), offsetof(struct load, people) }, { S("days"), offsetof(struct load, days) },
        { S("end"), offsetof(struct load, end) },       { S("seed"), offsetof(struct load, seed) },
        { S("brief"), offsetof(struct load, brief) },
    };
    if (argc < 2)
        usage("a directory is wanted");
    l->dir = argv[1];
    for (int i = 2; i < argc; i++) {
        struct str value = str_c(argv[i]), name = str_cut(&value, '=');
        bool known = str_eq(name, S("forms"));
        if (known)
            l->wanted = value;
        for (size_t k = 0; k < LEN(numbers) && !known; k++)
            known = str_eq(name, numbers[k].name) && str_to_u64(value, (uint64_t *)(void *)((char *)l + numbers[k].at));
        if (!known)
            usage(argv[i]);
    }
    if (!l->people || l->people > FLEET_PEOPLE_MAX || !l->days || l->days > 1000 || l->end % 86400)
        usage("people, days or end is out of range");
}

static void open_files(struct load *l)
{
    char path[4096];
    bool pipe = strcmp(l->dir, "-") == 0;
    for (uint32_t i = 0; i < FORMS; i++) {
        if (!wants(l, i))
            continue;
        snprintf(path, sizeof path, "%s/" STR_FMT ".load", l->dir, STR_ARG(forms[i].name));
        l->out[i] = out_new(pipe ? "-" : path, forms[i].batch, forms[i].snappy);
    }
    if (!pipe)
        l->truth = truth_new((int64_t)l->end * NS_PER_S, (uint32_t)l->days);
    if (l->out[OTLP] || l->out[WRITE])             /* else nothing is known of samples; it takes the memory of a day */
        l->exports = exports_new(l->out[OTLP], l->out[WRITE], l->truth);
}

static void on_event(void *arg, const struct fleet_event *e)
{
    struct load *l = arg;
    l->lane = load_lane(fleet_session_id(e->session));
    l->events++;
    if (l->truth)
        truth_event(l->truth, e);
}

static void on_gain(void *arg, const struct fleet_gain *g)
{
    struct load *l = arg;
    if (l->exports)
        exports_gain(l->exports, g);
}

static void put(struct load *l, uint32_t form, struct str body, uint32_t items)
{
    if (!l->out[form] || !items)
        return;
    buf_str(out_body(l->out[form], l->lane), body);
    out_add(l->out[form], l->lane, items);
}

static void add_truth(struct load *l, const struct fleet_truth *t)
{
    l->all.logs += t->logs;
    l->all.points += t->points;
    l->all.spans += t->spans;
    l->all.sessions += t->sessions;
}

/* A day by itself: what is told of its sessions is there until its end. */
static void one_day(struct load *l, int64_t day_ns)
{
    struct fleet *f = fleet_new(&(struct fleet_config){
        .seed = l->seed, .people = (uint32_t)l->people, .from_ns = day_ns, .to_ns = day_ns + NS_PER_DAY, .traces = true, .texts = true,
        .brief_sessions = (uint32_t)l->brief, .seen = on_event, .gained = on_gain, .arg = l,
    });
    struct fleet_turn t;
    struct fleet_truth before = { 0 };
    while (l->events = 0, fleet_next(f, &t)) {
        const struct fleet_truth *now = fleet_truth(f);
        for (uint32_t i = 0; i < FORMS; i++)
            if (i != OTLP && i != WRITE)
                out_clock(l->out[i], t.end_ns);
        put(l, LOGS_LARGE, t.logs, l->events);
        put(l, LOGS_SMALL, t.logs, l->events);
        put(l, DELTA, t.metrics, (uint32_t)(now->points - before.points));
        put(l, TRACES, t.traces, (uint32_t)(now->spans - before.spans));
        before = *now;
    }
    if (l->exports)
        exports_flush(l->exports);
    add_truth(l, &before);
    fleet_free(f);
}

static void summary(const struct load *l)
{
    struct buf out;
    struct jw w;
    buf_init(&out, 1 << 16);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_i64(&w, S("sessions"), (int64_t)l->all.sessions);
    jw_kv_i64(&w, S("series"), l->exports ? (int64_t)exports_series(l->exports) : 0);
    for (uint32_t i = 0; i < FORMS; i++) {
        if (!l->out[i])
            continue;
        jw_key(&w, forms[i].name);
        jw_obj(&w);
        jw_kv_i64(&w, S("requests"), (int64_t)l->out[i]->requests);
        jw_kv_i64(&w, S("items"), (int64_t)l->out[i]->items);
        jw_kv_i64(&w, S("bytes"), (int64_t)l->out[i]->bytes);
        jw_obj_end(&w);
    }
    jw_obj_end(&w);
    fprintf(stderr, STR_FMT "\n", STR_ARG(buf_view(&out)));
    buf_done(&out);
}

static void write_truth(const struct load *l)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/truth.json", l->dir);
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    truth_write(l->truth, &l->all, f);
    if (fclose(f)) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct load l = { .people = 100, .days = 6, .seed = 1, .end = (uint64_t)time(NULL) / 86400 * 86400 };
    read_options(&l, argc, argv);
    open_files(&l);
    for (uint64_t d = l.days; d; d--)
        one_day(&l, (int64_t)(l.end - d * 86400) * NS_PER_S);
    for (uint32_t i = 0; i < FORMS; i++)
        out_close(l.out[i]);
    summary(&l);
    for (uint32_t i = 0; i < FORMS; i++)
        out_free(l.out[i]);
    if (l.truth)
        write_truth(&l);
    exports_free(l.exports);
    truth_free(l.truth);
    return 0;
}
