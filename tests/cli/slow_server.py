"""slow_server for tests: started on a port of its own, and asked."""

import contextlib
import http.client
import os
import re
import selectors
import signal
import socket
import tempfile
import time
from typing import NamedTuple

from harness import BIN, DEADLINE, CliTest, Running

HAS_SLOW_SERVER = os.path.exists(os.path.join(BIN, "slow_server"))  # else the build lacks a library

NO_DELAY = ("--min-delay=0", "--max-delay=0")


_CODES_FILE = os.path.join(os.path.dirname(__file__), "..", "..", "data", "country_codes.txt")
with open(_CODES_FILE, encoding="ascii") as _codes:
    CODES = [word for line in _codes for word in line.partition("#")[0].split()]


def delay(seconds):
    """The options for delays that are all the same."""
    return (f"--min-delay={seconds}", f"--max-delay={seconds}")


def flag(code):
    return f"/flags/{code.lower()}/{code.lower()}.gif"


class Reply(NamedTuple):
    status: int
    reason: str
    headers: dict
    body: bytes
    seconds: float  # from the request to the end of the answer


class LogLine(NamedTuple):
    arrival: float
    delay: float
    status: int
    code: str


def read_log(path):
    """The lines of a --log file; each must be whole."""
    with open(path, encoding="ascii") as file:
        text = file.read()
    lines = text.splitlines()
    if not text.endswith("\n") or lines[0] != "# arrival\tdelay\tstatus\tcode":
        raise AssertionError(f"not a log: {text!r}")
    found = []
    for line in lines[1:]:
        match = re.fullmatch(r"(\d+\.\d{6})\t(\d+\.\d{6})\t(\d{3})\t([A-Z]{2}|\?\?)", line)
        if not match:
            raise AssertionError(f"not a line of a log: {line!r}")
        found.append(LogLine(float(match[1]), float(match[2]), int(match[3]), match[4]))
    return found


def ask(connection, path, method="GET", body=None):
    """One request on a connection of http.client's."""
    start = time.monotonic()
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    content = answer.read()
    return Reply(answer.status, answer.reason, dict(answer.getheaders()), content, time.monotonic() - start)


class Server(Running):
    """A slow_server that listens, started by the command `through`."""

    def __init__(self, *args, host="127.0.0.1", through=(), **options):
        super().__init__(*through, os.path.join(BIN, "slow_server"), "0", *args, **options)
        self.host = host
        try:
            self.start_line = self.readline()
            match = re.fullmatch(r"Serving HTTP on (\S+) port (\d+) \((http://.*)/\) \.\.\.", self.start_line)
            if not match:
                raise AssertionError(f"not a start line: {self.start_line!r}")
            self.address, self.port, self.url = match[1], int(match[2]), match[3]
        except BaseException:
            self.__exit__()
            raise

    def connect(self):
        """A new connection for ask(), in a context that closes it."""
        return contextlib.closing(http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE))

    def ask(self, path, method="GET", body=None):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return ask(connection, path, method, body)

    def open(self, data=b""):
        """A bare socket on which that was sent."""
        client = socket.create_connection((self.host, self.port), DEADLINE)
        client.sendall(data)
        return client

    def ask_at_once(self, paths):
        """One connection each, all open before the first is asked; the statuses, in the paths' order."""
        clients = [self.open() for _ in paths]
        with selectors.DefaultSelector() as selector:
            for i, (client, path) in enumerate(zip(clients, paths)):
                client.sendall(request(path, "Connection: close"))
                selector.register(client, selectors.EVENT_READ, i)
            answers = [b""] * len(paths)
            left, until = len(paths), time.monotonic() + DEADLINE
            while left:
                if time.monotonic() > until:
                    raise AssertionError(f"{left} of {len(paths)} are not answered")
                for key, _ in selector.select(1):
                    data = key.fileobj.recv(65536)
                    answers[key.data] += data
                    if not data:
                        left -= 1
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
        return [check_whole(answer) for answer in answers]


def request(path, *headers):
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode()


def check_whole(answer):
    """The status of a bare answer, whose body must be as long as it says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    if not match or not length or int(length[1]) != len(body):
        raise AssertionError(f"not a whole answer: {answer[:300]!r}")
    return int(match[1])


def read_answer(client):
    """The first answer on a bare socket that is kept alive: status, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"\r\nContent-Length: (\d+)", head)[1])
    while len(body) < length:
        body += receive(client)
    return int(head.split(b" ")[1]), body


def receive(client):
    data = client.recv(65536)
    if not data:
        raise AssertionError("the server has closed the connection")
    return data


class ServerTest(CliTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="slow-server-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.log = os.path.join(self.folder, "log")

    def make_file(self, path, content=b"GIF89a, or so"):
        """A file below the folder."""
        whole = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "wb") as file:
            file.write(content)

    def stop(self, server, number=signal.SIGTERM):
        """Ends it; what it has printed after the start line and before its farewell."""
        server.signal(number)
        result = server.finish()
        farewell = {signal.SIGTERM: "\nTerminated, exiting.\n",
                    signal.SIGINT: "\nKeyboard interrupt received, exiting.\n"}[number]
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertTrue(result.out.endswith(farewell), result.out)
        self.assertTrue(result.out.startswith(server.start_line + "\n"))
        return result.out[len(server.start_line) + 1:-len(farewell)].splitlines()
