#!/usr/bin/env python3
"""The checkers themselves: each row is a small tree with one thing wrong, and what
the checker has to say about it. The tree without that thing has to pass."""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

GOOD = {
    'tools/rooms.txt': 'base:\nstore: base\napi: base store\n',
    'tools/libraries.txt': 'sqlite3.h: src/store/sql.c\nzlib.h: none\n',
    'tools/tidy-allow.txt': '# nothing\n',
    'src/base/README': 'base\n', 'src/store/README': 'store\n', 'src/api/README': 'api\n',
    'src/base/str.h': '/* base/str.h -- bytes */\n',
    'src/base/str.c': '#include "base/str.h"\n\nvoid f(void)\n{\n    strlen("base may");\n}\n',
    'src/base/meson.build': "sources += files('str.c')\n",
    'src/store/sql.h': '/* store/sql.h -- tables */\n#include "base/str.h"\n',
    'src/store/sql_int.h': '/* store/sql_int.h -- for the room */\n',
    'src/store/sql.c': '#include <sqlite3.h>\n#include "store/sql.h"\n#include "store/sql_int.h"\n',
    'src/store/meson.build': "sources += files('sql.c')\n",
    'src/api/a.c': '#include "store/sql.h"\n/* strlen() and "TO" in a comment are fine */\n',
    'src/api/meson.build': "sources += files('a.c')\n",
}

# A checker, files put over the good ones (None: taken away), and what it says (None: it is content).
ROWS = [
    ('rooms', {}, None),
    ('rooms', {'src/store/sql.c': '#include "api/a.h"\n', 'src/api/a.h': ''}, 'src/store/sql.c:1: store may not include api'),
    ('rooms', {'src/store/sql.c': '\n  #  include "api/a.h"\n', 'src/api/a.h': ''}, 'src/store/sql.c:2: store may not'),
    ('rooms', {'src/api/a.c': '#include "store/none.h"\n'}, 'there is no src/store/none.h'),
    ('rooms', {'src/api/a.c': '#include "sql.h"\n'}, 'has to be written from src/'),
    ('rooms', {'src/api/a.c': '#include "store/sql_int.h"\n'}, 'sql_int.h is for the room store alone'),
    ('rooms', {'src/api/a.c': '#include <sqlite3.h>\n'}, '<sqlite3.h> is wrapped in src/store/sql.c alone'),
    ('rooms', {'src/api/a.c': '#include <zlib.h>\n'}, '<zlib.h> is wrapped in none alone'),
    ('rooms', {'src/new/b.c': '\n'}, 'src/new: the room is not in tools/rooms.txt'),
    ('rooms', {'tools/rooms.txt': 'base:\nstore: base\napi: base store\nledger: base\n'}, 'there is no room src/ledger'),
    ('rooms', {'tools/rooms.txt': 'base: store\nstore: base\napi: base store\n'}, 'base names store, which is not above it'),
    ('rooms', {'tools/libraries.txt': 'sqlite3.h: src/store/sql.c src/gone.c\n'}, 'there is no src/gone.c'),

    ('tidy', {}, None),
    ('tidy', {'src/api/a.c': 'int x;\n' * 1001}, 'file-length: 1001 lines'),
    ('tidy', {'src/api/a.c': 'int x;\n' * 1000}, None),
    ('tidy', {'src/api/a.c': 'int %s;\n' % ('x' * 140)}, 'width: 145 columns'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n' + '    g();\n' * 98 + '}\n'}, 'function-length: f has 101 lines'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n' + '    g();\n' * 97 + '}\n'}, None),
    ('tidy', {'src/api/a.c': 'static void f(int a)\n{\n' + '    if (a)\n        g();\n' * 25 + '}\n'}, 'complexity: f has 26'),
    ('tidy', {'src/api/a.c': 'static void f(int a)\n{\n' + '    if (a)\n        g();\n' * 24 + '}\n'}, None),
    ('tidy', {'src/api/a.c': 'static void f(int a)\n{\n    g(' + 'a && ' * 25 + 'a);\n}\n'}, 'complexity: f has 26'),
    ('tidy', {'src/api/a.c': 'static void f(int a)\n{\n' + '    g("if while ? && ||");\n' * 30 + '}\n'}, None),
    ('tidy', {'src/api/a.c': 'int n = strlen (p);\n'}, 'banned: strlen: use struct str'),
    ('tidy', {'src/api/a.c': 'int n = my_strlen(p) + x->time(1) + "atoi(";\n'}, None),
    ('tidy', {'src/api/a.c': 'char *p = malloc(7);\n'}, 'banned: malloc'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n    log_line(1, "x");\n}\n'}, 'library rooms do not log'),
    ('tidy', {'src/api/a.c': '/* TO' + 'DO: later */\n'}, 'leftover: TO' + 'DO'),
    ('tidy', {'src/api/a.c': '#if 0\n#endif\n'}, 'leftover: #if 0'),
    ('tidy', {'src/web/ui/a.ts': 'console.' + 'log(1);\n', 'src/web/README': ''}, 'leftover: console'),
    ('tidy', {'src/store/sql.h': '#pragma once\n'}, 'contract: has to begin with "/* store/sql.h -- '),
    ('tidy', {'src/store/sql.h': '/* store/sqx.h -- tables */\n'}, 'contract'),
    ('tidy', {'src/store/README': None}, 'src/store:1: readme: the room has no README'),
    ('tidy', {'src/store/README': 'x\n' * 61}, 'readme: longer than a page'),
    ('tidy', {'src/store/new.c': '\n'}, 'src/store/new.c:1: unbuilt'),
    ('tidy', {'src/store/ql.c': '\n'}, 'src/store/ql.c:1: unbuilt'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n    buf_fmt(b, "{\\"a\\":%d}", 1);\n}\n'}, 'src/api/a.c:3: json'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n    buf_fmt(b,\n            "\\"%d\\"", 1);\n}\n'}, 'src/api/a.c:3: json'),
    ('tidy', {'src/api/a.c': 'void f(void)\n{\n    fault_set(f, 1, 0, "not \\"%d\\"", 1);\n}\n'}, None),
    ('tidy', {'notes.md': 'see /ho' + 'me/someone/ccmon\n'}, 'notes.md:1: machine'),
    ('tidy', {'package-lock.json': '"resol' + 'ved": "https://host/x.tgz"\n'}, 'package-lock.json:1: machine'),
    ('tidy', {'docs.md': 'https://example.com/home/index.html and ~/.local/share\n'}, None),
    ('tidy', {'src/api/a.c': 'int n = strlen(p);\n', 'tools/tidy-allow.txt': 'banned src/api/a.c:strlen -- because\n'}, None),
    ('tidy', {'src/api/a.c': 'int n = strlen(p);\n', 'tools/tidy-allow.txt': 'banned src/api/a.c -- because\n'}, None),
    ('tidy', {'src/api/a.c': 'int n = strlen(p);\n', 'tools/tidy-allow.txt': 'banned src/api/a.c\n'}, 'has no reason'),
    ('tidy', {'tools/tidy-allow.txt': 'banned src/api/a.c -- because\n'}, 'is no longer needed'),
]

# One file each, and what the layout check says about it.
LAYOUT = [
    ('int a = 1;\n', None),
    ('int a=1;\n', 'not "a=1;" but "a = 1;"'),
    ('int a = 1; \n', 'blanks at the end'),
    ('int a = 1;', 'has to end with one newline'),
    ('int a = 1;\n\n', 'has to end with one newline'),
    ('\tint a = 1;\n', 'a tab'),
    ('const char *p = "\\t \t";\n', None),
    ('void f(void)\n{\n  g();\n}\n', ''),
    ('void f(void)\n{\n    if(a)\n        g();\n}\n', 'not "if(a)" but "if (a)"'),
    ('void f(void)\n{\n    g();\n      h();\n    i();\n}\n', ':4: indented by 6, not by 4'),
    ('void f(void)\n{\n    int a   = 1; /* aligned */\n    int abc = 1;      /* as one likes */\n}\n', None),
    ('void f(void)\n{\n    g(a,\n        b,\n            c);\n}\n', None),
    ('static const int rows[] = { 1,\n    2, 3,\n    4 };\n', None),
    ('size_t n = (n) * 2 + sizeof(x) * k;\n', None),
]


def layout():
    """Failures of the rows above."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'x.c')
        for text, want in LAYOUT:
            with open(path, 'w') as f:
                f.write(text)
            p = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/format.py'), path], capture_output=True, text=True)
            if p.returncode != (want is not None) or (want or '') not in p.stdout:
                failed += 1
                print('FAIL layout of %r: wanted %s, got %d:\n%s' % (text, want, p.returncode, p.stdout + p.stderr))
    return failed


def run(tool, changes):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**GOOD, **changes}.items():
            if text is None:
                continue
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w') as f:
                f.write(text)
        p = subprocess.run([sys.executable, os.path.join(ROOT, 'tools', tool + '.py'), '--root', root],
                           capture_output=True, text=True)
        return p.returncode, p.stdout + p.stderr


def main():
    failed = 0
    for tool, changes, want in ROWS:
        code, out = run(tool, changes)
        if code != (want is not None) or (want and want not in out):
            failed += 1
            print('FAIL %s with %s: wanted %s, got %d:\n%s' % (tool, list(changes), want, code, out))
    rows = len(ROWS)
    if shutil.which('clang-format'):
        failed += layout()
        rows += len(LAYOUT)
    else:
        print('SKIP layout: clang-format is not installed')
    print('%d passed, %d failed' % (rows - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
