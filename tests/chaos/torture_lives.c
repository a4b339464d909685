/* The scenarios of torture.c in which something begins or ends beside the tasks: callbacks, time limits,
 * workers, the pool itself, pools in tasks. */
#include "torture_scenarios.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    FEW = 4,
    SOME = 20
};

static void collect_all(stage *s, cf_future **futures, const item *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        collect_item(s, futures[i], &items[i]);
    }
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void count_call(cf_future *future, void *context) {
    (void)future;
    atomic_fetch_add((_Atomic uint32_t *)context, 1);
}

void callbacks(stage *s) {
    _Atomic uint32_t called[FEW] = {0};
    uint32_t added[FEW] = {0};
    item items[FEW];
    cf_future *futures[FEW];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "add callbacks");
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
        for (int j = 0; j < 2 && futures[i] != NULL; j++) {
            added[i] += accepted(s, cf_future_add_done_callback(futures[i], count_call, &called[i]),
                                 REFUSALS, "add_done_callback");
        }
    }
    collect_all(s, futures, items, FEW);
    still_works(s);
    close_pool(s);
    for (int i = 0; i < FEW; i++) {
        if (called[i] != added[i]) {
            wrong(s, called[i] > added[i] ? &chaos->duplicated : &chaos->lost,
                  "%u callbacks were added and %u called", added[i], called[i]);
        }
    }
}

/* ---- time limits ----------------------------------------------------------------------------- */

static int run_until_cancelled(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result;
    while (!cf_task_cancelled(ctx)) {
        sched_yield();
    }
    return 0;
}

static void overrun(stage *s) {
    const cf_task task = {.name = "endless", .run = run_until_cancelled};
    const cf_submit_options limit = {.timeout_ns = 2 * MILLISECOND};
    cf_future *future = NULL;
    cf_exception why;
    cf_status status = cf_executor_submit_with(s->pool, &task, NULL, &limit, &future);
    if (!accepted(s, status, REFUSALS, "submit")) {
        return;
    }
    EXPECT_THAT(s, cf_future_exception(future, CF_FOREVER, &why) == CF_OK);
    if (why.status != CF_EDEADLINE && !(may_break(s) && why.status == CF_EBROKEN) &&
        !(may_kill_worker(s) && why.status == CF_EWORKER)) {
        wrong(s, &chaos->lost, "a run over its time ended with %s", cf_status_name(why.status));
    }
    tally_add(&chaos->tasks, 1);
    cf_future_release(future);
}

void deadlines(stage *s) {
    const cf_submit_options ample = {.timeout_ns = 60 * SECOND};
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "a run over its time");
    overrun(s);
    STEP(s, "a run within its time");
    const item i = new_item(s);
    collect_item(s, submit_item(s, &i, &ample), &i);
    still_works(s);
    close_pool(s);
}

/* ---- room and cancelling --------------------------------------------------------------------- */

void room(stage *s) {
    item items[SOME];
    cf_future *futures[SOME];
    if (!open_pool(s, (cf_pool_options){.max_pending = 1})) {
        return;
    }
    STEP(s, "submit with room for one");
    for (int i = 0; i < SOME; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
    }
    collect_all(s, futures, items, SOME);
    still_works(s);
    close_pool(s);
}

void room_refused(stage *s) {
    item items[SOME];
    cf_future *futures[SOME];
    if (!open_pool(s, (cf_pool_options){.max_pending = 1, .refuse_when_full = true})) {
        return;
    }
    STEP(s, "submit until there is room");
    for (int i = 0; i < SOME; i++) {
        items[i] = new_item(s);
        cf_status status = cf_executor_submit(s->pool, &item_task, &items[i], &futures[i]);
        while (status == CF_EFULL) {
            sched_yield();
            status = cf_executor_submit(s->pool, &item_task, &items[i], &futures[i]);
        }
        accepted(s, status, REFUSALS, "submit");
    }
    collect_all(s, futures, items, SOME);
    close_pool(s);
}

/* Holds each worker until the gate opens. */
static size_t block_workers(stage *s, cf_future **futures) {
    const blocker b = {
        .begun = &s->report->begun, .gate = &s->report->gate, .ran = &s->report->begun};
    size_t count = 0;
    while (count < s->workers &&
           accepted(s, cf_executor_submit(s->pool, &blocker_task, &b, &futures[count]), REFUSALS,
                    "submit")) {
        count++;
    }
    return count;
}

void cancel(stage *s) {
    cf_future *blocked[CF_WORKERS_MAX], *futures[FEW];
    item items[FEW];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "cancel");
    size_t count = block_workers(s, blocked);
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
    }
    for (int i = 0; i < FEW; i += 2) {
        if (futures[i] != NULL && cf_future_cancel(futures[i])) {
            EXPECT_THAT(s, cf_future_result(futures[i], CF_FOREVER, NULL) == CF_ECANCELLED);
            EXPECT_THAT(s, runs_of(s, items[i].index) == 0);
            cf_future_release(futures[i]);
            futures[i] = NULL;
        }
    }
    counter_add(&s->report->gate, 1);
    for (size_t i = 0; i < count; i++) {
        cf_status status = cf_future_result(blocked[i], CF_FOREVER, NULL);
        EXPECT_THAT(s, status == CF_OK || may_break(s) || may_kill_worker(s));
        cf_future_release(blocked[i]);
    }
    collect_all(s, futures, items, FEW);
    still_works(s);
    close_pool(s);
}

/* ---- what can be asked ----------------------------------------------------------------------- */

void about(stage *s) {
    cf_stats stats;
    cf_worker_stats of_worker;
    cf_info info;
    cf_exception how;
    cf_cpu_explanation cpus;
    const void *view;
    size_t size;
    char text[128];
    if (!open_pool(s, (cf_pool_options){.record_times = true})) {
        return;
    }
    STEP(s, "ask");
    const item i = new_item(s);
    cf_future *future = submit_item(s, &i, NULL);
    if (future != NULL) {
        cf_status status = cf_future_view(future, CF_FOREVER, &view, &size);
        check_ending(s, &i, status, view, 1);
        EXPECT_THAT(s, cf_future_exception(future, CF_FOREVER, &how) == CF_OK);
        EXPECT_THAT(s, strlen(cf_exception_describe(&how, text, sizeof text)) > 0);
        EXPECT_THAT(s, cf_future_info(future, &info) == CF_OK && info.state == CF_FINISHED);
        EXPECT_THAT(s, strstr(cf_future_describe(future, text, sizeof text), "<Future") == text);
    }
    EXPECT_THAT(s, cf_executor_stats(s->pool, &stats) == CF_OK);
    EXPECT_THAT(s, stats.submitted == (future != NULL) && stats.pending == 0);
    if (stats.workers > 0) {
        EXPECT_THAT(s, cf_executor_worker_stats(s->pool, 0, &of_worker) == CF_OK);
    }
    EXPECT_THAT(s, cf_cpu_count(&cpus) == cpus.count && cpus.count > 0);
    cf_future_release(future);
    close_pool(s);
}

/* ---- workers' lives -------------------------------------------------------------------------- */

static int remember(void *context, unsigned worker, void **local) {
    (void)worker;
    *local = context;
    return 0;
}

static void forget(void *context, unsigned worker, void *local) {
    (void)worker;
    if (local == context) {
        counter_add(context, 1);
    }
}

void initializer(stage *s) {
    item items[FEW];
    cf_future *futures[FEW];
    const cf_pool_options options = {
        .initializer = remember, .finalizer = forget, .context = &s->report->begun};
    if (!open_pool(s, options)) {
        return;
    }
    STEP(s, "workers with initializers");
    bool any = false;
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
        any = any || futures[i] != NULL;
    }
    collect_all(s, futures, items, FEW);
    still_works(s);
    close_pool(s);
    EXPECT_THAT(s,
                !any || counter_get(&s->report->begun) > 0 || may_break(s) || may_kill_worker(s));
}

static int fail_to_begin(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    return ENOENT;
}

void failing_initializer(stage *s) {
    cf_future *future = NULL;
    cf_exception why;
    if (!open_pool(s, (cf_pool_options){.initializer = fail_to_begin})) {
        return;
    }
    STEP(s, "an initializer fails");
    const item i = new_item(s);
    cf_status status = cf_executor_submit(s->pool, &item_task, &i, &future);
    if (accepted(s, status, REFUSALS | AS_BIT(CF_EBROKEN), "submit")) {
        EXPECT_THAT(s, cf_future_exception(future, CF_FOREVER, &why) == CF_OK);
        EXPECT_THAT(s, why.status == CF_EBROKEN);
        EXPECT_THAT(s, why.task_error == ENOENT || may_break(s) || may_kill_worker(s));
        EXPECT_THAT(s, runs_of(s, i.index) == 0);
        cf_future_release(future);
    }
    close_pool(s);
}

void retiring(stage *s) {
    item items[FEW];
    cf_future *futures[FEW];
    if (!open_pool(s, (cf_pool_options){.max_tasks_per_worker = 1})) {
        return;
    }
    STEP(s, "retire workers");
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
    }
    collect_all(s, futures, items, FEW);
    still_works(s);
    close_pool(s);
}

static int run_thread_end(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)result, (void)ctx;
    pthread_exit(NULL);
}

void thread_ends(stage *s) {
    const cf_task task = {.name = "thread_end", .run = run_thread_end};
    cf_future *future = NULL;
    cf_exception why;
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "a task ends its thread");
    if (accepted(s, cf_executor_submit(s->pool, &task, NULL, &future), REFUSALS, "submit")) {
        EXPECT_THAT(s, cf_future_exception(future, CF_FOREVER, &why) == CF_OK);
        EXPECT_THAT(s, why.status == CF_ETASK && why.task_error == ECANCELED);
        cf_future_release(future);
    }
    still_works(s);
    close_pool(s);
}

/* ---- the pool's end -------------------------------------------------------------------------- */

typedef enum way_down {
    WAIT,
    CANCEL_PENDING,
    TERMINATE,
    KILL
} way_down;

static void go_down(stage *s, way_down way) {
    static const unsigned endings[] = {
        [WAIT] = 0,
        [CANCEL_PENDING] = AS_BIT(CF_ECANCELLED),
        [TERMINATE] = AS_BIT(CF_ECANCELLED) | AS_BIT(CF_EWORKER),
        [KILL] = AS_BIT(CF_ECANCELLED) | AS_BIT(CF_EWORKER),
    };
    item items[FEW];
    cf_future *futures[FEW];
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "shut down");
    for (int i = 0; i < FEW; i++) {
        items[i] = new_item(s);
        futures[i] = submit_item(s, &items[i], NULL);
    }
    cf_status status = way == KILL        ? cf_executor_kill_workers(s->pool)
                       : way == TERMINATE ? cf_executor_terminate_workers(s->pool)
                                          : cf_executor_shutdown(s->pool, true, way != WAIT);
    EXPECT_THAT(s, status == CF_OK);
    status = cf_executor_submit(s->pool, &item_task, &items[0], NULL);
    EXPECT_THAT(s, status == CF_ESHUTDOWN || (status == CF_EBROKEN && may_break(s)));
    for (int i = 0; i < FEW; i++) {
        uint64_t result = 0;
        status = futures[i] != NULL ? cf_future_result(futures[i], CF_FOREVER, &result) : CF_OK;
        if (status == CF_ECANCELLED && (endings[way] & AS_BIT(CF_ECANCELLED)) != 0) {
            EXPECT_THAT(s, runs_of(s, items[i].index) == 0);
        } else if (futures[i] != NULL && (AS_BIT(status) & endings[way]) == 0) {
            check_ending(s, &items[i], status, &result, 1);
        }
        cf_future_release(futures[i]);
    }
    close_pool(s);
}

void shutdown_waits(stage *s) {
    go_down(s, WAIT);
}

void shutdown_cancels(stage *s) {
    go_down(s, CANCEL_PENDING);
}

void terminate(stage *s) {
    go_down(s, TERMINATE);
}

void kill_workers(stage *s) {
    go_down(s, KILL);
}
