/* setup/settings.c -- the "env" map of a settings.json read, and changed in place.
 *
 * The file is somebody else's, so a change touches the bytes of the values concerned and
 * nothing else: the pull parser says where members begin and end, and the new text is put
 * together from stretches of the old one. A member that is not there yet goes to the end
 * of its object, with the indentation of the member before it.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/jw.h"
#include "setup/setup.h"

/* Byte offsets in the text. */
struct member {
    struct str name, value;                        /* value: of a text; p NULL: something else */
    size_t key_at, value_at, end;
};

struct object {
    size_t open, close;                            /* of its brackets */
    struct member *at;
    uint32_t n, cap;
};

static size_t offset(const struct json *j)
{
    return (size_t)(j->p - j->start);
}

/* Where the token just read began: it ends at j->p, and only blanks and a colon or comma precede it. */
static size_t skip_to_token(struct str text, size_t at)
{
    while (at < text.n && str_index(S(" \t\r\n,:"), text.p[at]) != SIZE_MAX)
        at++;
    return at;
}

/* The newest token is J_OBJ. */
static enum err read_object(struct json *j, struct str text, struct arena *mem, struct object *ret)
{
    *ret = (struct object){ .open = offset(j) - 1 };
    for (;;) {
        size_t at = skip_to_token(text, offset(j));
        enum json_tok tok = json_next(j);
        if (tok == J_OBJ_END) {
            ret->close = offset(j) - 1;
            return OK;
        }
        if (tok != J_KEY)
            return E_SYNTAX;
        struct member *m = arena_push(mem, ret->at, ret->n, ret->cap);
        *m = (struct member){ .name = arena_str(mem, j->s), .key_at = at };
        m->value_at = skip_to_token(text, offset(j));
        tok = json_next(j);
        if (tok == J_STR)
            m->value = arena_str(mem, j->s.p ? j->s : S(""));
        json_skip(j);
        if (j->tok == J_ERR)
            return E_SYNTAX;
        m->end = offset(j);
    }
}

/* Of a name that stands twice the last one counts, as in the client. */
static const struct member *find(const struct object *o, struct str name)
{
    for (uint32_t i = o->n; i-- > 0;)
        if (str_eq(o->at[i].name, name))
            return &o->at[i];
    return NULL;
}

struct settings {
    struct object top, env;
    bool has_env;
};

static enum err not_json(const struct json *j, struct fault *f)
{
    return fault_set(f, E_SYNTAX, j->fault.at, "%s", j->fault.msg[0] ? j->fault.msg : "an object is wanted");
}

static enum err read_settings(struct str text, struct arena *mem, struct settings *ret, struct fault *f)
{
    struct json j;
    *ret = (struct settings){ 0 };
    json_init(&j, text, mem);
    if (json_next(&j) != J_OBJ || read_object(&j, text, mem, &ret->top) || json_next(&j) != J_END)
        return not_json(&j, f);
    const struct member *env = find(&ret->top, S("env"));
    if (!env)
        return OK;
    struct str inner = str_sub(text, 0, env->end);
    json_init(&j, str_sub(inner, env->value_at, inner.n), mem);
    if (json_next(&j) != J_OBJ)
        return fault_set(f, E_SYNTAX, env->value_at, "\"env\" is no object");
    /* Offsets of the inner parser are from the value's own beginning. */
    CHECK(!read_object(&j, str_sub(inner, env->value_at, inner.n), mem, &ret->env));
    ret->env.open += env->value_at;
    ret->env.close += env->value_at;
    for (uint32_t i = 0; i < ret->env.n; i++) {
        ret->env.at[i].key_at += env->value_at;
        ret->env.at[i].value_at += env->value_at;
        ret->env.at[i].end += env->value_at;
    }
    ret->has_env = true;
    return OK;
}

enum err settings_env(struct str text, struct arena *mem, struct pairs *ret, struct fault *f)
{
    struct settings s;
    *ret = (struct pairs){ 0 };
    if (!str_trim(text).n)
        return OK;
    enum err e = read_settings(text, mem, &s, f);
    if (e)
        return e;
    ret->at = arena_new(mem, struct pair, s.env.n + 1);
    for (uint32_t i = 0; i < s.env.n; i++)
        if (s.env.at[i].value.p)
            ret->at[ret->n++] = (struct pair){ s.env.at[i].name, s.env.at[i].value };
    return OK;
}

/* ---- changing ------------------------------------------------------------------------- */

static void put_string(struct buf *b, struct str s)
{
    struct jw w;
    jw_init(&w, b);
    jw_str(&w, s);
}

/* The blanks before a member on its line, or `fallback` if something else stands there too. */
static struct str indent_of(struct str text, const struct object *o, struct str fallback)
{
    if (!o->n)
        return fallback;
    size_t from = o->at[0].key_at;
    while (from && (text.p[from - 1] == ' ' || text.p[from - 1] == '\t'))
        from--;
    bool own_line = from && text.p[from - 1] == '\n';
    return own_line ? str_sub(text, from, o->at[0].key_at - from) : S("");
}

static void put_member(struct buf *b, struct str indent, struct str name, struct str value, bool first)
{
    buf_str(b, first ? S("") : S(","));
    buf_str(b, indent.n ? S("\n") : first ? S("") : S(" "));
    buf_str(b, indent);
    put_string(b, name);
    buf_str(b, S(": "));
    put_string(b, value);
}

static uint32_t count_new(const struct object *env, const struct pairs *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++)
        n += set->at[i].value.p && !find(env, set->at[i].name);
    return n;
}

static const struct pair *wanted(const struct pairs *set, struct str name)
{
    for (uint32_t i = 0; i < set->n; i++)
        if (str_eq(set->at[i].name, name))
            return &set->at[i];
    return NULL;
}

/* The object's bytes from bracket to bracket. Members that stay keep the blanks before them. */
static void put_env(struct buf *b, struct str text, const struct object *env, const struct pairs *set)
{
    struct str indent = indent_of(text, env, S("    "));
    size_t at = env->open + 1;
    bool first = true;
    buf_byte(b, '{');
    for (uint32_t i = 0; i < env->n; i++) {
        const struct member *m = &env->at[i];
        const struct pair *p = wanted(set, m->name);
        size_t from = at;
        at = m->end;
        if (p && !p->value.p)
            continue;                              /* removed, with the comma and the blanks before it */
        struct str before = str_sub(text, from, m->key_at - from);
        if (first) {
            size_t comma = str_index(before, ',');
            before = comma == SIZE_MAX ? before : str_sub(before, comma + 1, before.n);
        } else if (str_index(before, ',') == SIZE_MAX) {
            buf_byte(b, ',');
        }
        buf_str(b, before);
        buf_str(b, str_sub(text, m->key_at, m->value_at - m->key_at));
        if (p && !(m->value.p && str_eq(m->value, p->value)))
            put_string(b, p->value);
        else
            buf_str(b, str_sub(text, m->value_at, m->end - m->value_at));
        first = false;
    }
    for (uint32_t i = 0; i < set->n; i++)
        if (set->at[i].value.p && !find(env, set->at[i].name)) {
            put_member(b, indent, set->at[i].name, set->at[i].value, first);
            first = false;
        }
    if (env->n)
        buf_str(b, str_sub(text, env->at[env->n - 1].end, env->close - env->at[env->n - 1].end));
    else if (!first)
        buf_str(b, S("\n  "));
    buf_byte(b, '}');
}

static void put_new_env(struct buf *b, struct str text, const struct settings *s, const struct pairs *set)
{
    static const struct object none = { 0 };
    struct str indent = indent_of(text, &s->top, S("  "));
    size_t end = s->top.n ? s->top.at[s->top.n - 1].end : s->top.open + 1;
    buf_str(b, str_sub(text, 0, end));
    buf_str(b, s->top.n ? S(",") : S(""));
    buf_str(b, indent.n ? S("\n") : S(" "));
    buf_str(b, indent);
    buf_str(b, S("\"env\": "));
    put_env(b, S(""), &none, set);
    if (!s->top.n)
        buf_byte(b, '\n');
    buf_str(b, str_sub(text, s->top.n ? end : s->top.close, text.n));
}

enum err settings_edit(struct str text, const struct pairs *set, struct arena *mem, struct str *ret, struct fault *f)
{
    struct settings s;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 2 * SETTINGS_BYTES_MAX);
    if (!str_trim(text).n)
        text = S("{}\n");
    enum err e = read_settings(text, mem, &s, f);
    if (e)
        return e;
    if (s.has_env) {
        buf_str(&b, str_sub(text, 0, s.env.open));
        put_env(&b, text, &s.env, set);
        buf_str(&b, str_sub(text, s.env.close + 1, text.n));
    } else if (count_new(&s.env, set)) {
        put_new_env(&b, text, &s, set);
    } else {
        buf_str(&b, text);
    }
    if (b.bad)
        return fault_set(f, E_LIMIT, 0, "settings of more than %d bytes", SETTINGS_BYTES_MAX);
    *ret = arena_str(mem, buf_view(&b));
    return OK;
}
