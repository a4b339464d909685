/* Items of every size and at every address run once each, on aligned and zeroed memory. Of the caller's
 * arrays only their own bytes are read and written. */
#include "map_items.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

TestSuite(map_items, .timeout = TEST_SECONDS);

/* ---- arrays between pages that may not be touched -------------------------------------------- */

typedef struct array {
    unsigned char *bytes;
    size_t size;
    unsigned char *pages; /* the first and the last are closed */
    size_t length;
} array;

/* Ends right before a closed page, or begins `offset` bytes behind one. */
static array array_new(size_t size, bool at_end, size_t offset) {
    array a = {.size = size, .length = (size + offset + PAGE - 1) / PAGE * PAGE + 3 * PAGE};
    a.pages = mmap(NULL, a.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(a.pages != MAP_FAILED);
    memset(a.pages, 0xA5, a.length);
    a.bytes = at_end ? a.pages + a.length - PAGE - size : a.pages + PAGE + offset;
    mprotect(a.pages, PAGE, PROT_NONE);
    mprotect(a.pages + a.length - PAGE, PAGE, PROT_NONE);
    return a;
}

static void array_is_read_only(const array *a) {
    cr_assert_eq(mprotect(a->pages, a->length, PROT_NONE), 0);
    cr_assert_eq(mprotect(a->pages + PAGE, a->length - 2 * PAGE, PROT_READ), 0);
}

/* Nothing was written beside it. */
static void array_check_beside(const array *a) {
    for (const unsigned char *b = a->pages + PAGE; b < a->pages + a->length - PAGE; b++) {
        cr_assert((b >= a->bytes && b < a->bytes + a->size) || *b == 0xA5,
                  "written %td bytes from an array of %zu", b - a->bytes, a->size);
    }
}

static void array_free(array *a) {
    munmap(a->pages, a->length);
}

/* ---- the task, and what it must find --------------------------------------------------------- */

enum {
    SIZES_MAX = 24
};

static uint64_t mixed(uint64_t n) {
    return random_next(&n);
}

static uint64_t value_of(const void *arg, size_t size) {
    uint64_t value = 0;
    memcpy(&value, arg ? arg : &value, size < 8 ? size : 8);
    return value;
}

/* What item `value` gives in all. */
static void write_result(unsigned char *result, size_t size, uint64_t value) {
    for (size_t i = 0; i < size; i++) {
        result[i] = (unsigned char)(mixed(value) >> i % 7 * 8 | 1); /* not one byte is 0 */
    }
}

static bool fails(uint64_t value) {
    return mixed(value + 1) % 5 == 0;
}

static int error_of(uint64_t value) {
    const int error = 1 + (int)(value % 1000);
    return mixed(value + 2) % 2 ? error : -error;
}

/* 0 .. room + 1: "more is taken as all of it". */
static size_t short_size(uint64_t value, size_t room) {
    return mixed(value + 3) % (room + 2);
}

typedef enum way {
    FAILS = 1, /* some of them */
    SHORT = 2,
    UNZEROED = 4
} way;

/* A type of that size may need. */
static bool is_misaligned(const void *memory, size_t size) {
    size_t alignment = 8;
    while (size % alignment != 0) {
        alignment /= 2;
    }
    return (uintptr_t)memory % alignment != 0;
}

static int run(unsigned how, const void *arg, void *result, cf_task_context *ctx) {
    const size_t arg_size = cf_task_arg_size(ctx), room = cf_task_room(ctx);
    const uint64_t value = value_of(arg, arg_size);
    static const unsigned char zeros[SIZES_MAX];
    atomic_fetch_add(&tasks->runs[value % VALUES], 1);
    atomic_fetch_add(&tasks->misaligned,
                     is_misaligned(arg, arg_size) || is_misaligned(result, room));
    atomic_fetch_add(&tasks->wrong_sizes, arg_size > SIZES_MAX || room > SIZES_MAX);
    atomic_fetch_add(&tasks->not_null, (arg_size == 0 && arg) || (room == 0 && result));
    if (!(how & UNZEROED) && room > 0 && room <= SIZES_MAX && memcmp(result, zeros, room) != 0) {
        atomic_fetch_add(&tasks->not_zeroed, 1);
    }
    if (arg_size > 8) { /* the whole argument arrives, not only its first bytes */
        unsigned char expected[SIZES_MAX];
        write_result(expected, arg_size - 8, value);
        if (memcmp((const unsigned char *)arg + 8, expected, arg_size - 8) != 0) {
            return 77777;
        }
    }
    write_result(result, room, value);
    if (how & SHORT) {
        cf_task_set_result_size(ctx, short_size(value, room));
    }
    return how & FAILS && fails(value) ? error_of(value) : 0;
}

#define RUN(how)                                                                                   \
    static int run_##how(const void *arg, void *result, cf_task_context *ctx) {                    \
        return run(how, arg, result, ctx);                                                         \
    }
RUN(0)
RUN(1)
RUN(2)
RUN(3)
RUN(4)
RUN(5)
RUN(6)
RUN(7)
static cf_task_fn *const runs[] = {run_0, run_1, run_2, run_3, run_4, run_5, run_6, run_7};

/* ---- one map of any shape -------------------------------------------------------------------- */

typedef struct shape {
    size_t count, arg_size, result_size, chunk;
    unsigned how;
    bool args_at_end, results_at_end, wants_exceptions;
    size_t args_offset, results_offset;
} shape;

static uint64_t value_in(const shape *s, uint64_t i) {
    return s->arg_size >= 8 ? i : i & ((UINT64_C(1) << 8 * s->arg_size) - 1);
}

static array arguments_of(const shape *s) {
    array a = array_new(s->count * s->arg_size, s->args_at_end, s->args_offset);
    for (uint64_t i = 0; i < s->count; i++) {
        unsigned char *arg = a.bytes + i * s->arg_size;
        const uint64_t value = value_in(s, i);
        memcpy(arg, &value, s->arg_size < 8 ? s->arg_size : 8);
        write_result(arg + 8, s->arg_size > 8 ? s->arg_size - 8 : 0, value);
    }
    array_is_read_only(&a);
    return a;
}

static void check_item(const shape *s, uint64_t i, const unsigned char *result,
                       const cf_exception *why, int workers) {
    const uint64_t value = value_in(s, i);
    const bool failed = s->how & FAILS && fails(value);
    size_t size = s->how & SHORT ? short_size(value, s->result_size) : s->result_size;
    size = failed ? 0 : size < s->result_size ? size : s->result_size;
    unsigned char expected[SIZES_MAX] = {0};
    write_result(expected, size, value);
    cr_assert(memcmp(result, expected, s->result_size) == 0, "result of item %zu", (size_t)i);
    if (why) {
        EXPECT_EQ(why->status, failed ? CF_ETASK : CF_OK);
        EXPECT_EQ(why->task_error, failed ? error_of(value) : 0);
        EXPECT_EQ(why->signal, 0);
        EXPECT_EQ(why->exit_code, 0);
        cr_assert(why->worker >= 0 && why->worker < workers, "worker %d", why->worker);
    }
}

static void check_runs(const shape *s) {
    const uint64_t values = s->arg_size >= 8 ? UINT64_MAX : UINT64_C(1) << 8 * s->arg_size;
    for (uint64_t value = 0; value < s->count && value < values; value++) {
        const uint64_t times = (s->count - value - 1) / values + 1;
        EXPECT_EQ(tasks->runs[value], times);
        tasks->runs[value] = 0;
    }
    EXPECT_EQ(tasks->misaligned, 0);
    EXPECT_EQ(tasks->wrong_sizes, 0);
    EXPECT_EQ(tasks->not_null, 0);
    EXPECT_EQ(tasks->not_zeroed, 0);
}

static void map_one(cf_executor *ex, const shape *s, bool counts_runs) {
    array args = arguments_of(s);
    array results = array_new(s->count * s->result_size, s->results_at_end, s->results_offset);
    array exceptions = array_new(s->count * sizeof(cf_exception), false, 0);
    const cf_task task = {.run = runs[s->how],
                          .arg_size = s->arg_size,
                          .result_size = s->result_size,
                          .unzeroed = s->how & UNZEROED};
    cf_exception *why = s->wants_exceptions ? (void *)exceptions.bytes : NULL;
    const cf_map_options options = {.chunk = s->chunk, .exceptions = why};
    bool some_fail = false;
    for (uint64_t i = 0; i < s->count; i++) {
        some_fail = some_fail || (s->how & FAILS && fails(value_in(s, i)));
    }
    EXPECT(some_fail ? CF_ETASK : CF_OK,
           cf_executor_map(ex, &task, args.bytes, s->count, results.bytes, &options));
    for (uint64_t i = 0; i < s->count; i++) {
        check_item(s, i, results.bytes + i * s->result_size, why ? &why[i] : NULL,
                   (int)cf_executor_max_workers(ex));
    }
    array_check_beside(&results);
    array_check_beside(&exceptions);
    if (counts_runs) {
        check_runs(s);
    }
    array_free(&exceptions);
    array_free(&results);
    array_free(&args);
}

static const size_t arg_sizes[] = {0, 1, 2, 3, 8, 12, 16, 24};
static const size_t result_sizes[] = {0, 1, 3, 8, 12, 24};

static shape random_shape(size_t count, uint64_t *seed) {
    static const size_t chunks[] = {0, 0, 0, 1, 7, 1000, SIZE_MAX}, offsets[] = {0, 4, 1};
    return (shape){.count = count,
                   .arg_size = arg_sizes[random_next(seed) % COUNT_OF(arg_sizes)],
                   .result_size = result_sizes[random_next(seed) % COUNT_OF(result_sizes)],
                   .chunk = chunks[random_next(seed) % COUNT_OF(chunks)],
                   .how = random_next(seed) % COUNT_OF(runs),
                   .args_at_end = random_next(seed) % 2,
                   .results_at_end = random_next(seed) % 2,
                   .wants_exceptions = random_next(seed) % 2,
                   .args_offset = offsets[random_next(seed) % COUNT_OF(offsets)],
                   .results_offset = offsets[random_next(seed) % COUNT_OF(offsets)]};
}

/* The library chooses the chunk. */
Test(map_items, of_every_size_at_every_address) {
    static const size_t counts[] = {0, 1, 2, 13, 257, 1009};
    uint64_t seed = test_seed("map_items/of_every_size_at_every_address");
    cf_executor *ex = create_reporting(2);
    for (size_t k = 0; k < COUNT_OF(arg_sizes) * COUNT_OF(result_sizes) * COUNT_OF(counts); k++) {
        shape s = random_shape(counts[k % COUNT_OF(counts)], &seed);
        s.arg_size = arg_sizes[k / COUNT_OF(counts) % COUNT_OF(arg_sizes)];
        s.result_size = result_sizes[k / COUNT_OF(counts) / COUNT_OF(arg_sizes)];
        s.chunk = 0;
        map_one(ex, &s, true);
    }
    destroy_reporting(ex);
}

Test(map_items, of_any_shape) {
    uint64_t seed = test_seed("map_items/of_any_shape");
    cf_executor *ex = create_reporting(3);
    for (size_t k = scaled(150); k > 0; k--) {
        const shape s = random_shape(random_next(&seed) % 3000, &seed);
        map_one(ex, &s, true);
    }
    destroy_reporting(ex);
}

Test(map_items, by_the_hundred_thousand) {
    uint64_t seed = test_seed("map_items/by_the_hundred_thousand");
    cf_executor *ex = create_reporting(2);
    for (unsigned how = 0; how < COUNT_OF(runs); how++) {
        shape s = random_shape(how % 2 ? 100000 : 99991, &seed);
        s.chunk = 0;
        s.how = how;
        map_one(ex, &s, true);
    }
    destroy_reporting(ex);
}

/* ---- maps at once, and maps inside tasks ------------------------------------------------------ */

typedef struct mapper {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    size_t times;
} mapper;

static void *map_again_and_again(void *arg) {
    mapper *m = arg;
    for (size_t i = 0; i < m->times; i++) {
        const shape s = random_shape(random_next(&m->seed) % 4000, &m->seed);
        map_one(m->ex, &s, false);
    }
    return NULL;
}

Test(map_items, from_two_threads_at_once) {
    uint64_t seed = test_seed("map_items/from_two_threads_at_once");
    cf_executor *ex = create_reporting(2);
    mapper mappers[2];
    for (size_t i = 0; i < COUNT_OF(mappers); i++) {
        mappers[i] = (mapper){.ex = ex, .seed = random_next(&seed), .times = scaled(40)};
        cr_assert_eq(pthread_create(&mappers[i].thread, NULL, map_again_and_again, &mappers[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(mappers); i++) {
        pthread_join(mappers[i].thread, NULL);
    }
    EXPECT_EQ(tasks->misaligned + tasks->not_zeroed + tasks->not_null, 0);
    destroy_reporting(ex);
}

static int run_mapper(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    mapper m = *(const mapper *)arg;
    map_again_and_again(&m);
    return 0;
}

static const cf_task mapper_task = {.run = run_mapper, .arg_size = sizeof(mapper)};

/* More of them than workers, so that each waits inside a task while its items wait for a worker. */
Test(map_items, from_tasks_of_the_same_executor) {
    NEEDS(shares_memory);
    enum {
        N = 12
    };
    uint64_t seed = test_seed("map_items/from_tasks_of_the_same_executor");
    cf_executor *ex = create_reporting(2);
    mapper mappers[N];
    cf_future *futures[N];
    for (size_t i = 0; i < N; i++) {
        mappers[i] = (mapper){.ex = ex, .seed = random_next(&seed), .times = scaled(4)};
        futures[i] = submit(ex, &mapper_task, &mappers[i]);
    }
    for (size_t i = 0; i < N; i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    EXPECT(CF_OK, cf_executor_map(ex, &mapper_task, mappers, N, NULL, NULL)); /* in a map */
    EXPECT_EQ(tasks->misaligned + tasks->not_zeroed + tasks->not_null, 0);
    destroy_reporting(ex);
}
