/* logql/filter_label.c -- label filters: matchers, numbers, durations, sizes, ip().
 *
 * A comparison reads the label's value as its literal's kind; a value that cannot be
 * read sets the error LabelFilterErr and lets the line pass. An absent label passes no
 * comparison; for a matcher it is the empty text. As in Loki's grammar a comma and
 * mere juxtaposition mean `and` and take everything behind them.
 *
 * The answer is kept by dictionary code while the label comes from one column.
 */
#include "logql/filter_label.h"

#include <string.h>

#include "base/num.h"
#include "logql/ip.h"
#include "logql/text.h"

struct bound_test {
    const struct label_test *t;
    uint32_t name;
    uint64_t serial;
    const struct column *col;
    uint8_t *seen;                                 /* by code: 0 unknown, 1 fails, 2 passes */
    struct bound_test *left, *right;
};

/* ---- parsing ------------------------------------------------------------------- */

static enum err parse_or(struct parser *p, int min_prec, struct label_test **ret);

static bool is_compare(enum tok kind, enum bin_op *ret)
{
    switch (kind) {
    case T_EQ:
    case T_CMP_EQ: *ret = BIN_EQ; return true;
    case T_NEQ: *ret = BIN_NE; return true;
    case T_GT: *ret = BIN_GT; return true;
    case T_GTE: *ret = BIN_GE; return true;
    case T_LT: *ret = BIN_LT; return true;
    case T_LTE: *ret = BIN_LE; return true;
    default: return false;
    }
}

/* "ip" "(" STRING ")" */
static enum err parse_ip(struct parser *p, struct label_test *t)
{
    enum err e = parser_next(p);
    if (!e)
        e = parser_expect(p, T_LPAREN, "(");
    if (!e)
        e = parser_take(p, T_STRING, "STRING", &t->text);
    if (!e)
        e = parser_expect(p, T_RPAREN, ")");
    if (e)
        return e;
    t->kind = TEST_IP;
    if (!ip_set_parse(t->text, &t->ips))
        return parser_error(p, "stage '| " STR_FMT "%sip(\"" STR_FMT "\")' : ip: invalid pattern: \"" STR_FMT "\"", STR_ARG(t->name),
                            t->op == BIN_NE ? "!=" : "=", STR_ARG(t->text), STR_ARG(t->text));
    return OK;
}

/* What stands behind the operator: it says of which kind the comparison is. */
static enum err parse_operand(struct parser *p, enum tok op, struct label_test *t)
{
    switch (p->tok.kind) {
    case T_DURATION:
        t->kind = TEST_DURATION;
        t->ns = p->tok.ns;
        return parser_next(p);
    case T_BYTES:
        t->kind = TEST_BYTES;
        t->bytes = p->tok.bytes;
        return parser_next(p);
    case T_IP:
        if (op == T_EQ || op == T_NEQ)
            return parse_ip(p, t);
        return parser_unexpected(p, NULL);
    default:
        t->kind = TEST_NUMBER;
        return parse_literal(p, &t->number);
    }
}

/* test := IDENT op operand | matcher | "(" filter ")" */
static enum err parse_test(struct parser *p, struct label_test **ret)
{
    enum err e = OK;
    if (p->tok.kind == T_LPAREN) {
        e = parser_next(p);
        if (!e)
            e = parse_or(p, 0, ret);
        return e ? e : parser_expect(p, T_RPAREN, ")");
    }
    struct label_test *t = arena_new(p->mem, struct label_test, 1);
    e = parser_take(p, T_IDENT, NULL, &t->name);
    if (e)
        return e;
    *ret = t;
    enum tok op = p->tok.kind;
    struct parser ahead = *p;
    struct fault ignored;
    ahead.f = &ignored;
    if (is_match_op(op) && parser_next(&ahead) == OK && (ahead.tok.kind == T_STRING || op == T_RE || op == T_NRE))
        return parse_matcher_tail(p, t->name, &t->matcher);
    if (!is_compare(op, &t->op))
        return parser_unexpected(p, NULL);
    e = parser_next(p);
    return e ? e : parse_operand(p, op, t);
}

/* filter := test { ("or" | "and" | "," | nothing) filter } */
static enum err parse_or(struct parser *p, int min_prec, struct label_test **ret)
{
    struct label_test *left = NULL;
    enum err e = parser_enter(p);
    if (!e)
        e = parse_test(p, &left);
    while (!e) {
        bool juxtaposed = p->tok.kind == T_IDENT || p->tok.kind == T_LPAREN, greedy = juxtaposed || p->tok.kind == T_COMMA;
        int prec = p->tok.kind == T_OR ? 1 : p->tok.kind == T_AND ? 2 : 0;
        if (!greedy && (!prec || prec < min_prec))
            break;
        struct label_test *t = arena_new(p->mem, struct label_test, 1);
        t->kind = prec == 1 ? TEST_OR : TEST_AND;
        t->left = left;
        if (!juxtaposed)
            e = parser_next(p);
        if (!e)
            e = parse_or(p, greedy ? 0 : prec + 1, &t->right);
        left = t;
    }
    p->depth--;
    *ret = left;
    return e;
}

enum err parse_label_filter(struct parser *p, struct stage *ret)
{
    struct label_test *t = NULL;
    ret->def = &stage_label_filter;
    enum err e = parse_or(p, 0, &t);
    ret->arg = t;
    return e;
}

static enum err label_filter_parse(struct parser *p, struct stage *s)
{
    return parse_label_filter(p, s);
}

/* ---- printing ------------------------------------------------------------------- */

static void print_compare(const struct label_test *t, struct buf *b)
{
    static const struct str ops[] = {
        [BIN_EQ] = S("=="), [BIN_NE] = S("!="), [BIN_GT] = S(">"), [BIN_LT] = S("<"), [BIN_GE] = S(">="), [BIN_LE] = S("<="),
    };
    buf_str(b, t->name);
    buf_str(b, t->kind == TEST_IP && t->op == BIN_EQ ? S("=") : ops[t->op]);
    if (t->kind == TEST_NUMBER)
        buf_f64(b, t->number);
    else if (t->kind == TEST_DURATION)
        text_put_duration(b, t->ns);
    else if (t->kind == TEST_BYTES)
        text_put_bytes(b, t->bytes);
    else {
        buf_str(b, S("ip("));
        text_quote(b, t->text);
        buf_byte(b, ')');
    }
}

static void print_test(const struct label_test *t, struct buf *b)
{
    if (t->kind == TEST_MATCH) {
        format_matcher(&t->matcher, b);
    } else if (t->kind == TEST_AND || t->kind == TEST_OR) {
        buf_str(b, S("( "));
        print_test(t->left, b);
        buf_str(b, t->kind == TEST_AND ? S(" , ") : S(" or "));
        print_test(t->right, b);
        buf_str(b, S(" )"));
    } else {
        print_compare(t, b);
    }
}

static void label_filter_print(const struct stage *s, struct buf *b)
{
    buf_str(b, S("| "));
    print_test(s->arg, b);
}

/* ---- running --------------------------------------------------------------------- */

static void test_needs(const struct label_test *t, struct need *n)
{
    if (t->kind == TEST_AND || t->kind == TEST_OR) {
        test_needs(t->left, n);
        test_needs(t->right, n);
    } else {
        need_required(n, t->name);
    }
}

static void label_filter_needs(const struct stage *s, struct need *n)
{
    test_needs(s->arg, n);
}

static struct bound_test *bind_test(struct pipeline *p, const struct label_test *t)
{
    struct bound_test *b = arena_new(p->ctx->mem, struct bound_test, 1);
    b->t = t;
    if (t->kind == TEST_AND || t->kind == TEST_OR) {
        b->left = bind_test(p, t->left);
        b->right = bind_test(p, t->right);
    } else {
        b->name = names_id(&p->names, t->name);
    }
    return b;
}

static void *label_filter_bind(struct pipeline *p, const struct stage *s)
{
    return bind_test(p, s->arg);
}

/* The numbers stay integers where they are: durations in ns, sizes in bytes. */
#define COMPARE(op, a, b)                                                                                              \
    ((op) == BIN_EQ ? (a) == (b) : (op) == BIN_NE ? (a) != (b) : (op) == BIN_GT ? (a) > (b)                            \
     : (op) == BIN_GE ? (a) >= (b) : (op) == BIN_LT ? (a) < (b) : (a) <= (b))

/* False: the value is not of the literal's kind. */
static bool compare(const struct label_test *t, struct str value, bool *ret)
{
    if (t->kind == TEST_NUMBER) {
        double v;
        if (!str_to_f64(value, &v))
            return false;
        *ret = COMPARE(t->op, v, t->number);
    } else if (t->kind == TEST_DURATION) {
        int64_t v;
        if (!num_go_duration(value, &v))
            return false;
        *ret = COMPARE(t->op, v, t->ns);
    } else {
        uint64_t v;
        if (!text_bytes(value, &v))
            return false;
        *ret = COMPARE(t->op, v, t->bytes);
    }
    return true;
}

static struct str complaint(const struct label_test *t, struct str value, struct arena *mem)
{
    if (t->kind == TEST_DURATION)
        return arena_fmt(mem, "time: invalid duration \"" STR_FMT "\"", STR_ARG(value));
    return arena_fmt(mem, "strconv.ParseFloat: parsing \"" STR_FMT "\": invalid syntax", STR_ARG(value));
}

/* Special names are not in the columns. */
static bool get(struct entry *e, uint32_t name, struct str *ret)
{
    if (name == e->p->err_name || name == e->p->details_name) {
        *ret = name == e->p->err_name ? e->err : e->err_details;
        return ret->n > 0;
    }
    return entry_get(e, name, ret);
}

static bool test_value(const struct bound_test *b, struct entry *e, bool *ret_lasting)
{
    const struct label_test *t = b->t;
    struct str value = { 0 };
    bool there = get(e, b->name, &value), hit = false;
    *ret_lasting = true;
    if (t->kind == TEST_MATCH)
        return matcher_test(&t->matcher, value);
    if (t->kind == TEST_IP) {
        *ret_lasting = !e->err.n;
        return e->err.n || (there && ip_set_find(&t->ips, value) == (t->op == BIN_EQ));
    }
    if (!there)
        return false;
    if (compare(t, value, &hit))
        return hit;
    *ret_lasting = false;                          /* the error must be set for each line */
    if (!e->err.n)
        entry_error(e, S("LabelFilterErr"), complaint(t, value, &e->mem));
    return true;
}

/* The column whose codes may stand for the value, or NULL. */
static const struct column *single_column(const struct bound_test *b, const struct entry *e)
{
    const struct bound *l = entry_column(e, b->name);
    return l && l->ncols == 1 && l->cols[0]->code ? l->cols[0] : NULL;
}

static bool run_test(struct bound_test *b, struct entry *e)
{
    const struct label_test *t = b->t;
    if (t->kind == TEST_AND)
        return run_test(b->left, e) && run_test(b->right, e);
    if (t->kind == TEST_OR)
        return run_test(b->left, e) || run_test(b->right, e);

    const struct column *c = single_column(b, e);
    bool lasting;
    if (!c)
        return test_value(b, e, &lasting);
    if (b->serial != e->p->bind.serial || b->col != c) {
        b->serial = e->p->bind.serial;
        b->col = c;
        b->seen = arena_new(&e->p->bind.mem, uint8_t, c->ndict);
    }
    uint8_t *seen = &b->seen[column_code(c, e->row)];
    if (*seen)
        return *seen == 2;
    bool hit = test_value(b, e, &lasting);
    if (lasting)
        *seen = hit ? 2 : 1;
    return hit;
}

static bool label_filter_run(void *bound, struct entry *e)
{
    return run_test(bound, e);
}

/* ---- by columns ------------------------------------------------------------------------ */

/* What run_test() says of a value, while the line carries no error. */
static enum code_verdict test_code(void *arg, const struct value *v)
{
    const struct label_test *t = arg;
    char scratch[VALUE_TEXT_MAX];
    bool there = value_is_label(v), hit = false;
    if (v->type == V_BYTES)
        return CODE_UNCLEAR;                       /* of any length as text */
    struct str text = there ? value_text(v, scratch) : S("");
    if (t->kind == TEST_MATCH)
        hit = matcher_test(&t->matcher, text);
    else if (t->kind == TEST_IP)
        hit = there && ip_set_find(&t->ips, text) == (t->op == BIN_EQ);
    else if (there && !compare(t, text, &hit))
        return CODE_UNCLEAR;                       /* sets an error, line by line */
    return hit ? CODE_PASSES : CODE_FAILS;
}

/* A comparison with a number, where the source has read the column's. */
static bool compare_numbers(const struct label_test *t, const struct column *c, const struct selection *s, uint8_t *mask)
{
    uint32_t code[CODES_STRIP];
    for (uint32_t from = 0; from < s->n; from += CODES_STRIP) {
        uint32_t n = MIN(s->n - from, (uint32_t)CODES_STRIP);
        codes_read(c, s, from, n, code);
        for (uint32_t i = 0; i < n; i++) {
            double v = c->num[code[i]];
            bool none = is_no_number(v);
            if (none && value_is_label(&c->dict[code[i]]))
                return false;                      /* sets an error, line by line */
            mask[from + i] = !none && COMPARE(t->op, v, t->number);
        }
    }
    return true;
}

static bool test_mask(const struct bound_test *b, struct pipeline *p, const struct selection *s, uint8_t *mask)
{
    const struct label_test *t = b->t;
    struct binding *bind = &p->bind;
    if (t->kind == TEST_AND || t->kind == TEST_OR) {
        uint8_t *right = arena_new(&bind->mem, uint8_t, s->n + 1);
        if (!test_mask(b->left, p, s, mask) || !test_mask(b->right, p, s, right))
            return false;
        for (uint32_t i = 0; i < s->n; i++)
            mask[i] = t->kind == TEST_AND ? mask[i] & right[i] : mask[i] | right[i];
        return true;
    }
    const struct column *c = NULL;
    bool special = b->name == p->err_name || b->name == p->details_name;   /* both empty: nothing has failed yet */
    if (!special && !binding_coded(bind, &p->names, b->name, &c))
        return false;
    if (c && c->num && t->kind == TEST_NUMBER)
        return compare_numbers(t, c, s, mask);
    if (c)
        return codes_test(bind, c, s, test_code, (void *)(uintptr_t)t, mask);
    static const struct value none = { 0 };
    memset(mask, test_code((void *)(uintptr_t)t, &none) == CODE_PASSES, s->n);
    return true;
}

static bool label_filter_choose(void *bound, struct pipeline *p, struct selection *s)
{
    uint8_t *mask = arena_new(&p->bind.mem, uint8_t, s->n + 1);
    if (!test_mask(bound, p, s, mask))
        return false;
    selection_keep(&p->bind, s, mask);
    return true;
}

const struct stage_def stage_label_filter = {
    .parse = label_filter_parse, .print = label_filter_print, .needs = label_filter_needs, .bind = label_filter_bind,
    .run = label_filter_run, .choose = label_filter_choose, .keeps_line = true, .keeps_labels = true,
};
