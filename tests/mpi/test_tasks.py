"""What tasks in ranks may do, and how they end."""

import unittest

from jobs import FOREIGN, JOB, Job, MpiTest, nightly, seeded_random


class Tasks(MpiTest):
    def test_tiny(self):
        for options in nightly((), ("rank_0=1",), then=(("threads=1",), ("workers=2",))):
            with self.subTest(options=options):
                with Job(3, JOB, "work", "count=100000", "map=100000", *options) as job:
                    result = job.finish()
                    self.check_silent_success(result)
                    self.check_work(result, 100000, 100000)
                    self.assertEqual(set(job.ledger.runs(100000)), {2})

    def test_endings(self):
        self.assertEqual(self.check_case(3, "endings", "workers=2"), [])

    def test_map_endings(self):
        self.assertEqual(self.check_case(3, "map_endings"), [])

    def test_called_back(self):
        """No item runs twice."""
        seed = seeded_random().randrange(2**31)
        self.assertEqual(self.check_case(4, "called_back", f"random={seed}"), [])

    def test_library(self):
        self.assertEqual(self.check_case(3, "library", f"library={FOREIGN}"), [])

    def test_payloads(self):
        seed = seeded_random().randrange(2**31)
        for threads in nightly(0, then=(1,)):
            with self.subTest(threads=threads):
                self.assertEqual(self.check_case(3, "payloads", f"threads={threads}", f"random={seed}"), [])

    def test_times(self):
        self.assertEqual(self.check_case(3, "times"), [])

    def test_nested(self):
        for threads in (0, 1):
            with self.subTest(threads=threads):
                self.assertEqual(self.check_case(3, "nested", f"threads={threads}", "workers=2"), [])


if __name__ == "__main__":
    unittest.main()
