#!/usr/bin/env python3
"""Recorded answers of Prometheus 3.14 against the real binary: the data goes in by remote
write, every case is asked over HTTP and compared by promcmp.py. A case that is known to
differ stands below with its reason, and is a failure when it no longer does.

$CONFORMANCE_SLOW_MS prints the cases that took longer."""
import gzip
import json
import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(ROOT, '..', 'lib'), ROOT]
from ccmon import Ccmon                            # noqa: E402
from common import STALE, Client, chunks, parse_value, remote_write, split_url   # noqa: E402
import promcmp                                     # noqa: E402

DIFFERS = {
    'f0a868c5f3c5': 'log10 of a denormal: the C library has the right value, Go has not',
    '2b1585487f23': 'the same over a range',
    '3fe40c1b58b4': 'settled figures are metrics of a session too',
    '59f27f8533f1': 'label values are those of the time range, not of whole blocks',
    'c9129d47d3fe': 'series of a range that ends before it starts are none',
    '8ae3ad13bff2': 'an empty path segment is a 404, not a redirect',
    '565157eab541': 'groups of topk without order between them come in the order of their labels',
}


def lines(name):
    with gzip.open(os.path.join(ROOT, name), 'rt') as f:
        for line in f:
            yield json.loads(line)


def load(url):
    data = [(d['labels'], [(t, STALE if v == 'stale' else parse_value(v)) for t, v in d['samples']])
            for d in lines('promql_dataset.jsonl.gz')]
    to, path = split_url(url + '/api/v1/write')
    for part in chunks(data):
        ok, why = remote_write(to, path, part)
        if not ok:
            sys.exit('the data was refused: %s' % why)


def main():
    passed = failed = skipped = 0
    slow = float(os.environ.get('CONFORMANCE_SLOW_MS', 'inf'))
    with Ccmon() as c:
        url = 'http://127.0.0.1:%d' % c.ports['prometheus']
        load(url)
        client = Client(url)
        for case in lines('promql_cases.jsonl.gz'):
            got, seconds = promcmp.fetch(client, case)
            why = promcmp.compare(case['expect'], got, case['compare'])
            known = case['id'] in DIFFERS
            if seconds * 1000 > slow:
                print('%.0f ms: %s %s' % (seconds * 1000, case['path'], json.dumps(case['params'])))
            if why and known:
                skipped += 1
                print('SKIP [%s]: differs: %s' % (case['id'], DIFFERS[case['id']]))
            elif not why and not known:
                passed += 1
            else:
                failed += 1
                print('[%s] %s %s\n    %s' % (case['id'], case['path'], json.dumps(case['params']), why or 'no longer differs'))
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
