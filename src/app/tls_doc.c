/* app/tls_doc.c -- the documentation's table of tls_server_config: keys and choices come
 * from the table that reads them, so that neither can be there without the other.
 */
#include "app/access_config.h"

static const struct {
    struct str key;
    const char *values, *doc;
} docs[] = {
    { S("cert_file"), "file", "The listener's certificate in PEM form, followed by those that lead to its CA. "
      "Found again when it changes." },
    { S("key_file"), "file", "Its key in PEM form, without a password. Found again when it changes." },
    { S("client_ca_file"), "file", "The CAs that client certificates are verified against." },
    { S("cert"), "text", "Inline, in the place of `cert_file`." },
    { S("key"), "text", "Inline, in the place of `key_file`." },
    { S("client_ca"), "text", "Inline, in the place of `client_ca_file`." },
    { S("client_auth_type"), NULL, "What a client has to show: nothing (the default), a certificate if it likes, some certificate, one of "
      "`client_ca` if any, or one of `client_ca`. The last is the old name of the third." },
    { S("client_allowed_sans"), "list of names", "Of verified certificates only those that bear one of these "
      "names: DNS, e-mail, URI or IP address." },
    { S("min_version"), NULL, "The least version of TLS; default `TLS12`." },
    { S("max_version"), NULL, "The highest; default `TLS13`." },
    { S("cipher_suites"), "list of names", "As Go names them: `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, "
      "`TLS_AES_256_GCM_SHA384`. Those of TLS 1.2 and of TLS 1.3 replace their own defaults; insecure ones are refused." },
    { S("curve_preferences"), "list of names", "`CurveP256`, `CurveP384`, `CurveP521`, `X25519`." },
    { S("prefer_server_cipher_suites"), "`true` `false`", "Whether the listener's order of suites counts rather than "
      "the client's. Default `false`; without meaning in TLS 1.3." },
};

static void put_choices(struct buf *out, const char *choices)
{
    struct str rest = str_c(choices);
    for (bool first = true; rest.p; first = false) {
        struct str one = str_cut(&rest, '|');
        buf_fmt(out, "%s`" STR_FMT "`", first ? "" : " ", STR_ARG(one));
    }
}

void tls_describe(struct buf *out)
{
    buf_str(out, S("| key | values | what it does |\n| --- | --- | --- |\n"));
    for (size_t i = 0; tls_server_fields[i].name.n; i++) {
        const struct field *f = &tls_server_fields[i];
        CHECK(i < LEN(docs) && str_eq(docs[i].key, f->name));
        buf_fmt(out, "| `" STR_FMT "` | ", STR_ARG(f->name));
        if (f->choices)
            put_choices(out, f->choices);
        else
            buf_str(out, str_c(docs[i].values));
        buf_fmt(out, " | %s |\n", docs[i].doc);
    }
}
