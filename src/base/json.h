/* base/json.h -- a pull parser for JSON (RFC 8259), in place over borrowed bytes.
 *
 * json_next() gives one token after another and checks the grammar; after J_ERR
 * it gives J_ERR for ever and `fault` says why and where. Keys and strings come
 * unescaped (a slice of the input where nothing was escaped, else in `mem`);
 * invalid UTF-8 and lone surrogates become U+FFFD. Numbers come as their text.
 *
 * Threads:  one at a time.   Limits: depth JSON_DEPTH_MAX.
 */
#pragma once
#include "base/arena.h"

enum { JSON_DEPTH_MAX = 64 };

enum json_tok { J_ERR, J_END, J_OBJ, J_OBJ_END, J_ARR, J_ARR_END, J_KEY, J_STR, J_NUM, J_TRUE, J_FALSE, J_NULL };

struct json {
    const char *start, *p, *end;
    struct arena *mem;
    enum json_tok tok;                             /* the newest token */
    struct str s;                                  /* J_KEY, J_STR, J_NUM: its text */
    uint32_t depth;
    uint8_t stack[JSON_DEPTH_MAX];                 /* private */
    uint8_t state;                                 /* private */
    struct fault fault;
};

void json_init(struct json *j, struct str in, struct arena *mem);
enum json_tok json_next(struct json *j);
/* Skips the value whose first token is the newest one (or, after J_KEY, its value). */
void json_skip(struct json *j);
