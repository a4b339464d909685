/* Arguments and results of any size: whole, aligned, zeroed; results of a length that only the task
 * knows; read in place; and the memory given back. */
#include "rows.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(payloads, .timeout = TEST_SECONDS);

enum {
    KIB = 1 << 10,
    MIB = 1 << 20,
    SMALL_ARENA = 8 * MIB
};

/* ---- content --------------------------------------------------------------------------------- */

/* Eight bytes at a time, as the largest have 64 MiB. */
static void fill(void *bytes, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += sizeof seed) {
        uint64_t word = random_next(&seed);
        memcpy((char *)bytes + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

static bool is_filled(const void *bytes, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += sizeof seed) {
        uint64_t word = random_next(&seed);
        if (memcmp((const char *)bytes + at, &word,
                   size - at < sizeof word ? size - at : sizeof word) != 0) {
            return false;
        }
    }
    return true;
}

static uint64_t sum_of(const void *bytes, size_t size) {
    uint64_t sum = size;
    for (size_t at = 0; at < size; at += sizeof sum) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at, size - at < sizeof word ? size - at : sizeof word);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 32;
    }
    return sum;
}

static bool is_zero(const void *bytes, size_t size) {
    const char *b = bytes;
    return size == 0 || (b[0] == 0 && memcmp(b, b + 1, size - 1) == 0);
}

static bool lies_right(const void *memory, size_t size) {
    return size == 0 ? memory == NULL : memory != NULL && (uintptr_t)memory % 8 == 0;
}

/* ---- every size ------------------------------------------------------------------------------ */

enum {
    BAD_ARG = 1,
    BAD_RESULT,
    RESULT_NOT_ZEROED
};

/* Fills its result with what follows from its argument. */
static int run_transform(const void *arg, void *result, cf_task_context *ctx) {
    const size_t arg_size = cf_task_arg_size(ctx), room = cf_task_room(ctx);
    if (!lies_right(arg, arg_size)) {
        return BAD_ARG;
    }
    if (!lies_right(result, room)) {
        return BAD_RESULT;
    }
    if (!is_zero(result, room)) {
        return RESULT_NOT_ZEROED;
    }
    fill(result, room, sum_of(arg, arg_size));
    return 0;
}

static cf_task transform_of(size_t arg_size, size_t result_size) {
    return (cf_task){.name = "transform",
                     .run = run_transform,
                     .arg_size = arg_size,
                     .result_size = result_size};
}

/* Room for the largest argument and result that a test uses. */
typedef struct space {
    char *arg;
    char *result;
} space;

static space space_of(size_t size) {
    space r = {malloc(size), malloc(size + 1)};
    cr_assert(r.arg && r.result);
    return r;
}

static void space_free(space r) {
    free(r.arg);
    free(r.result);
}

static void transform(cf_executor *ex, space r, size_t arg_size, size_t result_size,
                      const cf_submit_options *options, uint64_t seed) {
    const cf_task task = transform_of(arg_size, result_size);
    cf_exception why;
    cf_future *f = NULL;
    fill(r.arg, arg_size, seed);
    r.result[result_size] = 0x5A;
    EXPECT(CF_OK, cf_executor_submit_with(ex, &task, arg_size ? r.arg : NULL, options, &f));
    EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
    cr_assert(why.status == CF_OK, "%zu -> %zu: %s, task error %d", arg_size, result_size,
              cf_status_name(why.status), why.task_error);
    EXPECT(CF_OK, cf_future_result(f, 0, r.result));
    cr_assert(is_filled(r.result, result_size, sum_of(r.arg, arg_size)), "%zu -> %zu: wrong bytes",
              arg_size, result_size);
    EXPECT_EQ(r.result[result_size], 0x5A);
    cf_future_release(f);
}

/* Around what fits a slot, a block, a chunk of blocks, and what is copied before the lock. */
static const size_t sizes[] = {0,     1,     7,     8,     16,    24,    25,         4096,
                               32767, 32768, 32769, 65535, 65536, 65537, (size_t)MIB};

static void every_pair_of_sizes(const cf_submit_options *options) {
    uint64_t seed = test_seed("payloads/every_pair_of_sizes");
    space r = space_of(MIB);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t k = 0; k < COUNT_OF(sizes); k++) {
            transform(ex, r, sizes[i], sizes[k], options, random_next(&seed));
        }
    }
    cf_executor_destroy(ex);
    space_free(r);
}

Test(payloads, of_every_size_arrive_whole) {
    every_pair_of_sizes(NULL);
}

Test(payloads, of_every_size_arrive_under_a_time_limit) {
    every_pair_of_sizes(&(cf_submit_options){.timeout_ns = LONG_WAIT});
}

Test(payloads, of_every_size_arrive_with_retries) {
    every_pair_of_sizes(&(cf_submit_options){.retries = 3});
}

Test(payloads, of_the_largest_size_arrive_whole) {
    static const cf_submit_options limited = {.timeout_ns = 2 * LONG_WAIT, .retries = 1};
    uint64_t seed = test_seed("payloads/of_the_largest_size_arrive_whole");
    space r = space_of(CF_PAYLOAD_MAX);
    cf_executor *ex = create(2);
    transform(ex, r, CF_PAYLOAD_MAX, 0, NULL, random_next(&seed));
    transform(ex, r, 0, CF_PAYLOAD_MAX, NULL, random_next(&seed));
    transform(ex, r, CF_PAYLOAD_MAX - 1, CF_PAYLOAD_MAX - 7, NULL, random_next(&seed));
    transform(ex, r, CF_PAYLOAD_MAX, CF_PAYLOAD_MAX, &limited, random_next(&seed));
    cf_executor_destroy(ex);
    space_free(r);
}

Test(payloads, beyond_the_largest_size_are_refused) {
    static const size_t too_large[] = {CF_PAYLOAD_MAX + 1, (size_t)1 << 32, SIZE_MAX / 2, SIZE_MAX};
    cf_executor *ex = create(1);
    char little[8] = {0};
    for (size_t i = 0; i < COUNT_OF(too_large); i++) {
        const cf_task tasks[] = {transform_of(too_large[i], 8), transform_of(8, too_large[i]),
                                 transform_of(too_large[i], too_large[i])};
        for (size_t k = 0; k < COUNT_OF(tasks); k++) {
            cf_future *f = (cf_future *)little;
            size_t submitted = 7;
            EXPECT(CF_EINVAL, cf_executor_submit(ex, &tasks[k], little, &f));
            cr_assert(f == NULL);
            EXPECT(CF_EINVAL,
                   cf_executor_submit_many(ex, &tasks[k], little, 1, NULL, &f, &submitted));
            EXPECT_EQ(submitted, 0);
            EXPECT(CF_EINVAL, cf_executor_map(ex, &tasks[k], little, 1, little, NULL));
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.submitted, 0);
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){3})), 9);
    cf_executor_destroy(ex);
}

Test(payloads, in_flight_do_not_touch_each_other) {
    enum {
        N = 300,
        MOST = 100 * KIB
    };
    uint64_t seed = test_seed("payloads/in_flight_do_not_touch_each_other");
    space r = space_of(MOST);
    cf_executor *ex = create(3);
    cf_future *futures[N];
    uint64_t sums[N];
    size_t results[N];
    for (size_t i = 0; i < N; i++) {
        const size_t arg_size = random_next(&seed) % MOST + 1;
        results[i] = random_next(&seed) % MOST;
        const cf_task task = transform_of(arg_size, results[i]);
        fill(r.arg, arg_size, random_next(&seed));
        sums[i] = sum_of(r.arg, arg_size);
        futures[i] = submit(ex, &task, r.arg);
    }
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, r.result));
        cr_assert(is_filled(r.result, results[i], sums[i]), "task %zu of %zu bytes", i, results[i]);
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

/* The task table has room for 4096 different tasks: sizes do not make a task another one. */
Test(payloads, of_other_sizes_are_no_other_task) {
    enum {
        N = 6000
    };
    space r = space_of(N);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < N; i++) {
        transform(ex, r, i, N - i, NULL, i);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

/* ---- results as long as the task says -------------------------------------------------------- */

static int run_some_bytes(const void *arg, void *result, cf_task_context *ctx) {
    const size_t *said = arg;
    fill(result, cf_task_room(ctx), said[0]);
    cf_task_set_result_size(ctx, said[1]); /* the last call counts */
    cf_task_set_result_size(ctx, said[0]);
    return (int)said[2];
}

static cf_task some_bytes_of(size_t room) {
    return (cf_task){.name = "some bytes",
                     .run = run_some_bytes,
                     .arg_size = 3 * sizeof(size_t),
                     .result_size = room};
}

static void expect_length(cf_executor *ex, char *result, size_t room, size_t said) {
    const cf_task task = some_bytes_of(room);
    const size_t arg[3] = {said, room / 3, 0}, length = said < room ? said : room;
    const void *lies_at;
    size_t size = SIZE_MAX;
    memset(result, 0x5A, room + 1);
    cf_future *f = submit(ex, &task, arg);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, result));
    char *whole = malloc(room + 1);
    memset(whole, 0x5A, room + 1);
    char *wanted = malloc(room + 1);
    fill(wanted, room, said);
    memcpy(whole, wanted, length);
    cr_assert(memcmp(result, whole, room + 1) == 0, "%zu of %zu bytes", said, room);
    EXPECT(CF_OK, cf_future_view(f, 0, &lies_at, &size));
    EXPECT_EQ(size, length);
    cr_assert(length == 0 || memcmp(lies_at, wanted, length) == 0);
    cf_future_release(f);
    free(whole);
    free(wanted);
}

Test(payloads, of_results_are_as_long_as_the_task_says) {
    static const size_t rooms[] = {0, 1, 8, 24, 25, 4096, 65537, MIB};
    cf_executor *ex = create(2);
    char *result = malloc(MIB + 1);
    for (size_t i = 0; i < COUNT_OF(rooms); i++) {
        const size_t room = rooms[i];
        const size_t said[] = {0, 1, room / 2, room - 1, room, room + 1, SIZE_MAX};
        for (size_t k = 0; k < COUNT_OF(said); k++) {
            expect_length(ex, result, room, said[k]);
        }
    }
    free(result);
    cf_executor_destroy(ex);
}

Test(payloads, of_results_that_failed_are_none) {
    cf_executor *ex = create(1);
    const cf_task task = some_bytes_of(100);
    const void *lies_at = &task;
    size_t size = 17;
    char result[100] = {0};
    cf_future *f = submit(ex, &task, (size_t[3]){50, 50, EDOM});
    EXPECT(CF_ETASK, cf_future_result(f, LONG_WAIT, result));
    EXPECT(CF_ETASK, cf_future_view(f, 0, &lies_at, &size));
    cr_assert(is_zero(result, sizeof result));
    cr_assert(lies_at == &task && size == 17); /* left alone */
    cf_exception why;
    EXPECT(CF_OK, cf_future_exception(f, 0, &why));
    EXPECT_EQ(why.task_error, EDOM); /* and not the length */
    cf_future_release(f);
    cf_executor_destroy(ex);
}

/* ---- in place -------------------------------------------------------------------------------- */

Test(payloads, can_be_read_in_place_until_released) {
    enum {
        N = 40,
        SIZE = 10000
    };
    cf_executor *ex = create(2);
    space r = space_of(SIZE);
    cf_future *futures[N];
    const void *places[N];
    const cf_task task = transform_of(8, SIZE);
    for (uint64_t i = 0; i < N; i++) {
        size_t size;
        futures[i] = submit(ex, &task, &i);
        EXPECT(CF_OK, cf_future_view(futures[i], LONG_WAIT, &places[i], &size));
        EXPECT_EQ(size, SIZE);
        cr_assert(lies_right(places[i], SIZE));
    }
    for (size_t i = 0; i < 1000; i++) { /* others come and go meanwhile */
        transform(ex, r, i % SIZE, (7 * i) % SIZE, NULL, i);
    }
    cf_executor_destroy(ex);
    for (uint64_t i = 0; i < N; i++) {
        const void *again;
        size_t size;
        EXPECT(CF_OK, cf_future_view(futures[i], 0, &again, &size));
        cr_assert(again == places[i]);
        cr_assert(is_filled(places[i], SIZE, sum_of(&i, sizeof i)), "view %zu", (size_t)i);
        cf_future_release(futures[i]);
    }
    space_free(r);
}

Test(payloads, are_not_there_before_the_task_is_done) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 31};
    cf_future *f = submit(ex, &blocker_task, &b);
    const void *lies_at = &b;
    size_t size = 17;
    EXPECT(CF_ETIMEDOUT, cf_future_view(f, 0, &lies_at, &size));
    EXPECT(CF_ETIMEDOUT, cf_future_view(f, MILLISECOND, &lies_at, &size));
    cr_assert(lies_at == &b && size == 17);
    counter_add(&c[1], 1);
    EXPECT(CF_OK, cf_future_view(f, LONG_WAIT, &lies_at, &size));
    EXPECT_EQ(size, sizeof(uint64_t));
    EXPECT_EQ(*(const uint64_t *)lies_at, 31);
    EXPECT(CF_EINVAL, cf_future_view(NULL, 0, &lies_at, &size));
    EXPECT(CF_EINVAL, cf_future_view(f, 0, NULL, &size));
    EXPECT(CF_EINVAL, cf_future_view(f, 0, &lies_at, NULL));
    cf_future_release(f);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}

/* ---- after a death --------------------------------------------------------------------------- */

/* Spoils the room and dies, but for the last attempt. */
static int run_spoil_and_die(const void *arg, void *result, cf_task_context *ctx) {
    if (cf_task_attempt(ctx) < 3) {
        memset(result, 0xEE, cf_task_room(ctx));
        raise(SIGKILL);
    }
    return run_transform(arg, result, ctx);
}

Test(payloads, begin_anew_with_each_attempt) {
    NEEDS(survives_worker_death);
    static const size_t few[] = {1, 24, 25, 65537, MIB};
    space r = space_of(MIB);
    cf_executor *ex = create(2);
    for (size_t i = 0; i < COUNT_OF(few); i++) {
        cf_task task = transform_of(few[i], few[i]);
        task.run = run_spoil_and_die;
        fill(r.arg, few[i], i);
        cf_future *f = NULL;
        const cf_submit_options options = {.retries = 2, .timeout_ns = LONG_WAIT};
        EXPECT(CF_OK, cf_executor_submit_with(ex, &task, r.arg, &options, &f));
        EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, r.result));
        cr_assert(is_filled(r.result, few[i], sum_of(r.arg, few[i])), "%zu bytes", few[i]);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static cf_executor *create_small(void) {
    return create_with((cf_pool_options){.max_workers = workers_of(2), .arena_limit = SMALL_ARENA});
}

Test(payloads, are_given_back_with_their_future) {
    space r = space_of(MIB);
    cf_executor *ex = create_small();
    for (uint64_t i = 0; i < 1000; i++) {
        transform(ex, r, i % 2 ? MIB : 8, i % 3 ? MIB : 8, NULL, i);
    }
    cf_executor_destroy(ex);
    space_free(r);
}

static int run_touch(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    counter *done = *(counter *const *)arg;
    memset(result, 1, cf_task_room(ctx));
    counter_add(done, 1);
    return 0;
}

/* A task of which nobody holds a future gives its memory back when it is done. It is done a moment
 * after it has told, and so a refusal counts only when it lasts. */
static cf_status submit_patiently(cf_executor *ex, const cf_task *task, const void *arg) {
    const int64_t end = now_ns() + 5 * SECOND;
    cf_status status;
    do {
        status = cf_executor_submit(ex, task, arg, NULL);
    } while (status == CF_ENOMEM && now_ns() < end);
    return status;
}

Test(payloads, are_given_back_without_a_future) {
    counter *done = shared_alloc(sizeof *done);
    cf_executor *ex = create_small();
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (uint32_t i = 1; i <= 100; i++) {
        cf_status status = submit_patiently(ex, &task, &done);
        cr_assert(status == CF_OK, "task %u: %s, and nothing is in flight", i,
                  cf_status_name(status));
        cr_assert(counter_wait(done, i));
    }
    cf_executor_destroy(ex);
    shared_free(done, sizeof *done);
}

Test(payloads, are_given_back_when_released_early) {
    NEEDS(runs_beside_caller);
    counter *c = shared_alloc(4 * sizeof *c), *done = &c[3];
    cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .arena_limit = SMALL_ARENA});
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (uint32_t i = 1; i <= 100; i++) {
        blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
        atomic_store(&c[1].value, 0);
        cf_future *held = submit(ex, &blocker_task, &b), *f = NULL;
        cf_status status = cf_executor_submit(ex, &task, &done, &f);
        cr_assert(status == CF_OK, "task %u: %s, and nothing is in flight", i,
                  cf_status_name(status));
        cf_future_release(f);
        counter_add(&c[1], 1);
        EXPECT(CF_OK, cf_future_result(held, LONG_WAIT, NULL));
        cf_future_release(held);
        cr_assert(counter_wait(done, i));
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){4})), 16); /* so it has settled */
    }
    cf_executor_destroy(ex);
    shared_free(c, 4 * sizeof *c);
}

Test(payloads, are_given_back_by_cancelled_tasks) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(4 * sizeof *c), *done = &c[3];
    cf_executor *ex = create_with((cf_pool_options){.max_workers = 1, .arena_limit = SMALL_ARENA});
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    cf_future *held = submit(ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (int i = 0; i < 100; i++) {
        cf_future *f = submit(ex, &task, &done);
        cr_assert(cf_future_cancel(f));
        cf_future_release(f);
    }
    counter_add(&c[1], 1);
    EXPECT(CF_OK, cf_future_result(held, LONG_WAIT, NULL));
    cf_future_release(held);
    cf_executor_destroy(ex);
    EXPECT_EQ(counter_get(done), 0);
    shared_free(c, 4 * sizeof *c);
}

Test(payloads, are_given_back_after_as_completed) {
    enum {
        N = 5
    };
    counter *done = shared_alloc(sizeof *done);
    cf_executor *ex = create_small();
    const cf_task task = {.run = run_touch, .arg_size = sizeof done, .result_size = MIB};
    for (int round = 0; round < 50; round++) {
        cf_future *futures[N];
        cf_as_completed *ac = NULL;
        for (size_t i = 0; i < N; i++) {
            futures[i] = submit(ex, &task, &done);
        }
        EXPECT(CF_OK, cf_as_completed_create(futures, N, &ac));
        for (size_t i = 0; i < N; i++) {
            cf_future *f = NULL;
            EXPECT(CF_OK, cf_as_completed_next(ac, LONG_WAIT, &f, NULL));
            cf_future_release(f);
        }
        cf_as_completed_destroy(ac);
    }
    cf_executor_destroy(ex);
    shared_free(done, sizeof *done);
}

/* More than fits is refused, and costs nothing but that. */
Test(payloads, beyond_the_arena_are_refused) {
    enum {
        MOST = SMALL_ARENA / MIB
    };
    cf_executor *ex = create_small();
    char *arg = calloc(1, CF_PAYLOAD_MAX);
    const cf_task big = transform_of(MIB, 8), huge = transform_of(CF_PAYLOAD_MAX, 0);
    const cf_task vast = transform_of(0, CF_PAYLOAD_MAX);
    for (int round = 0; round < 20; round++) {
        cf_future *futures[MOST + 1], *none = NULL;
        size_t n = 0;
        cf_status status = CF_OK;
        while (n <= MOST && (status = cf_executor_submit(ex, &big, arg, &futures[n])) == CF_OK) {
            n++;
        }
        EXPECT(CF_ENOMEM, status);
        cr_assert(futures[n] == NULL);
        cr_assert(n >= MOST / 2 - 1, "only %zu fitted", n);
        EXPECT(CF_ENOMEM, cf_executor_submit(ex, &huge, arg, &none));
        EXPECT(CF_ENOMEM, cf_executor_submit(ex, &vast, NULL, &none));
        EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){5})), 25);
        for (size_t i = 0; i < n; i++) {
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
            cf_future_release(futures[i]);
        }
    }
    cf_stats stats;
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.failed, 0);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    EXPECT(CF_OK, cf_executor_stats(ex, &stats));
    EXPECT_EQ(stats.submitted, stats.finished);
    cf_executor_destroy(ex);
    free(arg);
}
