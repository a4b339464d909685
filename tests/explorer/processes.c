#include "processes.h"

#include "include/hooks.h"
#include "include/kernel.h"

#include "cfutures/worker/worker.h"
#include "executors/nursery.h"

#include "platform/atomic.h"
#include "platform/clock.h"
#include "platform/futex.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ----------------------------------------------------------------------------------- */

enum {
    COMMAND_FILE = 100, /* in the order in which the pool makes them */
    EVENT_FILE,
    NURSERY_FILE, /* a descriptor of that process */
    HOST_FILE,
    NURSERY_PID = 2,
    FILE_IS_SET = 1, /* in `commands` and `events`: the file is readable; */
    ENDED = 2        /* a worker, or the nursery, has ended */
};

static _Atomic uint32_t commands, events; /* for the nursery; for the supervisor */
static unsigned files_made, files_open;

static void ring(_Atomic uint32_t *word, uint32_t bits) {
    plat_or_relaxed(word, bits);
    plat_futex_wake_all(word, true);
}

int sim_eventfd(void) {
    files_open++;
    return COMMAND_FILE + (int)files_made++;
}

int sim_close(int file) {
    CHECK(file >= COMMAND_FILE && file <= HOST_FILE && files_open > 0);
    files_open--;
    return 0;
}

void cfi_nursery_notify(int file) {
    ring(file == COMMAND_FILE ? &commands : &events, FILE_IS_SET);
}

void cfi_nursery_clear(int file) {
    CHECK(file == EVENT_FILE); /* the nursery clears its own */
    plat_and_release(&events, ~(uint32_t)FILE_IS_SET);
}

int sim_poll(struct pollfd *files, nfds_t count, int timeout_ms) {
    uint32_t wanted = 0;
    for (nfds_t i = 0; i < count; i++) {
        CHECK(files[i].fd == NURSERY_FILE || files[i].fd == EVENT_FILE);
        files[i].revents = 0;
        wanted |= files[i].fd == NURSERY_FILE ? ENDED : FILE_IS_SET;
    }
    uint32_t seen;
    while (((seen = plat_load_acquire(&events)) & wanted) == 0 && timeout_ms != 0) {
        plat_futex_wait(&events, seen, -1, true);
    }
    return (seen & wanted) != 0;
}

int sim_waitid(siginfo_t *info) {
    info->si_pid = (plat_load_acquire(&events) & ENDED) != 0 ? NURSERY_PID : 0;
    return 0;
}

/* To a worker's process group, in which there is nothing else. */
int sim_signal(pid_t pid, int number);
int sim_signal(pid_t pid, int number) {
    CHECK(pid < 0 && number == SIGKILL);
    return 0;
}

/* Seldom: each look is a round of choices. */
#define LOOK_NS INT64_C(1000000000)

/* ---- workers --------------------------------------------------------------------------------- */

enum {
    PROCESSES_MAX = 4, /* workers */
    FIRST_PID = 10,    /* of the thread with number 0 */
    BIRTH_NS = 1000000
};

typedef struct process {
    unsigned number;
    unsigned thread;
    cfi_record *record;     /* kept here: an unborn worker may outlive the pool */
    bool alive;             /* not reaped yet */
    _Atomic uint32_t ended; /* 0, or 1 + its wait status */
} process;

static process processes[PROCESSES_MAX];
static unsigned lives[PROCESSES_MAX];
static unsigned killed_life;
static mortals who_may_die;
static bool forks_fail;
static unsigned nursery_thread;

/* The run was declared over its time: the worker waits to be killed. */
static void await_kill(cfi_slot *slot) {
    static _Atomic uint32_t never;
    (void)slot;
    for (;;) {
        plat_futex_wait(&never, 0, -1, true);
    }
}

static const cfi_worker_hooks hooks = {.overrun = await_kill};

/* False: the nursery has died, and the kernel kills the worker. */
static bool await_birth(cfi_record *record) {
    bool dies = who_may_die == THE_NURSERY_DIES;
    while (plat_load_acquire(&record->process_state) == CFI_FORKING) {
        if (dies && sim_is_dead(nursery_thread)) {
            return false;
        }
        plat_futex_wait(&record->process_state, CFI_FORKING, dies ? plat_deadline_ns(BIRTH_NS) : -1,
                        true);
    }
    return true;
}

static void worker_main(void *context) {
    process *self = context;
    cfi_record *record = self->record;
    if (!await_birth(record)) {
        return;
    }
    cfi_worker_end end = cfi_worker_run(&(cfi_worker){.queue = &executor->queue,
                                                      .number = self->number,
                                                      .config = &executor->config,
                                                      .hooks = &hooks});
    if (end == CFI_WORKER_RETIRED) {
        plat_store_release(&record->ready, CFI_RETIRED);
    }
    plat_store_release(&self->ended, 1 + (end == CFI_WORKER_INIT_FAILED ? EXIT_FAILURE << 8 : 0));
    ring(&commands, ENDED);
}

static void start(unsigned number) {
    static const char *const names[PROCESSES_MAX] = {"worker 0", "worker 1", "worker 2",
                                                     "worker 3"};
    process *p = &processes[number];
    *p = (process){.number = number, .record = &executor->queue.records[number], .alive = true};
    lives[number]++;
    p->thread = sim_thread(names[number], worker_main, p);
    sim_death_rings(p->thread, &commands, ENDED);
    if (who_may_die == A_WORKER_DIES) {
        sim_may_die(p->thread);
    }
}

static void note_alive(unsigned number) {
    cfi_record *record = &executor->queue.records[number];
    plat_store_relaxed(&record->id, FIRST_PID + (int64_t)processes[number].thread);
    plat_store_release(&record->process_state, CFI_ALIVE);
    plat_futex_wake_all(&record->process_state, true);
}

void sim_process_ends(pid_t pid) {
    sim_kill((unsigned)(pid - FIRST_PID));
}

/* ---- the nursery: see nursery.c -------------------------------------------------------------- */

static bool fork_worker(unsigned number) {
    _Atomic uint32_t *life = &executor->queue.records[number].process_state;
    uint32_t vacant = CFI_VACANT;
    if (!plat_cas(life, &vacant, CFI_FORKING)) {
        return true;
    }
    if (forks_fail) {
        plat_store_release(life, CFI_VACANT);
        return false;
    }
    start(number);
    note_alive(number);
    return true;
}

/* 0, or the system's error. */
static int fill_vacancies(void) {
    const cfi_queue *queue = &executor->queue;
    unsigned wanted = plat_load_acquire(&queue->control->workers_wanted);
    for (unsigned i = 0; i < wanted; i++) {
        if (plat_load_acquire(&queue->records[i].process_state) == CFI_VACANT && !fork_worker(i)) {
            return EAGAIN;
        }
    }
    return 0;
}

static bool any_alive(void) {
    bool any = false;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        any = any || processes[i].alive;
    }
    return any;
}

static void tell_result(uint32_t asked, int error) {
    cfi_control *control = executor->queue.control;
    plat_store_release(&control->spawn_error, any_alive() ? 0 : error);
    plat_store_release(&control->spawn_answered, asked);
    plat_event_ring_always(&control->spawn_rounds, true);
    if (error != 0 && !any_alive()) {
        cfi_nursery_notify(EVENT_FILE);
    }
}

/* The worker's wait status; -1 = it lives. */
static int status_of(process *p) {
    uint32_t ended = plat_load_acquire(&p->ended);
    if (ended != 0) {
        return (int)ended - 1;
    }
    return sim_is_dead(p->thread) ? SIGKILL : -1;
}

static void reap(void) {
    bool any = false;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        process *p = &processes[i];
        int status = p->alive ? status_of(p) : -1;
        if (status >= 0) {
            cfi_record *record = &executor->queue.records[i];
            p->alive = false;
            plat_store_relaxed(&record->exit_state, status);
            plat_store_release(&record->process_state, CFI_DEAD);
            any = true;
        }
    }
    if (any) {
        cfi_nursery_notify(EVENT_FILE);
    }
}

static void send_signals(void) {
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        _Atomic uint32_t *request = &executor->queue.records[i].kill;
        if (processes[i].alive && plat_load_acquire(request) != 0 &&
            plat_swap_seq_cst(request, 0) != 0) {
            killed_life = lives[i];
            sim_kill(processes[i].thread);
        }
    }
}

/* After a fork that failed it looks again later. */
static void wait_for_events(bool refused) {
    bool in_time = true;
    while (plat_load_acquire(&commands) == 0 && in_time) {
        in_time = plat_futex_wait(&commands, 0, refused ? plat_deadline_ns(LOOK_NS) : -1, true);
    }
    plat_swap_seq_cst(&commands, 0);
}

static void nursery_main(void *context) {
    (void)context;
    while (plat_load_acquire(&executor->queue.control->quit) == 0) {
        reap();
        uint32_t asked = plat_load_acquire(&executor->queue.control->spawn_asked);
        int error = fill_vacancies();
        tell_result(asked, error);
        send_signals();
        wait_for_events(error != 0);
    }
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].alive) {
            sim_kill(processes[i].thread);
        }
    }
    ring(&events, ENDED);
}

pid_t sim_fork(void) {
    nursery_thread = sim_thread("nursery", nursery_main, NULL);
    sim_death_rings(nursery_thread, &events, ENDED);
    if (who_may_die == THE_NURSERY_DIES) {
        sim_may_die(nursery_thread);
    }
    return NURSERY_PID;
}

int sim_pidfd(pid_t pid) {
    files_open++;
    return pid == NURSERY_PID ? NURSERY_FILE : HOST_FILE;
}

_Noreturn void cfi_nursery_run(const cfi_nursery *nursery) {
    (void)nursery;
    abort(); /* there is no forked child */
}

/* ---- the pool -------------------------------------------------------------------------------- */

void processes_begin(unsigned workers, cf_pool_options options, mortals who,
                     void (*caller)(void *context)) {
    memset(processes, 0, sizeof processes);
    memset(lives, 0, sizeof lives);
    killed_life = 0;
    plat_store_relaxed(&commands, 0);
    plat_store_relaxed(&events, 0);
    files_made = files_open = 0;
    who_may_die = who;
    forks_fail = false;
    options.max_workers = workers > 0 ? workers : 1;
    options.arena_limit = 1 << 20;
    pool_forget();
    CHECK(cf_process_pool_create(&options, &executor) == CF_OK);
    plat_store_relaxed(&executor->started, workers);
    plat_store_relaxed(&executor->workers, workers);
    plat_store_relaxed(&executor->queue.control->workers, workers);
    plat_store_relaxed(&executor->queue.control->workers_wanted, workers);
    for (unsigned i = 0; i < workers; i++) {
        start(i);
        note_alive(i);
    }
    sim_thread("caller", caller, NULL);
}

void processes_refuse_forks(void) {
    forks_fail = true;
}

void processes_allow_forks(void) {
    forks_fail = false;
}

unsigned processes_life(unsigned worker) {
    return lives[worker];
}

unsigned processes_killed_life(void) {
    return killed_life;
}

bool processes_are_forgotten(void) {
    return files_open == 0;
}
