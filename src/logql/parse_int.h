/* logql/parse_int.h -- the parser's inside, which stages use to read their arguments.
 *
 * The parser looks one token ahead. Errors have Loki's texts: "parse error at line 1,
 * col 5: syntax error: unexpected X, expecting Y" for the grammar, "parse error : ..."
 * for what the grammar lets through.
 *
 * Threads: one.
 */
#pragma once
#include "logql/ast.h"
#include "logql/lex.h"

struct parser {
    struct lexer lex;
    struct token tok;                              /* the next one */
    struct arena *mem;
    struct logql *q;
    struct fault *f;
    uint32_t depth;
};

MUST enum err parser_next(struct parser *p);
/* "unexpected <tok>, expecting <what>"; `what` may be NULL. */
enum err parser_unexpected(struct parser *p, const char *what);
MUST enum err parser_expect(struct parser *p, enum tok kind, const char *what);
/* The token's text is handed out and the next one read. */
MUST enum err parser_take(struct parser *p, enum tok kind, const char *what, struct str *ret);
enum err parser_error(struct parser *p, const char *fmt, ...) PRINTF(2, 3);
/* An error of one stage, with the stage as it would be printed. */
enum err parser_stage_error(struct parser *p, const struct stage *s, const char *fmt, ...) PRINTF(3, 4);
MUST enum err parser_enter(struct parser *p);      /* pairs with p->depth-- */

/* matcher := IDENT ("=" | "!=" | "=~" | "!~") STRING */
MUST enum err parse_matcher(struct parser *p, struct matcher *ret);
MUST enum err parse_matcher_tail(struct parser *p, struct str name, struct matcher *ret);
bool is_match_op(enum tok kind);
/* selector := "{" [ matcher { "," matcher } ] "}" */
MUST enum err parse_stream_selector(struct parser *p, struct log_expr *ret);
/* One stage: what follows "|" (piped), or a line filter. */
bool starts_line_filter(enum tok kind);
MUST enum err parse_stage(struct parser *p, struct log_expr *log, bool piped);
MUST enum err parse_label_filter(struct parser *p, struct stage *ret);
/* names := IDENT { "," IDENT } */
MUST enum err parse_names(struct parser *p, const struct str **ret, uint32_t *ret_n);
/* [ "+" | "-" ] NUMBER */
MUST enum err parse_literal(struct parser *p, double *ret);
