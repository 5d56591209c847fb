#!/usr/bin/env python3
"""make bench: ccmon and the other servers found on the machine, on the same load, one after
the other, and their answers held against the truth of the load.

    bench/run.py [NAME=VALUE]...          (make bench ARGS='NAME=VALUE ...')

    people=N       size of the company: 1 is some 1,400 events and 3,900 samples in six days  [350]
    days=N                                                                                    [6]
    peers=A,B      of prometheus, victoria-metrics, loki, victoria-logs; none                 [those found]
    runs=N         of each query                                                              [7]
    scenarios=A,B  of span, million; none                                                     [span]
    root=DIR       for load files and data (some 3 GB); removed afterwards unless keep=1      [/var/tmp/ccmon-bench-USER]
    out=FILE       the figures as JSON                                                        [DIR.json]

A peer is found in PATH, or where BENCH_PROMETHEUS, BENCH_VICTORIA_METRICS, BENCH_LOKI or
BENCH_VICTORIA_LOGS say. docs/benchmarks.md says what is measured and how. Linux only.

With 0 it ends only if every answer of ccmon is the truth; figures over their target are marked,
but fail nothing, since they depend on the machine."""
import getpass
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BUILD = os.path.join(ROOT, os.environ.get('BUILD', 'build'))
sys.path.insert(0, HERE)
import queries                                     # noqa: E402
import servers                                     # noqa: E402

FORMS = ('logs-1000', 'logs-50', 'write', 'otlp', 'delta', 'traces')
WEIGHED = {'logs-1000': 'logs', 'write': 'samples', 'otlp': 'samples'}     # forms whose data is then queried
CONNECTIONS = 4
WINDOW = 2                                         # more would let connections drift apart in the load's time: others refuse that
SYNCS = 200
ACK_RATE, ACK_REQUESTS = 4000, 800                 # events a second, and requests of 50


class Options:
    people, days, runs, keep, seed = 350, 6, 7, 0, 1
    peers = scenarios = None
    root = out = None


def read_options(args):
    o = Options()
    for a in args:
        name, _, value = a.partition('=')
        if not hasattr(o, name) or not value:
            raise SystemExit('%s: see bench/run.py' % a)
        setattr(o, name, int(value) if isinstance(getattr(o, name), int) else value)
    o.root = o.root or '/var/tmp/ccmon-bench-' + getpass.getuser()
    o.out = o.out or o.root.rstrip('/') + '.json'
    o.scenarios = (o.scenarios if o.scenarios is not None else 'span').split(',')
    return o


def tool(name):
    return os.path.join(BUILD, 'bench', name)


# ---- the load

def children_cpu():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def generate(folder, **options):
    os.makedirs(folder, exist_ok=True)
    begin, cpu = time.monotonic(), children_cpu()
    p = subprocess.run([tool('bench-load'), folder] + ['%s=%s' % kv for kv in options.items()], stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise SystemExit(p.stderr)
    return dict(json.loads(p.stderr), seconds=time.monotonic() - begin, cpu_s=children_cpu() - cpu)


def header_of(form):
    if form == 'write':
        return ['header=Content-Encoding: snappy', 'header=Content-Type: application/x-protobuf', 'header=X-Prometheus-Remote-Write-Version: 0.1.0']
    return ['header=Content-Type: application/x-protobuf']


def send(server, path, form, **options):
    port, url = server.target(form)
    options = dict(dict(connections=CONNECTIONS, window=WINDOW), **options)
    args = [tool('bench-send'), path, str(port), url] + header_of(form) + ['%s=%s' % kv for kv in options.items()]
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise SystemExit('%s %s: %s' % (server.name, form, p.stderr))
    return json.loads(p.stdout)


def median_sync_ms(folder):
    """What an fdatasync of a little appended costs here and now: half of SYNCS in ms."""
    path, times = os.path.join(folder, 'sync'), []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        os.posix_fallocate(fd, 0, SYNCS * 65536)
        os.fsync(fd)
        for _ in range(SYNCS):
            os.write(fd, b'x' * 65536)
            begin = time.monotonic()
            os.fdatasync(fd)
            times.append((time.monotonic() - begin) * 1e3)
    finally:
        os.close(fd)
        os.unlink(path)
    return statistics.median(times)


# ---- one server

def measure_rest(s, figures):
    ready = []
    for _ in range(5):
        s.clean()
        ready.append(s.start() * 1e3)
        if len(ready) == 5:
            s.settle(20)
            figures['rest_mb'] = s.status('VmRSS') / 1e6
        s.stop()
    figures['ready_ms'] = min(ready)           # everything slower is someone else
    figures['binary_mb'] = servers.binary_size(s.binary) / 1e6


def measure_form(s, form, load, truth, o, figures, answers):
    """A fresh start, the load, everything written out, the queries."""
    s.clean()
    s.start()
    s.settle(20)
    s.reset_peak()
    watch, cpu = servers.PeakWatch(s), s.cpu()
    sent = send(s, os.path.join(load, form + '.load'), form)
    busy = s.cpu()
    settled = s.settle()
    millions = sent['items'] / 1e6 or 1e-6
    figures['cpu_' + form] = (busy - cpu) / millions
    figures['settled_' + form] = (settled - cpu) / millions
    figures['anon_mb'] = max(figures.get('anon_mb', 0), watch.end() / 1e6)
    figures['peak_mb'] = max(figures.get('peak_mb', 0), s.status('VmHWM') / 1e6)
    figures['sent_' + form] = sent
    figures['full_p99_' + form] = sent['p99_ms']
    figures['refused_' + form] = sent['refused_items'] * 100 / max(sent['items'] + sent['refused_items'], 1)
    figures['disk_' + form] = s.write_out() / max(sent['items'], 1)
    for language in ('promql', 'logql', 'logsql'):
        for q in queries.QUERIES:
            if q[1] == WEIGHED.get(form) and language in q[3] and (s.language == language or s.language == 'both' and language != 'logsql'):
                r = queries.run(s, language, q, truth, o.runs)
                r['form'] = form
                answers[q[0] + ('' if form != 'write' or s.name != 'ccmon' else ' (remote write)')] = r
    s.stop()


def measure_ack(s, load, truth, figures):
    """Acknowledgements under a steady stream of events, with the dashboards asking meanwhile."""
    s.clean()
    s.start()
    send(s, os.path.join(load, 'logs-1000.load'), 'logs-1000')
    stop = threading.Event()

    def look():
        while not stop.is_set():
            for q in queries.QUERIES:
                if 'logql' in q[3] and not stop.is_set():
                    queries.run(s, 'logql', q, truth, 1)

    asking = threading.Thread(target=look)
    asking.start()
    try:
        sent = send(s, os.path.join(load, 'logs-50.load'), 'logs-50', rate=ACK_RATE, limit=ACK_REQUESTS)
    finally:
        stop.set()
        asking.join()
    figures['ack_p50_ms'], figures['ack_p99_ms'], figures['ack_max_ms'] = sent['p50_ms'], sent['p99_ms'], sent['max_ms']
    s.stop()
    figures['sync_ms'] = median_sync_ms(os.path.dirname(s.data))


def measure(s, load, truth, o):
    figures, answers = {}, {}
    say('%s%s' % (s.name, ': ' + s.version if hasattr(s, 'version') else ''))
    measure_rest(s, figures)
    for form in FORMS:
        if s.takes(form):
            say('  %s %s' % (s.name, form))
            measure_form(s, form, load, truth, o, figures, answers)
    if s.name == 'ccmon':
        measure_ack(s, load, truth, figures)
    for name, r in answers.items():
        if 'median_ms' in r and ' (' not in name:
            figures[name] = r['median_ms']
    shutil.rmtree(s.data, ignore_errors=True)
    return dict(figures=figures, answers=answers)


# ---- scenarios

def span_scenario(s, root, o):
    """The same queries of the last day with 1, 10 and 100 days in the store: what do they read?"""
    people, rows = max(2, o.people // 15), {}
    for days in (1, 10, 100):
        load = os.path.join(root, 'span')
        generate(load, people=people, days=days, seed=2, forms='logs-1000,otlp')
        truth = queries.Truth(os.path.join(load, 'truth.json'))
        s.clean()
        s.start()
        for form in ('logs-1000', 'otlp'):
            send(s, os.path.join(load, form + '.load'), form)
        s.write_out()
        for q in queries.QUERIES:
            language = 'logql' if 'logql' in q[3] else 'promql'
            if q[5] is None or (q[0] in ('sessions', 'top_users')):
                continue
            path, body = queries.request(language, q, truth, {'stats': 1})
            status, answer = queries.ask(s.query_port(language), path, body, {'Content-Type': 'application/x-www-form-urlencoded'})
            stats = json.loads(answer)['data']['stats']
            read = (stats['ccmon']['rowsRead'], stats['ccmon']['bytesRead']) if language == 'promql' else \
                (stats['summary']['totalLinesProcessed'], stats['querier']['store']['chunk']['compressedBytes'])
            rows.setdefault(q[0], {})[days] = read
        s.stop()
        shutil.rmtree(load)
    return rows


def million_scenario(s, root, o):
    """A million sessions in a day: memory, the overview's queries, one session."""
    load = os.path.join(root, 'million')
    generate(load, people=100000, days=1, brief=10, forms='logs-1000,delta')
    truth = queries.Truth(os.path.join(load, 'truth.json'))
    s.clean()
    s.start()
    s.reset_peak()
    watch = servers.PeakWatch(s)
    for form in ('logs-1000', 'delta'):
        send(s, os.path.join(load, form + '.load'), form)
    result = dict(sessions=truth.t['sessions_drawn'], load_anon_mb=watch.end() / 1e6)
    s.write_out()
    watch = servers.PeakWatch(s)
    for q in queries.QUERIES:
        if 'logql' in q[3]:
            r = queries.run(s, 'logql', q, truth, o.runs)
            result[q[0]] = r.get('error') or dict(first_ms=r['first_ms'], median_ms=r['median_ms'], exact=r['exact'])
    result['query_anon_mb'] = watch.end() / 1e6
    s.stop()
    shutil.rmtree(load)
    return result


# ---- what is printed

def say(text):
    print(text, file=sys.stderr, flush=True)


def number(v):
    return '' if v is None else '%.0f' % v if v >= 100 else '%.1f' % v if v >= 10 else '%.2f' % v


def table(rows):
    """Markdown, padded so that it reads in a terminal too."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    rows = [rows[0], ['-' * w for w in widths]] + rows[1:]
    for r in rows:
        print('| ' + ' | '.join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))) + ' |')
    print()


def mark(value, must):
    if value is None or must is None:
        return ''
    return 'ok' if value <= must else '%.1f times' % (value / must)


def print_figures(results, targets):
    names = list(results)
    ours = results['ccmon']['figures']
    rows = [[''] + names + ['must', '', 'best other / ccmon']]
    for t in targets:
        values = [results[n]['figures'].get(t['id']) for n in names]
        if not any(v is not None for v in values):
            continue
        must = t.get('must')
        if isinstance(must, str):
            must = 2 * ours['sync_ms'] + 10
        others = [v for n, v in zip(names, values) if n != 'ccmon' and v is not None]
        mine = ours.get(t['id'])
        rows.append(['%s, %s' % (t['title'], t['unit'])] + [number(v) for v in values] +
                    [number(must), mark(mine, must), '%.1f' % (min(others) / mine) if others and mine else ''])
    table(rows)


def print_answers(results):
    rows = [['answers', 'server', 'first ms', 'median ms', 'least ms', 'CPU ms', 'by the truth']]
    wrong = 0
    for name, r in results.items():
        for q, a in r['answers'].items():
            if 'error' in a:
                verdict = 'error: ' + a['error'][:60]
            elif a['exact']:
                verdict = 'exact'
            else:
                verdict = 'off by up to %.2g, sum %.3f of it' % (a['off'], a['ratio'] or 0)
            rows.append([q, name] + [number(a.get(k)) for k in ('first_ms', 'median_ms', 'least_ms', 'cpu_ms')] + [verdict])
            # What came by remote write extrapolates as Prometheus does: there only counts must be right.
            own = name == 'ccmon' and ('(remote write)' not in q or q.startswith('sessions'))
            wrong += own and verdict != 'exact'
    table(rows)
    return wrong


def print_span(rows):
    out = [['rows and bytes read, with days in the store', '1', '10', '100', '']]
    for q, by in rows.items():
        more = any(by[d][k] > 1.05 * max(by[1][k], 1) for d in by for k in (0, 1))
        out.append([q] + ['%d, %d' % by[d] for d in (1, 10, 100)] + ['more' if more else 'no more'])
    table(out)


MILLION_MUST = {'one_session_1d': 10, 'text_1d': None, 'text_all': None}   # ms; the overview's others: 100


def print_million(x):
    rows, wrong = [['%d sessions in a day' % x['sessions'], 'first', 'median', 'must', '', 'by the truth']], 0
    for key, title in (('load_anon_mb', 'anonymous memory under load, MB'), ('query_anon_mb', 'anonymous memory of the queries, MB')):
        rows.append([title, '', number(x[key]), '300', mark(x[key], 300), ''])
    for q in (q for q in x if isinstance(x[q], dict)):
        must = MILLION_MUST.get(q, 100)
        rows.append([q + ', ms', number(x[q]['first_ms']), number(x[q]['median_ms']), number(must), mark(x[q]['median_ms'], must),
                     'exact' if x[q]['exact'] else 'wrong'])
        wrong += not x[q]['exact']
    table(rows)
    return wrong


def main():
    o = read_options(sys.argv[1:])
    with open(os.path.join(HERE, 'targets.json')) as f:
        targets = json.load(f)
    load, data = os.path.join(o.root, 'load'), os.path.join(o.root, 'data')
    for d in (load, data):
        os.makedirs(d, exist_ok=True)
    made = generate(load, people=o.people, days=o.days, seed=o.seed)
    truth = queries.Truth(os.path.join(load, 'truth.json'))
    say('load: %s' % json.dumps(made))
    ccmon = servers.Ccmon('ccmon', os.environ.get('CCMON', os.path.join(BUILD, 'ccmon')), data)
    peers = [p for p in servers.find_peers(data) if o.peers is None or p.name in o.peers.split(',')]
    results = {s.name: measure(s, load, truth, o) for s in [ccmon] + peers}
    scenarios = {}
    for name, run in (('span', span_scenario), ('million', million_scenario)):
        if name in o.scenarios:
            say('scenario ' + name)
            scenarios[name] = run(ccmon, data, o)
    print('%d events of %d bytes, %d samples of %d series, %d sessions, %d days; '
          'generated in %.1f s with %.1f s of CPU, %.2f s a million events\n' % (
        made['logs-1000']['items'], made['logs-1000']['bytes'] / made['logs-1000']['items'], made['otlp']['items'], made['series'],
        made['sessions'], o.days, made['seconds'], made['cpu_s'], made['cpu_s'] / made['logs-1000']['items'] * 1e6))
    print_figures(results, targets)
    wrong = print_answers(results)
    if 'span' in scenarios:
        print_span(scenarios['span'])
    if 'million' in scenarios:
        wrong += print_million(scenarios['million'])
    with open(o.out, 'w') as f:
        json.dump(dict(load=made, results=results, scenarios=scenarios, targets=targets), f, indent=1)
    print('%s; figures in %s' % ('every answer of ccmon is the truth' if not wrong else '%d answers of ccmon are WRONG' % wrong, o.out))
    return wrong > 0


def clean_up():
    servers.stop_all()
    root = read_options(sys.argv[1:])
    if not root.keep:
        shutil.rmtree(root.root, ignore_errors=True)


if __name__ == '__main__':
    for number_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_, servers.on_signal)
    try:
        code = main()
    except KeyboardInterrupt:
        say('interrupted')
        code = 130
    finally:
        clean_up()
    sys.exit(code)
