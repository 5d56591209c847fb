#!/bin/sh
# The HTTP APIs, bad input over HTTP/1.1, HTTP/2 and gRPC, TLS, connections that do nothing, tokens and users.
cd "$(dirname "$0")" || exit 1
rc=0
for test in api limits push remote_write remote_read hostile http2 tls idle access; do
    python3 $test.py || rc=1
done
exit $rc
