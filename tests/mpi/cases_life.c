/* How workers in ranks begin and end, and how the executor ends. */
#include "mpi/job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- which workers there are ----------------------------------------------------------------- */

typedef struct where {
    int rank;
    uint32_t worker;
    pid_t pid;
} where;

static int tell_where(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    pause_for(job.task_ns);
    *(where *)result = (where){own_rank(), cf_task_worker(ctx), getpid()};
    return 0;
}

static const cf_task where_task = {
    .name = "where", .run = tell_where, .result_size = sizeof(where)};

/* Each worker runs tasks; its number and its rank fit to each other. */
static void run_workers(void) {
    enum {
        TASKS = 64
    };
    cf_executor *executor;
    unsigned ranks = 0, working = 0;
    bool seen[1024] = {false};
    job.task_ns = 20 * MILLISECOND;
    if (!lead(NULL, &executor)) {
        return;
    }
    CHECK_EQUAL(cf_mpi_ranks(executor, &ranks, &working), CF_OK);
    const bool takes_part = job.mpi.use_rank_0 || ranks == 1;
    CHECK_EQUAL(working, takes_part ? ranks : ranks - 1);
    const unsigned workers = cf_executor_max_workers(executor);
    CHECK_EQUAL(workers, working * job.mpi.workers_per_rank);
    CHECK(strcmp(cf_executor_kind(executor), "mpi") == 0);
    cf_future *futures[TASKS];
    for (size_t i = 0; i < TASKS; i++) {
        futures[i] = submit(executor, &where_task, NULL);
    }
    for (size_t i = 0; i < TASKS; i++) {
        where found = {0};
        CHECK_EQUAL(cf_future_result(futures[i], LONG_WAIT, &found), CF_OK);
        CHECK(found.worker < workers);
        CHECK_EQUAL(found.rank, found.worker / job.mpi.workers_per_rank + !takes_part);
        CHECK((found.pid == getpid()) == (job.mpi.pool == CF_MPI_THREADS && found.rank == 0));
        seen[found.worker % COUNT_OF(seen)] = true;
        cf_future_release(futures[i]);
    }
    for (unsigned i = 0; i < workers; i++) {
        CHECK(seen[i]);
    }
    printf("%u workers\n", workers);
    check_works(executor);
    cf_executor_destroy(executor);
}

/* ---- initializers ---------------------------------------------------------------------------- */

static int begin(void *context, unsigned worker, void **local) {
    int *given = malloc(sizeof *given);
    (void)worker;
    if (given == NULL) {
        return ENOMEM;
    }
    *given = *(const int *)context + own_rank();
    *local = given;
    counter_add(&shared->begun, 1);
    return 0;
}

static void finish(void *context, unsigned worker, void *local) {
    (void)context;
    (void)worker;
    free(local);
    counter_add(&shared->ended, 1);
}

static int read_local(const void *arg, void *result, cf_task_context *ctx) {
    const int *local = cf_task_local(ctx);
    (void)arg;
    pause_for(job.task_ns);
    *(int *)result = local != NULL && *local == 100 + own_rank();
    return 0;
}

static const cf_task local_task = {.name = "local", .run = read_local, .result_size = sizeof(int)};

static void run_initializer(void) {
    int hundred = 100;
    const cf_pool_options options = {
        .initializer = begin, .finalizer = finish, .context = &hundred, .max_tasks_per_worker = 5};
    cf_executor *executor;
    cf_stats stats = {0};
    enum {
        TASKS = 100
    };
    cf_future *futures[TASKS];
    job.task_ns = MILLISECOND;
    if (!lead(&options, &executor)) {
        return;
    }
    for (size_t i = 0; i < TASKS; i++) {
        futures[i] = submit(executor, &local_task, NULL);
    }
    for (size_t i = 0; i < TASKS; i++) {
        int right = 0;
        CHECK_EQUAL(cf_future_result(futures[i], LONG_WAIT, &right), CF_OK);
        CHECK_EQUAL(right, 1);
        cf_future_release(futures[i]);
    }
    cf_executor_shutdown(executor, true, false);
    CHECK_EQUAL(cf_executor_stats(executor, &stats), CF_OK);
    cf_executor_destroy(executor);
    CHECK(stats.retired >= TASKS / 5 - 2 * stats.max_workers);
    CHECK(counter_get(&shared->begun) >= TASKS / 5);
    CHECK_EQUAL(counter_get(&shared->begun), counter_get(&shared->ended));
    printf("retired: some\n");
}

static int fail_in_one(void *context, unsigned worker, void **local) {
    (void)context;
    (void)worker;
    (void)local;
    if (own_rank() == 1) {
        if (job.level != 0) {
            raise(job.level);
        }
        return ENOENT;
    }
    return 0;
}

/* The initializer fails in rank 1. level: the signal by which it does, else by its error. */
static void run_initializer_fails(void) {
    const cf_pool_options options = {.initializer = fail_in_one};
    cf_executor *executor;
    enum {
        TASKS = 100
    };
    cf_future *futures[TASKS];
    size_t broken = 0;
    job.task_ns = 10 * MILLISECOND;
    if (!lead(&options, &executor)) {
        return;
    }
    for (uint64_t i = 0; i < TASKS; i++) {
        if (cf_executor_submit(executor, &note_task, &i, &futures[i]) != CF_OK) {
            futures[i] = NULL;
        }
    }
    for (size_t i = 0; i < TASKS; i++) {
        if (futures[i] == NULL) {
            continue;
        }
        const cf_exception exception = ending_of(futures[i]);
        CHECK(exception.status == CF_OK || exception.status == CF_EBROKEN);
        if (exception.status == CF_EBROKEN && broken++ == 0) {
            char text[128];
            printf("broken: %s\n", cf_exception_describe(&exception, text, sizeof text));
            CHECK_EQUAL(exception.task_error, job.level != 0 ? 0 : ENOENT);
            CHECK_EQUAL(exception.signal, job.level);
            CHECK(exception.worker >= 0);
        }
        cf_future_release(futures[i]);
    }
    CHECK(broken > 0);
    CHECK_EQUAL(cf_executor_submit(executor, &note_task, &(uint64_t){1}, NULL), CF_EBROKEN);
    cf_executor_destroy(executor);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static int sleep_long(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    counter_add(&shared->begun, 1);
    for (int i = 0; i < 2000 && !cf_task_cancelled(ctx); i++) {
        pause_for(10 * MILLISECOND);
    }
    return ECANCELED;
}

static const cf_task long_task = {.name = "long", .run = sleep_long};

enum {
    PENDING = 50
};

/* `count` long ones run, PENDING more wait. Returns the executor, or NULL. */
static cf_executor *fill(cf_future **long_ones, cf_future **pending) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return NULL;
    }
    const unsigned workers = cf_executor_max_workers(executor);
    for (unsigned i = 0; i < workers; i++) {
        long_ones[i] = submit(executor, &long_task, NULL);
    }
    CHECK(counter_wait(&shared->begun, workers));
    for (uint64_t i = 0; i < PENDING; i++) {
        pending[i] = submit(executor, &note_task, &i);
    }
    return executor;
}

static void check_stopped(cf_executor *executor, cf_future **long_ones, cf_future **pending,
                          cf_status expected) {
    const int64_t start_ns = now_ns();
    for (unsigned i = 0; i < cf_executor_max_workers(executor); i++) {
        const cf_exception exception = ending_of(long_ones[i]);
        CHECK(exception.status == expected ||
              (expected == CF_EWORKER && exception.status == CF_ETASK));
        if (exception.status == CF_EWORKER) {
            CHECK_EQUAL(exception.signal, job.level);
        }
        cf_future_release(long_ones[i]);
    }
    for (size_t i = 0; i < PENDING; i++) {
        CHECK_EQUAL(ending_of(pending[i]).status, CF_ECANCELLED);
        cf_future_release(pending[i]);
    }
    CHECK_EQUAL(cf_executor_submit(executor, &note_task, &(uint64_t){1}, NULL), CF_ESHUTDOWN);
    cf_executor_destroy(executor);
    CHECK(now_ns() - start_ns < 5 * SECOND);
    CHECK_EQUAL(counter_get(&shared->ended), 0);
}

/* level: SIGTERM or SIGKILL. */
static void run_stop_workers(void) {
    cf_future *long_ones[64], *pending[PENDING];
    cf_executor *executor = fill(long_ones, pending);
    if (executor == NULL) {
        return;
    }
    const cf_status status = job.level == SIGKILL ? cf_executor_kill_workers(executor)
                                                  : cf_executor_terminate_workers(executor);
    CHECK_EQUAL(status, CF_OK);
    check_stopped(executor, long_ones, pending,
                  job.mpi.pool == CF_MPI_THREADS ? CF_ETASK : CF_EWORKER);
}

/* Pending ones are cancelled, running ones are not. */
static void run_cancel(void) {
    cf_future *pending[PENDING];
    cf_executor *executor;
    job.task_ns = SECOND / 2;
    if (!lead(NULL, &executor)) {
        return;
    }
    const unsigned workers = cf_executor_max_workers(executor);
    cf_future *running[64];
    for (uint64_t i = 0; i < workers; i++) {
        running[i] = submit(executor, &note_task, &i);
    }
    CHECK(counter_wait(&shared->begun, workers));
    for (uint64_t i = 0; i < PENDING; i++) {
        pending[i] = submit(executor, &note_task, &(uint64_t){1000 + i});
    }
    size_t cancelled = 0;
    for (size_t i = PENDING; i-- > PENDING / 2;) {
        cancelled += cf_future_cancel(pending[i]);
    }
    CHECK_EQUAL(cancelled, PENDING / 2);
    CHECK(!cf_future_cancel(running[0]));
    CHECK_EQUAL(cf_executor_shutdown(executor, true, true), CF_OK);
    for (size_t i = 0; i < workers; i++) {
        uint64_t result = 0;
        CHECK_EQUAL(cf_future_result(running[i], 0, &result), CF_OK);
        CHECK_EQUAL(result, answer_to(i));
        cf_future_release(running[i]);
    }
    for (size_t i = 0; i < PENDING; i++) {
        const cf_status status = cf_future_result(pending[i], 0, NULL);
        CHECK(status == CF_ECANCELLED || (i < workers && status == CF_OK));
        CHECK_EQUAL(atomic_load(&shared->runs[1000 + i]), status == CF_OK);
        cf_future_release(pending[i]);
    }
    cf_executor_destroy(executor);
}

/* Destroy waits for all. */
static void run_destroy_pending(void) {
    cf_executor *executor;
    cf_future *last = NULL;
    uint64_t result = 0;
    job.task_ns = MILLISECOND;
    if (!lead(NULL, &executor)) {
        return;
    }
    for (uint64_t i = 0; i < 500; i++) {
        cf_future_release(last);
        last = submit(executor, &note_task, &i);
    }
    cf_executor_destroy(executor);
    CHECK_EQUAL(cf_future_result(last, 0, &result), CF_OK);
    CHECK_EQUAL(result, answer_to(499));
    cf_future_release(last);
    CHECK_EQUAL(counter_get(&shared->ended), 500);
}

const job_case life_cases[] = {
    {"workers", run_workers},
    {"initializer", run_initializer},
    {"initializer_fails", run_initializer_fails},
    {"stop_workers", run_stop_workers},
    {"cancel", run_cancel},
    {"destroy_pending", run_destroy_pending},
    {NULL, NULL},
};
