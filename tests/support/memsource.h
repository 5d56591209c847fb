/* tests/support/memsource.h -- an in-memory struct source for tests of the query
 * languages: rows go in one by one, scans give them back as blocks of columns with
 * dictionaries, the way the store does, filtered by time and matchers.
 *
 * Scans by series have runs of at most a few rows. Blocks hold `block_rows` rows (default 1000; tests set 1 or 7 to cross borders).
 * bases() is the naive reading of its contract. Nothing is dropped as a duplicate.
 *
 * Owner:    memsource_new/memsource_free.
 * Threads:  one writer; scans see what was added before scan_begin.
 */
#pragma once
#include "base/clock.h"
#include "model/names.h"
#include "model/source.h"

struct memsource;

struct mem_cell {
    enum place place;
    const char *name;
    struct value v;
};

struct mem_row {
    enum table table;
    int64_t time_ns, recv_ns, start_ns, claimed_ns;
    double value;
    enum temporality temporality;
    enum origin origin;
    const struct mem_cell *cells;
    uint32_t ncells;
};

struct memsource *memsource_new(void);
void memsource_free(struct memsource *m);
struct source *memsource_source(struct memsource *m);
void memsource_set_block_rows(struct memsource *m, uint32_t rows);
void memsource_clear(struct memsource *m);

void memsource_add(struct memsource *m, const struct mem_row *r);        /* copies everything */
/* A sample whose labels are name, value, name, value, ..., NULL. */
void memsource_sample(struct memsource *m, int64_t time_ns, double value, const char *const *labels);
void memsource_meta(struct memsource *m, const char *name, enum metric_type type, const char *unit, const char *help);
/* How many scans and bases() calls there were, to see what a query asks for. */
uint32_t memsource_scans(const struct memsource *m);
uint32_t memsource_base_keys(const struct memsource *m);
