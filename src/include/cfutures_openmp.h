/* cfutures on OpenMP: an executor whose workers are the members of one OpenMP team.
 *
 *     cf_executor *ex;
 *     cf_openmp_create(NULL, &ex);                    // all else as in cfutures.h
 *
 * For programs that have OpenMP in them already and want one kind of thread, named, bound and sized
 * by OpenMP's own variables. It can do what a thread_pool can and is as fast; without a reason for
 * OpenMP take that. A library of its own: CMake target cfutures::openmp, -lcfutures_openmp. It
 * needs GCC's OpenMP, libgomp. */
#ifndef CFUTURES_OPENMP_H
#define CFUTURES_OPENMP_H

#include <cfutures.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* exported, as all of cfutures.h */

/* Workers are the members of a parallel region that one thread of the library's own (member 0, and
 * worker 0) holds open from the first submit until the executor is shut down and its work is done.
 * Submitted tasks, maps and streams are all shared out inside that one team.
 *
 * `options` are those of cf_thread_pool_create, NULL the defaults: max_workers 0 = cf_cpu_count
 * (or, inside a task, the worker's share), at most CF_WORKERS_MAX. On CF_OK the caller owns
 * *executor, else it is NULL. CF_EINVAL, CF_ENOMEM; CF_EUNSUPPORTED if the libcfutures that the
 * program runs with is not of the same build as this library. May be called from any thread, inside
 * parallel regions too.
 *
 *   In cfutures.h's table the column thread_pool holds for it: a task runs on a thread of this
 *   process, a crash ends the program, a run over its time is CF_EDEADLINE at once, a task may use
 *   its own executor, terminate_workers asks, kill_workers is CF_EUNSUPPORTED. A task may find out
 *   about its worker by cf_task_worker, which is omp_get_thread_num(). All signals are blocked in
 *   the workers.
 *
 *   How many    Never more than OMP_THREAD_LIMIT: cf_executor_max_workers then says that. Where the
 *               system has fewer threads, or OMP_MAX_ACTIVE_LEVELS=0 allows but one, the executor
 *               works with those that there are, and cf_stats.workers never grows beyond them; with
 *               not one, submit is CF_EAGAIN. All threads begin with the first submit, though
 *               cf_stats.workers counts one more with each. libgomp would end the program where it is
 *               refused a thread, so the library finds out how many can be had just before; another
 *               thread of the program that takes the last one between the two, or no memory at
 *               all, still ends it, with libgomp's message.
 *   The caller's own parallel regions are not touched: libgomp keeps a team for each thread that
 *               begins regions. They work before, beside and after the executor, and so do several
 *               executors. All compete for the same processors.
 *   Regions inside a task get one thread, for OpenMP counts them as the second level (the
 *               default of OMP_MAX_ACTIVE_LEVELS is 1). With more levels they get as many threads
 *               as cfutures.h says under "Nested".
 *   Inside a task, outside a region of its own: omp_in_parallel() is true and omp_get_num_threads()
 *               the number of workers, but the other members are busy with other tasks. So nothing
 *               that needs the whole team: no barrier, for, sections, single; no `omp task`
 *               without a taskwait. critical, atomic, threadprivate and locks work as anywhere.
 *   Environment OMP_NUM_THREADS and OMP_DYNAMIC have no effect on the number of workers.
 *               OMP_STACKSIZE is the stack of all workers but the first, which has the system's
 *               default; it must be one that max_workers threads can have. OMP_PROC_BIND,
 *               OMP_PLACES and GOMP_CPU_AFFINITY bind the members as those of any region, and
 *               max_workers 0 is then the processors of all places; each executor, and each region
 *               of the caller's, begins anew at the first place, so that two teams at once share
 *               processors while others idle. OMP_WAIT_POLICY: workers
 *               without a task sleep, whatever it is. Only those that are done spin, when the
 *               executor ends, until the last one is too.
 *   End         shutdown with `wait`, and destroy, return when the region has ended, the finalizers
 *               with it. The threads leave the system a moment later. An executor that is never
 *               destroyed keeps its team until the program ends.
 *   Fork        As for all executors: CF_EFORKED in the child, which may have executors of its own.
 *               libgomp itself lets a child begin parallel regions unless the thread that forked
 *               had begun one before; the executor's does not count. A process pool may so be created
 *               after it. */
cf_status cf_openmp_create(const cf_pool_options *options, cf_executor **executor);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
