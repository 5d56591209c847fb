#!/usr/bin/env python3
"""The stack's files against the programs that read them: docker-compose's own check
of the compose file, promtool on configurations and rules, and a real Prometheus that
runs with the shipped prometheus.yml and scrapes a replayed exporter of the client."""
import glob
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, '..', '..', 'stack')
SCRAPES = os.path.join(HERE, '..', 'fixtures', 'd-prometheus')
results = {'passed': 0, 'failed': 0, 'skipped': 0}


def case(name, needs=None):
    """Runs one check at once; a missing program is a skip that names it."""
    def run(check):
        if needs and not shutil.which(needs):
            results['skipped'] += 1
            print('SKIP %s: %s is not installed' % (name, needs))
            return
        try:
            check()
            results['passed'] += 1
        except Exception as e:                     # one check must not hide the others
            results['failed'] += 1
            print('FAIL %s: %s' % (name, e))
    return run


def sh(*args, **kw):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if p.returncode:
        raise RuntimeError('%s: %s' % (' '.join(args), p.stdout[-2000:]))
    return p.stdout


def read(name):
    return open(os.path.join(STACK, name)).read()


@case('compose file', 'docker-compose')
def compose():
    for profile, wanted in (('stock', 'prometheus loki grafana'), ('ccmon', 'ccmon grafana-ccmon')):
        text = sh('docker-compose', '--profile', profile, 'config', cwd=STACK)
        for service in wanted.split():
            assert re.search(r'^  %s:$' % service, text, re.M), '%s lacks %s' % (profile, service)
        for published in re.findall(r'^\s+- (\S*:?\d+:\d+)/tcp', text, re.M):
            assert published.startswith('127.0.0.1:'), 'published on all addresses: ' + published


@case('Dockerfile: builds by a target there is, with the libraries the program loads', 'dpkg')
def dockerfile():
    text = read('ccmon.Dockerfile')
    for target in re.findall(r'(?:^RUN|&&) make\b ?([\w/-]*)', text, re.M):
        assert not target or re.search('^%s:' % re.escape(target), open(os.path.join(STACK, '..', 'Makefile')).read(), re.M), target
    groups = re.findall(r'scripts/install-deps (\w+)', text)
    assert groups == ['build'], groups
    installed = set(re.findall(r'\blib[\w.+-]+', re.search(r'^FROM debian:12-slim\n(RUN .*?)\nCOPY', text, re.M | re.S).group(1)))
    for line in sh('ldd', os.environ.get('CCMON', os.path.join(STACK, '..', 'build', 'ccmon'))).splitlines():
        m = re.search(r'=> (?:/usr)?(/lib/\S+)', line)
        owner = m and re.search(r'^(\S+?)(?::\w+)?: ', sh('sh', '-c', 'dpkg -S "*%s" || true' % m.group(1)), re.M)
        base = ('libc6', 'libstdc++6', 'libgcc-s1', 'libicu72', 'zlib1g')   # of every image, or of one that is listed
        assert not owner or owner.group(1) in installed or owner.group(1) in base, 'not installed: ' + owner.group(1)


@case('prometheus.yml', 'promtool')
def prometheus_yml():
    assert 'SUCCESS' in sh('promtool', 'check', 'config', os.path.join(STACK, 'prometheus.yml'))


@case('prometheus-otlp.yml', 'promtool')
def prometheus_otlp_yml():
    # Debian's promtool is older than the otlp section; the rest is checked.
    text = re.sub(r'^otlp:\n(?: .*\n|\n)*', '', read('prometheus-otlp.yml'), flags=re.M)
    assert 'otlp:' not in text and 'scrape_configs:' in text
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write(text)
        f.flush()
        sh('promtool', 'check', 'config', f.name)


@case('rules.yml', 'promtool')
def rules():
    assert 'rules found' in sh('promtool', 'check', 'rules', os.path.join(STACK, 'rules.yml'))


VARIABLES = {'$__range': '1h', '$__interval': '1m', '$__rate_interval_ms': '240000', '$__rate_interval': '4m',
             '$__auto': '1m', '$budget': '100', '$model': '.*'}


def board_queries(over):
    for p in json.loads(read('grafana/dashboards/claude-code.json'))['panels']:
        for t in p.get('targets', ()):
            q = t['expr'].replace('$over', over)
            for k in sorted(VARIABLES, key=len, reverse=True):
                q = q.replace(k, VARIABLES[k])
            assert '$' not in q, q
            yield t['datasource']['type'], q


@case('board: every PromQL query parses', 'promtool')
def board():
    queries = [q for over in ('increase', 'sum_over_time') for kind, q in board_queries(over) if kind == 'prometheus']
    assert len(queries) > 20
    groups = {'groups': [{'name': 'board', 'rules': [{'record': 'q:%d' % i, 'expr': q} for i, q in enumerate(queries)]}]}
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        json.dump(groups, f)                       # JSON is YAML
        f.flush()
        sh('promtool', 'check', 'rules', f.name)


@case('board: five sections, ids and data sources')
def board_shape():
    b = json.loads(read('grafana/dashboards/claude-code.json'))
    assert [p['title'] for p in b['panels'] if p['type'] == 'row'] == ['Overview', 'Usage', 'Performance', 'Cost', 'Events']
    ids = [p['id'] for p in b['panels']]
    assert len(ids) == len(set(ids))
    provisioned = re.findall(r'uid: (\S+)', read('grafana/provisioning/datasources/datasources.yml'))
    for p in b['panels']:
        assert p['type'] == 'row' or (p['datasource']['uid'] in provisioned and p['description']), p['title']


def exporter():
    """Serves the recorded scrapes one after another, the last one for ever."""
    bodies = []
    for name in sorted(glob.glob(os.path.join(SCRAPES, '*-scrape.txt'))):
        head, _, body = open(name).read().partition('\n\n')
        if ' 200 ' in head.splitlines()[0]:
            bodies.append(body.encode())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
            self.send_response(200)
            self.send_header('Content-Type', 'text/plain')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def ask(port, query):
    url = 'http://127.0.0.1:%d/api/v1/query?%s' % (port, urllib.parse.urlencode({'query': query}))
    return json.load(urllib.request.urlopen(url))['data']['result']


def wait_for(what, seconds, check):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError('%s: not within %d s' % (what, seconds))


@case('a real Prometheus scrapes a replayed client', 'prometheus')
def real_prometheus():
    server, port = exporter(), free_port()
    with tempfile.TemporaryDirectory() as d:
        text = read('prometheus.yml').replace('host.docker.internal:9464', '127.0.0.1:%d' % server.server_address[1])
        assert '127.0.0.1' in text
        open(os.path.join(d, 'prometheus.yml'), 'w').write(text)
        shutil.copy(os.path.join(STACK, 'rules.yml'), d)
        p = subprocess.Popen(['prometheus', '--config.file', d + '/prometheus.yml', '--storage.tsdb.path', d + '/data',
                              '--web.listen-address', '127.0.0.1:%d' % port, '--log.level', 'error'])
        try:
            wait_for('target up', 60, lambda: [r for r in ask(port, 'up{job="claude-code"}') if r['value'][1] == '1'])
            wait_for('cost scraped', 60, lambda: ask(port, 'claude_code_cost_usage_total'))
            values = [float(r['value'][1]) for r in ask(port, 'sum(claude_code_token_usage_total{type="output"})')]
            assert values and values[0] > 0, values
        finally:
            p.terminate()
            p.wait()
            server.shutdown()


@case('board: every query is answered by ccmon')
def board_on_ccmon():
    sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
    import recordings
    from ccmon import Ccmon
    end, answered = 1795478400, 0
    with Ccmon() as server:
        for folder in ('w-interactive', 'h3-retries-exhausted', 'm-agent'):
            for r in recordings.load(folder):
                r.send(server)
        for kind, q in board_queries('increase'):
            q = q.replace('[1h]', '[1d]').replace('[1m]', '[1d]').replace('[4m]', '[1d]')
            if kind == 'prometheus':
                d = server.get_json('prometheus', '/api/v1/query', query=q, time=end)
            elif q.startswith('{'):
                d = server.get_json('loki', '/loki/api/v1/query_range', query=q, start=(end - 86400) * 10**9, end=end * 10**9)
            else:
                d = server.get_json('loki', '/loki/api/v1/query', query=q, time=end * 10**9)
            answered += bool(d['data']['result'])
    assert answered >= 25, '%d queries of the board had data' % answered


def main():
    print('%(passed)d passed, %(failed)d failed, %(skipped)d skipped' % results)
    return results['failed'] > 0 or results['passed'] == 0


if __name__ == '__main__':
    sys.exit(main())
