/* http/limits.h -- every number that a client can try to pass, and why it is what it is.
 *
 * Owner:    constants only. Time-outs and totals can be set lower or higher in
 *           struct http_config (0 there means the value here).
 * Units:    bytes unless the name says otherwise.
 */
#pragma once

enum {
    /* Heads. Grafana's Loki data source sends whole queries in the URL, 8 kB and
     * more; browsers and proxies stop at 64 KiB. Cookies and tokens come on top. */
    HTTP_LINE_MAX = 64 << 10,
    HTTP_HEAD_MAX = 96 << 10,
    HTTP_HEADERS_MAX = 128,                        /* browsers send 20, proxies add 10 */
    HTTP_METHOD_MAX = 32,
    HTTP_BLANKS_MAX = 2,                           /* empty lines before a request; RFC 9112 2.2 wants one */
    HTTP_SEGMENTS_MAX = 64,                        /* of a path; our longest route has seven */
    HTTP_PARAMS_MAX = 10000,                       /* match[] comes once per selector */

    /* Bodies. The client batches 512 records of up to 60 KB: 31 MB, or 37 MB as
     * JSON with every quote escaped. The limit is the same before and after
     * decompression, so that gzip never smuggles in what would be refused plain
     * and a bomb costs at most what an honest body may cost. */
    HTTP_BODY_MAX = 64 << 20,
    HTTP_FORM_MAX = 4 << 20,                       /* routes without ROUTE_INGEST: forms, small JSON */
    HTTP_INFLIGHT_MAX = 256 << 20,                 /* all bodies at once: four of the largest */
    HTTP_CHUNK_LINE_MAX = 256,                     /* size digits and extensions, which nobody sends */
    HTTP_TRAILER_MAX = 8 << 10,
    HTTP_DRAIN_MAX = 256 << 10,                    /* a refused body up to this is read, and the connection kept */

    /* Buffers. One read buffer per I/O loop, none per connection. */
    HTTP_READ_BYTES = 64 << 10,
    HTTP_AHEAD_MAX = 64 << 10,                     /* pipelined bytes kept while a request is being answered */
    HTTP_ZIP_MIN = 1 << 10,                        /* smaller replies are not worth compressing */
    HTTP_LOOP_BODY_MAX = 1 << 20,                  /* larger bodies are handled on the pool: 2 ms of an I/O loop */
    HTTP_UNZIP_INLINE_MAX = 256 << 10,             /* and so are those that unpack to more than this */
    HTTP_STREAM_BACKLOG_MAX = 256 << 10,           /* waiting for one slow client; then it is cut */

    /* A request's arena is address space until it is touched, eight times its budget: enough
     * that even the largest body unescaped into it does not reach the end. Handlers that
     * compute bring arenas of their own. */
    HTTP_ARENA_BYTES = 16 << 20,

    /* Counts. */
    HTTP_CONNS_MAX = 16384,                        /* a kilobyte each while they are idle */
    HTTP_LISTENER_CONNS_MAX = 12288,               /* so that a flood on one port leaves the others reachable */
    HTTP_STREAMS_MAX = 256,
    HTTP_QUEUE_MAX = 1024,                         /* requests waiting for the pool */
    HTTP_LOOPS_MAX = 16,
    HTTP_POOL_MAX = 64,
    HTTP_LISTENERS_MAX = 8,
    HTTP_NAME_MAX = 32,                            /* of a listener */
    HTTP_TABLES_MAX = 16,                          /* per listener */
    HTTP_ACCEPT_BATCH = 64,                        /* connections taken before other events get their turn */

    /* Time. */
    HTTP_HEADER_MS = 10 * 1000,                    /* from a request's first byte to the end of its head */
    HTTP_BODY_WINDOW_MS = 10 * 1000,               /* in each such window ... */
    HTTP_BODY_WINDOW_MIN = 16 << 10,               /* ... this much of a body must come, or its end */
    HTTP_BODY_MS = 5 * 60 * 1000,                  /* and all of it in this */
    HTTP_IDLE_MS = 5 * 60 * 1000,                  /* the client exports every 60 s over one connection */
    HTTP_WRITE_MS = 30 * 1000,                     /* a reply of which nothing was taken for so long is given up */
    HTTP_LINGER_MS = 2 * 1000,                     /* silence after the last reply before we close ... */
    HTTP_LINGER_TOTAL_MS = 30 * 1000,              /* ... and at most so long, however much still comes */
    HTTP_LINGER_STOP_MS = 200,                     /* the same while the server stops */
    HTTP_PROBE_MS = 500,                           /* see conn.c: is a half-closed client still there? */
    HTTP_RETRY_AFTER_S = 1,
    HTTP_ACCEPT_PAUSE_MS = 100,                    /* out of descriptors: wait for some to be closed */
};
