"""--progress of primecheck and the prime programs: on a terminal and nowhere else, with rate and time left."""

import fcntl
import os
import re
import signal
import termios
import unittest

from harness import FAST, MAX, MEDIUM, PROC_POOL, PROGRAMS, SEQUENTIAL, SLOW, CliTest, Running, run, wait_for
from terminal import CLEAR, Screen, Terminal

DURATION = r"(?:\d+ s|\d+:\d\d|\d+:\d\d:\d\d)"
LINE = re.compile(rf"(?:( *\d+) %  )?(\d+) (numbers|primes)  (\d+\.\d\d)(?: thousand| million)?/s  {DURATION}"
                  rf"(?:  ({DURATION}) left)?")
LONG = 10**17 - 3  # a prime; half a second by trial division


def drawings(text):
    """Each state of the line, in order."""
    return [LINE.fullmatch(part) for part in re.findall(rf"\r{re.escape(CLEAR)}([^\r\n\x1b]+)", text)]


class ProgressTest(CliTest):
    def on_terminal(self, name, *args, both=False, **options):
        terminal = Terminal(100)
        self.addCleanup(terminal.close)

        def prepare():
            fcntl.ioctl(terminal.theirs, termios.TIOCSCTTY, 0)
            os.dup2(terminal.theirs, 2)

        if both:
            options["stdout"] = terminal.theirs
        running = Running(name, *args, prepare=prepare, env={"TERM": "xterm", "LC_ALL": "C"}, **options)
        self.addCleanup(running.__exit__)
        return running, terminal

    def draw(self, name, *args, **options):
        """(result, each line that was drawn, what is left on the terminal)"""
        running, terminal = self.on_terminal(name, *args, **options)
        result = running.finish()
        text = terminal.close()
        found = drawings(text)
        if options.get("both"):  # results are written in the line's place
            found = list(filter(None, found))
        self.assertNotIn(None, found, text)
        self.assertTrue(all(len(match[0]) < 100 for match in found))
        shares = [int(match[1]) for match in found if match[1]]
        self.assertEqual(shares, sorted(shares), text)
        counts = [int(match[2]) for match in found]
        self.assertEqual(counts, sorted(counts), text)
        return result, found, "\n".join(Screen(100).show(text).lines).rstrip()


class PrimePrograms(ProgressTest):
    def check(self, program, numbers, *args):
        """What was drawn on the way to the right answers; nothing of it is left in the end."""
        result, found, left = self.draw(program.name, "--progress", "-n", self.write(numbers), *program.argv(2), *args)
        order = "completed" if "-ocompleted" in args and program.unit else None
        self.check_success(program, result._replace(err=""), numbers, 2, order)
        self.assertEqual(left, "")
        return found

    def test_each(self):
        for program in PROGRAMS:
            for args in ([], ["-s"], ["-ocompleted", "-mvector"]):
                with self.subTest(program=program.name, args=args):
                    self.check(program, MEDIUM[:2], *args)

    def test_split_shows_the_middle_of_a_number(self):
        for program in (SEQUENTIAL, PROC_POOL):
            found = self.check(program, [MEDIUM[0], LONG], "-s")
            self.assertGreater(len({match[1] for match in found}), 1)

    def test_time_goes_on_without_results(self):
        """And no time left is told as long as nobody knows."""
        file = self.write([SLOW[0]])
        running, terminal = self.on_terminal("thread_pool", "--progress", "-n", file, "1")
        wait_for("three lines", lambda: len(drawings(terminal.so_far())) >= 3)
        running.signal(signal.SIGINT)
        self.assertEqual(running.finish().code, -signal.SIGINT)
        text = terminal.close()
        self.assertTrue(all(match and match[1] == "  0" and not match[5] for match in drawings(text)), text)
        self.assertEqual(Screen(100).show(text).lines, [""])

    def test_beside_results(self):
        """On the same terminal each result stands on a line of its own."""
        numbers = [*MEDIUM, LONG]
        file = self.write(numbers)
        _, _, left = self.draw("threads", "--progress", "--split", "-n", file, "2", both=True)
        lines = left.split("\n")
        self.check_report(next(p for p in PROGRAMS if p.name == "threads"), lines, numbers, 2)

    def test_only_on_a_terminal(self):
        file = self.write(FAST)
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                self.check_success(program, run(program.name, "--progress", "-n", file, *program.argv(2)), FAST, 2)


class Primecheck(ProgressTest):
    def test_share_is_that_of_what_is_shown(self):
        """Not of what was read: all of the input is, at once."""
        file = self.write([LONG, *[3] * 20, LONG])
        result, found, left = self.draw("primecheck", "--progress", "-w2", "-mtrial", "-f", file)
        self.assertEqual((result.code, left), (0, ""))
        self.assertEqual(len(result.lines()), 22)
        self.assertTrue(all(match[1] and int(match[1]) < 100 for match in found[:3]), found)

    def test_prove(self):
        """Numbers that take a while each: the time goes on while none is done."""
        file = self.write([2**1279 - 1, 2**2203 - 1, 2**2281 - 1])
        running, terminal = self.on_terminal("primecheck", "--progress", "--prove", "-w1", "-f", file)
        wait_for("two lines", lambda: len(drawings(terminal.so_far())) >= 2)
        running.signal(signal.SIGTERM)
        self.assertEqual(running.finish().code, -signal.SIGTERM)
        self.assertEqual(Screen(100).show(terminal.close()).lines, [""])

    def test_range(self):
        """The same count as without, found in pieces; the end of the range may be the last number of all."""
        for bounds in ("0..3000000000", f"{MAX - 10**8}..{MAX}"):
            with self.subTest(bounds=bounds):
                expected = run("primecheck", "-c", "-r", bounds).out
                result, found, left = self.draw("primecheck", "--progress", "-c", "-r", bounds)
                self.assertEqual((result.code, result.out, left), (0, expected, ""))
        self.assertTrue(all(match[3] == "primes" for match in found))
        result, found, left = self.draw("primecheck", "--progress", "-r", "0..10000000")
        self.assertEqual((result.code, len(result.lines()), left), (0, 664579, ""))

    def test_range_of_one_number(self):
        result, _, left = self.draw("primecheck", "--progress", "-c", "-r", f"{MAX}..{MAX}")
        self.assertEqual((result.code, result.out, left), (0, "primes: 0\n", ""))


if __name__ == "__main__":
    unittest.main()
