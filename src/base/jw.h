/* base/jw.h -- the one JSON writer. It escapes, places commas and counts nesting.
 *
 * Threads:  one at a time. Errors: sticky in the buffer (buf.bad).
 * Misuse (a value without a key in an object, unbalanced ends) is a CHECK.
 */
#pragma once
#include "base/buf.h"

enum { JW_DEPTH_MAX = 512 };                       /* a tree of PromQL nests twice as deep as the query does */

struct jw {
    struct buf *out;
    uint32_t depth;
    bool comma[JW_DEPTH_MAX];
    bool object[JW_DEPTH_MAX];
    bool keyed;
};

void jw_init(struct jw *w, struct buf *out);
void jw_obj(struct jw *w);
void jw_obj_end(struct jw *w);
void jw_arr(struct jw *w);
void jw_arr_end(struct jw *w);
void jw_key(struct jw *w, struct str key);
void jw_str(struct jw *w, struct str s);           /* invalid UTF-8 becomes U+FFFD */
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_f64(struct jw *w, double v);               /* a JSON number; NaN and Inf become null */
void jw_num_str(struct jw *w, double v);           /* "1.5", "NaN", "+Inf": a string as Prometheus has it */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct str json);        /* already JSON: one value */
void jw_kv_str(struct jw *w, struct str key, struct str s);
void jw_kv_i64(struct jw *w, struct str key, int64_t v);
void jw_kv_u64(struct jw *w, struct str key, uint64_t v);
void jw_kv_bool(struct jw *w, struct str key, bool v);
