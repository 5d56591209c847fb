/* ledger/prices_int.h -- the book, as the files that make it and ask it see it.
 */
#pragma once
#include "base/arena.h"
#include "ledger/prices.h"

struct price_name {                                /* a model or an alias, and its rows */
    struct str name;
    uint32_t first, n;
};

struct prices {
    uint32_t refs;                                 /* atomic */
    struct arena mem;
    struct str as_of;
    struct price_row *rows;                        /* by model, then by day */
    uint32_t nrows;
    struct price_name *names;                      /* ascending */
    uint32_t nnames;
};
