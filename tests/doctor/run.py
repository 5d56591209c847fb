#!/usr/bin/env python3
"""`ccmon doctor`: against a server in order it finds nothing wrong and gets each record back;
a stopped server, a refused sender, a taken port and bad settings are named with their cure."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import Ccmon  # noqa: E402

BINARY = os.environ['CCMON']
WAYS = ['OTLP/HTTP, JSON', 'OTLP/HTTP, protobuf', 'OTLP/HTTP, gzip', 'OTLP/HTTP, without a path', 'OTLP/gRPC', "OTLP/HTTP on gRPC's port",
        "OTLP/HTTP beside Prometheus's API", "OTLP/HTTP beside Loki's API", "OTLP/HTTP on the page's port"]
HASH = '$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW'   # bcrypt of "secret", the cheapest
passed, failed = 0, 0


def check(what, got, want=True, more=''):
    global passed, failed
    passed, failed = passed + (got == want), failed + (got != want)
    if got != want:
        print('%s: got %r, want %r\n%s' % (what, got, want, more))


def doctor(home, url, *args, env=None):
    own = {k: v for k, v in os.environ.items() if not k.startswith(('OTEL_', 'CLAUDE_'))}
    p = subprocess.run([BINARY, 'doctor', '--url', url, '--project', home, *args], env=dict(own, HOME=home, **(env or {})),
                       capture_output=True, text=True)
    return p.returncode, p.stdout + p.stderr


def url_of(c):
    return 'http://127.0.0.1:%d' % c.ports['web']


def in_order(home):
    good = {'CLAUDE_CODE_ENABLE_TELEMETRY': '1', 'OTEL_METRICS_EXPORTER': 'otlp', 'OTEL_LOGS_EXPORTER': 'otlp'}
    with Ccmon() as c:
        env = dict(good, OTEL_EXPORTER_OTLP_ENDPOINT='http://localhost:%d' % c.ports['otlp-http'])
        rc, out = doctor(home, url_of(c), env=env)
        check('all is well', (rc, 'All is well' in out), (0, True), out)
        for way in WAYS:
            check(way, 'ok     %s: a record went in and was found again' % way in out, True, out)
        rows = c.get_json('loki', '/loki/api/v1/query', query='sum(count_over_time({service_name=~"claude-code.*"}[1h]))')
        check('no figure counts it', rows['data']['result'], [])
        rc, out = doctor(home, url_of(c), env=dict(good, OTEL_EXPORTER_OTLP_PROTOCOL='grpc', OTEL_EXPORTER_OTLP_ENDPOINT='localhost:4317'))
        check('a setting that cannot work', (rc, 'has no scheme' in out and '-> OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317' in out), (1, True), out)
        rc, out = doctor(home, url_of(c), env=dict(good, OTEL_EXPORTER_OTLP_ENDPOINT='https://localhost:%d' % c.ports['otlp-http']))
        check('TLS to a plain port', (rc, 'does not speak TLS' in out), (1, True), out)
        rc, out = doctor(home, url_of(c), env=dict(good, OTEL_EXPORTER_OTLP_ENDPOINT='http://localhost:9'))
        check('an address of nobody', (rc, 'no port of this ccmon' in out), (1, True), out)
        rc, out = doctor(home, url_of(c))
        check('telemetry off', (rc, 'CLAUDE_CODE_ENABLE_TELEMETRY is not set' in out), (1, True), out)
        os.chmod(c.data, 0o755)
        rc, out = doctor(home, url_of(c), env=env)
        check('an open data directory', (rc, 'can be read by others' in out), (1, True), out)
        url = url_of(c)
    rc, out = doctor(home, url, env=good)
    check('nobody answers', (rc, 'start it: ccmon serve' in out), (1, True), out)


def refused(home):
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write('web:\n  bearer_tokens:\n  - name: team\n    token: a-token-that-is-long-enough\n')
        f.flush()
        with Ccmon(args=['--config', f.name]) as c:
            status, _, _ = c.request('otlp-http', 'POST', '/v1/logs', b'{}',
                                     {'Content-Type': 'application/json', 'Authorization': 'Bearer another-token-altogether'})
            check('refused', status, 401)
            rc, out = doctor(home, url_of(c))
            check('the doctor needs the token too', (rc, '--token' in out), (1, True), out)
            rc, out = doctor(home, url_of(c), '--token', 'a-token-that-is-long-enough')
            check('the refused sender is named', 'was refused' in out and '401' in out, True, out)
            check('its token is not', 'another-token-altogether' in out, False, out)
            settings = {'CLAUDE_CODE_ENABLE_TELEMETRY': '1', 'OTEL_METRICS_EXPORTER': 'otlp', 'OTEL_LOGS_EXPORTER': 'otlp',
                        'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://localhost:%d' % c.ports['otlp-http']}
            for token, word in (('a-token-that-is-long-enough', 'was taken there'), ('one-that-is-wrong-altogether', 'answered 401')):
                _, client = doctor(home, url_of(c), '--token', 'a-token-that-is-long-enough',
                                   env=dict(settings, OTEL_EXPORTER_OTLP_HEADERS='Authorization=Bearer ' + token))
                check("the settings' token is tried: " + word, word in client, True, client)
            check('the ways in work with the token', out.count('went in and was found again'), len(WAYS), out)


def users(home):
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write('listeners:\n  web:\n    basic_auth_users:\n      ann: "%s"\n' % HASH)
        f.flush()
        with Ccmon(args=['--config', f.name]) as c:
            rc, out = doctor(home, url_of(c))
            check('it says whom it wants', (rc, 'give --user NAME:PASSWORD' in out, 'not looked at: no server answers' in out), (1, True, True), out)
            rc, out = doctor(home, url_of(c), '--user', 'ann:secret')
            check('the ways in work for a user', out.count('went in and was found again'), len(WAYS), out)
            p = subprocess.run([BINARY, 'setup', '--url', url_of(c)], capture_output=True, text=True)
            check('setup says so too', (p.returncode, 'asks for a user' in p.stderr), (1, True), p.stderr)
            p = subprocess.run([BINARY, 'setup', '--url', url_of(c), '--user', 'ann:secret'], capture_output=True, text=True)
            check('and asks as that user', 'http://localhost:%d' % c.ports['otlp-http'] in p.stdout, True, p.stdout + p.stderr)


def main():
    with tempfile.TemporaryDirectory() as home:
        in_order(home)
        refused(home)
        users(home)
        broken = os.path.join(home, '.claude')
        os.mkdir(broken)
        open(os.path.join(broken, 'settings.json'), 'w').write('{"env": ')
        rc, out = doctor(home, 'http://127.0.0.1:9')
        check('broken settings', (rc, 'settings.json cannot be read' in out), (1, True), out)
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


sys.exit(main())
