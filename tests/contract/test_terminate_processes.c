/* terminate_workers and kill_workers end busy and idle worker processes, with what their tasks have started.
 * A task that holds off SIGTERM finishes, unless it is killed. */
#include "terminate.h"

#include <signal.h>
#include <unistd.h>

TestSuite(terminate_processes, .timeout = TEST_SECONDS);

Test(terminate_processes, ends_busy_processes) {
    NEEDS(survives_worker_death);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        for (unsigned retries = 0; retries < 4; retries += 3) { /* there is nobody to run them */
            scene s = terminate_scene_open(&blocker_task, retries);
            EXPECT(CF_OK, ways[w].end(s.ex));
            expect_shut_down(s.ex);
            expect_queue_cancelled(&s);
            for (size_t i = 0; i < WORKERS; i++) {
                expect_ended_by(s.held[i], ways[w].signal);
            }
            EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
            cf_stats stats = stats_of(s.ex);
            EXPECT_EQ(stats.cancelled, QUEUED);
            EXPECT_EQ(stats.failed, WORKERS);
            EXPECT_EQ(stats.finished, WORKERS);
            EXPECT_EQ(stats.restarts + stats.retries + stats.pending + stats.running, 0);
            EXPECT_EQ(counter_get(&s.c[0]), WORKERS);
            EXPECT_EQ(counter_get(&s.c[2]), 0);
            terminate_scene_close(&s);
        }
    }
}

Test(terminate_processes, ends_stopped_processes_when_it_kills) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
    scene s = terminate_scene_open(&blocker_task, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        EXPECT(CF_OK, cf_executor_worker_stats(s.ex, i, &worker));
        cr_assert(worker.id > 1 && kill((pid_t)worker.id, SIGSTOP) == 0);
    }
    EXPECT(CF_OK, cf_executor_kill_workers(s.ex));
    for (size_t i = 0; i < WORKERS; i++) {
        expect_ended_by(s.held[i], SIGKILL);
    }
    terminate_scene_close(&s);
}

static void start_workers(cf_executor *ex, counter *c) {
    cf_future *futures[WORKERS];
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (size_t i = 0; i < WORKERS; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    counter_add(&c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        take(futures[i]);
    }
}

Test(terminate_processes, ends_idle_processes) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        footprint before = footprint_now();
        counter *c = shared_alloc(3 * sizeof *c);
        pid_t pids[WORKERS];
        cf_executor *ex = create(WORKERS);
        start_workers(ex, c);
        for (unsigned i = 0; i < WORKERS; i++) {
            cf_worker_stats worker;
            EXPECT(CF_OK, cf_executor_worker_stats(ex, i, &worker));
            pids[i] = (pid_t)worker.id;
        }
        EXPECT(CF_OK, ways[w].end(ex));
        for (size_t i = 0; i < WORKERS; i++) {
            cr_assert(process_ends(pids[i], LONG_WAIT / 2), "worker %d lives on", pids[i]);
        }
        expect_shut_down(ex);
        EXPECT_EQ(stats_of(ex).restarts, 0);
        cf_executor_destroy(ex);
        shared_free(c, 3 * sizeof *c);
        footprint_check(before);
    }
}

/* A SIGTERM is held off; the gate is passed all the same, so the task ends well. */
static int run_unterminated(const void *arg, void *result, cf_task_context *ctx) {
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    return blocker_task.run(arg, result, ctx);
}

static const cf_task unterminated_task = {.name = "unterminated",
                                          .run = run_unterminated,
                                          .arg_size = sizeof(blocker),
                                          .result_size = sizeof(uint64_t)};

Test(terminate_processes, lets_a_process_finish_that_does_not_die_of_it) {
    NEEDS(survives_worker_death);
    scene s = terminate_scene_open(&unterminated_task, 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    expect_queue_cancelled(&s);
    spin_for(20 * MILLISECOND);
    EXPECT_EQ(cf_future_state(s.held[0]), CF_RUNNING);
    EXPECT_EQ(cf_future_state(s.held[1]), CF_RUNNING);
    counter_add(&s.c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_future_result(s.held[i], LONG_WAIT, NULL));
    }
    terminate_scene_close(&s);
}

Test(terminate_processes, kill_ends_what_terminate_did_not) {
    NEEDS(survives_worker_death);
    scene s = terminate_scene_open(&unterminated_task, 0);
    EXPECT(CF_OK, cf_executor_terminate_workers(s.ex));
    EXPECT_EQ(cf_future_state(s.held[0]), CF_RUNNING);
    EXPECT(CF_OK, cf_executor_kill_workers(s.ex));
    for (size_t i = 0; i < WORKERS; i++) {
        expect_ended_by(s.held[i], SIGKILL);
    }
    expect_queue_cancelled(&s);
    terminate_scene_close(&s);
}

/* The nursery is slow, and finds both requests at once: the stronger one holds. */
Test(terminate_processes, does_not_soften_a_kill) {
    NEEDS(survives_worker_death);
    whereabouts w;
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *f = submit(ex, &whereabouts_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &w));
    cf_future_release(f);
    f = submit(ex, &unterminated_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    cr_assert(w.parent > 1 && w.parent != getpid());
    if (!process_freeze(w.parent)) {
        cr_skip_test("the system refuses ptrace");
    }
    EXPECT(CF_OK, cf_executor_kill_workers(ex));
    EXPECT(CF_OK, cf_executor_terminate_workers(ex));
    process_thaw(w.parent);
    expect_ended_by(f, SIGKILL);
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

typedef struct family {
    counter begun;
    _Atomic pid_t grandchild;
} family;

static int run_sleeper(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    family *m = *(family *const *)arg;
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    atomic_store(&m->grandchild, child);
    counter_add(&m->begun, 1);
    for (;;) {
        pause();
    }
}

Test(terminate_processes, takes_along_what_the_task_has_started) {
    NEEDS(survives_worker_death);
    const cf_task sleeper_task = {.run = run_sleeper, .arg_size = sizeof(family *)};
    for (size_t w = 0; w < COUNT_OF(ways); w++) {
        family *m = shared_alloc(sizeof *m);
        cf_executor *ex = create(1);
        cf_future *f = submit(ex, &sleeper_task, &m);
        cr_assert(counter_wait(&m->begun, 1));
        pid_t grandchild = atomic_load(&m->grandchild);
        cr_assert(grandchild > 1 && process_alive(grandchild));
        EXPECT(CF_OK, ways[w].end(ex));
        expect_ended_by(f, ways[w].signal);
        cr_assert(process_ends(grandchild, LONG_WAIT / 2), "process %d lives on", grandchild);
        cf_future_release(f);
        cf_executor_destroy(ex);
        shared_free(m, sizeof *m);
    }
}

/* At any moment of a busy life: every future has one of the ends that there are, and nobody stays. */
Test(terminate_processes, at_any_moment) {
    NEEDS(survives_worker_death);
    enum {
        N = 300
    };
    uint64_t seed = test_seed("terminate_processes/at_any_moment");
    footprint before = footprint_now();
    const size_t rounds = scaled(60);
    for (size_t round = 0; round < rounds; round++) {
        const way *w = &ways[random_next(&seed) % COUNT_OF(ways)];
        cf_future *futures[N];
        cf_executor *ex = create(3);
        for (uint64_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &square_task, &i);
        }
        spin_for((int64_t)(random_next(&seed) % (3 * MILLISECOND)));
        EXPECT(CF_OK, w->end(ex));
        uint64_t counts[CF_EEXHAUSTED + 1] = {0};
        for (uint64_t i = 0; i < N; i++) {
            uint64_t value = 0;
            cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
            cr_assert(status == CF_ECANCELLED || status == CF_EWORKER ||
                          (status == CF_OK && value == i * i),
                      "task %d: %s", (int)i, cf_status_name(status));
            counts[status]++;
            cf_future_release(futures[i]);
        }
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        cf_stats s = stats_of(ex);
        EXPECT_EQ(s.cancelled, counts[CF_ECANCELLED]);
        EXPECT_EQ(s.failed, counts[CF_EWORKER]);
        EXPECT_EQ(s.finished, counts[CF_EWORKER] + counts[CF_OK]);
        EXPECT_EQ(s.pending + s.running + s.restarts, 0);
        cf_executor_destroy(ex);
    }
    footprint_check(before);
}
