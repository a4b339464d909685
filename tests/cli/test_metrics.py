"""--metrics: pages that Prometheus can read, whole at every moment, and that count what the program says itself."""

import os
import re
import signal
import stat
import tempfile
import time
import unittest

from debian_python import ask, python_with
from downloads import FLAGS2, Server, plural
from harness import FAST, MEDIUM, PROGRAMS, SLOW, CliTest, Running, kill, run, wait_for

SAMPLE = re.compile(r'(primepool_[a-z_]+)(?:\{((?:[a-z]+="[A-Za-z0-9_.-]*",?)+)\})? (\d+(?:\.\d+)?(?:e[+-]?\d+)?)')
HAS_PARSER = python_with("prometheus_client") is not None

PARSE = """
from prometheus_client.parser import text_string_to_metric_families
answer = [[[s.name, s.labels, s.value] for f in text_string_to_metric_families(page) for s in f.samples]
          for page in value]
"""


def parse(text):
    """{(name, labels): value} of a page, refused unless each line is what the format says, each name has its HELP
    and TYPE once before its samples, and only counters end with _total."""
    found, types, last = {}, {}, None
    if not text.endswith("\n"):
        raise AssertionError(f"it is cut off: {text!r}")
    lines = iter(text.splitlines())
    for line in lines:
        if match := re.fullmatch(r"# HELP (primepool_[a-z_]+) [A-Z][^\\\n]*\.", line):
            last = match[1]
            if last in types:
                raise AssertionError(f"{last} is there twice")
            types[last] = re.fullmatch(rf"# TYPE {last} (counter|gauge)", next(lines))[1]
            if last.endswith("_total") != (types[last] == "counter"):
                raise AssertionError(f"{last} is a {types[last]}")
            continue
        match = SAMPLE.fullmatch(line)
        if not match or match[1] != last:
            raise AssertionError(f"{line!r} behind {last}")
        if (match[1], match[2]) in found:
            raise AssertionError(f"{line!r} is there twice")
        found[match[1], match[2]] = float(match[3])
    return found


def shown(name, labels):
    return name.removeprefix("primepool_") + (f"{{{labels}}}" if labels else "")


class MetricsTest(CliTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="metrics-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = os.path.join(folder.name, "run.prom")
        self.page = ""
        self.pages = []  # each with what is on it

    def tearDown(self):
        """Prometheus' own parser finds the same."""
        if not HAS_PARSER or not self.pages:
            return
        theirs = ask("prometheus_client", PARSE, [page for page, _ in self.pages])
        for (page, found), samples in zip(self.pages, theirs):
            self.assertEqual({shown(name, ",".join(f'{key}="{text}"' for key, text in labels.items())): value
                              for name, labels, value in samples}, found, page)

    def read(self):
        with open(self.file) as file:
            self.page = file.read()
        return {shown(*key): value for key, value in parse(self.page).items()}

    def check_page(self, program, **expected):
        """The last page: it has these values, and its folder nothing else."""
        found = self.read()
        self.assertIn(f'info{{program="{program}"', self.page)
        self.assertGreater(found["resident_memory_bytes"], 100_000)
        self.assertGreater(found["uptime_seconds"], 0)
        for name, value in expected.items():
            self.assertEqual(found.get(name), value, f"{name} in {self.page}")
        self.assertEqual(os.listdir(self.folder), ["run.prom"])
        self.pages.append((self.page, found))
        return found


class Pages(MetricsTest):
    def test_prime_programs(self):
        numbers = [*FAST, *MEDIUM[:1]]
        file = self.write(numbers)
        for program in PROGRAMS:
            for more in ([], ["--split"]):
                if more and program.order == "completed":
                    continue
                with self.subTest(program=program.name, more=more):
                    result = run(program.name, f"--metrics={self.file}", "-n", file, *program.argv(2), *more)
                    self.check_success(program, result, numbers, 2)
                    primes = result.out.count("  P ")
                    tasks = {} if more else dict.fromkeys(("tasks_submitted_total", "tasks_finished_total"), len(numbers))
                    self.check_page(program.name, tasks_pending=0, tasks_running=0, numbers_left=0,
                                    tasks_failed_total=0, task_retries_total=0, worker_restarts_total=0, **tasks,
                                    **{'numbers_total{verdict="prime"}': primes,
                                       'numbers_total{verdict="composite"}': len(numbers) - primes,
                                       'numbers_total{verdict="failed"}': 0})

    def test_primecheck(self):
        file = self.write(b"7 9 x\n18446744073709551629\n" * 50)
        for executor in ("threads", "processes", "serial"):
            with self.subTest(executor=executor):
                result = run("primecheck", f"--metrics={self.file}", "-e", executor, "--block=20", "-f", file)
                self.assertEqual(result.code, 1)
                found = self.check_page("primecheck", done_ratio=1, input_bytes_total=1350, blocks_failed_total=0,
                                        **{'numbers_total{verdict="prime"}': 50,
                                           'numbers_total{verdict="composite"}': 50,
                                           'numbers_total{verdict="probable_prime"}': 50,
                                           'numbers_total{verdict="not_a_number"}': 50})
                self.assertGreater(found["blocks_total"], 30)
                self.assertEqual(found["blocks_total"], found["tasks_finished_total"])

    def test_a_pipe_has_no_share(self):
        run("primecheck", f"--metrics={self.file}", stdin=b"7\n")
        self.assertNotIn("done_ratio", self.check_page("primecheck"))

    def test_range(self):
        for more in (["-c"], []):
            result = run("primecheck", f"--metrics={self.file}", "-r", "1..1000000", *more)
            self.assertEqual(result.code, 0)
            self.check_page("primecheck", done_ratio=1, **{'numbers_total{verdict="prime"}': 78498})

    def test_downloads(self):
        with Server() as server, tempfile.TemporaryDirectory() as folder:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    args = [f"--base-url={server.url}", f"--dest={folder}/{program.name}", "BR", "CN", "AA"]
                    result = run(program.name, f"--metrics={self.file}", *args)
                    self.assertIn(f"{plural(2, 'flag')} downloaded.\n1 not found.\n", result.out)
                    size = sum(os.path.getsize(f"{folder}/{program.name}/{code}.gif") for code in ("BR", "CN"))
                    self.check_page(program.name, downloads_left=0, download_bytes_total=size, download_retries_total=0,
                                    connections_max=min(3, program.default),
                                    **{'downloads_total{status="ok"}': 2, 'downloads_total{status="not_found"}': 1,
                                       'downloads_total{status="error"}': 0})
                    run(program.name, f"--metrics={self.file}", "--skip-existing", *args)
                    self.check_page(program.name, download_bytes_total=0, **{'downloads_total{status="existing"}': 2})


class Running_(MetricsTest):
    def test_no_reader_sees_a_part(self):
        """Somebody who reads all the time, while pages replace each other as they do: every one is whole, and no
        counter falls."""
        before, seen = {}, set()
        with Running("proc_pool", f"--metrics={self.file}", "-n", self.write(SLOW), "2") as running:
            wait_for("the first page", lambda: os.path.exists(self.file))
            until = time.monotonic() + 2.3
            while time.monotonic() < until:
                now = self.read()
                seen.add(now["uptime_seconds"])
                for name, value in before.items():
                    if "_total" in name:
                        self.assertGreaterEqual(now[name], value, name)
                before = now
            self.assertEqual((before["tasks_running"], before["tasks_pending"], before["numbers_left"]), (2, 2, 4))
            self.assertGreater(before["workers_resident_memory_bytes"], 100_000)
            worker = running.workers(2)[0]
            kill(worker, signal.SIGKILL)
            wait_for("the death", lambda: self.read()["worker_restarts_total"] == 1)
            self.assertEqual(self.read()["task_retries_total"], 1)
            running.signal(signal.SIGINT)
            self.assertEqual(running.finish().code, -signal.SIGINT)
        self.assertGreaterEqual(len(seen), 3)
        self.check_page("proc_pool")

    def test_a_signal_writes_the_last_page(self):
        for program, args in (("thread_pool", ["-n", self.write([*FAST, SLOW[0]]), "-ocompleted", "1"]),
                              ("primecheck", ["-mtrial", "-w1", "7", "11", str(SLOW[0])])):
            with self.subTest(program=program):
                with Running(program, f"--metrics={self.file}", *args) as running:
                    lines = 2 if program == "primecheck" else 1
                    for _ in range(lines):
                        running.readline()
                    wait_for("the first page", lambda: os.path.exists(self.file))
                    running.signal(signal.SIGTERM)
                    result = running.finish()
                self.assertEqual(result.code, -signal.SIGTERM)
                found = self.check_page(program)
                os.remove(self.file)
                printed = len(result.lines()) - (program == "thread_pool")
                counted = sum(value for name, value in found.items() if name.startswith("numbers_total"))
                self.assertEqual(counted, printed)

    def test_the_mode_is_as_usual(self):
        run("sequential", f"--metrics={self.file}", "-n", self.write([7]), prepare=lambda: os.umask(0o027))
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o640)


class Failures(MetricsTest):
    def check_failed(self, file, reason):
        for name, args, line in (("sequential", ["-n", self.write([7])], "               7  P"),
                                 ("primecheck", ["7"], "7 prime"), ("primecheck", ["-r7..7"], "7")):
            with self.subTest(program=name, args=args):
                result = run(name, f"--metrics={file}", *args)
                self.assertEqual((result.code, result.err), (3, f"{name}: {file}: {reason}\n"))
                self.assertIn(line, result.out)

    def test_no_folder(self):
        self.check_failed(f"{self.folder}/nowhere/run.prom", "No such file or directory")

    def test_no_regular_file(self):
        """A rename would replace it."""
        pipe = f"{self.folder}/pipe"
        os.mkfifo(pipe)
        self.check_failed(pipe, "not a regular file")
        self.check_failed("/dev/null", "not a regular file")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.assertEqual(os.listdir(self.folder), ["pipe"])

    def test_full_disk(self):
        """What is there stays, whole."""
        run("sequential", f"--metrics={self.file}", "-n", self.write([7]))
        before = self.check_page("sequential")

        def limit():
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        result = run("sequential", f"--metrics={self.file}", "-n", self.write([7, 11]), prepare=limit)
        self.assertEqual((result.code, result.err), (3, f"sequential: {self.file}: File too large\n"))
        self.assertEqual(self.check_page("sequential"), before)

    def test_failed_numbers_stay_reported(self):
        result = run("primecheck", f"--metrics={self.folder}/nowhere/x", "x")
        self.assertEqual((result.code, len(result.err.splitlines())), (3, 2))


if __name__ == "__main__":
    unittest.main()
