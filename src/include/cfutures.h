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
 *   Errors     Calls that can fail return a cf_status, CF_OK being 0. The library never prints,
 *              never exits and never aborts. A task's own error number is a channel of its own
 *              (CF_ETASK), a worker that died another (CF_EWORKER), a run that took too long a
 *              third (CF_EDEADLINE): cf_future_exception tells the details. NULL in place of an
 *              object, or of the place for an answer, is CF_EINVAL unless it is said to be allowed.
 *   Ownership  Arguments are copied in by submit; results are copied out by result, or read in
 *              place. A cf_future belongs to the caller until cf_future_release; it stays valid
 *              after the executor is destroyed. A cf_task and its strings are copied too and may go
 *              away after the call.
 *   Threads    Every call may be made from any thread at any time, except that an executor may be
 *              destroyed once only and not while another call uses it, and that one cf_as_completed
 *              and one cf_stream serve one thread at a time.
 *   Time       Durations and points in time are int64_t nanoseconds; points are on CLOCK_MONOTONIC.
 *              A timeout of 0 looks once, CF_FOREVER (any negative value) waits for ever. Signals
 *              do not end a wait.
 *   Options    NULL or a zeroed struct means the defaults.
 *   Fork       In a child forked from the caller every call on what the parent has made returns
 *              CF_EFORKED, or does nothing where it returns no status; the parent is unharmed. A
 *              process pool's tasks run in such a child: there they can make executors of their
 *              own.
 *   Nested     A worker has a share of the processors to itself: those that its executor's creator
 *              had (cf_cpu_count; inside a task, the share of the worker that runs it) divided by
 *              max_workers, at least 1. Executors made inside a task have so many workers, if
 *              they are not told how many. So by default no level of executors within executors has
 *              more workers than there are processors, or than the first level has. OpenMP regions
 *              inside tasks of a pool get so many threads, the worker's own among them, if an OpenMP
 *              runtime was in the program when the pool was made and OMP_NUM_THREADS is not set. What
 *              is given as a number (max_workers, OMP_NUM_THREADS, num_threads) is obeyed.
 *
 * What each executor can do
 *
 *                         serial             thread_pool            process_pool
 *   a task runs           inside submit      on a thread            in a process
 *   a crash in a task     ends the program   ends the program       costs that task: CF_EWORKER
 *   a run over its time   CF_EDEADLINE when  CF_EDEADLINE at once,  CF_EDEADLINE at once, worker
 *                         it returns         thread when it is over killed and replaced
 *   a task may use its    yes                yes                    no: CF_EFORKED
 *   own executor
 *   terminate_workers     asks the task      asks the tasks         SIGTERM
 *   kill_workers          CF_EUNSUPPORTED    CF_EUNSUPPORTED        SIGKILL
 *
 * A team of OpenMP's threads (cfutures_openmp.h, a library of its own) can do what a thread_pool can.
 */
#ifndef CFUTURES_H
#define CFUTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a shared libcfutures exports: all of this header and no other name of the library, which is
 * compiled with -fvisibility=hidden. Once for the whole header and not a word at each function,
 * because every function here is public; other compilers ignore the line. */
#pragma GCC visibility push(default)

#define CF_FOREVER     ((int64_t)-1)      /* a timeout that never runs out */
#define CF_WORKERS_MAX 1024               /* most workers of one executor */
#define CF_RETRIES_MAX 65534              /* most retries of one task */
#define CF_PAYLOAD_MAX ((size_t)64 << 20) /* most bytes of one argument, and of one result */
#define CF_NESTING_MAX 256                /* most tasks within tasks on one worker */

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
    X(CF_EDEADLINE, "the task ran out of time")                                                    \
    X(CF_EDEADLOCK, "waiting for it would never end")                                              \
    X(CF_EFULL, "as many tasks are pending as may be")                                             \
    X(CF_EUNSUPPORTED, "this executor cannot do that")                                             \
    X(CF_EFORKED, "made by another process, before a fork")                                        \
    X(CF_EEXHAUSTED, "nothing is left")                                                            \
    X(CF_ELATER, "there is nothing yet")

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

/* The work. `arg` holds arg_size bytes and `result` has room for result_size; both lie where they
 * were copied to or will be read from, are aligned to 8 bytes, and NULL where the size is 0.
 * `result` starts zeroed, unless the task is `unzeroed`. Returns 0, or an error number of the
 * task's own, which the future then reports as CF_ETASK (and cf_exception_describe takes for an
 * errno). In a process pool the work runs in another process: see cf_process_pool_create. */
typedef int cf_task_fn(const void *arg, void *result, cf_task_context *ctx);

/* What is to be done, as data. The same task may be submitted with other sizes each time: only
 * name, function and result type make it a different one. */
typedef struct cf_task {
    const char *name;        /* shown in descriptions; NULL = "task" */
    cf_task_fn *run;         /* required */
    size_t arg_size;         /* bytes, at most CF_PAYLOAD_MAX */
    size_t result_size;      /* bytes, at most CF_PAYLOAD_MAX: all that the result may need */
    const char *result_type; /* shown in descriptions; NULL = "bytes" */
    bool unzeroed; /* `result` is not zeroed before a run, nor `arg` before a stream asks its
                                source: for large ones that are written anyway */
} cf_task;

unsigned cf_task_worker(const cf_task_context *ctx);  /* index of the worker, from 0 */
unsigned cf_task_attempt(const cf_task_context *ctx); /* 1 for the first attempt */
size_t cf_task_arg_size(const cf_task_context *ctx);  /* bytes at `arg` */
size_t cf_task_room(const cf_task_context *ctx);      /* bytes at `result`: its result_size */

/* The result is only the first `size` bytes of the room (more is taken as all of it): what
 * cf_future_result copies and cf_future_view shows. Without this call it is the whole room. */
void cf_task_set_result_size(cf_task_context *ctx, size_t size);

/* What the initializer made for this worker (cf_pool_options); NULL without one. */
void *cf_task_local(const cf_task_context *ctx);

/* True when nobody wants the task any more: its time has run out, or its executor was told to
 * terminate. A long task that may run on a thread asks now and then, and returns: one that never
 * does keeps its thread, and destroy waiting. May be asked everywhere, and costs about as much as
 * reading a clock. */
bool cf_task_cancelled(const cf_task_context *ctx);

/* ---- executors ------------------------------------------------------------------------------- */

typedef struct cf_executor cf_executor;
typedef struct cf_future cf_future;

/* A worker's life begins with an initializer, before its first task, and ends with a finalizer,
 * after its last; both run on the worker itself. `context` is cf_pool_options.context, in a process
 * pool as it was when the pool was made. What the initializer stores in *local (NULL at first) is
 * the worker's own: tasks reach it with cf_task_local, the finalizer is given it.
 *
 * The initializer returns 0 or an error number. If it fails, or dies, the pool is broken: pending
 * tasks end with CF_EBROKEN, tasks that run are still finished, no worker is started any more, and
 * cf_exception_describe says why. A killed worker runs no finalizer. serial runs them on the
 * threads that happen to submit first and to wait for its end. */
typedef int cf_initializer_fn(void *context, unsigned worker, void **local);
typedef void cf_finalizer_fn(void *context, unsigned worker, void *local);

typedef struct cf_pool_options {
    /* 0 = cf_cpu_count(NULL), inside a task its worker's share (see Nested, at the top); at most
     * CF_WORKERS_MAX; serial: 0 or 1 */
    unsigned max_workers;
    bool record_times; /* keep each task's times for cf_future_info (about 0.1 us a task) */

    /* Bytes for tasks, arguments and results together, at least 1 MiB (less is CF_EINVAL) and at
     * most 256 GiB; more than fits is CF_ENOMEM from submit. 0 = 64 GiB: addresses, of which memory
     * is taken as needed. */
    size_t arena_limit;

    /* Most tasks that may be pending; 0 = no bound. Beyond it submit waits or, if it is to refuse,
     * returns CF_EFULL; so it always does inside a task of the same executor, which might wait for
     * ever. map and streams wait all the same. */
    size_t max_pending;
    bool refuse_when_full;

    /* After so many tasks (a chunk of a map is one) a worker is replaced: a process by another, a
     * thread by a new life of the same thread. 0 = no bound. */
    unsigned max_tasks_per_worker;

    cf_initializer_fn *initializer; /* NULL = none */
    cf_finalizer_fn *finalizer;     /* NULL = none */
    void *context;                  /* for both */

    /* Of the workers in ps and gdb: "NAME-0", cut to 15 characters; copied. NULL = "cf-worker". */
    const char *name;
} cf_pool_options;

/* Runs each task inside submit, on the caller's thread. */
cf_status cf_serial_create(const cf_pool_options *options, cf_executor **executor);

/* Worker threads, one more started with each submit until there are max_workers. They block all
 * signals, so handlers run on the program's own threads. */
cf_status cf_thread_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Worker processes, one more started with each submit until there are max_workers.
 *
 * Workers are forked from a "nursery", itself forked from the caller inside this call. What a task
 * finds in its process is therefore a snapshot of this moment: globals, open descriptors (with
 * their file offsets, which all share: use pread) and loaded code (a function from a library loaded
 * later is not there). What a task changes stays in its
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
 * ignore SIGINT, SIGQUIT and SIGHUP (the caller decides what a Ctrl-C means), the nursery SIGTERM,
 * the workers SIGTTIN and SIGTTOU too. Each worker leads a process group of its own; what a task
 * has started in it is killed with the worker. Ctrl-Z stops the workers as long as it stops the
 * caller. The caller gets a SIGCHLD when the nursery ends; SIGCHLD may be ignored, and a wait() of
 * the caller's own may reap the nursery, without harm. Standard input of a worker is /dev/null;
 * what a task prints on stdout is flushed when the task (in a map, its chunk) returns.
 *
 * The shared memory is anonymous (a memfd) and taken from the system by submit, which returns
 * CF_ENOMEM where the kernel refuses it; a memory cgroup kills instead of refusing. It is no
 * protection between tasks: one that writes where it should not can spoil another's result. */
cf_status cf_process_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Copies the argument in and queues the task; does not wait for it (serial runs it). Tasks are begun
 * about in the order of submission: where hundreds are pending, a worker takes up to 32 of them at
 * once, and begins them one after the other. So a task may wait by means of its own (a barrier, a
 * pipe) for tasks that were submitted before it, and for others by cf_future_result. On CF_OK the
 * caller owns *future; with future == NULL nobody does, and the task runs all the same. CF_EINVAL,
 * CF_ENOMEM (also for the 4097th different task), CF_EAGAIN (not one worker can be started),
 * CF_EFULL (see max_pending), CF_ESHUTDOWN, CF_EBROKEN, CF_EFORKED. */
cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future);

typedef struct cf_submit_options {
    /* How often the task is run again when its worker dies (not when it returns an error, nor when
     * it is over its time): so it may run more than once. Where workers cannot die it has no
     * effect. At most CF_RETRIES_MAX. */
    unsigned retries;

    /* How long one run may take, from its start; 0 or CF_FOREVER = as long as it likes. A run over
     * its time is not run again: its future reports CF_EDEADLINE.
     *   process_pool  at once; the worker is killed with its process group, and replaced
     *   thread_pool   at once, and the task's flag is set (cf_task_cancelled); the thread is free
     *                 when the task returns, until when destroy waits
     *   serial        when the task returns, its flag being set meanwhile
     * A run that returns late is over its time everywhere. */
    int64_t timeout_ns;
} cf_submit_options;

cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future);

/* Submits `count` tasks at once, args[i] -> futures[i], for less than as many calls of submit.
 * `args` is an array of count * arg_size bytes; `futures` has room for `count`, or is NULL. Returns
 * CF_OK, or why it stopped: then the first *submitted of them are submitted (the place may be NULL)
 * and the other futures are NULL. */
cf_status cf_executor_submit_many(cf_executor *executor, const cf_task *task, const void *args,
                                  size_t count, const cf_submit_options *options,
                                  cf_future **futures, size_t *submitted);

/* What became of one task. */
typedef struct cf_exception {
    cf_status status; /* CF_OK, CF_ECANCELLED, CF_ETASK, CF_EWORKER, CF_EDEADLINE or CF_EBROKEN; in
                         a map or stream also why an item could not be submitted */
    int task_error;   /* CF_ETASK: what the task returned; CF_EBROKEN: what the initializer did */
    int signal;    /* CF_EWORKER: the signal that ended the worker, or 0 if it exited; CF_EBROKEN:
                         the same of a worker that died in the initializer */
    int exit_code; /* CF_EWORKER, CF_EBROKEN: the status it exited with */
    int worker;    /* index of the worker that ran it last, -1 if none did */
    int64_t timeout_ns; /* CF_EDEADLINE: the time that a run was given */
} cf_exception;

/* Writes a sentence, cut to fit and always terminated: "killed by signal 9 (SIGKILL)", "exited with
 * status 3", "timed out after 1.5s", "error: No such file or directory", "cancelled" ... Returns
 * `text`. */
char *cf_exception_describe(const cf_exception *exception, char *text, size_t size);

/* About how much work an item is, in any unit: seconds, operations, bytes. Called by map on the
 * caller's thread, once for each argument. */
typedef double cf_cost_fn(void *context, const void *arg);

typedef struct cf_map_options {
    size_t
        chunk; /* items that travel together, obeyed; 0 = the library chooses, by the time that they
                     are seen to take, and shares out anew what a worker has not begun of a chunk when
                     another is idle */
    unsigned retries;         /* for each item, as in cf_submit_options */
    int64_t timeout_ns;       /* for each item, as in cf_submit_options */
    cf_exception *exceptions; /* room for `count`: what became of each item; NULL = not wanted */
    cf_cost_fn
        *cost; /* begin the dearest items first, so that none of them is left for the end when
                         other workers have nothing to do; NULL = in the array's order. Results lie
                         in the arguments' order all the same */
    void *cost_context;
} cf_map_options;

/* Runs the task once for each of `count` arguments, args[i] -> results[i], and waits for all of
 * them. `args` is an array of count * arg_size bytes, `results` has room for count * result_size
 * (either may be NULL where its size is 0); results of failed items are zeroed. Until it
 * returns the arguments must not change, and nobody knows what `results` holds: workers that share
 * the caller's memory use both in place. Items are begun about in order. A dead worker costs one item, also inside a chunk, and so does one over its time. Returns
 * CF_OK, or the status of the first item (by index) that failed; CF_EINVAL, CF_ENOMEM and the like
 * when the map could not be done at all, in which case no item is still running. */
cf_status cf_executor_map(cf_executor *executor, const cf_task *task, const void *args,
                          size_t count, void *results, const cf_map_options *options);

/* After this submit returns CF_ESHUTDOWN. Tasks already submitted are still run, unless
 * cancel_pending cancels those that have not begun. With `wait`, returns when all tasks are done,
 * all callbacks have been called and all workers are gone (not from the executor's own tasks and
 * callbacks, which cannot wait for themselves). May be called again, and from several threads. */
cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending);

/* Ends the executor in a hurry: shutdown(do not wait, cancel pending), and no worker that dies is
 * replaced. terminate sends the workers SIGTERM, and asks tasks that run on threads to return
 * (cf_task_cancelled); kill sends SIGKILL to workers and their process groups, CF_EUNSUPPORTED
 * where they are no processes. Tasks that were running end with CF_EWORKER; a worker that does not
 * die of SIGTERM finishes its task. CF_EFORKED. */
cf_status cf_executor_terminate_workers(cf_executor *executor);
cf_status cf_executor_kill_workers(cf_executor *executor);

/* shutdown(wait, keep pending), then gives everything back but what unreleased futures need. Not
 * for the executor's own tasks and callbacks: there it only shuts down. NULL is allowed. */
void cf_executor_destroy(cf_executor *executor);

typedef struct cf_stats {
    unsigned max_workers;
    unsigned workers;   /* started so far, dead ones that were replaced not counted */
    uint64_t submitted; /* tasks, a chunk of a map being one */
    uint64_t pending;   /* not begun */
    uint64_t running;   /* begun and not done */
    uint64_t finished;  /* done, in whatever way but cancelled */
    uint64_t failed;    /* of these: CF_ETASK, CF_EWORKER, CF_EDEADLINE or CF_EBROKEN */
    uint64_t timed_out; /* of these: CF_EDEADLINE */
    uint64_t unseen;    /* failed, and nobody has asked for the result or the exception so far */
    uint64_t cancelled;
    uint64_t retries;  /* runs begun again because the worker died */
    uint64_t restarts; /* workers replaced because they died */
    uint64_t retired;  /* workers replaced after max_tasks_per_worker */
} cf_stats;

typedef struct cf_worker_stats {
    int64_t id;        /* process id, thread id (serial: the creating thread's) */
    uint64_t tasks;    /* tasks run to their end */
    int64_t busy_ns;   /* time not spent asleep waiting for a task */
    unsigned restarts; /* how often this worker died and was replaced */
    unsigned retired;  /* how often it was replaced after max_tasks_per_worker */
} cf_worker_stats;

/* Numbers of one moment; those of running workers may be a task behind. */
cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats);
/* worker: 0 to stats.workers - 1; else CF_EINVAL */
cf_status cf_executor_worker_stats(cf_executor *executor, unsigned worker, cf_worker_stats *stats);

/* "serial", "thread_pool", "process_pool", "openmp" */
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

/* Waits for the task, then copies its result to `result`, which has room for the task's result_size
 * (or is NULL). Can be called again, from several threads. CF_OK; CF_ETIMEDOUT while it is not
 * done; else why there is no result: CF_ECANCELLED, CF_ETASK, CF_EWORKER, CF_EDEADLINE, CF_EBROKEN,
 * and *result is untouched. CF_EFORKED.
 *
 * Inside a task of the same executor the waiting worker runs the very task that it waits for, if
 * that has not begun. Where a wait without a timeout could never end (the tasks wait for each
 * other, every worker waits), or would nest deeper than CF_NESTING_MAX, it is CF_EDEADLOCK; so it
 * is in as_completed, wait, map and streams. */
cf_status cf_future_result(cf_future *future, int64_t timeout_ns, void *result);

/* As result, without a copy: *result is where the result lies, *size how long it is, until the
 * future is released. Nobody may write there. */
cf_status cf_future_view(cf_future *future, int64_t timeout_ns, const void **result, size_t *size);

/* As result, but tells how the task ended: CF_OK (then *exception is filled in, its status CF_OK if
 * the task succeeded), CF_ETIMEDOUT, CF_EDEADLOCK or CF_EFORKED. */
cf_status cf_future_exception(cf_future *future, int64_t timeout_ns, cf_exception *exception);

/* True when the task is cancelled, now or before: it will not run. False when it has begun. */
bool cf_future_cancel(cf_future *future);

/* Called once when the task is done, in whatever way: cancelled ones too. Callbacks of one future
 * are called in the order in which they were added, those of one executor one after the other, with
 * no lock of the library's held, on a thread of the executor's own (all signals blocked); serial,
 * which has none, calls them on the thread that ran the task or adds the callback. The future stays
 * valid during the call, whoever has released it. A callback may do everything, wait included, that
 * does not wait for another callback of the same executor. */
typedef void cf_done_fn(cf_future *future, void *context);

/* Adds a callback, which is also called if the task is done already. CF_EINVAL, CF_ENOMEM,
 * CF_EAGAIN (the thread cannot be started), CF_EFORKED. */
cf_status cf_future_add_done_callback(cf_future *future, cf_done_fn *callback, void *context);

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

/* ---- streams --------------------------------------------------------------------------------- */

/* A map over what a source gives, one item after the other, with no more than a window of items
 * under way: a million or an endless number of items in the memory of a few.
 *
 *     cf_stream_open(ex, &task, next_line, file, NULL, &stream);
 *     while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) { ... item.result ... }
 *     cf_stream_close(stream);                        // status is CF_EEXHAUSTED if all went well
 *
 * All items of a stream have the task's arg_size: let that be the most that one may need, or give
 * them the place of their data. A worker that dies costs one item, also inside a chunk, and so does
 * an item over its time. A stream must be closed before its executor is destroyed. */
typedef struct cf_stream cf_stream;

typedef enum cf_source_answer {
    CF_SOURCE_END,  /* there are no more, or it cannot get at them: what went wrong it keeps in its
                       context. It is not called again */
    CF_SOURCE_ITEM, /* `arg` is the next argument */
    CF_SOURCE_LATER /* none right now. For what comes in through a pipe: to wait for it here would keep
                       back what is already done. It is asked again when next is called, and whenever an
                       item is done meanwhile: call next with a timeout to have it asked more often */
} cf_source_answer;

/* Writes the next argument to `arg`, which has room for the task's arg_size bytes (NULL if that is
 * 0) and is zeroed unless the task is `unzeroed`. Called inside open and next alone, on their
 * caller's thread, with no lock of the library's held. It must not use the stream. */
typedef cf_source_answer cf_source_fn(void *context, void *arg);

typedef struct cf_stream_options {
    bool as_completed; /* hand items out as they are done, not in the source's order */
    size_t window;     /* most items taken from the source and not yet handed out; all of it is
                           submitted at once. 0 = the library chooses: 16 chunks a worker (of at
                           most half a MiB each), of which it submits 3 a worker at a time */
    size_t chunk;      /* items that travel together, cut to the window: they are run one after the
                           other by one worker, and handed out when all of them are done. Obeyed; 0 =
                           the library chooses, by the time that items are seen to take: about half a
                           millisecond's work, 1 for long ones. When a worker is idle and there is
                           nothing to be sent, it gets half of what another has of its chunk and has
                           not begun */
    uint64_t
        size_hint; /* how many items there will be, so that the last chunks are small; 0 = unknown.
                           Need not be right */
    unsigned retries;   /* for each item, as in cf_submit_options */
    int64_t timeout_ns; /* for each item, as in cf_submit_options */
} cf_stream_options;

/* Submits what the window allows; CF_OK also for a source that has nothing. CF_EINVAL, CF_ENOMEM, CF_EAGAIN,
 * CF_EFORKED; and, if not one item could be submitted, why not. */
cf_status cf_stream_open(cf_executor *executor, const cf_task *task, cf_source_fn *source,
                         void *context, const cf_stream_options *options, cf_stream **stream);

typedef struct cf_stream_item {
    uint64_t index;         /* in the source's order, from 0 */
    cf_exception exception; /* what became of it; its status is CF_OK if it succeeded */
    const void *arg;        /* its argument, and */
    const void *result;     /* if it succeeded its result: until the next call for this stream. NULL
                               where there is none, or of no size */
    size_t result_size;     /* bytes there: the task's result_size, or what the task said */
} cf_stream_item;

/* Waits for the next item, and tops the window up. CF_OK: an item was handed out, whatever became
 * of it. CF_ETIMEDOUT. CF_ELATER, at once: none is under way, and the source has none right now.
 * CF_EEXHAUSTED: there are no more. CF_ESHUTDOWN, CF_EBROKEN and the like: no
 * more could be submitted, and all that were have been handed out. CF_EDEADLOCK, CF_EFORKED. */
cf_status cf_stream_next(cf_stream *stream, int64_t timeout_ns, cf_stream_item *item);

/* Comes to an end: takes no more from the source, cancels what has not begun, and gives up what is still
 * running. What is done by now is left to be handed out, in the stream's order; then next returns
 * CF_EEXHAUSTED. NULL is allowed. */
void cf_stream_stop(cf_stream *stream);

/* Cancels what has not begun, and does not wait for the rest. NULL is allowed. */
void cf_stream_close(cf_stream *stream);

/* Writes "<cf_stream at 0x7f21a4, ordered, 5 tasks>" (or "as completed"; the tasks being
 * size_hint's items or, without one, those submitted so far), cut to fit and always terminated.
 * Returns `text`. */
char *cf_stream_describe(const cf_stream *stream, char *text, size_t size);

/* ---- completion order ------------------------------------------------------------------------ */

typedef struct cf_as_completed cf_as_completed;

/* Watches `count` futures (duplicates count once) so that next can hand them out as they are done,
 * cancelled ones too; those done already come first, in the order given. The futures stay the
 * caller's and may be released before the iteration ends. CF_ENOMEM, CF_EINVAL, CF_EFORKED. */
cf_status cf_as_completed_create(cf_future *const *futures, size_t count,
                                 cf_as_completed **as_completed);

/* The next one that is done, and (unless NULL) its index in the array that create was given.
 * CF_OK, CF_ETIMEDOUT, CF_EDEADLOCK, or CF_EEXHAUSTED when all have been handed out. */
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
 * CF_ENOMEM, CF_EDEADLOCK, CF_EFORKED. None at all: CF_OK. */
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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
