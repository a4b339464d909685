"""Executors that are made, refused, and made again; programs that use MPI themselves; ranks that do not fit."""

import time
import unittest

from jobs import JOB, OTHER_JOB, MpiTest, nightly, only_nightly, run_job

SINGLE, FUNNELED, SERIALIZED, MULTIPLE = range(4)


class Create(MpiTest):
    def check_refused(self, result, ranks, status, reason):
        """Every rank has said so, and ended."""
        self.assertNotEqual(result.code, 0, result)
        said = [line for line in result.lines() if line.startswith("rank ")]
        self.assertEqual(sorted(said), [f"rank {rank}: {status}: {reason}" for rank in ranks], result)

    def test_other_build(self):
        """Ranks of another build are refused, and all ranks end."""
        for wrong in nightly(1, then=(2,)):
            with self.subTest(wrong=wrong):
                result = run_job(wrong + 1, parts=((wrong, [JOB, "work"]), (1, [OTHER_JOB, "work"])))
                self.assertNotEqual(result.code, 0)
                self.assertRegex(result.out, rf"rank 0: CF_EUNSUPPORTED: rank {wrong} on \S+ runs another build of the "
                                 "program than rank 0\n")

    def test_rank_never_calls(self):
        """Rank 2 initialises MPI and does something else."""
        begun = time.monotonic()
        result = run_job(3, JOB, "without", "gather=0.5", "before=3")
        self.check_refused(result, range(2), "CF_ETIMEDOUT", "rank 2 has not called cf_mpi_create")
        self.assertLess(time.monotonic() - begun, 10)

    def test_initialised(self):
        """The program has initialised MPI, and uses it afterwards."""
        for level in nightly(MULTIPLE, then=(SERIALIZED,)):
            with self.subTest(level=level):
                lines = self.check_case(3, "initialised", f"level={level}")
                self.assertEqual(sorted(lines), [f"rank {rank}: level as asked for" for rank in range(3)])

    def test_initialised_for_less(self):
        for level in nightly(SINGLE, then=(FUNNELED,)):
            with self.subTest(level=level):
                result = run_job(3, JOB, "initialised", f"level={level}")
                self.assertEqual((result.code, result.err), (0, ""), result)
                reason = "MPI must be initialised with MPI_THREAD_SERIALIZED at least"
                for rank in range(3):
                    self.assertIn(f"rank {rank}: CF_EUNSUPPORTED: {reason}\n", result.out)

    def test_two(self):
        self.assertEqual(self.check_case(3, "two"), ["another executor on MPI lives in this process"])

    def test_sequence(self):
        for options in nightly((), then=(("threads=1",), ("rank_0=1",))):
            with self.subTest(options=options):
                lines = self.check_case(4, "sequence", "count=10", *options)
                self.assertEqual(sorted(lines), [f"rank {rank}: done" for rank in range(4)])

    @only_nightly
    def test_more_servers(self):
        """Ranks that would serve another executor are told that none will come."""
        self.assertEqual(self.check_case(3, "more_servers"), [])

    def test_exit(self):
        """Rank 0 exits in the middle of work: so do the others, and at once."""
        for options in nightly((), then=(("rank_0=1",), ("threads=1",))):
            with self.subTest(options=options):
                begun = time.monotonic()
                self.assertEqual(self.check_case(3, "exit", *options), [])
                self.assertLess(time.monotonic() - begun, 30)

    def test_invalid(self):
        lines = self.check_case(2, "invalid")
        self.assertEqual(len(lines), 2)
        self.assertIn("max_workers or workers_per_rank must be 0", lines[0])

    @only_nightly
    def test_too_many(self):
        self.check_refused(run_job(3, JOB, "too_many"), range(3), "CF_EUNSUPPORTED",
                           "1400 workers are more than 1024: give workers_per_rank")


if __name__ == "__main__":
    unittest.main()
