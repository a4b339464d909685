/* Workers that find no work: one searches, the others sleep, and submit wakes as few as it can.
 *
 * A worker that finds none searches for a while, then sleeps on wake_count. One worker searches at
 * a time (`searcher`), the others sleep at once: with two cores, two searchers would take the
 * submitter's. `need_wake` is
 *
 *      CALM      all are awake, or a woken worker is on its way
 *      ARMED     a wake-up would find a sleeper
 *      SEARCHED  it would too, but the searcher finds the task sooner and without a system call
 *
 *   - A worker that falls asleep sets ARMED, does the heavy barrier, looks once more for work, and
 *     sleeps. Submit publishes, does the light barrier, reads need_wake. So one sees the other.
 *   - Submit that reads ARMED takes it (CALM) and wakes one worker. When that worker has begun a
 *     task, or is about to sleep again, it sets ARMED for the others, with the heavy barrier. If
 *     there is more work, it takes ARMED again and wakes the next worker. So a burst of submits
 *     costs one system call, and no sleeper is forgotten.
 *   - The searcher turns ARMED into SEARCHED. When it has begun a task, it turns SEARCHED back into
 *     ARMED and looks for more work; if there is some, it wakes a worker as above. This happens
 *     too often for a heavy barrier. So both sides do a full one: the searcher between its CAS and
 *     its look, submit before it reads need_wake again. (Also if it has read ARMED: that may have
 *     become SEARCHED since.) Submit sees ARMED, or the searcher sees the task.
 *   - A searcher that finds nothing at once offers its processor to other threads, now and then
 *     (wakeup.c): on few processors they are the submitter and the workers that it waits for.
 *   - Submit may read CALM though ARMED has replaced it, with a heavy barrier after that. If submit
 *     read before the barrier, the look after the barrier finds its task. If submit reads after
 *     the barrier, it reads ARMED or a later value. CALM never becomes SEARCHED.
 *   - A worker may be stopped as the searcher, or with a wake-up to pass on. The nursery clears
 *     `searcher`, sets ARMED and wakes all. When the worker goes on, it does the same again, which
 *     is harmless.
 *   - A worker may be stopped in a ring (platform/event_count.h), of the bell, of callbacks, room or
 *     deadline. The nursery rings them all, so the worker delays only what its own task is waited
 *     for. If it has begun a task and not counted it yet, it keeps that task's room too.
 *   - Every death wakes all workers. The successor of a dead worker begins as if it had been woken.
 *     If the dead worker was the searcher, its supervisor sets ARMED in its place. */
#ifndef CFUTURES_WAKEUP_H
#define CFUTURES_WAKEUP_H

#include "cfutures/queue/queue.h"

#include "platform/barrier.h"

typedef enum cfi_need {
    CFI_CALM,
    CFI_ARMED,
    CFI_SEARCHED,
} cfi_need;

/* ---- any thread ------------------------------------------------------------------------------ */

void cfi_queue_wake_needed(cfi_queue *queue);

/* After publishing: wakes a worker if that is needed. */
static inline void cfi_queue_wake_one(cfi_queue *queue) {
    plat_barrier_light(); /* tail is written before need_wake is read */
    if (plat_load_relaxed(&queue->control->need_wake) != CFI_CALM) {
        cfi_queue_wake_needed(queue);
    }
}

void cfi_queue_wake_all(cfi_queue *queue);

/* The worker is dead: it no longer searches. */
void cfi_queue_forget_searcher(cfi_queue *queue, unsigned worker);

/* The worker is stopped (SIGSTOP): others do what it was about to do. It may go on at any time. */
void cfi_queue_worker_stopped(cfi_queue *queue, unsigned worker);

/* ---- the worker ------------------------------------------------------------------------------ */

/* Begins a pending task; waits for one if there is none. NULL: there will be none, the worker ends. */
cfi_slot *cfi_queue_next(cfi_queue *queue, cfi_claim *claim, uint64_t *word);

/* Adds the time that the worker was awake until now. */
void cfi_queue_account(cfi_queue *queue, unsigned worker);

#endif
