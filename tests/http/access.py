#!/usr/bin/env python3
"""Tokens, users and refusals with the real binary: every listener, every form of the header,
reloads, binds, the recordings of refused clients, and floods that must not fill anything."""
import base64
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import h2                                          # noqa: E402
import otlp                                        # noqa: E402
from ccmon import BINARY, PORTS, Ccmon, one        # noqa: E402

RECORDINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'recordings')
JSON = 'application/json'
T0 = 1795440000 * 10**9
GOOD = otlp.metrics([(T0, T0 + 10**9, 0.25, {'session.id': 's', 'model': 'm'})], otlp.DELTA)
FLEET, AGENTS = '0123456789abcdef-fleet', 'fedcba9876543210-agents'
# secret-password, at the lowest cost so that the test is quick
BCRYPT = '$2b$04$b2W0zoz6HEsmxggWBjeaD.Mzsa0IhpLD7S8WK5lFPTgZjK5Ee8VDy'
YESCRYPT = '$y$j75$8pe1rYgQC2ZuLPz9TGc7x.$kU.5RYqJp3uLwWl84Y796WKv29RKed4/rJWDcen2IwA'
AUDIT_MAX = 4 << 20                                # AUDIT_BYTES_MAX of src/app/audit.h

# What each listener answers to somebody who may ask.
ASK = {
    'otlp-http': ('POST', '/v1/metrics', GOOD),
    'otlp-grpc': ('POST', '/v1/metrics', GOOD),
    'prometheus': ('GET', '/api/v1/labels', None),
    'loki': ('GET', '/loki/api/v1/labels', None),
    'web': ('GET', '/api/ccmon/status', None),
}


def basic(user, password):
    return 'Basic ' + base64.b64encode(('%s:%s' % (user, password)).encode()).decode()


class Config:
    """A ccmon.yml that can be changed while it is in use."""

    def __init__(self, text):
        fd, self.path = tempfile.mkstemp(prefix='ccmon-access-', suffix='.yml')
        os.close(fd)
        self.write(text)

    def write(self, text):
        with open(self.path, 'w') as f:
            f.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.unlink(self.path)


def ask(server, name, authorization=None, path=None, extra=None):
    method, usual, body = ASK[name]
    headers = dict(extra or {})
    if authorization is not None:
        headers['Authorization'] = authorization
    if body:
        headers['Content-Type'] = JSON
    return server.request(name, method, path or usual, body, headers)


def status_of(server, authorization=None):
    return json.loads(ask(server, 'web', authorization)[2])


def audit_lines(server):
    lines = []
    for name in ('audit.log.1', 'audit.log'):
        path = os.path.join(server.data, name)
        if os.path.exists(path):
            lines += [json.loads(l) for l in open(path)]
    return lines


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


TOKENS_AND_USERS = """
web:
  bearer_tokens: [{name: fleet, token: %s}]
  basic_auth_users: {ann: '%s'}
  http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=9}}
listeners:
  loki:
    bearer_tokens: [{name: agents, token_hash: 'sha256:%s'}]
    basic_auth_users: {bob: '%s'}
""" % (FLEET, BCRYPT, hashlib.sha256(AGENTS.encode()).hexdigest(), YESCRYPT)

# header, statuses on loki and on every other listener
HEADERS = [
    (None, 401, 401),
    ('', 401, 401),
    ('Bearer ' + FLEET, 403, 200),
    ('bearer ' + FLEET, 403, 200),
    ('Bearer%20' + FLEET, 403, 200),
    ('Bearer ' + AGENTS, 200, 403),
    ('Bearer%20' + AGENTS, 200, 403),
    ('Bearer ' + FLEET[:-1], 401, 401),
    ('Bearer ' + FLEET + 'x', 401, 401),
    (FLEET, 401, 401),
    (basic('ann', 'secret-password'), 403, 200),
    (basic('bob', 'secret-password'), 200, 403),
    (basic('ann', 'secret-passwore'), 401, 401),
    (basic('zoe', 'secret-password'), 401, 401),
    (basic('ann', 'secret-password').replace('Basic', 'bAsIc'), 403, 200),
    ('Basic !', 401, 401),
    ('Digest x', 401, 401),
]


def listeners(failures):
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        for header, loki, other in HEADERS:
            for name in PORTS:
                want = loki if name == 'loki' else other
                for again in ('', ' again'):       # the second time a password is remembered
                    status, headers, body = ask(server, name, header)
                    if status != want:
                        failures.append('%s%s with %r: want %d, got %d %s' % (name, again, header, want, status, body[:100]))
                    if headers.get('x-frame-options', '').lower() != 'deny' and name != 'web':
                        failures.append('%s: configured headers are missing: %s' % (name, headers))
        # Prometheus asks everybody, health checks included.
        for name, path in (('prometheus', '/-/healthy'), ('prometheus', '/-/ready'), ('loki', '/ready'), ('web', '/'), ('web', '/nothing')):
            token = AGENTS if name == 'loki' else FLEET
            got = [ask(server, name, h, path)[0] for h in (None, 'Bearer ' + token)]
            if got != [401, 200]:
                failures.append('%s%s without and with a token: %s' % (name, path, got))
        status, headers, body = ask(server, 'otlp-http')
        if json.loads(body).get('code') != 16:
            failures.append('a refused OTLP/JSON request: %s' % body)
        raw = http.client.HTTPConnection('127.0.0.1', server.ports['web'])
        raw.request('GET', '/')
        wants = raw.getresponse().headers.get_all('www-authenticate')
        if [w.split()[0] for w in wants] != ['Bearer', 'Basic']:
            failures.append('WWW-Authenticate: %s' % wants)
        raw.close()
        shown = {l['name']: (l['tokens'], l['users'], l['open'], l['tls']) for l in status_of(server, 'Bearer ' + FLEET)['listeners']}
        if any(shown[n] != (True, True, False, False) for n in PORTS):
            failures.append('the status: %s' % shown)


def hosts(failures):
    """A token is no way around the checks of Host and Origin."""
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        for extra in ({'Host': 'evil.example'}, {'Origin': 'http://evil.example'}, {'Sec-Fetch-Site': 'cross-site'}):
            status, _, body = ask(server, 'web', 'Bearer ' + FLEET, extra=extra)
            if status != 403:
                failures.append('%s: %d' % (extra, status))
        if not until(lambda: sum(l['status'] == 403 for l in audit_lines(server)) == 3):
            failures.append('audit: %s' % audit_lines(server))


def live(failures):
    """A browser sends user and password with everything, server-sent events too."""
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        with socket.create_connection(('127.0.0.1', server.ports['web']), timeout=10) as s:
            s.sendall(('GET /api/ccmon/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n' % basic('ann', 'secret-password')).encode())
            got = s.recv(4096)
            if b'200 OK' not in got:
                failures.append('live: %s' % got[:100])
                return
            ask(server, 'otlp-http', 'Bearer ' + FLEET)
            while b'tick' not in got:
                part = s.recv(4096)
                if not part:
                    failures.append('live: no tick in %s' % got[:200])
                    break
                got += part


def first_password(failures):
    """A password never seen is hashed before a large body is taken: 503, then 200."""
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        large = GOOD + b' ' * (200 << 10)
        headers = {'Content-Type': JSON, 'Authorization': basic('ann', 'secret-password')}
        status, answer, body = server.request('otlp-http', 'POST', '/v1/metrics', large, headers)
        if status != 503 or 'retry-after' not in answer:
            failures.append('the first: %d %s' % (status, body))
        if not until(lambda: server.request('otlp-http', 'POST', '/v1/metrics', large, headers)[0] == 200):
            failures.append('it is never let in')
        headers['Authorization'] = basic('ann', 'wrong')
        for _ in range(3):
            status = server.request('otlp-http', 'POST', '/v1/metrics', large, headers)[0]
            if status not in (503, 429):
                failures.append('wrong: %d' % status)
        got = one(server_prom(server, 'sum(increase(claude_code_cost_usage_USD_total[1h]))'))
        if got != 0.25:
            failures.append('what arrived adds up to %s' % got)


def server_prom(server, query):
    """An instant query as ann's token."""
    status, _, body = server.request('prometheus', 'GET', '/api/v1/query?time=%d&query=%s' % (
        T0 // 10**9 + 60, query.replace('[', '%5B').replace(']', '%5D').replace(' ', '%20')), None, {'Authorization': 'Bearer ' + FLEET})
    assert status == 200, body
    return {tuple(sorted(r['metric'].items())): float(r['value'][1]) for r in json.loads(body)['data']['result']}


def guessing(failures):
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        right = basic('ann', 'secret-password')
        if ask(server, 'web', right)[0] != 200:
            failures.append('the right password')
        got = [ask(server, 'web', basic('ann', 'guess%d' % i))[0] for i in range(40)]
        if got[:10] != [401] * 10 or 429 not in got or got.count(401) > 20:
            failures.append('guesses: %s' % got)
        if ask(server, 'web', right)[0] != 200 or ask(server, 'web', 'Bearer ' + FLEET)[0] != 200:
            failures.append('who works is shut out')
        if not until(lambda: any(l['status'] == 429 for l in audit_lines(server))):
            failures.append('audit: %s' % audit_lines(server))


def reloads(failures):
    first = 'web: {bearer_tokens: [{name: a, token: %s}]}\n' % FLEET
    second = 'web: {bearer_tokens: [{name: b, token: %s}]}\n' % AGENTS
    with Config(first) as config, Ccmon(['--config', config.path]) as server:
        def tokens():
            return [ask(server, 'otlp-http', 'Bearer ' + t)[0] for t in (FLEET, AGENTS)]

        def reload(token):
            h = {'Authorization': 'Bearer ' + token} if token else {}
            return server.request('web', 'POST', '/-/reload', b'', h)
        steps = [
            ('both', first.replace('}]', '}, {name: b, token: %s}]' % AGENTS), FLEET, 200, [200, 200]),
            ('one is taken out', second, FLEET, 200, [401, 200]),
            ('a bad one leaves all as it was', second.replace(AGENTS, 'short'), AGENTS, 500, [401, 200]),
            ('a certificate that is not there', second + 'listeners: {loki: {tls_server_config: {cert_file: /no, key_file: /no}}}\n', AGENTS, 500, [401, 200]),
            ('nobody is asked any more', '', AGENTS, 200, [200, 200]),
            ('and again', first, None, 200, [200, 401]),
        ]
        for name, text, token, want, tokens_want in steps:
            config.write(text)
            status, _, body = reload(token)
            if status != want:
                failures.append('%s: %d %s' % (name, status, body))
            if tokens() != tokens_want:
                failures.append('%s: %s' % (name, tokens()))
        config.write(first + 'listeners: {loki: {bind: 127.0.0.2}}\n')
        reload(FLEET)
        if 'take effect at the next start: listeners.loki.bind' not in open(server.log).read():
            failures.append('a changed bind is not named in the log')


# configuration, exit code, words on standard error
BINDS = [
    ('bind: 0.0.0.0\n', 2, 'can be reached from other machines'),
    ('listeners: {otlp-http: {bind: 0.0.0.0}}\n', 2, 'otlp-http: bind 0.0.0.0 can be reached'),
    ('listeners: {otlp-http: {bind: 0.0.0.0, basic_auth_users: {}}}\n', 2, 'otlp-http: bind 0.0.0.0'),
    ('web: {bearer_tokens: [{name: a, token: short}]}\n', 2, 'the token has 5 characters'),
    ('web: {basic_auth_users: {ann: plain}}\n', 2, ':1:31: basic_auth_users.ann: this is no password hash'),
    ('listeners: {otlp-http: {bind: 0.0.0.0, open: true}}\n', 0, 'open: whoever reaches 0.0.0.0:'),
    ('listeners: {otlp-http: {bind: 0.0.0.0, bearer_tokens: [{name: a, token: %s}]}}\n' % FLEET, 0, ''),
    ('bind: 0.0.0.0\nweb: {basic_auth_users: {ann: "%s"}}\n' % BCRYPT, 0, ''),
]


def binds(failures):
    for text, want, words in BINDS:
        with Config(text) as config:
            if want:
                args = [BINARY, 'serve', '--config', config.path, '--data', tempfile.gettempdir() + '/ccmon-never']
                p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
                code, said = p.returncode, p.stderr
            else:
                with Ccmon(['--config', config.path]) as server:
                    opened = 'open: true' in text
                    until(lambda: words in open(server.log).read(), 2)
                    code, said = 0, open(server.log).read()
                    if 'users' not in text:
                        s = status_of(server)
                        if s['open'] != opened or [l['open'] for l in s['listeners'] if l['name'] == 'otlp-http'] != [opened]:
                            failures.append('%r: the status does not say that it is open: %s' % (text, s['open']))
            if code != want or words not in said:
                failures.append('%r: %d %s' % (text, code, said[-300:]))
    # Prometheus's own file, for all listeners
    with Config('basic_auth_users:\n  ann: "%s"\n' % BCRYPT) as web, Ccmon(['--web.config.file', web.path]) as server:
        got = [ask(server, n, h)[0] for n in PORTS for h in (None, basic('ann', 'secret-password'))]
        if got != [401, 200] * 5:
            failures.append('--web.config.file: %s' % got)


# ---- the recordings

def recording(folder):
    """(path, headers, body or None, what was answered) of each request."""
    where = os.path.join(RECORDINGS, folder)
    for name in sorted(n for n in os.listdir(where) if n.endswith('.headers.txt')):
        lines = open(os.path.join(where, name)).read().splitlines()
        body = os.path.join(where, name.replace('.headers.txt', '.json'))
        headers = dict(l.split(': ', 1) for l in lines[1:] if ': ' in l and l[0] != '#')
        answered = re.search(r'answered=(\d+)', lines[-1])
        yield lines[0].split()[1], headers, open(body, 'rb').read() if os.path.exists(body) else None, answered and int(answered.group(1))


def send(server, path, headers, body):
    keep = {k: v for k, v in headers.items() if k in ('Authorization', 'Content-Type', 'User-Agent')}
    return server.request('otlp-http', 'POST', path, body, keep)[0]


def totals(server):
    """Dollars in metrics and in events, of everything."""
    metrics = one(server.prom('sum(increase(claude_code_cost_usage_USD_total[20d]))', T0 / 1e9 + 10**6))
    events = one(server.loki('sum(sum_over_time({service_name="claude-code"} | event_name="api_request" | unwrap cost_usd [400d]))',
                             T0 + 10**15))
    return round(metrics, 9), round(events, 9)


def recordings(failures):
    token = 'demo-token'                           # of the recordings; too short to be configured but by its hash
    guarded = "listeners: {otlp-http: {bearer_tokens: [{name: demo, token_hash: 'sha256:%s'}]}}\n" % hashlib.sha256(token.encode()).hexdigest()
    bodies = {path: body for path, _, body, _ in recording('o4-401-twice-then-ok')}
    for folder in ('o1-bearer-header', 'o1b-bearer-header-percent'):
        with Config(guarded) as config, Ccmon(['--config', config.path]) as server:
            got = [send(server, path, headers, bodies[path]) for path, headers, _, _ in recording(folder)]
            if got != [200, 200]:
                failures.append('%s: %s' % (folder, got))
            if totals(server) != (0.080115, 0.080115):
                failures.append('%s: %s' % (folder, totals(server)))
    with Config(guarded) as config, Ccmon(['--config', config.path]) as server:
        got = [send(server, path, headers, body) for path, headers, body, _ in recording('o4-401-twice-then-ok')]
        if got != [401, 401] or totals(server) != (0, 0):
            failures.append('o4: %s, %s' % (got, totals(server)))
        refused = status_of(server)['refused_senders']
        if [(r['status'], r['count'], r['otlp'], r['token'], r['agent'], r['peer']) for r in refused] != [
                (401, 2, True, '', 'OTel-OTLP-Exporter-JavaScript/0.208.0', '127.0.0.1')]:
            failures.append('o4: the status says %s' % refused)
        said = [l for l in open(server.log) if 'OTEL_EXPORTER_OTLP_HEADERS' in l]
        if len(said) != 1 or 'no token' not in said[0]:
            failures.append('o4: the log says %s' % said)
    with Config(guarded) as config, Ccmon(['--config', config.path]) as server:
        got = []
        for i, (path, headers, body, answered) in enumerate(recording('o5-401-three-times-then-ok-long')):
            if i == 3:
                config.write('')
                server.request('web', 'POST', '/-/reload', b'')
            got.append((send(server, path, headers, body), answered))
        if any(a != b for a, b in got) or [a for a, _ in got].count(401) != 3:
            failures.append('o5: %s' % got)
        if totals(server) != (0.0966674, 0.0164084):
            failures.append('o5: %s' % (totals(server),))


def grpc(failures):
    headers = [h for _, h, _, _ in recording('p7-grpc-unauthenticated')][0]
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        c = h2.Connection(server.ports['otlp-grpc'])
        more = [('user-agent', headers['user-agent'])]
        rows = [([], 16), ([('authorization', 'Bearer wrong-wrong-wrong')], 16), ([('authorization', 'Bearer ' + AGENTS)], 7),
                ([('authorization', 'Bearer ' + FLEET)], 0), ([('authorization', 'Bearer%20' + FLEET)], 0)]
        for fields, want in rows:
            r = h2.grpc_call(c, h2.export_path('logs'), b'', more=more + fields)
            if r.status != want:
                failures.append('%s: want %d, got %s %s' % (fields, want, r.status, r.message))
        c.close()
        refused = status_of(server, 'Bearer ' + FLEET)['refused_senders']
        if {(r['status'], r['token'], r['agent']) for r in refused} != {
                (401, '', headers['user-agent']), (401, 'Bearer wron... (17 characters)', headers['user-agent']),
                (403, 'Bearer fedc... (23 characters)', headers['user-agent'])}:
            failures.append('the status says %s' % refused)


def lost(failures):
    """What is dropped for good without a token having to do with it is shown too."""
    with Ccmon() as server:
        server.post('/v1/logs', b'\xff\xff', 'application/x-protobuf')
        server.post('/v1/logs', b'hello', 'text/plain')
        server.post('/v1/logs', b'x', JSON, 'br')
        server.request('web', 'GET', '/api/v1/query?query=%28')        # a query that is wrong is nobody's loss
        got = sorted((r['status'], r['otlp']) for r in json.loads(server.request('web', 'GET', '/api/ccmon/refusals')[2])['refused_senders'])
        if got != [(400, True), (415, True), (415, True)] and got != [(400, True), (415, True)]:
            failures.append('refusals: %s' % got)
        if os.path.exists(os.path.join(server.data, 'audit.log')):
            failures.append('audit.log has what is no question of access')


# ---- floods

def resident_kb(server):
    path = '/proc/%d/status' % server.proc.pid
    if not os.path.exists(path):
        return 0
    return [int(l.split()[1]) for l in open(path) if l.startswith('VmRSS')][0]


def flood(failures):
    """20,000 refusals, each with another token, name and program: nothing grows with them."""
    with Config(TOKENS_AND_USERS) as config, Ccmon(['--config', config.path]) as server:
        def burst(n, first):
            with socket.create_connection(('127.0.0.1', server.ports['otlp-http']), timeout=60) as s:
                for i in range(first, first + n, 50):
                    s.sendall(b''.join(b'POST /v1/logs/%d HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %032d\r\nUser-Agent: program-%d\r\n'
                                       b'Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}' % (k, k, k) for k in range(i, i + 50)))
                    got = b''
                    while got.count(b'HTTP/1.1 401') < 50:
                        part = s.recv(1 << 16)
                        if not part:
                            return False
                        got += part
            return True
        if not burst(2000, 0):
            failures.append('the connection was ended')
        before = resident_kb(server)
        if not burst(18000, 2000):
            failures.append('the connection was ended')
        grown = resident_kb(server) - before
        if grown > 4096:
            failures.append('resident memory grew by %d kB' % grown)
        answer = json.loads(ask(server, 'web', 'Bearer ' + FLEET, '/api/ccmon/refusals')[2])
        if answer['total'] != 20000 or len(answer['refused_senders']) != 256:
            failures.append('the table: %d, %d rows' % (answer['total'], len(answer['refused_senders'])))
        if ask(server, 'otlp-http', 'Bearer ' + FLEET)[0] != 200:
            failures.append('a good sender afterwards')
        log = open(server.log).read().count('\n')
        if log > 200:
            failures.append('%d lines in the log' % log)
        server.stop()
        lines = audit_lines(server)
        size = sum(os.path.getsize(os.path.join(server.data, n)) for n in os.listdir(server.data) if n.startswith('audit.log'))
        if sum(l['count'] for l in lines) != 20000 or size > 2 * AUDIT_MAX or len(lines) > 200:
            failures.append('audit.log: %d lines, %d refusals, %d bytes' % (len(lines), sum(l['count'] for l in lines), size))
        secret = open(os.path.join(server.data, 'audit.log')).read() + open(server.log).read()
        if '0' * 12 in secret:
            failures.append('more of a token is shown than may be')


def main():
    parts = (listeners, hosts, live, first_password, guessing, reloads, binds, recordings, grpc, lost, flood)
    if sys.argv[1:]:
        parts = [p for p in parts if p.__name__ in sys.argv[1:]]
    failed = 0
    for part in parts:
        failures = []
        part(failures)
        failed += bool(failures)
        for f in failures:
            print('FAIL %s: %s' % (part.__name__, f))
    print('%d passed, %d failed' % (len(parts) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
