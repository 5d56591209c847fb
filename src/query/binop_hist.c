/* query/binop_hist.c -- one result of an operator on native histograms.
 *
 *     histogram +, - histogram      bucket by bucket
 *     histogram ==, != histogram    the same data; a filter keeps the left one
 *     histogram *, / number         and number * histogram
 *     histogram </, >/ number       what lies below, above
 *
 * Anything else has no result: the pair is left out and its types are remarked.
 */
#include "query/binop.h"
#include "query/hist.h"

static struct operand of_histogram(const struct histogram *h)
{
    return (struct operand){ value_absent(), h };
}

static bool both(struct query_ctx *q, enum bin_op op, bool bool_mode, const struct histogram *l, const struct histogram *r,
                 struct operand *ret)
{
    if (op == BIN_EQ || op == BIN_NE) {
        struct histogram *a = hist_copy(q->mem, l), *b = hist_copy(q->mem, r);
        hist_compact(a);
        hist_compact(b);
        bool holds = hist_equal(a, b) == (op == BIN_EQ);
        *ret = bool_mode ? (struct operand){ holds, NULL } : of_histogram(holds ? l : NULL);
        return true;
    }
    uint32_t remarks = 0;
    struct histogram *h = hist_copy(q->mem, l);
    bool ok = op == BIN_ADD ? hist_add(q->mem, h, r, &remarks) : hist_sub(q->mem, h, r, &remarks);
    if (op == BIN_SUB)
        h->hint = HINT_GAUGE;
    hist_compact(h);
    *ret = of_histogram(h);
    q->remarks |= remarks;
    return ok && !(remarks & HIST_COLLISION);
}

static bool scaled(struct query_ctx *q, enum bin_op op, const struct histogram *h, double v, struct operand *ret)
{
    if (op == BIN_TRIM_UPPER || op == BIN_TRIM_LOWER) {
        *ret = of_histogram(hist_trim(q->mem, h, v, op == BIN_TRIM_UPPER));
        return true;
    }
    struct histogram *out = hist_copy(q->mem, h);
    if (op == BIN_MUL)
        hist_mul(out, v);
    else
        hist_div(out, v);
    hist_compact(out);
    *ret = of_histogram(out);
    return true;
}

bool bin_histograms(struct query_ctx *q, enum bin_op op, bool bool_mode, struct operand l, struct operand r,
                    struct operand *ret)
{
    bool sums = op == BIN_ADD || op == BIN_SUB || op == BIN_EQ || op == BIN_NE;
    bool scales = op == BIN_MUL || op == BIN_DIV || op == BIN_TRIM_UPPER || op == BIN_TRIM_LOWER;
    if (l.h && r.h && sums)
        return both(q, op, bool_mode, l.h, r.h, ret);
    if (l.h && !r.h && scales)
        return scaled(q, op, l.h, r.v, ret);
    if (!l.h && r.h && op == BIN_MUL)
        return scaled(q, op, r.h, l.v, ret);
    q->remarks |= hist_types(l.h, r.h);
    return false;
}
