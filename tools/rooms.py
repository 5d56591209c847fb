#!/usr/bin/env python3
"""Who includes whom. tools/rooms.txt says which rooms a room may include, and
tools/libraries.txt which file wraps which library; this compares them with the tree.

  tools/rooms.py [--root FOLDER]
"""
import argparse
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def table(path):
    """The rows `left: right` of a file as (words of left, words of right)."""
    rows = []
    for line in open(path, encoding='utf-8'):
        line = line.split('#')[0].strip()
        if line:
            left, _, right = line.partition(':')
            rows.append((left.split(), right.split()))
    return rows


def includes(path):
    for n, line in enumerate(open(path, encoding='utf-8'), 1):
        m = INCLUDE.match(line)
        if m:
            yield n, m.group(1) == '"', m.group(2)


def sources(root):
    for folder, _, names in os.walk(os.path.join(root, 'src')):
        for name in sorted(names):
            if name.endswith(('.c', '.h', '.cc')) and '/node_modules' not in folder:
                yield os.path.relpath(os.path.join(folder, name), root)


class Rooms:
    def __init__(self, root):
        self.root = root
        self.rooms = {left[0]: right for left, right in table(os.path.join(root, 'tools/rooms.txt'))}
        self.libraries = table(os.path.join(root, 'tools/libraries.txt'))

    def check_table(self):
        seen = []
        for room, allowed in self.rooms.items():
            if not os.path.isdir(os.path.join(self.root, 'src', room)):
                yield 'tools/rooms.txt: there is no room src/%s' % room
            for other in allowed:
                if other not in seen:
                    yield 'tools/rooms.txt: %s names %s, which is not above it' % (room, other)
            seen.append(room)
        for name in sorted(os.listdir(os.path.join(self.root, 'src'))):
            if os.path.isdir(os.path.join(self.root, 'src', name)) and name not in self.rooms:
                yield 'src/%s: the room is not in tools/rooms.txt' % name

    def check_own(self, path, n, header):
        room, other = path.split('/')[1], header.split('/')[0]
        if '/' not in header:
            yield '%s:%d: "%s" has to be written from src/: "%s/%s"' % (path, n, header, room, header)
        elif not os.path.exists(os.path.join(self.root, 'src', header)):
            yield '%s:%d: there is no src/%s' % (path, n, header)
        elif other != room and other not in self.rooms.get(room, []):
            yield '%s:%d: %s may not include %s' % (path, n, room, other)
        elif other != room and header.endswith('_int.h'):
            yield '%s:%d: %s is for the room %s alone' % (path, n, header, other)

    def check_library(self, path, n, header):
        for headers, files in self.libraries:
            mine = any(header == h or (h.endswith('/') and header.startswith(h)) for h in headers)
            if mine and path not in files:
                yield '%s:%d: <%s> is wrapped in %s alone' % (path, n, header, ' and '.join(files))

    def check_all(self):
        yield from self.check_table()
        for path in sources(self.root):
            for n, own, header in includes(os.path.join(self.root, path)):
                yield from (self.check_own if own else self.check_library)(path, n, header)
        for headers, files in self.libraries:
            for path in files:
                if path != 'none' and not os.path.exists(os.path.join(self.root, path)):
                    yield 'tools/libraries.txt: %s: there is no %s' % (' '.join(headers), path)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument('--root', default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    rooms = Rooms(args.parse_args().root)
    problems = list(rooms.check_all())
    for p in problems:
        print(p)
    print('rooms: %d rooms, %d problems' % (len(rooms.rooms), len(problems)))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
