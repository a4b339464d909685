#include "process.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

create_fn *const creates[3] = {cf_serial_create, cf_thread_pool_create, cf_process_pool_create};

cf_executor *create_pool(unsigned workers) {
    cf_executor *pool = NULL;
    EXPECT(CF_OK, cf_process_pool_create(&(cf_pool_options){.max_workers = workers}, &pool));
    return pool;
}

cf_future *submit_retried(cf_executor *pool, const cf_task *task, const void *arg,
                          unsigned retries) {
    cf_future *future = NULL;
    cf_submit_options options = {.retries = retries};
    EXPECT(CF_OK, cf_executor_submit_with(pool, task, arg, &options, &future));
    return future;
}

cf_future *submit(cf_executor *pool, const cf_task *task, const void *arg) {
    return submit_retried(pool, task, arg, 0);
}

void check_works(cf_executor *pool) {
    enum {
        N = 64
    };
    cf_future *futures[N];
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(pool, &square_task, &i);
    }
    for (uint64_t i = 0; i < N; i++) {
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &value));
        EXPECT_EQ(value, i * i);
        cf_future_release(futures[i]);
    }
}

cf_stats stats_of(cf_executor *pool) {
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(pool, &stats));
    return stats;
}

static int run_death(const void *arg, void *result, cf_task_context *ctx) {
    const death *d = arg;
    if (cf_task_attempt(ctx) > d->attempts) {
        *(uint64_t *)result = d->value;
        return 0;
    }
    if (d->how <= 0) {
        _exit(-d->how);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* no core files of deaths that are meant */
    raise(d->how);
    return d->how; /* it was ignored or handled */
}

const cf_task death_task = {
    .name = "death", .run = run_death, .arg_size = sizeof(death), .result_size = sizeof(uint64_t)};

static int run_stuck(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const stuck *s = arg;
    if (s->pid) {
        atomic_store(s->pid, getpid());
    }
    counter_add(s->begun, 1);
    for (volatile unsigned spins = 0;; spins++) {}
    return 0;
}

const cf_task stuck_task = {.name = "stuck", .run = run_stuck, .arg_size = sizeof(stuck)};

size_t worker_pids(cf_executor *pool, pid_t *pids, size_t room) {
    size_t count = 0;
    const unsigned workers = stats_of(pool).workers;
    for (unsigned w = 0; w < workers && count < room; w++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(pool, w, &worker));
        if (worker.id > 1) { /* whatever the pool says, never kill(0) or kill(-1) */
            pids[count++] = (pid_t)worker.id;
        }
    }
    return count;
}

pid_t nursery_of(cf_executor *pool) {
    whereabouts w = {0};
    cf_future *f = submit(pool, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    cr_assert(w.parent > 1 && w.parent != getpid());
    return w.parent;
}

static int live_through_workers_deaths(void) {
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool) == CF_OK);
    for (uint64_t i = 0; i < 10; i++) {
        cf_future *dies = NULL, *retried = NULL;
        cf_exception why;
        uint64_t value = 0;
        death d = {.how = i % 2 ? SIGKILL : -7, .attempts = 1, .value = i};
        HOST_CHECK(cf_executor_submit(pool, &death_task, &d, &dies) == CF_OK);
        HOST_CHECK(cf_executor_submit_with(pool, &death_task, &d,
                                           &(cf_submit_options){.retries = 1}, &retried) == CF_OK);
        HOST_CHECK(cf_future_exception(dies, LONG_WAIT, &why) == CF_OK);
        HOST_CHECK(why.status == CF_EWORKER);
        HOST_CHECK(why.signal == (i % 2 ? SIGKILL : 0) && why.exit_code == (i % 2 ? 0 : 7));
        HOST_CHECK(cf_future_result(retried, LONG_WAIT, &value) == CF_OK && value == i);
        cf_future_release(dies);
        cf_future_release(retried);
    }
    cf_executor_destroy(pool);
    return 0;
}

int lose_a_nursery(unsigned workers) {
    counter *begun = shared_alloc(sizeof *begun);
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    whereabouts w = {0};
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = workers}, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &whereabouts_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &w) == CF_OK && w.parent > 1);
    cf_future_release(f);
    for (unsigned i = 0; i < workers; i++) {
        HOST_CHECK(cf_executor_submit(pool, &stuck_task, &(stuck){.begun = begun}, &f) == CF_OK);
        if (i + 1 < workers) {
            cf_future_release(f);
        }
    }
    HOST_CHECK(counter_wait(begun, workers));
    HOST_CHECK(kill(w.parent, SIGKILL) == 0);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_EBROKEN);
    cf_future_release(f);
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
    return 0;
}

int live_through_deaths(void) {
    HOST_CHECK(live_through_workers_deaths() == 0);
    return lose_a_nursery(2);
}
