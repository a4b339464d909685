/* Much work, which ranks may be lost with. Each result must be right and come once. */
#include "mpi/job.h"

#include <stdlib.h>

/* ---- tasks and a map ------------------------------------------------------------------------- */

static _Atomic uint32_t calls;

static void count_call(cf_future *future, void *context) {
    (void)context;
    CHECK(cf_future_done(future));
    atomic_fetch_add(&calls, 1);
}

static uint64_t *number_all(size_t count) {
    uint64_t *numbers = malloc((count + 1) * sizeof *numbers);
    for (size_t i = 0; numbers != NULL && i < count; i++) {
        numbers[i] = i;
    }
    return numbers;
}

/* A task that ends without a result ends as `allowed` says. Returns how many do. */
static size_t collect(cf_future **futures, size_t count, cf_status allowed) {
    cf_as_completed *completed;
    cf_future *next;
    unsigned char *seen = calloc(count + 1, 1);
    size_t others = 0, handed = 0, index;
    CHECK_EQUAL(cf_as_completed_create(futures, count, &completed), CF_OK);
    while (cf_as_completed_next(completed, 4 * LONG_WAIT, &next, &index) == CF_OK) {
        uint64_t result = 0;
        const cf_status status = cf_future_result(futures[index], 0, &result);
        CHECK(next == futures[index]);
        CHECK_EQUAL(seen[index]++, 0);
        if (status == CF_OK) {
            CHECK_EQUAL(result, answer_to(index));
        } else {
            CHECK_EQUAL(status, allowed);
            others++;
        }
        handed++;
    }
    CHECK_EQUAL(handed, count);
    cf_as_completed_destroy(completed);
    free(seen);
    return others;
}

static void run_tasks(cf_executor *executor, const uint64_t *numbers, cf_status allowed) {
    cf_future **futures = calloc(job.count + 1, sizeof *futures);
    size_t submitted = 0;
    atomic_store(&calls, 0);
    const cf_status status = cf_executor_submit_many(executor, &note_task, numbers, job.count, NULL,
                                                     futures, &submitted);
    CHECK(status == CF_OK || status == allowed);
    for (size_t i = 0; i < submitted; i++) {
        CHECK_EQUAL(cf_future_add_done_callback(futures[i], count_call, NULL), CF_OK);
    }
    const size_t others = collect(futures, submitted, allowed);
    printf("tasks: %zu right, %zu not\n", submitted - others, others + job.count - submitted);
    for (size_t i = 0; i < submitted; i++) {
        cf_future_release(futures[i]);
    }
    free(futures);
    job.count = submitted;
}

static void run_map(cf_executor *executor, const uint64_t *numbers) {
    uint64_t *results = calloc(job.map + 1, sizeof *results);
    size_t right = 0;
    CHECK_EQUAL(cf_executor_map(executor, &note_task, numbers, job.map, results, NULL), CF_OK);
    for (size_t i = 0; i < job.map; i++) {
        right += results[i] == answer_to(i);
    }
    CHECK_EQUAL(right, job.map);
    printf("map: %zu right\n", right);
    free(results);
}

static void check_stats(cf_executor *executor) {
    cf_stats stats;
    CHECK_EQUAL(cf_executor_stats(executor, &stats), CF_OK);
    CHECK_EQUAL(stats.pending, 0);
    CHECK_EQUAL(stats.running, 0);
    CHECK_EQUAL(stats.finished + stats.cancelled, stats.submitted);
}

static void work(cf_status allowed) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    uint64_t *numbers = number_all(job.count > job.map ? job.count : job.map);
    if (job.count > 0) {
        run_tasks(executor, numbers, allowed);
    }
    if (job.map > 0) {
        run_map(executor, numbers);
    }
    check_stats(executor);
    cf_executor_shutdown(executor, true, false); /* all callbacks have been called */
    CHECK_EQUAL(atomic_load(&calls), job.count);
    cf_executor_destroy(executor);
    free(numbers);
}

/* Every task ends well, whatever happens to ranks. */
static void run_work(void) {
    work(CF_OK);
}

/* All ranks are lost. */
static void run_broken(void) {
    work(CF_EBROKEN);
}

/* ---- pauses ---------------------------------------------------------------------------------- */

/* Works, says so in the ledger, idles until the gate opens, and works again. */
static void run_idle(void) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    uint64_t *numbers = number_all(job.count);
    run_tasks(executor, numbers, CF_OK);
    counter_add(&shared->reached, 1);
    CHECK(counter_wait(&shared->gate, 1));
    check_works(executor);
    cf_executor_destroy(executor);
    free(numbers);
}

/* ---- tasks that wait for the test ------------------------------------------------------------ */

static int wait_at_gate(const void *arg, void *result, cf_task_context *ctx) {
    const uint64_t number = *(const uint64_t *)arg;
    (void)ctx;
    atomic_fetch_add(&shared->runs[number], 1);
    counter_add(&shared->begun, 1);
    const bool opened = counter_wait(&shared->gate, 1);
    *(uint64_t *)result = answer_to(number);
    counter_add(&shared->ended, 1);
    return opened ? 0 : 1;
}

static const cf_task gate_task = {
    .name = "gate",
    .run = wait_at_gate,
    .arg_size = sizeof(uint64_t),
    .result_size = sizeof(uint64_t),
};

/* `count` tasks wait in the ranks until the test opens the gate. */
static void run_gate(void) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    cf_future **futures = calloc(job.count + 1, sizeof *futures);
    for (uint64_t i = 0; i < job.count; i++) {
        futures[i] = submit(executor, &gate_task, &i);
    }
    printf("submitted\n");
    CHECK_EQUAL(collect(futures, job.count, CF_OK), 0);
    printf("tasks: %zu right\n", job.count);
    for (size_t i = 0; i < job.count; i++) {
        cf_future_release(futures[i]);
    }
    counter_add(&shared->reached, 1);
    CHECK(counter_wait(&shared->gate, 2)); /* the test may want to see the ranks once more */
    check_works(executor);
    check_stats(executor);
    cf_executor_destroy(executor);
    free(futures);
}

const job_case work_cases[] = {
    {"work", run_work}, {"broken", run_broken}, {"idle", run_idle},
    {"gate", run_gate}, {NULL, NULL},
};
