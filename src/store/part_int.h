/* store/part_int.h -- what the files part_*.c share.
 *
 * Threads:  set->lock guards every field that does not say otherwise. It is never
 *           held over I/O. The flusher alone changes head, closed, content and the
 *           list of partitions, so it reads those without the lock.
 */
#pragma once
#include <pthread.h>

#include "store/part_file.h"

/* A connection from the pool. In use it belongs to the thread that took it. */
struct conn {
    struct part *part;
    struct part_file *file;
    int64_t used_mono;
    struct conn *next;                             /* idle list, the latest used first */
};

struct part {
    struct part_set *set;                          /* this and the next two lines never change */
    char name[CATALOG_NAME_MAX];
    int64_t from_ns, to_ns;
    uint64_t uid;                                  /* see part_item; new when something but a flush changes the files */
    struct part_head head;                         /* what the file has */
    struct part_item shown;                        /* what new views show; generation 0: nothing */
    uint64_t bytes;
    bool writing;                                  /* as the catalogue has it */
    bool closed;                                   /* not in WAL mode: opened immutable */
    bool content;                                  /* there is a content file */
    bool exclusive;                                /* the flusher changes the files: nobody may open them */
    bool replaced;                                 /* flusher only: it may have chunks that are gone */
    bool settled;                                  /* flusher only: nothing is left to compact since it was written */
    bool doomed;                                   /* its files go with it */
    uint32_t gone;                                 /* not 0: dropped, the files are NAME.N.gone */
    uint32_t refs;                                 /* the list, and views that name it */
    uint32_t busy;                                 /* connections in use */
    int64_t written_mono;                          /* 0: not in this run */
    struct chunk_list *list;                       /* of shown.generation, or an older one */
    int64_t list_mono;
    struct part *next_stayed;
};

struct part_set {
    struct catalog *catalog;
    const struct clock *clock;
    const struct file_ops *ops;
    struct part_opts opts;
    char *dir;                                     /* DATA */
    pthread_mutex_t lock;
    pthread_cond_t freed;                          /* a connection came back, or an exclusion ended */
    struct part **parts;                           /* ascending by from_ns */
    uint32_t nparts, cap_parts;
    uint32_t gone_count;
    struct part_view *view;                        /* the newest, and by it all that are held */
    struct conn *idle;
    uint32_t nopen, open_max;
    size_t list_bytes;
    struct part *stayed;                           /* nobody names them, but their files could not be removed */
};

enum { PART_PATH_MAX = 4096 };
/* DATA/part/NAME.db, DATA/part/NAME.content.db; with .N.gone when dropped. */
void part_path(const struct part *p, enum part_kind kind, char out[PART_PATH_MAX]);
void part_path_as(const struct part *p, enum part_kind kind, uint32_t gone, char out[PART_PATH_MAX]);
void set_lock(struct part_set *s);
void set_unlock(struct part_set *s);

/* --- part_set.c ------------------------------------------------------------------- */

struct part *part_find(struct part_set *s, int64_t from_ns);       /* by its exact span; NULL */
struct part *part_add(struct part_set *s, const char *name, int64_t from_ns, int64_t to_ns);
void part_forget(struct part_set *s, struct part *p);              /* out of the list; lives as long as a view names it */
struct part *part_new(struct part_set *s, const char *name, int64_t from_ns, int64_t to_ns);   /* not in the list */
/* `fresh` into the list in place of old[0 .. n), which lie in its span. */
void part_exchange(struct part_set *s, struct part **old, uint32_t n, struct part *fresh);
uint64_t part_oldest_view(const struct part *p);                   /* least generation that a view shows of it; UINT64_MAX: none */
void part_unref(struct part *p);
MUST enum err part_remove_stayed(struct part_set *s, struct fault *f);     /* tries those files again; the flusher */
uint64_t part_uid_new(void);
struct catalog_part part_for_catalog(const struct part *p);
void part_measure(struct part *p);                                 /* bytes on disk */
void part_set_shown(struct part *p);                               /* new views show what the file has now */
void part_show(struct part_set *s);                                /* a new view of what `shown` says */
MUST enum err part_set_aside(struct part_set *s, const char *name, struct fault *f);      /* files of a partition to quarantine */

/* --- part_flush.c ------------------------------------------------------------------ */

/* Both files into WAL mode, or out of it for good; nobody else has them open. */
MUST enum err part_unseal(struct part *p, struct fault *f);
MUST enum err part_seal(struct part *p, struct fault *f);
MUST enum err part_sync_folder(struct part_set *s, struct fault *f);
MUST enum err part_rename(struct part_set *s, const char *from, const char *to, struct fault *f);   /* ENOENT is fine */
void part_remove_beside(struct part_set *s, const char *path);     /* what SQLite keeps beside a file */

/* --- part_copy.c ------------------------------------------------------------------- */

/* Before a closed file is changed: if a backup has it under a second name, it is made a file
 * of its own first. The caller has excluded everybody else. */
MUST enum err part_own(struct part *p, enum part_kind kind, struct fault *f);

/* --- part_pool.c ------------------------------------------------------------------- */

/* A connection to a partition's file, waiting while the flusher has the files for itself.
 * E_NOTFOUND if it does not exist; `create`: it is made. */
MUST enum err pool_take(struct part *p, enum part_kind kind, bool create, struct conn **ret, struct fault *f);
void pool_give(struct conn *c, bool keep);
/* The files for the flusher alone: waits until connections in use come back, closes the
 * others. Without `wait` it is false when some are in use. */
bool pool_exclude(struct part *p, bool wait);
void pool_admit(struct part *p);
/* Closes idle connections not used since `before_mono`, all of them with INT64_MAX. */
void pool_sweep(struct part_set *s, int64_t before_mono);

/* --- part_read.c --------------------------------------------------------------------- */

void list_drop(struct part *p);                                    /* the cached list of chunks */
void lists_sweep(struct part_set *s, int64_t before_mono);         /* those not used since */
