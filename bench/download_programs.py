"""Runs the download programs and their peers; believes no run that did not fetch what it should."""

import collections
import contextlib
import dataclasses
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import processes
from command_line import ROOT
from engine import BenchError
from servers import Nginx, NginxWithTls, SlowServer, most_at_once

PEER = pathlib.Path(__file__).parent / "peers" / "cpython_downloads.py"
CODES = ROOT / "data" / "country_codes.txt"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
POP20 = "BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN".split()

# Which codes a case asks for: their number, which is what the tables say.
POP, ALL, EVERY = 20, 194, 676

FLAGS = ("flags", "flags_threadpool", "flags_processpool", "flags_async")
FLAGS2 = ("flags2_sequential", "flags2_threadpool", "flags2_async")
CURLS = {"curl": [], "curl -Z": ["-Z"],
         "curl -Z --parallel-immediate": ["-Z", "--parallel-immediate"]}
ARIA2 = "aria2c"
CPYTHON = {"cpython_sequential": "sequential", "cpython_threads": "threads",
           "cpython_processes": "processes", "cpython_asyncio": "asyncio"}
CPYTHON_TITLES = {"cpython_sequential": "CPython, one after the other",
                  "cpython_threads": "CPython, threads", "cpython_processes": "CPython, processes",
                  "cpython_asyncio": "CPython, asyncio"}
NGINX, TLS, SLOW = "nginx", "nginx with TLS 1.3", "slow_server"
WEIGHED = 3  # runs of a case whose memory is looked at
NEEDED = (*FLAGS, *FLAGS2, "slow_server")


@dataclasses.dataclass(frozen=True)
class Case:
    program: str
    codes: int
    at_once: int = 0  # 0: the program's own choice
    server: str = SLOW
    min_delay: float = 0
    max_delay: float = 0
    error_rate: float = 0

    @property
    def is_told(self):
        """Whether the server's log is asked for: then it serves this one run."""
        return self.max_delay > 0 or self.error_rate > 0

    @property
    def title(self):
        """What runs, without what it runs against."""
        name = CPYTHON_TITLES.get(self.program, self.program)
        if self.at_once > 1:
            name += (f" -m {self.at_once}" if self.program in FLAGS2 else
                     f" --parallel-max {self.at_once}" if self.program in CURLS else
                     f" -j {self.at_once}" if self.program == ARIA2 else
                     f" ({self.at_once})")
        return name

    def __str__(self):
        delays = f"{self.min_delay:g} to {self.max_delay:g} s" if self.max_delay > 0 else ""
        errors = f"{self.error_rate:.0%} errors" if self.error_rate > 0 else ""
        return ", ".join(filter(None, [f"{self.title}: {self.codes} from {self.server}", delays,
                                       errors]))


class DownloadPrograms:
    """Our programs in one folder; the servers that they need, while a `with` block lasts."""

    def __init__(self, folder, scratch, seed):
        self.folder, self.parent, self.seed = folder.resolve(), scratch.resolve(), seed
        self.scratch = self.tree = self.into = None  # folders, while the block lasts
        self.images = {}    # by code, as they should be
        self.standing = {}  # the servers without delays, which stay
        self.counts = {}    # by what was asked for: what came of it, from the first run
        self.weighed = collections.Counter()  # runs of a case whose memory was looked at
        self.open = contextlib.ExitStack()
        lacking = [name for name in NEEDED if not (self.folder / name).exists()]
        if lacking:
            raise BenchError(f"not in {self.folder}: {', '.join(lacking)}")

    def __enter__(self):
        self.parent.mkdir(parents=True, exist_ok=True)
        self.scratch = pathlib.Path(self.open.enter_context(
            tempfile.TemporaryDirectory(prefix="downloads-", dir=self.parent)))
        self.tree, self.into = self.scratch / "tree", self.scratch / "downloaded"
        try:
            self.export()
        except BaseException:
            self.open.close()
            raise
        return self

    def __exit__(self, *_):
        self.open.close()

    def path(self, program):
        return self.folder / program

    def export(self):
        """The images as files: for nginx, and to compare with what is fetched."""
        done = subprocess.run([self.path("slow_server"), f"--export={self.tree}"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            raise BenchError(f"slow_server --export: exit code {done.returncode}")
        self.images = {code: (self.tree / "flags" / f"{code}/{code}.gif".lower()).read_bytes()
                       for code in codes_of(ALL)}

    # ---- one run

    def run(self, case):
        if not case.is_told:
            return self.run_on(case, self.standing_server(case.server))
        with self.slow_server(case) as server:
            return self.run_on(case, server)

    def run_on(self, case, server):
        self.empty()
        command, stdin = self.command(case, server.base_url)
        run = processes.timed(case, command, self.scratch, stdin, environment(),
                              allowed=(0, 1) if case.error_rate > 0 else (0,))
        figures = {"wall": run.wall, "cpu": run.cpu}
        requests = server.requests() if case.is_told else None
        if requests is not None:
            figures["delays"] = [request.delay for request in requests]
            figures["at_once"] = most_at_once(requests)
        self.check(case, run.output, requests, figures)
        if not case.is_told and self.weighed[case] < WEIGHED:
            self.weighed[case] += 1
            self.empty()
            figures["memory"] = processes.greatest_memory(case, command, self.scratch, stdin,
                                                          environment())
        return figures

    def empty(self):
        shutil.rmtree(self.into, ignore_errors=True)
        self.into.mkdir()

    def standing_server(self, name):
        if name not in self.standing:
            folder = self.scratch / name
            server = (SlowServer(folder, self.path("slow_server"),
                                 ["--min-delay=0", "--max-delay=0"]) if name == SLOW else
                      {NGINX: Nginx, TLS: NginxWithTls}[name](folder, self.tree))
            self.standing[name] = self.open.enter_context(server)
        return self.standing[name]

    def slow_server(self, case):
        """With the same seed for all, so with the same delays and errors for the same codes."""
        return SlowServer(self.scratch / "told", self.path("slow_server"),
                          [f"--seed={self.seed}", f"--min-delay={case.min_delay}",
                           f"--max-delay={case.max_delay}", f"--error-rate={case.error_rate}"])

    def command(self, case, base_url):
        """The command and what it reads."""
        if case.program in CURLS:
            return self.curl(case, base_url), ""
        if case.program == ARIA2:
            return self.aria2(case, base_url), ""
        if case.program in CPYTHON:
            at_once = case.at_once or case.codes
            return ([peer_python(), "-B", str(PEER), CPYTHON[case.program], str(at_once), base_url,
                     str(self.into)], "\n".join(codes_of(case.codes)))
        command = [str(self.path(case.program)), f"--base-url={base_url}", f"--dest={self.into}"]
        if case.program in FLAGS2:
            command += {POP: [], ALL: ["--all"], EVERY: ["--every"]}[case.codes]
            command += [f"--max-req={case.at_once}"] if case.at_once else []
        return command, ""

    def curl(self, case, base_url):
        """A file has the addresses, the same for all of curl's ways; the user's own is not read."""
        addresses = self.scratch / "addresses"
        lines = [f'url = "{base_url}/{code.lower()}/{code.lower()}.gif"\noutput = "{code}.gif"\n'
                 for code in codes_of(case.codes)]
        addresses.write_text("".join(lines), encoding="ascii")
        parallel = [*CURLS[case.program], "--parallel-max", str(case.at_once)]
        return ["curl", "-q", "-sSf", "--no-progress-meter",
                *(parallel if case.at_once > 1 else []), "--output-dir", str(self.into),
                "-K", str(addresses)]

    def aria2(self, case, base_url):
        addresses = self.scratch / "addresses"
        lines = [f"{base_url}/{code.lower()}/{code.lower()}.gif\n  out={code}.gif\n"
                 for code in codes_of(case.codes)]
        addresses.write_text("".join(lines), encoding="ascii")
        return [ARIA2, "--no-conf", "--quiet", "--file-allocation=none", "--max-connection-per-server=1",
                f"--max-concurrent-downloads={case.at_once}", f"--dir={self.into}",
                f"--input-file={addresses}"]

    # ---- is it what it should be?

    def check(self, case, output, requests, figures):
        expected = set(codes_of(case.codes)) & set(self.images)
        if case.error_rate > 0:
            expected = {request.code for request in requests if request.status == 200}
        found = {path.name: path for path in self.into.iterdir()}
        wrong = [name for name in found if name[:-len(".gif")] not in expected]
        wrong += [code for code in sorted(expected) if f"{code}.gif" not in found or
                  found[f"{code}.gif"].read_bytes() != self.images[code]]
        if wrong:
            raise BenchError(f"{case}: not there, not whole or too much: {', '.join(wrong[:10])}")
        told = counts_told(case, output)
        if told["downloaded"] != len(expected):
            raise BenchError(f"{case}: tells of {told['downloaded']} flags, and there are "
                             f"{len(expected)}")
        if requests is not None:
            self.check_requests(case, requests, told)
            figures.update(told)

    def check_requests(self, case, requests, told):
        statuses = [request.status for request in requests]
        if sorted(request.code for request in requests) != codes_of(case.codes):
            raise BenchError(f"{case}: the server was asked {len(requests)} times, and not once "
                             f"for each of {case.codes} codes")
        logged = {"downloaded": statuses.count(200), "not_found": statuses.count(404)}
        logged["errors"] = len(statuses) - sum(logged.values())
        expected = self.counts.setdefault((case.codes, case.error_rate), logged)
        for whose, counts in (("the server's log", logged), ("another run", expected)):
            if told != counts:
                raise BenchError(f"{case}: tells of {told}, and {whose} of {counts}")


def counts_told(case, output):
    """What a program's report says; curl and aria2c say nothing unless something is wrong.

    >>> counts_told(None, "2 flags downloaded.\\n482 not found.\\n1 error.\\n")
    {'downloaded': 2, 'not_found': 482, 'errors': 1}
    """
    if case and case.program in (*CURLS, ARIA2):
        return {"downloaded": case.codes, "not_found": 0, "errors": 0}
    if case and case.program in CPYTHON:
        output += " flags downloaded"
    patterns = {"downloaded": r"^(\d+)\s+flags? downloaded", "not_found": r"^(\d+) not found\.$",
                "errors": r"^(\d+) errors?\.$"}
    found = {name: re.search(pattern, output, re.MULTILINE) for name, pattern in patterns.items()}
    return {name: int(match[1]) if match else 0 for name, match in found.items()}


def codes_of(number):
    """
    >>> codes_of(POP)[:3], len(codes_of(ALL)), codes_of(EVERY)[-1]
    (['BD', 'BR', 'CD'], 194, 'ZZ')
    """
    if number == POP:
        return POP20
    if number == ALL:
        return [line.strip() for line in CODES.read_text(encoding="ascii").splitlines()
                if line.strip() and not line.startswith("#")]
    return [first + second for first in LETTERS for second in LETTERS]


def environment():
    """Without proxies: nothing shall go anywhere but to loopback."""
    return {name: value for name, value in os.environ.items()
            if not name.lower().endswith("_proxy")}


@functools.cache
def peer_python():
    """The first Python that has httpx, if any: Debian's package is for Debian's Python alone."""
    return next((path for path in (sys.executable, "/usr/bin/python3") if versions_of(path)), None)


@functools.cache
def versions_of(python):
    """Of httpx and of Python itself; none where there is no httpx."""
    probe = "import httpx, platform; print('httpx', httpx.__version__, 'on CPython', " \
            "platform.python_version())"
    return said_by([python, "-c", probe])


def said_by(command):
    """The first line, of stdout or else of stderr; none where the command fails."""
    try:
        done = subprocess.run(command, check=False, text=True, stdin=subprocess.DEVNULL,
                              capture_output=True)
    except OSError:
        return None
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None
