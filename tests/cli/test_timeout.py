"""--timeout: a number that takes too long costs its own line, and no more time than it was given."""

import re
import time
import unittest

from harness import FAST, MAX, POOLS, PROGRAMS, SEQUENTIAL, SLOW, CliTest, is_prime, parse_json_lines, run

ENDLESS = SLOW[0]
SECONDS = 0.2
REASON = f"timed out after {SECONDS}s"


class Timeout(CliTest):
    def check_one_timed_out(self, program, result):
        self.assertEqual((result.code, result.err), (1, ""))
        failed = [line for line in result.lines() if "!" in line]
        self.assertEqual(failed, [f"{ENDLESS:16d}  ! {REASON}"])
        answered = {}
        for line in result.lines():
            if match := re.fullmatch(r" *(\d+)  (P| )  *[\d.]+s", line):
                answered[int(match[1])] = match[2] == "P"
        self.assertEqual(answered, {n: is_prime(n) for n in FAST})

    def test_the_others_are_answered(self):
        file = self.write([ENDLESS, *FAST])
        for program in PROGRAMS:
            for extra in ([], ["--order=completed"], ["--order=map"], ["--split"], ["-R0"]):
                with self.subTest(program=program.name, extra=extra):
                    start = time.monotonic()
                    result = run(program.name, f"-t{SECONDS}", *extra, "-n", file, *program.argv(2))
                    self.check_one_timed_out(program, result)
                    self.assertLess(time.monotonic() - start, SECONDS + 2)

    def test_all_of_them(self):
        """Each takes its time, two at once."""
        file = self.write([ENDLESS] * 6)
        for program in POOLS:
            with self.subTest(program=program.name):
                start = time.monotonic()
                result = run(program.name, f"--timeout={SECONDS}", "-n", file, "2")
                self.assertEqual(result.code, 1)
                self.assertEqual(sum(REASON in line for line in result.lines()), 6)
                took = time.monotonic() - start
                self.assertGreater(took, 3 * SECONDS)
                self.assertLess(took, 3 * SECONDS + 2)

    def test_json(self):
        file = self.write([ENDLESS, 4])
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, f"-jt{SECONDS}", "-n", file, *program.argv(2))
                lines = {line["n"]: line for line in parse_json_lines(result.out)[:-1]}
                self.assertEqual(lines[str(ENDLESS)]["error"], REASON)
                self.assertFalse(lines["4"]["prime"])
                self.assertEqual(parse_json_lines(result.out)[-1]["summary"]["failed"], 1)

    def test_enough_time_changes_nothing(self):
        file = self.write([*FAST, MAX])
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, "-t60", "-mwheel", "-n", file, *program.argv(2))
                self.check_success(program, result, [*FAST, MAX], 1 if program is SEQUENTIAL else 2)


if __name__ == "__main__":
    unittest.main()
