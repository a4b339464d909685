#define _GNU_SOURCE
#include "executors/nursery.h"

#include "cfutures/queue/wakeup.h"
#include "cfutures/worker/worker.h"

#include "platform/assert.h"
#include "platform/cancellation.h"
#include "platform/clock.h"
#include "platform/fault.h"
#include "platform/futex.h"
#include "platform/on_leaving.h"
#include "platform/pidfd.h"
#include "platform/thread_id.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum {
    LOOK_MS = 50 /* from look to look after a failed fork, or while the caller may be stopped */
};

#define STOPPED_LOOK_NS (LOOK_MS * INT64_C(1000000))

typedef struct nursery_state {
    const cfi_nursery *links;
    pid_t self;
    unsigned alive;
    unsigned known;     /* most workers that were ever wanted */
    int64_t stopped_ns; /* when Ctrl-Z stopped the workers; 0 = they are not stopped */
    bool blind;         /* a sandbox refuses waitid, so no death would be seen */
    pid_t pids[CF_WORKERS_MAX];
} nursery_state;

/* ---- talking --------------------------------------------------------------------------------- */

void cfi_nursery_notify(int event_file) {
    uint64_t one = 1;
    ssize_t r;
    int held = plat_cancellation_hold(); /* submit comes here with a lock */
    do {
        r = write(event_file, &one, sizeof one);
    } while (r < 0 && errno == EINTR); /* EAGAIN: the counter is full, so its reader will look */
    plat_cancellation_release(held);
}

void cfi_nursery_clear(int event_file) {
    uint64_t count;
    ssize_t r;
    do {
        r = read(event_file, &count, sizeof count);
    } while (r < 0 && errno == EINTR);
}

/* ---- the worker process ---------------------------------------------------------------------- */

static void flush_output(void) {
    if (__fpending(stdout) > 0) {
        fflush(stdout);
    }
}

/* A signal that was sent since the fork is pending, and is delivered here. */
static void let_signals_through(const cfi_worker_config *config) {
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTTIN,
                                  SIGTTOU}; /* would stop a background process group */
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    signal(SIGCHLD, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    if (config->ignores_sigterm) {
        signal(SIGTERM, SIG_IGN);
    }
    sigprocmask(SIG_SETMASK, &config->signal_mask, NULL);
}

static pid_t nursery_pid; /* in a worker */

/* The run was declared over its time, so the worker will be killed. It must begin nothing more. Or a
 * task has overwritten the slot: then the worker's death lets the caller look at it. */
static void await_kill(cfi_slot *slot) {
    while ((plat_load_acquire(&slot->word) & CFI_EXPIRED) != 0) {
        pause();
    }
    _exit(EXIT_FAILURE);
}

/* The kernel forgets the signal for the nursery's death when the worker changes its user. */
static void die_with_nursery(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != nursery_pid) { /* it died before that took effect */
        _exit(EXIT_FAILURE);
    }
}

static const cfi_worker_hooks hooks = {
    .begun = die_with_nursery, .after_task = flush_output, .overrun = await_kill};

/* Waits until the nursery has noted the worker as alive. Before that the worker touches nothing, so
 * that a nursery that dies in between leaves no active worker that the supervisor does not know. */
static void await_birth(cfi_record *record) {
    while (plat_load_acquire(&record->process_state) == CFI_FORKING) {
        plat_futex_wait(&record->process_state, CFI_FORKING, -1, true);
    }
}

typedef struct worker_life {
    const cfi_worker_config *config;
    int code; /* exit status */
} worker_life;

/* Comes also when a task has called pthread_exit: the process then ends though the task may have
 * started other threads. */
static _Noreturn void end_worker(const worker_life *life) {
    flush_output();
    if (life->config->runs_exit_handlers) {
        exit(life->code);
    }
    _exit(life->code); /* the exit handlers and the buffers of stdio are the caller's */
}

static _Noreturn void worker_main(const nursery_state *state, unsigned worker) {
    const cfi_nursery *links = state->links;
    nursery_pid = state->self;
    plat_fault_become(PLAT_FAULT_WORKER, worker);
    plat_fault_point(WORKER_FORKED);
    die_with_nursery();
    cfi_record *record = &links->queue->records[worker];
    setpgid(0, 0);
    await_birth(record);
    cfi_assert(plat_peek(&record->id) == getpid() && plat_peek(&record->ready) == CFI_UNREADY);
    cfi_assert(plat_peek(&record->current) == 0 && plat_peek(&record->claimed) == 0);
    plat_thread_name_worker(links->config->name, worker);
    close(links->host_pidfd);
    close(links->command_file);
    close(links->event_file);
    let_signals_through(links->config);
    worker_life life PLAT_ON_LEAVING(end_worker) = {.config = links->config};
    cfi_worker_end end = cfi_worker_run(&(cfi_worker){
        .queue = links->queue, .number = worker, .config = links->config, .hooks = &hooks});
    if (end == CFI_WORKER_RETIRED) {
        plat_store_release(&record->ready, CFI_RETIRED);
    }
    life.code = end == CFI_WORKER_INIT_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
    end_worker(&life);
}

/* ---- forking, reaping, killing --------------------------------------------------------------- */

static bool fork_worker(nursery_state *state, unsigned worker) {
    cfi_record *record = &state->links->queue->records[worker];
    uint32_t vacant = CFI_VACANT;
    if (!plat_cas(&record->process_state, &vacant, CFI_FORKING)) {
        return true; /* the worker is no longer needed */
    }
    cfi_assert(worker < state->known && state->pids[worker] == 0);
    plat_fault_point(NURSERY_FORKS);
    pid_t pid = fork();
    if (pid == 0) {
        worker_main(state, worker);
    }
    if (pid < 0) {
        plat_store_release(&record->process_state, CFI_VACANT);
        return false;
    }
    plat_fault_point(NURSERY_FORKED);
    setpgid(pid, pid); /* here too: it may be killed before it does so itself */
    state->pids[worker] = pid;
    state->alive++;
    plat_store_relaxed(&record->id, pid);
    plat_store_release(&record->process_state, CFI_ALIVE);
    plat_fault_point(NURSERY_NOTED);
    plat_futex_wake_all(&record->process_state, true);
    return true;
}

/* 0, or errno of a fork that failed; the existing workers go on meanwhile. */
static int fill_vacancies(nursery_state *state) {
    const cfi_queue *queue = state->links->queue;
    unsigned wanted = plat_load_acquire(&queue->control->workers_wanted);
    if (wanted > state->links->config->workers) { /* a task has overwritten it */
        wanted = state->known;
    }
    state->known = wanted > state->known ? wanted : state->known;
    for (unsigned i = 0; i < wanted; i++) {
        if (plat_load_acquire(&queue->records[i].process_state) == CFI_VACANT &&
            !fork_worker(state, i)) {
            return errno;
        }
    }
    return 0;
}

static void tell_result(const nursery_state *state, uint32_t asked, int error) {
    cfi_control *control = state->links->queue->control;
    plat_store_release(&control->spawn_error, state->alive > 0 ? 0 : error);
    plat_store_release(&control->spawn_answered, asked);
    plat_event_ring_always(&control->spawn_rounds, true);
    if (error != 0 && state->alive == 0) {
        cfi_nursery_notify(state->links->event_file);
    }
}

static void note_death(nursery_state *state, pid_t pid, int status) {
    for (unsigned i = 0; i < state->known; i++) {
        cfi_record *record = &state->links->queue->records[i];
        if (state->pids[i] == pid) {
            cfi_assert(state->alive > 0);
            state->pids[i] = 0;
            state->alive--;
            plat_store_relaxed(&record->exit_state, status);
            plat_store_release(&record->process_state, CFI_DEAD);
            plat_fault_point(NURSERY_BURIED);
            return;
        }
    }
}

static void kill_group(pid_t pid) {
    cfi_assert(pid > 1); /* kill(-1) and kill(0) would reach processes that are not ours */
    kill(-pid, SIGKILL);
    kill(pid, SIGKILL);
}

/* As waitid, for any worker, at once. */
static bool find_worker(nursery_state *state, siginfo_t *info, int options) {
    int r;
    do {
        info->si_pid = 0;
        r = waitid(P_ALL, 0, info, options | WNOHANG);
    } while (r != 0 && errno == EINTR);
    state->blind = state->blind || (r != 0 && errno != ECHILD);
    return r == 0 && info->si_pid != 0;
}

/* A stopped worker keeps the task that it runs. Others do what it was about to do for all. */
static void note_stops(nursery_state *state) {
    siginfo_t info;
    while (find_worker(state, &info, WSTOPPED)) {
        for (unsigned i = 0; i < state->known; i++) {
            if (state->pids[i] == info.si_pid) {
                cfi_queue_worker_stopped(state->links->queue, i);
            }
        }
    }
}

/* A group is killed before its worker is reaped: until then no other group has that number. */
static void reap(nursery_state *state) {
    siginfo_t info;
    bool any = false;
    while (find_worker(state, &info, WEXITED | WNOWAIT)) {
        int status, r;
        plat_fault_point(NURSERY_KILLS);
        kill_group(info.si_pid);
        plat_fault_forget(info.si_pid);
        plat_fault_point(NURSERY_REAPS);
        while ((r = waitpid(info.si_pid, &status, 0)) < 0 && errno == EINTR) {}
        plat_fault_point(NURSERY_REAPED);
        if (r < 0) {
            state->blind = true;
            return;
        }
        note_death(state, info.si_pid, status);
        any = true;
    }
    if (any) {
        cfi_nursery_notify(state->links->event_file);
        plat_fault_point(NURSERY_TOLD);
    }
    note_stops(state);
}

/* Sends the signals that the caller has asked for. */
static void send_signals(const nursery_state *state) {
    for (unsigned i = 0; i < state->known; i++) {
        _Atomic uint32_t *request = &state->links->queue->records[i].kill;
        if (state->pids[i] == 0 || plat_load_acquire(request) == 0) {
            continue;
        }
        plat_fault_point(NURSERY_SENDS);
        int number = (int)plat_swap_seq_cst(request, 0);
        if (number == SIGKILL) {
            kill_group(state->pids[i]);
        } else if (number != 0) {
            kill(state->pids[i], number);
        }
    }
}

static void signal_groups(const nursery_state *state, int number) {
    for (unsigned i = 0; i < state->known; i++) {
        if (state->pids[i] != 0) {
            cfi_assert(state->pids[i] > 1);
            kill(-state->pids[i], number);
        }
    }
}

static _Noreturn void end(nursery_state *state) {
    plat_fault_point(NURSERY_ENDS);
    for (unsigned i = 0; i < state->known; i++) {
        if (state->pids[i] != 0) {
            kill_group(state->pids[i]);
            plat_fault_forget(state->pids[i]);
        }
    }
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
    _exit(errno == ECHILD ? EXIT_SUCCESS : EXIT_FAILURE); /* workers may not have ended yet */
}

/* ---- the loop -------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_asked; /* by Ctrl-Z */

static void on_signal(int number) { /* SIGCHLD only ends ppoll */
    stop_asked = stop_asked || number == SIGTSTP;
}

/* Ctrl-Z shall stop the workers too, but they are not in the terminal's foreground process group.
 * They go on when the caller does, or if it was not stopped at all. The nursery never stops itself:
 * perhaps nothing would continue it (an orphaned process group, a quick SIGCONT), and it must see
 * the caller end. */
static void follow_host(nursery_state *state) {
    if (stop_asked) {
        stop_asked = false;
        signal_groups(state, SIGSTOP);
        state->stopped_ns = plat_now_ns();
    } else if (state->stopped_ns != 0 && plat_now_ns() - state->stopped_ns >= STOPPED_LOOK_NS &&
               !plat_process_is_stopped(state->links->host)) {
        signal_groups(state, SIGCONT);
        state->stopped_ns = 0;
    }
}

/* All signals stay blocked, so that none ends or stops the nursery, whatever the program sends to
 * its process group. A worker inherits the mask: a SIGTERM that comes before it is ready stays
 * pending. ppoll opens two, so none of these is missed, and no other call is interrupted. */
static void set_signals(void) {
    sigset_t all;
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL); /* EINVAL for KILL, STOP and libc's own */
    }
    signal(SIGCHLD, on_signal);
    signal(SIGTSTP, on_signal);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void leave_caller_behind(void) {
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0 && null != STDIN_FILENO) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
    __fpurge(stdout); /* the caller itself prints what it has not flushed yet */
    __fpurge(stderr);
}

/* Without a pidfd (valgrind, Linux before 5.3) this is read ten times a second. A socket pair could
 * not replace the pidfd: any later fork of the caller would hold the other end open. Nothing can
 * hold the parent's number. */
static bool host_is_gone(const cfi_nursery *links) {
    return getppid() != links->host;
}

/* When the thread that forked the nursery ends, the kernel sends the nursery a SIGCONT, which continues
 * it if it is stopped. The process's next thread is then the parent, and so on, and the end of the last
 * one is the caller's. A SIGCONT too many stays pending. Only a change of user or program would undo
 * this, and the nursery makes none. A caller that ended before this call is seen at the first look. */
static void continue_when_host_ends(void) {
    prctl(PR_SET_PDEATHSIG, SIGCONT);
}

/* ppoll lets SIGCHLD through, which needs no descriptor. A signalfd needs one, so at the limit of
 * descriptors the nursery would reap no worker. */
static void wait_for_events(const nursery_state *state, bool refused) {
    const cfi_nursery *links = state->links;
    struct pollfd files[] = {{.fd = links->host_pidfd, .events = POLLIN},
                             {.fd = links->command_file, .events = POLLIN}};
    bool looks = refused || state->stopped_ns != 0;
    int patience_ms = looks ? LOOK_MS : plat_pidfd_poll_ms(links->host_pidfd);
    struct timespec patience = {.tv_nsec = patience_ms * 1000000L};
    sigset_t blocked;
    sigfillset(&blocked);
    sigdelset(&blocked, SIGCHLD);
    sigdelset(&blocked, SIGTSTP);
    plat_fault_point(NURSERY_WAITS);
    ppoll(files, 2, patience_ms < 0 ? NULL : &patience, &blocked);
    cfi_nursery_clear(links->command_file);
}

_Noreturn void cfi_nursery_run(const cfi_nursery *nursery) {
    nursery_state state = {.links = nursery, .self = getpid()};
    plat_thread_name("cf-nursery");
    plat_fault_become(PLAT_FAULT_NURSERY, 0);
    plat_fault_point(NURSERY_STARTS);
    leave_caller_behind();
    set_signals();
    continue_when_host_ends();
    while (!host_is_gone(nursery) && plat_load_acquire(&nursery->queue->control->quit) == 0) {
        reap(&state);
        if (state.blind) {
            break;
        }
        uint32_t asked = plat_load_acquire(&nursery->queue->control->spawn_asked);
        int error = fill_vacancies(&state);
        tell_result(&state, asked, error);
        send_signals(&state);
        follow_host(&state);
        wait_for_events(&state, error != 0);
    }
    end(&state);
}
