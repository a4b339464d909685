"""SIGUSR1: who runs what, for how long, on stderr, in one screen. It may come at any moment, and disturbs nothing."""

import contextlib
import os
import re
import signal
import tempfile
import threading
import time
import unittest

from downloads import FLAGS2, Server
from harness import (FAST, HAS_OPENMP, MEDIUM, POOLS, SEQUENTIAL, SLOW, CliTest, Running, kill, signal_mask,
                     wait_for)
from terminal import Screen, Terminal

SCREEN = 24
SECONDS = r"\d+\.\d{3} s"
COUNTS = (r"(\d+) tasks? wait, (\d+) run, (\d+) are done; retries: (\d+), restarts of workers: (\d+)")
WORKER = rf"worker (\d+)(?: \((\d+)\))?: (?:idle|(.+) for ({SECONDS})); (\d+) tasks? done"
MORE = r"\d+ more workers, of which \d+ are busy"


class StatusTest(CliTest):
    def ask(self, running):
        """Sends the signal, and returns the lines that come: they come together."""
        before = len(self.said(running))
        running.signal(signal.SIGUSR1)
        wait_for("an answer", lambda: len(self.said(running)) > before)
        return self.said(running)[before:]

    def said(self, running):
        running._stderr.flush()
        return os.pread(running._stderr.fileno(), 1 << 20, 0).decode().splitlines()

    def check_lines(self, name, lines, head, worker=WORKER):
        """Whole lines, each of one of these kinds; returns the counts and the workers' parts of the last answer."""
        for line in lines:
            self.assertRegex(line, rf"\A{name}: (?:{head}|{COUNTS}|{worker}|{MORE})\Z")
        last = max(place for place, line in enumerate(lines) if re.fullmatch(rf"{name}: {head}", line))
        counts = re.fullmatch(rf"{name}: {COUNTS}", lines[last + 1])
        workers = [match for line in lines[last + 2:] if (match := re.fullmatch(rf"{name}: {worker}", line))]
        return tuple(map(int, counts.groups())), workers

    def wait_ready(self, running):
        """Until the signal means something: before that the system ends the program."""
        wait_for("SIGUSR1 blocked", lambda: signal.SIGUSR1 in signal_mask(running.pid, "SigBlk"))


def head_of(count):
    return rf"\d+ of {count} numbers done in {SECONDS}"


class PrimePrograms(StatusTest):
    def test_who_runs_what(self):
        file = self.write([*SLOW[:3], 7])
        for program in POOLS:
            with self.subTest(program=program.name), Running(program.name, "-n", file, "-mwheel", "2") as running:
                running.readline()
                time.sleep(0.2)  # so that it has run for some time
                counts, workers = self.check_lines(program.name, self.ask(running), head_of(4))
                if program.descending:
                    self.assertEqual(counts, (2, 2, 0, 0, 0))
                    self.assertEqual({match[3] for match in workers}, {str(n) for n in SLOW[:2]})
                self.assertEqual({int(match[1]) for match in workers}, {0, 1})
                self.assertTrue(all(0.05 < float(match[4].split()[0]) < 60 for match in workers))
                if program.kind == "process_pool":
                    self.assertEqual({int(match[2]) for match in workers}, set(running.workers(2)))
                self.assertNotIn("worker", running.read_ahead())

    def test_after_a_death(self):
        """What the dead worker had begun is not taken for its successor's; and the signal ends no worker."""
        with Running("proc_pool", "-n", self.write([SLOW[0]]), "-R0", "1") as running:
            killed = running.busy_worker(1)
            for pid in (killed, running.nursery()):
                kill(pid, signal.SIGUSR1)
            counts, workers = self.check_lines("proc_pool", self.ask(running), head_of(1))
            self.assertEqual((counts, workers[0][2]), ((0, 1, 0, 0, 0), str(killed)))
            kill(killed, signal.SIGKILL)
            self.assertEqual(running.finish().code, 1)
        with Running("proc_pool", "-n", self.write([SLOW[0]]), "1") as running:
            killed = running.busy_worker(1)
            kill(killed, signal.SIGKILL)
            successor = wait_for("another", lambda: [pid for pid in running.workers(1) if pid != killed])[0]
            running.busy_worker(1)
            counts, workers = self.check_lines("proc_pool", self.ask(running), head_of(1))
            self.assertEqual((counts, workers[0][2], workers[0][3]), ((0, 1, 0, 1, 1), str(successor), str(SLOW[0])))
            self.assertLess(float(workers[0][4].split()[0]), 30)

    def test_one_screen(self):
        with Running("threads", "-n", self.write([SLOW[0]] * 40), "40") as running:
            running.readline()
            time.sleep(0.3)
            lines = self.ask(running)
            self.assertLessEqual(len(lines), SCREEN - 2)
            self.check_lines("threads", lines, head_of(40))
            self.assertRegex(lines[-1], rf"\Athreads: {MORE}\Z")

    def test_at_any_moment(self):
        """As fast as it can be sent, to the whole process group, from the beginning to the end: same results, and each
        answer in one piece."""
        numbers = [*FAST * 20, *MEDIUM[:2]]
        file = self.write(numbers)
        for program in (SEQUENTIAL, *POOLS):
            for more in ([], ["--split"]):
                with self.subTest(program=program.name, more=more):
                    with Running(program.name, "-n", file, *program.argv(2), *more) as running:
                        self.wait_ready(running)
                        ended = threading.Event()

                        def storm():
                            with contextlib.suppress(ProcessLookupError):  # it has ended
                                while not ended.is_set():
                                    running.signal_group(signal.SIGUSR1)

                        thread = threading.Thread(target=storm)
                        thread.start()
                        try:
                            result = running.finish()
                        finally:
                            ended.set()
                            thread.join()
                    self.assertEqual(result.code, 0)
                    self.check_report(program, result.lines(), numbers, 2)
                    self.check_lines_of(program.name, result.err.splitlines(), len(numbers))

    def check_lines_of(self, name, lines, count):
        for line in lines:
            self.assertRegex(line, rf"\A{name}: (?:{head_of(count)}|{COUNTS}|{WORKER})\Z")

    def test_beside_progress(self):
        """On a terminal the line of --progress makes way, and comes back."""
        terminal = Terminal(100)
        self.addCleanup(terminal.close)
        with Running("thread_pool", "--progress", "-n", self.write([SLOW[0]]), "1",
                     prepare=lambda: os.dup2(terminal.theirs, 2), env={"TERM": "xterm"}) as running:
            wait_for("the line", lambda: " 0 numbers " in terminal.so_far())
            running.signal(signal.SIGUSR1)
            wait_for("an answer", lambda: "worker 0" in terminal.so_far())
            wait_for("the line again", lambda: " 0 numbers " in terminal.so_far().partition("worker 0")[2])
            running.signal(signal.SIGTERM)
            running.finish()
        shown = [line for line in Screen(100).show(terminal.close()).lines if line]
        self.assertEqual(len(shown), 3)
        self.check_lines("thread_pool", shown, head_of(1))


class Primecheck(StatusTest):
    HEAD = rf"\d+ numbers done(?:, \d+ % of the input)? in {SECONDS}"

    def test_who_runs_what(self):
        slow = [str(n) for n in SLOW[:2]]
        file = self.write(f"7\n{slow[0]}\n{slow[1]}\n".encode())
        for executor in ("threads", "processes", *(["openmp"] if HAS_OPENMP else [])):
            for args, texts in ((["-f", file], {f"line {n}, from {slow[n - 2]} on," for n in (2, 3)}),
                                (["7", *slow], {f"from {n} on," for n in slow})):
                with self.subTest(executor=executor, args=args):
                    with Running("primecheck", "-mtrial", "-w2", "-e", executor, *args) as running:
                        self.assertEqual(running.readline(), "7 prime")
                        time.sleep(0.1)
                        counts, workers = self.check_lines("primecheck", self.ask(running), self.HEAD)
                        self.assertEqual({match[3] for match in workers}, texts)
                        self.assertEqual(counts[1:], (2, 1, 0, 0))

    def test_serial(self):
        """The only thread works; another answers."""
        with Running("primecheck", "-mtrial", "-eserial", "7", str(SLOW[0])) as running:
            running.readline()
            time.sleep(0.1)
            _, workers = self.check_lines("primecheck", self.ask(running), self.HEAD)
            self.assertEqual([match[3] for match in workers], [f"from {SLOW[0]} on,"])

    def test_range(self):
        """How far it is, if it knows; the signal that ends it still does."""
        of_all = r"primecheck: 1\.\.1000000000000: "
        with tempfile.TemporaryDirectory() as folder:
            for args, known in ((["--count"], ""), (["--count", f"--metrics={folder}/now"], r"\d+ primes in the first \d+ %, ")):
                with self.subTest(args=args), Running("primecheck", "--range=1..1000000000000", *args) as running:
                    self.wait_ready(running)
                    line = rf"\A{of_all}(?:{known})?for {SECONDS}\Z"
                    wait_for("it", lambda: re.search(known, self.ask(running)[-1]))
                    for said in self.said(running):
                        self.assertRegex(said, line)
                    running.signal(signal.SIGTERM)
                    self.assertEqual(running.finish().code, -signal.SIGTERM)

    def test_long_tokens_are_cut(self):
        with Running("primecheck", "--prove", "-w1", str(2**4253 - 1)) as running:
            self.wait_ready(running)
            wait_for("its worker", lambda: any("for" in line for line in self.ask(running)))
            _, workers = self.check_lines("primecheck", self.said(running), self.HEAD)
            self.assertEqual(workers[-1][3], f"from {str(2**4253 - 1)[:31]}... on,")


class Downloads(StatusTest):
    def test_flags2(self):
        head = rf"\d+ of 4 flags done, \d+ under way, \d+ wait; \d+ connections?"
        with Server(delay=(20, 20)) as server, tempfile.TemporaryDirectory() as folder:
            for program in FLAGS2:
                with self.subTest(program=program.name):
                    asked = len(server.arrived())
                    with Running(program.name, f"--base-url={server.url}", f"--dest={folder}", "-m2", "BR", "CN",
                                 "US", "IN") as running:
                        most = program.connections(4, 2)
                        wait_for("its requests", lambda: len(server.arrived()) == asked + most)
                        time.sleep(0.1)
                        lines = self.ask(running)
                        running.signal(signal.SIGINT)
                        result = running.finish()
                    self.assertRegex(lines[0], rf"\A{program.name}: {head}\Z")
                    self.assertIn(f"0 of 4 flags done, {most} under way, {4 - most} wait;", lines[0])
                    codes = [re.fullmatch(rf"{program.name}: ([A-Z]{{2}}) for {SECONDS}", line)[1]
                             for line in lines[1:]]
                    self.assertEqual(sorted(codes), ["BR", "CN"][:most])
                    self.assertEqual(result.code, -signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
