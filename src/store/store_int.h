/* store/store_int.h -- one store, as its files see it.
 *
 * Locks, in the order in which they may be taken:
 *   erase   whoever changes the list of who was erased
 *   apply   the writer while it applies a batch; whoever seals a generation
 *   lock    the list of generations, the view, metadata, state; held for moments
 *   queue   what waits for the writer
 *   watch   the watchers, also while they are called
 */
#pragma once
#include <pthread.h>

#include "base/map.h"
#include "store/catalog.h"
#include "store/erase.h"
#include "store/head.h"
#include "store/journal.h"
#include "store/limits.h"
#include "store/part.h"
#include "store/store.h"

enum { WATCHERS_MAX = 64, CARRY_CACHE = 1024, SCAN_ARENAS = 2 };

/* Identities of a flushed generation, and of which frames it held. */
struct kept_idents {
    struct ident idents[TABLE_COUNT];
    struct head *samples;                          /* which has theirs; NULL: there were none */
    uint64_t first_seq, last_seq;                  /* 0, 0: there are none */
    int64_t since_mono_ns;
};

/* Identities of one chunk, made anew from its columns. */
struct chunk_idents {
    uint64_t part, chunk;                          /* the partition's uid */
    struct ident ids;
    uint64_t used;                                 /* the clock of the cache; 0: free */
    int64_t used_mono_ns;
};

struct carry_job {
    int64_t from_ns;                               /* the partition that gets the row */
    struct part_carry carry;
};

struct cache;
struct crew;
struct store {
    struct sink sink;                              /* first: a sink is its store */
    struct source source;
    struct store_config cfg;
    char dir[1024];
    int lock_fd;
    struct catalog *catalog;
    pthread_mutex_t erase_lock;                    /* taken before all others: who changes the list of what was erased */
    struct part_set *parts;
    struct journal *journal;                       /* writer; journal_cut and _bytes any */
    pthread_t writer, flusher;
    bool running;
    uint64_t applied;                              /* frames up to it need no replay; as this start found it */
    uint64_t marked;                               /* no partition had anything of later frames; as this start found it */

    pthread_mutex_t apply_lock;
    struct kept_idents kept[IDENT_KEPT];           /* under apply */
    uint32_t next_kept;
    struct chunk_idents sets[IDENT_SETS];          /* under apply */
    uint64_t sets_clock;

    struct cache *cache;                           /* of what scans decoded */
    struct crew *crew;                             /* helps scans to inflate */

    pthread_mutex_t lock;
    struct arena *scan_arenas[SCAN_ARENAS];        /* idle ones */
    uint32_t nscan_arenas;
    int64_t scan_used_mono_ns;
    bool scan_rested;                              /* since the last one */
    pthread_cond_t flush_cond, flushed_cond;
    struct gen *oldest, *live;                     /* the list ends with live */
    uint32_t nsealed;                              /* generations that wait for the flusher */
    uint64_t nflushed;                             /* counts up */
    uint64_t ticks_asked, ticks_done;              /* store_tick() */
    struct part_view *view;
    uint64_t flush_failures;                       /* counts up; store_flush() looks at it */
    struct fault flush_fault;
    bool stopping_flusher;
    int64_t stop_mono_ns;                          /* when that began */
    struct retention retention;
    struct retention_state retained;
    uint64_t duplicates, moved, refused, seq;
    int64_t last_recv_ns;
    bool read_only;
    char reason[160];
    struct map meta_index;
    struct metric_meta *metas;
    uint32_t nmetas, cap_metas, saved_metas;
    struct carry_job *carries;                     /* for the flusher to write */
    uint32_t ncarries;
    struct erased_set *erased;                     /* whose rows are left out; a reference */
    uint64_t erased_rows;                          /* left out on arrival, since the start */
    struct erase_job *erase;                       /* the flusher's; NULL: nothing is being erased */
    uint64_t erase_asked, erase_seen;              /* counts up: something is to be erased; what of it the flusher has seen */
    struct erase_state erase_state;
    struct carry_job carry_cache[CARRY_CACHE];     /* by a hash of series and partition; the newest one stays */

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_cond;
    struct write_req *queue_first, *queue_last;
    uint64_t queue_bytes;
    bool stopping_writer;
    bool turn_asked;                               /* the writer: see store_turn_ask() */
    uint64_t turned_seq;                           /* everything up to it was applied when the last turn was made */
    int64_t retry_mono_ns;                         /* writer only */

    pthread_mutex_t watch_lock;
    struct {
        void (*fn)(void *arg, uint64_t seq);
        void *arg;
    } watchers[WATCHERS_MAX];
};

/* Held for a block of code: declare it before what it protects. */
static inline void unlock_mutex(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}
static inline pthread_mutex_t *lock_mutex(pthread_mutex_t *m)
{
    pthread_mutex_lock(m);
    return m;
}
#define GUARD(m) CLEANUP(unlock_mutex) UNUSED pthread_mutex_t *guard_ = lock_mutex(m)

void store_report(struct store *s, const char *cause, const char *text);
/* Under lock: the log could be written, but partitions cannot, and there is no room for more. */
static inline bool store_is_stuck(const struct store *s)
{
    return s->flush_fault.code && s->nsealed > SEALED_MAX;
}

/* writer.c */
void store_write(struct sink *sink, struct write_req *w);
void *store_writer_main(void *arg);
enum err store_replay(void *arg, const struct journal_frame *fr, struct fault *f);
/* Under apply: what is live becomes sealed, if it holds anything. */
void store_seal(struct store *s);

/* The writer gives up the file of the log that it writes, between two groups: everything that it took
 * before is applied then, and whatever it takes later meets the erased set of now. Any thread asks. */
void store_turn_ask(struct store *s);
bool store_turn_made(struct store *s, uint64_t *ret_seq);      /* *ret_seq: everything up to it was applied */

/* known.c: a chunk's rows, all fixed columns and those others that are wanted (NULL: all). */
MUST enum err store_read_chunk(const struct part_item *it, const struct chunk_ref *c, bool (*want)(const struct colkey *key),
                               struct arena *mem, struct block *b, struct fault *f);
/* apply.c: rows of one batch into the head. `replayed`: only what partitions do not have yet. E_UNAVAILABLE:
 * no row was taken, as whether they are new cannot be found out; their sender comes again. */
MUST enum err store_apply(struct store *s, struct batch *b, uint64_t seq, uint64_t frame_bytes, bool replayed, struct fault *f);

/* known.c, under apply: which rows are in a chunk of their partition, or among the moved
 * ones, with the value that counts there. Only those of which ask[row] is set. E_UNAVAILABLE: it
 * cannot be said now, for the disk is full. */
struct known {
    bool found;
    double value;
};
MUST enum err known_find(struct store *s, const struct batch *b, const bool *ask, struct arena *mem, struct known *ret, struct fault *f);

/* flush.c: the flusher's. After a failure the generation stays as it was. */
enum err store_flush_gen(struct store *s, struct gen *g, struct fault *f);
/* A number that the flusher noted in the catalogue; 0 if there is none. applied_seq: all
 * frames up to it are in partitions. last_recv_ns: when the newest row was received. */
uint64_t store_noted(struct store *s, struct str key);

/* retain.c, the flusher's: what is not kept any longer goes. */
void store_retain(struct store *s);

/* flusher.c */
void *store_flusher_main(void *arg);
void store_show_view(struct store *s);             /* scans that begin from now on see what partitions have */
void store_tick(struct store *s);                  /* what is done once a minute, now; waits for it */

/* scan.c: gives back what only helps while queries come and was not used since. */
void store_scan_rest(struct store *s, int64_t before_mono_ns);

/* erase.c, the flusher's: one step of what is being erased; how long it may wait then. */
int64_t store_erase_step(struct store *s);
bool store_erase_is_due(struct store *s);          /* is anything being erased? */
MUST enum err store_erase_load(struct store *s, struct fault *f);      /* at the start, before the log is replayed */
MUST enum err store_erase_resume(struct store *s, struct fault *f);    /* and after it */
void store_erase_free(struct store *s);
struct erased_set *store_erased(struct store *s);  /* a reference, or NULL */
/* erase_rows.c: one partition without the rows of these. *ret_n: how many went. */
MUST enum err erase_partition(struct store *s, const struct part_item *it, const struct targets *t, uint64_t rows[TABLE_COUNT],
                              bool *ret_written, struct fault *f);
/* erase_aside.c: files in quarantine that have one of the texts go. */
MUST enum err store_drop_aside(const char *dir, const struct file_ops *ops, const struct str *texts, uint32_t ntexts,
                               uint64_t *ret_dropped, struct fault *f);
/* erase_find.c: adds the sessions that are of none but one of the users. */
MUST enum err erase_find_sessions(struct store *s, struct targets *t, struct arena *mem, struct str **ret, uint32_t *ret_n,
                                  struct fault *f);

/* scan.c, lists.c, bases.c */
enum err store_scan_begin(struct source *src, const struct scan_req *req, struct scan **ret, struct fault *f);
enum err store_scan_next(struct scan *sc, const struct block **ret, struct fault *f);
struct scan_stats store_scan_end(struct scan *sc);
enum err store_bases(struct source *src, const struct matcher *m, uint32_t nm, int64_t at_ns, const struct str *names,
                     struct base_key *keys, size_t nkeys, struct fault *f);
enum err store_label_names(struct source *src, const struct scan_req *req,
                           void (*each)(void *arg, enum place place, struct str name), void *arg, struct fault *f);
enum err store_label_values(struct source *src, const struct scan_req *req, struct str label,
                            void (*each)(void *arg, struct str value), void *arg, struct fault *f);

static inline struct store *store_of(struct source *src)
{
    return (struct store *)(void *)((char *)src - offsetof(struct store, source));
}

/* meta.c */
enum err store_metas_load(struct store *s, struct fault *f);
void store_metas_note(struct store *s, const struct batch *b);
enum err store_metas_save(struct store *s, struct fault *f);
void store_metas(struct source *src, void (*each)(void *arg, const struct metric_meta *m), void *arg);
void store_metas_free(struct store *s);
