/* promql/parse_int.h -- what the parser's files share.
 *
 * Each function eats the tokens of its rule and leaves p->tok at the first one
 * after it. The first error ends the parse; its text is Prometheus's.
 */
#pragma once
#include "promql/functions.h"
#include "promql/lex.h"
#include "promql/promql.h"

struct parser {
    struct lexer lex;
    struct token tok;                              /* the next token, not eaten yet */
    size_t last_end;                               /* where the token before it ended */
    struct promql *q;
    struct arena *mem;
    struct fault *f;
    uint32_t depth;
    uint32_t links;                                /* see PROMQL_LINKS_MAX */
};

void p_init(struct parser *p, struct arena *mem, struct promql *q, struct fault *f);
void p_next(struct parser *p);
bool p_accept(struct parser *p, enum tok kind);
struct expr *p_new(struct parser *p, enum expr_kind kind, size_t at);

/* "line:col: parse error: ..." */
enum err p_error(struct parser *p, size_t at, const char *fmt, ...) PRINTF(3, 4);
/* About p->tok; a lexer's error takes precedence. context and expected may be NULL. */
enum err p_unexpected(struct parser *p, const char *context, const char *expected);
enum err p_fault(struct fault *f, struct str text, size_t at, const char *msg);
enum err p_enter(struct parser *p);
enum err p_link(struct parser *p);                  /* one more node that nests without brackets */

enum err parse_expr(struct parser *p, struct expr **ret);
enum err parse_selector(struct parser *p, struct expr **ret);
/* "..." or `...` as the text it stands for. */
enum err parse_string(struct parser *p, struct str *ret);
enum err parse_number(struct parser *p, double *ret);
/* What may follow an expression: [..], offset, @, anchored, smoothed. */
enum err parse_postfix(struct parser *p, struct expr **x);
bool tok_is_name(enum tok t);                      /* may be a metric's name */
