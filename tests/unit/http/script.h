/* A server that does what a script says, for tests of clients: one connection after
 * another, step by step, in a thread of its own. What clients sent is kept.
 *
 *   static const struct sc_step steps[] = {
 *       { SC_ACCEPT }, { SC_HEAD }, { SC_SEND, S("HTTP/1.1 200 OK\r\n...") }, { SC_CLOSE }, { SC_END },
 *   };
 */
#pragma once
#include "base/buf.h"

enum sc_what {
    SC_ACCEPT,                                     /* the next connection */
    SC_HEAD,                                       /* reads up to an empty line */
    SC_BYTES,                                      /* reads so many bytes as `text` has */
    SC_SEND,
    SC_DRIP,                                       /* sends byte by byte */
    SC_CLOSE,
    SC_RESET,                                      /* closes so that the client sees a reset */
    SC_WAIT_END,                                   /* reads until the client closes */
    SC_END,
};

struct sc_step {
    enum sc_what what;
    struct str text;
};

struct script;
struct script *sc_start(const struct sc_step *steps);
unsigned sc_port(const struct script *s);
/* Waits for the script's end; what was received, in order, in *ret (the caller's). */
void sc_finish(struct script *s, struct buf *ret);
unsigned sc_closed_port(void);                     /* nobody listens there */
