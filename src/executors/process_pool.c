/* Workers are processes that share the slots with the caller.
 *
 *      caller ──submit──▶ slots in shared memory ──▶ worker 0..n-1 (cfi_worker_run)
 *        ▲                                                │
 *        └──── the waiting caller reads the same slots ◀──┘
 *
 *      nursery      forks, reaps and kills the workers (executors/nursery.h)
 *      supervisor   a thread of the caller's process, which sleeps until a worker dies. It judges
 *                   what the worker left behind (cfi_executor_worker_died), has it replaced, and
 *                   notices the nursery's own death. When the arena has grown, it maps the new
 *                   pages ahead of submit
 *
 * While all live, caller and workers need neither of them. This file is about deaths.
 *
 *   - start_worker runs under the executor's lock, once for each worker (again if it failed). It
 *     raises workers_wanted and notifies the nursery. stop and join run without the lock.
 *   - The supervisor takes the executor's locks one after the other. It holds none while it sleeps.
 *   - The supervisor misses no death: the nursery sets `process_state` before it notifies, and the
 *     supervisor looks at every record after each event.
 *   - The supervisor sets `quit` when the pool is stopped and every worker is gone, or when no
 *     worker can be forked. It ends when the nursery has ended, by `quit` or because it died.
 *   - A pool without workers or without the nursery breaks, but only when no worker is left that
 *     could change a slot. So does a pool whose shared memory a task has overwritten.
 *   - A stopped nursery (SIGSTOP) reaps and kills nothing. The pool continues it when it asks it for
 *     something, and when the pool stops. */
#define _GNU_SOURCE
#include "cfutures/core/damage.h"
#include "cfutures/executor.h"
#include "executors/nursery.h"

#include "platform/assert.h"
#include "platform/cancellation.h"
#include "platform/clock.h"
#include "platform/descriptor.h"
#include "platform/fault.h"
#include "platform/futex.h"
#include "platform/pidfd.h"
#include "platform/refusal.h"
#include "platform/thread.h"
#include "platform/thread_id.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define WITHOUT_WORKERS_NS    INT64_C(2000000000) /* tasks without workers: then the pool breaks */
#define ORPHANS_NS            INT64_C(1000000000) /* wait for workers to die with their nursery */
#define WITHOUT_FILES_POLL_MS 10                  /* from look to look without usable descriptors */
#define STOPPED_LOOK_MS       1000 /* from look to look whether a task has overwritten a stopped pool */
#define NURSERY_LOOK_NS       INT64_C(10000000) /* from look to look whether the nursery lives */

typedef struct process_pool {
    cf_executor base;
    pid_t nursery;
    int nursery_pidfd; /* -1 where the system has none */
    int command_file;  /* see cfi_nursery */
    int event_file;
    pthread_t supervisor;
    uint64_t mapped;          /* bytes of the arena whose pages are in place; the supervisor's */
    int64_t without_since_ns; /* since when no worker can be forked; 0 = one can; likewise */
    bool quits;               /* the nursery was told to end; the supervisor's */
    int gives_up; /* errno of fork when no worker can be forked; 0 = not yet; likewise */

    /* Since when workers die and none begins a task, though there are some; 0 = they do begin them;
     * the supervisor's, like the next two. */
    int64_t fruitless_since_ns;
    int fruitless_status; /* wait status of the last one that died */
    uint64_t begun;       /* tasks, when it died */
} process_pool;

/* ---- making each other look ------------------------------------------------------------------ */

static void signal_nursery(const process_pool *self, int number) {
    plat_process_signal(self->nursery, self->nursery_pidfd, number);
}

/* If the program has closed the eventfd, by the signal that the nursery waits for beside it. SIGCONT
 * continues a nursery that is stopped; else the nursery blocks it. */
static void notify_nursery(const process_pool *self) {
    if (plat_descriptor_is_anonymous(self->command_file)) {
        cfi_nursery_notify(self->command_file);
    } else {
        signal_nursery(self, SIGCHLD);
    }
    signal_nursery(self, SIGCONT);
}

/* Without its eventfd the supervisor looks by itself (wait_for_events). */
static void notify_supervisor(const process_pool *self) {
    if (plat_descriptor_is_anonymous(self->event_file)) {
        cfi_nursery_notify(self->event_file);
    }
}

/* ---- the supervisor -------------------------------------------------------------------------- */

static bool is_stopped(const process_pool *self) {
    return plat_load_acquire(&self->base.stopping);
}

/* Workers whose records are in use. */
static unsigned workers_of(const process_pool *self) {
    return plat_load_acquire(&self->base.workers);
}

/* Under the lock. NULL: there is none. */
static const cf_future *pending_task(process_pool *self) {
    return cfi_slabs_find_pending(&self->base.slabs, UINT64_MAX);
}

/* A stopped pool still needs workers while it has tasks. This death may have made one pending
 * again. (The rewind changes nothing, unless a task has overwritten the cursor.) */
static bool needs_successor(process_pool *self) {
    cf_executor *executor = &self->base;
    plat_biased_lock_take(&executor->lock);
    bool needs = executor->refuses != CF_EBROKEN && !executor->cancels;
    if (needs && is_stopped(self)) {
        const cf_future *pending = pending_task(self);
        needs = pending != NULL;
        if (needs) {
            cfi_queue_rewind(&executor->queue, cfi_slab_ticket_of(pending));
        }
    }
    plat_biased_lock_give(&executor->lock);
    return needs;
}

/* The worker died before its first task, and not because the user ended all workers. */
static bool died_in_initializer(process_pool *self, const cfi_record *record) {
    cf_executor *executor = &self->base;
    plat_biased_lock_take(&executor->lock);
    bool told = executor->cancels;
    plat_biased_lock_give(&executor->lock);
    return executor->config.initializer != NULL && !told &&
           plat_load_acquire(&record->ready) == CFI_UNREADY;
}

/* A request that came too late must not kill the successor. */
static void drop_kill_request(process_pool *self, cfi_record *record) {
    cfi_assert(plat_peek(&record->process_state) == CFI_DEAD); /* there is no successor yet */
    plat_biased_lock_take(&self->base.lock);
    plat_store_relaxed(&record->kill, 0);
    plat_biased_lock_give(&self->base.lock);
}

/* Tasks that workers have begun, in all. */
static uint64_t tasks_begun(const process_pool *self) {
    uint64_t begun = 0;
    for (unsigned i = 0; i < workers_of(self); i++) {
        begun += plat_load_relaxed(&self->base.queue.records[i].begun);
    }
    return begun;
}

/* A worker has died. Has any task begun since the death before, or was there none to begin? */
static void note_whether_fruitless(process_pool *self, int wait_status) {
    uint64_t begun = tasks_begun(self);
    if (begun != self->begun || !cfi_queue_has_work(&self->base.queue)) {
        self->fruitless_since_ns = 0;
    } else if (self->fruitless_since_ns == 0) {
        self->fruitless_since_ns = plat_now_ns();
    }
    self->begun = begun;
    self->fruitless_status = wait_status;
}

static bool runs_task(const process_pool *self, unsigned worker) {
    const cfi_record *record = &self->base.queue.records[worker];
    uint32_t current = plat_load_acquire(&record->current);
    const cf_future *future =
        current > 0 ? cfi_slabs_future_at(&self->base.slabs, current - 1) : NULL;
    return plat_load_acquire(&record->process_state) == CFI_ALIVE && future != NULL &&
           cfi_word_is_run_by(plat_load_acquire(&cfi_slot_of(future)->word), worker);
}

static bool some_worker_runs_task(const process_pool *self) {
    for (unsigned i = 0; i < workers_of(self); i++) {
        if (runs_task(self, i)) {
            return true;
        }
    }
    return false;
}

/* Something ends each new process before it begins a task, for example a fork handler of another
 * library. */
static bool are_all_fruitless(const process_pool *self) {
    return self->fruitless_since_ns != 0 && cfi_queue_has_work(&self->base.queue) &&
           !some_worker_runs_task(self) &&
           plat_now_ns() - self->fruitless_since_ns >= WITHOUT_WORKERS_NS;
}

static void settle_death(process_pool *self, unsigned worker) {
    cfi_record *record = &self->base.queue.records[worker];
    int wait_status = plat_load_relaxed(&record->exit_state);
    bool retired = plat_load_acquire(&record->ready) == CFI_RETIRED;
    cfi_executor_worker_died(&self->base, worker, wait_status);
    note_whether_fruitless(self, wait_status);
    if (died_in_initializer(self, record)) {
        cfi_executor_init_failed(&self->base, worker, wait_status);
    }
    drop_kill_request(self, record);
    if (!needs_successor(self)) {
        plat_store_release(&record->process_state, CFI_GONE);
        return;
    }
    cfi_assert(plat_peek(&record->process_state) == CFI_DEAD);
    cfi_assert(plat_peek(&record->current) == 0 && plat_peek(&record->claimed) == 0);
    plat_bump_owned(retired ? &record->retired : &record->restarts, 1);
    plat_store_relaxed(&record->ready, CFI_UNREADY);
    plat_store_release(&record->process_state, CFI_VACANT);
    plat_fault_point(DEATH_VACANT);
}

static void settle_deaths(process_pool *self) {
    bool any = false;
    for (unsigned i = 0; i < workers_of(self); i++) {
        if (plat_load_acquire(&self->base.queue.records[i].process_state) == CFI_DEAD) {
            settle_death(self, i);
            any = true;
        }
    }
    if (any) {
        notify_nursery(self);
    }
}

/* For a stopped pool. Without tasks, workers that are not forked yet become GONE: nothing needs
 * them, and perhaps they cannot be forked. */
static bool all_gone(process_pool *self) {
    bool all = true;
    plat_biased_lock_take(&self->base.lock);
    bool idle = pending_task(self) == NULL;
    plat_biased_lock_give(&self->base.lock);
    cfi_assert(is_stopped(self));
    for (unsigned i = 0; i < workers_of(self); i++) {
        _Atomic uint32_t *state = &self->base.queue.records[i].process_state;
        uint32_t seen = CFI_VACANT;
        if (!idle || !plat_cas(state, &seen, CFI_GONE)) {
            all = all && plat_load_acquire(state) == CFI_GONE;
        }
    }
    return all;
}

static void quit(process_pool *self) {
    self->quits = true;
    plat_store_release(&self->base.queue.control->quit, 1);
    notify_nursery(self);
}

/* As waitid. By the pidfd where there is one: if another wait() of the caller has reaped the nursery,
 * its number may belong to another child by now. Else, or if the program has closed the pidfd, by
 * its number. */
static int wait_for_nursery(const process_pool *self, siginfo_t *info, int options) {
    int r = -1;
    errno = EBADF;
    if (self->nursery_pidfd >= 0) {
        r = waitid(PLAT_P_PIDFD, (id_t)self->nursery_pidfd, info, options);
    }
    return r != 0 && (errno == EBADF || errno == EINVAL)
               ? waitid(P_PID, (id_t)self->nursery, info, options)
               : r;
}

/* For a program that may not call waitid (a sandbox). If it has closed the pidfd too, or there is none,
 * nothing tells: then the nursery counts as ended, and the pool breaks. */
static bool nursery_ended_unwaited(const process_pool *self) {
    struct pollfd file = {.fd = self->nursery_pidfd, .events = POLLIN};
    return self->nursery_pidfd < 0 || poll(&file, 1, 0) != 0;
}

/* Looks for the nursery's end without reaping it. It has also ended if another wait() reaped it. */
static bool nursery_ended(const process_pool *self) {
    siginfo_t info = {0};
    if (wait_for_nursery(self, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        return info.si_pid != 0;
    }
    return errno == ECHILD || nursery_ended_unwaited(self);
}

/* True if it has ended by itself, and has reaped its workers. */
static bool reap_nursery(const process_pool *self) {
    siginfo_t info = {0};
    int r;
    plat_fault_forget(self->nursery);
    while ((r = wait_for_nursery(self, &info, WEXITED)) != 0 && errno == EINTR) {}
    return r == 0 && info.si_code == CLD_EXITED && info.si_status == EXIT_SUCCESS;
}

/* Tasks wait, no worker is left, and fork has failed for some time. The nursery keeps trying, and
 * notifies after each failure. */
static bool is_out_of_workers(process_pool *self) {
    const cfi_queue *queue = &self->base.queue;
    int error = plat_load_acquire(&queue->control->spawn_error);
    if (error == 0 || !cfi_queue_has_work(queue)) {
        self->without_since_ns = 0;
        return false;
    }
    int64_t now_ns = plat_now_ns();
    if (self->without_since_ns == 0) {
        self->without_since_ns = now_ns;
    }
    if (now_ns - self->without_since_ns >= WITHOUT_WORKERS_NS) {
        self->gives_up = error;
    }
    return self->gives_up != 0;
}

/* False: nothing has happened for STOPPED_LOOK_MS in a stopped pool.
 *
 * poll fails if the program has lowered its limit of descriptors below two (a sandbox), and does not
 * wait if it has closed one of these. Then the supervisor looks again and again. */
static bool wait_for_events(const process_pool *self) {
    struct pollfd files[] = {{.fd = self->nursery_pidfd, .events = POLLIN},
                             {.fd = self->event_file, .events = POLLIN}};
    int patience_ms = plat_pidfd_poll_ms(self->nursery_pidfd);
    if (patience_ms < 0 && is_stopped(self)) {
        patience_ms = STOPPED_LOOK_MS;
    }
    int ready = poll(files, 2, patience_ms);
    bool ours = plat_descriptor_is_anonymous(self->event_file);
    bool closed = !ours || (files[0].revents & POLLNVAL) != 0;
    if (ready < 0 || closed) {
        poll(NULL, 0, WITHOUT_FILES_POLL_MS);
    }
    if (ours) {
        cfi_nursery_clear(self->event_file);
    }
    return ready != 0;
}

/* The nursery is dead, and the kernel has sent its workers a SIGKILL, but not what they have started.
 * They can be judged when they are dead. A worker that is not noted as alive has touched nothing.
 * A group's number is not used again while the group has members. */
static void await_orphans(const process_pool *self) {
    int64_t deadline_ns = plat_now_ns() + ORPHANS_NS;
    for (unsigned i = 0; i < workers_of(self); i++) {
        const cfi_record *record = &self->base.queue.records[i];
        pid_t pid = (pid_t)plat_load_relaxed(&record->id);
        if (plat_load_acquire(&record->process_state) == CFI_ALIVE && pid > 1) {
            kill(-pid, SIGKILL);
            plat_process_await_end(pid, deadline_ns);
            plat_fault_forget(pid);
        }
    }
}

/* Maps the pages that the arena has grown by, so that submit does not touch them first. The first
 * touch of a page costs about 1 us, as much as the tasks in it. It goes in pieces, because the
 * address space is locked meanwhile. */
static void map_growth(process_pool *self) {
    enum {
        PIECE = 256 << 10
    };
    uint64_t end = plat_load_acquire(&self->base.queue.control->committed);
    uint64_t most = self->base.arena.region.size; /* a task may have overwritten it */
    end = end < most ? end : most;
    while (self->mapped < end) {
        uint64_t length = end - self->mapped < PIECE ? end - self->mapped : PIECE;
        plat_region_map(self->base.queue.base, self->mapped, length);
        self->mapped += length;
    }
}

static void *supervisor_main(void *context) {
    process_pool *self = context;
    plat_thread_name("cf-supervisor");
    while (!nursery_ended(self)) {
        settle_deaths(self);
        map_growth(self);
        if (are_all_fruitless(self)) {
            cfi_executor_all_fruitless(&self->base, self->fruitless_status);
        }
        if (is_out_of_workers(self) || plat_load_acquire(&self->base.damaged) ||
            (is_stopped(self) && all_gone(self))) {
            quit(self);
        }
        if (!wait_for_events(self) && is_stopped(self)) {
            cfi_damage_look(&self->base);
        }
    }
    bool has_reaped = reap_nursery(self);
    if (self->gives_up != 0 || !self->quits || plat_load_acquire(&self->base.damaged)) {
        if (!has_reaped) {
            await_orphans(self);
        }
        cfi_executor_break(&self->base, self->gives_up);
    }
    return NULL;
}

/* ---- the executor ---------------------------------------------------------------------------- */

/* The first submit waits for the first worker, so that it can return CF_EAGAIN if fork fails. */
static cf_status await_first_worker(process_pool *self, uint32_t asked) {
    cfi_assert(plat_biased_lock_is_held(&self->base.lock)); /* no other submit finds no worker */
    cfi_assert(plat_peek(&self->base.started) == 0);
    cfi_control *control = self->base.queue.control;
    const cfi_record *record = &self->base.queue.records[0];
    for (;;) {
        uint32_t seen = plat_event_seen(&control->spawn_rounds);
        if (plat_load_acquire(&record->process_state) > CFI_FORKING) {
            return CF_OK;
        }
        bool answered = plat_load_acquire(&control->spawn_answered) == asked;
        int error = plat_load_acquire(&control->spawn_error);
        if (answered && error != 0) {
            plat_refusal_note("fork", error);
            plat_store_release(&control->workers_wanted, 0);
            return CF_EAGAIN;
        }
        if (nursery_ended(self)) {
            return CF_EBROKEN;
        }
        plat_event_sleep(&control->spawn_rounds, seen, plat_now_ns() + NURSERY_LOOK_NS, true);
    }
}

static cf_status process_pool_start_worker(cf_executor *executor, unsigned worker) {
    process_pool *self = (process_pool *)executor;
    cfi_assert(plat_biased_lock_is_held(&executor->lock));
    cfi_assert(worker == plat_peek(&executor->started) && worker < executor->max_workers);
    int held = plat_cancellation_hold(); /* submit holds a lock */
    cfi_control *control = executor->queue.control;
    uint32_t asked = plat_load_relaxed(&control->spawn_asked) + (worker == 0 ? 1 : 0);
    plat_store_release(&control->workers_wanted, worker + 1);
    plat_store_release(&control->spawn_asked, asked);
    notify_nursery(self);
    cf_status status = worker == 0 ? await_first_worker(self, asked) : CF_OK;
    plat_cancellation_release(held);
    return status;
}

static void process_pool_grown(cf_executor *executor) {
    notify_supervisor((process_pool *)executor);
}

static void process_pool_damaged(cf_executor *executor) {
    notify_supervisor((process_pool *)executor);
}

static void process_pool_stop(cf_executor *executor) {
    notify_supervisor((process_pool *)executor);       /* there may be no death to see */
    signal_nursery((process_pool *)executor, SIGCONT); /* it must see the workers end */
}

static void process_pool_kill(cf_executor *executor, unsigned worker, int number) {
    _Atomic uint32_t *request = &executor->queue.records[worker].kill;
    cfi_assert(plat_biased_lock_is_held(&executor->lock)); /* as the dead are judged */
    cfi_assert(worker < plat_peek(&executor->started) && number > 0);
    if (plat_load_acquire(request) != SIGKILL) { /* another signal must not replace SIGKILL */
        plat_store_release(request, (uint32_t)number);
    }
    notify_nursery((process_pool *)executor);
}

static void close_files(const process_pool *self) {
    const int files[] = {self->nursery_pidfd, self->command_file, self->event_file};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (plat_descriptor_is_anonymous(files[i])) {
            close(files[i]);
        }
    }
}

static void process_pool_join(cf_executor *executor) {
    plat_thread_join(((process_pool *)executor)->supervisor);
}

static void process_pool_free(cf_executor *executor) {
    int held = plat_cancellation_hold();
    close_files((process_pool *)executor);
    plat_cancellation_release(held);
    cfi_executor_free(executor);
}

static const cfi_executor_ops process_pool_ops = {
    .kind = "process_pool",
    .start_worker = process_pool_start_worker,
    .kill = process_pool_kill,
    .grown = process_pool_grown,
    .damaged = process_pool_damaged,
    .stop = process_pool_stop,
    .join = process_pool_join,
    .free = process_pool_free,
};

/* ---- creation -------------------------------------------------------------------------------- */

/* Signals are blocked, so that none runs a handler of the caller in the child before the child has
 * reset them. */
static pid_t fork_nursery(process_pool *self) {
    pid_t host = getpid();
    int host_pidfd = plat_pidfd_open(host);
    sigset_t before;
    plat_signals_block(&before);
    pid_t pid = fork();
    if (pid < 0) {
        plat_refusal_note("fork", errno);
    }
    if (pid == 0) {
        const cfi_nursery nursery = {
            .queue = &self->base.queue,
            .config = &self->base.config,
            .host = host,
            .host_pidfd = host_pidfd,
            .command_file = self->command_file,
            .event_file = self->event_file,
        };
        cfi_nursery_run(&nursery);
    }
    plat_signals_restore(&before);
    close(host_pidfd);
    return pid;
}

static int make_eventfd(void) {
    return plat_noted_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
}

static bool start_nursery(process_pool *self) {
    self->command_file = make_eventfd();
    self->event_file = make_eventfd();
    if (self->command_file < 0 || self->event_file < 0) {
        return false;
    }
    self->nursery = fork_nursery(self);
    if (self->nursery < 0) {
        return false;
    }
    self->base.queue.followed = UINT64_MAX; /* the caller's process opens what it commits */
    plat_fault_point(CREATE_FORKED);
    self->nursery_pidfd = plat_pidfd_open(self->nursery);
    int error = plat_thread_start(&self->supervisor, supervisor_main, self);
    if (error != 0) {
        plat_refusal_note("pthread_create", error);
        quit(self);
        reap_nursery(self);
    }
    plat_fault_point(CREATE_DONE);
    return error == 0;
}

static cf_status create(const cf_pool_options *options, cf_executor **executor) {
    cf_status status =
        cfi_executor_create(sizeof(process_pool), &process_pool_ops, options, true, executor);
    if (status != CF_OK) {
        return status;
    }
    process_pool *self = (process_pool *)*executor;
    self->mapped = CFI_FIXED_BYTES;
    self->nursery_pidfd = -1;
    self->command_file = -1;
    self->event_file = -1;
    if (!start_nursery(self)) {
        process_pool_free(*executor);
        *executor = NULL;
        return CF_EAGAIN;
    }
    return CF_OK;
}

cf_status cf_process_pool_create(const cf_pool_options *options, cf_executor **executor) {
    int held = plat_cancellation_hold();
    cf_status status = create(options, executor);
    plat_cancellation_release(held);
    return status;
}
