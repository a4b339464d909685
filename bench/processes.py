"""Starts the programs that are measured, and leaves none of them behind."""

import os
import signal
import subprocess

from engine import BenchError

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
