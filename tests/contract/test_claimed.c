/* A worker may take several tasks out of the queue at once. No task waits behind a long one while a worker
 * is idle, and a task is pending until it has begun. */
#include "rows.h"
#include "stats.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

TestSuite(claimed, .timeout = TEST_SECONDS);

enum {
    N = 400,
    WORKERS_MOST = 4
};

/* What tasks share with the test. */
typedef struct scene {
    counter begun; /* blockers that wait for a gate */
    counter first_gate;
    counter gate;
    counter ran; /* tasks that have ended */
    _Atomic uint32_t runs[N];
} scene;

typedef enum kind {
    QUICK,
    BLOCKED,      /* until the gate is open */
    BLOCKED_FIRST /* until the first gate is */
} kind;

typedef struct step {
    scene *scene;
    uint32_t index;
    kind kind;
} step;

static int run_step(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const step *s = arg;
    atomic_fetch_add(&s->scene->runs[s->index], 1);
    if (s->kind != QUICK) {
        counter_add(&s->scene->begun, 1);
        if (!counter_wait(s->kind == BLOCKED ? &s->scene->gate : &s->scene->first_gate, 1)) {
            return ETIMEDOUT;
        }
    }
    *(uint64_t *)result = s->index;
    counter_add(&s->scene->ran, 1);
    return 0;
}

static const cf_task step_task = {
    .name = "step", .run = run_step, .arg_size = sizeof(step), .result_size = sizeof(uint64_t)};

static void scene_begin(scene *sc) {
    memset(sc, 0, sizeof *sc);
}

static void scene_end(scene *sc, cf_executor *ex) {
    counter_add(&sc->first_gate, 1);
    counter_add(&sc->gate, 1);
    cf_executor_destroy(ex);
    shared_free(sc, sizeof *sc);
}

/* The first `workers` tasks hold all workers until the first gate is open: the others are all pending
 * when a worker looks for the next one. `blocked` of these hold their worker at the other gate. */
static void submit_scene(cf_executor *ex, scene *sc, step *steps, cf_future **futures,
                         unsigned workers, size_t blocked, uint64_t *seed, bool at_once) {
    for (uint32_t i = 0; i < N; i++) {
        steps[i] = (step){.scene = sc, .index = i, .kind = i < workers ? BLOCKED_FIRST : QUICK};
    }
    for (size_t i = 0; i < blocked; i++) {
        size_t where;
        do {
            where = workers + random_next(seed) % (random_next(seed) % 2 ? 40 : N - workers);
        } while (steps[where].kind != QUICK);
        steps[where].kind = BLOCKED;
    }
    for (size_t i = 0; i < workers; i++) {
        futures[i] = submit(ex, &step_task, &steps[i]);
    }
    cr_assert(counter_wait(&sc->begun, workers));
    if (at_once) {
        EXPECT(CF_OK, cf_executor_submit_many(ex, &step_task, &steps[workers], N - workers, NULL,
                                              &futures[workers], NULL));
    }
    for (size_t i = workers; i < N && !at_once; i++) {
        futures[i] = submit(ex, &step_task, &steps[i]);
    }
}

static void expect_each_ran_once(scene *sc, cf_future **futures) {
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(take(futures[i]), i);
        EXPECT_EQ(sc->runs[i], 1);
    }
}

static scene *scene_new(void) {
    return shared_alloc(sizeof(scene));
}

/* ---- one worker is free ------------------------------------------------------------------------ */

static void all_but_the_blocked(cf_executor *ex, scene *sc, unsigned workers, uint64_t *seed) {
    step steps[N];
    cf_future *futures[N];
    const uint32_t blocked = workers - 1;
    scene_begin(sc);
    submit_scene(ex, sc, steps, futures, workers, blocked, seed, random_next(seed) % 2);
    counter_add(&sc->first_gate, 1);
    cr_assert(counter_wait(&sc->ran, N - blocked), "%u of %u ran while %u were blocked",
              counter_get(&sc->ran), N - blocked, blocked);
    cr_assert(counter_wait(&sc->begun, workers + blocked));
    for (size_t i = 0; i < N; i++) {
        if (steps[i].kind == BLOCKED) {
            EXPECT(CF_ETIMEDOUT, cf_future_result(futures[i], 0, NULL));
            EXPECT_EQ(cf_future_state(futures[i]), CF_RUNNING);
        } else {
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        }
    }
    EXPECT_EQ(stats_of(ex).pending, 0);
    EXPECT_EQ(stats_of(ex).running, blocked);
    counter_add(&sc->gate, 1);
    expect_each_ran_once(sc, futures);
}

Test(claimed, wait_for_no_blocked_one) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    uint64_t seed = test_seed("claimed/wait_for_no_blocked_one");
    scene *sc = scene_new();
    for (unsigned workers = 2; workers <= WORKERS_MOST; workers++) {
        scene_begin(sc);
        cf_executor *ex = create(workers);
        for (size_t round = scaled(40); round > 0; round--) {
            all_but_the_blocked(ex, sc, workers, &seed);
        }
        cf_executor_destroy(ex);
    }
    shared_free(sc, sizeof *sc);
}

/* Nor does it wait until nothing else is left to do: tasks that are submitted all the time do not
 * overtake it for ever. */
Test(claimed, are_not_overtaken_for_ever) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(SENT_AHEAD);
    enum {
        OVERTAKERS = 100000,
        AHEAD = 500
    };
    scene *sc = scene_new();
    counter *later = shared_alloc(sizeof *later);
    cf_executor *ex = create(2);
    step steps[N];
    cf_future *futures[N];
    for (uint32_t i = 0; i < N; i++) {
        steps[i] = (step){.scene = sc,
                          .index = i,
                          .kind = i < 2    ? BLOCKED_FIRST
                                  : i == 2 ? BLOCKED
                                           : QUICK};
        futures[i] = submit(ex, &step_task, &steps[i]);
    }
    cr_assert(counter_wait(&sc->begun, 2));
    uint32_t submitted = 0;
    while (counter_get(&sc->ran) < N - 1 && submitted < OVERTAKERS) {
        const uint32_t done = counter_get(later);
        for (; submitted - done < AHEAD; submitted++) {
            EXPECT(CF_OK, cf_executor_submit(ex, &add_task, &later, NULL));
        }
        counter_add(&sc->first_gate, 1);
        cr_assert(counter_wait(later, done + 1));
    }
    cr_assert(submitted < OVERTAKERS, "%u of %d have run, and %u that were submitted later",
              counter_get(&sc->ran), N, counter_get(later));
    counter_add(&sc->gate, 1);
    expect_each_ran_once(sc, futures);
    scene_end(sc, ex);
    shared_free(later, sizeof *later);
}

/* Nor for one that runs out of its time, or whose worker is replaced for that. */
static int run_hang(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    const step *s = arg;
    atomic_fetch_add(&s->scene->runs[s->index], 1);
    while (s->kind == BLOCKED && !cf_task_cancelled(ctx)) {}
    return 0;
}

Test(claimed, outlive_one_over_its_time) {
    NEEDS(runs_beside_caller);
    static const cf_task hang_task = {.run = run_hang, .arg_size = sizeof(step)};
    uint64_t seed = test_seed("claimed/outlive_one_over_its_time");
    scene *sc = scene_new();
    cf_executor *ex = create(2);
    for (size_t round = scaled(10); round > 0; round--) {
        step steps[N];
        cf_future *futures[N];
        scene_begin(sc);
        const size_t late[] = {random_next(&seed) % N, random_next(&seed) % 10};
        for (uint32_t i = 0; i < N; i++) {
            const bool hangs = i == late[0] || i == late[1];
            const cf_submit_options options = {.timeout_ns = hangs ? 10 * MILLISECOND : 0};
            steps[i] = (step){.scene = sc, .index = i, .kind = hangs ? BLOCKED : QUICK};
            EXPECT(CF_OK,
                   cf_executor_submit_with(ex, &hang_task, &steps[i], &options, &futures[i]));
        }
        for (size_t i = 0; i < N; i++) {
            EXPECT(steps[i].kind == BLOCKED ? CF_EDEADLINE : CF_OK,
                   cf_future_result(futures[i], LONG_WAIT, NULL));
            EXPECT_EQ(sc->runs[i], 1);
            cf_future_release(futures[i]);
        }
    }
    EXPECT_EQ(stats_of(ex).retries, 0);
    cf_executor_destroy(ex);
    shared_free(sc, sizeof *sc);
}

/* ---- all workers are blocked: everything else is pending --------------------------------------- */

/* Workers are blocked with others behind the blocked one; returns how many are begun and not done. */
static void block_all(cf_executor *ex, scene *sc, step *steps, cf_future **futures,
                      unsigned workers, uint64_t *seed) {
    scene_begin(sc);
    submit_scene(ex, sc, steps, futures, workers, workers, seed, random_next(seed) % 2);
    counter_add(&sc->first_gate, 1);
    cr_assert(counter_wait(&sc->begun, 2 * workers));
}

static bool has_begun(const scene *sc, size_t i) {
    return sc->runs[i] > 0;
}

/* All workers stand at the gate, so that nothing changes by itself. */
static void expect_pending(cf_executor *ex, const scene *sc, cf_future **futures,
                           unsigned workers) {
    uint64_t pending = 0;
    for (size_t i = 0; i < N; i++) {
        pending += !has_begun(sc, i);
        if (!has_begun(sc, i)) {
            cf_info info;
            EXPECT_EQ(cf_future_state(futures[i]), CF_PENDING);
            cr_assert_not(cf_future_running(futures[i]));
            EXPECT(CF_OK, cf_future_info(futures[i], &info));
            EXPECT_EQ(info.attempts, 0);
            EXPECT_EQ(info.worker, -1);
        }
    }
    const cf_stats s = stats_of(ex);
    EXPECT_EQ(s.pending, pending);
    EXPECT_EQ(s.running, workers);
}

Test(claimed, are_pending_and_can_be_cancelled) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    uint64_t seed = test_seed("claimed/are_pending_and_can_be_cancelled");
    scene *sc = scene_new();
    cf_executor *ex = create(2);
    for (size_t round = scaled(60); round > 0; round--) {
        step steps[N];
        cf_future *futures[N];
        bool cancelled[N];
        block_all(ex, sc, steps, futures, 2, &seed);
        expect_pending(ex, sc, futures, 2);
        const bool all = random_next(&seed) % 4 == 0;
        for (size_t i = 0; i < N; i++) {
            cancelled[i] = (all || random_next(&seed) % 2) && cf_future_cancel(futures[i]);
            cr_assert(!all || cancelled[i] == !has_begun(sc, i));
            cr_assert(!cancelled[i] || !has_begun(sc, i));
            cr_assert(!cancelled[i] || cf_future_state(futures[i]) == CF_CANCELLED);
        }
        counter_add(&sc->gate, 1);
        for (size_t i = 0; i < N; i++) {
            EXPECT(cancelled[i] ? CF_ECANCELLED : CF_OK,
                   cf_future_result(futures[i], LONG_WAIT, NULL));
        }
        for (size_t i = 0; i < N; i++) {
            EXPECT_EQ(sc->runs[i], !cancelled[i]);
            cf_future_release(futures[i]);
        }
    }
    scene_end(sc, ex);
}

/* Which of two wins cannot be told, but both agree. */
Test(claimed, are_cancelled_or_run_never_both) {
    NEEDS(cancels_pending);
    uint64_t seed = test_seed("claimed/are_cancelled_or_run_never_both");
    scene *sc = scene_new();
    cf_executor *ex = create(2);
    for (size_t round = scaled(150); round > 0; round--) {
        step steps[N];
        cf_future *futures[N];
        bool cancelled[N];
        scene_begin(sc);
        submit_scene(ex, sc, steps, futures, 2, 0, &seed, true);
        counter_add(&sc->first_gate, 1);
        const bool backwards = random_next(&seed) % 2;
        const size_t stride = 1 + random_next(&seed) % 3;
        memset(cancelled, 0, sizeof cancelled);
        for (size_t i = 0; i < N; i += stride) {
            const size_t k = backwards ? N - 1 - i : i;
            cancelled[k] = cf_future_cancel(futures[k]);
        }
        for (size_t i = 0; i < N; i++) {
            EXPECT(cancelled[i] ? CF_ECANCELLED : CF_OK,
                   cf_future_result(futures[i], LONG_WAIT, NULL));
            EXPECT_EQ(sc->runs[i], !cancelled[i]);
        }
        for (size_t i = 0; i < N; i++) {
            EXPECT_EQ(sc->runs[i], !cancelled[i]);
            cf_future_release(futures[i]);
        }
    }
    EXPECT_EQ(stats_of(ex).pending, 0);
    scene_end(sc, ex);
}

/* ---- the executor ends while all workers are blocked ------------------------------------------- */

static cf_status shut_down(cf_executor *ex) {
    return cf_executor_shutdown(ex, false, true);
}

static void end_with_claimed(cf_status (*end)(cf_executor *), bool ends_running) {
    uint64_t seed = test_seed("claimed/end_with_claimed");
    scene *sc = scene_new();
    for (size_t round = scaled(15); round > 0; round--) {
        step steps[N];
        cf_future *futures[N];
        scene_begin(sc);
        cf_executor *ex = create(2);
        block_all(ex, sc, steps, futures, 2, &seed);
        const uint32_t ran = counter_get(&sc->ran);
        EXPECT(CF_OK, end(ex));
        for (size_t i = 0; i < N; i++) { /* the gate is still closed */
            if (!has_begun(sc, i)) {
                EXPECT(CF_ECANCELLED, cf_future_result(futures[i], LONG_WAIT, NULL));
            }
        }
        EXPECT_EQ(stats_of(ex).pending, 0);
        counter_add(&sc->gate, 1);
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
        for (size_t i = 0; i < N; i++) {
            const bool blocked = steps[i].kind == BLOCKED;
            const cf_status status = cf_future_result(futures[i], 0, NULL);
            cr_assert(status == (has_begun(sc, i) ? CF_OK : CF_ECANCELLED) ||
                          (ends_running && blocked && status == CF_EWORKER),
                      "task %zu: %s", i, cf_status_name(status));
            cr_assert(sc->runs[i] <= 1);
            cf_future_release(futures[i]);
        }
        cr_assert(counter_get(&sc->ran) <= ran + 2);
        cf_executor_destroy(ex);
    }
    shared_free(sc, sizeof *sc);
}

Test(claimed, are_cancelled_by_shutdown) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    end_with_claimed(shut_down, false);
}

Test(claimed, are_cancelled_by_terminate) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    end_with_claimed(cf_executor_terminate_workers, !row()->shares_memory);
}

Test(claimed, are_cancelled_by_kill) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(SENT_AHEAD);
    end_with_claimed(cf_executor_kill_workers, true);
}

/* While they run. */
Test(claimed, are_cancelled_by_shutdown_at_any_moment) {
    NEEDS(cancels_pending);
    uint64_t seed = test_seed("claimed/are_cancelled_by_shutdown_at_any_moment");
    scene *sc = scene_new();
    for (size_t round = scaled(40); round > 0; round--) {
        step steps[N];
        cf_future *futures[N];
        scene_begin(sc);
        cf_executor *ex = create(2);
        submit_scene(ex, sc, steps, futures, 2, 0, &seed, true);
        counter_add(&sc->first_gate, 1);
        cr_assert(counter_wait(&sc->ran, (uint32_t)(random_next(&seed) % (N / 2))));
        EXPECT(CF_OK, cf_executor_shutdown(ex, true, true));
        const uint32_t ran = counter_get(&sc->ran);
        size_t finished = 0;
        for (size_t i = 0; i < N; i++) {
            const cf_status status = cf_future_result(futures[i], 0, NULL);
            EXPECT(sc->runs[i] == 1 ? CF_OK : CF_ECANCELLED, status);
            finished += status == CF_OK;
            cf_future_release(futures[i]);
        }
        EXPECT_EQ(finished, ran);
        cf_executor_destroy(ex);
        EXPECT_EQ(counter_get(&sc->ran), ran);
    }
    shared_free(sc, sizeof *sc);
}

/* ---- waited for inside a task ------------------------------------------------------------------ */

typedef struct patient {
    cf_future **futures;
    size_t count;
    int how;
} patient;

static int run_patient(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const patient *p = arg;
    if (p->how == 1) {
        return (int)cf_wait(p->futures, p->count, CF_ALL_COMPLETED, CF_FOREVER, NULL);
    }
    cf_status status = CF_OK;
    for (size_t i = 0; i < p->count && status == CF_OK; i++) {
        const size_t k = p->how == 2 ? p->count - 1 - i : i;
        status = cf_future_result(p->futures[k], CF_FOREVER, NULL);
    }
    return (int)status;
}

/* One worker is blocked before tasks that it may have claimed; a task on the other one waits for these
 * and runs them itself. */
Test(claimed, are_waited_for_inside_a_task) {
    NEEDS(runs_beside_caller);
    NEEDS(shares_memory);
    static const cf_task patient_task = {.run = run_patient, .arg_size = sizeof(patient)};
    uint64_t seed = test_seed("claimed/are_waited_for_inside_a_task");
    scene *sc = scene_new();
    cf_executor *ex = create(2);
    for (size_t round = 0; round < scaled(60); round++) {
        step steps[N];
        cf_future *futures[N], *others[N];
        scene_begin(sc);
        submit_scene(ex, sc, steps, futures, 2, 1, &seed, true);
        size_t count = 0;
        for (size_t i = 0; i < N; i++) {
            if (steps[i].kind != BLOCKED) {
                others[count++] = futures[i];
            }
        }
        const patient p = {others, count, (int)(round % 3)};
        cf_future *waits = submit(ex, &patient_task, &p);
        counter_add(&sc->first_gate, 1);
        EXPECT(CF_OK, cf_future_result(waits, LONG_WAIT, NULL));
        cf_future_release(waits);
        counter_add(&sc->gate, 1);
        expect_each_ran_once(sc, futures);
    }
    scene_end(sc, ex);
}
