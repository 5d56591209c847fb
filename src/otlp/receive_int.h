/* otlp/receive_int.h -- what both ways of receiving share.
 *
 * Owner:    the request's arena.   Threads: as receive.h says.
 */
#pragma once
#include "otlp/receive.h"
#include "otlp/reply.h"

/* r->body is one message of this signal, r->arg the receiver: decodes, writes, answers in `form`. */
void otlp_receive(struct http_req *r, enum otlp_form form, enum otlp_signal signal);
