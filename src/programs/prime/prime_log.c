#include "programs/prime/prime_log.h"

#include "primes/primes.h"
#include "programs/base/output.h"
#include "programs/joblog/shell_command.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IS_PRIME, /* places in joblog_entry.numbers */
};
static const char *const NUMBERS[] = {[IS_PRIME] = "prime", NULL};

/* ---- what the run was asked for -------------------------------------------------------------- */

static void plan(prime_log *log, const prime_program *program, const prime_options *options,
                 const number_list *list) {
    const joblog_setting settings[PRIME_SETTINGS + 1] = {
        {"--order", options->completed ? "completed" : "map"},
        {"--method", PRIME_METHODS[options->method].name},
        {"--split", options->split ? "yes" : "no"},
        {"--json", options->json ? "yes" : "no"},
        {"--retries", log->retries},
        {"--timeout", log->timeout},
    };
    snprintf(log->retries, sizeof log->retries, "%u", options->retries);
    snprintf(log->timeout, sizeof log->timeout, "%.9g", (double)options->timeout_ns / 1e9);
    memcpy(log->settings, settings, sizeof settings);
    log->plan = (joblog_plan){
        .program = program->name,
        .settings = log->settings,
        .input = options->numbers == NULL ? "the 20 numbers" : options->numbers,
        .input_size = list->count,
        .input_print = fingerprint_of(list->numbers, list->count * sizeof *list->numbers),
        .numbers = NUMBERS,
    };
}

static void prepare_commands(prime_log *log, const prime_program *program,
                             const prime_options *options) {
    text_buffer *command = &log->program;
    if (program->started_outside) {
        text_buffer_print(command, "mpirun -n 2");
    }
    shell_add_program(command);
    shell_add_option(command, "--numbers", "-");
    shell_add_option(command, "--method", PRIME_METHODS[options->method].name);
    shell_add_option(command, "--retries", log->retries);
    if (options->timeout_ns > 0) {
        shell_add_option_seconds(command, "--timeout", options->timeout_ns);
    }
    const bool takes_workers = program->workers != NULL && !program->started_outside;
    text_buffer_print(command, "%s%s%s", options->split ? " --split" : "",
                      options->json ? " --json" : "", takes_workers ? " 1" : "");
}

/* ---- what an earlier run has done ------------------------------------------------------------ */

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        error(EXIT_ITEM, errno, "the job log");
    }
    return memory;
}

static prime_outcome outcome_of(const joblog_entry *entry, const number_list *list) {
    prime_outcome outcome = {
        .n = list->numbers[entry->seq - 1],
        .seq = (size_t)entry->seq,
        .prime = entry->numbers[IS_PRIME] != 0,
        .started_ns = entry->started_ns,
        .elapsed_ns = entry->elapsed_ns,
        .worker = entry->worker,
        .attempts = entry->attempts,
        .failed = entry->reason != NULL,
        .exit_value = entry->exit_value,
        .signal = entry->signal,
    };
    if (outcome.failed) {
        snprintf(outcome.reason, sizeof outcome.reason, "%s", entry->reason);
    }
    return outcome;
}

static int compare_outcomes(const void *left, const void *right) {
    const size_t a = ((const prime_outcome *)left)->seq, b = ((const prime_outcome *)right)->seq;
    return (a > b) - (a < b);
}

/* Marks in `is_done` what is done. */
static void restore(prime_log *log, const number_list *list, bool *is_done, prime_report *report) {
    const size_t known = joblog_done_count(log->log);
    log->held = allocate(known - log->kept, sizeof *log->held);
    for (size_t i = 0; i < known; i++) {
        const joblog_entry *entry = joblog_done(log->log, i);
        if (entry->seq > list->count || is_done[entry->seq - 1]) {
            joblog_refuse_item(log->log, i);
        }
        is_done[entry->seq - 1] = true;
        const prime_outcome outcome = outcome_of(entry, list);
        if (i < log->kept) {
            prime_report_count(report, &outcome);
        } else {
            log->held[log->held_count++] = outcome;
        }
    }
    qsort(log->held, log->held_count, sizeof *log->held, compare_outcomes);
}

static void list_numbers(prime_log *log, const number_list *list, const bool *is_done) {
    log->numbers = allocate(list->count, sizeof *log->numbers);
    log->seqs = allocate(list->count, sizeof *log->seqs);
    for (size_t i = 0; i < list->count; i++) {
        if (!is_done[i]) {
            log->numbers[log->count] = list->numbers[i];
            log->seqs[log->count++] = i + 1;
        }
    }
}

void prime_log_open(prime_log *log, const prime_program *program, const prime_options *options,
                    const number_list *list, prime_report *report) {
    *log = (prime_log){0};
    bool *is_done = allocate(list->count, sizeof *is_done);
    if (options->joblog.file != NULL) {
        plan(log, program, options, list);
        prepare_commands(log, program, options);
        log->log = joblog_open(&options->joblog, &log->plan);
        log->kept = options->completed ? joblog_done_count(log->log) : joblog_in_order(log->log);
        restore(log, list, is_done, report);
        joblog_keep(log->log, log->kept);
    }
    list_numbers(log, list, is_done);
    free(is_done);
}

void prime_log_close(prime_log *log) {
    joblog_close(log->log);
    text_buffer_free(&log->program);
    free(log->numbers);
    free(log->seqs);
    free(log->held);
}

/* ---- outcomes -------------------------------------------------------------------------------- */

void prime_log_outcome(prime_log *log, const prime_outcome *outcome) {
    if (log->log == NULL) {
        return;
    }
    char label[32];
    text_buffer command = {0};
    snprintf(label, sizeof label, "%" PRIu64, outcome->n);
    text_buffer_print(&command, "echo %s | ", label);
    text_buffer_add(&command, log->program.text, log->program.length);
    const joblog_entry entry = {
        .seq = outcome->seq,
        .started_ns = outcome->started_ns,
        .elapsed_ns = outcome->elapsed_ns,
        .exit_value = outcome->exit_value,
        .signal = outcome->signal,
        .command = command.text,
        .label = label,
        .worker = outcome->worker,
        .attempts = outcome->attempts,
        .reason = outcome->failed ? outcome->reason : NULL,
        .numbers = {[IS_PRIME] = outcome->prime && !outcome->failed},
    };
    joblog_add(log->log, &entry);
    text_buffer_free(&command);
}

const prime_outcome *prime_log_take_held(prime_log *log, size_t seq) {
    if (log->held_shown == log->held_count || log->held[log->held_shown].seq >= seq) {
        return NULL;
    }
    return &log->held[log->held_shown++];
}
