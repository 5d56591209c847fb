#!/usr/bin/env python3
"""Runs recorded requests through promql_server or loki_server and compares the answers.

  conformance.py promql|logql --server PROGRAM --dir CONFORMANCE [-v] [--group G] [--id ID]

CONFORMANCE holds promcmp.py, logcmp.py and open/{promql,logql}_{cases,dataset}.jsonl.gz.
Prints what differs and ends with 'N passed, N failed'."""
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
        method = case.get('method', 'GET')
        get = method != 'POST'
        rest = '' if get else text
        for k, v in (case.get('headers') or {}).items():
            rest = '%s=%s' % (k.lower(), v)
        line = '%s %s %s\n' % (method, case['path'] + ('?' + text if get and text else ''), rest)
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
        return {'http': int(head[0]), 'json': data, 'text': body.decode('utf-8', 'replace')}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('kind', choices=['promql', 'logql'])
    ap.add_argument('--server', required=True)
    ap.add_argument('--dir', required=True)
    ap.add_argument('--group')
    ap.add_argument('--id')
    ap.add_argument('-v', action='store_true')
    a = ap.parse_args()
    sys.path.insert(0, a.dir)
    import logcmp
    import promcmp
    with tempfile.NamedTemporaryFile(suffix='.jsonl') as series:
        series.write(gzip.open(os.path.join(a.dir, 'open', a.kind + '_dataset.jsonl.gz')).read())
        series.flush()
        server = Server(a.server, series.name)
        passed = failed = 0
        for line in gzip.open(os.path.join(a.dir, 'open', a.kind + '_cases.jsonl.gz'), 'rt'):
            case = json.loads(line)
            if (a.group and case['group'] != a.group) or (a.id and case['id'] != a.id):
                continue
            got = server.ask(case)
            if a.kind == 'promql':
                why = promcmp.compare(case['expect'], got, case['compare'])
            else:
                why = logcmp.compare(case['expect'], got, case)
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
