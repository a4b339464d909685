/* Many threads may use one executor at once, and one thread several executors, of any kinds. */
#include "rows.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

TestSuite(threads, .timeout = TEST_SECONDS);

enum {
    THREADS = 8,
    EACH = 5000,
    WINDOW = 64
};

typedef struct submitter {
    pthread_t thread;
    cf_executor *ex;
    uint64_t first;
    size_t right;
} submitter;

static bool is_square_of(cf_future *f, uint64_t n) {
    uint64_t value = 0;
    cf_status status = cf_future_result(f, LONG_WAIT, &value);
    cf_future_release(f);
    return status == CF_OK && value == n * n;
}

/* Keeps a window of tasks in flight; counts those with the right result. */
static void *submit_and_take(void *arg) {
    submitter *s = arg;
    cf_future *window[WINDOW];
    for (uint64_t i = 0; i < EACH + WINDOW; i++) {
        if (i >= WINDOW) {
            s->right += is_square_of(window[i % WINDOW], s->first + i - WINDOW);
        }
        if (i < EACH) {
            uint64_t n = s->first + i;
            if (cf_executor_submit(s->ex, &square_task, &n, &window[i % WINDOW]) != CF_OK) {
                return NULL;
            }
        }
    }
    return NULL;
}

static void run_submitters(cf_executor *const *executors, size_t executor_count) {
    submitter submitters[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        submitters[i] =
            (submitter){.ex = executors[i % executor_count], .first = i * (uint64_t)EACH};
        cr_assert_eq(pthread_create(&submitters[i].thread, NULL, submit_and_take, &submitters[i]),
                     0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(submitters[i].thread, NULL), 0);
        EXPECT_EQ(submitters[i].right, EACH);
    }
}

Test(threads, eight_submit_to_one_executor) {
    cf_executor *ex = create(2);
    run_submitters(&ex, 1);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s;
    EXPECT(CF_OK, cf_executor_stats(ex, &s));
    EXPECT_EQ(s.submitted, THREADS * EACH);
    EXPECT_EQ(s.finished, THREADS * EACH);
    EXPECT_EQ(s.failed + s.cancelled, 0);
    cf_executor_destroy(ex);
}

Test(threads, two_executors_at_once) {
    cf_executor *executors[2] = {create(2), create(2)};
    run_submitters(executors, 2);
    cf_executor_destroy(executors[0]);
    EXPECT_EQ(take(submit(executors[1], &square_task, &(uint64_t){12})), 144);
    cf_executor_destroy(executors[1]);
}

Test(threads, each_kind_of_executor_at_once) {
    cf_executor *executors[3] = {create(2), NULL, NULL};
    EXPECT(CF_OK, cf_serial_create(NULL, &executors[1]));
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 2}, &executors[2]));
    run_submitters(executors, 3);
    for (size_t i = 0; i < 3; i++) {
        cf_executor_destroy(executors[i]);
    }
}

typedef struct mapper {
    pthread_t thread;
    cf_executor *ex;
    uint64_t *args;
    uint64_t *results;
    size_t n;
    cf_status status;
} mapper;

static void *map_once(void *arg) {
    mapper *m = arg;
    m->status = cf_executor_map(m->ex, &square_task, m->args, m->n, m->results, NULL);
    return NULL;
}

Test(threads, maps_side_by_side) {
    enum {
        N = 20000
    };
    mapper mappers[4];
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(mappers); i++) {
        mappers[i] = (mapper){.ex = ex, .n = N};
        mappers[i].args = malloc(N * sizeof(uint64_t));
        mappers[i].results = calloc(N, sizeof(uint64_t));
        for (uint64_t k = 0; k < N; k++) {
            mappers[i].args[k] = i * N + k;
        }
        cr_assert_eq(pthread_create(&mappers[i].thread, NULL, map_once, &mappers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(mappers); i++) {
        cr_assert_eq(pthread_join(mappers[i].thread, NULL), 0);
        EXPECT(CF_OK, mappers[i].status);
        for (uint64_t k = 0; k < N; k++) {
            uint64_t n = i * N + k;
            EXPECT_EQ(mappers[i].results[k], n * n);
        }
        free(mappers[i].args);
        free(mappers[i].results);
    }
    cf_executor_destroy(ex);
}

/* One thread's futures read and released by another. */
typedef struct relay {
    cf_executor *ex;
    _Atomic(cf_future *) slots[256];
    size_t right;
} relay;

enum {
    RELAYED = 50000
};

static void *take_relayed(void *arg) {
    relay *r = arg;
    for (uint64_t i = 0; i < RELAYED; i++) {
        _Atomic(cf_future *) *slot = &r->slots[i % COUNT_OF(r->slots)];
        cf_future *f;
        while ((f = atomic_exchange(slot, NULL)) == NULL) {
            sched_yield();
        }
        r->right += is_square_of(f, i);
    }
    return NULL;
}

Test(threads, one_submits_another_takes) {
    relay *r = calloc(1, sizeof *r);
    pthread_t taker;
    r->ex = create(2);
    cr_assert_eq(pthread_create(&taker, NULL, take_relayed, r), 0);
    for (uint64_t i = 0; i < RELAYED; i++) {
        cf_future *f = submit(r->ex, &square_task, &i);
        _Atomic(cf_future *) *slot = &r->slots[i % COUNT_OF(r->slots)];
        while (atomic_load(slot) != NULL) {
            sched_yield();
        }
        atomic_store(slot, f);
    }
    cr_assert_eq(pthread_join(taker, NULL), 0);
    EXPECT_EQ(r->right, RELAYED);
    cf_executor_destroy(r->ex);
    free(r);
}
