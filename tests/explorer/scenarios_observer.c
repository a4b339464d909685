/* What an observer is told, while a worker dies at any of its steps: one end of each attempt. */
#include "scenarios.h"

#include <cfutures_observer.h>

enum {
    NOTED_MAX = 32
};

static struct {
    cf_event events[NOTED_MAX];
    size_t count;
    bool awaited; /* the caller waits until it is told of an end */
} told;

static void note(void *context, const cf_event *events, size_t count) {
    (void)context;
    for (size_t i = 0; i < count; i++) {
        CHECK(told.count < NOTED_MAX);
        told.events[told.count++] = events[i];
        if (told.awaited && events[i].kind == CF_EVENT_ENDED) {
            pool_arrive();
        }
    }
}

static unsigned count_of(cf_event_kind kind) {
    unsigned count = 0;
    for (size_t i = 0; i < told.count; i++) {
        count += told.events[i].kind == kind;
    }
    return count;
}

static const cf_observer observer = {.observe = note, .kinds = CF_EVENTS_ALL};
static cf_future *future;

static void take_result(void *context) {
    (void)context;
    pool_take_result(future, 0);
    cf_executor_destroy(executor);
}

static void set_up_death(void) {
    const cf_submit_options options = {.retries = 1};
    const unsigned n = 0;
    told.count = 0;
    told.awaited = false;
    pool_begin_processes(1, (cf_pool_options){.observer = &observer}, take_result);
    CHECK(cf_executor_submit_with(executor, &number_task, &n, &options, &future) == CF_OK);
}

/* An attempt may have ended before the task's function was called. */
static void check_one_end_each(void) {
    const unsigned ended = count_of(CF_EVENT_ENDED);
    CHECK(count_of(CF_EVENT_SUBMITTED) == 1);
    CHECK(ended == 1 + count_of(CF_EVENT_RETRIED));
    CHECK(ended >= pool_runs(0) && ended <= 2);
    CHECK(count_of(CF_EVENT_BEGUN) >= 1 && count_of(CF_EVENT_BEGUN) <= ended);
    CHECK(count_of(CF_EVENT_LOST) == 0 && count_of(CF_EVENT_DROPPED) == 0);
    check_freed();
}

const scenario observer_death = {.name = "observer_death",
                                 .set_up = set_up_death,
                                 .check = check_one_end_each,
                                 .bound = 0,
                                 .deaths = true};

/* Nobody dies: the thread that tells sleeps, and is woken by what happens. */
static void take_result_when_told(void *context) {
    pool_await(1);
    take_result(context);
}

static void set_up_sleeps(void) {
    told.count = 0;
    told.awaited = true;
    pool_begin(1, (cf_pool_options){.observer = &observer}, take_result_when_told);
    future = pool_submit(&number_task, 0);
}

static void check_all_told(void) {
    CHECK(count_of(CF_EVENT_ENDED) == 1 && count_of(CF_EVENT_BEGUN) == 1);
    check_freed();
}

const scenario observer_sleeps = {
    .name = "observer_sleeps", .set_up = set_up_sleeps, .check = check_all_told, .bound = 1};
