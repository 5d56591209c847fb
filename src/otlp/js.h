/* otlp/js.h -- inside the room: the JSON walk's parts (json_*.c).
 *
 * The protobuf JSON mapping as senders really write it: 64-bit numbers as numbers
 * or strings, doubles as integers, enumerations as numbers or names, ids as hex,
 * names in camel case or with underscores; null is absent, unknown names are
 * skipped. A value of another type than its field's is an error.
 *
 * Each reader takes the value that comes next. The first failure is kept in the
 * build and ends every loop (js_key, js_array), so code reads straight on.
 */
#pragma once
#include "base/json.h"
#include "otlp/build.h"
#include "otlp/decode.h"

struct js {
    struct json j;
    struct build *b;
};

/* A place in the text to come back to, for what stands before something it needs. */
struct js_mark {
    struct json at;
    bool set;
};

/* json_read.c */
enum json_tok js_next(struct js *d);               /* J_ERR is a failure of the build too */
void js_wrong(struct js *d, const char *want);     /* the newest token is not what it should be */
bool js_key(struct js *d, struct str *ret);        /* the next member; false at the object's end */
bool js_is(struct str key, struct str camel);      /* camelCase or snake_case */
void js_skip(struct js *d);
void js_object(struct js *d, void (*members)(struct js *d, void *arg), void *arg);
void js_array(struct js *d, void (*element)(struct js *d, void *arg), void *arg);   /* objects only */
void js_numbers(struct js *d, void (*number)(struct js *d, void *arg), void *arg);   /* `number` reads the next element */
void js_defer(struct js *d, struct js_mark *mark);
void js_back(struct js *d, struct js_mark *mark, void (*value)(struct js *d, void *arg), void *arg);

uint64_t js_u64(struct js *d);
int64_t js_i64(struct js *d);
double js_f64(struct js *d);
bool js_bool(struct js *d);
struct str js_str(struct js *d);
struct str js_id(struct js *d);
int64_t js_enum(struct js *d, struct str prefix, const struct str *names, uint32_t n);   /* a number or a name */

/* Standard or URL-safe, padded or not. */
bool js_base64(struct str s, struct arena *mem, struct str *ret);
struct value js_bytes(struct js *d);

/* json_common.c */
void js_request(struct build *b, enum otlp_signal signal, struct str body);
struct value js_any(struct js *d);
void js_attrs(struct js *d, struct otlp_attrs *a); /* appends an array of key and value */

/* One item of a scope: members of Metric, LogRecord, Span. */
void js_metric(struct js *d, void *arg);
void js_log(struct js *d, void *arg);
void js_span(struct js *d, void *arg);
