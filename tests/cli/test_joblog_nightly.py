"""Runs of ten million numbers, killed at a hundred random moments: the output is that of a run that nobody disturbs."""

import unittest

from harness import scaled, seeded_random
from joblog import JoblogTest, random_numbers


class TenMillion(JoblogTest):
    def check(self, executor, order, workers=False, kills=100):
        generator = seeded_random()
        file = self.path("numbers")
        self.put(file, random_numbers(generator, 10**7, bad=1e-5))
        args = ("primecheck", "-e", executor, "-w", 2, "-o", order, "-f", file)
        expected, result = self.kill_often(scaled(kills), generator, args, workers)
        self.assertEqual((result.code, expected.code, len(result.out)), (1, 1, len(expected.out)))
        if order == "completed":
            self.assertTrue(sorted(result.out.splitlines()) == sorted(expected.out.splitlines()))
        else:
            self.assertTrue(result.out == expected.out)

    def test_threads(self):
        self.check("threads", "input")

    def test_processes(self):
        self.check("processes", "input")

    def test_processes_whose_workers_are_killed(self):
        self.check("processes", "input", workers=True)

    def test_threads_as_completed(self):
        self.check("threads", "completed", kills=20)


if __name__ == "__main__":
    unittest.main()
