"""What does an item of a map cost beside its own work, and are the workers busy to the end?

Two parts, each a question (README.md beside this file says more):

    items    10^7 items that do next to nothing: wall nanoseconds for each, ours beside others
    balance  items from 10 ns to 100 ms, alike and mixed: how much of an even share is reached

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
from tasks import POOLS, TITLES, Case, figures, listed, median, ratios

CPYTHON = "cpython_processes"
MAPPERS = ("serial", *POOLS, "loop", "onetbb", "libgomp", "libgomp_1", CPYTHON)
BALANCERS = (*POOLS, "onetbb", "libgomp", "libgomp_1")

GOAL_NS = {"thread_pool": 1.5, "openmp": 1.5, "process_pool": 3}
GOAL_ONETBB = {"thread_pool": 1.2, "openmp": 1.2}  # times its time, at most

ITEMS = {"10 ns": 10, "100 ns": 100, "1 us": 1000, "10 us": 10**4, "100 us": 10**5, "1 ms": 10**6,
         "10 ms": 10**7, "100 ms": 10**8}  # nanoseconds
UNEVEN = {"mixed": "mixed", "long last": "late"}
UNEVEN_NS = {"mixed": 150, "long last": 200}  # on average


# ---- what is measured --------------------------------------------------------------------------


def item_case(settings, contender):
    count = settings["cpython_items" if contender == CPYTHON else "items"]
    return Case("map", contender, f"--count={count} --passes={settings['passes']}")


def items_plan(settings):
    return alternating([item_case(settings, name) for name in MAPPERS
                        if name in settings["contenders"]], settings["rounds"])


def balance_case(settings, contender, work):
    """So many items that they take one thread busy_ms, but a few for each worker."""
    item = ITEMS.get(work) or UNEVEN_NS[work]
    count = max(2 * settings["workers"], settings["busy_ms"] * 10**6 // item)
    shape = (f"--shape={UNEVEN[work]} --seed={settings['seed']}" if work in UNEVEN
             else f"--item={item}")
    return Case("balance", contender,
                f"--count={count} {shape} --passes={settings['balance_passes']}")


def balance_plan(settings):
    return alternating([balance_case(settings, name, work) for work in settings["works"]
                        for name in BALANCERS if name in settings["contenders"]],
                       settings["balance_rounds"])


PLANS = {"items": items_plan, "balance": balance_plan}


def measure(journal, programs):
    measure_plans(journal, PLANS, programs.run)


# ---- what is reported --------------------------------------------------------------------------


def ns_an_item(sample):
    """Of the passes after the first."""
    return median(sample["ns"][1:]) / sample["count"]


def loop_ns_an_item(sample):
    return median(sample["loop"][1:]) / sample["count"]


def efficiency(sample):
    """Of an even share for each worker, pass by pass; the first is left out."""
    return median([loop / sample["workers"] / ns
                   for ns, loop in zip(sample["ns"][1:], sample["loop"][1:])])


def report(journal):
    print_machine(journal)
    tasks.print_contenders(journal, MAPPERS)
    print_figures("Wall nanoseconds an item", item_rows(journal))
    report_balance(journal)
    print_ratios(item_ratios(journal))


def item_figures(journal, name):
    return figures(journal, "items", item_case(journal.document["settings"], name), ns_an_item)


def item_rows(journal):
    return [row for name in listed(journal, MAPPERS)
            for row in figure_row(TITLES[name], item_figures(journal, name).values(),
                                  GOAL_NS.get(name), "{:.2f}")]


def balance_figures(journal, name, work, figure=efficiency):
    return figures(journal, "balance",
                   balance_case(journal.document["settings"], name, work), figure)


def report_balance(journal):
    names = listed(journal, BALANCERS)
    rows = []
    for work in journal.document["settings"]["works"]:
        shares = [median(balance_figures(journal, name, work)) for name in names]
        alone = [median(balance_figures(journal, name, work, loop_ns_an_item)) for name in names]
        if any(shares):
            rows.append([work, plot.three_digits(median([ns for ns in alone if ns])),
                         *("" if share is None else f"{share:.1%}" for share in shares)])
    if rows:
        print_table("Reached of an even share of the items' own time (medians)",
                    ["items", "ns an item", *(TITLES[name] for name in names)], rows)


def item_ratios(journal):
    for name in listed(journal, POOLS):
        goal = GOAL_ONETBB.get(name)
        words = () if goal is None else (f"<= {goal:g}", lambda ratio, goal=goal: ratio <= goal)
        yield from ratio_row(f"{name} / oneTBB, time",
                             ratios(item_figures(journal, name), item_figures(journal, "onetbb")),
                             *words)
    for peer in ("libgomp", CPYTHON):
        for name in listed(journal, POOLS):
            yield from ratio_row(f"{TITLES[peer]} / {name}, time",
                                 ratios(item_figures(journal, peer), item_figures(journal, name)))


# ---- the pictures ------------------------------------------------------------------------------


def draw(journal, stem):
    cpu, settings = journal.document["machine"]["cpu"], journal.document["settings"]
    names = listed(journal, MAPPERS)
    bars = plot.Bars("wall nanoseconds an item", [TITLES[name] for name in names],
                     {"next to no work": [median(item_figures(journal, name)) for name in names]})
    paths = plot.draw_bars(f"An item of a map, {settings['workers']} workers, medians ({cpu})",
                           bars, stem)
    curves = [curve for name in listed(journal, BALANCERS)
              if (curve := balance_curve(journal, name)).points]
    if curves:
        panel = plot.Panel("", "items", "% of an even share", curves, tuple(settings["works"]))
        paths += plot.draw(f"How evenly a map's items are spread: median, and band of the middle "
                           f"half ({cpu})", [panel], stem.with_name(stem.name + "_balance"))
    return paths


def balance_curve(journal, name):
    points = []
    for place, work in enumerate(journal.document["settings"]["works"], 1):
        shares = [100 * share for share in balance_figures(journal, name, work).values()]
        if shares:
            found = tasks.spread(shares)
            points.append((place, found.median, found.first_quartile, found.third_quartile))
    return plot.Curve(TITLES[name], points)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 9, "items": 10**7, "cpython_items": 10**6, "passes": 6, "balance_rounds": 3,
            "balance_passes": 3, "busy_ms": 100}
QUICK = {"rounds": 1, "items": 10**7, "cpython_items": 10**5, "passes": 2, "balance_rounds": 1,
         "balance_passes": 2, "busy_ms": 50}
QUICK_WORKS = ("10 ns", "1 us", "100 us", "10 ms", *UNEVEN)


def parse_arguments(arguments):
    parser = tasks.parser("map", __doc__, "less of everything: 20 seconds", PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of items (9; quick: 1)")
    add("--items", type=at_least(1), metavar="N", help="in a map (10^7)")
    add("--cpython-items", type=at_least(1), metavar="N", help="in one of CPython's (10^6; 10^5)")
    add("--passes", type=at_least(2), metavar="N", help="of items in a process (6; 2)")
    add("--balance-rounds", type=at_least(1), metavar="N", help="rounds of balance (3; 1)")
    add("--balance-passes", type=at_least(2), metavar="N", help="of balance in a process (3; 2)")
    add("--busy-ms", type=at_least(1), metavar="MS", help="what all items take (100; 50)")
    return parser.parse_args(arguments)


def begin(options):
    amounts = command_line.amounts_of(options, DEFAULTS, QUICK)
    amounts["works"] = QUICK_WORKS if options.quick else [*ITEMS, *UNEVEN]
    return tasks.begin("map", options, amounts, PLANS)


if __name__ == "__main__":
    sys.exit(command_line.main("map", parse_arguments(sys.argv[1:]), begin, measure, report, draw))
