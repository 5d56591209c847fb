#!/bin/sh
# The HTTP APIs, bad input, TLS, and connections that do nothing.
cd "$(dirname "$0")" || exit 1
rc=0
for test in api hostile tls idle; do
    python3 $test.py || rc=1
done
exit $rc
