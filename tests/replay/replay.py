#!/usr/bin/env python3
"""Replays every recording of the real client through the real binary and compares
what the query APIs say with what the recording must add up to (truth.json).

Six ways, each of which must give the same figures:
  plain      every request once, in order
  grpc       the same, what is protobuf by gRPC, whichever way it came
  twice      every request sent twice
  shuffled   every request twice, in random order (the seed is printed)
  killed     the same, with kill -9 and restart after every request
  restarted  the same, with a clean stop and start: every request finds the rows
             before it in partitions, no longer in memory

Money is compared to 1e-7 dollar, everything else exactly."""
import argparse
import calendar
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import h2                                          # noqa: E402
import recordings                                  # noqa: E402
from ccmon import Ccmon, by, one                   # noqa: E402

END = calendar.timegm((2026, 11, 24, 0, 0, 0))     # all recordings are of the day before
EVENTS = '{service_name="claude-code"}'
SPANS = '{service_name="claude-code", ccmon_signal="spans"}'
TOKENS = {'input': 'input_tokens', 'output': 'output_tokens',
          'cacheRead': 'cache_read_tokens', 'cacheCreation': 'cache_creation_tokens'}
MODES = ('plain', 'grpc', 'twice', 'shuffled', 'killed', 'restarted')
# How the same total is asked for: exact increase, anchored, the total itself.
WAYS = {'increase': 'increase(%s[1d])', 'anchored': 'increase(%s[1d] anchored)', 'last': 'last_over_time(%s[1d])'}


def ask(server):
    """Every figure of truth.json as the APIs give it: {name: number or set}."""
    f, ns = {}, END * 10**9
    for way, form in WAYS.items():
        f['metrics cost, ' + way] = one(server.prom('sum(%s)' % (form % 'claude_code_cost_usage_USD_total'), END))
        tokens = by(server.prom('sum by (type) (%s)' % (form % 'claude_code_token_usage_tokens_total'), END), 'type')
        for t in TOKENS:
            f['metrics tokens %s, %s' % (t, way)] = tokens.get(t, 0)
    f['events cost'] = one(server.loki('sum(sum_over_time(%s | event_name="api_request" | unwrap cost_usd [1d]))' % EVENTS, ns))
    for t, name in TOKENS.items():
        f['events tokens ' + t] = one(server.loki('sum(sum_over_time(%s | event_name="api_request" | unwrap %s [1d]))'
                                                  % (EVENTS, name), ns))
    f['event counts'] = by(server.loki('sum by (event_name) (count_over_time(%s[1d]))' % EVENTS, ns), 'event_name')
    f['span counts'] = by(server.loki('sum by (span_name) (count_over_time(%s[1d]))' % SPANS, ns), 'span_name')
    ids = set(by(server.loki('sum by (session_id) (count_over_time(%s[1d]))' % EVENTS, ns), 'session_id'))
    ids |= set(by(server.prom('sum by (session_id) (increase({__name__=~"claude_code_.+"}[1d]))', END), 'session_id'))
    f['sessions'] = ids - {''}
    return f


def expect(t):
    """The same figures, from the truth."""
    f = {}
    for way in WAYS:
        f['metrics cost, ' + way] = t['metrics']['cost_usd']
        for k, v in t['metrics']['tokens'].items():
            f['metrics tokens %s, %s' % (k, way)] = v
    f['events cost'] = t['events']['cost_usd']
    for k, v in t['events']['tokens'].items():
        f['events tokens ' + k] = v
    f['event counts'] = t['event_counts']
    f['span counts'] = t['span_counts']
    f['sessions'] = set(t['sessions'])
    return f


def differences(got, want):
    for k, w in want.items():
        g = got[k]
        same = abs(g - w) <= 1e-7 if 'cost' in k else g == w
        if not same:
            yield '%s: want %s, got %s' % (k, w, g)


def plain(server, requests, rng):
    for r in requests:
        r.send(server)


def grpc(server, requests, rng):
    for r in requests:
        if r.name.endswith('.pb') and r.signal in h2.SERVICES:
            r.send_grpc(server)
        else:
            r.send(server)


def twice(server, requests, rng):
    for r in requests:
        r.send(server)
        r.send(server)


def shuffled(server, requests, rng):
    order = requests * 2
    rng.shuffle(order)
    for r in order:
        r.send(server)


def killed(server, requests, rng):
    order = requests * 2
    rng.shuffle(order)
    for r in order:
        r.send(server)
        server.kill_and_restart()


def restarted(server, requests, rng):
    order = requests * 2
    rng.shuffle(order)
    for r in order:
        r.send(server)
        server.restart()


def run(folder, want, mode, seed):
    with Ccmon() as server:
        mode(server, recordings.load(folder), random.Random('%s %s' % (seed, folder)))
        return list(differences(ask(server), want))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--seed', default=str(random.randrange(10**6)))
    ap.add_argument('--mode', action='append', choices=MODES)
    ap.add_argument('folder', nargs='*')
    a = ap.parse_args()
    truth, passed, failed = recordings.truth(), 0, 0
    folders = a.folder or [f for f in recordings.folders() if f in truth]
    print('seed %s, %d recordings' % (a.seed, len(folders)))
    for mode in a.mode or MODES:
        for folder in folders:
            diffs = run(folder, expect(truth[folder]), globals()[mode], a.seed)
            passed, failed = passed + (not diffs), failed + bool(diffs)
            for d in diffs:
                print('FAIL %s %s: %s' % (mode, folder, d))
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0 or passed == 0


if __name__ == '__main__':
    sys.exit(main())
