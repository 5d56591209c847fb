#!/usr/bin/env python3
"""`ccmon setup` as a new user has it: printed for a shell, written into settings and taken
back byte for byte, and waiting for the first data."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import Ccmon  # noqa: E402
import otlp  # noqa: E402

BINARY = os.environ['CCMON']
passed, failed = 0, 0


def check(what, got, want=True):
    global passed, failed
    passed, failed = passed + (got == want), failed + (got != want)
    if got != want:
        print('%s: got %r, want %r' % (what, got, want))


def setup(home, *args, stdin=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(('OTEL_', 'CLAUDE_'))}
    p = subprocess.run([BINARY, 'setup', *args], env=dict(env, HOME=home), input=stdin or '', capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def shell(home):
    rc, out, _ = setup(home, '--token', 'it\'s', '--identity')
    check('printed', rc, 0)
    env = subprocess.run(['sh', '-c', 'eval "$1"; env', 'sh', out], capture_output=True, text=True, env={}).stdout
    got = dict(line.split('=', 1) for line in env.splitlines() if '=' in line)
    check('enabled', got.get('CLAUDE_CODE_ENABLE_TELEMETRY'), '1')
    check('a token survives the shell', got.get('OTEL_EXPORTER_OTLP_HEADERS'), "Authorization=Bearer it's")
    check('endpoint', got.get('OTEL_EXPORTER_OTLP_ENDPOINT'), 'http://localhost:4318')
    check('each has its reason', out.count('\n# ') + out.startswith('# '), out.count('export '))
    for way, protocol in (('json', 'http/json'), ('grpc', 'grpc'), ('http', 'http/protobuf')):
        rc, out, _ = setup(home, '--way', way, '--json')
        check(way, json.loads(out)['env']['OTEL_EXPORTER_OTLP_PROTOCOL'], protocol)
    rc, out, _ = setup(home, '--way', 'both', '--json')
    check('both', json.loads(out)['env']['OTEL_METRICS_EXPORTER'], 'otlp,prometheus')
    for args in (['--way', 'x'], ['--nothing'], ['--wait', '0'], ['--way', 'grpc', '--tls', '--host', '10.0.0.1'], ['--config', '/nowhere']):
        rc, _, err = setup(home, *args)
        check('refused %r' % args, (rc, bool(err)), (2, True))


def settings(home):
    path = os.path.join(home, '.claude', 'settings.json')
    rc, out, _ = setup(home, '--write')
    check('without a terminal it asks for --yes', (rc, os.path.exists(path)), (1, False))
    rc, out, _ = setup(home, '--write', '--yes', '--token', 'abcdefghijklmnopqrstuvwxyz')
    check('written', (rc, json.load(open(path))['env']['OTEL_METRICS_EXPORTER']), (0, 'otlp'))
    check('private', os.stat(path).st_mode & 0o777, 0o600)
    check('the token is not shown whole', 'klmnopqrstuvwxyz' in out, False)
    check('undone', (setup(home, '--undo')[0], os.path.exists(path), os.listdir(os.path.dirname(path))), (0, False, []))

    old = '{\n\t"permissions": {"allow": ["Bash(ls)"]},\n\t"env": {"A": "b",  "OTEL_LOGS_EXPORTER": "console"}\n}'
    open(path, 'w').write(old)
    check('written into what is there', setup(home, '--write', '--yes')[0], 0)
    now = json.load(open(path))
    check('the rest stays', (now['permissions'], now['env']['A'], now['env']['OTEL_LOGS_EXPORTER']),
          ({'allow': ['Bash(ls)']}, 'b', 'otlp'))
    check('twice changes nothing', 'already' in setup(home, '--write', '--yes')[1])
    check('another way over it', setup(home, '--write', '--yes', '--way', 'grpc')[0], 0)
    check('undone', (setup(home, '--undo')[0], open(path).read()), (0, old))
    check('nothing left to undo', setup(home, '--undo')[0], 1)

    setup(home, '--write', '--yes')
    text = open(path).read().replace('"1"', '"0"').replace('"b"', '"c"')
    open(path, 'w').write(text)
    rc, out, _ = setup(home, '--undo', '--yes')
    now = json.load(open(path))['env']
    check('what was changed meanwhile stays', (rc, now), (0, {'A': 'c', 'OTEL_LOGS_EXPORTER': 'console', 'CLAUDE_CODE_ENABLE_TELEMETRY': '0'}))
    check('and is named', 'CLAUDE_CODE_ENABLE_TELEMETRY was changed' in out)

    os.chmod(path, 0o644)
    setup(home, '--write', '--yes', '--token', 'abcdefghijklmnopqrstuvwxyz')
    check('a token makes the file private', os.stat(path).st_mode & 0o777, 0o600)
    open(path, 'w').write('{"env": ')
    rc, _, err = setup(home, '--write', '--yes')
    check('a broken file is left alone', (rc, open(path).read(), path in err), (1, '{"env": ', True))
    link = os.path.join(home, 'dotfiles.json')
    os.rename(path, link)
    open(link, 'w').write('{}')
    os.symlink(link, path)
    setup(home, '--write', '--yes')
    check('a link stays one', (os.path.islink(path), 'env' in json.load(open(link))), (True, True))


def wait(home):
    with Ccmon() as c:
        url = 'http://127.0.0.1:%d' % c.ports['web']
        p = subprocess.Popen([BINARY, 'setup', '--wait', '60', '--url', url], stdout=subprocess.PIPE, text=True,
                             env=dict(os.environ, HOME=home))
        check('it says what it waits for', p.stdout.readline().startswith('Waiting for data at ' + url))
        t = time.time_ns()
        body = otlp.metrics([(t - 10**9, t, 0.25, {'session.id': 'the-session', 'model': 'm'})], otlp.DELTA)
        check('sent', c.post('/v1/metrics', body, 'application/json')[0], 200)
        out = p.communicate(timeout=60)[0]
        check('it says what came', (p.returncode, 'session the-session' in out, 'No event came yet' in out), (0, True, True))
        port = c.ports['web']
        rc, out, _ = setup(home, '--url', url)
        check('ports of a running server', 'http://localhost:%d' % c.ports['otlp-http'] in out)
    rc, _, err = setup(home, '--wait', '5', '--url', 'http://127.0.0.1:%d' % port)
    check('nobody there', (rc, 'no ccmon answers' in err), (1, True))


def main():
    with tempfile.TemporaryDirectory() as home:
        shell(home)
        settings(home)
        wait(home)
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


sys.exit(main())
