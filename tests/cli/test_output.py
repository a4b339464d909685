"""What every program prints, to the character (but for the times)."""

import os
import unittest

from harness import FAST, MEDIUM, NUMBERS, POOLS, PROGRAMS, SEQUENTIAL, SLOW, CliTest, Running, is_prime, run


def usable_cpus(program):
    """The number of workers that a program says it takes by itself."""
    header = run(program.name, stdin=b"", *["--numbers=-"]).out
    return int(header.split()[4])


class Golden(CliTest):
    def test_the_expected_answers(self):
        self.assertEqual(NUMBERS, {n: is_prime(n) for n in NUMBERS})
        self.assertEqual([is_prime(n) for n in SLOW], [True] * len(SLOW))

    def test_without_arguments(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                workers = 1 if program is SEQUENTIAL else usable_cpus(program)
                self.check_success(program, run(program.name), NUMBERS, workers)

    def test_each_worker_count_on_the_20_numbers(self):
        for program in POOLS:
            for workers in (1, 2, 20):
                with self.subTest(program=program.name, workers=workers):
                    result = run(program.name, "--method=wheel", str(workers))
                    self.check_success(program, result, NUMBERS, workers)

    def test_each_worker_count_on_numbers_of_every_width(self):
        numbers = self.write(FAST)
        for program in POOLS:
            for workers in (1, 2, 4, 20, 1024):
                with self.subTest(program=program.name, workers=workers):
                    result = run(program.name, f"--numbers={numbers}", str(workers))
                    self.check_success(program, result, FAST, workers)

    def test_singular(self):
        numbers = self.write([7])
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, f"--numbers={numbers}", *program.argv(1))
                self.check_success(program, result, [7], 1)
                expected = "sequentially" if program is SEQUENTIAL else f"with 1 {program.unit[0]}"
                self.assertEqual(result.lines()[0], f"Checking 1 number {expected}:")
                if program.counts:
                    self.assertRegex(result.lines()[-1], r"\A1 check in ")

    def test_more_than_one_worker_for_one_number_and_the_reverse(self):
        for program in POOLS:
            for numbers, workers in (([7], 3), ([7, 8], 1)):
                with self.subTest(program=program.name, numbers=numbers):
                    result = run(program.name, f"--numbers={self.write(numbers)}", str(workers))
                    self.check_success(program, result, numbers, workers)

    def test_elapsed_tells_slow_from_quick(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, f"--numbers={self.write([4, MEDIUM[-1]])}", *program.argv(1))
                elapsed = {line.n: line.elapsed for line in self.check_collected(program, result.lines()[1:-1])}
                self.assertGreater(elapsed[MEDIUM[-1]], 0.005)
                self.assertLess(elapsed[4], elapsed[MEDIUM[-1]] / 10)


class UsableCpus(CliTest):
    def test_within_the_affinity_mask(self):
        counts = {usable_cpus(program) for program in POOLS}
        self.assertEqual(len(counts), 1, counts)
        self.assertIn(counts.pop(), range(1, len(os.sched_getaffinity(0)) + 1))

    def test_one_cpu_is_one_worker(self):
        cpu = min(os.sched_getaffinity(0))
        for program in POOLS:
            with self.subTest(program=program.name):
                result = run(program.name, f"--numbers={self.write(FAST)}",
                             prepare=lambda: os.sched_setaffinity(0, [cpu]))
                self.check_success(program, result, FAST, 1)


class Promptness(CliTest):
    """What is known is in the pipe while the next number is still being tested."""

    def test_header_before_the_work(self):
        numbers = self.write(SLOW[:1])
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                with Running(program.name, f"--numbers={numbers}", *program.argv(2)) as running:
                    self.assertEqual(running.readline(), program.header(1, 2))
                    self.assertEqual(running.read_ahead(), "")
                    self.assertIsNone(running.process.poll())

    def test_results_line_by_line(self):
        for program in PROGRAMS:
            first = 2**64 - 2 if program.descending else 4
            numbers = self.write([SLOW[0], first])
            with self.subTest(program=program.name):
                with Running(program.name, f"--numbers={numbers}", *program.argv(1)) as running:
                    running.readline()
                    self.check_collected(program, [line := running.readline()])
                    self.assertTrue(line.lstrip().startswith(f"{first} "), line)
                    self.assertEqual(running.read_ahead(), "")
                    self.assertIsNone(running.process.poll())


if __name__ == "__main__":
    unittest.main()
