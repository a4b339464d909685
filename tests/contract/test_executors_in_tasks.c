/* A task may make and use executors of every kind, three deep. A task in another process cannot use the
 * executor that it works for. */
#include "nested.h"

TestSuite(executors_in_tasks, .timeout = TEST_SECONDS);

typedef struct inner {
    unsigned kind;  /* of those below */
    unsigned depth; /* of executors, each inside a task of the one before */
} inner;

static cf_status (*const constructors[])(const cf_pool_options *, cf_executor **) = {
    cf_serial_create, cf_thread_pool_create, cf_process_pool_create};

static int run_with_executor(const void *arg, void *result, cf_task_context *ctx);

static const cf_task inner_task = {.name = "inner",
                                   .run = run_with_executor,
                                   .arg_size = sizeof(inner),
                                   .result_size = sizeof(uint64_t)};

/* 0, or the line where something was not as it should be. */
static int use_executor(cf_executor *ex, const inner *in, uint64_t *sum) {
    enum {
        N = 20
    };
    uint64_t args[N], results[N], value = 0;
    cf_future *futures[N], *deeper = NULL;
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
        if (cf_executor_submit(ex, &square_task, &i, &futures[i]) != CF_OK) {
            return __LINE__;
        }
    }
    if (cf_executor_map(ex, &square_task, args, N, results, NULL) != CF_OK) {
        return __LINE__;
    }
    for (uint64_t i = 0; i < N; i++) {
        if (cf_future_result(futures[i], CF_FOREVER, &value) != CF_OK || value != results[i]) {
            return __LINE__;
        }
        *sum += value;
        cf_future_release(futures[i]);
    }
    if (in->depth > 1) {
        const inner next = {in->kind, in->depth - 1};
        if (cf_executor_submit(ex, &inner_task, &next, &deeper) != CF_OK ||
            cf_future_result(deeper, CF_FOREVER, &value) != CF_OK) {
            return __LINE__;
        }
        *sum += value;
        cf_future_release(deeper);
    }
    return 0;
}

static int run_with_executor(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inner *in = arg;
    const bool serial = constructors[in->kind] == cf_serial_create;
    const cf_pool_options options = {.max_workers = serial ? 1 : 2};
    cf_executor *ex;
    if (constructors[in->kind](&options, &ex) != CF_OK) {
        return __LINE__;
    }
    int wrong = use_executor(ex, in, result);
    cf_executor_destroy(ex);
    return wrong;
}

static void expect_inner(cf_executor *ex, unsigned kind, unsigned depth) {
    const uint64_t each = 19 * 20 * 39 / 6;
    cf_future *futures[2];
    for (size_t i = 0; i < 2; i++) {
        futures[i] = submit(ex, &inner_task, &(inner){kind, depth});
    }
    for (size_t i = 0; i < 2; i++) {
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(futures[i], LONG_WAIT, &why));
        cr_assert(why.status == CF_OK, "executor %u inside a task: %s, line %d", kind,
                  cf_status_name(why.status), why.task_error);
        EXPECT_EQ(take(futures[i]), depth * each);
    }
}

Test(executors_in_tasks, tasks_make_executors_of_every_kind) {
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (int round = 0; round < 5; round++) {
        for (unsigned kind = 0; kind < COUNT_OF(constructors); kind++) {
            expect_inner(ex, kind, 1);
        }
    }
    cf_executor_destroy(ex);
    footprint_check(before);
}

Test(executors_in_tasks, executors_inside_executors_inside_executors) {
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (unsigned kind = 0; kind < COUNT_OF(constructors); kind++) {
        expect_inner(ex, kind, 3);
    }
    cf_executor_destroy(ex);
    footprint_check(before);
}

/* ---- where a task has no part in its own executor -------------------------------------------- */

typedef struct ownership {
    cf_executor *ex;
    cf_future *future; /* of another task of ex */
} ownership;

/* The line of the first call that was not refused; 0 = all were. */
static int run_use_parents(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const ownership *o = arg;
    cf_future *f = NULL;
    uint64_t n = 3, square;
    if (cf_executor_submit(o->ex, &square_task, &n, &f) != CF_EFORKED || f ||
        cf_executor_submit(o->ex, &square_task, &n, NULL) != CF_EFORKED ||
        cf_executor_submit_many(o->ex, &square_task, &n, 1, NULL, &f, NULL) != CF_EFORKED) {
        return __LINE__;
    }
    if (cf_executor_map(o->ex, &square_task, &n, 1, &square, NULL) != CF_EFORKED) {
        return __LINE__;
    }
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        if (wait_for(o->future, how, CF_FOREVER) != CF_EFORKED) {
            return __LINE__;
        }
    }
    if (cf_future_cancel(o->future) || cf_executor_shutdown(o->ex, true, true) != CF_EFORKED) {
        return __LINE__;
    }
    cf_future_release(o->future);
    cf_executor_destroy(o->ex);
    return 0;
}

Test(executors_in_tasks, a_process_cannot_use_the_executor_it_works_for) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(USES_EXECUTOR);
    static const cf_task task = {.run = run_use_parents, .arg_size = sizeof(ownership)};
    cf_executor *ex = create(2);
    cf_future *other = submit(ex, &square_task, &(uint64_t){9});
    EXPECT(CF_OK, cf_future_result(other, LONG_WAIT, NULL));
    for (int i = 0; i < 20; i++) {
        cf_exception why;
        cf_future *f = submit(ex, &task, &(ownership){ex, other});
        EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
        cr_assert(why.status == CF_OK, "%s, line %d", cf_status_name(why.status), why.task_error);
        cf_future_release(f);
    }
    EXPECT_EQ(take(other), 81); /* released there, and not here */
    cf_executor_destroy(ex);
}
