"""What does a task cost, from submit to the release of its future, where it does next to nothing?

Four parts, each a question (README.md beside this file says more):

    tasks    nanoseconds a task, submitted one by one: ours beside others
    ways     ours: with at most 1024 under way, as completed, submitted in one call
    count    is it the same for a thousand tasks and for ten million?
    payload  and with arguments from 8 bytes to 1 MiB?

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or whose results are wrong is.
"""

import sys

import command_line
import plot
import tasks
from command_line import at_least
from engine import alternating, measure_plans
from report import figure_row, print_figures, print_machine, print_ratios, print_table, ratio_row
from tasks import CPYTHON_KINDS, OURS, POOLS, TITLES, Case, figures, listed, median, ratios

PEERS = ("libgomp", "onetbb", "glib", "libuv", *CPYTHON_KINDS)
NATIVE = ("libgomp", "onetbb", "glib", "libuv")
CPYTHON_COUNTS = {"cpython_threads": 20000, "cpython_processes": 4000}

GOAL_NS = {"thread_pool": 50, "process_pool": 70}
GOAL_LATER_NS = {"thread_pool": 40, "process_pool": 45}
GOAL_WINDOW_NS = 70
GOAL_MANY_NS = 45
GOAL_AS_COMPLETED_NS = 20    # more than in order
GOAL_LIBGOMP = 1.0           # times its time, at most
GOAL_QUEUES = 4.0            # times as fast as oneTBB, GLib and libuv, first passes
GOAL_CPYTHON = 1500          # process_pool, times as fast as CPython's
GOAL_OPENMP = 1.2            # openmp, times thread_pool's time, at most
GOAL_TWICE = 2.2             # as_completed: time of 2n tasks over that of n, at most

WAYS = {"window": "1024 under way", "as_completed": "as completed", "many": "submit_many"}
COUNTS = (10**3, 10**4, 10**5, 10**6, 10**7)
COUNT_PEERS_TO = 10**6       # their tasks' memory is the bench's
TWICE = (10**5, 10**6)       # n, where twice as many are compared with n
PAYLOADS = (8, 24, 64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20)
PAYLOAD_BYTES = 256 << 20    # of all arguments of a pass, at most,
PAYLOAD_WINDOW = 32 << 20    # and of those under way


# ---- what is measured --------------------------------------------------------------------------


def there(settings, names):
    return [name for name in names if name in settings["contenders"]]


def task_case(settings, contender):
    count = CPYTHON_COUNTS.get(contender, settings["tasks"])
    return Case("submit", contender, f"--count={count} --passes={settings['passes']}")


def tasks_plan(settings):
    return alternating([task_case(settings, name) for name in there(settings, (*OURS, *PEERS))],
                       settings["rounds"])


def ways_case(settings, contender, ways):
    return Case("submit", contender,
                f"--count={settings['tasks']} --passes={settings['passes']} --ways={ways}")


def ways_plan(settings):
    return alternating([ways_case(settings, name, ways) for name in there(settings, POOLS)
                        for ways in ("window", "all,as_completed", "all,many")],
                       settings["rounds"])


def count_case(contender, count):
    return Case("submit", contender, f"--count={count} --passes={passes_of(count)}")


def passes_of(count):
    return max(2, min(100, 2 * 10**6 // count))


def twice_case(contender, count):
    return Case("submit", contender,
                f"--count={count} --passes={passes_of(count)} --ways=as_completed")


def count_plan(settings):
    cases = [count_case(name, count)
             for count in COUNTS if count <= settings["most"]
             for name in there(settings, (*OURS, *NATIVE))
             if name in OURS or count <= COUNT_PEERS_TO]
    cases += [twice_case(name, times * count) for name in there(settings, POOLS)
              for count in TWICE if 2 * count <= settings["most"] for times in (1, 2)]
    return alternating(cases, settings["count_rounds"])


def payload_case(settings, contender, size):
    count = max(64, min(settings["payloads"], PAYLOAD_BYTES // size))
    window = max(4, min(1024, PAYLOAD_WINDOW // size))
    return Case("submit", contender, f"--ways=payload --payload={size} --count={count} "
                f"--window={window} --passes=4")


def payload_plan(settings):
    return alternating([payload_case(settings, name, size)
                        for name in there(settings, POOLS) for size in PAYLOADS],
                       settings["count_rounds"])


PLANS = {"tasks": tasks_plan, "ways": ways_plan, "count": count_plan, "payload": payload_plan}


def measure(journal, programs):
    measure_plans(journal, PLANS, programs.run)


# ---- what is reported --------------------------------------------------------------------------


def cold(way="all"):
    return lambda sample: sample[way][0]


def warm(way="all"):
    return lambda sample: median(sample[way][1:])


def on_top(way):
    """How much more than ALL, in passes side by side; the first is left out."""
    return lambda sample: median([one - other for one, other in
                                  zip(sample[way][1:], sample["all"][1:])])


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, (*OURS, *PEERS))
    print_figures("Nanoseconds a task", [*task_rows(journal), *way_rows(journal)])
    report_counts(journal)
    report_payloads(journal)
    print_ratios([*task_ratios(journal), *twice_ratios(journal)])


def task_rows(journal):
    settings = journal.document["settings"]
    for name in listed(journal, (*OURS, *PEERS)):
        for which, figure, goals in (("first pass", cold(), GOAL_NS),
                                     ("later passes", warm(), GOAL_LATER_NS)):
            values = figures(journal, "tasks", task_case(settings, name), figure)
            yield from figure_row(f"{TITLES[name]}, {which}", values.values(), goals.get(name))


def way_rows(journal):
    settings = journal.document["settings"]
    for name in listed(journal, POOLS):
        def row(title, ways, figure, goal=None):
            values = figures(journal, "ways", ways_case(settings, name, ways), figure)
            return figure_row(f"{name}, {title}", values.values(), goal)
        goal = GOAL_WINDOW_NS if name != "openmp" else None
        yield from row("1024 under way, first pass", "window", cold("window"), goal)
        yield from row("1024 under way, later passes", "window", warm("window"), goal)
        yield from row("as completed, later passes", "all,as_completed", warm("as_completed"))
        yield from row("as completed, on top of in order", "all,as_completed",
                       on_top("as_completed"), GOAL_AS_COMPLETED_NS)
        yield from row("submit_many, first pass", "all,many", cold("many"), GOAL_MANY_NS)
        yield from row("submit_many, later passes", "all,many", warm("many"), GOAL_MANY_NS)


def count_median(journal, contender, count):
    """Of all passes but the first, of all rounds."""
    return median(figures(journal, "count", count_case(contender, count), warm()))


def report_counts(journal):
    names = listed(journal, (*OURS, *NATIVE))
    rows = [[f"{count:,}", *(shown(count_median(journal, name, count)) for name in names)]
            for count in COUNTS]
    rows = [row for row in rows if any(row[1:])]
    if rows:
        print_table("Nanoseconds a task by their number, later passes (medians)",
                    ["tasks", *(TITLES[name] for name in names)], rows)


def payload_median(journal, contender, size):
    case = payload_case(journal.document["settings"], contender, size)
    return median(figures(journal, "payload", case, warm("payload")))


def report_payloads(journal):
    names = listed(journal, POOLS)
    rows = []
    for size in PAYLOADS:
        medians = [payload_median(journal, name, size) for name in names]
        if any(medians):
            rows.append([f"{size:,}", *map(shown, medians),
                         *(f"{size / ns:.2f}" if ns else "" for ns in medians)])
    if rows:
        print_table("Nanoseconds a task, and GB a second, by bytes of its argument (medians)",
                    ["bytes", *names, *(f"{name} GB/s" for name in names)], rows)


def shown(value):
    return "" if value is None else plot.three_digits(value)


def task_ratios(journal):
    settings = journal.document["settings"]

    def pair(one, other, figure):
        both = [figures(journal, "tasks", task_case(settings, name), figure)
                for name in (one, other)]
        return ratios(*both)

    def at_most(goal):
        return f"<= {goal:g}", lambda ratio: ratio <= goal

    def no_less(goal):
        return f">= {goal:g}", lambda ratio: ratio >= goal

    for which, figure in (("first pass", cold()), ("later passes", warm())):
        for ours in listed(journal, POOLS):
            goal = at_most(GOAL_LIBGOMP) if ours == "thread_pool" else ()
            yield from ratio_row(f"{ours} / libgomp, time, {which}",
                                 pair(ours, "libgomp", figure), *goal)
    for ours in listed(journal, POOLS):
        goal = no_less(GOAL_QUEUES) if ours == "thread_pool" else ()
        for peer in ("onetbb", "glib", "libuv"):
            yield from ratio_row(f"{TITLES[peer]} / {ours}, time, first pass",
                                 pair(peer, ours, cold()), *goal)
    for peer, ours, goal in (("cpython_threads", "thread_pool", ()),
                             ("cpython_processes", "process_pool", no_less(GOAL_CPYTHON))):
        yield from ratio_row(f"{TITLES[peer]} / {ours}, time, first pass",
                             pair(peer, ours, cold()), *goal, form="{:.0f}")
    for which, figure in (("first pass", cold()), ("later passes", warm())):
        yield from ratio_row(f"openmp / thread_pool, time, {which}",
                             pair("openmp", "thread_pool", figure), *at_most(GOAL_OPENMP))


def twice_ratios(journal):
    for name in listed(journal, POOLS):
        for count in TWICE:
            once, twice = (figures(journal, "count", twice_case(name, times * count),
                                   warm("as_completed")) for times in (1, 2))
            yield from ratio_row(f"{name}, as completed: {2 * count:,} tasks / {count:,}, time",
                                 [2 * ratio for ratio in ratios(twice, once)],
                                 f"< {GOAL_TWICE:g}", lambda ratio: ratio < GOAL_TWICE)


# ---- the pictures ------------------------------------------------------------------------------


def draw(journal, stem):
    settings, cpu = journal.document["settings"], journal.document["machine"]["cpu"]
    pictures = [
        (stem, f"A task that does next to nothing, {settings['workers']} workers, medians ({cpu})",
         task_bars(journal)),
        (stem.with_name(stem.name + "_count"),
         f"The same by the number of tasks, later passes, medians ({cpu})", count_bars(journal)),
        (stem.with_name(stem.name + "_payload"),
         f"The same by the size of its argument, later passes, medians ({cpu})",
         payload_bars(journal))]
    return [path for place, title, bars in pictures
            for path in plot.draw_bars(title, bars, place)]


def task_bars(journal):
    settings = journal.document["settings"]
    names = listed(journal, (*OURS, *PEERS))
    return plot.Bars("nanoseconds a task", [TITLES[name] for name in names], {
        title: [median(figures(journal, "tasks", task_case(settings, name), figure))
                for name in names]
        for title, figure in (("first pass", cold()), ("later passes", warm()))})


def count_bars(journal):
    return plot.Bars("nanoseconds a task", [f"{count:,} tasks" for count in COUNTS], {
        TITLES[name]: [count_median(journal, name, count) for count in COUNTS]
        for name in listed(journal, (*POOLS, *NATIVE))})


def payload_bars(journal):
    return plot.Bars("nanoseconds a task", [f"{size:,} bytes" for size in PAYLOADS], {
        name: [payload_median(journal, name, size) for size in PAYLOADS]
        for name in listed(journal, POOLS)})


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 9, "count_rounds": 3, "tasks": 10**6, "passes": 6, "most": 10**7,
            "payloads": 200000}
QUICK = {"rounds": 1, "count_rounds": 1, "tasks": 10**6, "passes": 2, "most": 10**5,
         "payloads": 50000}


def parse_arguments(arguments):
    parser = tasks.parser("submit", __doc__, "less of everything: 20 seconds", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of tasks and ways (9; quick: 1)")
    add("--count-rounds", type=at_least(1), metavar="N",
        help="rounds of count and payload (3; 1)")
    add("--tasks", type=at_least(1), metavar="N", help="in a pass of tasks and ways (10^6)")
    add("--passes", type=at_least(2), metavar="N", help="in a process (6; 2)")
    add("--most", type=at_least(1000), metavar="N", help="tasks in count (10^7; 10^5)")
    add("--payloads", type=at_least(1), metavar="N", help="most tasks in payload (200000; 50000)")
    return parser.parse_args(arguments)


def begin(options):
    return tasks.begin("submit", options, command_line.amounts_of(options, DEFAULTS, QUICK), PLANS)


if __name__ == "__main__":
    sys.exit(command_line.main("submit", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
