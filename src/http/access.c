/* http/access.c -- see access.h.
 *
 * Tokens are kept as their SHA-256 and compared without stopping at the first difference,
 * all of them each time. A password costs 50 ms by design, so whether it was right is
 * remembered: under a hash keyed with random bytes of this process, never as it came. Only
 * right ones are remembered. Wrong ones are counted per address and user in buckets
 * that fill up again with time; while a bucket is empty nothing is hashed for it.
 *
 * An unknown user is hashed against somebody's hash all the same, so that the time of an
 * answer does not tell who exists.
 */
#include "http/access.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/hash.h"
#include "http/password.h"
#include "http/route.h"

struct proven {
    uint8_t key[SECRET_HASH_BYTES];
    uint64_t used;                                 /* 0: free */
};

/* Guesses that one address has left for one user. */
struct bucket {
    uint64_t key, used;
    int64_t since_ms;                              /* monotonic, of `left` */
    int64_t left;
};

struct access {
    atomic_uint refs;
    struct arena mem;
    struct access_rules rules;
    const struct clock *clock;
    uint8_t key[SECRET_HASH_BYTES];                /* of struct proven */
    uint64_t seed;                                 /* of bucket.key */

    pthread_mutex_t lock;                          /* of all below */
    uint64_t turn;
    struct proven proven[ACCESS_PROVEN_MAX];
    struct bucket buckets[ACCESS_PEERS_MAX];
};

/* ---- making ------------------------------------------------------------------- */

static struct pairs copy_pairs(struct arena *mem, struct pairs p)
{
    struct pairs out = { arena_new(mem, struct pair, MAX(p.n, 1u)), p.n };
    for (uint32_t i = 0; i < p.n; i++)
        out.at[i] = (struct pair){ arena_str(mem, p.at[i].name), arena_str(mem, p.at[i].value) };
    return out;
}

struct access *access_new(const struct access_rules *rules, const struct clock *clock)
{
    CHECK(rules->nlisteners <= HTTP_LISTENERS_MAX);
    struct access *a = mem_alloc(sizeof(*a));
    atomic_init(&a->refs, 1);
    arena_init(&a->mem, 4 << 20);
    CHECK(pthread_mutex_init(&a->lock, NULL) == 0);
    a->clock = clock;
    secret_random(a->key, sizeof a->key);
    secret_random(&a->seed, sizeof a->seed);

    struct access_token *tokens = arena_new(&a->mem, struct access_token, MAX(rules->ntokens, 1u));
    struct access_user *users = arena_new(&a->mem, struct access_user, MAX(rules->nusers, 1u));
    struct access_listener *listeners = arena_new(&a->mem, struct access_listener, MAX(rules->nlisteners, 1u));
    for (uint32_t i = 0; i < rules->ntokens; i++) {
        tokens[i] = rules->tokens[i];
        tokens[i].name = arena_str(&a->mem, rules->tokens[i].name);
    }
    for (uint32_t i = 0; i < rules->nusers; i++)
        users[i] = (struct access_user){ arena_str(&a->mem, rules->users[i].name), arena_str(&a->mem, rules->users[i].hash),
                                         rules->users[i].listeners };
    for (uint32_t i = 0; i < rules->nlisteners; i++)
        listeners[i] = (struct access_listener){ arena_str(&a->mem, rules->listeners[i].name), rules->listeners[i].http2,
                                                 copy_pairs(&a->mem, rules->listeners[i].headers) };
    a->rules = (struct access_rules){ tokens, users, listeners, rules->ntokens, rules->nusers, rules->nlisteners };
    return a;
}

struct access *access_ref(struct access *a)
{
    CHECK(atomic_fetch_add(&a->refs, 1) > 0);
    return a;
}

void access_unref(struct access *a)
{
    if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
        return;
    CHECK(pthread_mutex_destroy(&a->lock) == 0);
    arena_done(&a->mem);
    secret_wipe(a, sizeof(*a));
    mem_free(a);
}

bool access_hashes(const struct access *a)
{
    return a->rules.nusers > 0;
}

/* The bit of a listener; 0 for one that nothing is said of. */
static uint32_t listener_bit(const struct access *a, struct str name)
{
    for (uint32_t i = 0; i < a->rules.nlisteners; i++)
        if (str_eq(a->rules.listeners[i].name, name))
            return 1u << i;
    return 0;
}

const struct access_listener *access_listener(const struct access *a, struct str name)
{
    uint32_t bit = listener_bit(a, name);
    return bit ? &a->rules.listeners[__builtin_ctz(bit)] : NULL;
}

/* ---- the header ------------------------------------------------------------------ */

enum scheme { SCHEME_NONE, SCHEME_BEARER, SCHEME_BASIC, SCHEME_OTHER };

struct credential {
    enum scheme scheme;
    struct str text;                               /* what is behind the scheme */
    bool encoded;                                  /* with percent signs */
};

/* Authorization = scheme 1*( SP / HTAB / "%20" ) credentials. A sender that is given
 * "Authorization=Bearer%20TOKEN", as the specification of its variable asks for, may send
 * it without decoding: then the rest is encoded too. */
static struct credential parse(struct str s)
{
    static const struct {
        struct str name;
        enum scheme scheme;
    } schemes[] = { { S("bearer"), SCHEME_BEARER }, { S("basic"), SCHEME_BASIC } };
    struct credential c = { 0 };
    s = str_trim(s);
    if (!s.n)
        return c;
    c.scheme = SCHEME_OTHER;
    c.text = s;
    for (size_t i = 0; i < LEN(schemes); i++) {
        struct str name = schemes[i].name, rest = str_sub(s, name.n, s.n);
        if (!str_eq_nocase(str_sub(s, 0, name.n), name))
            continue;
        bool gap = rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t');
        while (str_starts(rest, S("%20"))) {
            rest = str_sub(rest, 3, rest.n);
            gap = c.encoded = true;
        }
        if (!gap)
            break;                                 /* another scheme that begins alike */
        c.scheme = schemes[i].scheme;
        c.text = str_trim(rest);
    }
    return c;
}

/* One character of what came: nothing but the visible ones reaches a log. */
static char visible(char ch)
{
    return ch > ' ' && ch < 0x7f && ch != '"' && ch != '\\' ? ch : '?';
}

/* The plain text of a Basic credential, for as long as it is looked at. */
struct plain {
    char text[ACCESS_BASIC_MAX];
    struct str user, password;
};

static void plain_wipe(struct plain *p)
{
    secret_wipe(p, sizeof(*p));
}

static bool plain_read(struct credential c, struct plain *p)
{
    char buf[3 * ACCESS_BASIC_MAX];
    size_t n;
    if (c.text.n > ACCESS_BASIC_MAX)
        return false;
    if (c.encoded) {                               /* only the padding can be: "%3D" */
        while (str_ends(c.text, S("%3D")) || str_ends(c.text, S("%3d")))
            c.text.n -= 3;
    }
    bool ok = base64_decode(c.text, buf, &n) && n <= sizeof p->text;
    if (ok) {
        memcpy(p->text, buf, n);
        p->password = (struct str){ p->text, n };
        p->user = str_cut(&p->password, ':');
        ok = p->password.p && p->user.n <= ACCESS_NAME_MAX;
    }
    secret_wipe(buf, sizeof buf);
    return ok;
}

size_t access_shape(struct str authorization, char out[ACCESS_SHAPE_MAX])
{
    static const char *const names[] = { "", "Bearer ", "Basic ", "" };
    struct credential c = parse(authorization);
    if (c.scheme == SCHEME_NONE) {
        out[0] = 0;
        return 0;
    }
    CLEANUP(plain_wipe) struct plain p;
    struct str shown = c.text;
    if (c.scheme == SCHEME_BASIC)                  /* the user's name; of what is no credential, nothing */
        shown = plain_read(c, &p) ? p.user : S("");
    char first[5] = "";
    for (size_t i = 0; i < MIN((size_t)4, shown.n / 3); i++)
        first[i] = visible(shown.p[i]);
    int n = snprintf(out, ACCESS_SHAPE_MAX, "%s%s... (%zu characters)", names[c.scheme], first, shown.n);
    CHECK(n > 0 && n < ACCESS_SHAPE_MAX);
    return (size_t)n;
}

struct str access_peer_ip(struct str peer)
{
    if (str_starts(peer, S("["))) {
        size_t end = str_index(peer, ']');
        return end == SIZE_MAX ? peer : str_sub(peer, 1, end - 1);
    }
    return str_cut(&peer, ':');
}

/* ---- tokens ----------------------------------------------------------------------- */

static const char wrong_token[] = "the bearer token is not one of those configured for this listener";

static void check_token(const struct access *a, uint32_t bit, struct credential c, struct arena *mem, struct access_verdict *v)
{
    struct str token = c.text;
    uint8_t hash[SECRET_HASH_BYTES];
    const struct access_token *found = NULL;
    if (token.n > ACCESS_TOKEN_MAX || (c.encoded && !percent_decode(token, false, true, mem, &token)))
        return;
    secret_sha256(token, hash);
    for (uint32_t i = 0; i < a->rules.ntokens; i++) {
        const struct access_token *t = &a->rules.tokens[i];
        bool same = secret_equal(t->hash, hash, sizeof hash);
        if (same && (!found || t->listeners & bit))
            found = t;
    }
    if (!found)
        return;
    if (!(found->listeners & bit)) {
        v->status = 403;
        v->why = "this bearer token is known, but not for this listener";
        return;
    }
    v->status = 0;
    v->user = arena_str(mem, found->name);
}

/* ---- users -------------------------------------------------------------------------- */

static const char wrong_password[] = "user and password are not among those configured for this listener";

static const struct access_user *find_user(const struct access *a, uint32_t bit, struct str name)
{
    const struct access_user *found = NULL;
    for (uint32_t i = 0; i < a->rules.nusers; i++) {
        const struct access_user *u = &a->rules.users[i];
        if (str_eq(u->name, name) && (!found || u->listeners & bit))
            found = u;
    }
    return found;
}

static void let_user_in(const struct access_user *u, uint32_t bit, struct arena *mem, struct access_verdict *v)
{
    v->status = u->listeners & bit ? 0 : 403;
    v->why = "this user is known, but not for this listener";
    v->user = arena_str(mem, u->name);
}

static void proven_key(const struct access *a, const struct access_user *u, struct str password, uint8_t out[SECRET_HASH_BYTES])
{
    uint8_t bound[SECRET_HASH_BYTES];              /* the password under a key of its user */
    size_t at = (size_t)(u - a->rules.users);
    secret_keyed(a->key, (struct str){ (const char *)&at, sizeof at }, bound);
    secret_keyed(bound, password, out);
    secret_wipe(bound, sizeof bound);
}

static bool is_proven(struct access *a, const uint8_t key[SECRET_HASH_BYTES])
{
    bool found = false;
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    for (size_t i = 0; i < ACCESS_PROVEN_MAX && !found; i++) {
        struct proven *p = &a->proven[i];
        found = p->used && secret_equal(p->key, key, SECRET_HASH_BYTES);
        if (found)
            p->used = ++a->turn;
    }
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
    return found;
}

static void remember(struct access *a, const uint8_t key[SECRET_HASH_BYTES])
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    struct proven *oldest = a->proven;
    for (size_t i = 1; i < ACCESS_PROVEN_MAX; i++)
        if (a->proven[i].used < oldest->used)
            oldest = &a->proven[i];
    memcpy(oldest->key, key, SECRET_HASH_BYTES);
    oldest->used = ++a->turn;
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
}

/* ---- guesses ------------------------------------------------------------------------- */

/* IPv6 addresses count by their network, which is what one customer has. */
static uint64_t bucket_key(const struct access *a, struct str peer, const struct access_user *u)
{
    struct str ip = access_peer_ip(peer);
    size_t colons = 0, n = 0;
    while (n < ip.n && colons < 4)
        colons += ip.p[n++] == ':';
    uint64_t who = u ? (uint64_t)(u - a->rules.users) + 1 : 0;
    return hash64(str_sub(ip, 0, n), a->seed) ^ (who * UINT64_C(0x9e3779b97f4a7c15));
}

/* Under the lock; takes the place of the oldest if it is new. */
static struct bucket *bucket_find(struct access *a, uint64_t key, int64_t now_ms)
{
    struct bucket *oldest = a->buckets;
    for (size_t i = 0; i < ACCESS_PEERS_MAX; i++) {
        struct bucket *b = &a->buckets[i];
        if (b->used && b->key == key) {
            int64_t more = MIN((now_ms - b->since_ms) / ACCESS_GUESS_MS, (int64_t)ACCESS_GUESSES_MAX - b->left);
            if (more > 0) {
                b->left += more;
                b->since_ms += more * ACCESS_GUESS_MS;
            }
            if (b->left == ACCESS_GUESSES_MAX)
                b->since_ms = now_ms;
            b->used = ++a->turn;
            return b;
        }
        if (b->used < oldest->used)
            oldest = b;
    }
    *oldest = (struct bucket){ key, ++a->turn, now_ms, ACCESS_GUESSES_MAX };
    return oldest;
}

/* Takes a guess, false if none is left. It is given back when the password was right. */
static bool take_guess(struct access *a, uint64_t key)
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    struct bucket *b = bucket_find(a, key, clock_mono(a->clock) / NS_PER_MS);
    bool ok = b->left > 0;
    b->left -= ok;
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
    return ok;
}

static void give_back(struct access *a, uint64_t key)
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    struct bucket *b = bucket_find(a, key, clock_mono(a->clock) / NS_PER_MS);
    b->left = MIN(b->left + 1, (int64_t)ACCESS_GUESSES_MAX);
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
}

static bool has_guess(struct access *a, uint64_t key)
{
    CHECK(pthread_mutex_lock(&a->lock) == 0);
    bool ok = bucket_find(a, key, clock_mono(a->clock) / NS_PER_MS)->left > 0;
    CHECK(pthread_mutex_unlock(&a->lock) == 0);
    return ok;
}

/* ---- the question ---------------------------------------------------------------------- */

static const char too_many[] = "too many wrong passwords from this address; wait some seconds";

/* What the listener wants, and what is to be said when it does not get it. */
static void begin(const struct access *a, uint32_t bit, enum scheme scheme, struct access_verdict *v)
{
    *v = (struct access_verdict){ 0 };
    for (uint32_t i = 0; i < a->rules.ntokens; i++)
        v->bearer |= (a->rules.tokens[i].listeners & bit) != 0;
    for (uint32_t i = 0; i < a->rules.nusers; i++)
        v->basic |= (a->rules.users[i].listeners & bit) != 0;
    if (!v->bearer && !v->basic)
        return;
    v->status = 401;
    v->why = scheme == SCHEME_BEARER  ? wrong_token
             : scheme == SCHEME_BASIC ? wrong_password
             : scheme == SCHEME_OTHER ? "the Authorization header is neither \"Bearer TOKEN\" nor \"Basic ...\""
             : v->bearer && v->basic  ? "there is no Authorization header; this listener wants a bearer token, or user and password"
             : v->bearer              ? "there is no Authorization header; this listener wants a bearer token"
                                      : "there is no Authorization header; this listener wants user and password";
}

bool access_check(struct access *a, const struct access_ask *ask, struct arena *mem, struct access_verdict *ret)
{
    uint32_t bit = listener_bit(a, ask->listener);
    struct credential c = parse(ask->authorization);
    begin(a, bit, c.scheme, ret);
    if (!ret->status)
        return true;                               /* open: nobody is asked for anything */
    if (c.scheme == SCHEME_BEARER)
        check_token(a, bit, c, mem, ret);
    if (c.scheme != SCHEME_BASIC || !a->rules.nusers)
        return true;

    CLEANUP(plain_wipe) struct plain p;
    if (!plain_read(c, &p))
        return true;
    const struct access_user *u = find_user(a, bit, p.user);
    uint8_t key[SECRET_HASH_BYTES];
    if (u) {
        proven_key(a, u, p.password, key);
        if (is_proven(a, key)) {
            let_user_in(u, bit, mem, ret);
            return true;
        }
    }
    if (has_guess(a, bucket_key(a, ask->peer, u)))
        return false;
    ret->status = 429;
    ret->why = too_many;
    return true;
}

void access_prove(struct access *a, const struct access_ask *ask, struct arena *mem, struct access_verdict *ret)
{
    if (access_check(a, ask, mem, ret))            /* somebody with the same password was faster, or guessed too often */
        return;
    uint32_t bit = listener_bit(a, ask->listener);
    CLEANUP(plain_wipe) struct plain p;
    CHECK(plain_read(parse(ask->authorization), &p));
    const struct access_user *u = find_user(a, bit, p.user);
    uint64_t guess = bucket_key(a, ask->peer, u);
    if (!take_guess(a, guess)) {
        ret->status = 429;
        ret->why = too_many;
        return;
    }
    bool right = password_matches(p.password, (u ? u : a->rules.users)->hash);
    if (!u || !right)
        return;
    give_back(a, guess);
    uint8_t key[SECRET_HASH_BYTES];
    proven_key(a, u, p.password, key);
    remember(a, key);
    let_user_in(u, bit, mem, ret);
}
