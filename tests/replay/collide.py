#!/usr/bin/env python3
"""Two processes on one session: the recordings of the real client, and two generated
clients that share one session id and label set, delta and cumulative, with pauses
of an hour. Exact in every window of five minutes and more, in whatever order the
requests came and with a kill and a restart in between."""
import calendar
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                        # noqa: E402
import recordings                                  # noqa: E402
from ccmon import Ccmon, by, one                   # noqa: E402

END = calendar.timegm((2026, 11, 24, 0, 0, 0))
BEGIN = calendar.timegm((2026, 11, 22, 20, 0, 0))  # the generated hours cross a midnight
METRIC = 'claude_code_cost_usage_USD_total'
LABELS = {'session.id': '6f1f3c5e-0000-4000-8000-000000000001', 'model': 'claude-opus-5-5', 'query_source': 'main'}


class Client:
    """One process: work in random minutes, exports every minute, pauses of an hour."""

    def __init__(self, rng, temporality, begin):
        self.increments = []                       # (ns of the export, nano-dollars)
        self.requests = []                         # (ns, body)
        t, total, start = begin * 10**9 + rng.randrange(10**9), 0, None
        for _ in range(4):
            for _ in range(rng.randrange(5, 40)):
                t += 60 * 10**9
                added = rng.choice((0, rng.randrange(1, 10**8)))
                first = t - rng.randrange(1, 59 * 10**9)
                if added:
                    start = start or first
                    total += added
                    self.increments.append((t, added))
                if temporality == otlp.DELTA and added:
                    self.export(t, otlp.metrics([(first, t, added / 1e9, LABELS)], temporality))
                elif temporality == otlp.CUMULATIVE and start:
                    self.export(t, otlp.metrics([(start, t, total / 1e9, LABELS)], temporality))
            t += 3600 * 10**9

    def export(self, t, body):
        self.requests.append((t, body))


def windows(rng, first, last, n):
    """(end in ms, width in s): edges on and beside the exports, and anywhere."""
    for _ in range(n):
        width = rng.choice((300, 301, 600, 3599, 3600, 3601, 7200, 86400, rng.randrange(300, 40000)))
        yield rng.randrange(first // 10**6 - 10**6, last // 10**6 + width * 1000), width


def check_generated(server, clients, rng):
    inc = sorted(i for c in clients for i in c.increments)
    for end_ms, width in windows(rng, inc[0][0], inc[-1][0], 150):
        lo, hi = (end_ms - width * 1000) * 10**6, end_ms * 10**6
        want = sum(v for t, v in inc if lo < t <= hi) / 1e9
        for form in ('increase(%s[%ds])', 'increase(%s[%ds] anchored)', 'rate(%s[%ds]) * %d'):
            q = form % ((METRIC, width, width) if form.startswith('rate') else (METRIC, width))
            got = one(server.prom('sum(%s)' % q, end_ms / 1000))
            if abs(got - want) > 1e-7:
                yield '%s at %s: want %s, got %s' % (q, end_ms / 1000, want, got)
    whole = sum(v for _, v in inc) / 1e9
    got = one(server.prom('sum(last_over_time(%s[2d]))' % METRIC, END))
    if abs(got - whole) > 1e-7:
        yield 'last_over_time: want %s, got %s' % (whole, got)
    steps = server.get_json('prometheus', '/api/v1/query_range', query='sum(increase(%s[5m]))' % METRIC,
                            start=BEGIN, end=END, step=300)['data']['result']
    got = sum(float(v) for r in steps for _, v in r['values'])
    if abs(got - whole) > 1e-6:
        yield 'buckets of a range query: want %s, got %s' % (whole, got)


def generated(temporality, seed):
    rng = random.Random('%s %s' % (seed, temporality))
    clients = [Client(rng, temporality, BEGIN + k * 47) for k in range(2)]
    bodies = [b for c in clients for b in c.requests] * 2
    rng.shuffle(bodies)
    with Ccmon() as server:
        for i, (_, body) in enumerate(bodies):
            status, _, answer = server.post('/v1/metrics', body, 'application/json')
            assert status == 200, answer
            if i % 37 == 36:
                server.kill_and_restart()
        return list(check_generated(server, clients, rng))


def recorded(folder):
    want = {'cost': 0.2352524, 'input': 95, 'output': 1285, 'cacheRead': 144012, 'cacheCreation': 36074}
    with Ccmon() as server:
        for r in recordings.load(folder):
            r.send(server)
        bad = []
        for form in ('increase(%s[1d])', 'increase(%s[1d] anchored)', 'last_over_time(%s[1d])'):
            got = one(server.prom('sum(%s)' % (form % METRIC), END))
            if abs(got - want['cost']) > 1e-7:
                bad.append('%s: want %s, got %s' % (form, want['cost'], got))
            tokens = by(server.prom('sum by (type) (%s)' % (form % 'claude_code_token_usage_tokens_total'), END), 'type')
            for t in ('input', 'output', 'cacheRead', 'cacheCreation'):
                if tokens.get(t) != want[t]:
                    bad.append('%s %s: want %s, got %s' % (form, t, want[t], tokens.get(t)))
        return bad


def main():
    seed = sys.argv[1] if len(sys.argv) > 1 else str(random.randrange(10**6))
    print('seed', seed)
    cases = [('j-collide-delta', lambda: recorded('j-collide-delta')),
             ('j2-collide-cumulative', lambda: recorded('j2-collide-cumulative')),
             ('generated delta', lambda: generated(otlp.DELTA, seed)),
             ('generated cumulative', lambda: generated(otlp.CUMULATIVE, seed))]
    failed = 0
    for name, run in cases:
        bad = run()
        failed += bool(bad)
        for b in bad[:10]:
            print('FAIL %s: %s' % (name, b))
    print('%d passed, %d failed' % (len(cases) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
