"""What must not be found: collected from the recordings, by the names of their attributes
and by the form of an address, from JSON and from protobuf. And where it is looked for:
every byte of a data directory, and every byte that can be decoded from it."""
import ctypes
import ctypes.util
import glob
import json
import os
import re
import sqlite3
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import recordings                                  # noqa: E402

CONTENT = set('''prompt prompt_text user_prompt response response.model_output tool_input tool_parameters body body_ref
    system_prompt system_prompt_preview system_reminders new_context hook_definitions output content diff file_path
    bash_command full_command error tool tools status.message'''.split())
PEOPLE = set('user.email user.account_uuid user.account_id user.id organization.id org.name'.split())
ADDRESS = re.compile(r'[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}')
PIECE = re.compile(r'[A-Za-z0-9 ._/=-]{12,}')      # what no escaping changes
UUID = re.compile(r'\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b')
PIECES_MAX = 40                                    # of one value: its beginning, middle and end are enough


# ---- the recordings ----------------------------------------------------------------------

def json_values(node, name=''):
    """(name, text) of every string, by the attribute it belongs to."""
    if isinstance(node, dict):
        if 'key' in node and 'value' in node:
            yield '', node['key']
            yield from json_values(node['value'], node['key'])
            return
        for k, v in node.items():
            inner = name or ('status.message' if k == 'message' else '')
            yield from json_values(v, inner)
    elif isinstance(node, list):
        for v in node:
            yield from json_values(v, name)
    elif isinstance(node, str):
        yield name, node


def varint(b, i):
    v = shift = 0
    while True:
        c = b[i]
        v |= (c & 127) << shift
        i, shift = i + 1, shift + 7
        if c < 128:
            return v, i


def fields(b):
    i, found = 0, []
    while i < len(b):
        tag, i = varint(b, i)
        kind = tag & 7
        if kind == 0:
            v, i = varint(b, i)
        elif kind == 1:
            v, i = None, i + 8
        elif kind == 5:
            v, i = None, i + 4
        elif kind == 2:
            n, i = varint(b, i)
            v, i = b[i:i + n], i + n
        else:
            raise ValueError('wire type %d' % kind)
        if i > len(b) or not tag >> 3:
            raise ValueError('cut off')
        found.append((tag >> 3, v))
    return found


def is_text(b):
    return re.fullmatch(rb'[\x09\x0a\x0d\x20-\x7e]+', b)


def pb_values(b, name=''):
    """The same without a schema: whatever reads as a message is one, else it is a text."""
    try:
        parts = fields(b)
    except (ValueError, IndexError):
        parts = []
    numbers = [n for n, v in parts if isinstance(v, bytes)]
    if numbers == [1, 2] and len(parts) == 2 and re.fullmatch(rb'[A-Za-z0-9._]+', parts[0][1]):
        yield '', parts[0][1].decode()
        yield from pb_values(parts[1][1], parts[0][1].decode())
    elif name and numbers == [1] and len(parts) == 1 and is_text(parts[0][1]):
        yield name, parts[0][1].decode()           # AnyValue with a string
    elif parts:
        for number, v in parts:
            if isinstance(v, bytes):
                yield from pb_values(v, name)
    elif is_text(b):
        yield name, b.decode()


def body_of(request):
    return zlib.decompress(request.body, 31) if request.body[:2] == b'\x1f\x8b' else request.body


def values():
    """(name, text) of all recordings."""
    for folder in recordings.folders():
        for r in recordings.load(folder):
            body = body_of(r)
            yield from json_values(json.loads(body)) if body[:1] == b'{' else pb_values(body)


def pieces(text):
    found = [p.strip() for p in PIECE.findall(text) if len(p.strip()) >= 12]
    if len(found) > PIECES_MAX:
        third = PIECES_MAX // 3
        middle = len(found) // 2
        found = found[:third] + found[middle:middle + third] + found[-third:]
    return [p[:64] for p in found]


def needles():
    """{text: name}: pieces of content, whole identities, addresses. What an attribute that is
    neither says as well (the name of a model) is not one."""
    content, people, other = {}, {}, set()
    for name, text in values():
        for a in ADDRESS.findall(text):
            people.setdefault(a, 'address')
        if name in PEOPLE:
            people.setdefault(text, name)
        elif name in CONTENT:
            for p in pieces(text) + UUID.findall(text) if text != '<REDACTED>' else ():
                content.setdefault(p, name)
        else:
            other |= {text, text.replace('.', '_')}
    other |= CONTENT
    kept = '\0'.join(other)
    return {**{p: n for p, n in content.items() if p not in kept}, **people}


def forms(needle):
    """The bytes that it may stand as: a column keeps ids and digests as bytes."""
    found = [needle.encode()]
    digits = needle.replace('-', '')
    if re.fullmatch(r'[0-9a-f]{32}|[0-9a-f]{64}', digits):
        found.append(bytes.fromhex(digits))
    return found


# ---- the data directory ---------------------------------------------------------------------

class Zstd:
    MAGIC = b'\x28\xb5\x2f\xfd'
    UNKNOWN, ERROR, BIGGEST = 2**64 - 1, 2**64 - 2, 1 << 28

    def __init__(self):
        name = ctypes.util.find_library('zstd')
        self.lib = ctypes.CDLL(name) if name else None
        for f, args in (('getFrameContentSize', 2), ('findFrameCompressedSize', 2), ('decompress', 4)) if name else ():
            getattr(self.lib, 'ZSTD_' + f).restype = ctypes.c_ulonglong if args == 2 else ctypes.c_size_t

    def frames(self, data):
        """What every frame at any offset holds."""
        at = data.find(self.MAGIC)
        while at >= 0:
            tail = data[at:]
            size = self.lib.ZSTD_getFrameContentSize(tail, ctypes.c_size_t(len(tail)))
            packed = self.lib.ZSTD_findFrameCompressedSize(tail, ctypes.c_size_t(len(tail)))
            if packed <= len(tail) and size != self.ERROR:
                room = min(size if size != self.UNKNOWN else 64 * packed + (1 << 20), self.BIGGEST)
                out = ctypes.create_string_buffer(max(room, 1))
                n = self.lib.ZSTD_decompress(out, ctypes.c_size_t(room), tail, ctypes.c_size_t(packed))
                if n <= room:
                    yield out.raw[:n]
            at = data.find(self.MAGIC, at + 1)


def blobs(path):
    """Every value of every table: a blob that spans pages is in no file in one piece."""
    db = sqlite3.connect(path)
    try:
        for table, in db.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in db.execute('select * from "%s"' % table):
                for v in row:
                    if isinstance(v, (bytes, str)):
                        yield v if isinstance(v, bytes) else v.encode()
    finally:
        db.close()


def raw_bytes(folder):
    return [open(p, 'rb').read() for p in sorted(glob.glob(folder + '/**', recursive=True)) if os.path.isfile(p)]


def decoded_bytes(folder):
    """What is packed in the files, of a directory that nobody has open."""
    zstd, found = Zstd(), []
    if not zstd.lib:
        return None
    for p in sorted(glob.glob(folder + '/**', recursive=True)):
        if not os.path.isfile(p):
            continue
        if open(p, 'rb').read(16) == b'SQLite format 3\0':
            for b in blobs(p):
                found.append(b)
                found += zstd.frames(b)
        elif os.path.getsize(p):
            data = open(p, 'rb').read()
            found += zstd.frames(data.rstrip(b'\0'))
    return found


def search(chunks, wanted):
    """The needles that stand somewhere in them."""
    haystack = b'\xff\0\xff'.join(chunks)
    return {n for n in wanted if any(f in haystack for f in forms(n))}
