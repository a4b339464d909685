"""What does a fork cost, and what do two workers make of many forks?

Eight parts, each a question (README.md beside this file says more):

    fib        fib(32), a fork at every call: nanoseconds a fork
    tree       the sum of a balanced tree of 10^2 to 10^7 nodes
    trees      10^4 trees of 100 nodes, one after the other, inside one task
    quicksort  10^7 numbers, forks down to 2048 numbers and down to 32
    spine      10^6 forks, each inside of the first half of the one before
    coarse     one fork: one half sleeps for 20 ms, the other computes for 20 ms
    idle       a task that never forks: what do the other workers do meanwhile?
    for        adds 1 to 10^7 numbers, in parts of 256

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or whose results are wrong is.
"""

import dataclasses
import sys

import command_line
import plot
import tasks
from command_line import at_least
from engine import alternating, measure_plans
from report import figure_row, print_figures, print_machine, print_ratios, print_table, ratio_row
from tasks import TITLES, Case, TaskPrograms, listed, median, ratios

DRIVER = "bench_forkjoin"
FORKERS = ("thread_pool", "thread_pool_both", "openmp")  # ours, with one worker too
CONTENDERS = (*FORKERS, "futures", "c", "c_calls", "libgomp", "onetbb")
ASKED = {"fib": (*FORKERS, "c", "c_calls", "libgomp", "onetbb"),
         "tree": ("thread_pool", "openmp", "c", "c_calls", "libgomp", "onetbb"),
         "trees": ("thread_pool", "openmp", "c", "c_calls", "libgomp", "onetbb"),
         "quicksort": ("thread_pool", "openmp", "futures", "c", "libgomp", "onetbb"),
         "spine": ("thread_pool", "onetbb"),
         "coarse": ("thread_pool", "openmp", "c", "libgomp", "onetbb"),
         "idle": ("thread_pool", "openmp", "c", "libgomp", "onetbb"),
         "for": ("thread_pool", "openmp", "c", "libgomp", "onetbb")}
ONE_SHARES_NOTHING = ("coarse", "idle")  # which are of what another worker does
ONE_THREAD = ("c", "c_calls")

TREES = {10**power: f"10^{power}" for power in range(2, 8)}  # nodes
GREATEST = max(TREES)
CUTS = (2048, 32)
TREE_NODES = 10**6      # in all passes over a small tree
SMALL_TREE_PASSES = 1000
SLOW = ("libgomp",)     # hundreds of nanoseconds a fork
SLOW_PASSES = 2

GOAL_FIB_NS = {"thread_pool": 4, "thread_pool_both": 7}  # one worker
GOAL_FIB_SHARED = 1.9   # times as fast as one worker
GOAL_TREE = 1.7         # times as fast as C, the greatest tree
GOAL_TREES = 2.5        # times C's time, at most
GOAL_QUICKSORT = 1.8    # times as fast as C
GOAL_FUTURES = 1.8      # likewise, at the greater cut
GOAL_SPINE = 2.0        # times one worker's time, at most
GOAL_COARSE_MS = 21
GOAL_IDLE_PERCENT = 2
GOAL_FOR = 1.2          # times oneTBB's time, at most


# ---- what is measured --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Runner:
    """A contender with so many workers."""
    name: str
    workers: int

    def __str__(self):
        if self.name in ONE_THREAD:
            return TITLES[self.name]
        return f"{TITLES[self.name]}, {self.workers} worker{'s' if self.workers > 1 else ''}"

    def short(self):
        """For a picture, where there is less room."""
        return str(self).removesuffix("s").removesuffix(" worker")


def runners(settings, part):
    """Those that are there. One worker and all of them are neighbours."""
    found = {}
    for name in ASKED[part]:
        if name in settings["contenders"]:
            if name in FORKERS and part not in ONE_SHARES_NOTHING:
                found[Runner(name, 1)] = None
            found[Runner(name, 1 if name in ONE_THREAD else settings["workers"])] = None
    return list(found)


def passes_of(settings, part, runner, nodes):
    if part == "quicksort":
        return settings["sort_passes"]
    if part == "idle":
        return 1
    if part == "tree" and nodes < TREE_NODES:
        return min(SMALL_TREE_PASSES, max(settings["passes"], TREE_NODES // nodes))
    return min(settings["passes"], SLOW_PASSES) if runner.name in SLOW else settings["passes"]


def case(settings, part, runner, size=None):
    """`size`: of a tree its nodes, of quicksort the cut, which C has not."""
    words = [f"--workers={runner.workers}",
             f"--passes={passes_of(settings, part, runner, size)}"]
    if part == "tree":
        words.append(f"--count={size}")
    elif part == "quicksort":
        words.append(f"--seed={settings['seed']}")
        if runner.name not in ONE_THREAD:
            words.append(f"--cut={size}")
    elif part == "idle":
        words.append(f"--ms={settings['idle_ms']}")
    return Case(part, runner.name, " ".join(words))


def sizes_of(settings, part):
    return {"tree": settings["trees"], "quicksort": CUTS}.get(part, [None])


def plan_of(part):
    def plan(settings):
        cases = [case(settings, part, runner, size) for size in sizes_of(settings, part)
                 for runner in runners(settings, part)]
        return alternating(list(dict.fromkeys(cases)), settings["rounds"])
    return plan


PLANS = {part: plan_of(part) for part in ASKED}


def measure(journal, programs):
    measure_plans(journal, PLANS, programs.run)


# ---- what is reported --------------------------------------------------------------------------


def ns_of_each(sample):
    """A fork, a node or a number, in the passes after the first."""
    return median(sample["ns"][1:]) / sample["count"]


def ms_of_pass(sample):
    return median(sample["ns"][1:]) / 1e6


def percent(sample):
    return median(sample["percent"])


def figures(journal, part, runner, size=None, figure=ns_of_each):
    return tasks.figures(journal, part, case(journal.document["settings"], part, runner, size),
                         figure)


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, CONTENDERS)
    print_figures("fib(32), nanoseconds a fork", rows(journal, "fib", fib_goal))
    report_trees(journal)
    print_figures("10^4 trees of 100 nodes, nanoseconds a node", rows(journal, "trees"))
    print_figures("Quicksort of 10^7 numbers, milliseconds", sort_rows(journal))
    print_figures("A spine of 10^6 forks, nanoseconds a fork", rows(journal, "spine"))
    print_figures("Sleep for 20 ms beside computing for 20 ms, milliseconds",
                  rows(journal, "coarse", ours(GOAL_COARSE_MS), ms_of_pass))
    print_figures("Processor time of the others beside a task that never forks, % of a core",
                  rows(journal, "idle", ours(GOAL_IDLE_PERCENT), percent))
    print_figures("Adding 1 to 10^7 numbers, nanoseconds a number",
                  rows(journal, "for", form="{:.3f}"))
    print_ratios(ratio_rows(journal))


def fib_goal(runner):
    return GOAL_FIB_NS.get(runner.name) if runner.workers == 1 else None


def ours(goal):
    return lambda runner: goal if runner.name in FORKERS else None


def rows(journal, part, goal=lambda runner: None, figure=ns_of_each, form="{:.2f}"):
    for runner in runners(journal.document["settings"], part):
        yield from figure_row(str(runner), figures(journal, part, runner, figure=figure).values(),
                              goal(runner), form)


def sort_rows(journal):
    for runner in runners(journal.document["settings"], "quicksort"):
        for cut in CUTS if runner.name not in ONE_THREAD else [None]:
            name = f"{runner}, cut {cut}" if cut else str(runner)
            yield from figure_row(
                name, figures(journal, "quicksort", runner, cut, ms_of_pass).values(),
                form="{:.0f}")


def report_trees(journal):
    settings = journal.document["settings"]
    there = runners(settings, "tree")
    table = []
    for nodes in settings["trees"]:
        found = [median(figures(journal, "tree", runner, nodes)) for runner in there]
        if any(found):
            table.append([TREES[nodes], *("" if ns is None else f"{ns:.2f}" for ns in found)])
    if table:
        print_table("The sum of a tree, nanoseconds a node (medians)",
                    ["nodes", *map(str, there)], table)


def ratio_rows(journal):
    workers = journal.document["settings"]["workers"]
    names = listed(journal, CONTENDERS)

    def row(part, one, other, goal="", is_met=None, size=None):
        """Of the times of two runners, where both are there."""
        if one.name in names and other.name in names:
            words = {"tree": f" of {TREES.get(size)}", "quicksort": f", cut {size}"}.get(part, "")
            yield from ratio_row(f"{part}{words}: {one} / {other}, time",
                                 ratios(figures(journal, part, one, size),
                                        figures(journal, part, other, size)), goal, is_met)

    def least(goal):
        return f">= {goal:g}", lambda ratio: ratio >= goal

    def most(goal):
        return f"<= {goal:g}", lambda ratio: ratio <= goal

    def peers(part, size=None):
        for peer in ("libgomp", "onetbb"):
            yield from row(part, Runner(peer, workers), pool, size=size)

    single, pool, plain = Runner("thread_pool", 1), Runner("thread_pool", workers), Runner("c", 1)
    for name in FORKERS:
        yield from row("fib", Runner(name, 1), Runner(name, workers), *least(GOAL_FIB_SHARED))
    yield from row("fib", single, plain)
    yield from row("fib", single, Runner("c_calls", 1))
    yield from peers("fib")
    yield from row("tree", plain, pool, *least(GOAL_TREE), size=GREATEST)
    yield from peers("tree", GREATEST)
    for runner in (single, pool):
        yield from row("trees", runner, plain, *most(GOAL_TREES))
    for cut in CUTS:
        yield from row("quicksort", plain, pool, *least(GOAL_QUICKSORT), size=cut)
    for cut in CUTS:
        yield from row("quicksort", plain, Runner("futures", workers),
                       *(least(GOAL_FUTURES) if cut == max(CUTS) else ()), size=cut)
    for cut in CUTS:
        yield from peers("quicksort", cut)
    yield from row("spine", pool, single, *most(GOAL_SPINE))
    yield from row("for", pool, Runner("onetbb", workers), *most(GOAL_FOR))
    yield from row("for", pool, Runner("libgomp", workers))


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    cpu, settings = journal.document["machine"]["cpu"], journal.document["settings"]
    there = list(dict.fromkeys(runner for part in ASKED for runner in runners(settings, part)))
    parts = {"fib(32): a fork": ("fib", None), "tree of 10^7: a node": ("tree", GREATEST),
             "10^4 trees of 100: a node": ("trees", None), "for: a number": ("for", None)}
    series = {title: [median(figures(journal, part, runner, size)) for runner in there]
              for title, (part, size) in parts.items()}
    return plot.draw_bars(f"What a fork costs and brings, by number of workers, medians ({cpu})",
                          plot.Bars("nanoseconds", [runner.short() for runner in there], series),
                          stem)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 9, "passes": 4, "sort_passes": 2, "idle_ms": 1000}
QUICK = {"rounds": 1, "passes": 2, "sort_passes": 2, "idle_ms": 200}
QUICK_TREES = (10**2, 10**4, GREATEST)


def parse_arguments(arguments):
    parser = tasks.parser("forkjoin", __doc__, "less of everything: a minute", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="of each part (9; quick: 1)")
    add("--passes", type=at_least(2), metavar="N", help="in a process (4; 2)")
    add("--sort-passes", type=at_least(2), metavar="N", help="of quicksort in a process (2)")
    add("--idle-ms", type=at_least(1), metavar="MS", help="what idle's task computes (1000; 200)")
    return parser.parse_args(arguments)


def begin(options):
    amounts = command_line.amounts_of(options, DEFAULTS, QUICK)
    amounts["trees"] = QUICK_TREES if options.quick else list(TREES)
    programs = TaskPrograms(options.bin, options.workers, DRIVER, cpython_kinds=())
    return tasks.begin("forkjoin", options, amounts, PLANS, programs)


if __name__ == "__main__":
    sys.exit(command_line.main("forkjoin", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
