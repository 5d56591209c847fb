/* store/limits.h -- the sizes that the store works by, each with its reason.
 */
#pragma once

#define SEGMENT_BYTES        (UINT64_C(64) << 20)  /* of the log: one file, preallocated */
#define FRAME_BYTES_MAX      (UINT64_C(512) << 20) /* one request's body, unpacked; receivers stop far earlier */
#define FRAME_ZSTD_MIN       (16u << 10)           /* smaller bodies are never packed: it would not make the disk's work less */
#define GROUP_PACK_BYTES     (UINT64_C(4) << 20)   /* a group as large as this is packed: the log falls behind. Below it writing
                                                      takes a third of the time that packing does. Samples always are: they
                                                      repeat so much that packing is as quick, and 3 to 40 times smaller */
#define FLUSH_ROWS           (UINT64_C(64) << 10)  /* of one table: a whole chunk */
#define FLUSH_BYTES          (UINT64_C(32) << 20)  /* of one generation of the head, in memory */
#define FLUSH_LOG_BYTES      (UINT64_C(64) << 20)  /* of log that is not in partitions: replay stays under a second */
#define FLUSH_AGE_NS         (INT64_C(3600) * NS_PER_S)
#define GENERATION_ROWS      (80u << 10)           /* room of one generation: a chunk, and a few requests more */
#define QUEUE_BYTES          (UINT64_C(256) << 20) /* waiting for the writer; beyond it: come again later */
#define SEALED_MAX           1                     /* generations of the flusher, and one more; beyond it the writer waits: 30 MB each */
#define SEALED_WAIT_NS       NS_PER_S              /* for so long; then: come again later */
#define GROUP_BYTES          (UINT64_C(16) << 20)  /* of one group commit */
#define LOOKBACK_NS          (INT64_C(35) * NS_PER_DAY)  /* how far back a total looks */
#define IDENT_SETS           8                     /* decoded chunks whose identities are remembered, 64 k rows each */
#define IDENT_KEPT           2                     /* flushed generations whose identities stay in memory */
#define IDENT_REST_NS        (INT64_C(600) * NS_PER_S)  /* and those of both are given back when they were not asked so long */
#define CARRY_QUEUE_MAX      20000                 /* computed bases waiting to be written as carry rows */
#define SCAN_ROWS_MAX        UINT64_C(2000000000)  /* one scan, when the query sets no limit */
#define SCAN_BYTES_MAX       (UINT64_C(64) << 30)
#define SCAN_ARENA_BYTES     (UINT64_C(256) << 20) /* one decoded chunk and what comes with it */
#define SCAN_KEEP_BYTES      (UINT64_C(24) << 20)  /* of that, kept touched between scans */
#define SCAN_REST_NS         (INT64_C(60) * NS_PER_S)  /* and given back, with the cache, after so long without one */
#define CACHE_BYTES          (UINT64_C(64) << 20)  /* decoded columns, when the configuration does not say */
#define REPLAY_ARENA_BYTES   (UINT64_C(512) << 20) /* one request decoded again: never less than a receiver allows */
#define TICK_NS              (INT64_C(60) * NS_PER_S)
#define STOP_FLUSH_NS        (INT64_C(3) * NS_PER_S / 2)   /* of the 5 s a stop may take; the rest stays in the log */
#define COMPACT_SMALL_ROWS   (16u << 10)           /* a chunk of fewer is small: a quarter of a whole one */
#define COMPACT_SMALL_MIN    8                     /* small ones of one table and level that are worth being one */
#define COMPACT_AGE_NS       (INT64_C(900) * NS_PER_S)  /* chunks of rows that came since are left alone */
#define COMPACT_ROWS         (512u << 10)          /* of a day sorted together: 24 bytes a row, twice while they are sorted */
#define COMPACT_BYTES        ((double)(24 << 20))  /* of rows, decoded, that one new chunk is made of; with its columns
                                                      and the encoder's memory about what a flush needs */
#define COMPACT_REST_PART    4                     /* rows outside the order of their day: from a quarter on it is sorted anew */
#define COMPACT_RETRY_NS     (INT64_C(600) * NS_PER_S)  /* after a full disk */
#define MONTH_BYTES          (UINT64_C(64) << 20)  /* days of a month that have no more together become one partition */
#define MONTH_AGE_NS         (INT64_C(3) * NS_PER_DAY)  /* so long after the month has ended */
#define RETRY_NS             NS_PER_S              /* between two tries on a full or failing disk */
