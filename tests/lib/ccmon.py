"""The real binary as a test's own server: a temporary data directory, free ports,
start, stop, kill; and the query APIs as functions. Standard library only."""
import gzip
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

BINARY = os.environ.get('CCMON', os.path.join(os.path.dirname(__file__), '..', '..', 'build', 'ccmon'))
PORTS = ('otlp-http', 'otlp-grpc', 'prometheus', 'loki', 'web')


class Ccmon:
    """with Ccmon() as c: c.post(...); c.prom('up'). `keep` leaves the directory."""

    def __init__(self, args=(), data=None, env=None):
        self.own = data is None
        self.data = data or tempfile.mkdtemp(prefix='ccmon-test-')
        self.args = list(args)
        self.retention = 'forever'                 # None: what the configuration says
        # What runs on this machine's ports is none of a test's business.
        self.env = dict(os.environ, **dict({'CCMON_SCRAPE_DEFAULT': 'false'}, **(env or {})))
        self.proc = None
        self.ports = {}
        self.log = self.data.rstrip('/') + '.log'
        self.conns = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()
        if self.own:
            shutil.rmtree(self.data, ignore_errors=True)
            if not exc[0] and os.path.exists(self.log):
                os.unlink(self.log)

    def start(self):
        args = [BINARY, 'serve', '--data', self.data]
        args += ['--retention', self.retention] if self.retention else []
        for name in PORTS:
            args += ['--port', name + '=0']
        self.err = open(self.log, 'ab')
        self.proc = subprocess.Popen(args + self.args, stdout=subprocess.PIPE, stderr=self.err, env=self.env)
        self.ports = {}
        while True:
            line = self.proc.stdout.readline().decode()
            if not line:
                raise RuntimeError('ccmon did not start; rc %s\n%s' % (self.proc.wait(), open(self.log).read()[-2000:]))
            if line.strip() == 'ready':
                return self
            word, name, addr = line.split()
            assert word == 'listening', line
            self.ports[name] = int(addr.rsplit(':', 1)[1])

    def _end(self, sig):
        for c in self.conns.values():
            c.close()
        self.conns = {}
        if not self.proc:
            return None
        self.proc.send_signal(sig)
        rc = self.proc.wait(timeout=30)
        self.proc.stdout.close()
        self.err.close()
        self.proc = None
        return rc

    def stop(self):
        rc = self._end(signal.SIGTERM)
        assert rc in (0, None), 'exit code %s on SIGTERM\n%s' % (rc, open(self.log).read()[-3000:])

    def kill(self):
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def kill_and_restart(self):
        self.kill()
        self.start()

    def request(self, port, method, path, body=None, headers=None):
        """(status, headers, body) over a kept-alive connection."""
        for attempt in (0, 1):
            c = self.conns.get(port)
            if c is None:
                c = self.conns[port] = http.client.HTTPConnection('127.0.0.1', self.ports[port], timeout=60)
            try:
                c.request(method, path, body=body, headers=headers or {})
                r = c.getresponse()
                data = r.read()
                if r.getheader('content-encoding') == 'gzip':
                    data = gzip.decompress(data)
                return r.status, dict((k.lower(), v) for k, v in r.getheaders()), data
            except (http.client.BadStatusLine, ConnectionError):
                self.conns.pop(port).close()
                if attempt:
                    raise

    def post(self, path, body, content_type, encoding=None, port='otlp-http'):
        h = {'Content-Type': content_type}
        if encoding:
            h['Content-Encoding'] = encoding
        return self.request(port, 'POST', path, body, h)

    def get_json(self, port, path, **params):
        s, _, b = self.request(port, 'GET', path + ('?' + urllib.parse.urlencode(params, doseq=True) if params else ''))
        if s != 200:
            raise RuntimeError('%s %s %r: %d %s' % (port, path, params, s, b[:500]))
        return json.loads(b)

    def prom(self, query, time, **params):
        """The vector of an instant query as {sorted label pairs: float}."""
        d = self.get_json('prometheus', '/api/v1/query', query=query, time=repr(time), **params)['data']
        assert d['resultType'] == 'vector', d
        return {tuple(sorted(r['metric'].items())): float(r['value'][1]) for r in d['result']}

    def loki(self, query, time_ns, **params):
        """The vector of an instant LogQL query, the same form."""
        d = self.get_json('loki', '/loki/api/v1/query', query=query, time=str(time_ns), **params)['data']
        assert d['resultType'] == 'vector', d
        return {tuple(sorted(r['metric'].items())): float(r['value'][1]) for r in d['result']}


def one(vector):
    """The only value of a vector without labels; 0 where there is none."""
    assert len(vector) <= 1, vector
    return next(iter(vector.values()), 0.0)


def by(vector, label):
    return {dict(k).get(label, ''): v for k, v in vector.items()}
