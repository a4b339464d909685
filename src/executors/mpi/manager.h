/* Rank 0's side: one thread, the manager, begins the executor's tasks for all workers of all ranks, sends
 * them, and settles them when the answers come. It alone calls MPI.
 *
 *      submit ──▶ slots ──deal.c──▶ flights ──link.c──▶ ranks
 *                   ▲                                     │
 *                   └───────────── answers.c ◀────────────┘       ranks.c: ranks that are lost
 *
 *   - A flight is a run that is under way: its slot is RUNNING, owned by a worker of some rank.
 *   - For the core, the manager is each of its workers in turn: it begins, counts and settles for them.
 *     So nothing but the words of slots, which submitters and cancellers change too, needs an atomic
 *     step.
 *   - `submitted` rings the manager. While runs are under way it looks again and again, with pauses that
 *     grow with the time in which nothing came; while none is, it sleeps until it is rung or has to
 *     ask the ranks whether they live.
 *   - What it does under the executor's lock is put back runs of lost ranks (worker_death.c). It holds no
 *     lock otherwise.
 *   - How many runs a worker has under way, so that it always has the next one at hand: as many as take half
 *     a millisecond, by what runs of their kind took before; two, if these take up to ten; else one. And not
 *     more than a part of those whose time is known: the first few say little of the others. A task
 *     that is under way can no longer be cancelled, and it waits for those before it. If one of these
 *     takes long, and other workers have nothing to do, those that wait are called back (ranks.c). A task
 *     with which a rank was lost is the last that its worker has: so it is found out whether it is the
 *     cause. */
#ifndef EXECUTORS_MPI_MANAGER_H
#define EXECUTORS_MPI_MANAGER_H

#include "executors/mpi/station.h"

#include "platform/event_count.h"
#include "platform/thread.h"

typedef enum cfi_mpi_rank_state {
    CFI_MPI_IDLE_RANK, /* rank 0 without a pool: takes no part */
    CFI_MPI_WORKS,
    CFI_MPI_FAILS, /* its pool is broken */
    CFI_MPI_LEFT,  /* its workers have ended */
    CFI_MPI_LOST,
} cfi_mpi_rank_state;

typedef struct cfi_mpi_rank {
    cfi_mpi_rank_state state;
    unsigned first_worker, workers;
    uint32_t codes;        /* of the manager's, that it knows */
    cfi_mpi_parcel *tasks; /* to be sent; NULL = none */
    cfi_mpi_place place;
    bool seen; /* this process can see whether that one lives */
    bool stop_sent;
    bool unreachable; /* MPI refuses to send to it: it will be lost */
    bool out_of_work; /* its tasks were put back, and it gets no more */
    bool dismissed;   /* lost, heard again and told so */
    /* On the clock: when it has answered last, or got tasks while it had none. */
    int64_t answered_ns;
    int64_t heard_ns; /* on the manager's patient clock, */
    int64_t asked_ns; /* likewise: when something was sent to it last */
} cfi_mpi_rank;

typedef struct cfi_mpi_worker {
    int rank;
    uint32_t count;  /* of flights */
    int64_t load_ns; /* what they are expected to take; UNKNOWN_NS for those of unknown length */
    cfi_claim claim;
} cfi_mpi_worker;

typedef struct cfi_mpi_flight {
    uint32_t slot; /* index; 0: the flight is free */
    uint32_t worker;
    uint32_t next_free;
    uint32_t losses; /* ranks that were lost with the task before, maybe because of it */
    uint16_t kind;
    bool is_chunk;
    bool
        is_alone; /* its worker had nothing else at hand: the task was running if the rank is lost */
    int64_t expected_ns;
} cfi_mpi_flight;

/* What is known of one kind of task. */
typedef struct cfi_mpi_experience {
    int64_t expected_ns; /* how long a run may take; 0 = unknown */
    uint32_t runs;       /* of which it is known; up to UINT32_MAX */
} cfi_mpi_experience;

/* A function that tasks have named. */
typedef struct cfi_mpi_known_code {
    cf_task_fn *run;
    cfi_mpi_code code;
    bool found; /* it lies in a module */
} cfi_mpi_known_code;

typedef struct cfi_mpi {
    cf_executor base;
    const cfi_core_functions *core;
    cf_mpi_options options;
    cfi_mpi_link *link;
    cfi_mpi_station *station; /* rank 0's own; NULL = it runs no tasks */
    cfi_mpi_place place;
    pthread_t thread;
    bool has_thread;
    plat_event_count event;
    _Atomic uint32_t stops;  /* no more tasks will come */
    _Atomic uint32_t halts;  /* the program exits, and */
    _Atomic uint32_t halted; /* the manager makes no calls of MPI any more */
    _Atomic uint32_t signal; /* to be sent to all workers; 0 = none */
    _Atomic uint32_t working_ranks;

    /* The manager's own. */
    cfi_mpi_rank *ranks;
    cfi_mpi_worker *workers;
    cfi_mpi_flight *flights;
    uint32_t flights_made, flights_room, free_flight; /* 0 = none; numbers from 1 */
    uint32_t under_way;
    cfi_mpi_known_code *codes;
    uint32_t codes_count, codes_room, last_code;
    cfi_mpi_experience *experience; /* by kind of task */
    uint16_t last_kind;             /* that was dealt: the next one may be alike */
    unsigned next_worker;           /* who is dealt to first */
    int64_t now_ns, patient_ns, looked_ns;
    bool broken;
} cfi_mpi;

/* ---- deal.c ---------------------------------------------------------------------------------- */

/* Begins tasks for workers that may have more, and sends them. True: some. */
bool cfi_mpi_deal(cfi_mpi *self);

/* The flight is over; its slot was settled or put back. */
void cfi_mpi_end_flight(cfi_mpi *self, cfi_mpi_flight *flight);

/* ---- answers.c ------------------------------------------------------------------------------- */

/* Settles what a rank answers. False: the message is not one that this program sends. */
bool cfi_mpi_take_answers(cfi_mpi *self, int rank, const cfi_mpi_head *head, size_t size);

/* The run ends without a result: its rank was lost, or else it has not begun. Puts the task back, or ends
 * it. */
void cfi_mpi_put_back(cfi_mpi *self, cfi_mpi_flight *flight, bool rank_lost);

/* Ends a task that no rank can run. */
void cfi_mpi_refuse(cfi_mpi *self, cfi_mpi_flight *flight, int error);

/* ---- ranks.c --------------------------------------------------------------------------------- */

/* Sends what is in the parcel. Rank 0 takes it at once. NULL is allowed, and false: no memory. A rank that
 * cannot be reached is lost with the next look at the ranks: who calls this may be dealing to it. */
bool cfi_mpi_send(cfi_mpi *self, int rank, cfi_mpi_parcel *parcel);

/* Asks ranks whether they live, and finds those that do not. Now and then. */
void cfi_mpi_watch_ranks(cfi_mpi *self);

/* The rank does not take part any more. why: follows "rank 3 (host) " in the report. */
void cfi_mpi_lose_rank(cfi_mpi *self, int rank, const char *why);

/* The rank's pool is broken. The rank itself is not lost: it returns from cf_mpi_create, and may take part
 * in another executor. */
void cfi_mpi_fail_rank(cfi_mpi *self, int rank);

/* Tells the rank to let its workers end. A second call does nothing. */
void cfi_mpi_stop_rank(cfi_mpi *self, int rank);

/* True: no rank has workers any more. */
bool cfi_mpi_all_left(const cfi_mpi *self);

/* ---- manager.c ------------------------------------------------------------------------------- */

/* The thread. Returns when the executor is stopped, its tasks are done and the ranks' workers have
 * ended. */
void *cfi_mpi_manager_main(void *context);

/* ---- what several of them need --------------------------------------------------------------- */

static inline cfi_slot *cfi_mpi_slot_of(cfi_mpi *self, const cfi_mpi_flight *flight) {
    return cfi_queue_slot(&self->base.queue, flight->slot);
}

static inline uint32_t cfi_mpi_number_of(const cfi_mpi *self, const cfi_mpi_flight *flight) {
    return (uint32_t)(flight - self->flights);
}

#endif
