#!/usr/bin/env python3
"""The benchmark still runs, on a company so small that its figures mean nothing: ccmon's
answers are the truth of the load, the same options give the same bytes, nothing is left."""
import filecmp
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('BUILD', 'build')
CCMON = os.path.abspath(os.environ.get('CCMON', os.path.join(ROOT, BUILD, 'ccmon')))
passed = failed = 0


def check(what, ok, detail=''):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print('FAIL %s: %s' % (what, str(detail)[-3000:]), flush=True)


def load(folder):
    os.mkdir(folder)
    subprocess.run([os.path.join(ROOT, BUILD, 'bench', 'bench-load'), folder, 'people=2', 'days=2', 'end=1795392000'], check=True,
                   stderr=subprocess.DEVNULL)
    return sorted(os.listdir(folder))


def main():
    subprocess.run(['ninja', '-C', os.path.join(ROOT, BUILD), 'bench/bench-load', 'bench/bench-send'], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix='ccmon-test-') as top:
        one, two = os.path.join(top, '1'), os.path.join(top, '2')
        names = load(one)
        check('all forms', names == load(two) and len(names) == 7, names)
        check('the same bytes', filecmp.cmpfiles(one, two, names, shallow=False)[0] == names)
        root, out = os.path.join(top, 'root'), os.path.join(top, 'out.json')
        p = subprocess.run([os.path.join(ROOT, 'bench', 'run.py'), 'people=3', 'days=2', 'runs=2', 'peers=none', 'scenarios=none',
                            'root=' + root, 'out=' + out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env=dict(os.environ, CCMON=CCMON))
        check('every answer is the truth', p.returncode == 0, p.stdout)
        figures = json.load(open(out))['results']['ccmon']['figures'] if os.path.exists(out) else {}
        for key in ('ready_ms', 'cpu_logs-1000', 'disk_otlp', 'ack_p99_ms', 'count_by_event_1d', 'top_users'):
            check('has ' + key, figures.get(key, -1) >= 0, figures.get(key))
        check('nothing was refused', not any(v for k, v in figures.items() if k.startswith('refused_')), figures)
        check('nothing is left', not os.path.exists(root))
    print('%d passed, %d failed' % (passed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
