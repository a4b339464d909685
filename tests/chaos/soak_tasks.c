#include "soak_tasks.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

_Atomic pid_t (*soak_ran_by)[SOAK_WORKERS];
_Atomic uint64_t soak_progress;
const char *_Atomic soak_doing = "nothing";

void doing(const char *what) {
    atomic_store(&soak_doing, what);
    atomic_fetch_add(&soak_progress, 1);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static struct shared { counter gathered[SOAK_POOLS_MOST]; } * shared;

static uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 31) * 0x9e3779b97f4a7c15;
    return value ^ value >> 29;
}

static int run_job(const void *arg, void *result, cf_task_context *ctx) {
    const job *j = arg;
    const unsigned worker = cf_task_worker(ctx);
    const uint64_t value = mixed(j->value);
    if (j->in_process && worker < SOAK_WORKERS) {
        atomic_store_explicit(&soak_ran_by[j->pool][worker], getpid(), memory_order_relaxed);
    }
    switch ((manner)j->manner) {
    case FAILS:
        return 7;
    case DIES:
        if (j->in_process) {
            raise(SIGKILL);
        }
        break;
    case LATE:
        while (!cf_task_cancelled(ctx)) {
            usleep(100);
        }
        break;
    case GATHERS:
        counter_add(&shared->gathered[j->pool], 1);
        counter_wait(&shared->gathered[j->pool], (uint32_t)j->value);
        break;
    case PLAIN:
        break;
    }
    memcpy(result, &value, sizeof value);
    return 0;
}

const cf_task job_task = {
    .name = "job", .run = run_job, .arg_size = sizeof(job), .result_size = sizeof(uint64_t)};

const cf_task wide_task = {
    .name = "wide", .run = run_job, .arg_size = sizeof(wide_job), .result_size = sizeof(uint64_t)};

static int run_large(const void *arg, void *result, cf_task_context *ctx) {
    memset((char *)result + sizeof(uint64_t), *((const char *)arg + LARGE_ARG - 1),
           LARGE_RESULT - sizeof(uint64_t));
    return run_job(arg, result, ctx);
}

const cf_task large_task = {.name = "large",
                            .run = run_large,
                            .arg_size = LARGE_ARG,
                            .result_size = LARGE_RESULT,
                            .unzeroed = true};

void soak_tasks_init(void) {
    shared = shared_alloc(sizeof *shared);
    soak_ran_by = shared_alloc(SOAK_POOLS_MOST * sizeof *soak_ran_by);
}

uint32_t soak_gathered(const soak_pool *pool) {
    return counter_get(&shared->gathered[pool->number]);
}

/* ---- what is right --------------------------------------------------------------------------- */

job make_job(const soak_pool *pool, uint64_t value, manner m) {
    return (job){.value = value,
                 .pool = pool->number,
                 .manner = (uint16_t)m,
                 .in_process = pool->kind->in_processes};
}

static cf_status end_of(const soak_pool *pool, manner m) {
    return m == FAILS                              ? CF_ETASK
           : m == LATE                             ? CF_EDEADLINE
           : m == DIES && pool->kind->in_processes ? CF_EWORKER
                                                   : CF_OK;
}

void check_end(const soak_pool *pool, const job *j, unsigned retries, cf_status status,
               uint64_t value) {
    const cf_status expected = end_of(pool, (manner)j->manner);
    const bool killed = status == CF_EWORKER && retries == 0 && pool->may_be_killed;
    tally_add(&chaos->tasks, 1);
    if (status == CF_ETIMEDOUT) {
        tally_fault(&chaos->hung, "%s: %s: a task does not end", pool->kind->name,
                    atomic_load(&soak_doing));
    } else if (status != expected && !killed) {
        tally_fault(&chaos->lost, "%s: %s: a task ended with %s, not %s", pool->kind->name,
                    atomic_load(&soak_doing), cf_status_name(status), cf_status_name(expected));
    } else if (status == CF_OK && value != mixed(j->value)) {
        tally_fault(&chaos->lost, "%s: %s: a wrong result", pool->kind->name,
                    atomic_load(&soak_doing));
    }
}

bool went_well(const soak_pool *pool, const char *call, cf_status status) {
    if (status != CF_OK) {
        tally_fault(&chaos->lost, "%s: %s: %s: %s", pool->kind->name, atomic_load(&soak_doing),
                    call, cf_status_name(status));
    }
    return status == CF_OK;
}
