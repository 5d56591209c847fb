#!/usr/bin/env python3
"""The ledger over recordings of the real client, through the real binary: each session's story
adds up to what the client itself reported, every request's list price is the reported one, and
what only traces know is there when traces are on. Prints `N passed, N failed`."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import BINARY, Ccmon  # noqa: E402
import recordings  # noqa: E402
import trees  # noqa: E402

passed, failed = 0, 0
with open(os.path.join(recordings.FIXTURES, 'truth.json')) as f:
    TRUTH = json.load(f)


def check(what, got, want=True):
    global passed, failed
    passed, failed = passed + (got == want), failed + (got != want)
    if got != want:
        print('%s: got %r, want %r' % (what, got, want))


def story(server, session):
    return server.get_json('web', '/api/ccmon/v1/sessions/' + session)['data']


NOW = 1795600000                                   # after all recordings
EVENT_TYPES = ('input', 'output', 'cacheRead', 'cacheCreation')


def settled(server, figure, by):
    """{value of the label: what was added}, over all recordings' time."""
    r = server.get_json('prometheus', '/api/v1/query', query='sum by (%s) (increase(%s[40d]))' % (by, figure), time=NOW)
    return dict((s['metric'].get(by, ''), float(s['value'][1])) for s in r['data']['result'])


def settled_is(server, name, figures, source):
    cost = settled(server, 'ccmon_cost_usd_total', 'ccmon_source')
    check(name + ': settled cost by ' + source, dict((k, round(v, 9)) for k, v in cost.items()), {source: round(figures['cost_usd'], 9)})
    tokens = settled(server, 'ccmon_tokens_total', 'type')
    check(name + ': settled tokens by ' + source, tokens, dict((k, float(figures['tokens'].get(k, 0))) for k in EVENT_TYPES))


def settled_by_metrics(server, name, truth, requests):
    """Without events, metrics tell."""
    for r in requests:
        r.send(server)
    if requests and truth['metrics']['cost_usd']:   # at a bare path names do not tell the signal
        settled_is(server, name, truth['metrics'], 'otlp')


def settled_by_events(server, name, truth):
    """With them, metrics of the same sessions tell nothing more, though both are there."""
    settled_is(server, name, truth['events'], 'events')
    check(name + ': settled requests', sum(settled(server, 'ccmon_requests_total', 'model').values()), truth['event_counts']['api_request'])
    check(name + ': settled prompts', sum(settled(server, 'ccmon_prompts_total', 'session_id').values()), truth['event_counts']['user_prompt'])
    names = server.get_json('prometheus', '/api/v1/label/__name__/values')['data']
    check(name + ': names', 'ccmon_cost_usd_total' in names and 'ccmon_requests_total' in names)


def one_recording(name, truth):
    with Ccmon() as c:
        requests = recordings.load(name)
        settled_by_metrics(c, name, truth, [r for r in requests if r.signal == 'metrics'])
        for r in requests:
            r.send(c)                              # the metrics once more: they count once
        settled_by_events(c, name, truth)
        stories = [story(c, s) for s in truth['sessions']]
    nanos = sum(int(s['spent']['nano_usd']) for s in stories)
    tokens = {k: sum(s['spent']['tokens'][k] for s in stories) for k in ('input', 'output', 'read', 'write_5m', 'write_1h')}
    want, counts = truth['events'], truth['event_counts']
    check(name + ': money', nanos, round(want['cost_usd'] * 1e9))
    if 'tokens' in want:
        check(name + ': tokens', (tokens['input'], tokens['output'], tokens['read'], tokens['write_5m'] + tokens['write_1h']),
              tuple(want['tokens'][k] for k in ('input', 'output', 'cacheRead', 'cacheCreation')))
    check(name + ': events', sum(s['events'] for s in stories), sum(counts.values()))
    check(name + ': requests', sum(len(s['requests']) for s in stories), counts.get('api_request', 0) + counts.get('api_error', 0))
    check(name + ': prices', set(q['difference'] for s in stories for q in s['requests'] if q['reported']) <= {'equal'})
    states = set(s['completeness']['state'] for s in stories if s['requests'])
    lost = not truth['metrics']['cost_usd']        # all of them, by a slow receiver
    check(name + ': completeness', states, {'events_only' if lost else 'complete'})
    for s in stories:
        by_prompt = sum(int(p['spent']['nano_usd']) for p in s['prompts'])
        outside = sum(round(q['usd'] * 1e9) for q in s['requests'] if q['prompt'] is None and q['usd'] is not None)
        check(name + ': prompts add up', by_prompt + outside, int(s['spent']['nano_usd']))
        shares = sum(int(t['inferred_nano_usd'] or 0) for t in s['tools'])
        check(name + ': shares add up', shares + int(s['prompts_nano_usd']), int(s['spent']['nano_usd']))
        check(name + ': every tool has a name', all(t['name'] for t in s['tools']))


def what_traces_know():
    with Ccmon() as c:
        for r in recordings.load('e3-traces-agent'):
            r.send(c)
        s = story(c, TRUTH['e3-traces-agent']['sessions'][0])
    agent = s['agents'][0]
    check('agent', (agent['type'], agent['completed'], agent['async'], agent['tools']), ('general-purpose', True, True, 1))
    by_id = dict((t['id'], t) for t in s['tools'])
    check('its call', by_id[agent['parent_tool']]['name'], 'Agent')
    bash = [t for t in s['tools'] if t['name'] == 'Bash'][0]
    check('waited for permission', round(bash['wait_ms']), 181)
    check('ran', bash['run_ms'], 144)
    check('attempts', [q['attempts'] for q in s['requests']], [1] * 5)
    check('who read which result pays', (bash['inferred_usd'], by_id[agent['parent_tool']]['inferred_usd']), (0.0083968, 0.080259))
    check('the agent\'s share', agent['spent']['requests'], 2)
    check('two prompts', [p['length'] for p in s['prompts']], [23, 687])


def what_is_lost():
    name = 'a-http-protobuf'
    session = TRUTH[name]['sessions'][0]
    with Ccmon() as c:
        requests = recordings.load(name)
        metrics = [r for r in requests if r.signal == 'metrics']
        logs = [r for r in requests if r.signal == 'logs']
        for r in metrics[:-1] + logs:
            r.send(c)
        whole = story(c, session)['completeness']
        check('killed before its last export', whole['state'], 'metrics_lost')
        for r in metrics:
            r.send(c)
        check('the last export', story(c, session)['completeness']['state'], 'complete')
    with Ccmon() as c:
        for r in metrics:
            r.send(c)
        check('metrics only', story(c, session)['completeness']['state'], 'metrics_only')
        for r in logs[:-1]:
            r.send(c)
        state = story(c, session)['completeness']
        check('a lost request of logs', (state['state'], 'since_ns' in state), ('events_lost', True))


def what_went_wrong():
    with Ccmon() as c:
        for name in ('h2-error-400', 'h3-retries-exhausted', 'h4-refusal', 'o-deny', 'w-interactive'):
            for r in recordings.load(name):
                r.send(c)
        error = story(c, TRUTH['h2-error-400']['sessions'][0])['requests'][0]
        check('an error', (error['outcome'], error['status_code'], error['usd']), ('error', 400, None))
        gave_up = story(c, TRUTH['h3-retries-exhausted']['sessions'][0])
        check('gave up', [(m['kind'], m['bad']) for m in gave_up['marks']], [('api_retries_exhausted', True)])
        refused = story(c, TRUTH['h4-refusal']['sessions'][0])
        check('refused and charged', [q['outcome'] for q in refused['requests']], ['refused', 'refused'])
        check('refusals cost', refused['spent']['usd'] > 0)
        denied = [t for t in story(c, TRUTH['o-deny']['sessions'][0])['tools'] if t['decision'] == 'reject']
        check('denied tools do not run', bool(denied) and all(t['success'] is None and t['run_ms'] is None for t in denied))
        kinds = set(m['kind'] for s in TRUTH['w-interactive']['sessions'] for m in story(c, s)['marks'])
        check('a compaction', 'compaction' in kinds)
        status, _, body = c.request('web', 'GET', '/api/ccmon/v1/sessions/nobody')
        check('an unknown session', (status, json.loads(body)['status']), (404, 'error'))
        book = c.get_json('web', '/api/ccmon/v1/prices')['data']
        opus = [m for m in book['prices'] if m['model'] == 'claude-opus-5-5'][0]
        check('the price book', (opus['input'], opus['read'], opus['from_ns']), (4, 0.2, '1790035200000000000'))


def without_sessions():
    """Where people leave the session out, a user's events tell, and nothing counts twice."""
    with Ccmon() as c:
        requests = recordings.load('i2-minimal-cardinality')
        settled_by_metrics(c, 'no sessions', TRUTH['i2-minimal-cardinality'], [r for r in requests if r.signal == 'metrics'])
        for r in requests:
            r.send(c)
        settled_is(c, 'no sessions', TRUTH['i2-minimal-cardinality']['events'], 'events')


def api_of_tables():
    """What is wrong is refused by name, with what is allowed; CSV and OpenAPI come from the same tables."""
    wrong = (
        ('/prices?colour=red', 400, 'unknown parameter "colour"; allowed: format, model'),
        ('/prices?format=xml', 400, 'parameter format: "xml"; allowed: json, csv'),
        ('/prices?model=' + 'm' * 1025, 400, 'parameter model: longer than the limit of 1024 bytes'),
        ('/prices?' + '&'.join(['model=m'] * 65), 400, 'parameter model: given more often than the limit of 64'),
        ('/sessions/x?start=soon', 400, 'parameter start: "soon" is neither Unix seconds nor RFC 3339'),
        ('/sessions/x?start=2&end=1', 400, 'parameter start: it is not before the end'),
        ('/sessions/x?limit=1', 400, 'unknown parameter "limit"; allowed: start, end'),
        ('/sessions/x/prompts/y', 404, 'nothing has the session "x"'),
    )
    with Ccmon() as c:
        for path, want, text in wrong:
            status, _, body = c.request('web', 'GET', '/api/ccmon/v1' + path)
            check('refused: ' + path[:60], (status, json.loads(body)['error']), (want, text))
        _, headers, body = c.request('web', 'GET', '/api/ccmon/v1/prices?model=claude-opus-5-5&format=csv')
        lines = body.decode().split('\r\n')
        check('CSV', (lines[0], len(lines), lines[1][:55]),
              ('model,band,from,to,above,input,output,write_5m,write_1h,read,regional', 4,
               'claude-opus-5-5,standard,2026-09-22T00:00:00Z,,,4,20,5,'))
        api = json.loads(c.request('web', 'GET', '/api/ccmon/v1/openapi.json')[2])
        routes = subprocess.run([BINARY, 'describe', 'routes'], check=True, stdout=subprocess.PIPE, text=True).stdout
        paths = set(re.sub(r'{[^}]*}', '*', p) for p in api['paths'])
        check('OpenAPI has every route', paths, set(re.findall(r'`(/api/ccmon/v1/[^`]*)`', routes)))
        prices = api['paths']['/api/ccmon/v1/prices']['get']['responses']['200']['content']['application/json']['schema']
        items = prices['properties']['data']['properties']['prices']['items']['properties']
        row = c.get_json('web', '/api/ccmon/v1/prices')['data']['prices'][0]
        check('OpenAPI has every key of a row', sorted(items), sorted(row))


for folder in sorted(TRUTH):
    # No session has a name where the client was told to leave it out, and nothing arrived from the others.
    if TRUTH[folder]['events']['cost_usd'] and folder != 'i2-minimal-cardinality' and \
            os.path.isdir(os.path.join(recordings.FIXTURES, folder)):
        one_recording(folder, TRUTH[folder])
without_sessions()
what_traces_know()
what_is_lost()
what_went_wrong()
api_of_tables()
trees.check_all(TRUTH, check)
print('%d passed, %d failed' % (passed, failed))
sys.exit(failed > 0)
