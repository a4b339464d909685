/* Forked jobs: the forker and a thief want the same job, and only one of them has it. */
#include "scenarios.h"

#include <cfutures_fork.h>

#include <string.h>

enum {
    JOBS = 6
};

static unsigned jobs_run[JOBS];
static const unsigned numbers[JOBS] = {0, 1, 2, 3, 4, 5};

static void *job(unsigned n) {
    return (void *)(uintptr_t)&numbers[n];
}

static void run_job(cf_strand *strand, void *number) {
    (void)strand;
    jobs_run[*(const unsigned *)number]++;
}

/* So many have run, once each. */
static void check_jobs(unsigned jobs) {
    for (unsigned n = 0; n < JOBS; n++) {
        CHECK(jobs_run[n] == (n < jobs ? 1u : 0u));
    }
}

static void begin(const cf_task *task) {
    memset(jobs_run, 0, sizeof jobs_run);
    pool_begin_bare(2, plain);
    pool_worker(0, pool_submit(task, 0));
}

/* ---- one job after the other, while a thief looks twice -------------------------------------- */

static int run_forks(const void *arg, void *result, cf_task_context *ctx) {
    cf_strand *strand = cf_task_strand(ctx);
    cf_fork *outer = cf_fork_push(strand, run_job, job(0));
    cf_fork *inner = cf_fork_push(strand, run_job, job(1));
    if (cf_fork_take(strand, inner)) {
        run_job(strand, job(1));
    }
    CHECK(jobs_run[1] == 1);
    if (cf_fork_take(strand, outer)) {
        run_job(strand, job(0));
    }
    check_jobs(2);
    cf_both(strand, run_job, job(2), run_job, job(3)); /* where the outer one was */
    check_jobs(4);
    return number_task.run(arg, result, ctx);
}

static const cf_task forking_task = {.name = "forking",
                                     .run = run_forks,
                                     .arg_size = sizeof(unsigned),
                                     .result_size = sizeof(uint64_t)};

static void steal_twice(void *context) {
    (void)context;
    pool_steal(1);
    pool_steal(1);
}

static void set_up_stolen(void) {
    begin(&forking_task);
    sim_thread("thief", steal_twice, NULL);
}

static void check_stolen(void) {
    cf_stats stats;
    pool_check_counts(&stats);
    CHECK(pool_runs(0) == 1 && stats.submitted <= 3);
    check_jobs(4);
}

const scenario fork_stolen = {
    .name = "fork_stolen", .set_up = set_up_stolen, .check = check_stolen, .bound = 2};

/* ---- the stolen job forks, and who joins has to run that ------------------------------------- */

static void await_theft(cf_strand *strand, void *number) {
    run_job(strand, number);
    pool_await(1);
}

static void await_help(cf_strand *strand, void *number) {
    run_job(strand, number);
    pool_await(2);
}

static void arrive(cf_strand *strand, void *number) {
    run_job(strand, number);
    pool_arrive();
}

static void run_other_half(cf_strand *strand, void *number) {
    arrive(strand, number);
    cf_both(strand, await_help, job(2), arrive, job(3));
}

static int run_needy(const void *arg, void *result, cf_task_context *ctx) {
    cf_both(cf_task_strand(ctx), await_theft, job(0), run_other_half, job(1));
    check_jobs(4);
    return number_task.run(arg, result, ctx);
}

static const cf_task needy_task = {.name = "needy",
                                   .run = run_needy,
                                   .arg_size = sizeof(unsigned),
                                   .result_size = sizeof(uint64_t)};

static void steal_one(void *context) {
    (void)context;
    while (!pool_steal(1)) {
        sim_pause(__func__);
    }
}

static void set_up_joined(void) {
    begin(&needy_task);
    sim_thread("thief", steal_one, NULL);
}

static void check_joined(void) {
    cf_stats stats;
    pool_check_counts(&stats);
    CHECK(pool_runs(0) == 1 && stats.submitted == 3);
    check_jobs(4);
}

const scenario fork_joined = {
    .name = "fork_joined", .set_up = set_up_joined, .check = check_joined, .bound = 1};
