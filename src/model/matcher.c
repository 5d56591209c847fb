/* model/matcher.c -- one label matcher against one text. */
#include "model/matcher.h"

bool matcher_test(const struct matcher *m, struct str text)
{
    switch (m->op) {
    case MATCH_EQ:
        return str_eq(text, m->value);
    case MATCH_NE:
        return !str_eq(text, m->value);
    case MATCH_RE:
        return regex_match(m->re, text);
    case MATCH_NRE:
        return !regex_match(m->re, text);
    }
    return false;
}
