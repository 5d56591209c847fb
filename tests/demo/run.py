#!/usr/bin/env python3
"""`ccmon demo`: what it serves is what it says the truth is, twice over the same directory,
and its own directory goes when it ends."""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

BINARY = os.environ['CCMON']
UNTIL, DAYS = '2026-11-01', '21'
LATER = 1793491200 + 43200                         # half a day after, for turns that began before midnight
passed, failed = 0, 0


def check(what, got, want):
    global passed, failed
    ok = abs(got - want) < 1e-6 if isinstance(want, float) else got == want
    passed, failed = passed + ok, failed + (not ok)
    if not ok:
        print('%s: got %r, want %r' % (what, got, want))


class Demo:
    def __init__(self, *args, env=None):
        ports = [a for n in ('otlp-http', 'otlp-grpc', 'prometheus', 'loki', 'web') for a in ('--port', n + '=0')]
        self.p = subprocess.Popen([BINARY, 'demo', '--until', UNTIL, '--days', DAYS, *args, *ports], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True, env=env)
        self.ports = {}
        for line in self.p.stdout:
            if line.strip() == 'ready':
                break
            _, name, addr = line.split()
            self.ports[name] = addr

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        return self.p.wait(timeout=30)

    def get(self, port, path, **params):
        return json.load(urllib.request.urlopen('http://%s%s?%s' % (self.ports[port], path, urllib.parse.urlencode(params))))

    def prom(self, query):
        return {tuple(sorted(r['metric'].items())): float(r['value'][1]) for r in
                self.get('prometheus', '/api/v1/query', query=query, time=LATER)['data']['result']}

    def loki(self, query):
        r = self.get('loki', '/loki/api/v1/query', query=query, time=LATER)['data']['result']
        return float(r[0]['value'][1]) if r else 0


def compare(demo, truth, what):
    window = '[%sd]' % (int(DAYS) + 1)
    cost = demo.prom('sum by (model) (increase(claude_code_cost_usage_USD_total%s))' % window)
    tokens = demo.prom('sum by (model, type) (increase(claude_code_token_usage_tokens_total%s))' % window)
    for model, want in truth['models'].items():
        check('%s: cost of %s' % (what, model), cost.get((('model', model),)), want['cost_usd'])
        for kind in ('input', 'output', 'cacheRead', 'cacheCreation'):
            check('%s: %s of %s' % (what, kind, model), tokens.get((('model', model), ('type', kind))), float(want[kind]))
    lines = demo.prom('sum by (type) (increase(claude_code_lines_of_code_count_total%s))' % window)
    check(what + ': lines added', lines[(('type', 'added'),)], float(truth['lines_added']))
    check(what + ': active time', demo.prom('sum(increase(claude_code_active_time_seconds_total%s))' % window)[()], truth['active_seconds'])
    for event, key in (('user_prompt', 'prompts'), ('api_request', 'api_requests'), ('api_error', 'api_errors'),
                       ('tool_result', 'tool_results')):
        got = demo.loki('sum(count_over_time({service_name="claude-code"} | event_name="%s" %s))' % (event, window))
        check('%s: %s' % (what, event), got, float(truth[key]))
    spans = demo.loki('sum(count_over_time({service_name="claude-code", ccmon_signal="spans"} %s))' % window)
    check(what + ': spans', spans, float(truth['spans']))
    status = demo.get('web', '/api/ccmon/status')
    check(what + ': says that it is one', status['demo'], True)


def main():
    truth = json.loads(subprocess.run([BINARY, 'demo', '--until', UNTIL, '--days', DAYS, '--truth'], check=True,
                                      stdout=subprocess.PIPE).stdout)
    check('a history of some size', truth['sessions'] > 300, True)
    with tempfile.TemporaryDirectory() as tmp:
        demo = Demo(env=dict(os.environ, TMPDIR=tmp))
        compare(demo, truth, 'at first')
        check('a directory of its own', len(glob.glob(tmp + '/ccmon-demo-*')), 1)
        check('exit code', demo.stop(), 0)
        check('nothing is left', os.listdir(tmp), [])
        for what in ('kept', 'again over the same'):
            demo = Demo('--data', tmp + '/kept')
            compare(demo, truth, what)
            check('exit code', demo.stop(), 0)
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


sys.exit(main())
