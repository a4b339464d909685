#include "executors/mpi/manager.h"
#include "executors/mpi/place.h"

#include "platform/clock.h"

#include <stdio.h>
#include <string.h>

#define LOOK_NS INT64_C(50000000) /* from look to look at the ranks */

enum {
    QUESTIONS = 4,         /* that a rank gets in the time in which it must be heard */
    FINALIZERS_FACTOR = 6, /* so much longer it may be silent while its workers end */
};

/* ---- sending --------------------------------------------------------------------------------- */

bool cfi_mpi_send(cfi_mpi *self, int rank, cfi_mpi_parcel *parcel) {
    if (parcel == NULL) {
        return false;
    }
    if (rank == 0) {
        cfi_mpi_station_take(self->station, &parcel->head, parcel->size);
        cfi_mpi_parcel_free(parcel);
    } else {
        self->ranks[rank].asked_ns = self->patient_ns;
        self->ranks[rank].unreachable |= !cfi_mpi_link_send(self->link, parcel, rank);
    }
    return true;
}

/* ---- losing one ------------------------------------------------------------------------------ */

static void report(const cfi_mpi *self, int rank, const char *why, unsigned runs) {
    char sentence[256];
    const cfi_mpi_place *place = &self->ranks[rank].place;
    const char *what =
        plat_peek(&self->working_ranks) > 0 ? "run again in other ranks" : "cannot be run any more";
    if (self->options.report != NULL) {
        snprintf(sentence, sizeof sentence, "rank %d (process %lld on %s) %s: its %u task%s %s",
                 rank, (long long)place->pid, place->host, why, runs, runs == 1 ? "" : "s", what);
        self->options.report(self->options.report_context, sentence);
    }
}

static unsigned put_back_all(cfi_mpi *self, int rank) {
    unsigned runs = 0;
    for (uint32_t i = 1; i <= self->flights_made; i++) {
        cfi_mpi_flight *flight = &self->flights[i];
        if (flight->slot != 0 && self->workers[flight->worker].rank == rank) {
            cfi_mpi_put_back(self, flight, true);
            runs++;
        }
    }
    return runs;
}

/* No rank can run tasks any more. */
static void break_executor(cfi_mpi *self) {
    if (!self->broken && plat_load_relaxed(&self->working_ranks) == 0) {
        self->broken = true;
        self->core->executor_break(&self->base, 0);
    }
}

/* Its tasks run elsewhere from now on. */
static void take_work_from(cfi_mpi *self, int number, const char *why) {
    cfi_mpi_rank *rank = &self->ranks[number];
    cfi_mpi_parcel_free(rank->tasks);
    rank->tasks = NULL;
    if (!rank->out_of_work) {
        rank->out_of_work = true;
        self->core->executor_start_all(&self->base);
        plat_sub_relaxed(&self->working_ranks, rank->workers > 0);
        report(self, number, why, put_back_all(self, number));
        break_executor(self);
    }
}

void cfi_mpi_lose_rank(cfi_mpi *self, int rank, const char *why) {
    cfi_mpi_rank *lost = &self->ranks[rank];
    if (lost->state == CFI_MPI_LOST || lost->state == CFI_MPI_IDLE_RANK) {
        return;
    }
    const bool ran = lost->state == CFI_MPI_WORKS || lost->state == CFI_MPI_FAILS;
    lost->state = CFI_MPI_LOST;
    if (ran) {
        take_work_from(self, rank, why);
    }
}

void cfi_mpi_stop_rank(cfi_mpi *self, int rank) {
    if (!self->ranks[rank].stop_sent) {
        self->ranks[rank].stop_sent =
            cfi_mpi_send(self, rank, cfi_mpi_parcel_create(CFI_MPI_STOP, 0));
    }
}

void cfi_mpi_fail_rank(cfi_mpi *self, int rank) {
    self->ranks[rank].state = CFI_MPI_FAILS;
    take_work_from(self, rank, "cannot run tasks any more");
    cfi_mpi_stop_rank(self, rank);
}

bool cfi_mpi_all_left(const cfi_mpi *self) {
    for (int i = 0; i < self->link->ranks; i++) {
        if (self->ranks[i].state == CFI_MPI_WORKS || self->ranks[i].state == CFI_MPI_FAILS) {
            return false;
        }
    }
    return true;
}

/* ---- watching -------------------------------------------------------------------------------- */

static void watch(cfi_mpi *self, int number) {
    cfi_mpi_rank *rank = &self->ranks[number];
    const int64_t limit_ns = self->options.silence_ns * (rank->stop_sent ? FINALIZERS_FACTOR : 1);
    const int64_t silent_ns = self->patient_ns - rank->heard_ns;
    const int64_t unasked_ns = self->patient_ns - rank->asked_ns;
    if (rank->unreachable) {
        cfi_mpi_lose_rank(self, number, "cannot be reached");
    } else if (rank->seen && cfi_mpi_place_is_over(&rank->place)) {
        cfi_mpi_lose_rank(self, number, "has died");
    } else if (silent_ns > limit_ns) {
        cfi_mpi_lose_rank(self, number, "does not answer");
    } else if (unasked_ns > self->options.silence_ns / QUESTIONS) {
        cfi_mpi_send(self, number, cfi_mpi_parcel_create(CFI_MPI_PING, 0));
    }
}

/* ---- calling back ---------------------------------------------------------------------------- */

static bool has_idle_worker(const cfi_mpi *self) {
    for (unsigned i = 0; i < plat_load_relaxed(&self->base.started); i++) {
        if (self->workers[i].count == 0 &&
            self->ranks[self->workers[i].rank].state == CFI_MPI_WORKS) {
            return true;
        }
    }
    return false;
}

/* What is under way there takes longer than expected: at least as long as nothing has come. */
static void expect_long(cfi_mpi *self, unsigned worker, int64_t quiet_ns) {
    for (uint32_t i = 1; i <= self->flights_made; i++) {
        const cfi_mpi_flight *flight = &self->flights[i];
        int64_t *expected_ns = &self->experience[flight->kind].expected_ns;
        if (flight->slot != 0 && flight->worker == worker && *expected_ns < quiet_ns) {
            *expected_ns = quiet_ns;
        }
    }
}

/* Tasks wait behind one that takes long, and a worker has nothing to do. */
static void call_back(cfi_mpi *self) {
    if (self->core->queue_has_work(&self->base.queue) || !has_idle_worker(self)) {
        return;
    }
    for (unsigned i = 0; i < self->base.max_workers; i++) {
        cfi_mpi_rank *rank = &self->ranks[self->workers[i].rank];
        const int64_t quiet_ns = self->now_ns - rank->answered_ns;
        if (self->workers[i].count > 1 && rank->state == CFI_MPI_WORKS && quiet_ns > LOOK_NS) {
            expect_long(self, i, quiet_ns);
            cfi_mpi_send(self, self->workers[i].rank, cfi_mpi_parcel_create(CFI_MPI_RECALL, 0));
        }
    }
}

void cfi_mpi_watch_ranks(cfi_mpi *self) {
    if (self->now_ns - self->looked_ns < LOOK_NS) {
        return;
    }
    self->looked_ns = self->now_ns;
    for (int i = 1; i < self->link->ranks; i++) {
        if (self->ranks[i].state == CFI_MPI_WORKS || self->ranks[i].state == CFI_MPI_FAILS) {
            watch(self, i);
        }
    }
    call_back(self);
}
