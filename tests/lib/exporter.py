"""A scrape target under the control of a test: the test says what it answers, and when it goes away."""
import json
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FIXTURES = os.path.join(os.path.dirname(__file__), '..', 'fixtures')


class Exporter:
    """Serves `body` on a port that stays the same over stop() and start()."""

    def __init__(self, port=0, tls=None):
        self.tls = tls                             # an ssl.SSLContext
        self.body, self.type, self.status, self.mode, self.headers = b'', 'text/plain', 200, 'answer', {}
        self.seen = []                             # (path, headers) of each request
        self.port, self.server = port, None
        self.free = threading.Event()              # lets hanging answers go

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.free.set()
        self.stop()

    @property
    def address(self):
        return '127.0.0.1:%d' % self.port

    def start(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                outer.seen.append((self.path, dict((k.lower(), v) for k, v in self.headers.items())))
                if outer.mode == 'hang':
                    outer.free.wait(60)
                    return
                if outer.mode == 'reset':
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.send_response(outer.status)
                self.send_header('Content-Type', outer.type)
                self.send_header('Content-Length', str(len(outer.body)))
                for k, v in outer.headers.items():
                    self.send_header(k, v)
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close, allow_reuse_address = True, False, True

        self.server = Server(('127.0.0.1', self.port), Handler)
        self.port = self.server.server_address[1]
        if self.tls:
            self.server.socket = self.tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()

    def stop(self):
        """From here on a connection is refused."""
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None


def recorded(folder):
    """The scrapes of a recording in their order: the body, or None where the connection was refused."""
    where = os.path.join(FIXTURES, folder)
    files = iter(sorted(f for f in os.listdir(where) if re.match(r'\d+-scrape\.txt$', f)))
    found = []
    for _, how in json.load(open(os.path.join(where, 'run.json')))['scrapes']:
        if how != 'curl rc=0':
            found.append(None)
            continue
        name = next(files, None)
        if name is None:
            break
        raw = open(os.path.join(where, name), 'rb').read()
        found.append(raw.split(b'\r\n\r\n', 1)[1])
    return found


def truth():
    """What the last scrape of each recording shows: cost and tokens by type."""
    return json.load(open(os.path.join(FIXTURES, 'truth-scrape.json')))
