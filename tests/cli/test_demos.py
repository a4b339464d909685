"""The demonstrations: who runs when, in which order it is told, and that no line is torn."""

import array
import collections
import fcntl
import os
import re
import signal
import termios
import time
import unittest
from typing import NamedTuple

from harness import CliTest, Running, is_prime, run, scaled, wait_for
from test_usage import BAD_WORKERS


class Demo(NamedTuple):
    name: str
    arguments: tuple = ()  # names of its positional arguments
    options: tuple = ()  # names of its own options
    argv: tuple = ()  # what it is called with


PRIMES_MAP = Demo("primes_map", ("WORKERS",))
EXECUTOR_MAP = Demo("demo_executor_map", ("WORKERS", "COUNT"))
QUICKSORT_PROCESSES = Demo("quicksort_processes")
QUICKSORT_THREADS = Demo("quicksort_threads", options=("recursive",))
QUICKSORT_RECURSIVE = QUICKSORT_THREADS._replace(argv=("--recursive",))
MAPS = [PRIMES_MAP, EXECUTOR_MAP]
SORTS = [QUICKSORT_PROCESSES, QUICKSORT_THREADS, QUICKSORT_RECURSIVE]
DEMOS = [*MAPS, *SORTS]

PRIMES = [112272535095293, 112582705942171, 112272535095293, 115280095190773, 115797848077099, 1099726899285419,
          112545606449, 4894348954034, 4236544062, 11112324353465, 12134123432, 423578924023, 12433323433, 12334452364]

SLACK = 20.0  # seconds that a busy machine may add


def stripped(lines):
    """What follows the time of day, which each line begins with."""
    matches = [re.fullmatch(r"\[(?:[01]\d|2[0-3])(?::[0-5]\d){2}\] (.*)", line) for line in lines]
    if None in matches:
        raise AssertionError(f"not a line with its time: {lines[matches.index(None)]!r}")
    return [match[1] for match in matches]


class Maps(CliTest):
    def check(self, result, workers, tasks, results):
        """`tasks` are (begins, ends), two lines each, and `results` what is printed for them."""
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertTrue(result.out.endswith("\n"))
        lines = stripped(result.lines())
        self.assertEqual(len(lines), 3 * len(tasks) + 3)
        where = collections.defaultdict(list)
        for place, line in enumerate(lines):
            where[line].append(place)

        handle = next((line for line in lines if line.startswith("results: ")), "")
        self.assertRegex(handle, rf"\Aresults: <cf_stream at 0x[0-9a-f]+, ordered, {len(tasks)} tasks?>\Z")
        waiting = "Waiting for individual results:"
        handed_out = [f"result {i}: {value}" for i, value in enumerate(results)]
        expected = ["Script starting.", handle, waiting, *handed_out, *(line for task in tasks for line in task)]
        self.assertEqual(sorted(lines), sorted(expected))

        # The main thread's lines come in its order, and the first of all is one of them.
        places = [where[line][0] for line in ("Script starting.", handle, waiting, *handed_out)]
        self.assertEqual(places, sorted(places))
        self.assertEqual(places[0], 0)

        # A task begins before it ends, and ends before its result is known; of two that are alike, one.
        for begins, ends in tasks:
            for begin, end in zip(where[begins], where[ends]):
                self.assertLess(begin, end)
        for (_, ends), line in zip(tasks, handed_out):
            self.assertLess(where[ends][0], where[line][0])

        # No more at once than there are workers.
        begin_lines, end_lines = ({task[i] for task in tasks} for i in (0, 1))
        running = most = 0
        for line in lines:
            running += (line in begin_lines) - (line in end_lines)
            most = max(most, running)
        self.assertLessEqual(most, workers)
        return where

    def check_primes(self, result, workers):
        tasks = [(f"is_prime({n}): doing calculating...", f"is_prime({n}): done.") for n in PRIMES]
        self.check(result, workers, tasks, [is_prime(n) for n in PRIMES])

    def check_loiterers(self, result, workers, count):
        tasks = [(f"{tabs}loiter({n}): doing nothing for {n}s...", f"{tabs}loiter({n}): done.")
                 for n in range(count) for tabs in ["\t" * n]]
        return self.check(result, workers, tasks, [10 * n for n in range(count)])

    def timed(self, name, *args):
        start = time.monotonic()
        return run(name, *args), time.monotonic() - start

    def test_primes(self):
        self.assertEqual([i for i, n in enumerate(PRIMES) if is_prime(n)], [0, 1, 2, 3, 4, 12])
        result = run("primes_map")
        self.check_primes(result, 3)
        self.assertEqual(len(result.lines()), 45)

    def test_primes_with_any_number_of_workers(self):
        for workers in (1, 2, 3, 14, 1024):
            with self.subTest(workers=workers):
                self.check_primes(run("primes_map", str(workers)), workers)

    def test_loiterers(self):
        result, seconds = self.timed("demo_executor_map")
        where = self.check_loiterers(result, 3, 5)
        self.assertEqual(len(result.lines()), 18)
        self.assertGreaterEqual(seconds, 5)  # loiter(4) waits for loiter(1) to end
        self.assertLess(seconds, 5 + SLACK)
        for before, after in ((0, 3), (1, 4)):
            ended = where["\t" * before + f"loiter({before}): done."][0]
            begun = where["\t" * after + f"loiter({after}): doing nothing for {after}s..."][0]
            self.assertLess(ended, begun)

    def test_loiterers_of_any_number(self):
        for workers, count, least in ((1, 0, 0), (1, 1, 0), (2, 2, 1), (1, 3, 3), (20, 3, 2), (1024, 2, 1)):
            with self.subTest(workers=workers, count=count):
                result, seconds = self.timed("demo_executor_map", str(workers), str(count))
                self.check_loiterers(result, workers, count)
                self.assertGreaterEqual(seconds, least)
                self.assertLess(seconds, least + SLACK)

    def test_lines_appear_when_things_happen(self):
        with Running("demo_executor_map", "3", "3") as running:
            while not (line := running.readline()).endswith("] result 0: 0"):
                self.assertNotIn("] result ", line)
            self.assertIsNone(running.process.poll())
            self.check_loiterers(running.finish(), 3, 3)

    def test_a_signal_ends_it(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number), Running("demo_executor_map", "1", "100") as running:
                running.readline()
                running.signal(number)
                result = running.finish()
                self.assertEqual((result.code, result.err), (-number, ""))


class Sorts(CliTest):
    def blocks(self, demo, head, **options):
        """The tasks' blocks of three lines, as lists; the head is a regular expression."""
        result = run(demo.name, **options)
        self.assertEqual((result.code, result.err), (0, ""))
        match = re.match(head, result.out)
        self.assertTrue(match, result.out)
        lines = result.out[match.end():].splitlines()
        return match, [lines[i:i + 3] for i in range(0, len(lines), 3)]

    def check_lists(self, block):
        before, after = block[1:]
        lists = []
        for line, word in ((before, "before"), (after, "after")):
            self.assertRegex(line, rf"\A{word} \[-?\d+(, -?\d+){{9}}\]\Z")
            lists.append([int(number) for number in re.findall(r"-?\d+", line)])
        self.assertEqual(lists[1], sorted(lists[0]))
        for place, number in enumerate(lists[0]):
            self.assertIn(number, range(place - 50, place + 51))
        return tuple(lists[0])

    def check_threads(self, tasks, **options):
        _, blocks = self.blocks(QUICKSORT_THREADS, r"\[Main\] process\.\.\.\n", **options)
        titles = [block[0] for block in blocks]
        self.assertEqual(sorted(titles), sorted(f"[Task {i}] process..." for i in range(1, tasks + 1)))
        return [self.check_lists(block) for block in blocks]

    def check_processes(self, tasks, **options):
        head, blocks = self.blocks(QUICKSORT_PROCESSES, r"__name__ :  __main__\n\[Main (\d+)\] process\.\.\.\n",
                                   **options)
        titles = [re.fullmatch(r"\[Task (\d+)\] process (\d+)", block[0]) for block in blocks]
        self.assertNotIn(None, titles, blocks)
        self.assertEqual(sorted(int(title[2]) for title in titles), list(range(1, tasks + 1)))
        pids = {head[1], *(title[1] for title in titles)}
        self.assertEqual(len(pids), tasks + 1, "each task has a process of its own")
        return [self.check_lists(block) for block in blocks]

    def check_recursive(self, *argv, **options):
        """Returns the numbers that are shown of the array before it is sorted."""
        result = run(QUICKSORT_THREADS.name, *argv, **options)
        self.assertEqual((result.code, result.err), (0, ""))
        shown = r"\[(\d+(?:, \d+){4}), \.\.\., (\d+(?:, \d+){4})\]\n"
        match = re.fullmatch(r"\[Main\] process\.\.\.\n\[Main\] one array of 1000000 numbers\n"
                             rf"before {shown}after {shown}sorted: yes\n", result.out)
        self.assertTrue(match, result.out)
        before, after = ([int(number) for half in halves for number in half.split(", ")]
                         for halves in (match.groups()[:2], match.groups()[2:]))
        self.assertEqual(after, sorted(after))
        self.assertLessEqual(after[4], sorted(before)[4])  # there are no five less than those
        self.assertGreaterEqual(after[5], sorted(before)[5])
        return tuple(before)

    def usable_cpus(self):
        return int(run("threads", "--numbers=-", stdin=b"").out.split()[4])

    def test_as_many_as_there_are_processors(self):
        cpus = self.usable_cpus()
        for _ in range(scaled(10)):
            lists = self.check_processes(cpus) + self.check_threads(2 * cpus)
            self.assertEqual(len(set(lists)), len(lists), "no two lists are alike")

    def test_one_processor(self):
        cpu = min(os.sched_getaffinity(0))
        self.check_processes(1, prepare=lambda: os.sched_setaffinity(0, [cpu]))
        self.check_threads(2, prepare=lambda: os.sched_setaffinity(0, [cpu]))
        self.check_recursive("-r", prepare=lambda: os.sched_setaffinity(0, [cpu]))

    def test_recursive(self):
        arrays = [self.check_recursive("--recursive") for _ in range(scaled(10))]
        self.assertEqual(len(set(arrays)), len(arrays), "no two arrays are alike")


class CommandLine(CliTest):
    def check_usage_error(self, demo, argv, *named):
        with self.subTest(program=demo.name, argv=argv):
            result = run(demo.name, *demo.argv, *argv)
            self.check_failure(demo, result, 2, ".")
            for word in named:
                self.assertIn(word, result.err.partition("\n")[0])

    def test_workers(self):
        for demo in MAPS:
            for value in BAD_WORKERS:
                self.check_usage_error(demo, [value], "WORKERS", f"'{value}'", "from 1 to 1024")
            self.check_usage_error(demo, ["--", "-1"], "WORKERS", "'-1'")

    def test_count(self):
        for value in ["-1", "-12", "101", "abc", "1.5", "", " 4", "+4", "99999999999999999999"]:
            self.check_usage_error(EXECUTOR_MAP, ["3", value], "COUNT", f"'{value}'", "from 0 to 100")

    def test_too_many(self):
        self.check_usage_error(PRIMES_MAP, ["3", "4"], "'4'")
        self.check_usage_error(EXECUTOR_MAP, ["3", "0", "7"], "'7'")
        for demo in SORTS:
            for value in ("1", "-1", "", "abc"):
                self.check_usage_error(demo, [value], f"'{value}'")

    def test_unknown_options(self):
        for demo in DEMOS:
            for option in ("--nonsense", "-Z"):
                self.check_usage_error(demo, [option], option.lstrip("-"))
        for demo in (PRIMES_MAP, EXECUTOR_MAP, QUICKSORT_PROCESSES):
            self.check_usage_error(demo, ["--recursive"], "recursive")
        self.check_usage_error(QUICKSORT_THREADS, ["--recursive=3"], "recursive")

    def test_help(self):
        for demo in DEMOS:
            with self.subTest(program=demo.name):
                result = run(demo.name, "--help")
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertTrue(result.out.startswith(f"Usage: {demo.name} "), result.out)
                self.assertEqual(set(re.findall(r"--([a-z][a-z-]*)", result.out)),
                                 {"help", "usage", "version", "trace", "report", *demo.options})
                for name in ("WORKERS", "COUNT"):
                    self.assertEqual(name in result.out, name in demo.arguments)
                self.assertEqual(run(demo.name, "-?"), result)

    def test_usage_and_version(self):
        for demo in DEMOS:
            with self.subTest(program=demo.name):
                result = run(demo.name, "--usage")
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertTrue(result.out.startswith(f"Usage: {demo.name} "), result.out)
                version = run("proc_pool", "--version")
                result = run(demo.name, "--version")
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertEqual(result.out, version.out.replace("proc_pool", demo.name))


class CannotWrite(CliTest):
    """As the other programs: exit 3 and a message, or quietly by SIGPIPE."""

    def test_full(self):
        for demo in DEMOS:
            for argv in ([], ["--help"]):
                argv = [*demo.argv, *argv]
                with self.subTest(program=demo.name, argv=argv), open("/dev/full", "wb") as full:
                    self.check_failure(demo, run(demo.name, *argv, stdout=full), 3, "standard output: ")

    def test_closed(self):
        for demo in DEMOS:
            with self.subTest(program=demo.name, argv=demo.argv):
                result = run(demo.name, *demo.argv, prepare=lambda: os.close(1))
                self.check_failure(demo, result, 3, "standard output: ")

    def test_pipe_closed_from_the_start(self):
        for demo in DEMOS:
            reader, writer = os.pipe()
            os.close(reader)
            with self.subTest(program=demo.name, argv=demo.argv):
                try:
                    result = run(demo.name, *demo.argv, stdout=writer)
                finally:
                    os.close(writer)
                self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    def test_pipe_closed_when_a_thread_writes_next(self):
        """Threads of a pool have SIGPIPE blocked."""
        reader, writer = os.pipe()
        with Running("demo_executor_map", "2", "2", stdout=writer) as running:
            os.close(writer)
            with open(reader, encoding="ascii") as lines:
                self.assertTrue(any(line.endswith("] result 0: 0\n") for line in lines))
            result = running.finish()  # what is left: loiter(1) ends
            self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    def test_pipe_closed_when_tasks_write_next(self):
        """The pipe has room for the head, and for nothing else."""
        for demo in SORTS:
            reader, writer = os.pipe()
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
            filled = 4000
            os.write(writer, b"x" * filled)
            with (self.subTest(program=demo.name, argv=demo.argv),
                  Running(demo.name, *demo.argv, stdout=writer) as running):
                os.close(writer)
                wait_for("the head", lambda: self.unread(reader) > filled)
                os.close(reader)
                result = running.finish()
                self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    @staticmethod
    def unread(fd):
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]

    def test_standard_input_and_error_closed(self):
        for demo in (PRIMES_MAP, *SORTS):
            for closed in ([0], [2], [0, 2]):
                with self.subTest(program=demo.name, argv=demo.argv, closed=closed):
                    result = run(demo.name, *demo.argv, prepare=lambda: [os.close(fd) for fd in closed])
                    self.assertEqual(result.code, 0)


if __name__ == "__main__":
    unittest.main()
