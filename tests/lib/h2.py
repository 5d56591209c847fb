"""A small HTTP/2 client: framing, HPACK (literals out, everything in), and gRPC's unary
calls on top. Standard library only, so that it runs on a fresh machine; and it sends
whatever it is told to, right or wrong."""
import collections
import gzip
import socket
import struct
import zlib

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CALM = 11
WINDOW_MAX = 2**31 - 1

# RFC 7541, appendix A: names and values of the static table.
STATIC = [tuple(l.replace('_', ' ').split('=', 1)) if '=' in l else (l, '') for l in (
    ':authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 :status=204 '
    ':status=206 :status=304 :status=400 :status=404 :status=500 accept-charset accept-encoding=gzip,_deflate '
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control '
    'content-disposition content-encoding content-language content-length content-location content-range content-type '
    'cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since '
    'last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after '
    'server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate').split()]
# Appendix B is a canonical code: the symbols of each length in order say it all. Longer
# codes than these are for bytes that no header of ours holds.
HUFFMAN = {5: '012aceiost', 6: ' %-./3456789=A_bdfghlmnpru', 7: ':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz', 8: '&*,;XZ',
           10: '!"()?', 11: "'+|", 12: '#>', 13: '\0$@[]~', 14: '^}', 15: '<`{'}


def huffman_codes():
    code, last, codes = 0, 5, {}
    for n, symbols in HUFFMAN.items():
        code <<= n - last
        last = n
        for s in symbols:
            codes[n, code] = s
            code += 1
    return codes


CODES = huffman_codes()


def huffman_decode(data):
    out, code, n = '', 0, 0
    for byte in data:
        for i in range(7, -1, -1):
            code, n = code << 1 | byte >> i & 1, n + 1
            if (n, code) in CODES:
                out, code, n = out + CODES[n, code], 0, 0
    assert n < 8 and code == (1 << n) - 1, 'bad padding of a Huffman string'
    return out


def integer(value, bits, first=0):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def literal(name, value):
    """Without indexing, without Huffman."""
    name, value = (x.encode() if isinstance(x, str) else x for x in (name, value))
    return b'\0' + integer(len(name), 7) + name + integer(len(value), 7) + value


def header_block(fields):
    return b''.join(literal(n, v) for n, v in fields)


def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


class Hpack:
    """The decoding half, with a dynamic table."""

    def __init__(self):
        self.table, self.size, self.size_max = collections.deque(), 0, 4096

    def entry(self, i):
        return STATIC[i - 1] if i <= len(STATIC) else self.table[i - len(STATIC) - 1]

    def add(self, name, value):
        self.table.appendleft((name, value))
        self.size += len(name) + len(value) + 32
        while self.size > self.size_max:
            n, v = self.table.pop()
            self.size -= len(n) + len(v) + 32

    def decode(self, data):
        self.data, self.at, fields = data, 0, []
        while self.at < len(data):
            first = data[self.at]
            if first & 0x80:
                fields.append(self.entry(self.number(7)))
            elif first & 0xe0 == 0x20:
                self.size_max = self.number(5)
            else:
                indexed = first & 0x40
                i = self.number(6 if indexed else 4)
                name = self.entry(i)[0] if i else self.string()
                value = self.string()
                fields.append((name, value))
                if indexed:
                    self.add(name, value)
        return fields

    def number(self, bits):
        value = self.data[self.at] & (1 << bits) - 1
        self.at += 1
        if value == (1 << bits) - 1:
            shift = 0
            while True:
                b = self.data[self.at]
                self.at += 1
                value += (b & 127) << shift
                shift += 7
                if b < 128:
                    break
        return value

    def string(self):
        coded = self.data[self.at] & 0x80
        n = self.number(7)
        s = self.data[self.at:self.at + n]
        self.at += n
        return huffman_decode(s) if coded else s.decode('latin-1')


class Gone(Exception):
    """The connection ended; `code` is that of the GOAWAY before, if there was one."""

    def __init__(self, code=None):
        super().__init__('connection ended, GOAWAY %s' % code)
        self.code = code


class Reply:
    def __init__(self):
        self.headers, self.trailers, self.body = {}, {}, b''
        self.ended, self.reset = False, None

    @property
    def status(self):
        return int(self.headers[':status'])


class Connection:
    def __init__(self, port, host='127.0.0.1', timeout=30, settings=b'', window=WINDOW_MAX, sock=None, wide=True):
        self.sock = sock or socket.create_connection((host, port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.authority = 'localhost:%d' % port
        self.hpack, self.replies, self.goaway, self.buf = Hpack(), {}, None, b''
        self.next, self.window, self.windows, self.first_window = 1, 65535, {}, 65535
        self.pings = self.acks = 0
        if not settings and window != 65535:
            settings = struct.pack('>HI', 4, window)
        first = PREFACE + frame(SETTINGS, 0, 0, settings)
        self.send(first + (frame(WINDOW, 0, 0, struct.pack('>I', WINDOW_MAX - 65535)) if wide else b''))

    def close(self):
        self.sock.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.drain()
            raise Gone(self.goaway)

    def drain(self):
        """What is still to be read before the end."""
        try:
            while True:
                self.read_frame()
        except (Gone, OSError):
            pass

    # ---- reading

    def read_frame(self):
        while len(self.buf) < 9 or len(self.buf) < 9 + int.from_bytes(self.buf[:3], 'big'):
            try:
                got = self.sock.recv(1 << 16)
            except socket.timeout:
                raise
            except OSError:
                got = b''
            if not got:
                raise Gone(self.goaway)
            self.buf += got
        n = int.from_bytes(self.buf[:3], 'big')
        kind, flags, stream = self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], 'big')
        payload, self.buf = self.buf[9:9 + n], self.buf[9 + n:]
        self.take(kind, flags, stream, payload)
        return kind, flags, stream, payload

    def take(self, kind, flags, stream, payload):
        r = self.replies.get(stream)
        if kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], 'big')
        elif kind == SETTINGS and not flags & ACK:
            for i in range(0, len(payload), 6):
                key, value = struct.unpack('>HI', payload[i:i + 6])
                if key == 4:                       # holds for streams that are open, too
                    self.windows = {s: w + value - self.first_window for s, w in self.windows.items()}
                    self.first_window = value
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == SETTINGS:
            self.acks += 1
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == PING:
            self.pings += 1
        elif kind == WINDOW:
            more = int.from_bytes(payload, 'big')
            if stream:
                self.windows[stream] = self.windows.get(stream, self.first_window) + more
            else:
                self.window += more
        elif kind == HEADERS:
            assert flags & END_HEADERS, 'CONTINUATION is not something our replies need'
            fields = dict(self.hpack.decode(payload))
            if r and fields.get(':status') != '100':
                (r.trailers if r.headers else r.headers).update(fields)
        elif kind == DATA and r:
            r.body += payload
        elif kind == RST and r:
            r.reset = int.from_bytes(payload, 'big')
        if r and kind in (HEADERS, DATA) and flags & END_STREAM:
            r.ended = True

    # ---- requests

    def headers(self, method, path, fields=(), authority=None):
        own = [(':method', method), (':scheme', 'http'), (':path', path), (':authority', authority or self.authority)]
        return header_block(own + list(fields))

    def open(self, block, end=True):
        stream, self.next = self.next, self.next + 2
        self.replies[stream] = Reply()
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block))
        return stream

    def upload(self, stream, body, end=True, size=16384):
        at = 0
        while at < len(body):
            room = min(size, self.window, self.windows.get(stream, self.first_window), len(body) - at)
            if room <= 0:
                if self.replies[stream].ended or self.replies[stream].reset is not None:
                    return
                self.read_frame()
                continue
            self.window -= room
            self.windows[stream] = self.windows.get(stream, self.first_window) - room
            self.send(frame(DATA, 0, stream, body[at:at + room]))
            at += room
        if end:
            self.send(frame(DATA, END_STREAM, stream))

    def wait(self, stream):
        r = self.replies[stream]
        while not r.ended and r.reset is None:
            self.read_frame()
        return r

    def request(self, method, path, body=None, fields=(), authority=None):
        stream = self.open(self.headers(method, path, fields, authority), body is None)
        if body is not None:
            self.upload(stream, body)
        return self.wait(stream)

    def ping(self):
        """Everything sent so far has been read when this returns."""
        before = self.pings
        self.send(frame(PING, 0, 0, b'pingpong'))
        while self.pings == before:
            self.read_frame()


# ---- gRPC

SERVICES = {'metrics': 'metrics.v1.MetricsService', 'logs': 'logs.v1.LogsService', 'traces': 'trace.v1.TraceService'}


def export_path(signal):
    return '/opentelemetry.proto.collector.%s/Export' % SERVICES[signal]


def message(body, encoding=None):
    if encoding:
        body = gzip.compress(body) if encoding == 'gzip' else zlib.compress(body)
    return bytes([bool(encoding)]) + struct.pack('>I', len(body)) + body


class GrpcReply:
    def __init__(self, r):
        self.http, self.reset = r, r.reset
        fields = dict(r.headers, **r.trailers)
        self.status = int(fields['grpc-status']) if 'grpc-status' in fields else None
        self.message, self.details = fields.get('grpc-message', ''), fields.get('grpc-status-details-bin')
        self.body = r.body[5:]


def grpc_fields(encoding=None, more=()):
    return [('te', 'trailers'), ('content-type', 'application/grpc'), ('grpc-timeout', '9998m')] + \
        ([('grpc-encoding', encoding)] if encoding else []) + list(more)


def grpc_call(conn, path, body, encoding=None, more=()):
    return GrpcReply(conn.request('POST', path, message(body, encoding), grpc_fields(encoding, more)))
