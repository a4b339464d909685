/* Everything at once, from several threads, on every executor: for ThreadSanitizer, under which
 * Criterion cannot run, so this is a plain program. Returns 0, or 1 and says what was wrong.
 *
 * CF_TEST_SEED repeats a run's random choices, CF_TEST_MULT makes it longer. */
#include "../support.h"

#include <cfutures_group.h>
#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 4,
    BATCH = 256,
    MANY = 3000,
    FEW = 6 /* tasks that take their time */
};

typedef struct kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned workers;
    bool is_processes;
} kind;

static const kind kinds[] = {
    {"process_pool", cf_process_pool_create, 3, true}, /* first: before there are threads */
    {"serial", cf_serial_create, 1, false},
    {"thread_pool", cf_thread_pool_create, 4, false},
#ifdef PRIMEPOOL_HAVE_OPENMP
    {"openmp", cf_openmp_create, 4, false},
#endif
};

static _Atomic unsigned faults;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition) && atomic_fetch_add(&faults, 1) < 20) {                                   \
            host_complain(__FILE__, __LINE__, #condition);                                         \
        }                                                                                          \
    } while (0)

static cf_executor *create_with(const kind *k, cf_pool_options options) {
    cf_executor *ex = NULL;
    options.max_workers = k->workers;
    options.record_times = true;
    if (k->create(&options, &ex) != CF_OK) {
        fprintf(stderr, "%s: no executor\n", k->name);
        exit(1);
    }
    return ex;
}

static cf_executor *create(const kind *k) {
    return create_with(k, (cf_pool_options){0});
}

/* ---- what a thread does with the executor that it shares with the others --------------------- */

/* What callbacks change without a lock: they are called one after the other. */
typedef struct guestbook {
    uint64_t entries;
    counter calls;
} guestbook;

typedef struct player {
    pthread_t thread;
    const kind *kind;
    cf_executor *ex;
    guestbook *book;
    uint64_t seed;
    size_t rounds;
    bool may_end;      /* the executor may be shut down or terminated at any moment */
    uint64_t accepted; /* tasks submitted one by one or many at once */
    uint64_t cancelled;
    uint64_t timed_out;
} player;

/* Whether a task may have ended so, instead of well. */
static bool may_be(const player *p, cf_status status) {
    return p->may_end && (status == CF_ECANCELLED || status == CF_EWORKER);
}

/* Submits a batch of squares; returns how many were accepted. */
static size_t submit_batch(player *p, cf_future **futures) {
    for (uint64_t i = 0; i < BATCH; i++) {
        cf_status status = cf_executor_submit(p->ex, &square_task, &i, &futures[i]);
        CHECK(status == CF_OK || (p->may_end && status == CF_ESHUTDOWN));
        if (status != CF_OK) {
            return i;
        }
        p->accepted++;
    }
    return BATCH;
}

static void check_square(const player *p, cf_future *f, uint64_t i) {
    uint64_t value = 0;
    cf_info info;
    cf_status status = cf_future_result(f, LONG_WAIT, &value);
    CHECK((status == CF_OK && value == i * i) || may_be(p, status));
    CHECK(cf_future_info(f, &info) == CF_OK && info.submitted_ns > 0);
    CHECK(status != CF_OK || info.started_ns <= info.finished_ns);
}

static void release_all(cf_future **futures, size_t n) {
    for (size_t i = 0; i < n; i++) {
        cf_future_release(futures[i]);
    }
}

static void play_in_order(player *p) {
    cf_future *futures[BATCH];
    size_t n = submit_batch(p, futures);
    for (size_t i = 0; i < n; i++) {
        check_square(p, futures[i], i);
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
        check_square(p, futures[index], index);
    }
    if (to_the_end) {
        cf_future *f = NULL;
        CHECK(cf_as_completed_next(ac, 0, &f, NULL) == CF_EEXHAUSTED);
    }
    cf_as_completed_destroy(ac);
    release_all(futures, n);
}

static void play_cancel(player *p) {
    cf_future *futures[BATCH];
    size_t n = submit_batch(p, futures);
    for (size_t i = 0; i < n; i++) {
        bool yes = random_next(&p->seed) % 2 && cf_future_cancel(futures[i]);
        uint64_t value = 0;
        cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
        CHECK(!yes || status == CF_ECANCELLED);
        CHECK(yes || (status == CF_OK && value == i * i) || may_be(p, status));
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
    CHECK(status == CF_OK || may_be(p, status) || (p->may_end && status == CF_ESHUTDOWN));
    for (uint64_t i = 0; i < BATCH; i++) {
        CHECK(why[i].status == CF_OK ? results[i] == i * i : p->may_end);
    }
}

/* A few take long, one behind the other: what lies behind them in a chunk is taken by others. */
static int run_uneven(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const uint64_t n = *(const uint64_t *)arg;
    if (n % (MANY / 2) < 6) {
        spin_for(60 * MICROSECOND);
    }
    *(uint64_t *)result = n * n;
    return n % 1000 == 999 ? 7 : 0;
}

static const cf_task uneven_task = {.name = "uneven",
                                    .run = run_uneven,
                                    .arg_size = sizeof(uint64_t),
                                    .result_size = sizeof(uint64_t)};

static double uneven_cost(void *context, const void *arg) {
    return (double)((*(const uint64_t *)arg * 7919) % *(uint64_t *)context);
}

static void play_uneven_map(player *p) {
    uint64_t args[MANY], results[MANY], modulus = 1 + random_next(&p->seed) % MANY;
    cf_exception why[MANY];
    for (uint64_t i = 0; i < MANY; i++) {
        args[i] = i;
    }
    const cf_map_options options = {.exceptions = why,
                                    .cost = random_next(&p->seed) % 2 ? uneven_cost : NULL,
                                    .cost_context = &modulus};
    const cf_status status = cf_executor_map(p->ex, &uneven_task, args, MANY, results, &options);
    CHECK(status == CF_ETASK || (p->may_end && status != CF_OK));
    for (uint64_t i = 0; i < MANY; i++) {
        const bool well = why[i].status == (i % 1000 == 999 ? CF_ETASK : CF_OK);
        CHECK(well ? results[i] == (i % 1000 == 999 ? 0 : i * i) : p->may_end && results[i] == 0);
    }
}

static void play_fire_and_forget(player *p) {
    cf_future *futures[BATCH];
    release_all(futures, submit_batch(p, futures));
    cf_stats stats;
    CHECK(cf_executor_stats(p->ex, &stats) == CF_OK);
    CHECK(stats.finished + stats.cancelled <= stats.submitted);
}

static size_t submit_squares_at_once(player *p, cf_future **futures) {
    uint64_t args[BATCH];
    size_t submitted = 0;
    for (uint64_t i = 0; i < BATCH; i++) {
        args[i] = i;
    }
    cf_status status =
        cf_executor_submit_many(p->ex, &square_task, args, BATCH, NULL, futures, &submitted);
    CHECK(status == CF_OK ? submitted == BATCH : p->may_end && status == CF_ESHUTDOWN);
    p->accepted += submitted;
    return submitted;
}

static void play_many_at_once(player *p) {
    cf_future *futures[BATCH];
    size_t done = 0, n = submit_squares_at_once(p, futures);
    CHECK(cf_wait(futures, n, CF_ALL_COMPLETED, LONG_WAIT, &done) == CF_OK && done == n);
    for (size_t i = 0; i < n; i++) {
        check_square(p, futures[i], i);
    }
    release_all(futures, n);
}

/* One batch of futures with callbacks: how many have been called, for whose futures. */
typedef struct visit {
    player *player;
    counter called;
    bool submits;
} visit;

static void sign(cf_future *future, void *context) {
    visit *v = context;
    player *p = v->player;
    CHECK(cf_future_done(future));
    p->book->entries++;
    counter_add(&p->book->calls, 1);
    if (v->submits) {
        cf_status status = cf_executor_submit(p->ex, &square_task, &(uint64_t){2}, NULL);
        CHECK(status == CF_OK || (p->may_end && status == CF_ESHUTDOWN));
    }
    counter_add(&v->called, 1); /* the last: then the visit is over */
}

static void play_callbacks(player *p) {
    cf_future *futures[BATCH];
    visit v = {.player = p, .submits = random_next(&p->seed) % 4 == 0};
    size_t n = submit_squares_at_once(p, futures);
    for (size_t i = 0; i < n; i++) {
        CHECK(cf_future_add_done_callback(futures[i], sign, &v) == CF_OK);
        if (i % 3 == 0) {
            CHECK(cf_future_add_done_callback(futures[i], sign, &v) == CF_OK);
        }
    }
    release_all(futures, n);
    CHECK(counter_wait(&v.called, (uint32_t)(n + (n + 2) / 3)));
}

/* Until nobody wants it any more. */
static int run_endless(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    (void)result;
    const int64_t end = now_ns() + LONG_WAIT;
    while (!cf_task_cancelled(ctx)) {
        if (now_ns() > end) {
            return ETIMEDOUT;
        }
    }
    return 0;
}

static const cf_task endless_task = {.name = "endless", .run = run_endless};

/* Every other task runs out of time. */
static void play_deadlines(player *p) {
    cf_future *futures[FEW];
    uint64_t n = 0;
    for (; n < FEW; n++) {
        const bool ends = n % 2;
        const cf_submit_options options = {.timeout_ns = ends ? LONG_WAIT : MILLISECOND};
        cf_status status = cf_executor_submit_with(p->ex, ends ? &square_task : &endless_task, &n,
                                                   &options, &futures[n]);
        CHECK(status == CF_OK || (p->may_end && status == CF_ESHUTDOWN));
        if (status != CF_OK) {
            break;
        }
        p->accepted++;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (i % 2) {
            check_square(p, futures[i], i);
            continue;
        }
        cf_status status = cf_future_result(futures[i], LONG_WAIT, NULL);
        CHECK(status == CF_EDEADLINE || may_be(p, status) || (p->may_end && status == CF_OK));
        p->timed_out += status == CF_EDEADLINE;
    }
    release_all(futures, n);
}

/* A tree of tasks, each of which waits for three others. */
typedef struct tree {
    cf_executor *ex;
    uint64_t height;
} tree;

static int run_tree(const void *arg, void *result, cf_task_context *ctx);

static const cf_task tree_task = {
    .name = "tree", .run = run_tree, .arg_size = sizeof(tree), .result_size = sizeof(uint64_t)};

/* How many tasks it has run; 0 if the executor did not let it. */
static int run_tree(const void *arg, void *result, cf_task_context *ctx) {
    const tree *t = arg;
    const tree smaller = {t->ex, t->height - 1};
    uint64_t *sum = result;
    cf_future *futures[3] = {NULL, NULL, NULL};
    int error = 0;
    *sum = 1;
    for (size_t i = 0; i < 3 && t->height > 0 && error == 0; i++) {
        uint64_t value = 0;
        cf_status status = cf_executor_submit(t->ex, &tree_task, &smaller, &futures[i]);
        if (status == CF_EFULL) { /* as many are pending as may be: then here */
            error = run_tree(&smaller, &value, ctx);
            *sum += value;
        } else {
            error = (int)status;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        uint64_t value = 0;
        if (futures[i] && error == 0) {
            error = (int)cf_future_result(futures[i], CF_FOREVER, &value);
            *sum += value;
        }
        cf_future_release(futures[i]);
    }
    return error;
}

static void play_nested(player *p) {
    if (p->kind->is_processes) {
        return; /* whose tasks cannot use their own executor */
    }
    cf_future *f = NULL;
    uint64_t value = 0;
    const tree t = {p->ex, 4};
    cf_status status = cf_executor_submit(p->ex, &tree_task, &t, &f);
    if (status == CF_OK) {
        p->accepted++;
        status = cf_future_result(f, LONG_WAIT, &value);
    }
    CHECK(
        (status == CF_OK && value == 1 + 3 + 9 + 27 + 81) ||
        (p->may_end && (status == CF_ESHUTDOWN || status == CF_ECANCELLED || status == CF_ETASK)));
    cf_future_release(f);
}

static cf_source_answer next_number(void *context, void *arg) {
    uint64_t *next = context;
    if (*next == BATCH) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = (*next)++;
    return CF_SOURCE_ITEM;
}

static void play_stream(player *p) {
    uint64_t next = 0, taken = 0;
    cf_stream *stream = NULL;
    cf_stream_item item;
    const cf_stream_options options = {.as_completed = random_next(&p->seed) % 2,
                                       .window = random_next(&p->seed) % 100,
                                       .chunk = random_next(&p->seed) % 10,
                                       .size_hint = random_next(&p->seed) % 2 * BATCH};
    const uint64_t most = p->may_end ? random_next(&p->seed) % BATCH : BATCH + 1;
    cf_status status = cf_stream_open(p->ex, &square_task, next_number, &next, &options, &stream);
    CHECK(status == CF_OK || (p->may_end && status == CF_ESHUTDOWN));
    while (status == CF_OK && taken < most) {
        status = cf_stream_next(stream, LONG_WAIT, &item);
        if (status == CF_OK) {
            const bool well = item.exception.status == CF_OK;
            CHECK(options.as_completed || item.index == taken);
            CHECK(well ? *(const uint64_t *)item.result == item.index * item.index : p->may_end);
            taken++;
        }
    }
    CHECK(p->may_end || (status == CF_EEXHAUSTED && taken == BATCH));
    cf_stream_close(stream);
}

static void play_group(player *p) {
    uint64_t results[BATCH] = {0}, n = 0;
    cf_group *group = NULL;
    const cf_group_options options = {.window = random_next(&p->seed) % 20};
    cf_status status = cf_group_create(p->ex, &options, &group);
    CHECK(status == CF_OK);
    while (status == CF_OK && n < BATCH) {
        status = cf_group_submit(group, &square_task, &n, NULL, &results[n]);
        n += status == CF_OK;
    }
    CHECK(status == CF_OK || (p->may_end && status == CF_ESHUTDOWN));
    if (p->may_end && random_next(&p->seed) % 2) {
        cf_group_cancel(group);
    }
    status = cf_group_wait(group, CF_ALL_COMPLETED, LONG_WAIT, NULL);
    CHECK(status == CF_OK || may_be(p, status));
    for (uint64_t i = 0; status == CF_OK && i < n; i++) {
        CHECK(results[i] == i * i);
    }
    cf_group_destroy(group);
}

static void *play(void *arg) {
    static void (*const games[])(player *) = {
        play_in_order,   play_as_completed,    play_cancel,       play_map,
        play_uneven_map, play_fire_and_forget, play_many_at_once, play_callbacks,
        play_deadlines,  play_nested,          play_stream,       play_group};
    player *p = arg;
    for (size_t i = 0; i < p->rounds; i++) {
        games[random_next(&p->seed) % COUNT_OF(games)](p);
    }
    return NULL;
}

/* `like` says what they have in common. */
static void players_start(player *players, player like, uint64_t *seed) {
    for (size_t i = 0; i < THREADS; i++) {
        players[i] = like;
        players[i].seed = random_next(seed);
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

static void check_counts(const player *players, cf_executor *ex) {
    uint64_t accepted = 0, cancelled = 0, timed_out = 0;
    for (size_t i = 0; i < THREADS; i++) {
        accepted += players[i].accepted;
        cancelled += players[i].cancelled;
        timed_out += players[i].timed_out;
    }
    cf_stats s;
    CHECK(cf_executor_stats(ex, &s) == CF_OK);
    CHECK(s.submitted >= accepted && s.cancelled == cancelled);
    CHECK(s.failed == timed_out && s.timed_out == timed_out && s.unseen == 0);
    CHECK(s.pending == 0 && s.running == 0 && s.finished + s.cancelled == s.submitted);
}

/* Threads play, then all is counted. */
static void play_with(const kind *k, cf_executor *ex, uint64_t *seed, size_t rounds) {
    player players[THREADS];
    guestbook book = {0};
    players_start(players, (player){.kind = k, .ex = ex, .book = &book, .rounds = rounds}, seed);
    players_join(players);
    CHECK(cf_executor_shutdown(ex, true, false) == CF_OK);
    check_counts(players, ex);
    CHECK(book.entries == counter_get(&book.calls));
    cf_executor_destroy(ex);
}

static void scene_play(const kind *k, uint64_t *seed) {
    play_with(k, create(k), seed, scaled(150));
}

/* With so little room that submitters wait for it all the time; in half of the runs a thread pool that
 * grows. */
static void scene_little_room(const kind *k, uint64_t *seed) {
    const cf_pool_options options = {.max_pending = 8, .min_workers = random_next(seed) % 2};
    play_with(k, create_with(k, options), seed, scaled(40));
}

typedef struct census {
    counter born;
    counter dead;
} census;

static int be_born(void *context, unsigned worker, void **local) {
    census *c = context;
    CHECK(*local == NULL);
    *local = malloc(sizeof worker);
    *(unsigned *)*local = worker;
    counter_add(&c->born, 1);
    return 0;
}

static void die(void *context, unsigned worker, void *local) {
    census *c = context;
    CHECK(*(unsigned *)local == worker);
    free(local);
    counter_add(&c->dead, 1);
}

/* With workers that come and go. */
static void scene_short_lives(const kind *k, uint64_t *seed) {
    census *c = shared_alloc(sizeof *c);
    const cf_pool_options options = {
        .max_tasks_per_worker = 20, .initializer = be_born, .finalizer = die, .context = c};
    play_with(k, create_with(k, options), seed, scaled(20));
    CHECK(counter_get(&c->born) > k->workers);
    if (!k->is_processes) { /* whose ends come without a finalizer when their time has run out */
        CHECK(counter_get(&c->dead) == counter_get(&c->born));
    }
    shared_free(c, sizeof *c);
}

/* The end comes from one of several threads, while others play on. In half of the runs a thread pool
 * grows meanwhile. */
static void end_while_playing(const kind *k, uint64_t *seed, void (*end)(cf_executor *, uint64_t)) {
    player players[THREADS];
    guestbook book = {0};
    cf_executor *ex = create_with(k, (cf_pool_options){.min_workers = random_next(seed) % 2});
    const player like = {.kind = k, .ex = ex, .book = &book, .rounds = 6, .may_end = true};
    players_start(players, like, seed);
    spin_for((int64_t)(random_next(seed) % (uint64_t)(2 * MILLISECOND)));
    end(ex, random_next(seed));
    CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){1}, NULL) == CF_ESHUTDOWN);
    players_join(players);
    cf_executor_destroy(ex);
    CHECK(book.entries == counter_get(&book.calls));
}

static void shut_down(cf_executor *ex, uint64_t how) {
    CHECK(cf_executor_shutdown(ex, how % 2, how / 2 % 2) == CF_OK);
}

static void terminate(cf_executor *ex, uint64_t how) {
    cf_status status = how % 2 ? cf_executor_kill_workers(ex) : cf_executor_terminate_workers(ex);
    if (status == CF_EUNSUPPORTED) {
        status = cf_executor_terminate_workers(ex);
    }
    CHECK(status == CF_OK);
}

static void scene_shutdown(const kind *k, uint64_t *seed) {
    for (size_t round = scaled(40); round > 0; round--) {
        end_while_playing(k, seed, shut_down);
    }
}

static void scene_terminate(const kind *k, uint64_t *seed) {
    for (size_t round = scaled(40); round > 0; round--) {
        end_while_playing(k, seed, terminate);
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
    const waiter *w = arg;
    check_square(&(player){.may_end = false}, w->future, 12);
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

/* Threads that submit in turns, each often enough to be the one that an executor expects. Who has had his
 * turn takes his results and releases them while the next one submits. */
typedef struct turns {
    counter now;
    uint32_t count;
} turns;

typedef struct member {
    player player;
    turns *turns;
    uint32_t number;
} member;

static void *take_turns(void *arg) {
    member *m = arg;
    player *p = &m->player;
    for (uint32_t turn = m->number; turn < m->turns->count; turn += THREADS) {
        cf_future *futures[BATCH];
        CHECK(counter_wait(&m->turns->now, turn));
        const size_t n =
            turn % 3 == 0 ? submit_squares_at_once(p, futures) : submit_batch(p, futures);
        if (turn % 2) {
            release_all(futures, n / 2);
        }
        counter_add(&m->turns->now, 1);
        for (size_t i = turn % 2 ? n / 2 : 0; i < n; i++) {
            check_square(p, futures[i], i);
            cf_future_release(futures[i]);
        }
        if (turn % 5 == 0) {
            play_as_completed(p);
        }
    }
    return NULL;
}

static void scene_turns(const kind *k, uint64_t *seed) {
    cf_executor *ex = create(k);
    for (int generation = 0; generation < 3; generation++) {
        member members[THREADS];
        turns t = {.count = (uint32_t)scaled(120)};
        for (uint32_t i = 0; i < THREADS; i++) {
            members[i] = (member){.player = {.kind = k, .ex = ex, .seed = random_next(seed)},
                                  .turns = &t,
                                  .number = i};
            CHECK(pthread_create(&members[i].player.thread, NULL, take_turns, &members[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(members[i].player.thread, NULL);
        }
    }
    CHECK(cf_executor_shutdown(ex, true, false) == CF_OK);
    cf_stats s;
    CHECK(cf_executor_stats(ex, &s) == CF_OK);
    CHECK(s.pending == 0 && s.running == 0 && s.finished == s.submitted && s.failed == 0);
    cf_executor_destroy(ex);
}

int main(void) {
    static const struct {
        const char *name;
        void (*run)(const kind *, uint64_t *);
    } scenes[] = {{"play", scene_play},
                  {"little room", scene_little_room},
                  {"short lives", scene_short_lives},
                  {"shutdown", scene_shutdown},
                  {"terminate", scene_terminate},
                  {"cancel race", scene_cancel_race},
                  {"waiters", scene_waiters},
                  {"turns", scene_turns}};
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
