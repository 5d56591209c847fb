#!/usr/bin/env python3
"""One source per figure, with the real binary: a recorded session by OTLP and by two targets at
once, and two processes of a session on two ports; before and after restarts, so that rows are
read from the head, from chunks and from both."""
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import exporter                                    # noqa: E402
import recordings                                  # noqa: E402
from ccmon import Ccmon, by, one                   # noqa: E402

FOLDER = 'd2-prometheus-and-otlp'
COST, TOKENS = 'claude_code_cost_usage_USD_total', 'claude_code_token_usage_tokens_total'
checked = 0


def expect(what, got, want):
    global checked
    checked += 1
    assert got == want, '%s: want %r, got %r' % (what, want, got)


def server(*addresses):
    where = os.path.join(tempfile.mkdtemp(prefix='ccmon-sources-'), 'ccmon.yml')
    with open(where, 'w') as f:
        f.write('scrape_configs:\n- job_name: claude-code\n  scrape_interval: 1y\n  static_configs:\n  - targets: ["%s"]\n'
                % '", "'.join(addresses))
    return Ccmon(['--config', where])


def scrape(s):
    status, _, answer = s.request('web', 'POST', '/-/scrape')
    assert status == 200, (status, answer)


def now(s, query):
    return s.prom(query, time.time() + 0.001)


def sums(s, selector):
    """The same by increments and by totals."""
    a = round(one(now(s, 'sum(increase(%s[2d]))' % selector)), 9)
    expect('totals of ' + selector, round(one(now(s, 'sum(last_over_time(%s[2d]))' % selector)), 9), a)
    return a


def check(s, sent, scraped):
    expect('cost', sums(s, COST), round(sent['cost_usd'], 9))
    expect('tokens', {k: int(v) for k, v in by(now(s, 'sum by (type) (increase(%s[2d]))' % TOKENS), 'type').items()}, sent['tokens'])
    expect('in the exporter\'s spelling', sums(s, 'claude_code_cost_usage_total'), round(sent['cost_usd'], 9))
    expect('which source counts', sorted(by(now(s, 'sum by (ccmon_source) (increase(%s[2d]))' % COST), 'ccmon_source')), ['otlp'])
    expect('by source', {k: round(v, 9) for k, v in
                         by(now(s, 'sum by (ccmon_source) (increase(%s{ccmon_source=~".+"}[2d]))' % COST), 'ccmon_source').items()},
           {'otlp': round(sent['cost_usd'], 9), 'scrape': round(scraped['cost_usd'], 9)})
    expect('sources', s.get_json('prometheus', '/api/v1/label/ccmon_source/values')['data'], ['otlp', 'scrape'])
    expect('series', [l for l in s.get_json('prometheus', '/api/v1/series', **{'match[]': COST})['data'] if 'instance' in l], [])


def both_ways():
    sent, scraped = recordings.truth()[FOLDER]['metrics'], exporter.truth()[FOLDER]
    requests, bodies = recordings.load(FOLDER), [b for b in exporter.recorded(FOLDER) if b]
    with exporter.Exporter() as x, exporter.Exporter() as y, server(x.address, y.address) as s:
        for i, body in enumerate(bodies):
            x.body = y.body = body
            scrape(s)
            if i < len(requests) // 2:
                requests[i].send(s)
        s.restart()                                # written out: some of both ways
        for r in requests[min(len(bodies), len(requests) // 2):]:
            r.send(s)
        check(s, sent, scraped)
        s.kill_and_restart()
        check(s, sent, scraped)
        s.restart()
        check(s, sent, scraped)


def shows(cost):
    return ('# TYPE claude_code_cost_usage_total counter\n'
            'claude_code_cost_usage_total{session_id="a",model="m"} %s\n' % cost).encode()


def two_processes():
    with exporter.Exporter() as x, exporter.Exporter() as y, server(x.address, y.address) as s:
        for first, second in ((1, 0.5), (2, 0.75), (2, 3)):
            x.body, y.body = shows(first), shows(second)
            scrape(s)
        expect('two processes', sums(s, COST), 5)
        s.restart()
        expect('two processes, read back', sums(s, COST), 5)


for test in (both_ways, two_processes):
    test()
print('%d passed, 0 failed' % checked)
