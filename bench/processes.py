"""Starts the programs that are measured, and leaves none of them behind."""

import dataclasses
import os
import pathlib
import select
import signal
import subprocess
import time

from engine import BenchError, first_match

PROC = pathlib.Path("/proc")

HUNG = 1800  # seconds; far more than the slowest case takes


def launch(case, command, copies, stdin):
    """Starts the copies together and waits for them; their outputs.

    Each has a session of its own: a Ctrl-C is the bench's alone, which then stops them whole.
    """
    children = []
    try:
        for _ in range(copies):
            children.append(subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                                             stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                             start_new_session=True))
        outputs = [child.communicate(stdin, timeout=HUNG)[0] for child in children]
    except OSError as error:
        raise BenchError(f"{case}: cannot be started: {error.strerror}: {command[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{case}: no end after {HUNG} s") from error
    finally:
        for child in children:
            stop(child)
    for child in children:
        if child.returncode != 0:
            raise BenchError(f"{case}: exit code {child.returncode}")
    return outputs


def stop(child):
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)  # its workers too: CPython's would stay
        child.wait()


@dataclasses.dataclass(frozen=True)
class Run:
    wall: float  # seconds from before its start until it was known to have ended
    cpu: float   # seconds of processor time, with its children's
    output: str
    begun: float  # when it was started, by time.perf_counter
    lines: tuple = ()  # of `watched`: when each line of the output arrived, by the same clock


def timed(case, command, folder, stdin="", environment=None, allowed=(0,)):
    """Runs one short program to its end. What it says goes to files in `folder`, as reading it
    meanwhile would take time from it; `allowed` are the exit codes that are no failure."""
    (folder / "stdin").write_text(stdin, encoding="utf-8")
    with (open(folder / "stdin", "rb") as source, open(folder / "stdout", "wb") as out,
          open(folder / "stderr", "wb") as messages):
        start = time.perf_counter()
        try:
            child = subprocess.Popen(command, stdin=source, stdout=out, stderr=messages,
                                     env=environment, start_new_session=True)
        except OSError as error:
            raise BenchError(f"{case}: cannot be started: {error.strerror}: "
                             f"{command[0]}") from error
        try:
            cpu = wait_for(case, child)
            wall = time.perf_counter() - start
        finally:
            stop(child)
    if child.returncode not in allowed:
        said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")[-500:].strip()
        raise BenchError(f"{case}: exit code {child.returncode}: {said}")
    output = (folder / "stdout").read_text(encoding="utf-8", errors="replace")
    return Run(wall, cpu, output, start)


def watched(case, command, stdin=""):
    """The same, reading its output as it comes, to know when each line came; `stdin` is short."""
    start = time.perf_counter()
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 start_new_session=True)
    except OSError as error:
        raise BenchError(f"{case}: cannot be started: {error.strerror}: {command[0]}") from error
    try:
        with child.stdin as pipe:
            pipe.write(stdin.encode())
        output, arrivals = read_lines(case, child.stdout.fileno())
        cpu = wait_for(case, child)
        wall = time.perf_counter() - start
    finally:
        stop(child)
        child.stdout.close()
    if child.returncode != 0:
        raise BenchError(f"{case}: exit code {child.returncode}")
    return Run(wall, cpu, output.decode("utf-8", "replace"), start, tuple(arrivals))


def read_lines(case, descriptor):
    """All of it, and the moment at which each line's end came."""
    output, arrivals = b"", []
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    while True:
        if not readable.poll(HUNG * 1000):
            raise BenchError(f"{case}: nothing for {HUNG} s")
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return output, arrivals
        arrivals += [time.perf_counter()] * piece.count(b"\n")
        output += piece


def wait_for(case, child):
    """Its processor time. Python's own wait with a limit looks only every 50 ms."""
    descriptor = os.pidfd_open(child.pid)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        if not ended.poll(HUNG * 1000):
            raise BenchError(f"{case}: no end after {HUNG} s")
    finally:
        os.close(descriptor)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # Popen shall not wait for it again
    return usage.ru_utime + usage.ru_stime


def greatest_memory(case, command, folder, stdin="", environment=None):
    """Bytes that it had resident at most, looked at every millisecond: for a run that is not timed.
    (What wait4 tells is never less than this script's own.)"""
    (folder / "stdin").write_text(stdin, encoding="utf-8")
    with open(folder / "stdin", "rb") as source:
        child = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env=environment,
                                 start_new_session=True)
        kilobytes = 0
        try:
            while child.poll() is None:
                found = first_match(PROC / str(child.pid) / "status", r"^VmHWM:\s*(\d+) kB$")
                kilobytes = int(found or kilobytes)
                time.sleep(0.001)
        finally:
            stop(child)
    if child.returncode != 0:
        raise BenchError(f"{case}: exit code {child.returncode}")
    return kilobytes * 1024


# ---- what a process and its descendants take ---------------------------------------------------


def family(ancestor):
    """The process and all its descendants, by number."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            parent = first_match(entry / "status", r"^PPid:\s*(\d+)$")
            if parent:
                children.setdefault(int(parent), []).append(int(entry.name))
    found = [ancestor]
    for process in found:
        found += children.get(process, [])
    return found


def memory_of(ancestor):
    """Bytes: what processes share is counted once, each having its share of it."""
    shares = [first_match(PROC / str(process) / "smaps_rollup", r"^Pss:\s*(\d+) kB$")
              for process in family(ancestor)]
    return sum(int(share or 0) * 1024 for share in shares)


def cpu_ns_of(ancestor):
    """Of all threads that there are."""
    times = [first_match(path, r"^(\d+) ") for process in family(ancestor)
             for path in (PROC / str(process)).glob("task/*/schedstat")]
    return sum(int(time or 0) for time in times)
