"""bench/run compare, as short as it can be: the page has each contender with a bar for each task, says what was
measured, and needs nothing from elsewhere."""

import collections
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BIN

BENCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench")
WAYS = {("compute", "C"): {"sequential", "threads", "processes", "openmp"},
        ("compute", "CPython"): {"sequential", "threads", "processes"},
        ("wait", "C"): {"sequential", "processes", "threads", "loop"},
        ("wait", "CPython"): {"sequential", "processes", "threads", "loop"}}
NUMBERS, FLAGS = 7, 20  # tasks of --quick
LEADING = ("src", "href", "srcset", "data", "action", "xlink:href")
ROUNDED = 0.0002  # seconds: what the page's four digits and the JSON's times may differ by


class Page(html.parser.HTMLParser):
    """The bars of each contender, as their titles tell; all that leads elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.bars = collections.defaultdict(list)
        self.elsewhere = []
        self.open, self.case, self.in_bar = [], None, False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "figure":
            self.case = attributes["data-case"] if attributes["class"] == "run" else None
        self.in_bar = self.in_bar or (tag == "rect" and attributes["class"].startswith("task "))
        leads = [value for name, value in attributes.items()
                 if name in LEADING and not value.startswith("data:,")]
        self.elsewhere += leads + (["script"] if tag == "script" else [])

    def handle_endtag(self, tag):
        if tag == "rect":
            self.in_bar = False

    def handle_data(self, data):
        if self.in_bar and (found := re.search(r"^(\w+): .*?([\d.]+) to ([\d.]+) s$", data)):
            self.bars[self.case].append((found[1], float(found[2]), float(found[3])))


def name_of(case):
    """As the page's figures have it."""
    return f"{case['work']} {case['language']} {case['way']}"


def most_at_once(tasks):
    """A task that begins when another ends is not beside it."""
    changes = sorted([(begin, 1) for *_, begin, _ in tasks] + [(end, -1) for *_, end in tasks])
    now = most = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def compare(folder, *arguments, **environment):
    command = [sys.executable, "-B", os.path.join(BENCH, "compare.py"), f"--output={folder}", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="compare-"))
        cls.done = compare(cls.folder, "--quick", f"--bin={BIN}", f"--scratch={cls.folder}", "--workers=2")
        try:
            with open(os.path.join(cls.folder, "compare.json"), encoding="utf-8") as file:
                cls.result = json.load(file)
            with open(os.path.join(cls.folder, "compare.html"), encoding="utf-8") as file:
                cls.text = file.read()
        except OSError as error:
            raise AssertionError(cls.done.stderr) from error
        cls.page = Page(cls.text)

    def test_ends_well(self):
        if shutil.which("gnuplot"):
            self.assertEqual(self.done.returncode, 0, self.done.stderr)
            for ending in ("svg", "png"):
                self.assertGreater(os.path.getsize(os.path.join(self.folder, f"compare.{ending}")), 10000)
        self.assertIn("Computing: 7 prime checks", self.done.stdout)

    def test_every_contender(self):
        self.assertTrue(self.result["complete"])
        found = collections.defaultdict(set)
        for sample in self.result["samples"]:
            found[sample["case"]["work"], sample["case"]["language"]].add(sample["case"]["way"])
        expected = dict(WAYS)
        if not self.result["settings"]["httpx"]:
            del expected["wait", "CPython"]
            self.assertIn("httpx", self.text)
        if not os.path.exists(os.path.join(BIN, "openmp_pool")):
            expected["compute", "C"] = expected["compute", "C"] - {"openmp"}
        self.assertEqual(found, expected)
        self.assertEqual(len(self.page.bars), sum(map(len, expected.values())))

    def test_a_bar_for_each_task(self):
        for sample in self.result["samples"]:
            with self.subTest(**sample["case"]):
                tasks = [(name, begin, end) for name, _, _, begin, end in sample["tasks"]]
                bars = self.page.bars[name_of(sample["case"])]
                self.assertEqual(len(bars), NUMBERS if sample["case"]["work"] == "compute" else FLAGS)
                self.assertEqual([name for name, _, _ in bars], [name for name, _, _ in tasks])
                for bar, task in zip(bars, tasks):
                    self.assertAlmostEqual(bar[1], task[1], delta=ROUNDED)
                    self.assertAlmostEqual(bar[2], task[2], delta=ROUNDED)

    def test_times_are_possible(self):
        """Tasks are within the run, and a worker does not compute for longer than the run took."""
        for sample in self.result["samples"]:
            with self.subTest(**sample["case"]):
                of_worker = collections.defaultdict(list)
                for _, _, worker, begin, end in sample["tasks"]:
                    self.assertTrue(-ROUNDED <= begin <= end <= sample["wall"] + ROUNDED,
                                    (begin, end, sample["wall"]))
                    of_worker[worker].append(end - begin)
                if sample["case"]["language"] == "C" or sample["case"]["work"] == "compute":
                    self.assertNotIn(None, of_worker)
                    self.assertLessEqual(len(of_worker), sample["case"]["workers"])
                    for times in of_worker.values():
                        self.assertLessEqual(sum(times), sample["wall"])

    def test_tasks_at_once(self):
        for sample in self.result["samples"]:
            case = sample["case"]
            with self.subTest(**case):
                most = most_at_once(sample["tasks"])
                self.assertLessEqual(most, case["workers"])
                if case["work"] == "wait" and case["way"] in ("threads", "loop"):
                    self.assertGreater(most, 1)

    def test_needs_nothing_else(self):
        self.assertEqual(self.page.elsewhere, [])
        for word in ("http://", "https://", "url(", "@import", "//cdn", "$"):
            self.assertNotIn(word, self.text)

    def test_the_same_again(self):
        """From the JSON. Without gnuplot there is a page, and a message."""
        again = os.path.join(self.folder, "again")
        done = compare(again, f"--from={os.path.join(self.folder, 'compare.json')}", PATH="/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("gnuplot cannot be started", done.stderr)
        with open(os.path.join(again, "compare.html"), encoding="utf-8") as file:
            self.assertEqual(file.read(), self.text)

    def test_examples_in_the_bench(self):
        done = subprocess.run([sys.executable, "-B", "-m", "doctest", "compare_findings.py", "traces.py"], cwd=BENCH,
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


if __name__ == "__main__":
    unittest.main()
