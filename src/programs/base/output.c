#define _GNU_SOURCE /* program_invocation_name, memrchr */
#include "programs/base/output.h"

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not exit(): what is still in the buffer has nowhere to go, and workers may be running. A thread
 * of a pool has SIGPIPE blocked: there a closed pipe is an error, and is made a signal here. */
void output_failed(int problem) {
    if (problem == EPIPE) {
        sigset_t pipe_signal;
        sigemptyset(&pipe_signal);
        sigaddset(&pipe_signal, SIGPIPE);
        pthread_sigmask(SIG_UNBLOCK, &pipe_signal, NULL);
        raise(SIGPIPE);
    }
    error(0, problem, "standard output");
    _exit(EXIT_IO);
}

static _Noreturn void fail(void) {
    output_failed(errno);
}

void output_print(const char *format, ...) {
    va_list values;
    va_start(values, format);
    if (vprintf(format, values) < 0) {
        fail();
    }
    va_end(values);
}

void output_flush(void) {
    if (fflush(stdout) != 0) {
        fail();
    }
}

int output_try_write(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written < 0 && errno == EAGAIN) { /* somebody who shares it wants it not to wait */
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return errno;
        } else if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

void output_write(const char *text, size_t length) {
    const int problem = output_try_write(text, length);
    if (problem != 0) {
        output_failed(problem);
    }
}

static bool is_regular_file(void) {
    struct stat status;
    return fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
}

/* The whole lines of the text that PIPE_BUF bytes have room for; a line that is longer goes whole. */
static size_t lines_at_once(const char *text, size_t length) {
    if (length <= PIPE_BUF) {
        return length;
    }
    const char *end = memrchr(text, '\n', PIPE_BUF);
    if (end == NULL) {
        end = memchr(text, '\n', length);
    }
    return end == NULL ? length : (size_t)(end - text) + 1;
}

void output_write_lines(const char *text, size_t length) {
    if (is_regular_file()) {
        output_write(text, length);
        return;
    }
    while (length > 0) {
        const size_t some = lines_at_once(text, length);
        output_write(text, some);
        text += some;
        length -= some;
    }
}

static void check_at_exit(void) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fail();
    }
}

/* Opens what is missing the wrong way round: using it stays the error that it would have been. */
static void open_standard_descriptors(void) {
    static const int MODE[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", MODE[fd]) != fd) {
            _exit(EXIT_IO);
        }
    }
}

void output_prepare(char **argv) {
    open_standard_descriptors();
    signal(SIGPIPE, SIG_DFL);
    argv[0] = program_invocation_name = program_invocation_short_name;
    if (atexit(check_at_exit) != 0) {
        fail();
    }
}
