#include "rows.h"

#include <stdlib.h>
#include <string.h>

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif
#ifdef TEST_MPI
#include "mpi/ranks.h"
#endif

/* To test another executor, add a row: CMake makes a ctest test of each .name. */
static const executor_row rows[] = {
    {
        .name = "serial",
        .create = cf_serial_create,
        .shares_memory = true,
    },
    {
        .name = "thread_pool",
        .create = cf_thread_pool_create,
        .runs_beside_caller = true,
        .cancels_pending = true,
        .shares_memory = true,
    },
    {
        .name = "process_pool",
        .create = cf_process_pool_create,
        .runs_beside_caller = true,
        .cancels_pending = true,
        .survives_worker_death = true,
    },
#ifdef PRIMEPOOL_HAVE_OPENMP
    {
        .name = "openmp",
        .create = cf_openmp_create,
        .runs_beside_caller = true,
        .cancels_pending = true,
        .shares_memory = true,
    },
#endif
#ifdef TEST_MPI
    {
        .name = "mpi",
        .create = ranks_create,
        .runs_beside_caller = true,
        .cancels_pending = true,
        .survives_worker_death = true,
        .is_remote = true,
    },
#endif
};

const executor_row *row(void) {
    const char *name = getenv("CF_TEST_EXECUTOR");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (name && strcmp(name, rows[i].name) == 0) {
            return &rows[i];
        }
    }
    cr_assert_fail("set CF_TEST_EXECUTOR to one of the rows of contract/rows.c");
    return NULL;
}

unsigned workers_of(unsigned wanted) {
    return row()->runs_beside_caller ? wanted : 1;
}

cf_executor *create_with(cf_pool_options options) {
    cf_executor *executor = NULL;
    const char *min_workers = getenv("CF_TEST_MIN_WORKERS");
    options.min_workers = min_workers != NULL ? (unsigned)atoi(min_workers) : 0;
    EXPECT(CF_OK, row()->create(&options, &executor));
    cr_assert(executor != NULL);
    return executor;
}

cf_executor *create(unsigned workers) {
    return create_with((cf_pool_options){.max_workers = workers_of(workers)});
}

cf_future *submit(cf_executor *executor, const cf_task *task, const void *arg) {
    cf_future *future = NULL;
    EXPECT(CF_OK, cf_executor_submit(executor, task, arg, &future));
    cr_assert(future != NULL);
    return future;
}

uint64_t take(cf_future *future) {
    uint64_t value = 0;
    EXPECT(CF_OK, cf_future_result(future, LONG_WAIT, &value));
    cf_future_release(future);
    return value;
}

footprint footprint_now(void) {
    return (footprint){fd_count(), thread_count(), child_count()};
}

void footprint_check(footprint before) {
    cr_assert(threads_fall_to(before.threads), "threads: %zu, before %zu", thread_count(),
              before.threads);
    EXPECT_EQ(fd_count(), before.fds);
    EXPECT_EQ(child_count(), before.children);
}
