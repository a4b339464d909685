#include "payloads.h"

#include <stdlib.h>
#include <string.h>

void fill(void *bytes, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += sizeof seed) {
        uint64_t word = random_next(&seed);
        memcpy((char *)bytes + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

bool is_filled(const void *bytes, size_t size, uint64_t seed) {
    for (size_t at = 0; at < size; at += sizeof seed) {
        uint64_t word = random_next(&seed);
        if (memcmp((const char *)bytes + at, &word,
                   size - at < sizeof word ? size - at : sizeof word) != 0) {
            return false;
        }
    }
    return true;
}

uint64_t sum_of(const void *bytes, size_t size) {
    uint64_t sum = size;
    for (size_t at = 0; at < size; at += sizeof sum) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at, size - at < sizeof word ? size - at : sizeof word);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 32;
    }
    return sum;
}

bool is_zero(const void *bytes, size_t size) {
    const char *b = bytes;
    return size == 0 || (b[0] == 0 && memcmp(b, b + 1, size - 1) == 0);
}

bool lies_right(const void *memory, size_t size) {
    return size == 0 ? memory == NULL : memory != NULL && (uintptr_t)memory % 8 == 0;
}

enum {
    BAD_ARG = 1,
    BAD_RESULT,
    RESULT_NOT_ZEROED
};

int run_transform(const void *arg, void *result, cf_task_context *ctx) {
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

cf_task transform_of(size_t arg_size, size_t result_size) {
    return (cf_task){.name = "transform",
                     .run = run_transform,
                     .arg_size = arg_size,
                     .result_size = result_size};
}

space space_of(size_t size) {
    space r = {malloc(size), malloc(size + 1)};
    cr_assert(r.arg && r.result);
    return r;
}

void space_free(space r) {
    free(r.arg);
    free(r.result);
}

void transform(cf_executor *ex, space r, size_t arg_size, size_t result_size,
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
