#!/bin/sh
# The pages in a real browser, fed by the real binary. Screenshots go to $SHOTS
# (default: the build folder of $CCMON); --docs also writes docs/img/overview.png.
cd "$(dirname "$0")" || exit 1
python3 page.py "$@"
first=$?
python3 targets.py && exit $first
