/* One value as text and as number: every wire type, one row a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/value.h"

static const struct {
    struct value v;
    struct str text;
    bool is_num;
    double num;
} rows[] = {
    { { .type = V_NONE }, S(""), false, 0 },
    { { .type = V_STR, .s = S("abc") }, S("abc"), false, 0 },
    { { .type = V_STR, .s = S("12.5") }, S("12.5"), true, 12.5 },
    { { .type = V_STR, .s = S("true") }, S("true"), true, 1 },
    { { .type = V_STR, .s = S("false") }, S("false"), true, 0 },
    { { .type = V_STR, .s = S("") }, S(""), false, 0 },
    { { .type = V_INT, .i = -7 }, S("-7"), true, -7 },
    { { .type = V_INT, .i = INT64_MIN }, S("-9223372036854775808"), true, -9223372036854775808.0 },
    { { .type = V_DOUBLE, .d = 0.080115 }, S("0.080115"), true, 0.080115 },
    { { .type = V_DOUBLE, .d = 1e21 }, S("1000000000000000000000"), true, 1e21 },
    { { .type = V_BOOL, .b = true }, S("true"), true, 1 },
    { { .type = V_BOOL, .b = false }, S("false"), true, 0 },
    { { .type = V_BYTES, .s = S("ab") }, S("YWI="), false, 0 },
    { { .type = V_BYTES, .s = S("abcd") }, S("YWJjZA=="), false, 0 },
    { { .type = V_JSON, .s = S("[1]") }, S("[1]"), false, 0 },
};

static void text_and_number(void **state)
{
    (void)state;
    struct arena mem;
    arena_init(&mem, 1 << 16);
    for (size_t i = 0; i < LEN(rows); i++) {
        char scratch[VALUE_TEXT_MAX];
        struct str a = value_text(&rows[i].v, scratch), b = value_text_in(&rows[i].v, &mem);
        if (!str_eq(a, rows[i].text) || !str_eq(b, rows[i].text))
            fail_msg("row %zu: want " STR_FMT ", got " STR_FMT " and " STR_FMT, i, STR_ARG(rows[i].text), STR_ARG(a), STR_ARG(b));
        double num = -1;
        if (value_num(&rows[i].v, &num) != rows[i].is_num || (rows[i].is_num && num != rows[i].num))
            fail_msg("row %zu: want %d %g, got %g", i, rows[i].is_num, rows[i].num, num);
        for (size_t k = 0; k < LEN(rows); k++)
            if (value_eq(&rows[i].v, &rows[k].v) != (i == k))
                fail_msg("rows %zu and %zu", i, k);
    }
    arena_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(text_and_number) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
