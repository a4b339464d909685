/* What a run of a prime program cost. */
#ifndef PROGRAMS_PRIME_STATS_H
#define PROGRAMS_PRIME_STATS_H

#include <cfutures.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct prime_stats {
    int64_t wall_ns;     /* from before the executor was made until all its workers were gone */
    int64_t cpu_ns;      /* of this process and of those that it started, in that time */
    int64_t work_ns;     /* the elapsed times of all tests together (of all their parts) */
    int64_t peak_rss_kb; /* of whichever of these processes was the largest */
    const char *executor;
    cf_stats tasks;
    cf_worker_stats *workers; /* tasks.workers of them; NULL if they are not known */
} prime_stats;

void prime_stats_begin(prime_stats *stats);

/* Takes an executor that has been shut down, and destroys it: the processor time of worker
 * processes is known only then. NULL: there was none, and the caller says who worked (`executor`,
 * tasks.max_workers). */
void prime_stats_end(prime_stats *stats, cf_executor *executor, int64_t work_ns);
void prime_stats_free(prime_stats *stats);

double prime_stats_speedup(const prime_stats *stats); /* work / wall */
void prime_stats_print(const prime_stats *stats, bool json);

#endif
