#!/usr/bin/env python3
"""The documentation against the program: tables of keys and routes, and links."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
CCMON = os.environ.get('CCMON', os.path.join(ROOT, 'build', 'ccmon'))


def table(file, what):
    want = subprocess.run([CCMON, 'describe', what], check=True, stdout=subprocess.PIPE, text=True).stdout
    if want not in open(os.path.join(ROOT, file)).read():
        yield '%s: its table is not what `ccmon describe %s` prints' % (file, what)


def manual():
    want = subprocess.run([CCMON, 'describe', 'man'], check=True, stdout=subprocess.PIPE, text=True).stdout
    if want != open(os.path.join(ROOT, 'docs', 'ccmon.1')).read():
        yield 'docs/ccmon.1 is not what `ccmon describe man` prints'


def rooms():
    """Each room of tools/rooms.txt has a row, with what it may include."""
    rows = {}
    for names, includes in re.findall(r'^\| (`[^|]*`) \|[^|]*\| ?([^|]*?) ?\|$', open(os.path.join(ROOT, 'ARCHITECTURE.md')).read(), re.M):
        rows.update({name: includes for name in re.findall(r'`(\w+)`', names)})
    for line in open(os.path.join(ROOT, 'tools', 'rooms.txt')):
        name, _, includes = line.partition(':')
        if _ and not line.startswith('#') and rows.get(name) not in (includes.strip(), 'everything'):
            yield 'ARCHITECTURE.md: %s may include "%s", and the table says %r' % (name, includes.strip(), rows.get(name))


def links():
    pages = [f for p in ('*.md', 'docs/*.md', 'stack/*.md') for f in glob.glob(os.path.join(ROOT, p))]
    for page in pages:
        for target in re.findall(r'\]\(([^)#]+)[^)]*\)', open(page).read()):
            if '://' not in target and not os.path.exists(os.path.join(os.path.dirname(page), target)):
                yield '%s: there is no %s' % (os.path.relpath(page, ROOT), target)


def main():
    checks = [table('docs/configuration.md', 'keys'), table('docs/configuration.md', 'scrape'), table('docs/configuration.md', 'tls'),
              table('docs/configuration.md', 'access'), table('docs/configuration.md', 'privacy'), table('docs/api.md', 'routes'), table('docs/accounting-api.md', 'accounting'), links(), rooms(), manual()]
    failed = 0
    for check in checks:
        problems = list(check)
        failed += bool(problems)
        for p in problems:
            print('FAIL ' + p)
    print('%d passed, %d failed' % (len(checks) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
