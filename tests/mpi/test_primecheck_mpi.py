"""primecheck -e mpi, started by mpirun and alone: rank 0 reads and prints, the other ranks check.

Environment: PRIMEPOOL_BIN, and PRIMEPOOL_MPIRUN, the program that starts MPI jobs (mpirun)."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "cli"))
from harness import (BIN, DEADLINE, SLOW, CliTest, Running, children, is_prime, kill, parse_json_lines, run,  # noqa: E402
                     scaled, seeded_random, wait_for)

MPIRUN = os.environ["PRIMEPOOL_MPIRUN"]
VERSION = subprocess.run([MPIRUN, "--version"], capture_output=True, text=True, check=True).stdout
IS_OPEN_MPI = any(name in VERSION for name in ("Open MPI", "OpenRTE", "PRRTE"))
PRIMECHECK = os.path.join(BIN, "primecheck")

# More ranks than processors, also as root. MPICH needs no word for either.
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
OPTIONS = ["--oversubscribe", "--bind-to", "none"] if IS_OPEN_MPI else []

RANKS = 3


def job(*args, ranks=RANKS):
    """The command line of primecheck -e mpi on so many ranks."""
    return [MPIRUN, *OPTIONS, "-n", str(ranks), PRIMECHECK, *args]


def start(*args, ranks=RANKS, **options):
    return Running(*job(*args, ranks=ranks), env=ENVIRONMENT, **options)


def check(*args, ranks=RANKS, **options):
    with start(*args, ranks=ranks, **options) as running:
        return running.finish()


def messages(result):
    """What primecheck said on stderr: mpirun says more."""
    return [line for line in result.err.splitlines() if line.startswith("primecheck: ")]


class Answers(CliTest):
    """The same bytes as on threads."""

    @classmethod
    def setUpClass(cls):
        generator = seeded_random()
        cls.folder = tempfile.TemporaryDirectory(prefix="primecheck-mpi-")
        cls.file = os.path.join(cls.folder.name, "numbers")
        with open(cls.file, "w") as file:
            for _ in range(scaled(200_000)):
                file.write(f"{generator.getrandbits(generator.choice((8, 31, 33, 52, 64))) | 1}\n")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def output(self, command, stdin=None, **options):
        """Of the numbers from standard input, which is the file, or a pipe. Open MPI 4.1's mpirun itself may crash
        while it hands its input on (orte_iof_hnp_read_local_handler): then once more. A rank that crashes ends mpirun
        with an exit code."""
        for _ in range(3):
            result = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, timeout=DEADLINE, check=False,
                                    env={**os.environ, **ENVIRONMENT}, **options)
            if result.returncode != -signal.SIGSEGV:
                break
            if hasattr(stdin, "seek"):
                stdin.seek(0)
        result.check_returncode()
        return result.stdout

    def check_same(self, *args, sort=False):
        with open(self.file) as file:
            expected = self.output([PRIMECHECK, "-e", "threads", *args], stdin=file)
        # MPICH's mpirun (4.0) ends if it has to hand on more than a pipe holds, whatever the program.
        args += () if IS_OPEN_MPI else (f"--file={self.file}",)
        with open(self.file) as file:
            found = self.output(job("-e", "mpi", *args), stdin=file if IS_OPEN_MPI else subprocess.DEVNULL)
        if sort:
            self.assertEqual(sorted(found.split()), sorted(expected.split()))
        else:
            self.assertTrue(found == expected, f"{len(found)} bytes, expected {len(expected)}")
        self.assertTrue(expected)

    def test_all(self):
        self.check_same()

    @unittest.skipUnless(os.environ.get("PRIMEPOOL_NIGHTLY"), "nightly")
    def test_primes(self):
        self.check_same("--only=primes")

    @unittest.skipUnless(os.environ.get("PRIMEPOOL_NIGHTLY"), "nightly")
    def test_composites_from_a_file(self):
        self.check_same("--only=composites", f"--file={self.file}")

    def test_counts(self):
        self.check_same("--count")

    def test_as_completed(self):
        self.check_same("--only=primes", "--order=completed", sort=True)

    @unittest.skipUnless(IS_OPEN_MPI, "see check_same")
    def test_standard_input_is_a_pipe(self):
        with open(self.file, "rb") as file:
            text = file.read(10**6)
        self.assertEqual(self.output(job("-e", "mpi", "-c"), input=text),
                         self.output([PRIMECHECK, "-c"], input=text))


class Programs(CliTest):
    WORDS = ["7", "8", "0x1F", "18446744073709551557"]
    LINES = ["7 prime", "8 composite", "0x1F prime", "18446744073709551557 prime"]

    def test_alone(self):
        """Without mpirun the one process works itself."""
        result = run("primecheck", "-e", "mpi", *self.WORDS, env=ENVIRONMENT)
        self.assertEqual((result.code, result.lines(), result.err), (0, self.LINES, ""))

    def test_one_rank(self):
        result = check("-e", "mpi", *self.WORDS, ranks=1)
        self.assertEqual((result.code, result.lines()), (0, self.LINES))

    def test_workers(self):
        """-w is the number of workers in all ranks."""
        result = check("-e", "mpi", "-w", "3", "--json", *self.WORDS)
        self.assertEqual(result.code, 0)
        *lines, last = parse_json_lines(result.out)
        self.assertEqual([line["prime"] for line in lines], [True, False, True, True])
        self.assertEqual((last["summary"]["executor"], last["summary"]["workers"]), ("mpi", 3))

    def test_range(self):
        result = check("-e", "mpi", "--count", "--range=1..1000000")
        self.assertEqual((result.code, result.lines()), (0, ["primes: 78498"]))

    def test_not_a_number(self):
        result = check("-e", "mpi", stdin=b"5\nx\n7\n")
        self.assertEqual((result.code, result.lines()), (1, ["5 prime", "7 prime"]))
        self.assertEqual(messages(result), ["primecheck: -:2: 'x' is not a non-negative integer"])


class Once(CliTest):
    """Rank 0 alone says what is wrong, and ends with the same code as without mpirun."""

    def check_once(self, *args, code):
        alone = run("primecheck", *args, env=ENVIRONMENT)
        result = check(*args)
        self.assertEqual((result.code, result.out), (code, alone.out))
        self.assertEqual(alone.code, code)
        self.assertEqual(messages(result), messages(alone))
        return result

    def test_usage_errors(self):
        for args in (["-e", "mpi", "--bogus"], ["--order=x", "-empi"], ["--executor=mpi", "-w", "0"]):
            with self.subTest(args=args):
                self.assertEqual(len(messages(self.check_once(*args, code=2))), 1)

    def test_help_and_version(self):
        for args in (["-e", "mpi", "--help"], ["-e", "mpi", "--version"], ["-e", "mpi", "--usage"]):
            with self.subTest(args=args):
                self.assertTrue(self.check_once(*args, code=0).out)

    def test_missing_file(self):
        result = self.check_once("-e", "mpi", "-f", "/nonexistent/numbers", code=3)
        self.assertEqual(messages(result), ["primecheck: /nonexistent/numbers: No such file or directory"])

    def test_other_executors_speak(self):
        """A process that is no rank of its own job, but has such a job's environment, keeps its exit code."""
        result = run("primecheck", "--bogus", env={"OMPI_COMM_WORLD_RANK": "1", "PMI_RANK": "1"})
        self.assertEqual(result.code, 2)
        self.assertEqual(len(messages(result)), 1)


class Endings(CliTest):
    def ranks(self, running):
        """The processes of primecheck that mpirun has started, or its helper has."""
        def found():
            direct = [pid for pid in descendants(running.pid, 2) if command(pid) == "primecheck"]
            return len(direct) == RANKS and direct

        return wait_for("the ranks", found)

    def test_worker_dies(self):
        numbers = [*SLOW[:2], 97]
        with start("-e", "mpi", "-m", "trial", *map(str, numbers)) as running:
            ranks = self.ranks(running)
            kill(wait_for("a busy worker", lambda: busy_workers(ranks))[0], signal.SIGKILL)
            result = running.finish()
        self.assertTrue(all(map(is_prime, numbers)))
        self.assertEqual((result.code, result.lines()), (0, [f"{n} prime" for n in numbers]))

    def test_interrupt(self):
        """No process is left: Running.finish looks."""
        with start("-e", "mpi", "-m", "trial", *map(str, SLOW * 4)) as running:
            ranks = self.ranks(running)
            wait_for("a busy worker", lambda: busy_workers(ranks))
            running.signal(signal.SIGTERM)
            result = running.finish()
        self.assertNotEqual(result.code, 0)


def command(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def descendants(pid, levels):
    """Children, and theirs, so many levels deep; the lowest level is not looked into."""
    found = children(pid)
    return found + [below for child in found if levels > 1 for below in descendants(child, levels - 1)]


def busy_workers(ranks):
    """Processes below the ranks that have computed for a twentieth of a second."""
    found = []
    for pid in (below for rank in ranks for below in descendants(rank, 2)):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] == "R" and int(fields[11]) >= 5:
            found.append(pid)
    return found


if __name__ == "__main__":
    unittest.main()
