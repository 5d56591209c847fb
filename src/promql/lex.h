/* promql/lex.h -- tokens of PromQL.
 *
 * The lexer is pulled one token at a time, so that an error in the text shows up
 * only when the parser gets there. Inside {...} words are labels, inside [...]
 * they are parts of a duration; elsewhere they may be keywords, in any case.
 *
 * Owner:    tokens are slices of the text.
 * Threads:  one.
 */
#pragma once
#include "base/str.h"

enum tok {
    TOK_EOF, TOK_ERROR,
    TOK_IDENT, TOK_METRIC, TOK_NUMBER, TOK_DURATION, TOK_STRING,
    TOK_LPAREN, TOK_RPAREN, TOK_LBRACE, TOK_RBRACE, TOK_LBRACKET, TOK_RBRACKET, TOK_COMMA, TOK_COLON, TOK_ASSIGN,
    /* operators */
    TOK_ADD, TOK_SUB, TOK_MUL, TOK_DIV, TOK_MOD, TOK_POW, TOK_ATAN2, TOK_EQ, TOK_NE, TOK_GT, TOK_LT, TOK_GE, TOK_LE,
    TOK_AND, TOK_OR, TOK_UNLESS, TOK_MATCH_RE, TOK_MATCH_NRE, TOK_AT, TOK_TRIM_UPPER, TOK_TRIM_LOWER,
    /* aggregations */
    TOK_SUM, TOK_AVG, TOK_COUNT, TOK_MIN, TOK_MAX, TOK_GROUP, TOK_STDDEV, TOK_STDVAR, TOK_TOPK, TOK_BOTTOMK,
    TOK_COUNT_VALUES, TOK_QUANTILE, TOK_LIMITK, TOK_LIMIT_RATIO,
    /* keywords */
    TOK_OFFSET, TOK_SMOOTHED, TOK_ANCHORED, TOK_BY, TOK_WITHOUT, TOK_ON, TOK_IGNORING, TOK_GROUP_LEFT,
    TOK_GROUP_RIGHT, TOK_FILL, TOK_FILL_LEFT, TOK_FILL_RIGHT, TOK_BOOL,
    TOK_START, TOK_END, TOK_STEP, TOK_RANGE, TOK_MIN_OF, TOK_MAX_OF,
};

struct token {
    enum tok kind;
    struct str text;                               /* TOK_ERROR: what is wrong */
    size_t at;                                     /* byte offset */
};

struct lexer {
    struct str in;
    size_t pos, start;
    uint32_t parens;
    bool brace, bracket, colon;
    bool failed;
    char msg[120];                                 /* of the error token */
};

void lex_init(struct lexer *l, struct str in);
/* After an error or the end it gives the same token for ever. */
struct token lex_next(struct lexer *l);
/* As error texts name it: `identifier "foo"`, `<op:+>`, "end of input". */
void token_describe(const struct token *t, char *out, size_t size);

static inline bool tok_is_aggregation(enum tok t)
{
    return t >= TOK_SUM && t <= TOK_LIMIT_RATIO;
}

static inline bool tok_is_operator(enum tok t)
{
    return t >= TOK_ADD && t <= TOK_TRIM_LOWER;
}

static inline bool tok_is_keyword(enum tok t)
{
    return t >= TOK_OFFSET && t <= TOK_BOOL;
}
