/* The cursor holds the low bits of a ticket: the queue goes on where they come round, and a chunk whose items have
 * time limits has no more of them than the word of its slot can tell apart. */
#include "../check.h"

#include "cfutures/core/executor.h"

#include <signal.h>
#include <stdlib.h>

TestSuite(tickets, .timeout = TEST_SECONDS);

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);

static create_fn *const create[] = {cf_thread_pool_create, cf_process_pool_create};

/* ---- the low bits come round ----------------------------------------------------------------- */

enum {
    WORKERS = 2,
    TASKS = 4 * CFI_SLAB_SLOTS,
    DIRECTORY_PAGE = 4096,
    LOW_BITS = 40 /* of a ticket, in the cursor */
};

/* As if so many tasks had been submitted and had ended. */
static void begin_at(cf_executor *pool, uint64_t ticket) {
    const uint64_t entry = ticket / CFI_SLAB_SLOTS % CFI_SLABS_QUEUED_MAX;
    const uint64_t page = entry * 4 / DIRECTORY_PAGE * DIRECTORY_PAGE;
    cr_assert(ticket % CFI_SLAB_SLOTS == 0);
    cr_assert(cfi_arena_commit_fixed(&pool->arena, CFI_DIRECTORY_AT, DIRECTORY_PAGE));
    cr_assert(cfi_arena_commit_fixed(&pool->arena, CFI_DIRECTORY_AT + page, DIRECTORY_PAGE));
    pool->slabs.tail = ticket;
    atomic_store(&pool->queue.control->tail, ticket);
    atomic_store(&pool->queue.control->cursor, ticket & ((UINT64_C(1) << LOW_BITS) - 1));
}

/* Every hundredth dies once, so the cursor is moved back. */
static int run_square(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t n = *(const uint64_t *)arg;
    if (n % 100 == 50 && cf_task_attempt(ctx) == 1) {
        raise(SIGKILL);
    }
    *(uint64_t *)result = n * n;
    return 0;
}

static void square_all(cf_executor *pool, bool dying) {
    static cf_future *futures[TASKS];
    static uint64_t args[TASKS];
    const cf_task task = {
        .run = run_square, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};
    const cf_submit_options options = {.retries = 3}; /* its neighbours' deaths do not count */
    for (uint64_t i = 0; i < TASKS; i++) {
        args[i] = dying ? i : 2 * i + 1;
    }
    EXPECT(CF_OK, cf_executor_submit_many(pool, &task, args, TASKS, &options, futures, NULL));
    for (size_t i = 0; i < TASKS; i++) {
        uint64_t value = 0;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &value));
        EXPECT_EQ(value, args[i] * args[i]);
        cf_future_release(futures[i]);
    }
}

Test(tickets, come_round_in_the_cursor) {
    const uint64_t rounds[] = {1, 2, 255};
    for (size_t i = 0; i < COUNT_OF(create) * COUNT_OF(rounds); i++) {
        const bool processes = i % COUNT_OF(create) == 1;
        const uint64_t round = rounds[i / COUNT_OF(create)] << LOW_BITS;
        const cf_pool_options options = {.max_workers = WORKERS};
        cf_executor *pool = NULL;
        cf_stats stats;
        EXPECT(CF_OK, create[processes](&options, &pool));
        begin_at(pool, round - 2 * CFI_SLAB_SLOTS);
        square_all(pool, processes);
        EXPECT(CF_OK, cf_executor_shutdown(pool, true, false)); /* the workers have seen all */
        cr_assert(atomic_load(&pool->queue.control->tail) > round);
        EXPECT_EQ(cfi_queue_cursor(&pool->queue), atomic_load(&pool->queue.control->tail));
        EXPECT(CF_OK, cf_executor_stats(pool, &stats));
        EXPECT_EQ(stats.pending, 0);
        EXPECT_EQ(stats.finished, TASKS);
        EXPECT_EQ(stats.restarts > 0, processes);
        cf_executor_destroy(pool);
    }
}

/* ---- limits of one chunk --------------------------------------------------------------------- */

/* As many items as there are, or more than the tick can count. Each is under its own limit: with one too many, a
 * worker would meet an assertion. */
Test(tickets, of_a_chunk_with_limits_are_all_different) {
    enum {
        ITEMS = 40000
    };
    uint64_t *args = calloc(ITEMS, sizeof *args), *results = calloc(ITEMS, sizeof *results);
    const cf_map_options options = {.chunk = ITEMS, .timeout_ns = LONG_WAIT};
    cr_assert(args != NULL && results != NULL);
    for (uint64_t i = 0; i < ITEMS; i++) {
        args[i] = i;
    }
    for (size_t k = 0; k < COUNT_OF(create); k++) {
        cf_executor *pool = NULL;
        cf_stats stats;
        EXPECT(CF_OK, create[k](&(cf_pool_options){.max_workers = 1}, &pool));
        EXPECT(CF_OK, cf_executor_map(pool, &square_task, args, ITEMS, results, &options));
        for (uint64_t i = 0; i < ITEMS; i++) {
            EXPECT_EQ(results[i], i * i);
            results[i] = 0;
        }
        EXPECT(CF_OK, cf_executor_stats(pool, &stats));
        EXPECT_EQ(stats.submitted, (ITEMS + CFI_TICKS_MAX - 2) / (CFI_TICKS_MAX - 1));
        cf_executor_destroy(pool);
    }
    free(args);
    free(results);
}
