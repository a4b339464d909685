#include "programs/primecheck/primecheck_report.h"

#include "programs/base/output.h"
#include "programs/base/seconds.h"
#include "programs/base/shown.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- messages -------------------------------------------------------------------------------- */

static void name_place(const primecheck_report *report, uint64_t line, char *place, size_t size) {
    place[0] = '\0';
    if (report->input != NULL) {
        snprintf(place, size, "%s:%" PRIu64 ": ", report->input, line);
    }
}

void primecheck_report_invalid(primecheck_report *report, const char *text, size_t length,
                               uint64_t line) {
    const size_t max_digits = report->options->check.max_digits;
    const number_token t = token_read(text, length, max_digits);
    const shown_text number = shown_of(text, length);
    char place[4096];
    name_place(report, line, place, sizeof place);
    if (t.kind == TOKEN_LONG) {
        error(0, 0, "%s'%s' has more than %zu digit%s", place, number.text, max_digits,
              max_digits == 1 ? "" : "s");
    } else {
        error(0, 0, "%s'%s' is not a non-negative integer", place, number.text);
    }
}

/* Places of a block come in ascending order, so lines are counted on from the one before. */
static void report_invalid_at(primecheck_report *report, const number_block *block, size_t at,
                              size_t length) {
    if (report->block == NULL || report->block != block) {
        report->block = block;
        report->at = 0;
        report->line = block->line;
    }
    for (; report->at < at; report->at++) {
        report->line += block->text[report->at] == '\n';
    }
    primecheck_report_invalid(report, block->text + at, length, report->line);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void begin_block(primecheck_report *report) {
    report->block = NULL; /* another may lie where the last one lay */
}

void primecheck_report_block(primecheck_report *report, const number_block *block,
                             const check_result *result) {
    const uint32_t *invalid = check_result_invalid(result);
    begin_block(report);
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        report->counts[verdict] += result->counts[verdict];
    }
    report->work_ns += result->elapsed_ns;
    output_write_lines(result->text, result->text_length);
    for (uint64_t i = 0; i < result->counts[CHECK_INVALID]; i++) {
        size_t at = invalid[i];
        const size_t length = check_next_token(block, &at);
        report_invalid_at(report, block, at, length);
    }
}

static void report_lost_number(primecheck_report *report, const char *number, size_t length,
                               const char *reason, int worker, unsigned attempts) {
    const check_format format = report->options->check.format;
    report->counts[CHECK_FAILED]++;
    if (format == CHECK_COUNTS) {
        return;
    }
    char *line = malloc(length + 256);
    if (line == NULL) {
        error(EXIT_ITEM, errno, "a line of output");
        return; /* not reached, but only the C library knows */
    }
    output_write(line, check_failure_line(format, number, length, reason, worker, attempts, line));
    free(line);
}

void primecheck_report_lost(primecheck_report *report, const number_block *block,
                            const cf_exception *exception, unsigned attempts) {
    char reason[128];
    cf_exception_describe(exception, reason, sizeof reason);
    begin_block(report);
    size_t at = 0, length;
    for (; (length = check_next_token(block, &at)) > 0; at += length) {
        const char *text = block->text + at;
        const token_kind kind = token_read(text, length, report->options->check.max_digits).kind;
        if (kind == TOKEN_SMALL || kind == TOKEN_BIG) {
            report_lost_number(report, text, length, reason, exception->worker, attempts);
        } else {
            report->counts[CHECK_INVALID]++;
            report_invalid_at(report, block, at, length);
        }
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void print_count(const char *what, uint64_t count, bool always) {
    if (count > 0 || always) {
        output_print("%s: %" PRIu64 "\n", what, count);
    }
}

void primecheck_report_counts(const primecheck_report *report) {
    const uint64_t *counts = report->counts;
    const unsigned shown = report->options->check.shown;
    if (!report->options->count || report->options->json) {
        return;
    }
    if (shown & CHECK_BIT(CHECK_PRIME)) {
        print_count("primes", counts[CHECK_PRIME], true);
    }
    if (shown & CHECK_BIT(CHECK_COMPOSITE) && !report->options->has_range) {
        print_count("composites", counts[CHECK_COMPOSITE], true);
    }
    if (shown & CHECK_BIT(CHECK_PROBABLE_PRIME)) {
        print_count("probable primes", counts[CHECK_PROBABLE_PRIME], false);
    }
    print_count("not numbers", counts[CHECK_INVALID], false);
    print_count("failed", counts[CHECK_FAILED], false);
}

static void print_summary(const primecheck_report *report, const prime_stats *stats) {
    const primecheck_options *options = report->options;
    const uint64_t *counts = report->counts;
    uint64_t numbers = 0;
    for (int verdict = 0; verdict < CHECK_INVALID; verdict++) {
        numbers += counts[verdict];
    }
    output_print(
        "{\"summary\":{\"program\":\"primecheck\",\"executor\":\"%s\",\"workers\":%u,"
        "\"order\":\"%s\",\"method\":\"%s\",\"numbers\":%" PRIu64 ",\"primes\":%" PRIu64
        ",\"composites\":%" PRIu64 ",\"probable_primes\":%" PRIu64 ",\"not_numbers\":%" PRIu64
        ",\"failed\":%" PRIu64 ",\"wall\":%.6f,\"cpu\":%.6f,\"speedup\":%.4f}}\n",
        stats->executor, stats->tasks.max_workers, options->completed ? "completed" : "input",
        options->method != NULL ? options->method : "auto", numbers, counts[CHECK_PRIME],
        counts[CHECK_COMPOSITE], counts[CHECK_PROBABLE_PRIME], counts[CHECK_INVALID],
        counts[CHECK_FAILED], seconds(stats->wall_ns), seconds(stats->cpu_ns),
        prime_stats_speedup(stats));
}

void primecheck_report_end(const primecheck_report *report, const prime_stats *stats) {
    if (report->options->json) {
        print_summary(report, stats);
    }
    if (report->options->stats) {
        prime_stats_print(stats, report->options->json);
    }
    output_flush();
}
