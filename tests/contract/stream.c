#include "stream.h"

cf_source_answer next_number(void *context, void *arg) {
    numbers *n = context;
    cr_assert(n->window == 0 || n->given - n->handed_out < n->window,
              "%llu given, %llu handed out, window %llu", (unsigned long long)n->given,
              (unsigned long long)n->handed_out, (unsigned long long)n->window);
    cr_assert(*(uint64_t *)arg == 0, "the argument is not zeroed");
    if (n->given == n->end) {
        return CF_SOURCE_END;
    }
    *(uint64_t *)arg = n->given++;
    return CF_SOURCE_ITEM;
}

cf_source_answer next_blocker(void *context, void *arg) {
    numbers *n = ((void **)context)[0];
    blocker *b = arg;
    *b = *(const blocker *)((void **)context)[1];
    b->value = n->given;
    return n->given++ < n->end ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

uint64_t mixed(uint64_t n) {
    n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return n ^ n >> 29;
}

int run_mix(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = mixed(*(const uint64_t *)arg);
    return 0;
}

const cf_task mix_task = {
    .name = "mix", .run = run_mix, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

void check_mixed(const cf_stream_item *item) {
    EXPECT_EQ(item->exception.status, CF_OK);
    EXPECT_EQ(item->result_size, sizeof(uint64_t));
    EXPECT_EQ(*(const uint64_t *)item->arg, item->index);
    EXPECT_EQ(*(const uint64_t *)item->result, mixed(item->index));
}

cf_stream *open_stream(cf_executor *ex, const cf_task *task, cf_source_fn *source, void *context,
                       cf_stream_options options) {
    cf_stream *stream = NULL;
    EXPECT(CF_OK, cf_stream_open(ex, task, source, context, &options, &stream));
    cr_assert(stream != NULL);
    return stream;
}
