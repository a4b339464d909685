/* An iteration hands out each of its futures once, the finished ones first and in the order given, even if
 * they are of several executors, given twice, or released meanwhile. */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>

TestSuite(as_completed_mixed, .timeout = TEST_SECONDS);

enum {
    EXECUTORS = 3,
    LARGE = 100 << 10 /* lies in a block of its own */
};

/* ---- tasks ------------------------------------------------------------------------------------- */

typedef struct giver {
    counter *gate; /* NULL = it does not wait */
    uint64_t value;
} giver;

/* Its value, again and again. */
static int run_give(const void *arg, void *result, cf_task_context *ctx) {
    const giver *g = arg;
    uint64_t *words = result;
    if (g->gate && !counter_wait(g->gate, 1)) {
        return ETIMEDOUT;
    }
    for (size_t i = 0; i < cf_task_room(ctx) / sizeof *words; i++) {
        words[i] = g->value + i;
    }
    return 0;
}

static const cf_task give_task = {
    .name = "give", .run = run_give, .arg_size = sizeof(giver), .result_size = sizeof(uint64_t)};
static const cf_task give_large_task = {
    .name = "give", .run = run_give, .arg_size = sizeof(giver), .result_size = LARGE};

static void expect_given(cf_future *future, uint64_t value) {
    const void *result = NULL;
    size_t size = 0;
    EXPECT(CF_OK, cf_future_view(future, 0, &result, &size));
    cr_assert(size == sizeof(uint64_t) || size == LARGE);
    const uint64_t *words = result;
    for (size_t i = 0; i < size / sizeof *words; i++) {
        cr_assert(words[i] == value + i, "word %zu of task %zu", i, (size_t)value);
    }
}

/* ---- random ones ------------------------------------------------------------------------------- */

/* When the caller gives its reference up. */
typedef enum when {
    BEFORE, /* the iteration: it is the last one but what the iteration has */
    DURING, /* as soon as it was handed out */
    AFTER
} when;

typedef struct watched {
    cf_future *future;
    cf_future *kept; /* retained when it was handed out */
    uint64_t value;
    when released;
    bool gated;
    bool seen;
} watched;

typedef struct play {
    cf_executor *executors[EXECUTORS];
    counter
        *gates; /* one a round: some tasks of an earlier one may still be on their way through */
    counter *gate;
    size_t rounds;
    uint64_t seed;
    watched *all;
    size_t count;
    size_t *given; /* indexes into `all`, some more than once */
    cf_future **futures;
    size_t given_count;
} play;

static size_t below(play *p, size_t bound) {
    return random_next(&p->seed) % bound;
}

static cf_executor *any_executor(play *p, bool gated) {
    const size_t which = below(p, EXECUTORS);
    return !gated ? p->executors[which] : p->executors[row()->cancels_pending ? which / 2 * 2 : 2];
}

/* How many of four are not done when the iteration begins. */
static void submit_all(play *p, size_t gated, size_t large) {
    for (size_t i = 0; i < p->count; i++) {
        const bool waits = below(p, 4) < gated;
        const giver g = {.gate = waits ? p->gate : NULL, .value = i * 1000003};
        const cf_task *task = below(p, 100) < large ? &give_large_task : &give_task;
        p->all[i] = (watched){.future = NULL, .value = g.value, .gated = waits};
        p->all[i].released = (when)below(p, 3);
        p->all[i].future = submit(any_executor(p, waits), task, &g);
    }
}

static void make_order(play *p, int order) {
    for (size_t i = 0; i < p->count; i++) {
        p->given[i] = order == 1 ? p->count - 1 - i : i;
    }
    for (size_t i = p->count; order == 2 && i > 1; i--) {
        const size_t k = below(p, i), at = p->given[k];
        p->given[k] = p->given[i - 1];
        p->given[i - 1] = at;
    }
    p->given_count = p->count;
    for (size_t i = below(p, 3) ? 0 : p->count; i > 0; i--) { /* far from the first one, and near */
        p->given[p->given_count++] = p->given[below(p, p->count)];
        p->given[p->given_count] = p->given[p->given_count - 1];
        p->given_count++;
    }
    for (size_t i = 0; i < p->given_count; i++) {
        p->futures[i] = p->all[p->given[i]].future;
    }
}

static void hand_out(play *p, cf_as_completed *ac, size_t *position) {
    cf_future *f = NULL;
    size_t index = SIZE_MAX;
    EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, &index));
    cr_assert(index < p->given_count && f == p->futures[index]);
    watched *w = &p->all[p->given[index]];
    cr_assert_not(w->seen, "handed out twice");
    w->seen = true;
    expect_given(f, w->value);
    if (below(p, 3) == 0) {
        w->kept = cf_future_retain(f);
    }
    if (w->released == DURING) {
        cf_future_release(w->future);
    }
    *position = index;
}

/* The first of them in the order given is where it was given first. */
static size_t first_given(const play *p, size_t from) {
    while (from < p->given_count && (p->all[p->given[from]].gated || p->all[p->given[from]].seen)) {
        from++;
    }
    return from;
}

static void iterate(play *p, size_t most) {
    cf_as_completed *ac = NULL;
    EXPECT(CF_OK, cf_as_completed_create(p->futures, p->given_count, &ac));
    size_t gated = 0, handed_out = 0, position;
    for (size_t i = 0; i < p->count; i++) {
        if (p->all[i].released == BEFORE) {
            cf_future_release(p->all[i].future);
        }
        gated += p->all[i].gated;
    }
    for (size_t at = 0; handed_out < p->count - gated && handed_out < most; handed_out++) {
        at = first_given(p, at);
        hand_out(p, ac, &position);
        EXPECT_EQ(position, at);
    }
    if (gated > 0 && handed_out < most) {
        cf_future *f = NULL;
        EXPECT(CF_ETIMEDOUT, cf_as_completed_next(ac, 0, &f, NULL));
        counter_add(p->gate, 1);
        for (; handed_out < p->count && handed_out < most; handed_out++) {
            hand_out(p, ac, &position);
        }
    }
    if (handed_out == p->count) {
        EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &(cf_future *){NULL}, NULL));
    }
    cf_as_completed_destroy(ac); /* perhaps while tasks stand at the gate */
    counter_add(p->gate, 1);
}

static void release_rest(play *p) {
    for (size_t i = 0; i < p->count; i++) {
        watched *w = &p->all[i];
        if (w->kept) {
            expect_given(w->kept, w->value);
            cf_future_release(w->kept);
        }
        if (w->released == AFTER || (w->released == DURING && !w->seen)) {
            EXPECT(CF_OK, cf_future_result(w->future, LONG_WAIT, NULL));
            expect_given(w->future, w->value);
            cf_future_release(w->future);
        }
    }
}

static void play_round(play *p, size_t count, size_t gated, size_t large, int order) {
    p->gate = p->gate ? p->gate + 1 : p->gates;
    p->count = count;
    submit_all(p, gated, large);
    for (size_t i = 0; i < count; i++) { /* what is not gated is done when the iteration begins */
        if (!p->all[i].gated && gated == 0) {
            EXPECT(CF_OK, cf_future_result(p->all[i].future, LONG_WAIT, NULL));
        }
    }
    make_order(p, order);
    iterate(p, below(p, 4) ? SIZE_MAX : below(p, count + 1));
    release_rest(p);
}

enum {
    COUNT_MOST = 600
};

static play *play_new(const char *test, size_t rounds, size_t arena_limit) {
    play *p = calloc(1, sizeof *p);
    p->seed = test_seed(test);
    p->rounds = rounds;
    p->gates = shared_alloc(rounds * sizeof *p->gates);
    p->all = calloc(COUNT_MOST, sizeof *p->all);
    p->given = calloc(3 * COUNT_MOST, sizeof *p->given);
    p->futures = calloc(3 * COUNT_MOST, sizeof(cf_future *));
    const cf_pool_options options = {.max_workers = workers_of(2), .arena_limit = arena_limit};
    p->executors[0] = create_with(options);
    EXPECT(CF_OK,
           cf_serial_create(&(cf_pool_options){.arena_limit = arena_limit}, &p->executors[1]));
    EXPECT(CF_OK,
           cf_thread_pool_create(&(cf_pool_options){.max_workers = 2, .arena_limit = arena_limit},
                                 &p->executors[2]));
    return p;
}

static void play_free(play *p) {
    for (size_t i = 0; i < EXECUTORS; i++) {
        cf_executor_destroy(p->executors[i]);
    }
    shared_free(p->gates, p->rounds * sizeof *p->gates);
    free(p->futures);
    free(p->given);
    free(p->all);
    free(p);
}

Test(as_completed_mixed, all_done_at_the_beginning) {
    play *p = play_new("as_completed_mixed/all_done_at_the_beginning", scaled(30), 0);
    for (size_t round = 0; round < p->rounds; round++) {
        play_round(p, 1 + below(p, COUNT_MOST), 0, 2, (int)(round % 3));
    }
    play_free(p);
}

Test(as_completed_mixed, none_done_at_the_beginning) {
    play *p = play_new("as_completed_mixed/none_done_at_the_beginning", scaled(30), 0);
    for (size_t round = 0; round < p->rounds; round++) {
        play_round(p, 1 + below(p, COUNT_MOST), 4, 2, (int)(round % 3));
    }
    play_free(p);
}

/* With little memory: what is given up has to come back, whoever held it last. */
Test(as_completed_mixed, large_results_in_a_small_arena) {
    play *p = play_new("as_completed_mixed/large_results_in_a_small_arena", scaled(120), 8 << 20);
    for (size_t round = 0; round < p->rounds; round++) {
        play_round(p, 1 + below(p, 16), round % 2 * 4, 90, (int)(round % 3));
    }
    play_free(p);
}

/* ---- some are done, some are running, some pending --------------------------------------------- */

Test(as_completed_mixed, some_done_at_the_beginning) {
    NEEDS(runs_beside_caller);
    enum {
        N = 300
    };
    uint64_t seed = test_seed("as_completed_mixed/some_done_at_the_beginning");
    counter *gate = shared_alloc(sizeof *gate);
    cf_executor *ex = create(2);
    for (size_t round = 0; round < scaled(20); round++) {
        cf_future *futures[N];
        bool seen[N] = {false};
        const size_t done = random_next(&seed) % N;
        atomic_store(&gate->value, 0);
        for (size_t i = 0; i < N; i++) {
            const giver g = {.gate = i < done ? NULL : gate, .value = i};
            futures[N - 1 - i] = submit(ex, &give_task, &g);
        }
        for (size_t i = 0; i < done; i++) {
            EXPECT(CF_OK, cf_future_result(futures[N - 1 - i], LONG_WAIT, NULL));
        }
        cf_as_completed *ac = NULL;
        cf_future *f;
        size_t index;
        EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
        for (size_t i = 0; i < done; i++) { /* in the order given: the last submitted first */
            EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, &index));
            EXPECT_EQ(index, N - done + i);
        }
        EXPECT(CF_ETIMEDOUT, cf_as_completed_next(ac, 0, &f, &index));
        counter_add(gate, 1);
        for (size_t i = done; i < N; i++) {
            EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, &index));
            cr_assert(index < N - done && !seen[index]);
            seen[index] = true;
        }
        EXPECT(CF_EEXHAUSTED, cf_as_completed_next(ac, 0, &f, &index));
        cf_as_completed_destroy(ac);
        for (size_t i = 0; i < N; i++) {
            EXPECT_EQ(take(futures[i]), N - 1 - i);
        }
    }
    cf_executor_destroy(ex);
    shared_free(gate, sizeof *gate);
}
