"""Processes that are killed: a worker, the nursery, the program itself."""

import os
import re
import signal
import time
import unittest

from harness import (FAST, NUMBERS, PROC_POOL, POOLS, SLOW, CliTest, Running, children, kill, marked, parse_json_lines,
                     read_proc, scaled, seeded_random, wait_for)

PROCESS_POOLS = [program for program in POOLS if program.kind == "process_pool"]
KILLED = "killed by signal 9 (SIGKILL)"


def kill_only_busy(running, other_than=()):
    """SIGKILLs the worker that has the one number left, once all others are done."""
    pid = wait_for("another worker", lambda: (found := running.only_busy_process()) not in other_than and found)
    os.kill(pid, signal.SIGKILL)
    return pid


class Worker(CliTest):
    def kill_one_of_two(self, *options):
        """Kills a worker that computes in the middle of `proc_pool 2`, and returns how that ends."""
        with Running("proc_pool", "2", *options) as running:
            running.readline()
            os.kill(running.busy_worker(2), signal.SIGKILL)
            return running.finish()

    def test_the_20_numbers_with_retries(self):
        result = self.kill_one_of_two()
        self.check_success(PROC_POOL, result, NUMBERS, 2)

    def test_the_20_numbers_without_retries(self):
        result = self.kill_one_of_two("--retries=0")
        self.assertEqual((result.code, result.err), (1, ""))
        results = self.check_report(PROC_POOL, result.lines(), NUMBERS, 2)
        self.assertEqual([line.reason for line in results if line.prime is None], [KILLED])

    def test_just_that_number_is_lost(self):
        numbers = [*FAST, SLOW[0]]
        file = self.write(numbers)
        for program in PROCESS_POOLS:
            for order in ("map", "completed"):
                with self.subTest(program=program.name, order=order):
                    with Running(program.name, "2", "-R0", "-o", order, "-n", file) as running:
                        running.readline()
                        kill_only_busy(running)
                        result = running.finish()
                    self.assertEqual((result.code, result.err), (1, ""))
                    results = self.check_report(program, result.lines(), numbers, 2, order)
                    self.assertEqual([(line.n, line.reason) for line in results if line.prime is None],
                                     [(SLOW[0], KILLED)])
                    self.assertIn(f"{SLOW[0]}  ! {KILLED}\n", result.out)

    def test_other_deaths(self):
        file = self.write([*FAST, SLOW[0]])
        for number in (signal.SIGTERM, signal.SIGABRT, signal.SIGUSR1):
            with self.subTest(signal=number.name), Running("proc_pool", "2", "-R0", "-n", file) as running:
                running.readline()
                os.kill(running.only_busy_process(), number)
                result = running.finish()
                self.assertEqual((result.code, result.err), (1, ""))
                self.assertIn(f"{SLOW[0]}  ! killed by signal {number:d} ({number.name})\n", result.out)

    def test_each_retry_is_one_more_attempt(self):
        """The number is given up at its third death; numbers retried are tested by a worker in the same place."""
        file = self.write([*FAST, SLOW[0]])
        with Running("proc_pool", "2", "--json", "--retries=2", "-n", file) as running:
            killed = []
            for _ in range(3):
                killed.append(kill_only_busy(running, killed))
            result = running.finish()
        self.assertEqual((result.code, result.err), (1, ""))
        *results, last = parse_json_lines(result.out)
        failed = [line for line in results if "error" in line]
        self.assertEqual([(line["n"], line["error"], line["attempts"]) for line in failed],
                         [(str(SLOW[0]), KILLED, 3)])
        self.assertEqual(list(failed[0])[:2], ["n", "error"])
        self.assertIn(failed[0]["worker"], (0, 1))
        self.assertEqual((last["summary"]["numbers"], last["summary"]["failed"]), (len(FAST) + 1, 1))

    def test_stats_count_it(self):
        file = self.write([*FAST, SLOW[0]])
        with Running("proc_pool", "2", "--stats", "--retries=1", "-n", file) as running:
            killed = kill_only_busy(running)
            kill_only_busy(running, [killed])
            result = running.finish()
        self.assertEqual((result.code, result.err), (1, ""))
        self.assertRegex(result.out, r"(?m)^retries: 1$")
        self.assertRegex(result.out, r"(?m)^restarts: [12]$")

    def test_a_part_of_a_split_number(self):
        """With --split too just that number is lost; parts are short, so a kill may fall between two of them."""
        long = 10**18 - 11  # prime; two seconds or so
        file = self.write([4, long])
        for _ in range(20):
            with Running("proc_pool", "2", "--split", "-R0", "-n", file) as running:
                running.readline()
                os.kill(running.busy_worker(2), signal.SIGKILL)
                result = running.finish()
            if result.code != 0:
                break
            self.check_success(PROC_POOL, result, [4, long], 2)
        self.assertEqual((result.code, result.err), (1, ""))
        results = self.check_report(PROC_POOL, result.lines(), [4, long], 2)
        self.assertEqual([(line.n, line.reason) for line in results if line.prime is None], [(long, KILLED)])

    def test_again_and_again(self):
        """Workers killed at random moments: every number is still checked once and rightly."""
        generator = seeded_random()
        with Running("proc_pool", "3", "-mwheel", "--retries=1000") as running:
            kills = 0
            while running.process.poll() is None and kills < scaled(40):
                workers = [pid for nursery in children(running.pid) for pid in children(nursery)]
                if workers:
                    kill(generator.choice(workers), signal.SIGKILL)
                    kills += 1
                time.sleep(generator.uniform(0, 0.02))
            result = running.finish()
        self.assertGreater(kills, 1)
        self.check_success(PROC_POOL, result, NUMBERS, 3)


class Nursery(CliTest):
    def check_end(self, program, running):
        result = running.finish(within=10)
        self.assertEqual((result.code, result.err), (1, ""))
        results = self.check_report(program, result.lines(), NUMBERS, 2)
        reasons = {line.reason for line in results if line.prime is None}
        self.assertTrue(reasons)
        for reason in reasons:
            self.assertRegex(reason, r"\A(error: .+|killed by signal 9 \(SIGKILL\))\Z")

    def test_killed_in_the_middle(self):
        for program in PROCESS_POOLS:
            with self.subTest(program=program.name), Running(program.name, "2") as running:
                running.readline()
                running.workers(2)
                os.kill(running.nursery(), signal.SIGKILL)
                self.check_end(program, running)

    def test_workers_do_not_outlive_it(self):
        """Not even with long numbers in hand, and nobody left to stop them."""
        for both in (False, True):
            with self.subTest(both=both), Running("proc_pool", "2", "-n", self.write(SLOW)) as running:
                running.busy_worker(2)
                nursery = running.nursery()
                if both:
                    running.signal(signal.SIGSTOP)
                os.kill(nursery, signal.SIGKILL)
                if both:
                    running.signal(signal.SIGKILL)
                self.assertEqual(running.finish(within=10).code, -signal.SIGKILL if both else 1)

    def test_killed_as_soon_as_it_is_there(self):
        """However far the program is: no hang, nothing wrong, and never success with a number missing."""
        generator = seeded_random()
        for _ in range(scaled(5)):
            delay = generator.uniform(0, 0.02)
            with self.subTest(delay=delay), Running("proc_pool", "2") as running:
                nursery = running.nursery()
                time.sleep(delay)
                os.kill(nursery, signal.SIGKILL)
                result = running.finish(within=10)
                self.assertEqual(result.code, 1)
                if result.err:
                    self.assertRegex(result.err, r"\Aproc_pool: ")
                else:
                    self.check_report(PROC_POOL, result.lines(), NUMBERS, 2)


class Program(CliTest):
    """SIGKILL of the program: a second later nothing of it is left."""

    def check_killed(self, running):
        running.signal(signal.SIGKILL)
        self.assertEqual(running.finish(within=5).code, -signal.SIGKILL)

    def test_in_the_middle(self):
        file = self.write(SLOW)
        for program in POOLS:
            with self.subTest(program=program.name), Running(program.name, "2", "-n", file) as running:
                running.readline()
                if program.kind == "process_pool":
                    running.workers(2)
                    self.assertEqual(len(marked(running.mark)), 4)
                self.check_killed(running)

    def test_at_random_moments(self):
        generator = seeded_random()
        busy, quick = self.write(SLOW), self.write(FAST)
        # start-up, in full work, and around the shutdown of a program that is soon done
        moments = [(busy, 0.01)] * 8 + [(busy, 0.3)] * 6 + [(quick, 0.02)] * 6
        for file, longest in moments * scaled(1):
            delay = generator.uniform(0, longest)
            with self.subTest(delay=delay), Running("proc_pool", "4", "-n", file) as running:
                time.sleep(delay)
                running.signal(signal.SIGKILL)
                self.assertIn(running.finish(within=5).code, (-signal.SIGKILL, 0))

    def test_while_a_worker_is_replaced(self):
        file = self.write(SLOW)
        for _ in range(scaled(5)):
            with Running("proc_pool", "2", "-n", file) as running:
                kill(running.workers(2)[0], signal.SIGKILL)
                self.check_killed(running)

    def test_workers_and_all_of_them_stopped(self):
        """A stopped worker does not outlive the program either."""
        with Running("proc_pool", "2", "-n", self.write(SLOW)) as running:
            for worker in running.workers(2):
                os.kill(worker, signal.SIGSTOP)
            self.check_killed(running)


class SharedMemory(CliTest):
    def test_it_has_no_name(self):
        before = set(os.listdir("/dev/shm"))
        with Running("proc_pool", "2", "-n", self.write(SLOW)) as running:
            running.workers(2)
            for pid in marked(running.mark):
                self.assertNotIn(b"/dev/shm", read_proc(f"{pid}/maps"))
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    self.assertFalse(re.match("/dev/shm", os.readlink(f"/proc/{pid}/fd/{fd}")))
            running.signal(signal.SIGKILL)
            running.finish(within=5)
        # what others put there meanwhile goes away again
        wait_for("/dev/shm as it was", lambda: set(os.listdir("/dev/shm")) <= before)


if __name__ == "__main__":
    unittest.main()
