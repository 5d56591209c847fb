/* push/report.c -- reasons, each once, with how often. */
#include "push/report.h"

#include <stdarg.h>
#include <stdio.h>

void report_str(struct report *r, struct arena *mem, struct str text)
{
    text = str_sub(text, 0, PUSH_REFUSAL_TEXT);
    for (uint32_t i = 0; i < r->n; i++)
        if (str_eq(r->at[i].text, text)) {
            r->at[i].times++;
            return;
        }
    if (r->n == PUSH_REFUSALS_MAX) {
        r->more++;
        return;
    }
    r->at[r->n].text = arena_str(mem, text);
    r->at[r->n++].times = 1;
}

void report_add(struct report *r, struct arena *mem, const char *fmt, ...)
{
    char text[PUSH_REFUSAL_TEXT + 1];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    report_str(r, mem, (struct str){ text, MIN((size_t)n, sizeof text - 1) });
}

struct str report_text(const struct report *r, struct str separator, bool counted, struct arena *mem)
{
    struct buf b;
    buf_init(&b, (size_t)PUSH_REFUSALS_MAX * (PUSH_REFUSAL_TEXT + 64) + 256);
    for (uint32_t i = 0; i < r->n; i++) {
        buf_str(&b, i ? separator : S(""));
        if (counted && r->at[i].times > 1)
            buf_fmt(&b, "%llu errors like: ", (unsigned long long)r->at[i].times);
        buf_str(&b, r->at[i].text);
    }
    if (r->more) {
        buf_str(&b, separator);
        buf_fmt(&b, "and %llu more", (unsigned long long)r->more);
    }
    CHECK(!b.bad);
    struct str s = arena_str(mem, buf_view(&b));
    buf_done(&b);
    return s;
}
