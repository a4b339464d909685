/* What the tests share. Knows nothing of Criterion, so that the stress program can use it where
 * Criterion cannot run (ThreadSanitizer).
 *
 * Nothing here sleeps to wait for another thread or process: tests and tasks meet at `counter`s,
 * which live in memory that is shared with worker processes. Such memory has to be made before the
 * pool. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <cfutures.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE            4096

/* ---- time ------------------------------------------------------------------------------------ */

#define MICROSECOND ((int64_t)1000)
#define MILLISECOND (1000 * MICROSECOND)
#define SECOND      (1000 * MILLISECOND)
#define LONG_WAIT   (30 * SECOND) /* reached by a hang only */

int64_t now_ns(void);      /* CLOCK_MONOTONIC */
void spin_for(int64_t ns); /* burns CPU */

/* ---- randomness and size --------------------------------------------------------------------- */

/* CF_TEST_SEED, or a new one from the clock; printed on stderr with the test's name. */
uint64_t test_seed(const char *test);
uint64_t random_next(uint64_t *seed);
/* `count` times CF_TEST_MULT (1 if unset). */
size_t scaled(size_t count);

/* ---- memory shared with worker processes ----------------------------------------------------- */

void *shared_alloc(size_t size); /* zeroed; ends the process if there is none */
void shared_free(void *memory, size_t size);

/* From now on shared_alloc takes from here: memory that the ranks of an MPI job share. shared_free gives
 * nothing back, shared_area_reset everything. */
void shared_area_use(void *start, size_t size);
void shared_area_reset(void);

/* A variable that a test sets before it makes the executor, and that its tasks read. Workers that are
 * forked have it anyway, ranks of an MPI job are told its value: a number, or a pointer to shared memory. */
#define SEEN_BY_TASKS __attribute__((section("seen_by_tasks")))

/* ---- meeting points -------------------------------------------------------------------------- */

/* A number that only grows, and that threads and processes can wait for. One that a test sets to 1
 * when tasks may go on is a gate. */
typedef struct counter {
    _Atomic uint32_t value;
} counter;

void counter_add(counter *c, uint32_t by);
uint32_t counter_get(const counter *c);
/* False after LONG_WAIT. */
bool counter_wait(counter *c, uint32_t at_least);

/* ---- tasks ----------------------------------------------------------------------------------- */

extern const cf_task square_task; /* uint64_t -> its square, uint64_t */
extern const cf_task error_task;  /* int -> returned as the task's error */
extern const cf_task add_task;    /* counter * -> adds 1 to it; no result */

/* Tells that it has begun, waits for its gate, tells that it has run, and gives `value` back. */
typedef struct blocker {
    counter *begun;
    counter *gate;
    counter *ran;
    uint64_t value;
} blocker;
extern const cf_task blocker_task;

typedef struct whereabouts {
    pid_t pid;
    pid_t parent;
    unsigned worker;
    unsigned attempt;
} whereabouts;
extern const cf_task whereabouts_task; /* nothing -> whereabouts */

/* ---- processes ------------------------------------------------------------------------------- */

bool process_alive(pid_t pid); /* and no zombie: what runs as init here may not reap */
char process_state(pid_t pid); /* its letter in /proc: 'T' = stopped; '?' = there is none */
size_t child_count(void);      /* of this process, zombies too */
size_t fd_count(void);
size_t thread_count(void);
/* True when there are (again) so few; waits, as a joined thread is still listed for an instant. */
bool threads_fall_to(size_t count);
/* True when the process has ended within the time. Never reaps it. */
bool process_ends(pid_t pid, int64_t timeout_ns);

/* SIGSTOP; returns when it has stopped the process. False if it does not. */
bool process_stop(pid_t pid);
/* Holds the process where it is, as a debugger does: SIGCONT does not continue it. False if the system
 * refuses ptrace. Freeze and thaw are one thread's. */
bool process_freeze(pid_t pid);
void process_thaw(pid_t pid);

/* Runs `body` in a forked process, for tests that damage or kill the process that owns a pool.
 * Returns what waitpid tells; a host that hangs is ended by SIGALRM. */
typedef int host_body(void *context);
pid_t host_start(host_body *body, void *context);
int host_wait(pid_t host);
int host_run(host_body *body, void *context);

/* For host bodies, where the framework's assertions do not work: says what failed and returns 1. */
#define HOST_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            host_complain(__FILE__, __LINE__, #condition);                                         \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)
void host_complain(const char *file, int line, const char *condition);

#endif
