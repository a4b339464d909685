"""What the tests of the download programs share: running one into a folder of its own, and what its report says."""

import json
import os
import re
import tempfile
import threading
import time
from typing import NamedTuple

from harness import BIN, DEADLINE, CliTest, Result, Running, read_proc

STYLES = ("flags2_sequential", "flags2_threadpool", "flags2_async")
SIMPLE = ("flags", "flags_threadpool", "flags_processpool", "flags_async", "flags_threadpool_futures")
MOST = {"flags2_sequential": 1, "flags2_threadpool": 1000, "flags2_async": 1000}  # connections
DEFAULT = {"flags2_sequential": 1, "flags2_threadpool": 30, "flags2_async": 5}

with open(os.path.join(os.path.dirname(__file__), "../../data/country_codes.txt")) as _file:
    COUNTRY_CODES = sorted(re.findall(r"^([A-Z]{2})\b", _file.read(), re.M))
EVERY = [a + b for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
POP20 = "BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN".split()

# No proxy of the machine's, whatever it has.
DIRECT = {**{name: "" for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")},
          "no_proxy": "*", "NO_PROXY": "*"}

with open(os.path.join(BIN, "flags2_async"), "rb") as _program:
    SANITIZED = b"__asan_init" in _program.read()  # takes memory of its own


class Download(NamedTuple):
    result: Result
    files: dict  # name: content, of all that is in the folder
    seconds: float
    peak: int  # bytes of memory, 0 if that was not measured

    def verbose(self):
        """(code, what became of it), in the order of the lines that -v adds."""
        lines = self.result.lines()[3:]
        return [tuple(line.split(" ", 1)) for line in lines[:lines.index("-" * 20)]]

    def counts(self):
        """downloaded, not found, errors: of the report at the end."""
        text = self.result.out.partition("-" * 20 + "\n")[2]
        match = re.fullmatch(r"(\d+) flags? downloaded\.\n(?:(\d+) not found\.\n)?(?:(\d+) errors?\.\n)?"
                             r"Elapsed time: \d+\.\d\ds\n", text)
        if not match:
            raise AssertionError(f"not a report: {self.result}")
        return tuple(int(group or 0) for group in match.groups())

    def records(self):
        """What --json says of each code; and the summary."""
        *records, summary = [json.loads(line) for line in self.result.lines()]
        return {record["cc"]: record for record in records}, summary["summary"]


def download(program, url, *args, within=DEADLINE, options=(), env=DIRECT, measure=False):
    """Runs it; `measure`: and looks at its memory all the time, which takes a processor's time from the others."""
    with tempfile.TemporaryDirectory(prefix="flags-") as folder:
        target = os.path.join(folder, "downloaded")
        start = time.monotonic()
        peak = 0
        with Running(program, f"--base-url={url}", f"--dest={target}", *options, *args, env=env) as running:
            ended = threading.Event()

            def watch():
                nonlocal peak
                while not ended.wait(0.005):
                    if match := re.search(rb"VmHWM:\s*(\d+) kB", read_proc(f"{running.pid}/status")):
                        peak = int(match[1]) * 1024

            watcher = threading.Thread(target=watch)
            if measure:
                watcher.start()
            try:
                result = running.finish(within)
            finally:
                ended.set()
                if measure:
                    watcher.join()
        seconds = time.monotonic() - start
        files = {}
        for name in os.listdir(target) if os.path.isdir(target) else ():
            with open(os.path.join(target, name), "rb") as file:
                files[name] = file.read()
        return Download(result, files, seconds, peak)


def together(functions):
    """Calls them side by side, and returns what they return; the first failure is raised."""
    results, failures = [None] * len(functions), []

    def call(index):
        try:
            results[index] = functions[index]()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


class TransferTest(CliTest):
    def in_each_style(self, function):
        """function(program) in all three side by side; what each returned by its program."""
        return dict(zip(STYLES, together([lambda program=program: function(program) for program in STYLES])))

    def check_exit(self, downloaded, code):
        """Stderr has nothing but the first error, and that only in a report without a line for each."""
        result = downloaded.result
        self.assertEqual(result.code, code, result)
        listed = code == 0 or "-" * 20 not in result.lines()[3:4]
        self.assertRegex(result.err, r"\A\Z" if listed else r"\A\w+: first error: [A-Z]{2}: .+\n\Z", result.out)

    def check_counts(self, downloaded, counts):
        self.check_exit(downloaded, 1 if counts[2] else 0)
        self.assertEqual(downloaded.counts(), counts)

    def check_refused(self, url, options, message, env=DIRECT):
        """An error of each code, and never tried again."""
        for program, downloaded in self.in_each_style(lambda program: download(
                program, url, "br", "us", options=["--json", "--retries=3", *options], env=env)).items():
            with self.subTest(program=program, url=url, options=options):
                self.check_exit(downloaded, 1)
                records, summary = downloaded.records()
                self.assertEqual((summary["errors"], downloaded.files), (2, {}))
                for record in records.values():
                    self.assertEqual((record["status"], record["attempts"]), ("error", 1))
                    self.assertRegex(record["error"], message)
