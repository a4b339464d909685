#include "tracer.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP_NS       (200 * MICROSECOND) /* after which a step that has not ended may be a sleep */
#define FIRST_STEP_NS (100 * MILLISECOND) /* what wakes the nursery may take so long */

static counter *next_begun;

/* ---- steps ----------------------------------------------------------------------------------- */

typedef enum step_end {
    STEPPED,
    SLEEPS, /* it would wait */
    ENDED   /* by itself */
} step_end;

/* Waits until the process has stopped. A signal that it is to get is passed on with its next step. */
static step_end await_stop(pid_t process, int64_t patience_ns, int *pass) {
    int status;
    int64_t until_ns = now_ns() + patience_ns;
    *pass = 0;
    for (;;) {
        pid_t r = waitpid(process, &status, WNOHANG | __WALL);
        if (r == process) {
            break;
        }
        if (r < 0) {
            return ENDED;
        }
        if (now_ns() > until_ns) { /* a sleeping process, or one that waits for a processor */
            if (process_state(process) == 'S') {
                return SLEEPS;
            }
            until_ns = now_ns() + STEP_NS;
        }
    }
    if (!WIFSTOPPED(status)) {
        return ENDED;
    }
    *pass = WSTOPSIG(status) == SIGTRAP || status >> 16 != 0 ? 0 : WSTOPSIG(status);
    return STEPPED;
}

static bool hold(pid_t process) {
    int pass;
    if (ptrace(PTRACE_SEIZE, process, 0, PTRACE_O_EXITKILL) != 0) {
        return false;
    }
    ptrace(PTRACE_INTERRUPT, process, 0, 0);
    if (await_stop(process, FIRST_STEP_NS, &pass) == STEPPED) {
        return true;
    }
    ptrace(PTRACE_DETACH, process, 0, 0);
    return false;
}

/* Up to k steps, or until it begins another task. Returns how many were made: fewer at the end of the cycle. */
static uint64_t make_steps(pid_t process, uint64_t k, bool until_next) {
    uint64_t made = 0;
    int pass = 0;
    while (made < k && (!until_next || counter_get(next_begun) == 0)) {
        if (ptrace(PTRACE_SINGLESTEP, process, 0, pass) != 0) {
            break;
        }
        made++;
        if (await_stop(process, made == 1 ? FIRST_STEP_NS : STEP_NS, &pass) != STEPPED) {
            break;
        }
    }
    return made;
}

static void kill_held(pid_t process) {
    kill(process, SIGKILL);
    while (waitpid(process, NULL, __WALL) > 0) {} /* its stop, perhaps, and its end */
}

/* ---- orders ---------------------------------------------------------------------------------- */

typedef struct tracing {
    counter ordered, done;
    order order;
    pid_t process;
    uint64_t k;      /* most steps */
    uint64_t answer; /* HOLD: it is held; STEP and STEP_TO_NEXT: steps made */
} tracing;
static tracing *tracer; /* shared */

static uint64_t carry_out(void) {
    switch (tracer->order) {
    case HOLD:
        return hold(tracer->process);
    case STEP:
    case STEP_TO_NEXT:
        return make_steps(tracer->process, tracer->k, tracer->order == STEP_TO_NEXT);
    default:
        kill_held(tracer->process);
        return 0;
    }
}

/* Until the host says END, or is gone. */
void tracer_serve(pid_t host) {
    siginfo_t info = {0};
    for (uint32_t n = 1;; n++) {
        while (!counter_wait(&tracer->ordered, n)) {
            if (waitid(P_PID, (id_t)host, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
                info.si_pid != 0) {
                return;
            }
        }
        if (tracer->order == END) {
            return;
        }
        tracer->answer = carry_out();
        counter_add(&tracer->done, 1);
    }
}

uint64_t tracer_ask(order what_to_do, pid_t process, uint64_t k) {
    uint32_t n = counter_get(&tracer->done) + 1;
    tracer->order = what_to_do;
    tracer->process = process;
    tracer->k = k;
    counter_add(&tracer->ordered, 1);
    while (what_to_do != END && !counter_wait(&tracer->done, n)) {}
    return tracer->answer;
}

static int be_held(void *unused) {
    (void)unused;
    pause();
    return 0;
}

bool tracer_begin(counter *next_task) {
    next_begun = next_task;
    tracer = shared_alloc(sizeof *tracer);
    pid_t child = host_start(be_held, NULL);
    bool may = hold(child);
    kill_held(child);
    return may;
}
