"""CPython's pools, asked what bench_tasks asks the others: the same words, the same JSON.

    cpython_tasks.py QUESTION cpython_threads|cpython_processes [--workers=N] [--count=N] ...
"""

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

POOLS = {"cpython_processes": ProcessPoolExecutor, "cpython_threads": ThreadPoolExecutor}

SETTLE = 0.02  # seconds, as bench_tasks has it


def add(a, b):
    return a + b


def opened(options):
    """A pool whose workers are up."""
    pool = POOLS[options.contender](options.workers)
    for future in [pool.submit(time.sleep, SETTLE) for _ in range(options.workers)]:
        future.result()
    time.sleep(SETTLE)
    return pool


def check(result, expected):
    if result != expected:
        sys.exit(f"the result is {result} and should be {expected}")


def submit_pass(pool, count):
    futures = [pool.submit(add, i, 2 * i) for i in range(count)]
    return sum(future.result() for future in futures)


def submit(options):
    """Nanoseconds a task in each pass."""
    figures = []
    with opened(options) as pool:
        for _ in range(options.passes):
            start = time.perf_counter_ns()
            total = submit_pass(pool, options.count)
            figures.append((time.perf_counter_ns() - start) / options.count)
            check(total, 3 * options.count * (options.count - 1) // 2)
    return {"all": figures}


QUESTIONS = {"submit": submit}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("contender", choices=POOLS)
    for name, default in (("workers", 2), ("count", 10000), ("passes", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    figures = QUESTIONS[options.question](options)
    print(json.dumps({"contender": options.contender, "workers": options.workers,
                      "count": options.count, **figures}))


if __name__ == "__main__":
    main()
