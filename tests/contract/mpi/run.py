#!/usr/bin/env python3
"""Runs the contract suite in an MPI job of so many ranks, all tests in one job.

    run.py --mpiexec mpiexec --ranks 2 build/dev/tests/contract_mpi ['SUITE/*'...]

A test that fails, crashes or takes too long ends its job, and is reported; the tests after it run in another
job. The exit code is 0 if none has failed and no process is left.
"""

import argparse
import collections
import fnmatch
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time

TEST_SECONDS = 40  # one test may take; reached by a hang only
END_SECONDS = 20  # in which the processes of a job must be gone

# Open MPI refuses root, and more ranks than processors, unless it is told that they are meant. And in a container
# the kernel may forbid a rank to read another one's memory, about which it warns.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
}


class Job:
    """One mpiexec, with the tests that it has run."""

    def __init__(self, options, tests):
        handle, self.area = tempfile.mkstemp(prefix="cf-test-", dir="/dev/shm")
        os.close(handle)
        environment = dict(os.environ, **ENVIRONMENT, CF_TEST_EXECUTOR="mpi", CF_TEST_MPI_AREA=self.area)
        command = [options.mpiexec, "-n", str(options.ranks), options.program] + tests
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        env=environment, start_new_session=True)
        signal.signal(signal.SIGTERM, lambda *_: (self.end(kill=True), os._exit(1)))
        self.verbose = options.verbose
        self.results = []  # (test, result, seconds)
        self.test = None
        self.begun = time.monotonic()

    def take(self, line):
        word, _, rest = line.partition(" ")
        if word == "RUN":
            self.test, self.begun = rest, time.monotonic()
        elif word in ("PASS", "SKIP") and self.test is not None:
            self.results.append((self.test, line, time.monotonic() - self.begun))
            if self.verbose:
                print(f"{self.test}: {line} ({self.results[-1][2]:.2f} s)", flush=True)
            self.test = None
            self.begun = time.monotonic()
        else:
            print(line, flush=True)

    def read(self):
        """Reads what the job says, until it ends or a test takes too long."""
        pipe = self.process.stdout
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while True:
                left = self.begun + TEST_SECONDS - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return f"took more than {TEST_SECONDS} s"
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.take(line.decode(errors="replace"))
        status = self.process.wait()
        return None if status == 0 else f"mpiexec ended with {status}"

    def processes(self):
        """Those that have inherited the job's environment."""
        mark = f"CF_TEST_MPI_AREA={self.area}".encode()
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/environ", "rb") as file:
                        if mark in file.read().split(b"\0"):
                            yield int(name)
                except OSError:
                    pass  # it has ended, or is another user's

    def end(self, kill):
        """Returns how many processes had to be killed though they should have ended."""
        until = time.monotonic() + END_SECONDS
        while not kill and any(self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        left = 0
        while remaining := list(self.processes()):
            left = max(left, len(remaining))
            for pid in remaining:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.poll()
            time.sleep(0.05)
        self.process.wait()
        self.process.stdout.close()
        if os.path.exists(self.area):
            os.unlink(self.area)
        return 0 if kill else left


def run(options, tests):
    results, faults = [], []
    while tests:
        job = Job(options, tests)
        fault = job.read()
        left = job.end(kill=fault is not None and fault.startswith("took"))
        results += job.results
        done = len(job.results)
        if fault is not None or left > 0:
            name = job.test or "after the last test"
            fault = fault or "left processes behind"
            faults.append(f"{name}: {fault}" + (f"; {left} processes were left" if left else ""))
            print(f"FAILED {faults[-1]}", flush=True)
            if job.test is None and done < len(tests):
                break  # nothing says which test it was
            done += job.test is not None
        tests = tests[done:]
    return results, faults


def report(options, results, faults):
    reasons = collections.Counter(line[5:] for _, line, _ in results if line.startswith("SKIP"))
    for reason, count in sorted(reasons.items()):
        print(f"skipped {count}: {reason}")
    passed = sum(line == "PASS" for _, line, _ in results)
    seconds = sum(seconds for _, _, seconds in results)
    print(f"{options.ranks} ranks: {passed} passed, {sum(reasons.values())} skipped, {len(faults)} failed, "
          f"{seconds:.1f} s")
    for fault in faults:
        print(f"FAILED {fault}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mpiexec", default="mpiexec")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="a line for each test")
    parser.add_argument("program")
    parser.add_argument("filter", nargs="*", help="names of tests, with * and ?; default: all")
    options = parser.parse_args()
    listed = subprocess.run([options.program, "--list"], stdout=subprocess.PIPE, check=True, text=True)
    tests = [name for name in sorted(listed.stdout.split())
             if not options.filter or any(fnmatch.fnmatchcase(name, f) for f in options.filter)]
    if not tests:
        sys.exit("run.py: no test has such a name")
    results, faults = run(options, tests)
    report(options, results, faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
