/* logql/lex.h -- the tokens of LogQL, one at a time.
 *
 * Words are told apart as Loki does: a function's name is one only in front of "("
 * or of by/without, else an identifier; stage words and operators are reserved;
 * both in any case. A number takes a unit that follows it (5m, 10MB) along.
 *
 * Owner:    texts borrow from the query or live in `mem`.
 * Threads:  one.
 */
#pragma once
#include "base/arena.h"

enum tok {
    T_END, T_IDENT, T_STRING, T_NUMBER, T_DURATION, T_BYTES, T_RANGE, T_FLAG,
    T_FUNC,                                        /* sum(, rate(, ...: text has its name, in lower case */
    T_STAGE,                                       /* json, drop, ...: likewise */
    T_LBRACE, T_RBRACE, T_LPAREN, T_RPAREN, T_COMMA, T_DOT, T_EQ, T_PIPE,
    T_RE, T_NRE, T_PIPE_EXACT, T_PIPE_MATCH, T_PIPE_PATTERN, T_NPA,
    T_OR, T_AND, T_UNLESS, T_CMP_EQ, T_NEQ, T_GT, T_GTE, T_LT, T_LTE,
    T_ADD, T_SUB, T_MUL, T_DIV, T_MOD, T_POW,
    T_BAD,                                         /* a character that begins no token */
    T_BY, T_WITHOUT, T_BOOL, T_ON, T_IGNORING, T_GROUP_LEFT, T_GROUP_RIGHT, T_OFFSET, T_UNWRAP, T_IP,
    T_COUNT,
};

struct token {
    enum tok kind;
    struct str text;                               /* T_STRING: unquoted; else as written */
    size_t at, line, col;                          /* line and column from 1, in characters */
    int64_t ns;                                    /* T_DURATION, T_RANGE */
    uint64_t bytes;                                /* T_BYTES */
};

struct lexer {
    struct str in;
    size_t pos, line, line_start;
    size_t counted_to, counted;                    /* of the line, up to a token: runes, counted once */
    struct arena *mem;
};

void tokens_init(struct lexer *l, struct str in, struct arena *mem);
MUST enum err tokens_next(struct lexer *l, struct token *ret, struct fault *f);
/* As error texts name it: "IDENTIFIER", "$end", "by". */
struct str token_name(const struct token *t);
