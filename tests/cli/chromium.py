"""A headless Chromium, driven over its DevTools protocol through two pipes: nothing but Python's own library."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
DEADLINE = 60.0  # seconds that an answer may take, also on a busy machine

# Keys as Chromium wants them: name, code, number.
KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Home": 36,
        "End": 35, "Tab": 9}


class Chromium:
    """`with Chromium() as browser:` one page, which is opened again and again. `complaints` are what its console and
    its scripts have complained of since it was opened last, `requests` the addresses that it asked for."""

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-")
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        # Chromium reads descriptor 3 and writes descriptor 4.
        self._process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{orders} 4>&{answers}', "sh", PROGRAM, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-extensions",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self._folder.name}", "--remote-debugging-pipe",
             "about:blank"],
            pass_fds=(orders, answers), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(orders)
        os.close(answers)
        self._bytes, self._number, self._session, self._events = b"", 0, None, []
        self.complaints, self.requests = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        os.close(self._orders)  # the end of its orders is the end of it
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._answers)
        self._folder.cleanup()

    def _message(self, until):
        while b"\0" not in self._bytes:
            if not select.select([self._answers], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError("Chromium does not answer")
            if not (more := os.read(self._answers, 1 << 20)):
                raise AssertionError("Chromium has ended")
            self._bytes += more
        message, _, self._bytes = self._bytes.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        method, about = message.get("method"), message.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.complaints.append(about["exceptionDetails"].get("exception", {}).get("description") or about)
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(about["args"])
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def call(self, method, **arguments):
        self._number += 1
        order = {"id": self._number, "method": method, "params": arguments}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        until = time.monotonic() + DEADLINE
        while True:
            message = self._message(until)
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def look(self, width, height=900, dark=False, phone=False):
        """How large the window is, and whether the reader likes it dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia", media="",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self._settle()

    def open(self, path):
        """Returns the seconds that it took until all scripts had run."""
        self.complaints, self.requests, self._events = [], [], []
        begun = time.monotonic()
        self.call("Page.navigate", url=f"file://{os.path.abspath(path)}")
        until = begun + DEADLINE
        while "Page.loadEventFired" not in self._events:
            self._note(self._message(until))
        took = time.monotonic() - begun
        self._settle()
        return took

    def value(self, expression):
        """Of an expression of JavaScript in the page."""
        result = self.call("Runtime.evaluate", expression=f"({expression})", awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def _settle(self):
        """Two frames later what was to be drawn has been drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def do(self, expression):
        self.value(f"void ({expression})")
        self._settle()

    def press(self, key, shift=False):
        about = {"key": key, "modifiers": 8 if shift else 0, "windowsVirtualKeyCode": KEYS.get(key) or ord(key.upper())}
        about["code"] = key if key in KEYS else f"Key{key.upper()}"
        if key not in KEYS:
            about["text"] = key
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self._settle()

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
        self._settle()

    def screenshot(self, file, whole=False):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(file, "wb") as out:
            out.write(base64.b64decode(picture))

    def pdf(self, file):
        with open(file, "wb") as out:
            out.write(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))
