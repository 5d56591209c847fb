/* logql/bind.h -- the columns of a block as the labels of log lines.
 *
 * OTLP records as Loki's receiver maps them: resource attributes of the index list
 * are stream labels; the other resource attributes, the scope, the record's own
 * attributes and fields are structured metadata under label names, the record
 * before scope before resource. Identity (session.id, user.*, ...) counts only
 * from the record. `event_name` and `detected_level` are ccmon's additions.
 * Pushed entries bring stream labels (PLACE_LABEL) and metadata (PLACE_ATTR).
 *
 * Names are numbers within one evaluation: a name is looked up once per block.
 *
 * Threads: one.
 */
#pragma once
#include "base/map.h"
#include "logql/logql.h"

enum { NAME_NONE = UINT32_MAX };

struct names {
    struct map map;
    struct arena *mem;
    struct str *at;
    uint32_t *plain;                               /* "x_extracted" -> "x"; NAME_NONE */
    uint32_t *extracted;                           /* "x" -> "x_extracted", once asked for */
    uint32_t n, cap;
    uint32_t *ranks, nranks;                       /* private */
};

void names_init(struct names *n, struct arena *mem);
void names_done(struct names *n);
uint32_t names_id(struct names *n, struct str name);          /* copies a new name */
uint32_t names_extracted(struct names *n, uint32_t name);
/* By name: where it comes among all names there are now, in the order of their texts. */
const uint32_t *names_ranks(struct names *n);

/* One label of the block: its columns in the order in which they count. */
struct bound {
    uint32_t name;
    bool meta;                                     /* structured metadata, else stream label */
    bool zero_absent;                              /* a field that is 0 when not sent */
    uint32_t ncols;
    const struct column *cols[LABEL_COLS_MAX];
    uint32_t *value_ids[LABEL_COLS_MAX];           /* group.c: of each code, + 1; 0: not yet known */
};

struct binding {
    struct arena mem;                              /* of the block */
    const struct block *block;
    struct bound *at;
    uint32_t n, cap;
    uint32_t *stream_of, *meta_of;                 /* name -> index + 1, for names < limit */
    uint32_t limit;
    struct coded *coded;                           /* coded.c: by name, once asked for */
    struct label_ref line;
    uint64_t serial;                               /* of the block, for caches by code */
    bool spans;                                    /* rows are spans: the line is the span's name */
    bool level;                                    /* add detected_level */
};

void binding_init(struct binding *b, bool spans, bool level);
void binding_done(struct binding *b);
void binding_block(struct binding *b, struct names *names, const struct block *block);

/* NULL if the block has no such column. */
const struct bound *binding_stream(const struct binding *b, uint32_t name);
const struct bound *binding_meta(const struct binding *b, uint32_t name);
/* The value of the first column that has one. */
struct value bound_value(const struct bound *l, uint32_t row);
/* Likewise, and which column it was. */
struct value bound_value_col(const struct bound *l, uint32_t row, uint32_t *ret_col);

/* Is it only ever taken from the record itself? */
bool is_identity_label(struct str label);
/* Places that metadata of this name can stand at; 0: it cannot be asked of the source. */
uint32_t meta_places(bool spans, struct str label);
/* Further columns that must be read to know this label (detected_level). */
void label_sources(struct str label, void (*add)(void *arg, struct str column), void *arg);
