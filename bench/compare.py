"""The same work in each way, in C and in CPython: what do threads, processes and an event loop bring?

Two parts (README.md beside this file says more):

    compute  the documents' 20 numbers, tested by trial division: sequentially, on threads, processes and OpenMP
    wait     20 flags from a server that delays each answer: sequentially, on processes, threads, an event loop

Writes compare.html, a page that needs nothing else: a timeline of each contender with a bar for each task, and
all figures; and the picture compare.svg and compare.png. Times are those of whole programs, from before their
start to their end. Every figure is a median; every ratio is taken round by round, then its median.
"""

import math
import pathlib
import signal
import sys

import command_line
import compare_page
import compare_picture
from command_line import at_least
from compare_findings import works_of
from compare_runs import COMPUTE, PROGRAMS, WAIT, Runs, contenders, python
from download_programs import peer_python, said_by, versions_of
from downloads import scratch_in_memory
from engine import Journal, alternating, machine_facts, measure_plans
from report import print_machine, print_ratios, print_table, ratio_row

PARTS = (COMPUTE, WAIT)
DELAYS, QUICK_DELAYS = (0.05, 0.5), (0.01, 0.05)  # seconds, at least and at most

# Milliseconds in CPython. None: the documents' 20.
QUICK_NUMBERS = (2, 1000003, 99999999977, 100000000003, 999999999989, 1000000000039, 1000000000038)


def plan(part):
    return lambda settings: alternating(cases_of(settings, part), settings["rounds"])


def cases_of(settings, part):
    return contenders(part, settings["workers"], settings["cpus"], settings["openmp"],
                      settings["httpx"])


def measure(journal, runs):
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) == signal.SIG_DFL:
            signal.signal(ending, signal.default_int_handler)  # as Ctrl-C: servers are stopped
    with runs:
        measure_plans(journal, {part: plan(part) for part in PARTS}, runs.run)


# ---- what is reported --------------------------------------------------------------------------


def works(journal):
    settings = journal.document["settings"]
    return works_of(journal, {part: cases_of(settings, part) for part in PARTS})


def report(journal):
    settings = journal.document["settings"]
    print_machine(journal)
    if not settings["openmp"]:
        print("not in this build, hence left out: openmp_pool")
    if not settings["httpx"]:
        print("not on this machine, hence left out: CPython's downloads (Debian's python3-httpx)")
    for work in works(journal):
        print_table(work.title, ["what", "program", "rounds", "seconds", "quartiles", "processor s"],
                    [[f"{one.case.language}: {one.case.title}", one.case.program,
                      str(one.wall.count), f"{one.wall.median:.3f}",
                      f"{one.wall.first_quartile:.3f} .. {one.wall.third_quartile:.3f}",
                      f"{one.cpu:.3f}"] for one in work.all])
        print_ratios(row for one in work.all for row in ratio_row(
            f"{one.case.language}: sequential / {one.case.title}, time", one.gains))


def draw(journal, stem):
    """The page first: it needs no gnuplot. Nothing of nothing at all."""
    found = works(journal)
    return found and [compare_page.write(journal, found, stem.with_suffix(".html")),
            *compare_picture.draw(journal, found, stem)]


# ---- the command line --------------------------------------------------------------------------

DEFAULTS, QUICK = {"rounds": 5}, {"rounds": 1}


def parse_arguments(arguments):
    parser = command_line.parser("compare", __doc__,
                                 "one round, small numbers, short delays: some seconds")
    command_line.add_parts(parser, PARTS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of each part (5; quick: 1)")
    add("--workers", type=at_least(1), metavar="N",
        help="of the prime checks (one for each usable CPU)")
    add("--scratch", type=pathlib.Path,
        default=scratch_in_memory() or command_line.ROOT / "build" / "bench", metavar="DIR",
        help="where a folder for images is made, and removed at the end (in memory, if there is "
        "room; else build/bench)")
    return parser.parse_args(arguments)


def settings_of(options, machine):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    settings["seed"] = command_line.seed_of(options)
    settings["parts"] = command_line.parts_of(options, PARTS)
    settings["cpus"] = math.ceil(machine["cores"])  # as our programs count them
    settings["workers"] = options.workers or settings["cpus"]
    settings["numbers"] = QUICK_NUMBERS if options.quick else None
    settings["delays"] = QUICK_DELAYS if options.quick else DELAYS
    settings["openmp"] = (options.bin / "openmp_pool").exists()
    settings["httpx"] = versions_of(peer_python()) if peer_python() else None
    return settings


def begin(options):
    machine = machine_facts(options.bin / PROGRAMS[COMPUTE]["processes"])
    machine["python"] = said_by([python(), "-c", "import platform; print(platform.python_version())"])
    settings = settings_of(options, machine)
    runs = Runs(options.bin, options.scratch, settings["seed"], settings["numbers"],
                settings["delays"])
    return Journal.begin("compare", settings, machine), runs


if __name__ == "__main__":
    sys.exit(command_line.main("compare", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
