/* An item of a map that overruns its time or kills its worker costs no other item. It is run as often as its
 * retries allow, and tells how it ended. */
#include "map_items.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

TestSuite(map_failures, .timeout = TEST_SECONDS);

enum {
    MANY = 3000
};

/* Its index, and what it does. */
typedef struct daring {
    uint32_t index;
    uint16_t hangs;
    uint16_t kills; /* its worker in the first so many attempts */
} daring;

static int run_daring(const void *arg, void *result, cf_task_context *ctx) {
    const daring *d = arg;
    atomic_fetch_add(&tasks->runs[d->index], 1);
    while (d->hangs && !cf_task_cancelled(ctx)) {}
    if (cf_task_attempt(ctx) <= d->kills) {
        raise(SIGKILL);
    }
    *(uint32_t *)result = d->index * 2654435761u;
    return d->index % 1000 == 999 ? 9 : 0;
}

static const cf_task daring_task = {
    .run = run_daring, .arg_size = sizeof(daring), .result_size = sizeof(uint32_t)};

/* What is returned is the status of the first that failed; results of those that did are zeros. */
static void map_daring(cf_executor *ex, daring *args, cf_map_options options, cf_exception *why) {
    uint32_t results[MANY];
    memset(results, 0xA5, sizeof results);
    memset(why, 0xA5, MANY * sizeof *why);
    memset(tasks, 0, sizeof *tasks);
    for (uint32_t i = 0; i < MANY; i++) {
        args[i].index = i;
    }
    options.exceptions = why;
    const cf_status status = cf_executor_map(ex, &daring_task, args, MANY, results, &options);
    size_t first = 0;
    while (first < MANY && why[first].status == CF_OK) {
        first++;
    }
    EXPECT(first < MANY ? why[first].status : CF_OK, status);
    for (uint32_t i = 0; i < MANY; i++) {
        EXPECT_EQ(results[i], why[i].status == CF_OK ? i * 2654435761u : 0);
        cr_assert(i % 1000 != 999 || why[i].status != CF_OK);
        cr_assert(why[i].status != CF_ETASK || why[i].task_error == 9);
    }
}

Test(map_failures, over_their_time_among_thousands) {
    static const uint32_t late[] = {17, 1500, MANY - 1};
    uint64_t seed = test_seed("map_failures/over_their_time_among_thousands");
    daring args[MANY];
    cf_exception why[MANY];
    cf_executor *ex = create_reporting(2);
    for (int round = 0; round < 2; round++) {
        memset(args, 0, sizeof args);
        for (size_t k = 0; k < COUNT_OF(late); k++) {
            args[round == 0 ? late[k] : random_next(&seed) % MANY].hangs = 1;
        }
        map_daring(ex, args, (cf_map_options){.timeout_ns = 100 * MILLISECOND}, why);
        for (uint32_t i = 0; i < MANY; i++) {
            if (args[i].hangs) {
                EXPECT_EQ(why[i].status, CF_EDEADLINE);
                EXPECT_EQ(why[i].timeout_ns, 100 * MILLISECOND);
            } else if (why[i].status != CF_EDEADLINE) { /* on a machine that is too busy */
                EXPECT_EQ(why[i].status, i % 1000 == 999 ? CF_ETASK : CF_OK);
            }
            EXPECT_EQ(tasks->runs[i], 1);
        }
    }
    destroy_reporting(ex);
}

/* In the middle of chunks that have grown large. */
Test(map_failures, that_kill_their_worker_among_thousands) {
    NEEDS(survives_worker_death);
    uint64_t seed = test_seed("map_failures/that_kill_their_worker_among_thousands");
    daring args[MANY];
    cf_exception why[MANY];
    cf_executor *ex = create_reporting(2);
    for (int round = 0; round < 12; round++) {
        const unsigned retries = (unsigned)round % 3;
        const size_t chunks[] = {0, 0, 0, MANY};
        memset(args, 0, sizeof args);
        for (size_t k = 0; k < 6; k++) {
            args[random_next(&seed) % MANY].kills = (uint16_t)(1 + random_next(&seed) % 2);
        }
        map_daring(ex, args, (cf_map_options){.retries = retries, .chunk = chunks[round % 4]}, why);
        for (uint32_t i = 0; i < MANY; i++) {
            const bool dies = args[i].kills > retries;
            EXPECT_EQ(why[i].status, dies ? CF_EWORKER : i % 1000 == 999 ? CF_ETASK : CF_OK);
            EXPECT_EQ(why[i].signal, dies ? SIGKILL : 0);
            EXPECT_EQ(tasks->runs[i], dies ? retries + 1 : args[i].kills + 1u);
        }
    }
    destroy_reporting(ex);
}

/* Workers are killed from outside, at any moment of a chunk. */
typedef struct killer {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    _Atomic bool over;
    uint64_t kills;
} killer;

static void *kill_workers(void *arg) {
    killer *k = arg;
    while (!atomic_load(&k->over)) {
        cf_worker_stats worker;
        spin_for((int64_t)(random_next(&k->seed) % (uint64_t)(2 * MILLISECOND)));
        if (cf_executor_worker_stats(k->ex, random_next(&k->seed) % 2, &worker) == CF_OK &&
            worker.id > 1) {
            k->kills += kill((pid_t)worker.id, SIGKILL) == 0;
        }
    }
    return NULL;
}

Test(map_failures, survive_killed_workers) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
    uint64_t seed = test_seed("map_failures/survive_killed_workers");
    daring args[MANY] = {{0}};
    cf_exception why[MANY];
    cf_executor *ex = create_reporting(2);
    killer k = {.ex = ex, .seed = random_next(&seed)};
    cr_assert_eq(pthread_create(&k.thread, NULL, kill_workers, &k), 0);
    uint64_t again = 0;
    for (int round = 0; round < 60; round++) {
        map_daring(ex, args, (cf_map_options){.retries = CF_RETRIES_MAX}, why);
        for (uint32_t i = 0; i < MANY; i++) {
            EXPECT_EQ(why[i].status, i % 1000 == 999 ? CF_ETASK : CF_OK);
            cr_assert(tasks->runs[i] >= 1);
            again += tasks->runs[i] - 1;
        }
    }
    atomic_store(&k.over, true);
    pthread_join(k.thread, NULL);
    cr_assert(again <= k.kills, "%llu items ran again after %llu kills", (unsigned long long)again,
              (unsigned long long)k.kills);
    destroy_reporting(ex);
}
