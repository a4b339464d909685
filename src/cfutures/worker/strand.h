/* The jobs that the tasks of one worker have forked (cfutures_fork.h), for thieves among the others.
 *
 *      jobs   ..stolen..  head ..can be stolen..  tail
 *
 *   - The owner pushes and takes at the tail, without a lock. Thieves take the oldest at the head, under
 *     `lock`, one at a time (waiting/steal.h).
 *   - Owner and thief want the same job: each writes its word before it reads the other's, with the
 *     asymmetric barrier between (platform/barrier.h).
 *
 *          owner: take                     thief, under the lock
 *          tail = the job                  head = the next one
 *          light barrier                   heavy barrier
 *          head is not behind it:          tail is behind the job: then it is stolen
 *              then it is the owner's      else head = the job again
 *          else it looks again under the lock
 *
 *     The light one is always a compiler barrier. So where the heavy one cannot be a membarrier, nothing is
 *     stolen.
 *   - A stolen job is a task. Its future lies in `stolen` until the owner takes the job, waits for it,
 *     and moves head and tail back to the job's place.
 *   - A task that forks has a frame, from its first cf_task_strand to its end. Jobs from the frame's
 *     base on are its own, up to the base of the next frame: a task that runs on top of it. */
#ifndef CFUTURES_STRAND_H
#define CFUTURES_STRAND_H

#include "cfutures/worker/context.h"

#include "platform/lock.h"

#include <cfutures_fork.h>

#ifndef CF_FORK_LOAD_ACQUIRE
#define CF_FORK_LOAD_ACQUIRE(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#endif

typedef struct cfi_strand {
    cf_strand shared; /* first: what users have a pointer to */
    plat_lock lock;
    cfi_fork_frame *frames; /* innermost first; the owner changes them under the lock */
    cfi_queue *queue;
    cf_future *stolen[CF_FORKS_SHARED]; /* under the lock; valid for jobs before head */
    cf_fork jobs[CF_FORKS_SHARED + 1];  /* the last one cannot be stolen */
} cfi_strand;

/* The strand of a running task, with a frame for it. It is the worker's if its executor shares any, and there
 * is memory; else one in the frame, from which nothing can be stolen. */
cf_strand *cfi_strand_of(cf_task_context *ctx);

/* The task has ended. */
void cfi_strand_leave(cfi_fork_frame *frame);

/* The frame of the task that has forked the job. Under the lock. */
const cfi_fork_frame *cfi_strand_frame_of(const cfi_strand *strand, const cf_fork *fork);

/* Frees all strands of an executor whose workers have ended. */
void cfi_strands_free(cfi_forks *forks, unsigned workers);

#endif
