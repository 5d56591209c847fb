#!/usr/bin/env python3
"""The configuration changes between a kill and the next start: what was acknowledged
stays where it was acknowledged, since replay decodes a frame under the retention that it
was received with. After a reload the new retention holds for what comes then."""
import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import otlp                                        # noqa: E402
from ccmon import Ccmon, one                       # noqa: E402

DAY = 86400 * 10**9


def send(server, t, value):
    body = otlp.metrics([(t - 10**9, t, value, {'session.id': 's'})], otlp.DELTA)
    status, _, answer = server.post('/v1/metrics', body, 'application/json')
    assert status == 200, answer


def at(server, ns):
    return one(server.prom('sum(increase(claude_code_cost_usage_USD_total[1h]))', ns / 1e9 + 60))


def restarted_with(args_before, args_after, own, receipt):
    """A row of twenty days ago, a kill, another retention: where does it stand?"""
    with Ccmon(args_before) as server:
        now = int(time.time() * 1e9)
        old = now - 20 * DAY
        send(server, old, 0.5)
        server.kill()
        server.args = args_after
        server.start()
        send(server, old, 0.5)                     # and sent again: it counts once, wherever it stands
        return [] if (at(server, old), at(server, now)) == (own, receipt) else [(at(server, old), at(server, now))]


def reloaded():
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write('retention: 400d\n')
        f.flush()
        server = Ccmon(['--config', f.name])
        server.retention = None
        with server:
            now = int(time.time() * 1e9)
            f.seek(0)
            f.write('retention: 10d \n')
            f.flush()
            server.proc.send_signal(signal.SIGHUP)
            end = time.monotonic() + 30
            while server.get_json('web', '/api/ccmon/status')['retention_ns'] != str(10 * DAY):
                assert time.monotonic() < end, 'the reload was not taken'
            send(server, now - 20 * DAY, 0.25)
            got = at(server, now - 20 * DAY), at(server, now)
            return [] if got == (0.0, 0.25) else [got]


def main():
    forever, week = ['--retention', 'forever'], ['--retention', '7d']
    cases = [('forever, then a week', restarted_with(forever, week, 0.5, 0.0)),
             ('a week, then forever', restarted_with(week, forever, 0.0, 0.5)),
             ('reloaded', reloaded())]
    for name, bad in cases:
        for b in bad:
            print('FAIL %s: at its own time %s, at its receipt %s' % (name, b[0], b[1]))
    failed = sum(bool(bad) for _, bad in cases)
    print('%d passed, %d failed' % (len(cases) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
