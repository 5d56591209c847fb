#!/bin/sh
# The committed .pb files are what protoc makes of the .txt files, and protoc finds
# nothing that otlp.proto does not know in the recordings. With --write the files are made.
set -eu
cd "$(dirname "$0")"
command -v protoc >/dev/null || { echo "no protoc (Debian: protobuf-compiler): not checked"; exit 77; }

for signal in metrics:MetricsRequest logs:LogsRequest traces:TracesRequest; do
    name=${signal%:*} message=${signal#*:}
    if [ "${1:-}" = --write ]; then
        protoc --encode="otlp.$message" otlp.proto <"$name.txt" >"$name.pb"
    fi
    protoc --encode="otlp.$message" otlp.proto <"$name.txt" | cmp - "$name.pb"
    for body in ../../../fixtures/*/*-"$name".pb; do
        # A field that is not in the file would be printed by its number.
        if protoc --decode="otlp.$message" otlp.proto <"$body" | grep -qE '^ *[0-9]+(:| \{)'; then
            echo "$body: a field that otlp.proto does not know"
            exit 1
        fi
    done
done
