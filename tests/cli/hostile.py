"""A hostile HTTP server on loopback ports of its own. What it answers is scripted: for each country code a list
of steps, one for each request for /flags/cc/cc.gif; the last one answers all that come after it, too.

    with Server({"BR": [answer("503 Service Unavailable"), GOOD]}) as server:
        run("flags2_async", f"--base-url={server.url}", "BR")
        server.asked("BR")  # what came in

A step is a function of the connection and the code. It answers, and returns whether the connection stays open.
"""

import re
import socket
import struct
import threading
import time
from typing import NamedTuple

ESTABLISHED = 1  # tcpi_state
PATH = re.compile(r"/(\w+)/([a-z]{2})(?:/([^/]*))?", re.ASCII)


def gif(code, size=None):
    """A whole image of one pixel, in which a comment tells codes apart and makes up the size."""
    if size is None:
        size = 1200 + 31 * (26 * (ord(code[0]) - 65) + ord(code[1]) - 65)
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff" + b"\x21\xfe"
    tail = b"\0" + b"\x2c\0\0\0\0\1\0\1\0\0" + b"\2\2\x44\1\0" + b"\x3b"
    comment = (code.encode() + b" ") * size
    blocks = b""
    while (left := size - len(head) - len(blocks) - len(tail)) > 1:
        length = min(255, left - 1)
        blocks += bytes([length]) + comment[:length]
    return head + blocks + tail


# ---- steps -----------------------------------------------------------------------------------------


def answer(status="200 OK", body=gif, headers=(), length=True, close=False, version="HTTP/1.1"):
    """A whole answer; `body` is bytes or a function of the code, `length` may be False, or what to say instead."""

    def step(connection, code):
        content = body(code) if callable(body) else body
        lengths = [str(len(content))] if length is True else length or []
        lines = [f"{version} {status}", *headers, *(f"Content-Length: {text}" for text in lengths)]
        if close:
            lines.append("Connection: close")
        connection.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)
        return length is not False and not close

    return step


def raw(*parts, end=None):
    """Sends bytes, those of a function of the code, or waits so many seconds; then does what `end` says."""

    def step(connection, code):
        for part in parts:
            if isinstance(part, (int, float)):
                connection.server.stopping.wait(part)
            else:
                connection.send(part(code) if callable(part) else part)
        return end(connection) if end else False

    return step


def keep(_):
    return True


def reset(connection):
    connection.reset()


def stall(connection):
    connection.wait_closed()


def flood(data):
    """Sends that again and again, for as long as anybody takes it."""

    def end(connection):
        while not connection.server.stopping.is_set():
            connection.send(data)

    return end


def drip(content, interval, piece=1, end=None):
    """Sends so many bytes at a time."""

    def step(connection, code):
        data = content(code) if callable(content) else content
        for start in range(0, len(data), piece):
            connection.send(data[start:start + piece])
            connection.server.stopping.wait(interval)
        return end(connection) if end else False

    return step


def whole(code):
    """A good answer, as it goes over the wire."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(gif(code)) + gif(code)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def redirect(target, status="302 Found"):
    """To a target in which {server}, {port}, {code} and the names of the other ports stand for themselves."""

    def step(connection, code):
        server = connection.server
        location = target.format(server=server.origin, port=server.port, code=code.lower(), **server.ports)
        return answer(status, b"", [f"Location: {location}"])(connection, code)

    return step


GOOD = answer()
CLOSE = raw()
RESET = raw(end=reset)
STALL = raw(end=stall)


# ---- the server ------------------------------------------------------------------------------------


class Request(NamedTuple):
    at: float  # seconds of the monotonic clock
    connection: int  # 0 for the server's first
    target: str
    line: str
    headers: list  # (name in lower case, value)

    def header(self, name):
        return [value for key, value in self.headers if key == name]


class Connection:
    def __init__(self, server, number, peer):
        self.server = server
        self.number = number
        self.socket = peer
        self.unread = b""

    def is_open(self):
        try:
            return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
        except OSError:
            return False

    def send(self, data):
        self.socket.sendall(data)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_closed(self):
        while self.socket.recv(65536):
            pass

    def receive(self):
        """The lines of the next request's head, none at the end."""
        while b"\r\n\r\n" not in self.unread:
            data = self.socket.recv(65536)
            if not data:
                return []
            self.unread += data
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return head.decode("latin-1").split("\r\n")


def listener(backlog):
    result = socket.socket()
    result.bind(("127.0.0.1", 0))
    if backlog is not None:
        result.listen(backlog)
    return result


class Server:
    """Answers what is not scripted by `default`. Besides /flags/ it has /good/cc, /hop/cc/N (N redirects and then
    a good file) and /loop/cc. Its other ports: `closed` refuses, `silent` does not even accept, `mute` accepts and
    says nothing, `resetting` resets what it is asked. It refuses connections until it is `late` seconds old."""

    def __init__(self, script=None, default=GOOD, late=0):
        self.script = {code: steps if isinstance(steps, list) else [steps] for code, steps in (script or {}).items()}
        self.default = [default]
        self.stopping = threading.Event()
        self.failures = []  # what went wrong in steps of the tests
        self.most_open = 0  # connections at once
        self._lock = threading.Lock()
        self._requests = {}
        self._connections = []
        self._threads = []
        self._sockets = {"closed": listener(None), "silent": listener(0), "mute": listener(100),
                         "resetting": listener(100)}
        self._late = late
        self._listener = listener(None if late else 1100)
        self.port = self._listener.getsockname()[1]
        self.ports = {name: sock.getsockname()[1] for name, sock in self._sockets.items()}
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/flags"
        # The queue of connections of a backlog of 0 is full with one; others are left without an answer.
        self._fillers = [socket.socket() for _ in range(3)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.ports["silent"]))

    def __enter__(self):
        self._start(self._accept)
        self._start(self._reset_all)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for sock in (self._listener, *self._sockets.values()):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the closed one
        with self._lock:
            for connection in self._connections:
                try:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # closed already
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets.values(), *self._fillers):
            sock.close()
        if self.failures:
            raise self.failures[0]

    def asked(self, code):
        """The requests for that code's file, in the order in which they came."""
        with self._lock:
            return list(self._requests.get(code, ()))

    def all_asked(self):
        with self._lock:
            return sorted(request for requests in self._requests.values() for request in requests)

    def connection_count(self):
        with self._lock:
            return len(self._connections)

    def _start(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self):
        if self._late:
            self.stopping.wait(self._late)
            self._listener.listen(1100)
        while not self.stopping.is_set():
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                connection = Connection(self, len(self._connections), peer)
                self._connections.append(connection)
                self.most_open = max(self.most_open, sum(other.is_open() for other in self._connections))
            self._start(self._serve, connection)

    def _reset_all(self):
        while not self.stopping.is_set():
            try:
                peer = self._sockets["resetting"].accept()[0]
            except OSError:
                return
            connection = Connection(self, -1, peer)
            try:
                peer.recv(1)
            except OSError:
                pass
            connection.reset()

    def _serve(self, connection):
        with connection.socket:
            try:
                while lines := connection.receive():
                    if not self._answer(connection, lines):
                        return
            except OSError:
                pass  # the client is gone
            except Exception as failure:
                self.failures.append(failure)

    def _answer(self, connection, lines):
        target = lines[0].split(" ")[1]
        match = PATH.fullmatch(target)
        if not match:
            return answer("404 Not Found", b"")(connection, "")
        kind, code, rest = match[1], match[2].upper(), match[3]
        if kind == "good":
            return GOOD(connection, code)
        if kind == "loop":
            return redirect("/loop/{code}")(connection, code)
        if kind == "hop":
            left = int(rest) - 1
            return redirect(f"/hop/{code.lower()}/{left}" if left else "/good/{code}")(connection, code)
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        with self._lock:
            before = self._requests.setdefault(code, [])
            attempt = len(before)
            before.append(Request(time.monotonic(), connection.number, target, lines[0], headers))
        steps = self.script.get(code, self.default)
        return steps[min(attempt, len(steps) - 1)](connection, code)
