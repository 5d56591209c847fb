"""What senders of remote write and Loki pushes put on the wire. Standard library only."""
import json
import struct

STALE = 0x7FF0000000000002


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(n << 1 ^ n >> 63)


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, s):
    s = s.encode() if isinstance(s, str) else s
    return varint(field << 3 | 2) + varint(len(s)) + s


def double(field, v):
    return varint(field << 3 | 1) + (struct.pack('<Q', v) if isinstance(v, int) and v > 1 << 60 else struct.pack('<d', v))


def snappy(data):
    """One block of literals alone, which every reader takes."""
    out = bytearray(varint(len(data)))
    for i in range(0, len(data), 1 << 16):
        part = data[i:i + (1 << 16)]
        n = len(part) - 1
        out += bytes((n << 2,)) if n < 60 else bytes((61 << 2, n & 0xFF, n >> 8))
        out += part
    return bytes(out)


def histogram(t_ms, schema, count, total, spans, deltas, zero=0):
    packed = b''.join(zigzag(d) for d in deltas)
    return (number(1, count) + double(3, float(total)) + varint(4 << 3) + zigzag(schema) + double(5, 1e-128) + number(6, zero)
            + b''.join(text(11, varint(1 << 3) + zigzag(o) + number(2, n)) for o, n in spans) + text(12, packed) + number(15, t_ms))


def write1(series, metas=()):
    """series: [(labels [(name, value)], [(ms, value)], [histogram messages])]"""
    out = b''
    for labels, samples, *hists in series:
        s = b''.join(text(1, text(1, k) + text(2, v)) for k, v in labels)
        s += b''.join(text(2, double(1, v) + number(2, t)) for t, v in samples)
        s += b''.join(text(4, h) for h in (hists[0] if hists else ()))
        out += text(1, s)
    for name, kind, help_, unit in metas:
        out += text(3, number(1, kind) + text(2, name) + text(4, help_) + text(5, unit))
    return out


def write2(series, cut=None):
    """The same in version 2; with (type, help, unit, created ms) behind a series. `cut`: symbols left out at the end."""
    symbols, out = [''], b''

    def ref(s):
        if s not in symbols:
            symbols.append(s)
        return symbols.index(s)

    for labels, samples, *more in series:
        s = text(1, b''.join(varint(ref(x)) for pair in labels for x in pair))
        s += b''.join(text(2, double(1, v) + number(2, t)) for t, v in samples)
        s += b''.join(text(3, h) for h in (more[0] if more else ()))
        if len(more) > 1:
            kind, help_, unit, created = more[1]
            s += text(5, number(1, kind) + number(3, ref(help_)) + number(4, ref(unit))) + number(6, created)
        out += text(5, s)
    return b''.join(text(4, s) for s in symbols[:cut]) + out


def loki_pb(streams):
    """streams: [(labels text, [(ns, line, [(name, value)])])]"""
    out = b''
    for labels, entries in streams:
        s = text(1, labels)
        for ns, line, meta in entries:
            s += text(2, text(1, number(1, ns // 10**9) + number(2, ns % 10**9)) + text(2, line)
                      + b''.join(text(3, text(1, k) + text(2, v)) for k, v in meta))
        out += text(1, s)
    return out


def loki_json(streams):
    return json.dumps({'streams': [{'stream': dict(labels), 'values': [[str(ns), line, dict(meta)] if meta else [str(ns), line]
                                    for ns, line, meta in entries]} for labels, entries in streams]}).encode()
