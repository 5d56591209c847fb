"""The queries of the dashboards, in the languages of the servers, and what each must answer
by the truth of the load. An answer is {labels: {seconds: value}}: label values in their
order joined by |, an instant query at the load's end."""
import http.client
import json
import math
import statistics
import time
import urllib.parse

DAY, HOUR = 86400, 3600
COST = 'claude_code_cost_usage_USD_total'
TOKENS = 'claude_code_token_usage_tokens_total'
SESSIONS = 'claude_code_session_count_total'
EVENTS = '{service_name="claude-code"}'
LINES_MAX = 5000
EXACT = 1e-9                                       # of a value: what sums of doubles may be off


class Truth:
    def __init__(self, path):
        with open(path) as f:
            self.t = json.load(f)
        self.end, self.hours = self.t['end'], self.t['hours']
        self.all_s = self.hours * HOUR

    def at_end(self, pairs):
        return {k: {self.end: v} for k, v in pairs.items()}

    def hourly(self, key, scale=1.0):
        table = self.t[key]
        n = len(next(iter(table.values())))
        return {k: {self.end - (n - 1 - i) * HOUR: v * scale for i, v in enumerate(row) if v} for k, row in table.items() if any(row)}

    def rates(self):
        """What was added in the five minutes before each, a second."""
        return {k: {self.end - (len(row) - 1 - i) * 60: sum(row[i - 4:i + 1]) / 300 for i in range(5, len(row)) if any(row[i - 4:i + 1])}
                for k, row in self.t['tokens_by_minute'].items()}


# id, form of load, by, {language: query}, kind, seconds back, step, truth
QUERIES = [
    ('count_by_event_1d', 'logs', ('event_name', 'event.name'),
     {'logql': 'sum by (event_name) (count_over_time(%s[1d]))' % EVENTS, 'logsql': '| stats by ("event.name") count() n'},
     'instant', DAY, 0, lambda t: t.at_end(t.t['count_by_event'])),
    ('event_cost_by_model_1d_1h', 'logs', ('model',),
     {'logql': 'sum by (model) (sum_over_time(%s | event_name="api_request" | unwrap cost_usd [1h]))' % EVENTS,
      'logsql': '"event.name":="api_request" | stats by (model) sum(cost_usd) v'},
     'range', DAY, HOUR, lambda t: t.hourly('event_cost_by_model', 1e-9)),
    ('duration_by_tool_1d', 'logs', ('tool_name',),
     {'logql': 'avg_over_time(%s | event_name="tool_result" | unwrap duration_ms [1d]) by (tool_name)' % EVENTS,
      'logsql': '"event.name":="tool_result" | stats by (tool_name) avg(duration_ms) v'},
     'instant', DAY, 0, lambda t: t.at_end(t.t['duration_by_tool'])),
    ('p95_by_model_1d', 'logs', ('model',),
     {'logql': 'quantile_over_time(0.95, %s | event_name="api_request" | unwrap duration_ms [1d]) by (model)' % EVENTS,
      'logsql': '"event.name":="api_request" | stats by (model) quantile(0.95, duration_ms) v'},
     'instant', DAY, 0, lambda t: t.at_end(t.t['p95_by_model'])),
    ('one_session_1d', 'logs', (), {'logql': EVENTS + ' | session_id="$SESSION"', 'logsql': '"session.id":="$SESSION"'},
     'lines', DAY, 0, lambda t: t.at_end({'': min(t.t['session_events'], LINES_MAX)})),
    ('text_1d', 'logs', (), {'logql': EVENTS + ' | prompt=~".*heisenbug.*"', 'logsql': 'prompt:heisenbug'},
     'lines', DAY, 0, lambda t: t.at_end({'': min(t.t['marked_day'], LINES_MAX)})),
    ('text_all', 'logs', (), {'logql': EVENTS + ' | prompt=~".*heisenbug.*"', 'logsql': 'prompt:heisenbug'},
     'lines', None, 0, lambda t: t.at_end({'': min(t.t['marked_all'], LINES_MAX)})),
    ('cost_by_model_1h', 'samples', ('model',), {'promql': 'sum by (model) (increase(%s[1h]))' % COST},
     'range', None, HOUR, lambda t: t.hourly('cost_by_model', 1e-9)),
    ('tokens_by_model_type_1h', 'samples', ('model', 'type'), {'promql': 'sum by (model, type) (increase(%s[1h]))' % TOKENS},
     'range', None, HOUR, lambda t: t.hourly('tokens_by_model_type')),
    ('tokens_by_type_6h_1m', 'samples', ('type',), {'promql': 'sum by (type) (rate(%s[5m]))' % TOKENS},
     'range', 6 * HOUR, 60, lambda t: t.rates()),
    ('sessions', 'samples', (), {'promql': 'count(count by (session_id) (last_over_time(%s[$ALL])))' % SESSIONS},
     'instant', 0, 0, lambda t: t.at_end({'': t.t['sessions']})),
    ('top_users', 'samples', ('user_email',), {'promql': 'topk(10, sum by (user_email) (increase(%s[$ALL])))' % COST},
     'instant', 0, 0, lambda t: t.at_end({k: v / 1e9 for k, v in t.t['top_users'].items()})),
]


def iso(t):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(t))


def request(language, q, truth, extra=None):
    """(path, body) of a query; all are POSTed as forms."""
    _, _, _, texts, kind, back, step, _ = q
    back = truth.all_s if back is None else back
    end, begin = truth.end, truth.end - back + (step if kind == 'range' else 0)
    text = texts[language].replace('$SESSION', truth.t['session']).replace('$ALL', '%ds' % truth.all_s)
    if language == 'promql':
        form = dict(query=text, time=end) if kind == 'instant' else dict(query=text, start=begin, end=end, step=step)
        path = '/api/v1/query' if kind == 'instant' else '/api/v1/query_range'
    elif language == 'logql':
        form = dict(query=text, time=end * 10**9) if kind == 'instant' else dict(query=text, start=begin * 10**9, end=end * 10**9)
        form.update(dict(step=step) if kind == 'range' else dict(limit=LINES_MAX, direction='backward') if kind == 'lines' else {})
        path = '/loki/api/v1/query' if kind == 'instant' else '/loki/api/v1/query_range'
    else:
        form = dict(query='_time:[%s,%s) %s' % (iso(begin), iso(end), text))
        form.update(dict(time=end) if kind == 'instant' else dict(start=begin, end=end, step=step) if kind == 'range' else dict(limit=LINES_MAX))
        path = '/select/logsql/' + {'instant': 'stats_query', 'range': 'stats_query_range', 'lines': 'query'}[kind]
    form.update(extra or {})
    return path, urllib.parse.urlencode(form)


def read(language, q, body):
    """The answer as {labels: {seconds: value}}; lines are counted."""
    kind, by = q[4], q[2]
    if language == 'logsql' and kind == 'lines':
        return {'': {None: body.count(b'\n')}}
    data = json.loads(body)['data']
    if data['resultType'] == 'streams':
        return {'': {None: sum(len(s['values']) for s in data['result'])}}
    out = {}
    for s in data['result']:
        key = '|'.join(str(s['metric'][k]) for k in by if k in s['metric'])
        points = s['values'] if 'values' in s else [s['value']]
        out.setdefault(key, {}).update({int(t): float(v) for t, v in points})
    return out


def compare(got, want, instant):
    """Largest relative difference; missing and superfluous values count as all of it."""
    worst = 0.0
    if instant:
        got = {k: {None: v for v in points.values()} for k, points in got.items()}
        want = {k: {None: v for v in points.values()} for k, points in want.items()}
    for key in set(got) | set(want):
        for t in set(got.get(key, {})) | set(want.get(key, {})):
            g, w = got.get(key, {}).get(t, 0.0), want.get(key, {}).get(t, 0.0)
            if g != w:
                worst = max(worst, 1.0 if math.isnan(g) else abs(g - w) / max(abs(g), abs(w)))
    return worst


def total(answer):
    return sum(v for points in answer.values() for v in points.values() if not math.isnan(v))


def ask(port, path, body, headers, timeout=300):
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)
    try:
        return ask_on(c, path, body, headers)
    finally:
        c.close()


def ask_on(c, path, body, headers):
    c.request('POST', path, body, headers)
    r = c.getresponse()
    return r.status, r.read()


def run(server, language, q, truth, runs):
    """One query some times over one connection: first, median and least in ms, CPU ms, and its answer."""
    extra = {'nocache': 1} if server.name == 'victoria-metrics' else None
    headers = {'Content-Type': 'application/x-www-form-urlencoded', 'Cache-Control': 'no-cache'}
    path, body = request(language, q, truth, extra)
    c = http.client.HTTPConnection('127.0.0.1', server.query_port(language), timeout=300)
    times, cpu = [], server.cpu()
    for _ in range(runs):
        begin = time.monotonic()
        status, answer = ask_on(c, path, body, headers)
        times.append((time.monotonic() - begin) * 1e3)
        if status != 200:
            return dict(error='%d %s' % (status, answer[:200].decode('utf-8', 'replace')))
    c.close()
    got, want = read(language, q, answer), q[7](truth)
    off = compare(got, want, q[4] != 'range')
    return dict(first_ms=times[0], median_ms=statistics.median(times[1:] or times), least_ms=min(times), cpu_ms=(server.cpu() - cpu) / runs * 1e3,
                off=off, exact=off <= EXACT, ratio=total(got) / total(want) if total(want) else None)
