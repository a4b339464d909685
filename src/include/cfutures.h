/* cfutures: concurrent futures for C.
 *
 * An executor runs tasks on workers: threads of this process, processes of their own, or the
 * calling thread itself (`serial`). Whatever the workers are, the calls below are the same, and a
 * program moves from one kind to another by calling another constructor.
 *
 *     static int square(const void *arg, void *result, cf_task_context *ctx) { ... return 0; }
 *     static const cf_task square_task = {.name = "square", .run = square,
 *                                         .arg_size = sizeof(int), .result_size = sizeof(int)};
 *
 *     cf_executor *ex;
 *     cf_process_pool_create(NULL, &ex);              // or cf_thread_pool_create
 *     cf_future *f;
 *     cf_executor_submit(ex, &square_task, &(int){7}, &f);
 *     int r;
 *     cf_future_result(f, CF_FOREVER, &r);            // r == 49
 *     cf_future_release(f);
 *     cf_executor_destroy(ex);
 *
 * Rules that hold everywhere
 *
 * Errors      Calls that can fail return a cf_status, CF_OK being 0. The library never prints,
 * never exits and never aborts. A task's own error number is a channel of its own (CF_ETASK), a
 *             worker that died another (CF_EWORKER): cf_future_exception tells the details. NULL in
 *             place of an object, or of the place for an answer, is CF_EINVAL unless it is said to
 * be allowed. Ownership   Arguments are copied in by submit, results are copied out by result. A
 * cf_future belongs to the caller until cf_future_release; it stays valid after the executor is
 * destroyed. A cf_task and its strings are copied too and may go away after the call. Threads Every
 * call may be made from any thread at any time, except that an executor may be destroyed once only
 * and not while another call uses it, and that one cf_as_completed serves one thread at a time.
 * Time Durations and points in time are int64_t nanoseconds; points are on CLOCK_MONOTONIC. A
 * timeout of 0 looks once, CF_FOREVER (any negative value) waits for ever. Signals do not end a
 * wait. Options NULL or a zeroed struct means the defaults.
 */
#ifndef CFUTURES_H
#define CFUTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CF_FOREVER     ((int64_t)-1) /* a timeout that never runs out */
#define CF_WORKERS_MAX 1024          /* most workers of one executor */
#define CF_RETRIES_MAX 65534         /* most retries of one task */
#define CF_PAYLOAD_MAX 4096          /* most bytes of one argument, and of one result */

/* ---- status ---------------------------------------------------------------------------------- */

/* name, what it means to a reader of an error message */
#define CF_STATUS_LIST(X)                                                                          \
    X(CF_OK, "success")                                                                            \
    X(CF_EINVAL, "invalid argument")                                                               \
    X(CF_ENOMEM, "out of memory, or over a limit of the pool")                                     \
    X(CF_EAGAIN, "the system refused a thread, a process or a descriptor")                         \
    X(CF_ESHUTDOWN, "the executor has been shut down")                                             \
    X(CF_EBROKEN, "the pool is broken")                                                            \
    X(CF_ETIMEDOUT, "the time to wait ran out")                                                    \
    X(CF_ECANCELLED, "the task was cancelled")                                                     \
    X(CF_ETASK, "the task returned an error")                                                      \
    X(CF_EWORKER, "the worker died while it ran the task")                                         \
    X(CF_EFORKED, "made by another process, before a fork")                                        \
    X(CF_EEXHAUSTED, "nothing is left")

typedef enum cf_status {
#define CF_STATUS_ENUM(name, message) name,
    CF_STATUS_LIST(CF_STATUS_ENUM)
#undef CF_STATUS_ENUM
} cf_status;

const char *cf_status_name(cf_status status);    /* "CF_ENOMEM"; "CF_?" for a number that is none */
const char *cf_status_message(cf_status status); /* "out of memory, ..." */

/* ---- tasks ----------------------------------------------------------------------------------- */

/* What a running task can ask about itself; valid until the task returns. */
typedef struct cf_task_context cf_task_context;

/* The work. `arg` holds arg_size bytes and `result` has room for result_size; both are aligned to 8
 * bytes, and NULL where the size is 0. `result` starts zeroed. Returns 0, or an error number of the
 * task's own, which the future then reports as CF_ETASK.
 * In a process pool the work runs in another process: see cf_process_pool_create. */
typedef int cf_task_fn(const void *arg, void *result, cf_task_context *ctx);

typedef struct cf_task {
    const char *name;        /* shown in descriptions; NULL = "task" */
    cf_task_fn *run;         /* required */
    size_t arg_size;         /* bytes, at most CF_PAYLOAD_MAX */
    size_t result_size;      /* bytes, at most CF_PAYLOAD_MAX */
    const char *result_type; /* shown in descriptions; NULL = "bytes" */
} cf_task;

unsigned cf_task_worker(const cf_task_context *ctx);  /* index of the worker, from 0 */
unsigned cf_task_attempt(const cf_task_context *ctx); /* 1 for the first attempt */

/* ---- executors ------------------------------------------------------------------------------- */

typedef struct cf_executor cf_executor;
typedef struct cf_future cf_future;

typedef struct cf_pool_options {
    unsigned max_workers; /* 0 = cf_cpu_count(NULL); at most CF_WORKERS_MAX; serial: 0 or 1 */
    bool record_times;    /* keep each task's times for cf_future_info (about 0.1 us a task) */
    size_t arena_limit; /* bytes for tasks, arguments and results together, at least 1 MiB (less is
                           CF_EINVAL) and at most 256 GiB; more than fits is CF_ENOMEM from submit.
                           0 = 64 GiB: addresses, of which memory is taken as needed */
} cf_pool_options;

/* Runs each task inside submit, on the caller's thread. */
cf_status cf_serial_create(const cf_pool_options *options, cf_executor **executor);

/* Worker threads, one more started with each submit until there are max_workers. They block all
 * signals, so handlers run on the program's own threads. */
cf_status cf_thread_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Worker processes, one more started with each submit until there are max_workers.
 *
 * Workers are forked from a "nursery", itself forked from the caller inside this call. What a task
 * finds in its process is therefore a snapshot of this moment: globals, open descriptors and loaded
 * code (a function from a library loaded later is not there). What a task changes stays in its
 * worker. Create process pools before threads and before the first OpenMP region: locks held by
 * another thread at the fork stay locked in the workers, and an OpenMP region begun after one hangs
 * there.
 *
 * A worker that dies (a signal, _exit) costs at most the task it was running: that task is run
 * again if it has retries left, else its future reports CF_EWORKER. The worker is replaced. If the
 * nursery itself dies, or if for two seconds not one worker can be had, the pool is broken: every
 * unfinished future reports CF_EBROKEN, submit too. A worker that is stopped (SIGSTOP) keeps its
 * task until it goes on. Nursery and workers end by themselves, within a second, when the calling
 * process ends in any way (exec is no end: it goes on then, and so do they).
 *
 * Signals: nursery and workers start with every handler at its default and no signal blocked; both
 * ignore SIGINT, SIGQUIT and SIGHUP (the caller decides what a Ctrl-C means), the nursery SIGTERM
 * too. The caller gets a SIGCHLD when the nursery ends; SIGCHLD may be ignored, and a wait() of the
 * caller's own may reap the nursery, without harm. Standard input of a worker is /dev/null; what a
 * task prints on stdout is flushed when the task (in a map, its chunk) returns.
 *
 * The shared memory is anonymous (a memfd) and taken from the system by submit, which returns
 * CF_ENOMEM where the kernel refuses it; a memory cgroup kills instead of refusing. It is no
 * protection between tasks: one that writes where it should not can spoil another's result. */
cf_status cf_process_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Copies the argument in and queues the task; never waits for it (serial runs it). On CF_OK the
 * caller owns *future; with future == NULL nobody does, and the task runs all the same. CF_EINVAL,
 * CF_ENOMEM (also for the 4097th different task), CF_EAGAIN (not one worker can be started),
 * CF_ESHUTDOWN, CF_EBROKEN, CF_EFORKED. */
cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future);

typedef struct cf_submit_options {
    unsigned retries; /* how often the task is run again when its worker dies: at least once, then,
                         is how often it runs. At most CF_RETRIES_MAX; default 0 */
} cf_submit_options;

cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future);

/* What became of one task. */
typedef struct cf_exception {
    cf_status status; /* CF_OK, CF_ECANCELLED, CF_ETASK, CF_EWORKER or CF_EBROKEN; in a map also why
                         an item could not be submitted */
    int task_error;   /* CF_ETASK: what the task returned */
    int signal;       /* CF_EWORKER: the signal that ended the worker, or 0 if it exited */
    int exit_code;    /* CF_EWORKER: the status it exited with */
    int worker;       /* index of the worker that ran it last, -1 if none did */
} cf_exception;

/* Writes a sentence, cut to fit and always terminated: "killed by signal 9 (SIGKILL)", "exited with
 * status 3", "error: No such file or directory", "cancelled" ... Returns `text`. */
char *cf_exception_describe(const cf_exception *exception, char *text, size_t size);

typedef struct cf_map_options {
    size_t chunk;             /* items that travel together; 0 = the library chooses */
    unsigned retries;         /* for each item, as in cf_submit_options */
    cf_exception *exceptions; /* room for `count`: what became of each item; NULL = not wanted */
} cf_map_options;

/* Runs the task once for each of `count` arguments, args[i] -> results[i], and waits for all of
 * them. `args` is an array of count * arg_size bytes, `results` has room for count * result_size
 * (either may be NULL where its size is 0); results of failed items are zeroed. Items are begun in
 * order. A dead worker costs one item, also inside a chunk. Returns CF_OK, or the status of the
 * first item (by index) that failed; CF_EINVAL, CF_ENOMEM and the like when the map could not be
 * done at all, in which case no item is still running. */
cf_status cf_executor_map(cf_executor *executor, const cf_task *task, const void *args,
                          size_t count, void *results, const cf_map_options *options);

/* After this submit returns CF_ESHUTDOWN. Tasks already submitted are still run, unless
 * cancel_pending cancels those that have not begun. With `wait`, returns when all tasks are done
 * and all workers gone. May be called again, and from several threads. */
cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending);

/* shutdown(wait, keep pending), then gives everything back but what unreleased futures need. Not
 * for the executor's own tasks: there it only shuts down. NULL is allowed. */
void cf_executor_destroy(cf_executor *executor);

typedef struct cf_stats {
    unsigned max_workers;
    unsigned workers;   /* started so far, dead ones that were replaced not counted */
    uint64_t submitted; /* tasks, a chunk of a map being one */
    uint64_t pending;   /* not begun */
    uint64_t running;   /* begun and not done */
    uint64_t finished;  /* done, in whatever way but cancelled */
    uint64_t failed;    /* of these: CF_ETASK, CF_EWORKER or CF_EBROKEN */
    uint64_t cancelled;
    uint64_t retries;  /* runs begun again because the worker died */
    uint64_t restarts; /* workers replaced */
} cf_stats;

typedef struct cf_worker_stats {
    int64_t id;        /* process id, thread id (serial: the creating thread's) */
    uint64_t tasks;    /* tasks run to their end */
    int64_t busy_ns;   /* time not spent asleep waiting for a task */
    unsigned restarts; /* how often this worker was replaced */
} cf_worker_stats;

/* Numbers of one moment; those of running workers may be a task behind. */
cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats);
/* worker: 0 to stats.workers - 1; else CF_EINVAL */
cf_status cf_executor_worker_stats(cf_executor *executor, unsigned worker, cf_worker_stats *stats);

/* "serial", "thread_pool", "process_pool" */
const char *cf_executor_kind(const cf_executor *executor);
unsigned cf_executor_max_workers(const cf_executor *executor);

/* ---- futures --------------------------------------------------------------------------------- */

/* PENDING -> RUNNING -> FINISHED, PENDING -> CANCELLED. A retried task is PENDING again. */
typedef enum cf_state {
    CF_PENDING,
    CF_RUNNING,
    CF_FINISHED,
    CF_CANCELLED,
} cf_state;

const char *cf_state_name(cf_state state); /* "pending", ... */
cf_state cf_future_state(const cf_future *future);
bool cf_future_running(const cf_future *future);
bool cf_future_done(const cf_future *future); /* finished or cancelled */

/* Writes what Python's repr does, cut to fit and always terminated: "<Future at 0x7f21a4
 * state=pending>",
 * "<Future at 0x7f21a4 state=finished returned str>" (the task's result_type) or "... finished
 * raised CF_ETASK>". Returns `text`. */
char *cf_future_describe(const cf_future *future, char *text, size_t size);

/* Waits for the task, then copies its result_size bytes to `result` (which may be NULL). Can be
 * called again, from several threads. CF_OK; CF_ETIMEDOUT while it is not done; else why there is
 * no result: CF_ECANCELLED, CF_ETASK, CF_EWORKER, CF_EBROKEN, and *result is untouched. CF_EFORKED.
 */
cf_status cf_future_result(cf_future *future, int64_t timeout_ns, void *result);

/* As result, but tells how the task ended: CF_OK (then *exception is filled in, its status CF_OK if
 * the task succeeded), CF_ETIMEDOUT or CF_EFORKED. */
cf_status cf_future_exception(cf_future *future, int64_t timeout_ns, cf_exception *exception);

/* True when the task is cancelled, now or before: it will not run. False when it has begun. */
bool cf_future_cancel(cf_future *future);

typedef struct cf_info {
    cf_state state;
    int worker;           /* that runs it or ran it last; -1 if none yet */
    unsigned attempts;    /* begun so far */
    int64_t submitted_ns; /* the times are 0 where they are not yet known, and always without */
    int64_t started_ns;   /* record_times; started_ns is of the last attempt */
    int64_t finished_ns;
} cf_info;

cf_status cf_future_info(const cf_future *future, cf_info *info);

/* One more owner, who releases the future too. Returns it. NULL is allowed. */
cf_future *cf_future_retain(cf_future *future);

/* Gives the future up; its task goes on. NULL is allowed. */
void cf_future_release(cf_future *future);

/* ---- completion order ------------------------------------------------------------------------ */

typedef struct cf_as_completed cf_as_completed;

/* Watches `count` futures (duplicates count once) so that next can hand them out as they are done,
 * cancelled ones too; those done already come first, in the order given. The futures stay the
 * caller's and may be released before the iteration ends. CF_ENOMEM, CF_EINVAL, CF_EFORKED. */
cf_status cf_as_completed_create(cf_future *const *futures, size_t count,
                                 cf_as_completed **as_completed);

/* The next one that is done, and (unless NULL) its index in the array that create was given.
 * CF_OK, CF_ETIMEDOUT, or CF_EEXHAUSTED when all have been handed out. */
cf_status cf_as_completed_next(cf_as_completed *as_completed, int64_t timeout_ns,
                               cf_future **future, size_t *index);

void cf_as_completed_destroy(cf_as_completed *as_completed); /* NULL is allowed */

/* ---- waiting for several --------------------------------------------------------------------- */

typedef enum cf_wait_for {
    CF_ALL_COMPLETED,
    CF_FIRST_COMPLETED,
    CF_FIRST_EXCEPTION, /* one that failed, else all; a cancelled task is no exception */
} cf_wait_for;

/* Waits until the condition holds for the futures, which may belong to several executors, be done
 * already, or appear twice (and count once); costs the same for each of them. *done (unless NULL)
 * is how many of them are done; cf_future_done tells which. CF_OK, CF_ETIMEDOUT, CF_EINVAL,
 * CF_ENOMEM, CF_EFORKED. None at all: CF_OK. */
cf_status cf_wait(cf_future *const *futures, size_t count, cf_wait_for condition,
                  int64_t timeout_ns, size_t *done);

/* ---- the machine ----------------------------------------------------------------------------- */

typedef struct cf_cpu_explanation {
    unsigned count;    /* the answer: the least of those below that are known, from 1 to 1024 */
    unsigned online;   /* processors online */
    unsigned affinity; /* in this thread's affinity mask; 0 = unknown */
    unsigned cpuset;   /* in the control group's cpuset; 0 = no limit or unknown */
    unsigned quota;    /* CPU quota of the control groups (v1 or v2), rounded up; 0 = none */
    const char *decided_by; /* "online", "cpuset", "affinity", "cgroup quota" or "limit" (of 1024):
                               of equal ones the first */
} cf_cpu_explanation;

/* How many processors this process may use. Read anew at each call; `explanation` may be NULL. */
unsigned cf_cpu_count(cf_cpu_explanation *explanation);

#ifdef __cplusplus
}
#endif
#endif
