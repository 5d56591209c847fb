/* model/source.c -- reading one value out of a block of columns.
 *
 * A label may stand at several places of one row. The order in which they count:
 * a label proper, the record's own attribute, the scope's, the resource's, and a
 * field only where nothing else answers (accounting rule 8: the record before
 * what a resource may claim).
 */
#include "model/source.h"

#include "model/names.h"

static const enum place precedence[] = { PLACE_LABEL, PLACE_ATTR, PLACE_SCOPE, PLACE_RESOURCE, PLACE_FIELD };

struct value column_value(const struct column *c, uint32_t row)
{
    if (c->code) {
        uint32_t code = column_code(c, row);
        DCHECK(code < c->ndict);
        return c->dict[code];
    }
    if (c->valid && !(c->valid[row >> 3] >> (row & 7) & 1))
        return (struct value){ 0 };
    return c->type == V_INT ? value_int(c->i64[row]) : value_double(c->f64[row]);
}

double column_number(const struct value *v)
{
    double ret;
    bool text = v->type == V_STR && str_to_f64(v->s, &ret);
    if (text)
        return ret;
    return v->type == V_INT ? (double)v->i : v->type == V_DOUBLE ? v->d : no_number();
}

bool colkey_is(const struct colkey *key, struct str label)
{
    if (key->place == PLACE_LABEL || key->place == PLACE_FIELD)
        return str_eq(key->name, label);
    return label_name_is(key->name, label);
}

/* Names of one place that spell the same label count in the order of their bytes: that of
 * columns differs between head and chunks, and answers must not. */
static void put_by_name(struct label_ref *ref, uint32_t from, const struct column *c)
{
    uint32_t i = ref->n++;
    for (; i > from && str_cmp(c->key.name, ref->at[i - 1]->key.name) < 0; i--)
        ref->at[i] = ref->at[i - 1];
    ref->at[i] = c;
}

struct label_ref block_label(const struct block *b, struct str label, uint32_t places)
{
    struct label_ref ref = { 0 };
    for (size_t k = 0; k < LEN(precedence); k++) {
        if (places && !(places >> precedence[k] & 1))
            continue;
        uint32_t from = ref.n;
        for (uint32_t i = 0; i < b->ncols && ref.n < LABEL_COLS_MAX; i++)
            if (b->cols[i].key.place == precedence[k] && colkey_is(&b->cols[i].key, label))
                put_by_name(&ref, from, &b->cols[i]);
    }
    return ref;
}

struct value label_value(const struct label_ref *l, uint32_t row)
{
    for (uint32_t i = 0; i < l->n; i++) {
        struct value v = column_value(l->at[i], row);
        if (v.type != V_NONE)
            return v;
    }
    return (struct value){ 0 };
}

struct id128 block_run_id(const struct block *b, uint32_t run)
{
    struct id128 id = { 0 };
    CHECK(run < b->nruns);
    for (uint32_t c = 0; c < b->ncols; c++) {
        if (b->cols[c].key.place != PLACE_LABEL)
            continue;
        struct value v = column_value(&b->cols[c], run);
        if (v.type == V_STR && v.s.n)
            id128_add(&id, label_id128(label_seed(b->cols[c].key.name), v.s));
    }
    return id;
}
