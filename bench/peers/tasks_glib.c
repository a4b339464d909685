/* GLib's GThreadPool: pointers are pushed to threads of its own. It has no results; the last task to be
 * done wakes the caller. */
#include "bench/tasks.h"

#include <glib.h>
#include <semaphore.h>
#include <stdatomic.h>

static GThreadPool *pool;
static sem_t done;
static atomic_size_t undone;

static const char *version(void) {
    static char text[32];
    g_snprintf(text, sizeof text, "%u.%u.%u", glib_major_version, glib_minor_version,
               glib_micro_version);
    return text;
}

static int blocker; /* its address is the task that only waits */

static void run(gpointer data, gpointer context) {
    (void)context;
    if (data == &blocker) {
        gate_pass();
        return;
    }
    tiny_task *task = data;
    task->result = task->arg.a + task->arg.b;
    if (atomic_fetch_sub_explicit(&undone, 1, memory_order_acq_rel) == 1) {
        sem_post(&done);
    }
}

static void push(void *task) {
    if (!g_thread_pool_push(pool, task, NULL)) {
        bench_fail("g_thread_pool_push");
    }
}

/* An exclusive pool starts its threads at once. */
static void open_pool(unsigned workers) {
    sem_init(&done, 0, 0);
    pool = g_thread_pool_new(run, NULL, (gint)workers, TRUE, NULL);
    if (pool == NULL) {
        bench_fail("g_thread_pool_new");
    }
}

static void close_pool(void) {
    g_thread_pool_free(pool, FALSE, TRUE);
    sem_destroy(&done);
}

static void submit(const submit_job *job) {
    tiny_task *tasks = job->memory;
    atomic_store(&undone, job->count);
    for (size_t i = 0; i < job->count; i++) {
        tasks[i].arg = addends_of(i);
        push(&tasks[i]);
    }
}

static uint64_t collect(const submit_job *job) {
    const tiny_task *tasks = job->memory;
    while (sem_wait(&done) != 0) {}
    uint64_t sum = 0;
    for (size_t i = 0; i < job->count; i++) {
        sum += tasks[i].result;
    }
    return sum;
}

static uint64_t submit_all(const submit_job *job) {
    submit(job);
    return collect(job);
}

static uint64_t round_trip(addends arg) {
    tiny_task task = {.arg = arg};
    atomic_store(&undone, 1);
    push(&task);
    while (sem_wait(&done) != 0) {}
    return task.result;
}

static void block(unsigned workers) {
    for (unsigned i = 0; i < workers; i++) {
        push(&blocker);
    }
}

const task_contender tasks_glib = {.name = "glib",
                                   .version = version,
                                   .open = open_pool,
                                   .close = close_pool,
                                   .memory_size = sizeof(tiny_task),
                                   .ways = {[WAY_ALL] = submit_all},
                                   .submit = submit,
                                   .collect = collect,
                                   .round_trip = round_trip,
                                   .block = block};
