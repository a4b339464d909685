#include "programs/prime/prime_report.h"

#include "primes/primes.h"
#include "programs/base/output.h"
#include "programs/base/seconds.h"
#include "programs/prime/prime_log.h"

#include <inttypes.h>

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

/* ---- first line ------------------------------------------------------------------------------ */

void prime_report_header(prime_report *report, const prime_program *program, size_t count,
                         unsigned workers) {
    if (report->json || report->log->kept > 0) {
        return; /* an earlier run has printed it */
    }
    output_print("Checking %zu number%s ", count, plural(count));
    if (program->workers == NULL) {
        output_print("sequentially:\n");
    } else {
        output_print("with %u %s:\n", workers, workers == 1 ? program->worker : program->workers);
    }
    prime_report_flush(report);
}

/* ---- results --------------------------------------------------------------------------------- */

static void print_text(const prime_outcome *outcome) {
    if (outcome->failed) {
        output_print("%16" PRIu64 "  ! %s\n", outcome->n, outcome->reason);
    } else {
        output_print("%16" PRIu64 "  %c %9.6fs\n", outcome->n, outcome->prime ? 'P' : ' ',
                     seconds(outcome->elapsed_ns));
    }
}

/* No string of ours needs escaping: reasons are the library's and the C library's plain words. */
static void print_json(const prime_outcome *outcome) {
    output_print("{\"n\":\"%" PRIu64 "\",", outcome->n);
    if (outcome->failed) {
        output_print("\"error\":\"%s\",", outcome->reason);
    } else {
        output_print("\"prime\":%s,\"elapsed\":%.9f,", outcome->prime ? "true" : "false",
                     seconds(outcome->elapsed_ns));
    }
    if (outcome->worker < 0) {
        output_print("\"worker\":null,");
    } else {
        output_print("\"worker\":%d,", outcome->worker);
    }
    output_print("\"attempts\":%u}\n", outcome->attempts);
}

static void observe(const prime_report *report, const prime_outcome *outcome) {
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, outcome->n);
    observing_handed(report->observing, outcome->item, number);
}

static void show(prime_report *report, const prime_outcome *outcome) {
    progress_clear(&report->progress);
    if (report->json) {
        print_json(outcome);
    } else {
        print_text(outcome);
    }
    prime_report_count(report, outcome);
    prime_log_outcome(report->log, outcome);
}

static void show_held_before(prime_report *report, size_t seq) {
    const prime_outcome *held;
    while ((held = prime_log_take_held(report->log, seq)) != NULL) {
        show(report, held);
    }
}

/* Nothing is held if results come as completed. */
void prime_report_outcome(prime_report *report, const prime_outcome *outcome) {
    show_held_before(report, outcome->seq);
    show(report, outcome);
    report->weight += prime_report_weight(report, outcome->n);
    observe(report, outcome);
}

void prime_report_held(prime_report *report) {
    show_held_before(report, SIZE_MAX);
}

void prime_report_flush(const prime_report *report) {
    joblog_flush(report->log->log);
}

void prime_report_count(prime_report *report, const prime_outcome *outcome) {
    if (outcome->failed) {
        report->failed++;
        return;
    }
    report->primes += outcome->prime; /* before they are checked: the rest are composite */
    report->checked++;
    report->work_ns += outcome->work_ns;
}

/* ---- progress -------------------------------------------------------------------------------- */

double prime_report_weight(const prime_report *report, uint64_t n) {
    return report->method != NULL && report->method->refute != NULL ? (double)prime_isqrt(n) + 1
                                                                    : 1;
}

void prime_report_begin_progress(prime_report *report, const prime_options *options,
                                 const uint64_t *numbers, size_t count) {
    report->method = &PRIME_METHODS[options->method];
    for (size_t i = 0; i < count; i++) {
        report->all_weight += prime_report_weight(report, numbers[i]);
    }
    progress_begin(&report->progress, options->progress, "numbers");
    progress_resume(&report->progress, report->checked + report->failed, 0);
}

void prime_report_progress(prime_report *report, double under_way) {
    const double done = report->weight + under_way;
    progress_show(&report->progress, report->checked + report->failed,
                  report->all_weight > 0 ? done / report->all_weight : PROGRESS_UNKNOWN);
}

void prime_report_stopped(prime_report *report) {
    progress_clear(&report->progress);
    metrics_write(&report->metrics);
}

/* ---- last line ------------------------------------------------------------------------------- */

static void print_summary(const prime_report *report, const prime_program *program,
                          const prime_options *options, const prime_stats *stats) {
    output_print("{\"summary\":{\"program\":\"%s\",\"executor\":\"%s\",\"workers\":%u,"
                 "\"order\":\"%s\",\"method\":\"%s\",\"numbers\":%zu,\"primes\":%zu,"
                 "\"failed\":%zu,\"wall\":%.6f,\"cpu\":%.6f,\"speedup\":%.4f}}\n",
                 program->name, stats->executor, stats->tasks.max_workers,
                 options->completed ? "completed" : "map", PRIME_METHODS[options->method].name,
                 report->checked + report->failed, report->primes, report->failed,
                 seconds(stats->wall_ns), seconds(stats->cpu_ns), prime_stats_speedup(stats));
}

void prime_report_end(const prime_report *report, const prime_program *program,
                      const prime_options *options, const prime_stats *stats) {
    if (report->json) {
        print_summary(report, program, options, stats);
    } else if (program->counts_checks) {
        output_print("%zu check%s in %.2fs\n", report->checked, plural(report->checked),
                     seconds(stats->wall_ns));
    } else {
        output_print("Total time: %.2fs\n", seconds(stats->wall_ns));
    }
    if (options->stats) {
        prime_stats_print(stats, report->json);
    }
    output_flush();
}
