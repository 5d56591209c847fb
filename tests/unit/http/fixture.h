/* A server in the test's own process, with handlers that do one thing each, and a
 * client that speaks raw bytes: what it sends and sees is the wire.
 *
 *   GET  /hello   "hello", on the loop          POST /echo    the body back, on the loop
 *   POST /pool    the body back, on the pool    GET  /wait    on the pool, until fx_release() or r->gone
 *   GET  /later   answered by fx_answer()       GET  /stream  fx.stream until closed
 *   GET  /big     8 MiB of text                 GET  /params  every value of "a", joined
 *   GET  /bad     a header with a line end in it
 *   POST /form    the body back, small bodies   POST /otlp    as /echo; errors by a hook
 *
 * Nothing here waits for a time: fx_until() waits for a state, and gives up after
 * half a minute with a failure.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <pthread.h>

#include "http/http.h"
#include "http/limits.h"

enum { BIG_BYTES = 8 << 20 };

struct fixture {
    struct http_server *server;
    uint16_t port;

    pthread_mutex_t lock;                          /* of all below */
    bool released;
    int waiting;                                   /* handlers in /wait */
    int cancelled;                                 /* ... that saw r->gone */
    struct http_req *later;
    struct http_stream *stream;
    int closed;                                    /* on_close calls */
    int refused_status;                            /* the last one */
    char refused_why[256], refused_peer[64];
    int refusals;
};

extern struct fixture fx;

void fx_start(struct http_config cfg);
void fx_stop(void);
void fx_release(void);
bool fx_answer(const char *text);                  /* the request of /later, if there is one */
void fx_until(bool (*holds)(void));
struct http_stats fx_stats(void);
bool fx_get_bool(const bool *p);
int fx_get_int(const int *p);
struct http_stream *fx_stream(void);
bool fx_no_conns(void);
bool fx_is_waiting(void);
bool fx_is_cancelled(void);
bool fx_has_later(void);
bool fx_has_stream(void);
bool fx_is_closed(void);

/* ---- the client ---- */

struct reply {
    int status;
    char head[4096];                               /* with its empty line */
    struct buf body;                               /* chunks undone, codings not */
};

int cl_open(void);
int cl_open_later(void);                           /* the descriptor; cl_connect() does the rest */
void cl_connect(int fd);
void cl_close(int fd);
void cl_reset(int fd);                             /* closes with a reset */
void cl_send(int fd, struct str s);
bool cl_try_send(int fd, struct str s);            /* false: the server no longer takes it */
void cl_printf(int fd, const char *fmt, ...) PRINTF(2, 3);
void cl_shutdown(int fd);
/* Reads one reply. `bodiless` for the answer to HEAD. Fails the test if none comes. */
void cl_read(int fd, bool bodiless, struct reply *ret);
bool cl_at_end(int fd);                            /* end or reset comes, and nothing else before it */
void cl_expect(int fd, int status, const char *body_part);
bool cl_has(const struct reply *r, const char *header_line);
void reply_done(struct reply *r);
/* GET on a connection of its own. */
void cl_get(const char *path, const char *headers, struct reply *ret);
