#define _GNU_SOURCE /* getline */
#include "programs/base/decimal.h"
#include "programs/base/output.h"
#include "programs/joblog/joblog_files.h"

#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- lines ----------------------------------------------------------------------------------- */

typedef struct line_reader {
    const char *name;
    FILE *stream;
    char *line;
    size_t size;
    uintmax_t number; /* of the line, from 1 */
    off_t end;        /* of it in the file */
} line_reader;

/* False: the file is not there. */
static bool open_lines(line_reader *lines, const char *name) {
    *lines = (line_reader){.name = name, .stream = fopen(name, "re")};
    if (lines->stream == NULL && errno != ENOENT) {
        error(EXIT_IO, errno, "%s", name);
    }
    return lines->stream != NULL;
}

static void close_lines(line_reader *lines) {
    fclose(lines->stream);
    free(lines->line);
}

/* The next line; false if there is none, or if it is torn: that one is then in `line`. */
static bool next_line(line_reader *lines) {
    errno = 0;
    const ssize_t length = getline(&lines->line, &lines->size, lines->stream);
    lines->number++;
    if (length < 0 && ferror(lines->stream)) {
        error(EXIT_IO, errno, "%s", lines->name);
    }
    if (length <= 0) {
        return false;
    }
    lines->end += length;
    return lines->line[length - 1] == '\n';
}

static _Noreturn void refuse(const line_reader *lines, const char *what) {
    error(EXIT_IO, 0, "%s:%ju: %s", lines->name, lines->number, what);
    abort(); /* error() does not return: its status is not 0 */
}

/* ---- first lines ----------------------------------------------------------------------------- */

/* False if the file never had a whole first line. */
static bool read_header(line_reader *file) {
    const bool whole = next_line(file);
    const char *line = file->end == 0 ? "" : file->line;
    if (strncmp(line, JOBLOG_HEADER, strlen(line)) != 0) {
        refuse(file, "not the first line of a job log");
    }
    return whole;
}

static json_t *parse(const line_reader *more, const char *what) {
    json_t *object = json_loads(more->line, 0, NULL);
    if (!json_is_object(object)) {
        refuse(more, what);
    }
    return object;
}

static bool is_text(const json_t *value, const char *text) {
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* The text of a setting, or what stands for one that is missing. */
static const char *shown_setting(const json_t *value) {
    return json_is_string(value) ? json_string_value(value) : "nothing";
}

static void check_settings(const joblog *log, const json_t *settings) {
    for (const joblog_setting *s = log->plan->settings; s->name != NULL; s++) {
        const json_t *before = json_object_get(settings, s->name);
        if (!is_text(before, s->value)) {
            error(EXIT_USAGE, 0, "%s: the run that %s tells of had '%s', not '%s'", s->name,
                  log->file, shown_setting(before), s->value);
        }
    }
}

static uint64_t count_of(const json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0
               ? (uint64_t)json_integer_value(value)
               : JOBLOG_UNKNOWN;
}

static void check_input(const joblog *log, const json_t *input) {
    const joblog_plan *plan = log->plan;
    if (count_of(json_object_get(input, "size")) != plan->input_size) {
        joblog_refuse_input(log, "its size has");
    }
    if (!is_text(json_object_get(input, "xxh3_128"), plan->input_print.text)) {
        joblog_refuse_input(log, "it has");
    }
}

static void read_run(joblog *log, line_reader *more) {
    static const char WHAT[] = "not the first line of what goes with a job log";
    if (!next_line(more)) {
        refuse(more, WHAT);
    }
    json_t *run = parse(more, WHAT);
    const json_t *format = json_object_get(run, "format");
    if (!json_is_integer(format) || json_integer_value(format) != JOBLOG_FORMAT) {
        refuse(more, "a format that this version does not know");
    }
    if (!is_text(json_object_get(run, "program"), log->plan->program)) {
        refuse(more, "the job log of another program");
    }
    check_settings(log, json_object_get(run, "settings"));
    check_input(log, json_object_get(run, "input"));
    log->output_begin = count_of(json_object_get(run, "output"));
    if (log->output_begin == JOBLOG_UNKNOWN) {
        refuse(more, "that run did not write to a regular file, so it cannot be gone on with");
    }
    json_decref(run);
}

/* ---- items ----------------------------------------------------------------------------------- */

enum {
    SEQ, /* the columns */
    HOST,
    STARTTIME,
    RUNTIME,
    SEND,
    RECEIVE,
    EXITVAL,
    SIGNAL,
    COLUMNS, /* before the command */
};

typedef struct column {
    const char *text;
    size_t length;
} column;

static bool split(const char *line, column *columns) {
    for (int i = 0; i < COLUMNS; i++) {
        const char *end = strchr(line, '\t');
        if (end == NULL) {
            return false;
        }
        columns[i] = (column){line, (size_t)(end - line)};
        line = end + 1;
    }
    return true;
}

static bool parse_number(column c, uint64_t max, uint64_t *value) {
    return decimal_parse(c.text, c.length, 0, max, value);
}

/* "1796047981.881" */
static bool parse_time(column c, int64_t *ns) {
    const size_t decimals = sizeof ".881" - 1;
    uint64_t whole, thousandths;
    if (c.length <= decimals || c.text[c.length - decimals] != '.' ||
        !decimal_parse(c.text, c.length - decimals, 0, INT64_MAX / 2000000000, &whole) ||
        !decimal_parse(c.text + c.length - decimals + 1, decimals - 1, 0, 999, &thousandths)) {
        return false;
    }
    *ns = (int64_t)(whole * 1000 + thousandths) * 1000000;
    return true;
}

/* The columns that FILE.more does not have. */
static bool parse_columns(const char *line, joblog_entry *entry) {
    column columns[COLUMNS];
    uint64_t exit_value, signal;
    if (!split(line, columns) || !parse_number(columns[SEQ], UINT64_MAX, &entry->seq) ||
        !parse_time(columns[STARTTIME], &entry->started_ns) ||
        !parse_number(columns[SEND], UINT64_MAX, &entry->sent) ||
        !parse_number(columns[EXITVAL], INT_MAX, &exit_value) ||
        !parse_number(columns[SIGNAL], INT_MAX, &signal)) {
        return false;
    }
    entry->exit_value = (int)exit_value;
    entry->signal = (int)signal;
    return true;
}

/* The integer of that name; a line without it is refused. */
static int64_t integer(const line_reader *more, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value)) {
        refuse(more, "not a line of this program's job log");
    }
    return json_integer_value(value);
}

/* "" if there is none. */
static fingerprint print_of(const json_t *value) {
    const char *text = json_string_value(value);
    fingerprint print;
    snprintf(print.text, sizeof print.text, "%s", text != NULL ? text : "");
    return print;
}

static void parse_texts(const json_t *object, joblog_past *past) {
    joblog_entry *entry = &past->entry;
    const char *reason = json_string_value(json_object_get(object, "reason"));
    entry->reason = NULL;
    if (reason != NULL) {
        entry->reason = strdup(reason);
        if (entry->reason == NULL) {
            error(EXIT_ITEM, ENOMEM, "the job log");
        }
    }
    entry->print = print_of(json_object_get(object, "xxh3_128"));
    past->output_print = print_of(json_object_get(object, "out_xxh3_128"));
}

static void parse_object(const joblog *log, const line_reader *more, joblog_past *past) {
    joblog_entry *entry = &past->entry;
    json_t *object = parse(more, "not a line of this program's job log");
    const json_t *worker = json_object_get(object, "worker");
    entry->worker = json_is_null(worker) ? -1 : (int)integer(more, object, "worker");
    entry->attempts = (unsigned)integer(more, object, "attempts");
    entry->elapsed_ns = integer(more, object, "elapsed_ns");
    for (size_t i = 0; log->plan->numbers[i] != NULL; i++) {
        entry->numbers[i] = integer(more, object, log->plan->numbers[i]);
    }
    past->output_end = count_of(json_object_get(object, "out"));
    const uint64_t least =
        log->past_count > 0 ? log->past[log->past_count - 1].output_end : log->output_begin;
    if ((uint64_t)integer(more, object, "seq") != entry->seq || entry->seq == 0 ||
        past->output_end == JOBLOG_UNKNOWN || past->output_end < least) {
        refuse(more, "does not go with that line of the job log");
    }
    parse_texts(object, past);
    json_decref(object);
}

static void add_past(joblog *log, const joblog_past *past, size_t *capacity) {
    if (log->past_count == *capacity) {
        *capacity = *capacity == 0 ? 64 : 2 * *capacity;
        log->past = reallocarray(log->past, *capacity, sizeof *log->past);
        if (log->past == NULL) {
            error(EXIT_ITEM, errno, "%s", log->file);
        }
    }
    log->past[log->past_count++] = *past;
}

static void read_items(joblog *log, line_reader *file, line_reader *more) {
    size_t capacity = 0;
    while (next_line(file) && next_line(more)) {
        joblog_past past = {.file_end = file->end, .more_end = more->end};
        if (!parse_columns(file->line, &past.entry)) {
            refuse(file, "not a line of a job log");
        }
        parse_object(log, more, &past);
        add_past(log, &past, &capacity);
    }
}

static void check_output(const joblog *log) {
    const uint64_t needed =
        log->past_count > 0 ? log->past[log->past_count - 1].output_end : log->output_begin;
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || (uint64_t)status.st_size < needed) {
        error(EXIT_IO, 0,
              "standard output is shorter than %s tells: %" PRIu64 " bytes, not %" PRIu64
              " (add to it by >>, not >)",
              log->file, (uint64_t)status.st_size, needed);
    }
}

bool joblog_read(joblog *log) {
    line_reader file, more;
    if (!open_lines(&file, log->file)) {
        return false;
    }
    const bool is_begun = read_header(&file);
    if (is_begun) {
        if (!open_lines(&more, log->more)) {
            error(EXIT_IO, ENOENT, "%s", log->more);
        }
        read_run(log, &more);
        log->file_begin = file.end;
        log->more_begin = more.end;
        read_items(log, &file, &more);
        check_output(log);
        close_lines(&more);
    }
    close_lines(&file);
    return is_begun;
}
