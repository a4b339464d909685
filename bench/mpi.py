"""What does a task cost on the ranks of an MPI job, beside mpi4py.futures?

Five parts, each a question (README.md beside this file says more):

    tasks     nanoseconds a task, submitted one by one
    items     nanoseconds an item of a map, in chunks of each one's own choice
    awake     one task after the other: how long until its result is there?
    programs  mpi_pool and proc_pool check the documents' 20 numbers: how long in all?
    steps     what do the steps cost, and how many tasks a second do 1 to 3 ranks run? For scale.py

All ranks are on this machine: --workers of them run tasks, one more submits. Every figure is a
median; every ratio is taken round by round, then its median. A goal that is not met is said and is
no failure; a program that fails or whose results are wrong is.
"""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys

import command_line
import plot
import tasks
from command_line import at_least
from engine import BenchError, alternating, measure_parts
from processes import launch
from report import figure_row, print_figures, print_machine, print_ratios, ratio_row
from tasks import TITLES, Case, figures, listed, median, ratios

OURS, PEER = "mpi", "mpi4py"
BESIDE = ("process_pool", OURS, PEER)
PEERS = pathlib.Path(__file__).parent / "peers"
PROGRAMS = ("proc_pool", "mpi_pool")

GOAL_NS = {"tasks": 5000, "items": 20}
GOAL_MPI4PY = 30      # times as fast as mpi4py, a task
GOAL_PROGRAM = 1.05   # mpi_pool, times proc_pool's time

MPIRUN = ["mpirun", "--oversubscribe", "--allow-run-as-root", "-x", "PYTHONPATH", "-n"]


# ---- what is measured --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Program:
    program: str

    def __str__(self):
        return self.program


@dataclasses.dataclass(frozen=True)
class Steps:
    question: str  # costs, rates
    workers: int

    def __str__(self):
        return f"{self.question}, {self.workers} workers"


@functools.cache
def peer_python():
    """The first Python that has mpi4py, if any: Debian's package is for Debian's Python alone."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-c", "import mpi4py.futures"], check=True, capture_output=True)
            return python
        except (OSError, subprocess.CalledProcessError):
            pass
    return None


def peer_version():
    told, = launch(PEER, [peer_python(), str(PEERS / "mpi4py_tasks.py"), "--version"], 1, None)
    return told.strip()


class RankPrograms(tasks.TaskPrograms):
    """bench_tasks and its peer, under mpirun where they run on ranks."""

    def __init__(self, folder, workers):
        os.environ["PYTHONPATH"] = str(PEERS)
        super().__init__(folder, workers, cpython_kinds=())
        if OURS not in self.contenders:
            raise BenchError("bench_tasks was built without MPI")
        self.contenders = {name: self.contenders[name] for name in BESIDE if name != PEER}
        if peer_python():
            self.contenders[PEER] = peer_version()

    def command(self, case):
        if isinstance(case, Program):
            path = str(self.driver.parent / case.program)
            return [*self.mpirun(), path] if case.program == "mpi_pool" else [path, str(self.workers)]
        if case.contender == PEER:
            return [*self.mpirun(), peer_python(), "-m", "mpi4py.futures",
                    str(PEERS / "mpi4py_tasks.py"), case.question, PEER,
                    f"--workers={self.workers}", *case.options.split()]
        command = super().command(case)
        return [*self.mpirun(), *command] if case.contender == OURS else command

    def mpirun(self):
        return [*MPIRUN, str(self.workers + 1)]

    def run(self, case):
        if isinstance(case, Steps):
            output, = launch(case, [*MPIRUN, str(case.workers + 1),
                                    str(self.driver.parent / "bench_mpi_costs"), case.question], 1, None)
            return {case.question: tasks.answer(case, output)}
        if not isinstance(case, Program):
            return super().run(case)
        output, = launch(case, self.command(case), 1, None)
        *results, last = output.splitlines()
        if sum(" P " in line for line in results) != 9 or not last.startswith("Total time: "):
            raise BenchError(f"{case}: not the expected output: {output[-300:]}")
        return {"seconds": float(last.removeprefix("Total time: ").removesuffix("s"))}


COSTS = Steps("costs", 1)
RATES = [Steps("rates", workers) for workers in (1, 2, 3)]


def amount(settings, question, contender):
    """mpi4py takes a hundred times as long."""
    return settings[question] // (50 if contender == PEER else 1)


def case_of(settings, part, contender):
    count = amount(settings, part, contender)
    if part == "awake":
        return Case("latency", contender, f"--count={count}")
    question = "submit" if part == "tasks" else "map"
    return Case(question, contender, f"--count={count} --passes={settings['passes']}")


def plan(settings, part):
    if part == "programs":
        cases = [Program(name) for name in PROGRAMS]
    elif part == "steps":
        cases = [COSTS, *RATES]
    else:
        cases = [case_of(settings, part, name) for name in BESIDE if name in settings["contenders"]]
    return list(alternating(cases, settings["rounds"]))


def measure(journal, programs):
    def measure_part(part):
        journal.measure(part, plan(journal.document["settings"], part), programs.run)
    measure_parts(journal, measure_part)


# ---- what is reported --------------------------------------------------------------------------


FIGURE = {"tasks": lambda sample: median(sample["all"][1:]),
          "items": lambda sample: median(sample["ns"][1:]) / sample["count"],
          "awake": lambda sample: sample["median"][0]}
WORDS = {"tasks": "ns a task", "items": "ns an item", "awake": "us from submit to result"}


def of(journal, part, name):
    if part == "programs":
        return figures(journal, part, Program(name), lambda sample: sample["seconds"])
    return figures(journal, part, case_of(journal.document["settings"], part, name), FIGURE[part])


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, BESIDE)
    print_figures("What ranks cost", [
        row for part in FIGURE for name in listed(journal, BESIDE)
        for row in figure_row(f"{TITLES[name]}, {WORDS[part]}", of(journal, part, name).values(),
                              GOAL_NS.get(part) if name == OURS else None)])
    print_figures("Seconds of the programs", [
        row for name in PROGRAMS
        for row in figure_row(name, of(journal, "programs", name).values(), form="{:.3f}")])
    print_ratios(ratio_rows(journal))


def ratio_rows(journal):
    for part in FIGURE:
        goal = (f">= {GOAL_MPI4PY}", lambda ratio: ratio >= GOAL_MPI4PY) if part == "tasks" else ()
        yield from ratio_row(f"mpi4py / mpi, {WORDS[part]}",
                             ratios(of(journal, part, PEER), of(journal, part, OURS)), *goal,
                             form="{:.1f}")
    yield from ratio_row("mpi_pool / proc_pool, time",
                         ratios(*(of(journal, "programs", name) for name in reversed(PROGRAMS))),
                         f"<= {GOAL_PROGRAM}", lambda ratio: ratio <= GOAL_PROGRAM)


def costs_of(journal):
    """Medians of the rounds."""
    samples = [sample["costs"] for sample in journal.of("steps", COSTS).values()]
    machine = f"{journal.document['machine']['cpu']}, all ranks on one machine"
    return {name: machine if name == "machine" else median([one[name] for one in samples])
            for name in (samples[0] if samples else {})}


def rates_of(journal):
    """The same, of each throughput."""
    rates = []
    for case in RATES:
        rounds = [sample["rates"] for sample in journal.of("steps", case).values()]
        rates += [{**alike[0], **{name: median([one[name] for one in alike])
                                  for name in ("task_ns", "tasks_per_second")}}
                  for alike in zip(*rounds)]
    return rates


def save_for_scale(journal, stem):
    for name, content in (("costs", costs_of(journal)), ("rates", rates_of(journal))):
        if content:
            path = stem.with_name(f"{stem.name}_{name}.json")
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            print(f"for bench/run scale: {os.path.relpath(path)}", file=sys.stderr)


def draw(journal, stem):
    save_for_scale(journal, stem)
    cpu, names = journal.document["machine"]["cpu"], listed(journal, BESIDE)
    series = {WORDS[part]: [median(of(journal, part, name)) for name in names] for part in FIGURE}
    return plot.draw_bars(f"Tasks on MPI ranks of one machine, medians ({cpu})",
                          plot.Bars("nanoseconds, microseconds", [TITLES[name] for name in names],
                                    series), stem)


# ---- the command line --------------------------------------------------------------------------

PARTS = (*FIGURE, "programs", "steps")
DEFAULTS = {"rounds": 9, "tasks": 10**6, "items": 10**7, "awake": 5000, "passes": 4}
QUICK = {"rounds": 1, "tasks": 10**5, "items": 10**6, "awake": 500, "passes": 2}


def parse_arguments(arguments):
    parser = tasks.parser("mpi", __doc__, "less of everything: half a minute", PARTS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="of each part (9; quick: 1)")
    add("--tasks", type=at_least(1000), metavar="N", help="in a pass (10^6; 10^5)")
    add("--items", type=at_least(1000), metavar="N", help="in a map (10^7; 10^6)")
    add("--awake", type=at_least(100), metavar="N", help="tasks one after the other (5000; 500)")
    add("--passes", type=at_least(2), metavar="N", help="in a process (4; 2)")
    return parser.parse_args(arguments)


def begin(options):
    return tasks.begin("mpi", options, command_line.amounts_of(options, DEFAULTS, QUICK), PARTS,
                       RankPrograms(options.bin, options.workers))


if __name__ == "__main__":
    sys.exit(command_line.main("mpi", parse_arguments(sys.argv[1:]), begin, measure, report, draw))
