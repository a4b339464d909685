#!/usr/bin/env python3
"""Proves that check_surroundings.py can fail: a small tree that is right passes, and the same tree with one
fault fails and names it."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(__file__).with_name("check_surroundings.py")

HEADER = """/* A library.
 *
 * Surroundings: what the program has to know
 *
 *   Cancel     No call is ended. A thread must not be
 *              cancelled.
 *   pid 1      A place, *future, is kept.
 *
 * What each executor can do
 */
"""

PAGE = """# What surroundings may do

| name | is |
| --- | --- |
| `suite/no_such_test` | an example |

## The header's sentences

| subject | sentence | tests |
| --- | --- | --- |
| Cancel | No call is ended. | `waits/go_on`, `unit/stack.c` |
| Cancel | A thread must not be cancelled. | a rule for the program |
| pid 1 | A place, \\*future, is kept. | `cxx/thrown.cpp: from a task` |

## Faults

| what happens | what must | tests |
| --- | --- | --- |
| a stop | it goes on | `explorer: serial_left`; `tests/run --preset musl` |
| a kill | it ends | not tested: no promise |
"""

FILES = {
    "src/include/cfutures.h": HEADER,
    "tests/process/README.md": PAGE,
    "tests/process/test_waits.c": "Test(waits, go_on) {\n}\n",
    "tests/unit/stack.c": "int main(void) {\n}\n",
    "tests/cxx/thrown.cpp": '{"from a task", from_a_task},\n',
    "tests/explorer/scenarios.h": "extern const scenario serial_left;\n",
}


class Check(unittest.TestCase):
    def check(self, code, text, file=None, old="", new=""):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in FILES.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                if name == file:
                    self.assertIn(old, content)
                    content = content.replace(old, new, 1)
                path.write_text(content, encoding="utf-8")
            run = subprocess.run([sys.executable, "-B", PROGRAM, folder], capture_output=True,
                                 text=True, check=False, timeout=60)
            self.assertEqual(run.returncode, code, run.stderr)
            self.assertIn(text, run.stderr)

    def header(self, code, text, old, new):
        self.check(code, text, "src/include/cfutures.h", old, new)

    def page(self, code, text, old, new):
        self.check(code, text, "tests/process/README.md", old, new)

    def test_a_good_tree(self):
        self.check(0, "")

    def test_another_word_in_the_header(self):
        self.header(1, "Cancel:", "No call is", "One call is")

    def test_a_new_subject_in_the_header(self):
        self.header(1, "User:", " *   pid 1 ", " *   User       It may change.\n *   pid 1 ")

    def test_a_sentence_that_the_header_has_lost(self):
        self.header(1, "pid 1:", " *   pid 1      A place, *future, is kept.\n", "")

    def test_a_sentence_that_the_page_has_lost(self):
        self.page(1, "Cancel:", "| Cancel | No call is ended. | `waits/go_on`, `unit/stack.c` |\n", "")

    def test_a_test_that_is_gone(self):
        self.check(1, "no such test: waits/go_on", "tests/process/test_waits.c", "go_on", "go_off")
        self.page(1, "no such test: waits/goes", "waits/go_on", "waits/goes")

    def test_a_file_that_is_gone(self):
        self.page(1, "no such test: unit/gone.c", "unit/stack.c", "unit/gone.c")

    def test_a_scene_that_is_gone(self):
        self.check(1, "no such test: cxx/thrown.cpp: from a task", "tests/cxx/thrown.cpp",
                   "from a task", "from two tasks")

    def test_a_scenario_that_is_gone(self):
        self.check(1, "no such test: explorer: serial_left", "tests/explorer/scenarios.h",
                   "serial_left", "serial_left_again")

    def test_a_row_with_neither_test_nor_reason(self):
        self.page(1, "neither a test nor a reason", "not tested: no promise", "later")
        self.page(1, "neither a test nor a reason", "`explorer: serial_left`; ", "")

    def test_no_section(self):
        self.header(2, "0 sections", "Surroundings:", "Places:")
        self.page(2, "no two sections", "\n## Faults", "\n### Faults")


if __name__ == "__main__":
    unittest.main()
