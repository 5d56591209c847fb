/* otlp/redact_int.h -- inside the room: the messages of the protocol as tables, for both forms. */
#pragma once
#include "otlp/decode.h"
#include "otlp/redact.h"

enum part {
    PART_PLAIN,                  /* numbers, ids, enumerations: no text */
    PART_TEXT,                   /* a text with a place and a name of its own */
    PART_ANY,                    /* a value likewise: a record's body */
    PART_ATTR,                   /* attributes of a place: name and value */
    PART_MESSAGE,
};

/* One field of a message. What is not in its table is left out: nobody reads it, and it
 * could hold anything. */
struct redact_field {
    uint32_t number;
    enum part part;
    bool list;                   /* repeated: an array in JSON */
    struct str json;
    enum place place;
    struct str name;             /* PART_TEXT, PART_ANY: as rules see it */
    const struct redact_message *message;
};

enum { REDACT_FIELDS_MAX = 17 };                   /* a span has 16 */

struct redact_message {
    struct redact_field fields[REDACT_FIELDS_MAX + 1];   /* ends with the number 0 */
};

extern const struct redact_message *const redact_requests[OTLP_SIGNALS];

/* A name and what the rules say of it; names repeat from record to record. */
struct redact_name {
    enum place place;
    struct str name, kept;       /* `kept` is `name` itself unless a pattern is in it */
    uint64_t rules;
    bool used;
};

struct redact_value {
    struct str value, kept;
    uint64_t rules;
    bool is_text;
};

enum { REDACT_MEMO = 256, REDACT_MEMO_VALUE_MAX = 128 };

struct redact {
    const struct privacy *p;
    struct str body;
    struct buf *out;
    struct arena mem;            /* unescaped strings, replacements: gone at the end */
    struct redact_name *names;   /* [REDACT_MEMO] */
    struct redact_value *values; /* [REDACT_MEMO] */
    enum err err;
    struct fault *fault;
};

/* redact.c */
const struct redact_name *redact_name(struct redact *r, enum place place, struct str name);
struct str redact_value(struct redact *r, uint64_t rules, struct str value, bool is_text);
void redact_fail(struct redact *r, enum err e, size_t at, const char *fmt, ...) PRINTF(4, 5);
bool redact_ok(struct redact *r);
struct str redact_int_text(struct redact *r, int64_t i);
struct str redact_double_text(struct redact *r, double d);

/* redact_pb.c, redact_json.c: r->body; true and the new one in r->out, or false and nothing there. */
bool redact_pb(struct redact *r, const struct redact_message *m);
bool redact_json(struct redact *r, const struct redact_message *m);
