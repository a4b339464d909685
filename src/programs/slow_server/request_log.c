#include "programs/slow_server/request_log.h"

#include "platform/clock.h"
#include "programs/base/output.h"
#include "programs/base/seconds.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The beginning of a line, if the file is one that can be cut. */
static void take_back(const request_log *log, size_t length) {
    const off_t end = lseek(log->descriptor, 0, SEEK_END);
    if (end >= (off_t)length && ftruncate(log->descriptor, end - (off_t)length) != 0) {
        return;
    }
}

/* 0 or an error number: then nothing of the line is in the file. */
static int write_line(const request_log *log, const char *line) {
    const size_t length = strlen(line);
    size_t done = 0;
    while (done < length) {
        const ssize_t written = write(log->descriptor, line + done, length - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno != EINTR) {
            const int problem = errno;
            take_back(log, done);
            return problem;
        }
    }
    return 0;
}

void request_log_open(request_log *log, const char *path) {
    *log = (request_log){
        .path = path,
        .descriptor = -1,
        .start_ns = plat_now_ns(),
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
    if (path == NULL) {
        return;
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that gets too large is an error of write */
    log->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    const int problem =
        log->descriptor < 0 ? errno : write_line(log, "# arrival\tdelay\tstatus\tcode\n");
    if (problem != 0) {
        error(EXIT_IO, problem, "%s", path);
    }
}

void request_log_answer(request_log *log, int64_t arrival_ns, int64_t delay_ns, unsigned status,
                        const char *code) {
    if (log->path == NULL) {
        return;
    }
    char line[128];
    snprintf(line, sizeof line, "%.6f\t%.6f\t%u\t%s\n", seconds(arrival_ns - log->start_ns),
             seconds(delay_ns), status, code);
    pthread_mutex_lock(&log->lock);
    const int problem = write_line(log, line);
    if (problem != 0 && !log->has_failed) {
        log->has_failed = true;
        error(0, problem, "%s: lines are left out until it can be written", log->path);
    }
    pthread_mutex_unlock(&log->lock);
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
