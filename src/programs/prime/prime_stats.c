#include "programs/prime/prime_stats.h"

#include "platform/clock.h"
#include "programs/base/output.h"
#include "programs/base/seconds.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>

/* ---- measuring ------------------------------------------------------------------------------- */

static int64_t timeval_ns(struct timeval time) {
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

/* Processor time used so far; *peak_rss_kb grows to the largest resident set. */
static int64_t measure_cpu(int64_t *peak_rss_kb) {
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    int64_t cpu_ns = 0;
    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        getrusage(whose[i], &usage);
        cpu_ns += timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
        if (*peak_rss_kb < usage.ru_maxrss) {
            *peak_rss_kb = usage.ru_maxrss;
        }
    }
    return cpu_ns;
}

void prime_stats_begin(prime_stats *stats) {
    *stats = (prime_stats){0};
    stats->cpu_ns = -measure_cpu(&stats->peak_rss_kb);
    stats->wall_ns = -plat_now_ns();
}

static cf_worker_stats *read_workers(cf_executor *executor, unsigned count) {
    cf_worker_stats *workers = calloc(count, sizeof *workers);
    for (unsigned i = 0; workers != NULL && i < count; i++) {
        cf_executor_worker_stats(executor, i, &workers[i]);
    }
    return workers;
}

void prime_stats_end(prime_stats *stats, cf_executor *executor, int64_t work_ns) {
    stats->wall_ns += plat_now_ns();
    stats->work_ns = work_ns;
    if (executor != NULL) {
        stats->executor = cf_executor_kind(executor);
        cf_executor_stats(executor, &stats->tasks);
        stats->workers = read_workers(executor, stats->tasks.workers);
        cf_executor_destroy(executor);
    }
    stats->cpu_ns += measure_cpu(&stats->peak_rss_kb);
}

void prime_stats_free(prime_stats *stats) {
    free(stats->workers);
    stats->workers = NULL;
}

/* ---- printing -------------------------------------------------------------------------------- */

double prime_stats_speedup(const prime_stats *stats) {
    return seconds(stats->work_ns) / seconds(stats->wall_ns);
}

static double utilisation_percent(const prime_stats *stats) {
    return 100 * prime_stats_speedup(stats) / stats->tasks.max_workers;
}

static double peak_rss_mib(const prime_stats *stats) {
    return (double)stats->peak_rss_kb / 1024;
}

static void print_text(const prime_stats *stats) {
    output_print("wall: %.6f s\n", seconds(stats->wall_ns));
    output_print("cpu: %.6f s\n", seconds(stats->cpu_ns));
    output_print("sum of elapsed: %.6f s\n", seconds(stats->work_ns));
    output_print("speed-up: %.2f\n", prime_stats_speedup(stats));
    output_print("utilisation: %.1f %%\n", utilisation_percent(stats));
    output_print("tasks: %" PRIu64 "\n", stats->tasks.finished);
    output_print("retries: %" PRIu64 "\n", stats->tasks.retries);
    output_print("restarts: %" PRIu64 "\n", stats->tasks.restarts);
    output_print("peak RSS: %.1f MiB\n", peak_rss_mib(stats));
    for (unsigned i = 0; stats->workers != NULL && i < stats->tasks.workers; i++) {
        const cf_worker_stats *worker = &stats->workers[i];
        output_print("worker %u: %" PRIu64 " task%s, %.6f s busy\n", i, worker->tasks,
                     worker->tasks == 1 ? "" : "s", seconds(worker->busy_ns));
    }
}

static void print_json(const prime_stats *stats) {
    output_print("{\"stats\":{\"wall\":%.6f,\"cpu\":%.6f,\"elapsed\":%.6f,\"speedup\":%.4f,"
                 "\"utilisation\":%.2f,\"tasks\":%" PRIu64 ",\"retries\":%" PRIu64
                 ",\"restarts\":%" PRIu64 ",\"peak_rss\":%.2f,\"workers\":[",
                 seconds(stats->wall_ns), seconds(stats->cpu_ns), seconds(stats->work_ns),
                 prime_stats_speedup(stats), utilisation_percent(stats), stats->tasks.finished,
                 stats->tasks.retries, stats->tasks.restarts, peak_rss_mib(stats));
    for (unsigned i = 0; stats->workers != NULL && i < stats->tasks.workers; i++) {
        const cf_worker_stats *worker = &stats->workers[i];
        output_print("%s{\"worker\":%u,\"id\":%" PRId64 ",\"tasks\":%" PRIu64
                     ",\"busy\":%.6f,\"restarts\":%u}",
                     i == 0 ? "" : ",", i, worker->id, worker->tasks, seconds(worker->busy_ns),
                     worker->restarts);
    }
    output_print("]}}\n");
}

void prime_stats_print(const prime_stats *stats, bool json) {
    if (json) {
        print_json(stats);
    } else {
        print_text(stats);
    }
}
