/* One task at a time, and a wait for it that sleeps: in every way to wait. A worker that dies just then, with
 * the task settled and its waiter asleep, must not leave the waiter asleep. */
#include "storm.h"

enum {
    PINGS = 64
};

typedef enum way {
    RESULT,
    EXCEPTION,
    VIEW,
    WAIT_FOR,
    AS_COMPLETED,
    WAYS
} way;

static cf_status wait_in_iteration(cf_future *future) {
    cf_as_completed *iteration = NULL;
    cf_future *done = NULL;
    cf_status status = cf_as_completed_create(&future, 1, &iteration);
    if (status == CF_OK) {
        status = cf_as_completed_next(iteration, CF_FOREVER, &done, NULL);
        cf_as_completed_destroy(iteration);
    }
    return status == CF_OK && done != future ? CF_EINVAL : status;
}

static void await(client *c, cf_future *future, way how) {
    static const char *const calls[] = {"cf_future_result", "cf_future_exception", "cf_future_view",
                                        "cf_wait", "cf_as_completed_next"};
    cf_exception why;
    const void *view;
    size_t size;
    cf_status status = CF_OK;
    at(c, calls[how]);
    switch (how) {
    case RESULT:
        cf_future_result(future, CF_FOREVER, NULL);
        break;
    case EXCEPTION:
        status = cf_future_exception(future, CF_FOREVER, &why);
        break;
    case VIEW:
        cf_future_view(future, CF_FOREVER, &view, &size);
        break;
    case WAIT_FOR:
        status = cf_wait(&future, 1, CF_ALL_COMPLETED, CF_FOREVER, NULL);
        break;
    default:
        status = wait_in_iteration(future);
    }
    if (status != CF_OK || !cf_future_done(future)) {
        wrong(c, c->first_id, calls[how], "a wait that ended early", status);
    }
}

static bool ping(client *c, const terms *t, uint32_t id, way how) {
    const spec s = {
        .id = id, .deed = WELL, .tenths = (unsigned)between(&c->seed, 0, 600) & 0x1ffff};
    const cf_task task = {
        .name = "ping", .run = storm_run, .arg_size = t->arg_size, .result_size = t->result_size};
    const cf_submit_options options = {.retries = t->retries};
    unsigned char arg[sizeof s];
    uint64_t value = 0;
    cf_future *future = NULL;
    cf_exception why = {0};
    cf_info info = {0};
    spec_write(s, arg, sizeof arg);
    at(c, "cf_executor_submit");
    cf_executor *ex = choose_executor(c);
    const cf_status status = cf_executor_submit_with(ex, &task, arg, &options, &future);
    if (status != CF_OK) {
        may_refuse(c, "cf_executor_submit", status);
        return status == CF_EFULL;
    }
    const int64_t start_ns = now_ns();
    note_accepted(c, ex, 1);
    await(c, future, how);
    tally_add(&sums->late, now_ns() - start_ns > LATE_NS);
    at(c, "cf_future_exception");
    cf_future_exception(future, CF_FOREVER, &why);
    cf_future_info(future, &info);
    check_end(c, "a ping", t, s, &why, false, (int)info.attempts);
    if (cf_future_result(future, 0, &value) != why.status ||
        (why.status == CF_OK && !result_is(s, &value, sizeof value))) {
        wrong(c, id, "a ping", "another result", why.status);
    }
    cf_future_release(future);
    return true;
}

void play_pings(client *c) {
    const terms t = {.arg_size = sizeof(spec),
                     .result_size = sizeof(uint64_t),
                     .retries = c->plan->mood == CALM ? 0 : 1000};
    const uint32_t first = take_ids(c, PINGS, t.retries);
    const way how = (way)(random_next(&c->seed) % WAYS);
    for (uint32_t i = 0; i < PINGS && ping(c, &t, first + i, how); i++) {}
}
