/* http/h2.h -- a connection that speaks HTTP/2: streams instead of one request at a time.
 *
 * conn.c hands over once it has seen the preface; the connection stays in its loop's
 * list and its socket's events go through to here.
 *
 * Owner:    belongs to its connection (conn->h2), until conn_linger() or conn_close().
 * Threads:  its loop's only.
 */
#pragma once
#include "base/str.h"

struct conn;
struct h2;

void h2_begin(struct conn *c, struct str in);      /* `in` from the preface on; c may be closed afterwards */
void h2_input(struct h2 *h, struct str in);        /* the same */
void h2_eof(struct h2 *h);                         /* the client sends no more, in order */
void h2_written(struct h2 *h);
void h2_timeout(struct h2 *h);
void h2_drain(struct h2 *h);                       /* the server stops */
void h2_free(struct h2 *h);                        /* unfinished requests go on without a client */
