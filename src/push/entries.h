/* push/entries.h -- from pushed streams to rows; inside the room.
 *
 * The walks over protobuf and JSON call the same functions in the same order:
 *
 *     stream_begin, then stream_labels (their text) or stream_label (one pair) ...,
 *     stream_ready; per entry: line_begin, line_meta ..., line_end
 *
 * Labels of a stream are one group of cells for all its entries.
 *
 * Owner:    all of it is in the batch's arena or borrowed from the body.
 * Threads:  one at a time.
 * Errors:   sticky; loops that input drives ask entries_ok(). What Loki refuses of a
 *           stream or an entry only leaves that out and goes into the report.
 */
#pragma once
#include "model/sink.h"
#include "push/samples.h"

#define NO_ENTRY_TIME INT64_MIN                    /* there was none, or it is before all that can be said */

struct entry {
    int64_t time_ns;
    struct str line;
    struct label *meta;
    uint32_t nmeta, cap_meta;
    size_t meta_bytes;
};

struct entries {
    struct batch *batch;
    struct arena *mem;
    struct report *report;
    struct redact *redact;                         /* not NULL: entries are written anew instead of becoming rows */
    int64_t oldest_ns, newest_ns;
    enum err err;
    struct fault *fault;
    uint64_t nstreams;

    /* the stream being read */
    struct label *labels;
    uint32_t nlabels, cap_labels;
    uint32_t group;                                /* of its rows; ROW_NO_GROUP: none yet, or refused */
    bool checked, refused;
    struct entry entry;

    uint32_t body_col;                             /* + 1 */
    struct {
        struct str name;
        uint32_t col;
    } memo[MEMO_MAX];                              /* place in an entry's metadata -> the last name there */
};

void entries_init(struct entries *s, struct batch *b, struct report *report, int64_t oldest_ns, struct fault *f);
bool entries_ok(const struct entries *s);
void entries_fail(struct entries *s, enum err e, size_t at, const char *fmt, ...) PRINTF(4, 5);

void stream_begin(struct entries *s);
void stream_labels(struct entries *s, struct str text);
void stream_label(struct entries *s, struct str name, struct str value);   /* the last one of a name counts */
void stream_ready(struct entries *s);
void line_begin(struct entries *s);
void line_meta(struct entries *s, struct str name, struct str value);
void line_end(struct entries *s, int64_t time_ns, struct str line);

/* loki_labels.c: {a="b", c="d"}, Prometheus's grammar of a series. Names and unquoted values.
 * E_SYNTAX with Prometheus's words; `at` is the byte. */
MUST enum err labels_parse(struct str text, struct arena *mem, struct label **ret, uint32_t *ret_n, struct fault *f);

/* loki_pb.c, loki_json.c */
void loki_walk_protobuf(struct entries *s, struct str body);
void loki_walk_json(struct entries *s, struct str body);
MUST enum err loki_decode(enum frame_kind kind, struct str body, int64_t recv_ns, int64_t oldest_ns, struct arena *mem,
                          struct batch *ret, struct push_result *result, struct fault *f);
