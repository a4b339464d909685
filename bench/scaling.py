"""How do the prime programs scale from 1 to 20 workers, and how much of what can be had is it?

Five parts, each a question (README.md beside this file says more):

    sweep   time against workers for every program, with CPython's pools beside them
    pairs   2 workers against 1: how much of what list scheduling allows; threads against processes
    long    the same where the tail of the list hardly counts: the list 20 times over
    peer    proc_pool with 2 workers against CPython's process pool with 2
    split   --split against an even share of the work

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or answers wrongly is.
"""

import random
import sys

import command_line
import plot
from command_line import at_least
from engine import Journal, alternating, machine_facts, measure_plans, shuffled, spread
from prime_programs import DESCENDING, PEER_KINDS, Case, PrimePrograms
from report import print_machine, print_ratios, print_table, ratio_row
from schedule import makespan, speedup_bound

POOLS = ("thread_pool", "proc_pool")
PROGRAMS = ("threads", "procs", *POOLS)
LONG_REPEAT = 20
SPLIT_METHODS = ("trial", "wheel", "vector")

GOAL_OF_BOUND = 0.98      # of what list scheduling allows, 20 numbers
GOAL_LONG_SPEEDUP = 1.97  # of 2, the list 20 times over
GOAL_ALIKE = 0.02         # threads and processes differ by no more
GOAL_PEER = 8.0           # times as fast as CPython's process pool
GOAL_SPLIT = 1.05         # times an even share of the work


# ---- what is measured --------------------------------------------------------------------------


def sweep_plan(settings):
    ours = [Case("sequential")] + [Case(program, workers) for program in PROGRAMS
                                   for workers in settings["workers"]]
    peers = [Case(kind, workers) for kind in PEER_KINDS for workers in settings["peer_workers"]]
    rounds = max(settings["rounds"], settings["peer_rounds"])
    cases_of_round = [(ours if number < settings["rounds"] else [])
                      + (peers if number < settings["peer_rounds"] else [])
                      for number in range(rounds)]
    return shuffled(cases_of_round, random.Random(settings["seed"]))


# In the plans below what is compared stands side by side.


def pairs_plan(settings):
    cases = [Case("sequential"), Case("sequential", copies=2)]
    for threads, processes in (POOLS, ("threads", "procs")):
        cases += [Case(threads, 1), Case(threads, 2), Case(processes, 2), Case(processes, 1)]
    return alternating(cases, settings["pairs"])


def long_plan(settings):
    threads, processes = POOLS
    cases = [Case(threads, 1, repeat=LONG_REPEAT), Case(threads, 2, repeat=LONG_REPEAT),
             Case(processes, 2, repeat=LONG_REPEAT), Case(processes, 1, repeat=LONG_REPEAT)]
    return alternating(cases, settings["long_pairs"])


def peer_plan(settings):
    return alternating([Case("proc_pool", 2), Case("cpython_processes", 2)],
                       settings["peer_pairs"])


def split_plan(settings):
    cases = [case for method in SPLIT_METHODS for program in POOLS
             for case in split_cases(program, method)]
    return alternating(cases, settings["pairs"])


def split_cases(program, method):
    """1 worker without --split, 2 with. Once over, `vector` is through the list before the workers'
    start has ceased to count."""
    repeat = LONG_REPEAT if method == "vector" else 1
    return (Case(program, 1, method, repeat=repeat),
            Case(program, 2, method, split=True, repeat=repeat))


PLANS = {"sweep": sweep_plan, "pairs": pairs_plan, "long": long_plan, "peer": peer_plan,
         "split": split_plan}


def measure(journal, programs):
    measure_plans(journal, PLANS, programs.run)


# ---- what is reported --------------------------------------------------------------------------


def report(journal):
    print_machine(journal)
    if journal.document["machine"]["cores"] < 2:
        print("Fewer than 2 cores: no speed-up can be had here, and its goals cannot be met.")
    report_sweep(journal)
    print_ratios([*pair_rows(journal), *alike_rows(journal), *long_rows(journal),
                  *peer_rows(journal), *split_rows(journal)])
    report_schedules(journal)


def median_wall(journal, part, case):
    samples = journal.of(part, case).values()
    return spread([sample["wall"] for sample in samples]).median if samples else None


def report_sweep(journal):
    settings = journal.document["settings"]
    workers = sorted({*settings["workers"], *settings["peer_workers"]})
    columns = ["sequential", *PROGRAMS, *PEER_KINDS]
    rows = []
    for count in workers:
        walls = [median_wall(journal, "sweep", Case(program, count)) for program in columns]
        bounds = [sweep_bound(journal, program, count) for program in ("thread_pool", "threads")]
        if any(walls):
            rows.append([str(count)] + ["" if wall is None else f"{wall:.3f}"
                                        for wall in [*walls, *bounds]])
    if rows:
        print_table("The 20 numbers, wall seconds (medians)",
                    ["workers", *columns, "bound, desc.", "bound, asc."], rows)


def sweep_bound(journal, program, workers):
    """What list scheduling allows a program, from each number's median time with 1 worker."""
    runs = [sample["elapsed"] for sample in journal.of("sweep", Case(program, 1)).values()]
    if not runs:
        return None
    times = [spread(values).median for values in zip(*runs)]
    return makespan(times, workers, journal.document["machine"]["cores"])


def pair_rows(journal):
    for program in (*POOLS, "threads", "procs"):
        pairs = journal.pairs("pairs", Case(program, 1), Case(program, 2))
        order = "descending" if program in DESCENDING else "ascending"
        speedups = [one["wall"] / two["wall"] for one, two in pairs]
        bounds = [speedup_bound(one["elapsed"], 2) for one, _ in pairs]
        shares = [speedup / bound for speedup, bound in zip(speedups, bounds)]
        yield from ratio_row(f"{program} ({order}): 2 workers over 1", speedups)
        yield from ratio_row("    list scheduling allows", bounds)
        yield from ratio_row("    reached of that", shares, f">= {GOAL_OF_BOUND:.0%}",
                             lambda share: share >= GOAL_OF_BOUND, "{:.1%}")
    pairs = journal.pairs("pairs", Case("sequential"), Case("sequential", copies=2))
    yield from ratio_row("machine: 2 x sequential at once over 1",
                         [2 * one["wall"] / two["wall"] for one, two in pairs])


def alike_rows(journal):
    for threads, processes in (POOLS, ("threads", "procs")):
        pairs = journal.pairs("pairs", Case(threads, 2), Case(processes, 2))
        yield from ratio_row(f"{threads} / {processes}, time, 2 workers",
                             [one["wall"] / other["wall"] for one, other in pairs],
                             f"1 +- {GOAL_ALIKE}", lambda ratio: abs(ratio - 1) <= GOAL_ALIKE)


def long_rows(journal):
    for program in POOLS:
        pairs = journal.pairs("long", Case(program, 1, repeat=LONG_REPEAT),
                              Case(program, 2, repeat=LONG_REPEAT))
        yield from ratio_row(f"{program}, list x {LONG_REPEAT}: 2 workers over 1",
                             [one["wall"] / two["wall"] for one, two in pairs],
                             f">= {GOAL_LONG_SPEEDUP}", lambda ratio: ratio >= GOAL_LONG_SPEEDUP)


def peer_rows(journal):
    pairs = journal.pairs("peer", Case("cpython_processes", 2), Case("proc_pool", 2))
    yield from ratio_row("CPython process pool / proc_pool, time, 2 workers",
                         [peer["wall"] / ours["wall"] for peer, ours in pairs],
                         f">= {GOAL_PEER:g}", lambda ratio: ratio >= GOAL_PEER)


def split_rows(journal):
    for method in SPLIT_METHODS:
        for program in POOLS:
            pairs = journal.pairs("split", *split_cases(program, method))
            yield from ratio_row(f"{program} --split, {method}, 2 workers / even share",
                                 [two["wall"] * 2 / sum(one["elapsed"]) for one, two in pairs],
                                 f"<= {GOAL_SPLIT}", lambda ratio: ratio <= GOAL_SPLIT)


def report_schedules(journal):
    """Tells a slow executor from a slow machine.

    With 2 workers busy many machines run each of them slower, and no executor can help it. So a
    run with 2 workers is put beside the perfect schedule of the very times that it reported.
    """
    rows = []
    for part, repeat in (("pairs", 1), ("long", LONG_REPEAT)):
        for program in PROGRAMS:
            twos = journal.of(part, Case(program, 2, repeat=repeat)).values()
            pairs = journal.pairs(part, Case(program, 1, repeat=repeat),
                                  Case(program, 2, repeat=repeat))
            if not pairs:
                continue
            lost = spread([1 - makespan(two["elapsed"], 2) / two["wall"] for two in twos])
            slower = spread([sum(two["elapsed"]) / sum(one["elapsed"]) - 1 for one, two in pairs])
            what = program + (f", list x {repeat}" if repeat > 1 else "")
            rows.append([what, str(lost.count), f"{lost.median:.2%}", f"{slower.median:+.2%}"])
    if rows:
        print_table("Where the rest goes, 2 workers (medians)",
                    ["what", "rounds", "lost by the executor", "numbers slower than with 1"], rows)


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    """Draws the sweep, if any of it was measured."""
    machine, settings = journal.document["machine"], journal.document["settings"]
    ours = [measured_curve(journal, program, settings["workers"]) for program in PROGRAMS]
    ours = [curve for curve in ours if curve.points]
    if not ours:
        return []
    everyone = [sequential_curve(journal, settings["workers"]), *ours,
                bound_curve(journal, "thread_pool", "list scheduling, descending"),
                bound_curve(journal, "threads", "list scheduling, ascending")]
    panels = [plot.Panel("Our programs", "workers", "seconds",
                         [curve for curve in everyone if curve.points])]
    peers = [measured_curve(journal, kind, settings["peer_workers"]) for kind in PEER_KINDS]
    peers = [curve for curve in peers if curve.points]
    if peers:
        shown = [workers for workers in settings["workers"]
                 if workers <= max(settings["peer_workers"])]
        beside = [measured_curve(journal, program, shown) for program in POOLS]
        panels.append(plot.Panel("Beside CPython's pools (another scale)", "workers", "seconds",
                                 peers + [curve for curve in beside if curve.points]))
    title = (f"Checking 20 numbers by trial division: median, and band of the middle half "
             f"({machine['cores']:g} cores, {machine['cpu']})")
    return plot.draw(title, panels, stem)


def measured_curve(journal, program, workers):
    points = []
    for count in workers:
        samples = journal.of("sweep", Case(program, count)).values()
        if samples:
            walls = spread([sample["wall"] for sample in samples])
            points.append((count, walls.median, walls.first_quartile, walls.third_quartile))
    return plot.Curve(program.replace("cpython_", "CPython, pool of "), points)


def sequential_curve(journal, workers):
    """It has no workers: a level line to compare with."""
    curve = measured_curve(journal, "sequential", [1])
    return plot.Curve(curve.title, [(count, *point[1:]) for point in curve.points
                                    for count in workers], "level")


def bound_curve(journal, program, title):
    bounds = [(count, sweep_bound(journal, program, count))
              for count in journal.document["settings"]["workers"]]
    return plot.Curve(title, [(count, bound, bound, bound) for count, bound in bounds if bound],
                      "bound")


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 5, "peer_rounds": 2, "peer_workers": [1, 2, 4], "pairs": 15,
            "long_pairs": 15, "peer_pairs": 5}
QUICK = {"rounds": 1, "peer_rounds": 1, "peer_workers": [1, 2], "pairs": 4, "long_pairs": 0,
         "peer_pairs": 1}
QUICK_WORKERS = (1, 2, 3, 4, 8, 12, 16, 20)


def count_list(text):
    return sorted({at_least(1)(item) for item in text.split(",")})


def parse_arguments(arguments):
    parser = command_line.parser("scaling", __doc__,
                                 "less of everything: some 3 minutes instead of 25")
    command_line.add_parts(parser, PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of the sweep (5; quick: 1)")
    add("--max-workers", type=at_least(1), default=20, metavar="N",
        help="workers in the sweep go up to N (20)")
    add("--pairs", type=at_least(1), metavar="N", help="rounds of pairs and of split (15; 4)")
    add("--long-pairs", type=at_least(0), metavar="N", help="rounds of long (15; 0)")
    add("--peer-pairs", type=at_least(0), metavar="N", help="rounds of peer (5; 1)")
    add("--peer-rounds", type=at_least(0), metavar="N",
        help="rounds of CPython in the sweep (2; 1)")
    add("--peer-workers", type=count_list, metavar="LIST",
        help="CPython's workers in the sweep (1,2,4; 1,2)")
    return parser.parse_args(arguments)


def settings_of(options):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    sweep = QUICK_WORKERS if options.quick else range(1, options.max_workers + 1)
    settings["workers"] = [count for count in sweep if count <= options.max_workers]
    settings["peer_workers"] = [count for count in settings["peer_workers"]
                                if count <= options.max_workers]
    settings["seed"] = command_line.seed_of(options)
    settings["parts"] = command_line.parts_of(options, PLANS)
    return settings


def begin(options):
    programs = PrimePrograms(options.bin)
    journal = Journal.begin("scaling", settings_of(options),
                            machine_facts(programs.path("proc_pool")))
    journal.document["numbers"] = list(programs.verdicts)
    return journal, programs


if __name__ == "__main__":
    sys.exit(command_line.main("scaling", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
