"""Files of numbers: what is accepted, and the message for what is not."""

import os
import stat
import tempfile
import unittest

from harness import FAST, MAX, PROC_POOL, PROGRAMS, CliTest, run

REFUSED = "is not a number from 0 to 18446744073709551615"


class Accepted(CliTest):
    def check_numbers(self, content, numbers):
        for program in PROGRAMS:
            with self.subTest(program=program.name, content=content):
                result = run(program.name, "-n", self.write(content), *program.argv(2))
                self.check_success(program, result, numbers, 2)

    def test_comments_and_blank_lines(self):
        self.check_numbers(b"# first\n\n7\n#8\n\n\n9\n# last\n", [7, 9])

    def test_crlf(self):
        self.check_numbers(b"# first\r\n\r\n7\r\n9\r\n", [7, 9])

    def test_no_final_newline(self):
        self.check_numbers(b"7\n9", [7, 9])

    def test_duplicates_are_kept(self):
        self.check_numbers(b"7\n7\n4\n7\n4\n", [7, 7, 7, 4, 4])

    def test_least_and_greatest(self):
        self.check_numbers(b"0\n18446744073709551615\n18446744073709551614\n1\n", [0, 1, MAX - 1, MAX])

    def test_any_order_is_sorted(self):
        self.check_numbers(b"25\n9\n18446744073709551615\n4\n100\n3\n", [3, 4, 9, 25, 100, MAX])

    def test_none(self):
        for content in (b"", b"\n", b"# nothing\n\r\n", b"# nothing"):
            self.check_numbers(content, [])

    def test_many(self):
        self.check_numbers([n % 97 for n in range(1500)], [n % 97 for n in range(1500)])

    def test_standard_input(self):
        for program in PROGRAMS:
            for option in ("-n-", "--numbers=-"):
                with self.subTest(program=program.name, option=option):
                    text = "".join(f"{n}\n" for n in FAST).encode()
                    self.check_success(program, run(program.name, option, *program.argv(2), stdin=text), FAST, 2)


class Refused(CliTest):
    def check_line(self, content, line, text):
        """Exactly one line on stderr, which names program, file, line and text."""
        file = self.write(content)
        for program in PROGRAMS:
            with self.subTest(program=program.name, content=content):
                result = run(program.name, "-n", file)
                self.assertEqual(result, (3, "", f"{program.name}: {file}:{line}: '{text}' {REFUSED}\n"))

    def test_not_numbers(self):
        for text in ("x1", "1x", "-5", "-0", "1 2", "1,2", "1.5", "1e3", "0x10", "--", "7;", "NaN",
                     "18446744073709551616", "99999999999999999999", "184467440737095516150", "36893488147419103234"):
            self.check_line(f"{text}\n".encode(), 1, text)

    def test_line_number_counts_every_line(self):
        self.check_line(b"# one\n\n7\nx1\n8\nx2\n", 4, "x1")
        self.check_line(b"# one\r\n\r\n7\r\nx1\r\n", 4, "x1")
        self.check_line(b"7\nx1", 2, "x1")

    def test_json_too(self):
        file = self.write(b"x1\n")
        self.assertEqual(run("proc_pool", "-j", "-n", file), (3, "", f"proc_pool: {file}:1: 'x1' {REFUSED}\n"))

    def test_standard_input(self):
        for program in PROGRAMS:
            with self.subTest(program=program.name):
                result = run(program.name, "-n-", stdin=b"7\nx1\n")
                self.check_failure(program, result, 3, rf"(-|stdin|standard input):2: 'x1' {REFUSED}\Z")

    def test_a_nul_does_not_end_a_number(self):
        for content in (b"7\0\n", b"7\x008\n", b"\0\n"):
            with self.subTest(content=content):
                self.check_failure(PROC_POOL, run("proc_pool", "-n", self.write(content)), 3, ".*:1: ")

    def test_long_lines(self):
        for content in (b"9" * 1000000, b"x" * 1000000 + b"\n7\n"):
            self.check_failure(PROC_POOL, run("proc_pool", "-n", self.write(content)), 3, ".*:1: ")


class Unreadable(CliTest):
    def check_file(self, file, reason, **options):
        for program in PROGRAMS:
            with self.subTest(program=program.name, file=file):
                result = run(program.name, "--numbers", file, **options)
                self.check_failure(program, result, 3, rf".*{file}.*{reason}")

    def test_missing(self):
        self.check_file("/nowhere/numbers", "No such file or directory")

    def test_directory(self):
        self.check_file("/", "Is a directory")

    def test_an_error_in_the_middle(self):
        self.check_file("/proc/self/mem", "Input/output error")  # its first page is never mapped

    def test_no_permission(self):
        directory = tempfile.mkdtemp()
        file = os.path.join(directory, "numbers")
        with open(file, "w") as stream:
            stream.write("7\n")
        self.addCleanup(os.rmdir, directory)
        self.addCleanup(os.unlink, file)
        os.chmod(directory, stat.S_IRWXU | stat.S_IROTH | stat.S_IXOTH)
        os.chmod(file, 0)
        nobody = 65534 if os.geteuid() == 0 else None  # nothing is forbidden to root
        try:
            run("proc_pool", "--version", user=nobody)
        except PermissionError:
            self.skipTest("only root may run the programs where they are")
        self.check_file(file, "Permission denied", user=nobody)

    def test_closed_standard_input(self):
        result = run("proc_pool", "-n-", prepare=lambda: os.close(0))
        self.check_failure(PROC_POOL, result, 3, ".")


if __name__ == "__main__":
    unittest.main()
