/* ledger/story.c -- reads a session's rows, puts them in order and has them told.
 *
 *     log records -> records by time and sequence -> story_events[].tell
 *     spans       -> first those that name tools, then the rest -> story_spans[].tell
 */
#include "ledger/story.h"

#include <stdlib.h>

#include "ledger/story_int.h"

static int by_time(const void *a, const void *b)
{
    const struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void note_times(struct story *st, const struct record *r)
{
    st->begin_ns = st->begin_ns ? MIN(st->begin_ns, r->time_ns) : r->time_ns;
    int64_t end_ns = MAX(r->time_ns, r->end_ns);
    st->end_ns = MAX(st->end_ns, end_ns);
}

static void tell_all(struct telling *t, const struct record_list *l)
{
    if (l->n)
        qsort(l->at, l->n, sizeof(struct record *), by_time);
    for (size_t i = 0; i < l->n; i++) {
        note_times(t->st, l->at[i]);
        l->at[i]->kind->tell(t, l->at[i]);
    }
}

/* Spans by kind, in the order of the table: what names tools comes before what asks for them. */
static void tell_spans(struct telling *t, struct record_list *l)
{
    if (l->n)
        qsort(l->at, l->n, sizeof(struct record *), by_time);
    for (const struct kind *k = story_spans; k->name.n; k++)
        for (size_t i = 0; i < l->n; i++)
            if (l->at[i]->kind == k) {
                note_times(t->st, l->at[i]);
                k->tell(t, l->at[i]);
            }
}

static void maps_done(struct telling *t)
{
    map_done(&t->prompts);
    map_done(&t->requests);
    map_done(&t->tools);
    map_done(&t->agents);
    map_done(&t->refused);
    map_done(&t->spans);
}

enum err story_read(struct source *src, const struct prices *prices, const struct story_req *asked, struct arena *mem,
                    struct story *ret, struct fault *f)
{
    struct story st = { .session = arena_str(mem, asked->session) };
    struct telling t = { .st = &st, .prices = prices, .mem = mem };
    struct matcher m = { .op = MATCH_EQ, .label = S("session_id"), .value = asked->session };
    struct scan_req req = { .table = TABLE_LOG, .from_ns = asked->from_ns, .to_ns = asked->to_ns, .matchers = &m, .nmatchers = 1,
                            .all_labels = true, .without = WITHOUT_RECV | WITHOUT_CLAIMED | WITHOUT_ORIGIN,
                            .deadline_mono_ns = asked->deadline_mono_ns, .cancelled = asked->cancelled };
    struct record_list events = { 0 }, spans = { 0 };
    enum err e = story_rows(&t, src, &req, &events, f);
    if (!e) {
        req.table = TABLE_SPAN;
        e = story_rows(&t, src, &req, &spans, f);
    }
    if (!e) {
        st.events = (uint32_t)events.n;
        st.spans = (uint32_t)spans.n;
        st.has_traces = spans.n > 0;
        tell_all(&t, &events);
        tell_spans(&t, &spans);
        story_share(&st, mem);
        e = story_complete(src, &req, &st, asked->now_ns, mem, f);
    }
    if (!e && !events.n && !spans.n && st.complete.state == COMPLETE_NOTHING)
        e = fault_set(f, E_NOTFOUND, 0, "nothing has the session \"" STR_FMT "\"", STR_ARG(str_sub(asked->session, 0, 80)));
    if (!e)
        *ret = st;
    maps_done(&t);
    return e;
}
