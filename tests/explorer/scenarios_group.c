/* Groups: tasks that are submitted while others wait, fail, or destroy the group. */
#include "scenarios.h"

#include <cfutures_group.h>

static cf_group *group;
static uint64_t results[2];

static void submit_to_group(const cf_task *task, unsigned n) {
    CHECK(cf_group_submit(group, task, &n, NULL, &results[n]) == CF_OK);
}

static void make_group(cf_group_options options) {
    results[0] = results[1] = 0;
    CHECK(cf_group_create(executor, &options, &group) == CF_OK);
}

static void end_group(void) {
    cf_group_destroy(group);
    cf_executor_destroy(executor);
}

/* ---- two threads submit, through a window of one ---------------------------------------------- */

static void submit_other(void *context) {
    (void)context;
    submit_to_group(&number_task, 1);
}

static void submit_beside(void *context) {
    (void)context;
    make_group((cf_group_options){.window = 1});
    const unsigned other = sim_thread("submitter", submit_other, NULL);
    submit_to_group(&number_task, 0);
    CHECK(cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, NULL) == CF_OK);
    CHECK(results[0] == pool_result(0));
    sim_join(other);
    CHECK(cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, NULL) == CF_OK);
    CHECK(results[1] == pool_result(1));
    end_group();
}

static void set_up_two(void) {
    pool_begin(1, plain, submit_beside);
}

const scenario group_two = {
    .name = "group_two", .set_up = set_up_two, .check = check_two_ran, .bound = 1};

/* ---- a task of the group submits another one ---------------------------------------------------- */

static unsigned more_submitted;

static int run_and_submit(const void *arg, void *result, cf_task_context *ctx) {
    const unsigned next = 1;
    more_submitted += cf_group_submit(group, &number_task, &next, NULL, &results[1]) == CF_OK;
    return number_task.run(arg, result, ctx);
}

static cf_task submitting_task(void) {
    cf_task task = number_task;
    task.run = run_and_submit;
    return task;
}

static void wait_for_both(void *context) {
    (void)context;
    const cf_task task = submitting_task();
    make_group((cf_group_options){0});
    submit_to_group(&task, 0);
    CHECK(cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, NULL) == CF_OK);
    CHECK(results[0] == pool_result(0) && results[1] == pool_result(1));
    end_group();
}

static void set_up_task_submits(void) {
    more_submitted = 0;
    pool_begin(1, plain, wait_for_both);
}

const scenario group_task_submits = {.name = "group_task_submits",
                                     .set_up = set_up_task_submits,
                                     .check = check_two_ran,
                                     .bound = 2};

/* ---- destroyed while a task of the group may submit -------------------------------------------- */

static void destroy_at_once(void *context) {
    (void)context;
    const cf_task task = submitting_task();
    make_group((cf_group_options){0});
    submit_to_group(&task, 0);
    end_group();
    CHECK(results[0] == 0 && (results[1] == 0 || more_submitted == 1));
}

static void check_no_more_than_submitted(void) {
    CHECK(pool_runs(0) <= 1);
    CHECK(pool_runs(1) <= more_submitted);
    check_freed();
}

static void set_up_destroyed(void) {
    more_submitted = 0;
    pool_begin(2, plain, destroy_at_once);
}

const scenario group_destroyed = {.name = "group_destroyed",
                                  .set_up = set_up_destroyed,
                                  .check = check_no_more_than_submitted,
                                  .bound = 1};

/* ---- a failure cancels the rest ------------------------------------------------------------------ */

static int run_and_fail(const void *arg, void *result, cf_task_context *ctx) {
    number_task.run(arg, result, ctx);
    return 7;
}

static void fail_and_cancel(void *context) {
    (void)context;
    cf_task task = number_task;
    cf_exception exception;
    const unsigned next = 1;
    task.run = run_and_fail;
    make_group((cf_group_options){.cancel_on_failure = true});
    submit_to_group(&task, 0);
    const cf_status status = cf_group_submit(group, &number_task, &next, NULL, &results[1]);
    CHECK(status == CF_OK || status == CF_ECANCELLED);
    more_submitted += status == CF_OK;
    CHECK(cf_group_wait(group, CF_ALL_COMPLETED, CF_FOREVER, &exception) == CF_ETASK);
    CHECK(exception.task_error == 7 && results[0] == 0);
    CHECK(results[1] == (pool_runs(1) > 0 ? pool_result(1) : 0));
    CHECK(cf_group_submit(group, &number_task, &next, NULL, NULL) == CF_ECANCELLED);
    end_group();
}

static void set_up_failure(void) {
    more_submitted = 0;
    pool_begin(1, plain, fail_and_cancel);
}

static void check_failed_one_ran(void) {
    CHECK(pool_runs(0) == 1);
    check_no_more_than_submitted();
}

const scenario group_failure = {
    .name = "group_failure", .set_up = set_up_failure, .check = check_failed_one_ran, .bound = 2};
