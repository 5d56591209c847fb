#!/usr/bin/env python3
"""Runs recorded PromQL requests through promql_server and compares the answers.

  conformance.py promql --server BUILD/tests/promql_server --dir CONFORMANCE [-v] [--group G] [--id ID]

CONFORMANCE holds promcmp.py and open/promql_{cases,dataset}.jsonl.gz. Prints what
differs and ends with 'N passed, N failed'."""
import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse


class Server:
    def __init__(self, program, series):
        self.p = subprocess.Popen([program, series], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, case):
        pairs = []
        for k, v in case['params'].items():
            pairs += [(k, x) for x in v] if isinstance(v, list) else [(k, v)]
        text = urllib.parse.urlencode(pairs)
        get = case['method'] != 'POST'
        line = '%s %s %s\n' % (case['method'], case['path'] + ('?' + text if get and text else ''), '' if get else text)
        self.p.stdin.write(line.encode())
        self.p.stdin.flush()
        head = self.p.stdout.readline().split()
        if len(head) != 2:
            sys.exit('the server ended at %s' % line)
        body = self.p.stdout.read(int(head[1]))
        self.p.stdout.read(1)
        try:
            data = json.loads(body)
        except ValueError:
            data = None
        return {'http': int(head[0]), 'json': data}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('kind', choices=['promql'])
    ap.add_argument('--server', required=True)
    ap.add_argument('--dir', required=True)
    ap.add_argument('--group')
    ap.add_argument('--id')
    ap.add_argument('-v', action='store_true')
    a = ap.parse_args()
    sys.path.insert(0, a.dir)
    import promcmp
    with tempfile.NamedTemporaryFile(suffix='.jsonl') as series:
        series.write(gzip.open(os.path.join(a.dir, 'open', 'promql_dataset.jsonl.gz')).read())
        series.flush()
        server = Server(a.server, series.name)
        passed = failed = 0
        for line in gzip.open(os.path.join(a.dir, 'open', 'promql_cases.jsonl.gz'), 'rt'):
            case = json.loads(line)
            if (a.group and case['group'] != a.group) or (a.id and case['id'] != a.id):
                continue
            got = server.ask(case)
            why = promcmp.compare(case['expect'], got, case['compare'])
            if why:
                failed += 1
                print('FAIL [%s] %s %s %s\n    %s' % (case['id'], case['group'], case['path'], json.dumps(case['params']), why))
            else:
                passed += 1
            if a.v:
                print(json.dumps(got)[:2000])
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
