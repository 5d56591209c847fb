/* app/remote.c -- questions to a running ccmon. */
#include "app/remote.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

enum { ANSWER_BYTES_MAX = 8 << 20, TIMEOUT_S = 10 };

struct str remote_default_url(const struct config *c, struct arena *mem)
{
    bool tls = access_part(c, PORT_WEB).tls_given;
    return arena_fmt(mem, "http%s://%s:%u", tls ? "s" : "", tls ? "localhost" : "127.0.0.1", (unsigned)c->ports[PORT_WEB]);
}

struct str remote_authorization(struct str user, struct str token, struct arena *mem)
{
    if (user.n)
        return arena_fmt(mem, "Basic " STR_FMT, STR_ARG(base64_text(user, mem)));
    return token.n ? arena_fmt(mem, "Bearer " STR_FMT, STR_ARG(token)) : S("");
}

enum err remote_get(const struct remote *r, struct str path, struct arena *mem, struct str *ret, struct fault *f)
{
    struct http_header auth = { S("authorization"), r->authorization };
    struct fetch q = {
        .method = HTTP_GET,
        .url = arena_fmt(mem, STR_FMT STR_FMT, STR_ARG(r->url), STR_ARG(path)),
        .headers = &auth,
        .nheaders = r->authorization.n ? 1 : 0,
        .timeout_ns = TIMEOUT_S * NS_PER_S,
        .body_max = ANSWER_BYTES_MAX,
        .tls = r->tls,
    };
    struct fetched got = { 0 };
    if (http_fetch(NULL, &q, mem, &got, f))
        return E_UNAVAILABLE;
    if (got.status == 401 || got.status == 403)
        return fault_set(f, E_IO, 0, STR_FMT ": %d: %s", STR_ARG(q.url), got.status,
                         got.status == 401 ? "it asks for a user or a token" : "this user or token may not ask it");
    if (got.status != 200)
        return fault_set(f, E_NOTFOUND, 0, STR_FMT ": %d " STR_FMT, STR_ARG(q.url), got.status,
                         STR_ARG(str_trim(str_sub(got.body, 0, 120))));
    *ret = got.body;
    return OK;
}

enum err remote_post(const struct remote *r, struct str path, struct str form, struct arena *mem, int *ret_status, struct str *ret,
                     struct fault *f)
{
    struct http_header headers[] = { { S("content-type"), S("application/x-www-form-urlencoded") },
                                     { S("authorization"), r->authorization } };
    struct fetch q = {
        .method = HTTP_POST,
        .url = arena_fmt(mem, STR_FMT STR_FMT, STR_ARG(r->url), STR_ARG(path)),
        .headers = headers,
        .nheaders = r->authorization.n ? 2 : 1,
        .body = form,
        .timeout_ns = TIMEOUT_S * NS_PER_S,
        .body_max = ANSWER_BYTES_MAX,
        .tls = r->tls,
    };
    struct fetched got = { 0 };
    if (http_fetch(NULL, &q, mem, &got, f))
        return E_UNAVAILABLE;
    if (got.status == 401 || got.status == 403)
        return fault_set(f, E_IO, 0, STR_FMT ": %d: " STR_FMT, STR_ARG(q.url), got.status, STR_ARG(str_trim(str_sub(got.body, 0, 160))));
    *ret_status = got.status;
    *ret = got.body;
    return OK;
}

static enum err same_data(const struct config *c, const struct remote *r, struct arena *mem, struct fault *f)
{
    struct remote_status st;
    char a[PATH_MAX], b[PATH_MAX];
    enum err e = remote_status(r, mem, &st, f);
    if (e)
        return e;
    if (!realpath(arena_cstr(mem, c->data), a) || !realpath(arena_cstr(mem, st.data_dir), b) || strcmp(a, b) != 0)
        return fault_set(f, E_EXIST, 0, "a ccmon has " STR_FMT ", but the one at " STR_FMT " has " STR_FMT "; name its page with --url",
                         STR_ARG(c->data), STR_ARG(r->url), STR_ARG(st.data_dir));
    return OK;
}

bool remote_option(struct remote_to *to, const char *user_option, const char *name, const char *value)
{
    const struct {
        const char *name;
        struct str *at;
    } texts[] = { { "--url", &to->url }, { "--token", &to->token }, { user_option, &to->user }, { "--ca", &to->ca } };
    for (size_t i = 0; i < LEN(texts); i++)
        if (!strcmp(name, texts[i].name)) {
            *texts[i].at = str_c(value);
            return true;
        }
    return false;
}

enum err remote_open(const struct config *c, const struct remote_to *to, struct arena *mem, struct remote *ret,
                     struct tls_client **ret_tls, struct fault *f)
{
    struct tls_client_config t = { .ca_file = to->ca.n ? to->ca : access_part(c, PORT_WEB).tls.cert_file };
    if (t.ca_file.n && tls_client_new(&t, ret_tls, f))
        return E_IO;
    *ret = (struct remote){
        .url = to->url.n ? to->url : remote_default_url(c, mem),
        .authorization = remote_authorization(to->user, to->token, mem),
        .tls = *ret_tls,
    };
    return to->url.n ? OK : same_data(c, ret, mem, f);
}

/* ---- status ---------------------------------------------------------------------------- */

static uint64_t number(const struct json *j)
{
    uint64_t v = 0;
    return j->tok == J_NUM || j->tok == J_STR ? (str_to_u64(j->s, &v) ? v : 0) : 0;
}

static void status_member(struct json *j, struct str key, struct arena *mem, struct remote_status *s)
{
    const struct { struct str key; uint64_t *at; } counts[] = {
        { S("samples"), &s->samples }, { S("logs"), &s->logs }, { S("spans"), &s->spans }, { S("seq"), &s->seq },
        { S("duplicates"), &s->duplicates },
    };
    const struct { struct str key; struct str *at; } texts[] = {
        { S("version"), &s->version }, { S("data_dir"), &s->data_dir }, { S("reason"), &s->reason },
    };
    const struct {
        struct str key;
        bool *at;
    } flags[] = { { S("read_only"), &s->read_only }, { S("open"), &s->open }, { S("demo"), &s->demo } };
    for (size_t i = 0; i < LEN(counts); i++)
        if (str_eq(counts[i].key, key))
            *counts[i].at = number(j);
    for (size_t i = 0; i < LEN(texts); i++)
        if (str_eq(texts[i].key, key) && j->tok == J_STR)
            *texts[i].at = arena_str(mem, j->s);
    for (size_t i = 0; i < LEN(flags); i++)
        if (str_eq(flags[i].key, key))
            *flags[i].at = j->tok == J_TRUE;
    if (str_eq(key, S("now_ns")))
        s->now_ns = (int64_t)number(j);
    if (str_eq(key, S("last_recv_ns")))
        s->last_recv_ns = (int64_t)number(j);
}

static void read_listeners(struct json *j, struct arena *mem, struct remote_status *s)
{
    while (json_next(j) == J_OBJ) {
        struct remote_listener l = { 0 };
        while (json_next(j) == J_KEY) {
            bool tls = str_eq(j->s, S("tls"));
            struct str *at = str_eq(j->s, S("name")) ? &l.name : str_eq(j->s, S("addr"))  ? &l.addr
                                                             : str_eq(j->s, S("problem")) ? &l.problem
                                                                                          : NULL;
            json_next(j);
            if (at && j->tok == J_STR)
                *at = arena_str(mem, j->s);
            l.tls |= tls && j->tok == J_TRUE;
            json_skip(j);
        }
        if (s->nlisteners < LEN(s->listeners))
            s->listeners[s->nlisteners++] = l;
    }
}

static void take_member(const struct json *j, const struct remote_member *m, struct arena *mem)
{
    uint64_t v;
    if (m->text && j->tok == J_STR)
        *m->text = arena_str(mem, j->s);
    if (m->number && j->tok == J_NUM && str_to_u64(j->s, &v))
        *m->number = v;
    if (m->truth && (j->tok == J_TRUE || j->tok == J_FALSE))
        *m->truth = j->tok == J_TRUE;
}

void remote_members(struct str body, struct arena *mem, const struct remote_member *m, size_t n)
{
    struct json j;
    json_init(&j, body, mem);
    for (bool in = json_next(&j) == J_OBJ; in && json_next(&j) == J_KEY;) {
        struct str key = arena_str(mem, j.s);
        json_next(&j);
        for (size_t i = 0; i < n; i++)
            if (str_eq(m[i].key, key))
                take_member(&j, &m[i], mem);
        json_skip(&j);
    }
}

enum err remote_status(const struct remote *r, struct arena *mem, struct remote_status *ret, struct fault *f)
{
    struct str body;
    struct remote_status s = { 0 };
    enum err e = remote_get(r, S("/api/ccmon/status"), mem, &body, f);
    if (e)
        return e;
    struct json j;
    json_init(&j, body, mem);
    if (json_next(&j) != J_OBJ)
        return fault_set(f, E_NOTFOUND, 0, STR_FMT " is no ccmon", STR_ARG(r->url));
    while (json_next(&j) == J_KEY) {
        struct str key = arena_str(mem, j.s);
        json_next(&j);
        if (str_eq(key, S("rows")) && j.tok == J_OBJ) {
            while (json_next(&j) == J_KEY) {
                struct str inner = arena_str(mem, j.s);
                json_next(&j);
                status_member(&j, inner, mem, &s);
            }
            continue;
        }
        if (str_eq(key, S("listeners")) && j.tok == J_ARR) {
            read_listeners(&j, mem, &s);
            continue;
        }
        status_member(&j, key, mem, &s);
        json_skip(&j);
    }
    if (!s.version.n)
        return fault_set(f, E_NOTFOUND, 0, STR_FMT " is no ccmon", STR_ARG(r->url));
    *ret = s;
    return OK;
}

/* ---- queries ---------------------------------------------------------------------------- */

struct str remote_encode(struct str s, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1 << 20);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (plain)
            buf_byte(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    return arena_str(mem, buf_view(&b));
}

static void read_metric(struct json *j, const struct str labels[4], struct arena *mem, struct remote_row *row)
{
    while (json_next(j) == J_KEY) {
        int at = -1;
        for (int i = 0; i < 4; i++)
            if (labels[i].n && str_eq(labels[i], j->s))
                at = i;
        json_next(j);
        if (at >= 0 && j->tok == J_STR)
            row->labels[at] = arena_str(mem, j->s);
        json_skip(j);
    }
}

/* [time, "value"] */
static void read_value(struct json *j, struct remote_row *row)
{
    while (json_next(j) != J_ARR_END && j->tok != J_ERR && j->tok != J_END)
        if (j->tok == J_STR && !str_to_f64(j->s, &row->value))
            row->value = 0;
}

static void read_rows(struct json *j, const struct str labels[4], struct arena *mem, struct remote_rows *ret)
{
    while (json_next(j) == J_OBJ) {
        struct remote_row row = { 0 };
        while (json_next(j) == J_KEY) {
            bool metric = str_eq(j->s, S("metric")), value = str_eq(j->s, S("value"));
            json_next(j);
            if (metric && j->tok == J_OBJ)
                read_metric(j, labels, mem, &row);
            else if (value && j->tok == J_ARR)
                read_value(j, &row);
            else
                json_skip(j);
        }
        *arena_push(mem, ret->at, ret->n, ret->cap) = row;
    }
}

enum err remote_query(const struct remote *r, enum remote_api api, struct str query, const struct str labels[4], struct arena *mem,
                      struct remote_rows *ret, struct fault *f)
{
    struct str body;
    struct str text = remote_encode(query, mem);
    struct str path = arena_fmt(mem, "%s/api/v1/query?query=" STR_FMT, api == REMOTE_LOKI ? "/loki" : "", STR_ARG(text));
    enum err e = remote_get(r, path, mem, &body, f);
    if (e)
        return e;
    struct json j;
    *ret = (struct remote_rows){ 0 };
    json_init(&j, body, mem);
    while (json_next(&j) != J_END && j.tok != J_ERR)
        if (j.tok == J_KEY && str_eq(j.s, S("result")) && json_next(&j) == J_ARR)
            read_rows(&j, labels, mem, ret);
    return j.tok == J_ERR ? fault_set(f, E_IO, 0, STR_FMT ": the answer is no JSON", STR_ARG(r->url)) : OK;
}
