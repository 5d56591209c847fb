/* ledger/budget_read.c -- the section `budgets` of the configuration.
 */
#include "base/num.h"
#include "ledger/budget.h"
#include "ledger/money.h"

const struct str budget_period_names[] = { S("day"), S("week"), S("month") };

struct raw_budget {
    struct str name, usd, zone;
    uint64_t period;
    struct pairs where;
    const struct yaml *node;
};

#define AT(f) offsetof(struct raw_budget, f)
const struct field budget_fields[] = {
    { .name = S("name"), .type = FIELD_TEXT, .at = AT(name) },
    { .name = S("usd"), .type = FIELD_TEXT, .at = AT(usd) },
    { .name = S("period"), .type = FIELD_CHOICE, .at = AT(period), .choices = "day|week|month" },
    { .name = S("zone"), .type = FIELD_TEXT, .at = AT(zone) },
    { .name = S("where"), .type = FIELD_PAIRS, .at = AT(where), .max = 16 },
    { .name = { 0 } },
};

static enum err read_one(const struct fields_reader *r, const struct yaml *node, struct budget *b)
{
    struct raw_budget raw = { .zone = S("local"), .period = BUDGET_MONTH };
    int64_t picos;
    enum err e = fields_read(r, node, S("budgets"), budget_fields, &raw);
    if (e)
        return e;
    if (!raw.name.n)
        return fields_error(r, node, "budgets: a name is wanted");
    if (!price_parse(raw.usd, &picos) || picos == 0)
        return fields_error(r, node, "budgets: usd: \"" STR_FMT "\" is no amount above 0, up to %d, such as 250 or 99.50",
                            STR_ARG(str_sub(raw.usd, 0, 40)), PRICE_USD_MAX);
    *b = (struct budget){ .name = raw.name, .nanos = picos * (NANOS_PER_USD / 1000000), .period = (enum budget_period)raw.period,
                          .zone_name = raw.zone, .where = raw.where };
    struct fault f = { 0 };
    return zone_load(raw.zone, &b->zone, &f) ? fields_error(r, node, "budgets: zone: %s", f.msg) : OK;
}

static enum err read_list(const struct fields_reader *r, const struct yaml *node, struct budgets *b)
{
    for (const struct yaml *y = node->child; y; y = y->next) {
        if (b->n == BUDGETS_MAX)
            return fields_error(r, y, "budgets: more than %d", BUDGETS_MAX);
        struct budget *one = &b->at[b->n++];
        enum err e = read_one(r, y, one);
        for (uint32_t i = 0; !e && i + 1 < b->n; i++)
            if (str_eq(b->at[i].name, one->name))
                e = fields_error(r, y, "budgets: two have the name \"" STR_FMT "\"", STR_ARG(one->name));
        if (e)
            return e;
    }
    return OK;
}

enum err budgets_read(const struct fields_reader *r, const struct yaml *node, struct budgets *ret)
{
    struct budgets b = { 0 };
    uint32_t n = 0;
    if (node->kind != YAML_LIST && node->kind != YAML_NULL)
        return fields_error(r, node, "budgets: a list is wanted");
    for (const struct yaml *y = node->child; y; y = y->next)
        n++;
    b.at = arena_new(r->mem, struct budget, MIN(n, (uint32_t)BUDGETS_MAX) + 1);
    enum err e = read_list(r, node, &b);
    if (e) {
        budgets_free(&b);
        return e;
    }
    *ret = b;
    return OK;
}

void budgets_free(struct budgets *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        zone_free(b->at[i].zone);
    b->n = 0;
}
