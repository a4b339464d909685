"""Proof that programs.py can fail: stand-ins of primecheck that lie, hang and leave a process behind, and outputs
that are changed afterwards. PRIMEPOOL_BIN says where the programs are."""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from programs_cases import BIN, End, Fault, Primecheck, Primes

HERE = os.path.dirname(os.path.abspath(__file__))
SUITE = """
import sys
import programs
programs.ENDS_WITHIN, programs.LONGEST, programs.FAULTS_MOST = {ends_within}, 0.5, 1
sys.exit(programs.main(["30"]))
"""


class StandIns(unittest.TestCase):
    def counts(self, files, ends_within=20):
        """Runs programs.py with these files as programs; what it counted, and what it printed."""
        with tempfile.TemporaryDirectory(prefix="stand-ins-") as folder:
            for name, content in files.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
                os.chmod(file.name, 0o755)
            result = subprocess.run([sys.executable, "-B", "-c", SUITE.format(ends_within=ends_within)],
                                    cwd=HERE, text=True, timeout=60, check=False,
                                    env={**os.environ, "PRIMEPOOL_BIN": folder}, capture_output=True)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        last = result.stdout.splitlines()[-1]
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", last)}, result.stderr

    def setUp(self):
        with open(os.path.join(BIN, "primecheck"), "rb") as file:
            self.primecheck = file.read()
        with open(shutil.which("sleep"), "rb") as file:
            self.sleep = file.read()

    def test_another_word(self):
        self.assertIn(b"composite\n", self.primecheck)
        counts, said = self.counts({"primecheck": self.primecheck.replace(b"composite\n", b"compositf\n")})
        self.assertGreater(counts["lost"], 0, said)

    def test_a_process_that_stays(self):
        script = b'#!/bin/sh\n"$0.sleep" 20 > /dev/null &\nexec "$0.real" "$@"\n'
        counts, said = self.counts({"primecheck": script, "primecheck.real": self.primecheck,
                              "primecheck.sleep": self.sleep})
        self.assertGreater(counts["leaked"], 0, said)

    def test_no_end(self):
        counts, said = self.counts({"primecheck": b'#!/bin/sh\nexec "$0.sleep" 1000\n', "primecheck.sleep": self.sleep},
                                   ends_within=2)
        self.assertGreater(counts["hung"], 0, said)


class Outputs(unittest.TestCase):
    def run_case(self, kind, wanted):
        """A case that fits, and what its program says when nobody disturbs it."""
        case = next(case for seed in range(1000) if wanted(case := kind(random.Random(seed))))
        folder = self.enter()
        case.prepare(folder)
        result = subprocess.run([os.path.join(BIN, case.name), *case.args], cwd=folder, capture_output=True, text=True,
                                timeout=60, check=False)
        end = End(result.returncode, result.stdout, result.stderr,
                  {"program": set(), "nursery": set(), "worker": set()}, folder)
        self.assertGreater(case.check(end), 0)
        case.tidy(folder)
        return case, end

    def enter(self):
        folder = tempfile.TemporaryDirectory(prefix="outputs-")
        self.addCleanup(folder.cleanup)
        return folder.name

    def check_fault(self, case, end, kind, **changes):
        with self.assertRaises((Fault, AssertionError)) as caught:
            case.check(end._replace(**changes))
        self.assertEqual(getattr(caught.exception, "kind", "lost"), kind)

    def check_lines(self, case, end, at):
        lines = end.out.splitlines(keepends=True)
        without = "".join(lines[:at] + lines[at + 1:])
        self.check_fault(case, end, "lost", out=without)
        self.check_fault(case, end, "duplicated", out="".join([*lines[:at], lines[at], *lines[at:]]))
        self.check_fault(case, end, "lost", out="".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2:]]))
        self.check_fault(case, end, "lost", out=end.out[:-3])
        self.check_fault(case, end, "lost", code=1)
        self.check_fault(case, end, "lost", code=-9)
        self.check_fault(case, end, "lost", err=f"{case.name}: something is wrong\n")
        # What a signal ended may lack its end.
        case.check(end._replace(out="".join(lines[:at]), code=-2, sent={**end.sent, "program": {2}}))

    def test_primecheck(self):
        case, end = self.run_case(Primecheck, lambda case: case.order == "input" and case.form == "text")
        self.check_lines(case, end, 5)
        killed = re.sub("(composite|prime)\n", "! killed by signal 9 (SIGKILL)\n", end.out, count=1)
        self.check_fault(case, end, "lost", out=killed, code=1)
        worker = {**end.sent, "worker": {9}}
        self.check_fault(case, end, "lost", out=killed, code=0, sent=worker)
        case.check(end._replace(out=killed, code=1, sent=worker))

    def test_primes(self):
        case, end = self.run_case(Primes, lambda case: case.order == "map" and not case.json)
        self.check_lines(case, end, 5)
        flipped = re.sub("  P ", "    ", end.out, count=1)
        self.check_fault(case, end, "lost", out=flipped)


if __name__ == "__main__":
    unittest.main()
