#!/usr/bin/env python3
"""Backups of the real binary under load, and what a restored directory answers: exactly what was acknowledged before,
each record once, and at most whole later requests. Killed in the middle, the source is unharmed and the backup is not
taken for one. Offline, refused places, refused callers."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import BINARY, Ccmon                                   # noqa: E402

ROWS = 5
passed, failed = 0, 0


def check(what, ok, more=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print('FAIL %s %s' % (what, more), flush=True)


def logs(request, now_ns):
    """A request of ROWS records, each on a day of its own."""
    records = [{'timeUnixNano': str(now_ns - i * 86400 * 10**9), 'body': {'stringValue': 'r%d-%d' % (request, i)},
                'attributes': [{'key': 'session.id', 'value': {'stringValue': 's%d' % (request % 7)}}]} for i in range(ROWS)]
    return json.dumps({'resourceLogs': [{'resource': {'attributes': [{'key': 'service.name', 'value': {'stringValue': 'claude-code'}}]},
                                         'scopeLogs': [{'logRecords': records}]}]}).encode()


class Sender(threading.Thread):
    """Sends request after request; `acked` are those that were answered with success."""

    def __init__(self, c, first):
        super().__init__(daemon=True)
        self.c, self.next, self.acked, self.sent, self.stopping, self.slowest = c, first, [], [], False, 0.0

    def run(self):
        import http.client
        conn = None
        while not self.stopping:
            n, self.next = self.next, self.next + 1
            self.sent.append(n)
            try:
                conn = conn or http.client.HTTPConnection('127.0.0.1', self.c.ports['otlp-http'], timeout=30)
                begin = time.monotonic()
                conn.request('POST', '/v1/logs', logs(n, time.time_ns()), {'Content-Type': 'application/json'})
                r = conn.getresponse()
                r.read()
                self.slowest = max(self.slowest, time.monotonic() - begin)
                if r.status == 200:
                    self.acked.append(n)
            except OSError:
                conn = None
                time.sleep(0.01)

    def stop(self):
        self.stopping = True
        self.join()


PAGE = 5000


def bodies(c):
    """Every record that is there, with how often."""
    found, now = {}, time.time_ns()
    for line in lines(c, now - (ROWS + 1) * 86400 * 10**9, now + 86400 * 10**9):
        found[line] = found.get(line, 0) + 1
    return found


def lines(c, start, end):
    d = c.get_json('loki', '/loki/api/v1/query_range', query='{service_name="claude-code"}', start=str(start), end=str(end), limit=str(PAGE))
    got = [v[1] for s in d['data']['result'] for v in s['values']]
    if len(got) < PAGE:
        return got
    middle = (start + end) // 2
    return lines(c, start, middle) + lines(c, middle, end)


def compare(what, found, acked, sent):
    check(what + ': nothing is there twice', all(n == 1 for n in found.values()))
    missing = [r for r in acked if any('r%d-%d' % (r, i) not in found for i in range(ROWS))]
    check(what + ': everything acknowledged is there', not missing, missing[:5])
    torn = [r for r in sent if 0 < sum('r%d-%d' % (r, i) in found for i in range(ROWS)) < ROWS]
    check(what + ': requests are whole', not torn, torn[:5])


def backup(*args, **kw):
    return subprocess.run([BINARY, 'backup', *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, **kw)


def restore(*args):
    return subprocess.run([BINARY, 'restore', *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def page(c):
    return 'http://127.0.0.1:%d' % c.ports['web']


def under_load(c, root):
    to, s = os.path.join(root, 'backups'), Sender(c, 0)
    s.start()
    for i in range(3):
        while len(s.acked) < 40 * (i + 1):
            time.sleep(0.01)
        before = list(s.acked)
        r = backup('--url', page(c), to)
        check('a backup under load', r.returncode == 0, r.stderr)
        sent = list(s.sent)
        back = os.path.join(root, 'back%d' % i)
        r = restore(to, '--data', back)
        check('a restore', r.returncode == 0, r.stderr)
        with Ccmon(data=back) as again:
            compare('backup %d' % i, bodies(again), before, sent + [n + 1 for n in sent[-1:]])
            log = open(again.log).read()
            check('the restored directory is in order', 'warn' not in log and 'error' not in log, log[-500:])
    s.stop()
    modes = {oct(os.stat(p).st_mode & 0o777) for p in glob.glob(to + '/**', recursive=True) + [to]}
    check('a backup is private', modes <= {'0o700', '0o600'}, modes)
    return s


def killed(c, root, s):
    """kill -9 while backups are made: the data is whole, and what there is of a backup is known as such."""
    to = os.path.join(root, 'killed')
    for i in range(6):
        s = Sender(c, s.next)
        s.start()
        p = subprocess.Popen([BINARY, 'backup', '--url', page(c), to], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.005 + 0.012 * i)
        c.kill()
        s.stop()
        check('the command says that the server went', p.wait(timeout=60) in (0, 1))
        for name in os.listdir(to):
            if name.endswith('.partial'):
                r = restore(os.path.join(to, name), '--data', os.path.join(root, 'never'))
                check('a partial backup is refused', r.returncode == 1 and 'never finished' in r.stderr, r.stderr)
            elif not name.startswith('.'):
                check('a complete one is complete', restore('--verify', os.path.join(to, name)).returncode == 0)
        c.start()
        compare('after kill %d' % i, bodies(c), s.acked, s.sent)
    r = backup('--url', page(c), to)
    check('and the next backup works', r.returncode == 0, r.stderr)
    check('what was partial is gone', not glob.glob(to + '/*.partial'))


def incremental(c, root):
    """On one file system the second backup of an unchanged, closed directory takes no room."""
    c.stop()
    to = os.path.join(root, 'offline')
    first = backup('--data', c.data, to)
    check('a backup without a server', first.returncode == 0, first.stderr)
    second = backup('--data', c.data, to)
    check('and another', second.returncode == 0 and len(os.listdir(to)) == 2, second.stderr)
    c.start()
    r = backup('--data', c.data, to)
    check('with --data a server on other ports is asked for', r.returncode == 1 and '--url' in r.stderr or 'refused' in r.stderr, r.stderr)


def refused(c, root):
    def ask(**params):
        return c.request('web', 'POST', '/api/ccmon/backup', urllib.parse.urlencode(params).encode(),
                         {'Content-Type': 'application/x-www-form-urlencoded'})[0]

    place = os.path.join(root, 'place')
    os.mkdir(place)
    check('without a proof nothing is written', ask(to=place) == 400)
    check('nor with a wrong one', ask(to=place, proof='0' * 32) == 403)
    check('nor with a path in it', ask(to=place, proof='../../../../../etc/passwd'.ljust(32, 'x')) == 400)
    check('nor to a relative place', ask(to='place', proof='0' * 32) == 400)
    status, _, _ = c.request('web', 'POST', '/api/ccmon/backup', b'to=%2Ftmp', {'Content-Type': 'application/x-www-form-urlencoded',
                                                                             'Origin': 'http://evil.example'})
    check('nor for a foreign page', status == 403)
    check('nothing was written', os.listdir(place) == [])
    r = backup('--url', page(c), os.path.join(c.data, 'part'))
    check('a place in the data directory', r.returncode == 1 and 'in the data directory' in r.stderr, r.stderr)
    open(os.path.join(place, 'letters'), 'w').close()
    r = backup('--url', page(c), place)
    check('a place of somebody else', r.returncode == 1 and 'letters' in r.stderr, r.stderr)
    r = backup('--url', 'http://127.0.0.1:9', os.path.join(root, 'nobody'))
    check('a server that is not there', r.returncode == 1 and r.stderr, r.stderr)
    check('no place at all', backup().returncode == 2 and restore().returncode == 2)
    r = backup('--data', os.path.join(root, 'nothing'), os.path.join(root, 'x'))
    check('no data directory', r.returncode == 1 and 'no data directory' in r.stderr and not os.path.exists(os.path.join(root, 'nothing')), r.stderr)


def main():
    root = tempfile.mkdtemp(prefix='ccmon-backup-')
    with Ccmon() as c:
        s = under_load(c, root)
        refused(c, root)
        killed(c, root, s)
        incremental(c, root)
    if not failed:
        shutil.rmtree(root, ignore_errors=True)
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
