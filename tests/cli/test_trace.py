"""--trace: who ran what when, as a trace viewer reads it."""

import json
import os
import signal
import tempfile
import time
import unittest

import trace_file
from harness import FAST, HAS_OPENMP, POOLS, PROGRAMS, SLOW, CliTest, Running, kill, run, wait_for


class Trace(CliTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="trace-")
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "trace.json")

    def run_traced(self, name, *args, workers=2, code=0, **options):
        start = time.monotonic()
        result = run(name, f"--trace={self.file}", *args, **options)
        wall = time.monotonic() - start
        self.assertEqual((result.code, result.err), (code, ""), result)
        events = trace_file.read(self.file)
        trace_file.check(self, events, workers, wall)
        return result, events

    def test_prime_programs(self):
        numbers = self.write([*FAST, 4, 9, 11])
        for program in PROGRAMS:
            for order in ("map", "completed"):
                with self.subTest(program=program.name, order=order):
                    result, events = self.run_traced(program.name, f"-o{order}", "-n", numbers,
                                                     *program.argv(2), workers=2 if program in POOLS else 1)
                    found = trace_file.runs(events)
                    self.assertEqual(len(found), len(FAST) + 3)
                    self.assertEqual({event["args"]["ending"] for event in found}, {"ok"})
                    handed = [event["args"]["label"] for event in trace_file.instants(events, "handed out")]
                    self.assertEqual(handed, [line.split()[0] for line in result.lines()[1:-1]])
                    items = {event["args"]["item"] for event in trace_file.instants(events, "handed out")}
                    self.assertEqual(items, {event["args"]["task"] for event in found})

    def test_tracks_have_the_workers_names(self):
        for program, word in (("proc_pool", "process"), ("threads", "thread")):
            _, events = self.run_traced(program, "-n", self.write(FAST), "2")
            names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
            for event in trace_file.instants(events, "worker started"):
                self.assertEqual(names[event["tid"]], f"{word} {event['tid'] - 1} ({event['args']['id']})")
            self.assertEqual(len(trace_file.instants(events, "worker started")),
                             len(trace_file.instants(events, "worker gone")))

    def test_counters(self):
        _, events = self.run_traced("proc_pool", "2")
        pending = [event["args"]["tasks"] for event in events if event["name"] == "pending tasks"]
        memory = [event["args"]["bytes"] for event in events if event["name"] == "resident memory"]
        self.assertGreater(len(pending), 1)
        self.assertLessEqual(max(pending), 20)
        self.assertGreater(min(memory), 100000)

    def test_primecheck(self):
        text = "\n".join(str(n) for n in range(1, 40001)) + "\n"
        for executor in ("threads", "processes", "serial") + (("openmp",) if HAS_OPENMP else ()):
            with self.subTest(executor=executor):
                _, events = self.run_traced("primecheck", "-c", "-w1" if executor == "serial" else "-w2", f"-e{executor}", "--block=4096",
                                            "-f", self.write(text.encode()), workers=2)
                blocks = trace_file.runs(events)
                self.assertGreater(len(blocks), 40)
                self.assertEqual(sorted(event["args"]["first"] for event in blocks), list(range(len(blocks))))
                labels = [event["args"]["label"] for event in trace_file.instants(events, "handed out")]
                self.assertEqual(labels[0], "line 1")
                self.assertEqual(len(labels), len(blocks))

    def test_demonstrations(self):
        _, events = self.run_traced("demo_executor_map", "3", "2", workers=3)
        self.assertEqual([event["args"]["label"] for event in trace_file.instants(events, "handed out")], ["0", "1"])
        _, events = self.run_traced("primes_map", workers=3)
        self.assertEqual(len(trace_file.runs(events)), 14)
        _, events = self.run_traced("quicksort_processes", workers=1024)
        self.assertGreater(len(trace_file.runs(events)), 0)
        _, events = self.run_traced("quicksort_threads", workers=1024)
        self.assertGreater(len(trace_file.runs(events)), 0)

    def test_a_worker_that_is_killed(self):
        """Its run ends, is tried again, and its track has another life."""
        numbers = self.write([SLOW[0]])
        start = time.monotonic()
        with Running("procs", f"--trace={self.file}", "-t2", "-n", numbers, "1") as running:
            victim = running.busy_worker(1)
            kill(victim, signal.SIGKILL)
            result = running.finish()
        self.assertEqual(result.code, 1)
        events = trace_file.read(self.file)
        trace_file.check(self, events, 1, time.monotonic() - start)
        died, late = sorted(trace_file.runs(events), key=lambda event: event["args"]["attempt"])
        self.assertEqual((died["args"]["ending"], died["args"]["signal"]), ("worker died", 9))
        self.assertEqual((late["args"]["attempt"], late["args"]["ending"]), (2, "timed out"))
        self.assertGreaterEqual(late["dur"], 2e6)
        for name in ("retried", "deadline"):
            self.assertEqual(len(trace_file.instants(events, name)), 1, name)
        # Its task looks at the time too, and may return before it is killed.
        self.assertLessEqual(len(trace_file.instants(events, "killed")), 1)
        self.assertGreaterEqual(len(trace_file.instants(events, "worker started")), 2)

    def test_a_program_that_is_killed(self):
        """What has been written by then can be read."""
        with Running("proc_pool", f"--trace={self.file}", "-n", self.write([SLOW[0], 4, 6, 8, 9, 10]), "2") as running:
            running.busy_worker(2)
            wait_for("events", lambda: len(trace_file.runs(trace_file.read(self.file, whole=False))) >= 5)
            running.signal(signal.SIGKILL)
            running.finish()
        with self.assertRaises(json.JSONDecodeError):
            trace_file.read(self.file)
        trace_file.check_nesting(self, trace_file.read(self.file, whole=False))

    def test_a_program_that_is_told_to_end(self):
        with Running("proc_pool", f"--trace={self.file}", f"--report={self.file}.html", "-n",
                     self.write([SLOW[0], 4]), "2") as running:
            running.busy_worker(2)
            wait_for("an event", lambda: len(trace_file.runs(trace_file.read(self.file, whole=False))) >= 1)
            running.signal(signal.SIGTERM)
            self.assertEqual(running.finish().code, -signal.SIGTERM)
        events = trace_file.read(self.file)
        self.assertEqual(len(trace_file.runs(events)), 1)
        running, = (event for event in events if event["ph"] == "B")
        self.assertEqual(running["args"], {"task": 0, "attempt": 1})

    def test_a_file_that_cannot_be_written(self):
        result = run("proc_pool", "--trace=/nowhere/trace", "2")
        self.assertEqual((result.code, result.out), (3, ""))
        self.assertEqual(result.err, "proc_pool: /nowhere/trace: No such file or directory\n")
        result = run("proc_pool", "--trace=/dev/full", "-n", self.write(FAST), "2")
        self.assertEqual((result.code, result.err), (3, "proc_pool: /dev/full: No space left on device\n"))
        self.assertEqual(len(result.lines()), len(FAST) + 2)

    def test_not_of_a_range(self):
        result = run("primecheck", "--range=1..10", f"--trace={self.file}")
        self.assertEqual(result.code, 2)
        self.assertIn("--range: is sieved by threads that are not ours", result.err)


if __name__ == "__main__":
    unittest.main()
