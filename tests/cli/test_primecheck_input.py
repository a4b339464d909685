"""primecheck and its input: whatever it is, however it comes, whoever does the work."""

import itertools
import os
import re
import subprocess
import tempfile
import unittest

from harness import KERNELS, machine_has_kernel, marked, read_proc, scaled, seeded_random, wait_for
from primecheck import (BLANKS, EXECUTORS, MAX_DIGITS, POOLS, SANITIZED, Interactive, PrimecheckTest, check,
                        mixed_input)

BLOCKS = ([], ["--block=1"], ["--block=7"], ["--block=64"], ["--block=4096"])
MEBIBYTE = 1 << 20


class Zoo(PrimecheckTest):
    def check_zoo(self, data, max_digits=None, blocks=BLOCKS):
        """Right with every block, from a file and from a pipe."""
        argv = [f"--max-digits={max_digits}"] if max_digits else []
        for block, file in itertools.product(blocks, (False, True)):
            with self.subTest(data=data[:60], length=len(data), block=block, file=file):
                result = check(*argv, *block, data=data, file=file)
                self.check_answers(result, data, max_digits or MAX_DIGITS)

    def test_nothing(self):
        for data in (b"", b"\n", b" ", BLANKS.encode(), b"\n" * 300000, b" " * 300000):
            self.check_zoo(data, blocks=([], ["--block=64"]))

    def test_blanks(self):
        for blank in BLANKS:
            self.check_zoo(f"7{blank}8{blank}{blank}9".encode())
            self.check_zoo(f"{blank}7{blank}x{blank}".encode())

    def test_lines(self):
        self.check_zoo(b"7\r\n8\r\n\r\nx\r\n9\r\n")
        self.check_zoo(b"7\r8\rx")  # no line ends here but by \n
        self.check_zoo(b"7 8 9 x 10\ty\n\n\n z\f11\n")

    def test_no_newline_at_the_end(self):
        for data in (b"7", b"x", b"+", b"8\n7", b"8 7", b"0", b"18446744073709551557", b"0x1f"):
            self.check_zoo(data)

    def test_bytes(self):
        """Every byte, alone, behind, before and between digits, is a blank, a digit, or part of no number."""
        for before, behind in ((b"", b""), (b"7", b""), (b"", b"7"), (b"1", b"3"), (b"12345678", b""),
                               (b"1234567", b"9")):
            self.check_zoo(b"\n".join(before + bytes([byte]) + behind for byte in range(256)),
                           blocks=([], ["--block=7"]))
            self.check_zoo(b"\n".join(b"0x" + before + bytes([byte]) + behind for byte in range(256)), blocks=([],))

    def test_lengths(self):
        """A byte that is no digit at each place of numbers of each length; and plain ones."""
        lines = []
        for length in range(1, 27):
            lines += [b"1" * length, b"9" * length, b"0" * length, b"0" * length + b"7"]
            for place in range(length):
                lines += [b"1" * place + wrong + b"1" * (length - 1 - place) for wrong in (b"/", b":", b"\xb1", b"\0")]
        self.check_zoo(b"\n".join(lines), blocks=([], ["--block=64"]))
        self.check_zoo(b" ".join(lines), blocks=([],))

    def test_around_the_border(self):
        lines = [b"%d" % (2**64 + i) for i in range(-50, 50)] + [b"0%d" % (2**64 + i) for i in range(-50, 50)]
        lines += [b"%#x" % (2**64 + i) for i in range(-50, 50)] + [b"%d" % (10**20 + i) for i in range(-9, 9)]
        lines += [b"%d" % (2**64 * k + i) for k in range(2, 12) for i in (-1, 0, 1)]
        self.check_zoo(b"\n".join(lines), blocks=([], ["--block=64"]))

    def test_most_digits(self):
        """As many as are allowed, and one more; the sign and 0x are none, and zeros are."""
        for most in (1, 2, 7, 8, 9, 19, 20, 21, 24, 25, 39, 100):
            tokens = []
            for length in (most - 1, most, most + 1, most + 2):
                tokens += [sign + prefix + zeros + b"5" * max(length - len(zeros), 0) for sign in (b"", b"+")
                           for prefix in (b"", b"0x", b"0X") for zeros in (b"", b"0", b"000")]
            self.check_zoo(b"\n".join(tokens), max_digits=most, blocks=([], ["--block=1"], ["--block=64"]))

    def test_most_digits_by_default(self):
        tokens = []
        for digit, last in ((b"0", b"7"), (b"1", b"0"), (b"9", b"9"), (b"f", b"e")):
            prefix = b"0x" if digit == b"f" else b""
            tokens += [sign + prefix + digit * (length - 1) + last for length in (MAX_DIGITS - 1, MAX_DIGITS,
                                                                                MAX_DIGITS + 1)
                       for sign in (b"", b"+")]
        for separator in (b"\n", b" ", b"\r\n\r\n", b"\n7\n"):
            self.check_zoo(separator.join(tokens), blocks=([], ["--block=1"]))

    def test_behind_blanks(self):
        """A number is whole, wherever in what was read it stands."""
        long = b"1" * (MAX_DIGITS - 1) + b"0"
        for before in (1, 10, 63, 64, 9990, 10003, 10004, 10005, 65536 - 5000, 131072 - 5000, 131072 - 9999,
                       131072 - 10000, 131071):
            for blank in (b" ", b"\n"):
                self.check_zoo(blank * before + long + b"\n7 x\n", blocks=([], ["--block=1"], ["--block=4096"]))
        for before in range(1, 70):
            self.check_zoo(b" " * before + b"12345678901234567890123 x", max_digits=23,
                           blocks=(["--block=1"], ["--block=20"]))

    def test_huge_tokens(self):
        for token in (b"1" * 10_000_000, b"0" * 10_000_000, b"z" * 10_000_000, b"0x" + b"f" * 9_999_998,
                      b"\0" * 3_000_000):
            self.check_zoo(b"7\n" + token + b"\n8 " + token + b"\t9\nx", blocks=([], ["--block=1"]))
            self.check_zoo(token, blocks=([],))

    def test_long_numbers_among_short_ones(self):
        generator = seeded_random()
        pieces = []
        for _ in range(2000):
            length = generator.choice((1, 2, 8, 20, 63, 64, 65, 66, 127, 128, 129, 200, 1000, 4095, 4096, 4097))
            digits = "".join(generator.choices("0123456789", k=max(length - 2, 0)))
            pieces.append(generator.choice("123456789") + digits + generator.choice("02468"))
        self.check_zoo(" ".join(pieces).encode(), blocks=([], ["--block=64"], ["--block=4096"]))

    def test_messages_are_cut_and_clean(self):
        data = b"x" * 39 + b"\n" + b"x" * 40 + b"\n" + b"x" * 41 + b"\n\x1b[31m\x07\x01\x7f7\n" + b"y" * 100000
        result = check(data=data)
        shown = [message.split("'")[1] for message in result.messages()]
        self.assertEqual([len(text) for text in shown], [39, 40, 40, len("\x1b[31m\x07\x01\x7f7"), 40])
        self.assertNotRegex(result.err, rb"[\x00-\x09\x0b-\x1f\x7f]")

    def test_messages_send_no_c1_controls(self):
        """U+0080 to U+009F are control characters too, the bytes of UTF-8 as well as those of ISO 8859-1."""
        for data in (b"7\xc2\x9b31m", b"7\x9b31m"):
            with self.subTest(data=data):
                self.assertNotRegex(check(data=data).err, rb"(?<![\xe0-\xff])[\x80-\x9f]")

    def test_messages_on_the_right_lines(self):
        generator = seeded_random()
        lines = [generator.choice((b"", b"7", b"7 8", b"x", b" x 7 y", b"8" * 70, b"w" * 70, b"\r", b"9\r",
                                   b"0" * 10005))
                 for _ in range(400)]
        self.check_zoo(b"\n".join(lines))

    def test_messages_of_a_million_lines(self):
        data = b"7\n" * 1_000_000 + b"x"
        result = check("-c", data=data)
        self.assertEqual(result, (1, b"primes: 1000000\ncomposites: 0\nnot numbers: 1\n",
                                  b"primecheck: -:1000001: 'x' is not a non-negative integer\n"))


class Everybody(PrimecheckTest):
    """The same answers from every executor, any number of workers, blocks of any size, every kernel."""

    def test_all_agree_with_the_model(self):
        data = mixed_input(seeded_random(), 1500)
        kernels = [kernel for kernel in KERNELS if machine_has_kernel(kernel)]
        pools = [(executor, workers) for executor in POOLS
                 for workers in (1, 2, 5)] + [("serial", 1)]
        runs = list(itertools.product(pools, BLOCKS, (False, True), kernels))
        chosen = runs if scaled(1) > 1 else [run for i,
                                             run in enumerate(runs) if (i + i // len(kernels)) % len(kernels) == 0]
        for (executor, workers), block, file, kernel in chosen:
            with self.subTest(executor=executor, workers=workers, block=block, file=file, kernel=kernel):
                result = check("-e", executor, f"-w{workers}", *block, data=data, file=file,
                               env={"PRIMEPOOL_KERNEL": kernel})
                self.check_answers(result, data)


class Slowly(PrimecheckTest):
    """Numbers that come one by one are answered one by one."""

    def test_each_is_answered_before_the_next_is_sent(self):
        for executor, workers, order in itertools.product(EXECUTORS, (1, 2), ("input", "completed")):
            if executor == "serial" and workers > 1:
                continue
            with self.subTest(executor=executor, workers=workers, order=order):
                with Interactive("-e", executor, f"-w{workers}", "-o", order) as running:
                    for i in range(20):
                        running.send(f"{i}\n")
                        self.assertEqual(running.readline(),
                                         f"{i} {'prime' if i in (2, 3, 5, 7, 11, 13, 17, 19) else 'composite'}")
                    running.send("1")
                    running.send("1 ")
                    self.assertEqual(running.readline(), "11 prime")
                    running.close_input()
                    self.assertEqual(running.finish()[0], 0)

    def test_half_a_number_is_waited_for(self):
        for executor in EXECUTORS:
            with self.subTest(executor=executor), Interactive("-e", executor) as running:
                running.send("8\n1")
                self.assertEqual(running.readline(), "8 composite")
                running.wait_until_idle()
                running.send("3")
                running.wait_until_idle()
                running.send("\n")
                self.assertEqual(running.readline(), "13 prime")
                running.send("1")
                running.close_input()
                self.assertEqual(running.readline(), "1 composite")
                self.assertEqual(running.finish()[0], 0)

    def test_waiting_costs_nothing(self):
        """A second of an open pipe and no number: hardly any processor time."""
        for executor in EXECUTORS:
            with self.subTest(executor=executor), Interactive("-e", executor) as running:
                running.send("7\n1")
                running.readline()
                before = [int(read_proc(f"{pid}/schedstat").split()[0]) for pid in marked(running.mark)]
                running.check_silent(1.0)
                after = [int(read_proc(f"{pid}/schedstat").split()[0]) for pid in marked(running.mark)]
                self.assertLess(sum(after) - sum(before), 0.2e9)

    def test_messages_come_at_once_too(self):
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as errors, Interactive(stderr=writer) as running:
            os.close(writer)
            for line in range(1, 5):
                running.send("x\n")
                self.assertEqual(errors.readline(), b"primecheck: -:%d: 'x' is not a non-negative integer\n" % line)
            running.close_input()
            self.assertEqual(running.finish()[0], 1)

    def test_random_pieces(self):
        generator = seeded_random()
        data = mixed_input(generator, 300)
        for executor in EXECUTORS:
            for block in ([], ["--block=64"]):
                with self.subTest(executor=executor, block=block), tempfile.TemporaryFile() as errors, \
                        Interactive("-e", executor, *block, errors=errors) as running:
                    running.feed_in_pieces(data, generator)
                    self.check_answers(running.finish_in_bytes(), data)

    def test_not_blocking(self):
        """A pipe that says EAGAIN, as a terminal's other user may have left it."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        with Interactive(source=reader) as running:
            os.close(reader)
            for n in ("7", "11"):
                os.write(writer, f"{n}\n".encode())
                self.assertEqual(running.readline(), f"{n} prime")
            os.close(writer)
            self.assertEqual(running.finish(), (0, "7 prime\n11 prime\n", ""))


class Memory(PrimecheckTest):
    COUNT = 2_000_000
    MOST = 64 * MEBIBYTE

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory would be measured")
    def test_does_not_grow_with_the_input(self):
        line = b"".join(b"%d\n" % (2**63 + 2 * i + 1) for i in range(1000))
        with tempfile.TemporaryFile() as file:
            for _ in range(self.COUNT // 1000):
                file.write(line)
            file.flush()
            for argv in [["-e", executor, *more] for executor in EXECUTORS for more in ([], ["--json"])]:
                with self.subTest(argv=argv):
                    file.seek(0)
                    self.check_memory(argv, file)

    def check_memory(self, argv, file):
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat, \
                tempfile.TemporaryFile() as out, Interactive(*argv, source=cat.stdout, stdout=out) as running:
            cat.stdout.close()
            highest = {}
            while running.process.poll() is None:
                for pid in marked(running.mark):
                    if match := re.search(rb"VmHWM:\s*(\d+) kB", read_proc(f"{pid}/status")):
                        highest[pid] = int(match[1]) * 1024
                try:
                    running.process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass
            self.assertEqual(running.process.returncode, 0)
            out.seek(0)
            self.assertGreaterEqual(sum(chunk.count(b"\n") for chunk in iter(lambda: out.read(MEBIBYTE), b"")),
                                    self.COUNT)
        self.assertGreater(highest.get(running.pid, 0), 0)
        print(argv, {pid: f"{most / MEBIBYTE:.1f} MiB" for pid, most in highest.items()})
        for pid, most in highest.items():
            self.assertLessEqual(most, self.MOST, "main" if pid == running.pid else "worker")

    @unittest.skipIf(SANITIZED, "a sanitizer's own memory would be measured")
    def test_nor_with_what_waits_in_line(self):
        """A hundred million tokens without a verdict yet, behind one number that takes its time."""
        with subprocess.Popen(["yes", "8"], stdout=subprocess.PIPE) as yes:
            with Interactive("-m", "trial", "-ocompleted", source=yes.stdout, stdout=subprocess.DEVNULL) as running:
                yes.stdout.close()
                taken = wait_for("a megabyte to be read", lambda: int(re.search(
                    rb"rchar: (\d+)", read_proc(f"{running.pid}/io"))[1]) > MEBIBYTE)
                self.assertTrue(taken)
                self.assertLess(int(re.search(rb"VmHWM:\s*(\d+) kB", read_proc(f"{running.pid}/status"))[1]) * 1024,
                                self.MOST)


if __name__ == "__main__":
    unittest.main()
