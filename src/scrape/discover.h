/* scrape/discover.h -- who is to be scraped: static lists and files.
 *
 * Owner:    what is found belongs to whoever asked; discovery_done() frees what was not taken.
 * Threads:  one at a time.
 * Errors:   what is wrong with one file or target is told through `report`, and the rest goes
 *           on; of a file that cannot be read the targets it had stay.
 */
#pragma once
#include "scrape/target.h"

struct dropped_target {
    const struct scrape_job *job;
    struct lpair *labels;                          /* in the discovery's arena */
    uint32_t n;
};

struct discovery {
    struct arena mem;
    struct target **at;
    uint32_t n, cap;
    struct dropped_target *dropped;
    uint32_t ndropped, cap_dropped;
    uint64_t dropped_all;                          /* also those that are not kept */
};

/* The newest good content of each file, and how it looked then. */
struct sd_files {
    struct sd_file *at;
    uint32_t n, cap;
};
void sd_files_done(struct sd_files *s);

struct discover_report {
    void (*report)(void *arg, const char *cause, const char *text);
    void *arg;
};

/* All targets of a configuration, those of one label set and address once. */
void discover(struct scrape_conf *conf, struct sd_files *files, const struct discover_report *to, struct discovery *ret);
void discovery_done(struct discovery *d);
/* Have the files changed since discover() read them? */
bool discover_changed(const struct scrape_conf *conf, struct sd_files *files);
