"""Ranks that are killed: with recovery their tasks run elsewhere, without it the job ends. Nothing hangs, nothing comes
twice."""

import os
import signal
import time
import unittest

from jobs import IS_OPEN_MPI, JOB, POOL, Job, Ledger, MpiTest, nightly, only_nightly
from harness import MEDIUM, is_prime, parse_line, wait_for

TASKS = 100000
ITEMS = 20000


class Lost(MpiTest):
    def check_names(self, result, ranks, pids=()):
        for rank in ranks:
            self.assertRegex(result.err, rf"mpi_\w+: rank {rank} \(process \d+ on \S+\) has died: its \d+ tasks? ")
        for pid in pids:
            self.assertIn(f"(process {pid} on", result.err)

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_each_in_turn(self):
        """A worker rank dies in the middle of many small tasks."""
        for rank in nightly(2, then=(1, 3)):
            with self.subTest(rank=rank):
                with Job(4, JOB, "work", f"count={TASKS}", f"map={ITEMS}", recovery=True) as job:
                    pids = job.rank_pids()
                    job.ledger.wait(Ledger.BEGUN, 1000 * rank)
                    pid = job.kill_rank(rank)
                    self.assertEqual(pid, pids[rank])
                    result = job.finish()
                self.check_work(result, TASKS, ITEMS)
                self.check_names(result, [rank], [pid])

    @only_nightly
    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_two_at_once(self):
        with Job(4, JOB, "work", f"count={TASKS}", f"map={ITEMS}", recovery=True) as job:
            pids = job.rank_pids()
            job.ledger.wait(Ledger.BEGUN, 2000)
            for rank in (1, 3):
                os.kill(pids[rank], signal.SIGKILL)
            result = job.finish()
        self.check_work(result, TASKS, ITEMS)
        self.check_names(result, [1, 3])

    @only_nightly
    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_in_map(self):
        with Job(3, JOB, "work", "map=3000", "us=500", recovery=True) as job:
            pids = job.rank_pids()
            job.ledger.wait(Ledger.BEGUN, 500)
            os.kill(pids[2], signal.SIGKILL)
            result = job.finish()
        self.assertEqual((result.code, result.lines()), (0, ["map: 3000 right"]), result)
        self.check_names(result, [2])

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_all(self):
        """The pool is broken, and says so within seconds."""
        with Job(3, JOB, "broken", f"count={TASKS}", "us=100", recovery=True) as job:
            pids = job.rank_pids()
            job.ledger.wait(Ledger.BEGUN, 1000)
            begun = time.monotonic()
            for rank in (1, 2):
                os.kill(pids[rank], signal.SIGKILL)
            result = job.finish()
            self.assertLess(time.monotonic() - begun, 5)
        self.assertRegex(result.out, r"\Atasks: \d+ right, [1-9]\d* not\n\Z")
        self.check_names(result, [1, 2])
        self.assertIn("cannot be run any more", result.err)

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_numbers(self):
        """mpi_pool prints every number, and names the rank."""
        numbers = [n - 2 * k for n in MEDIUM for k in range(8)]
        with Job(4, POOL, "--numbers", self.write(numbers), recovery=True) as job:
            pids = job.rank_pids()
            job.readline()
            job.readline()
            os.kill(pids[2], signal.SIGKILL)
            result = job.finish()
        self.assertEqual(result.code, 0, result)
        results = [parse_line(line) for line in result.lines()[1:-1]]
        self.assertEqual([r.n for r in results], sorted(numbers, reverse=True))
        self.assertEqual([r.prime for r in results], [is_prime(r.n) for r in results])
        self.check_names(result, [2], [pids[2]])

    @only_nightly
    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_numbers_all(self):
        """No rank is left: mpi_pool says so and fails."""
        numbers = [n - 2 * k for n in MEDIUM for k in range(8)]
        with Job(3, POOL, "--numbers", self.write(numbers), recovery=True) as job:
            pids = job.rank_pids()
            job.readline()
            job.readline()
            begun = time.monotonic()
            for rank in (1, 2):
                os.kill(pids[rank], signal.SIGKILL)
            result = job.finish()
            self.assertLess(time.monotonic() - begun, 5)
        self.assertIn("! error: the pool is broken\n", result.out)  # (with recovery mpirun exits with 0 in any case)
        self.check_names(result, [1, 2])

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_idle(self):
        """A rank dies while nothing is to be done, and another after the executor has ended."""
        with Job(4, JOB, "idle", "count=100", recovery=True) as job:
            pids = job.rank_pids()
            job.ledger.wait(Ledger.REACHED, 1)
            os.kill(pids[1], signal.SIGKILL)
            wait_for("the message", lambda: "rank 1" in job.stderr_so_far())
            job.ledger.open()
            result = job.finish()
        self.check_work(result, 100)
        self.check_names(result, [1])
        self.assertIn("its 0 tasks", result.err)

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_deadly_task(self):
        """A task that ends each rank that runs it is given up after three."""
        result = self.finish_job(6, "deadly", "threads=1", recovery=True)
        self.assertEqual((result.code, result.out), (0, ""), result)
        self.assertEqual(result.err.count("has died"), 3)

    @only_nightly
    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_thread_crash(self):
        result = self.finish_job(4, "thread_crash", "threads=1", recovery=True)
        self.assertEqual((result.code, result.out), (0, ""), result)
        self.assertEqual(result.err.count("has died"), 1)

    def finish_job(self, ranks, *arguments, **options):
        with Job(ranks, JOB, *arguments, **options) as job:
            return job.finish()

    def test_without_recovery(self):
        """The job ends, and mpirun says with which rank."""
        for rank in nightly(2, then=(1,)):
            with self.subTest(rank=rank):
                with Job(3, JOB, "work", f"count={TASKS}", "us=1000") as job:
                    pids = job.rank_pids()
                    job.ledger.wait(Ledger.BEGUN, 100)
                    begun = time.monotonic()
                    os.kill(pids[rank], signal.SIGKILL)
                    result = job.finish()
                    self.assertLess(time.monotonic() - begun, 5)
                self.assertNotEqual(result.code, 0)
                # MPICH's mpiexec kills all, and then names any of them.
                named = rf"rank {rank}\b" if IS_OPEN_MPI else r"Killed \(signal 9\)"
                self.assertRegex(result.err + result.out, named)


if __name__ == "__main__":
    unittest.main()
