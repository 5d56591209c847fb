#!/usr/bin/env python3
"""Limits of queries, through the real binary: each says which key raises it, time is over
where it is spent (also in the queue), who leaves stops what he asked for, and nobody else
notices. One thread answers queries, so that one slow query makes all others wait."""
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                        # noqa: E402
from ccmon import Ccmon                            # noqa: E402

NS = 10 ** 9
T0 = 1795000000
SERIES, POINTS = 40, 5
SLOW = ('/api/v1/query_range?' + urllib.parse.urlencode(
    {'query': ' + '.join(['quantile_over_time(0.5, vector(1)[1d:1s])'] * 16), 'start': T0, 'end': T0 + 10000, 'step': 1}))
TRIES = 50
passed = failed = 0


def check(what, ok, detail=''):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print('FAIL %s: %s' % (what, str(detail)[:500]), flush=True)


def send(c, path, api='prometheus'):
    s = socket.create_connection(('127.0.0.1', c.ports[api]), timeout=60)
    s.sendall(('GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' % path).encode())
    return s


def take(s):
    got = b''
    while True:
        part = s.recv(65536)
        if not part:
            break
        got += part
    s.close()
    head, _, body = got.partition(b'\r\n\r\n')
    return int(head.split()[1]), body.decode()


def ask(c, path, api='prometheus'):
    return take(send(c, path, api))


def prom(c, query, **params):
    return ask(c, '/api/v1/query?' + urllib.parse.urlencode(dict(query=query, time=T0 + 100, **params)))


def loki(c, query):
    return ask(c, '/loki/api/v1/query_range?' + urllib.parse.urlencode(
        dict(query=query, start=T0 * NS, end=(T0 + 100) * NS)), 'loki')


def error_of(body):
    d = json.loads(body)
    return d['errorType'], d['error']


def configure(data, text):
    path = os.path.join(data, 'test.yml')
    with open(path, 'w') as f:
        f.write(text)
    return ['--config', path]


def fill(c):
    points = [((T0 - 60) * NS, (T0 + 10 * i) * NS, float(i), {'session.id': 's%03d' % s, 'model': 'm'})
              for s in range(SERIES) for i in range(POINTS)]
    body = otlp.metrics(points, otlp.CUMULATIVE)
    status = c.post('/v1/metrics', body, 'application/json')[0]
    assert status == 200, status


def amounts(c):
    """Rows, bytes, memory and series, each over its limit alone."""
    both = 'sum(claude_code_cost_usage_USD_total) + on() sum(rate({__name__=~"claude_code_cost.*"}[1m]))'
    status, body = prom(c, 'sum(claude_code_cost_usage_USD_total)')
    check('half the rows', status == 200, body)
    status, body = prom(c, both)
    check('rows of two selectors', (status, error_of(body)) == (
        422, ('execution', 'the query read more than %d rows (query.max_rows); ask for a shorter range' % (SERIES * POINTS * 3 // 2))),
        body)
    status, body = loki(c, '{service_name="claude-code"} | x="y"')
    check('lines under their limit', status == 200, body)
    status, body = ask(c, '/api/v1/query_range?' + urllib.parse.urlencode(
        {'query': 'claude_code_cost_usage_USD_total' + ' * 2' * 8, 'start': T0, 'end': T0 + 250, 'step': '0.023'}))
    check('memory', (status, 'query needs more memory than the limit of 16 MB (query.max_memory)' in body) == (422, True), body)


def undisturbed(c):
    """One client asks for too much again and again, another asks what is right."""
    wrong = []

    def greedy():
        for _ in range(20):
            if prom(c, '{__name__=~".+"} + on() group_left sum(rate({__name__=~".+"}[1m]))')[0] != 422:
                wrong.append('greedy')

    t = threading.Thread(target=greedy)
    t.start()
    want = prom(c, 'sum(claude_code_cost_usage_USD_total)')
    for _ in range(40):
        got = prom(c, 'sum(claude_code_cost_usage_USD_total)')
        if got != want or got[0] != 200:
            wrong.append(got)
    t.join()
    check('others answer as ever', not wrong, wrong[:3])


def times(c):
    status, body = ask(c, SLOW + '&timeout=50ms')
    check('time is over', (status, error_of(body)) == (503, ('timeout', 'query timed out in expression evaluation')), body)
    status, body = ask(c, SLOW + '&timeout=1')
    check('the log has it', any('slow query: ' in x and 'timed out' in x and 'quantile_over_time' in x for x in open(c.log)), '')


def leaving(c):
    """The one thread is free again soon after a client has left, and the log says why."""
    for i in range(TRIES):
        s = send(c, SLOW)
        time.sleep(0.01 * (i + 1))                 # longer each time, until it has begun
        s.close()
        status = prom(c, '1')[0]
        if any('query was canceled in expression evaluation' in x for x in open(c.log)):
            check('who leaves frees the thread', status == 200, status)
            return
    check('who leaves frees the thread', False, 'never seen in the log')


def full(c, wait_s):
    """One query runs and one waits, if the first had begun by then: what the others are told, and what the
    second is told once the first is gone."""
    first = send(c, SLOW + '&timeout=30s')
    time.sleep(wait_s)
    second = send(c, SLOW + '&timeout=1ms')
    status, body = prom(c, '1')
    prom_told = (status,) + (error_of(body) if status != 200 else ())
    loki_told = ask(c, '/loki/api/v1/query?query=vector(1)', 'loki')
    first.close()
    status, body = take(second)
    return prom_told, loki_told, (status, error_of(body)[0])


def queueing(c):
    """One query runs, one waits; the next is refused in the words of each API."""
    want = ((503, 'unavailable', 'too many requests are waiting'), (429, 'too many outstanding requests'), (503, 'timeout'))
    for i in range(TRIES):
        got = full(c, 0.01 * (i + 1))
        if got == want:
            break
    check('both refuse, and time in the queue counts', got == want, got)
    check('and all is well again', prom(c, '1')[0] == 200)


def metrics(c):
    """What the server says of itself, after all that."""
    status, body = ask(c, '/metrics')
    lines = [x for x in body.split('\n') if x and not x.startswith('#')]
    form = re.compile(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+$')
    check('metrics are well formed', status == 200 and all(form.match(x) for x in lines), [x for x in lines if not form.match(x)])
    value = {x.rsplit(' ', 1)[0]: float(x.rsplit(' ', 1)[1]) for x in lines}
    for name in ('ccmon_queries_total{language="promql",outcome="success"}', 'ccmon_queries_total{language="promql",outcome="failure"}',
                 'ccmon_queries_total{language="logql",outcome="success"}', 'ccmon_query_rows_total', 'process_resident_memory_bytes',
                 'process_cpu_seconds_total', 'ccmon_http_requests_total'):
        check('counts ' + name, value.get(name, 0) > 0, value.get(name))
    check('rows', value['ccmon_rows{table="samples"}'] >= SERIES * POINTS, value['ccmon_rows{table="samples"}'])
    check('one acknowledgement', value['ccmon_ack_seconds_count'] == value['ccmon_ack_seconds_bucket{le="+Inf"}'] == 1, body)
    kinds = re.findall(r'^# TYPE (\S+)', body, re.M)
    check('each name has one type', len(kinds) == len(set(kinds)), kinds)


def stored_bytes(c, data):
    c.stop()
    c.args = configure(data, 'query:\n  max_bytes: 10\n')
    c.start()
    status, body = prom(c, 'sum(claude_code_cost_usage_USD_total)')
    check('bytes', (status, error_of(body)[1]) == (
        422, 'the query read more than 10 bytes (query.max_bytes); ask for a shorter range'), body)
    status, body = ask(c, '/api/v1/query?query=1')
    check('a query that reads nothing', status == 200, body)


def main():
    c = Ccmon()
    c.args = configure(c.data, 'threads:\n  query: 1\nquery:\n  max_rows: %d\n  max_memory: 16\n  max_queued: 1\n'
                               '  slow: 1ms\n  max_samples: 1000000000\n' % (SERIES * POINTS * 3 // 2))
    with c:
        fill(c)
        amounts(c)
        times(c)
        leaving(c)
        queueing(c)
        metrics(c)
    c = Ccmon()
    c.args = configure(c.data, 'query:\n  max_rows: %d\n' % (SERIES * POINTS * 3 // 2))
    with c:
        fill(c)
        undisturbed(c)
        stored_bytes(c, c.data)
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
