"""Outputs that cannot be written, pipes that nobody reads, streams that are not there."""

import os
import resource
import signal
import unittest

from harness import FAST, MEDIUM, POOLS, PROC_POOL, PROGRAMS, CliTest, Running, run


class CannotWrite(CliTest):
    """Exit 3 and a message, whatever was to be written."""

    def argvs(self, program):
        file = self.write(FAST)
        return (["-n", file, *program.argv(2)], ["-jn", file, *program.argv(2)], ["-Sn", file, *program.argv(2)],
                ["--help"], ["--usage"], ["--version"])

    def test_full(self):
        for program in PROGRAMS:
            for argv in self.argvs(program):
                with self.subTest(program=program.name, argv=argv), open("/dev/full", "wb") as full:
                    result = run(program.name, *argv, stdout=full)
                    reason = "." if argv[0].startswith("--") else ".*No space left on device"
                    self.check_failure(program, result, 3, reason)

    def test_closed(self):
        for program in PROGRAMS:
            for argv in self.argvs(program):
                with self.subTest(program=program.name, argv=argv):
                    result = run(program.name, *argv, prepare=lambda: os.close(1))
                    self.check_failure(program, result, 3, ".")

    def test_a_usage_error_stays_one(self):
        with open("/dev/full", "wb") as full:
            self.assertEqual(run("proc_pool", "0", stdout=full).code, 2)


class ClosedPipe(CliTest):
    def test_from_the_start(self):
        file = self.write(FAST)
        for program in PROGRAMS:
            for argv in (["-n", file], ["-jn", file], ["--help"]):
                with self.subTest(program=program.name, argv=argv):
                    reader, writer = os.pipe()
                    os.close(reader)
                    try:
                        result = run(program.name, *argv, stdout=writer)
                    finally:
                        os.close(writer)
                    self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))

    def test_after_the_first_line(self):
        file = self.write(MEDIUM[-1:])
        for program in PROGRAMS:
            reader, writer = os.pipe()
            argv = ["-n", file, *program.argv(2)]
            with self.subTest(program=program.name), Running(program.name, *argv, stdout=writer) as running:
                os.close(writer)
                self.assertEqual(os.read(reader, 4096).decode(), program.header(1, 2) + "\n")
                os.close(reader)
                result = running.finish()
                self.assertEqual((result.code, result.err), (-signal.SIGPIPE, ""))


class MissingStreams(CliTest):
    """Descriptors 0 and 2 may be taken by the pool's own memory then; nothing may be written into that."""

    def test_standard_input_and_error_closed(self):
        file = self.write(FAST)
        for program in PROGRAMS:
            for closed in ([0], [2], [0, 2]):
                with self.subTest(program=program.name, closed=closed):
                    result = run(program.name, "-n", file, *program.argv(2),
                                 prepare=lambda: [os.close(fd) for fd in closed])
                    self.check_success(program, result, FAST, 2)


class Limits(CliTest):
    def test_a_small_file_size_limit(self):
        """The shared memory is no file of the user's: SIGXFSZ must not end the program."""
        file = self.write(FAST)
        for program in POOLS:
            with self.subTest(program=program.name):
                result = run(program.name, "-n", file, "2",
                             prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
                if program.kind == "process_pool" and result.code != 0:
                    self.assertIn(result.code, (1, 3))
                    self.assertTrue(result.err.startswith(f"{program.name}: "), result.err)
                else:
                    self.check_success(program, result, FAST, 2)

    def test_few_descriptors(self):
        file = self.write(FAST)
        result = run("proc_pool", "-n", file, "2",
                     prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)))
        self.check_success(PROC_POOL, result, FAST, 2)


if __name__ == "__main__":
    unittest.main()
