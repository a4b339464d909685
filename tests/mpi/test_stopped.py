"""Ranks that are stopped: a short stop costs nothing, a long one only the rank. Its late answers do not count. A stop
of rank 0, or of all, costs nobody."""

import os
import signal
import time
import unittest

from jobs import IS_OPEN_MPI, JOB, Job, Ledger, MpiTest, harness, nightly, only_nightly
from harness import state, wait_for

SILENCE = 0.5


class Stopped(MpiTest):
    def start(self, count, *options, ranks=3, silence=SILENCE, recovery=IS_OPEN_MPI):
        """Each rank's one worker waits at the gate."""
        job = Job(ranks, JOB, "gate", f"count={count}", "workers=1", f"silence={silence}", *options, recovery=recovery)
        self.addCleanup(job.__exit__, None, None, None)
        self.addCleanup(self.tell, job)
        pids = job.rank_pids()
        job.ledger.wait(Ledger.BEGUN, min(count, ranks - 1))
        return job, pids

    def tell(self, job):
        if self._outcome.result.errors or self._outcome.result.failures:
            print(job.stderr_so_far(), flush=True)

    def pool_of(self, rank):
        """The processes of a rank's pool."""
        nurseries = harness.children(rank)
        pool = nurseries + [worker for nursery in nurseries for worker in harness.children(nursery)]
        self.assertGreaterEqual(len(pool), 2)
        return pool

    def stop(self, pids):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            wait_for("a stop", lambda pid=pid: state(pid) == "T")

    def finish(self, job, count):
        """Opens the gate for good."""
        job.ledger.open(2)
        result = job.finish()
        self.assertEqual((result.code, result.lines()), (0, ["submitted", f"tasks: {count} right"]), result)
        return result

    def test_long(self):
        """Silent for long, its tasks run elsewhere. Then it is heard again: its pool ends, it waits for the job's end."""
        for rank, recovery in nightly((1, False), then=((2, IS_OPEN_MPI),)):
            with self.subTest(rank=rank, recovery=recovery):
                job, pids = self.start(8, recovery=recovery)
                pool = self.pool_of(pids[rank])
                self.stop([pids[rank]])
                wait_for("the message", lambda: f"rank {rank}" in job.stderr_so_far())
                self.assertIn("does not answer", job.stderr_so_far())
                job.ledger.open()  # also in the stopped rank, whose pool is not stopped
                job.ledger.wait(Ledger.REACHED, 1)
                os.kill(pids[rank], signal.SIGCONT)
                wait_for("the pool's end", lambda: all(state(pid) in "XZ" for pid in pool), within=3)
                result = self.finish(job, 8)
                runs = job.ledger.runs(8)
                self.assertTrue(all(1 <= n <= 2 for n in runs) and sum(runs) > 8, runs)
                self.assertEqual(result.err.count("does not answer"), 1)

    @only_nightly
    def test_answers_late(self):
        """It goes on while its tasks still run elsewhere: the answers that it has at hand come too late."""
        job, pids = self.start(6)
        self.stop([pids[1]])
        wait_for("the message", lambda: "rank 1" in job.stderr_so_far())
        pool = self.pool_of(pids[1])
        os.kill(pids[1], signal.SIGCONT)
        wait_for("the pool's end", lambda: all(state(pid) in "XZ" for pid in pool), within=3)
        self.finish(job, 6)

    @only_nightly
    @unittest.skipUnless(IS_OPEN_MPI, "mpirun must let a rank end before the others")
    def test_stays_stopped(self):
        """It is still stopped when rank 0 has ended, and ends when it goes on."""
        job, pids = self.start(6)
        self.stop([pids[2]])
        wait_for("the message", lambda: "rank 2" in job.stderr_so_far())
        job.ledger.open(2)
        wait_for("rank 0's end", lambda: state(pids[0]) in "XZ")
        os.kill(pids[2], signal.SIGCONT)
        result = job.finish()
        self.assertEqual(result.lines(), ["submitted", "tasks: 6 right"], result)

    def test_short(self):
        """Stops that are shorter than the time that a rank may be silent."""
        job, pids = self.start(6, silence=3)
        for _ in range(4):
            for rank in (1, 2):
                self.stop([pids[rank]])
            time.sleep(0.3)
            for rank in (1, 2):
                os.kill(pids[rank], signal.SIGCONT)
        result = self.finish(job, 6)
        self.assertEqual(result.err, "")
        self.assertEqual(job.ledger.runs(6), (1,) * 6)

    def test_rank_0(self):
        """Stopped for longer than ranks may be silent."""
        job, pids = self.start(6)
        self.stop([pids[0]])
        time.sleep(4 * SILENCE)
        os.kill(pids[0], signal.SIGCONT)
        result = self.finish(job, 6)
        self.assertEqual(result.err, "")
        self.assertEqual(job.ledger.runs(6), (1,) * 6)

    def test_all(self):
        """Every process of the job, in any order, as the kernel does for Ctrl-Z and fg."""
        job, _ = self.start(6)
        everything = harness.marked(job.mark)
        self.stop(everything)
        time.sleep(4 * SILENCE)
        for pid in everything:
            os.kill(pid, signal.SIGCONT)
        result = self.finish(job, 6)
        self.assertNotIn("mpi_job", result.err)  # Open MPI's mpirun says which signals it forwards
        self.assertEqual(job.ledger.runs(6), (1,) * 6)

    @only_nightly
    def test_terminal(self):
        """SIGTSTP for mpirun's group, as a terminal sends it, and SIGCONT."""
        job, _ = self.start(6)
        job.signal_group(signal.SIGTSTP)
        time.sleep(4 * SILENCE)
        job.signal_group(signal.SIGCONT)
        result = self.finish(job, 6)
        self.assertNotIn("mpi_job", result.err)
        self.assertEqual(job.ledger.runs(6), (1,) * 6)


if __name__ == "__main__":
    unittest.main()
