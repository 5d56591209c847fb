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

    /* HTTP/2. The client opens three streams at a time, a browser tab of ours perhaps
     * twenty; a hundred is what others offer and the least that RFC 9113 recommends. */
    HTTP2_STREAMS_MAX = 100,                       /* at once, on one connection */
    HTTP2_CALLS_MAX = 32768,                       /* requests under way on the whole server, beyond which each
                                                      connection gets its share of them: 128 MB of addresses each */
    HTTP2_HELD_MAX = 128 << 20,                    /* ... the same with bytes of replies that clients do not take */
    HTTP2_STREAM_WINDOW = 256 << 10,               /* of a body under way, not yet in our hands ... */
    HTTP2_CONN_WINDOW = 1 << 20,                   /* ... and of all bodies of a connection together */
    HTTP2_TABLE_BYTES = 4096,                      /* HPACK, each way: the protocol's own default */
    HTTP2_SETTINGS_MAX = 32,                       /* entries of one SETTINGS frame; there are seven */
    HTTP2_CONTINUATIONS_MAX = 7,                   /* after one HEADERS: HTTP_HEAD_MAX in frames of 16 KiB, and one */
    HTTP2_ACKS_MAX = 256,                          /* SETTINGS and PING whose answer a client does not take */
    HTTP2_FIELDS_FLOOD = 4 * HTTP_HEADERS_MAX,     /* up to here too many fields are a 431, beyond an attack ... */
    HTTP2_HEAD_FLOOD = 4 * HTTP_HEAD_MAX,          /* ... and so with their bytes, unpacked */
    HTTP2_OUT_BYTES = 64 << 10,                    /* frames gathered for one write */
    HTTP2_TRAILERS_MAX = 8,                        /* of our replies; gRPC has three */
    HTTP2_FIELD_COST = 32,                         /* bytes that RFC 9113 6.5.2 adds to each field */

    /* Frames without work in them, see h2_budget.c. A page left in a browser cancels what it
     * had asked for, which is a burst of some tens; 44 million a second were an attack. */
    HTTP2_RESETS_BURST = 200,
    HTTP2_RESETS_PER_S = 10,
    HTTP2_FRAMES_BURST = 1000,
    HTTP2_FRAMES_PER_S = 100,
    HTTP2_FRAMES_PER_REQUEST = 8,                  /* come on top for each request that was answered ... */
    HTTP2_BYTES_PER_FRAME = 1 << 10,               /* ... and for each such part of a body sent */

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

    /* Passwords (call_access.c). A hash takes 50 ms of a core, and yescrypt 16 MB. */
    HTTP_PROVERS = 2,                              /* threads that hash */
    HTTP_PROVE_QUEUE_MAX = 64,                     /* waiting for them */
    HTTP_UNPROVEN_BODY_MAX = 64 << 10,             /* of a request whose password has not been seen before ... */
    HTTP_UNPROVEN_MAX = 64,                        /* ... and so many of those at once */

    /* Time. */
    HTTP_HANDSHAKE_MS = 10 * 1000,                 /* from the connection to the end of the TLS handshake */
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

    /* As a client. */
    HTTP_FETCH_MS = 30 * 1000,                     /* a request whose caller names no time-out */
    HTTP_REDIRECTS_MAX = 10,                       /* what Prometheus follows */
    HTTP_INTERIM_MAX = 8,                          /* 1xx replies before the one that counts */
    HTTP_ADDRS_MAX = 16,                           /* of one name, tried in turn */
    HTTP_CONNECT_MIN_MS = 2 * 1000,                /* what each of them gets at least, of what time is left */
    HTTP_CANCEL_MS = 50,                           /* so often a wait looks whether it was called off */
};
