#include "programs/prime/prime_program.h"

#include "programs/base/output.h"
#include "programs/base/refusal.h"
#include "programs/base/stop_signals.h"
#include "programs/prime/number_list.h"
#include "programs/prime/prime_job.h"
#include "programs/prime/prime_options.h"
#include "programs/prime/prime_report.h"
#include "programs/prime/prime_stats.h"

#include <stdlib.h>

static cf_executor *create_executor(const prime_program *program, const prime_options *options) {
    cf_executor *executor;
    cf_pool_options pool = {.max_workers = options->workers};
    require_ok(program->create(&pool, &executor), "cannot create the executor");
    return executor;
}

/* Nothing that makes a thread may come before create_executor: a process pool forks there. executor:
 * NULL if it is to be created. */
static void check(const prime_program *program, const prime_options *options,
                  const number_list *list, cf_executor *executor, prime_report *report) {
    prime_stats stats;
    prime_stats_begin(&stats);
    if (executor == NULL) {
        executor = create_executor(program, options);
    }
    prime_report_header(report, program, list->count,
                        program->count != NULL ? program->count(executor)
                                               : cf_executor_max_workers(executor));
    stop_signals_block(); /* until here there was nothing to report: a signal just ended us */

    const prime_job job = {
        .executor = executor,
        .numbers = list->numbers,
        .count = list->count,
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

    cf_executor_shutdown(executor, true, true);
    prime_stats_end(&stats, executor, report->work_ns);
    prime_report_end(report, program, options, &stats);
    prime_stats_free(&stats);
}

int prime_program_main(const prime_program *program, int argc, char **argv) {
    prime_options options;
    number_list list;

    output_prepare(argv);
    prime_options_parse(&options, program, argc, argv);
    cf_executor *executor = program->started_outside ? create_executor(program, &options) : NULL;
    number_list_load(&list, options.numbers);
    number_list_sort(&list, program->descending);

    prime_report report = {.json = options.json};
    check(program, &options, &list, executor, &report);
    number_list_free(&list);
    return report.failed > 0 ? EXIT_ITEM : EXIT_SUCCESS;
}
