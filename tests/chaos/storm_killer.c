#include "storm_killer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NEWBORN_MOST = 16
};

typedef struct killer {
    const round_plan *plan;
    uint64_t seed;
    pid_t process; /* 0: it is a thread */
    pthread_t thread;
    pid_t shot[LEDGER_WORKERS]; /* the process that was killed last as this worker */
    uint64_t lives_then;        /* when a newborn was killed last */
    pid_t stopped;              /* 0 = none */
    bool nursery_is_dead;
    unsigned kills_left; /* enough is enough: the round has to end */
} killer;

static killer hunter;
static _Atomic bool *over; /* shared: it may be a process */

/* ---- one signal ------------------------------------------------------------------------------ */

static bool has_ended(int pidfd) {
    struct pollfd file = {.fd = pidfd, .events = POLLIN};
    return poll(&file, 1, 0) != 0;
}

/* The number may belong to another process by now. All of ours are in this session, and the descriptor
 * stays with the process that was looked at. */
static bool send_signal(pid_t pid, int number) {
    const int pidfd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pidfd < 0) {
        return false;
    }
    const bool sent = getsid(pid) == getsid(0) && !has_ended(pidfd) &&
                      syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0;
    close(pidfd);
    return sent;
}

/* The death is in the ledger before anybody can see it. */
static bool kill_worker(pid_t pid, int number) {
    atomic_fetch_add(&book->deaths, 1);
    if (!send_signal(pid, number)) {
        atomic_fetch_sub(&book->deaths, 1);
        return false;
    }
    tally_add(&sums->sent[number], 1);
    tally_add(&chaos->kills, 1);
    return true;
}

static int choose_signal(killer *k) {
    static const int numbers[] = {SIGKILL, SIGKILL, SIGKILL, SIGKILL, SIGKILL, SIGSEGV,
                                  SIGSEGV, SIGBUS,  SIGABRT, SIGTERM, SIGSTOP};
    const int number = numbers[random_next(&k->seed) % COUNT_OF(numbers)];
    return (number == SIGTERM && !k->plan->term_is_deadly) ||
                   (number == SIGSTOP && !k->plan->stops_workers)
               ? SIGKILL
               : number;
}

/* ---- whom it shoots at ----------------------------------------------------------------------- */

static void go_on(killer *k) {
    if (k->stopped != 0) {
        send_signal(k->stopped, SIGCONT);
        k->stopped = 0;
    }
}

static void stop(killer *k, pid_t pid, _Atomic uint64_t *count) {
    go_on(k);
    if (send_signal(pid, SIGSTOP)) {
        k->stopped = pid;
        tally_add(count, 1);
        tally_add(&chaos->kills, 1);
    }
}

/* A worker that has begun a task in this life, so that no pool takes its workers for unable to live.
 * False if there is none that was not shot yet. */
static bool shoot_worker(killer *k) {
    const unsigned first = (unsigned)random_next(&k->seed);
    for (unsigned i = 0; i < LEDGER_WORKERS && k->kills_left > 0; i++) {
        const unsigned number = (first + i) % LEDGER_WORKERS;
        const pid_t pid = atomic_load(&book->worker[number]);
        if (pid <= 1 || pid == k->shot[number]) {
            continue;
        }
        const int signal = choose_signal(k);
        if (signal == SIGSTOP) {
            stop(k, pid, &sums->sent[SIGSTOP]);
        } else {
            k->kills_left -= kill_worker(pid, signal);
            k->shot[number] = pid;
        }
        return true;
    }
    return false;
}

/* Any child of the nursery, also one that has not begun anything: but only one before another worker has
 * begun a task. */
static void shoot_newborn(killer *k) {
    char path[64];
    int children[NEWBORN_MOST], count = 0;
    const pid_t nursery = atomic_load(&book->nursery);
    const uint64_t lives = atomic_load(&book->lives);
    if (nursery <= 1 || lives == k->lives_then) {
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", nursery, nursery);
    FILE *file = fopen(path, "re");
    while (file != NULL && count < NEWBORN_MOST && fscanf(file, "%d", &children[count]) == 1) {
        count++;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (count > 0) {
        k->lives_then = lives;
        kill_worker(children[random_next(&k->seed) % (unsigned)count], SIGKILL);
    }
}

static void shoot_nursery(killer *k) {
    const pid_t nursery = atomic_load(&book->nursery);
    if (nursery <= 1 || k->nursery_is_dead) {
        return;
    }
    if (k->plan->stops_nursery) {
        stop(k, nursery, &sums->nurseries_stopped);
    } else if (send_signal(nursery, SIGKILL)) {
        k->nursery_is_dead = true;
        tally_add(&sums->nurseries_killed, 1);
        tally_add(&chaos->kills, 1);
    }
}

static bool shoot(killer *k) {
    const round_plan *p = k->plan;
    if ((p->kills_nursery || p->stops_nursery) && one_in(&k->seed, 8)) {
        shoot_nursery(k);
        return true;
    }
    if (p->kills_newborn && one_in(&k->seed, 4)) {
        shoot_newborn(k);
        return true;
    }
    return shoot_worker(k);
}

static void hunt(killer *k) {
    while (!atomic_load(over)) {
        const int64_t pause_ns = (int64_t)between(&k->seed, 1, (uint64_t)k->plan->pause_ns);
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns}, NULL);
        if (one_in(&k->seed, 2)) {
            go_on(k);
        }
        shoot(k);
    }
    go_on(k);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

static void *hunt_in_thread(void *arg) {
    hunt(arg);
    return NULL;
}

static void hunt_in_process(killer *k, pid_t host) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == host) {
        hunt(k);
    }
    _exit(0);
}

void killer_init(void) {
    over = shared_alloc(sizeof *over);
}

void killer_start(const round_plan *plan, uint64_t seed) {
    const pid_t host = getpid();
    atomic_store(over, false);
    hunter = (killer){.plan = plan, .seed = seed, .kills_left = plan->kills_most};
    if (plan->killer_is_process) {
        hunter.process = fork();
        if (hunter.process == 0) {
            hunt_in_process(&hunter, host);
        }
        if (hunter.process > 0) {
            return;
        }
        perror("storm: fork");
        exit(2);
    }
    if (pthread_create(&hunter.thread, NULL, hunt_in_thread, &hunter) != 0) {
        perror("storm: pthread_create");
        exit(2);
    }
}

void killer_stop(void) {
    atomic_store(over, true);
    if (hunter.process > 0) {
        while (waitpid(hunter.process, NULL, 0) < 0 && errno == EINTR) {}
    } else {
        pthread_join(hunter.thread, NULL);
    }
}
