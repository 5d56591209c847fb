#!/usr/bin/env python3
"""Remote write and Loki's push against the real binary: what is answered to what, that
it reads back as it came, also after a kill, and that nothing counts twice."""
import gzip
import os
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import pushwire as w                               # noqa: E402
from ccmon import Ccmon                            # noqa: E402

PB = 'application/x-protobuf'
PB2 = PB + ';proto=io.prometheus.write.v2.Request'
NOW = int(time.time())
MS, NS = NOW * 1000, NOW * 10**9
passed = failed = 0


def check(what, good, got=''):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print('FAIL %s: %s' % (what, got))


def write(c, body, kind=PB, encoding='snappy', packed=True):
    h = {'Content-Type': kind}
    if encoding:
        h['Content-Encoding'] = encoding
    s, head, b = c.request('prometheus', 'POST', '/api/v1/write', w.snappy(body) if packed else body, h)
    return s, b.decode('utf-8', 'replace').rstrip('\n'), head


def push(c, body, kind='application/json', encoding=None, path='/loki/api/v1/push', port='loki'):
    h = {'Content-Type': kind}
    if encoding:
        h['Content-Encoding'] = encoding
    s, _, b = c.request(port, 'POST', path, body, h)
    return s, b.decode('utf-8', 'replace').rstrip('\n')


def up(name, *samples, **labels):
    return ([('__name__', name)] + sorted(labels.items()), list(samples))


AHEAD = 'out of bounds: timestamp is too far in the future'
GOOD = up('good', (MS, 1.0))
WRITE1 = [
    # what, body, status, text
    ('one sample', w.write1([up('one', (MS, 1.0))]), 204, ''),
    ('nothing', b'', 204, ''),
    ('the same again', w.write1([up('one', (MS, 1.0))]), 204, ''),
    ('another value', w.write1([up('one', (MS, 2.0)), up('beside', (MS, 1.0))]), 400, 'duplicate sample for timestamp'),
    ('two values at once', w.write1([up('twice', (MS, 1.0), (MS, 2.0))]), 400, 'duplicate sample for timestamp'),
    ('older than the newest', w.write1([up('one', (MS - 86400000, 3.0))]), 204, ''),
    ('the year 1970', w.write1([up('old', (0, 1.0), (60000, 2.0))]), 204, ''),
    ('before it', w.write1([up('older', (-60000, 1.0))]), 204, ''),
    ('before all times', w.write1([up('oldest', (-(1 << 62), 1.0))]), 400, 'out of bounds'),
    ('eleven minutes ahead', w.write1([up('ahead', (MS + 660000, 1.0))]), 400, AHEAD),
    ('nine minutes ahead', w.write1([up('ahead', (MS + 540000, 1.0))]), 204, ''),
    ('a stale marker', w.write1([up('stale', (MS - 1000, 1.0), (MS, w.STALE))]), 204, ''),
    ('no name', w.write1([([('a', 'b')], [(MS, 1.0)]), GOOD]), 204, ''),
    ('unsorted labels', w.write1([([('b', '2'), ('__name__', 'unsorted'), ('a', '1')], [(MS, 1.0)])]), 204, ''),
    ('empty values', w.write1([up('empty', (MS, 1.0), a='')]), 204, ''),
    ('any UTF-8 name', w.write1([([('__name__', 'my.metric'), ('h\u00e4?', 'x')], [(MS, 1.0)])]), 204, ''),
    ('no protobuf', b'\xff\xff\xff', 400, 'malformed protobuf at byte 0 of 3'),
    ('cut short', w.write1([GOOD])[:-3], 400, None),
]
WRITE2 = [
    ('version 2', w.write2([up('two', (MS, 1.0))]), 204, '', '1'),
    ('version 2, no name', w.write2([([('a', 'b')], [(MS, 1.0)]), up('good', (MS + 1, 1.0))]), 400, 'invalid metric name or labels, got {a="b"}', '1'),
    ('version 2, an empty label name', w.write2([([('__name__', 'x'), ('', 'b')], [(MS, 1.0)])]), 400,
     'invalid metric name or labels, got {""="b", __name__="x"}', '0'),
    ('version 2, bytes that are no UTF-8', w.write2([([('__name__', 'x'), ('a', b'\xff')], [(MS, 1.0)])]), 400,
     'invalid metric name or labels, got {__name__="x", a="\\xff"}', '0'),
    ('version 2, a label twice', w.write2([([('__name__', 'x'), ('a', '1'), ('a', '2')], [(MS, 1.0)])]), 400,
     'invalid labels for series, labels {__name__="x", a="1", a="2"}, duplicated label a', '0'),
    ('version 2, another value', w.write2([up('two', (MS, 2.0), (MS + 1, 5.0))]), 400,
     'duplicate sample for timestamp for series {__name__="two"}', '1'),
    ('version 2, ahead', w.write2([up('two', (MS + 660000, 2.0))]), 400, AHEAD + ' for series {__name__="two"}', '0'),
    ('version 2, two reasons', w.write2([up('two', (MS + 660000, 2.0)), ([('a', 'b')], [(MS, 1.0)])]), 400,
     AHEAD + ' for series {__name__="two"}\ninvalid metric name or labels, got {a="b"}', '0'),
    ('version 2, no samples', w.write2([up('two')]), 400, 'series must contain at least one sample or histogram for series {__name__="two"}', '0'),
    ('version 2, symbols missing', w.write2([up('two', (MS, 1.0))], cut=2), 400,
     'parsing labels for series [1 2]: labelRefs 1 (name) = 2 (value) outside of symbols table (size 2)', '0'),
]
A = '{a="b"}'
LINE = '{a="1"}'
LOKI = [
    # what, body, content type, status, text
    ('JSON', w.loki_json([([('app', 'x')], [(NS, 'first', [('trace', 't1')]), (NS + 1, 'second', [])])]), None, 204, ''),
    ('protobuf', w.snappy(w.loki_pb([('{app="y"}', [(NS, 'pb', [('trace', 't2')])])])), PB, 204, ''),
    ('values before labels', b'{"streams":[{"values":[["%d","late"]],"stream":{"app":"late"}}]}' % NS, None, 204, ''),
    ('the older form', b'{"streams":[{"labels":"{app=\\"old\\"}","entries":[{"ts":"%s","line":"o"}]}]}'
     % time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(NOW)).encode(), None, 204, ''),
    ('no streams', b'{"streams":[]}', None, 422, 'error at least one valid stream is required for ingestion'),
    ('nothing', b'{}', None, 422, 'error at least one valid stream is required for ingestion'),
    ('a stream without entries', b'{"streams":[{"stream":{},"values":[]}]}', None, 204, ''),
    ('no labels', w.loki_json([([], [(NS, 'x', [])])]), None, 400, 'error at least one label pair is required per stream'),
    ('empty values are no labels', w.loki_json([([('a', '')], [(NS, 'x', [])])]), None, 400, 'error at least one label pair is required per stream'),
    ('a label name that is none', w.loki_json([([('a-b', 'c')], [(NS, 'x', [])])]), None, 400,
     "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '-'"),
    ('labels that do not parse', w.snappy(w.loki_pb([('{a="b"', [(NS, 'x', [])])])), PB, 400,
     "couldn't parse labels: 1:7: parse error: unexpected end of input inside braces"),
    ('a label twice', w.snappy(w.loki_pb([('{a="1", a="2"}', [(NS, 'x', [])])])), PB, 400, 'stream \'{a="1", a="2"}\' has duplicate label name: \'a\''),
    ('sixteen labels', w.loki_json([([('l%02d' % i, 'v') for i in range(16)], [(NS, 'x', [])])]), None, 400, ' has 16 label names; limit 15'),
    ('fifteen and service_name', w.loki_json([([('l%02d' % i, 'v') for i in range(15)] + [('service_name', 's')], [(NS, 'x', [])])]), None, 204, ''),
    ('a long value', w.loki_json([([('a', 'v' * 2049)], [(NS, 'x', [])])]), None, 400, ' has label value too long: \'vvv'),
    ('a long line', w.loki_json([([('a', '1')], [(NS, 'x' * 262145, []), (NS, 'ok', [])])]), None, 400,
     "Max entry size '262144' bytes exceeded for stream '%s' while adding an entry with length '262145' bytes" % LINE),
    ('ahead', w.loki_json([([('a', '1')], [(NS + 660 * 10**9, 'x', [])])]), None, 400, "entry for stream '%s' has timestamp too new: 20" % LINE),
    ('twice the same reason', w.loki_json([([('a', '1')], [(NS + 660 * 10**9, 'x', []), (NS + 660 * 10**9, 'y', [])])]), None, 400, '2 errors like: entry for'),
    ('the year 1970', w.loki_json([([('app', 'seventies')], [(1, 'x', [])])]), None, 204, ''),
    ('no time', w.snappy(w.text(1, w.text(1, A) + w.text(2, w.text(2, 'x')))), PB, 400, "entry for stream '%s' has timestamp too old: 0001-01-01T00:00:00Z" % A),
    ('a time that is a number', b'{"streams":[{"stream":{"a":"1"},"values":[[1,"x"]]}]}', None, 400, "Value is string, but can't find closing"),
    ('a time that is none', b'{"streams":[{"stream":{"a":"1"},"values":[["now","x"]]}]}', None, 400, 'Value looks like Number/Boolean/None'),
    ('much metadata', w.loki_json([([('a', '1')], [(NS, 'm', [('k%d' % i, 'v') for i in range(129)])])]), None, 400,
     "stream '%s' has too many structured metadata labels: '129', limit: '128'. Please see `limits_config.max_structured_metadata_entries_count`" % LINE),
    ('no JSON', b'{"streams":[', None, 400, ''),
    ('no snappy', b'hello', PB, 400, 'snappy: corrupt input'),
]


def answers(c):
    for what, body, status, text in WRITE1:
        s, got, _ = write(c, body)
        check(what, s == status and (text is None or got == text), '%d %r' % (s, got))
    for what, body, status, text, written in WRITE2:
        s, got, head = write(c, body, PB2)
        n = head.get('x-prometheus-remote-write-samples-written')
        check(what, s == status and got == text and n == written, '%d %r %s written' % (s, got, n))
    for what, body, kind, status, text in LOKI:
        s, got = push(c, body, kind or 'application/json')
        check(what, s == status and (text in got if text else status != 204 or not got), '%d %r' % (s, got))


def forms(c):
    body = w.write1([up('form', (MS, 1.0))])
    for what, args, status in (
            ('no headers', dict(kind='', encoding=None), 204),
            ('type with its message', dict(kind=PB + ';proto=prometheus.WriteRequest'), 204),
            ('another type', dict(kind='application/json'), 415),
            ('another message', dict(kind=PB + ';proto=x.Y'), 415),
            ('another coding', dict(encoding='br'), 415),
            ('no snappy', dict(packed=False), 400)):
        s, got, _ = write(c, body, **args)
        check(what, s == status, '%d %r' % (s, got))
    s, got, _ = write(c, gzip.compress(body), encoding='gzip', packed=False)
    check('gzip', s == 204, '%d %r' % (s, got))
    lines = w.loki_json([([('app', 'forms')], [(NS, 'form', [])])])
    for what, body, kw in (('Loki gzip', gzip.compress(lines), dict(encoding='gzip')), ('Loki deflate', zlib.compress(lines), dict(encoding='deflate')),
                           ('Loki older path', lines, dict(path='/api/prom/push')), ('Loki on the web port', lines, dict(port='web')),
                           ('Loki snappy by header', w.snappy(w.loki_pb([('{app="forms"}', [(NS, 'form', [])])])), dict(kind=PB, encoding='snappy'))):
        s, got = push(c, body, **kw)
        check(what, s == 204, '%d %r' % (s, got))


OTLP_LOG = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"by OTLP"}}]}]}]}' % NS
OTLP_SUM = (b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"by_otlp","sum":{"aggregationTemporality":1,"isMonotonic":true,'
            b'"dataPoints":[{"asInt":"1","timeUnixNano":"%d"}]}}]}]}]}' % NS)


def otlp(c):
    """Loki's and Prometheus's own paths for OTLP, on their ports and on the web port."""
    for port, path, body in (('loki', '/otlp/v1/logs', OTLP_LOG), ('web', '/otlp/v1/logs', OTLP_LOG),
                             ('prometheus', '/api/v1/otlp/v1/metrics', OTLP_SUM), ('web', '/api/v1/otlp/v1/metrics', OTLP_SUM)):
        s, _, got = c.request(port, 'POST', path, body, {'Content-Type': 'application/json'})
        check('OTLP at %s of %s' % (path, port), (s, got) == (200, b'{}'), '%d %r' % (s, got))
    n = c.prom('by_otlp_total', NOW + 1)
    check('counted once', list(n.values()) == [1.0], n)


def reads(c, when):
    vec = c.get_json('prometheus', '/api/v1/query', query='{__name__=~"one|twice|two|beside|unsorted|empty|form"}', time=str(NOW + 1))['data']['result']
    got = {tuple(sorted(r['metric'].items())): r['value'][1] for r in vec}
    want = {(('__name__', 'one'),): '1', (('__name__', 'twice'),): '1', (('__name__', 'two'),): '5', (('__name__', 'beside'),): '1',
            (('__name__', 'unsorted'), ('a', '1'), ('b', '2')): '1', (('__name__', 'empty'),): '1', (('__name__', 'form'),): '1'}
    check('samples %s' % when, got == want, got)
    n = c.get_json('prometheus', '/api/v1/query', query='count_over_time(one[2d])', time=str(NOW))['data']['result'][0]['value'][1]
    check('each once %s' % when, n == '2', n)
    stale = c.get_json('prometheus', '/api/v1/query', query='stale', time=str(NOW))['data']['result']
    check('stale %s' % when, stale == [], stale)
    old = c.get_json('prometheus', '/api/v1/query', query='old', time='60')['data']['result']
    check('1970 %s' % when, [r['value'] for r in old] == [[60, '2']], old)
    older = c.get_json('prometheus', '/api/v1/query', query='older', time='-30')['data']['result']
    check('before 1970 %s' % when, [r['value'][1] for r in older] == ['1'], older)
    utf8 = c.get_json('prometheus', '/api/v1/query', query='{"my.metric"}', time=str(NOW + 1))['data']['result']
    check('UTF-8 %s' % when, [r['metric'] for r in utf8] == [{'__name__': 'my.metric', 'h\u00e4?': 'x'}], utf8)
    streams = c.get_json('loki', '/loki/api/v1/query_range', query='{app=~"x|y|late|old|forms"}', start=str(NS - 10**9), end=str(NS + 10**9), limit='99')
    lines = sorted((r['stream']['app'], r['stream'].get('trace', ''), v[1]) for r in streams['data']['result'] for v in r['values'])
    check('lines %s' % when, lines == [('forms', '', 'form'), ('late', '', 'late'), ('old', '', 'o'), ('x', '', 'second'), ('x', 't1', 'first'), ('y', 't2', 'pb')], lines)


def histograms(c):
    h = w.histogram(MS, 0, 6, 18.4, [(0, 2), (1, 1)], [1, 1, 0], zero=1)
    s, got, _ = write(c, w.write1([([('__name__', 'native')], [], [h])], [('native', 3, 'what it is', 'seconds')]))
    check('a native histogram', s == 204, '%d %r' % (s, got))
    r = c.get_json('prometheus', '/api/v1/query', query='histogram_count(native)', time=str(NOW))['data']['result']
    check('its count', [x['value'][1] for x in r] == ['6'], r)
    s, got, head = write(c, w.write2([([('__name__', 'native2')], [], [h], (3, 'help', 'seconds', MS - 5000))]), PB2)
    check('in version 2', s == 204 and head.get('x-prometheus-remote-write-histograms-written') == '1', '%d %r' % (s, got))
    bad = w.histogram(MS, 0, 9, 1, [(0, 5)], [1, 1])
    s, got, _ = write(c, w.write2([([('__name__', 'native2')], [], [bad])]), PB2)
    check('one that is none', s == 400 and 'histogram spans specify different number of buckets than provided for series {__name__="native2"}' in got, '%d %r' % (s, got))
    meta = c.get_json('prometheus', '/api/v1/metadata')['data']
    check('metadata', meta.get('native') == [{'type': 'histogram', 'help': 'what it is', 'unit': 'seconds'}], meta.get('native'))
    check('metadata of a series', meta.get('native2') == [{'type': 'histogram', 'help': 'help', 'unit': 'seconds'}], meta.get('native2'))


def retention():
    with Ccmon(args=['--retention', '30d']) as c:
        c.restart()
        old = MS - 31 * 86400000
        s, got, _ = write(c, w.write1([up('old', (old, 1.0)), up('young', (MS, 1.0))]))
        check('older than the retention', (s, got) == (400, 'out of bounds'), '%d %r' % (s, got))
        s, got = push(c, w.loki_json([([('a', '1')], [(old * 10**6, 'old', []), (NS, 'young', [])])]))
        check('a line older than the retention', s == 400 and "entry for stream '{a=\"1\"}' has timestamp too old: " in got and 'oldest acceptable' in got, got)
        c.kill_and_restart()
        names = c.get_json('prometheus', '/api/v1/label/__name__/values')['data']
        check('the rest was stored', names == ['young'], names)


def privacy(tmp):
    conf = os.path.join(tmp.data, 'private.yml')
    with open(conf, 'w') as f:
        f.write('privacy:\n  - no-people\n')
    secret = 'someone@example.com'
    with Ccmon(args=['--config', conf]) as c:
        for s in (write(c, w.write1([up('cost', (MS, 1.0), user_email=secret)]))[0], write(c, w.write2([up('cost', (MS + 1, 2.0), user_email=secret)]), PB2)[0],
                  push(c, w.loki_json([([('app', 'x'), ('user_email', secret)], [(NS, 'line', [('user.email', secret)])])]))[0]):
            check('with rules', s == 204, s)
        sums = c.prom('sum(sum_over_time(cost[1m]))', NOW + 1)
        check('totals with rules', list(sums.values()) == [3.0], sums)
        n = c.get_json('loki', '/loki/api/v1/query', query='sum(count_over_time({app="x"}[1m]))', time=str(NS + 10**9))['data']['result']
        check('lines with rules', [r['value'][1] for r in n] == ['1'], n)
        c.kill_and_restart()
        sums = c.prom('sum(sum_over_time(cost[1m]))', NOW + 1)
        check('totals with rules after a kill', list(sums.values()) == [3.0], sums)
        found = [p for p, _, files in os.walk(c.data) for x in files if secret.encode() in open(os.path.join(p, x), 'rb').read()]
        check('not one byte of it', not found, found)


def main():
    with Ccmon() as c:
        answers(c)
        forms(c)
        histograms(c)
        otlp(c)
        reads(c, 'at once')
        c.kill_and_restart()
        reads(c, 'after a kill')
        write(c, w.write1([up('one', (MS, 1.0))]))
        push(c, w.loki_json([([('app', 'x')], [(NS, 'first', [('trace', 't1')])])]))
        reads(c, 'sent again')
        c.restart()
        write(c, w.write1([up('one', (MS, 1.0))]))
        push(c, w.loki_json([([('app', 'x')], [(NS, 'first', [('trace', 't1')])])]))
        reads(c, 'sent again after a stop')
        privacy(c)
    retention()
    print('%d passed, %d failed' % (passed, failed))
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
