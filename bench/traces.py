"""Reads what --trace=FILE writes: which worker ran which task, and when."""

import dataclasses
import json

from engine import BenchError


@dataclasses.dataclass(frozen=True)
class TracedRun:
    worker: int    # from 0
    begin: float   # seconds since the trace's time 0, which the program chooses
    end: float
    handed: float  # when its result was printed


def read_trace(path):
    """The last run of each task, by the name that the program's user knows it by."""
    try:
        events = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: not a trace: {error}") from error
    runs = {event["args"]["task"]: event for event in events if event.get("cat") == "run"}
    handed = [event for event in events if event.get("cat") == "handed out"]
    return {event["args"]["label"]: traced_run(runs[event["args"]["item"]], event) for event in handed}


def traced_run(run, handed):
    """
    >>> traced_run({"tid": 2, "ts": 2e6, "dur": 5e5}, {"ts": 3e6})
    TracedRun(worker=1, begin=2.0, end=2.5, handed=3.0)
    """
    return TracedRun(run["tid"] - 1, run["ts"] / 1e6, (run["ts"] + run["dur"]) / 1e6, handed["ts"] / 1e6)
