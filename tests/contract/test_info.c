/* Futures and executors tell the truth about themselves: times, workers, and counts that add up. */
#include "rows.h"
#include "stats.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(info, .timeout = TEST_SECONDS);

Test(info, times_are_in_order) {
    enum {
        N = 300
    };
    cf_future *futures[N];
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .record_times = true});
    int64_t before = now_ns();
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    for (size_t i = 0; i < N; i++) {
        cf_info info;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        int64_t after = now_ns();
        EXPECT(CF_OK, cf_future_info(futures[i], &info));
        cr_assert(before <= info.submitted_ns, "%zu: submitted before it was", i);
        cr_assert(info.submitted_ns <= info.started_ns, "%zu: started too early", i);
        cr_assert(info.started_ns <= info.finished_ns, "%zu: finished before started", i);
        cr_assert(info.finished_ns <= after, "%zu: finished in the future", i);
        EXPECT_EQ(info.attempts, 1);
        cr_assert(info.worker >= 0 && info.worker < (int)workers_of(2));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

Test(info, times_appear_as_they_become_known) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .record_times = true});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *running = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cf_future *pending = submit(ex, &blocker_task, &b);
    cf_info info;

    EXPECT(CF_OK, cf_future_info(running, &info));
    cr_assert(info.submitted_ns > 0 && info.started_ns >= info.submitted_ns);
    EXPECT_EQ(info.finished_ns, 0);
    EXPECT(CF_OK, cf_future_info(pending, &info));
    cr_assert(info.submitted_ns > 0);
    EXPECT_EQ(info.started_ns, 0);
    EXPECT_EQ(info.finished_ns, 0);

    cr_assert(cf_future_cancel(pending));
    EXPECT(CF_OK, cf_future_info(pending, &info));
    EXPECT_EQ(info.started_ns, 0);
    counter_add(&c[1], 1);
    cf_future_release(running);
    cf_future_release(pending);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

Test(info, no_times_unless_asked_for) {
    cf_executor *ex = create(2);
    cf_future *f = submit(ex, &square_task, &(uint64_t){2});
    cf_info info;
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_info(f, &info));
    EXPECT_EQ(info.submitted_ns, 0);
    EXPECT_EQ(info.started_ns, 0);
    EXPECT_EQ(info.finished_ns, 0);
    EXPECT_EQ(info.state, CF_FINISHED);
    cf_future_release(f);
    cf_executor_destroy(ex);
}

/* The worker that the future names is the one that the task saw. */
Test(info, worker_is_the_one_that_ran) {
    NOT_REMOTE(KNOWS_WORKERS);
    enum {
        N = 400
    };
    cf_future *futures[N];
    cf_executor *ex = create(4);
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &whereabouts_task, NULL);
    }
    for (size_t i = 0; i < N; i++) {
        whereabouts w;
        cf_info info;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &w));
        EXPECT(CF_OK, cf_future_info(futures[i], &info));
        EXPECT_EQ(info.worker, w.worker);
        EXPECT_EQ(info.attempts, w.attempt);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
}

Test(info, stats_of_a_new_executor) {
    cf_executor *ex = create(3);
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.max_workers, workers_of(3));
    cr_assert(s.workers <= s.max_workers);
    EXPECT_EQ(s.submitted, 0);
    EXPECT_EQ(s.pending, 0);
    EXPECT_EQ(s.running, 0);
    EXPECT_EQ(s.finished, 0);
    EXPECT_EQ(s.failed, 0);
    EXPECT_EQ(s.cancelled, 0);
    EXPECT_EQ(s.retries, 0);
    EXPECT_EQ(s.restarts, 0);
    cf_executor_destroy(ex);
}

Test(info, stats_count_each_state) {
    NEEDS(cancels_pending);
    enum {
        WORKERS = 2,
        QUEUED = 100,
        CANCELLED = 30
    };
    counter *c = shared_alloc(4 * sizeof *c);
    counter *ran = &c[3];
    cf_executor *ex = create(WORKERS);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (int i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &blocker_task, &b, NULL));
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    cf_future *queued[QUEUED];
    for (int i = 0; i < QUEUED; i++) {
        queued[i] = submit(ex, &add_task, &ran);
    }
    for (int i = 0; i < CANCELLED; i++) {
        cr_assert(cf_future_cancel(queued[3 * i]));
    }
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.workers, WORKERS);
    EXPECT_EQ(s.submitted, WORKERS + QUEUED);
    EXPECT_EQ(s.running, WORKERS);
    EXPECT_EQ(s.pending, QUEUED - CANCELLED);
    EXPECT_EQ(s.cancelled, CANCELLED);
    EXPECT_EQ(s.finished, 0);

    counter_add(&c[1], 1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    s = stats_of(ex);
    EXPECT_EQ(s.running, 0);
    EXPECT_EQ(s.pending, 0);
    EXPECT_EQ(s.cancelled, CANCELLED);
    EXPECT_EQ(s.finished, WORKERS + QUEUED - CANCELLED);
    EXPECT_EQ(s.failed, 0);
    for (int i = 0; i < QUEUED; i++) {
        cf_future_release(queued[i]);
    }
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

Test(info, stats_add_up_when_all_is_quiet) {
    enum {
        N = 5000
    };
    uint64_t seed = test_seed("info/stats_add_up_when_all_is_quiet");
    cf_executor *ex = create(3);
    cf_future *futures[N];
    uint64_t failed = 0, cancelled = 0;
    for (size_t i = 0; i < N; i++) {
        bool fails = random_next(&seed) % 10 == 0;
        uint64_t arg = 1;
        futures[i] = submit(ex, fails ? &error_task : &square_task, &arg);
        if (random_next(&seed) % 5 == 0) {
            cancelled += cf_future_cancel(futures[i]);
        }
    }
    for (size_t i = 0; i < N; i++) {
        failed += cf_future_result(futures[i], LONG_WAIT, NULL) == CF_ETASK;
        cf_future_release(futures[i]);
    }
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s = stats_of(ex);
    EXPECT_EQ(s.submitted, N);
    EXPECT_EQ(s.pending + s.running, 0);
    EXPECT_EQ(s.finished + s.cancelled, N);
    EXPECT_EQ(s.cancelled, cancelled);
    EXPECT_EQ(s.failed, failed);
    uint64_t by_workers = 0;
    for (unsigned w = 0; w < s.workers; w++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(ex, w, &worker));
        by_workers += worker.tasks;
        cr_assert(worker.busy_ns >= 0);
        EXPECT_EQ(worker.restarts, 0);
    }
    EXPECT_EQ(by_workers, s.finished);
    cf_executor_destroy(ex);
}

static int run_thread_id(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(int64_t *)result = syscall(SYS_gettid);
    return 0;
}

Test(info, worker_ids_are_of_threads_or_processes) {
    NOT_REMOTE(KNOWS_WORKERS);
    /* A process's id is the id of its first thread, so one task serves every row. */
    static const cf_task task = {.run = run_thread_id, .result_size = sizeof(int64_t)};
    cf_executor *ex = create(1);
    int64_t id = 0;
    cf_future *f = submit(ex, &task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &id));
    cf_future_release(f);
    cf_worker_stats worker;
    EXPECT_EQ(stats_of(ex).workers, 1);
    EXPECT(CF_OK, cf_executor_worker_stats(ex, 0, &worker));
    EXPECT_EQ(worker.id, id);
    cf_executor_destroy(ex);
}

static int run_spin(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    spin_for(*(const int64_t *)arg);
    return 0;
}

Test(info, busy_time_is_the_time_of_the_tasks) {
    static const cf_task task = {.run = run_spin, .arg_size = sizeof(int64_t)};
    int64_t begin = now_ns();
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &task, &(int64_t){50 * MILLISECOND});
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    int64_t life = now_ns() - begin;
    cf_worker_stats worker;
    EXPECT(CF_OK, cf_executor_worker_stats(ex, 0, &worker));
    EXPECT_EQ(worker.tasks, 1);
    cr_assert(worker.busy_ns >= 50 * MILLISECOND && worker.busy_ns <= life,
              "busy for %lld ns of %lld", (long long)worker.busy_ns, (long long)life);
    cf_executor_destroy(ex);
}

Test(info, workers_start_one_by_one) {
    cf_executor *ex = create(4);
    for (unsigned i = 1; i <= 10; i++) {
        EXPECT(CF_OK, cf_executor_submit(ex, &square_task, &(uint64_t){1}, NULL));
        cf_stats s = stats_of(ex);
        unsigned most = i < s.max_workers ? i : s.max_workers;
        cr_assert(s.workers >= 1 && s.workers <= most, "%u workers after %u tasks", s.workers, i);
    }
    cf_executor_destroy(ex);
}
