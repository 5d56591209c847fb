#!/usr/bin/env python3
"""A real sender: Prometheus scrapes itself and writes to ccmon, and what ccmon then says
of a series is what Prometheus says of it. Skipped where there is no prometheus."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from ccmon import Ccmon                            # noqa: E402

CONFIG = """
global: {scrape_interval: 1s}
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:%d']}]}]
remote_write: [{url: 'http://127.0.0.1:%d/api/v1/write', send_exemplars: true, send_native_histograms: true,
                queue_config: {batch_send_deadline: 200ms}, metadata_config: {send_interval: 1s}}]
"""
WAIT_S = 40                                        # until it gives up; usually five


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def prometheus(port, query):
    with urllib.request.urlopen('http://127.0.0.1:%d/api/v1/query?query=%s' % (port, urllib.request.quote(query)), timeout=5) as r:
        return json.load(r)['data']['result']


def samples(result):
    return {json.dumps(r['metric'], sort_keys=True): r['values'] for r in result}


def run(c, tmp):
    port = free_port()
    with open(os.path.join(tmp, 'p.yml'), 'w') as f:
        f.write(CONFIG % (port, c.ports['prometheus']))
    p = subprocess.Popen(['prometheus', '--config.file=' + os.path.join(tmp, 'p.yml'), '--storage.tsdb.path=' + os.path.join(tmp, 'data'),
                          '--web.listen-address=127.0.0.1:%d' % port], stdout=subprocess.DEVNULL, stderr=open(os.path.join(tmp, 'log'), 'w'))
    try:
        have = None
        for _ in range(WAIT_S * 5):
            time.sleep(0.2)
            have = c.get_json('prometheus', '/api/v1/query', query='count_over_time(prometheus_build_info[5m])', time=str(time.time()))['data']['result']
            if have and float(have[0]['value'][1]) >= 3 and c.get_json('prometheus', '/api/v1/metadata')['data']:
                break
        query = '{__name__=~"prometheus_build_info|process_start_time_seconds|up"}[1m]'
        mine = samples(c.get_json('prometheus', '/api/v1/query', query=query, time=str(time.time()))['data']['result'])
        theirs = samples(prometheus(port, query))
        meta = c.get_json('prometheus', '/api/v1/metadata', metric='process_start_time_seconds')['data']
    finally:
        p.terminate()
        p.wait(timeout=20)
    sent = len(mine) == 3 and all(set(map(tuple, v)) <= set(map(tuple, theirs.get(k, []))) for k, v in mine.items())
    typed = [m['type'] for m in meta.get('process_start_time_seconds', [])] == ['gauge']
    for what, good, got in (('samples', sent, (mine, theirs)), ('metadata', typed, meta)):
        if not good:
            print('FAIL %s of a real Prometheus: %s' % (what, got))
    print('%d passed, %d failed' % (sent + typed, 2 - sent - typed))
    return sent and typed


def main():
    if not shutil.which('prometheus'):
        print('SKIP remote write by a real Prometheus: there is no prometheus')
        return
    tmp = tempfile.mkdtemp(prefix='ccmon-prometheus-')
    try:
        with Ccmon() as c:
            good = run(c, tmp)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    sys.exit(not good)


if __name__ == '__main__':
    main()
