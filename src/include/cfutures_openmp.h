/* cfutures on OpenMP: an executor whose workers are the members of one OpenMP team.
 *
 *     cf_executor *ex;
 *     cf_openmp_create(NULL, &ex);                    // all else as in cfutures.h
 *
 * For programs that use OpenMP already and want one kind of thread, with the stack and the binding
 * of OpenMP's variables. It can do what a thread_pool can and is about as fast. Without a reason
 * for OpenMP take a thread_pool. A library of its own: CMake target cfutures::openmp,
 * -lcfutures_openmp. It needs GCC's OpenMP, libgomp. */
#ifndef CFUTURES_OPENMP_H
#define CFUTURES_OPENMP_H

#include <cfutures.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default) /* exported, as all of cfutures.h */

/* Workers are the members of a parallel region. A thread of the library's own holds the region
 * open, from the first submit until the executor is shut down and its work is done. That thread is
 * member 0 and worker 0. Submitted tasks, maps and streams are all shared out inside that one team.
 *
 * `options` are those of cf_thread_pool_create, NULL means the defaults. max_workers is at most
 * CF_WORKERS_MAX; 0 = cf_cpu_count, or inside a task the worker's share. On CF_OK the caller owns
 * *executor, else *executor is NULL. CF_EINVAL, CF_ENOMEM. CF_EUNSUPPORTED if the libcfutures that
 * the program runs with is not of the same build as this library. May be called from any thread,
 * also inside parallel regions.
 *
 *   Abilities   As in the column thread_pool of cfutures.h's table. A task runs on a thread of this
 *               process, a crash ends the program, a run over its time is CF_EDEADLINE at once. A
 *               task may use its own executor. terminate_workers asks, kill_workers is
 *               CF_EUNSUPPORTED. cf_task_worker is the worker's omp_get_thread_num().
 *   How many    Never more than OMP_THREAD_LIMIT: then cf_executor_max_workers is that limit. The
 *               system may have fewer threads, and OMP_MAX_ACTIVE_LEVELS=0 allows only one. The
 *               executor then works with those that there are, and cf_stats.workers does not grow
 *               beyond them. If there is not one, submit returns CF_EAGAIN. All threads begin with
 *               the first submit, but cf_stats.workers counts one more with each submit.
 *               libgomp ends the program if the system refuses it a thread. So the library finds
 *               out just before how many threads are available, with the stack of OMP_STACKSIZE. If
 *               a sandbox refuses to bind threads to places, there is one. The program still ends,
 *               with libgomp's message, in three cases: another of its threads takes the last one
 *               in between; memory runs out; all processors of a place are taken away from the
 *               program (a cpuset).
 *   Caller      The caller's own parallel regions are not touched: libgomp keeps a team for each
 *               thread that begins regions. They work before, beside and after the executor, and so
 *               do several executors. All compete for the same processors.
 *   Inner       A parallel region inside a task gets one thread, because OpenMP counts it as the
 *               second level (the default of OMP_MAX_ACTIVE_LEVELS is 1). With more levels it gets
 *               as many threads as cfutures.h says under "Nested".
 *   In a task   Outside a region of the task's own, omp_in_parallel() is true and
 *               omp_get_num_threads() is the number of workers. But the other members are busy with
 *               other tasks. So a task must not use anything that needs the whole team: no barrier,
 *               for, sections or single, and no `omp task` without a taskwait. critical, atomic,
 *               threadprivate and locks work as anywhere.
 *   Environment OMP_NUM_THREADS and OMP_DYNAMIC have no effect on the number of workers.
 *               OMP_STACKSIZE is the stack of all workers but the first, which has the system's
 *               default. libgomp reports values that it cannot read on standard error when the
 *               program starts, and ignores them.
 *               OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY bind the members like those of any
 *               region; max_workers 0 is then the processors of all places. Each executor, and each
 *               region of the caller's, begins anew at the first place. So two teams at once share
 *               processors while others idle. OMP_WAIT_POLICY does not matter: workers without a
 *               task sleep. Only when the executor ends, those that are done spin until the last
 *               one is done too.
 *   Signals     Workers block what a thread_pool's workers block; keep_signal_mask works too.
 *   Files       The team has no descriptors: the program may close all.
 *   End         shutdown with `wait`, and destroy, return when the region has ended and the
 *               finalizers have run. The threads leave the system a moment later. An executor that
 *               is never destroyed keeps its team until the program ends.
 *   Fork        As for all executors: CF_EFORKED in the child, which may have executors of its own.
 *               If a task forks, and the child returns from the task too, the child ends there.
 *               libgomp lets a child begin parallel regions, unless the thread that forked had
 *               begun one before. The executor's region does not count, so a process pool may be
 *               created after it. */
cf_status cf_openmp_create(const cf_pool_options *options, cf_executor **executor);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
