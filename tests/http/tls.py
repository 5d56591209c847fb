#!/usr/bin/env python3
"""TLS with the real binary and another implementation at the other end (Python's): OTLP by
HTTP and gRPC, client certificates, renewed certificates, and the classic mistakes, each of
which the log must explain. Certificates are made anew with the openssl command."""
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
sys.path.insert(0, os.path.join(HERE, '..', 'replay'))
import certs                                       # noqa: E402
import h2                                          # noqa: E402
import recordings                                  # noqa: E402
import replay                                      # noqa: E402
from ccmon import BINARY, Ccmon                    # noqa: E402

PATIENCE_S = 20
passed = failures = 0


def check(what, ok, detail=''):
    global passed, failures
    passed += bool(ok)
    failures += not ok
    if not ok:
        print('FAIL %s %s' % (what, detail), flush=True)


class Pki(certs.Certs):
    def context(self, cert=None, ca='ca', alpn=None, version=None):
        c = ssl.create_default_context(cafile=self.path(ca + '.pem'))
        if cert:
            c.load_cert_chain(self.path(cert + '.pem'), self.path(cert + '.key'))
        if alpn:
            c.set_alpn_protocols([alpn])
        if version:
            c.maximum_version = version
        return c

    def install(self, name):
        """Puts a server's certificate where the configuration says, each file in one step."""
        for kind in ('key', 'pem'):
            with open(self.path('new'), 'w') as f:
                f.write(self.read('%s.%s' % (name, kind)))
            os.replace(self.path('new'), self.path('live.' + kind))

    def config(self, text):
        with open(self.path('ccmon.yml'), 'w') as f:
            f.write(text)
        return ['--config', self.path('ccmon.yml')]


SERVER = 'tls_server_config: {cert_file: live.pem, key_file: live.key}\n'
MUTUAL = ('tls_server_config: {cert_file: live.pem, key_file: live.key, client_ca_file: ca.pem, '
          'client_auth_type: RequireAndVerifyClientCert}\n')


def listeners(line, names=('otlp-http', 'otlp-grpc')):
    return 'listeners:\n' + ''.join('  %s:\n    %s' % (n, line) for n in names)


def https(server, context, port='otlp-http'):
    return http.client.HTTPSConnection('localhost', server.ports[port], context=context, timeout=30)


def h2_over_tls(server, context, port='otlp-grpc'):
    s = context.wrap_socket(socket.create_connection(('localhost', server.ports[port]), timeout=30), server_hostname='localhost')
    assert s.selected_alpn_protocol() == 'h2', s.selected_alpn_protocol()
    return h2.Connection(server.ports[port], sock=s)


def subject(server, context, port='otlp-http'):
    """Whose certificate a new connection is shown."""
    with socket.create_connection(('localhost', server.ports[port]), timeout=30) as s:
        with context.wrap_socket(s, server_hostname='localhost') as t:
            return dict(pair for rdn in t.getpeercert()['subject'] for pair in rdn)['commonName']


def log_has(server, *words):
    """Is there, soon, a line with all these words?"""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with open(server.log, errors='replace') as f:
            if any(all(w in line for w in words) for line in f):
                return True
        time.sleep(0.02)
    return False


def refused(pki, server, context):
    """Does a request fail before there is an answer?"""
    try:
        c = https(server, context)
        c.request('POST', '/v1/logs', b'{}', {'Content-Type': 'application/json'})
        return 'answered %d' % c.getresponse().status
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return None


# ---- telemetry ---------------------------------------------------------------


def recorded(pki, folder, line, cert):
    """A recording, sent the way it came but over TLS, adds up as it must."""
    with Ccmon(pki.config(listeners(line))) as c:
        c.conns['otlp-http'] = https(c, pki.context(cert))
        c.conns['otlp-grpc h2'] = h2_over_tls(c, pki.context(cert, alpn='h2'))
        for r in recordings.load(folder):
            r.send(c)
        wrong = list(replay.differences(replay.ask(c), replay.expect(recordings.truth()[folder])))
        check('%s over TLS%s' % (folder, ' with a client certificate' if cert else ''), not wrong, wrong)


def telemetry(pki):
    for folder in ('a-http-protobuf', 'b-http-json', 'p5-grpc-tls'):
        recorded(pki, folder, SERVER, None)
        recorded(pki, folder, MUTUAL, 'client')


def clients(pki):
    with Ccmon(pki.config(listeners(MUTUAL))) as c:
        check('no client certificate', refused(pki, c, pki.context()) is None)
        check('the log says so', log_has(c, 'sent no certificate'))
        check('a client certificate of somebody else', refused(pki, c, pki.context('intruder')) is None)
        check('the log says so', log_has(c, "client's certificate is not accepted"))
        check('the right one is served', refused(pki, c, pki.context('client')) == 'answered 200')
        try:
            h2_over_tls(c, pki.context(alpn='h2')).request('GET', '/')
            check('no client certificate, HTTP/2', False)
        except (ssl.SSLError, ConnectionError, h2.Gone):
            check('no client certificate, HTTP/2', True)


# ---- mistakes ------------------------------------------------------------------


def mistakes(pki):
    with Ccmon(pki.config(listeners(SERVER, ('otlp-http',)))) as c:
        s, h, body = c.request('otlp-http', 'POST', '/v1/logs', b'{}', {'Content-Type': 'application/json'})
        check('http:// to a port with TLS', s == 400 and b'https://' in body and h['content-type'].startswith('text/plain'), (s, body))
        check('the log says so', log_has(c, 'otlp-http', 'https://'))
        try:
            subject(c, pki.context(), 'prometheus')
            check('https:// to a plain port', False)
        except ssl.SSLError:
            check('https:// to a plain port', True)
        check('the log says so', log_has(c, 'prometheus', 'http:// instead of https://'))
        check('a client that does not trust us', refused(pki, c, pki.context(ca='other')) is None)
        check('the log says so', log_has(c, 'otlp-http', 'NODE_EXTRA_CA_CERTS'))
        with socket.create_connection(('localhost', c.ports['otlp-http'])) as s:
            s.sendall(b'\x16\x03\x01\x02\x00\x01')
        check('a client that leaves in the handshake', log_has(c, 'ended the TLS handshake'))
    line = SERVER.replace('}', ', min_version: TLS13}')
    with Ccmon(pki.config(listeners(line))) as c:
        check('TLS 1.2 where 1.3 is the least', refused(pki, c, pki.context(version=ssl.TLSVersion.TLSv1_2)) is None)
        check('the log says so', log_has(c, 'min_version'))
        check('TLS 1.3 is served', refused(pki, c, pki.context()) == 'answered 200')
    for text in ('{cert_file: gone.pem, key_file: live.key}', '{cert_file: live.pem, key_file: client.key}', '{cert_file: live.pem}',
                 '{cert_file: live.pem, key_file: live.key, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}'):
        config = pki.config(listeners('tls_server_config: ' + text + '\n'))
        p = subprocess.run([BINARY, 'check-config', config[1]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check('check-config finds ' + text, p.returncode == 2 and b'otlp-http: tls_server_config: ' in p.stdout, p.stdout)
        try:
            with Ccmon(config):
                check('it starts with ' + text, False)
        except RuntimeError as e:
            check('why it does not start with ' + text, 'tls_server_config' in str(e), e)


# ---- renewal -------------------------------------------------------------------


def renewal(pki):
    context = pki.context()
    with Ccmon(pki.config(listeners(SERVER))) as c:
        kept = https(c, context)
        post = lambda: (kept.request('POST', '/v1/logs', b'{}', {'Content-Type': 'application/json'}), kept.getresponse().read())
        post()
        local = kept.sock.getsockname()
        check('the first certificate', subject(c, context) == 'one')
        pki.install('server2')
        check('reload', c.request('prometheus', 'POST', '/-/reload')[0] == 200)
        check('the second one, after a reload', subject(c, context) == 'two')
        post()
        pki.install('server')
        c.proc.send_signal(signal.SIGHUP)
        check('the first one again, after SIGHUP', eventually(lambda: subject(c, context) == 'one'))
        pki.install('server2')
        check('the second one, found by itself', eventually(lambda: subject(c, context) == 'two'))
        with open(pki.path('live.pem'), 'w') as f:
            f.write('half a certifi')
        check('a reload with a broken one is refused', c.request('prometheus', 'POST', '/-/reload')[0] == 500)
        check('and the one before goes on', subject(c, context) == 'two')
        check('which is said', eventually(lambda: subject(c, context) == 'two' and log_has_now(c, 'certificate on disk')))
        pki.config('{}\n')
        check('no TLS any more', c.request('prometheus', 'POST', '/-/reload')[0] == 200)
        check('plain', c.request('otlp-http', 'POST', '/v1/logs', b'{}', {'Content-Type': 'application/json'})[0] == 200)
        post()
        check('one connection was open all the time', kept.sock and kept.sock.getsockname() == local)
    pki.install('server')


def eventually(holds):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


def log_has_now(server, words):
    with open(server.log, errors='replace') as f:
        return words in f.read()


def web_config_file(pki):
    """Prometheus's own file, for all listeners."""
    with open(pki.path('web.yml'), 'w') as f:
        f.write('tls_server_config:\n  cert_file: live.pem\n  key_file: live.key\n  min_version: TLS12\n'
                'http_server_config:\n  http2: false\n')
    with Ccmon(['--web.config.file=' + pki.path('web.yml')]) as c:
        for port in ('otlp-http', 'prometheus', 'loki', 'web'):
            check('web configuration on ' + port, subject(c, pki.context(), port) == 'one')
        with socket.create_connection(('localhost', c.ports['web'])) as s:
            context = pki.context()
            context.set_alpn_protocols(['h2', 'http/1.1'])
            with context.wrap_socket(s, server_hostname='localhost') as t:
                check('no HTTP/2 where it is switched off', t.selected_alpn_protocol() == 'http/1.1', t.selected_alpn_protocol())


def main():
    with tempfile.TemporaryDirectory(prefix='ccmon-tls-') as folder:
        pki = Pki(folder)
        pki.install('server')
        for part in (telemetry, clients, mistakes, renewal, web_config_file):
            part(pki)
    print('%d passed, %d failed' % (passed, failures))
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
