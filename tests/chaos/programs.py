#!/usr/bin/env python3
"""Programs whose workers, whose nursery, or which themselves are killed and signalled at random moments. What they
print is right, as far as it goes; the exit code says whether it is all; and nothing is left behind.

    programs.py [SECONDS]      (CF_TEST_SEED; CF_TEST_RUN=N: only that run; PRIMEPOOL_BIN: where the programs are)

Without SECONDS it takes some 7 s. The last line is that of tally.h, and the exit code too."""

import faulthandler
import itertools
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from programs_cases import ASKED, CRASHES, Case, End, Fault, Maps, Primecheck, Primes, Sorts, has

from harness import Running, kill, read_proc

SECONDS_REDUCED = 4
ENDS_WITHIN = 20.0  # seconds after the last signal
LONGEST = 4.0  # seconds for which a run is disturbed
FAULTS_MOST = 20
AT_ONCE = 3  # runs; most of their time they wait
HARMLESS_TO_NURSERIES = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]

faulthandler.cancel_dump_traceback_later()  # of the harness: here a run has a limit of its own

kinds = [kind for kind, name in ((Primes, "proc_pool"), (Primecheck, "primecheck"), (Primecheck, "primecheck"),
                                 (Sorts, "quicksort_processes"), (Maps, "primes_map")) if has(name)]
site = None
if has("slow_server") and has("flags2_sequential"):
    from programs_flags import Flags, Site
    site = Site()
    kinds.append(lambda rng: Flags(rng, site))

tally = dict.fromkeys(("kills", "tasks", "steps", "points", "calls", "lost", "duplicated", "hung", "leaked"), 0)
FAULTS = ("lost", "duplicated", "hung", "leaked")
lock = threading.Lock()


def count(name, by=1):
    with lock:
        tally[name] += by


def faults():
    return sum(tally[kind] for kind in FAULTS)


# ---- disturbances ----------------------------------------------------------------------------------


def children(pid):
    """Whatever thread has made them."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in read_proc(f"{pid}/task/{thread}/children").split()]


class Disturber:
    """Sends signals to the processes of one run, and notes which."""

    def __init__(self, running, rng, case):
        self.running, self.rng, self.case = running, rng, case
        self.sent = {"program": set(), "nursery": set(), "worker": set()}
        self.stopped = []
        self.first_seen = {}
        self.what = []  # for a complaint
        processes = ["workers"] * 5 + ["nursery", "harmless"] if case.has_processes else []
        self.plan = rng.choice(["program", "program", *processes, *(["all"] if processes else [])])
        self.pause = rng.choice((0.001, 0.002, 0.01, 0.05))
        self.moment = time.monotonic() + rng.uniform(0, rng.choice((0.05, 0.3, 1.0)))

    def send(self, who, pid, number):
        if read_proc(f"{pid}/stat").rpartition(b")")[2].split()[:1] in ([], [b"Z"], [b"X"]):
            return
        # Before it is sent: the program may end at once.
        self.sent[who].add(number)
        self.what.append(f"{who} {signal.Signals(number).name}")
        kill(pid, number)
        if who != "nursery" or number == signal.SIGKILL:
            count("kills")
        if number == signal.SIGSTOP:
            self.stopped.append(pid)

    def crash(self):
        return self.rng.choice([signal.SIGKILL, *sorted(CRASHES)])

    def disturb_worker(self, nursery):
        """Mostly one that has been there for a moment: a pool whose workers never come to a task breaks."""
        now = time.monotonic()
        workers = children(nursery)
        self.first_seen = {pid: self.first_seen.get(pid, now) for pid in workers}
        workers = [pid for pid in workers if now - self.first_seen[pid] > 0.004 or self.rng.random() < 0.2]
        if workers:
            number = self.rng.choice((self.crash(), self.crash(), signal.SIGTERM, signal.SIGSTOP))
            self.send("worker", self.rng.choice(workers), number)

    def disturb_program(self):
        number = self.rng.choice((*sorted(ASKED), self.crash(), signal.SIGSTOP))
        self.send("program", self.running.pid, number)
        if number != signal.SIGSTOP and self.rng.random() < 0.8:
            self.moment = float("inf")

    def step(self):
        nurseries = children(self.running.pid) if self.case.has_processes else []
        late = time.monotonic() > self.moment
        if self.stopped and self.rng.random() < 0.5:
            kill(self.stopped.pop(), signal.SIGCONT)
        if nurseries and self.plan in ("workers", "all"):
            self.disturb_worker(nurseries[0])
        if nurseries and self.plan == "harmless" and self.rng.random() < 0.3:
            self.send("nursery", nurseries[0], self.rng.choice(HARMLESS_TO_NURSERIES))
        if nurseries and late and (self.plan == "nursery" or (self.plan == "all" and self.rng.random() < 0.3)):
            self.send("nursery", nurseries[0], signal.SIGKILL)
            self.moment = float("inf")
        if late and self.plan in ("program", "all"):
            self.disturb_program()

    def disturb(self):
        until = time.monotonic() + LONGEST
        while self.running.process.poll() is None and time.monotonic() < until:
            self.step()
            time.sleep(self.rng.uniform(0, self.pause))
        for pid in self.stopped:
            kill(pid, signal.SIGCONT)


# ---- one run ---------------------------------------------------------------------------------------


def finish(running):
    try:
        return running.finish(ENDS_WITHIN)
    except AssertionError as error:
        kind = "hung" if "still runs" in str(error) else "leaked" if "left processes" in str(error) else "lost"
        raise Fault(kind, str(error)) from error


def run_case(case: Case, rng, folder, what):
    case.prepare(folder)
    with open(os.path.join(folder, "..", os.path.basename(folder) + ".out"), "w+b") as out:
        with Running(case.name, *case.args, stdout=out, cwd=folder,
                     env={"TMPDIR": folder}) as running:
            disturber = Disturber(running, rng, case)
            what.append(disturber)
            disturber.disturb()
            code, _, err = finish(running)
        out.seek(0)
        text = out.read().decode()
    try:
        count("tasks", case.check(End(code, text, err, disturber.sent, folder)))
    except AssertionError as error:  # of the harness's checks
        raise Fault("lost", f"{case.name}: {error}") from error
    case.tidy(folder)


def complain(fault, seed, number, case, what):
    count(fault.kind)
    sent = ", ".join(what[0].what[-8:]) if what else ""
    print(f"programs: {fault.kind}: {fault!s:.600}\n    {case.describe()}, after: {sent}\n"
          f"    (CF_TEST_SEED={seed} CF_TEST_RUN={number})", file=sys.stderr, flush=True)


def run(seed, number, top):
    rng = random.Random(f"{seed} {number}")
    case = rng.choice(kinds)(rng)
    folder = os.path.join(top, str(number))
    os.mkdir(folder)
    what = []
    try:
        run_case(case, rng, folder, what)
    except Fault as fault:
        complain(fault, seed, number, case, what)
    finally:
        shutil.rmtree(folder)
        os.unlink(f"{folder}.out")


def main(arguments):
    text = arguments[0] if arguments else ""
    if len(arguments) > 1 or (arguments and (not text.isascii() or not text.isdigit() or int(text) == 0)):
        print("usage: programs.py [SECONDS]", file=sys.stderr)
        return 2
    if not kinds:
        print("programs: PRIMEPOOL_BIN has no program", file=sys.stderr)
        return 1
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seed = int(os.environ.get("CF_TEST_SEED") or time.time_ns() % 10**12)
    print(f"programs: CF_TEST_SEED={seed}", file=sys.stderr, flush=True)
    only = os.environ.get("CF_TEST_RUN")
    start, numbers = time.monotonic(), itertools.count()
    seconds = int(text or SECONDS_REDUCED)

    # A program ends with the thread that has started it, so all threads stay until servers are closed.
    ended = threading.Barrier(1 if only else AT_ONCE, site.close if site else None)

    def run_some(top):
        try:
            while time.monotonic() - start < seconds and not tally["hung"] and faults() < FAULTS_MOST:
                with lock:
                    number = next(numbers)
                run(seed, int(only or number), top)
                if only:
                    break
        finally:
            ended.wait()

    with tempfile.TemporaryDirectory(prefix="chaos-") as top:
        with ThreadPoolExecutor(ended.parties) as pool:
            for done in [pool.submit(run_some, top) for _ in range(ended.parties)]:
                done.result()
    took = time.monotonic() - start
    print(f"programs: {next(numbers)} runs in {took:.1f} s: {tally['kills'] / took:.0f} kills/s, "
          f"{tally['tasks'] / took:.0f} results/s")
    print(f"chaos programs: {' '.join(f'{name}={count}' for name, count in tally.items())} seed={seed}")
    return 1 if faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
