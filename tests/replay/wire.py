#!/usr/bin/env python3
"""The recorded octets of the real client's gRPC connections, as they are, against the
real binary: in one piece, byte by byte at the frames' edges, and from both connections
at once. The totals are those of truth.json, and the answers are all 0 (OK)."""
import os
import random
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import h2                                          # noqa: E402
import recordings                                  # noqa: E402
import replay                                      # noqa: E402
from ccmon import Ccmon                            # noqa: E402

FOLDERS = ('c3-grpc-wire', 'c4-grpc-wire-gzip')


def octets(folder):
    return open(os.path.join(recordings.FIXTURES, folder, 'conn0.client.bin'), 'rb').read()


def frames(data):
    """(type, flags, stream) of each frame in a client's octets."""
    at, found = len(h2.PREFACE), []
    while at < len(data):
        n = int.from_bytes(data[at:at + 3], 'big')
        found.append((data[at + 3], data[at + 4], int.from_bytes(data[at + 5:at + 9], 'big')))
        at += 9 + n
    return found


class Replay(h2.Connection):
    """Sends the octets piece by piece and reads what is answered meanwhile."""

    def __init__(self, port, data, pieces):
        self.data, self.pieces = data, pieces
        super().__init__(port, sock=socket.create_connection(('127.0.0.1', port), timeout=30))
        self.replies = {s: h2.Reply() for kind, _, s in frames(data) if kind == h2.HEADERS}

    def send(self, data):
        """Nothing but what was recorded."""

    def run(self):
        for piece in self.pieces:
            self.sock.sendall(piece)
            while select.select([self.sock], [], [], 0)[0]:
                self.read_frame()
        try:
            while not all(r.ended for r in self.replies.values()):
                self.read_frame()
        except h2.Gone:
            pass
        self.close()
        return [h2.GrpcReply(r).status for r in self.replies.values()]


def cut(data, rng):
    at, pieces = 0, []
    while at < len(data):
        n = rng.choice((1, 2, 9, 100, 5000))
        pieces.append(data[at:at + n])
        at += n
    return pieces


def run(folder, port, pieces):
    with Ccmon() as server:
        statuses = Replay(server.ports[port], octets(folder), pieces).run()
        if not statuses or any(s != 0 for s in statuses):
            return ['answers %s' % statuses]
        return list(replay.differences(replay.ask(server), replay.expect(recordings.truth()[folder])))


def main():
    seed = sys.argv[1] if len(sys.argv) > 1 else str(random.randrange(10**6))
    print('seed', seed)
    rng, failed, n = random.Random(seed), 0, 0
    for folder in FOLDERS:
        data = octets(folder)
        for name, port, pieces in (('whole', 'otlp-grpc', [data]), ('in pieces', 'otlp-grpc', cut(data, rng)),
                                   ('on the HTTP port', 'otlp-http', [data]), ('on the web port', 'web', [data])):
            bad = run(folder, port, pieces)
            n, failed = n + 1, failed + bool(bad)
            for b in bad:
                print('FAIL %s %s: %s' % (folder, name, b))
    print('%d passed, %d failed' % (n - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
