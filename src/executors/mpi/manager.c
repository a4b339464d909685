#define _GNU_SOURCE
#include "executors/mpi/manager.h"

#include "executors/mpi/parent.h"
#include "executors/mpi/pause.h"

#include "platform/clock.h"
#include "platform/thread_id.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SLEEP_MOST INT64_C(50000000)  /* to ask ranks whether they live */
#define STEP_MOST  INT64_C(100000000) /* of the patient clock: more means that we were stopped */

enum {
    MESSAGES_AT_ONCE = 64
};

/* ---- messages -------------------------------------------------------------------------------- */

static void note_counts(cfi_mpi *self, int number, const cfi_mpi_head *head) {
    cfi_record *record = &self->base.queue.records[self->ranks[number].first_worker];
    if (self->ranks[number].workers == 0) {
        return; /* the record is another rank's */
    }
    plat_store_relaxed(&record->restarts, head->restarts);
    plat_store_relaxed(&record->retired, head->retired);
}

static void take_broken(cfi_mpi *self, int number, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_reader reader = cfi_mpi_read(head, size);
    const cfi_mpi_broken *why = cfi_mpi_read_next(&reader, sizeof *why);
    if (why != NULL && why->in_initializer && why->worker >= 0 &&
        (unsigned)why->worker < self->base.max_workers) {
        plat_store_relaxed(&self->base.queue.records[why->worker].init_error, why->error);
        self->core->executor_init_failed(&self->base, (unsigned)why->worker, why->wait_status);
    } else {
        cfi_mpi_fail_rank(self, number);
    }
}

static void take(cfi_mpi *self, int number, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_rank *rank = &self->ranks[number];
    rank->heard_ns = self->patient_ns;
    switch (head->kind) {
    case CFI_MPI_ANSWERS:
        rank->answered_ns = self->now_ns;
        note_counts(self, number, head);
        if (!cfi_mpi_take_answers(self, number, head, size)) {
            cfi_mpi_lose_rank(self, number, "sends what this program does not send");
        }
        break;
    case CFI_MPI_BROKEN:
        take_broken(self, number, head, size);
        break;
    case CFI_MPI_STOPPED:
        note_counts(self, number, head);
        rank->state = CFI_MPI_LEFT;
        break;
    default: /* CFI_MPI_ALIVE */
        break;
    }
}

/* It was only silent: its tasks run elsewhere by now. Once, for after that it may wait for the next
 * executor. */
static void dismiss(cfi_mpi *self, int rank) {
    self->ranks[rank].dismissed =
        self->ranks[rank].dismissed || cfi_mpi_link_dismiss(self->link, rank, "");
}

/* True: something has come. */
static bool receive(cfi_mpi *self) {
    bool any = false;
    size_t size;
    int from;
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        const cfi_mpi_head *head = cfi_mpi_link_receive(self->link, &size, &from);
        if (head == NULL) {
            break;
        }
        const cfi_mpi_rank_state state = self->ranks[from].state;
        if (state == CFI_MPI_LOST) {
            dismiss(self, from);
        } else if (state == CFI_MPI_WORKS || state == CFI_MPI_FAILS) {
            take(self, from, head, size);
            any = any || head->kind != CFI_MPI_ALIVE;
        }
    }
    cfi_mpi_parcel *own = self->station != NULL ? cfi_mpi_station_collect(self->station) : NULL;
    if (own != NULL) {
        take(self, 0, &own->head, own->size);
        cfi_mpi_parcel_free(own);
        any = true;
    }
    return any;
}

/* ---- telling all ----------------------------------------------------------------------------- */

static void pass_signal(cfi_mpi *self) {
    const int32_t signal = (int32_t)plat_swap_seq_cst(&self->signal, 0);
    for (int i = 0; signal != 0 && i < self->link->ranks; i++) {
        if (self->ranks[i].state == CFI_MPI_WORKS || self->ranks[i].state == CFI_MPI_FAILS) {
            cfi_mpi_send(self, i, cfi_mpi_parcel_with(CFI_MPI_SIGNAL, &signal, sizeof signal));
        }
    }
}

/* The ranks return from cf_mpi_create. */
static void dismiss_ranks(cfi_mpi *self) {
    for (int i = 1; i < self->link->ranks; i++) {
        const cfi_mpi_rank_state state = self->ranks[i].state;
        if (state == CFI_MPI_LEFT || state == CFI_MPI_WORKS || state == CFI_MPI_FAILS) {
            cfi_mpi_link_dismiss(self->link, i, "");
        }
    }
    cfi_mpi_link_push(self->link);
}

/* Tasks wait that some rank can run. (Those of a broken executor were ended where they are, and only
 * workers that look for tasks pass over them.) */
static bool has_work(cfi_mpi *self) {
    bool working = false;
    for (int i = 0; i < self->link->ranks; i++) {
        working = working || (self->ranks[i].state == CFI_MPI_WORKS && self->ranks[i].workers > 0);
    }
    return working && self->core->queue_has_work(&self->base.queue);
}

/* All tasks are done, and no more will come. True: something was sent. */
static bool stop_ranks(cfi_mpi *self) {
    bool any = false;
    if (plat_load_acquire(&self->stops) == 0 || self->under_way > 0 || has_work(self)) {
        return false;
    }
    for (int i = 0; i < self->link->ranks; i++) {
        cfi_mpi_rank *rank = &self->ranks[i];
        if ((rank->state == CFI_MPI_WORKS || rank->state == CFI_MPI_FAILS) && !rank->stop_sent) {
            cfi_mpi_stop_rank(self, i);
            any = true;
        }
    }
    return any;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* The clock by which ranks are silent: it stands still while this process is stopped. */
static void read_clock(cfi_mpi *self) {
    const int64_t now_ns = plat_now_ns();
    const int64_t step_ns = now_ns - self->now_ns;
    self->patient_ns += step_ns < STEP_MOST ? step_ns : STEP_MOST;
    self->now_ns = now_ns;
}

static bool is_over(const cfi_mpi *self) {
    return plat_load_acquire(&self->stops) != 0 && self->under_way == 0 && cfi_mpi_all_left(self);
}

static bool has_something_to_wait_for(const cfi_mpi *self) {
    return self->under_way > 0 || self->link->under_way != NULL ||
           plat_load_acquire(&self->stops) != 0;
}

/* It may have come since the last look; or no rank can do it now. */
static bool has_something_to_do(cfi_mpi *self) {
    return self->core->queue_has_work(&self->base.queue) || plat_load_acquire(&self->stops) != 0 ||
           plat_load_acquire(&self->signal) != 0 || plat_load_acquire(&self->halts) != 0;
}

static void rest(cfi_mpi *self, int64_t quiet_ns) {
    const int64_t pause_ns = self->under_way > 0 ? cfi_mpi_pause_at_work_ns(quiet_ns)
                                                 : cfi_mpi_pause_ns(quiet_ns, CFI_MPI_PAUSE_MOST);
    if (cfi_mpi_spins(quiet_ns)) {
        sched_yield();
    } else if (self->station != NULL && cfi_mpi_station_is_busy(self->station)) {
        cfi_mpi_station_wait(self->station, pause_ns);
    } else if (has_something_to_wait_for(self)) {
        const uint32_t seen = plat_event_seen(&self->event);
        plat_event_sleep(&self->event, seen, self->now_ns + pause_ns, false);
    } else {
        const uint32_t seen = plat_event_listen(&self->event);
        const int64_t most_ns = has_something_to_do(self) ? CFI_MPI_PAUSE_LEAST : SLEEP_MOST;
        plat_event_sleep(&self->event, seen, self->now_ns + most_ns, false);
        plat_event_disarm(&self->event);
    }
}

void *cfi_mpi_manager_main(void *context) {
    cfi_mpi *self = context;
    int64_t moved_ns = plat_now_ns();
    plat_thread_name("cf-mpi");
    cfi_mpi_pause_exactly();
    self->now_ns = moved_ns;
    while (!is_over(self) && plat_load_acquire(&self->halts) == 0) {
        read_clock(self);
        bool moved = receive(self);
        moved = cfi_mpi_deal(self) || moved;
        pass_signal(self);
        moved = stop_ranks(self) || moved;
        cfi_mpi_link_push(self->link);
        cfi_mpi_watch_ranks(self);
        cfi_mpi_parent_check(self->link->ranks > 1);
        if (moved) {
            moved_ns = self->now_ns;
        } else {
            rest(self, self->now_ns - moved_ns);
        }
    }
    if (plat_load_acquire(&self->halts) == 0) {
        dismiss_ranks(self);
    }
    plat_store_release(&self->halted, 1);
    return NULL;
}
