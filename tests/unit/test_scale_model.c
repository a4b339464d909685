/* The simulation of bench/scale_model.c against closed forms: what saturates, what latency
 * costs, what random lengths, looks at intervals and a tree change. */
#include "../check.h"

#include "bench/scale_model.h"

#include <math.h>
#include <stdlib.h>

TestSuite(scale_model, .timeout = TEST_SECONDS);

#define NS_PER_SECOND 1e9

static scale_result simulate(const scale_setting *setting) {
    scale_result result;
    cr_assert(scale_simulate(setting, &result));
    return result;
}

static void check_near(const char *what, double value, double wanted, double tolerance) {
    cr_assert(fabs(value / wanted - 1) <= tolerance, "%s is %.9g, wanted %.9g", what, value,
              wanted);
}

/* A task every `ns`, within 1 %. */
static void check_interval(const char *what, const scale_setting *setting, double ns) {
    check_near(what, simulate(setting).tasks_per_second, NS_PER_SECOND / ns, 0.01);
}

/* A manager takes 1000 ns a message, 200 a chunk, 5 a task; a worker 1000 and 100; a message
 * 2000. */
static scale_setting usual(unsigned workers, double task_ns) {
    return (scale_setting){
        .costs = {.manager_send_ns = 600,
                  .manager_receive_ns = 400,
                  .manager_chunk_ns = 200,
                  .manager_copy_ns = 5,
                  .worker_message_ns = 1000,
                  .worker_chunk_ns = 100,
                  .latency_ns = 2000},
        .task_ns = task_ns,
        .workers = workers,
        .chunk = 1,
        .pack = 1,
        .credit = 2,
        .warm_up = 40,
        .rounds = 200,
    };
}

/* ---- one manager ----------------------------------------------------------------------------- */

Test(scale_model, saturated_manager_sets_the_pace) {
    scale_setting setting = usual(1000, 1000);
    check_interval("single tasks", &setting, 1205);
    setting.task_ns = 1e6; /* 1000 workers ask for one each 1001 ns */
    check_interval("single tasks of 1 ms", &setting, 1205);
    check_near("manager_busy", simulate(&setting).manager_busy, 1, 0.01);
    setting.task_ns = 1000;
    setting.pack = 4;
    check_interval("packed", &setting, (1000 + 4 * 205) / 4.0);
    setting.chunk = 10;
    check_interval("packed chunks", &setting, (1000 + 4 * (200 + 10 * 5)) / 40.0);
}

Test(scale_model, saturated_for_random_lengths_too) {
    scale_setting setting = usual(1000, 1e5);
    setting.exponential = true;
    setting.seed = test_seed("saturated_for_random_lengths_too");
    check_interval("single tasks", &setting, 1205);
}

Test(scale_model, busy_workers_lose_their_own_costs_only) {
    scale_setting setting = usual(50, 1e5);
    const double wanted = 1e5 / (1e5 + 1000 + 100);
    check_near("efficiency", simulate(&setting).efficiency, wanted, 0.01);
    check_near("manager_busy", simulate(&setting).manager_busy, 50 * 1205 / 101100.0, 0.01);
    setting.exponential = true;
    setting.rounds = 20000;
    setting.seed = test_seed("busy_workers_lose_their_own_costs_only");
    check_near("efficiency, random", simulate(&setting).efficiency, wanted, 0.01);
}

Test(scale_model, credit_hides_latency) {
    scale_setting setting = usual(1, 10000);
    setting.credit = 1; /* there, run, back, and the manager's part: one after the other */
    check_interval("credit 1", &setting, 10000 + 1100 + 2 * 2000 + 1205);
    setting.credit = 2;
    check_interval("credit 2", &setting, 10000 + 1100);
    setting.task_ns = 1000; /* two round trips are under way, and neither hides the other */
    check_interval("credit 2, short tasks", &setting, (1000 + 1100 + 2 * 2000 + 1205) / 2.0);
    setting.credit = 4;
    check_interval("credit 4, short tasks", &setting, 1000 + 1100);
}

/* ---- looks at intervals ---------------------------------------------------------------------- */

Test(scale_model, idle_manager_looks_at_intervals) {
    scale_setting setting = usual(1, 4400);
    setting.credit = 1;
    setting.costs.manager_poll_ns = 3000; /* idle for 9500 ns: the fourth look finds the answer */
    check_interval("back-off", &setting, 600 + 102.5 + 12000 + 400 + 102.5);
}

Test(scale_model, idle_worker_looks_at_intervals) {
    scale_setting setting = usual(1, 4400);
    setting.credit = 1;
    setting.costs.worker_poll_ns = 1500; /* idle for 5205 ns: again the fourth look */
    check_interval("back-off", &setting, 4400 + 1100 + 6000);
}

/* ---- random lengths -------------------------------------------------------------------------- */

/* More than 0, at most 1. */
static double draw(uint64_t *seed) {
    return ((double)(random_next(seed) >> 12) + 1) * 0x1p-52;
}

static double draw_sum_slowly(uint64_t *seed, unsigned count) {
    double sum = 0;
    for (unsigned i = 0; i < count; i++) {
        sum -= log(draw(seed));
    }
    return sum;
}

/* Two workers, credit 1, one server: what a message takes at the server, in turns. The other
 * worker's answer waits if it comes meanwhile. */
static double repair_interval(uint64_t *seed, unsigned tasks, double task_ns, double service_ns) {
    const unsigned services = 400000;
    double answers[2] = {0, 0}, now = 0;
    for (unsigned i = 0; i < services; i++) {
        const unsigned first = answers[1] < answers[0];
        now = fmax(now, answers[first]) + service_ns;
        answers[first] = now + task_ns * draw_sum_slowly(seed, tasks);
    }
    return now / services / tasks;
}

static scale_setting two_workers(unsigned tasks, double task_ns, double service_ns) {
    return (scale_setting){
        .costs = {.manager_receive_ns = service_ns},
        .task_ns = task_ns,
        .exponential = true,
        .workers = 2,
        .chunk = tasks,
        .pack = 1,
        .credit = 1,
        .warm_up = 10,
        .rounds = 200000,
    };
}

/* While one answer is served the other worker computes, and ends meanwhile with the probability
 * 1 - exp(-service / task). If it does not, both compute, and the first ends after task / 2. */
Test(scale_model, exponential_lengths_wait_as_they_should) {
    scale_setting setting = two_workers(1, 1000, 1000);
    setting.seed = test_seed("exponential_lengths_wait_as_they_should");
    check_interval("exponential", &setting, 1000 + exp(-1) * 1000 / 2);
}

/* Sums of exponential lengths are drawn at once in the simulation, and one by one here. */
Test(scale_model, chunks_of_random_lengths) {
    uint64_t seed = test_seed("chunks_of_random_lengths");
    const unsigned sizes[] = {2, 3, 10, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        scale_setting setting = two_workers(sizes[i], 1000.0 / sizes[i], 1000);
        setting.seed = random_next(&seed);
        check_interval("chunks", &setting, repair_interval(&seed, sizes[i], setting.task_ns, 1000));
    }
}

Test(scale_model, seed_decides) {
    scale_setting setting = two_workers(1, 1000, 1000);
    setting.seed = 7;
    const double first = simulate(&setting).tasks_per_second;
    cr_assert(simulate(&setting).tasks_per_second == first);
    setting.seed = 8;
    cr_assert(simulate(&setting).tasks_per_second != first);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static scale_setting tree(unsigned workers, unsigned managers, double task_ns) {
    scale_setting setting = usual(workers, task_ns);
    setting.managers = managers;
    return setting;
}

Test(scale_model, tree_saturates_at_its_managers) {
    /* 100 workers a manager, 400 chunks a bundle: 205 ns and 5 once more for each chunk, and
     * 1000 for a message with one chunk and for a bundle with 400. */
    scale_setting setting = tree(1000, 10, 1000);
    check_interval("tree", &setting, (1000 + 205 + 5 + 1000 / 400.0) / 10);
    check_near("manager_busy", simulate(&setting).manager_busy, 1, 0.01);
    cr_assert(simulate(&setting).root_busy < 0.1);
}

Test(scale_model, tree_saturates_at_its_root) {
    /* 4 chunks of 50 tasks a bundle, one worker a manager. */
    scale_setting setting = tree(200, 200, 1000);
    setting.chunk = 50;
    check_interval("tree", &setting, (1000 + 200 + 200 * 5) / 200.0);
    check_near("root_busy", simulate(&setting).root_busy, 1, 0.01);
}

Test(scale_model, tree_keeps_workers_busy) {
    scale_setting setting = tree(1003, 10, 1e6); /* groups of two sizes */
    check_near("efficiency", simulate(&setting).efficiency, 1e6 / (1e6 + 1100), 0.01);
    setting.exponential = true;
    setting.seed = test_seed("tree_keeps_workers_busy");
    check_near("efficiency, random", simulate(&setting).efficiency, 1e6 / (1e6 + 1100), 0.02);
    setting.managers = 0; /* one manager cannot */
    cr_assert(simulate(&setting).efficiency < 0.9);
}

/* ---- the closed form ------------------------------------------------------------------------- */

static unsigned pick(uint64_t *seed, unsigned least, unsigned most) {
    return least + (unsigned)(random_next(seed) % (most - least + 1));
}

static scale_setting any_setting(uint64_t *seed) {
    scale_setting setting = usual(pick(seed, 1, 300), pow(10, pick(seed, 20, 70) / 10.0));
    double *costs[] = {&setting.costs.manager_send_ns,   &setting.costs.manager_receive_ns,
                       &setting.costs.manager_chunk_ns,  &setting.costs.manager_copy_ns,
                       &setting.costs.worker_message_ns, &setting.costs.worker_chunk_ns,
                       &setting.costs.latency_ns};
    for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++) {
        *costs[i] *= pick(seed, 1, 40) / 10.0;
    }
    setting.chunk = pick(seed, 1, 20);
    setting.pack = pick(seed, 1, 8);
    setting.credit = pick(seed, 1, 3);
    return setting;
}

/* What the formula leaves out is kept small: managers that wait for the root, and workers that
 * wait while their manager copies a bundle. */
static scale_setting any_tree(uint64_t *seed) {
    scale_setting setting = any_setting(seed);
    setting.managers = pick(seed, 1, 20);
    setting.workers = setting.managers * pick(seed, 10, 30);
    setting.credit = pick(seed, 2, 3);
    setting.bundle = 2 * scale_default_bundle(&setting);
    setting.costs.manager_copy_ns = pick(seed, 0, 100) / 100.0;
    setting.rounds = 1000;
    return setting;
}

static void check_formula(const scale_setting *setting, double tolerance) {
    const double wanted = scale_formula(setting), got = simulate(setting).tasks_per_second;
    cr_assert(fabs(got / wanted - 1) <= tolerance,
              "%u workers, %u managers, %.0f ns, chunk %u, pack %u, credit %u: %.9g tasks/s, the "
              "formula says %.9g",
              setting->workers, setting->managers, setting->task_ns, setting->chunk, setting->pack,
              setting->credit, got, wanted);
}

Test(scale_model, agrees_with_the_formula) {
    uint64_t seed = test_seed("agrees_with_the_formula");
    for (size_t i = 0; i < scaled(200); i++) {
        const scale_setting setting = any_setting(&seed);
        check_formula(&setting, 0.01);
    }
}

/* A bundle more or less in the measurement makes a percent. */
Test(scale_model, tree_agrees_with_the_formula) {
    uint64_t seed = test_seed("tree_agrees_with_the_formula");
    for (size_t i = 0; i < scaled(50); i++) {
        const scale_setting setting = any_tree(&seed);
        check_formula(&setting, 0.03);
    }
}
