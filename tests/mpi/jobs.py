"""What the tests of MPI share: jobs that are started with mpirun, their ranks, and the ledger in which tasks note that
they run (job.h)."""

import ctypes
import faulthandler
import mmap
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import harness  # noqa: E402
from harness import kill, read_proc, seeded_random, stat, state, wait_for  # noqa: E402,F401

faulthandler.cancel_dump_traceback_later()
faulthandler.dump_traceback_later(200, repeat=True)

MPIRUN = os.environ["PRIMEPOOL_MPIRUN"]
TESTS = os.environ["PRIMEPOOL_MPI_TESTS"]
FOREIGN = os.environ["PRIMEPOOL_MPI_FOREIGN"]
NIGHTLY = "PRIMEPOOL_NIGHTLY" in os.environ
POOL = os.path.join(harness.BIN, "mpi_pool")
JOB = os.path.join(TESTS, "mpi_job")
OTHER_JOB = os.path.join(TESTS, "mpi_job_other")
MPI_POOL = harness.Program("mpi_pool", ("MPI rank", "MPI ranks"), "mpi", "map", True, False)
IS_OPEN_MPI = "mpich" not in os.path.basename(MPIRUN)

# Where programs lie that a job starts: ours, and mpirun with its helpers.
harness.OURS += [os.path.realpath(TESTS), os.path.dirname(os.path.realpath(MPIRUN))]
harness.GONE_WITHIN = 2.0  # as cfutures_mpi.h says

RANK = re.compile(rb"\0(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)\0")


def mpirun_options(recovery):
    if not IS_OPEN_MPI:
        return ["-disable-auto-cleanup"] if recovery else []
    options = ["--oversubscribe", "--allow-run-as-root", "--mca", "orte_base_help_aggregate", "0"]
    return options + (["--enable-recovery"] if recovery else [])


def nightly(*some, then):
    """What a loop goes through: some of the cases in every run of the tests, nightly the others too."""
    return (*some, *then) if NIGHTLY else some


only_nightly = unittest.skipUnless(NIGHTLY, "nightly")


class Ledger:
    """struct ledger of job.h."""

    BEGUN, ENDED, GATE, REACHED = range(4)
    SYS_FUTEX = {"x86_64": 202, "aarch64": 98}.get(os.uname().machine)

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="ledger-")
        self.size = 4 * (4 + (1 << 18))
        os.ftruncate(self.file.fileno(), self.size)
        self.map = mmap.mmap(self.file.fileno(), self.size)

    def close(self):
        self.file.close()

    def __getitem__(self, word):
        return struct.unpack_from("=I", self.map, 4 * word)[0]

    def runs(self, count):
        """How often each of the first `count` tasks has begun."""
        return struct.unpack_from(f"={count}I", self.map, 16)

    def open(self, value=1):
        """Opens the gate, and wakes who waits there."""
        struct.pack_into("=I", self.map, 4 * self.GATE, value)
        word = ctypes.c_uint32.from_buffer(self.map, 4 * self.GATE)
        harness.LIBC.syscall(self.SYS_FUTEX, ctypes.byref(word), 1, 2**31 - 1, None, None, 0)
        del word

    def wait(self, word, at_least):
        wait_for(f"word {word} of the ledger to be {at_least}", lambda: self[word] >= at_least)


class Job(harness.Running):
    """An MPI job under way. arguments: the program and its own; or `parts`, with mpirun's ":" between them: number of
    ranks, program and arguments. options: mpirun's. before: a command that starts mpirun."""

    def __init__(self, ranks, *arguments, recovery=False, stdin=None, env=None, parts=None, options=(), before=()):
        self.ledger = Ledger()
        self.ranks = ranks
        line = []
        for count, part in parts or [(ranks, arguments)]:
            line += ([":"] if line else []) + ["-n", str(count), *part]
        self.recovery = recovery
        command = [*before, MPIRUN, *mpirun_options(recovery), *options, *line]
        super().__init__(shutil.which(command[0]), *command[1:], stdin=stdin,
                         env={"CF_TEST_LEDGER": self.ledger.file.name, **(env or {})})

    def __exit__(self, *exception):
        if exception[0] is not None:
            for pid in harness.marked(self.mark):
                print(f"left: {pid} {read_proc(f'{pid}/cmdline')} {state(pid)}")
            self._stderr.seek(0)
            print(self._seen.decode(), self._stderr.read().decode(), sep="\n", flush=True)
        super().__exit__(*exception)
        self.ledger.close()

    def pids(self):
        """{rank: process number}, of the ranks themselves: their pools' processes have a rank for a parent."""
        found = {}
        for pid in harness.marked(self.mark):
            match = RANK.search(b"\0" + read_proc(f"{pid}/environ"))
            if match:
                found[pid] = int(match[1])
        return {rank: pid for pid, rank in found.items()
                if (fields := stat(pid)) and int(fields[1]) not in found}

    def rank_pids(self):
        """The same, when all ranks are there."""
        return wait_for("all ranks", lambda: len(pids := self.pids()) == self.ranks and pids)

    def pid_of(self, rank):
        return self.rank_pids()[rank]

    def kill_rank(self, rank, number=signal.SIGKILL):
        pid = self.pid_of(rank)
        kill(pid, number)
        return pid

    def stderr_so_far(self):
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode()


def run_job(ranks, *arguments, **options):
    with Job(ranks, *arguments, **options) as job:
        return job.finish()


class MpiTest(harness.CliTest):
    def setUp(self):
        self.begun = time.monotonic()

    def tearDown(self):
        print(f"{self.id().split('.', 1)[1]}: {time.monotonic() - self.begun:.2f} s", flush=True)

    def check_silent_success(self, result):
        self.assertEqual((result.code, result.err), (0, ""), result.out)
        self.assertNotIn("not so", result.out)

    def check_case(self, ranks, case, *options, **more):
        """A case of mpi_job that has nothing to complain of; returns what it has printed."""
        result = run_job(ranks, JOB, case, *options, **more)
        self.check_silent_success(result)
        return result.lines()

    def check_work(self, result, tasks, items=0):
        """Of mpi_job work: all tasks have come to their right end."""
        lines = result.lines()
        self.assertEqual(lines[:1], [f"tasks: {tasks} right, 0 not"], result)
        self.assertEqual(lines[1:], [f"map: {items} right"] if items else [], result)
        self.assertEqual(result.code, 0, result)
