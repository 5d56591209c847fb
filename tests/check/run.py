#!/usr/bin/env python3
"""`ccmon check` on directories that the real binary wrote: right ones, after a stop and after
kill -9, are found right and left as they were, with the server's own counts; and each kind of
damage that is done to a copy is named with its file and chunk. `--absent` finds a text at every
place where it is put, whatever it is packed in; a text that is nowhere it does not find."""
import hashlib
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'lib'), os.path.join(HERE, '..', 'privacy')]
import needles                                     # noqa: E402
import recordings                                  # noqa: E402
from ccmon import BINARY, Ccmon                    # noqa: E402

passed = failed = 0
TEXT = 'needle-8f1b@nowhere.example'


def check(what, ok, why=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print('FAIL %s%s' % (what, ': %s' % (why,) if why else ''), flush=True)


def run(data, *args):
    """(exit code, the JSON object or the message)"""
    p = subprocess.run([BINARY, 'check', '--data', data, '--json', *args], capture_output=True, text=True, timeout=120)
    return p.returncode, json.loads(p.stdout) if p.stdout else p.stderr


def fingerprint(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for n in names:
            p = os.path.join(path, n)
            found[os.path.relpath(p, folder)] = hashlib.sha256(open(p, 'rb').read()).hexdigest()
    return found


class Copy:
    """A directory that a test may damage."""

    def __init__(self, data):
        self.root = tempfile.mkdtemp(prefix='ccmon-check-')
        self.data = os.path.join(self.root, 'data')
        shutil.copytree(data, self.data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.root)

    def path(self, *rest):
        return os.path.join(self.data, *rest)

    def files(self, folder, ending):
        return sorted(self.path(folder, n) for n in os.listdir(self.path(folder)) if n.endswith(ending))

    def main(self):
        return next(p for p in self.files('part', '.db') if not p.endswith('.content.db'))

    def content(self):
        return self.files('part', '.content.db')[0]

    def sql(self, path, *statements):
        db = sqlite3.connect(path)
        db.create_function('flip', 2, lambda b, at: bytes(b[:at]) + bytes([b[at] ^ 4]) + bytes(b[at + 1:]))
        for s in statements:
            db.execute(*s) if isinstance(s, tuple) else db.execute(s)
        db.commit()
        db.execute('pragma wal_checkpoint(truncate)')
        db.close()


def fill(server):
    for folder in recordings.folders():
        for r in recordings.load(folder):
            r.send(server)


def right(stopped, killed, rows):
    before = fingerprint(stopped)
    rc, r = run(stopped)
    check('after a stop: nothing is damaged', rc == 0 and not r['damage'] and not r['notes'], r)
    check('after a stop: the counts are the server\'s', {k: r[k] for k in rows} == rows, r)
    check('after a stop: all is in partitions', r['frames_waiting'] == 0 and r['partitions'] > 0 and r['content_columns'] > 0)
    check('after a stop: nothing was changed', fingerprint(stopped) == before)
    before = fingerprint(killed)
    rc, r = run(killed)
    check('after kill -9: nothing is damaged', rc == 0 and not r['damage'], r)
    check('after kill -9: the log has what partitions do not', all(r[k + '_waiting'] >= rows[k] > 0 for k in rows), r)
    check('after kill -9: nothing was changed', fingerprint(killed) == before)
    text = subprocess.run([BINARY, 'check', '--data', stopped], capture_output=True, text=True)
    check('as text', text.returncode == 0 and text.stdout.endswith('nothing is damaged\n'), text.stdout)


# ---- damage: (what, function over a copy, pattern of "file: text") --------------------------------

def flip_column(kind, number):
    def do(c):
        path = c.content() if kind == 'content' else c.main()
        db = sqlite3.connect(path)
        ids = [i for i, in db.execute('select id from "column" order by id')]
        db.close()
        at = ids[number % len(ids)]
        c.sql(path, ('update "column" set data=flip(data, length(data)/2) where id=?', (at,)))
    return do


def by_sql(*statements, content=False):
    return lambda c: c.sql(c.content() if content else c.main(), *statements)


def by_catalogue(*statements):
    return lambda c: c.sql(c.path('ccmon.db'), *statements)


def remove(which):
    return lambda c: os.unlink(which(c))


def flip_page(c):
    """In the middle of a tree of SQLite's own: the type of a page."""
    with open(c.main(), 'r+b') as f:
        f.seek(4096 * 2)
        f.write(b'\x77')


DAMAGE = [
    ('a bit of a column', flip_column('main', 5), r'part/.*: chunk \d+: .*column \d+'),
    ('a bit of the times', flip_column('main', 0), r'part/.*: chunk 1: '),
    ('a bit of content', flip_column('content', 0), r'part/.*: chunk \d+: .*column \d+'),
    ('a bit of a summary', by_sql('update chunk set summary=flip(summary, length(summary)/2) where id=2'), r'chunk 2: its summary'),
    ('a bit of a filter', by_sql('update filter set data=flip(data, length(data)/2) where id=1'), r'chunk 1: its filter'),
    ('a filter of another chunk', by_sql('update filter set data=(select data from filter where id=1) where id=2'),
     r'chunk 2: .*the filter does not know'),
    ('a missing column', by_sql('delete from "column" where id=4096'), r'chunk 1: '),
    ('a missing attribute', by_sql('delete from "column" where id=(select max(id) from "column")'), r'chunk \d+: .*is missing'),
    ('a column of no chunk', by_sql('insert into "column" values(4096*900, x\'00\')'), r'1 columns belong to no chunk'),
    ('two columns exchanged', by_sql('update "column" set data=(select data from "column" where id=4096) where id=4097'),
     r'chunk 1: '),
    ('rows of a chunk', by_sql('update chunk set rows=rows+1 where id=1'), r'chunk 1: its row and its summary differ'),
    ('rows of a partition', by_sql('update part set logs=logs+1'), r'says that it has \d+ log records'),
    ('a page', flip_page, r'part/.*(malformed|SQLite says)'),
    ('a carried total', by_sql("insert into carry values(x'00', 0, 0, 0, 0)"), r'1 totals of no series'),
    ('the list of partitions', by_catalogue('update part set mark=mark+1'), r'the catalogue says other things'),
    ('a missing partition', remove(Copy.main), r'ccmon.db: lists partition .*not there'),
    ('a newer partition', by_sql('update part set format=99'), r'format 99.*newer ccmon'),
]


def damaged(stopped):
    for what, do, pattern in DAMAGE:
        with Copy(stopped) as c:
            do(c)
            rc, r = run(c.data)
            said = ['%s: %s' % (x['file'], x['text']) for x in r['damage']]
            check(what, rc == 1 and any(re.search(pattern, s) for s in said), said)
            before = fingerprint(c.data)
            run(c.data)
            check(what + ': stays as it is', fingerprint(c.data) == before)


def frames(path):
    """(offset, length) of the frames of a segment."""
    data, at, found = open(path, 'rb').read(), 128, []
    while at + 56 <= len(data):
        length, _, seq = struct.unpack_from('<IIQ', data, at)
        if not seq:
            return found
        found.append((at, length))
        at += (56 + length + 7) & ~7
    return found


def damaged_log(killed):
    def flip(c, at):
        with open(c.files('log', '.seg')[0], 'r+b') as f:
            f.seek(at)
            b = f.read(1)
            f.seek(at)
            f.write(bytes([b[0] ^ 1]))

    all_frames = frames(next(os.path.join(killed, 'log', n) for n in os.listdir(os.path.join(killed, 'log'))))
    for what, at, rc_want, pattern in (
            ('a frame in the middle', all_frames[7][0] + 60, 1, r'cannot be read, and good frames follow'),
            ('the head of a frame', all_frames[7][0] + 3, 1, r'cannot be read, and good frames follow'),
            ('the last frame', all_frames[-1][0] + 60, 0, r'of a write that was cut short'),
            ('one head of the segment', 3, 0, None)):
        with Copy(killed) as c:
            flip(c, at)
            rc, r = run(c.data)
            said = ['%s: %s' % (x['file'], x['text']) for x in r['damage'] + r['notes']]
            check('log: ' + what, rc == rc_want and (not pattern or any(re.search('log/.*' + pattern, s) for s in said)), said)
    with Copy(killed) as c:
        with open(c.files('log', '.seg')[0], 'r+b') as f:
            f.write(bytes(128))
        rc, r = run(c.data)
        check('log: both heads', rc == 1 and 'no readable head' in r['damage'][0]['text'], r['damage'])


# ---- texts ------------------------------------------------------------------------------------------

def absent(stopped, killed):
    people = [n for n, kind in needles.needles().items() if kind.startswith('user.')]
    sessions = set()
    for folder in recordings.folders()[:5]:
        for name, text in (v for r in recordings.load(folder) for v in needles.pb_values(needles.body_of(r))):
            if name == 'session.id' and needles.UUID.fullmatch(text):
                sessions.add(text)
    check('there are people and sessions to look for', len(people) > 5 and len(sessions) > 3, (people, sessions))
    for data, when in ((stopped, 'stopped'), (killed, 'killed')):
        rc, r = run(data, '--absent', TEXT)
        check('%s: what is nowhere is not found' % when, rc == 0 and not r['found'], r['found'])
        for text in people[:6] + sorted(sessions)[:4]:
            rc, r = run(data, '--absent', text)
            check('%s: %s is found' % (when, text), rc == 1 and r['found'])


def plant_setting(c):
    c.sql(c.path('ccmon.db'), ('insert into setting values(?, ?)', (b'x', TEXT.encode())))


def plant_free_page(c):
    """In a page that SQLite has given up."""
    c.sql(c.main(), 'pragma secure_delete=off', 'create table t(x)',
          ('insert into t values(?)', (TEXT * 2000,)), 'drop table t')


def plant_room(c):
    with open(c.files('log', '.seg')[0], 'r+b') as f:
        f.seek(40 << 20)
        f.write(TEXT.encode())


def plant_file(name):
    def do(c):
        os.makedirs(os.path.dirname(c.path(name)), exist_ok=True)
        with open(c.path(name), 'wb') as f:
            f.write(b'\0' * ((4 << 20) - 7) + TEXT.encode())     # over the edge of a window
    return do


def plant_wal(c):
    """In a WAL whose transaction was rolled over by another: no query sees it any more."""
    db = sqlite3.connect(c.main())
    db.execute('pragma journal_mode=wal')
    db.execute('pragma wal_autocheckpoint=0')
    db.execute('create table t(x)')
    db.execute('insert into t values(?)', (TEXT,))
    db.commit()
    db.execute('delete from t')
    db.commit()
    copy = c.main() + '-kept'
    shutil.copy(c.main() + '-wal', copy)
    db.close()
    os.rename(copy, c.main() + '-wal')


PLANTS = [('the catalogue', plant_setting), ('a free page', plant_free_page), ('the quarantine', plant_file('quarantine/frame-1.bin')),
          ('any other file', plant_file('notes.txt')), ('a WAL', plant_wal)]


def planted(stopped, killed):
    for what, do in PLANTS:
        with Copy(stopped) as c:
            do(c)
            rc, r = run(c.data, '--absent', TEXT)
            check('found in ' + what, rc == 1 and r['found'], r)
    with Copy(killed) as c:
        plant_room(c)
        rc, r = run(c.data, '--absent', TEXT)
        check('found in the room that the log keeps', rc == 1 and r['found'], r)
    with Copy(stopped) as c, Copy(stopped) as backup:
        plant_setting(backup)
        single = os.path.join(backup.root, 'one.txt')
        open(single, 'w').write('x' + TEXT)
        check('not found beside a backup', run(c.data, '--absent', TEXT)[0] == 0)
        check('found in a backup', run(c.data, '--absent', TEXT, '--also', backup.data)[0] == 1)
        check('found in a file', run(c.data, '--absent', TEXT, '--also', single)[0] == 1)


def command_line(data, server):
    rc, said = run(server.data)
    check('a server that runs: refused, with its number and a cure', rc == 1 and str(server.proc.pid) in said and 'backup' in said, said)
    for args in (['--absent', 'abc'], ['--also', '/tmp'], ['--nothing'], ['x']):
        check('wrong: %s' % args, run(data, *args)[0] == 2)
    check('no such directory', run('/nonexistent/ccmon')[0] == 2)
    check('not a data directory', run(HERE)[0] == 2)


def main():
    with tempfile.TemporaryDirectory(prefix='ccmon-check-') as root:
        stopped, killed = os.path.join(root, 'stopped'), os.path.join(root, 'killed')
        a, b = Ccmon(data=stopped), Ccmon(data=killed)
        a.start()
        b.start()
        fill(a)
        fill(b)
        rows = a.get_json('web', '/api/ccmon/status')['rows']
        command_line(stopped, b)
        a.stop()
        b.kill()
        right(stopped, killed, rows)
        damaged(stopped)
        damaged_log(killed)
        absent(stopped, killed)
        planted(stopped, killed)
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
