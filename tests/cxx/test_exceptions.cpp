/* A C++ exception that leaves a task of the serial executor, and is caught outside the call that ran it: the
 * task's future is done, and the executor goes on. One that leaves a task of a process pool ends the worker, one
 * that leaves a task on a thread ends the program. A plain program. Returns 0, or 1 and says what was wrong. */
#include <cfutures.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr std::int64_t long_wait = 30'000'000'000;
constexpr unsigned hang_seconds = 10;

int faults;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);         \
            faults++;                                                                              \
        }                                                                                          \
    } while (false)

/* ---- tasks ----------------------------------------------------------------------------------- */

cf_task task_of(cf_task_fn *run, std::size_t arg_size = 0, std::size_t result_size = 0) {
    cf_task task{};
    task.name = "task";
    task.run = run;
    task.arg_size = arg_size;
    task.result_size = result_size;
    return task;
}

int run_throw(const void *, void *, cf_task_context *) {
    throw std::runtime_error("boom");
}

int run_square(const void *arg, void *result, cf_task_context *) {
    const int n = *static_cast<const int *>(arg);
    *static_cast<int *>(result) = n * n;
    return 0;
}

const cf_task throw_task = task_of(run_throw);
const cf_task square_task = task_of(run_square, sizeof(int), sizeof(int));

/* Tasks within tasks, the innermost of which throws. */
struct descent {
    cf_executor *executor;
    cf_future **futures; /* of the tasks below */
    int left;
    std::int64_t timeout_ns;
};

int run_descend(const void *arg, void *, cf_task_context *) {
    const descent d = *static_cast<const descent *>(arg);
    const cf_task again = task_of(run_descend, sizeof(descent));
    const descent below{d.executor, d.futures + 1, d.left - 1, d.timeout_ns};
    cf_submit_options options{};
    options.timeout_ns = d.timeout_ns;
    return static_cast<int>(cf_executor_submit_with(d.executor, d.left > 1 ? &again : &throw_task,
                                                    &below, &options, d.futures));
}

/* ---- what has to be so ------------------------------------------------------------------------- */

/* Submits a task out of which an exception comes, and gives its future. */
cf_future *submit_thrower(cf_executor *executor, const cf_task &task, const void *arg,
                          std::int64_t timeout_ns = 0) {
    cf_future *future = nullptr;
    cf_submit_options options{};
    options.timeout_ns = timeout_ns;
    bool caught = false;
    try {
        cf_executor_submit_with(executor, &task, arg, &options, &future);
    } catch (const std::runtime_error &error) {
        caught = std::strcmp(error.what(), "boom") == 0;
    }
    CHECK(caught);
    CHECK(future != nullptr);
    return future;
}

/* The future of a task that an exception has left. Releases it. */
void check_thrown(cf_future *future) {
    cf_exception why{};
    if (future == nullptr) {
        return;
    }
    CHECK(cf_future_done(future));
    CHECK(!cf_future_running(future));
    CHECK(cf_future_state(future) == CF_FINISHED);
    CHECK(cf_future_result(future, 0, nullptr) == CF_ETASK);
    CHECK(cf_future_exception(future, 0, &why) == CF_OK);
    CHECK(why.status == CF_ETASK);
    CHECK(why.task_error == ECANCELED);
    CHECK(!cf_future_cancel(future));
    cf_future_release(future);
}

void check_square(cf_executor *executor, int n, std::int64_t timeout_ns = 0) {
    cf_future *future = nullptr;
    int result = 0;
    cf_submit_options options{};
    options.timeout_ns = timeout_ns;
    CHECK(cf_executor_submit_with(executor, &square_task, &n, &options, &future) == CF_OK);
    if (future != nullptr) {
        CHECK(cf_future_result(future, 0, &result) == CF_OK);
        CHECK(result == n * n);
        cf_future_release(future);
    }
}

/* A task within a task, which is run then and there. */
int run_nested(const void *arg, void *result, cf_task_context *) {
    cf_executor *executor = *static_cast<cf_executor *const *>(arg);
    const int n = 6;
    cf_future *future = nullptr;
    cf_status status = cf_executor_submit(executor, &square_task, &n, &future);
    if (status == CF_OK) {
        status = cf_future_result(future, 0, result);
        cf_future_release(future);
    }
    return static_cast<int>(status);
}

void check_nested(cf_executor *executor) {
    const cf_task nested_task = task_of(run_nested, sizeof executor, sizeof(int));
    cf_future *future = nullptr;
    int result = 0;
    CHECK(cf_executor_submit(executor, &nested_task, &executor, &future) == CF_OK);
    if (future != nullptr) {
        CHECK(cf_future_result(future, 0, &result) == CF_OK);
        CHECK(result == 36);
        cf_future_release(future);
    }
}

/* All is as if nothing had been; `thrown` tasks were left by an exception so far. */
void check_goes_on(cf_executor *executor, std::uint64_t thrown) {
    check_square(executor, 7);
    check_square(executor, 8, long_wait);
    check_nested(executor);
    std::thread([executor] { check_square(executor, 9); }).join(); /* nobody has the turn */
    int args[] = {1, 2, 3}, results[] = {0, 0, 0};
    CHECK(cf_executor_map(executor, &square_task, args, 3, results, nullptr) == CF_OK);
    CHECK(results[0] == 1 && results[1] == 4 && results[2] == 9);
    cf_stats stats{};
    CHECK(cf_executor_stats(executor, &stats) == CF_OK);
    CHECK(stats.pending == 0 && stats.running == 0);
    CHECK(stats.finished == stats.submitted);
    CHECK(stats.failed == thrown);
    CHECK(stats.timed_out == 0);
}

cf_executor *create(const cf_pool_options *options = nullptr) {
    cf_executor *executor = nullptr;
    CHECK(cf_serial_create(options, &executor) == CF_OK);
    return executor;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

void from_a_task() {
    cf_executor *executor = create();
    check_square(executor, 5);
    for (std::uint64_t thrown = 1; thrown <= 3; thrown++) {
        check_thrown(submit_thrower(executor, throw_task, nullptr));
        check_goes_on(executor, thrown);
    }
    cf_executor_destroy(executor);
}

/* Nothing runs after it but the end. */
void from_the_last_task() {
    cf_executor *executor = create();
    cf_future *future = submit_thrower(executor, throw_task, nullptr);
    CHECK(cf_executor_shutdown(executor, true, false) == CF_OK);
    cf_executor_destroy(executor);
    check_thrown(future); /* which outlives it */
}

void from_a_task_that_nobody_holds() {
    cf_executor *executor = create();
    bool caught = false;
    try {
        cf_executor_submit(executor, &throw_task, nullptr, nullptr);
    } catch (const std::runtime_error &) {
        caught = true;
    }
    CHECK(caught);
    check_goes_on(executor, 1);
    cf_executor_destroy(executor);
}

void through_nested_tasks(std::int64_t timeout_ns) {
    constexpr int depth = 2; /* around the one that throws */
    cf_executor *executor = create();
    std::vector<cf_future *> futures(depth, nullptr);
    const cf_task task = task_of(run_descend, sizeof(descent));
    const descent d{executor, futures.data(), depth, timeout_ns};
    cf_future *outermost = submit_thrower(executor, task, &d, timeout_ns);
    check_thrown(outermost);
    for (cf_future *future : futures) {
        CHECK(future != nullptr);
        check_thrown(future);
    }
    check_goes_on(executor, depth + 1);
    cf_executor_destroy(executor);
}

/* Caught within a task, which goes on. */
int run_catch(const void *arg, void *result, cf_task_context *) {
    cf_executor *executor = *static_cast<cf_executor *const *>(arg);
    cf_future *future = nullptr;
    try {
        cf_executor_submit(executor, &throw_task, nullptr, &future);
    } catch (const std::runtime_error &) {
        *static_cast<int *>(result) = 1;
    }
    check_thrown(future);
    check_square(executor, 4);
    return 0;
}

void into_an_outer_task() {
    cf_executor *executor = create();
    const cf_task task = task_of(run_catch, sizeof executor, sizeof(int));
    cf_future *future = nullptr;
    int result = 0;
    CHECK(cf_executor_submit(executor, &task, &executor, &future) == CF_OK);
    CHECK(cf_future_result(future, 0, &result) == CF_OK);
    CHECK(result == 1);
    cf_future_release(future);
    check_goes_on(executor, 1);
    cf_executor_destroy(executor);
}

/* Longer than the limit of the task before, and asks all the time whether it is wanted. */
int run_longer(const void *, void *, cf_task_context *ctx) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(40);
    bool wanted = true;
    while (std::chrono::steady_clock::now() < end) {
        wanted = wanted && !cf_task_cancelled(ctx);
    }
    return wanted ? 0 : ECANCELED;
}

void from_a_task_with_a_time_limit() {
    constexpr std::int64_t limit = 20'000'000;
    cf_executor *executor = create();
    check_thrown(submit_thrower(executor, throw_task, nullptr, long_wait));
    check_goes_on(executor, 1);
    check_thrown(submit_thrower(executor, throw_task, nullptr, limit));
    const cf_task longer_task = task_of(run_longer);
    cf_future *future = nullptr;
    CHECK(cf_executor_submit(executor, &longer_task, nullptr, &future) == CF_OK);
    CHECK(cf_future_result(future, 0, nullptr) == CF_OK); /* and is not taken for that one */
    cf_future_release(future);
    check_goes_on(executor, 2);
    cf_executor_destroy(executor);
}

/* What an initializer has made is given back by the finalizer, once for each life. */
struct lives {
    int begun, ended;
};

int begin_life(void *context, unsigned, void **local) {
    static_cast<lives *>(context)->begun++;
    *local = new int(1);
    return 0;
}

void end_life(void *context, unsigned, void *local) {
    static_cast<lives *>(context)->ended++;
    delete static_cast<int *>(local);
}

void in_lives(unsigned max_tasks) {
    lives both{0, 0};
    cf_pool_options options{};
    options.max_tasks_per_worker = max_tasks;
    options.initializer = begin_life;
    options.finalizer = end_life;
    options.context = &both;
    cf_executor *executor = create(&options);
    for (int i = 0; i < 4; i++) {
        check_thrown(submit_thrower(executor, throw_task, nullptr));
        check_square(executor, i);
    }
    cf_executor_destroy(executor);
    CHECK(both.begun == both.ended);
    CHECK(both.begun >= (max_tasks == 1 ? 4 : 1));
}

void count_call(cf_future *future, void *context) {
    CHECK(cf_future_done(future));
    ++*static_cast<int *>(context);
}

/* The callback of a task that was left, added when it is done. */
void with_a_callback() {
    cf_executor *executor = create();
    int calls = 0;
    cf_future *future = submit_thrower(executor, throw_task, nullptr);
    CHECK(cf_future_add_done_callback(future, count_call, &calls) == CF_OK);
    CHECK(calls == 1);
    check_thrown(future);
    cf_executor_destroy(executor);
}

int run_throw_at_two(const void *arg, void *result, cf_task_context *ctx) {
    return *static_cast<const int *>(arg) == 2 ? run_throw(arg, result, ctx)
                                               : run_square(arg, result, ctx);
}

/* Those that were submitted have a future; how many these are is not told. */
void from_one_of_many() {
    cf_executor *executor = create();
    const cf_task task = task_of(run_throw_at_two, sizeof(int), sizeof(int));
    const int args[] = {1, 2, 3};
    cf_future *futures[3];
    std::size_t submitted = 99;
    int result = 0;
    bool caught = false;
    try {
        cf_executor_submit_many(executor, &task, args, 3, nullptr, futures, &submitted);
    } catch (const std::runtime_error &) {
        caught = true;
    }
    CHECK(caught);
    CHECK(submitted == 99);
    CHECK(cf_future_result(futures[0], 0, &result) == CF_OK);
    CHECK(result == 1);
    cf_future_release(futures[0]);
    check_thrown(futures[1]);
    CHECK(futures[2] == nullptr);
    check_goes_on(executor, 1);
    cf_executor_destroy(executor);
}

/* ---- workers that are not the caller's thread ------------------------------------------------ */

void in_a_process_pool() {
    cf_executor *pool = nullptr;
    cf_future *future = nullptr;
    cf_exception why{};
    CHECK(cf_process_pool_create(nullptr, &pool) == CF_OK);
    CHECK(cf_executor_submit(pool, &throw_task, nullptr, &future) == CF_OK);
    CHECK(cf_future_exception(future, long_wait, &why) == CF_OK);
    CHECK(why.status == CF_EWORKER);
    CHECK(why.signal == SIGABRT);
    cf_future_release(future);
    const int n = 5;
    int result = 0;
    CHECK(cf_executor_map(pool, &square_task, &n, 1, &result, nullptr) == CF_OK);
    CHECK(result == 25);
    cf_executor_destroy(pool);
}

void on_a_thread() {
    const pid_t program = fork();
    if (program == 0) {
        cf_executor *pool = nullptr;
        cf_thread_pool_create(nullptr, &pool);
        cf_executor_submit(pool, &throw_task, nullptr, nullptr);
        cf_executor_destroy(pool);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(program, &status, 0) == program);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- the program ----------------------------------------------------------------------------- */

struct scene {
    const char *name;
    void (*run)();
};

const scene scenes[] = {
    {"from a task", from_a_task},
    {"from the last task", from_the_last_task},
    {"from a task that nobody holds", from_a_task_that_nobody_holds},
    {"through nested tasks", [] { through_nested_tasks(0); }},
    {"through nested tasks with a time limit", [] { through_nested_tasks(long_wait); }},
    {"into an outer task", into_an_outer_task},
    {"from a task with a time limit", from_a_task_with_a_time_limit},
    {"in a life", [] { in_lives(0); }},
    {"in lives of one task", [] { in_lives(1); }},
    {"with a callback", with_a_callback},
    {"from one of many", from_one_of_many},
    {"in a process pool", in_a_process_pool},
    {"on a thread", on_a_thread},
};

/* In a process of its own, which may crash or hang. */
bool passes(const scene &s) {
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core); /* of deaths that are meant */
        alarm(hang_seconds);
        s.run();
        std::exit(faults > 0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        std::fprintf(stderr, "%s: wait status 0x%x\n", s.name, static_cast<unsigned>(status));
        return false;
    }
    return true;
}

} // namespace

int main() {
    int failed = 0;
    for (const scene &s : scenes) {
        failed += !passes(s);
    }
    return failed > 0;
}
