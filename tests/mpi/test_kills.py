"""Ranks are killed, at random moments, while all kinds of work run: no result is lost, wrong or doubled, nothing hangs.
A few jobs; nightly a thousand kills."""

import random
import signal
import time
import unittest

from jobs import IS_OPEN_MPI, JOB, NIGHTLY, Job, Ledger, MpiTest, harness, kill, seeded_random

KILLS = 1000 if NIGHTLY else 12


@unittest.skipUnless(IS_OPEN_MPI, "recovery is Open MPI's")
class Kills(MpiTest):
    def run_job(self, seed):
        """Returns how many ranks were killed before rank 0 had all results."""
        chance = random.Random(seed)
        ranks = chance.randrange(3, 7)
        us = chance.choice((0, 0, 20, 300))
        count = {0: 60000, 20: 10000, 300: 2000}[us]
        items = chance.choice((0, count // 2))
        options = [f"count={count}", f"map={items}", f"us={us}", f"threads={chance.randrange(2)}",
                   f"workers={chance.randrange(1, 4)}", f"rank_0={chance.randrange(2)}"]
        kills = 0
        print(f"job {seed}: {ranks} ranks, {' '.join(options)}", flush=True)
        with Job(ranks, JOB, "work", *options, recovery=True) as job:
            pids = job.rank_pids()
            moments = sorted((chance.randrange(1, count + items), rank)
                             for rank in chance.sample(range(1, ranks), chance.randrange(1, ranks - 1)))
            for moment, rank in moments:
                while job.ledger[Ledger.BEGUN] < moment and job.process.poll() is None:
                    job._drain(0.0005)
                time.sleep(chance.random() * 0.002)
                kills += job.process.poll() is None and harness.state(pids[rank]) not in "ZX"
                kill(pids[rank], signal.SIGKILL)
            result = job.finish()
            runs = job.ledger.runs(count)
        expected = [f"tasks: {count} right, 0 not"] + ([f"map: {items} right"] if items else [])
        self.assertEqual(result.lines(), expected, result.err)
        self.assertGreaterEqual(min(runs), 1)
        return kills

    def test_random(self):
        chance = seeded_random()
        kills, jobs = 0, 0
        while kills < harness.scaled(KILLS):
            kills += self.run_job(chance.randrange(2**32))
            jobs += 1
        print(f"{kills} kills in {jobs} jobs", flush=True)


if __name__ == "__main__":
    unittest.main()
