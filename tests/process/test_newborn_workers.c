/* If the nursery is killed while it starts workers, at any moment, every future ends, no worker stays behind,
 * and destroy returns. */
#include "process.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(newborn_workers, .timeout = TEST_SECONDS);

enum {
    WORKERS_MOST = 8,
    TASKS = 24
};

/* Why workers are born. */
typedef enum reason {
    FIRST,   /* each submit starts one */
    DEATH,   /* their tasks kill them */
    RETIRING /* they may run one task each */
} reason;

typedef struct killer {
    pthread_t thread;
    pid_t nursery;
    int64_t after_ns;
} killer;

static void *kill_nursery(void *arg) {
    const killer *k = arg;
    spin_for(k->after_ns);
    kill(k->nursery, SIGKILL);
    return NULL;
}

static cf_executor *create_short_lived(unsigned workers, reason why) {
    cf_executor *pool = NULL;
    const cf_pool_options options = {.max_workers = workers,
                                     .max_tasks_per_worker = why == RETIRING ? 1 : 0};
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    return pool;
}

/* Some that die, and some that do not; of those that the pool takes, as it may break meanwhile. */
static size_t submit_tasks(cf_executor *pool, reason why, cf_future **futures) {
    size_t count = 0;
    cf_status status = CF_OK;
    while (count < TASKS && status == CF_OK) {
        const bool dies = why == DEATH && count % 3 != 2;
        const death d = {.how = -1, .attempts = dies ? UINT32_MAX : 0, .value = count};
        const cf_submit_options options = {.retries = 10};
        status = cf_executor_submit_with(pool, &death_task, &d, &options, &futures[count]);
        count += status == CF_OK;
    }
    cr_assert(status == CF_OK || status == CF_EBROKEN, "%s", cf_status_name(status));
    return count;
}

static void expect_ended(cf_future *f, uint64_t value) {
    uint64_t result = 0;
    const cf_status status = cf_future_result(f, LONG_WAIT, &result);
    cr_assert(status != CF_ETIMEDOUT, "a task is %s for ever", cf_state_name(cf_future_state(f)));
    cr_assert(status == CF_EBROKEN || status == CF_EWORKER || (status == CF_OK && result == value),
              "%s", cf_status_name(status));
    EXPECT_EQ(cf_future_state(f), CF_FINISHED);
    cf_future_release(f);
}

static void break_pool(unsigned workers, reason why, int64_t after_ns, bool shuts_down) {
    cf_executor *pool = create_short_lived(workers, why);
    cf_future *futures[TASKS];
    pid_t pids[WORKERS_MOST];
    killer k = {.nursery = nursery_of(pool), .after_ns = after_ns};
    cr_assert_eq(pthread_create(&k.thread, NULL, kill_nursery, &k), 0);
    const size_t count = submit_tasks(pool, why, futures);
    if (shuts_down) {
        EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    }
    cr_assert_eq(pthread_join(k.thread, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        expect_ended(futures[i], i);
    }
    EXPECT(CF_OK, cf_executor_shutdown(pool, true, false));
    const cf_stats stats = stats_of(pool);
    EXPECT_EQ(stats.pending + stats.running, 0);
    EXPECT_EQ(stats.finished, stats.submitted);
    const size_t born = worker_pids(pool, pids, WORKERS_MOST);
    cf_executor_destroy(pool);
    for (size_t i = 0; i < born; i++) {
        cr_assert(process_ends(pids[i], 2 * SECOND), "worker %d lives on", pids[i]);
    }
}

static void break_pools(const char *test, reason why, int64_t most_ns) {
    uint64_t seed = test_seed(test);
    const int64_t end = now_ns() + (int64_t)scaled(800) * MILLISECOND;
    while (now_ns() < end) {
        const uint64_t r = random_next(&seed);
        const int64_t after_ns = (int64_t)(random_next(&seed) % (uint64_t)most_ns);
        break_pool(1 + r % WORKERS_MOST, why, after_ns, r / 16 % 4 == 0);
    }
}

Test(newborn_workers, that_are_the_first) {
    break_pools("newborn_workers/that_are_the_first", FIRST, MILLISECOND);
}

Test(newborn_workers, that_follow_dead_ones) {
    break_pools("newborn_workers/that_follow_dead_ones", DEATH, 5 * MILLISECOND);
}

Test(newborn_workers, that_follow_retired_ones) {
    break_pools("newborn_workers/that_follow_retired_ones", RETIRING, 5 * MILLISECOND);
}

/* ---- workers that never begin ---------------------------------------------------------------- */

static pid_t host_of_children;

/* As libraries do that cannot live with fork: only the nursery lives on, the program's own child. */
static void end_grandchildren(void) {
    if (getppid() != host_of_children) {
        _exit(9);
    }
}

static int host_whose_workers_die(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    cf_exception why;
    char text[120];
    host_of_children = getpid();
    HOST_CHECK(pthread_atfork(NULL, NULL, end_grandchildren) == 0);
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &death_task, &(death){0}, &f) == CF_OK);
    HOST_CHECK(cf_future_exception(f, LONG_WAIT, &why) == CF_OK);
    HOST_CHECK(why.status == CF_EBROKEN && why.worker == -1 && why.exit_code == 9);
    HOST_CHECK(strcmp(cf_exception_describe(&why, text, sizeof text),
                      "error: the pool is broken (no worker begins: exited with status 9)") == 0);
    HOST_CHECK(cf_executor_submit(pool, &death_task, &(death){0}, NULL) == CF_EBROKEN);
    cf_future_release(f);
    cf_executor_destroy(pool);
    return 0;
}

Test(newborn_workers, a_pool_whose_workers_all_die_at_birth_is_broken) {
    EXPECT_HOST_OK(host_run(host_whose_workers_die, NULL));
}
