/* tests/support/store_model.h -- a store with a plain model beside it.
 *
 * Rows are made as a sender would say them, written as text (the frame), decoded from
 * that text by the same function for the sink and for replay, and kept in a model: a
 * list of rows and the rules of identity and time, in their plainest form. Whatever the
 * store is asked, the model is asked too.
 *
 * Threads:  a bed belongs to one; bed_put() may be called from many.
 */
#pragma once
#include "base/map.h"
#include "store/store.h"

enum { BED_CELLS = 14 };

struct bed_cell {
    enum place place;
    struct str name;
    struct value v;
};

/* A row as its sender says it. */
struct bed_row {
    int64_t said_ns, observed_ns, start_ns;
    double value;
    enum temporality temporality;
    enum origin origin;
    struct bed_cell cells[BED_CELLS];
    uint32_t ncells;
};

struct bed_req {
    enum table table;
    int64_t recv_ns;
    struct bed_row *rows;
    uint32_t n;
};

/* As the store has to keep it. */
struct bed_kept {
    enum table table;
    int64_t time_ns, claimed_ns, recv_ns;
    struct bed_row row;
};

struct bed {
    char dir[200];
    struct store *store;
    struct store_config cfg;                       /* what the next bed_open() uses; dir, clock and decoder are filled in */
    int64_t now_ns, mono_ns;                       /* its clock */
    struct clock clock;
    unsigned reports;
    char report[600];                              /* the newest one */
    bool loud;                                     /* reports go to standard error */

    struct arena mem;                              /* of the model */
    struct bed_kept *kept;
    uint32_t nkept, cap_kept;
    struct map known;                              /* identity as text -> index of the row with the greatest value */
    uint64_t duplicates, refused;
};

#define BED_RETENTION (400 * NS_PER_DAY)

void bed_init(struct bed *b);                      /* an empty directory, nothing open */
void bed_done(struct bed *b);                      /* closes, removes */
enum err bed_open(struct bed *b, struct fault *f);
void bed_close(struct bed *b);
void bed_pass(struct bed *b, int64_t ns);          /* time, on both clocks; the store may look at them meanwhile */
void bed_copy(const char *from, const char *to);   /* a directory with all in it */
void bed_remove(const char *dir);
void bed_path(const struct bed *b, const char *rest, char out[400]);
uint32_t bed_count(const struct bed *b, const char *folder, const char *ending);     /* files in DATA/folder */
int bed_fork(struct bed *b, int (*run)(struct bed *b, void *arg), void *arg);        /* in a child: its exit status */

/* The frame of a request, and what a receiver and replay make of it. */
void bed_text(const struct bed_req *r, struct buf *ret);
enum err bed_decode(void *arg, enum frame_kind kind, uint32_t epoch, struct str body, int64_t recv_ns, struct arena *mem,
                    struct batch *ret, struct fault *f);
/* Writes and waits. */
enum err bed_put(struct bed *b, const struct bed_req *r, struct fault *f);
/* What an acknowledged request means. */
void bed_model(struct bed *b, const struct bed_req *r);
enum err bed_write(struct bed *b, const struct bed_req *r, struct fault *f);         /* both; must be OK to be in the model */

/* One request whose `done` is waited for later. */
struct bed_pending {
    struct write_req w;
    struct arena mem;
    struct batch batch;
    struct buf text;
    unsigned done;                                 /* atomic: how often it was called */
    enum err e;
    struct fault f;
};
void bed_send(struct bed *b, const struct bed_req *r, struct bed_pending *p);
enum err bed_wait(struct bed_pending *p, struct fault *f);

/* One row as a line of text: times, numbers, the wanted labels, sorted. */
struct str bed_line(const struct bed_kept *k, const struct scan_req *req, struct arena *mem);
/* Each row that the store gives for the scan, as such a line. */
void bed_each_line(struct bed *b, const struct scan_req *req, void (*each)(void *arg, struct str line), void *arg);
/* Runs the scan on both and compares row for row; also what the contract says about
 * bounds. Prints the first difference and fails by CHECK. */
void bed_same_scan(struct bed *b, const struct scan_req *req, const char *what);
void bed_same_rows(struct bed *b, const char *what);       /* everything in all tables */
bool bed_matches(const struct bed_kept *k, const struct scan_req *req);
struct value bed_label(const struct bed_row *r, struct str label, uint32_t places);
