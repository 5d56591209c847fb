"""Recordings of the real client as the requests they were: path, headers, body."""
import json
import os
import re

import h2

FIXTURES = os.path.join(os.path.dirname(__file__), '..', 'fixtures')


class Request:
    def __init__(self, folder, number, name, path, headers, body):
        self.folder, self.number, self.name = folder, number, name
        self.path, self.headers, self.body = path, headers, body

    @property
    def signal(self):
        return self.name.split('-', 1)[1].split('.')[0]

    def send(self, server):
        """The way it came."""
        if 'grpc' in self.headers:
            self.send_grpc(server)
        else:
            self.send_http(server)

    def send_grpc(self, server, port='otlp-grpc'):
        if port + ' h2' not in server.conns:
            server.conns[port + ' h2'] = h2.Connection(server.ports[port])
        encoding, path = self.headers.get('grpc'), h2.export_path(self.signal)
        answer = h2.grpc_call(server.conns[port + ' h2'], path, self.body, encoding)
        assert answer.status == 0, '%s/%s: %s %s' % (self.folder, self.name, answer.status, answer.message)

    def send_http(self, server):
        status, _, answer = server.post(self.path, self.body, self.headers['content-type'],
                                        self.headers.get('content-encoding'))
        assert status == 200, '%s/%s: %d %s' % (self.folder, self.name, status, answer[:300])

    def __repr__(self):
        return '%s/%s' % (self.folder, self.name)


def load(folder):
    """The OTLP requests of one recording, in the order of their arrival."""
    where, found = os.path.join(FIXTURES, folder), []
    for name in sorted(os.listdir(where)):
        m = re.match(r'(\d+)-(.+)\.headers\.txt$', name)
        if not m:
            continue
        lines = open(os.path.join(where, name)).read().splitlines()
        method, path, version = lines[0].split()
        if method != 'POST':
            continue
        headers = dict((k.lower(), v) for k, v in (l.split(': ', 1) for l in lines[1:] if ': ' in l and l[0] != '#'))
        if version == 'HTTP/2':
            headers['grpc'] = 'gzip' if folder.endswith('-gzip') else None
        stem = name[:-len('.headers.txt')]
        bodies = [f for f in os.listdir(where) if f.startswith(stem + '.') and f != name]
        assert len(bodies) == 1, (folder, stem, bodies)
        body = open(os.path.join(where, bodies[0]), 'rb').read()
        found.append(Request(folder, int(m.group(1)), bodies[0], path, headers, body))
    return found


def folders():
    return sorted(f for f in os.listdir(FIXTURES) if os.path.isdir(os.path.join(FIXTURES, f)) and load(f))


def truth():
    return json.load(open(os.path.join(FIXTURES, 'truth.json')))
