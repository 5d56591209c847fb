/* api/v1.h -- /api/ccmon/v1/: the accounting API, as tables.
 *
 * A struct v1_route is a whole route: its parameters, the columns of its rows and what answers.
 * Reading parameters, refusing wrong ones by name, filters, order, pages and totals, JSON, CSV
 * with its header line, the OpenAPI file and the tables of docs/accounting-api.md all come from
 * it. Two kinds:
 *
 *   a table    `rows` says how many there are and fills one at a time into a struct, of which
 *              `columns` says where each cell stands (as base/fields.h does for what is read)
 *   an object  `object` writes one JSON value
 *
 * How cells are written hangs on their type alone (v1_cells.c); what is unknown is null, and
 * empty in CSV.
 *
 *   type          in the row                     JSON                            CSV
 *   CELL_TEXT     struct str                     text; empty: null               text
 *   CELL_TEXTS    struct texts                   list                            joined by ";"
 *   CELL_PAIRS    struct pairs                   object                          name=value;...
 *   CELL_COUNT    int64_t                        number                          number
 *   CELL_BOOL     int64_t 0, 1                   true, false                     true, false
 *   CELL_TIME     int64_t Unix ns                NAME_ns: text of ns             NAME: RFC 3339, UTC
 *   CELL_SPAN     int64_t ns                     NAME_ms: number                 NAME_ms
 *   CELL_MONEY    int64_t nano-dollars           NAME_usd: number,               NAME_usd: decimal, exact
 *                                                NAME_nano_usd: text
 *   CELL_RATIO    double                         number                          number
 *
 * A number that is V1_NONE, a time that is 0 and a ratio that is NaN are unknown.
 *
 * Owner:    everything of a call lives in its arena.
 * Threads:  tables are constants; a call belongs to its handler's thread.
 * Errors:   E_SYNTAX (400, with what is allowed), E_NOTFOUND, E_LIMIT (422), those of a scan.
 */
#pragma once
#include "api/asked.h"
#include "base/fields.h"
#include "base/jw.h"

#define V1_NONE INT64_MIN
#define V1_PATH "/api/ccmon/v1"

enum {
    V1_PAGE_USUAL = 100, V1_PAGE_MAX = 10000,      /* rows of one answer */
    V1_OFFSET_MAX = 10000000,
    V1_VALUES_MAX = 64,                            /* of one parameter */
    V1_FILTERS_MAX = 24, V1_VALUE_BYTES_MAX = 1024, V1_COLUMNS_MAX = 80, V1_WILD_MAX = 2,
};

enum v1_cell { CELL_TEXT, CELL_TEXTS, CELL_PAIRS, CELL_COUNT, CELL_BOOL, CELL_TIME, CELL_SPAN, CELL_MONEY, CELL_RATIO };

enum v1_column_flag {
    COL_KEY = 1,             /* tells rows apart: rows that are equal otherwise stand by it */
    COL_SUM = 2,             /* adds up: stands in `totals` */
};

struct v1_column {
    struct str name;
    enum v1_cell type;
    size_t at;                                     /* offsetof in the row */
    uint32_t flags;
    struct str doc;
};

enum v1_type {
    V1_TEXT,                 /* struct str */
    V1_CHOICE,               /* struct str: one of what is allowed */
    V1_NAMES,                /* struct texts: a,b or given again; of what is allowed; between min and max of them */
    V1_COUNT,                /* int64_t: min ... max */
    V1_TIME,                 /* int64_t Unix ns: seconds with decimals, or RFC 3339 */
    V1_FILTER,               /* rows whose column has one of the values: a,b are two only when given twice */
    V1_SEARCH,               /* rows whose column holds the text, capitals or not */
};

struct v1_param {
    struct str name;
    enum v1_type type;
    size_t at;                                     /* offsetof in the route's parameters, or of the call; filters: none */
    int64_t min, max;
    struct str preset;                             /* what it is when it is not given; empty: 0, nothing */
    struct str (*allowed)(uint32_t i);             /* the i-th, empty after the last; NULL: anything */
    struct str column;                             /* filters: of this column */
    struct str doc;
};

enum v1_flag {
    V1_RANGE = 1,            /* start and end */
    V1_PAGED = 2,            /* sort, limit, offset, cursor */
};

struct v1_filter {
    const struct v1_column *column;
    const struct str *values;
    uint32_t n;
    bool search;
};

struct v1_route;
struct v1_call {
    struct http_req *r;
    const struct api *a;
    const struct v1_route *route;
    struct arena *mem;
    struct query_ctx q;                            /* its limits: deadline, cancelled */
    int64_t now_ns;
    int64_t from_ns, to_ns;                        /* from <= t < to */
    struct str format, sort, cursor;
    int64_t limit, offset;
    struct v1_filter filters[V1_FILTERS_MAX];
    uint32_t nfilters;
    void *own;                                     /* the route's parameters */
    struct str allowed;                            /* what a refused name could have been: stands behind the error */
};

/* What a table's route found. */
struct v1_rows {
    uint32_t n;
    void (*fill)(void *arg, uint32_t i, void *row);   /* the row holds anything */
    void (*more)(void *arg, struct jw *w);         /* NULL, or writes further keys beside the rows (JSON only) */
    void *arg;
};

struct v1_route {
    struct str wild[V1_WILD_MAX];                  /* what each * of its path is called */
    struct str doc;                                /* what to know beyond the one line of its path */
    uint32_t flags;
    int64_t usual_range_ns;                        /* V1_RANGE: before the end, if no start is given; 0: all of time */
    const struct v1_param *params;                 /* ends with an empty name; NULL: none of its own */
    size_t size;                                   /* of the struct they are read into */
    struct str list;                               /* what its rows are called; empty: an object */
    const struct v1_column *columns;               /* ends with an empty name */
    size_t row_size;
    struct str sort;                               /* the usual order; empty: as they come */
    enum err (*rows)(struct v1_call *c, struct v1_rows *ret, struct fault *f);
    enum err (*object)(struct v1_call *c, struct jw *w, struct fault *f);
    bool bare;                                     /* an object without the envelope around it */
};

/* A route where it is mounted. */
struct v1_mount {
    const char *path, *doc;
    const struct v1_route *route;
};
extern const struct v1_mount v1_mounts[];          /* ends with path == NULL */

/* The routes, a file each. */
extern const struct v1_route v1_session, v1_prompt, v1_prices, v1_openapi;

/* v1_params.c: all of a call's, checked. */
MUST enum err v1_read_params(struct v1_call *c, struct fault *f);
extern const struct v1_param v1_common[];          /* which of them a route has: v1_has() */
bool v1_has(const struct v1_route *route, const struct v1_param *common);

/* v1_cells.c */
const struct v1_column *v1_column_find(const struct v1_column *columns, struct str name);
void v1_cell_json(struct jw *w, const struct v1_column *c, const void *row);
void v1_cell_csv(struct buf *out, const struct v1_column *c, const void *row);
void v1_head_csv(struct buf *out, const struct v1_column *columns);
/* The key of a cell in JSON; a second one for money. */
struct str v1_key(const struct v1_column *c, uint32_t i, char out[64]);

/* v1_table.c: filters, orders, cuts a page and answers. */
void v1_table(struct v1_call *c, const struct v1_rows *rows);

/* v1_openapi.c: the tables of the documentation, as `ccmon describe accounting` prints them. */
void v1_describe(struct buf *out);
