"""Every usage error: exit 2, nothing on stdout, and on stderr `PROGRAM: ` and what is wrong."""

import re
import unittest

from harness import KERNELS, POOLS, PROGRAMS, SEQUENTIAL, CliTest, machine_has_kernel, run

BAD_WORKERS = ["0", "-1", "-5", "-12", "1025", "abc", "1.5", "", " 4", "4 ", "+4", "0x4", "4x", "99999999999999999999",
               "-99999999999999999999", "18446744073709551617", "2147483649"]
BAD_RETRIES = ["-1", "x", "", "1.5", " 1", "+1", "1 ", "0x1", "4294967296", "99999999999999999999"]
BAD_TIMEOUTS = ["0", "0.0", "-1", "x", "", ".", "1.5.2", " 1", "1 ", "+1", "1e3", "0x1p3", "inf", "nan", "0.0000000001",
                "1000000001", "1" * 400]


class Workers(CliTest):
    def test_bad_values(self):
        for program in POOLS:
            for value in BAD_WORKERS:
                for argv in ([value], ["--split", value], ["--", value]):
                    with self.subTest(program=program.name, argv=argv):
                        result = run(program.name, *argv)
                        self.assertIn(value, result.err)
                        self.check_failure(program, result, 2, r".*WORKERS.*\b1\b.*\b1024\b")

    def test_two_of_them(self):
        for program in POOLS:
            for argv in (["2", "3"], ["2", "--json", "3"], ["2", ""]):
                with self.subTest(program=program.name, argv=argv):
                    self.check_failure(program, run(program.name, *argv), 2, ".*WORKERS")

    def test_sequential_takes_none(self):
        for argv in (["1"], ["4"], [""], ["-1"], ["abc"], ["--", "2"], ["--split", "2"]):
            with self.subTest(argv=argv):
                self.check_failure(SEQUENTIAL, run("sequential", *argv), 2, ".")


class Options(CliTest):
    def check_each(self, argv, message, env=None):
        for program in PROGRAMS:
            with self.subTest(program=program.name, argv=argv, env=env):
                self.check_failure(program, run(program.name, *argv, env=env), 2, message)

    def test_unknown(self):
        for option in ("--nonsense", "-Z", "--split=yes", "--json=1"):
            self.check_each([option], rf".*{re.escape(option.partition('=')[0].lstrip('-'))}")

    def test_missing_value(self):
        for option in ("--order", "--method", "--numbers", "--retries", "--timeout", "-o", "-m", "-n", "-R", "-t"):
            self.check_each([option], rf".*{option.lstrip('-')}")

    def test_order(self):
        for value in ("", "Map", "ma", "maps", "input", "map,completed", "map "):
            self.check_each([f"--order={value}"], rf".*order.*{re.escape(value)}")
        self.check_each(["-o", "x"], ".*order.*map.*completed")

    def test_method(self):
        for value in ("auto", "", "Trial", "tri", "trial ", "vectors", "BPSW"):
            self.check_each([f"--method={value}"], rf".*method.*{re.escape(value)}")
        self.check_each(["-m", "x"], ".*method.*trial.*wheel.*vector.*bpsw")

    def test_split_needs_divisors(self):
        for argv in (["--split", "--method=bpsw"], ["--method=bpsw", "--split"], ["-mbpsw", "-s"]):
            self.check_each(argv, ".*--split.*--method=bpsw")

    def test_kernel(self):
        for value in ("", "x", "AVX2", "avx", "avx512 ", "portable,avx2"):
            for argv in ([], ["--method=vector"], ["--split"]):
                self.check_each(argv, rf".*PRIMEPOOL_KERNEL.*'{re.escape(value)}'.*portable",
                                env={"PRIMEPOOL_KERNEL": value})

    def test_kernel_that_the_machine_lacks(self):
        lacking = [kernel for kernel in KERNELS if not machine_has_kernel(kernel)]
        for kernel in lacking:
            self.check_each([], rf".*PRIMEPOOL_KERNEL.*'{kernel}'.*portable", env={"PRIMEPOOL_KERNEL": kernel})
        if not lacking:
            self.skipTest("this machine has every kernel")

    def test_retries(self):
        for value in BAD_RETRIES:
            self.check_each([f"--retries={value}"], rf".*retries.*{re.escape(value)}")
        self.check_each(["-R", "-1"], ".*retries.*-1")

    def test_timeout(self):
        for value in BAD_TIMEOUTS:
            self.check_each([f"--timeout={value}"], rf".*timeout.*{re.escape(value)}.*seconds")

    def test_before_anything_else_is_looked_at(self):
        self.check_each(["--numbers=/nowhere", "--order=x"], ".*order")


if __name__ == "__main__":
    unittest.main()
