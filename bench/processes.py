"""Starts the programs that are measured, and leaves none of them behind."""

import os
import pathlib
import signal
import subprocess

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
