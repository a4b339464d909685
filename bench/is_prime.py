"""How fast is the primality test below 2^64, for each number, on one core?

Two parts, each a question (README.md beside this file says more):

    tests    nanoseconds for each number: ours, single and in batches, beside FLINT, GMP, PARI
    vector   the documents' 20 numbers by trial division: --method=vector against trial

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or answers wrongly is.
"""

import dataclasses
import json
import subprocess
import sys
import time

import command_line
import plot
import prime_programs
import processes
from command_line import at_least
from engine import (BenchError, Journal, alternating, machine_facts, measure_parts, show_progress, time_left,
                    spread)
from prime_programs import PrimePrograms
from report import print_machine, print_ratios, print_table, ratio_row

DRIVER = "bench_is_prime"
PEERS = {"flint": "FLINT", "gmp": "GMP", "pari": "PARI"}
TITLES = {"flint": "FLINT n_is_prime", "gmp": "GMP mpz_probab_prime_p", "pari": "PARI uisprime",
          "single": "ours, one at a time", "batch-portable": "ours, batch, portable",
          "batch-avx2": "ours, batch, AVX2", "batch-avx512": "ours, batch, AVX-512"}

# Times as fast as FLINT, by contender and set; and what would be better still.
GOALS = {
    "single": {"odd-64": 2.05, "any-64": 1.9, "primes-64": 3.0, "odd-32": 3.5, "odd-52": 2.7,
               "semiprimes-64": 1.7},
    "batch-portable": {"odd-64": 2},
    "batch-avx2": {"odd-64": 4},
    "batch-avx512": {"odd-64": 13, "any-64": 13, "primes-64": 15, "odd-32": 19, "odd-52": 25,
                     "semiprimes-64": 12},
}
HOPES = {("batch-avx512", "primes-64"): 20}
GOAL_VECTOR = 15  # times as fast as trial

TRIAL = prime_programs.Case("sequential")
VECTOR = prime_programs.Case("sequential", method="vector")


@dataclasses.dataclass(frozen=True)
class Case:
    set: str
    contender: str

    def __str__(self):
        return f"{self.set}, {self.contender}"


# ---- what is measured --------------------------------------------------------------------------


def measure(journal, programs):
    measure_parts(journal, lambda part: PARTS[part](journal, programs))


def measure_tests(journal, programs):
    """The driver measures round by round by itself; a started program for each sample would make
    its numbers anew each time."""
    settings = journal.document["settings"]
    command = [str(programs.path(DRIVER)), f"--rounds={settings['rounds']}",
               f"--seed={settings['seed']}"]
    try:
        # Of its own session: a Ctrl-C is the bench's alone, which then stops it.
        child = subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise BenchError(f"cannot be started: {error.strerror}: {command[0]}") from error
    try:
        read_driver(journal, child.stdout)
        child.wait()
    finally:
        processes.stop(child)
    if child.returncode != 0:
        raise BenchError(f"{DRIVER}: exit code {child.returncode}")


def read_driver(journal, lines):
    rounds = journal.document["settings"]["rounds"]
    start = time.monotonic()
    try:
        for line in lines:
            entry = json.loads(line)
            if "contenders" in entry:
                journal.document["driver"] = entry
                continue
            case = Case(entry["set"], entry["contender"])
            left = time_left(start, entry["round"] / rounds)  # of the rounds that are whole
            show_progress(f"tests: round {entry['round'] + 1} of {rounds}{left}: {case}")
            journal.add("tests", entry["round"], case,
                        {"ns": entry["ns"], "primes": entry["primes"]})
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{DRIVER}: not the expected output: {error!r}") from error
    show_progress("")


def measure_vector(journal, programs):
    plan = list(alternating([TRIAL, VECTOR], journal.document["settings"]["vector_rounds"]))
    journal.measure("vector", plan, programs.run)


PARTS = {"tests": measure_tests, "vector": measure_vector}


# ---- what is reported --------------------------------------------------------------------------


def report(journal):
    print_machine(journal)
    report_peers(journal)
    report_times(journal)
    print_ratios([*test_rows(journal), *vector_rows(journal)])


def report_peers(journal):
    driver = journal.document.get("driver")
    if not driver:
        return
    peers = [f"{title} {driver['contenders'][name]}" for name, title in PEERS.items()
             if name in driver["contenders"]]
    print(f"peers: {', '.join(peers) or 'none'}")
    if driver["left_out"]:
        print(f"not in this build, or not for this machine: {', '.join(driver['left_out'])}")
    if "flint" in driver["left_out"]:
        print("Without FLINT there are no ratios.")


def sets_and_contenders(journal):
    """Those that were measured, in the driver's order; a contender's is that of TITLES."""
    cases = [sample["case"] for sample in journal.samples if sample["part"] == "tests"]
    sets = list(dict.fromkeys(case["set"] for case in cases))
    present = {case["contender"] for case in cases}
    return sets, [contender for contender in TITLES if contender in present]


def median_ns(journal, case):
    samples = journal.of("tests", case).values()
    return spread([sample["ns"] for sample in samples]).median if samples else None


def report_times(journal):
    sets, contenders = sets_and_contenders(journal)
    rows = []
    for name in sets:
        times = [median_ns(journal, Case(name, contender)) for contender in contenders]
        rows.append([name] + ["" if time is None else f"{time:.2f}" for time in times])
    if rows:
        print_table("Nanoseconds for each number, one core (medians)", ["set", *contenders], rows)


def test_rows(journal):
    sets, contenders = sets_and_contenders(journal)
    for contender in contenders:
        if contender == "flint":
            continue
        for name in sets:
            pairs = journal.pairs("tests", Case(name, "flint"), Case(name, contender))
            yield from ratio_row(f"FLINT / {contender}, time, {name}",
                                 [flint["ns"] / other["ns"] for flint, other in pairs],
                                 *goal_of(contender, name))


def goal_of(contender, name):
    """The goal's words and its test, or nothing where there is none."""
    goal = GOALS.get(contender, {}).get(name)
    if goal is None:
        return ()
    hope = HOPES.get((contender, name))
    words = f">= {goal:g}" + (f", hoped {hope:g}" if hope else "")
    return words, lambda ratio: ratio >= goal


def vector_rows(journal):
    pairs = journal.pairs("vector", TRIAL, VECTOR)
    yield from ratio_row("trial / vector, time, the 20 numbers, 1 core",
                         [trial["wall"] / vector["wall"] for trial, vector in pairs],
                         f">= {GOAL_VECTOR:g}", lambda ratio: ratio >= GOAL_VECTOR)


# ---- the picture -------------------------------------------------------------------------------


def draw(journal, stem):
    sets, contenders = sets_and_contenders(journal)
    if not sets:
        return []
    series = {TITLES[contender]: [median_ns(journal, Case(name, contender)) for name in sets]
              for contender in contenders}
    cpu = journal.document["machine"]["cpu"]
    title = f"Is a number below 2^64 prime? One core, medians ({cpu})"
    return plot.draw_bars(title, plot.Bars("nanoseconds for each number", sets, series), stem)


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 11, "vector_rounds": 11}
QUICK = {"rounds": 3, "vector_rounds": 3}


def parse_arguments(arguments):
    parser = command_line.parser("is_prime", __doc__, "less of everything: half a minute")
    command_line.add_parts(parser, PARTS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of tests (11; quick: 3)")
    add("--vector-rounds", type=at_least(1), metavar="N", help="rounds of vector (11; 3)")
    return parser.parse_args(arguments)


def begin(options):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    settings["seed"] = command_line.seed_of(options)
    settings["parts"] = command_line.parts_of(options, PARTS)
    programs = PrimePrograms(options.bin)
    journal = Journal.begin("is_prime", settings, machine_facts(programs.path("sequential")))
    return journal, programs


if __name__ == "__main__":
    sys.exit(command_line.main("is_prime", parse_arguments(sys.argv[1:]), begin, measure, report,
                               draw))
