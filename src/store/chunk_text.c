/* store/chunk_text.c -- lists of texts, and lists of typed values.
 *
 * Most identifiers are numbers written out. A list in which every text is of one
 * such form, and would be written again just so, is stored as what it means:
 *
 *     UUID       16 bytes each (lower case, 8-4-4-4-12)
 *     hex        half the length (lower case, all of one even length)
 *     ids        a common prefix once, then hex as above ("req_011C18765b887c217d62")
 *     integer    "1234" as put_ints() has it (duration_ms comes as text)
 *     ISO time   "2026-11-23T10:00:00.123Z" as ms, put_ints()
 *     plain      anything else: a common prefix once, lengths, bytes
 *
 * The prefix is cut ("req_011C...", "toolu_01...") because a repetition of four
 * bytes costs zstd two or three in each of thousands of texts.
 *
 * A list of values is its types (one for all, or one each), then the integers, the
 * doubles, the bools and the texts, each in order.
 */
#include <string.h>

#include "base/num.h"
#include "store/chunk_int.h"

enum text_form { TEXT_PLAIN = 0, TEXT_UUID = 1, TEXT_HEX = 2, TEXT_INT = 3, TEXT_ISO = 4, TEXT_ID = 5 };
enum { AHEAD = 8 };                                /* texts lie where they came to the head: each look is a cache miss */
enum { UUID_LEN = 36, UUID_BYTES = 16, INT_LEN_MAX = 20, HEX_MIN = 8, PREFIX_MAX = 32 };
#define TYPES_MIXED 0
#define MS_MIN INT64_C(-62167219200000)            /* 0000-01-01 */
#define MS_MAX INT64_C(253402300799999)            /* 9999-12-31T23:59:59.999 */
enum { MS_PER_DAY = 86400000 };

/* --- hexadecimal digits ------------------------------------------------------------ */

static inline int hex_digit(char c)
{
    unsigned d = (unsigned)(unsigned char)c - '0', l = (unsigned)(unsigned char)c - 'a';
    return d < 10 ? (int)d : l < 6 ? (int)l + 10 : -1;
}

/* Eight digits at once, a byte each, the first one lowest. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
enum { WORD = 8 };

static inline uint64_t word_at(const char *p)
{
    uint64_t x = bytes8(p);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif
    return x;
}

/* The high bit of each byte that is at least lo and less than hi; both and all bytes are below 128. */
static inline uint64_t between(uint64_t x, unsigned lo, unsigned hi)
{
    uint64_t high = x | EACH(0x80);
    return (high - EACH(lo)) & ~(high - EACH(hi)) & EACH(0x80);
}

static inline bool word_is_hex(uint64_t x)
{
    return ((between(x, '0', '9' + 1) | between(x, 'a', 'f' + 1)) & ~x) == EACH(0x80);
}

/* Of eight hexadecimal digits. */
static inline uint32_t word_pack(uint64_t x)
{
    uint64_t v = (x & EACH(0x0f)) + 9 * (between(x, 'a', 'f' + 1) >> 7);
    v = (v << 4 | v >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v | v >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(v | v >> 16);
}

static bool is_hex(struct str s)
{
    size_t i = 0;
    for (; i + WORD <= s.n; i += WORD)
        if (!word_is_hex(word_at(s.p + i)))
            return false;
    for (; i < s.n; i++)
        if (hex_digit(s.p[i]) < 0)
            return false;
    return true;
}

static void hex_pack(const char *p, size_t nbytes, uint8_t *out)
{
    size_t i = 0;
    for (; i + WORD / 2 <= nbytes; i += WORD / 2) {
        uint32_t four = word_pack(word_at(p + 2 * i));
        for (unsigned k = 0; k < WORD / 2; k++)
            out[i + k] = (uint8_t)(four >> 8 * k);
    }
    for (; i < nbytes; i++)
        out[i] = (uint8_t)(hex_digit(p[2 * i]) << 4 | hex_digit(p[2 * i + 1]));
}

static void hex_unpack(const uint8_t *p, size_t nbytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < nbytes; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
}

/* The stretches of digits between the dashes of a UUID: offset in the text, bytes. */
static const struct { uint8_t at, bytes; } uuid_parts[] = { { 0, 4 }, { 9, 2 }, { 14, 2 }, { 19, 2 }, { 24, 6 } };

static bool uuid_digits(struct str s, char out[2 * UUID_BYTES])
{
    if (s.n != UUID_LEN)
        return false;
    for (size_t i = 0; i < LEN(uuid_parts); out += 2 * uuid_parts[i].bytes, i++) {
        if (i && s.p[uuid_parts[i].at - 1] != '-')
            return false;
        memcpy(out, s.p + uuid_parts[i].at, 2u * uuid_parts[i].bytes);
    }
    return true;
}

static bool is_uuid(struct str s)
{
    char digits[2 * UUID_BYTES];
    return uuid_digits(s, digits) && is_hex((struct str){ digits, sizeof digits });
}

static void uuid_pack(struct str s, uint8_t out[UUID_BYTES])
{
    char digits[2 * UUID_BYTES];
    CHECK(uuid_digits(s, digits));
    hex_pack(digits, UUID_BYTES, out);
}

static void uuid_unpack(const uint8_t p[UUID_BYTES], char out[UUID_LEN])
{
    for (size_t i = 0; i < LEN(uuid_parts); p += uuid_parts[i].bytes, i++) {
        if (i)
            out[uuid_parts[i].at - 1] = '-';
        hex_unpack(p, uuid_parts[i].bytes, out + uuid_parts[i].at);
    }
}

/* --- times -------------------------------------------------------------------------- */

bool iso_ms_fits(int64_t ms)
{
    return ms >= MS_MIN && ms <= MS_MAX;
}

static void digits_out(char *p, unsigned n, int64_t v)
{
    while (n-- > 0) {
        p[n] = (char)('0' + v % 10);
        v /= 10;
    }
}

/* Days since 1970 to a date of the Gregorian calendar; eras of 400 years begin in March. */
static void civil(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void iso_ms_format(char out[ISO_MS_LEN], int64_t ms)
{
    CHECK(iso_ms_fits(ms));
    int64_t days = (ms >= 0 ? ms : ms - (MS_PER_DAY - 1)) / MS_PER_DAY, rest = ms - days * MS_PER_DAY;
    int64_t y, m, d;
    civil(days, &y, &m, &d);
    memcpy(out, "0000-00-00T00:00:00.000Z", ISO_MS_LEN);
    digits_out(out, 4, y);
    digits_out(out + 5, 2, m);
    digits_out(out + 8, 2, d);
    digits_out(out + 11, 2, rest / 3600000);
    digits_out(out + 14, 2, rest / 60000 % 60);
    digits_out(out + 17, 2, rest / 1000 % 60);
    digits_out(out + 20, 3, rest % 1000);
}

static int64_t digits_in(const char *p, unsigned n)
{
    int64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v * 10 + (p[i] - '0');
    return v;
}

/* "2026-11-23T" as ms; false: not how we write a day that there is. */
static bool day_parse(const char *p, int64_t *ret_ms)
{
    static const char mask[] = "dddd-dd-ddT";
    for (size_t i = 0; i < ISO_DAY_LEN; i++)
        if (mask[i] == 'd' ? p[i] < '0' || p[i] > '9' : p[i] != mask[i])
            return false;
    int64_t y = digits_in(p, 4), m = digits_in(p + 5, 2), d = digits_in(p + 8, 2), days = days_of(y, m, d);
    int64_t real_y, real_m, real_d;
    civil(days, &real_y, &real_m, &real_d);        /* "02-30" is another day's text */
    *ret_ms = days * MS_PER_DAY;
    return real_y == y && real_m == m && real_d == d;
}

bool iso_ms_parse_near(struct str s, struct iso_day *day, int64_t *ret_ms)
{
    static const uint8_t places[] = { 11, 12, 14, 15, 17, 18, 20, 21, 22 };
    if (s.n != ISO_MS_LEN || s.p[10] != 'T')       /* most texts of that length are something else */
        return false;
    if (memcmp(s.p, day->text, ISO_DAY_LEN) != 0) {
        if (!day_parse(s.p, &day->ms))
            return false;
        memcpy(day->text, s.p, ISO_DAY_LEN);
    }
    const char *p = s.p;
    unsigned d[LEN(places)], worst = 0;
    for (size_t i = 0; i < LEN(places); i++) {
        d[i] = (unsigned)(unsigned char)p[places[i]] - '0';
        worst = MAX(worst, d[i]);
    }
    unsigned hour = d[0] * 10 + d[1], min = d[2] * 10 + d[3], sec = d[4] * 10 + d[5], ms = d[6] * 100 + d[7] * 10 + d[8];
    if (worst > 9 || hour > 23 || min > 59 || sec > 59 || p[13] != ':' || p[16] != ':' || p[19] != '.' || p[23] != 'Z')
        return false;
    *ret_ms = day->ms + (int64_t)(((hour * 60 + min) * 60 + sec) * 1000 + ms);
    return true;
}

bool iso_ms_parse(struct str s, int64_t *ret_ms)
{
    struct iso_day day = { 0 };
    return iso_ms_parse_near(s, &day, ret_ms);
}

/* --- lists of texts ------------------------------------------------------------------ */

/* "+1", "007" and "-0" are not how we write it. */
bool plain_int(struct str s, int64_t *ret)
{
    if (s.n == 0 || s.n > INT_LEN_MAX)
        return false;
    size_t first = s.p[0] == '-';
    bool zero = s.n == 1 && s.p[0] == '0';
    if (!zero && (first == s.n || s.p[first] < '1' || s.p[first] > '9'))
        return false;
    return str_to_i64(s, ret);
}

static bool is_hex_like(struct str s, struct str first)
{
    return s.n == first.n && s.n >= HEX_MIN && s.n % 2 == 0 && is_hex(s);
}

static enum text_form text_form_of(const struct str *s, size_t n)
{
    int64_t unused;
    bool can[TEXT_ISO + 1] = { [TEXT_UUID] = true, [TEXT_HEX] = true, [TEXT_INT] = true, [TEXT_ISO] = true };
    static const enum text_form order[] = { TEXT_INT, TEXT_ISO, TEXT_UUID, TEXT_HEX };
    struct iso_day day = { 0 };
    for (size_t i = 0; i < n && (can[TEXT_UUID] || can[TEXT_HEX] || can[TEXT_INT] || can[TEXT_ISO]); i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        can[TEXT_INT] = can[TEXT_INT] && plain_int(s[i], &unused);
        can[TEXT_ISO] = can[TEXT_ISO] && iso_ms_parse_near(s[i], &day, &unused);
        can[TEXT_UUID] = can[TEXT_UUID] && is_uuid(s[i]);
        can[TEXT_HEX] = can[TEXT_HEX] && is_hex_like(s[i], s[0]);
    }
    for (size_t k = 0; k < LEN(order); k++)
        if (can[order[k]])
            return order[k];
    return TEXT_PLAIN;
}

static size_t common_prefix(const struct str *s, size_t n)
{
    size_t len = n > 1 ? MIN(s[0].n, (size_t)PREFIX_MAX) : 0;
    for (size_t i = 1; i < n && len; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        len = MIN(len, s[i].n);
        while (len && memcmp(s[0].p, s[i].p, len) != 0)
            len--;
    }
    return len;
}

/* What stands behind the prefix is hex of one even length: the prefix that leaves it so, or 0. */
static size_t id_prefix(const struct str *s, size_t n, size_t prefix)
{
    if (!prefix || s[0].n - prefix < HEX_MIN)
        return 0;
    if ((s[0].n - prefix) % 2)
        prefix--;
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        if (s[i].n != s[0].n || !is_hex(str_sub(s[i], prefix, s[i].n)))
            return 0;
    }
    return prefix;
}

static void put_hex(struct buf *b, const struct str *s, size_t n, size_t prefix)
{
    size_t each = (s[0].n - prefix) / 2;
    put_varint(b, each);
    uint8_t *out = (uint8_t *)buf_room(b, each * n);
    for (size_t i = 0; out && i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        hex_pack(s[i].p + prefix, each, out + i * each);
    }
    if (out)
        buf_grew(b, each * n);
}

static void put_plain(struct buf *b, const struct str *s, size_t n, size_t prefix, struct arena scratch)
{
    put_str(b, str_sub(s[0], 0, prefix));
    int64_t *len = arena_raw(&scratch, int64_t, n);
    size_t all = 0;
    for (size_t i = 0; i < n; i++) {
        len[i] = (int64_t)(s[i].n - prefix);
        all += s[i].n - prefix;
    }
    put_ints(b, len, n, scratch);
    char *out = buf_room(b, all), *to = out;
    for (size_t i = 0; out && i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        if (len[i])
            memcpy(to, s[i].p + prefix, (size_t)len[i]);
        to += len[i];
    }
    if (out)
        buf_grew(b, all);
}

static void put_texts(struct buf *b, const struct str *s, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    enum text_form form = text_form_of(s, n);
    size_t prefix = form == TEXT_PLAIN ? common_prefix(s, n) : 0, id = form == TEXT_PLAIN ? id_prefix(s, n, prefix) : 0;
    if (id)
        form = TEXT_ID;
    buf_byte(b, (char)form);
    if (form == TEXT_PLAIN) {
        put_plain(b, s, n, prefix, scratch);
        return;
    }
    if (form == TEXT_ID)
        put_str(b, str_sub(s[0], 0, id));
    if (form == TEXT_ID || form == TEXT_HEX) {
        put_hex(b, s, n, id);
        return;
    }
    if (form == TEXT_INT || form == TEXT_ISO) {
        int64_t *v = arena_raw(&scratch, int64_t, n);
        struct iso_day day = { 0 };
        for (size_t i = 0; i < n; i++)
            CHECK(form == TEXT_INT ? plain_int(s[i], &v[i]) : iso_ms_parse_near(s[i], &day, &v[i]));
        put_ints(b, v, n, scratch);
        return;
    }
    uint8_t *out = (uint8_t *)buf_room(b, n * UUID_BYTES);
    for (size_t i = 0; out && i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(s[i + AHEAD].p);
        uuid_pack(s[i], out + i * UUID_BYTES);
    }
    if (out)
        buf_grew(b, n * UUID_BYTES);
}

static void rd_plain(struct rd *r, struct str *s, size_t n, struct arena *mem)
{
    struct str prefix = rd_str(r);
    if (prefix.n > PREFIX_MAX) {
        r->bad = true;
        return;
    }
    int64_t *len = arena_raw(mem, int64_t, n);
    rd_ints(r, len, n);
    uint64_t left = (uint64_t)(r->end - r->p);
    for (size_t i = 0; i < n; i++) {
        if (r->bad || len[i] < 0 || (uint64_t)len[i] > left) {
            r->bad = true;
            return;
        }
        left -= (uint64_t)len[i];
        s[i] = (struct str){ (const char *)rd_take(r, (uint64_t)len[i]), (size_t)len[i] };
    }
    if (!prefix.n)
        return;
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += s[i].n + prefix.n;
    char *out = arena_raw(mem, char, all);
    for (size_t i = 0; i < n; i++) {
        memcpy(out, prefix.p, prefix.n);
        if (s[i].n)
            memcpy(out + prefix.n, s[i].p, s[i].n);
        s[i] = (struct str){ out, prefix.n + s[i].n };
        out += s[i].n;
    }
}

static void rd_number_texts(struct rd *r, enum text_form form, struct str *s, size_t n, struct arena *mem)
{
    int64_t *v = arena_raw(mem, int64_t, n);
    rd_ints(r, v, n);
    size_t each = form == TEXT_ISO ? ISO_MS_LEN : 24;
    char *out = arena_raw(mem, char, n * each);
    for (size_t i = 0; i < n && !r->bad; i++, out += each) {
        s[i] = (struct str){ out, ISO_MS_LEN };
        if (form == TEXT_INT)
            s[i].n = num_fmt_i64(out, v[i]);
        else if (iso_ms_fits(v[i]))
            iso_ms_format(out, v[i]);
        else
            r->bad = true;
    }
}

/* n texts of `each` bytes, which stand at p; NULL and bad if they do not. */
static const uint8_t *rd_hex_head(struct rd *r, enum text_form form, size_t n, struct str *ret_prefix, size_t *ret_each)
{
    *ret_prefix = form == TEXT_ID ? rd_str(r) : S("");
    uint64_t each = form == TEXT_UUID ? UUID_BYTES : rd_varint(r);
    if (each == 0 || each > (uint64_t)(r->end - r->p) / n || ret_prefix->n > PREFIX_MAX) {
        r->bad = true;
        return NULL;
    }
    *ret_each = (size_t)each;
    return rd_take(r, each * n);
}

static struct str hex_text(enum text_form form, struct str prefix, const uint8_t *p, size_t each, char *out)
{
    if (form == TEXT_UUID) {
        uuid_unpack(p, out);
        return (struct str){ out, UUID_LEN };
    }
    if (prefix.n)
        memcpy(out, prefix.p, prefix.n);
    hex_unpack(p, each, out + prefix.n);
    return (struct str){ out, prefix.n + 2 * each };
}

/* Those of the rows at[0..nat-1]; `at` NULL: all, and nat is n. */
static void rd_hex_texts(struct rd *r, enum text_form form, size_t n, const uint32_t *at, size_t nat, struct str *s,
                         struct arena *mem)
{
    struct str prefix;
    size_t each;
    const uint8_t *p = rd_hex_head(r, form, n, &prefix, &each);
    if (!p)
        return;
    size_t len = form == TEXT_UUID ? UUID_LEN : prefix.n + each * 2;
    char *out = arena_raw(mem, char, nat * len);
    for (size_t k = 0; k < nat; k++, out += len)
        s[k] = hex_text(form, prefix, p + (at ? at[k] : k) * each, each, out);
}

/* All of s[] is set, whatever the bytes are. */
static void rd_texts(struct rd *r, struct str *s, size_t n, struct arena *mem)
{
    if (n == 0)
        return;
    uint8_t form = rd_byte(r);
    switch (form) {
    case TEXT_PLAIN:
        rd_plain(r, s, n, mem);
        break;
    case TEXT_INT:
    case TEXT_ISO:
        rd_number_texts(r, (enum text_form)form, s, n, mem);
        break;
    case TEXT_UUID:
    case TEXT_HEX:
    case TEXT_ID:
        rd_hex_texts(r, (enum text_form)form, n, NULL, n, s, mem);
        break;
    default:
        r->bad = true;
    }
}

/* --- lists of values ------------------------------------------------------------------ */

static bool is_text(enum vtype t)
{
    return t == V_STR || t == V_BYTES || t == V_JSON;
}

static void put_types(struct buf *b, const struct value *v, size_t n)
{
    size_t same = 1;
    while (same < n && v[same].type == v[0].type)
        same++;
    CHECK(v[0].type > V_NONE && v[0].type <= V_JSON);
    buf_byte(b, same == n ? (char)v[0].type : TYPES_MIXED);
    for (size_t i = 0; same < n && i < n; i++) {
        CHECK(v[i].type > V_NONE && v[i].type <= V_JSON);
        buf_byte(b, (char)v[i].type);
    }
}

void put_values(struct buf *b, const struct value *v, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    put_types(b, v, n);
    int64_t *ints = arena_raw(&scratch, int64_t, n);
    double *doubles = arena_raw(&scratch, double, n);
    struct str *texts = arena_raw(&scratch, struct str, n);
    size_t ni = 0, nd = 0, nt = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].type == V_INT)
            ints[ni++] = v[i].i;
        else if (v[i].type == V_DOUBLE)
            doubles[nd++] = v[i].d;
        else if (is_text(v[i].type))
            texts[nt++] = v[i].s;
    }
    put_ints(b, ints, ni, scratch);
    put_doubles(b, doubles, nd, scratch);
    for (size_t i = 0; i < n; i++)
        if (v[i].type == V_BOOL)
            buf_byte(b, v[i].b);
    put_texts(b, texts, nt, scratch);
}

void put_int_texts(struct buf *b, const int64_t *v, size_t n, struct arena scratch)
{
    if (n == 0)
        return;
    buf_byte(b, (char)V_STR);
    buf_byte(b, (char)TEXT_INT);
    put_ints(b, v, n, scratch);
}

static void rd_types(struct rd *r, struct value *v, size_t n)
{
    uint8_t all = rd_byte(r);
    const uint8_t *p = all == TYPES_MIXED ? rd_take(r, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        uint8_t t = p ? p[i] : all;
        if (t == V_NONE || t > V_JSON) {
            r->bad = true;
            t = V_INT;
        }
        v[i] = (struct value){ .type = (enum vtype)t };
    }
}

void rd_values(struct rd *r, struct value *v, size_t n, struct arena *mem)
{
    if (n == 0)
        return;
    rd_types(r, v, n);
    size_t ni = 0, nd = 0, nt = 0;
    for (size_t i = 0; i < n; i++) {
        ni += v[i].type == V_INT;
        nd += v[i].type == V_DOUBLE;
        nt += is_text(v[i].type);
    }
    struct str *texts = arena_new(mem, struct str, nt + 1);      /* texts first: they allocate and stay */
    struct arena scratch = *mem;
    int64_t *ints = arena_raw(&scratch, int64_t, ni + 1);
    double *doubles = arena_raw(&scratch, double, nd + 1);
    rd_ints(r, ints, ni);
    rd_doubles(r, doubles, nd, scratch);
    ni = nd = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].type == V_INT)
            v[i].i = ints[ni++];
        else if (v[i].type == V_DOUBLE)
            v[i].d = doubles[nd++];
        else if (v[i].type == V_BOOL)
            v[i].b = rd_byte(r) & 1;
    }
    rd_texts(r, texts, nt, mem);
    nt = 0;
    for (size_t i = 0; i < n && !r->bad; i++)
        if (is_text(v[i].type))
            v[i].s = texts[nt++];
}

/* ---- some of a list -------------------------------------------------------------------- */

static void some_plain(struct rd *r, size_t n, const uint32_t *at, size_t nat, struct str *s, struct arena *mem)
{
    struct str prefix = rd_str(r);
    int64_t *len = arena_raw(mem, int64_t, n);
    rd_ints(r, len, n);
    uint64_t left = (uint64_t)(r->end - r->p), sum = 0;
    if (r->bad || prefix.n > PREFIX_MAX) {
        r->bad = true;
        return;
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (len[i] < 0 || (uint64_t)len[i] > left - sum) {
            r->bad = true;
            return;
        }
        if (k < nat && at[k] == i)
            s[k++] = (struct str){ (const char *)r->p + sum, (size_t)len[i] };
        sum += (uint64_t)len[i];
    }
    CHECK(rd_take(r, sum));
    for (k = 0; prefix.n && k < nat; k++) {
        char *out = arena_raw(mem, char, prefix.n + s[k].n);
        memcpy(out, prefix.p, prefix.n);
        if (s[k].n)
            memcpy(out + prefix.n, s[k].p, s[k].n);
        s[k] = (struct str){ out, prefix.n + s[k].n };
    }
}

static void some_number_texts(struct rd *r, enum text_form form, size_t n, const uint32_t *at, size_t nat, struct str *s,
                              struct arena *mem)
{
    enum { INT_ROOM = 24 };
    int64_t *v = arena_raw(mem, int64_t, nat + 1);
    if (nat)
        rd_ints_at(r, v, n, at, nat, *mem);
    else
        r->p = r->end;
    char *out = arena_raw(mem, char, nat * INT_ROOM);
    for (size_t k = 0; k < nat && !r->bad; k++, out += INT_ROOM) {
        s[k] = (struct str){ out, ISO_MS_LEN };
        if (form == TEXT_INT)
            s[k].n = num_fmt_i64(out, v[k]);
        else if (iso_ms_fits(v[k]))
            iso_ms_format(out, v[k]);
        else
            r->bad = true;
    }
}

static void some_texts(struct rd *r, size_t n, const uint32_t *at, size_t nat, struct value *v, struct arena *mem)
{
    struct str *s = arena_new(mem, struct str, nat + 1);
    uint8_t form = rd_byte(r);
    if (form == TEXT_PLAIN)
        some_plain(r, n, at, nat, s, mem);
    else if (form == TEXT_INT || form == TEXT_ISO)
        some_number_texts(r, (enum text_form)form, n, at, nat, s, mem);
    else if (form == TEXT_UUID || form == TEXT_HEX || form == TEXT_ID)
        rd_hex_texts(r, (enum text_form)form, n, at, nat, s, mem);
    else
        r->bad = true;
    for (size_t k = 0; k < nat; k++)
        v[k].s = s[k];
}

void rd_values_some(struct rd *r, size_t n, const uint32_t *at, size_t nat, struct value *v, struct arena *mem)
{
    if (n == 0)
        return;
    if (r->p < r->end && is_text((enum vtype)*r->p)) {           /* all of one kind of text: the usual */
        enum vtype type = (enum vtype)rd_byte(r);
        for (size_t k = 0; k < nat; k++)
            v[k].type = type;
        some_texts(r, n, at, nat, v, mem);
        return;
    }
    struct value *all = arena_new(mem, struct value, n);
    rd_values(r, all, n, mem);
    for (size_t k = 0; k < nat; k++)
        v[k] = all[at[k]];
}
