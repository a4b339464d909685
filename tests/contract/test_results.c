/* A result is as long as its task says. It can be read in place from the end of the task until the future is
 * released. A task that failed has none. */
#include "payloads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(results, .timeout = TEST_SECONDS);

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

Test(results, of_results_are_as_long_as_the_task_says) {
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

Test(results, of_results_that_failed_are_none) {
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

Test(results, can_be_read_in_place_until_released) {
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

Test(results, are_not_there_before_the_task_is_done) {
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
