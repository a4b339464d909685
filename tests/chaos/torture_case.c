/* A case has a process of its own, which leads a session, so that all processes of its pools can be found
 * by that. A case that does not end in time is killed. What is left of a case that has ended, its parent
 * adopts, waits for and kills. */
#include "torture_case.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    JOBS = 6 /* some cases wait for two seconds: more than there are processors */
};
#define CASE_NS   (8 * SECOND) /* for one case: it has hung; the slowest take three */
#define LINGER_NS (3 * SECOND) /* processes end by themselves within one after their program */

typedef struct job {
    pid_t pid; /* 0 = free */
    bool ended;
    int64_t until_ns;
    torture_case what;
    char name[160];
    bool *over;
    torture_report *report;
} job;

static job jobs[JOBS];
static uint64_t cases_run;

uint64_t torture_cases_run(void) {
    return cases_run;
}

static void write_name(job *j) {
    const torture_case *c = &j->what;
    snprintf(j->name, sizeof j->name, "%s/%s/%s/%s/%" PRIu32 "/%s/%s/%s/%u", c->scenario->name,
             c->on->name, failing_kind_names[c->plan.kind], failing_place_names[c->plan.place],
             c->plan.first, c->plan.all ? "all" : "once",
             c->plan.error != 0 ? strerrorname_np(c->plan.error) : "none",
             c->fresh ? "fresh" : "used", c->workers);
}

/* ---- in the case's process ------------------------------------------------------------------- */

static void play(job *j, bool strict) {
    torture_report *r = j->report;
    memset(r->runs, 0, sizeof r->runs);
    atomic_store(&r->gate.value, 0);
    atomic_store(&r->begun.value, 0);
    stage s = {.name = j->name,
               .on = j->what.on,
               .plan = &j->what.plan,
               .report = r,
               .workers = j->what.workers,
               .strict = strict};
    j->what.scenario->run(&s);
    if (s.pool != NULL) {
        wrong(&s, &chaos->lost, "the scenario has left its pool");
    }
}

/* The library has waited for all that it has started. (A thread is listed for an instant longer. A
 * nursery that the library was not allowed to wait for is a zombie.) */
static void check_rest(stage *s, size_t descriptors, size_t threads) {
    const bool cannot_reap = s->plan->kind == FAIL_WAITID && s->plan->all;
    const int64_t until_ns = now_ns() + 2 * SECOND;
    int status;
    STEP(s, "after the end");
    pid_t child = waitpid(-1, &status, WNOHANG);
    while (child == 0 && cannot_reap && now_ns() < until_ns) {
        usleep(1000);
        child = waitpid(-1, &status, WNOHANG);
    }
    if (child == 0 || (child > 0 && !cannot_reap)) {
        wrong(s, &chaos->leaked, child == 0 ? "a process is left" : "a zombie is left");
    }
    while (thread_count() > threads && now_ns() < until_ns) {
        usleep(1000);
    }
    if (thread_count() > threads) {
        wrong(s, &chaos->leaked, "%zu threads are left", thread_count() - threads);
    }
    if (fd_count() > descriptors) {
        wrong(s, &chaos->leaked, "%zu descriptors are left", fd_count() - descriptors);
    }
}

static void check_memory(stage *s, const job *j) {
    char text[200];
    const failing_leavings *usual = j->what.fresh ? &j->what.usual->fresh : &j->what.usual->used;
    if (j->what.plan.first != 0 &&
        !failing_leavings_check(&j->report->leavings, usual, text, sizeof text)) {
        wrong(s, &chaos->leaked, "left: %s", text);
    }
}

static _Noreturn void case_main(job *j) {
    stage s = {.name = j->name, .plan = &j->what.plan, .report = j->report};
    if (!j->what.fresh) {
        play(j, true);
    }
    const size_t descriptors = fd_count(), threads = thread_count();
    failing_begin(&j->what.plan, &j->report->counts);
    play(j, j->what.plan.first == 0);
    failing_end();
    failing_leavings_read(&j->report->leavings);
    check_rest(&s, descriptors, threads);
    check_memory(&s, j);
    if (j->what.fresh) {
        play(j, true);
    }
    _exit(0);
}

/* ---- its parent ------------------------------------------------------------------------------ */

static void *leave(void *context) {
    pthread_exit(context);
}

/* What belongs to the process for its life, and is taken at first use, is taken before a call can fail:
 * the unwinder for pthread_exit. */
void torture_prepare(void) {
    pthread_t thread;
    sigset_t child_signal;
    if (pthread_create(&thread, NULL, leave, NULL) != 0 || pthread_join(thread, NULL) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        perror("torture");
        abort();
    }
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, NULL);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].report = shared_alloc(sizeof(torture_report));
    }
}

static void start(job *j, const torture_case *c, bool *over) {
    j->what = *c;
    j->over = over;
    j->ended = false;
    j->until_ns = now_ns() + CASE_NS;
    memset((void *)j->report, 0, sizeof *j->report);
    atomic_store(&j->report->step, "begin");
    write_name(j);
    cases_run++;
    fflush(NULL);
    pid_t parent = getpid();
    j->pid = fork();
    if (j->pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        case_main(j);
    }
    if (j->pid < 0) {
        perror("torture: fork");
        abort();
    }
}

static void learn(const job *j) {
    torture_usual *usual = j->what.usual;
    *(j->what.fresh ? &usual->fresh : &usual->used) = j->report->leavings;
    for (int kind = 0; kind < FAIL_KIND_COUNT; kind++) {
        for (int place = 0; place < FAILING_PLACE_COUNT; place++) {
            uint32_t calls = j->report->counts.calls[kind][place],
                     *most = &usual->calls[kind][place];
            *most = calls > *most ? calls : *most;
        }
    }
}

static void note_end(job *j, int status) {
    if (j->what.plan.first == 0) {
        learn(j);
    }
    tally_add(&chaos->calls, j->report->counts.failed);
    if (j->over != NULL && j->report->counts.failed == 0) {
        *j->over = true;
    }
    if (WIFSIGNALED(status) && now_ns() < j->until_ns) {
        tally_fault(&chaos->lost, "%s: %s: crashed: %s", j->name, j->report->step,
                    strsignal(WTERMSIG(status)));
    } else if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0) {
        tally_fault(&chaos->lost, "%s: %s: exited with status %d", j->name, j->report->step,
                    WEXITSTATUS(status));
    }
    j->ended = true;
    j->until_ns = now_ns() + LINGER_NS;
}

/* Calls `act` for each child of this process that is of the job's session. Returns how many. */
static size_t each_left(const job *j, void (*act)(const job *j, pid_t pid)) {
    char path[64];
    size_t count = 0;
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *children = fopen(path, "re");
    while (children != NULL && fscanf(children, "%d", &pid) == 1) {
        if (pid != j->pid && getsid(pid) == j->pid) {
            count++;
            if (act != NULL) {
                act(j, pid);
            }
        }
    }
    if (children != NULL) {
        fclose(children);
    }
    return count;
}

static void kill_left(const job *j, pid_t pid) {
    tally_fault(&chaos->leaked, "%s: process %d (state %c) outlives the program", j->name, pid,
                process_state(pid));
    kill(pid, SIGKILL);
}

/* Ends what is over its time; frees jobs of which nothing is left. */
static void look_at_jobs(void) {
    for (int i = 0; i < JOBS; i++) {
        job *j = &jobs[i];
        if (j->pid != 0 && !j->ended && now_ns() >= j->until_ns) {
            tally_fault(&chaos->hung, "%s: %s: did not end; %u calls failed", j->name,
                        j->report->step, j->report->counts.failed);
            kill(j->pid, SIGKILL);
            j->until_ns = INT64_MIN / 2; /* its end is no crash, and is waited for below */
        }
        if (j->pid != 0 && j->ended) {
            bool late = now_ns() >= j->until_ns;
            if (each_left(j, late ? kill_left : NULL) == 0) {
                j->pid = 0;
            }
        }
    }
}

static void reap(void) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) { /* adopted ones too */
        for (int i = 0; i < JOBS; i++) {
            if (jobs[i].pid == pid && !jobs[i].ended) {
                note_end(&jobs[i], status);
            }
        }
    }
}

static job *free_job(void) {
    for (int i = 0; i < JOBS; i++) {
        if (jobs[i].pid == 0) {
            return &jobs[i];
        }
    }
    return NULL;
}

/* Until some process ends, or for a moment. */
static void wait_a_little(void) {
    static const struct timespec moment = {.tv_nsec = 20000000};
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigtimedwait(&child_signal, NULL, &moment);
    reap();
    look_at_jobs();
}

void torture_start(const torture_case *c, bool *over) {
    job *j;
    while ((j = free_job()) == NULL) {
        wait_a_little();
    }
    start(j, c, over);
}

void torture_finish(void) {
    for (int i = 0; i < JOBS; i++) {
        while (jobs[i].pid != 0) {
            wait_a_little();
        }
    }
}
