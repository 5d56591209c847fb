#!/bin/sh
# The recordings four ways, then colliding processes.
cd "$(dirname "$0")" && python3 replay.py && python3 collide.py && python3 epoch.py
