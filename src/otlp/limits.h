/* otlp/limits.h -- what one request may ask for. Real data stays far below each:
 * the largest recorded request has 90 records, 60 attributes in a row and 185 kB.
 * Whoever reaches one gets 413 and a text that names it.
 */
#pragma once

enum {
    OTLP_ROWS_MAX = 500000,       /* records, points or spans of one request */
    OTLP_ATTRS_MAX = 1024,        /* attributes of one record, resource or scope; SDKs stop at 128. All three fit one chunk */
    OTLP_COLUMNS_MAX = 10000,     /* distinct attribute names of one request: each is a column */
    OTLP_BUCKETS_MAX = 16384,     /* buckets of one side of a histogram, bounds, or quantiles of a summary; SDKs stop at 160 */
    OTLP_NAME_MAX = 4096,         /* bytes of an attribute key, a metric's name or its unit */
    OTLP_VALUE_DEPTH_MAX = 12,    /* arrays and maps in each other; as JSON that is 60 levels, below JSON_DEPTH_MAX */
    OTLP_ID_MAX = 32,             /* bytes of a trace or span id (16 and 8 by the specification) */
    OTLP_TEXT_MAX = 32 << 20,     /* bytes of one array, map or list of span events, written as JSON */
    OTLP_REDACTED_MAX = 128 << 20, /* bytes of a body after redaction: hashes are longer than what they stand for */
    OTLP_MEMORY_MAX = 256 << 20,  /* bytes that the rows of one request may take: four times the largest body */
};

enum { OTLP_RETRY_AFTER_S = 1 };  /* the client waits as long as it is told, and has about 2 s at its exit */
