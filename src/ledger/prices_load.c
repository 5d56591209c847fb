/* ledger/prices_load.c -- the book from its text, checked whole.
 *
 * Rows are read by a table, put in the order of (model, day) and looked over: what one
 * request may cost must not hang on which of two rows is found first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fields.h"
#include "base/num.h"
#include "ledger/model_id.h"
#include "ledger/money.h"
#include "ledger/prices_int.h"

enum { BOOK_BYTES_MAX = 4 << 20, MILLE = 1000, MILLE_MAX = 10000, ALIASES_MAX = 100 };

extern const unsigned char ledger_prices_yml[];
extern const size_t ledger_prices_yml_size;

/* ---- the file's form --------------------------------------------------------- */

struct raw_rates {
    struct str of[TOKEN_CLASSES];
};

struct raw_row {
    struct str model, from, to;
    struct raw_rates rates;
    struct {
        uint64_t above;
        struct raw_rates rates;
        bool given;
    } longer;
    struct {
        struct str from, to;
        struct raw_rates rates;
        bool given;
    } fast;
    uint64_t regional;
    struct texts aliases;
    const struct yaml *node;
};

struct raw_book {
    struct str as_of;
    const struct yaml *models;
};

#define RATE(key, c) { .name = S(key), .type = FIELD_TEXT, .at = offsetof(struct raw_rates, of) + (c) * sizeof(struct str) }
static const struct field rate_fields[] = {
    RATE("input", TOKENS_INPUT), RATE("output", TOKENS_OUTPUT), RATE("write_5m", TOKENS_WRITE_5M),
    RATE("write_1h", TOKENS_WRITE_1H), RATE("read", TOKENS_READ), { .name = { 0 } },
};

#define AT(f) offsetof(struct raw_row, f)
static const struct field long_fields[] = {
    { .name = S("above"), .type = FIELD_COUNT, .at = AT(longer.above) - AT(longer), .min = 1, .max = INT64_C(1000000000) },
    { .name = S("rates"), .type = FIELD_MAP, .at = AT(longer.rates) - AT(longer), .sub = rate_fields },
    { .name = { 0 } },
};
static const struct field fast_fields[] = {
    { .name = S("from"), .type = FIELD_TEXT, .at = AT(fast.from) - AT(fast) },
    { .name = S("to"), .type = FIELD_TEXT, .at = AT(fast.to) - AT(fast) },
    { .name = S("rates"), .type = FIELD_MAP, .at = AT(fast.rates) - AT(fast), .sub = rate_fields },
    { .name = { 0 } },
};
static const struct field row_fields[] = {
    { .name = S("model"), .type = FIELD_TEXT, .at = AT(model) },
    { .name = S("from"), .type = FIELD_TEXT, .at = AT(from) },
    { .name = S("to"), .type = FIELD_TEXT, .at = AT(to) },
    { .name = S("rates"), .type = FIELD_MAP, .at = AT(rates), .sub = rate_fields },
    { .name = S("long"), .type = FIELD_MAP, .at = AT(longer), .sub = long_fields, .given = AT(longer.given) },
    { .name = S("fast"), .type = FIELD_MAP, .at = AT(fast), .sub = fast_fields, .given = AT(fast.given) },
    { .name = S("regional"), .type = FIELD_COUNT, .at = AT(regional), .min = MILLE, .max = MILLE_MAX },
    { .name = S("aliases"), .type = FIELD_TEXTS, .at = AT(aliases), .max = ALIASES_MAX },
    { .name = { 0 } },
};
static const struct field book_fields[] = {
    { .name = S("as_of"), .type = FIELD_TEXT, .at = offsetof(struct raw_book, as_of) },
    { .name = S("models"), .type = FIELD_NODE, .at = offsetof(struct raw_book, models) },
    { .name = { 0 } },
};

/* ---- one row ------------------------------------------------------------------- */

struct loader {
    struct fields_reader r;
    struct prices *book;
    uint32_t cap_rows, cap_names;
};

static bool parse_day(struct str s, int32_t *ret)
{
    char text[] = "0000-00-00T00:00:00Z";
    int64_t ns;
    if (s.n != 10)
        return false;
    memcpy(text, s.p, s.n);
    if (!num_rfc3339((struct str){ text, sizeof text - 1 }, &ns))
        return false;
    *ret = (int32_t)(ns / NS_PER_DAY);
    return true;
}

static enum err read_day(const struct loader *l, const struct yaml *at, struct str s, int32_t absent, int32_t *ret)
{
    *ret = absent;
    if (!s.n || parse_day(s, ret))
        return OK;
    return fields_error(&l->r, at, "\"" STR_FMT "\" is no day such as 2026-11-09", STR_ARG(str_sub(s, 0, 40)));
}

static enum err read_rates(const struct loader *l, const struct yaml *at, const struct raw_rates *raw, struct rates *ret)
{
    for (int c = 0; c < TOKEN_CLASSES; c++) {
        struct str s = raw->of[c];
        ret->of[c] = RATE_NONE;
        if (s.n && !price_parse(s, &ret->of[c]))
            return fields_error(&l->r, at, STR_FMT ": \"" STR_FMT "\" is no price in USD a million tokens, 0 to %d, such as 0.125",
                                STR_ARG(token_class_names[c]), STR_ARG(str_sub(s, 0, 40)), PRICE_USD_MAX);
    }
    if (ret->of[TOKENS_INPUT] == RATE_NONE || ret->of[TOKENS_OUTPUT] == RATE_NONE)
        return fields_error(&l->r, at, "prices of input and output are wanted");
    return OK;
}

static enum err read_days(const struct loader *l, const struct raw_row *raw, struct price_row *row)
{
    enum err e = read_day(l, raw->node, raw->from, INT32_MIN, &row->from_day);
    e = e ? e : read_day(l, raw->node, raw->to, INT32_MAX, &row->to_day);
    e = e ? e : read_day(l, raw->node, raw->fast.from, row->from_day, &row->fast_from);
    e = e ? e : read_day(l, raw->node, raw->fast.to, row->to_day, &row->fast_to);
    if (e)
        return e;
    if (row->from_day > row->to_day || row->fast_from > row->fast_to)
        return fields_error(&l->r, raw->node, "the last day is before the first one");
    return OK;
}

static enum err read_row(struct loader *l, const struct raw_row *raw, struct price_row *row)
{
    char text[MODEL_ID_MAX];
    enum model_region region;
    struct str id = model_id(raw->model, text, &region);
    if (!id.n || !str_eq(id, raw->model))
        return fields_error(&l->r, raw->node, "model: a name as it is after normalising is wanted, here \"" STR_FMT "\"", STR_ARG(id));
    *row = (struct price_row){ .model = raw->model, .regional = raw->regional, .has_long = raw->longer.given,
                               .has_fast = raw->fast.given, .long_above = raw->longer.above };
    enum err e = read_days(l, raw, row);
    e = e ? e : read_rates(l, raw->node, &raw->rates, &row->rates);
    if (!e && row->has_long)
        e = read_rates(l, raw->node, &raw->longer.rates, &row->of_long);
    if (!e && row->has_fast)
        e = read_rates(l, raw->node, &raw->fast.rates, &row->of_fast);
    if (!e && row->has_long && !row->long_above)
        e = fields_error(&l->r, raw->node, "long.above is missing");
    return e;
}

/* ---- the whole ----------------------------------------------------------------- */

static enum err add_row(struct loader *l, const struct yaml *node)
{
    struct raw_row raw = { .regional = MILLE, .node = node };
    struct prices *b = l->book;
    if (b->nrows == PRICE_ROWS_MAX)
        return fields_error(&l->r, node, "more than %d rows", PRICE_ROWS_MAX);
    enum err e = fields_read(&l->r, node, S("models"), row_fields, &raw);
    if (e)
        return e;
    e = read_row(l, &raw, arena_push(&b->mem, b->rows, b->nrows, l->cap_rows));
    for (uint32_t i = 0; i < raw.aliases.n && !e; i++)
        *arena_push(&b->mem, b->names, b->nnames, l->cap_names) = (struct price_name){ raw.aliases.at[i], b->nrows - 1, 0 };
    return e;
}

static int by_model(const void *a, const void *b)
{
    const struct price_row *x = a, *y = b;
    int c = str_cmp(x->model, y->model);
    return c ? c : (x->from_day > y->from_day) - (x->from_day < y->from_day);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct price_name *)a)->name, ((const struct price_name *)b)->name);
}

/* Rows by model; names that point to each model's stretch, aliases too. */
static enum err put_in_order(struct loader *l, const struct yaml *at)
{
    struct prices *b = l->book;
    uint32_t naliases = b->nnames;
    struct str *owners = arena_new(&b->mem, struct str, naliases + 1);
    for (uint32_t i = 0; i < naliases; i++)
        owners[i] = b->rows[b->names[i].first].model;
    qsort(b->rows, b->nrows, sizeof *b->rows, by_model);

    for (uint32_t from = 0, to; from < b->nrows; from = to) {
        for (to = from + 1; to < b->nrows && str_eq(b->rows[to].model, b->rows[from].model); to++)
            if (b->rows[to].from_day <= b->rows[to - 1].to_day)
                return fields_error(&l->r, at, STR_FMT ": two rows hold on one day", STR_ARG(b->rows[to].model));
        *arena_push(&b->mem, b->names, b->nnames, l->cap_names) = (struct price_name){ b->rows[from].model, from, to - from };
        for (uint32_t i = 0; i < naliases; i++)
            if (str_eq(owners[i], b->rows[from].model))
                b->names[i] = (struct price_name){ b->names[i].name, from, to - from };
    }
    qsort(b->names, b->nnames, sizeof *b->names, by_name);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->nnames; i++) {
        bool again = n && str_eq(b->names[n - 1].name, b->names[i].name);
        if (again && b->names[n - 1].first != b->names[i].first)
            return fields_error(&l->r, at, STR_FMT ": a name of two models", STR_ARG(b->names[i].name));
        if (!again)
            b->names[n++] = b->names[i];
    }
    b->nnames = n;
    return OK;
}

static enum err load(struct loader *l, const struct yaml *root)
{
    struct raw_book raw = { 0 };
    enum err e = fields_read(&l->r, root, S(""), book_fields, &raw);
    if (e)
        return e;
    int32_t day;
    e = read_day(l, root, raw.as_of, 0, &day);
    l->book->as_of = raw.as_of;
    if (!e && (!raw.models || raw.models->kind != YAML_LIST || !raw.models->child))
        e = fields_error(&l->r, raw.models ? raw.models : root, "models: a list of rows is wanted");
    if (e)
        return e;
    for (const struct yaml *y = raw.models->child; y && !e; y = y->next)
        e = add_row(l, y);
    return e ? e : put_in_order(l, raw.models);
}

static struct prices *book_new(void)
{
    struct prices *p = mem_alloc(sizeof *p);
    p->refs = 1;
    arena_init(&p->mem, BOOK_BYTES_MAX);
    return p;
}

static void book_unrefp(void *pp)
{
    prices_unref(*(struct prices **)pp);
}

enum err prices_load(struct str name, struct str text, struct prices **ret, struct fault *f)
{
    if (text.n > BOOK_BYTES_MAX)
        return fault_set(f, E_LIMIT, 0, STR_FMT ": larger than %d bytes", STR_ARG(name), BOOK_BYTES_MAX);
    CLEANUP(book_unrefp) struct prices *book = book_new();
    CLEANUP(arena_done) struct arena scratch;
    arena_init(&scratch, BOOK_BYTES_MAX);
    struct yaml *root;
    enum err e = yaml_parse(text, &scratch, &root, f);
    if (e)
        return e;
    struct loader l = { .r = { .file = name, .mem = &book->mem, .f = f }, .book = book };
    e = load(&l, root);
    if (!e)
        *ret = TAKE(book);
    return e;
}

enum err prices_builtin(struct prices **ret, struct fault *f)
{
    return prices_load(S("prices.yml"), (struct str){ (const char *)ledger_prices_yml, ledger_prices_yml_size }, ret, f);
}

struct prices *prices_ref(struct prices *p)
{
    __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void prices_unref(struct prices *p)
{
    if (!p || __atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    arena_done(&p->mem);
    mem_free(p);
}

struct str prices_as_of(const struct prices *p)
{
    return p->as_of;
}

const struct price_row *prices_rows(const struct prices *p, uint32_t *ret_n)
{
    *ret_n = p->nrows;
    return p->rows;
}
