/* tests/support/fakeloop.h -- http/loop.h and http/pool.h without threads, sockets and time.
 *
 * Linked in the place of those two files. There is one connection at a time; what comes
 * in, when a write is done and what time it is say the functions below. A pool runs its
 * items at once.
 *
 * Owner:    everything is static; fake_end() closes the connection.
 * Threads:  one.
 */
#pragma once
#include "http/server_int.h"

extern const struct str fake_preface;              /* of HTTP/2, and a client's empty SETTINGS */

struct http_server *fake_server(const struct http_config *cfg, const struct http_table *tables, uint32_t ntables);
void fake_server_free(struct http_server *s);      /* checks that nothing is left */
void fake_open(struct http_server *s);
bool fake_is_open(void);
bool fake_is_shut(void);                           /* the server sends no more */
void fake_input(struct str in);
void fake_eof(void);
void fake_pass(int64_t ms);                        /* time, with what falls due in it */
void fake_jobs(void);                              /* runs what was posted */
void fake_room(size_t bytes);                      /* so many are taken from now on before a write is pending; SIZE_MAX at first */
struct str fake_output(void);                      /* all that was sent so far */
void fake_clear(void);                             /* ... is forgotten */
void fake_end(struct http_server *s);              /* kills the connection, if it is there */
