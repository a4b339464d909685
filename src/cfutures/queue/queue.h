/* The queue of pending tasks, and the workers that sleep on it.
 *
 * Tasks are numbered by tickets in the order of submission. Ticket t is slot t % 1024 of a slab of
 * 1024 slots (64 KiB); the directory tells which slab holds ticket numbers t / 1024. So the slots
 * *are* the queue: nothing is linked, and to queue a task is to fill in the next slot and to move
 * `tail`. The first slot of each slab is its header (always CFI_CLOSED, so workers pass over it).
 *
 *      submit (one at a time, under the lock)       worker (any number)
 *      open the slot                (release)       find the first pending slot from the cursor on
 *      tail = ticket + 1            (release)       claimed = that one and some more
 *      light barrier                                move the cursor past them (CAS)
 *      does someone need waking?                    one after the other: current = the slot,
 *      take the flag, wake one                      begin it (CAS on its word: the gate)
 *
 * The cursor and what workers have claimed are hints, the slot's word is the truth: whoever begins
 * a pending slot has it, wherever he found it. What must hold: a pending slot lies at or behind the
 * cursor, or in the `claimed` or `current` of a living worker that moved the cursor past it. A
 * worker writes these before it moves the cursor; so whoever judges a dead worker finds all that it
 * can have left behind, and rewinds the cursor to the first of it. The cursor carries an epoch that
 * every rewind changes: a worker that has passed over a slot while it was not pending cannot move
 * the cursor any more once it is pending again.
 *
 * A worker claims several tasks at once where many are pending (tuning.h), so that the cursor does
 * not change hands for each. One that finds nothing behind the cursor begins what others have
 * claimed and not begun, and now and then it looks there first: no task waits for the one before it
 * while a worker is idle, nor for ever while all are busy.
 *
 * A slab may be recycled while the cursor is still before it, when all its tasks were cancelled. A
 * worker then looks into slots that belong to later tickets; that costs it a look, or lets it begin
 * one of those early. Neither harms.
 *
 * Waiting for work. A worker that finds none searches for a while, sleeps then. One searches at a
 * time (`searcher`), the others sleep at once. `need_wake` is
 *
 *      CALM      all are awake, or one that was woken is on its way
 *      ARMED     a wake-up would find a sleeper
 *      SEARCHED  it would too, but the searcher will find the task sooner
 *
 *   - Who falls asleep sets ARMED, does the heavy barrier, looks once more for work, sleeps on
 *     wake_count. Submit publishes, does the light barrier, reads need_wake. So one of them sees
 *     the other.
 *   - Submit that reads ARMED takes it (CALM) and wakes one. That worker, when it has begun a task
 *     or is about to sleep again, sets ARMED for the others, with the heavy barrier; if there is
 *     more work it takes it again and wakes the next. Thus a burst of submits costs one system
 *     call and not one each, and no sleeper is forgotten.
 *   - The searcher turns ARMED into SEARCHED. When it has begun a task it turns it back and looks
 *     whether there is more, which takes a wake-up as above. That happens too often for a heavy
 *     barrier, so both do a full one: submit that reads SEARCHED, which then reads again, and the
 *     searcher between the two. Either submit sees ARMED, or the searcher sees its task.
 *   - Submit that reads an old CALM: the word was ARMED since only after a heavy barrier, before
 *     which submit had read (then its task was seen in the look that followed) or had not (then it
 *     reads ARMED or later). From CALM it never becomes SEARCHED.
 *   - One that is stopped, as the searcher or with a wake-up in its hands: the nursery clears the one,
 *     sets ARMED and wakes all. When it goes on it does the same over again, which does no harm.
 *   - One that dies: woken, it is replaced, and its successor begins as if woken; as the searcher,
 *     its supervisor sets ARMED in its place. Every death wakes all.
 *
 * Lock-free for the sake of worker death, not of speed: there is nothing a dead worker can hold. */
#ifndef CFUTURES_QUEUE_H
#define CFUTURES_QUEUE_H

#include "cfutures/queue/arena.h"
#include "cfutures/queue/bell.h"
#include "cfutures/queue/slot.h"

#include "platform/barrier.h"

enum {
    CFI_SLAB_SLOTS = 1024,
    CFI_SLAB_BYTES = CFI_SLAB_SLOTS * 64,
    CFI_SLABS_QUEUED_MAX = 1 << 20, /* slabs between cursor and tail: 10^9 pending tasks */
    CFI_TASKS_MAX = 4096,           /* different tasks of one executor */
};

typedef enum cfi_readiness {
    CFI_UNREADY, /* has not come out of its initializer with success */
    CFI_READY,
    CFI_RETIRED, /* ended because it had run as many tasks as it may */
} cfi_readiness;

typedef enum cfi_need {
    CFI_CALM,
    CFI_ARMED,
    CFI_SEARCHED,
} cfi_need;

/* What one worker tells the others; written by it, and by its supervisor when it is dead. */
typedef struct cfi_record {
    /* Runs. They only grow, but for `tasks` and its like where a settling fails: what is begun is
     * then never thought more than it is. */
    _Alignas(128) _Atomic uint64_t begun;
    _Atomic uint64_t tasks;               /* run to their end, counted before settling */
    _Atomic uint64_t task_errors;         /* of these, CF_ETASK */
    _Atomic uint64_t tasks_settled;       /* the same counts, noted after settling: they hold if */
    _Atomic uint64_t task_errors_settled; /* the worker died in between */
    _Atomic int64_t busy_ns;              /* until awake_since */
    _Atomic int64_t awake_since_ns;       /* 0 while asleep */
    _Atomic int64_t id;                   /* process or thread id */
    _Atomic uint64_t claimed;     /* tickets taken out of the queue: the first << 8 | how many */
    _Atomic int64_t run_until_ns; /* end of the time that its run was given, 0 = none (limit.h) */
    _Atomic uint32_t
        current; /* slot that it is about to begin or is running: index + 1; 0 = idle */
    _Atomic uint32_t limited; /* the slot of the run with run_until_ns: index + 1 */
    _Atomic uint32_t cut;     /* runs that others ended: its death, or the deadline thread. Written
                                 by the caller's process, under the executor's lock */
    _Atomic uint32_t timed_out; /* runs that returned late */
    _Atomic uint32_t timed_out_settled;
    _Atomic uint32_t ready;     /* a cfi_readiness */
    _Atomic int32_t init_error; /* what its initializer has returned */
    _Atomic uint32_t restarts;
    _Atomic uint32_t retired;
    _Atomic uint32_t life;      /* process pool: see nursery.h */
    _Atomic int32_t exit_state; /* process pool: wait status of the dead worker */
    _Atomic uint32_t kill;      /* process pool: a signal to be sent to it, 0 = none */
} cfi_record;

_Static_assert(sizeof(cfi_record) == 128, "records do not share cache lines");

/* A line for each group: what is written often lies apart from what others read with each task. What
 * a worker reads with each task must not lie beside `tail`, which submit writes with each: the line
 * would go there and back for each task, which takes 134 ns on a Xeon (Sapphire Rapids). */
typedef struct cfi_control {
    _Alignas(64) _Atomic uint64_t cursor;    /* bits 0-47 ticket, 48-63 epoch */
    _Alignas(64) _Atomic uint64_t tail;      /* the next ticket to be given out */
    _Alignas(64) _Atomic uint32_t need_wake; /* a cfi_need */
    _Atomic uint32_t searcher;               /* worker + 1, 0 = nobody */
    _Atomic uint32_t wake_count;             /* futex that idle workers sleep on */
    /* what seldom changes */
    _Alignas(64) _Atomic uint64_t committed; /* bytes of the region that slots and blocks may use */
    _Atomic uint32_t workers;                /* started or about to be: their records are in use */
    _Atomic uint32_t stop;                   /* workers end when there is no more work */
    _Atomic uint32_t terminating;            /* tasks are asked to return: cf_task_cancelled */
    _Atomic uint32_t need_room;              /* a submit waits until fewer tasks are pending */
    _Atomic uint32_t room;                   /* futex that it sleeps on */
    _Alignas(64) _Atomic uint32_t done;      /* completion stack: slot index + 1 (completion.h) */
    _Alignas(64) _Atomic uint32_t workers_wanted; /* process pool: executors/nursery.h */
    _Atomic uint32_t quit;
    _Atomic int32_t spawn_error;
    _Atomic uint32_t spawn_rounds;
    _Alignas(64) _Atomic int64_t
        deadline_at_ns;               /* when the deadline thread will look (core/deadline.h) */
    _Atomic uint32_t deadline_rung;   /* futex that it sleeps on */
    _Atomic uint32_t callbacks_armed; /* the callback thread wants to hear of completions */
    _Atomic uint32_t callbacks_rung;  /* futex that it sleeps on (waiting/callback.h) */
} cfi_control;

/* The fixed part of the region. */
enum {
    CFI_CONTROL_AT = 0,
    CFI_RECORDS_AT = 4096,
    CFI_TASKS_AT = CFI_RECORDS_AT + CF_WORKERS_MAX * 128,
    CFI_DIRECTORY_AT = 256 << 10,
    CFI_FIXED_BYTES = CFI_DIRECTORY_AT + CFI_SLABS_QUEUED_MAX * 4,
};

_Static_assert(CFI_TASKS_AT + CFI_TASKS_MAX * 8 <= CFI_DIRECTORY_AT, "the task table fits");

/* What a worker needs to find its way: addresses, the same in every process that shares the region.
 */
typedef struct cfi_queue {
    char *base;
    cfi_control *control;
    cfi_record *records;
    _Atomic(cf_task_fn *) *tasks; /* the functions of the task table */
    _Atomic uint32_t *directory;  /* slab of ticket t: directory[t / 1024 % CFI_SLABS_QUEUED_MAX] */
    cfi_bell *bell;
    bool shared;       /* with other processes */
    uint64_t followed; /* shared: what this process has opened of `committed` */
} cfi_queue;

/* The arena's control words and `workers` records must be committed. */
void cfi_queue_init(cfi_queue *queue, cfi_arena *arena, cfi_bell *bell, bool shared);

static inline cfi_slot *cfi_queue_slot(const cfi_queue *queue, uint32_t index) {
    return (cfi_slot *)(void *)(queue->base + (size_t)index * sizeof(cfi_slot));
}

static inline uint32_t cfi_queue_index(const cfi_queue *queue, const cfi_slot *slot) {
    return (uint32_t)((size_t)((const char *)slot - queue->base) / sizeof(cfi_slot));
}

/* A worker's place at the queue, as it alone sees it. */
typedef struct cfi_seat {
    unsigned worker;
    unsigned most;      /* tasks that it may claim at once; 0 = as many as are good */
    uint64_t next, end; /* tickets that it has claimed and not begun */
    unsigned claims;    /* how often it has claimed */
    bool searching;
    bool woken; /* there is a wake-up to be passed on */
} cfi_seat;

/* ---- the caller's side, under the executor's lock -------------------------------------------- */

cfi_slot *cfi_queue_at(const cfi_queue *queue, uint64_t ticket);
uint64_t cfi_queue_cursor(const cfi_queue *queue);
bool cfi_queue_has_work(const cfi_queue *queue); /* behind the cursor */
bool cfi_queue_has_any_work(cfi_queue *queue);   /* or claimed and not begun */
/* A worker has nothing to do. */
bool cfi_queue_has_idle_worker(const cfi_queue *queue, unsigned workers);
/* The slot of the next ticket is open: shows it to the workers. */
static inline void cfi_queue_publish(cfi_queue *queue) {
    uint64_t tail =
        cfi_load_relaxed(&queue->control->tail); /* written under the lock that we hold */
    cfi_store_release(&queue->control->tail, tail + 1);
}
/* Moves the cursor back to `ticket` unless it lies before it. */
void cfi_queue_rewind(cfi_queue *queue, uint64_t ticket);
/* Calls visit for every slot that may be pending: what is claimed, and what lies behind the cursor. */
void cfi_queue_visit(const cfi_queue *queue, void (*visit)(cfi_slot *slot, void *context),
                     void *context);
/* The same for what one worker has claimed, beside its `current`. */
void cfi_queue_visit_claimed(const cfi_queue *queue, unsigned worker,
                             void (*visit)(cfi_slot *slot, void *context), void *context);

/* ---- waking: anybody ------------------------------------------------------------------------- */

void cfi_queue_wake_needed(cfi_queue *queue, uint32_t need);
/* After publishing: if a worker needs it. */
static inline void cfi_queue_wake_one(cfi_queue *queue) {
    cfi_barrier_light(); /* tail is written before need_wake is read */
    uint32_t need = cfi_load_relaxed(&queue->control->need_wake);
    if (need != CFI_CALM) {
        cfi_queue_wake_needed(queue, need);
    }
}
void cfi_queue_wake_all(cfi_queue *queue);
/* The worker is dead: searches no more. */
void cfi_queue_forget_searcher(cfi_queue *queue, unsigned worker);
/* The worker is stopped (SIGSTOP): others do what it was about to do. It may go on any time, as if
 * nothing had been. */
void cfi_queue_worker_stopped(cfi_queue *queue, unsigned worker);

/* ---- the worker's side ----------------------------------------------------------------------- */

void cfi_queue_open_growth(cfi_queue *queue, uint64_t committed);
/* A worker process calls this before it goes where the region may have grown since. */
static inline void cfi_queue_follow_growth(cfi_queue *queue) {
    if (queue->shared) {
        uint64_t committed = cfi_load_acquire(&queue->control->committed);
        if (committed > queue->followed) {
            cfi_queue_open_growth(queue, committed);
        }
    }
}
/* Begins a pending task, if there is one. */
cfi_slot *cfi_queue_claim(cfi_queue *queue, cfi_seat *seat, uint64_t *word);
/* The same, and waits for one. NULL when there is none and will be none: the worker ends. */
cfi_slot *cfi_queue_next(cfi_queue *queue, cfi_seat *seat, uint64_t *word);
/* Moves the cursor past what is no longer pending, for an executor whose workers do not claim. */
void cfi_queue_advance(cfi_queue *queue);
/* The worker was awake until now. */
void cfi_queue_account(cfi_queue *queue, unsigned worker);

/* ---- room for a bounded number of pending tasks ---------------------------------------------- */

/* Submit, finding too many pending: listens, looks again, sleeps. Whoever makes fewer of them
 * pending counts first and calls room_made then, so that one of the two sees the other (light and
 * heavy barrier, as for need_wake). */
uint32_t cfi_queue_room_listen(cfi_queue *queue);
/* False when the deadline has passed (negative = never). */
bool cfi_queue_room_sleep(cfi_queue *queue, uint32_t room, int64_t deadline_ns);
static inline void cfi_queue_room_made(cfi_queue *queue);
/* Also when nobody has asked: whoever was to be told first may have died on the way. */
void cfi_queue_room_ring(cfi_queue *queue);

static inline void cfi_queue_room_made(cfi_queue *queue) {
    cfi_barrier_light(); /* the count is written before need_room is read */
    if (cfi_load_relaxed(&queue->control->need_room) != 0 &&
        cfi_swap_seq_cst(&queue->control->need_room, 0) != 0) {
        cfi_queue_room_ring(queue);
    }
}

#endif
