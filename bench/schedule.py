"""What list scheduling allows.

A pool hands tasks out in the order of submission, each to the worker that is free first. Given how
long every task takes, that fixes how long the whole list takes, whoever runs it: no pool that keeps
the order can be faster, and a perfect one is exactly as fast.
"""

import heapq
import math


def makespan(times, workers, cores=math.inf):
    """Duration of the tasks `times` (seconds, in order of submission) on `workers` workers.

    Workers beyond the number of cores share them fairly. All running tasks then advance at one
    common pace, so each can be given its end on a clock of that pace when it starts.

    >>> makespan([3, 2, 2], workers=1)
    7.0
    >>> makespan([3, 2, 2], workers=2)
    4.0
    >>> makespan([2, 2, 3], workers=2)
    5.0
    >>> makespan([1, 1, 1, 1], workers=4, cores=2)
    2.0
    >>> makespan([3, 1], workers=2, cores=1)
    4.0
    >>> makespan([], workers=2)
    0.0
    """
    wall = pace_clock = 0.0
    ends = []

    def finish_first():
        nonlocal wall, pace_clock
        slowdown = max(1.0, len(ends) / cores)
        end = heapq.heappop(ends)
        wall += (end - pace_clock) * slowdown
        pace_clock = end

    for seconds in times:
        if len(ends) == workers:
            finish_first()
        heapq.heappush(ends, pace_clock + seconds)
    while ends:
        finish_first()
    return wall


def speedup_bound(times, workers, cores=math.inf):
    """The most that `workers` workers can gain over one on these tasks in this order.

    >>> speedup_bound([3, 2, 2], workers=2)
    1.75
    """
    return sum(times) / makespan(times, workers, cores)
