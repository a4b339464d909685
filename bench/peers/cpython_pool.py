"""CPython's ways on the same work: the peers that the benches put beside ours.

    cpython_pool.py sequential|processes|threads WORKERS < NUMBERS

Numbers come one per line on stdin and are submitted in descending order; sequential takes them in
ascending order, as ours does. Prints one JSON object: the wall time of the executor's with-block in
seconds, which of the numbers are prime, and for each number when its check began and ended
(time.perf_counter, one clock for all processes) and in which thread of which process. "gil" says whether
the interpreter lets only one thread run at a time.
"""

import json
import math
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

POOLS = {"processes": ProcessPoolExecutor, "threads": ThreadPoolExecutor}


def is_prime(n):
    if n < 3 or n % 2 == 0:
        return n == 2
    for divisor in range(3, math.isqrt(n) + 1, 2):
        if n % divisor == 0:
            return False
    return True


def check(n):
    begun = time.perf_counter()
    prime = is_prime(n)
    ended = time.perf_counter()
    return {"n": str(n), "prime": prime, "begun": begun, "ended": ended,
            "worker": f"{os.getpid()}.{threading.get_ident()}"}


def check_all(kind, workers, numbers):
    if kind == "sequential":
        return [check(n) for n in sorted(numbers)]
    with POOLS[kind](workers) as pool:
        return list(pool.map(check, sorted(numbers, reverse=True)))


def main():
    kind, workers = sys.argv[1], int(sys.argv[2])
    numbers = [int(line) for line in sys.stdin]
    start = time.perf_counter()
    checks = check_all(kind, workers, numbers)
    wall = time.perf_counter() - start
    print(json.dumps({"wall": wall, "numbers": len(numbers), "checks": checks,
                      "primes": [check["n"] for check in checks if check["prime"]],
                      "gil": getattr(sys, "_is_gil_enabled", lambda: True)()}))


if __name__ == "__main__":
    main()
