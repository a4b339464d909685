/* slow_server's timers: none early, none lost, none called twice. */
#include "../check.h"

#include "programs/slow_server/timer_queue.h"

#include <pthread.h>
#include <stdlib.h>

TestSuite(timer_queue, .timeout = TEST_SECONDS);

#define TIMERS 2000

typedef struct thing {
    int64_t when_ns;
    atomic_int calls;
    atomic_bool early;
} thing;

static counter called; /* how often, for whatever thing */

static void on_due(void *data) {
    thing *t = data;
    if (now_ns() < t->when_ns) {
        atomic_store(&t->early, true);
    }
    atomic_fetch_add(&t->calls, 1);
    counter_add(&called, 1);
}

static void check_called_once(thing *things, size_t count) {
    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(atomic_load(&things[i].calls), 1);
    }
}

static void check_none_early(thing *things, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(!atomic_load(&things[i].early));
    }
}

static thing *make_things(uint64_t *seed, int64_t within_ns) {
    thing *things = calloc(TIMERS, sizeof *things);
    cr_assert(things != NULL);
    const int64_t now = now_ns();
    for (size_t i = 0; i < TIMERS; i++) {
        things[i].when_ns = now + (int64_t)(random_next(seed) % (uint64_t)within_ns);
    }
    return things;
}

Test(timer_queue, in_time) {
    uint64_t seed = test_seed("in_time");
    thing *things = make_things(&seed, 200 * MILLISECOND);
    timer_queue *queue = timer_queue_start(TIMERS, on_due);
    for (size_t i = 0; i < TIMERS; i++) {
        cr_assert(timer_queue_add(queue, things[i].when_ns, &things[i]));
    }
    cr_assert(counter_wait(&called, TIMERS));
    timer_queue_stop(queue);
    check_called_once(things, TIMERS);
    check_none_early(things, TIMERS);
    timer_queue_free(queue);
    free(things);
}

/* What is added last is due first, so that a thread that is asleep must be woken for it. */
Test(timer_queue, earlier_than_what_it_sleeps_for) {
    thing far = {.when_ns = now_ns() + 3600 * SECOND}, near = {.when_ns = now_ns()};
    timer_queue *queue = timer_queue_start(2, on_due);
    cr_assert(timer_queue_add(queue, far.when_ns, &far));
    cr_assert(timer_queue_add(queue, near.when_ns, &near));
    cr_assert(counter_wait(&called, 1));
    EXPECT_EQ(atomic_load(&near.calls), 1);
    EXPECT_EQ(atomic_load(&far.calls), 0);
    timer_queue_stop(queue);
    EXPECT_EQ(atomic_load(&far.calls), 1);
    timer_queue_free(queue);
}

/* In the order of their times, whatever the order in which they came. */
static int64_t last_ns;
static bool ordered = true;

static void on_due_in_order(void *data) {
    const thing *t = data;
    ordered = ordered && last_ns <= t->when_ns;
    last_ns = t->when_ns;
}

Test(timer_queue, in_order) {
    uint64_t seed = test_seed("in_order");
    thing *things = make_things(&seed, 3600 * SECOND);
    timer_queue *queue = timer_queue_start(TIMERS, on_due_in_order);
    for (size_t i = 0; i < TIMERS; i++) {
        things[i].when_ns += 60 * SECOND;
        cr_assert(timer_queue_add(queue, things[i].when_ns, &things[i]));
    }
    timer_queue_stop(queue);
    cr_assert(ordered && last_ns != 0);
    timer_queue_free(queue);
    free(things);
}

Test(timer_queue, full) {
    thing things[3] = {0};
    timer_queue *queue = timer_queue_start(2, on_due);
    cr_assert(timer_queue_add(queue, now_ns() + 3600 * SECOND, &things[0]));
    cr_assert(timer_queue_add(queue, now_ns() + 3600 * SECOND, &things[1]));
    cr_assert(!timer_queue_add(queue, now_ns(), &things[2]));
    timer_queue_stop(queue);
    check_called_once(things, 2);
    EXPECT_EQ(atomic_load(&things[2].calls), 0);
    timer_queue_free(queue);
}

/* ---- threads that add while it stops: what was taken is called, what was refused is not ---------- */

typedef struct adder {
    pthread_t thread;
    timer_queue *queue;
    uint64_t seed;
    thing things[TIMERS];
    bool taken[TIMERS];
} adder;

static atomic_int added;

static void *add(void *data) {
    adder *a = data;
    for (size_t i = 0; i < TIMERS; i++) {
        a->things[i].when_ns = now_ns() + (int64_t)(random_next(&a->seed) % (uint64_t)SECOND);
        a->taken[i] = timer_queue_add(a->queue, a->things[i].when_ns, &a->things[i]);
        atomic_fetch_add(&added, 1);
    }
    return NULL;
}

Test(timer_queue, stopped_while_others_add) {
    enum {
        ADDERS = 4
    };
    uint64_t seed = test_seed("stopped_while_others_add");
    timer_queue *queue = timer_queue_start((size_t)ADDERS * TIMERS, on_due);
    adder *adders = calloc(ADDERS, sizeof *adders);
    cr_assert(adders != NULL);
    for (int i = 0; i < ADDERS; i++) {
        adders[i].queue = queue;
        adders[i].seed = random_next(&seed);
        cr_assert(pthread_create(&adders[i].thread, NULL, add, &adders[i]) == 0);
    }
    while (atomic_load(&added) < TIMERS) {}
    timer_queue_stop(queue);
    const uint32_t called_before = counter_get(&called);
    int taken = 0;
    for (int i = 0; i < ADDERS; i++) {
        pthread_join(adders[i].thread, NULL);
        for (size_t t = 0; t < TIMERS; t++) {
            EXPECT_EQ(atomic_load(&adders[i].things[t].calls), adders[i].taken[t] ? 1 : 0);
            taken += adders[i].taken[t] ? 1 : 0;
        }
    }
    EXPECT_EQ(counter_get(&called), called_before);
    EXPECT_EQ(called_before, taken);
    cr_assert(!timer_queue_add(queue, now_ns(), &adders[0].things[0]));
    timer_queue_free(queue);
    free(adders);
}
