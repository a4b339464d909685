#include "programs/primecheck/primecheck_log.h"

#include "primes/primes.h"
#include "programs/base/output.h"
#include "programs/joblog/shell_command.h"
#include "programs/primecheck/primecheck_log_check.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const NUMBERS[] = {[PRIMECHECK_FROM] = "from",
                                      [PRIMECHECK_TO] = "to",
                                      [PRIMECHECK_LINE] = "line",
                                      [PRIMECHECK_IS_CUT] = "cut",
                                      [PRIMECHECK_COUNTS + CHECK_COMPOSITE] = "composites",
                                      [PRIMECHECK_COUNTS + CHECK_PRIME] = "primes",
                                      [PRIMECHECK_COUNTS + CHECK_PROBABLE_PRIME] =
                                          "probable_primes",
                                      [PRIMECHECK_COUNTS + CHECK_FAILED] = "failed",
                                      [PRIMECHECK_COUNTS + CHECK_INVALID] = "not_numbers",
                                      [PRIMECHECK_COUNTS + CHECK_VERDICTS] = NULL};
_Static_assert(sizeof NUMBERS / sizeof NUMBERS[0] <= JOBLOG_NUMBERS_MAX, "room for the numbers");

/* ---- what the run was asked for -------------------------------------------------------------- */

static const char *yes_or_no(bool value) {
    return value ? "yes" : "no";
}

static const char *method_name(const primecheck_options *options) {
    const size_t method = options->check.method;
    return method == CHECK_BY_BATCH ? "bpsw" : PRIME_METHODS[method].name;
}

static const char *only(const primecheck_options *options) {
    return options->check.shown == CHECK_SHOW_ALL      ? "all"
           : options->check.shown == CHECK_SHOW_PRIMES ? "primes"
                                                       : "composites";
}

static void plan(primecheck_log *log, const primecheck_options *options) {
    const joblog_setting settings[PRIMECHECK_SETTINGS + 1] = {
        {"--order", options->completed ? "completed" : "input"},
        {"--only", only(options)},
        {"--method", method_name(options)},
        {"--prove", yes_or_no(options->check.prove)},
        {"--count", yes_or_no(options->count)},
        {"--json", yes_or_no(options->json)},
        {"--max-digits", log->max_digits},
    };
    snprintf(log->max_digits, sizeof log->max_digits, "%zu", options->check.max_digits);
    memcpy(log->settings, settings, sizeof settings);
    log->plan = (joblog_plan){
        .program = "primecheck",
        .settings = log->settings,
        .input = log->reader->name != NULL ? log->reader->name : "the command line",
        .input_size = log->reader->never_waits ? log->reader->size : JOBLOG_UNKNOWN,
        .numbers = NUMBERS,
    };
}

/* ---- commands -------------------------------------------------------------------------------- */

/* What all commands end with, and the quoted path of the input; a pipe has none: there a command reads the same
 * input again from its own standard input. */
static void prepare_commands(primecheck_log *log, const primecheck_options *options) {
    const char *file = options->file;
    if (file == NULL || strcmp(file, "-") == 0) {
        file = "/proc/self/fd/0";
    }
    if (log->reader->never_waits && !log->from_words) {
        shell_add_path(&log->path, file);
    }
    text_buffer *program = &log->program;
    const bool has_helpers = options->executor->is_helper != NULL; /* no block needs those */
    shell_add_program(program);
    shell_add_option(program, "--executor", has_helpers ? "serial" : options->executor->name);
    shell_add_option_number(program, "--workers", 1);
    shell_add_option(program, "--method", method_name(options));
    shell_add_option(program, "--max-digits", log->max_digits);
    if (options->check.shown != CHECK_SHOW_ALL) {
        shell_add_option(program, "--only", only(options));
    }
    text_buffer_print(program, "%s%s%s", options->check.prove ? " --prove" : "",
                      options->count ? " --count" : "", options->json ? " --json" : "");
}

static void add_words(text_buffer *command, const number_block *block) {
    text_buffer_add(command, " --", 3);
    size_t at = 0, length;
    for (; (length = check_next_token(block, &at)) > 0; at += length) {
        shell_add_word(command, block->text + at, length);
    }
}

static text_buffer command_for(const primecheck_log *log, const number_block *block) {
    text_buffer command = {0};
    if (!log->from_words) {
        text_buffer_print(&command, "tail -c +%" PRIu64, log->reader->start + block->from + 1);
        if (log->path.length > 0) {
            text_buffer_print(&command, " ");
            text_buffer_add(&command, log->path.text, log->path.length);
        }
        text_buffer_print(&command, " | head -c %" PRIu64 " | ", block->length);
    }
    text_buffer_add(&command, log->program.text, log->program.length);
    if (log->from_words) {
        add_words(&command, block);
    }
    return command;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int compare_seqs(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void restore(primecheck_log *log, number_reader *reader, primecheck_report *report) {
    for (size_t i = 0; i < log->done_count; i++) {
        const joblog_entry *entry = joblog_done(log->log, i);
        log->seqs[i] = entry->seq;
        for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
            report->counts[verdict] += (uint64_t)entry->numbers[PRIMECHECK_COUNTS + verdict];
        }
    }
    qsort(log->seqs, log->done_count, sizeof *log->seqs, compare_seqs);
    if (reader->never_waits) {
        number_reader_leave_out(reader, log->done, log->done_count);
    } else {
        number_reader_go_on(reader, &log->done[log->done_count - 1]);
    }
}

void primecheck_log_open(primecheck_log *log, const primecheck_options *options,
                         number_reader *reader, primecheck_report *report) {
    *log =
        (primecheck_log){.reader = reader, .from_words = options->words[0] != NULL, .next_seq = 1};
    if (options->joblog.file == NULL) {
        return;
    }
    if (options->joblog.resume && options->completed && !reader->never_waits) {
        error(EXIT_USAGE, 0, "--resume: with --order=completed the input must be a regular file");
    }
    plan(log, options);
    prepare_commands(log, options);
    log->log = joblog_open(&options->joblog, &log->plan);
    log->done_count = options->completed ? joblog_done_count(log->log) : joblog_in_order(log->log);
    if (log->done_count > 0) {
        log->done = calloc(log->done_count, sizeof *log->done);
        log->seqs = calloc(log->done_count, sizeof *log->seqs);
        if (log->done == NULL || log->seqs == NULL) {
            error(EXIT_ITEM, errno, "the job log");
            return; /* not reached, but only the C library knows */
        }
        primecheck_log_check(log->log, reader, log->done, log->done_count);
        restore(log, reader, report);
    }
    joblog_keep(log->log, log->done_count);
}

bool primecheck_log_is_resumed(const primecheck_log *log) {
    return log->done_count > 0;
}

void primecheck_log_close(primecheck_log *log) {
    text_buffer_free(&log->path);
    text_buffer_free(&log->program);
    free(log->done);
    free(log->seqs);
    joblog_close(log->log);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The lowest that no block has. The blocks between those of an earlier run may be cut in another way now, so that there
 * may be more or fewer of them. */
uint64_t primecheck_log_next_seq(primecheck_log *log) {
    while (log->seqs_passed < log->done_count && log->seqs[log->seqs_passed] <= log->next_seq) {
        log->next_seq += log->seqs[log->seqs_passed] == log->next_seq;
        log->seqs_passed++;
    }
    return log->next_seq++;
}

static void set_result(joblog_entry *entry, const check_result *result) {
    entry->started_ns = result->started_ns;
    entry->elapsed_ns = result->elapsed_ns;
    entry->worker = (int)result->worker;
    entry->attempts = result->attempts;
    if (result->counts[CHECK_INVALID] > 0 || result->counts[CHECK_FAILED] > 0) {
        entry->exit_value = EXIT_ITEM;
    }
}

void primecheck_log_block(primecheck_log *log, const number_block *block,
                          const check_result *result, const cf_exception *exception,
                          unsigned attempts, const uint64_t *counts) {
    if (log->log == NULL) {
        return;
    }
    char label[64], reason[128];
    text_buffer command = command_for(log, block);
    joblog_entry entry = {
        .seq = block->seq,
        .sent = block->length,
        .command = command.text,
        .label = label,
        .worker = exception->worker,
        .attempts = attempts,
        .print = fingerprint_of(block->text, block->length),
        .numbers = {[PRIMECHECK_FROM] = (int64_t)block->from,
                    [PRIMECHECK_TO] = (int64_t)(block->from + block->length),
                    [PRIMECHECK_LINE] = (int64_t)block->line,
                    [PRIMECHECK_IS_CUT] = (int64_t)block->is_cut},
    };
    snprintf(label, sizeof label, "%" PRIu64 "-%" PRIu64, block->from, block->from + block->length);
    for (int verdict = 0; verdict < CHECK_VERDICTS; verdict++) {
        entry.numbers[PRIMECHECK_COUNTS + verdict] = (int64_t)counts[verdict];
    }
    if (result != NULL) {
        set_result(&entry, result);
    } else {
        joblog_entry_set_exception(&entry, exception);
        entry.reason = cf_exception_describe(exception, reason, sizeof reason);
    }
    joblog_add(log->log, &entry);
    joblog_flush(log->log);
    text_buffer_free(&command);
}
