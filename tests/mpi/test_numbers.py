"""mpi_pool prints what proc_pool prints, with any number of ranks."""

import os
import re
import tempfile
import unittest

from jobs import MPI_POOL, POOL, MpiTest, nightly, only_nightly, run_job
from harness import MAX, NUMBERS, is_prime, parse_json_lines, run


def without_times(text):
    return [re.sub(r"\d+\.\d+s", "", line) for line in text.splitlines()[1:]]


class Numbers(MpiTest):
    def test_as_proc_pool(self):
        """The documents' twenty."""
        expected = without_times(run("proc_pool", "2").out)
        for ranks in nightly(1, 3, 8, then=(2, 4)):
            with self.subTest(ranks=ranks):
                result = run_job(ranks, POOL)
                self.check_success(MPI_POOL, result, list(NUMBERS), max(1, ranks - 1))
                self.assertEqual(without_times(result.out), expected)

    @only_nightly
    def test_split(self):
        """The divisors of one number on all ranks."""
        numbers = self.write([10**12 + 39, 999999999989, 2**40 + 15])
        expected = without_times(run("proc_pool", "2", "--numbers", numbers).out)
        result = run_job(4, POOL, "--split", "--numbers", numbers)
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertEqual(without_times(result.out), expected)

    def test_standard_input(self):
        """Rank 0 has mpirun's."""
        result = run_job(3, POOL, "--numbers", "-", stdin=b"7\n9\n")
        self.check_success(MPI_POOL, result, [7, 9], 2)

    def test_usage(self):
        """Every rank finds a usage error, before MPI is begun."""
        result = run_job(3, POOL, "--no-such-option")
        self.assertNotEqual(result.code, 0)
        self.assertIn("no-such-option", result.err)

    def test_options_together(self):
        """Rank 0 prints, counts and writes for all."""
        numbers = [7, 9, 1000003, MAX]
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "run.prom")
            result = run_job(3, POOL, "-jS", "--split", "--order=completed", "--method=wheel", "--retries=1", "--timeout=30",
                             "--progress", f"--metrics={page}", f"--trace={folder}/trace", f"--report={folder}/report",
                             "-n", self.write(numbers))
            self.assertEqual((result.code, result.err), (0, ""))
            *lines, last, stats = parse_json_lines(result.out)
            self.assertEqual({int(line["n"]): line["prime"] for line in lines}, {n: is_prime(n) for n in numbers})
            self.assertEqual((last["summary"]["executor"], last["summary"]["numbers"]), ("mpi", 4))
            self.assertEqual(len(stats["stats"]["workers"]), 2)
            with open(page) as file:
                self.assertEqual(sorted(os.listdir(folder)), ["report", "run.prom", "trace"])
                self.assertIn('primepool_numbers_total{verdict="prime"} 2\n', file.read())

    def test_job_log(self):
        """Alone, since mpirun's pipe is no file to go on with: nothing is printed twice."""
        with tempfile.TemporaryDirectory() as folder, open(f"{folder}/out", "ab") as out:
            args = [f"--joblog={folder}/log", "-n", self.write([7, 9, 1000003])]
            for more in ([], ["--resume"]):
                self.assertEqual(run("mpi_pool", *args, *more, stdout=out).code, 0)
                with open(out.name) as file:
                    printed = file.read()
                self.assertEqual([int(line.split()[0]) for line in printed.splitlines()[1:-1]], [1000003, 9, 7])

    def test_about(self):
        """Without mpirun, and without MPI."""
        for option, start in (("--help", "Usage: mpi_pool "), ("--usage", "Usage: mpi_pool "),
                              ("--version", "mpi_pool (primepool) ")):
            result = run("mpi_pool", option)
            self.assertEqual((result.code, result.err, result.out[:len(start)]), (0, "", start))

    @only_nightly
    def test_completed(self):
        numbers = [1, 2, 3, MAX, MAX - 58]
        result = run_job(3, POOL, "--order", "completed", "--method", "bpsw", "--numbers", self.write(numbers))
        self.check_success(MPI_POOL, result, numbers, 2, order="completed")


if __name__ == "__main__":
    unittest.main()
