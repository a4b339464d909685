#define _GNU_SOURCE
#include "executors/mpi/job.h"
#include "executors/mpi/manager.h"
#include "executors/mpi/parent.h"
#include "executors/mpi/pause.h"
#include "executors/mpi/place.h"
#include "executors/mpi/serve.h"

#include "platform/clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_NS INT64_C(10000000000)
#define GATHER_NS  INT64_C(60000000000)
#define HALT_NS    INT64_C(1000000000) /* for the manager to notice that the program exits */

/* ---- why a call failed ----------------------------------------------------------------------- */

static _Thread_local char reason[sizeof((cfi_mpi_over *)NULL)->sentence];

const char *cf_mpi_reason(void) {
    return reason;
}

__attribute__((format(printf, 2, 3))) static cf_status fail(cf_status status, const char *format,
                                                            ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- what the core asks for ------------------------------------------------------------------ */

/* One executor on MPI at a time. */
static _Atomic uint32_t taken;

static cf_status mpi_start_worker(cf_executor *executor, unsigned worker) {
    (void)executor;
    (void)worker;
    return CF_OK; /* its rank has it already, or starts it with the first task */
}

static void ring(cf_executor *executor) {
    plat_barrier_full(); /* what the manager is to see is written before `armed` is read */
    plat_event_ring(&((cfi_mpi *)executor)->event, false);
}

static void mpi_submitted(cf_executor *executor, cf_future *future) {
    (void)future;
    ring(executor);
}

/* The core asks for each worker, under `lock`. All ranks get it, once or more often. A kill that was not
 * passed on yet is not softened. */
static void mpi_kill(cf_executor *executor, unsigned worker, int signal) {
    cfi_mpi *self = (cfi_mpi *)executor;
    (void)worker;
    if (plat_load_acquire(&self->signal) != SIGKILL) {
        plat_store_release(&self->signal, (uint32_t)signal);
    }
    ring(executor);
}

static void mpi_stop(cf_executor *executor) {
    plat_store_release(&((cfi_mpi *)executor)->stops, 1);
    ring(executor);
}

static void note_lost_ranks(const cfi_mpi *self) {
    for (int i = 0; i < self->link->ranks; i++) {
        if (self->ranks[i].state == CFI_MPI_LOST) {
            cfi_mpi_job_lose(i, !self->ranks[i].dismissed);
        }
    }
}

/* At exit, while the executor lives: the manager must make no more calls of MPI. False: it still
 * does. */
static bool halt(void *executor) {
    cfi_mpi *self = executor;
    const int64_t until_ns = plat_now_ns() + HALT_NS;
    plat_store_release(&self->halts, 1);
    ring(&self->base);
    while (plat_load_acquire(&self->halted) == 0) {
        if (pthread_equal(self->thread, pthread_self()) || plat_now_ns() > until_ns) {
            return false; /* exit is called in `report` */
        }
        sched_yield();
    }
    note_lost_ranks(self);
    return true;
}

static void mpi_join(cf_executor *executor) {
    cfi_mpi *self = (cfi_mpi *)executor;
    if (self->has_thread) {
        plat_thread_join(self->thread);
        self->has_thread = false;
        cfi_mpi_job_lead(NULL, NULL);
        note_lost_ranks(self);
    }
    cfi_mpi_station_destroy(self->station, false);
    self->station = NULL;
    plat_store_release(&taken, 0);
}

static void mpi_free(cf_executor *executor) {
    cfi_mpi *self = (cfi_mpi *)executor;
    free(self->ranks);
    free(self->workers);
    free(self->flights);
    free(self->codes);
    free(self->experience);
    self->core->executor_free(executor);
}

static const cfi_executor_ops mpi_ops = {
    .kind = "mpi",
    .is_remote = true,
    .start_worker = mpi_start_worker,
    .submitted = mpi_submitted,
    .kill = mpi_kill,
    .stop = mpi_stop,
    .join = mpi_join,
    .free = mpi_free,
};

cf_status cf_mpi_ranks(cf_executor *executor, unsigned *ranks, unsigned *working) {
    if (executor == NULL || executor->ops != &mpi_ops || ranks == NULL || working == NULL) {
        return CF_EINVAL;
    }
    const cfi_mpi *self = (const cfi_mpi *)executor;
    *ranks = (unsigned)self->link->ranks;
    *working = plat_load_relaxed(&self->working_ranks);
    return CF_OK;
}

/* ---- rank 0 gathers the others --------------------------------------------------------------- */

typedef struct gathering {
    cfi_mpi_link *link;
    cfi_mpi_rank *ranks;
    int missing;
    uint64_t program;
} gathering;

static cf_status take_hello(gathering *self, int from, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_reader reader = cfi_mpi_read(head, size);
    const cfi_mpi_hello *hello = cfi_mpi_read_next(&reader, sizeof *hello);
    cfi_mpi_rank *rank = &self->ranks[from];
    if (hello == NULL || hello->layout != CFI_MPI_LAYOUT || hello->program != self->program) {
        return fail(CF_EUNSUPPORTED, "rank %d%s%.60s runs another build of the program than rank 0",
                    from, hello != NULL && hello->layout == CFI_MPI_LAYOUT ? " on " : "",
                    hello != NULL && hello->layout == CFI_MPI_LAYOUT ? hello->place.host : "");
    }
    const cfi_mpi_place own = cfi_mpi_place_of_process();
    rank->state = CFI_MPI_WORKS;
    rank->workers = hello->workers;
    rank->place = hello->place;
    cfi_mpi_job_note_place(from, &hello->place);
    rank->seen = cfi_mpi_place_is_seen(&own, &rank->place);
    self->missing--;
    return CF_OK;
}

static int first_missing(const gathering *self) {
    int rank = 1;
    while (rank < self->link->ranks - 1 &&
           (self->ranks[rank].state != CFI_MPI_IDLE_RANK || cfi_mpi_job_has_lost(rank))) {
        rank++;
    }
    return rank;
}

static cf_status gather(gathering *self, int64_t patience_ns) {
    const int64_t until_ns = plat_now_ns() + patience_ns;
    int64_t pause_ns = CFI_MPI_PAUSE_LEAST;
    cf_status status = CF_OK;
    while (status == CF_OK && self->missing > 0) {
        size_t size;
        int from;
        const cfi_mpi_head *head = cfi_mpi_link_receive_hello(self->link, &size, &from);
        if (head != NULL && cfi_mpi_job_has_lost(from)) { /* nobody counts on it any more */
            cfi_mpi_link_dismiss(self->link, from, "");
        } else if (head != NULL && self->ranks[from].state == CFI_MPI_IDLE_RANK) {
            status = take_hello(self, from, head, size);
        } else if (head == NULL && plat_now_ns() > until_ns) {
            status =
                fail(CF_ETIMEDOUT, "rank %d has not called cf_mpi_create", first_missing(self));
        } else if (head == NULL) {
            cfi_mpi_parent_check(true);
            cfi_mpi_pause_longer(&pause_ns);
        }
    }
    return status;
}

/* The ranks return from cf_mpi_create and say why. */
static void refuse_all(cfi_mpi_link *link) {
    for (int i = 1; i < link->ranks; i++) {
        if (!cfi_mpi_job_has_lost(i)) {
            cfi_mpi_link_dismiss(link, i, reason);
        }
    }
    cfi_mpi_link_push(link);
}

static cf_status number_workers(gathering *self, unsigned *workers) {
    *workers = 0;
    for (int i = 0; i < self->link->ranks; i++) {
        cfi_mpi_rank *rank = &self->ranks[i];
        rank->first_worker = *workers;
        *workers += rank->state == CFI_MPI_WORKS ? rank->workers : 0;
    }
    if (*workers > CF_WORKERS_MAX) {
        return fail(CF_EUNSUPPORTED, "%u workers are more than %d: give workers_per_rank", *workers,
                    CF_WORKERS_MAX);
    }
    return *workers > 0 ? CF_OK : fail(CF_EUNSUPPORTED, "no rank is left to run tasks");
}

/* ---- rank 0's executor ----------------------------------------------------------------------- */

static bool allocate(cfi_mpi *self, gathering *gathered) {
    const unsigned workers = self->base.max_workers;
    self->workers = calloc(workers, sizeof *self->workers);
    self->experience = calloc(CFI_TASKS_MAX, sizeof *self->experience);
    self->ranks = gathered->ranks;
    for (int i = 0; self->workers != NULL && i < self->link->ranks; i++) {
        const cfi_mpi_rank *rank = &self->ranks[i];
        for (unsigned k = 0; rank->state == CFI_MPI_WORKS && k < rank->workers; k++) {
            self->workers[rank->first_worker + k] = (cfi_mpi_worker){
                .rank = i,
                .claim = {.worker = rank->first_worker + k, .max = 1},
            };
            plat_store_relaxed(&self->base.queue.records[rank->first_worker + k].id,
                               rank->place.pid);
            plat_store_relaxed(&self->base.queue.records[rank->first_worker + k].ready, CFI_READY);
        }
    }
    return self->workers != NULL && self->experience != NULL;
}

static void welcome(cfi_mpi *self) {
    for (int i = 1; i < self->link->ranks; i++) {
        cfi_mpi_rank *rank = &self->ranks[i];
        rank->state = cfi_mpi_job_has_lost(i) ? CFI_MPI_LOST : rank->state;
        const cfi_mpi_welcome entry = {
            .first_worker = rank->first_worker,
            .silence_ns = self->options.silence_ns,
            .place = self->place,
        };
        if (rank->state == CFI_MPI_WORKS) {
            cfi_mpi_link_send(self->link,
                              cfi_mpi_parcel_with(CFI_MPI_WELCOME, &entry, sizeof entry), i);
        }
        plat_add_relaxed(&self->working_ranks, rank->state == CFI_MPI_WORKS && rank->workers > 0);
    }
    if (self->station != NULL) {
        cfi_mpi_station_number(self->station, self->ranks[0].first_worker);
        plat_add_relaxed(&self->working_ranks, self->ranks[0].workers > 0);
    }
}

static cf_status make(const cfi_core_functions *core, const cf_pool_options *options,
                      const cf_mpi_options *mpi, gathering *gathered, unsigned workers,
                      cfi_mpi_station **station, cf_executor **executor) {
    cf_pool_options chosen = *options;
    chosen.max_workers = workers;
    chosen.initializer = NULL; /* the ranks' pools have them */
    chosen.finalizer = NULL;
    cf_status status = core->executor_create(sizeof(cfi_mpi), &mpi_ops, &chosen, false, executor);
    if (status != CF_OK) {
        return fail(status, "rank 0: %s", cf_status_message(status));
    }
    cfi_mpi *self = (cfi_mpi *)*executor;
    self->core = core;
    self->options = *mpi;
    self->link = gathered->link;
    self->place = cfi_mpi_place_of_process();
    int error = allocate(self, gathered) ? 0 : ENOMEM;
    gathered->ranks = NULL; /* the executor's now */
    self->station = *station;
    if (error == 0) {
        welcome(self);
        error = plat_thread_start(&self->thread, cfi_mpi_manager_main, self);
    }
    self->has_thread = error == 0;
    cfi_mpi_job_lead(error == 0 ? self : NULL, halt);
    if (error != 0) {
        core->refused(error == ENOMEM ? "malloc" : "pthread_create", error);
        mpi_free(*executor);
        *executor = NULL; /* *station stays the caller's */
        return fail(error == ENOMEM ? CF_ENOMEM : CF_EAGAIN, "rank 0 has no %s",
                    error == ENOMEM ? "memory" : "thread for its ranks");
    }
    *station = NULL;
    return CF_OK;
}

/* *station becomes the executor's. */
static cf_status lead(const cfi_core_functions *core, const cf_pool_options *options,
                      const cf_mpi_options *mpi, cfi_mpi_link *link, cfi_mpi_station **station,
                      cf_executor **executor) {
    unsigned workers;
    gathering gathered = {
        .link = link,
        .ranks = calloc((size_t)link->ranks, sizeof *gathered.ranks),
        .program = cfi_mpi_code_program(),
    };
    if (gathered.ranks == NULL) {
        return fail(CF_ENOMEM, "rank 0 has no memory");
    }
    for (int i = 1; i < link->ranks; i++) {
        gathered.missing += !cfi_mpi_job_has_lost(i);
    }
    if (*station != NULL) {
        gathered.ranks[0].state = CFI_MPI_WORKS;
        gathered.ranks[0].workers = cfi_mpi_station_workers(*station);
        gathered.ranks[0].place = cfi_mpi_place_of_process();
    }
    cf_status status = gather(&gathered, mpi->gather_ns);
    if (status == CF_OK) {
        status = number_workers(&gathered, &workers);
    }
    if (status == CF_OK) {
        status = make(core, options, mpi, &gathered, workers, station, executor);
    }
    if (status != CF_OK) {
        refuse_all(link);
    }
    free(gathered.ranks);
    return status;
}

/* ---- creation -------------------------------------------------------------------------------- */

static const cf_pool_options no_options;
static const cf_mpi_options no_mpi_options;

/* Before MPI is initialised, so that processes of the pool have nothing of MPI's. Of rank 0 it may
 * turn out that it needs none. */
static cf_status prepare(const cfi_core_functions *core, const cf_pool_options *options,
                         const cf_mpi_options *mpi, cfi_mpi_station **station) {
    cf_status status = cfi_mpi_station_create(core, options, mpi, station);
    return status == CF_OK ? CF_OK
                           : fail(status, "the rank's own pool: %s", cf_status_message(status));
}

/* Of all workers: the first ranks that run tasks get one more than the others, if they do not come out
 * even. */
static unsigned share_of(unsigned workers, const cfi_mpi_link *link, bool use_rank_0) {
    const unsigned idle = link->ranks == 1 || use_rank_0 ? 0 : 1;
    const unsigned ranks = (unsigned)link->ranks - idle;
    return workers / ranks + ((unsigned)link->rank - idle < workers % ranks);
}

static cf_status join_job(const cf_pool_options *options, const cf_mpi_options *mpi,
                          cfi_mpi_station **station, cfi_mpi_link **link) {
    cf_status status = CF_OK;
    const char *why = "";
    *link = cfi_mpi_job_join(mpi->gather_ns, &status, &why);
    if (*link == NULL) {
        return fail(status, "%s", why);
    }
    const bool runs_tasks = (*link)->rank > 0 || (*link)->ranks == 1 || mpi->use_rank_0;
    if (!cfi_mpi_job_compare(runs_tasks)) {
        return fail(CF_EUNSUPPORTED, "MPI cannot compare the processors of the ranks");
    }
    if (!runs_tasks) {
        cfi_mpi_station_destroy(*station, true);
        *station = NULL;
    } else if (options->max_workers > 0) {
        cfi_mpi_station_limit(*station, share_of(options->max_workers, *link, mpi->use_rank_0));
    } else if (mpi->workers_per_rank == 0) {
        const unsigned processors = cfi_mpi_station_workers(*station);
        const unsigned share = processors / cfi_mpi_job_sharers();
        cfi_mpi_station_limit(*station, share > 0 ? share : 1);
    }
    return CF_OK;
}

static cf_status serve(cfi_mpi_link *link, cfi_mpi_station *station) {
    cf_status status = cfi_mpi_serve(link, station, reason, sizeof reason);
    cfi_mpi_station_destroy(station, true);
    return status;
}

static cf_status create(const cfi_core_functions *core, const cf_pool_options *options,
                        const cf_mpi_options *mpi, cf_executor **executor) {
    cfi_mpi_station *station = NULL;
    cfi_mpi_link *link;
    cf_status status = prepare(core, options, mpi, &station);
    if (status == CF_OK) {
        status = join_job(options, mpi, &station, &link);
    }
    if (status == CF_OK && link->rank > 0) {
        return serve(link, station);
    }
    if (status == CF_OK) {
        status = lead(core, options, mpi, link, &station, executor);
    }
    cfi_mpi_station_destroy(station, true);
    return status;
}

cf_status cf_mpi_create(const cf_pool_options *options, const cf_mpi_options *mpi,
                        cf_executor **executor) {
    const cfi_core_functions *core = cf_core_functions(CFI_CORE_VERSION);
    uint32_t free_before = 0;
    reason[0] = '\0';
    if (executor == NULL) {
        return fail(CF_EINVAL, "executor is NULL");
    }
    *executor = NULL;
    options = options != NULL ? options : &no_options;
    cf_mpi_options chosen = mpi != NULL ? *mpi : no_mpi_options;
    chosen.silence_ns = chosen.silence_ns == 0 ? SILENCE_NS : chosen.silence_ns;
    chosen.gather_ns = chosen.gather_ns == 0 ? GATHER_NS : chosen.gather_ns;
    if (core == NULL) {
        return fail(CF_EUNSUPPORTED, "libcfutures is not of the same build as libcfutures_mpi");
    }
    if (cfi_mpi_job_is_inherited()) {
        return fail(CF_EUNSUPPORTED,
                    "this process is a fork of the one that takes part in the MPI job");
    }
    if (options->max_workers > CF_WORKERS_MAX || chosen.workers_per_rank > CF_WORKERS_MAX ||
        (options->max_workers > 0 && chosen.workers_per_rank > 0) || chosen.silence_ns < 0 ||
        chosen.gather_ns < 0 || chosen.pool > CF_MPI_THREADS) {
        return fail(CF_EINVAL,
                    "max_workers or workers_per_rank must be 0, the other at most %d; "
                    "silence_ns and gather_ns not negative",
                    CF_WORKERS_MAX);
    }
    if (options->max_workers > 0) {
        chosen.workers_per_rank = options->max_workers; /* until the ranks are counted */
    }
    if (!plat_cas(&taken, &free_before, 1)) {
        return fail(CF_EUNSUPPORTED, "another executor on MPI lives in this process");
    }
    cf_status status = create(core, options, &chosen, executor);
    if (status != CF_OK) {
        plat_store_release(&taken, 0);
    }
    return status;
}
