"""The page in a browser: empty, its first packet, right figures, filters, live events.

The real binary runs on free ports over an empty directory. Recordings of the real
client are posted while the page is open, so everything here happens without a
reload; figures are compared with truth.json, which the client's own exit reports
agree with. The first part (files, headers, live stream) needs no browser.
"""
import argparse
import gzip
import http.client
import json
import os
import random
import re
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))
import cdp  # noqa: E402
import recordings  # noqa: E402
from ccmon import BINARY, Ccmon  # noqa: E402

ROOT = os.path.join(os.path.dirname(__file__), '..', '..')
RANGE = 'from=2026-11-23T00:00Z&to=2026-11-24T00:00Z'
FIRST_PAGE_MAX = 60 * 1024

# Folders whose metrics and events agree, with one session each that did something;
# together: two models, a denied tool, MCP, subagents, errors, a refusal, a commit.
POSTED = ['b-http-json', 'a-http-protobuf', 'w-haiku', 'o-deny', 'm-agent', 'r-mcp', 'j-git-commit', 'h3-retries-exhausted',
          'h4-refusal', 'w-interactive', 'g-cumulative', 'k3-gzip', 'n-hooks', 's-skill']
LATE = 'e-traces'
TOKENS = ('input', 'output', 'cacheRead', 'cacheCreation')

steps, failed = [], set()


def step(name):
    steps.append(name)
    print(name, flush=True)


def fail(what):
    failed.add(steps[-1])
    print(f'  FAILED {what}', flush=True)


def check(what, got, want):
    if got != want:
        fail(f'{what}: {got!r}, not {want!r}')


def near(what, got, want, within=1e-7):
    if got is None or abs(got - want) > within:
        check(what, got, want)


# ---- without a browser ----

def files(c):
    step('files from memory')
    status, h, page = c.request('web', 'GET', '/', headers={'Accept-Encoding': 'gzip'})
    check('page', (status, h['content-type'], h['cache-control']), (200, 'text/html; charset=utf-8', 'no-cache'))
    policy = h['content-security-policy']
    check('policy', ("default-src 'none'" in policy, 'unsafe' in policy, h['x-content-type-options'], h['referrer-policy']),
          (True, False, 'nosniff', 'no-referrer'))
    check('no inline script', re.findall(rb'<script(?![^>]*src=)|\sstyle=|\son\w+=', page), [])
    status, _, _ = c.request('web', 'GET', '/', headers={'If-None-Match': h['etag']})
    check('not modified', status, 304)
    for path, want in (('/setup', 200), ('/sessions/x', 200), ('/api/v1/nothing', 404), ('/assets/none.js', 404), ('/icon.svg', 200)):
        check(path, c.request('web', 'GET', path)[0], want)
    size = 0
    for ref in set(re.findall(r'(?:src|href)="(/[^"]+)"', page.decode())) | {'/'}:
        conn = http.client.HTTPConnection('127.0.0.1', c.ports['web'])
        conn.request('GET', ref, headers={'Accept-Encoding': 'gzip'})
        r = conn.getresponse()
        size += len(r.read())
        conn.close()
        if '/assets/' in ref:
            check(ref, (r.status, r.getheader('cache-control')), (200, 'public, max-age=31536000, immutable'))
    check('a first page that is small enough', size <= FIRST_PAGE_MAX, True)


def read_events(c, path, until, headers=None):
    """Reads the live stream until a text has come; returns all of it."""
    conn = http.client.HTTPConnection('127.0.0.1', c.ports['web'], timeout=20)
    conn.request('GET', path, headers=headers or {})
    r = conn.getresponse()
    check('type of the stream', r.getheader('content-type'), 'text/event-stream')
    got = b''
    while until not in got:
        chunk = r.read1(65536)
        if not chunk:
            break
        got += chunk
    conn.close()
    return got.decode()


def live(c, before):
    step('live stream, and coming back to it')
    seq = before['seq']
    got = read_events(c, f'/api/ccmon/live?after={seq}-{before["last_recv_ns"]}', b'event: tick')
    first = re.search(r'event: log\nid: (\d+-\d+)\ndata: (.*)\n', got)
    check('what was missed comes', bool(first), True)
    if not first:
        return
    batch = json.loads(first.group(2))
    records = batch['records']
    times = [int(r['time_ns']) for r in records]
    check('newest first', times, sorted(times, reverse=True))
    check('at most 200', len(records) <= 200, True)
    check('lines', all(r['line'] == 'claude_code.' + r['event_name'] for r in records), True)
    got = read_events(c, '/api/ccmon/live', b'event: tick', {'Last-Event-ID': first.group(1)})
    check('nothing twice', 'event: log' in got, False)


# ---- in the browser ----

VALUE = """(() => { const e = document.querySelector('#panel-%s .value[data-value]'); return e ? Number(e.dataset.value) : null; })()"""
PARTS = """Object.fromEntries([...document.querySelectorAll('#panel-%s [data-part]')].map(e => [e.dataset.part, e.title]))"""
TOTAL = """Number(document.querySelector('#panel-%s [data-total]')?.dataset.total)"""
COLUMN = """Object.fromEntries([...document.querySelectorAll('#panel-tools tr[data-row]')].map(r => [r.dataset.row, r.querySelector('[data-column=%s]').textContent]))"""
SETTLED = """document.querySelector('.panel.stat') && !document.querySelector('.skeleton, [aria-busy=true]')"""
WIDE = """document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def number(text):
    digits = re.sub(r'[^0-9.]', '', text)
    return float(digits) if digits else None


def settle(p):
    """Every panel shows what the store holds now."""
    seq = p.eval("fetch('/api/ccmon/status').then(r => r.json()).then(s => s.seq)")
    p.wait(f"{SETTLED} && Number(document.querySelector('main').dataset.seq) >= {seq}", 'all panels drawn')
    p.eval('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))')


def first_run(p, c, shots):
    step('empty: what to set')
    p.open(c.url + '/?' + RANGE)
    p.wait("document.querySelector('#setup-shell')", 'the first-run page')
    endpoint = f'http://127.0.0.1:{c.ports["otlp-http"]}'
    want = [('CLAUDE_CODE_ENABLE_TELEMETRY', '1'), ('OTEL_METRICS_EXPORTER', 'otlp'), ('OTEL_LOGS_EXPORTER', 'otlp'),
            ('OTEL_EXPORTER_OTLP_PROTOCOL', 'http/protobuf'), ('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint)]
    shell = '\n'.join(f'export {k}={v}' for k, v in want)
    check('shell lines', p.eval("document.querySelector('#setup-shell').textContent"), shell)
    check('settings.json', json.loads(p.eval("document.querySelector('#setup-settings').textContent")), {'env': dict(want)})
    p.wait("document.querySelector('.light.waiting')", 'the waiting light')
    p.browser.call('Browser.grantPermissions', {'permissions': ['clipboardReadWrite', 'clipboardSanitizedWrite'], 'origin': c.url})
    p.call('Page.bringToFront')
    p.click('#setup-shell + .copy')
    p.wait("document.querySelector('#setup-shell + .copy').dataset.copied === 'true'", 'copied')
    check('clipboard', p.eval('navigator.clipboard.readText()'), shell)
    p.click('[data-extra=traces]')
    p.wait("document.querySelector('#setup-shell').textContent.includes('export OTEL_TRACES_EXPORTER=otlp')", 'trace lines')
    p.click('[data-extra=traces]')
    look(p, shots, 'empty')


def look(p, shots, name):
    """Both themes, wide and narrow; nothing may be wider than the screen."""
    for width in (1600, 375):
        for scheme in ('light', 'dark'):
            p.size(width, 900 if width > 600 else 720, mobile=width < 600)
            p.prefer(scheme)
            p.wait(f"document.documentElement.dataset.theme === '{scheme}'", scheme)
            p.eval('new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))')
            check(f'{name} {width} {scheme}: overflow', p.eval(WIDE), 0)
            p.shot(os.path.join(shots, f'{name}-{width}-{scheme}.png'))
    p.size(1600, 900)
    p.prefer('light')


def sums(truth):
    out = {'cost': 0.0, 'tokens': dict.fromkeys(TOKENS, 0), 'sessions': set(), 'events': {}}
    for f in POSTED:
        t = truth[f]
        out['cost'] += t['metrics']['cost_usd']
        for k in TOKENS:
            out['tokens'][k] += t['metrics']['tokens'][k]
        out['sessions'] |= set(t['sessions'])
        for k, n in t['event_counts'].items():
            out['events'][k] = out['events'].get(k, 0) + n
    return out


def figures(p, want):
    step('figures as in truth.json')
    p.wait(f"Math.abs({VALUE % 'cost'} - {want['cost']!r}) < 1e-7", 'the cost of all recordings')
    settle(p)
    near('cost by model', p.eval(TOTAL % 'cost_over_time'), want['cost'])
    check('tokens', p.eval(VALUE % 'tokens'), sum(want['tokens'].values()))
    parts = p.eval(PARTS % 'tokens')
    check('tokens by type', {k: number(v) for k, v in parts.items()}, {k: float(v) for k, v in want['tokens'].items()})
    check('tokens over time', p.eval(TOTAL % 'tokens_over_time'), sum(want['tokens'].values()))
    t = want['tokens']
    near('cache hit ratio', p.eval(VALUE % 'cache'), t['cacheRead'] / (t['cacheRead'] + t['cacheCreation'] + t['input']))
    check('sessions', p.eval(VALUE % 'sessions'), len(want['sessions']))
    did = {k: number(v) for k, v in p.eval(PARTS % 'sessions').items()}
    check('events', did, {k: float(want['events'][k]) for k in ('user_prompt', 'api_request', 'tool_result')})
    runs = {k: number(v) for k, v in p.eval(COLUMN % 'runs').items()}
    check('tool runs in all', sum(v or 0 for v in runs.values()), float(want['events']['tool_result']))
    check('tool runs by tool', runs, {k: float(v) for k, v in want['tools'].items()})
    check('commits', p.eval(VALUE % 'commits'), 1)
    errors = p.eval("Object.fromEntries([...document.querySelectorAll('#panel-errors tr[data-row]')].map(r => [r.dataset.row, Number(r.querySelector('[data-column=count]').textContent)]))")
    for kind in ('api_error', 'api_retries_exhausted', 'api_refusal'):
        check(kind, errors.get(kind), want['events'].get(kind))
    check('errors shown in panels', p.eval("[...document.querySelectorAll('.failed')].map(e => e.textContent)"), [])
    check('events listed', p.eval("document.querySelectorAll('#panel-events .event').length") >= 100, True)


def filtering(p, want):
    step('filter by a click, and back')
    before = p.eval('location.href')
    rows = p.eval("Object.fromEntries([...document.querySelectorAll('#panel-cost_over_time tr[data-series]')].map(r => [r.dataset.series, r.querySelector('.num').title]))")
    check('models', sorted(rows), ['claude-haiku-5-5', 'claude-opus-5-5'])
    p.click("#panel-cost_over_time tr[data-series='claude-haiku-5-5'] .link")
    p.wait("new URL(location.href).searchParams.get('model') === 'claude-haiku-5-5'", 'the filter in the URL')
    p.wait(f"Math.abs({VALUE % 'cost'} - {number(rows['claude-haiku-5-5'])!r}) < 1e-7", 'the cost of one model')
    settle(p)
    check('its session', p.eval(VALUE % 'sessions'), 1)
    check('a filter that cannot reach a panel is named', p.eval("document.querySelector('#panel-commits .badge')?.textContent"), 'not by model')
    p.eval('history.back()')
    p.wait(f"location.href === {before!r} && Math.abs({VALUE % 'cost'} - {want['cost']!r}) < 1e-7", 'back to all')
    settle(p)


def zooming(p, want):
    step('drag over a chart, and back')
    box = p.eval("(() => { const b = document.querySelector('#panel-cost_over_time .u-over').getBoundingClientRect(); return {x: b.x, y: b.y + 40, w: b.width}; })()")
    mouse = lambda kind, x: p.call('Input.dispatchMouseEvent', {'type': kind, 'x': x, 'y': box['y'], 'button': 'left', 'buttons': 1, 'clickCount': 1})
    before = p.eval('location.search')
    mouse('mouseMoved', box['x'] + 5)
    mouse('mousePressed', box['x'] + 5)
    for i in range(1, 9):
        mouse('mouseMoved', box['x'] + 5 + i * box['w'] / 9)
    mouse('mouseReleased', box['x'] + 5 + 8 * box['w'] / 9)
    p.wait(f'location.search !== {before!r}', 'a new range')
    p.move(5, 5)
    settle(p)
    near('bars and figure agree', p.eval(TOTAL % 'cost_over_time'), p.eval(VALUE % 'cost'), 1e-9)
    p.eval('history.back()')
    p.wait(f"location.search === {before!r} && Math.abs({VALUE % 'cost'} - {want['cost']!r}) < 1e-7", 'back to the day')
    settle(p)
    step('away and back before anything is drawn')
    p.eval("document.querySelector('[title=\"One window earlier\"]').click(); history.back()")
    p.wait(f"location.search === {before!r}", 'back again')
    settle(p)
    near('the cost', p.eval(VALUE % 'cost'), want['cost'])


def keyboard(p):
    step('keyboard')
    p.key('t', 'KeyT', 84)
    p.wait("document.querySelector(':popover-open input')", 'the time range opens')
    p.wait("document.activeElement?.tagName === 'INPUT'", 'and is ready to type in')
    p.key('Escape', 'Escape', 27)
    p.wait("!document.querySelector(':popover-open')", 'and closes')
    names = p.eval("""[...document.querySelectorAll('button, a, input, [tabindex="0"]')].filter(e => e.offsetParent && !e.getAttribute('aria-label')
        && !e.textContent.trim() && !e.title && !e.labels?.length).map(e => e.outerHTML.slice(0, 80))""")
    check('everything has a name', names, [])


def arriving(p, c):
    step('new events wait while one reads')
    p.hover('#panel-events .event:nth-child(3)')
    top = p.eval("document.querySelector('#panel-events .event .opener').textContent")
    for r in recordings.load(LATE):
        r.send(c)
    p.wait("/new/.test(document.querySelector('#panel-events .livestate').textContent)", 'events are held')
    check('the list stands still', p.eval("document.querySelector('#panel-events .event .opener').textContent"), top)
    p.move(5, 5)
    p.wait("!/new/.test(document.querySelector('#panel-events .livestate').textContent)", 'held events appear')
    p.wait("document.querySelectorAll('#panel-events .event').length > 100", 'more events than before')


def moved(r, session, model, shift_ns):
    """A JSON recording's request as another session, with another model, at another time."""
    body = re.sub(r'"(1795\d{15})"', lambda m: '"%d"' % (int(m.group(1)) + shift_ns), r.body.decode())
    body = re.sub(r'("key":"session.id","value":\{"stringValue":)"[^"]*"', r'\1"%s"' % session, body)
    return body.replace('claude-opus-5-5', model).encode()


def docs_picture(p, c, path):
    """A fuller day for the README: recordings again and again, as sessions of two working days."""
    dice = random.Random(7)
    kinds = [recordings.load(f) for f in ('b-http-json', 'm-agent', 'b-http-json', 'h3-retries-exhausted')]
    start = 1795392000 * 10**9                     # 2026-11-23T00:00Z
    for _ in range(260):
        requests = dice.choice(kinds[:3] if dice.random() < 0.97 else kinds[3:])
        first = min(int(t) for r in requests for t in re.findall(rb'"(1795\d{15})"', r.body))
        hour = dice.choice((dice.gauss(10, 1.5), dice.gauss(15, 2))) - (24 if dice.random() < 0.45 else 0)
        session = str(uuid.UUID(int=dice.getrandbits(128)))
        model = dice.choices(('claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'), (5, 4, 1))[0]
        shift = start + int(hour * 3600) * 10**9 - first
        for r in requests:
            status, _, answer = c.post(r.path, moved(r, session, model, shift), 'application/json')
            check('a moved recording is taken', (status, answer[:80]), (200, b'{}'))
    p.size(1600, 1120)
    p.prefer('light')
    p.open(c.url + '/?from=2026-11-23T00:00Z&to=2026-11-24T00:00Z')
    settle(p)
    p.move(5, 5)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    p.shot(path, whole=False)


def fields(data):
    """(number, value) of one protobuf message; values of wire type 2 are bytes."""
    i = 0

    def varint():
        nonlocal i
        value = shift = 0
        while True:
            byte = data[i]
            i += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while i < len(data):
        key = varint()
        size = {0: 0, 1: 8, 5: 4}.get(key & 7)
        size = varint() if size is None else size
        yield key >> 3, varint() if key & 7 == 0 else data[i:i + size]
        i += size


def records_of(r):
    """The string attributes of each log record in one request."""
    body = gzip.decompress(r.body) if r.headers.get('content-encoding') == 'gzip' else r.body
    if 'json' in r.headers['content-type']:
        return [{a['key']: a['value'].get('stringValue') for a in rec['attributes']}
                for rl in json.loads(body)['resourceLogs'] for sl in rl['scopeLogs'] for rec in sl['logRecords']]
    inside = lambda message, number: [v for n, v in fields(message) if n == number]
    text = lambda kv: next((v for n, v in fields(dict(fields(kv)).get(2, b'')) if n == 1), b'').decode()
    return [{dict(fields(kv))[1].decode(): text(kv) for kv in inside(rec, 6)}
            for rl in inside(body, 1) for sl in inside(rl, 2) for rec in inside(sl, 2)]


def tool_counts():
    """Tool runs by name, from the recordings' own bytes."""
    out = {}
    for f in POSTED:
        for r in recordings.load(f):
            for rec in records_of(r) if r.path.endswith('/v1/logs') else ():
                if rec.get('event.name') == 'tool_result':
                    out[rec['tool_name']] = out.get(rec['tool_name'], 0) + 1
    return out


def browse(c, path, shots, docs):
    c.url = f'http://127.0.0.1:{c.ports["web"]}'
    browser = cdp.Browser(path)
    p = None
    try:
        p = browser.page()
        p.size(1600, 900)
        first_run(p, c, shots)
        before = c.get_json('web', '/api/ccmon/status')
        check('empty', before['empty'], True)
        step('the first packet turns the page into data')
        for f in POSTED:
            for r in recordings.load(f):
                r.send(c)
        want = sums(recordings.truth())
        want['tools'] = tool_counts()
        figures(p, want)
        filtering(p, want)
        zooming(p, want)
        keyboard(p)
        look(p, shots, 'filled')
        live(c, before)
        arriving(p, c)
        if docs:
            docs_picture(p, c, os.path.join(ROOT, 'docs', 'img', 'overview.png'))
        step('a quiet console, and no other origin')
        check('nothing on the console', p.problems, [])
        check('no request elsewhere', sorted({u for u in p.requests if not u.startswith((c.url, 'data:', 'about:'))}), [])
    except cdp.Failure as e:
        fail(e)
        if p:
            print('  console:', p.problems)
            p.shot(os.path.join(shots, 'failed.png'))
    finally:
        browser.close()


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument('--docs', action='store_true', help='write docs/img/overview.png as well')
    docs = args.parse_args().docs
    shots = os.environ.get('SHOTS') or os.path.join(os.path.dirname(os.path.abspath(BINARY)), 'screenshots')
    os.makedirs(shots, exist_ok=True)
    with Ccmon() as c:
        files(c)
        path = cdp.find_browser()
        if path:
            browse(c, path, shots, docs)
            print(f'screenshots in {shots}')
        else:
            print('SKIP pages: no Chromium was found')
    print(f'{len(steps) - len(failed)} passed, {len(failed)} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
