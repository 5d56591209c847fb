/* logql/jscan.h -- JSON in log lines, read leniently and only as far as needed.
 *
 * Lines are often cut off or followed by something else; what comes before the damage
 * still counts. So this is no validator: values are delimited, not checked, and an
 * object that is complete ends the reading. (base/json.h is the strict parser.)
 *
 * Owner:    texts borrow from the line; unescaped ones live in `mem`.
 * Threads:  any.
 */
#pragma once
#include "base/arena.h"

enum jkind { JS_STRING, JS_NUMBER, JS_BOOL, JS_NULL, JS_OBJECT, JS_ARRAY, JS_BROKEN };   /* BROKEN: begins, but does not end */

struct jvalue {
    enum jkind kind;
    struct str raw;                                /* a string without its quotes, still escaped */
};

/* NULL, or what is wrong, in the words Loki uses for it. */
typedef const char *jscan_error;

/* Each member of the object; `member` returns false to stop. Keys come unescaped. A
 * value that is malformed comes as JS_BROKEN, and nothing behind it. */
jscan_error jscan_object(struct str in, struct arena *mem, bool (*member)(void *arg, struct str key, struct jvalue v), void *arg);

enum { JSCAN_PATH_MAX = 32 };

struct jstep {
    struct str key;
    bool index;
    uint64_t at;                                   /* index */
};

struct jpath {
    struct jstep *steps;
    uint32_t n;
};

/* a.b["c d"][0] */
MUST enum err jscan_path(struct str text, struct arena *mem, struct jpath *ret, struct fault *f);
/* False: there is no such value. *ret_error: it begins, but is malformed. */
bool jscan_find(struct str in, const struct jpath *path, struct arena *mem, struct jvalue *ret, jscan_error *ret_error);

/* A string's text; false: a bad escape. */
bool jscan_unescape(struct str raw, struct arena *mem, struct str *ret);
/* Bytes that are no UTF-8, and U+FFFD, become blanks. */
struct str jscan_clean(struct str s, struct arena *mem);
