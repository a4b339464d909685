#define _GNU_SOURCE /* mkostemp, asprintf, strerrordesc_np, program_invocation_name */
#include "programs/base/metrics.h"

#include "platform/clock.h"
#include "platform/thread.h"
#include "programs/base/output.h"
#include "programs/base/resident.h"
#include "programs/base/seconds.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERVAL_NS INT64_C(1000000000)
#define PREFIX      "primepool_"

struct metrics_page {
    FILE *stream;
    const char *last; /* name of the sample before; NULL = there is none */
};

/* ---- samples --------------------------------------------------------------------------------- */

static void begin_sample(metrics_page *page, const char *name, const char *type, const char *help,
                         const char *labels) {
    if (page->last == NULL || strcmp(page->last, name) != 0) {
        fprintf(page->stream, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name,
                type);
        page->last = name;
    }
    fprintf(page->stream, PREFIX "%s", name);
    if (labels != NULL) {
        fprintf(page->stream, "{%s}", labels);
    }
}

void metrics_counter(metrics_page *page, const char *name, const char *help, const char *labels,
                     uint64_t value) {
    begin_sample(page, name, "counter", help, labels);
    fprintf(page->stream, " %" PRIu64 "\n", value);
}

void metrics_gauge(metrics_page *page, const char *name, const char *help, const char *labels,
                   double value) {
    begin_sample(page, name, "gauge", help, labels);
    fprintf(page->stream, " %.15g\n", value);
}

/* ---- what all programs have ------------------------------------------------------------------ */

static void add_program(metrics_page *page, const metrics *m) {
    char labels[128];
    snprintf(labels, sizeof labels, "program=\"%s\",version=\"%s\"", program_invocation_name,
             PRIMEPOOL_VERSION);
    metrics_gauge(page, "info", "Which program this is; always 1.", labels, 1);
    metrics_gauge(page, "uptime_seconds", "Since the run began.", NULL,
                  seconds(plat_now_ns() - m->begun_ns));
    metrics_gauge(page, "resident_memory_bytes",
                  "Memory of this process; that of worker processes is in "
                  "primepool_workers_resident_memory_bytes.",
                  NULL, (double)resident_bytes(0));
}

/* Shared pages are counted in each process that has touched them. */
static double workers_resident_bytes(cf_executor *executor, unsigned workers) {
    double sum = 0;
    for (unsigned i = 0; i < workers; i++) {
        cf_worker_stats worker;
        if (cf_executor_worker_stats(executor, i, &worker) == CF_OK && worker.id > 0) {
            sum += (double)resident_bytes(worker.id);
        }
    }
    return sum;
}

void metrics_executor(metrics_page *page, cf_executor *executor) {
    cf_stats s;
    if (cf_executor_stats(executor, &s) != CF_OK) {
        return;
    }
    metrics_counter(page, "tasks_submitted_total", "Tasks given to the executor.", NULL,
                    s.submitted);
    metrics_counter(page, "tasks_finished_total", "Tasks that are done, with or without a result.",
                    NULL, s.finished);
    metrics_counter(page, "tasks_failed_total",
                    "Tasks without a result: an error, a time limit, a dead worker.", NULL,
                    s.failed);
    metrics_counter(page, "tasks_timed_out_total", "Of the failed ones, those over their time.",
                    NULL, s.timed_out);
    metrics_counter(page, "tasks_cancelled_total", "Tasks that were given up before they began.",
                    NULL, s.cancelled);
    metrics_counter(page, "task_retries_total", "Runs begun again because a worker died.", NULL,
                    s.retries);
    metrics_gauge(page, "tasks_pending", "Depth of the queue: tasks that have not begun.", NULL,
                  (double)s.pending);
    metrics_gauge(page, "tasks_running", "Tasks that a worker runs now.", NULL, (double)s.running);
    metrics_gauge(page, "workers", "Workers that were started.", NULL, s.workers);
    metrics_gauge(page, "workers_max", "Workers that there may be.", NULL, s.max_workers);
    metrics_counter(page, "worker_restarts_total", "Workers replaced because they died.", NULL,
                    s.restarts);
    if (strcmp(cf_executor_kind(executor), "process_pool") == 0) {
        metrics_gauge(page, "workers_resident_memory_bytes",
                      "Memory of all worker processes, what they share in each.", NULL,
                      workers_resident_bytes(executor, s.workers));
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

/* A rename would put a file in place of /dev/null. */
static bool is_something_else(const char *file) {
    struct stat status;
    return stat(file, &status) == 0 && !S_ISREG(status.st_mode);
}

static mode_t usual_mode(void) {
    const mode_t mask =
        umask(077); /* the only way to ask; all files of ours are 0600 at that moment */
    umask(mask);
    return 0666 & ~mask;
}

static bool write_page(const metrics *m, int fd) {
    metrics_page page = {.stream = fdopen(fd, "w")};
    if (page.stream == NULL) {
        close(fd);
        return false;
    }
    add_program(&page, m);
    m->fill(&page, m->context);
    const bool failed = ferror(page.stream) != 0;
    return fclose(page.stream) == 0 && !failed;
}

/* False, with errno: there is no new page. */
static bool replace_file(const metrics *m, mode_t mode) {
    char *part;
    if (asprintf(&part, "%s.XXXXXX", m->file) < 0) {
        errno = ENOMEM;
        return false;
    }
    const int fd = mkostemp(part, O_CLOEXEC);
    bool done =
        fd >= 0 && write_page(m, fd) && chmod(part, mode) == 0 && rename(part, m->file) == 0;
    if (fd >= 0 && !done) {
        const int problem = errno;
        unlink(part);
        errno = problem;
    }
    free(part);
    return done;
}

static void write_locked(metrics *m) {
    m->problem = is_something_else(m->file) ? "not a regular file"
                 : replace_file(m, m->mode) ? NULL
                                            : strerrordesc_np(errno);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static struct timespec next_time(void) {
    const int64_t at_ns = plat_now_ns() + INTERVAL_NS;
    return (struct timespec){.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
}

static void *write_each_second(void *context) {
    metrics *m = context;
    pthread_mutex_lock(&m->lock);
    while (!m->ending) {
        write_locked(m);
        const struct timespec until = next_time();
        int waited = 0;
        while (!m->ending && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&m->changed, &m->lock, &until);
        }
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

void metrics_begin(metrics *m, const char *file, metrics_fill_fn *fill, void *context) {
    *m = (metrics){.file = file, .fill = fill, .context = context, .begun_ns = plat_now_ns()};
    if (file == NULL) {
        return;
    }
    pthread_condattr_t monotonic;
    m->mode = usual_mode();
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    m->has_thread = plat_thread_start(&m->thread, write_each_second, m) == 0;
}

void metrics_write(metrics *m) {
    if (m->file != NULL) {
        pthread_mutex_lock(&m->lock);
        write_locked(m);
        pthread_mutex_unlock(&m->lock);
    }
}

void metrics_end(metrics *m) {
    if (m->file == NULL) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    m->ending = true;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (m->has_thread) {
        plat_thread_join(m->thread);
    }
    write_locked(m);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
}

int metrics_exit_code(const metrics *m, int code) {
    if (m->file == NULL || m->problem == NULL) {
        return code;
    }
    error(0, 0, "%s: %s", m->file, m->problem);
    return EXIT_IO;
}
