/* Workers are the members of one OpenMP team.
 *
 *      submit ──▶ slots ──▶ member 0..n-1 (cfi_worker_run) ──▶ the same slots ──▶ result
 *
 *      start_worker(0)   host thread ── region begins ─┬─ member 0, the host itself ─┬─ region ends
 *      start_worker(i)        opens member i's gate ──▶├─ member i ──────────────────┤
 *      not started, released at the end:               └─ member n-1, at its gate ───┘
 *
 * One region is open from the first submit until the executor stops. A region for each map would
 * put a barrier at the end of each map, and a submitted task would wait for the next region.
 *
 * OpenMP provides the threads, and the queue does all else, also for maps and streams. An
 * `omp task` cannot be cancelled, waited for with a timeout, or waited for outside its region.
 *
 * The host is a thread of our own, because libgomp keeps a team for each thread that begins
 * regions. So this team never mixes with those of the caller's threads. Only libgomp will do: it
 * ends a team's threads with the host (cmake/PrimepoolOpenmp.cmake).
 *
 * OpenMP starts all members at once, but the core counts workers one by one. It reads the records
 * of started workers only, and must count exactly the workers that can take a task. So a member
 * waits at its gate until its worker is started.
 *
 * Contract
 *   - start_worker runs under the executor's lock.
 *   - The first call starts the host, and sleeps until the region has begun and its members are
 *     counted. For a worker beyond that number start_worker returns CF_EAGAIN; the others do the
 *     work.
 *   - When member 0's own work has ended, the executor already refuses tasks, and no worker is
 *     started any more. So member 0 then releases the members that still wait at their gates.
 *   - join waits for the host, and the host for its members at the region's end.
 *   - The core is another library, which exports no internal function. This file calls those
 *     through the table that cf_openmp_create gets (executors/core_functions.h). Of platform/ it
 *     uses only inline functions that need no data or functions of the core's library. */
#define _GNU_SOURCE
#include <cfutures_openmp.h>

#include "executors/core_functions.h"

#include "platform/clock.h"
#include "platform/futex.h"
#include "platform/lock.h"
#include "platform/thread.h"
#include "platform/thread_id.h"

#include <ctype.h>
#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

typedef struct openmp_team {
    cf_executor base;
    const cfi_core_functions *core;
    pthread_t host;
    _Atomic uint32_t members; /* futex; 0 = not known yet, then the number that libgomp gave */
    _Atomic uint32_t *gates;  /* futexes, max_workers of them */
} openmp_team;

/* ---- gates ----------------------------------------------------------------------------------- */

enum {
    CLOSED,
    OPEN,
    OVER /* the member's worker is never started */
};

static void set_gate(_Atomic uint32_t *gate, uint32_t state) {
    plat_store_release(gate, state);
    plat_futex_wake_all(gate, false);
}

static bool pass(_Atomic uint32_t *gate) {
    while (plat_load_acquire(gate) == CLOSED) {
        plat_futex_wait(gate, CLOSED, -1, false);
    }
    return plat_load_relaxed(gate) == OPEN;
}

/* ---- how many threads the system has --------------------------------------------------------- */

/* OMP_STACKSIZE as libgomp reads it: in KiB, or with one of the letters B, K, M and G. No call of
 * OpenMP says it. 0: the system's default, which libgomp takes too if it cannot read the variable. */
static size_t stack_of_members(void) {
    static const char units[] = "bkmg";
    const char *text = getenv("OMP_STACKSIZE");
    text = text != NULL ? text : getenv("GOMP_STACKSIZE");
    if (text == NULL) {
        return 0;
    }
    char *end;
    unsigned shift = 10;
    errno = 0;
    const size_t number = strtoul(text, &end, 10);
    const bool is_number = end != text && errno == 0;
    end += strspn(end, " ");
    const char *unit = *end != '\0' ? strchr(units, tolower((unsigned char)*end)) : NULL;
    if (unit != NULL) {
        shift = 10 * (unsigned)(unit - units);
        end++;
    }
    end += strspn(end, " ");
    return is_number && *end == '\0' && number <= SIZE_MAX >> shift ? number << shift : 0;
}

/* If members are to be bound to places, libgomp binds each as it starts. A sandbox may refuse that. */
static bool members_can_be_bound(void) {
    cpu_set_t own;
    return omp_get_proc_bind() == omp_proc_bind_false ||
           sched_getaffinity(0, sizeof own, &own) != 0 ||
           sched_setaffinity(0, sizeof own, &own) == 0;
}

/* A thread that stays until its gate is opened. */
typedef struct guest {
    pthread_t thread;
    _Atomic int64_t id;
    _Atomic uint32_t *gate;
} guest;

static void *stay(void *context) {
    guest *self = context;
    plat_store_relaxed(&self->id, plat_thread_id());
    pass(self->gate);
    return NULL;
}

/* Waits until the kernel no longer counts the thread, which is later than pthread_join returns. */
static void see_off(const guest *left) {
    enum {
        LONG_ENOUGH_NS = 100000000 /* an id that still exists then is another thread's */
    };
    const int64_t until_ns = plat_now_ns() + LONG_ENOUGH_NS;
    plat_thread_join(left->thread);
    while (syscall(SYS_tgkill, getpid(), plat_load_relaxed(&left->id), 0) == 0 &&
           plat_now_ns() < until_ns) {
        sched_yield();
    }
}

/* libgomp ends the program when the system refuses it a thread. So the same number of threads, with
 * the same stacks, is made and ended first, and libgomp is asked for no more than the system
 * allowed, the calling thread included. Making a team thus takes two to three times as long as
 * making the threads of a thread pool. */
static unsigned threads_to_be_had(unsigned wanted) {
    const size_t stack = stack_of_members();
    guest *guests = members_can_be_bound() ? calloc(wanted, sizeof *guests) : NULL;
    _Atomic uint32_t gate = CLOSED;
    unsigned count = 0;
    while (guests != NULL && count + 1 < wanted) {
        guests[count].gate = &gate;
        if (plat_thread_start_with_stack(&guests[count].thread, stack, stay, &guests[count]) != 0) {
            break;
        }
        count++;
    }
    set_gate(&gate, OPEN);
    for (unsigned i = 0; i < count; i++) {
        see_off(&guests[i]);
    }
    free(guests);
    return count + 1;
}

/* ---- the team -------------------------------------------------------------------------------- */

/* Releases the members whose workers were never started. */
static void let_go(openmp_team *self, unsigned members) {
    for (unsigned i = 0; i < members; i++) {
        if (plat_load_relaxed(&self->gates[i]) == CLOSED) {
            set_gate(&self->gates[i], OVER);
        }
    }
}

static void be_member(openmp_team *self) {
    const unsigned number = (unsigned)omp_get_thread_num();
    const unsigned members = (unsigned)omp_get_num_threads();
    if (number == 0) {
        plat_store_release(&self->members, members);
        plat_futex_wake_all(&self->members, false);
    }
    if (pass(&self->gates[number])) {
        self->core->thread_worker_run(&self->base, number);
    }
    if (number == 0) {
        let_go(self, members);
    }
}

static void *host_main(void *context) {
    openmp_team *self = context;
    const unsigned threads = threads_to_be_had(self->base.max_workers);
    omp_set_dynamic(0); /* for this thread's regions only */
#pragma omp parallel num_threads(threads) default(none) shared(self)
    be_member(self);
    return NULL;
}

/* One team starts at a time: another one must not take the threads that this one has counted. */
static plat_lock start_lock = PLAT_LOCK_INITIALIZER;

static void free_start_lock(void) { /* in a forked child: a thread of the parent may have held it */
    plat_lock_init(&start_lock);
}

/* Under the executor's lock. False: the system refuses a thread. */
static bool start_team(openmp_team *self) {
    static bool prepared; /* under start_lock */
    plat_lock_take(&start_lock);
    prepared = prepared || plat_at_fork_in_child(free_start_lock);
    int error = prepared ? plat_thread_start(&self->host, host_main, self) : ENOMEM;
    while (error == 0 && plat_load_acquire(&self->members) == 0) {
        plat_futex_wait(&self->members, 0, -1, false);
    }
    plat_lock_give(&start_lock);
    if (error != 0) {
        self->core->refused(prepared ? "pthread_create" : "malloc", error);
    }
    return error == 0;
}

/* ---- the executor ---------------------------------------------------------------------------- */

static cf_status openmp_start_worker(cf_executor *executor, unsigned number) {
    openmp_team *self = (openmp_team *)executor;
    if (number == 0 && !start_team(self)) {
        return CF_EAGAIN;
    }
    if (number >= plat_load_relaxed(&self->members)) {
        return CF_EAGAIN;
    }
    set_gate(&self->gates[number], OPEN);
    return CF_OK;
}

static void openmp_join(cf_executor *executor) {
    if (plat_load_relaxed(&executor->started) > 0) { /* fixed after stop */
        plat_thread_join(((openmp_team *)executor)->host);
    }
}

static void openmp_free(cf_executor *executor) {
    openmp_team *self = (openmp_team *)executor;
    free(self->gates);
    self->core->executor_free(executor);
}

static const cfi_executor_ops openmp_ops = {
    .kind = "openmp",
    .start_worker = openmp_start_worker,
    .join = openmp_join,
    .free = openmp_free,
};

/* ---- creation -------------------------------------------------------------------------------- */

static unsigned least(unsigned a, unsigned b) {
    return b != 0 && b < a ? b : a;
}

/* The processors of OpenMP's places; 0 = threads are not bound to places. When they are, OpenMP has
 * bound the program's first thread to the first place, so its affinity does not show the others. */
static unsigned processors_in_places(void) {
    unsigned count = 0;
    for (int place = 0; place < omp_get_num_places(); place++) {
        count += (unsigned)omp_get_place_num_procs(place);
    }
    return least(count, (unsigned)omp_get_num_procs()); /* places may overlap */
}

/* 0: the default of every executor. */
static unsigned default_workers(const cfi_core_functions *core) {
    cf_cpu_explanation limits;
    unsigned count = core->worker_innermost() == NULL ? processors_in_places() : 0;
    if (count > 0) {
        cf_cpu_count(&limits);
        count = least(least(least(count, limits.cpuset), limits.quota), CF_WORKERS_MAX);
    }
    return count;
}

static const cf_pool_options no_options;

cf_status cf_openmp_create(const cf_pool_options *options, cf_executor **executor) {
    const cfi_core_functions *core = cf_core_functions(CFI_CORE_VERSION);
    if (executor == NULL) {
        return CF_EINVAL;
    }
    *executor = NULL;
    if (core == NULL) {
        return CF_EUNSUPPORTED;
    }
    cf_pool_options chosen = options != NULL ? *options : no_options;
    if (chosen.max_workers == 0) {
        chosen.max_workers = default_workers(core);
    }
    cf_status status =
        core->executor_create(sizeof(openmp_team), &openmp_ops, &chosen, false, executor);
    if (status != CF_OK) {
        return status;
    }
    openmp_team *self = (openmp_team *)*executor;
    self->core = core;
    self->base.max_workers = least(self->base.max_workers, (unsigned)omp_get_thread_limit());
    self->base.config.workers = self->base.max_workers;
    self->gates = calloc(self->base.max_workers, sizeof *self->gates);
    if (self->gates == NULL) {
        core->refused("malloc", ENOMEM);
        openmp_free(*executor);
        *executor = NULL;
        return CF_ENOMEM;
    }
    return CF_OK;
}
