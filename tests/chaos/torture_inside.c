/* The scenarios of torture.c in which tasks use executors, or kill their workers. */
#include "torture_scenarios.h"

#include <signal.h>

/* ---- executors inside tasks ------------------------------------------------------------------ */

/* A task tells in its result how the calls that it made have ended. */
typedef struct inner_ending {
    cf_status status; /* of the first call that failed */
    bool wrong;
} inner_ending;

static stage *stage_of_tasks;

static void submit_and_wait(cf_executor *pool, inner_ending *ending) {
    uint64_t square = 0;
    cf_future *future = NULL;
    ending->status = cf_executor_submit(pool, &square_task, &(uint64_t){12}, &future);
    if (ending->status == CF_OK) {
        ending->status = cf_future_result(future, CF_FOREVER, &square);
        ending->wrong = ending->status == CF_OK && square != 144;
        cf_future_release(future);
    }
}

static int run_own_pool(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    submit_and_wait(stage_of_tasks->pool, result);
    return 0;
}

static int run_inner_pool(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    inner_ending *ending = result;
    cf_executor *pool = NULL;
    ending->status = cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &pool);
    if (ending->status == CF_OK) {
        submit_and_wait(pool, ending);
    }
    cf_executor_destroy(pool);
    return 0;
}

/* The task's own calls may be refused, and that is told in its result. */
static void run_inside(stage *s, cf_task_fn *run) {
    const cf_task task = {.name = "inside", .run = run, .result_size = sizeof(inner_ending)};
    const unsigned inner =
        AS_BIT(CF_OK) | (s->strict ? 0 : REFUSALS) | (may_break(s) ? AS_BIT(CF_EBROKEN) : 0);
    cf_future *future = NULL;
    inner_ending ending;
    stage_of_tasks = s;
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "use a pool inside a task");
    for (int i = 0; i < 2; i++) {
        if (!accepted(s, cf_executor_submit(s->pool, &task, NULL, &future), REFUSALS, "submit")) {
            continue;
        }
        cf_status status = cf_future_result(future, CF_FOREVER, &ending);
        tally_add(&chaos->tasks, 1);
        if (status == CF_OK) {
            EXPECT_THAT(s, (AS_BIT(ending.status) & inner) != 0 && !ending.wrong);
        } else {
            EXPECT_THAT(s, may_break(s) || may_kill_worker(s));
        }
        cf_future_release(future);
    }
    still_works(s);
    close_pool(s);
}

void nested_wait(stage *s) {
    run_inside(s, run_own_pool);
}

void pool_in_task(stage *s) {
    run_inside(s, run_inner_pool);
}

/* ---- workers that die ------------------------------------------------------------------------ */

void retries(stage *s) {
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "retry after a death");
    for (uint32_t deaths = 1; deaths <= 2; deaths++) {
        item i = new_item(s);
        i.deaths = deaths;
        cf_future *future = submit_item(s, &i, &(cf_submit_options){.retries = 2});
        collect_item(s, future, &i);
    }
    still_works(s);
    close_pool(s);
}

void no_retries(stage *s) {
    if (!open_pool(s, (cf_pool_options){0})) {
        return;
    }
    STEP(s, "a death without retries");
    item i = new_item(s);
    i.deaths = 1;
    cf_future *future = submit_item(s, &i, NULL);
    if (future != NULL) {
        cf_exception why = {.status = CF_OK};
        EXPECT_THAT(s, cf_future_exception(future, CF_FOREVER, &why) == CF_OK);
        EXPECT_THAT(s, why.status == CF_EWORKER || (why.status == CF_EBROKEN && may_break(s)));
        EXPECT_THAT(s, why.status != CF_EWORKER || why.signal == SIGKILL || may_kill_worker(s));
        cf_future_release(future);
    }
    still_works(s);
    close_pool(s);
}

void map_with_deaths(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "map with deaths");
        map_items(s, 1, &(cf_map_options){.retries = 1});
        still_works(s);
        close_pool(s);
    }
}

void stream_with_deaths(stage *s) {
    if (open_pool(s, (cf_pool_options){0})) {
        STEP(s, "stream with deaths");
        stream_items(s, 1, &(cf_stream_options){.as_completed = true, .retries = 1, .window = 12});
        still_works(s);
        close_pool(s);
    }
}
