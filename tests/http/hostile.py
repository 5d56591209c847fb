#!/usr/bin/env python3
"""Bad input against the real binary: each gets a clear 4xx, the log has one line per
cause and minute, a good sender beside it notices nothing, and the server is none the
worse afterwards."""
import gzip
import json
import os
import socket
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                        # noqa: E402
from ccmon import Ccmon, one                       # noqa: E402

PB, JSON = 'application/x-protobuf', 'application/json'
T0 = 1795440000 * 10**9
GOOD = otlp.metrics([(T0, T0 + 10**9, 0.25, {'session.id': 's', 'model': 'm'})], otlp.DELTA)


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def deep_any_value(depth):
    """An AnyValue inside a log body, nested in arrays."""
    v = b''
    for _ in range(depth):
        v = field(5, field(1, v))
    return field(1, field(2, field(2, field(5, v))))


def bomb():
    """300 MB of zeros as gzip."""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b'\0' * (1 << 20)
    return b''.join(z.compress(block) for _ in range(300)) + z.flush()


# name, path, body, content type, encoding, statuses that are right, words the answer holds
BAD = [
    ('random bytes as protobuf', '/v1/logs', bytes(range(255, 0, -1)) * 4, PB, None, (400,), b''),
    ('truncated protobuf', '/v1/metrics', field(1, b'x' * 50)[:20], PB, None, (400,), b''),
    ('length past the end', '/v1/logs', b'\x0a\xff\xff\xff\xff\x0f', PB, None, (400,), b''),
    ('length of 2^63', '/v1/traces', b'\x0a' + b'\xff' * 9 + b'\x01', PB, None, (400,), b''),
    ('varint without an end', '/v1/logs', b'\xff' * 40, PB, None, (400,), b''),
    ('a group', '/v1/logs', b'\x0b\x0c', PB, None, (400,), b''),
    ('10,000 levels of protobuf', '/v1/logs', deep_any_value(10000), PB, None, (400, 413), b''),
    ('bad JSON', '/v1/logs', b'{"resourceLogs": [', JSON, None, (400,), b''),
    ('JSON of another shape', '/v1/logs', b'{"resourceLogs": 7}', JSON, None, (400,), b''),
    ('100,000 levels of JSON', '/v1/metrics', b'[' * 100000, JSON, None, (400, 413), b''),
    ('protobuf said to be JSON', '/v1/logs', b'\x0a\x05hello', JSON, None, (400,), b''),
    ('truncated gzip', '/v1/metrics', gzip.compress(GOOD)[:-20], JSON, 'gzip', (400,), b'gzip'),
    ('no gzip at all', '/v1/metrics', GOOD, JSON, 'gzip', (400,), b'gzip'),
    ('gzip bomb', '/v1/logs', bomb(), PB, 'gzip', (413,), b''),
    ('body of 100 MB', '/v1/logs', b'\0' * (100 << 20), PB, None, (413,), b''),
    ('unknown content type', '/v1/logs', b'hello', 'text/plain', None, (415,), b''),
    ('unknown encoding', '/v1/logs', GOOD, JSON, 'br', (415,), b''),
]


def raw(server, data, wait=5.0, shut=False, port='otlp-http'):
    """What the server answers to these very bytes."""
    with socket.create_connection(('127.0.0.1', server.ports[port]), timeout=wait) as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            got = b''
            while b'\r\n\r\n' not in got:
                part = s.recv(65536)
                if not part:
                    break
                got += part
            return got
        except (ConnectionError, socket.timeout):
            return b'cut'


HEAD = b'POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
# name, bytes, statuses (b'' is: closed without an answer)
WIRE = [
    ('both lengths', HEAD + b'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}', (b'400',)),
    ('two different lengths', HEAD + b'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}', (b'400',)),
    ('an absurd length', HEAD + b'Content-Length: 99999999999999999999999\r\n\r\n', (b'400', b'413')),
    ('a length of 1 TB', HEAD + b'Content-Length: 1099511627776\r\n\r\n', (b'413',)),
    ('a negative length', HEAD + b'Content-Length: -1\r\n\r\n', (b'400',)),
    ('an absurd chunk', HEAD + b'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n', (b'400', b'413')),
    ('bare line feeds', b'GET / HTTP/1.1\nHost: localhost\n\n', (b'400',)),
    ('a folded header', HEAD + b'X: a\r\n b\r\n\r\n', (b'400',)),
    ('no host', b'GET /api/v1/labels HTTP/1.1\r\n\r\n', (b'400', b'403')),
    ('another host', b'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n', (b'403', b'421')),
    ('a header of 1 MB', b'GET / HTTP/1.1\r\nHost: localhost\r\nX: ' + b'a' * (1 << 20) + b'\r\n\r\n', (b'431', b'400', b'cut')),
    ('not HTTP', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', (b'400', b'')),
]


def status_of(answer):
    return answer.split(b' ')[1] if answer.startswith(b'HTTP/1.1 ') else answer[:3]


def good(server, failures, where):
    status, _, body = server.post('/v1/metrics', GOOD, JSON)
    if status != 200:
        failures.append('a good request after %s: %d %s' % (where, status, body[:100]))


def bodies(server, failures):
    for name, path, body, ctype, encoding, wanted, words in BAD:
        try:
            status, _, answer = server.post(path, body, ctype, encoding)
        except (ConnectionError, BrokenPipeError, OSError):
            # A body that is refused by its length alone may be answered before it was sent.
            server.conns.pop('otlp-http', None)
            head = ('POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n'
                    % (path, ctype, len(body)))
            answer = raw(server, head.encode())
            status = int(status_of(answer) or 0)
        if status not in wanted or words not in answer or not answer:
            failures.append('%s: %s %r' % (name, status, answer[:200]))
        good(server, failures, name)


def wire(server, failures):
    for name, data, wanted in WIRE:
        got = status_of(raw(server, data))
        if got not in wanted:
            failures.append('%s: %r' % (name, got))
        good(server, failures, name)


def connections(server, failures):
    """Slow, half-closed and abandoned connections beside a good sender."""
    held = []
    for i in range(50):
        s = socket.create_connection(('127.0.0.1', server.ports['otlp-http']))
        s.sendall((HEAD + b'Content-Length: 100\r\n\r\n{')[:20 + 3 * i])
        held.append(s)
    good(server, failures, '50 slow senders')
    whole = HEAD + b'Content-Length: %d\r\n\r\n' % len(GOOD) + GOOD
    got = raw(server, whole, shut=True)
    if status_of(got) != b'200':
        failures.append('half-closed after a whole request: %r' % got[:100])
    raw(server, whole[:-10], wait=1.0, shut=True)
    good(server, failures, 'a half request')
    for s in held:
        s.close()
    good(server, failures, 'closing them')


def state(server, failures):
    got = one(server.prom('sum(increase(claude_code_cost_usage_USD_total[1h]))', T0 / 1e9 + 60))
    if got != 0.25:
        failures.append('the one good point, sent over and over: want 0.25, got %s' % got)
    rss = [int(l.split()[1]) for l in open('/proc/%d/status' % server.proc.pid) if l.startswith('VmRSS')] if os.path.exists('/proc') else [0]
    if rss[0] > 300 << 10:
        failures.append('resident memory afterwards: %d kB' % rss[0])


def log_lines(server, failures):
    """300 times one cause: not 300 lines."""
    before = os.path.getsize(server.log)
    for _ in range(300):
        server.post('/v1/logs', b'\xff\xff', PB)
    time.sleep(0.2)
    lines = open(server.log, 'rb').read()[before:].count(b'\n')
    if lines > 5:
        failures.append('300 bad requests of one cause left %d lines in the log' % lines)


def main():
    parts, failed = (bodies, wire, connections, log_lines, state), 0
    with Ccmon() as server:
        good(server, [], 'start')
        for part in parts:
            failures = []
            part(server, failures)
            failed += bool(failures)
            for f in failures:
                print('FAIL %s: %s' % (part.__name__, f))
    print('%d passed, %d failed' % (len(parts) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
