"""--joblog: what the log says, and what is refused when a run is to go on from it."""

import os
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

from harness import (BIN, FAST, MEDIUM, PROGRAMS, SLOW, children, computed, parse_line, seeded_random, state,
                     wait_for)
from joblog import HAS_FLAGS, JoblogTest, random_numbers, without_times

PARALLEL = shutil.which("parallel")


class Lines(JoblogTest):
    """What is in the log, and that its commands do the same again."""

    def test_prime_programs(self):
        file = self.write([*FAST, MEDIUM[0]])
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                self.begin()
                before = time.time()
                result = self.logged(program.name, *program.argv(2), f"--numbers={file}")
                self.assertEqual((result.code, result.err), (0, ""))
                items = self.items()
                lines = result.out.decode().splitlines()[1:-1]
                self.assertEqual([item.more["label"] for item in items], [line.split()[0] for line in lines])
                self.assertEqual([item.received for item in items], [len(line) + 1 for line in lines])
                submitted = sorted([*FAST, MEDIUM[0]], reverse=program.descending)
                for item, line in zip(items, map(parse_line, lines)):
                    self.assertEqual(str(submitted[item.seq - 1]), item.more["label"])
                    self.assertEqual((item.exit, item.signal, item.more["prime"]), (0, 0, line.prime))
                    self.assertAlmostEqual(item.more["elapsed_ns"] / 1e9, line.elapsed, places=5)
                    self.assertAlmostEqual(item.runtime, line.elapsed, places=2)
                    self.assertTrue(before - 0.01 <= item.started <= time.time(), item)
                again = self.run_again(items[0])
                self.assertEqual((again.returncode, again.stderr), (0, b""))
                self.assertIn(without_times(lines[0].encode() + b"\n"), without_times(again.stdout))

    def test_a_number_that_failed(self):
        file = self.write([SLOW[0], 97])
        result = self.logged("thread_pool", "2", f"--numbers={file}", "--timeout=0.05")
        self.assertEqual(result.code, 1)
        late, fine = self.items()
        self.assertEqual((late.exit, late.signal, late.more["reason"]), (1, 0, "timed out after 0.05s"))
        self.assertEqual((fine.exit, fine.more["reason"]), (0, None))
        self.assertEqual(self.run_again(late).returncode, 1)
        again = self.resumed("thread_pool", "2", f"--numbers={file}", "--timeout=0.05")
        self.assertEqual((again.code, without_times(again.out)), (1, without_times(result.out)))

    def test_a_worker_that_was_killed(self):
        file = self.write([SLOW[0]])
        args = ("proc_pool", "1", f"--numbers={file}", "--retries=0")
        process = self.start(*args, f"--joblog={self.log}")

        def busy():  # an idle one has no number yet
            workers = [pid for nursery in children(process.pid) for pid in children(nursery)]
            return next((pid for pid in workers if state(pid) == "R" and computed(pid) >= 3), None)

        worker = wait_for("a busy worker", busy)
        os.kill(worker, signal.SIGKILL)
        self.assertEqual(self.finish(process).code, 1)
        item, = self.items()
        self.assertEqual((item.exit, item.signal, item.more["reason"]), (0, 9, "killed by signal 9 (SIGKILL)"))
        result = self.resumed(*args)
        self.assertEqual((result.code, result.err), (1, ""))
        self.assertIn(b"! killed by signal 9 (SIGKILL)\n", result.out)

    def check_blocks(self, result, data, more=()):
        """The blocks cover the input, and each one's command prints what the run has printed for it."""
        items = self.items()
        self.assertEqual(b"".join(data[i.more["from"]:i.more["to"]] for i in items), data)
        self.assertEqual([item.seq for item in items], list(range(1, len(items) + 1)))
        at = 0
        for item in items:
            self.assertEqual(item.sent, item.more["to"] - item.more["from"])
            self.assertEqual(item.more["out"], at + item.received)
            again = self.run_again(item, **dict(more))
            self.assertEqual(again.stdout, result.out[at:item.more["out"]], item)
            self.assertEqual(again.returncode, item.exit)
            at = item.more["out"]
        self.assertEqual(at, len(result.out))

    def test_blocks_of_a_file(self):
        data = random_numbers(seeded_random(), 80, bad=0.05)
        file = self.path("o'clock $HOME `date` \t*.txt")  # a shell must take it as it is
        self.put(file, data)
        for options in ([], ["--only=primes"], ["--method=wheel", "--max-digits=12", "-e", "processes"]):
            with self.subTest(options=options):
                self.begin()
                result = self.logged("primecheck", f"--file={file}", "--block=600", *options)
                self.assertEqual(result.code, 1)
                self.check_blocks(result, data)

    def test_a_name_with_a_newline(self):
        file = self.path("two\nlines")
        self.put(file, b"97\n98\n")
        self.assertEqual(self.logged("primecheck", f"--file={file}").code, 0)
        line = self.read(self.log).split(b"\n")[1]
        self.assertIn(b"two\0lines", line)  # as GNU parallel writes it
        item, = self.items()
        self.assertEqual(self.run_again(item).stdout, b"97 prime\n98 composite\n")

    def test_blocks_of_standard_input(self):
        data = random_numbers(seeded_random(), 80, bad=0.05)
        file = self.path("numbers")
        self.put(file, data)
        result = self.logged("primecheck", "--block=600", source=file)
        self.check_blocks(result, data)
        self.begin()
        with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as cat, open(self.out, "ab") as out:
            subprocess.run([os.path.join(BIN, "primecheck"), "--block=600", f"--joblog={self.log}"], stdin=cat.stdout,
                           stdout=out, stderr=subprocess.DEVNULL, timeout=60)
        for item in self.items()[:3]:  # their commands read the same input again
            with open(file, "rb") as source:
                self.assertEqual(len(self.run_again(item, stdin=source).stdout), item.received)

    def test_words(self):
        words = ["97", "x;rm -rf '", "$(false)", "-5", "0x61", "98"]
        result = self.logged("primecheck", "--block=16", "--", *words)
        self.assertEqual((result.code, result.out), (1, b"97 prime\n0x61 prime\n98 composite\n"))
        printed = b"".join(self.run_again(item).stdout for item in self.items())
        self.assertEqual(printed, result.out)

    @unittest.skipUnless(PARALLEL, "GNU parallel is not there")
    def test_gnu_parallel_reads_it(self):
        args = ("primecheck", "--block=300", "--file", self.write([10**19 + i for i in range(30)] + ["x"]))
        self.assertEqual(self.logged(*args).code, 1)
        count = len(self.items())
        log = self.path("copy")
        shutil.copy(self.log, log)

        def parallel(*args):
            return subprocess.run([PARALLEL, "--will-cite", "-j1", "-k", "--joblog", log, *args], capture_output=True,
                                  text=True, timeout=60, env={**os.environ, "HOME": self.folder})

        result = parallel("--resume", "echo", "ran", "{#}", ":::", *map(str, range(count + 2)))
        self.assertEqual((result.stdout, result.returncode), (f"ran {count + 1}\nran {count + 2}\n", 0), result.stderr)
        shutil.copy(self.log, log)
        result = parallel("--retry-failed")  # runs the command of the block with the x
        self.assertIn("'x' is not a non-negative integer", result.stderr)
        self.assertEqual(result.returncode, 1)


class Refused(JoblogTest):
    """Nothing is touched, and the message says why."""

    def setUp(self):
        super().setUp()
        self.file = self.path("numbers")
        self.put(self.file, b"".join(b"%d\n" % n for n in range(1000, 1100)))
        self.args = ("primecheck", "-f", self.file, "--block=100")
        self.logged(*self.args)

    def check_refused(self, args, code, message, **options):
        before = [self.read(path) for path in (self.log, self.more, self.out)]
        result = self.resumed(*args, **options)
        self.assertEqual(result.code, code, result.err)
        self.assertRegex(result.err, rf"\A{os.path.basename(args[0])}: {message}")
        self.assertEqual([self.read(path) for path in (self.log, self.more, self.out)], before)

    def test_another_input(self):
        data = self.read(self.file)
        refusal = rf"{re.escape(self.file)}: not the input that {re.escape(self.log)} tells of: "
        self.put(self.file, data + b"7\n")
        self.check_refused(self.args, 3, refusal + "its size has changed")
        self.put(self.file, data.replace(b"1050", b"1051"))
        self.check_refused(self.args, 3, refusal + "bytes 200 to 300 have changed")
        self.check_refused(("primecheck", "--block=100", "7"), 3, "the command line: not the input")

    def test_other_numbers(self):
        self.begin()
        file = self.write([7, 8, 9])
        self.logged("thread_pool", "2", "-n", file)
        self.check_refused(("thread_pool", "2", "-n", self.write([7, 8, 10])), 3, ".*: not the input")
        self.check_refused(("thread_pool", "2", "-n", self.write([7, 8])), 3, ".*: not the input .*size")
        self.check_refused(("thread_pool", "2"), 3, "the 20 numbers: not the input")
        self.assertEqual(self.resumed("thread_pool", "1", "-n", self.write([9, 7, 8])).code, 0)  # the same numbers

    def test_other_options(self):
        for option, name in (("--only=primes", "--only"), ("--json", "--json"), ("--count", "--count"),
                             ("-ocompleted", "--order"), ("-mtrial", "--method"), ("--max-digits=9", "--max-digits")):
            with self.subTest(option=option):
                self.check_refused((*self.args, option), 2, rf"{name}: the run that .* tells of had '\w+', not '\w+'")
        for options in (["-w", "1"], ["-e", "processes"], ["--block=50"], ["--stats"]):
            self.assertEqual(self.resumed(*self.args, *options).code, 0)

    def test_another_program(self):
        self.check_refused(("sequential",), 3, rf"{re.escape(self.more)}:1: the job log of another program")

    def test_standard_output(self):
        self.assertIn("not a regular file", subprocess.run(
            [os.path.join(BIN, self.args[0]), *self.args[1:], "--resume", f"--joblog={self.log}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60).stderr)
        out = self.read(self.out)
        self.put(self.out, out[:-10])
        self.check_refused(self.args, 3, "standard output is shorter than .* tells: .*>>")
        self.put(self.out, b"something else, which is long enough\n" * 100)
        self.check_refused(self.args, 3, "standard output is not the file that .* tells of: bytes 0 to ")
        self.put(self.out, out)
        self.assertEqual(self.resumed(*self.args, mode="r+b").out, out)  # 1<> out

    def test_not_ours(self):
        log, more = self.read(self.log), self.read(self.more)
        lines, mores = log.splitlines(keepends=True), more.splitlines(keepends=True)
        cases = [
            (b"7\n8\n", more, f"{self.log}:1: "), (b"7", more, f"{self.log}:1: "),
            (log.replace(b"Seq", b"seq", 1), more, f"{self.log}:1: "),
            (lines[0] + b"no line\n" + b"".join(lines[1:]), more, f"{self.log}:2: "),
            (lines[0] + lines[2] + lines[1], more, f"{self.more}:2: "),
            (log, b"", f"{self.more}:1: "), (log, b"7\n", f"{self.more}:1: "),
            (log, more.replace(b'"format":1', b'"format":2', 1), f"{self.more}:1: "),
            (log, mores[0] + mores[1] + b"{}\n" + b"".join(mores[3:]), f"{self.more}:3: "),
            (log, mores[0] + b"\0\n" + b"".join(mores[2:]), f"{self.more}:2: "),
            (log, more.replace(b'"to":100', b'"to":0', 1), f"{self.more}:2: "),
            (log, more.replace(b'"out":', b'"out":-', 1), f"{self.more}:2: "),
        ]
        for log, more, place in cases:
            with self.subTest(place=place, log=log[:200], more=more[:200]):
                self.put(self.log, log)
                self.put(self.more, more)
                self.check_refused(self.args, 3, re.escape(place))
        self.put(self.log, b"".join(lines))
        os.unlink(self.more)  # a log of GNU parallel's own
        result = self.resumed(*self.args)
        self.assertEqual((result.code, result.err), (3, f"primecheck: {self.more}: No such file or directory\n"))

    def test_usage(self):
        for program in ("primecheck", *(p.name for p in PROGRAMS), *(["flags2_async"] if HAS_FLAGS else [])):
            result = self.run_to_end(program, "--resume")
            self.assertEqual(result.code, 2)
            self.assertIn("--resume: needs --joblog=FILE", result.err)
        self.assertEqual(self.run_to_end("primecheck", "--range=1..9", f"--joblog={self.log}").code, 2)

    def test_a_pipe_as_completed(self):
        self.begin()
        with open(self.out, "ab") as out:
            result = subprocess.run([os.path.join(BIN, "primecheck"), "-ocompleted", "--resume", f"--joblog={self.log}"],
                                    input=b"7\n", stdout=out, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((result.returncode, self.read(self.out)), (2, b""))
        self.assertIn(b"--order=completed", result.stderr)


class Unwritable(JoblogTest):
    """Exit 3, and the file is named."""

    def test_cannot_be_opened(self):
        for program in ("primecheck", *(p.name for p in PROGRAMS), *(["flags2_async"] if HAS_FLAGS else [])):
            for log in (self.path("none/log"), self.folder, ""):
                argv = ("--base-url=http://127.0.0.1:9", f"--dest={self.path('d')}") if "flags" in program else ()
                result = self.run_to_end(program, f"--joblog={log}", *argv)
                self.assertEqual((result.code, result.out), (3, b""), result.err)
                self.assertTrue(result.err.startswith(f"{program}: {log}"), result.err)

    def test_no_room_from_the_beginning(self):
        os.symlink("/dev/full", self.log)
        result = self.logged("sequential", "-n", self.write([7]))
        self.assertEqual((result.code, result.out), (3, b""))
        self.assertEqual(result.err, f"sequential: {self.log}: No space left on device\n")

    def test_no_room_later(self):
        """Standard output is a pipe, which has no limit."""
        def prepare():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

        numbers = self.write(range(2000))
        for args in (("primecheck", "-f", numbers, "--block=64"), ("thread_pool", "2", "-n", numbers),
                     ("sequential", "-n", numbers)):
            with self.subTest(args=args):
                result = subprocess.run([os.path.join(BIN, args[0]), *args[1:], f"--joblog={self.log}"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
                                        timeout=60)
                self.assertEqual(result.returncode, 3)
                self.assertRegex(result.stderr, rf"\A{args[0]}: {re.escape(self.log)}(\.more)?: File too large\n\Z")


if __name__ == "__main__":
    unittest.main()
