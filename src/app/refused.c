/* app/refused.c -- what becomes of a refusal: the table that pages show, the audit log, and a
 * word in the log, once for each sender, that says what it means and what mends it.
 *
 * Claude Code drops a batch for good when it is answered 400, 401, 403, 413 or 415, and says
 * nothing: so these are told here, where somebody may look. The rest of the refusals is
 * temporary, and retried.
 */
#include <string.h>

#include "app/app.h"
#include "http/access.h"

enum { WORDS_PER_MINUTE = 20 };                    /* of new senders; a flood of them is cut there */

static const struct {
    enum http_method method;
    struct str name;
} methods[] = {
    { HTTP_GET, S("GET") }, { HTTP_HEAD, S("HEAD") }, { HTTP_POST, S("POST") }, { HTTP_PUT, S("PUT") },
    { HTTP_DELETE, S("DELETE") }, { HTTP_OPTIONS, S("OPTIONS") },
};

static struct refusal refusal_of(const struct http_req *r, int status, const char *why, bool ingest)
{
    struct refusal x = { .status = status, .otlp = ingest };
    char shape[ACCESS_SHAPE_MAX];
    size_t n = access_shape(http_header(r, S("authorization")), shape);
    refusal_text(x.listener, sizeof x.listener, r->listener);
    refusal_text(x.peer, sizeof x.peer, access_peer_ip(r->peer));
    refusal_text(x.token, sizeof x.token, (struct str){ shape, n });
    refusal_text(x.agent, sizeof x.agent, http_header(r, S("user-agent")));
    refusal_text(x.path, sizeof x.path, r->raw_path);
    refusal_text(x.why, sizeof x.why, str_c(why));
    for (size_t i = 0; i < LEN(methods); i++)
        if (methods[i].method == r->method)
            refusal_text(x.method, sizeof x.method, methods[i].name);
    return x;
}

static bool may_speak(struct app *a, int64_t now_ns)
{
    pthread_mutex_lock(&a->refused_lock);
    if (now_ns - a->refused_minute_ns > 60 * NS_PER_S) {
        a->refused_minute_ns = now_ns;
        a->refused_words = 0;
    }
    bool yes = a->refused_words++ < WORDS_PER_MINUTE;
    pthread_mutex_unlock(&a->refused_lock);
    return yes;
}

static const char *cure(const struct refusal *x)
{
    if (x->status == 403 && *x->token)
        return "name it under listeners of ccmon.yml, or send to the listener it is for";
    if (x->status == 429)
        return "somebody may be guessing passwords; DATA/audit.log has more";
    if (x->otlp)
        return "set OTEL_EXPORTER_OTLP_HEADERS=\"Authorization=Bearer TOKEN\" where it runs; until then it drops what it sends, in silence";
    return "give it one of the tokens or users that ccmon.yml has for this listener";
}

static void tell(struct app *a, const struct refusal *x, int64_t now_ns)
{
    if (!may_speak(a, now_ns))
        return;
    bool host = x->status == 403 && !strstr(x->why, "known, but not");   /* Host and Origin bring their own advice */
    log_line(LOG_WARN, "%s: %d to %s%s%s%s, %s: %s%s%s", x->listener, x->status, x->peer, *x->agent ? " (" : "", x->agent,
             *x->agent ? ")" : "", *x->token ? x->token : "no token", x->why, host ? "" : "; ", host ? "" : cure(x));
}

static bool is_lost(int status)
{
    return status == 400 || status == 413 || status == 415;
}

void app_refused_request(void *arg, const struct http_refusal *r)
{
    struct app *a = arg;
    bool access = r->status == 401 || r->status == 403 || r->status == 429;
    if (!access)
        log_limited(LOG_WARN, r->why, STR_FMT ": %d to " STR_FMT ": %s", STR_ARG(r->req->listener), r->status, STR_ARG(r->req->peer),
                    r->why);
    if (!access && !(r->ingest && is_lost(r->status)))
        return;
    struct refusal x = refusal_of(r->req, r->status, r->why, r->ingest);
    int64_t now_ns = clock_now(&clock_system);
    bool fresh = refusals_note(a->refusals, &x, now_ns);
    if (!access)
        return;
    audit_note(a->audit, &x);
    if (fresh)
        tell(a, &x, now_ns);
}

void app_refused_otlp(void *arg, const struct http_req *r, int status, struct str why)
{
    struct app *a = arg;
    if (!is_lost(status))
        return;
    char text[REFUSAL_WHY_MAX];
    refusal_text(text, sizeof text, why);
    struct refusal x = refusal_of(r, status, text, true);
    refusals_note(a->refusals, &x, clock_now(&clock_system));
}

void app_refused_peer(void *arg, struct str listener, struct str peer, int status, const char *why)
{
    struct app *a = arg;
    log_limited(LOG_WARN, why, STR_FMT ": %d to " STR_FMT ": %s", STR_ARG(listener), status, STR_ARG(peer), why);
    if (status != 429 && status != 400)
        return;                                    /* 400 without a request is a handshake that failed: its sender gives up */
    struct refusal x = { .status = status, .otlp = str_starts(listener, S("otlp")) };
    refusal_text(x.listener, sizeof x.listener, listener);
    refusal_text(x.peer, sizeof x.peer, access_peer_ip(peer));
    refusal_text(x.why, sizeof x.why, str_c(why));
    if (status == 429)
        audit_note(a->audit, &x);
    else
        refusals_note(a->refusals, &x, clock_now(&clock_system));
}
