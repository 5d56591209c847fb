#!/bin/sh
# The HTTP APIs, then bad input.
cd "$(dirname "$0")" && python3 api.py && python3 hostile.py
