#include "programs/prime/prime_program.h"

#include "platform/clock.h"
#include "programs/base/activity.h"
#include "programs/base/metrics.h"
#include "programs/base/output.h"
#include "programs/base/refusal.h"
#include "programs/base/seconds.h"
#include "programs/base/stop_signals.h"
#include "programs/prime/number_list.h"
#include "programs/prime/prime_job.h"
#include "programs/prime/prime_log.h"
#include "programs/prime/prime_options.h"
#include "programs/prime/prime_report.h"
#include "programs/prime/prime_stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Before the executor is made. */
static observing *begin_observing(const prime_program *program, const prime_options *options) {
    const observing_subject subject = {
        .program = program->name,
        .worker = program->worker != NULL ? program->worker : "main thread",
        .ordered = !options->completed,
        .asked = options->workers,
    };
    const bool helps = program->is_helper != NULL && program->is_helper();
    return helps ? NULL : observing_begin(&options->observing, &subject);
}

static cf_executor *create_executor(const prime_program *program, const prime_options *options,
                                    const observing *observed) {
    cf_executor *executor;
    cf_pool_options pool = {.max_workers = options->workers,
                            .observer = observing_observer(observed)};
    require_ok(program->create(&pool, &executor), "cannot create the executor");
    return executor;
}

/* ---- --metrics ------------------------------------------------------------------------------- */

typedef struct counted {
    const prime_report *report;
    cf_executor *executor;
    int64_t begun_ns;
} counted;

static void fill_page(metrics_page *page, void *context) {
    static const char help[] = "Numbers that are done, by what they are.";
    const counted *run = context;
    const prime_report *report = run->report;
    const size_t primes = report->primes, checked = report->checked, failed = report->failed;
    const size_t composites = checked > primes ? checked - primes : 0;
    metrics_counter(page, "numbers_total", help, "verdict=\"prime\"", primes);
    metrics_counter(page, "numbers_total", help, "verdict=\"composite\"", composites);
    metrics_counter(page, "numbers_total", help, "verdict=\"failed\"", failed);
    metrics_gauge(page, "numbers_left", "Numbers that are not done.", NULL,
                  (double)(report->count - checked - failed));
    metrics_executor(page, run->executor);
}

/* ---- SIGUSR1 --------------------------------------------------------------------------------- */

static void describe_number(uint64_t what, const char *text, char *line, size_t size) {
    (void)text;
    snprintf(line, size, "%" PRIu64, what);
}

static void show_status(void *context) {
    const counted *run = context;
    const prime_report *report = run->report;
    char head[128];
    snprintf(head, sizeof head, "%zu of %zu numbers done in %.3f s",
             report->checked + report->failed, report->count,
             seconds(plat_now_ns() - run->begun_ns));
    activity_print(run->executor, head, describe_number);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Nothing that makes a thread may come before create_executor: a process pool forks there. executor:
 * NULL if it is to be created. Returns 0, or an exit code. */
static int check(const prime_program *program, const prime_options *options,
                 const number_list *list, cf_executor *executor, prime_report *report) {
    prime_stats stats;
    prime_stats_begin(&stats);
    if (executor == NULL) {
        report->observing = begin_observing(program, options);
        executor = create_executor(program, options, report->observing);
    }
    observing_executor(report->observing, executor);
    prime_report_header(report, program, list->count,
                        program->count != NULL ? program->count(executor)
                                               : cf_executor_max_workers(executor));
    prime_report_begin_progress(report, options, report->log->numbers, report->log->count);
    stop_signals_block(); /* until here there was nothing to report: a signal just ended us */
    counted now = {.report = report, .executor = executor, .begun_ns = plat_now_ns()};
    stop_signals_show(show_status, &now);
    metrics_begin(&report->metrics, options->metrics, fill_page, &now);

    const prime_job job = {
        .executor = executor,
        .numbers = report->log->numbers,
        .seqs = report->log->seqs,
        .count = report->log->count,
        .method = options->method,
        .retries = options->retries,
        .timeout_ns = options->timeout_ns,
        .completed = options->completed,
        .report = report,
    };
    if (options->split) {
        prime_job_run_split(&job);
    } else {
        prime_job_run_whole(&job);
    }

    progress_clear(&report->progress);
    cf_executor_shutdown(executor, true, true);
    const int code = observing_end(report->observing);
    metrics_end(&report->metrics);
    prime_stats_end(&stats, executor, report->work_ns);
    prime_report_end(report, program, options, &stats);
    prime_stats_free(&stats);
    return code;
}

int prime_program_main(const prime_program *program, int argc, char **argv) {
    prime_options options;
    number_list list;

    output_prepare(argv);
    stop_signals_prepare();
    prime_options_parse(&options, program, argc, argv);
    prime_report report = {.json = options.json};
    activity_prepare();
    cf_executor *executor = NULL;
    if (program->started_outside) {
        report.observing = begin_observing(program, &options);
        executor = create_executor(program, &options, report.observing);
    }
    number_list_load(&list, options.numbers);
    number_list_sort(&list, program->descending);

    prime_log log;
    report.log = &log;
    report.count = list.count;
    prime_log_open(&log, program, &options, &list, &report);
    const int code = check(program, &options, &list, executor, &report);
    number_list_free(&list);
    prime_log_close(&log);
    return metrics_exit_code(&report.metrics, code != 0           ? code
                                              : report.failed > 0 ? EXIT_ITEM
                                                                  : EXIT_SUCCESS);
}
