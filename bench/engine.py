"""The measuring engine: what any bench of this folder needs and no bench owns.

A bench makes a plan (which case in which round), the journal runs it and keeps every sample. Cases
that will be compared run close to each other in time and are compared round by round, so a machine
that gets slower or faster between rounds changes both sides of a ratio alike. Reports are made from
the journal alone, hence also later, from the file that it was saved to.
"""

import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import platform
import re
import statistics
import sys
import threading
import time


class BenchError(Exception):
    """Something is broken: a program that is missing, fails or answers wrongly."""


# ---- plans -------------------------------------------------------------------------------------


def alternating(cases, rounds):
    """Each round there and back again: neighbours stay neighbours, and who goes first alternates.

    >>> list(alternating("ab", 3))
    [(0, 'a'), (0, 'b'), (1, 'b'), (1, 'a'), (2, 'a'), (2, 'b')]
    """
    for number in range(rounds):
        for case in cases if number % 2 == 0 else reversed(cases):
            yield number, case


def shuffled(cases_of_round, rng):
    """A new random order in every round, so that no case always follows the same other one."""
    for number, cases in enumerate(cases_of_round):
        for case in rng.sample(cases, len(cases)):
            yield number, case


# ---- figures -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Spread:
    count: int
    minimum: float
    first_quartile: float
    median: float
    third_quartile: float
    maximum: float


def spread(values):
    """
    >>> spread([4, 1, 3, 2, 5])
    Spread(count=5, minimum=1, first_quartile=2.0, median=3.0, third_quartile=4.0, maximum=5)
    """
    values = sorted(values)
    if len(values) == 1:
        quartiles = values * 3
    else:
        quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(len(values), values[0], *quartiles, values[-1])


# ---- the journal -------------------------------------------------------------------------------


class Journal:
    """Every sample of one run of a bench, with the settings and the machine that it ran on.

    A sample is a dict: the part of the bench, the round, the case and what the case's run gave.
    """

    def __init__(self, document):
        self.document = document
        self.samples = document["samples"]

    @classmethod
    def begin(cls, bench, settings, machine):
        started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        return cls({"bench": bench, "started": started, "complete": False, "settings": settings,
                    "machine": machine, "samples": []})

    @classmethod
    def load(cls, path):
        try:
            return cls(json.loads(pathlib.Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{path}: not the result of a bench: {error}") from error

    def save(self, path):
        # Whole or not at all: an interrupted save leaves the file of the run before.
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_text(self.text(), encoding="utf-8")
        unfinished.replace(path)

    def text(self):
        """JSON with a line for each entry and each sample, so that a person can read it."""
        entries = [f"{json.dumps(name)}: {json.dumps(value)}"
                   for name, value in self.document.items() if name != "samples"]
        samples = ",\n  ".join(map(json.dumps, self.samples))
        return "{\n" + ",\n".join([*entries, f'"samples": [\n  {samples}\n]']) + "\n}\n"

    def measure(self, part, plan, run):
        """Runs the plan (a list); `run` takes a case (a dataclass), returns a dict of figures.

        Before the first and after each round the machine's speed is taken.
        """
        speeds = self.document.setdefault("calibrations", {}).setdefault(part, [])
        speeds.append(calibrate())
        rounds = plan[-1][0] + 1 if plan else 0
        watch = Watch(plan)
        for position, (number, case) in enumerate(plan):
            show_progress(f"{part}: round {number + 1} of {rounds}, run {position + 1} of {len(plan)}"
                          f"{watch.time_left()}: {case}")
            self.add(part, number, case, run(case))
            watch.done(case)
            if position + 1 == len(plan) or plan[position + 1][0] != number:
                speeds.append(calibrate())
        show_progress("")

    def add(self, part, number, case, figures):
        self.samples.append({"part": part, "round": number, "case": dataclasses.asdict(case),
                             **figures})

    def of(self, part, case):
        """The samples of one case, by round."""
        wanted = dataclasses.asdict(case)
        return {sample["round"]: sample for sample in self.samples
                if sample["part"] == part and sample["case"] == wanted}

    def pairs(self, part, one, other):
        """The samples of two cases as pairs from the same round."""
        ones, others = self.of(part, one), self.of(part, other)
        return [(ones[number], others[number]) for number in ones if number in others]


class Watch:
    """How long a plan will still take: each run to come as long as those of the same case took, on average.

    >>> clock = iter([0, 1, 4, 6])
    >>> watch = Watch([(0, "a"), (0, "b"), (1, "b"), (1, "a")], lambda: next(clock))
    >>> watch.done("a"), watch.time_left()
    (None, '')
    >>> watch.done("b"), watch.time_left()
    (None, ', 4 s left')
    >>> watch.done("b"), watch.time_left()
    (None, ', 1 s left')
    """

    def __init__(self, plan, clock=time.monotonic):
        self.cases = [case for _, case in plan]
        self.position = 0
        self.took = {}
        self.clock = clock
        self.last = clock()

    def done(self, case):
        """The next run of the plan has ended."""
        now = self.clock()
        self.took.setdefault(repr(case), []).append(now - self.last)
        self.last = now
        self.position += 1

    def time_left(self):
        """", 12 s left", or "" while one of the cases to come has never run."""
        to_come = list(map(repr, self.cases[self.position:]))
        if not all(case in self.took for case in to_come):
            return ""
        return f", {duration(sum(map(statistics.mean, map(self.took.get, to_come))))} left"


def time_left(start, share, now=None):
    """The same where all that is known is when it began and the share that is done.

    >>> time_left(100, 0.25, 110), time_left(100, 0.25, 100.1), time_left(100, 0, 110)
    (', 30 s left', '', '')
    """
    passed = (time.monotonic() if now is None else now) - start
    return f", {duration(passed / share - passed)} left" if share > 0 and passed >= 1 else ""


def duration(seconds):
    """
    >>> duration(59.4), duration(61), duration(3661)
    ('59 s', '1:01', '1:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_progress(line):
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)


# ---- the parts of a bench ----------------------------------------------------------------------


def measure_parts(journal, measure_part):
    """Measures the parts that the settings name, and how much of the machine others took."""
    disturbance = Disturbance()
    for part in journal.document["settings"]["parts"]:
        print(f"measuring {part} ...", file=sys.stderr)
        start = time.monotonic()
        try:
            measure_part(part)
        finally:
            journal.document["machine"].update(disturbance.shares())
        print(f"measuring {part} took {time.monotonic() - start:.0f} s", file=sys.stderr)
    journal.document["complete"] = True


def measure_plans(journal, plans, run):
    """Parts that have each a plan, which is a function of the settings."""
    def measure_part(part):
        journal.measure(part, list(plans[part](journal.document["settings"])), run)
    measure_parts(journal, measure_part)


# ---- the machine's speed -------------------------------------------------------------------------

CALIBRATION = bytes(1 << 20)
CALIBRATION_TIMES = 24  # some 20 to 60 ms
DISTURBED = 1.2         # times what the same work took at best


def calibrate():
    """Milliseconds that all cores together take for the same work: a host may halve a virtual
    machine's speed for minutes."""
    def work():
        for _ in range(CALIBRATION_TIMES):
            hashlib.sha256(CALIBRATION)
    threads = [threading.Thread(target=work) for _ in range(max(1, int(usable_cores())))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(1000 * (time.perf_counter() - start), 2)


def disturbed_rounds(calibrations):
    """How many rounds were slower before or after than the part's best, and how many there were.

    >>> disturbed_rounds({"awake": [20, 21, 39, 20, 20], "crowded": [60.5, 60]})
    (2, 5)
    >>> disturbed_rounds({})
    (0, 0)
    """
    rounds = [max(pair) > DISTURBED * min(times)
              for times in calibrations.values() for pair in zip(times, times[1:])]
    return sum(rounds), len(rounds)


# ---- the machine -------------------------------------------------------------------------------


def machine_facts(binary):
    """What a reader must know to judge the figures; nothing that tells whose machine it is."""
    return {
        "cpu": processor(),
        "cores": usable_cores(),
        "kernel": platform.release(),
        "system": first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)') or platform.system(),
        "compiler": compiler_of(binary),
        "python": platform.python_version(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def processor():
    """Its name, and its model, because a virtual machine's name may be that of any."""
    name, *numbers = [first_match("/proc/cpuinfo", rf"^{word}\s*: (.*)$")
                      for word in ("model name", "cpu family", "model")]
    if name and all(numbers):
        return f"{name}, family {numbers[0]}, model {numbers[1]}"
    return name or platform.machine()


def usable_cores():
    """Cores that this process may use; a fraction where a control group's quota is the limit."""
    cores = len(os.sched_getaffinity(0))
    quota = first_match("/sys/fs/cgroup/cpu.max", r"^(\d+ \d+)$")
    if quota:
        allowed, period = map(int, quota.split())
        cores = min(cores, allowed / period)
    return cores


def compiler_of(binary):
    """The compiler's own signature in the program that is measured.

    The C runtime's start files are gcc's in a program of clang's too, so clang goes first.
    """
    text = pathlib.Path(binary).read_bytes()
    for pattern in (rb"[\w ]*clang version [\d.]+", rb"GCC: \([^)]*\) [\d.]+"):
        found = re.search(pattern, text)
        if found:
            return found[0].decode()
    return "unknown"


def first_match(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return found[1].strip() if found else None


class Disturbance:
    """How much of the machine's time others took while we measured: the enemy of every figure."""

    def __init__(self):
        self.before = self.read()

    @staticmethod
    def read():
        """Seconds of all cores: all, stolen by the hypervisor, busy, and busy for us."""
        line = first_match("/proc/stat", r"^cpu +(.*)$") or "0 0 0 0 0 0 0 0"
        ticks = [int(value) / os.sysconf("SC_CLK_TCK") for value in line.split()[:8]]
        idle, waiting, stolen = ticks[3], ticks[4], ticks[7]
        return sum(ticks), stolen, sum(ticks) - idle - waiting - stolen, sum(os.times()[:4])

    def shares(self):
        passed, stolen, busy, ours = (now - then for now, then in zip(self.read(), self.before))
        if passed <= 0:
            return {}
        return {"stolen_share": round(stolen / passed, 4),
                "others_share": round(max(0.0, busy - ours) / passed, 4)}
