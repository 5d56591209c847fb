#!/usr/bin/env python3
"""What can go wrong below the real binary: a full disk, a failing sync, a disk that is read only, a clock that jumps, a
second process, a newer format, bits that flip. Each time: a clear word with cause and cure, the rest goes on, and what was
acknowledged is there."""
import glob
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                                       # noqa: E402
from ccmon import BINARY, Ccmon                                   # noqa: E402

SHIM = os.path.join(os.path.dirname(os.path.abspath(BINARY)), 'tests', 'libfaults_shim.so')
DAY, ENOSPC, EIO, EROFS = 86400 * 10**9, 28, 5, 30
passed, failed = 0, 0


def check(what, ok, more=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print('FAIL %s: %s' % (what, str(more)[-600:]), flush=True)


class Shim:
    """The file that the shim reads."""

    def __init__(self, below):
        self.file = tempfile.NamedTemporaryFile(prefix='ccmon-shim-')
        self.below = below
        self.set()

    def set(self, clock=0, write=0, sync=0):
        data = struct.pack('<qii240s', clock, write, sync, self.below.encode())
        os.pwrite(self.file.fileno(), data, 0)

    def env(self):
        return {'LD_PRELOAD': SHIM, 'CCMON_SHIM': self.file.name, 'CCMON_TIGHT': 'flush_rows=40 tick_ms=200 flush_age_ms=300'}


def send(c, n, at=None):
    """One record `n`; the status of the answer and its headers."""
    body = json.dumps({'resourceLogs': [{'resource': {'attributes': otlp.attributes({'service.name': 'faults'})}, 'scopeLogs': [{'logRecords': [
        {'timeUnixNano': str(at or time.time_ns()), 'body': {'stringValue': 'n%d' % n},
         'attributes': otlp.attributes({'prompt': 'p' * 50, 'session.id': 's'})}]}]}]}).encode()
    status, headers, _ = c.post('/v1/logs', body, 'application/json')
    return status, headers


def count(c, days=40, ahead=40):
    v = c.loki('sum(count_over_time({service_name="faults"} [%dd]))' % (days + ahead), time.time_ns() + ahead * DAY)
    return int(sum(v.values()))


def until(what, test, seconds=15):
    for _ in range(seconds * 20):
        if test():
            return check(what, True)
        time.sleep(0.05)
    check(what, False)


def disk(errno_name, write, sync):
    data = tempfile.mkdtemp(prefix='ccmon-faults-')
    shim = Shim(data)
    with Ccmon(data=data, env=shim.env()) as c:
        for n in range(60):
            check(errno_name + ': taken', send(c, n)[0] == 200)
        shim.set(write=write, sync=sync)
        answers = [send(c, 100 + n) for n in range(3)]
        check(errno_name + ': answered 503', all(s == 503 for s, _ in answers), answers)
        check(errno_name + ': with Retry-After', all('retry-after' in h for _, h in answers), answers)
        check(errno_name + ': queries go on', count(c) == 60, count(c))
        status = c.get_json('web', '/api/ccmon/status')
        check(errno_name + ': the status says why', status['read_only'] and data in status['reason'], status.get('reason'))
        time.sleep(0.5)
        shim.set()
        until(errno_name + ': it recovers by itself', lambda: send(c, 200)[0] == 200)
        check(errno_name + ': all of it once', count(c) == 61, count(c))
        c.kill_and_restart()
        check(errno_name + ': and after a kill', 61 <= count(c) <= 64, count(c))
        check(errno_name + ': the log names the file', data in open(c.log).read())
    shutil.rmtree(data)


def read_only():
    data = tempfile.mkdtemp(prefix='ccmon-faults-')
    shim = Shim(data)
    shim.set(write=EROFS)
    c = Ccmon(data=data, env=shim.env())
    try:
        c.start()
        check('read only: does not start', False)
    except RuntimeError as e:
        check('read only: says so', 'rc 1' in str(e) and data in str(e) and 'Read-only' in str(e), e)
    shutil.rmtree(data)


def clock():
    data = tempfile.mkdtemp(prefix='ccmon-faults-')
    shim, sent = Shim(data), 0
    with Ccmon(data=data, env=shim.env()) as c:
        for days in (0, 3, -3, 30, 0, -20, 0):
            shim.set(clock=days * DAY)
            for _ in range(50):
                check('clock %+d days: taken' % days, send(c, sent, time.time_ns() + days * DAY)[0] == 200)
                sent += 1
            check('clock %+d days: all there' % days, count(c) == sent, count(c))
            c.restart()
            check('clock %+d days: after a start' % days, count(c) == sent, count(c))
    shutil.rmtree(data)


def second():
    with Ccmon() as c:
        p = subprocess.run([BINARY, 'serve', '--data', c.data, '--port', 'web=0'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
        check('a second process is refused', p.returncode == 1 and 'pid %d, since 2' % c.proc.pid in p.stderr and '--data' in p.stderr, p.stderr)
        check('and the first goes on', send(c, 1)[0] == 200)


def make():
    c = Ccmon(env={'CCMON_TIGHT': 'flush_rows=40'})
    c.start()
    for n in range(90):
        send(c, n, time.time_ns() - (n % 3) * DAY)
    c.kill()
    return c.data


def kinds(data):
    """One file of each kind."""
    day = sorted(f for f in glob.glob(data + '/part/*.db') if 'content' not in f)[0]
    return {'catalogue': data + '/ccmon.db', 'partition': day, 'content': day[:-3] + '.content.db', 'log': sorted(glob.glob(data + '/log/*.seg'))[-1]}


def look(what, data, change):
    """Changes a copy and starts on it: it must say no by name, or run; then answers are right or the log says what is wrong."""
    copy = tempfile.mkdtemp(prefix='ccmon-faults-')
    shutil.rmtree(copy)
    shutil.copytree(data, copy)
    change(copy)
    c = Ccmon(data=copy)
    try:
        c.start()
    except RuntimeError as e:
        check(what + ': refused by name', 'rc 1' in str(e) and copy in str(e), e)
        shutil.rmtree(copy)
        return
    try:
        n = count(c)
    except RuntimeError as e:
        n = -1
        check(what + ': the error names the file', copy in str(e), e)
    log = open(c.log).read()
    check(what + ': nothing is lost in silence', n in (-1, 90) or copy in log or 'log:' in log, (n, log))
    check(what + ': the rest goes on', send(c, 1000)[0] == 200)
    check(what + ': alive', c.proc.poll() is None)
    c.stop()
    shutil.rmtree(copy)
    os.unlink(c.log)


def damage(seed):
    rng, data = random.Random(seed), make()
    for kind, path in kinds(data).items():
        rest, size = os.path.relpath(path, data), min(os.path.getsize(path), 60000)

        def flip(copy, at):
            with open(os.path.join(copy, rest), 'r+b') as f:
                f.seek(at)
                byte = f.read(1)
                f.seek(at)
                f.write(bytes([byte[0] ^ 1 << rng.randrange(8)]))

        for at in [0, 18, 100] + [rng.randrange(size) for _ in range(int(os.environ.get('FLIPS', '5')))]:
            look('%s, a bit at %d' % (kind, at), data, lambda copy: flip(copy, at))
        look(kind + ', cut short', data, lambda copy: os.truncate(os.path.join(copy, rest), size // 2))
        if kind != 'log':
            look(kind + ', empty', data, lambda copy: os.truncate(os.path.join(copy, rest), 0))
        look(kind + ', missing', data, lambda copy: os.unlink(os.path.join(copy, rest)))

    def newer(copy):
        db = sqlite3.connect(copy + '/ccmon.db')
        db.execute('PRAGMA user_version=99')
        db.close()
    look('a newer catalogue', data, newer)
    shutil.rmtree(data)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(10**6)
    print('seed %d' % seed, flush=True)
    if os.path.exists(SHIM):
        disk('a full disk', ENOSPC, 0)
        disk('a failing sync', 0, EIO)
        read_only()
        clock()
    else:
        print('SKIP full disks and clocks: there is no %s; it needs Linux' % SHIM)
    second()
    damage(seed)
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
