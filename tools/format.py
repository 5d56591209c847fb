#!/usr/bin/env python3
"""Layout of the C files, as clang-format and .clang-format have it, but for two
things that are the author's: where a line is broken, and blanks that align columns.

So what is compared is the words of a file (a missing or an extra blank between two
words differs) and the indentation of those lines that both versions have.

  tools/format.py [FILE...]     all C files of the repository, or these
"""
import difflib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ctext import blank

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STYLE = os.path.join(ROOT, '.clang-format')
FOLDERS = ('src', 'tests', 'fuzz', 'bench')
ENDINGS = ('.c', '.h', '.cc')


def c_files():
    out = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard', *FOLDERS],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(f for f in out.split('\n') if f.endswith(ENDINGS) and os.path.exists(os.path.join(ROOT, f)))


def words(lines):
    """Every word with the number of its line; a backslash at the end of a macro's line is none."""
    return [(w, n) for n, line in enumerate(lines, 1) for w in line.split() if w != '\\']


def spacing(have, want):
    a, b = words(have), words(want)
    match = difflib.SequenceMatcher(None, [w for w, _ in a], [w for w, _ in b], autojunk=False)
    for op, a0, a1, b0, b1 in match.get_opcodes():
        old, new = (' '.join(w for w, _ in part) for part in (a[a0:a1], b[b0:b1]))
        # clang-format takes some products for pointers: blanks around * are not compared.
        if op != 'equal' and re.sub(r' ?\* ?', '*', old) != re.sub(r' ?\* ?', '*', new):
            yield a[min(a0, len(a) - 1)][1], 'not "%s" but "%s"' % (old[:80], new[:80])


def indentation(have, want):
    def text(lines):
        return [' '.join(line.split()) for line in lines]

    def indent(line):
        return len(line) - len(line.lstrip())
    code, depth, open_at = blank('\n'.join(have)).split('\n'), 0, []
    for line in code:                              # parentheses that are open where each line begins
        open_at.append(depth)
        depth += line.count('(') - line.count(')')
    match = difflib.SequenceMatcher(None, text(have), text(want), autojunk=False)
    for a, b, n in match.get_matching_blocks():
        # What hangs on an earlier line may be aligned as one likes; a comment may stand anywhere.
        for i in range(1, n):
            line, prior = have[a + i], have[a + i - 1]
            hanging = open_at[a + i] > 0 or (prior.strip() and not re.search(r'[;{}:]\s*(/\*.*\*/)?$', prior))
            if line.strip() and not hanging and not line.lstrip().startswith(('/*', '*', '//', '#')) and \
                    indent(line) != indent(want[b + i]):
                yield a + i + 1, 'indented by %d, not by %d' % (indent(line), indent(want[b + i]))


def check(path):
    full = os.path.join(ROOT, path)
    have = open(full, encoding='utf-8').read()
    want = subprocess.run(['clang-format', '--style=file:' + STYLE, full], capture_output=True, text=True,
                          check=True).stdout
    found = []
    if '\t' in re.sub(r'"(\\.|[^"\\])*"', '', have):
        found.append((have[:have.index('\t')].count('\n') + 1, 'a tab'))
    for n, line in enumerate(have.split('\n'), 1):
        if line.endswith((' ', '\t')):
            found.append((n, 'blanks at the end'))
    if not have.endswith('\n') or have.endswith('\n\n'):
        found.append((have.count('\n'), 'has to end with one newline'))
    lines, wanted = have.split('\n'), want.split('\n')
    found += list(spacing(lines, wanted)) + list(indentation(lines, wanted))
    return ['%s:%d: %s' % (path, n, what) for n, what in sorted(found)]


def main():
    files = sys.argv[1:] or c_files()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [p for found in pool.map(check, files) for p in found]
    for p in problems:
        print(p)
    print('format: %d files, %d problems' % (len(files), len(problems)))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
