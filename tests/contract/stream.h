/* What the tests of streams share: a source of numbers, a task that mixes them, a source of blockers. */
#ifndef TESTS_CONTRACT_STREAM_H
#define TESTS_CONTRACT_STREAM_H

#include "rows.h"

/* Gives 0, 1, 2 ... and checks at each that the window holds. */
typedef struct numbers {
    uint64_t given, end;
    uint64_t handed_out; /* written by the test */
    uint64_t window;     /* 0 = do not check */
} numbers;
cf_source_answer next_number(void *context, void *arg);

/* `context`: an array of pointers to the numbers, which count the items, and to the blocker that each item
 * is a copy of. */
cf_source_answer next_blocker(void *context, void *arg);

uint64_t mixed(uint64_t n);
cf_task_fn run_mix;
extern const cf_task mix_task; /* uint64_t -> itself, mixed */
/* An item of mix_task whose argument is its index has its result. */
void check_mixed(const cf_stream_item *item);

cf_stream *open_stream(cf_executor *ex, const cf_task *task, cf_source_fn *source, void *context,
                       cf_stream_options options);

#endif
