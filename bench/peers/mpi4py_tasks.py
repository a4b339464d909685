"""mpi4py's pool of MPI ranks, asked what bench_tasks asks the others: the same words, the same JSON.

    mpirun -n 3 python3 -m mpi4py.futures mpi4py_tasks.py submit|map|latency mpi4py [--count=N] ...

Rank 0 runs this; the others serve.
"""

import sys

import mpi4py
import mpi4py.futures
from mpi4py import MPI

import cpython_tasks


def open_pool(workers):
    ranks = MPI.COMM_WORLD.size
    if ranks != workers + 1:
        sys.exit(f"{ranks} ranks: start one more than there are workers")
    return mpi4py.futures.MPIPoolExecutor(workers)


if __name__ == "__main__":
    if sys.argv[1:] == ["--version"]:
        print(mpi4py.__version__)
    else:
        cpython_tasks.POOLS["mpi4py"] = open_pool
        cpython_tasks.main()
