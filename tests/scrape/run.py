#!/usr/bin/env python3
"""Scraping, with the real binary: targets serve what the test tells them and go away when it
says; scrapes happen when it asks for them (POST /-/scrape), so nothing hangs on time.

  tests/scrape/run.py [NAME...]"""
import gzip
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import exporter                                    # noqa: E402
import recordings                                  # noqa: E402
from ccmon import BINARY, Ccmon, by, one           # noqa: E402
from certs import Certs                            # noqa: E402
from exporter import Exporter                      # noqa: E402

RECORDINGS = ('d-prometheus', 'd2-prometheus-and-otlp', 'd3-prometheus-two-clients', 'd4-prometheus-port')
COST, TOKENS = 'claude_code_cost_usage_USD_total', 'claude_code_token_usage_tokens_total'
CASES = []


def case(f):
    CASES.append(f)
    return f


def expect(what, got, want):
    if got != want:
        raise AssertionError('%s: want %r, got %r' % (what, want, got))


class Server(Ccmon):
    """A server whose configuration is a text; targets are scraped when scrape() is called."""

    def __init__(self, text, **kw):
        self.dir = tempfile.mkdtemp(prefix='ccmon-scrape-')
        self.file = os.path.join(self.dir, 'ccmon.yml')
        self.write(text)
        super().__init__(['--config', self.file], **kw)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, text, name='ccmon.yml'):
        path = os.path.join(self.dir, name)
        with open(path + '.new', 'w') as f:
            f.write(text)
        os.rename(path + '.new', path)
        return path

    def reload(self, text):
        self.write(text)
        status, _, answer = self.request('web', 'POST', '/-/reload')
        return status, answer.decode()

    def scrape(self):
        status, _, answer = self.request('web', 'POST', '/-/scrape')
        assert status == 200, (status, answer)

    def now(self, query, ahead=0.001):
        return self.prom(query, time.time() + ahead)

    def total(self, what=COST):
        """The same by increase() and by the running total."""
        a = one(self.now('sum(increase(%s[2d]))' % what))
        b = one(self.now('sum(last_over_time(%s[2d]))' % what))
        expect('increase and total of %s' % what, round(a, 9), round(b, 9))
        return round(a, 9)

    def targets(self, **params):
        return self.get_json('prometheus', '/api/v1/targets', **params)['data']

    def stale(self, query):
        """The newest value is a staleness marker: nothing now, something in the minute before."""
        return not self.now(query) and bool(self.now('last_over_time(%s[5m])' % query))


def job(address, name='claude-code', more=''):
    return ('scrape_configs:\n- job_name: %s\n  scrape_interval: 1y\n  static_configs:\n  - targets: ["%s"]\n%s'
            % (name, '", "'.join([address] if isinstance(address, str) else address), more))


def counter(value, session='a', name='claude_code_cost_usage_total', **labels):
    labels = dict({'session_id': session, 'model': 'm'}, **labels)
    text = ','.join('%s="%s"' % kv for kv in labels.items())
    return '# TYPE %s counter\n%s{%s,otel_scope_name="com.anthropic.claude_code",otel_scope_version="2"} %s\n' % (name, name, text, value)


def show(x, *lines):
    """What the exporter shows from now on; counters of one name need their TYPE once."""
    seen, out = set(), []
    for line in ''.join(lines).split('\n'):
        if not line.startswith('# TYPE') or line not in seen:
            out.append(line)
        seen.add(line)
    x.body = '\n'.join(out).encode()


# ---- recordings ---------------------------------------------------------------------------------

def play(server, x, bodies, between=lambda i: None):
    for i, body in enumerate(bodies):
        if body is None:
            x.stop()
        else:
            x.body = body
            if not x.server:
                x.start()
        server.scrape()
        between(i)


def check_truth(server, folder, want=None):
    want = want or exporter.truth()[folder]
    expect(folder + ' cost', server.total(), round(want['cost_usd'], 9))
    for form in ('increase', 'last_over_time'):
        got = by(server.now('sum by (type) (%s(%s[2d]))' % (form, TOKENS)), 'type')
        expect('%s tokens by %s' % (folder, form), {k: got.get(k) for k in want['tokens']}, want['tokens'])


@case
def recorded_scrapes():
    for folder in RECORDINGS:
        with Exporter() as x, Server(job(x.address)) as s:
            play(s, x, exporter.recorded(folder))
            check_truth(s, folder)
            if folder == 'd-prometheus':
                expect('names', sorted(by(s.now('count by (__name__) (last_over_time({__name__=~"claude_code.+"}[2d]))'), '__name__')),
                       ['claude_code_code_edit_tool_decision_total', COST, 'claude_code_lines_of_code_count_total',
                        'claude_code_session_count_total', TOKENS])
            labels = dict(next(iter(s.now('last_over_time(claude_code_session_count_total[2d])'))))
            expect('scope labels', [k for k in labels if 'scope' in k], [])
            expect('target', (labels['job'], labels['instance']), ('claude-code', x.address))
            expect('the exporter\'s spelling', one(s.now('sum(increase(claude_code_cost_usage_total[2d]))')), s.total())


@case
def recorded_scrapes_with_kills():
    for folder in RECORDINGS:
        with Exporter() as x, Server(job(x.address)) as s:
            play(s, x, exporter.recorded(folder), lambda i: s.kill_and_restart() if i % 3 == 1 else None)
            check_truth(s, folder)
            s.kill_and_restart()
            check_truth(s, folder)


@case
def recorded_scrapes_with_restarts():
    for folder in RECORDINGS:
        with Exporter() as x, Server(job(x.address)) as s:
            play(s, x, exporter.recorded(folder), lambda i: s.restart() if i % 4 == 2 else None)
            check_truth(s, folder)


@case
def scraped_and_sent():
    """OTLP and scraping of one session: counted once, and as OTLP has it."""
    folder = 'd2-prometheus-and-otlp'
    requests = recordings.load(folder)
    with Exporter() as x, Server(job(x.address)) as s:
        sent = iter(requests)

        def between(i):
            r = next(sent, None)
            if r:
                r.send(s)
        play(s, x, exporter.recorded(folder), between)
        for r in sent:
            r.send(s)
        check_truth(s, folder, recordings.truth()[folder]['metrics'])
        expect('asked by source', round(one(s.now('sum(increase(%s{ccmon_source="scrape"}[2d]))' % COST)), 9),
               round(exporter.truth()[folder]['cost_usd'], 9))


@case
def two_targets_one_session():
    bodies = [b for b in exporter.recorded('d-prometheus') if b]
    with Exporter() as x, Exporter() as y, Server(job([x.address, y.address])) as s:
        for body in bodies[::4] + bodies[-1:]:
            x.body = y.body = body
            s.scrape()
        check_truth(s, 'd-prometheus')


# ---- incarnations ----------------------------------------------------------------------------------

@case
def incarnations():
    """(what happens, total afterwards), one after another on one port."""
    with Exporter() as x, Server(job(x.address)) as s:
        def step(what, want, *lines, **kw):
            mode = kw.get('mode', 'answer')
            if mode == 'refused':
                x.stop()
            elif mode == 'restart':
                s.kill_and_restart()
            else:
                x.mode = mode
                if lines:
                    show(x, *lines)
                if not x.server:
                    x.start()
            s.scrape()
            x.mode = 'answer'
            expect(what, s.total(), want)

        step('first sight counts in full', 1.0, counter(1))
        step('grows', 1.5, counter(1.5))
        step('the same', 1.5)
        step('a new series counts in full', 1.75, counter(1.5), counter(0.25, model='n'))
        step('a failed answer ends nothing', 1.75, mode='reset_status')
        step('refused', 1.75, mode='refused')
        step('another process, higher values', 3.85, counter(1.6), counter(0.5, model='n'))
        step('lower values', 4.05, counter(0.1), counter(0.1, model='n'))
        step('a series gone', 4.35, counter(0.3))
        step('grows again', 4.45, counter(0.4))
        step('reset while it answers', 4.45, mode='reset')
        step('after a reset it is another one', 4.95, counter(0.5))
        step('ccmon starts anew', 4.95, mode='restart')
        step('and goes on', 5.05, counter(0.6))
        s.kill()
        show(x, counter(0.2))
        s.start()
        s.scrape()
        expect('replaced while ccmon was away, lower', s.total(), 5.25)
        s.stop()
        show(x, counter(0.3, session='b'))
        s.start()
        s.scrape()
        expect('replaced while ccmon was away, another session', s.total(), 5.55)
        s.kill()
        x.stop()
        s.start()
        s.scrape()
        x.start()
        show(x, counter(0.4, session='b'))
        s.scrape()
        expect('refused after the start', s.total(), 5.95)
        expect('by session', {k: round(v, 9) for k, v in by(s.now('sum by (session_id) (increase(%s[1h]))' % COST), 'session_id').items()},
               {'a': 5.25, 'b': 0.7})


@case
def a_time_out_ends_nothing():
    with Exporter() as x, Server(job(x.address, more='  scrape_timeout: 200ms\n')) as s:
        show(x, counter(1))
        s.scrape()
        x.mode = 'hang'
        s.scrape()
        expect('up', one(s.now('up')), 0.0)
        x.free.set()
        x.mode = 'answer'
        show(x, counter(1.5))
        s.scrape()
        expect('total', s.total(), 1.5)


@case
def scopes_are_summed_once():
    """Two scopes of one series add up; a line that is there twice does not."""
    with Exporter() as x, Server(job(x.address)) as s:
        a, b = counter(1), counter(2).replace('otel_scope_version="2"', 'otel_scope_version="3"').split('\n')[1] + '\n'
        x.body = (a + b + a.split('\n')[1] + '\n').encode()
        s.scrape()
        expect('total', s.total(), 3.0)


# ---- samples about the scrape, staleness ----------------------------------------------------------------

@case
def about_the_scrape():
    with Exporter() as x, Server(job(x.address, name='node')) as s:
        x.body = b'# TYPE a gauge\na{l="1"} 1\na{l="2"} 2\nb 3\n'
        s.scrape()
        got = {dict(k)['__name__']: v for k, v in s.now('{__name__=~"up|scrape_.+",job="node"}').items()}
        expect('names', sorted(got), ['scrape_duration_seconds', 'scrape_samples_post_metric_relabeling', 'scrape_samples_scraped',
                                      'scrape_series_added', 'up'])
        expect('values', [got[k] for k in ('up', 'scrape_samples_scraped', 'scrape_samples_post_metric_relabeling', 'scrape_series_added')],
               [1.0, 3.0, 3.0, 3.0])
        x.body = b'a{l="1"} 5\nb 3\nc 1\n'
        s.scrape()
        expect('added', one(s.now('scrape_series_added')), 1.0)
        expect('the one that is gone is stale', s.stale('a{l="2"}'), True)
        expect('the other is not', one(s.now('a')), 5.0)
        head = x.seen[-1]
        expect('path', head[0], '/metrics')
        expect('accept', head[1]['accept'].split(',')[0], 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6')
        expect('timeout header', head[1]['x-prometheus-scrape-timeout-seconds'], '10')
        x.body = b'a{l="1"} 5\nb{ 3\n'
        s.scrape()
        expect('a bad exposition', one(s.now('up')), 0.0)
        expect('all stale', (s.stale('a{l="1"}'), s.stale('b'), s.stale('c')), (True, True, True))
        t = s.targets()['activeTargets'][0]
        expect('told with its line', ('line 2' in t['lastError'], t['health']), (True, 'down'))
        x.body = b'a{l="1"} 6\n'
        s.scrape()
        expect('back', one(s.now('a')), 6.0)
        expect('reload', s.reload('scrape_configs: []\n')[0], 200)
        deadline = time.monotonic() + 20
        while s.now('up') and time.monotonic() < deadline:
            time.sleep(0.02)
        expect('a target that is gone is stale', (s.stale('a'), s.stale('up')), (True, True))


@case
def own_times():
    with Exporter() as x, Server(job(x.address)) as s:
        t = int(time.time()) - 100
        x.body = ('a 1 %d\nb 2\nc 3 %d\n' % (t * 1000, (t + 86400) * 1000)).encode()
        s.scrape()
        expect('its own time', one(s.prom('a', t + 1)), 1.0)
        expect('none before', s.prom('a', t - 1), {})
        expect('too far ahead', s.now('last_over_time(c[1h])'), {})
        x.body = b'b 2\n'
        s.scrape()
        expect('not stale', one(s.now('a')), 1.0)


@case
def openmetrics():
    with Exporter() as x, Server(job(x.address)) as s:
        x.type = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
        x.body = (b'# TYPE h histogram\n# UNIT h \nh_bucket{le="1"} 2 # {id="x"} 0.5 1.0\nh_bucket{le="+Inf"} 3\nh_sum 4\nh_count 3\nh_created 1\n'
                  b'# TYPE r_seconds counter\n# UNIT r_seconds seconds\n# HELP r_seconds time\nr_seconds_total 1.5\nr_seconds_created 1\n'
                  b'# TYPE q summary\nq{quantile="0.5"} 1\nq_sum 2\nq_count 3\n{"utf.8 name","a b"="c"} 1\n# EOF\n')
        s.scrape()
        got = sorted(dict(k)['__name__'] for k in s.now('{instance="%s",__name__!~"up|scrape_.+"}' % x.address))
        expect('series', got, ['h_bucket', 'h_bucket', 'h_count', 'h_sum', 'q', 'q_count', 'q_sum', 'r_seconds_total', 'utf.8 name'])
        meta = s.get_json('prometheus', '/api/v1/metadata')['data']
        expect('metadata', meta['r_seconds_total'], [{'type': 'counter', 'help': 'time', 'unit': 'seconds'}])
        d = s.get_json('prometheus', '/api/v1/targets/metadata', metric='r_seconds_total', match_target='{job="claude-code"}')['data']
        expect('by target', d, [{'target': {'instance': x.address, 'job': 'claude-code'}, 'type': 'counter', 'help': 'time', 'unit': 'seconds'}])
        x.body = x.body.replace(b'# EOF\n', b'')
        s.scrape()
        expect('cut short', s.targets()['activeTargets'][0]['lastError'], 'data does not end with # EOF')


# ---- configuration -----------------------------------------------------------------------------------------

@case
def limits():
    rows = [
        ('sample_limit: 2', 'a 1\nb 2\nc 3\n', 'sample limit exceeded'),
        ('sample_limit: 3', 'a 1\nb 2\nc 3\n', ''),
        ('label_limit: 3', 'a{x="1"} 1\n', 'label_limit exceeded'),
        ('label_limit: 4', 'a{x="1"} 1\n', ''),
        ('label_name_length_limit: 8', 'a{abcdefghi="1"} 1\n', 'label_name_length_limit exceeded'),
        ('label_value_length_limit: 20', 'a{b="%s"} 1\n' % ('x' * 21), 'label_value_length_limit exceeded'),
        ('body_size_limit: 10', 'a 1\nb 2\nc 3\n', 'larger than'),
        ('target_limit: 1', 'a 1\n', 'target_limit exceeded (number of targets: 2, limit: 1)'),
    ]
    for line, body, want in rows:
        with Exporter() as x, Exporter() as y:
            addresses = [x.address, y.address] if 'target' in line else x.address
            with Server(job(addresses, more='  %s\n' % line)) as s:
                x.body = y.body = body.encode()
                s.scrape()
                error = s.targets()['activeTargets'][0]['lastError']
                if (want == '') != (error == '') or (want not in error and want != 'larger than'):
                    raise AssertionError('%s: want %r, got %r' % (line, want, error))
                expect(line, one(s.now('min(up)')), float(want == ''))
                expect(line + ': nothing is kept of a scrape that failed', bool(s.now('a')), want == '')


RELABEL = '''  params: {module: [one, two]}
  relabel_configs:
  - {source_labels: [__address__], regex: '.*:(\\d+)', target_label: port}
  - {source_labels: [env, port], separator: '/', regex: 'prod/.+', action: keep}
  - {source_labels: [env], target_label: ENV, action: uppercase}
  - {regex: 'meta_(.+)', replacement: 'm_$1', action: labelmap}
  - {regex: 'meta_.+', action: labeldrop}
  - {source_labels: [env], modulus: 1000, target_label: shard, action: hashmod}
  - {target_label: __metrics_path__, replacement: /m}
  - {target_label: __param_module, replacement: three}
  metric_relabel_configs:
  - {source_labels: [__name__], regex: 'go_.*', action: drop}
  - {source_labels: [path], regex: '/(?P<first>[^/]+)/.*', replacement: '${first}', target_label: first}
  - {regex: path, action: labeldrop}
'''


@case
def relabelling():
    with Exporter() as x, Exporter() as y:
        text = ('scrape_configs:\n- job_name: web\n  scrape_interval: 1y\n  static_configs:\n'
                '  - {targets: ["%s"], labels: {env: prod, meta_zone: z1}}\n  - {targets: ["%s"], labels: {env: test}}\n' % (x.address, y.address)) + RELABEL
        with Server(text) as s:
            x.body = b'hits{path="/a/b",job="own",exported_job="e"} 7\ngo_x 1\n'
            s.scrape()
            hits = dict(next(iter(s.now('hits'))))
            shard = str(int.from_bytes(hashlib.md5(b'prod').digest()[8:], 'big') % 1000)
            exported = hits.pop('exported_job'), hits.pop('exported_exported_job')
            expect('labels', hits, {'__name__': 'hits', 'ENV': 'PROD', 'env': 'prod', 'first': 'a', 'instance': x.address, 'job': 'web',
                                    'm_zone': 'z1', 'port': str(x.port), 'shard': shard})
            expect('both jobs are kept', exported, ('e', 'own'))
            expect('dropped sample', s.now('go_x'), {})
            expect('after relabelling', one(s.now('scrape_samples_post_metric_relabeling')), 1.0)
            expect('request', x.seen[-1][0], '/m?module=three&module=two')
            expect('dropped target is not asked', y.seen, [])
            d = s.targets()
            expect('dropped', [(t['discoveredLabels']['__address__'], t['scrapePool']) for t in d['droppedTargets']], [(y.address, 'web')])
            expect('counts', d['droppedTargetCounts'], {'web': 1})
            expect('active only', (len(s.targets(state='active')['activeTargets']), s.targets(state='active')['droppedTargets']), (1, []))
            expect('dropped only', s.targets(state='dropped')['activeTargets'], [])
            expect('discovered', d['activeTargets'][0]['discoveredLabels'],
                   {'__address__': x.address, '__metrics_path__': '/metrics', '__param_module': 'one', '__scheme__': 'http',
                    '__scrape_interval__': '1y', '__scrape_timeout__': '10s', 'env': 'prod', 'job': 'web', 'meta_zone': 'z1'})
            expect('pools', s.get_json('prometheus', '/api/v1/scrape_pools')['data'], {'scrapePools': ['web']})


@case
def honored_labels():
    with Exporter() as x, Server(job(x.address, more='  honor_labels: true\n')) as s:
        x.body = b'a{job="own",instance="i"} 1\nb 1\n'
        s.scrape()
        expect('its own', [(dict(k)['job'], dict(k)['instance']) for k in s.now('a')], [('own', 'i')])
        expect('the target\'s', [dict(k)['job'] for k in s.now('b')], ['claude-code'])


@case
def credentials():
    rows = [
        ('  basic_auth: {username: u, password: p}\n', 'Basic dTpw'),
        ('  basic_auth: {username: u, password_file: secret}\n', 'Basic dTpz'),
        ('  authorization: {credentials: t}\n', 'Bearer t'),
        ('  authorization: {type: Token, credentials_file: secret}\n', 'Token s'),
        ('  bearer_token: t\n', 'Bearer t'),
    ]
    for more, want in rows:
        with Exporter() as x:
            s = Server(job(x.address, more=more))
            s.write('s\n', 'secret')
            with s:
                s.scrape()
                expect(more, x.seen[-1][1].get('authorization'), want)


@case
def over_tls_and_gzipped():
    """Three targets: one whose CA is named, one whose is not, and one that compresses."""
    if not shutil.which('openssl'):
        print('SKIP scrape: no openssl command to make certificates with')
        return
    with tempfile.TemporaryDirectory() as folder:
        pki = Certs(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.path('server.pem'), pki.path('server.key'))
        with Exporter(tls=context) as x, Exporter() as z:
            text = ('scrape_configs:\n'
                    '- {job_name: named, scheme: https, scrape_interval: 1y, tls_config: {ca_file: %s, server_name: localhost}, static_configs: [{targets: ["%s"]}]}\n'
                    '- {job_name: unknown, scheme: https, scrape_interval: 1y, static_configs: [{targets: ["%s"]}]}\n'
                    '- {job_name: gzip, scrape_interval: 1y, static_configs: [{targets: ["%s"]}]}\n'
                    % (pki.path('ca.pem'), x.address, x.address, z.address))
            with Server(text) as s:
                x.body = b'a 1\n'
                z.body, z.headers = gzip.compress(b'a 2\n'), {'Content-Encoding': 'gzip'}
                s.scrape()
                expect('up', by(s.now('up'), 'job'), {'named': 1.0, 'unknown': 0.0, 'gzip': 1.0})
                expect('values', by(s.now('a'), 'job'), {'named': 1.0, 'gzip': 2.0})
                told = {t['job']: t for t in s.get_json('web', '/api/ccmon/targets')['targets']}
                expect('what to do', 'ca_file' in told['unknown']['cure'], True)


@case
def privacy():
    """Nothing of a person in the data directory; totals stay."""
    secret = '7f3a9c31d0e4'
    with Exporter() as x, Server('privacy: [no-people]\n' + job(x.address)) as s:
        show(x, counter(1, user_id=secret), counter(2, session='b', user_id=secret), 'a{user_email="joe-%s@x"} 1\n' % secret)
        s.scrape()
        expect('total', s.total(), 3.0)
        expect('the rest', len(s.now('a')), 1)
        s.stop()
        for root, _, files in os.walk(s.data):
            for f in files:
                expect(f, secret.encode() in open(os.path.join(root, f), 'rb').read(), False)
        s.start()
        show(x, counter(1.5, user_id=secret), counter(2, session='b', user_id=secret))
        s.scrape()
        expect('after a restart', s.total(), 3.5)


CHECKED = [                                        # (rest of a job, is it right)
    ('  relabel_configs:\n  - {source_labels: [a], target_label: b, action: hashmod, modulus: 4}\n', True),
    ('  relabel_configs:\n  - {source_labels: [a], target_label: b, action: hashmod}\n', False),
    ('  relabel_configs:\n  - {source_labels: [a], regex: x, action: labeldrop}\n', False),
    ('  relabel_configs:\n  - {source_labels: [a], action: uppercase}\n', False),
    ('  relabel_configs:\n  - {source_labels: [a], target_label: b, regex: x, action: keepequal}\n', False),
    ('  relabel_configs:\n  - {source_labels: [a], target_label: b, action: keepequal}\n', True),
    ('  relabel_configs:\n  - {source_labels: [a], regex: "(", target_label: b}\n', False),
    ('  relabel_configs:\n  - {action: labelmap, regex: "x_(.+)"}\n', True),
    ('  relabel_configs:\n  - {action: drop}\n', True),
    ('  scrape_interval: 5s\n  scrape_timeout: 6s\n', False),
    ('  scrape_interval: 5s\n', True),
    ('  basic_auth: {username: u}\n  bearer_token: t\n', False),
    ('  authorization: {type: Basic}\n', False),
    ('  authorization: {credentials: x}\n', True),
    ('  static_configs: [{targets: ["http://x"]}]\n', False),
    ('  file_sd_configs: [{files: [x.txt]}]\n', False),
    ('  file_sd_configs: [{}]\n', False),
    ('  file_sd_configs: [{files: ["t/*.yml"], refresh_interval: 1m}]\n', True),
    ('  colour: red\n', False),
    ('  params: {m: [x]}\n  body_size_limit: 10MB\n  sample_limit: 4\n  label_limit: 5\n  target_limit: 7\n', True),
    ('- job_name: a\n', False),
    ('  honor_labels: true\n  honor_timestamps: false\n  follow_redirects: false\n  enable_http2: false\n  proxy_url: "http://p"\n', True),
    ('  metric_relabel_configs:\n  - {source_labels: [__name__], regex: "go_.*", action: drop}\n  tls_config: {insecure_skip_verify: true}\n', True),
]


@case
def checked_as_promtool_does():
    promtool = shutil.which('promtool')
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'prometheus.yml')
        for more, right in CHECKED:
            with open(path, 'w') as f:
                f.write('scrape_configs:\n- job_name: a\n' + more)
            ours = subprocess.run([BINARY, 'check-config', '--prometheus.config.file', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            expect(more, (ours.returncode == 0, ours.returncode in (0, 2)), (right, True))
            if promtool:
                theirs = subprocess.run([promtool, 'check', 'config', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                expect('promtool on ' + more, theirs.returncode == 0, right)
    if not promtool:
        print('SKIP scrape: no promtool to compare with')


@case
def file_discovery():
    text = 'scrape_configs:\n- job_name: f\n  scrape_interval: 1y\n  file_sd_configs: [{files: ["t/*.yml", t/one.json]}]\n'
    with Exporter() as x, Exporter() as y:
        s = Server(text)
        os.mkdir(os.path.join(s.dir, 't'))
        s.write('- targets: ["%s"]\n  labels: {from: yaml}\n' % x.address, 't/a.yml')
        x.body = y.body = b'a 1\n'
        with s:
            s.scrape()
            expect('from yaml', by(s.now('a'), 'from'), {'yaml': 1.0})
            s.write('[\n\t{"targets": ["%s"], "labels": {"from": "json"}}\n]\n' % y.address, 't/one.json')
            s.scrape()
            expect('both', by(s.now('a'), 'from'), {'yaml': 1.0, 'json': 1.0})
            s.write('- targets: {no: list}\n', 't/a.yml')
            s.scrape()
            expect('a broken file changes nothing', by(s.now('a'), 'from'), {'yaml': 1.0, 'json': 1.0})
            expect('and is told', 'a.yml' in open(s.log).read(), True)
            os.unlink(os.path.join(s.dir, 't', 'a.yml'))
            s.scrape()
            expect('gone', (by(s.now('a'), 'from'), s.stale('a{from="yaml"}')), ({'json': 1.0}, True))
            d = s.targets()['activeTargets']
            expect('where from', [os.path.basename(t['discoveredLabels']['__meta_filepath']) for t in d], ['one.json'])


@case
def reloads():
    with Exporter() as x, Exporter() as y, Server(job(x.address)) as s:
        show(x, counter(1))
        show(y, counter(5, session='y'))
        s.scrape()
        expect('a bad file', s.reload('scrape_configs: [{job_name: a, scrape_intervall: 1s}]\n')[0], 500)
        expect('reload', s.reload(job([x.address, y.address]))[0], 200)
        show(x, counter(1.5))
        s.scrape()
        expect('the target that stayed goes on', s.total(), 6.5)
        expect('reload', s.reload(job(y.address))[0], 200)
        s.scrape()
        expect('reload', s.reload(job([x.address, y.address]))[0], 200)
        s.scrape()
        expect('one that came back counts once', s.total(), 6.5)


@case
def a_schedule_of_its_own():
    with Exporter() as x, Server(job(x.address).replace('1y', '100ms')) as s:
        show(x, counter(1))
        deadline = time.monotonic() + 30
        while len(x.seen) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        expect('scrapes by itself', len(x.seen) >= 5, True)
        expect('total', s.total(), 1.0)


@case
def the_default_job():
    """Ports 9464 to 9480, if nothing else has them here."""
    try:
        first, other = Exporter(9464), Exporter(9471)
        for x in (first, other):
            x.start()
            x.stop()
    except OSError as e:
        print('SKIP scrape: ports 9464 and 9471 are needed for the default job: %s' % e)
        return
    with first, other:
        first.stop()
        s = Server('', env={'CCMON_SCRAPE_DEFAULT': 'true'})
        with s:
            other.body = b'something 1\n'
            s.scrape()
            expect('nothing is stored for empty ports and other programs', s.now('{__name__=~".+"}'), {})
            t = s.get_json('web', '/api/ccmon/targets')
            expect('the first port is shown', [(v['instance'], v['state']) for v in t['targets'] if v['instance'] == 'localhost:9464'],
                   [('localhost:9464', 'empty')])
            expect('with the line that mends it', t['mend'], 'OTEL_METRICS_EXPORTER=otlp,prometheus')
            expect('all are watched', t['watched_ports'], 17)
            show(other, counter(2, session='o'))
            s.scrape()
            first.start()
            show(first, counter(1))
            s.scrape()
            expect('both', by(s.now('sum by (instance) (increase(%s[1h]))' % COST), 'instance'), {'localhost:9464': 1.0, 'localhost:9471': 2.0})
            expect('up', by(s.now('up'), 'instance'), {'localhost:9464': 1.0, 'localhost:9471': 1.0})
            shown = {v['instance']: v for v in s.get_json('web', '/api/ccmon/targets')['targets']}
            expect('sessions', shown['localhost:9471']['sessions'], ['o'])
            if sys.platform == 'linux':
                expect('owner', shown['localhost:9471']['owner']['pid'], os.getpid())
            other.stop()
            s.scrape()
            expect('one that was there is down', by(s.now('up'), 'instance'), {'localhost:9464': 1.0, 'localhost:9471': 0.0})
            expect('total', s.total(), 3.0)
            noise = [line for line in open(s.log) if 'scrape' in line]
            expect('no noise in the log', noise, [])


def main():
    wanted, failed, ran = sys.argv[1:], 0, 0
    for f in CASES:
        if wanted and f.__name__ not in wanted:
            continue
        ran += 1
        try:
            f()
        except Exception as e:                     # one case never stops the others
            failed += 1
            print('FAIL %s: %s: %s' % (f.__name__, type(e).__name__, e), flush=True)
    print('%d passed, %d failed' % (ran - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
