/* Everything at once, from several threads, on every executor: for ThreadSanitizer, under which
 * Criterion cannot run, so this is a plain program. Returns 0, or 1 and says what was wrong.
 *
 * CF_TEST_SEED repeats a run's random choices, CF_TEST_MULT makes it longer. */
#include "../support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 4,
    BATCH = 256
};

typedef struct kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned workers;
} kind;

static const kind kinds[] = {
    {"process_pool", cf_process_pool_create, 3}, /* first: it is made before there are threads */
    {"serial", cf_serial_create, 1},
    {"thread_pool", cf_thread_pool_create, 4},
};

static _Atomic unsigned faults;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && atomic_fetch_add(&faults, 1) < 20) {                                   \
            host_complain(__FILE__, __LINE__, #condition);                                         \
        }                                                                                          \
    } while (0)

static cf_executor *create(const kind *k) {
    cf_executor *ex = NULL;
    cf_pool_options options = {.max_workers = k->workers, .record_times = true};
    if (k->create(&options, &ex) != CF_OK) {
        fprintf(stderr, "%s: no executor\n", k->name);
        exit(1);
    }
    return ex;
}

/* ---- what a thread does with the executor that it shares with the others --------------------- */

typedef struct player {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    size_t rounds;
    uint64_t accepted; /* tasks submitted one by one */
    uint64_t cancelled;
} player;

/* Submits a batch of squares; returns how many were accepted. */
static size_t submit_batch(player *p, cf_future **futures) {
    for (uint64_t i = 0; i < BATCH; i++) {
        cf_status status = cf_executor_submit(p->ex, &square_task, &i, &futures[i]);
        CHECK(status == CF_OK || status == CF_ESHUTDOWN);
        if (status != CF_OK) {
            return i;
        }
        p->accepted++;
    }
    return BATCH;
}

static void check_square(cf_future *f, uint64_t i, bool may_be_cancelled) {
    uint64_t value = 0;
    cf_info info;
    cf_status status = cf_future_result(f, LONG_WAIT, &value);
    CHECK((status == CF_OK && value == i * i) || (may_be_cancelled && status == CF_ECANCELLED));
    CHECK(cf_future_info(f, &info) == CF_OK && info.submitted_ns > 0);
    CHECK(status != CF_OK || info.started_ns <= info.finished_ns);
}

static void play_in_order(player *p) {
    cf_future *futures[BATCH];
    size_t n = submit_batch(p, futures);
    for (size_t i = 0; i < n; i++) {
        check_square(futures[i], i, true);
        cf_future_release(futures[i]);
    }
}

static void play_as_completed(player *p) {
    cf_future *futures[BATCH];
    bool seen[BATCH] = {false};
    size_t n = submit_batch(p, futures);
    cf_as_completed *ac = NULL;
    CHECK(cf_as_completed_create(futures, n, &ac) == CF_OK);
    bool to_the_end = random_next(&p->seed) % 4 != 0;
    for (size_t i = 0; i < (to_the_end ? n : n / 2); i++) {
        cf_future *f = NULL;
        size_t index = 0;
        CHECK(cf_as_completed_next(ac, LONG_WAIT, &f, &index) == CF_OK && f == futures[index]);
        CHECK(index < n && !seen[index]);
        seen[index] = true;
        check_square(futures[index], index, true);
    }
    if (to_the_end) {
        cf_future *f = NULL;
        CHECK(cf_as_completed_next(ac, 0, &f, NULL) == CF_EEXHAUSTED);
    }
    cf_as_completed_destroy(ac);
    for (size_t i = 0; i < n; i++) {
        cf_future_release(futures[i]);
    }
}

static void play_cancel(player *p) {
    cf_future *futures[BATCH];
    size_t n = submit_batch(p, futures);
    for (size_t i = 0; i < n; i++) {
        bool yes = random_next(&p->seed) % 2 && cf_future_cancel(futures[i]);
        uint64_t value = 0;
        cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
        CHECK(!yes || status == CF_ECANCELLED);
        CHECK(status == CF_ECANCELLED || value == i * i);
        p->cancelled += yes;
        cf_future_release(futures[i]);
    }
}

static void play_map(player *p) {
    uint64_t args[BATCH], results[BATCH];
    cf_exception why[BATCH];
    for (uint64_t i = 0; i < BATCH; i++) {
        args[i] = i;
    }
    cf_map_options options = {.chunk = random_next(&p->seed) % 40, .exceptions = why};
    cf_status status = cf_executor_map(p->ex, &square_task, args, BATCH, results, &options);
    CHECK(status == CF_OK || status == CF_ESHUTDOWN || status == CF_ECANCELLED);
    for (uint64_t i = 0; status == CF_OK && i < BATCH; i++) {
        CHECK(results[i] == i * i && why[i].status == CF_OK);
    }
}

static void play_fire_and_forget(player *p) {
    cf_future *futures[BATCH];
    size_t n = submit_batch(p, futures);
    for (size_t i = 0; i < n; i++) {
        cf_future_release(futures[i]);
    }
    cf_stats stats;
    CHECK(cf_executor_stats(p->ex, &stats) == CF_OK);
    CHECK(stats.finished + stats.cancelled <= stats.submitted);
}

static void *play(void *arg) {
    static void (*const games[])(player *) = {play_in_order, play_as_completed, play_cancel,
                                              play_map, play_fire_and_forget};
    player *p = arg;
    for (size_t i = 0; i < p->rounds; i++) {
        games[random_next(&p->seed) % COUNT_OF(games)](p);
    }
    return NULL;
}

static void players_start(player *players, cf_executor *ex, uint64_t *seed, size_t rounds) {
    for (size_t i = 0; i < THREADS; i++) {
        players[i] = (player){.ex = ex, .seed = random_next(seed), .rounds = rounds};
        if (pthread_create(&players[i].thread, NULL, play, &players[i]) != 0) {
            perror("pthread_create");
            exit(1);
        }
    }
}

static void players_join(player *players) {
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(players[i].thread, NULL);
    }
}

/* ---- scenes ---------------------------------------------------------------------------------- */

/* Threads play, then all is counted. */
static void scene_play(const kind *k, uint64_t *seed) {
    player players[THREADS];
    cf_executor *ex = create(k);
    players_start(players, ex, seed, scaled(150));
    players_join(players);
    CHECK(cf_executor_shutdown(ex, true, false) == CF_OK);
    uint64_t accepted = 0, cancelled = 0;
    for (size_t i = 0; i < THREADS; i++) {
        accepted += players[i].accepted;
        cancelled += players[i].cancelled;
    }
    cf_stats s;
    CHECK(cf_executor_stats(ex, &s) == CF_OK);
    CHECK(s.submitted >= accepted && s.cancelled == cancelled && s.failed == 0);
    CHECK(s.pending == 0 && s.running == 0 && s.finished + s.cancelled == s.submitted);
    cf_executor_destroy(ex);
}

/* The executor is shut down, from one of several threads, while others play on. */
static void scene_shutdown(const kind *k, uint64_t *seed) {
    for (size_t round = scaled(40); round > 0; round--) {
        player players[THREADS];
        cf_executor *ex = create(k);
        players_start(players, ex, seed, 6);
        spin_for((int64_t)(random_next(seed) % (uint64_t)(2 * MILLISECOND)));
        bool wait = random_next(seed) % 2, cancel = random_next(seed) % 2;
        CHECK(cf_executor_shutdown(ex, wait, cancel) == CF_OK);
        CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){1}, NULL) == CF_ESHUTDOWN);
        players_join(players);
        cf_executor_destroy(ex);
    }
}

typedef struct canceller {
    pthread_t thread;
    cf_future **futures;
    bool yes[BATCH];
} canceller;

static void *cancel_all(void *arg) {
    canceller *c = arg;
    for (size_t i = 0; i < BATCH; i++) {
        c->yes[i] = cf_future_cancel(c->futures[i]);
    }
    return NULL;
}

/* Two threads cancel the same futures while workers start them: all must agree who won. */
static void scene_cancel_race(const kind *k, uint64_t *seed) {
    (void)seed;
    cf_executor *ex = create(k);
    for (size_t round = scaled(150); round > 0; round--) {
        cf_future *futures[BATCH];
        player p = {.ex = ex};
        size_t n = submit_batch(&p, futures);
        canceller cancellers[2] = {{.futures = futures}, {.futures = futures}};
        CHECK(n == BATCH);
        CHECK(pthread_create(&cancellers[0].thread, NULL, cancel_all, &cancellers[0]) == 0);
        cancel_all(&cancellers[1]);
        pthread_join(cancellers[0].thread, NULL);
        for (size_t i = 0; i < n; i++) {
            uint64_t value = 0;
            cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
            CHECK(cancellers[0].yes[i] == (status == CF_ECANCELLED));
            CHECK(cancellers[1].yes[i] == (status == CF_ECANCELLED));
            CHECK(status == CF_ECANCELLED || value == i * i);
            cf_future_release(futures[i]);
        }
    }
    cf_executor_destroy(ex);
}

/* One future, many waiters. */
typedef struct waiter {
    pthread_t thread;
    cf_future *future;
} waiter;

static void *wait_for_it(void *arg) {
    waiter *w = arg;
    check_square(w->future, 12, false);
    return NULL;
}

static void scene_waiters(const kind *k, uint64_t *seed) {
    (void)seed;
    cf_executor *ex = create(k);
    for (size_t round = scaled(300); round > 0; round--) {
        cf_future *f = NULL;
        waiter waiters[THREADS];
        CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){12}, &f) == CF_OK);
        for (size_t i = 0; i < THREADS; i++) {
            waiters[i].future = f;
            CHECK(pthread_create(&waiters[i].thread, NULL, wait_for_it, &waiters[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(waiters[i].thread, NULL);
        }
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(const kind *, uint64_t *);
    } scenes[] = {{"play", scene_play},
                  {"shutdown", scene_shutdown},
                  {"cancel race", scene_cancel_race},
                  {"waiters", scene_waiters}};
    uint64_t seed = test_seed("stress");
    const int64_t start = now_ns();
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (size_t s = 0; s < COUNT_OF(scenes); s++) {
            int64_t begin = now_ns();
            scenes[s].run(&kinds[k], &seed);
            fprintf(stderr, "%s, %s: %.1f s\n", kinds[k].name, scenes[s].name,
                    (double)(now_ns() - begin) / SECOND);
        }
    }
    fprintf(stderr, "%u faults in %.1f s\n", atomic_load(&faults),
            (double)(now_ns() - start) / SECOND);
    return atomic_load(&faults) ? 1 : 0;
}
