"""CPython's pools on the same work: the peer that the scaling bench puts beside ours.

    cpython_pool.py processes|threads WORKERS < NUMBERS

Numbers come one per line on stdin and are submitted in descending order. Prints one JSON object:
the wall time of the executor's with-block in seconds, and which of the numbers are prime.
"""

import json
import math
import sys
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


def main():
    kind, workers = sys.argv[1], int(sys.argv[2])
    numbers = sorted((int(line) for line in sys.stdin), reverse=True)
    start = time.perf_counter()
    with POOLS[kind](workers) as pool:
        verdicts = list(pool.map(is_prime, numbers))
    wall = time.perf_counter() - start
    primes = [str(n) for n, prime in zip(numbers, verdicts) if prime]
    print(json.dumps({"wall": wall, "numbers": len(numbers), "primes": primes}))


if __name__ == "__main__":
    main()
