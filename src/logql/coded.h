/* logql/coded.h -- the labels of a block as codes, and rows chosen by them.
 *
 * A label may come from several columns, or from one of plain numbers. For whoever
 * works by code it becomes one column with a dictionary, whose entry 0 is "the line has
 * no such label", as are entries of empty text.
 *
 * Owner:    all of it lives in the binding's arena, until the next block.
 * Threads:  one.
 */
#pragma once
#include "logql/bind.h"

/* Rows of the block, ascending. */
struct selection {
    uint32_t *rows;                                /* NULL: rows 0 to n - 1 */
    uint32_t n;
};

/* All rows that the source chose. */
struct selection selection_of(struct binding *b);
/* Leaves the rows whose byte is set. */
void selection_keep(struct binding *b, struct selection *s, const uint8_t *mask);

/* The label as one column; *ret NULL: no line has it. False: it has too many different
 * numbers, or is more than what columns hold (x_extracted). */
bool binding_coded(struct binding *b, const struct names *names, uint32_t name, const struct column **ret);

/* The same of a stream label alone, or of metadata alone, whatever else has its name. */
bool bound_coded(struct binding *b, const struct bound *l, const struct column **ret);

enum { CODES_STRIP = 1024 };
/* Codes of n rows, from the from-th selected one on; n at most CODES_STRIP. */
void codes_read(const struct column *c, const struct selection *s, uint32_t from, uint32_t n, uint32_t *ret);

/* Is there a text at all? */
static inline bool value_is_label(const struct value *v)
{
    return v->type != V_NONE && (v->type != V_STR || v->s.n);
}

/* 0 is "not asked yet". */
enum code_verdict { CODE_FAILS = 1, CODE_PASSES = 2, CODE_UNCLEAR = 3 };

/* mask[i] becomes 1 where the i-th selected row's value passes. Each value that occurs is
 * tested once. False: the verdict of one is CODE_UNCLEAR. */
bool codes_test(struct binding *b, const struct column *c, const struct selection *s,
                enum code_verdict (*test)(void *arg, const struct value *v), void *arg, uint8_t *mask);
