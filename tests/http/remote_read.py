#!/usr/bin/env python3
"""Remote read: what was written comes back, by its matchers and within its times; requests
that are none are refused."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import Ccmon                            # noqa: E402
from pushwire import number, snappy, text, write1  # noqa: E402

T = 1767225600000
HEADERS = {'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0'}
EQ, NE, RE, NRE = range(4)


def varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 0x7F) << shift
        i, shift = i + 1, shift + 7
        if b[i - 1] < 0x80:
            return n, i


def unsnappy(b):
    size, i = varint(b, 0)
    out = bytearray()
    while i < len(b):
        tag, i = b[i], i + 1
        if tag & 3 == 0:
            n = tag >> 2
            if n >= 60:
                k = n - 59
                n, i = int.from_bytes(b[i:i + k], 'little'), i + k
            out += b[i:i + n + 1]
            i += n + 1
            continue
        if tag & 3 == 1:
            n, back, i = (tag >> 2 & 7) + 4, tag >> 5 << 8 | b[i], i + 1
        else:
            k = 2 if tag & 3 == 2 else 4
            n, back, i = (tag >> 2) + 1, int.from_bytes(b[i:i + k], 'little'), i + k
        for _ in range(n):
            out.append(out[-back])
    assert len(out) == size
    return bytes(out)


def fields(b):
    i = 0
    while i < len(b):
        tag, i = varint(b, i)
        if tag & 7 == 2:
            n, i = varint(b, i)
            yield tag >> 3, b[i:i + n]
            i += n
        elif tag & 7 == 1:
            yield tag >> 3, struct.unpack('<d', b[i:i + 8])[0]
            i += 8
        else:
            v, i = varint(b, i)
            yield tag >> 3, v


def decode(body):
    results = []
    for _, result in fields(unsnappy(body)):
        one = {}
        for _, series in fields(result):
            labels, samples = [], []
            for f, v in fields(series):
                part = dict(fields(v))
                if f == 1:
                    labels.append((part[1].decode(), part[2].decode()))
                else:
                    samples.append((part[2], part[1]))
            one[tuple(labels)] = samples
        results.append(one)
    return results


def query(start, end, *matchers):
    return text(1, number(1, start) + number(2, end)
                + b''.join(text(3, number(1, op) + text(2, k) + text(3, v)) for op, k, v in matchers))


A, B = (('__name__', 'reads'), ('job', 'a"b\\c')), (('__name__', 'reads'), ('job', 'x'))
PASS = FAIL = 0


def check(what, ok):
    global PASS, FAIL
    PASS, FAIL = PASS + bool(ok), FAIL + (not ok)
    if not ok:
        print('FAIL ' + what)


def main():
    with Ccmon() as c:
        rows = [(list(A), [(T, 1.0), (T + 1000, 2.0), (T + 2000, 3.0)]), (list(B), [(T + 1000, 5.0)])]
        s, _, b = c.request('prometheus', 'POST', '/api/v1/write', snappy(write1(rows)), HEADERS)
        check('written: %s %s' % (s, b), s in (200, 204))

        def ask(body):
            return c.request('prometheus', 'POST', '/api/v1/read', body, HEADERS)

        name = (EQ, '__name__', 'reads')
        s, h, b = ask(snappy(query(T, T + 1000, name, (EQ, 'job', 'a"b\\c')) + query(T + 1, T + 5000, name, (NRE, 'job', 'a.*'))
                             + query(T, T, name, (NE, 'job', 'x')) + query(T, T + 9000, (RE, '__name__', 'nothing.*'))))
        check('answered: %s' % s, s == 200)
        got = decode(b) if s == 200 else b
        want = [{A: [(T, 1.0), (T + 1000, 2.0)]}, {B: [(T + 1000, 5.0)]}, {A: [(T, 1.0)]}, {}]
        check('got %r' % (got,), got == want)
        for what, body in (('no snappy', b'\xff\xff\xff'), ('no protobuf', snappy(b'\x0a\xff')), ('no matcher', snappy(query(T, T))),
                           ('no such operator', snappy(query(T, T, (9, 'a', 'b')))), ('a bad expression', snappy(query(T, T, (RE, 'a', '('))))):
            s, _, b = ask(body)
            check('%s: %s %s' % (what, s, b[:100]), s == 400)
    print('%d passed, %d failed' % (PASS, FAIL))
    return FAIL != 0


if __name__ == '__main__':
    sys.exit(main())
