"""CPython's pools, asked what bench_tasks asks the others: the same words, the same JSON.

    cpython_tasks.py QUESTION cpython_threads|cpython_processes [--workers=N] [--count=N] ...
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

POOLS = {"cpython_processes": ProcessPoolExecutor, "cpython_threads": ThreadPoolExecutor}

SETTLE = 0.02  # seconds, as bench_tasks has it
WARM_UP = 100  # likewise
CHUNK = 1000   # items of a map that travel together


def add(a, b):
    return a + b


def increment(n):
    return n + 1


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


def submitted(pool, count):
    return [pool.submit(add, i, 2 * i) for i in range(count)]


def check_results(futures):
    count = len(futures)
    check(sum(future.result() for future in futures), 3 * count * (count - 1) // 2)


def submit(options):
    """Nanoseconds a task in each pass."""
    def one_pass():
        check_results(submitted(pool, options.count))

    with opened(options) as pool:
        return {"all": [timed(one_pass) / options.count for _ in range(options.passes)]}


def timed(run):
    start = time.perf_counter_ns()
    run()
    return time.perf_counter_ns() - start


def map_items(options):
    """Nanoseconds of all items in each pass; and of a plain loop over them."""
    def in_pool():
        check(sum(pool.map(increment, range(options.count), chunksize=CHUNK)), expected)

    def in_loop():
        check(sum(map(increment, range(options.count))), expected)

    expected = options.count * (options.count + 1) // 2
    with opened(options) as pool:
        figures = [(timed(in_pool), timed(in_loop)) for _ in range(options.passes)]
    return dict(zip(("ns", "loop"), zip(*figures)))


def latency(options):
    """Microseconds: median, 99th percentile and most."""
    def round_trip():
        check(pool.submit(add, 1, 2).result(), 3)

    times = []
    with opened(options) as pool:
        for _ in range(WARM_UP):
            round_trip()
        for _ in range(options.count):
            if options.pause:
                time.sleep(options.pause / 1e6)
            times.append(timed(round_trip) / 1000)
    times.sort()
    return {"median": [times[len(times) // 2]], "p99": [times[-1 - len(times) // 100]],
            "most": [times[-1]]}


def wait_at(gate):
    os.read(gate, 1)


def look_at_me(done):
    print(json.dumps({"at": done}), flush=True)
    sys.stdin.readline()


def memory(options):
    """All workers are held by a task each, while so many others are submitted."""
    gate, key = os.pipe()
    with opened(options) as pool:
        holding = [pool.submit(wait_at, gate) for _ in range(options.workers)]
        time.sleep(SETTLE)
        look_at_me(0)
        futures = submitted(pool, options.count)
        look_at_me(options.count)
        os.write(key, b"." * len(holding))
        check_results(futures)
    return {}


QUESTIONS = {"submit": submit, "map": map_items, "latency": latency, "memory": memory}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("question", choices=QUESTIONS)
    parser.add_argument("contender", choices=POOLS)
    for name, default in (("workers", 2), ("count", 10000), ("passes", 6), ("pause", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    figures = QUESTIONS[options.question](options)
    print(json.dumps({"contender": options.contender, "workers": options.workers,
                      "count": options.count, **figures}))


if __name__ == "__main__":
    main()
