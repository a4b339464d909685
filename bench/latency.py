"""How long until the result of a single task is there, and what does a pool cost that has none?

Four parts, each a question (README.md beside this file says more):

    awake    one task after the other: the worker is still looking for tasks when the next comes
    asleep   one task after a pause of 10 ms: the worker has to be woken
    crowded  both again beside busy processes, twice as many as there are cores
    idle     processor time of a pool that has been used and has nothing to do

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or whose results are wrong is.
"""

import contextlib
import subprocess
import sys
import time

import command_line
import plot
import processes
import tasks
from command_line import at_least
from engine import alternating, measure_parts, usable_cores
from report import figure_row, print_figures, print_machine, print_ratios, ratio_row
from tasks import CPYTHON_KINDS, OURS, POOLS, TITLES, Case, figures, listed, median, ratios

PEERS = ("condvar", "futex", "onetbb", "glib", "libuv", *CPYTHON_KINDS)
PAUSE_US = 10000
IDLE_TASKS = 1000
TRIPS = ("awake", "asleep")

GOAL_US = {"awake": 0.6, "asleep": 25}
GOAL_P99_US = {"awake": 1.5}
GOAL_IDLE_MS = 1


# ---- what is measured --------------------------------------------------------------------------


def trip_case(settings, contender, part):
    count = settings[part]
    if part == "asleep":
        return Case("latency", contender, f"--count={count} --pause={PAUSE_US}")
    if contender in CPYTHON_KINDS:
        count = max(1, count // 20)
    return Case("latency", contender, f"--count={count}")


def trips_plan(settings, part):
    return alternating([trip_case(settings, name, part) for name in (*OURS, *PEERS)
                        if name in settings["contenders"]], settings["rounds"])


def crowded_plan(settings):
    return alternating([trip_case(settings, name, trip) for trip in TRIPS
                        for name in (*POOLS, "condvar", "futex")
                        if name in settings["contenders"]], settings["crowded_rounds"])


@contextlib.contextmanager
def crowd():
    """Busy processes, twice as many as there are cores."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            for _ in range(max(2, round(2 * usable_cores())))]
    try:
        yield
    finally:
        for process in busy:
            processes.stop(process)


def idle_case(contender):
    return Case("idle", contender, f"--count={IDLE_TASKS}")


def idle_plan(settings):
    return alternating([idle_case(name) for name in POOLS if name in settings["contenders"]],
                       settings["idle_rounds"])


PLANS = {"awake": lambda settings: trips_plan(settings, "awake"),
         "asleep": lambda settings: trips_plan(settings, "asleep"),
         "crowded": crowded_plan,
         "idle": idle_plan}


def measure(journal, programs):
    seconds = journal.document["settings"]["idle_seconds"]

    def run(case):
        if case.question != "idle":
            return programs.run(case)
        begin, end = programs.watch(case, Idle(seconds).look)["seen"]
        return {"cpu_ms": (end - begin) / 1e6}

    def measure_part(part):
        with crowd() if part == "crowded" else contextlib.nullcontext():
            journal.measure(part, list(PLANS[part](journal.document["settings"])), run)

    measure_parts(journal, measure_part)


class Idle:
    """Looks, and before the second look lets the time pass."""

    def __init__(self, seconds):
        self.pauses = iter((0, seconds))

    def look(self, process, _):
        time.sleep(next(self.pauses))
        return processes.cpu_ns_of(process)


# ---- what is reported --------------------------------------------------------------------------


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, (*OURS, *PEERS))
    print_figures("Microseconds from submit to the result, and milliseconds of an idle pool",
                  [*trip_rows(journal, "awake"), *trip_rows(journal, "asleep"),
                   *trip_rows(journal, "awake", "crowded"),
                   *trip_rows(journal, "asleep", "crowded"), *idle_rows(journal)])
    print_ratios([*trip_ratios(journal, "awake"), *trip_ratios(journal, "asleep")])


def trips(journal, name, trip, part=None, which="median"):
    return figures(journal, part or trip, trip_case(journal.document["settings"], name, trip),
                   lambda sample: sample[which][0])


def trip_rows(journal, trip, part=None):
    """`part`: where it was measured, if it was not in the part of its own name."""
    words = f"{part}, {trip}" if part else trip
    for name in listed(journal, (*OURS, *PEERS)):
        alone = name in POOLS and part is None
        yield from figure_row(f"{TITLES[name]}, {words}, median",
                              trips(journal, name, trip, part).values(),
                              GOAL_US[trip] if alone else None, "{:.2f}")
        yield from figure_row(f"{TITLES[name]}, {words}, 99 of 100",
                              trips(journal, name, trip, part, "p99").values(),
                              GOAL_P99_US.get(trip) if alone else None, "{:.2f}")


def idle_rows(journal):
    seconds = journal.document["settings"]["idle_seconds"]
    for name in listed(journal, POOLS):
        values = figures(journal, "idle", idle_case(name), lambda sample: sample["cpu_ms"])
        yield from figure_row(f"{name}, idle for {seconds} s, processor time", values.values(),
                              GOAL_IDLE_MS, "{:.3f}")


def trip_ratios(journal, part):
    for name in listed(journal, POOLS):
        for peer in listed(journal, ("condvar", "futex")):
            yield from ratio_row(f"{name} / {TITLES[peer]}, time, {part}",
                                 ratios(trips(journal, name, part), trips(journal, peer, part)))


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    cpu = journal.document["machine"]["cpu"]
    names = listed(journal, (*OURS, *PEERS))
    series = {f"{part}, {title}": [median(trips(journal, name, part, which=which)) for name in names]
              for part in ("awake", "asleep")
              for title, which in (("median", "median"), ("99 of 100", "p99"))}
    return plot.draw_bars(f"One task, from submit to its result, medians ({cpu})",
                          plot.Bars("microseconds", [TITLES[name] for name in names], series),
                          stem)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 5, "crowded_rounds": 3, "awake": 100000, "asleep": 200, "idle_rounds": 1,
            "idle_seconds": 10}
QUICK = {"rounds": 1, "crowded_rounds": 1, "awake": 20000, "asleep": 30, "idle_rounds": 1,
         "idle_seconds": 1}


def parse_arguments(arguments):
    parser = tasks.parser("latency", __doc__, "less of everything: 20 seconds", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="of awake and asleep (5; quick: 1)")
    add("--crowded-rounds", type=at_least(1), metavar="N", help="of crowded (3; quick: 1)")
    add("--awake", type=at_least(1), metavar="N", help="tasks one after the other (100000; 20000)")
    add("--asleep", type=at_least(1), metavar="N", help="tasks after a pause each (200; 30)")
    add("--idle-rounds", type=at_least(1), metavar="N", help="rounds of idle (1)")
    add("--idle-seconds", type=at_least(1), metavar="N", help="without a task (10; 1)")
    return parser.parse_args(arguments)


def begin(options):
    return tasks.begin("latency", options, command_line.amounts_of(options, DEFAULTS, QUICK),
                       PLANS)


if __name__ == "__main__":
    sys.exit(command_line.main("latency", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
