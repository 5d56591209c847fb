#!/usr/bin/env python3
"""How fast ccmon is ready, and how small it is then, with 400 days of one person's data in the directory.

    bench/start.py [BINARY] [--rest]      build/ccmon if not given; makes the directory with `ccmon demo`

Wall time from exec to `ready` and CPU until then, the least of several starts, after a stop and after a kill; resident memory
when ready and after a query over all of it."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ARGS = [a for a in sys.argv[1:] if a != '--rest']
BINARY = ARGS[0] if ARGS else os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'build', 'ccmon')
PORTS = [a for n in ('otlp-http', 'otlp-grpc', 'prometheus', 'loki', 'web') for a in ('--port', n + '=0')]
STARTS = 15


def start(*args):
    begin = time.perf_counter()
    p = subprocess.Popen([BINARY, *args, *PORTS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ, CCMON_SCRAPE_DEFAULT='false'))
    ports = {}
    for line in p.stdout:
        words = line.decode().split()
        if words == ['ready']:
            break
        ports[words[1]] = words[2]
    return p, ports, (time.perf_counter() - begin) * 1000


def cpu_ms(pid):
    return sum(int(open('/proc/%d/task/%s/schedstat' % (pid, t)).read().split()[0]) for t in os.listdir('/proc/%d/task' % pid)) / 1e6


def memory_mb(pid):
    s = dict(line.split(':', 1) for line in open('/proc/%d/status' % pid))
    return tuple(int(s[k].split()[0]) / 1024 for k in ('VmRSS', 'RssAnon'))


def end(p, how):
    p.send_signal(how)
    p.wait()


def measure(data, how):
    runs = []
    for _ in range(STARTS):
        p, ports, wall = start('serve', '--data', data, '--retention', 'forever')
        runs.append((wall, cpu_ms(p.pid), memory_mb(p.pid)))
        end(p, how)
    return min(r[0] for r in runs), min(r[1] for r in runs), runs[0][2]


def main():
    data = tempfile.mkdtemp(prefix='ccmon-start-')
    p, _, _ = start('demo', '--data', data, '--days', '400', '--people', '1', '--until', '2026-11-20')
    end(p, signal.SIGTERM)
    for name, how in (('after a stop', signal.SIGTERM), ('after a kill', signal.SIGKILL)):
        wall, cpu, (rss, anon) = measure(data, how)
        print('%-13s ready in %5.1f ms (%.1f ms of CPU), resident %.1f MB, of it anonymous %.1f' % (name, wall, cpu, rss, anon))
    p, ports, _ = start('serve', '--data', data, '--retention', 'forever')
    url = 'http://%s/api/v1/query?time=1795000000&query=sum(increase(claude_code_cost_usage_USD_total%%5B400d%%5D))' % ports['prometheus']
    urllib.request.urlopen(url).read()
    print('after a query over all of it: resident %.1f MB, of it anonymous %.1f' % memory_mb(p.pid))
    if '--rest' in sys.argv:
        time.sleep(150)
        print('and two minutes later:        resident %.1f MB, of it anonymous %.1f' % memory_mb(p.pid))
    end(p, signal.SIGTERM)
    shutil.rmtree(data)


if __name__ == '__main__':
    main()
