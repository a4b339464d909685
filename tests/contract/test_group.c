/* Groups: all tasks are waited for, also those that tasks submit; the first failure is kept; nothing is left behind. */
#include "rows.h"

#include <cfutures_group.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

TestSuite(group, .timeout = TEST_SECONDS);

static cf_group *group_of(cf_executor *ex, cf_group_options options) {
    cf_group *group;
    EXPECT(CF_OK, cf_group_create(ex, &options, &group));
    return group;
}

static cf_status wait_for_all(cf_group *group) {
    return cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, NULL);
}

Test(group, results_are_there_after_the_wait) {
    enum {
        N = 5000
    };
    static uint64_t results[N];
    cf_executor *ex = create(2);
    for (size_t window = 0; window < 9; window = window * 2 + 1) {
        cf_group *group = group_of(ex, (cf_group_options){.window = window});
        for (int round = 1; round <= 2; round++) { /* the group may be used again */
            for (uint64_t i = 0; i < N; i++) {
                const uint64_t arg = i * (uint64_t)round;
                results[i] = 0;
                EXPECT(CF_OK, cf_group_submit(group, &square_task, &arg, NULL,
                                              i % 3 == 0 ? NULL : &results[i]));
            }
            EXPECT(CF_OK, wait_for_all(group));
            for (uint64_t i = 0; i < N; i++) {
                EXPECT_EQ(results[i], i % 3 == 0 ? 0 : i * i * (uint64_t)(round * round));
            }
        }
        EXPECT(CF_OK, cf_group_wait(group, CF_FIRST_EXCEPTION, 0, NULL));
        cf_group_destroy(group);
    }
    cf_executor_destroy(ex);
}

/* ---- failures --------------------------------------------------------------------------------- */

Test(group, the_first_failure_stays) {
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){0});
    cf_exception exception;
    uint64_t result = 17;
    for (int i = 0; i < 100; i++) {
        EXPECT(CF_OK, cf_group_submit(group, &error_task, &(int){i == 0 ? EACCES : 0}, NULL, NULL));
    }
    EXPECT(CF_ETASK, cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception));
    EXPECT_EQ(exception.task_error, EACCES);
    EXPECT(CF_OK, cf_group_submit(group, &error_task, &(int){EPERM}, NULL, NULL));
    EXPECT(CF_OK, cf_group_submit(group, &square_task, &(uint64_t){3}, NULL, &result));
    EXPECT(CF_ETASK, cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception));
    EXPECT_EQ(exception.task_error, EACCES);
    EXPECT_EQ(result, 9);
    cf_group_destroy(group);
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.unseen, 0);
    cf_executor_destroy(ex);
}

Test(group, the_first_failure_ends_the_wait) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(2);
    cf_group *group = group_of(ex, (cf_group_options){0});
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    EXPECT(CF_OK, cf_group_submit(group, &blocker_task, &b, NULL, NULL));
    EXPECT(CF_ETIMEDOUT, cf_group_wait(group, CF_FIRST_EXCEPTION, MILLISECOND, NULL));
    EXPECT(CF_OK, cf_group_submit(group, &error_task, &(int){EIO}, NULL, NULL));
    EXPECT(CF_ETASK, cf_group_wait(group, CF_FIRST_EXCEPTION, CF_FOREVER, NULL));
    EXPECT_EQ(counter_get(&c[2]), 0); /* it still runs */
    EXPECT(CF_ETIMEDOUT, cf_group_wait(group, CF_ALL_COMPLETED, MILLISECOND, NULL));
    counter_add(&c[1], 1);
    EXPECT(CF_ETASK, wait_for_all(group));
    EXPECT_EQ(counter_get(&c[2]), 1);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

/* All are submitted before the first one ends: blocked, failing, blocked, and the rest. */
Test(group, a_failure_cancels_the_rest) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    counter *c = shared_alloc(7 * sizeof *c);
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){.cancel_on_failure = true});
    const blocker before = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    const blocker behind = {.begun = &c[3], .gate = &c[4], .ran = &c[5]};
    counter *const ran = &c[6];
    cf_exception exception;
    EXPECT(CF_OK, cf_group_submit(group, &blocker_task, &before, NULL, NULL));
    EXPECT(CF_OK, cf_group_submit(group, &error_task, &(int){EIO}, NULL, NULL));
    EXPECT(CF_OK, cf_group_submit(group, &blocker_task, &behind, NULL, NULL));
    for (int i = 0; i < 10; i++) {
        EXPECT(CF_OK, cf_group_submit(group, &add_task, &ran, NULL, NULL));
    }
    counter_add(&c[1], 1);
    EXPECT(CF_ETASK, cf_group_wait(group, CF_FIRST_EXCEPTION, CF_FOREVER, &exception));
    EXPECT_EQ(exception.task_error, EIO);
    EXPECT(CF_ECANCELLED, cf_group_submit(group, &add_task, &ran, NULL, NULL));
    counter_add(&c[4], 1);
    EXPECT(CF_ETASK, wait_for_all(group));
    EXPECT_EQ(counter_get(ran), 0);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
    shared_free(c, 7 * sizeof *c);
}

Test(group, cancelled) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    counter *c = shared_alloc(4 * sizeof *c);
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){0});
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    counter *const ran = &c[3];
    uint64_t value = 0;
    EXPECT(CF_OK, cf_group_submit(group, &blocker_task, &b, NULL, &value));
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_OK, cf_group_submit(group, &add_task, &ran, NULL, NULL));
    cf_group_cancel(group);
    EXPECT(CF_ECANCELLED, cf_group_submit(group, &add_task, &ran, NULL, NULL));
    counter_add(&c[1], 1);
    EXPECT(CF_ECANCELLED, wait_for_all(group));
    EXPECT_EQ(value, 5); /* what had begun has its result */
    EXPECT_EQ(counter_get(ran), 0);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

static int run_once_killed(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    if (cf_task_attempt(ctx) <= *(const unsigned *)arg) {
        raise(SIGKILL);
    }
    return 0;
}

static const cf_task killed_task = {
    .name = "killed", .run = run_once_killed, .arg_size = sizeof(unsigned)};

Test(group, a_worker_dies) {
    NEEDS(survives_worker_death);
    cf_executor *ex = create(2);
    cf_group *group = group_of(ex, (cf_group_options){0});
    const cf_submit_options again = {.retries = 1};
    cf_exception exception;
    EXPECT(CF_OK, cf_group_submit(group, &killed_task, &(unsigned){1}, &again, NULL));
    EXPECT(CF_OK, wait_for_all(group));
    EXPECT(CF_OK, cf_group_submit(group, &killed_task, &(unsigned){1}, NULL, NULL));
    EXPECT(CF_EWORKER, cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception));
    EXPECT_EQ(exception.signal, SIGKILL);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
}

/* ---- the window ------------------------------------------------------------------------------- */

typedef struct crowd {
    _Atomic uint32_t now, most, ran;
} crowd;

static int run_in_crowd(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    crowd *c = *(crowd *const *)arg;
    const uint32_t now = atomic_fetch_add(&c->now, 1) + 1;
    uint32_t most = atomic_load(&c->most);
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) {}
    spin_for(20 * MICROSECOND);
    atomic_fetch_sub(&c->now, 1);
    atomic_fetch_add(&c->ran, 1);
    return 0;
}

static const cf_task crowd_task = {
    .name = "crowd", .run = run_in_crowd, .arg_size = sizeof(crowd *)};

Test(group, no_more_than_the_window_run) {
    crowd *c = shared_alloc(sizeof *c);
    cf_executor *ex = create(4);
    for (size_t window = 1; window <= 3; window++) {
        cf_group *group = group_of(ex, (cf_group_options){.window = window});
        atomic_store(&c->most, 0);
        atomic_store(&c->ran, 0);
        for (uint32_t i = 0; i < 300; i++) {
            EXPECT(CF_OK, cf_group_submit(group, &crowd_task, &c, NULL, NULL));
            cr_assert(atomic_load(&c->ran) + window > i, "%u of %u are done", atomic_load(&c->ran),
                      i + 1);
        }
        EXPECT(CF_OK, wait_for_all(group));
        EXPECT_EQ(atomic_load(&c->ran), 300);
        cr_assert(atomic_load(&c->most) <= window);
        cf_group_destroy(group);
    }
    cf_executor_destroy(ex);
    shared_free(c, sizeof *c);
}

/* ---- from several threads, and from tasks ------------------------------------------------------ */

enum {
    SUBMITTERS = 4,
    EACH = 3000
};

typedef struct submitter {
    cf_group *group;
    uint64_t results[EACH];
    pthread_t thread;
} submitter;

static void *submit_some(void *context) {
    submitter *self = context;
    for (uint64_t i = 0; i < EACH; i++) {
        cr_assert_eq(cf_group_submit(self->group, &square_task, &i, NULL, &self->results[i]),
                     CF_OK);
        if (i % 1000 == 999) {
            cr_assert_eq(wait_for_all(self->group), CF_OK);
        }
    }
    return NULL;
}

Test(group, several_threads_submit_and_wait) {
    static submitter submitters[SUBMITTERS];
    cf_executor *ex = create(2);
    for (size_t window = 0; window <= 5; window += 5) {
        cf_group *group = group_of(ex, (cf_group_options){.window = window});
        for (int i = 0; i < SUBMITTERS; i++) {
            submitters[i].group = group;
            cr_assert_eq(pthread_create(&submitters[i].thread, NULL, submit_some, &submitters[i]),
                         0);
        }
        for (int i = 0; i < SUBMITTERS; i++) {
            pthread_join(submitters[i].thread, NULL);
        }
        EXPECT(CF_OK, wait_for_all(group));
        for (int i = 0; i < SUBMITTERS; i++) {
            for (uint64_t n = 0; n < EACH; n++) {
                EXPECT_EQ(submitters[i].results[n], n * n);
            }
        }
        cf_group_destroy(group);
    }
    cf_executor_destroy(ex);
}

typedef struct branch {
    cf_group *group;
    counter *leaves;
    unsigned depth;
} branch;

static int run_branch(const void *arg, void *result, cf_task_context *ctx);
static const cf_task branch_task = {
    .name = "branch", .run = run_branch, .arg_size = sizeof(branch)};

/* Ends before its branches do. */
static int run_branch(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    branch b = *(const branch *)arg;
    if (b.depth == 0) {
        counter_add(b.leaves, 1);
        return 0;
    }
    b.depth--;
    for (int i = 0; i < 2; i++) {
        const cf_status status = cf_group_submit(b.group, &branch_task, &b, NULL, NULL);
        if (status != CF_OK) {
            return (int)status;
        }
    }
    return 0;
}

Test(group, what_tasks_submit_is_waited_for_too) {
    NEEDS(shares_memory);
    counter leaves = {0};
    cf_executor *ex = create(2);
    cf_group *group = group_of(ex, (cf_group_options){0});
    const branch b = {.group = group, .leaves = &leaves, .depth = 12};
    EXPECT(CF_OK, cf_group_submit(group, &branch_task, &b, NULL, NULL));
    EXPECT(CF_OK, wait_for_all(group));
    EXPECT_EQ(counter_get(&leaves), 1 << 12);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
}

static int run_nested(const void *arg, void *result, cf_task_context *ctx) {
    cf_executor *ex = *(cf_executor *const *)arg;
    uint64_t *sum = result, squares[10] = {0};
    cf_group *group;
    (void)ctx;
    if (cf_group_create(ex, &(cf_group_options){.window = 3}, &group) != CF_OK) {
        return ENOMEM;
    }
    cf_status status = CF_OK;
    for (uint64_t i = 0; i < 10 && status == CF_OK; i++) {
        status = cf_group_submit(group, &square_task, &i, NULL, &squares[i]);
    }
    status = status == CF_OK ? wait_for_all(group) : status;
    cf_group_destroy(group);
    for (int i = 0; i < 10; i++) {
        *sum += squares[i];
    }
    return (int)status;
}

static const cf_task nested_task = {.name = "nested",
                                    .run = run_nested,
                                    .arg_size = sizeof(cf_executor *),
                                    .result_size = sizeof(uint64_t)};

Test(group, within_a_task_of_a_group) {
    NEEDS(shares_memory);
    uint64_t sums[20];
    cf_executor *ex = create(2);
    cf_group *group = group_of(ex, (cf_group_options){.cancel_on_failure = true});
    for (int i = 0; i < 20; i++) {
        EXPECT(CF_OK, cf_group_submit(group, &nested_task, &ex, NULL, &sums[i]));
    }
    EXPECT(CF_OK, wait_for_all(group));
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(sums[i], 285);
    }
    cf_group_destroy(group);
    cf_executor_destroy(ex);
}

/* ---- the end ---------------------------------------------------------------------------------- */

typedef struct opener {
    cf_executor *ex;
    counter *gate;
    pthread_t thread;
} opener;

/* Opens the gate when destroy has cancelled what is pending. */
static void *open_gate(void *context) {
    const opener *self = context;
    const int64_t limit = now_ns() + LONG_WAIT;
    cf_stats stats;
    do {
        cr_assert_eq(cf_executor_stats(self->ex, &stats), CF_OK);
    } while (stats.cancelled < 100 && now_ns() < limit);
    counter_add(self->gate, 1);
    return NULL;
}

Test(group, destroy_leaves_no_task) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    counter *c = shared_alloc(4 * sizeof *c);
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){0});
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 5};
    counter *const ran = &c[3];
    uint64_t value = 17;
    opener o = {.ex = ex, .gate = &c[1]};
    EXPECT(CF_OK, cf_group_submit(group, &blocker_task, &b, NULL, &value));
    cr_assert(counter_wait(&c[0], 1));
    for (int i = 0; i < 100; i++) {
        EXPECT(CF_OK, cf_group_submit(group, &add_task, &ran, NULL, NULL));
    }
    cr_assert_eq(pthread_create(&o.thread, NULL, open_gate, &o), 0);
    cf_group_destroy(group);
    EXPECT_EQ(counter_get(&c[2]), 1); /* it was waited for */
    EXPECT_EQ(value, 17);             /* and its result is not written */
    pthread_join(o.thread, NULL);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT_EQ(counter_get(ran), 0);
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

/* Tasks submit for as long as they may. */
static int run_endless(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    branch b = *(const branch *)arg;
    counter_add(b.leaves, 1);
    while (cf_group_submit(b.group, &branch_task, &(branch){.group = b.group, .leaves = b.leaves},
                           NULL, NULL) == CF_OK) {}
    return 0;
}

static const cf_task endless_task = {
    .name = "endless", .run = run_endless, .arg_size = sizeof(branch)};

Test(group, destroyed_while_its_tasks_submit) {
    NEEDS(shares_memory);
    NEEDS(runs_beside_caller);
    cf_executor *ex = create_with((cf_pool_options){.max_workers = workers_of(3)});
    for (int round = 0; round < 20; round++) {
        counter begun = {0};
        cf_group *group = group_of(ex, (cf_group_options){.window = 50});
        const branch b = {.group = group, .leaves = &begun};
        EXPECT(CF_OK, cf_group_submit(group, &endless_task, &b, NULL, NULL));
        cr_assert(counter_wait(&begun, 1));
        cf_group_destroy(group);
    }
    cf_executor_destroy(ex);
}

static int every_call_is_refused(void *context) {
    cf_group *group = context;
    cf_exception exception;
    HOST_CHECK(cf_group_submit(group, &square_task, &(uint64_t){3}, NULL, NULL) == CF_EFORKED);
    HOST_CHECK(cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception) == CF_EFORKED);
    HOST_CHECK(exception.status == CF_EFORKED);
    cf_group_cancel(group);
    cf_group_destroy(group);
    return 0;
}

Test(group, of_another_process) {
    NOT_REMOTE(IN_A_FORK);
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){0});
    uint64_t result = 0;
    EXPECT_HOST_OK(host_run(every_call_is_refused, group));
    EXPECT(CF_OK, cf_group_submit(group, &square_task, &(uint64_t){3}, NULL, &result));
    EXPECT(CF_OK, wait_for_all(group));
    EXPECT_EQ(result, 9);
    cf_group_destroy(group);
    cf_executor_destroy(ex);
}

Test(group, invalid) {
    cf_executor *ex = create(1);
    cf_group *group = group_of(ex, (cf_group_options){0});
    cf_group *none = group;
    cf_exception exception = {0};
    EXPECT(CF_EINVAL, cf_group_create(NULL, NULL, &none));
    cr_assert(none == NULL);
    EXPECT(CF_EINVAL, cf_group_create(ex, NULL, NULL));
    EXPECT(CF_EINVAL, cf_group_submit(NULL, &square_task, &(uint64_t){3}, NULL, NULL));
    EXPECT(CF_EINVAL, cf_group_submit(group, NULL, NULL, NULL, NULL));
    EXPECT(CF_EINVAL, cf_group_submit(group, &square_task, NULL, NULL, NULL));
    EXPECT(CF_EINVAL, cf_group_wait(NULL, CF_ALL_COMPLETED, 0, &exception));
    EXPECT_EQ(exception.status, CF_EINVAL);
    EXPECT(CF_EINVAL, cf_group_wait(group, CF_FIRST_COMPLETED, 0, NULL));
    EXPECT(CF_OK, wait_for_all(group)); /* refused submits do not count */
    cf_group_cancel(NULL);
    cf_group_destroy(NULL);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_ESHUTDOWN, cf_group_submit(group, &square_task, &(uint64_t){3}, NULL, NULL));
    cf_group_destroy(group);
    cf_executor_destroy(ex);
}
