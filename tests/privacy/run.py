#!/usr/bin/env python3
"""Not one byte of a prompt or an address in the data directory, while totals stay equal.

Every recording of the real client goes through the real binary by its own way in, once
with `no-prompts` and `no-people` and once without rules. What must not be found is
collected from the recordings (needles.py); it is looked for in every file as it is, in
everything that can be decoded from the files, in what the APIs answer and in the log of
the program, after kill -9 and after a stop. Without rules the same search must find it:
a search that finds nothing anywhere proves nothing."""
import json
import os
import shutil
import stat
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '..', 'lib'), os.path.join(HERE, '..', 'replay')]
import needles                                     # noqa: E402
import recordings                                  # noqa: E402
import replay                                      # noqa: E402
import pushwire                                    # noqa: E402
from ccmon import Ccmon, by, one                   # noqa: E402
from exporter import Exporter                      # noqa: E402

RULES = 'privacy: [no-prompts, no-people]\n'
ALL_LOGS = '{service_name=~".+"}'
ALL_SPANS = '{service_name=~".+", ccmon_signal="spans"}'
passed = failed = 0


def check(what, ok, why=''):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print('FAIL %s%s' % (what, ': %s' % why if why else ''), flush=True)


class Configured:
    """A server with this configuration, and its directory; the file can be written anew."""

    def __init__(self, text):
        self.folder = tempfile.mkdtemp(prefix='ccmon-privacy-')
        self.file = os.path.join(self.folder, 'ccmon.yml')
        self.write(text)
        self.data = os.path.join(self.folder, 'data')
        self.server = Ccmon(args=['--config', self.file], data=self.data, env={'CCMON_SCRAPE_DEFAULT': 'false'})

    def write(self, text):
        with open(self.file, 'w') as f:
            f.write(text)

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *exc):
        self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- what the APIs give ----------------------------------------------------------------------

def strings(node):
    if isinstance(node, dict):
        for k, v in node.items():
            yield k
            yield from strings(v)
    elif isinstance(node, list):
        for v in node:
            yield from strings(v)
    elif isinstance(node, str):
        yield node


def answers(server):
    """Every record, span, series and label value, as texts."""
    day, found = (replay.END - 86400) * 10**9, []
    for query in (ALL_LOGS, ALL_SPANS):
        start = day
        while True:
            d = server.get_json('loki', '/loki/api/v1/query_range', query=query, start=str(start), end=str(replay.END * 10**9),
                                limit='1000', direction='forward')
            got = list(strings(d['data']['result']))
            found += got
            times = sorted(int(v[0]) for s in d['data']['result'] for v in s['values'])
            if len(times) < 1000:
                break
            start = max(times[-1], start + 1)
    match = {'match[]': '{__name__=~".+"}', 'start': str(replay.END - 86400), 'end': str(replay.END)}
    found += strings(server.get_json('prometheus', '/api/v1/series', **match))
    found += strings(server.get_json('prometheus', '/api/v1/metadata'))
    return [s.encode() for s in found]


# ---- the search --------------------------------------------------------------------------------

def look(c, wanted, moment, want_none):
    """Raw and decoded bytes of a directory that nobody has open; names of what was found."""
    places = {'raw files': needles.raw_bytes(c.data), 'decoded': needles.decoded_bytes(c.data)}
    found = set()
    for place, chunks in places.items():
        if chunks is None:
            print('SKIP decoded files: there is no libzstd to load')
            continue
        here = needles.search(chunks, wanted)
        found |= here
        if want_none:
            check('%s, %s' % (moment, place), not here, sorted(here)[:5])
    return found


def everything(rules, wanted, want_none):
    """All recordings into one server; what the search finds at each moment, and the totals."""
    with Configured(rules) as c:
        for folder in recordings.folders():
            for r in recordings.load(folder):
                r.send(c.server)
        c.server.kill()
        found = {'after kill -9': look(c, wanted, 'after kill -9', want_none)}
        c.server.start()
        api = needles.search(answers(c.server), wanted)
        if want_none:
            check('answers after replay', not api, sorted(api)[:5])
        c.server.stop()
        found['after a stop'] = look(c, wanted, 'after a stop', want_none)
        c.server.start()
        totals = replay.ask(c.server)
        people = users(c.server)
        api |= needles.search(answers(c.server), wanted)
        if want_none:
            check('answers after a stop', not api, sorted(api)[:5])
        found['answers'] = api
        c.server.stop()
        said = needles.search([open(c.server.log, 'rb').read()], wanted)
        check('the program\'s own log', not said, sorted(said)[:5])
        return found, totals, people


def users(server):
    """Cost by user, without their names: the figures that must not change."""
    found = {}
    for label in ('user_id', 'user_email', 'user_account_uuid', 'organization_id'):
        cost = by(server.prom('sum by (%s) (increase(claude_code_cost_usage_USD_total[1d]))' % label, replay.END), label)
        found[label] = (sorted(round(v, 7) for v in cost.values()), {k for k in cost if k})
    return found


def whole():
    wanted = needles.needles()
    kinds = {k for k in wanted.values()}
    print('%d texts to look for, of %d kinds' % (len(wanted), len(kinds)), flush=True)
    bare, bare_totals, bare_users = everything('', wanted, False)
    for moment, found in bare.items():
        # Where all values of a column begin alike, that stands once: such a needle is not in one piece.
        check('without rules %s finds' % moment, len(found) >= 0.9 * len(wanted),
              '%d of %d; not %s' % (len(found), len(wanted), sorted(set(wanted) - found)[:10]))
        missing = kinds - {wanted[n] for n in found} - ({'body_ref'} if moment == 'after a stop' else set())
        check('without rules %s finds every kind' % moment, not missing, sorted(missing))
    _, totals, people = everything(RULES, wanted, True)
    for d in replay.differences(totals, bare_totals):
        check('totals', False, d)
    check('totals stay', totals == bare_totals or not list(replay.differences(totals, bare_totals)))
    for label, (figures, names) in people.items():
        check('cost by %s' % label, figures == bare_users[label][0] and len(names) == len(bare_users[label][1]),
              '%s, without rules %s' % (figures, bare_users[label][0]))
        check('names of %s' % label, names and all(n.startswith('anon-') and len(n) == 37 for n in names), names)


def folders():
    """Each recording alone adds up to what it must."""
    truth = recordings.truth()
    for folder in recordings.folders():
        if folder not in truth:
            continue
        with Configured(RULES) as c:
            for r in recordings.load(folder) * 2:  # and what is sent again counts once
                r.send(c.server)
            diffs = list(replay.differences(replay.ask(c.server), replay.expect(truth[folder])))
        check(folder, not diffs, diffs[:3])


# ---- rules while it runs -------------------------------------------------------------------------

def record(text, n, **attrs):
    values = [{'key': k.replace('_', '.', 1), 'value': {'stringValue': v}} for k, v in attrs.items()]
    return json.dumps({'resourceLogs': [{
        'resource': {'attributes': [{'key': 'service.name', 'value': {'stringValue': 't'}}]},
        'scopeLogs': [{'logRecords': [{'timeUnixNano': str((replay.END - 3600) * 10**9 + n), 'body': {'stringValue': text},
                                       'attributes': values}]}]}]}).encode()


def send(server, body, want=200):
    status, _, answer = server.post('/v1/logs', body, 'application/json')
    check('a record is answered %d' % want, status == want, (status, answer[:200]))
    return answer


def lines(server):
    d = server.get_json('loki', '/loki/api/v1/query_range', query='{service_name="t"}', start=str((replay.END - 86400) * 10**9),
                        end=str(replay.END * 10**9), direction='forward')
    got = sorted((int(v[0]), v[1], s['stream']) for s in d['data']['result'] for v in s['values'])
    return [(text, stream) for _, text, stream in got]


def reload(server, want=200):
    status, _, answer = server.request('web', 'POST', '/-/reload')
    check('a reload is answered %d' % want, status == want, (status, answer[:300]))
    return answer.decode()


def live():
    with Configured('retention: forever\n') as c:
        s, key = c.server, os.path.join(c.data, 'privacy.key')
        s.retention = None
        send(s, record('one secret-1', 1, user_email='joe@example.com'))
        check('no key without rules', not os.path.exists(key))
        c.write('retention: forever\nprivacy:\n  - no-people\n  - match: secret-\\d\n    action: cut\n')
        reload(s)
        send(s, record('two secret-2', 2, user_email='joe@example.com'))
        c.write('retention: forever\nprivacy:\n  - no-people\n  - names: x\n    action: burn\n')
        why = reload(s, 500)
        check('a wrong rule is refused with its line', 'ccmon.yml:5:13: privacy.action: "burn" is none of drop|hash|cut' in why, why)
        send(s, record('three secret-3', 3, user_email='joe@example.com'))
        mode = stat.S_IMODE(os.stat(key).st_mode)
        check('the key is its owner\'s alone', mode == 0o600 and os.path.getsize(key) == 32, oct(mode))
        c.write('retention: forever\n')
        reload(s)
        send(s, record('four secret-4', 4, user_email='joe@example.com'))
        for moment in ('live', 'killed', 'stopped'):
            if moment != 'live':
                s.kill_and_restart() if moment == 'killed' else s.restart()
            got = lines(s)
            texts, who = [t for t, _ in got], [l.get('user_email') for _, l in got]
            check('%s: texts' % moment, texts == ['one secret-1', 'two [cut 8 characters]', 'three [cut 8 characters]', 'four secret-4'], texts)
            check('%s: equal values stay equal' % moment,
                  len(who) == 4 and who[0] == who[3] == 'joe@example.com' and who[1] == who[2] and who[1].startswith('anon-'), who)
        c.write('privacy: [no-people]\n')
        s.restart()
        send(s, record('five', 5, user_email='joe@example.com'))
        check('the same hash after a start', lines(s)[-1][1].get('user_email') == who[1])


def refused():
    """A body that cannot be read is written nowhere."""
    with Configured('privacy: [no-prompts]\n') as c:
        whole_body = record('a very private line', 1, prompt='another private text')
        send(c.server, whole_body[:-9], 400)
        send(c.server, whole_body.replace(b'"timeUnixNano": "', b'"timeUnixNano": "third private text'), 400)
        send(c.server, whole_body)
        c.server.stop()
        found = needles.search(needles.raw_bytes(c.data) + needles.decoded_bytes(c.data) + [open(c.server.log, 'rb').read()],
                               ['private line', 'private text', 'third private'])
        check('what was refused is nowhere', not found, found)


# ---- the other ways in -----------------------------------------------------------------------------

SECRETS = ['what joe asked for', 'joe@example.com', 'pat@example.org', 'user_joe_account']


def push_all(server):
    """The same content by remote write 1 and 2, and by Loki's push in both forms."""
    now = int(time.time())
    for n, form in enumerate(('write1', 'write2')):
        series = [([('__name__', 'pushed_total'), ('form', form), ('user_email', who), ('prompt', 'what joe asked for')], [(now * 1000, 5.0)])
                  for who in ('joe@example.com', 'pat@example.org')]
        kind = 'application/x-protobuf' + (';proto=io.prometheus.write.v2.Request' if n else '')
        body = pushwire.snappy(getattr(pushwire, form)([s + ([], (1, 'asked by joe@example.com', '', 0)) if n else s for s in series]))
        status, _, answer = server.request('prometheus', 'POST', '/api/v1/write', body, {'Content-Type': kind, 'Content-Encoding': 'snappy'})
        check(form, status in (200, 204), (status, answer[:200]))
    entries = [(now * 10**9 + i, 'what joe asked for: %d, joe@example.com' % i, [('user_account_id', 'user_joe_account')]) for i in range(3)]
    status, _, answer = server.post('/loki/api/v1/push', pushwire.loki_json([([('app', 'pushed'), ('form', 'json')], entries)]),
                                    'application/json', port='loki')
    check('loki json', status == 204, (status, answer[:200]))
    body = pushwire.snappy(pushwire.loki_pb([('{app="pushed", form="pb", user_email="joe@example.com"}', entries)]))
    status, _, answer = server.post('/loki/api/v1/push', body, 'application/x-protobuf', port='loki')
    check('loki protobuf', status == 204, (status, answer[:200]))
    return now


def others(rules):
    """Scraped and pushed: what is found of SECRETS, and the figures."""
    metrics = ''.join('claude_code_cost_usage_total{session_id="s%d",user_email="%s",prompt="what joe asked for"} %d\n' % (i, who, i + 1)
                      for i, who in enumerate(('joe@example.com', 'pat@example.org', 'joe@example.com')))
    with Exporter() as x:
        x.body = ('# HELP claude_code_cost_usage_total asked by joe@example.com\n# TYPE claude_code_cost_usage_total counter\n' + metrics).encode()
        scrape = 'scrape_configs:\n- job_name: claude-code\n  scrape_interval: 1y\n  static_configs:\n  - targets: ["%s"]\n' % x.address
        with Configured(rules + scrape) as c:
            s = c.server
            status, _, answer = s.request('web', 'POST', '/-/scrape')
            check('a scrape', status == 200, (status, answer[:200]))
            now = push_all(s)
            s.kill()
            found = needles.search(needles.raw_bytes(c.data) + needles.decoded_bytes(c.data), SECRETS)
            s.restart()
            s.stop()
            found |= needles.search(needles.raw_bytes(c.data) + needles.decoded_bytes(c.data) + [open(s.log, 'rb').read()], SECRETS)
            s.start()
            at = now + 5
            cost = by(s.prom('sum by (user_email) (increase(claude_code_cost_usage_USD_total[1h]))', at), 'user_email')
            pushed = by(s.prom('sum by (form) (last_over_time(pushed_total[1h]))', at), 'form')
            lines = by(s.loki('sum by (form) (count_over_time({app="pushed"}[1h]))', at * 10**9), 'form')
            return found, [sorted(cost.values()), pushed, lines]


def other_ways():
    found, bare = others('')
    check('without rules all is found', found == set(SECRETS), set(SECRETS) - found)
    check('without rules the figures', bare == [[2.0, 4.0], {'write1': 10.0, 'write2': 10.0}, {'json': 3.0, 'pb': 3.0}], bare)
    found, figures = others(RULES)
    check('scraped and pushed', not found, found)
    check('figures stay', figures == bare, figures)


def main():
    whole()
    folders()
    live()
    refused()
    other_ways()
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
