/* scrape/limits.h -- every number that comes from outside has its limit here.
 *
 * Those of a job (sample_limit, label_limit, ...) are Prometheus's own and hold below these.
 */
#pragma once
#include "base/clock.h"

enum {
    EXPO_LINE_MAX = 1 << 20,                       /* bytes of one line of an exposition */
    EXPO_LABELS_MAX = 256,                         /* labels of one sample, the target's not counted */
    EXPO_NAME_MAX = 4096,                          /* bytes of a metric's or label's name */
    EXPO_SAMPLES_MAX = 2000000,                    /* samples of one scrape */
    SCRAPE_BODY_MAX = 64 << 20,                    /* bytes of one body, inflated */

    LSET_MAX = 512,                                /* labels of one set while it is relabelled */
    LSET_VALUE_MAX = 64 << 10,                     /* bytes of a value that relabelling makes */
    RELABEL_RULES_MAX = 1000,                      /* rules of one list */

    SCRAPE_JOBS_MAX = 1000,
    SCRAPE_TARGETS_MAX = 10000,                    /* targets of all jobs */
    SCRAPE_DROPPED_MAX = 1000,                     /* dropped targets that are kept to be shown */
    SCRAPE_THREADS_MAX = 16,
    SCRAPE_METAS_MAX = 5000,                       /* metrics of one target whose type and help are kept */
    SCRAPE_SESSIONS_MAX = 16,                      /* sessions of one target that are shown */
    SCRAPE_SECRET_MAX = 64 << 10,                  /* bytes of a file with a password or token */

    FILE_SD_FILES_MAX = 1000,                      /* files of one list of patterns */
    FILE_SD_FILE_MAX = 8 << 20,

    FRAME_TEXTS_MAX = 1 << 22,                     /* distinct texts of one frame */
};

/* A job's interval may be this short: tests and demonstrations, not more. */
#define SCRAPE_INTERVAL_MIN (10 * NS_PER_MS)
#define SCRAPE_INTERVAL_MAX (366 * NS_PER_DAY)
/* How far ahead of the scrape a sample's own time may be, as in Prometheus. */
#define SCRAPE_AHEAD_MAX (600 * NS_PER_S)
/* How late a scrape may begin and still be given the time it was planned for. */
#define SCRAPE_TOLERANCE (20 * NS_PER_MS)
/* How long a scrape waits for the sink. What is not durable by then counts as lost. */
#define SCRAPE_WRITE_WAIT (10 * NS_PER_S)
/* How far back the incarnation in force is looked for after a start; totals begin anew after a
 * pause of that length anyway. Around its newest row, this much is one scrape. */
#define RESUME_LOOKBACK (35 * NS_PER_DAY)
#define RESUME_SCRAPE (600 * NS_PER_S)
/* How often the files of file_sd_configs are looked at. */
#define FILE_SD_POLL (5 * NS_PER_S)

/* The default job. */
enum { DEFAULT_PORT_FIRST = 9464, DEFAULT_PORT_LAST = 9480 };
#define DEFAULT_INTERVAL (5 * NS_PER_S)
#define DEFAULT_PROBE (30 * NS_PER_S)
/* A port of the default job that nobody answered for this long is empty again. */
#define DEFAULT_GONE (300 * NS_PER_S)
