"""What does --trace cost a task, where the task does next to nothing?

One part: a million tasks, submitted one by one, on a pool without a trace and on one with. Two figures of each:

    recorded  nanoseconds a task until all results are read and all futures released
    written   the same for the whole program, until the trace's file is whole

The trace is written in the current folder and removed. Every figure is a median; every difference is taken round by round,
then its median. A goal that is not met is said and is no failure; a program that fails or whose results are wrong is.
"""

import sys
import time

import command_line
import plot
import tasks
from command_line import at_least
from engine import alternating, measure_plans
from report import figure_row, print_figures, print_machine
from tasks import TITLES, Case, figures, listed, median

KINDS = ("thread_pool", "process_pool")
GOAL_NS = 150  # that a recorded task takes longer


def traced(name):
    return f"{name}_traced"


def case(settings, contender):
    return Case("submit", contender, f"--count={settings['tasks']} --passes=1")


def plan(settings):
    return alternating([case(settings, name) for kind in KINDS for name in (kind, traced(kind))], settings["rounds"])


PLANS = {"tracing": plan}


def measure(journal, programs):
    def run(wanted):
        start = time.perf_counter()
        sample = programs.run(wanted)
        return {**sample, "whole_ns": (time.perf_counter() - start) * 1e9}

    measure_plans(journal, PLANS, run)


# ---- what is reported --------------------------------------------------------------------------


def recorded(journal, name):
    return figures(journal, "tracing", case(journal.document["settings"], name), lambda sample: sample["all"][0])


def written(journal, name):
    settings = journal.document["settings"]
    return figures(journal, "tracing", case(settings, name), lambda sample: sample["whole_ns"] / settings["tasks"])


def more(figure, journal, kind):
    plain, other = figure(journal, kind), figure(journal, traced(kind))
    return [other[number] - plain[number] for number in other if number in plain]


def rows(journal):
    for kind in listed(journal, KINDS):
        yield from figure_row(f"{TITLES[kind]}, without a trace", recorded(journal, kind).values(), None)
        yield from figure_row(f"{TITLES[kind]}, with one: more, recorded", more(recorded, journal, kind), GOAL_NS)
        yield from figure_row(f"{TITLES[kind]}, with one: more, written", more(written, journal, kind), None)


def report(journal):
    print_machine(journal)
    print_figures("Nanoseconds a task", list(rows(journal)))


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    names = listed(journal, KINDS)
    series = {"without a trace": [median(recorded(journal, name)) for name in names],
              "more with one, recorded": [median(more(recorded, journal, name)) for name in names],
              "more with one, written": [median(more(written, journal, name)) for name in names]}
    cpu = journal.document["machine"]["cpu"]
    return plot.draw_bars(f"A tiny task with --trace, medians ({cpu})",
                          plot.Bars("nanoseconds", [TITLES[name] for name in names], series), stem)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 9, "tasks": 1000000}
QUICK = {"rounds": 2, "tasks": 100000}


def parse_arguments(arguments):
    parser = tasks.parser("tracing", __doc__, "2 rounds of 100000 tasks", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="(9; quick: 2)")
    add("--tasks", type=at_least(1), metavar="N", help="in a round (1000000; quick: 100000)")
    return parser.parse_args(arguments)


def begin(options):
    return tasks.begin("tracing", options, command_line.amounts_of(options, DEFAULTS, QUICK), PLANS)


if __name__ == "__main__":
    sys.exit(command_line.main("tracing", parse_arguments(sys.argv[1:]), begin, measure, report, draw))
