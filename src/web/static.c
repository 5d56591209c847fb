/* web/static.c -- the built page, from the program's own memory.
 *
 * Names under /assets/ carry a hash of their content, so browsers keep them for
 * good; everything else is asked for again each time and answered with 304. A
 * path that is no file is the page itself, which routes by the URL; a path that
 * belongs to an API is 404, since a program that mistyped it must not get HTML
 * and a 200.
 *
 * Files are stored compressed. Whoever cannot take gzip gets them unpacked,
 * which only tools ask for.
 */
#include "web/web_int.h"

#include "base/zip.h"

static const struct str api_roots[] = { S("/api/"), S("/loki/"), S("/v1/"), S("/otlp/"), S("/-/"), S("/assets/") };

static const struct {
    struct str name, value;
} page_headers[] = {
    { S("Content-Security-Policy"),
      S("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'") },
    { S("X-Content-Type-Options"), S("nosniff") },
    { S("Referrer-Policy"), S("no-referrer") },
    { S("Cross-Origin-Opener-Policy"), S("same-origin") },
    { S("Cross-Origin-Resource-Policy"), S("same-origin") },
    { S("Vary"), S("Accept-Encoding") },
};

static bool is_api(struct str path)
{
    for (size_t i = 0; i < LEN(api_roots); i++)
        if (str_starts(path, api_roots[i]))
            return true;
    return false;
}

static uint32_t find(struct str path)
{
    uint32_t i = 0;
    while (i < web_nassets && !str_eq(path, str_c(web_assets[i].path)))
        i++;
    return i;
}

/* Accept-Encoding names gzip, and not only to refuse it. */
static bool takes_gzip(struct str accept)
{
    while (accept.p) {
        struct str item = str_cut(&accept, ',');
        struct str coding = str_trim(str_cut(&item, ';'));
        double q = 1;
        item = str_trim(item);
        if (str_starts(item, S("q=")) && !str_to_f64(str_sub(item, 2, item.n), &q))
            q = 0;
        if (str_eq_nocase(coding, S("gzip")))
            return q > 0;
    }
    return false;
}

/* If-None-Match = "*" / #entity-tag; weak tags compare like strong ones. */
static bool has_tag(struct str list, struct str etag)
{
    while (list.p) {
        struct str tag = str_trim(str_cut(&list, ','));
        if (str_starts(tag, S("W/")))
            tag = str_sub(tag, 2, tag.n);
        if (str_eq(tag, etag) || str_eq(tag, S("*")))
            return true;
    }
    return false;
}

static void reply_unpacked(struct http_req *r, const struct web_asset *a)
{
    CLEANUP(buf_done) struct buf raw;
    buf_init(&raw, a->raw_n);
    struct fault f = { 0 };
    enum err e = zip_gunzip((struct str){ (const char *)a->data, a->n }, a->raw_n, &raw, &f);
    CHECK(!e && raw.n == a->raw_n);                /* embed.c packed it */
    http_reply_buf(r, 200, str_c(a->type), &raw);
}

void static_handle(struct http_req *r)
{
    const struct web *w = r->arg;
    uint32_t i = find(r->path);
    if (i == web_nassets && !is_api(r->path))
        i = find(S("/index.html"));
    if (i == web_nassets) {
        http_reply_error(r, 404, "nothing answers at " STR_FMT, STR_ARG(r->path));
        return;
    }

    const struct web_asset *a = &web_assets[i];
    struct str etag = str_c(w->etags[i]);
    for (size_t h = 0; h < LEN(page_headers); h++)
        http_reply_header(r, page_headers[h].name, page_headers[h].value);
    http_reply_header(r, S("ETag"), etag);
    http_reply_header(r, S("Cache-Control"), a->hashed ? S("public, max-age=31536000, immutable") : S("no-cache"));
    if (has_tag(http_header(r, S("if-none-match")), etag)) {
        http_reply(r, 304, (struct str){ 0 }, (struct str){ 0 });
        return;
    }
    if (a->packed && !takes_gzip(http_header(r, S("accept-encoding")))) {
        reply_unpacked(r, a);
        return;
    }
    if (a->packed)
        http_reply_header(r, S("Content-Encoding"), S("gzip"));
    http_reply(r, 200, str_c(a->type), (struct str){ (const char *)a->data, a->n });
}
