"""However a job ends, all its processes are gone in two seconds: ranks, and the processes of their pools."""

import os
import signal
import time
import unittest

from jobs import IS_OPEN_MPI, JOB, POOL, Job, Ledger, MpiTest, harness, nightly, only_nightly
from harness import SLOW, wait_for


class Ends(MpiTest):
    def start(self, *options, recovery=False):
        job = Job(3, JOB, "gate", "count=6", "workers=2", *options, recovery=recovery)
        self.addCleanup(job.__exit__, None, None, None)
        pids = job.rank_pids()
        job.ledger.wait(Ledger.BEGUN, 4)
        least = 4 if "threads=1" in options else 10  # mpirun and ranks; nurseries and workers
        self.assertGreaterEqual(len(harness.marked(job.mark)), least)
        return job, pids

    def check_ends(self, job):
        result = job.finish(within=2)  # and looks for what is left
        self.assertNotEqual(result.code, 0)
        return result

    def test_mpirun_killed(self):
        for threads in nightly(0, then=(1,)):
            with self.subTest(threads=threads):
                job, _ = self.start(f"threads={threads}")
                job.signal(signal.SIGKILL)
                self.check_ends(job)

    @only_nightly
    def test_mpirun_killed_with_recovery(self):
        job, _ = self.start(recovery=True)
        job.signal(signal.SIGKILL)
        self.check_ends(job)

    def test_mpirun_terminated(self):
        job, _ = self.start()
        job.signal(signal.SIGTERM)
        result = job.finish(within=5)  # Open MPI's mpirun waits between its signals
        self.assertNotEqual(result.code, 0)

    @only_nightly
    def test_mpirun_interrupted(self):
        job, _ = self.start()
        job.signal_group(signal.SIGINT)
        result = job.finish(within=5)
        self.assertNotEqual(result.code, 0)

    def test_rank_0_killed(self):
        job, pids = self.start()
        os.kill(pids[0], signal.SIGKILL)
        self.check_ends(job)

    @unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
    def test_rank_0_killed_with_recovery(self):
        for threads in nightly(1, then=(0,)):
            with self.subTest(threads=threads):
                job, pids = self.start(f"threads={threads}", recovery=True)
                os.kill(pids[0], signal.SIGKILL)
                job.finish(within=2)

    def test_stopped_too(self):
        """mpirun is killed while a rank is stopped: its pool is gone as soon as the rank goes on."""
        job, pids = self.start()
        os.kill(pids[1], signal.SIGSTOP)
        job.signal(signal.SIGKILL)
        wait_for("the others' end", lambda: not set(pids.values()) - {pids[1]} & set(harness.marked(job.mark)))
        os.kill(pids[1], signal.SIGCONT)
        self.check_ends(job)

    def test_computing(self):
        """mpi_pool in the middle of a long computation, all ranks busy."""
        with Job(3, POOL, "--numbers", self.write(SLOW)) as job:
            job.rank_pids()
            job.readline()
            time.sleep(0.3)
            job.signal(signal.SIGKILL)
            self.check_ends(job)


if __name__ == "__main__":
    unittest.main()
