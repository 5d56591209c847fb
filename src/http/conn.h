/* http/conn.h -- one HTTP/1.1 connection.
 *
 * Owner:    itself: it ends when its socket does, and is in its loop's list till then.
 * Threads:  its loop's only.
 */
#pragma once
#include "http/server_int.h"

/* Takes over the descriptor; closes it at once when the server is not running. */
void conn_open(struct http_loop *hl, struct listener *ln, int fd, const struct net_addr *peer);
void conn_drain(struct http_loop *hl);             /* all: finish what is running, begin nothing */
void conn_kill(struct http_loop *hl);              /* all: close now */
