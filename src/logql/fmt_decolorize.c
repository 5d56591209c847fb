/* logql/fmt_decolorize.c -- removes ANSI control sequences from the line.
 *
 *   ESC or U+009B, any of [ ] ( ) # ; ?, then
 *     letters and digits with semicolons up to BEL, or
 *     numbers with semicolons and one closing character.
 */
#include "logql/stage.h"

#include <string.h>

static enum err decolorize_parse(struct parser *p, struct stage *s)
{
    (void)p, (void)s;
    return OK;
}

static void decolorize_print(const struct stage *s, struct buf *b)
{
    (void)s;
    buf_str(b, S("| decolorize"));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits and semicolons up to BEL: the length with it, or 0. */
static size_t title_length(struct str s)
{
    size_t i = 0;
    if (i < s.n && s.p[i] == ';')
        return 0;
    while (i < s.n && (is_alnum(s.p[i]) || s.p[i] == ';'))
        i++;
    return i < s.n && s.p[i] == '\a' ? i + 1 : 0;
}

static bool is_final(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'P') || (c >= 'f' && c <= 'n') || (c && strchr("RZcqrty=><~", c) != NULL);
}

/* [digits{1,4} { ";" digits{0,4} }] final. Digits are given back when nothing closes. */
static size_t code_length(struct str s)
{
    size_t i = 0, best = s.n && is_final(s.p[0]) ? 1 : 0;
    while (i < s.n && i < 4 && is_digit(s.p[i])) {
        i++;
        if (i < s.n && is_final(s.p[i]))
            best = i + 1;
    }
    while (i && i < s.n && s.p[i] == ';') {
        i++;
        if (i < s.n && is_final(s.p[i]))
            best = i + 1;
        for (size_t k = 0; k < 4 && i < s.n && is_digit(s.p[i]); k++) {
            i++;
            if (i < s.n && is_final(s.p[i]))
                best = i + 1;
        }
    }
    return best;
}

/* The length of the sequence at the beginning of s, or 0. */
static size_t sequence_length(struct str s)
{
    size_t start = str_starts(s, S("\x1b")) ? 1 : str_starts(s, S("\xc2\x9b")) ? 2 : 0;
    if (!start)
        return 0;
    size_t i = start;
    while (i < s.n && s.p[i] && strchr("[]()#;?", s.p[i]))
        i++;
    struct str rest = str_sub(s, i, s.n);
    size_t n = title_length(rest);
    if (!n)
        n = code_length(rest);
    return n ? i + n : 0;
}

static bool decolorize_run(void *bound, struct entry *e)
{
    (void)bound;
    struct str in = e->line;
    if (str_index(in, '\x1b') == SIZE_MAX && str_find(in, S("\xc2\x9b")) == SIZE_MAX)
        return true;
    char *out = arena_alloc(&e->mem, in.n + 1, 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n;) {
        size_t skip = sequence_length(str_sub(in, i, in.n));
        if (skip)
            i += skip;
        else
            out[n++] = in.p[i++];
    }
    entry_set_line(e, (struct str){ out, n });
    return true;
}

const struct stage_def stage_decolorize = {
    .word = S("decolorize"), .parse = decolorize_parse, .print = decolorize_print, .run = decolorize_run,
    .keeps_labels = true,
};
