"""primecheck and what happens to it: signals, a pipe that is closed, workers that are killed, a terminal."""

import fcntl
import itertools
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from harness import (Running, children, computed, is_prime, kill, parse_json_lines, read_proc, scaled, seeded_random,
                     signal_mask, state, wait_for)
from primecheck import (EXECUTORS, KILLED, POOLS, SLOW_NUMBER, Interactive, PrimecheckTest, check, mixed_input)

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS_WITHIN = 10.0
AT_ONCE = 1.0


def delivered(running, number):
    """Waits until the program has taken that signal in: two that are pending would be one."""
    wait_for("delivery", lambda: state(running.pid) == "Z" or number not in signal_mask(running.pid, "ShdPnd"),
             within=AT_ONCE)


def processor_time(pid):
    """In nanoseconds; -1 if it is gone."""
    fields = read_proc(f"{pid}/schedstat").split()
    return int(fields[0]) if fields else -1


class Signals(PrimecheckTest):
    def check_ended(self, running, number, out, within=ENDS_WITHIN):
        result = running.finish(within)  # which also looks for workers that are left
        self.assertEqual((result.code, result.out, result.err), (-number, out, ""))

    def test_while_the_input_waits(self):
        for executor, number, to_group in itertools.product(EXECUTORS, ENDING, (False, True)):
            with self.subTest(executor=executor, signal=number.name, to_group=to_group):
                with Interactive("-e", executor, "-w1") as running:
                    running.send("7\n8 1")
                    self.assertEqual(running.readline(), "7 prime")
                    self.assertEqual(running.readline(), "8 composite")
                    (running.signal_group if to_group else running.signal)(number)
                    self.check_ended(running, number, "7 prime\n8 composite\n")

    def test_while_a_slow_number_is_tested(self):
        for executor, number in itertools.product(POOLS, ENDING):
            with self.subTest(executor=executor, signal=number.name):
                with Interactive("-e", executor, "-w2", "-mtrial") as running:
                    running.send(f"7\n{SLOW_NUMBER}\n{SLOW_NUMBER}\n")
                    self.assertEqual(running.readline(), "7 prime")
                    running.signal(number)
                    self.check_ended(running, number, "7 prime\n")

    def test_what_the_order_still_hides_is_printed(self):
        """All is done but for the first number, whose line would come first."""
        for executor in POOLS:
            with self.subTest(executor=executor), Interactive("-e", executor, "-w2", "-mtrial") as running:
                running.send(f"{SLOW_NUMBER}\n7\n8\n")
                if executor == "processes":
                    running.only_busy_process()
                else:
                    running.only_busy_thread()
                running.signal(signal.SIGINT)
                self.check_ended(running, signal.SIGINT, "7 prime\n8 composite\n")

    def test_counts_so_far(self):
        for executor in EXECUTORS:
            with self.subTest(executor=executor), Interactive("-c", "-e", executor) as running:
                running.send("7\n8\n9\n11\n1")
                wait_for("the program to read", lambda: running.unread() == 0)
                running.wait_until_idle()
                running.signal(signal.SIGTERM)
                self.check_ended(running, signal.SIGTERM, "primes: 2\ncomposites: 2\n")

    def test_in_the_middle_of_much(self):
        """Whole lines, in order, from the first on; and no message."""
        generator = seeded_random()
        for executor, order in itertools.product(EXECUTORS, ("input", "completed")):
            for _ in range(scaled(2)):
                with subprocess.Popen(["seq", "1000000000"], stdout=subprocess.PIPE) as seq:
                    with Interactive("-e", executor, "-o", order, source=seq.stdout) as running:
                        seq.stdout.close()
                        number = generator.choice(ENDING)
                        for _ in range(generator.choice((1, 1000))):
                            running.readline()
                        running.signal(number)
                        result = running.finish(ENDS_WITHIN)
                with self.subTest(executor=executor, order=order, signal=number.name):
                    self.assertEqual((result.code, result.err), (-number, ""))
                    self.assertTrue(result.out.endswith("\n"))
                    numbers = [int(re.fullmatch(r"(\d+) (?:prime|composite)", line)[1]) for line in result.lines()]
                    if order == "input":  # what was done beyond one that was not, is printed too
                        self.assertTrue(numbers == sorted(numbers) and numbers[0] == 1, "out of order")
                    self.assertEqual(len(set(numbers)), len(numbers))

    def test_the_second_ends_at_once(self):
        for executor, number in itertools.product(EXECUTORS, ENDING):
            with self.subTest(executor=executor, signal=number.name):
                with Interactive("-e", executor, "-mtrial") as running:
                    running.send(f"7\n{SLOW_NUMBER}\n{SLOW_NUMBER}\n")
                    running.readline()
                    running.signal(number)
                    delivered(running, number)
                    running.signal(number)
                    self.assertEqual(running.finish(AT_ONCE).code, -number)

    def test_when_nobody_reads(self):
        """Standard output is a full pipe: even so it ends."""
        for executor in EXECUTORS:
            with self.subTest(executor=executor):
                reader, writer = os.pipe()
                with subprocess.Popen(["yes", "7"], stdout=subprocess.PIPE) as yes:
                    with Interactive("-e", executor, source=yes.stdout, stdout=writer) as running:
                        yes.stdout.close()
                        os.close(writer)
                        size = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
                        wait_for("a full pipe", lambda: struct.unpack(
                            "i", fcntl.ioctl(reader, termios.FIONREAD, bytes(4)))[0] > size - 4096)
                        running.signal(signal.SIGINT)
                        self.assertEqual(running.finish(ENDS_WITHIN).code, -signal.SIGINT)
                os.close(reader)

    def test_ignored_ones_stay_ignored(self):
        reader, writer = os.pipe()

        def prepare():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            os.dup2(reader, 0)

        with Running("primecheck", prepare=prepare) as running:
            os.close(reader)
            os.write(writer, b"7\n")
            running.readline()
            running.signal_group(signal.SIGHUP)
            os.write(writer, b"8\n")
            running.readline()
            os.close(writer)
            self.assertEqual(running.finish(), (0, "7 prime\n8 composite\n", ""))

    def test_during_a_range(self):
        for argv in (["-c"], []):
            with self.subTest(argv=argv):
                with Running("primecheck", "-r0..18446744073709551615", *argv, stdout=subprocess.DEVNULL) as running:
                    wait_for("work", lambda: computed(running.pid) >= 3)
                    running.signal(signal.SIGINT)
                    result = running.finish(ENDS_WITHIN)
                self.assertEqual((result.code, result.err), (-signal.SIGINT, ""))


class ClosedPipe(PrimecheckTest):
    def check_head(self, running, reader, first):
        with os.fdopen(reader, "rb", buffering=0) as file:
            self.assertEqual(file.read(len(first)), first)
        result = running.finish(ENDS_WITHIN)
        self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    def test_ends_quietly(self):
        for executor, options in itertools.product(EXECUTORS, ([], ["-ocompleted"], ["--only=primes"], ["-w5",
                                                                                "--block=1"])):
            if executor == "serial" and "-w5" in options:
                continue
            with self.subTest(executor=executor, options=options):
                reader, writer = os.pipe()
                with subprocess.Popen(["yes", "7"], stdout=subprocess.PIPE) as yes:
                    with Interactive("-e", executor, *options, source=yes.stdout, stdout=writer) as running:
                        yes.stdout.close()
                        os.close(writer)
                        self.check_head(running, reader, b"7\n" if "--only=primes" in options else b"7 prime\n")

    def test_of_a_range(self):
        for options in ([], ["--json"]):
            reader, writer = os.pipe()
            with Running("primecheck", "-r0..18446744073709551615", *options, stdout=writer) as running:
                os.close(writer)
                self.check_head(running, reader, b'{"n":"2","prime":true' if options else b"2\n3\n5\n")

    def test_closed_from_the_start(self):
        for argv in (["7"], ["-c", "7"], ["-r1..5"], ["-c", "-r1..5"], ["--help"], ["-eprocesses", "7"], ["-j", "7"]):
            with self.subTest(argv=argv):
                reader, writer = os.pipe()
                os.close(reader)
                with Running("primecheck", *argv, stdout=writer) as running:
                    os.close(writer)
                    result = running.finish()
                self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))


class Death(PrimecheckTest):
    def test_killed_now_and_then(self):
        """What a killed worker had in hand is done again: not a byte is different."""
        generator = seeded_random()
        data = mixed_input(generator, 1000)
        self.check_killed(generator, data + b"\n" + b"\n".join(b"%d" % generator.getrandbits(64)
                                                               for _ in range(300000)), least=0)
        slow = []
        while len(slow) < 600:  # a millisecond each, by trial division
            if is_prime(n := generator.randrange(10**11, 10**12) | 1):
                slow.append(generator.choice((b"%d", b"+%d", b"0%d", b"%d x ")) % n)
        for block in ("--block=1", "--block=64"):
            self.check_killed(generator, b"\n".join(slow), "-mtrial", block, least=2)

    def check_killed(self, generator, data, *argv, least):
        expected = check(data=data, file=True)
        with self.subTest(argv=argv), tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as out, \
                Interactive("-eprocesses", "-w3", *argv, errors=errors, stdout=out) as running:
            running.feed(data)
            killed, after = 0, 0
            while killed < 6 and running.process.poll() is None:
                # one that has used up to 50 ms of its own, or has just begun
                if workers := [worker for nursery in children(running.pid) for worker in children(nursery)
                               if processor_time(worker) >= after]:
                    kill(generator.choice(workers), signal.SIGKILL)
                    killed += 1
                    after = generator.choice((0, generator.randrange(50_000_000)))
            result = running.finish_in_bytes()
            out.seek(0)
            self.assertGreaterEqual(killed, least)
            self.assertEqual((result.code, result.err), (expected.code, expected.err))
            self.assertTrue(out.read() == expected.out, "other bytes")

    def kill_each_time(self, *argv, data):
        with Interactive("-eprocesses", "-w1", "-mtrial", *argv) as running:
            running.feed(data.encode())
            for _ in range(3):
                kill(worker := running.busy_worker(1), signal.SIGKILL)
                wait_for("its death", lambda: state(worker) in "XZ")
            return running.finish()

    def test_killed_each_time(self):
        result = self.kill_each_time(data=f"7\n{SLOW_NUMBER}\n+9\n")
        self.assertEqual(result, (1, f"7 prime\n{SLOW_NUMBER} ! {KILLED}\n+9 composite\n", ""))

    def test_all_numbers_of_the_block(self):
        result = self.kill_each_time("--block=64", data=f"7 {SLOW_NUMBER}\nx +0x9\n" + 64 * " " + "\n7")
        self.assertEqual((result.code, result.err), (1, "primecheck: -:2: 'x' is not a non-negative integer\n"))
        self.assertEqual(result.out, f"7 ! {KILLED}\n{SLOW_NUMBER} ! {KILLED}\n+0x9 ! {KILLED}\n7 prime\n")

    def test_in_every_format(self):
        data = f"{SLOW_NUMBER}\n7\n"
        for only in ("primes", "composites"):
            result = self.kill_each_time(f"--only={only}", data=data)
            self.assertEqual(result.code, 1)
            self.assertEqual(result.lines()[0], f"{SLOW_NUMBER} ! {KILLED}")
        result = self.kill_each_time("-c", data=data)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.lines()[:2], ["primes: 1", "composites: 0"])
        result = self.kill_each_time("-j", data=data)
        first, second, last = parse_json_lines(result.out)
        self.assertEqual((first["n"], first["error"], first["attempts"]), (SLOW_NUMBER, KILLED, 3))
        self.assertEqual((second["n"], second["prime"]), ("7", True))
        self.assertEqual((last["summary"]["numbers"], last["summary"]["failed"]), (2, 1))


class Terminal(PrimecheckTest):
    def run_on_terminal(self, *argv, columns=40):
        """What is on the terminal that stderr is, while numbers are sent until something shows; and the result."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
        shown = b""
        until = time.monotonic() + 2
        with Interactive(*argv, stderr=theirs) as running:
            os.close(theirs)
            while shown.count(b"numbers") < 3 and time.monotonic() < until:
                running.send("7\n")
                self.assertEqual(running.readline(), "7 prime")
                if select.select([ours], [], [], 0.01)[0]:
                    shown += os.read(ours, 65536)
            running.send("x\n")
            running.close_input()
            result = running.finish()
            while select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # all others have closed it
                    break
        self.assertEqual((result.code, set(result.lines())), (1, {"7 prime"}))
        return shown.decode()

    def test_progress(self):
        for columns in (40, 20, 80, 200):
            with self.subTest(columns=columns):
                shown = self.run_on_terminal("--progress", columns=columns)
                drawn = [text for text in re.split("\r\x1b\\[K|\r\n", shown) if text]
                self.assertGreaterEqual(len(drawn), 4, shown)
                self.assertTrue(all("numbers"[:columns] in text for text in drawn[:3]) or columns < 40, shown)
                self.assertIn("primecheck: -:", shown)
                self.assertTrue(all(len(text) < columns for text in drawn if "primecheck" not in text), shown)
                # the message stands on a line of its own, and nothing of the progress is left
                self.assertRegex(shown, r"\r\x1b\[Kprimecheck: -:\d+: 'x' is not a non-negative integer\r\n\Z")

    def test_nothing_unasked(self):
        self.assertRegex(self.run_on_terminal(), r"\Aprimecheck: -:\d+: 'x' is not a non-negative integer\r\n\Z")

    def test_wiped_out_in_the_end(self):
        """By a signal too."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        shown = b""
        with Interactive("--progress", stderr=theirs) as running:
            os.close(theirs)
            while b"numbers" not in shown:
                running.send("7\n")
                running.readline()
                if select.select([ours], [], [], 0.01)[0]:
                    shown += os.read(ours, 65536)
            running.signal(signal.SIGINT)
            self.assertEqual(running.finish(ENDS_WITHIN).code, -signal.SIGINT)
            while select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536)
                except OSError:
                    break
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)


if __name__ == "__main__":
    unittest.main()
