/* http/h2_session.c -- the only file that knows libnghttp2.
 *
 * The library keeps the protocol: order of frames, HPACK, windows, what a head may
 * hold, and it answers SETTINGS and PING. What it leaves open is decided by our
 * events: how much of anything is too much (h2_budget.c), what a request means (h2.c).
 *
 * Its updating of windows by itself is off. It would count whole windows; we give back
 * what was taken as soon as it stands in the request's body, which is charged for
 * (call_charge), so that the windows bound what is in between and nothing else.
 *
 * It may be any version from 1.40 on: the limits that later ones have built in are not
 * relied upon.
 */
#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "http/limits.h"

struct h2_session {
    nghttp2_session *ng;
    const struct h2_events *ev;
    void *arg;
    int32_t trailers_of;                           /* the stream whose body event announced some; 0: none */
    bool dead;                                     /* told to end, or it did: what still comes is thrown away */
    bool failed;                                   /* ... and `failed` was told */
};

static void must(int rv)
{
    CHECK(rv == 0);                                /* out of memory, or a call that makes no sense */
}

/* A request to a stream that is just going away fails harmlessly. */
static void may(int rv)
{
    CHECK(rv != NGHTTP2_ERR_NOMEM);
}

static void *stream_of(struct h2_session *s, int32_t id)
{
    return nghttp2_session_get_stream_user_data(s->ng, id);
}

static void fail(struct h2_session *s, bool flood, const char *why)
{
    s->dead = true;
    if (s->failed)
        return;
    s->failed = true;
    s->ev->failed(s->arg, flood, why);
}

/* ---- what came ---- */

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg)
{
    struct h2_session *s = arg;
    (void)ng;
    if (!s->dead)
        s->ev->frame(s->arg, hd->type);
    return 0;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    if (s->dead || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    void *stream = s->ev->begin(s->arg, frame->hd.stream_id);
    must(nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, stream));
    return 0;
}

static void give_field(struct h2_session *s, const nghttp2_frame *frame, struct str name, struct str value, bool valid)
{
    void *stream = stream_of(s, frame->hd.stream_id);
    if (stream && !s->dead)
        s->ev->field(s->arg, stream, name, value, valid);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t nname, const uint8_t *value,
                     size_t nvalue, uint8_t flags, void *arg)
{
    (void)ng;
    (void)flags;
    give_field(arg, frame, (struct str){ (const char *)name, nname }, (struct str){ (const char *)value, nvalue }, true);
    return 0;
}

static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t nname, const uint8_t *value,
                             size_t nvalue, uint8_t flags, void *arg)
{
    (void)ng;
    (void)flags;
    give_field(arg, frame, (struct str){ (const char *)name, nname }, (struct str){ (const char *)value, nvalue }, false);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    struct h2_session *s = arg;
    (void)flags;
    void *stream = stream_of(s, id);
    if (stream && !s->dead)
        s->ev->data(s->arg, stream, (struct str){ (const char *)p, n });
    may(nghttp2_session_consume(ng, id, n));
    return 0;
}

static void got_end(struct h2_session *s, const nghttp2_frame *frame)
{
    void *stream = stream_of(s, frame->hd.stream_id);
    if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        s->ev->end(s->arg, stream);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    (void)ng;
    if (s->dead)
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: {
        void *stream = stream_of(s, frame->hd.stream_id);
        if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            s->ev->head(s->arg, stream);
        got_end(s, frame);
        break;
    }
    case NGHTTP2_DATA:
        if (frame->hd.length <= frame->data.padlen && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
            s->ev->empty(s->arg);
        got_end(s, frame);
        break;
    case NGHTTP2_RST_STREAM:
        s->ev->reset(s->arg);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- what goes ---- */

static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *s = arg;
    (void)ng;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA: {
        void *stream = stream_of(s, frame->hd.stream_id);
        if (stream && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            s->ev->sent(s->arg, stream);
        break;
    }
    case NGHTTP2_RST_STREAM:
        /* Making us reset streams costs as much as resetting them. */
        if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR && !s->dead)
            s->ev->reset(s->arg);
        break;
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            fail(s, frame->goaway.error_code == NGHTTP2_ENHANCE_YOUR_CALM, nghttp2_http2_strerror(frame->goaway.error_code));
        break;
    default:
        break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_session *s = arg;
    (void)code;
    void *stream = stream_of(s, id);
    if (!stream)
        return 0;
    must(nghttp2_session_set_stream_user_data(ng, id, NULL));
    s->ev->closed(s->arg, stream);
    return 0;
}

static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *p, size_t max, uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    struct h2_session *s = arg;
    (void)ng;
    (void)source;
    void *stream = stream_of(s, id);
    CHECK(stream);
    enum h2_more more = H2_MORE;
    s->trailers_of = 0;
    size_t n = s->ev->body(s->arg, stream, (char *)p, max, &more);
    CHECK(n <= max && (n || more != H2_MORE));
    if (more == H2_END)
        *flags |= NGHTTP2_DATA_FLAG_EOF | (s->trailers_of == id ? (uint32_t)NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
    else if (!n)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

/* ---- life ---- */

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *cb;
    must(nghttp2_session_callbacks_new(&cb));
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    return cb;
}

static nghttp2_option *options(void)
{
    nghttp2_option *o;
    must(nghttp2_option_new(&o));
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);    /* they would be kept for a scheme of priorities that is gone */
    nghttp2_option_set_max_outbound_ack(o, HTTP2_ACKS_MAX);
    nghttp2_option_set_max_settings(o, HTTP2_SETTINGS_MAX);
    nghttp2_option_set_max_deflate_dynamic_table_size(o, HTTP2_TABLE_BYTES);
    return o;
}

struct h2_session *h2_session_new(const struct h2_events *ev, void *arg)
{
    struct h2_session *s = mem_alloc(sizeof(*s));
    s->ev = ev;
    s->arg = arg;
    nghttp2_session_callbacks *cb = callbacks();
    nghttp2_option *o = options();
    must(nghttp2_session_server_new2(&s->ng, cb, s, o));
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(cb);
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, HTTP2_TABLE_BYTES },
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_MAX },
    };
    must(nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, LEN(settings)));
    must(nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, HTTP2_CONN_WINDOW));
    return s;
}

void h2_session_free(struct h2_session *s)
{
    nghttp2_session_del(s->ng);
    mem_free(s);
}

void h2_session_feed(struct h2_session *s, struct str in)
{
    if (s->dead)
        return;
    ssize_t n = nghttp2_session_mem_recv(s->ng, (const uint8_t *)in.p, in.n);
    CHECK(n != NGHTTP2_ERR_NOMEM && n != NGHTTP2_ERR_CALLBACK_FAILURE);
    if (n >= 0 || s->dead) {
        CHECK(n < 0 || (size_t)n == in.n);
        return;
    }
    /* Beyond what the library answers by itself: no HTTP/2 at all, or acknowledgements piling up. */
    bool flood = n != NGHTTP2_ERR_BAD_CLIENT_MAGIC;
    fail(s, flood, flood ? "more frames than are taken" : "the connection preface of HTTP/2 is not right");
    h2_session_end(s, flood ? H2_CALM : H2_PROTOCOL_ERROR);
}

struct str h2_session_next(struct h2_session *s)
{
    const uint8_t *p = NULL;
    ssize_t n = nghttp2_session_mem_send(s->ng, &p);
    CHECK(n >= 0);
    return (struct str){ (const char *)p, (size_t)n };
}

bool h2_session_over(const struct h2_session *s)
{
    return !nghttp2_session_want_write(s->ng) && (s->dead || !nghttp2_session_want_read(s->ng));
}

/* ---- what we say ---- */

enum { FIELDS_INLINE = 32 };

static void put_field(nghttp2_nv *nv, struct str name, struct str value)
{
    const char *p = value.n ? value.p : "";
    *nv = (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)p, name.n, value.n, NGHTTP2_NV_FLAG_NONE };
}

/* The fields behind the `first` ones of ret[]. */
static void put_fields(nghttp2_nv *ret, const struct http_header *fields, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        put_field(&ret[i], fields[i].name, fields[i].value);
}

void h2_session_reply(struct h2_session *s, int32_t id, int status, const struct http_header *fields, uint32_t n, bool body)
{
    nghttp2_nv some[FIELDS_INLINE], *nv = n < FIELDS_INLINE ? some : mem_alloc((n + 1) * sizeof(*nv));
    const char digits[3] = { (char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10) };
    CHECK(status >= 200 && status < 600);
    put_field(&nv[0], S(":status"), (struct str){ digits, sizeof(digits) });
    put_fields(nv + 1, fields, n);
    const nghttp2_data_provider source = { .read_callback = read_body };
    may(nghttp2_submit_response(s->ng, id, nv, n + 1, body ? &source : NULL));
    if (nv != some)
        mem_free(nv);
}

void h2_session_interim(struct h2_session *s, int32_t id)
{
    nghttp2_nv nv;
    put_field(&nv, S(":status"), S("100"));
    may(nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, id, NULL, &nv, 1, NULL));
}

void h2_session_trailers(struct h2_session *s, int32_t id, const struct http_header *fields, uint32_t n)
{
    nghttp2_nv some[HTTP2_TRAILERS_MAX];
    CHECK(n > 0 && n <= LEN(some));
    put_fields(some, fields, n);
    may(nghttp2_submit_trailer(s->ng, id, some, n));
    s->trailers_of = id;
}

void h2_session_resume(struct h2_session *s, int32_t id)
{
    may(nghttp2_session_resume_data(s->ng, id));
}

void h2_session_reset(struct h2_session *s, int32_t id, enum h2_code code)
{
    may(nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, code));
}

void h2_session_ping(struct h2_session *s)
{
    may(nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL));
}

void h2_session_drain(struct h2_session *s)
{
    may(nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng), NGHTTP2_NO_ERROR, NULL, 0));
}

void h2_session_end(struct h2_session *s, enum h2_code code)
{
    s->dead = true;
    may(nghttp2_session_terminate_session(s->ng, code));
}
