/* Maps and streams on an executor that may have few pending tasks: all of their items come back, also
 * those that one worker takes over from another, and those of workers that die. */
#include "rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(bounded_maps, .timeout = TEST_SECONDS);

enum {
    ITEMS = 200,
    WORKERS = 3,
    MOST = 4, /* the largest max_pending */
    CLIENTS = 2
};

typedef struct item {
    uint64_t value;
    uint32_t spins_us;
    uint32_t deaths; /* its worker dies in so many attempts */
} item;

static int run_uneven(const void *arg, void *result, cf_task_context *ctx) {
    const item *i = arg;
    if (cf_task_attempt(ctx) <= i->deaths) {
        _exit(1);
    }
    if (i->spins_us > 0) {
        spin_for(i->spins_us * MICROSECOND);
    }
    *(uint64_t *)result = ~i->value;
    return 0;
}

static const cf_task uneven_task = {
    .name = "uneven", .run = run_uneven, .arg_size = sizeof(item), .result_size = sizeof(uint64_t)};

/* Most take no time, so that chunks become long. A few take as long as a hundred others, so that a worker
 * is left with many items that others have time for. */
static void make_items(item *items, uint64_t *seed, bool may_die) {
    for (uint64_t i = 0; i < ITEMS; i++) {
        const uint64_t r = random_next(seed);
        items[i] = (item){.value = i,
                          .spins_us = (uint32_t)(r % 25 == 0 ? 100 + r / 32 % 200 : r / 32 % 3),
                          .deaths = may_die && r / 8192 % 40 == 0};
    }
}

/* One that shares the executor with others. */
typedef struct client {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    size_t rounds;
    bool may_die;
    _Atomic bool *over; /* the others are through */
    cf_status status;   /* of the first call that did not return what it should */
    size_t missing;     /* items without their result */
    item items[ITEMS];
    uint64_t results[ITEMS];
} client;

static void count_missing(client *c) {
    for (uint64_t i = 0; i < ITEMS; i++) {
        c->missing += c->results[i] != ~i;
    }
}

static void play_map(client *c, size_t chunk) {
    const cf_map_options options = {.chunk = chunk, .retries = 1};
    memset(c->results, 0, sizeof c->results);
    c->status = cf_executor_map(c->ex, &uneven_task, c->items, ITEMS, c->results, &options);
    count_missing(c);
}

typedef struct source {
    const item *items;
    size_t given;
    size_t asked;
    bool is_slow;
} source;

static cf_source_answer next_item(void *context, void *arg) {
    source *s = context;
    if (s->given == ITEMS) {
        return CF_SOURCE_END;
    }
    if (s->is_slow && ++s->asked % 3 == 0) {
        return CF_SOURCE_LATER;
    }
    *(item *)arg = s->items[s->given++];
    return CF_SOURCE_ITEM;
}

static cf_status next_of(cf_stream *stream, cf_stream_item *got) {
    cf_status status = CF_ELATER;
    while (status == CF_ELATER) {
        status = cf_stream_next(stream, LONG_WAIT, got);
    }
    return status;
}

static void play_stream(client *c, size_t chunk) {
    const uint64_t r = random_next(&c->seed);
    source s = {.items = c->items, .is_slow = r % 4 == 0};
    const cf_stream_options options = {.as_completed = r / 4 % 2,
                                       .window = r / 8 % 2 ? 1 + r / 16 % 20 : 0,
                                       .chunk = chunk,
                                       .retries = 1};
    cf_stream *stream = NULL;
    cf_stream_item got;
    memset(c->results, 0, sizeof c->results);
    c->status = cf_stream_open(c->ex, &uneven_task, next_item, &s, &options, &stream);
    while (c->status == CF_OK && (c->status = next_of(stream, &got)) == CF_OK) {
        if (got.exception.status == CF_OK && c->results[got.index] == 0) {
            c->results[got.index] = *(const uint64_t *)got.result;
        } else {
            c->missing++; /* failed, or given out twice */
        }
    }
    c->status = c->status == CF_EEXHAUSTED ? CF_OK : c->status;
    cf_stream_close(stream);
    count_missing(c);
}

/* Small tasks, one after the other: others see them begin and end all the time. */
static void *play_alone(void *arg) {
    client *c = arg;
    for (uint64_t i = 0; !atomic_load(c->over) && c->status == CF_OK && c->missing == 0; i++) {
        cf_future *f = NULL;
        uint64_t value = 0;
        c->status = cf_executor_submit(c->ex, &square_task, &i, &f);
        if (c->status == CF_OK) {
            c->status = cf_future_result(f, LONG_WAIT, &value);
            c->missing += value != i * i;
            cf_future_release(f);
        }
    }
    return NULL;
}

static void *play(void *arg) {
    client *c = arg;
    for (size_t round = 0; round < c->rounds && c->status == CF_OK && c->missing == 0; round++) {
        const uint64_t r = random_next(&c->seed);
        const size_t chunk = r / 2 % 3 == 0 ? 1 + r / 8 % 20 : 0;
        make_items(c->items, &c->seed, c->may_die);
        if (r % 2) {
            play_map(c, chunk);
        } else {
            play_stream(c, chunk);
        }
    }
    return NULL;
}

static void start(client *c, void *(*body)(void *)) {
    cr_assert_eq(pthread_create(&c->thread, NULL, body, c), 0);
}

static void finish(client *c) {
    cr_assert_eq(pthread_join(c->thread, NULL), 0);
    EXPECT(CF_OK, c->status);
    EXPECT_EQ(c->missing, 0);
}

/* Several have another one beside them, with small tasks. */
static void play_all(size_t max_pending, size_t count, bool may_die, uint64_t *seed) {
    _Atomic bool over = false;
    client *clients = calloc(count + 1, sizeof *clients);
    cf_executor *ex = create_with(
        (cf_pool_options){.max_workers = workers_of(WORKERS), .max_pending = max_pending});
    for (size_t i = 0; i <= count; i++) {
        clients[i].ex = ex;
        clients[i].seed = random_next(seed);
        clients[i].rounds = scaled(may_die ? 5 : 20);
        clients[i].may_die = may_die;
        clients[i].over = &over;
        if (i < count) {
            start(&clients[i], play);
        } else if (count > 1) {
            start(&clients[i], play_alone);
        }
    }
    for (size_t i = 0; i < count; i++) {
        finish(&clients[i]);
    }
    atomic_store(&over, true);
    if (count > 1) {
        finish(&clients[count]);
    }
    cf_executor_destroy(ex);
    free(clients);
}

Test(bounded_maps, uneven_items_all_come_back) {
    uint64_t seed = test_seed("bounded_maps/uneven_items_all_come_back");
    for (size_t max_pending = 1; max_pending <= MOST; max_pending++) {
        play_all(max_pending, 1, false, &seed);
    }
}

Test(bounded_maps, of_several_callers_at_once) {
    uint64_t seed = test_seed("bounded_maps/of_several_callers_at_once");
    for (size_t max_pending = 1; max_pending <= MOST; max_pending++) {
        play_all(max_pending, CLIENTS, false, &seed);
    }
}

Test(bounded_maps, items_of_dead_workers_too) {
    NEEDS(survives_worker_death);
    uint64_t seed = test_seed("bounded_maps/items_of_dead_workers_too");
    for (size_t max_pending = 1; max_pending <= MOST; max_pending++) {
        play_all(max_pending, 1, true, &seed);
        play_all(max_pending, CLIENTS, true, &seed);
    }
}
