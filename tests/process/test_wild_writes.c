/* A task in a process may write to a wrong place in the memory that workers share. Whatever it hits, the
 * caller goes on: each task ends once, in some way, every call returns, and what was not hit is right. */
#include "process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(wild_writes, .timeout = 2 * TEST_SECONDS);

/* ---- where to write -------------------------------------------------------------------------- */

typedef struct area {
    unsigned char *start, *end;
} area;

/* The open part of the memory that workers share, as a task finds it. */
static area shared_memory(void) {
    char line[512];
    area found = {NULL, NULL};
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;
        if (strstr(line, "cfutures") != NULL &&
            sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw-s", &start, &end) == 2 &&
            strstr(line, "rw-s") != NULL) {
            found.start = found.start == NULL ? (unsigned char *)start : found.start;
            found.end = (unsigned char *)end;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return found;
}

/* Where the functions of tasks lie, the one of these tests first. No random byte goes there: it would make
 * a worker call some place in the middle of another function, where it may also wait for ever, as a
 * task may that is not damaged. of_each_part overwrites it as a whole. */
enum {
    TASK_TABLE = 135168
};

/* What a task is told to do. */
typedef struct wild {
    uint64_t seed;  /* of random places; 0 = the bytes after its result, from it or from `offset` */
    uint32_t bytes; /* how many it overwrites; 0 = none */
    uint32_t offset; /* in shared memory; 0 = after its result */
    uint8_t value;
    uint8_t dies; /* after that */
} wild;

static int run_wild(const void *arg, void *result, cf_task_context *ctx) {
    wild todo;
    (void)ctx;
    memcpy(&todo, arg, sizeof todo);
    spin_for(MILLISECOND);
    *(uint64_t *)result = 42;
    if (todo.bytes > 0 && todo.seed == 0 && todo.offset == 0) {
        memset(result, todo.value, todo.bytes);
    } else if (todo.bytes > 0) {
        area shared = shared_memory();
        size_t size = (size_t)(shared.end - shared.start);
        for (uint32_t i = 0; i < (todo.seed == 0 ? 1 : todo.bytes) && size > 0; i++) {
            if (todo.seed == 0) {
                memset(shared.start + todo.offset, todo.value, todo.bytes);
            } else {
                uint64_t at = random_next(&todo.seed) % size;
                if (at < TASK_TABLE || at >= TASK_TABLE + sizeof(cf_task_fn *)) {
                    shared.start[at] = (unsigned char)random_next(&todo.seed);
                }
            }
        }
    }
    if (todo.dies) {
        abort();
    }
    return 0;
}

static const cf_task wild_task = {
    .name = "wild", .run = run_wild, .arg_size = sizeof(wild), .result_size = sizeof(uint64_t)};

/* Sets the bit that says that its own run was over its time. A small result lies in the slot, 64 bytes, whose word
 * is at the beginning. */
static int run_expired(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    *(uint64_t *)(void *)((char *)result - (uintptr_t)result % 64) |= 32;
    return 0;
}

static const cf_task expired_task = {
    .name = "expired", .run = run_expired, .result_size = sizeof(uint64_t)};

/* Ends the next task, which is pending, and does not say so to who waits for it. */
static int run_settling(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    spin_for(100 * MILLISECOND); /* until the next one is submitted, and watched */
    *(volatile unsigned char *)((char *)result - (uintptr_t)result % 64 + 64) = 0x83;
    return 0;
}

static const cf_task settling_task = {
    .name = "settling", .run = run_settling, .result_size = sizeof(uint64_t)};

/* ---- what must hold -------------------------------------------------------------------------- */

enum {
    TASKS = 40,
    WILD = 5 /* the one that writes */
};

static bool is_an_ending(cf_status status) {
    return status == CF_OK || status == CF_EWORKER || status == CF_EBROKEN || status == CF_ETASK ||
           status == CF_ECANCELLED || status == CF_EDEADLINE;
}

/* All tasks come out of an iteration, once each. */
static void check_all_come_out(cf_future **futures, size_t count) {
    cf_as_completed *iteration;
    bool seen[TASKS] = {false};
    cr_assert(cf_as_completed_create(futures, count, &iteration) == CF_OK);
    for (size_t i = 0; i < count; i++) {
        cf_future *future = NULL;
        size_t index = 0;
        cr_assert(cf_as_completed_next(iteration, LONG_WAIT, &future, &index) == CF_OK);
        cr_assert(!seen[index]);
        seen[index] = true;
    }
    cf_as_completed_destroy(iteration);
}

/* What a worker says when it finds the damage itself does not matter here. */
static int be_quiet(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    return freopen("/dev/null", "w", stderr) == NULL;
}

static void check_survives(const wild *todo, unsigned workers, bool iterates) {
    const cf_pool_options options = {.max_workers = workers, .initializer = be_quiet};
    cf_executor *pool = NULL;
    cr_assert(cf_process_pool_create(&options, &pool) == CF_OK);
    cf_future *futures[TASKS];
    size_t count = 0;
    for (size_t i = 0; i < TASKS; i++) {
        const wild harmless = {0};
        cf_status status =
            cf_executor_submit(pool, &wild_task, i == WILD ? todo : &harmless, &futures[count]);
        cr_assert(status == CF_OK || status == CF_EBROKEN || status == CF_ENOMEM);
        count += status == CF_OK;
    }
    if (iterates) {
        check_all_come_out(futures, count);
    }
    for (size_t i = 0; i < count; i++) {
        char text[200];
        uint64_t result = 0;
        cf_exception exception = {0};
        cf_status status = cf_future_result(futures[i], LONG_WAIT, &result);
        cr_assert(is_an_ending(status));
        cr_assert(cf_future_done(futures[i]));
        cr_assert(cf_future_exception(futures[i], 0, &exception) == CF_OK);
        cr_assert(strlen(cf_future_describe(futures[i], text, sizeof text)) > 0);
        cr_assert(strlen(cf_exception_describe(&exception, text, sizeof text)) > 0);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
}

/* ---- the tests ------------------------------------------------------------------------------- */

/* The neighbour's slot comes after a small result. */
Test(wild_writes, beyond_a_result) {
    for (uint32_t bytes = 16; bytes <= 4096; bytes *= 16) {
        check_survives(&(wild){.bytes = bytes, .value = 0xff}, 1, true);
        check_survives(&(wild){.bytes = bytes, .value = 0}, 2, false);
    }
}

/* Page by page: control words, records, the task table, the directory, slots. */
Test(wild_writes, of_each_part) {
    static const uint32_t parts[] = {64, 4096, 8192, TASK_TABLE, 262144, 4456448, 4521984};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (int dies = 0; dies < 2; dies++) {
            const wild todo = {
                .offset = parts[i], .bytes = 512, .value = 0xff, .dies = (uint8_t)dies};
            check_survives(&todo, 2, i % 2 == 0);
        }
    }
}

/* The worker of such a run waits to be killed, and nobody knows that it does. */
static cf_status ending_of_expired(const cf_submit_options *limits, cf_status *next) {
    const cf_pool_options options = {.max_workers = 1, .initializer = be_quiet};
    const wild harmless = {0};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    cr_assert(cf_process_pool_create(&options, &pool) == CF_OK);
    cr_assert(cf_executor_submit_with(pool, &expired_task, NULL, limits, &f) == CF_OK);
    const cf_status status = cf_future_result(f, LONG_WAIT, NULL);
    cf_future_release(f);
    *next = cf_executor_submit(pool, &wild_task, &harmless, &f);
    if (*next == CF_OK) {
        *next = cf_future_result(f, LONG_WAIT, NULL);
        cf_future_release(f);
    }
    cf_executor_destroy(pool);
    return status;
}

Test(wild_writes, mark_a_run_as_over_its_time) {
    cf_status next;
    EXPECT_EQ(ending_of_expired(&(cf_submit_options){0}, &next),
              CF_EDEADLINE); /* as the bit says */
    EXPECT_EQ(next, CF_EBROKEN);
}

Test(wild_writes, mark_a_limited_run_as_over_its_time) {
    cf_status next;
    EXPECT_EQ(ending_of_expired(&(cf_submit_options){.timeout_ns = 2 * LONG_WAIT}, &next),
              CF_EDEADLINE);
    EXPECT_EQ(next, CF_OK);
}

Test(wild_writes, end_another_task_unseen) {
    const cf_pool_options options = {.max_workers = 1, .initializer = be_quiet};
    const wild harmless = {0};
    cf_executor *pool = NULL;
    cf_future *futures[2];
    cr_assert(cf_process_pool_create(&options, &pool) == CF_OK);
    cr_assert(cf_executor_submit(pool, &settling_task, NULL, &futures[0]) == CF_OK);
    cr_assert(cf_executor_submit(pool, &wild_task, &harmless, &futures[1]) == CF_OK);
    check_all_come_out(futures, 2);
    cf_future_release(futures[0]);
    cf_future_release(futures[1]);
    cf_executor_destroy(pool);
}

Test(wild_writes, at_random_places) {
    uint64_t seed = test_seed("wild_writes/at_random_places");
    for (unsigned i = 0; i < 30; i++) {
        const wild todo = {.seed = random_next(&seed) | 1, .bytes = 1 + i * 300};
        check_survives(&todo, 2, i % 2 == 0);
    }
}
