/* fleet/metrics.c -- the counters of one turn, as delta points of one export. */
#include "fleet/fleet_int.h"
#include "otlp/fields.h"

const struct fleet_metric_def fleet_metrics[FLEET_METRICS] = {
    [M_SESSIONS] = { S("claude_code.session.count"), S(""), S("Count of CLI sessions started"), { S("start_type") } },
    [M_COST] = { S("claude_code.cost.usage"), S("USD"), S("Cost of the Claude Code session"),
                 { S("model"), S("query_source"), S("agent.name") } },
    [M_TOKENS] = { S("claude_code.token.usage"), S("tokens"), S("Number of tokens used"),
                   { S("model"), S("query_source"), S("type") } },
    [M_LINES] = { S("claude_code.lines_of_code.count"), S(""), S("Count of lines of code modified"), { S("type"), S("model") } },
    [M_COMMITS] = { S("claude_code.commit.count"), S(""), S("Number of git commits created"), { { 0 } } },
    [M_DECISIONS] = { S("claude_code.code_edit_tool.decision"), S(""), S("Count of code editing tool permission decisions"),
                      { S("decision"), S("tool_name"), S("language") } },
    [M_ACTIVE] = { S("claude_code.active_time.total"), S("s"), S("Total active time"), { S("type") } },
};

void counter_add(struct scene *s, enum fleet_metric m, struct str a, struct str b, struct str c, double value, int64_t nano)
{
    uint32_t i = 0;
    while (i < s->ncounters && !(s->counters[i].metric == m && str_eq(s->counters[i].a[0], a) && str_eq(s->counters[i].a[1], b) &&
                                 str_eq(s->counters[i].a[2], c)))
        i++;
    if (i == s->ncounters) {
        CHECK(s->ncounters < LEN(s->counters));
        s->counters[s->ncounters++] = (struct counter){ .metric = m, .a = { a, b, c } };
    }
    s->counters[i].value += value;
    s->counters[i].nano += (uint64_t)nano;
}

static void write_point(struct scene *s, const struct counter *c)
{
    struct buf *b = s->metrics;
    struct msg p = msg_begin(b, F_DATA_POINTS);
    wire_put_fixed64(b, F_POINT_START, (uint64_t)s->start_ns);
    wire_put_fixed64(b, F_POINT_TIME, (uint64_t)s->now_ns);
    /* Money is added up in whole nano-dollars and divided once. */
    wire_put_double(b, F_POINT_DOUBLE, c->metric == M_COST ? (double)c->nano / 1e9 : c->value);
    standard_attrs(s, b, F_POINT_ATTRS);
    for (size_t i = 0; i < LEN(c->a); i++)
        if (c->a[i].n)
            attr_text(b, F_POINT_ATTRS, fleet_metrics[c->metric].attrs[i], c->a[i]);
    msg_end(b, p);
    s->truth->points++;
}

static void tell_gains(const struct scene *s)
{
    for (uint32_t i = 0; i < s->ncounters && s->cfg->gained; i++) {
        const struct counter *c = &s->counters[i];
        bool money = c->metric == M_COST;
        s->cfg->gained(s->cfg->arg, &(struct fleet_gain){
            .session = s->s, .start_ns = s->start_ns, .time_ns = s->now_ns, .metric = (enum fleet_metric)c->metric,
            .a = { c->a[0], c->a[1], c->a[2] }, .value = money ? (double)c->nano / 1e9 : c->value, .nano = (int64_t)c->nano,
        });
    }
}

void fleet_metrics_envelope(const struct session *s, struct str items, struct buf *ret)
{
    struct msg open[2];
    resource_begin(s, ret, S("com.anthropic.claude_code"), open);
    buf_str(ret, items);
    resource_end(ret, open);
}

void metrics_write(struct scene *s)
{
    struct buf *b = s->metrics;
    struct msg open[2];
    tell_gains(s);
    resource_begin(s->s, b, S("com.anthropic.claude_code"), open);
    for (uint32_t m = 0; m < M_COUNT; m++) {
        struct msg metric = { 0 }, sum = { 0 };
        bool any = false;
        for (uint32_t i = 0; i < s->ncounters; i++) {
            if (s->counters[i].metric != m)
                continue;
            if (!any) {
                metric = msg_begin(b, F_SCOPES_ITEMS);
                wire_put_bytes(b, F_METRIC_NAME, fleet_metrics[m].name);
                wire_put_bytes(b, F_METRIC_DESCRIPTION, fleet_metrics[m].help);
                wire_put_bytes(b, F_METRIC_UNIT, fleet_metrics[m].unit);
                sum = msg_begin(b, F_METRIC_SUM);
                wire_put_varint(b, F_DATA_TEMPORALITY, OTLP_TEMPORALITY_DELTA);
                wire_put_varint(b, F_DATA_MONOTONIC, 1);
                any = true;
            }
            write_point(s, &s->counters[i]);
        }
        if (any) {
            msg_end(b, sum);
            msg_end(b, metric);
        }
    }
    resource_end(b, open);
}
