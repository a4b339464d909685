/* An executor gives back what it takes: descriptors, threads, processes, memory. It keeps to its memory
 * limit, and gets by with one processor. */
#include "rows.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(resources, .timeout = TEST_SECONDS);

static size_t mapping_count(void) {
    size_t lines = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    for (int c = maps ? getc(maps) : EOF; c != EOF; c = getc(maps)) {
        lines += c == '\n';
    }
    if (maps) {
        fclose(maps);
    }
    return lines;
}

static size_t resident_bytes(void) {
    unsigned long total = 0, resident = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm) {
        cr_assert_eq(fscanf(statm, "%lu %lu", &total, &resident), 2);
        fclose(statm);
    }
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void live_once(bool use) {
    cf_executor *ex = create(3);
    if (use) {
        uint64_t args[10] = {3}, results[10];
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){8})), 64);
        EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, 10, results, NULL));
    }
    cf_executor_destroy(ex);
}

Test(resources, two_hundred_lives_leave_nothing) {
    for (int i = 0; i < 10; i++) { /* what is made once for all */
        live_once(i % 2);
    }
    footprint before = footprint_now();
    size_t mappings = mapping_count();
    for (int i = 0; i < 200; i++) {
        live_once(i % 2);
    }
    footprint_check(before);
    size_t after = mapping_count();
    cr_assert(after <= mappings + 20, "%zu mappings, before %zu", after, mappings);
    if (before.children == 0) {
        cr_assert(waitpid(-1, NULL, WNOHANG) == -1); /* no zombie is left to its reaper */
    }
}

/* ---- life after life ------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

enum {
#ifdef ADDRESS_SANITIZER /* forks slowly, and keeps what was freed for a while */
    LIVES = 100,
    BYTES_A_LIFE = 1 << 20
#else
    LIVES = 300,
    BYTES_A_LIFE = 1 << 12
#endif
};

static void count_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

/* With all that makes an executor start a thread of its own. */
static void live_with_attendants(void) {
    counter called = {0};
    cf_executor *ex = create(1);
    cf_future *f = NULL;
    const cf_submit_options options = {.timeout_ns = LONG_WAIT};
    EXPECT(CF_OK, cf_executor_submit_with(ex, &square_task, &(uint64_t){8}, &options, &f));
    EXPECT(CF_OK, cf_future_add_done_callback(f, count_call, &called));
    EXPECT_EQ(take(f), 64);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(&called), 1);
}

static void live_with_one_task(void) {
    cf_executor *ex = create(1);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){8})), 64);
    cf_executor_destroy(ex);
}

static void expect_lives_to_leave_nothing(void (*live)(void), size_t lives) {
    for (size_t i = 0; i < lives / 10; i++) {
        live();
    }
    const footprint before = footprint_now();
    const size_t resident = resident_bytes();
    for (size_t i = 0; i < lives; i++) {
        live();
    }
    const size_t now = resident_bytes(), grown = now > resident ? now - resident : 0;
    footprint_check(before);
    cr_assert(grown < lives * BYTES_A_LIFE, "%zu bytes a life", grown / lives);
}

Test(resources, lives_of_one_task_leave_nothing) {
    expect_lives_to_leave_nothing(live_with_one_task, LIVES);
}

Test(resources, lives_with_callback_and_time_limit_leave_nothing) {
    expect_lives_to_leave_nothing(live_with_attendants, LIVES / 2);
}

/* ---- tasks and memory ------------------------------------------------------------------------ */

static void wave(cf_executor *ex, cf_future **futures, size_t n) {
    for (uint64_t i = 0; i < n; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    for (uint64_t i = 0; i < n; i++) {
        EXPECT_EQ(take(futures[i]), i * i);
    }
}

Test(resources, released_tasks_are_recycled) {
    enum {
        N = 20000,
        WARM_UP = 4,
        WAVES = 30
    };
    cf_future **futures = malloc(N * sizeof(cf_future *));
    cf_executor *ex = create(2);
    for (int i = 0; i < WARM_UP; i++) {
        wave(ex, futures, N);
    }
    size_t before = resident_bytes();
    for (int i = 0; i < WAVES; i++) {
        wave(ex, futures, N);
    }
    size_t after = resident_bytes();
    /* 30 waves of 20 000 tasks of at least 64 bytes are 38 MB, were none of them recycled. */
    cr_assert(after < before + (16u << 20), "resident: %zu, before %zu", after, before);
    cf_executor_destroy(ex);
    free(futures);
}

typedef struct page {
    unsigned char bytes[PAGE];
} page;

static int run_first_byte(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    ((page *)result)->bytes[PAGE - 1] = ((const page *)arg)->bytes[0];
    return 0;
}

static const cf_task page_task = {
    .run = run_first_byte, .arg_size = sizeof(page), .result_size = sizeof(page)};

enum {
    LIMIT = 8 << 20,
    MOST = LIMIT / (2 * PAGE)
};

/* Submits until the limit is met; gives how many fitted. */
static size_t fill(cf_executor *ex, cf_future **futures) {
    page arg = {{0}};
    for (size_t n = 0; n <= MOST; n++) {
        arg.bytes[0] = (unsigned char)n;
        cf_status status = cf_executor_submit(ex, &page_task, &arg, &futures[n]);
        if (status != CF_OK) {
            EXPECT(CF_ENOMEM, status);
            return n;
        }
    }
    cr_assert_fail("more fitted than the limit of %d bytes holds", LIMIT);
    return 0;
}

Test(resources, the_arena_limit_refuses_and_forgets) {
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = LIMIT});
    cf_future *futures[MOST + 1];
    size_t first = 0;
    for (int round = 0; round < 5; round++) {
        size_t n = fill(ex, futures);
        for (size_t i = 0; i < n; i++) {
            page result;
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &result));
            EXPECT_EQ(result.bytes[PAGE - 1], (unsigned char)i);
            cf_future_release(futures[i]);
        }
        first = round == 0 ? n : first;
        cr_assert(first >= MOST / 4, "only %zu tasks fitted", first);
        cr_assert(n >= first / 2, "round %d: %zu tasks fitted, %zu at first", round, n, first);
    }
    uint64_t args[1000] = {0}, results[1000];
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, args, 1000, results, NULL));
    cf_executor_destroy(ex);
}

Test(resources, a_map_beyond_the_limit_does_no_harm) {
    enum {
        N = 4 * MOST
    };
    cf_executor *ex =
        create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = LIMIT});
    page *args = calloc(N, sizeof *args), *results = calloc(N, sizeof *results);
    for (size_t i = 0; i < N; i++) {
        args[i].bytes[0] = (unsigned char)i;
    }
    cf_status status = cf_executor_map(ex, &page_task, args, N, results, NULL);
    cr_assert(status == CF_OK || status == CF_ENOMEM, "%s", cf_status_name(status));
    for (size_t i = 0; status == CF_OK && i < N; i++) {
        EXPECT_EQ(results[i].bytes[PAGE - 1], (unsigned char)i);
    }
    for (size_t i = 0; i < 100; i++) {
        cf_future *f = submit(ex, &page_task, &args[i]);
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    free(args);
    free(results);
}

/* In a process of its own, as affinity is inherited by all that follows. */
static int pinned_host(void *context) {
    (void)context;
    cpu_set_t all, one;
    HOST_CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    HOST_CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    cf_executor *ex = NULL;
    HOST_CHECK(row()->create(NULL, &ex) == CF_OK);
    HOST_CHECK(cf_executor_max_workers(ex) == 1);
    for (uint64_t i = 0; i < 5000; i++) { /* caller and worker share the one processor */
        cf_future *f = NULL;
        uint64_t value = 0;
        HOST_CHECK(cf_executor_submit(ex, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &value) == CF_OK && value == i * i);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    return 0;
}

Test(resources, one_processor_is_enough) {
    NOT_REMOTE(IN_A_FORK);
    EXPECT_HOST_OK(host_run(pinned_host, NULL));
}
