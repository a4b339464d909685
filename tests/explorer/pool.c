#include "pool.h"

#include "include/hooks.h"

#include "cfutures/executor.h"
#include "cfutures/waiting/steal.h"
#include "cfutures/worker/worker.h"
#include "executors/thread_worker.h"

#include "platform/atomic.h"
#include "platform/futex.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

cf_executor *executor;

/* ---- tasks ----------------------------------------------------------------------------------- */

static unsigned runs[TASKS_MAX];
static unsigned meeting;
static _Atomic uint32_t arrived;
static bool freed;

static int run_number(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    unsigned n = *(const unsigned *)arg;
    runs[n]++;
    *(uint64_t *)result = pool_result(n);
    return 0;
}

const cf_task number_task = {.name = "number",
                             .run = run_number,
                             .arg_size = sizeof(unsigned),
                             .result_size = sizeof(uint64_t)};

void pool_arrive(void) {
    plat_add_seq_cst(&arrived, 1);
    plat_futex_wake_all(&arrived, false);
}

void pool_await(unsigned how_many) {
    for (uint32_t seen = plat_load_acquire(&arrived); seen < how_many;
         seen = plat_load_acquire(&arrived)) {
        plat_futex_wait(&arrived, seen, -1, false);
    }
}

static int run_meeting(const void *arg, void *result, cf_task_context *ctx) {
    pool_arrive();
    pool_await(meeting);
    return run_number(arg, result, ctx);
}

const cf_task meeting_task = {.name = "meeting",
                              .run = run_meeting,
                              .arg_size = sizeof(unsigned),
                              .result_size = sizeof(uint64_t)};

static int run_stepping(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    unsigned n = *(const unsigned *)arg;
    runs[n]++;
    plat_add_seq_cst(&arrived, 1);
    *(uint64_t *)result = pool_result(n);
    return 0;
}

const cf_task stepping_task = {.name = "stepping",
                               .run = run_stepping,
                               .arg_size = sizeof(unsigned),
                               .result_size = sizeof(uint64_t)};

unsigned pool_runs(unsigned n) {
    return runs[n];
}

uint64_t pool_result(unsigned n) {
    return UINT64_C(1000) + n;
}

void pool_meet(unsigned how_many) {
    meeting = how_many;
}

void pool_check_counts(cf_stats *stats) {
    const cfi_counts *counts = &executor->counts;
    uint64_t begun = 0, ended = 0;
    CHECK(cf_executor_stats(executor, stats) == CF_OK);
    CHECK(stats->submitted == stats->finished + stats->cancelled);
    CHECK(stats->pending == 0 && stats->running == 0);
    for (unsigned i = 0; i < stats->workers; i++) {
        const cfi_record *record = &executor->queue.records[i];
        begun += plat_load_relaxed(&record->begun);
        ended += plat_load_relaxed(&record->tasks) + plat_load_relaxed(&record->cut);
    }
    CHECK(begun == ended);
    CHECK(begun + counts->cancelled + counts->broken == counts->submitted + counts->again);
}

cf_future *pool_submit(const cf_task *task, unsigned n) {
    cf_future *future = NULL;
    CHECK(cf_executor_submit(executor, task, &n, &future) == CF_OK);
    return future;
}

void pool_take_result(cf_future *future, unsigned n) {
    uint64_t value = 0;
    CHECK(cf_future_result(future, CF_FOREVER, &value) == CF_OK);
    CHECK(value == pool_result(n));
    cf_future_release(future);
}

/* ---- the executor ---------------------------------------------------------------------------- */

enum {
    WORKERS_MAX = 4
};

typedef struct pool pool;

/* What a worker's thread knows. */
typedef struct worker_context {
    pool *self;
    unsigned number;
    unsigned thread;
    cfi_slot *begun; /* the task that it begins with, NULL = none, */
    uint64_t word;   /* and its word */
} worker_context;

struct pool {
    cf_executor base;
    worker_context workers[WORKERS_MAX];
    unsigned known; /* workers with a thread: those before this one */
    unsigned supervisor;
    bool supervised;
};

static bool refuses_start;

static const cfi_worker_hooks hooks = {.overrun = cfi_slot_vacate};

static cfi_worker make_worker(cf_executor *base, unsigned number) {
    return (cfi_worker){
        .queue = &base->queue,
        .number = number,
        .config = &base->config,
        .hooks = &hooks,
        .limits = base->queue.shared ? NULL : &base->limits,
    };
}

static void execute(cf_executor *base, unsigned number, cfi_slot *slot, uint64_t word) {
    const cfi_worker worker = make_worker(base, number);
    cfi_worker_execute_in_scope(&worker, slot, word);
    plat_store_release(&base->queue.records[number].current, 0);
}

static void run_begun(worker_context *mine) {
    cfi_slot *begun = mine->begun;
    mine->begun = NULL;
    if (begun != NULL) {
        execute(&mine->self->base, mine->number, begun, mine->word);
    }
}

static void process_main(void *context) {
    worker_context *mine = context;
    run_begun(mine);
    cfi_worker worker = make_worker(&mine->self->base, mine->number);
    cfi_worker_run(&worker);
}

static void thread_main(void *context) {
    worker_context *mine = context;
    run_begun(mine);
    cfi_thread_worker_run(&mine->self->base, mine->number);
}

static worker_context *note_thread(pool *self, unsigned number, void (*run)(void *)) {
    static const char *const names[WORKERS_MAX] = {"worker 0", "worker 1", "worker 2", "worker 3"};
    CHECK(number < WORKERS_MAX);
    worker_context *context = &self->workers[number];
    *context = (worker_context){.self = self, .number = number};
    context->thread = sim_thread(names[number], run, context);
    self->known = number >= self->known ? number + 1 : self->known;
    return context;
}

static void make_thread(cf_executor *base, unsigned number) {
    bool processes = base->queue.shared;
    const worker_context *context =
        note_thread((pool *)base, number, processes ? process_main : thread_main);
    if (processes) {
        sim_may_die(context->thread);
    }
}

/* Under the lock. After a shutdown no worker is started any more: join has counted them. */
static cf_status start_worker(cf_executor *base, unsigned number) {
    CHECK(base->refuses == CF_OK);
    if (refuses_start) {
        refuses_start = false;
        return CF_EAGAIN;
    }
    make_thread(base, number);
    return CF_OK;
}

static void begin_next(unsigned worker, cfi_slot **slot, uint64_t *word) {
    cfi_claim claim = {.worker = worker, .max = 1};
    *slot = cfi_queue_claim(&executor->queue, &claim, word);
    CHECK(*slot != NULL);
}

void pool_run_next(unsigned worker) {
    cfi_slot *slot;
    uint64_t word;
    begin_next(worker, &slot, &word);
    execute(executor, worker, slot, word);
}

bool pool_steal(unsigned worker) {
    uint64_t word;
    cfi_slot *slot = cfi_steal(&executor->queue, worker, &word);
    if (slot != NULL) {
        execute(executor, worker, slot, word);
    }
    return slot != NULL;
}

void pool_begin_next(unsigned worker) {
    worker_context *context = &((pool *)executor)->workers[worker];
    begin_next(worker, &context->begun, &context->word);
}

void pool_refuse_start(void) {
    refuses_start = true;
}

static void bare_main(void *context) {
    worker_context *mine = context;
    cf_executor *base = &mine->self->base;
    cfi_claim claim = {.worker = mine->number};
    cfi_slot *slot;
    uint64_t word;
    run_begun(mine);
    while ((slot = cfi_queue_claim(&base->queue, &claim, &word)) != NULL) {
        execute(base, mine->number, slot, word);
    }
}

unsigned pool_worker(unsigned number, cf_future *begun) {
    worker_context *context = note_thread((pool *)executor, number, bare_main);
    context->begun = begun != NULL ? cfi_slot_of(begun) : NULL;
    CHECK(begun == NULL || cfi_slot_begin(cfi_slot_of(begun), number, &context->word));
    return context->thread;
}

static void note_stop(void *number) {
    if (sim_await_death() >= 0) {
        cfi_queue_worker_stopped(&executor->queue, (unsigned)(uintptr_t)number);
    }
}

void pool_may_stop(unsigned thread, unsigned number) {
    sim_may_die(thread);
    sim_thread("nursery", note_stop, (void *)(uintptr_t)number);
}

static void join(cf_executor *base) {
    pool *self = (pool *)base;
    if (self->supervised) {
        sim_join(self->supervisor);
    }
    for (unsigned i = 0; i < self->known; i++) { /* no more after stop */
        sim_join(self->workers[i].thread);
    }
}

static void check_slab(cfi_slab *slab) {
    CHECK(slab->given_up == 0 || slab->given_up == CFI_SLAB_SLOTS - 1);
    for (unsigned i = 1; i < CFI_SLAB_SLOTS; i++) {
        CHECK(cfi_future_refs(cfi_slab_future(slab, i)) == 0);
    }
}

static void free_pool(cf_executor *base) {
    CHECK(!freed);
    freed = true;
    for (cfi_slab *slab = base->slabs.all; slab != NULL; slab = slab->all_next) {
        check_slab(slab);
    }
    cfi_executor_free(base);
}

static const cfi_executor_ops ops = {
    .kind = "simulated",
    .start_worker = start_worker,
    .join = join,
    .free = free_pool,
};

static void ring_nobody(cf_executor *base, cf_future *future) {
    (void)base;
    (void)future;
}

static const cfi_executor_ops remote_ops = {
    .kind = "remote",
    .is_remote = true,
    .start_worker = start_worker,
    .submitted = ring_nobody,
    .join = join,
    .free = free_pool,
};
/* Judges one death, and starts the successor. */
static void supervise(void *context) {
    enum {
        KILLED = 9 /* as wait(2) tells it */
    };
    const pool *self = context;
    int dead = sim_await_death();
    for (unsigned i = 0; dead >= 0 && i < executor->max_workers; i++) {
        if (self->workers[i].thread == (unsigned)dead) {
            cfi_executor_worker_died(executor, i, KILLED);
            make_thread(executor, i);
            return;
        }
    }
}

void pool_forget(void) {
    memset(runs, 0, sizeof runs);
    plat_store_relaxed(&arrived, 0);
    meeting = 0;
    freed = false;
    refuses_start = false;
}

static void make_of(const cfi_executor_ops *kind, unsigned workers, bool processes,
                    cf_pool_options options) {
    pool_forget();
    options.max_workers = workers;
    options.arena_limit = 1 << 20;
    CHECK(cfi_executor_create(sizeof(pool), kind, &options, processes, &executor) == CF_OK);
}

static void make(unsigned workers, bool processes, cf_pool_options options) {
    make_of(&ops, workers, processes, options);
}

static void note_started(unsigned workers) {
    plat_store_relaxed(&executor->started, workers);
    plat_store_relaxed(&executor->queue.control->workers, workers);
}

static void make_started(unsigned workers, bool processes, cf_pool_options options) {
    make(workers, processes, options);
    note_started(workers);
}

static void begin(unsigned workers, unsigned threads, bool processes, cf_pool_options options) {
    make_started(workers, processes, options);
    for (unsigned i = 0; i < threads; i++) {
        make_thread(executor, i);
    }
}

void pool_begin_bare(unsigned workers, cf_pool_options options) {
    make_started(workers, false, options);
}

void pool_begin_remote(unsigned workers, cf_pool_options options) {
    make_of(&remote_ops, workers, false, options);
    note_started(workers);
}

void pool_begin_unstarted(unsigned workers, cf_pool_options options,
                          void (*caller)(void *context)) {
    make(workers, false, options);
    sim_thread("caller", caller, NULL);
}

void pool_begin(unsigned workers, cf_pool_options options, void (*caller)(void *context)) {
    begin(workers, workers, false, options);
    sim_thread("caller", caller, NULL);
}

void pool_begin_without_last(unsigned workers, cf_pool_options options,
                             void (*caller)(void *context)) {
    begin(workers, workers - 1, false, options);
    sim_thread("caller", caller, NULL);
}

void pool_begin_processes(unsigned workers, cf_pool_options options,
                          void (*caller)(void *context)) {
    begin(workers, workers, true, options);
    pool *self = (pool *)executor;
    self->supervisor = sim_thread("supervisor", supervise, self);
    self->supervised = true;
    sim_thread("caller", caller, NULL);
}

bool pool_is_freed(void) {
    return freed;
}

static bool is_pending(cfi_slot *slot) {
    return cfi_word_phase(atomic_load(&slot->word)) == CFI_PENDING;
}

unsigned pool_pending(void) {
    unsigned count = 0;
    for (cfi_slab *slab = executor->slabs.all; slab != NULL; slab = slab->all_next) {
        for (unsigned i = 1; i < CFI_SLAB_SLOTS; i++) {
            count += is_pending(cfi_slab_slot(slab, i));
        }
    }
    return count;
}
