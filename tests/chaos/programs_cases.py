"""The programs that programs.py runs, with options and input drawn at random, and what each of them may have
said when it has ended: all of it, or what it said before a signal or a dead pool ended it."""

import collections
import functools
import itertools
import os
import re
import signal
import sys
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cli"))

from harness import (BIN, NUMBERS, PROGRAMS, is_prime, parse_json_lines, parse_line)  # noqa: E402

ASKED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # after these a program reports what is finished
CRASHES = {signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT}


class Fault(Exception):
    """What must not be. `kind` is lost, duplicated, hung or leaked."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


class End(NamedTuple):
    code: int  # negative: the signal that ended it
    out: str
    err: str
    sent: dict  # "program", "nursery", "worker": the signals that they got
    folder: str


def require(condition, text, kind="lost"):
    if not condition:
        raise Fault(kind, text)


def has(name):
    return os.path.exists(os.path.join(BIN, name))


# ---- what holds for every program ------------------------------------------------------------------


def check_code(name, end, goes_on=True):
    """Whether all was to be printed. A program ends by a signal only if it got that one. It `goes_on` after the death
    of a worker, or says on stderr why it does not; so it may if its nursery was killed."""
    fatal = end.sent["program"] & (ASKED | CRASHES)
    if end.code < 0:
        require(-end.code in fatal, f"{name} was ended by signal {-end.code}: {end.err!r:.300}")
    else:
        require(end.code in (0, 1), f"{name} ended with {end.code}: {end.err!r:.300}")
    for line in end.err.splitlines():
        require(line.startswith(f"{name}: "), f"{name} said {line!r}")
    require(end.code != 0 or end.err == "", f"{name} ended with 0 and said {end.err!r:.300}")
    if end.err:
        broken = signal.SIGKILL in end.sent["nursery"] or (end.sent["worker"] and not goes_on)
        require(broken, f"{name} said {end.err!r:.300}")
    return end.code >= 0 and end.err == ""


def whole_lines(name, end):
    """All lines. The last may be cut if the program was killed."""
    lines = end.out.split("\n")
    rest = lines.pop()
    require(rest == "" or (end.code < 0 and -end.code in CRASHES), f"{name} cut its last line: {rest!r:.200}")
    return lines


def check_reason(name, end, reason):
    """A check may fail if its worker was killed, by us or with its nursery; or if the pool broke with that."""
    nursery_died = signal.SIGKILL in end.sent["nursery"]
    if match := re.fullmatch(r"killed by signal (\d+) \(SIG[A-Z]+\)", reason):
        number = int(match[1])
        require(number in end.sent["worker"] or (number == signal.SIGKILL and nursery_died),
                f"{name}: {reason}, which nobody sent")
    else:
        require(nursery_died and reason.startswith("error: "), f"{name}: failed for {reason!r}")


class Once:
    """Each of `expected` (key: what it should be) may be told once."""

    def __init__(self, name, end, expected):
        self.name, self.end, self.expected = name, end, expected
        self.told, self.failed = set(), 0

    def tell(self, key, value, reason=""):
        require(key in self.expected, f"{self.name} told of {key!r}, which it was not asked")
        require(key not in self.told, f"{self.name} told of {key!r} twice", "duplicated")
        self.told.add(key)
        if value is None:
            self.failed += 1
            check_reason(self.name, self.end, reason)
        else:
            require(value == self.expected[key], f"{self.name} said {value} of {key!r}")

    def check_complete(self):
        missing = len(self.expected) - len(self.told)
        require(missing == 0, f"{self.name} ended with {self.end.code}, but {missing} are missing")
        require(self.end.code == (1 if self.failed else 0),
                f"{self.name} ended with {self.end.code}, and {self.failed} failed")


# ---- cases -----------------------------------------------------------------------------------------
# Each has a name, arguments, whether it has worker processes, an environment; and check(end), which returns
# how many results it has checked.


class Case:
    has_processes = False
    name, args = "", []

    def prepare(self, folder):
        """Puts into the folder, in which the program is run, what it needs."""

    def tidy(self, folder):
        """Looks at the folder afterwards."""
        left = set(os.listdir(folder)) - {"numbers"}
        require(not left, f"{self.name} left {left}", "leaked")

    def describe(self):
        return " ".join([self.name, *self.args])


class Primes(Case):
    """The twenty numbers, in every program that checks them."""

    def __init__(self, rng):
        programs = [program for program in PROGRAMS if has(program.name)]
        self.program = rng.choice(programs + 4 * [p for p in programs if p.kind == "process_pool"])
        self.name = self.program.name
        self.has_processes = self.program.kind == "process_pool"
        self.workers = rng.randint(1, 3)
        self.json = rng.random() < 0.2
        self.order = rng.choice(("map", "completed"))
        self.args = [*self.program.argv(self.workers), f"-o{self.order}", f"-R{rng.choice((0, 2, 1000))}",
                     f"-m{rng.choice(('wheel', 'vector', 'bpsw'))}", *(["-j"] if self.json else [])]
        if rng.random() < 0.3 and "-mbpsw" not in self.args:
            self.args.append("-s")

    def check(self, end):
        complete = check_code(self.name, end)
        lines = whole_lines(self.name, end)
        once = Once(self.name, end, NUMBERS)
        numbers = self.tell_json(end, lines, once, complete) if self.json else self.tell(lines, once, complete)
        if self.order == "map":
            require(numbers == sorted(numbers, reverse=self.program.descending), f"{self.name}: out of order")
        if complete:
            once.check_complete()
        return len(numbers)

    def tell(self, lines, once, complete):
        if lines:
            require(lines.pop(0) == self.program.header(20, self.workers), f"{self.name}: another header")
        has_last = lines and re.match("Total time|[0-9]+ checks? in", lines[-1])
        last = lines.pop() if has_last else ""
        require(not complete or last, f"{self.name} ended well without a last line")
        results = [parse_line(line) for line in lines]
        for result in results:
            once.tell(result.n, result.prime, result.reason)
        if last:
            done = sum(result.prime is not None for result in results)
            require(re.fullmatch(self.program.last_line(done), last), f"{self.name}: {last!r} after {done}")
        return [result.n for result in results]

    def tell_json(self, end, lines, once, complete):
        results = parse_json_lines("\n".join(lines))
        summary = results.pop() if results and "summary" in results[-1] else None
        require(not complete or summary, f"{self.name} ended well without a summary")
        for result in results:
            once.tell(int(result["n"]), result.get("prime"), result.get("error", ""))
        require(not complete or summary["summary"]["failed"] == once.failed, f"{self.name}: another summary")
        return [int(result["n"]) for result in results]


def primes_between(first, count):
    """For each of the numbers whether it is prime: a sieve of its own."""
    flags = bytearray([1]) * count
    for number in range(first, min(first + count, 2)):
        flags[number - first] = 0
    for p in _small_primes(int((first + count) ** 0.5) + 1):
        start = max(p * p, (first + p - 1) // p * p) - first
        if start < count:
            flags[start::p] = bytes(len(range(start, count, p)))
    return flags


@functools.lru_cache(maxsize=None)
def kinds_of(first, count):
    flags = primes_between(first, count)
    return {str(first + i): "prime" if flags[i] else "composite" for i in range(count)}


def _small_primes(limit, known={}):  # pylint: disable=dangerous-default-value
    if known.get("limit", 0) < limit:
        flags = bytearray([1]) * (limit + 1)
        for p in range(2, int(limit ** 0.5) + 1):
            if flags[p]:
                flags[p * p::p] = bytes(len(range(p * p, limit + 1, p)))
        known.update(limit=limit, primes=[p for p in range(2, limit + 1) if flags[p]])
    return itertools.takewhile(lambda p: p <= limit, known["primes"])


class Primecheck(Case):
    """Numbers in a row, whose lines are known: from each executor, in each order and format."""
    name = "primecheck"

    def __init__(self, rng):
        executors = ["processes"] * 6 + ["threads", "serial"] + (["openmp"] if has("openmp_pool") else [])
        executor = rng.choice(executors)
        self.has_processes = executor == "processes"
        self.order = rng.choice(("input", "completed"))
        self.form = rng.choice(("text", "text", "primes", "composites", "count"))
        slow = rng.random() < 0.5
        self.expected = kinds_of(rng.randrange(1, 10) * 10**11, 20000 if slow else 60000)
        self.args = [f"-e{executor}", f"-o{self.order}", *([] if executor == "serial" else [f"-w{rng.randint(1, 3)}"]),
                     *(["-mtrial"] if slow else []), *([f"--block={rng.choice((500, 5000))}"] if slow else []),
                     *{"text": [], "count": ["-c"]}.get(self.form, [f"--only={self.form}"]), "-fnumbers"]

    def prepare(self, folder):
        with open(os.path.join(folder, "numbers"), "w", encoding="ascii") as file:
            file.write("".join(f"{n}\n" for n in self.expected))

    def check(self, end):
        complete = check_code(self.name, end)
        lines = whole_lines(self.name, end)
        if self.form == "count":
            return self.check_counts(end, lines, complete)
        expected = self.expected
        if self.form != "text":
            expected = {n: what for n, what in expected.items() if what == self.form[:-1]}
        once = Once(self.name, end, expected)
        before = 0
        for line in lines:
            number, _, rest = line.partition(" ")
            if rest.startswith("! "):
                require(number in self.expected, f"{self.name} told of {number!r}")
                expected.setdefault(number, "")  # its block has failed, so whether it is wanted is not known
                once.tell(number, None, rest[2:])
            else:
                once.tell(number, rest if self.form == "text" else self.form[:-1])
            require(self.order != "input" or int(number) > before, f"{self.name}: {number} is out of order")
            before = int(number)
        if complete:
            once.check_complete()
        return len(lines)

    def check_counts(self, end, lines, complete):
        counts = dict(line.split(": ") for line in lines)
        for what in ("prime", "composite"):
            most = sum(value == what for value in self.expected.values())
            found = int(counts.get(f"{what}s", 0))
            require(found == most or (found < most and end.code != 0), f"{found} {what}s are counted of {most}")
        require(not complete or len(lines) >= 2, f"ended with {end.code} without counts")
        return len(self.expected) if end.code == 0 else 0


class Sorts(Case):
    """Each task prints three lines at once; which numbers it sorts is random. With --recursive there is one array, and
    the last line says that it is sorted."""

    def __init__(self, rng):
        self.name = rng.choice([name for name in ("quicksort_processes", "quicksort_threads") if has(name)])
        self.has_processes = self.name == "quicksort_processes"
        self.is_recursive = not self.has_processes and rng.random() < 0.5
        self.args = ["--recursive"] if self.is_recursive else []

    def check(self, end):
        complete = check_code(self.name, end, goes_on=False)
        lines = whole_lines(self.name, end)
        if self.is_recursive:
            require("sorted: no" not in lines, f"{self.name}: {lines}")
            require(not complete or (end.code == 0 and lines[-1:] == ["sorted: yes"]), f"{self.name}: {lines}")
            return 1 if lines[-1:] == ["sorted: yes"] else 0
        head = 2 if self.has_processes else 1
        body = lines[head:]
        require(len(body) % 3 == 0 or (end.code < 0 and -end.code in CRASHES), f"{self.name}: torn: {body}")
        titles = set()
        for i in range(0, len(body) - 2, 3):
            title, before, after = body[i:i + 3]
            require(re.fullmatch(r"\[Task \d+\] process( \d+|\.\.\.)", title), f"{self.name}: {title!r}")
            require(title not in titles, f"{self.name}: {title!r} twice", "duplicated")
            titles.add(title)
            numbers = [[int(n) for n in re.findall(r"-?\d+", line)] for line in (before, after)]
            require(sorted(numbers[0]) == numbers[1] and len(numbers[0]) == 10, f"{self.name}: {before} {after}")
        require(not complete or (end.code == 0 and titles), f"{self.name} ended with {end.code}, but said nothing")
        return len(titles)


class Maps(Case):
    """primes_map: the lines of tasks and of results, each once."""
    name = "primes_map"

    def __init__(self, rng):
        from test_demos import PRIMES
        self.workers = rng.randint(1, 4)
        self.args = [str(self.workers)]
        results = [f"result {i}: {is_prime(n)}" for i, n in enumerate(PRIMES)]
        tasks = [f"is_prime({n}): {what}" for n in PRIMES for what in ("doing calculating...", "done.")]
        self.lines = collections.Counter(
            ["Script starting.", "Waiting for individual results:", "results: ", *results, *tasks])

    def check(self, end):
        from test_demos import stripped
        complete = check_code(self.name, end)
        found = collections.Counter("results: " if line.startswith("results: ") else line
                                    for line in stripped(whole_lines(self.name, end)))
        require(not found - self.lines, f"{self.name}: {found - self.lines}", "duplicated")
        require(not complete or (end.code == 0 and found == self.lines), f"{self.name}: {self.lines - found} missing")
        return sum(found.values())

