"""Runs bench_tasks, its peer in CPython and bench_forkjoin: what the executors' benches share."""

import dataclasses
import json
import pathlib
import platform
import subprocess
import sys

import command_line
from command_line import at_least
from engine import BenchError, Journal, machine_facts, spread
from processes import launch, stop

DRIVER = "bench_tasks"
CPYTHON = pathlib.Path(__file__).parent / "peers" / "cpython_tasks.py"
CPYTHON_KINDS = ("cpython_threads", "cpython_processes")

POOLS = ("thread_pool", "process_pool", "openmp")  # ours but for serial
TITLES = {"serial": "serial", "thread_pool": "thread_pool", "process_pool": "process_pool",
          "openmp": "openmp", "thread_pool_both": "cf_both", "futures": "futures",
          "loop": "plain loop", "c": "C", "c_calls": "C, calls made",
          "condvar": "condition variable", "futex": "futex", "libgomp": "libgomp",
          "libgomp_1": "libgomp, chunk 1", "onetbb": "oneTBB", "glib": "GLib", "libuv": "libuv",
          "mpi": "mpi", "mpi4py": "mpi4py",
          "cpython_threads": "CPython threads", "cpython_processes": "CPython processes"}
OURS = ("serial", *POOLS)


@dataclasses.dataclass(frozen=True)
class Case:
    question: str
    contender: str
    options: str = ""  # --name=value ...

    def __str__(self):
        return " ".join(filter(None, [self.question, self.contender, self.options]))


class TaskPrograms:
    """The driver in a folder, and who is there to be measured."""

    def __init__(self, folder, workers, driver=DRIVER, cpython_kinds=CPYTHON_KINDS):
        self.driver, self.workers = pathlib.Path(folder) / driver, workers
        output, = launch(driver, [str(self.driver), "--list"], 1, None)
        self.contenders = {**answer(driver, output),
                           **{kind: platform.python_version() for kind in cpython_kinds}}

    def command(self, case):
        program = [sys.executable, str(CPYTHON)] if case.contender in CPYTHON_KINDS else [
            str(self.driver)]
        return [*program, case.question, case.contender, f"--workers={self.workers}",
                *case.options.split()]

    def run(self, case):
        output, = launch(case, self.command(case), 1, None)
        return answer(case, output)

    def watch(self, case, look):
        """A run that stops here and there to be looked at: what `look` says, given the process's
        number and what the program says of itself, becomes the figures' list "seen"."""
        seen = []
        try:
            child = subprocess.Popen(self.command(case), text=True, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            raise BenchError(f"{case}: cannot be started: {error.strerror}") from error
        try:
            last = "{}"
            for line in child.stdout:
                last = line
                if "at" in answer(case, line):
                    seen.append(look(child.pid, answer(case, line)))
                    child.stdin.write("\n")
                    child.stdin.flush()
            child.wait()
        finally:
            stop(child)
        if child.returncode != 0:
            raise BenchError(f"{case}: exit code {child.returncode}")
        return {**answer(case, last), "seen": seen}


def answer(case, line):
    try:
        return json.loads(line)
    except ValueError as error:
        raise BenchError(f"{case}: not the expected output: {line[-300:]}") from error


# ---- the samples of a case ---------------------------------------------------------------------


def figures(journal, part, case, figure):
    """What `figure` makes of each sample of the case, by round."""
    return {number: figure(sample) for number, sample in journal.of(part, case).items()}


def median(values):
    """Of a list or of what `figures` gave; None of nothing."""
    values = list(values.values() if isinstance(values, dict) else values)
    return spread(values).median if values else None


def ratios(ones, others):
    """Round by round, of what `figures` gave."""
    return [value / others[number] for number, value in ones.items() if number in others]


def listed(journal, names):
    """Those of the names that were there to be measured."""
    return [name for name in names if name in journal.document["contenders"]]


# ---- the course of a bench of tasks ------------------------------------------------------------


def parser(name, description, quick, parts):
    result = command_line.parser(name, description, quick)
    command_line.add_parts(result, parts)
    result.add_argument("--workers", type=at_least(1), default=2, metavar="N",
                        help="of each pool (2)")
    return result


def begin(name, options, amounts, parts, programs=None):
    """`programs`: where they are others than bench_tasks and its peer."""
    programs = programs or TaskPrograms(options.bin, options.workers)
    settings = {**amounts, "workers": options.workers, "seed": command_line.seed_of(options),
                "parts": command_line.parts_of(options, parts),
                "contenders": list(programs.contenders)}
    journal = Journal.begin(name, settings, machine_facts(programs.driver))
    journal.document["contenders"] = programs.contenders
    return journal, programs


def print_contenders(journal, names):
    there = journal.document["contenders"]
    peers = [f"{TITLES[name]} {there[name]}" for name in names if there.get(name)]
    print(f"workers: {journal.document['settings']['workers']}; peers: {', '.join(peers) or 'none'}")
    lacking = [TITLES[name] for name in names if name not in there]
    if lacking:
        print(f"not in this build, hence left out: {', '.join(lacking)}")
