"""A program that the system refuses something says which call was refused, and why."""

import errno
import os
import signal
import unittest

from harness import BIN, FAST, PROC_POOL, PROGRAMS, CliTest, run

REFUSING = os.environ["PRIMEPOOL_REFUSING"]


def run_refused(call, error, name, *args, **options):
    env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}  # the search for leaks needs clone
    return run(REFUSING, call, str(error), os.path.join(BIN, name), *args, env=env, **options)


def ignore_stop_signals():
    """Then no thread of the program waits for them."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


class Refusals(CliTest):
    def check(self, result, name, message):
        self.assertEqual((result.code, result.out, result.err), (1, "", f"{name}: {message}\n"))

    def test_of_the_executor(self):
        for call, error in (("memfd_create", errno.EPERM), ("fallocate", errno.ENOSPC), ("eventfd", errno.EMFILE),
                            ("fork", errno.EPERM), ("pthread_create", errno.EAGAIN)):
            with self.subTest(call=call):
                self.check(run_refused(call, error, "proc_pool"), "proc_pool",
                           f"cannot create the executor: {call}: {os.strerror(error)}")

    def test_in_every_family_of_programs(self):
        why = f"memfd_create: {os.strerror(errno.EPERM)}"
        for name, args, what in (("procs", [], "cannot create the executor"),
                                 ("primecheck", ["-e", "processes"], "cannot create the executor"),
                                 ("flags_processpool", ["--base-url=http://127.0.0.1:1"], "cannot download")):
            with self.subTest(program=name):
                if os.path.exists(os.path.join(BIN, name)):
                    self.check(run_refused("memfd_create", errno.EPERM, name, *args), name, f"{what}: {why}")

    def test_of_a_demonstration(self):
        result = run_refused("memfd_create", errno.EPERM, "quicksort_processes")
        self.assertEqual((result.code, result.err), (
            1, f"quicksort_processes: cannot create the pool: memfd_create: {os.strerror(errno.EPERM)}\n"))

    def test_of_a_worker(self):
        """Each number says it."""
        numbers = self.write(FAST)
        program = next(program for program in PROGRAMS if program.name == "thread_pool")
        for options in ([], ["--split", "--method=wheel"], ["--order=completed"]):
            with self.subTest(options=options):
                result = run_refused("pthread_create", errno.EAGAIN, "thread_pool", "-n", numbers, *options, "2",
                                     prepare=ignore_stop_signals)
                self.assertEqual((result.code, result.err), (1, ""))
                lines = self.check_collected(program, result.lines()[1:-1], "any")
                self.assertEqual({line.reason for line in lines},
                                 {f"error: pthread_create: {os.strerror(errno.EAGAIN)}"})


if __name__ == "__main__":
    unittest.main()
