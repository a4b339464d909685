/* A finalizer may submit tasks to its own executor: they run in another life, or are refused. Each life is
 * ended once. */
#include "rows.h"

#include <pthread.h>

TestSuite(finalizer, .timeout = TEST_SECONDS);

enum {
    LIVES_MOST = 1000
};

typedef struct life {
    _Atomic uint32_t ends;
} life;

/* What becomes of the lives of an executor. In shared memory: it is the context of both. */
typedef struct registry {
    cf_executor *ex;       /* to which finalizers submit; NULL = they do not */
    uint32_t submits_most; /* so often, all together */
    counter begun;         /* lives */
    counter submits;       /* of finalizers: tried */
    counter accepted;
    counter refused[CF_ESERVED + 1]; /* by status */
    counter ran;                     /* tasks */
    counter odd; /* ended twice, or a task in a life that is none or has been ended */
    life lives[LIVES_MOST];
} registry;

static int run_in_life(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    registry *r = *(registry *const *)arg;
    const life *l = cf_task_local(ctx);
    counter_add(&r->odd, l == NULL || atomic_load(&l->ends) != 0);
    counter_add(&r->ran, 1);
    return 0;
}

static const cf_task life_task = {
    .name = "life", .run = run_in_life, .arg_size = sizeof(registry *)};

static int begin_life(void *context, unsigned worker, void **local) {
    (void)worker;
    registry *r = context;
    const uint32_t number = atomic_fetch_add(&r->begun.value, 1);
    *local = &r->lives[number % LIVES_MOST];
    return 0;
}

static void end_life(void *context, unsigned worker, void *local) {
    (void)worker;
    registry *r = context;
    life *l = local;
    counter_add(&r->odd, l == NULL || atomic_fetch_add(&l->ends, 1) != 0);
    if (r->ex == NULL || atomic_fetch_add(&r->submits.value, 1) >= r->submits_most) {
        return;
    }
    const cf_status status = cf_executor_submit(r->ex, &life_task, &r, NULL);
    counter_add(status == CF_OK ? &r->accepted : &r->refused[status], 1);
}

static registry *registry_new(unsigned workers, unsigned max_tasks, uint32_t submits_most) {
    registry *r = shared_alloc(sizeof *r);
    r->submits_most = submits_most;
    r->ex = create_with((cf_pool_options){.max_workers = workers_of(workers),
                                          .max_tasks_per_worker = max_tasks,
                                          .initializer = begin_life,
                                          .finalizer = end_life,
                                          .context = r});
    return r;
}

/* All is over: `tasks` were submitted from outside. */
static void registry_close(registry *r, uint32_t tasks) {
    EXPECT(CF_OK, cf_executor_shutdown(r->ex, true, false));
    const uint32_t begun = counter_get(&r->begun);
    cf_executor_destroy(r->ex);
    EXPECT_EQ(counter_get(&r->begun), begun);
    EXPECT_EQ(counter_get(&r->odd), 0);
    EXPECT_EQ(counter_get(&r->ran), tasks + counter_get(&r->accepted));
    cr_assert(begun <= LIVES_MOST);
    for (uint32_t i = 0; i < begun; i++) {
        cr_assert(atomic_load(&r->lives[i].ends) == 1, "life %u of %u was ended %u times", i, begun,
                  atomic_load(&r->lives[i].ends));
    }
    shared_free(r, sizeof *r);
}

static void submit_lives(registry *r, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        EXPECT(CF_OK, cf_executor_submit(r->ex, &life_task, &r, NULL));
    }
}

/* Each life is one task long, and submits the task of the next one when it ends. */
Test(finalizer, submits_the_task_of_the_next_life) {
    NEEDS(shares_memory);
    enum {
        CHAIN = 6
    };
    for (int round = 0; round < 20; round++) {
        registry *r = registry_new(1, 1, CHAIN);
        submit_lives(r, 1);
        cr_assert(counter_wait(&r->ran, 1 + CHAIN), "%u of %u tasks were run", counter_get(&r->ran),
                  1 + CHAIN);
        EXPECT_EQ(counter_get(&r->accepted), CHAIN);
        registry_close(r, 1);
    }
}

static void *submit_some(void *arg) {
    submit_lives(arg, 50);
    return NULL;
}

Test(finalizer, submits_while_others_do) {
    NEEDS(shares_memory);
    for (unsigned max_tasks = 1; max_tasks <= 3; max_tasks++) {
        registry *r = registry_new(3, max_tasks, 30);
        pthread_t threads[2];
        for (size_t i = 0; i < COUNT_OF(threads); i++) {
            cr_assert_eq(pthread_create(&threads[i], NULL, submit_some, r), 0);
        }
        for (size_t i = 0; i < COUNT_OF(threads); i++) {
            cr_assert_eq(pthread_join(threads[i], NULL), 0);
        }
        registry_close(r, 100);
    }
}

/* The last ones run when the executor has been shut down. */
Test(finalizer, is_refused_at_the_end) {
    NEEDS(shares_memory);
    registry *r = registry_new(3, 0, LIVES_MOST);
    submit_lives(r, 20);
    EXPECT(CF_OK, cf_executor_shutdown(r->ex, true, false));
    EXPECT_EQ(counter_get(&r->accepted), 0);
    EXPECT_EQ(counter_get(&r->refused[CF_ESHUTDOWN]), counter_get(&r->begun));
    registry_close(r, 20);
}

Test(finalizer, is_refused_in_another_process) {
    NOT_REMOTE(USES_EXECUTOR);
    if (row()->shares_memory) {
        cr_skip_test("%s: its finalizers run in this process", row()->name);
    }
    registry *r = registry_new(2, 2, LIVES_MOST);
    submit_lives(r, 40);
    EXPECT(CF_OK, cf_executor_shutdown(r->ex, true, false));
    EXPECT_EQ(counter_get(&r->accepted), 0);
    EXPECT_EQ(counter_get(&r->refused[CF_EFORKED]), counter_get(&r->begun));
    registry_close(r, 40);
}
