/* --metrics=FILE: what a run counts, for Prometheus, in its text exposition format.
 *
 *     fill(page, context) ──▶ page ──▶ FILE.XXXXXX ──▶ rename ──▶ FILE        once a second, and in the end
 *
 * A reader of FILE sees a whole page, always. A thread of its own writes it, so the work does not wait for the disk; if
 * the system refuses a thread, only the last page is written.
 *
 *   - metrics_begin comes after the executor is made: a process pool forks then, and must be the only thread.
 *   - `fill` is called on that thread, and in metrics_write and metrics_end on the caller's; never twice at once. It
 *     reads what may be read from any thread: atomics, cf_executor_stats.
 *   - metrics_end comes before the executor is destroyed.
 *
 * A page that cannot be written does not stop the work. Only if the last one could not be, the run has failed:
 * metrics_exit_code says so. */
#ifndef PROGRAMS_METRICS_H
#define PROGRAMS_METRICS_H

#include <cfutures.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct metrics_page metrics_page;
typedef void metrics_fill_fn(metrics_page *page, void *context);

typedef struct metrics {
    const char *file; /* NULL: not wanted, and all calls do nothing */
    metrics_fill_fn *fill;
    void *context;
    int64_t begun_ns;
    mode_t mode;     /* of the file, as any program would make it */
    bool has_thread; /* else there is only the last page */
    pthread_t thread;
    pthread_mutex_t lock; /* protects all below, and the file */
    pthread_cond_t changed;
    bool ending;
    const char *problem; /* why the last page could not be written; NULL = it was */
} metrics;

void metrics_begin(metrics *m, const char *file, metrics_fill_fn *fill, void *context);
void metrics_write(metrics *m); /* a page now; from any thread */
void metrics_end(metrics *m);   /* the last page */

/* EXIT_IO and a message if the last page could not be written, else `code`. */
int metrics_exit_code(const metrics *m, int code);

/* ---- for `fill` ------------------------------------------------------------------------------ */

/* A sample "primepool_NAME{LABELS} VALUE"; labels may be NULL. Samples of one name follow each other. The name of a
 * counter, which only grows, ends with _total. */
void metrics_counter(metrics_page *page, const char *name, const char *help, const char *labels,
                     uint64_t value);
void metrics_gauge(metrics_page *page, const char *name, const char *help, const char *labels,
                   double value);

/* What every executor counts. */
void metrics_executor(metrics_page *page, cf_executor *executor);

#endif
