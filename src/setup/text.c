/* setup/text.c -- the variables as a shell and as settings.json want them. */
#include "base/buf.h"
#include "base/jw.h"
#include "setup/setup.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

static bool needs_quotes(struct str v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     str_index(S("_-./:=,@%+"), c) != SIZE_MAX;
        if (!plain)
            return true;
    }
    return !v.n;
}

/* Inside single quotes only the single quote itself is special. */
static void quote(struct buf *b, struct str v)
{
    buf_byte(b, '\'');
    for (size_t i = 0; i < v.n; i++)
        buf_str(b, v.p[i] == '\'' ? S("'\\''") : str_sub(v, i, 1));
    buf_byte(b, '\'');
}

struct str setup_shell(const struct pairs *v, struct arena *mem)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < v->n; i++) {
        buf_fmt(&b, "export " STR_FMT "=", STR_ARG(v->at[i].name));
        if (needs_quotes(v->at[i].value))
            quote(&b, v->at[i].value);
        else
            buf_str(&b, v->at[i].value);
        buf_byte(&b, '\n');
    }
    return arena_str(mem, buf_view(&b));
}

struct str setup_json(const struct pairs *v, struct arena *mem)
{
    struct str text = S("");
    struct fault f;
    CHECK(!settings_edit(S(""), v, mem, &text, &f));
    return text;
}
