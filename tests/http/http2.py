#!/usr/bin/env python3
"""HTTP/2 and gRPC against the real binary: what is answered to right, wrong and hostile
clients. Whoever attacks loses the connection, with GOAWAY and one line in the log, and
an ordinary client beside notices nothing."""
import base64
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import h2                                          # noqa: E402
import otlp                                        # noqa: E402
from ccmon import Ccmon                            # noqa: E402

T0 = 1795440000 * 10**9
JSON = otlp.metrics([(T0, T0 + 10**9, 0.25, {'session.id': 's', 'model': 'm'})], otlp.DELTA)
LOG = b'\x0a\x04\x12\x02\x12\x00'                  # one empty record
PROTOCOL_ERROR, FLOW_CONTROL, FRAME_SIZE, COMPRESSION = 1, 3, 6, 9
FORM = [('content-type', 'application/json')]


class Failures(list):
    def want(self, what, got, *wanted):
        if got not in wanted:
            self.append('%s: want %s, got %s' % (what, ' or '.join(map(repr, wanted)), repr(got)[:300]))


# ---- what right clients get

def requests(server, bad):
    c = h2.Connection(server.ports['web'])
    r = c.request('GET', '/api/v1/labels')
    bad.want('a GET', (r.status, r.headers['content-type'], r.body[:17]), (200, 'application/json', b'{"status":"succes'))
    head = c.request('HEAD', '/api/v1/labels')
    bad.want('a HEAD', (head.status, head.headers.get('content-length'), head.body), (200, r.headers['content-length'], b''))
    bad.want('another method', c.request('DELETE', '/api/v1/labels').status, 405)
    bad.want('another path', c.request('GET', '/api/v1/nothing').status, 404)
    form = c.request('POST', '/api/v1/query', b'query=1%2B1', [('content-type', 'application/x-www-form-urlencoded')])
    bad.want('a form', (form.status, b'"2"' in form.body), (200, True))
    bad.want('another authority', c.request('GET', '/', authority='evil.example').status, 403)
    bad.want('Host instead of :authority', status_of(c, [(':method', 'GET'), (':scheme', 'http'), (':path', '/api/v1/labels'),
                                                       ('host', 'localhost')]), 200)
    bad.want('Host beside another :authority', status_of(c, c_fields([('host', '127.0.0.1')])), 400)
    bad.want('no host', status_of(c, [(':method', 'GET'), (':scheme', 'http'), (':path', '/')]), 400, 'reset')
    bad.want('a foreign page', status_of(c, c_fields([('origin', 'http://evil.example')])), 403)
    bad.want('a bad escape', c.request('GET', '/%zz').status, 400)
    bad.want('130 fields', status_of(c, c_fields([('x-%d' % i, '') for i in range(130)])), 431)
    bad.want('a path of 60 kB', big_head(c, c.headers('GET', '/api/v1/nothing?' + 'a' * 60000)), 404)
    bad.want('a head of 100 kB', big_head(c, c.headers('GET', '/', [('x', 'a' * 50000), ('y', 'b' * 50000)])), 431)
    cookies = c.request('GET', '/api/v1/labels', fields=[('cookie', 'a=1'), ('cookie', 'b=2')])
    bad.want('two cookies', cookies.status, 200)
    c.close()


def c_fields(more, path='/api/v1/labels'):
    return [(':method', 'GET'), (':scheme', 'http'), (':path', path), (':authority', 'localhost')] + more


def status_of(c, fields):
    r = c.wait(c.open(h2.header_block(fields)))
    return 'reset' if r.reset is not None else r.status


def big_head(c, block):
    """A head in CONTINUATION frames."""
    stream = c.next
    c.next += 2
    c.replies[stream] = h2.Reply()
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM, stream, parts[0]))
    for p in parts[1:]:
        c.send(h2.frame(h2.CONTINUATION, h2.END_HEADERS if p is parts[-1] else 0, stream, p))
    return c.wait(stream).status


def interleaved(server, bad):
    """Many at once on one connection, their bodies in alternating pieces."""
    c = h2.Connection(server.ports['otlp-http'])
    streams = [c.open(c.headers('POST', '/v1/metrics', FORM), end=False) for _ in range(60)]
    for at in range(0, len(JSON), 100):
        for s in streams:
            c.upload(s, JSON[at:at + 100], end=at + 100 >= len(JSON))
    bad.want('60 at once', {c.wait(s).status for s in streams}, {200})
    c.close()
    c = h2.Connection(server.ports['otlp-http'])   # has not read yet how many may be open
    more = [c.open(c.headers('POST', '/v1/metrics', FORM), end=False) for _ in range(105)]
    for s in more:
        c.upload(s, JSON)
    ends = [c.wait(s).reset or c.replies[s].status for s in more]
    bad.want('105 at once: five refused, to be sent again', ends, [200] * 100 + [7] * 5)
    c.close()


def flow(server, bad):
    """A body larger than every window; a reply into a small one."""
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"' + b'x' * (5 << 20) + b'"}}]}]}]}'
    c = h2.Connection(server.ports['otlp-http'])
    r = c.request('POST', '/v1/logs', body, FORM)
    bad.want('a body of 5 MB', (r.status, r.body), (200, b'{}'))
    s = c.open(c.headers('POST', '/v1/logs', FORM + [('content-length', str(100 << 20))]), end=False)
    bad.want('a length of 100 MB', c.wait(s).status, 413)
    s = c.open(c.headers('POST', '/v1/logs', FORM), end=False)
    c.upload(s, b' ' * (65 << 20))
    bad.want('65 MB without a length', c.wait(s).status, 413)
    bad.want('... and after it', c.request('POST', '/v1/logs', body, FORM).status, 200)
    c.close()

    c = h2.Connection(server.ports['web'], window=10, wide=False)
    s = c.open(c.headers('GET', '/api/v1/labels'))
    while not c.replies[s].ended:
        c.read_frame()
        n = len(c.replies[s].body)
        if n and n % 10 == 0:
            c.send(h2.frame(h2.WINDOW, 0, s, struct.pack('>I', 10)))
    bad.want('a reply through a window of 10', c.replies[s].body[:9], b'{"status"')
    c.close()


def streams(server, bad):
    """Server-sent events beside other requests; the client leaves."""
    c = h2.Connection(server.ports['web'])
    s = c.open(c.headers('GET', '/api/ccmon/live'))
    while not c.replies[s].body and not c.replies[s].ended:
        c.read_frame()
    bad.want('events', (c.replies[s].status, c.replies[s].headers['content-type'], c.replies[s].ended), (200, 'text/event-stream', False))
    bad.want('beside them', c.request('GET', '/api/v1/labels').status, 200)
    c.send(h2.frame(h2.RST, 0, s, struct.pack('>I', 8)))
    c.ping()
    bad.want('after leaving', c.request('GET', '/api/v1/labels').status, 200)
    c.close()


def stopping(server, bad):
    """A stop says so: GOAWAY, streams end, nothing is reset."""
    own = Ccmon()
    with own:
        c = h2.Connection(own.ports['web'])
        s = c.open(c.headers('GET', '/api/ccmon/live'))
        while not c.replies[s].body:
            c.read_frame()
        idle = h2.Connection(own.ports['otlp-grpc'])
        idle.ping()
        stopper = threading.Thread(target=own.stop)
        stopper.start()
        for conn in (c, idle):
            conn.drain()
            bad.want('GOAWAY on stop', conn.goaway, 0)
        bad.want('the stream on stop', (c.replies[s].ended, c.replies[s].reset), (True, None))
        c.close()
        idle.close()
        stopper.join()


# ---- gRPC

def retry_info(details):
    return details and b'google.rpc.RetryInfo' in base64.b64decode(details + '=' * (-len(details) % 4))


def grpc(server, bad):
    logs, traces = h2.export_path('logs'), h2.export_path('traces')
    over = b'\x0a\x0b\x12\x09\x12\x07\x0a\x01m\x2a\x02\x0a\x00'              # a metric whose only point has no value
    for port in ('otlp-grpc', 'otlp-http', 'prometheus', 'loki', 'web'):
        c = h2.Connection(server.ports[port])
        # what, path, body, encoding, more fields, status, words of the message
        for what, path, body, encoding, more, status, words in (
                ('plain', logs, LOG, None, (), 0, ''),
                ('gzip', logs, LOG, 'gzip', (), 0, ''),
                ('deflate', traces, LOG, 'deflate', (), 0, ''),
                ('nothing to keep', logs, b'', None, (), 0, ''),
                ('1 MB of zeros, compressed', logs, field_of_zeros(1 << 20), 'gzip', (), 0, ''),
                ('undecodable', logs, b'\xff', None, (), 3, 'malformed protobuf'),
                ('100 MB of zeros, compressed', logs, b'\0' * (100 << 20), 'gzip', (), 8, '67108864'),
                ('another method', '/opentelemetry.proto.collector.logs.v1.LogsService/Import', LOG, None, (), 12, ''),
                ('another service', '/x.y.Z/Export', LOG, None, (), 12, ''),
                ('another encoding', logs, LOG, None, [('grpc-encoding', 'br')], 12, 'ncoding'),
                ('a wrong timeout', logs, LOG, None, [('grpc-timeout', '10 s')], 3, 'grpc-timeout'),
                ('health', '/grpc.health.v1.Health/Check', b'', None, (), 0, '')):
            fields = [f for f in h2.grpc_fields(encoding) if not more or f[0] != more[0][0]] + list(more)
            a = h2.GrpcReply(c.request('POST', path, h2.message(body, encoding), fields))
            bad.want('%s: %s' % (port, what), (a.status, words in a.message, a.http.status, a.http.headers['content-type']),
                     (status, True, 200, 'application/grpc'))
            bad.want('%s: %s: trailers only, or after a message' % (port, what), bool(a.http.trailers), status == 0)
            bad.want('%s: %s: to be sent again' % (port, what), bool(retry_info(a.details)), False)
        a = h2.grpc_call(c, h2.export_path('metrics'), over)
        bad.want('partial success', (a.status, b'without a value' in a.body), (0, True))
        c.close()
    c = h2.Connection(server.ports['otlp-grpc'])
    for what, raw in (('no message', b''), ('two messages', h2.message(LOG) * 2), ('half a message', h2.message(LOG)[:-1]),
                      ('a flag of 2', b'\2' + h2.message(LOG)[1:]), ('compressed with nothing', b'\1' + h2.message(LOG)[1:])):
        a = h2.GrpcReply(c.request('POST', logs, raw, h2.grpc_fields()))
        bad.want(what, (a.status, a.http.status), (3, 200))
    a = h2.GrpcReply(c.request('POST', logs, h2.message(LOG), [('content-type', 'application/grpc+json')]))
    bad.want('another format', a.status, 12)
    a = h2.GrpcReply(c.request('POST', logs, h2.message(LOG), h2.grpc_fields(), authority='evil.example'))
    bad.want('another authority', a.status, 7)
    bad.want('no gRPC at a method', c.request('POST', logs, LOG, [('content-type', 'application/x-protobuf')]).status, 415)
    c.close()


def field_of_zeros(n):
    """A record whose body is a string of n zeros."""
    def field(number, body):
        size, out = len(body), bytes([number << 3 | 2])
        while size > 127:
            out, size = out + bytes([size & 127 | 128]), size >> 7
        return out + bytes([size]) + body
    return field(1, field(2, field(2, field(5, field(1, b'0' * n)))))


def http1(server, bad):
    """OTLP over HTTP/1.1 on gRPC's port: taken, with a line in the log."""
    for _ in range(3):
        status, _, body = server.post('/v1/metrics', JSON, 'application/json', port='otlp-grpc')
        bad.want('HTTP/1.1 on the port for gRPC', (status, body), (200, b'{}'))
    status, _, body = server.post('/', JSON, 'application/json', port='otlp-grpc')
    bad.want('... at another path', status, 200)
    bad.want('lines in the log', open(server.log).read().count('comes to the port for gRPC'), 1)


# ---- hostile clients: each gets a connection and does its worst

def rapid_reset(c):
    for _ in range(2000):
        s = c.open(c.headers('GET', '/api/v1/labels'))
        c.send(h2.frame(h2.RST, 0, s, struct.pack('>I', 8)))


def made_you_reset(c):
    """Every stream breaks its promise, which makes the server reset it."""
    for _ in range(2000):
        s = c.open(c.headers('POST', '/v1/metrics', FORM + [('content-length', '7')]), end=False)
        c.send(h2.frame(h2.DATA, h2.END_STREAM, s, b'x'))
        if s % 64 == 1:
            c.ping()


def continuation_flood(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, c.headers('GET', '/')))
    for i in range(10000):
        c.send(h2.frame(h2.CONTINUATION, 0, 1, h2.literal('x-%d' % i, 'y')))


def empty_continuations(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, c.headers('GET', '/')))
    c.send(h2.frame(h2.CONTINUATION, 0, 1) * 10000)


def million_headers(c):
    """One table entry of 4 kB, called up by a byte each."""
    entry = b'\x40' + h2.literal('x', 'y' * 4000)[1:]
    for s in range(1, 200, 2):
        c.replies[s] = h2.Reply()
        block = c.headers('GET', '/') + (entry if s == 1 else b'') + b'\xbe' * 10000
        c.send(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, s, block))


def bad_hpack(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, b'\xff\xff\xff\xff\xff\xff'))


def table_too_large(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, h2.integer(1 << 20, 5, 0x20) + c.headers('GET', '/')))


def settings_flood(c):
    for _ in range(5000):
        c.send(h2.frame(h2.SETTINGS, 0, 0))


def settings_of_one_thousand(c):
    c.send(h2.frame(h2.SETTINGS, 0, 0, struct.pack('>HI', 4, 1000) * 1000))


def ping_flood(c):
    for _ in range(5000):
        c.send(h2.frame(h2.PING, 0, 0, b'12345678'))


def priority_flood(c):
    for i in range(5000):
        c.send(h2.frame(h2.PRIORITY, 0, 2 * i + 1, struct.pack('>IB', 0, 1)))


def window_flood(c):
    for _ in range(5000):
        c.send(h2.frame(h2.WINDOW, 0, 0, struct.pack('>I', 1)))


def empty_data_flood(c):
    s = c.open(c.headers('POST', '/v1/metrics', FORM), end=False)
    for _ in range(5000):
        c.send(h2.frame(h2.DATA, 0, s))


def padded_data_flood(c):
    s = c.open(c.headers('POST', '/v1/metrics', FORM), end=False)
    for _ in range(5000):
        c.send(h2.frame(h2.DATA, 8, s, b'\x0a' + b'\0' * 10))


def window_overflow(c):
    c.send(h2.frame(h2.WINDOW, 0, 0, struct.pack('>I', h2.WINDOW_MAX)))


def even_stream(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 2, c.headers('GET', '/')))


def data_on_idle(c):
    c.send(h2.frame(h2.DATA, 0, 5, b'x'))


def push(c):
    c.send(h2.frame(h2.PUSH, h2.END_HEADERS, 1, struct.pack('>I', 2) + c.headers('GET', '/')))


def frame_too_large(c):
    c.send(h2.frame(h2.PING, 0, 0, b'x' * 17000))


def interrupted_head(c):
    c.send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, c.headers('GET', '/')))
    c.send(h2.frame(h2.PING, 0, 0, b'12345678'))


HOSTILE = [
    (rapid_reset, h2.CALM), (made_you_reset, h2.CALM), (continuation_flood, h2.CALM), (empty_continuations, h2.CALM),
    (million_headers, h2.CALM), (bad_hpack, COMPRESSION), (table_too_large, COMPRESSION), (settings_flood, h2.CALM),
    (settings_of_one_thousand, h2.CALM), (ping_flood, h2.CALM), (priority_flood, h2.CALM), (window_flood, h2.CALM),
    (empty_data_flood, h2.CALM), (padded_data_flood, h2.CALM), (window_overflow, FLOW_CONTROL), (even_stream, PROTOCOL_ERROR),
    (data_on_idle, PROTOCOL_ERROR), (push, PROTOCOL_ERROR), (frame_too_large, FRAME_SIZE), (interrupted_head, PROTOCOL_ERROR),
]


def ending(server, attack, port='web'):
    """The code of the GOAWAY that the attacker gets."""
    c = h2.Connection(server.ports[port], wide=False)
    try:
        attack(c)
        c.drain()
    except h2.Gone:
        pass
    except socket.timeout:
        return 'still open'
    c.close()
    return c.goaway


def good(server, bad, beside):
    """An ordinary client, of either protocol, and how long it waits."""
    start = time.monotonic()
    bad.want('HTTP/1.1 beside %s' % beside, server.post('/v1/metrics', JSON, 'application/json', port='web')[0], 200)
    c = h2.Connection(server.ports['web'])
    bad.want('HTTP/2 beside %s' % beside, c.request('POST', '/v1/metrics', JSON, FORM).status, 200)
    c.close()
    if time.monotonic() - start > 5:
        bad.append('beside %s a good client waited for %.1f s' % (beside, time.monotonic() - start))


def hostile(server, bad):
    for attack, *wanted in HOSTILE:
        lines = open(server.log).read().count('\n')
        got = []
        t = threading.Thread(target=lambda: got.append(ending(server, attack)))
        t.start()
        good(server, bad, attack.__name__)
        t.join()
        bad.want(attack.__name__, got[0] if got else None, *wanted)
        if open(server.log).read().count('\n') > lines + 2:
            bad.append('%s: more than two lines in the log' % attack.__name__)


def not_http2(server, bad):
    """Broken prefaces: an end, and no reply that could be taken for one."""
    for what, data in (('another preface', b'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), ('no SETTINGS', h2.PREFACE + h2.frame(h2.PING, 0, 0, b'8' * 8)),
                       ('garbage after it', h2.PREFACE + os.urandom(3000)), ('PRI later', b'GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n' + h2.PREFACE)):
        s = socket.create_connection(('127.0.0.1', server.ports['web']), timeout=30)
        s.sendall(data)
        s.settimeout(30)
        try:
            while s.recv(65536):
                pass
        except ConnectionError:
            pass
        except socket.timeout:
            bad.append('%s: still open' % what)
        s.close()
        good(server, bad, what)


def held(server, bad):
    """Slow and stalled clients by the dozen: nobody else waits."""
    conns = []
    for i in range(40):
        c = h2.Connection(server.ports['web'], window=0 if i % 2 else h2.WINDOW_MAX)
        if i % 2:                                  # asks for a lot and opens no window
            for _ in range(50):
                c.open(c.headers('GET', '/'))
        else:                                      # half a head, half a body
            c.open(c.headers('POST', '/v1/metrics', FORM), end=False)
            c.send(h2.frame(h2.DATA, 0, 1, JSON[:20]))
            c.send(h2.frame(h2.HEADERS, 0, 3, c.headers('GET', '/')[:10])[:-5])
        conns.append(c)
    good(server, bad, '40 slow clients')
    for c in conns:
        c.close()
    good(server, bad, 'their leaving')


def half_closed(server, bad):
    """Who sends no more may still read."""
    c = h2.Connection(server.ports['web'])
    s = c.open(c.headers('GET', '/api/v1/labels'))
    c.sock.shutdown(socket.SHUT_WR)
    c.send = lambda data: None
    try:
        bad.want('half-closed', c.wait(s).status, 200)
        c.drain()
    except h2.Gone:
        bad.append('half-closed: no reply')
    c.close()


def main():
    parts = (requests, interleaved, flow, streams, stopping, grpc, http1, hostile, not_http2, held, half_closed)
    if len(sys.argv) > 1:
        parts = [p for p in parts if p.__name__ in sys.argv[1:]]
    failed = 0
    with Ccmon() as server:
        for part in parts:
            bad = Failures()
            part(server, bad)
            failed += bool(bad)
            for b in bad:
                print('FAIL %s: %s' % (part.__name__, b))
    print('%d passed, %d failed' % (len(parts) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
