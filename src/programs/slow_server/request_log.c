#include "programs/slow_server/request_log.h"

#include "platform/clock.h"
#include "programs/base/output.h"
#include "programs/base/seconds.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Not exit(): other threads may be running. */
static _Noreturn void fail(const request_log *log) {
    error(0, errno, "%s", log->path);
    _exit(EXIT_IO);
}

static void write_line(const request_log *log, const char *line) {
    size_t left = strlen(line);
    while (left > 0) {
        const ssize_t written = write(log->descriptor, line, left);
        if (written < 0 && errno != EINTR) {
            fail(log);
        } else if (written > 0) {
            line += written;
            left -= (size_t)written;
        }
    }
}

request_log request_log_open(const char *path) {
    request_log log = {.path = path, .descriptor = -1, .start_ns = plat_now_ns()};
    if (path != NULL) {
        log.descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
        if (log.descriptor < 0) {
            fail(&log);
        }
        write_line(&log, "# arrival\tdelay\tstatus\tcode\n");
    }
    return log;
}

void request_log_answer(const request_log *log, int64_t arrival_ns, int64_t delay_ns,
                        unsigned status, const char *code) {
    if (log->path != NULL) {
        char line[128];
        snprintf(line, sizeof line, "%.6f\t%.6f\t%u\t%s\n", seconds(arrival_ns - log->start_ns),
                 seconds(delay_ns), status, code);
        write_line(log, line);
    }
}

void request_log_delay(const char *code, int64_t delay_ns) {
    const double delay = seconds(delay_ns);
    char text[32], line[64];
    /* Two digits that count where that needs no exponent, and always a point. */
    const bool two_digits = delay >= 0.0001 && delay < 9.95;
    snprintf(text, sizeof text, two_digits ? "%.2g" : "%.1f", delay);
    const char *tail = strchr(text, '.') == NULL ? ".0" : "";
    const int length = snprintf(line, sizeof line, "%s delay: %s%ss\n", code, text, tail);
    output_write(line, (size_t)length);
}

void request_log_closed(const char *code) {
    char line[64];
    const int length = snprintf(line, sizeof line, "%s *** client closed\n", code);
    output_write(line, (size_t)length);
}
