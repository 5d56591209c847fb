/* logql/parse_unpack.c -- `| unpack`: a line that was packed with its labels into a
 * JSON object of strings; `_entry` becomes the line again, the rest labels. */
#include "logql/jscan.h"
#include "logql/stage.h"
#include "logql/text.h"

struct packed {
    struct entry *e;
    struct added *labels;
    uint32_t n, cap;
    struct str line;
    bool found;
    jscan_error error;
};

static enum err unpack_parse(struct parser *p, struct stage *s)
{
    (void)p, (void)s;
    return OK;
}

static void unpack_print(const struct stage *s, struct buf *b)
{
    (void)s;
    buf_str(b, S("| unpack"));
}

static bool unpack_member(void *arg, struct str key, struct jvalue v)
{
    struct packed *u = arg;
    struct arena *mem = &u->e->mem;
    struct str text;
    if (v.kind != JS_STRING)
        return true;
    bool fine = jscan_unescape(v.raw, mem, &text);
    if (str_eq(key, S("_entry"))) {
        u->found = fine;
        u->error = fine ? NULL : "Encountered an invalid escape sequence in a string";
        u->line = text;
        return fine;
    }
    struct str name = text_label_name(key, mem);
    if (name.n)
        *arena_push(mem, u->labels, u->n, u->cap) =
            (struct added){ names_id(&u->e->p->names, name), fine ? jscan_clean(text, mem) : S("") };
    return true;
}

static bool unpack_run(void *bound, struct entry *e)
{
    (void)bound;
    if (!e->line.n || e->p->hints.no_labels || entry_found_all(e))
        return true;
    if (e->line.p[0] != '{') {
        entry_error(e, S("JSONParserErr"), S("expecting json object(6), but it is not"));
        return true;
    }
    struct packed u = { .e = e };
    jscan_error error = jscan_object(e->line, &e->mem, unpack_member, &u);
    if (u.error)
        error = u.error;
    if (error) {
        entry_error(e, S("JSONParserErr"), str_c(error));
        return true;
    }
    if (!u.found)
        return true;
    for (uint32_t i = 0; i < u.n; i++)
        entry_extract(e, u.labels[i].name, u.labels[i].value);
    entry_set_line(e, u.line);
    return true;
}

const struct stage_def stage_unpack = {
    .word = S("unpack"), .parse = unpack_parse, .print = unpack_print, .run = unpack_run,
};
