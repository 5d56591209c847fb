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

void standard_attrs(struct scene *s, struct buf *b, uint32_t field)
{
    const struct person *w = s->s->who;
    attr_text(b, field, S("user.id"), w->user_id);
    attr_text(b, field, S("session.id"), s->s->id);
    attr_text(b, field, S("organization.id"), w->org);
    attr_text(b, field, S("user.email"), w->email);
    attr_text(b, field, S("user.account_uuid"), w->account_uuid);
    attr_text(b, field, S("user.account_id"), w->account_id);
    attr_text(b, field, S("terminal.type"), w->terminal);
    attr_text(b, field, S("anthropic.provider"), S("firstParty"));
    attr_text(b, field, S("app.version"), s->s->version);
    attr_text(b, field, S("vcs.repository.name"), w->repo);
    attr_text(b, field, S("vcs.owner.name"), w->owner);
    attr_text(b, field, S("team"), w->team);
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
    s->truth->logs++;
}

void event_end(struct scene *s)
{
    msg_end(s->logs, s->record);
}
