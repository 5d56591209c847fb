#!/usr/bin/env python3
"""Connections that do nothing: 10,000 of them at rest in 50 MB, 1,000 with TLS, and slow
ones of each kind, which are refused in time while others are served.

What is measured is VmRSS of the real binary, before and after; each connection has made
one request. The slow ones are opened first, so that their time-outs pass meanwhile."""
import os
import resource
import select
import socket
import ssl
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import certs                                       # noqa: E402
from ccmon import Ccmon                            # noqa: E402

PLAIN, TLS, SLOW = 10000, 1000, 60
RESIDENT_MAX = 50 << 20                            # of the whole process, with 10,000 at rest
TLS_EACH_MAX = 40 << 10
HEADER_S = 10                                      # HTTP_HEADER_MS, HTTP_HANDSHAKE_MS, HTTP_BODY_WINDOW_MS
SPARE = 200                                        # descriptors for all else

GET = b'GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n'
failures = 0
passed = 0


def check(what, ok, detail=''):
    global failures, passed
    passed += bool(ok)
    failures += not ok
    if not ok or detail:
        print('%s: %s %s' % ('ok' if ok else 'FAIL', what, detail), flush=True)


def rss(server):
    with open('/proc/%d/status' % server.proc.pid) as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS:'))


def take_answer(s):
    got = b''
    while not got.endswith(b'Healthy.\n'):         # TLS may bring head and body apart
        part = s.recv(4096)
        if not part:
            raise ConnectionError('closed: %r' % got)
        got += part
    if not got.startswith(b'HTTP/1.1 200 '):
        raise ValueError('answered %r' % got)


def open_idle(port, n, context=None):
    conns = []
    for _ in range(n):
        s = socket.create_connection(('127.0.0.1', port), timeout=60)
        conns.append(context.wrap_socket(s, server_hostname='localhost') if context else s)
    for s in conns:
        s.sendall(GET)
    for s in conns:
        take_answer(s)
    return conns


def all_alive(conns):
    for s in conns[:: max(1, len(conns) // 200)]:
        s.sendall(GET)
        take_answer(s)
    return True


def open_slow(server):
    """Heads, bodies and handshakes that are never finished: (socket, what it is)."""
    kinds = [
        ('head', 'prometheus', b'GET /api/v1/query?query=up HTTP/1.1\r\nHost: localhost\r\nX: '),
        ('body', 'otlp-http', b'POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{'),
        ('chunks', 'otlp-http', b'POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'),
        ('TLS handshake', 'web', b'\x16\x03\x01\x02\x00\x01'),
    ]
    found = []
    for i in range(SLOW):
        name, port, data = kinds[i % len(kinds)]
        s = socket.create_connection(('127.0.0.1', server.ports[port]), timeout=60)
        s.sendall(data)
        found.append((s, name))
    return found


def expect_slow_refused(slow, opened):
    """Each hears a 408, or its connection just ends (TLS), not long after the time-out."""
    for s, name in slow:
        s.settimeout(max(1.0, opened + HEADER_S + 15 - time.monotonic()))
        try:
            got = s.recv(4096)
        except (socket.timeout, ConnectionResetError) as e:
            got = b'' if isinstance(e, ConnectionResetError) else None
        ok = got is not None and (got == b'' if name.startswith('TLS') else got.startswith(b'HTTP/1.1 408 '))
        if not ok:
            check('a slow %s is refused' % name, False, repr(got))
            return
    check('slow heads, bodies and handshakes are refused in time', True, '(%d of them)' % len(slow))


def measure(server, conns_of, n, name):
    before = rss(server)
    conns = conns_of(n)
    after = rss(server)
    each = (after - before) / n
    print('%s: %d connections at rest: %.1f MB resident, %.1f MB before, %.0f bytes each' %
          (name, n, after / 1e6, before / 1e6, each), flush=True)
    return conns, after, each


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < PLAIN + SPARE:
        print('SKIP tests/http/idle.py: RLIMIT_NOFILE allows %d descriptors, %d are wanted' % (hard, PLAIN + SPARE))
        return 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix='ccmon-idle-') as folder:
        pki = certs.Certs(folder)
        config = os.path.join(folder, 'ccmon.yml')
        with open(config, 'w') as f:
            f.write('listeners:\n  web:\n    tls_server_config: {cert_file: server.pem, key_file: server.key}\n')
        with Ccmon(['--config', config]) as c:
            context = ssl.create_default_context(cafile=pki.path('ca.pem'))
            opened = time.monotonic()
            slow = open_slow(c)
            conns, after, _ = measure(c, lambda n: open_idle(c.ports['prometheus'], n), PLAIN, 'plain')
            check('10,000 connections at rest stay in 50 MB', after <= RESIDENT_MAX, '(%.1f MB)' % (after / 1e6))
            start = time.monotonic()
            c.get_json('prometheus', '/api/v1/labels')
            check('others are served meanwhile', time.monotonic() - start < 5)
            check('none of them was closed', all_alive(conns) and not select.select(conns[:500], [], [], 0)[0])
            tls, _, each = measure(c, lambda n: open_idle(c.ports['web'], n, context), TLS, 'TLS')
            check('a TLS connection at rest stays in %d KB' % (TLS_EACH_MAX >> 10), each <= TLS_EACH_MAX, '(%.1f KB)' % (each / 1024))
            check('none of those was closed', all_alive(tls))
            expect_slow_refused(slow, opened)
            for s in conns + tls + [s for s, _ in slow]:
                s.close()
    print('%d passed, %d failed' % (passed, failures))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
