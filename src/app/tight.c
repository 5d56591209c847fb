/* app/tight.c -- the store's sizes made small, for tests of the real program. */
#include <stdlib.h>

#include "app/app.h"

enum err app_tight(struct store_config *c, struct fault *f)
{
    const struct {
        struct str name;
        uint64_t *bytes;
        int64_t *ms;
    } sizes[] = {
        { S("flush_rows"), &c->flush_rows, NULL },       { S("flush_bytes"), &c->flush_bytes, NULL },
        { S("flush_log_bytes"), &c->flush_log_bytes, NULL }, { S("segment_bytes"), &c->segment_bytes, NULL },
        { S("flush_age_ms"), NULL, &c->flush_age_ns },   { S("tick_ms"), NULL, &c->tick_ns },
    };
    const char *text = getenv("CCMON_TIGHT");
    for (struct str rest = str_c(text ? text : ""); rest.n;) {
        struct str value = str_cut(&rest, ' '), name = str_cut(&value, '=');
        uint64_t n;
        size_t i = 0;
        while (i < LEN(sizes) && !str_eq(sizes[i].name, name))
            i++;
        if (i == LEN(sizes) || !str_to_u64(value, &n) || n == 0 || n > UINT64_C(1) << 40)
            return fault_set(f, E_SYNTAX, 0, "CCMON_TIGHT: " STR_FMT "=" STR_FMT " is none of its sizes", STR_ARG(name), STR_ARG(value));
        if (sizes[i].bytes)
            *sizes[i].bytes = n;
        else
            *sizes[i].ms = (int64_t)n * NS_PER_MS;
        log_line(LOG_WARN, "for a test: " STR_FMT " is %llu", STR_ARG(name), (unsigned long long)n);
    }
    return OK;
}
