/* http/grpc.h -- what gRPC is on top of HTTP/2: unary calls.
 *
 * A route with ROUTE_GRPC is a method: its handler finds the one message of the call in
 * r->body, decompressed, and answers with grpc_reply() or grpc_fail(). Whatever the
 * server itself refuses of a gRPC request comes out in gRPC's form too, on any path.
 *
 * Owner:    as for requests.   Threads: those of http_reply().
 * Spec:     gRPC over HTTP/2 (PROTOCOL-HTTP2.md), compression, status codes; google.rpc.
 */
#pragma once
#include "http/http.h"

enum grpc_code {
    GRPC_OK = 0,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

bool grpc_is(const struct http_req *r);            /* came as HTTP/2 and says that it is gRPC */
void grpc_reply(struct http_req *r, struct str message);
/* retry_s: with RetryInfo, "send it again after so many seconds"; 0: without. */
void grpc_fail(struct http_req *r, enum grpc_code code, struct str why, uint32_t retry_s);

struct call;
/* The server's side: an HTTP status that it refuses with, said in gRPC. */
void grpc_refuse(struct http_req *r, int status, struct str why, bool stopping);
MUST bool grpc_admit(struct call *c);              /* after the head: its compression; false: refused */
MUST bool grpc_unframe(struct call *c);            /* after the body: is it one message? false: refused */
