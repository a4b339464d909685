"""What the tests of --joblog and --resume share: runs that write to a file, their logs, and how they are killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from typing import NamedTuple

from harness import BIN, DEADLINE, SEQUENTIAL, CliTest, POOLS, children, kill

HEADER = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand"
ORDERED = [SEQUENTIAL, *(program for program in POOLS if program.order == "map")]
COMPLETED = [program for program in POOLS if program.order == "completed"]


HAS_FLAGS = all(os.path.exists(os.path.join(BIN, name)) for name in ("flags2_async", "slow_server"))


def random_numbers(generator, count, bad=0.002):
    """Lines, and here and there a word that is not a number: once at least."""
    once = generator.randrange(count)
    return b"".join(b"x%d " % i if i == once or generator.random() < bad else b"%d\n" % (generator.getrandbits(64) | 1)
                    for i in range(count))


class Ended(NamedTuple):
    code: int
    out: bytes
    err: str


class Item(NamedTuple):
    """A line of the log, and the object that goes with it."""
    seq: int
    started: float
    runtime: float
    sent: int
    received: int
    exit: int
    signal: int
    command: str
    more: dict


def without_times(out):
    """Lines of a prime program with what differs from run to run taken out, but for the total."""
    return re.sub(rb"[0-9.]+s$", b"s", out, flags=re.M)


class JoblogTest(CliTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="joblog-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log, self.more, self.out = (self.path(name) for name in ("log", "log.more", "out"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def put(self, path, content):
        with open(path, "wb") as file:
            file.write(content)

    def begin(self):
        """No log, and no output."""
        for path in (self.log, self.more):
            if os.path.exists(path):
                os.unlink(path)
        self.put(self.out, b"")

    def start(self, *args, source=None, err=subprocess.PIPE, mode="ab", **options):
        """A program that adds to the output; its stdin is the file `source`."""
        with open(self.out, mode) as out, open(source or os.devnull, "rb") as stdin:
            return subprocess.Popen([os.path.join(BIN, args[0]), *map(str, args[1:])], stdin=stdin, stdout=out,
                                    stderr=err, **options)

    def finish(self, process):
        err = process.communicate(timeout=DEADLINE)[1] or b""
        self.assertNotRegex(err, rb"Sanitizer|runtime error")
        return Ended(process.returncode, self.read(self.out), err.decode(errors="replace"))

    def run_to_end(self, *args, **options):
        return self.finish(self.start(*args, **options))

    def logged(self, *args, **options):
        return self.run_to_end(args[0], f"--joblog={self.log}", *args[1:], **options)

    def resumed(self, *args, **options):
        return self.logged(args[0], "--resume", *args[1:], **options)

    def items(self):
        """What the log tells of; each line must be as it should be."""
        lines = self.read(self.log).decode().split("\n")
        run, *objects = map(json.loads, self.read(self.more).decode().splitlines())
        self.assertEqual((lines[0], lines[-1], run["format"]), (HEADER, "", 1))
        self.assertEqual(len(lines) - 2, len(objects))
        found = []
        for line, more in zip(lines[1:-1], objects):
            match = re.fullmatch(r"(\d+)\t:\t(\d+\.\d{3})\t( {0,9}\d+\.\d{3})\t(\d+)\t(\d+)\t(\d+)\t(\d+)\t(.+)", line)
            self.assertTrue(match, line)
            self.assertGreaterEqual(len(match[3]), 10)
            found.append(Item(int(match[1]), float(match[2]), float(match[3]), *map(int, match.groups()[3:7]),
                              match[8].replace("\0", "\n"), more))
            self.assertEqual(more["seq"], found[-1].seq)
        self.assertEqual(len({item.seq for item in found}), len(found))
        return found

    def run_again(self, item, **options):
        """What a shell makes of the item's command."""
        return subprocess.run(["sh", "-c", item.command], capture_output=True, timeout=DEADLINE, **options)

    # ---- kills --------------------------------------------------------------------------------------

    def kill_some_worker(self, process, generator):
        """One worker process of the program, if there are any by now."""
        workers = [pid for nursery in children(process.pid) for pid in children(nursery)]
        if workers:
            kill(generator.choice(workers), signal.SIGKILL)

    def kill_at(self, process, seconds, generator, workers):
        """SIGKILL after so long, and one of the workers before. True if it was still there."""
        if workers:
            time.sleep(generator.uniform(0, seconds))
            self.kill_some_worker(process, generator)
            seconds = generator.uniform(0, seconds)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def kill_often(self, kills, generator, args, workers=False):
        """Starts it again and again until it was killed so often, each time somewhere in what is left of it; then lets
        it end."""
        self.begin()
        began = time.monotonic()
        expected = self.run_to_end(*args)
        whole = time.monotonic() - began
        self.begin()
        killed = attempts = 0
        while killed < kills and attempts < 3 * kills + 20:
            attempts += 1
            if len(self.read(self.out)) > len(expected.out) * 2 // 3:
                self.begin()  # from the beginning, so that there is something to be killed in
            process = self.start(*args, f"--joblog={self.log}", "--resume")
            killed += self.kill_at(process, generator.uniform(0, whole), generator, workers)
        self.assertGreaterEqual(killed, kills * 2 // 3)
        process = self.start(*args, f"--joblog={self.log}", "--resume")
        if workers:
            timer = threading.Timer(generator.uniform(0, whole), self.kill_some_worker, (process, generator))
            timer.start()
        result = self.finish(process)
        if workers:
            timer.join()
        return expected, result
