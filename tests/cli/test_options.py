"""Every option, in its long and its short form, on every program."""

import re
import unittest

from harness import (FAST, KERNELS, MAX, MEDIUM, NUMBERS, POOLS, PROGRAMS, SEQUENTIAL, SLOW, CliTest, is_prime,
                     machine_has_kernel, parse_json_lines, run, scaled, seeded_random)

OPTIONS = {"order": "o", "method": "m", "split": "s", "numbers": "n", "retries": "R", "timeout": "t", "stats": "S", "json": "j",
           "progress": "", "metrics": "", "joblog": "", "resume": "", "trace": "", "report": "",
           "help": "?", "usage": "", "version": "V"}
DIVIDING = ("trial", "wheel", "vector")  # the methods that look for divisors
METHODS = (*DIVIDING, "bpsw")
SPLITTABLE = [*FAST, 49, 121, 169, 961, 1000003**2, 999983 * 1000003, *MEDIUM[:2]]


class Spelling(CliTest):
    def test_each_option_long_and_short(self):
        file = self.write(FAST)
        spellings = [
            [f"--numbers={file}"], ["--numbers", file], ["-n", file], [f"-n{file}"],
            [f"-n{file}", "--order=map"], [f"-n{file}", "-o", "map"], [f"-n{file}", "-omap"],
            [f"-n{file}", "--method=trial"], [f"-n{file}", "-m", "trial"], [f"-n{file}", "-mwheel"],
            [f"-n{file}", "--split"], [f"-n{file}", "-s"], [f"-sn{file}"],
            [f"-n{file}", "--timeout=30"], [f"-n{file}", "-t", "30.5"], ["-t.99", f"-n{file}"],
            [f"-n{file}", "--retries=0"], [f"-n{file}", "-R", "7"], [f"-n{file}", "-R2"],
        ]
        for program in PROGRAMS:
            order = "map" if program.order == "map" else None
            for spelling in spellings:
                with self.subTest(program=program.name, spelling=spelling):
                    ordered = "map" if any("map" in word for word in spelling[1:]) else order
                    for argv in ([*program.argv(2), *spelling], [*spelling, *program.argv(2)]):
                        self.check_success(program, run(program.name, *argv), FAST, 2, ordered)

    def test_double_dash_ends_the_options(self):
        file = self.write(FAST)
        for program in POOLS:
            with self.subTest(program=program.name):
                self.check_success(program, run(program.name, "-n", file, "--", "3"), FAST, 3)

    def test_the_last_of_two_holds(self):
        file = self.write(FAST)
        for program in POOLS:
            with self.subTest(program=program.name):
                result = run(program.name, "-n/nowhere", f"-n{file}", "-ocompleted", "-omap", "2")
                self.check_success(program, result, FAST, 2, "map")


class Help(CliTest):
    def test_help_names_every_option_and_no_other(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, "--help")
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertTrue(result.out.startswith(f"Usage: {program.name} "), result.out)
                self.assertEqual(set(re.findall(r"--([a-z][a-z-]*)", result.out)), set(OPTIONS))
                for short in filter(None, OPTIONS.values()):
                    self.assertIn(f" -{short},", result.out)
                for word in ("map", "completed", *METHODS):
                    self.assertIn(word, result.out)
                self.assertEqual("WORKERS" in result.out, program is not SEQUENTIAL)

    def test_usage(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, "--usage")
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertTrue(result.out.startswith(f"Usage: {program.name} "), result.out)

    def test_version(self):
        outs = set()
        for program in PROGRAMS:
            for option in ("--version", "-V"):
                with self.subTest(program=program.name, option=option):
                    result = run(program.name, option)
                    self.assertEqual((result.code, result.err), (0, ""))
                    self.assertRegex(result.out, r"\A.*\d+\.\d+.*\n")
                    self.assertIn(program.name, result.out)
                    outs.add(re.search(r"\d+\.\d+(\.\d+)*", result.out)[0])
        self.assertEqual(len(outs), 1, outs)

    def test_short_help(self):
        for program in PROGRAMS:
            self.assertEqual(run(program.name, "-?"), run(program.name, "--help"))


class Order(CliTest):
    def test_both_orders_everywhere(self):
        file = self.write([*FAST, *MEDIUM[:2]])
        for program in PROGRAMS:
            for order in ("map", "completed"):
                with self.subTest(program=program.name, order=order):
                    result = run(program.name, f"--order={order}", "-n", file, *program.argv(2))
                    # one after the other, numbers are completed in the order of submission
                    expected = "map" if program is SEQUENTIAL else order
                    self.check_success(program, result, [*FAST, *MEDIUM[:2]], 2, expected)

    def test_completed_overtakes_and_map_does_not(self):
        """Two workers, the first number submitted far slower than the second."""
        ascending, descending = [MEDIUM[-1], MAX], [MEDIUM[-1], 4]
        for program in POOLS:
            submitted_first = MEDIUM[-1]
            file = self.write(descending if program.descending else ascending)
            for order, slow_place in (("map", 0), ("completed", 1)):
                with self.subTest(program=program.name, order=order):
                    lines = run(program.name, "-o", order, "-n", file, "2").lines()[1:-1]
                    found = [line.n for line in self.check_collected(program, lines, order)]
                    self.assertEqual(found.index(submitted_first), slow_place)


class Method(CliTest):
    def test_every_program_and_method(self):
        numbers = list(range(1000)) + SPLITTABLE
        file = self.write(numbers)
        for program in PROGRAMS:
            for method in METHODS:
                with self.subTest(program=program.name, method=method):
                    result = run(program.name, "-m", method, "-n", file, *program.argv(2))
                    self.check_success(program, result, numbers, 2)

    def test_on_the_20_numbers(self):
        for method in ("wheel", "vector", "bpsw"):
            with self.subTest(method=method):
                self.check_success(SEQUENTIAL, run("sequential", "-m", method), NUMBERS, 1)

    def test_the_greatest_numbers(self):
        """The fast methods, on both sides of 2^53, above which doubles do not hold every integer."""
        near_2_to_the_53 = [2**53 - 111, 2**53 + 5, 94906249**2, 94906297**2, MAX]
        for method, numbers in (("vector", near_2_to_the_53), ("bpsw", [*near_2_to_the_53, *SLOW])):
            file = self.write(numbers)
            with self.subTest(method=method):
                result = run("threads", "-m", method, "-n", file, "2")
                self.check_success(POOLS[0], result, numbers, 2)

    def test_every_kernel(self):
        numbers = [*FAST, *SPLITTABLE]
        file = self.write(numbers)
        for kernel in filter(machine_has_kernel, KERNELS):
            for program in PROGRAMS:
                for split in ([], ["--split"]):
                    with self.subTest(kernel=kernel, program=program.name, split=split):
                        result = run(program.name, "-mvector", *split, "-n", file, *program.argv(2),
                                     env={"PRIMEPOOL_KERNEL": kernel})
                        self.check_success(program, result, numbers, 2)

    def test_random_numbers(self):
        generator = seeded_random()
        numbers = [generator.randrange(2**generator.randrange(1, 41)) for _ in range(scaled(300))]
        file = self.write(numbers)
        for method in METHODS:
            for split in ([], ["--split"]) if method in DIVIDING else ([],):
                with self.subTest(method=method, split=split):
                    result = run("threads", "-m", method, *split, "-n", file, "3")
                    self.check_success(POOLS[0], result, numbers, 3)


class Split(CliTest):
    def test_every_program_and_method(self):
        numbers = list(range(150)) + SPLITTABLE
        file = self.write(numbers)
        for program in PROGRAMS:
            for method in DIVIDING:
                for workers in (1, 2, 7) if program is not SEQUENTIAL else (1,):
                    with self.subTest(program=program.name, method=method, workers=workers):
                        result = run(program.name, "-s", "-m", method, "-n", file, *program.argv(workers))
                        self.check_success(program, result, numbers, workers)

    def test_no_divisor_is_left_out(self):
        """The square of a prime has but one divisor: lost between two parts, it would be missed."""
        squares = [n * n for n in range(3, 14000) if is_prime(n)]
        file = self.write(squares)
        for method in DIVIDING:
            for program in (SEQUENTIAL, POOLS[0]):
                with self.subTest(program=program.name, method=method):
                    result = run(program.name, "-s", "-m", method, "-n", file, *program.argv(2))
                    self.check_success(program, result, squares, 2)

    def test_order_on_top(self):
        file = self.write(SPLITTABLE)
        for program in PROGRAMS:
            for order in ("map", "completed"):
                with self.subTest(program=program.name, order=order):
                    result = run(program.name, "--split", "-o", order, "-n", file, *program.argv(2))
                    self.check_success(program, result, SPLITTABLE, 2, order)

    def test_on_the_20_numbers(self):
        for program in (POOLS[0], POOLS[3]):
            with self.subTest(program=program.name):
                self.check_success(program, run(program.name, "-s", "-mwheel", "2"), NUMBERS, 2)


class Json(CliTest):
    RESULT = {"n": str, "prime": bool, "elapsed": float, "worker": int, "attempts": int}
    SUMMARY = {"program": str, "executor": str, "workers": int, "order": str, "method": str, "numbers": int,
               "primes": int, "failed": int, "wall": float, "cpu": float, "speedup": float}

    def check_types(self, found, expected):
        self.assertEqual(list(found), list(expected))
        for key, kind in expected.items():
            allowed = (int, float) if kind is float else kind
            self.assertIsInstance(found[key], allowed, key)
            self.assertEqual(isinstance(found[key], bool), kind is bool, key)

    def check_json(self, program, result, numbers, workers, order, method, split=False):
        self.assertEqual((result.code, result.err), (0, ""))
        *results, last = parse_json_lines(result.out)
        for line in results:
            self.check_types(line, self.RESULT)
            self.assertEqual(line["prime"], is_prime(int(line["n"])), line)
            self.assertIn(line["worker"], range(workers))
            self.assertEqual(line["attempts"], 1)
            self.assertGreaterEqual(line["elapsed"], 0)
        found = [line["n"] for line in results]
        self.assertEqual(sorted(found), sorted(map(str, numbers)))
        if order == "map":
            self.assertEqual(found, [str(n) for n in sorted(numbers, reverse=program.descending)])

        self.assertEqual(list(last), ["summary"])
        summary = last["summary"]
        self.check_types(summary, self.SUMMARY)
        exact = {"program": program.name, "executor": program.kind, "workers": workers, "order": order,
                 "method": method, "numbers": len(numbers), "primes": sum(map(is_prime, numbers)), "failed": 0}
        self.assertEqual({key: summary[key] for key in exact}, exact)
        self.assertGreater(summary["wall"], 0)
        self.assertGreater(summary["cpu"], 0)
        elapsed = sum(line["elapsed"] for line in results)
        if elapsed > 0.1 and not split:
            self.assertAlmostEqual(summary["speedup"], elapsed / summary["wall"], delta=0.05 * summary["speedup"])

    def test_every_program(self):
        numbers = [*FAST, *MEDIUM[:3]]
        file = self.write(numbers)
        for program in PROGRAMS:
            workers = 1 if program is SEQUENTIAL else 2
            for option in ("--json", "-j"):
                with self.subTest(program=program.name, option=option):
                    result = run(program.name, option, "-n", file, *program.argv(2))
                    self.check_json(program, result, numbers, workers, program.order, "trial")

    def test_order_method_and_split(self):
        numbers = [*FAST, *MEDIUM[:2]]
        file = self.write(numbers)
        for program in PROGRAMS:
            workers = 1 if program is SEQUENTIAL else 3
            for order in ("map", "completed"):
                with self.subTest(program=program.name, order=order):
                    result = run(program.name, "-sj", "-o", order, "-mwheel", "-n", file, *program.argv(3))
                    self.check_json(program, result, numbers, workers, order, "wheel", split=True)

    def test_no_numbers(self):
        for program in PROGRAMS:
            workers = 1 if program is SEQUENTIAL else 2
            with self.subTest(program=program.name):
                result = run(program.name, "-j", "-n-", *program.argv(2))
                self.assertEqual(len(result.lines()), 1)
                summary = parse_json_lines(result.out)[0]["summary"]
                self.assertEqual((summary["numbers"], summary["primes"], summary["workers"]), (0, 0, workers))


class Stats(CliTest):
    NAMES = ["wall", "cpu", "sum of elapsed", "speed-up", "utilisation", "tasks", "retries", "restarts", "peak RSS"]

    def test_every_program(self):
        numbers = [*FAST, *MEDIUM[:3]]
        file = self.write(numbers)
        for program in PROGRAMS:
            workers = 1 if program is SEQUENTIAL else 2
            for option in ("--stats", "-S"):
                with self.subTest(program=program.name, option=option):
                    result = run(program.name, option, "-n", file, *program.argv(2))
                    self.assertEqual((result.code, result.err), (0, ""))
                    lines = result.lines()
                    report, stats = lines[:len(numbers) + 2], lines[len(numbers) + 2:]
                    results = self.check_report(program, report, numbers, workers)
                    self.check_stats(stats, sum(line.elapsed for line in results), workers)

    def test_json_stays_json(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, "-Sj", "-n", self.write(FAST), *program.argv(2))
                self.assertEqual((result.code, result.err), (0, ""))
                self.assertGreater(len(parse_json_lines(result.out)), len(FAST))

    def check_stats(self, lines, elapsed, workers):
        pairs = [line.split(": ", 1) for line in lines]
        self.assertEqual([name for name, _ in pairs[:len(self.NAMES)]], self.NAMES)
        self.assertEqual([name for name, _ in pairs[len(self.NAMES):]], [f"worker {i}" for i in range(workers)])
        values = {name: float(re.match(r"\d+(\.\d+)?", value)[0]) for name, value in pairs[:len(self.NAMES)]}
        self.assertAlmostEqual(values["sum of elapsed"], elapsed, delta=0.011)
        self.assertAlmostEqual(values["speed-up"], elapsed / values["wall"], delta=0.1 * values["speed-up"] + 0.02)
        self.assertGreater(values["cpu"], 0)
        self.assertLess(values["utilisation"], 110)
        self.assertGreater(values["utilisation"], 0)
        self.assertGreater(values["tasks"], 0)
        self.assertEqual((values["retries"], values["restarts"]), (0, 0))
        self.assertGreater(values["peak RSS"], 0.5)


if __name__ == "__main__":
    unittest.main()
