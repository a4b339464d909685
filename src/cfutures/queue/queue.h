/* The queue of pending tasks. queue/wakeup.h has the workers that find it empty.
 *
 * Tickets number tasks in the order of submission. Ticket t is slot t % 1024 of a slab of 1024
 * slots (64 KiB); the directory names that slab at t / 1024. So the slots *are* the queue: nothing
 * is linked. To submit is to fill in the next slot and move `tail`. The first slot of each slab is
 * its header, always CFI_CLOSED, so workers pass over it.
 *
 *      submit (one at a time, under the lock)       worker (any number)
 *      open the slot                (release)       find the first pending slot from the cursor on
 *      tail = ticket + 1            (release)       claimed = that one and some more
 *      light barrier                                move the cursor past them (CAS)
 *      need_wake is ARMED?                          one after the other: current = the slot,
 *      then take it (CAS), wake one                 begin it (CAS on its word: the gate)
 *
 * Claiming
 *   - The cursor and what workers have claimed are hints; the slot's word decides. The worker that
 *     begins a pending slot has it, wherever it found it.
 *   - Invariant: the ticket of a pending slot is not before the cursor; or the slot is in the
 *     `claimed` or `current` of a living worker that moved the cursor past it.
 *   - A worker writes `claimed` and `current` before it moves the cursor. So its supervisor finds
 *     all that a dead worker can have left behind, and rewinds the cursor to the first of it.
 *   - Each rewind changes the cursor's epoch. Without it, a worker that passed over a slot while it
 *     was RUNNING could move the cursor past it just after it became PENDING again: a lost task.
 *   - The epoch has 24 bits. To be deceived, a worker must stand still between its read and its CAS
 *     while exactly 2^24 other workers die, an hour at 5000 deaths a second, and go on just as the
 *     cursor is at the same ticket again.
 *   - The cursor has the low 40 bits of a ticket. It is fewer than CFI_SLABS_QUEUED_MAX slabs, 2^30
 *     tickets, before `tail`, which has all 64 bits and gives the others. To be deceived by them, a
 *     worker must stand still while exactly 2^40 tasks begin, 9 hours at 30 ns a task.
 *   - Tickets do not run out: the 56 bits of `claimed` suffice for 68 years at 30 ns a task.
 *   - Where many tasks are pending, a worker claims several (tuning.h): the cursor changes hands
 *     once for all of them. Where few are, it claims one.
 *   - A worker that finds nothing from the cursor on begins what others have claimed and not begun.
 *     Sometimes it looks there first. So no task waits behind another while a worker is idle, and
 *     none waits forever while all are busy.
 *   - If all tasks of a slab were cancelled, the slab may be in use again before the cursor has
 *     passed it. A worker then sees slots of later tickets. It passes over them or begins one of
 *     them early; both are harmless.
 *
 * The queue is lock-free because workers die, not for speed: a dead worker holds nothing. */
#ifndef CFUTURES_QUEUE_H
#define CFUTURES_QUEUE_H

#include "cfutures/queue/arena.h"
#include "cfutures/queue/bell.h"
#include "cfutures/queue/slot.h"

#include "platform/assert.h"
#include "platform/barrier.h"
#include "platform/event_count.h"
#include "platform/fault.h"
#include "platform/line.h"

enum {
    CFI_SLAB_SLOTS = 1024,
    CFI_SLAB_BYTES = CFI_SLAB_SLOTS * 64,
    CFI_SLABS_QUEUED_MAX = 1 << 20, /* slabs between cursor and tail: 10^9 pending tasks */
    CFI_TASKS_MAX = 4096,           /* different tasks of one executor */
};

typedef enum cfi_readiness {
    CFI_UNREADY, /* its initializer has not succeeded, or not yet */
    CFI_READY,
    CFI_RETIRED, /* ended after max_tasks_per_worker tasks */
} cfi_readiness;

/* What one worker shows the others. The worker writes it; when it is dead, its supervisor. */
typedef struct cfi_record {
    /* Counts of runs. `begun` and `cut` only grow: core/counts.h relies on this. `tasks`,
     * `task_errors` and `timed_out` shrink if settling fails or the worker dies. */
    _Alignas(128) _Atomic uint64_t begun;
    _Atomic uint64_t tasks;               /* run to the end, counted before settling */
    _Atomic uint64_t task_errors;         /* of these, failed or late */
    _Atomic uint64_t tasks_settled;       /* the same counts, noted after settling: valid if */
    _Atomic uint64_t task_errors_settled; /* the worker has died in between */
    _Atomic int64_t busy_ns;              /* time awake, up to awake_since_ns */
    _Atomic int64_t awake_since_ns;       /* 0 while asleep */
    _Atomic int64_t id;                   /* process or thread id */
    _Atomic uint64_t claimed;             /* tickets that it has claimed: the first << 8 | count */
    _Atomic int64_t run_until_ns; /* end of its run's time limit, 0 = none (worker/limit.h) */
    _Atomic uint32_t current;     /* slot that it is about to begin or runs: index + 1; 0 = idle */
    _Atomic uint32_t limited;     /* slot of the run with run_until_ns: index + 1 */
    /* Runs that its death or the deadline thread ended. Written by the caller's process, under the
     * executor's lock. */
    _Atomic uint32_t cut;
    _Atomic uint32_t timed_out; /* runs that returned late */
    _Atomic uint32_t timed_out_settled;
    _Atomic uint32_t ready;     /* a cfi_readiness */
    _Atomic int32_t init_error; /* what its initializer returned */
    _Atomic uint32_t restarts;
    _Atomic uint32_t retired;
    _Atomic uint32_t process_state; /* process pool: executors/nursery.h */
    _Atomic int32_t exit_state;     /* process pool: wait status of the dead worker */
    _Atomic uint32_t kill;          /* process pool: signal to send to it, 0 = none */
} cfi_record;

_Static_assert(sizeof(cfi_record) == PLAT_LINE_PAIR, "records do not share cache lines");

/* Grouped by who writes the words, and how often; each group has a pair of lines of its own (platform/line.h).
 *
 *      word        written by                              read by
 *      cursor      workers, for each claim                 workers, for each claim; submit, now and then
 *      tail        submit, for each task                   workers, for each claim
 *      need_wake   workers, as they run out of work        submit, for each task
 *      committed   submit, for each slab                   worker processes, for each task
 *      done        workers, for tasks that are watched     who collects
 *
 * In particular, nothing that a worker reads for each task lies with `tail`. */
typedef struct cfi_control {
    _Alignas(PLAT_LINE_PAIR) _Atomic uint64_t cursor;    /* bits 0-39 of a ticket; 40-63 epoch */
    _Alignas(PLAT_LINE_PAIR) _Atomic uint64_t tail;      /* the next ticket to be given out */
    _Alignas(PLAT_LINE_PAIR) _Atomic uint32_t need_wake; /* a cfi_need (wakeup.h) */
    _Atomic uint32_t searcher;                           /* worker + 1, 0 = none */
    _Atomic uint32_t wake_count;                         /* futex that idle workers sleep on */
    /* words that seldom change */
    _Alignas(PLAT_LINE_PAIR) _Atomic uint64_t
        committed;                /* bytes of the region that slots and blocks may use */
    _Atomic uint32_t workers;     /* started or about to start: their records are in use */
    _Atomic uint32_t stop;        /* workers end when no work is left */
    _Atomic uint32_t terminating; /* tasks are asked to return: cf_task_cancelled */
    plat_event_count room;        /* a submit waits until fewer tasks are pending */
    plat_event_count help;        /* a task waits for another (waiting/nested.h) */
    _Alignas(
        PLAT_LINE_PAIR) _Atomic uint32_t done; /* completion stack: slot index + 1 (completion.h) */
    _Alignas(PLAT_LINE_PAIR) _Atomic uint32_t
        workers_wanted; /* process pool: executors/nursery.h */
    _Atomic uint32_t quit;
    _Atomic uint32_t spawn_asked;
    _Atomic uint32_t spawn_answered;
    _Atomic int32_t spawn_error;
    plat_event_count spawn_rounds;
    _Alignas(PLAT_LINE_PAIR) _Atomic int64_t
        deadline_at_ns;           /* when the deadline thread looks next (core/deadline.h) */
    _Atomic int64_t stopped_ns;   /* how far program time is behind the clock (program_time.h) */
    _Atomic int64_t stands_at_ns; /* where program time stands still until the next look */
    plat_event_count deadline;    /* on which the deadline thread sleeps */
    plat_event_count callbacks;   /* on which the callback thread sleeps (waiting/callback.h) */
} cfi_control;

_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, cursor, tail), "workers claim, submit publishes");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, tail, need_wake), "submit publishes, workers sleep");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, tail, committed), "workers read for each task");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, cursor, committed), "workers read for each task");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, need_wake, committed), "workers read for each task");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, done, committed), "workers read for each task");
_Static_assert(PLAT_IN_OTHER_PAIR(cfi_control, done, deadline_at_ns), "workers push for each task");
_Static_assert(sizeof(cfi_control) <= 4096, "the control words lie before the records");

/* The fixed part of the region. */
enum {
    CFI_CONTROL_AT = 0,
    CFI_RECORDS_AT = 4096,
    CFI_TASKS_AT = CFI_RECORDS_AT + CF_WORKERS_MAX * 128,
    CFI_DIRECTORY_AT = 256 << 10,
    CFI_FIXED_BYTES = CFI_DIRECTORY_AT + CFI_SLABS_QUEUED_MAX * 4,
};

_Static_assert(CFI_TASKS_AT + CFI_TASKS_MAX * 8 <= CFI_DIRECTORY_AT, "the task table fits");

struct cfi_queue;
struct cfi_strand;
struct cfi_events; /* queue/events.h */

/* What idle workers that are threads steal: jobs that tasks have forked (worker/strand.h). */
typedef struct cfi_forks {
    /* A job for the worker, as the task in this slot, which has begun and is in its record. */
    cfi_slot *(*steal)(struct cfi_queue *queue, unsigned worker, uint64_t *word);
    /* From now on there may be jobs: a worker is started, or one that sleeps is woken. */
    void (*opened)(struct cfi_queue *queue);
    _Atomic uint32_t regions; /* tasks that may fork */
    _Atomic uint32_t
        poller; /* the one idle worker that looks for jobs now and then: + 1; 0 = none */
    _Atomic(struct cfi_strand *) strands[]; /* by worker; NULL before its first fork */
} cfi_forks;

/* Addresses of the parts, the same in every process that shares the region. */
typedef struct cfi_queue {
    char *base;
    cfi_control *control;
    cfi_record *records;
    _Atomic(cf_task_fn *) *tasks; /* the functions of the task table */
    _Atomic uint32_t *directory;  /* slab of ticket t: directory[t / 1024 % CFI_SLABS_QUEUED_MAX] */
    cfi_bell *bell;
    cfi_forks *forks;          /* NULL: none are stolen */
    struct cfi_events *events; /* for an observer; NULL = there is none */
    bool shared;               /* with other processes */
    uint64_t followed;         /* if shared: how much of `committed` this process has opened */
} cfi_queue;

/* The arena's control words and the workers' records must be committed. */
void cfi_queue_init(cfi_queue *queue, cfi_arena *arena, cfi_bell *bell, bool shared);

/* For assertions: the place lies where the region holds slots and blocks. */
static inline bool cfi_queue_holds(const cfi_queue *queue, size_t offset) {
    return offset >= CFI_FIXED_BYTES && offset < plat_peek(&queue->control->committed);
}

static inline cfi_slot *cfi_queue_slot(const cfi_queue *queue, uint32_t index) {
    cfi_assert(cfi_queue_holds(queue, (size_t)index * sizeof(cfi_slot)));
    return (cfi_slot *)(void *)(queue->base + (size_t)index * sizeof(cfi_slot));
}

static inline uint32_t cfi_queue_index(const cfi_queue *queue, const cfi_slot *slot) {
    cfi_assert((const char *)slot >= queue->base + CFI_FIXED_BYTES);
    return (uint32_t)((size_t)((const char *)slot - queue->base) / sizeof(cfi_slot));
}

/* A worker's state at the queue, private to it. */
typedef struct cfi_claim {
    unsigned worker;
    unsigned max;       /* tasks that it may claim at once; 0 = as many as tuning.h says */
    uint64_t next, end; /* tickets that it has claimed and not begun */
    unsigned claims;    /* counts its claims */
    unsigned keeps;     /* searches that it makes without offering its processor (wakeup.c), */
    unsigned kept;      /* and how many of them it has made */
    int64_t poll_ns;    /* how long it has slept last between two looks for forked jobs; 0 = not */
    bool searching;
    bool woken; /* it has a wake-up to pass on */
} cfi_claim;

/* ---- the caller's side, under the executor's lock -------------------------------------------- */

uint64_t cfi_queue_cursor(const cfi_queue *queue);
bool cfi_queue_has_work(const cfi_queue *queue); /* from the cursor on */
bool cfi_queue_has_any_work(cfi_queue *queue);   /* that, or claimed and not begun */
/* Some worker has nothing to do. */
bool cfi_queue_has_idle_worker(const cfi_queue *queue, unsigned workers);
/* Shows the slots of the tickets before `tail` to the workers. The last one must be open. */
static inline void cfi_queue_publish(cfi_queue *queue, uint64_t tail) {
    plat_store_release(&queue->control->tail, tail);
}
/* Moves the cursor back to `ticket` unless it is before it already; changes its epoch. */
void cfi_queue_rewind(cfi_queue *queue, uint64_t ticket);
/* The tickets that a worker has claimed, from *ticket to *end, without that of its `current`. */
void cfi_queue_claimed_by(const cfi_queue *queue, unsigned worker, uint64_t *ticket, uint64_t *end);

/* ---- the worker's side ----------------------------------------------------------------------- */

void cfi_queue_open_growth(cfi_queue *queue, uint64_t committed);
/* The caller's process commits memory, and protection is each process's own. So a worker process
 * calls this before it reads where the region may have grown. */
static inline void cfi_queue_follow_growth(cfi_queue *queue) {
    if (queue->shared) {
        uint64_t committed = plat_load_acquire(&queue->control->committed);
        if (committed > queue->followed) {
            cfi_queue_open_growth(queue, committed);
        }
    }
}
/* Begins a pending task. NULL: there is none. */
cfi_slot *cfi_queue_claim(cfi_queue *queue, cfi_claim *claim, uint64_t *word);
/* Moves the cursor past slots whose tasks have begun or were cancelled: for threads that begin tasks
 * without claiming them. `alone`: no other thread moves it meanwhile, nor back. */
void cfi_queue_advance(cfi_queue *queue);
void cfi_queue_advance_alone(cfi_queue *queue);

/* ---- room: a limit on the number of pending tasks -------------------------------------------- */

/* If submit finds too many pending, it listens to control->room (heavy), looks again, and sleeps. A
 * worker that begins a task, or a caller that cancels one, counts it first and then rings. */
static inline void cfi_queue_room_made(cfi_queue *queue) {
    plat_event_ring_light(&queue->control->room, queue->shared);
}

/* ---- fault points (platform/fault.h) --------------------------------------------------------- */

/* A point that a worker passes; the task is its record's `current`. */
#ifdef CFI_FAULT_POINTS
void cfi_fault_pass(const cfi_queue *queue, unsigned worker, plat_fault_id point);
#define cfi_fault_point(queue, worker, identifier)                                                 \
    cfi_fault_pass(queue, worker, PLAT_FAULT_##identifier)
#else
#define cfi_fault_point(queue, worker, identifier) ((void)0)
#endif

#endif
