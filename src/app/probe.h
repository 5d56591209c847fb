/* app/probe.h -- one made-up record sent by one way in, as the doctor does.
 *
 * The record is a log record of service "ccmon-doctor", which no figure of Claude Code's
 * counts; it holds an id to be queried back by.
 *
 * Threads:  any; each probe blocks on the caller's.
 */
#pragma once
#include "http/client.h"

enum probe_form { PROBE_JSON, PROBE_PROTOBUF, PROBE_GZIP, PROBE_GRPC };

struct probe {
    struct str way, id;                            /* what is written into the record */
    enum probe_form form;
    struct str host;
    uint16_t port;
    struct str path;
    struct str authorization;
    bool tls;                                      /* the port speaks it; whose certificate it has is not asked */
    int64_t now_ns;
};

/* OK: it was taken (gRPC: sent, and an answer came). Else the reason in one line. */
MUST enum err probe_send(const struct probe *p, struct arena *mem, struct fault *f);
