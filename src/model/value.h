/* model/value.h -- one attribute value, with the wire type it came in.
 *
 * An attribute keeps its wire type ("duration_ms" is an int in one event and a
 * string in another); readers that want a number or a text ask for it here.
 * Owner:    text is borrowed.   Threads: any.
 */
#pragma once
#include "base/arena.h"

enum vtype {
    V_NONE = 0,      /* absent */
    V_STR,
    V_INT,
    V_DOUBLE,
    V_BOOL,
    V_BYTES,         /* raw bytes in s; as text: base64, as OTLP/JSON has it */
    V_JSON,          /* array or map: compact JSON text in s */
};

struct value {
    enum vtype type;
    union {
        struct str s;
        int64_t i;
        double d;
        bool b;
    };
};

static inline struct value value_str(struct str s) { return (struct value){ .type = V_STR, .s = s }; }
static inline struct value value_int(int64_t i) { return (struct value){ .type = V_INT, .i = i }; }
static inline struct value value_double(double d) { return (struct value){ .type = V_DOUBLE, .d = d }; }
static inline struct value value_bool(bool b) { return (struct value){ .type = V_BOOL, .b = b }; }

enum { VALUE_TEXT_MAX = 400 };
/* As labels and structured metadata show it. Numbers print as Go prints them
 * ('f', shortest), true/false, V_NONE as "". Borrowed from v or written to scratch. */
struct str value_text(const struct value *v, char scratch[VALUE_TEXT_MAX]);
struct str value_text_in(const struct value *v, struct arena *mem);   /* V_BYTES of any length too */
/* Accounting rule 8: int, double, numeric string, bool and "true"/"false" (1/0). */
MUST bool value_num(const struct value *v, double *ret);
bool value_eq(const struct value *a, const struct value *b);          /* type and content */
