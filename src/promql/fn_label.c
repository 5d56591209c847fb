/* promql/fn_label.c -- functions that change labels or order by them. */
#include <stdlib.h>

#include "promql/functions_int.h"

enum { GROUPS_MAX = 64, REPLACED_MAX = 1 << 20 };

static struct str text_arg(const struct expr *call, uint32_t i)
{
    return expr_bare(call->call.args[i])->string;
}

/* ---- label_replace --------------------------------------------------------- */

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The group that a name or number of a template stands for; empty if there is none. */
static struct str group_named(const struct regex *re, const struct str *groups, uint32_t n, struct str name)
{
    uint64_t number;
    if (str_to_u64(name, &number))
        return number < n ? groups[number] : S("");
    for (uint32_t i = 1; i < n; i++)
        if (str_eq(regex_group_name(re, i), name) && groups[i].p)
            return groups[i];
    return S("");
}

/* $1, ${1}, $name, ${name}, $$; as long as possible, and what is none of these stays. */
static void expand(struct buf *out, struct str template, const struct regex *re, const struct str *groups, uint32_t n)
{
    for (size_t i = 0; i < template.n;) {
        if (template.p[i] != '$') {
            buf_byte(out, template.p[i++]);
            continue;
        }
        size_t at = i + 1;
        if (at < template.n && template.p[at] == '$') {
            buf_byte(out, '$');
            i += 2;
            continue;
        }
        bool brace = at < template.n && template.p[at] == '{';
        at += brace;
        size_t end = at;
        while (end < template.n && is_word(template.p[end]))
            end++;
        bool ok = end > at && (!brace || (end < template.n && template.p[end] == '}'));
        if (!ok) {
            buf_byte(out, template.p[i++]);
            continue;
        }
        buf_str(out, group_named(re, groups, n, str_sub(template, at, end - at)));
        i = end + brace;
    }
}

static enum err replace_all(struct eval *ev, const struct expr *call, const struct regex *re, struct vec *v,
                            struct fault *f)
{
    struct str dst = text_arg(call, 1), template = text_arg(call, 2), src = text_arg(call, 3);
    uint32_t ngroups = MIN(regex_groups(re) + 1, (uint32_t)GROUPS_MAX);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, REPLACED_MAX);
    for (uint32_t s = 0; s < v->n; s++) {
        struct str groups[GROUPS_MAX] = { 0 };
        struct str value = labels_get(v->at[s].labels, src);
        if (!regex_find(re, value, 0, groups, ngroups))
            continue;
        buf_clear(&out);
        expand(&out, template, re, groups, ngroups);
        if (out.bad)
            return query_error(ev->q, f, E_LIMIT, "label_replace() gives a value longer than the limit of %d bytes",
                               REPLACED_MAX);
        v->at[s].labels = labels_set(ev->q->mem, v->at[s].labels, dst, arena_str(ev->q->mem, buf_view(&out)));
    }
    return OK;
}

static enum err fn_label_replace(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    struct str dst = text_arg(call, 1), pattern = text_arg(call, 4);
    struct str anchored = arena_fmt(ev->q->mem, "^(?s:" STR_FMT ")$", STR_ARG(pattern));
    CLEANUP(regex_freep) struct regex *re = NULL;
    struct fault why = { 0 };
    if (regex_new(anchored, REGEX_SEARCH, &re, &why))
        return query_error(ev->q, f, E_EXEC, "invalid regular expression in label_replace(): " STR_FMT, STR_ARG(pattern));
    if (!dst.n)
        return query_error(ev->q, f, E_EXEC, "invalid destination label name in label_replace(): ");
    enum err e = eval_vector(ev, call->call.args[0], ret, f);
    return e ? e : replace_all(ev, call, re, ret, f);
}

/* ---- label_join ------------------------------------------------------------ */

static enum err fn_label_join(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    struct str dst = text_arg(call, 1), separator = text_arg(call, 2);
    for (uint32_t a = 3; a < call->call.nargs; a++)
        if (!text_arg(call, a).n)
            return query_error(ev->q, f, E_EXEC, "invalid source label name in label_join(): ");
    if (!dst.n)
        return query_error(ev->q, f, E_EXEC, "invalid destination label name in label_join(): ");
    enum err e = eval_vector(ev, call->call.args[0], ret, f);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, REPLACED_MAX);
    for (uint32_t s = 0; s < ret->n && !e; s++) {
        buf_clear(&out);
        for (uint32_t a = 3; a < call->call.nargs; a++) {
            buf_str(&out, a > 3 ? separator : S(""));
            buf_str(&out, labels_get(ret->at[s].labels, text_arg(call, a)));
        }
        if (out.bad)
            return query_error(ev->q, f, E_LIMIT, "label_join() gives a value longer than the limit of %d bytes",
                               REPLACED_MAX);
        ret->at[s].labels = labels_set(ev->q->mem, ret->at[s].labels, dst, arena_str(ev->q->mem, buf_view(&out)));
    }
    return e;
}

/* ---- sort_by_label --------------------------------------------------------- */

struct sort_key {
    const struct expr *call;
    struct tser series;
    int sign;
};

static size_t digits_at(struct str s, size_t i)
{
    size_t n = 0;
    while (i + n < s.n && s.p[i + n] >= '0' && s.p[i + n] <= '9')
        n++;
    return n;
}

/* Stretches of digits compare as numbers, all else bytewise. */
static int natural_cmp(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        size_t na = digits_at(a, i), nb = digits_at(b, k);
        if (na && nb) {
            while (na > 1 && a.p[i] == '0')
                i++, na--;
            while (nb > 1 && b.p[k] == '0')
                k++, nb--;
            if (na != nb)
                return na < nb ? -1 : 1;
            int c = str_cmp(str_sub(a, i, na), str_sub(b, k, nb));
            if (c)
                return c;
            i += na;
            k += nb;
            continue;
        }
        if (a.p[i] != b.p[k])
            return (unsigned char)a.p[i] < (unsigned char)b.p[k] ? -1 : 1;
        i++;
        k++;
    }
    return (i < a.n) - (k < b.n);
}

static int by_labels(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    for (uint32_t i = 1; i < x->call->call.nargs; i++) {
        struct str l = labels_get(x->series.labels, text_arg(x->call, i));
        struct str r = labels_get(y->series.labels, text_arg(x->call, i));
        int c = natural_cmp(l, r);
        if (c)
            return x->sign * c;
    }
    return x->sign * labels_cmp(x->series.labels, y->series.labels);
}

static enum err sort_labels(struct eval *ev, const struct expr *call, int sign, struct vec *ret, struct fault *f)
{
    enum err e = eval_vector(ev, call->call.args[0], ret, f);
    if (e || ev->st.n > 1 || ret->n < 2)
        return e;
    struct sort_key *keys = arena_new(ev->q->mem, struct sort_key, ret->n);
    for (uint32_t i = 0; i < ret->n; i++)
        keys[i] = (struct sort_key){ call, ret->at[i], sign };
    qsort(keys, ret->n, sizeof *keys, by_labels);
    for (uint32_t i = 0; i < ret->n; i++)
        ret->at[i] = keys[i].series;
    return OK;
}

static enum err fn_sort_by_label(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return sort_labels(ev, call, 1, ret, f);
}

static enum err fn_sort_by_label_desc(struct eval *ev, const struct expr *call, struct vec *ret, struct fault *f)
{
    return sort_labels(ev, call, -1, ret, f);
}

const struct fn_def fns_label[] = {
    { S("label_replace"), { T_VECTOR, T_STRING, T_STRING, T_STRING, T_STRING }, 0, T_VECTOR, FN_VECTOR, 0,
      .vector = fn_label_replace },
    { S("label_join"), { T_VECTOR, T_STRING, T_STRING, T_STRING }, -1, T_VECTOR, FN_VECTOR, 0, .vector = fn_label_join },
    { S("sort_by_label"), { T_VECTOR, T_STRING }, -1, T_VECTOR, FN_VECTOR, 0, .vector = fn_sort_by_label },
    { S("sort_by_label_desc"), { T_VECTOR, T_STRING }, -1, T_VECTOR, FN_VECTOR, 0, .vector = fn_sort_by_label_desc },
    { .name = { 0 } },
};
