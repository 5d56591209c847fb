#!/usr/bin/env python3
"""promtool against the real binary: the queries it can ask, and its checks of health.

$CCMON_PROMTOOL names a newer promtool to be used too. A row is a command line, its exit
code and what it must print; what a row says is the same for every promtool."""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, '..', 'lib'))
from ccmon import Ccmon                            # noqa: E402
from otlp import DELTA, metrics                    # noqa: E402

T0 = 1767225600                                    # 2026-01-01


RULES = os.path.join(ROOT, 'rules.yml')


def rows(url):
    at = ['--time', str(T0 + 300)]
    span = ['--start', str(T0), '--end', str(T0 + 300)]
    return [
        (['query', 'instant'] + at + [url, 'vector(1)+1'], 0, r'\{\} => 2 @'),
        (['query', 'instant'] + at + [url, 'sum by (type) (promtool_things_total)'], 0, r'\{type="a"\} => 7 @.*\n\{type="b"\} => 3 @'),
        (['query', 'instant'] + at + [url, 'sum(increase(promtool_things_total[5m]))'], 0, r'\{\} => 10 @'),
        (['query', 'instant', '-o', 'json'] + at + [url, 'promtool_things_total{type="a"}'], 0, r'"type":"a".*"7"'),
        (['query', 'instant'] + at + [url, 'sum('], 1, r'(?i)parse error'),
        (['query', 'range'] + span + ['--step', '60s', url, 'sum(promtool_things_total)'], 0, r'\{\} =>\n(?s:.*)10 @'),
        (['query', 'series', '--match', 'promtool_things_total'] + span + [url], 0, r'type="a"(?s:.*)type="b"'),
        (['query', 'labels'] + span + [url, 'type'], 0, r'a\nb\n'),
        (['check', 'rules', RULES], 0, r'2 rules found'),
    ]


def newer_rows(url):
    return [
        (['check', 'healthy', '--url=' + url], 0, r'(?i)healthy'),
        (['check', 'ready', '--url=' + url], 0, r'(?i)ready'),
    ]


def run(promtool, c):
    passed = failed = 0
    url = 'http://127.0.0.1:%d' % c.ports['prometheus']
    knows = subprocess.run([promtool, 'check', '--help'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    newer = 'check healthy' in knows
    if not newer:
        print('SKIP %s check healthy, check ready: this promtool has no such commands' % promtool)
    for args, code, want in rows(url) + (newer_rows(url) if newer else []):
        p = subprocess.run([promtool] + args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        ok = p.returncode == code and re.search(want, p.stdout)
        passed, failed = passed + bool(ok), failed + (not ok)
        if not ok:
            print('%s %s\n  exit code %d, not %d, or no %s in\n%s' % (promtool, ' '.join(args), p.returncode, code, want, p.stdout))
    return passed, failed


def main():
    tools = [t for t in (shutil.which('promtool'), os.environ.get('CCMON_PROMTOOL')) if t]
    if not shutil.which('promtool'):
        print('SKIP promtool: it is not installed (Debian has it in the package prometheus)')
    if not os.environ.get('CCMON_PROMTOOL'):
        print('SKIP newer promtool: CCMON_PROMTOOL names none')
    passed = failed = 0
    with Ccmon() as c:
        points = [((T0 + 60) * 10**9, (T0 + 120) * 10**9, v, {'type': t}) for t, v in (('a', 7.0), ('b', 3.0))]
        status = c.post('/v1/metrics', metrics(points, DELTA, 'promtool.things', '1'), 'application/json')[0]
        if status != 200:
            sys.exit('the points were refused: %s' % status)
        for t in tools:
            p, f = run(t, c)
            passed, failed = passed + p, failed + f
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
