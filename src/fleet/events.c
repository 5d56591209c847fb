/* fleet/events.c -- the envelope of a request, the standard attributes, one log record. */
#include "base/num.h"
#include "fleet/fleet_int.h"
#include "otlp/fields.h"

void resource_begin(const struct session *s, struct buf *b, struct str scope, struct msg open[2])
{
    open[0] = msg_begin(b, F_REQUEST_RESOURCES);
    struct msg r = msg_begin(b, F_RESOURCES_RESOURCE);
    attr_text(b, F_RESOURCE_ATTRS, S("host.arch"), s->who->zone_min > 0 ? S("arm64") : S("amd64"));
    attr_text(b, F_RESOURCE_ATTRS, S("os.type"), s->who->zone_min > 0 ? S("darwin") : S("linux"));
    attr_text(b, F_RESOURCE_ATTRS, S("os.version"), s->who->zone_min > 0 ? S("26.1.0") : S("6.12.0"));
    attr_text(b, F_RESOURCE_ATTRS, S("service.name"), S("claude-code"));
    attr_text(b, F_RESOURCE_ATTRS, S("service.version"), s->version);
    attr_text(b, F_RESOURCE_ATTRS, S("team"), s->who->team);
    attr_text(b, F_RESOURCE_ATTRS, S("ccmon.demo"), S("true"));
    msg_end(b, r);
    open[1] = msg_begin(b, F_RESOURCES_SCOPES);
    struct msg sc = msg_begin(b, F_SCOPES_SCOPE);
    wire_put_bytes(b, F_SCOPE_NAME, scope);
    wire_put_bytes(b, F_SCOPE_VERSION, s->version);
    msg_end(b, sc);
}

void resource_end(struct buf *b, struct msg open[2])
{
    msg_end(b, open[1]);
    msg_end(b, open[0]);
}

void fleet_attrs(const struct session *s, void (*each)(void *arg, struct str key, struct str value), void *arg)
{
    const struct person *w = s->who;
    each(arg, S("user.id"), w->user_id);
    each(arg, S("session.id"), s->id);
    each(arg, S("organization.id"), w->org);
    each(arg, S("user.email"), w->email);
    each(arg, S("user.account_uuid"), w->account_uuid);
    each(arg, S("user.account_id"), w->account_id);
    each(arg, S("terminal.type"), w->terminal);
    each(arg, S("anthropic.provider"), S("firstParty"));
    each(arg, S("app.version"), s->version);
    each(arg, S("vcs.repository.name"), w->repo);
    each(arg, S("vcs.owner.name"), w->owner);
    each(arg, S("team"), w->team);
}

struct str fleet_session_id(const struct session *s)
{
    return s->id;
}

struct str fleet_email(const struct session *s)
{
    return s->who->email;
}

struct attr_to {
    struct buf *b;
    uint32_t field;
};

static void put_attr(void *arg, struct str key, struct str value)
{
    const struct attr_to *to = arg;
    attr_text(to->b, to->field, key, value);
}

void standard_attrs(struct scene *s, struct buf *b, uint32_t field)
{
    fleet_attrs(s->s, put_attr, &(struct attr_to){ b, field });
}

void event_begin(struct scene *s, struct str name, bool with_prompt)
{
    struct buf *b = s->logs;
    char when[40];
    s->record = msg_begin(b, F_SCOPES_ITEMS);         /* stays open until event_end() */
    wire_put_fixed64(b, F_LOG_TIME, (uint64_t)s->now_ns);
    wire_put_fixed64(b, F_LOG_OBSERVED, (uint64_t)s->now_ns);
    struct msg body = msg_begin(b, F_LOG_BODY);
    wire_put_bytes(b, F_ANY_STRING, arena_fmt(s->mem, "claude_code." STR_FMT, STR_ARG(name)));
    msg_end(b, body);
    standard_attrs(s, b, F_LOG_ATTRS);
    attr_text(b, F_LOG_ATTRS, S("event.name"), name);
    attr_text(b, F_LOG_ATTRS, S("event.timestamp"), (struct str){ when, num_fmt_rfc3339(when, s->now_ns) });
    attr_int(b, F_LOG_ATTRS, S("event.sequence"), s->s->sequence++);
    if (with_prompt)
        attr_text(b, F_LOG_ATTRS, S("prompt.id"), s->prompt_id);
    s->event = (struct fleet_event){ .session = s->s, .time_ns = s->now_ns, .name = name };
    s->truth->logs++;
}

void event_end(struct scene *s)
{
    msg_end(s->logs, s->record);
    if (s->cfg->seen)
        s->cfg->seen(s->cfg->arg, &s->event);
}
