"""C text for tools/tidy.py: a file without comments and literals, and its functions."""
import re

# A comment, a string or a character; whatever comes first decides.
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
BRANCH = re.compile(r'\b(?:if|for|while|case)\b|&&|\|\||\?')


def blank(text, keep_strings=False):
    """The same lines without comments, and with empty strings and characters."""
    def put(m):
        t = m.group(0)
        if t[0] == '/':
            return '\n' * t.count('\n') or ' '
        return t if keep_strings else t[0] + t[0]
    return TOKEN.sub(put, text)


class Function:
    def __init__(self, name, line, body):
        self.name, self.line = name, line
        self.lines = len(body)
        self.complexity = 1 + len(BRANCH.findall('\n'.join(body)))


def functions(text):
    """Functions as this project writes them: the braces stand alone in column 0."""
    lines = blank(text).split('\n')
    start = None
    for n, line in enumerate(lines):
        if line == '{' and n and '(' in ' '.join(lines[max(0, n - 4):n]):
            start = n
        elif line.startswith('}') and start is not None:
            head = start - 1
            while head > 0 and not re.match(r'[A-Za-z_]', lines[head]):
                head -= 1
            names = [m for m in re.findall(r'(\w+)\s*\(', lines[head]) if not m.isupper()]
            yield Function(names[0] if names else '?', head + 1, lines[head:n + 1])
            start = None
