/* http/parser.c -- the head of a request, and what a head of any kind is made of.
 *
 * Two passes. http_scan() only looks for line ends, so it can stop and resume at
 * any byte with four numbers of state; it is where limits and bare LF are
 * refused, before anything is kept. http_head_parse() sees a whole head whose
 * lines all end in CRLF, so it needs no state at all and every field is a slice.
 * A resumable parser with a state per grammar symbol was the alternative: more
 * states, slower (memchr() finds line ends at memory speed), no advantage, since
 * a head must be complete before anything can be decided about it.
 *
 * What is refused although others let it pass, because proxies and servers that
 * disagree about it are how requests get smuggled: bare LF and bare CR, obsolete
 * folding, blanks before the colon, control bytes in values, Content-Length
 * twice (even the same) or beside Transfer-Encoding, any coding but chunked.
 */
#include "http/parser.h"

#include <string.h>

#include "http/limits.h"

enum { TOKEN = 1, TARGET = 2, VALUE = 4 };

/* RFC 9110 5.6.2 tchar; what a target may hold (no fragment; raw UTF-8 is let in, it
 * is what people type into curl); what a field value may hold. */
static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | TARGET | VALUE,
    ['"'] = TARGET | VALUE,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TOKEN | TARGET | VALUE,
    ['(' ... ')'] = TARGET | VALUE,
    ['*' ... '+'] = TOKEN | TARGET | VALUE,
    [','] = TARGET | VALUE,
    ['-' ... '.'] = TOKEN | TARGET | VALUE,
    ['/'] = TARGET | VALUE,
    ['0' ... '9'] = TOKEN | TARGET | VALUE,
    [':' ... '@'] = TARGET | VALUE,
    ['A' ... 'Z'] = TOKEN | TARGET | VALUE,
    ['[' ... ']'] = TARGET | VALUE,
    ['^' ... 'z'] = TOKEN | TARGET | VALUE,
    ['{'] = TARGET | VALUE,
    ['|'] = TOKEN | TARGET | VALUE,
    ['}'] = TARGET | VALUE,
    ['~'] = TOKEN | TARGET | VALUE,
    [0x80 ... 0xff] = TARGET | VALUE,
};

static const struct {
    struct str name;
    enum http_method method;
} methods[] = {
    { S("GET"), HTTP_GET },       { S("POST"), HTTP_POST },       { S("HEAD"), HTTP_HEAD },
    { S("PUT"), HTTP_PUT },       { S("DELETE"), HTTP_DELETE },   { S("OPTIONS"), HTTP_OPTIONS },
};

static enum http_step refuse(struct http_bad *bad, int status, const char *why)
{
    *bad = (struct http_bad){ status, why };
    return HTTP_BAD;
}

static bool all_of(struct str s, uint8_t class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(classes[(uint8_t)s.p[i]] & class))
            return false;
    return true;
}

bool http_is_token(struct str s)
{
    return s.n && all_of(s, TOKEN);
}

bool http_is_target(struct str s)
{
    return all_of(s, TARGET);
}

bool http_is_value(struct str s)
{
    return all_of(s, VALUE);
}

/* The first byte already tells another protocol; waiting for a line end would
 * only make its sender wait for the time-out. */
static enum http_step scan_first(const struct http_scan *s, struct str in, struct http_bad *bad)
{
    if (s->lines || s->line >= in.n)
        return HTTP_MORE;
    uint8_t c = (uint8_t)in.p[s->line];
    if (c == 0x16)
        return refuse(
            bad, 400,
            "this looks like TLS; the port speaks plain HTTP: write http:// instead of https://, or give it a certificate "
            "(tls_server_config)");
    if (c == '\n')
        return refuse(bad, 400, "a line ends in LF without CR");
    if (c != '\r' && !(classes[c] & TOKEN))
        return refuse(bad, 400, "not an HTTP request");
    return HTTP_MORE;
}

static enum http_step scan_limits(const struct http_scan *s, size_t n, struct http_bad *bad)
{
    if (!s->lines && n - s->line > HTTP_LINE_MAX + 1)         /* its CR may be there already */
        return refuse(bad, 414, "the request line is longer than 64 KiB");
    if (n > HTTP_HEAD_MAX)
        return refuse(bad, 431, "the head of the request is larger than 96 KiB");
    if (s->lines > HTTP_HEADERS_MAX + 1)
        return refuse(bad, 431, "more than 128 header fields");
    return HTTP_MORE;
}

/* One line, whose LF is at `end`. HTTP_DONE for the empty line behind a head. */
static enum http_step scan_line(struct http_scan *s, struct str in, size_t end, struct http_bad *bad)
{
    if (end == s->line || in.p[end - 1] != '\r')
        return refuse(bad, 400, "a line ends in LF without CR");
    bool empty = end - 1 == s->line;
    if (!s->lines && !empty && end - 1 - s->line > HTTP_LINE_MAX)
        return refuse(bad, 414, "the request line is longer than 64 KiB");
    s->at = s->line = end + 1;
    if (!empty)
        s->lines++;
    else if (s->lines)
        return s->at > HTTP_HEAD_MAX ? scan_limits(s, s->at, bad) : HTTP_DONE;
    else if (++s->blanks > HTTP_BLANKS_MAX)
        return refuse(bad, 400, "empty lines instead of a request");
    else
        s->start = s->at;
    return HTTP_MORE;
}

enum http_step http_scan(struct http_scan *s, struct str in, struct http_bad *bad)
{
    CHECK(s->at <= in.n && s->line <= s->at);
    for (;;) {
        enum http_step step = scan_first(s, in, bad);
        if (step != HTTP_MORE)
            return step;
        const char *lf = s->at < in.n ? memchr(in.p + s->at, '\n', in.n - s->at) : NULL;
        if (!lf) {
            s->at = in.n;
            return scan_limits(s, in.n, bad);
        }
        step = scan_line(s, in, (size_t)(lf - in.p), bad);
        if (step == HTTP_MORE)
            step = scan_limits(s, s->at, bad);
        if (step != HTTP_MORE)
            return step;
    }
}

/* Takes one line off *rest. http_scan() saw to it that each ends in CRLF. */
static struct str next_line(struct str *rest)
{
    struct str line = str_cut(rest, '\n');
    CHECK(line.n && line.p[line.n - 1] == '\r');
    line.n--;
    return line;
}

/* request-target = origin-form / absolute-form / asterisk-form */
static enum http_step parse_target(struct str t, struct http_head *ret, struct http_bad *bad)
{
    if (!all_of(t, TARGET))
        return refuse(bad, 400, "a character that a URL cannot hold");
    for (size_t n = 7; n <= 8; n++) {
        struct str scheme = str_sub(t, 0, n);
        if (!str_eq_nocase(scheme, n == 7 ? S("http://") : S("https://")))
            continue;
        size_t end = n;
        while (end < t.n && t.p[end] != '/' && t.p[end] != '?')
            end++;
        ret->host = str_sub(t, n, end - n);
        if (!ret->host.n)
            return refuse(bad, 400, "a URL without a host");
        t = str_sub(t, end, t.n - end);
        break;
    }
    struct str path = str_cut(&t, '?');
    ret->query = t;
    ret->path = path.n || !ret->host.p ? path : S("/");
    bool whole = str_eq(path, S("*")) && ret->method == HTTP_OPTIONS && !t.p;
    if (!whole && !str_starts(ret->path, S("/")))
        return refuse(bad, 400, "the request line names no path");
    return HTTP_DONE;
}

/* request-line = method SP request-target SP HTTP-version */
static enum http_step parse_request_line(struct str line, struct http_head *ret, struct http_bad *bad)
{
    struct str rest = line, method = str_cut(&rest, ' ');
    struct str target = str_cut(&rest, ' ');
    if (!http_is_token(method) || method.n > HTTP_METHOD_MAX || !rest.p || !target.n)
        return refuse(bad, 400, "malformed request line");
    ret->method = HTTP_OTHER;
    ret->method_text = method;
    for (size_t i = 0; i < LEN(methods); i++)
        if (str_eq(methods[i].name, method))
            ret->method = methods[i].method;
    if (rest.n != 8 || !str_starts(rest, S("HTTP/")) || rest.p[6] != '.')
        return refuse(bad, 400, "malformed request line");
    if (rest.p[5] == '2' && str_eq(method, S("PRI")))
        return refuse(bad, 505, "this port speaks HTTP/1.1, not HTTP/2");
    if (rest.p[5] != '1' || rest.p[7] < '0' || rest.p[7] > '9')
        return refuse(bad, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    ret->minor = rest.p[7] == '0' ? 0 : 1;
    ret->keep_alive = ret->minor > 0;
    return parse_target(target, ret, bad);
}

/* field-line = field-name ":" OWS field-value OWS */
enum http_step http_field_parse(struct str line, struct http_header *ret, struct http_bad *bad)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return refuse(bad, 400, "a header continues on the next line (obsolete folding)");
    struct str value = line, name = str_cut(&value, ':');
    if (!value.p || !http_is_token(name))
        return refuse(bad, 400, "malformed header name");
    if (!all_of(value, VALUE))
        return refuse(bad, 400, "a control character in a header");
    char *p = (char *)(uintptr_t)name.p;           /* the caller lent the bytes for writing */
    for (size_t i = 0; i < name.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] | 0x20);
    *ret = (struct http_header){ name, str_trim(value) };
    return HTTP_DONE;
}

static enum http_step field_length(struct http_head *h, struct str v, bool again, struct http_bad *bad)
{
    if (again)
        return refuse(bad, 400, "Content-Length twice");
    uint64_t n = 0;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return refuse(bad, 400, "Content-Length is not a number");
        if (n > (UINT64_MAX - 9) / 10)
            return refuse(bad, 413, "Content-Length is absurd");
        n = n * 10 + (uint64_t)(v.p[i] - '0');
    }
    if (!v.n)
        return refuse(bad, 400, "Content-Length is not a number");
    h->length = n;
    return HTTP_DONE;
}

static enum http_step field_coding(struct http_head *h, struct str v, bool again, struct http_bad *bad)
{
    if (!h->minor)
        return refuse(bad, 400, "Transfer-Encoding in HTTP/1.0");
    if (again || !str_eq_nocase(v, S("chunked")))
        return refuse(bad, 501, "the only transfer coding understood is chunked, once");
    h->chunked = true;
    return HTTP_DONE;
}

static enum http_step field_host(struct http_head *h, struct str v, bool again, struct http_bad *bad)
{
    if (again)
        return refuse(bad, 400, "Host twice");
    if (!h->host.p)                                /* an absolute target goes first */
        h->host = v;
    return HTTP_DONE;
}

static enum http_step field_expect(struct http_head *h, struct str v, bool again, struct http_bad *bad)
{
    if (again || !str_eq_nocase(v, S("100-continue")))
        return refuse(bad, 417, "the only expectation understood is 100-continue");
    h->expect = h->minor > 0;
    return HTTP_DONE;
}

/* Connection = #token; may come more than once, and close wins. */
static enum http_step field_connection(struct http_head *h, struct str v, bool again, struct http_bad *bad)
{
    (void)again;
    (void)bad;
    bool close = false, keep = false;
    while (v.p) {
        struct str word = str_trim(str_cut(&v, ','));
        close |= str_eq_nocase(word, S("close"));
        keep |= str_eq_nocase(word, S("keep-alive"));
    }
    if (close)
        h->keep_alive = false;
    else if (keep && !h->minor)
        h->keep_alive = true;
    return HTTP_DONE;
}

enum { F_LENGTH, F_CODING, F_HOST, F_EXPECT, F_CONNECTION };

/* The fields that this layer acts upon. */
static const struct {
    struct str name;
    enum http_step (*read)(struct http_head *h, struct str v, bool again, struct http_bad *bad);
} fields[] = {
    [F_LENGTH] = { S("content-length"), field_length },
    [F_CODING] = { S("transfer-encoding"), field_coding },
    [F_HOST] = { S("host"), field_host },
    [F_EXPECT] = { S("expect"), field_expect },
    [F_CONNECTION] = { S("connection"), field_connection },
};

static enum http_step act_on(struct http_head *h, const struct http_header *f, uint32_t *seen, struct http_bad *bad)
{
    for (uint32_t i = 0; i < LEN(fields); i++) {
        if (!str_eq(fields[i].name, f->name))
            continue;
        bool again = *seen & 1u << i;
        *seen |= 1u << i;
        return fields[i].read(h, f->value, again, bad);
    }
    return HTTP_DONE;
}

static enum http_step parse_fields(struct str rest, struct arena *mem, struct http_head *h, struct http_bad *bad)
{
    struct http_header *out = NULL;
    uint32_t seen = 0, cap = 0;
    for (struct str line = next_line(&rest); line.n; line = next_line(&rest)) {
        CHECK(h->nheaders < HTTP_HEADERS_MAX);     /* http_scan() counted the lines */
        struct http_header *f = arena_push(mem, out, h->nheaders, cap);
        enum http_step step = http_field_parse(line, f, bad);
        if (step == HTTP_DONE)
            step = act_on(h, f, &seen, bad);
        if (step != HTTP_DONE)
            return step;
    }
    h->headers = out;
    if (seen & 1u << F_LENGTH && seen & 1u << F_CODING)
        return refuse(bad, 400, "both Content-Length and Transfer-Encoding");
    if (h->minor && !(seen & 1u << F_HOST))
        return refuse(bad, 400, "the Host header is missing");
    return HTTP_DONE;
}

enum http_step http_head_parse(char *p, size_t n, struct arena *mem, struct http_head *ret, struct http_bad *bad)
{
    struct str rest = { p, n };
    struct http_head h = { 0 };
    enum http_step step = parse_request_line(next_line(&rest), &h, bad);
    if (step == HTTP_DONE)
        step = parse_fields(rest, mem, &h, bad);
    if (step == HTTP_DONE)
        *ret = h;
    return step;
}
