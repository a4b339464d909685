"""--report=FILE on every program with an executor: the page is there when the program has ended, and stdout is as ever."""

import os
import tempfile
import unittest

from harness import HAS_OPENMP, CliTest, run

SMALL = {"primecheck": ["7", "9"], "demo_executor_map": ["2", "3"], "primes_map": ["2"],
         "quicksort_processes": [], "quicksort_threads": []}
PRIME_PROGRAMS = ["sequential", "threads", "procs", "thread_pool", "proc_pool", *(["openmp_pool"] if HAS_OPENMP else [])]


class Report(CliTest):
    def test_every_program(self):
        numbers = self.write([7, 9, 1000003])
        runs = {**SMALL, **{name: ["-n", numbers] for name in PRIME_PROGRAMS}}
        with tempfile.TemporaryDirectory() as folder:
            for name, args in runs.items():
                with self.subTest(program=name):
                    file = os.path.join(folder, f"{name}.html")
                    result = run(name, *args, f"--report={file}")
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.assertEqual(len(result.lines()), len(run(name, *args).lines()))
                    with open(file, encoding="utf-8") as page:
                        text = page.read()
                    self.assertRegex(text, r"\A<!(?:doctype|DOCTYPE) html>")
                    self.assertIn(name, text)
            self.assertEqual(len(os.listdir(folder)), len(runs))  # nothing else is left

    def test_that_cannot_be_written(self):
        result = run("sequential", "-n", self.write([7]), "--report=/nowhere/report.html")
        self.assertEqual(result.code, 3)
        self.assertIn("/nowhere/report.html: No such file or directory", result.err)


if __name__ == "__main__":
    unittest.main()
