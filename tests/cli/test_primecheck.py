"""primecheck: its options, what it prints for them, its exit codes and its usage errors."""

import collections
import os
import re
import subprocess
import unittest

from harness import HAS_MPI, HAS_OPENMP, KERNELS, Running, is_prime, machine_has_kernel, parse_json_lines, seeded_random
from primecheck import (COMPOSITES_BIG, EXECUTORS, POOLS, PRIMES_BIG, PrimecheckTest, bad_tokens, check, expected_lines,
                        joined,
                        mixed_input, value, verdict)

OPTIONS = {"workers": "w", "executor": "e", "file": "f", "order": "o", "only": "", "count": "c", "range": "r",
           "prove": "",
           "method": "m", "max-digits": "", "block": "", "json": "j", "progress": "", "metrics": "", "joblog": "",
           "resume": "", "trace": "", "report": "", "stats": "S", "help": "?", "usage": "", "version": "V"}
SMALL = b"0 1 2 3 4 9 97 7919 4294967291 4294967297 18446744073709551557 18446744073709551615"
STATS = ["wall", "cpu", "sum of elapsed", "speed-up", "utilisation", "tasks", "retries", "restarts", "peak RSS"]


class Numbers(PrimecheckTest):
    def test_arguments(self):
        words = ["7", "0", "1", "0x1F", "0X1f", "+7", "007", "+0x0b", "9", "00", "18446744073709551615",
                 "18446744073709551616", "18446744073709551629", "+018446744073709551557"]
        result = check(*words)
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertEqual(result.lines(), [f"{word} {verdict(value(word.encode()))}" for word in words])

    def test_arguments_that_are_no_numbers(self):
        """Each is named, not with a file and a line; and the others are answered."""
        words = ["-5", "7", "", " ", "x", "-18446744073709551616", "9", "-0", "+", "0x", "1.5", "-", "-7x"]
        result = check(*words)
        self.assertEqual((result.code, result.out), (1, b"7 prime\n9 composite\n"))
        self.assertEqual(sorted(result.messages()),
                         sorted(f"primecheck: '{word}' is not a non-negative integer"
                                for word in words if word not in ("7", "9")))

    def test_double_dash(self):
        result = check("-w1", "--", "7", "-5", "--count")
        self.assertEqual((result.code, result.out), (1, b"7 prime\n"))
        self.assertEqual(result.messages(), [f"primecheck: '{word}' is not a non-negative integer"
                                             for word in ("-5", "--count")])

    def test_arguments_come_before_standard_input(self):
        self.assertEqual(check("7", data=b"11\n").out, b"7 prime\n")

    def test_many_arguments(self):
        words = [str(n) for n in range(20000)]
        self.assertEqual(check(*words).out, joined(f"{n} {verdict(n)}" for n in range(20000)))

    def test_above_64_bits(self):
        for n in PRIMES_BIG:
            self.assertEqual(check(n).out, f"{n} probable-prime\n".encode())
            self.assertEqual(check(f"{n:#x}").out, f"{n:#x} probable-prime\n".encode())
        for n in COMPOSITES_BIG:
            self.assertEqual(check(n).out, f"{n} composite\n".encode())

    def test_the_border(self):
        words = [str(2**64 + i) for i in range(-300, 300)]
        self.assertEqual(check(*words).lines(), [f"{word} {verdict(int(word))}" for word in words])

    def test_prove(self):
        words = [7, 8, *PRIMES_BIG[:4], *COMPOSITES_BIG]
        result = check("--prove", *words)
        self.assertEqual((result.code, result.err), (0, b""))
        self.assertEqual(result.lines(), [f"{n} {verdict(n, prove=True)}" for n in words])

    def test_methods(self):
        for method in ("auto", "bpsw", "trial", "wheel", "vector"):
            data = b"\n".join(b"%d" % n for n in [*range(500), 2**32 - 5, 2**32 + 1, 2**64 - 1])
            for executor in EXECUTORS:
                with self.subTest(method=method, executor=executor):
                    self.check_answers(check("-m", method, "-e", executor, data=data), data)

    def test_what_a_method_cannot_test_is_said(self):
        for method in ("trial", "wheel", "vector"):
            result = check(f"--method={method}", "7", 2**64 + 13, "9")
            self.assertEqual((result.code, result.err), (1, b""))
            first, second, third = result.lines()
            self.assertEqual((first, third), ("7 prime", "9 composite"))
            self.assertRegex(second, rf"\A{2**64 + 13} ! .+")


class Where(PrimecheckTest):
    def test_every_source(self):
        name = self.write(SMALL)
        expected = joined(expected_lines(SMALL))
        for result in (check(data=SMALL), check(data=SMALL, file=True), check("-f", name), check(f"--file={name}"),
                       check("-f-", data=SMALL), check("-f", "-", data=SMALL, file=True), check("--file", "/dev/stdin",
                                                                                data=SMALL)):
            self.assertEqual(result, (0, expected, b""))

    def test_messages_name_the_file(self):
        data = b"7\nx\n\n8 y"
        name = self.write(data)
        for argv, shown in (([], "-"), (["-f-"], "-"), (["-f", name], name)):
            self.check_answers(check(*argv, data=data), data, name=shown)

    def test_a_file_begun_elsewhere(self):
        """Standard input is read from where it stands."""
        with open(self.write(b"4\n7\n9\n"), "rb") as file:
            os.lseek(file.fileno(), 2, os.SEEK_SET)
            result = subprocess.run([os.path.join(os.environ["PRIMEPOOL_BIN"], "primecheck")], stdin=file,
                                    capture_output=True, timeout=60)
        self.assertEqual(result.stdout, b"7 prime\n9 composite\n")

    def test_cannot_be_read(self):
        for argv, what in ((["-f", "/nowhere/x"], b"/nowhere/x: No such file"),
                           (["-f", "/tmp"], b"/tmp: Is a directory"),
                           (["-f", ""], b": No such file")):
            for options in ([], ["--count"], ["--json"], ["-eprocesses"], ["-eserial"]):
                with self.subTest(argv=argv, options=options):
                    result = check(*options, *argv)
                    self.assertEqual(result.code, 3)
                    self.assertRegex(result.err, rb"\Aprimecheck: " + what + rb".*\n\Z")
                    self.assertNotIn(b"prime\n", result.out)

    def test_directory_as_standard_input(self):
        directory = os.open("/tmp", os.O_RDONLY)
        self.addCleanup(os.close, directory)
        with Running("primecheck", prepare=lambda: os.dup2(directory, 0)) as running:
            result = running.finish()
        self.assertEqual((result.code, result.out, result.err), (3, "", "primecheck: -: Is a directory\n"))

    def test_closed_standard_input(self):
        with Running("primecheck", prepare=lambda: os.close(0)) as running:
            result = running.finish()
        self.assertEqual((result.code, result.out), (3, ""))
        self.assertRegex(result.err, r"\Aprimecheck: -: .+\n\Z")
        with Running("primecheck", "7", prepare=lambda: os.close(0)) as running:
            self.assertEqual(running.finish()[:2], (0, "7 prime\n"))

    def test_forbidden_file(self):
        file = self.write(b"7\n")
        os.chmod(file, 0)
        nobody = 65534 if os.geteuid() == 0 else None  # nothing is forbidden to root
        try:
            with Running("primecheck", "-f", file, user=nobody) as running:
                result = running.finish()
        except PermissionError:
            self.skipTest("only root may run the programs where they are")
        self.assertEqual((result.code, result.out), (3, ""))
        self.assertEqual(result.err, f"primecheck: {file}: Permission denied\n")

    def test_full_output(self):
        data = b"7\n" * 100000
        for argv in ([], ["--count"], ["--json"], ["--only=primes"], ["-eserial"], ["-eprocesses"], ["-S"],
                     ["-m", "trial"],
                     ["--help"]):
            with self.subTest(argv=argv), open("/dev/full", "wb") as full:
                result = check(*argv, data=data if argv != ["-m", "trial"] else b"7\n", file=True, stdout=full)
                self.assertEqual((result.code, result.err), (3,
                                                             b"primecheck: standard output: No space left on device\n"))
        for argv in (["-r0..100"], ["-r0..100", "-c"], ["7"]):
            with self.subTest(argv=argv), open("/dev/full", "wb") as full:
                self.assertEqual(check(*argv, stdout=full).code, 3)

    def test_closed_output(self):
        with Running("primecheck", "7", prepare=lambda: os.close(1)) as running:
            result = running.finish()
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, r"\Aprimecheck: standard output: .+\n\Z")


class Shown(PrimecheckTest):
    @classmethod
    def setUpClass(cls):
        cls.data = mixed_input(seeded_random(), 600)
        cls.kinds = collections.defaultdict(list)  # verdict -> tokens in order
        for line in expected_lines(cls.data):
            token, what = line.split()
            cls.kinds[what].append(token)
        cls.bad = bad_tokens(cls.data)

    def test_only(self):
        for shown, verdicts in (("primes", ("prime", "probable-prime")), ("composites", ("composite",))):
            for options in ([], ["--block=64"], ["-eprocesses"], ["-eserial"]):
                with self.subTest(shown=shown, options=options):
                    result = check(f"--only={shown}", *options, data=self.data)
                    expected = [line.split()[0] for line in expected_lines(self.data) if line.split()[1] in verdicts]
                    self.assertEqual(result.lines(), expected)
                    self.check_messages(result, self.bad)
                    self.assertEqual(result.code, 1)

    def counts(self, *what):
        numbers = {"primes": len(self.kinds["prime"]), "composites": len(self.kinds["composite"]),
                   "probable primes": len(self.kinds["probable-prime"]), "not numbers": len(self.bad)}
        return joined(f"{name}: {numbers[name]}" for name in what)

    def test_count(self):
        for argv in (["-c"], ["--count"], ["-c", "-eprocesses"], ["-c", "-eserial", "--block=1"],
                     ["-c", "-ocompleted"]):
            with self.subTest(argv=argv):
                result = check(*argv, data=self.data)
                self.assertEqual(result.code, 1)
                self.assertEqual(result.out, self.counts("primes", "composites", "probable primes", "not numbers"))
                self.check_messages(result, self.bad, sort="-ocompleted" in argv)

    def test_count_of_little(self):
        self.assertEqual(check("-c"), (0, b"primes: 0\ncomposites: 0\n", b""))
        self.assertEqual(check("-c", "7", "0").out, b"primes: 1\ncomposites: 1\n")
        self.assertEqual(check("-c", 2**64 + 13).out, b"primes: 0\ncomposites: 0\nprobable primes: 1\n")
        self.assertEqual(check("-c", "--prove", 2**64 + 13).out, b"primes: 1\ncomposites: 0\n")
        self.assertEqual(check("-c", "x", "", "y").out, b"primes: 0\ncomposites: 0\nnot numbers: 3\n")

    def test_count_only(self):
        """Only those are counted that would be shown."""
        result = check("-c", "--only=primes", data=self.data)
        self.assertEqual(result.out, self.counts("primes", "probable primes", "not numbers"))
        result = check("-c", "--only=composites", data=self.data)
        self.assertEqual(result.out, self.counts("composites", "not numbers"))

    def test_json(self):
        for options in ([], ["-eprocesses"], ["-eserial"], ["--block=7"], ["-w5"]):
            with self.subTest(options=options):
                result = check("--json", *options, data=self.data)
                self.assertEqual(result.code, 1)
                self.check_messages(result, self.bad)
                lines, summary = self.json_lines(result)
                self.check_json_numbers(lines, expected_lines(self.data))
                self.check_summary(summary)

    def check_json_numbers(self, lines, expected):
        found = []
        for line in lines:
            self.assertIsInstance(line["n"], str)
            self.assertIsInstance(line["prime"], bool)
            self.assertGreaterEqual(line["elapsed"], 0)
            self.assertLess(line["elapsed"], 60)
            self.assertIn(line["worker"], range(8))
            self.assertEqual(line["attempts"], 1)
            kind = "composite" if not line["prime"] else "probable-prime" if line.get("probable") else "prime"
            found.append(f"{line['n']} {kind}")
        self.assertEqual(found, expected)

    def check_summary(self, summary):
        self.assertLessEqual({"program", "executor", "workers", "order", "method", "numbers", "primes", "failed",
                              "wall",
                              "cpu", "speedup"}, set(summary))
        self.assertEqual((summary["program"], summary["order"], summary["method"], summary["failed"]),
                         ("primecheck", "input", "auto", 0))
        self.assertEqual(summary["numbers"], sum(map(len, self.kinds.values())))
        self.assertEqual(summary["primes"], len(self.kinds["prime"]))

    def test_json_only(self):
        result = check("-j", "--only=composites", "7", "8", "9")
        lines, _ = self.json_lines(result)
        self.assertEqual([line["n"] for line in lines], ["8", "9"])

    def test_json_count(self):
        lines, summary = self.json_lines(check("-j", "-c", "7", "8", "9"))
        self.assertEqual((lines, summary["numbers"], summary["primes"]), ([], 3, 1))

    def test_json_failure(self):
        """A number that cannot be tested: the reason, no verdict."""
        result = check("-j", "-mtrial", 2**64 + 13)
        self.assertEqual(result.code, 1)
        lines, summary = self.json_lines(result)
        self.assertEqual((lines[0]["n"], summary["failed"]), (str(2**64 + 13), 1))
        self.assertIn("error", lines[0])
        self.assertNotIn("prime", lines[0])

    def test_order_completed(self):
        for options in ([], ["-eprocesses"], ["-eserial"], ["-w5", "--block=7"], ["-eprocesses", "-w5", "--block=64"]):
            for file in (False, True):
                with self.subTest(options=options, file=file):
                    result = check("--order=completed", *options, data=self.data, file=file)
                    self.check_answers(result, self.data, sort=True)

    def test_order_input(self):
        self.check_answers(check("-oinput", data=self.data), self.data)

    def test_stats(self):
        for executor, workers in (*zip(POOLS, (2, 3, 2)), ("serial", 1)):
            with self.subTest(executor=executor):
                result = check("-S", "-e", executor, f"-w{workers}", "7", "8")
                lines = result.lines()
                self.assertEqual(lines[:2], ["7 prime", "8 composite"])
                self.assertEqual([line.partition(":")[0] for line in lines[2:2 + len(STATS)]], STATS)
                for line in lines[2 + len(STATS):]:
                    self.assertRegex(line, r"\Aworker \d+: ")
                self.assertEqual((result.code, result.err), (0, b""))

    def test_stats_json(self):
        lines = parse_json_lines(check("-S", "-j", "7").out.decode())
        self.assertEqual([set(line) & {"n", "summary", "stats"} for line in lines], [{"n"}, {"summary"}, {"stats"}])

    def test_max_digits(self):
        for most, code, err in ((2, 1, b"primecheck: '100' has more than 2 digits\n"), (3, 0, b"")):
            result = check(f"--max-digits={most}", "11", "100")
            lines = [b"11 prime", b"100 composite"][:most - 1]
            self.assertEqual((result.code, result.err, result.out.splitlines()), (code, err, lines))

    def test_progress_is_for_terminals(self):
        data = b"18446744073709551557\n" * 20000
        result = check("--progress", data=data)
        self.assertEqual((result.code, result.err, result.out.count(b" prime\n")), (0, b"", 20000))

    def test_kernels(self):
        for kernel in KERNELS:
            if machine_has_kernel(kernel):
                for method in ("auto", "vector"):
                    result = check("-m", method, data=SMALL, env={"PRIMEPOOL_KERNEL": kernel})
                    self.check_answers(result, SMALL)


def sieve(most):
    composite = bytearray(most + 1)
    for n in range(2, most + 1):
        if not composite[n]:
            composite[2 * n::n] = bytes([1]) * len(range(2 * n, most + 1, n))
    return [n for n in range(2, most + 1) if not composite[n]]


class Range(PrimecheckTest):
    def test_against_a_sieve(self):
        generator = seeded_random()
        primes = sieve(200000)
        edges = [(0, 0), (0, 1), (1, 1), (0, 2), (2, 2), (1, 2), (2, 3), (3, 3), (4, 4), (0, 30), (0, 200000), (5, 7)]
        for low, high in edges + [sorted((generator.randrange(200000), generator.randrange(200000)))
                                  for _ in range(20)]:
            expected = [n for n in primes if low <= n <= high]
            with self.subTest(low=low, high=high):
                self.assertEqual(check("-r", f"{low}..{high}"), (0, joined(expected), b""))
                self.assertEqual(check("-c", f"--range={low}..{high}"), (0, b"primes: %d\n" % len(expected), b""))

    def test_windows(self):
        for low in (2**32 - 5000, 10**12, 2**53 - 500, 2**63 - 500, 18446744073709551500):
            high = min(low + 10000, 2**64 - 1)
            expected = [n for n in range(low, high + 1) if is_prime(n)]
            with self.subTest(low=low):
                self.assertEqual(check("-r", f"{low}..{high}"), (0, joined(expected), b""))
                self.assertEqual(check("-r", f"{low:#x}..{high:#x}", "-c").out, b"primes: %d\n" % len(expected))
        for at in (2**64 - 1, 2**64 - 59):
            self.assertEqual(check("-r", f"{at}..{at}").out, joined([at] if is_prime(at) else []))

    def test_workers_count_the_same(self):
        for workers in (1, 2, 5):
            self.assertEqual(check("-r0..30000000", "-c", f"-w{workers}").out, b"primes: 1857859\n")

    def test_long_output(self):
        result = check("-r0..3000000")
        self.assertEqual(result.out, joined(sieve(3000000)))

    def test_only_and_json(self):
        self.assertEqual(check("-r1..10", "--only=primes").out, b"2\n3\n5\n7\n")
        lines, summary = self.json_lines(check("-r1..10", "--json"))
        self.assertEqual([(line["n"], line["prime"]) for line in lines], [(n, True) for n in "2357"])
        self.assertEqual(summary["primes"], 4)
        lines, summary = self.json_lines(check("-r1..1000", "--json", "-c"))
        self.assertEqual((lines, summary["primes"]), ([], 168))

    def test_input_is_left_alone(self):
        self.assertEqual(check("-r1..3", data=b"x y z"), (0, b"2\n3\n", b""))


class Help(PrimecheckTest):
    def test_help_names_every_option_and_no_other(self):
        result = check("--help")
        self.assertEqual((result.code, result.err), (0, b""))
        out = result.out.decode()
        self.assertTrue(out.startswith("Usage: primecheck "), out)
        self.assertEqual(sorted(re.findall(r"^ +(?:-., )? *--([a-z][a-z-]*)", out, re.M)), sorted(OPTIONS))
        for short in filter(None, OPTIONS.values()):
            self.assertIn(f" -{short},", out)
        for line in out.splitlines():
            self.assertLess(len(line), 80)

    def test_usage_and_version(self):
        self.assertTrue(check("--usage").out.startswith(b"Usage: primecheck "))
        self.assertRegex(check("--version").out, rb"\Aprimecheck .*\d+\.\d+.*\n\Z")
        self.assertEqual(check("-V"), check("--version"))
        self.assertEqual(check("-?"), check("--help"))


BAD_COUNTS = ("0", "-1", "x", "", "1.5", " 1", "+1", "0x1", "99999999999999999999")
USAGE = [
    *[([f"{option}={text}"], option) for option in ("--workers", "--block", "--max-digits") for text in BAD_COUNTS],
    (["-w0"], "workers"), (["-w", "1025"], "workers"), (["-eserial", "-w2"], "workers"),
    *[([f"--executor={text}"], rf"executor.*'{text}'")
      for text in ("", "x", "thread", "OpenMP", "MPI", "Threads", "serial ")],
    (["-e", "x"], f"executor.*'x' is not in this build, only {', '.join((*POOLS, 'mpi')[:len(POOLS) + HAS_MPI])} "
                  "and serial$"),
    *([] if HAS_MPI else [(["-e", "mpi"], "executor.*'mpi' is not in this build")]),
    *([] if HAS_OPENMP else [(["-e", "openmp"], "executor.*'openmp' is not in this build")]),
    *[([f"--order={text}"], rf"order.*'{text}'") for text in ("", "map", "in", "Input")], (["-ox"],
                                                                                "order.*input.*completed"),
    *[([f"--only={text}"], rf"only.*'{text}'") for text in ("", "prime", "all", "Primes", "primes,composites")],
    *[([f"--method={text}"], rf"method.*'{text}'") for text in ("", "x", "Auto", "bpsw ")],
    (["-mx"], "method.*auto.*bpsw.*trial.*wheel.*vector"),
    *[(["--prove", "-m", method], "prove") for method in ("trial", "wheel", "vector")],
    *[([f"--range={text}"], "range") for text in
      ("", "5", "..", "5..", "..5", "5..1", "1...5", "1..5..9", "1-5", "-1..5", "x..5", "1..x", "1 ..5", "1.. 5",
       "1..18446744073709551616",
       "18446744073709551616..18446744073709551617", "1..5x", "0x..5", "1,5")],
    (["-r1..5", "7"], "range"), (["-r1..5", "-f", "/dev/null"], "range"), (["-r1..5", "--prove"], "range"),
    (["-r1..5", "-mtrial"], "range"), (["-r1..5", "--only=composites"], "range"),
    (["-f", "/dev/null", "7"], "file"), (["-f-", "7"], "file"),
    *[([option], option.partition("=")[0].lstrip("-")) for option in
      ("--workers", "--executor", "--file", "--order", "--only", "--range", "--method", "--max-digits", "--block",
       "-w", "-e", "-f",
       "-o", "-r", "-m", "--nonsense", "-Z", "--count=1", "--json=1", "--prove=yes", "--stats=1", "--progress=1")],
]


class Usage(PrimecheckTest):
    def check_usage_error(self, argv, message, env=None):
        with self.subTest(argv=argv, env=env):
            result = check(*argv, env=env)
            self.assertEqual((result.code, result.out), (2, b""), result.err)
            self.assertRegex(result.messages()[0], rf"\Aprimecheck: .*{message}")

    def test_each(self):
        for argv, message in USAGE:
            self.check_usage_error(argv, message)

    def test_what_is_allowed_is_said(self):
        for option, most in (("workers", 1024), ("block", r"\d+"), ("max-digits", r"\d+")):
            self.check_usage_error([f"--{option}=0"], rf"--{option}: '0' is not a number from 1 to {most}")
        self.check_usage_error(["-r5"], "'5'.*from 0 to 18446744073709551615")

    def test_kernel(self):
        for kernel in ("", "x", "AVX2", "avx512 ", "portable,avx2",
                       *[kernel for kernel in KERNELS if not machine_has_kernel(kernel)]):
            for argv in (["7"], ["-mvector", "7"], []):
                self.check_usage_error(argv, rf"PRIMEPOOL_KERNEL.*'{kernel}'.*portable", {"PRIMEPOOL_KERNEL": kernel})


if __name__ == "__main__":
    unittest.main()
