"""How many numbers does primecheck check in a second, end to end, from one text file to another?

Two parts, each a question (README.md beside this file says more):

    speed   primecheck with 2 workers, beside Math::Prime::Util, PARI's gp and coreutils' factor
    same    is the output the same, byte for byte, for every executor, worker count and kernel?

Every figure is a median; every ratio is taken round by round, then its median. A goal that is not
met is said and is no failure; a program that fails or answers wrongly is.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

import command_line
from command_line import ROOT, at_least
from engine import BenchError, Journal, alternating, machine_facts, measure_plans, spread
from report import print_machine, print_ratios, print_table, ratio_row

SEED = 1  # the file is made once, not for every run
WORKERS = 2
KERNELS = ("portable", "avx2", "avx512")
BLOCKS = (100, 4096, 500000)  # bytes; the program's own choice is 131072

GOAL_TO_FILE = 40e6  # numbers in a second
GOAL_COUNT = 60e6
GOAL_MEMORY = 64     # MiB, the greatest resident set

PERL = 'chomp; print $_, is_prime($_) ? " prime" : " composite", "\\n"'
GP = 'foreach(readvec("{file}"), n, print(n, if(isprime(n), " prime", " composite")))\n'
PEERS = {"perl": "Math::Prime::Util", "gp": "PARI gp", "factor": "coreutils factor"}


@dataclasses.dataclass(frozen=True)
class Case:
    program: str
    numbers: int
    executor: str = ""  # the program's own choice
    workers: int = 0    # likewise
    kernel: str = ""    # likewise
    count: bool = False
    block: int = 0      # bytes for a worker at a time; 0: likewise

    def __str__(self):
        words = [self.program, self.executor, f"{self.workers} workers" if self.workers else "",
                 self.kernel, "--count" if self.count else "",
                 f"--block={self.block}" if self.block else "", f"({self.numbers:,} numbers)"]
        return " ".join(filter(None, words))


# ---- running a case ----------------------------------------------------------------------------


class Runner:
    def __init__(self, folder, scratch, seed):
        self.folder, self.scratch, self.seed = folder, scratch, seed
        self.expected = {}  # by what the output is about: its facts, from the first run
        scratch.mkdir(parents=True, exist_ok=True)

    def path(self, program):
        return self.folder / program

    def file(self, numbers):
        """The file of so many numbers, which is made when it is first asked for."""
        path = self.scratch / f"odd-64-{self.seed}-{numbers}.txt"
        if not path.exists():
            print(f"making {os.path.relpath(path)} ...", file=sys.stderr)
            unfinished = path.with_name(path.name + ".part")
            with open(unfinished, "wb") as out:
                command = [str(self.path("random_numbers")), str(numbers), str(self.seed)]
                run_to(command, out)
            unfinished.replace(path)
        return path

    def run(self, case):
        command, environment, stdin = self.command(case)
        output = self.scratch / self.output_name(case)
        # The old one goes now and not when it was checked: then its memory is free for the new one. A
        # machine that is a guest gives free memory back, and has to wait for each page of it. To cut
        # it would be the program's time.
        output.unlink(missing_ok=True)
        with open(output, "xb") as out:
            wall, memory = run_to(command, out, environment, stdin)
        self.check(case, output)
        return {"wall": wall, "memory": memory, "rate": case.numbers / wall}

    @staticmethod
    def output_name(case):
        return f"output-{case.program}{'-count' if case.count else ''}"

    def command(self, case):
        """The command, what it has more in its environment, and what it reads."""
        file = self.file(case.numbers)
        if case.program == "perl":
            return ["perl", "-Mntheory=is_prime", "-ne", PERL, str(file)], {}, b""
        if case.program == "gp":
            return ["gp", "-fq", "-s", "1G"], {}, GP.format(file=file).encode()
        if case.program == "factor":
            return ["sh", "-c", 'exec factor <"$1"', "sh", str(file)], {}, b""
        command = [str(self.path(case.program)), f"-f{file}"]
        command += ["-e", case.executor] if case.executor else []
        command += ["-w", str(case.workers)] if case.workers else []
        command += ["--count"] if case.count else []
        command += [f"--block={case.block}"] if case.block else []
        return command, {"PRIMEPOOL_KERNEL": case.kernel} if case.kernel else {}, b""

    # ---- no run is believed whose answers differ from those of the first one about these numbers

    def check(self, case, output):
        if case.count:
            found = re.fullmatch(r"primes: (\d+)\ncomposites: (\d+)\n", output.read_text())
            primes, composites = map(int, found.groups()) if found else (0, 0)
            facts = {"lines": primes + composites, "primes": primes}
        elif case.program == "factor":
            facts = facts_of_factors(output)
        else:
            facts = facts_of_output(output)
        if facts.get("lines") != case.numbers:
            raise BenchError(f"{case}: does not tell of all numbers: {facts}")
        expected = self.expected.setdefault(case.numbers, {})
        for name, value in facts.items():
            if expected.setdefault(name, value) != value:
                raise BenchError(f"{case}: {name} {value}, and another run had {expected[name]}")


def run_to(command, out, environment=None, stdin=b""):
    """Runs the command; its seconds, and its greatest resident set in MiB.

    No less than this script's own is ever seen, as a program begins as a copy of what starts it.
    """
    start = time.perf_counter()
    try:
        child = subprocess.Popen(command, stdout=out, stdin=subprocess.PIPE,
                                 env={**os.environ, **(environment or {})})
    except OSError as error:
        raise BenchError(f"cannot be started: {error.strerror}: {command[0]}") from error
    try:
        child.stdin.write(stdin)
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        child.wait()
        raise
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)  # Popen shall not wait for it again
    if child.returncode != 0:
        raise BenchError(f"exit code {child.returncode}: {' '.join(command)}")
    return wall, usage.ru_maxrss / 1024


def pieces(path):
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def facts_of_output(path):
    digest, lines, others = hashlib.sha256(), 0, 0
    for piece in pieces(path):
        digest.update(piece)
        lines += piece.count(b"\n")
        others += piece.count(b"m")  # once in "composite", once in "prime",
        others -= piece.count(b"r")  # which alone has an r
    return {"lines": lines, "primes": lines - others, "sha256": digest.hexdigest()}


def facts_of_factors(path):
    """A digest of the answers as primecheck would have written them."""
    digest, lines, primes = hashlib.sha256(), 0, 0
    with open(path, encoding="ascii") as file:
        for line in file:
            number, *factors = line.replace(":", "").split()
            prime = factors == [number]
            digest.update(f"{number} {'prime' if prime else 'composite'}\n".encode())
            lines += 1
            primes += prime
    return {"lines": lines, "primes": primes, "sha256": digest.hexdigest()}


# ---- what is measured --------------------------------------------------------------------------


def speed_cases(settings):
    ours = Case("primecheck", settings["numbers"], workers=WORKERS)
    return {"to_file": ours, "count": dataclasses.replace(ours, count=True),
            **{peer: Case(peer, settings["peer_numbers"][peer]) for peer in settings["peers"]}}


def speed_plan(settings):
    return alternating(list(speed_cases(settings).values()), settings["rounds"])


def same_cases(settings):
    for kernel in settings["kernels"]:
        for executor, workers in (("serial", 0), ("threads", 1), ("threads", 2),
                                  ("processes", 1), ("processes", 2)):
            yield Case("primecheck", settings["same_numbers"], executor, workers, kernel)
    for block in BLOCKS:
        yield Case("primecheck", settings["same_numbers"], workers=WORKERS, block=block)


def same_plan(settings):
    # First what the peers have been asked too, so that theirs and ours are compared.
    ours = [Case("primecheck", settings["peer_numbers"][peer]) for peer in settings["peers"]]
    return [(0, case) for case in [*ours, *same_cases(settings)]]


PLANS = {"speed": speed_plan, "same": same_plan}


def measure(journal, runner):
    journal.document["facts"] = runner.expected
    measure_plans(journal, PLANS, runner.run)


# ---- what is reported --------------------------------------------------------------------------


def report(journal):
    settings = journal.document["settings"]
    print_machine(journal)
    lacking = [title for peer, title in PEERS.items() if peer not in settings["peers"]]
    lacking += [kernel for kernel in KERNELS if kernel not in settings["kernels"]]
    if lacking:
        print(f"not on this machine, hence left out: {', '.join(lacking)}")
    report_speed(journal)
    print_ratios(ratio_rows(journal))
    report_same(journal)


def report_speed(journal):
    rows = [row for name, case in speed_cases(journal.document["settings"]).items()
            for row in speed_rows(case, list(journal.of("speed", case).values()),
                                  {"to_file": GOAL_TO_FILE, "count": GOAL_COUNT}.get(name))]
    if rows:
        print_table("End to end, medians", ["what", "rounds", "seconds", "million/s", "quartiles",
                                            "goal", "", "peak MiB", "goal", ""], rows)


def speed_rows(case, samples, goal):
    if not samples:
        return
    rate = spread([sample["rate"] / 1e6 for sample in samples])
    memory = max(sample["memory"] for sample in samples)
    row = [str(case), str(rate.count),
           f"{spread([sample['wall'] for sample in samples]).median:.2f}", f"{rate.median:.3g}",
           f"{rate.first_quartile:.3g} .. {rate.third_quartile:.3g}"]
    if goal is None:
        yield [*row, "", "", f"{memory:.0f}", "", ""]
    else:
        yield [*row, f">= {goal / 1e6:g}", verdict(rate.median >= goal / 1e6), f"{memory:.0f}",
               f"<= {GOAL_MEMORY}", verdict(memory <= GOAL_MEMORY)]


def verdict(is_met):
    return "met" if is_met else "not met"


def ratio_rows(journal):
    cases = speed_cases(journal.document["settings"])
    return [row for peer in journal.document["settings"]["peers"]
            for row in ratio_row(f"primecheck to a file / {PEERS[peer]}, numbers in a second",
                                 [ours["rate"] / theirs["rate"] for ours, theirs in
                                  journal.pairs("speed", cases["to_file"], cases[peer])],
                                 form="{:.1f}")]


def report_same(journal):
    settings = journal.document["settings"]
    done = [case for case in same_cases(settings) if journal.of("same", case)]
    if done:
        facts = journal.document["facts"]
        # Its keys are text after a load, numbers before.
        facts = {int(numbers): of_these for numbers, of_these in facts.items()}
        print(f"\nThe same output in {len(done)} ways (executors, workers 1 and 2, kernels "
              f"{', '.join(settings['kernels'])}, blocks of {', '.join(map(str, BLOCKS))} bytes): sha256 "
              f"{facts[settings['same_numbers']]['sha256']}")


# ---- the command line --------------------------------------------------------------------------

DEFAULTS = {"rounds": 7, "numbers": 10**8, "same_numbers": 10**7}
QUICK = {"rounds": 2, "numbers": 10**7, "same_numbers": 10**6}
PEER_NUMBERS = {"perl": 3 * 10**6, "gp": 10**6, "factor": 5 * 10**4}  # some seconds each


def parse_arguments(arguments):
    parser = command_line.parser("primecheck", __doc__, "less of everything: a minute", str(SEED))
    command_line.add_parts(parser, PLANS)
    add = parser.add_argument
    add("--rounds", type=at_least(1), metavar="N", help="rounds of speed (7; quick: 2)")
    add("--numbers", type=at_least(1), metavar="N", help="numbers of speed (10^8; 10^7)")
    add("--same-numbers", type=at_least(1), metavar="N", help="numbers of same (10^7; 10^6)")
    add("--scratch", type=pathlib.Path, default=ROOT / "build" / "bench" / "numbers",
        metavar="DIR", help="where the numbers, 2 GB, and an output, 3 GB, have room "
        "(build/bench/numbers)")
    return parser.parse_args(arguments)


def settings_of(options):
    settings = command_line.amounts_of(options, DEFAULTS, QUICK)
    settings["seed"] = SEED if options.seed is None else options.seed
    settings["peer_numbers"] = PEER_NUMBERS
    settings["peers"] = [peer for peer, probe in
                         (("perl", ["perl", "-Mntheory", "-e", "1"]),
                          ("gp", ["gp", "--version-short"]), ("factor", ["factor", "1"]))
                         if succeeds(probe)]
    settings["kernels"] = [kernel for kernel in KERNELS if succeeds(
        [str(options.bin / "primecheck"), "7"], {"PRIMEPOOL_KERNEL": kernel})]
    settings["parts"] = command_line.parts_of(options, PLANS)
    return settings


def succeeds(command, environment=None):
    try:
        return subprocess.run(command, env={**os.environ, **(environment or {})}, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
    except OSError:
        return False


def begin(options):
    machine = machine_facts(options.bin / "primecheck")
    settings = settings_of(options)
    runner = Runner(options.bin, options.scratch, settings["seed"])
    return Journal.begin("primecheck", settings, machine), runner


if __name__ == "__main__":
    sys.exit(command_line.main("primecheck", parse_arguments(sys.argv[1:]), begin, measure, report,
                               lambda journal, stem: []))
