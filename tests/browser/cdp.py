"""A small driver for Chromium: the DevTools protocol over its debugging pipe.

Only what the page's test needs, and nothing but the standard library, so that
the test runs wherever a Chromium is. Messages are JSON, each ended by a NUL:
the browser reads them on descriptor 3 and writes its own to descriptor 4.
"""
import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--mute-audio", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--remote-debugging-pipe", "about:blank",
]
PATIENCE_S = 30


def find_browser():
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        path = shutil.which(name)
        if path:
            return path
    return None


class Failure(Exception):
    """The browser or the page did not do what was asked of it."""


class Browser:
    def __init__(self, path, timezone="UTC"):
        self.profile = tempfile.mkdtemp(prefix="ccmon-browser-")
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()

        def wire():
            # Out of the way first: 3 and 4 may be in use by the pipes themselves.
            a, b = os.dup(read_there), os.dup(write_there)
            os.dup2(a, 3)
            os.dup2(b, 4)

        env = dict(os.environ, TZ=timezone, LANG="C.UTF-8")
        self.process = subprocess.Popen(
            [path, f"--user-data-dir={self.profile}", *FLAGS], preexec_fn=wire, pass_fds=(3, 4), env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(read_there)
        os.close(write_there)
        self.reader, self.writer = read_here, write_here
        self.pending, self.answers, self.next_id, self.pages = b"", {}, 0, {}

    def close(self):
        """Ends the browser's own process group, and removes its profile."""
        try:
            self.call("Browser.close", wait=False)
            self.process.wait(5)
        except (subprocess.TimeoutExpired, OSError, Failure):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.reader)
        os.close(self.writer)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, params=None, session=None, wait=True):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]
        if not wait:
            return None
        ident, until = self.next_id, time.monotonic() + PATIENCE_S
        while ident not in self.answers:
            if not self.pump(until - time.monotonic()):
                raise Failure(f"{method}: no answer")
        answer = self.answers.pop(ident)
        if "error" in answer:
            raise Failure(f"{method}: {answer['error'].get('message')}")
        return answer.get("result", {})

    def pump(self, seconds):
        """Reads what there is, at most `seconds` long; false when that was nothing."""
        ready, _, _ = select.select([self.reader], [], [], max(0, seconds))
        if not ready:
            return False
        got = os.read(self.reader, 1 << 20)
        if not got:
            raise Failure("the browser has gone")
        *whole, self.pending = (self.pending + got).split(b"\0")
        for raw in whole:
            message = json.loads(raw)
            if "id" in message:
                self.answers[message["id"]] = message
            elif message.get("sessionId") in self.pages:
                self.pages[message["sessionId"]].heard(message["method"], message["params"])
        return True

    def page(self):
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        return Page(self, session)


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.problems, self.requests, self.loaded = [], [], False
        browser.pages[session] = self
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Network.setCacheDisabled", {"cacheDisabled": True})

    def call(self, method, params=None):
        return self.browser.call(method, params, self.session)

    def heard(self, method, p):
        if method == "Runtime.exceptionThrown":
            d = p["exceptionDetails"]
            self.problems.append("exception: " + d.get("exception", {}).get("description", d.get("text", "")))
        elif method == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.problems.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
        elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.problems.append(f"log: {p['entry']['text']} {p['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(p["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def size(self, width, height, scale=1, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile})

    def prefer(self, scheme):
        self.call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, url):
        self.loaded = False
        self.call("Page.navigate", {"url": url})
        until = time.monotonic() + PATIENCE_S
        while not self.loaded:
            if not self.browser.pump(until - time.monotonic()):
                raise Failure(f"{url}: not loaded")

    def eval(self, expression):
        r = self.call("Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True, "userGesture": True})
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise Failure(f"{expression}: {d.get('exception', {}).get('description', d['text'])}")
        return r["result"].get("value")

    def wait(self, expression, what=None, seconds=PATIENCE_S):
        """Until the expression is true. Asked again at each turn of the page's own clock."""
        until = time.monotonic() + seconds
        while True:
            try:
                value = self.eval(f"!!({expression})")
            except Failure:
                value = None           # between two documents
            if value:
                return value
            if time.monotonic() > until:
                raise Failure(f"never happened: {what or expression}")
            self.browser.pump(0.05)

    def point(self, selector):
        box = self.eval(f"""(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;
            e.scrollIntoView({{block: "center"}}); const b = e.getBoundingClientRect();
            return {{x: b.x + b.width / 2, y: b.y + b.height / 2}}; }})()""")
        if not box:
            raise Failure(f"no element {selector}")
        return box["x"], box["y"]

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def click(self, selector):
        x, y = self.point(selector)
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1})

    def hover(self, selector):
        self.move(*self.point(selector))

    def key(self, key, code, number):
        """A key by its name, its place and its (virtual) number."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", {"type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, **text})

    def shot(self, path, whole=True):
        params = {"format": "png"}
        if whole:
            s = self.call("Page.getLayoutMetrics")["cssContentSize"]
            params |= {"captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": s["width"], "height": s["height"], "scale": 1}}
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot", params)["data"]))
