"""What memory does a task take that waits, and does a stream of 10^9 items take any?

Two parts, each a question (README.md beside this file says more):

    pending  bytes a task, 10^7 of them pending: ours beside others
    stream   how much the memory grows while a stream runs, and nanoseconds an item

Every figure is a median. A goal that is not met is said and is no failure; a program that fails or
whose results are wrong is.
"""

import sys

import command_line
import plot
import processes
import tasks
from command_line import at_least
from engine import alternating, measure_plans
from report import figure_row, print_figures, print_machine
from tasks import CPYTHON_KINDS, POOLS, TITLES, Case, figures, listed, median

PEERS = ("onetbb", "glib", "libuv", *CPYTHON_KINDS)

GOAL_BYTES = 96
GOAL_GROWTH_MIB = 1


# ---- what is measured --------------------------------------------------------------------------


def pending_case(settings, contender):
    of = "cpython" if contender in CPYTHON_KINDS else "peer" if contender in PEERS else "our"
    return Case("memory", contender, f"--count={settings[of + '_tasks']}")


def pending_plan(settings):
    return alternating([pending_case(settings, name) for name in (*POOLS, *PEERS)
                        if name in settings["contenders"]], settings["rounds"])


def stream_case(settings, contender):
    return Case("stream", contender, f"--count={settings['items']}")


def stream_plan(settings):
    return alternating([stream_case(settings, name) for name in POOLS
                        if name in settings["contenders"]], settings["stream_rounds"])


PLANS = {"pending": pending_plan, "stream": stream_plan}


def measure(journal, programs):
    measure_plans(journal, PLANS,
                  lambda case: programs.watch(case, lambda process, entry:
                                              [entry["at"], processes.memory_of(process)]))


# ---- what is reported --------------------------------------------------------------------------


def bytes_a_task(sample):
    (_, before), (count, after) = sample["seen"]
    return (after - before) / count


def growth_mib(sample):
    """From the second look on, when a tenth is done, to the greatest."""
    _, (_, early), *later = sample["seen"]
    return (max(memory for _, memory in later) - early) / 2**20


def most_mib(sample):
    return max(memory for _, memory in sample["seen"]) / 2**20


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, (*POOLS, *PEERS))
    print_figures("Bytes a pending task", pending_rows(journal))
    print_figures("A stream", stream_rows(journal))


def pending_figures(journal, name):
    return figures(journal, "pending", pending_case(journal.document["settings"], name),
                   bytes_a_task)


def pending_rows(journal):
    return [row for name in listed(journal, (*POOLS, *PEERS))
            for row in figure_row(TITLES[name], pending_figures(journal, name).values(),
                                  GOAL_BYTES if name in POOLS else None)]


def stream_rows(journal):
    settings, rows = journal.document["settings"], []
    for name in listed(journal, POOLS):
        for title, figure, goal in (
                ("growth after a tenth, MiB", growth_mib, GOAL_GROWTH_MIB),
                ("greatest, MiB", most_mib, None),
                ("nanoseconds an item", lambda sample: sample["ns"][0], None)):
            values = figures(journal, "stream", stream_case(settings, name), figure)
            rows += figure_row(f"{name}, {settings['items']:,} items: {title}", values.values(),
                               goal, "{:.2f}")
    return rows


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    cpu = journal.document["machine"]["cpu"]
    names = listed(journal, (*POOLS, *PEERS))
    bars = plot.Bars("bytes", [TITLES[name] for name in names],
                     {"of a pending task": [median(pending_figures(journal, name))
                                            for name in names]})
    return plot.draw_bars(f"A pending task with 16 bytes of argument and 8 of result, medians "
                          f"({cpu})", bars, stem)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 3, "our_tasks": 10**7, "peer_tasks": 10**7, "cpython_tasks": 10**5,
            "stream_rounds": 1, "items": 10**9}
QUICK = {"rounds": 1, "our_tasks": 10**6, "peer_tasks": 10**6, "cpython_tasks": 10**4,
         "stream_rounds": 1, "items": 10**8}


def parse_arguments(arguments):
    parser = tasks.parser("memory", __doc__, "less of everything: 20 seconds", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="of pending (3; quick: 1)")
    add("--our-tasks", type=at_least(1), metavar="N", help="pending, ours (10^7; 10^6)")
    add("--peer-tasks", type=at_least(1), metavar="N", help="pending, peers' (10^7; 10^6)")
    add("--cpython-tasks", type=at_least(1), metavar="N", help="pending, CPython's (10^5; 10^4)")
    add("--stream-rounds", type=at_least(1), metavar="N", help="of stream (1)")
    add("--items", type=at_least(20), metavar="N", help="of a stream (10^9; 10^8)")
    return parser.parse_args(arguments)


def begin(options):
    return tasks.begin("memory", options, command_line.amounts_of(options, DEFAULTS, QUICK), PLANS)


if __name__ == "__main__":
    sys.exit(command_line.main("memory", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
