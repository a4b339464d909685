"""primecheck in a build without GMP, FLINT and primesieve: what it can do it does, and what it cannot it says."""

import json
import os
import unittest

from harness import KERNELS, is_prime, machine_has_kernel, seeded_random
from primecheck import EXECUTORS, check

BIG = 2**64 + 13
NEEDS_GMP = "! error: above 2^64-1 needs GMP, which this build lacks"


class Without(unittest.TestCase):
    def test_below_2_to_the_64_nothing_is_missing(self):
        for executor in EXECUTORS:
            self.assertEqual(check("-e", executor, 7, 9, 2**64 - 59, 2**64 - 1),
                             (0, b"7 prime\n9 composite\n18446744073709551557 prime\n"
                                 b"18446744073709551615 composite\n", b""))

    def test_answers(self):
        """Of the strong pseudoprimes below 2^32, of random numbers of every length, and of the largest."""
        generator = seeded_random()
        data = os.path.join(os.path.dirname(__file__), "../../data/strong_pseudoprimes_32.txt")
        with open(data) as file:
            numbers = [int(word) for line in file for word in line.partition("#")[0].split()]
        self.assertEqual(len(numbers), 2314)
        numbers += [generator.randrange(2**bits) for bits in range(1, 65) for _ in range(100)]
        numbers += [n for n in range(2**64 - 2000, 2**64)]
        text = "".join(f"{n}\n" for n in numbers).encode()
        answers = [f"{n} {'prime' if is_prime(n) else 'composite'}" for n in numbers]
        for kernel in filter(machine_has_kernel, KERNELS):
            for executor in EXECUTORS:
                with self.subTest(kernel=kernel, executor=executor):
                    result = check("-e", executor, data=text, env={"PRIMEPOOL_KERNEL": kernel})
                    self.assertEqual((result.code, result.err), (0, b""))
                    self.assertEqual(result.lines(), answers)

    def test_larger_numbers_fail_one_by_one(self):
        for executor in EXECUTORS:
            result = check("-e", executor, 7, BIG, "0x10000000000000000", 9)
            self.assertEqual(result.code, 1)
            self.assertEqual(result.lines(), ["7 prime", f"{BIG} {NEEDS_GMP}", f"0x10000000000000000 {NEEDS_GMP}",
                                              "9 composite"])

    def test_failures_are_shown_whatever_is_shown(self):
        self.assertEqual(check("--only=primes", 7, BIG, 9).lines(), ["7", f"{BIG} {NEEDS_GMP}"])
        self.assertEqual(check("-c", 7, BIG, 9), (1, b"primes: 1\ncomposites: 1\nfailed: 1\n", b""))
        line = json.loads(check("--json", BIG).lines()[0])
        self.assertEqual((line["n"], "! " + line["error"]), (str(BIG), NEEDS_GMP))

    def test_what_cannot_be_asked_for(self):
        for option, needs in (("--prove", b"FLINT"), ("--range=1..10", b"primesieve")):
            result = check(option)
            self.assertEqual((result.code, result.out), (2, b""))
            self.assertRegex(result.err, b"^primecheck: " + option[:7].encode() + b".*needs.*" + needs)


if __name__ == "__main__":
    unittest.main()
