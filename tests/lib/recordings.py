"""Recordings of the real client as the requests they were: path, headers, body."""
import json
import os
import re

FIXTURES = os.path.join(os.path.dirname(__file__), '..', 'fixtures')


class Request:
    def __init__(self, folder, number, name, path, headers, body):
        self.folder, self.number, self.name = folder, number, name
        self.path, self.headers, self.body = path, headers, body

    def send(self, server):
        status, _, answer = server.post(self.path, self.body, self.headers['content-type'],
                                        self.headers.get('content-encoding'))
        assert status == 200, '%s/%s: %d %s' % (self.folder, self.name, status, answer[:300])

    def __repr__(self):
        return '%s/%s' % (self.folder, self.name)


def load(folder):
    """The OTLP/HTTP requests of one recording, in the order of their arrival."""
    where, found = os.path.join(FIXTURES, folder), []
    for name in sorted(os.listdir(where)):
        m = re.match(r'(\d+)-(.+)\.headers\.txt$', name)
        if not m:
            continue
        lines = open(os.path.join(where, name)).read().splitlines()
        method, path, version = lines[0].split()
        if method != 'POST' or version != 'HTTP/1.1':
            continue
        headers = dict((k.lower(), v) for k, v in (l.split(': ', 1) for l in lines[1:] if ': ' in l and l[0] != '#'))
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
