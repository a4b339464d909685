#include "worker_life.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

chronicle *chronicle_new(manner how, int number, unsigned worker) {
    chronicle *c = shared_alloc(sizeof *c);
    c->how = how;
    c->number = number;
    c->worker = worker;
    c->from = UINT32_MAX;
    return c;
}

void chronicle_free(chronicle *c) {
    EXPECT_EQ(counter_get(&c->odd), 0);
    shared_free(c, sizeof *c);
}

/* One life, as its worker knows it. */
typedef struct life {
    chronicle *chronicle;
    unsigned worker;
    pid_t thread;
    uint32_t tasks;
} life;

static pid_t thread_id(void) {
    return (pid_t)syscall(SYS_gettid);
}

static int misbehave(chronicle *c) {
    switch (c->how) {
    case RETURNS_ERROR:
        return c->number;
    case IS_KILLED:
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        raise(c->number);
        break;
    case EXITS:
        _exit(c->number);
    case HANGS:
        return counter_wait(&c->gate, 1) ? 0 : ETIMEDOUT;
    case WELL:
        break;
    }
    return 0;
}

static int begin_life(void *context, unsigned worker, void **local) {
    chronicle *c = context;
    const bool fits = local && *local == NULL;
    counter_add(&c->odd, !fits);
    counter_add(&c->begun, 1);
    if (worker == c->worker || counter_get(&c->begun) >= c->from) {
        int error = misbehave(c);
        if (error != 0) {
            return error;
        }
    }
    life *l = malloc(sizeof *l);
    *l = (life){.chronicle = c, .worker = worker, .thread = thread_id()};
    *local = l;
    return 0;
}

static void end_life(void *context, unsigned worker, void *local) {
    chronicle *c = context;
    life *l = local;
    const bool same_thread = l && (l->thread == thread_id() || !row()->runs_beside_caller);
    counter_add(&c->odd, !l || l->chronicle != c || l->worker != worker || !same_thread);
    counter_add(&c->tasks, l ? l->tasks : 0);
    counter_add(&c->ended, 1);
    free(l);
}

static int run_live(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    life *l = cf_task_local(ctx);
    if (!l || l->worker != cf_task_worker(ctx) || l->thread != thread_id()) {
        return EFAULT;
    }
    *(uint64_t *)result = ++l->tasks;
    return 0;
}

const cf_task live_task = {.name = "live", .run = run_live, .result_size = sizeof(uint64_t)};

cf_executor *create_living(chronicle *c, unsigned workers, unsigned max_tasks) {
    return create_with((cf_pool_options){.max_workers = workers_of(workers),
                                         .max_tasks_per_worker = max_tasks,
                                         .initializer = begin_life,
                                         .finalizer = end_life,
                                         .context = c});
}
