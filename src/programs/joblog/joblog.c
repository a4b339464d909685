#define _GNU_SOURCE /* asprintf */
#include "programs/joblog/joblog.h"

#include "programs/base/epoch.h"
#include "programs/base/output.h"
#include "programs/base/seconds.h"
#include "programs/joblog/joblog_files.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Lines that wait are written at the latest when there are so many bytes of them. */
#define PENDING_BYTES (64 << 10)

/* ---- standard output ------------------------------------------------------------------------- */

uint64_t joblog_output_position(void) {
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) {
        return JOBLOG_UNKNOWN;
    }
    const int flags = fcntl(STDOUT_FILENO, F_GETFL);
    return (uint64_t)(flags >= 0 && flags & O_APPEND ? status.st_size
                                                     : lseek(STDOUT_FILENO, 0, SEEK_CUR));
}

/* The bytes from `from` to `to`, which the caller frees; NULL if they are not to be had. */
static char *read_output(const joblog *log, uint64_t from, uint64_t to) {
    const size_t length = (size_t)(to - from);
    char *bytes = log->output_fd < 0 ? NULL : malloc(length + 1);
    size_t count = 0;
    ssize_t some = 1;
    while (bytes != NULL && count < length && some > 0) {
        some = pread(log->output_fd, bytes + count, length - count, (off_t)(from + count));
        count += some > 0 ? (size_t)some : 0;
    }
    if (count < length) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static void require_regular_output(void) {
    if (joblog_output_position() == JOBLOG_UNKNOWN) {
        error(EXIT_IO, 0,
              "standard output is not a regular file: --resume cuts and continues it (>> FILE)");
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* 0 or an error number. */
static int write_all(int fd, const char *text, size_t length) {
    while (length > 0) {
        const ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

static void require_written(const char *name, int fd, const char *text, size_t length) {
    const int problem = write_all(fd, text, length);
    if (problem != 0) {
        error(EXIT_IO, problem, "%s", name);
    }
}

/* Not exit(), as threads may be at work. */
static void fail(joblog *log, const char *name, int problem) {
    error(0, problem, "%s", name);
    log->failed = true;
    if (log->on_failure == NULL) {
        _exit(EXIT_IO);
    }
    log->on_failure(log->failure_data);
}

void joblog_defer_failure(joblog *log, void (*on_failure)(void *data), void *data) {
    if (log != NULL) {
        log->failure_data = data;
        log->on_failure = on_failure;
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* JSON is UTF-8, which the name of a folder in a message need not be. */
static json_t *json_of(const char *text) {
    json_t *string = json_string(text);
    char *plain = string == NULL ? strdup(text) : NULL;
    if (plain != NULL) {
        for (char *c = plain; *c != '\0'; c++) {
            *c = *c >= ' ' && *c <= '~' ? *c : '?';
        }
        string = json_string(plain);
        free(plain);
    }
    return string;
}

static json_t *json_count(uint64_t value) {
    return value == JOBLOG_UNKNOWN ? json_null() : json_integer((json_int_t)value);
}

/* The object's text, which is the caller's to free; takes the object. */
static char *dump(json_t *object) {
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    if (text == NULL) {
        error(EXIT_ITEM, ENOMEM, "JSON");
    }
    json_decref(object);
    return text;
}

static json_t *json_of_run(const joblog *log) {
    const joblog_plan *plan = log->plan;
    json_t *settings = json_object();
    for (const joblog_setting *s = plan->settings; s->name != NULL; s++) {
        json_object_set_new(settings, s->name, json_of(s->value));
    }
    return json_pack("{s:i, s:s, s:o, s:{s:o, s:o, s:s}, s:o}", "format", JOBLOG_FORMAT, "program",
                     plan->program, "settings", settings, "input", "name", json_of(plan->input),
                     "size", json_count(plan->input_size), "xxh3_128", plan->input_print.text,
                     "output", json_count(log->output_begin));
}

static json_t *json_of_item(const joblog *log, const joblog_entry *entry) {
    json_t *object = json_pack("{s:o, s:o, s:o, s:i, s:o, s:I}", "seq", json_count(entry->seq),
                               "label", json_of(entry->label), "worker",
                               entry->worker < 0 ? json_null() : json_integer(entry->worker),
                               "attempts", (int)entry->attempts, "reason",
                               entry->reason == NULL ? json_null() : json_of(entry->reason),
                               "elapsed_ns", (json_int_t)entry->elapsed_ns);
    if (entry->print.text[0] != '\0') {
        json_object_set_new(object, "xxh3_128", json_string(entry->print.text));
    }
    for (size_t i = 0; log->plan->numbers[i] != NULL; i++) {
        json_object_set_new(object, log->plan->numbers[i],
                            json_integer((json_int_t)entry->numbers[i]));
    }
    return object;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int open_file(const char *name) {
    const int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        error(EXIT_IO, errno, "%s", name);
    }
    return fd;
}

static void empty_file(const char *name, int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || (S_ISREG(status.st_mode) && ftruncate(fd, 0) != 0)) {
        error(EXIT_IO, errno, "%s", name);
    }
}

/* The order is that of the contract. */
static void begin_files(joblog *log) {
    char *first = dump(json_of_run(log));
    empty_file(log->file, log->file_fd);
    empty_file(log->more, log->more_fd);
    require_written(log->more, log->more_fd, first, strlen(first));
    require_written(log->more, log->more_fd, "\n", 1);
    require_written(log->file, log->file_fd, JOBLOG_HEADER, sizeof JOBLOG_HEADER - 1);
    free(first);
}

joblog *joblog_open(const joblog_options *options, const joblog_plan *plan) {
    if (options->file == NULL) {
        return NULL;
    }
    joblog *log = calloc(1, sizeof *log);
    if (log == NULL) {
        error(EXIT_ITEM, errno, "%s", options->file);
        return NULL; /* not reached, but only the C library knows */
    }
    *log = (joblog){.plan = plan, .file = options->file, .output_begin = joblog_output_position()};
    if (asprintf(&log->more, "%s.more", log->file) < 0) {
        error(EXIT_ITEM, ENOMEM, "%s", log->file);
    }
    log->output_end = log->output_begin;
    log->output_fd =
        log->output_begin == JOBLOG_UNKNOWN ? -1 : open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    if (options->resume) {
        require_regular_output();
        log->resumed = joblog_read(log);
    }
    log->file_fd = open_file(log->file);
    log->more_fd = open_file(log->more);
    if (!log->resumed) {
        begin_files(log);
    }
    return log;
}

void joblog_close(joblog *log) {
    if (log == NULL) {
        return;
    }
    const bool failed = log->failed;
    close(log->file_fd);
    close(log->more_fd);
    if (log->output_fd >= 0) {
        close(log->output_fd);
    }
    for (size_t i = 0; i < log->past_count; i++) {
        free((char *)log->past[i].entry.reason);
    }
    text_buffer_free(&log->file_text);
    text_buffer_free(&log->more_text);
    free(log->pending);
    free(log->past);
    free(log->more);
    free(log);
    if (failed) {
        exit(EXIT_IO);
    }
}

/* ---- going on -------------------------------------------------------------------------------- */

size_t joblog_done_count(const joblog *log) {
    return log == NULL ? 0 : log->past_count;
}

const joblog_entry *joblog_done(const joblog *log, size_t index) {
    return &log->past[index].entry;
}

size_t joblog_in_order(const joblog *log) {
    size_t count = 0;
    while (count < joblog_done_count(log) && log->past[count].entry.seq == count + 1) {
        count++;
    }
    return count;
}

void joblog_refuse_input(const joblog *log, const char *where) {
    error(EXIT_IO, 0, "%s: not the input that %s tells of: %s changed", log->plan->input, log->file,
          where);
    abort(); /* error() does not return: its status is not 0 */
}

void joblog_refuse_item(const joblog *log, size_t index) {
    error(EXIT_IO, 0, "%s:%zu: not a line of this program's job log", log->more, index + 2);
    abort(); /* the same */
}

/* Cutting the wrong file would lose what is in it. */
static void check_kept_output(const joblog *log, size_t count) {
    uint64_t from = log->output_begin;
    for (size_t i = 0; i < count; i++) {
        const joblog_past *past = &log->past[i];
        char *bytes = read_output(log, from, past->output_end);
        if (bytes != NULL && past->output_print.text[0] != '\0' &&
            strcmp(fingerprint_of(bytes, (size_t)(past->output_end - from)).text,
                   past->output_print.text) != 0) {
            error(EXIT_IO, 0,
                  "standard output is not the file that %s tells of: bytes %" PRIu64 " to %" PRIu64
                  " differ",
                  log->file, from, past->output_end);
        }
        free(bytes);
        from = past->output_end;
    }
}

static void cut(const char *name, int fd, off_t end) {
    if (ftruncate(fd, end) != 0) {
        error(EXIT_IO, errno, "%s", name);
    }
}

/* The order is that of the contract. */
void joblog_keep(joblog *log, size_t count) {
    if (log == NULL || !log->resumed) {
        return;
    }
    const joblog_past begin = {
        .output_end = log->output_begin, .file_end = log->file_begin, .more_end = log->more_begin};
    const joblog_past *last = count > 0 ? &log->past[count - 1] : &begin;
    const off_t output = (off_t)last->output_end;
    log->output_end = last->output_end;
    check_kept_output(log, count);
    cut(log->file, log->file_fd, last->file_end);
    cut(log->more, log->more_fd, last->more_end);
    cut("standard output", STDOUT_FILENO, output);
    if (lseek(STDOUT_FILENO, output, SEEK_SET) < 0) {
        error(EXIT_IO, errno, "standard output");
    }
}

/* ---- items ----------------------------------------------------------------------------------- */

void joblog_entry_set_exception(joblog_entry *entry, const cf_exception *exception) {
    const bool died = exception->status == CF_EWORKER;
    entry->signal = died ? exception->signal : 0;
    entry->exit_value = !died ? EXIT_ITEM : exception->signal != 0 ? 0 : exception->exit_code;
}

/* GNU parallel too has NUL for a newline: a line is a job. */
static void add_command(text_buffer *text, const char *command) {
    const size_t begin = text->length;
    text_buffer_add(text, command, strlen(command));
    for (size_t i = begin; i < text->length; i++) {
        if (text->text[i] == '\n') {
            text->text[i] = '\0';
        }
    }
    text_buffer_add(text, "\n", 1);
}

static void add_file_line(joblog *log, const joblog_entry *entry, uint64_t received) {
    const int64_t started_ns =
        entry->started_ns != 0 ? entry->started_ns : epoch_now_ns() - entry->elapsed_ns;
    const int64_t started_ms = started_ns / 1000000;
    text_buffer_print(&log->file_text,
                      "%" PRIu64 "\t:\t%" PRId64 ".%03" PRId64 "\t%10.3f\t%" PRIu64 "\t%" PRIu64
                      "\t%d\t%d\t",
                      entry->seq, started_ms / 1000, started_ms % 1000, seconds(entry->elapsed_ns),
                      entry->sent, received, entry->exit_value, entry->signal);
    add_command(&log->file_text, entry->command);
}

static void add_pending(joblog *log, uint64_t output_count) {
    if (log->pending_count == log->pending_capacity) {
        log->pending_capacity = log->pending_capacity == 0 ? 64 : 2 * log->pending_capacity;
        log->pending = reallocarray(log->pending, log->pending_capacity, sizeof *log->pending);
        if (log->pending == NULL) {
            error(EXIT_ITEM, errno, "%s", log->file);
        }
    }
    log->pending[log->pending_count++] = (joblog_pending){output_count, log->more_text.length};
}

void joblog_add(joblog *log, const joblog_entry *entry) {
    if (log == NULL || log->failed) {
        return;
    }
    const uint64_t count = output_count();
    char *object = dump(json_of_item(log, entry));
    text_buffer_add(&log->more_text, object, strlen(object) - 1); /* without its } */
    free(object);
    add_file_line(log, entry, count - log->marked);
    add_pending(log, count);
    log->marked = count;
    if (log->file_text.length >= PENDING_BYTES) {
        joblog_flush(log);
    }
}

/* How standard output goes on with the item, for the end of its line. `bytes`: from the item before the first of
 * those that wait; may be NULL. */
static void add_output(text_buffer *text, const char *bytes, uint64_t begin, uint64_t from,
                       uint64_t to) {
    text_buffer_print(text, ",\"out\":%" PRIu64, to);
    if (bytes != NULL) {
        const fingerprint print = fingerprint_of(bytes + (from - begin), (size_t)(to - from));
        text_buffer_print(text, ",\"out_xxh3_128\":\"%s\"", print.text);
    }
}

/* The lines of FILE.more, now that it is known where standard output is. Messages may be on it too, if it is also
 * standard error: so it is asked. */
static text_buffer finish_more(joblog *log) {
    text_buffer text = {0};
    const bool is_file = log->output_begin != JOBLOG_UNKNOWN;
    const uint64_t end = is_file ? (uint64_t)lseek(STDOUT_FILENO, 0, SEEK_CUR) : 0,
                   begin = log->output_end, counted = output_count();
    char *bytes = is_file ? read_output(log, begin, end) : NULL;
    size_t from = 0;
    for (size_t i = 0; i < log->pending_count; i++) {
        const joblog_pending *item = &log->pending[i];
        text_buffer_add(&text, log->more_text.text + from, item->more_end - from);
        from = item->more_end;
        if (is_file) {
            const uint64_t to = end - (counted - item->output_count);
            add_output(&text, bytes, begin, log->output_end, to);
            log->output_end = to;
        } else {
            text_buffer_print(&text, ",\"out\":null");
        }
        text_buffer_add(&text, "}\n", 2);
    }
    free(bytes);
    return text;
}

void joblog_flush(joblog *log) {
    output_flush();
    if (log == NULL) {
        return;
    }
    log->marked = output_count();
    if (log->pending_count == 0 || log->failed || output_has_failed()) {
        return;
    }
    text_buffer more = finish_more(log);
    int problem = write_all(log->more_fd, more.text, more.length);
    if (problem != 0) {
        fail(log, log->more, problem);
    } else {
        problem = write_all(log->file_fd, log->file_text.text, log->file_text.length);
        if (problem != 0) {
            fail(log, log->file, problem);
        }
    }
    text_buffer_free(&more);
    log->pending_count = log->more_text.length = log->file_text.length = 0;
}
