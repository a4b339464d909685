/* A stream of many items takes no more memory than a stream of few, and so do many tasks that nobody
 * holds a future of: a plain program, as Criterion's own memory would be counted too. Every result of
 * a stream is checked, in order. Returns 0, or 1 and says what was wrong.
 *
 *     long_stream [ITEMS]        10^7 without one
 *
 * Each executor has a process of its own, so that its peak is not hidden behind another's. */
#include "../support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHUNK = 1024,
    WORKERS = 4,
    PENDING = 100, /* tasks that nobody holds */
    GROWTH_MOST_KB = 16 << 10
};

typedef struct kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned workers;
    bool has_processes;
} kind;

static const kind kinds[] = {
    {"serial", cf_serial_create, 1, false},
    {"thread_pool", cf_thread_pool_create, WORKERS, false},
    {"process_pool", cf_process_pool_create, WORKERS, true},
};

typedef struct numbers {
    uint64_t next, end;
} numbers;

static cf_source_answer next_number(void *context, void *arg) {
    numbers *n = context;
    *(uint64_t *)arg = n->next;
    return n->next++ < n->end ? CF_SOURCE_ITEM : CF_SOURCE_END;
}

static uint64_t mixed(uint64_t n) {
    n = (n ^ n >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return n ^ n >> 29;
}

static int run_mix(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    *(uint64_t *)result = mixed(*(const uint64_t *)arg);
    return 0;
}

static const cf_task mix_task = {
    .name = "mix", .run = run_mix, .arg_size = sizeof(uint64_t), .result_size = sizeof(uint64_t)};

/* The most that the process has had in memory, shared memory included. */
static bool read_peak_kb(int64_t pid, long *peak_kb) {
    char path[64], line[256];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/status", pid);
    FILE *status = fopen(path, "re");
    while (status && !found && fgets(line, sizeof line, status)) {
        found = sscanf(line, "VmHWM: %ld", peak_kb) == 1;
    }
    if (status) {
        fclose(status);
    }
    return found;
}

static int check_items(cf_stream *stream, uint64_t count) {
    cf_stream_item item;
    for (uint64_t i = 0; i < count; i++) {
        HOST_CHECK(cf_stream_next(stream, LONG_WAIT, &item) == CF_OK);
        HOST_CHECK(item.index == i && item.exception.status == CF_OK);
        HOST_CHECK(item.result_size == sizeof(uint64_t));
        HOST_CHECK(*(const uint64_t *)item.result == mixed(i));
    }
    HOST_CHECK(cf_stream_next(stream, LONG_WAIT, &item) == CF_EEXHAUSTED);
    return 0;
}

static int check_worker_peaks(cf_executor *ex, long most_kb) {
    cf_stats stats;
    HOST_CHECK(cf_executor_stats(ex, &stats) == CF_OK && stats.workers > 0);
    for (unsigned i = 0; i < stats.workers; i++) {
        cf_worker_stats worker;
        long peak_kb;
        HOST_CHECK(cf_executor_worker_stats(ex, i, &worker) == CF_OK);
        HOST_CHECK(read_peak_kb(worker.id, &peak_kb));
        HOST_CHECK(peak_kb <= most_kb);
    }
    return 0;
}

static int stream_through(const kind *k, uint64_t count) {
    cf_executor *ex;
    cf_stream *stream;
    long before_kb, after_kb;
    numbers source = {.end = count};
    const cf_pool_options pool_options = {.max_workers = k->workers};
    const cf_stream_options options = {.chunk = CHUNK};
    HOST_CHECK(k->create(&pool_options, &ex) == CF_OK);
    HOST_CHECK(read_peak_kb(getpid(), &before_kb));
    HOST_CHECK(cf_stream_open(ex, &mix_task, next_number, &source, &options, &stream) == CF_OK);
    HOST_CHECK(check_items(stream, count) == 0);
    HOST_CHECK(read_peak_kb(getpid(), &after_kb));
    fprintf(stderr, "%s: %" PRIu64 " items, peak %ld KiB, before %ld KiB\n", k->name, count,
            after_kb, before_kb);
    HOST_CHECK(after_kb - before_kb <= GROWTH_MOST_KB);
    if (k->has_processes) {
        HOST_CHECK(check_worker_peaks(ex, before_kb + GROWTH_MOST_KB) == 0);
    }
    cf_stream_close(stream);
    cf_executor_destroy(ex);
    return 0;
}

static int submit_unheld(const kind *k, uint64_t count) {
    cf_executor *ex;
    long before_kb, after_kb;
    const cf_pool_options options = {.max_workers = k->workers, .max_pending = PENDING};
    HOST_CHECK(k->create(&options, &ex) == CF_OK);
    HOST_CHECK(read_peak_kb(getpid(), &before_kb));
    for (uint64_t i = 0; i < count / 10; i++) {
        HOST_CHECK(cf_executor_submit(ex, &mix_task, &i, NULL) == CF_OK);
    }
    HOST_CHECK(read_peak_kb(getpid(), &after_kb));
    fprintf(stderr, "%s: %" PRIu64 " tasks, peak %ld KiB, before %ld KiB\n", k->name, count / 10,
            after_kb, before_kb);
    HOST_CHECK(after_kb - before_kb <= GROWTH_MOST_KB);
    cf_executor_destroy(ex);
    return 0;
}

static bool passes(const kind *k, int (*run)(const kind *k, uint64_t count), uint64_t count) {
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(run(k, count));
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv) {
    char *end = NULL;
    uint64_t count = argc > 1 ? strtoull(argv[1], &end, 10) : 10000000;
    int failed = 0;
    if (argc > 2 || count == 0 || (end != NULL && *end != '\0')) {
        fprintf(stderr, "usage: long_stream [ITEMS]\n");
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!passes(&kinds[i], stream_through, count) || !passes(&kinds[i], submit_unheld, count)) {
            fprintf(stderr, "%s: failed\n", kinds[i].name);
            failed = 1;
        }
    }
    return failed;
}
