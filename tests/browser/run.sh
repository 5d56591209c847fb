#!/bin/sh
# The page in a real browser, fed by the real binary. Screenshots go to $SHOTS
# (default: the build folder of $CCMON); --docs also writes docs/img/overview.png.
cd "$(dirname "$0")" && exec python3 page.py "$@"
