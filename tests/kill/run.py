#!/usr/bin/env python3
"""kill -9 at random instants, on the real binary under load over every protocol, while it is queried, flushes all the
time, drops old days and is backed up. After each start: exactly what was acknowledged, each row once, and of what was not
at most whole requests.

    KILLS=1000 tests/kill/run.py [SEED]      50 of a random seed if not given

The seed is printed first; the requests, what they say and when they are sent again follow from it. The instants are
those of the machine: what a failure leaves is kept and named.
"""
import gzip
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import h2                                                         # noqa: E402
import otlp                                                       # noqa: E402
import pushwire as wire                                           # noqa: E402
from ccmon import BINARY, Ccmon                                   # noqa: E402

KILLS = int(os.environ.get('KILLS', '50'))
LIFE = 50                                          # kills of one directory
DAY = 86400 * 10**9
OLD_DAYS = 40                                      # of the rows that retention takes half-way
TIGHT = 'flush_rows=60 segment_bytes=1048576 tick_ms=150 flush_age_ms=400'
JSON, PROTO = 'application/json', 'application/x-protobuf'


def fixed(field, n):
    return wire.varint(field << 3 | 1) + n.to_bytes(8, 'little')


def any_string(s):
    return wire.text(1, s)


def pb_attributes(field, d):
    return b''.join(wire.text(field, wire.text(1, k) + wire.text(2, any_string(v))) for k, v in d.items())


def pb_logs(records):
    body = b''.join(wire.text(2, fixed(1, t) + wire.text(5, any_string(text)) + pb_attributes(6, a)) for t, text, a in records)
    return wire.text(1, wire.text(1, pb_attributes(1, {'service.name': 'kill'})) + wire.text(2, body))


def json_logs(records):
    return json.dumps({'resourceLogs': [{'resource': {'attributes': otlp.attributes({'service.name': 'kill'})}, 'scopeLogs': [{'logRecords': [
        {'timeUnixNano': str(t), 'body': {'stringValue': text}, 'attributes': otlp.attributes(a)} for t, text, a in records]}]}]}).encode()


def json_spans(spans):
    return json.dumps({'resourceSpans': [{'resource': {'attributes': otlp.attributes({'service.name': 'kill'})}, 'scopeSpans': [{'spans': [
        {'traceId': trace, 'spanId': span, 'name': 'tool', 'startTimeUnixNano': str(t), 'endTimeUnixNano': str(t + 10**6),
         'attributes': otlp.attributes(a)} for trace, span, t, a in spans]}]}]}).encode()


class Request:
    """One request and the keys of its rows: `kind` says where they are found, `weight` what one counts as there."""

    def __init__(self, number, rng, now_ns):
        self.n, self.acked, self.cut, self.weight = number, False, False, 1
        self.kind = rng.choice(('json', 'proto', 'grpc', 'spans', 'delta', 'cumulative', 'write1', 'write2', 'loki', 'lokipb'))
        rows = rng.choice((1, 3, 3, 8))
        self.old = rng.random() < 0.06 and self.kind in ('json', 'proto', 'delta')
        self.keys = ['k%d-%d' % (number, i) for i in range(rows)]
        first = now_ns - (OLD_DAYS * DAY if self.old else rng.choice((0, 0, 0, 1, 3)) * DAY)
        times = [first - i * rng.choice((1000, DAY // 2)) - number * 1000 for i in range(rows)]
        self.gzip = rng.random() < 0.3
        self.make(rng, times)

    def make(self, rng, times):
        more = {'session.id': 's%d' % (self.n % 11)}
        records = [(t, 'line ' + k, dict(more, k=k, **({'prompt': 'p' * rng.randrange(200)} if rng.random() < 0.5 else {})))
                   for t, k in zip(times, self.keys)]
        self.port, self.path, self.type, self.table = 'otlp-http', '/v1/logs', JSON, 'logs'
        if self.kind == 'json':
            self.body = json_logs(records)
        elif self.kind in ('proto', 'grpc'):
            self.body, self.type = pb_logs(records), PROTO
            self.port = 'otlp-grpc' if self.kind == 'grpc' else self.port
        elif self.kind == 'spans':
            self.body, self.path, self.table = json_spans([('%032x' % (self.n + 1), '%016x' % (i + 1), t, dict(more, k=k))
                                                           for i, (t, k) in enumerate(zip(times, self.keys))]), '/v1/traces', 'spans'
        elif self.kind in ('delta', 'cumulative'):
            how = otlp.DELTA if self.kind == 'delta' else otlp.CUMULATIVE
            self.weight = self.n % 5 + 1
            self.body = otlp.metrics([(t - 10**9, t, float(self.weight), dict(more, k=k)) for t, k in zip(times, self.keys)], how, 'kill.sum', '1')
            self.path, self.table = '/v1/metrics', 'sums'
        elif self.kind in ('write1', 'write2'):
            series = [([('__name__', 'kill_written'), ('k', k)], [(t // 10**6, float(self.n))]) for t, k in zip(times, self.keys)]
            make = wire.write1 if self.kind == 'write1' else wire.write2
            self.port, self.path, self.table = 'prometheus', '/api/v1/write', 'written'
            self.body, self.type = wire.snappy(make(series)), PROTO + ('' if self.kind == 'write1' else ';proto=io.prometheus.write.v2.Request')
        else:
            self.port, self.path, self.table = 'loki', '/loki/api/v1/push', 'pushed'
            entries = [(t, 'line ' + k, [('k', k)]) for t, k in zip(times, self.keys)]
            self.body = wire.loki_json([([('job', 'kill')], entries)]) if self.kind == 'loki' else wire.snappy(wire.loki_pb([('{job="kill"}', entries)]))
            self.type = JSON if self.kind == 'loki' else PROTO

    def headers(self):
        h = {'Content-Type': self.type}
        if self.kind.startswith('write'):
            h['Content-Encoding'] = 'snappy'
        elif self.gzip and self.kind not in ('lokipb', 'grpc'):
            h['Content-Encoding'] = 'gzip'
        return h

    def bytes(self):
        return gzip.compress(self.body) if self.headers().get('Content-Encoding') == 'gzip' else self.body


class Client(threading.Thread):
    """Sends what `life` gives until the server is gone."""

    def __init__(self, life):
        super().__init__(daemon=True)
        self.life, self.conns, self.odd = life, {}, []

    def send(self, r):
        if r.kind == 'grpc':
            c = self.conns.get('grpc') or self.conns.setdefault('grpc', h2.Connection(self.life.c.ports['otlp-grpc'], timeout=10))
            return 200 if h2.grpc_call(c, h2.export_path('logs'), r.body).status == 0 else 503
        c = self.conns.get(r.port) or self.conns.setdefault(r.port, http.client.HTTPConnection('127.0.0.1', self.life.c.ports[r.port], timeout=10))
        c.request('POST', r.path, r.bytes(), r.headers())
        a = c.getresponse()
        text = a.read()
        if a.status not in (200, 204, 429, 503):
            self.odd.append('%s: %d %s' % (r.kind, a.status, text[:200]))
        return a.status

    def run(self):
        try:
            while not self.life.over:
                r = self.life.next_request()
                if self.send(r) in (200, 204):
                    r.acked = True
        except (OSError, http.client.HTTPException, h2.Gone):
            pass
        for c in self.conns.values():
            c.close()


class Asker(threading.Thread):
    QUERIES = (('prometheus', '/api/v1/query', 'sum by (k) (increase(kill_sum_ratio_total[2d]))'), ('prometheus', '/api/v1/query', 'count(kill_written)'),
               ('loki', '/loki/api/v1/query', 'sum(count_over_time({service_name="kill"} |= "line" [6d]))'), ('prometheus', '/api/v1/labels', None))

    def __init__(self, life):
        super().__init__(daemon=True)
        self.life, self.odd = life, []

    def run(self):
        i = 0
        try:
            while not self.life.over:
                port, path, query = self.QUERIES[i % len(self.QUERIES)]
                c = http.client.HTTPConnection('127.0.0.1', self.life.c.ports[port], timeout=10)
                c.request('GET', path + ('?query=' + urllib.parse.quote(query) if query else ''))
                a = c.getresponse()
                text = a.read()
                if a.status not in (200, 503):
                    self.odd.append('%s: %d %s' % (query, a.status, text[:200]))
                c.close()
                i += 1
        except (OSError, http.client.HTTPException):
            pass


class Life:
    """One data directory and everything that was ever sent to it."""

    def __init__(self, seed, root):
        self.rng, self.root = random.Random(seed), root
        self.lock, self.requests, self.again = threading.Lock(), [], []
        self.over, self.failures = False, []
        self.checked = 0                           # requests before it were looked at and are not looked at each time
        self.c = Ccmon(data=os.path.join(root, 'data'), env={'CCMON_TIGHT': TIGHT})
        os.makedirs(self.c.data, mode=0o700)

    def next_request(self):
        with self.lock:
            if self.again and self.rng.random() < 0.5:
                return self.again.pop()
            if self.requests and self.rng.random() < 0.08:
                return self.rng.choice(self.requests)              # a resend, mostly of something acknowledged
            r = Request(len(self.requests), self.rng, time.time_ns())
            self.requests.append(r)
            return r

    def fail(self, what):
        if len(self.failures) < 20:
            print('FAIL %s' % what, flush=True)
        self.failures.append(what)

    # ---- what is there

    def vector(self, port, query):
        path = '/api/v1/query' if port == 'prometheus' else '/loki/api/v1/query'
        at = {'time': repr(time.time() + 2)} if port == 'prometheus' else {'time': str(time.time_ns() + 2 * 10**9)}
        d = self.c.get_json(port, path, query=query, **at)
        return {r['metric']['k']: float(r['value'][1]) for r in d['data']['result'] if r['metric'].get('k')}

    def found(self, keys):
        days = OLD_DAYS + 8
        return {
            'logs': self.vector('loki', 'sum by (k) (count_over_time({service_name="kill"} | k=~`%s` [%dd]))' % (keys, days)),
            'spans': self.vector('loki', 'sum by (k) (count_over_time({service_name="kill",ccmon_signal="spans"} | k=~`%s` [%dd]))' % (keys, days)),
            'pushed': self.vector('loki', 'sum by (k) (count_over_time({job="kill",service_name!="kill"} | k=~`%s` [%dd]))' % (keys, days)),
            'written': self.vector('prometheus', 'sum by (k) (count_over_time(kill_written{k=~"%s"}[%dd]))' % (keys, days)),
            'sums': self.vector('prometheus', 'sum by (k) (increase({__name__=~"kill_sum.*",k=~"%s"}[%dd]))' % (keys, days)),
        }

    def check(self, requests, what):
        if not requests:
            return
        here = self.found('k.+' if len(requests) > 300 else 'k(%s)-.*' % '|'.join(str(r.n) for r in requests))
        for r in requests:
            counts = [here[r.table].get(k, 0) / r.weight for k in r.keys]
            maybe = r.cut                          # its day goes; sent again it stands at its receipt meanwhile
            if any(n not in (0, 1) and not (maybe and n == 2) for n in counts):
                self.fail('%s: request %d (%s) counts %s' % (what, r.n, r.kind, counts))
            elif not maybe and r.acked and 0 in counts:
                self.fail('%s: request %d (%s) was acknowledged and has %s' % (what, r.n, r.kind, counts))
            elif not maybe and 0 in counts and 1 in counts:
                self.fail('%s: request %d (%s) is torn: %s' % (what, r.n, r.kind, counts))
            elif 1 in counts:
                r.acked = r.acked or not maybe     # it is there, so it has to stay

    # ---- one kill

    def load(self):
        self.over = False
        clients, asker = [Client(self) for _ in range(3)], Asker(self)
        for t in clients + [asker]:
            t.start()
        time.sleep(self.rng.random() ** 2 * 0.5)
        return clients, asker

    def end(self, clients, asker):
        how = self.rng.random()
        if how < 0.12:                             # in the middle of a stop
            self.c.proc.terminate()
            time.sleep(self.rng.random() * 0.03)
        self.c.kill()
        self.over = True
        for t in clients + [asker]:
            t.join()
            for odd in t.odd:
                self.fail('an odd answer: ' + odd)
        with self.lock:
            self.again = [r for r in self.requests[-200:] if not r.acked]

    def start(self):
        """Sometimes killed at its start, too."""
        while self.rng.random() < 0.2:
            p = subprocess.Popen([BINARY, 'serve', '--data', self.c.data, '--retention', self.c.retention] +
                                 [a for n in ('otlp-http', 'otlp-grpc', 'prometheus', 'loki', 'web') for a in ('--port', n + '=0')],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.c.env)
            time.sleep(self.rng.random() ** 2 * 0.08)
            p.kill()
            p.wait()
        self.c.start()

    def backup(self):
        to = os.path.join(self.root, 'backups')
        with self.lock:
            before = [r for r in self.requests if r.acked and not r.cut]
        done = subprocess.run([BINARY, 'backup', '--url', 'http://127.0.0.1:%d' % self.c.ports['web'], to], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return self.fail('backup: ' + done.stderr)
        return before

    def restored(self, before):
        data, to = os.path.join(self.root, 'restored'), os.path.join(self.root, 'backups')
        shutil.rmtree(data, ignore_errors=True)
        done = subprocess.run([BINARY, 'restore', to, '--data', data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return self.fail('restore: ' + done.stderr)
        mine, self.c = self.c, Ccmon(data=data)
        self.c.retention = mine.retention
        with self.c:
            self.check(before, 'restored')
        self.c = mine

    def run(self, kills):
        self.c.start()
        before = None
        for i in range(kills):
            clients, asker = self.load()
            if i % 25 == 7:
                before = self.backup()
            self.end(clients, asker)
            if i == kills // 2:
                self.c.retention = '%dd' % (OLD_DAYS - 10)
                for r in self.requests:
                    r.cut = r.old
            self.start()
            self.check(self.requests[self.checked:], 'kill %d' % i)
            self.checked = max(0, len(self.requests) - 100)
            if self.failures:
                break
        self.check(self.requests, 'at the end')
        self.c.stop()
        if before:
            self.restored(before)
        said = [l for l in open(self.c.log, errors='replace').read().splitlines() if ' error ' in l or 'quarantine' in l and 'unfinished' not in l]
        if said:
            self.fail('the log says: ' + said[0])
        check = subprocess.run([BINARY, 'check', '--data', self.c.data], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check.returncode:
            self.fail('ccmon check: ' + check.stdout[-500:])


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(10**6)
    print('seed %d, %d kills' % (seed, KILLS), flush=True)
    failed, done, rows = 0, 0, 0
    while done < KILLS and not failed:
        n = min(LIFE, KILLS - done)
        root = tempfile.mkdtemp(prefix='ccmon-kill-')
        life = Life(seed * 1000 + done // LIFE, root)
        life.run(n)
        done, rows = done + n, rows + sum(len(r.keys) for r in life.requests)
        failed += bool(life.failures)
        if life.failures:
            print('%d failures; all of it is in %s (life %d of seed %d)' % (len(life.failures), root, done // LIFE, seed))
            life.c.kill()
        else:
            shutil.rmtree(root, ignore_errors=True)
    print('%d kills, %d requests of the last life, %d rows in all' % (done, len(life.requests), rows))
    print('%d passed, %d failed' % (done if not failed else 0, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
