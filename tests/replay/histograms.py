#!/usr/bin/env python3
"""Histograms, exponential histograms and summaries from two generated senders, delta and
cumulative: increases, quantiles and totals against sums made here, whatever the order of
the requests, sent twice, with a kill in between, from memory and from a partition."""
import calendar
import json
import math
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                        # noqa: E402
from ccmon import Ccmon, by, one                   # noqa: E402

BEGIN = calendar.timegm((2026, 11, 22, 22, 0, 0)) * 10**9   # the hours cross a midnight
STEP, POINTS = 60 * 10**9, 200
BOUNDS = [0.1, 0.5, 1, 2.5, 10]


def metric(name, kind, points, temporality=None, unit=''):
    data = dict({'dataPoints': points}, **({'aggregationTemporality': temporality} if temporality else {}))
    return {'name': name, 'unit': unit, kind: data}


def body(metrics):
    return json.dumps({'resourceMetrics': [{'resource': {'attributes': otlp.attributes({'service.name': 'svc'})},
                                            'scopeMetrics': [{'metrics': metrics}]}]}).encode()


def bucket_of(v):
    return next((i for i, b in enumerate(BOUNDS) if v <= b), len(BOUNDS))


class Sender:
    """Observations minute by minute: what was added in each, and the totals so far."""

    def __init__(self, rng, who):
        self.who, self.minutes = who, []
        for i in range(POINTS):
            values = [rng.choice((0.0, rng.lognormvariate(0, 1))) for _ in range(rng.randrange(0, 9))]
            self.minutes.append((BEGIN + (i + 1) * STEP + rng.randrange(1000) * 10**6, [float('%.6g' % v) for v in values]))

    def requests(self):
        """One a minute: every kind, once as increments and once as totals."""
        last, every = BEGIN, []
        for t, values in self.minutes:
            every += values
            yield t, body([self.classic('lat_delta', values, last, t, otlp.DELTA), self.classic('lat_total', every, BEGIN, t, otlp.CUMULATIVE),
                           self.native('exp_delta', values, last, t, otlp.DELTA), self.native('exp_total', every, BEGIN, t, otlp.CUMULATIVE),
                           self.summary(every, t)])
            last = t

    def point(self, start, t, values):
        return {'attributes': otlp.attributes({'who': self.who}), 'startTimeUnixNano': str(start), 'timeUnixNano': str(t),
                'count': str(len(values)), 'sum': sum(values)}

    def classic(self, name, values, start, t, temporality):
        counts = [0] * (len(BOUNDS) + 1)
        for v in values:
            counts[bucket_of(v)] += 1
        p = dict(self.point(start, t, values), bucketCounts=[str(c) for c in counts], explicitBounds=BOUNDS)
        return metric(name, 'histogram', [p], temporality, 's')

    def native(self, name, values, start, t, temporality):
        index, zero = buckets(values)
        low = min(index, default=0)
        counts = [str(index.get(i, 0)) for i in range(low, max(index, default=-1) + 1)]
        p = dict(self.point(start, t, values), scale=1, zeroCount=str(zero), positive={'offset': low, 'bucketCounts': counts})
        return metric(name, 'exponentialHistogram', [p], temporality)

    def summary(self, values, t):
        quantiles = [{'quantile': q, 'value': sorted(values)[int(q * (len(values) - 1))] if values else 0} for q in (0.5, 0.99)]
        return metric('rpc', 'summary', [dict(self.point(BEGIN, t, values), quantileValues=quantiles)])

    def within(self, lo, hi):
        return [v for t, values in self.minutes if lo < t <= hi for v in values]


def buckets(values):
    """OpenTelemetry's indices at scale 1: (sqrt(2)^i, sqrt(2)^(i+1)]."""
    index = {}
    for v in values:
        if v:
            i = math.ceil(math.log2(v) * 2) - 1
            index[i] = index.get(i, 0) + 1
    return index, sum(v == 0 for v in values)


class Check:
    def __init__(self, server):
        self.server, self.passed, self.failed = server, 0, 0

    def that(self, what, got, want):
        same = got is not None and abs(got - want) <= 1e-9 * max(1, abs(want))
        self.passed += same
        self.failed += not same
        if not same and self.failed < 20:
            print('FAIL %s: %r, want %r' % (what, got, want))

    def ask(self, query, at_ns):
        return self.server.prom(query, at_ns / 1e9)


def native_at(server, query, at_ns):
    d = server.get_json('prometheus', '/api/v1/query', query=query, time=repr(at_ns / 1e9))['data']['result']
    return d[0].get('histogram', [0, None])[1] if d else None


def check_window(c, s, lo, hi):
    values, width = s.within(lo, hi), (hi - lo) // 10**9
    where = '{who="%s"}' % s.who
    got = by(c.ask('increase(lat_delta_seconds_bucket%s[%ds])' % (where, width), hi), 'le')
    for i, bound in enumerate(BOUNDS + ['+Inf']):
        c.that('bucket %s of %d' % (bound, width), got.get(str(bound)), sum(bucket_of(v) <= i for v in values))
    c.that('sum of %d' % width, one(c.ask('increase(lat_delta_seconds_sum%s[%ds])' % (where, width), hi)), sum(values))
    c.that('count of %d' % width, one(c.ask('increase(lat_delta_seconds_count%s[%ds])' % (where, width), hi)), len(values))
    c.that('native count of %d' % width, one(c.ask('histogram_count(increase(exp_delta%s[%ds]))' % (where, width), hi)), len(values))
    c.that('native sum of %d' % width, one(c.ask('histogram_sum(rate(exp_delta%s[%ds]))' % (where, width), hi)) * width, sum(values))
    h = native_at(c.server, 'increase(exp_delta%s[%ds])' % (where, width), hi)
    index, zero = buckets(values)
    have = {} if h is None else {round(math.log2(float(b[2])) * 2) - 1: float(b[3]) for b in h.get('buckets', []) if b[0] == 0}
    c.that('native buckets of %d' % width, float(have == {i: float(n) for i, n in index.items()}), 1)


def check_totals(c, s):
    end, where = s.minutes[-1][0] + 10**9, '{who="%s"}' % s.who
    every = s.within(0, end)
    index, zero = buckets(every)
    for name in ('lat_delta', 'lat_total'):        # increments read back as the proper cumulative histogram
        got = by(c.ask('%s_seconds_bucket%s' % (name, where), end), 'le')
        for i, bound in enumerate(BOUNDS + ['+Inf']):
            c.that('total of bucket %s' % bound, got.get(str(bound)), sum(bucket_of(v) <= i for v in every))
        c.that('total sum', one(c.ask('%s_seconds_sum%s' % (name, where), end)), sum(every))
    h = native_at(c.server, 'exp_total' + where, end)
    c.that('native total', float(h['count']), len(every))
    c.that('its zero bucket', sum(float(b[3]) for b in h['buckets'] if b[0] == 3), zero)
    c.that('its buckets', float(sorted(float(b[3]) for b in h['buckets'] if b[0] == 0) == sorted(float(n) for n in index.values())), 1)
    c.that('a delta is its own sample', float(native_at(c.server, 'exp_delta' + where, end)['count']), len(s.minutes[-1][1]))
    c.that('summary count', one(c.ask('rpc_count' + where, end)), len(every))
    c.that('summary median', by(c.ask('rpc' + where, end), 'quantile').get('0.5'), sorted(every)[int(0.5 * (len(every) - 1))])


def check_all(c, senders, seed):
    rng = random.Random(seed)
    for s in senders:
        check_totals(c, s)
        for _ in range(25):
            i, n = rng.randrange(0, POINTS - 1), rng.choice((1, 5, 10, 60, 120))
            hi = s.minutes[i][0] + rng.choice((0, 10**6, 15 * 10**9))
            lo = hi - n * STEP
            if any(lo < t <= hi for t, _ in s.minutes):
                check_window(c, s, lo, hi)


def must(r):
    assert r[0] == 200, r
    return json.loads(r[2] or b'{}')


def check_edges(c, senders):
    """A second histogram of one time stays out; a marker ends a series; a scale too coarse is named."""
    s = senders[0]
    t, server = s.minutes[-1][0], c.server
    before = native_at(server, 'exp_total{who="%s"}' % s.who, t + 10**9)
    must(server.post('/v1/metrics', body([s.native('exp_total', [1.0], BEGIN, t, otlp.CUMULATIVE)]), 'application/json'))
    c.that('the first one stays', float(native_at(server, 'exp_total{who="%s"}' % s.who, t + 10**9) == before), 1)
    gone = {'attributes': otlp.attributes({'who': s.who}), 'timeUnixNano': str(t + STEP), 'flags': 1}
    must(server.post('/v1/metrics', body([metric('exp_total', 'exponentialHistogram', [gone], 2)]), 'application/json'))
    c.that('it ends at the marker', float(native_at(server, 'exp_total{who="%s"}' % s.who, t + STEP + 10**9) is None), 1)
    coarse = dict(s.point(BEGIN, t, []), scale=-5)
    r = must(server.post('/v1/metrics', body([metric('x', 'exponentialHistogram', [coarse], 2)]), 'application/json'))
    c.that('what was left out', float(r.get('partialSuccess', {}).get('rejectedDataPoints', 0)), 1)


def main():
    rng = random.Random(7)
    senders = [Sender(rng, 'a'), Sender(rng, 'b')]
    requests = [r for s in senders for _, r in s.requests()]
    rng.shuffle(requests)
    with Ccmon() as server:
        c = Check(server)
        for i, r in enumerate(requests):
            must(server.post('/v1/metrics', r, 'application/json'))
            if i == len(requests) // 2:
                server.kill_and_restart()
        check_all(c, senders, 1)
        for r in rng.sample(requests, len(requests) // 2):
            must(server.post('/v1/metrics', r, 'application/json'))
        server.kill_and_restart()
        check_all(c, senders, 2)
        server.restart()                           # flushed into partitions of two days
        check_all(c, senders, 3)
        check_edges(c, senders)
        types = {k: v[0]['type'] for k, v in server.get_json('prometheus', '/api/v1/metadata')['data'].items()}
        c.that('types', float((types.get('lat_total_seconds'), types.get('exp_delta'), types.get('rpc')) == ('histogram', 'histogram', 'summary')), 1)
    print('%d passed, %d failed' % (c.passed, c.failed))
    return c.failed != 0


if __name__ == '__main__':
    sys.exit(main())
