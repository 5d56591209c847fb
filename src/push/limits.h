/* push/limits.h -- what one pushed request may ask for. Prometheus sends 2,000 samples
 * at once, agents up to 10,000; Loki's senders a megabyte of lines.
 */
#pragma once

enum {
    PUSH_BODY_MAX = 64 << 20,     /* bytes after snappy: what HTTP allows a body that is not packed */
    PUSH_ROWS_MAX = 1000000,      /* samples or entries of one request */
    PUSH_COLUMNS_MAX = 10000,     /* distinct label names of one request: each is a column */
    PUSH_LABELS_MAX = 1024,       /* labels of one series, and pairs of one entry's metadata */
    PUSH_MEMORY_MAX = 256 << 20,  /* bytes that the rows of one request may take */
    PUSH_REFUSALS_MAX = 20,       /* different reasons named in one answer; the rest is counted */
    PUSH_REFUSAL_TEXT = 600,      /* bytes of one of them */
    PUSH_AHEAD_MINUTES = 10,      /* how far a time may lie in the future: Prometheus's and Loki's own limit */

    /* Loki's defaults. */
    LOKI_LINE_MAX = 256 << 10,    /* max_line_size */
    LOKI_LABELS_MAX = 15,         /* max_label_names_per_series; service_name does not count */
    LOKI_NAME_MAX = 1024,         /* max_label_name_length */
    LOKI_VALUE_MAX = 2048,        /* max_label_value_length */
    LOKI_META_BYTES_MAX = 64 << 10,   /* max_structured_metadata_size */
    LOKI_META_PAIRS_MAX = 128,    /* max_structured_metadata_entries_count */
};

#define PUSH_RETRY_AFTER_S "1"
