"""What the command-line tests share: the programs and their expected text, starting them, and looking at
their processes through /proc."""

import ctypes
import faulthandler
import json
import os
import random
import re
import select
import signal
import subprocess
import tempfile
import time
import unittest
import uuid
from typing import NamedTuple

import recorder

# Says where a test that hangs is stuck, before ctest ends it.
faulthandler.dump_traceback_later(50, repeat=True)

BIN = os.path.abspath(os.environ["PRIMEPOOL_BIN"])
recorder.begin(BIN)
OURS = [os.path.realpath(BIN)]  # folders of programs whose processes are looked for

DEADLINE = 60.0  # seconds that a program gets to end by itself, also on a busy machine with sanitizers on
GONE_WITHIN = 1.0  # seconds after which no process of a program that has ended may be left
LIBC = ctypes.CDLL(None)
MARK = "PRIMEPOOL_TEST_MARK"  # environment variable that tells the processes of one run

# Whatever the tests were started with: a background job has SIGINT ignored.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])

_folder = tempfile.TemporaryDirectory(prefix="harness-")
START = os.path.join(_folder.name, "start")
subprocess.run(["cc", "-o", START, os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.c")], check=True)

# ---- numbers ---------------------------------------------------------------------------------------

NUMBERS = {  # the documents' twenty, with the documents' answers
    2: True, 142702110479723: True, 299593572317531: True, 3333333333333301: True, 3333333333333333: False,
    3333335652092209: False, 4444444444444423: True, 4444444444444444: False, 4444444488888889: False,
    5555553133149889: False, 5555555555555503: True, 5555555555555555: False, 6666666666666666: False,
    6666666666666719: True, 6666667141414921: False, 7777777536340681: False, 7777777777777753: True,
    7777777777777777: False, 9999999999999917: True, 9999999999999999: False,
}
MAX = 2**64 - 1

# Microseconds each, of every width up to the widest.
FAST = [0, 1, 2, 3, 4, 9, 25, 97, 7919, 7919**2, 1000003, 2**32 - 5, 2**32 + 1, MAX - 1, MAX]

# Tens or hundreds of milliseconds each.
MEDIUM = [142702110479723, 299593572317531, 3333333333333301, 7777777777777753, 9999999999999917]

# The greatest primes below 2^64: by trial division seconds each, so that they are still being tested
# when a test has done what it wants to do meanwhile. SLOW[0] is the greatest.
SLOW = [2**64 - 59, 2**64 - 83, 2**64 - 95, 2**64 - 179]


def is_prime(n):
    """Strong probable prime tests to the first 12 primes: exact below 3.3e24 (Sorenson and Webster 2015)."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
    if n < 2:
        return False
    if any(n % p == 0 for p in bases):
        return n in bases
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    for base in bases:
        x = pow(base, (n - 1) >> twos, n)
        if x not in (1, n - 1) and all((x := x * x % n) != n - 1 for _ in range(twos - 1)):
            return False
    return True


# What PRIMEPOOL_KERNEL may name, and the processor's features that each needs.
KERNELS = {"portable": set(), "avx2": {"avx2"},
           "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512ifma"}}


def machine_has_kernel(kernel):
    if "PRIMEPOOL_EMULATED" in os.environ:  # another machine's programs, and an emulator has no such features
        return not KERNELS[kernel]
    with open("/proc/cpuinfo") as file:
        features = {word for line in file if line.startswith("flags") for word in line.split()}
    return KERNELS[kernel] <= features


def seeded_random():
    """A generator whose seed is printed, and taken from CF_TEST_SEED."""
    seed = os.environ.get("CF_TEST_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"CF_TEST_SEED={seed}", flush=True)
    return random.Random(seed)


def scaled(count):
    return max(1, round(count * float(os.environ.get("CF_TEST_MULT") or 1)))


# ---- programs --------------------------------------------------------------------------------------


class Program(NamedTuple):
    name: str
    unit: tuple  # of the header, singular and plural; None without workers
    kind: str  # of executor
    order: str  # in which results are collected without --order
    descending: bool  # how numbers are submitted
    counts: bool  # the last line counts the checks that were done

    def argv(self, workers):
        return [] if self.unit is None else [str(workers)]

    def header(self, count, workers):
        numbers = f"Checking {count} number{'' if count == 1 else 's'}"
        if self.unit is None:
            return f"{numbers} sequentially:"
        return f"{numbers} with {workers} {self.unit[workers != 1]}:"

    def last_line(self, count):
        """A regular expression for the last line, its one group the seconds."""
        seconds = r"((?:0|[1-9]\d*)\.\d\d)s"
        checks = f"{count} check{'' if count == 1 else 's'}"
        return f"{checks} in {seconds}" if self.counts else f"Total time: {seconds}"


THREADS = ("thread", "threads")
PROCESSES = ("process", "processes")
SEQUENTIAL = Program("sequential", None, "serial", "map", False, False)
POOLS = [
    Program("threads", THREADS, "thread_pool", "completed", False, True),
    Program("procs", PROCESSES, "process_pool", "completed", False, True),
    Program("thread_pool", THREADS, "thread_pool", "map", True, False),
    Program("proc_pool", PROCESSES, "process_pool", "map", True, False),
]
HAS_OPENMP = os.path.exists(os.path.join(BIN, "openmp_pool"))  # else the build lacks it
if HAS_OPENMP:
    POOLS.append(Program("openmp_pool", ("OpenMP thread", "OpenMP threads"), "openmp", "map", True, False))
HAS_MPI = os.path.exists(os.path.join(BIN, "mpi_pool"))
PROGRAMS = [SEQUENTIAL, *POOLS]
PROC_POOL = POOLS[3]

REASON = r"killed by signal \d+ \(SIG[A-Z0-9+]+\)|exited with status \d+|timed out after [0-9.]+s|error: .+"


class Line(NamedTuple):
    n: int
    prime: object  # True or False; None where the check failed
    elapsed: float
    reason: str


def parse_line(text):
    """One result line, refused unless printing its values again gives the same characters."""
    if match := re.fullmatch(r" *(\d+)  ([P ]) +(\d+\.\d{6})s", text):
        line = Line(int(match[1]), match[2] == "P", float(match[3]), "")
        again = f"{line.n:16d}  {match[2]} {line.elapsed:9.6f}s"
    elif match := re.fullmatch(rf" *(\d+)  ! ({REASON})", text):
        line = Line(int(match[1]), None, 0.0, match[2])
        again = f"{line.n:16d}  ! {line.reason}"
    else:
        raise AssertionError(f"not a result line: {text!r}")
    if again != text:
        raise AssertionError(f"{text!r} should be {again!r}")
    return line


# ---- running them ----------------------------------------------------------------------------------


class Result(NamedTuple):
    code: int  # negative: the signal that ended it
    out: str
    err: str

    def lines(self):
        return self.out.splitlines()


class Running:
    """A program that has been started, in a session of its own; leaving the context ends it."""

    def __init__(self, name, *args, stdin=None, stdout=subprocess.PIPE, prepare=None, user=None, env=None,
                 cwd=None):
        self.mark = uuid.uuid4().hex
        self._stderr = tempfile.TemporaryFile()
        self._seen = b""  # all that was read of stdout
        self._handed = 0  # how much of it readline has returned
        self._closed = False  # stdout, by all who had it
        reader, writer = os.pipe()
        os.write(writer, stdin or b"")  # short enough for a pipe to hold
        os.close(writer)
        try:
            self.process = subprocess.Popen(
                [START, os.path.join(BIN, name), *args], stdin=reader, stdout=stdout, stderr=self._stderr, bufsize=0,
                env={**os.environ, **(env or {}), MARK: self.mark}, user=user, start_new_session=True,
                preexec_fn=prepare, cwd=cwd)
        finally:
            os.close(reader)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in marked(self.mark):
            kill(pid, signal.SIGKILL)
        self.process.wait()
        self._stderr.close()
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self, until):
        """More of stdout, b"" at its end."""
        stdout = self.process.stdout
        if not select.select([stdout], [], [], max(0, until - time.monotonic()))[0]:
            raise AssertionError(f"stdout is silent but not closed; so far {self._seen.decode()!r}")
        data = os.read(stdout.fileno(), 65536)
        self._seen += data
        return data

    def _drain(self, seconds):
        """Takes what is on stdout, so that nothing waits for room in the pipe; waits for it so long at most."""
        stdout = self.process.stdout
        if stdout and not self._closed and select.select([stdout], [], [], seconds)[0]:
            data = os.read(stdout.fileno(), 65536)
            self._seen += data
            self._closed = not data
        elif self._closed:
            time.sleep(0.002)  # it ends soon, mostly
        elif not stdout:
            time.sleep(seconds)

    def readline(self):
        """The next line of stdout, as soon as it is there."""
        until = time.monotonic() + DEADLINE
        while b"\n" not in self._seen[self._handed:]:
            if not self._read(until):
                raise AssertionError(f"stdout ended after {self._seen.decode()!r}")
        end = self._seen.index(b"\n", self._handed)
        line = self._seen[self._handed:end].decode()
        self._handed = end + 1
        return line

    def read_ahead(self):
        """What came together with the last line that readline returned."""
        return self._seen[self._handed:].decode()

    def finish(self, within=DEADLINE):
        """Waits for the end, and for the end of all its processes."""
        until = time.monotonic() + within
        while self.process.poll() is None:
            if time.monotonic() > until:
                raise AssertionError(f"{self.process.args} still runs after {within} s")
            self._drain(0.01)
        self.check_gone()
        if self.process.stdout:
            while self._read(time.monotonic() + GONE_WITHIN):
                pass
        self._stderr.seek(0)
        err = self._stderr.read().decode()
        if re.search("Sanitizer|runtime error", err):
            raise AssertionError(err)
        return Result(self.process.returncode, self._seen.decode(), err)

    def check_gone(self):
        """Within a second of its end no process of the program is left."""
        until = time.monotonic() + GONE_WITHIN
        while left := marked(self.mark):
            if time.monotonic() > until:
                raise AssertionError(f"{self.process.args} left processes behind: {left}")
            time.sleep(0.01)

    def signal(self, number):
        os.kill(self.pid, number)

    def signal_group(self, number):
        os.killpg(self.pid, number)

    def nursery(self):
        """The process pool's nursery: the program's only child."""
        return wait_for("a nursery", lambda: children(self.pid))[0]

    def workers(self, count):
        """The worker processes, when there are `count` of them."""
        nursery = self.nursery()
        return wait_for(f"{count} workers", lambda: len(pids := children(nursery)) == count and pids)

    def busy_worker(self, count):
        """One of `count` workers, in the middle of a test: its start took it far less processor time."""
        def computes(pid):
            return state(pid) == "R" and computed(pid) >= 3

        return wait_for("a busy worker", lambda: next(filter(computes, self.workers(count)), None))

    def only_busy(self, ids):
        """The one of ids() that computes, once it has long been the only one: the others have nothing to do."""
        last, since = None, 0

        def settled():
            nonlocal last, since
            busy = [i for i in ids() if state(*i) == "R"]
            if len(busy) != 1 or busy != last:
                last, since = busy, time.monotonic()
            return time.monotonic() - since > 0.2 and last[0]

        return wait_for("one busy worker", settled)

    def only_busy_process(self):
        return self.only_busy(lambda: [(pid,) for pid in marked(self.mark)])[0]

    def only_busy_thread(self):
        return self.only_busy(lambda: [(self.pid, int(tid)) for tid in os.listdir(f"/proc/{self.pid}/task")])


def run(name, *args, **options):
    with Running(name, *args, **options) as running:
        return running.finish()


# ---- /proc -----------------------------------------------------------------------------------------


def wait_for(what, condition, within=DEADLINE):
    """Polls until condition() is true, and returns what it gave."""
    until = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"waited for {what} in vain")
        time.sleep(0.005)
    return value


def read_proc(path):
    """The content, b"" if that process or thread is gone or not ours to look at."""
    try:
        with open(f"/proc/{path}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def stat(*ids):
    """[state, parent, ...] of a process (pid) or a thread (pid, tid); None if it is gone."""
    path = f"{ids[0]}/stat" if len(ids) == 1 else f"{ids[0]}/task/{ids[1]}/stat"
    text = read_proc(path).decode()
    return text[text.rindex(")") + 2:].split() if text else None


def state(*ids):
    fields = stat(*ids)
    return fields[0] if fields else "X"


def computed(pid):
    """Hundredths of a second that the threads of a process have computed so far."""
    fields = stat(pid)
    return int(fields[11]) if fields else 0


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(parent):
    """Live children; a zombie is none."""
    return [pid for pid in pids() if (fields := stat(pid)) and fields[0] not in "ZX" and fields[1] == str(parent)]


def is_ours(pid):
    """Whether it runs one of the programs; a zombie runs none."""
    try:
        return os.path.dirname(os.readlink(f"/proc/{pid}/exe")) in OURS
    except OSError:
        return False


def marked(mark):
    """Live processes started with that mark, whoever their parent is now."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in pids() if is_ours(pid) and wanted in read_proc(f"{pid}/environ").split(b"\0")]


def signal_mask(pid, field):
    """The signals of one mask of /proc/PID/status, empty if the process is gone."""
    match = re.search(rf"^{field}:\s*([0-9a-f]+)$", read_proc(f"{pid}/status").decode(), re.M)
    bits = int(match[1], 16) if match else 0
    return {number for number in range(1, 65) if bits >> (number - 1) & 1}


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# ---- the test case ---------------------------------------------------------------------------------


class CliTest(unittest.TestCase):
    maxDiff = None

    def write(self, content):
        """A temporary file with that content; numbers are written one a line."""
        if not isinstance(content, bytes):
            content = "".join(f"{n}\n" for n in content).encode()
        file = tempfile.NamedTemporaryFile(prefix="numbers-")
        self.addCleanup(file.close)
        file.write(content)
        file.flush()
        return file.name

    def check_collected(self, program, lines, order=None):
        """Valid result lines, no number wrong, in the program's order; returns them."""
        results = [parse_line(line) for line in lines]
        for result in results:
            if result.prime is not None:
                self.assertEqual(result.prime, is_prime(result.n), result.n)
        found = [result.n for result in results]
        if (order or program.order) == "map":
            self.assertEqual(found, sorted(found, reverse=program.descending))
        return results

    def check_report(self, program, lines, numbers, workers, order=None):
        """Header, one line for each number, last line, and nothing else; returns the results."""
        self.assertEqual(lines[:1], [program.header(len(numbers), workers)])
        results = self.check_collected(program, lines[1:-1], order)
        self.assertEqual(sorted(result.n for result in results), sorted(numbers))
        last = program.last_line(sum(result.prime is not None for result in results))
        self.assertRegex(lines[-1], rf"\A{last}\Z")
        total = float(re.fullmatch(last, lines[-1])[1])
        self.assertGreaterEqual(total + 0.006, max((result.elapsed for result in results), default=0))
        return results

    def check_success(self, program, result, numbers, workers, order=None):
        """Exit 0, nothing on stderr, every number checked."""
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertTrue(result.out.endswith("\n"))
        results = self.check_report(program, result.lines(), numbers, workers, order)
        self.assertNotIn(None, [line.prime for line in results])

    def check_failure(self, program, result, code, message):
        """That exit code, nothing on stdout, and stderr beginning with a line that matches."""
        self.assertEqual((result.code, result.out), (code, ""), result.err)
        first = result.err.partition("\n")[0]
        self.assertRegex(first, rf"\A{program.name}: {message}")


def parse_json_lines(out):
    return [json.loads(line) for line in out.splitlines()]
