#include "executors/mpi/manager.h"

#include "cfutures/queue/times.h"
#include "cfutures/worker/chunk.h"

#include "platform/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AHEAD_NS    INT64_C(500000) /* how much work a worker has at hand, and */
#define LONG_NS     INT64_C(10000000) /* how long the next run may be that it has at hand in any case */
#define UNKNOWN_NS  INT64_C(1000000000)
#define OVERHEAD_NS 200 /* of a run, besides the task: so endless tiny ones have an end */

enum {
    AHEAD_MOST = 1024,       /* runs of one worker */
    PARCEL_BYTES = 64 << 10, /* about as much goes in one message */
    KNOWN_SHARES =
        4,      /* a worker has at hand 1 / (KNOWN_SHARES * workers) of those that are known */
    SHARES = 2, /* of what is pending each worker gets 1 / (SHARES * workers) at once */
};

/* ---- flights --------------------------------------------------------------------------------- */

static cfi_mpi_flight *take_flight(cfi_mpi *self) {
    if (self->free_flight != 0) {
        cfi_mpi_flight *flight = &self->flights[self->free_flight];
        self->free_flight = flight->next_free;
        return flight;
    }
    if (self->flights_made + 1 >= self->flights_room) {
        uint32_t room = self->flights_room == 0 ? 256 : self->flights_room * 2;
        cfi_mpi_flight *flights = realloc(self->flights, room * sizeof *flights);
        if (flights == NULL) {
            return NULL;
        }
        self->flights = flights;
        self->flights_room = room;
    }
    return &self->flights[++self->flights_made];
}

static void give_flight(cfi_mpi *self, cfi_mpi_flight *flight) {
    flight->slot = 0;
    flight->next_free = self->free_flight;
    self->free_flight = cfi_mpi_number_of(self, flight);
}

void cfi_mpi_end_flight(cfi_mpi *self, cfi_mpi_flight *flight) {
    cfi_mpi_worker *worker = &self->workers[flight->worker];
    cfi_record *record = &self->base.queue.records[flight->worker];
    cfi_assert(worker->count > 0 && self->under_way > 0);
    worker->count--;
    worker->load_ns -= flight->expected_ns;
    self->under_way--;
    if (worker->count == 0) {
        plat_store_release(&record->current, 0);
        plat_bump_owned(&record->busy_ns,
                        plat_now_ns() - plat_load_relaxed(&record->awake_since_ns));
        plat_store_relaxed(&record->awake_since_ns, 0);
    }
    give_flight(self, flight);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* The number of a function; 0: no memory. Numbers begin with 1. */
static uint32_t number_code(cfi_mpi *self, cf_task_fn *run) {
    if (self->last_code != 0 && self->codes[self->last_code].run == run) {
        return self->last_code;
    }
    uint32_t i = 1;
    while (i <= self->codes_count && self->codes[i].run != run) {
        i++;
    }
    if (i > self->codes_count) {
        if (i >= self->codes_room) {
            uint32_t room = self->codes_room == 0 ? 16 : self->codes_room * 2;
            cfi_mpi_known_code *codes = realloc(self->codes, room * sizeof *codes);
            if (codes == NULL) {
                return 0;
            }
            self->codes = codes;
            self->codes_room = room;
        }
        self->codes[i] = (cfi_mpi_known_code){.run = run};
        self->codes[i].found = cfi_mpi_code_of(run, &self->codes[i].code);
        self->codes_count = i;
    }
    self->last_code = i;
    return i;
}

/* Messages to one rank keep their order, so the names come before the tasks. False: no memory. */
static bool tell_codes(cfi_mpi *self, int to) {
    cfi_mpi_rank *rank = &self->ranks[to];
    while (rank->codes < self->codes_count) {
        const cfi_mpi_named_code named = {rank->codes + 1, self->codes[rank->codes + 1].code};
        if (!cfi_mpi_send(self, to, cfi_mpi_parcel_with(CFI_MPI_CODE, &named, sizeof named))) {
            return false;
        }
        rank->codes++;
    }
    return true;
}

/* ---- sending a task -------------------------------------------------------------------------- */

static void send_tasks(cfi_mpi *self, int to) {
    cfi_mpi_rank *rank = &self->ranks[to];
    cfi_mpi_parcel *tasks = rank->tasks;
    if (tasks != NULL) {
        rank->tasks = NULL;
        cfi_mpi_send(self, to, tasks);
    }
}

/* The function that the task, or each item of the chunk, calls. */
static cf_task_fn *function_of(cfi_mpi *self, cfi_slot *slot, bool *is_chunk) {
    cfi_queue *queue = &self->base.queue;
    cf_task_fn *run = plat_load_relaxed(&queue->tasks[slot->kind & CFI_KIND_TASK]);
    *is_chunk = run == self->core->chunk_run;
    return *is_chunk ? ((const cfi_chunk_header *)cfi_slot_arg(slot, queue->base))->run : run;
}

/* Of a chunk only what its items need: its room was laid out for as many, or for more. */
static cfi_mpi_task describe(cfi_mpi *self, cfi_slot *slot, const cfi_mpi_flight *flight,
                             uint32_t code, uint64_t word) {
    char *base = self->base.queue.base;
    const int64_t *limit = cfi_slot_limit(slot, base);
    cfi_mpi_task task = {
        .flight = cfi_mpi_number_of(self, flight),
        .attempt = cfi_word_attempts(word),
        .flags = (slot->kind & CFI_UNZEROED) != 0 ? CFI_MPI_IS_UNZEROED : 0,
        .code = code,
        .arg_size = slot->arg_size,
        .result_size = slot->result_size,
        .timeout_ns = limit != NULL ? *limit : 0,
    };
    if (flight->is_chunk) {
        const cfi_chunk_header *header = cfi_slot_arg(slot, base);
        task.flags |= CFI_MPI_IS_CHUNK;
        task.arg_size = (uint32_t)cfi_chunk_arg_size(header->arg_size, header->count);
        task.result_size = (uint32_t)cfi_chunk_result_size(header->result_size, header->count);
    }
    return task;
}

/* False: no memory. */
static bool add_task(cfi_mpi *self, int to, const cfi_mpi_task *task, const void *arg) {
    cfi_mpi_rank *rank = &self->ranks[to];
    if (rank->tasks == NULL) {
        rank->tasks = cfi_mpi_parcel_create(CFI_MPI_TASKS, PARCEL_BYTES);
    }
    unsigned char *at = rank->tasks != NULL
                            ? cfi_mpi_parcel_add(&rank->tasks, sizeof *task + task->arg_size)
                            : NULL;
    if (at == NULL) {
        return false;
    }
    memcpy(at, task, sizeof *task);
    if (task->arg_size > 0) {
        memcpy(at + sizeof *task, arg, task->arg_size);
    }
    rank->tasks->head.count++;
    if (rank->tasks->size >= PARCEL_BYTES) {
        send_tasks(self, to);
    }
    return true;
}

/* ---- who gets how many ----------------------------------------------------------------------- */

static int64_t expected_of(const cfi_mpi *self, uint16_t kind) {
    const int64_t expected_ns = self->experience[kind & CFI_KIND_TASK].expected_ns;
    return expected_ns != 0 ? expected_ns + OVERHEAD_NS : UNKNOWN_NS;
}

/* It has less than half of what it should have at hand. (So messages carry several tasks.) */
static bool is_short(const cfi_mpi_worker *worker) {
    return worker->count == 0 || worker->load_ns <= AHEAD_NS / 2 ||
           (worker->count == 1 && worker->load_ns <= LONG_NS);
}

static uint32_t most_ahead(const cfi_mpi *self) {
    const uint32_t known = self->experience[self->last_kind].runs;
    const uint32_t part = known / (KNOWN_SHARES * plat_load_relaxed(&self->base.started)) + 1;
    return part < AHEAD_MOST ? part : AHEAD_MOST;
}

static bool may_have_more(const cfi_mpi *self, const cfi_mpi_worker *worker) {
    return worker->count == 0 ||
           (worker->count < most_ahead(self) &&
            (worker->load_ns <= AHEAD_NS || (worker->count == 1 && worker->load_ns <= LONG_NS)));
}

static uint64_t share_of(cfi_mpi *self) {
    const cfi_control *control = self->base.queue.control;
    const uint64_t mask = (UINT64_C(1) << 40) - 1; /* the bits of a ticket in the cursor */
    const uint64_t pending =
        (plat_load_acquire(&control->tail) - plat_load_relaxed(&control->cursor)) & mask;
    const uint64_t share = pending / ((uint64_t)SHARES * self->base.max_workers);
    return share > 0 ? share : 1;
}

/* False: no memory to send the task, which is pending again. */
static bool begin(cfi_mpi *self, unsigned number, cfi_slot *slot, cfi_mpi_flight *flight,
                  uint64_t word) {
    cfi_queue *queue = &self->base.queue;
    cfi_mpi_worker *worker = &self->workers[number];
    cfi_record *record = &queue->records[number];
    bool is_chunk;
    cf_task_fn *run = function_of(self, slot, &is_chunk);
    *flight = (cfi_mpi_flight){
        .slot = cfi_queue_index(queue, slot),
        .worker = number,
        .losses = cfi_word_attempts(word) > 1 ? (uint32_t)slot->detail : 0,
        .kind = slot->kind & CFI_KIND_TASK,
        .is_chunk = is_chunk,
        .is_alone = worker->count == 0,
        .expected_ns = expected_of(self, slot->kind),
    };
    self->last_kind = flight->kind;
    if (flight->losses > 0) {
        flight->expected_ns = UNKNOWN_NS; /* nothing is put behind it */
    }
    plat_bump_owned(&record->begun, 1);
    plat_barrier_full(); /* before `armed` is read: cfi_queue_room_made from another library */
    plat_event_ring_if_armed(&queue->control->room, plat_load_relaxed(&queue->control->room.armed),
                             false);
    cfi_times_stamp_start(queue, slot);
    if (worker->count++ == 0) {
        plat_store_relaxed(&record->awake_since_ns, plat_now_ns());
        self->ranks[worker->rank].answered_ns = self->now_ns;
    }
    worker->load_ns += flight->expected_ns;
    self->under_way++;
    const uint32_t code = number_code(self, run);
    if (code != 0 && !self->codes[code].found) {
        cfi_mpi_refuse(self, flight, ENOSYS);
        return true;
    }
    if (code != 0 && tell_codes(self, worker->rank)) {
        const cfi_mpi_task task = describe(self, slot, flight, code, word);
        if (add_task(self, worker->rank, &task, cfi_slot_arg(slot, queue->base))) {
            return true;
        }
    }
    cfi_mpi_put_back(self, flight, false);
    return false;
}

/* True: it has got some. */
static bool deal_to(cfi_mpi *self, unsigned number, uint64_t share) {
    cfi_mpi_worker *worker = &self->workers[number];
    cfi_queue *queue = &self->base.queue;
    uint64_t dealt = 0, word;
    while (dealt < share && may_have_more(self, worker) && self->core->queue_has_work(queue)) {
        cfi_mpi_flight *flight = take_flight(self);
        cfi_slot *slot =
            flight != NULL ? self->core->queue_claim(queue, &worker->claim, &word) : NULL;
        if (slot == NULL) {
            if (flight != NULL) {
                give_flight(self, flight);
            }
            if (worker->count == 0) {
                plat_store_release(&queue->records[number].current, 0);
            }
            break;
        }
        if (!begin(self, number, slot, flight, word)) {
            break;
        }
        dealt++;
    }
    return dealt > 0;
}

bool cfi_mpi_deal(cfi_mpi *self) {
    /* Only what these have begun is counted: by stats, and by a submit that waits for room. */
    const unsigned workers = plat_load_acquire(&self->base.started);
    bool dealt = false;
    if (!self->core->queue_has_work(&self->base.queue)) {
        return false;
    }
    const uint64_t share = share_of(self);
    /* It stops where the tasks are used up, so that single ones go round all ranks. */
    for (unsigned i = 0; i < workers && self->core->queue_has_work(&self->base.queue); i++) {
        const unsigned number = self->next_worker < workers ? self->next_worker : 0;
        const cfi_mpi_worker *worker = &self->workers[number];
        self->next_worker = number + 1;
        if (self->ranks[worker->rank].state == CFI_MPI_WORKS && is_short(worker) &&
            deal_to(self, number, share)) {
            dealt = true;
        }
    }
    for (int i = 0; i < self->link->ranks; i++) {
        send_tasks(self, i);
    }
    return dealt;
}
