/* Pools in control groups. A task that takes too much memory is killed, and ends alone: CF_EWORKER with
 * SIGKILL. With a fifth of a processor a pool goes on, and no task runs out of time that had time enough. If
 * there is no room for all processes, the pool runs with fewer workers, or a call says what was refused.
 *
 *     groups [SECONDS]
 *
 * Without SECONDS each limit is tried once. What the machine has no control groups for is skipped; if it has
 * them for nothing, the exit code is 77. Each pool is in a host, which is in the group too. */
#include "group.h"
#include "tally.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    TASKS = 40,
    RETRIES = 100,
    SKIPPED = 77
};

#define MIB              ((size_t)1 << 20)
#define MEMORY_LIMIT     (96 * MIB)
#define FAR_TOO_MUCH     (4 * MEMORY_LIMIT)
#define LIMIT_ENOUGH_NS  (10 * SECOND) /* for what takes some 0.1 s with a fifth of a processor */
#define LIMIT_TOO_FEW_NS (200 * MILLISECOND)

/* ---- tasks ----------------------------------------------------------------------------------- */

typedef enum manner {
    PLAIN,
    EATS,    /* memory */
    COMPUTES /* for some milliseconds of processor time; or without end, if value is 0 */
} manner;

typedef struct job {
    uint64_t value;
    uint64_t manner;
} job;

static int run_job(const void *arg, void *result, cf_task_context *ctx) {
    const job *j = arg;
    const uint64_t value = j->value * j->value + 1;
    if (j->manner == EATS) {
        for (size_t eaten = 0; eaten < FAR_TOO_MUCH; eaten += MIB) {
            char *more =
                mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (more != MAP_FAILED) {
                memset(more, 1, MIB);
            }
        }
    } else if (j->manner == COMPUTES) {
        struct timespec used;
        const int64_t most_ns = j->value == 0 ? INT64_MAX : 5 * MILLISECOND;
        int64_t start_ns = -1, now = 0;
        while (now - start_ns < most_ns && !cf_task_cancelled(ctx)) {
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
            now = used.tv_sec * SECOND + used.tv_nsec;
            start_ns = start_ns < 0 ? now : start_ns;
        }
    }
    memcpy(result, &value, sizeof value);
    return 0;
}

static const cf_task job_task = {
    .name = "job", .run = run_job, .arg_size = sizeof(job), .result_size = sizeof(uint64_t)};

static const char *part; /* for complaints */

static cf_future *submit(cf_executor *pool, job j, unsigned retries, int64_t timeout_ns) {
    const cf_submit_options options = {.retries = retries, .timeout_ns = timeout_ns};
    cf_future *future = NULL;
    const cf_status status = cf_executor_submit_with(pool, &job_task, &j, &options, &future);
    if (status != CF_OK) {
        tally_fault(&chaos->lost, "%s: submit: %s", part, cf_status_name(status));
    }
    return future;
}

/* How it ended; it must have ended as expected. Releases the future. */
static cf_exception collect(cf_future *future, job j, cf_status expected) {
    cf_exception e = {.status = CF_EINVAL};
    uint64_t value = 0;
    if (future == NULL) {
        return e;
    }
    const cf_status status = cf_future_result(future, LONG_WAIT, &value);
    cf_future_exception(future, 0, &e);
    tally_add(&chaos->tasks, 1);
    if (status == CF_ETIMEDOUT) {
        tally_fault(&chaos->hung, "%s: a task does not end", part);
    } else if (status != expected) {
        tally_fault(&chaos->lost, "%s: a task ended with %s, signal %d, not %s", part,
                    cf_status_name(status), e.signal, cf_status_name(expected));
    } else if (status == CF_OK && value != j.value * j.value + 1) {
        tally_fault(&chaos->lost, "%s: a wrong result", part);
    }
    cf_future_release(future);
    return e;
}

static cf_executor *make_pool(unsigned workers) {
    cf_executor *pool = NULL;
    const cf_status status =
        cf_process_pool_create(&(cf_pool_options){.max_workers = workers}, &pool);
    if (status != CF_OK) {
        tally_fault(&chaos->lost, "%s: create: %s", part, cf_status_name(status));
    }
    return pool;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int live_with_little_memory(void *context) {
    cf_future *futures[TASKS];
    job jobs[TASKS];
    HOST_CHECK(group_enter(context));
    cf_executor *pool = make_pool(WORKERS);
    HOST_CHECK(pool != NULL);
    for (unsigned i = 0; i < TASKS; i++) {
        jobs[i] = (job){.value = i, .manner = i % 8 == 3 ? EATS : PLAIN};
        futures[i] = submit(pool, jobs[i], jobs[i].manner == EATS ? 0 : RETRIES, 0);
    }
    for (unsigned i = 0; i < TASKS; i++) {
        const bool eats = jobs[i].manner == EATS;
        const cf_exception e = collect(futures[i], jobs[i], eats ? CF_EWORKER : CF_OK);
        tally_add(&chaos->kills, eats);
        if (eats && e.status == CF_EWORKER && e.signal != SIGKILL) {
            tally_fault(&chaos->lost, "%s: ended by signal %d", part, e.signal);
        }
    }
    cf_executor_destroy(pool);
    return 0;
}

static bool limit_memory(const group *g) {
    char text[32];
    snprintf(text, sizeof text, "%zu", MEMORY_LIMIT);
    /* No swap: else it would be used up first. */
    group_set(g, "memory.swappiness", "memory.swap.max", "0");
    return group_set(g, "memory.limit_in_bytes", "memory.max", text);
}

static void check_memory(const group *g) {
    const long kills = group_get(g, "memory.oom_control", "memory.events", "oom_kill");
    if (kills == 0) {
        tally_fault(&chaos->lost, "memory: the limit has killed nothing");
    }
}

/* ---- processor time -------------------------------------------------------------------------- */

static int live_with_little_time(void *context) {
    cf_future *futures[TASKS], *late[2];
    job jobs[TASKS];
    const job endless = {.value = 0, .manner = COMPUTES};
    HOST_CHECK(group_enter(context));
    HOST_CHECK(cf_cpu_count(NULL) == 1);
    cf_executor *pool = make_pool(WORKERS);
    HOST_CHECK(pool != NULL);
    for (unsigned i = 0; i < TASKS; i++) {
        jobs[i] = (job){.value = i + 1, .manner = COMPUTES};
        futures[i] = submit(pool, jobs[i], RETRIES, LIMIT_ENOUGH_NS);
    }
    for (unsigned i = 0; i < COUNT_OF(late); i++) {
        late[i] = submit(pool, endless, 0, LIMIT_TOO_FEW_NS);
    }
    for (unsigned i = 0; i < TASKS; i++) {
        cf_worker_stats worker;
        if (i % 8 == 1 && cf_executor_worker_stats(pool, i / 8 % WORKERS, &worker) == CF_OK &&
            worker.id > 1) {
            kill((pid_t)worker.id, SIGKILL);
            tally_add(&chaos->kills, 1);
        }
        collect(futures[i], jobs[i], CF_OK);
    }
    for (unsigned i = 0; i < COUNT_OF(late); i++) {
        collect(late[i], endless, CF_EDEADLINE);
    }
    cf_executor_destroy(pool);
    return 0;
}

static bool limit_time(const group *g) {
    return g->is_v2 ? group_set(g, "", "cpu.max", "20000 100000")
                    : group_set(g, "cpu.cfs_period_us", "", "100000") &&
                          group_set(g, "cpu.cfs_quota_us", "", "20000");
}

/* A machine that is busy may give the group less than its quota. */
static void check_time(const group *g) {
    if (group_get(g, "cpu.stat", "cpu.stat", "nr_throttled") == 0) {
        printf("groups: cpu: the quota has held back nothing\n");
    }
}

/* ---- processes ------------------------------------------------------------------------------- */

/* A pool broke because the system refuses processes, and says so. */
static bool is_refused(const cf_exception *e) {
    return e->status == CF_EBROKEN && e->worker == -1 && e->task_error == EAGAIN;
}

static void use_few_processes(cf_executor *pool, unsigned room) {
    cf_future *futures[TASKS] = {NULL};
    job jobs[TASKS];
    unsigned done = 0, refused = 0, count = 0;
    for (; count < TASKS; count++) {
        jobs[count] = (job){.value = count, .manner = PLAIN};
        const cf_submit_options options = {.retries = RETRIES};
        const cf_status status =
            cf_executor_submit_with(pool, &job_task, &jobs[count], &options, &futures[count]);
        if (status != CF_OK) {
            if (status != CF_EAGAIN && status != CF_EBROKEN) {
                tally_fault(&chaos->lost, "pids: room for %u: submit: %s", room,
                            cf_status_name(status));
            }
            break;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t value = 0;
        cf_exception e = {.status = CF_ETIMEDOUT};
        const cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
        cf_future_exception(futures[i], 0, &e);
        tally_add(&chaos->tasks, 1);
        if (status == CF_ETIMEDOUT) {
            tally_fault(&chaos->hung, "pids: room for %u: a task does not end", room);
        } else if (status != CF_OK && !is_refused(&e)) {
            tally_fault(&chaos->lost, "pids: room for %u: a task ended with %s, %d", room,
                        cf_status_name(status), e.task_error);
        } else if (status == CF_OK && value != jobs[i].value * jobs[i].value + 1) {
            tally_fault(&chaos->lost, "pids: a wrong result");
        }
        done += status == CF_OK;
        refused += status != CF_OK;
        cf_future_release(futures[i]);
    }
    if (done > 0 && refused > 0) {
        tally_fault(&chaos->lost, "pids: room for %u: broke, but had a worker", room);
    }
}

/* With room for one process or thread more, for two, ... A pool has a thread, a nursery and workers. */
static int live_with_few_processes(void *context) {
    const group *g = context;
    HOST_CHECK(group_enter(g));
    const long now = group_get(g, "pids.current", "pids.current", "");
    HOST_CHECK(now > 0);
    for (unsigned room = 0; room < 8; room++) {
        char text[32];
        cf_executor *pool = NULL;
        snprintf(text, sizeof text, "%ld", now + (long)room);
        HOST_CHECK(group_set(g, "pids.max", "pids.max", text));
        const cf_status status =
            cf_process_pool_create(&(cf_pool_options){.max_workers = 4}, &pool);
        if (status == CF_OK) {
            use_few_processes(pool, room);
            cf_executor_destroy(pool);
        } else if (status != CF_EAGAIN || cf_refused_call(NULL) == NULL) {
            tally_fault(&chaos->lost, "pids: room for %u: create: %s", room,
                        cf_status_name(status));
        }
        tally_add(&chaos->calls, 1);
    }
    HOST_CHECK(group_set(g, "pids.max", "pids.max", "max"));
    part = "pids";
    cf_executor *pool = make_pool(WORKERS);
    HOST_CHECK(pool != NULL);
    const job j = {.value = 5, .manner = PLAIN};
    collect(submit(pool, j, RETRIES, 0), j, CF_OK);
    cf_executor_destroy(pool);
    return 0;
}

static bool limit_processes(const group *g) {
    return group_set(g, "pids.max", "pids.max", "max");
}

static void check_processes(const group *g) {
    if (group_get(g, "pids.events", "pids.events", "max") == 0) {
        tally_fault(&chaos->lost, "pids: the limit has refused nothing");
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static const struct limit {
    const char *resource;
    bool (*set)(const group *g);
    host_body *live;
    void (*check)(const group *g);
} limits[] = {
    {"memory", limit_memory, live_with_little_memory, check_memory},
    {"cpu", limit_time, live_with_little_time, check_time},
    {"pids", limit_processes, live_with_few_processes, check_processes},
};

/* False if the machine cannot. */
static bool try_limit(const struct limit *limit, bool says_why) {
    group g;
    const char *why = "its limit may not be set";
    part = limit->resource;
    if (!group_make(&g, limit->resource, &why)) {
        if (says_why) {
            printf("groups: %s is skipped: %s\n", limit->resource, why);
        }
        return false;
    }
    if (!limit->set(&g)) {
        group_remove(&g);
        if (says_why) {
            printf("groups: %s is skipped: %s\n", limit->resource, why);
        }
        return false;
    }
    const int status = host_run(limit->live, &g);
    if (status != 0) {
        tally_fault(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? &chaos->hung
                                                                       : &chaos->lost,
                    "%s: the program ended: status %#x", limit->resource, (unsigned)status);
    }
    limit->check(&g);
    const unsigned left = group_remove(&g);
    if (left > 0) {
        tally_fault(&chaos->leaked, "%s: %u processes are left", limit->resource, left);
    }
    return true;
}

int main(int argc, char **argv) {
    const int64_t seconds = tally_begin("groups", argc, argv);
    const int64_t until_ns = now_ns() + seconds * SECOND;
    bool any = false, first = true;
    do {
        for (size_t i = 0; i < COUNT_OF(limits); i++) {
            any = try_limit(&limits[i], first) || any;
        }
        first = false;
    } while (any && tally_is_clean() && now_ns() < until_ns);
    const int code = tally_end();
    return any ? code : SKIPPED;
}
