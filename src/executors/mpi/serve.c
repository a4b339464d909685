#define _GNU_SOURCE
#include "executors/mpi/serve.h"

#include "executors/mpi/job.h"
#include "executors/mpi/parent.h"
#include "executors/mpi/pause.h"
#include "executors/mpi/place.h"

#include "platform/clock.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_NS   INT64_C(100000000) /* from look to look whether rank 0 and mpirun live */
#define STEP_MOST LOOK_NS            /* of the patient clock: more means that we were stopped */

typedef struct serving {
    cfi_mpi_link *link;
    cfi_mpi_station *station;
    cfi_mpi_place rank_0;
    bool welcome; /* rank 0 has answered */
    bool sees_rank_0;
    bool over;
    char refused[sizeof((cfi_mpi_over *)NULL)->sentence]; /* why rank 0 does not want it */
    int64_t silence_ns;
    int64_t now_ns, patient_ns; /* the second stands still while this process is stopped */
    int64_t heard_ns, looked_ns;
} serving;

static void take_welcome(serving *self, const cfi_mpi_welcome *welcome) {
    const cfi_mpi_place own = cfi_mpi_place_of_process();
    self->welcome = true;
    self->rank_0 = welcome->place;
    cfi_mpi_job_note_place(0, &welcome->place);
    self->sees_rank_0 = cfi_mpi_place_is_seen(&own, &self->rank_0);
    self->silence_ns = welcome->silence_ns;
    cfi_mpi_station_number(self->station, (unsigned)welcome->first_worker);
}

static void take_over(serving *self, const cfi_mpi_over *over) {
    self->over = true;
    if (over != NULL) {
        snprintf(self->refused, sizeof self->refused, "%s", over->sentence);
    }
}

static void answer(serving *self, cfi_mpi_kind kind) {
    cfi_mpi_link_send(self->link, cfi_mpi_parcel_create(kind, 0), 0);
}

static void take(serving *self, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_reader reader = cfi_mpi_read(head, size);
    const void *entry;
    self->heard_ns = self->patient_ns;
    switch (head->kind) {
    case CFI_MPI_WELCOME:
        entry = cfi_mpi_read_next(&reader, sizeof(cfi_mpi_welcome));
        if (entry != NULL) {
            take_welcome(self, entry);
        }
        break;
    case CFI_MPI_PING:
        answer(self, CFI_MPI_ALIVE);
        break;
    case CFI_MPI_OVER:
        take_over(self, cfi_mpi_read_next(&reader, sizeof(cfi_mpi_over)));
        break;
    case CFI_MPI_END:
        entry = cfi_mpi_read_next(&reader, sizeof(uint32_t));
        self->over = true;
        cfi_mpi_job_ends(entry != NULL && *(const uint32_t *)entry != 0);
        break;
    default:
        if (self->welcome) { /* else it is of an executor before this one */
            cfi_mpi_station_take(self->station, head, size);
        }
        break;
    }
}

static bool receive(serving *self) {
    bool any = false;
    const cfi_mpi_head *head;
    size_t size;
    int from;
    while (!self->over && (head = cfi_mpi_link_receive(self->link, &size, &from)) != NULL) {
        take(self, head, size);
        any = true;
    }
    return any;
}

static bool send_answers(serving *self) {
    cfi_mpi_parcel *parcel = cfi_mpi_station_collect(self->station);
    if (parcel == NULL) {
        return false;
    }
    cfi_mpi_link_send(self->link, parcel, 0);
    return true;
}

/* Nobody is left who wants the answers. Does not return then. */
static void look_at_others(serving *self) {
    if (self->now_ns - self->looked_ns < LOOK_NS) {
        return;
    }
    self->looked_ns = self->now_ns;
    const bool silent = self->welcome && self->patient_ns - self->heard_ns > self->silence_ns;
    const bool lost = self->sees_rank_0 ? cfi_mpi_place_is_over(&self->rank_0) : silent;
    if (cfi_mpi_parent_is_over() || lost) {
        cfi_mpi_station_kill(self->station); /* its nursery ends with this process */
        _exit(EXIT_FAILURE);
    }
}

static void rest(serving *self, int64_t quiet_ns) {
    const int64_t pause_ns = cfi_mpi_pause_ns(quiet_ns, CFI_MPI_PAUSE_MOST);
    if (cfi_mpi_spins(quiet_ns)) {
        sched_yield();
    } else {
        cfi_mpi_station_wait(self->station, pause_ns);
    }
}

static void read_clock(serving *self) {
    const int64_t now_ns = plat_now_ns();
    const int64_t step_ns = now_ns - self->now_ns;
    self->patient_ns += step_ns < STEP_MOST ? step_ns : STEP_MOST;
    self->now_ns = now_ns;
}

cf_status cfi_mpi_serve(cfi_mpi_link *link, cfi_mpi_station *station, char *reason, size_t size) {
    const cfi_mpi_hello hello = {
        .layout = CFI_MPI_LAYOUT,
        .workers = cfi_mpi_station_workers(station),
        .program = cfi_mpi_code_program(),
        .place = cfi_mpi_place_of_process(),
    };
    serving self = {.link = link, .station = station, .now_ns = plat_now_ns()};
    if (!cfi_mpi_link_send(link, cfi_mpi_parcel_with(CFI_MPI_HELLO, &hello, sizeof hello), 0)) {
        snprintf(reason, size, "rank %d cannot send to rank 0", link->rank);
        return CF_EUNSUPPORTED;
    }
    int64_t moved_ns = self.now_ns;
    const int slack_ns = cfi_mpi_pause_exactly();
    while (!self.over) {
        read_clock(&self);
        bool moved = receive(&self);
        moved = send_answers(&self) || moved;
        cfi_mpi_link_push(link);
        look_at_others(&self);
        if (moved) {
            moved_ns = self.now_ns;
        } else if (!self.over) {
            rest(&self, self.now_ns - moved_ns);
        }
    }
    cfi_mpi_pause_as_before(slack_ns);
    const int64_t until_ns = self.now_ns + LOOK_NS;
    while (!cfi_mpi_link_push(link) && plat_now_ns() < until_ns) {}
    if (self.refused[0] != '\0') {
        snprintf(reason, size, "%s", self.refused);
        return CF_EUNSUPPORTED;
    }
    return CF_ESERVED;
}
