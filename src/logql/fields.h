/* logql/fields.h -- the list of fields behind json and logfmt: a="b.c", d
 *
 * Threads: one.
 */
#pragma once
#include "logql/stage.h"

struct field_expr {
    struct str name, expr;
};

struct field_list {
    struct field_expr *at;
    uint32_t n, cap;
};

/* list := IDENT [ "=" STRING ] { "," IDENT [ "=" STRING ] } */
MUST enum err fields_parse(struct parser *p, const struct stage *s, struct field_list *ret);
void fields_print(const struct field_list *l, struct buf *b);
