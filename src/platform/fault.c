#define _GNU_SOURCE
#include "platform/fault.h"

#include "platform/atomic.h"
#include "platform/cancellation.h"
#include "platform/clock.h"
#include "platform/fault_rules.h"
#include "platform/pidfd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    PROCESSES_MAX = 4096
};

#define DEATH_NS INT64_C(1000000000) /* wait for a process that was killed to be dead */

typedef struct entry {
    _Atomic uint64_t process; /* 0 = none; number << 34 | role << 32 | pid */
} entry;

/* What the process that made the first executor and all that came from it share. */
typedef struct board {
    _Atomic uint64_t visits[PLAT_FAULT_END];
    _Atomic uint64_t held[PLAT_FAULT_RULES_MAX];  /* how often all of a rule's conditions held */
    _Atomic uint64_t times[PLAT_FAULT_RULES_MAX]; /* how often it was carried out */
    _Atomic uint64_t done;
    entry processes[PROCESSES_MAX];
} board;

static plat_fault_plan plan;
static board *shared;
static plat_fault_role own_role;
static unsigned own_number;

/* ---- who there is ---------------------------------------------------------------------------- */

static uint64_t entry_of(pid_t pid) {
    return (uint64_t)own_number << 34 | (uint64_t)own_role << 32 | (uint32_t)pid;
}

void plat_fault_become(plat_fault_role role, unsigned number) {
    own_role = role;
    own_number = number;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        uint64_t vacant = 0;
        if (plat_load_relaxed(&shared->processes[i].process) == 0 &&
            plat_cas(&shared->processes[i].process, &vacant, entry_of(getpid()))) {
            return;
        }
    }
}

void plat_fault_forget(pid_t process) {
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        uint64_t seen = plat_load_relaxed(&shared->processes[i].process);
        if ((pid_t)(uint32_t)seen == process) {
            plat_cas(&shared->processes[i].process, &seen, 0);
        }
    }
}

/* ---- the plan -------------------------------------------------------------------------------- */

static bool is_loaded;

static void list_points(void) {
    for (unsigned i = 1; i < PLAT_FAULT_END; i++) {
        fprintf(stderr, "%3u %-18s %s\n", i, plat_fault_name(i), plat_fault_about(i));
    }
}

static void load(void) {
    char complaint[256];
    const char *text = secure_getenv("CF_FAULT");
    if (!plat_fault_parse(text != NULL ? text : "", &plan, complaint, sizeof complaint)) {
        fprintf(stderr, "cfutures: CF_FAULT: %s\n", complaint);
        return;
    }
    if (plan.lists) {
        list_points();
    }
    void *page =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        fprintf(stderr, "cfutures: CF_FAULT: no memory for counts\n");
        return;
    }
    shared = page;
    plat_fault_become(PLAT_FAULT_CALLER, 0);
    is_loaded = true;
}

bool plat_fault_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return is_loaded;
}

bool plat_fault_asks_for_task(void) {
    for (unsigned i = 0; i < plan.count; i++) {
        if (plan.rules[i].task != 0 || plan.rules[i].attempt != 0) {
            return true;
        }
    }
    return plan.traces && plan.count > 0;
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void pause_for(int64_t ns) {
    struct timespec left = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int held = plat_cancellation_hold();
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
    plat_cancellation_release(held);
}

/* Returns unless the signal ends the process. */
static void hit_self(int number) {
    kill(getpid(), number);
    while (number == SIGKILL) {
        pause();
    }
}

/* A process that was killed is dead when this returns: what its death leads to comes after the point.
 * False: there was none. */
static bool hit_others(const plat_fault_rule *rule) {
    bool any = false;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        uint64_t seen = plat_load_acquire(&shared->processes[i].process);
        pid_t pid = (pid_t)(uint32_t)seen;
        if (seen == 0 || (plat_fault_role)(seen >> 32 & 3) != rule->target ||
            (rule->worker >= 0 && seen >> 34 != (uint64_t)rule->worker)) {
            continue;
        }
        any = kill(pid, rule->signal) == 0 || any;
        if (rule->signal == SIGKILL) {
            plat_process_await_end(pid, plat_now_ns() + DEATH_NS);
        }
    }
    return any;
}

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static double random_of(uint64_t seed, unsigned rule, uint64_t draw) {
    uint64_t x = seed + (draw * PLAT_FAULT_RULES_MAX + rule + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ x >> 31) >> 11) / (double)(UINT64_C(1) << 53);
}

static bool holds(const plat_fault_rule *rule, plat_fault_id point, plat_fault_task task) {
    bool pauses_another = rule->signal == 0 && rule->target != own_role;
    bool another_worker =
        own_role == PLAT_FAULT_WORKER && rule->worker >= 0 && (uint64_t)rule->worker != own_number;
    bool at_point =
        rule->point == PLAT_FAULT_NONE ? rule->target == own_role : rule->point == point;
    return at_point && !pauses_another && !another_worker &&
           (rule->task == 0 || rule->task == task.number) &&
           (rule->attempt == 0 || rule->attempt == task.attempt);
}

/* Takes one of the times that the rule may be carried out. */
static bool take_turn(unsigned i) {
    const plat_fault_rule *rule = &plan.rules[i];
    uint64_t held = plat_add_relaxed(&shared->held[i], 1) + 1;
    if ((rule->visit != 0 && rule->visit != held) ||
        (rule->chance < 1 && random_of(plan.seed, i, held) >= rule->chance)) {
        return false;
    }
    uint64_t times = plat_load_relaxed(&shared->times[i]);
    do {
        if (rule->times != 0 && times >= rule->times) {
            return false;
        }
    } while (!plat_cas(&shared->times[i], &times, times + 1));
    return true;
}

static void tell(const plat_fault_rule *rule, plat_fault_id point, plat_fault_task task) {
    static const char *const roles[] = {"caller", "nursery", "worker"};
    char text[256];
    int number = own_role == PLAT_FAULT_WORKER ? (int)own_number : (int)getpid();
    int length =
        snprintf(text, sizeof text, "cfutures: fault: %s:%s at %s, passed by %s %d", rule->action,
                 roles[rule->target], plat_fault_name(point), roles[own_role], number);
    if (task.number != 0) {
        length += snprintf(text + length, sizeof text - (size_t)length, ", task %llu, attempt %u",
                           (unsigned long long)task.number, task.attempt);
    }
    text[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, text, (size_t)length); /* stdio's lock may be taken */
    (void)written;
}

static void carry_out(const plat_fault_rule *rule, plat_fault_id point, plat_fault_task task) {
    if (plan.traces) {
        tell(rule, point, task);
    }
    if (rule->signal == 0) {
        pause_for(rule->pause_ns);
        return;
    }
    if (rule->target == own_role) {
        plat_add_relaxed(&shared->done, 1);
        hit_self(rule->signal);
    } else {
        plat_add_relaxed(&shared->done, hit_others(rule));
    }
}

void plat_fault_pass(plat_fault_id point, plat_fault_task task) {
    if (shared == NULL) {
        return; /* no executor was made yet */
    }
    int saved = errno;
    plat_add_relaxed(&shared->visits[point], 1);
    for (unsigned i = 0; i < plan.count; i++) {
        if (holds(&plan.rules[i], point, task) && take_turn(i)) {
            carry_out(&plan.rules[i], point, task);
        }
    }
    errno = saved;
}

uint64_t plat_fault_visits(plat_fault_id point) {
    return shared != NULL ? plat_load_relaxed(&shared->visits[point]) : 0;
}

uint64_t plat_fault_done(void) {
    return shared != NULL ? plat_load_relaxed(&shared->done) : 0;
}
