/* Which tasks of a map run while its results are handed out. */
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

static void show(const cf_stream_item *item) {
    demo_display("result %" PRIu64 ": %u", item->index, *(const unsigned *)item->result);
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
                 "[WORKERS [COUNT]]", NULL, positionals, argc, argv);
    unsigned seconds[COUNT_MAX];
    for (unsigned n = 0; n < count; n++) {
        seconds[n] = n;
    }
    return demo_map(workers, &LOITER, seconds, count, show);
}
