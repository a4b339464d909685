/* A map is lazy: it hands out results one by one, in order, while the tasks behind still run. */
#include "programs/demo/demo.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    COUNT_MAX = 100
};

/* Does nothing for n seconds, and gives 10 n. What it prints is indented, so that each task has a
 * column of its own. */
static int run_loiter(const void *arg, void *result, cf_task_context *context) {
    (void)context;
    const unsigned n = *(const unsigned *)arg;
    char tabs[COUNT_MAX + 1] = "";
    memset(tabs, '\t', n);
    demo_display("%sloiter(%u): doing nothing for %us...", tabs, n, n);
    sleep(n);
    demo_display("%sloiter(%u): done.", tabs, n);
    *(unsigned *)result = 10 * n;
    return 0;
}

static const cf_task LOITER = {
    .name = "loiter",
    .run = run_loiter,
    .arg_size = sizeof(unsigned),
    .result_size = sizeof(unsigned),
};

/* The numbers from `next` to `end`, one for each call. */
typedef struct range {
    unsigned next;
    unsigned end;
} range;

static cf_source_answer give_number(void *context, void *arg) {
    range *numbers = context;
    if (numbers->next == numbers->end) {
        return CF_SOURCE_END;
    }
    *(unsigned *)arg = numbers->next++;
    return CF_SOURCE_ITEM;
}

int main(int argc, char **argv) {
    unsigned workers = 3, count = 5;
    const command_line_positional positionals[] = {
        {"WORKERS", 1, CF_WORKERS_MAX, &workers},
        {"COUNT", 0, COUNT_MAX, &count},
        {0},
    };
    demo_prepare("Shows when the tasks of a map run, and when their results are handed out: COUNT "
                 "loiterers, of which number n does nothing for n seconds, on WORKERS threads."
                 "\vWORKERS is a number from 1 to 1024, by default 3. COUNT is a number from 0 to "
                 "100, by default 5.\n\n" DEMO_EXIT_DOC,
                 "[WORKERS [COUNT]]", positionals, argc, argv);

    demo_display("Script starting.");
    cf_executor *pool;
    const cf_pool_options options = {.max_workers = workers};
    demo_require(cf_thread_pool_create(&options, &pool), "create the pool");

    cf_stream *results;
    range tasks = {0, count};
    const cf_stream_options map = {.chunk = 1, .size_hint = count};
    demo_require(cf_stream_open(pool, &LOITER, give_number, &tasks, &map, &results), "begin");
    char text[64];
    demo_display("results: %s", cf_stream_describe(results, text, sizeof text));

    demo_display("Waiting for individual results:");
    cf_status status;
    cf_stream_item item;
    while ((status = cf_stream_next(results, CF_FOREVER, &item)) == CF_OK) {
        demo_require_success(&item.exception);
        demo_display("result %" PRIu64 ": %u", item.index, *(const unsigned *)item.result);
    }
    if (status != CF_EEXHAUSTED) {
        demo_require(status, "go on");
    }
    cf_stream_close(results);
    cf_executor_destroy(pool);
    return EXIT_SUCCESS;
}
