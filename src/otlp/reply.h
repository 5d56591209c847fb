/* otlp/reply.h -- what a receiver answers, in the encoding of the request.
 *
 * Success is Export*ServiceResponse, with a partial success where rows were left
 * out; failure is google.rpc.Status, or in gRPC what http/grpc.h makes of the code.
 *
 * Owner:    the text lives in `mem`.   Threads: any.
 */
#pragma once
#include "otlp/decode.h"

enum otlp_form { OTLP_PROTOBUF, OTLP_JSON, OTLP_GRPC };       /* the last: protobuf in a gRPC message */

/* Codes of google.rpc.Status. */
enum {
    RPC_INVALID_ARGUMENT = 3,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_UNAVAILABLE = 14,
    RPC_UNAUTHENTICATED = 16,
};

struct str otlp_form_type(enum otlp_form form);    /* the content type */
struct str otlp_success(enum otlp_form form, enum otlp_signal signal, uint64_t rejected, struct str why, struct arena *mem);
struct str otlp_status(enum otlp_form form, int code, struct str message, struct arena *mem);
