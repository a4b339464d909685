#!/usr/bin/env python3
"""Runs the suites of this folder one after the other, and prints what they counted as a table.

    run.py FOLDER [SECONDS]     FOLDER has the build; the suites share SECONDS (60)

CF_TEST_SEED is the seed of all suites; without it the clock makes one. The exit code is 0, or 1 if a suite
found a fault, did not end, or did not say what it counted, or 2 for a wrong command line."""

import os
import re
import signal
import subprocess
import sys
import time

CHAOS = os.path.dirname(os.path.abspath(__file__))

# How much of the time each suite gets: storm kills and checks most.
SUITES = [
    ("points", 0.09, "each step of a pool kills a worker, the nursery, the program"),
    ("steps", 0.15, "a worker, the nursery is killed after some number of machine instructions"),
    ("torture", 0.10, "each call to the system and to malloc fails"),
    ("storm", 0.45, "everything at random, under signals of all kinds"),
    ("programs", 0.09, "primecheck, proc_pool and the like are killed"),
    ("soak", 0.10, "memory, descriptors, processes and addresses stay flat"),
    ("groups", 0.02, "control groups are short of memory, processors, processes"),
]
COUNTED = ["kills", "tasks", "steps", "points", "calls", "lost", "duplicated", "hung", "leaked"]
FAULTS = ["lost", "duplicated", "hung", "leaked"]
SKIPPED = 77  # exit code: the machine has not what the suite needs
PATIENCE_S = 120  # beyond its time: then a suite is killed


def say(text):
    print(f"chaos: {text}", flush=True)


def command(build, suite):
    if suite == "programs":
        return [sys.executable, "-B", os.path.join(CHAOS, "programs.py")]
    return [os.path.join(build, "tests", f"chaos_{suite}")]


def run_suite(build, suite, seconds, seed):
    """Returns the counts by name, or None if the suite did not tell them, and whether all was well."""
    environment = dict(os.environ, CF_TEST_SEED=str(seed),
                       PRIMEPOOL_BIN=os.path.join(build, "bin"))
    process = subprocess.Popen(command(build, suite) + [str(seconds)], env=environment, text=True,
                               stdout=subprocess.PIPE, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds + PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        say(f"{suite} did not end in {seconds + PATIENCE_S} s and was killed")
    sys.stdout.write(output)
    if process.returncode == SKIPPED:
        say(f"{suite} was skipped")
        return None, True
    lines = re.findall(rf"^chaos {suite}: (.*)$", output, re.MULTILINE)
    if not lines:
        say(f"{suite} did not say what it counted; its exit code is {process.returncode}")
        return None, False
    counts = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", lines[-1])}
    clean = process.returncode == 0 and not any(counts[fault] for fault in FAULTS)
    return counts, clean


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        names = re.findall(r"^model name\s*: (.*)$", info.read(), re.MULTILINE)
    return f"{len(names)} x {names[0]}" if names else os.uname().machine


def number(value):
    return f"{value:,}".replace(",", " ")


def print_table(rows, seconds, seed):
    print(f"\n`tests/run --chaos {seconds}`, seed {seed}, {time.strftime('%Y-%m-%d')}, {processor()}\n")
    print("| suite | " + " | ".join(COUNTED) + " |")
    print("| --- |" + " ---: |" * len(COUNTED))
    total = dict.fromkeys(COUNTED, 0)
    for suite, counts in rows:
        print(f"| {suite} | " + " | ".join(number(counts[name]) for name in COUNTED) + " |")
        for name in COUNTED:
            total[name] += counts[name]
    print("| all | " + " | ".join(f"**{number(total[name])}**" for name in COUNTED) + " |", flush=True)


def main(arguments):
    seconds = arguments[1] if len(arguments) == 2 else "60"
    if not 1 <= len(arguments) <= 2 or not seconds.isascii() or not seconds.isdigit() or int(seconds) == 0:
        print(__doc__.split("\n\n", 2)[1], file=sys.stderr)
        return 2
    build = os.path.abspath(arguments[0])
    seed = int(os.environ.get("CF_TEST_SEED") or time.time_ns() % 10**12)
    rows, all_clean = [], True
    for suite, share, what in SUITES:
        time_s = max(1, round(int(seconds) * share))
        say(f"{suite}, {time_s} s: {what}")
        counts, clean = run_suite(build, suite, time_s, seed)
        all_clean = all_clean and clean
        if counts is not None:
            rows.append((suite, counts))
    print_table(rows, seconds, seed)
    say("no fault was found" if all_clean else "FAULTS WERE FOUND, see above")
    return 0 if all_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
