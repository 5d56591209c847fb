/* api/targets_words.c -- what to do about a target that does not answer, and what nobody can do
 * anything about as long as Claude Code is only scraped.
 */
#include "api/targets.h"

const struct str targets_blind[] = {
    S("What a session adds after the last scrape is lost: up to one interval of tokens and cost, its active time, and all of a run that "
      "was shorter than the time between two scrapes."),
    S("A port belongs to one process. A second Claude Code on the same port says nothing and is not seen; give each one "
      "OTEL_EXPORTER_PROMETHEUS_PORT of its own, 9464 to 9480."),
    S("Counters only: no events (prompts, tools, requests, errors) and no traces."),
    { NULL, 0 },
};

const struct str targets_mend = S("OTEL_METRICS_EXPORTER=otlp,prometheus");

struct cure {
    enum fetch_end end;
    struct str text;
};

static const struct cure cures[] = {
    { FETCH_REFUSED, S("Nobody listens there. Start what is to be scraped, or correct the address.") },
    { FETCH_RESET, S("The connection was closed before the answer was complete: the process ended, or it does not speak HTTP.") },
    { FETCH_TIMEOUT, S("No answer in time. Is it overloaded, or is a firewall in between? scrape_timeout can be longer.") },
    { FETCH_NAME, S("The host's name has no address. Is it spelled right?") },
    { FETCH_TLS, S("TLS failed. See ca_file, server_name and the certificate in tls_config, and whether the target speaks TLS at all.") },
    { FETCH_TOO_LARGE, S("The answer is larger than body_size_limit.") },
    { FETCH_MALFORMED, S("The answer is no HTTP. Is it another program's port?") },
    { FETCH_OTHER, S("The request could not be made; the error says why.") },
    { FETCH_OK, S("The answer is no exposition that can be taken. See metrics_path, credentials and the limits of the job.") },
};

struct str target_cure(const struct target *t, bool empty)
{
    if (t->shown.health == TARGET_UP || t->shown.health == TARGET_UNKNOWN)
        return S("");
    if (empty && t->shown.end == FETCH_REFUSED)
        return S("Nobody listens there, and nobody has to. A Claude Code with CLAUDE_CODE_ENABLE_TELEMETRY=1 and "
                 "OTEL_METRICS_EXPORTER=prometheus shows up here within seconds.");
    if (empty && t->shown.end == FETCH_OK)
        return S("Another program has this port, so Claude Code cannot use it: give Claude Code another OTEL_EXPORTER_PROMETHEUS_PORT, "
                 "9464 to 9480.");
    if (t->optional && t->shown.end == FETCH_REFUSED)
        return S("Claude Code has ended. Its totals stay; what it added after the last scrape is not in them.");
    for (size_t i = 0; i < LEN(cures); i++)
        if (cures[i].end == t->shown.end)
            return cures[i].text;
    return S("");
}
