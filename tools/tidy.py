#!/usr/bin/env python3
"""The rules of the house that no compiler knows. Each check is a function below; a
row of tools/tidy-allow.txt excuses one place from one check, with a reason.

  tools/tidy.py [--root FOLDER] [-v]      -v also shows warnings
"""
import argparse
import os
import re
import subprocess
import sys

from ctext import blank, functions

LINES_WARN, LINES_MAX = 800, 1000                  # of a file
BODY_WARN, BODY_MAX = 60, 100                      # lines of a function
COMPLEXITY_MAX = 25                                # branches of a function
WIDTH_WARN, WIDTH_MAX = 120, 140                   # columns; in tests a row is one line, however long
README_MAX = 60                                    # lines of a room's README: a page

# Not outside base/, and why.
BANNED = {
    'strlen strcpy strcat strncpy strncat strdup strtok strtok_r gets': 'use struct str',
    'atoi atol atoll strtol strtoll strtoul strtoull strtod sscanf': 'use str_to_* of base/str.h',
    'sprintf vsprintf asprintf': 'use buf_fmt or arena_fmt',
    'malloc calloc realloc free alloca': 'use an arena, or mem_* of base/base.h',
    'time gettimeofday clock_gettime localtime localtime_r': 'use the struct clock passed in',
    'rand random srand srandom': 'use a generator passed in',
    'setlocale': 'numbers are read and written in the C locale',
}
# Not in library rooms: they return an error, and whoever stops passing it on logs it.
LOGGING = 'log_line log_limited printf fprintf puts perror'

LEFTOVER = re.compile(r'\b(TODO|FIXME|XXX|HACK|WIP)\b|^\s*#\s*if\s+0\b|\bconsole\.log\(|\bdebugger;')
JSON_BY_HAND = re.compile(r'\b(?:buf_fmt|buf_str|buf_put|snprintf|arena_fmt)\s*\([^;]*\\"')
# Assembled so that this file does not find itself.
MACHINE = re.compile('|'.join((
    r'(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/', r'"resol' + r'ved":', r'registry\.npm' + r'js\.org', r'\bartifact' + r'ory\b',
    r'\bpypi' + r'\.org', r'files\.python' + r'hosted\.org', r'static\.crat' + r'es\.io')))


def tracked(root):
    """Committed files and new ones that are not ignored."""
    git = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], cwd=root,
                         capture_output=True, text=True)
    names = set(git.stdout.split('\n')) if git.returncode == 0 else {
        os.path.relpath(os.path.join(f, n), root) for f, _, ns in os.walk(root) for n in ns}
    return sorted(n for n in names if n and os.path.isfile(os.path.join(root, n)))


class Tidy:
    def __init__(self, root):
        self.root = root
        self.files = tracked(root)
        self.allow = self.read_allow()
        self.used = set()
        self.problems, self.warnings = [], []

    def read(self, path):
        with open(os.path.join(self.root, path), encoding='utf-8', errors='replace') as f:
            return f.read()

    def read_allow(self):
        path, rows = os.path.join(self.root, 'tools/tidy-allow.txt'), {}
        for n, line in enumerate(open(path, encoding='utf-8') if os.path.exists(path) else [], 1):
            line = line.split('#')[0].strip()
            if line:
                where, _, why = line.partition(' -- ')
                check, _, place = where.partition(' ')
                rows[check, place.strip()] = (n, why.strip())
        return rows

    def say(self, check, path, line, what, place=None, warn=False):
        """A problem, unless the file or `place` in it is allowed."""
        allowed = [row for row in ((check, path), (check, place)) if row in self.allow]
        if warn:
            self.warnings.append('%s:%d: %s: %s' % (path, line, check, what))
        elif allowed:
            self.used.update(allowed)
        else:
            self.problems.append('%s:%d: %s: %s' % (path, line, check, what))

    def c_files(self, *folders, endings=('.c', '.h', '.cc')):
        return [f for f in self.files if f.startswith(folders) and f.endswith(endings)]

    def size(self):
        for path in self.c_files('src/', 'tests/', 'fuzz/', 'bench/'):
            text = self.read(path)
            n = text.count('\n')
            if n > LINES_WARN:
                self.say('file-length', path, 1, '%d lines' % n, warn=n <= LINES_MAX)
            for i, line in enumerate(text.split('\n'), 1):
                if len(line) > WIDTH_WARN:
                    self.say('width', path, i, '%d columns' % len(line),
                             warn=len(line) <= WIDTH_MAX or path.startswith('tests/'))
            for f in functions(text):
                place = '%s:%s' % (path, f.name)
                if f.lines > BODY_WARN:
                    self.say('function-length', path, f.line, '%s has %d lines' % (f.name, f.lines), place, f.lines <= BODY_MAX)
                if f.complexity > COMPLEXITY_MAX:
                    self.say('complexity', path, f.line, '%s has %d branches' % (f.name, f.complexity), place)

    def calls(self):
        why = {name: reason for names, reason in BANNED.items() for name in names.split()}
        logs = {name: 'library rooms do not log' for name in LOGGING.split()}
        for path in self.c_files('src/'):
            if path.startswith('src/base/'):
                continue
            banned = why if path.startswith('src/app/') else {**why, **logs}
            call = re.compile(r'(?<![\w.>])(%s)\s*\(' % '|'.join(banned))
            for n, line in enumerate(blank(self.read(path)).split('\n'), 1):
                for m in call.finditer(line):
                    self.say('banned', path, n, '%s: %s' % (m.group(1), banned[m.group(1)]), '%s:%s' % (path, m.group(1)))

    def leftovers(self):
        for path in self.files:
            if not path.endswith(('.c', '.h', '.cc', '.ts', '.tsx', '.py', '.sh', '.css', '.build', 'Makefile')) or \
                    path.startswith(('src/web/dist/', 'tools/tidy.py', 'tests/tools/')):
                continue
            for n, line in enumerate(self.read(path).split('\n'), 1):
                m = LEFTOVER.search(line)
                if m:
                    self.say('leftover', path, n, m.group(0).strip())

    def contracts(self):
        for path in self.c_files('src/', endings=('.h',)):
            if not self.read(path).startswith('/* %s -- ' % path[len('src/'):]):
                self.say('contract', path, 1, 'has to begin with "/* %s -- what it is for"' % path[len('src/'):])

    def readmes(self):
        for room in sorted({f.split('/')[1] for f in self.files if re.match(r'src/\w+/', f)}):
            path = 'src/%s/README' % room
            if path not in self.files:
                self.say('readme', 'src/' + room, 1, 'the room has no README')
            elif self.read(path).count('\n') > README_MAX:
                self.say('readme', path, 1, 'longer than a page of %d lines' % README_MAX)

    def unbuilt(self):
        builds = ' '.join(self.read(f) for f in self.files if f.endswith('meson.build'))
        for path in self.c_files('src/', 'tests/', 'fuzz/', 'bench/', endings=('.c', '.cc')):
            if not re.search(r'[\'/]%s\b' % re.escape(os.path.basename(path)), builds):
                self.say('unbuilt', path, 1, 'is in no meson.build')

    def json_by_hand(self):
        for path in self.c_files('src/api/', endings=('.c',)):
            text = blank(self.read(path), keep_strings=True)
            for m in JSON_BY_HAND.finditer(text):
                self.say('json', path, text.count('\n', 0, m.start()) + 1, 'a quote by hand; JSON is written with jw_*')

    def machines(self):
        for path in self.files:
            if path.startswith(('tests/fixtures/', 'fuzz/corpus/')):
                continue
            for n, line in enumerate(self.read(path).split('\n'), 1):
                m = MACHINE.search(line)
                if m:
                    self.say('machine', path, n, '%s belongs to one machine' % m.group(0))

    def stale(self):
        for row in sorted(set(self.allow) - self.used):
            n, why = self.allow[row]
            self.problems.append('tools/tidy-allow.txt:%d: %s %s is no longer needed' % (n, *row))
        for row in sorted(self.used):
            n, why = self.allow[row]
            if not why:
                self.problems.append('tools/tidy-allow.txt:%d: %s %s has no reason' % (n, *row))

    def run(self):
        for check in (self.size, self.calls, self.leftovers, self.contracts, self.readmes, self.unbuilt, self.json_by_hand,
                      self.machines, self.stale):
            check()


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument('--root', default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    args.add_argument('-v', action='store_true')
    args = args.parse_args()
    tidy = Tidy(args.root)
    tidy.run()
    for p in tidy.problems + (['warning: ' + w for w in tidy.warnings] if args.v else []):
        print(p)
    print('tidy: %d files, %d problems, %d warnings' % (len(tidy.files), len(tidy.problems), len(tidy.warnings)))
    return 1 if tidy.problems else 0


if __name__ == '__main__':
    sys.exit(main())
