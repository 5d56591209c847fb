/* api/prom_envelope.c -- answers and errors as Prometheus's clients expect them. */
#include "api/prom_envelope.h"

#include <stdarg.h>
#include <stdio.h>

enum { ANSWER_MAX = 1 << 30 };                     /* bytes of one answer */

void prom_begin(struct prom_reply *p, struct http_req *r)
{
    p->r = r;
    buf_init(&p->out, ANSWER_MAX);
    jw_init(&p->w, &p->out);
    jw_obj(&p->w);
    jw_kv_str(&p->w, S("status"), S("success"));
    jw_key(&p->w, S("data"));
}

static void notes(struct jw *w, const struct query_ctx *q, bool warning)
{
    bool any = false;
    for (uint32_t i = 0; i < q->nnotes; i++) {
        if (q->notes[i].warning != warning)
            continue;
        if (!any) {
            jw_key(w, warning ? S("warnings") : S("infos"));
            jw_arr(w);
            any = true;
        }
        jw_str(w, q->notes[i].text);
    }
    if (any)
        jw_arr_end(w);
}

void prom_send(struct prom_reply *p, const struct query_ctx *q)
{
    if (q) {
        notes(&p->w, q, true);
        notes(&p->w, q, false);
    }
    jw_obj_end(&p->w);
    if (p->out.bad)
        prom_fail(p->r, E_LIMIT, S("the answer is longer than the limit of 1 GiB"));
    else
        http_reply_buf(p->r, 200, S("application/json"), &p->out);
    buf_done(&p->out);
}

void prom_drop(struct prom_reply *p)
{
    buf_done(&p->out);
}

struct failure {
    int status;
    struct str type;
};

static struct failure failure_of(enum err e, struct str text)
{
    switch (e) {
    case E_SYNTAX:
        return (struct failure){ 400, S("bad_data") };
    case E_NOTFOUND:
        return (struct failure){ 404, S("not_found") };
    case E_EXEC:
    case E_LIMIT:
    case E_UNSUPPORTED:
        return (struct failure){ 422, S("execution") };
    case E_CANCELLED:
        return str_find(text, S("timed out")) != SIZE_MAX ? (struct failure){ 503, S("timeout") }
                                                          : (struct failure){ 499, S("canceled") };
    case E_UNAVAILABLE:
        return (struct failure){ 503, S("unavailable") };
    default:
        return (struct failure){ 500, S("internal") };
    }
}

void prom_fail(struct http_req *r, enum err e, struct str text)
{
    struct failure why = failure_of(e, text);
    struct buf out;
    struct jw w;
    buf_init(&out, ANSWER_MAX);
    jw_init(&w, &out);
    jw_obj(&w);
    jw_kv_str(&w, S("status"), S("error"));
    jw_kv_str(&w, S("errorType"), why.type);
    jw_kv_str(&w, S("error"), text);
    jw_obj_end(&w);
    http_reply_buf(r, why.status, S("application/json"), &out);
    buf_done(&out);
}

void prom_bad_data(struct http_req *r, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    CHECK(n >= 0);
    prom_fail(r, E_SYNTAX, (struct str){ text, MIN((size_t)n, sizeof text - 1) });
}

void prom_refuse(struct http_req *r, int status, struct str why)
{
    prom_fail(r, status == 503 ? E_UNAVAILABLE : E_SYNTAX, why);
}

void prom_json(struct http_req *r, struct str json)
{
    struct prom_reply p;
    prom_begin(&p, r);
    jw_raw(&p.w, json);
    prom_send(&p, NULL);
}
