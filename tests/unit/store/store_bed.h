/* A store to test: frames are lines of text, writes wait for their answer, what is
 * stored comes back as sorted lines.
 *
 *   line   T temporality time_s start_s value session     T: s sample, l log, h a native
 *                                                         histogram of so many observations
 *
 * Rows of a log have the session as session.id and the value as an attribute.
 */
#pragma once
#include "store/store.h"

struct store_bed {
    char dir[64];
    struct store_config cfg;
    struct store *store;
    _Atomic int64_t now_ns;                        /* wall and monotonic time of its clock; the flusher reads it too */
    struct clock clock;
    unsigned reports;
    char report[1024];                             /* the newest one */
};

void bed_init(struct store_bed *b);                /* a new directory; nothing is open */
void bed_done(struct store_bed *b);                /* closes, removes the directory */
enum err bed_open(struct store_bed *b, struct fault *f);
void bed_close(struct store_bed *b);
/* One frame, waiting until it is durable or refused. */
enum err bed_write(struct store_bed *b, const char *text);
/* All rows of a table, one sorted line each; free with mem_free. */
char *bed_rows(struct store_bed *b, enum table t);
/* The same lines, as they are expected: sorts and joins. */
char *bed_sorted(const char **lines, size_t n);
void bed_remove(const char *dir);
struct frame_decoder bed_decoder(void);
