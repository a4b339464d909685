"""How many workers can one MPI rank feed, and how many a tree of ranks? A simulation.

Three parts, each a question (README.md beside this file says more):

    efficiency   the share of the time in which workers run tasks: 10 to 10^5 workers, tasks of 1 us
                 to 10 s, one by one, packed, in chunks, and from a tree of managers
    saturation   the shortest tasks that keep 10^3, 10^4 and 10^5 workers busy for 90 % of the time
    measured     only with --measured=FILE, and then alone: predictions against real throughputs

Nothing is measured here: the simulation's program is bench_scale, and its costs come from
--costs=FILE or are assumed; the report says which. A prediction that is wrong by more than 15 %
ends the bench with exit code 1.
"""

import concurrent.futures
import dataclasses
import json
import math
import pathlib
import sys
import time

import command_line
import plot
import report as reports
from command_line import at_least
from engine import BenchError, Journal, machine_facts, show_progress, time_left, usable_cores
from processes import launch
from report import print_table
from tasks import answer

DRIVER = "bench_scale"
PARTS = ("efficiency", "saturation", "measured")

# What is assumed until it is measured: a network of 2 us between ranks, arguments and results that
# are short, and an MPI library that takes 0.6 us of the processor for a short message.
ASSUMED = {"manager_send_ns": 600, "manager_receive_ns": 600, "manager_chunk_ns": 200,
           "manager_copy_ns": 5, "worker_message_ns": 1000, "worker_chunk_ns": 100,
           "latency_ns": 2000, "manager_poll_ns": 0, "worker_poll_ns": 0}
MEANING = {"manager_send_ns": "manager: to send a message",
           "manager_receive_ns": "manager: to receive a message",
           "manager_chunk_ns": "manager: to claim, pack and settle a chunk",
           "manager_copy_ns": "manager: to copy a task's argument and result",
           "worker_message_ns": "worker: to receive a message and to answer it",
           "worker_chunk_ns": "worker: to begin and to end a chunk",
           "latency_ns": "a message's way, in one direction",
           "manager_poll_ns": "an idle manager looks for messages so often (0: always)",
           "worker_poll_ns": "an idle worker, likewise"}

WORKERS = (10, 100, 1000, 10**4, 10**5)
SATURATED = (1000, 10**4, 10**5)
TASKS_NS = tuple(10**power for power in range(3, 11))
BUSY = 0.9          # the efficiency from which on workers count as busy
SEARCHED_NS = (10, 10**12)
PRECISION = 1.01    # of the length that is searched for
ALLOWED_ERROR = 0.15


# ---- what is simulated -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Way:
    """How tasks travel. A chunk has as many as take so long, and at least one."""
    title: str
    chunk_ns: float = 0
    pack: int = 1
    is_tree: bool = False

    def case(self, workers, task_ns):
        return Case(workers, round(math.sqrt(workers)) if self.is_tree else 0, task_ns,
                    max(1, round(self.chunk_ns / task_ns)), self.pack)


WAYS = (Way("one by one"), Way("32 in a message", pack=32), Way("chunks of 0.5 ms", 5e5),
        Way("chunks of 20 ms", 2e7), Way("chunks of 200 ms", 2e8),
        Way("tree, one by one", is_tree=True), Way("tree, chunks of 0.5 ms", 5e5, is_tree=True))
DRAWN = ("one by one", "chunks of 20 ms", "tree, chunks of 0.5 ms")


@dataclasses.dataclass(frozen=True)
class Case:
    workers: int
    managers: int  # 0: no tree
    task_ns: float
    chunk: int
    pack: int

    def __str__(self):
        return f"{self.workers} workers, tasks of {duration(self.task_ns)}"


class Simulator:
    """Runs bench_scale, as many at once as there are cores: they take no time from each other's
    figures."""

    def __init__(self, folder, settings):
        self.path = pathlib.Path(folder) / DRIVER
        self.settings = settings
        launch(DRIVER, [str(self.path), "--rounds=1"], 1, None)

    def run(self, case, lengths=None):
        settings = self.settings
        words = {**settings["costs"], **dataclasses.asdict(case), "credit": settings["credit"],
                 "seed": settings["seed"], "lengths": lengths or settings["lengths"],
                 "warm_up": settings["tree_warm_up" if case.managers else "warm_up"],
                 "rounds": rounds_of(settings, case.workers)}
        command = [str(self.path)] + [f"--{name.replace('_', '-')}={value}"
                                      for name, value in words.items()]
        output, = launch(case, command, 1, None)
        return answer(case, output)

    def run_all(self, what, function, cases):
        """What `function` makes of each case, in the order of the cases."""
        with concurrent.futures.ThreadPoolExecutor(max(1, int(usable_cores()))) as pool:
            start = time.monotonic()
            try:
                for number, result in enumerate(pool.map(function, cases)):
                    done = number + 1
                    show_progress(f"{what}: {done} of {len(cases)}{time_left(start, done / len(cases))}")
                    yield result
            finally:
                pool.shutdown(cancel_futures=True)
                show_progress("")


def rounds_of(settings, workers):
    return max(settings["rounds"], math.ceil(settings["messages"] / workers))


def measure(journal, simulator):
    for part in journal.document["settings"]["parts"]:
        print(f"simulating {part} ...", file=sys.stderr)
        MEASURES[part](journal, simulator)
    journal.document["complete"] = True


def measure_efficiency(journal, simulator):
    workers = journal.document["settings"]["workers"]
    cases = list(dict.fromkeys(way.case(count, task_ns) for way in WAYS for count in workers
                               for task_ns in TASKS_NS))
    for case, figures in zip(cases, simulator.run_all("efficiency", simulator.run, cases)):
        journal.add("efficiency", 0, case, figures)


def measure_saturation(journal, simulator):
    workers = [count for count in SATURATED if count in journal.document["settings"]["workers"]]
    wanted = [(way, count) for way in WAYS for count in workers]

    def search(pair):
        return shortest_busy(lambda task_ns: simulator.run(pair[0].case(pair[1], task_ns)))

    for (way, count), (task_ns, figures) in zip(
            wanted, simulator.run_all("saturation", search, wanted)):
        journal.samples.append({"part": "saturation", "round": 0, "way": way.title,
                                "workers": count, "task_ns": task_ns, **figures})


def shortest_busy(run):
    """The shortest tasks that keep workers busy, and the figures with them: by halving the range of
    lengths, in which longer tasks are taken to be better.

    >>> ns, figures = shortest_busy(lambda ns: {"efficiency": ns / (ns + 1000)})
    >>> round(ns / 9000, 1), figures["efficiency"] >= 0.9
    (1.0, True)
    """
    shortest, longest = SEARCHED_NS
    found = run(longest)
    if found["efficiency"] < BUSY:
        raise BenchError(f"tasks of {duration(longest)} do not keep the workers busy")
    while longest / shortest > PRECISION:
        middle = math.sqrt(shortest * longest)
        figures = run(middle)
        if figures["efficiency"] >= BUSY:
            longest, found = middle, figures
        else:
            shortest = middle
    return longest, found


def measure_measured(journal, simulator):
    """Of the throughputs in the file. Their tasks all have the length that the file says."""
    entries = journal.document["settings"]["measured"]
    cases = [Case(entry["workers"], 0, entry["task_ns"], entry["chunk"], entry["pack"])
             for entry in entries]
    run = lambda case: simulator.run(case, "constant")  # noqa: E731
    for entry, case, figures in zip(entries, cases, simulator.run_all("measured", run, cases)):
        journal.add("measured", 0, case,
                    {**figures, "measured_per_second": entry["tasks_per_second"]})


MEASURES = {"efficiency": measure_efficiency, "saturation": measure_saturation,
            "measured": measure_measured}


# ---- the files ---------------------------------------------------------------------------------


def read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BenchError(f"{path}: not JSON: {error}") from error


def check_number(where, name, value, least, is_whole=False):
    """
    >>> check_number("costs.json", "latency_ns", 1500, 0)
    1500
    >>> check_number("costs.json", "latency_ns", "fast", 0)
    Traceback (most recent call last):
    engine.BenchError: costs.json: 'latency_ns' is not a number of at least 0: 'fast'
    >>> check_number("m.json: entry 2", "workers", 1.5, 1, True)
    Traceback (most recent call last):
    engine.BenchError: m.json: entry 2: 'workers' is not a whole number of at least 1: 1.5
    """
    kinds = int if is_whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < 1e15:
        raise BenchError(f"{where}: '{name}' is not a {'whole ' if is_whole else ''}number of at "
                         f"least {least:g}: {value!r}")
    return value


def check_names(where, found, names):
    for name in found:
        if name not in names:
            raise BenchError(f"{where}: unknown name '{name}'; known are {', '.join(names)}")


def read_costs(path):
    """The costs that the file has, and on what they were measured."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise BenchError(f"{path}: not an object with costs")
    check_names(path, document, ["machine", *ASSUMED])
    costs = {name: check_number(path, name, value, 0) for name, value in document.items()
             if name != "machine"}
    return costs, str(document.get("machine", ""))


MEASURED_NAMES = {"workers": (1, True), "task_ns": (1, False), "chunk": (1, True),
                  "tasks_per_second": (1e-6, False), "pack": (1, True)}


def read_measured(path):
    document = read_json(path)
    if not isinstance(document, list) or not document:
        raise BenchError(f"{path}: not a list of throughputs")
    entries = []
    for number, entry in enumerate(document, 1):
        where = f"{path}: entry {number}"
        if not isinstance(entry, dict):
            raise BenchError(f"{where}: not an object")
        check_names(where, entry, list(MEASURED_NAMES))
        entry = {"pack": 1, **entry}
        for name, (least, is_whole) in MEASURED_NAMES.items():
            if name not in entry:
                raise BenchError(f"{where}: '{name}' is missing")
            check_number(where, name, entry[name], least, is_whole)
        entries.append(entry)
    return entries


# ---- what is reported --------------------------------------------------------------------------


def duration(ns):
    """
    >>> [duration(ns) for ns in (250, 1000, 1205.3, 5e5, 109e6, 1e10)]
    ['250 ns', '1 us', '1.21 us', '500 us', '109 ms', '10 s']
    """
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1)):
        if ns >= size or size == 1:
            return f"{ns / size:.3g} {unit}"


def many(count):
    """
    >>> [many(count) for count in (10, 1000, 100000)]
    ['10', '1 000', '100 000']
    """
    return f"{count:,}".replace(",", " ")


def costs_words(settings):
    """What the figures rest on: every table says it, since tables are quoted alone."""
    known = settings["measured_costs"]
    used = [name for name in ASSUMED if settings["costs"][name] or name in known]
    measured = sum(name in known for name in used)
    if measured == len(used):
        return f"all costs measured{on_machine(settings)}"
    if measured == 0:
        return "all costs assumed"
    return f"{measured} of {len(used)} costs measured{on_machine(settings)}, the others assumed"


def on_machine(settings):
    return f" on {settings['costs_machine']}" if settings["costs_machine"] else ""


def report(journal):
    settings = journal.document["settings"]
    reports.processor = f"simulation, {costs_words(settings)}"
    print_head(journal)
    report_costs(settings)
    report_efficiency(journal)
    report_saturation(journal)
    report_measured(journal)


def print_head(journal):
    settings = journal.document["settings"]
    print(f"A simulation: what is not called measured is computed; {costs_words(settings)}.")
    print(f"task lengths {settings['lengths']}, credit {settings['credit']}, "
          f"seed {settings['seed']}")
    print(f"{settings['rounds']} messages a worker and at least {many(settings['messages'])} in "
          f"all, after {settings['warm_up']} a worker that do not count "
          f"({settings['tree_warm_up']} in a tree); the end of a run is left out too")
    machine = journal.document["machine"]
    print(f"simulated on {machine['cpu']}, compiler {machine['compiler']}, CPython "
          f"{machine['python']}")
    if not journal.document["complete"]:
        print("The run did not end: these are the figures until then.")


def report_costs(settings):
    rows = [[name, MEANING[name], f"{value:g}",
             "measured" if name in settings["measured_costs"] else "assumed"]
            for name, value in settings["costs"].items()]
    print_table("Costs, nanoseconds", ["name", "what", "ns", ""], rows)


def efficiency_of(journal, way, workers, task_ns):
    found = journal.of("efficiency", way.case(workers, task_ns)).get(0)
    return found and found["efficiency"]


def report_efficiency(journal):
    if not any(sample["part"] == "efficiency" for sample in journal.samples):
        return
    counts = journal.document["settings"]["workers"]
    for way in WAYS:
        rows = []
        for task_ns in TASKS_NS:
            found = [efficiency_of(journal, way, count, task_ns) for count in counts]
            rows.append([duration(task_ns),
                         *("" if one is None else f"{100 * one:.2f}" for one in found)])
        print_table(f"Efficiency, %, {way.title}", ["task", *map(many, counts)], rows)
    deviation = greatest_deviation(journal)
    if deviation is not None:
        print(f"\nWithout a tree, simulation and closed form differ by at most {deviation:.2%}.")


def greatest_deviation(journal):
    """None where there is no closed form: it is exact for constant lengths without back-off."""
    settings = journal.document["settings"]
    if settings["lengths"] != "constant" or settings["costs"]["manager_poll_ns"] or settings[
            "costs"]["worker_poll_ns"]:
        return None
    return max((abs(sample["tasks_per_second"] / sample["formula"] - 1)
                for sample in journal.samples
                if sample["part"] == "efficiency" and sample["case"]["managers"] == 0),
               default=None)


def shortest_of(journal, way, workers):
    for sample in journal.samples:
        if (sample["part"] == "saturation" and sample["way"] == way.title
                and sample["workers"] == workers):
            return sample["task_ns"]
    return None


def report_saturation(journal):
    counts = [count for count in SATURATED
              if any(shortest_of(journal, way, count) for way in WAYS)]
    if counts:
        rows = []
        for way in WAYS:
            found = [shortest_of(journal, way, count) for count in counts]
            rows.append([way.title, *("" if ns is None else duration(ns) for ns in found)])
        print_table(f"The shortest tasks at which workers are busy for {BUSY:.0%} of the time",
                    ["workers", *map(many, counts)], rows)


def error_of(sample):
    return sample["tasks_per_second"] / sample["measured_per_second"] - 1


def report_measured(journal):
    """Raises what ends the bench with exit code 1."""
    samples = [sample for sample in journal.samples if sample["part"] == "measured"]
    if not samples:
        return
    rows = []
    for sample in samples:
        case, error = sample["case"], error_of(sample)
        rows.append([str(case["workers"]), duration(case["task_ns"]), str(case["chunk"]),
                     str(case["pack"]), f"{sample['measured_per_second']:.5g}",
                     f"{sample['tasks_per_second']:.5g}", f"{error:+.1%}",
                     "" if abs(error) <= ALLOWED_ERROR else f"over {ALLOWED_ERROR:.0%}"])
    print_table("Tasks a second, measured and predicted",
                ["workers", "task", "chunk", "pack", "measured", "predicted", "error", ""], rows)
    wrong = sum(abs(error_of(sample)) > ALLOWED_ERROR for sample in samples)
    if wrong:
        sys.stdout.flush()
        raise BenchError(f"{wrong} of {len(samples)} predictions are wrong by more than "
                         f"{ALLOWED_ERROR:.0%}")


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    panels = [panel for title in DRAWN for panel in panels_of(journal, title)]
    return plot.draw(sentence(journal), panels, stem) if panels else []


def panels_of(journal, title):
    way, = [way for way in WAYS if way.title == title]
    curves = []
    for count in journal.document["settings"]["workers"]:
        found = [(place, efficiency_of(journal, way, count, task_ns))
                 for place, task_ns in enumerate(TASKS_NS, 1)]
        points = [(place, 100 * one, 100 * one, 100 * one) for place, one in found
                  if one is not None]
        if points:
            curves.append(plot.Curve(f"{many(count)} workers", points))
    if curves:
        yield plot.Panel(title, "length of a task", "efficiency, %", curves,
                         tuple(duration(task_ns) if place % 2 == 0 else ""
                               for place, task_ns in enumerate(TASKS_NS)), y_most="100")


def sentence(journal):
    """What the picture shows, as far as it was searched for."""
    count = max((count for count in SATURATED if shortest_of(journal, WAYS[0], count)), default=0)
    words = costs_words(journal.document["settings"])
    if count == 0:
        return f"Efficiency over the length of tasks: a simulation, {words}"
    tree, = [way for way in WAYS if way.title == DRAWN[-1]]
    return (f"One manager keeps {many(count)} workers {BUSY:.0%} busy if tasks take "
            f"{duration(shortest_of(journal, WAYS[0], count))}, a tree if they take "
            f"{duration(shortest_of(journal, tree, count))} (simulation, {words})")


# ---- the command line --------------------------------------------------------------------------

# A tree takes longer until its rates are steady: at first its managers have eight messages for each
# worker.
DEFAULTS = {"rounds": 24, "warm_up": 8, "tree_warm_up": 64, "messages": 100000}
QUICK = {"rounds": 12, "warm_up": 4, "tree_warm_up": 48, "messages": 10000}
QUICK_WORKERS = WORKERS[:-1]


def parse_arguments(arguments):
    parser = command_line.parser("scale", __doc__,
                                 "less of everything, and at most 10^4 workers: 10 seconds")
    command_line.add_parts(parser, PARTS[:-1])
    add = parser.add_argument
    add("--costs", type=pathlib.Path, metavar="FILE",
        help="measured costs (JSON; README.md says how); they are assumed otherwise")
    add("--measured", type=pathlib.Path, metavar="FILE",
        help="throughputs to compare with (JSON; README.md says how)")
    add("--lengths", choices=("constant", "exponential"), default="constant",
        help="of tasks (constant)")
    add("--credit", type=at_least(1), default=2, metavar="N",
        help="messages under way to a worker (2)")
    add("--rounds", type=at_least(1), metavar="N",
        help="messages a worker that count (24; quick: 12)")
    add("--warm-up", type=at_least(1), metavar="N", help="messages a worker before (8; 4)")
    add("--tree-warm-up", type=at_least(1), metavar="N", help="likewise for a tree (64; 48)")
    add("--messages", type=at_least(1), metavar="N", help="that count, at least (100000; 10000)")
    for name, value in ASSUMED.items():
        add(f"--{name.replace('_', '-')}", type=cost, metavar="NS",
            help=f"{MEANING[name]}; assumed, also where FILE has it ({value})")
    options = parser.parse_args(arguments)
    if options.measured and options.only:
        parser.error("--measured: not together with --only")
    return options


def cost(text):
    value = float(text)
    if not 0 <= value <= 1e15:
        raise ValueError
    return value


def begin(options):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    measured, machine = read_costs(options.costs) if options.costs else ({}, "")
    given = {name: getattr(options, name) for name in ASSUMED
             if getattr(options, name) is not None}
    settings |= {
        "costs": {**ASSUMED, **measured, **given},
        "measured_costs": [name for name in measured if name not in given],
        "costs_machine": machine,
        "workers": QUICK_WORKERS if options.quick else WORKERS,
        "lengths": options.lengths,
        "credit": options.credit,
        "seed": command_line.seed_of(options),
        "parts": command_line.parts_of(options, PARTS[:-1]),
    }
    if options.measured:
        settings["parts"] = ["measured"]
        settings["measured"] = read_measured(options.measured)
    simulator = Simulator(options.bin, settings)
    return Journal.begin("scale", settings, machine_facts(simulator.path)), simulator


def main(options):
    """A comparison leaves the tables' files as they are."""
    name = "scale_measured" if options.measured else "scale"
    return command_line.main(name, options, begin, measure, report, draw)


if __name__ == "__main__":
    sys.exit(main(parse_arguments(sys.argv[1:])))
