/* cfutures: concurrent futures for C.
 *
 * An executor runs tasks on workers: threads of this process, other processes, also on other
 * machines, or the calling thread itself (`serial`). The calls are the same for all kinds. A
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
 *   Errors     Calls that can fail return a cf_status; CF_OK is 0. The library never prints, never
 *              exits and never aborts. A future tells three failures apart: its task returned an
 *              error number (CF_ETASK), its worker died (CF_EWORKER), its run took too long
 *              (CF_EDEADLINE). cf_future_exception gives the details. NULL in place of an object,
 *              or of the place for an answer, is CF_EINVAL unless a comment allows NULL.
 *   Ownership  Submit copies the argument, the cf_task and its strings: they may go away after the
 *              call. cf_future_result copies the result out, cf_future_view shows it in place. A
 *              cf_future belongs to the caller until cf_future_release. It stays valid after the
 *              executor is destroyed.
 *   Threads    Any thread may make any call at any time, with two exceptions. An executor is
 *              destroyed once only, and not while another call uses it. One cf_as_completed and one
 *              cf_stream serve one thread at a time.
 *   Time       Durations and points in time are int64_t nanoseconds. Points in time are on
 *              CLOCK_MONOTONIC. A timeout of 0 looks once, CF_FOREVER (any negative value) waits
 *              forever. Signals do not end a wait.
 *   Options    NULL or a zeroed struct means the defaults.
 *   Fork       An object belongs to the process that made it. In a forked child, and in a worker of
 *              a process pool, calls on an object of the parent do no harm to the parent. For a
 *              future the list holds also after the parent has released it or destroyed its pool:
 *                calls that return a status           return CF_EFORKED
 *                cf_future_state                      returns CF_PENDING
 *                cf_future_running, _done, _cancel    return false
 *                cf_future_describe                   writes "<Future at 0x... of another process>"
 *                cf_future_retain, _release           do nothing
 *                stop, close and destroy              do nothing
 *                cf_executor_kind, _max_workers,
 *                cf_stream_describe                   answer as in the parent
 *              A child can make executors of its own, and so can a task of a process pool.
 *   Nested     Executors inside tasks share the processors. A worker's share is the number of
 *              processors that its executor's creator had, divided by max_workers, at least 1. The
 *              creator had cf_cpu_count or, inside a task, the share of the worker that runs it. An
 *              executor made inside a task has as many workers as that share, unless max_workers is
 *              given. So by default no level of executors within executors has more workers than
 *              there are processors, or than the first level has. OpenMP regions inside tasks of a
 *              pool get as many threads as the share, the worker's own among them. That needs an
 *              OpenMP runtime in the program when the pool is made, and OMP_NUM_THREADS not set.
 *              Numbers that are given (max_workers, OMP_NUM_THREADS, num_threads) are obeyed.
 *
 * Surroundings: what the program around the library has to know
 *
 *   Cancel     No call is a cancellation point, and none is ended by a deferred pthread_cancel, not
 *              even while it waits. A thread must not be cancelled asynchronously in a call, nor at
 *              all inside a source, a cost function, a callback, or what serial runs on it.
 *   Fork       If a task, an initializer, a finalizer or a callback forks, and the child returns
 *              from it too, the child ends there. Its exit status is 0 if it returned 0. The parent
 *              goes on. A child of a task may call exec or _exit at any time.
 *   Exit       A task of a process pool that calls exit or _exit ends its worker: CF_EWORKER. If it
 *              calls exec, it ends so when the new program ends. On the other executors exit and
 *              _exit end the program, and exec replaces it. A task of a thread_pool or process_pool
 *              that calls pthread_exit ends with CF_ETASK and task_error ECANCELED (in a map or
 *              stream, with all items of its chunk), and its worker is replaced. Such a task must
 *              not be one that another task of its pool waits for, nor submitted by such a one. On
 *              serial and openmp, with musl, and in initializers and finalizers, pthread_exit must
 *              not be called.
 *   Handlers   A process worker runs no exit handlers, unless the pool has run_exit_handlers. What
 *              such a handler would write is lost: the counts of gcov, the buffer of a std::cout
 *              that is not synchronised with stdio.
 *   C++        An exception must not leave an initializer, a finalizer, a callback, a source or a
 *              cost function. It must not leave a task either, except a task of serial. On threads
 *              it ends the program, in a process pool it ends the worker. On serial it may leave
 *              cf_executor_submit, cf_executor_submit_with and cf_executor_submit_many. The task's
 *              future, which is in *future, then ends with CF_ETASK and task_error ECANCELED. The
 *              executor stays usable; *submitted is not set. In maps and streams on serial, an
 *              exception that leaves a task leaks the memory of the map or stream.
 *   Threads    The library's threads block all signals but SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP
 *              and SIGSYS, which a fault raises, and SIGPROF. So crash reporters and profilers see
 *              tasks. A program that a task starts inherits the mask: start it with
 *              POSIX_SPAWN_SETSIGMASK, or create the pool with keep_signal_mask.
 *   Profilers  Worker processes do not inherit timers (setitimer): start their profiler in the
 *              initializer.
 *   Children   What a task of a process pool has started ends with its worker (see Groups at
 *              cf_process_pool_create).
 *   SIGTERM    If all processes of a service get a SIGTERM (systemd does so), running tasks of a
 *              process pool end with CF_EWORKER, unless the pool has ignore_sigterm.
 *   wait       The nursery of a process pool is a child of the program. While a pool lives,
 *              `while (wait(NULL) > 0)` does not end: wait for your own children by their numbers.
 *   Files      A process pool has four descriptors: a memfd, two eventfds and a pidfd. If the
 *              program closes them (as a daemon does), the pool goes on, and looks for deaths every
 *              10 ms; the program must not change its user then. The library leaves files alone
 *              that have these numbers later, except an eventfd and the like; so it takes numbers
 *              from 512 on, if the limit allows it. The nursery keeps open what was open when the
 *              pool was created. So a pipe whose writing end was open then has no end of file
 *              before the pool is destroyed. The limit of descriptors may be lowered later, even to
 *              0.
 *   Stopped    Time in which the program is stopped (Ctrl-Z, SIGSTOP) does not count against the
 *              time limits of tasks, except on serial. Up to 0.2 s of each stop may count. A stop
 *              does count in the timeouts of calls that wait. If a worker process is stopped alone,
 *              it is killed at the limit of its task. If the machine is so busy that the library's
 *              thread for time limits runs late, limits become longer.
 *   Nursery    If the nursery is stopped (SIGSTOP), workers go on, but none that dies is replaced.
 *              It continues when the pool needs it (see Stopped at cf_process_pool_create).
 *   pid 1      If the program is pid 1 or a subreaper, and the nursery is killed, the dead workers
 *              are the program's to reap.
 *   User       An initializer may call setuid: the worker still ends with its nursery. The program
 *              may change its user (setuid) and its root directory (chroot) while a pool lives.
 *   Sandbox    If the system refuses a call (a filter of system calls, a limit), the library's call
 *              returns CF_ENOMEM or CF_EAGAIN, and cf_refused_call names what was refused. A pool of
 *              processes that is made where waitid is refused is broken.
 *   Memory     An executor reserves addresses (arena_limit), fewer if RLIMIT_AS does not allow as
 *              many. Under such a limit a small arena_limit leaves addresses to the program and to
 *              workers. A core dump of the program or of a worker has only what is in use.
 *   Pointers   A worker process has a copy of the program's memory, as it was when the pool was
 *              created. So a pointer in an argument is good only if it points to shared memory that
 *              was made before.
 *   Damage     If a task of a process pool writes to a wrong place in the memory that the workers
 *              share, the program's own memory stays as it is. The pool breaks when the library
 *              finds the damage, at the latest a second after a thread began to wait for what is
 *              lost. Results that lie there may be wrong.
 *   cgroups    cf_cpu_count heeds the cpuset and the CPU quota of control groups. Their limit of
 *              memory kills the program, or a worker (CF_EWORKER): no call can report it before.
 *   Filters    A filter of system calls (seccomp) may forbid membarrier, also one that an
 *              initializer installs. Each task costs some 100 ns more from then on.
 *   dlclose    A shared libcfutures stays loaded when it is closed, because its threads may run.
 *              The loader is locked while a library's constructors and destructors run: they must
 *              not wait for a task on a thread that calls dlopen.
 *   musl       The library works with musl 1.2. Its worker threads have 1 MiB of stack there.
 *
 * What each executor can do
 *
 *                         serial             thread_pool            process_pool
 *   a task runs           inside submit      on a thread            in a process
 *   a crash in a task     ends the program   ends the program       affects only that task:
 *                                                                   CF_EWORKER
 *   a run over its time   CF_EDEADLINE when  CF_EDEADLINE at once,  CF_EDEADLINE at once,
 *                         the task returns   the thread is free     the worker is killed
 *                                            when the task returns  and replaced
 *   a task may use its    yes                yes                    no: CF_EFORKED
 *   own executor
 *   terminate_workers     asks the task      asks the tasks         sends SIGTERM
 *   kill_workers          CF_EUNSUPPORTED    CF_EUNSUPPORTED        sends SIGKILL
 *
 * A team of OpenMP's threads (cfutures_openmp.h, a library of its own) can do what a thread_pool
 * can. The ranks of an MPI job (cfutures_mpi.h, likewise) can do what a process_pool can, on other
 * machines too. */
#ifndef CFUTURES_H
#define CFUTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, and as a number: 1.2.3 is 10203. A program that is linked with a shared library may find
 * another one there: cf_version tells. */
#define CF_VERSION_MAJOR 0
#define CF_VERSION_MINOR 1
#define CF_VERSION_PATCH 0
#define CF_VERSION       (CF_VERSION_MAJOR * 10000 + CF_VERSION_MINOR * 100 + CF_VERSION_PATCH)

/* The library is compiled with -fvisibility=hidden; a shared libcfutures exports all functions of
 * this header. One pragma serves for all of them. Other compilers ignore it. */
#pragma GCC visibility push(default)

#define CF_FOREVER     ((int64_t)-1)      /* a timeout that never runs out */
#define CF_WORKERS_MAX 1024               /* most workers of one executor */
#define CF_RETRIES_MAX 65534              /* most retries of one task */
#define CF_PAYLOAD_MAX ((size_t)64 << 20) /* most bytes of one argument, and of one result */
#define CF_NESTING_MAX 256                /* most tasks within tasks on one worker */

const char *cf_version(void); /* of the library: "0.1.0" */

/* ---- status ---------------------------------------------------------------------------------- */

/* name, and its meaning for readers of an error message */
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
    X(CF_ELATER, "there is nothing yet")                                                           \
    X(CF_ESERVED, "this process has served another one, which is done")

typedef enum cf_status {
#define CF_STATUS_ENUM(name, message) name,
    CF_STATUS_LIST(CF_STATUS_ENUM)
#undef CF_STATUS_ENUM
} cf_status;

const char *cf_status_name(cf_status status);    /* "CF_ENOMEM"; "CF_?" if it is not a status */
const char *cf_status_message(cf_status status); /* "out of memory, ..." */

/* After a call that has returned CF_ENOMEM or CF_EAGAIN: the name of the system call that the
 * system refused, as "memfd_create", "mmap", "fallocate", "fork", "pthread_create", "eventfd" or
 * "malloc". *error is its errno (`error` may be NULL).
 * NULL, and *error is 0, if it was a limit of the library or of the pool: arena_limit, or the
 * number of different tasks.
 *
 * Each thread has its own answer. As with errno, ask on the thread of the failed call, before its
 * next call that returns a cf_status: that may change the answer, also if it succeeds. Without such
 * a failure the answer means nothing. The string is static. */
const char *cf_refused_call(int *error);

/* ---- tasks ----------------------------------------------------------------------------------- */

/* What a running task can ask about itself. Valid until the task returns. */
typedef struct cf_task_context cf_task_context;

/* The work. Reads arg_size bytes at `arg`, and writes at most result_size bytes to `result`. Both
 * are aligned to 8 bytes, in a map at least as a type of that size is (4 bytes to 4, 12 to 4, 16 to
 * 8); a pointer whose size is 0 is NULL. The task works in place: `arg` is
 * where the argument was copied to, `result` is where the result will be read. `result` is zeroed
 * before the run, unless the task is `unzeroed`.
 *
 * Returns 0, or an error number of its own. The future reports that number as CF_ETASK;
 * cf_exception_describe takes it for an errno. In a process pool the work runs in another process:
 * see cf_process_pool_create. */
typedef int cf_task_fn(const void *arg, void *result, cf_task_context *ctx);

/* A task, as data. The same task may be submitted with other sizes each time: only another name,
 * function or result type makes it a different task. */
typedef struct cf_task {
    const char *name;        /* for readers and debuggers; NULL = "task" */
    cf_task_fn *run;         /* required */
    size_t arg_size;         /* bytes, at most CF_PAYLOAD_MAX */
    size_t result_size;      /* bytes that the result may need, at most CF_PAYLOAD_MAX */
    const char *result_type; /* shown by cf_future_describe; NULL = "bytes" */

    /* True: `result` is not zeroed before a run, nor `arg` before a stream calls its source. Saves
     * time with large ones that are written anyway. */
    bool unzeroed;
} cf_task;

unsigned cf_task_worker(const cf_task_context *ctx);  /* index of the worker, from 0 */
unsigned cf_task_attempt(const cf_task_context *ctx); /* 1 for the first attempt */
size_t cf_task_arg_size(const cf_task_context *ctx);  /* bytes at `arg` */
size_t cf_task_room(const cf_task_context *ctx);      /* bytes at `result`: its result_size */

/* Makes the first `size` bytes of the room the result: cf_future_result copies them, cf_future_view
 * shows them. More than the room is taken as the whole room. Without this call the result is the
 * whole room. */
void cf_task_set_result_size(cf_task_context *ctx, size_t size);

/* What the initializer stored for this worker (cf_pool_options). NULL without an initializer. */
void *cf_task_local(const cf_task_context *ctx);

/* True if the task is not wanted any more: its time has run out, or its executor was told to
 * terminate. A long task that may run on a thread should ask now and then, and return if it is
 * true. A task that never returns keeps its thread, and destroy waits for it. Works on every
 * executor; costs about as much as reading a clock. */
bool cf_task_cancelled(const cf_task_context *ctx);

/* ---- executors ------------------------------------------------------------------------------- */

typedef struct cf_executor cf_executor;
typedef struct cf_future cf_future;

/* A worker calls the initializer before its first task, and the finalizer after its last. `context`
 * is cf_pool_options.context; in a process pool, as it was when the pool was made. The initializer
 * may store a value in *local (NULL at first), which is the worker's own: its tasks read it with
 * cf_task_local, the finalizer is given it.
 *
 * The initializer returns 0 or an error number. If it fails, or if its process dies, the pool is
 * broken: pending tasks end with CF_EBROKEN, running tasks are still finished, and no more workers
 * are started. cf_exception_describe says why. A worker that is killed runs no finalizer.
 *
 * serial calls the initializer on the thread whose task is the first of a life. It calls the
 * finalizer on the thread that waits for the executor's end, or that ran the last of
 * max_tasks_per_worker tasks. */
typedef int cf_initializer_fn(void *context, unsigned worker, void **local);
typedef void cf_finalizer_fn(void *context, unsigned worker, void *local);

typedef struct cf_pool_options {
    /* At most CF_WORKERS_MAX; serial: 0 or 1. 0 = cf_cpu_count(NULL), or inside a task its worker's
     * share (see Nested, at the top). */
    unsigned max_workers;

    bool record_times; /* keep each task's times for cf_future_info (about 0.1 us a task) */

    /* Bytes for tasks, arguments and results together: at least 1 MiB (less is CF_EINVAL), at most
     * 256 GiB. If they do not suffice, submit returns CF_ENOMEM. 0 = 64 GiB, and less if the
     * process has many executors: 23 GiB with 512 of them, 1 GiB at least. These are addresses;
     * memory is taken as needed. */
    size_t arena_limit;

    /* Most tasks that may be pending; 0 = no limit. At the limit submit waits, or returns CF_EFULL
     * if refuse_when_full is set. Maps and streams wait in both cases. Inside a task of the same
     * executor submit always returns CF_EFULL, because it might wait forever. There maps and
     * streams wait for their own items only: if none is under way, the others fail with CF_EFULL.
     * serial ignores the limit. */
    size_t max_pending;
    bool refuse_when_full;

    /* Tasks (a chunk of a map is one) after which a worker is replaced: a process by another
     * process, a thread by a new life of the same thread. 0 = no limit. */
    unsigned max_tasks_per_worker;

    cf_initializer_fn *initializer; /* NULL = none */
    cf_finalizer_fn *finalizer;     /* NULL = none */
    void *context;                  /* for both */

    /* ps and gdb show workers as "NAME-0", cut to 15 characters. Copied. NULL = "cf-worker". */
    const char *name;

    /* Workers begin with the signal mask of the thread that creates the executor. Without it
     * threads block nearly all signals, processes none (see Surroundings). serial ignores it. */
    bool keep_signal_mask;

    /* Process workers ignore SIGTERM, so that a SIGTERM to all processes of a service lets running
     * tasks end. cf_executor_terminate_workers then only asks them to return. */
    bool ignore_sigterm;

    /* A process worker that ends by itself calls exit, not _exit: so it runs the exit handlers that
     * its tasks, and the program before the pool, have registered, and flushes all of stdio. */
    bool run_exit_handlers;

    /* thread_pool: each submit starts one more thread until there are min_workers. The others, up to
     * max_workers, start only while tasks wait and threads are blocked. 0, or more than max_workers =
     * max_workers. The other executors ignore it. For tasks that wait for a network or a disk, nobody
     * knows how long: they get many threads if they wait long, few if not.
     *   - A thread is blocked while it sleeps, for example in read, for a lock, or in
     *     cf_future_result. The kernel says so. A thread that waits for a processor is not blocked,
     *     however busy the machine is. A thread counts as blocked while its task is over its time.
     *   - While fewer threads run than there are processors (see Nested, at the top), and the others
     *     stay blocked, the number of threads doubles every millisecond or so. If the threads are
     *     blocked for more than half of the time, a quarter is added every 8 ms.
     *   - Tasks that compute get as many threads as there are processors, and no more: if these
     *     tasks never end, those that wait never begin. Threads that have been started stay.
     *   - A task that forks (cfutures_fork.h) starts one more, until there are as many as processors,
     *     and two at least.
     *   - A thread of the pool's own looks at the others, at most every 0.5 ms, and only while tasks
     *     wait: also after shutdown.
     *   - If /proc cannot be read, a thread that waits for a processor counts as blocked.
     *   - Until max_workers threads have been started, no wait for a task that has not begun is
     *     CF_EDEADLOCK. */
    unsigned min_workers;

    /* thread_pool: bytes of stack of each worker, at least PTHREAD_STACK_MIN, rounded up to whole pages.
     * For deep recursion. 0, or a size that the system does not allow = as `ulimit -s` says. The
     * other executors ignore it: an OpenMP team has OMP_STACKSIZE. */
    size_t stack_size;

    const struct cf_observer *observer; /* cfutures_observer.h; copied. NULL = none */
} cf_pool_options;

/* All constructors: on CF_OK the caller owns *executor, else *executor is NULL. CF_EINVAL,
 * CF_ENOMEM (cf_refused_call says what was refused). */

/* Runs each task inside submit, on the caller's thread. One task runs at a time: submit waits while
 * another thread's task runs. In three cases a task stays pending until the outermost task ends:
 *   - it would nest deeper than CF_NESTING_MAX
 *   - it was submitted in an initializer or a finalizer
 *   - the task that runs waits for its submitter */
cf_status cf_serial_create(const cf_pool_options *options, cf_executor **executor);

/* Runs tasks on threads. Each submit starts one more thread until there are max_workers. The
 * threads block signals, so handlers run on the program's own threads; "Surroundings" has the
 * exceptions. */
cf_status cf_thread_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Runs tasks in worker processes. Each submit starts one more until there are max_workers.
 * CF_EAGAIN if the system refuses a process, a thread or a descriptor.
 *
 * Snapshot   Workers are forked from a "nursery", a process that this call forks from the caller.
 *            So a task finds globals, open descriptors and loaded code as they are at this call. A
 *            function from a library loaded later is not there. Workers and caller share the file
 *            offsets of the descriptors: use pread. What a task changes stays in its worker.
 * Pointers   Do not put pointers into arguments or results, except pointers into shared memory that
 *            was made before the pool.
 * Order      Create process pools before threads and before the first OpenMP region. Locks that
 *            another thread holds at the fork stay locked in the workers. If a region was begun
 *            before the fork, an OpenMP region in a worker hangs.
 * Deaths     A worker that dies (a signal, _exit) affects at most the task that it was running. The
 *            task is run again if it has retries left; else its future reports CF_EWORKER. The
 *            worker is replaced. The pool is broken if the nursery dies; if tasks wait and for two
 *            seconds not one worker can be started, or workers die and none begins a task; or by
 *            Damage (see Surroundings). Then every unfinished future reports CF_EBROKEN, and submit
 *            returns it. A worker that is stopped (SIGSTOP) keeps its task until it continues. The
 *            others go on.
 * End        Nursery and workers end by themselves within a second after the calling process ends
 *            in any way, stopped ones too (SIGSTOP), with one exception. If the nursery was killed
 *            before, a worker whose task has called setuid stays (an initializer may call it). exec
 *            does not end the process: nursery and workers continue with it.
 * Stopped    A nursery that is stopped (SIGSTOP) continues when the pool needs it to start or kill
 *            a worker, and when the pool is shut down. Until then no worker that dies is replaced.
 * Signals    Workers start with every handler at its default and no signal blocked. Workers ignore
 *            SIGINT, SIGQUIT and SIGHUP: the caller decides what Ctrl-C means. They also ignore
 *            SIGTTIN and SIGTTOU. Only SIGKILL ends the nursery, and only SIGSTOP stops it. Ctrl-Z
 *            stops the workers as long as it stops the caller.
 * Groups     Each worker leads a process group of its own. The processes that a task has started in
 *            the group are killed when the worker ends in any way. They stay if they leave the
 *            group, or if program and nursery are killed at the same time.
 * SIGCHLD    The caller gets a SIGCHLD when the nursery ends. SIGCHLD may be ignored, and a wait()
 *            of the caller's own may reap the nursery: neither does harm.
 * Stdio      The standard input of a worker is /dev/null. What a task prints on stdout is flushed
 *            when the task (in a map, its chunk) returns.
 * Memory     The shared memory is anonymous (a memfd). Submit takes it from the system, and returns
 *            CF_ENOMEM if the kernel refuses it; a memory cgroup kills instead of refusing. It does
 *            not protect tasks from each other: a task that writes outside its own result can spoil
 *            another's. */
cf_status cf_process_pool_create(const cf_pool_options *options, cf_executor **executor);

/* Copies the argument in and queues the task. Does not wait for the task; serial runs it. On CF_OK
 * the caller owns *future. `future` may be NULL: the task runs all the same.
 *
 * Tasks begin about in the order of submission. If hundreds are pending, a worker takes up to 32 of
 * them at once, and begins them one after the other. So a task may wait by its own means (a
 * barrier, a pipe) for tasks that were submitted before it. For other tasks it must wait by
 * cf_future_result.
 *
 * CF_EINVAL, CF_ENOMEM (also for the 4097th different task), CF_EAGAIN (not one worker can be
 * started), CF_EFULL (see max_pending), CF_ESHUTDOWN, CF_EBROKEN, CF_EFORKED. */
cf_status cf_executor_submit(cf_executor *executor, const cf_task *task, const void *arg,
                             cf_future **future);

typedef struct cf_submit_options {
    /* How often the task is run again if its worker dies, so it may run more than once. A task that
     * returns an error or is over its time is not run again. Where workers cannot die, retries have
     * no effect. At most CF_RETRIES_MAX. */
    unsigned retries;

    /* How long one run may take, from its start. 0 or CF_FOREVER = no limit. Time in which the
     * program is stopped (Ctrl-Z) does not count, except on serial: see Surroundings. A run over
     * its time is not run again: its future reports CF_EDEADLINE.
     *   process_pool  at once; the worker is killed with its process group, and replaced
     *   thread_pool   at once; cf_task_cancelled is true from then on. The thread is free when the
     *                 task returns; destroy waits for that
     *   serial        when the task returns; cf_task_cancelled is true as soon as the time is over
     * A run that returns late is over its time on every executor. */
    int64_t timeout_ns;
} cf_submit_options;

/* As submit, with options. CF_EAGAIN also if the thread that watches the time limits cannot be
 * started. */
cf_status cf_executor_submit_with(cf_executor *executor, const cf_task *task, const void *arg,
                                  const cf_submit_options *options, cf_future **future);

/* Submits `count` tasks at once, args[i] -> futures[i]. Costs less than as many calls of submit.
 * `args` is an array of count * arg_size bytes. `futures` has room for `count`, or is NULL. Returns
 * CF_OK, or why it stopped: then the first *submitted tasks are submitted, and the other futures
 * are NULL. `submitted` may be NULL. */
cf_status cf_executor_submit_many(cf_executor *executor, const cf_task *task, const void *args,
                                  size_t count, const cf_submit_options *options,
                                  cf_future **futures, size_t *submitted);

/* How one task ended. */
typedef struct cf_exception {
    /* CF_OK, CF_ECANCELLED, CF_ETASK, CF_EWORKER, CF_EDEADLINE or CF_EBROKEN. In a map or stream
     * also why an item could not be submitted. */
    cf_status status;

    /* What the task (CF_ETASK) or the initializer (CF_EBROKEN) returned. CF_EBROKEN with worker -1:
     * errno of fork, if the system refuses a process pool its workers. */
    int task_error;

    /* CF_EWORKER: the signal that ended the worker, 0 if it exited. CF_EBROKEN: the same of a
     * worker that died in the initializer or before it. */
    int signal;

    int exit_code; /* CF_EWORKER, CF_EBROKEN: the status it exited with */

    /* Index of the worker that ran the task last, -1 if none did. CF_EBROKEN: of the worker whose
     * initializer failed, -1 if none did. */
    int worker;

    int64_t timeout_ns; /* CF_EDEADLINE: the time that a run was given */
} cf_exception;

/* Writes a sentence, cut to fit and always terminated: "killed by signal 9 (SIGKILL)", "exited with
 * status 3", "timed out after 1.5s", "error: No such file or directory", "cancelled" ... Returns
 * `text`. */
char *cf_exception_describe(const cf_exception *exception, char *text, size_t size);

/* Submits the task, waits for it and releases its future. Returns what cf_future_result returns, or
 * why the task could not be submitted. On CF_OK the result is in *result, else that is not touched.
 * *exception says in all cases how it ended. `options`, `result` and `exception` may be NULL. */
cf_status cf_executor_call(cf_executor *executor, const cf_task *task, const void *arg,
                           const cf_submit_options *options, void *result, cf_exception *exception);

/* Returns about how much work an item is, in any unit: seconds, operations, bytes. Map calls it on
 * the caller's thread, once for each argument. */
typedef double cf_cost_fn(void *context, const void *arg);

/* How far a map is: `done` of `count` items have ended, well or not. */
typedef void cf_progress_fn(void *context, size_t done, size_t count);

typedef struct cf_map_options {
    /* Items that travel together; obeyed, up to 16 382 with a time limit. 0 = the library chooses,
     * by the time that items are seen to take. Then a worker that is idle gets part of what another
     * has not begun of its chunk. */
    size_t chunk;

    unsigned retries;         /* for each item, as in cf_submit_options */
    int64_t timeout_ns;       /* for each item, as in cf_submit_options */
    cf_exception *exceptions; /* room for `count`: how each item ended; NULL = not wanted */

    /* If given, the items with the highest cost begin first. So none of them is left for the end,
     * when other workers have nothing to do. NULL = in the array's order. Results lie in the order
     * of the arguments in both cases. */
    cf_cost_fn *cost;

    void *cost_context;

    /* Map calls it on the caller's thread whenever a chunk has ended: with short items some thousand
     * times a second. The last call has done == count if all items could be submitted. It must not
     * use the map's arrays, and workers go on meanwhile. NULL = none. */
    cf_progress_fn *progress;

    void *progress_context;
} cf_map_options;

/* Runs the task once for each of `count` arguments, args[i] -> results[i], and waits for all of
 * them. `args` is an array of count * arg_size bytes, `results` has room for count * result_size;
 * either may be NULL if its size is 0. Results of failed items are zeroed.
 *
 * Until map returns, the arguments must not change and the content of `results` is undefined:
 * workers that share the caller's memory use both in place. Items begin about in order. A worker
 * that dies costs one item, also inside a chunk, and so does an item over its time.
 *
 * Returns CF_OK, or the status of the first item (by index) that failed. CF_EINVAL, CF_ENOMEM and
 * the like mean that the map could not be done at all; then no item is still running. */
cf_status cf_executor_map(cf_executor *executor, const cf_task *task, const void *args,
                          size_t count, void *results, const cf_map_options *options);

/* After this call submit returns CF_ESHUTDOWN. Tasks already submitted are still run. With
 * cancel_pending, those that have not begun are cancelled instead. With `wait`, returns when all
 * tasks are done, all callbacks have been called and all workers are gone. The executor's own tasks
 * and callbacks cannot wait for themselves: there `wait` has no effect. May be called again, and
 * from several threads. */
cf_status cf_executor_shutdown(cf_executor *executor, bool wait, bool cancel_pending);

/* Shut the executor down in a hurry: do not wait, cancel pending tasks, replace no dead worker.
 *   terminate  sends SIGTERM to worker processes, and asks running tasks to return
 *              (cf_task_cancelled)
 *   kill       sends SIGKILL to worker processes and their process groups. If the workers are not
 *              processes it does nothing but return CF_EUNSUPPORTED
 * Tasks whose worker dies end with CF_EWORKER. A worker that does not die of SIGTERM finishes its
 * task. CF_EFORKED. */
cf_status cf_executor_terminate_workers(cf_executor *executor);
cf_status cf_executor_kill_workers(cf_executor *executor);

/* shutdown (wait, keep pending), then frees everything but what unreleased futures need. In the
 * executor's own tasks and callbacks it only shuts down. NULL is allowed. */
void cf_executor_destroy(cf_executor *executor);

typedef struct cf_stats {
    unsigned max_workers;
    unsigned workers;   /* started so far; dead ones that were replaced are not counted */
    uint64_t submitted; /* tasks; a chunk of a map is one */
    uint64_t pending;   /* not begun */
    uint64_t running;   /* begun and not done */
    uint64_t finished;  /* done, in any way but cancelled */
    uint64_t failed;    /* of finished: CF_ETASK, CF_EWORKER, CF_EDEADLINE or CF_EBROKEN */
    uint64_t timed_out; /* of failed: CF_EDEADLINE */
    uint64_t unseen;    /* of failed: no call has asked for result or exception so far */
    uint64_t cancelled;
    uint64_t retries;  /* runs begun again because the worker died */
    uint64_t restarts; /* workers replaced because they died */
    uint64_t retired;  /* workers replaced after max_tasks_per_worker */
} cf_stats;

typedef struct cf_worker_stats {
    int64_t id;        /* process id, thread id (serial: of the creating thread) */
    uint64_t tasks;    /* tasks run to their end */
    int64_t busy_ns;   /* time not spent asleep waiting for a task */
    unsigned restarts; /* how often this worker died and was replaced */
    unsigned retired;  /* how often it was replaced after max_tasks_per_worker */
} cf_worker_stats;

/* The numbers of one moment. `pending` is never less than the number of tasks that have not begun
 * when asked. Each running worker may be a task behind in `running` and `finished`. */
cf_status cf_executor_stats(cf_executor *executor, cf_stats *stats);

/* worker: 0 to stats.workers - 1, else CF_EINVAL. May be a task behind. */
cf_status cf_executor_worker_stats(cf_executor *executor, unsigned worker, cf_worker_stats *stats);

/* "serial", "thread_pool", "process_pool", "openmp", "mpi" */
const char *cf_executor_kind(const cf_executor *executor);
unsigned cf_executor_max_workers(const cf_executor *executor);

/* ---- futures --------------------------------------------------------------------------------- */

/* PENDING -> RUNNING -> FINISHED, or PENDING -> CANCELLED. A retried task is PENDING again. */
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

/* Writes what Python's repr does, cut to fit and always terminated. Returns `text`.
 *     "<Future at 0x7f21a4 state=pending>"
 *     "<Future at 0x7f21a4 state=finished returned str>"    // str is the task's result_type
 *     "<Future at 0x7f21a4 state=finished raised CF_ETASK>" */
char *cf_future_describe(const cf_future *future, char *text, size_t size);

/* Waits for the task, then copies its result to `result`, which has room for the task's result_size
 * or is NULL. May be called again, and from several threads. Returns CF_OK, CF_ETIMEDOUT if the
 * task is not done, or CF_EFORKED. If there is no result, it says why and does not touch *result:
 * CF_ECANCELLED, CF_ETASK, CF_EWORKER, CF_EDEADLINE, CF_EBROKEN.
 *
 * Inside a task of the same executor, the waiting worker itself runs the task that it waits for, if
 * that has not begun. If another worker runs it and the wait has no timeout, the waiting one runs
 * pending tasks that this task has submitted, or that those have, and no others. So hold no lock
 * during such a wait that they need too. CF_EDEADLOCK if tasks would nest deeper than
 * CF_NESTING_MAX. CF_EDEADLOCK also if a wait without a timeout could never end: the tasks wait for each other, or every worker
 * waits, or a task waits for one that has submitted it and that waits too. The same holds for
 * as_completed, wait, map and streams, but there a worker runs only the tasks that it waits for. */
cf_status cf_future_result(cf_future *future, int64_t timeout_ns, void *result);

/* As result, without a copy: *result is where the result lies, *size its length in bytes. Valid
 * until the future is released. Do not write there. */
cf_status cf_future_view(cf_future *future, int64_t timeout_ns, const void **result, size_t *size);

/* As result, but tells how the task ended. CF_OK: *exception is filled in; its status is CF_OK if
 * the task succeeded. CF_ETIMEDOUT, CF_EDEADLOCK, CF_EFORKED. */
cf_status cf_future_exception(cf_future *future, int64_t timeout_ns, cf_exception *exception);

/* True if the task is cancelled, now or before: it will not run. False if it has begun. */
bool cf_future_cancel(cf_future *future);

/* Called once when the task is done in any way, also when it is cancelled. The callbacks of one
 * future are called in the order in which they were added, those of one executor one after the
 * other. No lock of the library is held. Pools call them on a thread of their own, with the signal
 * mask of a thread_pool's workers. serial calls them on the thread that ran the task or adds the
 * callback. A pool that has ended calls them on the thread that adds the callback. The future stays
 * valid during the call, even if it was released. A callback may do everything, also wait, but it
 * must not wait for another callback of the same executor. */
typedef void cf_done_fn(cf_future *future, void *context);

/* Adds a callback, which is also called if the task is done already. CF_EINVAL, CF_ENOMEM,
 * CF_EAGAIN (the thread cannot be started), CF_EFORKED. */
cf_status cf_future_add_done_callback(cf_future *future, cf_done_fn *callback, void *context);

typedef struct cf_info {
    cf_state state;
    int worker;        /* that runs it or ran it last; -1 if none yet */
    unsigned attempts; /* begun so far */

    /* The times are 0 if not known yet, and always without record_times. */
    int64_t submitted_ns;
    int64_t started_ns; /* of the last attempt */
    int64_t finished_ns;
    uint64_t number; /* of the task, from 0 in the order of submission; 0 without record_times */
} cf_info;

cf_status cf_future_info(const cf_future *future, cf_info *info);

/* Adds an owner, which also has to release the future. Returns the future. NULL is allowed. */
cf_future *cf_future_retain(cf_future *future);

/* Gives the future up; its task goes on. NULL is allowed. */
void cf_future_release(cf_future *future);

/* ---- streams --------------------------------------------------------------------------------- */

/* A map over the items that a source gives one after the other, with at most a window of items
 * under way. A million items, or endlessly many, need the memory of a few.
 *
 *     cf_stream_open(ex, &task, next_line, file, NULL, &stream);
 *     while ((status = cf_stream_next(stream, CF_FOREVER, &item)) == CF_OK) { ... item.result ... }
 *     cf_stream_close(stream);                        // status is CF_EEXHAUSTED if all went well
 *
 * All items of a stream have the task's arg_size. Let it be the most that one item may need, or
 * pass the place of the data. A worker that dies costs one item, also inside a chunk, and so does
 * an item over its time. A stream must be closed before its executor is destroyed. */
typedef struct cf_stream cf_stream;

typedef enum cf_source_answer {
    /* There are no more items, or the source cannot read them; it keeps the error in its context.
     * It is not called again. */
    CF_SOURCE_END,

    CF_SOURCE_ITEM, /* `arg` is the next argument */

    /* There is none right now, for example in a pipe. The source should not wait for it: that would
     * keep back items that are done. It is asked again when next is called, and whenever an item is
     * done meanwhile. To have it asked more often, call next with a timeout. */
    CF_SOURCE_LATER
} cf_source_answer;

/* Writes the next argument to `arg`, which has room for the task's arg_size bytes (NULL if that is
 * 0). `arg` is zeroed before, unless the task is `unzeroed`. Only open and next call the source, on
 * their caller's thread, with no lock of the library held. It must not use the stream. */
typedef cf_source_answer cf_source_fn(void *context, void *arg);

typedef struct cf_stream_options {
    bool as_completed; /* hand items out as they are done, not in the source's order */

    /* Most items taken from the source and not yet handed out; all of it is submitted at once.
     * 0 = the library chooses: 16 chunks a worker. If it chooses the chunk too, each has at most
     * half a MiB of arguments and results. It then submits 3 a worker at a time. */
    size_t window;

    /* Items that travel together, cut to the window: one worker runs them one after the other, and
     * they are handed out when all of them are done. Obeyed, up to 16 382 with a time limit. 0 =
     * the library chooses, by the time that items are seen to take: about half a millisecond's
     * work, 1 for long ones. Then a worker that is idle when there is nothing to send gets half of
     * what another has not begun of its chunk. */
    size_t chunk;

    /* How many items there will be, so that the last chunks are small. 0 = unknown. Need not be
     * right. */
    uint64_t size_hint;

    unsigned retries;   /* for each item, as in cf_submit_options */
    int64_t timeout_ns; /* for each item, as in cf_submit_options */
} cf_stream_options;

/* Submits what the window allows. CF_OK also if the source has nothing. CF_EINVAL, CF_ENOMEM,
 * CF_EAGAIN, CF_EFORKED. If not one item could be submitted, it returns why: also CF_EFULL, if
 * refuse_when_full is set. */
cf_status cf_stream_open(cf_executor *executor, const cf_task *task, cf_source_fn *source,
                         void *context, const cf_stream_options *options, cf_stream **stream);

/* `arg` and `result` are valid until the next call for this stream. */
typedef struct cf_stream_item {
    uint64_t index;         /* in the source's order, from 0 */
    cf_exception exception; /* how the item ended; its status is CF_OK if it succeeded */
    const void *arg;        /* its argument; NULL if arg_size is 0 */
    const void *result;     /* its result; NULL if it failed, or if the task's result_size is 0 */
    size_t result_size;     /* bytes there: the task's result_size, or what the task set */
} cf_stream_item;

/* Waits for the next item, and fills the window up.
 *   CF_OK                     an item was handed out; item->exception says how it ended
 *   CF_ETIMEDOUT              none was done in time
 *   CF_ELATER                 at once: none is under way, and the source has none right now
 *   CF_EEXHAUSTED             there are no more
 *   CF_ESHUTDOWN, CF_EBROKEN  and the like: no more could be submitted, and all that were submitted
 *                             have been handed out
 *   CF_EDEADLOCK, CF_EFORKED */
cf_status cf_stream_next(cf_stream *stream, int64_t timeout_ns, cf_stream_item *item);

typedef struct cf_stream_progress {
    uint64_t taken;      /* items that the source has given */
    uint64_t handed_out; /* of these: items that next has handed out */
} cf_stream_progress;

/* How far the stream is. CF_EINVAL, CF_EFORKED. */
cf_status cf_stream_get_progress(const cf_stream *stream, cf_stream_progress *progress);

/* Ends the stream early: takes no more from the source, cancels what has not begun, and gives up
 * what is running. Items that are done by now can still be handed out, in the stream's order; then
 * next returns CF_EEXHAUSTED. NULL is allowed. */
void cf_stream_stop(cf_stream *stream);

/* Cancels what has not begun, and does not wait for the rest. NULL is allowed. */
void cf_stream_close(cf_stream *stream);

/* Writes "<cf_stream at 0x7f21a4, ordered, 5 tasks>", or "as completed", cut to fit and always
 * terminated. The number of tasks is size_hint or, without one, of the items taken so far. Returns
 * `text`. */
char *cf_stream_describe(const cf_stream *stream, char *text, size_t size);

/* ---- completion order ------------------------------------------------------------------------ */

typedef struct cf_as_completed cf_as_completed;

/* Watches `count` futures, so that next can hand them out as they are done or cancelled. Duplicates
 * count once. Those that are done already come first, in the order given. The futures stay the
 * caller's and may be released before the iteration ends. CF_ENOMEM, CF_EINVAL, CF_EFORKED. */
cf_status cf_as_completed_create(cf_future *const *futures, size_t count,
                                 cf_as_completed **as_completed);

/* Hands out the next future that is done, and its index in the array that create was given (`index`
 * may be NULL). CF_OK, CF_ETIMEDOUT, CF_EDEADLOCK, CF_EFORKED, or CF_EEXHAUSTED when all have been
 * handed out. */
cf_status cf_as_completed_next(cf_as_completed *as_completed, int64_t timeout_ns,
                               cf_future **future, size_t *index);

void cf_as_completed_destroy(cf_as_completed *as_completed); /* NULL is allowed */

/* ---- waiting for several --------------------------------------------------------------------- */

typedef enum cf_wait_for {
    CF_ALL_COMPLETED,
    CF_FIRST_COMPLETED,
    CF_FIRST_EXCEPTION, /* one that failed, else all; a cancelled task has not failed */
} cf_wait_for;

/* Waits until the condition holds for the futures. They may belong to several executors, be done
 * already, or appear twice (and count once). The cost is the same for each of them. *done is how
 * many of them are done (`done` may be NULL); cf_future_done tells which. CF_OK (also for no
 * futures at all), CF_ETIMEDOUT, CF_EINVAL, CF_ENOMEM, CF_EDEADLOCK, CF_EFORKED. */
cf_status cf_wait(cf_future *const *futures, size_t count, cf_wait_for condition,
                  int64_t timeout_ns, size_t *done);

/* ---- typed tasks ------------------------------------------------------------------------------ */

/* A task whose argument and result have types. C only.
 *
 *     CF_TASK(square, int, long) {
 *         *result = (long)*arg * *arg;
 *         return 0;
 *     }
 *
 *     long r;
 *     cf_status status = cf_run(ex, square, &(int){7}, &r);           // r == 49
 *
 * CF_TASK makes a static `const cf_task` of that name. The block after it is the body of its
 * function, which has `const arg_type *arg`, `result_type *result` and `cf_task_context *ctx`, and
 * returns as a cf_task_fn. The compiler checks the types of what is passed:
 *
 *     cf_run(executor, task, arg, result)              as cf_executor_call
 *     cf_submit(executor, task, arg, future)           as cf_executor_submit
 *     cf_map(executor, task, args, count, results)     as cf_executor_map
 *
 * A type that is a pointer is an error: a pointer means nothing in another process, and where it
 * does, a struct can hold it. Nor may it be an array, void, or aligned to more than 8 bytes. */
#ifndef __cplusplus
#define CF_TASK(task, arg_type, result_type)                                                       \
    CF_CHECK_TYPE_(arg_type);                                                                      \
    CF_CHECK_TYPE_(result_type);                                                                   \
    static int cf_body_##task##_(const arg_type *arg, result_type *result, cf_task_context *ctx);  \
    static int cf_of_bytes_##task##_(const void *arg, void *result, cf_task_context *ctx) {        \
        return cf_body_##task##_((const arg_type *)arg, (result_type *)result, ctx);               \
    }                                                                                              \
    static const cf_task task CF_UNUSED_ = {                                                       \
        #task, cf_of_bytes_##task##_, sizeof(arg_type), sizeof(result_type), #result_type, 0};     \
    static inline CF_UNUSED_ cf_status cf_run_##task##_(                                           \
        cf_executor *executor, const arg_type *arg, result_type *result) {                         \
        return cf_executor_call(executor, &task, arg, NULL, result, NULL);                         \
    }                                                                                              \
    static inline CF_UNUSED_ cf_status cf_submit_##task##_(                                        \
        cf_executor *executor, const arg_type *arg, cf_future **future) {                          \
        return cf_executor_submit(executor, &task, arg, future);                                   \
    }                                                                                              \
    static inline CF_UNUSED_ cf_status cf_map_##task##_(                                           \
        cf_executor *executor, const arg_type *args, size_t count, result_type *results) {         \
        return cf_executor_map(executor, &task, args, count, results, NULL);                       \
    }                                                                                              \
    static int cf_body_##task##_(CF_UNUSED_ const arg_type *arg, CF_UNUSED_ result_type *result,   \
                                 CF_UNUSED_ cf_task_context *ctx)

#define cf_run(executor, task, arg, result)    cf_run_##task##_(executor, arg, result)
#define cf_submit(executor, task, arg, future) cf_submit_##task##_(executor, arg, future)
#define cf_map(executor, task, args, count, results)                                               \
    cf_map_##task##_(executor, args, count, results)

#define CF_UNUSED_ __attribute__((unused))
#define CF_CHECK_TYPE_(type)                                                                       \
    _Static_assert(__builtin_classify_type(*(type *)0) != 5, "the type is a pointer");             \
    _Static_assert(_Alignof(type) <= 8, "the type is aligned to more than 8 bytes")
#endif

/* ---- the machine ----------------------------------------------------------------------------- */

typedef struct cf_cpu_explanation {
    unsigned count;    /* the answer: the least of those below that are known, from 1 to 1024 */
    unsigned online;   /* processors online */
    unsigned affinity; /* in this thread's affinity mask; 0 = unknown */
    unsigned cpuset;   /* in the control group's cpuset; 0 = no limit or unknown */
    unsigned quota;    /* CPU quota of the control groups (v1 or v2), rounded up; 0 = none */

    /* "online", "cpuset", "affinity", "cgroup quota" or "limit" (of 1024). If several are equal,
     * the first in this list. */
    const char *decided_by;
} cf_cpu_explanation;

/* How many processors this process may use. Read anew at each call; `explanation` may be NULL. */
unsigned cf_cpu_count(cf_cpu_explanation *explanation);

/* ---- fault points ---------------------------------------------------------------------------- */

/* To test a program against workers that crash: the environment variable CF_FAULT says at which
 * step which process of a pool dies. Only a library that was built with the CMake option
 * PRIMEPOOL_FAULT_POINTS has fault points; any other does not look at CF_FAULT.
 *
 *     CF_FAULT='kill:worker@point=run.enters,task=17'           the first run of the 17th task
 *     CF_FAULT='segv:worker@chance=0.001;seed=3'                one step in 1000, at any point
 *     CF_FAULT='kill:worker@point=run.enters,task=17,times=0'   every run of it: its retries too
 *     CF_FAULT='kill:nursery@point=publish.done,visit=100'      the pool breaks at the 100th task
 *     CF_FAULT='pause:worker@point=settle.settled,chance=0.1,us=500'      a race gets wider
 *
 *   CF_FAULT   parts with ";" between them: rules, seed=N (of the chances; 1), trace (each fault is
 *              told on stderr), list (all fault points are printed on stderr)
 *   rule       ACTION:PROCESS@CONDITION,CONDITION... All conditions must hold
 *   ACTION     kill, segv, bus, abrt, term, stop: the signal that is sent; or pause
 *   PROCESS    worker, nursery or caller: who gets it. That is the process that passes the point,
 *              if it is one of these. Else all that are: SIGKILL has ended them when the step after
 *              the point begins. Threads cannot be killed alone: the workers of a thread pool pass
 *              their points as the caller
 *   point=     its name or number; without it any point that such a process passes
 *   task=      in the order of submission to its executor, from 1; a chunk of a map is one task.
 *              Only workers pass points of a task
 *   attempt=   of that task, from 1
 *   worker=    its number, from 0
 *   visit=     only the N-th time that the other conditions hold
 *   chance=    above 0, up to 1
 *   times=     at most so often; 0 = no limit. Without it once, or with a chance without limit
 *   us=        microseconds of a pause
 *
 * CF_FAULT is read when the process makes its first executor. If it cannot be read, stderr says
 * why, and creating an executor fails with CF_EINVAL. Counts are those of the process that made the
 * first executor and of all that were forked from it since. */

/* point: from 1. NULL beyond the last point, and always in a library without fault points. */
const char *cf_fault_point_name(unsigned point);
uint64_t cf_fault_point_visits(unsigned point); /* how often it was passed */
uint64_t cf_faults_done(void);                  /* how often a rule's signal was sent */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
