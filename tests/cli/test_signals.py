"""SIGINT, SIGTERM and SIGHUP: what is finished is reported, then the signal ends the program."""

import fcntl
import os
import signal
import struct
import termios
import time
import unittest

from harness import (FAST, MAX, MEDIUM, NUMBERS, POOLS, PROC_POOL, PROGRAMS, SLOW, CliTest, Running, kill, marked,
                     parse_json_lines, run, scaled, seeded_random, signal_mask, state, wait_for)

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS_WITHIN = 10.0  # seconds: a number in work may be finished first, on a slow machine too
AT_ONCE = 1.0


def delivered(running, number):
    """Waits until the program has taken that signal in: two that are pending would be one."""
    wait_for("delivery", lambda: state(running.pid) == "Z" or number not in signal_mask(running.pid, "ShdPnd"),
             within=AT_ONCE)


def unread(pipe):
    """The number of bytes in a pipe."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


class Once(CliTest):
    def check_interrupted(self, program, result, number, numbers):
        """Ended by that signal; header and some valid results, no last line. Returns the results."""
        self.assertEqual((result.code, result.err), (-number, ""))
        self.assertTrue(result.out.endswith("\n"))
        header, *lines = result.lines()
        self.assertEqual(header, program.header(len(numbers), 2))
        results = self.check_collected(program, lines)
        found = [line.n for line in results]
        self.assertEqual(len(found), len(set(found)))
        self.assertLess(set(found), set(numbers))
        return results

    def test_in_the_middle(self):
        for program in PROGRAMS:
            for number in ENDING:
                for to_group in (False, True):
                    with self.subTest(program=program.name, signal=number.name, to_group=to_group):
                        with Running(program.name, *program.argv(2)) as running:
                            seen = [running.readline() for _ in range(2)]
                            (running.signal_group if to_group else running.signal)(number)
                            result = running.finish(ENDS_WITHIN)
                        self.check_interrupted(program, result, number, NUMBERS)
                        self.assertEqual(result.lines()[:2], seen)

    def test_what_the_order_still_hides_is_reported(self):
        """All is done but for the number submitted first, which an ordered map waits for."""
        for program in POOLS:
            quick = [n for n in FAST if n < SLOW[0]] if program.descending else [MAX, MAX - 1]
            file = self.write([*quick, SLOW[0]])
            with self.subTest(program=program.name):
                with Running(program.name, "2", "-omap", "-n", file) as running:
                    self.assertEqual(running.readline(), program.header(len(quick) + 1, 2))
                    if program.kind == "process_pool":
                        running.only_busy_process()
                    else:
                        running.only_busy_thread()
                    running.signal(signal.SIGINT)
                    result = running.finish(ENDS_WITHIN)
                results = self.check_interrupted(program, result, signal.SIGINT, [*quick, SLOW[0]])
                self.assertEqual(sorted(line.n for line in results if line.prime is not None), sorted(quick))

    def test_at_random_moments(self):
        """From start-up to the end: all that is printed is whole and right, and nothing is left running."""
        generator = seeded_random()
        for _ in range(scaled(6)):
            for program in (PROC_POOL, PROGRAMS[1]):
                delay = generator.choice((generator.uniform(0, 0.02), generator.uniform(0, 0.7)))
                with self.subTest(program=program.name, delay=delay):
                    with Running(program.name, "-mwheel", "2") as running:
                        time.sleep(delay)
                        running.signal_group(signal.SIGINT)
                        result = running.finish(ENDS_WITHIN)
                    if result.code == 0:
                        self.check_success(program, result, NUMBERS, 2)
                        continue
                    self.assertEqual((result.code, result.err), (-signal.SIGINT, ""))
                    self.assertTrue(result.out == "" or result.out.endswith("\n"))
                    lines = result.lines()
                    if len(lines) < len(NUMBERS) + 2:  # else it was ended after its last line
                        self.check_collected(program, lines[1:])

    def test_split(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name), Running(program.name, "-s", *program.argv(2)) as running:
                running.readline()
                running.readline()
                running.signal(signal.SIGTERM)
                result = running.finish(ENDS_WITHIN)
                self.check_interrupted(program, result, signal.SIGTERM, NUMBERS)

    def test_json_stays_json_without_summary(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name), Running(program.name, "-j", *program.argv(2)) as running:
                running.readline()
                running.signal(signal.SIGINT)
                result = running.finish(ENDS_WITHIN)
                self.assertEqual((result.code, result.err), (-signal.SIGINT, ""))
                for line in parse_json_lines(result.out):
                    self.assertIn("n", line)


class Twice(CliTest):
    def test_the_second_ends_at_once(self):
        file = self.write(SLOW)
        for program in PROGRAMS:
            for number in ENDING:
                with self.subTest(program=program.name, signal=number.name):
                    with Running(program.name, "-n", file, *program.argv(2)) as running:
                        running.readline()
                        running.signal(number)
                        delivered(running, number)
                        running.signal(number)
                        self.assertEqual(running.finish(AT_ONCE).code, -number)

    def check_blocked(self, program, room):
        """The pipe has `room` bytes left and nobody reads it: a report cannot be written either."""
        reader, writer = os.pipe()
        size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, bytes(size - room))
        with Running(program.name, *program.argv(2), stdout=writer) as running:
            header = len(program.header(20, 2)) + 1
            if room >= header:
                wait_for("the header", lambda: unread(reader) == size - room + header)
            else:
                wait_for("sleep", lambda: state(running.pid) == "S")
            running.signal(signal.SIGINT)
            delivered(running, signal.SIGINT)
            running.signal(signal.SIGINT)
            self.assertEqual(running.finish(AT_ONCE).code, -signal.SIGINT)
        os.close(reader)
        os.close(writer)

    def test_also_when_the_header_is_stuck(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                self.check_blocked(program, 0)

    def test_also_when_the_results_are_stuck(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                self.check_blocked(program, 64)


class Inherited(CliTest):
    """What is ignored from the start (nohup, a background job of a shell script) stays ignored."""

    def test_ignored_signals(self):
        numbers = [*FAST, *MEDIUM[-1:]]
        file = self.write(numbers)
        for program in PROGRAMS:
            for number in (signal.SIGINT, signal.SIGHUP):
                with self.subTest(program=program.name, signal=number.name):
                    with Running(program.name, "-n", file, *program.argv(2),
                                 prepare=lambda: signal.signal(number, signal.SIG_IGN)) as running:
                        running.readline()
                        running.signal_group(number)
                        self.check_success(program, running.finish(), numbers, 2)

    def test_another_still_ends_it(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                with Running(program.name, *program.argv(2),
                             prepare=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) as running:
                    running.readline()
                    running.signal(signal.SIGINT)
                    running.signal(signal.SIGTERM)
                    self.assertEqual(running.finish(ENDS_WITHIN).code, -signal.SIGTERM)

    def test_children_reaped_by_the_kernel(self):
        """With SIGCHLD ignored a dead child leaves no status to wait for."""
        numbers = [*FAST, *MEDIUM[:1]]
        for program in POOLS:
            with self.subTest(program=program.name):
                result = run(program.name, "2", "-n", self.write(numbers),
                             prepare=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
                self.check_success(program, result, numbers, 2)

    def test_signals_blocked(self):
        numbers = [*FAST, *MEDIUM[:1]]
        for program in POOLS:
            with self.subTest(program=program.name):
                result = run(program.name, "2", "-n", self.write(numbers),
                             prepare=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))
                self.check_success(program, result, numbers, 2)


class Harmless(CliTest):
    def test_a_storm(self):
        """Signals that are ignored by default disturb nothing."""
        # LeakSanitizer stops the program by ptrace when it ends, for ever if a signal comes between.
        no_leak_check = {"ASAN_OPTIONS": "detect_leaks=0"}
        for program in POOLS:
            with self.subTest(program=program.name):
                with Running(program.name, "2", "-mwheel", env=no_leak_check) as running:
                    while running.process.poll() is None:
                        for number in (signal.SIGWINCH, signal.SIGCHLD, signal.SIGURG, signal.SIGCONT):
                            running.signal_group(number)
                        time.sleep(0.001)
                    self.check_success(program, running.finish(), NUMBERS, 2)

    def test_stopped_and_continued(self):
        """As Ctrl-Z does it (in this session of its own the kernel would not stop the program for that):
        the nursery passes it on and itself goes on."""
        numbers = [*FAST, *MEDIUM]
        with Running("proc_pool", "2", "-n", self.write(numbers)) as running:
            running.workers(2)
            nursery = running.nursery()
            running.signal(signal.SIGSTOP)
            kill(nursery, signal.SIGTSTP)
            wait_for("all to stop",
                     lambda: {state(pid) for pid in marked(running.mark) if pid != nursery} == {"T"})
            running.signal_group(signal.SIGCONT)
            self.check_success(PROC_POOL, running.finish(), numbers, 2)


if __name__ == "__main__":
    unittest.main()
