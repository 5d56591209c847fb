/* store/part.h -- partitions: an SQLite file of chunks per span of event time.
 *
 * A part_set is the folder DATA/part with the catalogue's list of it. The flusher
 * writes:  part_flush_begin(); part_write() for each partition; part_flush_end().
 * Readers take a part_view, an immutable list of (partition, generation); a view
 * sees just the chunks that were committed by the part_flush_end() it was made
 * after, for as long as it is held, whatever is written or dropped meanwhile.
 *
 * A chunk lives for the generations [born, gone) of its partition: part_replace() puts
 * new chunks in place of old ones, a part_rewrite puts a whole new file in place of one
 * or of a month's, and views that are older go on reading what they saw.
 *
 * Owner:    part_view_get() gives one reference, part_view_unref() ends it. Views
 *           and chunk lists must be gone before part_set_close().
 * Threads:  one flusher (part_flush_*, part_write, part_replace, part_rewrite_*, part_carry_put,
 *           part_drop*, part_sweep, part_tick); views and everything that takes a part_item
 *           from any thread.
 *           No call of a reader waits for the flusher longer than it takes to open a file.
 * Errors:   E_UNAVAILABLE (disk full), E_CORRUPT (with the file's name), E_IO,
 *           E_UNSUPPORTED (written by a newer ccmon).
 */
#pragma once
#include "base/clock.h"
#include "base/file.h"
#include "store/catalog.h"
#include "store/chunk.h"

enum { PART_OPEN_MAX = 32 };                       /* SQLite files open at a time, readers' included; exceeded only by threads at work */

struct part_set;
struct part;
struct part_item;

struct part_opts {
    const char *dir;                               /* DATA; files are in DATA/part */
    struct catalog *catalog;                       /* outlives the set */
    const struct clock *clock;
    const struct file_ops *ops;
    uint32_t open_max;                             /* 0: PART_OPEN_MAX */
    bool compacts;                                 /* a partition is closed only after part_settled() */
    /* Told once of each file that was found damaged and set aside. May be NULL. */
    void (*report)(void *arg, const struct fault *f);
    void *report_arg;
};

/* Makes DATA/part. Opens no partition unless the catalogue is new, a flush was cut short,
 * or a file is not listed; those are read and the list put right. A damaged one goes to
 * DATA/quarantine, and one that a newer ccmon wrote ends the start. */
MUST enum err part_set_open(const struct part_opts *o, struct part_set **ret, struct fault *f);
void part_set_close(struct part_set *s);           /* closed files are left without -wal */

/* The partition that holds a time: the existing one (a day, later a month), else the day. */
struct part_span {
    int64_t from_ns, to_ns;                        /* from <= time < to */
    uint64_t mark;                                 /* rows with seq <= mark are in it; 0: it does not exist */
};
struct part_span part_span_at(struct part_set *s, int64_t time_ns);

/* --- writing: the flusher only ---------------------------------------------- */

/* Base of one series or stream at the start of a partition (design: "base of totals"). */
struct part_carry {
    struct id128 series;
    int64_t earlier_from_ns;                       /* the earlier partition it was taken from */
    uint64_t earlier_generation;                   /* and that one's generation then */
    int64_t last_ns;                               /* time of the newest row it contains */
    double base;
};

struct part_write {
    uint64_t mark;                                 /* all rows up to this sequence are in the partition now */
    const struct chunk_out *chunks;
    uint32_t nchunks;
    const struct part_carry *carries;              /* stored in the same transaction */
    uint32_t ncarries;
};

/* Notes in the catalogue which partitions (by from_ns of their spans) are about to be
 * written; one sync. A crash until part_flush_end() makes the next start look into them. */
MUST enum err part_flush_begin(struct part_set *s, const int64_t *from_ns, size_t n, struct fault *f);
/* One transaction (content file first); on success durable, its mark stored and its
 * generation raised by one. Not yet visible to views. After a failure the partition is
 * as before, or, if only the last sync failed, as after: begin again to retry, with rows
 * above part_span_at().mark only, asked anew after each failure. */
MUST enum err part_write(struct part_set *s, int64_t from_ns, const struct part_write *w, struct fault *f);
/* Puts w->chunks in place of the chunks old[0 .. nold), which hold the same rows: checked by
 * their numbers, E_CORRUPT if they differ. One transaction, as part_write(), between the same
 * begin and end; w->mark is the partition's own. Views that saw the old chunks read them for
 * as long as they are held; part_sweep() deletes them then. After a failure plan anew, from
 * a new view. E_NOTFOUND: one of the old ones is not there any more. */
MUST enum err part_replace(struct part_set *s, int64_t from_ns, const uint64_t *old, uint32_t nold, const struct part_write *w,
                           struct fault *f);
/* Writes the catalogue and makes everything written visible to new views. A fault of
 * the catalogue leaves the files right and the views new; only the next start is slower. */
MUST enum err part_flush_end(struct part_set *s, struct fault *f);

/* Deletes replaced chunks that no view names any more, content first. */
MUST enum err part_sweep(struct part_set *s, struct fault *f);

/* --- a new file for a partition, or for all of a span: the flusher only ------------------
 *
 *   begin -> keep, put (in any order, as often as needed, other work between) -> end or drop
 *
 * The new files stand beside the old ones, unseen, until part_rewrite_end(), which is one
 * moment for readers and for a crash: before it the old ones count, after it the new ones.
 * Old files are unlinked when no view names them. The partition has a new uid then, is
 * closed, and its mark is the greatest of those it was made of. */
struct part_rewrite;
/* The partition that begins at from_ns, under its own name. E_NOTFOUND if there is none. */
MUST enum err part_rewrite_begin(struct part_set *s, int64_t from_ns, struct part_rewrite **ret, struct fault *f);
/* One partition for the UTC month of a time, from all closed ones that lie in it. All rows up
 * to the greatest of their marks must be in partitions: no flush half done, none in the log. */
MUST enum err part_rewrite_month(struct part_set *s, int64_t time_ns, struct part_rewrite **ret, struct fault *f);
/* Copies chunks as they are, blob by blob, content included. it: of a view that is held. */
MUST enum err part_rewrite_keep(struct part_rewrite *r, const struct part_item *it, const uint64_t *ids, uint32_t n, struct fault *f);
MUST enum err part_rewrite_put(struct part_rewrite *r, const struct chunk_out *chunks, uint32_t n, struct fault *f);
enum part_rewrite_how {
    REWRITE_FEWER_ROWS = 1,                        /* else E_CORRUPT when there are not as many as before */
    REWRITE_NO_CARRIES = 2,                        /* else those of the first partition are taken over */
};
/* Durable, listed in the catalogue and visible to new views, which must be asked for anew. With
 * nothing kept or put the partition is dropped. E_UNAVAILABLE: the partition was written
 * meanwhile, begin again. Ends `r` in any case; after a failure everything is as before. */
MUST enum err part_rewrite_end(struct part_rewrite *r, unsigned how, struct fault *f);
void part_rewrite_drop(struct part_rewrite *r);    /* NULL is fine */

/* Takes the carry rows out of every partition, and leaves nothing of them in the files. */
MUST enum err part_carries_clear(struct part_set *s, struct fault *f);
/* Do files stand there that only older views read? Those that nobody reads any more, but could
 * not be removed, are tried again; a failure is that of the removal. The flusher. */
MUST enum err part_clear_gone(struct part_set *s, bool *ret_read, struct fault *f);
/* Stored at once; E_NOTFOUND if the partition is gone. Closed ones stay closed. */
MUST enum err part_carry_put(struct part_set *s, int64_t from_ns, const struct part_carry *c, size_t n, struct fault *f);

/* Retention: gone from new views at once, unlinked when no view names it. */
MUST enum err part_drop(struct part_set *s, int64_t from_ns, struct fault *f);
MUST enum err part_drop_content(struct part_set *s, int64_t from_ns, struct fault *f);
/* Moves a damaged partition to DATA/quarantine and forgets it; views that name it get errors. */
MUST enum err part_quarantine(struct part_set *s, int64_t from_ns, struct fault *f);
/* How far a partition has come, for whoever compacts them (part_opts.compacts). */
enum part_age {
    PART_OPEN,                                     /* young, or written within the last hour, or just now */
    PART_RIPE,                                     /* its day is over: what is to be done before it closes? */
    PART_SETTLED,                                  /* nothing: the next part_tick() closes it */
    PART_CLOSED,
};
enum part_age part_age(struct part_set *s, int64_t from_ns);       /* PART_CLOSED too if there is none */
void part_settled(struct part_set *s, int64_t from_ns);
/* The UTC month of a time, and its partition's name. */
void part_month(int64_t time_ns, int64_t *ret_from_ns, int64_t *ret_to_ns, char name[CATALOG_NAME_MAX]);
/* Closes partitions that are older than two days and were not written for an hour
 * (WAL off, opened immutable from then on), swept before. Call it every few minutes. */
MUST enum err part_tick(struct part_set *s, struct fault *f);

/* --- reading: any thread ------------------------------------------------------ */

struct part_item {
    struct part *part;
    uint64_t uid;                                  /* this partition with these files: never one for two contents */
    int64_t from_ns, to_ns;
    int64_t time_min, time_max;                    /* of its rows, both inclusive */
    uint64_t generation, mark;
    uint64_t rows[TABLE_COUNT];
    uint64_t bytes;                                /* on disk, content included */
};

struct part_view {
    uint32_t refs;                                 /* atomic; private */
    struct part_set *set;
    struct part_view *newer, *older;               /* private: all views that are held */
    uint32_t n;
    struct part_item at[];                         /* ascending by from_ns */
};

struct part_view *part_view_get(struct part_set *s);
struct part_view *part_view_ref(struct part_view *v);
void part_view_unref(struct part_view *v);         /* NULL is fine */

struct chunk_ref {
    uint64_t id;                                   /* ascending in the order of writing */
    int64_t t0, t1;
    struct chunk_summary sum;
};

/* The chunks of a partition as a view sees it, ascending by id; loaded at first use and kept in
 * a bounded cache. Give it back with chunk_list_unref(). */
struct chunk_list {
    uint32_t refs;                                 /* atomic; private */
    uint64_t generation;
    struct arena mem;
    const struct chunk_ref *at;
    uint32_t n;
};
MUST enum err part_chunks(const struct part_item *it, struct chunk_list **ret, struct fault *f);
void chunk_list_unref(struct chunk_list *l);       /* NULL is fine */

/* Blobs of one chunk, ret[i] for columns[i]; p == NULL if there is none (column not
 * written, or content that is gone). Finds content columns by itself. */
MUST enum err part_read(const struct part_item *it, const struct chunk_ref *c, const uint32_t *columns, size_t n,
                        struct arena *mem, struct str *ret, struct fault *f);
/* The files of a partition for a copy of them. While fn runs nobody renames them or changes
 * their mode, and what is written into open ones meanwhile does not wait for it. */
struct part_files {
    const struct part_item *item;
    const char *name;                              /* "2026-11-23" */
    bool closed;                                   /* nobody changes them: a second name is as good as a copy */
    const char *main, *content;                    /* paths; content NULL: there is none */
};
MUST enum err part_files(const struct part_item *it, enum err (*fn)(void *arg, const struct part_files *x, struct fault *f), void *arg,
                         struct fault *f);
bool part_has_content(const struct part_item *it);  /* still: its retention is shorter */
MUST enum err part_filter(const struct part_item *it, const struct chunk_ref *c, struct arena *mem, struct str *ret,
                          struct fault *f);
/* carries[i].series is the key; ret_found[i] says whether there is a row, which then fills carries[i]. */
MUST enum err part_carry_get(const struct part_item *it, struct part_carry *carries, size_t n, bool *ret_found,
                             struct fault *f);
