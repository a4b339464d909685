"""The page of a report as a file: it needs nothing but itself, and its data are what the program has done. And --report
of the programs."""

import os
import re
import signal
import tempfile
import unittest

from harness import FAST, MEDIUM, POOLS, PROGRAMS, SLOW, CliTest, Running, kill, run
from report_page import Page, column, data_of_file
from reports import FOLDER, KINDS, data, read


class Report(unittest.TestCase):
    def test_folder_is_as_expected(self):
        self.assertEqual(sorted(os.listdir(FOLDER.name)), sorted(f"{kind}.html" for kind in KINDS))

    def test_needs_nothing_else(self):
        page = Page(read("primes"))
        for tag, attributes in page.elements:
            self.assertNotIn("src", attributes)
            self.assertNotIn("srcset", attributes)
            self.assertFalse([name for name in attributes if name.startswith("on")], tag)
            if "href" in attributes:
                self.assertRegex(attributes["href"], r"\A(#.*|data:,)\Z")
        for what in ("https?:", "@import", r"url\(", r"\bfetch\(", "XMLHttpRequest", "WebSocket", r"\bimport\(", "innerHTML",
                     r"\beval\("):
            self.assertIsNone(re.search(what, read("primes")), what)
        policy = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
        self.assertRegex(policy[0], r"\Adefault-src 'none';")

    def test_elements(self):
        for kind in KINDS:
            page = Page(read(kind))
            ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
            self.assertEqual(len(ids), len(set(ids)))
            for _, attributes in page.elements:
                for name in ("aria-labelledby", "aria-describedby"):
                    self.assertIn(attributes.get(name, ids[0]), ids)
            self.assertEqual(len(page.scripts), 2, kind)

    def test_data(self):
        for kind in KINDS:
            found = data(kind)
            for name, columns in (("runs", ["item", "items", "attempt", "submitted", "begun", "ended", "firstByte", "worker",
                                            "ending", "name"]), ("results", ["item", "handed", "label"]),
                                  ("lives", ["number", "id", "started", "gone"])):
                for one in columns:
                    self.assertEqual(len(column(found[name], one)), found[name]["count"], f"{kind}: {name}.{one}")
            runs = found["runs"]
            for begun, ended, ending in zip(column(runs, "begun"), column(runs, "ended"), column(runs, "ending")):
                self.assertEqual(ended is None, ending == 4)
                self.assertTrue(ended is None or begun <= ended <= found["wall"])
            busy = sum((ended or found["wall"]) - begun for begun, ended in zip(column(runs, "begun"), column(runs, "ended")))
            self.assertLessEqual(busy, (found["wall"] or 0) * found["workers"], kind)

    def test_runs_and_results(self):
        found = data("failures")
        self.assertEqual((found["program"], found["worker"], found["workers"], found["ordered"]),
                         ("proc_pool", "process", 3, True))
        self.assertEqual(found["results"]["label"][:2], ["9999999999999999", "9999999999999917"])
        runs = found["runs"]
        reasons = {runs["item"][r]: why for r, why in runs["reasons"]}
        self.assertEqual(reasons, {1: "killed by signal 9 (SIGKILL)", 5: "exited with status 3",
                                   11: "error: Cannot allocate memory", 14: "killed by signal 11 (SIGSEGV)"})
        self.assertEqual(sorted(item for item, attempt in zip(runs["item"], runs["attempt"]) if attempt == 2), [1, 5])
        self.assertEqual(len(found["lives"]["reasons"]), 3)
        self.assertEqual(data("many")["runs"]["count"], 100000)

    def test_hostile_text_stays_text(self):
        found = data("hostile")
        self.assertEqual(found["program"], "</title><script>hostile()</script>")
        self.assertEqual(found["why"], "<" * 128)
        self.assertEqual(found["results"]["label"], [
            "</script><script>hostile()", "<!--<script>", "\"};hostile();//\\", "<img src=x onerror=hostile()>",
            "line\u2028paragraph\u2029", "invalid " + 10 * "\ufffd" + " end", "cut off \ufffd\ufffd", "\x01\x1b[31m\t\n\x7f",
            "right\u202etfel", "", "&lt;b&gt; &amp; ${hostile()} `", "\U0001f1e7\U0001f1f7 Brasil"])


class Option(CliTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="report-")
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "run.html")

    def test_prime_programs(self):
        """Each number has its run and its result, in the order in which the program prints them."""
        numbers = self.write(FAST)
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, f"--report={self.file}", "-n", numbers, *program.argv(2))
                self.assertEqual((result.code, result.err), (0, ""))
                found = data_of_file(self.file)
                self.assertEqual((found["program"], found["ordered"]), (program.name, program.order == "map"))
                self.assertEqual(found["workers"], 2 if program in POOLS else 1)
                self.assertEqual(found["results"]["label"], [line.split()[0] for line in result.lines()[1:-1]])
                self.assertEqual(sorted(found["results"]["item"]), sorted(column(found["runs"], "item")))
                self.assertEqual(set(column(found["runs"], "ending")), {0})
                os.remove(self.file)

    def test_worker_that_is_killed(self):
        with Running("proc_pool", f"--report={self.file}", "-n", self.write(3 * MEDIUM), "1") as running:
            kill(running.busy_worker(1), signal.SIGKILL)
            self.assertEqual(running.finish().code, 0)
        found = data_of_file(self.file)
        runs = found["runs"]
        died = column(runs, "ending").index(3)
        self.assertEqual(runs["reasons"], [[died, "killed by signal 9 (SIGKILL)"]])
        again = [r for r, attempt in enumerate(column(runs, "attempt")) if attempt == 2]
        self.assertEqual([runs["item"][r] for r in again], [runs["item"][died]])
        self.assertEqual(found["lives"]["reasons"], [[0, "killed by signal 9 (SIGKILL)"]])
        self.assertLess(found["lives"]["gone"][0], found["lives"]["gone"][1])

    def test_is_there_after_an_interrupt(self):
        with Running("proc_pool", f"--report={self.file}", "-n", self.write(SLOW + [2]), "2") as running:
            running.busy_worker(2)
            running.signal(signal.SIGINT)
            self.assertEqual(running.finish().code, -signal.SIGINT)
        self.assertEqual(data_of_file(self.file)["program"], "proc_pool")
        self.assertEqual(os.listdir(os.path.dirname(self.file)), ["run.html"])

    def test_cannot_be_written(self):
        for file, why in (("/dev/full", "No space left on device"), ("/nowhere/run.html", "No such file or directory"),
                          (os.path.dirname(self.file), "Is a directory")):
            result = run("threads", f"--report={file}", "-n", self.write(FAST), "2")
            self.assertEqual((result.code, result.err), (3, f"threads: {file}: {why}\n"))
            self.assertEqual(len(result.lines()), len(FAST) + 2)


if __name__ == "__main__":
    unittest.main()
