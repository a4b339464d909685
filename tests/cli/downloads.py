"""What the tests of the download programs share: the programs and what they should print, the server that
they ask, and the folder that they fill."""

import contextlib
import fcntl
import functools
import itertools
import os
import re
import signal
import socket
import stat
import string
import struct
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from harness import DEADLINE, LIBC, CliTest, Running, run, wait_for
from slow_server import read_log

# A proxy would be asked in place of our servers.
for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)


def own_namespaces():
    """Gives this process, and so all that it starts, a network that is nothing but a loopback, where the ports of
    LOCAL, DELAY and ERROR are free, and mounts that end with it. Whether it may."""
    CLONE_NEWNS, CLONE_NEWNET, MS_REC_PRIVATE, SIOCSIFFLAGS, IFF_UP = 0x20000, 0x40000000, 0x44000, 0x8914, 1
    if LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        return False
    LIBC.mount(None, b"/", None, MS_REC_PRIVATE, None)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True


ISOLATED = own_namespaces()
needs_isolation = unittest.skipUnless(ISOLATED, "only root may have a network and mounts of its own")

# ---- country codes ---------------------------------------------------------------------------------

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/country_codes.txt")) as _file:
    ALL = [line.strip() for line in _file if re.match("[A-Z]", line)]
BY_POPULATION = "CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR".split()
POP20 = sorted(BY_POPULATION)
EVERY = ["".join(pair) for pair in itertools.product(string.ascii_uppercase, repeat=2)]
TEAPOT = "HTTP error 418 - I'm a Teapot"

# ---- the programs ----------------------------------------------------------------------------------


class Downloader(NamedTuple):
    name: str
    style: str
    default: int  # connections, where there are codes enough
    most: int

    def connections(self, codes, wanted=None):
        return min(wanted or self.default, self.most, codes)


_cpus = len(os.sched_getaffinity(0))
FLAGS = [
    Downloader("flags", "sequential", 1, 1),
    Downloader("flags_threadpool", "threads", min(32, _cpus + 4), min(32, _cpus + 4)),
    Downloader("flags_processpool", "processes", _cpus, _cpus),
    Downloader("flags_async", "async", 20, 20),
]
FUTURES = Downloader("flags_threadpool_futures", "threads", 3, 1024)
FLAGS2 = [
    Downloader("flags2_sequential", "sequential", 1, 1),
    Downloader("flags2_threadpool", "threads", 30, 1000),
    Downloader("flags2_async", "async", 5, 1000),
]
EACH = [*FLAGS, *FLAGS2]
DOWNLOADERS = [*FLAGS, FUTURES, *FLAGS2]

SECONDS = r"((?:0|[1-9]\d*)\.\d\d)s"


def plural(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"


# What may have become of a code, in the order of the report, and how that is counted there.
COUNTED = {
    "downloaded": lambda n: f"{plural(n, 'flag')} downloaded.",
    "existing": lambda n: f"{plural(n, 'flag')} already there.",
    "not_found": lambda n: f"{n} not found.",
    "errors": lambda n: f"{plural(n, 'error')}.",
    "left": lambda n: f"{n} left.",
}


def host_of(url):
    return re.match(r"https?://([^/]*)", url)[1]


def head_lines(url, codes, connections, label=None):
    which = ", ".join(codes) if len(codes) <= 10 else f"from {codes[0]} to {codes[-1]}"
    return [f"{label or host_of(url)} site: {url}", f"Searching for {plural(len(codes), 'flag')}: {which}",
            f"{plural(connections, 'concurrent connection')} will be used."]


def count_lines(counts):
    return ["-" * 20, *(line(counts.get(key, 0)) for key, line in COUNTED.items()
                        if counts.get(key, 0) or key == "downloaded")]


def parse_counts(lines):
    """{what: how many} of a report's lines, which the same counts must give again."""
    lines = lines[lines.index("-" * 20):]
    counts = {key: int(line.split()[0]) for line in lines[1:-1]
              for key, counted in COUNTED.items() if re.fullmatch(r"\d+ .*", line)
              and counted(int(line.split()[0])) == line}
    if count_lines(counts) != lines[:-1]:
        raise AssertionError(f"not what a report ends with: {lines}")
    return counts


# ---- the server ------------------------------------------------------------------------------------


@functools.cache
def images():
    """{code: GIF} that the server draws."""
    with tempfile.TemporaryDirectory() as directory:
        result = run("slow_server", f"--export={directory}")
        if result.code != 0:
            raise AssertionError(result.err)
        found = {}
        for code in ALL:
            with open(os.path.join(directory, "flags", code.lower(), f"{code.lower()}.gif"), "rb") as file:
                found[code] = file.read()
        return found


class Server(Running):
    """A slow_server on a free port of the loopback, without delays unless it is told some, or on the port given."""

    def __init__(self, *args, delay=(0, 0), port=0):
        self._out = tempfile.NamedTemporaryFile(prefix="server-")
        self._log = tempfile.NamedTemporaryFile(prefix="requests-")
        super().__init__("slow_server", str(port), f"--min-delay={delay[0]}", f"--max-delay={delay[1]}",
                         f"--log={self._log.name}", *args, stdout=self._out)
        start = wait_for("the server", lambda: self.process.poll() is not None
                         or re.match(r"Serving HTTP on .* port (\d+) .*\n", self._text()))
        if start is True:
            raise AssertionError(f"no server: exit {self.process.returncode}")
        self.port = int(start[1])
        self.url = f"http://127.0.0.1:{self.port}/flags"

    def __exit__(self, kind, *rest):
        try:
            self.signal(signal.SIGTERM)
            code, _, err = self.finish()
            if kind is None and (code, err) != (0, ""):
                raise AssertionError(f"the server ended with {code}: {err}")
        finally:
            super().__exit__(kind, *rest)
            self._out.close()
            self._log.close()

    def _text(self):
        with open(self._out.name) as again:
            return again.read()

    def arrived(self):
        """The codes asked for so far, of a server with delays."""
        return re.findall(r"^(\S+) delay: ", self._text(), re.M)

    def answered(self):
        """Requests answered so far, in the order of their arrival."""
        return sorted(read_log(self._log.name))

    def wait_answered(self, count):
        wait_for(f"{count} answers", lambda: len(self.answered()) >= count)

    def wait_unanswered(self):
        """Until a request waits for its answer, of a server with delays."""
        wait_for("a request", lambda: len(self.arrived()) > len(self.answered()))

    def most_at_once(self):
        """How many requests waited for their answer at the same time."""
        events = sorted(event for request in self.answered()
                        for event in ((request.arrival, 1), (request.arrival + request.delay, -1)))
        return max(itertools.accumulate(change for _, change in events))


# ---- the test case ---------------------------------------------------------------------------------


# Seconds of delay, by style, so that some answers have come when others take long, and none takes for ever.
SLOW = {"sequential": (0.1, 0.5), "processes": (0.1, 0.5), "threads": (0.1, 2), "async": (0.1, 2)}


class Client(Running):
    """A download program at work in the folder `cwd`."""

    def __init__(self, name, *args, cwd, **options):
        self.cwd = cwd
        super().__init__(name, *args, cwd=cwd, **options)

    def read_until(self, pattern):
        """Reads stdout until all of it together matches."""
        def matches():
            return re.search(pattern, self._seen.decode())

        while not matches():
            self._drain(DEADLINE)
            if self.process.poll() is not None and not matches():
                raise AssertionError(f"ended after {self._seen.decode()!r}")


class DownloadTest(CliTest):
    def enter(self, context):
        """Enters it, and leaves it after the test."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return stack.enter_context(context)

    def at_once(self, check, cases):
        """check(*case) for each of the cases, side by side. A program that it starts ends with it."""
        with ThreadPoolExecutor(len(cases)) as pool:
            checks = [(case, pool.submit(check, *case)) for case in cases]
        for case, done in checks:
            with self.subTest(*[getattr(part, "name", part) for part in case[:1]]):
                done.result()

    def folder(self):
        return self.enter(tempfile.TemporaryDirectory(prefix="flags-"))

    def start(self, program, *args, url, cwd=None, **options):
        name = program if isinstance(program, str) else program.name
        return Client(name, f"--base-url={url}", *args, cwd=cwd or self.folder(), **options)

    def download(self, program, *args, url, cwd=None, **options):
        with self.start(program, *args, url=url, cwd=cwd, **options) as client:
            return client.finish()

    def argv(self, program):
        """What side_by_side starts it with."""
        return []

    def side_by_side(self, check, programs, *args, delay=SLOW, server=(), **options):
        """check(program, server, client) for each of the programs, side by side, each with a server of its own.
        `delay` may be {style: delay}."""
        def start_and_check(program):
            with Server(*server, delay=delay[program.style] if isinstance(delay, dict) else delay) as own:
                with self.start(program, *self.argv(program), *args, url=own.url, **options) as client:
                    check(program, own, client)

        self.at_once(start_and_check, [(program,) for program in programs])

    def files(self, cwd, dest="downloaded"):
        """{code: content} of all that is in the folder, and nothing but CC.gif may be there."""
        found = {}
        for name in os.listdir(os.path.join(cwd, dest)):
            self.assertRegex(name, r"\A[A-Z]{2}\.gif\Z")
            path = os.path.join(cwd, dest, name)
            self.assertTrue(stat.S_ISREG(os.lstat(path).st_mode), name)
            with open(path, "rb") as file:
                found[name[:2]] = file.read()
        return found

    def check_files(self, cwd, codes, dest="downloaded"):
        """The images of these codes, whole, and nothing else."""
        found = self.files(cwd, dest)
        self.assertEqual(sorted(found), sorted(codes))
        self.assertEqual([code for code in found if found[code] != images()[code]], [])

    def check_report(self, program, result, url, codes, *, label=None, wanted=None, lines=(), **counts):
        """What flags2 should print, to the character but for the seconds, which are returned. The lines of -v
        come in any order but from the sequential program."""
        head = head_lines(url, codes, program.connections(len(codes), wanted), label)
        *found, last = result.lines()
        verbose = found[3:3 + len(lines)]
        if program.style != "sequential":
            verbose, lines = sorted(verbose), sorted(lines)
        self.assertEqual([*found[:3], *verbose, *found[3 + len(lines):]], [*head, *lines, *count_lines(counts)])
        self.assertTrue(result.out.endswith("\n"))
        self.assertRegex(last, rf"\AElapsed time: {SECONDS}\Z")
        return float(last.split()[-1][:-1])

    def check_first_error(self, program, result, errors, message=r"[A-Z]{2}: .+"):
        """Stderr names the first error of the report, where -v has not."""
        advice = r" \(--verbose shows all\)" if errors > 1 else ""
        self.assertRegex(result.err, rf"\A{program.name}: first error: {message}{advice}\n\Z" if errors else r"\A\Z")

    def check_flags(self, program, out, codes, left=0):
        """What flags should print for these codes, in any order but from the sequential program; the seconds."""
        saved, last = out.partition("\n")[::2]
        found = saved.split(" ")[:-1]
        self.assertEqual(saved, "".join(f"{code} " for code in found))
        self.assertEqual(found if program.style == "sequential" else sorted(found), sorted(codes))
        return self.check_last(last, len(codes), left)

    def check_last(self, text, count, left=0):
        """The last line of flags, or two; the seconds."""
        tail = f"{left} left\\.\n" if left else ""
        last = rf"\A{plural(count, 'flag')} downloaded in {SECONDS}\n{tail}\Z"
        self.assertRegex(text, last)
        return float(re.match(last, text)[1])


@contextlib.contextmanager
def served_without(code, **options):
    """A server that has all images but that one."""
    with tempfile.TemporaryDirectory() as directory:
        run("slow_server", f"--export={directory}")
        os.unlink(os.path.join(directory, "flags", code.lower(), f"{code.lower()}.gif"))
        with Server(f"--directory={directory}", **options) as server:
            yield server
