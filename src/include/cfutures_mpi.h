/* cfutures on MPI: an executor whose workers are the ranks of an MPI job, on one machine or many.
 *
 *     int main(void) {                                // mpirun -n 9 ./program
 *         cf_executor *ex;
 *         cf_status status = cf_mpi_create(NULL, NULL, &ex);
 *         if (status == CF_ESERVED)
 *             return 0;                               // ranks 1 to 8: rank 0 is done
 *         ...                                         // rank 0: all else as in cfutures.h
 *         cf_executor_destroy(ex);
 *     }
 *
 * Rank 0 runs the program. In each other rank cf_mpi_create does not return before rank 0 has shut the
 * executor down: the rank runs tasks, in a pool of its own. A library of its own: CMake target
 * cfutures::mpi, -lcfutures_mpi. It needs MPI 3 (Open MPI, MPICH). */
#ifndef CFUTURES_MPI_H
#define CFUTURES_MPI_H

#include <cfutures.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* exported, as all of cfutures.h */

/* How a rank runs its tasks. */
typedef enum cf_mpi_pool {
    CF_MPI_PROCESSES, /* in a process pool: a crash affects only its task */
    CF_MPI_THREADS,   /* in a thread pool: a crash ends the rank */
} cf_mpi_pool;

typedef struct cf_mpi_options {
    cf_mpi_pool pool;

    /* Workers of each rank. 0 = the processors that the rank may use (cf_cpu_count), shared with the
     * other ranks on its machine that may use the same ones and run tasks; or the rank's share of
     * cf_pool_options.max_workers, if that is given. */
    unsigned workers_per_rank;

    /* Rank 0 runs tasks too, in a pool of its own. If it is the only rank, it always does. */
    bool use_rank_0;

    /* Nanoseconds. A rank from which nothing has come for so long is lost. 0 = 10 s. Each rank answers
     * several times in that time, however long its tasks are. */
    int64_t silence_ns;

    /* Nanoseconds that rank 0 waits for the other ranks to call cf_mpi_create. 0 = 60 s. If it is
     * cf_mpi_create that initialises MPI, MPI first waits for all ranks, without a limit. */
    int64_t gather_ns;

    /* Rank 0 tells of each rank that is lost, in a sentence without a line's end. Called on a thread of
     * the library's own, with no lock held; must not use the executor. NULL = tells nobody. */
    void (*report)(void *context, const char *sentence);
    void *report_context;
} cf_mpi_options;

/* All ranks must call it, each with the same options, at the same place of the same program. The first
 * call initialises MPI if the program has not done so, and then MPI is finalised at exit.
 *
 * CF_OK       in rank 0, which owns *executor. Its max_workers is the sum of the ranks' workers; worker
 *             numbers go up with the ranks
 * CF_ESERVED  in the other ranks, when the executor is shut down and its work is done. They should
 *             return from main. They may also call cf_mpi_create again, if rank 0 will too
 * Else *executor is NULL in all ranks, and cf_mpi_reason says why: CF_EINVAL (options, also
 * max_workers beside workers_per_rank), CF_ENOMEM, CF_EAGAIN, CF_ETIMEDOUT (a rank has not called in gather_ns),
 * CF_EUNSUPPORTED: another executor on MPI lives; this process is a fork of the one that has joined the
 * job; MPI was initialised with less than
 * MPI_THREAD_SERIALIZED; a rank runs another build of the program; the libcfutures is not of the same
 * build as this library; more than CF_WORKERS_MAX workers; MPI fails.
 *
 *   Workers     max_workers are those of all ranks, shared out evenly: the first ranks get one more,
 *               and the last may get none.
 *   Options     Of cf_pool_options, each rank's pool has initializer, finalizer, context, name,
 *               max_tasks_per_worker, the options for processes, and stack_size. They are that rank's
 *               own: `context` points to its own memory. The others concern rank 0.
 *   Tasks       A task's function must lie in the program or in a library that every rank has loaded, of
 *               the same build. Addresses may differ. If a rank does not have it, the task ends with
 *               CF_ETASK and task_error ENOSYS. Arguments and results travel as bytes: pointers in
 *               them mean nothing in another rank. A task cannot use the executor.
 *   Ahead       If tasks are short, some are sent before workers are free. Such a task is RUNNING: it can no
 *               longer be cancelled, also not by a shutdown that cancels. It waits for those before it. If
 *               that takes long, and a worker has nothing to do, it is called back and runs there. Of a map
 *               or stream a chunk is sent as a whole: its items wait for each other, and are not shared
 *               out again.
 *   Workers'    cf_worker_stats: `id` is the process id of the worker's rank; restarts and retired are
 *     figures   counted with the first worker of each rank. Which of a rank's workers runs a task is
 *               up to the rank: cf_task_worker is right, and `worker` of cf_info another one at times.
 *   Deaths      A worker that dies affects only its task, as in a process pool.
 *   Lost ranks  With Open MPI, mpirun --enable-recovery keeps the job when a rank dies. (mpirun then exits
 *               with 0 whatever the program returns.) The rank's tasks run again in other ranks, without
 *               costing them retries. So a task may run more than once. A task that three ranks were lost
 *               with, the last two while they ran it, ends with CF_EWORKER, as if killed by SIGKILL. When no
 *               rank is left, the pool is broken. A rank that was only silent (stopped, cut off) is
 *               dismissed when it is heard again: its tasks end, its late answers do not count, and its
 *               cf_mpi_create returns CF_ESERVED. Without that option mpirun ends the whole job when a rank
 *               dies, and Open MPI's names the rank.
 *   Time        Each rank enforces time limits by its own pool. cf_task_cancelled works.
 *   Threads     All calls of MPI are made on one thread of the library's own; only initialisation and
 *               finalisation are made by the callers of cf_mpi_create and exit. While the executor
 *               lives, rank 0 must make no calls of MPI itself unless MPI was initialised with
 *               MPI_THREAD_MULTIPLE.
 *   Processes   The rank's pool is created before MPI is initialised, if the program has not
 *               initialised it. So its processes have nothing of MPI's.
 *   Idle        Ranks without work look for messages with growing pauses, up to a millisecond.
 *   Exit        Rank 0 may exit while the executor lives: tasks are cut short, and the other ranks end. At
 *               their own exit the others wait for rank 0's, in pauses.
 *   End         When mpirun has ended in any way, the ranks end within two seconds: with a SIGTERM, which
 *               rank 0 may catch, then with _exit. So do the ranks when rank 0 has ended. On another machine
 *               they notice after silence_ns. */
cf_status cf_mpi_create(const cf_pool_options *options, const cf_mpi_options *mpi,
                        cf_executor **executor);

/* Why the calling thread's last cf_mpi_create failed: a sentence without a line's end, which names the
 * rank if one is the cause. Static, the thread's own. */
const char *cf_mpi_reason(void);

/* The executor's ranks, those that are lost among them, and those that run tasks, without the lost
 * ones. CF_EINVAL: it is not an executor on MPI. */
cf_status cf_mpi_ranks(cf_executor *executor, unsigned *ranks, unsigned *working);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
