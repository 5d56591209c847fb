/* logql/pattern.c -- see pattern.h. A "<" that begins no capture is a literal. */
#include "logql/pattern.h"

static bool is_unnamed(const struct pattern_part *part)
{
    return str_eq(part->text, S("_"));
}

/* The length of "<name>" at the beginning of s, or 0. */
static size_t capture_length(struct str s)
{
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (c == '>')
            return i > 1 ? i + 1 : 0;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 1 && c >= '0' && c <= '9'))
            return 0;
    }
    return 0;
}

static enum err check(const struct pattern *p, bool named, struct fault *f)
{
    uint32_t names = 0;
    for (uint32_t i = 0; i < p->n; i++)
        names += p->at[i].capture && !is_unnamed(&p->at[i]);
    if (named && !names)
        return fault_set(f, E_SYNTAX, 0, "at least one capture is required");
    for (uint32_t i = 0; i + 1 < p->n; i++)
        if (p->at[i].capture && p->at[i + 1].capture)
            return fault_set(f, E_SYNTAX, 0, "found consecutive capture '<" STR_FMT "><" STR_FMT ">': invalid expression",
                             STR_ARG(p->at[i].text), STR_ARG(p->at[i + 1].text));
    for (uint32_t i = 0; i < p->n; i++) {
        if (!p->at[i].capture || is_unnamed(&p->at[i]))
            continue;
        if (!named)
            return fault_set(f, E_SYNTAX, 0, "named captures are not allowed: found '<" STR_FMT ">'", STR_ARG(p->at[i].text));
        for (uint32_t k = 0; k < i; k++)
            if (p->at[k].capture && str_eq(p->at[k].text, p->at[i].text))
                return fault_set(f, E_SYNTAX, 0, "duplicate capture name (" STR_FMT "): invalid expression", STR_ARG(p->at[i].text));
    }
    return OK;
}

enum err pattern_parse(struct str text, bool named, struct arena *mem, struct pattern *ret, struct fault *f)
{
    struct pattern p = { 0 };
    for (size_t i = 0, literal = 0; i <= text.n;) {
        size_t n = i < text.n && text.p[i] == '<' ? capture_length(str_sub(text, i, text.n)) : 0;
        if (i < text.n && !n) {
            i++;
            continue;
        }
        if (p.n + 2 > PATTERN_PARTS_MAX)
            return fault_set(f, E_LIMIT, 0, "a pattern of more than %d parts", PATTERN_PARTS_MAX);
        if (i > literal)
            *arena_push(mem, p.at, p.n, p.cap) = (struct pattern_part){ str_sub(text, literal, i - literal), false };
        if (n)
            *arena_push(mem, p.at, p.n, p.cap) = (struct pattern_part){ str_sub(text, i + 1, n - 2), true };
        i += n ? n : 1;
        literal = i;
    }
    enum err e = check(&p, named, f);
    if (!e)
        *ret = p;
    return e;
}

bool pattern_test(const struct pattern *p, struct str line)
{
    if (!line.n || !p->n)
        return !line.n && !p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->at[i].capture)
            continue;
        size_t at = str_find(line, p->at[i].text);
        if (at == SIZE_MAX || (i && !at))
            return false;                          /* an empty capture is none */
        line = str_sub(line, at + p->at[i].text.n, line.n);
    }
    return p->at[p->n - 1].capture == (line.n > 0);
}

void pattern_match(const struct pattern *p, struct str line,
                   void (*found)(void *arg, const struct pattern_part *capture, struct str value), void *arg)
{
    uint32_t i = 0;
    if (!line.n || !p->n)
        return;
    if (!p->at[0].capture) {
        if (!str_starts(line, p->at[0].text))
            return;
        line = str_sub(line, p->at[0].text.n, line.n);
        i++;
    }
    /* From here on capture, literal, capture, ... */
    for (; i < p->n; i += 2) {
        const struct pattern_part *capture = &p->at[i];
        CHECK(capture->capture);
        size_t end = i + 1 < p->n ? str_find(line, p->at[i + 1].text) : SIZE_MAX;
        if (!is_unnamed(capture))
            found(arg, capture, end == SIZE_MAX ? line : str_sub(line, 0, end));
        if (end == SIZE_MAX)
            return;
        line = str_sub(line, end + p->at[i + 1].text.n, line.n);
    }
}
