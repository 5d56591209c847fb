#!/usr/bin/env python3
"""A session and a person erased, through the real binary.

Three people work over three days; what they do comes as OTLP metrics, events and spans, by remote
write and by Loki's push. Ada is erased while others go on: nothing of hers is found in any file by
`ccmon check --absent` (which finds her before: the control), totals fall by exactly her share, and
whatever way it is sent again it does not come back, while rows of others in the same request stay,
also when the log is replayed. A server killed at any moment on the way completes it at its next start.
The client's own recordings, with their prompts and bodies, are erased from in the same way."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'lib'), os.path.join(HERE, '..', 'privacy')]
import needles                                     # noqa: E402
import pushwire                                    # noqa: E402
import recordings                                  # noqa: E402
from ccmon import BINARY, Ccmon, by, one           # noqa: E402

NOW = int(time.time()) // 60 * 60
DAY = 86400
END = NOW + 7200
KILLS = int(os.environ.get('CCMON_ERASE_KILLS', '12'))
ADA, BOB, EVE = 'ada.l@people.example', 'bob@people.example', 'eve@people.example'
ADA_ID, BOB_ID = 'a1' * 32, 'b0' * 32
A1, A2, B1, E1, SHARED, LATE = ('%08x-1111-4222-8333-%012x' % (n, n) for n in (0xa1, 0xa2, 0xb1, 0xe1, 0x5a, 0x1a))
HERS = [ADA, A1, A2]                               # what must be nowhere; SHARED may stay
passed = failed = 0


def check(what, ok, why=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print('FAIL %s%s' % (what, ': %s' % (why,) if why != '' else ''), flush=True)


# ---- what is sent: (time, session, who) -----------------------------------------------------------

def attrs(d):
    return [{'key': k, 'value': {'stringValue': v}} for k, v in d.items()]


def named(session, who):
    own = {'session.id': session}
    if who:
        own['user.email'] = who
    if who in (ADA, BOB):
        own['user.id'] = ADA_ID if who == ADA else BOB_ID
    return own


def metric(points):
    """Increments of cost, one dollar each."""
    def point(t, session, who):
        return {'attributes': attrs(dict(named(session, who), model='m')), 'startTimeUnixNano': str((t - 5) * 10**9),
                'timeUnixNano': str(t * 10**9), 'asDouble': 1.0}
    m = {'name': 'claude_code.cost.usage', 'unit': 'USD',
         'sum': {'aggregationTemporality': 1, 'isMonotonic': True, 'dataPoints': [point(*p) for p in points]}}
    return '/v1/metrics', {'resourceMetrics': [{'resource': {'attributes': attrs({'service.name': 'claude-code'})},
                                                'scopeMetrics': [{'metrics': [m]}]}]}


def events(rows):
    def record(t, session, who):
        return {'timeUnixNano': str(t * 10**9), 'body': {'stringValue': 'claude_code.user_prompt'},
                'attributes': attrs(dict(named(session, who), **{'event.name': 'user_prompt', 'prompt': 'hello from %s' % session}))}
    return '/v1/logs', {'resourceLogs': [{'resource': {'attributes': attrs({'service.name': 'claude-code'})},
                                          'scopeLogs': [{'logRecords': [record(*r) for r in rows]}]}]}


def spans(rows):
    def span(t, session, who):
        return {'traceId': '%032x' % (t * 7 + hash(session) % 1000), 'spanId': '%016x' % t, 'name': 'interaction',
                'startTimeUnixNano': str(t * 10**9), 'endTimeUnixNano': str(t * 10**9 + 5), 'attributes': attrs(named(session, who))}
    return '/v1/traces', {'resourceSpans': [{'resource': {'attributes': attrs({'service.name': 'claude-code'})},
                                             'scopeSpans': [{'spans': [span(*r) for r in rows]}]}]}


def remote(rows):
    return [(sorted({'__name__': 'pushed_total', 'session_id': s, **({'user_email': who} if who else {})}.items()), [(t * 1000, 1.0)])
            for t, s, who in rows]


def loki(rows):
    return [({'job': 'pushed', 'session_id': s}, [(t * 10**9, 'line of %s' % s, {'user_email': who} if who else {})]) for t, s, who in rows]


def send(c, request):
    path, body = request
    status, _, answer = c.post(path, json.dumps(body), 'application/json')
    assert status == 200, (path, status, answer[:300])


def send_remote(c, rows):
    s, _, b = c.request('prometheus', 'POST', '/api/v1/write', pushwire.snappy(pushwire.write1(remote(rows))),
                        {'Content-Encoding': 'snappy', 'Content-Type': 'application/x-protobuf', 'X-Prometheus-Remote-Write-Version': '0.1.0'})
    assert s in (200, 204), (s, b[:300])


def send_loki(c, rows):
    s, _, b = c.request('loki', 'POST', '/loki/api/v1/push', pushwire.loki_json(loki(rows)), {'Content-Type': 'application/json'})
    assert s in (200, 204), (s, b[:300])


def days():
    """Everybody at work on three days; the shared session names nobody at first, then Ada, then Bob."""
    rows = []
    for d in (2, 1, 0):
        t = NOW - d * DAY - 1800
        rows += [(t, A1, ADA), (t + 1, A1, ADA), (t + 2, B1, BOB), (t + 3, E1, EVE), (t + 4, E1, EVE), (t + 5, A2, ADA)]
        rows += [(t + 6, SHARED, None), (t + 7, SHARED, ADA), (t + 8, SHARED, BOB)]
    return rows


NAMELESS = [(NOW - d * DAY - 1700, A1, None) for d in (2, 1, 0)]     # spans from before signing in


def everything(c):
    rows = days()
    send(c, metric(rows))
    send(c, events(rows))
    send(c, spans(rows + NAMELESS))
    send_remote(c, rows)
    send_loki(c, rows)


def is_hers(row):
    return row[1] in (A1, A2) or row[2] == ADA


# ---- what is asked ----------------------------------------------------------------------------------

def figures(c):
    return {
        'cost by session': by(c.prom('sum by (session_id) (increase(claude_code_cost_usage_USD_total[5d]))', END), 'session_id'),
        'cost': one(c.prom('sum(increase(claude_code_cost_usage_USD_total[5d]))', END)),
        'totals': by(c.prom('sum by (session_id) (last_over_time(claude_code_cost_usage_USD_total[5d]))', END), 'session_id'),
        'events': by(c.loki('sum by (session_id) (count_over_time({service_name="claude-code"}[5d]))', END * 10**9), 'session_id'),
        'spans': by(c.loki('sum by (session_id) (count_over_time({service_name="claude-code", ccmon_signal="spans"}[5d]))', END * 10**9), 'session_id'),
        'pushed': by(c.prom('sum by (session_id) (count_over_time(pushed_total[5d]))', END), 'session_id'),
        'lines': by(c.loki('sum by (session_id) (count_over_time({job="pushed"}[5d]))', END * 10**9), 'session_id'),
    }


def wanted(rows=None):
    def per(rows):
        found = {}
        for r in rows:
            found[r[1]] = found.get(r[1], 0.0) + 1.0
        return found
    rows = [r for r in days() if not is_hers(r)] if rows is None else rows
    n = per(rows)
    return {'cost by session': n, 'cost': float(len(rows)), 'totals': n, 'events': n, 'spans': n, 'pushed': n, 'lines': n}


def erase(c, *args, url=True):
    args = (['--url', 'http://127.0.0.1:%d' % c.ports['web']] if url else []) + list(args)
    return subprocess.run([BINARY, 'erase', '--data', c.data, *args], capture_output=True, text=True, timeout=120)


def absent(data, texts, also=()):
    args = [x for t in texts for x in ('--absent', t)] + [x for p in also for x in ('--also', p)]
    p = subprocess.run([BINARY, 'check', '--data', data, '--json', *args], capture_output=True, text=True, timeout=300)
    r = json.loads(p.stdout)
    return ['%s: %s' % (x['file'], x['text']) for x in r['found'] + r['damage']]


def finished(c):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        d = c.get_json('web', '/api/ccmon/erase')
        if d['phase'] in ('done', 'none'):
            return d
        time.sleep(0.01)
    return d


# ---- a person ------------------------------------------------------------------------------------------

class Others(threading.Thread):
    """Bob and Eve go on, and somebody sends what Ada did once more, while she is erased."""

    def __init__(self, c):
        super().__init__()
        self.c, self.stopping, self.sent = Ccmon.__new__(Ccmon), threading.Event(), []
        self.c.__dict__.update(c.__dict__, conns={})

    def run(self):
        n = 0
        while not self.stopping.is_set() and n < 5000:
            rows = [(NOW + 100 + n, B1, BOB), (NOW + 101 + n, E1, EVE)]
            send(self.c, metric(rows + [(NOW - 1800, A1, ADA)]))
            send(self.c, events(rows + [(NOW - 1800, A1, ADA)]))
            self.sent += rows
            n += 2
        for conn in self.c.conns.values():
            conn.close()


def resend(c):
    """By every way, alone and together with a row of Bob's that is new."""
    hers = [r for r in days() if is_hers(r)]
    for make in (metric, events):
        send(c, make(hers))
    send(c, spans(hers + NAMELESS))
    send_remote(c, hers)
    send_loki(c, hers)
    mixed = hers[:3] + [(NOW + 60, B1, BOB)]
    for make in (metric, events, spans):
        send(c, make(mixed))
    send_remote(c, mixed)
    send_loki(c, mixed)


def person():
    with Ccmon() as c:
        everything(c)
        everything(c)
        before = figures(c)
        check('all is there', before == dict(wanted(days()), spans=wanted(days() + NAMELESS)['spans']), before)
        backup = tempfile.mkdtemp(prefix='ccmon-erase-')
        c.kill()
        check('control: she is found in the log', len(absent(c.data, [ADA])) > 0)
        c.start()
        c.restart()
        shutil.copytree(c.data, backup + '/copy', ignore=shutil.ignore_patterns('lock'))
        check('control: she is found in partitions', any('part/' in x for x in absent(backup + '/copy', [ADA])))
        dry = erase(c, '--user', ADA, '--dry-run')
        nrows = len([r for r in days() if is_hers(r)])
        want = 'would go: %d samples, %d log records and %d spans of 2 sessions, in 3 partitions' % (2 * nrows, 2 * nrows, nrows + 3)
        check('what would go', dry.returncode == 0 and want in dry.stdout, dry.stdout)
        check('a dry run changes nothing', figures(c) == before)
        check('without a word it does not go on', erase(c, '--user', ADA).returncode == 2 and figures(c) == before)

        others = Others(c)
        others.start()
        time.sleep(0.2)
        done = erase(c, '--user', ADA, '--yes')
        others.stopping.set()
        others.join()
        check('it is erased', done.returncode == 0 and '%d samples' % (2 * nrows) in done.stdout, done.stdout + done.stderr)
        left = [r for r in days() if not is_hers(r)]
        after = wanted(left)
        with_others = wanted(left + others.sent)
        for what in ('cost by session', 'cost', 'totals', 'events'):
            after[what] = with_others[what]
        check('totals fell by exactly her share', figures(c) == after, (figures(c), after))
        resend(c)
        extra = wanted(left + [(NOW + 60, B1, BOB)])
        for what in ('cost by session', 'cost', 'totals', 'events'):
            extra[what] = wanted(left + others.sent + [(NOW + 60, B1, BOB)])[what]
        check('a resend does not bring her back', figures(c) == extra, (figures(c), extra))
        state = c.get_json('web', '/api/ccmon/erase')
        check('what was left out is counted', state['left_out'] > 0 and state['known'] == 3, state)
        c.kill()
        check('nowhere, after kill -9', absent(c.data, HERS) == [], absent(c.data, HERS))
        check('still in the backup', len(absent(c.data, [ADA], [backup + '/copy'])) > 0)
        c.start()
        check('the same after replay', figures(c) == extra, figures(c))
        resend(c)
        c.restart()
        resend(c)
        check('the same after a stop', figures(c) == extra, figures(c))
        send(c, events([(int(time.time()) + 5, LATE, ADA)]))
        check('what she does later is new', figures(c)['events'].get(LATE) == 1.0)
        c.stop()
        check('nowhere, after a stop', absent(c.data, HERS[1:]) == [], absent(c.data, HERS[1:]))
        audit = open(c.data + '/audit.log').read()
        check('it is in the audit log, without her name', '"what":"erase"' in audit and ADA not in audit, audit)
        shutil.rmtree(backup)
        c.start()


# ---- a session, with no server ---------------------------------------------------------------------------

def offline():
    with Ccmon() as c:
        everything(c)
        c.stop()
        done = erase(c, '--session', SHARED, '--session', B1, '--yes', url=False)
        check('without a server', done.returncode == 0 and '2 sessions' in done.stdout, done.stdout + done.stderr)
        check('without a server: nowhere', absent(c.data, [SHARED, B1]) == [])
        again = erase(c, '--session', SHARED, '--yes', url=False)
        check('twice is no error', again.returncode == 0 and 'erased: 0 samples' in again.stdout, again.stdout)
        c.start()
        want = wanted([r for r in days() if r[1] not in (SHARED, B1)])
        want['spans'] = wanted([r for r in days() + NAMELESS if r[1] not in (SHARED, B1)])['spans']
        check('without a server: the rest', figures(c) == want, figures(c))
        for args in ([], ['--user', ''], ['--session', 'x', '--nothing']):
            check('wrong: %s' % args, erase(c, *args).returncode == 2)
        for form in ('', 'session=', 'user=', 'other=1'):
            s, _, b = c.request('web', 'POST', '/api/ccmon/erase', form, {'Content-Type': 'application/x-www-form-urlencoded'})
            check('wrong form: %r' % form, s == 400, (s, b))


# ---- killed on the way --------------------------------------------------------------------------------------

def killed(seed):
    rng = random.Random(seed)
    with Ccmon() as base:
        everything(base)
        for n in range(40):                        # enough to be killed in
            send(base, events([(NOW - 7200 + n * 60 + k, (A1, B1)[k % 2], (ADA, BOB)[k % 2]) for k in range(50)]))
        if rng.random() < 0.5:
            base.restart()
        want = figures(base)
        base.kill()
        bobs = {k: {s: v for s, v in f.items() if s in (B1, E1)} for k, f in want.items() if k != 'cost'}
        early = on_way = late = 0
        for i in range(KILLS):
            c = Ccmon()
            shutil.rmtree(c.data)
            shutil.copytree(base.data, c.data)
            c.start()
            p = subprocess.Popen([BINARY, 'erase', '--data', c.data, '--url', 'http://127.0.0.1:%d' % c.ports['web'], '--user', ADA, '--yes'],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(rng.random() * 0.2)
            c.kill()
            asked = 'erasing 0 sessions and 1 persons' in open(c.log).read()
            p.wait()
            p.stdout.close()
            p.stderr.close()
            c.start()
            if rng.random() < 0.4:                 # and once more
                time.sleep(rng.random() * 0.2)
                c.kill()
                c.start()
            state = finished(c)
            found = figures(c)
            gone = not any(s in f for k, f in found.items() if k != 'cost' for s in (A1, A2))
            early, on_way, late = early + (not asked), on_way + (asked and state['phase'] == 'done'), late + (asked and state['phase'] == 'none')
            check('killed %d: complete once it was begun' % i, gone or not asked, found)
            check('killed %d: others are whole' % i,
                  {k: {s: v for s, v in f.items() if s in (B1, E1)} for k, f in found.items() if k != 'cost'} == bobs, found)
            everything(c)
            c.kill()
            if gone:
                where = absent(c.data, HERS)
                check('killed %d: nowhere' % i, where == [], where)
            shutil.rmtree(c.data)
            os.unlink(c.log)
        print('killed: %d before it was recorded, %d on the way, %d after' % (early, on_way, late), flush=True)


# ---- the client's own recordings -----------------------------------------------------------------------------

def recorded():
    people = sorted(n for n, kind in needles.needles().items() if kind == 'user.id')
    with Ccmon() as c:
        for folder in recordings.folders():
            for r in recordings.load(folder):
                r.send(c)
        end = NOW + DAY

        def cost():
            return by(c.prom('sum by (user_id) (sum_over_time(claude_code_cost_usage_USD_total[400d]))', end), 'user_id')

        def counts():
            q = 'sum by (user_id) (count_over_time({service_name=~".+"%s}[9000h]))'
            return [by(c.loki(q % more, end * 10**9), 'user_id') for more in ('', ', ccmon_signal="spans"')]

        before, n = cost(), counts()
        who = max(people, key=lambda p: n[0].get(p, 0))
        check('recordings: there is somebody', n[0].get(who, 0) > 100 and len(before) > 1, n[0])
        done = erase(c, '--user', who, '--yes')
        check('recordings: erased', done.returncode == 0, done.stdout + done.stderr)
        check('recordings: cost of the others', cost() == {k: v for k, v in before.items() if k != who}, cost())
        check('recordings: events and spans of the others',
              [{k: v for k, v in x.items() if k} for x in counts()] == [{k: v for k, v in x.items() if k and k != who} for x in n], counts())
        c.kill()
        check('recordings: nowhere', absent(c.data, [who]) == [], absent(c.data, [who])[:5])
        c.start()


def main():
    seed = os.environ.get('CCMON_SEED', str(random.randrange(10**6)))
    print('seed %s' % seed)
    person()
    offline()
    killed(seed)
    recorded()
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
