#!/usr/bin/env python3
"""The page /targets: a scraped client, a target that is down, a refused sender, listeners;
and the banners that every page has."""
import http.server
import os
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
import cdp  # noqa: E402
from ccmon import BINARY, Ccmon  # noqa: E402

TOKEN = 'a-token-that-is-long-enough'
METRICS = """# TYPE claude_code_session_count_total counter
claude_code_session_count_total{session_id="0a1b2c3d-session",start_type="fresh"} 1
"""
passed, failed = 0, 0


def check(what, got, want=True):
    global passed, failed
    passed, failed = passed + (got == want), failed + (got != want)
    if got != want:
        print('%s: got %r, want %r' % (what, got, want))


class Exporter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = METRICS.encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def text_of(p, selector):
    return p.eval("document.querySelector('%s').innerText" % selector)


def look(p, c, shots):
    p.size(1600, 900)
    p.open('http://127.0.0.1:%d/targets' % c.ports['web'])
    p.wait("document.querySelector('#scraping tbody') && document.querySelector('#scraping').innerText.includes('0a1b2c3d')"
           " && document.querySelector('#scraping .bad')", 'the scraped client, and the target that is down')
    scraping, refused, server = (text_of(p, s) for s in ('#scraping', '#refused', '#server'))
    check('the target that is up', 'Claude Code' in scraping)
    check('the target that is down', 'down' in scraping and 'refused' in scraping)
    check('what scraping cannot see', 'OTEL_METRICS_EXPORTER=otlp,prometheus' in scraping)
    check('who was refused', '401' in refused and '127.0.0.1' in refused)
    check('not its token', 'another-token-altogether' in refused, False)
    check('what the listener asks for', 'asks for a token' in server)
    check('the banner', 'was refused' in text_of(p, '.banner.bad'))
    for width in (1600, 375):
        for scheme in ('light', 'dark'):
            p.size(width, 900, mobile=width < 600)
            p.prefer(scheme)
            p.wait("document.documentElement.dataset.theme === '%s'" % scheme, scheme)
            check('no wider than the screen', p.eval('document.documentElement.scrollWidth <= innerWidth'))
            p.shot(os.path.join(shots, 'targets-%d-%s.png' % (width, scheme)))
    p.open('http://127.0.0.1:%d/setup' % c.ports['web'])
    p.wait("document.querySelector('#setup-shell')", 'what to set')
    check('setup asks for the token', 'export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer TOKEN"' in text_of(p, '#setup-shell'))
    check('and names the port of gRPC', '%d for OTEL_EXPORTER_OTLP_PROTOCOL=grpc' % c.ports['otlp-grpc'] in text_of(p, '#main'))
    check('a quiet console', p.problems, [])


def main():
    path = cdp.find_browser()
    if not path:
        print('SKIP targets page: no Chromium was found')
        return 0
    shots = os.environ.get('SHOTS') or os.path.join(os.path.dirname(os.path.abspath(BINARY)), 'screenshots')
    os.makedirs(shots, exist_ok=True)
    exporter = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as f:
        f.write("""listeners:
  otlp-http:
    bearer_tokens:
    - {name: team, token: %s}
scrape_configs:
- job_name: clients
  scrape_interval: 1s
  scrape_timeout: 1s
  static_configs:
  - targets: ['127.0.0.1:%d', '127.0.0.1:1']
""" % (TOKEN, exporter.server_port))
        f.flush()
        with Ccmon(args=['--config', f.name]) as c:
            status, _, _ = c.request('otlp-http', 'POST', '/v1/logs', b'{}', {'Content-Type': 'application/json',
                                                                             'Authorization': 'Bearer another-token-altogether'})
            check('refused', status, 401)
            browser = cdp.Browser(path)
            try:
                look(browser.page(), c, shots)
            except cdp.Failure as e:
                check('the page', str(e), '')
            finally:
                browser.close()
    print('%d passed, %d failed' % (passed, failed))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
