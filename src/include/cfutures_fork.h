/* cfutures: fork-join. A task forks jobs, which idle workers of its pool may steal.
 *
 *      static void sum(cf_strand *strand, void *job) {
 *          node *n = job;
 *          if (n->left != NULL) {
 *              cf_both(strand, sum, n->left, sum, n->right);
 *              n->value += n->left->value + n->right->value;
 *          }
 *      }
 *      cf_executor_run(pool, sum, &root, NULL);
 *
 * A fork is a permission: another worker may run the job while the forker does something else. If
 * nobody has taken it, the forker runs it itself; that costs a few nanoseconds. So fork as much as
 * there is to fork, and let small parts run as plain calls only where the call itself is dear.
 *
 * Strand      What a task forks with, and what its jobs are given. It belongs to the thread that runs
 *             the task or job, until that returns. Never give it to another thread.
 * Nothing     A fork cannot fail. What hinders sharing leaves the job with its forker: a pool of one
 *   fails     worker, more than CF_FORKS_SHARED jobs at once on one strand, no memory, a full pool
 *             (max_pending), a pool that was shut down, a kernel without membarrier.
 * Executors   Workers of thread_pool and of openmp steal from each other. On serial and process_pool the
 *             same code runs, and shares nothing.
 * Stolen      A stolen job is a task of its own: cf_stats counts it, and a wait that could never end is
 *             found (CF_EDEADLOCK). Jobs that nobody stole leave no trace.
 * Joins       Whoever takes a job that was stolen waits for its end, and meanwhile helps: it runs
 *             tasks and jobs that descend from the stolen one, and no others.
 * Limits      Time limit, cancellation and cf_executor_terminate_workers are those of the task that has
 *             forked. Long jobs ask cf_strand_cancelled.
 * Stack       A level of recursion takes some 64 bytes beside the job's own frame: see
 *             cf_pool_options.stack_size.
 *
 * Forbidden, and checked where CF_FORK_CHECKS is defined before this header is included: cf_fork_take
 * then says so on stderr and aborts. Assertions of the library find it too, at the task's end.
 *   - to leave the function that has forked before it has taken the job (return, longjmp, an
 *     exception, pthread_exit)
 *   - to take jobs in another order than the reverse of that in which they were forked
 * Forbidden, and not checked:
 *   - halves that wait for each other: the second may begin when the first has ended
 *   - to hold a lock from fork to take that other jobs need: the forker may run one of them meanwhile
 *   - a job that waits for the task that has forked it */
#ifndef CFUTURES_FORK_H
#define CFUTURES_FORK_H

#include <cfutures.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CF_FORKS_SHARED 4096 /* most jobs of a strand that others can steal */

typedef struct cf_strand cf_strand;
typedef void cf_fork_fn(cf_strand *strand, void *job);

/* A job that was pushed and is not taken yet. */
typedef struct cf_fork {
    cf_fork_fn *run;
    void *job;
} cf_fork;

/* For the calls below alone, which the compiler is to see. Jobs from `head` to `tail` can be stolen. */
struct cf_strand {
    cf_fork *tail;  /* where the next job goes; the strand's thread writes it */
    cf_fork *limit; /* a job from here on stays with its forker */
    cf_fork *head;  /* the oldest job that nobody has stolen */
    int is_shared;  /* others can steal */
};

/* How the calls below access memory. (The tests replace them.) */
#ifndef CF_FORK_LOAD
#define CF_FORK_LOAD(p)       __atomic_load_n((p), __ATOMIC_RELAXED)
#define CF_FORK_STORE(p, v)   __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define CF_FORK_PUBLISH(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define CF_FORK_ORDER()       __atomic_signal_fence(__ATOMIC_SEQ_CST)
#endif

#pragma GCC visibility push(default)

/* The strand of a running task, on any executor. Valid until the task returns. */
cf_strand *cf_task_strand(cf_task_context *ctx);

/* Runs the job as a task of the executor, from outside or inside of a task, and waits for its end. On
 * process_pool the task runs in another process: there `job` must point to memory that is shared. On MPI
 * CF_EUNSUPPORTED: other ranks have neither `job` nor the address of `run`; tasks there may fork.
 * options: as for cf_executor_submit_with; NULL = none. Returns what cf_executor_submit_with or
 * cf_future_result return. */
cf_status cf_executor_run(cf_executor *executor, cf_fork_fn *run, void *job,
                          const cf_submit_options *options);

/* The task that has forked is to end: its time is over, or its pool is being terminated. */
bool cf_strand_cancelled(const cf_strand *strand);

/* Calls body for [first, last), in parts of at most `grain` (at least 1), by halving. The parts may
 * run on several workers at once, in any order. Returns when all are done. */
typedef void cf_for_fn(cf_strand *strand, size_t first, size_t last, void *context);
void cf_fork_for(cf_strand *strand, size_t first, size_t last, size_t grain, cf_for_fn *body,
                 void *context);

/* For cf_fork_take: the job is not simply the forker's. */
bool cf_fork_join(cf_strand *strand, cf_fork *fork);
/* For CF_FORK_CHECKS: says what was done and ends the program. */
void cf_fork_misused(const cf_strand *strand, const cf_fork *fork);

#pragma GCC visibility pop

/* Permits others to run the job from now on. */
static inline cf_fork *cf_fork_push(cf_strand *strand, cf_fork_fn *run, void *job) {
    cf_fork *fork = CF_FORK_LOAD(&strand->tail);
    CF_FORK_STORE(&fork->run, run);
    CF_FORK_STORE(&fork->job, job);
    if (__builtin_expect(fork != strand->limit, 1)) {
        CF_FORK_PUBLISH(&strand->tail, fork + 1);
    }
    return fork;
}

/* Ends that permission. True: nobody has run the job, and the caller must. False: it is done. */
static inline bool cf_fork_take(cf_strand *strand, cf_fork *fork) {
#ifdef CF_FORK_CHECKS
    if (CF_FORK_LOAD(&strand->tail) != fork + (fork != strand->limit)) {
        cf_fork_misused(strand, fork);
    }
#endif
    /* The store is before the load for a thief too: it does the heavy half of the barrier. */
    CF_FORK_STORE(&strand->tail, fork);
    CF_FORK_ORDER();
    return __builtin_expect(CF_FORK_LOAD(&strand->head) <= fork, 1) || cf_fork_join(strand, fork);
}

/* Runs both jobs, perhaps at the same time. */
static inline void cf_both(cf_strand *strand, cf_fork_fn *first, void *first_job,
                           cf_fork_fn *second, void *second_job) {
    cf_fork *fork = cf_fork_push(strand, second, second_job);
    first(strand, first_job);
    if (cf_fork_take(strand, fork)) {
        second(strand, second_job);
    }
}

#ifdef __cplusplus
}
#endif

#endif
