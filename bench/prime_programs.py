"""Runs the prime programs and their peer, and believes no run whose answers are wrong."""

import dataclasses
import json
import pathlib
import sys

from engine import BenchError
from processes import launch

PEER = pathlib.Path(__file__).parent / "peers" / "cpython_pool.py"
PEER_KINDS = {"cpython_processes": "processes", "cpython_threads": "threads"}

NUMBERS = 20  # the documents' list: so many numbers,
PRIMES = 9    # so many of them prime
DESCENDING = ("thread_pool", "proc_pool")  # the others submit in ascending order


@dataclasses.dataclass(frozen=True)
class Case:
    program: str
    workers: int = 1
    method: str = "trial"
    split: bool = False
    repeat: int = 1  # the list so many times over
    copies: int = 1  # so many processes of the program side by side

    def __str__(self):
        extras = [f"--method={self.method}" if self.method != "trial" else "",
                  "--split" if self.split else "",
                  f"(list x {self.repeat})" if self.repeat > 1 else "",
                  f"(x {self.copies})" if self.copies > 1 else ""]
        workers = "" if self.program == "sequential" else str(self.workers)
        return " ".join(filter(None, [self.program, workers, *extras]))


class PrimePrograms:
    """Our programs in one folder. The first run, of `sequential`, is the oracle of all others."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.verdicts = {}
        self.verdicts = self.answers_of(Case("sequential"))
        if len(self.verdicts) != NUMBERS or sum(self.verdicts.values()) != PRIMES:
            raise BenchError(f"sequential: {len(self.verdicts)} numbers and "
                             f"{sum(self.verdicts.values())} primes instead of "
                             f"{NUMBERS} and {PRIMES}")

    def answers_of(self, case):
        lines, _ = parse(case, launch(case, self.command(case), 1, None)[0])
        return {line["n"]: line["prime"] for line in lines}

    def path(self, program):
        return self.folder / program

    def command(self, case):
        command = [str(self.path(case.program)), "--json"]
        if case.method != "trial":
            command.append(f"--method={case.method}")
        if case.split:
            command.append("--split")
        if case.repeat > 1:
            command.append("--numbers=-")
        if case.program != "sequential":
            command.append(str(case.workers))
        return command

    def numbers(self, repeat=1):
        return "".join(f"{n}\n" for n in self.verdicts) * repeat

    def run(self, case):
        """Wall time in seconds, and for our programs each number's own, in order of submission."""
        if case.program in PEER_KINDS:
            return self.run_peer(case)
        stdin = self.numbers(case.repeat) if case.repeat > 1 else None
        outputs = launch(case, self.command(case), case.copies, stdin)
        return max((self.figures(case, output) for output in outputs), key=lambda one: one["wall"])

    def figures(self, case, output):
        lines, summary = parse(case, output)
        expected = sorted(list(self.verdicts.items()) * case.repeat)
        if sorted((line["n"], line["prime"]) for line in lines) != expected:
            raise BenchError(f"{case}: wrong numbers or wrong answers")
        if summary["failed"] != 0 or summary["primes"] != PRIMES * case.repeat:
            raise BenchError(f"{case}: the summary does not fit the answers: {summary}")
        if case.program != "sequential" and summary["workers"] != case.workers:
            raise BenchError(f"{case}: ran with {summary['workers']} workers")
        lines.sort(key=lambda line: int(line["n"]), reverse=case.program in DESCENDING)
        return {"wall": summary["wall"], "cpu": summary["cpu"],
                "elapsed": [line["elapsed"] for line in lines]}

    def run_peer(self, case):
        command = [sys.executable, str(PEER), PEER_KINDS[case.program], str(case.workers)]
        output, = launch(case, command, 1, self.numbers(case.repeat))
        answer = json.loads(output)
        if set(answer["primes"]) != {n for n, prime in self.verdicts.items() if prime}:
            raise BenchError(f"{case}: CPython finds other primes than ours")
        return {"wall": answer["wall"]}


def parse(case, output):
    try:
        *lines, last = [json.loads(line) for line in output.splitlines()]
        for line in lines:
            line["n"], line["prime"], line["elapsed"]
        return lines, last["summary"]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{case}: not the expected output ({error!r}): {output[-300:]}") from error
