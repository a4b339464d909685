/* A worker's thread or process is named after its executor and numbered, as far as the system has room. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

TestSuite(worker_names, .timeout = TEST_SECONDS);

typedef struct comm {
    char text[32];
} comm;

static comm comm_of(const char *path) {
    comm c = {""};
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(c.text, sizeof c.text, f)) {
            c.text[0] = '\0';
        }
        fclose(f);
    }
    c.text[strcspn(c.text, "\n")] = '\0';
    return c;
}

static int run_comm(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)ctx;
    *(comm *)result = comm_of("/proc/thread-self/comm");
    return 0;
}

static const cf_task comm_task = {.name = "comm", .run = run_comm, .result_size = sizeof(comm)};

static void expect_named(const char *name, const char *shown) {
    const comm own = comm_of("/proc/thread-self/comm");
    char copied[64];
    snprintf(copied, sizeof copied, "%s", name ? name : "");
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = 1, .name = name ? copied : NULL});
    memset(copied, 'x', sizeof copied - 1);
    comm inside;
    cf_future *f = submit(ex, &comm_task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &inside));
    cf_future_release(f);
    const char *wanted = row()->runs_beside_caller ? shown : own.text; /* serial has no worker */
    cr_assert_str_eq(inside.text, wanted);
    cf_worker_stats worker;
    char path[64];
    EXPECT(CF_OK, cf_executor_worker_stats(ex, 0, &worker));
    snprintf(path, sizeof path,
             row()->shares_memory ? "/proc/self/task/%lld/comm" : "/proc/%lld/comm",
             (long long)worker.id);
    cr_assert_str_eq(comm_of(path).text, wanted);
    cr_assert_str_eq(comm_of("/proc/thread-self/comm").text, own.text);
    cf_executor_destroy(ex);
}

Test(worker_names, has_a_name) {
    NOT_REMOTE(KNOWS_WORKERS);
    expect_named(NULL, "cf-worker-0");
    expect_named("sorter", "sorter-0");
    expect_named("", "-0");
    expect_named("thirteen-long", "thirteen-long-0");
    expect_named("a-name-far-longer-than-fits", "a-name-far-long");
}

Test(worker_names, has_a_number_in_its_name) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(KNOWS_WORKERS);
    enum {
        WORKERS = 12
    };
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create_with((cf_pool_options){.max_workers = WORKERS, .name = "w"});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *futures[WORKERS];
    for (size_t i = 0; i < WORKERS; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], WORKERS));
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        char path[64], wanted[32];
        EXPECT(CF_OK, cf_executor_worker_stats(ex, i, &worker));
        snprintf(path, sizeof path, "/proc/%lld/comm", (long long)worker.id);
        snprintf(wanted, sizeof wanted, "w-%u", i);
        cr_assert_str_eq(comm_of(path).text, wanted);
    }
    counter_add(&c[1], 1);
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}
