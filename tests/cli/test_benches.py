"""The benches, as small as they can be: every option of every bench is used, and does what it says.

Environment: PRIMEPOOL_BIN with the benches' own programs (option PRIMEPOOL_BENCH of CMake)."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BIN

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench")
SEED = 7
WITHIN = 300  # seconds

COSTS = {"machine": "a machine of the test", "manager_send_ns": 70, "latency_ns": 500}
MEASURED = {"workers": 2, "task_ns": 1000000, "chunk": 1, "tasks_per_second": 1990}

# Beside --quick, --seed, --bin and --output; {costs}, {measured}, {scratch} are files and a folder.
RUNS = {
    "compare": ["--only=compute", "--rounds=1", "--workers=2", "--scratch={scratch}"],
    "downloads": ["--only=local", "--only=error", "--rounds=1", "--cpython-rounds=0", "--delay-rounds=1",
                  "--long-rounds=0", "--error-rounds=1", "--style-rounds=1", "--scratch={scratch}"],
    "forkjoin": ["--only=idle", "--only=for", "--workers=2", "--rounds=1", "--passes=2", "--sort-passes=2",
                 "--idle-ms=20"],
    "is_prime": ["--only=vector", "--rounds=1", "--vector-rounds=1"],
    "latency": ["--only=awake", "--only=idle", "--workers=1", "--rounds=1", "--crowded-rounds=1", "--awake=100",
                "--asleep=5", "--idle-rounds=1", "--idle-seconds=1"],
    "map": ["--only=items", "--workers=2", "--rounds=1", "--items=10000", "--cpython-items=1000", "--passes=2",
            "--balance-rounds=1", "--balance-passes=2", "--busy-ms=5"],
    "memory": ["--only=pending", "--workers=2", "--rounds=1", "--our-tasks=100000", "--peer-tasks=100000",
               "--cpython-tasks=1000", "--stream-rounds=1", "--items=1000"],
    "mpi": ["--only=awake", "--workers=1", "--rounds=1", "--tasks=1000", "--items=1000", "--awake=100", "--passes=2"],
    "primecheck": ["--only=same", "--rounds=1", "--numbers=10000", "--same-numbers=10000", "--scratch={scratch}"],
    "scale": ["--only=efficiency", "--costs={costs}", "--lengths=exponential", "--credit=2",
              "--rounds=2", "--warm-up=1", "--tree-warm-up=1", "--messages=100", "--manager-send-ns=500",
              "--manager-receive-ns=500", "--manager-chunk-ns=100", "--manager-copy-ns=3", "--worker-message-ns=900",
              "--worker-chunk-ns=50", "--latency-ns=1000", "--manager-poll-ns=10", "--worker-poll-ns=10"],
    "scaling": ["--only=pairs", "--rounds=1", "--max-workers=2", "--pairs=1", "--long-pairs=0", "--peer-pairs=0",
                "--peer-rounds=0", "--peer-workers=1"],
    "tracing": ["--only=tracing", "--workers=2", "--rounds=1", "--tasks=1000"],
    "submit": ["--only=tasks", "--workers=2", "--rounds=1", "--count-rounds=1", "--tasks=1000", "--passes=2",
               "--most=1000", "--payloads=100"],
}

# Used in another run: without most of the others.
MORE_RUNS = {"scale": ["--measured={measured}", "--rounds=200"]}
EVERYWHERE = {"--quick", "--seed", "--bin", "--output", "--from", "--help"}


class Benches(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="benches-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.files = {"scratch": os.path.join(folder.name, "scratch")}
        os.mkdir(self.files["scratch"])
        for name, content in (("costs", COSTS), ("measured", [MEASURED])):
            self.files[name] = os.path.join(folder.name, f"{name}.json")
            with open(self.files[name], "w") as file:
                json.dump(content, file)

    def run_bench(self, name, *args):
        return subprocess.run([sys.executable, "-B", os.path.join(BENCH, f"{name}.py"), *args], capture_output=True,
                              text=True, timeout=WITHIN, cwd=self.folder)

    def check_run(self, name, args, output=None):
        """The report, and the settings that it was made with."""
        args = [arg.format(**self.files) for arg in args]
        result = self.run_bench(name, "--quick", f"--seed={SEED}", f"--bin={BIN}", f"--output={self.folder}/out", *args)
        self.assertEqual(result.returncode, 0, f"{args}\n{result.stderr[-2000:]}")
        self.assertNotIn("\r", result.stderr)  # progress is for terminals
        with open(f"{self.folder}/out/{output or name}.json") as file:
            document = json.load(file)
        self.assertTrue(document["complete"])
        return result.stdout, document["settings"]

    def check_settings(self, settings, args):
        """A number that was asked for and is among them, under the option's name, is that number."""
        for arg in args:
            option, _, value = arg.removeprefix("--").partition("=")
            found = {**settings, **settings.get("costs", {})}.get(option.replace("-", "_"))
            if option not in ("scratch", "costs") and found is not None:
                shown = str(found).replace(" ", "").removesuffix(".0")
                self.assertIn(shown, (value, f"[{value}]"), option)
        only = [arg.removeprefix("--only=") for arg in args if arg.startswith("--only=")]
        if only:
            self.assertEqual(settings["parts"], only)
        self.assertEqual(settings.get("seed", SEED), SEED)

    def check(self, name):
        args = RUNS[name]
        report, settings = self.check_run(name, args)
        self.check_settings(settings, args)
        again = self.run_bench(name, f"--from={self.folder}/out/{name}.json", f"--output={self.folder}/again")
        self.assertEqual((again.returncode, again.stdout), (0, report), again.stderr)
        if name in MORE_RUNS:
            self.check_run(name, MORE_RUNS[name], f"{name}_measured")
        known = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", self.run_bench(name, "--help").stdout, re.M))
        used = {arg.partition("=")[0] for arg in (*args, *MORE_RUNS.get(name, []))}
        self.assertEqual(known - used - EVERYWHERE, set())

    def test_there_is_a_run_of_each(self):
        benches = {path.stem for path in pathlib.Path(BENCH).glob("*.py") if "\nif __name__" in path.read_text()}
        self.assertEqual(set(RUNS), benches)


def add_test(name):
    @unittest.skipUnless(shutil.which("gnuplot"), "no gnuplot")
    def test(self):
        self.check(name)
    setattr(Benches, f"test_{name}", test)


for _name in RUNS:
    add_test(_name)

if __name__ == "__main__":
    unittest.main()
