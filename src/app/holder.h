/* app/holder.h -- which process listens on a TCP port of this machine. */
#pragma once
#include "base/arena.h"

/* "node (pid 4711)"; empty: nobody, or it cannot be seen (another user's). */
struct str port_holder(uint16_t port, struct arena *mem);
