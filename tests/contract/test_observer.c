/* An observer is told of each attempt of each task once, with times that fit together. */
#include "rows.h"

#include <cfutures_observer.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(observer, .timeout = TEST_SECONDS);

enum {
    KINDS = CF_EVENT_LOST + 1
};

/* All that was told. Only the library's thread writes; read after shutdown. */
typedef struct log {
    cf_event *events;
    size_t count, room;
    int64_t slow_ns; /* the first call takes so long */
    _Atomic int inside;
    bool overlapped;
} log;

static void note(void *context, const cf_event *events, size_t count) {
    log *told = context;
    told->overlapped = told->overlapped || atomic_fetch_add(&told->inside, 1) != 0;
    if (told->slow_ns > 0) {
        spin_for(told->slow_ns);
        told->slow_ns = 0;
    }
    if (told->count + count > told->room) {
        told->room = (told->count + count) * 2;
        told->events = realloc(told->events, told->room * sizeof *told->events);
    }
    memcpy(told->events + told->count, events, count * sizeof *events);
    told->count += count;
    atomic_fetch_sub(&told->inside, 1);
}

static cf_executor *create_observed(log *told, unsigned workers, unsigned kinds) {
    const cf_observer observer = {.observe = note, .context = told, .kinds = kinds};
    return create_with(
        (cf_pool_options){.max_workers = workers_of(workers), .observer = &observer});
}

static size_t count_of(const log *told, cf_event_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < told->count; i++) {
        count += told->events[i].kind == kind;
    }
    return count;
}

static void free_log(log *told) {
    EXPECT_EQ(told->overlapped, false);
    EXPECT_EQ(count_of(told, CF_EVENT_LOST), 0);
    free(told->events);
}

/* ---- what all events must be like ------------------------------------------------------------- */

static void check_event(const cf_event *event, uint64_t tasks, int64_t begun_ns, int64_t ended_ns) {
    const bool is_life =
        event->kind == CF_EVENT_WORKER_STARTED || event->kind == CF_EVENT_WORKER_GONE;
    cr_assert(event->at_ns >= begun_ns && event->at_ns <= ended_ns);
    if (is_life) {
        cr_assert(event->worker >= 0 && event->id > 0);
        return;
    }
    cr_assert(event->task < tasks, "task %zu", (size_t)event->task);
    cr_assert(event->name != NULL);
    cr_assert(event->submitted_ns >= begun_ns && event->submitted_ns <= event->at_ns);
    if (event->kind == CF_EVENT_SUBMITTED || event->kind == CF_EVENT_DROPPED) {
        EXPECT_EQ(event->attempt, 0);
        EXPECT_EQ(event->worker, -1);
    } else {
        cr_assert(event->attempt >= 1);
        cr_assert(event->worker >= 0 && event->worker < (int)workers_of(2));
    }
    if (event->kind == CF_EVENT_ENDED) {
        cr_assert(event->begun_ns >= event->submitted_ns && event->begun_ns <= event->at_ns);
    }
}

static int by_worker_and_time(const void *a, const void *b) {
    const cf_event *x = a, *y = b;
    return x->worker != y->worker       ? (x->worker < y->worker ? -1 : 1)
           : x->begun_ns != y->begun_ns ? (x->begun_ns < y->begun_ns ? -1 : 1)
                                        : 0;
}

/* A worker runs one task after the other. (On MPI a worker is a rank's, which begins them when it has received
 * them: times are computed backwards from the answers.) */
static void check_tracks(const log *told) {
    cf_event *runs = malloc((told->count + 1) * sizeof *runs);
    size_t count = 0;
    for (size_t i = 0; i < told->count; i++) {
        if (told->events[i].kind == CF_EVENT_ENDED) {
            runs[count++] = told->events[i];
        }
    }
    qsort(runs, count, sizeof *runs, by_worker_and_time);
    for (size_t i = 1; i < count && !row()->is_remote; i++) {
        cr_assert(runs[i].worker != runs[i - 1].worker || runs[i].begun_ns >= runs[i - 1].at_ns,
                  "runs of a worker overlap");
    }
    free(runs);
}

/* Each attempt has begun once and ended once; a task without one was dropped once. */
static void check_attempts(const log *told, uint64_t tasks, int64_t begun_ns) {
    typedef struct seen {
        uint16_t submitted, begun, ended, retried, dropped, last;
    } seen;
    seen *of = calloc(tasks + 1, sizeof *of);
    const int64_t ended_ns = now_ns();
    for (size_t i = 0; i < told->count; i++) {
        const cf_event *event = &told->events[i];
        check_event(event, tasks, begun_ns, ended_ns);
        seen *task = &of[event->task < tasks ? event->task : tasks];
        switch (event->kind) {
        case CF_EVENT_SUBMITTED:
            task->submitted++;
            break;
        case CF_EVENT_BEGUN:
            task->begun++;
            break;
        case CF_EVENT_ENDED:
            task->ended++;
            task->last = event->attempt > task->last ? (uint16_t)event->attempt : task->last;
            break;
        case CF_EVENT_RETRIED:
            task->retried++;
            break;
        case CF_EVENT_DROPPED:
            task->dropped++;
            break;
        default:
            break;
        }
    }
    for (uint64_t i = 0; i < tasks; i++) {
        EXPECT_EQ(of[i].submitted, 1);
        EXPECT_EQ(of[i].ended, of[i].last);
        cr_assert(of[i].begun <= of[i].ended);
        cr_assert(of[i].begun > 0 || of[i].dropped > 0 || row()->is_remote);
        EXPECT_EQ(of[i].retried + !of[i].dropped, of[i].ended);
    }
    free(of);
    check_tracks(told);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

Test(observer, is_told_of_each_task) {
    enum {
        N = 5000
    };
    log told = {0};
    const int64_t begun_ns = now_ns();
    cf_executor *ex = create_observed(&told, 2, CF_EVENTS_ALL);
    cf_future *futures[N];
    for (uint64_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &square_task, &i);
    }
    for (uint64_t i = 0; i < N; i++) {
        cf_info info;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        EXPECT(CF_OK, cf_future_info(futures[i], &info));
        EXPECT_EQ(info.number, i);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    check_attempts(&told, N, begun_ns);
    EXPECT_EQ(count_of(&told, CF_EVENT_ENDED), N);
    EXPECT_EQ(count_of(&told, CF_EVENT_WORKER_GONE), count_of(&told, CF_EVENT_WORKER_STARTED));
    cr_assert(row()->is_remote || count_of(&told, CF_EVENT_WORKER_STARTED) > 0);
    for (size_t i = 0; i < told.count; i++) {
        if (told.events[i].kind == CF_EVENT_ENDED) {
            EXPECT_EQ(told.events[i].exception.status, CF_OK);
            EXPECT_EQ(strcmp(told.events[i].name, square_task.name), 0);
        }
    }
    free_log(&told);
}

Test(observer, is_told_only_what_it_asks_for) {
    log told = {0};
    cf_executor *ex = create_observed(&told, 2, CF_EVENT_BIT(CF_EVENT_ENDED));
    for (uint64_t i = 0; i < 100; i++) {
        take(submit(ex, &square_task, &i));
    }
    cf_executor_destroy(ex);
    EXPECT_EQ(told.count, 100);
    EXPECT_EQ(count_of(&told, CF_EVENT_ENDED), 100);
    free_log(&told);
}

/* More events than the rings hold, while nobody takes them. */
Test(observer, may_be_slow) {
    enum {
        N = 60000
    };
    log told = {.slow_ns = 200 * MILLISECOND};
    const int64_t begun_ns = now_ns();
    static uint64_t numbers[N], results[N];
    cf_executor *ex = create_observed(&told, 2, CF_EVENTS_ALL);
    const cf_map_options options = {.chunk = 1};
    for (uint64_t i = 0; i < N; i++) {
        numbers[i] = i;
    }
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, numbers, N, results, &options));
    cf_executor_destroy(ex);
    check_attempts(&told, N, begun_ns);
    free_log(&told);
}

Test(observer, must_be_able_to_observe) {
    const cf_observer observer = {.kinds = CF_EVENTS_ALL};
    cf_executor *ex = NULL;
    EXPECT(CF_EINVAL, row()->create(&(cf_pool_options){.observer = &observer}, &ex));
    EXPECT_EQ(ex, NULL);
}

/* ---- endings --------------------------------------------------------------------------------- */

typedef enum manner {
    SUCCEEDS,
    RETURNS,
    OVERRUNS,
    DIES_ONCE,
    DIES,
    MANNERS
} manner;

static int end(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t how = *(const uint64_t *)arg;
    while (how == OVERRUNS && !cf_task_cancelled(ctx)) {}
    if (how == DIES || (how == DIES_ONCE && cf_task_attempt(ctx) == 1)) {
        raise(SIGKILL);
    }
    *(uint64_t *)result = how;
    return how == RETURNS ? 7 : 0;
}

static const cf_task end_task = {
    .name = "end", .run = end, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

static cf_status ending_of(uint64_t how) {
    return how == RETURNS    ? CF_ETASK
           : how == DIES     ? CF_EWORKER
           : how == OVERRUNS ? CF_EDEADLINE
                             : CF_OK;
}

static bool row_can(uint64_t how) {
    return how < OVERRUNS || (how == OVERRUNS && row()->runs_beside_caller) ||
           row()->survives_worker_death;
}

static void check_ending(const cf_event *event, uint64_t how) {
    const bool first_of_two = how >= DIES_ONCE && event->attempt == 1;
    EXPECT_EQ(event->exception.status, first_of_two ? CF_EWORKER : ending_of(how));
    EXPECT_EQ(event->exception.task_error, how == RETURNS ? 7 : 0);
    EXPECT_EQ(event->exception.signal, event->exception.status == CF_EWORKER ? SIGKILL : 0);
    EXPECT_EQ(event->exception.timeout_ns, how == OVERRUNS ? 50 * MILLISECOND : 0);
}

Test(observer, is_told_how_attempts_end) {
    enum {
        N = 40
    };
    log told = {0};
    uint64_t hows[N], seed = test_seed("observer/is_told_how_attempts_end");
    cf_future *futures[N];
    const int64_t begun_ns = now_ns();
    cf_executor *ex = create_observed(&told, 2, CF_EVENTS_ALL);
    for (size_t i = 0; i < N; i++) {
        do {
            hows[i] = i < MANNERS ? i : random_next(&seed) % MANNERS;
        } while (!row_can(hows[i]) && i >= MANNERS);
        hows[i] = row_can(hows[i]) ? hows[i] : SUCCEEDS;
        const cf_submit_options options = {
            .retries = 1, .timeout_ns = hows[i] == OVERRUNS ? 50 * MILLISECOND : 0};
        EXPECT(CF_OK, cf_executor_submit_with(ex, &end_task, &hows[i], &options, &futures[i]));
    }
    size_t expected = 0;
    for (size_t i = 0; i < N; i++) {
        cf_exception exception;
        EXPECT(CF_OK, cf_future_exception(futures[i], LONG_WAIT, &exception));
        EXPECT_EQ(exception.status, ending_of(hows[i]));
        expected += hows[i] >= DIES_ONCE ? 2 : 1;
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    check_attempts(&told, N, begun_ns);
    EXPECT_EQ(count_of(&told, CF_EVENT_ENDED), expected);
    for (size_t i = 0; i < told.count; i++) {
        if (told.events[i].kind == CF_EVENT_ENDED) {
            check_ending(&told.events[i], hows[told.events[i].task]);
        }
    }
    free_log(&told);
}

Test(observer, is_told_of_cancelled_tasks) {
    NEEDS(cancels_pending);
    NOT_REMOTE(SENT_AHEAD);
    enum {
        N = 50
    };
    log told = {0};
    const int64_t begun_ns = now_ns();
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create_observed(&told, 1, CF_EVENTS_ALL);
    cf_future *futures[N];
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (size_t i = 0; i < N; i++) {
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], 1));
    for (size_t i = 1; i < N; i += 2) {
        cr_assert(cf_future_cancel(futures[i]));
    }
    counter_add(&c[1], 1);
    for (size_t i = 0; i < N; i++) {
        cf_future_exception(futures[i], LONG_WAIT, &(cf_exception){0});
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    check_attempts(&told, N, begun_ns);
    EXPECT_EQ(count_of(&told, CF_EVENT_DROPPED), N / 2);
    for (size_t i = 0; i < told.count; i++) {
        if (told.events[i].kind == CF_EVENT_DROPPED) {
            EXPECT_EQ(told.events[i].task % 2, 1);
            EXPECT_EQ(told.events[i].exception.status, CF_ECANCELLED);
        }
    }
    free_log(&told);
    shared_free(c, 3 * sizeof *c);
}

/* ---- maps ------------------------------------------------------------------------------------ */

Test(observer, sees_each_item_in_one_chunk) {
    enum {
        N = 20000
    };
    static uint64_t numbers[N], results[N];
    static unsigned char seen[N];
    log told = {0};
    cf_executor *ex = create_observed(&told, 2, CF_EVENTS_ALL);
    for (uint64_t i = 0; i < N; i++) {
        numbers[i] = i;
    }
    EXPECT(CF_OK, cf_executor_map(ex, &square_task, numbers, N, results, NULL));
    cf_executor_destroy(ex);
    for (size_t i = 0; i < told.count; i++) {
        const cf_event *event = &told.events[i];
        if (event->kind == CF_EVENT_ENDED) {
            cr_assert(event->count > 0 && event->first + event->count <= N);
            for (uint64_t k = event->first; k < event->first + event->count; k++) {
                seen[k] = 1; /* twice, if the end of a chunk was taken back */
            }
        }
    }
    for (size_t i = 0; i < N; i++) {
        EXPECT_EQ(seen[i], 1);
    }
    free_log(&told);
}

/* ---- deaths ---------------------------------------------------------------------------------- */

typedef struct killer {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    _Atomic bool over;
} killer;

static void *kill_workers(void *arg) {
    killer *k = arg;
    while (!atomic_load(&k->over)) {
        cf_worker_stats worker;
        spin_for((int64_t)(random_next(&k->seed) % (uint64_t)MILLISECOND));
        if (cf_executor_worker_stats(k->ex, random_next(&k->seed) % 2, &worker) == CF_OK &&
            worker.id > 1) {
            kill((pid_t)worker.id, SIGKILL);
        }
    }
    return NULL;
}

/* Tiny tasks, so that workers die at every step. */
Test(observer, sees_one_end_of_each_attempt_of_killed_workers) {
    NEEDS(survives_worker_death);
    NOT_REMOTE(KNOWS_WORKERS);
    enum {
        N = 2000
    };
    log told = {0};
    uint64_t seed = test_seed("observer/killed");
    const int64_t begun_ns = now_ns();
    cf_executor *ex = create_observed(&told, 2, CF_EVENTS_ALL);
    killer k = {.ex = ex, .seed = random_next(&seed)};
    cr_assert_eq(pthread_create(&k.thread, NULL, kill_workers, &k), 0);
    const cf_submit_options options = {.retries = 1000};
    uint64_t tasks = 0;
    const int64_t until_ns = now_ns() + SECOND;
    while (now_ns() < until_ns) {
        cf_future *futures[N];
        for (uint64_t i = 0; i < N; i++) {
            EXPECT(CF_OK, cf_executor_submit_with(ex, &square_task, &i, &options, &futures[i]));
        }
        for (uint64_t i = 0; i < N; i++) {
            EXPECT_EQ(take(futures[i]), i * i);
        }
        tasks += N;
    }
    atomic_store(&k.over, true);
    pthread_join(k.thread, NULL);
    cf_executor_destroy(ex);
    check_attempts(&told, tasks, begun_ns);
    cr_assert(count_of(&told, CF_EVENT_RETRIED) > 0);
    EXPECT_EQ(count_of(&told, CF_EVENT_WORKER_GONE), count_of(&told, CF_EVENT_WORKER_STARTED));
    free_log(&told);
}
