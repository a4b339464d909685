/* A thread loses its processor somewhere in a chunk of items, for longer than an item may take: each item
 * is run once all the same, and those that are not late have their results. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(paused_items, .timeout = TEST_SECONDS);

enum {
    ITEMS = 10000
};

static const int64_t limit_ns = 15 * MILLISECOND;

/* What the items of one map share. A signal stands for the loss of a processor. */
typedef struct scene {
    _Atomic pid_t worker; /* the thread that runs the first item */
    counter paused;
    pthread_t pauser;
    int64_t pause_after_ns;
    _Atomic uint8_t runs[ITEMS];
    uint64_t args[ITEMS];
    uint64_t results[ITEMS];
    cf_exception why[ITEMS];
} scene;

static scene *shown; /* to items and to the signal handler */

static void lose_the_processor(int number) {
    (void)number;
    spin_for(limit_ns * 3 / 2);
    counter_add(&shown->paused, 1);
}

/* Worker threads block all signals. */
static void open_to_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    atomic_store(&shown->worker, (pid_t)syscall(SYS_gettid));
}

static int run_tiny(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const uint64_t i = *(const uint64_t *)arg;
    atomic_fetch_add(&shown->runs[i], 1);
    if (i == 0) {
        open_to_signals();
    }
    *(uint64_t *)result = ~i;
    return 0;
}

static const cf_task tiny_task = {
    .name = "tiny", .run = run_tiny, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

static void *pause_worker(void *arg) {
    scene *s = arg;
    const int64_t end = now_ns() + LONG_WAIT;
    while (atomic_load(&s->worker) == 0 && now_ns() < end) {}
    spin_for(s->pause_after_ns);
    syscall(SYS_tgkill, getpid(), atomic_load(&s->worker), SIGUSR1);
    return NULL;
}

/* Those that ended well have their results. */
static size_t count_late(const scene *s) {
    size_t late = 0;
    for (uint64_t i = 0; i < ITEMS; i++) {
        const cf_status status = s->why[i].status;
        cr_assert(status == CF_OK || status == CF_EDEADLINE, "item %llu: %s", (unsigned long long)i,
                  cf_status_name(status));
        EXPECT_EQ(s->results[i], status == CF_OK ? ~i : 0);
        late += status == CF_EDEADLINE;
    }
    return late;
}

static void map_with_a_pause(int64_t pause_after_ns) {
    scene *s = shown = calloc(1, sizeof *s);
    s->pause_after_ns = pause_after_ns;
    for (uint64_t i = 0; i < ITEMS; i++) {
        s->args[i] = i;
    }
    cf_executor *ex = create(2);
    const cf_map_options options = {.chunk = ITEMS, .timeout_ns = limit_ns, .exceptions = s->why};
    cr_assert_eq(pthread_create(&s->pauser, NULL, pause_worker, s), 0);
    const cf_status status = cf_executor_map(ex, &tiny_task, s->args, ITEMS, s->results, &options);
    cr_assert_eq(pthread_join(s->pauser, NULL), 0);
    const size_t late = count_late(s);
    EXPECT(late > 0 ? CF_EDEADLINE : CF_OK, status);
    cr_assert(counter_wait(&s->paused, 1)); /* perhaps when all was done */
    cf_executor_destroy(ex);                /* now nothing runs any more */
    for (size_t i = 0; i < ITEMS; i++) {
        const unsigned runs = atomic_load(&s->runs[i]);
        const bool is_late = s->why[i].status == CF_EDEADLINE;
        cr_assert(runs == 1 || (runs == 0 && is_late), "item %zu was run %u times; %zu were late",
                  i, runs, late);
    }
    free(s);
}

Test(paused_items, are_run_once) {
    NEEDS(shares_memory);
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("paused_items/are_run_once");
    cr_assert_eq(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = lose_the_processor}, NULL),
                 0);
    const int64_t end = now_ns() + (int64_t)scaled(1) * SECOND;
    while (now_ns() < end) {
        map_with_a_pause((int64_t)(random_next(&seed) % (uint64_t)MILLISECOND));
    }
}
