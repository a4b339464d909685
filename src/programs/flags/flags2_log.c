#define _GNU_SOURCE /* program_invocation_name */
#include "programs/flags/flags2_log.h"

#include "programs/base/output.h"
#include "programs/joblog/shell_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    STATUS, /* places in joblog_entry.numbers */
    HTTP_STATUS,
    BYTES,
};
static const char *const NUMBERS[] = {
    [STATUS] = "status", [HTTP_STATUS] = "http", [BYTES] = "bytes", NULL};

/* ---- what the run was asked for -------------------------------------------------------------- */

static const char *yes_or_no(bool value) {
    return value ? "yes" : "no";
}

static void plan(flags2_log *log, const flags2_options *options) {
    const joblog_setting settings[FLAGS2_SETTINGS + 1] = {
        {"--base-url", options->shown_site},
        {"--verbose", yes_or_no(options->verbose)},
        {"--json", yes_or_no(options->json)},
        {"--skip-existing", yes_or_no(options->skip_existing)},
        {"--retries", log->retries},
        {"--size-limit", log->size_limit},
    };
    snprintf(log->retries, sizeof log->retries, "%u", options->retries);
    snprintf(log->size_limit, sizeof log->size_limit, "%u", options->size_limit);
    memcpy(log->settings, settings, sizeof settings);
    log->plan = (joblog_plan){
        .program = program_invocation_name,
        .settings = log->settings,
        .input = "the codes",
        .input_size = options->count,
        .input_print = fingerprint_of(options->codes, options->count * sizeof options->codes[0]),
        .numbers = NUMBERS,
    };
}

/* Without the password of the URL: a log is shown around. */
static void prepare_command(flags2_log *log, const flags2_options *options) {
    const download_options *download = &options->download;
    text_buffer *command = &log->command;
    shell_add_program(command);
    shell_add_option(command, "--base-url", options->shown_site);
    shell_add_option_path(command, "--dest", download->folder);
    shell_add_option_seconds(command, "--timeout", download->timeout_ns);
    shell_add_option_seconds(command, "--deadline", download->deadline_ns);
    if (download->ca_file != NULL) {
        shell_add_option_path(command, "--cacert", download->ca_file);
    }
    shell_add_option(command, "--retries", log->retries);
    shell_add_option(command, "--size-limit", log->size_limit);
    text_buffer_print(command, "%s%s%s%s%s", download->allow_downgrade ? " --allow-downgrade" : "",
                      options->sync ? " --fsync" : "",
                      options->skip_existing ? " --skip-existing" : "",
                      options->verbose ? " --verbose" : "", options->json ? " --json" : "");
}

/* ---- what an earlier run has done ------------------------------------------------------------ */

static download_result result_of(const flags2_log *log, const joblog_entry *entry) {
    download_result result = {
        .code = log->options->codes[entry->seq - 1],
        .status = (download_status)entry->numbers[STATUS],
        .http_status = (long)entry->numbers[HTTP_STATUS],
        .attempts = entry->attempts,
        .size = (size_t)entry->numbers[BYTES],
        .elapsed_ns = entry->elapsed_ns,
    };
    if (entry->reason != NULL) {
        snprintf(result.message, sizeof result.message, "%s", entry->reason);
    }
    return result;
}

static bool is_file_there(const download_folder *folder, const download_result *result) {
    char name[sizeof result->code.text + sizeof ".gif"];
    struct stat status;
    snprintf(name, sizeof name, "%s.gif", result->code.text);
    return fstatat(folder->fd, name, &status, 0) == 0 && S_ISREG(status.st_mode) &&
           (result->status != DOWNLOAD_OK || (size_t)status.st_size == result->size);
}

static bool is_still_so(const download_folder *folder, const download_result *result) {
    return result->status == DOWNLOAD_OK || result->status == DOWNLOAD_EXISTING
               ? is_file_there(folder, result)
               : true;
}

/* One that could not have been logged is refused. */
static void require_item(const flags2_log *log, size_t index, const bool *is_logged) {
    const joblog_entry *entry = joblog_done(log->log, index);
    const int64_t status = entry->numbers[STATUS];
    if (entry->seq > log->options->count || is_logged[entry->seq - 1] || status <= DOWNLOAD_LEFT ||
        status > DOWNLOAD_ERROR) {
        joblog_refuse_item(log->log, index);
    }
}

static void find_left(flags2_log *log, const download_folder *folder) {
    bool is_logged[CODE_LIST_MAX] = {false}, is_done[CODE_LIST_MAX] = {false};
    const size_t known = joblog_done_count(log->log);
    log->kept = known;
    for (size_t i = 0; i < known; i++) {
        require_item(log, i, is_logged);
        const size_t place = (size_t)joblog_done(log->log, i)->seq - 1;
        const download_result result = result_of(log, joblog_done(log->log, i));
        is_logged[place] = true;
        is_done[place] = is_still_so(folder, &result);
        if (!is_done[place] && log->kept == known) {
            log->kept = i;
        }
    }
    for (size_t i = 0; i < log->options->count; i++) {
        if (!is_done[i]) {
            log->left[log->left_count++] = log->options->codes[i];
        }
    }
}

static bool is_left(const flags2_log *log, country_code code) {
    size_t i = 0;
    while (i < log->left_count && strcmp(log->left[i].text, code.text) != 0) {
        i++;
    }
    return i < log->left_count;
}

static void stop(void *data) {
    download_run *run = data;
    download_stop_request(&run->stop);
}

void flags2_log_open(flags2_log *log, const flags2_options *options, download_run *run) {
    *log = (flags2_log){.options = options};
    if (options->joblog.file != NULL) {
        plan(log, options);
        prepare_command(log, options);
        log->log = joblog_open(&options->joblog, &log->plan);
        joblog_defer_failure(log->log, stop, run);
    }
    find_left(log, &run->folder);
    joblog_keep(log->log, log->kept);
}

void flags2_log_restore(flags2_log *log, flags2_report *report) {
    joblog_flush(log->log);
    for (size_t i = 0; i < joblog_done_count(log->log); i++) {
        const download_result result = result_of(log, joblog_done(log->log, i));
        if (i < log->kept) {
            flags2_report_count(report, &result);
        } else if (!is_left(log, result.code)) {
            flags2_report_result(report, &result);
            flags2_log_result(log, &result);
        }
    }
}

void flags2_log_close(flags2_log *log) {
    text_buffer_free(&log->command);
    joblog_close(log->log);
}

/* ---- results --------------------------------------------------------------------------------- */

static uint64_t seq_of(const flags2_log *log, country_code code) {
    size_t i = 0;
    while (strcmp(log->options->codes[i].text, code.text) != 0) {
        i++;
    }
    return i + 1;
}

void flags2_log_result(flags2_log *log, const download_result *result) {
    if (log->log == NULL || result->status == DOWNLOAD_LEFT) {
        return; /* what was not done is the next run's */
    }
    text_buffer command = {0};
    text_buffer_print(&command, "%s %s", log->command.text, result->code.text);
    const joblog_entry entry = {
        .seq = seq_of(log, result->code),
        .elapsed_ns = result->elapsed_ns,
        .exit_value = result->status == DOWNLOAD_ERROR ? EXIT_ITEM : 0,
        .command = command.text,
        .label = result->code.text,
        .worker = -1,
        .attempts = result->attempts,
        .reason = result->status == DOWNLOAD_ERROR ? result->message : NULL,
        .numbers = {[STATUS] = result->status,
                    [HTTP_STATUS] = result->http_status,
                    [BYTES] = (int64_t)result->size},
    };
    joblog_add(log->log, &entry);
    joblog_flush(log->log);
    text_buffer_free(&command);
}
