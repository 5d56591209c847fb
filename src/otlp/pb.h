/* otlp/pb.h -- inside the room: the protobuf walk's parts (decode_*.c).
 *
 * Each takes a cursor over one message and reads it to its end; a failure stays in
 * the cursor, and whoever opened it closes it into its own.
 */
#pragma once
#include "base/wire.h"
#include "otlp/build.h"
#include "otlp/decode.h"

/* decode_common.c */
void pb_request(struct build *b, enum otlp_signal signal, struct str body);
struct value pb_any(struct build *b, struct wire *w);               /* AnyValue */
void pb_attr(struct build *b, struct wire *w, struct otlp_attrs *a);  /* the next field: one KeyValue */
void pb_own_attr(struct build *b, struct wire *w);                  /* the same, to build_attr() */
struct value pb_any_field(struct build *b, struct wire *w);         /* the next field: one AnyValue */
struct str pb_id(struct build *b, struct wire *w);                  /* the next field: an id */

/* shared.c. w: the tag of a record's first attribute was read. True: the cursor stands behind
 * the attributes that the record's group has now. */
bool pb_shared(struct build *b, struct wire *w);

/* known.c. w: the tag of a point's attribute was read. True: the series is known, and the cursor
 * stands behind the attributes. */
bool known_point(struct build *b, struct wire *w, struct otlp_point *p);
void known_resource(struct build *b, struct str message);

/* One item of a scope: Metric, LogRecord, Span. */
void pb_metric(struct build *b, struct wire *w);
void pb_log(struct build *b, struct wire *w);
void pb_span(struct build *b, struct wire *w);
