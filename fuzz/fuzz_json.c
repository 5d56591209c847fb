/* Any bytes through the JSON parser, and what it accepts through the writer and
 * the parser again: both times the same tokens. */
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/jw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes one token; false when there are no more. */
static bool copy_token(struct json *j, struct jw *w)
{
    switch (json_next(j)) {
    case J_OBJ:
        jw_obj(w);
        return true;
    case J_OBJ_END:
        jw_obj_end(w);
        return true;
    case J_ARR:
        jw_arr(w);
        return true;
    case J_ARR_END:
        jw_arr_end(w);
        return true;
    case J_KEY:
        jw_key(w, j->s);
        return true;
    case J_STR:
        jw_str(w, j->s);
        return true;
    case J_NUM:
        jw_raw(w, j->s);
        return true;
    case J_TRUE:
        jw_bool(w, true);
        return true;
    case J_FALSE:
        jw_bool(w, false);
        return true;
    case J_NULL:
        jw_null(w);
        return true;
    default:
        return false;
    }
}

/* Copies `in` token by token; false if it is not JSON or nested deeper than the writer goes. */
static bool rewrite(struct str in, struct arena *mem, struct buf *out)
{
    struct json j;
    json_init(&j, in, mem);
    struct jw w;
    jw_init(&w, out);
    while (j.depth < JW_DEPTH_MAX && copy_token(&j, &w))
        CHECK(j.p >= j.start && j.p <= j.end);
    return j.tok == J_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena mem;
    arena_init(&mem, 1 << 20);
    struct buf once, twice;
    buf_init(&once, 64 << 20);
    buf_init(&twice, 64 << 20);
    struct str in = { (const char *)data, size };
    if (rewrite(in, &mem, &once)) {
        CHECK(rewrite(buf_view(&once), &mem, &twice));
        CHECK(str_eq(buf_view(&once), buf_view(&twice)));
    }

    struct json j;                                 /* skipping ends wherever reading does */
    json_init(&j, in, &mem);
    (void)json_next(&j);
    json_skip(&j);
    CHECK(j.tok == J_ERR || j.depth == 0);
    buf_done(&once);
    buf_done(&twice);
    arena_done(&mem);
    return 0;
}
