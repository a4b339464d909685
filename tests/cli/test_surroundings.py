"""Whatever a parent leaves to a program: closed descriptors, SIGPIPE ignored or blocked, a locale of its own. Every
program is run, and none writes to a stream that is not there."""

import os
import re
import signal
import subprocess
import tempfile
import unittest
from typing import NamedTuple

from harness import BIN, FAST, POOLS, PROC_POOL, PROGRAMS, SLOW, CliTest, Running, parse_json_lines, run

NOBODY_LISTENS = "http://127.0.0.1:1"
LOCALE_SOURCES = "/usr/share/i18n/locales/de_DE"


class Call(NamedTuple):
    name: str
    args: tuple


def calls(folder, numbers):
    """Every program that is built, with arguments that let it end soon."""
    downloads = ("flags", "flags_threadpool", "flags_processpool", "flags_async", "flags_threadpool_futures",
                 "flags2_sequential", "flags2_threadpool", "flags2_async")
    every = [
        *(Call(program.name, ("-n", numbers, *program.argv(2))) for program in PROGRAMS),
        *(Call("primecheck", ("-e", executor, "7", "9")) for executor in ("threads", "processes", "serial")),
        Call("demo_executor_map", ("2", "1")), Call("primes_map", ("2",)),
        Call("quicksort_processes", ()), Call("quicksort_threads", ()),
        Call("quicksort_threads", ("--recursive",)),
        *(Call(name, (f"--base-url={NOBODY_LISTENS}", f"--dest={folder}")) for name in downloads
          if name.startswith("flags_") or name == "flags"),
        *(Call(name, (f"--base-url={NOBODY_LISTENS}", f"--dest={folder}", "BR")) for name in downloads
          if name.startswith("flags2_")),
        Call("slow_server", (f"--export={folder}",)),
    ]
    return [call for call in every if os.path.exists(os.path.join(BIN, call.name))]


class Surroundings(CliTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="primepool-")
        cls.addClassCleanup(folder.cleanup)
        numbers = os.path.join(folder.name, "numbers")
        with open(numbers, "w") as file:
            file.writelines(f"{n}\n" for n in FAST)
        cls.usual = {call: run(call.name, *call.args) for call in calls(folder.name, numbers)}

    def check_each(self, expected, **options):
        """Each program ends with the code expected(usual result), and what it says begins with its name."""
        for call, usual in self.usual.items():
            with self.subTest(program=call.name, args=call.args):
                result = run(call.name, *call.args, **options)
                self.assertEqual(result.code, expected(usual), result.err)
                for line in result.err.splitlines():
                    self.assertTrue(line.startswith(f"{call.name}: "), line)

    # ---- descriptors

    def test_standard_input_and_error_closed(self):
        self.check_each(lambda usual: usual.code, prepare=lambda: [os.close(fd) for fd in (0, 2)])

    def test_standard_output_closed(self):
        for closed in ([1], [0, 1, 2]):
            with self.subTest(closed=closed):
                self.check_each(lambda usual: 3 if usual.out else usual.code,
                                prepare=lambda: [os.close(fd) for fd in closed])

    def test_standard_output_full(self):
        with open("/dev/full", "wb") as full:
            self.check_each(lambda usual: 3 if usual.out else usual.code, stdout=full)

    @unittest.skipUnless(os.path.exists(os.path.join(BIN, "slow_server")), "the build lacks a library")
    def test_no_file_takes_the_place_of_standard_output(self):
        with tempfile.NamedTemporaryFile() as log:
            with Running("slow_server", "0", f"--log={log.name}", prepare=lambda: os.close(1)) as server:
                self.assertEqual(server.finish(within=10).code, 3)
            self.assertEqual(len(log.readlines()), 1)  # its header

    # ---- SIGPIPE

    def check_broken_pipe(self, prepare):
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        self.check_each(lambda usual: -signal.SIGPIPE if usual.out else usual.code, stdout=writer, prepare=prepare)

    def test_sigpipe_ignored(self):
        self.check_broken_pipe(lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))

    def test_sigpipe_blocked(self):
        self.check_broken_pipe(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE]))


@unittest.skipUnless(os.path.exists(LOCALE_SOURCES), "no sources of locales")
class Locale(CliTest):
    """A locale in which a comma stands for the point changes neither what is read nor what is printed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="primepool-")
        self.addCleanup(folder.cleanup)
        subprocess.run(["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", f"{folder.name}/comma"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # 1: it has warned
        self.env = {"LC_ALL": "comma", "LANGUAGE": "de", "LOCPATH": folder.name}
        shown = subprocess.run(["printf", "%.1f", "1,5"], env={**os.environ, **self.env}, capture_output=True)
        self.assertEqual(shown.stdout, b"1,5")  # the locale works

    def shape(self, result):
        """The text without its numbers."""
        return result.code, re.sub(r"\d+", "0", result.out), re.sub(r"\d+", "0", result.err)

    def test_text_and_options(self):
        file = self.write(FAST)
        for program in PROGRAMS:
            argv = ["-n", file, "--order=map", "--timeout=30.5", *program.argv(1)]
            for options in ([], ["--json"], ["--stats"]):
                with self.subTest(program=program.name, options=options):
                    usual = run(program.name, *argv, *options)
                    result = run(program.name, *argv, *options, env=self.env)
                    self.assertEqual(self.shape(result), self.shape(usual))
                    self.assertEqual(result.code, 0)
                    if options == ["--json"]:
                        self.assertGreater(parse_json_lines(result.out)[-1]["summary"]["wall"], 0)

    def test_a_time_limit(self):
        file = self.write(SLOW[:1])
        result = run(PROC_POOL.name, "-n", file, "--timeout=0.125", "1", env=self.env)
        self.assertEqual(result.code, 1)
        self.assertIn(f"{SLOW[0]}  ! timed out after 0.125s\n", result.out)

    def test_a_comma_is_refused(self):
        for program in POOLS:
            result = run(program.name, "--timeout=1,5", env=self.env)
            self.check_failure(program, result, 2, "--timeout: '1,5' is not a number of seconds")

    def test_primecheck(self):
        usual, result = (run("primecheck", "--json", "7", "9", env=env) for env in ({}, self.env))
        self.assertEqual(self.shape(result), self.shape(usual))
        self.assertIn("n", parse_json_lines(result.out)[0])


if __name__ == "__main__":
    unittest.main()
