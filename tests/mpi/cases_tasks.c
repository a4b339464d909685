/* What tasks in a rank may do: fail, crash, run too long, have large arguments, make pools of their
 * own. */
#include "mpi/job.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- endings --------------------------------------------------------------------------------- */

typedef struct ending {
    enum {
        SUCCEEDS,
        RETURNS,
        KILLS,
        EXITS,
        ABORTS,
        SLEEPS,
        KILLS_ONCE
    } how;
    int number;
} ending;

static int end(const void *arg, void *result, cf_task_context *ctx) {
    const ending *wanted = arg;
    switch (wanted->how) {
    case SUCCEEDS:
        break;
    case RETURNS:
        return wanted->number;
    case KILLS:
        raise(wanted->number);
        break;
    case EXITS:
        exit(wanted->number);
    case ABORTS:
        abort();
    case SLEEPS:
        pause_for(wanted->number * SECOND);
        break;
    case KILLS_ONCE:
        if (cf_task_attempt(ctx) == 1) {
            raise(wanted->number);
        }
        break;
    }
    *(uint32_t *)result = cf_task_attempt(ctx);
    return 0;
}

static const cf_task end_task = {
    .name = "end", .run = end, .arg_size = sizeof(ending), .result_size = sizeof(uint32_t)};

static cf_exception try_ending(cf_executor *executor, ending wanted, cf_submit_options options,
                               cf_info *info) {
    cf_future *future;
    CHECK_EQUAL(cf_executor_submit_with(executor, &end_task, &wanted, &options, &future), CF_OK);
    const cf_exception exception = ending_of(future);
    if (info != NULL) {
        CHECK_EQUAL(cf_future_info(future, info), CF_OK);
    }
    cf_future_release(future);
    return exception;
}

static void check_deaths(cf_executor *executor) {
    static const int signals[] = {SIGSEGV, SIGKILL, SIGTERM, SIGFPE};
    cf_exception exception;
    cf_info info;
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        exception =
            try_ending(executor, (ending){KILLS, signals[i]}, (cf_submit_options){0}, &info);
        CHECK_EQUAL(exception.status, CF_EWORKER);
        CHECK_EQUAL(exception.signal, signals[i]);
        CHECK(exception.worker >= 0);
        CHECK_EQUAL(info.attempts, 1);
    }
    exception = try_ending(executor, (ending){EXITS, 7}, (cf_submit_options){0}, NULL);
    CHECK_EQUAL(exception.status, CF_EWORKER);
    CHECK_EQUAL(exception.signal, 0);
    CHECK_EQUAL(exception.exit_code, 7);
    exception = try_ending(executor, (ending){.how = ABORTS}, (cf_submit_options){0}, NULL);
    CHECK_EQUAL(exception.signal, SIGABRT);
    exception =
        try_ending(executor, (ending){KILLS, SIGKILL}, (cf_submit_options){.retries = 2}, &info);
    CHECK_EQUAL(exception.status, CF_EWORKER);
    CHECK_EQUAL(info.attempts, 3);
    exception = try_ending(executor, (ending){KILLS_ONCE, SIGSEGV},
                           (cf_submit_options){.retries = 2}, &info);
    CHECK_EQUAL(exception.status, CF_OK);
    CHECK_EQUAL(info.attempts, 2);
}

static void check_times(cf_executor *executor) {
    const int64_t start_ns = now_ns();
    const cf_exception exception = try_ending(executor, (ending){SLEEPS, 20},
                                              (cf_submit_options){.timeout_ns = SECOND / 10}, NULL);
    const int64_t took_ns = now_ns() - start_ns;
    CHECK_EQUAL(exception.status, CF_EDEADLINE);
    CHECK_EQUAL(exception.timeout_ns, SECOND / 10);
    CHECK(took_ns >= SECOND / 10 && took_ns < 3 * SECOND);
}

static void run_endings(void) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    for (int error = 1; error < 200; error += 33) {
        const cf_exception exception =
            try_ending(executor, (ending){RETURNS, error}, (cf_submit_options){.retries = 1}, NULL);
        CHECK_EQUAL(exception.status, CF_ETASK);
        CHECK_EQUAL(exception.task_error, error);
    }
    check_deaths(executor);
    check_times(executor);
    check_works(executor);
    cf_executor_destroy(executor);
}

/* A map with a crash, an error and a late item among its items. */
static void run_map_endings(void) {
    enum {
        ITEMS = 400
    };
    cf_executor *executor;
    static ending items[ITEMS];
    static cf_exception exceptions[ITEMS];
    static uint32_t results[ITEMS];
    if (!lead(NULL, &executor)) {
        return;
    }
    items[100] = (ending){KILLS, SIGSEGV};
    items[200] = (ending){RETURNS, ENOENT};
    items[300] = (ending){SLEEPS, 20};
    items[399] = (ending){EXITS, 3};
    const cf_map_options options = {.exceptions = exceptions, .timeout_ns = SECOND / 2};
    CHECK_EQUAL(cf_executor_map(executor, &end_task, items, ITEMS, results, &options), CF_EWORKER);
    for (size_t i = 0; i < ITEMS; i++) {
        const cf_status expected = i == 100 || i == 399 ? CF_EWORKER
                                   : i == 200           ? CF_ETASK
                                   : i == 300           ? CF_EDEADLINE
                                                        : CF_OK;
        if (exceptions[i].status != expected) {
            printf("item %zu: %s\n", i, cf_status_name(exceptions[i].status));
        }
        CHECK_EQUAL(exceptions[i].status, expected);
        CHECK_EQUAL(results[i] != 0, expected == CF_OK);
    }
    CHECK_EQUAL(exceptions[100].signal, SIGSEGV);
    CHECK_EQUAL(exceptions[200].task_error, ENOENT);
    CHECK_EQUAL(exceptions[399].exit_code, 3);
    cf_executor_destroy(executor);
}

/* Chunks wait in a rank behind one whose item is over its time, and are called back for the worker that has
 * nothing to do. They are answered without having run, from blocks that tell of chunks which were cut. */
typedef struct lingering {
    uint32_t number;
    uint32_t lingers;
} lingering;

static int linger(const void *arg, void *result, cf_task_context *ctx) {
    const lingering *item = arg;
    (void)ctx;
    atomic_fetch_add(&shared->runs[item->number], 1);
    if (item->lingers) {
        pause_for(20 * SECOND);
    }
    *(uint32_t *)result = item->number * 3;
    return 0;
}

static void check_round(cf_executor *executor, lingering *items, size_t count) {
    static const cf_task task = {.name = "linger",
                                 .run = linger,
                                 .arg_size = sizeof(lingering),
                                 .result_size = sizeof(uint32_t)};
    const cf_map_options options = {.timeout_ns = SECOND / 4};
    uint32_t *results = calloc(count, sizeof *results);
    CHECK_EQUAL(cf_executor_map(executor, &task, items, count, results, &options), CF_EDEADLINE);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(results[i], items[i].lingers ? 0 : items[i].number * 3);
        CHECK_EQUAL(atomic_load(&shared->runs[items[i].number]), 1);
    }
    free(results);
}

static void run_called_back(void) {
    enum {
        ITEMS = 3000,
        ROUNDS = 4,
        LATE = 3
    };
    static lingering items[ITEMS];
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    uint64_t seed = job.random;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < ITEMS; i++) {
            items[i] = (lingering){.number = round * ITEMS + i};
        }
        for (int k = 0; k < LATE; k++) {
            items[random_next(&seed) % ITEMS].lingers = 1;
        }
        check_round(executor, items, ITEMS);
    }
    cf_executor_destroy(executor);
}

/* A crash in a thread ends the rank, and with recovery only that. */
static void run_thread_crash(void) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    const cf_exception exception =
        try_ending(executor, (ending){KILLS_ONCE, SIGSEGV}, (cf_submit_options){0}, NULL);
    CHECK_EQUAL(exception.status, CF_OK);
    check_works(executor);
    cf_executor_destroy(executor);
}

/* It ends every rank that gets it: after three it is given up. */
static void run_deadly(void) {
    cf_executor *executor;
    cf_info info;
    if (!lead(NULL, &executor)) {
        return;
    }
    const cf_exception exception =
        try_ending(executor, (ending){KILLS, SIGSEGV}, (cf_submit_options){0}, &info);
    CHECK_EQUAL(exception.status, CF_EWORKER);
    CHECK_EQUAL(exception.signal, SIGKILL);
    CHECK_EQUAL(info.attempts, 3);
    check_works(executor);
    cf_executor_destroy(executor);
}

/* ---- functions that other ranks do not have -------------------------------------------------- */

static void run_library(void) {
    cf_executor *executor;
    cf_task task = {
        .name = "foreign", .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};
    const uint64_t number = 20;
    if (own_rank() != 0) {
        lead(NULL, &executor);
        return;
    }
    void *library = dlopen(job.module, RTLD_NOW);
    CHECK(library != NULL);
    void *symbol = library != NULL ? dlsym(library, "foreign") : NULL;
    CHECK(symbol != NULL);
    memcpy(&task.run, &symbol, sizeof symbol);
    if (!lead(NULL, &executor) || symbol == NULL) {
        return;
    }
    cf_future *future = submit(executor, &task, &number);
    const cf_exception exception = ending_of(future);
    CHECK_EQUAL(exception.status, CF_ETASK);
    CHECK_EQUAL(exception.task_error, ENOSYS);
    cf_future_release(future);
    check_works(executor);
    cf_executor_destroy(executor);
}

/* ---- arguments and results ------------------------------------------------------------------- */

static int reverse(const void *arg, void *result, cf_task_context *ctx) {
    const unsigned char *from = arg;
    unsigned char *to = result;
    const size_t size = cf_task_arg_size(ctx);
    for (size_t i = 0; i < size; i++) {
        to[i] = from[size - 1 - i];
    }
    cf_task_set_result_size(ctx, size);
    return 0;
}

static void check_reverse(cf_executor *executor, size_t size, size_t room) {
    const cf_task task = {
        .name = "reverse", .run = reverse, .arg_size = size, .result_size = room, .unzeroed = true};
    unsigned char *bytes = calloc(size + 1, 1);
    const void *view;
    size_t length = 0, wrong = 0;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 + i / 251);
    }
    cf_future *future = submit(executor, &task, bytes);
    CHECK_EQUAL(cf_future_view(future, 2 * LONG_WAIT, &view, &length), CF_OK);
    CHECK_EQUAL(length, size);
    for (size_t i = 0; i < length; i++) {
        wrong += ((const unsigned char *)view)[i] != bytes[size - 1 - i];
    }
    CHECK_EQUAL(wrong, 0);
    cf_future_release(future);
    free(bytes);
}

static void run_payloads(void) {
    cf_executor *executor;
    if (!lead(NULL, &executor)) {
        return;
    }
    uint64_t seed = job.random;
    for (int i = 0; i < 300; i++) {
        const size_t size = (size_t)(random_next(&seed) % (UINT64_C(1) << random_next(&seed) % 18));
        check_reverse(executor, size, size + (size_t)(random_next(&seed) % 100));
    }
    check_reverse(executor, CF_PAYLOAD_MAX, CF_PAYLOAD_MAX);
    check_reverse(executor, 0, 0);
    check_reverse(executor, 0, CF_PAYLOAD_MAX);
    cf_executor_destroy(executor);
}

static void run_times(void) {
    cf_executor *executor;
    const cf_pool_options options = {.record_times = true};
    job.task_ns = SECOND / 20;
    if (!lead(&options, &executor)) {
        return;
    }
    for (uint64_t i = 0; i < 5; i++) {
        cf_info info;
        const int64_t before_ns = now_ns();
        cf_future *future = submit(executor, &note_task, &i);
        CHECK_EQUAL(ending_of(future).status, CF_OK);
        CHECK_EQUAL(cf_future_info(future, &info), CF_OK);
        CHECK(info.submitted_ns >= before_ns);
        CHECK(info.started_ns >= info.submitted_ns);
        CHECK(info.finished_ns >= info.started_ns + SECOND / 20);
        CHECK(info.finished_ns <= now_ns());
        cf_future_release(future);
    }
    cf_executor_destroy(executor);
}

/* ---- pools inside tasks ---------------------------------------------------------------------- */

static int square(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = *(const uint64_t *)arg * *(const uint64_t *)arg;
    return 0;
}

static int sum_squares(cf_executor *pool, uint64_t *sum) {
    static const cf_task task = {.name = "square",
                                 .run = square,
                                 .arg_size = sizeof(uint64_t),
                                 .result_size = sizeof(uint64_t)};
    uint64_t numbers[100], squares[100];
    for (uint64_t i = 0; i < 100; i++) {
        numbers[i] = i;
    }
    const cf_status status = cf_executor_map(pool, &task, numbers, 100, squares, NULL);
    *sum = 0;
    for (size_t i = 0; status == CF_OK && i < 100; i++) {
        *sum += squares[i];
    }
    return status == CF_OK ? 0 : EIO;
}

static int use_pool(const void *arg, void *result, cf_task_context *ctx) {
    cf_executor *pool;
    (void)ctx;
    const bool threads = *(const uint64_t *)arg % 2 != 0;
    const cf_status status =
        threads ? cf_thread_pool_create(NULL, &pool) : cf_process_pool_create(NULL, &pool);
    if (status != CF_OK) {
        return EAGAIN;
    }
    const int error = sum_squares(pool, result);
    cf_executor_destroy(pool);
    return error;
}

static void run_nested(void) {
    static const cf_task task = {.name = "pool",
                                 .run = use_pool,
                                 .arg_size = sizeof(uint64_t),
                                 .result_size = sizeof(uint64_t)};
    cf_executor *executor;
    uint64_t numbers[12], sums[12];
    if (!lead(NULL, &executor)) {
        return;
    }
    for (uint64_t i = 0; i < COUNT_OF(numbers); i++) {
        numbers[i] = i;
    }
    CHECK_EQUAL(cf_executor_map(executor, &task, numbers, COUNT_OF(numbers), sums, NULL), CF_OK);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        CHECK_EQUAL(sums[i], 99 * 100 * 199 / 6);
    }
    cf_executor_destroy(executor);
}

const job_case task_cases[] = {
    {"endings", run_endings},
    {"map_endings", run_map_endings},
    {"thread_crash", run_thread_crash},
    {"called_back", run_called_back},
    {"deadly", run_deadly},
    {"library", run_library},
    {"payloads", run_payloads},
    {"times", run_times},
    {"nested", run_nested},
    {NULL, NULL},
};
