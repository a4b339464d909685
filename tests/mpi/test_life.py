"""Workers of ranks, from their initializers to the end of the executor, with processes and with threads."""

import signal
import unittest

from jobs import MpiTest, nightly, only_nightly


class Life(MpiTest):
    def test_workers(self):
        for ranks, workers, rank_0, kinds in nightly((1, 2, 0, (0,)), (3, 2, 1, (0, 1)),
                                                     then=((3, 1, 0, (0, 1)), (2, 3, 0, (0, 1)))):
            for threads in kinds:
                with self.subTest(ranks=ranks, workers=workers, rank_0=rank_0, threads=threads):
                    lines = self.check_case(ranks, "workers", f"workers={workers}", f"rank_0={rank_0}",
                                            f"threads={threads}")
                    working = ranks if rank_0 or ranks == 1 else ranks - 1
                    self.assertEqual(lines, [f"{working * workers} workers"])

    def test_initializer(self):
        """Each worker's value, and a new life after five tasks."""
        for threads, rank_0 in nightly((0, 1), (1, 0), then=((0, 0), (1, 1))):
            with self.subTest(threads=threads, rank_0=rank_0):
                self.assertEqual(
                    self.check_case(3, "initializer", f"threads={threads}", "workers=2", f"rank_0={rank_0}"),
                    ["retired: some"])

    def test_initializer_fails(self):
        why = "initializer of worker 0: error: No such file or directory"
        self.assertEqual(self.check_case(3, "initializer_fails", "workers=1"),
                         [f"broken: error: the pool is broken ({why})"])

    @only_nightly
    def test_initializer_dies(self):
        lines = self.check_case(3, "initializer_fails", "workers=1", f"level={int(signal.SIGSEGV)}")
        self.assertRegex(lines[0], r"worker 0.*signal 11 \(SIGSEGV\)")

    def test_kill_workers(self):
        self.check_case(3, "stop_workers", "workers=2", f"level={int(signal.SIGKILL)}")

    def test_terminate_workers(self):
        for threads in (0, 1):
            with self.subTest(threads=threads):
                self.check_case(3, "stop_workers", "workers=2", f"threads={threads}", f"level={int(signal.SIGTERM)}")

    def test_cancel(self):
        self.check_case(3, "cancel", "workers=1")

    def test_destroy_pending(self):
        for rank_0 in (0, 1):
            with self.subTest(rank_0=rank_0):
                self.check_case(3, "destroy_pending", f"rank_0={rank_0}")


if __name__ == "__main__":
    unittest.main()
