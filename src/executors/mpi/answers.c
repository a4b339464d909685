#include "executors/mpi/manager.h"

#include "cfutures/queue/completion.h"
#include "cfutures/queue/times.h"
#include "cfutures/worker/chunk.h"
#include "cfutures/worker/count.h"

#include "platform/clock.h"

#include <signal.h>
#include <string.h>

/* Ranks that one task may be lost with; beyond the first, those in which it was running. */
enum {
    LOSSES_MOST = 3
};

/* ---- one answer ------------------------------------------------------------------------------ */

/* The items, then how far the chunk has come. `end` is the caller's, which may be changing it. */
static void copy_chunk(cfi_chunk_progress *to, const cfi_chunk_progress *from, size_t size) {
    if (size > sizeof *from) {
        memcpy(to + 1, from + 1, size - sizeof *from);
    }
    to->failed = from->failed;
    to->error = from->error;
    to->busy_ns = from->busy_ns;
    plat_store_relaxed(&to->begun, plat_load_relaxed(&from->begun));
    plat_store_release(&to->varied, plat_load_relaxed(&from->varied));
    plat_store_release(&to->done, plat_load_relaxed(&from->done));
}

/* False: the answer has not the size that it can have. */
static bool copy_result(cfi_mpi *self, const cfi_mpi_flight *flight, const cfi_mpi_answer *answer,
                        const void *result) {
    cfi_slot *slot = cfi_mpi_slot_of(self, flight);
    if (answer->size > slot->result_size ||
        (flight->is_chunk && answer->size > 0 && answer->size < sizeof(cfi_chunk_progress))) {
        return false;
    }
    void *to = answer->size > 0 ? cfi_slot_result(slot, self->base.queue.base) : NULL;
    if (flight->is_chunk && answer->size > 0) {
        copy_chunk(to, result, answer->size);
    } else if (answer->size > 0) {
        memcpy(to, result, answer->size);
    }
    return true;
}

static void settle(cfi_mpi *self, const cfi_mpi_flight *flight, cf_status outcome, int32_t detail,
                   int64_t run_ns) {
    cfi_queue *queue = &self->base.queue;
    cfi_slot *slot = cfi_mpi_slot_of(self, flight);
    cfi_record *record = &queue->records[flight->worker];
    cfi_times *times = cfi_times_at(queue, slot);
    const bool failed = outcome == CF_ETASK;
    const bool late = outcome == CF_EDEADLINE;
    uint64_t word;
    slot->detail = detail;
    slot->outcome = (uint8_t)(late ? CF_OK : outcome);
    if (times != NULL && run_ns > 0) {
        plat_store_relaxed(&times->started_ns, plat_now_ns() - run_ns);
    }
    cfi_times_stamp_finish(times);
    cfi_count_run(record, failed, late);
    const bool observed = times != NULL && queue->events != NULL;
    if (observed) {
        self->core->observe_ending(queue, flight->worker, slot, plat_load_relaxed(&slot->word),
                                   late);
    }
    const bool settled = cfi_slot_settle(slot, flight->worker, late, &word);
    if (settled) {
        self->core->completion_announce(queue, slot, word);
    }
    if (observed) {
        self->core->observe_ended(queue, flight->worker, settled);
    }
    cfi_confirm_run(record, failed, late);
}

/* What a run of this kind may take: as long as a long one of late. A mean would put tasks behind a long
 * one that came after many short ones, while other workers have nothing to do. */
static void learn(cfi_mpi *self, const cfi_mpi_flight *flight, int64_t run_ns) {
    cfi_mpi_experience *kind = &self->experience[flight->kind];
    const int64_t less_ns = kind->expected_ns - kind->expected_ns / 8;
    if (run_ns > 0) {
        kind->expected_ns = run_ns > less_ns ? run_ns : less_ns;
        kind->runs += kind->runs < UINT32_MAX;
    }
}

void cfi_mpi_put_back(cfi_mpi *self, cfi_mpi_flight *flight, bool rank_lost) {
    cfi_slot *slot = cfi_mpi_slot_of(self, flight);
    const bool counts = rank_lost && (flight->losses == 0 || flight->is_alone);
    const uint32_t losses = flight->losses + counts;
    const unsigned worker = flight->worker;
    const uint32_t index = flight->slot;
    slot->detail = (int32_t)losses; /* for the next run's flight */
    cfi_mpi_end_flight(self, flight);
    self->core->executor_run_cut(&self->base, worker, index,
                                 !rank_lost             ? CFI_CUT_UNBEGUN
                                 : losses < LOSSES_MOST ? CFI_CUT_RETURNED
                                                        : CFI_CUT_FINAL,
                                 SIGKILL);
}

static void worker_died(cfi_mpi *self, cfi_mpi_flight *flight, int32_t wait_status) {
    const unsigned worker = flight->worker;
    const uint32_t index = flight->slot;
    cfi_mpi_slot_of(self, flight)->detail = (int32_t)flight->losses;
    cfi_mpi_end_flight(self, flight);
    self->core->executor_run_cut(&self->base, worker, index, CFI_CUT_DIED, wait_status);
}

void cfi_mpi_refuse(cfi_mpi *self, cfi_mpi_flight *flight, int error) {
    settle(self, flight, CF_ETASK, error, 0);
    cfi_mpi_end_flight(self, flight);
}

static bool take_answer(cfi_mpi *self, cfi_mpi_rank *rank, const cfi_mpi_answer *answer,
                        const void *result) {
    if (answer->flight == 0 || answer->flight > self->flights_made) {
        return false;
    }
    cfi_mpi_flight *flight = &self->flights[answer->flight];
    if (flight->slot == 0 || !copy_result(self, flight, answer, result)) {
        return false;
    }
    learn(self, flight, answer->run_ns);
    switch (answer->outcome) {
    case CF_OK:
        settle(
            self, flight, CF_OK,
            (int32_t)(flight->is_chunk ? cfi_mpi_slot_of(self, flight)->result_size : answer->size),
            answer->run_ns);
        cfi_mpi_end_flight(self, flight);
        break;
    case CF_ETASK:
    case CF_EDEADLINE:
        settle(self, flight, (cf_status)answer->outcome, answer->detail, answer->run_ns);
        cfi_mpi_end_flight(self, flight);
        break;
    case CF_EWORKER:
        worker_died(self, flight, answer->detail);
        break;
    default: /* the rank has not run it: it was called back, the pool is broken, no memory */
        rank->state = answer->outcome == CF_EBROKEN ? CFI_MPI_FAILS : rank->state;
        cfi_mpi_put_back(self, flight, false);
        break;
    }
    return true;
}

bool cfi_mpi_take_answers(cfi_mpi *self, int rank, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_reader reader = cfi_mpi_read(head, size);
    for (uint32_t i = 0; i < head->count; i++) {
        const cfi_mpi_answer *answer = cfi_mpi_read_next(&reader, sizeof *answer);
        const void *result = answer != NULL ? cfi_mpi_read_next(&reader, answer->size) : NULL;
        if (result == NULL || !take_answer(self, &self->ranks[rank], answer, result)) {
            return false;
        }
    }
    return true;
}
