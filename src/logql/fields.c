/* logql/fields.c -- see fields.h. */
#include "logql/fields.h"

#include "logql/text.h"

enum err fields_parse(struct parser *p, const struct stage *s, struct field_list *ret)
{
    for (;;) {
        if (ret->n == LOGQL_NAMES_MAX)
            return fault_set(p->f, E_LIMIT, p->tok.at, "more than %d fields in one list", LOGQL_NAMES_MAX);
        struct field_expr *at = arena_push(p->mem, ret->at, ret->n, ret->cap);
        enum err e = parser_take(p, T_IDENT, "IDENTIFIER", &at->name);
        if (!e && !text_is_label_name(at->name))
            return parser_stage_error(p, s, "invalid extracted label name '" STR_FMT "'", STR_ARG(at->name));
        at->expr = at->name;
        if (!e && p->tok.kind == T_EQ) {
            e = parser_next(p);
            if (!e)
                e = parser_take(p, T_STRING, "STRING", &at->expr);
        }
        if (e || p->tok.kind != T_COMMA)
            return e;
        e = parser_next(p);
        if (e)
            return e;
    }
}

void fields_print(const struct field_list *l, struct buf *b)
{
    for (uint32_t i = 0; i < l->n; i++) {
        buf_byte(b, i ? ',' : ' ');
        buf_str(b, l->at[i].name);
        buf_byte(b, '=');
        text_quote(b, l->at[i].expr);
    }
}
