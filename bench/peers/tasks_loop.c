/* No executor at all: the items of a map in a plain loop, by one thread. */
#include "bench/tasks.h"

static const char *version(void) {
    return "one thread";
}

static void open_nothing(unsigned workers) {
    (void)workers;
}

static void close_nothing(void) {
}

static void map(const map_job *job) {
    for (size_t i = 0; i < job->count; i++) {
        job->run(&job->in[i], &job->out[i], NULL);
    }
}

const task_contender tasks_loop = {
    .name = "loop", .version = version, .open = open_nothing, .close = close_nothing, .map = map};
