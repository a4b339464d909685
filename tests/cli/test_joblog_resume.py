"""--resume: a run goes on exactly from wherever it was killed or interrupted."""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from collections import Counter

from harness import BIN, FAST, PROGRAMS, scaled, seeded_random, wait_for
from joblog import COMPLETED, HAS_FLAGS, ORDERED, JoblogTest, random_numbers, without_times
from primecheck import mixed_input

SLOWER = 10**18 - 11  # by wheel a second, and the greatest
QUICK = [n for n in FAST if n < SLOWER]


class Torn(JoblogTest):
    """All states in which a kill can leave the files, made by cutting them; the run must go on to the same output."""

    def states(self, generator, count):
        """Contents of log, log.more and output, as they are in the middle of the run that has just ended."""
        log, more, out = self.read(self.log), self.read(self.more), self.read(self.out)
        ends = [0, *(i.more["out"] for i in self.items())]
        log_ends, more_ends = ([m.end() for m in re.finditer(b"\n", text)] for text in (log, more))
        for _ in range(count):
            done = generator.randrange(len(log_ends) + 1) - 1  # -1: FILE has not even its first line
            if done < 0:
                yield (log[:generator.randrange(log_ends[0])],
                       generator.choice((more[:generator.randrange(more_ends[0] + 1)], b"of an earlier run\n")), b"")
                continue
            log_cut = generator.randrange(log_ends[done], log_ends[min(done + 1, len(log_ends) - 1)] + 1)
            if log_cut == log_ends[-1]:
                done = len(log_ends) - 1
            elif log_cut == log_ends[done + 1]:
                done += 1
            ahead = min(done + generator.randrange(3), len(more_ends) - 1)
            more_cut = generator.randrange(more_ends[ahead], more_ends[min(ahead + 1, len(more_ends) - 1)] + 1)
            known = sum(end <= more_cut for end in more_ends) - 1
            out_cut = generator.randrange(ends[known], len(out) + 1)
            yield log[:log_cut], more[:more_cut], out[:out_cut] + generator.choice((b"", b"half a li"))

    def check_states(self, count, args, same=lambda out: out, source=None):
        """Of a run of the program that ends."""
        self.begin()
        generator = seeded_random()
        whole = self.logged(*args, source=source)
        for log, more, out in list(self.states(generator, count)):
            self.put(self.log, log)
            self.put(self.more, more)
            self.put(self.out, out)
            result = self.resumed(*args, source=source)
            self.assertEqual((result.code, same(result.out)), (whole.code, same(whole.out)), result.err)
            items = self.items()
            self.assertEqual(sorted(item.seq for item in items), list(range(1, len(items) + 1)))

    def test_primecheck(self):
        file = self.path("numbers")
        self.put(file, mixed_input(seeded_random(), 300))
        for options in (["-e", "serial"], ["-e", "threads", "--count"], ["-e", "processes", "--only=composites"]):
            with self.subTest(options=options):
                self.check_states(scaled(5), ("primecheck", "-f", file, "--block=700", "-w", 1, *options))

    def test_primecheck_as_completed(self):
        file = self.path("numbers")
        self.put(file, mixed_input(seeded_random(), 300))
        self.check_states(scaled(8), ("primecheck", "-f", file, "--block=700", "-w", 3, "-o", "completed"),
                          same=lambda out: sorted(out.splitlines()))

    def test_primecheck_words(self):
        words = ["97", "x", "", "100", " ", "0x61", str(2**64 + 13), "y"]
        self.check_states(scaled(8), ("primecheck", "--block=1", "--json", "--method=auto", "--", *words),
                          same=lambda out: re.sub(rb'"(elapsed|wall|cpu|speedup|worker)":[-0-9.naninf]+', b"", out))

    def test_primecheck_in_a_pipe(self):
        data = mixed_input(seeded_random(), 400)
        file = self.path("numbers")
        self.put(file, data)
        self.logged("primecheck", "--block=500", source=file)
        whole = self.read(self.out)
        for log, more, out in list(self.states(seeded_random(), scaled(8))):
            # As a pipe has it: no size, so the run that begins must have been in a pipe too.
            self.put(self.log, log)
            self.put(self.more, re.sub(rb'"size":\d+', b'"size":null', more))
            self.put(self.out, out)
            with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as cat, open(self.out, "ab") as to:
                process = subprocess.run([os.path.join(BIN, "primecheck"), "--block=500", f"--joblog={self.log}",
                                          "--resume"], stdin=cat.stdout, stdout=to, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((process.returncode, self.read(self.out)), (1, whole), process.stderr)

    def test_prime_programs(self):
        file = self.write([*FAST, *range(100)])
        for program in PROGRAMS:
            def same(out):
                lines = without_times(out).splitlines()
                return lines if program.order == "map" else sorted(lines)

            with self.subTest(program=program.name):
                self.check_states(scaled(2), (program.name, *program.argv(2), f"--numbers={file}"), same)

    def test_messages_are_not_repeated(self):
        file = self.write(b"1 x\n2 y\n3 z\n")
        args = ("primecheck", "-f", file, "--block=4", "--count")
        whole = self.logged(*args)
        self.assertEqual(whole.err.count("not a non-negative"), 3)
        lines = self.read(self.log).splitlines(keepends=True)
        self.put(self.log, b"".join(lines[:-1]))
        again = self.resumed(*args)
        self.assertEqual((again.code, again.out, again.err),
                         (1, b"primes: 2\ncomposites: 1\nnot numbers: 3\n",
                          f"primecheck: {file}:3: 'z' is not a non-negative integer\n"))

    def test_messages_on_the_same_file(self):
        """>> out 2>&1: what is cut off is cut off together with its messages."""
        file = self.write(b"".join(b"%d x%d\n" % (i, i) for i in range(200)))
        args = ("primecheck", "-f", file, "--block=64", "-e", "serial")
        self.logged(*args, err=subprocess.STDOUT)
        whole = self.read(self.out)
        for log, more, out in list(self.states(seeded_random(), 5)):
            self.put(self.log, log)
            self.put(self.more, more)
            self.put(self.out, out)
            self.resumed(*args, err=subprocess.STDOUT)
            self.assertEqual(self.read(self.out), whole)


class Killed(JoblogTest):
    """SIGKILL at random moments."""

    def test_primecheck(self):
        generator = seeded_random()
        file = self.path("numbers")
        self.put(file, random_numbers(generator, 100000))
        for executor, workers in (("threads", False), ("processes", True)):
            for order in ("input", "completed"):
                with self.subTest(executor=executor, order=order, workers=workers):
                    args = ("primecheck", "-e", executor, "-w", 2, "-o", order, "--block=10000", "-f", file)
                    expected, result = self.kill_often(scaled(3), generator, args, workers)
                    if order == "completed":
                        expected, result = (r._replace(out=sorted(r.out.splitlines())) for r in (expected, result))
                    self.assertEqual(result.code, expected.code)
                    self.assertTrue(result.out == expected.out)

    def test_prime_programs(self):
        generator = seeded_random()
        file = self.write([*range(10**11, 10**11 + 400)])
        for number, program in enumerate((*ORDERED, *COMPLETED)):
            options = ["--split"] if number % 2 else []
            with self.subTest(program=program.name, options=options):
                args = (program.name, *program.argv(2), "-n", file, *options)
                expected, result = self.kill_often(scaled(1), generator, args, program.kind == "process_pool")
                expected, found = (without_times(r.out).splitlines() for r in (expected, result))
                if program.order == "completed":
                    expected, found = sorted(expected), sorted(found)
                self.assertEqual((result.code, found), (0, expected))


class Signals(JoblogTest):
    """What is finished is reported and logged; the next run goes on."""

    def test_primecheck(self):
        file = self.path("numbers")
        self.put(file, random_numbers(seeded_random(), 300000))
        expected = self.run_to_end("primecheck", "-f", file)
        for executor in ("threads", "processes"):
            with self.subTest(executor=executor):
                args = ("primecheck", "-f", file, "-w", 2, "-e", executor, "--block=5000")
                self.begin()
                process = self.start(*args, f"--joblog={self.log}")
                wait_for("a line", lambda: os.path.exists(self.log) and self.read(self.log).count(b"\n") > 1)
                process.send_signal(signal.SIGTERM)
                self.finish(process)
                self.assertEqual(process.returncode, -signal.SIGTERM)
                result = self.resumed(*args)
                self.assertEqual((result.code, result.out == expected.out), (expected.code, True))

    def test_what_the_order_still_hid_is_not_tested_again(self):
        for program in [p for p in ORDERED if p.name in ("thread_pool", "proc_pool")]:
            with self.subTest(program=program.name):
                file = self.write([SLOWER, *QUICK])
                args = (program.name, "2", "-n", file, "-m", "wheel")
                self.begin()
                process = self.start(*args, f"--joblog={self.log}")
                wait_for("the header", lambda: self.read(self.out))
                time.sleep(0.2)  # for the quick ones; the slow one takes a second
                process.send_signal(signal.SIGINT)
                result = self.finish(process)
                self.assertEqual(process.returncode, -signal.SIGINT)
                known = {item.more["label"]: item.more for item in self.items()}
                self.assertTrue(known)
                self.assertLessEqual(set(known), set(map(str, QUICK)))
                result = self.resumed(*args)
                self.assertEqual(result.code, 0, result.err)
                self.check_report(program, result.out.decode().splitlines(), [SLOWER, *QUICK], 2)
                for item in self.items():
                    if item.more["label"] in known:
                        before = known[item.more["label"]]
                        self.assertEqual(item.more["elapsed_ns"], before["elapsed_ns"])
                        self.assertEqual(item.more["worker"], before["worker"])


@unittest.skipUnless(HAS_FLAGS, "the build lacks a library")
class Downloads(JoblogTest):
    CODES = ["BR", "CN", "DE", "FR", "IN", "JP", "US", "QQ"]  # the last one is nobody's

    def setUp(self):
        super().setUp()
        from slow_server import Server, delay
        self.server_log = self.path("requests")
        self.server = Server(f"--log={self.server_log}", *delay(0.05))
        self.addCleanup(self.server.__exit__)

    def args(self, program):
        return (program, f"--base-url={self.server.url}/flags", f"--dest={self.path('flags')}", "-v", *self.CODES,
                *([] if program == "flags2_sequential" else ["-m2"]))

    def asked(self):
        from slow_server import read_log
        return sorted(line.code for line in read_log(self.server_log))

    def check(self, result):
        self.assertEqual(result.code, 0, result.err)
        head, middle, tail = result.out.decode().partition("will be used.\n")
        lines, _, counts = tail.partition("--------------------\n")
        self.assertEqual(sorted(line.split()[0] for line in lines.splitlines()), sorted(self.CODES))
        self.assertRegex(counts, r"\A7 flags downloaded.\n1 not found.\nElapsed time: \d+\.\d\ds\n\Z")

    def test_killed(self):
        for program in ("flags2_sequential", "flags2_threadpool", "flags2_async"):
            with self.subTest(program=program):
                self.begin()
                before = Counter(self.asked())
                process = self.start(*self.args(program), f"--joblog={self.log}")
                wait_for("a download", lambda: os.path.exists(self.log) and self.read(self.log).count(b"\n") > 3)
                process.kill()
                self.finish(process)
                done = [item.more["label"] for item in self.items()]
                self.assertLess(len(done), len(self.CODES))
                self.check(self.resumed(*self.args(program)))
                asked = Counter(self.asked()) - before
                self.assertEqual({code: asked[code] for code in done}, dict.fromkeys(done, 1))
                shutil.rmtree(self.path("flags"))

    def test_a_flag_that_is_gone(self):
        args = self.args("flags2_async")
        self.check(self.logged(*args))
        os.unlink(self.path("flags/FR.gif"))
        self.put(self.path("flags/IN.gif"), b"GIF89a")  # of another size
        before = self.asked()
        self.check(self.resumed(*args))
        self.assertEqual(sorted(self.asked()), sorted([*before, "FR", "IN"]))
        again = self.resumed(*args)
        self.check(again)
        self.assertEqual(sorted(self.asked()), sorted([*before, "FR", "IN"]))

    def test_interrupted(self):
        args = self.args("flags2_threadpool")
        process = self.start(*args, f"--joblog={self.log}")
        wait_for("a download", lambda: os.path.exists(self.log) and self.read(self.log).count(b"\n") > 2)
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertIn(b" left.\n", result.out)
        self.check(self.resumed(*args))

    def test_commands(self):
        self.check(self.logged(*self.args("flags2_threadpool")))
        item = next(item for item in self.items() if item.more["label"] == "BR")
        os.unlink(self.path("flags/BR.gif"))
        again = self.run_again(item)
        self.assertEqual((again.returncode, again.stderr), (0, b""))
        self.assertIn(b"BR OK\n", again.stdout)
        self.assertEqual(len(self.read(self.path("flags/BR.gif"))), item.more["bytes"])

    def test_a_password_is_not_logged(self):
        url = self.server.url.replace("://", "://me:hush@")
        self.logged("flags2_async", f"--base-url={url}/flags", f"--dest={self.path('flags')}", "BR")
        for path in (self.log, self.more):
            self.assertNotIn(b"hush", self.read(path))


if __name__ == "__main__":
    unittest.main()
