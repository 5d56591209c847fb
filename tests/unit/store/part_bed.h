/* tests/unit/store/part_bed.h -- a data directory with a catalogue and a set of partitions,
 * and rows in it that are known: row `seq` of a day has the time day + seq ms, an
 * attribute "n" that is its seq, and, for every third, a prompt.
 *
 * Threads:  one, except bed_read().
 */
#pragma once
#include "rows_model.h"
#include "store/part_int.h"

struct bed {
    char dir[128];
    int64_t now, mono;                             /* what its clock says */
    struct clock clock;
    struct catalog *catalog;
    struct part_set *set;
    bool catalog_was_new;
    uint32_t open_max;
    const struct file_ops *ops;                    /* NULL: the system's */
    unsigned reports;
    struct fault reported;
};

#define BED_DAY(n) (INT64_C(20779) * NS_PER_DAY + (n) * NS_PER_DAY)      /* 2026-11-22 and later */

void bed_init(struct bed *b);                      /* a new directory; opens it */
void bed_done(struct bed *b);                      /* closes and removes it */
void bed_remove(struct bed *b);                    /* removes it; it is closed */
void bed_copy(const struct bed *from, struct bed *ret);     /* a closed one */
enum err bed_open(struct bed *b, struct fault *f);
void bed_close(struct bed *b);
void bed_path(const struct bed *b, const char *rest, char out[256]);
bool bed_exists(const struct bed *b, const char *rest);
/* All of: begin, write, end. Rows [first, first + n), the mark being the last of them. */
enum err bed_flush(struct bed *b, int64_t day, uint64_t first, uint32_t n, struct fault *f);
enum err bed_write(struct bed *b, int64_t day, uint64_t first, uint32_t n, struct fault *f);      /* the middle part */

/* Those rows as one chunk. */
void bed_chunk(int64_t day, uint64_t first, uint32_t n, uint32_t level, struct arena *mem, struct chunk_out *ret);

struct bed_rows {
    uint64_t n, seq_sum, prompts;                  /* rows; sum of their seqs; rows with a prompt */
};
/* Reads everything a view's partition shows, checking each row; fails the test by CHECK. */
enum err bed_read(const struct part_item *it, struct bed_rows *ret, struct fault *f);
/* The same of all partitions in the newest view; fails the test by CHECK. */
struct bed_rows bed_rows_all(struct bed *b);
/* The same for the day in the newest view: n is 0 when it is not there. */
struct bed_rows bed_rows_of(struct bed *b, int64_t day);
