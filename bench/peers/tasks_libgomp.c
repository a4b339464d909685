/* GCC's OpenMP. A team of so many threads as there are to be workers, of which the one that makes
 * the tasks is one: with 2 on 2 cores no two of them share a core, which is where libgomp is best.
 *
 * Beyond 64 tasks a thread that makes another runs it at once, so there is no number of pending ones
 * to be measured. */
#include "bench/peers/libgomp_team.h"
#include "bench/tasks.h"

#include <omp.h>

#define CHUNK 256 /* items that a thread takes at a time, where they are short */

static uint64_t submit_all(const submit_job *job) {
    uint64_t *results = job->memory;
#pragma omp parallel num_threads(team)
#pragma omp single
    for (size_t i = 0; i < job->count; i++) {
        const addends arg = addends_of(i);
        uint64_t *result = &results[i];
#pragma omp task firstprivate(arg, result)
        *result = arg.a + arg.b;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < job->count; i++) {
        sum += results[i];
    }
    return sum;
}

static void map(const map_job *job) {
#pragma omp parallel for schedule(dynamic, CHUNK) num_threads(team)
    for (size_t i = 0; i < job->count; i++) {
        job->run(&job->in[i], &job->out[i], NULL);
    }
}

static void map_one_by_one(const map_job *job) {
#pragma omp parallel for schedule(dynamic) num_threads(team)
    for (size_t i = 0; i < job->count; i++) {
        job->run(&job->in[i], &job->out[i], NULL);
    }
}

const task_contender tasks_libgomp = {.name = "libgomp",
                                      .version = version,
                                      .open = open_team,
                                      .close = close_team,
                                      .memory_size = sizeof(uint64_t),
                                      .memory_is_apart = 1,
                                      .ways = {[WAY_ALL] = submit_all},
                                      .map = map};
const task_contender tasks_libgomp_1 = {.name = "libgomp_1",
                                        .version = version,
                                        .open = open_team,
                                        .close = close_team,
                                        .map = map_one_by_one};
