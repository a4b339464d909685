/* What the tests of arguments and results share: contents that can be checked, and a task that makes one
 * of the other. */
#ifndef TESTS_CONTRACT_PAYLOADS_H
#define TESTS_CONTRACT_PAYLOADS_H

#include "rows.h"

enum {
    KIB = 1 << 10,
    MIB = 1 << 20
};

/* Bytes that follow from the seed, eight at a time, as the largest have 64 MiB. */
void fill(void *bytes, size_t size, uint64_t seed);
bool is_filled(const void *bytes, size_t size, uint64_t seed);
uint64_t sum_of(const void *bytes, size_t size);
bool is_zero(const void *bytes, size_t size);
/* At an address that is aligned; NULL if it has no bytes. */
bool lies_right(const void *memory, size_t size);

/* Fills its result with what follows from its argument. Fails if one of them does not lie right, or if the
 * result is not zeroed. */
cf_task_fn run_transform;
cf_task transform_of(size_t arg_size, size_t result_size);

/* Room for the largest argument and result that a test uses. */
typedef struct space {
    char *arg;
    char *result;
} space;
space space_of(size_t size);
void space_free(space r);

/* Submits the task, and checks its result. */
void transform(cf_executor *ex, space r, size_t arg_size, size_t result_size,
               const cf_submit_options *options, uint64_t seed);

#endif
