"""Runs the same work in each way, in C and in CPython, and finds out when each task began and ended."""

import contextlib
import dataclasses
import json
import sys

import download_programs
import processes
from download_programs import POP, DownloadPrograms
from engine import BenchError
from prime_programs import NUMBERS, PEER, PRIMES, parse
from servers import MARK
from traces import read_trace

COMPUTE, WAIT = "compute", "wait"
C, CPYTHON = "C", "CPython"
SEQUENTIAL, THREADS, PROCESSES, OPENMP, LOOP = "sequential", "threads", "processes", "openmp", "loop"

# Our program for each way.
PROGRAMS = {COMPUTE: {SEQUENTIAL: "sequential", THREADS: "thread_pool", PROCESSES: "proc_pool",
                      OPENMP: "openmp_pool"},
            WAIT: {SEQUENTIAL: "flags", PROCESSES: "flags_processpool",
                   THREADS: "flags_threadpool", LOOP: "flags_async"}}
CPYTHON_WAYS = {COMPUTE: (SEQUENTIAL, THREADS, PROCESSES),
                WAIT: (SEQUENTIAL, PROCESSES, THREADS, LOOP)}
CPYTHON_DOWNLOADS = {SEQUENTIAL: "cpython_sequential", PROCESSES: "cpython_processes",
                     THREADS: "cpython_threads", LOOP: "cpython_asyncio"}


@dataclasses.dataclass(frozen=True)
class Case:
    work: str
    language: str
    way: str
    workers: int  # threads, processes, or requests at once

    @property
    def title(self):
        if self.way == SEQUENTIAL:
            return "sequential"
        if self.way == LOOP:
            return f"event loop, {self.workers} requests"
        noun = {THREADS: "thread", PROCESSES: "process", OPENMP: "OpenMP thread"}[self.way]
        plural = "es" if noun.endswith("s") else "s"
        return f"{self.workers} {noun}{plural if self.workers != 1 else ''}"

    @property
    def phrase(self):
        """In a sentence."""
        return f"an event loop with {self.workers} requests" if self.way == LOOP else self.title

    @property
    def program(self):
        """What runs, as a reader knows it."""
        if self.language == C:
            takes_workers = self.work == COMPUTE and self.way != SEQUENTIAL
            name = PROGRAMS[self.work][self.way]
            return f"{name} {self.workers}" if takes_workers else name
        return {SEQUENTIAL: "for loop", THREADS: "ThreadPoolExecutor",
                PROCESSES: "ProcessPoolExecutor", LOOP: "asyncio"}[self.way]

    def __str__(self):
        return f"{self.work}, {self.language}: {self.title}"


@dataclasses.dataclass(frozen=True)
class Task:
    name: str      # the number, or the country's code
    note: str      # what came of it
    worker: int    # or connection, from 0; none of a download in CPython, since the server cannot tell
    begin: float   # seconds since the program was started
    end: float


def task_rows(tasks):
    """For the journal: in the order in which they began."""
    return [dataclasses.astuple(task) for task in sorted(tasks, key=lambda task: task.begin)]


class Runs:
    """Both works; the servers, while a `with` block lasts. `delays` are those of the server."""

    def __init__(self, folder, scratch, seed, numbers, delays):
        self.folder, self.numbers, self.delays = folder.resolve(), numbers, delays
        self.downloads = DownloadPrograms(folder, scratch, seed)
        self.verdicts = {}  # of the first run: the oracle of all others
        self.open = contextlib.ExitStack()
        self.has_gil = True

    def __enter__(self):
        self.open.enter_context(self.downloads)
        return self

    def __exit__(self, *_):
        self.open.close()

    def run(self, case):
        if case.work == WAIT:
            return self.wait(case)
        return self.compute_in_c(case) if case.language == C else self.compute_in_cpython(case)

    # ---- prime checks

    def compute_in_c(self, case):
        """The trace says who ran what and when. The line that came most quickly after it was printed tells
        which moment the trace counts from."""
        trace = self.downloads.scratch / "trace"
        command = [str(self.folder / PROGRAMS[COMPUTE][case.way]), "--json", "--order=completed",
                   f"--trace={trace}"]
        command += ["--numbers=-"] if self.numbers else []
        command += [str(case.workers)] if case.way != SEQUENTIAL else []
        run = processes.watched(case, command, "".join(f"{n}\n" for n in self.numbers or ()))
        lines, _ = parse(case, run.output)
        self.believe(case, {line["n"]: line["prime"] for line in lines})
        traced = read_trace(trace)
        if set(traced) != set(self.verdicts):
            raise BenchError(f"{case}: the trace has other numbers")
        zero = min(came - traced[line["n"]].handed for line, came in zip(lines, run.lines)) - run.begun
        return figures(run, [Task(n, verdict(prime), traced[n].worker, zero + traced[n].begin,
                                  zero + traced[n].end) for n, prime in self.verdicts.items()])

    def compute_in_cpython(self, case):
        command = [python(), "-B", str(PEER), case.way, str(case.workers)]
        run = processes.watched(case, command, "".join(f"{n}\n" for n in self.verdicts))
        try:
            answer = json.loads(run.output)
            checks = answer["checks"]
        except (ValueError, KeyError) as error:
            raise BenchError(f"{case}: not the expected output: {run.output[-300:]}") from error
        self.believe(case, {check["n"]: check["prime"] for check in checks})
        workers = list(dict.fromkeys(check["worker"] for check in checks))
        return {**figures(run, [Task(check["n"], verdict(check["prime"]),
                                     workers.index(check["worker"]), check["begun"] - run.begun,
                                     check["ended"] - run.begun) for check in checks]),
                "gil": answer["gil"]}

    def believe(self, case, verdicts):
        if not self.verdicts:
            if not self.numbers and (len(verdicts), sum(verdicts.values())) != (NUMBERS, PRIMES):
                raise BenchError(f"{case}: not {NUMBERS} numbers with {PRIMES} primes")
            self.verdicts = verdicts
        if verdicts != self.verdicts:
            raise BenchError(f"{case}: wrong numbers or wrong answers")

    # ---- downloads

    def wait(self, case):
        """A request waits from its arrival at the server until the server answers, as its log tells. The trace of a
        program in C tells which worker or connection asked."""
        told = download_case(case, self.delays)
        trace = self.downloads.scratch / "trace"
        with self.downloads.slow_server(told) as server:
            self.downloads.empty()
            command, stdin = self.downloads.command(told, server.base_url)
            command += [f"--trace={trace}"] if case.language == C else []
            marked = server.mark()
            run = processes.timed(case, command, self.downloads.scratch, stdin,
                                  download_programs.environment())
            requests = server.requests()
        log_begins = marked - next(one.arrival for one in requests if one.code == MARK) - run.begun
        requests = [one for one in requests if one.code != MARK]
        self.downloads.check(told, run.output, requests, {})
        traced = read_trace(trace) if case.language == C else {}
        if case.language == C and set(traced) != {one.code for one in requests}:
            raise BenchError(f"{case}: the trace has other flags")
        workers = {code: one.worker for code, one in traced.items()}
        return figures(run, [Task(one.code, f"HTTP {one.status}", workers.get(one.code), log_begins + one.arrival,
                                  log_begins + one.arrival + one.delay) for one in requests])


def download_case(case, delays):
    program, at_once = PROGRAMS[WAIT].get(case.way), 0
    if case.language == CPYTHON:
        program, at_once = CPYTHON_DOWNLOADS[case.way], case.workers
    return download_programs.Case(program, POP, at_once, min_delay=delays[0], max_delay=delays[1])


def figures(run, tasks):
    return {"wall": run.wall, "cpu": run.cpu, "tasks": task_rows(tasks)}


def verdict(is_prime):
    return "prime" if is_prime else "composite"


def python():
    """The one that can do both works, where there is one."""
    return download_programs.peer_python() or sys.executable


def contenders(work, workers, cpus, has_openmp, has_httpx):
    """In the order of the page. `workers` are those of the prime checks."""
    workers = {SEQUENTIAL: 1, THREADS: workers, PROCESSES: workers, OPENMP: workers}
    if work == WAIT:  # as our programs choose them
        workers = {SEQUENTIAL: 1, PROCESSES: cpus, THREADS: min(32, cpus + 4), LOOP: POP}
    cases = [Case(work, C, way, workers[way]) for way in PROGRAMS[work]
             if way != OPENMP or has_openmp]
    if work == COMPUTE or has_httpx:
        cases += [Case(work, CPYTHON, way, workers[way]) for way in CPYTHON_WAYS[work]]
    return cases
