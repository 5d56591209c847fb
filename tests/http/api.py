#!/usr/bin/env python3
"""The HTTP APIs as their clients meet them: each row is a request and the answer it
must get, kept in golden/. Two recordings are loaded first.

    api.py            compare
    api.py --write    write golden/ anew; read the difference before you commit it"""
import json
import os
import re
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import recordings                                  # noqa: E402
from ccmon import Ccmon                            # noqa: E402

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden')
LOADED = ('a2-http-protobuf-default-intervals', 'e-traces', 'h3-retries-exhausted')
END = 1795478400                                   # 2026-11-24T00:00:00Z
DAY = {'start': str(END - 86400), 'end': str(END)}
DAY_NS = {'start': str((END - 86400) * 10**9), 'end': str(END * 10**9)}
COST = 'claude_code_cost_usage_USD_total'
EV = '{service_name="claude-code"}'
FORM = 'application/x-www-form-urlencoded'


def q(query, **more):
    return dict({'query': query, 'time': str(END)}, **more)


def r(query, **more):
    return dict({'query': query, 'step': '6h', **DAY}, **more)


def l(query, **more):
    return dict({'query': query, **DAY_NS}, **more)


P, L = 'prometheus', 'loki'
ROWS = [
    # name, port, method, path, parameters
    ('prom health check of Grafana', P, 'POST', '/api/v1/query', {'query': '1+1', 'time': '4'}),
    ('prom cost by model', P, 'GET', '/api/v1/query', q('sum by (model) (increase(%s[1d]))' % COST)),
    ('prom exporter spelling', P, 'GET', '/api/v1/query', q('sum by (__name__) (increase(claude_code_cost_usage_total[1d]))')),
    ('prom tokens by type, form', P, 'POST', '/api/v1/query', q('sum by (type) (increase(claude_code_token_usage_tokens_total[1d] anchored))')),
    ('prom range', P, 'GET', '/api/v1/query_range', r('sum(increase(%s[6h]))' % COST)),
    ('prom statistics', P, 'GET', '/api/v1/query_range', r('sum by (model) (increase(%s[6h]))' % COST, stats='all')),
    ('prom arithmetic', P, 'GET', '/api/v1/query', q('sum(increase(%s[1d])) / count(sum by (session_id) (increase(%s[1d]))) > bool 0.01' % (COST, COST))),
    ('prom offset', P, 'GET', '/api/v1/query', {'query': 'sum(increase(%s[1d] offset 1d))' % COST, 'time': str(END + 86400)}),
    ('prom nothing', P, 'GET', '/api/v1/query', q('nothing_at_all')),
    ('prom syntax error', P, 'GET', '/api/v1/query', q('sum by (')),
    ('prom no query', P, 'GET', '/api/v1/query', {}),
    ('prom bad time', P, 'GET', '/api/v1/query', {'query': 'up', 'time': 'soon'}),
    ('prom too many points', P, 'GET', '/api/v1/query_range', r('up', step='1')),
    ('prom end before start', P, 'GET', '/api/v1/query_range', {'query': 'up', 'start': '10', 'end': '5', 'step': '1'}),
    ('prom zero step', P, 'GET', '/api/v1/query_range', r('up', step='0')),
    ('prom labels', P, 'GET', '/api/v1/labels', DAY),
    ('prom labels, form', P, 'POST', '/api/v1/labels', {'match[]': COST, **DAY}),
    ('prom metric names', P, 'GET', '/api/v1/label/__name__/values', DAY),
    ('prom label values with match', P, 'GET', '/api/v1/label/model/values', {'match[]': COST, **DAY}),
    ('prom values of an unknown label', P, 'GET', '/api/v1/label/nothing/values', DAY),
    ('prom series', P, 'GET', '/api/v1/series', {'match[]': COST, **DAY}),
    ('prom series without match', P, 'GET', '/api/v1/series', DAY),
    ('prom metadata', P, 'GET', '/api/v1/metadata', {}),
    ('prom metadata of one', P, 'GET', '/api/v1/metadata', {'metric': COST}),
    ('prom targets', P, 'GET', '/api/v1/targets', {}),
    ('prom buildinfo', P, 'GET', '/api/v1/status/buildinfo', {}),
    ('prom buildinfo by POST', P, 'POST', '/api/v1/status/buildinfo', {}),
    ('prom healthy', P, 'GET', '/-/healthy', {}),
    ('prom ready', P, 'GET', '/-/ready', {}),
    ('prom unknown path', P, 'GET', '/api/v1/nothing', {}),
    ('loki health check of Grafana', L, 'GET', '/loki/api/v1/query', {'query': 'vector(1)+vector(1)', 'time': '4000000000'}),
    ('loki ready', L, 'GET', '/ready', {}),
    ('loki labels', L, 'GET', '/loki/api/v1/labels', DAY_NS),
    ('loki label values', L, 'GET', '/loki/api/v1/label/service_name/values', DAY_NS),
    ('loki values of an unknown label', L, 'GET', '/loki/api/v1/label/nothing/values', DAY_NS),
    ('loki events by name', L, 'GET', '/loki/api/v1/query', {'query': 'sum by (event_name) (count_over_time(%s[1d]))' % EV, 'time': str(END * 10**9)}),
    ('loki cost by model', L, 'POST', '/loki/api/v1/query', {'query': 'sum by (model) (sum_over_time(%s | event_name="api_request" | unwrap cost_usd [1d]))' % EV, 'time': str(END)}),
    ('loki range', L, 'GET', '/loki/api/v1/query_range', l('sum by (detected_level) (count_over_time(%s[6h]))' % EV, step='21600000ms')),
    ('loki errors, newest first', L, 'GET', '/loki/api/v1/query_range', l(EV + ' | event_name="api_error"', limit='5')),
    ('loki forward, line filter', L, 'GET', '/loki/api/v1/query_range', l(EV + ' |= "tool_result" | duration_ms > 0', limit='2', direction='forward')),
    ('loki rate', L, 'GET', '/loki/api/v1/query', {'query': 'sum(rate(%s[1d]))' % EV, 'time': str(END * 10**9)}),
    ('loki spans', L, 'GET', '/loki/api/v1/query', {'query': 'sum by (span_name) (count_over_time({service_name="claude-code", ccmon_signal="spans"}[1d]))', 'time': str(END * 10**9)}),
    ('loki logs by instant query', L, 'GET', '/loki/api/v1/query', {'query': EV, 'time': str(END * 10**9)}),
    ('loki syntax error', L, 'GET', '/loki/api/v1/query', {'query': '{a=', 'time': '1'}),
    ('loki empty selector', L, 'GET', '/loki/api/v1/query_range', l('{}')),
    ('web has both', 'web', 'GET', '/api/v1/query', q('sum(increase(%s[1d]))' % COST)),
    ('web has loki', 'web', 'GET', '/loki/api/v1/labels', DAY_NS),
    ('otlp port says what it is', 'otlp-http', 'GET', '/', {}),
    ('otlp wrong method', 'otlp-http', 'GET', '/v1/logs', {}),
]

# What differs from run to run.
MASKS = [(r'"(execTime|queueTime|bytesProcessedPerSecond|linesProcessedPerSecond|totalBytesProcessed|bytesProcessed|'
          r'decompressedBytes|headChunkBytes|compressedBytes|queryReferencedStructuredMetadata|chunksDownloadTime|chunkRefsFetchTime|'
          r'congestionControlLatency|postFilterLines|headChunkLines|decompressedLines|decompressedStructuredMetadataBytes|totalDuplicates|'
          r'evalTotalTime|queryPreparationTime|innerEvalTime|execQueueTime|execTotalTime|'
          r'peakSamples|rowsRead|bytesRead|chunksRead|downloadTime|headChunkStructuredMetadataBytes|totalStructuredMetadataBytesProcessed)": [0-9.e+-]+', r'"\1": 0')]


def ask(server, row):
    _, port, method, path, params = row
    form = urllib.parse.urlencode(params)
    if method == 'POST':
        status, headers, body = server.request(port, 'POST', path, form, {'Content-Type': FORM})
    else:
        status, headers, body = server.request(port, 'GET', path + ('?' + form if form else ''))
    try:
        answer = json.loads(body)
        for name in ('buildDate', 'goVersion', 'revision'):
            if isinstance(answer.get('data'), dict) and name in answer['data']:
                answer['data'][name] = '-'
    except ValueError:
        answer = body.decode('utf-8', 'replace')
    return {'status': status, 'type': headers.get('content-type', ''), 'answer': answer}


def text_of(got):
    text = json.dumps(got, indent=1, ensure_ascii=False) + '\n'
    for pattern, put in MASKS:
        text = re.sub(pattern, put, text)
    return text


def main():
    write, failed = '--write' in sys.argv, 0
    with Ccmon() as server:
        for folder in LOADED:
            for request in recordings.load(folder):
                request.send(server)
        for row in ROWS:
            path = os.path.join(GOLDEN, re.sub(r'\W+', '-', row[0]) + '.json')
            text = text_of(ask(server, row))
            if write:
                open(path, 'w').write(text)
            elif not os.path.exists(path) or open(path).read() != text:
                failed += 1
                print('FAIL %s: the answer is not that of %s, but\n%s' % (row[0], os.path.basename(path), text[:1500]))
    print('%d passed, %d failed' % (len(ROWS) - failed, failed))
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
