"""Servers under test: how each is started on free ports of loopback, judged ready, made to
write everything out, weighed and stopped. Linux only: /proc says what a process uses.

What one starts, stop_all() ends; the harness calls it on every way out. Each server is a
process group of its own, so that Ctrl-C reaches the harness first."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

TICK = os.sysconf('SC_CLK_TCK')
READY_S = 120
running = []


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def size_of(top):
    total = 0
    for folder, _, files in os.walk(top):
        for f in files:
            try:
                total += os.lstat(os.path.join(folder, f)).st_size
            except OSError:
                pass
    return total


def version_of(binary):
    out = subprocess.run([binary, '--version'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    return next((line for line in out.split('\n') if line.strip()), 'version unknown')


def prometheus_args(s, old):
    with open(s.data + '.yml', 'w') as f:
        f.write('global: {scrape_interval: 15s}\nstorage: {tsdb: {out_of_order_time_window: 2h}}\n')
    return ['--config.file=' + s.data + '.yml', '--storage.tsdb.path=' + s.data, '--storage.tsdb.retention.time=30d',
            '--web.listen-address=127.0.0.1:%d' % s.port, '--web.enable-remote-write-receiver', '--log.level=warn'] + old


def loki_args(s):
    with open(s.data + '.yml', 'w') as f:
        f.write('''auth_enabled: false
analytics: {reporting_enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: %d, grpc_listen_address: 127.0.0.1, grpc_listen_port: %d, log_level: warn,
  grpc_server_max_recv_msg_size: 67108864, grpc_server_max_send_msg_size: 67108864}
common: {instance_addr: 127.0.0.1, path_prefix: %s, replication_factor: 1, ring: {kvstore: {store: inmemory}},
  storage: {filesystem: {chunks_directory: %s/chunks, rules_directory: %s/rules}}}
schema_config: {configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]}
limits_config: {allow_structured_metadata: true, reject_old_samples_max_age: 60d, ingestion_rate_mb: 1024, ingestion_burst_size_mb: 1024,
  per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB, max_global_streams_per_user: 0}
''' % (s.port, free_port(), s.data, s.data, s.data))
    return ['-config.file=' + s.data + '.yml', '-target=all']


def victoria_args(s):
    return ['-httpListenAddr=127.0.0.1:%d' % s.port, '-storageDataPath=' + s.data, '-retentionPeriod=2y', '-loggerLevel=WARN']


# What each can take: form of the load -> path; which language of queries it has.
METRICS = {'write': '/api/v1/write'}
KINDS = {
    'prometheus': dict(args=lambda s: prometheus_args(s, s.otlp_flag), ready='/-/ready', paths=METRICS, language='promql',
                       otlp='/api/v1/otlp/v1/metrics', program='prometheus', head='/metrics'),
    'victoria-metrics': dict(args=lambda s: victoria_args(s) + (['-opentelemetry.usePrometheusNaming'] if s.otlp_flag else []),
                             ready='/health', paths=METRICS, language='promql', otlp='/opentelemetry/v1/metrics',
                             program='victoria-metrics', flush=['/internal/force_flush', '/internal/force_merge']),
    'loki': dict(args=loki_args, ready='/ready', paths={f: '/otlp/v1/logs' for f in ('logs-1000', 'logs-50')}, language='logql',
                 program='loki', flush=['/flush'], method='POST'),
    'victoria-logs': dict(args=victoria_args, ready='/health', language='logsql', program='victoria-logs',
                          paths={f: '/insert/opentelemetry/v1/logs' for f in ('logs-1000', 'logs-50')},
                          flush=['/internal/force_flush', '/internal/force_merge']),
}
CCMON_PATHS = {'logs-1000': ('otlp-http', '/v1/logs'), 'logs-50': ('otlp-http', '/v1/logs'), 'otlp': ('otlp-http', '/v1/metrics'),
               'delta': ('otlp-http', '/v1/metrics'), 'traces': ('otlp-http', '/v1/traces'), 'write': ('prometheus', '/api/v1/write')}


class Server:
    def __init__(self, name, binary, root):
        self.name, self.binary = name, binary
        self.data = os.path.join(root, name)
        self.proc = None
        self.otlp_flag = []

    # ---- the process

    def launch(self, args, **kw):
        self.log = open(self.data + '.log', 'ab')
        self.proc = subprocess.Popen([self.binary] + args, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True, **kw)
        running.append(self)

    def clean(self):
        shutil.rmtree(self.data, ignore_errors=True)
        os.makedirs(self.data)

    def stop(self):
        if not self.proc:
            return
        try:
            self.proc.terminate()
            self.proc.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        if self.proc.stdout:
            self.proc.stdout.close()
        self.log.close()
        self.proc = None
        running.remove(self)

    # ---- what it uses

    def status(self, key):
        with open('/proc/%d/status' % self.proc.pid) as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith(key + ':'))

    def cpu(self):
        with open('/proc/%d/stat' % self.proc.pid) as f:
            p = f.read().rsplit(')', 1)[1].split()
        return (int(p[11]) + int(p[12])) / TICK

    def reset_peak(self):
        try:
            with open('/proc/%d/clear_refs' % self.proc.pid, 'w') as f:
                f.write('5')
        except OSError:
            pass

    def settle(self, limit_s=60):
        """Waits until it does nothing; the CPU seconds that it had used by then."""
        last, quiet, begin = self.cpu(), 0, time.monotonic()
        while quiet < 3 and time.monotonic() - begin < limit_s:
            time.sleep(0.5)
            now = self.cpu()
            quiet = quiet + 1 if now - last < 0.03 else 0
            last = now
        return last


class Ccmon(Server):
    language = 'both'
    NAMES = ('otlp-http', 'otlp-grpc', 'prometheus', 'loki', 'web')

    def start(self):
        args = ['serve', '--data', self.data, '--retention', 'forever']
        for n in self.NAMES:
            args += ['--port', n + '=0']
        begin = time.monotonic()
        self.ports = {}
        self.launch(args, stdout=subprocess.PIPE, env=dict(os.environ, CCMON_SCRAPE_DEFAULT='false'))
        for line in self.proc.stdout:
            words = line.decode().split()
            if words == ['ready']:
                return time.monotonic() - begin
            self.ports[words[1]] = int(words[2].rsplit(':', 1)[1])
        raise SystemExit('ccmon did not start; see %s.log' % self.data)

    def takes(self, form):
        return CCMON_PATHS.get(form)

    def target(self, form):
        port, path = CCMON_PATHS[form]
        return self.ports[port], path

    def query_port(self, language):
        return self.ports['prometheus' if language == 'promql' else 'loki']

    def write_out(self):
        """Everything on disk: a clean stop writes the head. Then it runs again."""
        self.stop()
        size = size_of(self.data)
        self.start()
        return size


class Peer(Server):
    def __init__(self, kind, binary, root):
        super().__init__(kind, binary, root)
        self.kind = KINDS[kind]
        self.language = self.kind['language']
        self.version = version_of(binary)
        self.paths = dict(self.kind['paths'])
        self.find_otlp()

    def find_otlp(self):
        """Older ones have no receiver of OTLP."""
        words = self.version.replace('v', ' ').replace('-', ' ').split()
        numbers = next(([int(x) for x in w.split('.')[:2]] for w in words if w.count('.') >= 1 and w.split('.')[0].isdigit() and
                        w.split('.')[1].isdigit()), [0, 0])
        has = {'prometheus': numbers >= [2, 47], 'victoria-metrics': numbers >= [1, 93]}.get(self.name, False)
        if has:
            self.paths['otlp'] = self.kind['otlp']
            self.otlp_flag = ['--web.enable-otlp-receiver'] if numbers >= [3, 0] else ['--enable-feature=otlp-write-receiver']

    def get(self, path, method='GET', timeout=300):
        url = 'http://127.0.0.1:%d%s' % (self.port, path)
        return urllib.request.urlopen(urllib.request.Request(url, method=method, data=b'' if method == 'POST' else None), timeout=timeout).read()

    def start(self):
        self.port = free_port()
        begin = time.monotonic()
        self.launch(self.kind['args'](self), stdout=self.devnull(), cwd=self.data)
        while time.monotonic() - begin < READY_S:
            if self.proc.poll() is not None:
                raise SystemExit('%s ended with %d; see %s.log' % (self.name, self.proc.returncode, self.data))
            try:
                self.get(self.kind['ready'], timeout=2)
                return time.monotonic() - begin
            except OSError:
                time.sleep(0.001)
        raise SystemExit('%s is not ready after %d s' % (self.name, READY_S))

    def devnull(self):
        return subprocess.DEVNULL

    def takes(self, form):
        return form in self.paths

    def target(self, form):
        return self.port, self.paths[form]

    def query_port(self, language):
        return self.port

    def write_out(self):
        for path in self.kind.get('flush', []):
            self.get(path, self.kind.get('method', 'GET'))
        self.settle(120)
        return size_of(self.data)


class PeakWatch(threading.Thread):
    """The largest anonymous memory of a process, looked at every 20 ms."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.most, self.ended = server, 0, False
        self.start()

    def run(self):
        while not self.ended:
            try:
                self.most = max(self.most, self.server.status('RssAnon'))
            except (OSError, StopIteration, AttributeError):
                pass
            time.sleep(0.02)

    def end(self):
        self.ended = True
        self.join()
        return self.most


def stop_all():
    for s in list(running):
        try:
            s.stop()
        except Exception as e:                     # the others must be ended too
            print('cannot stop %s: %s' % (s.name, e))


def find_peers(root):
    """Debian's own in PATH; any by BENCH_LOKI=/path and so on."""
    for kind, k in KINDS.items():
        binary = os.environ.get('BENCH_' + kind.upper().replace('-', '_')) or shutil.which(k['program'])
        if binary:
            yield Peer(kind, binary, root)


def binary_size(path):
    """Without what is for debuggers, as it is installed; where it cannot be left out, with it."""
    path = os.path.realpath(shutil.which(path) or path)
    with tempfile.NamedTemporaryFile() as f:
        done = shutil.which('strip') and subprocess.run(['strip', '-o', f.name, path], stderr=subprocess.DEVNULL).returncode == 0
        return os.path.getsize(f.name if done else path)


def on_signal(number, frame):
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
