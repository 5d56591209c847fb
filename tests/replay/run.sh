#!/bin/sh
# The recordings in every way, octets of gRPC connections, colliding processes, histograms, changed configurations, several sources.
cd "$(dirname "$0")" && python3 replay.py && python3 wire.py && python3 collide.py && python3 histograms.py && python3 epoch.py && python3 sources.py
