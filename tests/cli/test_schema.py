"""--json: every line of every program is what the schemas in data/json say, and they say enough to find faults."""

import json
import os
import signal
import tempfile
import unittest

from debian_python import ask, python_with
from downloads import FLAGS2, Server
from harness import (FAST, HAS_OPENMP, MAX, MEDIUM, PROGRAMS, SLOW, CliTest, Running, kill, parse_json_lines, run,
                     state, wait_for)

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/json")
HAS_VALIDATOR = python_with("jsonschema") is not None

# The lines that are not valid, and why.
VALIDATE = """
from jsonschema import Draft202012Validator
schema, lines = value
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
answer = [[line, error.message] for line in lines for error in [next(validator.iter_errors(line), None)] if error]
"""


def schema(name):
    with open(os.path.join(FOLDER, f"{name}.schema.json")) as file:
        return json.load(file)


def kinds(name):
    return set(schema(name)["$defs"])


@unittest.skipUnless(HAS_VALIDATOR, "python3-jsonschema is not installed")
class SchemaTest(CliTest):
    def invalid(self, name, lines):
        return ask("jsonschema", VALIDATE, [schema(name), lines])

    def check_lines(self, name, lines, expected):
        """All valid; and of each of these kinds there is one, which any change makes invalid."""
        self.assertEqual(self.invalid(name, lines), [])
        examples = {self.kind(line): line for line in sorted(lines, key=lambda line: len(json.dumps(line)))}
        self.assertEqual(set(examples), expected)
        changed = [change for line in examples.values() for change in changes(line)]
        self.assertEqual(len(self.invalid(name, changed)), len(changed))

    def kind(self, line):
        """What the schemas call it."""
        for key in ("summary", "stats"):
            if key in line:
                return key
        if "cc" in line:
            return {"ok": "downloaded"}.get(line["status"], line["status"])
        return "failure" if "error" in line else "result" if "attempts" in line else "of_range"


OPTIONAL = {"probable", "http"}


def changes(line):
    """The line with a member more, with one less, with another type of one."""
    yield {**line, "surprise": 1}
    for key, value in line.items():
        if key not in OPTIONAL:
            yield {other: line[other] for other in line if other != key}
        yield {**line, key: [value]}
        if isinstance(value, dict):
            for change in changes(value):
                yield {**line, key: change}
    if isinstance(line.get("workers"), list):
        for change in changes(line["workers"][0]):
            yield {**line, "workers": [change]}


class Schemas(SchemaTest):
    def test_prime_programs(self):
        numbers = [*FAST, *MEDIUM[:1]]
        file, slow = self.write(numbers), self.write([*FAST, MAX - 58])
        lines = []
        for program in PROGRAMS:
            lines += parse_json_lines(run(program.name, "-jS", "-n", file, *program.argv(2)).out)
            lines += parse_json_lines(run(program.name, "-j", "-s", "-n", file, *program.argv(2)).out)
            lines += parse_json_lines(run(program.name, "-j", "-t0.05", "-n", slow, *program.argv(2)).out)
        for method in ("wheel", "vector", "bpsw"):
            lines += parse_json_lines(run("threads", "-jS", "-omap", "-m", method, "-n", file, "2").out)
        self.check_lines("prime_programs", lines, kinds("prime_programs"))

    def test_primecheck(self):
        words = ["7", "9", "0x1f", "+5", str(2**64 + 13), str(2**64 + 12), "x"]
        lines = self.killed()
        for executor in ("threads", "processes", "serial", *(["openmp"] if HAS_OPENMP else [])):
            lines += parse_json_lines(run("primecheck", "-jS", "-e", executor, *words).out)
        for more in ("--prove", "-ocompleted", "--only=primes", "--only=composites", "-c", "-mtrial", "-mbpsw"):
            lines += parse_json_lines(run("primecheck", "-j", more, *words).out)
        for more in ([], ["-c"], ["-S"]):
            lines += parse_json_lines(run("primecheck", "-jr10..30", *more).out)
        self.check_lines("primecheck", lines, kinds("primecheck"))

    def killed(self):
        """The lines about a number that kills its worker each time."""
        with Running("primecheck", "-j", "-mtrial", "-eprocesses", "-w1", str(SLOW[0])) as running:
            for _ in range(3):
                kill(worker := running.busy_worker(1), signal.SIGKILL)
                wait_for("its death", lambda: state(worker) in "XZ")
            return parse_json_lines(running.finish().out)

    def test_flags2(self):
        lines = []
        with Server() as server, Server("--error-rate=1") as failing, Server(delay=(20, 20)) as late, \
                tempfile.TemporaryDirectory() as folder:
            for program in FLAGS2:
                for url, *more in ((server.url, "BR", "CN", "AA"), (server.url, "--skip-existing", "BR"),
                                   (failing.url, "US")):
                    args = [f"--base-url={url}", f"--dest={folder}/{program.name}", "--json", *more]
                    lines += parse_json_lines(run(program.name, *args).out)
                asked = len(late.arrived())
                with Running(program.name, f"--base-url={late.url}", f"--dest={folder}/{program.name}", "--json", "-m1",
                             "IN", "US") as running:
                    wait_for("its request", lambda: len(late.arrived()) > asked)
                    running.signal(signal.SIGINT)
                    lines += parse_json_lines(running.finish().out)
        self.check_lines("flags2", lines, kinds("flags2"))


if __name__ == "__main__":
    unittest.main()
