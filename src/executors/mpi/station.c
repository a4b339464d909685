#define _GNU_SOURCE
#include "executors/mpi/station.h"

#include "cfutures/core/deadline.h"
#include "cfutures/worker/chunk.h"
#include "cfutures/worker/context.h"

#include "platform/assert.h"
#include "platform/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A task of rank 0 in the rank's pool. */
typedef struct cfi_mpi_run {
    cf_future *future; /* NULL: the pool has refused it */
    uint32_t flight;
    uint32_t flags;
    cf_status refusal;
} cfi_mpi_run;

/* In memory that the processes of the pool share, because they are forked before it is known. */
typedef struct cfi_mpi_shared {
    _Atomic unsigned first_worker;
} cfi_mpi_shared;

struct cfi_mpi_station {
    const cfi_core_functions *core;
    cf_executor *pool;
    cf_mpi_pool kind;
    unsigned workers;
    cf_pool_options options; /* of the program, for the pool */
    cfi_mpi_shared *shared;
    cf_task_fn **code; /* by number; NULL = this rank does not have it */
    size_t codes;
    cfi_mpi_run *runs; /* in the order in which they came */
    size_t count, room;
    int64_t held_since_ns; /* since when a run is done and not answered; 0 = none */
    bool stops, stopped;
    bool broken, broken_told;
    cfi_mpi_broken why_broken;
};

/* ---- in the pool's workers ------------------------------------------------------------------- */

static int begin_worker(void *context, unsigned worker, void **local) {
    const cfi_mpi_station *self = context;
    return self->options.initializer(
        self->options.context, plat_load_relaxed(&self->shared->first_worker) + worker, local);
}

static void finish_worker(void *context, unsigned worker, void *local) {
    const cfi_mpi_station *self = context;
    self->options.finalizer(self->options.context,
                            plat_load_relaxed(&self->shared->first_worker) + worker, local);
}

/* Before the argument and the result of each run. */
typedef struct sent {
    cf_task_fn *run;
    uint32_t attempt;
    uint32_t first_worker;
} sent;

_Static_assert(sizeof(sent) % 8 == 0, "the argument after it is aligned to 8");

/* Runs the task as if it had been submitted here. */
static int run_sent(const void *arg, void *result, cf_task_context *ctx) {
    const sent *task = arg;
    int64_t *run_ns = result;
    cf_task_context inner = *ctx;
    const void *inner_arg = ctx->arg_size > sizeof *task ? task + 1 : NULL;
    void *inner_result = ctx->room > sizeof *run_ns ? run_ns + 1 : NULL;
    inner.first_worker = task->first_worker;
    inner.attempt = task->attempt;
    inner.arg_size -= sizeof *task;
    inner.room -= sizeof *run_ns;
    inner.result_size = inner.room;
    const int64_t start_ns = plat_now_ns();
    const int error = task->run(inner_arg, inner_result, &inner);
    *run_ns = plat_now_ns() - start_ns;
    ctx->result_size = sizeof *run_ns + inner.result_size;
    return error;
}

/* ---- life ------------------------------------------------------------------------------------ */

static cf_status make_pool(cfi_mpi_station *self, unsigned workers) {
    cf_pool_options options = self->options;
    options.max_workers = workers;
    options.record_times = false;
    options.observer = NULL;
    options.max_pending = 0;
    options.refuse_when_full = false;
    options.min_workers = 0;
    options.arena_limit = 0;
    options.context = self;
    options.initializer = self->options.initializer != NULL ? begin_worker : NULL;
    options.finalizer = self->options.finalizer != NULL ? finish_worker : NULL;
    return self->kind == CF_MPI_THREADS ? cf_thread_pool_create(&options, &self->pool)
                                        : cf_process_pool_create(&options, &self->pool);
}

cf_status cfi_mpi_station_create(const cfi_core_functions *core, const cf_pool_options *options,
                                 const cf_mpi_options *mpi, cfi_mpi_station **station) {
    cfi_mpi_station *self = calloc(1, sizeof *self);
    if (self == NULL) {
        return CF_ENOMEM;
    }
    self->core = core;
    self->kind = mpi->pool;
    self->options = *options;
    self->shared =
        mmap(NULL, sizeof *self->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->shared == MAP_FAILED) {
        free(self);
        return CF_ENOMEM;
    }
    cf_status status = make_pool(self, mpi->workers_per_rank);
    if (status != CF_OK) {
        cfi_mpi_station_destroy(self, true);
        return status;
    }
    self->workers = cf_executor_max_workers(self->pool);
    *station = self;
    return CF_OK;
}

void cfi_mpi_station_limit(cfi_mpi_station *station, unsigned workers) {
    cf_executor *pool = station->pool;
    const unsigned least = workers > 0 ? workers : 1; /* a pool without tasks starts no worker */
    if (workers < station->workers) {
        station->workers = workers;
        pool->max_workers = pool->config.workers = least;
        pool->workers_at_once = pool->workers_for_forks = least;
    }
}

unsigned cfi_mpi_station_workers(const cfi_mpi_station *station) {
    return station->workers;
}

void cfi_mpi_station_number(cfi_mpi_station *station, unsigned first_worker) {
    plat_store_relaxed(&station->shared->first_worker, first_worker);
}

bool cfi_mpi_station_is_busy(const cfi_mpi_station *station) {
    return station->count > 0;
}

/* Threads cannot be killed: they are asked to return. */
static void end_workers(cfi_mpi_station *self, int32_t signal) {
    if (signal != SIGKILL || cf_executor_kill_workers(self->pool) != CF_OK) {
        cf_executor_terminate_workers(self->pool);
    }
}

void cfi_mpi_station_kill(cfi_mpi_station *station) {
    if (station->pool != NULL) {
        end_workers(station, SIGKILL);
    }
}

void cfi_mpi_station_destroy(cfi_mpi_station *station, bool kill) {
    if (station == NULL) {
        return;
    }
    if (kill) {
        cfi_mpi_station_kill(station);
    }
    if (kill && station->kind == CF_MPI_THREADS && station->count > 0) {
        return;
    }
    for (size_t i = 0; i < station->count; i++) {
        cf_future_release(station->runs[i].future);
    }
    cf_executor_destroy(station->pool);
    munmap(station->shared, sizeof *station->shared);
    free(station->code);
    free(station->runs);
    free(station);
}

/* ---- what rank 0 asks for -------------------------------------------------------------------- */

static bool note_code(cfi_mpi_station *self, const cfi_mpi_named_code *named) {
    if (named->number >= self->codes) {
        cf_task_fn **code = realloc(self->code, (named->number + 1) * sizeof *code);
        if (code == NULL) {
            return false;
        }
        memset(code + self->codes, 0, (named->number + 1 - self->codes) * sizeof *code);
        self->code = code;
        self->codes = named->number + 1;
    }
    self->code[named->number] = cfi_mpi_code_find(named->code);
    return true;
}

static cfi_mpi_run *next_run(cfi_mpi_station *self) {
    if (self->count == self->room) {
        size_t room = self->room == 0 ? 64 : self->room * 2;
        cfi_mpi_run *runs = realloc(self->runs, room * sizeof *runs);
        if (runs == NULL) {
            return NULL;
        }
        self->runs = runs;
        self->room = room;
    }
    return &self->runs[self->count];
}

/* The task's argument and what goes before it, in a block of the pool's. 0: no memory. */
static uint64_t take_block(cfi_mpi_station *self, const cf_task *task, size_t limit) {
    return self->core->executor_take_block(self->pool, limit + task->arg_size, task->result_size);
}

/* Before it is submitted: a chunk that is called back, or whose worker dies before it runs, has an answer
 * too, and the block is not new. */
static void start_progress(unsigned char *result, uint32_t count) {
    cfi_chunk_progress *progress = (void *)((int64_t *)(void *)result + 1);
    *progress = (cfi_chunk_progress){.end = count};
}

static cf_status submit(cfi_mpi_station *self, const cfi_mpi_task *from, const void *arg,
                        cf_task_fn *code, cf_future **future) {
    const bool is_chunk = (from->flags & CFI_MPI_IS_CHUNK) != 0;
    const cf_task task = {
        .run = run_sent,
        .arg_size = sizeof(sent) + from->arg_size,
        .result_size = sizeof(int64_t) + from->result_size,
        .unzeroed = is_chunk || (from->flags & CFI_MPI_IS_UNZEROED) != 0,
    };
    sent head = {
        .run = is_chunk ? self->core->chunk_run : code,
        .attempt = from->attempt,
        .first_worker = plat_load_relaxed(&self->shared->first_worker),
    };
    const size_t limit = from->timeout_ns > 0 ? CFI_LIMIT_BYTES : 0;
    cfi_submission submission = {.task = &task, .timeout_ns = from->timeout_ns, .until_ns = -1};
    unsigned char staged[CFI_SLOT_INLINE];
    unsigned char *at = staged;
    if (limit + cfi_payload_size(task.arg_size, task.result_size) > CFI_SLOT_INLINE) {
        submission.block = take_block(self, &task, limit);
        if (submission.block == 0) {
            return CF_ENOMEM;
        }
        at = (unsigned char *)self->pool->queue.base + submission.block + limit;
    }
    submission.arg = at;
    memcpy(at, &head, sizeof head);
    if (from->arg_size > 0) {
        memcpy(at + sizeof head, arg, from->arg_size);
    }
    bool limited = from->timeout_ns > 0;
    if (is_chunk) {
        cfi_assert(submission.block != 0);
        cfi_chunk_header *header = (void *)(at + sizeof head);
        header->run = code;
        start_progress(at + cfi_result_offset(task.arg_size), header->count);
        limited = limited || header->timeout_ns > 0;
    }
    cf_status status = limited ? self->core->deadlines_start(self->pool) : CF_OK;
    if (status == CF_OK) {
        status = self->core->submission_submit(self->pool, &submission, future);
    }
    if (status != CF_OK && submission.block != 0) {
        self->core->executor_give_block(self->pool, submission.block, limit + task.arg_size,
                                        task.result_size);
    }
    return status;
}

/* False: the rank has no memory to note it. */
static bool begin_run(cfi_mpi_station *self, const cfi_mpi_task *from, const void *arg) {
    cfi_mpi_run *run = next_run(self);
    if (run == NULL) {
        return false;
    }
    cf_task_fn *code = from->code < self->codes ? self->code[from->code] : NULL;
    *run = (cfi_mpi_run){.flight = from->flight, .flags = from->flags, .refusal = CF_EUNSUPPORTED};
    if (code != NULL) {
        run->refusal = submit(self, from, arg, code, &run->future);
    }
    self->count++;
    return true;
}

static void break_down(cfi_mpi_station *self) {
    if (!self->broken) {
        self->broken = true;
        self->why_broken = (cfi_mpi_broken){.worker = -1};
    }
}

static void take_tasks(cfi_mpi_station *self, cfi_mpi_reader reader, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const cfi_mpi_task *task = cfi_mpi_read_next(&reader, sizeof *task);
        const void *arg = task != NULL ? cfi_mpi_read_next(&reader, task->arg_size) : NULL;
        if (arg == NULL || !begin_run(self, task, arg)) {
            break_down(self);
            return;
        }
    }
}

void cfi_mpi_station_take(cfi_mpi_station *station, const cfi_mpi_head *head, size_t size) {
    cfi_mpi_reader reader = cfi_mpi_read(head, size);
    const void *entry;
    switch (head->kind) {
    case CFI_MPI_CODE:
        entry = cfi_mpi_read_next(&reader, sizeof(cfi_mpi_named_code));
        if (entry == NULL || !note_code(station, entry)) {
            break_down(station);
        }
        break;
    case CFI_MPI_TASKS:
        take_tasks(station, reader, head->count);
        break;
    case CFI_MPI_SIGNAL:
        entry = cfi_mpi_read_next(&reader, sizeof(int32_t));
        end_workers(station, entry != NULL ? *(const int32_t *)entry : SIGTERM);
        break;
    case CFI_MPI_RECALL:
        for (size_t i = 0; i < station->count; i++) {
            cf_future_cancel(station->runs[i].future);
        }
        break;
    case CFI_MPI_STOP:
        station->stops = true;
        break;
    default:
        break;
    }
}

/* ---- what the rank answers ------------------------------------------------------------------- */

enum {
    ANSWERS_BYTES = 32 << 10 /* about as much goes in one message */
};

#define HOLD_NS INT64_C(100000) /* answers wait for others at most so long, while tasks run */

static int32_t wait_status_of(const cf_exception *exception) {
    return exception->signal != 0 ? exception->signal : exception->exit_code << 8;
}

static void note_broken(cfi_mpi_station *self, const cf_exception *exception) {
    if (!self->broken) {
        self->broken = true;
        const bool has_worker = exception->worker >= 0;
        self->why_broken = (cfi_mpi_broken){
            .in_initializer = has_worker && self->options.initializer != NULL,
            .error = exception->task_error,
            .wait_status = wait_status_of(exception),
            .worker = has_worker
                          ? exception->worker + (int)plat_load_relaxed(&self->shared->first_worker)
                          : -1,
        };
    }
}

static int32_t detail_of(const cf_exception *exception) {
    return exception->status == CF_ETASK ? exception->task_error : wait_status_of(exception);
}

/* Bytes of a chunk's result that say something by now. */
static size_t chunk_size(const cfi_chunk_header *header, const cfi_chunk_progress *progress) {
    const uint32_t done = plat_load_acquire(&progress->done);
    return plat_load_acquire(&progress->varied) != 0
               ? cfi_chunk_result_size(header->result_size, header->count)
               : sizeof *progress + cfi_chunk_step(header->result_size) * done;
}

/* Where the run's result lies, also that of a chunk that was cut short; *size: bytes. */
static const void *result_of(cfi_mpi_station *self, const cfi_mpi_run *run, cf_status outcome,
                             size_t *size) {
    char *base = self->pool->queue.base;
    const void *view;
    *size = 0;
    if ((run->flags & CFI_MPI_IS_CHUNK) != 0) {
        const sent *head = (const void *)cfi_future_arg(run->future, base);
        const int64_t *result = (const void *)cfi_future_result(run->future, base);
        *size = chunk_size((const void *)(head + 1), (const void *)(result + 1));
        return result + 1;
    }
    if (outcome == CF_OK && cf_future_view(run->future, 0, &view, size) == CF_OK &&
        *size >= sizeof(int64_t)) {
        *size -= sizeof(int64_t);
        return (const int64_t *)view + 1;
    }
    return NULL;
}

static int64_t run_ns_of(cfi_mpi_station *self, const cfi_mpi_run *run, cf_status outcome) {
    return outcome == CF_OK ? *(const int64_t *)(const void *)cfi_future_result(
                                  run->future, self->pool->queue.base)
                            : 0;
}

static cfi_mpi_answer answer_of(cfi_mpi_station *self, const cfi_mpi_run *run) {
    cf_exception exception = {.status = run->refusal};
    if (run->future != NULL) {
        cf_future_exception(run->future, 0, &exception);
    } else if (run->refusal == CF_EUNSUPPORTED) {
        exception = (cf_exception){.status = CF_ETASK, .task_error = ENOSYS};
    } else if (run->refusal == CF_EBROKEN) {
        exception = self->pool->why_broken; /* never changes once submit has returned that */
    }
    if (exception.status == CF_EBROKEN) {
        note_broken(self, &exception);
    }
    return (cfi_mpi_answer){
        .flight = run->flight,
        .outcome = (int32_t)exception.status,
        .detail = detail_of(&exception),
        .run_ns = run->future != NULL ? run_ns_of(self, run, exception.status) : 0,
    };
}

/* False: no memory now. */
static bool add_answer(cfi_mpi_station *self, cfi_mpi_parcel **parcel, const cfi_mpi_run *run) {
    cfi_mpi_answer answer = answer_of(self, run);
    size_t size = 0;
    const void *result =
        run->future != NULL ? result_of(self, run, (cf_status)answer.outcome, &size) : NULL;
    answer.size = (uint32_t)size;
    unsigned char *at = cfi_mpi_parcel_add(parcel, sizeof answer + size);
    if (at == NULL) {
        return false;
    }
    memcpy(at, &answer, sizeof answer);
    if (size > 0) {
        memcpy(at + sizeof answer, result, size);
    }
    (*parcel)->head.count++;
    return true;
}

static bool is_over(const cfi_mpi_run *run) {
    return run->future == NULL || cf_future_done(run->future);
}

static void set_counts(cfi_mpi_station *self, cfi_mpi_head *head) {
    cf_stats stats;
    if (cf_executor_stats(self->pool, &stats) == CF_OK) {
        head->restarts = (uint32_t)stats.restarts;
        head->retired = (uint32_t)stats.retired;
    }
}

/* It is worth a message: all are done, or they have waited long enough, or there are many. */
static bool is_worth_it(cfi_mpi_station *self, size_t over) {
    if (over == 0) {
        self->held_since_ns = 0;
        return false;
    }
    const int64_t now_ns = plat_now_ns();
    if (self->held_since_ns == 0) {
        self->held_since_ns = now_ns;
    }
    return over == self->count || now_ns - self->held_since_ns >= HOLD_NS;
}

static size_t count_over(const cfi_mpi_station *self) {
    size_t over = 0;
    for (size_t i = 0; i < self->count; i++) {
        over += is_over(&self->runs[i]);
    }
    return over;
}

static cfi_mpi_parcel *collect_answers(cfi_mpi_station *self) {
    cfi_mpi_parcel *parcel = cfi_mpi_parcel_create(CFI_MPI_ANSWERS, 1024);
    size_t kept = 0;
    bool full = parcel == NULL;
    if (full) {
        return NULL;
    }
    for (size_t i = 0; i < self->count; i++) {
        const cfi_mpi_run *run = &self->runs[i];
        full = full || parcel->size >= ANSWERS_BYTES;
        if (!full && is_over(run) && add_answer(self, &parcel, run)) {
            cf_future_release(run->future);
        } else {
            self->runs[kept++] = *run;
        }
    }
    self->count = kept;
    self->held_since_ns = 0;
    set_counts(self, &parcel->head);
    return parcel;
}

cfi_mpi_parcel *cfi_mpi_station_collect(cfi_mpi_station *station) {
    if (is_worth_it(station, count_over(station))) {
        return collect_answers(station);
    }
    /* Runs that go on when an initializer has failed may take long. Those of a dead pool are over. */
    if (station->broken && !station->broken_told &&
        (station->count == 0 || station->why_broken.in_initializer)) {
        station->broken_told = true;
        return cfi_mpi_parcel_with(CFI_MPI_BROKEN, &station->why_broken,
                                   sizeof station->why_broken);
    }
    if (station->stops && !station->stopped && station->count == 0) {
        cf_executor_shutdown(station->pool, true, false);
        station->stopped = true;
        cfi_mpi_parcel *parcel = cfi_mpi_parcel_create(CFI_MPI_STOPPED, 0);
        if (parcel != NULL) {
            set_counts(station, &parcel->head);
        }
        return parcel;
    }
    return NULL;
}

void cfi_mpi_station_wait(cfi_mpi_station *station, int64_t timeout_ns) {
    cf_exception ignored;
    if (station->held_since_ns != 0 && timeout_ns > HOLD_NS) {
        timeout_ns = HOLD_NS;
    }
    for (size_t i = 0; i < station->count; i++) {
        if (!is_over(&station->runs[i])) {
            cf_future_exception(station->runs[i].future, timeout_ns, &ignored);
            return;
        }
    }
    const struct timespec pause = {.tv_nsec = (long)timeout_ns};
    nanosleep(&pause, NULL);
}
