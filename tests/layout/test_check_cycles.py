#!/usr/bin/env python3
"""Proves that check_cycles.py can fail: a small core without a cycle passes, and the same core with one
fault more fails and names the modules and the reason.

    CC=clang test_check_cycles.py
"""
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import check_cycles

PROGRAM = Path(__file__).with_name("check_cycles.py")
CC = os.environ.get("CC", "cc").split()

# Two files are called slab.c, and `top` is called through a pointer only.
GOOD = {
    "queue/slab.h": "int slab(void);\nextern int slabs;\n",
    "queue/slab.c": '#include "cfutures/queue/slab.h"\n#include <string.h>\n'
                    "int slabs;\nstatic int help(void) { return slabs; }\n"
                    "int slab(void) { return help(); }\n",
    "batch/slab.h": "int batch_slab(int (*call)(void));\n",
    "batch/slab.c": '#include "slab.h"\n#include "cfutures/queue/slab.h"\n'
                    "static int help(void) { return slab() + slabs; }\n"
                    "int batch_slab(int (*call)(void)) { return call() + help(); }\n",
    "top.c": '#include "cfutures/batch/slab.h"\nint top(void);\n'
             "int top(void) { char text[100] = {0}; return batch_slab(top) + text[top() % 100]; }\n",
}


def graph(text):
    """"ab bc": a uses b, b uses c."""
    result = {module: {} for module in text if module != " "}
    for user, used in text.split():
        check_cycles.add_use(result, user, used, f"{user}.c uses f")
    return result


class Graph(unittest.TestCase):
    def groups(self, text):
        return ["".join(sorted(group)) for group in check_cycles.cyclic_groups(graph(text))]

    def test_groups(self):
        self.assertEqual(self.groups("ab bc ac"), [])
        self.assertEqual(self.groups("ab ba"), ["ab"])
        self.assertEqual(self.groups("ab bc cd db"), ["bcd"])
        self.assertEqual(self.groups("ab ba bc cd dc de"), ["ab", "cd"])
        self.assertEqual(self.groups("ab bc ca cd db"), ["abcd"])

    def test_a_module_may_use_itself(self):
        self.assertEqual(self.groups("aa ab"), [])

    def test_shortest_cycle(self):
        circle = graph("ab bc ca cd dc xa")
        (group,) = check_cycles.cyclic_groups(circle)
        self.assertEqual(check_cycles.shortest_cycle(circle, group), ["c", "d", "c"])

    def test_floors(self):
        def names(text):
            return [["".join(sorted(group)) for group in floor]
                    for floor in check_cycles.floors(graph(text))]
        self.assertEqual(names("ab bc ac db"), [["c"], ["b"], ["a", "d"]])
        self.assertEqual(names("ab bc cb cd"), [["d"], ["bc"], ["a"]])


class Tree(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.build = self.root / "build/any"
        self.objects = self.build / check_cycles.OBJECTS

    def make(self, changes=None, flags=()):
        """The good core, where {file: lines} are added at the end."""
        files = dict(GOOD)
        for file, lines in (changes or {}).items():
            files[file] = files.get(file, "") + lines
        for file, text in files.items():
            path = self.root / check_cycles.CORE / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for file in files:
            if file.endswith(".c"):
                path = self.objects / f"{file}.o"
                path.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run([*CC, *flags, "-g", "-w", "-c", "-I", self.root / "src",
                                self.root / check_cycles.CORE / file, "-o", path], check=True)

    def check(self, code, *expected, options=()):
        result = subprocess.run(
            [sys.executable, "-B", PROGRAM, "--root", self.root, *options, self.build],
            text=True, capture_output=True, check=False)
        said = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, said)
        for text in expected:
            self.assertIn(text, said)

    def test_good(self):
        self.make()
        self.check(0, "  1  queue/slab\n  2  batch/slab\n  3  top\n",
                   "3 modules, 2 edges, no cycle", options=["--floors"])

    def test_headers_in_a_circle(self):
        self.make({"queue/slab.h": '#include "cfutures/one.h"\n',
                   "one.h": '#pragma once\n#  include "cfutures/queue/slab.h"\n'})
        self.check(1, "cycle of 2 modules: one queue/slab", "queue/slab.h includes cfutures/one.h",
                   "one.h includes cfutures/queue/slab.h", "1 cycle\n")

    def test_include_of_a_source(self):
        self.make({"queue/slab.c": '#include "cfutures/batch/slab.h"\n'})
        self.check(1, "cycle of 2 modules: batch/slab queue/slab",
                   "queue/slab.c includes cfutures/batch/slab.h")

    def test_bare_name(self):
        self.make({"queue/slab.h": '#pragma once\n#include "beside.h"\n',
                   "queue/beside.h": '#pragma once\n#include "slab.h"\n'})
        self.check(1, "cycle of 2 modules: queue/beside queue/slab")

    def test_call(self):
        self.make({"queue/slab.c": "int top(void);\nint up(void) { return top(); }\n"})
        self.check(1, "cycle of 3 modules: batch/slab queue/slab top", "queue/slab.c uses top",
                   "batch/slab -> queue/slab: batch/slab.c includes cfutures/queue/slab.h, "
                   "batch/slab.c uses slab")

    def test_data(self):
        self.make({"queue/slab.c": "extern int level;\nint up(void) { return level; }\n",
                   "top.c": "int level = 1;\n"})
        self.check(1, "cycle of 3 modules", "queue/slab.c uses level")

    def test_thread_local_data(self):
        self.make({"queue/slab.c": "extern _Thread_local int level;\nint up(void) { return level; }\n",
                   "top.c": "_Thread_local int level;\n"})
        self.check(1, "cycle of 3 modules", "queue/slab.c uses level")

    def test_address_of_a_function(self):
        self.make({"queue/slab.c": "int top(void);\nint (*const up)(void) = top;\n"})
        self.check(1, "cycle of 3 modules", "queue/slab.c uses top")

    def test_every_way_to_compile(self):
        call = {"queue/slab.c": "int top(void);\nint up(void) { return top(); }\n"}
        for flags in (["-fPIC", "-O2"], ["-fvisibility=hidden"],
                      ["-fsanitize=address,undefined"], ["-fsanitize=thread"]):
            with self.subTest(flags=flags):
                self.make(flags=flags)
                self.check(0, "3 modules, 2 edges, no cycle")
                self.make(call, flags)
                self.check(1, "queue/slab.c uses top")

    def test_not_built(self):
        self.make()
        (self.objects / "batch/slab.c.o").unlink()
        self.check(2, "no object file, build first", "batch/slab.c.o")

    def test_built_before_a_change(self):
        self.make()
        later = time.time() + 60
        os.utime(self.root / check_cycles.CORE / "top.c", (later, later))
        self.check(2, "older than its source, build first", "top.c.o")

    def test_object_file_without_a_source(self):
        self.make()
        (self.objects / "queue/gone.c.o").write_text("from before a move\n", encoding="utf-8")
        self.check(0, "no cycle")

    def test_damaged_object_file(self):
        self.make()
        (self.objects / "top.c.o").write_text("damaged\n", encoding="utf-8")
        self.check(2, "failed")

    def test_no_nm(self):
        self.make()
        self.check(2, "cannot be run: no-such-nm", options=["--nm", "no-such-nm"])

    def test_no_sources(self):
        self.check(2, "no sources")


if __name__ == "__main__":
    unittest.main()
